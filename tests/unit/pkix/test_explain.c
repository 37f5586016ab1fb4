/* What is said of a certificate that is refused: pkix/explain.h, pkix/explain_value.h. */
#include "incident.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { DNS = 0x82, EMAIL = 0x81, DIRECTORY = 0xa4, IP = 0x87 };

static void expect(struct scene *scene, enum pkix_error want, const char *words)
{
    if (scene_verify(scene) != want || strstr(scene->detail, words) == NULL)
        fail_msg("want \"%s\", got %s", words, scene->detail);
}

static struct span sha1(void)
{
    return builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA1), builder_end);
}

/* Whoever made the leaf's signature is to make it anew; its issuer's certificate is good. */
static void weak_signature_is_the_fault_of_the_certificate_that_has_it(void **state)
{
    struct cert_spec leaf = incident_leaf(), ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    leaf.inner_algorithm = leaf.outer_algorithm = sha1();
    scene = incident_scene(leaf);
    expect(&scene, PKIX_WEAK_SIGNATURE_ALGORITHM, ": CN=www.example.com (it is signed with ecdsa-sha1)");
    ca.inner_algorithm = ca.outer_algorithm = sha1();
    leaf = incident_leaf();
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    expect(&scene, PKIX_WEAK_SIGNATURE_ALGORITHM, ": CN=ca (it is signed with ecdsa-sha1)");
    ca.inner_algorithm = ca.outer_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_USER_ID), builder_end);
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    expect(&scene, PKIX_WEAK_SIGNATURE_ALGORITHM, ": CN=ca (it is signed with 0.9.2342.19200300.100.1.1)");
}

static void bad_signature_names_both(void **state)
{
    struct cert_spec leaf = incident_leaf(), ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    leaf.signer = 9;
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_SIGNATURE, "CN=www.example.com (it was not signed with the key of CN=ca)");
    ca.outer_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA512), builder_end);
    leaf = incident_leaf();
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    expect(&scene, PKIX_SIGNATURE_ALGORITHM_MISMATCH, "CN=ca (ecdsa-sha512 outside, ecdsa-sha256 inside)");
}

static void extensions_are_told_by_number(void **state)
{
    struct cert_spec leaf = incident_leaf(), ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    builder_add_extension(&leaf, OID_USER_ID, true, builder_integer(1));
    scene = incident_scene(leaf);
    expect(&scene, PKIX_UNKNOWN_CRITICAL_EXTENSION, "CN=www.example.com (0.9.2342.19200300.100.1.1)");
    builder_add_extension(&ca, OID_USER_ID, true, builder_integer(1));
    leaf = incident_leaf();
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    expect(&scene, PKIX_UNKNOWN_CRITICAL_EXTENSION, "CN=ca (0.9.2342.19200300.100.1.1)");
    builder_add_extension(&leaf, OID_KEY_USAGE, true, builder_bytes("\x03\x02\x07\x80", 4));
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_EXTENSION, "CN=www.example.com (2.5.29.15)");
    leaf = incident_leaf();
    builder_add_extension(&leaf, OID_AUTHORITY_INFO_ACCESS, false, builder_integer(1));
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_EXTENSION, "CN=www.example.com: its authorityInfoAccess (1.3.6.1.5.5.7.1.1) is");
}

static void usages_are_told_as_they_are_and_as_they_should_be(void **state)
{
    struct cert_spec leaf = incident_leaf(), ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    leaf.eku = builder_join(builder_oid(OID_CLIENT_AUTH), builder_oid(OID_USER_ID));
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_EXTENDED_KEY_USAGE,
           "(its extended key usage is clientAuth, 0.9.2342.19200300.100.1.1; serverAuth is needed)");
    leaf.eku = builder_join(builder_oid(OID_SERVER_AUTH), builder_oid(OID_OCSP_SIGNING));
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_EXTENDED_KEY_USAGE,
           "(its extended key usage is serverAuth, OCSPSigning): a key for OCSPSigning is for nothing else");
    leaf = incident_leaf();
    leaf.key_usage = 0x40;
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_KEY_USAGE,
           "CN=www.example.com (its key usage is nonRepudiation; digitalSignature, "
           "keyEncipherment or keyAgreement is needed)");
    leaf.key_usage = BUILDER_KU_SIGN | BUILDER_KU_CERT_SIGN;
    scene = incident_scene(leaf);
    expect(&scene, PKIX_BAD_KEY_USAGE,
           "(its key usage is digitalSignature, keyCertSign): it has keyCertSign and is no authority");
    ca.key_usage = BUILDER_KU_SIGN | BUILDER_KU_CRL_SIGN;
    leaf = incident_leaf();
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    expect(&scene, PKIX_BAD_KEY_USAGE, "CN=ca (its key usage is digitalSignature, cRLSign; keyCertSign is needed)");
}

/* A certificate's limit is not ours. */
static void path_lengths_are_told_apart(void **state)
{
    struct pkix_limits limits = pkix_limits_default;
    struct cert_spec ca1 = builder_authority("ca1", 1, "root", 0), ca2 = builder_authority("ca2", 2, "ca1", 1),
                     leaf = builder_server(incident_host, 9, "ca2", 2);
    struct scene scene;

    (void)state;
    ca1.path_length = 0;
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&ca1));
    scene_add_extra(&scene, builder_cert(&ca2));
    expect(&scene, PKIX_PATH_TOO_LONG,
           "CN=ca1 (its path length constraint is 0: it may have so many intermediates below "
           "it, and has 1)");
    ca1.path_length = -1;
    limits.intermediates_max = 1;
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene.request.limits = &limits;
    scene_add_extra(&scene, builder_cert(&ca1));
    scene_add_extra(&scene, builder_cert(&ca2));
    expect(&scene, PKIX_PATH_TOO_LONG, "(1 intermediates are the most that yett looks at; no certificate forbids it)");
}

static void constraint_and_name_are_told(void **state)
{
    struct span dns = builder_general_name(DNS, "example.org"), host = builder_general_name(DNS, "www.example.com"),
                dn = builder_tlv(DIRECTORY, builder_name("www.example.com"), builder_end),
                net = builder_tlv(IP, builder_bytes("\xc0\0\2\0\xff\xff\xff\0", 8), builder_end),
                none = span_of(NULL, 0);
    const struct {
        struct span permitted, excluded;
        const char *words;
    } table[] = {
        {dns, none,
         "CN=www.example.com (its dNSName \"www.example.com\" is none that the name constraints of CN=ca permit, such as "
         "\"example.org\")"},
        {none, host,
         "(its dNSName \"www.example.com\" falls under \"www.example.com\", which the name constraints of CN=ca exclude)"},
        {none, dn,
         "(its directoryName CN=www.example.com falls under CN=www.example.com, which the name constraints of CN=ca "
         "exclude)"},
        {none, net,
         "(its iPAddress 192.0.2.9 falls under 192.0.2.0/255.255.255.0, which the name constraints of CN=ca exclude)"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = incident_leaf();
        struct scene scene;

        leaf.sans[leaf.san_count++] = builder_tlv(IP, builder_bytes("\xc0\0\2\x09", 4), builder_end);
        builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true,
                              builder_constraints(table[i].permitted, table[i].excluded));
        scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
        scene_add_extra(&scene, builder_cert(&ca));
        expect(&scene, PKIX_NAME_CONSTRAINT_VIOLATION, table[i].words);
    }
}

static void revocation_is_told_with_date_reason_and_list(void **state)
{
    struct cert_spec leaf = incident_leaf();
    struct crl_spec spec = builder_crl_of("ca", 1);
    struct scene scene;

    (void)state;
    leaf.serial = spec.serials[spec.serial_count++] = builder_bytes("\x12\x34", 2);
    spec.entry_extensions = builder_extension(OID_REASON_CODE, false, builder_bytes("\x0a\x01\x01", 3));
    scene = incident_scene(leaf);
    scene.request.revocation = PKIX_REVOCATION_SOFT;
    scene.crls[scene.crl_count++] = builder_crl(&spec);
    expect(&scene, PKIX_REVOKED,
           "CN=www.example.com (since 2025-12-31T00:00:00Z, reason keyCompromise; CRL number 0x07): says its CRL");
    spec.no_number = true;
    spec.entry_extensions = span_of(NULL, 0);
    scene.crls[0] = builder_crl(&spec);
    expect(&scene, PKIX_REVOKED, "CN=www.example.com (since 2025-12-31T00:00:00Z): says its CRL");
}

static void revocation_by_ocsp_is_told_with_its_date(void **state)
{
    struct cert_spec leaf = incident_leaf();
    struct scene scene = incident_scene(leaf);
    struct ocsp_spec spec = builder_ocsp_about(scene.request.leaf, scene.extras[0], "ca", 1);

    (void)state;
    spec.statuses[0] = OCSP_REVOKED;
    scene.request.revocation = PKIX_REVOCATION_SOFT;
    scene.staples[0] = builder_ocsp(&spec);
    expect(&scene, PKIX_REVOKED, "CN=www.example.com (since 20");
    assert_non_null(strstr(scene.detail, "says its OCSP response"));
}

static void distrust_ca(struct pkix_store *store)
{
    pkix_store_distrust_subject_key(store, builder_name("ca"), builder_spki(1));
}

static void who_distrusts_is_told(void **state)
{
    struct scene scene = incident_scene(incident_leaf());

    (void)state;
    scene.prepare = distrust_ca;
    expect(&scene, PKIX_DISTRUSTED_ISSUER, "CN=ca (by the configuration)");
}

/* Two of one name and one key: only the number tells which is meant. */
static void two_of_one_name_are_told_apart(void **state)
{
    struct cert_spec expired = builder_authority("ca", 1, "root", 0), weak = expired, leaf = incident_leaf();
    struct scene scene = scene_server(builder_cert(&leaf), incident_host, incident_root());

    (void)state;
    expired.serial = builder_bytes("\x11", 1);
    expired.not_after = builder_now - 1;
    weak.serial = builder_bytes("\x22", 1);
    weak.not_after = builder_now - 2;
    scene_add_extra(&scene, builder_cert(&expired));
    assert_verdict(&scene, PKIX_EXPIRED_ISSUER);
    assert_null(strstr(scene.detail, "[serial")); /* there is one */
    scene_add_extra(&scene, builder_cert(&weak));
    expect(&scene, PKIX_EXPIRED_ISSUER, "CN=ca [serial ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weak_signature_is_the_fault_of_the_certificate_that_has_it),
        cmocka_unit_test(bad_signature_names_both),
        cmocka_unit_test(extensions_are_told_by_number),
        cmocka_unit_test(usages_are_told_as_they_are_and_as_they_should_be),
        cmocka_unit_test(path_lengths_are_told_apart),
        cmocka_unit_test(constraint_and_name_are_told),
        cmocka_unit_test(revocation_is_told_with_date_reason_and_list),
        cmocka_unit_test(revocation_by_ocsp_is_told_with_its_date),
        cmocka_unit_test(who_distrusts_is_told),
        cmocka_unit_test(two_of_one_name_are_told_apart),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
