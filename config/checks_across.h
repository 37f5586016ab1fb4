/* config/checks_across.h: what must hold between the sections of a configuration: no two listen at one place, no two
 * have one name, and [yett] itself listens where only this machine comes in. Pure, as config/checks.h. */
#ifndef YETT_CONFIG_CHECKS_ACROSS_H
#define YETT_CONFIG_CHECKS_ACROSS_H

#include "config/findings.h"

/* Also makes config.doors. `control_place`: where `control` is set; line 0: nowhere. */
void checks_run_across(struct config *config, struct config_place control_place, struct config_findings *findings);

#endif
