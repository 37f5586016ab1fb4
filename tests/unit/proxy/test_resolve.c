/* Who may have names looked up, and how many: proxy/process/resolve.h. What runs is told in the loop alone, so as long
 * as it does not run everything counts. Names are literals, about which nobody is asked. */
#include "proxy/process/resolve.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static uv_loop_t loop;
static struct resolver *resolver;
static size_t told;

static int setup(void **state)
{
    (void)state;
    told = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    resolver = resolver_create(&loop, 8);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_destroy(&resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void on_done(void *context, const struct resolve_result *result)
{
    (void)context;
    assert_int_equal(result->error, 0);
    assert_int_equal(result->count, 1);
    told++;
}

static struct resolve_lookup *ask(size_t service, uint64_t peer)
{
    return resolve_start(resolver, (struct resolve_asker){service, peer}, "127.0.0.1", 1, AF_INET, on_done, NULL);
}

/* Two run and so many wait; then there is no more for this peer at this service, and as much as before for others. */
static void a_peer_has_so_many_at_each_service(void **state)
{
    enum { MAX = LIMIT_RESOLVER_PER_PEER + LIMIT_RESOLVER_WAITING_PER_PEER };

    (void)state;
    for (size_t i = 0; i < MAX; i++)
        assert_non_null(ask(0, 7));
    assert_null(ask(0, 7));
    assert_non_null(ask(0, 8));
    assert_non_null(ask(0, 0)); /* nobody in particular */
    for (size_t i = 0; i < MAX; i++)
        assert_non_null(ask(1, 7));
    assert_null(ask(1, 7));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, 2 * MAX + 2);
    assert_non_null(ask(0, 7)); /* all of it is forgotten */
}

static void what_is_cancelled_does_not_count(void **state)
{
    struct resolve_lookup *waiting[LIMIT_RESOLVER_WAITING_PER_PEER];

    (void)state;
    for (size_t i = 0; i < LIMIT_RESOLVER_PER_PEER; i++)
        assert_non_null(ask(0, 7));
    for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
        assert_non_null(waiting[i] = ask(0, 7));
    assert_null(ask(0, 7));
    resolve_cancel(&waiting[0]); /* the first, the last, and one between */
    resolve_cancel(&waiting[ARRAY_LEN(waiting) - 1]);
    resolve_cancel(&waiting[9]);
    assert_null(waiting[9]);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(ask(0, 7));
    assert_null(ask(0, 7));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, LIMIT_RESOLVER_PER_PEER + LIMIT_RESOLVER_WAITING_PER_PEER);
}

/* However many peers there are, so many wait, and all that wait have their turn. */
static void all_peers_together_have_so_many(void **state)
{
    size_t asked = 0;

    (void)state;
    while (ask(asked % 8, 1 + asked * 0x10001) != NULL)
        asked++;
    assert_int_equal(asked, LIMIT_RESOLVER_THREADS + LIMIT_RESOLVER_WAITING);
    assert_null(ask(0, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, asked);
}

/* A resolver that goes while some run and others wait tells nobody. */
static void a_resolver_that_goes_tells_nobody(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20; i++)
        assert_non_null(ask(0, 7));
    resolver_destroy(&resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, 0);
    resolver = resolver_create(&loop, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_has_so_many_at_each_service),
        TEST(what_is_cancelled_does_not_count),
        TEST(all_peers_together_have_so_many),
        TEST(a_resolver_that_goes_tells_nobody),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
