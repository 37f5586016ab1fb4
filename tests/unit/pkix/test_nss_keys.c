/* Imported public keys that are kept between checks: pkix/nss_keys.h. */
#include "cert_builder.h"
#include "threads.h"
#include "pkix/cert.h"
#include "pkix/nss_crypto.h"
#include "pkix/nss_keys.h"

#include <setjmp.h>
#include <cmocka.h>

enum { ROUNDS = 60, KEYS = 12 };

/* A certificate with a signature of key `signer`, and that key. */
struct signature {
    struct pkix_cert cert;
    struct span spki;
};

static struct signature signature_by(unsigned signer)
{
    struct cert_spec spec = builder_server("www.example.com", 0, "ca", signer);
    struct signature s = {.spki = builder_spki(signer)};

    assert_int_equal(pkix_cert_read(builder_cert(&spec), &s.cert), PKIX_OK);
    return s;
}

static bool keeps(struct pkix_nss_keys *keys, struct span spki)
{
    uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE];
    struct pkix_nss_key kept;

    assert_true(pkix_nss_digest(PKIX_SHA256, spki, digest));
    if (!pkix_nss_keys_take(keys, digest, &kept))
        return false;
    pkix_nss_keys_give_back(keys, &kept);
    return true;
}

static void a_key_is_kept_after_a_good_signature_and_answers_the_same(void **state)
{
    struct pkix_nss_keys *keys = pkix_nss_keys_create();
    struct signature good = signature_by(1), other = signature_by(2);

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(pkix_nss_verify(&good.cert.outer, good.spki, keys), PKIX_OK);
        assert_true(keeps(keys, good.spki));
        assert_int_equal(pkix_nss_verify(&other.cert.outer, good.spki, keys), PKIX_BAD_SIGNATURE);
        assert_true(keeps(keys, good.spki)); /* a bad signature is no fault of the key */
    }
    pkix_nss_keys_destroy(&keys);
}

static void a_key_with_bad_signatures_only_is_not_kept(void **state)
{
    struct pkix_nss_keys *keys = pkix_nss_keys_create();
    struct signature good = signature_by(1);
    struct span wrong = builder_spki(2);

    (void)state;
    assert_int_equal(pkix_nss_verify(&good.cert.outer, wrong, keys), PKIX_BAD_SIGNATURE);
    assert_false(keeps(keys, wrong));
    pkix_nss_keys_destroy(&keys);
}

static SECKEYPublicKey *some_key(void)
{
    struct span spki = builder_spki(1);
    SECItem item = {siBuffer, (unsigned char *)(uintptr_t)spki.data, (unsigned)spki.size};
    CERTSubjectPublicKeyInfo *decoded = SECKEY_DecodeDERSubjectPublicKeyInfo(&item);
    SECKEYPublicKey *key = SECKEY_ExtractPublicKey(decoded);

    SECKEY_DestroySubjectPublicKeyInfo(decoded);
    assert_non_null(key);
    return key;
}

/* All in one set: the first byte is the same. */
static void digest_of(unsigned number, uint8_t digest[static PKIX_NSS_KEYS_DIGEST_SIZE])
{
    memset(digest, 0, PKIX_NSS_KEYS_DIGEST_SIZE);
    digest[31] = (uint8_t)number;
}

static void the_key_unused_for_longest_makes_room_and_one_in_use_never(void **state)
{
    struct pkix_nss_keys *keys = pkix_nss_keys_create();
    struct pkix_nss_key in_use[PKIX_NSS_KEYS_WAYS], again;
    uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE];

    (void)state;
    for (unsigned i = 0; i < PKIX_NSS_KEYS_WAYS; i++) {
        digest_of(i, digest);
        pkix_nss_keys_keep(keys, digest, some_key());
    }
    digest_of(0, digest);
    assert_true(pkix_nss_keys_take(keys, digest, &again));
    pkix_nss_keys_give_back(keys, &again); /* used last; number 1 is the oldest now */
    digest_of(100, digest);
    pkix_nss_keys_keep(keys, digest, some_key());
    digest_of(1, digest);
    assert_false(pkix_nss_keys_take(keys, digest, &again));

    static const unsigned there[PKIX_NSS_KEYS_WAYS] = {0, 2, 3, 100};

    for (unsigned i = 0; i < PKIX_NSS_KEYS_WAYS; i++) {
        digest_of(there[i], digest);
        assert_true(pkix_nss_keys_take(keys, digest, &in_use[i]));
    }
    digest_of(101, digest);
    pkix_nss_keys_keep(keys, digest, some_key()); /* no place: destroyed at once */
    assert_false(pkix_nss_keys_take(keys, digest, &again));
    for (unsigned i = 0; i < PKIX_NSS_KEYS_WAYS; i++)
        pkix_nss_keys_give_back(keys, &in_use[i]);
    pkix_nss_keys_destroy(&keys);
}

static void a_key_kept_twice_is_there_once(void **state)
{
    struct pkix_nss_keys *keys = pkix_nss_keys_create();
    uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE];

    (void)state;
    digest_of(7, digest);
    pkix_nss_keys_keep(keys, digest, some_key());
    pkix_nss_keys_keep(keys, digest, some_key()); /* builder_stop() finds what is lost */
    pkix_nss_keys_destroy(&keys);
}

struct shared {
    struct pkix_nss_keys *keys;
    struct signature signatures[KEYS];
};

static unsigned verify_many(void *arg, unsigned number)
{
    const struct shared *shared = arg;
    unsigned wrong = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct signature *s = &shared->signatures[(number + round) % KEYS];
        const struct signature *other = &shared->signatures[(number + round + 1) % KEYS];

        wrong += pkix_nss_verify(&s->cert.outer, s->spki, shared->keys) != PKIX_OK ? 1 : 0;
        wrong += pkix_nss_verify(&other->cert.outer, s->spki, shared->keys) != PKIX_BAD_SIGNATURE ? 1 : 0;
    }
    return wrong;
}

static void threads_share_keys(void **state)
{
    struct shared shared = {.keys = pkix_nss_keys_create()};

    (void)state;
    for (unsigned i = 0; i < KEYS; i++)
        shared.signatures[i] = signature_by(1 + i);
    threads_run(verify_many, &shared);
    pkix_nss_keys_destroy(&shared.keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_kept_after_a_good_signature_and_answers_the_same),
        cmocka_unit_test(a_key_with_bad_signatures_only_is_not_kept),
        cmocka_unit_test(the_key_unused_for_longest_makes_room_and_one_in_use_never),
        cmocka_unit_test(a_key_kept_twice_is_there_once),
        cmocka_unit_test(threads_share_keys),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
