/* see proxy/session/leg.h */
#include "proxy/session/leg.h"

#include "proxy/process/limits.h"
#include "proxy/service/memory_ceiling.h"
#include "proxy/session/plane.h"
#include "proxy/session/session.h"
#include "starttls/http/http_proxy.h"
#include <stdlib.h>

void leg_init(struct leg *leg, struct session *session, enum leg_side side)
{
    *leg = (struct leg){.session = session, .side = side};
    buffer_init(&leg->received, LIMIT_RECEIVED_MAX);
    buffer_init(&leg->to_send,
                memory_ceiling_to_send(session->service->config,
                                       side == LEG_CLIENT ? MEMORY_CEILING_CLIENT : MEMORY_CEILING_TARGET));
}

/* What is read in one go, or moved by the relay in one step, fits where it is kept. Should a sum go wrong nevertheless,
 * it is an error of the one connection (UV_ENOBUFS), not the end of all. */
static_assert(LIMIT_RECEIVED_MAX >= LIMIT_RELAY_BLOCK && LIMIT_RECEIVED_MAX >= LIMIT_HELD_MAX &&
                  LIMIT_TO_SEND_MAX >= LIMIT_RELAY_BLOCK,
              "a leg's buffers hold a block");

/* Whether the engine may be touched here and now. */
static bool engine_is_ours(const struct leg *leg)
{
    return leg->engine != NULL && !leg->on_pool;
}

/* ---- news from the transport ---- */

static uv_buf_t on_lend(void *owner)
{
    struct leg *leg = owner;
    size_t size = 0;
    uint8_t *space = NULL;

    if (leg->discarding) {
        space = leg->session->plane->read_block;
        size = LIMIT_READ_BLOCK;
    } else if (leg->engine != NULL) {
        if (!leg->on_pool)
            space = tls_engine_records_reserve(leg->engine, &size);
        leg->lent = space;
    } else {
        size_t ceiling = session_is_relaying(leg->session) ? LIMIT_RECEIVED_MAX : LIMIT_HELD_MAX;

        space = leg->session->plane->read_block;
        size = leg->received.size >= ceiling ? 0 : ceiling - leg->received.size;
        if (size > LIMIT_READ_BLOCK)
            size = LIMIT_READ_BLOCK;
    }
    return uv_buf_init((char *)space, (unsigned)size);
}

static void keep_first_bytes(struct leg *leg, const uint8_t *bytes, size_t size)
{
    size_t room = sizeof(leg->first_bytes) - leg->first_byte_count;

    leg->heard = true;
    if (size > room)
        size = room;
    if (size != 0)
        memcpy(leg->first_bytes + leg->first_byte_count, bytes, size);
    leg->first_byte_count += size;
}

static void on_read(void *owner, ssize_t size)
{
    struct leg *leg = owner;

    if (size > 0 && leg->discarding) {
        leg->session->linger_bytes += (size_t)size;
    } else if (size > 0) {
        keep_first_bytes(leg, leg->engine != NULL ? leg->lent : leg->session->plane->read_block, (size_t)size);
        if (leg->engine != NULL)
            tls_engine_records_commit(leg->engine, (size_t)size);
        else
            leg->fresh = span_of(leg->session->plane->read_block, (size_t)size);
        session_note_activity(leg->session);
    } else if (size == UV_EOF) {
        leg->read_ended = true;
    } else {
        leg->read_error = (int)size;
    }
    session_step(leg->session);
}

static void on_writable(void *owner, int error)
{
    struct leg *leg = owner;

    if (error != 0)
        leg->write_error = error;
    else
        session_note_activity(leg->session);
    session_step(leg->session);
}

static const struct transport_events leg_events = {.lend = on_lend, .on_read = on_read, .on_writable = on_writable};

void leg_attach(struct leg *leg, struct transport *transport)
{
    assert(leg->transport == NULL);
    leg->transport = transport;
    transport_set_owner(transport, &leg_events, leg);
}

void leg_close(struct leg *leg, enum transport_close how)
{
    transport_close(&leg->transport, how);
    starttls_machine_destroy(&leg->machine);
    leg->fresh = span_of(NULL, 0);
    buffer_wipe(&leg->received);
    buffer_wipe(&leg->to_send);
    handshake_turns_leave(leg->session->plane->turns, &leg->turn);
    if (leg->on_pool)
        handshake_pool_abandon(leg->session->plane->pool, &leg->job);
    else
        tls_engine_destroy(&leg->engine);
}

void leg_clear(struct leg *leg)
{
    assert(leg->transport == NULL && !leg->on_pool);
    tls_engine_destroy(&leg->engine);
}

/* ---- the engine ---- */

void leg_start_tls(struct leg *leg, const struct tls_context *context, const char *name, const char *cache_key)
{
    assert(leg->engine == NULL && leg->received.size == 0 && leg->fresh.size == 0 && leg_is_flushed(leg));
    starttls_machine_destroy(&leg->machine);
    buffer_wipe(&leg->received);
    buffer_wipe(&leg->to_send);
    leg->first_byte_count = 0;
    leg->engine = tls_engine_create(context, name, cache_key);
    leg->engine_status = TLS_OK;
}

static void give_up_for_the_queue(struct leg *leg)
{
    leg->pool_refused = true;
    leg->engine_status = tls_engine_give_up(
        leg->engine, "handshake_queue_full",
        leg->job.put_behind ? "too many handshakes wait for the token, or for certificates to be verified, and this "
                              "client's have cost much lately"
                            : "too many handshakes wait for the token, or for certificates to be verified");
}

static void on_pool_done(struct handshake_job *job)
{
    struct leg *leg = CONTAINER_OF(job, struct leg, job);

    leg->on_pool = false;
    counter_subtract(leg->session->counters, COUNTER_handshake_queue_waiting, 1);
    counter_add(leg->session->counters, COUNTER_handshake_queue_behind_total, job->put_behind);
    if (!job->refused)
        leg->engine_status = job->status;
    else if (leg->transport != NULL)
        give_up_for_the_queue(leg);
    session_step(leg->session);
}

static void submit_step(struct leg *leg)
{
    const struct service *service = leg->session->service;
    bool verifies = tls_engine_may_verify(leg->engine);
    const struct peer_key nobody = {{0, 0}}; /* relaying much is no reason to wait for the next handshake */

    leg->job = (struct handshake_job){.engine = leg->engine,
                                      .group = verifies ? service->verify_group : service->pool_group,
                                      .peer = tls_engine_handshake_done(leg->engine) ? nobody : leg->session->peer_key,
                                      .begun = !verifies && leg->pool_begun,
                                      .on_done = on_pool_done};
    if (handshake_pool_submit(leg->session->plane->pool, &leg->job)) {
        leg->on_pool = true;
        leg->pool_begun = leg->pool_begun || !verifies;
        counter_add(leg->session->counters, COUNTER_handshake_queue_waiting, 1);
        leg_set_reading(leg, false);
        return;
    }
    give_up_for_the_queue(leg);
}

/* A step of a handshake, here and now, at the client's cost; of the target's too, since it is the client who had it
 * connected to (see proxy/session/handshake_pool.h). false: others come first. */
static bool take_handshake_step(struct leg *leg)
{
    struct plane *p = leg->session->plane;
    uint64_t start_us;

    if (leg->turn.waits)
        return false;
    if (!leg->has_turn && !handshake_turns_ask(p->turns, &leg->turn, leg->session->peer_key,
                                               leg->records_sent ? HANDSHAKE_TURN_BEGUN : HANDSHAKE_TURN_FRESH)) {
        counter_add(leg->session->counters, COUNTER_handshake_queue_behind_total, 1);
        plane_give_turns(p);
        return false;
    }
    leg->has_turn = false;
    start_us = plane_now_us();
    leg->engine_status = tls_engine_step(leg->engine);
    handshake_turns_charge(p->turns, leg->session->peer_key, plane_now_us() - start_us);
    return true;
}

bool leg_waits_for_turn(const struct leg *leg)
{
    return leg->turn.waits;
}

void leg_take_turn(struct handshake_turn *turn)
{
    struct leg *leg = CONTAINER_OF(turn, struct leg, turn);

    leg->has_turn = true;
    session_step(leg->session);
}

void leg_lose_turn(struct handshake_turn *turn)
{
    struct leg *leg = CONTAINER_OF(turn, struct leg, turn);

    leg->pool_refused = leg->turn_lost = true;
    leg->engine_status =
        tls_engine_give_up(leg->engine, "handshake_queue_full",
                           "too many handshakes wait of clients that have cost much lately, as this one");
    session_step(leg->session);
}

static void take_steps(struct leg *leg)
{
    while (engine_is_ours(leg) && leg->engine_status != TLS_FAILED &&
           (tls_engine_wants(leg->engine) & TLS_NEEDS_STEP) != 0) {
        if (tls_engine_may_block(leg->engine))
            submit_step(leg);
        else if (tls_engine_handshake_done(leg->engine))
            leg->engine_status = tls_engine_step(leg->engine);
        else if (!take_handshake_step(leg))
            return;
    }
}

static void step_engine(struct leg *leg)
{
    take_steps(leg);
    /* The end of the transport comes after all that was in it; what was held for more to come is judged then. */
    if (engine_is_ours(leg) && (leg->read_ended || leg->read_error != 0) && !leg->end_told &&
        leg->engine_status != TLS_FAILED &&
        (tls_engine_wants(leg->engine) & (TLS_NEEDS_STEP | TLS_HAS_PLAINTEXT)) == 0) {
        leg->end_told = true;
        leg->engine_status = tls_engine_records_end(leg->engine);
        take_steps(leg);
    }
}

bool leg_is_on_pool(const struct leg *leg)
{
    return leg->on_pool;
}

/* ---- sending ---- */

/* Plain text that waits goes into the engine as far as that takes it. */
static void feed_engine(struct leg *leg)
{
    while (leg->to_send.size > 0 && leg->engine_status != TLS_FAILED &&
           (tls_engine_wants(leg->engine) & TLS_WANTS_PLAINTEXT) != 0) {
        size_t consumed = 0;
        enum tls_status status = tls_engine_put_plaintext(leg->engine, buffer_span(&leg->to_send), &consumed);

        if (status == TLS_FAILED)
            leg->engine_status = status;
        buffer_consume(&leg->to_send, consumed);
        if (consumed == 0)
            break;
    }
}

/* Bytes for the transport, from the engine or, without TLS, from to_send. */
static struct span bytes_down(struct leg *leg)
{
    if (leg->engine == NULL)
        return buffer_span(&leg->to_send);
    feed_engine(leg);
    return tls_engine_records(leg->engine);
}

static void flush(struct leg *leg)
{
    while (leg->transport != NULL && leg->write_error == 0 && leg->end != LEG_END_DONE && !leg->on_pool &&
           !transport_is_blocked(leg->transport)) {
        struct span bytes = bytes_down(leg);
        ssize_t written;

        if (bytes.size == 0)
            return;
        written =
            transport_write(leg->transport, bytes, leg->end == LEG_END_SAID ? TRANSPORT_NEXT_FIN : TRANSPORT_NEXT_ANY);
        if (written < 0) {
            leg->write_error = (int)written;
        } else if (leg->engine != NULL) {
            leg->records_sent = true;
            tls_engine_records_consume(leg->engine, (size_t)written);
        } else {
            buffer_consume(&leg->to_send, (size_t)written);
        }
    }
}

bool leg_is_flushed(const struct leg *leg)
{
    if (leg->write_error != 0 || leg->transport == NULL || leg->end == LEG_END_DONE)
        return true; /* nothing that waits will ever go */
    if (leg->on_pool || leg->to_send.size > 0 || transport_is_blocked(leg->transport))
        return false;
    return leg->engine == NULL || (tls_engine_wants(leg->engine) & TLS_HAS_RECORDS) == 0;
}

/* close_notify after the last plain text, FIN after close_notify: each only when the one before it has gone. */
static void advance_end(struct leg *leg)
{
    if (leg->end == LEG_END_WANTED && leg_is_flushed(leg)) {
        if (leg->engine != NULL && leg->engine_status != TLS_FAILED && leg->write_error == 0) {
            tls_engine_close(leg->engine);
            leg->end = LEG_END_SAID;
            flush(leg);
        } else {
            leg->end = LEG_END_SAID;
        }
    }
    if (leg->end == LEG_END_SAID && leg_is_flushed(leg)) {
        leg->end = LEG_END_DONE;
        if (leg->transport != NULL && leg->write_error == 0)
            transport_shutdown(leg->transport);
    }
}

void leg_end(struct leg *leg)
{
    if (leg->end == LEG_END_OPEN)
        leg->end = LEG_END_WANTED;
    flush(leg);
    advance_end(leg);
}

/* The last word of a handshake of TLS 1.3, and of one that resumes TLS 1.2, is the client's Finished, and we have no
 * answer to it before the target has said something. A client without TCP_NODELAY keeps its first request until its
 * Finished is acknowledged, which the kernel would put off for 40 ms. (A session ticket would do as well, but costs a
 * record, a segment and a wake-up of the client; see tls_engine_send_ticket().) */
static void acknowledge_finished(struct leg *leg)
{
    if (leg->finished_seen || !engine_is_ours(leg) || !tls_engine_handshake_done(leg->engine))
        return;
    leg->finished_seen = true;
    if (leg->side == LEG_CLIENT && (tls_engine_wants(leg->engine) & TLS_HAS_RECORDS) == 0)
        transport_acknowledge(leg->transport);
}

void leg_advance(struct leg *leg)
{
    if (leg->transport == NULL)
        return;
    step_engine(leg);
    acknowledge_finished(leg);
    flush(leg);
    advance_end(leg);
}

void leg_alert(struct leg *leg)
{
    ssize_t written;

    if (leg->transport == NULL || !leg->on_pool || leg->records_sent || leg->write_error != 0)
        return;
    written = transport_write(leg->transport, tls_clear_alert(), TRANSPORT_NEXT_ANY);
    if (written < 0)
        leg->write_error = (int)written;
}

bool leg_can_take(const struct leg *leg)
{
    if (leg->transport == NULL || leg->write_error != 0 || leg->end != LEG_END_OPEN || leg->on_pool ||
        leg->to_send.size > 0 || transport_is_blocked(leg->transport))
        return false;
    return leg->engine == NULL ||
           (leg->engine_status != TLS_FAILED && (tls_engine_wants(leg->engine) & TLS_WANTS_PLAINTEXT) != 0);
}

void leg_send(struct leg *leg, struct span bytes)
{
    assert(leg->to_send.size == 0);
    if (leg->engine == NULL && leg->write_error == 0) {
        ssize_t written = transport_write(leg->transport, bytes, TRANSPORT_NEXT_ANY);

        if (written < 0)
            leg->write_error = (int)written;
        else
            bytes = span_skip(bytes, (size_t)written);
    }
    while (leg->engine != NULL && bytes.size > 0 && leg_can_take(leg)) {
        size_t consumed = 0;
        enum tls_status status = tls_engine_put_plaintext(leg->engine, bytes, &consumed);

        if (status == TLS_FAILED)
            leg->engine_status = status;
        bytes = span_skip(bytes, consumed);
        flush(leg);
        if (consumed == 0)
            break;
    }
    if (leg->write_error == 0 && !buffer_append(&leg->to_send, bytes))
        leg->write_error = UV_ENOBUFS;
}

size_t leg_say(struct leg *leg, struct span bytes)
{
    return buffer_append_some(&leg->to_send, bytes);
}

void leg_say_machine(struct leg *leg)
{
    starttls_output_consume(leg->machine, leg_say(leg, starttls_output(leg->machine)));
}

/* ---- receiving ---- */

void leg_set_reading(struct leg *leg, bool on)
{
    if (leg->transport == NULL)
        return;
    if (on && !leg->read_ended && leg->read_error == 0 && !leg->on_pool && leg->engine_status != TLS_FAILED &&
        (leg->engine == NULL || (tls_engine_wants(leg->engine) & TLS_WANTS_RECORDS) != 0))
        transport_read_start(leg->transport);
    else
        transport_read_stop(leg->transport);
}

/* Without TLS, what is left says how it ended. */
static enum leg_take plain_end(const struct leg *leg)
{
    if (leg->read_error != 0)
        return LEG_TAKE_FAILED;
    return leg->read_ended ? LEG_TAKE_ENDED : LEG_TAKE_OK;
}

/* Decrypt into `out`. */
static enum leg_take take_engine(struct leg *leg, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status;

    *taken = 0;
    if (!engine_is_ours(leg))
        return LEG_TAKE_OK;
    status = tls_engine_take_plaintext(leg->engine, out, size, taken);
    if (status == TLS_FAILED)
        leg->engine_status = status;
    if (*taken > 0 || !engine_is_ours(leg))
        return LEG_TAKE_OK;
    if (status == TLS_OK && (leg->read_ended || leg->read_error != 0))
        step_engine(leg); /* the transport's end can be told now that all is taken */
    switch (status == TLS_OK ? leg->engine_status : status) {
    case TLS_OK:
        return LEG_TAKE_OK;
    case TLS_CLOSED:
        return LEG_TAKE_ENDED;
    case TLS_FAILED:
        break;
    }
    return leg->end_told && leg->read_ended && leg->read_error == 0 ? LEG_TAKE_TRUNCATED : LEG_TAKE_FAILED;
}

enum leg_take leg_peek(struct leg *leg, struct span *bytes)
{
    enum leg_take result = LEG_TAKE_OK;

    leg_keep_fresh(leg);
    while (leg->engine != NULL && leg->received.size < LIMIT_HELD_MAX) {
        uint8_t *block = leg->session->plane->relay_block;
        size_t taken;

        result = take_engine(leg, block, LIMIT_HELD_MAX - leg->received.size, &taken);
        if (taken == 0)
            break;
        if (!buffer_append(&leg->received, span_of(block, taken)))
            leg->read_error = UV_ENOBUFS;
    }
    *bytes = buffer_span(&leg->received);
    if (bytes->size > 0)
        return LEG_TAKE_OK;
    return leg->engine == NULL ? plain_end(leg) : result;
}

void leg_consume(struct leg *leg, size_t size)
{
    buffer_consume(&leg->received, size);
}

enum leg_take leg_take(struct leg *leg, struct span *bytes)
{
    enum leg_take result;
    size_t taken;

    *bytes = buffer_span(&leg->received);
    if (bytes->size > 0)
        return LEG_TAKE_OK;
    if (leg->engine == NULL) {
        *bytes = leg->fresh;
        return bytes->size > 0 ? LEG_TAKE_OK : plain_end(leg);
    }
    result = take_engine(leg, leg->session->plane->relay_block, LIMIT_RELAY_BLOCK, &taken);
    *bytes = span_of(leg->session->plane->relay_block, taken);
    return result;
}

void leg_return(struct leg *leg, struct span unused)
{
    if (leg->received.size > 0)
        buffer_consume(&leg->received, leg->received.size - unused.size);
    else if (leg->engine == NULL)
        leg->fresh = unused;
    else if (!buffer_append(&leg->received, unused))
        leg->read_error = UV_ENOBUFS;
}

bool leg_has_left(const struct leg *leg)
{
    if (leg->read_error != 0 || leg->write_error != 0)
        return true;
    if (leg->engine == NULL)
        return leg->read_ended && leg->received.size == 0 && leg->fresh.size == 0;
    if (leg->on_pool || leg->received.size > 0 ||
        (leg->engine_status != TLS_FAILED &&
         (tls_engine_wants(leg->engine) & (TLS_NEEDS_STEP | TLS_HAS_PLAINTEXT)) != 0))
        return false;
    return leg->engine_status != TLS_OK;
}

void leg_discard_input(struct leg *leg)
{
    leg->discarding = true;
    if (leg->transport != NULL && !leg->read_ended && leg->read_error == 0)
        transport_read_start(leg->transport);
}

void leg_keep_fresh(struct leg *leg)
{
    if (leg->fresh.size > 0 && !buffer_append(&leg->received, leg->fresh))
        leg->read_error = UV_ENOBUFS;
    leg->fresh = span_of(NULL, 0);
}

void leg_send_ticket(struct leg *leg)
{
    if (!engine_is_ours(leg) || leg->end != LEG_END_OPEN)
        return;
    tls_engine_send_ticket(leg->engine);
    flush(leg);
}

void leg_trim(struct leg *leg)
{
    buffer_trim(&leg->received);
    buffer_trim(&leg->to_send);
    if (leg->transport != NULL)
        transport_trim(leg->transport);
    if (engine_is_ours(leg))
        tls_engine_trim(leg->engine);
}

size_t leg_memory(const struct leg *leg)
{
    size_t size = leg->received.capacity + leg->to_send.capacity + starttls_machine_memory(leg->machine);

    if (leg->transport != NULL)
        size += sizeof(*leg->transport) + (leg->transport->wire != NULL ? LIMIT_WIRE_BLOCK : 0);
    if (engine_is_ours(leg))
        size += tls_engine_memory(leg->engine);
    return size;
}

const char *leg_error_name(const struct leg *leg)
{
    if (leg->read_error != 0)
        return uv_err_name(leg->read_error); /* what the engine says then is only that its records ended */
    if (engine_is_ours(leg) && tls_engine_error_name(leg->engine)[0] != '\0')
        return tls_engine_error_name(leg->engine);
    return leg->write_error != 0 ? uv_err_name(leg->write_error) : "";
}

const char *leg_error(const struct leg *leg)
{
    if (leg->read_error != 0)
        return uv_strerror(leg->read_error);
    if (engine_is_ours(leg) && tls_engine_error(leg->engine)[0] != '\0')
        return tls_engine_error(leg->engine);
    return leg->write_error != 0 ? uv_strerror(leg->write_error) : "";
}
