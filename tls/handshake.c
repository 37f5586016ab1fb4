/* see tls/engine_internal.h */
#include "tls/engine_internal.h"
#include "tls/runtime_internal.h"

#include "base/nss_scope.h"
#include "base/slab.h"

#include <prerror.h>
#include <secerr.h>
#include <sslerr.h>
#include <stdlib.h>

enum {
    RECORD_MAJOR_VERSION = 3,
    EPOCH_APPLICATION_DATA = 3, /* SSLSecretCallback, sslexp.h: one more with each KeyUpdate */
    ALERT_WARNING = 1,
    ALERT_FATAL = 2,
    ALPN_SIZE_MAX = 255,
    START_SIZE = 3, /* bytes that tell TLS from other things */
    SSL2_LENGTH_BIT = 0x80,
    SSL2_CLIENT_HELLO = 1,
    HANDSHAKE_SERVER_HELLO = 2,
    RANDOM_AT = TLS_RECORD_HEADER_SIZE + 4 + 2, /* in a ServerHello: behind its header and version */
};

static void PR_CALLBACK on_alert_received(const PRFileDesc *fd, void *arg, const SSLAlert *alert)
{
    struct tls_engine *e = arg;

    (void)fd;
    /* TLS 1.2 servers warn that they do not know a name, and go on: only what ends the connection counts. */
    if (alert->description == TLS_ALERT_CLOSE_NOTIFY || alert->level == ALERT_FATAL)
        e->alert_received = alert->description;
}

static void PR_CALLBACK on_alert_sent(const PRFileDesc *fd, void *arg, const SSLAlert *alert)
{
    struct tls_engine *e = arg;

    (void)fd;
    if (!e->transport.silent && e->alert_sent <= TLS_ALERT_CLOSE_NOTIFY &&
        (alert->description == TLS_ALERT_CLOSE_NOTIFY || alert->level == ALERT_FATAL))
        e->alert_sent = alert->description;
}

static void PR_CALLBACK on_handshake(PRFileDesc *fd, void *arg)
{
    struct tls_engine *e = arg;

    (void)fd;
    /* Renegotiation costs us more than the server that asks for it. */
    if (e->version != TLS_VERSION_13 && ++e->handshakes > 1 + TLS_RENEGOTIATIONS_MAX)
        e->flooded = true;
}

/* For established.c, which knows from finish() since when records count. */
static void PR_CALLBACK on_secret(PRFileDesc *fd, PRUint16 epoch, SSLSecretDirection direction, PK11SymKey *secret,
                                  void *arg)
{
    struct tls_engine *e = arg;

    (void)fd;
    if (epoch < EPOCH_APPLICATION_DATA)
        return;
    if (epoch > EPOCH_APPLICATION_DATA) {
        e->secrets_replaced = true;
        if (direction == ssl_secret_read && !tls_engine_see_key_update(e)) {
            e->flooded = true;
            buffer_release(&e->transport.in); /* NSS would read on to the end of it */
        }
    } else if (direction == ssl_secret_write && e->write_secret == NULL) {
        e->write_secret = PK11_ReferenceSymKey(secret);
    } else if (direction == ssl_secret_read && e->read_secret == NULL) {
        e->read_secret = PK11_ReferenceSymKey(secret);
    }
}

/* see tls/engine_internal.h */
void tls_handshake_cap(struct tls_engine *e)
{
    static const SSLVersionRange range = {.min = TLS_VERSION_12, .max = TLS_VERSION_12};

    if (e->version_capped && SSL_VersionRangeSet(e->fd, &range) != SECSuccess)
        base_abort("NSS does not do TLS 1.2 (%s)", PR_ErrorToName(PR_GetError()));
}

/* Once for a ticket, once for the version, once for the site. */
static bool may_start_over(const struct tls_engine *e)
{
    return !e->tickets_refused || (e->context->falls_back && !e->version_capped) ||
           (e->context->site_count > 1 && !e->site_first);
}

static void make_socket(struct tls_engine *e)
{
    PRFileDesc *layer = tls_nspr_layer_create(&e->transport);

    e->model = e->site != NULL ? e->site->model : e->context->model;
    e->fd = SSL_ImportFD(e->model, layer);
    if (e->fd == NULL || SSL_ResetHandshake(e->fd, e->context->role == TLS_ROLE_SERVER) != SECSuccess ||
        SSL_AlertReceivedCallback(e->fd, on_alert_received, e) != SECSuccess ||
        SSL_AlertSentCallback(e->fd, on_alert_sent, e) != SECSuccess ||
        SSL_HandshakeCallback(e->fd, on_handshake, e) != SECSuccess ||
        tls_nss_calls()->secret_callback(e->fd, on_secret, e) != SECSuccess)
        base_abort("out of memory for a TLS socket (%s)", PR_ErrorToName(PR_GetError()));
    if (e->context->role == TLS_ROLE_SERVER) {
        /* SSL_ImportFD() leaves out the names for a CertificateRequest; this copies them too. */
        if (e->context->peer != TLS_PEER_NONE && SSL_ReconfigFD(e->model, e->fd) == NULL)
            base_abort("out of memory for a TLS socket (%s)", PR_ErrorToName(PR_GetError()));
        tls_handshake_cap(e);
        e->transport.keeping = may_start_over(e);
        tls_server_socket_prepare(e);
    } else {
        tls_client_socket_prepare(e);
    }
}

static void drop_secret(PK11SymKey **secret)
{
    if (*secret != NULL)
        PK11_FreeSymKey(*secret);
    *secret = NULL;
}

void tls_handshake_drop(struct tls_engine *e)
{
    e->transport.silent = true; /* closing an established socket would say close_notify */
    if (e->fd != NULL)
        (void)PR_Close(e->fd);
    e->fd = NULL;
    e->transport.silent = false;
    drop_secret(&e->read_secret);
    drop_secret(&e->write_secret);
}

/* In place of what NSS has queued, an alert in the clear: the peer has seen nothing of us yet. */
static void queue_clear_alert(struct tls_engine *e, int alert)
{
    uint8_t record[] = {TLS_CONTENT_ALERT, RECORD_MAJOR_VERSION, 3, 0, 2, ALERT_FATAL, (uint8_t)alert};

    buffer_release(&e->transport.out);
    if (buffer_append(&e->transport.out, span_of(record, sizeof(record))))
        e->alert_sent = alert;
}

struct span tls_clear_alert(void)
{
    static const uint8_t record[] = {
        TLS_CONTENT_ALERT, RECORD_MAJOR_VERSION, 3, 0, 2, ALERT_FATAL, TLS_ALERT_INTERNAL_ERROR};

    return span_of(record, sizeof(record));
}

/* Something else than TLS: told by its first bytes, which NSS would wait for more of, or call a bad record. */
static enum tls_status fail_not_tls(struct tls_engine *e, struct span start)
{
    const char *peer = e->context->role == TLS_ROLE_SERVER ? "client" : "server";
    char quoted[BASE_QUOTE_SIZE];

    if ((start.data[0] & SSL2_LENGTH_BIT) != 0 && start.data[2] == SSL2_CLIENT_HELLO) {
        queue_clear_alert(e, TLS_ALERT_PROTOCOL_VERSION);
        return tls_engine_fail(e, "ssl2_hello", base_printf("the %s speaks SSL 2", peer));
    }
    if (start.data[0] == TLS_CONTENT_HANDSHAKE || start.data[0] == TLS_CONTENT_ALERT) {
        queue_clear_alert(e, TLS_ALERT_PROTOCOL_VERSION);
        return tls_engine_fail(
            e, "bad_record_version",
            base_printf("the %s sent a record of version %u.%u", peer, start.data[1], start.data[2]));
    }
    queue_clear_alert(e, TLS_ALERT_UNEXPECTED_MESSAGE);
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
    return tls_engine_fail(e, "closed_in_handshake",
                           base_printf("the %s closed the connection during the TLS handshake",
                                       e->context->role == TLS_ROLE_SERVER ? "client" : "server"));
}

/* The same ClientHello once more, to another socket: *why, which is set, makes it behave in another way. */
static bool start_over(struct tls_engine *e, bool *why)
{
    struct tls_transport *t = &e->transport;
    struct buffer rest = t->in;

    if (!t->keeping || *why)
        return false;
    *why = true;
    tls_handshake_drop(e);
    buffer_release(&t->out);
    t->in = t->kept;
    t->in.size_max = rest.size_max;
    buffer_init(&t->kept, TLS_HELLO_KEPT_MAX);
    if (rest.size != 0 && !buffer_append(&t->in, buffer_span(&rest)))
        base_abort("the kept ClientHello passes the ceiling of its buffer");
    buffer_release(&rest);
    e->alert_sent = -1;
    slab_strfree(e->server_name);
    e->server_name = NULL;
    e->name_chosen = false;
    make_socket(e);
    return true;
}

/* See sites.c: TLS 1.3 was agreed upon, and no certificate of the site can be shown in it. */
static bool has_no_cert_for_version(const struct tls_engine *e, PRErrorCode code)
{
    return e->context->role == TLS_ROLE_SERVER && e->context->falls_back && !e->hello_checked &&
           code == SSL_ERROR_UNSUPPORTED_SIGNATURE_ALGORITHM;
}

/* RFC 8446 section 4.1.3: it looks like a ServerHello, but for this in place of the random. */
static bool is_hello_retry(struct span records)
{
    static const uint8_t random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                     0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                     0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

    return records.size >= RANDOM_AT + sizeof(random) && records.data[0] == TLS_CONTENT_HANDSHAKE &&
           records.data[TLS_RECORD_HEADER_SIZE] == HANDSHAKE_SERVER_HELLO &&
           memcmp(records.data + RANDOM_AT, random, sizeof(random)) == 0;
}

/* Likewise, but NSS would see it in the second ClientHello only: see sites.c. */
static bool will_have_no_cert_for_version(const struct tls_engine *e, PRErrorCode code)
{
    return e->context->role == TLS_ROLE_SERVER && e->context->falls_back && !e->hello_checked &&
           code == PR_WOULD_BLOCK_ERROR && e->transport.keeping && is_hello_retry(buffer_span(&e->transport.out)) &&
           tls_site_caps(e->site != NULL ? e->site : &e->context->sites[0], buffer_span(&e->transport.kept));
}

/* In TLS 1.2 NSS settles the cipher suite, and with it the kind of key, before it asks whose name was asked for. */
static bool has_no_suite_for_site(const struct tls_engine *e, PRErrorCode code)
{
    return e->context->role == TLS_ROLE_SERVER && e->site != NULL && e->site->model != e->model && !e->hello_checked &&
           code == SSL_ERROR_NO_CYPHER_OVERLAP;
}

static char *negotiated_name(PRFileDesc *fd)
{
    SCOPED_ITEM name = SSL_GetNegotiatedHostInfo(fd);

    return name == NULL || name->len == 0 ? NULL : slab_strndup((const char *)name->data, name->len);
}

/* NSS has taken the ClientHello and has an answer ready. Without a name in it, NSS has not called our hook: this is the
 * place to insist on one. (A resumed TLS 1.2 session has the name it began with.) */
static bool hello_has_name(struct tls_engine *e)
{
    e->hello_checked = true;
    e->transport.keeping = false;
    buffer_release(&e->transport.kept);
    if (e->server_name == NULL)
        e->server_name = negotiated_name(e->fd);
    return e->server_name != NULL || e->context->sni != TLS_SNI_REQUIRED;
}

static enum tls_status fail_no_name(struct tls_engine *e)
{
    queue_clear_alert(e, TLS_ALERT_UNRECOGNIZED_NAME);
    return tls_engine_fail(e, "no_server_name", base_strdup("the client did not say which name it wants (SNI)"));
}

static const char *group_name(SSLNamedGroup group)
{
    switch ((int)group) {
    case ssl_grp_ec_curve25519:
        return "x25519";
    case ssl_grp_ec_secp256r1:
        return "secp256r1";
    case ssl_grp_ec_secp384r1:
        return "secp384r1";
    case ssl_grp_ec_secp521r1:
        return "secp521r1";
    }
    return "";
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

static void read_certificates(struct tls_engine *e)
{
    SCOPED_CERT peer = SSL_PeerCertificate(e->fd);
    SCOPED_CERT local = e->context->role == TLS_ROLE_SERVER ? SSL_LocalCertificate(e->fd) : NULL;

    if (peer != NULL) {
        e->peer_cert = base_memdup(peer->derCert.data, peer->derCert.len);
        e->peer_cert_size = peer->derCert.len;
    }
    for (size_t i = 0; local != NULL && i < e->context->identity_count; i++)
        if (CERT_CompareCerts(e->context->identities[i]->cert, local))
            e->identity = e->context->identities[i];
}

/* `written_before`: records written before this step. When a server reads the client's Finished it has said all it had
 * to say under older keys; a client says its own Finished, and nothing after it. Neither reads on behind the Finished.
 */
static enum tls_status finish(struct tls_engine *e, uint64_t written_before)
{
    e->written_before_secret = e->context->role == TLS_ROLE_SERVER ? written_before : e->transport.written_records;
    e->read_before_secret = e->transport.read_records;
    e->handshake_done = true;
    e->handshakes = 1;
    read_channel(e);
    read_certificates(e);
    if (e->context->role == TLS_ROLE_SERVER) {
        if (e->version == TLS_VERSION_13)
            tls_server_ticket_owe(e);
    } else {
        tls_client_session_settle(e);
    }
    return TLS_OK;
}

/* NSS has no call that sends an alert. Before anything of ours was sent ours is as good; later it must be NSS that
 * sends it, and it does for a certificate that auth_certificate() refuses, before it would use a key of ours on the
 * client's side. */
enum tls_status tls_handshake_give_up(struct tls_engine *e)
{
    bool server = e->context->role == TLS_ROLE_SERVER;

    if (server ? e->hello_checked && !e->context->may_block : e->fd != NULL)
        return tls_engine_step(e);
    if (server && !e->hello_checked)
        queue_clear_alert(e, TLS_ALERT_INTERNAL_ERROR);
    return tls_engine_fail(e, e->give_up_name, base_strdup(e->give_up_sentence));
}

/* What must hold before NSS sees anything of the peer. *wait: not enough has come to say. */
static enum tls_status check_start(struct tls_engine *e, bool *wait)
{
    struct span start = buffer_span(&e->transport.in);

    *wait = false;
    if (e->flooded) {
        if (e->context->role == TLS_ROLE_SERVER && !e->hello_checked)
            queue_clear_alert(e, TLS_ALERT_UNEXPECTED_MESSAGE);
        return tls_engine_fail(e, "handshake_flood",
                               base_strdup("the peer sent far more than a handshake takes, or records of no use"));
    }
    if (e->start_checked || start.size == 0)
        return TLS_OK;
    if (start.size < START_SIZE) {
        *wait = !e->transport.ended;
        return e->transport.ended ? tls_handshake_closed(e) : TLS_OK;
    }
    e->start_checked = true;
    return looks_like_tls(start) ? TLS_OK : fail_not_tls(e, start);
}

enum tls_status tls_handshake_step(struct tls_engine *e)
{
    uint64_t written_before = e->transport.written_records;
    PRErrorCode code;
    bool wait;

    if (check_start(e, &wait) != TLS_OK)
        return TLS_FAILED;
    if (wait)
        return TLS_OK;
    if (e->fd == NULL)
        make_socket(e);
    for (;;) {
        bool done = SSL_ForceHandshake(e->fd) == SECSuccess;

        code = done ? 0 : PR_GetError();
        /* A ticket that is good, but not here: take none. */
        if (e->foreign_ticket) {
            e->foreign_ticket = false;
            if (start_over(e, &e->tickets_refused))
                continue;
            return tls_engine_fail(e, "foreign_session_ticket",
                                   base_strdup("the client wants to resume a session of another service"));
        }
        if ((has_no_cert_for_version(e, code) || will_have_no_cert_for_version(e, code)) &&
            start_over(e, &e->version_capped))
            continue;
        if (has_no_suite_for_site(e, code) && start_over(e, &e->site_first))
            continue;
        if (e->context->role == TLS_ROLE_SERVER && !e->hello_checked && e->transport.out.size != 0 &&
            (done || code == PR_WOULD_BLOCK_ERROR) && !hello_has_name(e))
            return fail_no_name(e);
        if (done)
            return finish(e, written_before);
        break;
    }
    if (e->transport.ended && e->transport.in.size == 0 && e->alert_received < 0 && e->alert_sent < 0)
        return tls_handshake_closed(e);
    return code == PR_WOULD_BLOCK_ERROR ? TLS_OK : tls_engine_fail_nss(e, code);
}
