/* see tls/peer_certs.h */
#include "tls/peer_certs.h"
#include "tls/limits.h"

#include "base/base.h"
#include "base/slab.h"
#include "pkix/der.h"

#include <errno.h>
#include <pk11pub.h>
#include <pthread.h>
#include <secoid.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BUCKETS = 256, HASH_SIZE = 32 };

struct entry {
    struct entry *next_in_bucket, *next_of_holder;
    struct tls_peer_certs *holder;
    uint8_t *key; /* issuer, then serial number */
    size_t key_size;
    uint32_t bucket;
    uint8_t hash[HASH_SIZE]; /* of the whole certificate */
    bool verified;
    bool waits; /* is not held, but its holder wants it to be */
};

struct tls_peer_certs {
    pthread_mutex_t entered;
    bool is_entered; /* by its own engine's thread */
    bool ended;      /* with `entered` held */
    bool lingers;    /* this and the entries: with `lock` held */
    struct entry *entries;
    void (*end)(void *arg);
    void *arg;
};

/* Never waited for with a holder's mutex that was not tried first: `lock` comes after `entered`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_cond_t changed; /* a holder was left, or dropped */
static atomic_uint waiting;
static struct entry *buckets[BUCKETS];
static struct slab holders = SLAB_OF(struct tls_peer_certs);

static void init_once(void)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

/* RFC 5280 section 4.1. What is strict is decoded in one way only: a certificate in another encoding, which NSS might
 * take, would have a key that we do not see. */
bool tls_peer_cert_key(struct span cert, struct span *issuer, struct span *serial)
{
    struct der outer, tbs;
    struct span skipped;
    bool present;

    return der_enter_only(cert, ASN1_SEQUENCE, DER_SMALL, &outer) == PKIX_OK &&
           der_enter(&outer, ASN1_SEQUENCE, &tbs) == PKIX_OK &&
           der_read_optional(&tbs, ASN1_CONTEXT_CONSTRUCTED, &skipped, &present) == PKIX_OK &&
           der_read(&tbs, ASN1_INTEGER, serial) == PKIX_OK && der_read(&tbs, ASN1_SEQUENCE, &skipped) == PKIX_OK &&
           der_read_whole(&tbs, ASN1_SEQUENCE, issuer) == PKIX_OK;
}

static uint32_t bucket_of(const uint8_t *key, size_t size)
{
    uint32_t hash = 2166136261u; /* FNV-1a: who makes many keys of one bucket makes a list a little longer */

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ key[i]) * 16777619u;
    return hash % BUCKETS;
}

static struct entry *make_entry(struct tls_peer_certs *holder, struct span cert, bool verified)
{
    struct entry *entry;
    struct span issuer, serial;

    if (!tls_peer_cert_key(cert, &issuer, &serial))
        return NULL;
    entry = base_alloc(sizeof(*entry));
    *entry =
        (struct entry){.holder = holder, .key_size = issuer.size + serial.size, .verified = verified, .waits = true};
    if (PK11_HashBuf(SEC_OID_SHA256, entry->hash, cert.data, (PRInt32)cert.size) != SECSuccess)
        base_abort("NSS cannot hash");
    entry->key = base_alloc(entry->key_size + 1);
    memcpy(entry->key, issuer.data, issuer.size);
    if (serial.size != 0)
        memcpy(entry->key + issuer.size, serial.data, serial.size);
    entry->bucket = bucket_of(entry->key, entry->key_size);
    return entry;
}

static void free_entries(struct entry *entry)
{
    while (entry != NULL) {
        struct entry *next = entry->next_of_holder;

        free(entry->key);
        free(entry);
        entry = next;
    }
}

static void take_out_of_bucket(struct entry *entry)
{
    struct entry **at = &buckets[entry->bucket];

    while (*at != entry)
        at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
}

/* With `lock`. */
static void take_out(struct tls_peer_certs *holder)
{
    for (struct entry *entry = holder->entries; entry != NULL; entry = entry->next_of_holder)
        take_out_of_bucket(entry);
    free_entries(holder->entries);
    holder->entries = NULL;
}

/* With `lock`: those that are not held. */
static void take_out_waiting(struct tls_peer_certs *holder)
{
    struct entry **at = &holder->entries;

    while (*at != NULL) {
        struct entry *entry = *at;

        if (!entry->waits) {
            at = &entry->next_of_holder;
            continue;
        }
        *at = entry->next_of_holder;
        entry->next_of_holder = NULL;
        take_out_of_bucket(entry);
        free_entries(entry);
    }
}

/* With `lock`: what waited is held. */
static void mark_held(struct tls_peer_certs *holder)
{
    for (struct entry *entry = holder->entries; entry != NULL; entry = entry->next_of_holder)
        entry->waits = false;
}

static void put_in(struct tls_peer_certs *holder, struct entry *made)
{
    while (made != NULL) {
        struct entry *next = made->next_of_holder;

        made->next_in_bucket = buckets[made->bucket];
        buckets[made->bucket] = made;
        made->next_of_holder = holder->entries;
        holder->entries = made;
        made = next;
    }
}

static bool are_at_odds(const struct entry *mine, const struct entry *other)
{
    return other->holder != mine->holder && other->key_size == mine->key_size &&
           memcmp(other->key, mine->key, mine->key_size) == 0 && memcmp(other->hash, mine->hash, HASH_SIZE) != 0;
}

/* A certificate of another holder that keeps one of `wanted` from being held, which is *mine then. Of those that wait
 * the verified go before the unverified: else who comes again and again with forgeries would always be the next. */
static struct entry *find_conflict(const struct entry *wanted, const struct entry **mine)
{
    for (; wanted != NULL; wanted = wanted->next_of_holder)
        for (struct entry *other = buckets[wanted->bucket]; wanted->waits && other != NULL;
             other = other->next_in_bucket)
            if ((!other->waits || (other->verified && !wanted->verified)) && are_at_odds(wanted, other)) {
                *mine = wanted;
                return other;
            }
    return NULL;
}

/* With `lock`. True: the holder has no certificates any more. */
static bool end_holder(const struct entry *theirs, const struct entry *mine, bool waited)
{
    struct tls_peer_certs *holder = theirs->holder;

    if (theirs->waits || (!holder->lingers && !waited && (theirs->verified || !mine->verified)))
        return false;
    if (pthread_mutex_trylock(&holder->entered) != 0)
        return false;
    holder->ended = true;
    holder->end(holder->arg);
    take_out(holder);
    (void)pthread_mutex_unlock(&holder->entered);
    return true;
}

struct tls_peer_certs *tls_peer_certs_create(void (*end)(void *arg), void *arg)
{
    struct tls_peer_certs *holder = slab_alloc(&holders);

    (void)pthread_once(&once, init_once);
    *holder = (struct tls_peer_certs){.end = end, .arg = arg, .is_entered = true};
    (void)pthread_mutex_init(&holder->entered, NULL);
    (void)pthread_mutex_lock(&holder->entered);
    return holder;
}

static void tell_waiting(void)
{
    if (atomic_load(&waiting) == 0)
        return;
    (void)pthread_mutex_lock(&lock);
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

bool tls_peer_certs_enter(struct tls_peer_certs *holder)
{
    (void)pthread_mutex_lock(&holder->entered);
    holder->is_entered = true;
    return !holder->ended;
}

bool tls_peer_certs_is_entered(const struct tls_peer_certs *holder)
{
    return holder->is_entered;
}

void tls_peer_certs_leave(struct tls_peer_certs *holder)
{
    holder->is_entered = false;
    (void)pthread_mutex_unlock(&holder->entered);
    tell_waiting();
}

void tls_peer_certs_drop(struct tls_peer_certs **holder)
{
    struct tls_peer_certs *h = *holder;

    if (h == NULL)
        return;
    *holder = NULL;
    (void)pthread_mutex_lock(&lock);
    take_out(h);
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
    if (h->is_entered)
        (void)pthread_mutex_unlock(&h->entered);
    (void)pthread_mutex_destroy(&h->entered);
    slab_free(&holders, h);
}

static struct timespec deadline_after_ms(long ms)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* With `lock`, which is given up while it waits. */
static bool wait_for_others(const struct tls_peer_certs *holder, bool waited)
{
    struct timespec deadline = deadline_after_ms(TLS_PEER_CERTS_TURN_MS);
    const struct entry *mine = NULL;
    struct entry *theirs;
    bool over = false;

    atomic_fetch_add(&waiting, 1); /* before it is tried: who leaves after that looks at it after that */
    while ((theirs = find_conflict(holder->entries, &mine)) != NULL) {
        if (end_holder(theirs, mine, waited))
            continue;
        if (over)
            break;
        over = pthread_cond_timedwait(&changed, &lock, &deadline) == ETIMEDOUT;
    }
    atomic_fetch_sub(&waiting, 1);
    return theirs == NULL;
}

/* NULL: one is not strict DER. */
static struct entry *make_entries(struct tls_peer_certs *holder, const struct span *certs, size_t count,
                                  const bool *verified)
{
    struct entry *made = NULL;

    for (size_t i = 0; i < count; i++) {
        struct entry *entry = make_entry(holder, certs[i], verified != NULL && verified[i]);

        if (entry == NULL) {
            free_entries(made);
            return NULL;
        }
        entry->next_of_holder = made;
        made = entry;
    }
    return made;
}

enum tls_claim tls_peer_certs_claim(struct tls_peer_certs *holder, const struct span *certs, size_t count)
{
    struct entry *made = make_entries(holder, certs, count, NULL);
    const struct entry *mine;
    bool held;

    if (made == NULL)
        return TLS_CLAIM_BAD_DER;
    (void)pthread_mutex_lock(&lock);
    held = find_conflict(made, &mine) == NULL;
    if (held) {
        take_out_waiting(holder);
        put_in(holder, made);
        mark_held(holder);
    }
    (void)pthread_mutex_unlock(&lock);
    if (!held)
        free_entries(made);
    return held ? TLS_CLAIM_HELD : TLS_CLAIM_BUSY;
}

enum tls_claim tls_peer_certs_claim_in_turn(struct tls_peer_certs *holder, const struct span *certs, size_t count,
                                            const bool *verified, bool waited)
{
    struct entry *made = make_entries(holder, certs, count, verified);
    bool held;

    if (made == NULL)
        return TLS_CLAIM_BAD_DER;
    (void)pthread_mutex_lock(&lock);
    take_out_waiting(holder);
    put_in(holder, made);
    held = wait_for_others(holder, waited);
    if (held)
        mark_held(holder);
    (void)pthread_mutex_unlock(&lock);
    return held ? TLS_CLAIM_HELD : TLS_CLAIM_BUSY;
}

void tls_peer_certs_note_verified(struct tls_peer_certs *holder, struct span cert)
{
    uint8_t hash[HASH_SIZE];

    if (PK11_HashBuf(SEC_OID_SHA256, hash, cert.data, (PRInt32)cert.size) != SECSuccess)
        base_abort("NSS cannot hash");
    (void)pthread_mutex_lock(&lock);
    for (struct entry *entry = holder->entries; entry != NULL; entry = entry->next_of_holder)
        entry->verified = entry->verified || memcmp(entry->hash, hash, HASH_SIZE) == 0;
    (void)pthread_mutex_unlock(&lock);
}

void tls_peer_certs_linger(struct tls_peer_certs *holder)
{
    (void)pthread_mutex_lock(&lock);
    holder->lingers = true;
    (void)pthread_mutex_unlock(&lock);
}
