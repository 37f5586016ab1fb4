/* proxy/control/token_metrics.h: the metrics of each token, part of metrics_text(). Pure. */
#ifndef YETT_PROXY_CONTROL_TOKEN_METRICS_H
#define YETT_PROXY_CONTROL_TOKEN_METRICS_H

#include "base/base.h"
#include <jansson.h>
#include <stdio.h>

/* `modules`: of the status object. */
void token_metrics_print(FILE *out, const json_t *modules);

#endif
