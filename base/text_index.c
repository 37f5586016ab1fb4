/* see base/text_index.h
 *
 * Open addressing: a text is at the place that its hash names, or at the first free one behind it. At most half of the
 * places are taken, so there is always a free one to stop at. */
#include "base/text_index.h"

#include "base/span.h"

#include <stdlib.h>
#include <string.h>

struct text_index_place {
    const char *text; /* NULL: free */
    size_t number;
};

enum { PLACES_MIN = 16 };

/* Where `text` is, or the free place where it belongs. The index has places. */
static struct text_index_place *place_of(const struct text_index *x, const char *text)
{
    size_t at = (size_t)span_hash(span_of_string(text)) & (x->place_count - 1);

    while (x->places[at].text != NULL && strcmp(x->places[at].text, text) != 0)
        at = (at + 1) & (x->place_count - 1);
    return &x->places[at];
}

static void grow(struct text_index *x)
{
    struct text_index old = *x;

    x->place_count = old.place_count == 0 ? PLACES_MIN : 2 * old.place_count;
    x->places = base_alloc(x->place_count * sizeof(*x->places));
    for (size_t i = 0; i < old.place_count; i++)
        if (old.places[i].text != NULL)
            *place_of(x, old.places[i].text) = old.places[i];
    free(old.places);
}

ptrdiff_t text_index_find(const struct text_index *x, const char *text)
{
    const struct text_index_place *place;

    if (x->count == 0)
        return TEXT_INDEX_NONE;
    place = place_of(x, text);
    return place->text == NULL ? TEXT_INDEX_NONE : (ptrdiff_t)place->number;
}

void text_index_add(struct text_index *x, const char *text, size_t number)
{
    struct text_index_place *place;

    assert(number <= PTRDIFF_MAX);
    if (2 * (x->count + 1) > x->place_count)
        grow(x);
    place = place_of(x, text);
    assert(place->text == NULL);
    *place = (struct text_index_place){.text = text, .number = number};
    x->count++;
}

void text_index_clear(struct text_index *x)
{
    free(x->places);
    *x = (struct text_index){.count = 0};
}
