/* Authorities remembered from verified paths: pkix/intermediates.h, and what the search does with them. */
#include "scene.h"
#include "threads.h"
#include "pkix/intermediates.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

static struct span make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

/* Made once each: ECDSA signatures differ each time. */
static struct span root, ca, leaf;

static int start(void **state)
{
    if (builder_start(state) != 0)
        return -1;
    root = make(builder_authority("root", 0, "root", 0));
    ca = make(builder_authority("ca", 1, "root", 0));
    leaf = make(builder_server(host, 2, "ca", 1));
    return 0;
}

static struct pkix_store *remembering_store(void)
{
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;

    assert_true(pkix_store_add_anchor(store, root, &error));
    pkix_store_remember(store);
    pkix_store_remember(store); /* once is enough */
    return store;
}

static size_t remembered(const struct pkix_store *store)
{
    return pkix_intermediates_count(pkix_store_remembered(store));
}

/* `extra` size 0: none. Wants the path's second certificate to be `issuer`, unless that is empty. */
static enum pkix_error verify(const struct pkix_store *store, struct span der, const char *name, struct span extra,
                              struct span issuer)
{
    struct pkix_request request = {.leaf = der,
                                   .extras = &extra,
                                   .extras_count = extra.size == 0 ? 0 : 1,
                                   .purpose = PKIX_PURPOSE_SERVER,
                                   .name = {PKIX_NAME_DNS, span_of_string(name)},
                                   .time = builder_now};
    struct pkix_verdict *verdict = NULL;
    enum pkix_error error = pkix_verify(store, &request, &verdict);

    if (issuer.size != 0) {
        assert_true(pkix_verdict_path_length(verdict) > 1);
        assert_true(span_equal(pkix_verdict_path_cert(verdict, 1), issuer));
    }
    pkix_verdict_destroy(&verdict);
    return error;
}

static const struct span none;

static void verify_remembers_what_a_peer_sent(void **state)
{
    struct pkix_store *store = remembering_store(), *forgetful = pkix_store_create();
    char *error = NULL;

    (void)state;
    assert_int_equal(verify(store, leaf, host, none, none), PKIX_UNKNOWN_ISSUER);
    assert_int_equal(remembered(store), 0);
    assert_int_equal(verify(store, leaf, host, ca, ca), PKIX_OK);
    assert_int_equal(remembered(store), 1); /* neither the leaf nor the root */
    assert_int_equal(verify(store, leaf, host, none, ca), PKIX_OK);
    assert_int_equal(remembered(store), 1);

    assert_true(pkix_store_add_anchor(forgetful, root, &error));
    assert_null(pkix_store_remembered(forgetful));
    assert_int_equal(verify(forgetful, leaf, host, ca, ca), PKIX_OK);
    assert_int_equal(verify(forgetful, leaf, host, none, none), PKIX_UNKNOWN_ISSUER);
    pkix_store_destroy(&forgetful);
    pkix_store_destroy(&store);
}

static void verify_remembers_nothing_of_a_refused_peer(void **state)
{
    struct pkix_store *store = remembering_store();
    struct cert_spec old = builder_server(host, 2, "ca", 1);

    (void)state;
    assert_int_equal(verify(store, leaf, "other.example.com", ca, none), PKIX_NAME_MISMATCH);
    old.not_after = builder_now - 1;
    assert_int_equal(verify(store, make(old), host, ca, none), PKIX_EXPIRED);
    assert_int_equal(remembered(store), 0);
    pkix_store_destroy(&store);
}

/* CVE-2026-11310 (wolfSSL) was an intermediate that came to be an anchor. */
static void verify_trusts_nothing_for_being_remembered(void **state)
{
    struct pkix_store *store = remembering_store();
    struct span stranger = make(builder_authority("stranger", 5, "nobody", 6));
    struct span self_signed = make(builder_authority("self", 7, "self", 7));
    struct cert_spec old = builder_authority("old", 8, "root", 0), no_ca = builder_server("mallory.test", 9, "root", 0);
    const struct {
        struct span issuer, child;
        enum pkix_error want;
    } table[] = {
        {stranger, make(builder_server(host, 2, "stranger", 5)), PKIX_UNKNOWN_ISSUER},
        {self_signed, make(builder_server(host, 2, "self", 7)), PKIX_UNKNOWN_ISSUER},
        {make((old.not_after = builder_now - 1, old)), make(builder_server(host, 2, "old", 8)), PKIX_EXPIRED_ISSUER},
        {make((no_ca.key_usage = -1, no_ca)), make(builder_server(host, 2, "mallory.test", 9)), PKIX_NOT_A_CA},
        {ca, make(builder_server(host, 2, "ca", 4)), PKIX_BAD_SIGNATURE},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        enum pkix_error got;

        pkix_intermediates_add(pkix_store_remembered(store), table[i].issuer, PKIX_INTERMEDIATE_TOLD);
        got = verify(store, table[i].child, host, none, none);
        if (got != table[i].want)
            fail_msg("row %u: want %s, got %s", i, pkix_error_name(table[i].want), pkix_error_name(got));
    }
    pkix_store_destroy(&store);
}

static void verify_distrusts_what_is_remembered(void **state)
{
    struct pkix_store *store = remembering_store();

    (void)state;
    pkix_store_distrust_certificate(store, ca);
    pkix_intermediates_add(pkix_store_remembered(store), ca, PKIX_INTERMEDIATE_TOLD);
    assert_int_equal(verify(store, leaf, host, none, none), PKIX_DISTRUSTED_ISSUER);
    pkix_store_destroy(&store);
}

static void verify_takes_the_peers_own_first(void **state)
{
    struct pkix_store *store = remembering_store();
    struct cert_spec newer = builder_authority("ca", 1, "root", 0);

    (void)state;
    newer.not_before += BUILDER_DAY; /* which would come first among equals */
    newer.serial = builder_bytes("\x09", 1);
    pkix_intermediates_add(pkix_store_remembered(store), make(newer), PKIX_INTERMEDIATE_TOLD);
    assert_int_equal(verify(store, leaf, host, ca, ca), PKIX_OK);
    /* And when the peer's own is out of date, the remembered one does (as when AddTrust expired in 2020). */
    newer.serial = builder_bytes("\x0a", 1);
    newer.not_after = builder_now - 1;
    assert_int_equal(verify(store, leaf, host, make(newer), none), PKIX_OK);
    pkix_store_destroy(&store);
}

static struct span numbered(unsigned number)
{
    char name[32];

    snprintf(name, sizeof(name), "ca %u", number);
    return make(builder_authority(name, 1, "root", 0));
}

static size_t lend_and_return(struct pkix_intermediates *known, struct span subject)
{
    struct pkix_intermediate *lent[PKIX_INTERMEDIATES_PER_NAME_MAX];
    size_t count = pkix_intermediates_lend(known, subject, lent);

    for (size_t i = 0; i < count; i++)
        pkix_intermediates_return(known, lent[i]);
    return count;
}

static void add_forgets_what_was_unused_for_longest(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    struct pkix_intermediate *lent[PKIX_INTERMEDIATES_PER_NAME_MAX];
    struct span first = numbered(0);

    (void)state;
    for (unsigned i = 0; i < PKIX_INTERMEDIATES_MAX; i++)
        pkix_intermediates_add(known, i == 0 ? first : numbered(i), PKIX_INTERMEDIATE_TOLD);
    assert_int_equal(pkix_intermediates_count(known), PKIX_INTERMEDIATES_MAX);
    pkix_intermediates_add(known, first, PKIX_INTERMEDIATE_TOLD); /* used again: now "ca 1" is the oldest */
    assert_int_equal(pkix_intermediates_lend(known, builder_name("ca 1"), lent), 1);
    pkix_intermediates_add(known, numbered(PKIX_INTERMEDIATES_MAX), PKIX_INTERMEDIATE_TOLD);
    assert_int_equal(pkix_intermediates_count(known), PKIX_INTERMEDIATES_MAX);
    assert_int_equal(lend_and_return(known, builder_name("ca 0")), 1);
    assert_int_equal(lend_and_return(known, builder_name("ca 1")), 0);
    /* What is lent stays as it was. */
    assert_true(span_equal(lent[0]->cert.subject, builder_name("ca 1")));
    pkix_intermediates_return(known, lent[0]);
    pkix_intermediates_destroy(&known);
}

static void add_keeps_few_of_one_name(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();

    (void)state;
    pkix_intermediates_add(known, ca, PKIX_INTERMEDIATE_TOLD);
    for (unsigned i = 0; i < 2 * PKIX_INTERMEDIATES_PER_NAME_MAX; i++) {
        struct cert_spec spec = builder_authority("many", 1, "root", 0);

        spec.serial = builder_integer(i + 1);
        spec.serial = span_skip(spec.serial, 2);
        pkix_intermediates_add(known, make(spec), PKIX_INTERMEDIATE_TOLD);
    }
    assert_int_equal(pkix_intermediates_count(known), PKIX_INTERMEDIATES_PER_NAME_MAX + 1);
    assert_int_equal(lend_and_return(known, builder_name("many")), PKIX_INTERMEDIATES_PER_NAME_MAX);
    assert_int_equal(lend_and_return(known, builder_name("ca")), 1);
    pkix_intermediates_destroy(&known);
}

static void add_leaves_out_what_is_too_long_or_no_certificate(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    struct cert_spec spec = builder_authority("long", 1, "root", 0);
    uint8_t *padding = base_alloc(PKIX_INTERMEDIATE_BYTES_MAX);

    (void)state;
    builder_add_extension(
        &spec, OID_CRL_DISTRIBUTION_POINTS, false,
        builder_tlv(ASN1_OCTET_STRING, builder_bytes(padding, PKIX_INTERMEDIATE_BYTES_MAX), builder_end));
    pkix_intermediates_add(known, make(spec), PKIX_INTERMEDIATE_TOLD);
    pkix_intermediates_add(known, span_of("0", 1), PKIX_INTERMEDIATE_TOLD);
    pkix_intermediates_add(known, none, PKIX_INTERMEDIATE_TOLD);
    assert_int_equal(pkix_intermediates_count(known), 0);
    free(padding);
    pkix_intermediates_destroy(&known);
}

static void take_news_tells_each_once(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    uint8_t out[PKIX_INTERMEDIATE_BYTES_MAX];

    (void)state;
    assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_NEW, out), 0);
    pkix_intermediates_add(known, root, PKIX_INTERMEDIATE_TOLD);
    pkix_intermediates_add(known, ca, PKIX_INTERMEDIATE_LEARNT);
    pkix_intermediates_add(known, ca, PKIX_INTERMEDIATE_LEARNT);
    assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_NEW, out), ca.size);
    assert_memory_equal(out, ca.data, ca.size);
    assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_NEW, out), 0);
    pkix_intermediates_add(known, root, PKIX_INTERMEDIATE_LEARNT); /* known from others: no news */
    assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_NEW, out), 0);
    pkix_intermediates_destroy(&known);
}

static void take_news_tells_of_use_too(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    uint8_t out[PKIX_INTERMEDIATE_BYTES_MAX];

    (void)state;
    assert_true(pkix_intermediates_add(known, root, PKIX_INTERMEDIATE_TOLD));
    assert_false(pkix_intermediates_add(known, root, PKIX_INTERMEDIATE_TOLD)); /* others' use is not ours to tell of */
    assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_USED, out), 0);
    assert_true(pkix_intermediates_add(known, ca, PKIX_INTERMEDIATE_LEARNT));
    assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_USED, out), ca.size);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(pkix_intermediates_add(known, root, PKIX_INTERMEDIATE_LEARNT));
        assert_false(pkix_intermediates_add(known, root, PKIX_INTERMEDIATE_LEARNT));
        assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_NEW, out), 0);
        assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_USED, out), root.size);
        assert_memory_equal(out, root.data, root.size);
        assert_int_equal(pkix_intermediates_take_news(known, PKIX_INTERMEDIATES_USED, out), 0);
    }
    pkix_intermediates_destroy(&known);
}

static void lend_all_is_in_the_order_of_use(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    struct pkix_intermediate *all[PKIX_INTERMEDIATES_MAX];
    struct span certs[] = {numbered(0), numbered(1), numbered(2)};
    static const size_t order[] = {1, 2, 0};

    (void)state;
    assert_int_equal(pkix_intermediates_lend_all(known, all), 0);
    for (size_t i = 0; i < ARRAY_LEN(certs); i++)
        pkix_intermediates_add(known, certs[i], PKIX_INTERMEDIATE_TOLD);
    pkix_intermediates_add(known, certs[0], PKIX_INTERMEDIATE_LEARNT);
    assert_int_equal(pkix_intermediates_lend_all(known, all), ARRAY_LEN(certs));
    for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
        assert_true(span_equal(all[i]->cert.der, certs[order[i]]));
        pkix_intermediates_return(known, all[i]);
    }
    pkix_intermediates_destroy(&known);
}

enum { ROUNDS = 200, NAMES = 12 };

struct shared {
    struct pkix_store *store;
    struct span cas[NAMES];
};

/* All at once: verify with and without, and push others out. */
static unsigned work(void *arg, unsigned number)
{
    const struct shared *shared = arg;
    unsigned wrong = 0;

    (void)number;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pkix_request request = {.leaf = leaf,
                                       .extras = &ca,
                                       .extras_count = i % 2,
                                       .purpose = PKIX_PURPOSE_SERVER,
                                       .name = {PKIX_NAME_DNS, span_of_string(host)},
                                       .time = builder_now};
        struct pkix_verdict *verdict = NULL;
        uint8_t out[PKIX_INTERMEDIATE_BYTES_MAX];

        pkix_intermediates_add(pkix_store_remembered(shared->store), shared->cas[i % NAMES], PKIX_INTERMEDIATE_LEARNT);
        /* Each has put one in before: whichever stays does. */
        wrong += pkix_verify(shared->store, &request, &verdict) != PKIX_OK ? 1 : 0;
        pkix_verdict_destroy(&verdict);
        (void)!pkix_intermediates_take_news(pkix_store_remembered(shared->store),
                                            i % 2 == 0 ? PKIX_INTERMEDIATES_NEW : PKIX_INTERMEDIATES_USED, out);
    }
    return wrong;
}

static void verify_shares_what_is_remembered_among_threads(void **state)
{
    struct pkix_store *store = remembering_store();
    struct shared shared = {.store = store};

    (void)state;
    for (unsigned i = 0; i < NAMES; i++) { /* of the name that is looked for, so that they push each other out */
        struct cert_spec spec = builder_authority("ca", 1, "root", 0);

        spec.serial = builder_bytes(&(uint8_t){(uint8_t)(i + 1)}, 1);
        shared.cas[i] = make(spec);
    }
    threads_run(work, &shared);
    assert_true(remembered(store) <= PKIX_INTERMEDIATES_PER_NAME_MAX);
    pkix_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_remembers_what_a_peer_sent),
        cmocka_unit_test(verify_remembers_nothing_of_a_refused_peer),
        cmocka_unit_test(verify_trusts_nothing_for_being_remembered),
        cmocka_unit_test(verify_distrusts_what_is_remembered),
        cmocka_unit_test(verify_takes_the_peers_own_first),
        cmocka_unit_test(add_forgets_what_was_unused_for_longest),
        cmocka_unit_test(add_keeps_few_of_one_name),
        cmocka_unit_test(add_leaves_out_what_is_too_long_or_no_certificate),
        cmocka_unit_test(take_news_tells_each_once),
        cmocka_unit_test(take_news_tells_of_use_too),
        cmocka_unit_test(lend_all_is_in_the_order_of_use),
        cmocka_unit_test(verify_shares_what_is_remembered_among_threads),
    };

    return cmocka_run_group_tests(tests, start, builder_stop);
}
