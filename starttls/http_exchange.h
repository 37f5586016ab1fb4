/* starttls/http_exchange.h: between http_connect.c, which reads the request, and http_exchange.c, which watches what
 * follows. Private to starttls/. See starttls_exchange_create() in starttls/starttls.h. */
#ifndef YETT_STARTTLS_HTTP_EXCHANGE_H
#define YETT_STARTTLS_HTTP_EXCHANGE_H

#include "starttls/http_forward.h"

/* A request that has been read. */
struct http_request {
    enum starttls_request kind;
    struct http_forward forward;
    struct buffer head; /* for the server; of no tunnel */
};

struct starttls_filter *http_exchange_create(const struct http_forward *request);

#endif
