/* see base/pem.h. What the files of each kind take is in tests/integration/test_files.py. */
#include "base/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct base_pem_file for_all = {
    .take = BASE_PEM_CERTIFICATE | BASE_PEM_CRL | BASE_PEM_KEY, .pass = BASE_PEM_PARAMETERS, .what = "test data"};

/* "LINE:LABEL=HEX " of each block */
static bool note_block(void *ctx, const struct base_pem_block *block, char **error)
{
    char **all = ctx, *longer = base_printf("%s%u:%.*s=", *all, block->line, (int)block->label.size,
                                            (const char *)block->label.data);

    (void)error;
    for (size_t i = 0; i <= block->der.size; i++) {
        char *next =
            i < block->der.size ? base_printf("%s%02x", longer, block->der.data[i]) : base_printf("%s ", longer);

        free(longer);
        longer = next;
    }
    free(*all);
    *all = longer;
    return true;
}

#define CERT "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"
#define CRL  "-----BEGIN X509 CRL-----\nBAUG\n-----END X509 CRL-----\n"

static void each_reads_what_people_write(void **state)
{
    static const char *const table[][2] = {
        {CERT, "1:CERTIFICATE=010203 "},
        {CERT CRL, "1:CERTIFICATE=010203 4:X509 CRL=040506 "},
        {"\xef\xbb\xbf" CRL CERT, "1:X509 CRL=040506 4:CERTIFICATE=010203 "},
        {"text\nSubject: CN=x\n" CERT "between\n\n" CRL "after", "3:CERTIFICATE=010203 8:X509 CRL=040506 "},
        {"-----BEGIN CRL-----\r\nAQ\r\n\r\nID\r\n-----END CRL-----\r\n", "1:CRL=010203 "},
        {"-----BEGIN CRL-----\rAQ\r\rID\r-----END CRL-----\r", "1:CRL=010203 "},
        {"  -----BEGIN CRL----- \t\n\tAQID \n    -----END CRL-----", "1:CRL=010203 "},
        {"-----BEGIN EC PARAMETERS-----\nAQID\n-----END EC PARAMETERS-----\n" CERT, "4:CERTIFICATE=010203 "},
        {"-----BEGIN EC PARAMETERS-----\n!\n-----END EC PARAMETERS-----\n" CERT, "4:CERTIFICATE=010203 "},
        {"--- BEGIN of mine ---\n" CERT "-- the END\nBEGIN\n", "2:CERTIFICATE=010203 "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *got = base_strdup(""), *error = NULL;
        size_t count, want = 0;

        for (const char *c = table[i][1]; *c != '\0'; c++)
            want += *c == '=';
        if (!base_pem_each(span_of_string(table[i][0]), "f", &for_all, note_block, &got, &count, &error))
            fail_msg("row %zu: %s", i, error);
        assert_string_equal(got, table[i][1]);
        assert_int_equal(count, want);
        free(got);
    }
}

static void each_tells_what_is_wrong_with_its_line(void **state)
{
    static const struct {
        const char *text, *want;
    } table[] = {
        {"", "f: has no PEM block (\"-----BEGIN ...-----\") in it; it should have test data"},
        {"hello\n", "f: has no PEM block"},
        {"\xef\xbb\xbf", "f: has no PEM block"},
        {"-----BEGIN EC PARAMETERS-----\nAQID\n-----END EC PARAMETERS-----\n", "f: none of its PEM blocks"},
        /* what stands beside a boundary */
        {CERT "x-----BEGIN X509 CRL-----\nBAUG\n-----END X509 CRL-----\n", "f:4: the line has a BEGIN or END"},
        {CERT "-----BEGIN X509 CRL-----x\nBAUG\n-----END X509 CRL-----\n", "f:4: the line has a BEGIN or END"},
        {CERT "# -----BEGIN X509 CRL-----\n", "f:4: the line has a BEGIN or END"},
        {CERT "\xef\xbb\xbf" CRL, "f:4: the line has a BEGIN or END"}, /* two files put together */
        {CERT "-----BEGIN X509 CRL----\nBAUG\n", "f:4: the line has a BEGIN or END"},
        {CERT "----BEGIN X509 CRL-----\nBAUG\n", "f:4: the line has a BEGIN or END"},
        {CERT "------BEGIN X509 CRL-----\nBAUG\n", "f:4: the line has a BEGIN or END"},
        {CERT "-----BEGIN X509 CRL------\nBAUG\n", "f:4: the line has a BEGIN or END"},
        {CERT "----- BEGIN X509 CRL -----\nBAUG\n", "f:4: the line has a BEGIN or END"},
        {CERT "-----BEGIN-----\n", "f:4: the line has a BEGIN or END"},
        {CERT "-----BEGIN -----\n", "f:4: the line has a BEGIN or END"},
        {"-----BEGIN CRL-----\nAQID\n-----END CRL----- x\n", "f:3: the line has a BEGIN or END"},
        {"-----BEGIN CRL-----\nAQID-----END CRL-----\n", "f:2: the line has a BEGIN or END"},
        /* what does not begin or end */
        {CERT "AQID\n-----END CERTIFICATE-----\n", "f:5: a block ends here that has not begun"},
        {"-----BEGIN CRL-----\nAQID\n", "f:1: the block \"CRL\" has no END line"},
        {"-----BEGIN CRL-----\nAQID\n" CERT, "f:1: the block \"CRL\" has no END line: another"},
        {CERT "-----BEGIN CRL-----\nAQID\n-----END X509 CRL-----\n", "f:4: the block \"CRL\" has the END line"},
        {"-----BEGIN CRL-----\n-----END CRL-----\n", "f:1: the block \"CRL\" is not base64"},
        {"-----BEGIN CRL-----\n!!!!\n-----END CRL-----\n", "f:1: the block \"CRL\" is not base64"},
        {"-----BEGIN CRL-----\nA: b\n\nAQID\n-----END CRL-----\n", "f:1: the block \"CRL\" has a line with a colon"},
        /* what the file is not for */
        {CERT "-----BEGIN CERTIFICATE REQUEST-----\nAQID\n-----END CERTIFICATE REQUEST-----\n",
         "f:4: the block \"CERTIFICATE REQUEST\" has no place here: it is a certificate request, and the file is for test data"},
        {"-----BEGIN X-----\nAQID\n-----END X-----\n",
         "f:1: the block \"X\" has no place here: the file is for test data"},
        {"-----BEGIN certificate-----\nAQID\n-----END certificate-----\n",
         "f:1: the block \"certificate\" has no place"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----\n",
         "f:1: the block \"ENCRYPTED PRIVATE KEY\" has no place here: the key is encrypted"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----\n",
         "f:1: the block \"RSA PRIVATE KEY\" has headers, as only encrypted keys have"},
        {"-----BEGIN TRUSTED CERTIFICATE-----\nAQID\n-----END TRUSTED CERTIFICATE-----\n", "trust settings of OpenSSL"},
        /* what is no text */
        {"\xff\xfe-", "f: is UTF-16"},
        {"\xfe\xff-", "f: is UTF-16"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *got = base_strdup(""), *error = NULL;

        if (base_pem_each(span_of_string(table[i].text), "f", &for_all, note_block, &got, NULL, &error))
            fail_msg("row %zu: taken", i);
        if (strncmp(error, table[i].want, strlen(table[i].want)) != 0 &&
            (strncmp(table[i].want, "f:", 2) == 0 || strstr(error, table[i].want) == NULL))
            fail_msg("row %zu: %s", i, error);
        free(error);
        free(got);
    }
}

static void each_refuses_bytes(void **state)
{
    static const struct {
        struct span text;
        const char *want;
    } table[] = {
        {{(const uint8_t *)"a\nb\0" CERT, 5 + sizeof(CERT)}, "f:2: has a NUL"},
        {{(const uint8_t *)"\x30\x03\x02\x01\x00", 5}, "f: is DER or PKCS#12"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *got = base_strdup(""), *error = NULL;

        assert_false(base_pem_each(table[i].text, "f", &for_all, note_block, &got, NULL, &error));
        if (strncmp(error, table[i].want, strlen(table[i].want)) != 0)
            fail_msg("row %zu: %s", i, error);
        free(error);
        free(got);
    }
}

static bool stop(void *ctx, const struct base_pem_block *block, char **error)
{
    *(size_t *)ctx = block->number;
    *error = base_strdup("enough");
    return block->number < 2;
}

static void each_stops_when_told(void **state)
{
    char *error = NULL;
    size_t seen = 0;

    (void)state;
    assert_false(base_pem_each(span_of_string(CERT), "f", &for_all, stop, &seen, NULL, &error) && error == NULL);
    free(error);
    assert_int_equal(seen, 1);
}

static void blocks_of_passed_kinds_alone_may_be_enough(void **state)
{
    struct base_pem_file file = {BASE_PEM_CRL, BASE_PEM_CERTIFICATE, "CRLs", false};
    char *got = base_strdup(""), *error = NULL;

    (void)state;
    assert_false(base_pem_each(span_of_string(CERT), "f", &file, note_block, &got, NULL, &error));
    free(error);
    error = NULL;
    file.may_have_none = true;
    assert_true(base_pem_each(span_of_string(CERT), "f", &file, note_block, &got, NULL, &error));
    assert_false(base_pem_each(span_of_string("text\n"), "f", &file, note_block, &got, NULL, &error));
    free(error);
    free(got);
}

static void label_that_is_too_long_is_no_boundary(void **state)
{
    static const struct base_pem_file file = {.what = "nothing"};

    (void)state;
    for (size_t size = BASE_PEM_LABEL_MAX; size <= BASE_PEM_LABEL_MAX + 1; size++) {
        char name[BASE_PEM_LABEL_MAX + 2] = "", *block, *error = NULL;

        memset(name, 'x', size);
        block = base_pem_encode(name, span_of("\1", 1));
        assert_false(base_pem_each(span_of_string(block), "f", &file, note_block, NULL, NULL, &error));
        assert_non_null(strstr(error, size == BASE_PEM_LABEL_MAX ? "has no place here" : "no proper one"));
        free(error);
        free(block);
    }
}

static void decode_takes_base64_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } table[] = {
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"}, /* RFC 4648 section 10 */
        {"Zm9vYmE=", "fooba"},
        {" Z\tm\r\n9v\n", "foo"},
        {"Zm9v\nYmFy\n", "foobar"},
        {"", NULL},
        {"\n", NULL},
        {"Zg=", NULL},
        {"Zg", NULL},
        {"Zm9", NULL},
        {"=", NULL},
        {"Z===", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Zg==\nZm9v", NULL},
        {"Zg=v", NULL},
        {"Zm9v!", NULL},
        {"Zm9v\\", NULL},
        {"Zm-_", NULL},
        {"Zm9vZg===", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        uint8_t *data;
        size_t size;
        bool good = base_pem_decode(span_of_string(table[i].text), &data, &size);

        if (good != (table[i].want != NULL) ||
            (good && !span_equal(span_of(data, size), span_of_string(table[i].want))))
            fail_msg("row %zu: %s", i, good ? "taken" : "refused");
        assert_true(good || data == NULL);
        free(data);
    }
    assert_false(base_pem_decode(span_of("Zm\0v", 4), &(uint8_t *){NULL}, &(size_t){0}));
}

static bool compare_block(void *ctx, const struct base_pem_block *block, char **error)
{
    (void)error;
    return span_equal(block->der, *(const struct span *)ctx);
}

static void encode_and_each_agree(void **state)
{
    uint8_t bytes[300];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 41);
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        char *block = base_pem_encode("CRL", span_of(bytes, size)), *error = NULL;
        struct span want = span_of(bytes, size);
        size_t count;

        for (char *line = block, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
            assert_true(end - line <= 64 && end != line);
        assert_true(base_pem_each(span_of_string(block), "f", &for_all, compare_block, &want, &count, &error));
        assert_int_equal(count, 1);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reads_what_people_write),
        cmocka_unit_test(each_tells_what_is_wrong_with_its_line),
        cmocka_unit_test(each_refuses_bytes),
        cmocka_unit_test(each_stops_when_told),
        cmocka_unit_test(blocks_of_passed_kinds_alone_may_be_enough),
        cmocka_unit_test(label_that_is_too_long_is_no_boundary),
        cmocka_unit_test(decode_takes_base64_and_nothing_else),
        cmocka_unit_test(encode_and_each_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
