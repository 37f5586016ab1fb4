/* see starttls/http/http_chunked.h */
#include "starttls/http/http_chunked.h"
#include "starttls/http/http_syntax.h"
#include "starttls/limits.h"

enum { SIZE_DIGITS_MAX = 15 }; /* fits 64 bits, and is more than any body */

void http_chunked_init(struct http_chunked *c)
{
    *c = (struct http_chunked){.state = HTTP_CHUNKED_SIZE};
    line_init(&c->line, STARTTLS_HTTP_CHUNK_LINE_BYTES_MAX, LINE_TEXT_EIGHT_BIT);
}

void http_chunked_clear(struct http_chunked *c)
{
    line_wipe(&c->line);
}

static enum http_chunked_status broken(struct http_chunked *c, const char *error)
{
    c->error = error;
    return HTTP_CHUNKED_BROKEN;
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* chunk-size [ chunk-ext ]: the size ends at the line's end or at ";", with no white space before it. */
static enum http_chunked_status on_size(struct http_chunked *c, struct span line)
{
    size_t digits = 0;

    c->left = 0;
    while (digits < line.size && digit_value(line.data[digits]) >= 0) {
        if (digits == SIZE_DIGITS_MAX)
            return broken(c, "a chunk's size has too many digits");
        c->left = c->left * 16 + (uint64_t)digit_value(line.data[digits++]);
    }
    if (digits == 0 || (digits < line.size && line.data[digits] != ';'))
        return broken(c, "a chunk's size is not a hexadecimal number");
    if (http_has_control(line))
        return broken(c, "a chunk's extension has a control byte");
    c->state = c->left == 0 ? HTTP_CHUNKED_TRAILER : HTTP_CHUNKED_DATA;
    return HTTP_CHUNKED_MORE;
}

/* A field of the trailer goes no further, but a reader who takes the section for something else would go on elsewhere:
 * what is not a field is a fault here as it is in a head. */
static enum http_chunked_status on_trailer(struct http_chunked *c, struct span line)
{
    if (line.size == 0) {
        c->state = HTTP_CHUNKED_END;
        return HTTP_CHUNKED_DONE;
    }
    c->trailer_bytes += line.size + 2;
    if (c->trailer_bytes > STARTTLS_HTTP_TRAILER_BYTES_MAX)
        return broken(c, "the trailer is too long");
    if (http_field_fault(line).status_code != 0)
        return broken(c, "a line of the trailer is not a header field");
    return HTTP_CHUNKED_MORE;
}

static enum http_chunked_status on_line(struct http_chunked *c, struct span line)
{
    switch (c->state) {
    case HTTP_CHUNKED_SIZE:
        return on_size(c, line);
    case HTTP_CHUNKED_DATA_END:
        if (line.size != 0)
            return broken(c, "a chunk is longer than its size says");
        c->state = HTTP_CHUNKED_SIZE;
        return HTTP_CHUNKED_MORE;
    case HTTP_CHUNKED_TRAILER:
        return on_trailer(c, line);
    case HTTP_CHUNKED_DATA:
    case HTTP_CHUNKED_END:
    case HTTP_CHUNKED_STATE_COUNT:
        break;
    }
    return broken(c, "there is more behind the last chunk");
}

enum http_chunked_status http_chunked_put(struct http_chunked *c, struct span bytes, size_t data_max, size_t *consumed,
                                          struct span *data)
{
    struct span line;

    *consumed = 0;
    *data = span_of(NULL, 0);
    if (c->error != NULL)
        return HTTP_CHUNKED_BROKEN;
    if (c->state == HTTP_CHUNKED_END)
        return HTTP_CHUNKED_DONE;
    if (c->state == HTTP_CHUNKED_DATA) {
        size_t size = bytes.size < data_max ? bytes.size : data_max;

        if (size > c->left)
            size = (size_t)c->left;
        *data = span_of(bytes.data, size);
        *consumed = size;
        c->left -= size;
        if (c->left == 0)
            c->state = HTTP_CHUNKED_DATA_END;
        return HTTP_CHUNKED_MORE;
    }
    switch (line_put(&c->line, bytes, consumed, &line)) {
    case LINE_NEED_MORE:
        return HTTP_CHUNKED_MORE;
    case LINE_COMPLETE:
        return on_line(c, line);
    case LINE_TOO_LONG:
        return broken(c, c->state == HTTP_CHUNKED_DATA_END ? "a chunk is longer than its size says"
                                                           : "a line of the chunked coding is too long");
    case LINE_BARE_LF:
    case LINE_BARE_CR:
    case LINE_NUL:
    case LINE_NOT_ASCII:
    case LINE_TOO_MUCH:
    case LINE_STATUS_COUNT:
        break;
    }
    return broken(c, "a line of the chunked coding does not end with CRLF, or has a NUL");
}
