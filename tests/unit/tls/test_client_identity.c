/* tls/client_identity.c, tls/identity_linked.c: a client shows the certificate that fits, with its own chain, whatever
 * other peers have shown to the process. */
#include "tls_pair.h"
#include "tls_raw.h"

#include "base/nss_scope.h"
#include "tls/client_identity.h"

#include <prerror.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct test_leaf through = {
    .subject = "CN=through,O=yett", .use = TEST_USE_CLIENT, .issuer = TEST_ISSUER_INTERMEDIATE};
static const struct test_leaf direct = {.subject = "CN=direct,O=yett", .use = TEST_USE_CLIENT};

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *server, *through, *direct;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->server = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->through = test_certs_identity(f->certs, &through);
    f->direct = test_certs_identity(f->certs, &direct);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->server);
    tls_identity_destroy(&f->through);
    tls_identity_destroy(&f->direct);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

static struct tls_context *client_of(struct fixture *f, struct tls_identity *const *identities, size_t count,
                                     enum tls_no_suitable no_suitable)
{
    return test_client(&(struct tls_client_options){.version_min = 0x0303,
                                                    .trust = f->store,
                                                    .identities = identities,
                                                    .identity_count = count,
                                                    .no_suitable_identity = no_suitable});
}

/* A server that takes any client certificate, and names these authorities. */
struct asker {
    struct test_raw raw;
    struct tls_engine *engine;
};

static void ask(struct fixture *f, struct asker *a, const struct tls_context *client, int version,
                CERTCertificate *const *authorities, size_t count)
{
    a->engine = tls_engine_create(client, "a.example.org", NULL);
    test_raw_init(&a->raw, TEST_RAW_SERVER, f->server, version);
    assert_int_equal(SSL_OptionSet(a->raw.fd, SSL_REQUEST_CERTIFICATE, PR_TRUE), SECSuccess);
    assert_int_equal(SSL_OptionSet(a->raw.fd, SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_NEVER), SECSuccess);
    if (count != 0) {
        SCOPED_CERT_LIST list = CERT_NewCertList();

        for (size_t i = 0; i < count; i++)
            assert_int_equal(CERT_AddCertToListTail(list, CERT_DupCertificate(authorities[i])), SECSuccess);
        assert_int_equal(SSL_SetTrustAnchors(a->raw.fd, list), SECSuccess);
    }
    if (!test_raw_handshake(&a->raw, a->engine))
        fail_msg("version %x: %s, %s", (unsigned)version, PR_ErrorToName(a->raw.error), tls_engine_error(a->engine));
}

static void end(struct asker *a)
{
    test_raw_clear(&a->raw);
    tls_engine_destroy(&a->engine);
}

static void check_chain(const struct asker *a, const struct span *want, size_t count, const char *when)
{
    SCOPED_CERT_LIST got = SSL_PeerCertificateChain(a->raw.fd);
    size_t i = 0;

    if (got == NULL)
        fail_msg("%s: no certificate was sent (%s)", when, tls_engine_session(a->engine).identity_choice);
    for (CERTCertListNode *n = CERT_LIST_HEAD(got); !CERT_LIST_END(n, got); n = CERT_LIST_NEXT(n), i++)
        if (i >= count || !span_equal(span_of(n->cert->derCert.data, n->cert->derCert.len), want[i]))
            fail_msg("%s: certificate %zu is not ours: %s", when, i, n->cert->subjectName);
    if (i != count)
        fail_msg("%s: %zu certificates were sent, want %zu", when, i, count);
}

/* Both versions, asked by a server that names the root, and by one that names nobody. */
static void check_through(struct fixture *f, const struct tls_context *client, const char *when)
{
    struct span chain[] = {tls_identity_leaf(f->through), test_certs_intermediate(f->certs)};
    SECItem der = {.data = (unsigned char *)(uintptr_t)test_certs_root(f->certs).data,
                   .len = (unsigned)test_certs_root(f->certs).size};
    SCOPED_CERT root = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &der, NULL, PR_FALSE, PR_TRUE);

    for (int version = 0x0303; version <= 0x0304; version++)
        for (size_t named = 0; named <= 1; named++) {
            struct asker a;

            ask(f, &a, client, version, &root, named);
            check_chain(&a, chain, ARRAY_LEN(chain), when);
            assert_ptr_equal(tls_engine_session(a.engine).identity, f->through);
            end(&a);
        }
}

static void own_chain_is_sent(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *both[] = {f->through, f->direct};

    for (size_t count = 1; count <= 2; count++) {
        struct tls_context *client = client_of(f, both, count, TLS_NO_SUITABLE_NONE);
        SCOPED_CERT forged = NULL;

        check_through(f, client, "before");
        forged = test_certs_forge(f->certs);
        check_through(f, client, "with a forged intermediate in memory");
        tls_context_destroy(&client);
        /* An identity that is opened now finds it there already. */
        client = client_of(f, both, count, TLS_NO_SUITABLE_NONE);
        check_through(f, client, "opened afterwards");
        tls_context_destroy(&client);
    }
}

/* Another service's server has the forged certificate in its chain. Its connection is good. */
static void server_shows_forged_issuer(void **state)
{
    struct fixture *f = *state;
    CERTCertificate *forged = test_certs_forge(f->certs);
    const char *path = test_certs_leaf_below(f->certs, &(struct test_leaf){.names = {"b.example.org"}}, forged);
    struct tls_context *client = client_of(f, &f->through, 1, TLS_NO_SUITABLE_NONE);
    struct tls_context *other = client_of(f, NULL, 0, TLS_NO_SUITABLE_NONE), *evil;
    struct tls_identity *evil_identity = NULL;
    char *error = NULL;
    struct test_pair p;

    CERT_DestroyCertificate(forged);
    assert_true(tls_identity_open(TLS_IDENTITY_FILE, path, &evil_identity, &error));
    evil = test_server(
        &(struct tls_server_options){.identities = &evil_identity, .identity_count = 1, .version_min = 0x0303});
    test_pair_init(&p, other, "b.example.org", NULL, evil);
    test_pair_handshake(&p);
    check_through(f, client, "while another server's chain is held");
    test_pair_clear(&p);
    tls_context_destroy(&evil);
    tls_context_destroy(&other);
    tls_context_destroy(&client);
    tls_identity_destroy(&evil_identity);
}

/* A client that is refused has sent it. */
static void refused_client_shows_forged_issuer(void **state)
{
    struct fixture *f = *state;
    CERTCertificate *forged = test_certs_forge(f->certs);
    const char *path = test_certs_leaf_below(
        f->certs,
        &(struct test_leaf){.use = TEST_USE_SERVER, .issuer = TEST_ISSUER_INTERMEDIATE, .names = {"evil.example.org"}},
        forged);
    struct tls_context *client = client_of(f, &f->through, 1, TLS_NO_SUITABLE_NONE), *evil, *server;
    struct tls_identity *evil_identity = NULL;
    char *error = NULL;

    CERT_DestroyCertificate(forged);
    assert_true(tls_identity_open(TLS_IDENTITY_FILE, path, &evil_identity, &error));
    evil = client_of(f, &evil_identity, 1, TLS_NO_SUITABLE_ONLY);
    server = test_server(&(struct tls_server_options){.identities = &f->server,
                                                      .identity_count = 1,
                                                      .version_min = 0x0303,
                                                      .peer = TLS_PEER_REQUIRE,
                                                      .trust = f->store});
    for (int pieces = 0; pieces <= 1; pieces++) {
        struct test_pair p;

        test_pair_init(&p, evil, "a.example.org", NULL, server);
        p.piece_max = pieces == 0 ? 0 : 100;
        test_pair_run(&p);
        assert_int_equal(p.server_status, TLS_FAILED);
        check_through(f, client, "while a refused client's chain is held");
        test_pair_clear(&p);
    }
    tls_context_destroy(&server);
    tls_context_destroy(&evil);
    tls_context_destroy(&client);
    tls_identity_destroy(&evil_identity);
}

/* What NSS leaves out of a chain that does not link up is known when the identity is prepared. */
static void chain_that_does_not_link_up(void **state)
{
    struct fixture *f = *state;
    SECItem der = {.data = (unsigned char *)(uintptr_t)test_certs_intermediate(f->certs).data,
                   .len = (unsigned)test_certs_intermediate(f->certs).size};
    SCOPED_CERT intermediate = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &der, NULL, PR_FALSE, PR_TRUE);
    struct tls_identity *identity = NULL;
    struct tls_context *client;
    struct asker a;
    struct span leaf;
    char *error = NULL;

    /* The root has issued the leaf. */
    if (!tls_identity_open(TLS_IDENTITY_FILE, test_certs_leaf_below(f->certs, &direct, intermediate), &identity,
                           &error))
        fail_msg("%s", error);
    assert_string_equal(tls_identity_warning(identity), "");
    client = client_of(f, &identity, 1, TLS_NO_SUITABLE_ONLY);
    assert_non_null(strstr(tls_identity_warning(identity), "servers are shown 1 of its 2 certificates"));
    ask(f, &a, client, 0x0304, NULL, 0);
    leaf = tls_identity_leaf(identity);
    check_chain(&a, &leaf, 1, "a certificate above that is not the issuer");
    end(&a);
    tls_context_destroy(&client);
    tls_identity_destroy(&identity);
}

/* ---- the server's list of authorities ---- */

static void expect(struct fixture *f, const struct tls_context *client, const char *authority,
                   const struct tls_identity *want, const char *words)
{
    SCOPED_CERT named = test_certs_stranger(f->certs, authority);

    for (int version = 0x0303; version <= 0x0304; version++) {
        struct asker a;

        ask(f, &a, client, version, &named, 1);
        if (tls_engine_session(a.engine).identity != want ||
            strstr(tls_engine_session(a.engine).identity_choice, words) == NULL)
            fail_msg("%s: %s", authority, tls_engine_session(a.engine).identity_choice);
        end(&a);
    }
}

static void authorities_are_compared_as_names(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *both[] = {f->direct, f->through};
    struct tls_context *client = client_of(f, both, 2, TLS_NO_SUITABLE_NONE);

    expect(f, client, "CN=Test Root,O=yett", f->direct, "the server names its authority CN=Test Root,O=yett");
    expect(f, client, "CN=TEST root,O=YETT", f->direct, "the server names its authority CN=TEST root,O=YETT");
    expect(f, client, "CN=test   intermediate,O=Yett", f->through, "CN=through");
    expect(f, client, "CN=Test Root,O=yett2", NULL, "CN=through,O=yett");
    expect(f, client, "O=yett,CN=Test Root", NULL, "none of the authorities that the server names has issued it");
    tls_context_destroy(&client);
}

static void no_suitable_identity(void **state)
{
    struct fixture *f = *state;
    struct tls_identity *expired =
        test_certs_identity(f->certs, &(struct test_leaf){.use = TEST_USE_CLIENT, .days_from = -20, .days_to = -10});
    struct tls_identity *both[] = {f->direct, f->through};
    const struct {
        struct tls_identity *const *identities;
        size_t count;
        enum tls_no_suitable setting;
        const struct tls_identity *want;
        const char *words;
    } cases[] = {
        {both, 1, TLS_NO_SUITABLE_ONLY, f->direct, "but it is the only one"},
        {both, 1, TLS_NO_SUITABLE_NONE, NULL, "none: subject \"CN=direct,O=yett\""},
        {both, 2, TLS_NO_SUITABLE_ONLY, NULL, "none: subject \"CN=direct,O=yett\""},
        {&expired, 1, TLS_NO_SUITABLE_ONLY, NULL, "it has expired"},
        {NULL, 0, TLS_NO_SUITABLE_ONLY, NULL, "there is none for this service"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_context *client = client_of(f, cases[i].identities, cases[i].count, cases[i].setting);

        expect(f, client, "CN=Stranger,O=elsewhere", cases[i].want, cases[i].words);
        tls_context_destroy(&client);
    }
    tls_identity_destroy(&expired);
}

/* Nobody asked: nothing is told. */
static void server_that_does_not_ask(void **state)
{
    struct fixture *f = *state;
    struct tls_context *client = client_of(f, &f->direct, 1, TLS_NO_SUITABLE_ONLY);
    struct tls_context *server =
        test_server(&(struct tls_server_options){.identities = &f->server, .identity_count = 1, .version_min = 0x0303});
    struct test_pair p;

    test_pair_init(&p, client, "a.example.org", NULL, server);
    test_pair_handshake(&p);
    assert_string_equal(tls_engine_session(p.client).identity_choice, "");
    assert_null(tls_engine_session(p.client).identity);
    test_pair_clear(&p);
    tls_context_destroy(&server);
    tls_context_destroy(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_chain_is_sent),
        cmocka_unit_test(server_shows_forged_issuer),
        cmocka_unit_test(refused_client_shows_forged_issuer),
        cmocka_unit_test(chain_that_does_not_link_up),
        cmocka_unit_test(authorities_are_compared_as_names),
        cmocka_unit_test(no_suitable_identity),
        cmocka_unit_test(server_that_does_not_ask),
    };

    return cmocka_run_group_tests_name("tls client identity", tests, setup, teardown);
}
