/* tests/unit/tls/tls_pair.h: two engines joined by two small rings. */
#ifndef YETT_TESTS_TLS_PAIR_H
#define YETT_TESTS_TLS_PAIR_H

#include "tls/engine.h"
#include "tls_certs.h"

/* Starts NSS with a ticket key, and with a session cache of its own where `cache`. Group setup and teardown. */
enum test_cache { TEST_CACHE_NONE, TEST_CACHE_SHARED };
void test_tls_start(enum test_cache cache);
void test_tls_stop(void);

struct test_pair {
    struct tls_engine *client, *server;
    size_t ring_size; /* bytes under way at most, each way */
    size_t piece_max; /* bytes moved at a time: 1..piece_max, by turns; 0: all there is */
    unsigned turn;
    uint64_t to_server_bytes, to_client_bytes;
    size_t memory_max; /* the most either engine held */
    bool gives_up;     /* steps that may block are given up instead */
    enum tls_status client_status, server_status;
    struct test_ring {
        uint8_t data[512];
        size_t size;
    } to_server, to_client;
};

void test_pair_init(struct test_pair *p, const struct tls_context *client, const char *name, const char *cache_key,
                    const struct tls_context *server);
void test_pair_clear(struct test_pair *p);

/* Step and move until neither side has anything left to do, or one has failed and its records are delivered. */
void test_pair_run(struct test_pair *p);

/* As test_pair_run(); then both must have finished the handshake. */
void test_pair_handshake(struct test_pair *p);

/* Send `data` from one to the other, and compare what arrives. */
void test_pair_send(struct test_pair *p, struct tls_engine *from, struct tls_engine *to, struct span data);

/* Close both ways, and see that both tell it. */
void test_pair_close(struct test_pair *p);

/* Contexts with the usual settings; the test stops when they cannot be made. */
struct tls_context *test_server(const struct tls_server_options *options);
struct tls_context *test_client(const struct tls_client_options *options);

#endif
