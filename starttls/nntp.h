/* starttls/nntp.h: the parts of NNTP, each a file of its own, which nntp.c joins. Private to starttls/. */
#ifndef YETT_STARTTLS_NNTP_H
#define YETT_STARTTLS_NNTP_H

#include "starttls/list_filter.h"
#include "starttls/list_probe.h"

extern const struct list_probe_class nntp_probe_class;   /* nntp_probe.c */
extern const struct list_filter_class nntp_filter_class; /* nntp_filter.c */

/* The code of a server's line (RFC 3977 section 3.2), or 0. */
unsigned nntp_reply_code(struct span line); /* nntp.c */

enum {
    NNTP_CAPABILITIES_FOLLOW = 101,
    NNTP_POSTING_ALLOWED = 200,
    NNTP_POSTING_PROHIBITED = 201,
    NNTP_BEGIN_TLS = 382,
};

#endif
