/* see tokens/agent_client.h */
#include "tokens/agent_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_MS = 20, READ_SIZE = 65536, TRIES_MAX = 2 };

enum wait_state { WAITING, ANSWERED, BROKEN, BAD };

/* One call, on its thread's stack. Under client->mutex. */
struct waiter {
    struct waiter *next;
    uint32_t id;
    enum wait_state state;
    bool lead; /* the leader left: be it now */
    pthread_cond_t wake;
    struct tokens_wire_reply reply;
    uint8_t *frame;
};

struct agent_client {
    struct sockaddr_un address;
    pthread_mutex_t mutex;
    int fd; /* -1: none. Closed only by the leader, or when there is none */
    bool has_leader;
    uint32_t next_id;
    struct waiter *waiters;
    struct buffer in; /* the leader's */
};

/* see tokens/agent_client.h */
struct agent_client *agent_client_create(const char *socket_path)
{
    struct agent_client *client = base_alloc(sizeof(*client));

    client->address.sun_family = AF_UNIX;
    /* One that is too long stays empty, and connect() fails. */
    if (strlen(socket_path) < sizeof(client->address.sun_path))
        memcpy(client->address.sun_path, socket_path, strlen(socket_path));
    pthread_mutex_init(&client->mutex, NULL);
    client->fd = -1;
    buffer_init(&client->in, TOKENS_WIRE_HEADER_SIZE + TOKENS_WIRE_REPLY_MAX + READ_SIZE);
    return client;
}

/* see tokens/agent_client.h */
void agent_client_destroy(struct agent_client **client)
{
    struct agent_client *c = *client;

    if (c == NULL)
        return;
    assert(c->waiters == NULL);
    if (c->fd >= 0)
        close(c->fd);
    buffer_release(&c->in);
    pthread_mutex_destroy(&c->mutex);
    free(c);
    *client = NULL;
}

/* see tokens/agent_client.h */
const char *agent_client_status_text(enum agent_client_status status)
{
    switch (status) {
    case AGENT_CLIENT_OK:
        return "";
    case AGENT_CLIENT_TIMEOUT:
        return "the token agent did not answer in time";
    case AGENT_CLIENT_UNREACHABLE:
        return "the token agent cannot be reached";
    case AGENT_CLIENT_BAD_REPLY:
        return "the token agent's answer makes no sense";
    }
    return "";
}

/* Make sure of a connection. The listening socket is the supervisor's: connecting works while no agent lives, and the
 * next one accepts. mutex held. */
static bool ensure_connected(struct agent_client *c)
{
    int fd;

    if (c->fd >= 0)
        return true;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)(const void *)&c->address, sizeof(c->address)) != 0) {
        close(fd);
        return false;
    }
    c->fd = fd;
    return true;
}

/* The connection is gone, and with it all that waits for it. mutex held; leader, or no leader. */
static void connection_broke(struct agent_client *c, enum wait_state state)
{
    close(c->fd);
    c->fd = -1;
    buffer_release(&c->in);
    for (struct waiter *w = c->waiters; w != NULL; w = w->next) {
        if (w->state != WAITING)
            continue;
        w->state = state;
        pthread_cond_signal(&w->wake);
    }
}

/* A frame goes out whole or not at all: it is small against a socket's buffer. mutex held. */
static enum wait_state send_frame(struct agent_client *c, struct span frame)
{
    ssize_t sent;

    do
        sent = send(c->fd, frame.data, frame.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)frame.size)
        return ANSWERED;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return WAITING;
    /* Tell the leader by the socket; nobody leads: close it here. */
    if (c->has_leader)
        shutdown(c->fd, SHUT_RDWR);
    else
        connection_broke(c, BROKEN);
    return BROKEN;
}

static void give_reply(struct agent_client *c, struct span payload, const struct tokens_wire_reply *reply)
{
    for (struct waiter *w = c->waiters; w != NULL; w = w->next) {
        if (w->id != reply->id || w->state != WAITING)
            continue;
        w->frame = base_memdup(payload.data, payload.size);
        /* Again, for spans that point into the copy. */
        w->state =
            tokens_wire_reply_decode(span_of(w->frame, payload.size), &w->reply) == TOKENS_WIRE_OK ? ANSWERED : BAD;
        pthread_cond_signal(&w->wake);
        return;
    }
    /* Nobody waits for it any more: its deadline passed. */
}

/* Hand out all whole frames. mutex held. */
static bool take_frames(struct agent_client *c)
{
    for (;;) {
        struct tokens_wire_reply reply;
        struct span payload;

        switch (tokens_wire_frame(buffer_span(&c->in), TOKENS_WIRE_REPLY_MAX, &payload)) {
        case TOKENS_WIRE_OK:
            break;
        case TOKENS_WIRE_MORE:
            return true;
        case TOKENS_WIRE_BAD:
            return false;
        }
        if (tokens_wire_reply_decode(payload, &reply) != TOKENS_WIRE_OK)
            return false;
        give_reply(c, payload, &reply);
        buffer_consume(&c->in, TOKENS_WIRE_HEADER_SIZE + payload.size);
    }
}

/* One turn as leader: wait for bytes until the deadline. mutex held, and let go of while waiting. */
static void lead_once(struct agent_client *c, uint64_t deadline_ms)
{
    uint64_t now_ms = base_now_ms();
    struct pollfd set = {.fd = c->fd, .events = POLLIN};
    size_t room = 0;
    ssize_t got = -1;
    uint8_t *space = buffer_reserve(&c->in, READ_SIZE, &room);
    int ready, why;

    pthread_mutex_unlock(&c->mutex);
    ready = poll(&set, 1, deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0);
    if (ready > 0)
        got = recv(set.fd, space, room, MSG_DONTWAIT);
    why = errno;
    pthread_mutex_lock(&c->mutex);
    if (ready <= 0)
        return;
    if (got > 0) {
        buffer_commit(&c->in, (size_t)got);
        if (!take_frames(c))
            connection_broke(c, BAD);
    } else if (got == 0 || (why != EAGAIN && why != EWOULDBLOCK && why != EINTR)) {
        connection_broke(c, BROKEN);
    }
}

/* Somebody else who waits reads from now on. mutex held. */
static void hand_over(struct agent_client *c)
{
    c->has_leader = false;
    for (struct waiter *w = c->waiters; w != NULL; w = w->next) {
        if (w->state == WAITING) {
            w->lead = true;
            pthread_cond_signal(&w->wake);
            return;
        }
    }
}

/* Until the reply is here, the connection broke or the deadline passed. mutex held. */
static void wait_for_reply(struct agent_client *c, struct waiter *self, uint64_t deadline_ms)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000), .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    bool leading = false;

    while (self->state == WAITING && base_now_ms() < deadline_ms) {
        if (!leading && !c->has_leader)
            leading = c->has_leader = true;
        if (leading)
            lead_once(c, deadline_ms);
        else
            pthread_cond_timedwait(&self->wake, &c->mutex, &until);
    }
    /* Told to lead but done or late: pass it on. */
    if (leading || (self->lead && !c->has_leader))
        hand_over(c);
}

static void waiter_init(struct waiter *self)
{
    pthread_condattr_t attributes;

    *self = (struct waiter){.state = WAITING};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void waiter_remove(struct agent_client *c, const struct waiter *self)
{
    struct waiter **link = &c->waiters;

    while (*link != self) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = self->next;
}

/* Let others go on for a moment. mutex held. */
static void pause_unlocked(struct agent_client *c)
{
    struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

    pthread_mutex_unlock(&c->mutex);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&c->mutex);
}

/* Connect and send; a full socket or a listener that is not there is tried again until the deadline. mutex held. */
static enum agent_client_status send_request(struct agent_client *c, const struct tokens_wire_request *request,
                                             struct waiter *self, uint64_t deadline_ms)
{
    enum agent_client_status status = AGENT_CLIENT_UNREACHABLE;

    for (;;) {
        struct tokens_wire_request numbered = *request;
        uint64_t now_ms = base_now_ms();
        enum wait_state sent = WAITING;
        struct buffer out;
        bool encoded;

        if (now_ms >= deadline_ms)
            return status;
        if (ensure_connected(c)) {
            status = AGENT_CLIENT_TIMEOUT;
            numbered.id = self->id = ++c->next_id;
            numbered.timeout_ms = (uint32_t)(deadline_ms - now_ms);
            buffer_init(&out, TOKENS_WIRE_HEADER_SIZE + TOKENS_WIRE_REQUEST_MAX);
            encoded = tokens_wire_request_encode(&numbered, &out);
            if (encoded)
                sent = send_frame(c, buffer_span(&out));
            buffer_release(&out);
            if (!encoded)
                return AGENT_CLIENT_BAD_REPLY;
        }
        if (sent == ANSWERED)
            return AGENT_CLIENT_OK;
        if (sent != BROKEN || c->fd >= 0)
            pause_unlocked(c);
    }
}

static enum agent_client_status call_once(struct agent_client *c, const struct tokens_wire_request *request,
                                          uint64_t deadline_ms, struct tokens_wire_reply *reply, uint8_t **frame)
{
    struct waiter self;
    enum agent_client_status status;

    waiter_init(&self);
    status = send_request(c, request, &self, deadline_ms);
    if (status == AGENT_CLIENT_OK) {
        self.next = c->waiters;
        c->waiters = &self;
        wait_for_reply(c, &self, deadline_ms);
        waiter_remove(c, &self);
        switch (self.state) {
        case WAITING:
            status = AGENT_CLIENT_TIMEOUT;
            break;
        case ANSWERED:
            *reply = self.reply;
            *frame = self.frame;
            break;
        case BROKEN:
            status = AGENT_CLIENT_UNREACHABLE;
            break;
        case BAD:
            free(self.frame);
            status = AGENT_CLIENT_BAD_REPLY;
            break;
        }
    }
    pthread_cond_destroy(&self.wake);
    return status;
}

/* see tokens/agent_client.h */
enum agent_client_status agent_client_call(struct agent_client *client, const struct tokens_wire_request *request,
                                           uint32_t timeout_ms, struct tokens_wire_reply *reply, uint8_t **frame)
{
    uint64_t deadline_ms = base_now_ms() + timeout_ms;
    enum agent_client_status status = AGENT_CLIENT_UNREACHABLE;

    *frame = NULL;
    pthread_mutex_lock(&client->mutex);
    for (unsigned tries = 0; tries < TRIES_MAX && status == AGENT_CLIENT_UNREACHABLE; tries++)
        status = call_once(client, request, deadline_ms, reply, frame);
    pthread_mutex_unlock(&client->mutex);
    return status;
}
