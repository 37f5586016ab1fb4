/* see starttls/http/http_forward.h */
#include "starttls/http/http_forward.h"
#include "base/sink.h"
#include "starttls/http/http_proxy.h"
#include "starttls/limits.h"
#include "starttls/target.h"

#include <inttypes.h>
#include <stdlib.h>

enum { HTTPS_PORT = 443 };

/* ---- the URI ---- */

static bool is_uri_text(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~' || s.data[i] == '#' || s.data[i] == '\\')
            return false;
    return true;
}

/* Up to the first of "/" and "?". */
static size_t authority_size(struct span s)
{
    size_t size = 0;

    while (size < s.size && s.data[size] != '/' && s.data[size] != '?')
        size++;
    return size;
}

enum http_uri_status http_uri_parse(struct span text, struct http_uri *uri)
{
    static const char https[] = "https://";
    size_t size;

    *uri = (struct http_uri){.host = NULL};
    if (span_starts_with_nocase(text, "http://"))
        return HTTP_URI_NOT_HTTPS;
    if (!span_starts_with_nocase(text, https))
        return HTTP_URI_NOT_ABSOLUTE;
    text = span_skip(text, sizeof(https) - 1);
    size = authority_size(text);
    if (!is_uri_text(text) || !starttls_authority_parse_optional_port(span_of(text.data, size), &uri->host, &uri->port))
        return HTTP_URI_BAD;
    if (uri->port == 0)
        uri->port = HTTPS_PORT;
    uri->path = span_skip(text, size);
    return HTTP_URI_OK;
}

/* ---- fields ---- */

/* What is between two neighbours, or is written by us. Proxy-Authenticate from a server would have the client send us a
 * password it keeps for a proxy. */
static const char *const hop_fields[] = {"Connection",
                                         "Keep-Alive",
                                         "Proxy-Authenticate",
                                         "Proxy-Authentication-Info",
                                         "Proxy-Authorization",
                                         "Proxy-Connection",
                                         "TE",
                                         "Trailer",
                                         "Transfer-Encoding",
                                         "Upgrade",
                                         "HTTP2-Settings",
                                         "Content-Length",
                                         "Host"};

static bool is_listed(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(hop_fields); i++)
        if (span_equal_nocase(name, span_of_string(hop_fields[i])))
            return true;
    return false;
}

/* The next element of a list "a, b ,,c" without white space around it; false at the end. */
static bool next_element(struct span *list, struct span *element)
{
    while (list->size != 0) {
        const uint8_t *comma = memchr(list->data, ',', list->size);
        size_t size = comma == NULL ? list->size : (size_t)(comma - list->data);

        *element = span_of(list->data, size);
        *list = span_skip(*list, comma == NULL ? size : size + 1);
        while (element->size != 0 && (element->data[0] == ' ' || element->data[0] == '\t'))
            *element = span_skip(*element, 1);
        while (element->size != 0 &&
               (element->data[element->size - 1] == ' ' || element->data[element->size - 1] == '\t'))
            element->size--;
        if (element->size != 0)
            return true;
    }
    return false;
}

/* What the Connection fields name. */
struct connection_options {
    struct span names[STARTTLS_HTTP_CONNECTION_OPTIONS_MAX];
    size_t count;
};

/* False: there are too many. Each field is compared with each of them, so that without a limit one request could keep
 * us busy for long. */
static bool read_connection(const struct starttls_http *head, struct connection_options *options)
{
    options->count = 0;
    for (size_t i = 0; i < starttls_http_field_count(head); i++) {
        struct span name, value, element;

        starttls_http_field_at(head, i, &name, &value);
        if (!span_equal_nocase(name, span_of_string("Connection")))
            continue;
        while (next_element(&value, &element)) {
            if (options->count == ARRAY_LEN(options->names))
                return false;
            options->names[options->count++] = element;
        }
    }
    return true;
}

static bool is_named_by(const struct connection_options *options, struct span name)
{
    for (size_t i = 0; i < options->count; i++)
        if (span_equal_nocase(options->names[i], name))
            return true;
    return false;
}

/* ---- writing ---- */

size_t starttls_http_forwarded_max(const struct starttls_http_limits *limits)
{
    return limits->head_bytes_max + limits->fields_max * STARTTLS_HTTP_ADDED_BYTES_PER_FIELD +
           STARTTLS_HTTP_ADDED_BYTES_MAX;
}

/* Room for what is made of this head: no more than it needs, since most are small. */
static void open_for(const struct starttls_http *head, struct sink *sink, struct buffer *out)
{
    sink_open(sink, out,
              starttls_http_head_size(head) + starttls_http_field_count(head) * STARTTLS_HTTP_ADDED_BYTES_PER_FIELD +
                  STARTTLS_HTTP_ADDED_BYTES_MAX);
}

static bool is_one_of(struct span name, const char *const names[2])
{
    for (size_t i = 0; names != NULL && i < 2; i++)
        if (names[i] != NULL && span_equal_nocase(name, span_of_string(names[i])))
            return true;
    return false;
}

/* `besides`: more that stay here, or NULL. False: Connection names too many. */
static bool put_fields(const struct starttls_http *head, const char *const besides[2], struct sink *out)
{
    struct connection_options options;

    if (!read_connection(head, &options))
        return false;
    for (size_t i = 0; i < starttls_http_field_count(head); i++) {
        struct span name, value;

        starttls_http_field_at(head, i, &name, &value);
        if (is_listed(name) || is_named_by(&options, name) || is_one_of(name, besides))
            continue;
        sink_put(out, name);
        sink_put_text(out, ": ");
        sink_put(out, value);
        sink_put_text(out, "\r\n");
    }
    return true;
}

/* RFC 9110 section 7.6.3: a proxy MUST send Via. The pseudonym tells nobody where we are. */
static void put_end(const struct starttls_http *head, const char *connection, struct sink *out)
{
    sink_put_text(out, starttls_http_minor_version(head) == 0 ? "Via: 1.0 yett\r\n" : "Via: 1.1 yett\r\n");
    sink_put_text(out, connection);
    sink_put_text(out, "\r\n");
}

/* ---- the request ---- */

static bool refuse(unsigned code, const char *why, unsigned *status_code, const char **error)
{
    *status_code = code;
    *error = why;
    return false;
}

bool http_forward_host(const struct starttls_http *head, const char *host, uint16_t port, bool *differs)
{
    size_t count;
    struct span value = starttls_http_field(head, "Host", &count);
    uint16_t said_port;
    char *said;

    *differs = false;
    if (count != 1)
        return count == 0 && starttls_http_minor_version(head) == 0;
    if (!starttls_authority_parse_optional_port(value, &said, &said_port))
        return false;
    /* Without a port it names the same host. */
    *differs = strcmp(said, host) != 0 || (said_port != 0 && said_port != port);
    free(said);
    return true;
}

static void put_request_line(const struct starttls_http *head, const struct http_uri *uri, struct sink *out)
{
    const char *method = starttls_http_method(head);

    sink_put_text(out, method);
    sink_put_text(out, " ");
    if (uri->path.size == 0)
        sink_put_text(out, strcmp(method, "OPTIONS") == 0 ? "*" : "/"); /* RFC 9112 section 3.2.4 */
    else if (uri->path.data[0] == '?')
        sink_put_text(out, "/");
    sink_put(out, uri->path);
    sink_put_text(out, strchr(uri->host, ':') != NULL ? " HTTP/1.1\r\nHost: [" : " HTTP/1.1\r\nHost: ");
    sink_put_text(out, uri->host);
    if (strchr(uri->host, ':') != NULL)
        sink_put_text(out, "]");
    if (uri->port != HTTPS_PORT)
        sink_printf(out, ":%u", (unsigned)uri->port);
    sink_put_text(out, "\r\n");
}

/* RFC 9110 section 7.6.2: counted down for OPTIONS, in which it has a meaning; at 0 the request is for us. */
enum max_forwards { MAX_FORWARDS_GO_ON, MAX_FORWARDS_FOR_US, MAX_FORWARDS_BAD };

static bool is_options(const struct starttls_http *head)
{
    return strcmp(starttls_http_method(head), "OPTIONS") == 0;
}

static enum max_forwards put_max_forwards(const struct starttls_http *head, struct sink *out)
{
    enum { DIGITS_MAX = 9 };
    size_t count;
    struct span value = starttls_http_field(head, "Max-Forwards", &count);
    uint64_t left = 0;

    if (count == 0 || !is_options(head))
        return MAX_FORWARDS_GO_ON;
    if (count != 1 || value.size == 0 || value.size > DIGITS_MAX)
        return MAX_FORWARDS_BAD;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return MAX_FORWARDS_BAD;
        left = left * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (left == 0)
        return MAX_FORWARDS_FOR_US;
    sink_printf(out, "Max-Forwards: %" PRIu64 "\r\n", left - 1);
    return MAX_FORWARDS_GO_ON;
}

static bool put_request_framing(const struct starttls_http *head, struct http_forward *f, struct sink *out,
                                const char **error)
{
    switch (starttls_http_framing(head, &f->length, error)) {
    case STARTTLS_HTTP_UNFRAMED:
        break;
    case STARTTLS_HTTP_LENGTH:
        f->from = f->to = f->length == 0 ? HTTP_BODY_NONE : HTTP_BODY_LENGTH;
        sink_printf(out, "Content-Length: %" PRIu64 "\r\n", f->length);
        break;
    case STARTTLS_HTTP_CHUNKED:
        f->from = f->to = HTTP_BODY_CHUNKED;
        sink_put_text(out, "Transfer-Encoding: chunked\r\n");
        break;
    case STARTTLS_HTTP_BADLY_FRAMED:
        return false;
    }
    return true;
}

bool http_forward_request(const struct starttls_http *head, const struct http_uri *uri, struct buffer *out,
                          struct http_forward *f, unsigned *status_code, const char **error)
{
    size_t expectations;
    struct span expected = starttls_http_field(head, "Expect", &expectations);
    struct sink sink;

    *f = (struct http_forward){.head_only = strcmp(starttls_http_method(head), "HEAD") == 0,
                               .client_is_1_0 = starttls_http_minor_version(head) == 0};
    if (expectations > 1 || (expectations == 1 && !span_equal_nocase(expected, span_of_string("100-continue"))))
        return refuse(417, "the client expects something else than 100-continue", status_code, error);
    open_for(head, &sink, out);
    put_request_line(head, uri, &sink);
    switch (put_max_forwards(head, &sink)) {
    case MAX_FORWARDS_GO_ON:
        break;
    case MAX_FORWARDS_FOR_US:
        return refuse(200, "the client asks the proxy itself for its options", status_code, error);
    case MAX_FORWARDS_BAD:
        return refuse(400, "the client's Max-Forwards is not a number", status_code, error);
    }
    /* RFC 9110 section 10.1.1: a client of HTTP/1.0 cannot mean its Expect. */
    if (!put_fields(head,
                    (const char *const[]){is_options(head) ? "Max-Forwards" : NULL, f->client_is_1_0 ? "Expect" : NULL},
                    &sink))
        return refuse(400, "the client's Connection names too many fields", status_code, error);
    if (!put_request_framing(head, f, &sink, error)) {
        *status_code = 400;
        return false;
    }
    put_end(head, "Connection: close\r\n", &sink);
    return sink_close(&sink) || refuse(500,
                                       "the request's head does not fit once it is written anew: this is a fault "
                                       "of yett's own",
                                       status_code, error);
}

/* ---- the response ---- */

static bool has_no_body(unsigned code, const struct http_forward *request)
{
    return request->head_only || code / 100 == 1 || code == 204 || code == 304; /* RFC 9112 section 6.3, rule 1 */
}

static void put_status_line(const struct starttls_http *head, struct sink *out)
{
    sink_printf(out, "HTTP/1.1 %u ", starttls_http_status_code(head));
    sink_put(out, starttls_http_reason(head));
    sink_put_text(out, "\r\n");
}

/* What says how the final response's body ends, and *f with it. */
static void put_response_framing(unsigned code, enum starttls_http_framing framing, struct http_forward *f,
                                 struct sink *out)
{
    if (has_no_body(code, f)) {
        /* Here a length is that of the body a GET would have brought; 204 has none to speak of. */
        if (framing == STARTTLS_HTTP_LENGTH && code != 204)
            sink_printf(out, "Content-Length: %" PRIu64 "\r\n", f->length);
    } else if (framing == STARTTLS_HTTP_LENGTH) {
        f->from = f->to = f->length == 0 ? HTTP_BODY_NONE : HTTP_BODY_LENGTH;
        sink_printf(out, "Content-Length: %" PRIu64 "\r\n", f->length);
    } else if (framing == STARTTLS_HTTP_CHUNKED) {
        f->from = HTTP_BODY_CHUNKED;
        f->to = f->client_is_1_0 ? HTTP_BODY_TO_END : HTTP_BODY_CHUNKED;
        if (f->to == HTTP_BODY_CHUNKED)
            sink_put_text(out, "Transfer-Encoding: chunked\r\n");
    } else {
        f->from = f->to = HTTP_BODY_TO_END;
    }
}

bool http_forward_response(const struct starttls_http *head, const struct http_forward *request, struct buffer *out,
                           struct http_forward *f, const char **error)
{
    unsigned code = starttls_http_status_code(head);
    enum starttls_http_framing framing;
    struct sink sink;

    *f = (struct http_forward){.head_only = request->head_only, .client_is_1_0 = request->client_is_1_0};
    if (code == 101) {
        *error = "it switches to a protocol that nobody asked for";
        return false;
    }
    framing = starttls_http_framing(head, &f->length, error);
    if (framing == STARTTLS_HTTP_BADLY_FRAMED)
        return false;
    if (code / 100 == 1 && request->client_is_1_0)
        return true; /* RFC 9110 section 15.2 */
    open_for(head, &sink, out);
    put_status_line(head, &sink);
    if (!put_fields(head, NULL, &sink)) {
        *error = "its Connection names too many fields";
        return false;
    }
    if (code / 100 != 1)
        put_response_framing(code, framing, f, &sink);
    put_end(head, code / 100 == 1 ? "" : "Connection: close\r\n", &sink);
    if (!sink_close(&sink))
        *error = "it does not fit once it is written anew: this is a fault of yett's own";
    return *error == NULL;
}

struct span starttls_without_body(struct span response)
{
    static const char empty_line[] = "\r\n\r\n";

    for (size_t i = 0; i + sizeof(empty_line) - 1 <= response.size; i++)
        if (memcmp(response.data + i, empty_line, sizeof(empty_line) - 1) == 0)
            return span_of(response.data, i + sizeof(empty_line) - 1);
    return response;
}
