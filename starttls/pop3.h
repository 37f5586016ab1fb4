/* starttls/pop3.h: the parts of POP3, each a file of its own, which pop3.c joins. Private to starttls/. */
#ifndef YETT_STARTTLS_POP3_H
#define YETT_STARTTLS_POP3_H

#include "starttls/list_filter.h"
#include "starttls/list_probe.h"

extern const struct list_probe_class pop3_probe_class;   /* pop3_probe.c */
extern const struct list_filter_class pop3_filter_class; /* pop3_filter.c */

/* How a server's line begins: RFC 1939 section 3, and "+ " for a challenge in RFC 5034 section 4. In any case, and with
 * whatever blank behind it, since a client may read it so. */
enum pop3_reply { POP3_REPLY_NONE, POP3_REPLY_OK, POP3_REPLY_ERR, POP3_REPLY_CHALLENGE };
enum pop3_reply pop3_reply_of(struct span line); /* pop3.c */

#endif
