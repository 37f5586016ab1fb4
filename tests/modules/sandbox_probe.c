/* sandbox-probe.so: for LD_PRELOAD, what an attacker's code in a worker could try. For tests.
 *
 * getaddrinfo() of "probe.sPID.wPID.wPID.test" (which a worker calls on one of its threads when it is about to connect,
 * so inside its sandbox, while it serves) tries everything in the tables and writes one line for each to standard
 * error:
 *
 *   probe NAME RESULT      RESULT: "done", or the name of an error
 *
 * What to try it on comes by the name (the supervisor, and the two workers, of which the other one is the sibling) and
 * by the environment: PROBE_PRIVATE is a file, PROBE_WRITABLE one that the user may write, PROBE_CONTROL and
 * PROBE_ABSTRACT Unix sockets, PROBE_PORT a TCP port of 127.0.0.1 that nobody configured. Where PROBE_AGENT is the
 * socket of a token agent, it is sent the frames that PROBE_AGENT_OWN, PROBE_AGENT_FIND, PROBE_AGENT_SIGN and
 * PROBE_AGENT_LIST have in hex, or the files @PATH (which wants a kernel without Landlock). PROBE_LANDLOCK=N makes
 * the kernel seem to have Landlock's version N, 0 none at all.
 *
 * Files and sockets are tried in files of their own; here is what is tried on processes and the kernel. */
#include "sandbox_probe.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { LANDLOCK_CREATE = SYS_landlock_create_ruleset };

/* --- a kernel with less Landlock --- */

EXPORT long syscall(long number, ...)
{
    static long (*real)(long, ...);
    const char *limit = getenv("PROBE_LANDLOCK");
    long a[6], result;
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    if (number == LANDLOCK_CREATE && limit != NULL && atoi(limit) == 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    result = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == LANDLOCK_CREATE && a[2] != 0 && limit != NULL && result > atoi(limit))
        result = atoi(limit);
    return result;
}

/* --- what is tried: 0 when it was done, else -1 with errno --- */

const char *probe_text(const char *name)
{
    const char *value = getenv(name);

    return value == NULL ? "" : value;
}

static pid_t supervisor, sibling;

int probe_closed(int fd)
{
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int try_exec(void)
{
    char *const arguments[] = {(char *)(uintptr_t) "true", NULL};

    return execve("/bin/true", arguments, arguments + 1);
}

static int try_exec_memory(void)
{
    static const char script[] = "#!/bin/true\n";
    char *const arguments[] = {(char *)(uintptr_t) "true", NULL};
    int fd = (int)syscall(SYS_memfd_create, "probe", 0);

    if (fd >= 0)
        (void)!write(fd, script, sizeof(script) - 1);
    return (int)syscall(SYS_execveat, fd < 0 ? 0 : fd, "", arguments, arguments + 1, AT_EMPTY_PATH);
}

static int reaped(pid_t child)
{
    if (child == 0)
        _exit(0);
    if (child < 0)
        return -1;
    (void)waitpid(child, NULL, 0);
    return 0;
}

static int try_fork(void)
{
    return reaped((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int try_fork_call(void)
{
#ifdef SYS_fork
    return reaped((pid_t)syscall(SYS_fork));
#else
    errno = ENOSYS;
    return -1;
#endif
}

static int try_clone3(void)
{
    uint64_t arguments[11] = {0};

    arguments[4] = SIGCHLD;
    return reaped((pid_t)syscall(SYS_clone3, arguments, sizeof(arguments)));
}

static int traced(pid_t pid)
{
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
        return -1;
    (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return 0;
}

static int try_trace_supervisor(void)
{
    return traced(supervisor);
}

static int try_trace_sibling(void)
{
    return traced(sibling);
}

static int try_read_memory(void)
{
    char byte;
    struct iovec own = {.iov_base = &byte, .iov_len = 1}, other = {.iov_base = &byte, .iov_len = 1};

    return process_vm_readv(sibling, &own, 1, &other, 1, 0) < 0 ? -1 : 0;
}

static int try_read_proc_memory(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/mem", (int)supervisor);
    return probe_closed(open(path, O_RDONLY));
}

static int try_read_proc_environment(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)supervisor);
    return probe_closed(open(path, O_RDONLY));
}

static int try_signal_supervisor(void)
{
    return kill(supervisor, SIGURG);
}

static int try_signal_sibling(void)
{
    return kill(sibling, SIGURG);
}

static int try_signal_group(void)
{
    return kill(0, SIGURG);
}

static int try_signal_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, supervisor, 0);

    return (int)syscall(SYS_pidfd_send_signal, fd < 0 ? 0 : fd, SIGURG, NULL, 0);
}

static int try_signal_by_descriptor(void)
{
    return fcntl(2, F_SETOWN, supervisor);
}

static int try_signal_self(void)
{
    return kill(getpid(), SIGURG);
}

static int try_limit_sibling(void)
{
    const struct rlimit limit = {1024, 1024};

    return prlimit(sibling, RLIMIT_NOFILE, &limit, NULL);
}

static int try_priority_sibling(void)
{
    return setpriority(PRIO_PROCESS, (id_t)sibling, 19);
}

static int try_io_uring(void)
{
    struct io_uring_params parameters = {0};

    return probe_closed((int)syscall(SYS_io_uring_setup, 4, &parameters));
}

static int try_userfaultfd(void)
{
    return probe_closed((int)syscall(SYS_userfaultfd, 1 /* user mode only: no privilege needed */));
}

static int try_bpf(void)
{
    char attributes[128] = {0};

    return probe_closed((int)syscall(SYS_bpf, 0, attributes, sizeof(attributes)));
}

static int try_perf(void)
{
    uint64_t attributes[16] = {[0] = 0x0000008000000001ULL};

    return probe_closed((int)syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
}

static int try_keyctl(void)
{
    return syscall(SYS_keyctl, 0 /* get the session keyring's number */, -3, 1) < 0 ? -1 : 0;
}

static int try_mount(void)
{
    return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int try_unshare_user(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_unshare_network(void)
{
    return unshare(CLONE_NEWNET);
}

static int try_chroot(void)
{
    return chroot("/tmp");
}

static int try_become_root(void)
{
    return setuid(0);
}

static int try_write_and_execute(void)
{
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return map == MAP_FAILED ? -1 : munmap(map, 4096);
}

static int try_make_executable(void)
{
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int result, why;

    if (map == MAP_FAILED)
        return -1;
    result = mprotect(map, 4096, PROT_READ | PROT_EXEC);
    why = errno;
    munmap(map, 4096);
    errno = why;
    return result;
}

static int try_unknown_call(void)
{
    return (int)syscall(100000);
}

/* Every thread of the worker is held: 0 means that one is not. */
static int try_free_thread(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int held = 1, count = 0;

    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        char path[300], status[4096];
        ssize_t got;
        int fd;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        fd = open(path, O_RDONLY);
        got = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
        close(fd);
        status[got > 0 ? got : 0] = '\0';
        held = held && strstr(status, "Seccomp:\t2") != NULL && strstr(status, "NoNewPrivs:\t1") != NULL;
        count++;
    }
    if (tasks != NULL)
        closedir(tasks);
    errno = EPERM;
    return held && count > 0 ? -1 : 0;
}

static const struct probe_try processes_and_kernel[] = {
    {"exec", try_exec},
    {"exec_memory", try_exec_memory},
    {"fork", try_fork},
    {"fork_call", try_fork_call},
    {"fork_clone3", try_clone3},
    {"trace_supervisor", try_trace_supervisor},
    {"trace_sibling", try_trace_sibling},
    {"read_sibling_memory", try_read_memory},
    {"read_supervisor_memory", try_read_proc_memory},
    {"read_supervisor_environment", try_read_proc_environment},
    {"signal_supervisor", try_signal_supervisor},
    {"signal_sibling", try_signal_sibling},
    {"signal_group", try_signal_group},
    {"signal_pidfd", try_signal_pidfd},
    {"signal_by_descriptor", try_signal_by_descriptor},
    {"signal_self", try_signal_self},
    {"limit_sibling", try_limit_sibling},
    {"priority_sibling", try_priority_sibling},
    {"io_uring", try_io_uring},
    {"userfaultfd", try_userfaultfd},
    {"bpf", try_bpf},
    {"perf_event", try_perf},
    {"keyctl", try_keyctl},
    {"mount", try_mount},
    {"unshare_user", try_unshare_user},
    {"unshare_network", try_unshare_network},
    {"chroot", try_chroot},
    {"become_root", try_become_root},
    {"write_and_execute", try_write_and_execute},
    {"make_executable", try_make_executable},
    {"unknown_call", try_unknown_call},
    {"free_thread", try_free_thread},
};

static void attempt(const char *name, int (*try)(void))
{
    char line[128];
    int size, result;

    errno = 0;
    result = try();
    size = snprintf(line, sizeof(line), "probe %s %s\n", name, result == 0 ? "done" : strerrorname_np(errno));
    (void)!write(2, line, (size_t)size);
}

static void attempt_all(struct probe_list list)
{
    for (size_t i = 0; i < list.count; i++)
        attempt(list.items[i].name, list.items[i].try);
}

static void probe(void)
{
    if (probe_text("PROBE_AGENT")[0] != '\0')
        attempt_all(probe_agent());
    attempt_all(probe_sockets());
    attempt_all(probe_files());
    attempt_all((struct probe_list)PROBE_LIST(processes_and_kernel));
    (void)!write(2, "probe end .\n", 12);
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    int workers[2];

    if (node != NULL && sscanf(node, "probe.s%d.w%d.w%d.", &supervisor, &workers[0], &workers[1]) == 3) {
        sibling = workers[0] == getpid() ? workers[1] : workers[0];
        if (!atomic_flag_test_and_set(&begun)) /* a name is looked up for IPv4 and IPv6, at the same time */
            probe();
    }
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, result);
}
