/* tokens/accelerator/handles.h: from the numbers that PKCS #11 hands out to what they stand for.
 *
 * A table is cut into shards, each with a lock of its own that is held for a look-up and no longer; numbers go round
 * them, so that two threads seldom want the same lock. What is found is held by a reference: it may be removed
 * meanwhile, and lives on until the last user has released it.
 *
 * Numbers count upwards by one, whoever makes what has them: tls/master_secret.h looks for a key among the last few.
 * Each is used once, and where a CK_ULONG is short enough for them to come round (32 bits) those that are taken are
 * left out. So a handle that was destroyed is invalid, not somebody else's key. */
#ifndef YETT_TOKENS_ACCELERATOR_HANDLES_H
#define YETT_TOKENS_ACCELERATOR_HANDLES_H

#include "tokens/accelerator/cryptoki.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ACCEL_SHARD_BITS = 6, ACCEL_SHARDS = 1 << ACCEL_SHARD_BITS };

/* To be the first member of what has a handle. */
struct accel_handle {
    CK_ULONG number;
    atomic_uint references;
    struct accel_handle *next; /* in its bucket; the shard's lock */
};

struct accel_shard {
    pthread_mutex_t lock;
    struct accel_handle **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
};

struct accel_handles {
    atomic_ulong last; /* number given */
    struct accel_shard shards[ACCEL_SHARDS];
};

void accel_handles_init(struct accel_handles *table);

/* The table must be empty: remove what is in it with accel_handles_take_any(). */
void accel_handles_clear(struct accel_handles *table);

/* Give `entry` a number. The table gets a reference of its own, the caller keeps the one that it has. */
void accel_handles_add(struct accel_handles *table, struct accel_handle *entry);

/* The entry with the number, with a reference for the caller; NULL where there is none. */
struct accel_handle *accel_handles_get(struct accel_handles *table, CK_ULONG number);

/* Take the entry out; the table's reference passes to the caller. NULL where there is none, or another was faster. */
struct accel_handle *accel_handles_remove(struct accel_handles *table, CK_ULONG number);

/* Take any entry out, likewise; NULL when the table is empty. */
struct accel_handle *accel_handles_take_any(struct accel_handles *table);

/* Call `visit` for each entry, under the lock of its shard: it must not use the table. False from it ends the walk. */
void accel_handles_walk(struct accel_handles *table, bool (*visit)(struct accel_handle *entry, void *context),
                        void *context);

/* Add a reference to an entry that one is held of. */
void accel_handle_hold(struct accel_handle *entry);

/* Give a reference back. True when it was the last: the caller destroys what has the handle. */
MUST_CHECK bool accel_handle_release(struct accel_handle *entry);

#endif
