/* pkix/nss_crypto.h: the cryptography pkix/ needs, from NSS.
 *
 * NSS must be initialised. Safe from any thread. NSS's algorithm policy is asked: what the administrator has disabled
 * there does not verify here. */
#ifndef YETT_PKIX_NSS_CRYPTO_H
#define YETT_PKIX_NSS_CRYPTO_H

#include "pkix/cert.h"
#include "pkix/key.h"

struct pkix_nss_keys; /* pkix/nss_keys.h */

/* Verify a signature with the key of `spki` (whole SubjectPublicKeyInfo). PKIX_BAD_SIGNATURE,
 * PKIX_WEAK_SIGNATURE_ALGORITHM (SHA-1, or disabled by policy), PKIX_WEAK_KEY, PKIX_UNSUPPORTED_KEY. `keys` remembers
 * keys that had good signatures; NULL: the key is imported for this signature alone. */
MUST_CHECK enum pkix_error pkix_nss_verify(const struct pkix_signed *statement, struct span spki,
                                           struct pkix_nss_keys *keys);

/* Whether NSS can use the public key: what a signature check finds out about an issuer's key, for a key that has signed
 * nothing. A point that is not on its curve is refused. */
MUST_CHECK bool pkix_nss_takes_key(struct span spki);

/* Hash `data`; `out` has room for pkix_digest_size(digest) bytes. False when NSS fails. */
MUST_CHECK bool pkix_nss_digest(enum pkix_digest digest, struct span data, uint8_t *out);

#endif
