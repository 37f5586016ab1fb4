/* Incidents about signatures, keys and what is trusted. */
#include "incident.h"
#include "pkix/key.h"
#include "pkix/nss_crypto.h"
#include "pkix/signature.h"
#include "pkix/search.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

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
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

    (void)state;
    ca.spki = explicit_curve_spki();
    scene_add_extra(&scene, builder_cert(&ca));
    assert_verdict(&scene, PKIX_BAD_DER);
}

/* The attack itself: a root of one's own making, with the name and the point of a trusted one. */
static void cve_2020_0601_curveball_root_with_the_trusted_roots_point(void **state)
{
    struct cert_spec fake = builder_authority("root", 0, "root", 9);
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 2, "root", 9)), incident_host, incident_root());

    (void)state;
    fake.spki = explicit_curve_spki();
    scene_add_extra(&scene, builder_cert(&fake));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void cve_2021_3450_strict_profile_still_checks_for_a_ca(void **state)
{
    struct cert_spec not_ca = builder_server("ca", 1, "root", 0);
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

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
    struct scene scene =
        scene_server(incident_make(builder_server(incident_host, 2, "evil root", 7)), incident_host, incident_root());

    (void)state;
    scene_add_extra(&scene, incident_make(builder_authority("evil root", 7, "evil root", 7)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static enum pkix_error look_is_good(void *ctx, const struct pkix_signed *statement, struct span spki, unsigned *cost_us)
{
    (void)ctx;
    (void)statement;
    (void)spki;
    *cost_us = 1;
    return PKIX_OK;
}

static enum pkix_error verify_fails(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    (void)ctx;
    (void)statement;
    (void)spki;
    return PKIX_INTERNAL;
}

static enum pkix_error not_revoked(const struct pkix_revocation_question *question,
                                   struct pkix_revocation_answer *answer)
{
    (void)question;
    (void)answer;
    return PKIX_OK;
}

static uint64_t no_time(void)
{
    return 0;
}

/* GnuTLS took the error of a check for its success. */
static void cve_2014_0092_a_check_that_cannot_be_made_is_no_success(void **state)
{
    static const struct pkix_domain broken = {.look_at_signature = look_is_good,
                                              .verify_signature = verify_fails,
                                              .check_revocation = not_revoked,
                                              .now_ms = no_time};
    struct span extra = incident_authority();
    struct pkix_request request = {
        .leaf = incident_make(incident_leaf()), .extras = &extra, .extras_count = 1, .time = builder_now};
    struct pkix_store *store = pkix_store_create();
    struct pkix_search *search = base_alloc(sizeof(*search));
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_anchor(store, incident_root(), &error));
    assert_int_equal(pkix_search_init(search, store, &broken, &request), PKIX_OK);
    assert_int_equal(pkix_search_run(search), PKIX_INTERNAL);
    pkix_search_clear(search);
    free(search);
    pkix_store_destroy(&store);
}

static void cve_2014_1266_goto_fail_leaf_signature_is_checked(void **state)
{
    struct cert_spec leaf = incident_leaf();
    struct scene scene;

    (void)state;
    leaf.signature = builder_bytes("\x30\x06\x02\x01\x01\x02\x01\x01", 8);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
}

static void cve_2026_5501_garbage_signature_under_a_leaf(void **state)
{
    struct cert_spec middle = builder_server("ca", 1, "root", 0), leaf = incident_leaf();
    struct scene scene;

    (void)state;
    middle.ca = BUILDER_NOT_CA;
    leaf.signature = builder_bytes("\x30\x06\x02\x01\x01\x02\x01\x01", 8);
    scene = scene_server(builder_cert(&leaf), incident_host, incident_root());
    scene_add_extra(&scene, builder_cert(&middle));
    assert_verdict(&scene, PKIX_BAD_KEY_USAGE);
}

static void cve_2026_11310_a_peers_authority_is_no_anchor(void **state)
{
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host,
                                      incident_make(builder_authority("other root", 9, "other root", 9)));

    (void)state;
    scene_add_extra(&scene, incident_authority());
    scene_add_extra(&scene, incident_root());
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
}

static void cve_2026_34580_same_name_as_a_root_is_not_the_root(void **state)
{
    struct cert_spec fake = builder_server("root", 9, "root", 9);
    struct scene scene;

    (void)state;
    fake.san_count = 0;
    builder_add_dns(&fake, incident_host);
    scene = scene_server(builder_cert(&fake), incident_host, incident_root());
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
}

static void cve_2024_0567_cross_signed_pairs_of_equal_names(void **state)
{
    struct scene scene = scene_server(incident_make(builder_server(incident_host, 20, "a1", 4)), incident_host,
                                      incident_make(builder_authority("A", 1, "A", 1)));

    (void)state;
    scene_add_extra(&scene, incident_make(builder_authority("a1", 4, "A", 1)));
    scene_add_extra(&scene, incident_make(builder_authority("A", 1, "B", 2)));
    scene_add_extra(&scene, incident_make(builder_authority("A", 1, "C", 3)));
    scene_add_extra(&scene, incident_make(builder_authority("B", 2, "A", 1)));
    scene_add_extra(&scene, incident_make(builder_authority("B", 2, "C", 3)));
    scene_add_extra(&scene, incident_make(builder_authority("C", 3, "A", 1)));
    scene_add_extra(&scene, incident_make(builder_authority("C", 3, "B", 2)));
    assert_verdict(&scene, PKIX_OK);
}

static void cve_2015_1793_alternative_path_through_a_leaf(void **state)
{
    struct cert_spec leaf_as_issuer = builder_server("ca", 1, "root", 0), other = builder_authority("ca", 8, "root", 0);
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

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

    return pkix_nss_verify(&statement, spki, NULL);
}

static void cve_2021_43527_bigsig_signature_of_the_wrong_size(void **state)
{
    (void)state;
    assert_int_equal(verify_rsa(builder_rsa_spki(2048), 512), PKIX_BAD_SIGNATURE);
    assert_int_equal(verify_rsa(builder_rsa_spki(4096), 256), PKIX_BAD_SIGNATURE);
    assert_int_equal(verify_rsa(builder_rsa_spki(16384), 1024), PKIX_WEAK_KEY);
    assert_int_equal(verify_rsa(builder_rsa_spki(2048), 2048), PKIX_WEAK_KEY);
}

/* An RSA signature of zeros by a key of that size, with PSS and SHA-256 (RFC 4055 section 3.1). */
static void cve_2021_43527_bigsig_pss_signature_of_the_wrong_size(void **state)
{
    static const uint8_t params[] = "\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00"
                                    "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09"
                                    "\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\xa2\x03\x02\x01\x20";
    static const uint8_t zeros[1024];
    static const struct {
        unsigned key_bits;
        size_t signature_size;
        enum pkix_error want;
    } table[] = {
        {2048, 256, PKIX_BAD_SIGNATURE},
        {2048, 1024, PKIX_BAD_SIGNATURE},
        {8192, 256, PKIX_BAD_SIGNATURE},
        {16384, 1024, PKIX_WEAK_KEY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct pkix_signed statement = {
            .data = span_of_string("data"),
            .algorithm = builder_join(builder_oid(OID_RSA_PSS), span_of(params, sizeof(params) - 1)),
            .signature = span_of(zeros, table[i].signature_size),
        };

        assert_int_equal(pkix_nss_verify(&statement, builder_rsa_spki(table[i].key_bits), NULL), table[i].want);
    }
}

/* RSASSA-PSS-params (RFC 4055 section 3.1) out of hashes (whole AlgorithmIdentifiers) and the rest of the fields. */
static struct span pss_params(struct span hash, struct span mask_hash, struct span rest)
{
    struct span mask = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_MGF1), mask_hash, builder_end);

    return builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, hash, builder_end), builder_tlv(0xa1, mask, builder_end), rest,
                       builder_end);
}

static struct span salt_of(unsigned size)
{
    return builder_tlv(0xa2, builder_integer(size), builder_end);
}

/* One hash for both uses; a salt of any length that the modulus has room for. */
static void pss_parameters_table(void **state)
{
    struct span sha256 = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_SHA256), builder_tlv(ASN1_NULL, builder_end),
                                     builder_end),
                bare = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_SHA256), builder_end),
                sha512 = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_SHA512), builder_tlv(ASN1_NULL, builder_end),
                                     builder_end),
                sha1 =
                    builder_tlv(ASN1_SEQUENCE, builder_oid(OID_SHA1), builder_tlv(ASN1_NULL, builder_end), builder_end),
                none = span_of(NULL, 0);
    const struct {
        const char *what;
        struct span params;
        enum pkix_error read;
        unsigned salt_size;
        enum pkix_error look; /* at a signature of 2,048 bits */
    } table[] = {
        {"as long as the hash", pss_params(sha256, sha256, salt_of(32)), PKIX_OK, 32, PKIX_OK},
        {"no salt", pss_params(sha256, sha256, salt_of(0)), PKIX_OK, 0, PKIX_OK},
        {"the default", pss_params(sha256, sha256, none), PKIX_OK, 20, PKIX_OK},
        {"the longest", pss_params(sha256, sha256, salt_of(222)), PKIX_OK, 222, PKIX_OK},
        {"too long", pss_params(sha256, sha256, salt_of(223)), PKIX_OK, 223, PKIX_BAD_SIGNATURE},
        {"the longest of SHA-512", pss_params(sha512, sha512, salt_of(190)), PKIX_OK, 190, PKIX_OK},
        {"too long for SHA-512", pss_params(sha512, sha512, salt_of(191)), PKIX_OK, 191, PKIX_BAD_SIGNATURE},
        {"without NULL", pss_params(bare, bare, salt_of(32)), PKIX_OK, 32, PKIX_OK},
        {"the default, written", pss_params(sha256, sha256, salt_of(20)), PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"negative", pss_params(sha256, sha256, builder_tlv(0xa2, builder_bytes("\x02\x01\xff", 3), builder_end)),
         PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"huge", pss_params(sha256, sha256, builder_tlv(0xa2, builder_bytes("\x02\x03\x01\0\0", 5), builder_end)),
         PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"another mask", pss_params(sha512, sha256, salt_of(32)), PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"SHA-1", pss_params(sha1, sha1, none), PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"SHA-1 by default", builder_tlv(ASN1_SEQUENCE, builder_end), PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"a trailer",
         pss_params(sha256, sha256, builder_join(salt_of(32), builder_tlv(0xa3, builder_integer(2), builder_end))),
         PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"more behind it", builder_join(pss_params(sha256, sha256, salt_of(32)), builder_integer(1)),
         PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
        {"none", none, PKIX_WEAK_SIGNATURE_ALGORITHM, 0, PKIX_OK},
    };
    static const uint8_t zeros[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct pkix_algorithm algorithm;
        struct pkix_signed statement = {.data = span_of_string("data"),
                                        .algorithm = builder_join(builder_oid(OID_RSA_PSS), table[i].params),
                                        .signature = span_of(zeros, sizeof(zeros))};
        unsigned cost_us;
        enum pkix_error got = pkix_algorithm_read(statement.algorithm, &algorithm);

        if (got != table[i].read || (got == PKIX_OK && algorithm.salt_size != table[i].salt_size))
            fail_msg("%s: %s", table[i].what, pkix_error_name(got));
        if (got != PKIX_OK)
            continue;
        got = pkix_signature_look(&statement, builder_rsa_spki(2048), &cost_us);
        if (got != table[i].look)
            fail_msg("%s: %s", table[i].what, pkix_error_name(got));
    }
}

enum { RSA_2048_SIZE = 256 };

/* A key with exponent 3, whose modulus is larger than the forgeries' cubes: these are plain cube roots. */
static struct span exponent_three_spki(void)
{
    static uint8_t modulus[1 + RSA_2048_SIZE];

    memset(modulus + 1, 0xd5, RSA_2048_SIZE);
    return builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_RSA_ENCRYPTION), builder_tlv(ASN1_NULL, builder_end), builder_end),
        builder_bit_string(builder_tlv(ASN1_SEQUENCE,
                                       builder_tlv(ASN1_INTEGER, span_of(modulus, sizeof(modulus)), builder_end),
                                       builder_integer(3), builder_end)),
        builder_end);
}

static const uint8_t garbage_behind_eight_bytes_of_padding[] = {
    0x32, 0xcb, 0xfd, 0x4a, 0x7a, 0xdc, 0x79, 0x05, 0x58, 0x3d, 0x76, 0x75, 0x20, 0xf5, 0x16, 0x40, 0x75,
    0x91, 0x76, 0xd3, 0x78, 0x26, 0xf2, 0xef, 0x63, 0xae, 0x3d, 0xc7, 0xa8, 0x0c, 0x99, 0xae, 0x6c, 0x98,
    0xc2, 0x2d, 0xb8, 0xdd, 0x85, 0x6e, 0xc1, 0x61, 0xa2, 0xe5, 0x0a, 0x88, 0x21, 0x64, 0x39, 0x1a, 0xc7,
    0x4d, 0xfb, 0x32, 0x34, 0xef, 0x78, 0x92, 0x5d, 0xb3, 0x90, 0x29, 0x5a, 0xd8, 0x1c, 0xde, 0xbc, 0x2d,
    0x75, 0x81, 0x6c, 0x7f, 0xa1, 0x44, 0xfc, 0x77, 0x70, 0x95, 0x36, 0x3d, 0x1c, 0x23, 0x02, 0x0b, 0xd6};
static const uint8_t garbage_behind_one_byte_of_padding[] = {
    0x32, 0xc3, 0x86, 0x24, 0x84, 0x59, 0x11, 0x81, 0x7b, 0xf1, 0x25, 0xc3, 0xcf, 0x15, 0x34, 0x3c, 0xee,
    0x13, 0x89, 0xf8, 0xce, 0xff, 0x3a, 0x53, 0x9b, 0x63, 0x58, 0x62, 0x5e, 0x91, 0x86, 0x84, 0xb5, 0x84,
    0x9a, 0x05, 0x62, 0xd9, 0x3e, 0x0d, 0x5a, 0x13, 0xd6, 0xcc, 0x83, 0x73, 0xc1, 0xdd, 0x91, 0x3c, 0x5b,
    0x48, 0x9d, 0xae, 0x51, 0x4b, 0xaa, 0xc1, 0x1f, 0xa8, 0x4e, 0xe1, 0xd5, 0x42, 0xf4, 0x35, 0x56, 0xb2,
    0x6a, 0x6d, 0x4e, 0x1a, 0xac, 0x1a, 0x72, 0xab, 0xb0, 0x37, 0x88, 0x22, 0x46, 0x34, 0x29, 0x2e, 0x9f};
static const uint8_t garbage_within_the_digest_info[] = {
    0x32, 0xcb, 0xfd, 0x4a, 0x7a, 0xdc, 0x79, 0x05, 0x58, 0x3d, 0x79, 0x21, 0x53, 0xfc, 0x48, 0x91, 0x76,
    0xfa, 0x68, 0x35, 0x22, 0x99, 0x11, 0xe1, 0xeb, 0x96, 0xdd, 0xf9, 0x67, 0x53, 0xa9, 0x90, 0x10, 0xe7,
    0x70, 0x8a, 0x2b, 0x29, 0x9c, 0xc4, 0x92, 0xa8, 0xcd, 0x0f, 0xc0, 0x2e, 0xb4, 0x03, 0xce, 0xe7, 0xd3,
    0x4b, 0xc9, 0xb9, 0x2e, 0x2a, 0x01, 0x3b, 0xe9, 0x04, 0x44, 0xce, 0x53, 0x51, 0x67, 0x28, 0x92, 0xea,
    0x6a, 0x79, 0xe4, 0x48, 0xd3, 0x75, 0x10, 0x7f, 0x55, 0xed, 0x47, 0x33, 0xf6, 0xdd, 0x62, 0xfb, 0x27};

/* Signatures on "data" with SHA-256 that nobody with the private key has made: 00 01 FF..FF 00 DigestInfo with the
 * right hash is where a careless reader looks, and what makes the number a cube is where it does not: behind the
 * DigestInfo (Bleichenbacher 2006), or in the parameters of the hash's identifier (CVE-2014-1568, BERserk). */
static void cve_2014_1568_berserk_and_bleichenbacher_forgeries_with_exponent_three(void **state)
{
    const struct span roots[] = {
        span_of(garbage_behind_eight_bytes_of_padding, sizeof(garbage_behind_eight_bytes_of_padding)),
        span_of(garbage_behind_one_byte_of_padding, sizeof(garbage_behind_one_byte_of_padding)),
        span_of(garbage_within_the_digest_info, sizeof(garbage_within_the_digest_info)),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        uint8_t signature[RSA_2048_SIZE] = {0};
        struct pkix_signed statement = {
            .data = span_of_string("data"),
            .algorithm = builder_join(builder_oid(OID_RSA_SHA256), builder_tlv(ASN1_NULL, builder_end)),
            .signature = span_of(signature, sizeof(signature))};

        memcpy(signature + sizeof(signature) - roots[i].size, roots[i].data, roots[i].size);
        assert_int_equal(pkix_nss_verify(&statement, exponent_three_spki(), NULL), PKIX_BAD_SIGNATURE);
    }
}

static void cve_2024_24783_unknown_key_algorithm_in_the_chain(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(incident_make(incident_leaf()), incident_host, incident_root());

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
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.signature = builder_bytes(table[i].bytes, table[i].size);
        scene = incident_scene(leaf);
        assert_verdict(&scene, PKIX_BAD_SIGNATURE);
    }
}

static void ecdsa_signature_too_long_for_the_curve(void **state)
{
    struct cert_spec leaf = incident_leaf();
    uint8_t big[40] = {0x7f};
    struct scene scene;

    (void)state;
    leaf.signature = builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_INTEGER, span_of(big, sizeof(big)), builder_end),
                                 builder_integer(1), builder_end);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
}

static void outer_and_inner_signature_algorithms_differ(void **state)
{
    struct cert_spec leaf = incident_leaf();
    struct scene scene;

    (void)state;
    leaf.outer_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA512), builder_end);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE); /* an issuer's refusal ranks above the leaf's own problem */
    leaf.outer_algorithm = span_of(NULL, 0);
    leaf.inner_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA512), builder_end);
    scene = incident_scene(leaf);
    assert_verdict(&scene, PKIX_SIGNATURE_ALGORITHM_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2020_0601_curveball_explicit_parameters),
        cmocka_unit_test(cve_2020_0601_curveball_root_with_the_trusted_roots_point),
        cmocka_unit_test(cve_2021_3450_strict_profile_still_checks_for_a_ca),
        cmocka_unit_test(cve_2008_4989_last_self_signed_certificate_is_not_trusted),
        cmocka_unit_test(cve_2014_0092_a_check_that_cannot_be_made_is_no_success),
        cmocka_unit_test(cve_2014_1266_goto_fail_leaf_signature_is_checked),
        cmocka_unit_test(cve_2026_5501_garbage_signature_under_a_leaf),
        cmocka_unit_test(cve_2026_11310_a_peers_authority_is_no_anchor),
        cmocka_unit_test(cve_2026_34580_same_name_as_a_root_is_not_the_root),
        cmocka_unit_test(cve_2024_0567_cross_signed_pairs_of_equal_names),
        cmocka_unit_test(cve_2015_1793_alternative_path_through_a_leaf),
        cmocka_unit_test(cve_2021_43527_bigsig_signature_of_the_wrong_size),
        cmocka_unit_test(cve_2021_43527_bigsig_pss_signature_of_the_wrong_size),
        cmocka_unit_test(pss_parameters_table),
        cmocka_unit_test(cve_2014_1568_berserk_and_bleichenbacher_forgeries_with_exponent_three),
        cmocka_unit_test(cve_2024_24783_unknown_key_algorithm_in_the_chain),
        cmocka_unit_test(cve_2022_21449_psychic_and_other_ecdsa_signatures),
        cmocka_unit_test(ecdsa_signature_too_long_for_the_curve),
        cmocka_unit_test(outer_and_inner_signature_algorithms_differ),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
