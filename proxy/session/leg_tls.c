/* see proxy/session/leg_tls.h */
#include "proxy/session/leg_tls.h"

void leg_tls_init(struct leg_tls *t, const struct leg_means *means)
{
    *t = (struct leg_tls){.means = means, .fd = -1};
}

void leg_tls_start(struct leg_tls *t, const struct tls_context *context, const char *name, const char *cache_key)
{
    assert(t->engine == NULL);
    t->engine = tls_engine_create(context, name, cache_key);
    t->status = TLS_OK;
}

void leg_tls_close(struct leg_tls *t)
{
    handshake_turns_leave(t->means->turns, &t->turn);
    if (t->place == LEG_TLS_PLACE_ON_POOL)
        handshake_pool_abandon(t->means->pool, &t->job);
    else
        tls_engine_destroy(&t->engine);
}

void leg_tls_clear(struct leg_tls *t)
{
    assert(t->place != LEG_TLS_PLACE_ON_POOL);
    tls_engine_destroy(&t->engine);
}

enum leg_tls_state leg_tls_state_of(const struct leg_tls *t)
{
    if (t->engine == NULL)
        return LEG_TLS_NONE;
    if (t->place == LEG_TLS_PLACE_ON_POOL)
        return LEG_TLS_ON_POOL;
    if (t->status == TLS_FAILED)
        return LEG_TLS_FAILED;
    if (t->turn.waits)
        return LEG_TLS_WAITS;
    return tls_engine_handshake_done(t->engine) ? LEG_TLS_UP : LEG_TLS_HANDSHAKE;
}

/* ---- on the pool ---- */

static void give_up_for_the_queue(struct leg_tls *t)
{
    t->refusal = LEG_REFUSAL_QUEUE;
    t->status = tls_engine_give_up(t->engine, "handshake_queue_full",
                                   t->job.put_behind
                                       ? "too many handshakes wait for the token, or for certificates to be verified, "
                                         "and this client's have cost much lately"
                                       : "too many handshakes wait for the token, or for certificates to be verified");
}

static void on_pool_done(struct handshake_job *job)
{
    struct leg_tls *t = CONTAINER_OF(job, struct leg_tls, job);

    t->place = LEG_TLS_PLACE_HERE;
    counter_subtract(t->means->counters, COUNTER_handshake_queue_waiting, 1);
    counter_add(t->means->counters, COUNTER_handshake_queue_behind_total, job->put_behind);
    if (job->left && !job->abandoned)
        t->status = tls_engine_give_up(t->engine, "client_left", "the client left while its handshake waited");
    else if (!job->refused)
        t->status = job->status;
    else if (!job->abandoned)
        give_up_for_the_queue(t);
    t->means->events.news(t->means->events.context);
}

static void submit_step(struct leg_tls *t)
{
    const struct leg_means *means = t->means;
    bool verifies = tls_engine_may_verify(t->engine);
    const struct peer_key nobody = {{0, 0}}; /* relaying much is no reason to wait for the next handshake */

    t->job = (struct handshake_job){.engine = t->engine,
                                    .group = verifies ? means->verify_group : means->pool_group,
                                    .peer = tls_engine_handshake_done(t->engine) ? nobody : means->peer,
                                    .signs = !verifies,
                                    .service = means->service,
                                    .fd = t->fd,
                                    .begun = !verifies && t->pool_begun,
                                    .on_done = on_pool_done};
    if (handshake_pool_submit(means->pool, &t->job)) {
        t->place = LEG_TLS_PLACE_ON_POOL;
        t->pool_begun = t->pool_begun || !verifies;
        counter_add(means->counters, COUNTER_handshake_queue_waiting, 1);
        return;
    }
    give_up_for_the_queue(t);
}

/* ---- here ---- */

/* A step of a handshake, here and now, at the client's cost; of the target's too, since it is the client who had it
 * connected to (see proxy/session/handshake_pool.h). false: others come first. */
static bool take_handshake_step(struct leg_tls *t)
{
    struct handshake_turns *turns = t->means->turns;
    uint64_t start_us;

    if (t->turn.waits)
        return false;
    if (t->place != LEG_TLS_PLACE_TURN &&
        !handshake_turns_ask(turns, &t->turn, t->means->peer,
                             t->records_sent ? HANDSHAKE_TURN_BEGUN : HANDSHAKE_TURN_FRESH)) {
        counter_add(t->means->counters, COUNTER_handshake_queue_behind_total, 1);
        return false;
    }
    t->place = LEG_TLS_PLACE_HERE;
    start_us = handshake_turns_now_us(turns);
    t->status = tls_engine_step(t->engine);
    handshake_turns_charge(turns, t->means->peer, handshake_turns_now_us(turns) - start_us);
    return true;
}

void leg_tls_take_turn(struct handshake_turn *turn)
{
    struct leg_tls *t = CONTAINER_OF(turn, struct leg_tls, turn);

    t->place = LEG_TLS_PLACE_TURN;
    t->means->events.news(t->means->events.context);
}

void leg_tls_lose_turn(struct handshake_turn *turn)
{
    struct leg_tls *t = CONTAINER_OF(turn, struct leg_tls, turn);

    t->refusal = LEG_REFUSAL_TURN;
    t->status = tls_engine_give_up(t->engine, "handshake_queue_full",
                                   "too many handshakes wait of clients that have cost much lately, as this one");
    t->means->events.news(t->means->events.context);
}

static void take_steps(struct leg_tls *t)
{
    while (leg_tls_is_ours(t) && t->status != TLS_FAILED && (tls_engine_wants(t->engine) & TLS_NEEDS_STEP) != 0) {
        if (tls_engine_may_block(t->engine))
            submit_step(t);
        else if (tls_engine_handshake_done(t->engine))
            t->status = tls_engine_step(t->engine);
        else if (!take_handshake_step(t))
            return;
    }
}

void leg_tls_advance(struct leg_tls *t, bool input_ended)
{
    take_steps(t);
    if (leg_tls_is_ours(t) && input_ended && !t->end_told && t->status != TLS_FAILED &&
        (tls_engine_wants(t->engine) & (TLS_NEEDS_STEP | TLS_HAS_PLAINTEXT)) == 0) {
        t->end_told = true;
        t->status = tls_engine_records_end(t->engine);
        take_steps(t);
    }
}
