/* see http_server.h: one connection at a time. */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 5 };

/* Whether the whole request is there: the head, and a body of Content-Length bytes. */
static bool is_whole(const struct http_server *s)
{
    const char *end = strstr(s->request, "\r\n\r\n"), *length = strstr(s->request, "Content-Length: ");

    if (end == NULL)
        return false;
    return length == NULL || s->request_size >= (size_t)(end + 4 - s->request) + strtoul(length + 16, NULL, 10);
}

static bool read_request(struct http_server *s, int fd)
{
    memset(s->request, 0, sizeof(s->request));
    s->request_size = 0;
    while (!is_whole(s)) {
        ssize_t got = recv(fd, s->request + s->request_size, sizeof(s->request) - 1 - s->request_size, 0);

        if (got <= 0)
            return false;
        s->request_size += (size_t)got;
    }
    return true;
}

static void wait_until_gone(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static void serve(struct http_server *s, int fd)
{
    struct span left = s->answer;

    if (!read_request(s, fd))
        return;
    atomic_fetch_add(&s->requests, 1);
    while (!atomic_load(&s->open))
        (void)poll(NULL, 0, TICK_MS);
    while (left.size > 0) {
        size_t size = s->piece == 0 || left.size < s->piece ? left.size : s->piece;

        if (s->pause_ms != 0)
            (void)poll(NULL, 0, s->pause_ms);
        if (send(fd, left.data, size, MSG_NOSIGNAL) < 0)
            return;
        left = span_skip(left, size);
    }
    if (s->answer.size == 0 || s->keeps_open)
        wait_until_gone(fd);
}

static void *run(void *arg)
{
    struct http_server *s = arg;

    for (;;) {
        int fd = accept(s->fd, NULL, NULL);

        if (fd < 0 && errno == EMFILE) { /* a test that leaves nobody a descriptor for a while */
            (void)poll(NULL, 0, TICK_MS);
            continue;
        }
        if (fd < 0)
            return NULL;
        serve(s, fd);
        close(fd);
    }
}

void http_server_start(struct http_server *s, struct span answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    *s = (struct http_server){.answer = answer};
    atomic_store(&s->open, true);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, size) != 0 || listen(s->fd, 64) != 0 ||
        getsockname(s->fd, (struct sockaddr *)&address, &size) != 0)
        base_abort("cannot listen");
    s->port = ntohs(address.sin_port);
    if (pthread_create(&s->thread, NULL, run, s) != 0)
        base_abort("cannot make a thread");
}

void http_server_stop(struct http_server *s)
{
    shutdown(s->fd, SHUT_RDWR); /* wakes accept() */
    pthread_join(s->thread, NULL);
    close(s->fd);
}
