/* Who a certificate says its holder is: pkix/identity.h, pkix/dn.h, pkix/describe.h. */
#include "pkix/identity.h"
#include "cert_builder.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include "pkix/oid_text.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static struct span attribute(enum pkix_oid oid, unsigned tag, const void *value, size_t size)
{
    return builder_tlv(
        ASN1_SET,
        builder_tlv(ASN1_SEQUENCE, builder_oid(oid), builder_tlv(tag, span_of(value, size), builder_end), builder_end),
        builder_end);
}

#define TEXT(oid, tag, text) attribute(oid, tag, text, sizeof(text) - 1)

static struct pkix_identity identity_of(const struct cert_spec *spec)
{
    struct pkix_identity identity;

    assert_true(pkix_identity_read(builder_cert(spec), &identity));
    return identity;
}

static bool has(const struct pkix_identity *identity, enum pkix_id_type type, const char *value)
{
    for (size_t i = 0; i < identity->count; i++)
        if (identity->ids[i].type == type && strcmp(identity->ids[i].value, value) == 0)
            return true;
    return false;
}

static void identity_read_takes_typed_names(void **state)
{
    static const uint8_t ip6[] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    struct cert_spec spec = builder_client("unused", 1, "root", 0);
    struct pkix_identity identity;

    (void)state;
    spec.subject_der = builder_tlv(ASN1_SEQUENCE, TEXT(OID_COUNTRY, ASN1_PRINTABLE_STRING, "DE"),
                                   TEXT(OID_ORGANIZATION, ASN1_UTF8_STRING,
                                        "B\xc3\xbc"
                                        "cher"),
                                   TEXT(OID_ORGANIZATIONAL_UNIT, ASN1_TELETEX_STRING, "Caf\xe9"),
                                   TEXT(OID_COMMON_NAME, ASN1_BMP_STRING, "\0A\0l\0i\0c\0e"), builder_end);
    builder_add_dns(&spec, "host.example.com");
    spec.sans[spec.san_count++] = builder_general_name(0x81, "alice@example.com");
    spec.sans[spec.san_count++] = builder_general_name(0x86, "spiffe://example.com/alice");
    spec.sans[spec.san_count++] = builder_tlv(0x87, span_of(ip6, sizeof(ip6)), builder_end);
    identity = identity_of(&spec);
    assert_int_equal(identity.refused, 0);
    assert_int_equal(identity.count, 7);
    assert_true(has(&identity, PKIX_ID_DNS, "host.example.com"));
    assert_true(has(&identity, PKIX_ID_EMAIL, "alice@example.com"));
    assert_true(has(&identity, PKIX_ID_URI, "spiffe://example.com/alice"));
    assert_true(has(&identity, PKIX_ID_IP, "2001:db8::1"));
    assert_true(has(&identity, PKIX_ID_CN, "Alice"));
    assert_true(has(&identity, PKIX_ID_O,
                    "B\xc3\xbc"
                    "cher"));
    assert_true(has(&identity, PKIX_ID_OU, "Caf\xc3\xa9"));
    assert_string_equal(identity.subject, "CN=Alice,OU=Caf\xc3\xa9,O=B\xc3\xbc"
                                          "cher,C=DE");
    assert_int_equal(strlen(identity.sha256), 64);
    assert_int_equal(strlen(identity.spki_sha256), 64);
    pkix_identity_clear(&identity);
}

static struct span upn(unsigned tag, const char *text, size_t size)
{
    return builder_tlv(0xa0, builder_oid(OID_MS_UPN),
                       builder_tlv(0xa0, builder_tlv(tag, span_of(text, size), builder_end), builder_end), builder_end);
}

/* As Active Directory, PIV and eID cards name people. */
static void identity_read_takes_principal_name_and_serial_number(void **state)
{
    struct cert_spec spec = builder_client("unused", 1, "root", 0);
    struct pkix_identity identity;

    (void)state;
    spec.subject_der = builder_tlv(ASN1_SEQUENCE, TEXT(OID_SERIAL_NUMBER, ASN1_PRINTABLE_STRING, "PNOEE-38001085718"),
                                   TEXT(OID_COMMON_NAME, ASN1_UTF8_STRING, "Alice"), builder_end);
    spec.sans[spec.san_count++] = upn(ASN1_UTF8_STRING, "alice@corp.example", 18);
    spec.sans[spec.san_count++] =
        builder_tlv(0xa0, builder_oid(OID_USER_ID), builder_integer(1), builder_end); /* another */
    spec.sans[spec.san_count++] = upn(ASN1_UTF8_STRING, "admin\0@corp.example", 19);
    spec.sans[spec.san_count++] = upn(ASN1_IA5_STRING, "admin@corp.example", 18); /* not of its type */
    spec.sans[spec.san_count++] = builder_tlv(0xa0, builder_oid(OID_MS_UPN), builder_end);
    identity = identity_of(&spec);
    assert_true(has(&identity, PKIX_ID_UPN, "alice@corp.example"));
    assert_true(has(&identity, PKIX_ID_SERIAL_NUMBER, "PNOEE-38001085718"));
    assert_int_equal(identity.count, 3);
    assert_int_equal(identity.refused, 3);
    pkix_identity_clear(&identity);
    /* Of two serial numbers nobody knows which is meant. */
    spec.subject_der = builder_tlv(ASN1_SEQUENCE, TEXT(OID_SERIAL_NUMBER, ASN1_PRINTABLE_STRING, "1"),
                                   TEXT(OID_SERIAL_NUMBER, ASN1_PRINTABLE_STRING, "2"), builder_end);
    spec.san_count = 0;
    identity = identity_of(&spec);
    assert_int_equal(identity.count, 0);
    assert_int_equal(identity.refused, 2);
    pkix_identity_clear(&identity);
    for (int type = 0; type < PKIX_ID_TYPE_COUNT; type++)
        assert_int_equal(pkix_id_rule((enum pkix_id_type)type) == NULL, type == PKIX_ID_IP);
}

/* CVE-2009-2408, CVE-2021-44532: nothing is cut short, nothing is injected. */
static void identity_read_leaves_out_what_could_mislead(void **state)
{
    struct cert_spec spec = builder_client("unused", 1, "root", 0);
    struct pkix_identity identity;

    (void)state;
    spec.subject_der = builder_tlv(ASN1_SEQUENCE, TEXT(OID_COMMON_NAME, ASN1_UTF8_STRING, "admin\0.example.com"),
                                   TEXT(OID_ORGANIZATION, ASN1_UTF8_STRING, "two\nlines"),
                                   TEXT(OID_ORGANIZATIONAL_UNIT, ASN1_UTF8_STRING, "\xff\xfe"), builder_end);
    spec.sans[spec.san_count++] = builder_tlv(0x82, span_of("a.com\0.b.com", 12), builder_end);
    spec.sans[spec.san_count++] = builder_general_name(0x81, "a@b\r\nBcc: c@d");
    spec.sans[spec.san_count++] = builder_general_name(0x86, "http://x/ y");
    spec.sans[spec.san_count++] = builder_tlv(0x87, span_of("\1\2\3\4\5", 5), builder_end);
    identity = identity_of(&spec);
    assert_int_equal(identity.count, 0);
    assert_int_equal(identity.refused, 7);
    assert_string_equal(identity.subject, "OU=\\ff\\fe,O=two\\0alines,CN=admin\\00.example.com");
    pkix_identity_clear(&identity);
}

static void identity_read_takes_no_common_name_of_two(void **state)
{
    struct cert_spec spec = builder_client("unused", 1, "root", 0);
    struct pkix_identity identity;

    (void)state;
    spec.subject_der = builder_tlv(ASN1_SEQUENCE, TEXT(OID_COMMON_NAME, ASN1_UTF8_STRING, "alice"),
                                   TEXT(OID_COMMON_NAME, ASN1_UTF8_STRING, "bob"), builder_end);
    identity = identity_of(&spec);
    assert_int_equal(identity.count, 0);
    assert_int_equal(identity.refused, 2);
    pkix_identity_clear(&identity);
}

static void identity_read_bounds_its_names(void **state)
{
    struct cert_spec spec = builder_client("x", 1, "root", 0);
    struct span names = span_of(NULL, 0);
    struct pkix_identity identity;

    (void)state;
    for (unsigned i = 0; i < PKIX_IDS_MAX + 10; i++)
        names = builder_join(names, builder_general_name(0x82, "a.example"));
    builder_add_extension(&spec, OID_SUBJECT_ALT_NAME, false, builder_tlv(ASN1_SEQUENCE, names, builder_end));
    identity = identity_of(&spec);
    assert_int_equal(identity.count, PKIX_IDS_MAX);
    assert_int_equal(identity.refused, 11);
    pkix_identity_clear(&identity);
}

static void identity_read_refuses_what_is_no_certificate(void **state)
{
    struct pkix_identity identity;

    (void)state;
    assert_false(pkix_identity_read(span_of("nonsense", 8), &identity));
    pkix_identity_clear(&identity);
}

static void dn_text_escapes_as_rfc_4514_asks(void **state)
{
    static const uint8_t unknown_oid[] = {0x2a, 0x03, 0x84, 0x00};
    struct span oid = builder_tlv(ASN1_OID, span_of(unknown_oid, sizeof(unknown_oid)), builder_end);
    const struct {
        struct span name;
        const char *want;
    } table[] = {
        {builder_name(NULL), "(empty name)"},
        {builder_name("a,b+c\"d\\e<f>g;h"), "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"},
        {builder_name(" x "), "CN=\\ x\\ "},
        {builder_name("#x"), "CN=\\#x"},
        {builder_tlv(ASN1_SEQUENCE,
                     builder_tlv(ASN1_SET,
                                 builder_tlv(ASN1_SEQUENCE, oid,
                                             builder_tlv(ASN1_UTF8_STRING, span_of("v", 1), builder_end), builder_end),
                                 builder_end),
                     builder_end),
         "1.2.3.512=v"},
        {builder_tlv(ASN1_SEQUENCE, attribute(OID_COMMON_NAME, ASN1_INTEGER, "\x05", 1), builder_end), "CN=#05"},
        {span_of("garbage", 7), "(malformed)"},
        {span_of(NULL, 0), "(malformed)"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        char *text = pkix_dn_text(table[i].name);

        assert_string_equal(text, table[i].want);
        free(text);
    }
}

static void dn_text_is_clipped(void **state)
{
    static char long_name[3000];
    char *text;

    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    text = pkix_dn_text(builder_name(long_name));
    assert_true(strlen(text) <= PKIX_DN_TEXT_MAX + 3);
    assert_string_equal(text + strlen(text) - 3, "...");
    free(text);
}

static void oid_parse_table(void **state)
{
    static const struct {
        const char *text;
        const char *want;
        size_t size;
    } table[] = {
        {"2.23.140.1.1", "\x67\x81\x0c\x01\x01", 5},
        {"1.3.6.1.4.1.11129.2.4.2", "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02", 10},
        {"2.5.29.32.0", "\x55\x1d\x20\x00", 4},
        {"2.999", "\x88\x37", 2},
        {"1", NULL, 0},
        {"3.1", NULL, 0},
        {"1.40", NULL, 0},
        {"", NULL, 0},
        {"1.2.", NULL, 0},
        {".1.2", NULL, 0},
        {"1.2.x", NULL, 0},
        {"1.2.99999999999999999999", NULL, 0},
        {"1.3.6.1.4.1.311.21.8.11489019.14294623.5588661.13588161.14264735.15.1.402",
         "\x2b\x06\x01\x04\x01\x82\x37\x15\x08\x85\xbd\x9d\x7b\x86\xe8\xbc\x5f\x82\xd5\x8d"
         "\x35\x86\xbd\xad\x41\x86\xe6\xd3\x1f\x0f\x01\x83\x12",
         33},
        {"1.2.3" /* 65 bytes are too many */
         ".1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1"
         ".1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
         NULL, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        uint8_t oid[PKIX_OID_SIZE_MAX];
        size_t size;
        bool ok = pkix_oid_parse(table[i].text, oid, &size);

        if (ok != (table[i].want != NULL))
            fail_msg("%s", table[i].text);
        if (ok) {
            char *text = pkix_oid_text(span_of(oid, size));

            assert_true(span_equal(span_of(oid, size), span_of(table[i].want, table[i].size)));
            assert_string_equal(text, table[i].text);
            free(text);
        }
    }
}

static void oid_text_says_so_of_what_has_no_text(void **state)
{
    static const struct {
        const char *contents;
        size_t size;
    } table[] = {
        {"", 0},                                                  /* no arc */
        {"\x2a\x86", 2},                                          /* half an arc */
        {"\x2a\x80\x01", 3},                                      /* padded */
        {"\x69\x83\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12}, /* more than 64 bits, as 2.25 with a UUID has */
    };
    static const uint8_t long_one[PKIX_OID_SIZE_MAX + 1] = {0x2a};

    (void)state;
    for (unsigned i = 0; i <= ARRAY_LEN(table); i++) {
        struct span oid =
            i == ARRAY_LEN(table) ? span_of(long_one, sizeof(long_one)) : span_of(table[i].contents, table[i].size);
        char *text = pkix_oid_text(oid), *want = base_printf("(unusual identifier of %zu bytes)", oid.size);

        assert_string_equal(text, want);
        assert_int_equal(pkix_oid_is_well_formed(oid), i >= 3);
        free(want);
        free(text);
    }
}

static void describe_says_what_people_ask_for(void **state)
{
    struct cert_spec spec = builder_client("alice", 1, "root", 0);
    struct pkix_description d;

    (void)state;
    spec.serial = builder_bytes("\x0a\xff", 2);
    assert_true(pkix_describe(builder_cert(&spec), &d));
    assert_string_equal(d.subject, "CN=alice");
    assert_string_equal(d.issuer, "CN=root");
    assert_string_equal(d.serial, "0aff");
    assert_string_equal(d.not_before, "2025-01-01T00:00:00Z");
    assert_string_equal(d.not_after, "2027-01-01T00:00:00Z");
    assert_string_equal(d.key, "EC P-256");
    assert_string_equal(d.signature, "ecdsa-sha256");
    pkix_description_clear(&d);
    assert_false(pkix_describe(span_of("x", 1), &d));
    pkix_description_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_read_takes_typed_names),
        cmocka_unit_test(identity_read_takes_principal_name_and_serial_number),
        cmocka_unit_test(identity_read_leaves_out_what_could_mislead),
        cmocka_unit_test(identity_read_takes_no_common_name_of_two),
        cmocka_unit_test(identity_read_bounds_its_names),
        cmocka_unit_test(identity_read_refuses_what_is_no_certificate),
        cmocka_unit_test(dn_text_escapes_as_rfc_4514_asks),
        cmocka_unit_test(dn_text_is_clipped),
        cmocka_unit_test(oid_parse_table),
        cmocka_unit_test(oid_text_says_so_of_what_has_no_text),
        cmocka_unit_test(describe_says_what_people_ask_for),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
