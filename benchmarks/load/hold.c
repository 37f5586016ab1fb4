/* load idle, load ping: connections that stay. */
#define _DEFAULT_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PING_BYTES = 64, PINGS_MAX = 4 * 1024 * 1024 };

struct held {
    struct load_connection *connections;
    unsigned long count;
};

static void open_more(struct load_peer *peer, struct held *held, unsigned long more)
{
    held->connections = realloc(held->connections, (held->count + more) * sizeof(*held->connections));
    if (held->connections == NULL)
        load_die("realloc");
    for (unsigned long i = 0; i < more; i++) {
        if (!load_connect(peer, false, &held->connections[held->count]) ||
            !load_one_byte(&held->connections[held->count]))
            load_die("an idle connection");
        held->count++;
    }
}

static void close_all(struct held *held)
{
    for (unsigned long i = 0; i < held->count; i++)
        load_close(&held->connections[i]);
    held->count = 0;
}

void load_run_idle(const struct load_options *o)
{
    struct load_peer peer = {.options = o, .ctx = load_client_context(o)};
    struct held held = {0};
    char line[32];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (line[0] == '+')
            open_more(&peer, &held, strtoul(line + 1, NULL, 10));
        else
            close_all(&held);
        printf("{\"open\": %lu}\n", held.count);
        (void)fflush(stdout);
    }
    close_all(&held);
    free(held.connections);
    SSL_CTX_free(peer.ctx);
}

static double ping(SSL *ssl)
{
    char data[PING_BYTES] = "ping";
    double before = load_now();
    int got = 0;

    if (SSL_write(ssl, data, sizeof(data)) != (int)sizeof(data))
        load_die("write");
    while (got < PING_BYTES) {
        int n = SSL_read(ssl, data + got, PING_BYTES - got);

        if (n <= 0)
            load_die("read");
        got += n;
    }
    return load_now() - before;
}

static void ping_for(SSL *ssl, float *times, double seconds)
{
    size_t count = 0;
    double start = load_now();

    while (load_now() - start < seconds && count < PINGS_MAX) {
        times[count++] = (float)(ping(ssl) * 1e3);
        usleep(1000); /* a person's pace would be slower still; one ping at a time */
    }
    printf("{\"times_ms\": [");
    for (size_t i = 0; i < count; i++)
        printf("%s%.4f", i == 0 ? "" : ", ", (double)times[i]);
    printf("]}\n");
    (void)fflush(stdout);
}

void load_run_ping(const struct load_options *o)
{
    struct load_peer peer = {.options = o, .ctx = load_client_context(o)};
    float *times = malloc(PINGS_MAX * sizeof(*times));
    struct load_connection c;
    char line[32];

    if (times == NULL || !load_connect(&peer, false, &c) || !load_one_byte(&c))
        load_die("connect");
    while (fgets(line, sizeof(line), stdin) != NULL)
        ping_for(c.ssl, times, strtod(line, NULL));
    free(times);
    load_close(&c);
    SSL_CTX_free(peer.ctx);
}
