/* see starttls/starttls.h and starttls/filter.h: what all filters share */
#include "starttls/filter.h"
#include "starttls/limits.h"

#include <stdlib.h>

struct starttls_filter *filter_create(enum starttls_protocol protocol, enum starttls_greeting greeting,
                                      const struct filter_class *class)
{
    struct starttls_filter *f = base_alloc(class->size);

    f->class = class;
    f->protocol = protocol;
    f->greeting = greeting;
    f->status = STARTTLS_NEED_MORE;
    class->start(f);
    return f;
}

void starttls_filter_destroy(struct starttls_filter **f)
{
    if (*f == NULL)
        return;
    (*f)->class->clear(*f);
    free((*f)->error);
    base_wipe(*f, (*f)->class->size);
    free(*f);
    *f = NULL;
}

enum starttls_status starttls_filter_put(struct starttls_filter *f, enum starttls_direction direction,
                                         struct span bytes, size_t *consumed, struct buffer *out)
{
    assert(out->size_max >= STARTTLS_FILTER_LINE_BYTES_MAX);
    *consumed = 0;
    if (f->status == STARTTLS_NEED_MORE)
        f->status = f->class->put[direction](f, bytes, consumed, out);
    return f->status;
}

bool starttls_filter_rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    return f->status == STARTTLS_BROKEN || f->class->rest(f, direction, out);
}

enum starttls_status starttls_filter_end(struct starttls_filter *f, enum starttls_direction direction)
{
    enum starttls_status status;

    if (f->class->end == NULL || f->status != STARTTLS_NEED_MORE)
        return f->status;
    status = f->class->end(f, direction);
    if (status != STARTTLS_READY)
        f->status = status;
    return status;
}

const char *starttls_filter_error(const struct starttls_filter *f)
{
    return f->error == NULL ? "" : f->error;
}

enum starttls_fault starttls_filter_fault(const struct starttls_filter *f)
{
    return f->error == NULL ? STARTTLS_FAULT_NONE : f->fault;
}

bool filter_line_put(struct buffer *line, struct span bytes, size_t *consumed)
{
    const uint8_t *end;
    bool complete;
    size_t reserved;

    if (line->size == 0) /* all of it at once: growing would leave copies behind */
        (void)buffer_reserve(line, line->size_max, &reserved);
    if (bytes.size > buffer_room(line))
        bytes.size = buffer_room(line);
    end = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
    complete = end != NULL;
    *consumed = complete ? (size_t)(end - bytes.data) + 1 : bytes.size;
    return buffer_append(line, span_of(bytes.data, *consumed)) && complete;
}

void filter_line_forget(struct buffer *line)
{
    if (line->size == 0)
        buffer_wipe(line);
}

struct span filter_line_text(struct span line)
{
    if (line.size != 0 && line.data[line.size - 1] == '\n')
        line.size--;
    if (line.size != 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

size_t filter_pass(struct span bytes, uint64_t size, struct buffer *out)
{
    if (bytes.size > size)
        bytes.size = (size_t)size;
    return buffer_append_some(out, bytes);
}

size_t filter_pass_line(struct span bytes, struct buffer *out, bool *ended)
{
    const uint8_t *end = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
    size_t wanted = end == NULL ? bytes.size : (size_t)(end - bytes.data) + 1;
    size_t passed = filter_pass(bytes, wanted, out);

    *ended = end != NULL && passed == wanted;
    return passed;
}

enum starttls_status filter_close(struct starttls_filter *f, struct sink *sink, enum starttls_status status)
{
    size_t room = sink->room;

    if (sink_close(sink))
        return status;
    return filter_broken(f, STARTTLS_FAULT_YETT,
                         "what was said does not fit, once it is rewritten, in the %zu bytes there are for it: this is "
                         "a fault of yett's own",
                         room);
}

bool filter_move(struct buffer *from, struct buffer *out)
{
    buffer_consume(from, filter_pass(buffer_span(from), UINT64_MAX, out));
    filter_line_forget(from);
    return from->size == 0;
}

enum starttls_status filter_put_steps(struct starttls_filter *f, filter_step *step, struct span bytes, size_t *consumed,
                                      struct buffer *out)
{
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        size_t taken = 0;

        status = step(f, span_skip(bytes, *consumed), &taken, out);
        *consumed += taken;
        if (taken == 0)
            break;
    }
    return status;
}

enum starttls_status filter_broken(struct starttls_filter *f, enum starttls_fault fault, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (f->error == NULL) {
        f->error = base_vprintf(fmt, args);
        f->fault = fault;
    }
    va_end(args);
    return STARTTLS_BROKEN;
}

enum starttls_status filter_broken_by(struct starttls_filter *f, enum starttls_fault fault, const char *what,
                                      struct span line)
{
    char quoted[BASE_QUOTE_SIZE];

    return filter_broken(f, fault, "%s: %s", what, base_quote(line.data, line.size, quoted, sizeof(quoted)));
}
