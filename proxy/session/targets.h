/* proxy/session/targets.h: in which order the several targets of a service are tried, by `balance` and by how they did.
 *
 * A target that failed is *left alone* for a while, twice as long each time it fails again: it is tried behind all
 * others, and so no client waits for it while there is another; where all have failed, the one whose time is over first
 * is tried first, since nobody is refused without a try. What a target did is known from the sessions of this worker
 * alone (passive): each worker finds out for itself, and forgets with its generation. A service with one target has no
 * choice, and nothing is kept of it.
 * No clock, no log: functions of their arguments. Threads: loop only. */
#ifndef YETT_PROXY_SESSION_TARGETS_H
#define YETT_PROXY_SESSION_TARGETS_H

#include "proxy/service/service.h"

struct targets;

struct targets *targets_create(const struct services *services);
void targets_destroy(struct targets **t); /* NULL-safe; sets *t to NULL */

/* Whether there is a choice. NULL-safe: there is none. */
bool targets_has(const struct targets *t, size_t service);

/* The indexes of its targets in the order in which they are to be tried now, to `order`, with room for connect_count.
 */
void targets_order(struct targets *t, size_t service, uint64_t now_ms, size_t *order);

/* It could not be reached, or did not serve. True: it is left alone from now on, and was not before. */
bool targets_note_failed(struct targets *t, size_t service, size_t target, uint64_t now_ms);
/* It serves. True: it had been left alone. */
bool targets_note_good(struct targets *t, size_t service, size_t target);

/* A session is connected to it, and is no longer: what `balance = least` goes by. */
void targets_hold(struct targets *t, size_t service, size_t target);
void targets_release(struct targets *t, size_t service, size_t target);

/* How long it is left alone from its last failure on, in milliseconds; 0: it is not. */
uint32_t targets_alone_ms(const struct targets *t, size_t service, size_t target);

#endif
