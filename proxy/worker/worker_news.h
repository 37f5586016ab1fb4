/* proxy/worker/worker_news.h: what this worker and the others tell each other of intermediates, through the supervisor.
 *
 * What a verification has learnt is sent after the step of the loop in which it is noticed; which known ones were used,
 * at most once in WORKER_NEWS_USED_MS, so that the supervisor forgets the right ones. When the supervisor does not take
 * it now, it is sent later; nobody waits for it. What is told goes to every store of the process.
 * Threads: the loop's; the stores lock for themselves. */
#ifndef YETT_PROXY_WORKER_WORKER_NEWS_H
#define YETT_PROXY_WORKER_WORKER_NEWS_H

#include "pkix/intermediates.h"
#include "proxy/service/service.h"
#include <uv.h>

enum {
    WORKER_NEWS_BATCH = 8, /* sent in one turn of the loop */
    WORKER_NEWS_USED_MS = 60000,
    WORKER_NEWS_FLUSH_MS = 1000, /* at the end: how long the supervisor may take to take them */
};

struct worker_news {
    uv_check_t check;
    const struct services *services;
    int socket; /* the supervisor's */
    char *unsent;
    uint64_t used_told_ms;
    bool tells_uses; /* a round of them is under way */
    bool is_lost;    /* there is nobody to tell */
};

void worker_news_start(struct worker_news *n, uv_loop_t *loop, const struct services *services, int socket);
void worker_news_stop(struct worker_news *n); /* closes its handle: the loop must run once more */
/* After the loop: send what is left, uses too. */
void worker_news_flush(struct worker_news *n);

/* The memory file of the start. False with a sentence in *error: then nothing of it is known here. */
MUST_CHECK bool worker_news_read(const struct services *services, int fd, char **error);
/* One from another worker, in PEM. */
void worker_news_hear(const struct services *services, const char *pem);

#endif
