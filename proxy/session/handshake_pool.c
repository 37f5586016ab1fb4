/* see proxy/session/handshake_pool.h
 *
 * One mutex for all: it is held for a few pointer moves and rows of the sketch, never during a step. Each group has its
 * own condition variable, so that a job wakes a thread of its group and no other. A job that a woken thread may not
 * take, since it is behind, is looked at again by the thread whose step behind ends: so each job needs one signal. */
#include "proxy/session/handshake_pool.h"

#include "proxy/session/handshake_shares.h"
#include "proxy/session/peer_cost.h"
#include "proxy/process/thread_priority.h"
#include <poll.h>
#include <stdlib.h>

struct queue {
    struct handshake_job *first, **last; /* oldest first */
    size_t count;
};

struct group {
    struct handshake_pool *pool;
    struct queue begun, front, behind;
    struct handshake_shares shares; /* of the front */
    struct handshake_pace pace;
    unsigned running_first;  /* first steps under way */
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

/* `before` is the one in front of `job`, NULL: it is the first. */
static void queue_remove(struct queue *q, struct handshake_job *job, struct handshake_job *before)
{
    if (before == NULL) {
        (void)queue_take(q);
        return;
    }
    before->next = job->next;
    if (job->next == NULL)
        q->last = &before->next;
    q->count--;
    job->next = NULL;
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

        handshake_shares_went(&g->shares, job->service);
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

/* Nobody waits for these any more: no thread is needed to say so. */
static void drop_abandoned(struct group *g)
{
    struct handshake_pool *p = g->pool;
    bool dropped = false;

    while (g->front.first != NULL && g->front.first->abandoned) {
        struct handshake_job *job = queue_take(&g->front);

        handshake_shares_went(&g->shares, job->service);
        job->status = TLS_FAILED;
        queue_put(&p->done, job);
        p->waiting--;
        dropped = true;
    }
    if (dropped)
        uv_async_send(&p->job_done);
}

static bool waits_long(const struct handshake_pool *p, const struct handshake_job *job)
{
    return job->signs && p->now_ms - job->came_ms >= LIMIT_STEP_WAIT_MS;
}

/* The next of the front: the oldest of the service whose turn it is, or its newest. */
static struct handshake_job *take_from_front(struct group *g)
{
    unsigned service = handshake_shares_next(&g->shares);
    struct handshake_job *taken = NULL, *before = NULL, *last = NULL;

    for (struct handshake_job *job = g->front.first; job != NULL; last = job, job = job->next) {
        if (job->service != service)
            continue;
        taken = job;
        before = last;
        if (!waits_long(g->pool, job))
            break;
        for (last = job, job = job->next; job != NULL; last = job, job = job->next) {
            if (job->service != service)
                continue;
            taken = job;
            before = last;
        }
        break;
    }
    assert(taken != NULL);
    queue_remove(&g->front, taken, before);
    handshake_shares_went(&g->shares, service);
    handshake_shares_serve(&g->shares, service);
    return taken;
}

static bool may_begin(const struct group *g)
{
    const struct handshake_pool_options *o = &g->pool->options;
    unsigned max =
        o->threads_per_group_max > o->threads_for_begun ? o->threads_per_group_max - o->threads_for_begun : 1;

    return g->running_first < max && g->running_first < g->pace.now;
}

/* NULL: there is nothing for this thread to do. */
static struct handshake_job *take_waiting(struct group *g)
{
    struct handshake_job *job;

    drop_abandoned(g);
    if (g->begun.first != NULL) {
        g->pool->waiting--;
        return queue_take(&g->begun);
    }
    if (!may_begin(g))
        return NULL;
    put_dear_behind(g);
    if (is_turn_of_behind(g)) {
        job = queue_take(&g->behind);
        g->running_behind++;
        g->passed_behind = 0;
    } else if (g->front.first != NULL) {
        job = take_from_front(g);
        g->passed_behind = g->behind.first == NULL ? 0 : g->passed_behind + 1;
    } else {
        return NULL;
    }
    g->running_first++;
    g->pool->waiting--;
    return job;
}

/* A client that has ended its side before its handshake has got anywhere does not go on with it. */
static bool has_left(const struct handshake_job *job)
{
    struct pollfd look = {.fd = job->fd, .events = POLLRDHUP};

    return job->signs && !job->begun && job->fd >= 0 && poll(&look, 1, 0) == 1 &&
           (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* A first step is over, which took so long; 0: it was not taken. Lock held. */
static void first_step_ended(struct group *g, const struct handshake_job *job, bool taken, uint64_t ms)
{
    g->running_first--;
    if (job->signs && taken) {
        handshake_shares_took(&g->shares, job->service, ms);
        handshake_pace_took(&g->pace, ms);
    }
    if (g->running_first == 0 && g->front.first == NULL && g->behind.first == NULL)
        handshake_pace_rest(&g->pace);
    else if (may_begin(g))
        uv_cond_signal(&g->job_came); /* there may be room for one more than this thread's next */
}

static void run_step(struct handshake_pool *p, struct group *g, struct handshake_job *job, bool wanted)
{
    uint64_t start_us = p->options.thread_us(), start_ms = p->options.now_ms(), used_us, now_ms;

    job->left = wanted && has_left(job);
    wanted = wanted && !job->left;
    job->status = wanted ? tls_engine_step(job->engine) : TLS_FAILED;
    used_us = p->options.thread_us() - start_us;
    now_ms = p->options.now_ms();

    uv_mutex_lock(&p->lock);
    note_time(p, now_ms);
    peer_cost_add(&p->costs, job->peer, used_us, p->now_ms);
    if (job->put_behind)
        g->running_behind--;
    if (!job->begun)
        first_step_ended(g, job, wanted, now_ms - start_ms);
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
        queue_init(&g->begun);
        queue_init(&g->front);
        handshake_pace_init(&g->pace, options->threads_per_group_max);
        queue_init(&g->behind);
        g->threads = base_alloc(options->threads_per_group_max * sizeof(*g->threads));
        if (uv_cond_init(&g->job_came) != 0)
            base_abort("cannot make the handshake pool");
    }
    return p;
}

/* A place for a job in a full group: of the one behind that has waited longest, which is the nearest to its timeout; or
 * of one in front that waits for a token in vain. */
static bool make_room(struct group *g)
{
    struct handshake_job *job;

    put_dear_behind(g);
    if (g->behind.first != NULL) {
        job = queue_take(&g->behind);
    } else if (g->front.first != NULL && waits_long(g->pool, g->front.first)) {
        job = queue_take(&g->front);
        handshake_shares_went(&g->shares, job->service);
    } else {
        return false;
    }
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
    waiting = g->begun.count + g->front.count + g->behind.count;
    job->came_ms = p->now_ms;
    if (g->idle <= waiting && g->thread_count < p->options.threads_per_group_max &&
        uv_thread_create(&g->threads[g->thread_count], run_jobs, g) == 0) {
        g->thread_count++;
        g->idle++; /* from now on: a burst must not be refused because the system has not run the thread yet */
    }
    job->put_behind = is_dear(p, job);
    job->refused = job->abandoned = job->left = false;
    /* Without a single thread (none could be made) a queue would never move: refuse. */
    taken = g->thread_count > 0;
    if (taken && !job->begun && waiting >= p->options.waiting_per_group_max + g->idle)
        taken = made_room = !job->put_behind && make_room(g);
    if (taken) {
        queue_put(job->begun ? &g->begun : job->put_behind ? &g->behind : &g->front, job);
        if (!job->begun && !job->put_behind)
            handshake_shares_came(&g->shares, job->service);
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
        handshake_shares_clear(&p->groups[i].shares);
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
