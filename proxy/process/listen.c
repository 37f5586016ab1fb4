/* see proxy/process/listen.h */
#include "proxy/process/listen.h"

#include "base/file.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- Unix sockets --- */

static bool unix_address(const char *path, struct sockaddr_un *address, char **error)
{
    if (strlen(path) >= sizeof(address->sun_path)) {
        *error = base_printf("the path %s is too long for a Unix socket (at most %zu bytes)", path,
                             sizeof(address->sun_path) - 1);
        return false;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

/* By errno: who may not do what where, and what would help. */
static char *why(const char *what, const char *path, enum base_file_use use)
{
    char *reason = base_file_why_for(path, errno, use);
    char *sentence = base_printf("%s %s: %s", what, path, reason);

    free(reason);
    return sentence;
}

/* Make way for a socket at `path`: true when there is nothing, or was only a socket that nobody listens at. */
static bool unix_clear_stale(const struct sockaddr_un *address, char **error)
{
    struct stat info;
    int fd, result;

    if (lstat(address->sun_path, &info) != 0)
        return true; /* bind() has the better message for anything but ENOENT */
    if (!S_ISSOCK(info.st_mode)) {
        *error = base_printf("%s exists and is not a socket; it is left alone", address->sun_path);
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *error = base_printf("cannot make a socket: %s", strerror(errno));
        return false;
    }
    result = connect(fd, (const struct sockaddr *)address, sizeof(*address));
    /* EAGAIN: somebody listens and is busy. Only a refusal shows that the file was left behind. */
    if (result == 0 || errno != ECONNREFUSED) {
        if (result == 0 || errno == EAGAIN)
            *error = base_printf("another program listens at %s", address->sun_path);
        else
            *error = why("cannot tell whether another program listens at", address->sun_path, BASE_FILE_CONNECT);
        close(fd);
        return false;
    }
    close(fd);
    if (unlink(address->sun_path) != 0 && errno != ENOENT) {
        *error = why("cannot remove the stale socket", address->sun_path, BASE_FILE_MAKE);
        return false;
    }
    return true;
}

int listen_unix(const char *path, unsigned mode, char **error)
{
    struct sockaddr_un address;
    mode_t mask_before;
    int fd, result;

    if (!unix_address(path, &address, error) || !unix_clear_stale(&address, error))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        *error = base_printf("cannot make a socket: %s", strerror(errno));
        return -1;
    }
    /* By umask, not by chmod() afterwards: there is no moment at which others could connect. */
    mask_before = umask(0777 & ~mode);
    result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(mask_before);
    if (result != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        *error = why("cannot listen at", path, BASE_FILE_MAKE);
        if (result == 0)
            unlink(path);
        close(fd);
        return -1;
    }
    return fd;
}

void listen_unix_remove(int fd, const char *path)
{
    struct sockaddr_un address;
    struct stat info;
    char *error = NULL;
    int probe;

    /* A socket's own inode is not that of its file, so whose file it is shows only in who answers. Stop listening
     * first: if the path still answers afterwards, it is another's by now. */
    shutdown(fd, SHUT_RDWR);
    if (!unix_address(path, &address, &error)) {
        free(error);
        return;
    }
    if (lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return;
    probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return;
    if (connect(probe, (const struct sockaddr *)&address, sizeof(address)) != 0 && errno == ECONNREFUSED)
        unlink(path);
    close(probe);
}

/* --- IP sockets --- */

bool listen_inet_address(const struct config_address *a, struct listen_inet_address *out, char **error)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];
    int result;

    snprintf(port, sizeof(port), "%u", a->port);
    result = getaddrinfo(a->host, port, &hints, &found);
    if (result != 0) {
        *error = base_printf("%s is not an IP address to listen on (%s)", a->text, gai_strerror(result));
        return false;
    }
    if (found->ai_family == AF_INET6 &&
        IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr)) {
        *error =
            base_printf("%s is an IPv4 address in the form of an IPv6 one, at which nothing can listen: write the IPv4 "
                        "address",
                        a->text);
        freeaddrinfo(found);
        return false;
    }
    memcpy(&out->storage, found->ai_addr, found->ai_addrlen);
    out->size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

int listen_inet_bind(const struct listen_inet_address *address, enum listen_share share)
{
    int on = 1, saved;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (share == LISTEN_ALONE || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        (address->storage.ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)&address->storage, address->size) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int listen_inet(const struct config_address *a, char **error)
{
    struct listen_inet_address address;
    int fd;

    if (!listen_inet_address(a, &address, error))
        return -1;
    fd = listen_inet_bind(&address, LISTEN_ALONE);
    if (fd >= 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    *error = base_printf("cannot listen on %s: %s", a->text, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}
