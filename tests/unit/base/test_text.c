/* see base/text.h */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void next_knows_every_end_of_a_line(void **state)
{
    static const struct {
        const char *text, *want; /* each line followed by | */
    } table[] = {
        {"", ""},
        {"\n", "|"},
        {"a", "a|"},
        {"a\n", "a|"},
        {"a\nb", "a|b|"},
        {"a\r\nb\r\n", "a|b|"},
        {"a\rb\r", "a|b|"},
        {"a\r\rb", "a||b|"},
        {"a\n\rb", "a||b|"},
        {"a\n\nb", "a||b|"},
        {" a \t\n", " a \t|"},
        {"\xef\xbb\xbf", ""},
        {"\xef\xbb\xbf"
         "a\n",
         "a|"},
        {"\xef\xbb\xbf\xef\xbb\xbf"
         "a",
         "\xef\xbb\xbf"
         "a|"}, /* one is passed over */
        {"a\n\xef\xbb\xbf"
         "b",
         "a|\xef\xbb\xbf"
         "b|"},
        {"\xef\xbb", "\xef\xbb|"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct base_text text = base_text_of(span_of_string(table[i].text));
        char *got = base_strdup("");
        unsigned lines = 0;
        struct span line;

        while (base_text_next(&text, &line)) {
            char *longer = base_printf("%s%.*s|", got, (int)line.size, (const char *)line.data);

            free(got);
            got = longer;
            assert_int_equal(text.line, ++lines);
        }
        assert_string_equal(got, table[i].want);
        assert_int_equal(text.rest.size, 0);
        free(got);
    }
}

static void problem_knows_what_is_no_text(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *want; /* NULL: none */
        unsigned line;
    } table[] = {
        {"", 0, NULL, 0},
        {"a\n\x80\x01", 4, NULL, 0},
        {"a\r\nb\0c\n", 7, "NUL", 2},
        {"\0", 1, "NUL", 1},
        {"\xff\xfe"
         "a\0",
         4, "UTF-16", 0},
        {"\xfe\xff\0a", 4, "UTF-16", 0},
        {"\xef\xbb\xbf"
         "a",
         4, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        unsigned line = 99;
        const char *got = base_text_problem(span_of(table[i].text, table[i].size), &line);

        if ((got == NULL) != (table[i].want == NULL) || (got != NULL && strstr(got, table[i].want) == NULL) ||
            line != table[i].line)
            fail_msg("row %zu: line %u: %s", i, line, got == NULL ? "none" : got);
    }
}

static void trim_takes_blanks_off(void **state)
{
    static const char *const table[][2] = {{"", ""}, {" \t ", ""}, {"a", "a"}, {"\t a b ", "a b"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        assert_true(span_equal(base_text_trim(span_of_string(table[i][0])), span_of_string(table[i][1])));
}

static void word_takes_one_after_the_other(void **state)
{
    static const struct {
        const char *line, *want; /* each word followed by | */
    } table[] = {
        {"", ""},
        {" \t ", ""},
        {"a", "a|"},
        {"  a", "a|"},
        {"a\tb c ", "a|b|c|"},
        {"\t\ta  b", "a|b|"},
        {"a#b -- \"c d\"", "a#b|--|\"c|d\"|"}, /* a blank is all that ends a word */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct span line = span_of_string(table[i].line);
        char *got = base_strdup("");

        for (struct span word = base_text_word(&line); word.size != 0; word = base_text_word(&line)) {
            char *longer = base_printf("%s%.*s|", got, (int)word.size, (const char *)word.data);

            free(got);
            got = longer;
        }
        assert_string_equal(got, table[i].want);
        assert_int_equal(line.size, 0);
        free(got);
    }
}

static void word_leaves_the_rest_without_its_blanks(void **state)
{
    struct span line = span_of_string(" first  the rest of it ");

    (void)state;
    assert_true(span_equal(base_text_word(&line), span_of_string("first")));
    assert_true(span_equal(line, span_of_string("the rest of it")));
}

static void hex_digit_knows_sixteen_in_both_cases(void **state)
{
    static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";

    (void)state;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(base_text_hex_digit((uint8_t)digits[i]), i);
        assert_int_equal(base_text_hex_digit((uint8_t)capitals[i]), i);
    }
    for (int c = 0; c < 256; c++)
        if (c == 0 || strchr("0123456789abcdefABCDEF", c) == NULL)
            assert_int_equal(base_text_hex_digit((uint8_t)c), -1);
}

static void time_and_day_are_of_utc(void **state)
{
    static const struct {
        int64_t seconds;
        const char *time, *day;
    } table[] = {
        {0, "1970-01-01T00:00:00Z", "1970-01-01"},
        {-1, "1969-12-31T23:59:59Z", "1969-12-31"},
        {951782400, "2000-02-29T00:00:00Z", "2000-02-29"},
        {1769860799, "2026-01-31T11:59:59Z", "2026-01-31"},
        {253402300799, "9999-12-31T23:59:59Z", "9999-12-31"},
        {INT64_MAX, "9223372036854775807", "9223372036854775807"},
    };
    char out[BASE_TEXT_TIME_SIZE];

    (void)state;
    setenv("TZ", "Asia/Tokyo", 1);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_string_equal(base_text_time(table[i].seconds, out), table[i].time);
        assert_string_equal(base_text_day(table[i].seconds, out), table[i].day);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_takes_one_after_the_other),
        cmocka_unit_test(word_leaves_the_rest_without_its_blanks),
        cmocka_unit_test(hex_digit_knows_sixteen_in_both_cases),
        cmocka_unit_test(next_knows_every_end_of_a_line),
        cmocka_unit_test(problem_knows_what_is_no_text),
        cmocka_unit_test(trim_takes_blanks_off),
        cmocka_unit_test(time_and_day_are_of_utc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
