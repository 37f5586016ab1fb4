/* tokens/agent/agent_access.h: who may connect, and ask for what. Main thread. */
#ifndef YETT_TOKENS_AGENT_AGENT_ACCESS_H
#define YETT_TOKENS_AGENT_AGENT_ACCESS_H

#include "tokens/agent/agent_state.h"

MUST_CHECK bool agent_access_connect(struct agent *agent, int fd, struct conn *conn);
MUST_CHECK bool agent_access_request(struct agent *agent, const struct conn *conn,
                                     const struct tokens_wire_request *request);
void agent_access_take_client(struct agent *agent, const char *text);
void agent_access_take_grants(struct agent *agent, int file); /* file stays the caller's */

#endif
