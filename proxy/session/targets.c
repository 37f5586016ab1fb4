/* see proxy/session/targets.h */
#include "proxy/session/targets.h"

#include "proxy/process/limits.h"
#include <stdlib.h>

struct target {
    unsigned failures; /* in a row; 0: it serves, as far as is known */
    uint64_t due_ms;   /* with failures: until when it is left alone */
    size_t sessions;
};

struct targets {
    const struct services *services;
    struct target **items; /* by service; NULL: it has no choice */
    size_t *turn;          /* by service: which one is first next, in turn */
};

struct targets *targets_create(const struct services *services)
{
    struct targets *t = base_alloc(sizeof(*t));

    t->services = services;
    t->items = base_alloc(services->count * sizeof(struct target *));
    t->turn = base_alloc(services->count * sizeof(*t->turn));
    for (size_t i = 0; i < services->count; i++)
        if (services->items[i].config->connect_count > 1)
            t->items[i] = base_alloc(services->items[i].config->connect_count * sizeof(**t->items));
    return t;
}

void targets_destroy(struct targets **t)
{
    if (*t == NULL)
        return;
    for (size_t i = 0; i < (*t)->services->count; i++)
        free((*t)->items[i]);
    free((*t)->items);
    free((*t)->turn);
    free(*t);
    *t = NULL;
}

bool targets_has(const struct targets *t, size_t service)
{
    return t != NULL && t->items[service] != NULL;
}

static struct target *target_of(const struct targets *t, size_t service, size_t target)
{
    assert(targets_has(t, service) && target < t->services->items[service].config->connect_count);
    return &t->items[service][target];
}

static bool is_left_alone(const struct target *target, uint64_t now_ms)
{
    return target->failures != 0 && now_ms < target->due_ms;
}

/* Whether `a` is tried before `b`, which `balance` has before it. */
static bool goes_before(const struct target *a, const struct target *b, enum config_balance balance, uint64_t now_ms)
{
    bool a_alone = is_left_alone(a, now_ms), b_alone = is_left_alone(b, now_ms);

    if (a_alone != b_alone)
        return b_alone;
    if (a_alone)
        return a->due_ms < b->due_ms;
    return balance == CONFIG_BALANCE_LEAST && a->sessions < b->sessions;
}

void targets_order(struct targets *t, size_t service, uint64_t now_ms, size_t *order)
{
    const struct config_service *config = t->services->items[service].config;
    const struct target *items = t->items[service];
    size_t count = config->connect_count, first = 0;

    if (config->balance != CONFIG_BALANCE_FIRST) {
        first = t->turn[service];
        t->turn[service] = (first + 1) % count;
    }
    for (size_t i = 0; i < count; i++) {
        size_t target = (first + i) % count, at = i;

        /* As many as an administrator writes into a line. */
        for (; at > 0 && goes_before(&items[target], &items[order[at - 1]], config->balance, now_ms); at--)
            order[at] = order[at - 1];
        order[at] = target;
    }
}

uint32_t targets_alone_ms(const struct targets *t, size_t service, size_t target)
{
    unsigned failures = target_of(t, service, target)->failures;
    uint32_t ms = LIMIT_TARGET_ALONE_MS;

    if (failures == 0)
        return 0;
    while (--failures > 0 && ms < LIMIT_TARGET_ALONE_MAX_MS)
        ms *= 2;
    return ms < LIMIT_TARGET_ALONE_MAX_MS ? ms : LIMIT_TARGET_ALONE_MAX_MS;
}

/* Sessions that were on their way to it together fail together: that is one failure. */
bool targets_note_failed(struct targets *t, size_t service, size_t target, uint64_t now_ms)
{
    struct target *item = target_of(t, service, target);

    if (is_left_alone(item, now_ms))
        return false;
    item->failures++;
    item->due_ms = now_ms + targets_alone_ms(t, service, target);
    return item->failures == 1;
}

bool targets_note_good(struct targets *t, size_t service, size_t target)
{
    struct target *item = target_of(t, service, target);
    bool was_alone = item->failures != 0;

    item->failures = 0;
    return was_alone;
}

void targets_hold(struct targets *t, size_t service, size_t target)
{
    target_of(t, service, target)->sessions++;
}

void targets_release(struct targets *t, size_t service, size_t target)
{
    assert(target_of(t, service, target)->sessions > 0);
    target_of(t, service, target)->sessions--;
}
