/* see proxy/fetch/failed_hosts.h */
#include "proxy/fetch/failed_hosts.h"

#include <stdio.h>
#include <string.h>

void failed_host_name(const struct http_url *url, char out[static FAILED_HOST_NAME_SIZE])
{
    snprintf(out, FAILED_HOST_NAME_SIZE, "%s:%u", url->host, url->port);
}

bool failed_hosts_has(const struct failed_hosts *f, const char *name, uint64_t now_ms, uint64_t memory_ms)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->items[i].name, name) == 0)
            return now_ms - f->items[i].failed_ms < memory_ms;
    return false;
}

void failed_hosts_note(struct failed_hosts *f, const char *name, enum http_fetch_status status, uint64_t now_ms)
{
    bool failed = status == HTTP_FETCH_LATE || status == HTTP_FETCH_UNREACHABLE;
    size_t at = 0, oldest = 0;

    if (status == HTTP_FETCH_OVERLOAD)
        return;
    for (; at < f->count && strcmp(f->items[at].name, name) != 0; at++)
        if (f->items[at].failed_ms < f->items[oldest].failed_ms)
            oldest = at;
    if (!failed) {
        if (at < f->count)
            f->items[at] = f->items[--f->count];
        return;
    }
    if (at == f->count && f->count < LIMIT_FAILED_HOSTS)
        f->count++;
    else if (at == f->count)
        at = oldest;
    snprintf(f->items[at].name, sizeof(f->items[at].name), "%s", name);
    f->items[at].failed_ms = now_ms;
}
