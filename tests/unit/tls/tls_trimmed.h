/* tests/unit/tls/tls_trimmed.h: pairs of which a side, or both, protects its records itself (tls/established.h), and
 * records that no engine would send. */
#ifndef YETT_TESTS_TLS_TRIMMED_H
#define YETT_TESTS_TLS_TRIMMED_H

#include "tls_fixture.h"

#include "tls/record.h"

enum test_trim { TEST_TRIM_SERVER = 1, TEST_TRIM_CLIENT = 2, TEST_TRIM_BOTH = 3 };

void test_connect_pair(struct test_pair *p, const struct test_fixture *f, const char *cache_key);
void test_connect_trimmed(struct test_pair *p, const struct test_fixture *f, enum test_trim which);

/* Whoever reads dry can be trimmed. */
void test_drain(struct tls_engine *e);
void test_trim(struct test_pair *p, enum test_trim which);

void test_send_both_ways(struct test_pair *p, size_t size);

/* A record of the client's, which was trimmed, made by its own direction. With type 0 the record's true type, and its
 * padding, are the end of the data; one more byte of padding follows. */
void test_inject(struct test_pair *p, enum tls_content_type type, const void *data, size_t size);

/* KeyUpdates that ask for none, each with the keys that follow from it. */
void test_inject_key_updates(struct test_pair *p, int count);

/* The server, which was trimmed, reads on, and fails; the client hears of it. `alert` -1: none was sent. The pair is
 * cleared. */
void test_expect_failure(struct test_pair *p, const char *name, int alert);

#endif
