/* see proxy/supervisor/supervisor.h */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/process/harmless_signals.h"
#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "proxy/worker/sandbox.h"
#include "proxy/process/spawn.h"
#include <errno.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- the end --- */

static void close_everything(struct supervisor *s)
{
    for (size_t i = 0; i < ARRAY_LEN(s->signals); i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    uv_close((uv_handle_t *)&s->child_ended, NULL);
    uv_close((uv_handle_t *)&s->reap_timer, NULL);
    uv_close((uv_handle_t *)&s->gather_timer, NULL);
    uv_close((uv_handle_t *)&s->token_timer, NULL);
    notify_stop(&s->notify);
    control_server_stop(&s->control);
    admin_stop(&s->admin);
    intermediates_stop(s->intermediates);
    session_cache_destroy(&s->session_cache);
}

void supervisor_agents_gone(void *owner)
{
    struct supervisor *s = owner;

    close_everything(s);
}

void supervisor_go_on(struct supervisor *s)
{
    if (s->state != SUPERVISOR_STOPPING) {
        reload_tell(&s->reload, RELOAD_ROOM, NULL);
        return;
    }
    /* Agents last: a session that drains may still need a signature. */
    if (s->generation_count == 0)
        agents_stop(s->agents);
}

void supervisor_stop(struct supervisor *s, enum supervisor_stop how)
{
    bool first = s->state != SUPERVISOR_STOPPING;

    if (first) {
        log_line(LOG_LEVEL_INFO, "stopping", log_text("how", how == SUPERVISOR_STOP_NOW ? "now" : "gracefully"));
        notify_stopping();
        s->state = SUPERVISOR_STOPPING;
        reload_tell(&s->reload, RELOAD_STOPPED, NULL);
    }
    for (size_t i = s->generation_count; i-- > 0;) {
        if (how == SUPERVISOR_STOP_NOW)
            generation_stop(s->generations[i]);
        else
            generation_drain(s->generations[i]);
    }
    s->current = NULL;
    listen_sockets_close(s->sockets);
    if (first)
        supervisor_go_on(s);
}

void supervisor_drain(struct supervisor *s)
{
    if (s->state != SUPERVISOR_RUNNING)
        return;
    log_line(LOG_LEVEL_INFO, "draining", log_number("generations", (int64_t)s->generation_count));
    s->state = SUPERVISOR_DRAINED;
    for (size_t i = 0; i < s->generation_count; i++)
        if (s->generations[i] == s->current || generation_is_retired(s->generations[i]))
            generation_drain(s->generations[i]);
    s->current = NULL;
    if (!reload_is_under_way(&s->reload))
        listen_sockets_close(s->sockets);
}

void supervisor_login(struct supervisor *s, const char *module, const char *token, struct span pin,
                      control_logged_in done, void *done_data)
{
    char *error = NULL;
    struct tokens_pin *copy = tokens_pin_copy((const char *)pin.data, pin.size, &error);

    if (copy != NULL)
        agents_login(s->agents, module, token, copy, done, done_data);
    else
        done(done_data, false, error);
    free(error);
}

bool supervisor_logout(struct supervisor *s, const char *module, char **error)
{
    return agents_logout(s->agents, module, error);
}

bool supervisor_is_in_service(const struct supervisor *s)
{
    return s->state == SUPERVISOR_RUNNING && s->current != NULL;
}

/* --- signals --- */

static void on_reloaded_by_signal(void *data, bool good, const char *report)
{
    (void)data; /* how it went is in the log */
    (void)good;
    (void)report;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *s = handle->data;

    if (number == SIGHUP)
        supervisor_reload(s, on_reloaded_by_signal, NULL);
    else
        supervisor_stop(s, s->state == SUPERVISOR_STOPPING ? SUPERVISOR_STOP_NOW : SUPERVISOR_STOP_GRACEFULLY);
}

static const int signal_numbers[] = {SIGHUP, SIGTERM, SIGINT};
static_assert(ARRAY_LEN(signal_numbers) == ARRAY_LEN(((struct supervisor *)NULL)->signals), "a handle for each signal");

static void signals_init(struct supervisor *s)
{
    harmless_signals_ignore();
    for (size_t i = 0; i < ARRAY_LEN(signal_numbers); i++) {
        uv_signal_init(&s->loop, &s->signals[i]);
        s->signals[i].data = s;
    }
}

/* Until now a signal just ended us: somebody who is asked for a PIN can say no with Ctrl-C. */
static void signals_start(struct supervisor *s)
{
    for (size_t i = 0; i < ARRAY_LEN(signal_numbers); i++)
        uv_signal_start(&s->signals[i], on_signal, signal_numbers[i]);
}

/* --- orphans ---
 *
 * What a module has started stays below this process when the agent ends, so that it can be told from an
 * administrator's program (proxy/control/control_roles.h); and somebody has to reap it. libuv reaps the children it has
 * started, on the same signal: it goes first, and what is left a moment later is not its own. */

enum { REAP_AFTER_MS = 20 };

static bool is_child_of_ours(void *ctx, pid_t pid)
{
    (void)ctx;
    return child_is_alive(pid);
}

static void on_reap(uv_timer_t *timer)
{
    (void)timer;
    while (kin_reap_orphan(is_child_of_ours, NULL))
        ;
}

static void on_child_ended(uv_signal_t *handle, int number)
{
    struct supervisor *s = handle->data;

    (void)number;
    uv_timer_start(&s->reap_timer, on_reap, REAP_AFTER_MS, 0);
}

static void orphans_init(struct supervisor *s)
{
    (void)kin_adopt_orphans(); /* every Linux since 3.4 can */
    uv_timer_init(&s->loop, &s->reap_timer);
    uv_signal_init(&s->loop, &s->child_ended);
    s->child_ended.data = s;
    uv_signal_start(&s->child_ended, on_child_ended, SIGCHLD);
}

/* --- the start --- */

static void on_started(void *data, bool good, const char *report)
{
    struct supervisor *s = data;

    if (good)
        return;
    fprintf(stderr, "%s\n", report);
    s->exit_status = 1;
    supervisor_stop(s, SUPERVISOR_STOP_NOW);
}

/* A look at the configuration ahead of its time, for the one thing that cannot wait. What is wrong with it is told when
 * it is read in earnest; it then fails to start. */
static void take_environment(const char *config_path)
{
    struct config_findings findings = {0};
    struct config_snapshot *snapshot = config_snapshot_read(config_path, &findings);
    struct config *config = snapshot == NULL ? NULL : config_parse(snapshot, &findings);

    if (config != NULL)
        agents_take_environment(config);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);
    config_findings_clear(&findings);
}

/* What does not depend on the configuration. */
static bool prepare(struct supervisor *s)
{
    char *error = NULL;

    take_environment(s->config_path);

    spawn_reserve_low_fds();
    s->sockets = listen_sockets_create();
    s->intermediates = intermediates_create(&s->loop, INTERMEDIATES_WRITE_MS);
    s->agents = agents_create(&s->loop, LIMIT_MODULE_LOAD_MS, &supervisor_agents_events, s);
    uv_timer_init(&s->loop, &s->gather_timer);
    s->gather_timer.data = s;
    uv_timer_init(&s->loop, &s->token_timer);
    s->token_timer.data = s;
    signals_init(s);
    orphans_init(s);
    notify_start(&s->notify, &s->loop);
    s->session_cache = session_cache_create(&s->loop, &error);
    if (s->session_cache == NULL) {
        fprintf(stderr, "yett: %s\n", error);
        free(error);
        return false;
    }
    if (getrandom(s->file_keys_salt, sizeof(s->file_keys_salt), 0) != (ssize_t)sizeof(s->file_keys_salt)) {
        fprintf(stderr, "yett: the kernel gives no random bytes: %s\n", strerror(errno));
        return false;
    }
    s->shared = (struct generation_shared){.sockets = s->sockets,
                                           .intermediates = s->intermediates,
                                           .ticket_key_fd = session_cache_ticket_key_fd(s->session_cache),
                                           .session_cache = session_cache_inheritance(s->session_cache)};
    s->shared.cache_fds = session_cache_fds(s->session_cache, &s->shared.cache_fd_count);
    return true;
}

int supervisor_run(const char *config_path)
{
    struct supervisor s = {.config_path = config_path,
                           .started_ms = base_now_ms(),
                           .reload = {.steps = &supervisor_reload_steps, .owner = &s}};
    int status;

    (void)sandbox_hide(); /* it keeps PINs, and the key of session tickets */
    uv_loop_init(&s.loop);
    if (prepare(&s)) {
        supervisor_reload(&s, on_started, &s);
        if (s.state != SUPERVISOR_STOPPING)
            signals_start(&s);
    } else {
        s.exit_status = 1;
        supervisor_stop(&s, SUPERVISOR_STOP_NOW);
    }
    uv_run(&s.loop, UV_RUN_DEFAULT);
    agents_destroy(&s.agents);
    listen_sockets_destroy(&s.sockets);
    intermediates_destroy(&s.intermediates);
    control_roles_destroy(&s.next_roles);
    totals_clear(&s.totals);
    free(s.gather_from);
    sandbox_allow_inspection();
    status = uv_loop_close(&s.loop);
    if (status != 0)
        log_line(LOG_LEVEL_ERROR, "loop_not_empty", log_text("reason", uv_strerror(status)));
    if (s.exit_status == 0)
        log_line(LOG_LEVEL_INFO, "stopped",
                 log_number("uptime_seconds", (int64_t)((base_now_ms() - s.started_ms) / 1000)));
    return s.exit_status;
}
