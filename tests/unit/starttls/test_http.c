#include "starttls/http/http.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Feed `text` in pieces of `piece` bytes; returns how many were taken. */
static size_t feed(struct starttls_http *h, struct span text, size_t piece, enum starttls_status *status)
{
    size_t taken = 0;

    *status = STARTTLS_NEED_MORE;
    while (*status == STARTTLS_NEED_MORE && taken < text.size) {
        size_t size = text.size - taken < piece ? text.size - taken : piece;
        size_t consumed;

        *status = starttls_http_put(h, span_of(text.data + taken, size), &consumed);
        taken += consumed;
    }
    return taken;
}

static void put_reads_a_request(void **state)
{
    static const char text[] = "GET /status?json=1 HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nx-two: \t1 \r\nX-Two: 2\r\n\r\n";
    static const char more[] = "body";
    char *both = base_printf("%s%s", text, more);

    (void)state;
    for (size_t piece = 1; piece <= strlen(both); piece++) {
        struct starttls_http *h = starttls_http_create(STARTTLS_HTTP_REQUEST, NULL);
        enum starttls_status status;
        size_t count;

        assert_int_equal(feed(h, span_of_string(both), piece, &status), strlen(text));
        assert_int_equal(status, STARTTLS_READY);
        assert_string_equal(starttls_http_method(h), "GET");
        assert_true(span_equal(starttls_http_target(h), span_of_string("/status?json=1")));
        assert_true(span_equal(starttls_http_path(h), span_of_string("/status")));
        assert_int_equal(starttls_http_minor_version(h), 1);
        assert_true(span_equal(starttls_http_field(h, "HOST", &count), span_of_string("a")));
        assert_int_equal(count, 1);
        assert_true(span_equal(starttls_http_field(h, "X-Two", &count), span_of_string("1")));
        assert_int_equal(count, 2);
        assert_int_equal(starttls_http_field(h, "X-Empty", &count).size, 0);
        assert_int_equal(count, 1);
        assert_null(starttls_http_field(h, "X-None", &count).data);
        assert_int_equal(count, 0);
        starttls_http_destroy(&h);
        assert_null(h);
    }
    free(both);
}

static void put_reads_a_request_with_a_body_and_no_further(void **state)
{
    static const char text[] = "POST /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\n";
    struct starttls_http *h = starttls_http_create(STARTTLS_HTTP_REQUEST, NULL);
    enum starttls_status status;
    char *both = base_printf("%shello", text);

    (void)state;
    assert_int_equal(feed(h, span_of_string(both), 1000, &status), strlen(text));
    assert_int_equal(status, STARTTLS_READY);
    assert_string_equal(starttls_http_method(h), "POST");
    assert_true(span_equal(starttls_http_path(h), span_of_string("/metrics")));
    assert_int_equal(starttls_http_minor_version(h), 0);
    starttls_http_destroy(&h);
    free(both);
}

static void put_reads_a_response(void **state)
{
    static const char text[] = "HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 7\r\n\r\n";
    struct starttls_http *h = starttls_http_create(STARTTLS_HTTP_RESPONSE, NULL);
    enum starttls_status status;

    (void)state;
    assert_int_equal(feed(h, span_of_string(text), 3, &status), strlen(text));
    assert_int_equal(status, STARTTLS_READY);
    assert_int_equal(starttls_http_status_code(h), 503);
    assert_true(span_equal(starttls_http_field(h, "retry-after", NULL), span_of_string("5")));
    starttls_http_destroy(&h);
}

static void put_tells_the_status_for_what_it_refuses(void **state)
{
    static const struct {
        const char *text;
        unsigned want;
    } rows[] = {
        {"GET /\r\n", 505},
        {"GET / HTTP/3.0\r\n", 505},
        {"GET  / HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1\n", 400},
        {"GET / HTTP/1.1\r\nA : b\r\n", 400},
        {"GET / HTTP/1.1\r\nContent-Length: 5,5\r\n\r\n", 400},
        {"\r\n\r\nGET / HTTP/1.1\r\n", 400},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t piece = 1; piece <= strlen(rows[i].text); piece++) {
            struct starttls_http *h = starttls_http_create(STARTTLS_HTTP_REQUEST, NULL);
            enum starttls_status status;

            (void)feed(h, span_of_string(rows[i].text), piece, &status);
            assert_int_equal(status, STARTTLS_BROKEN);
            assert_int_equal(starttls_http_fault(h), rows[i].want);
            assert_true(starttls_http_error(h)[0] != '\0');
            starttls_http_destroy(&h);
        }
    }
}

static void respond_writes_one_closing_response(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1000);
    starttls_http_respond(404, "X-A: b\r\n", "No such page.\n", &out);
    assert_true(span_equal(buffer_span(&out),
                           span_of_string("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                          "Content-Length: 14\r\nConnection: close\r\nX-A: b\r\n\r\nNo such page.\n")));
    buffer_release(&out);
}

enum { BODY_MAX = 8 };

/* Responses by how their body ends, whole and in pieces of every size. */
static void body_is_read_as_announced(void **state)
{
#define HEAD "HTTP/1.1 200 OK\r\n"
    static const struct {
        const char *text, *body;
        enum starttls_status status; /* after all of it, before the end of the connection */
        enum starttls_status at_end;
    } cases[] = {
        {HEAD "Content-Length: 4\r\n\r\nabcd", "abcd", STARTTLS_READY, STARTTLS_READY},
        {HEAD "Content-Length: 4\r\n\r\nabcdXY", "abcd", STARTTLS_READY, STARTTLS_READY},
        {HEAD "Content-Length: 8\r\n\r\nabcdefgh", "abcdefgh", STARTTLS_READY, STARTTLS_READY},
        {HEAD "Content-Length: 0\r\n\r\n", "", STARTTLS_READY, STARTTLS_READY},
        {HEAD "Content-Length: 5\r\n\r\nabcd", "abcd", STARTTLS_NEED_MORE, STARTTLS_BROKEN},
        {HEAD "Content-Length: 9\r\n\r\nabcdefghi", NULL, STARTTLS_BROKEN, STARTTLS_BROKEN},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n", "abcd", STARTTLS_READY,
         STARTTLS_READY},
        {HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "abc", STARTTLS_NEED_MORE, STARTTLS_BROKEN},
        {HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", NULL, STARTTLS_BROKEN, STARTTLS_BROKEN},
        {HEAD "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", NULL, STARTTLS_BROKEN,
         STARTTLS_BROKEN},
        {"HTTP/1.0 200 OK\r\n\r\nabcd", "abcd", STARTTLS_NEED_MORE, STARTTLS_READY},
        {"HTTP/1.0 200 OK\r\n\r\nabcdefghi", NULL, STARTTLS_BROKEN, STARTTLS_BROKEN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct span text = span_of_string(cases[i].text);

        for (size_t piece = 1; piece <= text.size; piece++) {
            struct starttls_http *h = starttls_http_create(STARTTLS_HTTP_RESPONSE, NULL);
            enum starttls_status status = STARTTLS_READY;
            size_t taken = feed(h, text, piece, &status);
            struct starttls_http_body *b;

            if (status == STARTTLS_BROKEN) { /* refused with the head already */
                assert_null(cases[i].body);
                starttls_http_destroy(&h);
                continue;
            }
            assert_int_equal(status, STARTTLS_READY);
            b = starttls_http_body_create(h, BODY_MAX);
            status = starttls_http_body_put(b, span_of(NULL, 0));
            for (; status == STARTTLS_NEED_MORE && taken < text.size; taken += piece)
                status = starttls_http_body_put(
                    b, span_of(text.data + taken, text.size - taken < piece ? text.size - taken : piece));
            if (status != cases[i].status || starttls_http_body_end(b) != cases[i].at_end)
                fail_msg("case %zu, pieces of %zu: %s", i, piece, starttls_http_body_error(b));
            if (cases[i].body != NULL)
                assert_true(span_equal(starttls_http_body_bytes(b), span_of_string(cases[i].body)));
            assert_int_equal(cases[i].at_end == STARTTLS_BROKEN, starttls_http_body_error(b)[0] != '\0');
            starttls_http_body_destroy(&b);
            starttls_http_destroy(&h);
        }
    }
#undef HEAD
}

static void parser_version_is_that_of_the_library(void **state)
{
    char *version = starttls_http_parser_version();
    unsigned major, minor, patch;

    (void)state;
    assert_int_equal(sscanf(version, "%u.%u.%u", &major, &minor, &patch), 3);
    assert_true(major == 2 && minor >= 9);
    free(version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_reads_a_request),
        cmocka_unit_test(put_reads_a_request_with_a_body_and_no_further),
        cmocka_unit_test(put_reads_a_response),
        cmocka_unit_test(put_tells_the_status_for_what_it_refuses),
        cmocka_unit_test(respond_writes_one_closing_response),
        cmocka_unit_test(body_is_read_as_announced),
        cmocka_unit_test(parser_version_is_that_of_the_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
