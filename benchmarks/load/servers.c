/* load echo-server, load tls-server: what is behind the proxy. One epoll loop, edge-triggered. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 64, HELD_MAX = 65536 };

struct served {
    struct load_connection connection;
    size_t held;
    bool established;
    uint8_t data[HELD_MAX];
};

struct server {
    int loop, listener;
    SSL_CTX *ctx; /* NULL: plain */
    unsigned long accepted, resumed, failed;
};

enum outcome { MOVED, WAITS, OVER };

static enum outcome outcome_of(struct load_connection *c, ssize_t n)
{
    int e;

    if (n > 0)
        return MOVED;
    if (c->ssl == NULL)
        return n < 0 && errno == EAGAIN ? WAITS : OVER;
    e = SSL_get_error(c->ssl, (int)n);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? WAITS : OVER;
}

static enum outcome receive(struct served *s)
{
    struct load_connection *c = &s->connection;
    ssize_t n = c->ssl == NULL ? recv(c->fd, s->data, HELD_MAX, 0) : SSL_read(c->ssl, s->data, HELD_MAX);

    if (n > 0)
        s->held = (size_t)n;
    return outcome_of(c, n);
}

static enum outcome flush(struct served *s)
{
    struct load_connection *c = &s->connection;
    ssize_t n = c->ssl == NULL ? send(c->fd, s->data, s->held, MSG_NOSIGNAL) : SSL_write(c->ssl, s->data, (int)s->held);

    if (n > 0) {
        memmove(s->data, s->data + n, s->held - (size_t)n);
        s->held -= (size_t)n;
    }
    return outcome_of(c, n);
}

static enum outcome shake_hands(struct server *server, struct served *s)
{
    int n = SSL_accept(s->connection.ssl);

    if (n == 1) {
        s->established = true;
        server->accepted++;
        server->resumed += SSL_session_reused(s->connection.ssl) ? 1 : 0;
        return MOVED;
    }
    if (outcome_of(&s->connection, n) == WAITS)
        return WAITS;
    server->failed++;
    return OVER;
}

/* Whether the connection goes on. */
static bool step(struct server *server, struct served *s)
{
    enum outcome outcome = MOVED;

    ERR_clear_error(); /* SSL_get_error() looks at the thread's queue, whoever filled it */
    /* Linux forgets this whenever it likes: an acknowledgement that waits for 40 ms would be measured as the proxy's.
     */
    load_set(s->connection.fd, IPPROTO_TCP, TCP_QUICKACK);
    while (outcome == MOVED) {
        if (!s->established)
            outcome = shake_hands(server, s);
        else
            outcome = s->held > 0 ? flush(s) : receive(s);
    }
    return outcome == WAITS;
}

static void accept_all(struct server *server)
{
    int fd;

    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct served *s = malloc(sizeof(*s)); /* not calloc: its pages are touched when data comes */
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s};

        if (s == NULL)
            load_die("malloc");
        s->connection = (struct load_connection){.fd = fd};
        s->held = 0;
        s->established = server->ctx == NULL;
        if (server->ctx != NULL) {
            s->connection.ssl = SSL_new(server->ctx);
            SSL_set_fd(s->connection.ssl, fd);
            SSL_set_mode(s->connection.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        }
        load_set(fd, IPPROTO_TCP, TCP_NODELAY);
        epoll_ctl(server->loop, EPOLL_CTL_ADD, fd, &event);
    }
}

/* False at the end of standard input. */
static bool answer(struct server *server)
{
    char line[32];

    if (fgets(line, sizeof(line), stdin) == NULL)
        return false;
    printf("{\"accepted\": %lu, \"resumed\": %lu, \"failed\": %lu}\n", server->accepted, server->resumed,
           server->failed);
    (void)fflush(stdout);
    server->accepted = server->resumed = server->failed = 0;
    return true;
}

static void serve(struct server *server)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = server}, events[EVENTS_MAX];

    epoll_ctl(server->loop, EPOLL_CTL_ADD, server->listener, &event);
    for (;;) {
        int count = epoll_wait(server->loop, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            struct served *s = events[i].data.ptr;

            if (events[i].data.ptr == server) {
                accept_all(server);
            } else if (s == NULL) {
                if (!answer(server))
                    return;
            } else if (!step(server, s)) {
                load_close(&s->connection);
                free(s);
            }
        }
    }
}

void load_run_echo_server(const struct load_options *o)
{
    struct server server = {.loop = epoll_create1(EPOLL_CLOEXEC), .listener = load_listen(o->port)};

    serve(&server);
}

static SSL_CTX *server_context(const struct load_options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || o->identity == NULL)
        load_die("tls-server needs --identity");
    load_use_identity(ctx, o->identity);
    SSL_CTX_set_min_proto_version(ctx, o->tls_version);
    SSL_CTX_set_max_proto_version(ctx, o->tls_version);
    SSL_CTX_set_num_tickets(ctx, o->tickets);
    if (o->tickets == 0) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    }
    if (SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256") != 1 ||
        SSL_CTX_set1_groups_list(ctx, o->groups != NULL ? o->groups : "X25519:P-256") != 1)
        load_die("cipher lists");
    return ctx;
}

void load_run_tls_server(const struct load_options *o)
{
    struct server server = {
        .loop = epoll_create1(EPOLL_CLOEXEC), .listener = load_listen(o->port), .ctx = server_context(o)};
    struct epoll_event event = {.events = EPOLLIN};

    epoll_ctl(server.loop, EPOLL_CTL_ADD, STDIN_FILENO, &event);
    serve(&server);
    SSL_CTX_free(server.ctx);
}
