/* see proxy/session/transport.h */
#include "proxy/session/transport.h"

#include "proxy/process/limits.h"
#include "base/slab.h"
#include <poll.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct transport_wire {
    uv_write_t request;
    uint8_t bytes[LIMIT_WIRE_BLOCK];
};

static struct slab transports = SLAB_OF(struct transport);

struct transport *transport_create(uv_loop_t *loop, enum transport_type type)
{
    struct transport *t = slab_alloc(&transports);
    int result = type == TRANSPORT_TCP ? uv_tcp_init(loop, &t->io.tcp) : uv_pipe_init(loop, &t->io.pipe, 0);

    assert(result == 0);
    t->type = type;
    t->io.handle.data = t;
    return t;
}

int transport_open(struct transport *t, int fd)
{
    return t->type == TRANSPORT_TCP ? uv_tcp_open(&t->io.tcp, fd) : uv_pipe_open(&t->io.pipe, fd);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct transport *t = request->data;

    free(request);
    t->connect = NULL;
    if (t->owner != NULL)
        t->on_connected(t->owner, status);
}

static void set_option(const struct transport *t, int level, int name, int value)
{
    uv_os_fd_t fd;

    if (uv_fileno(&t->io.handle, &fd) == 0)
        (void)setsockopt(fd, level, name, &value, sizeof(value));
}

static uv_connect_t *make_connect(struct transport *t)
{
    t->connect = base_alloc(sizeof(*t->connect));
    t->connect->data = t;
    return t->connect;
}

/* uv_tcp_keepalive() would make three calls of these two. */
static void set_keepalive(struct transport *t)
{
    t->keepalive_owed = false;
    set_option(t, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(t, IPPROTO_TCP, TCP_KEEPIDLE, TRANSPORT_KEEPALIVE_SECONDS);
}

static bool is_loopback(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    return address->sa_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                                         : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* A connection within this machine is there as soon as connect() has returned, though it says that it is under way: to
 * be told so by the loop takes a round of it and five calls; to ask again takes one. 0: it is not there, or not yet. */
static int connect_at_once(struct transport *t, const struct sockaddr *address)
{
    socklen_t size = address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result;

    if (fd < 0)
        return uv_translate_sys_error(errno);
    result = connect(fd, address, size);
    if (result != 0 && errno == EINPROGRESS)
        result = connect(fd, address, size);
    if (result == 0)
        result = transport_open(t, fd);
    else if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR)
        result = UV_EALREADY;
    else
        result = uv_translate_sys_error(errno);
    if (result == 0)
        return TRANSPORT_CONNECTED;
    close(fd);
    return result == UV_EALREADY ? 0 : result;
}

/* Negative, 0 (under way) or TRANSPORT_CONNECTED. */
static int connect_tcp(struct transport *t, const struct sockaddr *address)
{
    int result = is_loopback(address) ? connect_at_once(t, address) : 0;

    return result == 0 ? uv_tcp_connect(make_connect(t), &t->io.tcp, address, on_connect) : result;
}

int transport_connect(struct transport *t, const struct sockaddr *address, const char *path,
                      void (*on_connected)(void *owner, int error), void *owner)
{
    int result;

    t->on_connected = on_connected;
    t->owner = owner;
    if (t->type == TRANSPORT_UNIX) {
        /* libuv would cut a long path and connect to another one. */
        if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
            return UV_ENAMETOOLONG;
        uv_pipe_connect(make_connect(t), &t->io.pipe, path, on_connect);
        return 0;
    }
    result = connect_tcp(t, address);
    if (result >= 0) {
        set_option(t, IPPROTO_TCP, TCP_NODELAY, 1);
        t->keepalive_owed = true;
    }
    return result;
}

int transport_fd(const struct transport *t)
{
    uv_os_fd_t fd;

    return uv_fileno(&t->io.handle, &fd) == 0 ? fd : -1;
}

void transport_set_owner(struct transport *t, const struct transport_events *events, void *owner)
{
    t->events = events;
    t->owner = owner;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct transport *t = handle->data;

    (void)suggested;
    *buf = t->events->lend(t->owner);
}

/* When data and RST have come together, libuv reads the data, sees POLLHUP and makes an EOF of it without another read
 * (and so without a buffer): a part would be taken for the whole. The socket still has the error, which a read would
 * have told. (EPIPE is RST in answer to something of ours, when FIN had come: a good end.) */
static ssize_t error_behind_end(const struct transport *t)
{
    int error = 0;
    socklen_t size = sizeof(error);
    uv_os_fd_t fd;

    if (uv_fileno(&t->io.handle, &fd) != 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0 ||
        error == EPIPE)
        return UV_EOF;
    return uv_translate_sys_error(error);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct transport *t = stream->data;

    if (size == 0)
        return; /* nothing there after all */
    if (size == UV_ENOBUFS) {
        transport_read_stop(t); /* nowhere to put it: who has taken something starts us again */
        return;
    }
    if (size == UV_EOF && buf->base == NULL)
        size = error_behind_end(t);
    if (size < 0)
        transport_read_stop(t);
    t->events->on_read(t->owner, size);
}

void transport_read_start(struct transport *t)
{
    if (!t->reading && uv_read_start(&t->io.stream, on_alloc, on_read) == 0)
        t->reading = true;
}

void transport_read_stop(struct transport *t)
{
    if (t->reading)
        uv_read_stop(&t->io.stream);
    t->reading = false;
}

enum transport_peer transport_look(const struct transport *t)
{
    struct pollfd news = {.events = POLLRDHUP};
    uv_os_fd_t fd;

    if (uv_fileno(&t->io.handle, &fd) != 0)
        return TRANSPORT_PEER_THERE;
    news.fd = fd;
    if (poll(&news, 1, 0) != 1)
        return TRANSPORT_PEER_THERE;
    if ((news.revents & POLLERR) != 0)
        return TRANSPORT_PEER_GONE;
    return (news.revents & (POLLRDHUP | POLLHUP)) != 0 ? TRANSPORT_PEER_ENDED : TRANSPORT_PEER_THERE;
}

static void on_written(uv_write_t *request, int status)
{
    struct transport *t = request->data;

    t->blocked = false;
    if (t->owner != NULL)
        t->events->on_writable(t->owner, status);
}

/* What the kernel takes at once: bytes, or a negative errno, UV_EAGAIN among them. libuv has no way to say that more
 * comes; past it no bytes can overtake others, since nothing of ours waits in its queue. */
static ssize_t write_now(struct transport *t, struct span bytes, enum transport_next next)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned)bytes.size);
    uv_os_fd_t fd;
    ssize_t size;

    if (next == TRANSPORT_NEXT_ANY || uv_fileno(&t->io.handle, &fd) != 0)
        return uv_try_write(&t->io.stream, &buf, 1);
    do
        size = send(fd, bytes.data, bytes.size, MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size >= 0)
        return size;
    return errno == EWOULDBLOCK || errno == ENOBUFS ? UV_EAGAIN : uv_translate_sys_error(errno);
}

ssize_t transport_write(struct transport *t, struct span bytes, enum transport_next next)
{
    size_t taken = 0, rest;
    ssize_t size;
    uv_buf_t buf;
    int result;

    if (t->blocked)
        return 0;
    size = write_now(t, bytes, next);
    if (size < 0 && size != UV_EAGAIN)
        return size;
    if (size > 0)
        taken = (size_t)size;
    if (taken == bytes.size)
        return (ssize_t)taken;
    /* The kernel's buffer is full. libuv tells of new room only to who has a write waiting, so a block of the rest
     * waits; what follows stays with the owner and costs nothing here. */
    rest = bytes.size - taken < LIMIT_WIRE_BLOCK ? bytes.size - taken : LIMIT_WIRE_BLOCK;
    if (t->wire == NULL)
        t->wire = base_alloc(sizeof(*t->wire));
    t->wire->request.data = t;
    memcpy(t->wire->bytes, bytes.data + taken, rest);
    buf = uv_buf_init((char *)t->wire->bytes, (unsigned)rest);
    result = uv_write(&t->wire->request, &t->io.stream, &buf, 1, on_written);
    if (result < 0)
        return result;
    t->blocked = true;
    return (ssize_t)(taken + rest);
}

bool transport_is_blocked(const struct transport *t)
{
    return t->blocked;
}

void transport_trim(struct transport *t)
{
    if (t->keepalive_owed)
        set_keepalive(t);
    if (t->blocked)
        return;
    free(t->wire);
    t->wire = NULL;
}

size_t transport_memory(const struct transport *t)
{
    return sizeof(*t) + (t->wire != NULL ? sizeof(*t->wire) : 0);
}

/* An even number asks Linux for one acknowledgment and leaves it in the mind to delay the next ones. */
void transport_acknowledge(struct transport *t)
{
    if (t->type == TRANSPORT_TCP)
        set_option(t, IPPROTO_TCP, TCP_QUICKACK, 2);
}

void transport_shutdown(struct transport *t)
{
    uv_os_fd_t fd;

    assert(!t->blocked);
    if (uv_fileno(&t->io.handle, &fd) == 0)
        (void)shutdown(fd, SHUT_WR); /* fails when the peer has gone: then there is nobody to tell */
}

static void on_closed(uv_handle_t *handle)
{
    struct transport *t = handle->data;

    free(t->connect); /* one that could not begin */
    free(t->wire);
    slab_free(&transports, t);
}

void transport_close(struct transport **transport, enum transport_close how)
{
    struct transport *t = *transport;

    if (t == NULL)
        return;
    *transport = NULL;
    t->owner = NULL;
    t->reading = false;
    if (t->type == TRANSPORT_TCP && how == TRANSPORT_CLOSE_RESET && uv_tcp_close_reset(&t->io.tcp, on_closed) == 0)
        return;
    uv_close(&t->io.handle, on_closed);
}
