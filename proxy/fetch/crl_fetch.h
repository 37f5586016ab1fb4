/* proxy/fetch/crl_fetch.h: CRLs from distribution points, fetched by threads of their own.
 *
 * A handshake never fetches: it plans a fetch and goes on (soft), or waits for it no longer than its asker's timeout
 * (hard); all that need the same list share one. What is there is kept, and fetched anew ahead of its end, by the rules
 * of proxy/fetch/crl_cache.h. A CRL is judged before it is shared (pkix_crl_set_accept()), so that whoever answers in a
 * server's place can keep us from a list, but cannot bring us a false one. Why URLs in certificates are followed at
 * all, and where they may lead: proxy/fetch/ocsp_fetch.h. An *asker* is one side of one service. Its deadline, and
 * where it may go, are its own; what was fetched is shared by all askers of a process that may go to the same places.
 * Threads: any may ask, the loop's too. LIMIT_CRL_THREADS fetch; they are made when first needed, so that a worker's
 * are in its sandbox. */
#ifndef YETT_PROXY_FETCH_CRL_FETCH_H
#define YETT_PROXY_FETCH_CRL_FETCH_H

#include "pkix/verify.h"
#include "proxy/process/counters.h"
#include "proxy/fetch/http_fetch.h"

struct crl_fetch;

struct crl_fetch *crl_fetch_create(void);
void crl_fetch_destroy(struct crl_fetch **f); /* when nobody asks any more; ends what is under way */

struct crl_asker {
    struct crl_fetch *fetch;
    uint32_t timeout_ms; /* how long a handshake waits, with hard */
    enum http_fetch_reach reach;
    struct counters_block *counters; /* NULL: nothing is counted */
};

/* For tls/. The asker is borrowed until the fetcher is destroyed. */
struct pkix_crl_source crl_fetch_source(const struct crl_asker *asker);

/* Requests sent until now. */
uint64_t crl_fetch_requests(struct crl_fetch *f);

#endif
