/* see proxy/supervisor/refused_pins.h */
#include "proxy/supervisor/refused_pins.h"

#include <stdlib.h>
#include <string.h>

static struct refused_pin *find(const struct refused_pins *r, const char *module)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].module, module) == 0)
            return &r->items[i];
    return NULL;
}

const struct refused_pin *refused_pins_find(const struct refused_pins *r, const char *module)
{
    return find(r, module);
}

void refused_pins_forget(struct refused_pins *r, const char *module)
{
    struct refused_pin *one = find(r, module);

    if (one == NULL)
        return;
    tokens_pin_destroy(&one->pin);
    free(one->module);
    *one = r->items[--r->count];
}

void refused_pins_keep(struct refused_pins *r, const char *module, const struct tokens_pin *pin,
                       const struct pin_policy *policy)
{
    struct tokens_pin *copy = NULL;
    char *error = NULL;

    refused_pins_forget(r, module);
    if (pin != NULL)
        copy = tokens_pin_copy(tokens_pin_text(pin), strlen(tokens_pin_text(pin)), &error);
    free(error);
    if (copy == NULL)
        return;
    r->items = base_realloc_array(r->items, r->count + 1, sizeof(*r->items));
    r->items[r->count++] = (struct refused_pin){.module = base_strdup(module), .pin = copy, .policy = *policy};
}

void refused_pins_clear(struct refused_pins *r)
{
    for (size_t i = 0; i < r->count; i++) {
        tokens_pin_destroy(&r->items[i].pin);
        free(r->items[i].module);
    }
    free(r->items);
    *r = (struct refused_pins){.items = NULL};
}
