/* starttls/http/http.h: the head of one HTTP/1 message (RFC 9112), read strictly, and the body of a response.
 *
 * http-parser does the parsing, and http.c is the one file that knows it. It accepts requests that the next reader
 * along the way may read differently (measured with 2.9.4: bare LF, a space before the colon, folded fields, HTTP/0.9
 * and HTTP/9.9, any number of Host fields), so each line passes our own checks first, and what http-parser made of
 * the whole is then compared with them. Values of fields may have any byte but control characters (RFC 9110
 * section 5.5: obs-text, opaque); all else is ASCII. A head is bounded by struct starttls_http_limits; memory is taken
 * as it comes. Used by the CONNECT machines, by the admin endpoint, and where revocation is asked for. */
#ifndef YETT_STARTTLS_HTTP_HTTP_H
#define YETT_STARTTLS_HTTP_HTTP_H

#include "starttls/starttls.h"

struct starttls_http;

/* What is taken where nobody says otherwise. */
struct starttls_http_limits starttls_http_limits_default(enum starttls_http_kind kind);

/* `limits` is copied; NULL: the default. */
struct starttls_http *starttls_http_create(enum starttls_http_kind kind, const struct starttls_http_limits *limits);
void starttls_http_destroy(struct starttls_http **h);       /* wipes what it read */
size_t starttls_http_memory(const struct starttls_http *h); /* bytes that it holds now; NULL: 0 */

/* Feed bytes. STARTTLS_NEED_MORE, STARTTLS_READY (the head is whole; what was not consumed follows it) or
 * STARTTLS_BROKEN (see starttls_http_fault() and starttls_http_error()). Not to be called after the last two. */
MUST_CHECK enum starttls_status starttls_http_put(struct starttls_http *h, struct span bytes, size_t *consumed);

/* After STARTTLS_BROKEN: the status code that says it to a client (400, 414, 431, 505), and a sentence for a log. */
unsigned starttls_http_fault(const struct starttls_http *h);
const char *starttls_http_error(const struct starttls_http *h);

/* Which limit was passed, after STARTTLS_BROKEN; then the sentence has no word of the peer's in it. */
enum starttls_http_limit {
    STARTTLS_HTTP_LIMIT_NONE,
    STARTTLS_HTTP_LIMIT_HEAD,
    STARTTLS_HTTP_LIMIT_LINE,
    STARTTLS_HTTP_LIMIT_FIELDS,
    STARTTLS_HTTP_LIMIT_COUNT
};
enum starttls_http_limit starttls_http_limit(const struct starttls_http *h);

/* After STARTTLS_READY: how many bytes the head had. */
size_t starttls_http_head_size(const struct starttls_http *h);

/* After STARTTLS_READY. Spans and strings live with `h`. */
const char *starttls_http_method(const struct starttls_http *h);     /* requests: "GET"; one http-parser knows */
struct span starttls_http_target(const struct starttls_http *h);     /* requests: as it was sent */
struct span starttls_http_path(const struct starttls_http *h);       /* requests: the target up to "?" */
unsigned starttls_http_minor_version(const struct starttls_http *h); /* 0 or 1 */
unsigned starttls_http_status_code(const struct starttls_http *h);   /* responses: 100 to 599 */

/* The value of a field, without white space around it (name without case), and in *count how many of that name there
 * are; the first one counts. `count` may be NULL. An empty span with a NULL pointer when there is none. */
struct span starttls_http_field(const struct starttls_http *h, const char *name, size_t *count);

/* All fields in order, values without white space around them. `index` MUST be less than the count. */
size_t starttls_http_field_count(const struct starttls_http *h);
void starttls_http_field_at(const struct starttls_http *h, size_t index, struct span *name, struct span *value);

/* Responses: the reason phrase; may be empty. */
struct span starttls_http_reason(const struct starttls_http *h);

/* How the message says its body ends (RFC 9112 section 6): what RFC 9112 lets a proxy take or leave is refused here,
 * since the next reader may choose otherwise: both lengths, either of them twice (even if equal), another coding than
 * chunked, a coding in HTTP/1.0. */
enum starttls_http_framing {
    STARTTLS_HTTP_UNFRAMED, /* it does not: a request has no body then, a response ends with the connection */
    STARTTLS_HTTP_LENGTH,   /* after *length bytes */
    STARTTLS_HTTP_CHUNKED,
    STARTTLS_HTTP_BADLY_FRAMED, /* *error is a constant sentence */
};
MUST_CHECK enum starttls_http_framing starttls_http_framing(const struct starttls_http *h, uint64_t *length,
                                                            const char **error);

/* The body of a response whose head is READY: by length, in chunks, or to the end of the connection (RFC 9112
 * section 6.3). `size_max` bounds it. Feed what follows the head: STARTTLS_NEED_MORE, STARTTLS_READY (it is whole; what
 * follows it is not looked at) or STARTTLS_BROKEN. A body to the end of the connection is whole when
 * starttls_http_body_end() says READY; a shorter one than was announced is BROKEN. */
struct starttls_http_body;

struct starttls_http_body *starttls_http_body_create(const struct starttls_http *head, size_t size_max);
void starttls_http_body_destroy(struct starttls_http_body **b);
MUST_CHECK enum starttls_status starttls_http_body_put(struct starttls_http_body *b, struct span bytes);
MUST_CHECK enum starttls_status starttls_http_body_end(struct starttls_http_body *b);
struct span starttls_http_body_bytes(const struct starttls_http_body *b); /* lives with `b` */
uint8_t *starttls_http_body_take(struct starttls_http_body *b,
                                 size_t *size);                           /* the caller's to free(); NULL when empty */
const char *starttls_http_body_error(const struct starttls_http_body *b); /* after BROKEN: a sentence */

/* A whole response with a fixed body of text and Connection: close. `extra_fields` are whole lines ("Allow: GET\r\n")
 * or "". */
void starttls_http_respond(unsigned status_code, const char *extra_fields, const char *body, struct buffer *out);

/* The version of http-parser this process runs with, such as "2.9.4". Owned by the caller. */
char *starttls_http_parser_version(void);

#endif
