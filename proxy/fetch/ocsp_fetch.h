/* proxy/fetch/ocsp_fetch.h: OCSP responders, asked while a handshake waits on the pool.
 *
 * A *responder* is host and port of an http URL in a certificate. An *asker* is one side of one service: its deadline
 * and where it may go; all askers of a process share what was learnt. A question is answered from memory if it can be;
 * otherwise one handshake fetches and those that ask the same wait for it, each no longer than its own deadline.
 * Why URLs in certificates are followed at all: pkix/ asks only about certificates whose signatures it has verified up
 * to an anchor, so the URL is an authority's word, not the peer's. With HTTP_FETCH_PUBLIC_ONLY it still cannot lead to
 * addresses that are not public: the world's authorities know nothing of ours, and some issue to anybody.
 * A responder that did not answer is remembered, so that soft revocation pays for it with one timeout, not with one for
 * each connection (LIMIT_OCSP_FAILURE_SOFT_MS).
 * Threads: any but the loop's may ask; with PKIX_MUST_NOT_WAIT the loop's too. */
#ifndef YETT_PROXY_FETCH_OCSP_FETCH_H
#define YETT_PROXY_FETCH_OCSP_FETCH_H

#include "pkix/verify.h"
#include "proxy/fetch/http_fetch.h"

struct ocsp_fetch;

struct ocsp_fetch *ocsp_fetch_create(void);
void ocsp_fetch_destroy(struct ocsp_fetch **f); /* when nobody asks any more */

struct ocsp_asker {
    struct ocsp_fetch *fetch;
    uint32_t timeout_ms; /* for one question, waiting for others included */
    enum http_fetch_reach reach;
};

/* For tls/. The asker is borrowed while the source is used. */
struct pkix_evidence_source ocsp_fetch_source(const struct ocsp_asker *asker);

/* Requests sent until now. */
uint64_t ocsp_fetch_requests(struct ocsp_fetch *f);

#endif
