/* load handshakes: connections one after the other on each of some threads. */
#include "load.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS_MAX = 64 };

static void *run_thread(void *arg)
{
    struct load_peer *peer = arg;
    struct load_connection c;

    if (peer->options->resume && peer->ctx != NULL) { /* the session every later connection resumes; not counted */
        if (!load_connect(peer, false, &c) || !load_one_byte(&c))
            load_die("first connection");
        load_close(&c);
        if (peer->session == NULL)
            load_die("the server gave no session to resume");
        peer->tickets = 0;
    }
    for (unsigned long i = 0; i < peer->count; i++) {
        if (!load_connect(peer, peer->options->resume, &c))
            continue;
        if (!load_one_byte(&c))
            peer->failed++;
        if (c.ssl != NULL && SSL_session_reused(c.ssl))
            peer->resumed++;
        load_close(&c);
    }
    return NULL;
}

void load_run_handshakes(const struct load_options *o)
{
    pthread_t threads[THREADS_MAX];
    struct load_peer peers[THREADS_MAX], sum = {0};
    SSL_CTX *ctx = load_client_context(o);
    double start = load_now();

    for (unsigned i = 0; i < o->threads; i++) {
        peers[i] = (struct load_peer){.options = o, .ctx = ctx, .count = o->count / o->threads};
        if (pthread_create(&threads[i], NULL, run_thread, &peers[i]) != 0)
            load_die("pthread_create");
    }
    for (unsigned i = 0; i < o->threads; i++) {
        pthread_join(threads[i], NULL);
        sum.resumed += peers[i].resumed;
        sum.failed += peers[i].failed;
        sum.tickets += peers[i].tickets;
        SSL_SESSION_free(peers[i].session);
    }
    printf("{\"count\": %lu, \"resumed\": %lu, \"failed\": %lu, \"tickets\": %lu, \"seconds\": %.4f}\n",
           o->count / o->threads * o->threads, sum.resumed, sum.failed, sum.tickets, load_now() - start);
    SSL_CTX_free(ctx);
}
