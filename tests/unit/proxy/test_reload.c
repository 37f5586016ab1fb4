/* Reloads without a process: every order of events, against what must hold whatever comes when. */
#include "proxy/supervisor/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { ASKERS_MAX = 16 };

/* What the steps answer: in turn for one reload and the next. */
struct plan {
    bool reads, agents_ready, starts;
};

struct asker {
    unsigned asked_at; /* reads that had begun */
    unsigned told;
    bool good;
    bool asks_again; /* when it is told */
    char report[64];
};

struct scene {
    struct reload reload;
    struct plan plan[2];
    bool is_full;
    /* what has been done */
    unsigned reads, reads_good, starts, commits, undos, outcomes;
    bool prepared;   /* between a read that was good and commit or undo */
    bool is_started; /* likewise, since start_workers was good */
    bool in_outcome; /* one that the machine owes: after commit, undo, or a read that failed */
    bool stopped;
    enum reload_result result;
    /* events from within steps; RELOAD_EVENT_COUNT: none */
    enum reload_event in_read, in_start, in_commit, in_undo;
    struct asker askers[ASKERS_MAX];
    size_t asker_count;
    struct told {
        struct scene *scene;
        size_t index;
    } told[ASKERS_MAX];
};

static void ask(struct scene *s);

static struct plan now(const struct scene *s)
{
    return s->plan[s->reads % 2];
}

static void fire(struct scene *s, enum reload_event event)
{
    if (event == RELOAD_EVENT_COUNT)
        return;
    s->stopped = s->stopped || event == RELOAD_STOPPED;
    reload_tell(&s->reload, event,
                event == RELOAD_AGENTS_FAILED || event == RELOAD_WORKERS_FAILED ? "from within" : NULL);
}

static bool has_room(void *owner)
{
    const struct scene *s = owner;

    return !s->is_full;
}

static bool read_file(void *owner, char **report)
{
    struct scene *s = owner;

    assert_false(s->prepared);
    assert_false(s->in_outcome);
    assert_false(s->stopped);
    assert_false(s->is_full);
    s->reads++;
    fire(s, s->in_read);
    if (now(s).reads) {
        s->reads_good++;
        s->prepared = true;
        return true;
    }
    s->in_outcome = true;
    s->result = RELOAD_BAD;
    *report = base_strdup("t.conf:1: bad");
    return false;
}

static bool agents_are_ready(void *owner)
{
    const struct scene *s = owner;

    assert_true(s->prepared);
    return now(s).agents_ready;
}

static bool start_workers(void *owner, char **report)
{
    struct scene *s = owner;

    assert_true(s->prepared);
    assert_false(s->stopped);
    assert_false(s->is_started);
    s->starts++;
    fire(s, s->in_start);
    s->is_started = now(s).starts;
    if (s->is_started)
        return true;
    *report = base_strdup("no process");
    return false;
}

static void commit(void *owner, char **report)
{
    struct scene *s = owner;

    assert_true(s->prepared);
    assert_false(s->stopped);
    assert_true(s->is_started);
    s->commits++;
    *report = base_strdup("t.conf:1: warning: old");
    s->prepared = s->is_started = false;
    s->in_outcome = true;
    s->result = RELOAD_GOOD;
    fire(s, s->in_commit);
}

static void undo(void *owner)
{
    struct scene *s = owner;

    assert_true(s->prepared);
    s->undos++;
    s->prepared = s->is_started = false;
    s->in_outcome = true;
    s->result = RELOAD_BAD;
    fire(s, s->in_undo);
}

static void outcome(void *owner, enum reload_result result, const char *report)
{
    struct scene *s = owner;

    assert_true(s->in_outcome);
    assert_false(s->stopped); /* nobody cares any more */
    assert_int_equal(result, s->result);
    assert_int_equal(strcmp(report, "t.conf:1: warning: old") == 0, result == RELOAD_GOOD);
    s->in_outcome = false;
    s->outcomes++;
}

static const struct reload_steps steps = {.has_room = has_room,
                                          .read = read_file,
                                          .agents_are_ready = agents_are_ready,
                                          .start_workers = start_workers,
                                          .commit = commit,
                                          .undo = undo,
                                          .outcome = outcome};

/* Who is told of an outcome is told of a file that was read after the question. */
static void on_told(void *data, bool good, const char *report)
{
    struct told *told = data;
    struct scene *s = told->scene;
    struct asker *a = &s->askers[told->index];

    a->told++;
    a->good = good;
    snprintf(a->report, sizeof(a->report), "%s", report);
    assert_int_equal(a->told, 1);
    if (!s->stopped) {
        assert_true(s->reads > a->asked_at);
        assert_int_equal(good, s->result == RELOAD_GOOD);
    } else if (!good) {
        assert_true(strcmp(report, "yett is stopping") == 0 || s->reads > a->asked_at);
    }
    if (a->asks_again)
        ask(s);
}

static void ask(struct scene *s)
{
    size_t i = s->asker_count++;

    assert_true(i < ASKERS_MAX);
    s->askers[i].asked_at = s->reads;
    s->told[i] = (struct told){.scene = s, .index = i};
    reload_ask(&s->reload, on_told, &s->told[i]);
}

static void scene_init(struct scene *s, unsigned plans)
{
    *s = (struct scene){.reload = {.steps = &steps, .owner = s},
                        .in_read = RELOAD_EVENT_COUNT,
                        .in_start = RELOAD_EVENT_COUNT,
                        .in_commit = RELOAD_EVENT_COUNT,
                        .in_undo = RELOAD_EVENT_COUNT};
    for (unsigned i = 0; i < 2; i++)
        s->plan[i] = (struct plan){.reads = (plans & (1U << (3 * i))) == 0,
                                   .agents_ready = (plans & (2U << (3 * i))) == 0,
                                   .starts = (plans & (4U << (3 * i))) == 0};
}

static bool someone_waits(const struct scene *s)
{
    for (size_t i = 0; i < s->asker_count; i++)
        if (s->askers[i].told == 0)
            return true;
    return false;
}

/* After each event. */
static void check(const struct scene *s)
{
    bool begun = s->reload.state == RELOAD_AGENTS || s->reload.state == RELOAD_WORKERS;

    assert_int_equal(s->prepared, begun); /* what is prepared is under way, and nothing else is */
    assert_false(s->in_outcome && !s->stopped);
    assert_int_equal(s->reads_good, s->commits + s->undos + (s->prepared ? 1 : 0));
    assert_int_equal(someone_waits(s), reload_is_under_way(&s->reload)); /* somebody waits: nobody is forgotten */
    if (s->reload.state == RELOAD_PLACE)
        assert_true(s->is_full);
    assert_true(s->reload.state == RELOAD_IDLE || s->reload.state == RELOAD_PLACE ||
                begun); /* the others do not wait */
    if (s->stopped)
        assert_int_equal(s->reload.state, RELOAD_IDLE);
}

enum action { ASK, FULL, ROOM, AGENTS_READY, AGENTS_FAILED, WORKERS_READY, WORKERS_FAILED, STOP, ACTION_COUNT };

static void act(struct scene *s, enum action action)
{
    switch (action) {
    case ASK:
        ask(s);
        break;
    case FULL:
        /* a generation more lives: that is so after a commit only, but what of it */
        if (s->reload.state != RELOAD_PLACE)
            s->is_full = true;
        break;
    case ROOM:
        s->is_full = false;
        reload_tell(&s->reload, RELOAD_ROOM, NULL);
        break;
    case AGENTS_READY:
        reload_tell(&s->reload, RELOAD_AGENTS_READY, NULL);
        break;
    case AGENTS_FAILED:
        reload_tell(&s->reload, RELOAD_AGENTS_FAILED, "t.conf:2: module m: cannot be loaded");
        break;
    case WORKERS_READY:
        reload_tell(&s->reload, RELOAD_WORKERS_READY, NULL);
        break;
    case WORKERS_FAILED:
        reload_tell(&s->reload, RELOAD_WORKERS_FAILED, "t.conf:3: no such key");
        break;
    case STOP:
        s->stopped = true;
        reload_tell(&s->reload, RELOAD_STOPPED, NULL);
        break;
    case ACTION_COUNT:
        break;
    }
    check(s);
}

/* `number` in base ACTION_COUNT is the order. A stop at the end: then nobody may wait, and nothing be prepared. */
static void play(struct scene *s, unsigned number, unsigned length)
{
    for (unsigned i = 0; i < length; i++, number /= ACTION_COUNT)
        act(s, (enum action)(number % ACTION_COUNT));
    act(s, STOP);
    ask(s);
    assert_false(someone_waits(s));
    assert_false(s->prepared);
}

static unsigned power(unsigned length)
{
    unsigned count = 1;

    while (length-- > 0)
        count *= ACTION_COUNT;
    return count;
}

static void every_order_of_events(void **state)
{
    enum { LENGTH = 4, LENGTH_OF_GOOD = 6, PLANS = 64 };
    struct scene s;
    unsigned commits = 0, undos = 0, told_bad = 0;

    (void)state;
    for (unsigned plans = 0; plans < PLANS; plans++) {
        unsigned length = plans == 0 || plans == 0x12 ? LENGTH_OF_GOOD : LENGTH;

        for (unsigned number = 0; number < power(length); number++) {
            scene_init(&s, plans);
            play(&s, number, length);
            commits += s.commits;
            undos += s.undos;
            told_bad += s.reads - s.reads_good;
        }
    }
    assert_true(commits > 1000 && undos > 1000 && told_bad > 1000); /* it has been everywhere */
}

static void every_event_from_within_every_step(void **state)
{
    enum { LENGTH = 4, PLANS = 8, STEPS = 4 };
    struct scene s;

    (void)state;
    for (unsigned step = 0; step < STEPS; step++)
        for (enum reload_event event = 0; event < RELOAD_EVENT_COUNT; event++)
            for (unsigned plans = 0; plans < PLANS; plans++)
                for (unsigned number = 0; number < power(LENGTH); number++) {
                    scene_init(&s, plans * 9); /* both alike */
                    *(enum reload_event *[]){&s.in_read, &s.in_start, &s.in_commit, &s.in_undo}[step] = event;
                    play(&s, number, LENGTH);
                }
}

static void good_reload_commits_once_all_are_ready(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 2 * 9); /* agents have to load */
    act(&s, ASK);
    assert_int_equal(s.reload.state, RELOAD_AGENTS);
    assert_int_equal(s.starts, 0);
    act(&s, AGENTS_READY);
    assert_int_equal(s.reload.state, RELOAD_WORKERS);
    act(&s, AGENTS_READY); /* one of them had to be replaced */
    assert_int_equal(s.starts, 1);
    act(&s, WORKERS_READY);
    assert_int_equal(s.commits, 1);
    assert_true(s.askers[0].good);
    act(&s, WORKERS_FAILED); /* of the past */
    assert_int_equal(s.undos, 0);
    act(&s, STOP);
}

static void agents_that_fail_while_workers_start_undo_with_their_reason(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 0);
    act(&s, ASK);
    assert_int_equal(s.reload.state, RELOAD_WORKERS);
    act(&s, AGENTS_FAILED);
    act(&s, WORKERS_FAILED); /* because of the agent */
    assert_int_equal(s.undos, 1);
    assert_int_equal(s.outcomes, 1);
    assert_string_equal(s.askers[0].report, "t.conf:2: module m: cannot be loaded");
    act(&s, STOP);
}

static void asked_meanwhile_is_done_once_more_for_all(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 0);
    act(&s, ASK);
    act(&s, ASK);
    act(&s, ASK);
    act(&s, WORKERS_FAILED);
    assert_int_equal(s.reads, 2);
    assert_int_equal(s.askers[0].told, 1);
    assert_int_equal(s.askers[1].told, 0);
    act(&s, WORKERS_READY);
    assert_int_equal(s.reads, 2);
    assert_true(s.askers[1].good);
    assert_true(s.askers[2].good);
    assert_false(reload_is_under_way(&s.reload));
}

static void asked_while_waiting_for_a_place_joins(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 0);
    act(&s, FULL);
    act(&s, ASK);
    act(&s, ASK);
    assert_int_equal(s.reload.state, RELOAD_PLACE);
    assert_int_equal(s.reads, 0);
    act(&s, ROOM);
    assert_int_equal(s.reads, 1);
    act(&s, WORKERS_READY);
    assert_int_equal(s.reads, 1);
    assert_true(s.askers[0].good);
    assert_true(s.askers[1].good);
}

static void asked_when_told_is_one_more(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 0);
    s.plan[1].reads = false; /* of the first one */
    s.askers[0].asks_again = true;
    act(&s, ASK);
    assert_int_equal(s.reads, 2);
    assert_int_equal(s.askers[0].told, 1);
    assert_string_equal(s.askers[0].report, "t.conf:1: bad");
    assert_int_equal(s.askers[1].told, 0);
    act(&s, WORKERS_READY);
    assert_true(s.askers[1].good);
}

static void stop_undoes_and_tells_all(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s, 0);
    act(&s, ASK);
    act(&s, ASK);
    act(&s, STOP);
    assert_int_equal(s.undos, 1);
    assert_int_equal(s.outcomes, 0); /* it is no reload's fault */
    assert_string_equal(s.askers[0].report, "yett is stopping");
    assert_string_equal(s.askers[1].report, "yett is stopping");
    ask(&s);
    assert_int_equal(s.reads, 1);
    assert_string_equal(s.askers[2].report, "yett is stopping");
}

static void every_state_has_a_name(void **state)
{
    (void)state;
    for (enum reload_state a = 0; a < RELOAD_STATE_COUNT; a++)
        for (enum reload_state b = 0; b < a; b++)
            assert_string_not_equal(reload_state_name(a), reload_state_name(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_events),
        cmocka_unit_test(every_event_from_within_every_step),
        cmocka_unit_test(good_reload_commits_once_all_are_ready),
        cmocka_unit_test(agents_that_fail_while_workers_start_undo_with_their_reason),
        cmocka_unit_test(asked_meanwhile_is_done_once_more_for_all),
        cmocka_unit_test(asked_while_waiting_for_a_place_joins),
        cmocka_unit_test(asked_when_told_is_one_more),
        cmocka_unit_test(stop_undoes_and_tells_all),
        cmocka_unit_test(every_state_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
