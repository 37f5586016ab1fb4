/* see tokens/agent/agent_conn.h */
#include "tokens/agent/agent_conn.h"
#include "tokens/agent/agent_access.h"
#include "tokens/agent/agent_find.h"
#include "tokens/agent/agent_pool.h"
#include "tokens/agent/agent_token.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REFUSAL_TOLD_MS = 1000, IN_MAX = 65536 };

void agent_conn_wake(struct agent *agent)
{
    uint64_t one = 1;

    (void)!write(agent->front.wake_fd, &one, sizeof(one));
}

void agent_conn_unref(struct agent *agent, struct conn *conn)
{
    (void)agent;
    if (--conn->refs != 0)
        return;
    buffer_release(&conn->in);
    buffer_release(&conn->out);
    pthread_mutex_destroy(&conn->mutex);
    free(conn);
}

/* Send what is held, as far as it goes. conn->mutex held. false: the connection is of no use any more. */
static bool conn_flush(struct conn *conn)
{
    while (conn->out.size != 0) {
        struct span held = buffer_span(&conn->out);
        ssize_t sent = send(conn->fd, held.data, held.size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        buffer_consume(&conn->out, (size_t)sent);
    }
    return true;
}

void agent_conn_reply(struct agent *agent, struct conn *conn, const struct tokens_wire_reply *reply)
{
    pthread_mutex_lock(&conn->mutex);
    if (!conn->closed) {
        if (!tokens_wire_reply_encode(reply, &conn->out) || !conn_flush(conn))
            shutdown(conn->fd, SHUT_RDWR); /* it does not read: the main thread sees the end */
        if (conn->out.size != 0)
            agent_conn_wake(agent);
    }
    pthread_mutex_unlock(&conn->mutex);
}

void agent_conns_accept(struct agent *agent)
{
    while (agent->front.conn_count < AGENT_CONNS_MAX) {
        int fd = accept4(agent->options.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct conn *conn;

        if (fd < 0)
            return;
        conn = base_alloc(sizeof(*conn));
        if (!agent_access_connect(agent, fd, conn)) {
            (void)!agent_tell(agent, TOKENS_AGENT_LOG, "refused a connection from another user");
            free(conn);
            close(fd);
            continue;
        }
        conn->fd = fd;
        conn->refs = 1;
        buffer_init(&conn->in, IN_MAX);
        buffer_init(&conn->out, AGENT_OUT_MAX);
        pthread_mutex_init(&conn->mutex, NULL);
        agent->front.conns[agent->front.conn_count++] = conn;
    }
}

void agent_conn_close(struct agent *agent, size_t index)
{
    struct conn *conn = agent->front.conns[index];

    agent->front.conns[index] = agent->front.conns[--agent->front.conn_count];
    pthread_mutex_lock(&conn->mutex);
    conn->closed = true;
    close(conn->fd);
    pthread_mutex_unlock(&conn->mutex);
    pthread_mutex_lock(&agent->mutex);
    agent_pool_cancel(agent, conn);
    agent_conn_unref(agent, conn);
    pthread_mutex_unlock(&agent->mutex);
}

static struct job *job_create(struct agent *agent, struct conn *conn, const struct tokens_wire_request *request)
{
    struct job *job = base_alloc(sizeof(*job));
    uint32_t timeout_ms = request->timeout_ms;

    job->type = request->type == TOKENS_WIRE_FIND ? JOB_FIND : request->type == TOKENS_WIRE_LIST ? JOB_LIST : JOB_SIGN;
    /* A look-up may wait for someone to type a PIN; a signature never longer than the settings say. */
    if (job->type == JOB_SIGN && timeout_ms > agent->options.sign_timeout_ms)
        timeout_ms = agent->options.sign_timeout_ms;
    job->conn = conn;
    job->id = request->id;
    job->deadline_ms = base_now_ms() + timeout_ms;
    job->uri = base_strndup((const char *)request->uri.data, request->uri.size);
    job->key_tag = request->key_tag;
    job->mechanism = request->mechanism;
    job->hash = request->hash;
    job->salt_size = request->salt_size;
    if (request->data.size != 0)
        memcpy(job->data, request->data.data, request->data.size);
    job->data_size = request->data.size;
    job->first = request->first;
    job->list_tag = request->list_tag;
    conn->refs++;
    conn->jobs++;
    return job;
}

/* A request that will not wait: the queue is full, or its token hangs. agent->mutex held. */
static bool turn_away(struct agent *agent, struct job *job)
{
    if (job->token != NULL && agent_token_hangs(job->token)) {
        agent_pool_answer_failed(agent, job, TOKENS_WIRE_TIMEOUT, CKR_FUNCTION_FAILED, "the token hangs");
        agent->counters.failures++;
    } else if (!agent_pool_has_room(agent, job->token) || job->conn->jobs > AGENT_CONN_JOBS_MAX) {
        agent_pool_answer_failed(agent, job, TOKENS_WIRE_QUEUE_FULL, CKR_DEVICE_MEMORY,
                                 "too many requests wait for the token (queue_max)");
        agent->counters.refused++;
    } else {
        return false;
    }
    agent->counters.changed = true;
    agent_job_destroy(agent, job);
    return true;
}

/* A worker whose configuration does not name it. The first of a second is told: the supervisor logs it. */
static void refuse(struct agent *agent, struct conn *conn, const struct tokens_wire_request *request)
{
    struct tokens_wire_reply reply = {.type = TOKENS_WIRE_FAILED,
                                      .id = request->id,
                                      .failure = TOKENS_WIRE_REFUSED,
                                      .ckr = CKR_FUNCTION_REJECTED,
                                      .text = span_of_string("the configuration of this worker does not name it")};
    char quoted[BASE_QUOTE_SIZE];
    uint64_t now_ms = base_now_ms();

    if (now_ms - agent->front.refusal_told_ms >= REFUSAL_TOLD_MS) {
        agent->front.refusal_told_ms = now_ms;
        base_quote((const char *)request->uri.data, request->uri.size, quoted, sizeof(quoted));
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "refused process %d what its configuration does not name: %s",
                          (int)conn->pid, quoted);
    }
    pthread_mutex_lock(&agent->mutex);
    agent->counters.failures++;
    agent->counters.changed = true;
    pthread_mutex_unlock(&agent->mutex);
    agent_conn_reply(agent, conn, &reply);
}

static void on_request(struct agent *agent, struct conn *conn, const struct tokens_wire_request *request)
{
    struct job *job;

    if (!agent_access_request(agent, conn, request)) {
        refuse(agent, conn, request);
        return;
    }
    pthread_mutex_lock(&agent->mutex);
    job = job_create(agent, conn, request);
    if (job->type == JOB_SIGN) {
        struct identity *identity = agent_identity_get(agent, job->uri, job->key_tag);

        if (identity != NULL)
            job->token = identity->token;
    }
    if (!turn_away(agent, job))
        agent_pool_submit(agent, job);
    pthread_mutex_unlock(&agent->mutex);
}

/* false: the connection has ended, or does not speak the protocol. */
static bool on_readable(struct agent *agent, struct conn *conn)
{
    size_t room;
    uint8_t *space = buffer_reserve(&conn->in, IN_MAX - conn->in.size, &room);
    ssize_t got = space == NULL ? 0 : recv(conn->fd, space, room, MSG_DONTWAIT);

    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (got == 0)
        return false;
    buffer_commit(&conn->in, (size_t)got);
    for (;;) {
        struct tokens_wire_request request;
        struct span payload;

        switch (tokens_wire_frame(buffer_span(&conn->in), TOKENS_WIRE_REQUEST_MAX, &payload)) {
        case TOKENS_WIRE_OK:
            break;
        case TOKENS_WIRE_MORE:
            buffer_trim(&conn->in);
            return true;
        case TOKENS_WIRE_BAD:
            return false;
        }
        if (tokens_wire_request_decode(payload, &request) != TOKENS_WIRE_OK)
            return false;
        on_request(agent, conn, &request);
        buffer_consume(&conn->in, TOKENS_WIRE_HEADER_SIZE + payload.size);
    }
}

bool agent_conn_serve(struct agent *agent, struct conn *conn, short events)
{
    bool alive = true;

    if ((events & POLLOUT) != 0) {
        pthread_mutex_lock(&conn->mutex);
        alive = conn_flush(conn);
        buffer_trim(&conn->out);
        pthread_mutex_unlock(&conn->mutex);
    }
    if (alive && (events & (POLLIN | POLLHUP | POLLERR)) != 0)
        alive = on_readable(agent, conn);
    return alive;
}
