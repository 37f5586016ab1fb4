/* see proxy/supervisor/supervisor_internal.h: what generations and agents tell, and who is to know. */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/process/log.h"

/* --- a generation's news --- */

static void on_ready(void *owner, struct generation *g)
{
    struct supervisor *s = owner;

    assert(g == s->next);
    /* A PIN that was refused was so before the worker that needed it was ready, though this may be heard first. */
    agents_hear_candidates(s->agents);
    if (g == s->next)
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

static void on_opened_anew(void *data, bool good, const char *report)
{
    (void)data; /* how it went is in the log */
    (void)good;
    (void)report;
}

/* At once at first; one that is not the awaited one, or comes and goes, has workers start anew less and less often. */
static uint64_t token_wait_ms(unsigned opened_anew)
{
    uint64_t wait_ms = opened_anew == 0 ? 0 : SUPERVISOR_TOKEN_WAIT_MS;

    for (unsigned i = 1; i < opened_anew && wait_ms < SUPERVISOR_TOKEN_WAIT_MS_MAX; i++)
        wait_ms *= 2;
    return wait_ms;
}

void supervisor_look_for_tokens(struct supervisor *s)
{
    if (s->state != SUPERVISOR_RUNNING || s->current == NULL || !generation_waits_for_tokens(s->current))
        s->opened_anew = 0;
    else if (s->token_came && !uv_is_active((uv_handle_t *)&s->token_timer))
        uv_timer_start(&s->token_timer, supervisor_on_token_timer, token_wait_ms(s->opened_anew), 0);
}

/* Sessions of services that have nothing to do with the token are not cut for its sake, so old workers may stay for
 * long; not too many of them. */
static void limit_retired(struct supervisor *s)
{
    size_t retired = 0;

    for (size_t i = s->generation_count; i-- > 0;)
        if (generation_is_retired(s->generations[i]) && ++retired >= SUPERVISOR_RETIRED_MAX)
            generation_drain(s->generations[i]);
}

/* Workers that started while a token was away open it by starting anew, as in a reload, but with the configuration that
 * is in force: what somebody is writing into the file is not meant yet. */
void supervisor_on_token_timer(uv_timer_t *timer)
{
    struct supervisor *s = timer->data;

    if (!s->token_came || s->state != SUPERVISOR_RUNNING || s->current == NULL ||
        !generation_waits_for_tokens(s->current) || reload_is_under_way(&s->reload))
        return; /* a reload looks again when it is over */
    s->opened_anew++;
    s->reopening = true;
    log_line(LOG_LEVEL_INFO, "token_awaited", log_number("generation", generation_number(s->current)));
    limit_retired(s);
    reload_ask(&s->reload, on_opened_anew, NULL);
}

static void on_token(void *owner)
{
    struct supervisor *s = owner;

    s->token_came = true;
    supervisor_look_for_tokens(s);
}

const struct agents_events supervisor_agents_events = {.on_token = on_token,
                                                       .on_candidates_ready = on_agents_ready,
                                                       .on_candidates_failed = on_agents_failed,
                                                       .on_empty = supervisor_agents_gone};
