/* tls/identity.c, tls/identity_open.c, tls/key_der.c: what is an identity, and what is told of one that is not. */
#include "tls_pair.h"

#include "base/nss_scope.h"
#include "tls/identity_internal.h"
#include "tls/key_der.h"
#include "tls/limits.h"
#include "tls/pem.h"
#include "tls/runtime_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static int setup(void **state)
{
    test_tls_start(TEST_CACHE_NONE);
    *state = test_certs_create();
    return 0;
}

static int teardown(void **state)
{
    struct test_certs *certs = *state;

    test_certs_destroy(&certs);
    test_tls_stop();
    return 0;
}

static void open_describes(void **state)
{
    static const struct {
        struct test_leaf leaf;
        enum tls_key_slot slot;
        const char *in_description;
    } cases[] = {
        {{.key = TEST_KEY_P256, .names = {"A.Example.org", "*.example.org"}}, TLS_SLOT_P256, "P-256 key"},
        {{.key = TEST_KEY_P384}, TLS_SLOT_P384, "P-384 key"},
        {{.key = TEST_KEY_RSA}, TLS_SLOT_RSA, "RSA key"},
        {{.key = TEST_KEY_RSA_PSS}, TLS_SLOT_RSA_PSS, "RSA-PSS key"},
    };
    struct test_certs *certs = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_identity *identity = test_certs_identity(certs, &cases[i].leaf);

        assert_int_equal(identity->slot, cases[i].slot);
        assert_non_null(strstr(tls_identity_describe(identity), cases[i].in_description));
        assert_non_null(strstr(tls_identity_describe(identity), "CN=leaf"));
        assert_string_equal(tls_identity_warning(identity), "");
        assert_false(tls_identity_may_block(identity));
        assert_true(tls_identity_not_after(identity) > time(NULL) + 364 * 86400);
        assert_int_equal(tls_identity_leaf(identity).data[0], 0x30);
        assert_int_equal(identity->name_count, i == 0 ? 2 : 0);
        if (i == 0) {
            assert_string_equal(identity->names[0], "a.example.org");
            assert_string_equal(identity->names[1], "*.example.org");
        }
        tls_identity_destroy(&identity);
        assert_null(identity);
        tls_identity_destroy(&identity);
    }
}

static void open_reads_chain(void **state)
{
    struct test_certs *certs = *state;
    struct tls_identity *identity = test_certs_identity(certs, &(struct test_leaf){.issuer = TEST_ISSUER_INTERMEDIATE});

    assert_int_equal(identity->chain_length, 1);
    tls_identity_destroy(&identity);
}

static void fails(struct test_certs *certs, const char *path, const char *why)
{
    struct tls_identity *identity = NULL;
    char *error = NULL;

    (void)certs;
    assert_false(tls_identity_open(TLS_IDENTITY_FILE, path, &identity, &error));
    assert_null(identity);
    if (strstr(error, why) == NULL || strstr(error, path) == NULL)
        fail_msg("want \"%s\" in: %s", why, error);
    free(error);
}

/* The first PEM block of a file with this label, as text. */
static char *block_of(const char *path, const char *label)
{
    struct tls_pem pem;
    char *error = NULL, *text = NULL;

    assert_true(tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_KEY, &pem, &error));
    for (size_t i = 0; i < pem.count && text == NULL; i++)
        if (strcmp(pem.blocks[i].label, label) == 0)
            text = base_pem_encode(label, span_of(pem.blocks[i].der, pem.blocks[i].size));
    tls_pem_clear(&pem);
    assert_non_null(text);
    return text;
}

static void open_refuses(void **state)
{
    struct test_certs *certs = *state;
    const char *good = test_certs_leaf(certs, &(struct test_leaf){0});
    char *cert = block_of(good, "CERTIFICATE"), *key = block_of(good, "PRIVATE KEY");
    char *two_keys = base_printf("%s%s%s", cert, key, key);
    char *junk_cert = base_printf("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n%s", key);
    char *junk_key = base_printf("%s-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", cert);
    char *strange_key =
        base_printf("%s-----BEGIN DSA PRIVATE KEY-----\nMAMCAQA=\n-----END DSA PRIVATE KEY-----\n", cert);
    char *no_curve =
        base_printf("%s-----BEGIN EC PRIVATE KEY-----\nMAYCAQEEAQE=\n-----END EC PRIVATE KEY-----\n", cert);
    char *long_chain = base_printf("%s%s", cert, key);

    for (int i = 0; i < TLS_CHAIN_LENGTH_MAX + 1; i++) {
        char *longer = base_printf("%s%s", long_chain, cert);

        free(long_chain);
        long_chain = longer;
    }
    fails(certs, test_certs_file(certs, cert),
          "no private key: the certificate, those of its issuers and the key belong into this one file");
    fails(certs, test_certs_file(certs, key), "no certificate");
    fails(certs, test_certs_file(certs, two_keys), "more than one private key");
    fails(certs, test_certs_file(certs, junk_cert), "certificate cannot be decoded");
    fails(certs, test_certs_file(certs, junk_key), "not valid DER");
    fails(certs, test_certs_file(certs, strange_key), "has no place here: DSA is not for TLS");
    fails(certs, test_certs_file(certs, no_curve), "does not name its curve");
    fails(certs, test_certs_file(certs, long_chain), "more than 16 certificates");
    fails(certs, test_certs_file(certs, "nothing here\n"), "");
    fails(certs, test_certs_mismatch(certs), "do not belong together");
    fails(certs, test_certs_leaf(certs, &(struct test_leaf){.key = TEST_KEY_RSA_1024}), "1024 bits");
    fails(certs, "/nonexistent/identity.pem", "");
    free(cert);
    base_wipe_string(&key);
    base_wipe_string(&two_keys);
    base_wipe_string(&junk_cert);
    base_wipe_string(&junk_key);
    free(strange_key);
    free(no_curve);
    base_wipe_string(&long_chain);
}

/* Keys in their older forms, made from the PKCS#8 that NSS gives: the OCTET STRING within is just that. */
static struct span inner_key(struct span pkcs8)
{
    for (size_t at = 0; at + 4 < pkcs8.size; at++) {
        size_t header = pkcs8.data[at + 1] < 0x80 ? 2 : pkcs8.data[at + 1] == 0x81 ? 3 : 4;
        size_t size = header == 2   ? pkcs8.data[at + 1]
                      : header == 3 ? pkcs8.data[at + 2]
                                    : (size_t)pkcs8.data[at + 2] << 8 | pkcs8.data[at + 3];

        if (pkcs8.data[at] == 0x04 && at + header + size == pkcs8.size)
            return span_of(pkcs8.data + at + header, size);
    }
    fail_msg("no key in it");
    return pkcs8;
}

static char *older_form(const char *path, const char *label)
{
    struct tls_pem pem;
    char *error = NULL, *text = NULL;

    assert_true(tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_KEY, &pem, &error));
    for (size_t i = 0; i < pem.count; i++)
        if (strcmp(pem.blocks[i].label, "PRIVATE KEY") == 0)
            text = base_pem_encode(label, inner_key(span_of(pem.blocks[i].der, pem.blocks[i].size)));
    tls_pem_clear(&pem);
    assert_non_null(text);
    return text;
}

static void open_takes_pkcs1(void **state)
{
    struct test_certs *certs = *state;
    const char *path = test_certs_leaf(certs, &(struct test_leaf){.key = TEST_KEY_RSA});
    char *key = older_form(path, "RSA PRIVATE KEY"), *cert = block_of(path, "CERTIFICATE");
    char *all = base_printf("%s%s", key, cert); /* the key may come first */
    struct tls_identity *identity = NULL;
    char *error = NULL;

    if (!tls_identity_open(TLS_IDENTITY_FILE, test_certs_file(certs, all), &identity, &error))
        fail_msg("%s", error);
    assert_int_equal(identity->slot, TLS_SLOT_RSA);
    tls_identity_destroy(&identity);
    base_wipe_string(&key);
    base_wipe_string(&all);
    free(cert);
}

/* SEC 1 with the curve in it; the keys of this test have P-256. */
static void open_takes_sec1(void **state)
{
    static const uint8_t curve[] = {0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    struct test_certs *certs = *state;
    const char *path = test_certs_leaf(certs, &(struct test_leaf){0});
    char *text = older_form(path, "EC PRIVATE KEY"), *cert = block_of(path, "CERTIFICATE"), *all, *key;
    struct tls_identity *identity = NULL;
    struct tls_pem pem;
    char *error = NULL;
    uint8_t *der;
    size_t at;

    assert_true(tls_pem_parse(span_of_string(text), &tls_pem_keys, "key", &pem, &error));
    /* SEQUENCE { 1, OCTET STRING 32 bytes | [1] public key }: put the curve between. */
    at = 2 + 3 + 2 + 32;
    assert_int_equal(pem.blocks[0].der[at], 0xa1);
    assert_true(pem.blocks[0].der[1] < 0x80 - sizeof(curve));
    der = base_alloc(pem.blocks[0].size + sizeof(curve));
    memcpy(der, pem.blocks[0].der, at);
    memcpy(der + at, curve, sizeof(curve));
    memcpy(der + at + sizeof(curve), pem.blocks[0].der + at, pem.blocks[0].size - at);
    der[1] = (uint8_t)(der[1] + sizeof(curve));
    key = base_pem_encode("EC PRIVATE KEY", span_of(der, pem.blocks[0].size + sizeof(curve)));
    all = base_printf("%s%s", cert, key);
    if (!tls_identity_open(TLS_IDENTITY_FILE, test_certs_file(certs, all), &identity, &error))
        fail_msg("%s", error);
    assert_int_equal(identity->slot, TLS_SLOT_P256);
    tls_identity_destroy(&identity);
    tls_pem_clear(&pem);
    free(der);
    free(cert);
    base_wipe_string(&key);
    base_wipe_string(&text);
    base_wipe_string(&all);
}

/* One key in 256: its point begins 04 3F, as the DER of 63 bytes does, and is not cut short for it. */
static void a_point_that_looks_like_der_is_written_whole(void **state)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    static uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    SECItem parameters = {.data = p256, .len = sizeof(p256)};
    SECItem *point = NULL;
    SECKEYPrivateKey *key = NULL;
    SECKEYPublicKey *public_key = NULL;
    struct span written, whole;
    uint8_t *der;
    size_t size;

    (void)state;
    for (bool found = false; !found;) {
        SECKEY_DestroyPublicKey(public_key);
        SECKEY_DestroyPrivateKey(key);
        key = PK11_GenerateKeyPair(slot, CKM_EC_KEY_PAIR_GEN, &parameters, &public_key, PR_FALSE, PR_FALSE, NULL);
        assert_non_null(key);
        point = &public_key->u.ec.publicValue;
        found = point->data[1] == point->len - 2;
    }
    assert_true(tls_private_key_export(key, public_key, &der, &size));
    written = span_of(der, size);
    whole = span_of(point->data, point->len); /* the last of the encoding */
    assert_true(written.size > whole.size);
    assert_true(span_equal(span_of(written.data + written.size - whole.size, whole.size), whole));
    base_wipe(der, size);
    free(der);
    SECKEY_DestroyPublicKey(public_key);
    SECKEY_DestroyPrivateKey(key);
}

static void open_database_misses(void **state)
{
    static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    struct tls_identity *identity = NULL;
    char *error = NULL;

    (void)state;
    assert_false(tls_identity_open(TLS_IDENTITY_DATABASE, hex, &identity, &error));
    assert_non_null(strstr(error, hex));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_describes),
        cmocka_unit_test(open_reads_chain),
        cmocka_unit_test(open_refuses),
        cmocka_unit_test(open_takes_pkcs1),
        cmocka_unit_test(open_takes_sec1),
        cmocka_unit_test(open_database_misses),
        cmocka_unit_test(a_point_that_looks_like_der_is_written_whole),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
