/* Generations against scripted workers (scripted_worker.h): this program starts itself as "worker". */
#include "proxy/supervisor/generation.h"
#include "proxy/supervisor/totals.h"
#include "scripted_worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- what the generation tells ---- */

struct told {
    uv_loop_t loop;
    struct generation_shared shared;
    unsigned ready, failed, died, gone, ended, learnt, heard, flood;
    unsigned this_turn, turn_max; /* of the flood, in one turn of the loop */
    char why[256];
    struct totals totals;
};

static void on_worker_started(void *owner, const struct generation *g, const struct worker_process *w)
{
    (void)owner;
    assert_true(worker_process_pid(w) > 0);
    assert_non_null(g);
}

static void on_ready(void *owner, struct generation *g)
{
    struct told *t = owner;

    (void)g;
    t->ready++;
    uv_stop(&t->loop);
}

static void on_failed(void *owner, struct generation *g, const char *why)
{
    struct told *t = owner;

    assert_int_equal(generation_state(g), GENERATION_STOPPING);
    t->failed++;
    snprintf(t->why, sizeof(t->why), "%s", why);
}

static void on_connection(void *owner, struct generation *g, struct worker_process *w, const char *json)
{
    (void)owner;
    (void)g;
    (void)w;
    fail_msg("nobody asked: %s", json);
}

/* Of what one has learnt the other is told, and says so. */
static void on_intermediate(void *owner, struct worker_process *w, const char *pem)
{
    struct told *t = owner;

    if (strcmp(pem, "learnt") == 0) {
        t->learnt++;
        worker_process_tell_intermediate(w, "told");
    } else if (strcmp(pem, "flood") == 0) {
        if (t->flood++ == 0)
            usleep(200 * 1000); /* so that many of them wait */
        if (++t->this_turn > t->turn_max)
            t->turn_max = t->this_turn;
    } else {
        assert_string_equal(pem, "told");
        t->heard++;
    }
}

static void on_connections_end(void *owner, struct worker_process *w)
{
    (void)owner;
    (void)w;
}

static void on_worker_gone(void *owner, struct generation *g, const struct worker_process *w)
{
    struct told *t = owner;

    t->gone++;
    totals_fold(&t->totals, generation_config(g), worker_process_counters(w));
}

static void on_worker_died(void *owner, struct generation *g)
{
    struct told *t = owner;

    (void)g;
    t->died++;
}

static void on_ended(void *owner, struct generation *g)
{
    struct told *t = owner;

    (void)g;
    t->ended++;
    uv_stop(&t->loop);
}

static const struct generation_events events = {.on_ready = on_ready,
                                                .on_worker_started = on_worker_started,
                                                .on_failed = on_failed,
                                                .on_connection = on_connection,
                                                .on_intermediate = on_intermediate,
                                                .on_connections_end = on_connections_end,
                                                .on_worker_gone = on_worker_gone,
                                                .on_worker_died = on_worker_died,
                                                .on_ended = on_ended};

static char folder[] = "/tmp/yett-workers-XXXXXX";

static int set_up(void **state)
{
    struct told *t = base_alloc(sizeof(*t));

    assert_int_equal(uv_loop_init(&t->loop), 0);
    t->shared.sockets = listen_sockets_create();
    t->shared.intermediates = intermediates_create(&t->loop, INTERMEDIATES_WRITE_MS);
    t->shared.ticket_key_fd = memfd_create("key", MFD_CLOEXEC);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct told *t = *state;

    intermediates_stop(t->shared.intermediates);
    assert_int_equal(uv_run(&t->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&t->loop), 0);
    listen_sockets_destroy(&t->shared.sockets);
    intermediates_destroy(&t->shared.intermediates);
    close(t->shared.ticket_key_fd);
    totals_clear(&t->totals);
    free(t);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    spawn_reserve_low_fds();
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* Two workers that do what `script` says. */
static struct generation *start(struct told *t, const char *script)
{
    char *text =
        base_printf("[yett]\nworkers = 2\ndrain_timeout = 1s\n[service a]\nprotocol = tcp\nlisten = unix:%s/a, "
                    "unix:%s/b\nlisten_tls = none\nconnect = 127.0.0.1:1\nconnect_tls = none\n",
                    folder, folder);
    struct config_findings findings = {0};
    struct config_snapshot *snapshot = config_snapshot_from_memory("t.conf", span_of_string(text));
    struct config *config = config_parse(snapshot, &findings);
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    struct generation *g;
    char *error = NULL;

    if (config == NULL)
        fail_msg("%u: %s", findings.items[0].line, findings.items[0].message);
    assert_true(config_snapshot_write(snapshot, fd));
    config_snapshot_destroy(&snapshot);
    assert_true(listen_sockets_prepare(t->shared.sockets, config, 2, &findings));
    setenv("YETT_TEST_WORKER", script, 1);
    g = generation_start(&t->loop, 1, &(struct generation_settings){.config = config, .snapshot_fd = fd}, &t->shared,
                         &events, t, &error);
    assert_null(error);
    free(text);
    return g;
}

/* The loop until the next thing that stops it. */
static void run(struct told *t)
{
    uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void start_all_ready_then_drain(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "good");

    run(t);
    assert_int_equal(t->ready, 1);
    assert_int_equal(generation_state(g), GENERATION_CURRENT);
    generation_drain(g);
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->gone, 2);
    assert_int_equal(t->died, 0);
    assert_int_equal(totals_find(&t->totals, "a")->values[COUNTER_connections_total], 14);
    assert_int_equal(totals_find(&t->totals, "a")->values[COUNTER_connections_open],
                     0); /* a gauge ends with its worker */
    assert_int_equal(totals_find(&t->totals, "a")->values[COUNTER_client_sent_bytes_total], 4); /* two listeners each */
}

/* A drain with no end to its time may get one, and is told so once. */
static void retired_workers_can_be_drained(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "retire");

    run(t);
    assert_false(generation_is_retired(g));
    generation_retire(g);
    generation_retire(g);
    assert_int_equal(generation_state(g), GENERATION_DRAINING);
    assert_true(generation_is_retired(g));
    generation_drain(g);
    generation_retire(g);
    assert_false(generation_is_retired(g));
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->gone, 2);
    assert_int_equal(t->died, 0);
}

static void retired_workers_can_be_stopped(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "good");

    run(t);
    generation_retire(g);
    generation_stop(g);
    assert_false(generation_is_retired(g));
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->died, 0);
}

static void worker_says_that_it_waits_for_tokens(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "away");

    run(t);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(worker_process_sandbox(generation_worker(g, i)), "held");
        assert_string_equal(worker_process_accelerator(generation_worker(g, i)), "none");
        assert_int_equal(worker_process_waits_for_tokens(generation_worker(g, i)), i == 1);
    }
    generation_drain(g);
    run(t);
}

/* What a worker finds while it starts is there for whoever waits for the generation. */
static void warnings_are_kept(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "warn");
    char *warnings;

    run(t);
    assert_int_equal(generation_state(g), GENERATION_CURRENT);
    warnings = generation_warnings(g);
    assert_string_equal(warnings, "t.conf:3: warning: it is old\nt.conf:4: warning: so is this");
    free(warnings);
    generation_drain(g);
    run(t);
}

static void intermediates_go_to_and_fro(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "learn");

    run(t);
    while (t->heard < 2)
        uv_run(&t->loop, UV_RUN_ONCE);
    assert_int_equal(t->learnt, 2);
    generation_drain(g);
    worker_process_tell_intermediate(generation_worker(g, 0), "too late"); /* it ends: not worth a message */
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->died, 0);
    assert_int_equal(t->heard, 2);
}

static void begin_turn(uv_prepare_t *turn)
{
    struct told *t = turn->data;

    t->this_turn = 0;
}

static void worker_that_never_stops_talking_leaves_others_their_turn(void **state)
{
    struct told *t = *state;
    static uv_prepare_t turn;
    struct generation *g;

    uv_prepare_init(&t->loop, &turn);
    turn.data = t;
    uv_prepare_start(&turn, begin_turn);
    uv_unref((uv_handle_t *)&turn);
    g = start(t, "flood");
    run(t);
    assert_int_equal(t->ready, 1);
    assert_int_equal(t->flood, 2 * SCRIPTED_WORKER_FLOOD); /* none is lost */
    assert_true(t->turn_max <= 2 * CHILD_MESSAGES_PER_TURN);
    generation_drain(g);
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->died, 0);
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&t->loop, UV_RUN_NOWAIT);
}

static void start_fails_as_a_whole(void **state)
{
    struct told *t = *state;

    start(t, "fail-second");
    run(t);
    if (t->ended == 0)
        run(t);
    assert_int_equal(t->ready, 0);
    assert_int_equal(t->failed, 1);
    assert_int_equal(t->ended, 1);
    assert_string_equal(t->why, "t.conf:3: no such key\nt.conf:4: nor this one");
}

static void start_fails_when_a_worker_crashes(void **state)
{
    struct told *t = *state;

    start(t, "crash");
    run(t);
    assert_int_equal(t->ready, 0);
    assert_int_equal(t->failed, 1);
    assert_non_null(strstr(t->why, "was killed by signal 9"));
}

static void died_worker_is_replaced_on_the_same_slot(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "good");
    int pid;

    run(t);
    pid = worker_process_pid(generation_worker(g, 1));
    kill(pid, SIGKILL);
    while (t->died == 0 || generation_worker(g, 1) == NULL ||
           worker_process_state(generation_worker(g, 1)) != WORKER_ACCEPTING)
        uv_run(&t->loop, UV_RUN_ONCE);
    assert_int_equal(t->died, 1);
    assert_int_equal(t->ready, 1); /* the generation was ready all the time */
    assert_int_not_equal(worker_process_pid(generation_worker(g, 1)), pid);
    assert_int_equal(totals_find(&t->totals, "a")->values[COUNTER_connections_total],
                     7); /* what the dead one had counted */
    generation_drain(g);
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(totals_find(&t->totals, "a")->values[COUNTER_connections_total], 21);
}

static void deaf_workers_are_killed_in_the_end(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "deaf");

    run(t);
    generation_stop(g);
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->gone, 2);
}

static void drained_worker_that_ends_badly_has_died(void **state)
{
    struct told *t = *state;
    struct generation *g = start(t, "bad-end");

    run(t);
    generation_drain(g);
    run(t);
    assert_int_equal(t->ended, 1);
    assert_int_equal(t->died, 2);
}

/* Killed because of what it said, not since it hung: that would be no death. */
static void is_killed_for(struct told *t, enum worker_phase phase, enum worker_event event, bool has_file)
{
    char *script = base_printf("rude %u %u %u", (unsigned)phase, (unsigned)event, has_file ? 1U : 0U);
    struct generation *g = start(t, script);

    free(script);
    t->ready = t->failed = t->died = t->ended = 0;
    while (phase != WORKER_STARTING && t->ready == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    if (phase == WORKER_ACCEPTING)
        worker_process_tell_intermediate(generation_worker(g, 0), "told");
    if (phase == WORKER_DRAINING)
        generation_drain(g);
    if (phase == WORKER_STOPPING)
        generation_stop(g);
    while (t->died == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
    if (phase == WORKER_STARTING)
        assert_non_null(strstr(t->why, "was killed by signal 9"));
    assert_int_equal(t->failed, phase == WORKER_STARTING ? 1 : 0);
    if (t->ended == 0)
        generation_stop(g);
    while (t->ended == 0)
        uv_run(&t->loop, UV_RUN_ONCE);
}

static void worker_that_says_what_is_not_for_now_is_killed(void **state)
{
    struct told *t = *state;
    unsigned count = 0;

    for (enum worker_phase phase = WORKER_STARTING; phase <= WORKER_STOPPING; phase++)
        for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++)
            if (worker_message_fault(event, false, phase) != NULL) {
                is_killed_for(t, phase, event, false);
                count++;
            }
    assert_true(count > WORKER_EVENT_COUNT);
}

static void worker_that_lists_unasked_is_killed(void **state)
{
    struct told *t = *state;

    is_killed_for(t, WORKER_ACCEPTING, WORKER_CONNECTIONS_ITEM, false);
    is_killed_for(t, WORKER_ACCEPTING, WORKER_CONNECTIONS_END, false);
}

static void worker_that_passes_a_descriptor_is_killed(void **state)
{
    is_killed_for(*state, WORKER_STARTING, WORKER_READY, true);
    is_killed_for(*state, WORKER_ACCEPTING, WORKER_INTERMEDIATE, true);
}

static void environment_is_ours_without_the_service_managers(void **state)
{
    char *inherited[] = {(char[]){"A=1"},
                         (char[]){"NOTIFY_SOCKET=/x"},
                         (char[]){"B=2"},
                         (char[]){"LISTEN_FDS=1"},
                         (char[]){"CREDENTIALS_DIRECTORY=/c"},
                         (char[]){"BB=3"},
                         NULL};
    const char *added[] = {"B=20", "C=30"};
    const char *const want[] = {"A=1", "BB=3", "B=20", "C=30"};
    char **got = spawn_environment_create(inherited, added, ARRAY_LEN(added));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(got[i], want[i]);
    assert_null(got[ARRAY_LEN(want)]);
    spawn_environment_destroy(&got);
    assert_null(got);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(start_all_ready_then_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retired_workers_can_be_drained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retired_workers_can_be_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(worker_says_that_it_waits_for_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warnings_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(intermediates_go_to_and_fro, set_up, tear_down),
        cmocka_unit_test_setup_teardown(worker_that_never_stops_talking_leaves_others_their_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(start_fails_as_a_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(start_fails_when_a_worker_crashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(died_worker_is_replaced_on_the_same_slot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deaf_workers_are_killed_in_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drained_worker_that_ends_badly_has_died, set_up, tear_down),
        cmocka_unit_test_setup_teardown(worker_that_says_what_is_not_for_now_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(worker_that_lists_unasked_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(worker_that_passes_a_descriptor_is_killed, set_up, tear_down),
        cmocka_unit_test(environment_is_ours_without_the_service_managers),
    };

    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        return scripted_worker();
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
