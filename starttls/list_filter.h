/* starttls/list_filter.h: a filter of a protocol whose replies are one line, or a line with a list behind it up to a
 * lone dot (RFC 1939 section 3, RFC 3977 section 3.1.1). Private to starttls/. For POP3 and NNTP.
 *
 * Which it is, only the command tells, and a client may pipeline; so commands without a whole reply are remembered. Of
 * the list of what the server can do the lines are left out that must not be offered inside TLS. */
#ifndef YETT_STARTTLS_LIST_FILTER_H
#define YETT_STARTTLS_LIST_FILTER_H

#include "starttls/line_filter.h"

struct list_filter {
    struct line_filter l;
    struct pending_commands pending;
    bool in_list;      /* of the oldest command without a whole reply */
    bool line_goes_on; /* the server's is longer than what is held of it, and passes by */
    bool ends_with_it; /* then: the filter is over when the line has ended */
};

struct list_filter_class {
    struct line_filter_class lines; /* with list_filter_step_from_server() */

    /* A line that is not of a list, or its start: a greeting, or the answer to the oldest command. Writes it to the
     * sink, says in x->in_list whether a list follows, and takes the command out when it is answered. *is_over: nothing
     * is watched once the line has gone out. */
    enum starttls_status (*on_reply)(struct list_filter *x, struct span line, struct sink *sink, bool *is_over);

    unsigned capabilities;              /* the command whose list has the offers */
    bool (*is_offer)(struct span word); /* what must not be in it */
    size_t offer_bytes_max;             /* of the longest such word */
};

/* The oldest command is answered, with its list if it has one. */
void list_filter_answered(struct list_filter *x);

enum starttls_status list_filter_step_from_server(struct starttls_filter *f, struct span bytes, size_t *taken,
                                                  struct buffer *out);

#endif
