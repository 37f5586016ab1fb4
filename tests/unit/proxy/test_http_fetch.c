/* Fetching over plain HTTP: what is asked, which answers are taken, and that the deadline holds. */
#include "http_server.h"
#include "proxy/fetch/http_fetch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PATIENT_MS = 20000, SHORT_MS = 50, ANSWER_MAX = 16 };

static void urls_are_read_strictly(void **state)
{
    static const struct {
        const char *url, *host;
        unsigned port;
        const char *authority, *target;
    } good[] = {
        {"http://ocsp.example/", "ocsp.example", 80, "ocsp.example", "/"},
        {"HTTP://OCSP.Example", "ocsp.example", 80, "OCSP.Example", ""},
        {"http://a.example:8080/x/y?z", "a.example", 8080, "a.example:8080", "/x/y?z"},
        {"http://a.example?x", "a.example", 80, "a.example", "?x"},
        {"http://127.0.0.1:1/", "127.0.0.1", 1, "127.0.0.1:1", "/"},
        {"http://[::1]:8/", "::1", 8, "[::1]:8", "/"},
    };
    static const char *const bad[] = {
        "",
        "http://",
        "https://a.example/",
        "ftp://a.example/",
        "http:///x",
        "http://u@a/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:/",
        "http://a b/",
        "http://a/\r\nX: y",
        "http://a/#f",
        "http://127.1/",
        "http://0x7f.1/",
        "http://[::1/",
        "//a.example/",
        "http://a.example:80:80/",
    };
    struct http_url url;
    char *long_url = base_printf("http://a.example/%01024d", 0);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(http_url_parse(span_of_string(good[i].url), &url));
        assert_string_equal(url.host, good[i].host);
        assert_int_equal(url.port, good[i].port);
        assert_true(span_equal(url.authority, span_of_string(good[i].authority)));
        assert_true(span_equal(url.target, span_of_string(good[i].target)));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (http_url_parse(span_of_string(bad[i]), &url))
            fail_msg("%s is taken", bad[i]);
    assert_false(http_url_parse(span_of_string(long_url), &url));
    long_url[HTTP_FETCH_URL_BYTES_MAX] = '\0';
    assert_true(http_url_parse(span_of_string(long_url), &url));
    free(long_url);
}

struct fetched {
    enum http_fetch_status status;
    uint8_t *answer;
    size_t size;
    char *error;
};

static struct fetched fetch(const char *url, const char *body, uint32_t timeout_ms, enum http_fetch_reach reach)
{
    struct http_fetch_request request = {
        .content_type = body == NULL ? NULL : "application/ocsp-request",
        .body = body == NULL ? span_of(NULL, 0) : span_of_string(body),
        .deadline_ms = base_now_ms() + timeout_ms,
        .answer_max = ANSWER_MAX,
        .reach = reach,
    };
    struct fetched f;

    assert_true(http_url_parse(span_of_string(url), &request.url));
    f.status = http_fetch(&request, &f.answer, &f.size, &f.error);
    assert_int_equal(f.status == HTTP_FETCH_OK, f.answer != NULL);
    assert_int_equal(f.status == HTTP_FETCH_OK, f.error == NULL);
    return f;
}

static void fetched_free(struct fetched *f)
{
    free(f->answer);
    free(f->error);
}

static struct fetched fetch_path(const struct http_server *s, const char *path, const char *body, uint32_t timeout_ms)
{
    char *url = base_printf("http://127.0.0.1:%u%s", s->port, path);
    struct fetched f = fetch(url, body, timeout_ms, HTTP_FETCH_ANYWHERE);

    free(url);
    return f;
}

static void request_is_as_responders_expect(void **state)
{
    struct http_server s;
    struct fetched f;
    char *want;

    (void)state;
    http_server_start(&s, span_of_string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    f = fetch_path(&s, "/ocsp?x", "body", PATIENT_MS);
    want = base_printf("POST /ocsp?x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nUser-Agent: yett\r\n"
                       "Content-Type: application/ocsp-request\r\nContent-Length: 4\r\n\r\nbody",
                       s.port);
    assert_int_equal(f.status, HTTP_FETCH_OK);
    assert_true(span_equal(span_of(f.answer, f.size), span_of_string("ok")));
    assert_string_equal(s.request, want);
    fetched_free(&f);
    free(want);

    f = fetch_path(&s, "", NULL, PATIENT_MS);
    want = base_printf("GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nUser-Agent: yett\r\n\r\n", s.port);
    assert_int_equal(f.status, HTTP_FETCH_OK);
    assert_string_equal(s.request, want);
    fetched_free(&f);
    free(want);
    http_server_stop(&s);
}

#define EARLY_HINTS "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

static void answers_are_taken_or_refused(void **state)
{
    static const struct {
        const char *answer, *body; /* NULL: refused */
    } cases[] = {
        {"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef", "0123456789abcdef"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "abc"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n0123456789abcdefg", NULL},
        {"HTTP/1.0 200 OK\r\n\r\n0123456789abcdefg", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 2\r\n\r\nab", NULL},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab", NULL},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nab", NULL},
        {"HTTP/1.1 200 OK\r\nContent-Le", NULL},
        {"SSH-2.0-OpenSSH\r\n\r\n", NULL},
        /* RFC 9110 section 15.2: interim responses come before the answer, and are none; but not without end. */
        {EARLY_HINTS "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
        {"HTTP/1.1 100 Continue\r\n\r\n" EARLY_HINTS "HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"},
        {EARLY_HINTS EARLY_HINTS EARLY_HINTS EARLY_HINTS EARLY_HINTS "HTTP/1.1 200 OK\r\n\r\nfive", "five"},
        {EARLY_HINTS EARLY_HINTS EARLY_HINTS EARLY_HINTS EARLY_HINTS EARLY_HINTS "HTTP/1.1 200 OK\r\n\r\nsix", NULL},
        {EARLY_HINTS, NULL},
        {EARLY_HINTS "HTTP/1.1 404 Not Found\r\n\r\n", NULL},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t piece = 1; piece <= 64; piece *= 8) {
            struct http_server s;
            struct fetched f;

            http_server_start(&s, span_of_string(cases[i].answer));
            s.piece = piece;
            f = fetch_path(&s, "/", "x", PATIENT_MS);
            if (cases[i].body == NULL) {
                assert_int_equal(f.status, HTTP_FETCH_BAD_ANSWER);
            } else {
                assert_int_equal(f.status, HTTP_FETCH_OK);
                assert_true(span_equal(span_of(f.answer, f.size), span_of_string(cases[i].body)));
            }
            fetched_free(&f);
            http_server_stop(&s);
        }
}

/* A body that is whole needs no end of the connection. */
static void server_that_keeps_the_connection_does_not_hold_us(void **state)
{
    struct http_server s;
    struct fetched f;

    (void)state;
    http_server_start(&s, span_of_string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    s.keeps_open = true;
    f = fetch_path(&s, "/", "x", PATIENT_MS);
    assert_int_equal(f.status, HTTP_FETCH_OK);
    fetched_free(&f);
    http_server_stop(&s);
}

static void deadline_holds(void **state)
{
    static const char *const answers[] = {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct http_server s;
        struct fetched f;

        http_server_start(&s, span_of_string(answers[i]));
        s.keeps_open = true;
        f = fetch_path(&s, "/", "x", SHORT_MS);
        assert_int_equal(f.status, HTTP_FETCH_LATE);
        fetched_free(&f);
        http_server_stop(&s);
    }
}

static void what_cannot_be_reached_is_told(void **state)
{
    struct http_server s;
    struct fetched f;

    (void)state;
    http_server_start(&s, span_of_string("x"));
    http_server_stop(&s); /* nobody listens there any more */
    f = fetch_path(&s, "/", "x", PATIENT_MS);
    assert_int_equal(f.status, HTTP_FETCH_UNREACHABLE);
    fetched_free(&f);
}

/* The same server, by address and by a name, is not asked where only public addresses may be. */
static void private_addresses_are_denied(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"};
    struct http_server s;

    (void)state;
    http_server_start(&s, span_of_string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char *url = base_printf("http://%s:%u/", hosts[i], s.port);
        struct fetched f = fetch(url, "x", PATIENT_MS, HTTP_FETCH_PUBLIC_ONLY);

        assert_int_equal(f.status, HTTP_FETCH_DENIED);
        fetched_free(&f);
        free(url);
    }
    assert_int_equal(atomic_load(&s.requests), 0);
    http_server_stop(&s);
}

static void names_are_looked_up(void **state)
{
    struct http_server s;
    struct fetched f;
    char *url;

    (void)state;
    http_server_start(&s, span_of_string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    url = base_printf("http://localhost:%u/", s.port);
    f = fetch(url, "x", PATIENT_MS, HTTP_FETCH_ANYWHERE);
    assert_int_equal(f.status, HTTP_FETCH_OK); /* whichever family comes first */
    fetched_free(&f);
    free(url);
    http_server_stop(&s);
    f = fetch("http://no-such-host.invalid/", "x", PATIENT_MS, HTTP_FETCH_ANYWHERE);
    assert_int_equal(f.status, HTTP_FETCH_UNREACHABLE);
    fetched_free(&f);
}

struct stopped {
    struct http_fetch_request request;
    enum http_fetch_status status;
};

static void *run_stopped(void *arg)
{
    struct stopped *s = arg;
    uint8_t *answer;
    size_t size;
    char *error;

    s->status = http_fetch(&s->request, &answer, &size, &error);
    assert_null(answer);
    free(error);
    return NULL;
}

/* The deadline is an hour away, and the server says nothing, or nothing more. */
static void silence_ends_it_before_the_deadline(void **state)
{
    enum { HOUR_MS = 3600 * 1000 };
    static const char *const answers[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct http_server server;
        struct stopped s = {
            .request = {.deadline_ms = base_now_ms() + HOUR_MS, .silence_ms = SHORT_MS, .answer_max = ANSWER_MAX}};
        char *url;

        http_server_start(&server, span_of_string(answers[i]));
        server.keeps_open = true;
        url = base_printf("http://127.0.0.1:%u/", server.port);
        assert_true(http_url_parse(span_of_string(url), &s.request.url));
        run_stopped(&s);
        assert_int_equal(s.status, HTTP_FETCH_LATE);
        free(url);
        http_server_stop(&server);
    }
}

/* The deadline is an hour away, and the server says nothing. */
static void stop_ends_it_before_the_deadline(void **state)
{
    enum { HOUR_MS = 3600 * 1000 };
    struct http_server server;
    struct http_fetch_stop *stop = http_fetch_stop_create();
    struct stopped s = {.request = {.deadline_ms = base_now_ms() + HOUR_MS, .answer_max = ANSWER_MAX, .stop = stop}};
    char *url;
    pthread_t thread;

    (void)state;
    http_server_start(&server, span_of_string(""));
    url = base_printf("http://localhost:%u/", server.port);
    assert_true(http_url_parse(span_of_string(url), &s.request.url));
    assert_int_equal(pthread_create(&thread, NULL, run_stopped, &s), 0);
    while (atomic_load(&server.requests) == 0)
        (void)poll(NULL, 0, 1);
    http_fetch_stop_set(stop);
    pthread_join(thread, NULL);
    assert_int_equal(s.status, HTTP_FETCH_LATE);
    run_stopped(&s); /* nor does another begin */
    assert_int_equal(s.status, HTTP_FETCH_LATE);
    http_fetch_stop_destroy(&stop);
    free(url);
    http_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read_strictly),
        cmocka_unit_test(request_is_as_responders_expect),
        cmocka_unit_test(answers_are_taken_or_refused),
        cmocka_unit_test(server_that_keeps_the_connection_does_not_hold_us),
        cmocka_unit_test(deadline_holds),
        cmocka_unit_test(what_cannot_be_reached_is_told),
        cmocka_unit_test(private_addresses_are_denied),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(silence_ends_it_before_the_deadline),
        cmocka_unit_test(stop_ends_it_before_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
