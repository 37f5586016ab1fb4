/* see starttls/http/http.h */
#include "starttls/http/http.h"
#include "starttls/http/http_proxy.h"
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

/* What of a line may be quoted in a log: it may hold credentials, or half of them, so it is the first word alone. */
static struct span first_word(struct span line)
{
    size_t size = 0;

    while (size < line.size && line.data[size] != ':' && line.data[size] != ' ' && line.data[size] != '\t')
        size++;
    return span_of(line.data, size);
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

/* ---- our own checks, line by line ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* tchar, RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!is_token_char(s.data[i]))
            return false;
    return s.size != 0;
}

/* Visible ASCII: what a request target is made of. */
static bool is_visible(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return true;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f)
            return true;
    return false;
}

/* "HTTP/" DIGIT "." DIGIT */
static bool is_version(struct span s)
{
    return s.size == 8 && memcmp(s.data, "HTTP/", 5) == 0 && is_digit(s.data[5]) && s.data[6] == '.' &&
           is_digit(s.data[7]);
}

static bool is_known_version(struct span s)
{
    return span_equal(s, span_of_string("HTTP/1.0")) || span_equal(s, span_of_string("HTTP/1.1"));
}

/* method SP target SP version, with these two spaces and no other white space. RFC 9112 section 3. */
static enum starttls_status check_request_line(struct starttls_http *h, struct span line)
{
    const uint8_t *first = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    struct span method = span_of(line.data, first == NULL ? line.size : (size_t)(first - line.data));
    struct span rest = first == NULL ? span_of(NULL, 0) : span_skip(line, method.size + 1);
    const uint8_t *second = rest.size == 0 ? NULL : memchr(rest.data, ' ', rest.size);
    struct span target = span_of(rest.data, second == NULL ? rest.size : (size_t)(second - rest.data));
    struct span version = second == NULL ? span_of(NULL, 0) : span_skip(rest, target.size + 1);

    if (!is_token(method) || target.size == 0 || !is_visible(target))
        return broken(h, 400, "the client's request line is not one", first_word(line));
    if (second == NULL)
        return broken(h, 505, "the client speaks HTTP/0.9", first_word(line));
    if (is_known_version(version))
        return STARTTLS_NEED_MORE;
    if (is_version(version))
        return broken(h, 505, "the client speaks a version of HTTP that is neither 1.0 nor 1.1", first_word(line));
    return broken(h, 400, "the client's request line is not one", first_word(line));
}

/* version SP 3DIGIT [SP reason]. RFC 9112 section 4; the space before an empty reason is often left out. */
static enum starttls_status check_status_line(struct starttls_http *h, struct span line)
{
    bool is_good = line.size >= 12 && is_known_version(span_of(line.data, 8)) && line.data[8] == ' ' &&
                   line.data[9] >= '1' && line.data[9] <= '5' && is_digit(line.data[10]) && is_digit(line.data[11]) &&
                   (line.size == 12 || line.data[12] == ' ') && !has_control(line);

    return is_good ? STARTTLS_NEED_MORE : broken(h, 502, "the server's status line is not one", line);
}

/* name ":" value. The name is a token, so there is no white space before the colon, which some drop and some take
 * for a part of the name; a line that begins with white space is a folded one (RFC 9112 section 5.2). */
static enum starttls_status check_field(struct starttls_http *h, struct span line)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    struct span name = span_of(line.data, colon == NULL ? 0 : (size_t)(colon - line.data));

    if (line.data[0] == ' ' || line.data[0] == '\t')
        return broken(h, 400, "a header field is folded", span_of(NULL, 0));
    if (!is_token(name))
        return broken(h, 400, "a header field has no proper name", first_word(line));
    if (has_control(span_skip(line, name.size + 1)))
        return broken(h, 400, "a header field has a control byte", name);
    if (h->lines - 1 > h->limits.fields_max)
        return over(h, STARTTLS_HTTP_LIMIT_FIELDS);
    return STARTTLS_NEED_MORE;
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
    enum starttls_status status = STARTTLS_NEED_MORE;
    bool is_end = line.size == 0 && h->lines != 0;

    /* RFC 9112 section 2.2: old clients sent one behind a body, and some before all they say. */
    if (line.size == 0 && h->lines == 0 && h->kind == STARTTLS_HTTP_REQUEST && !h->empty_line_skipped) {
        h->empty_line_skipped = true;
        return STARTTLS_NEED_MORE;
    }
    h->lines++;
    if (h->lines == 1)
        status = h->kind == STARTTLS_HTTP_REQUEST ? check_request_line(h, line) : check_status_line(h, line);
    else if (!is_end)
        status = check_field(h, line);
    if (status != STARTTLS_NEED_MORE)
        return status;
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

static bool parse_length(struct span value, uint64_t *length)
{
    enum { DIGITS_MAX = 18 };

    *length = 0;
    if (value.size == 0 || value.size > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.data[i]))
            return false;
        *length = *length * 10 + (uint64_t)(value.data[i] - '0');
    }
    return true;
}

enum starttls_http_framing starttls_http_framing(const struct starttls_http *h, uint64_t *length, const char **error)
{
    size_t lengths, codings;
    struct span length_value = starttls_http_field(h, "Content-Length", &lengths);
    struct span coding = starttls_http_field(h, "Transfer-Encoding", &codings);

    *error = NULL;
    *length = 0;
    if (lengths + codings == 0)
        return STARTTLS_HTTP_UNFRAMED;
    if (lengths != 0 && codings != 0)
        *error = "it has both Content-Length and Transfer-Encoding";
    else if (lengths + codings > 1)
        *error = "it says more than once how its body ends";
    else if (lengths == 1 && !parse_length(length_value, length))
        *error = "its Content-Length is not a number";
    else if (codings == 1 && !span_equal_nocase(coding, span_of_string("chunked")))
        *error = "its Transfer-Encoding is something else than chunked";
    else if (codings == 1 && h->minor_version == 0)
        *error = "it has a Transfer-Encoding, which HTTP/1.0 does not know";
    if (*error != NULL)
        return STARTTLS_HTTP_BADLY_FRAMED;
    return lengths == 1 ? STARTTLS_HTTP_LENGTH : STARTTLS_HTTP_CHUNKED;
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
