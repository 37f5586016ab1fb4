/* see proxy/supervisor/supervisor_internal.h: the steps of a reload, in the order of proxy/supervisor/reload.h.
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

static void outcome(void *owner, enum reload_result result, const char *report)
{
    struct supervisor *s = owner;

    log_outcome(s, result, report);
    s->reloads++;
    if (result == RELOAD_BAD) {
        s->reloads_failed++;
        if (s->state == SUPERVISOR_DRAINED)
            listen_sockets_close(s->sockets);
    }
    if (s->state != SUPERVISOR_STARTING)
        notify_ready(result == RELOAD_GOOD ? "Running." : "Running; the last reload failed, see the log.");
    supervisor_look_for_tokens(s);
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
    struct drop drop;

    if (!drop_find(config, &drop, findings) || !drop_is_possible(config, &drop, findings))
        return false;
    control_roles_destroy(&s->next_roles);
    s->next_roles = control_roles_create(config, findings);
    if (s->next_roles == NULL)
        return false;
    if (s->control == NULL || strcmp(control_server_path(s->control), config->control) == 0)
        return true;
    config_finding_add(findings, config->control_place,
                       "control cannot change from %s to %s while yett is running: stop and start it",
                       control_server_path(s->control), config->control);
    return false;
}

static bool open_control(struct supervisor *s, const struct config *config, struct config_findings *findings)
{
    char *error = NULL;

    if (s->control != NULL)
        return true;
    s->control = control_server_start(&s->loop, config->control, supervisor_desk(s), &error);
    if (s->control != NULL)
        return true;
    config_finding_add(findings, config->control_place, "%s", error);
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
        !file_keys_read(config, s->file_keys_salt, &s->prepared_keys, findings) || !open_control(s, config, findings) ||
        !agents_prepare(s->agents, config, prompt, findings))
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

/* Takes both. */
static char *join_warnings(char **first, char *second)
{
    const char *one = *first == NULL ? "" : *first;
    char *all = base_printf("%s%s%s", one, one[0] == '\0' || second[0] == '\0' ? "" : "\n", second);

    free(*first);
    *first = NULL;
    free(second);
    return all;
}

static void commit(void *owner, char **report)
{
    struct supervisor *s = owner;
    struct generation *g = s->next;
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
    s->roots_age = roots_age_read(config);
    for (size_t i = s->generation_count; i-- > 0;) {
        if (s->generations[i] != g && s->reopened)
            generation_retire(s->generations[i]);
        else if (s->generations[i] != g)
            generation_drain(s->generations[i]);
    }
    *report = join_warnings(&s->prepared_warnings, generation_warnings(g));
    s->current = g;
    s->next = NULL;
    s->state = SUPERVISOR_RUNNING;
}

/* --- the other steps --- */

static bool has_room(void *owner)
{
    const struct supervisor *s = owner;

    return s->generation_count < SUPERVISOR_GENERATIONS_MAX;
}

static bool read_and_prepare(void *owner, char **report)
{
    struct supervisor *s = owner;
    struct config_findings findings = {0};
    struct config_snapshot *snapshot;
    struct config *config = NULL;
    int snapshot_fd = -1;

    if (s->state != SUPERVISOR_STARTING)
        notify_reloading();
    s->reopened = s->reopening && !s->asked && s->current != NULL;
    s->reopening = s->asked = false;
    snapshot = s->reopened ? config_snapshot_from_fd(generation_snapshot_fd(s->current), &findings)
                           : config_snapshot_read(s->config_path, &findings);
    if (snapshot != NULL)
        config = config_parse(snapshot, &findings);
    if (config != NULL)
        snapshot_fd = snapshot_keep(s, snapshot, &findings);
    config_snapshot_destroy(&snapshot);
    if (snapshot_fd >= 0 && prepare(s, config, &findings)) {
        roots_age_check(config, &findings);
        free(s->prepared_warnings);
        s->prepared_warnings = findings_warnings_text(&findings);
        findings_log_notes(&findings);
        config_findings_clear(&findings);
        s->prepared = config;
        s->prepared_fd = snapshot_fd;
        return true;
    }
    if (snapshot_fd >= 0)
        close(snapshot_fd);
    config_destroy(&config);
    file_keys_destroy(&s->prepared_keys);
    *report = findings_text(&findings);
    config_findings_clear(&findings);
    return false;
}

static bool agents_are_ready(void *owner)
{
    const struct supervisor *s = owner;

    return agents_candidates_are_ready(s->agents);
}

static bool start_generation(void *owner, char **report)
{
    struct supervisor *s = owner;
    const struct generation_settings settings = {s->prepared, s->prepared_fd, s->prepared_keys};
    struct generation *g;

    s->token_came = false;
    supervisor_tell_file_keys(s, s->prepared_keys);
    g = generation_start(&s->loop, ++s->generation_number, &settings, &s->shared, &supervisor_generation_events, s,
                         report);
    s->prepared = NULL; /* the generation has it */
    s->prepared_keys = NULL;
    assert(s->generation_count < SUPERVISOR_GENERATIONS_MAX);
    s->generations[s->generation_count++] = g;
    s->next = g;
    return *report == NULL;
}

/* What a generation that is stopped tells from then on is no news: it is not the next one any more. */
static void undo(void *owner)
{
    struct supervisor *s = owner;
    struct generation *next = s->next;

    s->next = NULL;
    abandon(s);
    if (s->prepared != NULL)
        close(s->prepared_fd);
    config_destroy(&s->prepared);
    file_keys_destroy(&s->prepared_keys);
    free(s->prepared_warnings);
    s->prepared_warnings = NULL;
    supervisor_tell_file_keys(s, NULL);
    if (next != NULL)
        generation_stop(next);
}

const struct reload_steps supervisor_reload_steps = {.has_room = has_room,
                                                     .read = read_and_prepare,
                                                     .agents_are_ready = agents_are_ready,
                                                     .start_workers = start_generation,
                                                     .commit = commit,
                                                     .undo = undo,
                                                     .outcome = outcome};

void supervisor_reload(struct supervisor *s, control_reloaded done, void *data)
{
    if (!reload_is_under_way(&s->reload) && s->state != SUPERVISOR_STOPPING && !has_room(s))
        log_line(LOG_LEVEL_INFO, "reload_waits", log_number("generations", (int64_t)s->generation_count));
    s->asked = true;
    reload_ask(&s->reload, done, data);
}
