/* pkix/verify.h: is this chain good, for this name, purpose and time, and if not, why?
 *
 * The words: the *leaf* is the peer's own certificate; *extras* are the other certificates it sent, in any order and
 * of no trust; an *anchor* is a certificate trusted by configuration; a *path* runs from the leaf to an anchor.
 *
 * What it does not do: no sockets, no clock, no configuration, no logging. Time is an argument. NSS must be
 * initialised (its cryptography is used); nothing of CERT_VerifyCert* or CERT_PKIXVerifyCert is.
 * Threads: a store is immutable once verification begins and is shared by all threads; a verification may run on any.
 */
#ifndef YETT_PKIX_VERIFY_H
#define YETT_PKIX_VERIFY_H

#include "pkix/error.h"
#include "pkix/request.h"
#include "pkix/verdict.h"

struct pkix_store;

/* Build and check a path. Always creates *verdict (owned by the caller), also on failure, with the explanation.
 * Returns PKIX_OK or the ranked error (pkix/error.h). */
MUST_CHECK enum pkix_error pkix_verify(const struct pkix_store *store, const struct pkix_request *request,
                                       struct pkix_verdict **verdict);

#endif
