/* see pkix/crl.h */
#include "pkix/crl.h"
#include "pkix/check.h"
#include "pkix/crl_parse.h"
#include "pkix/nss_crypto.h"
#include "pkix/pem.h"

#include <stdlib.h>

struct set_entry {
    uint8_t *der;
    struct pkix_crl crl;
};

struct pkix_crl_set {
    struct set_entry *entries;
    size_t count, capacity;
};

struct pkix_crl_set *pkix_crl_set_create(void)
{
    return base_alloc(sizeof(struct pkix_crl_set));
}

void pkix_crl_set_destroy(struct pkix_crl_set **set)
{
    if (*set == NULL)
        return;
    for (size_t i = 0; i < (*set)->count; i++) {
        pkix_crl_clear(&(*set)->entries[i].crl);
        free((*set)->entries[i].der);
    }
    free((*set)->entries);
    free(*set);
    *set = NULL;
}

bool pkix_crl_set_add(struct pkix_crl_set *set, struct span der, const char *origin, char **error)
{
    struct set_entry entry = {.der = base_memdup(der.data, der.size)};
    enum pkix_error status = pkix_crl_read(span_of(entry.der, der.size), &entry.crl);

    if (status != PKIX_OK) {
        *error = base_printf("%s: %s: %s", origin, pkix_error_name(status),
                             entry.crl.why != NULL ? entry.crl.why : pkix_error_sentence(status));
        pkix_crl_clear(&entry.crl);
        free(entry.der);
        return false;
    }
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 8 : 2 * set->capacity;
        set->entries = base_realloc_array(set->entries, set->capacity, sizeof(*set->entries));
    }
    set->entries[set->count++] = entry;
    return true;
}

static bool add_block(void *ctx, struct span der, const char *origin, char **error)
{
    return pkix_crl_set_add(ctx, der, origin, error);
}

bool pkix_crl_set_add_path(struct pkix_crl_set *set, const char *path, char **error)
{
    return pkix_pem_each_path(path, "CRL", add_block, set, error);
}

size_t pkix_crl_set_count(const struct pkix_crl_set *set)
{
    return set->count;
}

static enum pkix_error check_signer(const struct pkix_crl *crl, const struct pkix_cert *signer,
                                    pkix_verify_statement *verify, void *ctx)
{
    enum pkix_error error;

    if (pkix_check_key_usage(signer, PKIX_KU_CRL_SIGN) != PKIX_OK)
        return PKIX_CRL_UNUSABLE;
    error = verify(ctx, &crl->outer, signer->spki);
    return error == PKIX_OK || error == PKIX_LIMIT_EXCEEDED ? error : PKIX_CRL_BAD_SIGNATURE;
}

/* One CRL of the right name: PKIX_OK when it can be believed about the certificate, otherwise why not. */
static enum pkix_error check_usable(const struct pkix_crl *crl, const struct pkix_cert *const *signers,
                                    size_t signer_count, int64_t time, pkix_verify_statement *verify, void *ctx)
{
    enum pkix_error error = PKIX_REVOCATION_UNKNOWN;

    if (time < crl->info.this_update)
        return PKIX_CRL_NOT_YET_VALID;
    if (time > crl->info.next_update)
        return PKIX_CRL_EXPIRED;
    for (size_t i = 0; i < signer_count && error != PKIX_OK && error != PKIX_LIMIT_EXCEEDED; i++)
        error = check_signer(crl, signers[i], verify, ctx);
    return error;
}

/* All CRLs that fit are asked: one that lists the certificate is enough, whatever the others say. */
enum pkix_error pkix_crl_set_check(const struct pkix_crl_set *set, const struct pkix_cert *cert, bool is_ca,
                                   const struct pkix_cert *const *signers, size_t signer_count, int64_t time,
                                   pkix_verify_statement *verify, void *ctx)
{
    enum pkix_error result = PKIX_REVOCATION_UNKNOWN;

    for (size_t i = 0; i < set->count; i++) {
        const struct pkix_crl *crl = &set->entries[i].crl;
        enum pkix_error error;

        if (!span_equal(crl->info.issuer, cert->issuer) || !pkix_crl_covers(crl, cert, is_ca))
            continue;
        error = check_usable(crl, signers, signer_count, time, verify, ctx);
        if (error == PKIX_OK && pkix_crl_lists(crl, cert->serial))
            return PKIX_REVOKED;
        if (error == PKIX_LIMIT_EXCEEDED)
            return error;
        if (error == PKIX_OK || result == PKIX_REVOCATION_UNKNOWN)
            result = error;
    }
    return result;
}

/* Appends the digest of `bytes` in hexadecimal. */
static bool append_digest(struct span bytes, char **at)
{
    enum { SHA256_SIZE = 32 };
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[PKIX_DIGEST_SIZE_MAX];

    if (!pkix_nss_digest(PKIX_SHA256, bytes, digest))
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        *(*at)++ = digits[digest[i] >> 4];
        *(*at)++ = digits[digest[i] & 15];
    }
    return true;
}

static bool append_scope(const struct pkix_crl_scope *scope, char **at)
{
    uint8_t *bytes = base_alloc(scope->point.size + 2);
    bool appended;

    bytes[0] = scope->only_user;
    bytes[1] = scope->only_ca;
    if (scope->point.size != 0)
        memcpy(bytes + 2, scope->point.data, scope->point.size);
    *(*at)++ = '-';
    appended = append_digest(span_of(bytes, scope->point.size + 2), at);
    free(bytes);
    return appended;
}

bool pkix_crl_file_name(struct span der, char out[PKIX_CRL_FILE_NAME_SIZE])
{
    struct pkix_crl crl;
    char *at = out;
    bool named = pkix_crl_read(der, &crl) == PKIX_OK && append_digest(crl.info.issuer, &at) &&
                 (!crl.scope.present || append_scope(&crl.scope, &at));

    if (named)
        memcpy(at, ".crl", sizeof(".crl"));
    pkix_crl_clear(&crl);
    return named;
}
