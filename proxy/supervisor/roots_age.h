/* proxy/supervisor/roots_age.h: how old the list is that services with trust = mozilla go by. Threads: any. */
#ifndef YETT_PROXY_SUPERVISOR_ROOTS_AGE_H
#define YETT_PROXY_SUPERVISOR_ROOTS_AGE_H

#include "config/config.h"

#include <jansson.h>

/* Whether a service of the configuration trusts Mozilla's list, by name or by default. */
bool roots_are_used(const struct config *config);

/* As a generation of workers has read the list. */
struct roots_age {
    bool known; /* false: nobody uses the list, or the kept one cannot be read, which those who do use it have said */
    bool kept;  /* false: what is compiled in */
    int64_t date;
};

/* Reads the kept list, a file: once for a configuration, not whenever somebody looks. */
struct roots_age roots_age_read(const struct config *config);

/* {"kept", "date", "age_seconds"}; the caller's. NULL: it is not known. */
json_t *roots_age_status(const struct roots_age *age);

/* Warn of a list that is used and older than PKIX_ROOTS_AGE_DAYS_MAX. */
void roots_age_check(const struct config *config, struct config_findings *findings);

#endif
