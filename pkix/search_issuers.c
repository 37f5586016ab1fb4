/* see pkix/search_issuers.h */
#include "pkix/search_issuers.h"
#include "pkix/issuers.h"
#include "pkix/names.h"
#include "pkix/search_extras.h"

#include <stdlib.h>

/* Reasons that another issuer of the same name could change. Remembered ones may be out of date, or have an older key.
 * Whatever else is wrong stays wrong, with whichever issuer. */
static bool is_for_want_of_an_issuer(enum pkix_error error)
{
    return error == PKIX_UNKNOWN_ISSUER || error == PKIX_BAD_SIGNATURE || error == PKIX_EXPIRED_ISSUER ||
           error == PKIX_NOT_YET_VALID_ISSUER;
}

/* Whoever names nobody we look for is not worth a question. The question goes to a third party, over plain http, and
 * tells it that somebody here is talking to such a server. */
static bool has_wanted_name(const struct pkix_search *s)
{
    return s->request->name.type == PKIX_NAME_NONE || pkix_name_check(&s->leaf, &s->request->name) == PKIX_OK;
}

struct arrival {
    struct pkix_search *search;
    struct span wanted; /* subject */
    bool has_wanted, is_full;
};

/* Each is an extra like the peer's own, under the same limits: it comes from an address that the peer named. */
static void take(void *ctx, struct span der)
{
    struct arrival *a = ctx;
    struct pkix_search *s = a->search;
    unsigned before = s->extras_count;
    uint8_t *copy;

    /* A message may have more certificates than there is room for; those in front count. */
    if (s->fetched_count == PKIX_EXTRAS_MAX) {
        a->is_full = true;
        return;
    }
    copy = base_memdup(der.data, der.size);
    a->is_full = a->is_full || !pkix_search_add_extra(s, span_of(copy, der.size));
    if (s->extras_count == before) {
        free(copy); /* no room, or it is there already */
        return;
    }
    s->fetched[s->fetched_count++] = copy;
    a->has_wanted = a->has_wanted || span_equal(s->extras[before].subject, a->wanted);
}

/* NULL, or why what came is of no use. A single certificate, or a PKCS #7 message of several (RFC 5280 section
 * 4.2.2.1). Those that help nobody are dropped, and that nothing helped is said. */
static const char *read_answer(struct pkix_search *s, const struct pkix_cert *child,
                               const struct pkix_issuer_answer *answer)
{
    struct arrival arrival = {.search = s, .wanted = child->issuer};

    if (answer->bytes == NULL)
        return answer->why;
    if (pkix_issuers_read(span_of(answer->bytes, answer->size), take, &arrival) != PKIX_OK)
        return "what came is no certificate, and no PKCS #7 message with nothing but certificates";
    if (arrival.has_wanted)
        return NULL;
    return arrival.is_full ? "there are too many certificates already"
                           : "what came has not the issuer's name, or no news";
}

/* The wait is the source's, and does not count for the search. Whether it was of use. RFC 5280 section 4.2.2.1,
 * id-ad-caIssuers. The answer needs no protection: it is believed for its signature, like everything that the peer
 * sends. */
static bool ask(struct pkix_search *s, const struct pkix_cert *child, struct span url)
{
    const struct pkix_issuer_source *source = s->request->issuers;
    struct pkix_issuer_note *note = &s->notes.issuers[s->notes.issuer_count++];
    struct pkix_issuer_answer answer = {.bytes = NULL};
    uint64_t start_ms = s->budget.now_ms();

    source->ask(source->ctx, url, &answer);
    pkix_budget_waited(&s->budget, start_ms);
    *note = (struct pkix_issuer_note){.child = child, .url = url, .why = read_answer(s, child, &answer)};
    free(answer.bytes);
    return note->why == NULL;
}

/* Only off the loop, where somebody may wait. So many of one verification and no more: every question is a request of
 * ours to an address of the peer's choice, and a chain of many certificates would otherwise multiply what it costs to
 * have us ask. */
bool pkix_search_may_fetch(const struct pkix_search *s)
{
    return s->request->issuers != NULL && s->request->evidence_waiting == PKIX_MAY_WAIT &&
           s->notes.issuer_count < PKIX_ISSUERS_ASKED_MAX;
}

/* Whoever connects could have us ask the addresses of his choice, once for each connection: so only when there is no
 * path without, only for certificates on a path from a leaf that would pass, a few times in all, and each address
 * once. */
bool pkix_search_fetch_issuer(struct pkix_search *s, enum pkix_error error)
{
    if (!pkix_search_may_fetch(s) || s->budget.limit_met != NULL || !is_for_want_of_an_issuer(error) ||
        !has_wanted_name(s))
        return false;
    for (unsigned i = 0; i < s->notes.dead_end_count && s->notes.issuer_count < PKIX_ISSUERS_ASKED_MAX; i++) {
        /* Certificates where names ended, and up to which all signatures hold; in the order they were found. */
        const struct pkix_cert *child = s->notes.dead_ends[i];
        struct span url = pkix_cert_issuer_url(child);

        /* Who has issued itself is its own issuer, and what is served there would be it again. An address that was
         * asked is not asked again within one verification, whoever names it: the answer would be the same, and the
         * requests are what an attacker is after. */
        if (pkix_cert_is_self_issued(child) || url.size == 0 || pkix_notes_asked(&s->notes, url))
            continue;
        if (!ask(s, child, url))
            continue;
        pkix_search_find_reach(s);
        return true;
    }
    return false;
}
