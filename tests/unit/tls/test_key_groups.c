/* tls/key_groups.c and what a context makes of groups: which one two sides agree on, by whose preference, and what is
 * said when there is none. What only a newer NSS has is asked for where it has it. */
#include "tls_pair.h"

#include "tls/identity_internal.h"
#include "tls/key_groups.h"
#include "tls/limits.h"
#include "tls/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    struct tls_identity *p256, *rsa, *p256_12, *rsa_12;
    struct tls_identity *rsa_other, *rsa_other_12; /* of b.example.net */
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));

    test_tls_start(TEST_CACHE_NONE);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    f->p256 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->rsa = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->p256_12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    f->rsa_12 = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA});
    f->rsa_other = test_certs_identity(f->certs, &(struct test_leaf){.names = {"b.example.net"}, .key = TEST_KEY_RSA});
    f->rsa_other_12 =
        test_certs_identity(f->certs, &(struct test_leaf){.names = {"b.example.net"}, .key = TEST_KEY_RSA});
    f->p256_12->version_max = f->rsa_12->version_max = f->rsa_other_12->version_max =
        0x0303; /* as from a token without RSA-PSS */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    tls_identity_destroy(&f->p256);
    tls_identity_destroy(&f->rsa);
    tls_identity_destroy(&f->p256_12);
    tls_identity_destroy(&f->rsa_12);
    tls_identity_destroy(&f->rsa_other);
    tls_identity_destroy(&f->rsa_other_12);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

#define HYBRID KEY_GROUP_X25519MLKEM768
#define X25519 KEY_GROUP_X25519
#define P256   KEY_GROUP_SECP256R1
#define P384   KEY_GROUP_SECP384R1
#define P521   KEY_GROUP_SECP521R1

struct groups {
    enum key_group items[KEY_GROUP_COUNT];
    size_t count;
};
#define AUTO                                                                                                           \
    {                                                                                                                  \
        .count = 0                                                                                                     \
    }
#define LIST(...)                                                                                                      \
    {                                                                                                                  \
        .items = {__VA_ARGS__}, .count = sizeof((enum key_group[]){__VA_ARGS__}) / sizeof(enum key_group)              \
    }

struct agreement {
    struct groups client, server;
    struct tls_identity *identity;
    const char *group; /* NULL: none */
};

static void try(struct fixture *f, size_t index, const struct agreement *a)
{
    struct tls_identity *identity = a->identity;
    struct tls_context *server = test_server(&(struct tls_server_options){.identities = &identity,
                                                                          .identity_count = 1,
                                                                          .version_min = 0x0303,
                                                                          .groups = a->server.items,
                                                                          .group_count = a->server.count});
    struct tls_context *client = test_client(&(struct tls_client_options){
        .version_min = 0x0303, .trust = f->store, .groups = a->client.items, .group_count = a->client.count});
    struct test_pair p;

    test_pair_init(&p, client, "a.example.org", NULL, server);
    test_pair_run(&p);
    if (a->group == NULL) {
        if (tls_engine_handshake_done(p.client) || tls_engine_handshake_done(p.server))
            fail_msg("case %zu: %s", index, tls_engine_session(p.client).group);
    } else {
        if (!tls_engine_handshake_done(p.client) || !tls_engine_handshake_done(p.server))
            fail_msg("case %zu: %s, %s: %s", index, tls_engine_error(p.client), tls_engine_error_name(p.server),
                     tls_engine_error(p.server));
        if (strcmp(tls_engine_session(p.client).group, a->group) != 0)
            fail_msg("case %zu: %s", index, tls_engine_session(p.client).group);
        assert_string_equal(tls_engine_session(p.server).group, a->group);
        test_pair_send(&p, p.client, p.server, span_of_string("x"));
        test_pair_send(&p, p.server, p.client, span_of_string("y"));
        test_pair_close(&p);
    }
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

static void both_sides_agree(void **state)
{
    struct fixture *f = *state;
    const struct agreement cases[] = {
        {LIST(X25519), LIST(X25519, P256), f->p256, "x25519"},
        {LIST(P256), LIST(X25519, P256), f->p256, "secp256r1"},
        {LIST(P384, P256), LIST(P521, P384), f->rsa, "secp384r1"},
        {LIST(X25519, P521), LIST(P521), f->rsa, "secp521r1"}, /* after a HelloRetryRequest */
        {LIST(X25519, P256), LIST(P256, X25519), f->p256, "x25519"},
        {LIST(X25519), LIST(P256), f->p256, NULL},
        {LIST(X25519, P256), LIST(P256), f->p256_12, "secp256r1"},
        {LIST(X25519), LIST(X25519), f->rsa_12, "x25519"},
        {LIST(P384), AUTO, f->rsa_12, "secp384r1"},
        {LIST(X25519), LIST(P256), f->rsa_12, NULL},
        {LIST(X25519), AUTO, f->p256, "x25519"},
        {AUTO, LIST(X25519), f->p256, "x25519"},
        /* In TLS 1.2 the groups are also the curves that keys of certificates may have (RFC 8422 section 5.1.1). */
        {LIST(X25519), AUTO, f->p256_12, NULL},
        {AUTO, LIST(X25519), f->p256_12, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        try(f, i, &cases[i]);
}

static void the_hybrid_one_is_first_where_nss_has_it(void **state)
{
    struct fixture *f = *state;
    bool has = tls_has_key_group(HYBRID);
    const struct agreement cases[] = {
        {AUTO, AUTO, f->p256, has ? "x25519mlkem768" : "x25519"},
        {AUTO, AUTO, f->rsa, has ? "x25519mlkem768" : "x25519"},
        {AUTO, AUTO, f->p256_12, "x25519"}, /* TLS 1.2 has no such group */
        {AUTO, LIST(X25519), f->p256, "x25519"},
        {LIST(X25519), AUTO, f->p256, "x25519"},
        {LIST(P256), AUTO, f->p256, "secp256r1"},
        {LIST(X25519, HYBRID), LIST(HYBRID, X25519), f->p256,
         "x25519"}, /* no round trip for what the client likes less */
    };
    const struct agreement only[] = {
        {LIST(HYBRID), LIST(HYBRID), f->p256, "x25519mlkem768"},
        {LIST(HYBRID), AUTO, f->p256, "x25519mlkem768"},
        {AUTO, LIST(HYBRID), f->rsa, "x25519mlkem768"},
        {LIST(X25519, HYBRID), LIST(HYBRID), f->p256, "x25519mlkem768"}, /* after a HelloRetryRequest */
        {LIST(HYBRID), LIST(X25519, P256), f->p256, NULL},
        {AUTO, LIST(HYBRID), f->p256_12, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        try(f, i, &cases[i]);
    for (size_t i = 0; has && i < ARRAY_LEN(only); i++)
        try(f, i, &only[i]);
}

/* NSS takes the groups of another site's model over, those that the client has not among them. */
static void a_name_of_another_site_keeps_to_the_groups_of_the_client(void **state)
{
    struct fixture *f = *state;
    const struct {
        struct groups client, server;
        struct tls_identity *other;
        const char *group;
    } cases[] = {
        {LIST(P256), AUTO, f->rsa_other, "secp256r1"},
        {LIST(P384), AUTO, f->rsa_other, "secp384r1"},
        {LIST(P521), AUTO, f->rsa_other, "secp521r1"},
        {LIST(P521, P384), LIST(X25519, P256, P384), f->rsa_other, "secp384r1"}, /* after a HelloRetryRequest */
        {LIST(P521, P256), LIST(X25519, P384, P256), f->rsa_other, "secp256r1"},
        {LIST(P256), AUTO, f->rsa_other_12, "secp256r1"},
        {LIST(P384), AUTO, f->rsa_other_12, "secp384r1"},
        {LIST(P384, X25519), LIST(P256, X25519), f->rsa_other_12, "x25519"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_identity *both[] = {f->p256, cases[i].other};
        struct tls_context *server = test_server(&(struct tls_server_options){.identities = both,
                                                                              .identity_count = 2,
                                                                              .version_min = 0x0303,
                                                                              .groups = cases[i].server.items,
                                                                              .group_count = cases[i].server.count});
        struct tls_context *client = test_client(&(struct tls_client_options){.version_min = 0x0303,
                                                                              .trust = f->store,
                                                                              .groups = cases[i].client.items,
                                                                              .group_count = cases[i].client.count});
        struct test_pair p;

        test_pair_init(&p, client, "b.example.net", NULL, server);
        test_pair_run(&p);
        if (!tls_engine_handshake_done(p.client) || !tls_engine_handshake_done(p.server))
            fail_msg("case %zu: %s, %s: %s", i, tls_engine_error(p.client), tls_engine_error_name(p.server),
                     tls_engine_error(p.server));
        if (strcmp(tls_engine_session(p.server).group, cases[i].group) != 0)
            fail_msg("case %zu: %s", i, tls_engine_session(p.server).group);
        test_pair_send(&p, p.client, p.server, span_of_string("x"));
        test_pair_close(&p);
        test_pair_clear(&p);
        tls_context_destroy(&client);
        tls_context_destroy(&server);
    }
}

static void groups_that_nss_has_not_are_left_out(void **state)
{
    static const enum key_group hybrid[] = {HYBRID};
    static const enum key_group wanted[] = {P384, HYBRID, X25519};
    struct fixture *f = *state;
    enum key_group usable[KEY_GROUP_COUNT];
    struct tls_context *context = NULL;
    char *error = NULL;
    bool made;

    assert_int_equal(tls_key_groups_choose(wanted, ARRAY_LEN(wanted), usable), tls_has_key_group(HYBRID) ? 3 : 2);
    assert_int_equal(usable[0], P384);
    assert_int_equal(usable[1], tls_has_key_group(HYBRID) ? HYBRID : X25519);
    assert_int_equal(tls_key_groups_choose(NULL, 0, usable), tls_has_key_group(HYBRID) ? 5 : 4);
    made = tls_server_context_create(
        &(struct tls_server_options){
            .identities = &f->p256, .identity_count = 1, .version_min = 0x0303, .groups = hybrid, .group_count = 1},
        &context, &error);
    assert_int_equal(made, tls_has_key_group(HYBRID));
    if (!made)
        assert_non_null(strstr(error, "none of the groups"));
    free(error);
    tls_context_destroy(&context);
}

static void what_is_missing_names_the_groups_of_the_service(void **state)
{
    struct fixture *f = *state;
    static const enum key_group ours[] = {P521, P384}, theirs[] = {X25519};
    struct tls_context *server = test_server(&(struct tls_server_options){
        .identities = &f->rsa, .identity_count = 1, .version_min = 0x0303, .groups = ours, .group_count = 2});
    struct tls_context *client = test_client(
        &(struct tls_client_options){.version_min = 0x0304, .trust = f->store, .groups = theirs, .group_count = 1});
    struct test_pair p;

    test_pair_init(&p, client, "a.example.org", NULL, server);
    test_pair_run(&p);
    assert_string_equal(tls_engine_error_name(p.server), "no_common_group");
    assert_non_null(strstr(tls_engine_error(p.server), "(secp521r1, secp384r1), but 0x001d"));
    assert_int_equal(tls_engine_alert_sent(p.server), 40);
    test_pair_clear(&p);
    tls_context_destroy(&client);
    tls_context_destroy(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_agree),
        cmocka_unit_test(the_hybrid_one_is_first_where_nss_has_it),
        cmocka_unit_test(a_name_of_another_site_keeps_to_the_groups_of_the_client),
        cmocka_unit_test(groups_that_nss_has_not_are_left_out),
        cmocka_unit_test(what_is_missing_names_the_groups_of_the_service),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
