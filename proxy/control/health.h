/* proxy/control/health.h: what a running yett lacks, told to who asks whether it is well. Pure. */
#ifndef YETT_PROXY_CONTROL_HEALTH_H
#define YETT_PROXY_CONTROL_HEALTH_H

#include "base/base.h"
#include <jansson.h>

/* A line for each token that is used and cannot sign now, each agent that does not run, and for services that wait for
 * a token; "": nothing is missing. `status` is what supervisor_status() gives. The text is the caller's to free. */
char *health_missing(const json_t *status);

#endif
