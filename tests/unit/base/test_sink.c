#include "base/sink.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* A buffer of 16 bytes that holds "ab" already, behind a byte that was taken. */
static void begin(struct buffer *b)
{
    buffer_init(b, 16);
    assert_true(buffer_append(b, span_of("xab", 3)));
    buffer_consume(b, 1);
}

static void check(struct buffer *b, const char *want)
{
    assert_true(span_equal(buffer_span(b), span_of_string(want)));
    buffer_release(b);
}

static void close_appends_what_was_written(void **state)
{
    struct buffer b;
    struct sink s;

    (void)state;
    begin(&b);
    sink_open(&s, &b, 14);
    sink_put(&s, span_of("cd", 2));
    sink_put(&s, span_of(NULL, 0));
    sink_put_text(&s, "ef");
    sink_printf(&s, "%d-%s", 12, "345678");
    sink_put_text(&s, "g");
    assert_int_equal(buffer_span(&b).size, 2); /* nothing before the end */
    assert_true(sink_close(&s));
    check(&b, "abcdef12-345678g");
}

static void room_is_a_limit_to_the_byte(void **state)
{
    (void)state;
    for (size_t room = 0; room <= 14; room++) {
        for (size_t size = 0; size <= 16; size++) {
            struct buffer b;
            struct sink s;

            begin(&b);
            sink_open(&s, &b, room);
            for (size_t i = 0; i < size; i++)
                sink_put_text(&s, "z");
            assert_int_equal(sink_close(&s), size <= room);
            assert_int_equal(b.size, size <= room ? 2 + size : 2);
            buffer_release(&b);
        }
    }
}

static void overflow_is_kept_and_leaves_the_buffer_as_it_was(void **state)
{
    struct buffer b;
    struct sink s;

    (void)state;
    begin(&b);
    sink_open(&s, &b, 5);
    sink_put_text(&s, "cd");
    sink_put_text(&s, "efgh"); /* too much */
    sink_put_text(&s, "i");    /* would fit, and may not follow what is missing */
    assert_false(sink_close(&s));
    assert_false(sink_close(&s));
    assert_true(buffer_append(&b, span_of("!", 1)));
    check(&b, "ab!");
}

static void more_room_than_there_is_is_an_overflow_at_once(void **state)
{
    struct buffer b;
    struct sink s;

    (void)state;
    begin(&b);
    sink_open(&s, &b, 15);
    assert_false(sink_close(&s));
    sink_open(&s, &b, SIZE_MAX);
    sink_put_text(&s, "c");
    assert_false(sink_close(&s));
    check(&b, "ab");
}

static void a_sink_that_is_not_closed_has_written_nothing(void **state)
{
    struct buffer b;
    struct sink s;

    (void)state;
    begin(&b);
    sink_open(&s, &b, 14);
    sink_put_text(&s, "cdefgh");
    check(&b, "ab");
}

static void nothing_follows_the_end(void **state)
{
    struct buffer b;
    struct sink s;

    (void)state;
    begin(&b);
    sink_open(&s, &b, 5);
    sink_put_text(&s, "c");
    assert_true(sink_close(&s));
    sink_put_text(&s, "d");
    assert_false(sink_close(&s));
    check(&b, "abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_appends_what_was_written),
        cmocka_unit_test(room_is_a_limit_to_the_byte),
        cmocka_unit_test(overflow_is_kept_and_leaves_the_buffer_as_it_was),
        cmocka_unit_test(more_room_than_there_is_is_an_overflow_at_once),
        cmocka_unit_test(a_sink_that_is_not_closed_has_written_nothing),
        cmocka_unit_test(nothing_follows_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
