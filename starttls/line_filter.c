/* see starttls/line_filter.h */
#include "starttls/line_filter.h"

static struct line_filter *lines_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct line_filter, f);
}

static const struct line_filter_class *class_of(const struct starttls_filter *f)
{
    return CONST_CONTAINER_OF(f->class, struct line_filter_class, class);
}

void line_filter_start(struct starttls_filter *f)
{
    struct line_filter *l = lines_of(f);

    buffer_init(&l->line, class_of(f)->line_bytes_max);
    buffer_init(&l->command, class_of(f)->command_bytes_max);
    l->greeting_follows = f->greeting == STARTTLS_GREETING_FOLLOWS;
}

void line_filter_clear(struct starttls_filter *f)
{
    buffer_wipe(&lines_of(f)->line);
    buffer_wipe(&lines_of(f)->command); /* it may carry a password */
}

static enum starttls_status put(struct starttls_filter *f, enum starttls_direction direction, struct span bytes,
                                size_t *consumed, struct buffer *out)
{
    struct line_filter *l = lines_of(f);
    enum starttls_status status = filter_put_steps(f, class_of(f)->step[direction], bytes, consumed, out);

    filter_line_forget(direction == STARTTLS_FROM_CLIENT ? &l->command : &l->line);
    return status;
}

enum starttls_status line_filter_put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                                 struct buffer *out)
{
    return put(f, STARTTLS_FROM_CLIENT, bytes, consumed, out);
}

enum starttls_status line_filter_put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                                 struct buffer *out)
{
    return put(f, STARTTLS_FROM_SERVER, bytes, consumed, out);
}

bool line_filter_rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    struct line_filter *l = lines_of(f);

    return filter_move(direction == STARTTLS_FROM_CLIENT ? &l->command : &l->line, out);
}

enum starttls_status line_filter_end(struct starttls_filter *f, enum starttls_direction direction)
{
    if (direction == STARTTLS_FROM_SERVER)
        lines_of(f)->server_ended = true;
    return STARTTLS_NEED_MORE;
}

enum starttls_status line_filter_gather(struct line_filter *l, struct buffer *held, line_filter_on_line *on_line,
                                        struct span bytes, size_t *taken, struct buffer *out)
{
    bool complete;

    *taken = 0;
    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    complete = filter_line_put(held, bytes, taken);
    return complete || buffer_room(held) == 0 ? on_line(l, complete, out) : STARTTLS_NEED_MORE;
}

enum starttls_status line_filter_judge_first(struct line_filter *l, struct span text, enum http_likeness likeness)
{
    if (!l->spoke && text_looks_like_http(text, likeness))
        return filter_broken_by(&l->f, STARTTLS_FAULT_CLIENT, "the client speaks HTTP", text_verb(text));
    l->spoke = true;
    return STARTTLS_NEED_MORE;
}

void line_filter_write_command(struct sink *sink, enum line_filter_fate fate, struct span verb, struct span line)
{
    switch (fate) {
    case LINE_FILTER_PASSES:
        sink_put(sink, line);
        break;
    case LINE_FILTER_REFUSED:
        sink_put_text(sink, "REFUSED-");
        sink_put(sink, verb);
        sink_put_text(sink, "\r\n");
        break;
    }
}

enum starttls_status line_filter_send_command(struct line_filter *l, enum line_filter_fate fate, struct span verb,
                                              struct buffer *out)
{
    struct span line = buffer_span(&l->command);
    struct sink sink;

    sink_open(&sink, out, line.size + STARTTLS_CLIENT_LINE_GROWTH_MAX);
    line_filter_write_command(&sink, fate, verb, line);
    buffer_consume(&l->command, l->command.size);
    return filter_close(&l->f, &sink, STARTTLS_NEED_MORE);
}

bool line_filter_can_push(const struct line_filter *l, const struct pending_commands *p)
{
    return l->server_ended || p->count < ARRAY_LEN(p->commands);
}

void pending_push(struct pending_commands *p, unsigned command)
{
    if (p->count < ARRAY_LEN(p->commands))
        p->commands[(p->start + p->count++) % ARRAY_LEN(p->commands)] = (uint8_t)command;
}

unsigned pending_oldest(const struct pending_commands *p)
{
    return p->count == 0 ? 0 : p->commands[p->start];
}

void pending_replace_oldest(struct pending_commands *p, unsigned command)
{
    assert(p->count != 0);
    p->commands[p->start] = (uint8_t)command;
}

void pending_pop(struct pending_commands *p)
{
    if (p->count == 0)
        return;
    p->start = (p->start + 1) % ARRAY_LEN(p->commands);
    p->count--;
}

bool pending_has(const struct pending_commands *p, unsigned command)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->commands[(p->start + i) % ARRAY_LEN(p->commands)] == command)
            return true;
    return false;
}
