/* see proxy/sandbox.h */
#include "proxy/sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* For getaddrinfo() (hosts, resolv.conf, nsswitch.conf, the modules it loads and what they ask), and the time zone. */
static const char *const readable_always[] = {
    "/etc",       "/usr",          "/lib",  "/lib64", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
    "/run/nscd",  "/var/run/nscd", "/dev/null", "/dev/urandom", "/proc/self", "/proc/sys/crypto", "/proc/sys/kernel",
};

static uint64_t handled_rights(int abi)
{
    /* All rights of the first version; later ones add REFER (2) and TRUNCATE (3), which this header may not know. */
    uint64_t rights = (UINT64_C(1) << 13) - 1;

    if (abi >= 2)
        rights |= UINT64_C(1) << 13;
    if (abi >= 3)
        rights |= UINT64_C(1) << 14;
    return rights;
}

static void allow_reading(int ruleset, const char *path)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
    struct stat info;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return; /* it is not there, so nobody needs it */
    if (fstat(rule.parent_fd, &info) == 0 && S_ISDIR(info.st_mode))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
    (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

/* The version that is active, or 0. */
static int enter_landlock(const char *const *readable)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr attributes;
    int ruleset;
    bool entered;

    if (abi <= 0)
        return 0;
    attributes = (struct landlock_ruleset_attr){.handled_access_fs = handled_rights(abi)};
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
    if (ruleset < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(readable_always); i++)
        allow_reading(ruleset, readable_always[i]);
    for (size_t i = 0; readable[i] != NULL; i++)
        allow_reading(ruleset, readable[i]);
    entered = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return entered ? abi : 0;
}

struct sandbox_state sandbox_enter(const char *const *readable)
{
    const struct rlimit no_core = {0, 0};
    struct sandbox_state state;

    state.no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    state.no_dumps = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &no_core) == 0;
    state.landlock_abi = enter_landlock(readable);
    return state;
}

void sandbox_allow_inspection(void)
{
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
