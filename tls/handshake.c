/* see tls/handshake_internal.h */
#include "tls/handshake_internal.h"
#include "tls/established.h"
#include "tls/key_groups.h"
#include "tls/runtime_internal.h"

#include "base/nss_scope.h"
#include "base/slab.h"

#include <prerror.h>
#include <secerr.h>
#include <sslerr.h>
#include <stdlib.h>

static struct slab notes = SLAB_OF(struct tls_wire_notes);

enum {
    RECORD_MAJOR_VERSION = 3,
    EPOCH_HANDSHAKE = 2,
    EPOCH_APPLICATION_DATA = 3, /* SSLSecretCallback, sslexp.h: one more with each KeyUpdate */
    ALERT_WARNING = 1,
    ALERT_FATAL = 2,
    ALPN_SIZE_MAX = 255,
    START_SIZE = 3, /* bytes that tell TLS from other things */
    SSL2_LENGTH_BIT = 0x80,
    SSL2_CLIENT_HELLO = 1,
};

static void PR_CALLBACK on_alert_received(const PRFileDesc *fd, void *arg, const SSLAlert *alert)
{
    struct tls_engine *e = arg;

    (void)fd;
    /* TLS 1.2 servers warn that they do not know a name, and go on: only what ends the connection counts. */
    if (alert->description == TLS_ALERT_CLOSE_NOTIFY || alert->level == ALERT_FATAL)
        e->report.alert_received = alert->description;
}

static void PR_CALLBACK on_alert_sent(const PRFileDesc *fd, void *arg, const SSLAlert *alert)
{
    struct tls_engine *e = arg;

    (void)fd;
    if (!e->transport.silent && e->report.alert_sent <= TLS_ALERT_CLOSE_NOTIFY &&
        (alert->description == TLS_ALERT_CLOSE_NOTIFY || alert->level == ALERT_FATAL))
        e->report.alert_sent = alert->description;
}

static void PR_CALLBACK on_handshake(PRFileDesc *fd, void *arg)
{
    struct tls_engine *e = arg;

    (void)fd;
    /* Renegotiation costs us more than the server that asks for it. */
    if (e->version != TLS_VERSION_13 && ++e->flood.handshakes > 1 + TLS_RENEGOTIATIONS_MAX)
        e->flood.seen = true;
}

static void replace_secret(PK11SymKey **secret, PK11SymKey *by)
{
    if (*secret != NULL)
        PK11_FreeSymKey(*secret);
    *secret = PK11_ReferenceSymKey(by);
}

/* The peer has changed its key, with the record that was read last; or we have, with one that NSS may hold back still.
 */
static void see_next_secret(struct tls_engine *e, SSLSecretDirection direction)
{
    e->secrets.changed = true;
    if (direction == ssl_secret_write) {
        e->secrets.write_changed = true;
        return;
    }
    e->secrets.read_before = e->transport.read_records;
    if (tls_engine_see_key_update(e))
        return;
    e->flood.seen = true;
    buffer_release(&e->transport.in); /* NSS would read on to the end of it */
}

/* For established.c; finish() tells since when records count. */
static void PR_CALLBACK on_secret(PRFileDesc *fd, PRUint16 epoch, SSLSecretDirection direction, PK11SymKey *secret,
                                  void *arg)
{
    struct tls_engine *e = arg;

    (void)fd;
    if (epoch == EPOCH_HANDSHAKE && direction == ssl_secret_read && e->hs != NULL)
        tls_flight_keep_secret(&e->hs->flight, secret);
    if (direction == ssl_secret_write && e->hs != NULL)
        tls_flight_keep_own_secret(&e->hs->flight, secret);
    if (epoch < EPOCH_APPLICATION_DATA)
        return;
    replace_secret(direction == ssl_secret_write ? &e->secrets.write : &e->secrets.read, secret);
    if (epoch > EPOCH_APPLICATION_DATA)
        see_next_secret(e, direction);
}

void tls_handshake_make_socket(struct tls_engine *e)
{
    PRFileDesc *layer = tls_nspr_layer_create(&e->transport);

    e->transport.notes = slab_alloc(&notes);
    e->fd = e->context->calls->make_socket(e, layer);
    if (e->fd == NULL || SSL_ResetHandshake(e->fd, e->context->role == TLS_ROLE_SERVER) != SECSuccess ||
        SSL_AlertReceivedCallback(e->fd, on_alert_received, e) != SECSuccess ||
        SSL_AlertSentCallback(e->fd, on_alert_sent, e) != SECSuccess ||
        SSL_HandshakeCallback(e->fd, on_handshake, e) != SECSuccess ||
        tls_nss_calls()->secret_callback(e->fd, on_secret, e) != SECSuccess)
        base_abort("out of memory for a TLS socket (%s)", PR_ErrorToName(PR_GetError()));
    e->context->calls->prepare(e);
}

void tls_handshake_drop_notes(struct tls_engine *e)
{
    if (e->transport.notes != NULL)
        slab_free(&notes, e->transport.notes);
    e->transport.notes = NULL;
}

static void drop_secret(PK11SymKey **secret)
{
    if (*secret != NULL)
        PK11_FreeSymKey(*secret);
    *secret = NULL;
}

void tls_handshake_drop_socket(struct tls_engine *e)
{
    if (e->certs != NULL && !tls_peer_certs_is_entered(e->certs) && !tls_peer_certs_enter(e->certs))
        e->fd = NULL;           /* another thread has ended it */
    e->transport.silent = true; /* closing an established socket would say close_notify */
    if (e->fd != NULL)
        (void)PR_Close(e->fd);
    e->fd = NULL;
    e->transport.silent = false;
    tls_peer_certs_drop(&e->certs);
    tls_handshake_drop_notes(e);
    drop_secret(&e->secrets.read);
    drop_secret(&e->secrets.write);
}

void tls_handshake_alert_in_clear(struct tls_engine *e, int alert)
{
    uint8_t record[] = {TLS_CONTENT_ALERT, RECORD_MAJOR_VERSION, 3, 0, 2, ALERT_FATAL, (uint8_t)alert};

    buffer_release(&e->transport.out);
    if (buffer_append(&e->transport.out, span_of(record, sizeof(record))))
        e->report.alert_sent = alert;
}

struct span tls_clear_alert(void)
{
    static const uint8_t record[] = {TLS_CONTENT_ALERT, RECORD_MAJOR_VERSION,    3, 0, 2,
                                     ALERT_FATAL,       TLS_ALERT_INTERNAL_ERROR};

    return span_of(record, sizeof(record));
}

/* Something else than TLS: told by its first bytes, which NSS would wait for more of, or call a bad record. */
static enum tls_status fail_not_tls(struct tls_engine *e, struct span start)
{
    const char *peer = e->context->calls->peer;
    char quoted[BASE_QUOTE_SIZE];

    if ((start.data[0] & SSL2_LENGTH_BIT) != 0 && start.data[2] == SSL2_CLIENT_HELLO) {
        tls_handshake_alert_in_clear(e, TLS_ALERT_PROTOCOL_VERSION);
        return tls_engine_fail(e, "ssl2_hello", base_printf("the %s speaks SSL 2", peer));
    }
    if (start.data[0] == TLS_CONTENT_HANDSHAKE || start.data[0] == TLS_CONTENT_ALERT) {
        tls_handshake_alert_in_clear(e, TLS_ALERT_PROTOCOL_VERSION);
        return tls_engine_fail(
            e, "bad_record_version",
            base_printf("the %s sent a record of version %u.%u", peer, start.data[1], start.data[2]));
    }
    tls_handshake_alert_in_clear(e, TLS_ALERT_UNEXPECTED_MESSAGE);
    return tls_engine_fail(e, "not_tls",
                           base_printf("the %s does not speak TLS here: it sent %s", peer,
                                       base_quote(start.data, start.size, quoted, sizeof(quoted))));
}

static bool looks_like_tls(struct span start)
{
    return (start.data[0] == TLS_CONTENT_HANDSHAKE || start.data[0] == TLS_CONTENT_ALERT) &&
           start.data[1] == RECORD_MAJOR_VERSION;
}

enum tls_status tls_handshake_closed(struct tls_engine *e)
{
    return tls_engine_fail(
        e, "closed_in_handshake",
        base_printf("the %s closed the connection during the TLS handshake", e->context->calls->peer));
}

static const char *group_name(SSLNamedGroup number)
{
    enum key_group group;

    return tls_key_group_find((unsigned)number, &group) ? tls_key_group_name(group) : "";
}

static void read_channel(struct tls_engine *e)
{
    SSLChannelInfo channel = {0};
    SSLCipherSuiteInfo suite = {0};
    unsigned char alpn[ALPN_SIZE_MAX];
    unsigned alpn_size = 0;
    SSLNextProtoState state;

    if (SSL_GetChannelInfo(e->fd, &channel, sizeof(channel)) != SECSuccess ||
        SSL_GetCipherSuiteInfo(channel.cipherSuite, &suite, sizeof(suite)) != SECSuccess)
        base_abort("NSS does not describe a finished handshake");
    e->version = channel.protocolVersion;
    e->cipher_suite = channel.cipherSuite;
    if (e->context->role == TLS_ROLE_CLIENT && e->name != NULL && !tls_is_address(e->name))
        e->server_name = slab_strdup(e->name);
    e->info.version = e->version == TLS_VERSION_13 ? "TLSv1.3" : "TLSv1.2";
    e->info.cipher = suite.cipherSuiteName;
    e->info.group = group_name(channel.keaGroup);
    e->info.resumed = channel.resumed;
    if (SSL_GetNextProto(e->fd, &state, alpn, &alpn_size, sizeof(alpn)) == SECSuccess &&
        (state == SSL_NEXT_PROTO_NEGOTIATED || state == SSL_NEXT_PROTO_SELECTED))
        e->alpn = slab_strndup((const char *)alpn, alpn_size);
}

const struct tls_identity *tls_handshake_identity(struct tls_engine *e)
{
    SCOPED_CERT local = NULL;

    if (e->identity != NULL || e->fd == NULL || e->context->role == TLS_ROLE_CLIENT)
        return e->identity;
    local = SSL_LocalCertificate(e->fd);
    for (size_t i = 0; local != NULL && i < e->context->identity_count; i++)
        if (CERT_CompareCerts(e->context->identities[i]->cert, local))
            e->identity = e->context->identities[i];
    return e->identity;
}

static void read_certificates(struct tls_engine *e)
{
    SCOPED_CERT peer = SSL_PeerCertificate(e->fd);

    if (peer != NULL) {
        e->peer_cert = base_memdup(peer->derCert.data, peer->derCert.len);
        e->peer_cert_size = peer->derCert.len;
    }
    (void)tls_handshake_identity(e);
}

/* `written_before`: records written before this step. When a server reads the client's Finished it has said all it had
 * to say under older keys; a client says its own Finished, and nothing after it. Neither reads on behind the Finished.
 */
static enum tls_status finish(struct tls_engine *e, uint64_t written_before)
{
    e->secrets.written_before = e->context->role == TLS_ROLE_SERVER ? written_before : e->transport.written_records;
    e->secrets.read_before = e->transport.read_records;
    tls_engine_enter(e, TLS_PHASE_OPEN);
    e->flood.handshakes = 1;
    read_channel(e);
    read_certificates(e);
    e->context->calls->finished(e);
    if (e->version == TLS_VERSION_12)
        e->secrets.marks = tls_master_secret_mark();
    else
        tls_handshake_drop_notes(e);
    /* Who has not shown a certificate now has not shown one at all. Servers have their session ticket to send first. */
    buffer_release(&e->plaintext); /* where flight.c opens records */
    if (e->certs != NULL || e->context->role == TLS_ROLE_CLIENT)
        tls_established_begin(e, TLS_BEGIN_AT_ONCE);
    return TLS_OK;
}

static enum tls_status fail_flooded(struct tls_engine *e)
{
    if (e->context->role == TLS_ROLE_SERVER && e->phase < TLS_PHASE_ANSWERED)
        tls_handshake_alert_in_clear(e, TLS_ALERT_UNEXPECTED_MESSAGE);
    return tls_engine_fail(e, "handshake_flood",
                           base_strdup("the peer sent far more than a handshake takes, or records of no use"));
}

/* What must hold before NSS sees anything of the peer. *wait: not enough has come to say. */
static enum tls_status check_start(struct tls_engine *e, bool *wait)
{
    struct span start = buffer_span(&e->transport.in);

    *wait = false;
    if (e->phase != TLS_PHASE_START)
        return TLS_OK;
    if (start.size == 0) { /* a server has no socket, and costs no memory of NSS's, before its client has spoken */
        *wait = e->context->role == TLS_ROLE_SERVER && !e->transport.ended;
        return TLS_OK;
    }
    if (start.size < START_SIZE) {
        *wait = !e->transport.ended;
        return e->transport.ended ? tls_handshake_closed(e) : TLS_OK;
    }
    if (!looks_like_tls(start))
        return fail_not_tls(e, start);
    tls_engine_enter(e, TLS_PHASE_HELLO);
    return TLS_OK;
}

enum tls_status tls_handshake_step(struct tls_engine *e)
{
    uint64_t written_before = e->transport.written_records;
    enum tls_status status = TLS_OK;
    PRErrorCode code = 0;
    bool wait, done = false, again = true;

    if (check_start(e, &wait) != TLS_OK)
        return TLS_FAILED;
    if (wait)
        return TLS_OK;
    if (e->fd == NULL)
        tls_handshake_make_socket(e);
    tls_flight_next(e);
    while (again && !tls_engine_has_failed(e)) {
        done = SSL_ForceHandshake(e->fd) == SECSuccess;
        code = done ? 0 : PR_GetError();
        again = e->context->calls->look_again(e, done, code, &status);
        if (again || (status == TLS_OK && code == PR_WOULD_BLOCK_ERROR))
            again = tls_flight_next(e) || again;
    }
    if (status != TLS_OK || tls_engine_has_failed(e))
        return TLS_FAILED;
    if (e->flood.seen)
        return fail_flooded(e);
    if (done)
        return finish(e, written_before);
    if (e->transport.ended && e->transport.in.size == 0 && e->report.alert_received < 0 && e->report.alert_sent < 0)
        return tls_handshake_closed(e);
    if (code != PR_WOULD_BLOCK_ERROR)
        return tls_engine_fail_nss(e, code);
    e->stepped = !e->hs->must_wait;
    buffer_release(&e->plaintext); /* where flight.c opens records */
    return TLS_OK;
}
