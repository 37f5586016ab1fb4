/* Evidence from outside the request: when pkix/revocation.c asks for it, and what it makes of the answer. */
#include "scene.h"
#include "pkix/ocsp.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

/* A source that answers from a table and writes down what it was asked. */
struct source {
    struct pkix_evidence_source calls;
    struct pkix_evidence answer;
    struct span response; /* copied into each answer of kind RESPONSE */
    unsigned asked, settled;
    struct pkix_evidence_question last; /* its spans are not for looking at any more */
    char url[64];
    size_t request_size;
    struct pkix_statement statement;
};

static void ask(void *ctx, const struct pkix_evidence_question *question, struct pkix_evidence *evidence)
{
    struct source *s = ctx;

    s->asked++;
    s->last = *question;
    s->request_size = question->ocsp_request.size;
    if (question->ocsp_url.size != 0)
        memcpy(s->url, question->ocsp_url.data, question->ocsp_url.size);
    s->url[question->ocsp_url.size] = '\0';
    *evidence = s->answer;
    if (s->answer.kind == PKIX_EVIDENCE_RESPONSE) {
        evidence->response = base_memdup(s->response.data, s->response.size);
        evidence->response_size = s->response.size;
    }
}

static void settle(void *ctx, const struct pkix_evidence_question *question, const struct pkix_statement *statement)
{
    struct source *s = ctx;

    (void)question;
    s->settled++;
    s->statement = *statement;
}

static struct source source_that(enum pkix_evidence_kind kind, enum pkix_error statement)
{
    return (struct source){.calls = {.ask = ask, .settle = settle},
                           .answer = {.kind = kind, .statement = {.error = statement}}};
}

struct chain {
    struct span root, ca, leaf;
};

static struct chain make_chain(int64_t leaf_days)
{
    struct cert_spec root = builder_authority("root", 0, "root", 0), ca = builder_authority("ca", 1, "root", 0),
                     leaf = builder_server(host, 2, "ca", 1);
    struct span description =
        builder_tlv(ASN1_SEQUENCE,
                    builder_tlv(ASN1_SEQUENCE, builder_oid(OID_AD_OCSP),
                                builder_general_name(ASN1_CONTEXT | 6, "http://ocsp.example/"), builder_end),
                    builder_end);

    builder_add_extension(&leaf, OID_AUTHORITY_INFO_ACCESS, false, description);
    if (leaf_days != 0) {
        leaf.not_before = builder_now - BUILDER_DAY;
        leaf.not_after = leaf.not_before + leaf_days * BUILDER_DAY;
    }
    return (struct chain){.root = builder_cert(&root), .ca = builder_cert(&ca), .leaf = builder_cert(&leaf)};
}

static struct scene scene_of(const struct chain *chain, enum pkix_revocation revocation, struct source *source)
{
    struct scene scene = scene_server(chain->leaf, host, chain->root);

    scene_add_extra(&scene, chain->ca);
    scene.request.revocation = revocation;
    source->calls.ctx = source;
    scene.request.evidence = &source->calls;
    return scene;
}

static void soft_asks_about_the_leaf_and_takes_the_answer(void **state)
{
    static const struct {
        enum pkix_evidence_kind kind;
        enum pkix_error statement, want;
    } table[] = {
        {PKIX_EVIDENCE_NONE, PKIX_OK, PKIX_OK},
        {PKIX_EVIDENCE_STATEMENT, PKIX_OK, PKIX_OK},
        {PKIX_EVIDENCE_STATEMENT, PKIX_REVOKED, PKIX_REVOKED},
        {PKIX_EVIDENCE_STATEMENT, PKIX_OCSP_UNKNOWN_CERT, PKIX_OCSP_UNKNOWN_CERT},
        {PKIX_EVIDENCE_NOT_NOW, PKIX_OK, PKIX_REVOCATION_UNKNOWN},
    };
    struct chain chain = make_chain(0);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct source source = source_that(table[i].kind, table[i].statement);
        struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);

        assert_verdict(&scene, table[i].want);
        assert_int_equal(source.asked, 1);
        assert_int_equal(source.settled, 0);
        assert_string_equal(source.url, "http://ocsp.example/");
        assert_in_range(source.request_size, 60, PKIX_OCSP_REQUEST_SIZE_MAX);
        assert_int_equal(source.last.time, builder_now);
        assert_int_equal(source.last.waiting, PKIX_MAY_WAIT);
    }
}

/* A fetched response is judged like any other, and what came of it told to the source. */
static void response_is_judged_and_settled(void **state)
{
    static const struct {
        const char *what;
        enum pkix_error soft, hard, statement;
    } table[] = {
        {"good", PKIX_OK, PKIX_OK, PKIX_OK},
        {"revoked", PKIX_REVOKED, PKIX_REVOKED, PKIX_REVOKED},
        {"unknown", PKIX_OCSP_UNKNOWN_CERT, PKIX_OCSP_UNKNOWN_CERT, PKIX_OCSP_UNKNOWN_CERT},
        {"old", PKIX_OK, PKIX_REVOCATION_UNKNOWN, PKIX_OCSP_OLD},
        {"forged", PKIX_OK, PKIX_REVOCATION_UNKNOWN, PKIX_OCSP_BAD_SIGNATURE},
        {"garbage", PKIX_OK, PKIX_REVOCATION_UNKNOWN, PKIX_OCSP_MALFORMED},
        {"other", PKIX_OK, PKIX_REVOCATION_UNKNOWN, PKIX_OCSP_OTHER_CERT},
    };
    struct chain chain = make_chain(0);
    struct crl_spec root_crl = builder_crl_of("root", 0);

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(table); i++) {
        const char *what = table[i / 2].what;
        enum pkix_revocation mode = i % 2 == 0 ? PKIX_REVOCATION_SOFT : PKIX_REVOCATION_HARD;
        struct ocsp_spec spec = builder_ocsp_about(chain.leaf, chain.ca, "ca", 1);
        struct source source = source_that(PKIX_EVIDENCE_RESPONSE, PKIX_OK);
        struct scene scene = scene_of(&chain, mode, &source);

        scene.crls[scene.crl_count++] = builder_crl(&root_crl); /* the intermediate is good */
        if (strcmp(what, "revoked") == 0)
            spec.statuses[0] = OCSP_REVOKED;
        if (strcmp(what, "unknown") == 0)
            spec.statuses[0] = OCSP_UNKNOWN;
        if (strcmp(what, "old") == 0) {
            spec.this_update = builder_now - 9 * BUILDER_DAY;
            spec.next_update = builder_now - 2 * BUILDER_DAY;
        }
        if (strcmp(what, "forged") == 0)
            spec.signer = 9;
        spec.other_serial = strcmp(what, "other") == 0;
        source.response = strcmp(what, "garbage") == 0 ? span_of("garbage", 7) : builder_ocsp(&spec);
        assert_verdict(&scene, mode == PKIX_REVOCATION_SOFT ? table[i / 2].soft : table[i / 2].hard);
        assert_int_equal(source.asked, 1);
        assert_int_equal(source.settled, 1);
        assert_int_equal(source.statement.error, table[i / 2].statement);
        if (strcmp(what, "good") == 0) {
            assert_int_equal(source.statement.this_update, spec.this_update);
            assert_true(source.statement.valid_until >= spec.next_update);
        }
    }
}

static void hard_asks_about_every_certificate_and_says_why_not(void **state)
{
    struct chain chain = make_chain(0);
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_HARD, &source);

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(source.asked, 2);

    source = source_that(PKIX_EVIDENCE_NONE, PKIX_OK);
    source.answer.why = "its OCSP responder sleeps";
    scene = scene_of(&chain, PKIX_REVOCATION_HARD, &source);
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
    assert_non_null(strstr(scene.detail, "its OCSP responder sleeps"));
}

/* What is known already, or need not be known, is not asked for; nor is anything of a chain nobody vouches for. */
static void needless_questions_are_not_asked(void **state)
{
    struct chain chain = make_chain(0), brief = make_chain(9);
    struct ocsp_spec good = builder_ocsp_about(chain.leaf, chain.ca, "ca", 1);
    struct crl_spec crl = builder_crl_of("ca", 1);
    struct cert_spec foreign = builder_server(host, 2, "ca", 9); /* says it is of "ca", and is not */
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_REVOKED);
    struct scene scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);

    (void)state;
    scene.staples[0] = builder_ocsp(&good);
    assert_verdict(&scene, PKIX_OK);

    scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);
    scene.crls[scene.crl_count++] = builder_crl(&crl);
    assert_verdict(&scene, PKIX_OK);

    scene = scene_of(&brief, PKIX_REVOCATION_SOFT, &source);
    assert_verdict(&scene, PKIX_OK);

    scene = scene_of(&chain, PKIX_REVOCATION_OFF, &source);
    assert_verdict(&scene, PKIX_OK);

    scene = scene_of(&chain, PKIX_REVOCATION_HARD, &source);
    scene.request.leaf = builder_cert(&foreign);
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);

    scene = scene_of(&chain, PKIX_REVOCATION_HARD, &source);
    scene.anchors[0] = brief.ca; /* another authority of that name and key is an anchor: the path is short */
    scene.request.leaf = brief.leaf;
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(source.asked, 0);
}

static void questions_are_limited(void **state)
{
    struct cert_spec root = builder_authority("root", 0, "root", 0), leaf = builder_server(host, 10, "ca5", 5);
    struct span root_der = builder_cert(&root), leaf_der = builder_cert(&leaf);
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct scene scene = scene_server(leaf_der, host, root_der);
    char names[6][8] = {"root"};

    (void)state;
    for (unsigned i = 1; i <= 5; i++) {
        struct cert_spec ca;

        snprintf(names[i], sizeof(names[i]), "ca%u", i);
        ca = builder_authority(names[i], i, names[i - 1], i - 1);
        scene_add_extra(&scene, builder_cert(&ca));
    }
    scene.request.revocation = PKIX_REVOCATION_HARD;
    source.calls.ctx = &source;
    scene.request.evidence = &source.calls;
    assert_verdict(&scene, PKIX_REVOCATION_UNKNOWN);
    assert_int_equal(source.asked, PKIX_EVIDENCE_ASKED_MAX);
}

/* RFC 7633: the server has to show the response; that we could fetch one is no excuse. */
static void must_staple_is_not_met_by_fetching(void **state)
{
    struct chain chain = make_chain(0);
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct scene scene;

    (void)state;
    builder_add_extension(&leaf, OID_TLS_FEATURE, false, builder_tlv(ASN1_SEQUENCE, builder_integer(5), builder_end));
    chain.leaf = builder_cert(&leaf);
    scene = scene_of(&chain, PKIX_REVOCATION_SOFT, &source);
    assert_verdict(&scene, PKIX_TLS_FEATURE_MISSING);
}

/* The same certificate has the same key, another one another. */
static void key_names_issuer_and_serial(void **state)
{
    struct chain one = make_chain(0), other = make_chain(20);
    struct source source = source_that(PKIX_EVIDENCE_STATEMENT, PKIX_OK);
    struct scene scene = scene_of(&one, PKIX_REVOCATION_SOFT, &source);
    uint8_t key[PKIX_EVIDENCE_KEY_SIZE];
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    memcpy(key, source.last.key, sizeof(key));
    assert_verdict(&scene, PKIX_OK);
    assert_memory_equal(key, source.last.key, sizeof(key));
    leaf.serial = builder_bytes("\x77\x01", 2);
    other.leaf = builder_cert(&leaf);
    scene = scene_of(&other, PKIX_REVOCATION_SOFT, &source);
    assert_verdict(&scene, PKIX_OK);
    assert_memory_not_equal(key, source.last.key, sizeof(key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(soft_asks_about_the_leaf_and_takes_the_answer),
        cmocka_unit_test(response_is_judged_and_settled),
        cmocka_unit_test(hard_asks_about_every_certificate_and_says_why_not),
        cmocka_unit_test(needless_questions_are_not_asked),
        cmocka_unit_test(questions_are_limited),
        cmocka_unit_test(must_staple_is_not_met_by_fetching),
        cmocka_unit_test(key_names_issuer_and_serial),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
