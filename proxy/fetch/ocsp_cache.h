/* proxy/fetch/ocsp_cache.h: what OCSP responders have said, remembered by Gecko's rules.
 *
 * - A statement that a certificate is revoked is never replaced and never dropped.
 * - A statement that it is unknown is never dropped, but replaced by a newer one.
 * - An older statement (thisUpdate) never replaces a newer one, unless it says revoked.
 * - A failure is remembered beside what is known, and never replaces it.
 * - At most OCSP_CACHE_ENTRIES_MAX certificates, the least recently asked for dropped first. When none may be dropped,
 *   nothing new is kept: that costs time, never an answer.
 * No clock, no sockets, no locks: a function of its arguments; the caller locks. */
#ifndef YETT_PROXY_FETCH_OCSP_CACHE_H
#define YETT_PROXY_FETCH_OCSP_CACHE_H

#include "pkix/verify.h"

enum { OCSP_CACHE_ENTRIES_MAX = 1024 };

struct ocsp_cache;

struct ocsp_cache *ocsp_cache_create(void);
void ocsp_cache_destroy(struct ocsp_cache **cache);

/* PKIX_OK, PKIX_REVOKED and PKIX_OCSP_UNKNOWN_CERT are statements; anything else is a failure at `now_ms`. */
void ocsp_cache_put(struct ocsp_cache *cache, const uint8_t key[static PKIX_EVIDENCE_KEY_SIZE],
                    const struct pkix_statement *statement, uint64_t now_ms);

enum ocsp_cache_answer {
    OCSP_CACHE_NOTHING,
    OCSP_CACHE_STATEMENT, /* that holds at `time`, in *statement */
    OCSP_CACHE_FAILURE,   /* less than `failure_ms` ago; which one is in statement->error */
};
enum ocsp_cache_answer ocsp_cache_get(struct ocsp_cache *cache, const uint8_t key[static PKIX_EVIDENCE_KEY_SIZE],
                                      int64_t time, uint64_t now_ms, uint64_t failure_ms,
                                      struct pkix_statement *statement);

size_t ocsp_cache_count(const struct ocsp_cache *cache);

#endif
