#include "base/address.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

/* Each row is one address in all its spellings (RFC 4291 section 2.2), the last one as RFC 5952 has it. */
static const char *const spellings[][6] = {
    {"0:0:0:0:0:0:0:1", "::0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "0::1", "::0.0.0.1", "::1"},
    {"0:0:0:0:0:0:0:0", "0::0", "::0", "0::", "::0.0.0.0", "::"},
    {"2001:DB8:0:0:0:0:0:A", "2001:0db8::a", "2001:db8:0::A", "2001:db8::0:a", "2001:db8::0.0.0.10", "2001:db8::a"},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "2001:db8:0:0:1::1", "2001:DB8::1:0:0:1", "2001:db8::1:0:0.0.0.1",
     "2001:db8::1:0:0:1"},
    /* IPv4-mapped: the IPv4 address that it carries. */
    {"::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "0::ffff:C000:0201", "0:0:0:0:0:FFFF:c000:201",
     "192.0.2.1"},
    /* Others that carry one are addresses of their own. */
    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201", "0064:FF9B:0:0:0:0:192.0.2.1", "64:ff9b:0::c000:201",
     "64:FF9B::C000:201", "64:ff9b::c000:201"},
};

static void every_spelling_is_the_same_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        const char *last = spellings[i][ARRAY_LEN(spellings[i]) - 1];
        struct address want, got;
        char text[ADDRESS_TEXT_SIZE];

        assert_true(address_parse(span_of_string(last), &want));
        for (size_t k = 0; k < ARRAY_LEN(spellings[i]); k++) {
            assert_true(address_parse(span_of_string(spellings[i][k]), &got));
            if (!address_equal(&got, &want))
                fail_msg("%s is not %s", spellings[i][k], last);
            assert_string_equal(address_text(&got, text), last);
        }
    }
}

static void different_addresses_are_different(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
        for (size_t k = 0; k < ARRAY_LEN(spellings); k++) {
            struct address a, b;

            assert_true(address_parse(span_of_string(spellings[i][0]), &a));
            assert_true(address_parse(span_of_string(spellings[k][0]), &b));
            assert_int_equal(address_equal(&a, &b), i == k);
        }
}

static void what_is_no_address_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.04",
        "256.1.1.1",
        "1.2.3.4 ",
        " 1.2.3.4",
        "127.1",
        "0x7f.1",
        "2130706433",
        "::g",
        ":::",
        "1::2::3",
        "12345::",
        "::12345",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "[::1]",
        "fe80::1%eth0",
        "::1.2.3",
        "1.2.3.4::",
        "::1/64",
        "localhost",
        "::ffff:01.2.3.4",
    };
    struct address a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (address_parse(span_of_string(bad[i]), &a))
            fail_msg("%s is taken", bad[i]);
        assert_int_equal(a.size, 0);
    }
    assert_false(address_parse(span_of("1.2.3.4\0", 8), &a));
}

static void sockets_give_the_same_value(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(1)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(2)};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct address a, b, parsed;
    char text[ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &in.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    a = address_of_socket((const struct sockaddr *)&in);
    b = address_of_socket((const struct sockaddr *)&in6);
    assert_true(address_parse(span_of_string("192.0.2.1"), &parsed));
    assert_true(address_equal(&a, &b) && address_equal(&a, &parsed));
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
    b = address_of_socket((const struct sockaddr *)&in6);
    assert_false(address_equal(&a, &b));
    assert_string_equal(address_text(&b, text), "2001:db8::1");
    a = address_of_socket(&other);
    assert_int_equal(a.size, 0);
    assert_string_equal(address_text(&a, text), "");
}

static void networks_hold_their_addresses(void **state)
{
    static const struct {
        const char *address, *network;
        unsigned bits;
        bool want;
    } rows[] = {
        {"10.1.2.3", "10.0.0.0", 8, true},
        {"11.1.2.3", "10.0.0.0", 8, false},
        {"10.1.2.3", "10.1.2.3", 32, true},
        {"10.1.2.2", "10.1.2.3", 32, false},
        {"192.168.1.129", "192.168.1.128", 25, true},
        {"192.168.1.127", "192.168.1.128", 25, false},
        {"1.2.3.4", "0.0.0.0", 0, true},
        {"::1", "0.0.0.0", 0, false},
        {"1.2.3.4", "::", 0, false},
        {"::ffff:10.0.0.1", "10.0.0.0", 8, true},
        {"::ffff:10.0.0.1", "::", 0, false},
        {"fd00::1", "fc00::", 7, true},
        {"fe00::1", "fc00::", 7, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address a, network;

        assert_true(address_parse(span_of_string(rows[i].address), &a));
        assert_true(address_parse(span_of_string(rows[i].network), &network));
        if (address_in_network(&a, &network, rows[i].bits) != rows[i].want)
            fail_msg("%s in %s/%u", rows[i].address, rows[i].network, rows[i].bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_the_same_value), cmocka_unit_test(different_addresses_are_different),
        cmocka_unit_test(what_is_no_address_is_none),       cmocka_unit_test(sockets_give_the_same_value),
        cmocka_unit_test(networks_hold_their_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
