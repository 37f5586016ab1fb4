#include "starttls/target.h"

#include <arpa/inet.h>

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 ".a2345678901234567890123456789012345678901234567890123456789ab"

static void host_kind_knows_names_from_addresses(void **state)
{
    static const struct {
        const char *host;
        enum starttls_host_kind want;
    } rows[] = {
        {"host.test", STARTTLS_HOST_NAME},
        {"localhost", STARTTLS_HOST_NAME},
        {"_srv.a-b.9a.test", STARTTLS_HOST_NAME},
        {"1.2.3.test", STARTTLS_HOST_NAME},
        {"xn--4ca.test", STARTTLS_HOST_NAME},
        {"1e100", STARTTLS_HOST_NAME},
        {"a.0b", STARTTLS_HOST_NAME},
        {LABEL_63, STARTTLS_HOST_NAME},
        {LABEL_63 "4", STARTTLS_HOST_INVALID},
        {NAME_253, STARTTLS_HOST_NAME},
        {NAME_253 "c", STARTTLS_HOST_INVALID},
        {"", STARTTLS_HOST_INVALID},
        {".", STARTTLS_HOST_INVALID},
        {"a.", STARTTLS_HOST_INVALID},
        {".a", STARTTLS_HOST_INVALID},
        {"a..b", STARTTLS_HOST_INVALID},
        {"-a.test", STARTTLS_HOST_INVALID},
        {"a-.test", STARTTLS_HOST_INVALID},
        {"a b", STARTTLS_HOST_INVALID},
        {"a\r\nX: y", STARTTLS_HOST_INVALID},
        {"user@host", STARTTLS_HOST_INVALID},
        {"a/b", STARTTLS_HOST_INVALID},
        {"a%41", STARTTLS_HOST_INVALID},
        {"*.test", STARTTLS_HOST_INVALID},
        {"\xc3\xa4.test", STARTTLS_HOST_INVALID},
        /* What inet_aton() would make an address of. */
        {"127.1", STARTTLS_HOST_INVALID},
        {"127.0.1", STARTTLS_HOST_INVALID},
        {"0", STARTTLS_HOST_INVALID},
        {"2130706433", STARTTLS_HOST_INVALID},
        {"0x7f000001", STARTTLS_HOST_INVALID},
        {"0X7F.1", STARTTLS_HOST_INVALID},
        {"a.0x7f", STARTTLS_HOST_INVALID},
        {"a.0xyz", STARTTLS_HOST_INVALID},
        {"0177.0.0.1", STARTTLS_HOST_INVALID},
        {"a.1", STARTTLS_HOST_INVALID},
        {"192.0.2.1", STARTTLS_HOST_IPV4},
        {"0.0.0.0", STARTTLS_HOST_IPV4},
        {"255.255.255.255", STARTTLS_HOST_IPV4},
        {"256.0.0.1", STARTTLS_HOST_INVALID},
        {"1.2.3.04", STARTTLS_HOST_INVALID},
        {"1.2.3.4.5", STARTTLS_HOST_INVALID},
        {"1.2.3.1000", STARTTLS_HOST_INVALID},
        {"1.2.3.", STARTTLS_HOST_INVALID},
        {"1..2.3", STARTTLS_HOST_INVALID},
        {"+1.2.3.4", STARTTLS_HOST_INVALID},
        {"::", STARTTLS_HOST_IPV6},
        {"::1", STARTTLS_HOST_IPV6},
        {"1::", STARTTLS_HOST_IPV6},
        {"2001:DB8::a", STARTTLS_HOST_IPV6},
        {"1:2:3:4:5:6:7:8", STARTTLS_HOST_IPV6},
        {"1:2:3:4:5:6:7::", STARTTLS_HOST_IPV6},
        {"::2:3:4:5:6:7:8", STARTTLS_HOST_IPV6},
        {"::ffff:192.0.2.1", STARTTLS_HOST_IPV6},
        {"1:2:3:4:5:6:192.0.2.1", STARTTLS_HOST_IPV6},
        {"1:2:3:4:5:6:7", STARTTLS_HOST_INVALID},
        {"1:2:3:4:5:6:7:8:9", STARTTLS_HOST_INVALID},
        {"1:2:3:4::5:6:7:8", STARTTLS_HOST_INVALID},
        {"1:2:3:4:5:6:7:8::", STARTTLS_HOST_INVALID},
        {"1::2::3", STARTTLS_HOST_INVALID},
        {":::", STARTTLS_HOST_INVALID},
        {":1", STARTTLS_HOST_INVALID},
        {"1:", STARTTLS_HOST_INVALID},
        {":", STARTTLS_HOST_INVALID},
        {"::12345", STARTTLS_HOST_INVALID},
        {"::g", STARTTLS_HOST_INVALID},
        {"::1.2.3", STARTTLS_HOST_INVALID},
        {"1.2.3.4::", STARTTLS_HOST_INVALID},
        {"::1.2.3.4:5", STARTTLS_HOST_INVALID},
        {"1:2:3:4:5:6:7:1.2.3.4", STARTTLS_HOST_INVALID},
        {"fe80::1%eth0", STARTTLS_HOST_INVALID},
        {"[::1]", STARTTLS_HOST_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (starttls_host_kind(span_of_string(rows[i].host)) != rows[i].want)
            fail_msg("%s: got %d, want %d", rows[i].host, starttls_host_kind(span_of_string(rows[i].host)),
                     rows[i].want);
    assert_int_equal(starttls_host_kind(span_of("a\0b", 3)), STARTTLS_HOST_INVALID);
}

static void authority_parse_wants_a_host_and_a_port(void **state)
{
    static const struct {
        const char *authority;
        const char *want_host; /* NULL: refused */
        uint16_t want_port;
    } rows[] = {
        {"Host.Test:443", "host.test", 443},
        {"host.test.:443", "host.test", 443},
        {"192.0.2.1:1", "192.0.2.1", 1},
        {"[::FFFF:1.2.3.4]:65535", "1.2.3.4", 65535}, /* base/address.h: it is that address */
        {"[0:0:0:0:0:0:0:1]:1", "::1", 1},
        {"[2001:0DB8:0:0:0:0:0:A]:1", "2001:db8::a", 1},
        {"[64:ff9b::102:304]:1", "64:ff9b::102:304", 1},
        {"host.test..:443", NULL, 0},
        {".:443", NULL, 0},
        {":443", NULL, 0},
        {"", NULL, 0},
        {"192.0.2.1.:443", NULL, 0},
        {"host", NULL, 0},
        {"host:", NULL, 0},
        {"host:0", NULL, 0},
        {"host:65536", NULL, 0},
        {"host:100000", NULL, 0},
        {"host:0443", NULL, 0},
        {"host:+443", NULL, 0},
        {"host:-1", NULL, 0},
        {"host: 443", NULL, 0},
        {"host:443 ", NULL, 0},
        {"host:443x", NULL, 0},
        {"host:443:443", NULL, 0},
        {"::1:443", NULL, 0},
        {"[::1]", NULL, 0},
        {"[::1]443", NULL, 0},
        {"[::1:443", NULL, 0},
        {"[::1]]:443", NULL, 0},
        {"[host]:443", NULL, 0},
        {"[192.0.2.1]:443", NULL, 0},
        {"[]:443", NULL, 0},
        {"[", NULL, 0},
        {"[::1.]:443", NULL, 0},
        {"user@host:443", NULL, 0},
        {"http://host:443", NULL, 0},
        {"host:443/x", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *host;
        uint16_t port;
        bool got = starttls_authority_parse(span_of_string(rows[i].authority), &host, &port);

        if (got != (rows[i].want_host != NULL))
            fail_msg("%s: got %d", rows[i].authority, got);
        if (!got) {
            assert_null(host);
            continue;
        }
        assert_string_equal(host, rows[i].want_host);
        assert_int_equal(port, rows[i].want_port);
        free(host);
    }
}

static void authority_parse_optional_port_may_go_without(void **state)
{
    char *host;
    uint16_t port;

    (void)state;
    assert_true(starttls_authority_parse_optional_port(span_of_string("[::1]"), &host, &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 0);
    free(host);
    assert_true(starttls_authority_parse_optional_port(span_of_string("a:25"), &host, &port));
    assert_int_equal(port, 25);
    free(host);
    assert_false(starttls_authority_parse_optional_port(span_of_string("a:"), &host, &port));
    assert_false(starttls_authority_parse_optional_port(span_of_string("a:0"), &host, &port));
    assert_false(starttls_authority_parse_optional_port(span_of_string(""), &host, &port));
}

/* C3: both ends of each network, and their neighbours. */
static void address_denied_by_default_knows_each_network(void **state)
{
    static const struct {
        const char *address;
        bool want;
    } rows[] = {
        {"0.0.0.0", true},
        {"0.255.255.255", true},
        {"1.0.0.0", false},
        {"9.255.255.255", false},
        {"10.0.0.0", true},
        {"10.255.255.255", true},
        {"11.0.0.0", false},
        {"100.63.255.255", false},
        {"100.64.0.0", true},
        {"100.127.255.255", true},
        {"100.128.0.0", false},
        {"126.255.255.255", false},
        {"127.0.0.1", true},
        {"127.255.255.255", true},
        {"128.0.0.0", false},
        {"169.253.255.255", false},
        {"169.254.169.254", true},
        {"169.255.0.0", false},
        {"172.15.255.255", false},
        {"172.16.0.0", true},
        {"172.31.255.255", true},
        {"172.32.0.0", false},
        {"191.255.255.255", false},
        {"192.0.0.0", true},
        {"192.0.0.255", true},
        {"192.0.1.0", false},
        {"192.167.255.255", false},
        {"192.168.0.0", true},
        {"192.168.255.255", true},
        {"192.169.0.0", false},
        {"198.17.255.255", false},
        {"198.18.0.0", true},
        {"198.19.255.255", true},
        {"198.20.0.0", false},
        {"223.255.255.255", false},
        {"224.0.0.0", true},
        {"239.255.255.255", true},
        {"240.0.0.0", true},
        {"255.255.255.255", true},
        {"8.8.8.8", false},

        {"::", true},
        {"::1", true},
        {"::2", true},
        {"::8.8.8.8", false},
        {"::127.0.0.1", true},
        {"::ffff:127.0.0.1", true},
        {"::ffff:8.8.8.8", false},
        {"::ffff:10.1.2.3", true},
        {"::ffff:0:10.1.2.3", true},
        {"::ffff:0:8.8.8.8", false},
        {"64:ff9b::7f00:1", true},
        {"64:ff9b::808:808", false},
        {"64:ff9b:1::808:808", true},
        {"64:ff9b:2::7f00:1", false},
        {"2002:7f00:1::", true},
        {"2002:a00:1::1", true},
        {"2002:808:808::1", false},
        {"2001:0:7f00:1::", true},
        {"2001:0:808:808::f5f5:fefd", true}, /* client 10.10.1.2, inverted */
        {"2001:0:808:808::f7f7:f7f7", false},
        {"2001:1::7f00:1", false},
        {"fbff::1", false},
        {"fc00::", true},
        {"fdff:ffff::1", true},
        {"fe00::1", false},
        {"fe7f::1", false},
        {"fe80::1", true},
        {"febf::1", true},
        {"fec0::1", true},
        {"feff::1", true},
        {"ff00::", true},
        {"ff02::1", true},
        {"2606:4700::1111", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t address[ADDRESS_BYTES_MAX];
        size_t size = strchr(rows[i].address, ':') == NULL ? 4 : 16; /* as a socket may have it, mapped or not */

        assert_int_equal(inet_pton(size == 4 ? AF_INET : AF_INET6, rows[i].address, address), 1);
        if (starttls_address_denied_by_default(address, size) != rows[i].want)
            fail_msg("%s: want %d", rows[i].address, rows[i].want);
    }
}

static void address_denied_by_default_denies_what_is_no_address(void **state)
{
    static const uint8_t bytes[32] = {8, 8, 8, 8, 8, 8};

    (void)state;
    for (size_t size = 0; size <= sizeof(bytes); size++)
        if (size != 4 && size != 16)
            assert_true(starttls_address_denied_by_default(bytes, size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_kind_knows_names_from_addresses),
        cmocka_unit_test(authority_parse_wants_a_host_and_a_port),
        cmocka_unit_test(authority_parse_optional_port_may_go_without),
        cmocka_unit_test(address_denied_by_default_knows_each_network),
        cmocka_unit_test(address_denied_by_default_denies_what_is_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
