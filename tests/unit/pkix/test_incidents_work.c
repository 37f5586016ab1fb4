/* Incidents about work without end: paths, names, keys and sizes. That of policies (CVE-2023-0464) is in test_policy.c.
 */
#include "incident.h"
#include "pkix/key.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* RUSTSEC-2023-0052: all authorities of one name, each issued by all the others under other keys. */
static void rustsec_2023_0052_cross_signed_mesh_ends_within_the_limits(void **state)
{
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 40, "mesh", 1)), incident_host, incident_root());

    (void)state;
    for (unsigned subject = 1; subject <= 7; subject++)
        for (unsigned issuer = 1; issuer <= 7; issuer++)
            scene_add_extra(&scene, incident_make(builder_authority("mesh", subject, "mesh", issuer)));
    assert_int_not_equal(scene_verify(&scene), PKIX_OK);
    assert_true(scene.signature_checks <= 100);
}

/* The lattice of spec section 0: bogus signatures under a configured root's name. */
static void lattice_of_bogus_signatures_costs_one_level(void **state)
{
    static const char *const levels[] = {"L1", "L2", "L3", "L4", "root"};
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 40, "L1", 39)), incident_host, incident_root());

    (void)state;
    for (unsigned level = 0; level + 1 < ARRAY_LEN(levels); level++)
        for (unsigned width = 0; width < 8; width++)
            scene_add_extra(&scene, incident_make(builder_authority(levels[level], 1 + width, levels[level + 1], 38)));
    assert_int_not_equal(scene_verify(&scene), PKIX_OK);
    assert_true(scene.signature_checks <= 8);
}

/* The same with good signatures: each level's authorities have one key, so that all of them sign all below. */
static void rustsec_2023_0053_lattice_of_good_signatures_ends_within_the_limits(void **state)
{
    static const char *const levels[] = {"L1", "L2", "L3", "L4", "L5", "root"};
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 40, "L1", 1)), incident_host, incident_root());

    (void)state;
    for (unsigned level = 0; level + 1 < ARRAY_LEN(levels); level++) {
        for (unsigned width = 0; width < 9; width++) {
            /* The root's name has signed none of the last level. */
            struct cert_spec ca = builder_authority(levels[level], 1 + level, levels[level + 1], 2 + level);

            ca.not_before += width;
            scene_add_extra(&scene, builder_cert(&ca));
        }
    }
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
    assert_true(scene.signature_checks <= 100);
}

static void cve_2026_32280_more_extras_than_the_limit_are_ignored(void **state)
{
    struct pkix_limits limits = pkix_limits_default;
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

    (void)state;
    limits.extras_max = 4;
    scene.request.limits = &limits;
    for (unsigned i = 0; i < 8; i++)
        scene_add_extra(&scene, incident_make(builder_authority("noise", 3 + i, "noise2", 1)));
    scene_add_extra(&scene, incident_authority());
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void intermediate_cycles_end(void **state)
{
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 40, "A", 1)), incident_host, incident_root());

    (void)state;
    scene_add_extra(&scene, incident_make(builder_authority("A", 1, "B", 2)));
    scene_add_extra(&scene, incident_make(builder_authority("B", 2, "A", 1)));
    scene_add_extra(&scene, incident_make(builder_authority("A", 1, "A", 1)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

/* CVE-2024-34702, CVE-2025-14831: names times constraints. */
static void cve_2024_34702_many_names_times_many_constraints_end_at_the_limit(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = builder_client(incident_host, 2, "ca", 1);
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
    scene = scene_server(builder_cert(&leaf), "a.com", incident_root());
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
}

/* OpenSSL looked for a square root modulo a number that is no prime: in explicit parameters, or for a compressed point.
 * Neither is read. */
static void cve_2022_0778_no_square_root_is_looked_for(void **state)
{
    static const uint8_t compressed[33] = {0x02, 0x01};
    struct span curve_parameters = builder_tlv(
        ASN1_SEQUENCE, builder_integer(1),
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_COMMON_NAME), builder_integer(697), builder_end), builder_end);
    const struct {
        struct span parameters;
        enum pkix_error want;
    } table[] = {{builder_oid(OID_P256), PKIX_UNSUPPORTED_POINT}, {curve_parameters, PKIX_BAD_DER}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec ca = builder_authority("ca", 1, "root", 0);
        struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

        ca.spki = builder_tlv(
            ASN1_SEQUENCE, builder_tlv(ASN1_SEQUENCE, builder_oid(OID_EC_PUBLIC_KEY), table[i].parameters, builder_end),
            builder_bit_string(span_of(compressed, sizeof(compressed))), builder_end);
        scene_add_extra(&scene, builder_cert(&ca));
        assert_verdict(&scene, table[i].want);
        assert_int_equal(scene.signature_checks, 0);
    }
}

static struct span rsa_spki(size_t modulus_size, size_t exponent_size, uint8_t last_byte)
{
    uint8_t *modulus = base_alloc(1 + modulus_size), *exponent = base_alloc(1 + exponent_size);
    struct span spki;

    memset(modulus + 1, 0xd5, modulus_size);
    memset(exponent + 1, 0x80, exponent_size);
    exponent[exponent_size] = last_byte;
    spki = builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_RSA_ENCRYPTION), builder_tlv(ASN1_NULL, builder_end), builder_end),
        builder_bit_string(builder_tlv(
            ASN1_SEQUENCE, builder_tlv(ASN1_INTEGER, span_of(modulus, 1 + modulus_size), builder_end),
            builder_tlv(ASN1_INTEGER,
                        exponent_size == 1 ? span_of(exponent + 1, 1) : span_of(exponent, 1 + exponent_size),
                        builder_end),
            builder_end)),
        builder_end);
    free(modulus);
    free(exponent);
    return spki;
}

/* A modulus of 16,384 bits, or an exponent of 2^17 of them, is work for nothing; exponents 1 and 2 are no keys. */
static void keys_that_are_large_to_be_slow_are_refused(void **state)
{
    static const struct {
        size_t modulus_size, exponent_size;
        uint8_t last_byte;
        enum pkix_error want;
    } table[] = {
        {256, 3, 0x01, PKIX_OK},           {1024, 4, 0x01, PKIX_OK},      {1032, 3, 0x01, PKIX_WEAK_KEY},
        {2048, 3, 0x01, PKIX_WEAK_KEY},    {255, 3, 0x01, PKIX_WEAK_KEY}, {256, 5, 0x01, PKIX_WEAK_KEY},
        {256, 16384, 0x01, PKIX_WEAK_KEY}, {256, 1, 0x01, PKIX_WEAK_KEY}, {256, 1, 0x02, PKIX_WEAK_KEY},
        {256, 3, 0x02, PKIX_WEAK_KEY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct pkix_key key;

        assert_int_equal(
            pkix_key_read(rsa_spki(table[i].modulus_size, table[i].exponent_size, table[i].last_byte), &key),
            table[i].want);
    }
}

static void deep_nesting_and_long_names_are_only_bytes(void **state)
{
    struct span nested = builder_integer(1);
    struct cert_spec leaf = incident_leaf();
    static char long_name[60000];
    struct scene scene;

    (void)state;
    for (unsigned i = 0; i < 500; i++)
        nested = builder_tlv(ASN1_SEQUENCE, nested, builder_end);
    builder_add_extension(&leaf, OID_CERTIFICATE_POLICIES, false, nested);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_POLICY);
    leaf = incident_leaf();
    builder_add_extension(&leaf, OID_CERTIFICATE_POLICIES, false, /* as a policy's qualifiers */
                          builder_tlv(ASN1_SEQUENCE,
                                      builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ANY_POLICY), nested, builder_end),
                                      builder_end));
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_OK);
    memset(long_name, 'a', sizeof(long_name) - 1);
    leaf = incident_leaf();
    leaf.subject = long_name;
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_OK);
    leaf.subject = NULL;
    leaf.subject_der = builder_join(builder_name(long_name), builder_name(long_name));
    scene = incident_scene(leaf); /* more than 64 KiB */
    assert_verdict(&scene, PKIX_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rustsec_2023_0052_cross_signed_mesh_ends_within_the_limits),
        cmocka_unit_test(lattice_of_bogus_signatures_costs_one_level),
        cmocka_unit_test(rustsec_2023_0053_lattice_of_good_signatures_ends_within_the_limits),
        cmocka_unit_test(cve_2026_32280_more_extras_than_the_limit_are_ignored),
        cmocka_unit_test(intermediate_cycles_end),
        cmocka_unit_test(cve_2024_34702_many_names_times_many_constraints_end_at_the_limit),
        cmocka_unit_test(cve_2022_0778_no_square_root_is_looked_for),
        cmocka_unit_test(keys_that_are_large_to_be_slow_are_refused),
        cmocka_unit_test(deep_nesting_and_long_names_are_only_bytes),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
