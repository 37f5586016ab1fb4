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
    assert_true(tls_pem_parse(span_of_string(text), "t", &pem, &error));
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

static void parse_refuses_what_is_no_pem(void **state)
{
    static const struct {
        const char *text;
        const char *want; /* part of the sentence */
    } cases[] = {
        {"", "no PEM block"},
        {"hello\n", "no PEM block"},
        {"-----BEGIN X-----\nAQID\n", "has no end"},
        {"-----BEGIN X-----\nAQID\n-----END Y-----\n", "ends as something else"},
        {"-----BEGIN X-----\n!!!!\n-----END X-----\n", "not base64"},
        {"-----BEGIN X-----\n-----END X-----\n", "not base64"},
        {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END RSA PRIVATE KEY-----\n", "headers"},
        {"-----BEGIN A-----\nAQID\n-----END A-----\n-----BEGIN B-----\n", "has no end"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_pem pem;
        char *error = NULL;

        assert_false(tls_pem_parse(span_of_string(cases[i].text), "the-name", &pem, &error));
        assert_non_null(strstr(error, cases[i].want));
        assert_non_null(strstr(error, "the-name"));
        assert_null(pem.blocks);
        free(error);
    }
}

static void encode_and_parse_agree(void **state)
{
    uint8_t bytes[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        char *text = tls_pem_encode("CERTIFICATE", span_of(bytes, size)), *error = NULL;
        struct tls_pem pem;

        for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
            assert_true(end - line <= 64);
        assert_true(tls_pem_parse(span_of_string(text), "t", &pem, &error));
        assert_int_equal(pem.count, 1);
        assert_int_equal(pem.blocks[0].size, size);
        assert_memory_equal(pem.blocks[0].der, bytes, size);
        tls_pem_clear(&pem);
        free(text);
    }
}

static void write_file_keeps_keys_to_the_owner(void **state)
{
    char *path = path_of("key"), *error = NULL;
    struct stat info;

    (void)state;
    umask(0);
    assert_true(tls_pem_write_file(path, TLS_PEM_SECRET, "secret\n", &error));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);

    /* Never over a file that is there. */
    assert_false(tls_pem_write_file(path, TLS_PEM_SECRET, "other\n", &error));
    assert_non_null(strstr(error, "never written over"));
    free(error);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 7);
    unlink(path);
    free(path);
}

static void write_file_replaces_public_files(void **state)
{
    char *path = path_of("cert"), *error = NULL;
    uint8_t *data;
    size_t size;

    (void)state;
    assert_true(tls_pem_write_file(path, TLS_PEM_PUBLIC, "first, longer\n", &error));
    assert_true(tls_pem_write_file(path, TLS_PEM_PUBLIC, "second\n", &error));
    assert_true(tls_file_read(path, 100, &data, &size, &error));
    assert_string_equal((char *)data, "second\n");
    free(data);
    assert_false(tls_file_read(path, 3, &data, &size, &error));
    assert_non_null(strstr(error, "larger than 3 bytes"));
    free(error);
    unlink(path);
    free(path);

    assert_true(tls_pem_write_file("/dev/null", TLS_PEM_PUBLIC, "x", &error));
    assert_false(tls_pem_write_file("/nonexistent/x", TLS_PEM_PUBLIC, "x", &error));
    assert_non_null(strstr(error, "/nonexistent/x: cannot be created"));
    free(error);
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
        cmocka_unit_test(parse_reads_blocks_in_order),      cmocka_unit_test(parse_refuses_what_is_no_pem),
        cmocka_unit_test(encode_and_parse_agree),           cmocka_unit_test(write_file_keeps_keys_to_the_owner),
        cmocka_unit_test(write_file_replaces_public_files),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
