/* What a peer can make us pay for signatures: pkix/signature.h, the budgets of pkix/request.h, and
 * pkix/search_extras.h.
 */
#include "scene.h"
#include "pkix/intermediates.h"
#include "pkix/signature.h"

#include <setjmp.h>
#include <cmocka.h>

enum { P256_SIZE = 32, P384_SIZE = 48, P521_SIZE = 66, RSA_2048_SIZE = 256 };

static const char host[] = "www.example.com";

static struct span make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

/* A point nobody has looked at: only its form is right. */
static struct span ec_spki(enum pkix_oid curve, size_t size, uint8_t byte)
{
    uint8_t point[1 + 2 * P521_SIZE] = {0x04};

    memset(point + 1, byte, 2 * size);
    return builder_tlv(ASN1_SEQUENCE,
                       builder_tlv(ASN1_SEQUENCE, builder_oid(OID_EC_PUBLIC_KEY), builder_oid(curve), builder_end),
                       builder_bit_string(span_of(point, 1 + 2 * size)), builder_end);
}

static struct span rsa_spki_with_exponent(const char *exponent, size_t exponent_size)
{
    static uint8_t modulus[1 + RSA_2048_SIZE];

    memset(modulus + 1, 0xd5, RSA_2048_SIZE);
    return builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_RSA_ENCRYPTION), builder_tlv(ASN1_NULL, builder_end), builder_end),
        builder_bit_string(
            builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_INTEGER, span_of(modulus, sizeof(modulus)), builder_end),
                        builder_tlv(ASN1_INTEGER, span_of(exponent, exponent_size), builder_end), builder_end)),
        builder_end);
}

static struct span usual_rsa_spki(void)
{
    return rsa_spki_with_exponent("\x01\x00\x01", 3);
}

/* r and s of as many bytes, given without leading zero. */
static struct span ecdsa(struct span r, struct span s)
{
    struct span zero = builder_bytes("\0", 1);

    return builder_tlv(
        ASN1_SEQUENCE, builder_tlv(ASN1_INTEGER, (r.data[0] & 0x80) != 0 ? builder_join(zero, r) : r, builder_end),
        builder_tlv(ASN1_INTEGER, (s.data[0] & 0x80) != 0 ? builder_join(zero, s) : s, builder_end), builder_end);
}

static enum pkix_error look(enum pkix_oid algorithm, struct span signature, size_t data_size, struct span spki,
                            unsigned *cost_us)
{
    static const uint8_t data[60000];
    struct pkix_signed statement = {
        .data = span_of(data, data_size), .algorithm = builder_oid(algorithm), .signature = signature};

    return pkix_signature_look(&statement, spki, cost_us);
}

static struct span small_ecdsa(void)
{
    return ecdsa(builder_bytes("\x01", 1), builder_bytes("\x01", 1));
}

static struct span rsa_signature(uint8_t first, size_t size)
{
    static uint8_t bytes[1024];

    memset(bytes, first, size);
    return builder_bytes(bytes, size);
}

static void look_refuses_what_is_no_signature_of_the_key(void **state)
{
    static const uint8_t order[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                    0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    struct span p256 = ec_spki(OID_P256, P256_SIZE, 1), n = builder_bytes(order, sizeof(order)),
                one = builder_bytes("\1", 1);
    uint8_t below[sizeof(order)];
    unsigned cost_us = 1;

    (void)state;
    memcpy(below, order, sizeof(order));
    below[sizeof(order) - 1]--;
    assert_int_equal(look(OID_ECDSA_SHA256, ecdsa(one, builder_bytes(below, sizeof(below))), 1, p256, &cost_us),
                     PKIX_OK);
    assert_int_equal(look(OID_ECDSA_SHA256, ecdsa(one, n), 1, p256, &cost_us), PKIX_BAD_SIGNATURE);
    assert_int_equal(cost_us, 0);
    assert_int_equal(look(OID_ECDSA_SHA256, ecdsa(n, one), 1, p256, &cost_us), PKIX_BAD_SIGNATURE);
    assert_int_equal(look(OID_ECDSA_SHA256, ecdsa(n, one), 1, ec_spki(OID_P384, P384_SIZE, 1), &cost_us), PKIX_OK);
    assert_int_equal(look(OID_ECDSA_SHA256,
                          builder_tlv(ASN1_SEQUENCE, builder_integer(0), builder_integer(1), builder_end), 1, p256,
                          &cost_us),
                     PKIX_BAD_SIGNATURE);
    assert_int_equal(look(OID_ECDSA_SHA256, small_ecdsa(), 1, usual_rsa_spki(), &cost_us), PKIX_BAD_SIGNATURE);
    assert_int_equal(look(OID_RSA_SHA256, rsa_signature(1, RSA_2048_SIZE), 1, p256, &cost_us), PKIX_BAD_SIGNATURE);
    assert_int_equal(look(OID_RSA_SHA256, rsa_signature(1, RSA_2048_SIZE), 1, usual_rsa_spki(), &cost_us), PKIX_OK);
    assert_int_equal(look(OID_RSA_SHA256, rsa_signature(0xd5, RSA_2048_SIZE), 1, usual_rsa_spki(), &cost_us),
                     PKIX_BAD_SIGNATURE); /* the modulus itself */
    assert_int_equal(look(OID_RSA_SHA256, rsa_signature(1, RSA_2048_SIZE + 1), 1, usual_rsa_spki(), &cost_us),
                     PKIX_BAD_SIGNATURE);
    assert_int_equal(look(OID_ECDSA_SHA1, small_ecdsa(), 1, p256, &cost_us), PKIX_WEAK_SIGNATURE_ALGORITHM);
}

static unsigned cost_of(enum pkix_oid algorithm, struct span signature, size_t data_size, struct span spki)
{
    unsigned cost_us = 0;

    assert_int_equal(look(algorithm, signature, data_size, spki, &cost_us), PKIX_OK);
    return cost_us;
}

static void cost_grows_with_the_key_the_exponent_and_what_is_hashed(void **state)
{
    struct span rsa = rsa_signature(1, RSA_2048_SIZE), ec = small_ecdsa();
    unsigned p256 = cost_of(OID_ECDSA_SHA256, ec, 1, ec_spki(OID_P256, P256_SIZE, 1));
    unsigned p384 = cost_of(OID_ECDSA_SHA256, ec, 1, ec_spki(OID_P384, P384_SIZE, 1));
    unsigned p521 = cost_of(OID_ECDSA_SHA256, ec, 1, ec_spki(OID_P521, P521_SIZE, 1));
    unsigned rsa2048 = cost_of(OID_RSA_SHA256, rsa, 1, usual_rsa_spki());

    (void)state;
    assert_true(rsa2048 > 0 && rsa2048 < p256 && p256 < p521 && p521 < p384);
    assert_true(cost_of(OID_RSA_SHA256, rsa_signature(1, 1024), 1, builder_rsa_spki(8192)) >
                cost_of(OID_RSA_SHA256, rsa_signature(1, 512), 1, builder_rsa_spki(4096)));
    assert_int_equal(cost_of(OID_RSA_SHA256, rsa, 1, rsa_spki_with_exponent("\x01\xff\xff\xff\xff", 5)), 3 * rsa2048);
    assert_true(cost_of(OID_ECDSA_SHA256, ec, 60000, ec_spki(OID_P256, P256_SIZE, 1)) > p256 + 100);
    /* Room for real paths of five certificates, tried twice over, with CRLs and OCSP responses. */
    assert_true(4 * 5 * p384 < pkix_limits_default.signature_cost_us_max);
    /* And for as many candidates for one issuer as a peer may send. */
    assert_true((pkix_limits_default.extras_max + 1) * p256 < pkix_limits_default.signature_cost_us_max);
}

/* All candidates have keys of the dearest kind. */
static void verify_stops_at_the_cost_before_the_number(void **state)
{
    struct scene scene =
        scene_server(make(builder_server(host, 2, "ca", 1)), host, make(builder_authority("root", 0, "root", 0)));

    (void)state;
    for (uint8_t i = 0; i < 48; i++) {
        struct cert_spec ca = builder_authority("ca", 1, "root", 0);

        ca.spki = ec_spki(OID_P384, P384_SIZE, (uint8_t)(i + 1));
        scene_add_extra(&scene, builder_cert(&ca));
    }
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
    assert_non_null(strstr(scene.detail, "cost of signature checks"));
    assert_true(scene.signature_checks >= 20 && scene.signature_checks < 40);
}

/* The number is the limit where keys are cheap; no check is made of what cannot be a signature. */
static void verify_does_not_count_what_cannot_be_a_signature(void **state)
{
    struct scene scene =
        scene_server(make(builder_server(host, 2, "ca", 1)), host, make(builder_authority("root", 0, "root", 0)));

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        struct cert_spec ca = builder_authority("ca", 1, "root", 0);

        ca.spki = builder_rsa_spki(2048 + 8 * i);
        scene_add_extra(&scene, builder_cert(&ca));
    }
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
    assert_int_equal(scene.signature_checks, 0);
    scene_add_extra(&scene, make(builder_authority("ca", 1, "root", 0)));
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.signature_checks, 2);
}

/* ---- Names that lead to no anchor. ---- */

static void verify_checks_no_signature_where_names_lead_nowhere(void **state)
{
    struct scene scene =
        scene_server(make(builder_server(host, 2, "ca", 1)), host, make(builder_authority("root", 0, "root", 0)));

    (void)state;
    for (unsigned i = 0; i < 40; i++)
        scene_add_extra(&scene, make(builder_authority("ca", 3 + i % 30, "ca", 4 + i % 30)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    assert_int_equal(scene.signature_checks, 0);
    scene_add_extra(&scene, make(builder_authority("ca", 1, "root", 0)));
    assert_verdict(&scene, PKIX_OK); /* the others lead on now, through this one */
}

static void verify_says_which_issuer_is_missing_at_the_end_of_the_names(void **state)
{
    struct scene scene =
        scene_server(make(builder_server(host, 9, "ca3", 3)), host, make(builder_authority("root", 0, "root", 0)));

    (void)state;
    scene_add_extra(&scene, make(builder_authority("ca2", 2, "ca1", 1)));
    scene_add_extra(&scene, make(builder_authority("ca3", 3, "ca2", 2)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    assert_non_null(strstr(scene.detail, "CN=ca2 (its issuer is CN=ca1, which the peer did not send"));
    assert_int_equal(scene.tried_count, 1);
}

static struct span known;

static void add_known_intermediate(struct pkix_store *store)
{
    char *error = NULL;

    assert_true(pkix_store_add_intermediate(store, known, &error));
}

static void remember(struct pkix_store *store)
{
    pkix_store_remember(store);
    pkix_intermediates_add(pkix_store_remembered(store), known, PKIX_INTERMEDIATE_TOLD);
}

static void names_lead_on_through_what_the_store_knows(void **state)
{
    void (*const ways[])(struct pkix_store *) = {add_known_intermediate, remember};

    (void)state;
    known = make(builder_authority("ca1", 1, "root", 0));
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct scene scene =
            scene_server(make(builder_server(host, 9, "ca2", 2)), host, make(builder_authority("root", 0, "root", 0)));

        scene_add_extra(&scene, make(builder_authority("ca2", 2, "ca1", 1)));
        assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
        scene.prepare = ways[i];
        assert_verdict(&scene, PKIX_OK);
    }
}

static void distrust_root_of_nobody(struct pkix_store *store)
{
    pkix_store_distrust_subject_key(store, builder_name("DigiNotar"), builder_spki(5));
}

/* A root that has been taken out and is distrusted leads nowhere; that it is distrusted is told all the same. */
static void distrust_is_told_where_names_lead_nowhere(void **state)
{
    struct scene scene = scene_server(make(builder_server(host, 2, "DigiNotar", 5)), host,
                                      make(builder_authority("root", 0, "root", 0)));

    (void)state;
    scene_add_extra(&scene, make(builder_authority("DigiNotar", 5, "DigiNotar", 5)));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    scene.prepare = distrust_root_of_nobody;
    assert_verdict(&scene, PKIX_DISTRUSTED_ISSUER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_refuses_what_is_no_signature_of_the_key),
        cmocka_unit_test(cost_grows_with_the_key_the_exponent_and_what_is_hashed),
        cmocka_unit_test(verify_stops_at_the_cost_before_the_number),
        cmocka_unit_test(verify_does_not_count_what_cannot_be_a_signature),
        cmocka_unit_test(verify_checks_no_signature_where_names_lead_nowhere),
        cmocka_unit_test(verify_says_which_issuer_is_missing_at_the_end_of_the_names),
        cmocka_unit_test(names_lead_on_through_what_the_store_knows),
        cmocka_unit_test(distrust_is_told_where_names_lead_nowhere),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
