/* see tokens/pss.h */
#include "tokens/pss.h"
#include "base/nss_scope.h"

#include <errno.h>
#include <nss.h>
#include <pthread.h>
#include <sys/random.h>

enum { SALT_MAX = 64, HASH_MAX = 64 };

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;
static NSSInitContext *context;

/* see tokens/pss.h */
bool tokens_pss_start(void)
{
    bool started;

    pthread_mutex_lock(&start_lock);
    if (context == NULL)
        context = NSS_InitContext("", "", "", "", NULL,
                                  NSS_INIT_READONLY | NSS_INIT_NOCERTDB | NSS_INIT_NOMODDB | NSS_INIT_FORCEOPEN |
                                      NSS_INIT_NOROOTINIT | NSS_INIT_OPTIMIZESPACE);
    started = context != NULL;
    pthread_mutex_unlock(&start_lock);
    return started;
}

/* see tokens/pss.h */
void tokens_pss_stop(void)
{
    pthread_mutex_lock(&start_lock);
    if (context != NULL)
        NSS_ShutdownContext(context);
    context = NULL;
    pthread_mutex_unlock(&start_lock);
}

static SECOidTag hash_oid(enum tokens_wire_hash hash)
{
    switch (hash) {
    case TOKENS_WIRE_HASH_SHA1:
        return SEC_OID_SHA1;
    case TOKENS_WIRE_HASH_SHA256:
        return SEC_OID_SHA256;
    case TOKENS_WIRE_HASH_SHA384:
        return SEC_OID_SHA384;
    case TOKENS_WIRE_HASH_SHA512:
        return SEC_OID_SHA512;
    case TOKENS_WIRE_HASH_NONE:
        break;
    }
    return SEC_OID_UNKNOWN;
}

static bool hash_all(enum tokens_wire_hash hash, const struct span *parts, size_t count, uint8_t *out)
{
    SCOPED_PK11_CONTEXT digest = PK11_CreateDigestContext(hash_oid(hash));
    unsigned size = 0;

    if (digest == NULL || PK11_DigestBegin(digest) != SECSuccess)
        return false;
    for (size_t i = 0; i < count; i++)
        if (parts[i].size != 0 && PK11_DigestOp(digest, parts[i].data, (unsigned)parts[i].size) != SECSuccess)
            return false;
    return PK11_DigestFinal(digest, out, &size, HASH_MAX) == SECSuccess && size == tokens_wire_hash_size(hash);
}

/* XOR `out` with MGF1 of `seed`. RFC 8017 appendix B.2.1 */
static bool mask(enum tokens_wire_hash hash, struct span seed, uint8_t *out, size_t size)
{
    size_t hash_size = tokens_wire_hash_size(hash);
    uint8_t block[HASH_MAX];

    for (size_t done = 0; done < size; done += hash_size) {
        size_t counter = done / hash_size;
        uint8_t bytes[4] = {(uint8_t)(counter >> 24), (uint8_t)(counter >> 16), (uint8_t)(counter >> 8),
                            (uint8_t)counter};
        struct span parts[] = {seed, span_of(bytes, sizeof(bytes))};

        if (!hash_all(hash, parts, ARRAY_LEN(parts), block))
            return false;
        for (size_t i = 0; i < hash_size && done + i < size; i++)
            out[done + i] ^= block[i];
    }
    return true;
}

static bool random_bytes(uint8_t *out, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = getrandom(out + done, size - done, 0);

        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0)
            done += (size_t)got;
    }
    return true;
}

/* see tokens/pss.h; the names in comments are those of RFC 8017 section 9.1.1 */
bool tokens_pss_encode(enum tokens_wire_hash hash, size_t salt_size, struct span digest, size_t modulus_bits,
                       uint8_t *out)
{
    static const uint8_t padding1[8] = {0};
    size_t hash_size = tokens_wire_hash_size(hash);
    size_t modulus_size = (modulus_bits + 7) / 8;
    size_t em_bits = modulus_bits - 1;
    size_t em_size = (em_bits + 7) / 8; /* emLen: one byte less than the modulus when 8 divides em_bits */
    size_t db_size;
    uint8_t salt[SALT_MAX];
    uint8_t *em = out + (modulus_size - em_size);
    uint8_t *h;
    struct span parts[] = {span_of(padding1, sizeof(padding1)), digest, span_of(salt, salt_size)};

    if (hash_size == 0 || digest.size != hash_size || salt_size > sizeof(salt) || em_size < hash_size + salt_size + 2 ||
        !random_bytes(salt, salt_size))
        return false;
    memset(out, 0, modulus_size);
    db_size = em_size - hash_size - 1;
    h = em + db_size;
    em[db_size - salt_size - 1] = 0x01;
    memcpy(em + db_size - salt_size, salt, salt_size);
    if (!hash_all(hash, parts, ARRAY_LEN(parts), h) || !mask(hash, span_of(h, hash_size), em, db_size))
        return false;
    em[0] &= (uint8_t)(0xff >> (8 * em_size - em_bits));
    em[em_size - 1] = 0xbc;
    return true;
}
