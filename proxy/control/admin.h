/* proxy/control/admin.h: the admin endpoint: plain HTTP/1.1 for monitoring, on loopback or a Unix socket only.
 *
 *   GET /metrics   Prometheus text
 *   GET /healthz   200 "ok" while connections are accepted, else 503
 *   GET /status    what `yett status --json` prints
 *
 * It only shows; nothing can be changed here. One request a connection. On an IP address the Host field must be a
 * literal or "localhost": a page in somebody's browser could otherwise read all this under a name that it lets resolve
 * to 127.0.0.1. A request and its answer have ADMIN_REQUEST_MS_MAX; of ADMIN_CLIENTS_MAX connections at a time the
 * oldest that has not asked anything makes room for a new one. Threads: the loop's. */
#ifndef YETT_PROXY_CONTROL_ADMIN_H
#define YETT_PROXY_CONTROL_ADMIN_H

#include "config/config.h"
#include "proxy/control/operations.h"
#include <uv.h>

struct admin;

enum { ADMIN_CLIENTS_MAX = 32, ADMIN_REQUEST_MS_MAX = 5000 };

/* NULL with a sentence in *error. what `desk` can is asked of its data, which is borrowed, the address copied. */
struct admin *admin_start(uv_loop_t *loop, const struct config_address *address, struct control_desk desk,
                          char **error);
void admin_stop(struct admin **admin); /* NULL-safe; memory goes when the loop has run once more */

/* The address it was made for; text and place are not kept. */
const struct config_address *admin_address(const struct admin *admin);

/* Whether a Host field is a literal or "localhost", with or without a port. Pure. */
bool admin_host_is_local(struct span host);

#endif
