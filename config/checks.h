/* config/checks.h: what must hold between options, once each for itself is good.
 *
 * Pure: completes a struct config (defaults that depend on other options, the places of some) and adds findings. A
 * check whose options did not parse is left out, so that one mistake is one finding. */
#ifndef YETT_CONFIG_CHECKS_H
#define YETT_CONFIG_CHECKS_H

#include "config/findings.h"
#include "config/options.h"

/* A section as it was written. */
struct section {
    enum option_section kind;
    size_t index; /* among the modules or services of the config */
    struct config_place place;
    unsigned lines[OPTION_COUNT]; /* where each option is; 0: nowhere */
    bool bad[OPTION_COUNT];       /* it is there and its value is not good */
};

void checks_run(struct config *config, const struct section *sections, size_t section_count,
                struct config_findings *findings);

#endif
