/* proxy/commands/control_client.h: one question to the running yett, over its control socket. See
 * proxy/control/control_server.h. Blocking; for commands. Threads: one. */
#ifndef YETT_PROXY_COMMANDS_CONTROL_CLIENT_H
#define YETT_PROXY_COMMANDS_CONTROL_CLIENT_H

#include "proxy/commands/command_line.h"
#include <jansson.h>

enum control_wait {
    CONTROL_ANSWER,  /* for the answer */
    CONTROL_THE_END, /* and then until yett has ended */
};

/* Where the control socket is: --control, or else what the configuration says. A configuration with errors, such as one
 * that the running yett has refused, is good enough for that. Owned by the caller. */
char *control_client_path(const struct command_line *c);

/* Takes `request`. The reply, which has "ok": true, or NULL after having said why on standard error: nobody answers, or
 * the answer was no. The reply is the caller's reference. */
json_t *control_client_ask(const struct command_line *c, json_t *request, enum control_wait wait);

/* The same for a request that a secret line follows; the secret stays the caller's. */
json_t *control_client_ask_with_secret(const struct command_line *c, json_t *request, const char *secret);

#endif
