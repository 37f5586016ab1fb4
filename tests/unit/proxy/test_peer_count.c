#include "proxy/session/peer_count.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct peer_key key_of(const char *literal)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6}; /* as a socket has it: a mapped address is still mapped */

    if (inet_pton(AF_INET, literal, &in.sin_addr) == 1)
        return peer_key_of((const struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, literal, &in6.sin6_addr), 1);
    return peer_key_of((const struct sockaddr *)&in6);
}

static bool same_key(const char *a, const char *b)
{
    struct peer_key x = key_of(a), y = key_of(b);

    return memcmp(&x, &y, sizeof(x)) == 0;
}

static void key_of_groups_as_documented(void **state)
{
    static const struct {
        const char *a, *b;
        bool want_same;
    } table[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
        {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
        {"::1", "0.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (same_key(table[i].a, table[i].b) != table[i].want_same)
            fail_msg("%s and %s", table[i].a, table[i].b);
}

static void add_refuses_at_the_limit_and_not_other_services_or_addresses(void **state)
{
    struct peer_count *p = peer_count_create();
    struct peer_key key = key_of("192.0.2.1");

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(peer_count_add(p, 0, key, 3));
    assert_false(peer_count_add(p, 0, key, 3));
    assert_true(peer_count_add(p, 1, key, 3));
    assert_true(peer_count_add(p, 0, key_of("192.0.2.2"), 3));
    peer_count_subtract(p, 0, key);
    assert_true(peer_count_add(p, 0, key, 3));
    assert_int_equal(peer_count_of(p, 0, key), 3);
    peer_count_destroy(&p);
}

static void add_without_limit_never_refuses(void **state)
{
    struct peer_count *p = peer_count_create();
    struct peer_key key = key_of("2001:db8::1");

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        assert_true(peer_count_add(p, 0, key, 0));
    assert_int_equal(peer_count_of(p, 0, key), 1000);
    peer_count_destroy(&p);
}

static void subtract_of_the_last_forgets_the_address(void **state)
{
    struct peer_count *p = peer_count_create();
    char literal[32];

    (void)state;
    for (unsigned i = 0; i < 5000; i++) { /* past several growths */
        snprintf(literal, sizeof(literal), "10.%u.%u.1", i / 250, i % 250);
        assert_true(peer_count_add(p, 0, key_of(literal), 1));
    }
    assert_int_equal(peer_count_addresses(p), 5000);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(literal, sizeof(literal), "10.%u.%u.1", i / 250, i % 250);
        assert_int_equal(peer_count_of(p, 0, key_of(literal)), 1);
        peer_count_subtract(p, 0, key_of(literal));
    }
    assert_int_equal(peer_count_addresses(p), 0);
    peer_count_destroy(&p);
}

static void unix_peers_are_not_counted(void **state)
{
    struct peer_count *p = peer_count_create();
    struct sockaddr address = {.sa_family = AF_UNIX};
    struct peer_key key = peer_key_of(&address);

    (void)state;
    assert_true(peer_count_add(p, 0, key, 1));
    assert_true(peer_count_add(p, 0, key, 1));
    peer_count_subtract(p, 0, key);
    assert_int_equal(peer_count_addresses(p), 0);
    peer_count_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_of_groups_as_documented),
        cmocka_unit_test(add_refuses_at_the_limit_and_not_other_services_or_addresses),
        cmocka_unit_test(add_without_limit_never_refuses),
        cmocka_unit_test(subtract_of_the_last_forgets_the_address),
        cmocka_unit_test(unix_peers_are_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
