/* proxy/sandbox.h: what a worker may still do once it serves: much less.
 *
 * No new privileges, no core dumps, no tracing by others (they would hold keys), and, where the kernel has Landlock, no
 * files but those that resolving names and finding agents needs. What is open stays usable.
 * Call once, from the only thread: threads started later inherit it. It is not undone. */
#ifndef YETT_PROXY_SANDBOX_H
#define YETT_PROXY_SANDBOX_H

#include "base/base.h"

struct sandbox_state {
    bool no_new_privileges;
    bool no_dumps;
    int landlock_abi; /* 0: the kernel has none, or it is switched off */
};

/* `readable`: further files and folders that stay readable (a NULL-terminated list). Never fails: what the kernel does not
 * have is missing in the state, for the log. */
struct sandbox_state sandbox_enter(const char *const *readable);

/* At the very end, when no key is left in memory: let a debugger or a leak checker look at what remains. */
void sandbox_allow_inspection(void);

#endif
