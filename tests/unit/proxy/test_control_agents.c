/* Agents against scripted ones: this program starts itself as "agent" and then does what the path of its module says.
 */
#include "proxy/supervisor/agent_process.h"
#include "proxy/supervisor/agents.h"
#include "proxy/process/spawn.h"
#include "tokens/agent/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOOD = 4 * CHILD_MESSAGES_PER_TURN, LOAD_TIMEOUT_MS = 3000, PATIENCE_MS = 60000 };

/* ---- the scripted agent ---- */

static void say(enum tokens_agent_event event, const char *text)
{
    struct tokens_agent_message message = {.event = event};

    snprintf(message.text, sizeof(message.text), "%s", text);
    if (!tokens_agent_send(CHILD_CONTROL_FD, &message))
        _exit(10);
}

/* How often an agent was started in this folder; counts this one. */
static unsigned runs_before(void)
{
    const char *path = getenv("YETT_TEST_RUNS");
    FILE *file = fopen(path, "ae");
    long size;

    if (file == NULL)
        _exit(11);
    (void)fseek(file, 0, SEEK_END);
    size = ftell(file);
    fputc('.', file);
    fclose(file);
    return (unsigned)size;
}

static int agent(const char *script)
{
    struct tokens_agent_message message;

    if (strcmp(script, "/crash") == 0)
        raise(SIGKILL);
    if (strcmp(script, "/exit") == 0)
        return 3;
    if (strcmp(script, "/fail") == 0) {
        say(TOKENS_AGENT_FAILED, "it is no module");
        return 1; /* what it was told is unread */
    }
    if (strncmp(script, "/rude-", 6) == 0)
        say((enum tokens_agent_event)atoi(script + 6), ""); /* is not an agent's to say: it is killed */
    message.event = TOKENS_AGENT_LOG;
    message.text[0] = '\0';
    if (strcmp(script, "/gives") == 0 && !tokens_agent_send_file(CHILD_CONTROL_FD, &message, STDERR_FILENO))
        return 4;
    if (strcmp(script, "/hang") == 0 || strcmp(script, "/gives") == 0 || strncmp(script, "/rude-", 6) == 0)
        for (;;)
            pause();
    if (strcmp(script, "/second-hangs") == 0)
        switch (runs_before()) {
        case 0:
            say(TOKENS_AGENT_READY, "the first");
            return 3;
        case 1:
            for (;;)
                pause();
        default:
            break;
        }
    if (strcmp(script, "/slow") == 0)
        usleep(100 * 1000);
    say(TOKENS_AGENT_READY, "a script");
    for (unsigned i = 0; strcmp(script, "/flood") == 0 && i < FLOOD; i++)
        say(TOKENS_AGENT_FAILED, "flood");
    while (tokens_agent_receive(CHILD_CONTROL_FD, &message) == 1)
        if (message.event == TOKENS_AGENT_STOP)
            return 0;
    return 0;
}

/* ---- what is told ---- */

struct told {
    uv_loop_t loop;
    uv_timer_t patience;
    struct agents *agents;
    struct config *config;
    unsigned ready, failed, empty;
    unsigned this_turn, turn_max; /* of failed, in one turn of the loop */
    char report[512];             /* the first */
};

static void on_candidates_ready(void *owner)
{
    struct told *t = owner;

    assert_true(agents_candidates_are_ready(t->agents));
    t->ready++;
    uv_stop(&t->loop);
}

static void on_candidates_failed(void *owner, const char *report)
{
    struct told *t = owner;

    if (t->failed++ == 0)
        snprintf(t->report, sizeof(t->report), "%s", report);
    if (++t->this_turn > t->turn_max)
        t->turn_max = t->this_turn;
    usleep(2000); /* for one that has more to say to say it */
    uv_stop(&t->loop);
}

static void on_empty(void *owner)
{
    struct told *t = owner;

    t->empty++;
    uv_stop(&t->loop);
}

static const struct agents_events events = {
    .on_candidates_ready = on_candidates_ready, .on_candidates_failed = on_candidates_failed, .on_empty = on_empty};

static void on_patience_lost(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing is told");
}

static char folder[] = "/tmp/yett-agents-XXXXXX";

static int set_up(void **state)
{
    struct told *t = base_alloc(sizeof(*t));

    assert_int_equal(uv_loop_init(&t->loop), 0);
    uv_timer_init(&t->loop, &t->patience);
    uv_timer_start(&t->patience, on_patience_lost, PATIENCE_MS, 0);
    t->agents = agents_create(&t->loop, LOAD_TIMEOUT_MS, &events, t);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct told *t = *state;

    agents_stop(t->agents);
    while (t->empty == 0)
        uv_run(&t->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&t->patience, NULL);
    assert_int_equal(uv_run(&t->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&t->loop), 0);
    assert_int_equal(t->empty, 1);
    agents_destroy(&t->agents);
    config_destroy(&t->config);
    free(t);
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    spawn_reserve_low_fds();
    return mkdtemp(folder) == NULL;
}

/* Every agent has taken its socket away. */
static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* Modules m1, m2 ... with these scripts, in lines 6, 8 ... of t.conf. */
static void prepare(struct told *t, const char *const *scripts, size_t count)
{
    char *text =
        base_printf("[yett]\ncontrol = %s/c\n[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n", folder);
    struct config_findings findings = {0};
    struct config_snapshot *snapshot;

    for (size_t i = 0; i < count; i++) {
        char *longer = base_printf("%s[module m%zu]\npath = %s\n", text, i + 1, scripts[i]);

        free(text);
        text = longer;
    }
    snapshot = config_snapshot_from_memory("t.conf", span_of_string(text));
    config_destroy(&t->config);
    t->config = config_parse(snapshot, &findings);
    if (t->config == NULL)
        fail_msg("%u: %s", findings.items[0].line, findings.items[0].message);
    config_snapshot_destroy(&snapshot);
    free(text);
    assert_true(agents_prepare(t->agents, t->config, AGENTS_PROMPT_NEVER, &findings));
}

#define PREPARE(t, ...)                                                                                                \
    prepare((t), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void run_until_told(struct told *t)
{
    while (t->ready == 0 && t->failed == 0)
        uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void ready_is_told_when_all_are(void **state)
{
    struct told *t = *state;

    PREPARE(t, "/slow", "/good");
    assert_false(agents_candidates_are_ready(t->agents));
    run_until_told(t);
    assert_int_equal(t->ready, 1);
    assert_int_equal(t->failed, 0);
    agents_commit(t->agents, t->config, geteuid());
}

static void kept_agents_are_not_asked_again(void **state)
{
    struct told *t = *state;

    PREPARE(t, "/good");
    run_until_told(t);
    agents_commit(t->agents, t->config, geteuid());
    PREPARE(t, "/good");
    assert_true(agents_candidates_are_ready(t->agents));
    agents_commit(t->agents, t->config, geteuid());
    PREPARE(t, "/good", "/slow");
    assert_false(agents_candidates_are_ready(t->agents));
    t->ready = 0;
    run_until_told(t);
    assert_int_equal(t->ready, 1);
    agents_abandon(t->agents);
}

static void failure_names_the_section(void **state)
{
    static const struct {
        const char *script, *report;
    } cases[] = {
        {"/crash", "t.conf:6: module m1: it crashes as it loads (signal 9, Killed)"},
        {"/exit", "t.conf:6: module m1: it ends the process as it loads (status 3)"},
        {"/fail", "t.conf:6: module m1: it is no module"},
        {"/hang", "t.conf:6: module m1: it has not loaded within 3 s"},
        {"/gives", "t.conf:6: module m1: it crashes as it loads (signal 9, Killed)"},
    };
    struct told *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        t->failed = 0;
        PREPARE(t, cases[i].script);
        run_until_told(t);
        assert_int_equal(t->ready, 0);
        assert_string_equal(t->report, cases[i].report);
        assert_false(agents_candidates_are_ready(t->agents));
        agents_abandon(t->agents);
    }
}

static void agent_that_says_what_is_not_its_to_say_is_killed(void **state)
{
    struct told *t = *state;
    unsigned count = 0;

    for (enum tokens_agent_event event = 0; event < TOKENS_AGENT_EVENT_COUNT; event++) {
        char *script;

        if (tokens_agent_message_fault(event, false, TOKENS_AGENT_TO_SUPERVISOR) == NULL)
            continue;
        script = base_printf("/rude-%u", (unsigned)event);
        t->failed = 0;
        PREPARE(t, script);
        run_until_told(t);
        assert_int_equal(t->ready, 0);
        assert_string_equal(t->report, "t.conf:6: module m1: it crashes as it loads (signal 9, Killed)");
        agents_abandon(t->agents);
        free(script);
        count++;
    }
    assert_int_equal(count, 7);
}

static void every_failure_is_told_at_once(void **state)
{
    struct told *t = *state;

    PREPARE(t, "/hang", "/good", "/fail", "/slow");
    run_until_told(t);
    assert_int_equal(t->ready, 0);
    assert_true(t->failed >= 1); /* the one that fails again at once may have been told by now */
    assert_string_equal(t->report, "t.conf:6: module m1: it has not loaded within 3 s\n"
                                   "t.conf:10: module m3: it is no module");
}

static void agent_that_failed_is_started_again(void **state)
{
    struct told *t = *state;

    PREPARE(t, "/crash");
    while (t->failed < 3)
        uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_int_equal(t->ready, 0);
}

/* In force, so that nobody waits for it: what it is needed for comes back all the same. */
static void agent_that_hangs_when_it_is_started_again_is_killed(void **state)
{
    struct told *t = *state;
    char *path = base_printf("%s/runs", folder);

    setenv("YETT_TEST_RUNS", path, 1);
    PREPARE(t, "/second-hangs");
    run_until_told(t);
    agents_commit(t->agents, t->config, geteuid());
    for (bool back = false; !back;) {
        json_t *status;

        uv_run(&t->loop, UV_RUN_ONCE);
        status = agents_status(t->agents);
        back = json_integer_value(json_object_get(json_array_get(status, 0), "restarts")) == 2 &&
               strcmp(json_string_value(json_object_get(json_array_get(status, 0), "state")), "ready") == 0;
        json_decref(status);
    }
    assert_int_equal(t->failed, 0);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void begin_turn(uv_prepare_t *turn)
{
    struct told *t = turn->data;

    t->this_turn = 0;
}

static void agent_that_never_stops_talking_leaves_others_their_turn(void **state)
{
    struct told *t = *state;
    static uv_prepare_t turn; /* also when the test fails */

    uv_prepare_init(&t->loop, &turn);
    turn.data = t;
    uv_prepare_start(&turn, begin_turn);
    PREPARE(t, "/flood");
    while (t->failed < FLOOD)
        uv_run(&t->loop, UV_RUN_DEFAULT);
    assert_int_equal(t->ready, 1);
    assert_int_equal(t->failed, FLOOD); /* none is lost */
    assert_true(t->turn_max <= CHILD_MESSAGES_PER_TURN);
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&t->loop, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ready_is_told_when_all_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kept_agents_are_not_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failure_names_the_section, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agent_that_says_what_is_not_its_to_say_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_failure_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agent_that_failed_is_started_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agent_that_hangs_when_it_is_started_again_is_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(agent_that_never_stops_talking_leaves_others_their_turn, set_up, tear_down),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc > 3 && strcmp(argv[1], "agent") == 0)
        return agent(argv[3]);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
