/* proxy/process/secret_source.h: where a command is told to get a PIN or a password from; never from its command line,
 * where every user of the machine could read it. */
#ifndef YETT_PROXY_PROCESS_SECRET_SOURCE_H
#define YETT_PROXY_PROCESS_SECRET_SOURCE_H

#include "config/config.h"
#include "tokens/pin.h"

/* "file:PATH", "env:NAME", "credential:NAME" or "prompt" (also NULL); false: it is none of them. */
MUST_CHECK bool secret_source_parse(const char *text, enum tokens_pin_source *source, const char **value);

/* What yett.conf has as `pin`. */
enum tokens_pin_source secret_source_configured(enum config_pin_type type);

/* One that is new: with a prompt it is asked for twice, since nobody sees what they type. `what`: "PIN", "password".
 * NULL with *error, which has to be NULL before. */
struct tokens_pin *secret_read_new(enum tokens_pin_source source, const char *value, const char *what, char **error);

#endif
