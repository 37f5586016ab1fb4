/* pkix/crl.h: certificate revocation lists (RFC 5280 section 5).
 *
 * A set is filled once and then immutable and shared, like a store, with counted references. Each CRL is parsed when it
 * is added: its numbers are sorted, so that looking one up does not depend on the size of the list.
 *
 * Used: complete CRLs, signed by the certificate's own issuer with the issuer's own key, of the scope that fits. Not
 * used, and so no statement: delta and indirect CRLs, CRLs for some reasons only, unknown critical extensions in the
 * list or in an entry, no CRL number or a critical one, no next update. */
#ifndef YETT_PKIX_CRL_H
#define YETT_PKIX_CRL_H

#include "pkix/cert.h"

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

/* How a CRL's signature is verified; PKIX_OK or why not. */
typedef enum pkix_error pkix_verify_statement(void *ctx, const struct pkix_signed *statement, struct span spki);

/* What the set says about a certificate. `signers`: certificates of the certificate's issuer that have been verified,
 * the one that signed it first: an authority that has changed its key may sign its CRLs with either. PKIX_OK: in none
 * of at least one CRL that fits. PKIX_REVOKED. Otherwise nothing is known, and why: PKIX_REVOCATION_UNKNOWN (there is
 * none), PKIX_CRL_EXPIRED, PKIX_CRL_NOT_YET_VALID, PKIX_CRL_BAD_SIGNATURE, PKIX_CRL_UNUSABLE (issuer may not sign
 * CRLs), PKIX_LIMIT_EXCEEDED. */
MUST_CHECK enum pkix_error pkix_crl_set_check(const struct pkix_crl_set *set, const struct pkix_cert *cert,
                                              const struct pkix_cert *const *signers, size_t signer_count, int64_t time,
                                              pkix_verify_statement *verify, void *ctx);

/* Judge a set of one CRL that has just come, before it is shared, by the certificate it was fetched for: `cert` and
 * `signers` are DER, as for pkix_crl_set_check(), and NSS verifies. PKIX_OK: it can be believed about the certificate,
 * whether or not it lists it. Otherwise why not, as above, and PKIX_BAD_DER. Afterwards pkix_crl_set_check() takes the
 * signature for good with the key it was found good with: a large CRL is hashed once, and not by a handshake. */
enum { PKIX_CRL_ACCEPT_SIGNERS_MAX = 16 };
MUST_CHECK enum pkix_error pkix_crl_set_accept(struct pkix_crl_set *set, struct span cert, const struct span *signers,
                                               size_t signer_count, int64_t time);

/* For listings: issuer as text is pkix_dn_text() of this. */
struct pkix_crl_info {
    struct span der;
    struct span issuer; /* whole Name */
    int64_t this_update, next_update;
    size_t revoked_count;
    struct span number; /* contents of the INTEGER */
};

/* Of the set's CRL of that index, below pkix_crl_set_count(); its spans live with the set. */
struct pkix_crl_info pkix_crl_set_info(const struct pkix_crl_set *set, size_t index);

/* Compares CRL numbers (RFC 5280 section 5.2.3), contents of INTEGERs that are not negative: below 0, 0 or above. */
int pkix_crl_number_compare(struct span a, struct span b);

/* Parse one CRL without a set; every span borrows `der`. PKIX_CRL_MALFORMED, PKIX_CRL_UNUSABLE. */
MUST_CHECK enum pkix_error pkix_crl_info_read(struct span der, struct pkix_crl_info *info);

/* The name of a file for the CRL, the same for each of this issuer and scope: hexadecimal SHA-256 of the issuer, and of the
 * scope where there is one, with ".crl". False for what pkix_crl_info_read() refuses. */
enum { PKIX_CRL_FILE_NAME_SIZE = 64 + 1 + 64 + 4 + 1 };
MUST_CHECK bool pkix_crl_file_name(struct span der, char out[PKIX_CRL_FILE_NAME_SIZE]);

#endif
