/* see pkix/search.h: which of the peer's certificates names could lead from to an anchor
 *
 * A certificate whose issuer's name nobody has, or only others like it, is on no path, whatever has signed it. To know
 * that takes comparisons of names; to find it out by extending paths takes a signature check for each such issuer: a
 * hundred authorities that all issue each other were 27 ms of P-256. Names are cheap to make up, so this is no defence
 * against those who know an anchor's; the limits are. */
#include "pkix/search.h"

static bool note_entry(void *ctx, const struct pkix_store_entry *entry)
{
    (void)entry;
    *(bool *)ctx = true;
    return false;
}

/* Whether the store has an authority of this name. Of which trust, and for what, does not matter here. */
static bool is_in_store(const struct pkix_store *store, struct span subject)
{
    struct pkix_intermediate *lent[PKIX_INTERMEDIATES_PER_NAME_MAX];
    bool found = false;
    size_t count;

    pkix_store_find(&store->anchors, subject, note_entry, &found);
    if (!found)
        pkix_store_find(&store->intermediates, subject, note_entry, &found);
    if (found || store->remembered == NULL)
        return found;
    count = pkix_intermediates_lend(store->remembered, subject, lent);
    for (size_t i = 0; i < count; i++)
        pkix_intermediates_return(store->remembered, lent[i]);
    return count != 0;
}

/* From the store downwards, each certificate once: the square of their number in comparisons, however they are linked. */
void pkix_search_find_reach(struct pkix_search *s)
{
    unsigned queue[PKIX_EXTRAS_MAX], head = 0, tail = 0;

    for (unsigned i = 0; i < s->extras_count; i++) {
        s->extra_reaches[i] = is_in_store(s->store, s->extras[i].issuer);
        if (s->extra_reaches[i])
            queue[tail++] = i;
    }
    while (head < tail) {
        const struct pkix_cert *issuer = &s->extras[queue[head++]];

        for (unsigned i = 0; i < s->extras_count; i++) {
            if (s->extra_reaches[i] || !span_equal(s->extras[i].issuer, issuer->subject))
                continue;
            s->extra_reaches[i] = true;
            queue[tail++] = i;
        }
    }
}
