/* A conversation with a machine, fed in every possible way of cutting it.
 *
 * A row says what the peer sends and what must come of it; conversation_check() runs it whole, in pieces of 1, 2, ...
 * bytes, and cut in two at every offset, and wants the same result each time. */
#ifndef YETT_TESTS_STARTTLS_CONVERSATION_H
#define YETT_TESTS_STARTTLS_CONVERSATION_H

#include "starttls/starttls.h"

enum side { ACCEPTED, CONNECTED, PROBED };
enum upgrade { PLAIN, UPGRADE };

/* The bytes of a string literal, NULs included. */
#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                                \
    }

struct conversation {
    const char *name; /* what the row shows; printed when it fails */
    enum starttls_protocol protocol;
    enum side side;
    enum upgrade upgrade;
    struct span input;
    enum starttls_status want;
    const char *want_output;                        /* all of it, greeting included ... */
    struct span want_bytes;                         /* ... or, where that is NULL, as bytes of any kind */
    struct span want_early;                         /* with READY: what is kept for the server */
    bool opens_here, cancels_in_clear;              /* of struct starttls_options */
    const char *want_error;                         /* a part of the error sentence; NULL: there must be none */
    const char *target;                             /* connected HTTP CONNECT: the host to ask for (port 443) */
    const struct starttls_http_limits *http_limits; /* NULL: the defaults */
    size_t want_left;                               /* bytes at the end of the input that must not be taken */
};

void conversation_check(const struct conversation *row);
void conversation_check_table(const struct conversation *rows, size_t count);

/* For input that goes on after the hinge, which is at offset `hinge`. Cut anywhere but there, the conversation must
 * end as the row says; cut there, the machine must say UPGRADE, and the rest is TLS's to choke on. */
void conversation_check_early(const struct conversation *row, size_t hinge);

/* A new machine for the row. */
struct starttls_machine *conversation_create(const struct conversation *row);

#endif
