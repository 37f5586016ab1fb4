/* see proxy/worker/listener.h
 *
 * uv_poll and accept4() instead of uv_listen(): libuv has no way to stop accepting for a while, and when descriptors
 * run out it accepts and drops the clients that wait. */
#include "proxy/worker/listener.h"

#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "proxy/session/session.h"
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct listener {
    struct plane *plane;
    size_t service_index;
    size_t door;                             /* as in struct config_address */
    size_t counted_as;                       /* by whom connections are counted until the session is a service's */
    size_t connections_max, per_address_max; /* the latter 0: no limit */
    int fd;
    struct sockaddr_storage address;
    uv_poll_t poll;
    uv_timer_t pause_timer;
    uint64_t round; /* of the loop: when somebody came last */
    bool paused;
    bool pause_said;       /* one line and one count for a shortage, however often it is tried again */
    unsigned handles_open; /* of poll and pause_timer, while closing */
};

static void start_polling(struct listener *l);

/* ---- refusing ---- */

/* The words of the protocol, if there are any and TLS does not come first; as much as the kernel takes at once. */
static void refuse(struct listener *l, int fd, const struct sockaddr_storage *peer, const char *reason)
{
    const struct service *service = &l->plane->services->items[l->service_index];
    struct peer_key key = peer_key_of((const struct sockaddr *)peer);
    char text[RESOLVE_TEXT_SIZE];
    struct buffer words;

    counter_add(counters_service(l->plane->counters, l->service_index), COUNTER_connections_refused_limit_total, 1);
    log_write_of(LOG_LEVEL_WARNING, span_of(&key, sizeof(key)), "connection_refused",
                 (const struct log_field[]){
                     log_text("service", service->config->name),
                     log_text("client", resolve_address_text((const struct sockaddr *)peer, text, sizeof(text))),
                     log_text("reason", reason),
                     {.key = NULL},
                 });
    buffer_init(&words, LIMIT_WIRE_BLOCK);
    if (service->config->listen_tls != CONFIG_TLS_IMPLICIT)
        starttls_failure_text(service->protocol, STARTTLS_FAILURE_OVERLOAD, false, service->greeting_name, &words);
    if (words.size > 0 && send(fd, buffer_span(&words).data, words.size, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        (void)shutdown(fd, SHUT_WR);
    buffer_release(&words);
    close(fd);
}

/* NULL: it is within the limits, and counted. */
static const char *limit_reached(struct listener *l, const struct sockaddr_storage *peer)
{
    const struct config_service *config = l->plane->services->items[l->service_index].config;
    struct peer_key key = peer_key_of((const struct sockaddr *)peer);

    if (l->plane->service_session_count[l->counted_as] >= l->connections_max)
        return "connections_max of the service is reached";
    if (!session_awaits_header(config, (const struct sockaddr *)peer) &&
        !peer_count_add(l->plane->peers, l->counted_as, key, (unsigned)l->per_address_max))
        return "connections_per_address_max is reached";
    l->plane->service_session_count[l->counted_as]++;
    return NULL;
}

/* ---- accepting ---- */

static void on_pause_over(uv_timer_t *timer)
{
    listener_resume(timer->data);
}

static void pause_accepting(struct listener *l, const char *reason)
{
    l->paused = true;
    l->plane->listeners_paused++;
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->pause_timer, on_pause_over, LIMIT_ACCEPT_PAUSE_MS, 0);
    if (l->pause_said)
        return;
    l->pause_said = true;
    counter_add(counters_service(l->plane->counters, l->service_index), COUNTER_accept_paused_total, 1);
    log_peer_line(LOG_LEVEL_WARNING, "accept_paused",
                  log_text("service", l->plane->services->items[l->service_index].config->name),
                  log_text("reason", reason));
}

/* Sessions take two descriptors each; some are kept for ourselves. */
static bool descriptors_are_left(const struct plane *p)
{
    static struct rlimit limit; /* it does not change after the start */

    if (limit.rlim_cur == 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    return p->session_count * 2 + p->descriptors_open + LIMIT_DESCRIPTORS_RESERVED < limit.rlim_cur;
}

static void take(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    const char *reason = limit_reached(l, peer);

    if (reason != NULL) {
        refuse(l, fd, peer, reason);
        return;
    }
    session_start(l->plane, &(struct session_accepted){
                                .service_index = l->service_index,
                                .door = l->door,
                                .fd = fd,
                                .type = l->address.ss_family == AF_UNIX ? TRANSPORT_UNIX : TRANSPORT_TCP,
                                .peer = *peer,
                            });
}

/* Where nobody came in the last round there is seldom a second one now, and to be told so is a call for each: should
 * there be one, the loop comes back. (After a shortage it has to be seen that all are in.) */
static int count_to_accept(struct listener *l)
{
    uint64_t round = l->plane->round;
    bool busy = l->pause_said || round == l->round + 1;

    l->round = round;
    return busy ? LIMIT_ACCEPT_BATCH : 1;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;
    int count = count_to_accept(l);

    (void)status;
    (void)events;
    for (int i = 0; i < count; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t size = sizeof(peer);
        int fd;

        if (!descriptors_are_left(l->plane)) {
            pause_accepting(l, "few descriptors are left: raise LimitNOFILE");
            return;
        }
        fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(l, fd, &peer);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            l->pause_said = false; /* all who waited are in: the shortage is over */
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(l, strerror(errno));
            return;
        }
        /* Any other error is about that one connection, which has gone (ECONNABORTED, EPROTO, EINTR ...). */
    }
}

static void start_polling(struct listener *l)
{
    if (uv_poll_start(&l->poll, UV_READABLE, on_readable) != 0)
        base_abort("the loop does not watch a listening socket");
}

void listener_resume(struct listener *l)
{
    if (!l->paused)
        return;
    l->paused = false;
    l->plane->listeners_paused--;
    uv_timer_stop(&l->pause_timer);
    start_polling(l);
}

/* ---- life ---- */

/* Accepted sockets inherit these: two system calls for a listener instead of five for each connection. */
static void set_tcp_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, TRANSPORT_KEEPALIVE_SECONDS},
        {IPPROTO_TCP, TCP_KEEPINTVL, TRANSPORT_KEEPALIVE_SECONDS / 4},
        {IPPROTO_TCP, TCP_KEEPCNT, 4},
    };

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* At a door, those of all its services together: how many may be on their way to one of them. */
static void set_limits(struct listener *l)
{
    const struct config *config = l->plane->config;
    const struct config_door *door = l->door == 0 ? NULL : &config->doors[l->door - 1];
    size_t count = door == NULL ? 1 : door->service_count;
    bool is_limited = true;

    l->counted_as = door == NULL ? l->service_index : plane_count_of_door(l->plane, l->door);
    for (size_t i = 0; i < count; i++) {
        const struct config_service *s = &config->services[door == NULL ? l->service_index : door->services[i]];

        l->connections_max += s->connections_max;
        l->per_address_max += s->connections_per_address_max;
        is_limited = is_limited && s->connections_per_address_max != 0;
    }
    if (!is_limited)
        l->per_address_max = 0;
    else if (l->per_address_max > UINT_MAX)
        l->per_address_max = UINT_MAX;
}

struct listener *listener_create(struct plane *p, size_t service_index, size_t door, int fd, char **error)
{
    struct listener *l = base_alloc(sizeof(*l));
    socklen_t size = sizeof(l->address);
    int result;

    l->plane = p;
    l->service_index = service_index;
    l->door = door;
    set_limits(l);
    l->fd = fd;
    if (getsockname(fd, (struct sockaddr *)&l->address, &size) != 0)
        result = -errno;
    else
        result = uv_poll_init(p->loop, &l->poll, fd);
    if (result != 0) {
        *error = base_printf("a listening socket cannot be used: %s", uv_strerror(result));
        close(fd);
        free(l);
        return NULL;
    }
    if (l->address.ss_family != AF_UNIX)
        set_tcp_options(fd);
    l->poll.data = l;
    uv_timer_init(p->loop, &l->pause_timer);
    l->pause_timer.data = l;
    start_polling(l);
    return l;
}

const struct sockaddr_storage *listener_address(const struct listener *l)
{
    return &l->address;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    if (--l->handles_open > 0)
        return;
    free(l);
}

void listener_destroy(struct listener **listener)
{
    struct listener *l = *listener;

    if (l == NULL)
        return;
    *listener = NULL;
    l->plane->listeners_paused -= l->paused;
    l->handles_open = 2;
    uv_close((uv_handle_t *)&l->poll, on_closed);
    uv_close((uv_handle_t *)&l->pause_timer, on_closed);
    /* Our copy only: the socket lives on in the supervisor and in other workers. */
    close(l->fd);
}
