/* Name constraints: pkix/constraints.h. */
#include "pkix/constraints.h"
#include "cert_builder.h"

#include <setjmp.h>
#include <cmocka.h>

#define SPAN(text) span_of((text), sizeof(text) - 1)

enum { DNS = 0x82, EMAIL = 0x81, URI = 0x86, IP = 0x87, OTHER = 0xa0, RID = 0x88, EDI = 0xa5, X400 = 0xa3 };

struct row {
    unsigned type;
    struct span name, permitted, excluded; /* size 0: none */
    enum pkix_error want;
};

static struct span general_name(unsigned type, struct span contents)
{
    return builder_tlv(type, contents, builder_end);
}

static struct pkix_constraint_breach breach; /* of the last check */

static enum pkix_error check(const struct row *row)
{
    struct cert_spec spec = builder_client(NULL, 1, "root", 0);
    struct span constraints;
    struct pkix_cert cert;
    unsigned comparisons = 1000;

    spec.sans[spec.san_count++] = general_name(row->type, row->name);
    constraints =
        builder_constraints(row->permitted.data == NULL ? span_of(NULL, 0) : general_name(row->type, row->permitted),
                            row->excluded.data == NULL ? span_of(NULL, 0) : general_name(row->type, row->excluded));
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    return pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach);
}

static void run(const struct row *table, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enum pkix_error got = check(&table[i]);

        if (got != table[i].want)
            fail_msg("row %u: %.*s: want %s, got %s", i, (int)table[i].name.size, (const char *)table[i].name.data,
                     pkix_error_name(table[i].want), pkix_error_name(got));
    }
}

static const enum pkix_error no = PKIX_NAME_CONSTRAINT_VIOLATION;

#define PERMIT(type, name, constraint, want)                                                                           \
    {                                                                                                                  \
        type, SPAN(name), SPAN(constraint), {0}, want                                                                  \
    }
#define EXCLUDE(type, name, constraint, want)                                                                          \
    {                                                                                                                  \
        type, SPAN(name), {0}, SPAN(constraint), want                                                                  \
    }

static void dns_table(void **state)
{
    const struct row table[] = {
        PERMIT(DNS, "example.com", "example.com", PKIX_OK),
        PERMIT(DNS, "www.example.com", "example.com", PKIX_OK),
        PERMIT(DNS, "WWW.EXAMPLE.COM", "example.com", PKIX_OK),
        PERMIT(DNS, "notexample.com", "example.com", no),
        PERMIT(DNS, "example.com", ".example.com", no),
        PERMIT(DNS, "www.example.com", ".example.com", PKIX_OK),
        PERMIT(DNS, "example.com", "", PKIX_OK),
        PERMIT(DNS, "example.org", "example.com", no),
        PERMIT(DNS, "*.example.com", "example.com", PKIX_OK),
        PERMIT(DNS, "*.example.com", ".example.com", PKIX_OK),
        PERMIT(DNS, "*.example.com", "accept.example.com", no), /* RUSTSEC-2026-0099, NSS bug 2023209 */
        PERMIT(DNS, "*.a.example.com", "example.com", PKIX_OK),
        PERMIT(DNS, "a..b", "example.com", PKIX_BAD_DER),
        PERMIT(DNS, "a.example.com", "*.example.com", PKIX_BAD_DER),
        PERMIT(DNS, "a.example.com", "example.com.", PKIX_BAD_DER),
        EXCLUDE(DNS, "example.com", "example.com", no),
        EXCLUDE(DNS, "www.example.com", "EXAMPLE.com", no), /* CVE-2026-33810 */
        EXCLUDE(DNS, "www.Example.Com", "eXample.com", no),
        EXCLUDE(DNS, "example.org", "example.com", PKIX_OK),
        EXCLUDE(DNS, "*.example.com", "foo.example.com", no), /* CVE-2025-61727 */
        EXCLUDE(DNS, "*.EXAMPLE.com", "foo.example.com", no),
        EXCLUDE(DNS, "*.example.com", "a.foo.example.com", PKIX_OK),
        EXCLUDE(DNS, "*.example.com", "com2", PKIX_OK), /* golang#76935 */
        EXCLUDE(DNS, "*.example.com", "com", no),
        EXCLUDE(DNS, "", "example.com", PKIX_BAD_DER), /* CVE-2026-27138 */
        EXCLUDE(DNS, "example.com", "", no),
    };

    (void)state;
    run(table, ARRAY_LEN(table));
}

static void ip_table(void **state)
{
    const struct row table[] = {
        PERMIT(IP, "\x0a\x00\x00\x01", "\x0a\x00\x00\x00\xff\x00\x00\x00", PKIX_OK),
        PERMIT(IP, "\x0b\x00\x00\x01", "\x0a\x00\x00\x00\xff\x00\x00\x00", no),
        EXCLUDE(IP, "\x0a\x00\x00\x01", "\x0a\x00\x00\x00\xff\x00\x00\x00", no),
        PERMIT(IP, "\x0a\x00\x00\x01", "\x0a\x00\x00\x00\xff\x00\x00", PKIX_BAD_DER),
        PERMIT(IP, "\x0a\x00\x00", "\x0a\x00\x00\x00\xff\x00\x00\x00", PKIX_BAD_DER),
        /* An IPv6 name is not an IPv4 one, mapped or not. */
        PERMIT(IP, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", "\x0a\0\0\0\xff\0\0\0", no),
        EXCLUDE(IP, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", "\x0a\0\0\0\xff\0\0\0", PKIX_OK),
    };

    (void)state;
    run(table, ARRAY_LEN(table));
}

static void email_table(void **state)
{
    const struct row table[] = {
        PERMIT(EMAIL, "a@example.com", "example.com", PKIX_OK),
        PERMIT(EMAIL, "a@www.example.com", "example.com", no),
        PERMIT(EMAIL, "a@www.example.com", ".example.com", PKIX_OK),
        PERMIT(EMAIL, "a@example.com", "a@example.com", PKIX_OK),
        PERMIT(EMAIL, "A@example.com", "a@example.com", no),
        EXCLUDE(EMAIL, "A@EXAMPLE.com", "a@example.com", no),
        PERMIT(EMAIL, "b@example.com", "a@example.com", no),
        PERMIT(EMAIL, "user@example.com", "*@example.com", no),
        PERMIT(EMAIL, "not an address", "example.com", PKIX_BAD_DER),
        EXCLUDE(EMAIL, "not an address", "example.com", PKIX_BAD_DER),
        EXCLUDE(EMAIL, "a@example.com", "@example.com", PKIX_BAD_DER),
    };

    (void)state;
    run(table, ARRAY_LEN(table));
}

static struct span utf8_mailbox(const char *mailbox)
{
    return builder_join(
        builder_oid(OID_SMTP_UTF8_MAILBOX),
        builder_tlv(0xa0, builder_tlv(ASN1_UTF8_STRING, span_of_string(mailbox), builder_end), builder_end));
}

/* RFC 9598 section 6: a mailbox with UTF-8 is held to the constraints of mail addresses. */
static void utf8_mailbox_table(void **state)
{
    static const struct {
        const char *mailbox, *permitted, *excluded;
        enum pkix_error want;
    } table[] = {
        {"m\xc3\xbcller@example.com", "example.com", NULL, PKIX_OK},
        {"m\xc3\xbcller@EXAMPLE.com", "example.com", NULL, PKIX_OK},
        {"m\xc3\xbcller@a.example.com", "example.com", NULL, PKIX_NAME_CONSTRAINT_VIOLATION},
        {"m\xc3\xbcller@a.example.com", ".example.com", NULL, PKIX_OK},
        {"m\xc3\xbcller@example.org", "example.com", NULL, PKIX_NAME_CONSTRAINT_VIOLATION},
        {"m\xc3\xbcller@example.com", "muller@example.com", NULL, PKIX_NAME_CONSTRAINT_VIOLATION},
        {"m\xc3\xbcller@example.com", NULL, "example.com", PKIX_NAME_CONSTRAINT_VIOLATION},
        {"m\xc3\xbcller@example.com", NULL, "example.org", PKIX_OK},
        {"m\xc3\xbcller@example.com", NULL, "", PKIX_NAME_CONSTRAINT_VIOLATION},
        /* The other type does not evade the very mailbox. */
        {"alice@example.com", NULL, "alice@example.com", PKIX_NAME_CONSTRAINT_VIOLATION},
        {"Alice@Example.com", NULL, "alice@example.com", PKIX_NAME_CONSTRAINT_VIOLATION},
        {"bob@example.com", NULL, "alice@example.com", PKIX_OK},
        /* What cannot be compared. */
        {"m\xc3\xbcller@ex\xc3\xa4mple.com", NULL, "example.org", PKIX_NAME_CONSTRAINT_VIOLATION},
        {"m\xc3\xbcller", "", NULL, PKIX_NAME_CONSTRAINT_VIOLATION},
        {"@example.com", NULL, "example.org", PKIX_NAME_CONSTRAINT_VIOLATION},
        {"a@evil.com@example.com", NULL, "evil.com", PKIX_OK},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec spec = builder_client(NULL, 1, "root", 0);
        struct span permitted =
                        table[i].permitted == NULL ? span_of(NULL, 0) : builder_general_name(EMAIL, table[i].permitted),
                    excluded =
                        table[i].excluded == NULL ? span_of(NULL, 0) : builder_general_name(EMAIL, table[i].excluded);
        struct pkix_cert cert;
        unsigned comparisons = 1000;
        enum pkix_error got;

        spec.sans[spec.san_count++] = general_name(OTHER, utf8_mailbox(table[i].mailbox));
        assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
        got = pkix_constraints_check(builder_constraints(permitted, excluded), &cert, PKIX_COMMON_NAME_IGNORED,
                                     &comparisons, &breach);
        if (got != table[i].want)
            fail_msg("row %zu: %s: want %s, got %s", i, table[i].mailbox, pkix_error_name(table[i].want),
                     pkix_error_name(got));
        if (got == PKIX_NAME_CONSTRAINT_VIOLATION)
            assert_int_equal(breach.type, PKIX_GN_EMAIL);
    }
}

/* One RDN for each pair of an attribute and its value of that string type. */
static struct span rdn(enum pkix_oid oid, unsigned tag, const char *value, size_t size)
{
    return builder_tlv(
        ASN1_SET,
        builder_tlv(ASN1_SEQUENCE, builder_oid(oid), builder_tlv(tag, span_of(value, size), builder_end), builder_end),
        builder_end);
}
#define RDN(oid, tag, value) rdn(oid, tag, value, sizeof(value) - 1)

static struct span dn_of(struct span rdns)
{
    return builder_tlv(ASN1_SEQUENCE, rdns, builder_end);
}

/* RFC 5280 sections 4.2.1.10 and 7.1: every directory name that is there, whatever its spelling. */
static void directory_table(void **state)
{
    const struct span corp = RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "Corp"),
                      staff = RDN(OID_ORGANIZATIONAL_UNIT, ASN1_UTF8_STRING, "Staff");
    const struct {
        const char *what;
        struct span name; /* the subject's RDNs */
        struct span base;
        enum pkix_error permitted, excluded;
    } table[] = {
        {"the same", corp, corp, PKIX_OK, no},
        {"below", builder_join(corp, staff), corp, PKIX_OK, no},
        {"above", corp, builder_join(corp, staff), no, PKIX_OK},
        {"another", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "Other"), corp, no, PKIX_OK},
        {"beginning", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "Corporation"), corp, no, PKIX_OK},
        {"other attribute", RDN(OID_ORGANIZATIONAL_UNIT, ASN1_UTF8_STRING, "Corp"), corp, no, PKIX_OK},
        {"case", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "cORP"), corp, PKIX_OK, no},
        {"blanks", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "  Corp "), corp, PKIX_OK, no},
        {"PrintableString", RDN(OID_ORGANIZATION, ASN1_PRINTABLE_STRING, "CORP"), corp, PKIX_OK, no},
        {"BMPString", RDN(OID_ORGANIZATION, ASN1_BMP_STRING, "\0C\0o\0r\0p"), corp, PKIX_OK, no},
        {"wide letters", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "\xef\xbc\xa3orp"), corp, PKIX_OK, no},
        {"no text", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "Corp\xff"), corp, no, no},
        {"a NUL", RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "Corp\0"), corp, no, no},
        {"everything", corp, span_of("", 0), PKIX_OK, no},
        {"no subject", span_of("", 0), corp, PKIX_OK, PKIX_OK},
        {"no subject, everything", span_of("", 0), span_of("", 0), PKIX_OK, PKIX_OK},
    };

    (void)state;
    for (size_t i = 0; i < 4 * ARRAY_LEN(table); i++) {
        bool excluded = i % 2 == 1, as_san = i % 4 >= 2;
        enum pkix_error want = excluded ? table[i / 4].excluded : table[i / 4].permitted, got;
        struct cert_spec spec = builder_client(NULL, 1, "root", 0);
        struct span base = general_name(PKIX_GN_DIRECTORY, dn_of(table[i / 4].base));
        struct pkix_cert cert;
        unsigned comparisons = 10000;

        if (as_san && table[i / 4].name.size == 0)
            continue; /* an empty alternative name is one */
        if (as_san)
            spec.sans[spec.san_count++] = general_name(PKIX_GN_DIRECTORY, dn_of(table[i / 4].name));
        else
            spec.subject_der = dn_of(table[i / 4].name);
        assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
        got = pkix_constraints_check(
            builder_constraints(excluded ? span_of(NULL, 0) : base, excluded ? base : span_of(NULL, 0)), &cert,
            PKIX_COMMON_NAME_IGNORED, &comparisons, &breach);
        if (got != want)
            fail_msg("%s, %s, %s: want %s, got %s", table[i / 4].what, excluded ? "excluded" : "permitted",
                     as_san ? "alternative name" : "subject", pkix_error_name(want), pkix_error_name(got));
        if (got == PKIX_NAME_CONSTRAINT_VIOLATION)
            assert_int_equal(breach.rule, excluded ? PKIX_CONSTRAINT_EXCLUDED : PKIX_CONSTRAINT_NOT_PERMITTED);
    }
}

/* Folding a name costs more than comparing a host: a peer with long names must not get it at the same price. */
static void directory_names_are_charged_by_their_length(void **state)
{
    static char text[2000];
    struct cert_spec spec = builder_client(NULL, 1, "root", 0);
    struct span constraints = builder_constraints(
        span_of(NULL, 0), general_name(PKIX_GN_DIRECTORY, dn_of(RDN(OID_ORGANIZATION, ASN1_UTF8_STRING, "Corp"))));
    struct pkix_cert cert;
    unsigned comparisons = 9000;

    (void)state;
    memset(text, 'a', sizeof(text));
    spec.subject_der = dn_of(rdn(OID_ORGANIZATION, ASN1_UTF8_STRING, text, sizeof(text)));
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    assert_int_equal(pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
                     PKIX_OK);
    assert_in_range(comparisons, 1, 1000);
    assert_int_equal(pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
                     PKIX_LIMIT_EXCEEDED);
    assert_int_equal(comparisons, 0);
}

/* RUSTSEC-2026-0098, CVE-2026-5263: URI constraints must not be ignored. */
static void uri_table(void **state)
{
    const struct row table[] = {
        PERMIT(URI, "spiffe://trust.example.com/a", "trust.example.com", PKIX_OK),
        PERMIT(URI, "spiffe://other.example.com/a", "trust.example.com", no),
        PERMIT(URI, "spiffe://a.trust.example.com/", "trust.example.com", no),
        PERMIT(URI, "spiffe://a.trust.example.com/", ".trust.example.com", PKIX_OK),
        PERMIT(URI, "http://trust.example.com@evil.com/", "trust.example.com", no),
        EXCLUDE(URI, "https://EVIL.com/", "evil.com", no),
        EXCLUDE(URI, "https://good.com/", "evil.com", PKIX_OK),
        PERMIT(URI, "urn:uuid:1", "example.com", no),
        EXCLUDE(URI, "urn:uuid:1", "example.com", no),
        EXCLUDE(URI, "http://192.0.2.1/", "example.com", no),
        EXCLUDE(URI, "http://[::1]/", "example.com", no),
    };

    (void)state;
    run(table, ARRAY_LEN(table));
}

/* CVE-2020-1971, CVE-2023-0286: what cannot be compared is refused, never looked into. */
static void incomparable_names_are_refused_by_any_constraint_of_their_type(void **state)
{
    static const unsigned types[] = {OTHER, RID, EDI, X400};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        const struct row permitted = {types[i], SPAN("\x06\x01\x2a"), SPAN("\x06\x01\x2a"), {0}, no};
        const struct row excluded = {types[i], SPAN("\x06\x01\x2a"), {0}, SPAN("\x06\x01\x2b"), no};

        run(&permitted, 1);
        run(&excluded, 1);
    }
}

/* CVE-2026-27137: of two constraints with one local part both count. */
static void email_constraints_with_one_local_part_both_count(void **state)
{
    struct cert_spec spec = builder_client(NULL, 1, "root", 0);
    struct span excluded =
        builder_join(builder_general_name(EMAIL, "a@one.example"), builder_general_name(EMAIL, "a@two.example"));
    struct pkix_cert cert;
    unsigned comparisons = 100;

    (void)state;
    spec.sans[spec.san_count++] = builder_general_name(EMAIL, "a@two.example");
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    assert_int_equal(pkix_constraints_check(builder_constraints(span_of(NULL, 0), excluded), &cert,
                                            PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
                     PKIX_NAME_CONSTRAINT_VIOLATION);
}

static void common_name_of_a_server_without_host_names_is_constrained(void **state)
{
    struct cert_spec spec = builder_client("www.evil.com", 1, "root", 0);
    struct span constraints = builder_constraints(builder_general_name(DNS, "example.com"), span_of(NULL, 0));
    struct pkix_cert cert;
    unsigned comparisons = 100;

    (void)state;
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    assert_int_equal(pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_CONSTRAINED, &comparisons, &breach),
                     PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
                     PKIX_OK);
}

static void malformed_constraints_are_refused(void **state)
{
    struct cert_spec spec = builder_client("x", 1, "root", 0);
    struct span subtree = builder_tlv(ASN1_SEQUENCE, builder_general_name(DNS, "a.b"), builder_end);
    struct span minimum = builder_tlv(ASN1_SEQUENCE, builder_general_name(DNS, "a.b"),
                                      builder_tlv(0x80, span_of("", 1), builder_end), builder_end);
    const struct span table[] = {
        builder_tlv(ASN1_SEQUENCE, builder_end),
        builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, builder_end), builder_end),
        builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, subtree, builder_end), builder_tlv(0xa1, builder_end),
                    builder_end),
        builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa1, subtree, builder_end), builder_tlv(0xa0, subtree, builder_end),
                    builder_end),
        builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, minimum, builder_end), builder_end),
        builder_join(builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, subtree, builder_end), builder_end), SPAN("\0")),
        builder_tlv(
            ASN1_SEQUENCE,
            builder_tlv(0xa0, builder_tlv(ASN1_SEQUENCE, builder_general_name(0x89, "x"), builder_end), builder_end),
            builder_end),
        SPAN(""),
    };
    struct pkix_cert cert;

    (void)state;
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        unsigned comparisons = 100;

        if (pkix_constraints_check(table[i], &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach) != PKIX_BAD_DER)
            fail_msg("row %u", i);
    }
}

static void comparisons_are_counted_and_bounded(void **state)
{
    struct cert_spec spec = builder_client("x", 1, "root", 0);
    struct span constraints = builder_constraints(builder_general_name(DNS, "a.b"), span_of(NULL, 0));
    struct pkix_cert cert;
    unsigned comparisons = 1;

    (void)state;
    spec.sans[spec.san_count++] = builder_general_name(DNS, "a.b");
    assert_int_equal(pkix_cert_read(builder_cert(&spec), &cert), PKIX_OK);
    assert_int_equal(pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
                     PKIX_LIMIT_EXCEEDED); /* one for the host, one for the subject */
    comparisons = 2;
    assert_int_equal(pkix_constraints_check(constraints, &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
                     PKIX_OK);
    assert_int_equal(comparisons, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dns_table),
        cmocka_unit_test(ip_table),
        cmocka_unit_test(email_table),
        cmocka_unit_test(utf8_mailbox_table),
        cmocka_unit_test(directory_table),
        cmocka_unit_test(directory_names_are_charged_by_their_length),
        cmocka_unit_test(uri_table),
        cmocka_unit_test(incomparable_names_are_refused_by_any_constraint_of_their_type),
        cmocka_unit_test(email_constraints_with_one_local_part_both_count),
        cmocka_unit_test(common_name_of_a_server_without_host_names_is_constrained),
        cmocka_unit_test(malformed_constraints_are_refused),
        cmocka_unit_test(comparisons_are_counted_and_bounded),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
