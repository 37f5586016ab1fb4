/* see proxy/session/leg.h */
#include "proxy/session/leg.h"

#include "proxy/process/limits.h"
#include <stdlib.h>
#include <string.h>

void leg_init(struct leg *leg, const struct leg_means *means, enum leg_side side, size_t to_send_max)
{
    *leg = (struct leg){.means = means, .side = side, .held_max = LIMIT_HELD_MAX};
    leg_tls_init(&leg->tls, means);
    buffer_init(&leg->received, LIMIT_RECEIVED_MAX);
    buffer_init(&leg->to_send, to_send_max);
}

void leg_set_to_send_max(struct leg *leg, size_t bytes)
{
    assert(leg->to_send.size == 0);
    buffer_release(&leg->to_send);
    buffer_init(&leg->to_send, bytes);
}

/* What is read in one go, or moved by the relay in one step, fits where it is kept. Should a sum go wrong nevertheless,
 * it is an error of the one connection (UV_ENOBUFS), not the end of all. */
static_assert(LIMIT_RECEIVED_MAX >= LIMIT_RELAY_BLOCK && LIMIT_RECEIVED_MAX >= LIMIT_HELD_MAX &&
                  LIMIT_TO_SEND_MAX >= LIMIT_RELAY_BLOCK,
              "a leg's buffers hold a block");

/* ---- news from the transport ---- */

static uv_buf_t on_lend(void *owner)
{
    struct leg *leg = owner;
    const struct leg_blocks *blocks = leg->means->blocks;
    size_t size = 0;
    uint8_t *space = NULL;

    if (leg->discarding) {
        space = blocks->read;
        size = blocks->read_size;
    } else if (leg->tls.engine != NULL) {
        if (leg_tls_is_ours(&leg->tls))
            space = tls_engine_records_reserve(leg->tls.engine, &size);
        leg->lent = space;
    } else {
        space = blocks->read;
        size = leg->received.size >= leg->held_max ? 0 : leg->held_max - leg->received.size;
        if (size > blocks->read_size)
            size = blocks->read_size;
    }
    return uv_buf_init((char *)space, (unsigned)size);
}

/* The owner may free the leg: nothing may follow. */
static void tell_news(const struct leg *leg)
{
    leg->means->events.news(leg->means->events.context);
}

static void tell_moved(const struct leg *leg)
{
    leg->means->events.moved(leg->means->events.context);
}

static void keep_first_bytes(struct leg *leg, const uint8_t *bytes, size_t size)
{
    size_t room = sizeof(leg->first_bytes) - leg->first_byte_count;

    leg->state.heard = true;
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
        leg->discarded_bytes += (size_t)size;
    } else if (size > 0) {
        bool tls = leg->tls.engine != NULL;

        keep_first_bytes(leg, tls ? leg->lent : leg->means->blocks->read, (size_t)size);
        if (tls)
            tls_engine_records_commit(leg->tls.engine, (size_t)size);
        else
            leg->fresh = span_of(leg->means->blocks->read, (size_t)size);
        tell_moved(leg);
    } else if (size == UV_EOF) {
        leg->state.input_ended = true;
    } else {
        leg->state.input_error = (int)size;
    }
    tell_news(leg);
}

static void on_writable(void *owner, int error)
{
    struct leg *leg = owner;

    if (error != 0)
        leg->state.output_error = error;
    else
        tell_moved(leg);
    tell_news(leg);
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
    leg->fresh = span_of(NULL, 0);
    buffer_wipe(&leg->received);
    buffer_wipe(&leg->to_send);
    leg_tls_close(&leg->tls);
}

void leg_clear(struct leg *leg)
{
    assert(leg->transport == NULL);
    leg_tls_clear(&leg->tls);
}

/* ---- TLS ---- */

void leg_start_tls(struct leg *leg, const struct tls_context *context, const char *name, const char *cache_key)
{
    assert(leg->received.size == 0 && leg->fresh.size == 0 && leg_is_drained(leg));
    buffer_wipe(&leg->received);
    buffer_wipe(&leg->to_send);
    leg->first_byte_count = 0;
    leg_tls_start(&leg->tls, context, name, cache_key);
    leg->tls.fd = leg->side == LEG_CLIENT ? transport_fd(leg->transport) : -1;
}

static_assert((size_t)LIMIT_HELD_MAX <= (size_t)TLS_RECORDS_IN_MAX, "an engine has room for what was held before it");

void leg_start_direct_tls(struct leg *leg, const struct tls_context *context)
{
    size_t size, used = 0;
    uint8_t *bytes;

    leg_keep_fresh(leg);
    bytes = buffer_take(&leg->received, &size);
    leg_start_tls(leg, context, NULL, NULL);
    if (size != 0)
        keep_first_bytes(leg, bytes, size);
    while (used < size) {
        size_t room;
        uint8_t *space = tls_engine_records_reserve(leg->tls.engine, &room);

        assert(room != 0);
        if (room > size - used)
            room = size - used;
        memcpy(space, bytes + used, room);
        tls_engine_records_commit(leg->tls.engine, room);
        used += room;
    }
    free(bytes);
}

/* While the pool has the engine there is no room for records. */
static void step_tls(struct leg *leg)
{
    if (leg->tls.engine == NULL)
        return;
    leg_tls_advance(&leg->tls, leg->state.input_ended || leg->state.input_error != 0);
    if (!leg_tls_is_ours(&leg->tls))
        leg_set_reading(leg, false);
}

/* ---- sending ---- */

/* Plain text that waits goes into the engine as far as that takes it. */
static void feed_engine(struct leg *leg)
{
    while (leg->to_send.size > 0 && leg->tls.status != TLS_FAILED &&
           (tls_engine_wants(leg->tls.engine) & TLS_WANTS_PLAINTEXT) != 0) {
        size_t consumed = 0;
        enum tls_status status = tls_engine_put_plaintext(leg->tls.engine, buffer_span(&leg->to_send), &consumed);

        if (status == TLS_FAILED)
            leg->tls.status = status;
        buffer_consume(&leg->to_send, consumed);
        if (consumed == 0)
            break;
    }
}

/* Bytes for the transport, from the engine or, without TLS, from to_send. */
static struct span bytes_down(struct leg *leg)
{
    if (leg->tls.engine == NULL)
        return buffer_span(&leg->to_send);
    feed_engine(leg);
    return tls_engine_records(leg->tls.engine);
}

static void flush(struct leg *leg)
{
    while (leg->transport != NULL && leg->state.output_error == 0 && leg->state.end != LEG_END_DONE &&
           leg->tls.place != LEG_TLS_PLACE_ON_POOL && !transport_is_blocked(leg->transport)) {
        struct span bytes = bytes_down(leg);
        ssize_t written;

        if (bytes.size == 0)
            return;
        written = transport_write(leg->transport, bytes,
                                  leg->state.end == LEG_END_SAID ? TRANSPORT_NEXT_FIN : TRANSPORT_NEXT_ANY);
        if (written < 0) {
            leg->state.output_error = (int)written;
        } else if (leg->tls.engine != NULL) {
            leg->tls.records_sent = true;
            tls_engine_records_consume(leg->tls.engine, (size_t)written);
        } else {
            buffer_consume(&leg->to_send, (size_t)written);
        }
    }
}

bool leg_is_drained(const struct leg *leg)
{
    if (leg->state.output_error != 0 || leg->transport == NULL || leg->state.end == LEG_END_DONE)
        return true; /* nothing that waits will ever go */
    if (leg->tls.place == LEG_TLS_PLACE_ON_POOL || leg->to_send.size > 0 || transport_is_blocked(leg->transport))
        return false;
    return leg->tls.engine == NULL || (tls_engine_wants(leg->tls.engine) & TLS_HAS_RECORDS) == 0;
}

/* close_notify after the last plain text, FIN after close_notify: each only when the one before it has gone. */
static void advance_end(struct leg *leg)
{
    if (leg->state.end == LEG_END_WANTED && leg_is_drained(leg)) {
        if (leg->tls.engine != NULL && leg->tls.status != TLS_FAILED && leg->state.output_error == 0) {
            tls_engine_close(leg->tls.engine);
            leg->state.end = LEG_END_SAID;
            flush(leg);
        } else {
            leg->state.end = LEG_END_SAID;
        }
    }
    if (leg->state.end == LEG_END_SAID && leg_is_drained(leg)) {
        leg->state.end = LEG_END_DONE;
        if (leg->transport != NULL && leg->state.output_error == 0)
            transport_shutdown(leg->transport);
    }
}

void leg_end(struct leg *leg)
{
    if (leg->state.end == LEG_END_OPEN)
        leg->state.end = LEG_END_WANTED;
    flush(leg);
    advance_end(leg);
}

/* The last word of a handshake of TLS 1.3, and of one that resumes TLS 1.2, is the client's Finished, and we have no
 * answer to it before the target has said something. A client without TCP_NODELAY keeps its first request until its
 * Finished is acknowledged, which the kernel would put off for 40 ms. (A session ticket would do as well, but costs a
 * record, a segment and a wake-up of the client; see tls_engine_send_ticket().) */
static void acknowledge_finished(struct leg *leg)
{
    if (leg->finished_seen || !leg_tls_is_ours(&leg->tls) || !tls_engine_handshake_done(leg->tls.engine))
        return;
    leg->finished_seen = true;
    if (leg->side == LEG_CLIENT && (tls_engine_wants(leg->tls.engine) & TLS_HAS_RECORDS) == 0)
        transport_acknowledge(leg->transport);
}

void leg_advance(struct leg *leg)
{
    if (leg->transport == NULL)
        return;
    step_tls(leg);
    acknowledge_finished(leg);
    flush(leg);
    advance_end(leg);
}

void leg_alert(struct leg *leg)
{
    ssize_t written;

    if (leg->transport == NULL || leg->tls.place != LEG_TLS_PLACE_ON_POOL || leg->tls.records_sent ||
        leg->state.output_error != 0)
        return;
    written = transport_write(leg->transport, tls_clear_alert(), TRANSPORT_NEXT_ANY);
    if (written < 0)
        leg->state.output_error = (int)written;
}

bool leg_can_take(const struct leg *leg)
{
    if (leg->transport == NULL || leg->state.output_error != 0 || leg->state.end != LEG_END_OPEN ||
        leg->tls.place == LEG_TLS_PLACE_ON_POOL || leg->to_send.size > 0 || transport_is_blocked(leg->transport))
        return false;
    return leg->tls.engine == NULL ||
           (leg->tls.status != TLS_FAILED && (tls_engine_wants(leg->tls.engine) & TLS_WANTS_PLAINTEXT) != 0);
}

void leg_send(struct leg *leg, struct span bytes)
{
    assert(leg->to_send.size == 0);
    if (leg->tls.engine == NULL && leg->state.output_error == 0) {
        ssize_t written = transport_write(leg->transport, bytes, TRANSPORT_NEXT_ANY);

        if (written < 0)
            leg->state.output_error = (int)written;
        else
            bytes = span_skip(bytes, (size_t)written);
    }
    while (leg->tls.engine != NULL && bytes.size > 0 && leg_can_take(leg)) {
        size_t consumed = 0;
        enum tls_status status = tls_engine_put_plaintext(leg->tls.engine, bytes, &consumed);

        if (status == TLS_FAILED)
            leg->tls.status = status;
        bytes = span_skip(bytes, consumed);
        flush(leg);
        if (consumed == 0)
            break;
    }
    if (leg->state.output_error == 0 && !buffer_append(&leg->to_send, bytes))
        leg->state.output_error = UV_ENOBUFS;
}

size_t leg_say(struct leg *leg, struct span bytes)
{
    return buffer_append_some(&leg->to_send, bytes);
}

struct buffer *leg_outgoing(struct leg *leg)
{
    return &leg->to_send;
}

/* ---- receiving ---- */

void leg_set_reading(struct leg *leg, bool on)
{
    if (leg->transport == NULL)
        return;
    if (on && !leg->state.input_ended && leg->state.input_error == 0 && leg->tls.place != LEG_TLS_PLACE_ON_POOL &&
        leg->tls.status != TLS_FAILED &&
        (leg->tls.engine == NULL || (tls_engine_wants(leg->tls.engine) & TLS_WANTS_RECORDS) != 0))
        transport_read_start(leg->transport);
    else
        transport_read_stop(leg->transport);
}

/* Without TLS, what is left says how it ended. */
static enum leg_take plain_end(const struct leg *leg)
{
    if (leg->state.input_error != 0)
        return LEG_TAKE_FAILED;
    return leg->state.input_ended ? LEG_TAKE_ENDED : LEG_TAKE_OK;
}

/* Decrypt into `out`. */
static enum leg_take take_engine(struct leg *leg, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status;

    *taken = 0;
    if (!leg_tls_is_ours(&leg->tls))
        return LEG_TAKE_OK;
    status = tls_engine_take_plaintext(leg->tls.engine, out, size, taken);
    if (status == TLS_FAILED)
        leg->tls.status = status;
    if (*taken > 0 || !leg_tls_is_ours(&leg->tls))
        return LEG_TAKE_OK;
    if (status == TLS_OK && (leg->state.input_ended || leg->state.input_error != 0))
        step_tls(leg); /* the transport's end can be told now that all is taken */
    switch (status == TLS_OK ? leg->tls.status : status) {
    case TLS_OK:
        return LEG_TAKE_OK;
    case TLS_CLOSED:
        return LEG_TAKE_ENDED;
    case TLS_FAILED:
        break;
    }
    return leg->tls.end_told && leg->state.input_ended && leg->state.input_error == 0 ? LEG_TAKE_TRUNCATED
                                                                                      : LEG_TAKE_FAILED;
}

enum leg_take leg_peek(struct leg *leg, struct span *bytes)
{
    const struct leg_blocks *blocks = leg->means->blocks;
    enum leg_take result = LEG_TAKE_OK;

    leg_keep_fresh(leg);
    while (leg->tls.engine != NULL && leg->received.size < LIMIT_HELD_MAX) {
        uint8_t *block = blocks->relay;
        size_t room = LIMIT_HELD_MAX - leg->received.size, taken;

        result = take_engine(leg, block, room < blocks->relay_size ? room : blocks->relay_size, &taken);
        if (taken == 0)
            break;
        if (!buffer_append(&leg->received, span_of(block, taken)))
            leg->state.input_error = UV_ENOBUFS;
    }
    *bytes = buffer_span(&leg->received);
    if (bytes->size > 0)
        return LEG_TAKE_OK;
    return leg->tls.engine == NULL ? plain_end(leg) : result;
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
    if (leg->tls.engine == NULL) {
        *bytes = leg->fresh;
        return bytes->size > 0 ? LEG_TAKE_OK : plain_end(leg);
    }
    result = take_engine(leg, leg->means->blocks->relay, leg->means->blocks->relay_size, &taken);
    *bytes = span_of(leg->means->blocks->relay, taken);
    return result;
}

void leg_return(struct leg *leg, struct span unused)
{
    if (leg->received.size > 0)
        buffer_consume(&leg->received, leg->received.size - unused.size);
    else if (leg->tls.engine == NULL)
        leg->fresh = unused;
    else if (!buffer_append(&leg->received, unused))
        leg->state.input_error = UV_ENOBUFS;
}

void leg_peer_begins(struct leg *leg)
{
    struct span begins;

    leg_keep_fresh(leg);
    begins = buffer_span(&leg->received);
    leg->state.heard = false;
    leg->first_byte_count = 0;
    if (begins.size != 0)
        keep_first_bytes(leg, begins.data, begins.size);
}

bool leg_has_left(const struct leg *leg)
{
    if (leg->state.input_error != 0 || leg->state.output_error != 0)
        return true;
    if (leg->tls.engine == NULL)
        return leg->state.input_ended && leg->received.size == 0 && leg->fresh.size == 0;
    if (leg->tls.place == LEG_TLS_PLACE_ON_POOL || leg->received.size > 0 ||
        (leg->tls.status != TLS_FAILED &&
         (tls_engine_wants(leg->tls.engine) & (TLS_NEEDS_STEP | TLS_HAS_PLAINTEXT)) != 0))
        return false;
    return leg->tls.status != TLS_OK;
}

bool leg_look_for_end(struct leg *leg)
{
    enum transport_peer peer = TRANSPORT_PEER_THERE;

    if (leg->transport != NULL && leg->state.input_error == 0)
        peer = transport_look(leg->transport);
    if (peer == TRANSPORT_PEER_GONE)
        leg->state.input_error = UV_ECONNRESET;
    return leg->state.input_ended || peer == TRANSPORT_PEER_ENDED;
}

bool leg_discard_input(struct leg *leg)
{
    if (leg->state.input_ended || leg->discarded_bytes > LIMIT_LINGER_BYTES)
        return true;
    leg->discarding = true;
    if (leg->transport != NULL && leg->state.input_error == 0)
        transport_read_start(leg->transport);
    return false;
}

void leg_set_held_max(struct leg *leg, size_t bytes)
{
    assert(bytes <= leg->received.size_max);
    leg->held_max = bytes;
}

void leg_keep_fresh(struct leg *leg)
{
    if (leg->fresh.size > 0 && !buffer_append(&leg->received, leg->fresh))
        leg->state.input_error = UV_ENOBUFS;
    leg->fresh = span_of(NULL, 0);
}

void leg_send_ticket(struct leg *leg)
{
    if (!leg_tls_is_ours(&leg->tls) || leg->state.end != LEG_END_OPEN)
        return;
    tls_engine_send_ticket(leg->tls.engine);
    flush(leg);
}

void leg_trim(struct leg *leg)
{
    buffer_trim(&leg->received);
    buffer_trim(&leg->to_send);
    if (leg->transport != NULL)
        transport_trim(leg->transport);
    if (leg_tls_is_ours(&leg->tls))
        tls_engine_trim(leg->tls.engine);
}

size_t leg_memory(const struct leg *leg)
{
    size_t size = leg->received.capacity + leg->to_send.capacity;

    if (leg->transport != NULL)
        size += transport_memory(leg->transport);
    if (leg_tls_is_ours(&leg->tls))
        size += tls_engine_memory(leg->tls.engine);
    return size;
}

const char *leg_error_name(const struct leg *leg)
{
    if (leg->state.input_error != 0)
        return uv_err_name(leg->state.input_error); /* what the engine says then is only that its records ended */
    if (leg_tls_is_ours(&leg->tls) && tls_engine_error_name(leg->tls.engine)[0] != '\0')
        return tls_engine_error_name(leg->tls.engine);
    return leg->state.output_error != 0 ? uv_err_name(leg->state.output_error) : "";
}

const char *leg_error(const struct leg *leg)
{
    if (leg->state.input_error != 0)
        return uv_strerror(leg->state.input_error);
    if (leg_tls_is_ours(&leg->tls) && tls_engine_error(leg->tls.engine)[0] != '\0')
        return tls_engine_error(leg->tls.engine);
    return leg->state.output_error != 0 ? uv_strerror(leg->state.output_error) : "";
}
