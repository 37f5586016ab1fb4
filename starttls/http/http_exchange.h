/* starttls/http/http_exchange.h: between http_connect.c, which reads the request, and http_exchange.c, which watches
 * what follows. Private to starttls/. See starttls_exchange_create() in starttls/starttls.h. */
#ifndef YETT_STARTTLS_HTTP_HTTP_EXCHANGE_H
#define YETT_STARTTLS_HTTP_HTTP_EXCHANGE_H

#include "starttls/http/http_forward.h"

/* A request that has been read. */
struct http_request {
    enum starttls_request kind;
    struct http_forward forward;
    struct buffer head; /* for the server; of no tunnel */
};

/* The setting by which a head that is over a limit would be taken; "" where it is not over one. */
const char *http_limit_setting(enum starttls_http_kind kind, enum starttls_http_limit limit);

/* What is wrong with a head that is over a limit, and which setting it is, for whoever is not at fault: the caller's to
 * free(). NULL where no limit is. */
char *http_limit_text(enum starttls_http_kind kind, const struct starttls_http *head);

/* `limits` of responses is copied. */
struct starttls_filter *http_exchange_create(const struct http_forward *request,
                                             const struct starttls_http_limits *limits);

#endif
