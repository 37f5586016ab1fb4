/* base/slab.h: objects of one size, side by side.
 *
 * For what lives as long as a connection. Between two of its small objects NSS allots and frees tens of KiB for each
 * handshake; among those, a few hundred bytes that stay keep whole pages from going back to the system. In *blocks* of
 * their own they cost what they are. A block goes back when the last object in it is freed; one empty one is kept.
 *
 * Builds with AddressSanitizer use base_alloc() and free() instead, so that misuse is found.
 * Threads: a slab may be used from any; its lock is held for a few pointer moves. */
#ifndef YETT_BASE_SLAB_H
#define YETT_BASE_SLAB_H

#include "base/base.h"
#include <pthread.h>

enum { SLAB_BLOCK_BYTES = 32 * 1024 };

struct slab_block;

struct slab {
    size_t object_size;
    pthread_mutex_t lock;
    struct slab_block *roomy; /* blocks with a free place; full ones are in no list */
    size_t blocks, objects;   /* what there is now */
};

/* static struct slab sessions = SLAB_OF(struct session); the type at most an eighth of a block. */
#define SLAB_OF(type)                                                                                                  \
    {                                                                                                                  \
        .object_size = sizeof(type), .lock = PTHREAD_MUTEX_INITIALIZER                                                 \
    }

/* Zeroed memory or a stop of the process, aligned for any type. */
void *slab_alloc(struct slab *s) __attribute__((malloc, returns_nonnull));

/* What slab_alloc() of the same slab gave. NULL-safe. Anything else, and what was freed before, stops the process. */
void slab_free(struct slab *s, void *object);

/* Texts that live as long as a connection, such as host names: those of fewer than SLAB_TEXT_BYTES bytes are objects of
 * a slab of the process, longer ones have memory of their own. Free with slab_strfree(), and do not make them shorter
 * or longer. NULL-safe. */
enum { SLAB_TEXT_BYTES = 64 };
char *slab_strndup(const char *text, size_t length) __attribute__((malloc, returns_nonnull)); /* as strndup(3) */
char *slab_strdup(const char *text) __attribute__((malloc, returns_nonnull));
void slab_strfree(char *text);

#endif
