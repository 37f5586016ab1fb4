#include "base/buffer.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static void append_and_consume_keep_order_across_random_sizes(void **state)
{
    struct buffer b;
    uint8_t next_in = 0, next_out = 0;

    (void)state;
    srandom(1);
    buffer_init(&b, 700);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t piece[97];
        size_t size = (size_t)random() % sizeof(piece);

        for (size_t i = 0; i < size; i++)
            piece[i] = (uint8_t)(next_in + i);
        if (buffer_append(&b, span_of(piece, size)))
            next_in = (uint8_t)(next_in + size);
        else
            assert_true(size > buffer_room(&b));
        size = (size_t)random() % 97;
        if (size > b.size)
            size = b.size;
        for (size_t i = 0; i < size; i++)
            assert_int_equal(buffer_span(&b).data[i], (uint8_t)(next_out + i));
        next_out = (uint8_t)(next_out + size);
        buffer_consume(&b, size);
        assert_true(b.capacity <= 700);
    }
    buffer_release(&b);
}

static void append_refuses_past_the_ceiling_and_keeps_what_it_had(void **state)
{
    struct buffer b;

    (void)state;
    buffer_init(&b, 8);
    assert_true(buffer_append(&b, span_of("12345678", 8)));
    assert_false(buffer_append(&b, span_of("9", 1)));
    assert_true(span_equal(buffer_span(&b), span_of("12345678", 8)));
    assert_int_equal(buffer_room(&b), 0);
    buffer_release(&b);
}

static void reserve_lends_up_to_the_ceiling(void **state)
{
    struct buffer b;
    size_t size;
    uint8_t *out;

    (void)state;
    buffer_init(&b, 1000);
    out = buffer_reserve(&b, 5000, &size);
    assert_int_equal(size, 1000);
    memset(out, 'x', size);
    buffer_commit(&b, size);
    assert_null(buffer_reserve(&b, 1, &size));
    assert_int_equal(size, 0);
    buffer_consume(&b, 999);
    assert_non_null(buffer_reserve(&b, 10, &size));
    assert_true(size >= 10);
    assert_int_equal(buffer_span(&b).size, 1);
    buffer_release(&b);
}

static void trim_frees_only_an_empty_buffer(void **state)
{
    struct buffer b;

    (void)state;
    buffer_init(&b, 1000);
    assert_true(buffer_printf(&b, "%s-%d", "a", 7));
    buffer_trim(&b);
    assert_true(span_equal(buffer_span(&b), span_of("a-7", 3)));
    buffer_consume(&b, 3);
    buffer_trim(&b);
    assert_null(b.data);
    assert_int_equal(b.capacity, 0);
}

static void take_gives_what_is_held(void **state)
{
    struct buffer b;
    uint8_t *data;
    size_t size;

    (void)state;
    buffer_init(&b, 700);
    assert_null(buffer_take(&b, &size));
    assert_int_equal(size, 0);
    assert_true(buffer_append(&b, span_of("0123456789", 10)));
    buffer_consume(&b, 3);
    data = buffer_take(&b, &size);
    assert_true(span_equal(span_of(data, size), span_of_string("3456789")));
    assert_int_equal(buffer_span(&b).size, 0);
    assert_true(buffer_append(&b, span_of("x", 1))); /* and takes more */
    buffer_release(&b);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_and_consume_keep_order_across_random_sizes),
        cmocka_unit_test(append_refuses_past_the_ceiling_and_keeps_what_it_had),
        cmocka_unit_test(reserve_lends_up_to_the_ceiling),
        cmocka_unit_test(trim_frees_only_an_empty_buffer),
        cmocka_unit_test(take_gives_what_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
