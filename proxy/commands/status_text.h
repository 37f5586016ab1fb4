/* proxy/commands/status_text.h: the status object and the list of connections for a person to read. Pure but for the
 * stream. */
#ifndef YETT_PROXY_COMMANDS_STATUS_TEXT_H
#define YETT_PROXY_COMMANDS_STATUS_TEXT_H

#include "base/base.h"
#include <jansson.h>
#include <stdio.h>

/* `status`: as in supervisor_status(); `reply`: as in supervisor_connections(). */
void status_text_print(const json_t *status, FILE *out);
void status_text_print_connections(const json_t *reply, FILE *out);

enum { STATUS_DURATION_SIZE = 32, STATUS_BYTES_SIZE = 24 };
/* "3 d 4 h", "12 min 5 s"; "1.5 MiB". Return `out`. */
const char *status_text_duration(uint64_t seconds, char out[STATUS_DURATION_SIZE]);
const char *status_text_bytes(uint64_t bytes, char out[STATUS_BYTES_SIZE]);

#endif
