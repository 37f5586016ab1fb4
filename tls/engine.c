/* see tls/engine.h
 *
 *     put_records ----> transport.in ----> NSS ----> take_plaintext
 *     take_records <--- transport.out <--- NSS <---- put_plaintext
 *
 * NSS pulls from `in` and pushes to `out` through the layer of nspr_layer.c, whenever one of its functions is called:
 * SSL_ForceHandshake() in a step, PR_Read() in take_plaintext(), PR_Write() in put_plaintext(). Plaintext is put only
 * when `out` has room for the whole record, so that PR_Write() never ends half way. */
#include "tls/engine_internal.h"
#include "tls/established.h"

#include "base/slab.h"
#include <prerror.h>
#include <sslerr.h>
#include <stdlib.h>

static struct slab engines = SLAB_OF(struct tls_engine);

struct tls_engine *tls_engine_create(const struct tls_context *context, const char *name, const char *cache_key)
{
    struct tls_engine *e = slab_alloc(&engines);

    assert(context->role == TLS_ROLE_CLIENT || (name == NULL && cache_key == NULL));
    e->context = context;
    e->name = name == NULL ? NULL : slab_strdup(name);
    e->cache_key = cache_key == NULL ? NULL : slab_strdup(cache_key);
    buffer_init(&e->transport.in, TLS_RECORDS_IN_MAX + TLS_HELLO_KEPT_MAX);
    buffer_init(&e->transport.out, TLS_RECORDS_OUT_MAX);
    buffer_init(&e->transport.kept, TLS_HELLO_KEPT_MAX);
    buffer_init(&e->plaintext, TLS_PLAINTEXT_MAX);
    buffer_init(&e->chain, TLS_CLIENT_SESSION_BYTES_MAX);
    e->transport.peer_address = context->cache_address;
    e->error_name = "";
    e->alert_sent = -1;
    e->alert_received = -1;
    return e;
}

void tls_engine_destroy(struct tls_engine **engine)
{
    struct tls_engine *e = *engine;

    if (e == NULL)
        return;
    *engine = NULL;
    tls_handshake_drop(e);
    tls_established_end(e);
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
    free(e->stopped_path);
    free(e->ev_policy);
    free(e->error);
    slab_strfree(e->server_name);
    slab_strfree(e->alpn);
    free(e->peer_cert);
    slab_free(&engines, e);
}

/* Whether reading established data may sign: a TLS 1.2 server may renegotiate to ask for a certificate that is on a
 * token. Such an engine decrypts in its steps, which run on the pool, into a buffer of its own. */
static bool reads_in_steps(const struct tls_engine *e)
{
    return e->context->role == TLS_ROLE_CLIENT && e->context->may_block && e->version == TLS_VERSION_12;
}

/* Only the step that reads the peer's certificate: a client's first step has nothing to read, and a server is not shown a
 * certificate in the step that reads the ClientHello. */
bool tls_engine_may_verify(const struct tls_engine *e)
{
    const struct tls_context *c = e->context;

    if (e->failed || e->handshake_done || e->peer_judged || e->give_up_name != NULL || e->transport.in.size == 0)
        return false;
    return c->role == TLS_ROLE_CLIENT ? !c->insecure_no_verify : c->peer != TLS_PEER_NONE && e->hello_checked;
}

/* A server that has not answered a ClientHello and holds none of it has nothing to sign. */
static bool waits_for_hello(const struct tls_engine *e)
{
    return e->context->role == TLS_ROLE_SERVER && !e->hello_checked && e->transport.in.size == 0;
}

bool tls_engine_may_block(const struct tls_engine *e)
{
    if (e->failed || e->give_up_name != NULL)
        return false;
    if (e->handshake_done)
        return reads_in_steps(e);
    return (e->context->may_block && !waits_for_hello(e)) || tls_engine_may_verify(e);
}

static bool takes_records(const struct tls_engine *e)
{
    return !e->failed && !e->transport.ended && !e->peer_closed && !e->flooded &&
           e->transport.in.size < TLS_RECORDS_IN_MAX &&
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
    return e->handshake_done && !e->failed && !e->closing && plaintext_room(e) >= TLS_RECORD_PLAINTEXT_MAX;
}

static bool has_plaintext(const struct tls_engine *e)
{
    if (!e->handshake_done || e->failed || e->closed_told)
        return false;
    return reads_in_steps(e) ? e->plaintext.size != 0 || e->peer_closed : !e->dry;
}

static bool needs_step(const struct tls_engine *e)
{
    if (e->failed)
        return !e->failure_told;
    if (!e->handshake_done)
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

/* NSS reads no more: it has seen close_notify, or the transport ended without one. */
static enum tls_status on_read_end(struct tls_engine *e)
{
    if (e->alert_received == TLS_ALERT_CLOSE_NOTIFY) {
        e->peer_closed = true;
        buffer_release(&e->transport.in);
        return TLS_CLOSED;
    }
    return tls_engine_fail(e, "truncated",
                           base_strdup("the peer's connection ended without close_notify: data may be missing"));
}

static enum tls_status fail_flooded(struct tls_engine *e)
{
    if (e->version == TLS_VERSION_13)
        return tls_engine_fail(e, "key_update_flood", base_strdup("the peer changes its keys again and again"));
    return tls_engine_fail(e, "renegotiation_flood", base_strdup("the peer renegotiates again and again"));
}

/* Decrypt into `out` until it is full or nothing more can be decrypted. */
static enum tls_status decrypt_nss(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    while (*taken < size) {
        size_t held = e->transport.in.size;
        size_t space = size - *taken > INT32_MAX ? INT32_MAX : size - *taken;
        PRInt32 n = PR_Read(e->fd, out + *taken, (PRInt32)space);
        PRErrorCode code = n < 0 ? PR_GetError() : 0;

        if (e->flooded)
            return fail_flooded(e);
        if (n > 0) {
            tls_engine_see_data(e, (size_t)n);
            *taken += (size_t)n;
            continue;
        }
        if (n == 0)
            return on_read_end(e);
        /* A client of TLS 1.2 was told no_renegotiation, a warning: the connection goes on, unless it insists. */
        if (code == SSL_ERROR_RENEGOTIATION_NOT_ALLOWED && e->context->role == TLS_ROLE_SERVER &&
            ++e->handshakes <= 1 + TLS_RENEGOTIATIONS_MAX)
            continue;
        if (code != PR_WOULD_BLOCK_ERROR)
            return tls_engine_fail_nss(e, code);
        /* NSS says so too after a record without data; there may be more records behind it. */
        if (e->transport.in.size != 0 && e->transport.in.size != held)
            continue;
        e->dry = true;
        return TLS_OK;
    }
    return TLS_OK;
}

static enum tls_status decrypt(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status;

    if (e->own == NULL)
        return decrypt_nss(e, out, size, taken);
    status = tls_established_decrypt(e, out, size, taken);
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
    if (e->failed)
        return tell_failure(e);
    if (e->handshake_done)
        return reads_in_steps(e) ? read_in_step(e) : TLS_OK;
    e->stepped = true;
    return tls_handshake_step(e);
}

enum tls_status tls_engine_give_up(struct tls_engine *e, const char *name, const char *sentence)
{
    assert(!e->handshake_done);
    if (e->failed)
        return tell_failure(e);
    e->give_up_name = name;
    e->give_up_sentence = sentence;
    return tls_handshake_give_up(e);
}

uint8_t *tls_engine_records_reserve(struct tls_engine *e, size_t *size)
{
    uint8_t *space;

    *size = 0;
    if (!takes_records(e))
        return NULL;
    space = buffer_reserve(&e->transport.in, TLS_RECORDS_IN_MAX - e->transport.in.size, size);
    if (*size > TLS_RECORDS_IN_MAX - e->transport.in.size)
        *size = TLS_RECORDS_IN_MAX - e->transport.in.size;
    return space;
}

static void see_record(struct tls_engine *e)
{
    const uint8_t *header = e->seen.reader.header;

    e->seen.records++;
    if (tls_record_body_size(header) == 0)
        e->seen.empty_records++;
    if (header[0] == TLS_CONTENT_ALERT)
        e->seen.alerts++;
    if (e->seen.records > TLS_HANDSHAKE_RECORDS_MAX || e->seen.alerts > TLS_HANDSHAKE_ALERTS_MAX ||
        e->seen.empty_records > TLS_HANDSHAKE_EMPTY_RECORDS_MAX || e->seen.bytes > TLS_HANDSHAKE_BYTES_MAX)
        e->flooded = true;
}

/* Warning alerts and empty records cost a peer nothing, and NSS takes any number of them (limits.h). */
static void see_records(struct tls_engine *e, struct span bytes)
{
    e->seen.bytes += bytes.size;
    while (tls_record_reader_next(&e->seen.reader, &bytes))
        see_record(e);
}

void tls_engine_records_commit(struct tls_engine *e, size_t size)
{
    struct buffer *in = &e->transport.in;

    if (size == 0)
        return;
    if (!e->handshake_done)
        see_records(e, span_of(in->data + in->start + in->size, size));
    buffer_commit(in, size);
    e->stepped = false;
    e->dry = false;
}

enum tls_status tls_engine_records_end(struct tls_engine *e)
{
    if (e->failed)
        return tell_failure(e);
    e->transport.ended = true;
    e->stepped = false;
    if (!e->handshake_done) /* what is held may be an alert, or all that is missing: a step will see */
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
    *consumed = 0;
    if (e->failed)
        return tell_failure(e);
    if (plaintext.size != 0 && takes_plaintext(e))
        tls_engine_send_ticket(e);
    while (e->own != NULL && takes_plaintext(e) && *consumed < plaintext.size) {
        size_t part;

        if (tls_established_encrypt(e, span_skip(plaintext, *consumed), &part) != TLS_OK)
            return TLS_FAILED;
        *consumed += part;
    }
    while (e->own == NULL && takes_plaintext(e) && *consumed < plaintext.size) {
        size_t left = plaintext.size - *consumed;
        PRInt32 n = PR_Write(e->fd, plaintext.data + *consumed,
                             left < TLS_RECORD_PLAINTEXT_MAX ? (PRInt32)left : TLS_RECORD_PLAINTEXT_MAX);
        PRErrorCode code = n < 0 ? PR_GetError() : 0;

        if (n > 0) {
            tls_engine_see_data(e, (size_t)n);
            *consumed += (size_t)n;
        } else if (code == PR_WOULD_BLOCK_ERROR) {
            break; /* in the middle of a renegotiation */
        } else {
            return tls_engine_fail_nss(e, code);
        }
    }
    return TLS_OK;
}

enum tls_status tls_engine_take_plaintext(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status = TLS_OK;

    *taken = 0;
    if (e->failed)
        return tell_failure(e);
    if (!e->handshake_done || size == 0)
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
        e->failure_told = e->failed ? false : e->failure_told; /* the data first, then what came after it */
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
    if (e->ticket_owed && !e->failed && !e->closing)
        tls_server_ticket_send(e);
}

void tls_engine_close(struct tls_engine *e)
{
    if (e->closing || e->failed)
        return;
    tls_engine_send_ticket(e);
    e->closing = true;
    if (e->own != NULL)
        tls_established_close(e);
    else if (e->handshake_done)
        (void)PR_Shutdown(e->fd, PR_SHUTDOWN_SEND);
}

void tls_engine_trim(struct tls_engine *e)
{
    tls_established_begin(e);
    tls_established_rest(e);
    buffer_trim(&e->transport.in);
    buffer_trim(&e->transport.out);
    if (e->plaintext.size == 0)
        buffer_wipe(&e->plaintext);
}

bool tls_engine_handshake_done(const struct tls_engine *e)
{
    return e->handshake_done;
}

const char *tls_engine_error_name(const struct tls_engine *e)
{
    return e->error_name;
}

const char *tls_engine_error(const struct tls_engine *e)
{
    return e->error == NULL ? "" : e->error;
}

int tls_engine_alert_sent(const struct tls_engine *e)
{
    return e->alert_sent;
}

struct tls_verification tls_engine_verification(const struct tls_engine *e)
{
    return (struct tls_verification){.stopped_path = e->stopped_path == NULL ? "" : e->stopped_path,
                                     .signature_checks = e->signature_checks,
                                     .time_us = e->verification_us};
}

int tls_engine_alert_received(const struct tls_engine *e)
{
    return e->alert_received;
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
    info.socket_released = e->own != NULL;
    info.peer_cert = span_of(e->peer_cert, e->peer_cert_size);
    info.peer_ev_policy = e->ev_policy == NULL ? "" : e->ev_policy;
    info.identity = e->identity;
    return info;
}

size_t tls_engine_memory(const struct tls_engine *e)
{
    return sizeof(*e) + tls_established_memory(e) + e->transport.in.capacity + e->transport.out.capacity +
           e->transport.kept.capacity + e->plaintext.capacity + e->chain.capacity + e->peer_cert_size;
}
