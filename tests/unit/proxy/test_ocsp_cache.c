/* The rules by which OCSP answers are remembered. */
#include "proxy/fetch/ocsp_cache.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { NOW = 1000000, DAY = 86400, FAILURE_MS = 300000 };

static const uint8_t *key_of(unsigned number)
{
    static uint8_t key[PKIX_EVIDENCE_KEY_SIZE];

    memset(key, 0, sizeof(key));
    memcpy(key, &number, sizeof(number));
    return key;
}

static void put(struct ocsp_cache *cache, unsigned number, enum pkix_error error, int64_t this_update)
{
    const struct pkix_statement statement = {
        .error = error, .this_update = this_update, .valid_until = this_update + DAY};

    ocsp_cache_put(cache, key_of(number), &statement, 0);
}

static enum ocsp_cache_answer get(struct ocsp_cache *cache, unsigned number, int64_t time,
                                  struct pkix_statement *statement)
{
    return ocsp_cache_get(cache, key_of(number), time, 0, FAILURE_MS, statement);
}

/* What is known after `old` and then `new`, each with its thisUpdate. */
static void newer_replaces_older_but_nothing_replaces_revoked(void **state)
{
#define GOOD    PKIX_OK
#define GONE    PKIX_REVOKED
#define UNKNOWN PKIX_OCSP_UNKNOWN_CERT
#define FAILED  PKIX_OCSP_MALFORMED
    static const struct {
        enum pkix_error old, new;
        int64_t old_update, new_update;
        enum pkix_error want;
        int64_t want_update;
    } cases[] = {
        {GOOD, GOOD, NOW, NOW + 5, GOOD, NOW + 5},
        {GOOD, GOOD, NOW, NOW - 5, GOOD, NOW},
        {GOOD, GONE, NOW, NOW + 5, GONE, NOW + 5},
        {GOOD, GONE, NOW, NOW - 5, GONE, NOW - 5},
        {GOOD, UNKNOWN, NOW, NOW + 5, UNKNOWN, NOW + 5},
        {GOOD, UNKNOWN, NOW, NOW - 5, GOOD, NOW},
        {UNKNOWN, GOOD, NOW, NOW + 5, GOOD, NOW + 5},
        {UNKNOWN, GOOD, NOW, NOW - 5, UNKNOWN, NOW},
        {GONE, GOOD, NOW, NOW + 5, GONE, NOW},
        {GONE, UNKNOWN, NOW, NOW + 5, GONE, NOW},
        {GOOD, FAILED, NOW, 0, GOOD, NOW},
        {GONE, FAILED, NOW, 0, GONE, NOW},
        {FAILED, GOOD, 0, NOW, GOOD, NOW},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ocsp_cache *cache = ocsp_cache_create();
        struct pkix_statement got;

        put(cache, 1, cases[i].old, cases[i].old_update);
        put(cache, 1, cases[i].new, cases[i].new_update);
        assert_int_equal(get(cache, 1, NOW, &got), OCSP_CACHE_STATEMENT);
        assert_int_equal(got.error, cases[i].want);
        assert_int_equal(got.this_update, cases[i].want_update);
        assert_int_equal(ocsp_cache_count(cache), 1);
        ocsp_cache_destroy(&cache);
    }
}

static void statements_end_but_revocation_does_not(void **state)
{
    static const struct {
        enum pkix_error error;
        enum ocsp_cache_answer at_end, after;
    } cases[] = {
        {PKIX_OK, OCSP_CACHE_STATEMENT, OCSP_CACHE_NOTHING},
        {PKIX_OCSP_UNKNOWN_CERT, OCSP_CACHE_STATEMENT, OCSP_CACHE_NOTHING},
        {PKIX_REVOKED, OCSP_CACHE_STATEMENT, OCSP_CACHE_STATEMENT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ocsp_cache *cache = ocsp_cache_create();
        struct pkix_statement got;

        put(cache, 1, cases[i].error, NOW);
        assert_int_equal(get(cache, 1, NOW + DAY, &got), cases[i].at_end);
        assert_int_equal(get(cache, 1, NOW + DAY + 1, &got), cases[i].after);
        assert_int_equal(get(cache, 2, NOW, &got), OCSP_CACHE_NOTHING);
        ocsp_cache_destroy(&cache);
    }
}

static void failures_are_forgotten(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_create();
    const struct pkix_statement failure = {.error = PKIX_OCSP_TRY_LATER};
    struct pkix_statement got;

    (void)state;
    ocsp_cache_put(cache, key_of(1), &failure, 1000);
    assert_int_equal(ocsp_cache_get(cache, key_of(1), NOW, 1000 + FAILURE_MS - 1, FAILURE_MS, &got),
                     OCSP_CACHE_FAILURE);
    assert_int_equal(got.error, PKIX_OCSP_TRY_LATER);
    assert_int_equal(ocsp_cache_get(cache, key_of(1), NOW, 1000 + FAILURE_MS, FAILURE_MS, &got), OCSP_CACHE_NOTHING);
    ocsp_cache_destroy(&cache);
}

static void least_recently_used_goes_first(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_create();
    struct pkix_statement got;

    (void)state;
    for (unsigned i = 0; i < OCSP_CACHE_ENTRIES_MAX; i++)
        put(cache, i, PKIX_OK, NOW);
    assert_int_equal(get(cache, 0, NOW, &got), OCSP_CACHE_STATEMENT); /* used: 1 is the oldest now */
    put(cache, OCSP_CACHE_ENTRIES_MAX, PKIX_OK, NOW);
    assert_int_equal(ocsp_cache_count(cache), OCSP_CACHE_ENTRIES_MAX);
    assert_int_equal(get(cache, 0, NOW, &got), OCSP_CACHE_STATEMENT);
    assert_int_equal(get(cache, 1, NOW, &got), OCSP_CACHE_NOTHING);
    assert_int_equal(get(cache, OCSP_CACHE_ENTRIES_MAX, NOW, &got), OCSP_CACHE_STATEMENT);
    ocsp_cache_destroy(&cache);
}

static void revoked_and_unknown_are_never_dropped(void **state)
{
    struct ocsp_cache *cache = ocsp_cache_create();
    struct pkix_statement got;

    (void)state;
    for (unsigned i = 0; i < OCSP_CACHE_ENTRIES_MAX; i++)
        put(cache, i, i % 2 == 0 ? PKIX_REVOKED : PKIX_OCSP_UNKNOWN_CERT, NOW);
    put(cache, 5000, PKIX_OK, NOW);
    put(cache, 5001, PKIX_REVOKED, NOW);
    assert_int_equal(get(cache, 5000, NOW, &got), OCSP_CACHE_NOTHING);
    assert_int_equal(get(cache, 5001, NOW, &got), OCSP_CACHE_NOTHING);
    for (unsigned i = 0; i < OCSP_CACHE_ENTRIES_MAX; i++)
        assert_int_equal(get(cache, i, NOW, &got), OCSP_CACHE_STATEMENT);
    ocsp_cache_destroy(&cache);

    cache = ocsp_cache_create();
    put(cache, 0, PKIX_REVOKED, NOW);
    put(cache, 1, PKIX_OK, NOW);
    for (unsigned i = 2; i <= OCSP_CACHE_ENTRIES_MAX; i++)
        put(cache, i, PKIX_REVOKED, NOW);
    assert_int_equal(get(cache, 0, NOW, &got), OCSP_CACHE_STATEMENT);
    assert_int_equal(get(cache, 1, NOW, &got), OCSP_CACHE_NOTHING); /* the one good one made room */
    assert_int_equal(ocsp_cache_count(cache), OCSP_CACHE_ENTRIES_MAX);
    ocsp_cache_destroy(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newer_replaces_older_but_nothing_replaces_revoked),
        cmocka_unit_test(statements_end_but_revocation_does_not),
        cmocka_unit_test(failures_are_forgotten),
        cmocka_unit_test(least_recently_used_goes_first),
        cmocka_unit_test(revoked_and_unknown_are_never_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
