/* starttls/http/http.c: a head of either kind, and the body of a response, as who asks for revocation, for an issuer or
 * on the admin port reads them. The first byte: kind, and where the connection ends; the second: how to cut. Any cut
 * must give the same. */
#include "starttls/http/http.h"
#include "starttls/http/http_proxy.h"
#include "starttls/http/http_forward.h"
#include "starttls/limits.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { BODY_MAX = 1000 };

struct result {
    enum starttls_status head, body;
    size_t head_size, body_size;
    uint64_t sum; /* of all that was read */
};

static void add(struct result *r, struct span bytes)
{
    r->sum = r->sum * 31 + bytes.size;
    for (size_t i = 0; i < bytes.size; i++)
        r->sum = r->sum * 31 + bytes.data[i];
}

static size_t next_piece(uint32_t *seed, size_t left)
{
    size_t piece;

    if (*seed == 0)
        return left;
    *seed = *seed * 1664525u + 1013904223u;
    piece = (*seed >> 16) % 7 + 1;
    return piece < left ? piece : left;
}

static void look_at_head(const struct starttls_http *h, enum starttls_http_kind kind, struct result *r)
{
    const char *error = NULL;
    uint64_t length = 0;
    size_t count;

    for (size_t i = 0; i < starttls_http_field_count(h); i++) {
        struct span name, value;

        starttls_http_field_at(h, i, &name, &value);
        FUZZ_CHECK(name.size != 0);
        add(r, name);
        add(r, value);
    }
    (void)starttls_http_field(h, "Host", &count);
    FUZZ_CHECK(starttls_http_minor_version(h) <= 1);
    if (starttls_http_framing(h, &length, &error) == STARTTLS_HTTP_BADLY_FRAMED)
        FUZZ_CHECK(error != NULL);
    if (kind == STARTTLS_HTTP_REQUEST) {
        struct http_uri uri;

        FUZZ_CHECK(starttls_http_method(h)[0] != '\0');
        FUZZ_CHECK(starttls_http_path(h).size <= starttls_http_target(h).size);
        add(r, starttls_http_target(h));
        if (http_uri_parse(starttls_http_target(h), &uri) == HTTP_URI_OK)
            FUZZ_CHECK(uri.host != NULL && uri.port != 0);
        free(uri.host);
    } else {
        FUZZ_CHECK(starttls_http_status_code(h) >= 100 && starttls_http_status_code(h) <= 599);
        add(r, starttls_http_reason(h));
    }
}

static void read_body(const struct starttls_http *h, struct span rest, uint32_t seed, struct result *r)
{
    struct starttls_http_body *b = starttls_http_body_create(h, BODY_MAX);
    size_t size;
    uint8_t *bytes;

    r->body = STARTTLS_NEED_MORE;
    while (r->body == STARTTLS_NEED_MORE && rest.size != 0) {
        size_t piece = next_piece(&seed, rest.size);

        r->body = starttls_http_body_put(b, span_of(rest.data, piece));
        rest = span_skip(rest, piece);
    }
    if (r->body == STARTTLS_NEED_MORE)
        r->body = starttls_http_body_end(b);
    FUZZ_CHECK((r->body == STARTTLS_BROKEN) == (starttls_http_body_error(b)[0] != '\0'));
    FUZZ_CHECK(starttls_http_body_bytes(b).size <= BODY_MAX);
    if (r->body == STARTTLS_READY) {
        add(r, starttls_http_body_bytes(b));
        bytes = starttls_http_body_take(b, &size);
        r->body_size = size;
        free(bytes);
    }
    starttls_http_body_destroy(&b);
}

/* Small, so that short inputs reach them. */
static const struct starttls_http_limits small = {.head_bytes_max = 300, .line_bytes_max = 100, .fields_max = 6};

static struct result run(enum starttls_http_kind kind, const struct starttls_http_limits *limits, struct span input,
                         uint32_t seed)
{
    struct result r = {.head = STARTTLS_NEED_MORE, .body = STARTTLS_NEED_MORE};
    struct starttls_http *h = starttls_http_create(kind, limits);

    while (r.head == STARTTLS_NEED_MORE && r.head_size < input.size) {
        size_t piece = next_piece(&seed, input.size - r.head_size), consumed;

        r.head = starttls_http_put(h, span_of(input.data + r.head_size, piece), &consumed);
        FUZZ_CHECK(consumed <= piece && (consumed == piece || r.head != STARTTLS_NEED_MORE));
        r.head_size += consumed;
    }
    FUZZ_CHECK((r.head == STARTTLS_BROKEN) == (starttls_http_error(h)[0] != '\0'));
    FUZZ_CHECK(r.head == STARTTLS_BROKEN || starttls_http_limit(h) == STARTTLS_HTTP_LIMIT_NONE);
    if (limits != NULL)
        FUZZ_CHECK(starttls_http_memory(h) <= starttls_http_memory_max(limits));
    if (r.head == STARTTLS_READY && limits != NULL)
        FUZZ_CHECK(starttls_http_head_size(h) <= limits->head_bytes_max &&
                   starttls_http_field_count(h) <= limits->fields_max);
    if (r.head == STARTTLS_BROKEN)
        FUZZ_CHECK(starttls_http_fault(h) >= 400 && starttls_http_fault(h) <= 599);
    if (r.head == STARTTLS_READY) {
        look_at_head(h, kind, &r);
        if (kind == STARTTLS_HTTP_RESPONSE)
            read_body(h, span_skip(input, r.head_size), seed, &r);
    }
    starttls_http_destroy(&h);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    uint8_t how = fuzz_byte(&input);
    enum starttls_http_kind kind = (how & 1) != 0 ? STARTTLS_HTTP_RESPONSE : STARTTLS_HTTP_REQUEST;
    const struct starttls_http_limits *limits = (how & 2) != 0 ? &small : NULL;
    uint32_t seed = fuzz_byte(&input) + 1;
    struct result whole = run(kind, limits, input, 0), cut = run(kind, limits, input, seed);

    FUZZ_CHECK(whole.head == cut.head && whole.sum == cut.sum);
    FUZZ_CHECK(whole.head != STARTTLS_READY ||
               (whole.head_size == cut.head_size && whole.body == cut.body && whole.body_size == cut.body_size));
    return 0;
}
