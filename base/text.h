/* base/text.h: a text file as lines: the one rule for every file that people write.
 *
 * One UTF-8 byte order mark at the start is passed over (editors put it there). A line ends with LF, CR LF or a lone
 * CR; the last one need not end. What is text in another encoding, or no text, is told by base_text_problem().
 * What it does not do: read files (base/file.h), comments, meaning. Nothing is copied. Pure. */
#ifndef YETT_BASE_TEXT_H
#define YETT_BASE_TEXT_H

#include "base/span.h"

struct base_text {
    struct span rest;
    unsigned line; /* number of the line taken last; 0: none yet */
};

/* From the first line of `text`, which is lent. */
struct base_text base_text_of(struct span text);

/* The next line without its end, lent from the text; false at the end of the text. */
MUST_CHECK bool base_text_next(struct base_text *t, struct span *line);

/* NULL, or why the bytes are no text that we read, as "has a NUL in it", static. *line gets the number of the line,
 * or 0 when it is about the file as a whole. */
const char *base_text_problem(struct span text, unsigned *line);

/* Blanks (space, TAB) around it taken off. */
struct span base_text_trim(struct span line);

/* The next word of *line, which moves on behind it and the blanks there; size 0: there is none. */
struct span base_text_word(struct span *line);

/* Seconds since 1970 for people and in JSON, of UTC: "2026-01-31T12:00:00Z", or the day alone, "2026-01-31". What no
 * calendar has is written as the number. Returns `out`. */
enum { BASE_TEXT_TIME_SIZE = 32 };
const char *base_text_time(int64_t seconds, char out[static BASE_TEXT_TIME_SIZE]);
const char *base_text_day(int64_t seconds, char out[static BASE_TEXT_TIME_SIZE]);

/* What a hexadecimal digit stands for; -1: it is none. */
int base_text_hex_digit(uint8_t c);

#endif
