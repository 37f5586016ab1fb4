/* proxy/fetch/issuer_fetch.h: issuers that a peer did not send, fetched while a handshake waits on the pool.
 *
 * The URL is in a certificate that nobody has verified: whoever may connect chooses it. So it is only followed to hosts
 * that the administrator has named; where he has named no host in full, to public addresses only; as plain http to the
 * port that goes with the host, without redirects; and an *asker*, one service, sends at most LIMIT_ISSUER_FETCHES
 * requests in LIMIT_ISSUER_WINDOW_MS, with at most LIMIT_ISSUER_ASKING of its threads held up at a time.
 * What came for a URL, and that nothing did, is remembered for LIMIT_ISSUER_MEMORY_MS; those that ask for what is on
 * its way wait for it, each no longer than its own deadline. A host that did not answer is not asked for anything else
 * meanwhile. What comes is not looked at here: it is a candidate for pkix/, as if the peer had sent it.
 * Threads: any but the loop's may ask. */
#ifndef YETT_PROXY_FETCH_ISSUER_FETCH_H
#define YETT_PROXY_FETCH_ISSUER_FETCH_H

#include "config/config.h"
#include "pkix/verify.h"
#include "proxy/fetch/http_fetch.h"

struct issuer_fetch;

struct issuer_fetch *issuer_fetch_create(void);
void issuer_fetch_destroy(struct issuer_fetch **f); /* when nobody asks any more */

/* For tls/: a source that may ask these hosts (borrowed), or NULL when there are none. One for each list, however
 * often it is asked for; it lives with `f`. */
const struct pkix_issuer_source *issuer_fetch_open(struct issuer_fetch *f, const struct config_issuer_host *hosts,
                                                   size_t host_count, uint32_t timeout_ms);

/* Whether an entry of the list allows the URL, and where it may lead then: one that names the host says that it may be
 * anywhere. */
MUST_CHECK bool issuer_fetch_allows(const struct config_issuer_host *hosts, size_t host_count,
                                    const struct http_url *url, enum http_fetch_reach *reach);

/* Requests sent until now. */
uint64_t issuer_fetch_requests(struct issuer_fetch *f);

#endif
