/* starttls/sieve.h: the parts of ManageSieve, each a file of its own, which sieve.c joins. Private to starttls/. */
#ifndef YETT_STARTTLS_SIEVE_H
#define YETT_STARTTLS_SIEVE_H

#include "starttls/line_filter.h"
#include "starttls/machine.h"

extern const struct machine_class sieve_probe_class;      /* sieve_probe.c */
extern const struct line_filter_class sieve_filter_class; /* sieve_filter.c */

/* How a server's line begins (RFC 5804 section 4): a capability and a challenge begin with a string. In any case, and
 * with whatever blank behind it, since a client may read it so. */
enum sieve_reply { SIEVE_REPLY_NONE, SIEVE_REPLY_OK, SIEVE_REPLY_NO, SIEVE_REPLY_BYE, SIEVE_REPLY_STRING };
enum sieve_reply sieve_reply_of(struct span line); /* sieve.c */

/* The name in a capability's line, without its quotes; empty where it is not a quoted string. */
struct span sieve_capability_of(struct span line); /* sieve.c */

/* What must not be offered, or asked for, inside TLS: STARTTLS, and Dovecot's XCLIENT. */
bool sieve_is_refused(struct span name); /* sieve.c */

#endif
