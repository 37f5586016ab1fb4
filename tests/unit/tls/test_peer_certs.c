/* tls/peer_certs.c: who holds which certificates, who waits for whom, and who is ended. */
#include "tls/peer_certs.h"
#include "tls/limits.h"

#include "tls_pair.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CERT_SIZE = 20 };

/* As much of a certificate as is looked at: serial number, an empty algorithm, an issuer of one byte, and what differs.
 */
static struct span make_cert(uint8_t out[static CERT_SIZE], uint8_t serial, uint8_t issuer, uint8_t rest)
{
    const uint8_t der[] = {0x30, 14, 0x30, 12, 2, 1, serial, 0x30, 0, 0x30, 1, issuer, 4, 2, rest, rest};

    memcpy(out, der, sizeof(der));
    return span_of(out, sizeof(der));
}

static void count_end(void *arg)
{
    ++*(int *)arg;
}

struct holder {
    struct tls_peer_certs *certs;
    int ended;
};

static void hold(struct holder *h, struct span cert)
{
    h->ended = 0;
    h->certs = tls_peer_certs_create(count_end, &h->ended);
    assert_int_equal(tls_peer_certs_claim(h->certs, &cert, 1), TLS_CLAIM_HELD);
}

static void claims_at_odds(void **state)
{
    uint8_t bytes[4][CERT_SIZE];
    struct span real = make_cert(bytes[0], 7, 'i', 'r'), forged = make_cert(bytes[1], 7, 'i', 'f');
    struct span others[] = {make_cert(bytes[2], 8, 'i', 'f'), make_cert(bytes[3], 7, 'j', 'f')};
    struct holder one, two, three;

    (void)state;
    hold(&one, real);
    hold(&two, real); /* the same one is no conflict */
    three = (struct holder){.certs = tls_peer_certs_create(count_end, &three.ended)};
    assert_int_equal(tls_peer_certs_claim(three.certs, others, 2), TLS_CLAIM_HELD);
    assert_int_equal(tls_peer_certs_claim(three.certs, &forged, 1), TLS_CLAIM_BUSY);
    tls_peer_certs_drop(&one.certs);
    assert_int_equal(tls_peer_certs_claim(three.certs, &forged, 1), TLS_CLAIM_BUSY);
    tls_peer_certs_drop(&two.certs);
    assert_int_equal(tls_peer_certs_claim(three.certs, &forged, 1), TLS_CLAIM_HELD);
    tls_peer_certs_drop(&three.certs);
    assert_null(three.certs);
    tls_peer_certs_drop(&three.certs);
}

static void nothing_is_claimed_by_halves(void **state)
{
    uint8_t bytes[3][CERT_SIZE];
    struct span real = make_cert(bytes[0], 1, 'i', 'r');
    struct span chain[] = {make_cert(bytes[1], 2, 'i', 'x'), make_cert(bytes[2], 1, 'i', 'f')};
    struct span broken[] = {chain[0], span_of(bytes[0], 5)};
    struct holder one, two = {0}, three;

    (void)state;
    hold(&one, real);
    two.certs = tls_peer_certs_create(count_end, &two.ended);
    assert_int_equal(tls_peer_certs_claim(two.certs, chain, 2), TLS_CLAIM_BUSY);
    assert_int_equal(tls_peer_certs_claim(two.certs, broken, 2), TLS_CLAIM_BAD_DER);
    hold(&three, make_cert(bytes[1], 2, 'i', 'y')); /* at odds with chain[0], which nobody holds */
    tls_peer_certs_drop(&one.certs);
    tls_peer_certs_drop(&two.certs);
    tls_peer_certs_drop(&three.certs);
}

/* Who may be ended: by what is verified on either side, whether it lingers, whether it was waited for. */
static void who_is_ended(void **state)
{
    static const struct {
        bool entered, lingers, theirs_verified, mine_verified, waited, ended;
    } cases[] = {
        {.entered = true,
         .lingers = true,
         .mine_verified = true,
         .waited = true,
         .ended = false}, /* its step is running */
        {.lingers = true, .theirs_verified = true, .ended = true},
        {.mine_verified = true, .ended = true}, /* the unverified before the verified */
        {.theirs_verified = true, .mine_verified = true, .ended = false},
        {.ended = false},
        {.theirs_verified = true, .ended = false},
        {.theirs_verified = true, .waited = true, .ended = true},
        {.waited = true, .ended = true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[2][CERT_SIZE];
        struct span real = make_cert(bytes[0], 7, 'i', 'r'), forged = make_cert(bytes[1], 7, 'i', 'f');
        struct holder theirs, mine = {0};

        hold(&theirs, forged);
        if (cases[i].theirs_verified)
            tls_peer_certs_note_verified(theirs.certs, forged);
        if (cases[i].lingers)
            tls_peer_certs_linger(theirs.certs);
        if (!cases[i].entered)
            tls_peer_certs_leave(theirs.certs);
        mine.certs = tls_peer_certs_create(count_end, &mine.ended);
        assert_int_equal(tls_peer_certs_claim_in_turn(mine.certs, &real, 1, &cases[i].mine_verified, cases[i].waited),
                         cases[i].ended ? TLS_CLAIM_HELD : TLS_CLAIM_BUSY);
        assert_int_equal(theirs.ended, cases[i].ended);
        if (!cases[i].entered)
            assert_int_equal(tls_peer_certs_enter(theirs.certs), !cases[i].ended);
        tls_peer_certs_drop(&mine.certs);
        tls_peer_certs_drop(&theirs.certs);
    }
}

/* Who comes again and again with forgeries is not always the next. */
static void the_verified_who_wait_go_before_the_unverified(void **state)
{
    static const bool yes = true, no = false;
    uint8_t bytes[3][CERT_SIZE];
    struct span real = make_cert(bytes[0], 7, 'i', 'r'), forged = make_cert(bytes[1], 7, 'i', 'f');
    struct span late = make_cert(bytes[2], 7, 'i', 'l');
    struct holder first, mine = {0}, second = {0};

    (void)state;
    hold(&first, forged);
    mine.certs = tls_peer_certs_create(count_end, &mine.ended);
    second.certs = tls_peer_certs_create(count_end, &second.ended);
    assert_int_equal(tls_peer_certs_claim_in_turn(mine.certs, &real, 1, &yes, false), TLS_CLAIM_BUSY);
    tls_peer_certs_drop(&first.certs);
    assert_int_equal(tls_peer_certs_claim(second.certs, &late, 1), TLS_CLAIM_BUSY);
    assert_int_equal(tls_peer_certs_claim_in_turn(second.certs, &late, 1, &no, true), TLS_CLAIM_BUSY);
    assert_int_equal(mine.ended, 0);
    assert_int_equal(tls_peer_certs_claim_in_turn(mine.certs, &real, 1, &yes, false), TLS_CLAIM_HELD);
    assert_int_equal(tls_peer_certs_claim(second.certs, &late, 1), TLS_CLAIM_BUSY);
    tls_peer_certs_drop(&mine.certs);
    assert_int_equal(tls_peer_certs_claim_in_turn(second.certs, &late, 1, &no, false), TLS_CLAIM_HELD);
    assert_int_equal(second.ended, 0);
    tls_peer_certs_drop(&second.certs);
}

/* Who waits holds nothing: whoever is verified, too, may go first; and with who has gone the place is free. */
static void who_waits_keeps_no_equal_out(void **state)
{
    static const bool yes = true, no = false;
    uint8_t bytes[2][CERT_SIZE];
    struct span real = make_cert(bytes[0], 7, 'i', 'r'), other = make_cert(bytes[1], 7, 'i', 'o');
    struct holder first, waits = {0}, equal = {0};

    (void)state;
    for (int verified = 0; verified < 2; verified++) {
        hold(&first, other);
        waits.certs = tls_peer_certs_create(count_end, &waits.ended);
        equal.certs = tls_peer_certs_create(count_end, &equal.ended);
        assert_int_equal(tls_peer_certs_claim_in_turn(waits.certs, &real, 1, verified ? &yes : &no, false),
                         TLS_CLAIM_BUSY);
        tls_peer_certs_drop(&first.certs);
        assert_int_equal(tls_peer_certs_claim_in_turn(equal.certs, &other, 1, verified ? &yes : &no, false),
                         TLS_CLAIM_HELD);
        tls_peer_certs_drop(&equal.certs);
        tls_peer_certs_drop(&waits.certs);
        hold(&first, other);
        tls_peer_certs_drop(&first.certs);
    }
}

/* ---- threads: many peers with one certificate in two versions, each of which NSS could only hold alone ---- */

enum { THREADS = 4, TURNS = 300 };

static int held_by[2]; /* how many hold each version; with `count_lock` */
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static bool both_were_held;

static void count_held(int version, int change)
{
    (void)pthread_mutex_lock(&count_lock);
    held_by[version] += change;
    both_were_held = both_were_held || (held_by[0] != 0 && held_by[1] != 0);
    (void)pthread_mutex_unlock(&count_lock);
}

static void *take_turns(void *arg)
{
    int version = *(int *)arg, ended = 0;
    uint8_t bytes[CERT_SIZE];
    struct span cert = make_cert(bytes, 9, 'i', (uint8_t)('0' + version));
    const bool verified = true;

    for (int i = 0; i < TURNS; i++) {
        struct tls_peer_certs *certs = tls_peer_certs_create(count_end, &ended);

        while (tls_peer_certs_claim_in_turn(certs, &cert, 1, &verified, false) != TLS_CLAIM_HELD)
            continue;
        count_held(version, 1);
        tls_peer_certs_leave(certs);
        if (!tls_peer_certs_enter(certs))
            abort();
        count_held(version, -1);
        tls_peer_certs_drop(&certs);
    }
    return NULL;
}

static void threads_never_hold_both(void **state)
{
    pthread_t threads[THREADS];
    int versions[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        versions[i] = i % 2;
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &versions[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(both_were_held);
}

static int setup(void **state)
{
    (void)state;
    test_tls_start(TEST_CACHE_NONE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_tls_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_at_odds),
        cmocka_unit_test(nothing_is_claimed_by_halves),
        cmocka_unit_test(who_is_ended),
        cmocka_unit_test(the_verified_who_wait_go_before_the_unverified),
        cmocka_unit_test(who_waits_keeps_no_equal_out),
        cmocka_unit_test(threads_never_hold_both),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
