/* Incidents about OCSP responses, CRLs and must-staple. */
#include "incident.h"
#include "pkix/ocsp.h"

#include <setjmp.h>
#include <cmocka.h>

struct chain {
    struct span root, ca, leaf, serial;
};

static struct chain chain_with(struct cert_spec leaf, struct cert_spec ca)
{
    struct chain chain = {.root = incident_root(), .ca = builder_cert(&ca), .serial = builder_bytes("\x12\x34\x56", 3)};

    leaf.serial = chain.serial;
    chain.leaf = builder_cert(&leaf);
    return chain;
}

static struct chain usual_chain(void)
{
    return chain_with(incident_leaf(), builder_authority("ca", 1, "root", 0));
}

/* With a good statement about the authority, so that only the leaf's decides. */
static struct scene scene_with(const struct chain *chain, enum pkix_revocation revocation)
{
    struct scene scene = scene_server(chain->leaf, incident_host, chain->root);
    struct crl_spec of_root = builder_crl_of("root", 0);

    scene_add_extra(&scene, chain->ca);
    scene.crls[scene.crl_count++] = builder_crl(&of_root);
    scene.request.revocation = revocation;
    return scene;
}

static struct ocsp_spec about(const struct chain *chain)
{
    return builder_ocsp_about(chain->leaf, chain->ca, "ca", 1);
}

static enum pkix_error stapled(const struct chain *chain, struct ocsp_spec spec, enum pkix_revocation revocation)
{
    struct scene scene = scene_with(chain, revocation);

    scene.staples[0] = builder_ocsp(&spec);
    return scene_verify(&scene);
}

/* GnuTLS took the status of the first record for that of all. */
static void cve_2026_3832_the_second_record_is_the_revoked_one(void **state)
{
    struct chain chain = usual_chain();
    struct ocsp_spec spec = about(&chain);

    (void)state;
    spec.status_count = 2;
    assert_int_equal(stapled(&chain, spec, PKIX_REVOCATION_HARD), PKIX_OK);
    spec.statuses[1] = OCSP_REVOKED;
    assert_int_equal(stapled(&chain, spec, PKIX_REVOCATION_SOFT), PKIX_REVOKED);
}

static void cve_2020_8286_a_staple_about_another_certificate(void **state)
{
    struct chain chain = usual_chain();
    struct ocsp_spec spec = about(&chain);

    (void)state;
    spec.other_serial = true;
    assert_int_equal(stapled(&chain, spec, PKIX_REVOCATION_SOFT), PKIX_OK); /* no statement */
    assert_int_not_equal(stapled(&chain, spec, PKIX_REVOCATION_HARD), PKIX_OK);
    spec.other_serial = false;
    assert_int_equal(stapled(&chain, spec, PKIX_REVOCATION_HARD), PKIX_OK);
}

static void a_responder_speaks_for_the_authority_that_named_it(void **state)
{
    struct chain chain = usual_chain();
    static const char *const cases[] = {"right",   "no usage",    "wrong usage", "of another authority",
                                        "expired", "an authority"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cert_spec responder = builder_client("responder", 5, "ca", 1);
        struct ocsp_spec spec = about(&chain);

        responder.eku = builder_oid(OID_OCSP_SIGNING);
        if (strcmp(cases[i], "no usage") == 0)
            responder.eku = span_of(NULL, 0);
        if (strcmp(cases[i], "wrong usage") == 0)
            responder.eku = builder_oid(OID_SERVER_AUTH);
        if (strcmp(cases[i], "of another authority") == 0)
            responder.signer = 9;
        if (strcmp(cases[i], "expired") == 0)
            responder.not_after = builder_now - 1;
        if (strcmp(cases[i], "an authority") == 0)
            responder.ca = BUILDER_CA;
        spec.delegate = builder_cert(&responder);
        spec.responder = "responder";
        spec.signer = 5;
        if ((stapled(&chain, spec, PKIX_REVOCATION_HARD) == PKIX_OK) != (i == 0))
            fail_msg("%s", cases[i]);
    }
}

/* Each is a good response but for one thing. */
static void ocsp_responses_that_are_odd(void **state)
{
    struct chain chain = usual_chain();
    static const struct {
        const char *what;
        enum pkix_error want;
    } table[] = {
        {"right", PKIX_OK},
        {"by key", PKIX_OK},
        {"by a key hash of 19 bytes", PKIX_OCSP_MALFORMED},
        {"identified with SHA-256", PKIX_OK},
        {"expired", PKIX_REVOCATION_UNKNOWN},
        {"of the future", PKIX_OCSP_FUTURE},
        {"without nextUpdate, new", PKIX_OK},
        {"without nextUpdate, three days old", PKIX_REVOCATION_UNKNOWN},
        {"twelve days old", PKIX_REVOCATION_UNKNOWN},
        {"with an unknown critical extension", PKIX_UNKNOWN_CRITICAL_EXTENSION},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what;
        struct ocsp_spec spec = about(&chain);
        enum pkix_error got;

        if (strncmp(what, "by ", 3) == 0)
            spec.responder = NULL;
        spec.short_key_hash = strstr(what, "19 bytes") != NULL;
        spec.sha256_ids = strstr(what, "SHA-256") != NULL;
        if (strcmp(what, "expired") == 0) {
            spec.this_update = builder_now - 9 * BUILDER_DAY;
            spec.next_update = builder_now - 2 * BUILDER_DAY;
        }
        if (strcmp(what, "of the future") == 0)
            spec.this_update = spec.next_update = builder_now + 2 * BUILDER_DAY;
        if (strncmp(what, "without", 7) == 0)
            spec.next_update = 0;
        if (strstr(what, "three days") != NULL)
            spec.this_update = builder_now - 3 * BUILDER_DAY;
        if (strncmp(what, "twelve", 6) == 0)
            spec.this_update = builder_now - 12 * BUILDER_DAY;
        spec.critical_extension = strstr(what, "critical") != NULL;
        got = stapled(&chain, spec, PKIX_REVOCATION_HARD);
        if (got != table[i].want)
            fail_msg("%s: want %s, got %s", what, pkix_error_name(table[i].want), pkix_error_name(got));
    }
}

static struct span point_of(struct span general_names)
{
    return builder_tlv(0xa0, builder_tlv(0xa0, general_names, builder_end), builder_end);
}

static struct span points_of(struct span first, struct span second)
{
    return builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_SEQUENCE, point_of(first), builder_end),
                       builder_tlv(ASN1_SEQUENCE, point_of(second), builder_end), builder_end);
}

/* What a CRL that lists the leaf says of it, with that scope, where the leaf names two distribution points. */
static enum pkix_error listed_with_scope(struct span first, struct span second, struct span scope)
{
    struct cert_spec leaf = incident_leaf();
    struct crl_spec spec = builder_crl_of("ca", 1);
    struct chain chain;
    struct scene scene;

    builder_add_extension(&leaf, OID_CRL_DISTRIBUTION_POINTS, false, points_of(first, second));
    chain = chain_with(leaf, builder_authority("ca", 1, "root", 0));
    spec.serials[spec.serial_count++] = chain.serial;
    spec.extensions[spec.extension_count++] =
        builder_extension(OID_ISSUING_DISTRIBUTION_POINT, true, builder_tlv(ASN1_SEQUENCE, scope, builder_end));
    scene = scene_with(&chain, PKIX_REVOCATION_SOFT);
    scene.crls[scene.crl_count++] = builder_crl(&spec);
    return scene_verify(&scene);
}

/* rustls looked at the first point, and of that at the first name. */
static void ghsa_pwjx_every_name_of_every_distribution_point_counts(void **state)
{
    struct span a = builder_general_name(0x86, "http://a/1.crl"), b = builder_general_name(0x86, "http://b/1.crl");
    struct span c = builder_general_name(0x86, "http://c/1.crl");

    (void)state;
    assert_int_equal(listed_with_scope(a, builder_join(b, c), point_of(a)), PKIX_REVOKED);
    assert_int_equal(listed_with_scope(a, builder_join(b, c), point_of(c)), PKIX_REVOKED);
    assert_int_equal(listed_with_scope(a, b, point_of(builder_join(c, b))), PKIX_REVOKED);
    assert_int_equal(listed_with_scope(a, b, point_of(c)), PKIX_OK); /* another point's list */
}

/* OpenSSL compared them as if they were of the same type. Of equal bytes they are equal, and of no others. */
static void cve_2020_1971_and_2023_0286_edi_and_x400_names_of_distribution_points(void **state)
{
    struct span party = builder_tlv(0xa1, builder_tlv(ASN1_UTF8_STRING, span_of("x", 1), builder_end), builder_end);
    struct span edi = builder_tlv(0xa5, party, builder_end), x400 = builder_tlv(0xa3, party, builder_end);
    struct span empty_edi = builder_tlv(0xa5, builder_end);

    (void)state;
    assert_int_equal(listed_with_scope(edi, edi, point_of(edi)), PKIX_REVOKED);
    assert_int_equal(listed_with_scope(edi, edi, point_of(x400)), PKIX_OK);
    assert_int_equal(listed_with_scope(edi, empty_edi, point_of(x400)), PKIX_OK);
}

/* Each lists the leaf, and is of a kind that says nothing about it. */
static void crls_that_say_nothing(void **state)
{
    static const char *const kinds[] = {"listing", "not for signing lists", "indirect", "delta", "critical", "expired"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct cert_spec ca = builder_authority("ca", 1, "root", 0);
        struct crl_spec spec = builder_crl_of("ca", 1);
        struct chain chain;
        struct scene scene;

        if (strcmp(kinds[i], "not for signing lists") == 0)
            ca.key_usage = BUILDER_KU_CERT_SIGN;
        chain = chain_with(incident_leaf(), ca);
        spec.serials[spec.serial_count++] = chain.serial;
        if (strcmp(kinds[i], "indirect") == 0)
            spec.extensions[spec.extension_count++] = builder_extension(
                OID_ISSUING_DISTRIBUTION_POINT, true,
                builder_tlv(ASN1_SEQUENCE, builder_tlv(0x84, span_of("\xff", 1), builder_end), builder_end));
        if (strcmp(kinds[i], "delta") == 0)
            spec.extensions[spec.extension_count++] =
                builder_extension(OID_DELTA_CRL_INDICATOR, true, builder_integer(1));
        if (strcmp(kinds[i], "critical") == 0)
            spec.extensions[spec.extension_count++] = builder_extension(OID_USER_ID, true, builder_integer(1));
        if (strcmp(kinds[i], "expired") == 0)
            spec.next_update = builder_now - 1;
        scene = scene_with(&chain, PKIX_REVOCATION_HARD);
        scene.crls[scene.crl_count++] = builder_crl(&spec);
        assert_verdict(&scene, i == 0 ? PKIX_REVOKED : PKIX_REVOCATION_UNKNOWN);
    }
}

/* As numbers: leading zeros do not matter, the sign does. */
static void serial_numbers_are_compared_as_numbers(void **state)
{
    static const struct {
        const char *listed;
        size_t listed_size;
        const char *serial;
        size_t serial_size;
        enum pkix_error want;
    } table[] = {
        {"\x01", 1, "\x01", 1, PKIX_REVOKED},       {"\0\x01", 2, "\x01", 1, PKIX_REVOKED},
        {"\0\0\xff", 3, "\0\xff", 2, PKIX_REVOKED}, {"\xff", 1, "\0\xff", 2, PKIX_OK},
        {"\0\xff", 2, "\xff", 1, PKIX_OK},          {"\xff\xff\x80", 3, "\x80", 1, PKIX_REVOKED},
        {"\x01", 1, "\x01\0", 2, PKIX_OK},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec leaf = incident_leaf();
        struct crl_spec spec = builder_crl_of("ca", 1);
        struct chain chain = usual_chain();
        struct scene scene;

        leaf.serial = builder_bytes(table[i].serial, table[i].serial_size);
        chain.leaf = builder_cert(&leaf);
        spec.serials[spec.serial_count++] = builder_bytes(table[i].listed, table[i].listed_size);
        scene = scene_with(&chain, PKIX_REVOCATION_SOFT);
        scene.crls[scene.crl_count++] = builder_crl(&spec);
        assert_verdict(&scene, table[i].want);
    }
}

static void add_must_staple(struct cert_spec *spec)
{
    builder_add_extension(spec, OID_TLS_FEATURE, false, builder_tlv(ASN1_SEQUENCE, builder_integer(5), builder_end));
}

static void must_staple_without_a_staple(void **state)
{
    struct cert_spec leaf = incident_leaf(), ca = builder_authority("ca", 1, "root", 0);
    struct chain chain;
    struct scene scene;

    (void)state;
    add_must_staple(&leaf);
    chain = chain_with(leaf, ca);
    scene = scene_with(&chain, PKIX_REVOCATION_SOFT);
    assert_verdict(&scene, PKIX_TLS_FEATURE_MISSING);
    assert_int_equal(stapled(&chain, about(&chain), PKIX_REVOCATION_SOFT), PKIX_OK);
    /* An authority's is a promise for its leaves (RFC 7633 section 4.2.2): one that lacks it is not its. */
    add_must_staple(&ca);
    chain = chain_with(incident_leaf(), ca);
    assert_int_equal(stapled(&chain, about(&chain), PKIX_REVOCATION_SOFT), PKIX_TLS_FEATURE_MISSING);
    chain = chain_with(leaf, ca);
    assert_int_equal(stapled(&chain, about(&chain), PKIX_REVOCATION_SOFT), PKIX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cve_2026_3832_the_second_record_is_the_revoked_one),
        cmocka_unit_test(cve_2020_8286_a_staple_about_another_certificate),
        cmocka_unit_test(a_responder_speaks_for_the_authority_that_named_it),
        cmocka_unit_test(ocsp_responses_that_are_odd),
        cmocka_unit_test(ghsa_pwjx_every_name_of_every_distribution_point_counts),
        cmocka_unit_test(cve_2020_1971_and_2023_0286_edi_and_x400_names_of_distribution_points),
        cmocka_unit_test(crls_that_say_nothing),
        cmocka_unit_test(serial_numbers_are_compared_as_numbers),
        cmocka_unit_test(must_staple_without_a_staple),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
