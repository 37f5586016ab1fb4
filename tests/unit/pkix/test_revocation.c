/* OCSP, CRLs and must-staple within a verification: pkix/ocsp.h, pkix/crl.h, pkix/revocation.h. */
#include "scene.h"
#include "strict_chain.h"
#include "pkix/ocsp.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

struct chain {
    struct span root, ca, leaf, serial;
};

static struct chain make_chain(void)
{
    struct cert_spec root = builder_authority("root", 0, "root", 0), ca = builder_authority("ca", 1, "root", 0),
                     leaf = builder_server(host, 2, "ca", 1);
    struct chain chain = {.root = builder_cert(&root), .ca = builder_cert(&ca)};

    chain.serial = builder_bytes("\x12\x34\x56", 3);
    leaf.serial = chain.serial;
    chain.leaf = builder_cert(&leaf);
    return chain;
}

static struct scene scene_of(const struct chain *chain, enum pkix_revocation revocation)
{
    struct scene scene = scene_server(chain->leaf, host, chain->root);

    scene_add_extra(&scene, chain->ca);
    scene.request.revocation = revocation;
    return scene;
}

/* What a staple does in soft mode. */
static void staple_table(void **state)
{
    struct chain chain = make_chain();
    struct cert_spec delegate = builder_client("responder", 5, "ca", 1), other_delegate;
    const struct {
        const char *what;
        enum pkix_error want;
    } table[] = {
        {"good", PKIX_OK},
        {"good-by-key", PKIX_OK},
        {"revoked", PKIX_REVOKED},
        {"good-then-revoked", PKIX_REVOKED}, /* CVE-2026-3832 */
        {"revoked-then-good", PKIX_REVOKED},
        {"unknown", PKIX_OCSP_UNKNOWN_CERT},
        {"old", PKIX_OK}, /* passed over */
        {"old-revoked", PKIX_REVOKED},
        {"eleven-days", PKIX_OK},
        {"future", PKIX_OCSP_FUTURE},
        {"other-cert", PKIX_OK}, /* CVE-2020-8286: not a statement about this one */
        {"try-later", PKIX_OK},
        {"forged", PKIX_OCSP_BAD_SIGNATURE},
        {"garbage", PKIX_OCSP_MALFORMED},
        {"critical", PKIX_UNKNOWN_CRITICAL_EXTENSION},
        {"delegate", PKIX_OK},
        {"delegate-revoked", PKIX_REVOKED},
        {"delegate-without-eku", PKIX_OK}, /* not a statement: passed over */
        {"delegate-of-other-ca", PKIX_OK},
        {"delegate-is-ca", PKIX_OK},
    };

    (void)state;
    delegate.eku = builder_oid(OID_OCSP_SIGNING);
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what;
        struct ocsp_spec spec = builder_ocsp_about(chain.leaf, chain.ca, "ca", 1);
        struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT);

        if (strstr(what, "by-key") != NULL)
            spec.responder = NULL;
        if (strstr(what, "revoked") != NULL)
            spec.statuses[0] = OCSP_REVOKED;
        if (strcmp(what, "good-then-revoked") == 0) {
            spec.statuses[0] = OCSP_GOOD;
            spec.statuses[1] = OCSP_REVOKED;
            spec.status_count = 2;
        }
        if (strcmp(what, "revoked-then-good") == 0)
            spec.status_count = 2;
        if (strcmp(what, "unknown") == 0)
            spec.statuses[0] = OCSP_UNKNOWN;
        if (strncmp(what, "old", 3) == 0) {
            spec.this_update = builder_now - 9 * BUILDER_DAY;
            spec.next_update = builder_now - 2 * BUILDER_DAY;
        }
        if (strcmp(what, "eleven-days") == 0) {
            spec.this_update = builder_now - 12 * BUILDER_DAY;
            spec.next_update = builder_now + BUILDER_DAY;
        }
        if (strcmp(what, "future") == 0)
            spec.this_update = spec.next_update = builder_now + 2 * BUILDER_DAY;
        spec.other_serial = strcmp(what, "other-cert") == 0;
        spec.critical_extension = strcmp(what, "critical") == 0;
        if (strcmp(what, "try-later") == 0)
            spec.response_status = 3;
        if (strcmp(what, "forged") == 0)
            spec.signer = 9;
        if (strncmp(what, "delegate", 8) == 0) {
            other_delegate = delegate;
            if (strcmp(what, "delegate-without-eku") == 0)
                other_delegate.eku = builder_oid(OID_SERVER_AUTH);
            if (strcmp(what, "delegate-of-other-ca") == 0)
                other_delegate.signer = 9;
            if (strcmp(what, "delegate-is-ca") == 0)
                other_delegate.ca = BUILDER_CA;
            spec.delegate = builder_cert(&other_delegate);
            spec.responder = "responder";
            spec.signer = 5;
        }
        scene.staples[0] = strcmp(what, "garbage") == 0 ? span_of("garbage", 7) : builder_ocsp(&spec);
        if (scene_verify(&scene) != table[i].want)
            fail_msg("%s: %s", what, scene.detail);
    }
}

static void hard_mode_wants_a_good_statement_for_every_certificate(void **state)
{
    struct chain chain = make_chain();
    struct crl_spec of_root = builder_crl_of("root", 0), of_ca = builder_crl_of("ca", 1);
    struct ocsp_spec about_leaf = builder_ocsp_about(chain.leaf, chain.ca, "ca", 1);
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_HARD);

    (void)state;
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
    scene.crls[scene.crl_count++] = builder_crl(&of_root);
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
    scene.staples[0] = builder_ocsp(&about_leaf);
    assert_verdict(&scene, PKIX_OK);
    scene.staples[0] = span_of(NULL, 0);
    scene.crls[scene.crl_count++] = builder_crl(&of_ca);
    assert_verdict(&scene, PKIX_OK);
}

/* What a CRL of the leaf's issuer does in hard mode. */
static void crl_table(void **state)
{
    struct chain chain = make_chain();
    struct crl_spec of_root = builder_crl_of("root", 0);
    struct span root_crl = builder_crl(&of_root);
    const struct {
        const char *what;
        enum pkix_error want;
    } table[] = {
        {"not-listed", PKIX_OK},
        {"listed", PKIX_REVOKED},
        {"listed-with-leading-zeros", PKIX_REVOKED},
        {"listed-with-reason", PKIX_REVOKED},
        {"expired", PKIX_REVOCATION_UNKNOWN},
        {"early", PKIX_REVOCATION_UNKNOWN},
        {"no-next-update", PKIX_REVOCATION_UNKNOWN},
        {"forged", PKIX_REVOCATION_UNKNOWN},
        {"no-number", PKIX_OK}, /* RFC 5280 section 5.2.3 binds issuers */
        {"listed-without-number", PKIX_REVOKED},
        {"version-1", PKIX_OK},
        {"listed-in-version-1", PKIX_REVOKED},
        {"version-1-with-number", PKIX_REVOCATION_UNKNOWN}, /* extensions are version 2's */
        {"version-1-entry-with-reason", PKIX_REVOCATION_UNKNOWN},
        {"critical-number", PKIX_REVOCATION_UNKNOWN},
        {"delta", PKIX_REVOCATION_UNKNOWN},
        {"unknown-critical", PKIX_REVOCATION_UNKNOWN},
        {"entry-of-another-issuer", PKIX_REVOCATION_UNKNOWN},
        {"for-users", PKIX_OK},
        {"for-authorities", PKIX_REVOCATION_UNKNOWN},
        {"indirect", PKIX_REVOCATION_UNKNOWN},
        {"some-reasons", PKIX_REVOCATION_UNKNOWN},
        {"other-issuer", PKIX_REVOCATION_UNKNOWN},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what;
        struct crl_spec spec = builder_crl_of("ca", 1);
        struct scene scene = scene_of(&chain, PKIX_REVOCATION_HARD);
        struct span scope = span_of(NULL, 0);

        if (strncmp(what, "listed", 6) == 0) {
            spec.serials[0] = builder_bytes("\x01", 1);
            spec.serials[1] = chain.serial;
            spec.serial_count = 2;
        }
        if (strcmp(what, "listed-with-leading-zeros") == 0)
            spec.serials[1] = builder_join(span_of("\0\0", 2), chain.serial);
        if (strcmp(what, "listed-with-reason") == 0)
            spec.entry_extensions = builder_extension(OID_REASON_CODE, false, builder_bytes("\x0a\x01\x01", 3));
        if (strcmp(what, "expired") == 0)
            spec.next_update = builder_now - 1;
        if (strcmp(what, "early") == 0)
            spec.this_update = builder_now + 1;
        if (strcmp(what, "no-next-update") == 0)
            spec.next_update = 0;
        if (strcmp(what, "forged") == 0)
            spec.signer = 9;
        spec.version_1 = strstr(what, "version-1") != NULL;
        spec.no_number = strcmp(what, "no-number") == 0 || strcmp(what, "listed-without-number") == 0 ||
                         (spec.version_1 && strstr(what, "with-number") == NULL);
        if (strcmp(what, "version-1-entry-with-reason") == 0) {
            spec.serials[spec.serial_count++] = builder_bytes("\x01", 1);
            spec.entry_extensions = builder_extension(OID_REASON_CODE, false, builder_bytes("\x0a\x01\x01", 3));
        }
        spec.critical_number = strcmp(what, "critical-number") == 0;
        if (strcmp(what, "delta") == 0)
            spec.extensions[spec.extension_count++] =
                builder_extension(OID_DELTA_CRL_INDICATOR, true, builder_integer(1));
        if (strcmp(what, "unknown-critical") == 0)
            spec.extensions[spec.extension_count++] = builder_extension(OID_POLICY_MAPPINGS, true, span_of("x", 1));
        if (strcmp(what, "entry-of-another-issuer") == 0) {
            spec.serials[0] = builder_bytes("\x01", 1);
            spec.serial_count = 1;
            spec.entry_extensions = builder_extension(OID_CERTIFICATE_ISSUER, true, span_of("x", 1));
        }
        if (strcmp(what, "for-users") == 0)
            scope = builder_tlv(0x81, span_of("\xff", 1), builder_end);
        if (strcmp(what, "for-authorities") == 0)
            scope = builder_tlv(0x82, span_of("\xff", 1), builder_end);
        if (strcmp(what, "some-reasons") == 0)
            scope = builder_tlv(0x83, span_of("\x01\x40", 2), builder_end);
        if (strcmp(what, "indirect") == 0)
            scope = builder_tlv(0x84, span_of("\xff", 1), builder_end);
        if (scope.size != 0)
            spec.extensions[spec.extension_count++] =
                builder_extension(OID_ISSUING_DISTRIBUTION_POINT, true, builder_tlv(ASN1_SEQUENCE, scope, builder_end));
        if (strcmp(what, "other-issuer") == 0)
            spec.issuer = "somebody else";
        scene.crls[scene.crl_count++] = root_crl;
        scene.crls[scene.crl_count++] = builder_crl(&spec);
        if (scene_verify(&scene) != table[i].want)
            fail_msg("%s: %s", what, scene.detail);
    }
}

static void crl_that_is_not_used_says_why(void **state)
{
    struct crl_spec without_next = builder_crl_of("ca", 1);
    struct pkix_crl_set *set = pkix_crl_set_create();
    char *error = NULL;

    (void)state;
    without_next.next_update = 0;
    assert_false(pkix_crl_set_add(set, builder_crl(&without_next), "b.crl", &error));
    assert_non_null(strstr(error, "b.crl: crl_unusable: it does not say when the next one comes"));
    free(error);
    assert_false(pkix_crl_set_add(set, span_of("x", 1), "c.crl", &error));
    assert_string_equal(error, "c.crl: crl_malformed: the CRL is malformed");
    free(error);
    assert_int_equal(pkix_crl_set_count(set), 0);
    pkix_crl_set_destroy(&set);
}

/* GHSA-pwjx-qhcg-rvj4: a CRL that fits the second name of the second point fits. */
static void crl_is_matched_by_any_name_of_any_point(void **state)
{
    struct chain chain = make_chain();
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);
    struct crl_spec spec = builder_crl_of("ca", 1);
    struct span points = builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE, builder_point(builder_general_name(0x86, "http://a/1.crl")), builder_end),
        builder_tlv(ASN1_SEQUENCE,
                    builder_point(builder_join(builder_general_name(0x86, "http://a/2.crl"),
                                               builder_general_name(0x86, "http://b/2.crl"))),
                    builder_end),
        builder_end);
    struct scene scene;

    (void)state;
    leaf.serial = chain.serial;
    builder_add_extension(&leaf, OID_CRL_DISTRIBUTION_POINTS, false, points);
    spec.serials[spec.serial_count++] = chain.serial;
    spec.extensions[spec.extension_count++] = builder_extension(
        OID_ISSUING_DISTRIBUTION_POINT, true,
        builder_tlv(ASN1_SEQUENCE, builder_point(builder_general_name(0x86, "http://b/2.crl")), builder_end));
    chain.leaf = builder_cert(&leaf);
    scene = scene_of(&chain, PKIX_REVOCATION_SOFT);
    scene.crls[scene.crl_count++] = builder_crl(&spec);
    assert_verdict(&scene, PKIX_REVOKED);
}

static struct span rolled_over;

static void add_rolled_over(struct pkix_store *store)
{
    char *error = NULL;

    if (!pkix_store_add_intermediate(store, rolled_over, &error))
        fail_msg("%s", error);
}

static void crl_needs_an_issuer_that_may_sign_crls(void **state)
{
    struct chain chain = make_chain();
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct crl_spec spec = builder_crl_of("ca", 1);
    struct scene scene;

    (void)state;
    ca.key_usage = BUILDER_KU_CERT_SIGN;
    chain.ca = builder_cert(&ca);
    spec.serials[spec.serial_count++] = chain.serial;
    scene = scene_of(&chain, PKIX_REVOCATION_SOFT);
    scene.crls[scene.crl_count++] = builder_crl(&spec);
    assert_verdict(&scene, PKIX_OK); /* no statement */
    assert_int_equal(scene.warning_count, 1);
    assert_non_null(strstr(scene.warning, "lacks cRLSign"));
    scene.request.revocation = PKIX_REVOCATION_HARD;
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
}

/* Strict holds issuers to their own rule. */
static void strict_profile_wants_a_crl_number(void **state)
{
    struct strict_chain chain = strict_chain_make();
    struct crl_spec spec = builder_crl_of(chain.leaf.issuer, chain.leaf.signer),
                    of_root = builder_crl_of(chain.ca.issuer, chain.ca.signer);
    struct scene scene;

    (void)state;
    chain.leaf.serial = spec.serials[spec.serial_count++] = builder_bytes("\x12\x34", 2);
    spec.no_number = true;
    scene = strict_chain_scene(&chain);
    scene.request.revocation = PKIX_REVOCATION_SOFT;
    scene.request.profile = PKIX_PROFILE_DEFAULT;
    scene.crls[scene.crl_count++] = builder_crl(&spec);
    assert_verdict(&scene, PKIX_REVOKED);
    assert_int_equal(scene.warning_count, 0);
    scene.request.profile = PKIX_PROFILE_STRICT;
    assert_verdict(&scene, PKIX_OK);
    assert_non_null(strstr(scene.warning, "it has no CRL number, which the strict profile demands"));
    scene.request.revocation = PKIX_REVOCATION_HARD;
    scene.crls[scene.crl_count++] = builder_crl(&of_root);
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
}

/* An authority that has changed its key signs its lists with the new one (RFC 5280 section 6.3.3 (f)). */
static void crl_may_be_signed_with_a_rolled_over_key(void **state)
{
    enum { NEW_KEY = 5, OTHER_ROOT = 8 };
    static const struct {
        const char *what;
        enum pkix_error want;
        const char *warning; /* part of it; NULL: there is none */
    } table[] = {
        {"of the same root", PKIX_REVOKED, NULL},
        {"signed by the old key", PKIX_REVOKED, NULL},
        {"only for CRLs", PKIX_REVOKED, NULL},
        {"in the store", PKIX_REVOKED, NULL},
        {"an anchor, too", PKIX_REVOKED, NULL},
        {"behind an intermediate", PKIX_REVOKED, NULL},
        {"not there", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"of another root", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"of another root that is an anchor", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"of another name", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"without cRLSign", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"expired", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"signed by a leaf", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"outside name constraints", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"revoked", PKIX_OK, "its signature verifies with no key of its issuer"},
        {"behind a crowd", PKIX_REVOKED, NULL},
    };
    struct chain chain = make_chain();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what;
        struct cert_spec signer = builder_authority("ca", NEW_KEY, "root", 0);
        struct cert_spec other_root = builder_authority("other root", OTHER_ROOT, "other root", OTHER_ROOT);
        struct cert_spec middle = builder_authority("middle", 6, "root", 0);
        struct crl_spec spec = builder_crl_of("ca", NEW_KEY), of_root = builder_crl_of("root", 0);
        struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT);
        struct span signer_der;

        spec.serials[spec.serial_count++] = chain.serial;
        scene.crls[scene.crl_count++] = builder_crl(&spec);
        if (strcmp(what, "signed by the old key") == 0)
            signer.issuer = "ca", signer.signer = 1;
        if (strcmp(what, "only for CRLs") == 0)
            signer.ca = BUILDER_NO_CONSTRAINTS, signer.key_usage = BUILDER_KU_CRL_SIGN;
        if (strstr(what, "of another root") != NULL)
            signer.issuer = "other root", signer.signer = OTHER_ROOT;
        if (strcmp(what, "of another root that is an anchor") == 0)
            scene_add_anchor(&scene, builder_cert(&other_root));
        if (strcmp(what, "of another name") == 0)
            signer.subject = "c a";
        if (strcmp(what, "without cRLSign") == 0)
            signer.key_usage = BUILDER_KU_CERT_SIGN;
        if (strcmp(what, "expired") == 0)
            signer.not_after = builder_now - 1;
        if (strcmp(what, "signed by a leaf") == 0)
            signer.issuer = host, signer.signer = 2;
        if (strcmp(what, "behind an intermediate") == 0 || strcmp(what, "outside name constraints") == 0)
            signer.issuer = "middle", signer.signer = 6;
        if (strcmp(what, "outside name constraints") == 0)
            builder_add_extension(
                &middle, OID_NAME_CONSTRAINTS, true,
                builder_constraints(builder_tlv(0xa4, builder_name("somebody else"), builder_end), builder_end));
        if (strcmp(what, "revoked") == 0)
            signer.serial = of_root.serials[of_root.serial_count++] = builder_bytes("\x66", 1);
        scene.crls[scene.crl_count++] = builder_crl(&of_root);
        /* What a peer sends to be looked at first. */
        for (unsigned k = 0; strcmp(what, "behind a crowd") == 0 && k < 3; k++) {
            struct cert_spec fake = builder_authority("ca", 20 + k, "nobody", 20 + k);

            scene_add_extra(&scene, builder_cert(&fake));
        }
        scene_add_extra(&scene, builder_cert(&middle));
        signer_der = builder_cert(&signer);
        if (strcmp(what, "in the store") == 0) {
            rolled_over = signer_der;
            scene.prepare = add_rolled_over;
        } else if (strcmp(what, "an anchor, too") == 0) {
            scene_add_anchor(&scene, signer_der);
        } else if (strcmp(what, "not there") != 0) {
            scene_add_extra(&scene, signer_der);
        }
        if (scene_verify(&scene) != table[i].want || (scene.warning_count != 0) != (table[i].warning != NULL) ||
            (table[i].warning != NULL && strstr(scene.warning, table[i].warning) == NULL))
            fail_msg("%s: %s; %s", what, scene.detail, scene.warning);
    }
}

/* It may be newer than one that can be used. */
static void list_that_cannot_be_used_is_told_beside_one_that_can(void **state)
{
    struct chain chain = make_chain();
    struct crl_spec good = builder_crl_of("ca", 1), forged = builder_crl_of("ca", 9), expired = builder_crl_of("ca", 1);
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT);

    (void)state;
    expired.this_update = builder_now - 9 * BUILDER_DAY;
    expired.next_update = builder_now - 1;
    scene.crls[scene.crl_count++] = builder_crl(&expired);
    assert_verdict(&scene, PKIX_OK);
    assert_non_null(strstr(scene.warning, "the CRL has expired"));
    scene.crls[scene.crl_count++] = builder_crl(&good);
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.warning_count, 0); /* every folder has old ones */
    scene.crls[scene.crl_count++] = builder_crl(&forged);
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.warning_count, 1);
    assert_string_equal(
        scene.warning, "whether CN=www.example.com is revoked is not known from the CRL number 0x07 of CN=ca (from "
                       "2025-12-31T00:00:00Z until 2026-01-02T00:00:00Z), which cannot be used: its signature verifies "
                       "with no key of its issuer that is known and leads to the same anchor");
}

static void revoked_intermediate_is_refused_and_another_one_taken(void **state)
{
    struct chain chain = make_chain();
    struct cert_spec second = builder_authority("ca", 1, "root2", 8), root2 = builder_authority("root2", 8, "root2", 8);
    struct crl_spec spec = builder_crl_of("root", 0);
    struct pkix_cert ca;
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT);

    (void)state;
    assert_int_equal(pkix_cert_read(chain.ca, &ca), PKIX_OK);
    spec.serials[spec.serial_count++] = ca.serial;
    scene.crls[scene.crl_count++] = builder_crl(&spec);
    assert_verdict(&scene, PKIX_REVOKED);
    scene_add_extra(&scene, builder_cert(&second));
    scene_add_anchor(&scene, builder_cert(&root2));
    assert_verdict(&scene, PKIX_OK);
}

static struct span must_staple(void)
{
    return builder_tlv(ASN1_SEQUENCE, builder_integer(5), builder_end);
}

static void must_staple_wants_a_good_staple(void **state)
{
    struct chain chain = make_chain();
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);
    struct ocsp_spec spec;
    struct scene scene;

    (void)state;
    builder_add_extension(&leaf, OID_TLS_FEATURE, false, must_staple());
    chain.leaf = builder_cert(&leaf);
    spec = builder_ocsp_about(chain.leaf, chain.ca, "ca", 1);
    scene = scene_of(&chain, PKIX_REVOCATION_SOFT);
    assert_verdict(&scene, PKIX_TLS_FEATURE_MISSING);
    scene.staples[0] = builder_ocsp(&spec);
    assert_verdict(&scene, PKIX_OK);
    spec.next_update = spec.this_update = builder_now - 5 * BUILDER_DAY;
    scene.staples[0] = builder_ocsp(&spec);
    assert_verdict(&scene, PKIX_TLS_FEATURE_MISSING);
    scene.request.revocation = PKIX_REVOCATION_OFF;
    assert_verdict(&scene, PKIX_OK);
}

static void must_staple_of_an_issuer_binds_its_leaves(void **state)
{
    struct chain chain = make_chain();
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene;

    (void)state;
    builder_add_extension(&ca, OID_TLS_FEATURE, false, must_staple());
    chain.ca = builder_cert(&ca);
    scene = scene_of(&chain, PKIX_REVOCATION_OFF);
    assert_verdict(&scene, PKIX_TLS_FEATURE_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(staple_table),
        cmocka_unit_test(hard_mode_wants_a_good_statement_for_every_certificate),
        cmocka_unit_test(crl_table),
        cmocka_unit_test(crl_that_is_not_used_says_why),
        cmocka_unit_test(crl_is_matched_by_any_name_of_any_point),
        cmocka_unit_test(crl_needs_an_issuer_that_may_sign_crls),
        cmocka_unit_test(strict_profile_wants_a_crl_number),
        cmocka_unit_test(crl_may_be_signed_with_a_rolled_over_key),
        cmocka_unit_test(list_that_cannot_be_used_is_told_beside_one_that_can),
        cmocka_unit_test(revoked_intermediate_is_refused_and_another_one_taken),
        cmocka_unit_test(must_staple_wants_a_good_staple),
        cmocka_unit_test(must_staple_of_an_issuer_binds_its_leaves),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
