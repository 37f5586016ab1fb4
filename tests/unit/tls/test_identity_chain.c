/* tls/identity_chain.c: the chain of an identity in the database is looked for in the database, by signature, and not
 * among what peers have shown. */
#include "database_folder.h"
#include "tls_certs.h"

#include "base/nss_scope.h"
#include "tls/manage/database.h"
#include "tls/identity_internal.h"
#include "tls/pem.h"
#include "tls/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int start(void **state)
{
    int failed = database_folder_start(state);

    *state = failed ? NULL : test_certs_create();
    return failed;
}

static int stop(void **state)
{
    struct test_certs *certs = *state;

    test_certs_destroy(&certs);
    return database_folder_stop(state);
}

static void import(struct span der, char sha256[65])
{
    char *error = NULL;
    unsigned added;

    if (!tls_database_import_cert(der, sha256, &added, &error))
        fail_msg("%s", error);
}

static struct span span_of_cert(const CERTCertificate *cert)
{
    return span_of(cert->derCert.data, cert->derCert.len);
}

/* A leaf and its key, as identity. */
static struct tls_identity *open_leaf(struct test_certs *certs, enum test_issuer issuer)
{
    const struct test_leaf leaf = {.use = TEST_USE_CLIENT, .issuer = issuer};
    struct tls_identity *identity = NULL;
    struct tls_pem pem;
    unsigned added;
    char sha256[65], *error = NULL;

    if (!tls_pem_read_file(test_certs_leaf(certs, &leaf), &tls_pem_identity, BASE_FILE_ANY, &pem, &error))
        fail_msg("%s", error);
    import(span_of(pem.blocks[0].der, pem.blocks[0].size), sha256);
    if (!tls_database_import_key("PRIVATE KEY", span_of(pem.blocks[pem.count - 1].der, pem.blocks[pem.count - 1].size),
                                 sha256, &added, &error) ||
        !tls_identity_open(TLS_IDENTITY_DATABASE, sha256, &identity, &error))
        fail_msg("%s", error);
    tls_pem_clear(&pem);
    return identity;
}

/* The tests go on where the one before ended: the database fills up. */
static void issuer_that_is_not_in_the_database(void **state)
{
    struct test_certs *certs = *state;
    SCOPED_CERT forged = test_certs_forge(certs);
    struct tls_identity *identity = open_leaf(certs, TEST_ISSUER_INTERMEDIATE);

    assert_int_equal(identity->chain_length, 0); /* neither the one in memory that is right, nor the other */
    tls_identity_destroy(&identity);
}

static void issuer_by_signature(void **state)
{
    struct test_certs *certs = *state;
    SCOPED_CERT forged = test_certs_forge(certs);
    struct tls_identity *identity;
    char sha256[65];

    import(span_of_cert(forged), sha256); /* newer, of the same name and key identifier */
    identity = open_leaf(certs, TEST_ISSUER_INTERMEDIATE);
    assert_int_equal(identity->chain_length, 0);
    tls_identity_destroy(&identity);
    import(test_certs_intermediate(certs), sha256);
    identity = open_leaf(certs, TEST_ISSUER_INTERMEDIATE);
    assert_int_equal(identity->chain_length, 1);
    assert_true(span_equal(tls_identity_above(identity, 0), test_certs_intermediate(certs)));
    tls_identity_destroy(&identity);
}

static void root_is_left_out(void **state)
{
    struct test_certs *certs = *state;
    struct tls_identity *identity;
    char sha256[65];

    import(test_certs_root(certs), sha256);
    identity = open_leaf(certs, TEST_ISSUER_INTERMEDIATE);
    assert_int_equal(identity->chain_length, 1);
    tls_identity_destroy(&identity);
    identity = open_leaf(certs, TEST_ISSUER_ROOT);
    assert_int_equal(identity->chain_length, 0);
    tls_identity_destroy(&identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issuer_that_is_not_in_the_database),
        cmocka_unit_test(issuer_by_signature),
        cmocka_unit_test(root_is_left_out),
    };

    return cmocka_run_group_tests_name("tls identity chain", tests, start, stop);
}
