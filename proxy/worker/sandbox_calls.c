/* see proxy/worker/sandbox.h: the lists of system calls.
 *
 * The worker's list is what a worker does, by the test suites under the filter (Debian 12, glibc 2.36) and by reading
 * (also glibc 2.41 and libuv 1.50 of Debian 13): libuv's loop and threads, NSS (its databases are open), getaddrinfo()
 * with the name service modules of Debian (files, dns, resolve, myhostname, mdns), the C library's threads, locks, time
 * and memory. Names of 32-bit machines are there beside those of 64-bit ones. */
#include "proxy/worker/sandbox_internal.h"

const char *const sandbox_calls_worker[] = {
    /* bytes */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "_llseek", "close", "close_range", "dup",
    "dup2", "dup3", "pipe", "pipe2", "eventfd", "eventfd2",
    /* waiting */
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "nanosleep", "clock_nanosleep",
    "clock_nanosleep_time64", "pause", "restart_syscall",
    /* sockets: socket() is ruled by its arguments; bind() and listen() are not here */
    "connect", "accept", "accept4", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg",
    "recvmmsg_time64", "send", "recv", "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt",
    /* looking at files; open() is ruled by its arguments */
    "stat", "stat64", "fstat", "fstat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd", "statfs", "statfs64", "fstatfs",
    "fstatfs64",
    /* memory: mmap() and mprotect() are ruled by their arguments */
    "munmap", "mremap", "madvise", "brk", "mlock", "mlock2", "munlock", "membarrier", "msync", "mincore",
    /* threads, locks; clone() is ruled by its arguments */
    "futex", "futex_time64", "futex_waitv", "futex_wait", "futex_wake", "set_robust_list", "get_robust_list", "rseq",
    "set_tid_address", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getpriority", "exit", "exit_group", "gettid", "getcpu",
    /* signals to itself; kill() and tgkill() are ruled by their arguments */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "sigaltstack", "sigreturn",
    /* time, chance, and what it is */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday", "time", "times",
    "getrandom", "getrusage", "getrlimit", "ugetrlimit", "setrlimit", "uname", "sysinfo", "getpid", "getppid",
    "getpgrp", "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getresuid",
    "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32", NULL};

/* Ways into other processes, into the kernel, and to what root has. */
const char *const sandbox_calls_never[] = {
    /* other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp", "pidfd_getfd",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "tkill", "move_pages", "migrate_pages",
    /* other views of the system */
    "mount", "umount", "umount2", "move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "pivot_root", "chroot", "unshare", "setns",
    /* wide or new parts of the kernel, where its faults have been */
    "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key", "fanotify_init", "fanotify_mark",
    "open_by_handle_at", "modify_ldt", "lookup_dcookie", "vmsplice",
    /* the machine */
    "init_module", "finit_module", "delete_module", "create_module", "kexec_load", "kexec_file_load", "reboot",
    "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "settimeofday", "clock_settime", "clock_settime64",
    "adjtimex", "clock_adjtime", "clock_adjtime64", "stime", "sethostname", "setdomainname", "iopl", "ioperm", "syslog",
    "vhangup", "nfsservctl", "uselib", "sysfs", "_sysctl", NULL};

const char *const sandbox_calls_programs[] = {"execve", "execveat", "fork", "vfork", NULL};

/* io_uring does what its caller may not do by any other call that is filtered here. libuv asks for it as its loop
 * begins, and the C library for clone3, whose arguments no filter can see: both take "there is none" for an answer. */
const char *const sandbox_calls_absent[] = {"io_uring_setup", "io_uring_enter", "io_uring_register", "clone3", NULL};
