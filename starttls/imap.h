/* starttls/imap.h: the parts of IMAP, each a file of its own, which imap.c joins. Private to starttls/. */
#ifndef YETT_STARTTLS_IMAP_H
#define YETT_STARTTLS_IMAP_H

#include "starttls/line_filter.h"
#include "starttls/machine.h"

extern const struct machine_class imap_probe_class;      /* imap_probe.c */
extern const struct line_filter_class imap_filter_class; /* imap_filter.c */

#endif
