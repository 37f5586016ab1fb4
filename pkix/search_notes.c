/* see pkix/search_notes.h */
#include "pkix/search_notes.h"

void pkix_notes_tried(struct pkix_notes *n, const struct pkix_path *path, enum pkix_error error,
                      struct pkix_failure failure)
{
    if (n->tried_count == PKIX_TRIED_MAX)
        return;
    n->tried[n->tried_count++] = (struct pkix_tried){
        .path = *path, .error = error, .failure = failure, .breach = n->breach, .revoked = n->revoked};
}

void pkix_notes_limit(struct pkix_notes *n, const struct pkix_path *path)
{
    if (!n->limit_is_noted)
        pkix_notes_tried(n, path, PKIX_LIMIT_EXCEEDED, (struct pkix_failure){.culprit = 0});
    n->limit_is_noted = true;
}

void pkix_notes_dead_end(struct pkix_notes *n, const struct pkix_cert *child)
{
    for (unsigned i = 0; i < n->dead_end_count; i++)
        if (n->dead_ends[i] == child)
            return;
    if (n->dead_end_count < PKIX_DEAD_ENDS_MAX)
        n->dead_ends[n->dead_end_count++] = child;
}

bool pkix_notes_asked(const struct pkix_notes *n, struct span url)
{
    for (unsigned i = 0; i < n->issuer_count; i++)
        if (span_equal(n->issuers[i].url, url))
            return true;
    return false;
}

void pkix_notes_begin_again(struct pkix_notes *n)
{
    n->tried_count = n->dead_end_count = 0;
}

void pkix_notes_clear(struct pkix_notes *n)
{
    pkix_warnings_clear(&n->warnings);
}
