/* Fetching CRLs: who waits and who does not, one request for many, which CRLs are believed, and how it ends. */
#include "cert_builder.h"
#include "http_server.h"
#include "pkix/crl.h"
#include "proxy/fetch/crl_fetch.h"
#include "proxy/process/limits.h"

#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENT_MS = 60000, SHORT_MS = 200, HOUR = 3600 };

/* An authority, a certificate of it, and a server that has its CRL. */
struct setup {
    struct http_server server;
    struct crl_fetch *fetch;
    struct counters_block counters;
    struct crl_asker asker;
    struct pkix_crl_source source;
    struct span ca, leaf;
    char url[64];
};

/* An answer with that body; lives until the builder stops. */
static struct span answer_of(struct span body)
{
    char head[128];
    int size = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body.size);

    return builder_join(builder_bytes(head, (size_t)size), body);
}

static struct crl_spec crl_of_today(void)
{
    struct crl_spec spec = builder_crl_of("ca", 1);

    spec.this_update = (int64_t)time(NULL) - HOUR;
    spec.next_update = (int64_t)time(NULL) + HOUR;
    return spec;
}

static struct span good_answer(void)
{
    struct crl_spec spec = crl_of_today();

    return answer_of(builder_crl(&spec));
}

static void begin(struct setup *s, struct span answer, uint32_t timeout_ms)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = builder_server("www.example.com", 2, "ca", 1);

    *s = (struct setup){.ca = builder_cert(&ca), .leaf = builder_cert(&leaf)};
    http_server_start(&s->server, answer);
    s->fetch = crl_fetch_create();
    s->asker = (struct crl_asker){
        .fetch = s->fetch, .timeout_ms = timeout_ms, .reach = HTTP_FETCH_ANYWHERE, .counters = &s->counters};
    s->source = crl_fetch_source(&s->asker);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/", s->server.port);
}

static void end(struct setup *s)
{
    crl_fetch_destroy(&s->fetch);
    http_server_stop(&s->server);
}

static uint64_t counted(struct setup *s, enum counter which)
{
    return atomic_load(&s->counters.values[which]);
}

static struct pkix_crl_question question(const struct setup *s, enum pkix_revocation revocation)
{
    return (struct pkix_crl_question){.cert = s->leaf,
                                      .signers = {s->ca},
                                      .signer_count = 1,
                                      .urls = {span_of_string(s->url)},
                                      .url_count = 1,
                                      .time = (int64_t)time(NULL),
                                      .revocation = revocation,
                                      .waiting = PKIX_MAY_WAIT};
}

static bool finds(const struct setup *s, const struct pkix_crl_question *q, enum pkix_crl_effort effort,
                  const char **why)
{
    struct pkix_crl_set *set;

    *why = NULL;
    set = s->source.find(s->source.ctx, q, effort, why);
    if (set == NULL)
        return false;
    assert_int_equal(pkix_crl_set_count(set), 1);
    pkix_crl_set_destroy(&set);
    return true;
}

static void wait_until_found(const struct setup *s, const struct pkix_crl_question *q)
{
    const char *why;

    while (!finds(s, q, PKIX_CRL_AT_HAND, &why))
        (void)poll(NULL, 0, 1);
}

static void wait_for_requests(const struct setup *s, unsigned count)
{
    while (atomic_load(&s->server.requests) < count)
        (void)poll(NULL, 0, 1);
}

static void soft_goes_on_and_finds_it_later(void **state)
{
    struct setup s;
    struct pkix_crl_question q;
    const char *why;

    (void)state;
    begin(&s, good_answer(), PATIENT_MS);
    q = question(&s, PKIX_REVOCATION_SOFT);
    assert_false(finds(&s, &q, PKIX_CRL_AT_HAND, &why));
    assert_null(why);
    assert_int_equal(crl_fetch_requests(s.fetch), 0); /* at hand begins nothing */
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "its CRL is being fetched");
    wait_until_found(&s, &q);
    assert_true(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_int_equal(atomic_load(&s.server.requests), 1);
    assert_memory_equal(s.server.request, "GET / HTTP/1.1\r\n", 16);
    end(&s);
    assert_int_equal(counted(&s, COUNTER_crl_fetches_total), 1);
    assert_int_equal(counted(&s, COUNTER_crl_fetch_failures_total), 0);
}

static void loop_is_never_kept_waiting(void **state)
{
    struct setup s;
    struct pkix_crl_question q;
    const char *why;

    (void)state;
    begin(&s, good_answer(), PATIENT_MS);
    q = question(&s, PKIX_REVOCATION_HARD);
    q.waiting = PKIX_MUST_NOT_WAIT;
    atomic_store(&s.server.open, false);
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    wait_for_requests(&s, 1); /* but it has been begun */
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    atomic_store(&s.server.open, true);
    wait_until_found(&s, &q);
    assert_int_equal(atomic_load(&s.server.requests), 1);
    end(&s);
}

/* ---- threads ---- */

struct client {
    const struct setup *setup;
    struct pkix_crl_question question;
    pthread_t thread;
    bool found;
    const char *why;
};

static void *run_client(void *arg)
{
    struct client *c = arg;

    c->found = finds(c->setup, &c->question, PKIX_CRL_FETCH, &c->why);
    return NULL;
}

static void hard_waits_and_many_share_one_request(void **state)
{
    enum { CLIENTS = 16 };
    struct client clients[CLIENTS];
    struct setup s;

    (void)state;
    begin(&s, good_answer(), PATIENT_MS);
    atomic_store(&s.server.open, false);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.setup = &s, .question = question(&s, PKIX_REVOCATION_HARD)};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    wait_for_requests(&s, 1);
    atomic_store(&s.server.open, true);
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        assert_true(clients[i].found);
    }
    assert_int_equal(atomic_load(&s.server.requests), 1);
    end(&s);
}

/* Each list of its own, so that none waits for another's server but for a thread at most. */
static void server_that_hangs_costs_hard_one_timeout(void **state)
{
    struct setup s;
    struct pkix_crl_question q;
    const char *why;
    char other[sizeof(s.url) + 8];

    (void)state;
    begin(&s, span_of(NULL, 0), SHORT_MS);
    q = question(&s, PKIX_REVOCATION_HARD);
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "its CRL did not come in time");
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "its CRL did not come in time");
    /* On a busy machine the request may be made only now. */
    while (counted(&s, COUNTER_crl_fetch_failures_total) == 0)
        (void)poll(NULL, 0, 1);
    assert_int_equal(crl_fetch_requests(s.fetch), 1);

    /* Nor is the server asked for another list, once it has failed; its time ends with the handshake's. */
    s.asker.timeout_ms = PATIENT_MS;
    snprintf(other, sizeof(other), "%sother", s.url);
    q.urls[0] = span_of_string(other);
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "the server of its CRL did not answer a moment ago");
    assert_int_equal(crl_fetch_requests(s.fetch), 1);
    end(&s);
}

/* Who waited has gone when it comes, but it is there for those that come then. */
static void list_that_comes_slowly_comes_anyway(void **state)
{
    enum { TIMEOUT_MS = 2000, PIECES = 60, PAUSE_MS = 50 };
    struct setup s;
    struct pkix_crl_question q;
    const char *why;
    struct span answer = good_answer();

    (void)state;
    static_assert((int)PIECES * PAUSE_MS > TIMEOUT_MS, "it takes longer than the handshake waits");
    begin(&s, answer, TIMEOUT_MS);
    s.server.piece = answer.size / PIECES;
    s.server.pause_ms = PAUSE_MS;
    q = question(&s, PKIX_REVOCATION_HARD);
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "its CRL did not come in time");
    wait_until_found(&s, &q);
    assert_int_equal(crl_fetch_requests(s.fetch), 1);
    end(&s);
}

/* Whose list does not come, another's does meanwhile. */
static void server_that_hangs_holds_up_nobody_else(void **state)
{
    struct setup s;
    struct http_server other;
    struct pkix_crl_question q;
    const char *why;
    char url[64];

    (void)state;
    begin(&s, span_of(NULL, 0), PATIENT_MS);
    http_server_start(&other, good_answer());
    q = question(&s, PKIX_REVOCATION_SOFT);
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    wait_for_requests(&s, 1);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", other.port);
    q = question(&s, PKIX_REVOCATION_HARD);
    q.urls[0] = span_of_string(url);
    assert_true(finds(&s, &q, PKIX_CRL_FETCH, &why));
    end(&s); /* with a request under way that has a minute */
    http_server_stop(&other);
}

/* GHSA-pwjx-qhcg-rvj4: any distribution point may be the one that has it. */
static void all_urls_are_tried_in_order(void **state)
{
    static const char *const firsts[] = {"https://crl.example/", "ldap://crl.example/", "not found", "hangs", "nobody"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
        struct setup s;
        struct http_server first;
        struct pkix_crl_question q;
        const char *why;
        char url[64];
        bool hangs = strcmp(firsts[i], "hangs") == 0;

        begin(&s, good_answer(), hangs ? 2000 : PATIENT_MS);
        http_server_start(&first, hangs ? span_of(NULL, 0)
                                        : span_of_string("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
        if (strcmp(firsts[i], "nobody") == 0)
            http_server_stop(&first);
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/", first.port);
        q = question(&s, PKIX_REVOCATION_HARD);
        q.urls[1] = q.urls[0];
        q.urls[0] = span_of_string(i < 2 ? firsts[i] : url);
        q.url_count = 2;
        if (!finds(&s, &q, PKIX_CRL_FETCH, &why)) {
            /* On a busy machine it may come too late for who waited, half of whose time was the first one's. */
            if (!hangs || strcmp(why, "its CRL did not come in time") != 0)
                fail_msg("%s: %s", firsts[i], why);
            wait_until_found(&s, &q);
        }
        assert_int_equal(crl_fetch_requests(s.fetch), i < 2 ? 1 : 2);
        end(&s);
        if (strcmp(firsts[i], "nobody") != 0)
            http_server_stop(&first);
    }
}

/* What is not to be believed is not kept, and not asked for again at once. */
static void useless_answers_are_remembered(void **state)
{
    static const struct {
        const char *what, *why;
    } table[] = {
        {"forged", "the signature of the CRL does not verify"},
        {"of another issuer", "the CRL at its distribution point is not about it"},
        {"expired", "the CRL has expired"},
        {"garbage", "what its distribution point has is no CRL that can be used"},
        {"delta", "what its distribution point has is no CRL that can be used"},
        {"too large", "the server of its CRL gave no usable answer"},
        {"missing", "the server of its CRL gave no usable answer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what, *why;
        struct crl_spec spec = crl_of_today();
        struct pkix_crl_question q;
        struct setup s;
        struct span answer;

        if (strcmp(what, "forged") == 0)
            spec.signer = 9;
        if (strcmp(what, "of another issuer") == 0)
            spec.issuer = "root";
        if (strcmp(what, "expired") == 0)
            spec.next_update = (int64_t)time(NULL) - 1;
        if (strcmp(what, "delta") == 0)
            spec.extensions[spec.extension_count++] =
                builder_extension(OID_DELTA_CRL_INDICATOR, true, builder_integer(1));
        answer = answer_of(builder_crl(&spec));
        if (strcmp(what, "garbage") == 0)
            answer = answer_of(span_of_string("garbage"));
        if (strcmp(what, "missing") == 0)
            answer = span_of_string("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        if (strcmp(what, "too large") == 0) {
            uint8_t *zeros = base_alloc((size_t)LIMIT_CRL_BYTES_MAX + 1);

            answer = answer_of(span_of(zeros, (size_t)LIMIT_CRL_BYTES_MAX + 1));
            free(zeros);
        }
        begin(&s, answer, PATIENT_MS);
        q = question(&s, PKIX_REVOCATION_HARD);
        for (unsigned n = 0; n < 3; n++) {
            assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
            assert_string_equal(why, table[i].why);
        }
        assert_int_equal(crl_fetch_requests(s.fetch), 1);
        end(&s);
        assert_int_equal(counted(&s, COUNTER_crl_fetches_total), 1);
        assert_int_equal(counted(&s, COUNTER_crl_fetch_failures_total), 1);
    }
}

/* With no descriptor left nothing was asked, so there is nothing to remember. */
static void want_of_descriptors_is_not_remembered(void **state)
{
    struct setup s;
    struct pkix_crl_question q;
    struct rlimit before, none;
    const char *why;
    int lowest;

    (void)state;
    begin(&s, good_answer(), PATIENT_MS);
    q = question(&s, PKIX_REVOCATION_HARD);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    lowest = dup(STDIN_FILENO);
    assert_true(lowest >= 0);
    close(lowest);
    none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(why, "too much is being fetched to ask for its CRL now");
    assert_true(finds(&s, &q, PKIX_CRL_FETCH, &why));
    end(&s);
}

static void private_addresses_are_denied(void **state)
{
    struct setup s;
    struct pkix_crl_question q;
    const char *why;

    (void)state;
    begin(&s, good_answer(), PATIENT_MS);
    q = question(&s, PKIX_REVOCATION_HARD);
    s.asker.reach = HTTP_FETCH_PUBLIC_ONLY;
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "the server of its CRL is at an address that is not public");
    assert_int_equal(atomic_load(&s.server.requests), 0);
    s.asker.reach = HTTP_FETCH_ANYWHERE; /* what the one may not, another may */
    assert_true(finds(&s, &q, PKIX_CRL_FETCH, &why));
    s.asker.reach = HTTP_FETCH_PUBLIC_ONLY;
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    end(&s);
}

static void url_that_cannot_be_fetched_is_told(void **state)
{
    struct setup s;
    struct pkix_crl_question q;
    const char *why;

    (void)state;
    begin(&s, good_answer(), PATIENT_MS);
    q = question(&s, PKIX_REVOCATION_HARD);
    q.urls[0] = span_of_string("https://crl.example/");
    assert_false(finds(&s, &q, PKIX_CRL_FETCH, &why));
    assert_string_equal(why, "it names no CRL that can be fetched");
    assert_int_equal(crl_fetch_requests(s.fetch), 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_goes_on_and_finds_it_later),
        cmocka_unit_test(loop_is_never_kept_waiting),
        cmocka_unit_test(hard_waits_and_many_share_one_request),
        cmocka_unit_test(server_that_hangs_costs_hard_one_timeout),
        cmocka_unit_test(list_that_comes_slowly_comes_anyway),
        cmocka_unit_test(server_that_hangs_holds_up_nobody_else),
        cmocka_unit_test(all_urls_are_tried_in_order),
        cmocka_unit_test(useless_answers_are_remembered),
        cmocka_unit_test(want_of_descriptors_is_not_remembered),
        cmocka_unit_test(private_addresses_are_denied),
        cmocka_unit_test(url_that_cannot_be_fetched_is_told),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
