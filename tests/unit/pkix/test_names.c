/* Names of hosts, addresses, mail and URIs: pkix/names.h. */
#include "pkix/names.h"
#include "cert_builder.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define SPAN(text) span_of((text), sizeof(text) - 1)

static void dns_id_valid_table(void **state)
{
    static const char label63[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com";
    static const char label64[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com";
    const struct {
        struct span name;
        bool reference, presented, constraint;
    } table[] = {
        {SPAN("example.com"), true, true, true},
        {SPAN("a"), true, true, true},
        {SPAN(""), false, false, true},
        {SPAN("."), false, false, false},
        {SPAN("example.com."), true, false, false},
        {SPAN("example.com.."), false, false, false},
        {SPAN(".example.com"), false, false, true},
        {SPAN("..example.com"), false, false, false},
        {SPAN("a..b"), false, false, false},
        {SPAN("*.example.com"), false, true, false},
        {SPAN("*.com"), false, false, false},
        {SPAN("*"), false, false, false},
        {SPAN("*."), false, false, false},
        {SPAN("*.*.example.com"), false, false, false},
        {SPAN("w*.example.com"), false, false, false},
        {SPAN("foo.*.com"), false, false, false},
        {SPAN("-a.com"), true, false, false},
        {SPAN("a-.com"), true, false, false},
        {SPAN("a_b.example.com"), true, true, true},
        {SPAN("1.2.3.4"), false, false, false},
        {SPAN("example.123"), false, false, false},
        {SPAN("123.example"), true, true, true},
        {SPAN("a\0.com"), false, false, false},
        {SPAN("a\xc3\xa4.com"), false, false, false},
        {SPAN("a b.com"), false, false, false},
        {SPAN(label63), true, true, true},
        {SPAN(label64), false, false, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        if (pkix_dns_id_valid(table[i].name, PKIX_DNS_REFERENCE) != table[i].reference ||
            pkix_dns_id_valid(table[i].name, PKIX_DNS_PRESENTED) != table[i].presented ||
            pkix_dns_id_valid(table[i].name, PKIX_DNS_CONSTRAINT) != table[i].constraint)
            fail_msg("row %u: %.*s", i, (int)table[i].name.size, (const char *)table[i].name.data);
    }
}

static void dns_id_valid_bounds_the_whole_name(void **state)
{
    char name[256];

    (void)state;
    memset(name, 'a', sizeof(name));
    for (unsigned i = 50; i < sizeof(name); i += 50)
        name[i] = '.';
    assert_true(pkix_dns_id_valid(span_of(name, 253), PKIX_DNS_REFERENCE));
    assert_false(pkix_dns_id_valid(span_of(name, 254), PKIX_DNS_REFERENCE));
}

static void dns_id_matches_table(void **state)
{
    static const struct {
        const char *presented, *reference;
        bool want;
    } table[] = {
        {"example.com", "example.com", true},         {"Example.COM", "eXample.com", true},
        {"example.com", "example.com.", true},        {"example.com", "www.example.com", false},
        {"*.example.com", "www.example.com", true},   {"*.example.com", "www.example.com.", true},
        {"*.example.com", "example.com", false},      {"*.example.com", "a.b.example.com", false},
        {"*.example.com", ".example.com", false},     {"*.example.com", "www.example.org", false},
        {"*.b.example.com", "a.b.example.com", true}, {"xn--bcher-kva.example", "xn--bcher-kva.example", true},
        {"a.example.com", "b.example.com", false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        if (pkix_dns_id_matches(span_of_string(table[i].presented), span_of_string(table[i].reference)) !=
            table[i].want)
            fail_msg("%s %s", table[i].presented, table[i].reference);
}

static void ip_parse_and_format_table(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        const char *back;
    } table[] = {
        {"192.0.2.1", 4, "192.0.2.1"},
        {"2001:db8::1", 16, "2001:db8::1"},
        {"2001:DB8:0:0:1::1", 16, "2001:db8::1:0:0:1"},
        {"::ffff:192.0.2.1", 4, "192.0.2.1"},
        {"192.0.2.01", 0, NULL},
        {"192.0.2", 0, NULL},
        {"0xC0000201", 0, NULL},
        {"fe80::1%eth0", 0, NULL},
        {"[::1]", 0, NULL},
        {"", 0, NULL},
        {"1.2.3.4.5", 0, NULL},
        {"12345::", 0, NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        uint8_t address[16];
        size_t size = 0;
        char text[PKIX_IP_TEXT_SIZE];
        bool ok = pkix_ip_parse(span_of_string(table[i].text), address, &size);

        if (ok != (table[i].back != NULL))
            fail_msg("%s", table[i].text);
        if (!ok)
            continue;
        assert_int_equal(size, table[i].size);
        pkix_ip_format(span_of(address, size), text);
        assert_string_equal(text, table[i].back);
    }
}

static void email_split_table(void **state)
{
    const struct {
        struct span address;
        bool want;
    } table[] = {
        {SPAN("a@example.com"), true},
        {SPAN("a.b+c@example.com"), true},
        {SPAN("**@example.com"), true},
        {SPAN("@example.com"), false},
        {SPAN("a@"), false},
        {SPAN("a"), false},
        {SPAN("a@b@example.com"), false},
        {SPAN("\"a b\"@example.com"), false},
        {SPAN("a@[192.0.2.1]"), false},
        {SPAN(".a@example.com"), false},
        {SPAN("a.@example.com"), false},
        {SPAN("a..b@example.com"), false},
        {SPAN("a\0@example.com"), false},
        {SPAN("a@*.example.com"), false},
        {SPAN("a@example.com."), false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct span local, domain;

        if (pkix_email_split(table[i].address, &local, &domain) != table[i].want)
            fail_msg("row %u", i);
    }
}

static void uri_host_table(void **state)
{
    static const struct {
        const char *uri, *want;
    } table[] = {
        {"https://example.com/x", "example.com"},
        {"spiffe://trust.domain/path", "trust.domain"},
        {"http://user:pw@example.com:80?q", "example.com"},
        {"http://evil.com@example.com/", "example.com"},
        {"http://example.com/@evil.com", "example.com"},
        {"http://[::1]:80/", "[::1]"},
        {"urn:uuid:1", NULL},
        {"mailto:a@example.com", NULL},
        {"//example.com", NULL},
        {"http://", NULL},
        {"http:///path", NULL},
        {"http://[::1/", NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct span host = {0};
        bool ok = pkix_uri_host(span_of_string(table[i].uri), &host);

        if (ok != (table[i].want != NULL) || (ok && !span_equal(host, span_of_string(table[i].want))))
            fail_msg("%s", table[i].uri);
    }
}

/* A leaf whose alternative names are `sans`, parsed. */
static struct pkix_cert cert_with(const struct span *sans, unsigned count)
{
    struct cert_spec spec = builder_client("cn.example.com", 1, "root", 0);
    struct pkix_cert cert;

    for (unsigned i = 0; i < count; i++)
        spec.sans[spec.san_count++] = sans[i];
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    return cert;
}

static void name_check_matches_only_names_of_the_type(void **state)
{
    static const uint8_t ip[] = {192, 0, 2, 1};
    struct span sans[] = {
        builder_general_name(0x86, "https://uri.example.com/"),
        builder_general_name(0x81, "user@mail.example.com"),
        builder_tlv(0xa0, builder_oid(OID_COMMON_NAME),
                    builder_tlv(0xa0, builder_tlv(ASN1_UTF8_STRING, span_of_string("other.example.com"), builder_end),
                                builder_end),
                    builder_end),
        builder_general_name(0x82, "www.example.com"),
        builder_general_name(0x82, "*.wild.example.com"),
        builder_tlv(0x87, span_of(ip, sizeof(ip)), builder_end),
    };
    struct pkix_cert cert = cert_with(sans, ARRAY_LEN(sans));
    const struct {
        struct pkix_name name;
        enum pkix_error want;
    } table[] = {
        {{PKIX_NAME_DNS, SPAN("www.example.com")}, PKIX_OK},
        {{PKIX_NAME_DNS, SPAN("a.wild.example.com")}, PKIX_OK},
        {{PKIX_NAME_DNS, SPAN("cn.example.com")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_DNS, SPAN("uri.example.com")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_DNS, SPAN("other.example.com")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_DNS, SPAN("mail.example.com")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_DNS, SPAN("")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_IP, SPAN("\xc0\x00\x02\x01")}, PKIX_OK},
        {{PKIX_NAME_IP, SPAN("\xc0\x00\x02\x02")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_IP, SPAN("\xc0\x00\x02")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_EMAIL, SPAN("user@MAIL.example.com")}, PKIX_OK},
        {{PKIX_NAME_EMAIL, SPAN("USER@mail.example.com")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_URI, SPAN("https://uri.example.com/")}, PKIX_OK},
        {{PKIX_NAME_URI, SPAN("https://uri.example.com")}, PKIX_NAME_MISMATCH},
        {{PKIX_NAME_NONE, SPAN("")}, PKIX_NAME_MISMATCH},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        if (pkix_name_check(&cert, &table[i].name) != table[i].want)
            fail_msg("row %u", i);
}

static void name_check_stops_at_a_malformed_name_of_the_type(void **state)
{
    struct span before[] = {builder_general_name(0x82, "www.example.com"), builder_general_name(0x82, "a..b")};
    struct span after[] = {builder_general_name(0x82, "a..b"), builder_general_name(0x82, "www.example.com")};
    struct pkix_name name = {PKIX_NAME_DNS, SPAN("www.example.com")};
    struct pkix_cert cert = cert_with(before, 2);

    (void)state;
    assert_int_equal(pkix_name_check(&cert, &name), PKIX_OK);
    cert = cert_with(after, 2);
    assert_int_equal(pkix_name_check(&cert, &name), PKIX_NAME_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dns_id_valid_table),
        cmocka_unit_test(dns_id_valid_bounds_the_whole_name),
        cmocka_unit_test(dns_id_matches_table),
        cmocka_unit_test(ip_parse_and_format_table),
        cmocka_unit_test(email_split_table),
        cmocka_unit_test(uri_host_table),
        cmocka_unit_test(name_check_matches_only_names_of_the_type),
        cmocka_unit_test(name_check_stops_at_a_malformed_name_of_the_type),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
