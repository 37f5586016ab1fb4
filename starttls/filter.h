/* starttls/filter.h: the form every filter of a relayed conversation has. Private to starttls/. */
#ifndef YETT_STARTTLS_FILTER_H
#define YETT_STARTTLS_FILTER_H

#include "base/sink.h"
#include "starttls/starttls.h"

enum { STARTTLS_DIRECTION_COUNT = 2 };

/* CONTAINER_OF() for the tables of constants that classes are. */
#define CONST_CONTAINER_OF(ptr, type, member) ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

struct filter_class {
    size_t size; /* of the struct that begins with a struct starttls_filter */
    void (*start)(struct starttls_filter *f);
    /* Take bytes of one side; see starttls_filter_put(). Called only while the status is NEED_MORE. Bytes of a line
     * are taken only while `out` has room for STARTTLS_FILTER_LINE_BYTES_MAX, the most that the end of a line can let
     * through; so nothing is ever finished and still waiting inside. What is passed on as it came goes by filter_pass()
     * or filter_move(); what is written anew goes through a sink, whose room is the line's own size and a named
     * constant for its growth. */
    enum starttls_status (*put[STARTTLS_DIRECTION_COUNT])(struct starttls_filter *f, struct span bytes,
                                                          size_t *consumed, struct buffer *out);
    /* Append what is held back of a direction, as far as `out` has room; true when nothing is left. */
    bool (*rest)(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out);
    enum starttls_status (*end)(struct starttls_filter *f, enum starttls_direction direction); /* NULL: NEED_MORE */
    void (*clear)(struct starttls_filter *f);
};

struct starttls_filter {
    const struct filter_class *class;
    enum starttls_protocol protocol;
    enum starttls_greeting greeting;
    enum starttls_status status;
    char *error; /* NULL while nothing is wrong */
    enum starttls_fault fault;
};

struct starttls_filter *filter_create(enum starttls_protocol protocol, enum starttls_greeting greeting,
                                      const struct filter_class *class);

/* Take bytes up to and including the next LF, as far as `line` has room. True when the line is complete; otherwise
 * `line` is full or the bytes are used up. */
MUST_CHECK bool filter_line_put(struct buffer *line, struct span bytes, size_t *consumed);

/* Wipe and free the storage of a line that has been let through: it may have held a password. */
void filter_line_forget(struct buffer *line);

/* A line without its CRLF or LF. Filters take LF alone as the end of a line, since many a server does, and what a
 * server takes for a command must not pass a filter unseen; they change no line end. */
struct span filter_line_text(struct span line);

/* Move all of `from` (or as much as fits) to the end of `out`; true when nothing is left. */
bool filter_move(struct buffer *from, struct buffer *out);

/* Straight through to the end of the line, as far as there is room. *ended: it has passed. Returns how many bytes. */
size_t filter_pass_line(struct span bytes, struct buffer *out, bool *ended);

/* The end of what was written anew: `status`, or BROKEN where it did not fit. */
MUST_CHECK enum starttls_status filter_close(struct starttls_filter *f, struct sink *sink, enum starttls_status status);

/* Move at most `size` bytes straight through; returns how many. */
size_t filter_pass(struct span bytes, uint64_t size, struct buffer *out);

/* put() of a filter that goes by states: steps, one after the other, each of which takes some of what is left, until
 * all is taken, one takes nothing (there is no room, or nothing may be taken now), or the status is another than
 * NEED_MORE. */
typedef enum starttls_status filter_step(struct starttls_filter *f, struct span bytes, size_t *taken,
                                         struct buffer *out);
MUST_CHECK enum starttls_status filter_put_steps(struct starttls_filter *f, filter_step *step, struct span bytes,
                                                 size_t *consumed, struct buffer *out);

/* The first error is the one that is told: a sentence that names who is at fault, which need not be the side whose
 * bytes are being read. */
enum starttls_status filter_broken(struct starttls_filter *f, enum starttls_fault fault, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
enum starttls_status filter_broken_by(struct starttls_filter *f, enum starttls_fault fault, const char *what,
                                      struct span line);

#endif
