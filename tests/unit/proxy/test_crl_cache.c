/* The rules of proxy/fetch/crl_cache.h: what is one list, when it is fetched, what takes whose place, and what is
 * dropped. */
#include "cert_builder.h"
#include "proxy/fetch/crl_cache.h"
#include "proxy/process/limits.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const int64_t now = builder_now;
enum { T0 = 1000000, HOUR_MS = 3600 * 1000, NO_JITTER = 0 };

/* Its certificates need not be any. */
static struct pkix_crl_question question(const char *issuer, const char *url)
{
    return (struct pkix_crl_question){.cert = span_of_string("cert"),
                                      .signers = {span_of_string(issuer)},
                                      .signer_count = 1,
                                      .urls = {span_of_string(url)},
                                      .url_count = 1,
                                      .time = now,
                                      .revocation = PKIX_REVOCATION_SOFT};
}

static struct pkix_crl_set *set_of_der(struct span der)
{
    struct pkix_crl_set *set = pkix_crl_set_create();
    char *error = NULL;

    if (!pkix_crl_set_add(set, der, "crl", &error))
        fail_msg("%s", error);
    return set;
}

static struct pkix_crl_set *set_of(unsigned number, int64_t this_update, int64_t next_update)
{
    struct crl_spec spec = builder_crl_of("ca", 1);

    spec.number = number;
    spec.no_number = number == 0;
    spec.this_update = this_update;
    spec.next_update = next_update;
    return set_of_der(builder_crl(&spec));
}

static struct crl_entry *take_off(struct crl_cache *cache, uint64_t now_ms)
{
    uint64_t due_ms;

    return crl_cache_take_off(cache, now_ms, &due_ms);
}

/* An entry that has just landed with a list of a day. */
static struct crl_entry *landed(struct crl_cache *cache, const char *url, struct pkix_crl_set *set, uint64_t now_ms)
{
    struct pkix_crl_question q = question("issuer", url);
    struct crl_entry *e = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, now_ms);

    assert_non_null(e);
    crl_cache_plan(e, now_ms, now_ms);
    assert_ptr_equal(take_off(cache, now_ms), e);
    assert_int_equal(crl_cache_land(cache, e, set, now, now_ms, NO_JITTER), CRL_LANDED);
    return e;
}

static bool holds(struct crl_cache *cache, struct crl_entry *e, int64_t time)
{
    struct pkix_crl_set *set = crl_cache_take(cache, e, time);
    bool held = set != NULL;

    pkix_crl_set_destroy(&set);
    return held;
}

static void lists_are_told_apart(void **state)
{
    struct crl_cache *cache = crl_cache_create();
    struct pkix_crl_question one = question("issuer", "http://a/"), other_cert = one, other_issuer = one,
                             other_url = one, more_urls = one;
    struct crl_entry *e;

    (void)state;
    other_cert.cert = span_of_string("another");
    other_issuer.signers[0] = span_of_string("Issuer");
    other_url.urls[0] = span_of_string("http://b/");
    more_urls.urls[more_urls.url_count++] = span_of_string("http://a/");
    e = crl_cache_add(cache, &one, HTTP_FETCH_ANYWHERE, T0);
    assert_non_null(e);
    assert_ptr_equal(crl_cache_find(cache, &one, HTTP_FETCH_ANYWHERE, T0), e);
    assert_ptr_equal(crl_cache_find(cache, &other_cert, HTTP_FETCH_ANYWHERE, T0), e);
    assert_null(crl_cache_find(cache, &one, HTTP_FETCH_PUBLIC_ONLY, T0));
    assert_null(crl_cache_find(cache, &other_issuer, HTTP_FETCH_ANYWHERE, T0));
    assert_null(crl_cache_find(cache, &other_url, HTTP_FETCH_ANYWHERE, T0));
    assert_null(crl_cache_find(cache, &more_urls, HTTP_FETCH_ANYWHERE, T0));
    assert_true(span_equal(e->question.cert, one.cert) && e->question.cert.data != one.cert.data);
    crl_cache_destroy(&cache);
}

static void list_counts_until_its_end(void **state)
{
    struct crl_cache *cache = crl_cache_create();
    struct pkix_crl_question q = question("issuer", "http://a/");
    struct crl_entry *e = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0);
    size_t empty = crl_cache_size(cache);
    uint64_t due_ms;

    (void)state;
    assert_false(holds(cache, e, now));
    assert_null(crl_cache_take_off(cache, T0, &due_ms));
    assert_true(due_ms == CRL_NEVER);
    crl_cache_plan(e, T0 + 10, T0);
    assert_null(crl_cache_take_off(cache, T0 + 9, &due_ms));
    assert_int_equal(due_ms, T0 + 10);
    crl_cache_plan(e, T0 + 50, T0);
    assert_ptr_equal(crl_cache_take_off(cache, T0 + 10, &due_ms), e);
    assert_true(e->flying);
    assert_null(take_off(cache, T0 + HOUR_MS)); /* one flight at a time */
    assert_int_equal(crl_cache_land(cache, e, set_of(7, now - 10, now + 10), now, T0, NO_JITTER), CRL_LANDED);
    assert_int_equal(e->landings, 1);
    assert_true(crl_cache_size(cache) > empty);
    assert_true(holds(cache, e, now + 10));
    assert_false(holds(cache, e, now + 11));
    assert_int_equal(crl_cache_size(cache), empty);
    crl_cache_destroy(&cache);
}

static void list_that_is_waited_for_goes_first(void **state)
{
    struct crl_cache *cache = crl_cache_create();
    struct crl_entry *entries[3];
    uint64_t due_ms;
    char url[64];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct pkix_crl_question q;

        snprintf(url, sizeof(url), "http://a/%u", i);
        q = question("issuer", url);
        entries[i] = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0);
        crl_cache_plan(entries[i], T0 + i, T0);
    }
    entries[1]->waiters = entries[2]->waiters = 1;
    assert_ptr_equal(take_off(cache, T0 + 1), entries[1]);
    assert_ptr_equal(take_off(cache, T0 + 1), entries[0]); /* the third is not due yet */
    assert_null(crl_cache_take_off(cache, T0 + 1, &due_ms));
    assert_int_equal(due_ms, T0 + 2);
    for (unsigned i = 0; i < 3; i++) {
        entries[i]->waiters = 0;
        if (entries[i]->flying)
            crl_cache_fail(cache, entries[i], "it rains", now, T0, NO_JITTER);
    }
    crl_cache_destroy(&cache);
}

/* Whoever has an old list cannot bring it back, whatever its dates are; what is no older is taken. */
static void older_list_takes_no_place(void **state)
{
    static const struct {
        unsigned number;
        int64_t this_update;
        bool expired_before, older;
    } table[] = {
        {8, 1, false, false}, {7, 0, false, false}, {8, 0, false, false}, {6, 1, false, true}, {8, -1, false, true},
        {6, -1, false, true}, {6, 0, false, true},  {6, 1, true, false},  {8, -1, true, true}, {300, 1, false, false},
        {0, 0, false, false}, {0, 1, false, false}, {0, -1, false, true}, {0, -1, true, true}, /* has no number */
    };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(table); i++) {
        struct crl_cache *cache = crl_cache_create();
        struct crl_entry *e = landed(cache, "http://a/", set_of(7, now - 100, now + 100), T0);
        struct pkix_crl_set *next = set_of(table[i / 2].number, now - 100 + table[i / 2].this_update, now + 1000);
        int64_t then = table[i / 2].expired_before ? now + 101 : now;

        if (i % 2 == 0 && table[i / 2].expired_before)
            assert_false(holds(cache, e, then)); /* noticed before the flight, or by it */
        assert_ptr_equal(take_off(cache, T0 + HOUR_MS), e);
        if (crl_cache_is_older(e, next, then) != table[i / 2].older)
            fail_msg("row %zu", i / 2);
        if (table[i / 2].older) {
            pkix_crl_set_destroy(&next);
            crl_cache_fail(cache, e, "it is older", then, T0 + HOUR_MS, NO_JITTER);
        } else {
            assert_int_equal(crl_cache_land(cache, e, next, then, T0 + HOUR_MS, NO_JITTER), CRL_LANDED);
        }
        assert_int_equal(e->failure == NULL, !table[i / 2].older);
        assert_int_equal(holds(cache, e, then), !table[i / 2].older || !table[i / 2].expired_before);
        assert_int_equal(e->landings, 2);
        crl_cache_destroy(&cache);
    }
}

static void failure_leaves_the_list_alone(void **state)
{
    struct crl_cache *cache = crl_cache_create();
    struct crl_entry *e = landed(cache, "http://a/", set_of(7, now - 1, now + 100), T0);

    (void)state;
    assert_ptr_equal(take_off(cache, T0 + HOUR_MS), e);
    crl_cache_fail(cache, e, "it rains", now, T0 + HOUR_MS, NO_JITTER);
    assert_true(holds(cache, e, now));
    assert_string_equal(e->failure, "it rains");
    assert_int_equal(e->due_ms, T0 + HOUR_MS + 50000); /* half of what is left */
    assert_ptr_equal(take_off(cache, e->due_ms), e);
    crl_cache_fail(cache, e, "it rains", now + 101, T0 + 2 * HOUR_MS, NO_JITTER);
    assert_false(holds(cache, e, now));
    assert_true(e->due_ms == CRL_NEVER); /* until somebody asks */
    crl_cache_destroy(&cache);
}

static void fresh_list_is_looked_for_ahead_of_the_end(void **state)
{
    static const struct {
        int64_t left;
        unsigned jitter;
        uint64_t want_ms;
    } table[] = {
        {0, 0, LIMIT_CRL_REFRESH_MIN_MS},
        {8, 0, LIMIT_CRL_REFRESH_MIN_MS},
        {100, 0, 50000},
        {100, CRL_JITTER_RANGE / 2, 43750},
        {BUILDER_YEAR, 0, LIMIT_CRL_REFRESH_MS},
        {BUILDER_YEAR, CRL_JITTER_RANGE / 2, LIMIT_CRL_REFRESH_MS / 8 * 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct crl_cache *cache = crl_cache_create();
        struct pkix_crl_question q = question("issuer", "http://a/");
        struct crl_entry *e = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0);

        crl_cache_plan(e, T0, T0);
        assert_ptr_equal(take_off(cache, T0), e);
        assert_int_equal(crl_cache_land(cache, e, set_of(7, now - 1, now + table[i].left), now, T0, table[i].jitter),
                         CRL_LANDED);
        assert_int_equal(e->due_ms, T0 + table[i].want_ms);
        crl_cache_destroy(&cache);
    }
}

static void number_of_lists_is_limited(void **state)
{
    struct crl_cache *cache = crl_cache_create();
    struct crl_entry *entries[LIMIT_CRLS];
    struct pkix_crl_question q, huge = question("issuer", "http://huge/");
    uint8_t *zeros = base_alloc(LIMIT_CRL_ENTRY_BYTES_MAX);
    char url[64];

    (void)state;
    for (unsigned i = 0; i < LIMIT_CRLS; i++) {
        snprintf(url, sizeof(url), "http://a/%u", i);
        q = question("issuer", url);
        entries[i] = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0 + i);
        assert_non_null(entries[i]);
    }
    /* The first two are in use in some way, so the third is the oldest that may go. */
    entries[1]->waiters = 1;
    crl_cache_plan(entries[0], T0, T0);
    assert_ptr_equal(take_off(cache, T0), entries[0]);
    q = question("issuer", "http://b/");
    assert_non_null(crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0 + LIMIT_CRLS));
    assert_int_equal(crl_cache_count(cache), LIMIT_CRLS);
    q = question("issuer", "http://a/2");
    assert_null(crl_cache_find(cache, &q, HTTP_FETCH_ANYWHERE, T0));
    for (unsigned i = 0; i < 2; i++) {
        snprintf(url, sizeof(url), "http://a/%u", i);
        q = question("issuer", url);
        assert_ptr_equal(crl_cache_find(cache, &q, HTTP_FETCH_ANYWHERE, T0), entries[i]);
    }
    huge.cert = span_of(zeros, LIMIT_CRL_ENTRY_BYTES_MAX);
    assert_null(crl_cache_add(cache, &huge, HTTP_FETCH_ANYWHERE, T0));
    free(zeros);
    entries[1]->waiters = 0;
    crl_cache_fail(cache, entries[0], "it rains", now, T0, NO_JITTER);

    /* All of them in use: then there is no room. */
    for (unsigned i = 3; i < LIMIT_CRLS; i++)
        entries[i]->waiters = 1;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(url, sizeof(url), "http://c/%u", i);
        q = question("issuer", url);
        entries[i] = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0 + HOUR_MS);
        assert_non_null(entries[i]);
        entries[i]->waiters = 1;
    }
    q = question("issuer", "http://d/");
    assert_null(crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0));
    for (unsigned i = 0; i < LIMIT_CRLS; i++)
        entries[i]->waiters = 0;
    crl_cache_destroy(&cache);
}

/* A list of about so many bytes: few numbers, long ones. */
static struct span large_crl(size_t size)
{
    enum { SERIAL_SIZE = 60000 };
    uint8_t *serial = base_alloc(SERIAL_SIZE);
    struct crl_spec spec = builder_crl_of("ca", 1);
    struct span entry, entries, extensions;
    size_t count = size / SERIAL_SIZE + 1;
    uint8_t *all;

    memset(serial, 1, SERIAL_SIZE);
    entry = builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_INTEGER, span_of(serial, SERIAL_SIZE), builder_end),
                        builder_time(spec.this_update), builder_end);
    all = base_alloc(count * entry.size);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * entry.size, entry.data, entry.size);
    entries = builder_tlv(ASN1_SEQUENCE, span_of(all, count * entry.size), builder_end);
    extensions = builder_tlv(
        ASN1_CONTEXT_CONSTRUCTED | 0,
        builder_tlv(ASN1_SEQUENCE, builder_extension(OID_CRL_NUMBER, false, builder_integer(7)), builder_end),
        builder_end);
    free(serial);
    entry =
        builder_tlv(ASN1_SEQUENCE, builder_integer(1), builder_ecdsa_sha256(), builder_name("ca"),
                    builder_time(spec.this_update), builder_time(spec.next_update), entries, extensions, builder_end);
    free(all);
    return builder_signed(entry, builder_ecdsa_sha256(), builder_bytes("x", 1));
}

static void bytes_of_lists_are_limited(void **state)
{
    enum { LARGE = 15 * 1024 * 1024, FIT = LIMIT_CRL_BYTES_TOTAL / LARGE };
    struct crl_cache *cache = crl_cache_create();
    struct span der = large_crl(LARGE);
    struct crl_entry *entries[FIT + 1];
    struct pkix_crl_question q;
    char url[64];

    (void)state;
    for (unsigned i = 0; i < FIT + 1; i++) {
        snprintf(url, sizeof(url), "http://a/%u", i);
        entries[i] = landed(cache, url, set_of_der(der), T0 + i);
        assert_true(crl_cache_size(cache) <= LIMIT_CRL_BYTES_TOTAL);
    }
    q = question("issuer", "http://a/0");
    assert_null(crl_cache_find(cache, &q, HTTP_FETCH_ANYWHERE, T0)); /* the least recently used one */
    assert_int_equal(crl_cache_count(cache), FIT);

    /* Its own successor takes the place of a list, not of others. */
    assert_ptr_equal(take_off(cache, T0 + LIMIT_CRL_REFRESH_MS + 1), entries[1]);
    assert_int_equal(crl_cache_land(cache, entries[1], set_of_der(der), now, T0 + 10, NO_JITTER), CRL_LANDED);
    assert_int_equal(crl_cache_count(cache), FIT);

    /* No room where all others are in use. */
    for (unsigned i = 1; i < FIT + 1; i++)
        entries[i]->waiters = 1;
    q = question("issuer", "http://b/");
    entries[0] = crl_cache_add(cache, &q, HTTP_FETCH_ANYWHERE, T0);
    crl_cache_plan(entries[0], T0, T0);
    assert_ptr_equal(take_off(cache, T0), entries[0]);
    assert_int_equal(crl_cache_land(cache, entries[0], set_of_der(der), now, T0, NO_JITTER), CRL_LANDED_NO_ROOM);
    assert_string_equal(entries[0]->failure, "there is no room for its CRL");
    for (unsigned i = 1; i < FIT + 1; i++)
        entries[i]->waiters = 0;
    crl_cache_destroy(&cache);
}

static void unused_list_is_dropped(void **state)
{
    struct crl_cache *cache = crl_cache_create();
    struct crl_entry *used = landed(cache, "http://a/", set_of(7, now - 1, now + BUILDER_YEAR), T0);
    struct pkix_crl_question q = question("issuer", "http://a/");
    uint64_t day_later = T0 + LIMIT_CRL_UNUSED_MS, due_ms;

    (void)state;
    landed(cache, "http://b/", set_of(7, now - 1, now + BUILDER_YEAR), T0);
    assert_int_equal(crl_cache_count(cache), 2);
    assert_ptr_equal(crl_cache_find(cache, &q, HTTP_FETCH_ANYWHERE, day_later), used);
    assert_ptr_equal(crl_cache_take_off(cache, day_later + 1, &due_ms), used); /* and fetched anew */
    assert_int_equal(crl_cache_count(cache), 1);
    crl_cache_fail(cache, used, "it rains", now, day_later + 1, NO_JITTER);
    assert_null(take_off(cache, day_later + LIMIT_CRL_UNUSED_MS + 1));
    assert_int_equal(crl_cache_count(cache), 0);
    assert_int_equal(crl_cache_size(cache), 0);
    crl_cache_destroy(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_told_apart),
        cmocka_unit_test(list_counts_until_its_end),
        cmocka_unit_test(list_that_is_waited_for_goes_first),
        cmocka_unit_test(older_list_takes_no_place),
        cmocka_unit_test(failure_leaves_the_list_alone),
        cmocka_unit_test(fresh_list_is_looked_for_ahead_of_the_end),
        cmocka_unit_test(number_of_lists_is_limited),
        cmocka_unit_test(bytes_of_lists_are_limited),
        cmocka_unit_test(unused_list_is_dropped),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
