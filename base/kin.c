/* see base/kin.h */
#include "base/kin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GENERATIONS_MAX = 64 /* of ancestors that are looked at */, STAT_SIZE = 512, PATH_SIZE = 32 };

/* Debian 12's C library has no name for it yet; the number is that of all machines but PA-RISC and SPARC, which have it
 * in their header. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

bool kin_peer(int socket, struct kin_peer *peer)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        return false;
    *peer = (struct kin_peer){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
    return true;
}

/* The parent of a process: 0 for one that has none in sight. -1: it cannot be seen. */
static pid_t parent_of(pid_t pid)
{
    char path[PATH_SIZE], text[STAT_SIZE];
    const char *after_name;
    ssize_t size;
    long parent;
    char *end;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size <= 0)
        return -1;
    text[size] = '\0';
    after_name = strrchr(text, ')'); /* a name may have anything in it, and the fields behind it have no ')' */
    if (after_name == NULL || strlen(after_name) < strlen(") S 1"))
        return -1;
    errno = 0;
    parent = strtol(after_name + strlen(") S "), &end, 10);
    return errno != 0 || *end != ' ' || parent < 0 || parent > INT_MAX ? -1 : (pid_t)parent;
}

static bool has_same_user(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != EPERM;
}

static enum kin kin_of(pid_t pid, pid_t ancestor)
{
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        pid_t parent = parent_of(pid);

        if (parent < 0)
            return has_same_user(pid) ? KIN_UNKNOWN : KIN_STRANGER;
        if (parent == ancestor)
            return KIN_DESCENDANT;
        if (parent <= 1)
            return KIN_STRANGER;
        pid = parent;
    }
    return KIN_UNKNOWN;
}

/* A descriptor of the very process that connected. -1: this kernel has none; -2: that process is gone. */
static int peer_descriptor(int socket)
{
    int fd = -1;
    socklen_t size = sizeof(fd);

    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0)
        return fd;
    return errno == ENOPROTOOPT ? -1 : -2;
}

static bool has_ended(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    return poll(&ended, 1, 0) != 0;
}

enum kin kin_of_peer(int socket, const struct kin_peer *peer, pid_t ancestor)
{
    int pidfd = peer_descriptor(socket);
    enum kin kin;

    if (pidfd == -2)
        return KIN_UNKNOWN;
    if (peer->pid == ancestor)
        kin = KIN_STRANGER;
    else if (peer->pid <= 0)
        kin = KIN_STRANGER; /* outside of what this process can see; what it has started is inside */
    else
        kin = kin_of(peer->pid, ancestor);
    /* As long as it lives, its number is its own: what was read was of it. */
    if (pidfd >= 0 && has_ended(pidfd))
        kin = KIN_UNKNOWN;
    if (pidfd >= 0)
        close(pidfd);
    return kin;
}

bool kin_adopt_orphans(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

bool kin_reap_orphan(bool (*is_own)(void *ctx, pid_t pid), void *ctx)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return false;
    if (is_own(ctx, info.si_pid))
        return false;
    return waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG) == 0;
}
