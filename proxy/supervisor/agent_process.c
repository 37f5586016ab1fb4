/* see proxy/supervisor/agent_process.h */
#include "proxy/supervisor/agent_process.h"

#include "proxy/supervisor/backoff.h"
#include "proxy/process/agent_arguments.h"
#include "proxy/supervisor/listen_sockets.h"
#include "proxy/process/log.h"
#include "proxy/process/spawn.h"
#include "tokens/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AGENT_NUMBER_SIZE = 24 };

enum agent_state { AGENT_STARTING, AGENT_READY, AGENT_FAILED, AGENT_STOPPING };

static const char *const state_names[] = {"starting", "ready", "failed", "stopping"};
static_assert(ARRAY_LEN(state_names) == AGENT_STOPPING + 1, "one name for each state");

struct agent_counts {
    uint64_t signatures, failures, timeouts, refused, logins;
};

struct agent_process {
    uv_loop_t *loop;
    char *name;
    char *where; /* "FILE:LINE" of its section */
    char *path;
    char **environment;
    size_t environment_count;
    unsigned sessions_max, queue_max;
    uint32_t sign_timeout_ms;
    bool programs; /* the module may start some */
    bool sandbox_may_fail;
    enum config_pin_type pin_type;
    char *pin_source;

    int listen_fd;
    char *socket_path;
    int grants_fd;            /* the agents'; -1: none yet */
    bool grants_wait;         /* the socket did not take them */
    bool file_keys;           /* it is the agent of file keys */
    int keys_fd;              /* as grants_fd */
    bool keys_wait;           /* the socket did not take them */
    uid_t client;             /* who may connect besides root and us */
    struct tokens_pin *pin;   /* from where the configuration says; NULL: none */
    struct tokens_pin *login; /* from an administrator since; NULL: none */
    struct pin_policy policy;
    bool logged_out; /* by an administrator: there is no PIN, and none is asked for */

    enum agent_state state;
    struct child *child; /* NULL: none now */
    uv_timer_t timer;    /* to start it again; with a child, starting or stopping: to kill it */
    uint32_t load_timeout_ms;
    unsigned deaths; /* in a row, without having been ready */
    uint64_t restarts;
    char *reason;                    /* what it said last when it failed; NULL: nothing */
    struct agent_counts now, before; /* of this process, and of those before it */

    const struct agent_events *events;
    void *owner;
};

static void schedule_start(struct agent_process *a);
static void on_timer(uv_timer_t *timer);

/* --- talking --- */

static void broken(struct agent_process *a)
{
    child_hang_up(a->child);
    child_kill(a->child, SIGKILL);
}

static void say(struct agent_process *a, enum tokens_agent_event event, const char *text)
{
    struct tokens_agent_message message = {.event = event};
    bool sent, dying;

    if (a->child == NULL || child_control_fd(a->child) < 0)
        return;
    snprintf(message.text, sizeof(message.text), "%s", text);
    sent = tokens_agent_send(child_control_fd(a->child), &message);
    /* One that is dead or dying may still have something to say. */
    dying = !sent && (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED);
    base_wipe(&message, sizeof(message));
    if (!sent && !dying)
        broken(a);
}

/* The PIN in use, or NULL. */
static const struct tokens_pin *pin_in_use(const struct agent_process *a)
{
    return a->login != NULL ? a->login : a->pin;
}

static void on_pin_wanted(struct agent_process *a, const char *label)
{
    const char *why = "none is configured (pin = ...)";

    if (a->logged_out)
        why = "an administrator has logged out; \"yett token login\" puts it back in service";
    if (pin_in_use(a) == NULL) {
        pin_policy_missing(&a->policy, label);
    } else if (pin_policy_give(&a->policy, label, &why)) {
        say(a, TOKENS_AGENT_PIN, tokens_pin_text(pin_in_use(a)));
        return;
    }
    log_line(LOG_LEVEL_WARNING, "pin_not_given", log_text("module", a->name), log_text("token", label),
             log_text("reason", why));
    say(a, TOKENS_AGENT_PIN_REFUSED, why);
}

static void on_pin_refused(struct agent_process *a, const char *text, enum pin_standing standing)
{
    pin_policy_refused(&a->policy, text, standing);
    log_line(LOG_LEVEL_ERROR, "pin_refused", log_text("module", a->name),
             log_text("standing", pin_standing_name(standing)), log_text("reason", text));
}

static void on_ready(struct agent_process *a, const char *description)
{
    if (a->state != AGENT_STARTING)
        return;
    a->state = AGENT_READY;
    uv_timer_stop(&a->timer);
    a->deaths = 0;
    free(a->reason);
    a->reason = NULL;
    log_line(LOG_LEVEL_INFO, "agent_ready", log_text("module", a->name), log_number("pid", child_pid(a->child)),
             log_text("description", description));
    a->events->on_ready(a->owner, a);
}

static void on_failed(struct agent_process *a, int pid, const char *why)
{
    char *report;

    free(a->reason);
    a->reason = base_strdup(why);
    log_line(LOG_LEVEL_ERROR, "agent_failed", log_text("module", a->name), log_number("pid", pid),
             log_text("reason", why));
    if (a->state == AGENT_STOPPING)
        return;
    a->state = AGENT_FAILED;
    report = base_printf("%s: module %s: %s", a->where, a->name, why);
    a->events->on_failed(a->owner, a, report);
    free(report);
}

static void on_token(struct agent_process *a, const char *label, bool gone)
{
    pin_policy_token_gone(&a->policy, label, gone);
    log_line(gone ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, gone ? "token_gone" : "token_back", log_text("module", a->name),
             log_text("token", label));
}

static void hear_ready(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_ready(a, m->text);
}

static void hear_failed(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_failed(a, child_pid(a->child), m->text);
}

static void hear_pin_wanted(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_pin_wanted(a, m->text);
}

static void hear_pin_trying(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_trying(&a->policy, m->text);
}

static void hear_pin_ok(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_right(&a->policy, m->text);
}

static void hear_pin_incorrect(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_pin_refused(a, m->text, PIN_STANDING_INCORRECT);
}

static void hear_pin_locked(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_pin_refused(a, m->text, PIN_STANDING_LOCKED);
}

static void hear_token_gone(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_token(a, m->text, true);
}

static void hear_token_back(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_token(a, m->text, false);
}

static void hear_logged_out(struct agent_process *a, const struct tokens_agent_message *m)
{
    log_line(LOG_LEVEL_WARNING, "token_logged_out", log_text("module", a->name), log_text("token", m->text));
}

static void hear_log(struct agent_process *a, const struct tokens_agent_message *m)
{
    log_line(LOG_LEVEL_INFO, "agent", log_text("module", a->name), log_text("says", m->text));
}

static void hear_counters(struct agent_process *a, const struct tokens_agent_message *m)
{
    a->now = (struct agent_counts){.signatures = m->signatures,
                                   .failures = m->failures,
                                   .timeouts = m->timeouts,
                                   .refused = m->refused,
                                   .logins = m->logins};
}

static void (*const handlers[TOKENS_AGENT_EVENT_COUNT])(struct agent_process *a,
                                                        const struct tokens_agent_message *m) = {
    [TOKENS_AGENT_READY] = hear_ready,
    [TOKENS_AGENT_FAILED] = hear_failed,
    [TOKENS_AGENT_PIN_WANTED] = hear_pin_wanted,
    [TOKENS_AGENT_PIN_TRYING] = hear_pin_trying,
    [TOKENS_AGENT_PIN_OK] = hear_pin_ok,
    [TOKENS_AGENT_PIN_INCORRECT] = hear_pin_incorrect,
    [TOKENS_AGENT_PIN_LOCKED] = hear_pin_locked,
    [TOKENS_AGENT_TOKEN_GONE] = hear_token_gone,
    [TOKENS_AGENT_TOKEN_BACK] = hear_token_back,
    [TOKENS_AGENT_LOGGED_OUT] = hear_logged_out,
    [TOKENS_AGENT_LOG] = hear_log,
    [TOKENS_AGENT_COUNTERS] = hear_counters,
};

static void hear(struct agent_process *a, const struct tokens_agent_message *message, bool has_file)
{
    const char *fault = tokens_agent_message_fault(message->event, has_file, TOKENS_AGENT_TO_SUPERVISOR);

    if (fault == NULL) {
        assert(handlers[message->event] != NULL);
        handlers[message->event](a, message);
        return;
    }
    log_line(LOG_LEVEL_ERROR, "agent_failed", log_text("module", a->name), log_number("pid", child_pid(a->child)),
             log_text("reason", fault), log_text("message", tokens_agent_event_name(message->event)));
    broken(a);
}

static void on_readable(void *owner, struct child *child)
{
    struct agent_process *a = owner;
    struct tokens_agent_message message;
    int file;

    for (unsigned left = AGENT_PROCESS_MESSAGES_PER_TURN; child_control_fd(child) >= 0 && left > 0; left--) {
        int got = tokens_agent_receive_file(child_control_fd(child), &message, &file);

        if (file >= 0)
            close(file);
        if (got == 1) {
            hear(a, &message, file >= 0);
            continue;
        }
        if (got < 0 && errno == EAGAIN)
            return;
        if (got == 0)
            child_hang_up(child);
        else
            broken(a);
    }
}

/* All else that an agent is told is little, and never waits; of these only the last counts. Whether it is to be said
 * again, when the socket takes it. */
static bool say_file(struct agent_process *a, enum tokens_agent_event event, int file)
{
    const struct tokens_agent_message message = {.event = event};

    if (a->child == NULL || child_control_fd(a->child) < 0 || file < 0 ||
        tokens_agent_send_file(child_control_fd(a->child), &message, file) || errno != EAGAIN)
        return false;
    child_want_writable(a->child);
    return true;
}

static void say_grants(struct agent_process *a)
{
    a->grants_wait = say_file(a, TOKENS_AGENT_GRANTS, a->grants_fd);
}

static void say_keys(struct agent_process *a)
{
    a->keys_wait = a->file_keys && say_file(a, TOKENS_AGENT_KEYS, a->keys_fd);
}

static void on_writable(void *owner, struct child *child)
{
    struct agent_process *a = owner;

    (void)child;
    if (a->keys_wait)
        say_keys(a);
    if (a->grants_wait)
        say_grants(a);
}

/* --- life and death --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct agent_process *a = handle->data;

    a->events->on_ended(a->owner, a);
    for (size_t i = 0; i < a->environment_count; i++)
        free(a->environment[i]);
    free(a->environment);
    tokens_pin_destroy(&a->pin);
    tokens_pin_destroy(&a->login);
    free(a->pin_source);
    free(a->reason);
    free(a->name);
    free(a->where);
    free(a->path);
    free(a->socket_path);
    free(a);
}

static void finish(struct agent_process *a)
{
    if (a->child == NULL && !uv_is_closing((uv_handle_t *)&a->timer))
        uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}

static void fold_counts(struct agent_process *a)
{
    a->before.signatures += a->now.signatures;
    a->before.failures += a->now.failures;
    a->before.timeouts += a->now.timeouts;
    a->before.refused += a->now.refused;
    a->before.logins += a->now.logins;
    a->now = (struct agent_counts){0};
}

/* It had not said why. */
static void died_loading(struct agent_process *a, int pid, int64_t status, int signal_number)
{
    char *why = signal_number == 0
                    ? base_printf("it ends the process as it loads (status %d)", (int)status)
                    : base_printf("it crashes as it loads (signal %d, %s)", signal_number, strsignal(signal_number));

    on_failed(a, pid, why);
    free(why);
}

static void died(struct agent_process *a, int pid, int64_t status, int signal_number)
{
    char *how = spawn_describe_exit(status, signal_number);

    log_line(LOG_LEVEL_ERROR, "agent_died", log_text("module", a->name), log_number("pid", pid), log_text("how", how));
    a->restarts++;
    if (a->state == AGENT_STARTING)
        died_loading(a, pid, status, signal_number);
    else if (a->state == AGENT_READY)
        a->state = AGENT_STARTING;
    free(how);
    if (a->state != AGENT_STOPPING)
        schedule_start(a);
}

static void on_exit_reaped(void *owner, struct child *child, int64_t status, int signal_number)
{
    struct agent_process *a = owner;

    a->child = NULL;
    fold_counts(a);
    pin_policy_agent_died(&a->policy);
    if (a->state == AGENT_STOPPING)
        finish(a);
    else
        died(a, child_pid(child), status, signal_number);
}

static const struct child_events child_events = {
    .on_readable = on_readable, .on_writable = on_writable, .on_exit = on_exit_reaped};

static void say_client(struct agent_process *a)
{
    char text[AGENT_NUMBER_SIZE];

    snprintf(text, sizeof(text), "%ju", (uintmax_t)a->client);
    say(a, TOKENS_AGENT_CLIENT, text);
}

/* NSS's own token is told to use no database: it knows no other way to say so. */
static const char *kind(const struct agent_process *a)
{
    const char *slash = strrchr(a->path, '/');

    if (!a->file_keys)
        return AGENT_KIND_TOKENS;
    return strcmp(slash == NULL ? a->path : slash + 1, AGENT_NSS_TOKEN_NAME) == 0 ? AGENT_KIND_FILE_KEYS_NSS
                                                                                  : AGENT_KIND_FILE_KEYS;
}

static const char *sandbox_kind(const struct agent_process *a)
{
    if (a->sandbox_may_fail)
        return a->programs ? AGENT_SANDBOX_PROGRAMS_MAY_FAIL : AGENT_SANDBOX_STRICT_MAY_FAIL;
    return a->programs ? AGENT_SANDBOX_PROGRAMS : AGENT_SANDBOX_STRICT;
}

static void start(struct agent_process *a)
{
    char sessions[AGENT_NUMBER_SIZE], queue[AGENT_NUMBER_SIZE], timeout[AGENT_NUMBER_SIZE];
    const char *pin_source = pin_policy_is_spent(&a->policy) ? AGENT_PIN_SOURCE_SPENT : AGENT_PIN_SOURCE_MAY_BE_TRIED;
    const char *const arguments[] = {"agent", a->name,    a->path,         sessions, queue,
                                     timeout, pin_source, sandbox_kind(a), kind(a),  NULL};
    const struct spawn_fd listen_fd = {.source = a->listen_fd, .target = AGENT_LISTEN_FD};
    struct spawn_options options = {.arguments = arguments, .fds = &listen_fd, .fd_count = 1};
    char *error = NULL;

    snprintf(sessions, sizeof(sessions), "%u", a->sessions_max);
    snprintf(queue, sizeof(queue), "%u", a->queue_max);
    snprintf(timeout, sizeof(timeout), "%u", a->sign_timeout_ms);
    options.environment = (const char *const *)a->environment;
    options.environment_count = a->environment_count;
    a->state = AGENT_STARTING;
    a->child = child_spawn(a->loop, &options, &child_events, a, &error);
    if (a->child != NULL) {
        uv_timer_start(&a->timer, on_timer, a->load_timeout_ms, 0);
        say_client(a);
        say_keys(a);
        say_grants(a);
        if (a->logged_out)
            say(a, TOKENS_AGENT_LOGOUT, "");
        return;
    }
    a->state = AGENT_FAILED;
    log_line(LOG_LEVEL_ERROR, "agent_start_failed", log_text("module", a->name), log_text("reason", error));
    free(a->reason);
    a->reason = error;
    schedule_start(a);
}

static void on_timer(uv_timer_t *timer)
{
    struct agent_process *a = timer->data;
    int pid = a->child == NULL ? 0 : child_pid(a->child);
    char *why;

    if (a->child != NULL)
        child_kill(a->child, SIGKILL);
    if (a->child == NULL && a->state != AGENT_STOPPING) {
        start(a);
    } else if (a->state == AGENT_STARTING) {
        why = base_printf("it has not loaded within %u s", a->load_timeout_ms / 1000);
        on_failed(a, pid, why);
        free(why);
    }
}

static void schedule_start(struct agent_process *a)
{
    a->deaths++;
    uv_timer_start(&a->timer, on_timer, backoff_ms(a->deaths), 0);
}

static void take_over(struct agent_process *a, const struct agent_process *before)
{
    char *error = NULL;

    a->policy = before->policy;
    a->logged_out = before->logged_out;
    pin_policy_agent_died(&a->policy); /* as for any other successor: what was under way counts as lost */
    if (before->login == NULL)
        return;
    a->login = tokens_pin_copy(tokens_pin_text(before->login), strlen(tokens_pin_text(before->login)), &error);
    if (a->login == NULL)
        log_line(LOG_LEVEL_WARNING, "pin_lost", log_text("module", a->name), log_text("reason", error));
    free(error);
}

struct agent_process *agent_process_create(uv_loop_t *loop, const struct config_module *module,
                                           const struct agent_process_options *options,
                                           const struct agent_events *events, void *owner)
{
    struct agent_process *a = base_alloc(sizeof(*a));

    a->loop = loop;
    a->name = base_strdup(module->name);
    a->where = base_printf("%s:%u", module->place.file, module->place.line);
    a->path = base_strdup(module->path);
    a->environment = base_alloc((module->environment_count + 1) * sizeof(*a->environment));
    for (size_t i = 0; i < module->environment_count; i++)
        a->environment[i] = base_strdup(module->environment[i]);
    a->environment_count = module->environment_count;
    a->sessions_max = module->sessions_max;
    a->queue_max = module->queue_max;
    a->sign_timeout_ms = module->sign_timeout_ms;
    a->programs = module->insecure_programs;
    a->sandbox_may_fail = options->sandbox_may_fail;
    a->pin_type = module->pin_type;
    a->pin_source = module->pin_source == NULL ? NULL : base_strdup(module->pin_source);
    a->listen_fd = options->listen_fd;
    a->socket_path = base_strdup(options->socket_path);
    a->client = geteuid();
    a->grants_fd = options->grants_fd;
    a->file_keys = options->file_keys;
    a->keys_fd = options->keys_fd;
    a->pin = options->pin;
    a->load_timeout_ms = options->load_timeout_ms;
    if (options->before != NULL)
        take_over(a, options->before);
    a->events = events;
    a->owner = owner;
    uv_timer_init(loop, &a->timer);
    a->timer.data = a;
    start(a);
    return a;
}

void agent_process_stop(struct agent_process *a)
{
    if (a->state == AGENT_STOPPING)
        return;
    a->state = AGENT_STOPPING;
    a->grants_fd = a->keys_fd = -1;
    uv_timer_stop(&a->timer);
    listen_unix_remove(a->listen_fd, a->socket_path);
    close(a->listen_fd);
    if (a->child == NULL) {
        finish(a);
        return;
    }
    say(a, TOKENS_AGENT_STOP, "");
    uv_timer_start(&a->timer, on_timer, AGENT_PROCESS_STOP_MS, 0);
}

/* --- what it is --- */

const char *agent_process_name(const struct agent_process *a)
{
    return a->name;
}

bool agent_process_is_ready(const struct agent_process *a)
{
    return a->state == AGENT_READY;
}

const char *agent_process_reason(const struct agent_process *a)
{
    return a->reason;
}

const char *agent_process_socket_path(const struct agent_process *a)
{
    return a->socket_path;
}

/* The file is looked at and given away by one descriptor: in a folder others may write to, what has its name may be a
 * link to something of ours that they must not have. */
static bool give_file(const char *path, uid_t owner, const char **reason)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    bool given = false;

    *reason = NULL;
    if (fd >= 0 && fstat(fd, &info) == 0) {
        given = S_ISSOCK(info.st_mode) && info.st_nlink == 1;
        if (!given)
            *reason = "it is not the socket that was made there";
        else if (info.st_uid != owner)
            given = fchownat(fd, "", owner, (gid_t)-1, AT_EMPTY_PATH) == 0;
    }
    if (!given && *reason == NULL)
        *reason = strerror(errno);
    if (fd >= 0)
        close(fd);
    return given;
}

bool agent_process_give_socket(struct agent_process *a, uid_t client, const char **reason)
{
    if (a->client != client) {
        a->client = client;
        say_client(a);
    }
    return give_file(a->socket_path, client, reason);
}

void agent_process_grant(struct agent_process *a, int grants_fd)
{
    a->grants_fd = grants_fd;
    say_grants(a);
}

void agent_process_give_keys(struct agent_process *a, int keys_fd)
{
    a->keys_fd = keys_fd;
    say_keys(a);
}

bool agent_process_has_file_keys(const struct agent_process *a)
{
    return a->file_keys;
}

const struct tokens_pin *agent_process_pin(const struct agent_process *a)
{
    return a->pin;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool agent_process_pin_is_from(const struct agent_process *a, const struct config_module *module)
{
    return a->pin_type == module->pin_type && same_text(a->pin_source, module->pin_source);
}

bool agent_process_is_for(const struct agent_process *a, const struct config_module *module)
{
    if (strcmp(a->path, module->path) != 0 || a->sessions_max != module->sessions_max ||
        a->queue_max != module->queue_max || a->programs != module->insecure_programs ||
        a->sign_timeout_ms != module->sign_timeout_ms || !agent_process_pin_is_from(a, module) ||
        a->environment_count != module->environment_count)
        return false;
    for (size_t i = 0; i < a->environment_count; i++)
        if (strcmp(a->environment[i], module->environment[i]) != 0)
            return false;
    return true;
}

static void renew(struct agent_process *a)
{
    unsigned turned_down = pin_policy_renew(&a->policy);

    if (a->logged_out && turned_down == 0)
        turned_down = 1; /* that there is a PIN again has to be said */
    a->logged_out = false;
    log_line(LOG_LEVEL_INFO, "pin_renewed", log_text("module", a->name), log_number("tokens", turned_down));
    while (pin_in_use(a) != NULL && turned_down-- > 0)
        say(a, TOKENS_AGENT_PIN, tokens_pin_text(pin_in_use(a)));
}

void agent_process_renew_pin(struct agent_process *a, struct tokens_pin *pin)
{
    tokens_pin_destroy(&a->login);
    tokens_pin_destroy(&a->pin);
    a->pin = pin;
    renew(a);
}

void agent_process_login(struct agent_process *a, struct tokens_pin *pin)
{
    tokens_pin_destroy(&a->login);
    a->login = pin;
    renew(a);
}

void agent_process_logout(struct agent_process *a)
{
    tokens_pin_destroy(&a->login);
    tokens_pin_destroy(&a->pin);
    pin_policy_logout(&a->policy);
    a->logged_out = true;
    log_line(LOG_LEVEL_WARNING, "pin_withdrawn", log_text("module", a->name));
    say(a, TOKENS_AGENT_LOGOUT, "");
}

bool agent_process_is_logged_out(const struct agent_process *a)
{
    return a->logged_out;
}

static json_t *tokens_status(const struct agent_process *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->policy.count; i++) {
        const struct pin_policy_token *t = &a->policy.tokens[i];

        json_array_append_new(list,
                              json_pack("{s:s#, s:b, s:s}", "label", t->label, strnlen(t->label, sizeof(t->label)),
                                        "present", !t->gone, "pin", pin_standing_name(t->standing)));
    }
    return list;
}

json_t *agent_process_status(const struct agent_process *a)
{
    const struct agent_counts *n = &a->now, *b = &a->before;
    json_t *status = json_pack("{s:s, s:s, s:s, s:i}", "name", a->name, "path", a->path, "state", state_names[a->state],
                               "pid", a->child == NULL ? 0 : child_pid(a->child));

    json_object_set_new(status, "restarts", json_integer((json_int_t)a->restarts));
    json_object_set_new(status, "pin",
                        json_string(a->logged_out           ? "logged_out"
                                    : pin_in_use(a) == NULL ? "none"
                                                            : pin_standing_name(pin_policy_worst(&a->policy))));
    json_object_set_new(status, "signatures", json_integer((json_int_t)n->signatures + (json_int_t)b->signatures));
    json_object_set_new(status, "failures", json_integer((json_int_t)n->failures + (json_int_t)b->failures));
    json_object_set_new(status, "timeouts", json_integer((json_int_t)n->timeouts + (json_int_t)b->timeouts));
    json_object_set_new(status, "refused", json_integer((json_int_t)n->refused + (json_int_t)b->refused));
    json_object_set_new(status, "logins", json_integer((json_int_t)n->logins + (json_int_t)b->logins));
    json_object_set_new(status, "tokens", tokens_status(a));
    if (a->reason != NULL)
        json_object_set_new(status, "reason", json_string(a->reason));
    return status;
}
