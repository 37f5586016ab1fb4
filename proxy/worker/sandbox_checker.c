/* see proxy/worker/sandbox_internal.h: builds with sanitizers. LeakSanitizer stops all threads at the end of a process
 * by a helper that shares its memory and traces it (a clone with CLONE_VM and CLONE_UNTRACED, and ptrace), and waits
 * for it. No build that is installed has this. */
#include "proxy/worker/sandbox_internal.h"

#include <sched.h>

const char *const sandbox_calls_instruments[] = {"ptrace", "wait4", "waitid",      "sched_setaffinity",
                                                 "tkill",  "prctl", "personality", NULL};

bool sandbox_instruments(scmp_filter_ctx filter)
{
    const uint64_t helper = CLONE_VM | CLONE_UNTRACED;

    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                            SCMP_A0_64(SCMP_CMP_MASKED_EQ, helper | CLONE_THREAD, helper)) == 0;
}
