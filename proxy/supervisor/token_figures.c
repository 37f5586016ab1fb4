/* see proxy/supervisor/token_figures.h */
#include "proxy/supervisor/token_figures.h"

#include "proxy/supervisor/pin_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS_PER_SECOND = 1000, US_PER_SECOND = 1000000 };

static struct token_figures *find(const struct token_figures_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}

/* NULL when there are more than are kept account of. */
static struct token_figures *find_or_add(struct token_figures_list *list, const char *name)
{
    struct token_figures *f = find(list, name);

    if (f != NULL || list->count == PIN_POLICY_TOKENS_MAX)
        return f;
    list->items = base_realloc_array(list->items, list->count + 1, sizeof(*list->items));
    f = &list->items[list->count++];
    memset(f, 0, sizeof(*f));
    snprintf(f->name, sizeof(f->name), "%s", name);
    return f;
}

static void add_code(struct tokens_agent_figures *sum, const struct tokens_agent_code *code)
{
    if (code->count == 0)
        return;
    for (size_t i = 0; i < TOKENS_AGENT_CODES; i++) {
        if (sum->codes[i].count != 0 && sum->codes[i].ckr != code->ckr)
            continue;
        sum->codes[i].ckr = code->ckr;
        sum->codes[i].count += code->count;
        return;
    }
    sum->other_codes += code->count;
}

/* What only grows. */
static void add(struct tokens_agent_figures *sum, const struct tokens_agent_figures *figures)
{
    for (size_t i = 0; i <= TOKENS_AGENT_BUCKETS; i++)
        sum->took[i] += figures->took[i];
    sum->took_us += figures->took_us;
    sum->timeouts += figures->timeouts;
    for (size_t i = 0; i < TOKENS_AGENT_CODES; i++)
        add_code(sum, &figures->codes[i]);
    sum->other_codes += figures->other_codes;
}

void token_figures_hear(struct token_figures_list *list, const char *name, const struct tokens_agent_figures *figures)
{
    struct token_figures *f = find_or_add(list, name);

    if (f != NULL)
        f->now = *figures;
}

void token_figures_agent_died(struct token_figures_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        add(&list->items[i].before, &list->items[i].now);
        memset(&list->items[i].now, 0, sizeof(list->items[i].now));
    }
}

void token_figures_take_over(struct token_figures_list *list, const struct token_figures_list *before)
{
    for (size_t i = 0; i < before->count; i++) {
        struct token_figures *f = find_or_add(list, before->items[i].name);

        if (f == NULL)
            return;
        add(&f->before, &before->items[i].before);
        add(&f->before, &before->items[i].now);
    }
}

void token_figures_clear(struct token_figures_list *list)
{
    free(list->items);
    *list = (struct token_figures_list){.items = NULL};
}

static void set(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *codes(const struct tokens_agent_figures *sum)
{
    json_t *list = json_array();

    for (size_t i = 0; i < TOKENS_AGENT_CODES; i++) {
        char number[24];

        if (sum->codes[i].count == 0)
            continue;
        snprintf(number, sizeof(number), "0x%llx", (unsigned long long)sum->codes[i].ckr);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "code", tokens_agent_code_name(sum->codes[i].ckr),
                                              "number", number, "count", (json_int_t)sum->codes[i].count));
    }
    if (sum->other_codes != 0)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I}", "code", "other", "number", "", "count", (json_int_t)sum->other_codes));
    return list;
}

/* As Prometheus has a histogram: each bucket has those of the smaller ones in it. */
static json_t *histogram(const struct tokens_agent_figures *sum, uint64_t *count)
{
    json_t *buckets = json_array();

    *count = 0;
    for (size_t i = 0; i < TOKENS_AGENT_BUCKETS; i++) {
        *count += sum->took[i];
        json_array_append_new(buckets, json_pack("{s:f, s:I}", "le", (double)tokens_agent_bucket_ms[i] / MS_PER_SECOND,
                                                 "count", (json_int_t)*count));
    }
    *count += sum->took[TOKENS_AGENT_BUCKETS];
    return json_pack("{s:o, s:f, s:I}", "buckets", buckets, "sum", (double)sum->took_us / US_PER_SECOND, "count",
                     (json_int_t)*count);
}

void token_figures_show(const struct token_figures_list *list, const char *name, json_t *token)
{
    const struct token_figures *f = find(list, name);
    struct tokens_agent_figures sum = {0}, now = {0};
    uint64_t signatures, failures = 0;
    json_t *seconds, *failed;
    size_t i;
    json_t *code;

    if (f != NULL) {
        sum = f->before;
        now = f->now;
        add(&sum, &f->now);
    }
    seconds = histogram(&sum, &signatures);
    failed = codes(&sum);
    json_array_foreach(failed, i, code)
    {
        failures += (uint64_t)json_integer_value(json_object_get(code, "count"));
    }
    set(token, "sessions_open", now.sessions_open);
    set(token, "sessions_limit", now.sessions_limit);
    set(token, "busy", now.busy);
    set(token, "queued", now.queued);
    set(token, "signatures", signatures);
    set(token, "timeouts", sum.timeouts);
    set(token, "failures", failures);
    json_object_set_new(token, "failures_by_code", failed);
    json_object_set_new(token, "signature_seconds", seconds);
}
