/* tests/unit/proxy/fake_world.h: what sessions need besides legs, without a loop: a clock, a plane, connectors, a log.
 *
 * Linked in the place of plane.c, connect.c and log.c, and of libuv's clock. */
#ifndef YETT_TESTS_UNIT_PROXY_FAKE_WORLD_H
#define YETT_TESTS_UNIT_PROXY_FAKE_WORLD_H

#include "proxy/session/session_internal.h"

enum { FAKE_TURNS_MAX = 1024 }; /* so many handshakes may wait for a turn */

extern uint64_t fake_now_ms;
void fake_world_restart(void); /* the clocks, as at first */

/* A line for who follows what happens; off at first. */
extern bool fake_traces;
void fake_trace(const char *fmt, ...) PRINTF_LIKE(1, 2);

extern size_t fake_turns_max;                        /* of planes that are started from now on */
extern void (*fake_on_turn_lost)(struct session *s); /* before it hears of it; NULL: nobody asks */

/* Of services with this configuration each; what they borrow must outlive it. */
void fake_plane_start(struct plane *p, struct services *services);
void fake_plane_stop(struct plane *p);
/* Sessions that wanted another turn get it. false: none did. */
bool fake_plane_take_turns(struct plane *p);

/* Connectors under way, and their outcomes. `session` is whose the connector was; the transport is the session's. */
size_t fake_connectors(void);
struct session *fake_connector_session(size_t index);
struct transport *fake_connect(size_t index);
void fake_connect_failed(size_t index, enum connect_status status);

struct session *fake_session_of(const struct leg_tls *t);

/* The line that a session leaves: told at once. `conn` is its id, "0.0.NUMBER". */
extern void (*fake_on_end)(const char *conn, const char *end, uint64_t received_bytes, uint64_t sent_bytes);

#endif
