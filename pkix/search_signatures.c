/* see pkix/search_signatures.h */
#include "pkix/search_signatures.h"

/* The hash of what signs a certificate, made once however many keys are tried on it. A leaf of which several issuers of
 * one name are tried is hashed once. */
static bool digest_of(struct pkix_signatures *s, const struct pkix_cert *cert, uint8_t digest[PKIX_CACHE_KEY_SIZE])
{
    for (unsigned i = 0; i < s->digest_count; i++) {
        if (s->digests[i].cert == cert) {
            memcpy(digest, s->digests[i].digest, PKIX_CACHE_KEY_SIZE);
            return true;
        }
    }
    if (!pkix_signature_cache_digest(&cert->outer, digest))
        return false;
    if (s->digest_count < PKIX_DIGEST_MEMO_MAX) {
        s->digests[s->digest_count].cert = cert;
        memcpy(s->digests[s->digest_count++].digest, digest, PKIX_CACHE_KEY_SIZE);
    }
    return true;
}

/* `digest` is the statement's, or NULL when it could not be made. */
static enum pkix_error verify_signature(struct pkix_signatures *s, const struct pkix_signed *statement,
                                        const uint8_t *digest, struct span spki)
{
    struct pkix_signature_cache *cache = s->cache;
    uint8_t key[PKIX_CACHE_KEY_SIZE];
    /* Under the statement, its signature and the key together: no part of it may be another's. */
    bool has_key = digest != NULL && pkix_signature_cache_key(digest, spki, key);
    unsigned cost_us;
    enum pkix_error error;

    /* What cannot be a signature costs nothing and does not count. It also never reaches NSS, nor the cache. */
    if ((error = s->domain->look_at_signature(s->domain->ctx, statement, spki, &cost_us)) != PKIX_OK)
        return error;
    if (has_key && pkix_signature_cache_has(cache, key))
        return PKIX_OK;
    if ((error = pkix_budget_take_signature(s->budget, cost_us)) != PKIX_OK)
        return error;
    error = s->domain->verify_signature(s->domain->ctx, statement, spki);
    /* Good ones only: a bad answer kept would let one peer's forgery, or one failure of the library, stand against
     * the real one. */
    if (error == PKIX_OK && has_key)
        pkix_signature_cache_put(cache, key);
    return error;
}

/* A list's or a response's: asked about once, so only the cache of good ones is worth looking into. */
enum pkix_error pkix_signatures_verify(struct pkix_signatures *s, const struct pkix_signed *statement, struct span spki)
{
    uint8_t digest[PKIX_CACHE_KEY_SIZE];

    return verify_signature(s, statement, pkix_signature_cache_digest(statement, digest) ? digest : NULL, spki);
}

/* Each pair of certificate and issuer's key is looked at once in a verification, good or bad. By the key and not by the
 * issuer's certificate: with many certificates of one key a peer makes many paths, but no more pairs. So a lattice
 * costs at most the square of what was sent, and not what its paths come to. */
enum pkix_error pkix_signatures_verify_child(struct pkix_signatures *s, const struct pkix_cert *child, struct span spki)
{
    uint8_t digest[PKIX_CACHE_KEY_SIZE];
    enum pkix_error error;

    for (unsigned i = 0; i < s->memo_count; i++)
        if (s->memo[i].child == child && span_equal(s->memo[i].spki, spki))
            return s->memo[i].error;
    error = verify_signature(s, &child->outer, digest_of(s, child, digest) ? digest : NULL, spki);
    /* That there was no budget left is no property of the pair. When the memo is full a pair is verified again, on the
     * budget. */
    if (error != PKIX_LIMIT_EXCEEDED && s->memo_count < PKIX_SIGNATURE_MEMO_MAX)
        s->memo[s->memo_count++] = (struct pkix_signature_memo){child, spki, error};
    return error;
}
