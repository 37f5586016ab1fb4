/* see tls/runtime.h: the session cache that all workers share. */
#include "tls/runtime_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SESSION_SECONDS = 3600 * 12, /* no session resumes later than this; NSS's most is a day */
    NAMES_MAX = 16384,           /* by their hash: two names in one place end each other's sessions */
    ZEROS_BLOCK = 64 * 1024,     /* that much is given back, or kept */
    DESCRIPTORS_ENOUGH = 160,    /* for one service; proxy/supervisor/listen_sockets.c counts exactly */
    BESIDES_LOCKS = 8,           /* descriptors that NSS has at the same time as those of its locks */
};

/* NSS gives the descriptor of the cache's memory in SSL_INHERITANCE, but not those of its locks. So all of them are
 * made to be one range: every number below it is taken while NSS opens them. */
struct placeholders {
    int *fds;
    size_t count;
};

/* The first number of so many that are free, one after the other: what we were started with may be anywhere (a shell's
 * pipe at 251), and would cost as many descriptors as there are below it. */
static int find_gap(int size)
{
    int first = TLS_SESSION_CACHE_FD_MIN;

    for (int fd = first; fd < first + size; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            first = fd + 1;
    return first;
}

/* Take every free number below the range. Returns the number that the next
 * open() gives, its first, or -1 (errno). */
static int placeholders_take(struct placeholders *p)
{
    int first = find_gap(2 * (int)SSL_GetMaxServerCacheLocks() + BESIDES_LOCKS);
    int fd;

    *p = (struct placeholders){0};
    p->fds = base_alloc((size_t)first * sizeof(*p->fds));
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && fd < first)
        p->fds[p->count++] = fd;
    if (fd >= 0)
        close(fd);
    return fd;
}

static void placeholders_give(struct placeholders *p)
{
    for (size_t i = 0; i < p->count; i++)
        close(p->fds[i]);
    free(p->fds);
}

/* The last descriptor of the range that begins at `first`. */
static int range_last(int first)
{
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (next >= 0)
        close(next);
    return next < first ? first : next - 1;
}

/* Whether every descriptor of the range is open, and passes on to a child. */
static bool range_is_inheritable(int first, int last)
{
    for (int fd = first; fd <= last; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags < 0 || (flags & FD_CLOEXEC) != 0)
            return false;
    }
    return last > first;
}

static bool is_zero(const uint8_t *block, size_t size)
{
    return block[0] == 0 && memcmp(block, block + 1, size - 1) == 0;
}

/* NSS writes zeros into all of the cache as it makes it, so that each of its pages is memory; and a cache that
 * processes share has room for a certificate of 4 KiB beside each session, whatever is asked for. Few of these pages
 * are ever used: with those of who shows a certificate nothing is resumed. What is zero is given back; a page that a
 * session needs comes by itself, as zeros. Where the file system cannot do that the cache is as large as NSS made it.
 */
static void give_zeros_back(int fd)
{
    uint8_t *block = base_alloc(ZEROS_BLOCK);
    off_t at = 0, zeros_from = 0;
    ssize_t size;

    do {
        size = pread(fd, block, ZEROS_BLOCK, at);
        if (size == ZEROS_BLOCK && is_zero(block, ZEROS_BLOCK)) {
            at += size;
            continue;
        }
        if (at > zeros_from)
            (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, zeros_from, at - zeros_from);
        at += size;
        zeros_from = at;
    } while (size == ZEROS_BLOCK);
    free(block);
}

/* The cache's memory is the one file of the range; the rest are the pipes of its locks. */
static void give_cache_zeros_back(int first, int last)
{
    for (int fd = first; fd <= last; fd++) {
        struct stat info;

        if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
            give_zeros_back(fd);
    }
}

/* What failed for want of descriptors says what would be enough. */
static void add_descriptors(char **error)
{
    struct rlimit limit;
    char *longer;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= DESCRIPTORS_ENOUGH)
        return;
    longer = base_printf(
        "%s: this process may have %llu descriptors, and needs at least %d: raise LimitNOFILE in its unit, or "
        "ulimit -n",
        *error, (unsigned long long)limit.rlim_max, DESCRIPTORS_ENOUGH);
    free(*error);
    *error = longer;
}

bool tls_session_cache_create(unsigned entries_max, char **inherit, int *fd_first, int *fd_last, char **error)
{
    /* The file is unlinked at once; memory is the better place where there is a file system of it. */
    const char *directory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL;
    struct placeholders placeholders;
    const char *text;
    bool done = false;

    *fd_first = placeholders_take(&placeholders);
    if (*fd_first < 0) {
        *error = base_printf("cannot make the session cache: %s", strerror(errno));
        goto out;
    }
    if (SSL_ConfigServerSessionIDCacheWithOpt(0, SESSION_SECONDS, directory, (int)entries_max, 0, NAMES_MAX,
                                              PR_TRUE /* for several processes */) != SECSuccess) {
        (void)tls_nss_fail(error, "cannot make the session cache");
        goto out;
    }
    tls_runtime_note_session_cache();
    *fd_last = range_last(*fd_first);
    text = getenv(SSL_ENV_VAR_NAME);
    if (text == NULL || !range_is_inheritable(*fd_first, *fd_last)) {
        *error = base_strdup("cannot make the session cache: its descriptors are not what NSS 3.87 gives");
        goto out;
    }
    give_cache_zeros_back(*fd_first, *fd_last);
    *inherit = base_strdup(text);
    (void)unsetenv(SSL_ENV_VAR_NAME); /* passed on by the caller, to workers only */
    done = true;

out:
    if (!done)
        add_descriptors(error);
    placeholders_give(&placeholders);
    return done;
}
