/* see pkix/verify.h */
#include "pkix/verify.h"
#include "pkix/names.h"
#include "pkix/nss_crypto.h"
#include "pkix/revocation.h"
#include "pkix/search.h"
#include "pkix/signature.h"
#include "pkix/verdict.h"

#include <stdlib.h>

const struct pkix_limits pkix_limits_default = {
    .signature_checks_max = 100,
    .signature_cost_us_max = 30000,
    .path_steps_max = 5000,
    .name_comparisons_max = 250000,
    .policy_steps_max = 20000,
    .candidates_per_name_max = 64,
    .extras_max = 48,
    .extras_bytes_max = (size_t)128 * 1024,
    .intermediates_max = 6,
    .wall_ms_max = 2000,
};

struct pkix_request pkix_request_of_server(void)
{
    return (struct pkix_request){.purpose = PKIX_PURPOSE_SERVER};
}

/* A client's certificate has no name that is asked for, so what it may do is all that ties it to us; many private
 * authorities (AD CS) issue for anyExtendedKeyUsage, which RFC 5280 section 4.2.1.12 has stand for every use. A
 * server's is held to serverAuth: whoever gets hold of a mail or code signing certificate must not become a web site.
 */
struct pkix_request pkix_request_of_client(enum pkix_client_usage usage)
{
    return (struct pkix_request){.purpose = PKIX_PURPOSE_CLIENT, .client_usage = usage, .any_extended_key_usage = true};
}

static enum pkix_error verify_signature(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    const struct pkix_store *store = ctx;

    return pkix_nss_verify(statement, spki, store->keys);
}

static enum pkix_error look_at_signature(void *ctx, const struct pkix_signed *statement, struct span spki,
                                         unsigned *cost_us)
{
    (void)ctx;
    return pkix_signature_look(statement, spki, cost_us);
}

static enum pkix_error check_revocation(void *ctx, struct pkix_search *search, const struct pkix_cert *cert,
                                        const struct pkix_cert *issuer, enum pkix_role role, const char **what)
{
    (void)ctx;
    return pkix_revocation_check(search, cert, issuer, role, what);
}

static const struct pkix_domain nss_domain = {
    .look_at_signature = look_at_signature,
    .verify_signature = verify_signature,
    .check_revocation = check_revocation,
    .now_ms = base_now_ms,
};

/* RFC 7633: a server that promises to staple has to, with a good response. */
static enum pkix_error check_must_staple(const struct pkix_search *s)
{
    bool must_staple;
    enum pkix_error error;

    if (s->request->revocation == PKIX_REVOCATION_OFF || s->request->purpose != PKIX_PURPOSE_SERVER)
        return PKIX_OK;
    error = pkix_check_tls_feature_of_leaf(&s->leaf, &must_staple);
    if (error == PKIX_OK && must_staple && (s->revocation != PKIX_REVOCATION_GOOD_OCSP || s->leaf_was_asked_about))
        error = PKIX_TLS_FEATURE_MISSING;
    return error;
}

/* What is asked of the leaf when there is a good path. */
static enum pkix_error check_leaf_claims(const struct pkix_search *s)
{
    enum pkix_error error = check_must_staple(s);

    if (error != PKIX_OK || s->request->name.type == PKIX_NAME_NONE)
        return error;
    return pkix_name_check(&s->leaf, &s->request->name);
}

enum pkix_error pkix_verify(const struct pkix_store *store, const struct pkix_request *request,
                            struct pkix_verdict **verdict)
{
    struct pkix_search *search = base_alloc(sizeof(*search));
    struct pkix_domain domain = nss_domain;
    enum pkix_error error;

    domain.ctx = (void *)(uintptr_t)store; /* verify_signature() keeps it const */
    error = pkix_search_init(search, store, &domain, request);
    if (error != PKIX_OK) {
        *verdict = pkix_verdict_create_unread(&search->leaf, error);
    } else {
        error = pkix_search_run(search);
        if (error == PKIX_OK)
            error = check_leaf_claims(search);
        if (error == PKIX_OK)
            pkix_search_remember(search);
        *verdict = pkix_verdict_create(search, error);
    }
    pkix_search_clear(search);
    free(search);
    return error;
}
