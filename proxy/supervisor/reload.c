/* see proxy/supervisor/reload.h */
#include "proxy/supervisor/reload.h"

#include <stdlib.h>

static const char STOPPING[] = "yett is stopping";

/* Somebody who asked for a reload and is told how it went. */
struct reload_waiter {
    struct reload_waiter *next;
    control_reloaded done;
    void *data;
};

static const char *const state_names[] = {"idle", "place", "read", "agents", "workers", "commit", "undo"};
static_assert(ARRAY_LEN(state_names) == RELOAD_STATE_COUNT, "one name for each state");

static void take_place(struct reload *r);

typedef void (*on_event)(struct reload *r, const char *report);

static const on_event handlers[RELOAD_STATE_COUNT][RELOAD_EVENT_COUNT];

/* --- those who asked --- */

static void waiter_add(struct reload_waiter **list, control_reloaded done, void *data)
{
    struct reload_waiter *waiter = base_alloc(sizeof(*waiter));

    *waiter = (struct reload_waiter){.next = *list, .done = done, .data = data};
    *list = waiter;
}

static void tell_waiters(struct reload_waiter *waiters, enum reload_result result, const char *report)
{
    while (waiters != NULL) {
        struct reload_waiter *next = waiters->next;

        waiters->done(waiters->data, result == RELOAD_GOOD, report);
        free(waiters);
        waiters = next;
    }
}

/* --- the outcome --- */

/* The next one, if somebody has asked for it, waits in PLACE before anybody is told: who asks again when told so may
 * join it. */
static void finish(struct reload *r, enum reload_result result, const char *report)
{
    struct reload_waiter *waiters = r->waiters;

    r->waiters = r->later;
    r->later = NULL;
    r->state = r->again ? RELOAD_PLACE : RELOAD_IDLE;
    r->again = false;
    r->steps->outcome(r->owner, result, report);
    tell_waiters(waiters, result, report);
    if (r->state == RELOAD_PLACE)
        take_place(r);
}

static void undo(struct reload *r, const char *report)
{
    r->state = RELOAD_UNDO;
    r->steps->undo(r->owner);
    if (!r->stopped)
        finish(r, RELOAD_BAD, report);
}

/* Nobody is to hear of an outcome: it is no reload's fault. */
static void stop(struct reload *r)
{
    struct reload_waiter *waiters = r->waiters, *later = r->later;
    bool prepared = r->state == RELOAD_AGENTS || r->state == RELOAD_WORKERS;

    r->waiters = r->later = NULL;
    r->again = false;
    r->state = RELOAD_IDLE;
    if (prepared)
        r->steps->undo(r->owner);
    tell_waiters(waiters, RELOAD_BAD, STOPPING);
    tell_waiters(later, RELOAD_BAD, STOPPING);
}

/* --- the steps --- */

static void step_begin(struct reload *r)
{
    assert(!r->in_step);
    r->in_step = true;
}

/* The first of what came meanwhile that is news where the step has led, with its report, the caller's; or COUNT. The
 * rest is of a reload that is over then, and no news to the next. */
static enum reload_event step_end(struct reload *r, char **report)
{
    enum reload_event first = RELOAD_EVENT_COUNT;

    r->in_step = false;
    *report = NULL;
    for (unsigned i = 0; i < RELOAD_EVENT_COUNT; i++) {
        bool news = r->kept[i].came && (i == RELOAD_STOPPED || handlers[r->state][i] != NULL);

        if (news && first == RELOAD_EVENT_COUNT) {
            first = (enum reload_event)i;
            *report = r->kept[i].report;
        } else {
            free(r->kept[i].report);
        }
        r->kept[i].came = false;
        r->kept[i].report = NULL;
    }
    return first;
}

static void start_workers(struct reload *r, const char *unused)
{
    char *why = NULL, *report;
    enum reload_event event;
    bool started;

    (void)unused;
    r->state = RELOAD_WORKERS;
    step_begin(r);
    started = r->steps->start_workers(r->owner, &why);
    event = step_end(r, &report);
    if (!started && event != RELOAD_STOPPED)
        undo(r, why);
    else if (event != RELOAD_EVENT_COUNT)
        reload_tell(r, event, report);
    free(report);
    free(why);
}

static void commit(struct reload *r, const char *unused)
{
    char *report, *warnings = NULL;

    (void)unused;
    r->state = RELOAD_COMMIT;
    step_begin(r);
    r->steps->commit(r->owner, &warnings);
    if (step_end(r, &report) == RELOAD_STOPPED)
        reload_tell(r, RELOAD_STOPPED, NULL);
    else
        finish(r, RELOAD_GOOD, warnings == NULL ? "" : warnings);
    free(warnings);
    free(report);
}

static void read_file(struct reload *r)
{
    char *why = NULL, *report;
    enum reload_event event;
    bool good;

    r->state = RELOAD_READ;
    step_begin(r);
    good = r->steps->read(r->owner, &why);
    if (good)
        r->state = RELOAD_AGENTS;
    event = step_end(r, &report);
    if (event != RELOAD_EVENT_COUNT)
        reload_tell(r, event, report);
    else if (!good)
        finish(r, RELOAD_BAD, why);
    else if (r->steps->agents_are_ready(r->owner))
        start_workers(r, NULL);
    free(report);
    free(why);
}

static void take_place(struct reload *r)
{
    if (r->steps->has_room(r->owner))
        read_file(r);
}

static void on_room(struct reload *r, const char *unused)
{
    (void)unused;
    take_place(r);
}

/* --- events --- */

/* NULL: no news in that state. READ and COMMIT do not wait: what comes in them comes after them. */
static const on_event handlers[RELOAD_STATE_COUNT][RELOAD_EVENT_COUNT] = {
    [RELOAD_PLACE] = {[RELOAD_ROOM] = on_room},
    [RELOAD_AGENTS] = {[RELOAD_AGENTS_READY] = start_workers, [RELOAD_AGENTS_FAILED] = undo},
    /* Agents that fail when the workers are starting already: sooner than those who wait for the agent would say so,
     * and with the reason. */
    [RELOAD_WORKERS] = {[RELOAD_WORKERS_READY] = commit, [RELOAD_WORKERS_FAILED] = undo, [RELOAD_AGENTS_FAILED] = undo},
};

void reload_tell(struct reload *r, enum reload_event event, const char *report)
{
    if (event == RELOAD_STOPPED)
        r->stopped = true;
    if (r->in_step) {
        if (report != NULL && r->kept[event].report == NULL)
            r->kept[event].report = base_strdup(report);
        r->kept[event].came = true;
        return;
    }
    if (event == RELOAD_STOPPED)
        stop(r);
    else if (handlers[r->state][event] != NULL)
        handlers[r->state][event](r, report);
}

void reload_ask(struct reload *r, control_reloaded done, void *data)
{
    if (r->stopped) {
        done(data, false, STOPPING);
        return;
    }
    switch (r->state) {
    case RELOAD_IDLE:
        waiter_add(&r->waiters, done, data);
        r->state = RELOAD_PLACE;
        take_place(r);
        return;
    case RELOAD_PLACE:
        waiter_add(&r->waiters, done, data);
        return;
    case RELOAD_READ:
    case RELOAD_AGENTS:
    case RELOAD_WORKERS:
    case RELOAD_COMMIT:
    case RELOAD_UNDO:
        r->again = true;
        waiter_add(&r->later, done, data);
        return;
    case RELOAD_STATE_COUNT:
        break;
    }
    base_abort("a reload in no state");
}

bool reload_is_under_way(const struct reload *r)
{
    return r->state != RELOAD_IDLE;
}

const char *reload_state_name(enum reload_state state)
{
    return state_names[state];
}
