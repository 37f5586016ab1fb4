/* see sandbox_probe.c: what is tried on sockets, and what a token agent is asked for. */
#include "sandbox_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int try_bind(void)
{
    struct sockaddr_in address = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = bind(fd, (struct sockaddr *)&address, sizeof(address)), why = errno;

    close(fd);
    errno = why;
    return result;
}

static int try_bind_udp(void)
{
    struct sockaddr_in address = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int result = bind(fd, (struct sockaddr *)&address, sizeof(address)), why = errno;

    close(fd);
    errno = why;
    return result;
}

/* Without a bind() the kernel chooses a port. */
static int try_listen(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = listen(fd, 1), why = errno;

    close(fd);
    errno = why;
    return result;
}

static int try_connect_port(void)
{
    struct sockaddr_in address = loopback((uint16_t)atoi(probe_text("PROBE_PORT")));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = connect(fd, (struct sockaddr *)&address, sizeof(address)), why = errno;

    close(fd);
    errno = why;
    return result;
}

static int connect_unix(const char *name, int abstract, const char *say, char *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), result, why;

    strncpy(address.sun_path + abstract, name, sizeof(address.sun_path) - 2);
    result = connect(fd, (struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + strlen(name) + !abstract));
    why = errno;
    if (result == 0 && say != NULL) {
        struct timeval patience = {.tv_sec = 10};
        ssize_t got;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        (void)!send(fd, say, strlen(say), MSG_NOSIGNAL);
        got = recv(fd, answer, size - 1, 0);
        answer[got > 0 ? got : 0] = '\0';
    }
    close(fd);
    errno = why;
    return result;
}

/* Being heard and answered is what counts: connecting alone gives nothing. */
static int try_control(void)
{
    char answer[256] = "";

    if (connect_unix(probe_text("PROBE_CONTROL"), 0, "{\"command\":\"status\"}\n", answer, sizeof(answer)) != 0)
        return -1;
    if (strstr(answer, "\"ok\":true") != NULL)
        return 0;
    errno = EPERM;
    return -1;
}

static int try_abstract(void)
{
    return connect_unix(probe_text("PROBE_ABSTRACT"), 1, NULL, NULL, 0);
}

static int try_socket_raw(void)
{
    return probe_closed(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int try_socket_packet(void)
{
    return probe_closed(socket(AF_PACKET, SOCK_RAW, 0));
}

static int try_socket_netlink(void)
{
    return probe_closed(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_socket_alg(void)
{
    return probe_closed(socket(AF_ALG, SOCK_SEQPACKET, 0));
}

static int try_socket_vsock(void)
{
    return probe_closed(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int try_socket_pair(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -1;
    close(ends[0]);
    return probe_closed(ends[1]);
}

/* A request to an agent: done when it is answered with anything but a failure. The frame's fifth byte is its type, and
 * 5 is FAILED (tokens/wire.h). */
static int ask_agent(const char *hex)
{
    char frame[4096], answer[4096], from_file[2 * sizeof(frame)] = "";
    size_t size = 0;
    struct timeval patience = {.tv_sec = 60};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t got;

    if (hex[0] == '@') {
        int file = open(hex + 1, O_RDONLY);

        if (file < 0 || read(file, from_file, sizeof(from_file) - 1) < 0)
            return -1;
        close(file);
        hex = from_file;
    }
    for (unsigned byte; size < sizeof(frame) && sscanf(hex + 2 * size, "%2x", &byte) == 1;)
        frame[size++] = (char)byte;
    strncpy(address.sun_path, probe_text("PROBE_AGENT"), sizeof(address.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int why = errno;

        close(fd);
        errno = why;
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)!send(fd, frame, size, MSG_NOSIGNAL);
    do
        got = recv(fd, answer, sizeof(answer), 0);
    while (got < 0 && errno == EINTR);
    close(fd);
    errno = EPERM;
    return got > 5 && answer[4] != 5 ? 0 : -1;
}

static int try_agent_own(void)
{
    return ask_agent(probe_text("PROBE_AGENT_OWN"));
}

static int try_agent_find(void)
{
    return ask_agent(probe_text("PROBE_AGENT_FIND"));
}

static int try_agent_sign(void)
{
    return ask_agent(probe_text("PROBE_AGENT_SIGN"));
}

static int try_agent_list(void)
{
    return ask_agent(probe_text("PROBE_AGENT_LIST"));
}

struct probe_list probe_sockets(void)
{
    static const struct probe_try items[] = {
        {"bind_tcp", try_bind},
        {"bind_udp", try_bind_udp},
        {"listen", try_listen},
        {"connect_other_port", try_connect_port},
        {"control_socket", try_control},
        {"abstract_socket", try_abstract},
        {"socket_raw", try_socket_raw},
        {"socket_packet", try_socket_packet},
        {"socket_netlink", try_socket_netlink},
        {"socket_alg", try_socket_alg},
        {"socket_vsock", try_socket_vsock},
        {"socket_pair", try_socket_pair},
    };

    return (struct probe_list)PROBE_LIST(items);
}

struct probe_list probe_agent(void)
{
    static const struct probe_try items[] = {
        {"agent_own_key", try_agent_own},
        {"agent_other_key_find", try_agent_find},
        {"agent_other_key_sign", try_agent_sign},
        {"agent_other_list", try_agent_list},
    };

    return (struct probe_list)PROBE_LIST(items);
}
