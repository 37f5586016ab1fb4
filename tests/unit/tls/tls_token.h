/* tests/unit/tls/tls_token.h: a token of SoftHSM's that NSS sees, with keys that sign and do nothing else. */
#ifndef YETT_TESTS_TLS_TOKEN_H
#define YETT_TESTS_TLS_TOKEN_H

#include "tls_certs.h"

#include <pk11pub.h>
#include <secmod.h>

struct test_token {
    char directory[32];
    SECMODModule *module;
    PK11SlotInfo *slot;
};

/* Before NSS starts. `settings`: further lines of softhsm2.conf. */
void test_token_create(struct test_token *token, const char *settings);
/* While NSS runs. */
void test_token_open(struct test_token *token);
void test_token_close(struct test_token *token);

/* A key pair on the token that may only sign. */
SECKEYPrivateKey *test_token_key(struct test_token *token, enum test_key type, SECKEYPublicKey **public_key);

#endif
