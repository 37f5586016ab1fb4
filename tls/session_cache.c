/* see tls/runtime.h: the session cache that all workers share. */
#include "tls/runtime_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ssl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SESSION_SECONDS = 3600 * 12 /* no session resumes later than this; NSS's most is a day */ };

/* NSS gives the descriptor of the cache's memory in SSL_INHERITANCE, but not those of its locks. So all of them are
 * made to be one range: every number below it is taken while NSS opens them. */
struct placeholders {
    int *fds;
    size_t count;
};

static int descriptor_highest(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int highest = TLS_SESSION_CACHE_FD_MIN - 1;

    if (directory == NULL)
        return -1;
    while ((entry = readdir(directory)) != NULL) {
        long fd = strtol(entry->d_name, NULL, 10);

        if (fd > highest)
            highest = (int)fd;
    }
    closedir(directory);
    return highest;
}

/* Take every free number up to the highest in use. Returns the number that the next
 * open() gives, or -1 (errno). */
static int placeholders_take(struct placeholders *p)
{
    int highest = descriptor_highest();
    int fd;

    *p = (struct placeholders){0};
    if (highest < 0)
        return -1;
    p->fds = base_alloc((size_t)(highest + 1) * sizeof(*p->fds));
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && fd <= highest)
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
    if (SSL_ConfigMPServerSIDCache((int)entries_max, 0, SESSION_SECONDS, directory) != SECSuccess) {
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
    *inherit = base_strdup(text);
    (void)unsetenv(SSL_ENV_VAR_NAME); /* passed on by the caller, to workers only */
    done = true;

out:
    placeholders_give(&placeholders);
    return done;
}
