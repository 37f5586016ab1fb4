/* see tls/engine.h
 *
 *     put_records ----> transport.in ----> layer ----> take_plaintext
 *     take_records <--- transport.out <--- layer <---- put_plaintext
 *
 * The handshake, in steps, is NSS's (handshake.c); afterwards the layer is NSS's or our own (layer.h). */
#include "tls/handshake_internal.h"
#include "tls/sessions.h"
#include "tls/established.h"

#include "base/slab.h"
#include <stdlib.h>

static struct slab engines = SLAB_OF(struct tls_engine), handshakes = SLAB_OF(struct tls_handshake);

struct tls_engine *tls_engine_create(const struct tls_context *context, const char *name, const char *cache_key)
{
    struct tls_engine *e = slab_alloc(&engines);

    assert(context->role == TLS_ROLE_CLIENT || (name == NULL && cache_key == NULL));
    e->context = context;
    e->layer = &tls_layer_nss;
    e->hs = slab_alloc(&handshakes);
    tls_flight_init(&e->hs->flight);
    e->transport.gated = true;
    e->name = name == NULL ? NULL : slab_strdup(name);
    e->cache_key = cache_key == NULL ? NULL : slab_strdup(cache_key);
    buffer_init(&e->transport.in, TLS_RECORDS_IN_MAX + TLS_HELLO_KEPT_MAX);
    buffer_init(&e->transport.out, TLS_RECORDS_OUT_MAX);
    buffer_init(&e->transport.kept, TLS_HELLO_KEPT_MAX);
    buffer_init(&e->plaintext, TLS_PLAINTEXT_MAX);
    buffer_init(&e->chain, TLS_CLIENT_SESSION_BYTES_MAX);
    e->transport.peer_address = context->cache_address;
    e->report.error_name = "";
    e->report.alert_sent = -1;
    e->report.alert_received = -1;
    return e;
}

static void handshake_state_free(struct tls_engine *e)
{
    if (e->hs == NULL)
        return;
    tls_flight_clear(&e->hs->flight);
    slab_free(&handshakes, e->hs);
    e->hs = NULL;
    e->transport.gated = false;
    if (e->transport.in.size <= TLS_RECORDS_IN_MAX + TLS_HELLO_KEPT_MAX)
        e->transport.in.size_max = TLS_RECORDS_IN_MAX + TLS_HELLO_KEPT_MAX;
    if (e->context->role == TLS_ROLE_SERVER)
        buffer_release(&e->chain);
}

static_assert(sizeof(struct tls_engine) + sizeof(struct tls_handshake) + 1024 <= TLS_ENGINE_STRUCTS_BYTES,
              "with own records'");

/* see tls/engine_internal.h */
void tls_engine_enter(struct tls_engine *e, enum tls_phase phase)
{
    static const unsigned char from[TLS_PHASE_COUNT] = {
        [TLS_PHASE_HELLO] = 1 << TLS_PHASE_START,
        [TLS_PHASE_ANSWERED] = 1 << TLS_PHASE_HELLO,
        [TLS_PHASE_OPEN] = 1 << TLS_PHASE_HELLO | 1 << TLS_PHASE_ANSWERED,
        [TLS_PHASE_REFUSED] = 1 << TLS_PHASE_START | 1 << TLS_PHASE_HELLO | 1 << TLS_PHASE_ANSWERED,
        [TLS_PHASE_BROKEN] = 1 << TLS_PHASE_OPEN,
    };

    assert((from[phase] & 1 << e->phase) != 0);
    e->phase = phase;
    if (phase >= TLS_PHASE_OPEN)
        handshake_state_free(e);
    if (tls_engine_has_failed(e))
        tls_handshake_drop_socket(e);
}

void tls_engine_destroy(struct tls_engine **engine)
{
    struct tls_engine *e = *engine;

    if (e == NULL)
        return;
    *engine = NULL;
    tls_handshake_drop_socket(e);
    tls_established_end(e);
    handshake_state_free(e);
    if (e->offered != NULL)
        tls_session_clear(e->offered);
    free(e->offered);
    buffer_release(&e->transport.in);
    buffer_release(&e->transport.out);
    buffer_release(&e->transport.kept);
    buffer_wipe(&e->plaintext);
    buffer_release(&e->chain);
    slab_strfree(e->name);
    slab_strfree(e->cache_key);
    free(e->report.stopped_path);
    free(e->report.warning);
    free(e->report.issuers);
    free(e->report.policies);
    free(e->report.ev_policy);
    free(e->report.error);
    free(e->identity_choice);
    slab_strfree(e->server_name);
    slab_strfree(e->alpn);
    free(e->peer_cert);
    slab_free(&engines, e);
}

/* Where reading established data may sign, the engine decrypts in its steps, which run on the pool, into a buffer of
 * its own. */
static bool reads_in_steps(const struct tls_engine *e)
{
    return e->layer->may_sign && e->context->role == TLS_ROLE_CLIENT && e->context->may_block &&
           e->version == TLS_VERSION_12;
}

bool tls_engine_may_verify(const struct tls_engine *e)
{
    return e->hs != NULL && !e->hs->peer_judged && e->hs->give_up_name == NULL && e->transport.in.size != 0 &&
           e->context->calls->can_be_judged(e);
}

/* A server that has not answered a ClientHello and holds none of it has nothing to sign. */
static bool waits_for_hello(const struct tls_engine *e)
{
    return e->context->role == TLS_ROLE_SERVER && e->phase < TLS_PHASE_ANSWERED && e->transport.in.size == 0;
}

bool tls_engine_may_block(const struct tls_engine *e)
{
    if (tls_engine_has_failed(e))
        return false;
    if (e->phase == TLS_PHASE_OPEN)
        return reads_in_steps(e);
    if (e->hs->give_up_name != NULL)
        return false;
    if (e->hs->must_wait)
        return true;
    return (e->context->may_block && !waits_for_hello(e)) || tls_engine_may_verify(e);
}

/* What is held back of a handshake may be more than is ever held of data. */
static size_t records_in_max(const struct tls_engine *e)
{
    return e->hs != NULL && e->hs->flight.holding ? TLS_FLIGHT_MAX : TLS_RECORDS_IN_MAX;
}

static bool takes_records(const struct tls_engine *e)
{
    return !tls_engine_has_failed(e) && !e->transport.ended && !e->peer_closed && !e->flood.seen &&
           e->transport.in.size < records_in_max(e) &&
           e->transport.out.size < TLS_RECORDS_OUT_MAX - TLS_RECORDS_OUT_SPARE / 2;
}

static size_t plaintext_room(const struct tls_engine *e)
{
    size_t ceiling = TLS_RECORDS_OUT_MAX - TLS_RECORDS_OUT_SPARE;
    size_t held = e->transport.out.size + TLS_RECORD_OVERHEAD_MAX;

    return held >= ceiling ? 0 : ceiling - held;
}

static bool takes_plaintext(const struct tls_engine *e)
{
    return e->phase == TLS_PHASE_OPEN && !e->closing && plaintext_room(e) >= TLS_RECORD_PLAINTEXT_MAX;
}

static bool has_plaintext(const struct tls_engine *e)
{
    if (e->phase != TLS_PHASE_OPEN || e->closed_told)
        return false;
    return reads_in_steps(e) ? e->plaintext.size != 0 || e->peer_closed : !e->dry;
}

static bool needs_step(const struct tls_engine *e)
{
    if (tls_engine_has_failed(e))
        return !e->failure_told;
    if (!tls_engine_was_open(e))
        return !e->stepped;
    return reads_in_steps(e) && !e->dry && !e->peer_closed && e->plaintext.size < TLS_PLAINTEXT_MAX;
}

unsigned tls_engine_wants(const struct tls_engine *e)
{
    unsigned wants = 0;

    if (takes_records(e))
        wants |= TLS_WANTS_RECORDS;
    if (e->transport.out.size != 0)
        wants |= TLS_HAS_RECORDS;
    if (takes_plaintext(e))
        wants |= TLS_WANTS_PLAINTEXT;
    if (has_plaintext(e))
        wants |= TLS_HAS_PLAINTEXT;
    if (needs_step(e))
        wants |= TLS_NEEDS_STEP;
    return wants;
}

static enum tls_status tell_failure(struct tls_engine *e)
{
    e->failure_told = true;
    return TLS_FAILED;
}

/* No more is read: close_notify was seen, or the transport ended without one. */
static enum tls_status on_read_end(struct tls_engine *e)
{
    if (e->report.alert_received == TLS_ALERT_CLOSE_NOTIFY) {
        e->peer_closed = true;
        buffer_release(&e->transport.in);
        return TLS_CLOSED;
    }
    return tls_engine_fail(e, "truncated",
                           base_strdup("the peer's connection ended without close_notify: data may be missing"));
}

/* Before the socket is used. False: another handshake has ended it (peer_certs.h), and with it the engine. */
static bool enter_socket(struct tls_engine *e)
{
    if (e->certs == NULL || tls_peer_certs_enter(e->certs))
        return true;
    e->fd = NULL;
    e->transport.silent = false;
    tls_peer_certs_drop(&e->certs);
    if (e->own != NULL)
        return true; /* it waited for session tickets, and does without */
    (void)tls_engine_fail(
        e, "ended_for_another",
        base_strdup("another peer's certificate has the issuer and serial number of one that this peer "
                    "has sent, and this one had its time"));
    return false;
}

static void leave_socket(struct tls_engine *e)
{
    if (e->certs != NULL)
        tls_peer_certs_leave(e->certs);
}

static void end_socket(void *arg)
{
    struct tls_engine *e = arg;

    e->transport.silent = true;
    (void)PR_Close(e->fd);
}

/* see tls/engine_internal.h */
void tls_engine_hold_certs(struct tls_engine *e)
{
    if (e->certs == NULL)
        e->certs = tls_peer_certs_create(end_socket, e);
}

static enum tls_status decrypt(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status;

    if (!enter_socket(e))
        return TLS_FAILED;
    status = e->layer->decrypt(e, out, size, taken);
    leave_socket(e);
    if (status == TLS_CLOSED || (status == TLS_OK && e->dry && e->transport.ended && *taken == 0))
        return on_read_end(e);
    return status;
}

static enum tls_status read_in_step(struct tls_engine *e)
{
    enum tls_status status = TLS_OK;

    while (needs_step(e) && status == TLS_OK) {
        size_t size, taken = 0;
        uint8_t *space = buffer_reserve(&e->plaintext, TLS_PLAINTEXT_MAX - e->plaintext.size, &size);

        status = decrypt(e, space, size, &taken);
        buffer_commit(&e->plaintext, taken);
    }
    return status == TLS_FAILED ? TLS_FAILED : TLS_OK;
}

enum tls_status tls_engine_step(struct tls_engine *e)
{
    enum tls_status status;

    if (tls_engine_has_failed(e))
        return tell_failure(e);
    if (tls_engine_was_open(e))
        return reads_in_steps(e) ? read_in_step(e) : TLS_OK;
    e->stepped = true;
    e->hs->may_wait = tls_engine_may_block(e);
    if (!enter_socket(e))
        return TLS_FAILED;
    status = tls_handshake_step(e);
    leave_socket(e);
    return status;
}

enum tls_status tls_engine_give_up(struct tls_engine *e, const char *name, const char *sentence)
{
    assert(!tls_engine_was_open(e));
    if (tls_engine_has_failed(e))
        return tell_failure(e);
    e->hs->give_up_name = name;
    e->hs->give_up_sentence = sentence;
    return e->context->calls->give_up(e);
}

uint8_t *tls_engine_records_reserve(struct tls_engine *e, size_t *size)
{
    uint8_t *space;
    size_t room;

    *size = 0;
    if (!takes_records(e))
        return NULL;
    room = records_in_max(e) - e->transport.in.size;
    if (e->hs != NULL && e->hs->flight.holding)
        e->transport.in.size_max = TLS_ENGINE_IN_MAX;
    space = buffer_reserve(&e->transport.in, room < TLS_RECORDS_IN_MAX ? room : TLS_RECORDS_IN_MAX, size);
    if (*size > room)
        *size = room;
    return space;
}

void tls_engine_records_commit(struct tls_engine *e, size_t size)
{
    struct buffer *in = &e->transport.in;

    if (size == 0)
        return;
    buffer_commit(in, size);
    e->stepped = false;
    e->dry = false;
}

enum tls_status tls_engine_records_end(struct tls_engine *e)
{
    if (tls_engine_has_failed(e))
        return tell_failure(e);
    e->transport.ended = true;
    e->stepped = false;
    if (!tls_engine_was_open(e)) /* what is held may be an alert, or all that is missing: a step will see */
        return e->transport.in.size == 0 ? tls_handshake_closed(e) : TLS_OK;
    if (e->peer_closed)
        return e->plaintext.size == 0 ? TLS_CLOSED : TLS_OK;
    if (!e->dry || reads_in_steps(e)) {
        e->dry = false; /* what is held may end in close_notify: the reader will see */
        return TLS_OK;
    }
    return on_read_end(e);
}

struct span tls_engine_records(const struct tls_engine *e)
{
    return buffer_span(&e->transport.out);
}

void tls_engine_records_consume(struct tls_engine *e, size_t size)
{
    /* NSS may have had more to write than there was room for, and waits to be called again. */
    if (size != 0 && buffer_room(&e->transport.out) == 0) {
        e->stepped = false;
        e->dry = false;
    }
    buffer_consume(&e->transport.out, size);
}

enum tls_status tls_engine_put_plaintext(struct tls_engine *e, struct span plaintext, size_t *consumed)
{
    enum tls_status status = TLS_OK;

    *consumed = 0;
    if (tls_engine_has_failed(e))
        return tell_failure(e);
    if (plaintext.size != 0 && takes_plaintext(e))
        tls_engine_send_ticket(e);
    if (!enter_socket(e))
        return TLS_FAILED;
    while (status == TLS_OK && takes_plaintext(e) && *consumed < plaintext.size) {
        size_t part = 0;

        status = e->layer->encrypt(e, span_skip(plaintext, *consumed), &part);
        if (part == 0)
            break;
        *consumed += part;
    }
    leave_socket(e);
    return status;
}

enum tls_status tls_engine_take_plaintext(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status = TLS_OK;

    *taken = 0;
    if (tls_engine_has_failed(e))
        return tell_failure(e);
    if (!tls_engine_was_open(e) || size == 0)
        return TLS_OK;
    if (reads_in_steps(e)) {
        struct span held = buffer_span(&e->plaintext);

        *taken = held.size < size ? held.size : size;
        if (*taken != 0)
            memcpy(out, held.data, *taken);
        buffer_consume(&e->plaintext, *taken);
    } else if (!e->peer_closed) {
        status = decrypt(e, out, size, taken);
    }
    if (*taken != 0) {
        e->failure_told = e->failure_told && !tls_engine_has_failed(e); /* the data first, then what came after it */
        return TLS_OK;
    }
    if (status == TLS_FAILED)
        return TLS_FAILED;
    if (e->peer_closed) {
        e->closed_told = true;
        return TLS_CLOSED;
    }
    return TLS_OK;
}

void tls_engine_send_ticket(struct tls_engine *e)
{
    if (!e->ticket_owed || e->phase != TLS_PHASE_OPEN || e->closing || !enter_socket(e))
        return;
    tls_server_ticket_send(e);
    leave_socket(e);
}

void tls_engine_close(struct tls_engine *e)
{
    if (e->closing || tls_engine_has_failed(e))
        return;
    tls_engine_send_ticket(e);
    e->closing = true;
    if (e->phase != TLS_PHASE_OPEN)
        return;
    if (enter_socket(e)) {
        e->layer->close(e);
        leave_socket(e);
    } else {
        e->failure_told = false;
    }
}

void tls_engine_trim(struct tls_engine *e)
{
    if (e->phase == TLS_PHASE_OPEN && enter_socket(e)) {
        e->layer->trim(e);
        leave_socket(e);
    }
    buffer_trim(&e->transport.in);
    buffer_trim(&e->transport.out);
    if (e->plaintext.size == 0)
        buffer_wipe(&e->plaintext);
}

bool tls_engine_handshake_done(const struct tls_engine *e)
{
    return tls_engine_was_open(e);
}

const char *tls_engine_error_name(const struct tls_engine *e)
{
    return e->report.error_name;
}

const char *tls_engine_error(const struct tls_engine *e)
{
    return e->report.error == NULL ? "" : e->report.error;
}

bool tls_engine_key_failed(const struct tls_engine *e)
{
    return e->report.key_failed;
}

int tls_engine_alert_sent(const struct tls_engine *e)
{
    return e->report.alert_sent;
}

struct tls_verification tls_engine_verification(const struct tls_engine *e)
{
    return (struct tls_verification){.stopped_path = e->report.stopped_path == NULL ? "" : e->report.stopped_path,
                                     .warning = e->report.warning == NULL ? "" : e->report.warning,
                                     .signature_checks = e->report.signature_checks,
                                     .time_us = e->report.verification_us};
}

int tls_engine_alert_received(const struct tls_engine *e)
{
    return e->report.alert_received;
}

struct tls_session_info tls_engine_session(const struct tls_engine *e)
{
    struct tls_session_info info = e->info;

    info.version = info.version == NULL ? "" : info.version;
    info.cipher = info.cipher == NULL ? "" : info.cipher;
    info.group = info.group == NULL ? "" : info.group;
    info.alpn = e->alpn == NULL ? "" : e->alpn;
    info.server_name = e->server_name == NULL ? "" : e->server_name;
    info.peer_stapled = e->peer_stapled;
    info.socket_released = e->own != NULL && e->fd == NULL;
    info.peer_cert = span_of(e->peer_cert, e->peer_cert_size);
    info.peer_issuers = e->report.issuers == NULL ? "" : e->report.issuers;
    info.peer_policies = e->report.policies == NULL ? "" : e->report.policies;
    info.peer_ev_policy = e->report.ev_policy == NULL ? "" : e->report.ev_policy;
    info.identity = e->identity;
    info.identity_choice = e->identity_choice == NULL ? "" : e->identity_choice;
    return info;
}

size_t tls_engine_memory(const struct tls_engine *e)
{
    return sizeof(*e) + (e->hs == NULL ? 0 : sizeof(*e->hs)) + tls_established_memory(e) + e->transport.in.capacity +
           e->transport.out.capacity + e->transport.kept.capacity + e->plaintext.capacity + e->chain.capacity +
           e->peer_cert_size;
}
