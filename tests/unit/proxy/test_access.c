#include "proxy/session/access.h"

#include <arpa/inet.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- certificates ---- */

static struct pkix_id ids[] = {
    {PKIX_ID_EMAIL, (char *)(uintptr_t) "Alice@Example.org"},
    {PKIX_ID_DNS, (char *)(uintptr_t) "host.example.org"},
    {PKIX_ID_URI, (char *)(uintptr_t) "spiffe://example.org/mail"},
    {PKIX_ID_CN, (char *)(uintptr_t) "Alice"},
    {PKIX_ID_OU, (char *)(uintptr_t) "Staff"},
    {PKIX_ID_UPN, (char *)(uintptr_t) "Alice@corp.example"},
    {PKIX_ID_SERIAL_NUMBER, (char *)(uintptr_t) "PNOEE-38001085718"},
};

static struct pkix_identity alice(void)
{
    struct pkix_identity identity = {.ids = ids, .count = ARRAY_LEN(ids)};

    memset(identity.sha256, 'a', 64);
    memset(identity.spki_sha256, 'b', 64);
    return identity;
}

static bool allowed_by(enum config_allow_type type, const char *attribute, const char *pattern)
{
    struct config_allow rule = {
        .type = type, .attribute = (char *)(uintptr_t)attribute, .pattern = (char *)(uintptr_t)pattern};
    struct config_service service = {.allow = &rule, .allow_count = 1, .peer = CONFIG_PEER_REQUIRE};
    struct pkix_identity identity = alice();
    struct access_client client = {.identity = &identity, .issuers = "aa11 bb22", .policies = "1.2.3 2.23.140.1.1"};

    return access_client_allowed(&service, &client);
}

static void client_allowed_by_each_kind_of_rule(void **state)
{
    static const char sha256_a[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static const struct {
        enum config_allow_type type;
        const char *attribute, *pattern;
        bool want;
    } table[] = {
        {CONFIG_ALLOW_ANY, NULL, NULL, true},
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "*@example.org", true},
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "Alice@EXAMPLE.org", true},
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "alice@example.org", false}, /* the local part's case matters */
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "*@example.com", false},
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "*", false}, /* not a mailbox pattern */
        {CONFIG_ALLOW_SAN_DNS, NULL, "*.EXAMPLE.org", true},
        {CONFIG_ALLOW_SAN_DNS, NULL, "host.example.org", true},
        {CONFIG_ALLOW_SAN_DNS, NULL, "example.org", false},
        {CONFIG_ALLOW_SAN_URI, NULL, "spiffe://example.org/*", true},
        {CONFIG_ALLOW_SAN_URI, NULL, "SPIFFE://example.org/*", false},
        {CONFIG_ALLOW_SAN_UPN, NULL, "alice@CORP.example", true}, /* as Active Directory compares them */
        {CONFIG_ALLOW_SAN_UPN, NULL, "*@corp.example", true},
        {CONFIG_ALLOW_SAN_UPN, NULL, "*@example", false},
        {CONFIG_ALLOW_SAN_UPN, NULL, "Alice@Example.org", false},    /* a mail address is none */
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "Alice@corp.example", false}, /* and the other way round */
        {CONFIG_ALLOW_SERIAL_NUMBER, NULL, "PNOEE-38001085718", true},
        {CONFIG_ALLOW_SERIAL_NUMBER, NULL, "PNOEE-*", true},
        {CONFIG_ALLOW_SERIAL_NUMBER, NULL, "PNOLV-*", false},
        {CONFIG_ALLOW_SERIAL_NUMBER, NULL, "38001085718", false},
        {CONFIG_ALLOW_ISSUER, NULL, "aa11", true},
        {CONFIG_ALLOW_ISSUER, NULL, "BB22", true},
        {CONFIG_ALLOW_ISSUER, NULL, "aa1", false},
        {CONFIG_ALLOW_ISSUER, NULL, "aa11 bb22", false},
        {CONFIG_ALLOW_POLICY, NULL, "1.2.3", true},
        {CONFIG_ALLOW_POLICY, NULL, "2.23.140.1.1", true},
        {CONFIG_ALLOW_POLICY, NULL, "1.2", false},
        {CONFIG_ALLOW_POLICY, NULL, "23.140.1.1", false},
        {CONFIG_ALLOW_CN, NULL, "Alice", true},
        {CONFIG_ALLOW_CN, NULL, "A*", false}, /* a star is no star in an attribute */
        {CONFIG_ALLOW_DN, "OU", "Staff", true},
        {CONFIG_ALLOW_DN, "OU", "Sta", false},
        {CONFIG_ALLOW_DN, "O", "Staff", false},
        {CONFIG_ALLOW_DN, "CN", "Alice", true},
        {CONFIG_ALLOW_SHA256, NULL, sha256_a, true},
        {CONFIG_ALLOW_SPKI_SHA256, NULL, sha256_a, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (allowed_by(table[i].type, table[i].attribute, table[i].pattern) != table[i].want)
            fail_msg("row %zu: %s", i, table[i].pattern);
}

static void client_allowed_without_rules_or_certificate(void **state)
{
    struct config_allow any = {.type = CONFIG_ALLOW_ANY};
    struct pkix_identity identity = alice();
    const struct {
        enum config_peer peer;
        size_t rules;
        const struct pkix_identity *identity;
        bool want;
    } table[] = {
        {CONFIG_PEER_NONE, 0, NULL, true},     {CONFIG_PEER_REQUEST, 0, NULL, true},
        {CONFIG_PEER_REQUEST, 1, NULL, false}, {CONFIG_PEER_REQUEST, 0, &identity, true},
        {CONFIG_PEER_REQUIRE, 0, NULL, false}, {CONFIG_PEER_REQUIRE, 0, &identity, false},
        {CONFIG_PEER_REQUIRE, 1, NULL, false}, {CONFIG_PEER_REQUIRE, 1, &identity, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct config_service service = {.peer = table[i].peer, .allow = &any, .allow_count = table[i].rules};

        struct access_client client = {.identity = table[i].identity, .issuers = "", .policies = ""};

        if (access_client_allowed(&service, table[i].identity == NULL ? NULL : &client) != table[i].want)
            fail_msg("row %zu", i);
    }
}

static void pattern_matches_table(void **state)
{
    static const struct {
        const char *pattern, *value;
        bool want;
    } table[] = {
        {"", "", true},         {"*", "", true},         {"*", "anything", true},   {"a*b", "ab", true},
        {"a*b", "a-b-b", true}, {"a*b", "a-b-c", false}, {"*a*a*", "banana", true}, {"*x*", "banana", false},
        {"a", "", false},       {"", "a", false},        {"a**b", "axb", true},     {"*.org", ".org", true},
        {"**", "", true},       {"a*", "b", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (access_pattern_matches(table[i].pattern, table[i].value, ACCESS_CASE_MATTERS) != table[i].want)
            fail_msg("%s against %s", table[i].pattern, table[i].value);
    assert_true(access_pattern_matches("ABC", "abc", ACCESS_CASE_FOLDED));
    assert_false(access_pattern_matches("ABC", "abc", ACCESS_CASE_MATTERS));
}

/* Time that grows with the number of stars would let a certificate's names stop a worker. */
static void pattern_matches_hard_cases_at_once(void **state)
{
    static char value[20001];

    (void)state;
    memset(value, 'a', sizeof(value) - 1);
    assert_false(access_pattern_matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", value, ACCESS_CASE_MATTERS));
}

/* ---- targets ---- */

static struct config_allow_target rules[] = {
    {.host = (char *)(uintptr_t) "*", .port_first = 443, .port_last = 443},
    {.host = (char *)(uintptr_t) "*.example.org", .port_first = 993, .port_last = 995},
    {.network = {.bytes = {10, 0}, .size = 4}, .prefix_bits = 15, .port_first = 22, .port_last = 22},
    {.host = (char *)(uintptr_t) "::1",
     .network = {.bytes = {[15] = 1}, .size = 16},
     .prefix_bits = 128,
     .port_first = 80,
     .port_last = 80},
    {.host = (char *)(uintptr_t) "192.168.0.5",
     .network = {.bytes = {192, 168, 0, 5}, .size = 4},
     .prefix_bits = 32,
     .port_first = 443,
     .port_last = 443},
};
static const struct config_service service = {.allow_target = rules, .allow_target_count = ARRAY_LEN(rules)};

static void target_allowed_table(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        bool want;
    } table[] = {
        {"www.example.com", 443, true},
        {"www.example.com", 444, false},
        {"mail.example.org", 993, true},
        {"a.b.EXAMPLE.org", 995, true},
        {"example.org", 993, false},
        {"badexample.org", 993, false},
        {"mail.example.org", 996, false},
        {"10.0.0.1", 22, true},
        {"10.1.255.1", 22, true},
        {"10.2.0.1", 22, false},
        {"some.name", 22, true /* its addresses decide */},
        {"::1", 80, true},
        {"::2", 80, false},
        {"some.name", 80, false},
        {"0:0:0:0:0:0:0:1", 80, true},
        {"::0:1", 80, true},
        {"0:0:0:0:0:0:0.0.0.1", 80, true},
        {"::ffff:10.0.0.1", 22, true},
        {"::FFFF:a00:1", 22, true},
        {"::ffff:10.2.0.1", 22, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (access_target_allowed(&service, table[i].host, table[i].port) != table[i].want)
            fail_msg("%s:%u", table[i].host, table[i].port);
}

/* An address as a socket may have it: an IPv4-mapped one stays mapped. */
static struct sockaddr_storage socket_address(const char *text, uint16_t port)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        memcpy(&storage, &in, sizeof(in));
    else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
        memcpy(&storage, &in6, sizeof(in6));
    assert_int_not_equal(storage.ss_family, AF_UNSPEC);
    return storage;
}

static void address_allowed_table(void **state)
{
    static const struct {
        const char *host, *address;
        uint16_t port;
        bool want;
    } table[] = {
        {"www.example.com", "93.184.216.34", 443, true},
        {"www.example.com", "127.0.0.1", 443, false},
        {"www.example.com", "::1", 443, false},
        {"www.example.com", "::ffff:127.0.0.1", 443, false},
        {"www.example.com", "169.254.169.254", 443, false},
        {"www.example.com", "192.168.0.5", 443, true}, /* named by a rule */
        {"www.example.com", "192.168.0.6", 443, false},
        {"some.name", "10.1.2.3", 22, true},
        {"some.name", "::ffff:10.1.2.3", 22, true},
        {"some.name", "10.2.2.3", 22, false},
        {"some.name", "93.184.216.34", 22, false}, /* only the network may be reached at this port */
        {"::1", "::1", 80, true},
        {"2606:2800:220:1:248:1893:25c8:1946", "2606:2800:220:1:248:1893:25c8:1946", 443, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct sockaddr_storage address = socket_address(table[i].address, table[i].port);

        if (access_address_allowed(&service, table[i].host, (const struct sockaddr *)&address) != table[i].want)
            fail_msg("%s at %s:%u", table[i].host, table[i].address, table[i].port);
    }
}

static void own_listener_is_recognised(void **state)
{
    struct sockaddr_storage listeners[3];
    static const struct {
        const char *address;
        uint16_t port;
        bool want;
    } table[] = {
        {"127.0.0.1", 3128, true},
        {"127.0.0.1", 3129, false},
        {"127.0.0.2", 3128, false},
        {"0.0.0.0", 3128, true},
        {"127.0.0.1", 8080, true /* of a wildcard */},
        {"192.0.2.77", 8080, false},
        {"::ffff:127.0.0.1", 3128, true},
        {"127.77.1.2", 8080, true},
        {"::ffff:127.0.0.1", 8080, true},
        {"::1", 8080, true},
        {"2001:db8::77", 8080, false},
    };

    struct local_addresses *local = local_addresses_open();

    (void)state;
    listeners[0] = socket_address("127.0.0.1", 3128);
    listeners[1] = socket_address("0.0.0.0", 8080);
    listeners[2] = (struct sockaddr_storage){.ss_family = AF_UNIX};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct sockaddr_storage address = socket_address(table[i].address, table[i].port);

        if (access_is_own_address(listeners, ARRAY_LEN(listeners), local, (const struct sockaddr *)&address) !=
            table[i].want)
            fail_msg("%s:%u", table[i].address, table[i].port);
    }
    local_addresses_close(&local);
}

/* In the log of a client that was turned away: what a rule could say of it, and no more than fits a line. */
static void rules_are_told(void **state)
{
    char value[] = "alice@example.org", unit[] = "Staff", address[] = "192.0.2.1", longest[ACCESS_RULE_TOLD_BYTES + 2];
    struct pkix_id some[PKIX_IDS_MAX] = {{PKIX_ID_EMAIL, value}, {PKIX_ID_IP, address}, {PKIX_ID_OU, unit}};
    struct pkix_identity identity = {.ids = some, .count = 3, .sha256 = "abcd"};
    char *text = access_rules_text(&identity);

    (void)state;
    assert_string_equal(text, "san_email:alice@example.org, dn:OU=Staff");
    free(text);
    some[0] = some[1]; /* an address, which no rule names */
    identity.count = 2;
    text = access_rules_text(&identity);
    assert_string_equal(text, "sha256:abcd");
    free(text);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    some[0] = (struct pkix_id){PKIX_ID_CN, longest};
    for (identity.count = 1; identity.count < ACCESS_RULES_TOLD + 3; identity.count++)
        some[identity.count] = (struct pkix_id){PKIX_ID_O, unit};
    text = access_rules_text(&identity);
    assert_null(strchr(text, 'x'));
    assert_non_null(strstr(text, "dn:O=Staff, and 3 more"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_allowed_by_each_kind_of_rule),
        cmocka_unit_test(client_allowed_without_rules_or_certificate),
        cmocka_unit_test(rules_are_told),
        cmocka_unit_test(pattern_matches_table),
        cmocka_unit_test(pattern_matches_hard_cases_at_once),
        cmocka_unit_test(target_allowed_table),
        cmocka_unit_test(address_allowed_table),
        cmocka_unit_test(own_listener_is_recognised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
