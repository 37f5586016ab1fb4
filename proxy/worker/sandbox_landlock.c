/* see proxy/worker/sandbox.h
 *
 * The kernel's header on Debian 12 knows version 2 of this interface, the kernels that yett meets know more: what later
 * versions added is written down here (Documentation/userspace-api/landlock.rst has the history). */
#include "proxy/worker/sandbox_internal.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr as of version 6. A kernel takes a size it does not know when the rest is zero. */
struct ruleset {
    uint64_t files;  /* version 1 */
    uint64_t ports;  /* version 4 */
    uint64_t scoped; /* version 6 */
};

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

enum { RULE_PORT = 2 };

#define FILES_FIRST    ((UINT64_C(1) << 13) - 1) /* all of version 1 */
#define FILES_REFER    (UINT64_C(1) << 13)       /* version 2 */
#define FILES_TRUNCATE (UINT64_C(1) << 14)       /* version 3 */
#define FILES_IOCTL    (UINT64_C(1) << 15)       /* version 5: of devices */
#define PORTS_BIND     (UINT64_C(1) << 0)        /* version 4: TCP */
#define PORTS_CONNECT  (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT (UINT64_C(1) << 0) /* version 6: abstract sockets of processes outside */
#define SCOPE_SIGNALS  (UINT64_C(1) << 1)

/* For getaddrinfo() (hosts, resolv.conf, nsswitch.conf, the modules it loads and what they ask), and the time zone. All
 * of /etc, since a rule is about a file and not about its name: hosts and resolv.conf are written anew and renamed into
 * place while workers run, and a list of today's files would let a worker read none of tomorrow's. What is secret there
 * is so by its owner and mode. */
static const char *const readable_always[] = {
    "/etc",
    "/usr",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/var/run/nscd",
    "/dev/null",
    "/dev/urandom",
    "/proc/self",
    "/proc/sys/crypto",
    "/proc/sys/kernel",
};

int sandbox_kernel_landlock(void)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi > 0 ? abi : 0;
}

static struct ruleset ruleset_of(int abi, bool limit_connecting)
{
    struct ruleset r = {.files = FILES_FIRST};

    if (abi >= 2)
        r.files |= FILES_REFER;
    if (abi >= 3)
        r.files |= FILES_TRUNCATE;
    if (abi >= 5)
        r.files |= FILES_IOCTL;
    if (abi >= 4)
        r.ports = PORTS_BIND | (limit_connecting ? PORTS_CONNECT : 0);
    if (abi >= 6)
        r.scoped = SCOPE_ABSTRACT | SCOPE_SIGNALS;
    return r;
}

static size_t ruleset_size(int abi)
{
    return abi >= 6 ? sizeof(struct ruleset) : abi >= 4 ? offsetof(struct ruleset, scoped) : sizeof(uint64_t);
}

static void allow_reading(int ruleset, const char *path)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
    struct stat info;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return; /* it is not there, so nobody needs it */
    if (fstat(rule.parent_fd, &info) == 0 && S_ISDIR(info.st_mode))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
}

static void allow_connecting(int ruleset, uint16_t port)
{
    const struct port_rule rule = {.allowed = PORTS_CONNECT, .port = port};

    (void)syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &rule, 0);
}

/* Takes `ruleset`. */
static int restrict_self(int ruleset, int abi)
{
    bool entered = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;

    close(ruleset);
    return entered ? abi : 0;
}

int sandbox_landlock_worker(const struct sandbox_options *options)
{
    int abi = sandbox_kernel_landlock();
    struct ruleset rights = ruleset_of(abi, options->ports != NULL);
    int ruleset;

    if (abi == 0)
        return 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, ruleset_size(abi), 0);
    if (ruleset < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(readable_always); i++)
        allow_reading(ruleset, readable_always[i]);
    for (size_t i = 0; options->readable[i] != NULL; i++)
        allow_reading(ruleset, options->readable[i]);
    if ((rights.ports & PORTS_CONNECT) != 0)
        for (size_t i = 0; i < options->port_count; i++)
            allow_connecting(ruleset, options->ports[i]);
    return restrict_self(ruleset, abi);
}

/* A module has files, devices and ports of its own choice. Signals to others are nobody's business, and who is in a
 * ruleset of whatever kind can trace nobody outside of it. */
int sandbox_landlock_agent(void)
{
    const struct ruleset rights = {.scoped = SCOPE_SIGNALS};
    int abi = sandbox_kernel_landlock();
    int ruleset;

    if (abi < 6)
        return 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights), 0);
    return ruleset < 0 ? 0 : restrict_self(ruleset, abi);
}
