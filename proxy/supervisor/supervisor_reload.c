/* see proxy/supervisor/supervisor_internal.h: from a file to a running generation.
 *
 *   supervisor_reload() --> [waits while SUPERVISOR_GENERATIONS_MAX are alive] --> read, parse, prepare
 *       --> [waits while new agents load their modules] --> generation starts --> on_ready: commit, old ones drain
 *                |                                                  |                  --> finish(good)
 *                `--> on_agents_failed: abandon --> finish(bad)     `--> on_failed: abandon --> finish(bad)
 *
 * Order of preparation: what can fail for the administrator's reasons comes first, workers last. So it is with modules,
 * too: workers may be ready, and accept connections, before a module that they have no use for has failed. */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/process/drop.h"
#include "proxy/process/findings.h"
#include "proxy/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum reload_result { RELOAD_GOOD, RELOAD_BAD };

const struct config *supervisor_config(const struct supervisor *s)
{
    return s->current == NULL ? NULL : generation_config(s->current);
}

/* --- the outcome --- */

static void log_outcome(const struct supervisor *s, enum reload_result result, const char *report)
{
    if (result == RELOAD_GOOD)
        log_line(LOG_LEVEL_INFO, s->generation_number == 1 ? "ready" : "reloaded",
                 log_number("generation", s->generation_number),
                 log_number("workers", generation_worker_count(s->current)));
    else if (s->state != SUPERVISOR_STARTING) /* else it is said on standard error */
        findings_log("reload_failed", report);
}

static void tell(struct reload_waiter *waiters, enum reload_result result, const char *report)
{
    while (waiters != NULL) {
        struct reload_waiter *next = waiters->next;

        waiters->done(waiters->data, result == RELOAD_GOOD, report);
        free(waiters);
        waiters = next;
    }
}

static void finish(struct supervisor *s, enum reload_result result, const char *report)
{
    struct reload_waiter *waiters = s->waiters;

    log_outcome(s, result, report);
    s->reloads++;
    if (result == RELOAD_BAD) {
        s->reloads_failed++;
        if (s->state == SUPERVISOR_DRAINED)
            listen_sockets_close(s->sockets);
    }
    s->next = NULL;
    s->reloading = s->reload_again;
    s->reload_again = false;
    s->waiters = s->waiters_later;
    s->waiters_later = NULL;
    if (s->state != SUPERVISOR_STARTING)
        notify_ready(result == RELOAD_GOOD ? "Running." : "Running; the last reload failed, see the log.");
    tell(waiters, result, report);
    supervisor_go_on(s);
}

static void finish_with_findings(struct supervisor *s, struct config_findings *findings)
{
    char *report = findings_text(findings);

    config_findings_clear(findings);
    finish(s, RELOAD_BAD, report);
    free(report);
}

/* --- preparation --- */

/* The snapshot in a sealed memory file, for every worker of the generation. -1 with a finding. */
static int snapshot_keep(const struct supervisor *s, const struct config_snapshot *snapshot,
                         struct config_findings *findings)
{
    struct config_place place = {.file = s->config_path};
    int fd = memfd_create("yett-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && config_snapshot_write(snapshot, fd) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return fd;
    config_finding_add(findings, place, "cannot keep the configuration in memory: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What is made once for the life of the process, and what the process is. */
static bool fixed_settings(struct supervisor *s, const struct config *config, struct config_findings *findings)
{
    struct config_place place = {.file = s->config_path};
    struct drop drop;

    if (!drop_find(config, &drop, findings) || !drop_is_possible(config, &drop, findings))
        return false;
    control_roles_destroy(&s->next_roles);
    s->next_roles = control_roles_create(config, findings);
    if (s->next_roles == NULL)
        return false;
    if (s->control == NULL || strcmp(control_server_path(s->control), config->control) == 0)
        return true;
    config_finding_add(findings, place, "control cannot change from %s to %s while yett is running: stop and start it",
                       control_server_path(s->control), config->control);
    return false;
}

static bool open_control(struct supervisor *s, const struct config *config, struct config_findings *findings)
{
    struct config_place place = {.file = s->config_path};
    char *error = NULL;

    if (s->control != NULL)
        return true;
    s->control = control_server_start(&s->loop, config->control, supervisor_desk(s), &error);
    if (s->control != NULL)
        return true;
    config_finding_add(findings, place, "%s", error);
    free(error);
    return false;
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
    return a->type == b->type && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The admin endpoint of a new configuration, where it is another one; the old one serves until the commit. */
static bool open_admin(struct supervisor *s, const struct config *config, struct config_findings *findings)
{
    char *error = NULL;

    if (config->admin == NULL || (s->admin != NULL && same_address(admin_address(s->admin), config->admin)))
        return true;
    s->next_admin = admin_start(&s->loop, config->admin, supervisor_desk(s), &error);
    if (s->next_admin != NULL)
        return true;
    config_finding_add(findings, config->admin->place, "%s", error);
    free(error);
    return false;
}

static void abandon(struct supervisor *s)
{
    admin_stop(&s->next_admin);
    control_roles_destroy(&s->next_roles);
    agents_abandon(s->agents);
    listen_sockets_abandon(s->sockets);
}

/* The control socket first: it is how two yetts with one configuration notice each other. */
static bool prepare(struct supervisor *s, const struct config *config, struct config_findings *findings)
{
    enum agents_prompt prompt = s->state == SUPERVISOR_STARTING ? AGENTS_PROMPT_ON_TERMINAL : AGENTS_PROMPT_NEVER;

    if (s->state == SUPERVISOR_STARTING)
        log_open("supervisor", config->log, config->log_format, (enum log_level)config->log_level);
    if (!fixed_settings(s, config, findings) || !intermediates_check(config, findings) ||
        !open_control(s, config, findings) || !agents_prepare(s->agents, config, prompt, findings))
        return false;
    if (!listen_sockets_prepare(s->sockets, config, generation_workers_wanted(config), findings)) {
        agents_abandon(s->agents);
        return false;
    }
    if (open_admin(s, config, findings)) {
        intermediates_prepare(s->intermediates, config);
        return true;
    }
    abandon(s);
    return false;
}

static void commit(struct supervisor *s, struct generation *g)
{
    const struct config *config = generation_config(g);
    struct config_findings findings = {0};
    struct drop drop;

    if (!drop_find(config, &drop, &findings)) /* as it was found before; users have been changed meanwhile */
        config_findings_clear(&findings);
    log_open("supervisor", config->log, config->log_format, (enum log_level)config->log_level);
    listen_sockets_commit(s->sockets, config);
    agents_commit(s->agents, config, drop_owner(&drop));
    intermediates_commit(s->intermediates);
    if (s->next_admin != NULL || config->admin == NULL) {
        admin_stop(&s->admin);
        s->admin = s->next_admin;
        s->next_admin = NULL;
    }
    control_server_set_roles(s->control, s->next_roles);
    s->next_roles = NULL;
    totals_keep(&s->totals, config);
    for (size_t i = s->generation_count; i-- > 0;)
        if (s->generations[i] != g)
            generation_drain(s->generations[i]);
    s->current = g;
    s->state = SUPERVISOR_RUNNING;
}

/* --- a generation's news --- */

static void on_ready(void *owner, struct generation *g)
{
    struct supervisor *s = owner;

    commit(s, g);
    finish(s, RELOAD_GOOD, "");
}

static void on_failed(void *owner, struct generation *g, const char *why)
{
    struct supervisor *s = owner;

    if (g != s->next)
        return; /* a stop came first */
    abandon(s);
    finish(s, RELOAD_BAD, why);
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

/* --- the steps --- */

/* On what is prepared. */
static void start_generation(struct supervisor *s)
{
    char *error = NULL;
    struct generation *g = generation_start(&s->loop, ++s->generation_number, s->prepared, s->prepared_fd, &s->shared,
                                            &supervisor_generation_events, s, &error);

    s->prepared = NULL; /* the generation has it */
    assert(s->generation_count < SUPERVISOR_GENERATIONS_MAX);
    s->generations[s->generation_count++] = g;
    s->next = g;
    if (error == NULL)
        return;
    abandon(s);
    s->next = NULL;
    finish(s, RELOAD_BAD, error);
    free(error);
}

static void forget_prepared(struct supervisor *s)
{
    if (s->prepared != NULL)
        close(s->prepared_fd);
    config_destroy(&s->prepared);
}

bool supervisor_reload_has_begun(const struct supervisor *s)
{
    return s->prepared != NULL || s->next != NULL;
}

static void on_agents_ready(void *owner)
{
    struct supervisor *s = owner;

    if (s->prepared != NULL)
        start_generation(s);
}

/* When the workers are starting already: sooner than those who wait for the agent would say so, and with the reason. */
static void on_agents_failed(void *owner, const char *report)
{
    struct supervisor *s = owner;

    if (!supervisor_reload_has_begun(s))
        return;
    abandon(s);
    forget_prepared(s);
    if (s->next != NULL)
        generation_stop(s->next);
    finish(s, RELOAD_BAD, report);
}

const struct agents_events supervisor_agents_events = {.on_candidates_ready = on_agents_ready,
                                                       .on_candidates_failed = on_agents_failed,
                                                       .on_empty = supervisor_agents_gone};

void supervisor_reload_start(struct supervisor *s)
{
    struct config_findings findings = {0};
    struct config_snapshot *snapshot;
    struct config *config = NULL;
    int snapshot_fd = -1;

    if (s->state != SUPERVISOR_STARTING)
        notify_reloading();
    snapshot = config_snapshot_read(s->config_path, &findings);
    if (snapshot != NULL)
        config = config_parse(snapshot, &findings);
    if (config != NULL)
        snapshot_fd = snapshot_keep(s, snapshot, &findings);
    config_snapshot_destroy(&snapshot);
    if (snapshot_fd >= 0 && prepare(s, config, &findings)) {
        config_findings_clear(&findings);
        s->prepared = config;
        s->prepared_fd = snapshot_fd;
        if (agents_candidates_are_ready(s->agents))
            start_generation(s);
        return;
    }
    if (snapshot_fd >= 0)
        close(snapshot_fd);
    config_destroy(&config);
    finish_with_findings(s, &findings);
}

static void waiter_add(struct reload_waiter **list, control_reloaded done, void *data)
{
    struct reload_waiter *waiter = base_alloc(sizeof(*waiter));

    *waiter = (struct reload_waiter){.next = *list, .done = done, .data = data};
    *list = waiter;
}

void supervisor_reload(struct supervisor *s, control_reloaded done, void *data)
{
    if (s->state == SUPERVISOR_STOPPING) {
        done(data, false, "yett is stopping");
        return;
    }
    /* One that has begun may have read the file before its last change: do another. One that has not may be joined. */
    if (s->reloading && supervisor_reload_has_begun(s)) {
        s->reload_again = true;
        waiter_add(&s->waiters_later, done, data);
        return;
    }
    waiter_add(&s->waiters, done, data);
    if (s->reloading)
        return;
    s->reloading = true;
    if (s->generation_count == SUPERVISOR_GENERATIONS_MAX)
        log_line(LOG_LEVEL_INFO, "reload_waits", log_number("generations", (int64_t)s->generation_count));
    supervisor_go_on(s);
}

void supervisor_reload_cancel(struct supervisor *s)
{
    struct reload_waiter *waiters = s->waiters, *later = s->waiters_later;

    if (supervisor_reload_has_begun(s))
        abandon(s);
    forget_prepared(s);
    s->next = NULL;
    s->reloading = s->reload_again = false;
    s->waiters = s->waiters_later = NULL;
    tell(waiters, RELOAD_BAD, "yett is stopping");
    tell(later, RELOAD_BAD, "yett is stopping");
}
