/* see proxy/session/handshake_pool.h
 *
 * One mutex for all: it is held for a few pointer moves and rows of the sketch, never during a step. Each group has its
 * own condition variable, so that a job wakes a thread of its group and no other. A job that a woken thread may not
 * take, since it is behind, is looked at again by the thread whose step behind ends: so each job needs one signal. */
#include "proxy/session/handshake_pool.h"

#include "proxy/session/peer_cost.h"
#include "proxy/process/thread_priority.h"
#include <stdlib.h>

struct queue {
    struct handshake_job *first, **last; /* oldest first */
    size_t count;
};

struct group {
    struct handshake_pool *pool;
    struct queue front, behind;
    unsigned running_behind; /* steps under way of jobs that were put behind */
    unsigned passed_behind;  /* jobs of the front that were taken while one waited behind */
    unsigned idle;           /* threads that wait for a job, or are about to */
    uv_thread_t *threads;
    unsigned thread_count;
    uv_cond_t job_came;
};

struct handshake_pool {
    struct handshake_pool_options options;
    uv_async_t job_done;
    uv_mutex_t lock;
    struct group *groups;
    struct queue done;
    struct peer_cost costs;
    uint64_t now_ms; /* the latest that anybody has read */
    size_t waiting;  /* of all groups; written under the lock */
    size_t busy;     /* loop's thread only */
    bool stopping;
};

static void queue_init(struct queue *q)
{
    *q = (struct queue){.last = &q->first};
}

static void queue_put(struct queue *q, struct handshake_job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
    q->count++;
}

static struct handshake_job *queue_take(struct queue *q)
{
    struct handshake_job *job = q->first;

    q->first = job->next;
    if (q->first == NULL)
        q->last = &q->first;
    q->count--;
    job->next = NULL;
    return job;
}

/* Threads read the clock before they take the lock, so not in the order in which they get it. */
static void note_time(struct handshake_pool *p, uint64_t now_ms)
{
    if (now_ms > p->now_ms)
        p->now_ms = now_ms;
}

static bool is_dear(const struct handshake_pool *p, const struct handshake_job *job)
{
    return !job->begun && peer_cost_is_dear(&p->costs, job->peer, p->now_ms);
}

/* Those at the head of the front whose peers have become dear since they came. */
static void put_dear_behind(struct group *g)
{
    while (g->front.first != NULL && is_dear(g->pool, g->front.first)) {
        struct handshake_job *job = queue_take(&g->front);

        job->put_behind = true;
        queue_put(&g->behind, job);
    }
}

/* Whether one of those behind is next. With a single thread there is none to be kept for others. */
static bool is_turn_of_behind(const struct group *g)
{
    unsigned threads_max = g->pool->options.threads_per_group_max;

    if (g->behind.first == NULL || g->running_behind >= (threads_max > 1 ? threads_max - 1 : 1))
        return false;
    return g->front.first == NULL || (g->running_behind == 0 && g->passed_behind >= LIMIT_STEPS_BEFORE_BEHIND);
}

/* NULL: there is nothing for this thread to do. */
static struct handshake_job *take_waiting(struct group *g)
{
    struct handshake_job *job;

    put_dear_behind(g);
    if (is_turn_of_behind(g)) {
        job = queue_take(&g->behind);
        g->running_behind++;
        g->passed_behind = 0;
    } else if (g->front.first != NULL) {
        job = queue_take(&g->front);
        g->passed_behind = g->behind.first == NULL ? 0 : g->passed_behind + 1;
    } else {
        return NULL;
    }
    g->pool->waiting--;
    return job;
}

static void run_step(struct handshake_pool *p, struct group *g, struct handshake_job *job, bool wanted)
{
    uint64_t start_us = p->options.thread_us(), used_us, now_ms;

    job->status = wanted ? tls_engine_step(job->engine) : TLS_FAILED;
    used_us = p->options.thread_us() - start_us;
    now_ms = p->options.now_ms();

    uv_mutex_lock(&p->lock);
    note_time(p, now_ms);
    peer_cost_add(&p->costs, job->peer, used_us, p->now_ms);
    if (job->put_behind)
        g->running_behind--;
    queue_put(&p->done, job);
    g->idle++;
    uv_mutex_unlock(&p->lock);
    uv_async_send(&p->job_done); /* not under the lock, which the loop wants at once */
}

static void run_jobs(void *arg)
{
    struct group *g = arg;
    struct handshake_pool *p = g->pool;

    (void)thread_priority_patient();
    uv_mutex_lock(&p->lock);
    for (;;) {
        struct handshake_job *job;
        bool wanted;

        while ((job = take_waiting(g)) == NULL && !p->stopping)
            uv_cond_wait(&g->job_came, &p->lock);
        g->idle--;
        if (job == NULL)
            break;
        wanted = !job->abandoned;
        uv_mutex_unlock(&p->lock);
        run_step(p, g, job, wanted);
        uv_mutex_lock(&p->lock);
    }
    uv_mutex_unlock(&p->lock);
}

static void tell_done(uv_async_t *async)
{
    struct handshake_pool *p = async->data;
    struct handshake_job *job;

    uv_mutex_lock(&p->lock);
    job = p->done.first;
    queue_init(&p->done);
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
    queue_init(&p->done);
    peer_cost_init(&p->costs, peer_key_secret_make());
    p->groups = base_alloc(options->group_count * sizeof(*p->groups));
    p->job_done.data = p;
    if (uv_mutex_init(&p->lock) != 0 || uv_async_init(loop, &p->job_done, tell_done) != 0)
        base_abort("cannot make the handshake pool");
    for (size_t i = 0; i < options->group_count; i++) {
        struct group *g = &p->groups[i];

        g->pool = p;
        queue_init(&g->front);
        queue_init(&g->behind);
        g->threads = base_alloc(options->threads_per_group_max * sizeof(*g->threads));
        if (uv_cond_init(&g->job_came) != 0)
            base_abort("cannot make the handshake pool");
    }
    return p;
}

/* A place for a job in a full group: of the one behind that has waited longest, which is the nearest to its timeout. */
static bool make_room(struct group *g)
{
    struct handshake_job *job;

    put_dear_behind(g);
    if (g->behind.first == NULL)
        return false;
    job = queue_take(&g->behind);
    job->refused = true;
    queue_put(&g->pool->done, job);
    g->pool->waiting--;
    return true;
}

bool handshake_pool_submit(struct handshake_pool *p, struct handshake_job *job)
{
    struct group *g = &p->groups[job->group];
    uint64_t now_ms = p->options.now_ms();
    size_t waiting;
    bool taken, made_room = false;

    assert(job->group < p->options.group_count);
    uv_mutex_lock(&p->lock);
    note_time(p, now_ms);
    waiting = g->front.count + g->behind.count;
    if (g->idle <= waiting && g->thread_count < p->options.threads_per_group_max &&
        uv_thread_create(&g->threads[g->thread_count], run_jobs, g) == 0) {
        g->thread_count++;
        g->idle++; /* from now on: a burst must not be refused because the system has not run the thread yet */
    }
    job->put_behind = is_dear(p, job);
    job->refused = job->abandoned = false;
    /* Without a single thread (none could be made) a queue would never move: refuse. */
    taken = g->thread_count > 0;
    if (taken && !job->begun && waiting >= p->options.waiting_per_group_max + g->idle)
        taken = made_room = !job->put_behind && make_room(g);
    if (taken) {
        queue_put(job->put_behind ? &g->behind : &g->front, job);
        p->waiting++;
        p->busy++;
    }
    uv_mutex_unlock(&p->lock);
    if (taken)
        uv_cond_signal(&g->job_came); /* not under the lock, or the thread wakes only to wait for it */
    if (made_room)
        uv_async_send(&p->job_done);
    return taken;
}

void handshake_pool_abandon(struct handshake_pool *p, struct handshake_job *job)
{
    uv_mutex_lock(&p->lock);
    job->abandoned = true;
    uv_mutex_unlock(&p->lock);
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
