/* benchmarks/load/load.h: what the modes of the load generator share.
 *
 * A *peer* is what one thread makes its connections with: a context of OpenSSL's, the newest session, and what it has
 * counted. Whatever goes wrong that is not the proxy's doing ends the process with a sentence. */
#ifndef YETT_BENCHMARKS_LOAD_H
#define YETT_BENCHMARKS_LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_options {
    uint16_t port;
    unsigned long count;       /* connections, or certificates */
    unsigned long connections; /* of echo */
    unsigned threads;
    unsigned seconds;
    unsigned rate;    /* connections offered each second, of flood */
    unsigned tickets; /* of tls-server, in TLS 1.3; 0: nothing can be resumed */
    int tls_version;
    bool plain; /* no TLS on our side: the proxy speaks it with the other one */
    bool resume;
    const char *sigalgs, *ciphers, *groups;
    const char *identity; /* PEM file, chain and key: what we show */
    const char *folder;
};

struct load_peer {
    const struct load_options *options;
    SSL_CTX *ctx; /* NULL: plain */
    SSL_SESSION *session;
    unsigned long count;
    unsigned long resumed, failed, tickets;
};

/* One connection: TLS, or without where ssl is NULL. */
struct load_connection {
    int fd;
    SSL *ssl;
};

__attribute__((noreturn)) void load_die(const char *what);
double load_now(void); /* seconds */

/* A context for clients as the options say: one version, one suite, one group. NULL where they say plain. */
SSL_CTX *load_client_context(const struct load_options *o);
void load_use_identity(SSL_CTX *ctx, const char *path);

/* A socket with an option that is a switch. */
void load_set(int fd, int level, int option);
int load_listen(uint16_t port);
int load_connect_tcp(uint16_t port);

/* False, and counted, when the handshake fails. */
bool load_connect(struct load_peer *peer, bool resume, struct load_connection *c);
bool load_one_byte(struct load_connection *c); /* there and back */
void load_close(struct load_connection *c);

/* The modes. */
void load_run_handshakes(const struct load_options *o);
void load_run_echo(const struct load_options *o);
void load_run_idle(const struct load_options *o);
void load_run_ping(const struct load_options *o);
void load_run_flood(const struct load_options *o);
void load_run_echo_server(const struct load_options *o);
void load_run_tls_server(const struct load_options *o);
void load_run_certificates(const struct load_options *o);
void load_run_version(const struct load_options *o);

#endif
