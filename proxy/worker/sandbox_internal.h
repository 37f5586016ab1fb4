/* proxy/worker/sandbox_internal.h: the parts of the sandbox, between themselves.
 *
 *   sandbox.c          what is done when
 *   sandbox_landlock.c Landlock, by system calls: no library of Debian has it
 *   sandbox_seccomp.c  filters, by libseccomp
 *   sandbox_calls.c    the lists of system calls
 *   sandbox_checker.c  what a leak checker needs (builds with sanitizers), or
 *   sandbox_plain.c    nothing of that */
#ifndef YETT_PROXY_WORKER_SANDBOX_INTERNAL_H
#define YETT_PROXY_WORKER_SANDBOX_INTERNAL_H

#include "proxy/worker/sandbox.h"
#include <seccomp.h>

/* NULL-terminated names as libseccomp knows them; those that a machine does not have are passed over. */
extern const char *const sandbox_calls_worker[];   /* with any arguments */
extern const char *const sandbox_calls_never[];    /* nobody's business: EPERM */
extern const char *const sandbox_calls_programs[]; /* other programs: EPERM */
extern const char *const sandbox_calls_absent[];   /* ENOSYS, so that the C library takes the older call */

/* A worker's first filter, its second, and an agent's. false: not in force. */
MUST_CHECK bool sandbox_seccomp_begin(void);
MUST_CHECK bool sandbox_seccomp_worker(void);
MUST_CHECK bool sandbox_seccomp_agent(enum sandbox_programs programs);

/* The version in force, or 0. */
int sandbox_landlock_worker(const struct sandbox_options *options);
int sandbox_landlock_agent(void);

/* What the program's own instruments need: calls with any arguments, and rules. false: libseccomp says no. */
extern const char *const sandbox_calls_instruments[];
MUST_CHECK bool sandbox_instruments(scmp_filter_ctx filter);

#endif
