/* Incidents about names and name constraints. */
#include "incident.h"
#include "pkix/constraints.h"
#include "pkix/identity.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { EMAIL = 0x81, DNS = 0x82, X400 = 0xa3, EDI = 0xa5, URI = 0x86, IP = 0x87, OTHER = 0xa0 };

static struct span none(void)
{
    return span_of(NULL, 0);
}

/* What is said of a client with that name under an authority with these constraints. */
static enum pkix_error under(struct span permitted, struct span excluded, struct span name)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = builder_client("alice", 2, "ca", 1);
    struct scene scene;

    builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true, builder_constraints(permitted, excluded));
    leaf.sans[leaf.san_count++] = name;
    scene = scene_client(builder_cert(&leaf), incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    return scene_verify(&scene);
}

static struct span dns(const char *name)
{
    return builder_general_name(DNS, name);
}

static struct span email(const char *name)
{
    return builder_general_name(EMAIL, name);
}

static struct span uri(const char *name)
{
    return builder_general_name(URI, name);
}

static void cve_2009_2408_nul_in_a_name(void **state)
{
    struct cert_spec leaf = builder_client(incident_host, 2, "ca", 1);
    struct scene scene;

    (void)state;
    leaf.eku = builder_oid(OID_SERVER_AUTH);
    leaf.sans[leaf.san_count++] = builder_tlv(0x82, span_of("www.example.com\0.evil.com", 24), builder_end);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_NAME_MISMATCH);
}

/* The same in a common name: it is nobody's, not even the name before the NUL. */
static void cve_2010_1192_nul_in_a_common_name(void **state)
{
    struct cert_spec leaf = builder_client("alice", 2, "ca", 1);
    struct pkix_identity identity;

    (void)state;
    leaf.subject_der = builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SET,
                    builder_tlv(ASN1_SEQUENCE, builder_oid(OID_COMMON_NAME),
                                builder_tlv(ASN1_UTF8_STRING, span_of("alice\0.evil", 11), builder_end), builder_end),
                    builder_end),
        builder_end);
    assert_true(pkix_identity_read(builder_cert(&leaf), &identity));
    assert_int_equal(identity.count, 0);
    assert_int_equal(identity.refused, 1);
    pkix_identity_clear(&identity);
}

static void cve_2022_3602_punycode_of_every_length_in_constraints(void **state)
{
    char name[80] = "xn--";

    (void)state;
    for (size_t length = 4; length < 70; length++) {
        struct cert_spec ca = builder_authority("ca", 1, "root", 0);
        struct cert_spec leaf = builder_client("alice", 2, "ca", 1);
        struct scene scene;

        memset(name + 4, 'a', length - 4);
        name[length] = '\0';
        builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true,
                              builder_constraints(builder_general_name(0x81, name), span_of(NULL, 0)));
        leaf.sans[leaf.san_count++] = builder_general_name(0x81, "a@xn--aaa");
        scene = scene_client(builder_cert(&leaf), incident_root());
        scene_add_extra(&scene, builder_cert(&ca));
        assert_verdict(&scene, length == 7   ? PKIX_OK
                               : length == 4 ? PKIX_BAD_DER /* a label may not end in a hyphen */
                               : length > 63 ? PKIX_BAD_DER
                                             : PKIX_NAME_CONSTRAINT_VIOLATION);
    }
}

/* Names of other types that hold the text of a host's. */
static void cve_2021_44531_a_uri_is_no_host_name(void **state)
{
    const struct span others[] = {
        uri("www.example.com"), uri("https://www.example.com/"), email("www.example.com"),
        builder_tlv(
            OTHER, builder_oid(OID_COMMON_NAME),
            builder_tlv(0xa0, builder_tlv(ASN1_UTF8_STRING, span_of_string(incident_host), builder_end), builder_end),
            builder_end)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.san_count = 0;
        leaf.sans[leaf.san_count++] = others[i];
        scene = incident_scene(leaf);
        assert_verdict(&scene, PKIX_NAME_MISMATCH);
    }
}

/* Node printed names joined by commas and read them back. */
static void cve_2021_44532_a_name_with_a_separator_is_one_name(void **state)
{
    struct cert_spec leaf = builder_client("alice", 2, "ca", 1);
    struct pkix_identity identity;

    (void)state;
    leaf.sans[leaf.san_count++] = uri("http://a.example/, DNS:www.example.com");
    leaf.sans[leaf.san_count++] = dns("a.example, DNS:www.example.com");
    assert_true(pkix_identity_read(builder_cert(&leaf), &identity));
    for (size_t i = 0; i < identity.count; i++)
        assert_int_not_equal(identity.ids[i].type, PKIX_ID_DNS);
    pkix_identity_clear(&identity);
}

/* Several common names in one relative name: which of them is meant? */
static void cve_2021_44533_several_common_names_are_none(void **state)
{
    struct cert_spec leaf = builder_client("alice", 2, "ca", 1);
    struct pkix_identity identity;
    struct span names[2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        names[i] = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_COMMON_NAME),
                               builder_tlv(ASN1_UTF8_STRING, span_of_string(i == 0 ? "alice" : "bob"), builder_end),
                               builder_end);
    leaf.subject_der = builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_SET, names[0], names[1], builder_end), builder_end);
    assert_true(pkix_identity_read(builder_cert(&leaf), &identity));
    for (size_t i = 0; i < identity.count; i++)
        assert_int_not_equal(identity.ids[i].type, PKIX_ID_CN);
    pkix_identity_clear(&identity);
}

static void cve_2024_6119_other_name_against_a_host_name(void **state)
{
    struct cert_spec leaf = builder_client(incident_host, 2, "ca", 1);
    struct scene scene;

    (void)state;
    leaf.eku = builder_oid(OID_SERVER_AUTH);
    leaf.sans[leaf.san_count++] = builder_tlv(0xa0, builder_oid(OID_COMMON_NAME),
                                              builder_tlv(0xa0, builder_integer(1), builder_end), builder_end);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_NAME_MISMATCH);
}

/* Types that OpenSSL confused with others when it compared them: nothing is compared, all is refused. */
static void cve_2020_1971_and_2023_0286_edi_and_x400_names_fail_closed(void **state)
{
    const struct span names[] = {
        builder_tlv(EDI, builder_tlv(0xa1, builder_tlv(ASN1_UTF8_STRING, span_of("x", 1), builder_end), builder_end),
                    builder_end),
        builder_tlv(X400, builder_tlv(ASN1_SEQUENCE, builder_end), builder_end)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(under(names[i], none(), names[i]), PKIX_NAME_CONSTRAINT_VIOLATION);
        assert_int_equal(under(none(), names[i], names[i]), PKIX_NAME_CONSTRAINT_VIOLATION);
        assert_int_equal(under(none(), names[1 - i], names[i]), PKIX_OK); /* of another type: not bound */
    }
}

/* Go took a wildcard for good though one of its names was excluded; its mend refused every wildcard where a name of one
 * label was (golang issue 76935). */
static void cve_2025_61727_wildcard_that_covers_an_excluded_name(void **state)
{
    (void)state;
    assert_int_equal(under(none(), dns("foo.example.com"), dns("*.example.com")), PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(none(), dns("foo.bar.example.com"), dns("*.example.com")), PKIX_OK);
    assert_int_equal(under(none(), dns("example.com"), dns("*.example.com")), PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(none(), dns("com2"), dns("*.example.com")), PKIX_OK);
}

/* CVE-2026-3833, CVE-2026-32884 likewise. */
static void cve_2026_33810_case_of_an_excluded_name(void **state)
{
    static const char *const cases[] = {"example.com", "EXAMPLE.COM", "ExAmPlE.cOm"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
            char name[32];

            snprintf(name, sizeof(name), "Alice@%s", cases[k]);
            assert_int_equal(under(none(), dns(cases[i]), dns(cases[k])), PKIX_NAME_CONSTRAINT_VIOLATION);
            assert_int_equal(under(none(), email(cases[i]), email(name)), PKIX_NAME_CONSTRAINT_VIOLATION);
            snprintf(name, sizeof(name), "http://%s/", cases[k]);
            assert_int_equal(under(none(), uri(cases[i]), uri(name)), PKIX_NAME_CONSTRAINT_VIOLATION);
        }
    }
    assert_int_equal(under(none(), email("ALICE@example.com"), email("alice@example.com")),
                     PKIX_NAME_CONSTRAINT_VIOLATION);
}

/* In a server's common name, which some look at where there is nothing else. */
static void cve_2026_32884_case_of_an_excluded_common_name(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = builder_server("EVIL.Example.com", 2, "ca", 1);
    struct scene scene;

    (void)state;
    builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true, builder_constraints(none(), dns("evil.example.com")));
    leaf.san_count = 0;
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_NAME_CONSTRAINT_VIOLATION);
}

/* Mozilla bug 2023209 likewise: a wildcard stands for more than what is permitted. */
static void rustsec_2026_0099_wildcard_wider_than_what_is_permitted(void **state)
{
    (void)state;
    assert_int_equal(under(dns("accept.example.com"), none(), dns("*.example.com")), PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(dns("example.com"), none(), dns("*.example.com")), PKIX_OK);
    assert_int_equal(under(dns("accept.example.com"), none(), dns("*.accept.example.com")), PKIX_OK);
}

/* CVE-2026-5263 likewise. */
static void rustsec_2026_0098_constraints_of_uris_are_kept(void **state)
{
    (void)state;
    assert_int_equal(under(uri("example.com"), none(), uri("https://evil.example.org/")),
                     PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(uri("example.com"), none(), uri("spiffe://example.com/service")), PKIX_OK);
    assert_int_equal(under(none(), uri(".example.com"), uri("https://www.example.com/")),
                     PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(uri("example.com"), none(), uri("urn:isbn:0")), PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(uri("example.com"), none(), uri("https://example.com@evil.example.org/")),
                     PKIX_NAME_CONSTRAINT_VIOLATION);
}

/* Go kept one constraint for each local part. */
static void cve_2026_27137_two_mailboxes_of_one_local_part(void **state)
{
    struct span both = builder_join(email("user@a.example"), email("user@b.example"));

    (void)state;
    assert_int_equal(under(none(), both, email("user@a.example")), PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(none(), both, email("user@b.example")), PKIX_NAME_CONSTRAINT_VIOLATION);
    assert_int_equal(under(none(), both, email("user@c.example")), PKIX_OK);
    assert_int_equal(under(both, none(), email("user@b.example")), PKIX_OK);
}

static void cve_2026_27138_an_empty_host_name_under_a_constraint(void **state)
{
    (void)state;
    assert_int_equal(under(none(), dns("example.com"), dns("")), PKIX_BAD_DER);
    assert_int_equal(under(dns("example.com"), none(), dns("")), PKIX_BAD_DER);
}

/* LibreSSL read a byte behind a constraint. Each beginning of one, in memory of just its size, for the sanitizer. */
static void cve_2021_41581_constraints_that_end_too_early(void **state)
{
    struct span whole =
        builder_constraints(builder_join(email("@"), email("alice@.")), builder_join(dns("."), uri("")));
    struct cert_spec leaf = builder_client("alice", 2, "ca", 1);
    struct pkix_constraint_breach breach;
    struct pkix_cert cert;

    (void)state;
    leaf.sans[leaf.san_count++] = email("alice@example.com");
    leaf.sans[leaf.san_count++] = uri("http://example.com");
    assert_int_equal(pkix_cert_read(builder_cert(&leaf), &cert), PKIX_OK);
    for (size_t size = 0; size <= whole.size; size++) {
        unsigned comparisons = 1000;
        uint8_t *copy = base_memdup(whole.data, size);

        assert_int_equal(
            pkix_constraints_check(span_of(copy, size), &cert, PKIX_COMMON_NAME_IGNORED, &comparisons, &breach),
            PKIX_BAD_DER);
        free(copy);
    }
}

/* What looks like a host name or an address to some. */
static void names_that_are_nearly_host_names(void **state)
{
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    const struct {
        struct span presented;
        const char *asked;
        enum pkix_error want;
    } table[] = {
        {dns("www.example.com"), "www.example.com.", PKIX_OK}, /* the root's dot is the asker's */
        {dns("www.example.com."), "www.example.com", PKIX_NAME_MISMATCH},
        {dns(".example.com"), "www.example.com", PKIX_NAME_MISMATCH},
        {dns("www_1.example.com"), "www_1.example.com", PKIX_OK},
        {dns("www.example.123"), "www.example.123", PKIX_NAME_MISMATCH},
        {dns("www..example.com"), "www..example.com", PKIX_NAME_MISMATCH},
        {dns("192.0.2.1"), "192.0.2.1", PKIX_NAME_MISMATCH},
        {dns("*"), "com", PKIX_NAME_MISMATCH},
        {dns("*.com"), "example.com", PKIX_NAME_MISMATCH},
        {dns("*.example.com"), "a.b.example.com", PKIX_NAME_MISMATCH},
        {dns("*.example.com"), "example.com", PKIX_NAME_MISMATCH},
        {builder_tlv(IP, span_of(mapped, sizeof(mapped)), builder_end), "192.0.2.1", PKIX_NAME_MISMATCH},
        {builder_tlv(IP, span_of(mapped + 12, 4), builder_end), "192.0.2.1", PKIX_NAME_MISMATCH}, /* as a host name */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.san_count = 0;
        leaf.sans[leaf.san_count++] = table[i].presented;
        scene = incident_scene(leaf);
        scene.request.name.value = span_of_string(table[i].asked);
        assert_verdict(&scene, table[i].want);
    }
}

static void an_address_is_matched_by_its_own_bytes(void **state)
{
    static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    struct cert_spec leaf = incident_leaf();
    struct scene scene;

    (void)state;
    leaf.san_count = 0;
    leaf.sans[leaf.san_count++] = builder_tlv(IP, span_of(mapped, sizeof(mapped)), builder_end);
    scene = incident_scene(leaf);
    scene.request.name = (struct pkix_name){PKIX_NAME_IP, span_of(mapped + 12, 4)};
    assert_verdict(&scene, PKIX_NAME_MISMATCH);
    scene.request.name.value = span_of(mapped, sizeof(mapped));
    assert_verdict(&scene, PKIX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2009_2408_nul_in_a_name),
        cmocka_unit_test(cve_2010_1192_nul_in_a_common_name),
        cmocka_unit_test(cve_2022_3602_punycode_of_every_length_in_constraints),
        cmocka_unit_test(cve_2021_44531_a_uri_is_no_host_name),
        cmocka_unit_test(cve_2021_44532_a_name_with_a_separator_is_one_name),
        cmocka_unit_test(cve_2021_44533_several_common_names_are_none),
        cmocka_unit_test(cve_2024_6119_other_name_against_a_host_name),
        cmocka_unit_test(cve_2020_1971_and_2023_0286_edi_and_x400_names_fail_closed),
        cmocka_unit_test(cve_2025_61727_wildcard_that_covers_an_excluded_name),
        cmocka_unit_test(cve_2026_33810_case_of_an_excluded_name),
        cmocka_unit_test(cve_2026_32884_case_of_an_excluded_common_name),
        cmocka_unit_test(rustsec_2026_0099_wildcard_wider_than_what_is_permitted),
        cmocka_unit_test(rustsec_2026_0098_constraints_of_uris_are_kept),
        cmocka_unit_test(cve_2026_27137_two_mailboxes_of_one_local_part),
        cmocka_unit_test(cve_2026_27138_an_empty_host_name_under_a_constraint),
        cmocka_unit_test(cve_2021_41581_constraints_that_end_too_early),
        cmocka_unit_test(names_that_are_nearly_host_names),
        cmocka_unit_test(an_address_is_matched_by_its_own_bytes),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
