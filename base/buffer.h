/* base/buffer.h: a byte queue with a ceiling.
 *
 * Bytes go in at the end and come out at the front. Storage is allotted when the first byte comes and given back
 * by buffer_release() or, with buffer_trim(), when it is empty: an idle connection keeps nothing. Storage grows by
 * doubling up to `size_max`, given at init, and never past it.
 * Not thread-safe: one owner at a time. Pointers lent are valid until the next call on the same buffer. */
#ifndef YETT_BASE_BUFFER_H
#define YETT_BASE_BUFFER_H

#include "base/span.h"

struct buffer {
    uint8_t *data;
    size_t start;    /* offset of the first byte held */
    size_t size;     /* bytes held */
    size_t capacity; /* bytes allotted */
    size_t size_max; /* ceiling, bytes */
};

void buffer_init(struct buffer *b, size_t size_max);

/* Frees the storage; what it held is lost. The buffer may be used again. NULL-safe storage. */
void buffer_release(struct buffer *b);

/* As buffer_release(), after wiping what was held. For buffers that held secrets or plain text before TLS. */
void buffer_wipe(struct buffer *b);

/* Gives the storage back if nothing is held. */
void buffer_trim(struct buffer *b);

/* How many more bytes it takes before its ceiling. */
static inline size_t buffer_room(const struct buffer *b)
{
    return b->size_max - b->size;
}

/* Append all of `bytes`, or nothing. Returns false when that would pass the ceiling. */
MUST_CHECK bool buffer_append(struct buffer *b, struct span bytes);
MUST_CHECK bool buffer_printf(struct buffer *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Append as much of `bytes` as fits; returns how many. For bytes that are passed on as they are; what is written anew,
 * and may grow, goes through a sink (base/sink.h). */
MUST_CHECK size_t buffer_append_some(struct buffer *b, struct span bytes);

/* Lend at least `size_wanted` writable bytes at the end (fewer if the ceiling is nearer; *size says how many, and may
 * be more than wanted). Follow with buffer_commit() of what was written. */
uint8_t *buffer_reserve(struct buffer *b, size_t size_wanted, size_t *size);
void buffer_commit(struct buffer *b, size_t size);

/* What is held, in one piece. */
static inline struct span buffer_span(const struct buffer *b)
{
    return span_of(b->size == 0 ? NULL : b->data + b->start, b->size);
}

/* What is held, from then on the caller's to free(), without a copy where nothing was consumed before; the buffer is
 * empty. NULL with size 0 when nothing is held. */
uint8_t *buffer_take(struct buffer *b, size_t *size);

/* Drop the first `size` bytes. MUST NOT exceed what is held. */
void buffer_consume(struct buffer *b, size_t size);

#endif
