/* see proxy/handshake_pool.h
 *
 * One mutex for all: it is held for a few pointer moves, never during a step. Each group has its own condition variable,
 * so that a job wakes a thread of its group and no other. */
#include "proxy/handshake_pool.h"

#include "proxy/thread_priority.h"
#include <stdlib.h>

struct group {
    struct handshake_pool *pool;
    struct handshake_job *first, **last; /* waiting, oldest first */
    size_t waiting;
    unsigned idle;                       /* threads that wait for a job, or are about to */
    uv_thread_t *threads;
    unsigned thread_count;
    uv_cond_t job_came;
};

struct handshake_pool {
    struct handshake_pool_options options;
    uv_async_t job_done;
    uv_mutex_t lock;
    struct group *groups;
    struct handshake_job *done, **done_last; /* oldest first */
    size_t waiting;                          /* of all groups; written under the lock */
    size_t busy;                             /* loop's thread only */
    bool stopping;
};

static struct handshake_job *take_waiting(struct group *g)
{
    struct handshake_job *job = g->first;

    g->first = job->next;
    if (g->first == NULL)
        g->last = &g->first;
    g->waiting--;
    g->pool->waiting--;
    job->next = NULL;
    return job;
}

static void run_jobs(void *arg)
{
    struct group *g = arg;
    struct handshake_pool *p = g->pool;

    (void)thread_priority_patient();
    uv_mutex_lock(&p->lock);
    for (;;) {
        struct handshake_job *job;

        while (g->first == NULL && !p->stopping)
            uv_cond_wait(&g->job_came, &p->lock);
        g->idle--;
        if (g->first == NULL)
            break;
        job = take_waiting(g);
        uv_mutex_unlock(&p->lock);

        job->status = tls_engine_step(job->engine);

        uv_mutex_lock(&p->lock);
        *p->done_last = job;
        p->done_last = &job->next;
        g->idle++;
        uv_mutex_unlock(&p->lock);
        uv_async_send(&p->job_done); /* not under the lock, which the loop wants at once */
        uv_mutex_lock(&p->lock);
    }
    uv_mutex_unlock(&p->lock);
}

static void tell_done(uv_async_t *async)
{
    struct handshake_pool *p = async->data;
    struct handshake_job *job;

    uv_mutex_lock(&p->lock);
    job = p->done;
    p->done = NULL;
    p->done_last = &p->done;
    uv_mutex_unlock(&p->lock);
    while (job != NULL) {
        struct handshake_job *next = job->next; /* on_done may submit or free the job */

        job->next = NULL;
        p->busy--;
        job->on_done(job);
        job = next;
    }
}

struct handshake_pool *handshake_pool_create(uv_loop_t *loop, const struct handshake_pool_options *options)
{
    struct handshake_pool *p = base_alloc(sizeof(*p));

    p->options = *options;
    p->done_last = &p->done;
    p->groups = base_alloc(options->group_count * sizeof(*p->groups));
    p->job_done.data = p;
    if (uv_mutex_init(&p->lock) != 0 || uv_async_init(loop, &p->job_done, tell_done) != 0)
        base_abort("cannot make the handshake pool");
    for (size_t i = 0; i < options->group_count; i++) {
        struct group *g = &p->groups[i];

        g->pool = p;
        g->last = &g->first;
        g->threads = base_alloc(options->threads_per_group_max * sizeof(*g->threads));
        if (uv_cond_init(&g->job_came) != 0)
            base_abort("cannot make the handshake pool");
    }
    return p;
}

bool handshake_pool_submit(struct handshake_pool *p, struct handshake_job *job)
{
    struct group *g = &p->groups[job->group];
    bool taken = false;

    assert(job->group < p->options.group_count);
    uv_mutex_lock(&p->lock);
    if (g->idle <= g->waiting && g->thread_count < p->options.threads_per_group_max &&
        uv_thread_create(&g->threads[g->thread_count], run_jobs, g) == 0) {
        g->thread_count++;
        g->idle++; /* from now on: a burst must not be refused because the system has not run the thread yet */
    }
    /* Without a single thread (none could be made) a queue would never move: refuse. */
    if (g->thread_count > 0 && (job->begun || g->waiting < p->options.waiting_per_group_max + g->idle)) {
        job->next = NULL;
        *g->last = job;
        g->last = &job->next;
        g->waiting++;
        p->waiting++;
        p->busy++;
        taken = true;
    }
    uv_mutex_unlock(&p->lock);
    if (taken)
        uv_cond_signal(&g->job_came); /* not under the lock, or the thread wakes only to wait for it */
    return taken;
}

size_t handshake_pool_waiting(const struct handshake_pool *p)
{
    struct handshake_pool *locked = (struct handshake_pool *)(uintptr_t)p;
    size_t waiting;

    uv_mutex_lock(&locked->lock);
    waiting = locked->waiting;
    uv_mutex_unlock(&locked->lock);
    return waiting;
}

size_t handshake_pool_busy(const struct handshake_pool *p)
{
    return p->busy;
}

static void free_pool(uv_handle_t *handle)
{
    struct handshake_pool *p = handle->data;

    for (size_t i = 0; i < p->options.group_count; i++) {
        uv_cond_destroy(&p->groups[i].job_came);
        free(p->groups[i].threads);
    }
    uv_mutex_destroy(&p->lock);
    free(p->groups);
    free(p);
}

void handshake_pool_destroy(struct handshake_pool **pool)
{
    struct handshake_pool *p = *pool;

    if (p == NULL)
        return;
    assert(p->busy == 0);
    uv_mutex_lock(&p->lock);
    p->stopping = true;
    for (size_t i = 0; i < p->options.group_count; i++)
        uv_cond_broadcast(&p->groups[i].job_came);
    uv_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->options.group_count; i++)
        for (unsigned t = 0; t < p->groups[i].thread_count; t++)
            uv_thread_join(&p->groups[i].threads[t]);
    uv_close((uv_handle_t *)&p->job_done, free_pool);
    *pool = NULL;
}
