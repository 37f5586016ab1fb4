/* starttls/line.h: CRLF lines out of pieces of any size. Private to starttls/.
 *
 * The one place where bytes from before TLS become lines. It is strict: a line ends with CRLF and nothing else, since
 * two parsers that disagree about a bare LF or CR are how commands are smuggled past one of them; NUL is never part of
 * a line. The result does not depend on how the bytes were cut. */
#ifndef YETT_STARTTLS_LINE_H
#define YETT_STARTTLS_LINE_H

#include "base/buffer.h"

enum line_text { LINE_TEXT_ASCII, LINE_TEXT_EIGHT_BIT };

enum line_status {
    LINE_NEED_MORE,
    LINE_COMPLETE,
    /* Faults. They are sticky: a reader that met one reads no more. */
    LINE_TOO_LONG,
    LINE_BARE_LF,
    LINE_BARE_CR,
    LINE_NUL,
    LINE_NOT_ASCII,
    LINE_TOO_MUCH, /* never from line_put(): the machine's own budget for a conversation */
    LINE_STATUS_COUNT
};

struct line_reader {
    struct buffer held;
    enum line_text text;
    enum line_status status;
};

/* `size_max` counts the CRLF. */
void line_init(struct line_reader *r, size_t size_max, enum line_text text);
void line_wipe(struct line_reader *r);

/* Take bytes up to the end of one line or a fault. With LINE_COMPLETE, *line is the line without its CRLF, valid until
 * the next call. *consumed counts the byte at fault. */
MUST_CHECK enum line_status line_put(struct line_reader *r, struct span bytes, size_t *consumed, struct span *line);

/* What is wrong with a line, as the end of a sentence: "a line that ...". */
const char *line_fault_text(enum line_status fault);

#endif
