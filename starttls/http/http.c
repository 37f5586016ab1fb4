/* see starttls/http/http.h */
#include "starttls/http/http.h"
#include "starttls/http/http_proxy.h"
#include "starttls/http/http_syntax.h"
#include "starttls/limits.h"
#include "starttls/line.h"
#include "starttls/machine.h"

#include <http_parser.h>
#include <pthread.h>
#include <stdlib.h>

enum { FIELDS_FIRST = 16 };

struct field {
    struct span name, value; /* in the head */
};

struct starttls_http {
    enum starttls_http_kind kind;
    struct starttls_http_limits limits;
    enum starttls_status status;
    enum starttls_http_limit limit; /* that was passed */
    bool empty_line_skipped;
    struct line_reader line;
    struct buffer head; /* the lines seen so far, each with its CRLF */
    size_t lines;
    unsigned fault;
    char *error;

    /* What http-parser makes of the head. */
    bool is_whole;
    unsigned method, minor_version, status_code;
    struct span target;
    struct field *fields;
    size_t field_count, field_capacity;
    bool in_value; /* the last thing it gave was a part of a value */
};

struct starttls_http_limits starttls_http_limits_default(enum starttls_http_kind kind)
{
    return (struct starttls_http_limits){.head_bytes_max = kind == STARTTLS_HTTP_REQUEST
                                                               ? STARTTLS_HTTP_REQUEST_HEAD_BYTES_DEFAULT
                                                               : STARTTLS_HTTP_RESPONSE_HEAD_BYTES_DEFAULT,
                                         .line_bytes_max = STARTTLS_HTTP_LINE_BYTES_DEFAULT,
                                         .fields_max = STARTTLS_HTTP_FIELDS_DEFAULT};
}

/* http-parser has a ceiling of its own, 80 KiB, for the whole process. Ours comes first. */
static void raise_parser_ceiling(void)
{
    http_parser_set_max_header_size(2 * STARTTLS_HTTP_HEAD_BYTES_MAX);
}

struct starttls_http *starttls_http_create(enum starttls_http_kind kind, const struct starttls_http_limits *limits)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct starttls_http *h = base_alloc(sizeof(*h));

    if (pthread_once(&once, raise_parser_ceiling) != 0)
        base_abort("http-parser cannot be set up");
    h->kind = kind;
    h->limits = limits == NULL ? starttls_http_limits_default(kind) : *limits;
    h->status = STARTTLS_NEED_MORE;
    line_init(&h->line, h->limits.line_bytes_max, LINE_TEXT_EIGHT_BIT);
    buffer_init(&h->head, h->limits.head_bytes_max);
    return h;
}

size_t starttls_http_memory(const struct starttls_http *h)
{
    return h == NULL ? 0
                     : sizeof(*h) + h->line.held.capacity + h->head.capacity + h->field_capacity * sizeof(h->fields[0]);
}

size_t starttls_http_memory_max(const struct starttls_http_limits *limits)
{
    /* Storage grows by doubling, so of the fields there may be twice as many. */
    return sizeof(struct starttls_http) + limits->line_bytes_max + limits->head_bytes_max +
           2 * (limits->fields_max + FIELDS_FIRST) * sizeof(struct field);
}

void starttls_http_destroy(struct starttls_http **h)
{
    if (*h == NULL)
        return;
    line_wipe(&(*h)->line);
    buffer_wipe(&(*h)->head); /* it may hold credentials */
    free((*h)->fields);
    free((*h)->error);
    free(*h);
    *h = NULL;
}

static enum starttls_status broken(struct starttls_http *h, unsigned fault, const char *what, struct span line)
{
    char quoted[BASE_QUOTE_SIZE];

    h->fault = fault;
    h->error = line.size == 0 ? base_strdup(what)
                              : base_printf("%s: %s", what, base_quote(line.data, line.size, quoted, sizeof(quoted)));
    return STARTTLS_BROKEN;
}

static const char *message_name(const struct starttls_http *h)
{
    return h->kind == STARTTLS_HTTP_REQUEST ? "request" : "response";
}

/* A limit of ours is passed: said in its own words, since it is not the peer that is at fault. */
static enum starttls_status over(struct starttls_http *h, enum starttls_http_limit limit)
{
    char *what = NULL;
    enum starttls_status status;

    h->limit = limit;
    switch (limit) {
    case STARTTLS_HTTP_LIMIT_HEAD:
        what = base_printf("the %s's head is longer than %zu bytes", message_name(h), h->limits.head_bytes_max);
        break;
    case STARTTLS_HTTP_LIMIT_LINE:
        what = base_printf("%s of the %s is longer than %zu bytes", h->lines == 0 ? "the first line" : "a field",
                           message_name(h), h->limits.line_bytes_max);
        break;
    case STARTTLS_HTTP_LIMIT_FIELDS:
        what = base_printf("the %s has more than %zu fields", message_name(h), h->limits.fields_max);
        break;
    case STARTTLS_HTTP_LIMIT_NONE:
    case STARTTLS_HTTP_LIMIT_COUNT:
        break;
    }
    assert(what != NULL);
    status = broken(h, limit == STARTTLS_HTTP_LIMIT_LINE && h->lines == 0 ? 414 : 431, what, span_of(NULL, 0));
    free(what);
    return status;
}

/* ---- http-parser ---- */

static struct starttls_http *http_of(const http_parser *p)
{
    return p->data;
}

/* A piece of `s`, which may come in several; all of them lie next to each other in the head. */
static int extend(struct span *s, const char *at, size_t size)
{
    if (s->size == 0)
        *s = span_of(at, size);
    else if ((const char *)s->data + s->size == at)
        s->size += size;
    else
        return 1;
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t size)
{
    return extend(&http_of(p)->target, at, size);
}

static int on_field_name(http_parser *p, const char *at, size_t size)
{
    struct starttls_http *h = http_of(p);

    if (h->field_count == 0 || h->in_value) {
        if (h->field_count == h->limits.fields_max)
            return 1;
        if (h->field_count == h->field_capacity) {
            h->field_capacity = h->field_capacity == 0 ? FIELDS_FIRST : 2 * h->field_capacity;
            h->fields = base_realloc_array(h->fields, h->field_capacity, sizeof(h->fields[0]));
        }
        h->fields[h->field_count++] = (struct field){.name = {0}};
        h->in_value = false;
    }
    return extend(&h->fields[h->field_count - 1].name, at, size);
}

static int on_field_value(http_parser *p, const char *at, size_t size)
{
    struct starttls_http *h = http_of(p);

    if (h->field_count == 0)
        return 1;
    h->in_value = true;
    return extend(&h->fields[h->field_count - 1].value, at, size);
}

static int on_head_end(http_parser *p)
{
    struct starttls_http *h = http_of(p);

    h->is_whole = true;
    h->method = p->method;
    h->minor_version = p->http_minor;
    h->status_code = p->status_code;
    return 2; /* whatever follows is no body of ours to read */
}

static enum starttls_status parse_head(struct starttls_http *h)
{
    struct span head = buffer_span(&h->head);
    http_parser parser;
    http_parser_settings settings;
    size_t parsed;

    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_field_name;
    settings.on_header_value = on_field_value;
    settings.on_headers_complete = on_head_end;
    http_parser_init(&parser, h->kind == STARTTLS_HTTP_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE);
    parser.data = h;
    parsed = http_parser_execute(&parser, &settings, (const char *)head.data, head.size);
    if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
        return broken(h, 400, http_errno_description(HTTP_PARSER_ERRNO(&parser)), span_of(NULL, 0));
    /* One line, one field: where the two readings of the head differ, neither is believed. */
    if (!h->is_whole || parsed != head.size || h->field_count + 2 != h->lines)
        return broken(h, 400, "the header can be read in two ways", span_of(NULL, 0));
    return STARTTLS_READY;
}

/* ---- putting both together ---- */

static enum starttls_status on_line(struct starttls_http *h, struct span line)
{
    struct http_fault fault = {0};
    bool is_end = line.size == 0 && h->lines != 0;

    /* RFC 9112 section 2.2: old clients sent one behind a body, and some before all they say. */
    if (line.size == 0 && h->lines == 0 && h->kind == STARTTLS_HTTP_REQUEST && !h->empty_line_skipped) {
        h->empty_line_skipped = true;
        return STARTTLS_NEED_MORE;
    }
    h->lines++;
    if (h->lines == 1)
        fault = h->kind == STARTTLS_HTTP_REQUEST ? http_request_line_fault(line) : http_status_line_fault(line);
    else if (!is_end)
        fault = http_field_fault(line);
    if (fault.status_code != 0)
        return broken(h, fault.status_code, fault.what, fault.quoted);
    if (!is_end && h->lines - 1 > h->limits.fields_max)
        return over(h, STARTTLS_HTTP_LIMIT_FIELDS);
    if (!buffer_append(&h->head, line) || !buffer_append(&h->head, span_of("\r\n", 2)))
        return over(h, STARTTLS_HTTP_LIMIT_HEAD);
    return is_end ? parse_head(h) : STARTTLS_NEED_MORE;
}

static enum starttls_status on_fault(struct starttls_http *h, enum line_status fault)
{
    char *what;
    enum starttls_status status;

    if (fault == LINE_TOO_LONG)
        return over(h, STARTTLS_HTTP_LIMIT_LINE);
    what = base_printf("a line of the header %s", line_fault_text(fault));
    status = broken(h, 400, what, span_of(NULL, 0));
    free(what);
    return status;
}

enum starttls_status starttls_http_put(struct starttls_http *h, struct span bytes, size_t *consumed)
{
    *consumed = 0;
    while (h->status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        struct span line = {0};
        size_t taken;
        enum line_status status = line_put(&h->line, span_skip(bytes, *consumed), &taken, &line);

        *consumed += taken;
        if (status == LINE_COMPLETE)
            h->status = on_line(h, line);
        else if (status != LINE_NEED_MORE)
            h->status = on_fault(h, status);
    }
    return h->status;
}

unsigned starttls_http_fault(const struct starttls_http *h)
{
    return h->fault;
}

const char *starttls_http_error(const struct starttls_http *h)
{
    return h->error == NULL ? "" : h->error;
}

size_t starttls_http_head_size(const struct starttls_http *h)
{
    return h->head.size;
}

enum starttls_http_limit starttls_http_limit(const struct starttls_http *h)
{
    return h->limit;
}

const char *starttls_http_method(const struct starttls_http *h)
{
    return http_method_str((enum http_method)h->method);
}

struct span starttls_http_target(const struct starttls_http *h)
{
    return h->target;
}

struct span starttls_http_path(const struct starttls_http *h)
{
    const uint8_t *query = h->target.size == 0 ? NULL : memchr(h->target.data, '?', h->target.size);

    return span_of(h->target.data, query == NULL ? h->target.size : (size_t)(query - h->target.data));
}

unsigned starttls_http_minor_version(const struct starttls_http *h)
{
    return h->minor_version;
}

unsigned starttls_http_status_code(const struct starttls_http *h)
{
    return h->status_code;
}

static struct span trim(struct span s)
{
    while (s.size != 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_skip(s, 1);
    while (s.size != 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

struct span starttls_http_field(const struct starttls_http *h, const char *name, size_t *count)
{
    struct span value = span_of(NULL, 0);
    size_t found = 0;

    for (size_t i = 0; i < h->field_count; i++) {
        if (!span_equal_nocase(h->fields[i].name, span_of_string(name)))
            continue;
        if (found++ == 0)
            value = trim(h->fields[i].value);
    }
    if (count != NULL)
        *count = found;
    return value;
}

size_t starttls_http_field_count(const struct starttls_http *h)
{
    return h->field_count;
}

void starttls_http_field_at(const struct starttls_http *h, size_t index, struct span *name, struct span *value)
{
    assert(index < h->field_count);
    *name = h->fields[index].name;
    *value = trim(h->fields[index].value);
}

struct span starttls_http_reason(const struct starttls_http *h)
{
    enum { REASON_AT = 13 }; /* "HTTP/1.1 200 " */
    struct span head = buffer_span(&h->head);
    const uint8_t *end = head.size == 0 ? NULL : memchr(head.data, '\r', head.size);
    size_t size = end == NULL ? 0 : (size_t)(end - head.data);

    return size <= REASON_AT ? span_of(NULL, 0) : span_of(head.data + REASON_AT, size - REASON_AT);
}

/* ---- the body of a response ---- */

struct starttls_http_body {
    http_parser parser;
    struct buffer bytes;
    enum starttls_status status;
    bool is_whole, is_too_long;
    const char *error;
};

static int on_body(http_parser *p, const char *at, size_t size)
{
    struct starttls_http_body *b = p->data;

    b->is_too_long = !buffer_append(&b->bytes, span_of(at, size));
    return b->is_too_long ? 1 : 0;
}

static int on_body_end(http_parser *p)
{
    struct starttls_http_body *b = p->data;

    b->is_whole = true;
    http_parser_pause(p, 1);
    return 0;
}

/* `size` 0 tells http-parser that the connection has ended. */
static enum starttls_status body_parse(struct starttls_http_body *b, struct span bytes)
{
    http_parser_settings settings;

    if (b->status != STARTTLS_NEED_MORE)
        return b->status;
    http_parser_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_message_complete = on_body_end;
    (void)http_parser_execute(&b->parser, &settings, (const char *)bytes.data, bytes.size);
    if (b->is_whole) {
        b->status = STARTTLS_READY;
    } else if (HTTP_PARSER_ERRNO(&b->parser) != HPE_OK) {
        b->error = b->is_too_long ? "the body is too long" : http_errno_description(HTTP_PARSER_ERRNO(&b->parser));
        b->status = STARTTLS_BROKEN;
    }
    return b->status;
}

struct starttls_http_body *starttls_http_body_create(const struct starttls_http *head, size_t size_max)
{
    struct starttls_http_body *b = base_alloc(sizeof(*b));

    assert(head->kind == STARTTLS_HTTP_RESPONSE && head->status == STARTTLS_READY);
    buffer_init(&b->bytes, size_max);
    http_parser_init(&b->parser, HTTP_RESPONSE);
    b->parser.data = b;
    b->status = STARTTLS_NEED_MORE;
    b->error = "";
    (void)body_parse(b, buffer_span(&head->head)); /* the head again: it says how the body ends */
    return b;
}

void starttls_http_body_destroy(struct starttls_http_body **b)
{
    if (*b == NULL)
        return;
    buffer_release(&(*b)->bytes);
    free(*b);
    *b = NULL;
}

enum starttls_status starttls_http_body_put(struct starttls_http_body *b, struct span bytes)
{
    return bytes.size == 0 ? b->status : body_parse(b, bytes);
}

enum starttls_status starttls_http_body_end(struct starttls_http_body *b)
{
    if (body_parse(b, span_of(NULL, 0)) == STARTTLS_NEED_MORE) {
        b->error = "the body ends too early";
        b->status = STARTTLS_BROKEN;
    }
    return b->status;
}

struct span starttls_http_body_bytes(const struct starttls_http_body *b)
{
    return buffer_span(&b->bytes);
}

uint8_t *starttls_http_body_take(struct starttls_http_body *b, size_t *size)
{
    return buffer_take(&b->bytes, size);
}

const char *starttls_http_body_error(const struct starttls_http_body *b)
{
    return b->error;
}

void starttls_http_respond(unsigned status_code, const char *extra_fields, const char *body, struct buffer *out)
{
    const char *reason = http_status_str((enum http_status)status_code);

    text_append(out,
                "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                "Connection: close\r\n%s\r\n%s",
                status_code, reason, strlen(body), extra_fields, body);
}

char *starttls_http_parser_version(void)
{
    unsigned long version = http_parser_version();

    return base_printf("%lu.%lu.%lu", (version >> 16) & 255, (version >> 8) & 255, version & 255);
}
