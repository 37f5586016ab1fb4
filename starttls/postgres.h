/* starttls/postgres.h: the parts of PostgreSQL's protocol 3.0, each a file of its own, which postgres.c joins. Private
 * to starttls/. */
#ifndef YETT_STARTTLS_POSTGRES_H
#define YETT_STARTTLS_POSTGRES_H

#include "starttls/machine.h"

extern const struct machine_class postgres_probe_class; /* postgres_probe.c */
extern const struct filter_class postgres_filter_class; /* postgres_filter.c */

/* What a client begins with has no type: a length, which counts itself, and a code ("Message Formats" of PostgreSQL's
 * manual). */
enum {
    POSTGRES_HEAD_BYTES = 8,
    POSTGRES_CANCEL_BYTES = 16, /* with a key of four bytes; protocol 3.2 has longer ones */
    POSTGRES_CANCEL_BYTES_MAX = 12 + 256,
};

enum postgres_opening {
    POSTGRES_OPENING_NONE, /* nothing that opens a connection */
    POSTGRES_OPENING_STARTUP,
    POSTGRES_OPENING_CANCEL,
    POSTGRES_OPENING_SSL,
    POSTGRES_OPENING_GSS,
};

/* What `head`, POSTGRES_HEAD_BYTES of it, opens; *size: of all of it. */
enum postgres_opening postgres_opening_of(const uint8_t *head, size_t *size); /* postgres.c */

/* The number in four bytes. */
static inline uint32_t postgres_number(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

#endif
