/* proxy/fetch/revocation.h: what the services of a process know of revoked certificates.
 *
 * CRLs are read once at start, each set shared by the services that name the same files; a reload starts new workers,
 * which read them again. What OCSP responders said, and CRLs that were fetched, are shared by all services of the
 * process. Threads: opened and destroyed by one thread; what tls/ borrows is immutable or locks for itself. */
#ifndef YETT_PROXY_FETCH_REVOCATION_H
#define YETT_PROXY_FETCH_REVOCATION_H

#include "config/config.h"
#include "proxy/process/counters.h"
#include "tls/engine.h"

struct revocation;

/* `config` must outlive it. */
struct revocation *revocation_create(const struct config *config);
void revocation_destroy(struct revocation **r); /* after the last TLS context that uses it */

/* How a service checks the certificates of one of its sides, whose anchors are `trust`. Findings where a CRL cannot be
 * read. What the result points to lives with `r`. */
struct tls_revocation revocation_open(struct revocation *r, const struct config_service *service,
                                      const struct config_trust *trust, size_t trust_count,
                                      struct config_findings *findings);

/* From now on what is fetched is counted. After the last revocation_open(), before anybody asks; `counters` must
 * outlive it. */
void revocation_count(struct revocation *r, struct counters *counters);

#endif
