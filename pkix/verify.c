/* see pkix/verify.h */
#include "pkix/verify.h"
#include "pkix/crl_signers.h"
#include "pkix/names.h"
#include "pkix/nss_crypto.h"
#include "pkix/revocation.h"
#include "pkix/search.h"
#include "pkix/signature.h"
#include "pkix/store_internal.h"
#include "pkix/verdict_create.h"

#include <stdlib.h>

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

static const struct pkix_domain nss_domain = {
    .look_at_signature = look_at_signature,
    .verify_signature = verify_signature,
    .check_revocation = pkix_revocation_check,
    .find_crl_signers = pkix_crl_signers_find_more,
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
    if (error == PKIX_OK && must_staple &&
        (s->notes.revocation != PKIX_REVOCATION_GOOD_OCSP || s->notes.leaf_was_asked_about))
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
