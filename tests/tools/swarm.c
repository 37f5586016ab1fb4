/* tests/tools/swarm: many TLS connections at once through a proxy to an echo server, every byte checked.
 *
 *   swarm PORT CONNECTIONS BYTES SLOW_ONE_IN [HOLD_FILE]
 *
 * All connections are opened and their handshakes finished before any data moves. Then each sends BYTES of its own
 * pseudo-random stream while reading them back; one in SLOW_ONE_IN reads at most 8 KiB every 10 ms. With HOLD_FILE, it
 * creates that file when half of all bytes are back and waits until it is removed, all connections open, so that
 * somebody can look at the proxy meanwhile. Prints one JSON object; exits 0 only if every byte came back right and
 * every connection was closed with close_notify. Trusts any certificate: that is not what it tests. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 8192, SLOW_PAUSE_MS = 10, EVENTS_MAX = 256, FLUSH_WRITES_MAX = 4 };

enum phase { HANDSHAKE, READY, MOVING, CLOSING, DONE, FAILED };

struct stream {
    uint64_t state;
    unsigned left; /* bytes of the last word not used yet */
    uint64_t word;
};

struct connection {
    SSL *ssl;
    int fd;
    enum phase phase;
    bool slow;
    uint64_t sent, received, next_read_ms;
    struct stream out, in;
    uint8_t chunk[CHUNK];
    size_t chunk_size, chunk_sent;
};

static struct connection *all;
static size_t count, handshakes, done, failed;
static uint64_t bytes, total_received;
static int loop;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint8_t stream_next(struct stream *s)
{
    if (s->left == 0) { /* xorshift64: enough to make every offset different */
        s->state ^= s->state << 13;
        s->state ^= s->state >> 7;
        s->state ^= s->state << 17;
        s->word = s->state;
        s->left = 8;
    }
    s->left--;
    s->word >>= s->left == 7 ? 0 : 8;
    return (uint8_t)s->word;
}

static void fail(struct connection *c, const char *why)
{
    if (c->phase == FAILED)
        return;
    if (failed++ < 5)
        fprintf(stderr, "swarm: connection %zu after %llu of %llu bytes: %s\n", (size_t)(c - all),
                (unsigned long long)c->received, (unsigned long long)bytes, why);
    ERR_clear_error();
    c->phase = FAILED;
    epoll_ctl(loop, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
}

static bool again(struct connection *c, int result)
{
    int e = SSL_get_error(c->ssl, result);

    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static void step_write(struct connection *c)
{
    for (unsigned i = 0; i < FLUSH_WRITES_MAX; i++) {
        int n;

        if (c->chunk_sent == c->chunk_size) {
            uint64_t left = bytes - c->sent;

            if (left == 0)
                return;
            c->chunk_size = left < CHUNK ? (size_t)left : CHUNK;
            c->chunk_sent = 0;
            for (size_t j = 0; j < c->chunk_size; j++)
                c->chunk[j] = stream_next(&c->out);
            c->sent += c->chunk_size;
        }
        n = SSL_write(c->ssl, c->chunk + c->chunk_sent, (int)(c->chunk_size - c->chunk_sent));
        if (n <= 0) {
            if (!again(c, n))
                fail(c, "write failed");
            return;
        }
        c->chunk_sent += (size_t)n;
    }
}

static void step_read(struct connection *c)
{
    uint8_t data[CHUNK];

    while (c->phase == MOVING && c->received < bytes) {
        int n;

        if (c->slow && now_ms() < c->next_read_ms)
            return;
        n = SSL_read(c->ssl, data, sizeof(data));
        if (n <= 0) {
            if (!again(c, n))
                fail(c, "the connection ended early");
            return;
        }
        for (int i = 0; i < n; i++) {
            if (data[i] != stream_next(&c->in)) {
                fail(c, "a byte came back changed");
                return;
            }
        }
        c->received += (uint64_t)n;
        total_received += (uint64_t)n;
        if (c->slow)
            c->next_read_ms = now_ms() + SLOW_PAUSE_MS;
    }
}

static void step(struct connection *c)
{
    int n;

    switch (c->phase) {
    case HANDSHAKE:
        n = SSL_connect(c->ssl);
        if (n == 1) {
            c->phase = READY;
            handshakes++;
        } else if (!again(c, n)) {
            fail(c, "handshake failed");
        }
        break;
    case MOVING:
        step_read(c);
        if (c->phase == MOVING)
            step_write(c);
        if (c->phase == MOVING && c->received == bytes) {
            SSL_shutdown(c->ssl);
            c->phase = CLOSING;
        }
        break;
    case CLOSING:
        n = SSL_shutdown(c->ssl);
        if (n == 1) {
            c->phase = DONE;
            done++;
            epoll_ctl(loop, EPOLL_CTL_DEL, c->fd, NULL);
            close(c->fd);
        } else if (n < 0 && !again(c, n)) {
            fail(c, "no close_notify at the end");
        }
        break;
    case READY:
    case DONE:
    case FAILED:
        break;
    }
}

static void open_connection(struct connection *c, SSL_CTX *ctx, uint16_t port, size_t index, unsigned slow_one_in)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->out.state = c->in.state = 0x9e3779b97f4a7c15u * (index + 1);
    c->slow = slow_one_in != 0 && index % slow_one_in == 0;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("swarm: connect");
        exit(1);
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    epoll_ctl(loop, EPOLL_CTL_ADD, c->fd, &event);
    step(c);
}

static void wait_and_step(int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(loop, events, EVENTS_MAX, timeout_ms);

    for (int i = 0; i < n; i++)
        step(events[i].data.ptr);
}

static void hold(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    if (fd < 0) {
        perror(path);
        exit(1);
    }
    close(fd);
    while (access(path, F_OK) == 0)
        usleep(20000);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    const char *hold_path = argc > 5 ? argv[5] : NULL;

    if (argc < 5) {
        fputs("usage: swarm PORT CONNECTIONS BYTES SLOW_ONE_IN [HOLD_FILE]\n", stderr);
        return 2;
    }
    count = strtoul(argv[2], NULL, 10);
    bytes = strtoull(argv[3], NULL, 10);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    all = calloc(count, sizeof(*all));
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (all == NULL || ctx == NULL || loop < 0)
        return 1;
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    for (size_t i = 0; i < count; i++) {
        open_connection(&all[i], ctx, (uint16_t)atoi(argv[1]), i, (unsigned)atoi(argv[4]));
        wait_and_step(0);
    }
    while (handshakes + failed < count)
        wait_and_step(100);
    for (size_t i = 0; i < count; i++) {
        if (all[i].phase == READY) {
            all[i].phase = MOVING;
            step(&all[i]);
        }
    }
    while (done + failed < count) {
        wait_and_step(SLOW_PAUSE_MS);
        for (size_t i = 0; i < count; i++) /* the slow ones, and writers whose edge has passed */
            if (all[i].phase == MOVING)
                step(&all[i]);
        if (hold_path != NULL && total_received >= bytes * count / 2) {
            hold(hold_path);
            hold_path = NULL;
        }
    }
    printf("{\"connections\": %zu, \"done\": %zu, \"failed\": %zu, \"bytes\": %llu}\n", count, done, failed,
           (unsigned long long)total_received);
    for (size_t i = 0; i < count; i++)
        SSL_free(all[i].ssl);
    SSL_CTX_free(ctx);
    free(all);
    return failed != 0 || done != count;
}
