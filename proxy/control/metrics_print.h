/* proxy/control/metrics_print.h: how Prometheus's text is written; for metrics.c and its parts. */
#ifndef YETT_PROXY_CONTROL_METRICS_PRINT_H
#define YETT_PROXY_CONTROL_METRICS_PRINT_H

#include "base/base.h"
#include <jansson.h>
#include <stdio.h>

/* A label's value: backslash, quote and newline are escaped. */
void metrics_print_escaped(FILE *out, const char *text);
/* type: "gauge", "counter", "histogram" */
void metrics_print_head(FILE *out, const char *name, const char *help, const char *type);
/* A string of an object; "" where there is none. */
const char *metrics_text_of(const json_t *object, const char *key);

#endif
