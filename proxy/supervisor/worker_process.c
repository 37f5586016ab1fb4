/* see proxy/supervisor/worker_process.h */
#include "proxy/supervisor/worker_process.h"

#include "proxy/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message that waits for room in the socket: Linux keeps as few as ten datagrams in one. There may be one for each
 * listening socket, so the memory ends with the text that is used. */
struct waiting {
    struct waiting *next;
    int fd; /* ours, or -1 */
    struct worker_message message;
};

static struct waiting *waiting_create(const struct worker_message *message)
{
    size_t size = offsetof(struct worker_message, text) + strnlen(message->text, WORKER_TEXT_MAX - 1);
    struct waiting *keep = base_alloc(offsetof(struct waiting, message) + size + 1);

    memcpy((char *)keep + offsetof(struct waiting, message), message, size); /* and a NUL */
    return keep;
}

struct worker_process {
    struct child *child;
    enum worker_phase state;
    unsigned lists_asked; /* without an end yet; may stay too high, since one end may answer several */
    bool failed;          /* it has said so */
    bool killed;          /* by us */
    uint32_t slot;
    uint32_t generation;
    uint64_t started_ms;
    char *sandbox;         /* as it has described it; NULL: not yet */
    char *accelerator;     /* as it has named it; NULL: not yet, or not at all */
    bool waits_for_tokens; /* some were away when it started */
    bool retired;          /* draining, without an end to its time */
    struct counters *counters;
    struct waiting *waiting, **waiting_end;
    unsigned waiting_count;
    const struct worker_events *events;
    void *owner;
};

static const char *const state_names[] = {"starting", "ready", "draining", "stopping"};
static_assert(ARRAY_LEN(state_names) == WORKER_STOPPING + 1, "one name for each state");

static void waiting_pop(struct worker_process *w)
{
    struct waiting *first = w->waiting;

    w->waiting = first->next;
    w->waiting_count--;
    if (w->waiting == NULL)
        w->waiting_end = &w->waiting;
    if (first->fd >= 0)
        close(first->fd);
    free(first);
}

static void send_or_keep(struct worker_process *w, const struct worker_message *message, int fd)
{
    struct waiting *keep;

    if (child_control_fd(w->child) < 0)
        return;
    if (w->waiting == NULL) {
        if (worker_send(child_control_fd(w->child), message, fd))
            return;
        if (errno != EAGAIN && errno != EPIPE && errno != ECONNRESET && errno != ECONNREFUSED) {
            child_give_up(w->child);
            return;
        }
        if (errno != EAGAIN)
            return; /* it is dead or dying: that news comes by itself */
    }
    keep = waiting_create(message);
    keep->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && keep->fd < 0) {
        free(keep);
        child_give_up(w->child);
        return;
    }
    *w->waiting_end = keep;
    w->waiting_end = &keep->next;
    w->waiting_count++;
    child_want_writable(w->child);
}

static void on_writable(void *owner, struct child *child)
{
    struct worker_process *w = owner;

    while (w->waiting != NULL) {
        if (!worker_send(child_control_fd(child), &w->waiting->message, w->waiting->fd)) {
            if (errno == EAGAIN)
                child_want_writable(child);
            else if (errno != EPIPE && errno != ECONNRESET)
                child_give_up(w->child);
            return;
        }
        waiting_pop(w);
    }
    w->events->on_caught_up(w->owner, w);
}

/* Lists of connections that nobody has asked for are for nobody's ears. */
static const char *find_fault(const struct worker_process *w, enum worker_event event, bool has_file)
{
    const char *fault = worker_message_fault(event, has_file, w->state);

    if (fault == NULL && (event == WORKER_CONNECTIONS_ITEM || event == WORKER_CONNECTIONS_END) && w->lists_asked == 0)
        return "was not asked for";
    return fault;
}

static void refuse(struct worker_process *w, enum worker_event event, const char *fault)
{
    char *reason = base_printf("its message %s %s", worker_event_name(event), fault);

    log_line(LOG_LEVEL_ERROR, "worker_failed", log_number("slot", w->slot), log_number("pid", worker_process_pid(w)),
             log_text("reason", reason));
    free(reason);
    child_give_up(w->child);
}

static void on_ready(struct worker_process *w, const char *text)
{
    size_t first_line = strcspn(text, "\n");

    if (w->state != WORKER_STARTING)
        return; /* it has been told to stop meanwhile */
    w->state = WORKER_ACCEPTING;
    w->sandbox = base_strndup(text, first_line);
    if (text[first_line] != '\0') {
        const char *second = text + first_line + 1;

        w->accelerator = base_strndup(second, strcspn(second, "\n"));
        w->waits_for_tokens = strchr(second, '\n') != NULL;
    }
    w->events->on_ready(w->owner, w);
}

static void on_message(struct worker_process *w, const struct worker_message *message, bool has_file)
{
    const char *fault = find_fault(w, message->event, has_file);

    if (fault != NULL) {
        refuse(w, message->event, fault);
        return;
    }
    if (message->event == WORKER_READY) {
        on_ready(w, message->text);
    } else if (message->event == WORKER_WARNING) {
        w->events->on_warning(w->owner, w, message->text);
    } else if (message->event == WORKER_FAILED) {
        w->failed = true;
        w->events->on_failed(w->owner, w, message->text);
    } else if (message->event == WORKER_CONNECTIONS_ITEM) {
        w->events->on_connection(w->owner, w, message->text);
    } else if (message->event == WORKER_CONNECTIONS_END) {
        w->lists_asked--;
        w->events->on_connections_end(w->owner, w);
    } else if (message->event == WORKER_INTERMEDIATE) {
        w->events->on_intermediate(w->owner, w, message->text);
    } else {
        assert(message->event == WORKER_DRAINED); /* how it ends after that is what counts */
    }
}

static int hear_one(void *owner, struct child *child)
{
    struct worker_message message;
    int fd, got = worker_receive(child_control_fd(child), &message, &fd);

    if (fd >= 0)
        close(fd);
    if (got == 1)
        on_message(owner, &message, fd >= 0);
    return got;
}

static void on_readable(void *owner, struct child *child)
{
    child_hear(child, hear_one, owner);
}

static void on_exit_reaped(void *owner, struct child *child, int64_t status, int signal_number)
{
    struct worker_process *w = owner;
    char *how = spawn_describe_exit(status, signal_number);
    bool told = w->state == WORKER_DRAINING || w->state == WORKER_STOPPING;
    bool clean = status == 0 && signal_number == 0;

    (void)child;
    w->events->on_gone(w->owner, w, how, w->failed || w->killed || (told && clean) ? WORKER_ENDED : WORKER_DIED);
    free(how);
    while (w->waiting != NULL)
        waiting_pop(w);
    counters_destroy(&w->counters);
    free(w->sandbox);
    free(w->accelerator);
    free(w);
}

static const struct child_events child_events = {
    .on_readable = on_readable, .on_writable = on_writable, .on_exit = on_exit_reaped};

struct worker_process *worker_process_spawn(uv_loop_t *loop, const struct worker_options *options,
                                            const struct worker_events *events, void *owner, char **error)
{
    static const char *const arguments[] = {"worker", NULL};
    struct worker_process *w = base_alloc(sizeof(*w));
    char *inheritance =
        options->session_cache == NULL ? NULL : base_printf("SSL_INHERITANCE=%s", options->session_cache);
    const char *environment[] = {inheritance};
    struct spawn_options spawn = {.arguments = arguments,
                                  .environment = environment,
                                  .environment_count = inheritance == NULL ? 0 : 1,
                                  .fds = options->cache_fds,
                                  .fd_count = options->cache_fd_count};
    int counters_fd;

    w->slot = options->slot;
    w->generation = options->generation;
    w->waiting_end = &w->waiting;
    w->events = events;
    w->owner = owner;
    w->started_ms = base_now_ms();
    w->counters = counters_create(options->service_count, &counters_fd);
    if (w->counters == NULL) {
        *error = base_printf("cannot make shared memory for counters: %s", strerror(errno));
    } else {
        w->child = child_spawn(loop, &spawn, &child_events, w, error);
        if (w->child != NULL)
            worker_process_give(w, WORKER_COUNTERS, 0, 0, counters_fd);
        close(counters_fd);
    }
    free(inheritance);
    if (w->child == NULL) {
        counters_destroy(&w->counters);
        free(w);
        return NULL;
    }
    return w;
}

void worker_process_give(struct worker_process *w, enum worker_event event, uint32_t service, uint32_t address, int fd)
{
    struct worker_message message = {.event = event, .service = service, .address = address};

    message.slot = w->slot;
    message.generation = w->generation;
    send_or_keep(w, &message, fd);
}

bool worker_process_is_behind(const struct worker_process *w)
{
    return w->waiting != NULL;
}

void worker_process_begin(struct worker_process *w)
{
    struct worker_message message = {.event = WORKER_START, .slot = w->slot, .generation = w->generation};

    snprintf(message.text, sizeof(message.text), "%u %u", w->slot, w->generation);
    send_or_keep(w, &message, -1);
}

void worker_process_retire(struct worker_process *w)
{
    if (w->state != WORKER_ACCEPTING)
        return;
    w->state = WORKER_DRAINING;
    w->retired = true;
    worker_process_give(w, WORKER_RETIRE, 0, 0, -1);
}

void worker_process_drain(struct worker_process *w)
{
    if ((w->state == WORKER_DRAINING && !w->retired) || w->state == WORKER_STOPPING)
        return;
    w->state = WORKER_DRAINING;
    w->retired = false;
    worker_process_give(w, WORKER_DRAIN, 0, 0, -1);
}

void worker_process_stop(struct worker_process *w)
{
    w->state = WORKER_STOPPING;
    worker_process_give(w, WORKER_STOP, 0, 0, -1);
}

void worker_process_kill(struct worker_process *w)
{
    w->killed = true;
    w->state = WORKER_STOPPING;
    child_kill(w->child, SIGKILL);
}

void worker_process_list_connections(struct worker_process *w)
{
    w->lists_asked++;
    worker_process_give(w, WORKER_CONNECTIONS, 0, 0, -1);
}

void worker_process_tell_intermediate(struct worker_process *w, const char *pem)
{
    struct worker_message message = {.event = WORKER_INTERMEDIATE, .slot = w->slot, .generation = w->generation};

    if (w->waiting_count >= WORKER_TOLD_WAITING_MAX || (w->state != WORKER_STARTING && w->state != WORKER_ACCEPTING))
        return;
    snprintf(message.text, sizeof(message.text), "%s", pem);
    send_or_keep(w, &message, -1);
}

enum worker_phase worker_process_state(const struct worker_process *w)
{
    return w->state;
}

const char *worker_state_name(enum worker_phase state)
{
    return state_names[state];
}

uint32_t worker_process_slot(const struct worker_process *w)
{
    return w->slot;
}

const char *worker_process_sandbox(const struct worker_process *w)
{
    return w->sandbox;
}

bool worker_process_waits_for_tokens(const struct worker_process *w)
{
    return w->waits_for_tokens;
}

const char *worker_process_accelerator(const struct worker_process *w)
{
    return w->accelerator;
}

int worker_process_pid(const struct worker_process *w)
{
    return child_pid(w->child);
}

uint64_t worker_process_started_ms(const struct worker_process *w)
{
    return w->started_ms;
}

const struct counters *worker_process_counters(const struct worker_process *w)
{
    return w->counters;
}
