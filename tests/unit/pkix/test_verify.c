/* Paths, ranking and limits: pkix/verify.h, pkix/search.h. */
#include "scene.h"

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

static struct span intermediate(void)
{
    return make(builder_authority("ca", 1, "root", 0));
}

static struct span leaf(void)
{
    return make(builder_server(host, 2, "ca", 1));
}

static struct scene usual(void)
{
    struct scene scene = scene_server(leaf(), host, root());

    scene_add_extra(&scene, intermediate());
    return scene;
}

static void verify_finds_a_path_through_an_extra(void **state)
{
    struct scene scene = usual();

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.path_length, 3);
    assert_int_equal(scene.signature_checks, 2);
    assert_int_equal(scene.tried_count, 0);
}

static void verify_finds_a_path_in_any_order_among_strangers(void **state)
{
    struct scene scene = scene_server(leaf(), host, root());

    (void)state;
    scene_add_extra(&scene, make(builder_authority("stranger", 5, "nobody", 6)));
    scene_add_extra(&scene, leaf());
    scene_add_extra(&scene, root());
    scene_add_extra(&scene, span_of("garbage", 7));
    scene_add_extra(&scene, intermediate());
    scene_add_extra(&scene, intermediate());
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.signature_checks, 2);
}

static void verify_without_the_intermediate_has_an_unknown_issuer(void **state)
{
    struct scene scene = scene_server(leaf(), host, root());

    (void)state;
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    assert_non_null(strstr(scene.detail, "CN=ca"));
}

static void add_intermediate(struct pkix_store *store)
{
    char *error = NULL;

    assert_true(pkix_store_add_intermediate(store, intermediate(), &error));
}

static void verify_uses_known_intermediates(void **state)
{
    struct scene scene = scene_server(leaf(), host, root());

    (void)state;
    scene.prepare = add_intermediate;
    assert_verdict(&scene, PKIX_OK);
}

static void verify_says_what_is_wrong_with_the_leaf(void **state)
{
    static const struct {
        const char *what;
        enum pkix_error want;
    } table[] = {
        {"expired", PKIX_EXPIRED},
        {"early", PKIX_NOT_YET_VALID},
        {"name", PKIX_NAME_MISMATCH},
        {"eku", PKIX_BAD_EXTENDED_KEY_USAGE},
        {"any-eku", PKIX_BAD_EXTENDED_KEY_USAGE},
        {"ocsp-eku", PKIX_BAD_EXTENDED_KEY_USAGE},
        {"empty-eku", PKIX_BAD_EXTENDED_KEY_USAGE},
        {"ku", PKIX_BAD_KEY_USAGE},
        {"ca", PKIX_CA_AS_END_ENTITY},
        {"critical", PKIX_UNKNOWN_CRITICAL_EXTENSION},
        {"signature", PKIX_BAD_SIGNATURE},
        {"weak-key", PKIX_WEAK_KEY},
        {"odd-key", PKIX_WEAK_KEY},
        {"huge-key", PKIX_WEAK_KEY},
        {"doubled", PKIX_BAD_EXTENSION},
        {"sha1", PKIX_WEAK_SIGNATURE_ALGORITHM},
        {"mismatch", PKIX_SIGNATURE_ALGORITHM_MISMATCH},
        {"constraints", PKIX_BAD_EXTENSION},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec spec = builder_server(host, 2, "ca", 1);
        const char *what = table[i].what;
        struct scene scene;

        if (strcmp(what, "expired") == 0)
            spec.not_after = builder_now - 1;
        if (strcmp(what, "early") == 0)
            spec.not_before = builder_now + 1;
        if (strcmp(what, "name") == 0)
            spec = builder_server("other.example.com", 2, "ca", 1);
        if (strcmp(what, "eku") == 0)
            spec.eku = builder_oid(OID_CLIENT_AUTH);
        if (strcmp(what, "any-eku") == 0)
            spec.eku = builder_oid(OID_ANY_EXTENDED_KEY_USAGE);
        if (strcmp(what, "ocsp-eku") == 0)
            spec.eku = builder_join(builder_oid(OID_SERVER_AUTH), builder_oid(OID_OCSP_SIGNING));
        if (strcmp(what, "empty-eku") == 0) {
            spec.eku = span_of(NULL, 0);
            builder_add_extension(&spec, OID_EXTENDED_KEY_USAGE, false, builder_tlv(ASN1_SEQUENCE, builder_end));
        }
        if (strcmp(what, "ku") == 0)
            spec.key_usage = 0x40; /* nonRepudiation */
        if (strcmp(what, "ca") == 0)
            spec.ca = BUILDER_CA;
        if (strcmp(what, "critical") == 0)
            builder_add_extension(&spec, OID_CRL_NUMBER, true, builder_tlv(ASN1_SEQUENCE, builder_end));
        if (strcmp(what, "signature") == 0)
            spec.signer = 9;
        if (strcmp(what, "weak-key") == 0)
            spec.spki = builder_rsa_spki(1024);
        if (strcmp(what, "odd-key") == 0)
            spec.spki = builder_rsa_spki(2052);
        if (strcmp(what, "huge-key") == 0)
            spec.spki = builder_rsa_spki(16384);
        if (strcmp(what, "doubled") == 0)
            builder_add_extension(&spec, OID_SUBJECT_ALT_NAME, false,
                                  builder_tlv(ASN1_SEQUENCE, builder_general_name(0x82, host), builder_end));
        if (strcmp(what, "sha1") == 0)
            spec.inner_algorithm = spec.outer_algorithm =
                builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA1), builder_end);
        if (strcmp(what, "mismatch") == 0)
            spec.inner_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA384), builder_end);
        if (strcmp(what, "constraints") == 0)
            builder_add_extension(&spec, OID_NAME_CONSTRAINTS, true,
                                  builder_constraints(builder_general_name(0x82, host), builder_end));
        scene = scene_server(builder_cert(&spec), host, root());
        scene_add_extra(&scene, intermediate());
        assert_verdict(&scene, table[i].want);
    }
}

static void verify_says_what_is_wrong_with_an_issuer(void **state)
{
    static const struct {
        const char *what;
        enum pkix_error want;
    } table[] = {
        {"expired", PKIX_EXPIRED_ISSUER},
        {"early", PKIX_NOT_YET_VALID_ISSUER},
        {"not-ca", PKIX_NOT_A_CA},
        {"no-constraints", PKIX_NOT_A_CA},
        {"v1", PKIX_NOT_A_CA},
        {"ku", PKIX_BAD_KEY_USAGE},
        {"eku", PKIX_BAD_EXTENDED_KEY_USAGE},
        {"constraints", PKIX_NAME_CONSTRAINT_VIOLATION},
        {"signature", PKIX_BAD_SIGNATURE},
        {"critical", PKIX_UNKNOWN_CRITICAL_EXTENSION},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec spec = builder_authority("ca", 1, "root", 0);
        const char *what = table[i].what;
        struct scene scene = scene_server(leaf(), host, root());

        if (strcmp(what, "expired") == 0)
            spec.not_after = builder_now - 1;
        if (strcmp(what, "early") == 0)
            spec.not_before = builder_now + 1;
        if (strcmp(what, "not-ca") == 0)
            spec.ca = BUILDER_NOT_CA;
        if (strcmp(what, "no-constraints") == 0 || strcmp(what, "v1") == 0)
            spec.ca = BUILDER_NO_CONSTRAINTS;
        if (strcmp(what, "v1") == 0)
            spec.version = 0;
        if (strcmp(what, "ku") == 0)
            spec.key_usage = BUILDER_KU_CRL_SIGN;
        if (strcmp(what, "eku") == 0)
            spec.eku = builder_oid(OID_CLIENT_AUTH);
        if (strcmp(what, "constraints") == 0)
            builder_add_extension(&spec, OID_NAME_CONSTRAINTS, true,
                                  builder_constraints(builder_general_name(0x82, "example.org"), builder_end));
        if (strcmp(what, "signature") == 0)
            spec.signer = 9;
        if (strcmp(what, "critical") == 0)
            builder_add_extension(&spec, OID_CRL_NUMBER, true, builder_tlv(ASN1_SEQUENCE, builder_end));
        scene_add_extra(&scene, builder_cert(&spec));
        assert_verdict(&scene, table[i].want);
    }
}

static void verify_ranks_unknown_issuer_above_the_leafs_own_problems(void **state)
{
    struct cert_spec spec = builder_server(host, 2, "ca", 1);
    struct scene scene;

    (void)state;
    spec.not_after = builder_now - 1;
    scene = scene_server(builder_cert(&spec), host, root());
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    scene_add_extra(&scene, intermediate());
    assert_verdict(&scene, PKIX_EXPIRED);
}

static void verify_tells_the_leafs_date_when_its_issuer_is_out_of_date_too(void **state)
{
    struct scene scene = usual();

    (void)state;
    scene.request.time = builder_now + 10 * (int64_t)BUILDER_YEAR;
    assert_verdict(&scene, PKIX_EXPIRED);
    scene.request.time = builder_now - 10 * (int64_t)BUILDER_YEAR;
    assert_verdict(&scene, PKIX_NOT_YET_VALID);
}

static void verify_explains_with_the_values_that_decide(void **state)
{
    struct scene scene = usual();

    (void)state;
    scene.request.name.value = span_of_string("other.example.org");
    assert_verdict(&scene, PKIX_NAME_MISMATCH);
    assert_non_null(strstr(scene.detail, "(it is for \"www.example.com\"; asked for \"other.example.org\")"));
    scene = usual();
    scene.request.time = builder_now + 10 * (int64_t)BUILDER_YEAR;
    assert_verdict(&scene, PKIX_EXPIRED);
    assert_non_null(strstr(scene.detail, "CN=www.example.com (not after 2027-01-01T00:00:00Z; now is "));
}

static void distrust_leaf(struct pkix_store *store)
{
    pkix_store_distrust_subject_key(store, builder_name(host), builder_spki(2));
}

static void verify_tells_distrust_of_the_leaf_before_anything_else(void **state)
{
    struct scene scene = scene_server(leaf(), host, root());

    (void)state;
    scene.prepare = distrust_leaf;
    assert_verdict(&scene, PKIX_DISTRUSTED);
}

static void verify_backtracks_from_an_issuer_that_leads_nowhere(void **state)
{
    struct cert_spec dead_end = builder_authority("ca", 1, "gone", 7), expired = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(leaf(), host, root());

    (void)state;
    expired.not_after = builder_now - 1;
    dead_end.not_before = builder_now - 10; /* newer: tried first */
    scene_add_extra(&scene, builder_cert(&dead_end));
    scene_add_extra(&scene, builder_cert(&expired));
    scene_add_extra(&scene, intermediate());
    assert_verdict(&scene, PKIX_OK);
    assert_true(scene.tried_count >= 1);
}

static void verify_keeps_the_leaf_of_an_anchor(void **state)
{
    struct cert_spec self_signed = builder_server(host, 2, host, 2);
    struct span der = builder_cert(&self_signed);
    struct scene scene = scene_server(der, host, der);

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.path_length, 1);
    scene = scene_server(der, host, root());
    assert_verdict(&scene, PKIX_SELF_SIGNED);
}

static void verify_enforces_depth_and_path_length(void **state)
{
    static const char *const names[] = {"ca1", "ca2", "ca3", "ca4", "ca5", "ca6", "ca7"};

    (void)state;
    for (unsigned depth = 1; depth <= ARRAY_LEN(names); depth++) {
        struct scene scene = scene_server(make(builder_server(host, 20, names[depth - 1], depth)), host, root());

        for (unsigned i = 0; i < depth; i++)
            scene_add_extra(&scene, make(builder_authority(names[i], i + 1, i == 0 ? "root" : names[i - 1], i)));
        assert_verdict(&scene, depth <= 6 ? PKIX_OK : PKIX_PATH_TOO_LONG);
    }
    for (int path_length = 0; path_length <= 2; path_length++) {
        struct cert_spec limited = builder_authority("ca1", 1, "root", 0);
        struct scene scene = scene_server(make(builder_server(host, 20, "ca2", 2)), host, root());

        limited.path_length = path_length;
        scene_add_extra(&scene, builder_cert(&limited));
        scene_add_extra(&scene, make(builder_authority("ca2", 2, "ca1", 1)));
        assert_verdict(&scene, path_length >= 1 ? PKIX_OK : PKIX_PATH_TOO_LONG);
    }
}

static void verify_asks_clients_for_their_purpose(void **state)
{
    struct cert_spec any = builder_client("alice", 2, "root", 0), none = any,
                     server = builder_server(host, 2, "root", 0);
    struct scene scene = scene_client(make(builder_client("alice", 2, "root", 0)), root());

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    any.eku = builder_oid(OID_ANY_EXTENDED_KEY_USAGE);
    scene = scene_client(builder_cert(&any), root());
    assert_verdict(&scene, PKIX_BAD_EXTENDED_KEY_USAGE);
    scene.request.any_extended_key_usage = true;
    assert_verdict(&scene, PKIX_OK);
    none.eku = span_of(NULL, 0);
    scene = scene_client(builder_cert(&none), root());
    assert_verdict(&scene, PKIX_OK);
    scene = scene_client(builder_cert(&server), root());
    scene.request.any_extended_key_usage = true;
    assert_verdict(&scene, PKIX_BAD_EXTENDED_KEY_USAGE);
}

static void verify_remembers_good_signatures_across_verifications(void **state)
{
    struct pkix_store *store = pkix_store_create();
    struct span extras[] = {intermediate()};
    struct pkix_request request = {.leaf = leaf(),
                                   .extras = extras,
                                   .extras_count = 1,
                                   .name = {PKIX_NAME_DNS, span_of_string(host)},
                                   .time = builder_now};
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_anchor(store, root(), &error));
    for (unsigned round = 0; round < 2; round++) {
        struct pkix_verdict *verdict = NULL;

        assert_int_equal(pkix_verify(store, &request, &verdict), PKIX_OK);
        assert_int_equal(pkix_verdict_signature_checks(verdict), round == 0 ? 2 : 0);
        pkix_verdict_destroy(&verdict);
    }
    pkix_store_destroy(&store);
}

static void verify_obeys_each_limit(void **state)
{
    struct pkix_limits limits = pkix_limits_default;
    struct scene scene = usual();

    (void)state;
    scene.request.limits = &limits;
    limits.signature_checks_max = 1;
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
    limits = pkix_limits_default;
    limits.path_steps_max = 1;
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
    limits = pkix_limits_default;
    limits.extras_max = 0;
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    assert_non_null(strstr(scene.detail, "1 certificates of the peer were ignored"));
    limits = pkix_limits_default;
    limits.extras_bytes_max = 10;
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    limits = pkix_limits_default;
    limits.intermediates_max = 0;
    assert_verdict(&scene, PKIX_PATH_TOO_LONG);
    limits = pkix_limits_default;
    limits.candidates_per_name_max = 1;
    assert_verdict(&scene, PKIX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_finds_a_path_through_an_extra),
        cmocka_unit_test(verify_finds_a_path_in_any_order_among_strangers),
        cmocka_unit_test(verify_without_the_intermediate_has_an_unknown_issuer),
        cmocka_unit_test(verify_uses_known_intermediates),
        cmocka_unit_test(verify_says_what_is_wrong_with_the_leaf),
        cmocka_unit_test(verify_says_what_is_wrong_with_an_issuer),
        cmocka_unit_test(verify_ranks_unknown_issuer_above_the_leafs_own_problems),
        cmocka_unit_test(verify_tells_the_leafs_date_when_its_issuer_is_out_of_date_too),
        cmocka_unit_test(verify_explains_with_the_values_that_decide),
        cmocka_unit_test(verify_tells_distrust_of_the_leaf_before_anything_else),
        cmocka_unit_test(verify_backtracks_from_an_issuer_that_leads_nowhere),
        cmocka_unit_test(verify_keeps_the_leaf_of_an_anchor),
        cmocka_unit_test(verify_enforces_depth_and_path_length),
        cmocka_unit_test(verify_asks_clients_for_their_purpose),
        cmocka_unit_test(verify_remembers_good_signatures_across_verifications),
        cmocka_unit_test(verify_obeys_each_limit),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
