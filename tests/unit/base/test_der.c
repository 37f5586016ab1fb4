/* Elements read and written: base/der_read.h, base/der_write.h. */
#include "base/der_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void take_is_as_strict_as_it_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool small, large, loose;
        size_t contents, rest;
    } table[] = {
        {"\x02\x01\x05", 3, true, true, true, 1, 0},
        {"\x02\x01\x05\xff", 4, true, true, true, 1, 1},
        {"\x05\x00", 2, true, true, true, 0, 0},
        {"\x04\x81\x02xy", 5, false, false, true, 2, 0}, /* two bytes need no long form */
        {"\x04\x82\x00\x02xy", 6, false, false, true, 2, 0},
        {"\x04\x83\x00\x00\x01x", 6, false, false, true, 1, 0},
        {"\x04\x84\x00\x00\x00\x01x", 7, false, false, true, 1, 0},
        {"\x02", 1, false, false, false, 0, 0},
        {"\x02\x02\x05", 3, false, false, false, 0, 0},
        {"\x04\x80", 2, false, false, false, 0, 0}, /* indefinite */
        {"\x04\x80\x00\x00", 4, false, false, false, 0, 0},
        {"\x04\x82\x01", 3, false, false, false, 0, 0},
        {"\x04\x85\x00\x00\x00\x00\x00", 7, false, false, false, 0, 0},
        {"\x04\x84\xff\xff\xff\xff", 6, false, false, false, 0, 0},
        {"\x1f\x81\x00\x00", 4, false, false, false, 0, 0}, /* a tag of more than one byte */
        {"", 0, false, false, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const bool want[] = {[DER_SMALL] = table[i].small, [DER_LARGE] = table[i].large, [DER_LOOSE] = table[i].loose};

        for (size_t size = 0; size < ARRAY_LEN(want); size++) {
            struct der d = der_over(span_of(table[i].bytes, table[i].size), (enum der_size)size);
            struct span contents, whole;
            unsigned tag;

            if (der_take(&d, &tag, &contents, &whole) != want[size])
                fail_msg("row %zu, size %zu", i, size);
            if (!want[size])
                continue;
            assert_int_equal(tag, (uint8_t)table[i].bytes[0]);
            assert_int_equal(contents.size, table[i].contents);
            assert_int_equal(d.end - d.next, (ptrdiff_t)table[i].rest);
            assert_int_equal(whole.size + table[i].rest, table[i].size);
        }
    }
}

/* Lengths of two octets and no more where small is asked for. */
static void take_has_a_largest_length(void **state)
{
    static const size_t sizes[] = {DER_SMALL_SIZE_MAX, DER_SMALL_SIZE_MAX + 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *zeros = base_alloc(sizes[i]);
        struct buffer out;
        struct span contents;

        buffer_init(&out, 0x20000);
        der_write(&out, ASN1_OCTET_STRING, span_of(zeros, sizes[i]));
        for (int size = DER_SMALL; size <= DER_LOOSE; size++) {
            struct der d = der_over(buffer_span(&out), (enum der_size)size);

            assert_int_equal(der_take(&d, NULL, &contents, NULL), size != DER_SMALL || sizes[i] <= DER_SMALL_SIZE_MAX);
        }
        buffer_release(&out);
        free(zeros);
    }
}

static void end_writes_each_form_of_length(void **state)
{
    static const size_t sizes[] = {0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0xffffff, 0x1000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *bytes = base_alloc(sizes[i] + 1);
        struct buffer out;
        struct span contents;
        struct der d;

        memset(bytes, 0x5a, sizes[i]);
        buffer_init(&out, 0x2000000);
        der_write_raw(&out, span_of("before", 6));
        der_write(&out, ASN1_OCTET_STRING, span_of(bytes, sizes[i]));
        d = der_over(span_skip(buffer_span(&out), 6), DER_LARGE); /* the shortest form, or it is none */
        assert_true(der_take(&d, NULL, &contents, NULL));
        assert_true(der_at_end(&d));
        assert_true(span_equal(contents, span_of(bytes, sizes[i])));
        buffer_release(&out);
        free(bytes);
    }
}

static void end_nests(void **state)
{
    static const char want[] = "\x30\x09\xa1\x05\x03\x03\x00pq\x05\x00";
    struct buffer out;
    size_t outer, inner;

    (void)state;
    buffer_init(&out, 64);
    outer = der_write_begin(&out);
    inner = der_write_begin(&out);
    der_write_bit_string(&out, span_of("pq", 2));
    der_write_end(&out, inner, ASN1_CONTEXT_CONSTRUCTED | 1);
    der_write(&out, ASN1_NULL, span_of(NULL, 0));
    der_write_end(&out, outer, ASN1_SEQUENCE);
    assert_true(span_equal(buffer_span(&out), span_of(want, sizeof(want) - 1)));
    buffer_release(&out);
}

static void unsigned_keeps_numbers_positive_and_short(void **state)
{
    static const struct {
        const char *in;
        size_t in_size;
        const char *want;
        size_t want_size;
    } table[] = {
        {"\x01", 1, "\x02\x01\x01", 3}, {"\x80", 1, "\x02\x02\x00\x80", 4}, {"\x00\x00\x7f", 3, "\x02\x01\x7f", 3},
        {"\x00", 1, "\x02\x01\x00", 3}, {"", 0, "\x02\x01\x00", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct buffer out;

        buffer_init(&out, 64);
        der_write_unsigned(&out, span_of(table[i].in, table[i].in_size));
        assert_true(span_equal(buffer_span(&out), span_of(table[i].want, table[i].want_size)));
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_is_as_strict_as_it_is_told),
        cmocka_unit_test(take_has_a_largest_length),
        cmocka_unit_test(end_writes_each_form_of_length),
        cmocka_unit_test(end_nests),
        cmocka_unit_test(unsigned_keeps_numbers_positive_and_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
