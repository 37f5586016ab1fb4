/* proxy/session/wheel.h: many deadlines, one timer.
 *
 * A wheel of slots; an entry waits in the slot of its due time, and putting it in, moving it and taking it out cost the
 * same few instructions however many there are. Times are milliseconds of one clock the caller chooses. An entry is
 * called at its due time or up to WHEEL_TICK_MS later, or, when that lies beyond WHEEL_HORIZON_MS, early: who is called
 * looks at its own deadlines and puts itself in again. So a connection that moves data never touches the wheel.
 * Threads: one owner. */
#ifndef YETT_PROXY_SESSION_WHEEL_H
#define YETT_PROXY_SESSION_WHEEL_H

#include "base/base.h"

enum {
    WHEEL_TICK_MS = 64,
    WHEEL_SLOTS = 1024,
    WHEEL_TOGETHER = 16, /* slots: those beyond the horizon are called together with others, as far as they can be */
    WHEEL_HORIZON_MS = WHEEL_TICK_MS * (WHEEL_SLOTS - 1 - WHEEL_TOGETHER)
};

struct wheel_entry {
    struct wheel_entry *previous, *next; /* NULL: not in a wheel */
};

struct wheel {
    struct wheel_entry slots[WHEEL_SLOTS]; /* heads of rings */
    uint64_t tick;                         /* all slots up to and including this one have been called */
    size_t count;
};

void wheel_init(struct wheel *w, uint64_t now_ms);

/* Put in or move. Returns when it is to be called, in milliseconds. */
uint64_t wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t due_ms);
void wheel_remove(struct wheel *w, struct wheel_entry *e); /* no effect when it is not in */

/* Call `on_due` for each entry whose time has come; it has been taken out. `on_due` may set and remove any entry. */
void wheel_advance(struct wheel *w, uint64_t now_ms, void (*on_due)(struct wheel_entry *e, void *context),
                   void *context);

/* When something is next to be called, in milliseconds; UINT64_MAX: the wheel is empty. */
uint64_t wheel_next_ms(const struct wheel *w);
/* Time has passed, and it is known that nothing became due (wheel_next_ms()): as wheel_advance() then, without looking.
 */
void wheel_skip(struct wheel *w, uint64_t now_ms);

#endif
