/* see tls/handshake_internal.h
 *
 * A session is offered again only after its peer was verified again, now, with the certificates that verified it the
 * first time (the session itself keeps only the leaf). If that fails, the handshake is a full one, and its verdict
 * counts. NSS does not hand out sessions in which a client certificate was used: those are never resumed, so that a
 * card that was taken out lets nobody in. */
#include "tls/client_identity.h"
#include "tls/handshake_internal.h"
#include "tls/sessions.h"
#include "tls/key_der.h"
#include "tls/runtime_internal.h"

#include <stdlib.h>
#include <time.h>

/* The name too: what was verified for one name is not offered under another. */
static char *session_key(const struct tls_engine *e)
{
    return base_printf("%s %s", e->cache_key, e->name == NULL ? "" : e->name);
}

static SECStatus PR_CALLBACK keep_session(PRFileDesc *fd, const PRUint8 *token, unsigned size, void *arg)
{
    struct tls_engine *e = tls_engine_of(fd);
    struct span chain = buffer_span(&e->chain);
    struct tls_session session;
    char *key;

    (void)arg;
    if (e->cache_key == NULL || (chain.size == 0 && !e->context->insecure_no_verify))
        return SECSuccess;
    session = (struct tls_session){
        .token = base_memdup(token, size),
        .token_size = size,
        .chain = base_memdup(chain.data, chain.size),
        .chain_size = chain.size,
    };
    key = session_key(e);
    tls_sessions_put(e->context->sessions, key, &session);
    free(key);
    return SECSuccess;
}

/* The certificates of a chain kept as one run of DER. */
static size_t split_chain(const struct tls_session *session, struct span out[static TLS_PEER_CERTS_MAX])
{
    struct span rest = span_of(session->chain, session->chain_size);
    size_t count = 0;

    while (rest.size >= 4 && count < TLS_PEER_CERTS_MAX) {
        size_t length = tls_key_der_element_size(rest);

        if (length == 0)
            return 0;
        out[count++] = span_of(rest.data, length);
        rest = span_skip(rest, length);
    }
    return count;
}

static bool still_good(struct tls_engine *e, const struct tls_session *session)
{
    struct span chain[TLS_PEER_CERTS_MAX];
    size_t count;

    if (e->context->insecure_no_verify)
        return true;
    count = split_chain(session, chain);
    return count != 0 && tls_peer_verify(e, TLS_VERDICT_ONLY, chain[0], chain + 1, count - 1, NULL, 0);
}

/* To offer a session NSS decodes the certificate that it was made with (peer_certs.h). */
static bool may_hold_leaf(struct tls_engine *e, const struct tls_session *session)
{
    struct span leaf = span_of(session->chain, session->chain_size);

    if (leaf.size == 0)
        return true; /* nothing was verified */
    leaf.size = tls_key_der_element_size(leaf);
    tls_engine_hold_certs(e);
    if (tls_peer_certs_claim(e->certs, &leaf, 1) != TLS_CLAIM_HELD)
        return false;
    tls_peer_certs_note_verified(e->certs, leaf);
    return true;
}

static void offer_session(struct tls_engine *e)
{
    struct tls_session session = {0};
    char *key = session_key(e);

    while (e->offered == NULL && tls_sessions_take(e->context->sessions, key, &session)) {
        if (still_good(e, &session) && may_hold_leaf(e, &session) &&
            tls_nss_calls()->set_resumption_token(e->fd, session.token, (unsigned)session.token_size) == SECSuccess) {
            e->offered = base_memdup(&session, sizeof(session));
            session = (struct tls_session){0};
        }
        tls_session_clear(&session);
    }
    free(key);
}

void tls_client_socket_prepare(struct tls_engine *e)
{
    if (SSL_SetURL(e->fd, e->name == NULL ? "" : e->name) != SECSuccess)
        base_abort("out of memory for a server name");
    if (e->cache_key != NULL)
        offer_session(e);
}

/* A ticket of TLS 1.3 was used up by offering it. One of TLS 1.2 may be used again, and often no new one comes. One
 * that was not taken is of no use, and nor are those before it; what this handshake brings is newer. */
void tls_client_session_settle(struct tls_engine *e)
{
    char *key;

    if (e->offered == NULL)
        return;
    key = session_key(e);
    if (!e->info.resumed)
        tls_sessions_drop_older(e->context->sessions, key, e->offered->number);
    else if (e->version == TLS_VERSION_12)
        tls_sessions_put(e->context->sessions, key, e->offered);
    free(key);
    tls_session_clear(e->offered);
    free(e->offered);
    e->offered = NULL;
}

void tls_client_hooks_install(PRFileDesc *model)
{
    tls_client_identity_install(model);
    (void)tls_nss_calls()->resumption_token_callback(model, keep_session, NULL);
}
