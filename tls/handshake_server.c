/* see tls/engine_internal.h
 *
 * What is a server's alone in a handshake: the same ClientHello is given to another socket where the first one could
 * only fail (sites.c, server_hooks.c), and a name may be demanded of the client. */
#include "tls/handshake_internal.h"
#include "tls/models.h"

#include "base/nss_scope.h"
#include "base/slab.h"

#include <prerror.h>
#include <sslerr.h>

enum {
    HANDSHAKE_SERVER_HELLO = 2,
    RANDOM_AT = TLS_RECORD_HEADER_SIZE + 4 + 2, /* in a ServerHello: behind its header and version */
};

/* see tls/engine_internal.h */
void tls_handshake_cap(struct tls_engine *e)
{
    static const SSLVersionRange range = {.min = TLS_VERSION_12, .max = TLS_VERSION_12};

    if (e->hs->version_capped && SSL_VersionRangeSet(e->fd, &range) != SECSuccess)
        base_abort("NSS does not do TLS 1.2 (%s)", PR_ErrorToName(PR_GetError()));
}

/* Once for a ticket, once for a session, once for the version, once for the site. */
static bool may_start_over(const struct tls_engine *e)
{
    return !e->hs->tickets_refused || !e->hs->sessions_refused || (e->context->falls_back && !e->hs->version_capped) ||
           (e->context->site_count > 1 && !e->hs->site_first);
}

static PRFileDesc *server_make_socket(struct tls_engine *e, PRFileDesc *layer)
{
    PRFileDesc *fd;

    e->origin = e->site != NULL ? e->site : &e->context->sites[0];
    fd = SSL_ImportFD(tls_model_take(e->origin), layer);
    tls_model_give(e->origin);
    return fd;
}

static bool reconfigure(PRFileDesc *fd, const struct tls_site *site)
{
    bool done = SSL_ReconfigFD(tls_model_take(site), fd) != NULL;

    tls_model_give(site);
    return done;
}

static void server_prepare(struct tls_engine *e)
{
    /* SSL_ImportFD() leaves out the names for a CertificateRequest; this copies them too. */
    if (e->context->peer != TLS_PEER_NONE && !reconfigure(e->fd, e->origin))
        base_abort("out of memory for a TLS socket (%s)", PR_ErrorToName(PR_GetError()));
    tls_handshake_cap(e);
    e->transport.keeping = may_start_over(e);
    tls_server_socket_prepare(e);
}

/* The same ClientHello once more, to another socket: *why, which is set, makes it behave in another way. */
static bool start_over(struct tls_engine *e, bool *why)
{
    struct tls_transport *t = &e->transport;
    struct buffer rest = t->in;

    if (!t->keeping || *why)
        return false;
    t->kept.size_max = rest.size_max;
    if (!buffer_append(&t->kept, buffer_span(&rest)))
        return false; /* the client sent too much with it to be heard twice */
    *why = true;
    tls_server_hello_look(e);
    tls_handshake_drop_socket(e);
    tls_flight_clear(&e->hs->flight);
    t->readable = 0;
    e->hs->given_again = t->kept.size;
    buffer_release(&t->out);
    buffer_release(&rest);
    t->in = t->kept;
    buffer_init(&t->kept, TLS_HELLO_KEPT_MAX);
    e->report.alert_sent = -1;
    slab_strfree(e->server_name);
    e->server_name = NULL;
    e->name_chosen = false;
    tls_handshake_make_socket(e);
    return true;
}

/* See sites.c: TLS 1.3 was agreed upon, and no certificate of the site can be shown in it. */
static bool has_no_cert_for_version(const struct tls_engine *e, PRErrorCode code)
{
    return e->context->falls_back && e->phase < TLS_PHASE_ANSWERED && code == SSL_ERROR_UNSUPPORTED_SIGNATURE_ALGORITHM;
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
    return e->context->falls_back && e->phase < TLS_PHASE_ANSWERED && code == PR_WOULD_BLOCK_ERROR &&
           e->transport.keeping && is_hello_retry(buffer_span(&e->transport.out)) &&
           tls_site_caps(e->site != NULL ? e->site : &e->context->sites[0], buffer_span(&e->transport.kept));
}

/* In TLS 1.2 NSS settles the cipher suite, and with it the kind of key, before it asks whose name was asked for. */
static bool has_no_suite_for_site(const struct tls_engine *e, PRErrorCode code)
{
    return e->site != NULL && e->site != e->origin && e->phase < TLS_PHASE_ANSWERED &&
           code == SSL_ERROR_NO_CYPHER_OVERLAP;
}

static char *negotiated_name(PRFileDesc *fd)
{
    SCOPED_ITEM name = SSL_GetNegotiatedHostInfo(fd);

    return name == NULL ? NULL : tls_server_name_copy(span_of(name->data, name->len));
}

static bool is_tls12(PRFileDesc *fd)
{
    SSLPreliminaryChannelInfo info;

    return SSL_GetPreliminaryChannelInfo(fd, &info, sizeof(info)) == SECSuccess &&
           (info.valuesSet & ssl_preinfo_version) != 0 && info.protocolVersion == TLS_VERSION_12;
}

/* NSS has taken the ClientHello and has an answer ready. Where it resumes a session of TLS 1.2 it has not asked our
 * hook about the name: the session has the one it began with, or none. */
static enum tls_resumed_name read_resumed_name(struct tls_engine *e)
{
    enum tls_resumed_name good = TLS_RESUMED_NAME_GOOD;

    if (e->server_name == NULL)
        e->server_name = negotiated_name(e->fd);
    if (e->server_name == NULL && is_tls12(e->fd))
        good = tls_server_resumed_name(e);
    return good;
}

/* Without a name in the ClientHello, NSS has not called our hook either: this is the place to insist on one. */
static enum tls_status take_hello(struct tls_engine *e, enum tls_resumed_name name)
{
    tls_server_hello_look(e);
    tls_engine_enter(e, TLS_PHASE_ANSWERED);
    e->transport.keeping = false;
    buffer_release(&e->transport.kept);
    if (name == TLS_RESUMED_NAME_REFUSED) {
        tls_handshake_alert_in_clear(e, TLS_ALERT_UNRECOGNIZED_NAME);
        return tls_engine_fail(e, "", NULL); /* told already */
    }
    if (e->server_name != NULL || e->context->sni != TLS_SNI_REQUIRED)
        return TLS_OK;
    tls_handshake_alert_in_clear(e, TLS_ALERT_UNRECOGNIZED_NAME);
    return tls_engine_fail(e, "no_server_name", base_strdup("the client did not say which name it wants (SNI)"));
}

static bool server_look_again(struct tls_engine *e, bool done, PRErrorCode code, enum tls_status *status)
{
    /* A ticket that is good, but not here: take none. */
    if (e->hs->foreign_ticket) {
        e->hs->foreign_ticket = false;
        if (start_over(e, &e->hs->tickets_refused))
            return true;
        *status = tls_engine_fail(e, "foreign_session_ticket",
                                  base_strdup("the client wants to resume a session of another service"));
        return false;
    }
    if ((has_no_cert_for_version(e, code) || will_have_no_cert_for_version(e, code)) &&
        start_over(e, &e->hs->version_capped))
        return true;
    if (has_no_suite_for_site(e, code) && start_over(e, &e->hs->site_first))
        return true;
    if (e->phase < TLS_PHASE_ANSWERED && e->transport.out.size != 0 && (done || code == PR_WOULD_BLOCK_ERROR)) {
        enum tls_resumed_name name = read_resumed_name(e);

        if (name == TLS_RESUMED_NAME_OTHER && start_over(e, &e->hs->sessions_refused))
            return true;
        *status = take_hello(e, name);
    }
    return false;
}

static void server_finished(struct tls_engine *e)
{
    if (e->version == TLS_VERSION_13)
        tls_server_ticket_owe(e);
}

/* A server is not shown a certificate in the step that reads the ClientHello. */
static bool server_can_be_judged(const struct tls_engine *e)
{
    return e->context->peer != TLS_PEER_NONE && e->phase == TLS_PHASE_ANSWERED;
}

/* NSS has no call that sends an alert. Before anything of ours was sent ours is as good; later it must be NSS that
 * sends it, and it does for a certificate that auth_certificate() refuses. */
static enum tls_status server_give_up(struct tls_engine *e)
{
    if (e->phase == TLS_PHASE_ANSWERED && !e->context->may_block)
        return tls_engine_step(e);
    if (e->phase < TLS_PHASE_ANSWERED)
        tls_handshake_alert_in_clear(e, TLS_ALERT_INTERNAL_ERROR);
    return tls_engine_fail(e, e->hs->give_up_name, base_strdup(e->hs->give_up_sentence));
}

const struct tls_role_calls tls_server_calls = {
    .peer = "client",
    .make_socket = server_make_socket,
    .prepare = server_prepare,
    .look_again = server_look_again,
    .finished = server_finished,
    .can_be_judged = server_can_be_judged,
    .give_up = server_give_up,
};
