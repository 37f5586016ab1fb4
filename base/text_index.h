/* base/text_index.h: finds one text among many, and the number that stands for it.
 *
 * For what an administrator may configure thousands of: to look through a list for each of them would take the square
 * of their number. The texts are borrowed and must live, unchanged, as long as the index. It forgets nothing: who takes
 * something away clears it and adds the rest. Hashes are no defence against a peer who chooses the texts
 * (span_hash()). Threads: one at a time. */
#ifndef YETT_BASE_TEXT_INDEX_H
#define YETT_BASE_TEXT_INDEX_H

#include "base/base.h"

struct text_index_place;

struct text_index { /* begins as zeros */
    struct text_index_place *places;
    size_t place_count; /* a power of two, or 0 */
    size_t count;       /* texts */
};

enum { TEXT_INDEX_NONE = -1 };

/* The number of `text`, or TEXT_INDEX_NONE. */
ptrdiff_t text_index_find(const struct text_index *x, const char *text);

/* `text` is not there yet (asserted). `number` at most PTRDIFF_MAX. */
void text_index_add(struct text_index *x, const char *text, size_t number);

/* Frees its memory; it is empty then, and may be used again. */
void text_index_clear(struct text_index *x);

#endif
