/* see proxy/supervisor/agent_process.h */
#include "proxy/supervisor/agent_process_internal.h"

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

static const char *const state_names[] = {"starting", "ready", "failed", "stopping"};
static_assert(ARRAY_LEN(state_names) == AGENT_STOPPING + 1, "one name for each state");

static void schedule_start(struct agent_process *a);
static void on_timer(uv_timer_t *timer);

/* --- life and death --- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct agent_process *a = handle->data;

    a->events->on_ended(a->owner, a);
    for (size_t i = 0; i < a->environment_count; i++)
        free(a->environment[i]);
    free(a->environment);
    tokens_pin_destroy(&a->pin);
    agent_process_forget_logins(a);
    token_figures_clear(&a->figures);
    free(a->pin_source);
    free(a->pin_where);
    free(a->parameters);
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
    token_figures_agent_died(&a->figures);
}

/* It had not said why. */
static void died_loading(struct agent_process *a, int pid, int64_t status, int signal_number)
{
    char *why = signal_number == 0
                    ? base_printf("it ends the process as it loads (status %d)", (int)status)
                    : base_printf("it crashes as it loads (signal %d, %s)", signal_number, strsignal(signal_number));

    agent_process_fail(a, pid, why);
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
    a->untold = 0;
    agent_process_end_login(a, false, "the agent of this module ended meanwhile; the log says why");
    if (a->state == AGENT_STOPPING)
        finish(a);
    else
        died(a, child_pid(child), status, signal_number);
}

static const struct child_events child_events = {
    .on_readable = agent_process_hear, .on_writable = agent_process_say_again, .on_exit = on_exit_reaped};

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
    const char *calls = a->serialise ? AGENT_CALLS_ONE_BY_ONE : AGENT_CALLS_AT_ONCE;
    const char *parameters = a->parameters == NULL ? "" : a->parameters;
    const char *const arguments[] = {"agent",    a->name,         a->path, sessions, queue,      timeout,
                                     pin_source, sandbox_kind(a), kind(a), calls,    parameters, NULL};
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
        agent_process_say_client(a);
        agent_process_say_keys(a);
        agent_process_say_grants(a);
        if (a->logged_out)
            agent_process_say(a, TOKENS_AGENT_LOGOUT, "", "");
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
        agent_process_fail(a, pid, why);
        free(why);
    }
}

static void schedule_start(struct agent_process *a)
{
    a->deaths++;
    uv_timer_start(&a->timer, on_timer, backoff_ms(a->deaths), 0);
}

void agent_process_continue_figures(struct agent_process *a, const struct agent_process *before)
{
    token_figures_take_over(&a->figures, &before->figures);
}

static void take_over(struct agent_process *a, const struct agent_process *before)
{
    char *error = NULL;

    a->policy = before->policy;
    a->logged_out = before->logged_out;
    pin_policy_agent_died(&a->policy); /* as for any other successor: what was under way counts as lost */
    for (size_t i = 0; i < before->login_count; i++) {
        const struct agent_login *from = &before->logins[i];
        struct tokens_pin *copy;

        if (from->pin == NULL)
            continue;
        copy = tokens_pin_copy(tokens_pin_text(from->pin), strlen(tokens_pin_text(from->pin)), &error);
        if (copy != NULL)
            agent_process_keep_login(a, from->token, copy);
        else
            log_line(LOG_LEVEL_WARNING, "pin_lost", log_text("module", a->name), log_text("reason", error));
        free(error);
        error = NULL;
    }
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
    a->serialise = module->serialise;
    a->parameters = module->parameters == NULL ? NULL : base_strdup(module->parameters);
    a->sandbox_may_fail = options->sandbox_may_fail;
    a->pin_type = module->pin_type;
    a->pin_source = module->pin_source == NULL ? NULL : base_strdup(module->pin_source);
    a->pin_where = base_printf("%s:%u", module->pin_place.file, module->pin_place.line);
    a->pin_asked_for = options->asked_for;
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
    if (options->refused != NULL) {
        a->policy = *options->refused;
        a->pin_known_bad = true;
        pin_policy_agent_died(&a->policy);
    }
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
    agent_process_end_login(a, false, "the agent of this module is being stopped");
    a->grants_fd = a->keys_fd = -1;
    uv_timer_stop(&a->timer);
    listen_unix_remove(a->listen_fd, a->socket_path);
    close(a->listen_fd);
    if (a->child == NULL) {
        finish(a);
        return;
    }
    agent_process_say(a, TOKENS_AGENT_STOP, "", "");
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
        agent_process_say_client(a);
    }
    return give_file(a->socket_path, client, reason);
}

bool agent_process_has_file_keys(const struct agent_process *a)
{
    return a->file_keys;
}

const struct pin_policy *agent_process_policy(const struct agent_process *a)
{
    return &a->policy;
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
        a->serialise != module->serialise || !same_text(a->parameters, module->parameters) ||
        a->sign_timeout_ms != module->sign_timeout_ms || !agent_process_pin_is_from(a, module) ||
        a->environment_count != module->environment_count)
        return false;
    for (size_t i = 0; i < a->environment_count; i++)
        if (strcmp(a->environment[i], module->environment[i]) != 0)
            return false;
    return true;
}

bool agent_process_is_logged_out(const struct agent_process *a)
{
    return a->logged_out;
}

/* Whether anybody has wanted something of it: one that merely is in a slot of the module is nobody's loss. */
static bool is_used(const struct agent_process *a, const struct pin_policy_token *t, const json_t *shown)
{
    return t->given || t->turned_away || t->standing != PIN_STANDING_UNTRIED || a->logged_out ||
           json_integer_value(json_object_get(shown, "signatures")) > 0;
}

static json_t *tokens_status(const struct agent_process *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->policy.count; i++) {
        const struct pin_policy_token *t = &a->policy.tokens[i];
        bool logged_out = a->logged_out && t->standing == PIN_STANDING_RIGHT;
        const char *end = strrchr(t->label, '\n');

        json_t *shown = json_pack("{s:s#, s:s, s:b, s:s}", "label", t->label, strcspn(t->label, "\n"), "serial",
                                  end == NULL ? "" : end + 1, "present", !t->gone, "pin",
                                  logged_out ? "logged_out" : pin_standing_name(t->standing));

        token_figures_show(&a->figures, t->label, shown);
        json_object_set_new(shown, "used", json_boolean(is_used(a, t, shown)));
        json_array_append_new(list, shown);
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
                        json_string(a->logged_out ? "logged_out"
                                    : a->pin == NULL && a->login_count == 0
                                        ? "none"
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
