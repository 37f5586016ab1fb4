/* see proxy/worker/worker.h
 *
 *   read messages (blocking) --START--> open everything --READY--> loop --DRAIN, EOF--> no listeners, loop
 *        |                                   |                       |                      | last session gone,
 *        EOF: exit 0                       FAILED: exit 1            STOP: close all        v or drain_timeout
 *                                                                                      DRAINED, close NSS, exit 0 */
#include "proxy/worker/worker.h"

#include "base/file.h"
#include "proxy/process/drop.h"
#include "proxy/process/findings.h"
#include "proxy/process/limits.h"
#include "proxy/process/resolve.h"
#include "proxy/worker/listener.h"
#include "proxy/process/log.h"
#include "proxy/session/plane.h"
#include "proxy/worker/sandbox.h"
#include "proxy/worker/sandbox_ports.h"
#include "proxy/session/session.h"
#include "proxy/process/thread_priority.h"
#include "proxy/worker/worker_news.h"
#include "proxy/worker/worker_told.h"
#include "proxy/process/worker_protocol.h"
#include "tls/runtime.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct worker {
    uv_loop_t loop;
    struct plane plane;
    uv_poll_t control;
    uv_timer_t drain_timer;
    struct config *config;
    struct worker_told told;
    struct listener **listeners;
    size_t listener_count;
    struct sockaddr_storage *own_addresses;
    struct drop drop;
    struct sandbox_state sandbox;
    struct worker_news news;
    char **connection_lines; /* replies to CONNECTIONS that the socket has not taken yet */
    size_t connection_line_count, connection_line_next;
    bool listing;
    bool draining;
    bool drain_is_timed; /* drain_timeout runs, or is over */
    bool ending;         /* the handles are being closed */
    bool lookup_hangs;
    bool control_lost;
};

static bool say(enum worker_event event, const char *text)
{
    struct worker_message message = {.event = event};

    snprintf(message.text, sizeof(message.text), "%s", text);
    return worker_send(WORKER_CONTROL_FD, &message, -1);
}

/* ---- the end ---- */

/* Twice: first each peer is told in its protocol's words, then who would linger for them is closed too. */
static void close_all_sessions(struct worker *w)
{
    for (unsigned round = 0; round < 2; round++) {
        struct session *s = w->plane.sessions;

        while (s != NULL) {
            struct session *next = s->next;

            session_shut_down(s); /* takes at most itself out of the list */
            s = next;
        }
    }
}

static void free_connection_lines(struct worker *w)
{
    for (size_t i = w->connection_line_next; i < w->connection_line_count; i++)
        free(w->connection_lines[i]);
    free(w->connection_lines);
    w->connection_lines = NULL;
    w->connection_line_count = w->connection_line_next = 0;
    w->listing = false;
}

/* Nothing is left to do: close the handles; the loop then ends by itself. */
static void end_loop(struct worker *w)
{
    if (w->ending)
        return;
    w->ending = true;
    plane_stop(&w->plane);
    free_connection_lines(w);
    worker_news_stop(&w->news);
    uv_close((uv_handle_t *)&w->control, NULL);
    uv_close((uv_handle_t *)&w->drain_timer, NULL);
    uv_stop(&w->loop); /* a lookup that hangs would keep it running */
}

static void end_if_done(struct worker *w)
{
    if (w->draining && w->plane.sessions_not_freed == 0)
        end_loop(w);
}

static void on_drain_timeout(uv_timer_t *timer)
{
    struct worker *w = timer->data;

    log_line(LOG_LEVEL_INFO, "drain_timeout", log_number("connections", (int64_t)w->plane.session_count));
    close_all_sessions(w);
    end_if_done(w);
}

/* What is established goes on for as long as it likes. */
static void retire(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    for (size_t i = 0; i < w->listener_count; i++)
        listener_destroy(&w->listeners[i]);
    log_line(LOG_LEVEL_INFO, "draining", log_number("connections", (int64_t)w->plane.session_count));
    end_if_done(w);
}

static void drain(struct worker *w)
{
    retire(w);
    if (w->drain_is_timed || w->ending)
        return;
    w->drain_is_timed = true;
    uv_timer_start(&w->drain_timer, on_drain_timeout, w->config->drain_timeout_ms, 0);
}

static void on_session_ended(struct plane *p)
{
    struct worker *w = CONTAINER_OF(p, struct worker, plane);

    if (w->draining) {
        end_if_done(w);
        return;
    }
    for (size_t i = 0; i < w->listener_count && w->plane.listeners_paused > 0; i++)
        listener_resume(w->listeners[i]);
}

/* ---- messages on the loop ---- */

static void on_control(uv_poll_t *poll, int status, int events);

static void watch_control(struct worker *w)
{
    uv_poll_start(&w->control, w->listing ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_control);
}

/* As many lines as the socket takes; the rest when it takes more. */
static void send_connections(struct worker *w)
{
    while (w->connection_line_next < w->connection_line_count) {
        if (!say(WORKER_CONNECTIONS_ITEM, w->connection_lines[w->connection_line_next])) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
                return;
            break;
        }
        free(w->connection_lines[w->connection_line_next++]);
    }
    if (!say(WORKER_CONNECTIONS_END, "") && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
        return;
    free_connection_lines(w);
}

static void list_connections(struct worker *w)
{
    if (w->listing)
        return; /* one list at a time: its end answers both */
    w->connection_lines = base_alloc(w->plane.session_count * sizeof(char *));
    for (const struct session *s = w->plane.sessions; s != NULL; s = s->next)
        w->connection_lines[w->connection_line_count++] = session_to_json(s);
    w->listing = true;
    send_connections(w);
}

static void on_message(struct worker *w, const struct worker_message *message)
{
    if (message->event == WORKER_DRAIN) {
        drain(w);
    } else if (message->event == WORKER_RETIRE) {
        retire(w);
    } else if (message->event == WORKER_STOP) {
        drain(w);
        close_all_sessions(w);
        end_if_done(w);
    } else if (message->event == WORKER_CONNECTIONS) {
        list_connections(w);
    } else {
        assert(message->event == WORKER_INTERMEDIATE);
        worker_news_hear(w->plane.services, message->text);
    }
}

/* The supervisor is gone: finish what is there, take nothing new. */
static void lose_control(struct worker *w)
{
    w->control_lost = true;
    uv_poll_stop(&w->control);
    free_connection_lines(w);
    drain(w);
}

static void refuse(struct worker *w, enum worker_event event, const char *fault)
{
    char *reason = worker_told_fault_text(event, fault);

    log_line(LOG_LEVEL_ERROR, "supervisor_lost", log_text("reason", reason));
    free(reason);
    lose_control(w);
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;
    struct worker_message message;

    if (status == 0 && (events & UV_WRITABLE) != 0 && w->listing)
        send_connections(w);
    while (!w->ending && !w->control_lost) {
        int fd, received = worker_receive(WORKER_CONTROL_FD, &message, &fd);
        const char *fault;

        if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (fd >= 0)
            close(fd);
        if (received <= 0) {
            lose_control(w);
            break;
        }
        fault = worker_message_fault(message.event, fd >= 0, WORKER_AT_WORK);
        if (fault == NULL)
            on_message(w, &message);
        else
            refuse(w, message.event, fault);
    }
    if (!w->ending && !w->control_lost)
        watch_control(w);
}

/* ---- the start ---- */

static char *first_finding(const struct config_findings *findings)
{
    char *first, *text;

    if (findings->count == 0)
        return base_strdup("it cannot start, and nothing says why");
    first = config_finding_text(&findings->items[0]);
    text = base_printf("%s%s", first, findings->count > 1 ? " (and more)" : "");
    free(first);
    return text;
}

/* The supervisor may have changed its mind meanwhile: then no connection is taken, only to be ended at once. */
static bool is_told_to_end(void)
{
    struct worker_message message;
    ssize_t size = recv(WORKER_CONTROL_FD, &message, sizeof(message), MSG_PEEK | MSG_DONTWAIT);

    return size == 0 ||
           (size > 0 && (size_t)size >= offsetof(struct worker_message, text) && message.event == WORKER_STOP);
}

/* As many descriptors as we may have: two for each connection. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Who has given root up is in the sandbox with fewer rights; who could not must not go on. Nor may a worker that no
 * filter holds, unless the configuration takes the risk. */
static bool enter_sandbox(struct worker *w, char **error)
{
    static const char *const readable[] = {NULL};
    struct sandbox_ports ports = sandbox_ports_of(w->config);
    struct sandbox_options options = {
        .readable = readable, .ports = ports.any ? NULL : ports.items, .port_count = ports.count};
    char *description;

    if (!drop_for_good(&w->drop, error)) {
        sandbox_ports_clear(&ports);
        return false;
    }
    sandbox_enter(&options, &w->sandbox);
    sandbox_ports_clear(&ports);
    description = sandbox_describe(&w->sandbox);
    log_line(w->sandbox.seccomp ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "sandbox", log_number("uid", geteuid()),
             log_text("no_new_privileges", w->sandbox.no_new_privileges ? "yes" : "no"),
             log_text("no_dumps", w->sandbox.no_dumps ? "yes" : "no"),
             log_text("seccomp", w->sandbox.seccomp ? "yes" : "no"),
             log_number("landlock_abi", w->sandbox.landlock_abi), log_text("holds", description));
    free(description);
    if (w->sandbox.seccomp || w->config->insecure_no_seccomp)
        return true;
    *error = base_strdup("this kernel takes no seccomp filter, so a worker could do all that its user may: run on one "
                         "that does, or accept it with \"insecure_no_seccomp = yes\" in [yett]");
    return false;
}

/* With what holds it, and what it computes with: for yett status. */
static bool say_ready(const struct worker *w)
{
    char *description = sandbox_describe(&w->sandbox);
    const char *accelerator = tls_accelerator_path();
    char *text = base_printf("%s\n%s%s", description, accelerator == NULL ? "none" : accelerator,
                             services_wait_for_tokens(w->plane.services) ? "\naway" : "");
    bool said = say(WORKER_READY, text);

    free(description);
    free(text);
    return said;
}

static bool load_config(struct worker *w, struct config_findings *findings)
{
    struct config_snapshot *snapshot;
    char process[32];

    if (w->told.config_fd < 0 || w->told.counters_fd < 0)
        return false;
    snapshot = config_snapshot_from_fd(w->told.config_fd, findings);
    if (snapshot == NULL)
        return false;
    w->config = config_parse(snapshot, findings);
    config_snapshot_destroy(&snapshot);
    close(w->told.config_fd);
    w->told.config_fd = -1;
    if (w->config == NULL || !drop_find(w->config, &w->drop, findings))
        return false;
    snprintf(process, sizeof(process), "worker-%u", w->plane.slot);
    log_open(process, w->config->log, w->config->log_format, (enum log_level)w->config->log_level);
    w->plane.counters = counters_map(w->told.counters_fd, w->config->service_count);
    return w->plane.counters != NULL;
}

static bool stop_services(void)
{
    char *error = NULL;

    if (services_runtime_stop(&error))
        return true;
    log_line(LOG_LEVEL_ERROR, "nss_shutdown_failed", log_text("reason", error));
    free(error);
    return false;
}

static bool open_services(struct worker *w, struct config_findings *findings)
{
    const struct services_runtime_options options = {.ticket_key = span_of(w->told.ticket_key, w->told.ticket_key_size),
                                                     .session_cache = getenv("SSL_INHERITANCE"),
                                                     .identities = w->told.identities,
                                                     .may_be_away = true};
    bool started = services_runtime_start(w->config, &options, findings);

    worker_told_wipe_ticket_key(&w->told);
    if (!started)
        return false;
    w->plane.services = services_open(w->config, findings);
    if (w->plane.services != NULL) {
        services_count(w->plane.services, w->plane.counters);
        return true;
    }
    (void)stop_services();
    return false;
}

/* Without them the worker works as well: peers have to send their intermediates. */
static void read_intermediates(struct worker *w)
{
    char *error = NULL;

    if (w->told.intermediates_fd < 0)
        return;
    if (!worker_news_read(w->plane.services, w->told.intermediates_fd, &error))
        log_line(LOG_LEVEL_WARNING, "intermediates_ignored", log_text("reason", error));
    free(error);
    close(w->told.intermediates_fd);
    w->told.intermediates_fd = -1;
}

static void log_identity_warning(const struct service *s, const struct config_identity *named,
                                 const struct tls_identity *identity)
{
    if (identity == NULL)
        return; /* its token is away */
    if (tls_identity_warning(identity)[0] != '\0')
        log_line(LOG_LEVEL_WARNING, "identity_warning", log_text("service", s->config->name),
                 log_text("identity", named->text), log_text("reason", tls_identity_warning(identity)));
}

/* The log has them, and so has whoever waits for the reload. */
static void tell_notes(const struct config_findings *findings)
{
    char *text = findings_warnings_text(findings);

    findings_log_notes(findings);
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');

        if (end != NULL)
            *end = '\0';
        (void)say(WORKER_WARNING, line); /* a supervisor that is gone is found out by what comes next */
        line = end == NULL ? NULL : end + 1;
    }
    free(text);
}

static void log_identity_warnings(const struct services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        const struct service *s = &services->items[i];

        for (size_t n = 0; n < s->identity_count; n++)
            log_identity_warning(s, &s->config->identity[n], s->identities[n]);
        for (size_t n = 0; n < s->connect_identity_count; n++)
            log_identity_warning(s, &s->config->connect_identity[n], s->connect_identities[n]);
    }
}

static bool open_listeners(struct worker *w, char **error)
{
    const struct config_address *admin = w->config->admin;

    w->listeners = base_alloc(w->told.listener_count * sizeof(struct listener *));
    w->own_addresses = base_alloc((w->told.listener_count + 1) * sizeof(*w->own_addresses));
    for (size_t i = 0; i < w->told.listener_count; i++) {
        struct listener *l;
        const struct passed_listener *told = &w->told.listeners[i];

        if (told->fd < 0 || told->service_index >= w->config->service_count ||
            told->address_index >= w->config->services[told->service_index].listen_count) {
            *error = base_strdup("a listening socket was passed that no service has");
            return false;
        }
        l = listener_create(&w->plane, told->service_index,
                            w->config->services[told->service_index].listen[told->address_index].door, told->fd, error);
        w->told.listeners[i].fd = -1;
        if (l == NULL)
            return false;
        w->own_addresses[w->listener_count] = *listener_address(l);
        w->listeners[w->listener_count++] = l;
    }
    w->plane.descriptors_open = base_fd_count();
    w->plane.own_addresses = w->own_addresses;
    w->plane.own_address_count = w->listener_count;
    /* And the supervisor's; on a Unix socket there is no way to it. */
    if (admin != NULL && admin->type == CONFIG_ADDRESS_INET &&
        resolve_literal(admin->host, admin->port, &w->own_addresses[w->listener_count]))
        w->plane.own_address_count++;
    return true;
}

static void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(size_t *)count;
}

static bool handles_are_open(uv_loop_t *loop)
{
    size_t count = 0;

    uv_walk(loop, count_handle, &count);
    return count > 0;
}

/* Everything but the services, which outlive the loop. */
static void run_loop(struct worker *w, char **error)
{
    /* Room for lookups that hang beside those that do not; libuv reads it once, before the first use of its threads. */
    char threads[16];

    snprintf(threads, sizeof(threads), "%d", LIMIT_RESOLVER_THREADS);
    setenv("UV_THREADPOOL_SIZE", threads, 1);
    if (uv_loop_init(&w->loop) != 0)
        base_abort("cannot make a loop");
    w->plane.loop = &w->loop;
    w->plane.calls = &session_calls;
    w->plane.config = w->config;
    w->plane.on_session_ended = on_session_ended;
    plane_start(&w->plane);
    worker_news_start(&w->news, &w->loop, w->plane.services, WORKER_CONTROL_FD);
    uv_timer_init(&w->loop, &w->drain_timer);
    w->drain_timer.data = w;
    if (uv_poll_init(&w->loop, &w->control, WORKER_CONTROL_FD) != 0)
        base_abort("descriptor %d is not the supervisor", WORKER_CONTROL_FD);
    w->control.data = w;
    if (is_told_to_end()) {
        w->draining = true;
        end_loop(w);
    } else if (open_listeners(w, error) && enter_sandbox(w, error)) {
        watch_control(w);
        if (!say_ready(w))
            log_line(LOG_LEVEL_ERROR, "supervisor_lost", log_text("reason", strerror(errno)));
    } else {
        w->draining = true;
        for (size_t i = 0; i < w->listener_count; i++)
            listener_destroy(&w->listeners[i]);
        end_loop(w);
    }
    (void)thread_priority_prompt();
    uv_run(&w->loop, UV_RUN_DEFAULT);
    while (handles_are_open(&w->loop)) /* closing them takes rounds of the loop; lookups that hang are not waited for */
        uv_run(&w->loop, UV_RUN_ONCE);
    w->lookup_hangs = uv_loop_close(&w->loop) != 0;
    if (w->lookup_hangs)
        log_line(LOG_LEVEL_WARNING, "loop_not_empty", log_text("reason", "a lookup still runs"));
    worker_news_flush(&w->news);
}

static void clear(struct worker *w)
{
    worker_told_clear(&w->told);
    free(w->listeners);
    free(w->own_addresses);
    counters_destroy(&w->plane.counters);
    config_destroy(&w->config);
}

static int fail(struct worker *w, char *error)
{
    log_line(LOG_LEVEL_ERROR, "worker_failed", log_text("reason", error));
    (void)say(WORKER_FAILED, error); /* nobody else is there to be told */
    free(error);
    clear(w);
    return 1;
}

int worker_main(void)
{
    struct worker w = {.told = WORKER_TOLD_NOTHING};
    struct config_findings findings = {0};
    char *error = NULL;
    bool stopped;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* a terminal's signals are for the supervisor */
    signal(SIGINT, SIG_IGN);
    (void)fcntl(WORKER_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    w.sandbox = sandbox_begin();
    if (!worker_told_receive(&w.told, &error)) {
        if (error != NULL)
            return fail(&w, error);
        clear(&w);
        return 0;
    }
    w.plane.slot = w.told.slot;
    w.plane.generation = w.told.generation;
    raise_descriptor_limit();
    if (!load_config(&w, &findings) || !open_services(&w, &findings)) {
        error = first_finding(&findings);
        config_findings_clear(&findings);
        return fail(&w, error);
    }
    read_intermediates(&w);
    log_identity_warnings(w.plane.services);
    if (w.plane.slot == 0) /* all of them read the same */
        tell_notes(&findings);
    config_findings_clear(&findings);
    run_loop(&w, &error);
    services_destroy(&w.plane.services);
    stopped = stop_services();
    sandbox_allow_inspection();
    if (error != NULL)
        return fail(&w, error);
    (void)say(WORKER_DRAINED, ""); /* without a supervisor there is nobody to tell */
    clear(&w);
    if (w.lookup_hangs)
        _exit(stopped ? 0 : 1); /* in exit() libuv would wait for the lookup's thread */
    return stopped ? 0 : 1;
}
