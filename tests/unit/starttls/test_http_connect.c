#include "conversation.h"
#include "starttls/http/http_proxy.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define HTTP_ACCEPT  .protocol = STARTTLS_HTTP_CONNECT, .side = ACCEPTED
#define HTTP_CONNECT .protocol = STARTTLS_HTTP_CONNECT, .side = CONNECTED, .target = "host.test"

#define RESPONSE(status, length, fields, body)                                                                         \
    "HTTP/1.1 " status "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " length                        \
    "\r\nConnection: close\r\n" fields "\r\n" body
#define R400  RESPONSE("400 Bad Request", "31", "", "The request is not understood.\n")
#define ALLOW "Allow: CONNECT, GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"
#define R200  RESPONSE("200 OK", "0", ALLOW, "")
#define R403  RESPONSE("403 Forbidden", "44", "", "Plain HTTP is not forwarded: ask for https.\n")
#define R405                                                                                                           \
    RESPONSE("405 Method Not Allowed", "67", ALLOW,                                                                    \
             "Only CONNECT, and common methods with https URIs, are served here.\n")
#define R417 RESPONSE("417 Expectation Failed", "40", "", "Only 100-continue can be expected here.\n")
#define R505 RESPONSE("505 HTTP Version Not Supported", "44", "", "Only HTTP/1.0 and HTTP/1.1 are served here.\n")

static void accept_gives_the_target(void **state)
{
    static const struct {
        struct conversation row;
        const char *want_host;
        uint16_t want_port;
        const char *want_other; /* the Host that the log is told, since it is not the target */
    } rows[] = {
        {{"name", HTTP_ACCEPT, .input = BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n")},
         "host.test",
         443,
         NULL},
        {{"1.0 without Host", HTTP_ACCEPT, .input = BYTES("CONNECT host.test:1 HTTP/1.0\r\n\r\n")},
         "host.test",
         1,
         NULL},
        {{"1.0 with Host", HTTP_ACCEPT, .input = BYTES("CONNECT h:65535 HTTP/1.0\r\nHost:h\r\n\r\n")},
         "h",
         65535,
         NULL},
        {{"Host without port, other case, trailing dot", HTTP_ACCEPT,
          .input = BYTES("CONNECT Host.Test.:443 HTTP/1.1\r\nhOST: HOST.test \r\nX: y\r\nEmpty:\r\nZ: \t\r\n\r\n")},
         "host.test",
         443,
         NULL},
        {{"IPv4", HTTP_ACCEPT, .input = BYTES("CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n")},
         "192.0.2.1",
         443,
         NULL},
        {{"IPv6", HTTP_ACCEPT, .input = BYTES("CONNECT [2001:DB8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n")},
         "2001:db8::1",
         443,
         NULL},
        /* RFC 9112 section 2.2: one empty line before the request line is nothing. */
        {{"an empty line first", HTTP_ACCEPT, .input = BYTES("\r\nCONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n")},
         "h",
         1,
         NULL},
        /* Node's own client names the proxy in Host. The request line counts. */
        {{"another Host", HTTP_ACCEPT,
          .input = BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: proxy.test:3128\r\n\r\n")},
         "host.test",
         443,
         "proxy.test:3128"},
        {{"another Host's port", HTTP_ACCEPT,
          .input = BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:25\r\n\r\n")},
         "host.test",
         443,
         "host.test:25"},
        {{"a body of no bytes", HTTP_ACCEPT,
          .input = BYTES("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")},
         "h",
         1,
         NULL},
        /* RFC 9110 section 5.5: obs-text is opaque. */
        {{"8-bit in a value", HTTP_ACCEPT,
          .input = BYTES("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nX: \xe4\xff\x80\r\n\r\n")},
         "h",
         1,
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conversation row = rows[i].row;
        struct starttls_machine *m = conversation_create(&row);
        size_t consumed;

        row.want = STARTTLS_TARGET;
        row.want_output = "";
        conversation_check(&row);
        assert_int_equal(starttls_put(m, row.input, &consumed), STARTTLS_TARGET);
        assert_string_equal(starttls_target_host(m), rows[i].want_host);
        assert_int_equal(starttls_target_port(m), rows[i].want_port);
        assert_string_equal(starttls_request_facts(m).method, "CONNECT");
        if (rows[i].want_other == NULL)
            assert_null(starttls_request_facts(m).host);
        else
            assert_string_equal(starttls_request_facts(m).host, rows[i].want_other);
        starttls_machine_destroy(&m);
    }
}

static void accept_refuses_everything_but_a_plain_connect(void **state)
{
#define HOST "Host: host.test:443\r\n"
#define GOOD "CONNECT host.test:443 HTTP/1.1\r\n" HOST
    static const struct {
        const char *name;
        struct span input;
        const char *want_output, *want_error;
    } rows[] = {
        /* C1: each row of the table of what http-parser accepts. */
        {"no port", BYTES("CONNECT host.test HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, "host:port"},
        {"empty port", BYTES("CONNECT host.test: HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, "host:port"},
        {"C5 port 0", BYTES("CONNECT host.test:0 HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, "host:port"},
        {"C5 port 65536", BYTES("CONNECT host.test:65536 HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, "host:port"},
        {"port 99999", BYTES("CONNECT host.test:99999 HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, "host:port"},
        {"port 443x", BYTES("CONNECT host.test:443x HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, NULL},
        {"C5 port -1", BYTES("CONNECT host.test:-1 HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, NULL},
        {"C5 port +443", BYTES("CONNECT host.test:+443 HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, NULL},
        {"C5 port 0443", BYTES("CONNECT host.test:0443 HTTP/1.1\r\nHost: host.test\r\n\r\n"), R400, "host:port"},
        {"C5 port with NUL", BYTES("CONNECT host.test:443\0 HTTP/1.1\r\n"), R400, "NUL"},
        {"user information", BYTES("CONNECT user:pw@host.test:443 HTTP/1.1\r\n" HOST "\r\n"), R400, "host:port"},
        {"scheme", BYTES("CONNECT http://host.test:443/ HTTP/1.1\r\n" HOST "\r\n"), R400, NULL},
        {"path", BYTES("CONNECT host.test:443/x HTTP/1.1\r\n" HOST "\r\n"), R400, NULL},
        {"percent", BYTES("CONNECT a%0d%0a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), R400, NULL},
        {"zone", BYTES("CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), R400, NULL},
        {"no Host", BYTES("CONNECT host.test:443 HTTP/1.1\r\n\r\n"), R400, "Host"},
        {"two Host", BYTES(GOOD HOST "\r\n"), R400, "Host"},
        {"two Host in 1.0", BYTES("CONNECT host.test:443 HTTP/1.0\r\n" HOST HOST "\r\n"), R400, "Host"},
        {"a Host that is none", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: a b\r\n\r\n"), R400, "Host"},
        {"a Host with a user", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: u@a\r\n\r\n"), R400, "Host"},
        {"a Host that is not ASCII", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: \xe4\r\n\r\n"), R400, "Host"},
        {"empty Host", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost:\r\n\r\n"), R400, "Host"},
        {"two hosts in one Host", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443, a\r\n\r\n"), R400,
         "Host"},
        {"HTTP/0.9", BYTES("CONNECT host.test:443\r\n"), R505, "0.9"},
        {"HTTP/2.0", BYTES("CONNECT host.test:443 HTTP/2.0\r\n"), R505, "version"},
        {"HTTP/9.9", BYTES("CONNECT host.test:443 HTTP/9.9\r\n"), R505, "version"},
        {"HTTP/1.2", BYTES("CONNECT host.test:443 HTTP/1.2\r\n"), R505, "version"},
        {"HTTP/1.10", BYTES("CONNECT host.test:443 HTTP/1.10\r\n"), R400, "request line"},
        {"http/1.1", BYTES("CONNECT host.test:443 http/1.1\r\n"), R400, "request line"},
        {"bare LF after the request line", BYTES("CONNECT host.test:443 HTTP/1.1\n"), R400, "LF"},
        {"bare LF after a field", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\n"), R400, "LF"},
        {"bare LF at the end", BYTES(GOOD "\n"), R400, "LF"},
        {"folded field", BYTES(GOOD "X: y\r\n z\r\n"), R400, "folded"},
        {"field folded with a tab", BYTES(GOOD "X: y\r\n\tz\r\n"), R400, "folded"},
        {"first field folded", BYTES("CONNECT host.test:443 HTTP/1.1\r\n Host: x\r\n"), R400, "folded"},
        {"space before the colon", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost : host.test:443\r\n"), R400,
         "proper name"},
        {"tab before the colon", BYTES("CONNECT host.test:443 HTTP/1.1\r\nHost\t: host.test:443\r\n"), R400,
         "proper name"},
        {"no colon", BYTES(GOOD "X\r\n"), R400, "proper name"},
        {"no name", BYTES(GOOD ": x\r\n"), R400, "proper name"},
        {"two spaces before the target", BYTES("CONNECT  host.test:443 HTTP/1.1\r\n"), R400, "request line"},
        {"two spaces after the target", BYTES("CONNECT host.test:443  HTTP/1.1\r\n"), R400, "request line"},
        {"space at the end", BYTES("CONNECT host.test:443 HTTP/1.1 \r\n"), R400, "request line"},
        {"tab instead of space", BYTES("CONNECT\thost.test:443\tHTTP/1.1\r\n"), R400, "request line"},
        {"two empty lines before the request", BYTES("\r\n\r\n"), R400, "request line"},
        {"bare LF before the request", BYTES("\nCONNECT h:1 HTTP/1.1\r\n"), R400, "LF"},
        {"a space before the request", BYTES(" CONNECT h:1 HTTP/1.1\r\n"), R400, "request line"},
        {"Content-Length", BYTES(GOOD "Content-Length: 1\r\n\r\n"), R400, "body"},
        {"two Content-Length of 0", BYTES(GOOD "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"), R400, NULL},
        {"Content-Length of 0 and a coding", BYTES(GOOD "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
         R400, NULL},
        {"Transfer-Encoding", BYTES(GOOD "Transfer-Encoding: chunked\r\n\r\n"), R400, "body"},
        /* What http-parser rejects by itself stays rejected. */
        {"NUL in a value", BYTES(GOOD "X: a\0b\r\n"), R400, "NUL"},
        {"bare CR in a value", BYTES(GOOD "X: a\rb\r\n"), R400, "CR"},
        {"control byte in a value", BYTES(GOOD "X: a\x01\r\n"), R400, "control"},
        {"DEL in a value", BYTES(GOOD "X: a\x7f\r\n"), R400, "control"},
        {"NUL behind obs-text", BYTES(GOOD "X: \xe4\0\r\n"), R400, "NUL"},
        {"bare CR behind obs-text", BYTES(GOOD "X: \xe4\rY: b\r\n"), R400, "CR"},
        {"bare LF behind obs-text", BYTES(GOOD "X: \xe4\nY: b\r\n"), R400, "LF"},
        {"8-bit in a name", BYTES(GOOD "X\xe4: a\r\n"), R400, "proper name"},
        {"8-bit in the method", BYTES("CONN\xe4 h:443 HTTP/1.1\r\n"), R400, "request line"},
        {"8-bit in the target", BYTES("CONNECT h\xe4:443 HTTP/1.1\r\n"), R400, "request line"},
        {"8-bit in the version", BYTES("CONNECT h:443 HTTP/1.\xe4\r\n"), R400, "request line"},
        {"8-bit in a length", BYTES(GOOD "Content-Length: \xe4\r\n\r\n"), R400, NULL},
        {"control byte in the target", BYTES("CONNECT h\x01:443 HTTP/1.1\r\n"), R400, "request line"},
        {"two Content-Length", BYTES(GOOD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), R400, NULL},
        {"Content-Length +5", BYTES(GOOD "Content-Length: +5\r\n\r\n"), R400, NULL},
        {"both lengths", BYTES(GOOD "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), R400, NULL},
        {"method in lower case", BYTES("connect host.test:443 HTTP/1.1\r\n" HOST "\r\n"), R400, NULL},
        {"unknown method", BYTES("BREW host.test:443 HTTP/1.1\r\n" HOST "\r\n"), R400, NULL},
        /* Hosts that are no hosts: C3 and C6; the rest of the grammar is target.h's test. */
        {"C3 127.1", BYTES("CONNECT 127.1:443 HTTP/1.1\r\nHost: 127.1:443\r\n\r\n"), R400, "host:port"},
        {"C3 2130706433", BYTES("CONNECT 2130706433:443 HTTP/1.1\r\nHost: a\r\n\r\n"), R400, "host:port"},
        {"C3 0x7f000001", BYTES("CONNECT 0x7f000001:443 HTTP/1.1\r\nHost: a\r\n\r\n"), R400, "host:port"},
        {"C6 header through the host", BYTES("CONNECT a\r\nX: y:443 HTTP/1.1\r\n"), R505, "0.9"},
        {"brackets around a name", BYTES("CONNECT [host.test]:443 HTTP/1.1\r\nHost: a\r\n\r\n"), R400, NULL},
        {"IPv6 without brackets", BYTES("CONNECT ::1:443 HTTP/1.1\r\nHost: a\r\n\r\n"), R400, NULL},
        /* Other methods. */
        {"GET", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), R400, "neither host:port nor an https URI"},
        {"POST", BYTES("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), R400, "https URI"},
        {"TRACE", BYTES("TRACE https://host.test/ HTTP/1.1\r\nHost: host.test\r\n\r\n"), R405, "method"},
        {"PROPFIND", BYTES("PROPFIND https://host.test/ HTTP/1.1\r\nHost: host.test\r\n\r\n"), R405, "method"},
        {"HTTP/2's preface", BYTES("PRI * HTTP/2.0\r\n"), R505, "version"},
        {"C2 only one is answered", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n" GOOD "\r\n"), R400, "https URI"},
        {"TLS to the plain port", BYTES("\x16\x03\x01\x02\x00\x01"), R400, "NUL"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conversation row = {.name = rows[i].name,
                                   HTTP_ACCEPT,
                                   .input = rows[i].input,
                                   .want = STARTTLS_BROKEN,
                                   .want_output = rows[i].want_output,
                                   .want_error = rows[i].want_error == NULL ? "" : rows[i].want_error};
        struct starttls_machine *m = conversation_create(&row);
        size_t consumed;

        /* How much is left after the refusal is told by one run; all cuts must then agree. */
        assert_int_equal(starttls_put(m, row.input, &consumed), STARTTLS_BROKEN);
        assert_true(starttls_error(m)[0] != '\0');
        row.want_left = row.input.size - consumed;
        starttls_machine_destroy(&m);
        conversation_check(&row);
    }
}

/* A request with `count` fields, Host among them, and one of them `extra` bytes longer. */
static char *request(size_t count, size_t extra)
{
    char *padding = base_alloc(extra + 1);
    char *text;

    memset(padding, 'a', extra);
    text = base_printf("CONNECT h:443 HTTP/1.1\r\nHost: h%s\r\n", "");
    for (size_t i = 1; i < count; i++) {
        char *longer = base_printf("%sX: %s\r\n", text, i == 1 ? padding : "");

        free(text);
        text = longer;
    }
    free(padding);
    padding = base_printf("%s\r\n", text);
    free(text);
    return padding;
}

/* Our page for a request over a limit. The caller frees it. */
static char *limit_page(const char *status, const char *limit)
{
    char *words = base_printf("The request is more than is taken here: %s.\n", limit);
    char *page = base_printf("HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                             "Connection: close\r\n\r\n%s",
                             status, strlen(words), words);

    free(words);
    return page;
}

enum { SMALL_HEAD = 400, SMALL_LINE = 100, SMALL_FIELDS = 8 };
static const struct starttls_http_limits small[STARTTLS_HTTP_KIND_COUNT] = {
    {.head_bytes_max = SMALL_HEAD, .line_bytes_max = SMALL_LINE, .fields_max = SMALL_FIELDS},
    {.head_bytes_max = SMALL_HEAD, .line_bytes_max = SMALL_LINE, .fields_max = SMALL_FIELDS},
};

#define TOO_LARGE "431 Request Header Fields Too Large"

/* Each limit, met and passed by one, in every cut; and it is said which, of how much, and which setting it is. */
static void accept_has_limits(void **state)
{
    char *most_fields = request(SMALL_FIELDS, 0), *more_fields = request(SMALL_FIELDS + 1, 0);
    char *longest_field = request(2, SMALL_LINE - 5), *long_field = request(2, SMALL_LINE - 4);
    char *long_line = base_printf("CONNECT %0*d", SMALL_LINE, 1);
    char *most = base_printf("CONNECT h:443 HTTP/1.1\r\nHost: h\r\nA: %090d\r\nB: %090d\r\nC: %090d\r\nD: %0*d\r\n\r\n",
                             1, 1, 1, SMALL_HEAD - 24 - 9 - 3 * 95 - 5 - 2, 1);
    char *more = base_printf("CONNECT h:443 HTTP/1.1\r\nHost: h\r\nA: %090d\r\nB: %090d\r\nC: %090d\r\nD: %0*d\r\n\r\n",
                             1, 1, 1, SMALL_HEAD - 24 - 9 - 3 * 95 - 5 - 1, 1);
    const struct {
        const char *name, *input, *status, *limit; /* NULL: it is taken */
        size_t left;
    } rows[] = {
        {"most fields", most_fields, NULL, NULL, 0},
        {"one field more", more_fields, TOO_LARGE, "the request has more than 8 fields (http_fields_max)", 2},
        {"longest field", longest_field, NULL, NULL, 0},
        {"one byte more", long_field, TOO_LARGE, "a field of the request is longer than 100 bytes (http_field_max)", 2},
        {"request line", long_line, "414 URI Too Long",
         "the first line of the request is longer than 100 bytes (http_field_max)", 7},
        {"longest head", most, NULL, NULL, 0},
        {"a head of one byte more", more, TOO_LARGE,
         "the request's head is longer than 400 bytes (http_request_head_max)", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *page = rows[i].limit == NULL ? base_strdup("") : limit_page(rows[i].status, rows[i].limit);
        const struct conversation row = {rows[i].name,
                                         HTTP_ACCEPT,
                                         .http_limits = small,
                                         .input = span_of_string(rows[i].input),
                                         .want = rows[i].limit == NULL ? STARTTLS_TARGET : STARTTLS_BROKEN,
                                         .want_output = page,
                                         .want_error = rows[i].limit,
                                         .want_left = rows[i].left};

        conversation_check(&row);
        free(page);
    }
    free(most_fields);
    free(more_fields);
    free(longest_field);
    free(long_field);
    free(long_line);
    free(most);
    free(more);
}

/* What browsers send, as far as a site may make them: many cookies, and long ones. */
static void accept_takes_what_clients_send(void **state)
{
    const struct conversation row = {"", HTTP_ACCEPT};
    char *fields = request(STARTTLS_HTTP_FIELDS_DEFAULT, 40 * 1024);
    char *field = request(2, STARTTLS_HTTP_REQUEST_HEAD_BYTES_DEFAULT - 100);
    const char *const texts[] = {fields, field};
    size_t consumed;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct starttls_machine *m = conversation_create(&row);

        assert_int_equal(starttls_put(m, span_of_string(texts[i]), &consumed), STARTTLS_TARGET);
        assert_in_range(starttls_machine_memory(m), strlen(texts[i]), 4 * STARTTLS_HTTP_REQUEST_HEAD_BYTES_DEFAULT);
        starttls_machine_destroy(&m);
    }
    free(fields);
    free(field);
}

/* Our own pages carry what the log calls the connection; of the request nothing. */
static void pages_name_the_connection(void **state)
{
    const struct starttls_options options = {.name = "proxy.test", .connection = "1.2.34"};
    struct starttls_machine *m = starttls_accept_create(STARTTLS_HTTP_CONNECT, &options);
    const struct starttls_http_page page = {
        .failure = STARTTLS_FAILURE_TARGET_DOWN, .why = "The target sings.", .connection = "1.2.34"};
    struct buffer out;
    size_t consumed;

    (void)state;
    assert_int_equal(starttls_put(m, span_of_string("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"), &consumed),
                     STARTTLS_BROKEN);
    assert_true(span_equal(starttls_output(m), span_of_string(RESPONSE("400 Bad Request", "49", "",
                                                                       "The request is not understood.\n"
                                                                       "Connection 1.2.34\n"))));
    assert_string_equal(starttls_request_facts(m).method, "GET");
    assert_int_equal(starttls_request_facts(m).status, 400);
    starttls_machine_destroy(&m);
    buffer_init(&out, 1000);
    assert_int_equal(starttls_http_page(&page, &out), 502);
    assert_true(span_equal(buffer_span(&out), span_of_string(RESPONSE("502 Bad Gateway", "36", "",
                                                                      "The target sings.\nConnection 1.2.34\n"))));
    buffer_release(&out);
}

static void target_connected_opens_the_tunnel_and_lends_early_data(void **state)
{
    static const char head[] = "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n";
    const struct conversation row = {"", HTTP_ACCEPT};
    struct starttls_machine *m = conversation_create(&row);
    uint8_t *early = base_alloc(STARTTLS_EARLY_DATA_BYTES_MAX + 10);
    char *both = base_printf("%sfirst", head);
    size_t consumed;

    (void)state;
    memset(early, 'e', STARTTLS_EARLY_DATA_BYTES_MAX + 10);
    assert_int_equal(starttls_put(m, span_of_string(both), &consumed), STARTTLS_TARGET);
    assert_int_equal(consumed, strlen(both));
    assert_int_equal(starttls_put(m, span_of_string("second"), &consumed), STARTTLS_TARGET);
    assert_int_equal(consumed, 6);
    assert_true(span_equal(starttls_early_data(m), span_of_string("firstsecond")));
    assert_int_equal(starttls_output(m).size, 0);
    /* What passes the limit is left with the caller. */
    assert_int_equal(starttls_put(m, span_of(early, STARTTLS_EARLY_DATA_BYTES_MAX + 10), &consumed), STARTTLS_TARGET);
    assert_int_equal(consumed, STARTTLS_EARLY_DATA_BYTES_MAX - 11);
    starttls_target_connected(m);
    assert_true(span_equal(starttls_output(m), span_of_string("HTTP/1.1 200 Connection established\r\n\r\n")));
    assert_int_equal(starttls_put(m, span_of_string("third"), &consumed), STARTTLS_READY);
    assert_int_equal(consumed, 0);
    assert_int_equal(starttls_early_data(m).size, STARTTLS_EARLY_DATA_BYTES_MAX);
    starttls_machine_destroy(&m);
    free(early);
    free(both);
}

/* C2, and C4's other half: a refused target's request is answered once, and its early data goes nowhere. */
static void failure_text_closes_and_repeats_nothing(void **state)
{
    static const struct {
        enum starttls_failure failure;
        const char *want;
    } rows[] = {
        {STARTTLS_FAILURE_OVERLOAD, "HTTP/1.1 503 "},         {STARTTLS_FAILURE_TLS_UNAVAILABLE, "HTTP/1.1 503 "},
        {STARTTLS_FAILURE_TARGET_REFUSED, "HTTP/1.1 403 "},   {STARTTLS_FAILURE_TARGET_DOWN, "HTTP/1.1 502 "},
        {STARTTLS_FAILURE_TARGET_TIMEOUT, "HTTP/1.1 504 "},   {STARTTLS_FAILURE_TARGET_TLS, "HTTP/1.1 502 "},
        {STARTTLS_FAILURE_TARGET_UNWILLING, "HTTP/1.1 502 "}, {STARTTLS_FAILURE_TARGET_SPEECH, "HTTP/1.1 502 "},
        {STARTTLS_FAILURE_TARGET_NO_TLS, "HTTP/1.1 502 "},    {STARTTLS_FAILURE_IDENTITY, "HTTP/1.1 503 "},
        {STARTTLS_FAILURE_SHUTDOWN, "HTTP/1.1 503 "},         {STARTTLS_FAILURE_TIMEOUT, "HTTP/1.1 408 "},
        {STARTTLS_FAILURE_BAD_REQUEST, "HTTP/1.1 400 "},
    };

    (void)state;
    static_assert(ARRAY_LEN(rows) == STARTTLS_FAILURE_COUNT, "one for each");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out;
        char *text;

        buffer_init(&out, 1000);
        starttls_failure_text(STARTTLS_HTTP_CONNECT, rows[i].failure, true, "proxy.test", &out);
        assert_int_equal(buffer_span(&out).size, 0);
        starttls_failure_text(STARTTLS_HTTP_CONNECT, rows[i].failure, false, "proxy.test", &out);
        text = base_strndup((const char *)buffer_span(&out).data, out.size);
        assert_int_equal(strncmp(text, rows[i].want, strlen(rows[i].want)), 0);
        assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
        assert_int_equal(strstr(text, "503") != NULL, strstr(text, "Retry-After") != NULL);
        free(text);
        buffer_release(&out);
    }
}

#define ASK "CONNECT host.test:443 HTTP/1.1\r\nHost: host.test:443\r\n\r\n"

static void connect_opens_the_tunnel(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said", HTTP_CONNECT, .input = BYTES(""), .want = STARTTLS_NEED_MORE, .want_output = ASK},
        {"200", HTTP_CONNECT, .input = BYTES("HTTP/1.1 200 Connection established\r\n\r\n"), .want = STARTTLS_READY,
         .want_output = ASK},
        {"200 of 1.0 without a reason", HTTP_CONNECT, .input = BYTES("HTTP/1.0 200\r\n\r\n"), .want = STARTTLS_READY,
         .want_output = ASK},
        {"C8 lengths mean nothing in 2xx", HTTP_CONNECT,
         .input = BYTES("HTTP/1.1 204 x\r\nContent-Length: 5\r\nVia: x\r\n\r\n"), .want = STARTTLS_READY,
         .want_output = ASK},
        {"the target speaks first", HTTP_CONNECT, .input = BYTES("HTTP/1.1 200 OK\r\n\r\n220 mx"),
         .want = STARTTLS_READY, .want_output = ASK, .want_left = 6},
        {"TLS comes next", HTTP_CONNECT, .upgrade = UPGRADE, .input = BYTES("HTTP/1.1 200 OK\r\n\r\n"),
         .want = STARTTLS_UPGRADE, .want_output = ASK},
        {"interim responses", HTTP_CONNECT,
         .input = BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 100 x\r\n\r\n"
                        "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
         .want = STARTTLS_READY, .want_output = ASK},
        {"trailing dot", .protocol = STARTTLS_HTTP_CONNECT, .side = CONNECTED, .target = "host.test.",
         .input = BYTES(""), .want = STARTTLS_NEED_MORE, .want_output = ASK},
        {"IPv6", .protocol = STARTTLS_HTTP_CONNECT, .side = CONNECTED, .target = "2001:db8::1", .input = BYTES(""),
         .want = STARTTLS_NEED_MORE,
         .want_output = "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void connect_refuses_all_else(void **state)
{
    static const struct conversation rows[] = {
        {"407", HTTP_CONNECT, .input = BYTES("HTTP/1.1 407 x\r\nContent-Length: 3\r\n\r\nabc"),
         .want = STARTTLS_REFUSED, .want_output = ASK, .want_error = "407", .want_left = 3},
        {"C8 301", HTTP_CONNECT, .input = BYTES("HTTP/1.1 301 x\r\nLocation: http://x/\r\n\r\n"),
         .want = STARTTLS_REFUSED, .want_output = ASK, .want_error = "301"},
        {"C8 101", HTTP_CONNECT, .input = BYTES("HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
         .want = STARTTLS_REFUSED, .want_output = ASK, .want_error = "101"},
        {"C8 endless 1xx", HTTP_CONNECT,
         .input = BYTES("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\n"
                        "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
         .want = STARTTLS_BROKEN, .want_output = ASK, .want_error = "more than 5", .want_left = 19},
        {"C8 HTTP/0.9 body", HTTP_CONNECT, .input = BYTES("<html>\r\n"), .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "status line"},
        {"another protocol", HTTP_CONNECT, .input = BYTES("220 mx ESMTP\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "status line"},
        {"HTTP/2", HTTP_CONNECT, .input = BYTES("HTTP/2.0 200 OK\r\n"), .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "status line"},
        {"code of two digits", HTTP_CONNECT, .input = BYTES("HTTP/1.1 20 OK\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "status line"},
        {"code of four digits", HTTP_CONNECT, .input = BYTES("HTTP/1.1 2000 OK\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "status line"},
        {"two spaces", HTTP_CONNECT, .input = BYTES("HTTP/1.1  200 OK\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "status line"},
        {"bare LF", HTTP_CONNECT, .input = BYTES("HTTP/1.1 200 OK\n"), .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "LF"},
        {"folded field", HTTP_CONNECT, .input = BYTES("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "folded"},
        {"space before the colon", HTTP_CONNECT, .input = BYTES("HTTP/1.1 200 OK\r\nX : y\r\n"),
         .want = STARTTLS_BROKEN, .want_output = ASK, .want_error = "proper name"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* C8: bytes before the target's TLS. */
static void connect_refuses_bytes_before_tls(void **state)
{
    static const struct conversation row = {"C8",
                                            HTTP_CONNECT,
                                            .upgrade = UPGRADE,
                                            .input = BYTES("HTTP/1.1 200 OK\r\n\r\nabc"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = ASK,
                                            .want_error = "plain text",
                                            .want_left = 3};

    (void)state;
    conversation_check_early(&row, row.input.size - 3);
}

/* C8: a head without end. */
static void connect_has_limits(void **state)
{
    static const struct conversation rows[] = {
        {"fields", HTTP_CONNECT, .http_limits = small,
         .input = BYTES("HTTP/1.1 200 OK\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n"),
         .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "the response has more than 8 fields (http_fields_max)"},
        {"a line", HTTP_CONNECT, .http_limits = small,
         .input = BYTES("HTTP/1.1 200 OK\r\nA: 4567890123456789012345678901234567890123456789012345678901234567890123"
                        "456789012345678901234567890x"),
         .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "a field of the response is longer than 100 bytes (http_field_max)", .want_left = 0},
    };
    struct conversation row = {"", HTTP_CONNECT, .http_limits = small};
    struct starttls_machine *m = conversation_create(&row);
    enum starttls_status status = STARTTLS_NEED_MORE;
    size_t consumed;

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    assert_string_equal(starttls_public_error(m), "");
    assert_int_equal(starttls_put(m, span_of_string("HTTP/1.1 200 OK\r\n"), &consumed), STARTTLS_NEED_MORE);
    for (size_t i = 0; i < SMALL_FIELDS && status == STARTTLS_NEED_MORE; i++)
        status = starttls_put(m, span_of_string("A: 45678901234567890123456789012345678901234567890123456789\r\n"),
                              &consumed);
    assert_int_equal(status, STARTTLS_BROKEN);
    assert_string_equal(starttls_public_error(m),
                        "The upstream proxy's answer is more than is taken here: the response's head is longer than "
                        "400 bytes (http_response_head_max).");
    starttls_machine_destroy(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_gives_the_target),
        cmocka_unit_test(accept_refuses_everything_but_a_plain_connect),
        cmocka_unit_test(accept_has_limits),
        cmocka_unit_test(accept_takes_what_clients_send),
        cmocka_unit_test(pages_name_the_connection),
        cmocka_unit_test(target_connected_opens_the_tunnel_and_lends_early_data),
        cmocka_unit_test(failure_text_closes_and_repeats_nothing),
        cmocka_unit_test(connect_opens_the_tunnel),
        cmocka_unit_test(connect_refuses_all_else),
        cmocka_unit_test(connect_refuses_bytes_before_tls),
        cmocka_unit_test(connect_has_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
