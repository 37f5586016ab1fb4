/* CRLs from outside the request: when pkix/revocation.c asks for them, what it makes of them, and how a set that has
 * come is judged before it is shared (pkix/crl.h). */
#include "scene.h"
#include "pkix/crl_parse.h"
#include "pkix/ocsp.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

/* A source with one set, at hand or to be fetched, which writes down what it was asked. */
struct source {
    struct pkix_crl_source calls;
    struct pkix_crl_set *set; /* NULL: none */
    bool must_be_fetched;
    const char *why;
    unsigned at_hand, fetched;
    size_t url_count, signer_count;
    enum pkix_waiting waiting;
    enum pkix_revocation revocation;
    struct span cert;
};

static struct pkix_crl_set *find(void *ctx, const struct pkix_crl_question *question, enum pkix_crl_effort effort,
                                 const char **why)
{
    struct source *s = ctx;

    if (effort == PKIX_CRL_AT_HAND)
        s->at_hand++;
    else
        s->fetched++;
    s->url_count = question->url_count;
    s->signer_count = question->signer_count;
    s->waiting = question->waiting;
    s->revocation = question->revocation;
    s->cert = question->cert;
    *why = s->why;
    if (s->set == NULL || (s->must_be_fetched && effort == PKIX_CRL_AT_HAND))
        return NULL;
    return pkix_crl_set_share(s->set);
}

struct chain {
    struct span root, ca, leaf, serial;
};

static struct span points_at(const char *url)
{
    struct span name = builder_tlv(0xa0, builder_tlv(0xa0, builder_general_name(0x86, url), builder_end), builder_end);

    return builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_SEQUENCE, name, builder_end), builder_end);
}

static struct chain make_chain(int64_t leaf_days, const char *url)
{
    struct cert_spec root = builder_authority("root", 0, "root", 0), ca = builder_authority("ca", 1, "root", 0),
                     leaf = builder_server(host, 2, "ca", 1);
    struct chain chain = {.serial = builder_bytes("\x12\x34\x56", 3)};

    leaf.serial = chain.serial;
    if (url != NULL)
        builder_add_extension(&leaf, OID_CRL_DISTRIBUTION_POINTS, false, points_at(url));
    if (leaf_days != 0) {
        leaf.not_before = builder_now - BUILDER_DAY;
        leaf.not_after = leaf.not_before + leaf_days * BUILDER_DAY;
    }
    chain.root = builder_cert(&root);
    chain.ca = builder_cert(&ca);
    chain.leaf = builder_cert(&leaf);
    return chain;
}

static struct scene scene_of(const struct chain *chain, enum pkix_revocation revocation, struct source *source)
{
    static const struct pkix_crl_source calls = {.find = find};
    struct crl_spec of_root = builder_crl_of("root", 0);
    struct scene scene = scene_server(chain->leaf, host, chain->root);

    scene_add_extra(&scene, chain->ca);
    scene.request.revocation = revocation;
    scene.crls[scene.crl_count++] = builder_crl(&of_root); /* so that hard is about the leaf only */
    source->calls = calls;
    source->calls.ctx = source;
    scene.request.crl_source = &source->calls;
    return scene;
}

static struct pkix_crl_set *set_of(const struct crl_spec *spec)
{
    struct pkix_crl_set *set = pkix_crl_set_create();
    char *error = NULL;

    if (!pkix_crl_set_add(set, builder_crl(spec), "crl", &error))
        fail_msg("%s", error);
    return set;
}

static struct crl_spec listing(const struct chain *chain)
{
    struct crl_spec spec = builder_crl_of("ca", 1);

    spec.serials[spec.serial_count++] = chain->serial;
    return spec;
}

/* At hand or fetched, it is believed by the rules for all CRLs. */
static void crl_of_the_source_is_judged(void **state)
{
    static const struct {
        const char *what;
        enum pkix_error soft, hard;
    } table[] = {
        {"good", PKIX_OK, PKIX_OK},
        {"listed", PKIX_REVOKED, PKIX_REVOKED},
        {"listed by a forger", PKIX_OK, PKIX_REVOCATION_UNKNOWN},
        {"of another issuer", PKIX_OK, PKIX_REVOCATION_UNKNOWN},
        {"expired", PKIX_OK, PKIX_REVOCATION_UNKNOWN},
    };
    struct chain chain = make_chain(0, "http://crl.example/");

    (void)state;
    for (size_t i = 0; i < 4 * ARRAY_LEN(table); i++) {
        const char *what = table[i / 4].what;
        enum pkix_revocation mode = i % 2 == 0 ? PKIX_REVOCATION_SOFT : PKIX_REVOCATION_HARD;
        struct source source = {.must_be_fetched = i % 4 >= 2};
        struct scene scene = scene_of(&chain, mode, &source);
        struct crl_spec spec = strstr(what, "listed") != NULL ? listing(&chain) : builder_crl_of("ca", 1);
        bool is_known = strcmp(what, "good") == 0 || strcmp(what, "listed") == 0;

        if (strcmp(what, "listed by a forger") == 0)
            spec.signer = 9;
        if (strcmp(what, "of another issuer") == 0)
            spec.issuer = "root";
        if (strcmp(what, "expired") == 0)
            spec.next_update = builder_now - 1;
        source.set = set_of(&spec);
        if (scene_verify(&scene) != (mode == PKIX_REVOCATION_SOFT ? table[i / 4].soft : table[i / 4].hard))
            fail_msg("%s: %s", what, scene.detail);
        assert_int_equal(source.at_hand, 1);
        assert_int_equal(source.fetched, source.must_be_fetched || !is_known ? 1 : 0);
        assert_int_equal(source.url_count, 1);
        assert_int_equal(source.signer_count, 1);
        assert_int_equal(source.revocation, mode);
        assert_true(span_equal(source.cert, chain.leaf));
        if (strcmp(what, "listed") == 0)
            assert_non_null(strstr(scene.detail, "says its CRL"));
        pkix_crl_set_destroy(&source.set);
    }
}

/* What is at hand counts together: one that says revoked is enough, a good staple or a good CRL of a file beside it. */
static void crl_at_hand_counts_beside_others(void **state)
{
    struct chain chain = make_chain(0, "http://crl.example/");
    struct ocsp_spec good = builder_ocsp_about(chain.leaf, chain.ca, "ca", 1);
    struct crl_spec list = listing(&chain), clean = builder_crl_of("ca", 1);
    struct source source = {.set = set_of(&list)};
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);

    (void)state;
    scene.staples[0] = builder_ocsp(&good);
    assert_verdict(&scene, PKIX_REVOKED);

    scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);
    scene.crls[scene.crl_count++] = builder_crl(&clean);
    assert_verdict(&scene, PKIX_REVOKED);
    pkix_crl_set_destroy(&source.set);

    source.set = set_of(&clean);
    scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);
    scene.crls[scene.crl_count++] = builder_crl(&list);
    assert_verdict(&scene, PKIX_REVOKED);
    pkix_crl_set_destroy(&source.set);
}

static void answer_statement(void *ctx, const struct pkix_evidence_question *question, struct pkix_evidence *evidence)
{
    (void)question;
    *evidence = *(struct pkix_evidence *)ctx;
}

/* Staple, CRLs at hand, the responder, and only then a CRL that is not there yet. */
static void fetching_comes_last(void **state)
{
    static const struct {
        enum pkix_evidence_kind kind;
        enum pkix_error error, want;
        unsigned fetched;
    } table[] = {
        {PKIX_EVIDENCE_STATEMENT, PKIX_OK, PKIX_OK, 0},
        {PKIX_EVIDENCE_STATEMENT, PKIX_REVOKED, PKIX_REVOKED, 0},
        {PKIX_EVIDENCE_STATEMENT, PKIX_OCSP_UNKNOWN_CERT, PKIX_OCSP_UNKNOWN_CERT, 0},
        {PKIX_EVIDENCE_NOT_NOW, PKIX_OK, PKIX_REVOCATION_UNKNOWN, 0},
        {PKIX_EVIDENCE_NONE, PKIX_OK, PKIX_OK, 1},
    };
    struct chain chain = make_chain(0, "http://crl.example/");
    struct crl_spec clean = builder_crl_of("ca", 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct pkix_evidence evidence = {.kind = table[i].kind, .statement.error = table[i].error};
        const struct pkix_evidence_source responder = {.ctx = &evidence, .ask = answer_statement};
        struct source source = {.set = set_of(&clean), .must_be_fetched = true};
        struct scene scene = scene_of(&chain, PKIX_REVOCATION_HARD, &source);

        scene.request.evidence = &responder;
        assert_verdict(&scene, table[i].want);
        assert_int_equal(source.fetched, table[i].fetched);
        pkix_crl_set_destroy(&source.set);
    }
}

static void needless_fetches_are_not_asked_for(void **state)
{
    static const struct {
        const char *what;
        enum pkix_revocation mode;
        enum pkix_error want;
        unsigned at_hand, fetched;
    } table[] = {
        {"no point", PKIX_REVOCATION_HARD, PKIX_REVOCATION_UNKNOWN, 0, 0},
        {"off", PKIX_REVOCATION_OFF, PKIX_OK, 0, 0},
        {"brief", PKIX_REVOCATION_SOFT, PKIX_OK, 1, 0},
        {"brief", PKIX_REVOCATION_HARD, PKIX_OK, 1, 0},
        {"crl", PKIX_REVOCATION_HARD, PKIX_OK, 1, 0},
        {"foreign", PKIX_REVOCATION_HARD, PKIX_BAD_SIGNATURE, 0, 0},
        {"soft", PKIX_REVOCATION_SOFT, PKIX_OK, 1, 1},
    };
    struct crl_spec clean = builder_crl_of("ca", 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what;
        struct chain chain = make_chain(strcmp(what, "brief") == 0 ? 9 : 0,
                                        strcmp(what, "no point") == 0 ? NULL : "http://crl.example/");
        struct source source = {.why = "its CRL sleeps"};
        struct scene scene = scene_of(&chain, table[i].mode, &source);
        struct cert_spec foreign = builder_server(host, 2, "ca", 9); /* says it is of "ca", and is not */

        builder_add_extension(&foreign, OID_CRL_DISTRIBUTION_POINTS, false, points_at("http://crl.example/"));
        if (strcmp(what, "crl") == 0)
            scene.crls[scene.crl_count++] = builder_crl(&clean);
        if (strcmp(what, "foreign") == 0)
            scene.request.leaf = builder_cert(&foreign);
        assert_verdict(&scene, table[i].want);
        assert_int_equal(source.at_hand, table[i].at_hand);
        assert_int_equal(source.fetched, table[i].fetched);
    }
}

/* Hard: the words of the source; and how it may wait is handed on. */
static void reason_and_waiting_are_handed_on(void **state)
{
    struct chain chain = make_chain(0, "http://crl.example/");
    struct source source = {.why = "its CRL sleeps"};
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_HARD, &source);

    (void)state;
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
    assert_non_null(strstr(scene.detail, "its CRL sleeps"));
    assert_int_equal(source.waiting, PKIX_MAY_WAIT);
    scene.request.evidence_waiting = PKIX_MUST_NOT_WAIT;
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
    assert_int_equal(source.waiting, PKIX_MUST_NOT_WAIT);
}

/* RFC 7633: a CRL is no staple. */
static void must_staple_is_not_met_by_a_crl(void **state)
{
    struct chain chain = make_chain(0, NULL);
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);
    struct crl_spec clean = builder_crl_of("ca", 1);
    struct source source = {.set = set_of(&clean)};
    struct scene scene;

    (void)state;
    builder_add_extension(&leaf, OID_TLS_FEATURE, false, builder_tlv(ASN1_SEQUENCE, builder_integer(5), builder_end));
    builder_add_extension(&leaf, OID_CRL_DISTRIBUTION_POINTS, false, points_at("http://crl.example/"));
    chain.leaf = builder_cert(&leaf);
    scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);
    assert_verdict(&scene, PKIX_TLS_FEATURE_MISSING);
    pkix_crl_set_destroy(&source.set);
}

/* ---- before a set is shared ---- */

static void set_is_accepted_or_not(void **state)
{
    static const struct {
        const char *what;
        enum pkix_error want;
    } table[] = {
        {"clean", PKIX_OK},
        {"listed", PKIX_OK},
        {"by the old key", PKIX_OK},
        {"forged", PKIX_CRL_BAD_SIGNATURE},
        {"of another issuer", PKIX_REVOCATION_UNKNOWN},
        {"of another scope", PKIX_REVOCATION_UNKNOWN},
        {"expired", PKIX_CRL_EXPIRED},
        {"early", PKIX_CRL_NOT_YET_VALID},
        {"issuer without cRLSign", PKIX_CRL_UNUSABLE},
    };
    struct chain chain = make_chain(0, "http://crl.example/");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *what = table[i].what;
        struct cert_spec issuer = builder_authority("ca", 1, "root", 0), old = builder_authority("ca", 5, "root", 0);
        struct crl_spec spec = strcmp(what, "listed") == 0 ? listing(&chain) : builder_crl_of("ca", 1);
        struct span signers[2];
        struct pkix_crl_set *set;
        enum pkix_error got;

        if (strcmp(what, "by the old key") == 0)
            spec.signer = 5;
        if (strcmp(what, "forged") == 0)
            spec.signer = 9;
        if (strcmp(what, "of another issuer") == 0)
            spec.issuer = "root";
        if (strcmp(what, "of another scope") == 0)
            spec.extensions[spec.extension_count++] = builder_extension(
                OID_ISSUING_DISTRIBUTION_POINT, true,
                builder_tlv(
                    ASN1_SEQUENCE,
                    builder_tlv(0xa0,
                                builder_tlv(0xa0, builder_general_name(0x86, "http://other.example/"), builder_end),
                                builder_end),
                    builder_end));
        if (strcmp(what, "expired") == 0)
            spec.next_update = builder_now - 1;
        if (strcmp(what, "early") == 0)
            spec.this_update = builder_now + 1;
        if (strcmp(what, "issuer without cRLSign") == 0)
            issuer.key_usage = BUILDER_KU_CERT_SIGN;
        signers[0] = builder_cert(&issuer);
        signers[1] = builder_cert(&old);
        set = set_of(&spec);
        got = pkix_crl_set_accept(set, chain.leaf, signers, strcmp(what, "by the old key") == 0 ? 2 : 1, builder_now);
        if (got != table[i].want)
            fail_msg("%s: %s", what, pkix_error_name(got));
        assert_int_equal(pkix_crl_set_accept(set, span_of("x", 1), signers, 1, builder_now), PKIX_BAD_DER);
        assert_int_equal(pkix_crl_set_accept(set, chain.leaf, &chain.serial, 1, builder_now), PKIX_BAD_DER);
        pkix_crl_set_destroy(&set);
    }
}

static enum pkix_error count_verifications(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    (void)statement;
    (void)spki;
    ++*(unsigned *)ctx;
    return PKIX_BAD_SIGNATURE;
}

static enum pkix_error check_counting(const struct pkix_crl_set *set, const struct pkix_cert *cert,
                                      const struct pkix_cert *signer, int64_t time, unsigned *verified)
{
    return pkix_crl_set_check(set, &(struct pkix_crl_query){.cert = cert,
                                                            .signers = &signer,
                                                            .signer_count = 1,
                                                            .time = time,
                                                            .verify = count_verifications,
                                                            .ctx = verified})
        .error;
}

/* Its signature is not looked at again with that key, but with every other, and the key usage always is. */
static void accepted_signature_is_good_with_its_key_only(void **state)
{
    struct chain chain = make_chain(0, "http://crl.example/");
    struct cert_spec other_key = builder_authority("ca", 5, "root", 0),
                     no_usage = builder_authority("ca", 1, "root", 0);
    struct crl_spec clean = builder_crl_of("ca", 1);
    struct pkix_crl_set *set = set_of(&clean);
    struct pkix_cert leaf, ca, other, useless;
    const struct pkix_cert *signer = &ca;
    unsigned verified = 0;

    (void)state;
    no_usage.key_usage = BUILDER_KU_CERT_SIGN;
    assert_int_equal(pkix_cert_read(chain.leaf, &leaf), PKIX_OK);
    assert_int_equal(pkix_cert_read(chain.ca, &ca), PKIX_OK);
    assert_int_equal(pkix_cert_read(builder_cert(&other_key), &other), PKIX_OK);
    assert_int_equal(pkix_cert_read(builder_cert(&no_usage), &useless), PKIX_OK);

    assert_int_equal(check_counting(set, &leaf, signer, builder_now, &verified), PKIX_CRL_BAD_SIGNATURE);
    assert_int_equal(verified, 1);
    assert_int_equal(pkix_crl_set_accept(set, chain.leaf, &chain.ca, 1, builder_now), PKIX_OK);
    assert_int_equal(check_counting(set, &leaf, signer, builder_now, &verified), PKIX_OK);
    assert_int_equal(verified, 1);
    assert_int_equal(check_counting(set, &leaf, signer, builder_now + BUILDER_YEAR, &verified), PKIX_CRL_EXPIRED);
    signer = &other;
    assert_int_equal(check_counting(set, &leaf, signer, builder_now, &verified), PKIX_CRL_BAD_SIGNATURE);
    assert_int_equal(verified, 2);
    signer = &useless;
    assert_int_equal(check_counting(set, &leaf, signer, builder_now, &verified), PKIX_CRL_UNUSABLE);
    pkix_crl_set_destroy(&set);
}

static void shared_set_lives_until_the_last_reference(void **state)
{
    struct crl_spec spec = builder_crl_of("ca", 1);
    struct pkix_crl_set *one = set_of(&spec), *other = pkix_crl_set_share(one);

    (void)state;
    assert_true(pkix_crl_set_memory(one) > builder_crl(&spec).size);
    pkix_crl_set_destroy(&one);
    assert_null(one);
    assert_int_equal(pkix_crl_set_count(other), 1);
    assert_int_equal(pkix_crl_set_info(other, 0).next_update, spec.next_update);
    pkix_crl_set_destroy(&other);
    pkix_crl_set_destroy(&other);
}

static void numbers_are_compared_as_numbers(void **state)
{
    static const struct {
        const char *a, *b;
        size_t a_size, b_size;
        int want;
    } table[] = {
        {"\x01", "\x02", 1, 1, -1},    {"\x00\xff", "\x01\x00", 2, 2, -1},
        {"\x00\x80", "\x7f", 2, 1, 1}, {"\x00\x00\x07", "\x07", 3, 1, 0},
        {"\x00", "\x00", 1, 1, 0},     {"\x01\x00", "\xff", 2, 1, 1},
        {"", "\x00", 0, 1, 0},         {"\x00", "\x01", 1, 1, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct span a = span_of(table[i].a, table[i].a_size), b = span_of(table[i].b, table[i].b_size);
        int got = pkix_crl_number_compare(a, b), back = pkix_crl_number_compare(b, a);

        assert_int_equal((got > 0) - (got < 0), table[i].want);
        assert_int_equal((back > 0) - (back < 0), -table[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crl_of_the_source_is_judged),
        cmocka_unit_test(crl_at_hand_counts_beside_others),
        cmocka_unit_test(fetching_comes_last),
        cmocka_unit_test(needless_fetches_are_not_asked_for),
        cmocka_unit_test(reason_and_waiting_are_handed_on),
        cmocka_unit_test(must_staple_is_not_met_by_a_crl),
        cmocka_unit_test(set_is_accepted_or_not),
        cmocka_unit_test(accepted_signature_is_good_with_its_key_only),
        cmocka_unit_test(shared_set_lives_until_the_last_reference),
        cmocka_unit_test(numbers_are_compared_as_numbers),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
