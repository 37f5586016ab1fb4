/* proxy/control/metrics.h: the status object as Prometheus text (version 0.0.4). Pure. */
#ifndef YETT_PROXY_CONTROL_METRICS_H
#define YETT_PROXY_CONTROL_METRICS_H

#include "base/base.h"
#include <jansson.h>

/* `status` is what supervisor_status() gives. The text is the caller's to free. */
char *metrics_text(const json_t *status);

#endif
