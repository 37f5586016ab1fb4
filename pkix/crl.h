/* pkix/crl.h: certificate revocation lists (RFC 5280 section 5).
 *
 * A set is filled once and then immutable and shared, like a store, with counted references. Each CRL is parsed when it
 * is added: its numbers are sorted, so that looking one up does not depend on the size of the list.
 *
 * Used: complete CRLs of the certificate's own issuer, signed with one of its keys, of the scope that fits. Not used,
 * and so no statement: delta and indirect CRLs, CRLs for some reasons only, unknown critical extensions in the list or
 * in an entry, a critical CRL number, no next update. A CRL without a number, or of version 1, is used unless the query
 * wants numbers: RFC 5280 section 5.2.3 binds who issues, section 6.3 validates without. */
#ifndef YETT_PKIX_CRL_H
#define YETT_PKIX_CRL_H

#include "pkix/cert.h"
#include "pkix/crl_info.h"
#include "pkix/revoked.h"
#include "pkix/signature.h"

struct pkix_crl_set;

struct pkix_crl_set *pkix_crl_set_create(void);
void pkix_crl_set_destroy(struct pkix_crl_set **set);

/* One CRL, DER, copied. False with a sentence in *error (the caller's) when it is malformed or of a kind that is not
 * used; `origin` names it there. */
MUST_CHECK bool pkix_crl_set_add(struct pkix_crl_set *set, struct span der, const char *origin, char **error);

/* The same, but `der` (from base_alloc() or the like) is taken, also on failure: a large one is not copied. */
MUST_CHECK bool pkix_crl_set_add_taken(struct pkix_crl_set *set, uint8_t *der, size_t size, const char *origin,
                                       char **error);

/* PEM or DER file, or a directory of them. */
MUST_CHECK bool pkix_crl_set_add_path(struct pkix_crl_set *set, const char *path, char **error);

size_t pkix_crl_set_count(const struct pkix_crl_set *set);

/* Bytes that the set takes: its CRLs and their indexes. */
size_t pkix_crl_set_memory(const struct pkix_crl_set *set);

/* One more reference to a set that is filled; each is given back with pkix_crl_set_destroy(). From any thread. */
struct pkix_crl_set *pkix_crl_set_share(struct pkix_crl_set *set);

/* What a list must have beside what every list must. */
enum pkix_crl_numbers { PKIX_CRL_NUMBER_OPTIONAL, PKIX_CRL_NUMBER_DEMANDED };

/* `signers`: certificates of the certificate's issuer that have been verified, the one that signed it first: an
 * authority that has changed its key may sign its CRLs with either (RFC 5280 section 6.3.3 (f)). */
struct pkix_crl_query {
    const struct pkix_cert *cert;
    const struct pkix_cert *const *signers;
    size_t signer_count;
    int64_t time; /* seconds since 1970 */
    enum pkix_crl_numbers numbers;
    pkix_verify_statement *verify;
    void *ctx;
};

struct pkix_crl_answer {
    enum pkix_error error;
    const struct pkix_crl_info *list;   /* PKIX_OK and PKIX_REVOKED: by which; lives with the set */
    struct pkix_revoked_when revoked;   /* PKIX_REVOKED */
    const struct pkix_crl_info *unused; /* one that is about the certificate and cannot be used, also beside one that
                                           can; NULL: none. Lives with the set */
    enum pkix_error unused_error;       /* why: one of the errors below */
};

/* What the set says about a certificate. PKIX_OK: in none of at least one CRL that fits. PKIX_REVOKED. Otherwise
 * nothing is known, and why: PKIX_REVOCATION_UNKNOWN (there is no list), PKIX_CRL_EXPIRED, PKIX_CRL_NOT_YET_VALID,
 * PKIX_CRL_BAD_SIGNATURE (of none of the signers), PKIX_CRL_UNUSABLE (no signer may sign CRLs, or it has no number),
 * PKIX_LIMIT_EXCEEDED. */
MUST_CHECK struct pkix_crl_answer pkix_crl_set_check(const struct pkix_crl_set *set,
                                                     const struct pkix_crl_query *query);

/* Judge a set of one CRL that has just come, before it is shared, by the certificate it was fetched for: `cert` and
 * `signers` are DER, as for pkix_crl_set_check(), and NSS verifies. PKIX_OK: it can be believed about the certificate,
 * whether or not it lists it. Otherwise why not, as above, and PKIX_BAD_DER. Afterwards pkix_crl_set_check() takes the
 * signature for good with the key it was found good with: a large CRL is hashed once, and not by a handshake. */
enum { PKIX_CRL_ACCEPT_SIGNERS_MAX = 16 };
MUST_CHECK enum pkix_error pkix_crl_set_accept(struct pkix_crl_set *set, struct span cert, const struct span *signers,
                                               size_t signer_count, int64_t time);

/* Of the set's CRL of that index, below pkix_crl_set_count(); its spans live with the set. */
struct pkix_crl_info pkix_crl_set_info(const struct pkix_crl_set *set, size_t index);

/* Parse one CRL without a set; every span borrows `der`. PKIX_CRL_MALFORMED, PKIX_CRL_UNUSABLE. */
MUST_CHECK enum pkix_error pkix_crl_info_read(struct span der, struct pkix_crl_info *info);

/* The name of a file for the CRL, the same for each of this issuer and scope: hexadecimal SHA-256 of the issuer, and of
 * the scope where there is one, with ".crl". False for what pkix_crl_info_read() refuses. */
enum { PKIX_CRL_FILE_NAME_SIZE = 64 + 1 + 64 + 4 + 1 };
MUST_CHECK bool pkix_crl_file_name(struct span der, char out[PKIX_CRL_FILE_NAME_SIZE]);

#endif
