/* see base/slab.h
 *
 * A block is aligned to its size, so an object's address tells its block. Free places are a list through themselves;
 * places that were never used are beyond `carved`. */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_IS_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_IS_PLAIN 1
#endif
#endif

#ifdef SLAB_IS_PLAIN

void *slab_alloc(struct slab *s)
{
    return base_alloc(s->object_size);
}

void slab_free(struct slab *s, void *object)
{
    (void)s;
    free(object);
}

#else

struct slab_block {
    struct slab_block *next, *previous; /* in the slab's list, if there is a free place */
    void *free_places;
    size_t used, carved;
    max_align_t places[];
};

static size_t place_size(const struct slab *s)
{
    return (s->object_size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

static size_t places_max(const struct slab *s)
{
    return (SLAB_BLOCK_BYTES - sizeof(struct slab_block)) / place_size(s);
}

/* What a free place holds. Both words are there in the smallest place. */
struct free_place {
    void *next;
    uintptr_t mark;
};
static_assert(sizeof(struct free_place) <= sizeof(max_align_t), "a free place has room for its words");

static uintptr_t mark_of(const void *place)
{
    return (uintptr_t)place ^ (uintptr_t)0x5ab5ab5a;
}

static bool is_free(const struct slab_block *b, const void *place)
{
    struct free_place words;

    for (const void *at = b->free_places; at != NULL; at = words.next) {
        if (at == place)
            return true;
        memcpy(&words, at, sizeof(words));
    }
    return false;
}

/* That it is an object of this slab which was not freed: else two connections would come to have the same memory. Only
 * who has the mark, by chance or because it is free, is looked for in the list. */
static void check_object(const struct slab *s, const struct slab_block *b, const void *object)
{
    size_t at = (size_t)((const char *)object - (const char *)b->places);
    struct free_place words;

    memcpy(&words, object, sizeof(words));
    assert((const char *)object >= (const char *)b->places && at % place_size(s) == 0 &&
           at / place_size(s) < b->carved && b->used != 0);
    assert(words.mark != mark_of(object) || !is_free(b, object));
}

static void enlist(struct slab *s, struct slab_block *b)
{
    b->previous = NULL;
    b->next = s->roomy;
    if (b->next != NULL)
        b->next->previous = b;
    s->roomy = b;
}

static void delist(struct slab *s, struct slab_block *b)
{
    if (b->previous != NULL)
        b->previous->next = b->next;
    else
        s->roomy = b->next;
    if (b->next != NULL)
        b->next->previous = b->previous;
}

static void add_block(struct slab *s)
{
    struct slab_block *b = aligned_alloc(SLAB_BLOCK_BYTES, SLAB_BLOCK_BYTES);

    assert(s->object_size != 0 && s->object_size <= SLAB_BLOCK_BYTES / 8);
    if (b == NULL)
        base_abort("out of memory");
    *b = (struct slab_block){.next = NULL};
    enlist(s, b);
    s->blocks++;
}

void *slab_alloc(struct slab *s)
{
    struct slab_block *b;
    void *place;

    pthread_mutex_lock(&s->lock);
    if (s->roomy == NULL)
        add_block(s);
    b = s->roomy;
    place = b->free_places;
    if (place != NULL)
        memcpy(&b->free_places, place, sizeof(b->free_places));
    else
        place = (char *)b->places + b->carved++ * place_size(s);
    if (++b->used == places_max(s))
        delist(s, b);
    s->objects++;
    pthread_mutex_unlock(&s->lock);
    memset(place, 0, s->object_size);
    return place;
}

void slab_free(struct slab *s, void *object)
{
    struct slab_block *b = (struct slab_block *)((uintptr_t)object & ~(uintptr_t)(SLAB_BLOCK_BYTES - 1));

    if (object == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    check_object(s, b, object);
    memcpy(object, &(struct free_place){.next = b->free_places, .mark = mark_of(object)}, sizeof(struct free_place));
    b->free_places = object;
    if (b->used-- == places_max(s))
        enlist(s, b);
    s->objects--;
    /* The one that is kept is whichever is alone with free places: the next object goes there. */
    if (b->used == 0 && (b->next != NULL || b->previous != NULL)) {
        delist(s, b);
        free(b);
        s->blocks--;
    }
    pthread_mutex_unlock(&s->lock);
}

#endif

struct text {
    char bytes[SLAB_TEXT_BYTES];
};

static struct slab texts = SLAB_OF(struct text);

char *slab_strndup(const char *text, size_t length)
{
    char *copy;

    length = strnlen(text, length); /* slab_strfree() goes by what it finds */
    if (length >= SLAB_TEXT_BYTES)
        return base_strndup(text, length);
    copy = slab_alloc(&texts);
    memcpy(copy, text, length);
    return copy;
}

char *slab_strdup(const char *text)
{
    return slab_strndup(text, strlen(text));
}

void slab_strfree(char *text)
{
    if (text == NULL || strlen(text) >= SLAB_TEXT_BYTES)
        free(text);
    else
        slab_free(&texts, text);
}
