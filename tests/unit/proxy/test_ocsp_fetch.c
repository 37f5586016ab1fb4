/* Asking OCSP responders: what is remembered, who waits for whom, and that each responder that hangs costs little. */
#include "http_server.h"
#include "proxy/process/limits.h"
#include "proxy/fetch/ocsp_fetch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PATIENT_MS = 20000, SHORT_MS = 50, NOW = 1000000, DAY = 86400 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nresponse";

struct setup {
    struct http_server server;
    struct ocsp_fetch *fetch;
    struct ocsp_asker asker;
    struct pkix_evidence_source source;
    char url[64];
};

static void begin(struct setup *s, const char *text, uint32_t timeout_ms)
{
    http_server_start(&s->server, span_of_string(text));
    s->fetch = ocsp_fetch_create();
    s->asker = (struct ocsp_asker){.fetch = s->fetch, .timeout_ms = timeout_ms, .reach = HTTP_FETCH_ANYWHERE};
    s->source = ocsp_fetch_source(&s->asker);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/", s->server.port);
}

static void end(struct setup *s)
{
    ocsp_fetch_destroy(&s->fetch);
    http_server_stop(&s->server);
}

static struct pkix_evidence_question question(const struct setup *s, uint8_t number)
{
    struct pkix_evidence_question q = {.ocsp_url = span_of_string(s->url),
                                       .ocsp_request = span_of_string("request"),
                                       .time = NOW,
                                       .revocation = PKIX_REVOCATION_SOFT};

    q.key[0] = number;
    return q;
}

static void settle(const struct setup *s, const struct pkix_evidence_question *q, enum pkix_error error)
{
    const struct pkix_statement statement = {.error = error, .this_update = NOW, .valid_until = NOW + DAY};

    s->source.settle(s->source.ctx, q, &statement);
}

static enum pkix_evidence_kind ask(const struct setup *s, const struct pkix_evidence_question *q,
                                   struct pkix_evidence *e)
{
    s->source.ask(s->source.ctx, q, e);
    if (e->kind == PKIX_EVIDENCE_RESPONSE) {
        assert_true(span_equal(span_of(e->response, e->response_size), span_of_string("response")));
        free(e->response);
    }
    return e->kind;
}

static void answers_are_fetched_once_and_remembered(void **state)
{
    static const enum pkix_error statements[] = {PKIX_OK, PKIX_REVOKED, PKIX_OCSP_UNKNOWN_CERT};
    struct setup s;
    struct pkix_evidence e;

    (void)state;
    begin(&s, answer, PATIENT_MS);
    for (unsigned i = 0; i < ARRAY_LEN(statements); i++) {
        struct pkix_evidence_question q = question(&s, (uint8_t)i);

        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_RESPONSE);
        settle(&s, &q, statements[i]);
        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_STATEMENT);
        assert_int_equal(e.statement.error, statements[i]);
        q.waiting = PKIX_MUST_NOT_WAIT;
        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_STATEMENT);
    }
    assert_int_equal(ocsp_fetch_requests(s.fetch), ARRAY_LEN(statements));
    assert_int_equal(atomic_load(&s.server.requests), ARRAY_LEN(statements));
    end(&s);
}

/* A response that pkix/ has no use for is not asked for again; what a limit kept from being judged is. */
static void useless_answers_are_remembered(void **state)
{
    struct setup s;
    struct pkix_evidence e;
    struct pkix_evidence_question q;

    (void)state;
    begin(&s, answer, PATIENT_MS);
    q = question(&s, 1);
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_RESPONSE);
    settle(&s, &q, PKIX_LIMIT_EXCEEDED);
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_RESPONSE);
    settle(&s, &q, PKIX_OCSP_OLD);
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    assert_string_equal(e.why, pkix_error_sentence(PKIX_OCSP_OLD));
    q.waiting = PKIX_MUST_NOT_WAIT;
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    assert_int_equal(ocsp_fetch_requests(s.fetch), 2);
    end(&s);

    begin(&s, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", PATIENT_MS);
    q = question(&s, 1);
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    assert_string_equal(e.why, "its OCSP responder gave no usable answer");
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    assert_int_equal(ocsp_fetch_requests(s.fetch), 1);
    end(&s);
}

/* One timeout for all certificates of a responder, but the others' responders are none the worse. */
static void responder_that_hangs_is_asked_once(void **state)
{
    struct setup s;
    struct http_server other;
    struct pkix_evidence e;
    struct pkix_evidence_question q;
    char url[64];

    (void)state;
    begin(&s, "", SHORT_MS);
    for (uint8_t i = 0; i < 5; i++) {
        q = question(&s, i);
        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
        assert_string_equal(e.why, i == 0 ? "its OCSP responder did not answer in time"
                                          : "its OCSP responder did not answer a moment ago");
    }
    q.revocation = PKIX_REVOCATION_HARD;
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    assert_int_equal(ocsp_fetch_requests(s.fetch), 1);

    http_server_start(&other, span_of_string(answer));
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", other.port);
    s.asker.timeout_ms = PATIENT_MS;
    q = question(&s, 9);
    q.ocsp_url = span_of_string(url);
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_RESPONSE);
    settle(&s, &q, PKIX_OK);
    http_server_stop(&other);
    end(&s);
}

static void loop_is_never_kept_waiting(void **state)
{
    struct setup s;
    struct pkix_evidence e;
    struct pkix_evidence_question q;

    (void)state;
    begin(&s, answer, PATIENT_MS);
    q = question(&s, 1);
    q.waiting = PKIX_MUST_NOT_WAIT;
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NOT_NOW);
    assert_int_equal(ocsp_fetch_requests(s.fetch), 0);
    end(&s);
}

static void odd_questions_have_no_answer(void **state)
{
    static const char *const urls[] = {"", "https://ocsp.example/", "ldap://ocsp.example/", "http://u@ocsp.example/"};
    struct setup s;
    struct pkix_evidence e;

    (void)state;
    begin(&s, answer, PATIENT_MS);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct pkix_evidence_question q = question(&s, 1);

        q.ocsp_url = span_of_string(urls[i]);
        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    }
    {
        struct pkix_evidence_question q = question(&s, 1);

        q.ocsp_request = span_of(NULL, 0);
        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    }
    s.asker.reach = HTTP_FETCH_PUBLIC_ONLY;
    {
        struct pkix_evidence_question q = question(&s, 1);

        assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
        assert_string_equal(e.why, "its OCSP responder is at an address that is not public");
    }
    assert_int_equal(atomic_load(&s.server.requests), 0);
    end(&s);
}

/* ---- threads ---- */

struct client {
    const struct setup *setup;
    uint8_t number;
    enum pkix_revocation revocation;
    pthread_t thread;
    struct pkix_evidence evidence;
};

static void *run_client(void *arg)
{
    struct client *c = arg;
    struct pkix_evidence_question q = question(c->setup, c->number);

    q.revocation = c->revocation;
    c->setup->source.ask(c->setup->source.ctx, &q, &c->evidence);
    if (c->evidence.kind == PKIX_EVIDENCE_RESPONSE) {
        free(c->evidence.response);
        settle(c->setup, &q, PKIX_OK);
    }
    return NULL;
}

static void start_client(struct client *c, const struct setup *s, uint8_t number, enum pkix_revocation revocation)
{
    *c = (struct client){.setup = s, .number = number, .revocation = revocation};
    assert_int_equal(pthread_create(&c->thread, NULL, run_client, c), 0);
}

static void wait_for_requests(const struct setup *s, uint64_t count)
{
    while (ocsp_fetch_requests(s->fetch) < count)
        (void)poll(NULL, 0, 1);
}

static void same_question_is_asked_once_by_many(void **state)
{
    enum { CLIENTS = 16 };
    struct client clients[CLIENTS];
    struct setup s;
    unsigned fetched = 0;

    (void)state;
    begin(&s, answer, PATIENT_MS);
    atomic_store(&s.server.open, false);
    for (size_t i = 0; i < CLIENTS; i++)
        start_client(&clients[i], &s, 7, i % 2 == 0 ? PKIX_REVOCATION_SOFT : PKIX_REVOCATION_HARD);
    wait_for_requests(&s, 1);
    atomic_store(&s.server.open, true);
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        if (clients[i].evidence.kind == PKIX_EVIDENCE_RESPONSE) {
            fetched++;
        } else {
            assert_int_equal(clients[i].evidence.kind, PKIX_EVIDENCE_STATEMENT);
            assert_int_equal(clients[i].evidence.statement.error, PKIX_OK);
        }
    }
    assert_int_equal(fetched, 1);
    assert_int_equal(ocsp_fetch_requests(s.fetch), 1);
    end(&s);
}

/* So many at a time: with soft the next goes on without an answer, with hard it waits for its turn. */
static void busy_responder_is_spared(void **state)
{
    struct client clients[LIMIT_OCSP_FETCHES_PER_RESPONDER], patient;
    struct setup s;
    struct pkix_evidence e;
    struct pkix_evidence_question q;

    (void)state;
    begin(&s, answer, PATIENT_MS);
    atomic_store(&s.server.open, false);
    for (unsigned i = 0; i < LIMIT_OCSP_FETCHES_PER_RESPONDER; i++)
        start_client(&clients[i], &s, (uint8_t)i, PKIX_REVOCATION_SOFT);
    wait_for_requests(&s, LIMIT_OCSP_FETCHES_PER_RESPONDER);
    q = question(&s, 100);
    assert_int_equal(ask(&s, &q, &e), PKIX_EVIDENCE_NONE);
    assert_string_equal(e.why, "its OCSP responder is busy");
    start_client(&patient, &s, 101, PKIX_REVOCATION_HARD);
    atomic_store(&s.server.open, true);
    for (size_t i = 0; i < LIMIT_OCSP_FETCHES_PER_RESPONDER; i++)
        pthread_join(clients[i].thread, NULL);
    pthread_join(patient.thread, NULL);
    assert_int_equal(patient.evidence.kind, PKIX_EVIDENCE_RESPONSE);
    assert_int_equal(ocsp_fetch_requests(s.fetch), LIMIT_OCSP_FETCHES_PER_RESPONDER + 1);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_fetched_once_and_remembered),
        cmocka_unit_test(useless_answers_are_remembered),
        cmocka_unit_test(responder_that_hangs_is_asked_once),
        cmocka_unit_test(loop_is_never_kept_waiting),
        cmocka_unit_test(odd_questions_have_no_answer),
        cmocka_unit_test(same_question_is_asked_once_by_many),
        cmocka_unit_test(busy_responder_is_spared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
