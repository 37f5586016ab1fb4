/* Fetching issuers: which hosts may be asked, what is remembered, who waits for whom, and the limits. */
#include "http_server.h"
#include "proxy/fetch/issuer_fetch.h"
#include "proxy/process/limits.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PATIENT_MS = 20000, SHORT_MS = 50 };

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/pkix-cert\r\nContent-Length: 6\r\n\r\nissuer";

/* ---- where to ---- */

static void allows_what_is_listed(void **state)
{
    const struct config_issuer_host hosts[] = {
        {.host = (char[]){"pki.example"}, .port = 80},
        {.host = (char[]){"*.wide.example"}, .port = 80},
        {.host = (char[]){"inner.wide.example"}, .port = 80},
        {.host = (char[]){"other.example"}, .port = 8080},
        {.host = (char[]){"10.0.0.1"}, .port = 80},
        {.host = (char[]){"fd00::1"}, .port = 80},
        {.host = (char[]){"*"}, .port = 8888},
    };
    enum want { NO, PUBLIC, ANYWHERE };
    static const struct {
        const char *url;
        enum want want;
    } table[] = {
        {"http://pki.example/ca", ANYWHERE},
        {"http://PKI.Example./ca", ANYWHERE},
        {"http://pki.example:80/ca", ANYWHERE},
        {"http://pki.example:8080/ca", NO},
        {"http://a.pki.example/ca", NO},
        {"http://xpki.example/ca", NO},
        {"http://pki.example.evil.example/ca", NO},
        {"http://a.wide.example/ca", PUBLIC},
        {"http://a.b.wide.example/ca", PUBLIC},
        {"http://wide.example/ca", NO},
        {"http://xwide.example/ca", NO},
        {"http://inner.wide.example/ca", ANYWHERE},
        {"http://other.example:8080/", ANYWHERE},
        {"http://other.example/", NO},
        {"http://10.0.0.1/", ANYWHERE},
        {"http://10.0.0.2/", NO},
        {"http://[fd00:0:0::1]/", ANYWHERE},
        {"http://[fd00::2]/", NO},
        {"http://127.0.0.1:8888/", PUBLIC},
        {"http://anything.example:8888/", PUBLIC},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct http_url url;
        enum http_fetch_reach reach;
        bool allowed;

        assert_true(http_url_parse(span_of_string(table[i].url), &url));
        allowed = issuer_fetch_allows(hosts, ARRAY_LEN(hosts), &url, &reach);
        if (allowed != (table[i].want != NO) ||
            (allowed && reach != (table[i].want == PUBLIC ? HTTP_FETCH_PUBLIC_ONLY : HTTP_FETCH_ANYWHERE)))
            fail_msg("%s", table[i].url);
        assert_false(issuer_fetch_allows(hosts, 0, &url, &reach));
    }
}

/* ---- one thread ---- */

struct setup {
    struct http_server server;
    struct issuer_fetch *fetch;
    struct config_issuer_host host;
    const struct pkix_issuer_source *source;
};

static void begin(struct setup *s, const char *host, const char *text, uint32_t timeout_ms)
{
    http_server_start(&s->server, span_of_string(text));
    s->fetch = issuer_fetch_create();
    s->host = (struct config_issuer_host){.host = base_strdup(host), .port = s->server.port};
    s->source = issuer_fetch_open(s->fetch, &s->host, 1, timeout_ms);
}

static void end(struct setup *s)
{
    issuer_fetch_destroy(&s->fetch);
    http_server_stop(&s->server);
    free(s->host.host);
}

/* NULL: the answer is the server's. */
static const char *ask(const struct setup *s, unsigned number)
{
    struct pkix_issuer_answer a;
    char *url = base_printf("http://127.0.0.1:%u/%u", s->server.port, number);

    s->source->ask(s->source->ctx, span_of_string(url), &a);
    free(url);
    if (a.bytes == NULL) {
        assert_non_null(a.why);
        return a.why;
    }
    assert_true(span_equal(span_of(a.bytes, a.size), span_of_string("issuer")));
    free(a.bytes);
    return NULL;
}

static void answers_are_fetched_once(void **state)
{
    struct setup s;

    (void)state;
    begin(&s, "127.0.0.1", answer, PATIENT_MS);
    assert_ptr_equal(issuer_fetch_open(s.fetch, &s.host, 1, PATIENT_MS), s.source); /* a service has one */
    assert_null(issuer_fetch_open(s.fetch, NULL, 0, PATIENT_MS));
    for (unsigned round = 0; round < 3; round++)
        for (unsigned number = 0; number < 3; number++)
            assert_null(ask(&s, number));
    assert_int_equal(issuer_fetch_requests(s.fetch), 3);
    assert_int_equal(atomic_load(&s.server.requests), 3);
    assert_memory_equal(s.server.request, "GET /2 HTTP/1.1\r\n", 17);
    end(&s);
}

static void failures_are_remembered(void **state)
{
    static const struct {
        const char *answer, *why;
    } table[] = {
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "its host gave no usable answer"},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         "its host gave no usable answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n", "its host gave no usable answer"},
        {"garbage\r\n\r\n", "its host gave no usable answer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct setup s;

        begin(&s, "127.0.0.1", table[i].answer, PATIENT_MS);
        for (unsigned round = 0; round < 3; round++)
            assert_string_equal(ask(&s, 1), table[i].why);
        assert_int_equal(issuer_fetch_requests(s.fetch), 1);
        assert_string_equal(ask(&s, 2), table[i].why); /* the host is there: other addresses may be good */
        assert_int_equal(issuer_fetch_requests(s.fetch), 2);
        end(&s);
    }
}

static void host_that_hangs_is_asked_once(void **state)
{
    struct setup s;

    (void)state;
    begin(&s, "127.0.0.1", "", SHORT_MS);
    assert_string_equal(ask(&s, 1), "it did not come in time");
    assert_string_equal(ask(&s, 1), "it did not come in time");
    for (unsigned number = 2; number < 5; number++)
        assert_string_equal(ask(&s, number), "its host did not answer a moment ago");
    assert_int_equal(issuer_fetch_requests(s.fetch), 1);
    end(&s);
}

static void nobody_else_is_asked(void **state)
{
    struct setup s;

    (void)state;
    begin(&s, "127.0.0.2", answer, PATIENT_MS);
    assert_string_equal(ask(&s, 1), "its host is not among those of issuer_fetch");
    assert_int_equal(issuer_fetch_requests(s.fetch), 0);
    s.host.port++;
    assert_string_equal(ask(&s, 1), "its host is not among those of issuer_fetch");
    assert_int_equal(atomic_load(&s.server.requests), 0);
    end(&s);
    begin(&s, "*", answer, PATIENT_MS);
    assert_non_null(strstr(ask(&s, 1), "is at an address that is not public"));
    assert_non_null(strstr(ask(&s, 1), "is at an address that is not public"));
    assert_int_equal(atomic_load(&s.server.requests), 0);
    end(&s);
}

static void odd_addresses_are_refused(void **state)
{
    static const char *const urls[] = {"",
                                       "https://127.0.0.1/",
                                       "ldap://127.0.0.1/",
                                       "http://u@127.0.0.1/",
                                       "file:///etc",
                                       "http://127.0.0.1/\r\nX: y"};
    struct setup s;

    (void)state;
    begin(&s, "*", answer, PATIENT_MS);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct pkix_issuer_answer a;

        s.source->ask(s.source->ctx, span_of_string(urls[i]), &a);
        assert_null(a.bytes);
        assert_string_equal(a.why, "it is not an address that can be asked");
    }
    assert_int_equal(issuer_fetch_requests(s.fetch), 0);
    end(&s);
}

/* Whoever makes certificates with ever other addresses gets so many requests out of us, and no more memory. */
static void requests_are_limited(void **state)
{
    struct setup s;

    (void)state;
    begin(&s, "127.0.0.1", answer, PATIENT_MS);
    for (unsigned i = 0; i < LIMIT_ISSUER_FETCHES; i++)
        assert_null(ask(&s, i));
    for (unsigned i = 0; i < 10; i++)
        assert_string_equal(ask(&s, 1000 + i), "too many issuers were fetched within a minute");
    assert_null(ask(&s, LIMIT_ISSUER_FETCHES - 1)); /* what is remembered costs nothing */
    assert_int_equal(issuer_fetch_requests(s.fetch), LIMIT_ISSUER_FETCHES);
    assert_int_equal(atomic_load(&s.server.requests), LIMIT_ISSUER_FETCHES);
    {
        /* Another service has a limit of its own. */
        struct config_issuer_host same = s.host;

        s.source = issuer_fetch_open(s.fetch, &same, 1, PATIENT_MS);
        assert_null(ask(&s, 1000));
    }
    end(&s);
}

/* ---- threads ---- */

struct client {
    const struct setup *setup;
    unsigned number;
    pthread_t thread;
    const char *why;
};

static void *run_client(void *arg)
{
    struct client *c = arg;

    c->why = ask(c->setup, c->number);
    return NULL;
}

static void start_client(struct client *c, const struct setup *s, unsigned number)
{
    *c = (struct client){.setup = s, .number = number};
    assert_int_equal(pthread_create(&c->thread, NULL, run_client, c), 0);
}

static void wait_for_requests(const struct setup *s, uint64_t count)
{
    while (issuer_fetch_requests(s->fetch) < count)
        (void)poll(NULL, 0, 1);
}

static void same_address_is_asked_once_by_many(void **state)
{
    struct client clients[LIMIT_ISSUER_ASKING];
    struct setup s;

    (void)state;
    begin(&s, "127.0.0.1", answer, PATIENT_MS);
    atomic_store(&s.server.open, false);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        start_client(&clients[i], &s, 7);
    wait_for_requests(&s, 1);
    atomic_store(&s.server.open, true);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        pthread_join(clients[i].thread, NULL);
        assert_null(clients[i].why);
    }
    assert_int_equal(issuer_fetch_requests(s.fetch), 1);
    end(&s);
}

/* A host that hangs has so many threads of a service, and no more. */
static void only_some_wait_at_a_time(void **state)
{
    struct client clients[LIMIT_ISSUER_ASKING];
    struct setup s;

    (void)state;
    begin(&s, "127.0.0.1", answer, PATIENT_MS);
    atomic_store(&s.server.open, false);
    for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
        start_client(&clients[i], &s, i);
    wait_for_requests(&s, LIMIT_ISSUER_ASKING);
    assert_string_equal(ask(&s, 0), "too many others wait for an issuer");
    assert_string_equal(ask(&s, 100), "too many others wait for an issuer");
    atomic_store(&s.server.open, true);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        pthread_join(clients[i].thread, NULL);
        assert_null(clients[i].why);
    }
    assert_null(ask(&s, 100));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows_what_is_listed),    cmocka_unit_test(answers_are_fetched_once),
        cmocka_unit_test(failures_are_remembered),  cmocka_unit_test(host_that_hangs_is_asked_once),
        cmocka_unit_test(nobody_else_is_asked),     cmocka_unit_test(odd_addresses_are_refused),
        cmocka_unit_test(requests_are_limited),     cmocka_unit_test(same_address_is_asked_once_by_many),
        cmocka_unit_test(only_some_wait_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
