/* see tls/pem.h */
#include "tls/pem.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/yett-test-pem-XXXXXX";

static char *path_of(const char *name)
{
    return base_printf("%s/%s", dir, name);
}

static void parse_reads_blocks_in_order(void **state)
{
    static const char text[] = "Subject: CN=x\n"
                               "-----BEGIN CERTIFICATE-----\r\nAQID\r\n-----END CERTIFICATE-----\r\n"
                               "between\n"
                               "-----BEGIN PRIVATE KEY-----\nBA\nUG\nBw==\n-----END PRIVATE KEY-----";
    struct tls_pem pem;
    char *error = NULL;

    (void)state;
    assert_true(tls_pem_parse(span_of_string(text), &tls_pem_identity, "t", &pem, &error));
    assert_int_equal(pem.count, 2);
    assert_string_equal(pem.blocks[0].label, "CERTIFICATE");
    assert_int_equal(pem.blocks[0].size, 3);
    assert_memory_equal(pem.blocks[0].der, "\x01\x02\x03", 3);
    assert_string_equal(pem.blocks[1].label, "PRIVATE KEY");
    assert_int_equal(pem.blocks[1].size, 4);
    assert_memory_equal(pem.blocks[1].der, "\x04\x05\x06\x07", 4);
    tls_pem_clear(&pem);
    assert_int_equal(pem.count, 0);
}

static void parse_refuses_what_the_file_is_not_for(void **state)
{
    static const char crl[] = "-----BEGIN X509 CRL-----\nAQID\n-----END X509 CRL-----\n";
    struct tls_pem pem;
    char *error = NULL;

    (void)state;
    assert_false(tls_pem_parse(span_of_string(crl), &tls_pem_identity, "the-name", &pem, &error));
    assert_non_null(strstr(error, "the-name:1: "));
    assert_null(pem.blocks);
    free(error);
}

static void encode_and_parse_agree(void **state)
{
    uint8_t bytes[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        char *text = base_pem_encode("CERTIFICATE", span_of(bytes, size)), *error = NULL;
        struct tls_pem pem;

        for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
            assert_true(end - line <= 64);
        assert_true(tls_pem_parse(span_of_string(text), &tls_pem_identity, "t", &pem, &error));
        assert_int_equal(pem.count, 1);
        assert_int_equal(pem.blocks[0].size, size);
        assert_memory_equal(pem.blocks[0].der, bytes, size);
        tls_pem_clear(&pem);
        free(text);
    }
}

/* A key is a key where everybody may read it; a certificate is not. */
static void read_file_wants_keys_kept(void **state)
{
    static const char cert[] = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    static const char key[] = "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n";
    static const struct {
        bool has_key;
        mode_t mode;
        const char *want; /* NULL: taken */
    } table[] = {
        {true, 0600, NULL},
        {true, 0640, NULL},
        {true, 0400, NULL},
        {true, 0644, "everybody may read it"},
        {true, 0660, "others may write to it"},
        {true, 0602, "others may write to it"},
        {false, 0644, NULL},
        {false, 0664, NULL},
        {false, 0666, "everybody may write to it"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *path = path_of("file"), *text = base_printf("%s%s", cert, table[i].has_key ? key : ""), *error = NULL;
        char *mode = base_printf("mode %04o", (unsigned)table[i].mode);
        struct tls_pem pem;

        assert_true(base_file_write_secret(path, span_of_string(text), &error));
        assert_int_equal(chmod(path, table[i].mode), 0);
        if (tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_KEY, &pem, &error) != (table[i].want == NULL))
            fail_msg("row %zu: %s", i, error == NULL ? "taken" : error);
        if (error != NULL && (strstr(error, table[i].want) == NULL || strstr(error, mode) == NULL))
            fail_msg("row %zu: %s", i, error);
        tls_pem_clear(&pem);
        unlink(path);
        free(error);
        free(mode);
        free(text);
        free(path);
    }
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_reads_blocks_in_order),
        cmocka_unit_test(parse_refuses_what_the_file_is_not_for),
        cmocka_unit_test(encode_and_parse_agree),
        cmocka_unit_test(read_file_wants_keys_kept),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
