/* starttls/smtp.h: the parts of SMTP and LMTP, each a file of its own, which smtp.c joins. Private to starttls/. */
#ifndef YETT_STARTTLS_SMTP_H
#define YETT_STARTTLS_SMTP_H

#include "starttls/line_filter.h"
#include "starttls/machine.h"

extern const struct machine_class smtp_probe_class;      /* smtp_probe.c */
extern const struct line_filter_class smtp_filter_class; /* smtp_filter.c */

#endif
