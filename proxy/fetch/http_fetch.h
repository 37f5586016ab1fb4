/* proxy/fetch/http_fetch.h: one plain-HTTP request and its answer, on a thread that may wait.
 *
 * For OCSP responders, CRLs and issuers, whose answers are signed: plain http only, no proxies, no redirects, no
 * cookies, one request a connection. The deadline is absolute and holds for everything, finding the address included:
 * getaddrinfo() cannot be stopped, so it runs on a thread of its own that is forgotten when the time is up (at most
 * LIMIT_FETCH_LOOKUPS such threads; one more is a failure). A *stop* ends it earlier, from another thread.
 * Threads: any, but never the loop's. */
#ifndef YETT_PROXY_FETCH_HTTP_FETCH_H
#define YETT_PROXY_FETCH_HTTP_FETCH_H

#include "base/buffer.h"
#include "starttls/target.h"

enum { HTTP_FETCH_URL_BYTES_MAX = 1024 };

struct http_url {
    char host[STARTTLS_HOST_BYTES_MAX + 1]; /* a name in lower case, or a literal without brackets */
    uint16_t port;
    struct span authority; /* as written, for the Host field; both borrow the URL */
    struct span target;    /* path and query; size 0: "/" */
};

/* http://HOST[:PORT][/...], printable ASCII without a user or a fragment. */
MUST_CHECK bool http_url_parse(struct span text, struct http_url *url);

/* Where the request may go: a name in a certificate must not take us behind our own firewall. */
enum http_fetch_reach { HTTP_FETCH_ANYWHERE, HTTP_FETCH_PUBLIC_ONLY /* starttls_address_denied_by_default() */ };

/* For requests that must end when the process wants to. Set once and for good, by any thread. */
struct http_fetch_stop;

struct http_fetch_stop *http_fetch_stop_create(void); /* NULL: out of descriptors */
void http_fetch_stop_set(struct http_fetch_stop *stop);
void http_fetch_stop_destroy(struct http_fetch_stop **stop); /* when no request uses it */

/* Whose word the URL is: an authority's that leads to one of our anchors, or that of anybody who connects. Strangers
 * have a part of the lookups only, LIMIT_FETCH_LOOKUPS_STRANGERS, so that names for which no server answers keep nobody
 * from asking authorities. */
enum http_fetch_word { HTTP_FETCH_WORD_AUTHORITYS, HTTP_FETCH_WORD_STRANGERS };

struct http_fetch_request {
    struct http_url url;
    const char *content_type; /* NULL: GET. Otherwise POST of the body */
    struct span body;
    uint64_t deadline_ms; /* of base_now_ms() */
    uint32_t silence_ms;  /* how long one step may bring nothing, be it bytes or a connection; 0: until the deadline */
    size_t answer_max;    /* bytes of the answer's body */
    enum http_fetch_reach reach;
    enum http_fetch_word word;
    const struct http_fetch_stop *stop; /* NULL: none. Once it is set: HTTP_FETCH_LATE */
};

enum http_fetch_status {
    HTTP_FETCH_OK,
    HTTP_FETCH_LATE,        /* the deadline passed */
    HTTP_FETCH_UNREACHABLE, /* no address, no connection, or it broke */
    HTTP_FETCH_OVERLOAD,    /* it was not asked: too many lookups, or no descriptor. Says nothing about the server */
    HTTP_FETCH_DENIED,      /* no address that may be reached */
    HTTP_FETCH_BAD_ANSWER,  /* not HTTP, not 200, or too long */
};

/* The body of a 200 answer goes to *answer (base_alloc()ed, the caller's; NULL otherwise); otherwise a sentence to
 * *error, the caller's. */
MUST_CHECK enum http_fetch_status http_fetch(const struct http_fetch_request *request, uint8_t **answer, size_t *size,
                                             char **error);

#endif
