/* see base/sink.h */
#include "base/sink.h"

#include <stdlib.h>

void sink_open(struct sink *s, struct buffer *out, size_t room)
{
    size_t reserved = 0;

    *s = (struct sink){.out = out, .room = room};
    s->overflowed = room > buffer_room(out);
    if (room != 0 && !s->overflowed)
        s->space = buffer_reserve(out, room, &reserved);
}

void sink_put(struct sink *s, struct span bytes)
{
    if (s->overflowed || bytes.size > s->room - s->size) {
        s->overflowed = true;
        return;
    }
    if (bytes.size != 0)
        memcpy(s->space + s->size, bytes.data, bytes.size);
    s->size += bytes.size;
}

void sink_put_text(struct sink *s, const char *text)
{
    sink_put(s, span_of_string(text));
}

void sink_printf(struct sink *s, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = base_vprintf(fmt, args);
    va_end(args);
    sink_put_text(s, text);
    free(text);
}

bool sink_close(struct sink *s)
{
    if (s->overflowed)
        return false;
    if (s->size != 0)
        buffer_commit(s->out, s->size);
    s->room = s->size = 0; /* what comes after the end is refused */
    return true;
}
