/* see proxy/supervisor/supervisor_internal.h: what generations and agents tell, and who is to know. */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/process/log.h"

/* --- a generation's news --- */

static void on_ready(void *owner, struct generation *g)
{
    struct supervisor *s = owner;

    assert(g == s->next);
    reload_tell(&s->reload, RELOAD_WORKERS_READY, NULL);
}

static void on_failed(void *owner, struct generation *g, const char *why)
{
    struct supervisor *s = owner;

    if (g == s->next) /* else a stop came first */
        reload_tell(&s->reload, RELOAD_WORKERS_FAILED, why);
}

static void on_connection(void *owner, struct generation *g, struct worker_process *w, const char *json)
{
    supervisor_gather_item(owner, g, w, json);
}

/* What one worker has learnt, all want to know. */
static void on_intermediate(void *owner, struct worker_process *from, const char *pem)
{
    struct supervisor *s = owner;

    if (!intermediates_learn(s->intermediates, pem))
        return;
    for (size_t i = 0; i < s->generation_count; i++)
        for (unsigned k = 0; k < generation_worker_count(s->generations[i]); k++) {
            struct worker_process *w = generation_worker(s->generations[i], k);

            if (w != NULL && w != from)
                worker_process_tell_intermediate(w, pem);
        }
}

static void on_connections_end(void *owner, struct worker_process *w)
{
    supervisor_gather_end(owner, w);
}

static void on_worker_started(void *owner, const struct generation *g, const struct worker_process *w)
{
    (void)w;
    supervisor_grant(owner, g);
}

static void on_worker_gone(void *owner, struct generation *g, const struct worker_process *w)
{
    struct supervisor *s = owner;

    totals_fold(&s->totals, generation_config(g), worker_process_counters(w));
}

static void on_worker_died(void *owner, struct generation *g)
{
    struct supervisor *s = owner;

    (void)g;
    s->worker_deaths++;
    session_cache_repair(s->session_cache);
}

static void on_ended(void *owner, struct generation *g)
{
    struct supervisor *s = owner;
    size_t kept = 0;

    for (size_t i = 0; i < s->generation_count; i++)
        if (s->generations[i] != g)
            s->generations[kept++] = s->generations[i];
    s->generation_count = kept;
    supervisor_tell_file_keys(s, s->prepared_keys);
    log_line(LOG_LEVEL_DEBUG, "generation_ended", log_number("generation", generation_number(g)));
    supervisor_go_on(s);
}

const struct generation_events supervisor_generation_events = {.on_ready = on_ready,
                                                               .on_failed = on_failed,
                                                               .on_worker_started = on_worker_started,
                                                               .on_connection = on_connection,
                                                               .on_intermediate = on_intermediate,
                                                               .on_connections_end = on_connections_end,
                                                               .on_worker_gone = on_worker_gone,
                                                               .on_worker_died = on_worker_died,
                                                               .on_ended = on_ended};

/* --- the agents' --- */

static void on_agents_ready(void *owner)
{
    struct supervisor *s = owner;

    reload_tell(&s->reload, RELOAD_AGENTS_READY, NULL);
}

static void on_agents_failed(void *owner, const char *report)
{
    struct supervisor *s = owner;

    reload_tell(&s->reload, RELOAD_AGENTS_FAILED, report);
}

const struct agents_events supervisor_agents_events = {.on_candidates_ready = on_agents_ready,
                                                       .on_candidates_failed = on_agents_failed,
                                                       .on_empty = supervisor_agents_gone};
