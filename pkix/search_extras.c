/* see pkix/search_extras.h */
#include "pkix/search_extras.h"
#include "pkix/intermediates.h"
#include "pkix/store_internal.h"

/* Twice the same certificate is twice the same work. */
bool pkix_search_knows(const struct pkix_search *s, const struct pkix_cert *cert)
{
    if (pkix_store_find_same(&s->store->anchors, cert) != NULL ||
        pkix_store_find_same(&s->store->intermediates, cert) != NULL || span_equal(cert->der, s->leaf.der))
        return true;
    for (unsigned i = 0; i < s->extras_count; i++)
        if (span_equal(s->extras[i].der, cert->der))
            return true;
    return false;
}

/* False when there is no room for it: then for none behind it either, so that what counts is a beginning of what the
 * peer sent. */
bool pkix_search_add_extra(struct pkix_search *s, struct span der)
{
    struct pkix_cert *cert = &s->extras[s->extras_count];

    if (s->extras_count == s->budget.limits.extras_max || der.size > s->extras_bytes_left)
        return false;
    /* Number and bytes, the first ones that come: the peer decides the order, so it gains nothing by sending more,
     * and TLS alone lets it send 16 MB. */
    s->extras_bytes_left -= der.size;
    s->extra_errors[s->extras_count] = pkix_cert_read(der, cert);
    if (!pkix_search_knows(s, cert))
        s->extras_count++;
    return true;
}

/* ---- which of the peer's certificates names could lead from to an anchor ----
 *
 * A certificate whose issuer's name nobody has, or only others like it, is on no path, whatever has signed it. To know
 * that takes comparisons of names; to find it out by extending paths takes a signature check for each such issuer: a
 * hundred authorities that all issue each other were 27 ms of P-256. Names are cheap to make up, so this is no defence
 * against those who know an anchor's; the limits are. */

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

/* From the store downwards, each certificate once: the square of their number in comparisons, however they are linked.
 * A certificate may be reached that in the end is not usable; none that is unreachable by name is ever usable. Each
 * enters the queue once, which is as long as there are certificates. */
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
