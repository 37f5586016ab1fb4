/* tests/unit/proxy/simulation.h: many sessions of all kinds at a time, with scripted peers, a clock, a transport, an
 * engine, a pool, turns and connectors of the test's own, in an order that a seed decides, down to pieces of a byte.
 *
 * Half of the sessions are *let alone*: what happens to them is only slow. The others meet one fault of FAULTS below,
 * at a nudge that the seed decides; and now and then something concerns all of them: time, a full pool, a reload, a
 * stop. A *run* is one session with its two peers. What is asserted is in simulation_checks.c, what is said in
 * simulation_kinds.c, what happens in simulation_run.c; test_simulation.c goes through seeds. A seed is everything: the
 * same one does the same steps again. */
#ifndef YETT_TESTS_UNIT_PROXY_SIMULATION_H
#define YETT_TESTS_UNIT_PROXY_SIMULATION_H

#include "fake_world.h"
#include "simulation_kinds.h"

/* X(FAULT, ends): `ends` are those that the log may then have, words between bars; NULL: any. "closed", where the fault
 * may come when all is said, is one more. */
#define FAULTS(X)                                                                                                      \
    X(NONE, "closed")                                                                                                  \
    X(CLIENT_END, NULL)                                                                                                \
    X(TARGET_END, NULL)                                                                                                \
    X(CLIENT_RESET, "client_left|client_silent|tls_failed|reset")                                                      \
    X(TARGET_RESET, "target_left|target_tls_failed|reset")                                                             \
    X(CLIENT_WRITE, NULL)                                                                                              \
    X(TARGET_WRITE, NULL)                                                                                              \
    X(CLIENT_NONSENSE, NULL)                                                                                           \
    X(TARGET_NONSENSE, NULL)                                                                                           \
    X(CLIENT_HELLO, "tls_failed")                                                                                      \
    X(TARGET_HELLO, "target_tls_failed")                                                                               \
    X(CLIENT_INJECTS, "protocol_error|tls_failed")                                                                     \
    X(TARGET_INJECTS, "target_protocol_error|target_tls_failed")                                                       \
    X(TARGET_HASTY, NULL) /* answers what it has not heard */                                                          \
    X(CLIENT_SILENT, "proxy_missing|timeout_client|timeout_connect|timeout_target|timeout_idle|timeout_half_close")    \
    X(TARGET_SILENT, "timeout_client|timeout_target|timeout_idle|timeout_half_close")                                  \
    X(CONNECT_SILENT, "timeout_connect|timeout_target")                                                                \
    X(CONNECT_FAILED, "target_failed")                                                                                 \
    X(CONNECT_DENIED, "target_denied")                                                                                 \
    X(NO_SOCKET, "target_failed")                                                                                      \
    X(POOL_FULL, "overload|target_overload")                                                                           \
    X(POOL_PLACE, "overload|target_overload")                                                                          \
    X(TURN_LOST, "overload|target_overload")                                                                           \
    X(SHUT_DOWN, "shutdown")

enum fault {
#define FAULT_ENUM(name, ends) FAULT_##name,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};
extern const char *const fault_names[FAULT_COUNT];
extern const char *const fault_ends[FAULT_COUNT];

/* What concerns all. */
#define TROUBLES(X) X(pool_full) X(times) X(idle_times) X(reloads) X(drain_timeouts) X(stops)
struct troubles {
#define TROUBLE_MEMBER(name) unsigned name;
    TROUBLES(TROUBLE_MEMBER)
#undef TROUBLE_MEMBER
};

/* What was asserted, and how often. */
#define CHECKS(X)                                                                                                      \
    X(payload_bytes, "bytes of payload compared, each with what the other side said")                                  \
    X(good_ends, "sessions let alone that ended well, both sides having heard all")                                    \
    X(fault_ends, "sessions with a fault that ended as that fault does")                                               \
    X(told_ends, "ends that a peer took for good, held against what the other side said")                              \
    X(reading, "times that who is read from was one whose bytes have a place")                                         \
    X(ceilings, "times that a session's memory was below its ceiling")                                                 \
    X(counters, "times that the counters were what is there")                                                          \
    X(planes, "workers that ended with nothing left, and counters that add up")
struct checks {
#define CHECK_MEMBER(name, words) uint64_t name;
    CHECKS(CHECK_MEMBER)
#undef CHECK_MEMBER
};

enum { RUNS_MAX = 24, TRANSPORTS_MAX = 4, GENERATIONS = 2, END_SIZE = 64 };
enum pace { PACE_EVEN, PACE_FAST_CLIENT, PACE_FAST_TARGET };

struct run {
    bool used;
    unsigned number;
    size_t service, generation;
    const struct simulation_kind *kind;
    char id[SESSION_ID_SIZE];
    struct session *session;
    struct session_probe probe;
    struct fake_peer client, target;
    unsigned targets; /* connected to */
    struct fake_transport *transports[TRANSPORTS_MAX];
    size_t transport_count;
    enum pace pace;
    bool is_fine; /* all in pieces of a few bytes */
    enum fault fault;
    size_t fault_at; /* the nudge at which it comes ... */
    bool is_late;    /* ... counted from the relay on; false: the relay was reached, or from the beginning */
    bool met;        /* it has come */
    bool shaken;     /* something has that concerns all */
    bool aged;       /* all time has passed */
    bool relayed;    /* it was seen in the relay */
    size_t nudges;
    size_t still; /* nudges since something last moved */
    uint64_t moves;
    bool stopped;   /* we have said that we stop: an end of our own, in good order */
    unsigned lines; /* in the log */
    char end[END_SIZE];
    uint64_t told_received, told_sent; /* bytes, in that line */
};

/* A worker, or what stands for one: of two generations the older one is drained. */
struct generation {
    struct plane plane;
    bool is_up;
    unsigned number, started;
    uint64_t received_told, sent_told;                    /* in lines of the log */
    uint64_t failed, left, reset, half_closed, truncated; /* lines with such ends */
};

struct simulation {
    uint64_t seed, random; /* the generator's state */
    uint64_t step;
    struct run runs[RUNS_MAX];
    size_t open[RUNS_MAX], open_count; /* indexes of those in use */
    size_t open_max;                   /* of this seed */
    size_t pool_pace;                  /* once in so many steps the pool has one done */
    bool is_crowded;                   /* all clients have one address and come within seconds: they cost much */
    struct generation generations[GENERATIONS];
    size_t generation; /* of them, the one that accepts */
    unsigned generation_count;
    unsigned started, ended;
    uint64_t pool_full_until; /* step */
};
extern struct simulation simulation; /* of one seed */

struct simulation_totals {
    uint64_t sessions, steps;
    uint64_t waits; /* for a turn */
    uint64_t faults[FAULT_COUNT];
    struct troubles troubles;
    struct checks checks;
};
extern struct simulation_totals simulation_totals; /* of all seeds */

/* An invariant does not hold: tells the seed, the step and the run (NULL: none in particular), and ends. */
NORETURN void simulation_fail(const struct run *r, const char *what);

/* simulation_run.c */
uint64_t simulation_random(void);
size_t simulation_below(size_t n);
void simulation_start_generation(void);
struct run *simulation_start_run(void);
struct run *simulation_run_of(const struct session *s); /* NULL: it is nobody's any more */
bool simulation_is_closed(const struct run *r);         /* its session's memory may be another's by now */
static inline bool simulation_is_let_alone(const struct run *r)
{
    return !r->met && !r->shaken;
}
void simulation_nudge(struct run *r);
void simulation_connect_one(void);
void simulation_run_pool(void);
bool simulation_is_silent(const struct run *r); /* nothing but time moves it on */
void simulation_finish(struct run *r);          /* its session is closed */
void simulation_open(void);                     /* once */

/* simulation_checks.c */
void simulation_note_end(const char *conn, const char *end, uint64_t received_bytes, uint64_t sent_bytes);
void simulation_check_run(struct run *r);       /* while it is open, after each thing that happens to it */
void simulation_check_all(void);                /* now and then */
void simulation_check_end(const struct run *r); /* its session is closed */
void simulation_check_generation(const struct generation *g); /* its last session is freed */

#endif
