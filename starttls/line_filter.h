/* starttls/line_filter.h: what filters of protocols that are spoken in lines have in common. Private to starttls/.
 *
 * A line is gathered of each side, judged when it is whole, or when as much of it is there as is held, and passed on,
 * rewritten or left out. A protocol gives a step for each direction (struct filter_class has what put() is) and adds
 * its own state; what ends a connection, and what is held back then, is the same for all. */
#ifndef YETT_STARTTLS_LINE_FILTER_H
#define YETT_STARTTLS_LINE_FILTER_H

#include "starttls/filter.h"
#include "starttls/limits.h"
#include "starttls/machine.h"

struct line_filter {
    struct starttls_filter f;
    struct buffer line;    /* the server's */
    struct buffer command; /* the client's */
    bool greeting_follows; /* the server has not greeted yet */
    bool server_ended;     /* no reply comes any more */
    bool spoke;            /* the client's first line has been judged */
};

struct line_filter_class {
    struct filter_class class; /* LINE_FILTER_CLASS(), or some of its own that call those */
    size_t line_bytes_max, command_bytes_max;
    filter_step *step[STARTTLS_DIRECTION_COUNT];
};

void line_filter_start(struct starttls_filter *f);
void line_filter_clear(struct starttls_filter *f);
enum starttls_status line_filter_put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                                 struct buffer *out);
enum starttls_status line_filter_put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                                 struct buffer *out);
bool line_filter_rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out);
enum starttls_status line_filter_end(struct starttls_filter *f, enum starttls_direction direction);

#define LINE_FILTER_PUT                                                                                                \
    {                                                                                                                  \
        [STARTTLS_FROM_CLIENT] = line_filter_put_from_client, [STARTTLS_FROM_SERVER] = line_filter_put_from_server     \
    }
#define LINE_FILTER_CLASS(type)                                                                                        \
    {                                                                                                                  \
        .size = sizeof(struct type), .start = line_filter_start, .put = LINE_FILTER_PUT, .rest = line_filter_rest,     \
        .end = line_filter_end, .clear = line_filter_clear                                                             \
    }

/* A line of `held` is whole, or (not `is_complete`) longer than what is held of it. Takes it out of `held`, unless the
 * status is BROKEN. */
typedef enum starttls_status line_filter_on_line(struct line_filter *l, bool is_complete, struct buffer *out);

/* Gather a line in `held`, which is one of the two buffers, as far as `out` has room for its end. */
MUST_CHECK enum starttls_status line_filter_gather(struct line_filter *l, struct buffer *held,
                                                   line_filter_on_line *on_line, struct span bytes, size_t *taken,
                                                   struct buffer *out);

/* ALPACA (X1): a browser sent here by someone who holds the network. Not a byte of it is answered. `text` is a line of
 * the client's; only its first one is looked at. */
MUST_CHECK enum starttls_status line_filter_judge_first(struct line_filter *l, struct span text,
                                                        enum http_likeness likeness);

/* What becomes of a command that must not be: a name that no server knows, so that the server refuses it in its turn
 * and no reply is out of order. */
enum line_filter_fate { LINE_FILTER_PASSES, LINE_FILTER_REFUSED };
void line_filter_write_command(struct sink *sink, enum line_filter_fate fate, struct span verb, struct span line);

/* Likewise, of the line that is held, which is taken out. */
MUST_CHECK enum starttls_status line_filter_send_command(struct line_filter *l, enum line_filter_fate fate,
                                                         struct span verb, struct buffer *out);

/* The commands that have no whole reply yet, oldest first: a ring. What they are is the protocol's; 0 is one whose
 * reply changes nothing. As many as it holds are on their way at a time: what a client pipelines behind them waits. */
struct pending_commands {
    uint8_t commands[STARTTLS_COMMANDS_PENDING_MAX];
    size_t start, count;
};

/* Whether one more can be remembered. After the server's end nothing is: no reply comes that could change a meaning. */
bool line_filter_can_push(const struct line_filter *l, const struct pending_commands *p);
void pending_push(struct pending_commands *p, unsigned command);
unsigned pending_oldest(const struct pending_commands *p); /* 0: there is none */
void pending_replace_oldest(struct pending_commands *p, unsigned command);
void pending_pop(
    struct pending_commands *p); /* of none: a reply out of the blue, in which a server says why it closes */
bool pending_has(const struct pending_commands *p, unsigned command);

#endif
