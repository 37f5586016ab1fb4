/* A simulation of whole sessions; see tests/unit/proxy/simulation.h.
 *
 *     test_simulation                       the seeds of the list below, and the first 250
 *     test_simulation --seeds FIRST-LAST    those, and nothing else
 *     test_simulation --seed N --trace      one of them, step by step
 *
 * A seed is SESSIONS sessions. What fails tells its seed and step, and ends the program. A seed that found something
 * belongs into the list. */
#include "simulation.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS = 100, SEEDS_DEFAULT = 250, SECONDS_MAX = 100, SHAKE_MS = 2500, CHECK_STEPS = 256 };

/* Each has found something once: in the simulation itself, or in what it simulates. */
static const uint64_t seeds_of_old[] = {13, 14, 41, 100, 140, 165, 181};

/* ---- time ---- */

/* A balancer has little time for its header, whatever the timeouts of its service are. */
static void shake_late_headers(void)
{
    for (size_t i = 0; i < simulation.open_count; i++) {
        struct run *r = &simulation.runs[simulation.open[i]];

        if (!simulation_is_closed(r) && r->session->state == SESSION_PROXY_HEADER &&
            r->session->deadline_ms <= fake_now_ms)
            r->shaken = true;
    }
}

static void pass_time(uint64_t ms)
{
    fake_now_ms += ms;
    shake_late_headers();
    for (size_t i = 0; i < GENERATIONS; i++)
        if (simulation.generations[i].is_up)
            wheel_advance(&simulation.generations[i].plane.wheel, fake_now_ms, session_calls.on_due,
                          &simulation.generations[i].plane);
}

static void shake_all(void)
{
    for (size_t i = 0; i < simulation.open_count; i++)
        simulation.runs[simulation.open[i]].shaken = true;
}

/* Whoever waits for nothing but time. */
static void pass_all_time(void)
{
    fake_trace("  all time passes");
    simulation_totals.troubles.times++;
    for (size_t i = 0; i < simulation.open_count; i++)
        simulation.runs[simulation.open[i]].aged = true;
    pass_time(SIMULATION_TIMEOUT_MS / 2);
    pass_time(SIMULATION_TIMEOUT_MS);
    pass_time(SHAKE_MS);
    for (size_t i = 0; i < simulation.open_count; i++)
        if (!simulation_is_closed(&simulation.runs[simulation.open[i]]))
            simulation_fail(&simulation.runs[simulation.open[i]], "all time has passed, and it has not ended");
}

static bool all_are_silent(void)
{
    for (size_t i = 0; i < GENERATIONS; i++)
        if (simulation.generations[i].is_up && handshake_turns_waiting(simulation.generations[i].plane.turns) > 0)
            return false;
    for (size_t i = 0; i < simulation.open_count; i++)
        if (!simulation_is_silent(&simulation.runs[simulation.open[i]]))
            return false;
    return simulation.open_count > 0 && fake_pool_size() == 0;
}

/* ---- what concerns all ---- */

static struct generation *old_generation(void)
{
    struct generation *g = &simulation.generations[(simulation.generation + 1) % GENERATIONS];

    return g->is_up ? g : NULL;
}

static void stop_sessions(struct generation *g)
{
    for (struct session *s = g->plane.sessions, *next; s != NULL; s = next) {
        struct run *r = simulation_run_of(s);

        next = s->next;
        r->stopped = r->shaken = true;
        session_shut_down(s);
    }
}

/* As proxy/worker/worker.c: a new worker accepts, the old one lets its sessions end, and after drain_timeout it ends
 * them. */
static void reload(void)
{
    struct generation *old = old_generation();

    if (old == NULL && simulation_below(4000) == 0) {
        fake_trace("  a reload");
        simulation_totals.troubles.reloads++;
        simulation_start_generation();
    } else if (old != NULL && simulation_below(60000) == 0) {
        fake_trace("  drain_timeout is over");
        simulation_totals.troubles.drain_timeouts++;
        stop_sessions(old);
    } else if (old != NULL && old->plane.sessions_not_freed == 0) {
        fake_trace("  the old worker ends");
        simulation_check_generation(old);
        fake_plane_stop(&old->plane);
        old->is_up = false;
    }
}

static void trouble(void)
{
    if (simulation_below(60000) == 0) {
        fake_trace("  the pool is full");
        simulation_totals.troubles.pool_full++;
        simulation.pool_full_until = simulation.step + 1500;
    }
    if (simulation_below(simulation.is_crowded ? 60000 : 4000) == 0) { /* idle sessions give their buffers back */
        fake_trace("  %d ms pass", SHAKE_MS);
        simulation_totals.troubles.idle_times++;
        pass_time(SHAKE_MS);
    }
    if (simulation_below(400000) == 0) {
        shake_all();
        pass_all_time();
    }
    if (simulation_below(400000) == 0) {
        fake_trace("  all are stopped");
        simulation_totals.troubles.stops++;
        for (size_t i = 0; i < GENERATIONS; i++)
            if (simulation.generations[i].is_up)
                stop_sessions(&simulation.generations[i]);
    }
    reload();
}

/* ---- steps ---- */

static void give_handshake_turns(void)
{
    for (size_t i = 0; i < GENERATIONS; i++) {
        struct handshake_turns *turns = simulation.generations[i].plane.turns;

        if (!simulation.generations[i].is_up)
            continue;
        simulation_totals.waits += handshake_turns_waiting(turns);
        handshake_turns_begin_round(turns);
        if (handshake_turns_give(turns))
            handshake_turns_begin_round(turns);
    }
}

static bool take_turns(void)
{
    bool any = false;

    for (size_t i = 0; i < GENERATIONS; i++)
        any |= simulation.generations[i].is_up && fake_plane_take_turns(&simulation.generations[i].plane);
    return any;
}

static void check_all(void)
{
    simulation_check_all();
    for (size_t i = 0; i < simulation.open_count; i++)
        simulation_check_run(&simulation.runs[simulation.open[i]]);
}

static void step_all(void)
{
    if (simulation_below(4) == 0)
        simulation_connect_one();
    if (simulation_below(simulation.pool_pace) == 0)
        simulation_run_pool();
    if (simulation_below(8) == 0)
        (void)take_turns();
    if (simulation_below(simulation.is_crowded ? 512 : 64) == 0)
        give_handshake_turns();
    if (simulation_below(simulation.is_crowded ? 128 : 16) == 0)
        pass_time(simulation_below(20));
    if (simulation.step % CHECK_STEPS == 0) {
        check_all();
        if (all_are_silent())
            pass_all_time();
    }
}

static void step(void)
{
    struct run *r;

    simulation.step++;
    fake_trace("step %llu", (unsigned long long)simulation.step);
    trouble();
    if (simulation.started < SESSIONS && simulation.open_count < simulation.open_max &&
        (simulation.open_count == 0 || simulation_below(8) == 0))
        simulation_check_run(simulation_start_run());
    if (simulation.open_count == 0)
        return;
    r = &simulation.runs[simulation.open[simulation_below(simulation.open_count)]];
    if (simulation_is_closed(r)) {
        simulation_finish(r);
        return;
    }
    simulation_nudge(r);
    simulation_check_run(r);
    step_all();
}

static void begin(uint64_t seed)
{
    alarm(SECONDS_MAX); /* a loop without an end tells its seed as well */
    memset(&simulation, 0, sizeof(simulation));
    simulation.seed = seed;
    simulation.random = seed * 0xbf58476d1ce4e5b9u;
    simulation.open_max = simulation_below(2) == 0 ? RUNS_MAX : 1 + simulation_below(RUNS_MAX);
    simulation.pool_pace = simulation_below(2) == 0 ? 3 : 50;
    simulation.is_crowded = simulation_below(3) == 0;
    fake_turns_max = simulation.is_crowded && simulation_below(2) == 0 ? 1 + simulation_below(4) : FAKE_TURNS_MAX;
    fake_world_restart();
    simulation_start_generation();
}

static void end(void)
{
    while (fake_pool_size() > 0)
        fake_pool_run(0);
    while (take_turns())
        ;
    simulation_check_all();
    for (size_t i = 0; i < GENERATIONS; i++) {
        struct generation *g = &simulation.generations[i];

        if (!g->is_up)
            continue;
        if (g->plane.sessions_not_freed != 0)
            simulation_fail(NULL, "a session is never freed");
        simulation_check_generation(g);
        fake_plane_stop(&g->plane);
    }
    if (fake_engines != 0 || fake_transports != NULL || fake_connectors() != 0)
        simulation_fail(NULL, "something of a session is left");
    simulation_totals.sessions += simulation.ended;
    simulation_totals.steps += simulation.step;
}

static void simulate(uint64_t seed)
{
    begin(seed);
    while (simulation.ended < SESSIONS)
        step();
    end();
}

/* ---- what is told ---- */

static void tell_seed(int number)
{
    char text[160];
    int size = snprintf(
        text, sizeof(text), "seed %llu, step %llu (to see it again: test_simulation --seed %llu --trace)\n",
        (unsigned long long)simulation.seed, (unsigned long long)simulation.step, (unsigned long long)simulation.seed);

    fflush(stdout); /* nobody else is writing: it is this thread that has failed */
    (void)!write(STDERR_FILENO, text, (size_t)size);
    signal(number, SIG_DFL);
    raise(number);
}

/* The sanitizers end the program without a signal, and call this one before. */
void __asan_on_error(void);
void __asan_on_error(void)
{
    tell_seed(SIGABRT);
}

static void tell_totals(double seconds)
{
    const struct simulation_totals *t = &simulation_totals;

    printf("%llu sessions of %zu kinds in %.1f s of processor time, %.0f a second; %llu steps, %llu waits for a turn\n",
           (unsigned long long)t->sessions, simulation_services()->count / 2, seconds, (double)t->sessions / seconds,
           (unsigned long long)t->steps, (unsigned long long)t->waits);
    printf("faults:");
    for (size_t i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
        printf(" %s %llu", fault_names[i], (unsigned long long)t->faults[i]);
    printf("\ntroubles:");
#define TELL_TROUBLE(name) printf(" " #name " %u", t->troubles.name);
    TROUBLES(TELL_TROUBLE)
    printf("\nchecks:\n");
#define TELL_CHECK(name, words) printf("%12llu %s\n", (unsigned long long)t->checks.name, words);
    CHECKS(TELL_CHECK)
}

/* A simulation in which something never happens says nothing about it. */
static void check_totals(void)
{
    const struct simulation_totals *t = &simulation_totals;

    if (t->sessions < 50 * SESSIONS)
        return;
    for (size_t i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
        if (t->faults[i] == 0) {
            fprintf(stderr, "nobody ever met %s\n", fault_names[i]);
            abort();
        }
#define CHECK_TROUBLE(name) &&t->troubles.name > 0
    if (!(t->waits > 0 TROUBLES(CHECK_TROUBLE)))
        simulation_fail(NULL, "something that concerns all never happened");
}

static int usage(int status)
{
    fprintf(status == 0 ? stdout : stderr, "usage: test_simulation [--seeds FIRST-LAST | --seed N [--trace]]\n");
    return status;
}

int main(int argc, char **argv)
{
    unsigned long long first = 1, last = SEEDS_DEFAULT;
    bool chosen = false;
    clock_t start;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return usage(0);
        if (strcmp(argv[i], "--trace") == 0) {
            fake_traces = true;
            continue;
        }
        chosen = true;
        if (i + 1 == argc || (strcmp(argv[i], "--seed") != 0 && strcmp(argv[i], "--seeds") != 0))
            return usage(2);
        if (sscanf(argv[++i], "%llu-%llu", &first, &last) == 1)
            last = first;
    }
    signal(SIGABRT, tell_seed);
    signal(SIGALRM, tell_seed);
    signal(SIGSEGV, tell_seed);
    simulation_open();
    start = clock();
    if (!chosen)
        for (size_t i = 0; i < ARRAY_LEN(seeds_of_old); i++)
            simulate(seeds_of_old[i]);
    for (uint64_t seed = first; seed <= last; seed++)
        simulate(seed);
    tell_totals((double)(clock() - start) / CLOCKS_PER_SEC);
    check_totals();
    return 0;
}
