#include "starttls/http/http.h"
#include "starttls/http/http_proxy.h"
#include "starttls/limits.h"
#include "starttls/starttls.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- requests ---- */

static struct starttls_machine *ask(struct span request, enum starttls_status *status, size_t *consumed)
{
    const struct starttls_options options = {.name = "proxy.test"};
    struct starttls_machine *m = starttls_accept_create(STARTTLS_HTTP_CONNECT, &options);
    size_t taken = 0;

    /* A byte at a time: the machine must not depend on how it was cut. test_http_connect.c tries all cuts. */
    *status = STARTTLS_NEED_MORE;
    *consumed = 0;
    while (*status == STARTTLS_NEED_MORE && *consumed < request.size) {
        *status = starttls_put(m, span_of(request.data + *consumed, 1), &taken);
        *consumed += taken;
    }
    return m;
}

/* For the largest head, which is a response's. */
static size_t room(void)
{
    const struct starttls_http_limits limits = starttls_http_limits_default(STARTTLS_HTTP_RESPONSE);

    return starttls_http_forwarded_max(&limits);
}

static struct buffer head_buffer(void)
{
    struct buffer out;

    buffer_init(&out, room());
    return out;
}

static void check_text(const char *name, struct span got, const char *want)
{
    if (span_equal(got, span_of_string(want)))
        return;
    print_error("%s: got\n%.*s\nwant\n%s\n", name, (int)got.size, got.size == 0 ? "" : (const char *)got.data, want);
    fail();
}

#define LAST "Via: 1.1 yett\r\nConnection: close\r\n\r\n"

static void a_request_is_written_anew(void **state)
{
    static const struct {
        const char *name, *request, *want_host;
        uint16_t want_port;
        const char *want;
    } rows[] = {
        {"plain", "GET https://host.test/a/b?c=d HTTP/1.1\r\nHost: host.test\r\nAccept: */*\r\n\r\n", "host.test", 443,
         "GET /a/b?c=d HTTP/1.1\r\nHost: host.test\r\nAccept: */*\r\n" LAST},
        {"a port, a scheme in capitals", "GET HTTPS://Host.Test:8443/ HTTP/1.1\r\nHost: x\r\n\r\n", "host.test", 8443,
         "GET / HTTP/1.1\r\nHost: host.test:8443\r\n" LAST},
        {"RFC 9112 3.2.2: Host is the URI's", "GET https://good.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", "good.test",
         443, "GET / HTTP/1.1\r\nHost: good.test\r\n" LAST},
        {"no path", "GET https://h HTTP/1.1\r\nHost: h\r\n\r\n", "h", 443, "GET / HTTP/1.1\r\nHost: h\r\n" LAST},
        {"no path, a query", "GET https://h?a=b HTTP/1.1\r\nHost: h\r\n\r\n", "h", 443,
         "GET /?a=b HTTP/1.1\r\nHost: h\r\n" LAST},
        {"OPTIONS of the server", "OPTIONS https://h HTTP/1.1\r\nHost: h\r\n\r\n", "h", 443,
         "OPTIONS * HTTP/1.1\r\nHost: h\r\n" LAST},
        {"OPTIONS, one hop less", "OPTIONS https://h/ HTTP/1.1\r\nHost: h\r\nMax-Forwards: 5\r\n\r\n", "h", 443,
         "OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 4\r\n" LAST},
        {"IPv6", "GET https://[2001:DB8::1]:444/ HTTP/1.1\r\nHost: h\r\n\r\n", "2001:db8::1", 444,
         "GET / HTTP/1.1\r\nHost: [2001:db8::1]:444\r\n" LAST},
        {"HTTP/1.0, no Host, no Expect", "GET https://h/ HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", "h", 443,
         "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 yett\r\nConnection: close\r\n\r\n"},
        {"HTTP/1.0, OPTIONS and no Expect",
         "OPTIONS https://h/ HTTP/1.0\r\nExpect: 100-continue\r\nMax-Forwards: 5\r\n\r\n", "h", 443,
         "OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 4\r\nVia: 1.0 yett\r\nConnection: close\r\n\r\n"},
        {"a length", "POST https://h/ HTTP/1.1\r\nHost: h\r\ncontent-length:  005 \r\n\r\n", "h", 443,
         "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n" LAST},
        {"chunks", "PUT https://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nTrailer: X\r\n\r\n", "h", 443,
         "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" LAST},
        {"100-continue is the server's to answer",
         "PATCH https://h/ HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
         "Content-Length: 1\r\n\r\n",
         "h", 443, "PATCH / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n" LAST},
        {"hop by hop",
         "GET https://h/ HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-One , ,x-two\r\nX-One: 1\r\n"
         "x-TWO: 2\r\nX-Three: 3\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nProxy-Authorization: Basic eA==\r\n"
         "TE: trailers\r\nTrailer: a\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\nconnection: x-four\r\nX-Four: 4\r\n\r\n",
         "h", 443, "GET / HTTP/1.1\r\nHost: h\r\nX-Three: 3\r\n" LAST},
        {"Connection cannot take the length away",
         "DELETE https://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
         "Connection: Content-Length, Host\r\n\r\n",
         "h", 443, "DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n" LAST},
        {"obs-text stays as it is", "GET https://h/ HTTP/1.1\r\nHost: h\r\nX: \xe4\xff \xc3\xa4\r\n\r\n", "h", 443,
         "GET / HTTP/1.1\r\nHost: h\r\nX: \xe4\xff \xc3\xa4\r\n" LAST},
        {"an empty line first", "\r\nGET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "h", 443,
         "GET / HTTP/1.1\r\nHost: h\r\n" LAST},
        {"a body of no bytes", "GET https://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "h", 443,
         "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" LAST},
        {"Via of those before us stays", "GET https://h/ HTTP/1.1\r\nHost: h\r\nVia: 1.0 fred\r\n\r\n", "h", 443,
         "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 fred\r\n" LAST},
        {"credentials for the server stay", "GET https://h/ HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==\r\n\r\n",
         "h", 443, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eA==\r\n" LAST},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer head = head_buffer();
        enum starttls_status status;
        size_t consumed;
        struct starttls_machine *m = ask(span_of_string(rows[i].request), &status, &consumed);
        struct starttls_filter *f;

        assert_int_equal(status, STARTTLS_TARGET);
        assert_int_equal(consumed, strlen(rows[i].request));
        assert_string_equal(starttls_target_host(m), rows[i].want_host);
        assert_int_equal(starttls_target_port(m), rows[i].want_port);
        assert_int_equal(starttls_target_request(m), STARTTLS_REQUEST_EXCHANGE);
        f = starttls_exchange_create(m, &head);
        check_text(rows[i].name, buffer_span(&head), rows[i].want);
        starttls_filter_destroy(&f);
        starttls_machine_destroy(&m);
        buffer_release(&head);
    }
}

static void a_request_that_could_be_read_in_two_ways_is_refused(void **state)
{
#define H    "Host: h\r\n"
#define POST "POST https://h/ HTTP/1.1\r\n" H
    static const struct {
        const char *name, *request;
        unsigned want;
        const char *want_error;
    } rows[] = {
        {"plain HTTP", "GET http://h/ HTTP/1.1\r\n" H "\r\n", 403, "http URI"},
        {"another scheme", "GET ftp://h/ HTTP/1.1\r\n" H "\r\n", 400, "neither"},
        {"origin-form", "GET /https://h/ HTTP/1.1\r\n" H "\r\n", 400, "neither"},
        {"asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 400, "neither"},
        {"user information", "GET https://u:p@h/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"port 0", "GET https://h:0/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"no host", "GET https:///x HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"inet_aton()", "GET https://127.1/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"percent in the host", "GET https://a%2eb/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a fragment", "GET https://h/#x HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a backslash", "GET https://h\\@evil.test/ HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a backslash in the path", "GET https://h/\\x HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"no Host", "GET https://h/ HTTP/1.1\r\n\r\n", 400, "Host"},
        {"two Host", "GET https://h/ HTTP/1.1\r\n" H H "\r\n", 400, "Host"},
        {"a bare CR behind obs-text", "GET https://h/ HTTP/1.1\r\n" H "X: \xe4\rTransfer-Encoding: chunked\r\n\r\n",
         400, "CR"},
        {"a bare LF behind obs-text", "GET https://h/ HTTP/1.1\r\n" H "X: \xe4\nTransfer-Encoding: chunked\r\n\r\n",
         400, "LF"},
        {"obs-text in a coding", POST "Transfer-Encoding: chunked\xe4\r\n\r\n", 400, NULL},
        {"obs-text in the URI", "GET https://h/\xe4 HTTP/1.1\r\n" H "\r\n", 400, NULL},
        {"a Host that is none", "GET https://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host"},
        {"CL.TE", POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
        {"TE.CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, NULL},
        {"two lengths", POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, NULL},
        {"two equal lengths", POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400, NULL},
        {"a list of lengths", POST "Content-Length: 1, 1\r\n\r\n", 400, NULL},
        {"a length with a sign", POST "Content-Length: +1\r\n\r\n", 400, NULL},
        {"a length in hexadecimal", POST "Content-Length: 0x1\r\n\r\n", 400, NULL},
        {"a negative length", POST "Content-Length: -1\r\n\r\n", 400, NULL},
        {"an empty length", POST "Content-Length:\r\n\r\n", 400, NULL},
        {"a length of 2^64", POST "Content-Length: 18446744073709551616\r\n\r\n", 400, NULL},
        {"a length of 19 digits", POST "Content-Length: 1000000000000000000\r\n\r\n", 400, NULL},
        {"two codings", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
        {"gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400, NULL},
        {"chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n", 400, NULL},
        {"identity", POST "Transfer-Encoding: identity\r\n\r\n", 400, NULL},
        {"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n", 400, NULL},
        {"\"chunked\"", POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400, NULL},
        {"vertical tab before chunked", POST "Transfer-Encoding: \vchunked\r\n\r\n", 400, NULL},
        {"space before the colon", POST "Transfer-Encoding : chunked\r\n\r\n", 400, NULL},
        {"folded", POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400, NULL},
        {"bare LF", POST "X: y\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
        {"chunked in 1.0", "POST https://h/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
        {"another version", "GET https://h/ HTTP/1.2\r\n" H "\r\n", 505, NULL},
        {"no version", "GET https://h/\r\n", 505, NULL},
        {"expectation", POST "Expect: 200-ok\r\n\r\n", 417, "100-continue"},
        {"OPTIONS for us", "OPTIONS https://h/ HTTP/1.1\r\n" H "Max-Forwards: 0\r\n\r\n", 200, "options"},
        {"Max-Forwards", "OPTIONS https://h/ HTTP/1.1\r\n" H "Max-Forwards: x\r\n\r\n", 400, "Max-Forwards"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum starttls_status status;
        size_t consumed;
        struct starttls_machine *m = ask(span_of_string(rows[i].request), &status, &consumed);
        char *start = base_printf("HTTP/1.1 %u ", rows[i].want);

        if (status != STARTTLS_BROKEN || !span_starts_with_nocase(starttls_output(m), start) ||
            (rows[i].want_error != NULL && strstr(starttls_error(m), rows[i].want_error) == NULL)) {
            print_error("%s: status %d, error \"%s\", %.*s\n", rows[i].name, status, starttls_error(m),
                        (int)starttls_output(m).size, (const char *)starttls_output(m).data);
            fail();
        }
        free(start);
        starttls_machine_destroy(&m);
    }
}

/* What follows the head is the body, or nobody's: it is left where it was. */
static void what_follows_the_head_is_not_taken(void **state)
{
    const struct starttls_options options = {.name = "proxy.test"};
    struct starttls_machine *m = starttls_accept_create(STARTTLS_HTTP_CONNECT, &options);
    static const char head[] = "HEAD https://h/ HTTP/1.1\r\nHost: h\r\n\r\n";
    char *both = base_printf("%s%s", head, "GET https://evil/ HTTP/1.1\r\n");
    size_t consumed;

    (void)state;
    assert_int_equal(starttls_put(m, span_of_string(both), &consumed), STARTTLS_TARGET);
    assert_int_equal(consumed, strlen(head));
    assert_int_equal(starttls_put(m, span_of_string(both), &consumed), STARTTLS_TARGET);
    assert_int_equal(consumed, 0);
    assert_int_equal(starttls_early_data(m).size, 0);
    assert_int_equal(starttls_target_request(m), STARTTLS_REQUEST_EXCHANGE_HEAD);
    free(both);
    starttls_machine_destroy(&m);
}

/* RFC 9110 section 9.3.2: whoever goes by that would take a body for the next response. */
static void a_refused_head_gets_no_body(void **state)
{
    static const char *const requests[] = {
        "HEAD http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD https://h/ HTTP/1.1\r\n\r\n",
        "HEAD https://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD https://h/ HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        enum starttls_status status;
        size_t consumed;
        struct starttls_machine *m = ask(span_of_string(requests[i]), &status, &consumed);
        struct span answer = starttls_output(m);

        assert_int_equal(status, STARTTLS_BROKEN);
        assert_true(answer.size > 4);
        assert_memory_equal(answer.data + answer.size - 4, "\r\n\r\n", 4);
        assert_int_equal(starttls_without_body(answer).size, answer.size);
        starttls_machine_destroy(&m);
    }
}

static void without_body_cuts_behind_the_head(void **state)
{
    struct buffer out = head_buffer();

    (void)state;
    starttls_failure_text(STARTTLS_HTTP_CONNECT, STARTTLS_FAILURE_TARGET_DOWN, false, "x", &out);
    check_text("502", starttls_without_body(buffer_span(&out)),
               "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 28\r\n"
               "Connection: close\r\n\r\n");
    assert_int_equal(starttls_without_body(span_of_string("x")).size, 1);
    buffer_release(&out);
}

/* ---- exchanges ---- */

struct exchange {
    struct starttls_filter *f;
    struct buffer to_server, to_client;
    enum starttls_status status;
    size_t left; /* of what was offered last */
};

static struct exchange begin(const char *request)
{
    struct buffer head = head_buffer();
    struct exchange x = {0};
    size_t consumed;
    struct starttls_machine *m = ask(span_of_string(request), &x.status, &consumed);

    assert_int_equal(x.status, STARTTLS_TARGET);
    x.f = starttls_exchange_create(m, &head);
    x.status = STARTTLS_NEED_MORE;
    starttls_machine_destroy(&m);
    buffer_release(&head);
    buffer_init(&x.to_server, 1024 * 1024);
    buffer_init(&x.to_client, 1024 * 1024);
    return x;
}

static void end(struct exchange *x)
{
    starttls_filter_destroy(&x->f);
    buffer_release(&x->to_server);
    buffer_release(&x->to_client);
}

/* In pieces of `piece` bytes, each in memory of its own size. The output is emptied before each. */
static void say(struct exchange *x, enum starttls_direction direction, struct span bytes, size_t piece)
{
    struct buffer *to = direction == STARTTLS_FROM_CLIENT ? &x->to_server : &x->to_client;

    while (bytes.size != 0 && x->status == STARTTLS_NEED_MORE) {
        size_t size = bytes.size < piece ? bytes.size : piece, consumed;
        uint8_t *copy = base_memdup(bytes.data, size);
        struct buffer out = head_buffer();

        x->status = starttls_filter_put(x->f, direction, span_of(copy, size), &consumed, &out);
        assert_true(consumed <= size);
        assert_true(buffer_append(to, buffer_span(&out)));
        buffer_release(&out);
        free(copy);
        bytes = span_skip(bytes, consumed);
        if (consumed == 0)
            break;
    }
    x->left = bytes.size;
}

#define GET  "GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n"
#define HEAD "HEAD https://h/ HTTP/1.1\r\nHost: h\r\n\r\n"
#define OLD  "GET https://h/ HTTP/1.0\r\n\r\n"
#define OK   "HTTP/1.1 200 OK\r\n"

static void a_response_ends_as_its_framing_says(void **state)
{
    static const struct {
        const char *name, *request, *response;
        enum starttls_status want, want_at_end; /* before and after the server has ended */
        const char *want_output;
        size_t want_left;
        bool is_cut_dependent; /* sizes of chunks are */
    } rows[] = {
        {"a length", GET, OK "Content-Length: 5\r\nX: y\r\n\r\nhello", STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output = OK "X: y\r\nContent-Length: 5\r\n" LAST "hello"},
        {"more than its length", GET, OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", STARTTLS_CLOSE,
         STARTTLS_CLOSE, .want_output = OK "Content-Length: 5\r\n" LAST "hello", 17},
        {"less than its length", GET, OK "Content-Length: 5\r\n\r\nhell", STARTTLS_NEED_MORE, STARTTLS_BROKEN,
         .want_output = OK "Content-Length: 5\r\n" LAST "hell"},
        {"no body", GET, OK "Content-Length: 0\r\n\r\n", STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output = OK "Content-Length: 0\r\n" LAST},
        {"to the end", GET, OK "\r\nhello", STARTTLS_NEED_MORE, STARTTLS_CLOSE, .want_output = OK LAST "hello"},
        {"of HTTP/1.0", GET, "HTTP/1.0 200\r\n\r\nhello", STARTTLS_NEED_MORE, STARTTLS_CLOSE,
         .want_output = "HTTP/1.1 200 \r\nVia: 1.0 yett\r\nConnection: close\r\n\r\nhello"},
        {"chunks", GET, OK "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\nmore", STARTTLS_CLOSE,
         STARTTLS_CLOSE, .want_output = OK "Transfer-Encoding: chunked\r\n" LAST "5\r\nhello\r\n0\r\n\r\n", 4, true},
        {"chunks for HTTP/1.0", OLD, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
         STARTTLS_CLOSE, STARTTLS_CLOSE, .want_output = OK LAST "hello!"},
        {"chunks that end early", GET, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", STARTTLS_NEED_MORE,
         STARTTLS_BROKEN, .want_output = OK "Transfer-Encoding: chunked\r\n" LAST "5\r\nhello\r\n", 0, true},
        {"HEAD", HEAD, OK "Content-Length: 5\r\n\r\nhello", STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output = OK "Content-Length: 5\r\n" LAST, 5},
        {"HEAD of chunks", HEAD, OK "Transfer-Encoding: chunked\r\n\r\n", STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output = OK LAST},
        {"HEAD to the end", HEAD, OK "\r\n", STARTTLS_CLOSE, STARTTLS_CLOSE, .want_output = OK LAST},
        {"204", GET, "HTTP/1.1 204 No Content\r\n\r\nx", STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output = "HTTP/1.1 204 No Content\r\n" LAST, 1},
        {"304 with the length of what it is about", GET,
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"x\"\r\n\r\n", STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output = "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n" LAST},
        {"interim responses", GET,
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
         STARTTLS_CLOSE, STARTTLS_CLOSE,
         .want_output =
             "HTTP/1.1 100 Continue\r\nVia: 1.1 yett\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\nVia: 1.1 yett\r\n\r\n" OK
             "Content-Length: 0\r\n" LAST},
        {"none of them for HTTP/1.0", OLD, "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n",
         STARTTLS_CLOSE, STARTTLS_CLOSE, .want_output = OK "Content-Length: 0\r\n" LAST},
        {"hop by hop", GET,
         OK "Connection: x, close\r\nX: 1\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\nProxy-Authenticate: a\r\n"
            "Trailer: b\r\nSet-Cookie: c\r\nContent-Length: 0\r\n\r\n",
         STARTTLS_CLOSE, STARTTLS_CLOSE, .want_output = OK "Set-Cookie: c\r\nContent-Length: 0\r\n" LAST},
        {"a value that is not ASCII", GET, OK "X: \xc3\xa4\xff\r\nContent-Length: 0\r\n\r\n", STARTTLS_CLOSE,
         STARTTLS_CLOSE, .want_output = OK "X: \xc3\xa4\xff\r\nContent-Length: 0\r\n" LAST},
        {"a name that is not", GET, OK "X\xe4: a\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        /* What is refused, before anything has gone out. */
        {"101", GET, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"both lengths", GET, OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", STARTTLS_BROKEN,
         STARTTLS_BROKEN, .want_output = ""},
        {"two lengths", GET, OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"another coding", GET, OK "Transfer-Encoding: gzip, chunked\r\n\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"a coding in HTTP/1.0", GET, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", STARTTLS_BROKEN,
         STARTTLS_BROKEN, .want_output = ""},
        {"bare LF", GET, "HTTP/1.1 200 OK\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"folded", GET, OK "X: y\r\n z\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = "", 0, false},
        {"not HTTP", GET, "220 mail ESMTP\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"nothing", GET, "", STARTTLS_NEED_MORE, STARTTLS_BROKEN, .want_output = ""},
        {"half a head", GET, "HTTP/1.1 200 OK\r\nX: y\r\n", STARTTLS_NEED_MORE, STARTTLS_BROKEN, .want_output = ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span response = span_of_string(rows[i].response);

        for (size_t piece = 1; piece <= response.size + 1; piece++) {
            struct exchange x = begin(rows[i].request);

            say(&x, STARTTLS_FROM_SERVER, response, piece);
            if (x.status != rows[i].want || x.left != rows[i].want_left) {
                print_error("%s (pieces of %zu): got %d, %zu left: %s\n", rows[i].name, piece, x.status, x.left,
                            starttls_filter_error(x.f));
                fail();
            }
            if (!rows[i].is_cut_dependent || piece > response.size)
                check_text(rows[i].name, buffer_span(&x.to_client), rows[i].want_output);
            assert_int_equal(starttls_exchange_status(x.f) != 0, rows[i].want_output[0] != '\0');
            assert_int_equal(starttls_filter_end(x.f, STARTTLS_FROM_SERVER), rows[i].want_at_end);
            end(&x);
        }
    }
}

static void interim_responses_are_bounded(void **state)
{
    struct exchange x = begin(GET);

    (void)state;
    for (unsigned i = 0; i < STARTTLS_HTTP_INTERIM_MAX; i++)
        say(&x, STARTTLS_FROM_SERVER, span_of_string("HTTP/1.1 100 Continue\r\n\r\n"), 100);
    assert_int_equal(x.status, STARTTLS_NEED_MORE);
    say(&x, STARTTLS_FROM_SERVER, span_of_string("HTTP/1.1 100 Continue\r\n\r\n"), 100);
    assert_int_equal(x.status, STARTTLS_BROKEN);
    assert_non_null(strstr(starttls_filter_error(x.f), "interim"));
    assert_int_equal(starttls_exchange_status(x.f), 0);
    end(&x);
}

#define SEND    "POST https://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
#define CHUNKED "POST https://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

static void a_request_ends_as_its_framing_says(void **state)
{
    static const struct {
        const char *name, *request, *body;
        enum starttls_status want, want_at_end;
        const char *want_output;
        size_t want_left;
        bool is_cut_dependent;
    } rows[] = {
        {"no body", GET, "", STARTTLS_NEED_MORE, STARTTLS_READY, .want_output = ""},
        {"a second request is never looked at", GET, GET, STARTTLS_NEED_MORE, STARTTLS_READY, .want_output = "",
         sizeof(GET) - 1},
        {"a length", SEND, "hello", STARTTLS_NEED_MORE, STARTTLS_READY, .want_output = "hello"},
        {"more than its length", SEND, "helloGET / HTTP/1.1\r\n", STARTTLS_NEED_MORE, STARTTLS_READY,
         .want_output = "hello", 16},
        {"less than its length", SEND, "hell", STARTTLS_NEED_MORE, STARTTLS_BROKEN, .want_output = "hell"},
        {"chunks", CHUNKED, "5\r\nhello\r\n0\r\n\r\nGET", STARTTLS_NEED_MORE, STARTTLS_READY,
         .want_output = "5\r\nhello\r\n0\r\n\r\n", 3, true},
        {"large digits, leading zeros, an extension", CHUNKED, "0005;a=\"b\"\r\nhello\r\n00\r\n\r\n",
         STARTTLS_NEED_MORE, STARTTLS_READY, .want_output = "5\r\nhello\r\n0\r\n\r\n", 0, true},
        {"no last chunk", CHUNKED, "5\r\nhello\r\n", STARTTLS_NEED_MORE, STARTTLS_BROKEN,
         .want_output = "5\r\nhello\r\n", 0, true},
        {"no end of the trailer", CHUNKED, "0\r\nX: y\r\n", STARTTLS_NEED_MORE, STARTTLS_BROKEN, .want_output = ""},
        {"not a size", CHUNKED, "x\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"no size", CHUNKED, "\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"0x", CHUNKED, "0x5\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"a sign", CHUNKED, "+5\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"a space before the size", CHUNKED, " 5\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"a space behind the size", CHUNKED, "5 \r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"bare LF behind the size", CHUNKED, "5\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"bare CR", CHUNKED, "5\rx", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"bare LF in an extension", CHUNKED, "5;a\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"more than 64 bits", CHUNKED, "fffffffffffffffff\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"a trailer", CHUNKED, "0\r\nX: y\r\nEtag: \xe4\t\r\n\r\n", STARTTLS_NEED_MORE, STARTTLS_READY,
         .want_output = "0\r\n\r\n"},
        {"a trailer line without a colon", CHUNKED, "0\r\nGET / HTTP/1.1\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"a trailer line with a space before its colon", CHUNKED, "0\r\nX : y\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"a folded trailer line", CHUNKED, "0\r\nX: y\r\n z\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"a trailer line without a name", CHUNKED, "0\r\n: y\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN, .want_output = ""},
        {"a control byte in a trailer", CHUNKED, "0\r\nX: \x01\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"a control byte in an extension", CHUNKED, "5;a=\x7f\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = ""},
        {"a chunk longer than its size", CHUNKED, "2\r\nabc\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = "2\r\nab\r\n", 0, true},
        {"a chunk without its line end", CHUNKED, "2\r\nab0\r\n", STARTTLS_BROKEN, STARTTLS_BROKEN,
         .want_output = "2\r\nab\r\n", 0, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span body = span_of_string(rows[i].body);

        for (size_t piece = 1; piece <= body.size + 1; piece++) {
            struct exchange x = begin(rows[i].request);

            say(&x, STARTTLS_FROM_CLIENT, body, piece);
            if (x.status != rows[i].want || (x.status == STARTTLS_NEED_MORE && x.left != rows[i].want_left)) {
                print_error("%s (pieces of %zu): got %d, %zu left: %s\n", rows[i].name, piece, x.status, x.left,
                            starttls_filter_error(x.f));
                fail();
            }
            if (!rows[i].is_cut_dependent || piece > body.size)
                check_text(rows[i].name, buffer_span(&x.to_server), rows[i].want_output);
            assert_int_equal(starttls_filter_end(x.f, STARTTLS_FROM_CLIENT), rows[i].want_at_end);
            end(&x);
        }
    }
}

/* Only as much is taken as the output has room for, and a head only where all of it has. */
static void room_is_asked_for(void **state)
{
    const size_t most = room();
    struct exchange x = begin(CHUNKED);
    struct buffer out = head_buffer();
    uint8_t *large = base_alloc(2 * most);
    struct span head = span_of_string("60000\r\n");
    size_t consumed;

    (void)state;
    memset(large, 'x', 2 * most);
    assert_int_equal(starttls_filter_put(x.f, STARTTLS_FROM_CLIENT, head, &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(x.f, STARTTLS_FROM_CLIENT, span_of(large, 0x60000), &consumed, &out),
                     STARTTLS_NEED_MORE);
    assert_in_range(consumed, most - 64, most);
    assert_in_range(out.size, consumed, most);
    assert_int_equal(starttls_filter_put(x.f, STARTTLS_FROM_CLIENT, span_of(large, 10), &consumed, &out),
                     STARTTLS_NEED_MORE);
    assert_int_equal(consumed, 0);
    assert_int_equal(starttls_filter_put(x.f, STARTTLS_FROM_SERVER, span_of_string("H"), &consumed, &out),
                     STARTTLS_NEED_MORE);
    assert_int_equal(consumed, 0);
    buffer_release(&out);
    free(large);
    end(&x);
}

/* What real sites send, as far as browsers take it: one long field, many, and all of a head. */
static void a_response_may_be_as_large_as_sites_make_it(void **state)
{
    static const struct {
        const char *name;
        size_t fields, size; /* fields of so many bytes */
    } rows[] = {{"fields", STARTTLS_HTTP_FIELDS_DEFAULT - 1, 9},
                {"a field", 1, 60 * 1024},
                {"a head", 30, 8 * 1024},
                {"no spaces behind colons", STARTTLS_HTTP_FIELDS_DEFAULT - 1, 1300}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct exchange x = begin(GET);
        struct buffer response;
        char *value = base_alloc(rows[i].size);

        memset(value, 'v', rows[i].size - 1);
        memcpy(value, "X:", 2);
        buffer_init(&response, 1024 * 1024);
        assert_true(buffer_printf(&response, OK));
        for (size_t k = 0; k < rows[i].fields; k++)
            assert_true(buffer_printf(&response, "%s\r\n", value));
        assert_true(buffer_printf(&response, "Content-Length: 2\r\n\r\nok"));
        say(&x, STARTTLS_FROM_SERVER, buffer_span(&response), 16 * 1024);
        if (x.status != STARTTLS_CLOSE)
            fail_msg("%s: %s", rows[i].name, starttls_filter_error(x.f));
        assert_in_range(x.to_client.size, rows[i].fields * (rows[i].size + 2), room());
        assert_int_equal(starttls_exchange_status(x.f), 200);
        buffer_release(&response);
        free(value);
        end(&x);
    }
}

/* And when it is larger, whoever reads the page or the log is told what, how much, and which setting. */
static void a_response_over_a_limit_is_told_as_such(void **state)
{
    static const struct {
        size_t fields, size;
        const char *want;
    } rows[] = {
        {STARTTLS_HTTP_FIELDS_DEFAULT + 1, 9, "the response has more than 200 fields (http_fields_max)"},
        {1, 64 * 1024, "a field of the response is longer than 65536 bytes (http_field_max)"},
        {33, 8 * 1024, "the response's head is longer than 262144 bytes (http_response_head_max)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct exchange x = begin(GET);
        char *value = base_alloc(rows[i].size);
        char *want = base_printf("The target's answer is more than is taken here: %s.", rows[i].want);

        memset(value, 'v', rows[i].size - 1);
        memcpy(value, "X:", 2);
        assert_string_equal(starttls_filter_public_error(x.f), "");
        say(&x, STARTTLS_FROM_SERVER, span_of_string(OK), 1000);
        for (size_t k = 0; k < rows[i].fields && x.status == STARTTLS_NEED_MORE; k++) {
            say(&x, STARTTLS_FROM_SERVER, span_of_string(value), 16 * 1024);
            say(&x, STARTTLS_FROM_SERVER, span_of_string("\r\n"), 2);
        }
        assert_int_equal(x.status, STARTTLS_BROKEN);
        assert_string_equal(starttls_filter_error(x.f), rows[i].want);
        assert_string_equal(starttls_filter_public_error(x.f), want);
        assert_int_equal(starttls_exchange_status(x.f), 0);
        free(value);
        free(want);
        end(&x);
    }
}

/* Each field is compared with each name in Connection: a head of nothing else would keep us busy. */
static void connection_names_are_bounded(void **state)
{
    struct exchange x = begin(GET);
    struct buffer head;

    (void)state;
    buffer_init(&head, 4096);
    assert_true(buffer_printf(&head, OK "Connection: a"));
    for (unsigned i = 1; i <= STARTTLS_HTTP_CONNECTION_OPTIONS_MAX; i++)
        assert_true(buffer_printf(&head, ",a"));
    assert_true(buffer_printf(&head, "\r\n\r\n"));
    say(&x, STARTTLS_FROM_SERVER, buffer_span(&head), 4096);
    assert_int_equal(x.status, STARTTLS_BROKEN);
    assert_non_null(strstr(starttls_filter_error(x.f), "Connection names too many"));
    assert_int_equal(x.to_client.size, 0);
    buffer_release(&head);
    end(&x);
}

static void the_trailer_is_bounded(void **state)
{
    struct exchange x = begin(CHUNKED);
    static const char field[] =
        "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";

    (void)state;
    say(&x, STARTTLS_FROM_CLIENT, span_of_string("0\r\n"), 100);
    for (size_t size = 0; size <= STARTTLS_HTTP_TRAILER_BYTES_MAX + sizeof(field); size += sizeof(field) - 3)
        say(&x, STARTTLS_FROM_CLIENT, span_of_string(field), 100);
    assert_int_equal(x.status, STARTTLS_BROKEN);
    assert_int_equal(x.to_server.size, 0);
    end(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_anew),
        cmocka_unit_test(a_request_that_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(what_follows_the_head_is_not_taken),
        cmocka_unit_test(a_refused_head_gets_no_body),
        cmocka_unit_test(without_body_cuts_behind_the_head),
        cmocka_unit_test(a_response_ends_as_its_framing_says),
        cmocka_unit_test(interim_responses_are_bounded),
        cmocka_unit_test(a_request_ends_as_its_framing_says),
        cmocka_unit_test(room_is_asked_for),
        cmocka_unit_test(a_response_may_be_as_large_as_sites_make_it),
        cmocka_unit_test(a_response_over_a_limit_is_told_as_such),
        cmocka_unit_test(connection_names_are_bounded),
        cmocka_unit_test(the_trailer_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
