/* HTTP CONNECT (RFC 9110 section 9.3.6), as a proxy and through one; and as a proxy, requests with an https URI.
 *
 *   accepted:   REQUEST --CONNECT host:port, or GET https://...--> TARGET --connected--> TUNNEL, or http_exchange.c
 *                   `--anything else--> REFUSED (one response, Connection: close, and the end)
 *
 *   connected:  RESPONSE --2xx--> TUNNEL          1xx are skipped, a few; all else fails
 *
 * Every response that is not 2xx closes: what a client pipelined after a refused request would otherwise be read as
 * its next one (request smuggling). Bytes after the request's empty line are the tunnel's: they are kept, up to a
 * limit, for a target that answers. Nothing of the request is ever repeated in a response. */
#include "starttls/http/http_exchange.h"
#include "starttls/http/http_proxy.h"
#include "starttls/machine.h"
#include "starttls/target.h"

#include <stdlib.h>

enum accept_state { ACCEPT_REQUEST, ACCEPT_TARGET, ACCEPT_TUNNEL, ACCEPT_REFUSED, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_RESPONSE, CONNECT_TUNNEL, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"HTTP_REQUEST", "HTTP_TARGET", "HTTP_TUNNEL", "HTTP_REFUSED"};
static const char *const connect_names[] = {"HTTP_RESPONSE", "HTTP_TUNNEL"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

struct http_machine {
    struct starttls_machine m;
    struct starttls_http *head;
    struct starttls_http_limits limits[STARTTLS_HTTP_KIND_COUNT];
    struct http_request request; /* accepted side */
    const char *method;          /* accepted side: NULL while it is not known */
    char *host;                  /* accepted side: the Host field that differs from the target; NULL: none */
    unsigned status_code;        /* accepted side: of our response */
    char *public_error;          /* NULL: none */
    unsigned interim_responses;  /* connected side */
};

static const struct machine_class accept_class, connect_class;

static struct http_machine *http_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct http_machine, m);
}

static void clear(struct starttls_machine *m)
{
    starttls_http_destroy(&http_of(m)->head);
    buffer_wipe(&http_of(m)->request.head); /* it may hold credentials */
    free(http_of(m)->host);
    free(http_of(m)->public_error);
}

static void set_limits(struct http_machine *h)
{
    for (unsigned kind = 0; kind < STARTTLS_HTTP_KIND_COUNT; kind++)
        h->limits[kind] = h->m.options.http_limits == NULL ? starttls_http_limits_default((enum starttls_http_kind)kind)
                                                           : h->m.options.http_limits[kind];
}

/* ---- the accepted side ---- */

static void accept_start(struct starttls_machine *m)
{
    struct http_machine *h = http_of(m);

    set_limits(h);
    h->head = starttls_http_create(STARTTLS_HTTP_REQUEST, &h->limits[STARTTLS_HTTP_REQUEST]);
    buffer_init(&h->request.head, starttls_http_forwarded_max(&h->limits[STARTTLS_HTTP_REQUEST]));
    m->state = ACCEPT_REQUEST;
}

static const char *body_of(unsigned status_code)
{
    switch (status_code) {
    case 200:
        return "";
    case 403:
        return "Plain HTTP is not forwarded: ask for https.\n";
    case 405:
        return "Only CONNECT, and common methods with https URIs, are served here.\n";
    case 417:
        return "Only 100-continue can be expected here.\n";
    case 500:
        return "The request cannot be passed on: this is a fault of yett's own.\n";
    case 505:
        return "Only HTTP/1.0 and HTTP/1.1 are served here.\n";
    default:
        return "The request is not understood.\n";
    }
}

/* What a browser may ask for with a URI. TRACE would show the client's own credentials to its scripts. */
static const char *const forwarded_methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
static const char allow_field[] = "Allow: CONNECT, GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n";

static bool is_forwarded(const char *method)
{
    for (size_t i = 0; i < ARRAY_LEN(forwarded_methods); i++)
        if (strcmp(method, forwarded_methods[i]) == 0)
            return true;
    return false;
}

/* A page of ours, for whoever reads it and for whoever is asked about it: the log has the same connection. `more` is a
 * sentence without line end, or NULL. */
static void put_page(unsigned status_code, const char *fields, const char *words, const char *more,
                     const char *connection, struct buffer *out)
{
    char *body = base_printf("%s%s%s%s%s", more == NULL ? words : more, more == NULL ? "" : "\n",
                             connection == NULL ? "" : "Connection ", connection == NULL ? "" : connection,
                             connection == NULL ? "" : "\n");

    starttls_http_respond(status_code, fields, body, out);
    free(body);
}

/* `more`: in the place of the status code's own words; NULL: those. */
static enum starttls_status refuse_with(struct starttls_machine *m, unsigned status_code, const char *more,
                                        const char *why)
{
    struct http_machine *h = http_of(m);
    bool is_head = h->method != NULL && strcmp(h->method, "HEAD") == 0; /* is answered without a body */
    struct buffer response;
    struct span words;

    m->state = ACCEPT_REFUSED;
    h->status_code = status_code;
    buffer_init(&response, STARTTLS_OUTPUT_BYTES_MAX);
    put_page(status_code, status_code == 405 || status_code == 200 ? allow_field : "", body_of(status_code), more,
             status_code == 200 ? NULL : m->options.connection, &response);
    words = is_head ? starttls_without_body(buffer_span(&response)) : buffer_span(&response);
    machine_say(m, "%.*s", (int)words.size, (const char *)words.data);
    buffer_release(&response);
    return machine_broken(m, "%s", why);
}

static enum starttls_status refuse(struct starttls_machine *m, unsigned status_code, const char *why)
{
    return refuse_with(m, status_code, NULL, why);
}

/* A head that is no request, or more than is taken. */
static enum starttls_status refuse_head(struct starttls_machine *m, const struct starttls_http *head)
{
    char *limit = http_limit_text(STARTTLS_HTTP_REQUEST, head), *page;

    if (limit == NULL)
        return refuse(m, starttls_http_fault(head), starttls_http_error(head));
    page = base_printf("The request is more than is taken here: %s.", limit);
    (void)refuse_with(m, starttls_http_fault(head), page, limit);
    free(page);
    free(limit);
    return STARTTLS_BROKEN;
}

/* The Host field must be there once and be a host, but it does not choose the target: RFC 9112 section 3.2.2 has the
 * URI count, and of CONNECT the request line is what we decide by. Node's own client names the proxy in it. */
static bool read_host(struct starttls_machine *m, const struct starttls_http *head)
{
    struct span value = starttls_http_field(head, "Host", NULL);
    bool differs;

    if (!http_forward_host(head, m->target_host, m->target_port, &differs))
        return false;
    if (differs)
        http_of(m)->host = base_strndup((const char *)value.data, value.size);
    return true;
}

static const char bad_host[] = "the client's Host is missing, given twice, or not a host";

/* GET https://host/path, and its like: the target is the URI's host, and TLS with it is ours. */
static enum starttls_status on_uri(struct starttls_machine *m, const struct starttls_http *head, struct http_uri *uri)
{
    struct http_request *request = &http_of(m)->request;
    unsigned status_code = 400;
    const char *error = NULL;

    m->target_host = base_strdup(uri->host);
    m->target_port = uri->port;
    if (!read_host(m, head))
        return refuse(m, 400, bad_host);
    if (!http_forward_request(head, uri, &request->head, &request->forward, &status_code, &error))
        return refuse(m, status_code, error);
    request->kind = request->forward.head_only ? STARTTLS_REQUEST_EXCHANGE_HEAD : STARTTLS_REQUEST_EXCHANGE;
    m->leaves_rest = true;
    m->state = ACCEPT_TARGET;
    return STARTTLS_TARGET;
}

static enum starttls_status on_other_method(struct starttls_machine *m, const struct starttls_http *head)
{
    enum starttls_status status;
    struct http_uri uri;

    if (!is_forwarded(starttls_http_method(head)))
        return refuse(m, 405, "the client asks with a method that is not served");
    switch (http_uri_parse(starttls_http_target(head), &uri)) {
    case HTTP_URI_OK:
        status = on_uri(m, head, &uri);
        free(uri.host);
        return status;
    case HTTP_URI_NOT_HTTPS:
        return refuse(m, 403, "the client asks for an http URI, and plain HTTP is not forwarded");
    case HTTP_URI_NOT_ABSOLUTE:
        return refuse(m, 400, "the client asks for something that is neither host:port nor an https URI");
    case HTTP_URI_BAD:
        break;
    }
    return refuse(m, 400, "the client asks for an https URI that is not one");
}

static enum starttls_status on_request(struct starttls_machine *m, const struct starttls_http *head)
{
    uint64_t length;
    const char *error;

    http_of(m)->method = starttls_http_method(head);
    if (strcmp(starttls_http_method(head), "CONNECT") != 0)
        return on_other_method(m, head);
    if (!starttls_authority_parse(starttls_http_target(head), &m->target_host, &m->target_port))
        return refuse(m, 400, "the client asks for a target that is not host:port");
    if (!read_host(m, head))
        return refuse(m, 400, bad_host);
    /* A body would become the first bytes of the tunnel. One of no bytes is none. */
    switch (starttls_http_framing(head, &length, &error)) {
    case STARTTLS_HTTP_UNFRAMED:
        break;
    case STARTTLS_HTTP_LENGTH:
        if (length == 0)
            break;
        return refuse(m, 400, "the client sends a body with CONNECT");
    case STARTTLS_HTTP_CHUNKED:
        return refuse(m, 400, "the client sends a body with CONNECT");
    case STARTTLS_HTTP_BADLY_FRAMED:
        return refuse(m, 400, error);
    }
    m->state = ACCEPT_TARGET;
    return STARTTLS_TARGET;
}

static enum starttls_status accept_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct starttls_http *head = http_of(m)->head;

    switch (starttls_http_put(head, bytes, consumed)) {
    case STARTTLS_READY:
        return on_request(m, head);
    case STARTTLS_BROKEN:
        return refuse_head(m, head);
    case STARTTLS_NEED_MORE:
    case STARTTLS_UPGRADE:
    case STARTTLS_DIRECT:
    case STARTTLS_TARGET:
    case STARTTLS_CLOSE:
    case STARTTLS_REFUSED:
        break;
    }
    return STARTTLS_NEED_MORE;
}

static void accept_target_connected(struct starttls_machine *m)
{
    m->state = ACCEPT_TUNNEL;
    http_of(m)->status_code = 200;
    machine_say(m, "HTTP/1.1 200 Connection established\r\n\r\n"); /* no length, no coding: RFC 9110 section 9.3.6 */
}

enum starttls_request starttls_target_request(struct starttls_machine *m)
{
    assert(m->protocol == STARTTLS_HTTP_CONNECT && m->status == STARTTLS_TARGET);
    return http_of(m)->request.kind;
}

struct starttls_filter *starttls_exchange_create(struct starttls_machine *m, struct buffer *out)
{
    struct http_machine *h = http_of(m);
    struct starttls_filter *f;

    assert(m->status == STARTTLS_TARGET && h->request.kind != STARTTLS_REQUEST_TUNNEL);
    m->state = ACCEPT_TUNNEL;
    m->status = STARTTLS_READY;
    f = http_exchange_create(&h->request.forward, &h->limits[STARTTLS_HTTP_RESPONSE]);
    if (!buffer_append(out, buffer_span(&h->request.head)))
        f->status = filter_broken(f, STARTTLS_FAULT_YETT,
                                  "there is no room for the request's head: this is a fault of yett's own");
    return f;
}

struct starttls_request_facts starttls_request_facts(const struct starttls_machine *m)
{
    const struct http_machine *h = (const struct http_machine *)(const void *)m;

    if (m == NULL || m->class != &accept_class)
        return (struct starttls_request_facts){.method = NULL};
    return (struct starttls_request_facts){.method = h->method, .host = h->host, .status = h->status_code};
}

bool starttls_is_over_limit(const struct starttls_machine *m)
{
    const struct http_machine *h = (const struct http_machine *)(const void *)m;

    return m != NULL && (m->class == &accept_class || m->class == &connect_class) && h->head != NULL &&
           starttls_http_limit(h->head) != STARTTLS_HTTP_LIMIT_NONE;
}

const char *starttls_public_error(const struct starttls_machine *m)
{
    const struct http_machine *h = (const struct http_machine *)(const void *)m;

    return m != NULL && m->class == &connect_class && h->public_error != NULL ? h->public_error : "";
}

size_t starttls_machine_memory(const struct starttls_machine *m)
{
    const struct http_machine *h = (const struct http_machine *)(const void *)m;
    size_t size;

    if (m == NULL)
        return 0;
    size = m->class->size + m->line.held.capacity + m->out.capacity + m->early.capacity + m->capabilities.capacity +
           m->greeting.capacity;
    if (m->class == &accept_class || m->class == &connect_class)
        size += starttls_http_memory(h->head) + h->request.head.capacity;
    return size;
}

/* ---- the connected side ---- */

static void connect_start(struct starttls_machine *m)
{
    struct span host = span_of_string(m->options.target_host == NULL ? "" : m->options.target_host);
    enum starttls_host_kind kind;
    char *authority;

    if (host.size > 1 && host.data[host.size - 1] == '.')
        host.size--;
    kind = starttls_host_kind(host);
    /* It may come from an application: nothing outside the grammar is written into a header. */
    assert(kind != STARTTLS_HOST_INVALID && m->options.target_port != 0);
    authority = base_printf(kind == STARTTLS_HOST_IPV6 ? "[%.*s]:%u" : "%.*s:%u", (int)host.size,
                            (const char *)host.data, m->options.target_port);
    set_limits(http_of(m));
    http_of(m)->head = starttls_http_create(STARTTLS_HTTP_RESPONSE, &http_of(m)->limits[STARTTLS_HTTP_RESPONSE]);
    m->state = CONNECT_RESPONSE;
    machine_say(m, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", authority, authority);
    free(authority);
}

static enum starttls_status on_response(struct http_machine *h)
{
    struct starttls_machine *m = &h->m;
    unsigned code = starttls_http_status_code(h->head);

    if (code / 100 == 2) { /* its Content-Length and Transfer-Encoding mean nothing: RFC 9110 section 9.3.6 */
        m->state = CONNECT_TUNNEL;
        return m->options.upgrade ? STARTTLS_UPGRADE : STARTTLS_READY;
    }
    if (code / 100 != 1 || code == 101)
        return machine_refused(m, STARTTLS_REFUSAL_TARGET, "the upstream proxy answers CONNECT with %u", code);
    if (h->interim_responses++ == STARTTLS_HTTP_INTERIM_MAX)
        return machine_broken(m, "the upstream proxy sent more than %d interim responses", STARTTLS_HTTP_INTERIM_MAX);
    starttls_http_destroy(&h->head);
    h->head = starttls_http_create(STARTTLS_HTTP_RESPONSE, &h->limits[STARTTLS_HTTP_RESPONSE]);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_bad_response(struct http_machine *h)
{
    char *limit = http_limit_text(STARTTLS_HTTP_RESPONSE, h->head);

    if (limit == NULL) {
        h->public_error = base_strdup("The upstream proxy's answer is not proper HTTP.");
        return machine_broken(&h->m, "the upstream proxy's answer to CONNECT: %s", starttls_http_error(h->head));
    }
    h->public_error = base_printf("The upstream proxy's answer is more than is taken here: %s.", limit);
    (void)machine_broken(&h->m, "the upstream proxy's answer to CONNECT: %s", limit);
    free(limit);
    return STARTTLS_BROKEN;
}

static enum starttls_status connect_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct http_machine *h = http_of(m);

    switch (starttls_http_put(h->head, bytes, consumed)) {
    case STARTTLS_READY:
        return on_response(h);
    case STARTTLS_BROKEN:
        return on_bad_response(h);
    case STARTTLS_NEED_MORE:
    case STARTTLS_UPGRADE:
    case STARTTLS_DIRECT:
    case STARTTLS_TARGET:
    case STARTTLS_CLOSE:
    case STARTTLS_REFUSED:
        break;
    }
    return STARTTLS_NEED_MORE;
}

static void connect_hinge(struct starttls_machine *m, enum hinge hinge)
{
    (void)m; /* the client speaks first inside TLS */
    (void)hinge;
}

/* ---- words ---- */

unsigned starttls_http_page(const struct starttls_http_page *page, struct buffer *out)
{
    static const struct {
        unsigned code;
        const char *fields, *body;
    } replies[] = {
        [STARTTLS_FAILURE_OVERLOAD] = {503, "Retry-After: 10\r\n", "Too busy, try again later.\n"},
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = {503, "Retry-After: 10\r\n", "TLS is not available now.\n"},
        [STARTTLS_FAILURE_TARGET_REFUSED] = {403, "", "This target is not allowed.\n"},
        [STARTTLS_FAILURE_TARGET_DOWN] = {502, "", "The target does not answer.\n"},
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = {504, "", "The target does not answer in time.\n"},
        [STARTTLS_FAILURE_TARGET_UNWILLING] = {502, "", "The target does not want to serve.\n"},
        [STARTTLS_FAILURE_TARGET_SPEECH] = {502, "", "The target's answer is not understood.\n"},
        [STARTTLS_FAILURE_TARGET_NO_TLS] = {502, "", "The target offers no TLS.\n"},
        [STARTTLS_FAILURE_TARGET_TLS] = {502, "", "The target's TLS cannot be trusted.\n"},
        [STARTTLS_FAILURE_IDENTITY] = {503, "Retry-After: 10\r\n",
                                       "The key that the target asks of us is not available now.\n"},
        [STARTTLS_FAILURE_SHUTDOWN] = {503, "Retry-After: 10\r\n", "Shutting down.\n"},
        [STARTTLS_FAILURE_TIMEOUT] = {408, "", "The request took too long.\n"},
        [STARTTLS_FAILURE_BAD_REQUEST] = {400, "", "The request is not understood.\n"},
    };
    static_assert(ARRAY_LEN(replies) == STARTTLS_FAILURE_COUNT, "one response for each failure");

    if (page->greeted)
        return 0;
    put_page(replies[page->failure].code, replies[page->failure].fields, replies[page->failure].body,
             page->why == NULL || page->why[0] == '\0' ? NULL : page->why, page->connection, out);
    return replies[page->failure].code;
}

static void failure_text(enum starttls_failure failure, bool greeted, const char *name, struct buffer *out)
{
    const struct starttls_http_page page = {.failure = failure, .greeted = greeted};

    (void)name;
    (void)starttls_http_page(&page, out);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct http_machine),
    .line_bytes_max = STARTTLS_HTTP_LINE_BYTES_MAX, /* not used: http.c reads lines */
    .bytes_max = STARTTLS_HTTP_HEAD_BYTES_MAX + STARTTLS_HTTP_LINE_BYTES_MAX + 4,
    .text = LINE_TEXT_ASCII,
    .state_names = accept_names,
    .start = accept_start,
    .on_bytes = accept_bytes,
    .on_target_connected = accept_target_connected,
    .clear = clear,
};

static const struct machine_class connect_class = {
    .size = sizeof(struct http_machine),
    .line_bytes_max = STARTTLS_HTTP_LINE_BYTES_MAX,
    .bytes_max =
        (size_t)(STARTTLS_HTTP_INTERIM_MAX + 1) * (STARTTLS_HTTP_HEAD_BYTES_MAX + STARTTLS_HTTP_LINE_BYTES_MAX),
    .text = LINE_TEXT_ASCII,
    .state_names = connect_names,
    .start = connect_start,
    .on_bytes = connect_bytes,
    .on_hinge = connect_hinge,
    .clear = clear,
};

const struct protocol starttls_http_connect = {
    .client_opens = true,
    .alpn = "http/1.1",
    .accept = &accept_class,
    .connect = &connect_class,
    .failure_text = failure_text,
};
