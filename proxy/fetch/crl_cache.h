/* proxy/fetch/crl_cache.h: the CRLs that certificates point to, fetched or to be fetched.
 *
 * An *entry* is one list: the URLs of a certificate's distribution points, where requests may go, and the certificates
 * of the issuer that may sign it; the same for all certificates of that issuer which name these points. It keeps the
 * certificate it was made for: every CRL that comes is judged by it. A *flight* is a fetch of an entry that is under
 * way.
 * - A CRL counts until its nextUpdate and is fetched anew ahead of it: after half of what is left, LIMIT_CRL_REFRESH_MS
 * at most, spread so that workers and lists do not come together.
 * - While it counts, no older CRL takes its place (pkix_crl_is_older(): by thisUpdate, and by the numbers where both
 * have one); afterwards, none with an earlier thisUpdate: who is on the way to the server cannot bring back an old one.
 * - A failure leaves the CRL that is there alone.
 * - What nobody has asked for in LIMIT_CRL_UNUSED_MS is dropped. Entries and bytes are limited
 * (proxy/process/limits.h); the one least recently asked for goes first, but none in flight or waited for. No clock, no
 * sockets, no locks, no randomness: a function of its arguments; the caller locks. */
#ifndef YETT_PROXY_FETCH_CRL_CACHE_H
#define YETT_PROXY_FETCH_CRL_CACHE_H

#include "pkix/crl.h"
#include "pkix/verify.h"
#include "proxy/fetch/http_fetch.h"

/* In due_ms: it is not to be fetched. */
#define CRL_NEVER UINT64_MAX

/* Times in _ms are of base_now_ms(). Only the fields below the line are for others to change. */
struct crl_entry {
    struct crl_entry *next;
    struct pkix_crl_question question; /* that made it; its spans live with the entry, and do not change */
    enum http_fetch_reach reach;
    uint8_t *bytes;           /* what the spans borrow */
    size_t size;              /* of bytes, and of the set */
    struct pkix_crl_set *set; /* NULL: none */
    int64_t this_update;      /* of the newest CRL there was; next_update: of `set` */
    int64_t next_update;
    uint64_t used_ms;
    uint64_t due_ms;
    uint64_t failed_ms;
    const char *failure;     /* why the last flight brought nothing, static; NULL: it did, or there was none */
    bool failed_by_overload; /* it was for a want of ours, and is not remembered */
    uint64_t planned_ms;     /* since when somebody may be waiting for the flight that is due or under way */
    bool flying;
    unsigned landings;
    /* ---- */
    unsigned waiters;
    enum pkix_revocation revocation; /* of who asked last */
    const void *asker;               /* likewise */
    uint32_t allowance_ms;           /* how long those wait who planned its flight */
};

struct crl_cache;

struct crl_cache *crl_cache_create(void);
void crl_cache_destroy(struct crl_cache **cache); /* nothing is in flight or waited for */

/* The entry that a question is about, which counts as asked for now; NULL: none. */
struct crl_entry *crl_cache_find(struct crl_cache *cache, const struct pkix_crl_question *question,
                                 enum http_fetch_reach reach, uint64_t now_ms);

/* A new one, with nothing in it and nothing planned. NULL: the certificates are too large (LIMIT_CRL_ENTRY_BYTES_MAX),
 * or no entry may be dropped for it. */
struct crl_entry *crl_cache_add(struct crl_cache *cache, const struct pkix_crl_question *question,
                                enum http_fetch_reach reach, uint64_t now_ms);

/* A reference to the CRL that counts at `time` (seconds since 1970), the caller's; NULL: none. One that has expired is
 * dropped. */
struct pkix_crl_set *crl_cache_take(struct crl_cache *cache, struct crl_entry *e, int64_t time);

/* Have it fetched at `due_ms`, or earlier if that is planned already. Not when it flies. */
void crl_cache_plan(struct crl_entry *e, uint64_t due_ms, uint64_t now_ms);

/* The entry to fetch now, one that is waited for if there is one, which flies from then on; NULL with *due_ms, when
 * there will be one (CRL_NEVER). Drops entries that nobody asks for any more. */
struct crl_entry *crl_cache_take_off(struct crl_cache *cache, uint64_t now_ms, uint64_t *due_ms);

/* Whether a set of one CRL is older than what the entry has, and so must not land. */
bool crl_cache_is_older(const struct crl_entry *e, const struct pkix_crl_set *set, int64_t time);

enum crl_landing { CRL_LANDED, CRL_LANDED_NO_ROOM };

/* How a flight ends well: with a set of one CRL that is not older, accepted (pkix_crl_set_accept()) at `time`, whose
 * reference is taken. CRL_LANDED_NO_ROOM: it has failed, and the set is gone. `jitter`: random, below CRL_JITTER_RANGE.
 */
enum { CRL_JITTER_RANGE = 1024 };
MUST_CHECK enum crl_landing crl_cache_land(struct crl_cache *cache, struct crl_entry *e, struct pkix_crl_set *set,
                                           int64_t time, uint64_t now_ms, unsigned jitter);

/* How a flight ends badly; `why` is static. */
void crl_cache_fail(struct crl_cache *cache, struct crl_entry *e, const char *why, int64_t time, uint64_t now_ms,
                    unsigned jitter);

size_t crl_cache_count(const struct crl_cache *cache);
size_t crl_cache_size(const struct crl_cache *cache); /* bytes of all entries and sets */

#endif
