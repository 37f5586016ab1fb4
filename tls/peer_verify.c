/* see tls/handshake_internal.h
 *
 * The verdict is pkix/'s alone. NSS is told its error code, from which it picks the alert (ssl3_SendAlertForCertError);
 * there is no bad-certificate hook, so a bad verdict is final. */
#include "tls/handshake_internal.h"
#include "tls/key_der.h"

#include "base/address.h"
#include "base/nss_scope.h"
#include "pkix/describe.h"

#include <prerror.h>
#include <secerr.h>
#include <stdlib.h>

/* NSS sends certificate_unknown for this error ("some other issue arose", RFC 8446 section 6.2), and for few others. */
enum { ALERT_CERTIFICATE_UNKNOWN = SEC_ERROR_INADEQUATE_CERT_TYPE };

/* Nothing is wrong with the certificate itself, but whether it is still good is not known: bad_certificate ("corrupt,
 * contained signatures that did not verify correctly, etc.") would send the peer's administrator looking in the wrong
 * place. bad_certificate_status_response (RFC 6066 section 8), for a stapled response that is of no use, is not to be
 * had from NSS. */
static bool is_about_status(enum pkix_error error)
{
    return error == PKIX_TLS_FEATURE_MISSING || (error >= PKIX_REVOCATION_UNKNOWN && error <= PKIX_CRL_NOT_YET_VALID);
}

bool tls_is_address(const char *name)
{
    struct address address;

    return address_parse(span_of_string(name), &address);
}

static struct pkix_name wanted_name(const struct tls_engine *e, struct address *address)
{
    if (e->context->role == TLS_ROLE_SERVER || e->name == NULL)
        return (struct pkix_name){.type = PKIX_NAME_NONE};
    if (address_parse(span_of_string(e->name), address))
        return (struct pkix_name){.type = PKIX_NAME_IP, .value = span_of(address->bytes, address->size)};
    return (struct pkix_name){.type = PKIX_NAME_DNS, .value = span_of_string(e->name)};
}

/* The chain that verified the peer, for when its session is resumed, and to tell its certificates from others that the
 * peer has sent: leaf first, without the anchor, which is ours. */
static void keep_chain(struct tls_engine *e, const struct pkix_verdict *verdict, struct span leaf)
{
    size_t length = pkix_verdict_path_length(verdict);

    buffer_release(&e->chain);
    if (!buffer_append(&e->chain, leaf))
        return;
    for (size_t i = 1; i + 1 < length; i++)
        if (!buffer_append(&e->chain, pkix_verdict_path_cert(verdict, i)))
            buffer_release(&e->chain); /* then the session is not kept either */
}

bool tls_peer_chain_has(const struct tls_engine *e, struct span cert)
{
    struct span rest = buffer_span(&e->chain);

    while (rest.size != 0) {
        size_t size = tls_key_der_element_size(rest);

        if (size == 0)
            return false;
        if (span_equal(span_of(rest.data, size), cert))
            return true;
        rest = span_skip(rest, size);
    }
    return false;
}

/* A full handshake is judged after the session that was offered: the last verdict counts. */
static void keep_ev_policy(struct tls_engine *e, const struct pkix_verdict *verdict)
{
    const char *policy = pkix_verdict_ev_policy(verdict);

    free(e->report.ev_policy);
    e->report.ev_policy = policy == NULL ? NULL : base_strdup(policy);
}

static void keep_warning(struct tls_engine *e, const struct pkix_verdict *verdict)
{
    free(e->report.warning);
    e->report.warning = pkix_verdict_warning_count(verdict) == 0 ? NULL : base_strdup(pkix_verdict_warning(verdict, 0));
}

/* What a client's certificate may be asked for by an access rule beside its own names: who issued it, and under which
 * policies. */
static void keep_path_facts(struct tls_engine *e, const struct pkix_verdict *verdict)
{
    size_t length = pkix_verdict_path_length(verdict);
    char *issuers = base_strdup(""), *policies = base_strdup("");

    for (size_t i = 1; i < length; i++) {
        struct pkix_description d;
        char *longer;

        if (pkix_describe(pkix_verdict_path_cert(verdict, i), &d)) {
            longer = base_printf("%s%s%s", issuers, issuers[0] == '\0' ? "" : " ", d.sha256);
            free(issuers);
            issuers = longer;
        }
        pkix_description_clear(&d);
    }
    for (size_t i = 0; i < pkix_verdict_policy_count(verdict); i++) {
        char *longer = base_printf("%s%s%s", policies, i == 0 ? "" : " ", pkix_verdict_policy(verdict, i));

        free(policies);
        policies = longer;
    }
    free(e->report.issuers);
    free(e->report.policies);
    e->report.issuers = issuers;
    e->report.policies = policies;
}

/* What all requests of this engine have in common. */
static struct pkix_request request_of(const struct tls_engine *e, enum tls_verdict_use use)
{
    const struct tls_context *context = e->context;
    struct pkix_request request =
        context->role == TLS_ROLE_SERVER ? pkix_request_of_client(context->peer_usage) : pkix_request_of_server();

    request.time = context->clock->wall_s();
    request.revocation = use == TLS_VERDICT_AHEAD ? PKIX_REVOCATION_OFF : context->revocation.mode;
    request.crls = context->revocation.crls;
    request.evidence = context->revocation.evidence;
    request.crl_source = context->revocation.crl_source;
    request.issuers = context->issuers;
    /* Before a session is offered, and when a TLS 1.2 server renegotiates, nothing may block. */
    request.evidence_waiting = use == TLS_VERDICT_TELL && !tls_engine_was_open(e) ? PKIX_MAY_WAIT : PKIX_MUST_NOT_WAIT;
    request.pins = context->pins;
    request.pin_count = context->pin_count;
    request.policy = context->policy;
    return request;
}

bool tls_peer_verify(struct tls_engine *e, enum tls_verdict_use use, struct span leaf, const struct span *extras,
                     size_t extras_count, const struct span *stapled, size_t stapled_count)
{
    struct address address;
    struct pkix_request request = request_of(e, use);
    struct pkix_verdict *verdict = NULL;
    uint64_t start_us = base_thread_us();
    enum pkix_error error;

    request.leaf = leaf;
    request.extras = extras;
    request.extras_count = extras_count;
    request.stapled = stapled;
    request.stapled_count = stapled_count;
    request.name = wanted_name(e, &address);
    error = pkix_verify(e->context->trust, &request, &verdict);
    e->report.verification_us += base_thread_us() - start_us;
    e->report.signature_checks += pkix_verdict_signature_checks(verdict);
    keep_ev_policy(e, verdict);
    keep_warning(e, verdict);
    if (error == PKIX_OK) {
        keep_chain(e, verdict, leaf);
        if (e->context->role == TLS_ROLE_SERVER)
            keep_path_facts(e, verdict);
    } else if (use == TLS_VERDICT_TELL) {
        tls_engine_note_error(e, pkix_error_name(error),
                              base_printf("the %s certificate is not accepted: %s",
                                          e->context->role == TLS_ROLE_SERVER ? "client's" : "server's",
                                          pkix_verdict_detail(verdict)));
        free(e->report.stopped_path);
        e->report.stopped_path = base_strdup(pkix_verdict_stopped_path(verdict));
        PR_SetError(is_about_status(error) ? ALERT_CERTIFICATE_UNKNOWN : pkix_error_nss(error), 0);
    }
    pkix_verdict_destroy(&verdict);
    return error == PKIX_OK;
}

/* The peer's chain as spans, which live as long as `list`. More than the limit are not looked at. */
static size_t chain_spans(CERTCertList *list, struct span out[static TLS_PEER_CERTS_MAX])
{
    size_t count = 0;

    for (CERTCertListNode *n = CERT_LIST_HEAD(list); !CERT_LIST_END(n, list) && count < TLS_PEER_CERTS_MAX;
         n = CERT_LIST_NEXT(n))
        out[count++] = span_of(n->cert->derCert.data, n->cert->derCert.len);
    return count;
}

static size_t staple_spans(PRFileDesc *fd, struct span out[static TLS_PEER_CERTS_MAX])
{
    const SECItemArray *stapled = SSL_PeerStapledOCSPResponses(fd);
    size_t count = 0;

    for (; stapled != NULL && count < stapled->len && count < TLS_PEER_CERTS_MAX; count++)
        out[count] = span_of(stapled->items[count].data, stapled->items[count].len);
    return count;
}

static SECStatus PR_CALLBACK auth_certificate(void *arg, PRFileDesc *fd, PRBool check_signature, PRBool is_server)
{
    struct tls_engine *e = tls_engine_of(fd);
    SCOPED_CERT_LIST list = SSL_PeerCertificateChain(fd);
    struct span chain[TLS_PEER_CERTS_MAX], stapled[TLS_PEER_CERTS_MAX];
    size_t count, stapled_count;

    (void)arg;
    (void)check_signature;
    (void)is_server;
    if (list == NULL)
        return SECFailure;
    stapled_count = staple_spans(fd, stapled);
    e->peer_stapled = stapled_count != 0;
    if (e->hs != NULL) /* NULL: a server of TLS 1.2 renegotiates */
        e->hs->peer_judged = true;
    if (e->hs != NULL && e->hs->give_up_name != NULL) {
        tls_engine_note_error(e, e->hs->give_up_name, base_strdup(e->hs->give_up_sentence));
        PR_SetError(ALERT_CERTIFICATE_UNKNOWN, 0);
        return SECFailure;
    }
    if (e->context->insecure_no_verify)
        return SECSuccess;
    count = chain_spans(list, chain);
    if (count == 0) {
        PR_SetError(SEC_ERROR_BAD_DER, 0);
        return SECFailure;
    }
    if (!tls_peer_verify(e, TLS_VERDICT_TELL, chain[0], chain + 1, count - 1, stapled, stapled_count))
        return SECFailure;
    for (size_t i = 0; e->certs != NULL && i < count; i++)
        if (tls_peer_chain_has(e, chain[i]))
            tls_peer_certs_note_verified(e->certs, chain[i]);
    return SECSuccess;
}

void tls_peer_verify_install(PRFileDesc *model)
{
    (void)SSL_AuthCertificateHook(model, auth_certificate, NULL);
    (void)SSL_BadCertHook(model, NULL, NULL);
}
