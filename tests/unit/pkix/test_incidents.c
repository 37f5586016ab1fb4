/* What went wrong elsewhere: one test for each incident that has a testable form. */
#include "scene.h"
#include "pkix/key.h"
#include "pkix/nss_crypto.h"

#include <setjmp.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

static struct span make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

static struct span root(void)
{
    return make(builder_authority("root", 0, "root", 0));
}

static struct span authority(void)
{
    return make(builder_authority("ca", 1, "root", 0));
}

static struct scene scene_of(struct cert_spec leaf)
{
    struct scene scene = scene_server(builder_cert(&leaf), host, root());

    scene_add_extra(&scene, authority());
    return scene;
}

static struct cert_spec leaf_spec(void)
{
    return builder_server(host, 2, "ca", 1);
}

/* P-256's parameters written out, with any key: what CurveBall used. */
static struct span explicit_curve_spki(void)
{
    struct pkix_key key;

    assert_int_equal(pkix_key_read(builder_spki(0), &key), PKIX_OK);
    return builder_tlv(ASN1_SEQUENCE,
                       builder_tlv(ASN1_SEQUENCE, builder_oid(OID_EC_PUBLIC_KEY),
                                   builder_tlv(ASN1_SEQUENCE, builder_integer(1), builder_end), builder_end),
                       builder_bit_string(key.bit_string), builder_end);
}

static void cve_2020_0601_curveball_explicit_parameters(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(make(leaf_spec()), host, root());

    (void)state;
    ca.spki = explicit_curve_spki();
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_BAD_DER);
}

static void cve_2021_3450_strict_profile_still_checks_for_a_ca(void **state)
{
    struct cert_spec not_ca = builder_server("ca", 1, "root", 0);
    struct scene scene = scene_server(make(leaf_spec()), host, root());

    (void)state;
    scene_add_extra(&scene, builder_cert(&not_ca));
    for (int profile = PKIX_PROFILE_DEFAULT; profile <= PKIX_PROFILE_STRICT; profile++) {
        for (int revocation = PKIX_REVOCATION_OFF; revocation <= PKIX_REVOCATION_HARD; revocation++) {
            scene.request.profile = (enum pkix_profile)profile;
            scene.request.revocation = (enum pkix_revocation)revocation;
            assert_int_not_equal(scene_verify(&scene), PKIX_OK);
        }
    }
}

static void cve_2008_4989_last_self_signed_certificate_is_not_trusted(void **state)
{
    struct scene scene = scene_server(make(builder_server(host, 2, "evil root", 7)), host, root());

    (void)state;
    scene_add_extra(&scene, make(builder_authority("evil root", 7, "evil root", 7)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void cve_2014_1266_goto_fail_leaf_signature_is_checked(void **state)
{
    struct cert_spec leaf = leaf_spec();
    struct scene scene;

    (void)state;
    leaf.signature = builder_bytes("\x30\x06\x02\x01\x01\x02\x01\x01", 8);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
}

static void cve_2026_5501_garbage_signature_under_a_leaf(void **state)
{
    struct cert_spec middle = builder_server("ca", 1, "root", 0), leaf = leaf_spec();
    struct scene scene;

    (void)state;
    middle.ca = BUILDER_NOT_CA;
    leaf.signature = builder_bytes("\x30\x06\x02\x01\x01\x02\x01\x01", 8);
    scene = scene_server(builder_cert(&leaf), host, root());
    scene_add_extra(&scene, builder_cert(&middle));
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
}

static void cve_2026_11310_a_peers_authority_is_no_anchor(void **state)
{
    struct scene scene = scene_server(make(leaf_spec()), host, make(builder_authority("other root", 9, "other root", 9)));

    (void)state;
    scene_add_extra(&scene, authority());
    scene_add_extra(&scene, root());
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void cve_2026_34580_same_name_as_a_root_is_not_the_root(void **state)
{
    struct cert_spec fake = builder_server("root", 9, "root", 9);
    struct scene scene;

    (void)state;
    fake.san_count = 0;
    builder_add_dns(&fake, host);
    scene = scene_server(builder_cert(&fake), host, root());
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
}

static void cve_2024_0567_cross_signed_pairs_of_equal_names(void **state)
{
    struct scene scene = scene_server(make(builder_server(host, 20, "a1", 4)), host,
                                      make(builder_authority("A", 1, "A", 1)));

    (void)state;
    scene_add_extra(&scene, make(builder_authority("a1", 4, "A", 1)));
    scene_add_extra(&scene, make(builder_authority("A", 1, "B", 2)));
    scene_add_extra(&scene, make(builder_authority("A", 1, "C", 3)));
    scene_add_extra(&scene, make(builder_authority("B", 2, "A", 1)));
    scene_add_extra(&scene, make(builder_authority("B", 2, "C", 3)));
    scene_add_extra(&scene, make(builder_authority("C", 3, "A", 1)));
    scene_add_extra(&scene, make(builder_authority("C", 3, "B", 2)));
    assert_verdict(&scene, PKIX_OK);
}

static void cve_2015_1793_alternative_path_through_a_leaf(void **state)
{
    struct cert_spec leaf_as_issuer = builder_server("ca", 1, "root", 0), other = builder_authority("ca", 8, "root", 0);
    struct scene scene = scene_server(make(leaf_spec()), host, root());

    (void)state;
    leaf_as_issuer.ca = BUILDER_NOT_CA;
    leaf_as_issuer.key_usage = -1;
    scene_add_extra(&scene, builder_cert(&other));
    scene_add_extra(&scene, builder_cert(&leaf_as_issuer));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static enum pkix_error verify_rsa(struct span spki, size_t signature_size)
{
    static uint8_t signature[4096];
    struct pkix_signed statement = {
        .data = span_of_string("data"),
        .algorithm = builder_oid(OID_RSA_SHA256),
        .signature = span_of(signature, signature_size),
    };

    return pkix_nss_verify(&statement, spki);
}

static void cve_2021_43527_bigsig_signature_of_the_wrong_size(void **state)
{
    (void)state;
    assert_int_equal(verify_rsa(builder_rsa_spki(2048), 512), PKIX_BAD_SIGNATURE);
    assert_int_equal(verify_rsa(builder_rsa_spki(4096), 256), PKIX_BAD_SIGNATURE);
    assert_int_equal(verify_rsa(builder_rsa_spki(16384), 1024), PKIX_WEAK_KEY);
    assert_int_equal(verify_rsa(builder_rsa_spki(2048), 2048), PKIX_WEAK_KEY);
}

static void cve_2014_1568_berserk_exponent_three_and_forged_digest_info(void **state)
{
    (void)state;
    /* All zero bytes are no PKCS #1 padding for any exponent. */
    assert_int_equal(verify_rsa(builder_rsa_spki(2048), 256), PKIX_BAD_SIGNATURE);
}

static void cve_2024_24783_unknown_key_algorithm_in_the_chain(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(make(leaf_spec()), host, root());

    (void)state;
    ca.spki = builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_SEQUENCE, builder_oid(OID_COMMON_NAME), builder_end),
                          builder_bit_string(span_of("key", 3)), builder_end);
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_UNSUPPORTED_KEY);
}

static void cve_2022_21449_psychic_and_other_ecdsa_signatures(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } table[] = {
        {"\x30\x06\x02\x01\x00\x02\x01\x00", 8},     /* r = s = 0 */
        {"\x30\x06\x02\x01\x01\x02\x01\x00", 8},     /* s = 0 */
        {"\x30\x06\x02\x01\xff\x02\x01\x01", 8},     /* negative */
        {"\x30\x07\x02\x02\x00\x01\x02\x01\x01", 9}, /* not minimal */
        {"\x30\x06\x02\x01\x01\x02\x01\x01\x00", 9}, /* trailing byte */
        {"\x30\x07\x02\x01\x01\x02\x01\x01\x00", 9}, /* trailing byte within */
        {"\x30\x00", 2},                             /* nothing */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec leaf = leaf_spec();
        struct scene scene;

        leaf.signature = builder_bytes(table[i].bytes, table[i].size);
        scene = scene_of(leaf);
        assert_verdict(&scene, PKIX_BAD_SIGNATURE);
    }
}

static void ecdsa_signature_too_long_for_the_curve(void **state)
{
    struct cert_spec leaf = leaf_spec();
    uint8_t big[40] = {0x7f};
    struct scene scene;

    (void)state;
    leaf.signature = builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_INTEGER, span_of(big, sizeof(big)), builder_end),
                                 builder_integer(1), builder_end);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
}

static void outer_and_inner_signature_algorithms_differ(void **state)
{
    struct cert_spec leaf = leaf_spec();
    struct scene scene;

    (void)state;
    leaf.outer_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA512), builder_end);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE); /* an issuer's refusal ranks above the leaf's own problem */
    leaf.outer_algorithm = span_of(NULL, 0);
    leaf.inner_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA512), builder_end);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_SIGNATURE_ALGORITHM_MISMATCH);
}

static void cve_2009_2408_nul_in_a_name(void **state)
{
    struct cert_spec leaf = builder_client(host, 2, "ca", 1);
    struct scene scene;

    (void)state;
    leaf.eku = builder_oid(OID_SERVER_AUTH);
    leaf.sans[leaf.san_count++] = builder_tlv(0x82, span_of("www.example.com\0.evil.com", 24), builder_end);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_NAME_MISMATCH);
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
        scene = scene_client(builder_cert(&leaf), root());
        scene_add_extra(&scene, builder_cert(&ca));
        assert_verdict(&scene, length == 7              ? PKIX_OK
                               : length == 4            ? PKIX_BAD_DER /* a label may not end in a hyphen */
                               : length > 63            ? PKIX_BAD_DER
                                                        : PKIX_NAME_CONSTRAINT_VIOLATION);
    }
}

static void cve_2024_6119_other_name_against_a_host_name(void **state)
{
    struct cert_spec leaf = builder_client(host, 2, "ca", 1);
    struct scene scene;

    (void)state;
    leaf.eku = builder_oid(OID_SERVER_AUTH);
    leaf.sans[leaf.san_count++] =
        builder_tlv(0xa0, builder_oid(OID_COMMON_NAME), builder_tlv(0xa0, builder_integer(1), builder_end), builder_end);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_NAME_MISMATCH);
}

/* CVE-2024-34702, CVE-2025-14831: names times constraints. */
static void cve_2024_34702_many_names_times_many_constraints_end_at_the_limit(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = builder_client(host, 2, "ca", 1);
    struct span excluded = span_of(NULL, 0), names = span_of(NULL, 0);
    struct scene scene;

    (void)state;
    for (unsigned i = 0; i < 11; i++) {
        /* Doubled eleven times: 2,048 of each. */
        excluded = i == 0 ? builder_general_name(0x82, "x.org") : builder_join(excluded, excluded);
        names = i == 0 ? builder_general_name(0x82, "a.com") : builder_join(names, names);
    }
    builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true, builder_constraints(span_of(NULL, 0), excluded));
    leaf.eku = builder_oid(OID_SERVER_AUTH);
    builder_add_extension(&leaf, OID_SUBJECT_ALT_NAME, false, builder_tlv(ASN1_SEQUENCE, names, builder_end));
    scene = scene_server(builder_cert(&leaf), "a.com", root());
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
}

/* RUSTSEC-2023-0052: all authorities of one name, each issued by all the others under other keys. */
static void rustsec_2023_0052_cross_signed_mesh_ends_within_the_limits(void **state)
{
    struct scene scene = scene_server(make(builder_server(host, 40, "mesh", 1)), host, root());

    (void)state;
    for (unsigned subject = 1; subject <= 7; subject++)
        for (unsigned issuer = 1; issuer <= 7; issuer++)
            scene_add_extra(&scene, make(builder_authority("mesh", subject, "mesh", issuer)));
    assert_int_not_equal(scene_verify(&scene), PKIX_OK);
    assert_true(scene.signature_checks <= 100);
}

/* The lattice of spec section 0: bogus signatures under a configured root's name. */
static void lattice_of_bogus_signatures_costs_one_level(void **state)
{
    static const char *const levels[] = {"L1", "L2", "L3", "L4", "root"};
    struct scene scene = scene_server(make(builder_server(host, 40, "L1", 39)), host, root());

    (void)state;
    for (unsigned level = 0; level + 1 < ARRAY_LEN(levels); level++)
        for (unsigned width = 0; width < 8; width++)
            scene_add_extra(&scene, make(builder_authority(levels[level], 1 + width, levels[level + 1], 38)));
    assert_int_not_equal(scene_verify(&scene), PKIX_OK);
    assert_true(scene.signature_checks <= 8);
}

static void cve_2026_32280_more_extras_than_the_limit_are_ignored(void **state)
{
    struct pkix_limits limits = pkix_limits_default;
    struct scene scene = scene_server(make(leaf_spec()), host, root());

    (void)state;
    limits.extras_max = 4;
    scene.request.limits = &limits;
    for (unsigned i = 0; i < 8; i++)
        scene_add_extra(&scene, make(builder_authority("noise", 3 + i, "noise2", 1)));
    scene_add_extra(&scene, authority());
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void intermediate_cycles_end(void **state)
{
    struct scene scene = scene_server(make(builder_server(host, 40, "A", 1)), host, root());

    (void)state;
    scene_add_extra(&scene, make(builder_authority("A", 1, "B", 2)));
    scene_add_extra(&scene, make(builder_authority("B", 2, "A", 1)));
    scene_add_extra(&scene, make(builder_authority("A", 1, "A", 1)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void cve_2002_0862_leaf_without_basic_constraints_issues(void **state)
{
    struct cert_spec issuing_leaf = builder_server("ca", 1, "root", 0);
    struct scene scene = scene_server(make(leaf_spec()), host, root());

    (void)state;
    issuing_leaf.key_usage = -1;
    issuing_leaf.eku = span_of(NULL, 0);
    scene_add_extra(&scene, builder_cert(&issuing_leaf));
    assert_verdict(&scene, PKIX_NOT_A_CA);
}

static void version_1_is_an_authority_only_as_an_anchor(void **state)
{
    struct cert_spec v1 = builder_authority("ca", 1, "ca", 1);
    struct scene scene;

    (void)state;
    v1.version = 0;
    v1.ca = BUILDER_NO_CONSTRAINTS;
    v1.key_usage = -1;
    scene = scene_server(make(leaf_spec()), host, builder_cert(&v1));
    assert_verdict(&scene, PKIX_OK);
    v1.issuer = "root";
    v1.signer = 0;
    scene = scene_server(make(leaf_spec()), host, root());
    scene_add_extra(&scene, builder_cert(&v1));
    assert_verdict(&scene, PKIX_NOT_A_CA);
}

static void extended_key_usage_is_chained(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    ca.eku = builder_oid(OID_SERVER_AUTH);
    scene = scene_client(make(builder_client("alice", 2, "ca", 1)), root());
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_BAD_EXTENDED_KEY_USAGE);
}

static void extensions_twice_empty_or_with_more_behind_are_refused(void **state)
{
    struct cert_spec spec = leaf_spec();
    struct scene scene;

    (void)state;
    builder_add_extension(&spec, OID_CERTIFICATE_POLICIES, false, span_of(NULL, 0));
    scene = scene_of(spec);
    assert_verdict(&scene, PKIX_BAD_EXTENSION);
    spec = leaf_spec();
    builder_add_extension(&spec, OID_KEY_USAGE, true, builder_bytes("\x03\x02\x07\x80", 4));
    scene = scene_of(spec);
    assert_verdict(&scene, PKIX_BAD_EXTENSION);
    spec = leaf_spec();
    spec.key_usage = -1;
    builder_add_extension(&spec, OID_KEY_USAGE, true, builder_bytes("\x03\x02\x07\x80\x00", 5));
    scene = scene_of(spec);
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
}

/* AddTrust, 2020-05-30: one of two parents has expired. In any order the other one is found. */
static void addtrust_2020_expired_cross_signature(void **state)
{
    struct cert_spec cross = builder_authority("USERTrust", 1, "AddTrust", 5);
    struct cert_spec addtrust = builder_authority("AddTrust", 5, "AddTrust", 5);
    struct span usertrust = make(builder_authority("USERTrust", 1, "USERTrust", 1));

    (void)state;
    cross.not_after = addtrust.not_after = builder_now - BUILDER_DAY;
    for (unsigned order = 0; order < 2; order++) {
        struct scene scene = scene_server(make(builder_server(host, 2, "USERTrust", 1)), host,
                                          order == 0 ? usertrust : builder_cert(&addtrust));

        scene_add_anchor(&scene, order == 0 ? builder_cert(&addtrust) : usertrust);
        scene_add_extra(&scene, builder_cert(&cross));
        scene_add_extra(&scene, builder_cert(&addtrust));
        assert_verdict(&scene, PKIX_OK);
        assert_int_equal(scene.path_length, 2);
    }
}

/* DST Root X3, 2021-09-30: the handshake's longer path ends at an expired root, which is still in the store. */
static void dst_root_x3_2021_expired_root_in_the_store(void **state)
{
    struct cert_spec dst = builder_authority("DST Root CA X3", 5, "DST Root CA X3", 5);
    struct cert_spec cross = builder_authority("ISRG Root X1", 1, "DST Root CA X3", 5);
    struct scene scene;

    (void)state;
    dst.not_after = builder_now - BUILDER_DAY;
    scene = scene_server(make(builder_server(host, 3, "R3", 2)), host, builder_cert(&dst));
    scene_add_extra(&scene, make(builder_authority("R3", 2, "ISRG Root X1", 1)));
    scene_add_extra(&scene, builder_cert(&cross));
    assert_verdict(&scene, PKIX_EXPIRED_ISSUER);
    scene_add_anchor(&scene, make(builder_authority("ISRG Root X1", 1, "ISRG Root X1", 1)));
    assert_verdict(&scene, PKIX_OK);
}

static struct span revoked_issuer, revoked_serial;

static void distrust_by_serial(struct pkix_store *store)
{
    pkix_store_distrust_issuer_serial(store, revoked_issuer, revoked_serial);
}

static void distrust_by_key(struct pkix_store *store)
{
    pkix_store_distrust_subject_key(store, builder_name("ca"), builder_spki(1));
}

/* DigiNotar, Comodo: single authorities and certificates are named by what Mozilla's OneCRL names them by. */
static void onecrl_names_by_issuer_and_serial_or_subject_and_key(void **state)
{
    struct cert_spec leaf = leaf_spec();
    struct scene scene;

    (void)state;
    revoked_issuer = builder_name("ca");
    revoked_serial = builder_bytes("\x05", 1);
    scene = scene_of(leaf);
    scene.prepare = distrust_by_serial;
    assert_verdict(&scene, PKIX_OK);
    leaf.serial = revoked_serial;
    scene = scene_of(leaf);
    scene.prepare = distrust_by_serial;
    assert_verdict(&scene, PKIX_DISTRUSTED);
    scene = scene_of(leaf_spec());
    scene.prepare = distrust_by_key;
    assert_verdict(&scene, PKIX_DISTRUSTED_ISSUER);
}

static void serials_and_dates_that_are_odd_but_found(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum pkix_error want;
    } serials[] = {
        {"\x00", 1, PKIX_OK},
        {"\xff", 1, PKIX_OK},
        {"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 22, PKIX_OK},
        {"\x00\x01", 2, PKIX_BAD_INTEGER},
        {"\xff\xff", 2, PKIX_BAD_INTEGER},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(serials); i++) {
        struct cert_spec leaf = leaf_spec();
        struct scene scene;

        leaf.serial = builder_bytes(serials[i].bytes, serials[i].size);
        scene = scene_of(leaf);
        assert_verdict(&scene, serials[i].want);
        if (serials[i].want == PKIX_OK) {
            scene.request.profile = PKIX_PROFILE_STRICT;
            assert_int_not_equal(scene_verify(&scene), PKIX_OK);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct cert_spec leaf = leaf_spec();
        struct scene scene;

        leaf.not_after = i == 0 ? 253402300799 /* 9999-12-31T23:59:59Z */ : 2524607999 /* 2049-12-31T23:59:59Z */;
        scene = scene_of(leaf);
        assert_verdict(&scene, PKIX_OK);
    }
}

static void deep_nesting_and_long_names_are_only_bytes(void **state)
{
    struct span nested = builder_integer(1);
    struct cert_spec leaf = leaf_spec();
    static char long_name[60000];
    struct scene scene;

    (void)state;
    for (unsigned i = 0; i < 500; i++)
        nested = builder_tlv(ASN1_SEQUENCE, nested, builder_end);
    builder_add_extension(&leaf, OID_CERTIFICATE_POLICIES, false, nested);
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_BAD_POLICY);
    leaf = leaf_spec();
    builder_add_extension(&leaf, OID_CERTIFICATE_POLICIES, false, /* as a policy's qualifiers */
                          builder_tlv(ASN1_SEQUENCE,
                                      builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ANY_POLICY), nested, builder_end),
                                      builder_end));
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_OK);
    memset(long_name, 'a', sizeof(long_name) - 1);
    leaf = leaf_spec();
    leaf.subject = long_name;
    scene = scene_of(leaf);
    assert_verdict(&scene, PKIX_OK);
    leaf.subject = NULL;
    leaf.subject_der = builder_join(builder_name(long_name), builder_name(long_name));
    scene = scene_of(leaf); /* more than 64 kB: no certificate */
    assert_verdict(&scene, PKIX_BAD_DER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2020_0601_curveball_explicit_parameters),
        cmocka_unit_test(cve_2021_3450_strict_profile_still_checks_for_a_ca),
        cmocka_unit_test(cve_2008_4989_last_self_signed_certificate_is_not_trusted),
        cmocka_unit_test(cve_2014_1266_goto_fail_leaf_signature_is_checked),
        cmocka_unit_test(cve_2026_5501_garbage_signature_under_a_leaf),
        cmocka_unit_test(cve_2026_11310_a_peers_authority_is_no_anchor),
        cmocka_unit_test(cve_2026_34580_same_name_as_a_root_is_not_the_root),
        cmocka_unit_test(cve_2024_0567_cross_signed_pairs_of_equal_names),
        cmocka_unit_test(cve_2015_1793_alternative_path_through_a_leaf),
        cmocka_unit_test(cve_2021_43527_bigsig_signature_of_the_wrong_size),
        cmocka_unit_test(cve_2014_1568_berserk_exponent_three_and_forged_digest_info),
        cmocka_unit_test(cve_2024_24783_unknown_key_algorithm_in_the_chain),
        cmocka_unit_test(cve_2022_21449_psychic_and_other_ecdsa_signatures),
        cmocka_unit_test(ecdsa_signature_too_long_for_the_curve),
        cmocka_unit_test(outer_and_inner_signature_algorithms_differ),
        cmocka_unit_test(cve_2009_2408_nul_in_a_name),
        cmocka_unit_test(cve_2022_3602_punycode_of_every_length_in_constraints),
        cmocka_unit_test(cve_2024_6119_other_name_against_a_host_name),
        cmocka_unit_test(cve_2024_34702_many_names_times_many_constraints_end_at_the_limit),
        cmocka_unit_test(rustsec_2023_0052_cross_signed_mesh_ends_within_the_limits),
        cmocka_unit_test(lattice_of_bogus_signatures_costs_one_level),
        cmocka_unit_test(cve_2026_32280_more_extras_than_the_limit_are_ignored),
        cmocka_unit_test(intermediate_cycles_end),
        cmocka_unit_test(cve_2002_0862_leaf_without_basic_constraints_issues),
        cmocka_unit_test(version_1_is_an_authority_only_as_an_anchor),
        cmocka_unit_test(extended_key_usage_is_chained),
        cmocka_unit_test(extensions_twice_empty_or_with_more_behind_are_refused),
        cmocka_unit_test(addtrust_2020_expired_cross_signature),
        cmocka_unit_test(dst_root_x3_2021_expired_root_in_the_store),
        cmocka_unit_test(onecrl_names_by_issuer_and_serial_or_subject_and_key),
        cmocka_unit_test(serials_and_dates_that_are_odd_but_found),
        cmocka_unit_test(deep_nesting_and_long_names_are_only_bytes),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
