/* One HTTP/1.1 request and its response, relayed through a proxy. See starttls_exchange_create() in starttls/starttls.h
 *
 *   from the client:   BODY --as long as its framing says--> OVER (whatever follows stays with the caller)
 *   from the server:   HEAD --1xx, a few--> HEAD --final--> BODY --as long as its framing says--> STARTTLS_CLOSE
 *
 * Request smuggling is two readers who see the end of a message in different places. So each body is cut out by the
 * strict reading of its framing and goes out in a framing of our own; there is one request on a connection, and what
 * would be a second one is never looked at, much less passed on. */
#include "starttls/filter.h"
#include "starttls/http_chunked.h"
#include "starttls/http_exchange.h"
#include "starttls/limits.h"

#include <inttypes.h>
#include <stdlib.h>

/* Room is asked for before bytes are taken: for the largest head, and for a chunk of ours (its size and two line ends).
 */
enum { CHUNK_OVERHEAD = 32, HEAD_ROOM = STARTTLS_HTTP_HEAD_BYTES_MAX + STARTTLS_HTTP_ADDED_BYTES_MAX };

struct body {
    enum http_body from, to;
    uint64_t left; /* LENGTH */
    struct http_chunked chunked;
    bool is_over;
};

struct exchange {
    struct starttls_filter f;
    struct http_forward request;
    struct body body[STARTTLS_DIRECTION_COUNT];
    struct starttls_http *head; /* of the response that is coming in; NULL: its body is */
    unsigned interim_responses;
    bool is_answered;
};

static struct exchange *exchange_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct exchange, f);
}

static const char *const sides[] = {[STARTTLS_FROM_CLIENT] = "request", [STARTTLS_FROM_SERVER] = "response"};

static void body_begin(struct body *b, const struct http_forward *f)
{
    b->from = f->from;
    b->to = f->to;
    b->left = f->length;
    b->is_over = f->from == HTTP_BODY_NONE;
    http_chunked_init(&b->chunked);
}

static void start(struct starttls_filter *f)
{
    struct exchange *x = exchange_of(f);

    body_begin(&x->body[STARTTLS_FROM_CLIENT], &x->request);
    x->head = starttls_http_create(STARTTLS_HTTP_RESPONSE);
}

static void clear(struct starttls_filter *f)
{
    struct exchange *x = exchange_of(f);

    starttls_http_destroy(&x->head);
    for (unsigned i = 0; i < STARTTLS_DIRECTION_COUNT; i++)
        http_chunked_clear(&x->body[i].chunked);
}

/* ---- bodies ---- */

static void put_chunk(struct body *b, struct span data, struct buffer *out)
{
    if (b->to == HTTP_BODY_CHUNKED && !buffer_printf(out, "%zx\r\n", data.size))
        base_abort("a chunk passes a ceiling although its room was asked for");
    filter_append(out, data);
    if (b->to == HTTP_BODY_CHUNKED)
        filter_append_text(out, "\r\n");
}

/* One step of the chunked coding. `out` has room for more than CHUNK_OVERHEAD. */
static enum starttls_status put_chunked(struct starttls_filter *f, enum starttls_direction direction, struct span bytes,
                                        size_t *consumed, struct buffer *out)
{
    struct body *b = &exchange_of(f)->body[direction];
    struct span data;

    switch (http_chunked_put(&b->chunked, bytes, buffer_room(out) - CHUNK_OVERHEAD, consumed, &data)) {
    case HTTP_CHUNKED_MORE:
        if (data.size != 0)
            put_chunk(b, data, out);
        break;
    case HTTP_CHUNKED_DONE:
        if (b->to == HTTP_BODY_CHUNKED)
            filter_append_text(out, "0\r\n\r\n");
        b->is_over = true;
        break;
    case HTTP_CHUNKED_BROKEN:
        return filter_broken(f, "the %s: %s", sides[direction], b->chunked.error);
    }
    return STARTTLS_NEED_MORE;
}

/* As much as there is room for. */
static enum starttls_status put_body(struct starttls_filter *f, enum starttls_direction direction, struct span bytes,
                                     size_t *consumed, struct buffer *out)
{
    struct body *b = &exchange_of(f)->body[direction];
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && !b->is_over && bytes.size != 0 && buffer_room(out) > CHUNK_OVERHEAD) {
        size_t taken = 0;

        switch (b->from) {
        case HTTP_BODY_NONE:
            break;
        case HTTP_BODY_LENGTH:
            taken = filter_pass(bytes, b->left, out);
            b->left -= taken;
            b->is_over = b->left == 0;
            break;
        case HTTP_BODY_CHUNKED:
            status = put_chunked(f, direction, bytes, &taken, out);
            break;
        case HTTP_BODY_TO_END:
            taken = filter_pass(bytes, UINT64_MAX, out);
            break;
        }
        bytes = span_skip(bytes, taken);
        *consumed += taken;
    }
    return status;
}

static enum starttls_status put_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                       struct buffer *out)
{
    return put_body(f, STARTTLS_FROM_CLIENT, bytes, consumed, out);
}

/* ---- the response's head ---- */

static enum starttls_status on_head(struct exchange *x, struct buffer *out)
{
    unsigned code = starttls_http_status_code(x->head);
    struct http_forward response;
    const char *error = NULL;

    if (!http_forward_response(x->head, &x->request, out, &response, &error))
        return filter_broken(&x->f, "the response cannot be passed on: %s", error);
    starttls_http_destroy(&x->head);
    if (code / 100 == 1) {
        if (x->interim_responses++ == STARTTLS_HTTP_INTERIM_MAX)
            return filter_broken(&x->f, "the server sent more than %d interim responses", STARTTLS_HTTP_INTERIM_MAX);
        x->head = starttls_http_create(STARTTLS_HTTP_RESPONSE);
        return STARTTLS_NEED_MORE;
    }
    x->is_answered = true;
    body_begin(&x->body[STARTTLS_FROM_SERVER], &response);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_head(struct exchange *x, struct span bytes, size_t *consumed, struct buffer *out)
{
    size_t taken = 0;
    enum starttls_status status = starttls_http_put(x->head, bytes, &taken);

    *consumed += taken;
    if (status == STARTTLS_READY)
        return on_head(x, out);
    if (status == STARTTLS_BROKEN)
        return filter_broken(&x->f, "the response: %s", starttls_http_error(x->head));
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                       struct buffer *out)
{
    struct exchange *x = exchange_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && x->head != NULL && *consumed < bytes.size && buffer_room(out) >= HEAD_ROOM)
        status = put_head(x, span_skip(bytes, *consumed), consumed, out);
    if (status != STARTTLS_NEED_MORE || x->head != NULL)
        return status;
    status = put_body(f, STARTTLS_FROM_SERVER, span_skip(bytes, *consumed), consumed, out);
    return status == STARTTLS_NEED_MORE && x->body[STARTTLS_FROM_SERVER].is_over ? STARTTLS_CLOSE : status;
}

/* ---- ends ---- */

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    (void)f; /* nothing is ever taken and held back */
    (void)direction;
    (void)out;
    return true;
}

static enum starttls_status end(struct starttls_filter *f, enum starttls_direction direction)
{
    struct exchange *x = exchange_of(f);
    struct body *b = &x->body[direction];

    if (direction == STARTTLS_FROM_CLIENT)
        return b->is_over ? STARTTLS_READY : filter_broken(f, "the client ended in the middle of its request");
    if (x->head != NULL)
        return filter_broken(f, "the server ended before it had answered");
    if (b->from == HTTP_BODY_TO_END)
        b->is_over = true;
    return b->is_over ? STARTTLS_CLOSE : filter_broken(f, "the server ended in the middle of its response");
}

bool starttls_exchange_answered(struct starttls_filter *f)
{
    return exchange_of(f)->is_answered;
}

static const struct filter_class exchange_class = {
    .size = sizeof(struct exchange),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_client, [STARTTLS_FROM_SERVER] = put_server},
    .rest = rest,
    .end = end,
    .clear = clear,
};

struct starttls_filter *http_exchange_create(const struct http_forward *request)
{
    struct exchange *x = base_alloc(sizeof(*x));

    x->f.class = &exchange_class;
    x->f.protocol = STARTTLS_HTTP_CONNECT;
    x->f.status = STARTTLS_NEED_MORE;
    x->request = *request;
    start(&x->f);
    return &x->f;
}
