/* see starttls/line.h */
#include "starttls/line.h"

void line_init(struct line_reader *r, size_t size_max, enum line_text text)
{
    assert(size_max >= 2);
    buffer_init(&r->held, size_max);
    r->text = text;
    r->status = LINE_NEED_MORE;
}

void line_wipe(struct line_reader *r)
{
    buffer_wipe(&r->held);
}

/* Whether `byte` may come next, after the `size` bytes at `held`. */
static enum line_status judge(const struct line_reader *r, bool after_cr, uint8_t byte)
{
    if (after_cr)
        return byte == '\n' ? LINE_COMPLETE : LINE_BARE_CR;
    if (byte == '\n')
        return LINE_BARE_LF;
    if (byte == '\0')
        return LINE_NUL;
    if (byte >= 0x80 && r->text == LINE_TEXT_ASCII)
        return LINE_NOT_ASCII;
    return LINE_NEED_MORE;
}

enum line_status line_put(struct line_reader *r, struct span bytes, size_t *consumed, struct span *line)
{
    bool after_cr;
    size_t used = 0;

    if (r->status == LINE_COMPLETE) {
        buffer_consume(&r->held, r->held.size);
        r->status = LINE_NEED_MORE;
    }
    after_cr = r->held.size != 0 && r->held.data[r->held.start + r->held.size - 1] == '\r';
    while (r->status == LINE_NEED_MORE && used < bytes.size) {
        uint8_t byte = bytes.data[used++];

        r->status = judge(r, after_cr, byte);
        after_cr = byte == '\r';
        if (r->held.size + used > r->held.size_max)
            r->status = LINE_TOO_LONG;
    }
    *consumed = used;
    if (r->status <= LINE_COMPLETE && !buffer_append(&r->held, span_of(bytes.data, used)))
        r->status = LINE_TOO_LONG;
    if (r->status == LINE_COMPLETE)
        *line = span_of(buffer_span(&r->held).data, r->held.size - 2);
    return r->status;
}

const char *line_fault_text(enum line_status fault)
{
    switch (fault) {
    case LINE_TOO_LONG:
        return "is too long";
    case LINE_BARE_LF:
        return "ends with LF instead of CRLF";
    case LINE_BARE_CR:
        return "has a CR without LF";
    case LINE_NUL:
        return "has a NUL byte";
    case LINE_NOT_ASCII:
        return "has a byte that is not ASCII";
    case LINE_TOO_MUCH:
        return "goes past what may be said before TLS";
    case LINE_NEED_MORE:
    case LINE_COMPLETE:
    case LINE_STATUS_COUNT:
        break;
    }
    return "is in order";
}
