/* Issuers from outside: how they are read (pkix/issuers.h), and when the search asks for them. */
#include "scene.h"
#include "pkix/intermediates.h"
#include "pkix/issuers.h"

#include <base64.h>
#include <secport.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

static struct span make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

/* ---- reading ---- */

static char *pem_text(const char *label, struct span der)
{
    char *base64 = BTOA_DataToAscii(der.data, (unsigned)der.size);
    char *text = base_printf("-----BEGIN %s-----\n%s\n-----END %s-----\n", label, base64, label);

    PORT_Free(base64);
    return text;
}

enum { SET = ASN1_SET, CONTEXT_0 = ASN1_CONTEXT_CONSTRUCTED | 0, CONTEXT_1 = ASN1_CONTEXT_CONSTRUCTED | 1 };

/* What a certs-only message is made of, each part to be changed by a test. */
struct message {
    struct span type, version, algorithms, content, certificates, crls, signers, after;
};

static struct message message_of(struct span certificates)
{
    return (struct message){.type = builder_oid(OID_PKCS7_SIGNED_DATA),
                            .version = builder_integer(1),
                            .algorithms = builder_tlv(SET, builder_end),
                            .content = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_PKCS7_DATA), builder_end),
                            .certificates = builder_tlv(CONTEXT_0, certificates, builder_end),
                            .crls = builder_bytes("", 0),
                            .signers = builder_tlv(SET, builder_end),
                            .after = builder_bytes("", 0)};
}

static struct span message(const struct message *m)
{
    struct span inside =
        builder_join(builder_join(m->version, m->algorithms), builder_join(m->content, m->certificates));

    inside = builder_join(builder_join(inside, m->crls), builder_join(m->signers, m->after));
    return builder_tlv(ASN1_SEQUENCE, m->type,
                       builder_tlv(CONTEXT_0, builder_tlv(ASN1_SEQUENCE, inside, builder_end), builder_end),
                       builder_end);
}

struct seen {
    struct span want[PKIX_ISSUERS_MAX + 1];
    size_t count;
};

static void see(void *ctx, struct span der)
{
    struct seen *seen = ctx;

    assert_true(span_equal(der, seen->want[seen->count]));
    seen->count++;
}

static void assert_read(struct span answer, const struct span *want, size_t count)
{
    struct seen seen = {.count = 0};

    memcpy(seen.want, want, count * sizeof(*want));
    assert_int_equal(pkix_issuers_read(answer, see, &seen), PKIX_OK);
    assert_int_equal(seen.count, count);
}

static void assert_not_read(struct span answer)
{
    struct seen seen = {.count = 0};

    assert_int_equal(pkix_issuers_read(answer, see, &seen), PKIX_BAD_DER);
    assert_int_equal(seen.count, 0);
}

static void read_takes_each_form(void **state)
{
    struct span certs[] = {make(builder_authority("one", 1, "root", 0)), make(builder_authority("two", 2, "root", 0))};
    struct message m = message_of(builder_join(certs[0], certs[1]));
    char *one = pem_text("CERTIFICATE", certs[0]), *two = pem_text("X509 CERTIFICATE", certs[1]);
    char *pem = base_printf("subject=one\n%s\n%s", one, two);

    (void)state;
    assert_read(certs[0], certs, 1);
    assert_read(message(&m), certs, 2);
    assert_read(span_of_string(pem), certs, 2);
    assert_read(span_of_string(one), certs, 1);

    /* What real ones have. */
    m.version = builder_integer(3);
    m.algorithms = builder_tlv(SET, builder_tlv(ASN1_SEQUENCE, builder_oid(OID_SHA256), builder_end), builder_end);
    m.crls = builder_tlv(CONTEXT_1, builder_end);
    assert_read(message(&m), certs, 2);
    free(pem);
    free(one);
    free(two);
}

static void read_refuses_what_is_not_certs_only(void **state)
{
    struct span cert = make(builder_authority("one", 1, "root", 0)), whole;
    struct message good = message_of(cert), m;
    struct span many = cert;

    (void)state;
    whole = message(&good);
    assert_read(whole, &cert, 1);
    for (size_t size = 0; size < whole.size; size++)
        assert_not_read(span_of(whole.data, size));
    assert_not_read(builder_join(whole, builder_integer(1)));
    assert_not_read(builder_join(cert, cert));
    assert_not_read(span_of_string("garbage"));
    assert_not_read(span_of_string("-----BEGIN CERTIFICATE-----\nMIIB\n"));
    assert_not_read(span_of_string("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"));

#define WITHOUT(field, value) (m = good, m.field = (value), assert_not_read(message(&m)))
    WITHOUT(type, builder_oid(OID_PKCS7_DATA));
    WITHOUT(version, builder_integer(0));
    WITHOUT(version, builder_integer(6));
    WITHOUT(algorithms, builder_end);
    WITHOUT(content, builder_tlv(ASN1_SEQUENCE, builder_oid(OID_PKCS7_SIGNED_DATA), builder_end));
    WITHOUT(content, builder_tlv(ASN1_SEQUENCE, builder_oid(OID_PKCS7_DATA),
                                 builder_tlv(CONTEXT_0, builder_bytes("\x04\x00", 2), builder_end), builder_end));
    WITHOUT(certificates, builder_bytes("", 0));
    WITHOUT(certificates, builder_tlv(CONTEXT_0, builder_end));
    WITHOUT(certificates, builder_tlv(CONTEXT_0, builder_integer(1), builder_end));
    WITHOUT(certificates, builder_tlv(CONTEXT_0, builder_join(cert, builder_tlv(CONTEXT_1, builder_end)), builder_end));
    WITHOUT(signers, builder_bytes("", 0));
    WITHOUT(signers, builder_tlv(SET, builder_integer(1), builder_end));
    WITHOUT(after, builder_integer(1));
#undef WITHOUT

    for (unsigned i = 1; i < PKIX_ISSUERS_MAX; i++)
        many = builder_join(many, cert);
    m = message_of(many);
    {
        struct span want[PKIX_ISSUERS_MAX];

        for (unsigned i = 0; i < PKIX_ISSUERS_MAX; i++)
            want[i] = cert;
        assert_read(message(&m), want, PKIX_ISSUERS_MAX);
    }
    m = message_of(builder_join(many, cert));
    assert_not_read(message(&m));
}

/* ---- the search ---- */

enum { ANSWERS_MAX = 8 };

/* A source that answers from a table and writes down what it was asked. */
struct source {
    struct pkix_issuer_source calls;
    struct {
        const char *url;
        struct span bytes; /* size 0: `why` */
    } answers[ANSWERS_MAX];
    size_t answer_count;
    unsigned asked, slow_ms;
    char urls[256];
};

static void ask(void *ctx, struct span url, struct pkix_issuer_answer *answer)
{
    struct source *s = ctx;
    size_t used = strlen(s->urls);

    s->asked++;
    snprintf(s->urls + used, sizeof(s->urls) - used, "%s%.*s", used == 0 ? "" : " ", (int)url.size,
             (const char *)url.data);
    if (s->slow_ms != 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)s->slow_ms * 1000000}, NULL);
    answer->why = "the host is not allowed";
    for (size_t i = 0; i < s->answer_count; i++)
        if (span_equal(url, span_of_string(s->answers[i].url)) && s->answers[i].bytes.size != 0) {
            answer->bytes = base_memdup(s->answers[i].bytes.data, s->answers[i].bytes.size);
            answer->size = s->answers[i].bytes.size;
        }
}

static void add_answer(struct source *s, const char *url, struct span bytes)
{
    assert(s->answer_count < ANSWERS_MAX);
    s->answers[s->answer_count].url = url;
    s->answers[s->answer_count++].bytes = bytes;
}

static struct scene scene_with(struct source *source, struct span leaf, struct span root)
{
    struct scene scene = scene_server(leaf, host, root);

    source->calls = (struct pkix_issuer_source){.ctx = source, .ask = ask};
    scene.request.issuers = &source->calls;
    return scene;
}

static struct span access_to(enum pkix_oid method, const char *url)
{
    return builder_tlv(ASN1_SEQUENCE, builder_oid(method), builder_general_name(ASN1_CONTEXT | 6, url), builder_end);
}

/* The certificate with this caIssuers address, after others that are of no use. */
static struct span made_with(struct cert_spec spec, const char *url)
{
    struct span list = builder_join(
        builder_join(access_to(OID_AD_OCSP, "http://ocsp.example/"),
                     access_to(OID_AD_CA_ISSUERS, "ldap://pki.example/ca")),
        builder_join(access_to(OID_AD_CA_ISSUERS, "https://pki.example/ca"), access_to(OID_AD_CA_ISSUERS, url)));

    builder_add_extension(&spec, OID_AUTHORITY_INFO_ACCESS, false, builder_tlv(ASN1_SEQUENCE, list, builder_end));
    return builder_cert(&spec);
}

static struct span root, ca, leaf;

static int start(void **state)
{
    if (builder_start(state) != 0)
        return -1;
    root = make(builder_authority("root", 0, "root", 0));
    ca = make(builder_authority("ca", 1, "root", 0));
    leaf = made_with(builder_server(host, 2, "ca", 1), "http://a/ca");
    return 0;
}

static void missing_issuer_is_fetched_in_each_form(void **state)
{
    char *pem = pem_text("CERTIFICATE", ca);
    struct message m = message_of(builder_join(make(builder_authority("another", 9, "root", 0)), ca));
    struct span answers[] = {ca, message(&m), span_of_string(pem)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct source source = {.asked = 0};
        struct scene scene = scene_with(&source, leaf, root);

        add_answer(&source, "http://a/ca", answers[i]);
        assert_verdict(&scene, PKIX_OK);
        assert_int_equal(scene.path_length, 3);
        assert_string_equal(source.urls, "http://a/ca");
        assert_non_null(strstr(scene.detail, "the issuer of CN=www.example.com was fetched from \"http://a/ca\""));
    }
    free(pem);
}

static void useless_answers_are_told_of(void **state)
{
    struct cert_spec impostor = builder_authority("ca", 5, "root", 6);
    struct {
        struct span answer;
        enum pkix_error want;
        const char *word;
    } table[] = {
        {span_of(NULL, 0), PKIX_UNKNOWN_ISSUER, "could not be had from \"http://a/ca\": the host is not allowed"},
        {span_of_string("<html>"), PKIX_UNKNOWN_ISSUER, "what came is no certificate"},
        {make(builder_authority("another", 9, "root", 0)), PKIX_UNKNOWN_ISSUER, "has not the issuer's name"},
        {root, PKIX_UNKNOWN_ISSUER, "has not the issuer's name, or no news"},
        {leaf, PKIX_UNKNOWN_ISSUER, "has not the issuer's name, or no news"},
        {builder_cert(&impostor), PKIX_BAD_SIGNATURE, "was fetched from"}, /* the name alone is nothing */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct source source = {.asked = 0};
        struct scene scene = scene_with(&source, leaf, root);

        add_answer(&source, "http://a/ca", table[i].answer);
        assert_verdict(&scene, table[i].want);
        assert_int_equal(source.asked, 1);
        if (strstr(scene.detail, table[i].word) == NULL)
            fail_msg("no %s in: %s", table[i].word, scene.detail);
    }
}

static void needless_questions_are_not_asked(void **state)
{
    static const char *const cases[] = {"path",       "expired", "name",  "purpose", "no address",
                                        "only https", "not now", "wrong", "self",    "anchor"};
    struct cert_spec spec;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source source = {.asked = 0};
        struct scene scene = scene_with(&source, leaf, root);
        enum pkix_error want = PKIX_UNKNOWN_ISSUER;

        add_answer(&source, "http://a/ca", ca);
        spec = builder_server(host, 2, "ca", 1);
        if (strcmp(cases[i], "path") == 0) {
            scene_add_extra(&scene, ca);
            want = PKIX_OK;
        } else if (strcmp(cases[i], "expired") == 0) {
            spec.not_after = builder_now - 1;
            scene.request.leaf = made_with(spec, "http://a/ca");
        } else if (strcmp(cases[i], "name") == 0) {
            scene.request.name.value = span_of_string("other.example.com");
        } else if (strcmp(cases[i], "purpose") == 0) {
            scene.request.leaf = made_with(builder_client("alice", 2, "ca", 1), "http://a/ca");
            scene.request.name.type = PKIX_NAME_NONE;
        } else if (strcmp(cases[i], "no address") == 0) {
            scene.request.leaf = make(spec);
        } else if (strcmp(cases[i], "only https") == 0) {
            scene.request.leaf = made_with(spec, "https://a/ca");
        } else if (strcmp(cases[i], "not now") == 0) {
            scene.request.evidence_waiting = PKIX_MUST_NOT_WAIT;
        } else if (strcmp(cases[i], "wrong") == 0) { /* what the peer sends is what it means */
            scene_add_extra(&scene, make(builder_authority("ca", 5, "root", 0)));
            want = PKIX_BAD_SIGNATURE;
        } else if (strcmp(cases[i], "self") == 0) {
            scene.request.leaf = made_with(builder_server(host, 7, host, 7), "http://a/ca");
            want = PKIX_SELF_SIGNED;
        } else {
            scene_add_anchor(&scene, leaf);
            want = PKIX_OK;
        }
        assert_verdict(&scene, want);
        assert_int_equal(source.asked, 0);
        assert_null(strstr(scene.detail, "http://"));
    }
}

static void nothing_is_asked_about_the_distrusted(void **state)
{
    struct source source = {.asked = 0};
    struct scene scene = scene_with(&source, leaf, root);
    struct pkix_store *store = pkix_store_create();
    struct pkix_verdict *verdict = NULL;
    char *error = NULL;

    (void)state;
    add_answer(&source, "http://a/ca", ca);
    assert_true(pkix_store_add_anchor(store, root, &error));
    pkix_store_distrust_certificate(store, leaf);
    assert_int_equal(pkix_verify(store, &scene.request, &verdict), PKIX_DISTRUSTED);
    assert_int_equal(source.asked, 0);
    pkix_verdict_destroy(&verdict);
    pkix_store_destroy(&store);
}

/* ca0 <- ca1 <- ... each names where its issuer is; the last is issued by the root. */
static void chain_is_fetched_up_to_the_limit(void **state)
{
    static const char *const urls[] = {"http://a/0", "http://a/1", "http://a/2", "http://a/3", "http://a/4"};

    (void)state;
    for (unsigned missing = 1; missing <= PKIX_ISSUERS_ASKED_MAX + 1; missing++) {
        struct source source = {.asked = 0};
        struct scene scene = scene_with(&source, made_with(builder_server(host, 2, "ca0", 10), urls[0]), root);

        for (unsigned i = 0; i < missing; i++) {
            char name[8], issuer[8];
            bool last = i + 1 == missing;

            snprintf(name, sizeof(name), "ca%u", i);
            snprintf(issuer, sizeof(issuer), last ? "root" : "ca%u", i + 1);
            add_answer(&source, urls[i],
                       made_with(builder_authority(name, 10 + i, issuer, last ? 0 : 11 + i), urls[i + 1]));
        }
        assert_verdict(&scene, missing <= PKIX_ISSUERS_ASKED_MAX ? PKIX_OK : PKIX_UNKNOWN_ISSUER);
        assert_int_equal(source.asked, missing <= PKIX_ISSUERS_ASKED_MAX ? missing : PKIX_ISSUERS_ASKED_MAX);
    }
}

/* Two authorities that certify each other, forever: each address is asked once. */
static void circle_of_addresses_ends(void **state)
{
    struct source source = {.asked = 0};
    struct scene scene = scene_with(&source, made_with(builder_server(host, 2, "even", 10), "http://a/even"), root);
    struct cert_spec again = builder_authority("even", 10, "odd", 11);

    (void)state;
    add_answer(&source, "http://a/even", made_with(builder_authority("even", 10, "odd", 11), "http://a/odd"));
    add_answer(&source, "http://a/odd", made_with(builder_authority("odd", 11, "even", 10), "http://a/even"));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    assert_string_equal(source.urls, "http://a/even http://a/odd");

    /* And one that names where it is itself. */
    source = (struct source){.asked = 0};
    scene = scene_with(&source, leaf, root);
    again.subject = "ca";
    again.key = 1;
    add_answer(&source, "http://a/ca", made_with(again, "http://a/ca"));
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    assert_string_equal(source.urls, "http://a/ca");
}

/* The only issuer that is known leads in a circle; the address leads to the same authority, certified by the root. */
static void circle_of_the_peers_is_left(void **state)
{
    struct source source = {.asked = 0};
    struct scene scene = scene_with(&source, make(builder_server(host, 2, "even", 10)), root);

    (void)state;
    scene_add_extra(&scene, make(builder_authority("even", 10, "odd", 11)));
    scene_add_extra(&scene, made_with(builder_authority("odd", 11, "even", 10), "http://a/even"));
    add_answer(&source, "http://a/even", make(builder_authority("even", 10, "root", 0)));
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(source.asked, 1);
    assert_int_equal(scene.path_length, 3);
}

/* Of two issuers that were sent, neither of which has one itself. */
static void every_dead_end_is_tried(void **state)
{
    struct source source = {.asked = 0};
    struct scene scene = scene_with(&source, leaf, root);
    struct cert_spec second = builder_authority("ca", 1, "upper", 20);

    (void)state;
    second.not_before -= BUILDER_DAY; /* after the other one */
    scene_add_extra(&scene, made_with(builder_authority("ca", 1, "nobody", 21), "http://a/nobody"));
    scene_add_extra(&scene, made_with(second, "http://a/upper"));
    add_answer(&source, "http://a/upper", make(builder_authority("upper", 20, "root", 0)));
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(source.urls, "http://a/nobody http://a/upper");
    assert_int_equal(scene.path_length, 4);
}

static void fetched_issuer_is_remembered(void **state)
{
    struct source source = {.asked = 0};
    struct scene scene = scene_with(&source, leaf, root);
    struct pkix_store *store = pkix_store_create();
    struct pkix_verdict *verdict;
    struct cert_spec other = builder_server("other.example.com", 3, "ca", 1);
    char *error = NULL;

    (void)state;
    add_answer(&source, "http://a/ca", ca);
    assert_true(pkix_store_add_anchor(store, root, &error));
    pkix_store_remember(store);
    for (unsigned i = 0; i < 3; i++) {
        if (i == 2) { /* another leaf of the same authority */
            scene.request.leaf = made_with(other, "http://b/ca");
            scene.request.name.value = span_of_string("other.example.com");
        }
        assert_int_equal(pkix_verify(store, &scene.request, &verdict), PKIX_OK);
        pkix_verdict_destroy(&verdict);
        assert_int_equal(pkix_intermediates_count(pkix_store_remembered(store)), 1);
        assert_int_equal(source.asked, 1);
    }
    pkix_store_destroy(&store);
}

/* An authority that was renewed, with another key or with the same, under its old name. */
static void remembered_issuer_that_is_no_good_hides_nothing(void **state)
{
    struct cert_spec old_key = builder_authority("ca", 5, "root", 0), old = builder_authority("ca", 1, "root", 0);

    (void)state;
    old.not_after = builder_now - 1;
    for (unsigned i = 0; i < 2; i++) {
        struct source source = {.asked = 0};
        struct scene scene = scene_with(&source, leaf, root);
        struct pkix_store *store = pkix_store_create();
        struct pkix_verdict *verdict;
        char *error = NULL;

        add_answer(&source, "http://a/ca", ca);
        assert_true(pkix_store_add_anchor(store, root, &error));
        pkix_store_remember(store);
        pkix_intermediates_add(pkix_store_remembered(store), builder_cert(i == 0 ? &old_key : &old),
                               PKIX_INTERMEDIATE_TOLD);
        assert_int_equal(pkix_verify(store, &scene.request, &verdict), PKIX_OK);
        assert_int_equal(source.asked, 1);
        pkix_verdict_destroy(&verdict);
        pkix_store_destroy(&store);
    }
}

static void limits_hold_for_what_is_fetched(void **state)
{
    struct pkix_limits few = pkix_limits_default, small = pkix_limits_default, hasty = pkix_limits_default;
    const struct pkix_limits *table[] = {&few, &small, &hasty};

    (void)state;
    few.extras_max = 1;
    small.extras_bytes_max = root.size + ca.size;
    hasty.wall_ms_max = 500; /* what the source waits does not count */
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct source source = {.slow_ms = i == 2 ? 700 : 0};
        struct scene scene = scene_with(&source, leaf, root);

        scene_add_extra(&scene, make(builder_authority("another", 9, "root", 0)));
        scene.request.limits = table[i];
        add_answer(&source, "http://a/ca", ca);
        assert_verdict(&scene, i == 2 ? PKIX_OK : PKIX_UNKNOWN_ISSUER);
        if (i != 2)
            assert_non_null(strstr(scene.detail, "there are too many certificates already"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_takes_each_form),
        cmocka_unit_test(read_refuses_what_is_not_certs_only),
        cmocka_unit_test(missing_issuer_is_fetched_in_each_form),
        cmocka_unit_test(useless_answers_are_told_of),
        cmocka_unit_test(needless_questions_are_not_asked),
        cmocka_unit_test(nothing_is_asked_about_the_distrusted),
        cmocka_unit_test(chain_is_fetched_up_to_the_limit),
        cmocka_unit_test(circle_of_addresses_ends),
        cmocka_unit_test(circle_of_the_peers_is_left),
        cmocka_unit_test(every_dead_end_is_tried),
        cmocka_unit_test(fetched_issuer_is_remembered),
        cmocka_unit_test(remembered_issuer_that_is_no_good_hides_nothing),
        cmocka_unit_test(limits_hold_for_what_is_fetched),
    };

    return cmocka_run_group_tests(tests, start, builder_stop);
}
