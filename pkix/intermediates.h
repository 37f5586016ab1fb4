/* pkix/intermediates.h: authorities seen on verified paths, remembered for peers that forget to send them.
 *
 * RFC 5246 and RFC 8446 section 4.4.2 have a server send its intermediates, and many do not; browsers get away with it,
 * since they remember. A remembered certificate is a candidate like one that the peer sent, after the peer's own: it is
 * never trusted by itself, each of its fields and its signature is checked each time, and it costs of the same budgets.
 * A peer may find out that somebody else has shown an authority before; nothing else.
 *
 * Bounded in number, in size and for each name; what has not been on a path for the longest time goes first.
 * Threads: all functions may be called from any; a lock is held for a look at the table. */
#ifndef YETT_PKIX_INTERMEDIATES_H
#define YETT_PKIX_INTERMEDIATES_H

#include "pkix/cert.h"

enum {
    PKIX_INTERMEDIATES_MAX = 256,
    PKIX_INTERMEDIATES_PER_NAME_MAX = 8,
    PKIX_INTERMEDIATE_BYTES_MAX = 3000, /* of one; a longer one is not remembered */
};

struct pkix_intermediates;

/* One that is lent: it stays as it is until it is returned, whatever the table does. */
struct pkix_intermediate {
    struct pkix_cert cert; /* its spans borrow der */
    uint8_t *der;
    unsigned holders;
    uint64_t name_hash;
    uint64_t used; /* when it was last on a path; a count, not a time */
    bool is_news;  /* learnt, and not yet taken as news */
    bool was_used; /* on a path since it was last taken */
};

struct pkix_intermediates *pkix_intermediates_create(void);
/* Nothing may be lent any more. */
void pkix_intermediates_destroy(struct pkix_intermediates **known);

/* LEARNT: on a verified path of ours, and news to others. TOLD: by somebody who has it from a verified path. */
enum pkix_intermediate_origin { PKIX_INTERMEDIATE_LEARNT, PKIX_INTERMEDIATE_TOLD };

/* Remember it, or note that one known already was used. What cannot be read, or is too long, is left out. Whether it
 * was not known before, and is now. */
bool pkix_intermediates_add(struct pkix_intermediates *known, struct span der, enum pkix_intermediate_origin origin);

/* Lend at most PKIX_INTERMEDIATES_PER_NAME_MAX with this subject. How many; each must be returned. */
MUST_CHECK size_t pkix_intermediates_lend(struct pkix_intermediates *known, struct span subject,
                                          struct pkix_intermediate *out[static PKIX_INTERMEDIATES_PER_NAME_MAX]);
void pkix_intermediates_return(struct pkix_intermediates *known, struct pkix_intermediate *lent);

/* NEW: learnt, and not yet taken. USED: those, and what was on a verified path of ours since it was last taken or told,
 * so that others forget it as late as we do. */
enum pkix_intermediate_news { PKIX_INTERMEDIATES_NEW, PKIX_INTERMEDIATES_USED };

/* One of these: its size, copied to `out`; 0 when there is none. */
MUST_CHECK size_t pkix_intermediates_take_news(struct pkix_intermediates *known, enum pkix_intermediate_news news,
                                               uint8_t out[static PKIX_INTERMEDIATE_BYTES_MAX]);

/* Lend all, the one that was unused for the longest time first. How many; each must be returned. */
MUST_CHECK size_t pkix_intermediates_lend_all(struct pkix_intermediates *known,
                                              struct pkix_intermediate *out[static PKIX_INTERMEDIATES_MAX]);

size_t pkix_intermediates_count(struct pkix_intermediates *known);

#endif
