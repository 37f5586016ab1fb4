/* tests/unit/proxy/http_server.h: a tiny HTTP server in a thread, which says what it is told to, or nothing. */
#ifndef YETT_TESTS_HTTP_SERVER_H
#define YETT_TESTS_HTTP_SERVER_H

#include "base/span.h"
#include <pthread.h>
#include <stdatomic.h>

struct http_server {
    int fd;
    uint16_t port;
    pthread_t thread;
    struct span answer; /* sent as it is, in pieces of `piece` bytes; size 0: the connection is kept silent */
    size_t piece;
    int pause_ms;         /* before each piece */
    bool keeps_open;      /* after the answer, until the client goes */
    atomic_uint requests; /* connections on which something came */
    atomic_bool open;     /* answers may be sent: clear it to hold them back */
    char request[4096];   /* the last one */
    size_t request_size;
};

/* Listens on a free loopback port. */
void http_server_start(struct http_server *s, struct span answer);
void http_server_stop(struct http_server *s);

#endif
