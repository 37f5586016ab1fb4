/* see proxy/supervisor/session_cache.h */
#include "proxy/supervisor/session_cache.h"

#include "proxy/process/log.h"
#include "tls/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SESSION_CACHE_ENTRIES_MAX = 20000,
    DESCRIPTORS_AT_FIRST = 1024,
    REPAIR_LOOKS = 16,
    REPAIR_INTERVAL_MS = 20,
};

/* A pipe of the cache's: a lock. */
struct lock {
    int read_fd;
    int write_fd;
    unsigned taken_looks; /* in a row */
};

struct session_cache {
    bool nss_started;
    char *inheritance;
    struct spawn_fd *fds;
    size_t fd_count;
    struct lock *locks;
    size_t lock_count;
    int ticket_key_fd;
    uv_timer_t timer;
    unsigned looks_left;
};

/* --- the descriptors --- */

/* The two ends of a pipe have one inode number. */
static void add_lock(struct session_cache *c, int read_fd, ino_t inode)
{
    for (size_t i = 0; i < c->fd_count; i++) {
        int fd = c->fds[i].source;
        struct stat info;

        if (fd == read_fd || fstat(fd, &info) != 0 || !S_ISFIFO(info.st_mode) || info.st_ino != inode)
            continue;
        c->locks = base_realloc_array(c->locks, c->lock_count + 1, sizeof(*c->locks));
        c->locks[c->lock_count++] = (struct lock){.read_fd = read_fd, .write_fd = fd};
        return;
    }
}

static void adopt_fds(struct session_cache *c, int first, int last)
{
    c->fd_count = (size_t)last - (size_t)first + 1;
    c->fds = base_alloc(c->fd_count * sizeof(*c->fds));
    for (size_t i = 0; i < c->fd_count; i++) {
        int fd = first + (int)i;

        c->fds[i] = (struct spawn_fd){.source = fd, .target = fd};
        fcntl(fd, F_SETFD, FD_CLOEXEC); /* for workers only */
    }
    for (size_t i = 0; i < c->fd_count; i++) {
        struct stat info;

        if (fstat(c->fds[i].source, &info) == 0 && S_ISFIFO(info.st_mode) &&
            (fcntl(c->fds[i].source, F_GETFL) & O_ACCMODE) == O_RDONLY)
            add_lock(c, c->fds[i].source, info.st_ino);
    }
}

/* --- the ticket key --- */

static int sealed_memfd(const char *name, const void *data, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (pwrite(fd, data, size, 0) == (ssize_t)size &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool make_ticket_key(struct session_cache *c, char **error)
{
    uint8_t *der = NULL;
    size_t size = 0;

    if (!tls_ticket_key_generate(&der, &size, error))
        return false;
    c->ticket_key_fd = sealed_memfd("yett-ticket-key", der, size);
    if (c->ticket_key_fd < 0)
        *error = base_printf("cannot keep the ticket key in memory: %s", strerror(errno));
    base_wipe(der, size);
    free(der);
    return c->ticket_key_fd >= 0;
}

/* --- repair --- */

static bool is_taken(const struct lock *lock)
{
    int bytes = 0;

    return ioctl(lock->read_fd, FIONREAD, &bytes) == 0 && bytes == 0;
}

static void on_look(uv_timer_t *timer)
{
    static const char token = 1;
    struct session_cache *c = timer->data;

    for (size_t i = 0; i < c->lock_count; i++) {
        struct lock *lock = &c->locks[i];

        lock->taken_looks = is_taken(lock) ? lock->taken_looks + 1 : 0;
        if (lock->taken_looks < REPAIR_LOOKS)
            continue;
        lock->taken_looks = 0;
        if (write(lock->write_fd, &token, 1) == 1)
            log_line(LOG_LEVEL_WARNING, "session_cache_lock_repaired", log_number("lock", (int64_t)i));
    }
    if (--c->looks_left == 0)
        uv_timer_stop(timer);
}

void session_cache_repair(struct session_cache *c)
{
    c->looks_left = REPAIR_LOOKS;
    for (size_t i = 0; i < c->lock_count; i++)
        c->locks[i].taken_looks = 0;
    uv_timer_start(&c->timer, on_look, REPAIR_INTERVAL_MS, REPAIR_INTERVAL_MS);
}

/* --- the whole --- */

/* What the cache's locks take, and a few services: more when it is known how many (listen_sockets.h). */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_AT_FIRST)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_AT_FIRST ? limit.rlim_max : DESCRIPTORS_AT_FIRST;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool start(struct session_cache *c, char **error)
{
    const struct tls_runtime_options options = {0};
    int first, last;

    raise_descriptor_limit();
    if (!tls_runtime_start(&options, error))
        return false;
    c->nss_started = true;
    if (!tls_session_cache_create(SESSION_CACHE_ENTRIES_MAX, &c->inheritance, &first, &last, error))
        return false;
    adopt_fds(c, first, last);
    return make_ticket_key(c, error);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct session_cache *session_cache_create(uv_loop_t *loop, char **error)
{
    struct session_cache *c = base_alloc(sizeof(*c));

    c->ticket_key_fd = -1;
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    if (!start(c, error))
        session_cache_destroy(&c);
    return c;
}

void session_cache_destroy(struct session_cache **cache)
{
    struct session_cache *c = *cache;
    char *error = NULL;

    if (c == NULL)
        return;
    *cache = NULL;
    if (c->nss_started && !tls_runtime_stop(&error)) {
        log_line(LOG_LEVEL_WARNING, "nss_shutdown_failed", log_text("reason", error));
        free(error);
    }
    if (c->ticket_key_fd >= 0)
        close(c->ticket_key_fd);
    free(c->inheritance);
    free(c->fds);
    free(c->locks);
    uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

const char *session_cache_inheritance(const struct session_cache *c)
{
    return c->inheritance;
}

const struct spawn_fd *session_cache_fds(const struct session_cache *c, size_t *count)
{
    *count = c->fd_count;
    return c->fds;
}

int session_cache_ticket_key_fd(const struct session_cache *c)
{
    return c->ticket_key_fd;
}
