/* A request with an https URI: its head, read strictly and written anew. What follows is test_http_exchange.c. */
#include "http_heads.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_anew),
        cmocka_unit_test(a_request_that_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(what_follows_the_head_is_not_taken),
        cmocka_unit_test(a_refused_head_gets_no_body),
        cmocka_unit_test(without_body_cuts_behind_the_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
