/* tokens/agent_client.h: one line to an agent, for any number of threads at once.
 *
 * All requests go over one connection and wait for their answers together: of the threads that wait, one (the *leader*)
 * reads the socket and hands out what comes, so there is no reader thread and no hop for a lone request.
 * The connection is made when first needed and again whenever it broke. A request whose connection broke is sent once
 * more within its deadline: the agent was replaced, and another listens on the same socket.
 * libc only, so that it fits into the shim as well. */
#ifndef YETT_TOKENS_AGENT_CLIENT_H
#define YETT_TOKENS_AGENT_CLIENT_H

#include "tokens/wire.h"

struct agent_client;

/* Does not connect yet. socket_path is copied. */
struct agent_client *agent_client_create(const char *socket_path);
void agent_client_destroy(struct agent_client **client); /* while no thread is in agent_client_call() */

enum agent_client_status {
    AGENT_CLIENT_OK = 0,
    AGENT_CLIENT_TIMEOUT,     /* no answer by the deadline */
    AGENT_CLIENT_UNREACHABLE, /* no connection, or it broke twice */
    AGENT_CLIENT_BAD_REPLY    /* what came makes no sense */
};

/* Send a request (its id and timeout_ms are set here) and wait for the reply at most timeout_ms. The reply's spans
 * point into *frame, which the caller frees; it is NULL unless OK. */
MUST_CHECK enum agent_client_status agent_client_call(struct agent_client *client,
                                                      const struct tokens_wire_request *request, uint32_t timeout_ms,
                                                      struct tokens_wire_reply *reply, uint8_t **frame);

/* A sentence for a status other than OK. */
const char *agent_client_status_text(enum agent_client_status status);

#endif
