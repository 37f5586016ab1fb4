/* proxy/control/control_server.h: the control socket: where `yett status` and its siblings talk to a running yett.
 *
 * A Unix stream socket, of mode 0600 unless [control] names others; who may ask for what is decided for each peer by
 * proxy/control/control_roles.h, and those without any role are told so and turned away. One JSON object a line, each
 * way; a client's requests are answered in order:
 *
 *   {"command": "status"}              {"ok": true, "status": {...}}
 *   {"command": "connections"}         {"ok": true, "connections": [...], "left_out": 0, "complete": true}
 *   {"command": "reload"}              {"ok": true}  or  {"ok": false, "error": "FILE:LINE: ...\nFILE:LINE: ..."}
 *   {"command": "login", "module": "hsm", "token": LABEL, "serial": NUMBER}, and the PIN as a line of its own (never in
 *                                      JSON, so that it can be wiped). Which token may be left out: the one that waits
 *                                      {"ok": true, "text": ...} when it is logged in, or the PIN is kept; else the
 * error
 *   {"command": "logout", "module": "hsm"}
 *                                      {"ok": true}: the agent was told, and signs nothing more once it has read it
 *   {"command": "drain"}               {"ok": true}
 *   {"command": "stop", "now": false}  {"ok": true}; the connection closes shortly before yett has ended
 *
 * Threads: the loop's. */
#ifndef YETT_PROXY_CONTROL_CONTROL_SERVER_H
#define YETT_PROXY_CONTROL_CONTROL_SERVER_H

#include "base/base.h"
#include "proxy/control/operations.h"
#include <uv.h>

struct control_server;

/* CONTROL_GUESTS_MAX: of the clients, those who are not administrators. */
enum { CONTROL_CLIENTS_MAX = 32, CONTROL_GUESTS_MAX = 24, CONTROL_REQUEST_MAX = 4096 /* bytes of a line */ };

/* The folder of `path` is made (0755) when it is missing. NULL with a sentence in *error: also when another yett
 * answers there. what `desk` can is asked of its data, which is borrowed. */
struct control_server *control_server_start(uv_loop_t *loop, const char *path, struct control_desk desk, char **error);
/* NULL-safe. Closes all clients and removes the socket; memory goes when the loop has run once more. No request may be
 * under way any more. */
void control_server_stop(struct control_server **server);

/* From now on (takes; NULL: root and our own user alone), also for those who are connected. */
struct control_roles;
void control_server_set_roles(struct control_server *server, struct control_roles *roles);

const char *control_server_path(const struct control_server *server);

#endif
