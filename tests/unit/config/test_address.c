#include "testing.h"

static void address_parse_takes_all_forms(void **state)
{
    static const struct {
        const char *text;
        enum config_address_type type;
        const char *host;
        uint16_t port;
        enum { AWAY, LOOPBACK } reach;
    } cases[] = {
        {"127.0.0.1:25", CONFIG_ADDRESS_INET, "127.0.0.1", 25, LOOPBACK},
        {"127.255.1.2:65535", CONFIG_ADDRESS_INET, "127.255.1.2", 65535, LOOPBACK},
        {"0.0.0.0:143", CONFIG_ADDRESS_INET, "0.0.0.0", 143, AWAY},
        {"[::1]:1", CONFIG_ADDRESS_INET, "::1", 1, LOOPBACK},
        {"[0:0:0:0:0:0:0:1]:1", CONFIG_ADDRESS_INET, "::1", 1, LOOPBACK},
        {"[::ffff:127.0.0.1]:1", CONFIG_ADDRESS_INET, "127.0.0.1", 1, LOOPBACK},
        {"[::ffff:10.0.0.1]:1", CONFIG_ADDRESS_INET, "10.0.0.1", 1, AWAY},
        {"[::]:143", CONFIG_ADDRESS_INET, "::", 143, AWAY},
        {"localhost:80", CONFIG_ADDRESS_INET, "localhost", 80, LOOPBACK},
        {"LOCALHOST.:80", CONFIG_ADDRESS_INET, "localhost", 80, LOOPBACK},
        {"localhost.example.org:80", CONFIG_ADDRESS_INET, "localhost.example.org", 80, AWAY},
        {"smtp.Example.com:587", CONFIG_ADDRESS_INET, "smtp.example.com", 587, AWAY},
        {"unix:/run/x.sock", CONFIG_ADDRESS_UNIX, "/run/x.sock", 0, LOOPBACK},
        {"systemd:imap-1", CONFIG_ADDRESS_SYSTEMD, "imap-1", 0, AWAY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_address address;
        char *error = NULL;

        if (!config_address_parse(cases[i].text, &address, &error))
            fail_msg("%s: %s", cases[i].text, error);
        assert_int_equal(address.type, cases[i].type);
        assert_string_equal(address.host, cases[i].host);
        assert_int_equal(address.port, cases[i].port);
        assert_string_equal(address.text, cases[i].text);
        assert_int_equal(config_address_is_loopback(&address), cases[i].reach == LOOPBACK);
        config_address_clear(&address);
        assert_null(address.host);
    }
}

#define PATH_107                                                                                                       \
    "/run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static_assert(sizeof(PATH_107) - 1 == CONFIG_UNIX_PATH_BYTES_MAX, "the longest path");

static void address_parse_refuses(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "\"\" is not HOST:PORT or [IPV6]:PORT"},
        {"143", "\"143\" is not HOST:PORT or [IPV6]:PORT: the host is missing; 127.0.0.1 is for this machine alone, "
                "0.0.0.0 and [::] for all"},
        {":143", "\":143\" is not HOST:PORT or [IPV6]:PORT: the host is missing; 127.0.0.1 is for this machine alone, "
                 "0.0.0.0 and [::] for all"},
        {"host:", "\"host:\" is not HOST:PORT or [IPV6]:PORT"},
        {"::1:143", "\"::1:143\" is not HOST:PORT or [IPV6]:PORT"},
        {"[::1]", "\"[::1]\" is not HOST:PORT or [IPV6]:PORT"},
        {"[::1]143", "\"[::1]143\" is not HOST:PORT or [IPV6]:PORT"},
        {"[::1:143", "\"[::1:143\" is not HOST:PORT or [IPV6]:PORT"},
        {"[127.0.0.1]:1", "\"127.0.0.1\" between brackets is not an IPv6 address"},
        {"[fe80::1%eth0]:1", "\"fe80::1%eth0\" between brackets is not an IPv6 address"},
        {"host:0", "the port must be a number from 1 to 65535, not \"0\""},
        {"host:65536", "the port must be a number from 1 to 65535, not \"65536\""},
        {"host:imap", "the port must be a number from 1 to 65535, not \"imap\""},
        {"127.1:25", "\"127.1\" is neither a host name nor an address"},
        {"a.0x:25", "\"a.0x\" is neither a host name nor an address"},
        {"*:25", "\"*\" is no address: 0.0.0.0 and [::] are for every address of this machine"},
        {"backend", "\"backend\" is not HOST:PORT or [IPV6]:PORT: the port is missing"},
        {"http://a:1", "\"http://a:1\" is not HOST:PORT or [IPV6]:PORT: it is a URL"},
        {"a\nb:25", "\"a\\x0ab\" is neither a host name nor an address"},
        {"unix:", "the path of a Unix socket has 1 to 107 bytes, not 0"},
        {"unix:" PATH_107 "b", "the path of a Unix socket has 1 to 107 bytes, not 108"},
        {"systemd:", "\"\" is not a socket's FileDescriptorName: letters, digits, '.', '_' and '-'"},
        {"systemd:a:b", "\"a:b\" is not a socket's FileDescriptorName: letters, digits, '.', '_' and '-'"},
    };
    struct config_address address;
    char *error = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_false(config_address_parse(cases[i].text, &address, &error));
        assert_string_equal(error, cases[i].error);
        assert_null(address.host);
        assert_null(address.text);
        free(error);
        error = NULL;
    }
    assert_true(config_address_parse("unix:" PATH_107, &address, &error));
    config_address_clear(&address);
}

/* One service of the http-proxy kind with this allow_target. */
static char *proxy_text(const char *allow_target)
{
    return base_printf("[service p]\nprotocol = http-proxy\nlisten = 127.0.0.1:1\nallow_target = %s\n", allow_target);
}

static void allow_target_takes_all_forms(void **state)
{
    char *text = proxy_text("*:443, *.Example.org:993, host.example:*, 10.0.0.0/8:22, [::1]:1000-2000, [fd00::/7]:443, "
                            "0.0.0.0/0:80, 192.168.1.128/25:8080, [0:0:0:0:0:0:0:1]:1, [::FFFF:192.0.2.1]:1, "
                            "[::ffff:10.0.0.0/104]:1, [2001:DB8:0:0::/32]:1");
    static const struct {
        const char *host;
        unsigned size, bits, first, last;
        uint8_t network[16];
    } want[] = {
        {"*", 0, 0, 443, 443, {0}},
        {"*.example.org", 0, 0, 993, 993, {0}},
        {"host.example", 0, 0, 1, 65535, {0}},
        {NULL, 4, 8, 22, 22, {10}},
        {"::1", 16, 128, 1000, 2000, {[15] = 1}},
        {NULL, 16, 7, 443, 443, {0xfc}},
        {NULL, 4, 0, 80, 80, {0}},
        {NULL, 4, 25, 8080, 8080, {192, 168, 1, 128}},
        {"::1", 16, 128, 1, 1, {[15] = 1}},
        {"192.0.2.1", 4, 32, 1, 1, {192, 0, 2, 1}}, /* an IPv4-mapped address is the IPv4 address */
        {NULL, 4, 8, 1, 1, {10}},
        {NULL, 16, 32, 1, 1, {0x20, 0x01, 0x0d, 0xb8}},
    };
    struct config *config;

    (void)state;
    /* fd00:: has the eighth bit set. */
    testing_expect_findings(text,
                            "f:4: allow_target: the address has bits after the first 7 set; the network is fc00::/7\n");
    memcpy(strstr(text, "fd00"), "fc00", 4);
    config = testing_parse_good(text);
    assert_int_equal(config->services[0].allow_target_count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        const struct config_allow_target *got = &config->services[0].allow_target[i];

        if (want[i].host == NULL)
            assert_null(got->host);
        else
            assert_string_equal(got->host, want[i].host);
        assert_int_equal(got->network.size, want[i].size);
        assert_int_equal(got->prefix_bits, want[i].bits);
        assert_int_equal(got->port_first, want[i].first);
        assert_int_equal(got->port_last, want[i].last);
        assert_memory_equal(got->network.bytes, want[i].network, 16);
        assert_int_equal(got->place.line, 4);
    }
    config_destroy(&config);
    free(text);
}

static void allow_target_refuses(void **state)
{
    static const struct {
        const char *value, *error;
    } cases[] = {
        {"*", "\"*\" is not HOST:PORT or [IPV6]:PORT: the port is missing"},
        {"example.org", "\"example.org\" is not HOST:PORT or [IPV6]:PORT: the port is missing"},
        {"*:0", "the port must be a number from 1 to 65535, not \"0\""},
        {"*:2-1", "the first port of a range must not be greater than the last"},
        {"*:1-", "the port must be a number from 1 to 65535, not \"\""},
        {"*:-1", "the port must be a number from 1 to 65535, not \"\""},
        {"*:1-70000", "the port must be a number from 1 to 65535, not \"70000\""},
        {"*example.org:1", "\"*example.org\" is neither a host name nor an address"},
        {"*.*.org:1", "\"*.org\" is neither a host name nor an address"},
        {"*.:1", "\"\" is neither a host name nor an address"},
        {"10.0.0.0/33:1", "must be a number from 0 to 32, not \"33\""},
        {"[::/129]:1", "must be a number from 0 to 128, not \"129\""},
        {"[::ffff:10.0.0.0/95]:1", "must be a number from 96 to 128, not \"95\""},
        {"[::ffff:10.1.0.0/104]:1", "the address has bits after the first 8 set; the network is 10.0.0.0/8"},
        {"10.0.0.0/:1", "must be a number from 0 to 32, not \"\""},
        {"10.0.0/8:1", "a network is ADDRESS/BITS, such as 10.0.0.0/8 or [fd00::/8]"},
        {"host/8:1", "a network is ADDRESS/BITS, such as 10.0.0.0/8 or [fd00::/8]"},
        {"10.1.0.0/8:1", "the address has bits after the first 8 set; the network is 10.0.0.0/8"},
        {"*:1,", "an entry of the list is empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = proxy_text(cases[i].value);
        char *want = base_printf("f:4: allow_target: %s\n", cases[i].error);

        testing_expect_findings(text, want);
        free(want);
        free(text);
    }
}

/* One service that verifies, with this issuer_fetch. */
static char *issuer_text(const char *issuer_fetch)
{
    return base_printf("[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\nconnect_tls = implicit\n"
                       "issuer_fetch = %s\n",
                       issuer_fetch);
}

static void issuer_fetch_takes_all_forms(void **state)
{
    char *text = issuer_text("*, *.Example.org, Pki.example:8080, 10.0.0.1, [fd00::0:1], [::1]:81, *:8080");
    static const struct {
        const char *host;
        unsigned port;
    } want[] = {{"*", 80},        {"*.example.org", 80}, {"pki.example", 8080},
                {"10.0.0.1", 80}, {"fd00::1", 80},       {"::1", 81},
                {"*", 8080}};
    struct config *config = testing_parse_good(text);

    (void)state;
    assert_int_equal(config->services[0].issuer_fetch_count, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_string_equal(config->services[0].issuer_fetch[i].host, want[i].host);
        assert_int_equal(config->services[0].issuer_fetch[i].port, want[i].port);
        assert_int_equal(config->services[0].issuer_fetch[i].place.line, 5);
    }
    config_destroy(&config);
    free(text);
}

static void issuer_fetch_refuses(void **state)
{
    static const struct {
        const char *value, *error;
    } cases[] = {
        {"http://pki.example/",
         "must be HOST or HOST:PORT without a scheme and a path: issuers are fetched by plain http"},
        {"pki.example/ca.crt", "\"pki.example/ca.crt\" is neither a host name nor an address"},
        {"pki.example:0", "the port must be a number from 1 to 65535, not \"0\""},
        {"pki.example:", "\"pki.example:\" is not HOST:PORT or [IPV6]:PORT"},
        {"fd00::1", "\"fd00::1\" is not HOST:PORT or [IPV6]:PORT"},
        {"[pki", "\"[pki\" is neither a host name nor an address"},
        {"[fd00::1", "\"[fd00::1\" is not HOST:PORT or [IPV6]:PORT"},
        {"*pki.example", "\"*pki.example\" is neither a host name nor an address"},
        {"*.", "\"\" is neither a host name nor an address"},
        {"10.0.0.0/8", "\"10.0.0.0/8\" is neither a host name nor an address"},
        {"pki.example,", "an entry of the list is empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = issuer_text(cases[i].value);
        char *want = base_printf("f:5: issuer_fetch: %s\n", cases[i].error);

        testing_expect_findings(text, want);
        free(want);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_parse_takes_all_forms), cmocka_unit_test(address_parse_refuses),
        cmocka_unit_test(allow_target_takes_all_forms),  cmocka_unit_test(allow_target_refuses),
        cmocka_unit_test(issuer_fetch_takes_all_forms),  cmocka_unit_test(issuer_fetch_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
