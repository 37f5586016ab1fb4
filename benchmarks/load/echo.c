/* load echo: connections that send and receive as fast as the proxy lets them, all from one thread. */
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { CHUNK = 16384, EVENTS_MAX = 64, CHUNKS_A_TURN = 8 };

struct flow {
    struct load_connection connection;
    uint64_t sent, received;
    bool writing; /* the loop waits for room as well */
};

static uint8_t pattern[CHUNK];

static bool would_block(SSL *ssl, int n)
{
    int e = SSL_get_error(ssl, n);

    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

/* Whether the connection is good; *moved: whether there was anything to write and room for it. */
static bool write_chunk(struct flow *f, uint64_t total, bool *moved)
{
    size_t offset = (size_t)(f->sent % CHUNK), size = CHUNK - offset;
    int n;

    if (f->sent == total)
        return true;
    n = SSL_write(f->connection.ssl, pattern + offset, (int)(size > total - f->sent ? total - f->sent : size));
    if (n <= 0)
        return would_block(f->connection.ssl, n);
    f->sent += (uint64_t)n;
    *moved = true;
    return true;
}

static bool read_all(struct flow *f, bool *moved)
{
    static uint8_t in[CHUNK];

    for (;;) {
        int n = SSL_read(f->connection.ssl, in, sizeof(in));

        if (n <= 0)
            return would_block(f->connection.ssl, n);
        for (int i = 0; i < n; i += 997) /* spot checks: the measurement must not become the checker's */
            if (in[i] != pattern[(f->received + (uint64_t)i) % CHUNK])
                return false;
        f->received += (uint64_t)n;
        *moved = true;
    }
}

static bool step(struct flow *f, uint64_t total)
{
    bool moved = true;

    for (int i = 0; i < CHUNKS_A_TURN && moved; i++) {
        moved = false;
        if (!write_chunk(f, total, &moved) || !read_all(f, &moved))
            return false;
    }
    return true;
}

/* Wait for room only while there is something to send. */
static void watch(int loop, struct flow *f, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = f};

    if (f->writing != writing && epoll_ctl(loop, EPOLL_CTL_MOD, f->connection.fd, &event) != 0)
        load_die("epoll_ctl");
    f->writing = writing;
}

static void echo(int loop, struct flow *flows, unsigned long count, unsigned long mib)
{
    uint64_t total = ((uint64_t)mib << 20) / count;
    unsigned long open = count;
    double start = load_now();
    bool good = true;

    for (unsigned long i = 0; i < count; i++) {
        flows[i].sent = flows[i].received = 0;
        watch(loop, &flows[i], true);
    }
    while (open > 0 && good) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(loop, events, EVENTS_MAX, -1);

        for (int i = 0; i < n && good; i++) {
            struct flow *f = events[i].data.ptr;
            bool ended = f->received == total;

            good = step(f, total) && f->received <= total;
            watch(loop, f, f->sent < total);
            open -= !ended && f->received == total ? 1 : 0;
        }
    }
    printf("{\"mib\": %lu, \"ok\": %s, \"seconds\": %.4f}\n", mib, good ? "true" : "false", load_now() - start);
    (void)fflush(stdout);
}

void load_run_echo(const struct load_options *o)
{
    struct load_peer peer = {.options = o, .ctx = load_client_context(o)};
    struct flow *flows = calloc(o->connections, sizeof(*flows));
    int loop = epoll_create1(EPOLL_CLOEXEC);
    char line[32];

    for (size_t i = 0; i < CHUNK; i++)
        pattern[i] = (uint8_t)(i * 131);
    for (unsigned long i = 0; i < o->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &flows[i]};

        if (!load_connect(&peer, false, &flows[i].connection) || !load_one_byte(&flows[i].connection))
            load_die("a connection to echo on");
        fcntl(flows[i].connection.fd, F_SETFL, O_NONBLOCK);
        SSL_set_mode(flows[i].connection.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (epoll_ctl(loop, EPOLL_CTL_ADD, flows[i].connection.fd, &event) != 0)
            load_die("epoll_ctl");
    }
    while (fgets(line, sizeof(line), stdin) != NULL)
        echo(loop, flows, o->connections, strtoul(line, NULL, 10));
    for (unsigned long i = 0; i < o->connections; i++)
        load_close(&flows[i].connection);
    free(flows);
    SSL_CTX_free(peer.ctx);
}
