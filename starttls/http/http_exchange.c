/* One HTTP/1.1 request and its response, relayed through a proxy. See starttls_exchange_create() in starttls/starttls.h
 *
 *   from the client:   BODY --as long as its framing says--> OVER (whatever follows stays with the caller)
 *   from the server:   HEAD --1xx, a few--> HEAD --final--> BODY --as long as its framing says--> STARTTLS_CLOSE
 *
 * Request smuggling is two readers who see the end of a message in different places. So each body is cut out by the
 * strict reading of its framing and goes out in a framing of our own; there is one request on a connection, and what
 * would be a second one is never looked at, much less passed on. */
#include "starttls/filter.h"
#include "base/sink.h"
#include "starttls/http/http_chunked.h"
#include "starttls/http/http_exchange.h"
#include "starttls/http/http_proxy.h"
#include "starttls/limits.h"

#include <inttypes.h>
#include <stdlib.h>

/* Room is asked for before bytes are taken: for the largest head, and for a chunk of ours (its size and two line ends).
 */
enum { CHUNK_OVERHEAD = 32 };

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
    struct starttls_http_limits limits;
    unsigned interim_responses;
    unsigned status_code; /* of the final response; 0: none has gone out */
    char *public_error;   /* NULL: none */
};

static struct exchange *exchange_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct exchange, f);
}

static const char *const sides[] = {
    [STARTTLS_FROM_CLIENT] = "client's request", [STARTTLS_FROM_SERVER] = "server's response"};
static const enum starttls_fault faults[] = {
    [STARTTLS_FROM_CLIENT] = STARTTLS_FAULT_CLIENT, [STARTTLS_FROM_SERVER] = STARTTLS_FAULT_SERVER};

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
    x->head = starttls_http_create(STARTTLS_HTTP_RESPONSE, &x->limits);
}

static void clear(struct starttls_filter *f)
{
    struct exchange *x = exchange_of(f);

    starttls_http_destroy(&x->head);
    free(x->public_error);
    for (unsigned i = 0; i < STARTTLS_DIRECTION_COUNT; i++)
        http_chunked_clear(&x->body[i].chunked);
}

/* ---- bodies ---- */

/* False: `out` has no room for it, which was asked for before. */
static bool put_chunk(struct body *b, struct span data, struct buffer *out)
{
    struct sink sink;

    sink_open(&sink, out, data.size + (b->to == HTTP_BODY_CHUNKED ? CHUNK_OVERHEAD : 0));
    if (b->to == HTTP_BODY_CHUNKED)
        sink_printf(&sink, "%zx\r\n", data.size);
    sink_put(&sink, data);
    if (b->to == HTTP_BODY_CHUNKED)
        sink_put_text(&sink, "\r\n");
    return sink_close(&sink);
}

static enum starttls_status no_room(struct starttls_filter *f)
{
    return filter_broken(f, STARTTLS_FAULT_YETT,
                         "a chunk does not fit once it is written anew: this is a fault of yett's own");
}

/* One step of the chunked coding. `out` has room for more than CHUNK_OVERHEAD. */
static enum starttls_status put_chunked(struct starttls_filter *f, enum starttls_direction direction, struct span bytes,
                                        size_t *consumed, struct buffer *out)
{
    struct body *b = &exchange_of(f)->body[direction];
    struct span data;

    switch (http_chunked_put(&b->chunked, bytes, buffer_room(out) - CHUNK_OVERHEAD, consumed, &data)) {
    case HTTP_CHUNKED_MORE:
        if (data.size != 0 && !put_chunk(b, data, out))
            return no_room(f);
        break;
    case HTTP_CHUNKED_DONE:
        if (b->to == HTTP_BODY_CHUNKED && !buffer_append(out, span_of_string("0\r\n\r\n")))
            return no_room(f);
        b->is_over = true;
        break;
    case HTTP_CHUNKED_BROKEN:
        return filter_broken(f, faults[direction], "the %s: %s", sides[direction], b->chunked.error);
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

    if (!http_forward_response(x->head, &x->request, out, &response, &error)) {
        x->public_error = base_printf("The target's answer cannot be passed on: %s.", error);
        return filter_broken(&x->f, STARTTLS_FAULT_SERVER, "the server's response cannot be passed on: %s", error);
    }
    starttls_http_destroy(&x->head);
    if (code / 100 == 1) {
        if (x->interim_responses++ == STARTTLS_HTTP_INTERIM_MAX) {
            x->public_error = base_strdup("The target does not come to an answer.");
            return filter_broken(&x->f, STARTTLS_FAULT_SERVER, "the server sent more than %d interim responses",
                                 STARTTLS_HTTP_INTERIM_MAX);
        }
        x->head = starttls_http_create(STARTTLS_HTTP_RESPONSE, &x->limits);
        return STARTTLS_NEED_MORE;
    }
    x->status_code = code;
    body_begin(&x->body[STARTTLS_FROM_SERVER], &response);
    return STARTTLS_NEED_MORE;
}

const char *http_limit_setting(enum starttls_http_kind kind, enum starttls_http_limit limit)
{
    switch (limit) {
    case STARTTLS_HTTP_LIMIT_HEAD:
        return kind == STARTTLS_HTTP_REQUEST ? "http_request_head_max" : "http_response_head_max";
    case STARTTLS_HTTP_LIMIT_LINE:
        return "http_field_max";
    case STARTTLS_HTTP_LIMIT_FIELDS:
        return "http_fields_max";
    case STARTTLS_HTTP_LIMIT_NONE:
    case STARTTLS_HTTP_LIMIT_COUNT:
        break;
    }
    return "";
}

char *http_limit_text(enum starttls_http_kind kind, const struct starttls_http *head)
{
    const char *setting = http_limit_setting(kind, starttls_http_limit(head));

    return setting[0] == '\0' ? NULL : base_printf("%s (%s)", starttls_http_error(head), setting);
}

static enum starttls_status on_bad_head(struct exchange *x)
{
    char *limit = http_limit_text(STARTTLS_HTTP_RESPONSE, x->head);

    if (limit == NULL) {
        x->public_error = base_strdup("The target's answer is not proper HTTP.");
        return filter_broken(&x->f, STARTTLS_FAULT_SERVER, "the server's response: %s", starttls_http_error(x->head));
    }
    x->public_error = base_printf("The target's answer is more than is taken here: %s.", limit);
    (void)filter_broken(&x->f, STARTTLS_FAULT_LIMIT, "%s", limit);
    free(limit);
    return STARTTLS_BROKEN;
}

static enum starttls_status put_head(struct exchange *x, struct span bytes, size_t *consumed, struct buffer *out)
{
    size_t taken = 0;
    enum starttls_status status = starttls_http_put(x->head, bytes, &taken);

    *consumed += taken;
    if (status == STARTTLS_READY)
        return on_head(x, out);
    if (status == STARTTLS_BROKEN)
        return on_bad_head(x);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                       struct buffer *out)
{
    struct exchange *x = exchange_of(f);
    size_t head_room = starttls_http_forwarded_max(&x->limits);
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && x->head != NULL && *consumed < bytes.size && buffer_room(out) >= head_room)
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
        return b->is_over ? STARTTLS_READY
                          : filter_broken(f, STARTTLS_FAULT_CLIENT, "the client ended in the middle of its request");
    if (x->head != NULL)
        return filter_broken(f, STARTTLS_FAULT_SERVER, "the server ended before it had answered");
    if (b->from == HTTP_BODY_TO_END)
        b->is_over = true;
    return b->is_over ? STARTTLS_CLOSE
                      : filter_broken(f, STARTTLS_FAULT_SERVER, "the server ended in the middle of its response");
}

static const struct filter_class exchange_class;

/* NULL: it is another filter. */
static const struct exchange *exchange_in(const struct starttls_filter *f)
{
    return f == NULL || f->class != &exchange_class ? NULL : (const struct exchange *)(const void *)f;
}

unsigned starttls_exchange_status(const struct starttls_filter *f)
{
    const struct exchange *x = exchange_in(f);

    return x == NULL ? 0 : x->status_code;
}

const char *starttls_filter_public_error(const struct starttls_filter *f)
{
    const struct exchange *x = exchange_in(f);

    return x == NULL || x->public_error == NULL ? "" : x->public_error;
}

size_t starttls_exchange_memory(const struct starttls_filter *f)
{
    const struct exchange *x = exchange_in(f);
    size_t size = x == NULL ? 0 : sizeof(*x) + starttls_http_memory(x->head);

    for (unsigned i = 0; x != NULL && i < STARTTLS_DIRECTION_COUNT; i++)
        size += x->body[i].chunked.line.held.capacity;
    return size;
}

static const struct filter_class exchange_class = {
    .size = sizeof(struct exchange),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_client, [STARTTLS_FROM_SERVER] = put_server},
    .rest = rest,
    .end = end,
    .clear = clear,
};

struct starttls_filter *http_exchange_create(const struct http_forward *request,
                                             const struct starttls_http_limits *limits)
{
    struct exchange *x = base_alloc(sizeof(*x));

    x->f.class = &exchange_class;
    x->f.protocol = STARTTLS_HTTP_CONNECT;
    x->f.status = STARTTLS_NEED_MORE;
    x->request = *request;
    x->limits = *limits;
    start(&x->f);
    return &x->f;
}
