/* LD_PRELOAD: the n-th call of a function fails in a worker.
 *
 * YETT_FAILING_CALLS names a file of sizeof(struct order) bytes, which each worker maps before its sandbox closes. A
 * test writes into it which call is to fail, at which time from now on and with which errno; `hits` says whether it
 * did.
 *
 * Reading and writing fails only on sockets of IP: a worker without its supervisor ends, and is right to. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* dlsym() gives functions as objects, and glibc declares some of these with a union for an address. */
#pragma GCC diagnostic ignored "-Wpedantic"

#define EXPORT __attribute__((visibility("default")))

/* In this order in the test, too. */
enum call { NONE, SOCKET, ACCEPT, CONNECT, READ, WRITE, SHUTDOWN, SETSOCKOPT, GETSOCKOPT, OPEN, THREAD };

struct order {
    _Atomic uint32_t call, at, error, hits;
};

static struct order *order;

__attribute__((constructor)) static void begin(int argc, char **argv)
{
    const char *path = getenv("YETT_FAILING_CALLS");
    void *map;
    int fd;

    if (path == NULL || argc < 2 || strcmp(argv[1], "worker") != 0)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    map = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        order = map;
}

/* With errno. */
static int fails(enum call call)
{
    if (order == NULL || order->call != call || order->at == 0 || --order->at != 0)
        return 0;
    order->hits++;
    errno = (int)order->error;
    return 1;
}

static int is_of_ip(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    int before = errno;
    int is = getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
             (address.ss_family == AF_INET || address.ss_family == AF_INET6);

    errno = before;
    return is;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

EXPORT int socket(int domain, int type, int protocol)
{
    return fails(SOCKET) ? -1 : NEXT(socket)(domain, type, protocol);
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return fails(ACCEPT) ? -1 : NEXT(accept4)(fd, address, size, flags);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return address->sa_family != AF_UNIX && fails(CONNECT) ? -1 : NEXT(connect)(fd, address, size);
}

EXPORT ssize_t read(int fd, void *data, size_t size)
{
    return is_of_ip(fd) && fails(READ) ? -1 : NEXT(read)(fd, data, size);
}

EXPORT ssize_t recv(int fd, void *data, size_t size, int flags)
{
    return is_of_ip(fd) && fails(READ) ? -1 : NEXT(recv)(fd, data, size, flags);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return is_of_ip(fd) && fails(READ) ? -1 : NEXT(recvmsg)(fd, message, flags);
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    return is_of_ip(fd) && fails(WRITE) ? -1 : NEXT(write)(fd, data, size);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return is_of_ip(fd) && fails(WRITE) ? -1 : NEXT(writev)(fd, parts, count);
}

EXPORT ssize_t send(int fd, const void *data, size_t size, int flags)
{
    return is_of_ip(fd) && fails(WRITE) ? -1 : NEXT(send)(fd, data, size, flags);
}

EXPORT ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size)
{
    return is_of_ip(fd) && fails(WRITE) ? -1 : NEXT(sendto)(fd, data, size, flags, to, to_size);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return is_of_ip(fd) && fails(WRITE) ? -1 : NEXT(sendmsg)(fd, message, flags);
}

EXPORT int shutdown(int fd, int how)
{
    return fails(SHUTDOWN) ? -1 : NEXT(shutdown)(fd, how);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return fails(SETSOCKOPT) ? -1 : NEXT(setsockopt)(fd, level, name, value, size);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return fails(GETSOCKOPT) ? -1 : NEXT(getsockopt)(fd, level, name, value, size);
}

EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return fails(OPEN) ? -1 : NEXT(open)(path, flags, mode);
}

/* Gives its error instead of setting errno. */
EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    return fails(THREAD) ? errno : NEXT(pthread_create)(thread, attributes, run, arg);
}
