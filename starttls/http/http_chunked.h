/* starttls/http/http_chunked.h: the chunked transfer coding (RFC 9112 section 7.1), taken off strictly. Private to
 * starttls/.
 *
 * Where a chunk ends decides what is a body and what the next message, so two readers must not differ: sizes are
 * hexadecimal digits and nothing else, lines end with CRLF, data is followed by CRLF. Extensions and trailers are read,
 * held to the same rules as fields of a head, bounded and dropped: who passes the body on puts a coding of his own on
 * it. */
#ifndef YETT_STARTTLS_HTTP_HTTP_CHUNKED_H
#define YETT_STARTTLS_HTTP_HTTP_CHUNKED_H

#include "starttls/line.h"

enum http_chunked_status { HTTP_CHUNKED_MORE, HTTP_CHUNKED_DONE, HTTP_CHUNKED_BROKEN };

enum http_chunked_state {
    HTTP_CHUNKED_SIZE,
    HTTP_CHUNKED_DATA,
    HTTP_CHUNKED_DATA_END, /* the CRLF behind the data */
    HTTP_CHUNKED_TRAILER,
    HTTP_CHUNKED_END,
    HTTP_CHUNKED_STATE_COUNT
};

struct http_chunked {
    enum http_chunked_state state;
    struct line_reader line;
    uint64_t left; /* bytes of the chunk that have not come */
    size_t trailer_bytes;
    const char *error; /* after BROKEN: a sentence */
};

void http_chunked_init(struct http_chunked *c);
void http_chunked_clear(struct http_chunked *c);

/* Take some of `bytes` (at least one, unless DONE or BROKEN); *data is the part of it that is body (may be empty), of
 * at most `data_max` bytes. Call again with the rest while MORE. */
MUST_CHECK enum http_chunked_status http_chunked_put(struct http_chunked *c, struct span bytes, size_t data_max,
                                                     size_t *consumed, struct span *data);

#endif
