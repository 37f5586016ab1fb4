/* tls/record.c: records in a stream. That they are protected as NSS does it is seen in test_established.c. */
#include "tls/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <sslproto.h>

static void record_reader_in_pieces(void **state)
{
    static const uint8_t stream[] = {23, 3, 3, 0, 2, 1, 2, 22, 3, 3, 0, 0, 21, 3, 3, 1, 0};
    (void)state;

    for (size_t piece = 1; piece <= sizeof(stream); piece++) {
        struct tls_record_reader reader = {.header_size = 0};
        unsigned types[4], count = 0;

        for (size_t at = 0; at < sizeof(stream); at += piece) {
            struct span bytes = span_of(stream + at, piece < sizeof(stream) - at ? piece : sizeof(stream) - at);

            while (tls_record_reader_next(&reader, &bytes)) {
                assert_true(count < ARRAY_LEN(types));
                types[count++] = reader.header[0];
            }
            assert_int_equal(bytes.size, 0);
        }
        assert_int_equal(count, 3);
        assert_int_equal(types[0], 23);
        assert_int_equal(types[1], 22);
        assert_int_equal(types[2], 21);
        assert_int_equal(reader.body_left, 256);
        assert_false(tls_record_reader_at_boundary(&reader));
    }
}

static void record_suites(void **state)
{
    static const uint16_t suites[] = {TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(suites); i++)
        assert_non_null(tls_record_suite_find(0x0304, suites[i]));
    assert_null(tls_record_suite_find(0x0304, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256));
    assert_non_null(tls_record_suite_find(0x0303, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256));
    assert_null(tls_record_suite_find(0x0303, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_reader_in_pieces),
        cmocka_unit_test(record_suites),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
