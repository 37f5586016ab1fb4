/* see pkix/warnings.h */
#include "pkix/warnings.h"

#include <stdlib.h>
#include <string.h>

void pkix_warnings_add(struct pkix_warnings *w, char *sentence)
{
    bool is_new = w->count < PKIX_WARNINGS_MAX;

    for (unsigned i = 0; i < w->count; i++)
        is_new = is_new && strcmp(w->list[i], sentence) != 0;
    if (is_new)
        w->list[w->count++] = sentence;
    else
        free(sentence);
}

void pkix_warnings_take(struct pkix_warnings *w, struct pkix_warnings *from)
{
    for (unsigned i = 0; i < from->count; i++)
        pkix_warnings_add(w, from->list[i]);
    from->count = 0;
}

void pkix_warnings_clear(struct pkix_warnings *w)
{
    for (unsigned i = 0; i < w->count; i++)
        free(w->list[i]);
    w->count = 0;
}
