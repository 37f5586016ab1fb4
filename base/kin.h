/* base/kin.h: whether the process at the other end of a Unix socket descends from a given one.
 *
 * The number of a process says little by itself: by the time it is looked at, its process may have ended and the number
 * be another's. So the peer is held by a descriptor of it where the kernel gives one (SO_PEERPIDFD, Linux 6.5), and
 * each answer is only taken while that is alive. On older kernels a peer that ended between connecting and being looked
 * at may be taken for whoever has its number now.
 *
 * Ancestry is read from /proc. Where /proc hides others' processes (ProtectProc=invisible), a process of another user
 * that cannot be seen is no descendant of one that cannot see it, since a child has its parent's user unless that is
 * root, who sees all; one of the same user that cannot be seen hides itself, or is gone: unknown.
 * An orphan becomes the child of whoever reaps for it: an ancestor that wants to be sure calls kin_adopt_orphans(). */
#ifndef YETT_BASE_KIN_H
#define YETT_BASE_KIN_H

#include "base/base.h"
#include <sys/types.h>

enum kin {
    KIN_STRANGER, /* not started by `ancestor`, nor by what that has started */
    KIN_DESCENDANT,
    KIN_UNKNOWN, /* treat as a descendant */
};

struct kin_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* false: it cannot be said who is there. */
MUST_CHECK bool kin_peer(int socket, struct kin_peer *peer);

/* Of the peer of a connected Unix socket, who was kin_peer() when it connected. `ancestor` itself is a stranger. */
enum kin kin_of_peer(int socket, const struct kin_peer *peer, pid_t ancestor);

/* From now on what descends from this process stays below it, whoever dies between. Its orphans are then this process's
 * to reap: kin_reap_orphan(). */
bool kin_adopt_orphans(void);

/* Reaps the next child that has ended, if `is_own` (a child that somebody else waits for) says no. Call after SIGCHLD
 * until it says false. */
bool kin_reap_orphan(bool (*is_own)(void *ctx, pid_t pid), void *ctx);

#endif
