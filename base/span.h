/* base/span.h: borrowed bytes, and a cursor over them that cannot run past the end.
 *
 * A span never owns. Who makes one says until when it is valid. */
#ifndef YETT_BASE_SPAN_H
#define YETT_BASE_SPAN_H

#include "base/base.h"
#include <string.h>

struct span {
    const uint8_t *data; /* may be NULL only when size is 0 */
    size_t size;         /* bytes */
};

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){.data = data, .size = size};
}

static inline struct span span_of_string(const char *text)
{
    return (struct span){.data = (const uint8_t *)text, .size = strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ASCII case-insensitive comparison; locale does not matter. */
bool span_equal_nocase(struct span a, struct span b);

/* How many bytes the character at the front of `s`, which is not empty, has in UTF-8 (RFC 3629: shortest form, no
 * surrogates), to *c; 0: it is none. */
MUST_CHECK size_t span_take_utf8(struct span s, uint32_t *c);

/* Whether it is well-formed UTF-8 (RFC 3629: shortest form, no surrogates) without control characters: C0, DEL, C1, and
 * the two line separators U+2028 and U+2029. */
bool span_is_clean_utf8(struct span s);
bool span_starts_with_nocase(struct span s, const char *prefix);

/* A hash that spreads bytes over a table: no defence against somebody who makes them collide. Only for tables in which
 * a peer can put nothing, or to which it can add only what was verified. */
uint64_t span_hash(struct span s);

/* The part of `s` after its first `count` bytes. `count` MUST NOT exceed s.size. */
static inline struct span span_skip(struct span s, size_t count)
{
    assert(count <= s.size);
    return count == 0 ? s : span_of(s.data + count, s.size - count);
}

#endif
