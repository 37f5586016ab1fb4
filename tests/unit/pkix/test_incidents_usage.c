/* Incidents about what a certificate may be used for. */
#include "incident.h"

#include <setjmp.h>
#include <cmocka.h>

static void cve_2002_0862_leaf_without_basic_constraints_issues(void **state)
{
    struct cert_spec issuing_leaf = builder_server("ca", 1, "root", 0);
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

    (void)state;
    issuing_leaf.key_usage = -1;
    issuing_leaf.eku = span_of(NULL, 0);
    scene_add_extra(&scene, builder_cert(&issuing_leaf));
    assert_verdict(&scene, PKIX_NOT_A_CA);
}

/* iOS took the leaf of anybody for an issuer; here under every other thing a leaf may say. */
static void cve_2011_0228_a_leaf_issues_nothing(void **state)
{
    (void)state;
    for (int key_usage = -1; key_usage <= 0xff; key_usage += 4) {
        for (enum builder_ca ca = BUILDER_NO_CONSTRAINTS; ca <= BUILDER_NOT_CA; ca++) {
            struct cert_spec issuing_leaf = builder_server("ca", 1, "root", 0);
            struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

            issuing_leaf.key_usage = key_usage;
            issuing_leaf.ca = ca;
            scene_add_extra(&scene, builder_cert(&issuing_leaf));
            assert_int_not_equal(scene_verify(&scene), PKIX_OK);
        }
    }
}

static void version_1_is_an_authority_only_as_an_anchor(void **state)
{
    struct cert_spec v1 = builder_authority("ca", 1, "ca", 1);
    struct scene scene;

    (void)state;
    v1.version = 0;
    v1.ca = BUILDER_NO_CONSTRAINTS;
    v1.key_usage = -1;
    scene = scene_server(incident_make(incident_leaf()), incident_host, builder_cert(&v1));
    assert_verdict(&scene, PKIX_OK);
    v1.issuer = "root";
    v1.signer = 0;
    scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&v1));
    assert_verdict(&scene, PKIX_NOT_A_CA);
}

static void path_length_zero_has_no_authority_below(void **state)
{
    struct cert_spec ca1 = builder_authority("ca1", 1, "root", 0);
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 9, "ca2", 2)), incident_host, incident_root());

    (void)state;
    ca1.path_length = 0;
    scene_add_extra(&scene, builder_cert(&ca1));
    scene_add_extra(&scene, incident_make(builder_authority("ca2", 2, "ca1", 1)));
    assert_verdict(&scene, PKIX_PATH_TOO_LONG);
}

/* RFC 5280 section 6.1.4 l exempts them; mozilla::pkix, Go and webpki do not, and neither do we: an authority that was
 * given no depth could otherwise make as many certificates of its own name as it likes. */
static void self_issued_authorities_count_for_path_lengths(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 9, "ca", 2)), incident_host, incident_root());

    (void)state;
    ca.path_length = 0;
    scene_add_extra(&scene, builder_cert(&ca));
    scene_add_extra(&scene, incident_make(builder_authority("ca", 2, "ca", 1)));
    assert_int_not_equal(scene_verify(&scene), PKIX_OK);
}

static void authority_whose_key_may_not_sign_certificates(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

    (void)state;
    ca.key_usage = BUILDER_KU_SIGN | BUILDER_KU_CRL_SIGN;
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
}

static void extended_key_usage_is_chained(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    ca.eku = builder_oid(OID_SERVER_AUTH);
    scene = scene_client(incident_make(builder_client("alice", 2, "ca", 1)), incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_BAD_EXTENDED_KEY_USAGE);
}

/* A responder's certificate, any usage, an empty list: none makes a server. */
static void extended_key_usages_that_are_no_servers(void **state)
{
    const struct span usages[] = {builder_oid(OID_OCSP_SIGNING), builder_oid(OID_ANY_EXTENDED_KEY_USAGE),
                                  builder_oid(OID_CLIENT_AUTH),
                                  builder_join(builder_oid(OID_SERVER_AUTH), builder_oid(OID_OCSP_SIGNING))};
    struct cert_spec leaf = incident_leaf();
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
        leaf.eku = usages[i];
        scene = incident_scene(leaf);
        assert_verdict(&scene, PKIX_BAD_EXTENDED_KEY_USAGE);
    }
    leaf.eku = span_of(NULL, 0);
    builder_add_extension(&leaf, OID_EXTENDED_KEY_USAGE, false, builder_tlv(ASN1_SEQUENCE, builder_end));
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_EXTENDED_KEY_USAGE);
}

static void extensions_twice_empty_or_with_more_behind_are_refused(void **state)
{
    struct cert_spec spec = incident_leaf();
    struct scene scene;

    (void)state;
    builder_add_extension(&spec, OID_CERTIFICATE_POLICIES, false, span_of(NULL, 0));
    scene = incident_scene(spec);
    assert_verdict(&scene, PKIX_BAD_EXTENSION);
    spec = incident_leaf();
    builder_add_extension(&spec, OID_KEY_USAGE, true, builder_bytes("\x03\x02\x07\x80", 4));
    scene = incident_scene(spec);
    assert_verdict(&scene, PKIX_BAD_EXTENSION);
    spec = incident_leaf();
    spec.key_usage = -1;
    builder_add_extension(&spec, OID_KEY_USAGE, true, builder_bytes("\x03\x02\x07\x80\x00", 5));
    scene = incident_scene(spec);
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
}

/* In a leaf, an authority, and an anchor, which then cannot be trusted at all. */
static void unknown_critical_extension_in_every_place(void **state)
{
    struct cert_spec specs[] = {builder_authority("root", 0, "root", 0), builder_authority("ca", 1, "root", 0),
                                incident_leaf()};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        struct cert_spec changed[ARRAY_LEN(specs)];
        struct scene scene;

        memcpy(changed, specs, sizeof(specs));
        builder_add_extension(&changed[i], OID_USER_ID, true, builder_integer(1));
        scene = scene_server(builder_cert(&changed[2]), incident_host, builder_cert(&changed[0]));
        scene_add_extra(&scene, builder_cert(&changed[1]));
        if (i == 0)
            assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
        else
            assert_verdict(&scene, PKIX_UNKNOWN_CRITICAL_EXTENSION);
    }
}

/* RFC 5280 section 4.2.1.9: who looks at the key usage alone takes such a leaf for an authority. */
static void leaf_that_asserts_cert_sign_is_refused(void **state)
{
    struct cert_spec leaf = incident_leaf(), self = builder_server(incident_host, 2, incident_host, 2);
    struct scene scene;
    struct span der;

    (void)state;
    leaf.key_usage = BUILDER_KU_SIGN | BUILDER_KU_CERT_SIGN;
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
    leaf.ca = BUILDER_NO_CONSTRAINTS;
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
    /* An anchor was configured as it is. */
    self.key_usage = BUILDER_KU_SIGN | BUILDER_KU_CERT_SIGN;
    der = builder_cert(&self);
    scene = scene_server(der, incident_host, der);
    assert_verdict(&scene, PKIX_OK);
}

/* RFC 5280 section 4.2.1.13: used, and so understood; what is not used is not. */
static void critical_distribution_points_are_understood(void **state)
{
    struct span uri = builder_general_name(0x86, "http://crl.example/"),
                name = builder_tlv(0xa0, builder_tlv(0xa0, uri, builder_end), builder_end),
                reasons = builder_tlv(0x81, builder_bytes("\x01\x40", 2), builder_end),
                issuer = builder_tlv(0xa2, builder_tlv(0xa4, builder_name("other"), builder_end), builder_end);
    const struct {
        const char *what;
        struct span points;
        enum pkix_error want, want_not_critical;
    } table[] = {
        {"a name", builder_tlv(ASN1_SEQUENCE, name, builder_end), PKIX_OK, PKIX_OK},
        {"some reasons", builder_tlv(ASN1_SEQUENCE, name, reasons, builder_end), PKIX_UNKNOWN_CRITICAL_EXTENSION,
         PKIX_OK},
        {"another issuer", builder_tlv(ASN1_SEQUENCE, name, issuer, builder_end), PKIX_UNKNOWN_CRITICAL_EXTENSION,
         PKIX_OK},
        {"only another issuer", builder_tlv(ASN1_SEQUENCE, issuer, builder_end), PKIX_UNKNOWN_CRITICAL_EXTENSION,
         PKIX_OK},
        {"no name in it", builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, builder_end), builder_end), PKIX_BAD_EXTENSION,
         PKIX_OK},
        {"no point", span_of("", 0), PKIX_BAD_EXTENSION, PKIX_OK},
        {"no sequence", builder_integer(1), PKIX_BAD_EXTENSION, PKIX_OK},
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(table); i++) {
        struct cert_spec leaf = incident_leaf();
        bool critical = i % 2 == 0;
        struct scene scene;

        builder_add_extension(&leaf, OID_CRL_DISTRIBUTION_POINTS, critical,
                              builder_tlv(ASN1_SEQUENCE, table[i / 2].points, builder_end));
        scene = incident_scene(leaf);
        if (scene_verify(&scene) != (critical ? table[i / 2].want : table[i / 2].want_not_critical))
            fail_msg("%s: %s", table[i / 2].what, scene.detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaf_that_asserts_cert_sign_is_refused),
        cmocka_unit_test(critical_distribution_points_are_understood),
        cmocka_unit_test(cve_2002_0862_leaf_without_basic_constraints_issues),
        cmocka_unit_test(cve_2011_0228_a_leaf_issues_nothing),
        cmocka_unit_test(version_1_is_an_authority_only_as_an_anchor),
        cmocka_unit_test(path_length_zero_has_no_authority_below),
        cmocka_unit_test(self_issued_authorities_count_for_path_lengths),
        cmocka_unit_test(authority_whose_key_may_not_sign_certificates),
        cmocka_unit_test(extended_key_usage_is_chained),
        cmocka_unit_test(extended_key_usages_that_are_no_servers),
        cmocka_unit_test(extensions_twice_empty_or_with_more_behind_are_refused),
        cmocka_unit_test(unknown_critical_extension_in_every_place),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
