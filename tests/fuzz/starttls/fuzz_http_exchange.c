/* One HTTP request and its response through the proxy's machine and filter. The first byte says how to cut; then what
 * the client says, a NUL, and what the server says. Run whole and cut, both must understand the same. And what comes
 * out is read by http-parser: one message each way, well formed, and nothing behind it. */
#include "starttls/http/http.h"
#include "starttls/http/http_proxy.h"
#include "starttls/limits.h"
#include "starttls/starttls.h"
#include "tests/fuzz/fuzz.h"

#include <http_parser.h>
#include <stdlib.h>

/* Small, so that short inputs reach them; the other half of the inputs is run with the defaults. */
static const struct starttls_http_limits small[STARTTLS_HTTP_KIND_COUNT] = {
    {.head_bytes_max = 600, .line_bytes_max = 300, .fields_max = 6},
    {.head_bytes_max = 500, .line_bytes_max = 200, .fields_max = 5},
};

/* What a head may have when it has been written anew: the ceiling of what it is written into. */
static size_t room_for(enum starttls_http_kind kind, const struct starttls_http_limits *limits)
{
    const struct starttls_http_limits fallback = starttls_http_limits_default(kind);

    return starttls_http_forwarded_max(limits == NULL ? &fallback : &limits[kind]);
}

struct result {
    enum starttls_status asked, status, end_client, end_server;
    enum starttls_request request;
    size_t left[2];
    struct buffer got[2]; /* by the direction it went */
};

struct cutter {
    uint32_t seed; /* 0: whole */
    const struct starttls_http_limits *limits;
};

static size_t next_piece(struct cutter *c, size_t size)
{
    size_t piece = size;

    if (c->seed != 0) {
        c->seed = c->seed * 1664525u + 1013904223u;
        piece = (c->seed >> 16) % 17 + 1;
    }
    return piece < size ? piece : size;
}

static void put(struct starttls_filter *f, enum starttls_direction direction, struct span bytes, struct cutter *c,
                struct result *r)
{
    while (bytes.size != 0 && r->status == STARTTLS_NEED_MORE) {
        size_t piece = next_piece(c, bytes.size), consumed;
        struct buffer out;

        buffer_init(&out, room_for(STARTTLS_HTTP_RESPONSE, c->limits) + STARTTLS_FILTER_LINE_BYTES_MAX);
        r->status = starttls_filter_put(f, direction, span_of(bytes.data, piece), &consumed, &out);
        FUZZ_CHECK(consumed <= piece);
        FUZZ_CHECK(buffer_append(&r->got[direction], buffer_span(&out)));
        buffer_release(&out);
        bytes = span_skip(bytes, consumed);
        if (consumed == 0)
            break;
    }
    r->left[direction] = bytes.size;
}

static void exchange(struct starttls_machine *m, struct span client, struct span server, struct cutter *c,
                     struct result *r)
{
    struct starttls_filter *f;
    struct buffer head;

    r->request = starttls_target_request(m);
    if (r->request == STARTTLS_REQUEST_TUNNEL) {
        starttls_target_connected(m);
        return;
    }
    buffer_init(&head, room_for(STARTTLS_HTTP_REQUEST, c->limits));
    f = starttls_exchange_create(m, &head);
    FUZZ_CHECK(buffer_append(&r->got[STARTTLS_FROM_CLIENT], buffer_span(&head)));
    buffer_release(&head);
    put(f, STARTTLS_FROM_CLIENT, client, c, r);
    if (r->status == STARTTLS_NEED_MORE)
        put(f, STARTTLS_FROM_SERVER, server, c, r);
    FUZZ_CHECK((starttls_filter_error(f)[0] != '\0') == (r->status == STARTTLS_BROKEN));
    FUZZ_CHECK(!fuzz_is_own_fault(starttls_filter_error(f))); /* more was written than was declared */
    FUZZ_CHECK(r->status == STARTTLS_BROKEN || starttls_filter_public_error(f)[0] == '\0');
    /* Asked last, since it may break the filter. */
    r->end_server = starttls_filter_end(f, STARTTLS_FROM_SERVER);
    FUZZ_CHECK(r->end_server == STARTTLS_CLOSE || r->end_server == STARTTLS_BROKEN);
    starttls_filter_destroy(&f);
}

static struct result run(struct span client, struct span server, uint32_t seed,
                         const struct starttls_http_limits *limits)
{
    const struct starttls_options options = {.name = "proxy.test", .http_limits = limits};
    struct starttls_machine *m = starttls_accept_create(STARTTLS_HTTP_CONNECT, &options);
    struct cutter c = {seed, limits};
    struct result r = {.asked = STARTTLS_NEED_MORE, .status = STARTTLS_NEED_MORE};

    for (unsigned i = 0; i < 2; i++)
        buffer_init(&r.got[i], 16 * (client.size + server.size) + 2 * room_for(STARTTLS_HTTP_RESPONSE, NULL));
    while (r.asked == STARTTLS_NEED_MORE && client.size != 0) {
        size_t piece = next_piece(&c, client.size), consumed;

        r.asked = starttls_put(m, span_of(client.data, piece), &consumed);
        client = span_skip(client, consumed);
    }
    if (r.asked == STARTTLS_TARGET)
        exchange(m, client, server, &c, &r);
    starttls_machine_destroy(&m);
    return r;
}

/* ---- what another parser makes of it ---- */

struct reading {
    size_t messages;
    bool is_whole, head_only;
    struct buffer body;
};

static int on_head_end(http_parser *p)
{
    const struct reading *reading = p->data;

    return reading->head_only && p->status_code / 100 != 1 ? 1 : 0;
}

static int on_body(http_parser *p, const char *at, size_t size)
{
    struct reading *reading = p->data;

    FUZZ_CHECK(buffer_append(&reading->body, span_of(at, size)));
    return 0;
}

static int on_message_end(http_parser *p)
{
    struct reading *reading = p->data;

    reading->is_whole = true;
    if (p->type == HTTP_REQUEST || p->status_code / 100 != 1)
        reading->messages++;
    return 0;
}

static struct reading read_again(struct span text, enum http_parser_type type, bool head_only)
{
    struct reading r = {.head_only = head_only};
    http_parser parser;
    http_parser_settings settings;
    size_t size;

    buffer_init(&r.body, text.size + 1);
    http_parser_settings_init(&settings);
    settings.on_headers_complete = on_head_end;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_end;
    http_parser_init(&parser, type);
    parser.data = &r;
    size = http_parser_execute(&parser, &settings, (const char *)text.data, text.size);
    /* It takes a field whose name only begins with Transfer-Encoding for that field. */
    if (HTTP_PARSER_ERRNO(&parser) == HPE_INVALID_TRANSFER_ENCODING)
        return r;
    FUZZ_CHECK(size == text.size && HTTP_PARSER_ERRNO(&parser) == HPE_OK);
    FUZZ_CHECK(r.messages <= 1);
    return r;
}

static void compare_bodies(const struct result *whole, const struct result *cut, enum starttls_direction direction,
                           enum http_parser_type type)
{
    bool head_only = whole->request == STARTTLS_REQUEST_EXCHANGE_HEAD && type == HTTP_RESPONSE;
    struct reading a = read_again(buffer_span(&whole->got[direction]), type, head_only);
    struct reading b = read_again(buffer_span(&cut->got[direction]), type, head_only);

    FUZZ_CHECK(a.messages == b.messages);
    FUZZ_CHECK(span_equal(buffer_span(&a.body), buffer_span(&b.body)));
    buffer_release(&a.body);
    buffer_release(&b.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size < 2 ? NULL : memchr(data + 1, '\0', size - 1);
    struct span client, server = {0};
    const struct starttls_http_limits *limits = size != 0 && data[0] % 2 != 0 ? small : NULL;
    struct result whole, cut;

    if (size < 2)
        return 0;
    client = span_of(data + 1, end == NULL ? size - 1 : (size_t)(end - data - 1));
    if (end != NULL)
        server = span_of(end + 1, size - 2 - client.size);
    whole = run(client, server, 0, limits);
    cut = run(client, server, data[0] + 1u, limits);
    FUZZ_CHECK(whole.asked == cut.asked && whole.request == cut.request);
    FUZZ_CHECK(whole.status == cut.status && whole.end_server == cut.end_server);
    if (whole.status != STARTTLS_BROKEN) {
        FUZZ_CHECK(whole.left[0] == cut.left[0] && whole.left[1] == cut.left[1]);
        compare_bodies(&whole, &cut, STARTTLS_FROM_CLIENT, HTTP_REQUEST);
        compare_bodies(&whole, &cut, STARTTLS_FROM_SERVER, HTTP_RESPONSE);
    }
    for (unsigned i = 0; i < 2; i++) {
        buffer_release(&whole.got[i]);
        buffer_release(&cut.got[i]);
    }
    return 0;
}
