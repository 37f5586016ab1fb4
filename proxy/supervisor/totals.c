/* see proxy/supervisor/totals.h */
#include "proxy/supervisor/totals.h"

#include <stdlib.h>

static struct totals_service *find(const struct totals *t, const char *name)
{
    ptrdiff_t index = text_index_find(&t->index, name);

    return index == TEXT_INDEX_NONE ? NULL : &t->items[index];
}

static struct totals_service *find_or_add(struct totals *t, const char *name)
{
    struct totals_service *s = find(t, name);

    if (s != NULL)
        return s;
    t->items = base_realloc_array(t->items, t->count + 1, sizeof(*t->items));
    s = &t->items[t->count];
    *s = (struct totals_service){.name = base_strdup(name)};
    text_index_add(&t->index, s->name, t->count++);
    return s;
}

void totals_fold(struct totals *t, const struct config *config, const struct counters *counters)
{
    for (size_t i = 0; i < config->service_count; i++) {
        struct totals_service *s = find_or_add(t, config->services[i].name);

        for (enum counter which = 0; which < COUNTER_COUNT; which++)
            if (!counter_is_gauge(which))
                s->values[which] += counters_read(counters, i, which);
    }
}

const struct totals_service *totals_find(const struct totals *t, const char *service_name)
{
    return find(t, service_name);
}

void totals_keep(struct totals *t, const struct config *config)
{
    text_index_clear(&t->index);
    for (size_t i = t->count; i-- > 0;) {
        if (config_service_find(config, t->items[i].name) < config->service_count)
            continue;
        free(t->items[i].name);
        t->items[i] = t->items[--t->count];
    }
    for (size_t i = 0; i < t->count; i++)
        text_index_add(&t->index, t->items[i].name, i);
}

void totals_clear(struct totals *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i].name);
    free(t->items);
    text_index_clear(&t->index);
    *t = (struct totals){0};
}
