/* tests/unit/tls/tls_certs.h: a small authority in memory, for tests of tls/. NSS must run. */
#ifndef YETT_TESTS_TLS_CERTS_H
#define YETT_TESTS_TLS_CERTS_H

#include "base/span.h"
#include "pkix/store.h"
#include "tls/identity.h"

#include <certt.h>
#include <keythi.h>

enum test_key { TEST_KEY_P256, TEST_KEY_P384, TEST_KEY_RSA, TEST_KEY_RSA_PSS, TEST_KEY_RSA_1024 };
enum test_use { TEST_USE_SERVER, TEST_USE_CLIENT };
enum test_issuer { TEST_ISSUER_ROOT, TEST_ISSUER_INTERMEDIATE, TEST_ISSUER_OTHER /* trusted by nobody */ };

/* A leaf. All zero: P-256, for a server, from the root, valid now. */
struct test_leaf {
    const char *subject;  /* "CN=..."; NULL: "CN=leaf" */
    const char *names[4]; /* DNS names; "ip:1.2.3.4" for an address; the first may be NULL */
    enum test_key key;
    enum test_use use;
    enum test_issuer issuer;
    int days_from, days_to; /* both 0: yesterday to a year from now */
    bool has_policy;        /* 2.23.140.1.1 */
};

struct test_certs;

struct test_certs *test_certs_create(void);
void test_certs_destroy(struct test_certs **certs); /* removes the files */

/* A PEM file with the leaf, the intermediate if that issued it, and the key. The path lives with `certs`. */
const char *test_certs_leaf(struct test_certs *certs, const struct test_leaf *leaf);

/* As test_certs_leaf(), opened. Stops the test when it cannot be. */
struct tls_identity *test_certs_identity(struct test_certs *certs, const struct test_leaf *leaf);

/* A file with the certificates of one leaf and the key of another. */
const char *test_certs_mismatch(struct test_certs *certs);

/* A file with these PEM texts. */
const char *test_certs_file(struct test_certs *certs, const char *text);

/* A certificate as the leaf says for a key that is elsewhere; the reference is the caller's. */
CERTCertificate *test_certs_for_key(struct test_certs *certs, const struct test_leaf *leaf, SECKEYPublicKey *key);

struct span test_certs_root(const struct test_certs *certs);
struct span test_certs_intermediate(const struct test_certs *certs);

/* A certificate with the intermediate's subject and key identifier, newer, for another key, by the authority that
 * nobody trusts. As long as the reference, which is the caller's, is held, NSS finds it by the intermediate's name. */
CERTCertificate *test_certs_forge(struct test_certs *certs);
/* An authority of this name that issued nothing. */
CERTCertificate *test_certs_stranger(struct test_certs *certs, const char *subject);
/* A file with a leaf, this certificate as if it had issued it, and the key. */
const char *test_certs_leaf_below(struct test_certs *certs, const struct test_leaf *leaf, const CERTCertificate *above);

/* A store that trusts the root. */
struct pkix_store *test_certs_store(const struct test_certs *certs);

#endif
