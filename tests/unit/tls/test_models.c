/* tls/models.c: of many servers' model sockets some are kept, and those that were put away come back. */
#include "tls_fixture.h"

#include "tls/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SERVERS = TLS_MODELS_KEPT + 40, SITES = 2 };

struct many {
    struct tls_identity *identities[SITES];
    struct tls_context *servers[SERVERS];
};

static struct many *many_create(const struct test_fixture *f)
{
    struct many *m = base_alloc(sizeof(*m));

    m->identities[0] = test_certs_identity(f->certs, &(struct test_leaf){.names = {"a.example.org"}});
    m->identities[1] = test_certs_identity(f->certs, &(struct test_leaf){.names = {"b.example.org"}});
    for (size_t i = 0; i < SERVERS; i++)
        m->servers[i] = test_server(&(struct tls_server_options){
            .identities = m->identities, .identity_count = i == 0 ? SITES : 1, .version_min = 0x0303});
    return m;
}

static void many_destroy(struct many *m)
{
    for (size_t i = 0; i < SERVERS; i++)
        tls_context_destroy(&m->servers[i]);
    for (size_t i = 0; i < SITES; i++)
        tls_identity_destroy(&m->identities[i]);
    free(m);
}

static void shakes_hands(const struct test_fixture *f, const struct tls_context *server, const char *name)
{
    static const uint8_t data[1000];
    struct test_pair p;

    test_pair_init(&p, f->client, name, NULL, server);
    test_pair_handshake(&p);
    test_pair_send(&p, p.client, p.server, span_of(data, sizeof(data)));
    test_pair_close(&p);
    test_pair_clear(&p);
}

static void models_are_put_away_and_come_back(void **state)
{
    const struct test_fixture *f = *state;
    size_t before = tls_models_count();
    struct many *m = many_create(f);

    assert_int_equal(tls_models_count(), TLS_MODELS_KEPT);
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < SERVERS; i++)
            shakes_hands(f, m->servers[i], "a.example.org");
    assert_int_equal(tls_models_count(), TLS_MODELS_KEPT);
    shakes_hands(f, m->servers[0], "b.example.org"); /* both of its sites were put away */
    shakes_hands(f, m->servers[0], "a.example.org");
    many_destroy(m);
    assert_true(tls_models_count() <= before); /* the fixture's may have been put away */
}

/* A connection is its own, whatever becomes of the model it was made from. */
static void connections_go_on_without_their_models(void **state)
{
    const struct test_fixture *f = *state;
    struct many *m = many_create(f);
    struct test_pair p;

    test_pair_init(&p, f->client, "b.example.org", NULL, m->servers[0]);
    assert_int_equal(tls_engine_step(p.server), TLS_OK); /* its socket is made of the first site's */
    for (size_t i = 1; i < SERVERS; i++)
        shakes_hands(f, m->servers[i], "a.example.org");
    test_pair_handshake(&p); /* goes over to the other site's */
    test_pair_close(&p);
    test_pair_clear(&p);
    many_destroy(m);
}

static void those_in_use_stay(void **state)
{
    const struct test_fixture *f = *state;
    struct many *m = many_create(f);
    const struct tls_site *site = &m->servers[3]->sites[0];
    PRFileDesc *taken = tls_model_take(site);

    for (size_t i = 4; i < SERVERS; i++)
        shakes_hands(f, m->servers[i], "a.example.org");
    for (size_t i = 0; i < 3; i++)
        shakes_hands(f, m->servers[i], "a.example.org");
    assert_ptr_equal(tls_model_take(site), taken);
    tls_model_give(site);
    tls_model_give(site);
    many_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_put_away_and_come_back),
        cmocka_unit_test(connections_go_on_without_their_models),
        cmocka_unit_test(those_in_use_stay),
    };

    return cmocka_run_group_tests(tests, test_fixture_setup, test_fixture_teardown);
}
