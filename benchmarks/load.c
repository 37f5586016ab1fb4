/* benchmarks/load: the other end of every measurement, the same for each proxy.
 *
 *   load echo-server PORT                         plain TCP echo on 127.0.0.1, one epoll loop
 *   load handshakes  PORT --count N [...]         N connections: handshake, one byte there and back, close
 *   load echo        PORT --mib N                 one connection, N MiB there and back
 *   load idle        PORT --count N               N connections held open until standard input ends
 *   load ping        PORT --seconds S             one connection, 64 bytes there and back; how long each took
 *
 * Options: --tls 1.2|1.3, --resume (after a first full handshake on each thread), --threads N, --sigalgs LIST.
 * Prints one JSON object. TLS is OpenSSL's, so that no proxy is measured against its own library's client. The
 * certificate is not verified: what is measured is the other side. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
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

enum { THREADS_MAX = 64, PING_BYTES = 64, PINGS_MAX = 4 * 1024 * 1024, ECHO_CHUNK = 16384, EVENTS_MAX = 64 };

struct options {
    uint16_t port;
    unsigned long count;
    unsigned threads;
    unsigned long mib;
    unsigned seconds;
    int tls_version;
    bool resume;
    const char *sigalgs;
};

struct worker {
    const struct options *options;
    SSL_CTX *ctx;
    SSL_SESSION *session;
    unsigned long count;
    unsigned long resumed;
    unsigned long failed;
};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int tcp_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct worker *w = SSL_get_app_data(ssl);

    if (w == NULL || !w->options->resume)
        return 0;
    SSL_SESSION_free(w->session); /* a TLS 1.3 ticket is used once: the newest is the one to resume */
    w->session = session;
    return 1; /* we keep the reference */
}

static SSL_CTX *make_context(const struct options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL)
        die("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(ctx, o->tls_version);
    SSL_CTX_set_max_proto_version(ctx, o->tls_version);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    /* The same suite and group everywhere, so that it is the proxies that differ (P-256 is named for TLS 1.2's ECDSA
     * certificates; X25519 is the one used). */
    if (SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256") != 1 ||
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1)
        die("cipher lists");
    if (o->sigalgs != NULL && SSL_CTX_set1_sigalgs_list(ctx, o->sigalgs) != 1)
        die("signature algorithms");
    return ctx;
}

static SSL *tls_connect(struct worker *w, bool resume)
{
    SSL *ssl = SSL_new(w->ctx);
    int fd = tcp_connect(w->options->port);

    SSL_set_app_data(ssl, w);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "localhost");
    if (resume && w->session != NULL)
        SSL_set_session(ssl, w->session);
    if (SSL_connect(ssl) != 1) {
        w->failed++;
        SSL_free(ssl);
        close(fd);
        return NULL;
    }
    return ssl;
}

static void tls_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static bool one_byte(SSL *ssl)
{
    char byte = 'x';

    return SSL_write(ssl, &byte, 1) == 1 && SSL_read(ssl, &byte, 1) == 1;
}

static void *handshakes_thread(void *arg)
{
    struct worker *w = arg;

    if (w->options->resume) { /* the session every later connection resumes; not counted */
        SSL *first = tls_connect(w, false);

        if (first == NULL || !one_byte(first))
            die("first connection");
        tls_close(first);
        if (w->session == NULL)
            die("the server gave no session to resume");
    }
    for (unsigned long i = 0; i < w->count; i++) {
        SSL *ssl = tls_connect(w, w->options->resume);

        if (ssl == NULL)
            continue;
        if (!one_byte(ssl))
            w->failed++;
        if (SSL_session_reused(ssl))
            w->resumed++;
        tls_close(ssl);
    }
    return NULL;
}

static void run_handshakes(const struct options *o)
{
    pthread_t threads[THREADS_MAX];
    struct worker workers[THREADS_MAX];
    SSL_CTX *ctx = make_context(o);
    double start = now();
    unsigned long resumed = 0, failed = 0;
    double seconds;

    for (unsigned i = 0; i < o->threads; i++) {
        workers[i] = (struct worker){.options = o, .ctx = ctx, .count = o->count / o->threads};
        if (pthread_create(&threads[i], NULL, handshakes_thread, &workers[i]) != 0)
            die("pthread_create");
    }
    for (unsigned i = 0; i < o->threads; i++) {
        pthread_join(threads[i], NULL);
        resumed += workers[i].resumed;
        failed += workers[i].failed;
        SSL_SESSION_free(workers[i].session);
    }
    seconds = now() - start;
    printf("{\"count\": %lu, \"resumed\": %lu, \"failed\": %lu, \"seconds\": %.4f}\n",
           o->count / o->threads * o->threads, resumed, failed, seconds);
    SSL_CTX_free(ctx);
}

/* One connection, non-blocking, both directions at once from one thread: OpenSSL objects are not for two. */
static void run_echo(const struct options *o)
{
    struct worker w = {.options = o, .ctx = make_context(o)};
    SSL *ssl = tls_connect(&w, false);
    static uint8_t out[ECHO_CHUNK], in[ECHO_CHUNK];
    uint64_t total = (uint64_t)o->mib << 20, sent = 0, received = 0;
    bool good = true;
    double start;
    int fd;

    if (ssl == NULL)
        die("connect");
    fd = SSL_get_fd(ssl);
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 131);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    start = now();
    while (received < total && good) {
        bool moved = false;

        if (sent < total) {
            size_t offset = (size_t)(sent % sizeof(out));
            size_t size = sizeof(out) - offset;
            int n = SSL_write(ssl, out + offset, (int)(size > total - sent ? total - sent : size));

            if (n > 0) {
                sent += (uint64_t)n;
                moved = true;
            } else if (SSL_get_error(ssl, n) != SSL_ERROR_WANT_WRITE && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ) {
                good = false;
            }
        }
        for (;;) {
            int n = SSL_read(ssl, in, sizeof(in));

            if (n <= 0) {
                int e = SSL_get_error(ssl, n);

                good = good && (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE);
                break;
            }
            for (int i = 0; i < n; i += 997) /* spot checks: the measurement must not become the checker's */
                good = good && in[i] == out[(received + (uint64_t)i) % sizeof(out)];
            received += (uint64_t)n;
            moved = true;
        }
        if (!moved) {
            fd_set r, wr;

            FD_ZERO(&r);
            FD_ZERO(&wr);
            FD_SET(fd, &r);
            if (sent < total)
                FD_SET(fd, &wr);
            select(fd + 1, &r, &wr, NULL, NULL);
        }
    }
    printf("{\"mib\": %lu, \"ok\": %s, \"seconds\": %.4f}\n", o->mib, good ? "true" : "false", now() - start);
    tls_close(ssl);
    SSL_CTX_free(w.ctx);
}

static void run_idle(const struct options *o)
{
    struct worker w = {.options = o, .ctx = make_context(o)};
    SSL **all = calloc(o->count, sizeof(SSL *));
    char byte;

    if (all == NULL)
        die("calloc");
    for (unsigned long i = 0; i < o->count; i++) {
        all[i] = tls_connect(&w, false);
        if (all[i] == NULL || !one_byte(all[i]))
            die("an idle connection");
    }
    printf("{\"open\": %lu}\n", o->count);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    for (unsigned long i = 0; i < o->count; i++)
        tls_close(all[i]);
    free(all);
    SSL_CTX_free(w.ctx);
}

static void run_ping(const struct options *o)
{
    struct worker w = {.options = o, .ctx = make_context(o)};
    SSL *ssl = tls_connect(&w, false);
    float *times = malloc(PINGS_MAX * sizeof(*times));
    size_t count = 0;
    double start = now();
    char data[PING_BYTES] = "ping";

    if (ssl == NULL || times == NULL)
        die("connect");
    while (now() - start < o->seconds && count < PINGS_MAX) {
        double before = now();
        int got = 0;

        if (SSL_write(ssl, data, sizeof(data)) != (int)sizeof(data))
            die("write");
        while (got < (int)sizeof(data)) {
            int n = SSL_read(ssl, data + got, (int)sizeof(data) - got);

            if (n <= 0)
                die("read");
            got += n;
        }
        times[count++] = (float)((now() - before) * 1e3);
        usleep(1000); /* a person's pace would be slower still; one ping at a time */
    }
    printf("{\"times_ms\": [");
    for (size_t i = 0; i < count; i++)
        printf("%s%.4f", i == 0 ? "" : ", ", (double)times[i]);
    printf("]}\n");
    free(times);
    tls_close(ssl);
    SSL_CTX_free(w.ctx);
}

struct echo_connection {
    int fd;
    size_t held;
    uint8_t data[65536];
};

/* Write what is held; false when the connection is over. */
static bool echo_flush(struct echo_connection *c)
{
    while (c->held > 0) {
        ssize_t n = send(c->fd, c->data, c->held, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN;
        memmove(c->data, c->data + n, c->held - (size_t)n);
        c->held -= (size_t)n;
    }
    return true;
}

static bool echo_step(struct echo_connection *c)
{
    for (;;) {
        ssize_t n;

        if (!echo_flush(c))
            return false;
        if (c->held > 0)
            return true; /* the writable event comes next */
        n = recv(c->fd, c->data, sizeof(c->data), 0);
        if (n == 0)
            return false;
        if (n < 0)
            return errno == EAGAIN;
        c->held = (size_t)n;
    }
}

static void run_echo_server(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS_MAX];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 4096) != 0)
        die("listen");
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(loop, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            struct echo_connection *c = events[i].data.ptr;

            if (c == NULL) {
                int fd;

                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    c = calloc(1, sizeof(*c));
                    if (c == NULL)
                        die("calloc");
                    c->fd = fd;
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                    event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
                    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
                }
            } else if (!echo_step(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}

static int usage(void)
{
    fputs("usage: load echo-server|handshakes|echo|idle|ping PORT [--count N] [--mib N] [--seconds S]\n"
          "            [--tls 1.2|1.3] [--resume] [--threads N] [--sigalgs LIST]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"count", required_argument, NULL, 'c'},   {"mib", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 's'}, {"tls", required_argument, NULL, 't'},
        {"resume", no_argument, NULL, 'r'},        {"threads", required_argument, NULL, 'n'},
        {"sigalgs", required_argument, NULL, 'a'}, {NULL, 0, NULL, 0},
    };
    struct options o = {.count = 100, .threads = 1, .mib = 1, .seconds = 1, .tls_version = TLS1_3_VERSION};
    struct rlimit files;
    int c;

    if (argc < 3)
        return usage();
    o.port = (uint16_t)atoi(argv[2]);
    while ((c = getopt_long(argc - 2, argv + 2, "", long_options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o.count = strtoul(optarg, NULL, 10);
            break;
        case 'm':
            o.mib = strtoul(optarg, NULL, 10);
            break;
        case 's':
            o.seconds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            o.tls_version = strcmp(optarg, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
            break;
        case 'r':
            o.resume = true;
            break;
        case 'n':
            o.threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'a':
            o.sigalgs = optarg;
            break;
        default:
            return usage();
        }
    }
    if (o.threads == 0 || o.threads > THREADS_MAX || o.count == 0)
        return usage();
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (strcmp(argv[1], "echo-server") == 0)
        run_echo_server(o.port);
    else if (strcmp(argv[1], "handshakes") == 0)
        run_handshakes(&o);
    else if (strcmp(argv[1], "echo") == 0)
        run_echo(&o);
    else if (strcmp(argv[1], "idle") == 0)
        run_idle(&o);
    else if (strcmp(argv[1], "ping") == 0)
        run_ping(&o);
    else
        return usage();
    return 0;
}
