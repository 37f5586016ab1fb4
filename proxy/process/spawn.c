/* see proxy/process/spawn.h */
#include "proxy/process/spawn.h"

#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two libuv handles make up a child; the last one closed frees it. */
enum { CHILD_HANDLES = 2, LAST_READS_MAX = 256 /* more than a socket holds messages */ };

struct child {
    struct child *next; /* of those not reaped */
    uv_process_t process;
    uv_poll_t control;
    int control_fd; /* -1: hung up */
    bool want_writable;
    unsigned handles_closed;
    const struct child_events *events;
    void *owner;
};

/* All of this process, since its children are the process's: whoever reaps others must know these. */
static struct child *alive;

/* What a service manager addresses to the process it started. */
static const char *const own_variables[] = {"NOTIFY_SOCKET", "WATCHDOG_PID",   "WATCHDOG_USEC",        "LISTEN_PID",
                                            "LISTEN_FDS",    "LISTEN_FDNAMES", "CREDENTIALS_DIRECTORY"};

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

static bool same_name(const char *variable, const char *name, size_t size)
{
    return name_length(variable) == size && memcmp(variable, name, size) == 0;
}

static bool is_replaced(const char *variable, const char *const *added, size_t added_count)
{
    for (size_t i = 0; i < ARRAY_LEN(own_variables); i++)
        if (same_name(variable, own_variables[i], strlen(own_variables[i])))
            return true;
    for (size_t i = 0; i < added_count; i++)
        if (same_name(variable, added[i], name_length(added[i])))
            return true;
    return false;
}

char **spawn_environment_create(char *const *inherited, const char *const *added, size_t added_count)
{
    size_t count = 0, used = 0;
    char **environment;

    while (inherited[count] != NULL)
        count++;
    environment = base_alloc((count + added_count + 1) * sizeof(*environment));
    for (size_t i = 0; i < count; i++)
        if (!is_replaced(inherited[i], added, added_count))
            environment[used++] = base_strdup(inherited[i]);
    for (size_t i = 0; i < added_count; i++)
        environment[used++] = base_strdup(added[i]);
    return environment;
}

void spawn_environment_destroy(char ***environment)
{
    if (*environment == NULL)
        return;
    for (char **variable = *environment; *variable != NULL; variable++)
        base_wipe_string(variable);
    free(*environment);
    *environment = NULL;
}

void spawn_reserve_low_fds(void)
{
    int fd;

    /* 0, 1 and 2 stay as they are and are made to exist where a caller closed them; 3 is a child's control socket. */
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < CHILD_CONTROL_FD);
    if (fd > CHILD_CONTROL_FD)
        close(fd);
    for (int i = 0; i < CHILD_CONTROL_FD; i++)
        fcntl(i, F_SETFD, 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;

    if (++child->handles_closed == CHILD_HANDLES)
        free(child);
}

static void on_control(uv_poll_t *handle, int status, int events)
{
    struct child *child = handle->data;

    /* Room first: reading may hang up, and there is nothing to write to after that. */
    if (status == 0 && (events & UV_WRITABLE) != 0 && child->want_writable) {
        child->want_writable = false;
        uv_poll_start(&child->control, UV_READABLE, on_control);
        child->events->on_writable(child->owner, child);
    }
    if (child->control_fd >= 0 && (status != 0 || (events & UV_READABLE) != 0))
        child->events->on_readable(child->owner, child);
}

/* Of a child that has ended, so that there is an end to it; but what it started may still have its end of the socket.
 */
static void hear_last_words(struct child *child)
{
    for (unsigned left = LAST_READS_MAX; child->control_fd >= 0 && left > 0; left--) {
        struct pollfd ready = {.fd = child->control_fd, .events = POLLIN};

        if (poll(&ready, 1, 0) <= 0)
            return;
        child->events->on_readable(child->owner, child);
    }
}

static void forget_alive(struct child *child)
{
    struct child **link = &alive;

    while (*link != child) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = child->next;
}

static void on_exit_reaped(uv_process_t *process, int64_t status, int signal_number)
{
    struct child *child = process->data;

    forget_alive(child);
    hear_last_words(child);
    child_hang_up(child);
    child->events->on_exit(child->owner, child, status, signal_number);
    uv_close((uv_handle_t *)&child->process, on_closed);
}

/* Fills `stdio` so that it has every descriptor the child is to have, at its number. Returns how many entries. */
static size_t stdio_fill(uv_stdio_container_t **stdio, const struct spawn_options *options, int control_fd)
{
    int highest = CHILD_CONTROL_FD;

    for (size_t i = 0; i < options->fd_count; i++)
        if (options->fds[i].target > highest)
            highest = options->fds[i].target;
    *stdio = base_alloc((size_t)(highest + 1) * sizeof(**stdio)); /* zeroed: UV_IGNORE */
    for (int i = 0; i < CHILD_CONTROL_FD; i++)
        (*stdio)[i] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = i};
    (*stdio)[CHILD_CONTROL_FD] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = control_fd};
    for (size_t i = 0; i < options->fd_count; i++) {
        assert(options->fds[i].target > CHILD_CONTROL_FD);
        (*stdio)[options->fds[i].target] =
            (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = options->fds[i].source};
    }
    return (size_t)highest + 1;
}

static char **arguments_create(const char *const *arguments)
{
    size_t count = 0;
    char **out;

    while (arguments[count] != NULL)
        count++;
    out = base_alloc((count + 2) * sizeof(*out));
    out[0] = base_strdup("yett");
    for (size_t i = 0; i < count; i++)
        out[i + 1] = base_strdup(arguments[i]);
    return out;
}

/* uv_spawn() with everything it wants to be given. Returns its result. */
static int process_start(uv_loop_t *loop, struct child *child, const struct spawn_options *options, int child_end)
{
    uv_process_options_t process = {.exit_cb = on_exit_reaped, .file = "/proc/self/exe"};
    int result;

    process.args = arguments_create(options->arguments);
    process.env = spawn_environment_create(environ, options->environment, options->environment_count);
    process.stdio_count = (int)stdio_fill(&process.stdio, options, child_end);
    result = uv_spawn(loop, &child->process, &process);
    spawn_environment_destroy(&process.args);
    spawn_environment_destroy(&process.env);
    free(process.stdio);
    return result;
}

struct child *child_spawn(uv_loop_t *loop, const struct spawn_options *options, const struct child_events *events,
                          void *owner, char **error)
{
    struct child *child = base_alloc(sizeof(*child));
    int ends[2];
    int result;

    child->events = events;
    child->owner = owner;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        *error = base_printf("cannot make a socket pair for a child process: %s", strerror(errno));
        free(child);
        return NULL;
    }
    /* Our end only: the child reads its first messages blocking. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child->control_fd = ends[0];
    child->control.data = child->process.data = child;
    result = process_start(loop, child, options, ends[1]);
    close(ends[1]);
    if (result != 0) {
        *error = base_printf("cannot start a child process: %s", uv_strerror(result));
        close(ends[0]);
        child->handles_closed = CHILD_HANDLES - 1;
        uv_close((uv_handle_t *)&child->process, on_closed);
        return NULL;
    }
    child->next = alive;
    alive = child;
    result = uv_poll_init(loop, &child->control, child->control_fd);
    if (result == 0)
        result = uv_poll_start(&child->control, UV_READABLE, on_control);
    if (result != 0)
        base_abort("cannot watch a socket pair: %s", uv_strerror(result));
    return child;
}

bool child_is_alive(int pid)
{
    for (const struct child *child = alive; child != NULL; child = child->next)
        if (child_pid(child) == pid)
            return true;
    return false;
}

int child_control_fd(const struct child *child)
{
    return child->control_fd;
}

int child_pid(const struct child *child)
{
    return uv_process_get_pid(&child->process);
}

void child_want_writable(struct child *child)
{
    if (child->control_fd < 0 || child->want_writable)
        return;
    child->want_writable = true;
    uv_poll_start(&child->control, UV_READABLE | UV_WRITABLE, on_control);
}

void child_hang_up(struct child *child)
{
    if (child->control_fd < 0)
        return;
    uv_poll_stop(&child->control);
    uv_close((uv_handle_t *)&child->control, on_closed);
    close(child->control_fd);
    child->control_fd = -1;
}

void child_kill(struct child *child, int signal_number)
{
    /* After the process was reaped this answers ESRCH and reaches nobody. */
    uv_process_kill(&child->process, signal_number);
}

void child_give_up(struct child *child)
{
    child_hang_up(child);
    child_kill(child, SIGKILL);
}

void child_hear(struct child *child, int (*hear_one)(void *owner, struct child *child), void *owner)
{
    for (unsigned left = CHILD_MESSAGES_PER_TURN; child->control_fd >= 0 && left > 0; left--) {
        int got = hear_one(owner, child);

        if (got == 0)
            child_hang_up(child);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0)
            child_give_up(child);
    }
}

char *spawn_describe_exit(int64_t status, int signal_number)
{
    if (signal_number != 0)
        return base_printf("was killed by signal %d (%s)", signal_number, strsignal(signal_number));
    return base_printf("exited with status %d", (int)status);
}
