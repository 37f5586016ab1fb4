/* config/doors.h: addresses that services share, and which of them can: what a client hears, and has to say, before it
 * has said a server name must not depend on where it goes. Pure, as config/checks.h. */
#ifndef YETT_CONFIG_DOORS_H
#define YETT_CONFIG_DOORS_H

#include "config/findings.h"

/* Makes config->doors, and tells each address its own. Services that cannot share one are findings, where the later one
 * listens. */
void doors_make(struct config *config, struct config_findings *findings);
void doors_clear(struct config *config);

/* An address as one text, the same for all ways to write it; owned by the caller. */
char *doors_address_text(const struct config_address *address);

#endif
