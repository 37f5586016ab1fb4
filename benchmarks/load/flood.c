/* load flood: more handshakes than the proxy can make, offered at a steady rate whatever becomes of them.
 *
 * A client that computed its part would be slower than the proxy, so it says what costs it nothing: a ClientHello of
 * OpenSSL's, with a random value of its own each time. The proxy has to make its whole first flight for it, key
 * exchange and signature included, which is nearly all of a server's work. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HELLO_MAX = 2048,
    RANDOM_AT = 11,      /* record and message headers, version (RFC 8446 section 4.1.2) */
    FLIGHT_BYTES = 500,  /* more than a ServerHello alone, less than one with a certificate */
    CLIENTS_MAX = 20000, /* under way at once: what comes above is not offered, and told */
    EVENTS_MAX = 256,
};

struct client {
    int fd;
    bool sent;
    size_t received;
};

struct flood {
    const struct load_options *options;
    uint8_t hello[HELLO_MAX];
    int hello_size, loop;
    unsigned long offered, withheld, answered, refused, open;
};

static void make_hello(struct flood *f)
{
    SSL_CTX *ctx = load_client_context(f->options);
    SSL *ssl = SSL_new(ctx);
    BIO *out = BIO_new(BIO_s_mem());

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_tlsext_host_name(ssl, "localhost");
    (void)SSL_connect(ssl);
    f->hello_size = BIO_read(out, f->hello, HELLO_MAX);
    if (f->hello_size <= RANDOM_AT + 32)
        load_die("a ClientHello");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void offer(struct flood *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(f->options->port)};
    struct client *c = malloc(sizeof(*c));
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};

    if (c == NULL)
        load_die("malloc");
    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (c->fd < 0)
        load_die("socket");
    load_set(c->fd, IPPROTO_TCP, TCP_NODELAY);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS)
        load_die("connect");
    epoll_ctl(f->loop, EPOLL_CTL_ADD, c->fd, &event);
    f->offered++;
    f->open++;
}

static void end(struct flood *f, struct client *c, unsigned long *counted)
{
    /* A reset, so that no ports wait: there are more connections than ports otherwise. */
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(c->fd);
    free(c);
    (*counted)++;
    f->open--;
}

static void step(struct flood *f, struct client *c, uint32_t events)
{
    static uint8_t in[16384];

    if (!c->sent && (events & EPOLLOUT) != 0) {
        RAND_bytes(f->hello + RANDOM_AT, 32);
        c->sent = send(c->fd, f->hello, (size_t)f->hello_size, MSG_NOSIGNAL) == f->hello_size;
        if (!c->sent) {
            end(f, c, &f->refused);
            return;
        }
    }
    for (;;) {
        ssize_t n = recv(c->fd, in, sizeof(in), 0);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            end(f, c, &f->refused);
            return;
        }
        c->received += (size_t)n;
        if (c->received >= FLIGHT_BYTES) {
            end(f, c, &f->answered);
            return;
        }
    }
}

static void run_until(struct flood *f, double until, double start, double seconds)
{
    struct epoll_event events[EVENTS_MAX];

    while (load_now() < until && (seconds > 0 || f->open > 0)) {
        unsigned long due = seconds > 0 ? (unsigned long)((load_now() - start) * f->options->rate) : 0;
        int n;

        while (f->offered + f->withheld < due) {
            if (f->open < CLIENTS_MAX)
                offer(f);
            else
                f->withheld++;
        }
        n = epoll_wait(f->loop, events, EVENTS_MAX, 1);
        for (int i = 0; i < n; i++)
            step(f, events[i].data.ptr, events[i].events);
    }
}

void load_run_flood(const struct load_options *o)
{
    struct flood f = {.options = o, .loop = epoll_create1(EPOLL_CLOEXEC)};
    double start;
    unsigned long answered;

    make_hello(&f);
    start = load_now();
    run_until(&f, start + o->seconds, start, o->seconds);
    answered = f.answered;
    run_until(&f, start + o->seconds + 1, start, 0); /* what is under way */
    printf("{\"offered\": %lu, \"withheld\": %lu, \"answered\": %lu, \"answered_in_time\": %lu, \"refused\": %lu, "
           "\"unanswered\": %lu, \"seconds\": %u}\n",
           f.offered, f.withheld, f.answered, answered, f.refused, f.open, o->seconds);
}
