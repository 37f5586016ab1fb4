/* tokens/agent/agent_conn.h: connections of those who want signatures: accepting, reading requests, making jobs of
 * them, answering. Private to tokens/agent/. Threads: the main thread's, where nothing else is said. */
#ifndef YETT_TOKENS_AGENT_AGENT_CONN_H
#define YETT_TOKENS_AGENT_AGENT_CONN_H

#include "tokens/agent/agent_state.h"

/* All that wait, as far as there is room; those who may not connect are closed. */
void agent_conns_accept(struct agent *agent);
/* What poll() has seen. False: it has ended, or does not speak the protocol: close it. */
MUST_CHECK bool agent_conn_serve(struct agent *agent, struct conn *conn, short events);
/* The last of agent->front.conns takes its place. Its jobs are cancelled, as far as nobody works on them. */
void agent_conn_close(struct agent *agent, size_t index);

/* For struct agent_events. Any thread: straight to the socket; the main thread sends what a slow client leaves. */
void agent_conn_reply(struct agent *agent, struct conn *conn, const struct tokens_wire_reply *reply);
void agent_conn_unref(struct agent *agent, struct conn *conn);
void agent_conn_wake(struct agent *agent); /* any thread: the main thread looks about */

#endif
