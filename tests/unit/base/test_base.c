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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quote_escapes_what_could_forge_a_log_line),
        cmocka_unit_test(quote_clips_long_text_and_never_overruns),
        cmocka_unit_test(equal_constant_time_compares_every_byte),
        cmocka_unit_test(span_equal_nocase_folds_ascii_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
