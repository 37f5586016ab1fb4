/* proxy/fetch/failed_hosts.h: servers that did not answer a moment ago, so that one that hangs costs one timeout.
 *
 * A *host* is "NAME:PORT". A bounded table: a new failure takes the place of the oldest one. No clock, no locks: a
 * function of its arguments; the caller locks. */
#ifndef YETT_PROXY_FETCH_FAILED_HOSTS_H
#define YETT_PROXY_FETCH_FAILED_HOSTS_H

#include "proxy/fetch/http_fetch.h"
#include "proxy/process/limits.h"

enum { FAILED_HOST_NAME_SIZE = STARTTLS_HOST_BYTES_MAX + 1 + 5 + 1 /* a fetcher's mark */ + 1 };

struct failed_hosts {
    struct {
        char name[FAILED_HOST_NAME_SIZE];
        uint64_t failed_ms;
    } items[LIMIT_FAILED_HOSTS];
    size_t count;
};

void failed_host_name(const struct http_url *url, char out[static FAILED_HOST_NAME_SIZE]);

/* Whether it failed less than `memory_ms` ago. */
bool failed_hosts_has(const struct failed_hosts *f, const char *name, uint64_t now_ms, uint64_t memory_ms);

/* What came of a request: it failed when it was late or not reached, and is forgotten when it answered, whatever it
 * said. */
void failed_hosts_note(struct failed_hosts *f, const char *name, enum http_fetch_status status, uint64_t now_ms);

#endif
