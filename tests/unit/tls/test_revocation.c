/* tls/peer_verify.c, tls/client_hooks.c, tls/engine_flows.c: how an engine asks for revocation, and when it may wait.
 */
#include "tls/identity_internal.h"
#include "tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* A source of evidence that says what it is told to, and how it was asked. */
struct source {
    struct pkix_evidence_source calls;
    struct pkix_evidence answer;
    unsigned asked_waiting, asked_at_once;
};

static void ask(void *ctx, const struct pkix_evidence_question *question, struct pkix_evidence *evidence)
{
    struct source *s = ctx;

    if (question->waiting == PKIX_MAY_WAIT)
        s->asked_waiting++;
    else
        s->asked_at_once++;
    *evidence = s->answer;
}

static void settle(void *ctx, const struct pkix_evidence_question *question, const struct pkix_statement *statement)
{
    (void)ctx;
    (void)question;
    (void)statement;
    fail_msg("nothing was fetched");
}

static struct source source_that(enum pkix_evidence_kind kind, enum pkix_error error)
{
    return (struct source){.calls = {.ask = ask, .settle = settle}, .answer = {.kind = kind, .statement.error = error}};
}

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *server, *client;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->server = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->client = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->server);
    tls_identity_destroy(&f->client);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

static struct tls_context *server_of(struct fixture *f)
{
    return test_server(
        &(struct tls_server_options){.identities = &f->server, .identity_count = 1, .version_min = 0x0303});
}

static struct tls_context *client_of(const struct fixture *f, struct source *source, enum pkix_revocation mode)
{
    source->calls.ctx = source;
    return test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .revocation = {.mode = mode, .evidence = &source->calls}});
}

enum outcome { REFUSED, FULL, RESUMED };

static enum outcome connect_once(const struct tls_context *client, const struct tls_context *server)
{
    struct test_pair p;
    enum outcome outcome = REFUSED;

    test_pair_init(&p, client, "a.example.org", "key", server);
    test_pair_run(&p);
    if (tls_engine_handshake_done(p.client) && tls_engine_handshake_done(p.server)) {
        test_pair_send(&p, p.client, p.server, span_of_string("x"));
        test_pair_send(&p, p.server, p.client, span_of_string("y"));
        outcome = tls_engine_session(p.client).resumed ? RESUMED : FULL;
        test_pair_close(&p);
    }
    test_pair_clear(&p);
    return outcome;
}

static void server_is_asked_about(void **state)
{
    static const struct {
        enum pkix_evidence_kind kind;
        enum pkix_error error;
        enum pkix_revocation mode;
        enum outcome want;
    } cases[] = {
        {PKIX_EVIDENCE_STATEMENT, PKIX_OK, PKIX_REVOCATION_HARD, FULL},
        {PKIX_EVIDENCE_STATEMENT, PKIX_REVOKED, PKIX_REVOCATION_SOFT, REFUSED},
        {PKIX_EVIDENCE_NONE, PKIX_OK, PKIX_REVOCATION_SOFT, FULL},
        {PKIX_EVIDENCE_NONE, PKIX_OK, PKIX_REVOCATION_HARD, REFUSED},
        {PKIX_EVIDENCE_STATEMENT, PKIX_REVOKED, PKIX_REVOCATION_OFF, FULL},
    };
    struct fixture *f = *state;
    struct tls_context *server = server_of(f);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source source = source_that(cases[i].kind, cases[i].error);
        struct tls_context *client = client_of(f, &source, cases[i].mode);

        assert_int_equal(connect_once(client, server), cases[i].want);
        assert_int_equal(source.asked_waiting, cases[i].mode == PKIX_REVOCATION_OFF ? 0 : 1);
        assert_int_equal(source.asked_at_once, 0);
        tls_context_destroy(&client);
    }
    tls_context_destroy(&server);
}

/* Before a session is offered its certificate is looked at again, without waiting. */
static void session_is_not_resumed_after_revocation(void **state)
{
    struct fixture *f = *state;
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct tls_context *server = server_of(f), *client = client_of(f, &source, PKIX_REVOCATION_SOFT);

    assert_int_equal(connect_once(client, server), FULL);
    assert_int_equal(connect_once(client, server), RESUMED);
    assert_int_equal(source.asked_waiting, 1);
    assert_int_equal(source.asked_at_once, 1);
    source.answer.statement.error = PKIX_REVOKED;
    assert_int_equal(connect_once(client, server), REFUSED);
    assert_int_equal(source.asked_waiting, 2);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

/* What can only be learnt by waiting is learnt in a full handshake. */
static void session_is_not_offered_when_it_would_take_waiting(void **state)
{
    struct fixture *f = *state;
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct tls_context *server = server_of(f), *client = client_of(f, &source, PKIX_REVOCATION_SOFT);

    assert_int_equal(connect_once(client, server), FULL);
    source.answer.kind = PKIX_EVIDENCE_NOT_NOW;
    assert_int_equal(connect_once(client, server), REFUSED); /* this source has nothing else to say then either */
    assert_true(source.asked_at_once >= 1);
    assert_int_equal(source.asked_waiting, 2);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

static void has_received_something(struct tls_engine *engine)
{
    size_t size;
    uint8_t *space = tls_engine_records_reserve(engine, &size);

    space[0] = 22;
    tls_engine_records_commit(engine, 1);
}

/* A step may take long only where the peer's certificate may be read in it, and never once the verdict is there. */
static void only_the_step_that_reads_the_certificate_may_verify(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(f),
                       *client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store}),
                       *careless =
                           test_client(&(struct tls_client_options){.version_min = 0x0303, .insecure_no_verify = true});
    struct tls_engine *one = tls_engine_create(client, "a.example.org", NULL),
                      *other = tls_engine_create(careless, "a.example.org", NULL);
    struct test_pair p;

    assert_false(tls_engine_may_verify(one)); /* its ClientHello */
    assert_int_equal(tls_engine_step(one), TLS_OK);
    has_received_something(one);
    assert_true(tls_engine_may_verify(one) && tls_engine_may_block(one));
    assert_int_equal(tls_engine_step(other), TLS_OK);
    has_received_something(other);
    assert_false(tls_engine_may_verify(other) || tls_engine_may_block(other));
    tls_engine_destroy(&one);
    tls_engine_destroy(&other);

    test_pair_init(&p, client, "a.example.org", "key", server);
    test_pair_handshake(&p);
    assert_false(tls_engine_may_verify(p.client) || tls_engine_may_block(p.client));
    assert_false(tls_engine_may_verify(p.server) || tls_engine_may_block(p.server));
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&careless);
    tls_context_destroy(&server);
}

static void client_is_asked_about(void **state)
{
    struct fixture *f = *state;
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct tls_context *server, *client;

    source.calls.ctx = &source;
    server = test_server(&(struct tls_server_options){
        .identities = &f->server,
        .identity_count = 1,
        .version_min = 0x0303,
        .peer = TLS_PEER_REQUIRE,
        .trust = f->store,
        .revocation = {.mode = PKIX_REVOCATION_HARD, .evidence = &source.calls},
    });
    client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .identities = &f->client, .identity_count = 1});
    assert_int_equal(connect_once(client, server), FULL);
    assert_int_equal(source.asked_waiting, 1);
    source.answer.statement.error = PKIX_REVOKED;
    assert_int_equal(connect_once(client, server), REFUSED);
    assert_int_equal(source.asked_waiting, 2);
    assert_int_equal(source.asked_at_once, 0);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

enum { ALERT_CERTIFICATE_REVOKED = 44, ALERT_CERTIFICATE_UNKNOWN = 46, ALERT_INTERNAL_ERROR = 80 };

static void unknown_status_is_told_as_certificate_unknown(void **state)
{
    static const struct {
        enum pkix_error error;
        int alert;
    } cases[] = {{PKIX_OCSP_OLD, ALERT_CERTIFICATE_UNKNOWN},
                 {PKIX_OCSP_TRY_LATER, ALERT_CERTIFICATE_UNKNOWN},
                 {PKIX_REVOKED, ALERT_CERTIFICATE_REVOKED}};
    struct fixture *f = *state;
    struct tls_context *server = server_of(f);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source source = source_that(PKIX_EVIDENCE_STATEMENT, cases[i].error);
        struct tls_context *client = client_of(f, &source, PKIX_REVOCATION_HARD);
        struct test_pair p;

        test_pair_init(&p, client, "a.example.org", "key", server);
        test_pair_run(&p);
        assert_int_equal(tls_engine_alert_sent(p.client), cases[i].alert);
        assert_int_equal(tls_engine_alert_received(p.server), cases[i].alert);
        test_pair_clear(&p);
        tls_context_destroy(&client);
    }
    tls_context_destroy(&server);
}

/* Runs a handshake whose blocking steps are given up: the side that gives up says so, with that alert. */
static void expect_give_up(const struct tls_context *client, const struct tls_context *server,
                           enum tls_status of_client, int alert)
{
    struct test_pair p;
    struct tls_engine *who, *other;
    size_t taken;
    uint8_t byte;

    test_pair_init(&p, client, "a.example.org", "key", server);
    p.gives_up = true;
    test_pair_run(&p);
    who = of_client == TLS_FAILED ? p.client : p.server;
    other = who == p.client ? p.server : p.client;
    assert_string_equal(tls_engine_error_name(who), "given_up");
    assert_int_equal(tls_engine_alert_sent(who), alert);
    if (tls_engine_handshake_done(other)) /* a TLS 1.3 client is done before the server has judged it */
        assert_int_equal(tls_engine_take_plaintext(other, &byte, 1, &taken), TLS_FAILED);
    assert_int_equal(tls_engine_alert_received(other), alert);
    test_pair_clear(&p);
}

static void giving_up_is_told_with_an_alert(void **state)
{
    struct fixture *f = *state;
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);

    source.calls.ctx = &source;
    for (unsigned version = 0x0303; version <= 0x0304; version++) {
        const struct tls_server_options plain_options = {
            .identities = &f->server, .identity_count = 1, .version_min = version};
        const struct tls_server_options asking_options = {
            .identities = &f->server,
            .identity_count = 1,
            .version_min = version,
            .peer = TLS_PEER_REQUIRE,
            .trust = f->store,
            .revocation = {.mode = PKIX_REVOCATION_HARD, .evidence = &source.calls}};
        struct tls_context *plain = test_server(&plain_options), *asking = test_server(&asking_options);
        struct tls_context *client = client_of(f, &source, PKIX_REVOCATION_HARD);
        struct tls_context *known = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .insecure_no_verify = true, .identities = &f->client, .identity_count = 1});
        struct tls_context *token; /* `known` has nothing to verify, and so nothing to give up */

        expect_give_up(client, plain, TLS_FAILED, ALERT_CERTIFICATE_UNKNOWN);
        expect_give_up(known, asking, TLS_OK, ALERT_CERTIFICATE_UNKNOWN);
        f->server->may_block = true;
        token = test_server(&plain_options);
        f->server->may_block = false;
        expect_give_up(known, token, TLS_OK, ALERT_INTERNAL_ERROR);
        tls_context_destroy(&token);
        tls_context_destroy(&known);
        tls_context_destroy(&client);
        tls_context_destroy(&asking);
        tls_context_destroy(&plain);
    }
    assert_int_equal(source.asked_waiting, 0);
}

/* A server with peer = request that is shown no certificate needs no source: what is given up can still succeed. */
static void giving_up_what_needs_no_waiting_goes_on(void **state)
{
    struct fixture *f = *state;
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct tls_context *server,
        *client = test_client(&(struct tls_client_options){.version_min = 0x0303, .insecure_no_verify = true});
    struct test_pair p;

    source.calls.ctx = &source;
    server = test_server(
        &(struct tls_server_options){.identities = &f->server,
                                     .identity_count = 1,
                                     .version_min = 0x0304,
                                     .peer = TLS_PEER_REQUEST,
                                     .trust = f->store,
                                     .revocation = {.mode = PKIX_REVOCATION_HARD, .evidence = &source.calls}});
    test_pair_init(&p, client, "a.example.org", "key", server);
    p.gives_up = true;
    test_pair_run(&p);
    assert_true(tls_engine_handshake_done(p.server));
    assert_string_equal(tls_engine_error_name(p.server), "");
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_is_asked_about),
        cmocka_unit_test(session_is_not_resumed_after_revocation),
        cmocka_unit_test(session_is_not_offered_when_it_would_take_waiting),
        cmocka_unit_test(only_the_step_that_reads_the_certificate_may_verify),
        cmocka_unit_test(client_is_asked_about),
        cmocka_unit_test(unknown_status_is_told_as_certificate_unknown),
        cmocka_unit_test(giving_up_is_told_with_an_alert),
        cmocka_unit_test(giving_up_what_needs_no_waiting_goes_on),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
