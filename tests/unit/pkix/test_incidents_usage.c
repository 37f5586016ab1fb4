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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
