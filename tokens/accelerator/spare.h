/* tokens/accelerator/spare.h: what is dear to make, kept for whoever needs it next.
 *
 * libcrypto looks for an algorithm by its names whenever a context or a key is made: a tenth and more of a key pair, or
 * of a signature of P-256. A *spare* is the place for one such thing that nobody uses at the moment. It is taken and
 * given back by an exchange, without a lock: who finds the place empty makes a new one, who finds it full frees what
 * was there. So a thing has one user at a time, and a place keeps one. */
#ifndef YETT_TOKENS_ACCELERATOR_SPARE_H
#define YETT_TOKENS_ACCELERATOR_SPARE_H

#include <stdatomic.h>

struct accel_spare {
    _Atomic(void *) thing; /* or NULL */
};

/* What is kept, which is the caller's now; NULL when there is nothing. */
static inline void *accel_spare_take(struct accel_spare *spare)
{
    return atomic_exchange(&spare->thing, NULL);
}

/* Keep this one (NULL: nothing). Returns what was kept before, for the caller to free, or NULL. */
static inline void *accel_spare_give(struct accel_spare *spare, void *thing)
{
    return atomic_exchange(&spare->thing, thing);
}

#endif
