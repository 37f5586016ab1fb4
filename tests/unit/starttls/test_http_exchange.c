/* A request with an https URI and its response: where both end, and what they may be at most. */
#include "http_heads.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

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
