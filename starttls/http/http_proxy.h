/* starttls/http/http_proxy.h: what a session of an HTTP proxy asks besides starttls/starttls.h: pages of our own, what
 * the log may be told of a request, and how much memory heads take. */
#ifndef YETT_STARTTLS_HTTP_HTTP_PROXY_H
#define YETT_STARTTLS_HTTP_HTTP_PROXY_H

#include "starttls/starttls.h"

/* The most bytes that a head within these limits has when it has been written anew. */
size_t starttls_http_forwarded_max(const struct starttls_http_limits *limits);
/* The most memory that reading a head within these limits takes, bytes. */
size_t starttls_http_memory_max(const struct starttls_http_limits *limits);

/* What may be told of a request in a log: nothing of its path, its query or other fields, which are nobody's business.
 * Of other machines than HTTP's accepted one, nothing is known. */
struct starttls_request_facts {
    const char *method; /* "GET"; NULL while it is not known. Static */
    const char *host;   /* the Host field, where it names another host or port than the target; NULL otherwise. Lives
                         * with the machine */
    unsigned status;    /* of the response that the machine has given; 0: none */
};
struct starttls_request_facts starttls_request_facts(const struct starttls_machine *m);

/* What may be told to the *other* peer of what is wrong with this one: a sentence without a word of this one's, such as
 * that a head is over a limit, and which. "" where there is only starttls_error(). */
const char *starttls_public_error(const struct starttls_machine *m);
const char *starttls_filter_public_error(const struct starttls_filter *f);

/* Whether the machine broke off because what the peer says is more than options.http_limits let pass: proper, perhaps,
 * and an administrator's to raise. */
bool starttls_is_over_limit(const struct starttls_machine *m);

/* Append the page that an HTTP client gets in the place of what it asked for, and return its status code; 0 and nothing
 * where it has its 200 already (`greeted`): the tunnel is the target's then. `why`: in the place of the failure's own
 * words, a sentence; NULL or "": those words. `connection` as in struct starttls_options. */
struct starttls_http_page {
    enum starttls_failure failure;
    bool greeted;
    const char *why;
    const char *connection;
};
unsigned starttls_http_page(const struct starttls_http_page *page, struct buffer *out);

/* Bytes of memory that the machine, or the filter of an exchange, holds now. */
size_t starttls_machine_memory(const struct starttls_machine *m);
size_t starttls_exchange_memory(const struct starttls_filter *f);

#endif
