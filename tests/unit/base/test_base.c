#include "base/base.h"
#include "base/span.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void quote_escapes_what_could_forge_a_log_line(void **state)
{
    char out[BASE_QUOTE_SIZE];

    (void)state;
    assert_string_equal(base_quote("a\r\nb\"\\\x7f\xff", 8, out, sizeof(out)), "\"a\\x0d\\x0ab\\x22\\x5c\\x7f\\xff\"");
    assert_string_equal(base_quote("", 0, out, sizeof(out)), "\"\"");
}

static void quote_clips_long_text_and_never_overruns(void **state)
{
    char text[1000];
    char out[BASE_QUOTE_SIZE];

    (void)state;
    memset(text, '\n', sizeof(text));
    for (size_t size = 8; size <= sizeof(out); size++) {
        base_quote(text, sizeof(text), out, size);
        assert_true(strlen(out) < size);
        assert_int_equal(out[strlen(out) - 1], '"');
    }
    memset(text, 'x', sizeof(text));
    base_quote(text, sizeof(text), out, sizeof(out));
    assert_int_equal(strlen(out), BASE_QUOTE_MAX + 5);
}

static void equal_constant_time_compares_every_byte(void **state)
{
    (void)state;
    assert_true(base_equal_constant_time("abc", "abc", 3));
    assert_false(base_equal_constant_time("abc", "abd", 3));
    assert_false(base_equal_constant_time("xbc", "abc", 3));
    assert_true(base_equal_constant_time("", "", 0));
}

static void span_equal_nocase_folds_ascii_only(void **state)
{
    (void)state;
    assert_true(span_equal_nocase(span_of_string("StartTLS"), span_of_string("STARTTLS")));
    assert_false(span_equal_nocase(span_of("\xe4", 1), span_of("\xc4", 1)));
    assert_false(span_equal_nocase(span_of_string("[`"), span_of_string("{@")));
    assert_true(span_starts_with_nocase(span_of_string("ehlo x"), "EHLO"));
    assert_false(span_starts_with_nocase(span_of_string("ehl"), "EHLO"));
}

static void clean_utf8_has_no_controls(void **state)
{
    static const char *const clean[] = {
        "", "Alice", "J\xc3\xbcrgen", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x94\x91", "\xc2\xa0"};
    static const char *const dirty[] = {
        "a\r\nb",           "a\nb",     "\t",           "\x7f",         "\xc2\x85",  "\xe2\x80\xa8", /* U+2028 */
        "\xc0\x80",         "\xc1\xbf", "\xe0\x80\x8a", "\xed\xa0\x80", /* overlong, surrogate */
        "\xf4\x90\x80\x80", "\xf8\x88", "\xff",         "\xc3",         "a\xe6\x97", "\x80",         "\xc3z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(clean); i++)
        assert_true(span_is_clean_utf8(span_of_string(clean[i])));
    for (size_t i = 0; i < ARRAY_LEN(dirty); i++)
        if (span_is_clean_utf8(span_of_string(dirty[i])))
            fail_msg("%zu is taken for clean", i);
    assert_false(span_is_clean_utf8(span_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quote_escapes_what_could_forge_a_log_line),
        cmocka_unit_test(quote_clips_long_text_and_never_overruns),
        cmocka_unit_test(equal_constant_time_compares_every_byte),
        cmocka_unit_test(span_equal_nocase_folds_ascii_only),
        cmocka_unit_test(clean_utf8_has_no_controls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
