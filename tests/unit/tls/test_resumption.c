/* tls/server_hooks.c, tls/client_hooks.c, tls/sessions.c: who may resume what, where, and for how long. */
#include "tls_pair.h"
#include "tls_raw.h"

#include "tls/engine_internal.h"
#include "tls/sessions.h"

#include <pk11pub.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *ec, *rsa, *ec12, *rsa12, *wild;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_SHARED);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->ec = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org", "b.example.org"}});
    f->rsa = test_certs_identity(
        f->certs,
        &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA, .issuer = TEST_ISSUER_INTERMEDIATE});
    f->ec12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->ec12->version_max = 0x0303;
    f->rsa12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->rsa12->version_max = 0x0303;
    f->wild = test_certs_identity(f->certs, &(struct test_leaf){.names = {"*.example.org"}});
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->ec);
    tls_identity_destroy(&f->rsa);
    tls_identity_destroy(&f->ec12);
    tls_identity_destroy(&f->rsa12);
    tls_identity_destroy(&f->wild);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

static struct tls_context *server_of(struct tls_identity *const *identity, const char *service)
{
    return test_server(&(struct tls_server_options){
        .identities = identity, .identity_count = 1, .version_min = 0x0303, .session_id_context = service});
}

static struct tls_context *client_of(const struct fixture *f)
{
    return test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
}

/* One connection, with a byte each way so that tickets arrive; whether both sides say it was resumed. */
static bool connect_once(const struct tls_context *client, const struct tls_context *server, const char *name,
                         const char *key)
{
    struct test_pair p;
    bool resumed;

    test_pair_init(&p, client, name, key, server);
    test_pair_handshake(&p);
    test_pair_send(&p, p.client, p.server, span_of_string("x"));
    test_pair_send(&p, p.server, p.client, span_of_string("y"));
    resumed = tls_engine_session(p.client).resumed;
    assert_int_equal(tls_engine_session(p.server).resumed, resumed);
    assert_true(
        span_equal(tls_engine_session(p.client).peer_cert, tls_identity_leaf(tls_engine_session(p.server).identity)));
    assert_string_equal(tls_engine_session(p.server).server_name, name);
    test_pair_close(&p);
    test_pair_clear(&p);
    return resumed;
}

static void resume_tls13(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *identities[] = {f->ec, f->rsa};

    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        struct tls_context *server = server_of(&identities[i], "one"), *client = client_of(f);

        assert_false(connect_once(client, server, "a.example.org", "key"));
        for (int n = 0; n < 3; n++)
            assert_true(connect_once(client, server, "a.example.org", "key"));
        assert_false(connect_once(client, server, "a.example.org", "another key"));
        assert_false(connect_once(client, server, "a.example.org", NULL));
        tls_context_destroy(&client);
        tls_context_destroy(&server);
    }
}

static size_t count_records(const struct tls_engine *e)
{
    struct tls_record_reader reader = {0};
    struct span records = tls_engine_records(e);
    size_t count = 0;

    while (tls_record_reader_next(&reader, &records))
        count++;
    return count;
}

enum company { COMPANY_DATA, COMPANY_CLOSE, COMPANY_NONE, COMPANY_TRIM };

/* Nothing has come, so that the engine may leave NSS's socket. */
static void trim_server(struct test_pair *p)
{
    uint8_t byte;
    size_t n;

    assert_int_equal(tls_engine_take_plaintext(p->server, &byte, 1, &n), TLS_OK);
    tls_engine_trim(p->server);
    assert_true(tls_engine_session(p->server).socket_released);
}

/* What goes out with the first words of a server; whether the client can resume then. */
static bool ticket_comes_with(const struct tls_context *client, const struct tls_context *server, enum company company,
                              size_t records)
{
    struct test_pair p;
    bool resumed;
    uint8_t byte;
    size_t n;

    test_pair_init(&p, client, "a.example.org", "key", server);
    test_pair_handshake(&p);
    assert_false((tls_engine_wants(p.server) & TLS_HAS_RECORDS) != 0);
    if (company == COMPANY_DATA)
        assert_int_equal(tls_engine_put_plaintext(p.server, span_of_string("y"), &n), TLS_OK);
    else if (company == COMPANY_CLOSE)
        tls_engine_close(p.server);
    else if (company == COMPANY_NONE)
        tls_engine_send_ticket(p.server);
    else
        trim_server(&p);
    tls_engine_send_ticket(p.server); /* there is one for each connection */
    assert_int_equal(count_records(p.server), records);
    test_pair_run(&p);
    (void)!tls_engine_take_plaintext(p.client, &byte, 1, &n);
    if (company == COMPANY_NONE || company == COMPANY_TRIM)
        test_pair_send(&p, p.server, p.client, span_of_string("y"));
    test_pair_clear(&p);

    test_pair_init(&p, client, "a.example.org", "key", server);
    test_pair_handshake(&p);
    trim_server(&p); /* no other ticket */
    tls_engine_close(p.client);
    test_pair_run(&p);
    resumed = tls_engine_session(p.client).resumed;
    test_pair_clear(&p);
    return resumed;
}

static void ticket_waits_for_company(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->ec, "one"), *client = client_of(f);

    assert_true(ticket_comes_with(client, server, COMPANY_DATA, 2));
    assert_true(ticket_comes_with(client, server, COMPANY_CLOSE, 2));
    assert_true(ticket_comes_with(client, server, COMPANY_NONE, 1));
    assert_false(ticket_comes_with(client, server, COMPANY_TRIM, 0));
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

/* The peer of a resumed session is what it was found to be before the session was offered. */
static void resumed_sessions_tell_of_extended_validation(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *identity = test_certs_identity(
        f->certs, &(struct test_leaf){.names = {"a.example.org"}, .issuer = TEST_ISSUER_ROOT, .has_policy = true});
    struct tls_context *server = server_of(&identity, "one"), *client;
    struct pkix_ev_root pair = {.policy = {0x67, 0x81, 0x0c, 1, 1}, .policy_size = 5};
    struct span root = test_certs_root(f->certs);

    assert_int_equal(PK11_HashBuf(SEC_OID_SHA256, pair.root_sha256, root.data, (int)root.size), SECSuccess);
    client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .policy = {.ev_roots = &pair, .ev_root_count = 1}});
    for (int n = 0; n < 3; n++) {
        struct test_pair p;

        test_pair_init(&p, client, "a.example.org", "key", server);
        test_pair_handshake(&p);
        test_pair_send(&p, p.client, p.server, span_of_string("x"));
        test_pair_send(&p, p.server, p.client, span_of_string("y"));
        assert_int_equal(tls_engine_session(p.client).resumed, n > 0);
        assert_string_equal(tls_engine_session(p.client).peer_ev_policy, "2.23.140.1.1");
        assert_string_equal(tls_engine_session(p.server).peer_ev_policy, "");
        test_pair_close(&p);
        test_pair_clear(&p);
    }
    tls_context_destroy(&client);
    tls_context_destroy(&server);
    tls_identity_destroy(&identity);
}

/* Client contexts do not share sessions. */
static void client_contexts_are_apart(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->ec, "one"), *first = client_of(f), *second = client_of(f);

    assert_false(connect_once(first, server, "a.example.org", "key"));
    assert_false(connect_once(second, server, "a.example.org", "key"));
    assert_true(connect_once(first, server, "a.example.org", "key"));
    tls_context_destroy(&first);
    tls_context_destroy(&second);
    tls_context_destroy(&server);
}

/* A ticket of one service, offered to another, gets a full handshake there, and is good at home afterwards. */
static void foreign_ticket_gets_full_handshake(void **state)
{
    struct fixture *f = *state;
    struct tls_context *one = server_of(&f->ec, "one"), *two = server_of(&f->ec, "two");
    struct tls_context *again = server_of(&f->ec, "one"); /* as in another worker, or after a reload */
    struct tls_context *client = client_of(f);

    assert_false(connect_once(client, one, "a.example.org", "key"));
    assert_true(connect_once(client, again, "a.example.org", "key"));
    assert_false(connect_once(client, two, "a.example.org", "key"));
    assert_true(connect_once(client, two, "a.example.org", "key"));
    assert_false(connect_once(client, one, "a.example.org", "key"));
    tls_context_destroy(&client);
    tls_context_destroy(&one);
    tls_context_destroy(&two);
    tls_context_destroy(&again);
}

/* In pieces: the ClientHello is whole again when the engine starts over. */
static void foreign_ticket_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct tls_context *one = server_of(&f->ec, "one"), *two = server_of(&f->ec, "two"), *client = client_of(f);
    struct test_pair p;

    assert_false(connect_once(client, one, "a.example.org", "key"));
    test_pair_init(&p, client, "a.example.org", "key", two);
    p.piece_max = 10;
    test_pair_handshake(&p);
    assert_false(tls_engine_session(p.server).resumed);
    assert_int_equal(tls_engine_alert_sent(p.server), -1);
    test_pair_send(&p, p.client, p.server, span_of_string("x"));
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&one);
    tls_context_destroy(&two);
}

/* A service that asks for client certificates resumes nothing, and takes no ticket of a service that asks for none. */
static void client_auth_never_resumes(void **state)
{
    static const enum tls_peer peers[] = {TLS_PEER_REQUEST, TLS_PEER_REQUIRE};
    struct fixture *f = *state;
    struct tls_identity *identity = test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT});
    struct tls_context *open = server_of(&f->ec, "one");

    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        struct tls_context *closed = test_server(&(struct tls_server_options){.identities = &f->ec,
                                                                              .identity_count = 1,
                                                                              .version_min = 0x0303,
                                                                              .session_id_context = "one",
                                                                              .peer = peers[i],
                                                                              .trust = f->store});
        struct tls_context *client = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .trust = f->store, .identities = &identity, .identity_count = 1});

        assert_false(connect_once(client, open, "a.example.org", "key"));
        assert_false(connect_once(client, closed, "a.example.org", "key"));
        assert_false(connect_once(client, closed, "a.example.org", "key"));
        tls_context_destroy(&client);
        tls_context_destroy(&closed);
    }
    tls_context_destroy(&open);
    tls_identity_destroy(&identity);
}

/* A session that began under one name is not resumed under another: NSS alone would end the handshake. Clients do not
 * do this, so the name is changed in the session that ours keeps. */
static void other_name_gets_full_handshake(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->wild, "one"), *client = client_of(f);
    struct tls_session session = {0};
    uint8_t *name;

    assert_false(connect_once(client, server, "a.example.org", "key"));
    assert_true(tls_sessions_take(client->sessions, "key a.example.org", &session));
    name = memmem(session.token, session.token_size, "a.example.org", 13);
    assert_non_null(name);
    *name = 'b';
    tls_sessions_put(client->sessions, "key b.example.org", &session);
    assert_false(connect_once(client, server, "b.example.org", "key"));
    assert_false(tls_sessions_take(client->sessions, "key a.example.org", &session));
    assert_true(connect_once(client, server, "b.example.org", "key"));
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

/* NSS does not show the token of a ticket in the second ClientHello, after a HelloRetryRequest: no ticket is taken
 * then, be it ours or not, and the handshake is a full one. */
static void no_ticket_after_hello_retry(void **state)
{
    static const SSLNamedGroup retry[] = {ssl_grp_ffdhe_2048, ssl_grp_ec_curve25519};
    static const SSLNamedGroup direct[] = {ssl_grp_ec_curve25519};
    struct fixture *f = *state;
    struct tls_context *one = server_of(&f->ec, "one"), *two = server_of(&f->ec, "two");
    const struct {
        const struct tls_context *server;
        bool retry, resumed;
    } steps[] = {{one, true, false}, {one, false, true}, {one, true, false}, {two, true, false}, {two, false, true}};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct tls_engine *e = tls_engine_create(steps[i].server, NULL, NULL);
        struct test_raw raw;
        char data[8];

        test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0304);
        assert_int_equal(SSL_NamedGroupConfig(raw.fd, steps[i].retry ? retry : direct, steps[i].retry ? 2 : 1),
                         SECSuccess);
        assert_int_equal(SSL_SetURL(raw.fd, "a.example.org"), SECSuccess);
        assert_int_equal(SSL_SetSockPeerID(raw.fd, "retry"), SECSuccess);
        assert_true(test_raw_handshake(&raw, e));
        tls_engine_send_ticket(e);
        test_raw_move(&raw, e);
        (void)test_raw_read(&raw, data, sizeof(data)); /* the ticket */
        if (tls_engine_session(e).resumed != steps[i].resumed)
            fail_msg("step %zu: resumed %d", i, tls_engine_session(e).resumed);
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
    }
    SSL_ClearSessionCache();
    tls_context_destroy(&one);
    tls_context_destroy(&two);
}

/* TLS 1.2: by session id, from the shared cache, and by service. */
static void resume_tls12_from_shared_cache(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *identities[] = {f->ec12, f->rsa12};

    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        struct tls_context *one = server_of(&identities[i], "one"), *two = server_of(&identities[i], "two");
        const struct {
            const struct tls_context *server;
            bool resumed;
        } steps[] = {{one, false}, {one, true}, {one, true}, {two, false}, {two, true}, {one, false}};

        for (size_t n = 0; n < ARRAY_LEN(steps); n++) {
            struct tls_engine *e = tls_engine_create(steps[n].server, NULL, NULL);
            struct test_raw raw;

            test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0303);
            assert_int_equal(SSL_SetURL(raw.fd, "a.example.org"), SECSuccess);
            assert_int_equal(SSL_SetSockPeerID(raw.fd, i == 0 ? "ec" : "rsa"), SECSuccess);
            assert_true(test_raw_handshake(&raw, e));
            if (tls_engine_session(e).resumed != steps[n].resumed)
                fail_msg("identity %zu step %zu: resumed %d", i, n, tls_engine_session(e).resumed);
            assert_string_equal(tls_engine_session(e).version, "TLSv1.2");
            assert_string_equal(tls_engine_session(e).server_name, "a.example.org");
            test_raw_clear(&raw);
            tls_engine_destroy(&e);
        }
        tls_context_destroy(&one);
        tls_context_destroy(&two);
    }
    SSL_ClearSessionCache();
}

/* A client engine against a TLS 1.2 server that gives tickets; the ticket is used again. */
static void client_resumes_tls12(void **state)
{
    struct fixture *f = *state;
    struct tls_context *client = client_of(f);

    for (int n = 0; n < 3; n++) {
        struct tls_engine *e = tls_engine_create(client, "a.example.org", "key");
        struct test_raw raw;

        test_raw_init(&raw, TEST_RAW_SERVER, f->ec, 0x0303);
        assert_true(test_raw_handshake(&raw, e));
        assert_string_equal(tls_engine_session(e).version, "TLSv1.2");
        assert_int_equal(tls_engine_session(e).resumed, n != 0);
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
    }
    tls_context_destroy(&client);
}

/* The verdict is asked again: a session whose peer is not good any more is not offered, and the full handshake that
 * takes its place fails for the same reason. */
static void resumption_verifies_again(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->rsa, "one"), *client = client_of(f), *strict;
    struct pkix_store *nobody = pkix_store_create();
    struct tls_session session = {0};
    char *error = NULL;
    struct test_pair p;

    assert_true(pkix_store_add_anchor(nobody, tls_identity_leaf(f->wild), &error));
    assert_false(connect_once(client, server, "a.example.org", "key"));
    assert_true(tls_sessions_take(client->sessions, "key a.example.org", &session));
    /* The same session, in the hands of a context that trusts somebody else. */
    strict = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = nobody});
    tls_sessions_put(strict->sessions, "key a.example.org", &session);
    test_pair_init(&p, strict, "a.example.org", "key", server);
    test_pair_run(&p);
    assert_int_equal(p.client_status, TLS_FAILED);
    assert_string_equal(tls_engine_error_name(p.client), "unknown_issuer");
    assert_false(tls_sessions_take(strict->sessions, "key a.example.org", &session));
    test_pair_clear(&p);
    tls_context_destroy(&strict);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
    pkix_store_destroy(&nobody);
}

/* A client has several tickets of a server that changes its ticket keys: one full handshake, and it resumes again. */
static void stale_tickets_cost_one_handshake(void **state)
{
    enum { TICKETS = 5 };
    struct fixture *f = *state;
    struct tls_context *before = server_of(&f->ec, "before"), *after = server_of(&f->ec, "after");
    struct tls_context *client = client_of(f);
    struct test_pair pairs[TICKETS];
    struct tls_session session;

    for (size_t i = 0; i < TICKETS; i++) {
        test_pair_init(&pairs[i], client, "a.example.org", "key", before);
        test_pair_handshake(&pairs[i]);
    }
    for (size_t i = 0; i < TICKETS; i++) {
        test_pair_send(&pairs[i], pairs[i].server, pairs[i].client, span_of_string("y")); /* and the ticket */
        test_pair_clear(&pairs[i]);
    }
    assert_true(connect_once(client, before, "a.example.org", "key"));
    /* One is refused, and the new one has not come yet: the others are not tried. */
    test_pair_init(&pairs[0], client, "a.example.org", "key", after);
    test_pair_handshake(&pairs[0]);
    assert_false(tls_engine_session(pairs[0].client).resumed);
    assert_false(tls_sessions_take(client->sessions, "key a.example.org", &session));
    test_pair_send(&pairs[0], pairs[0].server, pairs[0].client, span_of_string("y"));
    test_pair_clear(&pairs[0]);
    for (size_t i = 0; i < TICKETS; i++)
        assert_true(connect_once(client, after, "a.example.org", "key"));
    tls_context_destroy(&client);
    tls_context_destroy(&before);
    tls_context_destroy(&after);
}

/* RFC 8446 section 4.2.9: a client that has not said how it would use a ticket gets none. NSS's says it while it has a
 * cache. */
static void ticket_only_for_who_can_use_it(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->ec, "one");

    for (int cache = 0; cache <= 1; cache++) {
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);
        struct test_raw raw;

        test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0304);
        assert_int_equal(SSL_OptionSet(raw.fd, SSL_NO_CACHE, cache == 0), SECSuccess);
        assert_int_equal(SSL_SetURL(raw.fd, "a.example.org"), SECSuccess);
        assert_true(test_raw_handshake(&raw, e));
        assert_int_equal(tls_engine_records(e).size, 0);
        tls_engine_send_ticket(e);
        assert_int_equal(tls_engine_records(e).size != 0, cache != 0);
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
    }
    SSL_ClearSessionCache();
    tls_context_destroy(&server);
}

/* A name that no certificate has is the name of a resumed connection too. */
static void unknown_name_stays_when_resumed(void **state)
{
    struct fixture *f = *state;
    struct tls_context *server = server_of(&f->ec12, "one");

    for (int n = 0; n < 3; n++) {
        struct tls_engine *e = tls_engine_create(server, NULL, NULL);
        struct test_raw raw;

        test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0303);
        assert_int_equal(SSL_SetURL(raw.fd, "Nobody.example.net"), SECSuccess);
        assert_int_equal(SSL_SetSockPeerID(raw.fd, "unknown"), SECSuccess);
        assert_true(test_raw_handshake(&raw, e));
        assert_int_equal(tls_engine_session(e).resumed, n != 0);
        assert_string_equal(tls_engine_session(e).server_name, "nobody.example.net");
        test_raw_clear(&raw);
        tls_engine_destroy(&e);
    }
    SSL_ClearSessionCache();
    tls_context_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume_tls13),
        cmocka_unit_test(ticket_waits_for_company),
        cmocka_unit_test(resumed_sessions_tell_of_extended_validation),
        cmocka_unit_test(client_contexts_are_apart),
        cmocka_unit_test(foreign_ticket_gets_full_handshake),
        cmocka_unit_test(foreign_ticket_in_pieces),
        cmocka_unit_test(client_auth_never_resumes),
        cmocka_unit_test(other_name_gets_full_handshake),
        cmocka_unit_test(no_ticket_after_hello_retry),
        cmocka_unit_test(resume_tls12_from_shared_cache),
        cmocka_unit_test(client_resumes_tls12),
        cmocka_unit_test(resumption_verifies_again),
        cmocka_unit_test(stale_tickets_cost_one_handshake),
        cmocka_unit_test(ticket_only_for_who_can_use_it),
        cmocka_unit_test(unknown_name_stays_when_resumed),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
