/* see proxy/supervisor/totals.h */
#include "proxy/supervisor/totals.h"

#include <stdlib.h>

size_t totals_service_index(const struct config *config, const char *name)
{
    size_t i = 0;

    while (i < config->service_count && strcmp(config->services[i].name, name) != 0)
        i++;
    return i;
}

static struct totals_service *find(const struct totals *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i].name, name) == 0)
            return &t->items[i];
    return NULL;
}

static struct totals_service *find_or_add(struct totals *t, const char *name)
{
    struct totals_service *s = find(t, name);

    if (s != NULL)
        return s;
    t->items = base_realloc_array(t->items, t->count + 1, sizeof(*t->items));
    s = &t->items[t->count++];
    *s = (struct totals_service){.name = base_strdup(name)};
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

uint64_t totals_get(const struct totals *t, const char *service_name, enum counter which)
{
    const struct totals_service *s = find(t, service_name);

    return s == NULL ? 0 : s->values[which];
}

void totals_keep(struct totals *t, const struct config *config)
{
    for (size_t i = t->count; i-- > 0;) {
        if (totals_service_index(config, t->items[i].name) < config->service_count)
            continue;
        free(t->items[i].name);
        t->items[i] = t->items[--t->count];
    }
}

void totals_clear(struct totals *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->items[i].name);
    free(t->items);
    *t = (struct totals){0};
}
