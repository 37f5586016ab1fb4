/* base/sink.h: text that is written anew into a bounded buffer, with the room for it declared first.
 *
 * Whoever rewrites what a peer said may make it longer, and a peer chooses how often. So a rewriter says beforehand how
 * much it will write at most, computed from what it was given and a named constant for its growth, and gets that room
 * or nothing:
 *
 *       sink_open(&sink, out, line.size + GROWTH_MAX);
 *       sink_put_text(&sink, "REFUSED-");
 *       sink_put(&sink, verb);
 *       if (!sink_close(&sink))
 *           return broken(...);
 *
 * Nothing of it is in the buffer before sink_close() says so: what passes the declared room is never written, the fault
 * is kept, and the buffer is left as it was. There is no way to write past the room, none to send a half of what was
 * meant, and none by which a peer's bytes stop the process. A sink that is never closed has written nothing.
 *
 * Where bytes are passed on as they are, and as many as fit will do, use buffer_append_some(). */
#ifndef YETT_BASE_SINK_H
#define YETT_BASE_SINK_H

#include "base/buffer.h"

struct sink {
    struct buffer *out;
    uint8_t *space; /* lent by `out` until the sink is closed */
    size_t room;    /* declared, bytes */
    size_t size;    /* written so far, bytes */
    bool overflowed;
};

/* Declare that at most `room` bytes come. Where `out` has less left before its ceiling, the sink has overflowed from
 * the start; look at buffer_room() first where one can wait for it. `out` MUST NOT be touched until the sink is closed,
 * or is used no more. */
void sink_open(struct sink *s, struct buffer *out, size_t room);

/* Write all of it, or nothing of it or of what comes after it. */
void sink_put(struct sink *s, struct span bytes);
void sink_put_text(struct sink *s, const char *text);
void sink_printf(struct sink *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Append what was written to the buffer. False: it did not fit, and the buffer is as it was. */
MUST_CHECK bool sink_close(struct sink *s);

#endif
