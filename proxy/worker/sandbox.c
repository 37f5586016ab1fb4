/* see proxy/worker/sandbox.h */
#include "proxy/worker/sandbox_internal.h"

#include <sys/prctl.h>
#include <sys/resource.h>

bool sandbox_hide(void)
{
    const struct rlimit no_core = {0, 0};

    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0;
}

struct sandbox_state sandbox_begin(void)
{
    struct sandbox_state state = {.no_dumps = sandbox_hide()};

    state.no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    state.seccomp = sandbox_seccomp_begin();
    return state;
}

void sandbox_enter(const struct sandbox_options *options, struct sandbox_state *state)
{
    /* Again: becoming another user may have made the process dumpable, and what it may be is the system's setting. */
    state->no_dumps = sandbox_hide() && state->no_dumps;
    state->landlock_abi = sandbox_landlock_worker(options);
    state->seccomp = sandbox_seccomp_worker() && state->seccomp;
}

struct sandbox_state sandbox_agent(enum sandbox_programs programs)
{
    struct sandbox_state state = {.no_dumps = sandbox_hide()};

    state.no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    state.landlock_abi = sandbox_landlock_agent();
    state.seccomp = sandbox_seccomp_agent(programs);
    return state;
}

char *sandbox_describe(const struct sandbox_state *state)
{
    const char *seccomp = state->seccomp ? "seccomp" : "no seccomp";
    int abi = state->landlock_abi;

    if (abi == 0)
        return base_printf("%s, no Landlock", seccomp);
    return base_printf("%s, Landlock %d: files%s%s", seccomp, abi, abi >= 4 ? ", ports" : "",
                       abi >= 6 ? ", signals, abstract sockets" : "");
}

void sandbox_allow_inspection(void)
{
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
