/* Keys, requests and certificates on a SoftHSM token; NSS judges what was made. */
#include "support.h"
#include "base/nss_scope.h"

#include <nss.h>
#include <keyhi.h>
#include <secasn1.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct test_store store;
static struct tokens_module *module;
static struct tokens_pin *pin;

static int setup(void **state)
{
    (void)state;
    test_store_create(&store);
    module = test_module_load();
    pin = test_pin(TEST_PIN);
    test_token_create(module, "manage");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tokens_pin_destroy(&pin);
    tokens_module_unload(&module);
    test_store_destroy(&store);
    return 0;
}

/* "URI FLAG FLAG\n OBJECT\n" */
static void take_listed(void *ctx, const struct tokens_listed *token)
{
    FILE *out = ctx;

    fprintf(out, "%s", token->uri);
    for (size_t i = 0; i < token->flags.count; i++)
        fprintf(out, " %s", token->flags.names[i]);
    fputc('\n', out);
    for (size_t i = 0; i < token->object_count; i++)
        fprintf(out, " %s\n", token->objects[i]);
}

static char *list(void)
{
    char *text = NULL, *error = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_true(tokens_list(module, take_listed, out, &error));
    fclose(out);
    return text;
}

static void expect_in(const char *text, const char *want)
{
    if (strstr(text, want) == NULL)
        fail_msg("got \"%s\", want \"%s\" in it", text, want);
}

/* The request is signed by the key in it. */
static void verify_request(const uint8_t *der, size_t size)
{
    SCOPED_ARENA arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
    SCOPED_PUBLIC_KEY key = NULL;
    CERTSignedData signed_data;
    CERTCertificateRequest request;
    SECItem item = {siBuffer, (unsigned char *)(uintptr_t)der, (unsigned)size};

    memset(&signed_data, 0, sizeof(signed_data));
    memset(&request, 0, sizeof(request));
    assert_int_equal(SEC_ASN1DecodeItem(arena, &signed_data, SEC_ASN1_GET(CERT_SignedDataTemplate), &item), SECSuccess);
    assert_int_equal(
        SEC_ASN1DecodeItem(arena, &request, SEC_ASN1_GET(CERT_CertificateRequestTemplate), &signed_data.data),
        SECSuccess);
    key = SECKEY_ExtractPublicKey(&request.subjectPublicKeyInfo);
    assert_non_null(key);
    assert_int_equal(CERT_VerifySignedDataWithPublicKey(&signed_data, key, NULL), SECSuccess);
}

static void keygen_request_and_import_work_for_each_type(void **state)
{
    static const struct {
        enum tokens_key_type type;
        const char *label;
    } table[] = {
        {TOKENS_KEY_RSA_2048, "rsa2048"},
        {TOKENS_KEY_P256, "p256"},
        {TOKENS_KEY_P384, "p384"},
        {TOKENS_KEY_P521, "p521"},
    };
    static const char *const sans[] = {"dns:mail.example.org", "email:a@example.org", "ip:192.0.2.1", "ip:2001:db8::1",
                                       "uri:https://example.org/"};
    NSSInitContext *nss = NSS_InitContext("", "", "", "", NULL,
                                          NSS_INIT_READONLY | NSS_INIT_NOCERTDB | NSS_INIT_NOMODDB |
                                              NSS_INIT_FORCEOPEN | NSS_INIT_NOROOTINIT);

    (void)state;
    assert_non_null(nss);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *uri = NULL, *error = NULL, *where = base_printf("pkcs11:token=manage;object=%s", table[i].label);
        uint8_t *der = NULL;
        size_t size = 0;

        if (!tokens_keygen(module, where, table[i].type, TOKENS_LABEL_ONCE, pin, &uri, &error))
            fail_msg("%s", error);
        expect_in(uri, "type=private");
        expect_in(uri, "id=%");
        expect_in(uri, table[i].label);
        if (!tokens_request(module, uri, "CN=Alice,O=Example", sans, ARRAY_LEN(sans), pin, &der, &size, &error))
            fail_msg("%s", error);
        verify_request(der, size);
        free(der);
        free(uri);
        free(where);
    }
    assert_int_equal(NSS_ShutdownContext(nss), SECSuccess);
}

/* NSS is started for the command when nobody else has, and is gone afterwards. */
static void keygen_starts_nss_by_itself(void **state)
{
    char *uri = NULL, *error = NULL;

    (void)state;
    assert_false(NSS_IsInitialized());
    assert_true(tokens_keygen(module, "pkcs11:token=manage;object=alone", TOKENS_KEY_P256, TOKENS_LABEL_ONCE, pin, &uri,
                              &error));
    assert_false(NSS_IsInitialized());
    free(uri);
}

static size_t count_in(const char *text, const char *what)
{
    size_t count = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static void import_gives_the_certificate_the_id_of_its_key_once(void **state)
{
    char *key_uri = NULL, *first = NULL, *again = NULL, *error = NULL, *text, *id;
    uint8_t *request;
    size_t size;
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    assert_true(tokens_keygen(module, "pkcs11:token=manage;object=imp", TOKENS_KEY_P256, TOKENS_LABEL_ONCE, pin,
                              &key_uri, &error));
    assert_true(tokens_request(module, key_uri, "CN=a", NULL, 0, pin, &request, &size, &error));
    test_cert_write(&out, test_request_spki(span_of(request, size)), "imp", "TestCA", 3, "450101000000Z");
    assert_true(tokens_import_certificate(module, "pkcs11:token=manage", buffer_span(&out), pin, &first, &error));
    expect_in(first, "type=cert");
    expect_in(first, "object=imp");
    id = base_strdup(strstr(key_uri, ";id="));
    *strstr(id, ";object=") = '\0';
    expect_in(first, id);
    /* A second time changes nothing. */
    assert_true(tokens_import_certificate(module, "pkcs11:token=manage", buffer_span(&out), pin, &again, &error));
    assert_string_equal(first, again);
    text = list();
    assert_int_equal(count_in(text, "object=imp;type=cert"), 1);
    buffer_release(&out);
    free(text);
    free(id);
    free(request);
    free(key_uri);
    free(first);
    free(again);
}

static void import_refuses_what_belongs_to_no_key(void **state)
{
    char *uri = NULL, *error = NULL;
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    test_cert_write(&out, span_of("\x30\x00", 2), "stranger", "TestCA", 3, "450101000000Z");
    assert_false(tokens_import_certificate(module, "pkcs11:token=manage", buffer_span(&out), pin, &uri, &error));
    expect_in(error, "no private key");
    free(error);
    assert_false(tokens_import_certificate(module, "pkcs11:token=manage", span_of("junk", 4), pin, &uri, &error));
    expect_in(error, "not a certificate");
    free(error);
    buffer_release(&out);
}

static void errors_name_what_is_the_matter(void **state)
{
    struct tokens_pin *wrong = test_pin("0000");
    char *uri = NULL, *error = NULL;
    uint8_t *der;
    size_t size;

    (void)state;
    assert_false(
        tokens_keygen(module, "pkcs11:token=nowhere;object=x", TOKENS_KEY_P256, TOKENS_LABEL_ONCE, pin, &uri, &error));
    expect_in(error, "token=manage");
    free(error);
    assert_false(
        tokens_keygen(module, "pkcs11:token=manage;object=x", TOKENS_KEY_P256, TOKENS_LABEL_ONCE, wrong, &uri, &error));
    expect_in(error, "CKR_PIN_INCORRECT");
    free(error);
    assert_false(tokens_request(module, "pkcs11:token=manage;type=private", "CN=a", NULL, 0, pin, &der, &size, &error));
    expect_in(error, "private keys match");
    free(error);
    assert_false(
        tokens_request(module, "pkcs11:token=manage;object=alone", "no name", NULL, 0, pin, &der, &size, &error));
    expect_in(error, "not a subject");
    free(error);
    {
        static const char *const bad[] = {"host.example.org"};

        assert_false(
            tokens_request(module, "pkcs11:token=manage;object=alone", "CN=a", bad, 1, pin, &der, &size, &error));
        expect_in(error, "dns:HOST");
        free(error);
    }
    assert_null(tokens_module_load("/nonexistent.so", &error));
    expect_in(error, "/nonexistent.so");
    free(error);
    tokens_pin_destroy(&wrong);
}

static void set_pin_changes_it_and_says_why_not(void **state)
{
    struct tokens_pin *other = test_pin("567890"), *shorter = test_pin("12");
    char *error = NULL;

    (void)state;
    assert_true(tokens_set_pin(module, "pkcs11:token=manage", pin, other, &error));
    assert_false(tokens_set_pin(module, "pkcs11:token=manage", pin, other, &error));
    expect_in(error, "CKR_PIN_INCORRECT");
    free(error);
    assert_false(tokens_set_pin(module, "pkcs11:token=manage", other, shorter, &error));
    expect_in(error, "CKR_PIN_LEN_RANGE");
    free(error);
    assert_true(tokens_set_pin(module, "pkcs11:token=manage", other, pin, &error));
    tokens_pin_destroy(&other);
    tokens_pin_destroy(&shorter);
}

static void list_gives_tokens_and_objects_as_uris(void **state)
{
    char *text = list();

    (void)state;
    expect_in(text, "token=manage login-required");
    expect_in(text, "\n pkcs11:");
    free(text);
}

struct told {
    unsigned modules, tokens;
    bool signs;
};

static void take_module(void *ctx, const struct tokens_module_info *info)
{
    struct told *told = ctx;

    assert_int_equal(told->tokens, 0);
    told->modules++;
    assert_true(info->tells);
    expect_in(info->manufacturer, "SoftHSM");
    expect_in(info->cryptoki_version, ".");
}

static void take_token(void *ctx, const struct tokens_token_info *token)
{
    struct told *told = ctx;

    told->tokens++;
    assert_string_equal(token->label, "manage");
    expect_in(token->uri, "token=manage");
    assert_true(token->pin_length_min > 0 && token->pin_length_min < token->pin_length_max);
    assert_string_equal(token->login, "not logged in");
    for (size_t i = 0; i < token->mechanism_count; i++)
        if (strcmp(token->mechanisms[i].name, "CKM_ECDSA") == 0)
            for (size_t k = 0; k < token->mechanisms[i].flags.count; k++)
                told->signs = told->signs || strcmp(token->mechanisms[i].flags.names[k], "sign") == 0;
}

static void info_gives_the_module_first_and_then_each_token(void **state)
{
    struct told told = {.signs = false};
    const struct tokens_info_taker taker = {.ctx = &told, .module = take_module, .token = take_token};
    char *error = NULL;

    (void)state;
    assert_true(tokens_info(module, "pkcs11:token=manage", &taker, &error));
    assert_int_equal(told.modules, 1);
    assert_int_equal(told.tokens, 1);
    assert_true(told.signs);
    told = (struct told){.signs = false};
    assert_false(tokens_info(module, "pkcs11:token=nobody", &taker, &error));
    expect_in(error, "no token matches pkcs11:token=nobody");
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keygen_request_and_import_work_for_each_type),
        cmocka_unit_test(keygen_starts_nss_by_itself),
        cmocka_unit_test(import_gives_the_certificate_the_id_of_its_key_once),
        cmocka_unit_test(import_refuses_what_belongs_to_no_key),
        cmocka_unit_test(set_pin_changes_it_and_says_why_not),
        cmocka_unit_test(errors_name_what_is_the_matter),
        cmocka_unit_test(list_gives_tokens_and_objects_as_uris),
        cmocka_unit_test(info_gives_the_module_first_and_then_each_token),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
