#include "proxy/session/wheel.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { START_MS = 1000 * WHEEL_TICK_MS };

struct timed {
    struct wheel_entry entry;
    uint64_t due_ms;
    unsigned calls;
};

struct recorder {
    struct wheel *wheel;
    uint64_t now_ms;
    unsigned calls;
    uint64_t again_after_ms; /* 0: not set again */
};

static void record(struct wheel_entry *e, void *context)
{
    struct timed *t = CONTAINER_OF(e, struct timed, entry);
    struct recorder *r = context;

    t->calls++;
    r->calls++;
    if (t->due_ms > r->now_ms) /* beyond the horizon: called early */
        wheel_set(r->wheel, e, t->due_ms);
    else if (r->again_after_ms != 0)
        wheel_set(r->wheel, e, r->now_ms + r->again_after_ms);
}

static void advance_calls_no_entry_early_and_each_within_a_tick(void **state)
{
    static struct wheel w;
    static struct timed entries[500];
    struct recorder r = {.wheel = &w};

    (void)state;
    srandom(7);
    wheel_init(&w, START_MS);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        entries[i] = (struct timed){.due_ms = START_MS + (uint64_t)(random() % WHEEL_HORIZON_MS)};
        wheel_set(&w, &entries[i].entry, entries[i].due_ms);
    }
    assert_int_equal(w.count, ARRAY_LEN(entries));
    for (r.now_ms = START_MS; r.now_ms < START_MS + WHEEL_HORIZON_MS + 2 * WHEEL_TICK_MS; r.now_ms += 17) {
        wheel_advance(&w, r.now_ms, record, &r);
        for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
            if (entries[i].calls > 0)
                continue;
            assert_true(r.now_ms < entries[i].due_ms + 2 * WHEEL_TICK_MS);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        assert_int_equal(entries[i].calls, 1);
    assert_int_equal(w.count, 0);
}

static void advance_calls_far_entries_early_so_that_they_can_be_set_again(void **state)
{
    static struct wheel w;
    struct timed far = {.due_ms = START_MS + 5 * (uint64_t)WHEEL_HORIZON_MS};
    struct recorder r = {.wheel = &w};

    (void)state;
    wheel_init(&w, START_MS);
    wheel_set(&w, &far.entry, far.due_ms);
    for (r.now_ms = START_MS; r.now_ms < far.due_ms; r.now_ms += WHEEL_TICK_MS)
        wheel_advance(&w, r.now_ms, record, &r);
    assert_int_equal(w.count, 1);
    assert_true(far.calls >= 4);
    r.now_ms = far.due_ms + WHEEL_TICK_MS;
    wheel_advance(&w, r.now_ms, record, &r);
    assert_int_equal(w.count, 0);
}

static void advance_after_a_long_sleep_calls_everything_once(void **state)
{
    static struct wheel w;
    static struct timed entries[WHEEL_SLOTS];
    struct recorder r = {.wheel = &w};

    (void)state;
    wheel_init(&w, START_MS);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        entries[i] = (struct timed){.due_ms = START_MS + i * WHEEL_TICK_MS};
        wheel_set(&w, &entries[i].entry, entries[i].due_ms);
    }
    r.now_ms = START_MS + 100 * (uint64_t)WHEEL_HORIZON_MS;
    wheel_advance(&w, r.now_ms, record, &r);
    assert_int_equal(r.calls, ARRAY_LEN(entries));
    assert_int_equal(w.count, 0);
}

static void advance_ends_when_entries_set_themselves_again(void **state)
{
    static struct wheel w;
    struct timed again = {.due_ms = START_MS};
    struct recorder r = {.wheel = &w, .again_after_ms = 1, .now_ms = START_MS + 10 * WHEEL_TICK_MS};

    (void)state;
    wheel_init(&w, START_MS);
    wheel_set(&w, &again.entry, again.due_ms);
    wheel_advance(&w, r.now_ms, record, &r);
    assert_true(again.calls >= 1);
    assert_true(again.calls <= 10);
    assert_int_equal(w.count, 1);
}

/* Who sleeps until wheel_next_ms() and then skips has called everything that was due. */
static void next_tells_how_long_one_may_sleep(void **state)
{
    static struct wheel w;
    static struct timed entries[200];
    struct recorder r = {.wheel = &w, .now_ms = START_MS};
    unsigned wakings = 0;

    (void)state;
    srandom(9);
    wheel_init(&w, START_MS);
    assert_true(wheel_next_ms(&w) == UINT64_MAX);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        uint64_t next;

        entries[i] = (struct timed){.due_ms = START_MS + (uint64_t)(random() % (3 * WHEEL_HORIZON_MS))};
        next = wheel_set(&w, &entries[i].entry, entries[i].due_ms);
        assert_true(wheel_next_ms(&w) <= next);
    }
    for (; w.count > 0; wakings++) {
        r.now_ms = wheel_next_ms(&w);
        wheel_skip(&w, r.now_ms - 1);
        r.calls = 0;
        wheel_advance(&w, r.now_ms, record, &r);
        assert_true(r.calls > 0);
        for (size_t i = 0; i < ARRAY_LEN(entries); i++)
            assert_true(entries[i].entry.next == NULL || entries[i].due_ms + 2 * WHEEL_TICK_MS > r.now_ms);
    }
    assert_true(wakings <= ARRAY_LEN(entries) + 3 * WHEEL_SLOTS / WHEEL_TOGETHER);
}

/* Many that lie beyond the horizon wake their owner seldom. */
static void far_entries_are_called_together(void **state)
{
    static struct wheel w;
    static struct timed entries[WHEEL_SLOTS];
    struct recorder r = {.wheel = &w, .now_ms = START_MS};
    unsigned wakings = 0;

    (void)state;
    wheel_init(&w, START_MS);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        r.now_ms = START_MS + i * WHEEL_TICK_MS; /* spread over all slots */
        wheel_skip(&w, r.now_ms);
        entries[i] = (struct timed){.due_ms = START_MS + 100 * (uint64_t)WHEEL_HORIZON_MS};
        if (wheel_set(&w, &entries[i].entry, entries[i].due_ms) <= r.now_ms)
            fail_msg("entry %zu is late", i);
        wheel_advance(&w, r.now_ms, record, &r);
    }
    for (r.calls = 0; r.calls < 10 * ARRAY_LEN(entries); wakings++) {
        r.now_ms = wheel_next_ms(&w);
        wheel_advance(&w, r.now_ms, record, &r);
    }
    assert_true(wakings <= 11 * (WHEEL_SLOTS / WHEEL_TOGETHER));
}

static void remove_takes_out_and_may_be_repeated(void **state)
{
    static struct wheel w;
    struct timed a = {.due_ms = START_MS + 100}, b = {.due_ms = START_MS + 100};
    struct recorder r = {.wheel = &w, .now_ms = START_MS + 1000};

    (void)state;
    wheel_init(&w, START_MS);
    wheel_set(&w, &a.entry, a.due_ms);
    wheel_set(&w, &b.entry, b.due_ms);
    wheel_remove(&w, &a.entry);
    wheel_remove(&w, &a.entry);
    wheel_advance(&w, r.now_ms, record, &r);
    assert_int_equal(a.calls, 0);
    assert_int_equal(b.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advance_calls_no_entry_early_and_each_within_a_tick),
        cmocka_unit_test(advance_calls_far_entries_early_so_that_they_can_be_set_again),
        cmocka_unit_test(advance_after_a_long_sleep_calls_everything_once),
        cmocka_unit_test(advance_ends_when_entries_set_themselves_again),
        cmocka_unit_test(next_tells_how_long_one_may_sleep),
        cmocka_unit_test(far_entries_are_called_together),
        cmocka_unit_test(remove_takes_out_and_may_be_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
