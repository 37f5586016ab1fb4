/* base/text_index.c */
#include "base/text_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TEXTS = 5000, TEXT_BYTES = 16 };

static void find_has_what_was_added(void **state)
{
    struct text_index x = {0};
    char(*texts)[TEXT_BYTES] = base_alloc((size_t)TEXTS * TEXT_BYTES);

    (void)state;
    assert_int_equal(text_index_find(&x, "nothing"), TEXT_INDEX_NONE);
    for (size_t i = 0; i < TEXTS; i++) {
        snprintf(texts[i], TEXT_BYTES, "text %zu", i);
        assert_int_equal(text_index_find(&x, texts[i]), TEXT_INDEX_NONE);
        text_index_add(&x, texts[i], TEXTS - i);
        assert_int_equal(text_index_find(&x, texts[i]), TEXTS - i);
    }
    assert_int_equal(x.count, TEXTS);
    for (size_t i = 0; i < TEXTS; i++) {
        char copy[TEXT_BYTES];

        snprintf(copy, sizeof(copy), "text %zu", i); /* by what it says, not by where it is */
        assert_int_equal(text_index_find(&x, copy), TEXTS - i);
    }
    assert_int_equal(text_index_find(&x, "text"), TEXT_INDEX_NONE);
    text_index_clear(&x);
    assert_int_equal(text_index_find(&x, texts[0]), TEXT_INDEX_NONE);
    text_index_add(&x, texts[0], 7);
    text_index_add(&x, "", 0);
    assert_int_equal(text_index_find(&x, texts[0]), 7);
    assert_int_equal(text_index_find(&x, ""), 0);
    text_index_clear(&x);
    free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(find_has_what_was_added)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
