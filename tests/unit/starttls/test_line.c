#include "starttls/line.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void put_gives_the_same_lines_for_each_cut(void **state)
{
    static const struct {
        const char *name;
        struct span input;
        enum line_text text;
        enum line_status want;  /* the last one that is not LINE_COMPLETE */
        const char *want_lines; /* joined by "|" */
        size_t want_consumed;
    } rows[] = {
        {"lines", {(const uint8_t *)"a\r\n\r\nbc\r\nd", 10}, LINE_TEXT_ASCII, LINE_NEED_MORE, "a||bc|", 10},
        {"longest", {(const uint8_t *)"123456\r\n", 8}, LINE_TEXT_ASCII, LINE_NEED_MORE, "123456|", 8},
        {"longer", {(const uint8_t *)"1234567\r\n", 9}, LINE_TEXT_ASCII, LINE_TOO_LONG, "", 9},
        {"longer without an end", {(const uint8_t *)"1234567890", 10}, LINE_TEXT_ASCII, LINE_TOO_LONG, "", 9},
        {"LF", {(const uint8_t *)"a\r\nb\nc", 6}, LINE_TEXT_ASCII, LINE_BARE_LF, "a|", 5},
        {"LF first", {(const uint8_t *)"\n", 1}, LINE_TEXT_ASCII, LINE_BARE_LF, "", 1},
        {"CR", {(const uint8_t *)"a\rb\r\n", 5}, LINE_TEXT_ASCII, LINE_BARE_CR, "", 3},
        {"CR CR LF", {(const uint8_t *)"a\r\r\n", 4}, LINE_TEXT_ASCII, LINE_BARE_CR, "", 3},
        {"NUL", {(const uint8_t *)"a\0\r\n", 4}, LINE_TEXT_EIGHT_BIT, LINE_NUL, "", 2},
        {"CR NUL", {(const uint8_t *)"a\r\0", 3}, LINE_TEXT_EIGHT_BIT, LINE_BARE_CR, "", 3},
        {"8-bit", {(const uint8_t *)"\xe4\r\n", 3}, LINE_TEXT_EIGHT_BIT, LINE_NEED_MORE, "\xe4|", 3},
        {"8-bit where ASCII is wanted", {(const uint8_t *)"\xe4\r\n", 3}, LINE_TEXT_ASCII, LINE_NOT_ASCII, "", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece <= rows[i].input.size; piece++) {
            struct line_reader r;
            struct buffer lines;
            size_t offset = 0;
            enum line_status status = LINE_NEED_MORE;

            buffer_init(&lines, 100);
            line_init(&r, 8, rows[i].text);
            while (status <= LINE_COMPLETE && offset < rows[i].input.size) {
                size_t size = rows[i].input.size - offset < piece ? rows[i].input.size - offset : piece;
                struct span line;
                size_t consumed;

                status = line_put(&r, span_of(rows[i].input.data + offset, size), &consumed, &line);
                offset += consumed;
                if (status != LINE_COMPLETE)
                    continue;
                assert_true(buffer_append(&lines, line));
                assert_true(buffer_append(&lines, span_of("|", 1)));
            }
            if (status == LINE_COMPLETE)
                status = LINE_NEED_MORE;
            if (status != rows[i].want || offset != rows[i].want_consumed ||
                !span_equal(buffer_span(&lines), span_of_string(rows[i].want_lines)))
                fail_msg("%s, pieces of %zu: got status %d, %zu consumed, %.*s", rows[i].name, piece, status, offset,
                         (int)lines.size, lines.size == 0 ? "" : (const char *)buffer_span(&lines).data);
            line_wipe(&r);
            buffer_release(&lines);
        }
    }
}

static void put_stays_at_its_fault(void **state)
{
    struct line_reader r;
    struct span line;
    size_t consumed;

    (void)state;
    line_init(&r, 100, LINE_TEXT_ASCII);
    assert_int_equal(line_put(&r, span_of_string("a\n"), &consumed, &line), LINE_BARE_LF);
    assert_int_equal(line_put(&r, span_of_string("b\r\n"), &consumed, &line), LINE_BARE_LF);
    assert_int_equal(consumed, 0);
    line_wipe(&r);
}

static void fault_text_differs_for_each(void **state)
{
    (void)state;
    for (unsigned a = LINE_TOO_LONG; a < LINE_STATUS_COUNT; a++)
        for (unsigned b = LINE_NEED_MORE; b < a; b++)
            assert_string_not_equal(line_fault_text((enum line_status)a), line_fault_text((enum line_status)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_gives_the_same_lines_for_each_cut),
        cmocka_unit_test(put_stays_at_its_fault),
        cmocka_unit_test(fault_text_differs_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
