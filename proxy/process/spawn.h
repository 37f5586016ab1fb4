/* proxy/process/spawn.h: a child process of ours: this same program, started again under an internal command.
 *
 * Children are made by exec, never by fork alone: NSS and PKCS#11 modules do not survive a fork. A child has stdio, one
 * end of a SOCK_SEQPACKET pair as descriptor 3, the descriptors it is given by name, and nothing else: everything this
 * process opens is close-on-exec. It gets our environment without what is meant for the supervisor alone (the service
 * manager's variables and descriptors), and what the options add.
 * Threads: all calls and callbacks on the loop's thread. */
#ifndef YETT_PROXY_PROCESS_SPAWN_H
#define YETT_PROXY_PROCESS_SPAWN_H

#include "base/base.h"
#include <uv.h>

enum { CHILD_CONTROL_FD = 3 };

/* A descriptor of ours and the number that the child shall see it under. Borrowed during child_spawn(). */
struct spawn_fd {
    int source;
    int target;
};

struct spawn_options {
    const char *const *arguments;   /* what follows "yett", such as {"worker", NULL} */
    const char *const *environment; /* "NAME=value", added to or replacing ours; may be NULL when the count is 0 */
    size_t environment_count;
    const struct spawn_fd *fds; /* beyond stdio and the control socket */
    size_t fd_count;
};

struct child;

struct child_events {
    /* The control socket has something, or has closed: receive one message or some. Called again while there is more,
     * also before on_exit, so that a child's last words are heard. Never called after child_hang_up(). */
    void (*on_readable)(void *owner, struct child *child);
    /* The control socket takes datagrams again; only after child_want_writable(). */
    void (*on_writable)(void *owner, struct child *child);
    /* The process has been reaped. The child frees itself afterwards: forget the pointer. */
    void (*on_exit)(void *owner, struct child *child, int64_t status, int signal_number);
};

/* NULL with a sentence in *error, owned by the caller. `events` and `owner` are borrowed until on_exit. */
struct child *child_spawn(uv_loop_t *loop, const struct spawn_options *options, const struct child_events *events,
                          void *owner, char **error);

/* Our end of the control socket: non-blocking. -1 after child_hang_up(). */
int child_control_fd(const struct child *child);
int child_pid(const struct child *child);

/* Read of one child before others, and the supervisor's own work, have their turn: a worker is where the network is,
 * and an agent has a vendor's library in it. */
enum { CHILD_MESSAGES_PER_TURN = 16 };

/* For on_readable: messages, as many as there are but no more than that. `hear_one` receives one from the control
 * socket and does what it says: 1; 0 at its end, which hangs up; or -1 with errno, which gives the child up, but for
 * EAGAIN. */
void child_hear(struct child *child, int (*hear_one)(void *owner, struct child *child), void *owner);

void child_want_writable(struct child *child);

/* Close our end of the control socket; a child of ours takes that as an order to end. */
void child_hang_up(struct child *child);

void child_kill(struct child *child, int signal_number);

/* One that cannot be spoken to: hang up, and kill it; its death does the rest. */
void child_give_up(struct child *child);

/* The child's environment: `inherited` (a NULL-terminated list such as environ) without the variables that are the
 * supervisor's own, with `added` replacing what has the same name. The list and its strings are one allotment each:
 * free with spawn_environment_destroy(). */
char **spawn_environment_create(char *const *inherited, const char *const *added, size_t added_count);
void spawn_environment_destroy(char ***environment);

/* Whether `pid` is a child of child_spawn() that has not been reaped yet. */
bool child_is_alive(int pid);

/* Keep the lowest descriptors occupied, so that nothing opened later gets a number that means something in a child.
 * First thing in a process that spawns. */
void spawn_reserve_low_fds(void);

/* "was killed by signal 9 (Killed)" or "exited with status 1"; owned by the caller. */
char *spawn_describe_exit(int64_t status, int signal_number);

#endif
