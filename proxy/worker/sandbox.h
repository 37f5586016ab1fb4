/* proxy/worker/sandbox.h: what a worker and an agent may still do: much less than their user may.
 *
 * A *worker* faces the network. It gives away, in this order:
 *   sandbox_begin()   as it starts: new privileges, core dumps, being looked into by others, and the system calls that
 *                     no part of it ever needs (other programs and processes, kernel interfaces; sandbox_calls.c)
 *   sandbox_enter()   before its first connection, when all is open: every system call that is not on the list of
 *                     those it uses (seccomp), and what Landlock can take as far as the kernel has it: files but a few
 *                     for reading, listening, connecting to ports nobody configured, signals and abstract sockets of
 *                     others. What is open stays usable.
 * An *agent* runs a vendor's module, of which nobody knows what it needs: sandbox_agent() takes what no module has a
 * reason for. SECURITY.md says what holds then.
 *
 * Refused calls fail (EPERM, EACCES, EAFNOSUPPORT, ENOSYS for what is not known): they do not kill. A name service
 * module of the site may try something nobody here has thought of; a killed worker would end everybody's connections,
 * and whoever can make it try would have a way to do that. ENOSYS makes newer C libraries fall back to older calls.
 * Nothing here is undone. seccomp covers all threads; Landlock the calling one and those it starts: call all of it
 * from the first thread while it is the only one. */
#ifndef YETT_PROXY_WORKER_SANDBOX_H
#define YETT_PROXY_WORKER_SANDBOX_H

#include "base/base.h"

struct sandbox_state {
    bool no_new_privileges;
    bool no_dumps;
    bool seccomp;     /* the filter is in force */
    int landlock_abi; /* what is in force; 0: the kernel has none, or it is switched off */
};

/* First thing in a process that has, or will have, secrets: no core file, and no other process of its user may look
 * into it. The supervisor keeps PINs. */
bool sandbox_hide(void);

/* A worker, as it starts. */
struct sandbox_state sandbox_begin(void);

struct sandbox_options {
    const char *const *readable; /* further files and folders that stay readable; NULL-terminated */
    /* TCP ports that may be connected to (kernels with Landlock 4); NULL: any. */
    const uint16_t *ports;
    size_t port_count;
};

/* A worker, before its first connection. What the kernel does not have is missing in *state; the caller decides. */
void sandbox_enter(const struct sandbox_options *options, struct sandbox_state *state);

/* An agent, before it loads its module. */
enum sandbox_programs { SANDBOX_PROGRAMS_NONE, SANDBOX_PROGRAMS_ALLOWED };
struct sandbox_state sandbox_agent(enum sandbox_programs programs);

/* What the running kernel has, without entering anything. */
bool sandbox_kernel_has_seccomp(void);
int sandbox_kernel_landlock(void); /* its version; 0: none */

/* "seccomp, Landlock 7: files, ports, signals, abstract sockets", or what is missing; owned by the caller. */
char *sandbox_describe(const struct sandbox_state *state);

/* At the very end, when no secret is left in memory: let a debugger or a leak checker look at what remains. */
void sandbox_allow_inspection(void);

#endif
