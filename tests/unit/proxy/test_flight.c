/* Who asks, who waits, and what is remembered of hosts: threads, and no network. */
#include "proxy/fetch/flight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { PATIENT_MS = 60000, MEMORY_MS = 60000, THREADS = 8, QUESTIONS = 3 };

/* A fetcher as simple as can be: it remembers one bit for each of its questions. */
struct fetcher {
    struct flights *flights;
    bool known[QUESTIONS];
    enum flight_course when_free; /* what course() says of a question that does not fly */
    size_t to_host_max;
    size_t waiting; /* course() has said WAIT */
    struct flight_traffic seen;
};

struct asking {
    struct fetcher *fetcher;
    uint8_t number; /* its key */
    const char *host;
    uint32_t timeout_ms;
    enum flight_end end;
    unsigned looked;
};

static bool known(void *ctx)
{
    struct asking *a = ctx;

    a->looked++;
    return a->fetcher->known[a->number];
}

static enum flight_course course(void *ctx, const struct flight_traffic *traffic)
{
    struct asking *a = ctx;

    a->fetcher->seen = *traffic;
    if (!traffic->flies && traffic->to_host < a->fetcher->to_host_max)
        return a->fetcher->when_free;
    a->fetcher->waiting++;
    return FLIGHT_COURSE_WAIT;
}

static enum flight_end ask(struct asking *a)
{
    const struct flight_question q = {.key = span_of(&a->number, 1),
                                      .host = a->host,
                                      .memory_ms = MEMORY_MS,
                                      .deadline_ms = base_now_ms() + a->timeout_ms,
                                      .ctx = a,
                                      .known = known,
                                      .course = course};

    flights_lock(a->fetcher->flights);
    a->end = flights_answer_or_take_off(a->fetcher->flights, &q);
    flights_unlock(a->fetcher->flights);
    return a->end;
}

static void run(void *arg)
{
    (void)ask(arg);
}

static struct asking asking(struct fetcher *f, uint8_t number, const char *host, uint32_t timeout_ms)
{
    return (struct asking){.fetcher = f, .number = number, .host = host, .timeout_ms = timeout_ms};
}

static void land(struct fetcher *f, uint8_t number, bool answered)
{
    flights_lock(f->flights);
    f->known[number] = answered;
    flights_land(f->flights, span_of(&number, 1));
    flights_unlock(f->flights);
}

static void note(struct fetcher *f, const char *host, enum http_fetch_status status, enum flight_fairness fairness)
{
    flights_lock(f->flights);
    flights_note(f->flights, host, status, fairness);
    flights_unlock(f->flights);
}

static void wait_until_waiting(struct fetcher *f, size_t count)
{
    bool all = false;

    while (!all) {
        flights_lock(f->flights);
        all = f->waiting >= count;
        flights_unlock(f->flights);
        uv_sleep(1);
    }
}

static int setup(void **state)
{
    static struct fetcher f;

    f = (struct fetcher){.flights = flights_create(), .when_free = FLIGHT_COURSE_TAKE_OFF, .to_host_max = QUESTIONS};
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fetcher *f = *state;

    flights_destroy(&f->flights); /* nothing flies: it asserts so */
    assert_null(f->flights);
    return 0;
}

static void one_asks_and_all_are_answered(void **state)
{
    struct fetcher *f = *state;
    struct asking first = asking(f, 0, "a:80", PATIENT_MS), others[THREADS];
    uv_thread_t threads[THREADS];

    assert_int_equal(ask(&first), FLIGHT_MINE);
    for (size_t i = 0; i < THREADS; i++) {
        others[i] = asking(f, 0, "a:80", PATIENT_MS);
        assert_int_equal(uv_thread_create(&threads[i], run, &others[i]), 0);
    }
    wait_until_waiting(f, THREADS);
    land(f, 0, true);
    for (size_t i = 0; i < THREADS; i++) {
        uv_thread_join(&threads[i]);
        assert_int_equal(others[i].end, FLIGHT_ANSWERED);
        assert_true(others[i].looked >= 2);
    }
    assert_int_equal(flights_requests(f->flights), 1);
}

/* The flight brings nothing that can be remembered: one of those that wait flies next, and so on. */
static void flight_that_brings_nothing_leaves_it_to_the_next(void **state)
{
    struct fetcher *f = *state;
    struct asking first = asking(f, 0, "a:80", PATIENT_MS), next = asking(f, 0, "a:80", PATIENT_MS);
    uv_thread_t thread;

    assert_int_equal(ask(&first), FLIGHT_MINE);
    assert_int_equal(uv_thread_create(&thread, run, &next), 0);
    wait_until_waiting(f, 1);
    land(f, 0, false);
    uv_thread_join(&thread);
    assert_int_equal(next.end, FLIGHT_MINE);
    assert_int_equal(flights_requests(f->flights), 2);
    land(f, 0, true);
}

static void who_waits_goes_on_at_its_own_deadline(void **state)
{
    struct fetcher *f = *state;
    struct asking first = asking(f, 0, "a:80", PATIENT_MS), late = asking(f, 0, "a:80", 20),
                  too_late = asking(f, 0, "a:80", 0);

    assert_int_equal(ask(&first), FLIGHT_MINE);
    assert_int_equal(ask(&late), FLIGHT_LATE);
    assert_int_equal(ask(&too_late), FLIGHT_LATE);
    land(f, 0, true);
    assert_int_equal(ask(&too_late), FLIGHT_ANSWERED); /* what is known costs no time */
    assert_int_equal(flights_requests(f->flights), 1);
}

static void questions_fly_side_by_side_and_are_counted_by_host(void **state)
{
    struct fetcher *f = *state;
    struct asking a = asking(f, 0, "a:80", 0), b = asking(f, 1, "a:80", 0), c = asking(f, 2, "b:80", 0);

    assert_int_equal(ask(&a), FLIGHT_MINE);
    assert_int_equal(ask(&b), FLIGHT_MINE);
    assert_int_equal(f->seen.to_host, 1);
    assert_int_equal(ask(&c), FLIGHT_MINE);
    assert_int_equal(f->seen.to_host, 0);
    assert_int_equal(f->seen.all, 2);
    assert_false(f->seen.flies);
    assert_int_equal(ask(&a), FLIGHT_LATE);
    assert_true(f->seen.flies);
    land(f, 1, true); /* in any order */
    land(f, 0, true);
    land(f, 2, true);
}

static void room_at_a_host_comes_with_a_landing(void **state)
{
    struct fetcher *f = *state;
    struct asking a = asking(f, 0, "a:80", PATIENT_MS), b = asking(f, 1, "a:80", PATIENT_MS);
    uv_thread_t thread;

    f->to_host_max = 1;
    assert_int_equal(ask(&a), FLIGHT_MINE);
    assert_int_equal(uv_thread_create(&thread, run, &b), 0);
    wait_until_waiting(f, 1);
    land(f, 0, true);
    uv_thread_join(&thread);
    assert_int_equal(b.end, FLIGHT_MINE);
    land(f, 1, true);
}

static void fetcher_may_refuse(void **state)
{
    struct fetcher *f = *state;
    struct asking a = asking(f, 0, "a:80", PATIENT_MS);

    f->when_free = FLIGHT_COURSE_ANSWERED;
    assert_int_equal(ask(&a), FLIGHT_ANSWERED);
    assert_int_equal(flights_requests(f->flights), 0);
}

static void host_that_failed_is_left_alone_until_it_answers(void **state)
{
    static const struct {
        enum http_fetch_status status;
        enum flight_fairness fairness;
        bool remembered;
    } table[] = {
        {HTTP_FETCH_LATE, FLIGHT_FAIR, true},        {HTTP_FETCH_LATE, FLIGHT_UNFAIR, false},
        {HTTP_FETCH_UNREACHABLE, FLIGHT_FAIR, true}, {HTTP_FETCH_UNREACHABLE, FLIGHT_UNFAIR, true},
        {HTTP_FETCH_OVERLOAD, FLIGHT_FAIR, false},   {HTTP_FETCH_DENIED, FLIGHT_FAIR, false},
        {HTTP_FETCH_BAD_ANSWER, FLIGHT_FAIR, false}, {HTTP_FETCH_OK, FLIGHT_FAIR, false},
    };
    struct fetcher *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct asking a = asking(f, 0, "a:80", 0), other = asking(f, 1, "b:80", 0);

        note(f, "a:80", table[i].status, table[i].fairness);
        assert_int_equal(ask(&a), table[i].remembered ? FLIGHT_HOST_FAILED : FLIGHT_MINE);
        if (!table[i].remembered)
            land(f, 0, false);
        assert_int_equal(ask(&other), FLIGHT_MINE); /* the other host has done nothing */
        land(f, 1, false);
        note(f, "a:80", HTTP_FETCH_OK, FLIGHT_UNFAIR);
        assert_int_equal(ask(&a), FLIGHT_MINE);
        land(f, 0, false);
    }
}

/* What is remembered of the question goes before what is known of its host. */
static void answer_is_given_though_the_host_failed(void **state)
{
    struct fetcher *f = *state;
    struct asking a = asking(f, 0, "a:80", 0);

    note(f, "a:80", HTTP_FETCH_LATE, FLIGHT_FAIR);
    f->known[0] = true;
    assert_int_equal(ask(&a), FLIGHT_ANSWERED);
}

static void fetcher_with_threads_of_its_own_asks_counts_and_waits(void **state)
{
    struct fetcher *f = *state;

    flights_lock(f->flights);
    assert_true(flights_may_ask(f->flights, "a:80", MEMORY_MS));
    flights_note(f->flights, "a:80", HTTP_FETCH_UNREACHABLE, FLIGHT_FAIR);
    assert_false(flights_may_ask(f->flights, "a:80", MEMORY_MS));
    assert_true(flights_may_ask(f->flights, "a:80", 0));
    assert_false(flights_wait(f->flights, base_now_ms()));
    flights_unlock(f->flights);
    assert_int_equal(flights_requests(f->flights), 2);
}

static void fairness_is_half_of_the_time(void **state)
{
    (void)state;
    assert_int_equal(flight_fairness(1000, 2000, 1000), FLIGHT_FAIR);
    assert_int_equal(flight_fairness(1000, 2000, 1500), FLIGHT_FAIR);
    assert_int_equal(flight_fairness(1000, 2000, 1501), FLIGHT_UNFAIR);
    assert_int_equal(flight_fairness(1000, 2000, 2500), FLIGHT_UNFAIR);
}

static void each_status_has_its_word(void **state)
{
    static const struct flight_words words = {"late", "unreachable", "overload", "denied", "bad"};

    (void)state;
    assert_null(flight_why(&words, HTTP_FETCH_OK));
    assert_string_equal(flight_why(&words, HTTP_FETCH_LATE), "late");
    assert_string_equal(flight_why(&words, HTTP_FETCH_UNREACHABLE), "unreachable");
    assert_string_equal(flight_why(&words, HTTP_FETCH_OVERLOAD), "overload");
    assert_string_equal(flight_why(&words, HTTP_FETCH_DENIED), "denied");
    assert_string_equal(flight_why(&words, HTTP_FETCH_BAD_ANSWER), "bad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_asks_and_all_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(flight_that_brings_nothing_leaves_it_to_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_goes_on_at_its_own_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(questions_fly_side_by_side_and_are_counted_by_host, setup, teardown),
        cmocka_unit_test_setup_teardown(room_at_a_host_comes_with_a_landing, setup, teardown),
        cmocka_unit_test_setup_teardown(fetcher_may_refuse, setup, teardown),
        cmocka_unit_test_setup_teardown(host_that_failed_is_left_alone_until_it_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(answer_is_given_though_the_host_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(fetcher_with_threads_of_its_own_asks_counts_and_waits, setup, teardown),
        cmocka_unit_test(fairness_is_half_of_the_time),
        cmocka_unit_test(each_status_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
