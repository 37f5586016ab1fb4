/* proxy/supervisor/reload.h: in which order a reload goes, and who is told how it went.
 *
 *   IDLE --asked--> PLACE --room--> READ --good--> AGENTS --ready--> WORKERS --ready--> COMMIT --> IDLE, told good
 *                                    | bad            | failed          | failed, agents too
 *                                    |                +------> UNDO <---+
 *                                    +--------------------------+--------------------------> IDLE, told bad
 *
 * A pure machine: it knows no process, loop or file. What there is to do is the owner's, in `steps`; what came of it is
 * an event. Only PLACE, AGENTS and WORKERS wait; IDLE waits for nobody.
 *
 * A reload that has *begun* (READ and later) may have read the file before its last change: who asks from then on gets
 * one more, the same for all who do. One that waits in PLACE may be joined. What is no news in a state (a worker that
 * fails after the undo) is ignored: a process's last words may come at any time.
 *
 * An event from within a step counts when the step has returned: of several, the first in the list. Threads: one. */
#ifndef YETT_PROXY_SUPERVISOR_RELOAD_H
#define YETT_PROXY_SUPERVISOR_RELOAD_H

#include "base/base.h"
#include "proxy/control/operations.h"

enum reload_state {
    RELOAD_IDLE,
    RELOAD_PLACE,   /* too many generations are alive: one of them has to end first */
    RELOAD_READ,    /* the file is read, and what it needs is prepared */
    RELOAD_AGENTS,  /* new agents load their modules */
    RELOAD_WORKERS, /* new workers start */
    RELOAD_COMMIT,  /* the new takes the old one's place */
    RELOAD_UNDO,    /* what has been prepared is taken back */
    RELOAD_STATE_COUNT
};

enum reload_event {
    RELOAD_STOPPED, /* yett is to end: what is under way is undone, and nobody waits any longer */
    RELOAD_AGENTS_FAILED,
    RELOAD_WORKERS_FAILED,
    RELOAD_AGENTS_READY,
    RELOAD_WORKERS_READY,
    RELOAD_ROOM, /* a generation has ended */
    RELOAD_EVENT_COUNT
};

enum reload_result { RELOAD_GOOD, RELOAD_BAD };

/* Each gets the owner. A step that returns false leaves a report in *report, base_alloc()ed. */
struct reload_steps {
    bool (*has_room)(void *owner);
    bool (*read)(void *owner, char **report); /* false: nothing is prepared */
    bool (*agents_are_ready)(void *owner);    /* those that have been prepared */
    bool (*start_workers)(void *owner, char **report);
    void (*commit)(void *owner, char **report); /* *report: warnings, one a line; NULL: none */
    void (*undo)(void *owner); /* all since a `read` that was good; `start_workers` may have been called, or not */
    /* After commit, undo, or a `read` that failed; before those who asked are told. */
    void (*outcome)(void *owner, enum reload_result result, const char *report);
};

struct reload_waiter;

/* Zeros and the first two, then only for the functions below. */
struct reload {
    const struct reload_steps *steps; /* static */
    void *owner;
    enum reload_state state;
    bool stopped;
    bool again;                            /* `later` wait for one more */
    struct reload_waiter *waiters, *later; /* the last to ask first */
    bool in_step;
    struct {
        bool came; /* from within a step */
        char *report;
    } kept[RELOAD_EVENT_COUNT];
};

/* `done` is called once, perhaps before this returns; at once, with false, when it is stopped. */
void reload_ask(struct reload *r, control_reloaded done, void *data);

/* `report`: of the FAILED ones, one finding a line; NULL otherwise. */
void reload_tell(struct reload *r, enum reload_event event, const char *report);

bool reload_is_under_way(const struct reload *r);
const char *reload_state_name(enum reload_state state);

#endif
