/* proxy/supervisor/supervisor.h: the process that keeps the others: configuration, sockets, workers, agents, reload,
 * stop.
 *
 * One libuv loop. It reads no byte of a peer: workers do; what they tell of one is an authority's certificate, from a
 * path that they have verified (proxy/supervisor/intermediates.h). What can be done to it goes through the functions
 * below, for signals and for the control socket alike.
 *
 * A *reload* reads the configuration anew and starts a whole new generation of workers on the same sockets; only when
 * all of them are ready are the old ones told to drain. Whatever fails before that changes nothing. A reload asked for
 * while one is under way is done after it, once, for all who asked.
 *
 * yett runs as the user it was started as; it takes no privileges and drops none. It keeps
 * secrets, so no other process of that user may look into it, and it leaves no core file. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_SUPERVISOR_H
#define YETT_PROXY_SUPERVISOR_SUPERVISOR_H

#include "base/span.h"
#include "proxy/control/operations.h"
#include <jansson.h>

struct supervisor;

enum supervisor_stop {
    SUPERVISOR_STOP_GRACEFULLY, /* drain first, at most drain_timeout */
    SUPERVISOR_STOP_NOW,
};

/* `yett run`: returns the exit status: 0 after a clean stop, 1 when it could not start (said on standard error). */
int supervisor_run(const char *config_path);

/* `done` is called once, perhaps before this returns. `report`: when not good, why, one finding a line. */
void supervisor_reload(struct supervisor *s, control_reloaded done, void *data);

/* Stop accepting and close the listening sockets; sessions go on until they end or drain_timeout is over. A reload
 * brings yett back into service. */
void supervisor_drain(struct supervisor *s);

/* End the process; a second call with SUPERVISOR_STOP_NOW cuts the first one short. */
void supervisor_stop(struct supervisor *s, enum supervisor_stop how);

/* An administrator gives a PIN for one token of a module: "LABEL\nSERIAL", of which either may be empty; both empty:
 * the one that waits for a PIN. `done` is told what came of it. `pin` stays the caller's to wipe. */
void supervisor_login(struct supervisor *s, const char *module, const char *token, struct span pin,
                      control_logged_in done, void *done_data);
MUST_CHECK bool supervisor_logout(struct supervisor *s, const char *module, char **error);

/* What `yett status --json` prints; the caller's reference. */
json_t *supervisor_status(const struct supervisor *s);

/* Whether connections are accepted: for load balancers. */
bool supervisor_is_in_service(const struct supervisor *s);

/* `done` gets an object with the list "connections", borrowed, within SUPERVISOR_GATHER_MS. Sessions beyond
 * SUPERVISOR_CONNECTIONS_MAX are counted in "left_out"; "complete" is false when a worker did not answer in time. */
enum { SUPERVISOR_GATHER_MS = 3000, SUPERVISOR_CONNECTIONS_MAX = 10000 };
void supervisor_connections(struct supervisor *s, control_gathered done, void *data);

/* All that, for the control socket and the admin endpoint. */
struct control_desk supervisor_desk(struct supervisor *s);

#endif
