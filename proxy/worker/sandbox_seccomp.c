/* see proxy/worker/sandbox.h
 *
 * A worker has two filters. The first lets everything pass but what no part of it ever needs, so that it also holds
 * while configuration, keys and modules are opened. The second is a list of what may pass; the kernel takes the
 * stricter of two answers, and the newer one's where both refuse.
 *
 * No filter can look behind a pointer: to which address a socket is bound or connected, which file is opened. So bind()
 * is refused as a whole, files are Landlock's part, and so are the ports; where there is no Landlock, the user's rights
 * are what is left. Arguments are compared in all of their 64 bits: what is allowed cannot be reached by setting bits
 * that the kernel does not look at, and what such bits make of a refused call is refused too.
 *
 * What a filter answers without looking at arguments the kernel (5.11 and later) remembers by the call's number, so the
 * calls that move data cost nothing; the list is searched as a tree where it is searched at all. */
#include "proxy/worker/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_TYPE_BITS = 0xf, SEARCH_AS_TREE = 2, FAMILIES_KNOWN = 64 };

#define NEW_NAMESPACES                                                                                                 \
    (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS)
/* glibc's O_TMPFILE has O_DIRECTORY in it, which reading may have as well. */
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* A filter being made; the first thing that goes wrong is the end of it. */
struct making {
    scmp_filter_ctx filter;
    bool good;
};

static struct making make(uint32_t otherwise)
{
    struct making m = {.filter = seccomp_init(otherwise)};

    /* All threads get it. A process that calls by another machine's numbers (32-bit ones) is up to no good. */
    m.good = m.filter != NULL && seccomp_attr_set(m.filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
             seccomp_attr_set(m.filter, SCMP_FLTATR_CTL_OPTIMIZE, SEARCH_AS_TREE) == 0 &&
             seccomp_attr_set(m.filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
    return m;
}

static bool load(struct making *m)
{
    bool loaded = m->good && seccomp_load(m->filter) == 0;

    if (m->filter != NULL)
        seccomp_release(m->filter);
    m->filter = NULL;
    return loaded;
}

static bool has(const char *const *names, const char *name)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void add(struct making *m, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *arguments)
{
    int number = seccomp_syscall_resolve_name(name);

    if (m->good && number != __NR_SCMP_ERROR)
        m->good = seccomp_rule_add_array(m->filter, action, number, count, arguments) == 0;
}

static void add_all(struct making *m, uint32_t action, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (action == SCMP_ACT_ALLOW || !has(sandbox_calls_instruments, names[i]))
            add(m, action, names[i], 0, NULL);
}

/* Allow `name` when its argument `index` is one of these. */
static void add_values(struct making *m, const char *name, unsigned index, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(m, SCMP_ACT_ALLOW, name, 1, &SCMP_CMP64(index, SCMP_CMP_EQ, values[i]));
}

static void add_masked(struct making *m, uint32_t action, const char *name, unsigned index, uint64_t mask,
                       uint64_t value)
{
    add(m, action, name, 1, &SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, mask, value));
}

/* clone() for anything but a thread. The leak checker's helper (CLONE_VM and CLONE_UNTRACED) is one of those, so the
 * case stands alone. */
static void refuse_processes(struct making *m)
{
    const uint64_t kinds = CLONE_THREAD | CLONE_UNTRACED | CLONE_VM;

    add_masked(m, SCMP_ACT_ERRNO(EPERM), "clone", 0, CLONE_THREAD | CLONE_UNTRACED, 0);
    add_masked(m, SCMP_ACT_ERRNO(EPERM), "clone", 0, kinds, CLONE_UNTRACED);
    if (sandbox_calls_instruments[0] == NULL)
        add_masked(m, SCMP_ACT_ERRNO(EPERM), "clone", 0, kinds, CLONE_UNTRACED | CLONE_VM);
}

static void never(struct making *m)
{
    add_all(m, SCMP_ACT_ERRNO(EPERM), sandbox_calls_never);
    add_all(m, SCMP_ACT_ERRNO(ENOSYS), sandbox_calls_absent);
}

/* --- a worker --- */

bool sandbox_seccomp_begin(void)
{
    struct making m = make(SCMP_ACT_ALLOW);

    never(&m);
    add_all(&m, SCMP_ACT_ERRNO(EPERM), sandbox_calls_programs);
    return load(&m);
}

/* Nothing is opened but for reading. O_RDONLY is 0: what has any of these bits changes something. */
static void rule_files(struct making *m)
{
    static const struct {
        const char *name;
        unsigned flags;
    } calls[] = {{"open", 1}, {"openat", 2}};

    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        add_masked(m, SCMP_ACT_ALLOW, calls[i].name, calls[i].flags, OPEN_CHANGES, 0);
        add_masked(m, SCMP_ACT_ERRNO(EACCES), calls[i].name, calls[i].flags, O_ACCMODE, O_WRONLY);
        add_masked(m, SCMP_ACT_ERRNO(EACCES), calls[i].name, calls[i].flags, O_ACCMODE, O_RDWR);
    }
}

static void allow_socket(struct making *m, int family, int type, int protocol)
{
    const struct scmp_arg_cmp arguments[] = {
        SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)family),
        SCMP_A1_64(SCMP_CMP_MASKED_EQ, SOCKET_TYPE_BITS, (uint64_t)type),
        SCMP_A2_64(SCMP_CMP_EQ, (uint64_t)protocol),
    };

    add(m, SCMP_ACT_ALLOW, "socket", ARRAY_LEN(arguments), arguments);
}

/* TCP, UDP (name servers), and Unix sockets of both kinds; no raw ones, and no other family. That getaddrinfo() may
 * not ask by netlink which addresses this machine has makes it look up both families, and prefer as before by what the
 * routes say. */
static void rule_sockets(struct making *m)
{
    static const int inet[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_LEN(inet); i++) {
        allow_socket(m, inet[i], SOCK_STREAM, 0);
        allow_socket(m, inet[i], SOCK_STREAM, IPPROTO_TCP);
        allow_socket(m, inet[i], SOCK_DGRAM, 0);
        allow_socket(m, inet[i], SOCK_DGRAM, IPPROTO_UDP);
    }
    allow_socket(m, AF_UNIX, SOCK_STREAM, 0);
    allow_socket(m, AF_UNIX, SOCK_DGRAM, 0);
    for (uint64_t family = 0; family < FAMILIES_KNOWN; family++)
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            add(m, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 1, &SCMP_A0_64(SCMP_CMP_EQ, family));
    add(m, SCMP_ACT_ERRNO(EPERM), "bind", 0, NULL);
    add(m, SCMP_ACT_ERRNO(EPERM), "listen", 0, NULL);
}

/* To this process alone. -1, 0 and other processes are the ranges beside. F_SETOWN, F_SETSIG and FIOSETOWN, which send
 * signals by way of a descriptor, are not among what fcntl() and ioctl() may do. */
static void rule_signals(struct making *m)
{
    static const char *const calls[] = {"kill", "tgkill"};
    uint64_t self = (uint64_t)getpid();

    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        add(m, SCMP_ACT_ALLOW, calls[i], 1, &SCMP_A0_64(SCMP_CMP_EQ, self));
        add(m, SCMP_ACT_ERRNO(EPERM), calls[i], 1, &SCMP_A0_64(SCMP_CMP_GT, self));
        add(m, SCMP_ACT_ERRNO(EPERM), calls[i], 1, &SCMP_A0_64(SCMP_CMP_LT, self));
    }
}

/* Threads, not processes, and none in a namespace of its own. Memory is never writable and executable at once, nor made
 * executable later: the C library maps a library's code (of a name service) as it is to be. */
static void rule_threads_and_memory(struct making *m)
{
    add_masked(m, SCMP_ACT_ALLOW, "clone", 0, CLONE_THREAD | NEW_NAMESPACES, CLONE_THREAD);
    refuse_processes(m);
    for (unsigned i = 0; i < 2; i++) {
        const char *const map = i == 0 ? "mmap" : "mmap2";

        add_masked(m, SCMP_ACT_ALLOW, map, 2, PROT_WRITE | PROT_EXEC, 0);
        add_masked(m, SCMP_ACT_ALLOW, map, 2, PROT_WRITE | PROT_EXEC, PROT_WRITE);
        add_masked(m, SCMP_ACT_ALLOW, map, 2, PROT_WRITE | PROT_EXEC, PROT_EXEC);
    }
    add_masked(m, SCMP_ACT_ALLOW, "mprotect", 2, PROT_EXEC, 0);
}

static void rule_descriptors(struct making *m)
{
    static const uint64_t of_fcntl[] = {F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,  F_GETFL,
                                        F_SETFL,     F_GETLK,         F_SETLK,     F_SETLKW, F_OFD_GETLK,
                                        F_OFD_SETLK, F_OFD_SETLKW,    F_GETPIPE_SZ};
    static const uint64_t of_ioctl[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS, TIOCOUTQ, SIOCGIFINDEX};

    add_values(m, "fcntl", 1, of_fcntl, ARRAY_LEN(of_fcntl));
    add_values(m, "fcntl64", 1, of_fcntl, ARRAY_LEN(of_fcntl));
    add_values(m, "ioctl", 1, of_ioctl, ARRAY_LEN(of_ioctl));
}

static void rule_self(struct making *m)
{
    static const uint64_t of_prctl[] = {PR_SET_NAME,    PR_GET_NAME,         PR_SET_DUMPABLE, PR_GET_DUMPABLE,
                                        PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS, PR_SET_VMA};
    static const uint64_t self[] = {0};

    if (!has(sandbox_calls_instruments, "prctl"))
        add_values(m, "prctl", 0, of_prctl, ARRAY_LEN(of_prctl));
    add_values(m, "prlimit64", 0, self, 1);
    add_values(m, "sched_setattr", 0, self, 1);
    add_values(m, "sched_getattr", 0, self, 1);
}

bool sandbox_seccomp_worker(void)
{
    struct making m = make(SCMP_ACT_ERRNO(ENOSYS));

    add_all(&m, SCMP_ACT_ALLOW, sandbox_calls_worker);
    add_all(&m, SCMP_ACT_ALLOW, sandbox_calls_instruments);
    m.good = m.good && sandbox_instruments(m.filter);
    rule_files(&m);
    rule_sockets(&m);
    rule_signals(&m);
    rule_threads_and_memory(&m);
    rule_descriptors(&m);
    rule_self(&m);
    /* Known calls say so; the default answer, ENOSYS, is for those that nobody here has heard of. */
    add_all(&m, SCMP_ACT_ERRNO(EPERM), sandbox_calls_never);
    add_all(&m, SCMP_ACT_ERRNO(EPERM), sandbox_calls_programs);
    return load(&m);
}

/* --- an agent --- */

/* Modules speak to devices, daemons (netlink is how USB devices are noticed) and network appliances. */
static void refuse_raw_sockets(struct making *m)
{
    static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

    for (uint64_t family = 0; family < FAMILIES_KNOWN; family++) {
        bool used = false;

        for (size_t i = 0; i < ARRAY_LEN(families); i++)
            used = used || families[i] == family;
        if (!used)
            add(m, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", 1, &SCMP_A0_64(SCMP_CMP_EQ, family));
    }
    for (size_t i = 1; i <= 2; i++) {
        const struct scmp_arg_cmp arguments[] = {SCMP_A0_64(SCMP_CMP_EQ, families[i]),
                                                 SCMP_A1_64(SCMP_CMP_MASKED_EQ, SOCKET_TYPE_BITS, SOCK_RAW)};

        add(m, SCMP_ACT_ERRNO(EPERM), "socket", ARRAY_LEN(arguments), arguments);
    }
}

static void refuse_programs(struct making *m)
{
    static const char *const calls[] = {"kill", "tgkill"};

    add_all(m, SCMP_ACT_ERRNO(EPERM), sandbox_calls_programs);
    refuse_processes(m);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        add(m, SCMP_ACT_ERRNO(EPERM), calls[i], 1, &SCMP_A0_64(SCMP_CMP_NE, (uint64_t)getpid()));
}

bool sandbox_seccomp_agent(enum sandbox_programs programs)
{
    static const uint64_t namespaces[] = {CLONE_NEWCGROUP, CLONE_NEWIPC,  CLONE_NEWNET, CLONE_NEWNS,
                                          CLONE_NEWPID,    CLONE_NEWUSER, CLONE_NEWUTS};
    struct making m = make(SCMP_ACT_ALLOW);

    never(&m);
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        add_masked(&m, SCMP_ACT_ERRNO(EPERM), "clone", 0, namespaces[i], namespaces[i]);
    refuse_raw_sockets(&m);
    if (programs == SANDBOX_PROGRAMS_NONE)
        refuse_programs(&m);
    return load(&m);
}

bool sandbox_kernel_has_seccomp(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}
