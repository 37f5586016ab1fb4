/* pkix/signature_cache.h: signatures known to be good, shared by all threads of a process.
 *
 * Bounded: a fixed table; a new entry takes the place of an old one. Only good signatures are kept, under a SHA-256 of
 * everything that was verified, so a wrong answer needs a collision. Thread-safe: sharded locks, held for a copy. */
#ifndef YETT_PKIX_SIGNATURE_CACHE_H
#define YETT_PKIX_SIGNATURE_CACHE_H

#include "pkix/cert.h"

enum { PKIX_CACHE_KEY_SIZE = 32, PKIX_CACHE_SHARDS = 16, PKIX_CACHE_ENTRIES_PER_SHARD = 256 };

struct pkix_signature_cache;

struct pkix_signature_cache *pkix_signature_cache_create(void);
void pkix_signature_cache_destroy(struct pkix_signature_cache **cache);

/* The key for one signature, in two steps, since the first is the same for all keys that are tried on a statement.
 * False when it cannot be made; the signature is then verified as if there were no cache. */
MUST_CHECK bool pkix_signature_cache_digest(const struct pkix_signed *statement, uint8_t digest[PKIX_CACHE_KEY_SIZE]);
MUST_CHECK bool pkix_signature_cache_key(const uint8_t digest[PKIX_CACHE_KEY_SIZE], struct span spki,
                                         uint8_t key[PKIX_CACHE_KEY_SIZE]);

bool pkix_signature_cache_has(struct pkix_signature_cache *cache, const uint8_t key[PKIX_CACHE_KEY_SIZE]);
void pkix_signature_cache_put(struct pkix_signature_cache *cache, const uint8_t key[PKIX_CACHE_KEY_SIZE]);

#endif
