/* The DER reader, dates, and the list of errors: pkix/der.h, pkix/error.h. */
#include "pkix/der.h"

#include <setjmp.h>
#include <cmocka.h>

#define DER(bytes) der_over(span_of((bytes), sizeof(bytes) - 1), DER_SMALL)

static void read_any_refuses_what_is_not_der(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum pkix_error want;
    } table[] = {
        {"\x04\x00", 2, PKIX_OK},
        {"\x04\x01x", 3, PKIX_OK},
        {"", 0, PKIX_BAD_DER},
        {"\x04", 1, PKIX_BAD_DER},
        {"\x04\x02x", 3, PKIX_BAD_DER},
        {"\x1f\x01x", 3, PKIX_BAD_DER},             /* long tag */
        {"\x30\x80\x00\x00", 4, PKIX_BAD_DER},      /* indefinite */
        {"\x04\x81\x01x", 4, PKIX_BAD_DER},         /* short form would do */
        {"\x04\x82\x00\x80", 4, PKIX_BAD_DER},      /* one byte would do */
        {"\x04\x83\x00\x00\x01x", 6, PKIX_BAD_DER}, /* too long a length */
        {"\x04\x81", 2, PKIX_BAD_DER},
        {"\x04\xff", 2, PKIX_BAD_DER},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct der d = der_over(span_of(table[i].bytes, table[i].size), DER_SMALL);

        if (der_read_any(&d, NULL, NULL, NULL) != table[i].want)
            fail_msg("row %u", i);
    }
}

static void large_lengths_are_read_only_when_asked_for(void **state)
{
    static uint8_t bytes[5 + 65536] = {0x04, 0x83, 0x01, 0x00, 0x00};
    struct der d = der_over(span_of(bytes, sizeof(bytes)), DER_SMALL);

    (void)state;
    assert_int_equal(der_read_any(&d, NULL, NULL, NULL), PKIX_BAD_DER);
    d = der_over(span_of(bytes, sizeof(bytes)), DER_LARGE);
    assert_int_equal(der_read_any(&d, NULL, NULL, NULL), PKIX_OK);
    assert_true(der_at_end(&d));
}

static void integers_are_minimal(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum pkix_error any, positive;
    } table[] = {
        {"\x02\x01\x00", 3, PKIX_OK, PKIX_BAD_INTEGER},
        {"\x02\x01\x7f", 3, PKIX_OK, PKIX_OK},
        {"\x02\x01\x80", 3, PKIX_OK, PKIX_BAD_INTEGER},
        {"\x02\x02\x00\x80", 4, PKIX_OK, PKIX_OK},
        {"\x02\x02\x00\x7f", 4, PKIX_BAD_INTEGER, PKIX_BAD_INTEGER},
        {"\x02\x02\xff\x80", 4, PKIX_BAD_INTEGER, PKIX_BAD_INTEGER},
        {"\x02\x00", 2, PKIX_BAD_DER, PKIX_BAD_DER},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct der d = der_over(span_of(table[i].bytes, table[i].size), DER_SMALL), again = d;
        struct span value;

        if (der_read_integer(&d, &value) != table[i].any ||
            der_read_positive_integer(&again, &value) != table[i].positive)
            fail_msg("row %u", i);
    }
}

static void booleans_small_integers_and_bit_strings(void **state)
{
    struct der d;
    struct span value;
    bool flag;
    unsigned number;

    (void)state;
    d = DER("\x01\x01\xff");
    assert_int_equal(der_read_optional_boolean(&d, &flag), PKIX_OK);
    assert_true(flag);
    d = DER("\x01\x01\x00");
    assert_int_equal(der_read_optional_boolean(&d, &flag), PKIX_OK);
    assert_false(flag);
    d = DER("\x01\x01\x01");
    assert_int_equal(der_read_optional_boolean(&d, &flag), PKIX_BAD_DER);
    d = DER("\x04\x00");
    assert_int_equal(der_read_optional_boolean(&d, &flag), PKIX_OK);
    assert_false(flag);
    d = DER("\x02\x01\x7f");
    assert_int_equal(der_read_small(&d, ASN1_INTEGER, &number), PKIX_OK);
    assert_int_equal(number, 127);
    d = DER("\x02\x01\x80");
    assert_int_equal(der_read_small(&d, ASN1_INTEGER, &number), PKIX_BAD_DER);
    d = DER("\x02\x02\x00\x80");
    assert_int_equal(der_read_small(&d, ASN1_INTEGER, &number), PKIX_BAD_DER);
    d = DER("\x03\x02\x00x");
    assert_int_equal(der_read_bit_string(&d, &value), PKIX_OK);
    assert_int_equal(value.size, 1);
    d = DER("\x03\x02\x01x");
    assert_int_equal(der_read_bit_string(&d, &value), PKIX_BAD_DER);
    d = DER("\x03\x00");
    assert_int_equal(der_read_bit_string(&d, &value), PKIX_BAD_DER);
}

static void read_time_table(void **state)
{
    static const struct {
        unsigned tag;
        const char *text;
        int64_t want; /* -1: refused */
    } table[] = {
        {ASN1_UTC_TIME, "700101000000Z", 0},
        {ASN1_UTC_TIME, "260101000000Z", 1767225600},
        {ASN1_UTC_TIME, "491231235959Z", 2524607999},
        {ASN1_UTC_TIME, "500101000000Z", -1}, /* 1950 */
        {ASN1_UTC_TIME, "000229000000Z", 951782400},
        {ASN1_UTC_TIME, "230229000000Z", -1},
        {ASN1_UTC_TIME, "2601010000Z", -1},   /* no seconds */
        {ASN1_UTC_TIME, "260101000060Z", -1}, /* leap second */
        {ASN1_UTC_TIME, "260101240000Z", -1},
        {ASN1_UTC_TIME, "261301000000Z", -1},
        {ASN1_UTC_TIME, "260100000000Z", -1},
        {ASN1_UTC_TIME, "260101000000+0000", -1},
        {ASN1_UTC_TIME, "26010100000aZ", -1},
        {ASN1_GENERALIZED_TIME, "20260101000000Z", 1767225600},
        {ASN1_GENERALIZED_TIME, "20491231235959Z", 2524607999},
        {ASN1_GENERALIZED_TIME, "99991231235959Z", 253402300799},
        {ASN1_GENERALIZED_TIME, "19691231235959Z", -1},
        {ASN1_GENERALIZED_TIME, "20260101000000.5Z", -1},
        {ASN1_GENERALIZED_TIME, "21000229000000Z", -1},
        {ASN1_GENERALIZED_TIME, "24000229000000Z", 13574563200},
        {ASN1_OCTET_STRING, "20260101000000Z", -1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        uint8_t bytes[64] = {(uint8_t)table[i].tag, (uint8_t)strlen(table[i].text)};
        struct der d = der_over(span_of(bytes, 2 + strlen(table[i].text)), DER_SMALL);
        int64_t seconds = -1;

        memcpy(bytes + 2, table[i].text, strlen(table[i].text));
        if (der_read_time(&d, &seconds) != (table[i].want < 0 ? PKIX_BAD_TIME : PKIX_OK) ||
            (table[i].want >= 0 && seconds != table[i].want))
            fail_msg("%s: %lld", table[i].text, (long long)seconds);
    }
}

static void dates_go_there_and_back(void **state)
{
    (void)state;
    for (int64_t seconds = 0; seconds < 253402300799; seconds += 86400 * 13 + 4711) {
        struct der_date date;
        int64_t back = -1;

        der_date_of_seconds(seconds, &date);
        assert_true(der_date_to_seconds(&date, &back));
        assert_int_equal(back, seconds);
    }
}

static void every_error_has_its_own_name_a_sentence_and_an_nss_code(void **state)
{
    (void)state;
    assert_string_equal(pkix_error_name(PKIX_OK), "ok");
    assert_int_equal(pkix_error_nss(PKIX_OK), 0);
    for (unsigned i = 1; i < PKIX_ERROR_COUNT; i++) {
        const char *name = pkix_error_name((enum pkix_error)i), *sentence = pkix_error_sentence((enum pkix_error)i);

        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(name));
        assert_true(pkix_error_nss((enum pkix_error)i) != 0);
        assert_true(strlen(sentence) > 10 && sentence[strlen(sentence) - 1] != '.');
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(name, pkix_error_name((enum pkix_error)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_any_refuses_what_is_not_der),
        cmocka_unit_test(large_lengths_are_read_only_when_asked_for),
        cmocka_unit_test(integers_are_minimal),
        cmocka_unit_test(booleans_small_integers_and_bit_strings),
        cmocka_unit_test(read_time_table),
        cmocka_unit_test(dates_go_there_and_back),
        cmocka_unit_test(every_error_has_its_own_name_a_sentence_and_an_nss_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
