#include "tokens/der.h"
#include "support.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void read_takes_one_element_or_nothing(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool want;
        size_t content, rest;
    } table[] = {
        {"\x02\x01\x05", 3, true, 1, 0},
        {"\x02\x01\x05\xff", 4, true, 1, 1},
        {"\x05\x00", 2, true, 0, 0},
        {"\x04\x81\x02xy", 5, true, 2, 0},
        {"\x04\x84\x00\x00\x00\x01x", 7, true, 1, 0},
        {"\x02", 1, false, 0, 0},
        {"\x02\x02\x05", 3, false, 0, 0},
        {"\x04\x80", 2, false, 0, 0}, /* indefinite */
        {"\x04\x85\x00\x00\x00\x00\x00", 7, false, 0, 0},
        {"\x04\x84\xff\xff\xff\xff", 6, false, 0, 0},
        {"\x1f\x81\x00\x00", 4, false, 0, 0}, /* long-form tag */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct span rest = span_of(table[i].bytes, table[i].size), content, whole;
        uint8_t tag;

        if (tokens_der_read(&rest, &tag, &content, &whole) != table[i].want)
            fail_msg("row %zu", i);
        if (!table[i].want) {
            assert_int_equal(rest.size, table[i].size);
            continue;
        }
        assert_int_equal(content.size, table[i].content);
        assert_int_equal(rest.size, table[i].rest);
        assert_int_equal(whole.size + rest.size, table[i].size);
    }
}

static void cert_read_finds_its_parts(void **state)
{
    struct tokens_der_cert cert;
    struct buffer spki, out;
    struct span parameters, bits, modulus, exponent;

    (void)state;
    buffer_init(&spki, 1024);
    buffer_init(&out, 4096);
    tokens_der_spki_rsa(&spki, span_of("\x00\xc1\x02\x03", 4), span_of("\x01\x00\x01", 3));
    test_cert_write(&out, buffer_span(&spki), "subject", "issuer", 7, "451231235959Z");
    assert_true(tokens_der_cert_read(buffer_span(&out), &cert));
    assert_true(span_equal(cert.serial, span_of("\x02\x01\x07", 3)));
    assert_true(span_equal(cert.spki, buffer_span(&spki)));
    assert_false(span_equal(cert.issuer, cert.subject));
    assert_string_equal(cert.not_after, "20451231235959Z");
    assert_true(tokens_der_spki_read(cert.spki, &parameters, &bits));
    assert_true(tokens_der_rsa_read(bits, &modulus, &exponent));
    assert_true(span_equal(modulus, span_of("\xc1\x02\x03", 3)));
    assert_true(span_equal(exponent, span_of("\x01\x00\x01", 3)));
    for (size_t size = 0; size < out.size; size++)
        assert_false(tokens_der_cert_read(span_of(buffer_span(&out).data, size), &cert));
    buffer_release(&spki);
    buffer_release(&out);
}

static void spki_ec_wants_an_octet_string(void **state)
{
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    struct span parameters, bits;
    struct buffer out;

    (void)state;
    buffer_init(&out, 1024);
    assert_false(tokens_der_spki_ec(&out, span_of(p256, sizeof(p256)), span_of("\x03\x01x", 3)));
    buffer_consume(&out, out.size);
    assert_true(tokens_der_spki_ec(&out, span_of(p256, sizeof(p256)), span_of("\x04\x03\x04xy", 5)));
    assert_true(tokens_der_spki_read(buffer_span(&out), &parameters, &bits));
    assert_true(span_equal(parameters, span_of(p256, sizeof(p256))));
    assert_true(span_equal(bits, span_of("\x04xy", 3)));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_takes_one_element_or_nothing),
        cmocka_unit_test(cert_read_finds_its_parts),
        cmocka_unit_test(spki_ec_wants_an_octet_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
