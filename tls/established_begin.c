/* see tls/established.h: when a connection leaves NSS's socket behind, and with what. */
#include "tls/established.h"
#include "tls/handshake_internal.h"

#include "base/slab.h"
#include <prerror.h>
#include <sslerr.h>
#include <stdlib.h>

static struct slab released = SLAB_OF(struct tls_established);

enum { TLS_RECORD_SIZE_LIMIT_MIN = 64 /* RFC 8449 section 4: the least, of content and type, that a peer may say */ };

/* Whether it is certain what NSS holds: nothing, in either direction, and nothing was kept back before. */
static bool holds_nothing(const struct tls_engine *e)
{
    const struct tls_transport *t = &e->transport;

    return !t->write_refused && tls_record_reader_at_boundary(&t->read) && tls_record_reader_at_boundary(&t->written) &&
           SSL_DataPending(e->fd) == 0;
}

static bool is_quiet(const struct tls_engine *e)
{
    const struct tls_transport *t = &e->transport;

    return e->dry && t->in.size == 0 && t->out.size == 0 && e->plaintext.size == 0 && !t->ended;
}

/* A server of TLS 1.2 that wants a certificate of ours, and has not asked for it yet, may still do so by renegotiation,
 * which is NSS's to do. */
static bool may_renegotiate(const struct tls_engine *e)
{
    return e->context->role == TLS_ROLE_CLIENT && e->context->identity_count != 0 && !e->cert_wanted;
}

static bool has_keys(const struct tls_engine *e)
{
    if (e->version == TLS_VERSION_13)
        return e->secrets.read != NULL && e->secrets.write != NULL && !e->secrets.write_changed;
    return e->transport.notes != NULL && e->flood.handshakes == 1 && !may_renegotiate(e);
}

static bool may_begin(const struct tls_engine *e, enum tls_begin when)
{
    return e->own == NULL && !e->flood.seen && !e->closing && !e->peer_closed && has_keys(e) && holds_nothing(e) &&
           (when == TLS_BEGIN_AT_ONCE || is_quiet(e));
}

static void begin(struct tls_engine *e, struct tls_established *own)
{
    own->plaintext_max = TLS_RECORD_PLAINTEXT_MAX;
    e->own = own;
    e->layer = &tls_layer_own;
}

static void give_back(struct tls_established *own)
{
    tls_record_direction_clear(&own->read);
    tls_record_direction_clear(&own->write);
    slab_free(&released, own);
}

bool tls_established_start(struct tls_engine *e, const struct tls_established_start *start)
{
    const struct tls_record_suite *suite = tls_record_suite_find(TLS_VERSION_13, start->cipher_suite);
    struct tls_established *own;

    if (suite == NULL)
        return false;
    own = slab_alloc(&released);
    if (!tls_record_direction_init(&own->read, suite, TLS_RECORD_OPEN, start->read_secret, start->read_records) ||
        !tls_record_direction_init(&own->write, suite, TLS_RECORD_SEAL, start->write_secret, start->written_records)) {
        give_back(own);
        return false;
    }
    begin(e, own);
    return true;
}

void tls_established_take(struct tls_engine *e, const struct tls_record_direction *read,
                          const struct tls_record_direction *write)
{
    struct tls_established *own = slab_alloc(&released);

    own->read = *read;
    own->write = *write;
    begin(e, own);
}

bool tls_established_start_13(struct tls_engine *e)
{
    struct tls_established_start start = {
        .cipher_suite = e->cipher_suite,
        .read_secret = e->secrets.read,
        .write_secret = e->secrets.write,
        .read_records = e->transport.read_records - e->secrets.read_before,
        .written_records = e->transport.written_records - e->secrets.written_before,
    };

    return tls_established_start(e, &start);
}

static bool start12(struct tls_engine *e)
{
    const struct tls_record_suite *suite = tls_record_suite_find(TLS_VERSION_12, e->cipher_suite);
    struct tls_record_direction read, write;

    if (suite == NULL || !tls_master_secret_find(e->transport.notes, suite, e->context->role == TLS_ROLE_SERVER,
                                                 &e->secrets.marks, &read, &write))
        return false;
    tls_established_take(e, &read, &write);
    base_wipe(&read, sizeof(read));
    base_wipe(&write, sizeof(write));
    return true;
}

/* What NSS takes for the most that the peer wants in a record. NSS has used up sequence numbers after this: it must not
 * write for the connection any more. That its records and ours have the same nonces does not matter, since nobody ever
 * sees NSS's, which are of zeros. */
static size_t measure_records(struct tls_engine *e)
{
    static const uint8_t zeros[TLS_RECORD_PLAINTEXT_MAX];
    struct tls_transport *t = &e->transport;
    PRBool limited = PR_FALSE;
    size_t size, overhead;

    if (SSL_HandshakeNegotiatedExtension(e->fd, ssl_record_size_limit_xtn, &limited) == SECSuccess && !limited)
        return TLS_RECORD_PLAINTEXT_MAX;
    t->silenced_body_max = 0;
    t->silent = true;
    (void)PR_Write(e->fd, zeros, sizeof(zeros));
    t->silent = false;
    overhead = tls_record_overhead(&e->own->write) + (e->version == TLS_VERSION_13);
    size = t->silenced_body_max < overhead ? 0 : t->silenced_body_max - overhead;
    if (size < TLS_RECORD_SIZE_LIMIT_MIN - 1)
        return TLS_RECORD_SIZE_LIMIT_MIN - 1;
    return size < TLS_RECORD_PLAINTEXT_MAX ? size : TLS_RECORD_PLAINTEXT_MAX;
}

/* A client's session tickets are NSS's to take. Where it may come to have one that can be used again (client_hooks.c),
 * NSS's socket lingers on for it. It does not write any more. */
static bool wants_tickets(const struct tls_engine *e)
{
    return e->context->role == TLS_ROLE_CLIENT && e->version == TLS_VERSION_13 && e->cache_key != NULL &&
           e->identity == NULL;
}

/* see tls/established.h */
void tls_established_settle_write_key(struct tls_engine *e)
{
    if (!e->secrets.write_changed || PR_Write(e->fd, "", 0) < 0)
        return;
    e->secrets.write_changed = false;
    e->secrets.written_before = e->transport.written_records;
}

/* see tls/established.h */
void tls_established_follow_keys(struct tls_engine *e)
{
    if (e->own != NULL || e->closing || !e->secrets.changed)
        return;
    tls_established_settle_write_key(e);
    if (e->ticket_owed)
        tls_server_ticket_send(e);
    tls_established_begin(e, TLS_BEGIN_AT_ONCE);
}

void tls_established_begin(struct tls_engine *e, enum tls_begin when)
{
    if (!may_begin(e, when) || !(e->version == TLS_VERSION_13 ? tls_established_start_13(e) : start12(e)))
        return;
    e->own->plaintext_max = measure_records(e);
    e->ticket_owed = false; /* only NSS could make it */
    if (when == TLS_BEGIN_IDLE) {
        tls_layer_own.trim(e); /* in TLS 1.2 a direction was tried, to find its key */
        return;
    }
    if (!wants_tickets(e)) {
        tls_handshake_drop_socket(e);
        return;
    }
    e->transport.silent = true;
    e->transport.gated = true;
    e->transport.readable = 0;
    if (e->certs != NULL)
        tls_peer_certs_linger(e->certs);
}

/* NSS reads the record, which the ticket is in or goes on in, from the transport as it came. A ticket that it does not
 * like is as good as none. */
void tls_established_show_ticket(struct tls_engine *e, size_t record_size)
{
    struct tls_transport *t = &e->transport;
    uint8_t nothing;
    bool taken;

    t->readable = record_size;
    taken = PR_Read(e->fd, &nothing, sizeof(nothing)) < 0 && PR_GetError() == PR_WOULD_BLOCK_ERROR && t->readable == 0;
    buffer_consume(&t->in, t->readable);
    t->readable = 0;
    if (!taken || ++e->own->tickets == TLS_TICKETS_MAX)
        tls_handshake_drop_socket(e);
}

void tls_established_end(struct tls_engine *e)
{
    if (e->own == NULL)
        return;
    tls_record_direction_clear(&e->own->read);
    tls_record_direction_clear(&e->own->write);
    slab_free(&released, e->own);
    e->own = NULL;
}

size_t tls_established_memory(const struct tls_engine *e)
{
    return e->own == NULL ? 0 : sizeof(*e->own);
}
