#include "proxy/session/peer_cost.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

enum { DEAR_US = LIMIT_PEER_COST_DEAR_US, PERIOD_MS = LIMIT_PEER_COST_HALVED_MS };

static const struct peer_key_secret secret = {{UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344)}};
static struct peer_cost costs;

static struct peer_key key_of(const char *literal)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, literal, &v4.sin_addr) == 1)
        return peer_key_of((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, literal, &v6.sin6_addr), 1);
    return peer_key_of((const struct sockaddr *)&v6);
}

static struct peer_key numbered(unsigned i)
{
    char literal[32];

    snprintf(literal, sizeof(literal), "10.%u.%u.%u", i / 65536, i / 256 % 256, i % 256);
    return key_of(literal);
}

static struct peer_key subnet(unsigned site, unsigned i)
{
    char literal[64];

    snprintf(literal, sizeof(literal), "2001:db8:%x:%x::1", site, i);
    return key_of(literal);
}

static int start(void **state)
{
    (void)state;
    peer_cost_init(&costs, secret);
    return 0;
}

static void add_makes_dear_at_the_allowance(void **state)
{
    struct peer_key key = key_of("192.0.2.1");

    (void)state;
    assert_false(peer_cost_is_dear(&costs, key, 0));
    peer_cost_add(&costs, key, DEAR_US - 1, 0);
    assert_false(peer_cost_is_dear(&costs, key, 0));
    peer_cost_add(&costs, key, 1, 0);
    assert_true(peer_cost_is_dear(&costs, key, 0));
    assert_false(peer_cost_is_dear(&costs, key_of("192.0.2.2"), 0));
    assert_true(peer_cost_is_dear(&costs, key_of("::ffff:192.0.2.1"), 0));
}

static void cost_is_halved_with_each_period(void **state)
{
    struct peer_key key = key_of("192.0.2.1");
    uint64_t now_ms = 123 * (uint64_t)PERIOD_MS;

    (void)state;
    peer_cost_add(&costs, key, 4 * DEAR_US, now_ms);
    assert_true(peer_cost_is_dear(&costs, key, now_ms + 3 * PERIOD_MS - 1));
    assert_false(peer_cost_is_dear(&costs, key, now_ms + 3 * PERIOD_MS));
    peer_cost_add(&costs, key, DEAR_US / 2, now_ms + 3 * PERIOD_MS); /* the other half is left */
    assert_true(peer_cost_is_dear(&costs, key, now_ms + 3 * PERIOD_MS));
    assert_false(peer_cost_is_dear(&costs, key, now_ms + 4 * PERIOD_MS));
}

/* Whatever somebody has cost, and however long ago. */
static void cost_neither_overflows_nor_comes_back(void **state)
{
    struct peer_key key = key_of("192.0.2.1");

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        peer_cost_add(&costs, key, UINT64_MAX / 2, 0);
    assert_true(peer_cost_is_dear(&costs, key, 0));
    for (uint64_t periods = 31; periods < 200; periods++)
        assert_false(peer_cost_is_dear(&costs, key, periods * PERIOD_MS));
    peer_cost_add(&costs, key, 1, UINT64_MAX);
    assert_false(peer_cost_is_dear(&costs, key, UINT64_MAX));
}

static void what_is_no_address_is_never_dear(void **state)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    struct peer_key key = peer_key_of(&address);

    (void)state;
    peer_cost_add(&costs, key, 100 * DEAR_US, 0);
    assert_false(peer_cost_is_dear(&costs, key, 0));
}

/* As many dear ones as one core can make: of all the others about one in a hundred is taken for one. */
static void many_dear_peers_leave_the_others_alone(void **state)
{
    enum { DEAR = 200, OTHERS = 100000 };
    unsigned mistaken = 0;

    (void)state;
    for (unsigned i = 0; i < DEAR; i++)
        peer_cost_add(&costs, numbered(i), DEAR_US, 0);
    for (unsigned i = 0; i < DEAR; i++)
        assert_true(peer_cost_is_dear(&costs, numbered(i), 0));
    for (unsigned i = DEAR; i < DEAR + OTHERS; i++)
        mistaken += peer_cost_is_dear(&costs, numbered(i), 0);
    assert_true(mistaken < OTHERS * 15 / 1000);
}

/* Nobody is forgotten because others come, and cheap ones do not add up. */
static void dear_peer_stays_so_whoever_else_comes(void **state)
{
    struct peer_key key = key_of("192.0.2.1");

    (void)state;
    peer_cost_add(&costs, key, DEAR_US, 0);
    for (unsigned i = 0; i < 100000; i++)
        peer_cost_add(&costs, numbered(i), 1000, 0);
    assert_true(peer_cost_is_dear(&costs, key, 0));
    peer_cost_init(&costs, secret);
    for (unsigned i = 0; i < 10000; i++)
        peer_cost_add(&costs, numbered(i), 1000, 0);
    for (unsigned i = 0; i < 10000; i++)
        assert_false(peer_cost_is_dear(&costs, numbered(i), 0));
}

/* One site may be any number of peers. */
static void peers_of_one_site_are_dear_together(void **state)
{
    unsigned i = 0;

    (void)state;
    for (; i < 1000 && !peer_cost_is_dear(&costs, subnet(1, i), 0); i++)
        peer_cost_add(&costs, subnet(1, i), DEAR_US, 0);
    assert_int_equal(i, LIMIT_PEER_COST_SITE_DEAR_US / DEAR_US);
    assert_true(peer_cost_is_dear(&costs, subnet(1, 0xffff), 0));
    assert_false(peer_cost_is_dear(&costs, subnet(2, 0), 0));
}

/* The site of a provider: its other customers do not pay for one of them. */
static void dear_peer_does_not_make_its_site_dear(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        peer_cost_add(&costs, subnet(1, 7), DEAR_US / 3, 0);
    assert_true(peer_cost_is_dear(&costs, subnet(1, 7), 0));
    assert_false(peer_cost_is_dear(&costs, subnet(1, 8), 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(add_makes_dear_at_the_allowance, start),
        cmocka_unit_test_setup(cost_is_halved_with_each_period, start),
        cmocka_unit_test_setup(cost_neither_overflows_nor_comes_back, start),
        cmocka_unit_test_setup(what_is_no_address_is_never_dear, start),
        cmocka_unit_test_setup(many_dear_peers_leave_the_others_alone, start),
        cmocka_unit_test_setup(dear_peer_stays_so_whoever_else_comes, start),
        cmocka_unit_test_setup(peers_of_one_site_are_dear_together, start),
        cmocka_unit_test_setup(dear_peer_does_not_make_its_site_dear, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
