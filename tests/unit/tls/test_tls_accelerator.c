/* tls/accelerator.c: what is loaded, what is refused, and where keys go. That engines do with it what they do without
 * is tested by running their tests again (CMakeLists.txt). */
#include "tls/accelerator.h"
#include "base/nss_scope.h"
#include "pkix/nss_crypto.h"
#include "pkix/nss_keys.h"
#include "tls/key_der.h"
#include "tls/record.h"
#include "tls/record_slot.h"
#include "tls/runtime_internal.h"
#include "tls_certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sslproto.h>
#include <cmocka.h>

static void start(const char *path)
{
    char *error = NULL;

    if (!tls_runtime_start(&(struct tls_runtime_options){.accelerator = path}, &error))
        fail_msg("%s", error);
}

static void stop(void)
{
    char *error = NULL;

    if (!tls_runtime_stop(&error))
        fail_msg("%s", error);
}

/* NSS asks it first for what it has, and its own token for the rest; and it goes with NSS, more than once. */
static void it_is_asked_first(void **state)
{
    static const CK_MECHANISM_TYPE first[] = {CKM_EC_KEY_PAIR_GEN, CKM_ECDH1_DERIVE, CKM_ECDSA, CKM_SHA256, CKM_SHA384};
    static const CK_MECHANISM_TYPE others[] = {CKM_AES_CBC, CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_TLS12_MASTER_KEY_DERIVE_DH};

    (void)state;
    for (int round = 0; round < 2; round++) {
        start(TEST_ACCELERATOR);
        assert_string_equal(tls_accelerator_path(), TEST_ACCELERATOR);
        for (size_t i = 0; i < ARRAY_LEN(first); i++) {
            SCOPED_SLOT slot = PK11_GetBestSlot(first[i], NULL);

            assert_ptr_equal(slot, tls_accelerator_slot());
        }
        for (size_t i = 0; i < ARRAY_LEN(others); i++) {
            SCOPED_SLOT slot = PK11_GetBestSlot(others[i], NULL);

            assert_non_null(slot);
            assert_true(PK11_IsInternal(slot));
        }
        stop();
    }
}

/* Of TLS 1.2 all that follows the key exchange: where one of them is missing libssl moves the secret to its own token,
 * and tls/master_secret.c does not find it. */
static void tls12_stays_in_it(void **state)
{
    static const CK_MECHANISM_TYPE all[] = {CKM_TLS12_MASTER_KEY_DERIVE_DH, CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH,
                                            CKM_TLS12_KEY_AND_MAC_DERIVE, CKM_TLS_MAC, CKM_AES_GCM};

    (void)state;
    start(TEST_ACCELERATOR);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        assert_true(PK11_DoesMechanism(tls_accelerator_slot(), all[i]));
    stop();
}

static void without_one_there_is_none(void **state)
{
    (void)state;
    start(NULL);
    assert_null(tls_accelerator_path());
    assert_null(tls_accelerator_slot());
    stop();
}

/* A file that is not there, one that is no module, and a module that computes nothing. */
static void what_is_none_is_refused(void **state)
{
    static const char *const paths[] = {"/nonexistent/\"accelerator\".so", "/etc/passwd", TEST_SHIM};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char *error = NULL;

        assert_false(tls_runtime_start(&(struct tls_runtime_options){.accelerator = paths[i]}, &error));
        assert_non_null(strstr(error, paths[i]));
        free(error);
    }
    without_one_there_is_none(NULL); /* nothing of it is left */
}

/* Keys of files go into it, RSA and EC, and cannot be read from there. */
static void keys_go_into_it(void **state)
{
    uint8_t *der = NULL;
    size_t size = 0;
    char *error = NULL;
    struct span keys[2];

    (void)state;
    start(NULL);
    assert_true(tls_ticket_key_generate(&der, &size, &error));
    stop();
    assert_true(tls_key_der_split(span_of(der, size), &keys[0], &keys[1]));
    start(TEST_ACCELERATOR);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        SCOPED_PRIVATE_KEY key = NULL;
        SCOPED_ITEM exported = NULL;

        assert_true(tls_private_key_import(keys[i], NULL, &key, &error));
        assert_ptr_equal(key->pkcs11Slot, tls_accelerator_slot());
        exported = PK11_ExportDERPrivateKeyInfo(key, NULL);
        assert_null(exported);
    }
    stop();
    base_wipe(der, size);
    free(der);
}

/* The authority's key, as pkix/ keeps it after a good signature, is the accelerator's, and serves again from there. */
static void signatures_are_checked_in_it(void **state)
{
    struct pkix_nss_keys *keys = pkix_nss_keys_create();
    struct test_certs *certs;
    struct pkix_cert root, intermediate;
    uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE];
    struct pkix_nss_key kept;

    (void)state;
    start(TEST_ACCELERATOR);
    certs = test_certs_create();
    assert_int_equal(pkix_cert_read(test_certs_root(certs), &root), PKIX_OK);
    assert_int_equal(pkix_cert_read(test_certs_intermediate(certs), &intermediate), PKIX_OK);
    assert_true(pkix_nss_digest(PKIX_SHA256, root.spki, digest));
    assert_false(pkix_nss_keys_take(keys, digest, &kept));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(pkix_nss_verify(&intermediate.outer, root.spki, keys), PKIX_OK);
        assert_true(pkix_nss_keys_take(keys, digest, &kept));
        assert_ptr_equal(kept.key->pkcs11Slot, tls_accelerator_slot());
        pkix_nss_keys_give_back(keys, &kept);
    }
    intermediate.outer.data.size--;
    assert_int_equal(pkix_nss_verify(&intermediate.outer, root.spki, keys), PKIX_BAD_SIGNATURE);
    pkix_nss_keys_destroy(&keys);
    test_certs_destroy(&certs);
    stop();
}

/* A record that one of the two tokens seals the other opens, whatever was measured here. */
static void records_are_the_same_in_both(void **state)
{
    static const unsigned suites[] = {TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256};
    static const CK_MECHANISM_TYPE mechanisms[] = {CKM_AES_GCM, CKM_CHACHA20_POLY1305};
    uint8_t bytes[32] = {7}, opened[64];
    SECItem item = {.type = siBuffer, .data = bytes, .len = sizeof(bytes)};

    (void)state;
    start(TEST_ACCELERATOR);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(suites); i++) {
        enum tls_record_token sealing = i < ARRAY_LEN(suites) ? TLS_RECORD_TOKEN_NSS : TLS_RECORD_TOKEN_ACCELERATOR;
        CK_MECHANISM_TYPE mechanism = mechanisms[i % ARRAY_LEN(suites)];
        const struct tls_record_suite *suite = tls_record_suite_find(0x0304, suites[i % ARRAY_LEN(suites)]);
        SCOPED_SLOT internal = PK11_GetInternalSlot();
        SCOPED_SLOT measured = tls_record_slot(mechanism);
        SCOPED_SLOT slot = NULL;
        PK11SymKey *secret = PK11_ImportSymKey(internal, CKM_HKDF_DERIVE, PK11_OriginUnwrap, CKA_DERIVE, &item, NULL);
        struct tls_record_direction write, read;
        struct buffer record;
        size_t size;
        unsigned type;

        assert_true(measured == internal || measured == tls_accelerator_slot());
        assert_true(tls_record_direction_init(&write, suite, TLS_RECORD_SEAL, secret, 0));
        assert_true(tls_record_direction_init(&read, suite, TLS_RECORD_OPEN, secret, 0));
        buffer_init(&record, 1024);
        tls_record_slot_set(mechanism, sealing);
        slot = tls_record_slot(mechanism);
        assert_ptr_equal(slot, sealing == TLS_RECORD_TOKEN_NSS ? internal : tls_accelerator_slot());
        assert_true(tls_record_seal(&write, TLS_CONTENT_DATA, span_of_string("text"), &record));
        tls_record_slot_set(mechanism,
                            sealing == TLS_RECORD_TOKEN_NSS ? TLS_RECORD_TOKEN_ACCELERATOR : TLS_RECORD_TOKEN_NSS);
        assert_true(tls_record_open(&read, buffer_span(&record), opened, &size, &type));
        assert_int_equal(type, TLS_CONTENT_DATA);
        assert_true(span_equal(span_of(opened, size), span_of_string("text")));
        buffer_release(&record);
        tls_record_direction_clear(&write);
        tls_record_direction_clear(&read);
        PK11_FreeSymKey(secret);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_asked_first),
        cmocka_unit_test(tls12_stays_in_it),
        cmocka_unit_test(without_one_there_is_none),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(keys_go_into_it),
        cmocka_unit_test(signatures_are_checked_in_it),
        cmocka_unit_test(records_are_the_same_in_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
