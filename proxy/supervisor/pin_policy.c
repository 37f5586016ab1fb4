/* see proxy/supervisor/pin_policy.h */
#include "proxy/supervisor/pin_policy.h"

#include <stdio.h>
#include <string.h>

static const char *const standing_names[] = {"untried", "right", "unknown", "held", "incorrect", "locked"};
static_assert(ARRAY_LEN(standing_names) == PIN_STANDING_LOCKED + 1, "one name for each standing");

const char *pin_standing_name(enum pin_standing standing)
{
    return standing_names[standing];
}

/* NULL when there are more tokens than are kept account of. */
static struct pin_policy_token *find_or_add(struct pin_policy *p, const char *label)
{
    struct pin_policy_token *t;

    for (size_t i = 0; i < p->count; i++)
        if (strncmp(p->tokens[i].label, label, PIN_POLICY_LABEL_SIZE - 1) == 0)
            return &p->tokens[i];
    if (p->count == PIN_POLICY_TOKENS_MAX)
        return NULL;
    t = &p->tokens[p->count++];
    *t = (struct pin_policy_token){.standing = PIN_STANDING_UNTRIED};
    snprintf(t->label, sizeof(t->label), "%s", label);
    return t;
}

static const struct pin_policy_token *find(const struct pin_policy *p, const char *label)
{
    for (size_t i = 0; i < p->count; i++)
        if (strncmp(p->tokens[i].label, label, PIN_POLICY_LABEL_SIZE - 1) == 0)
            return &p->tokens[i];
    return NULL;
}

bool pin_policy_was_right(const struct pin_policy *p, const char *label)
{
    const struct pin_policy_token *t = find(p, label);

    return t != NULL && t->ever_right;
}

bool pin_policy_was_given(const struct pin_policy *p, const char *label)
{
    const struct pin_policy_token *t = find(p, label);

    return t != NULL && t->given;
}

bool pin_policy_give(struct pin_policy *p, const char *label, const char **why)
{
    struct pin_policy_token *t = find_or_add(p, label);

    *why = NULL;
    if (t == NULL)
        *why = "this module has more tokens than yett keeps account of";
    else if (t->given)
        *why = "it was given to this agent already";
    else
        switch (t->standing) {
        case PIN_STANDING_UNTRIED:
            break;
        case PIN_STANDING_RIGHT:
            if (t->deaths >= PIN_POLICY_TRY_DEATHS_MAX)
                *why = "agents died while trying it, again and again; it waits for an administrator";
            break;
        case PIN_STANDING_UNKNOWN:
            *why = "an agent died while trying it, and a try may have been spent; it waits for an administrator";
            break;
        case PIN_STANDING_HELD:
            *why = "the token had a wrong one before, as it says; it waits for an administrator";
            break;
        case PIN_STANDING_INCORRECT:
            *why = "it was wrong and is not tried again until an administrator gives one";
            break;
        case PIN_STANDING_LOCKED:
            *why = "the token's PIN is locked or at its last try; an administrator has to see to it";
            break;
        }
    if (*why == NULL)
        t->given = true;
    else if (t != NULL)
        t->turned_away = true;
    return *why == NULL;
}

void pin_policy_missing(struct pin_policy *p, const char *label)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t != NULL)
        t->turned_away = true;
}

void pin_policy_trying(struct pin_policy *p, const char *label)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t != NULL)
        t->trying = true;
}

void pin_policy_right(struct pin_policy *p, const char *label)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t == NULL)
        return;
    t->standing = PIN_STANDING_RIGHT;
    t->ever_right = true;
    t->trying = false;
    t->deaths = 0;
}

void pin_policy_unused(struct pin_policy *p, const char *label)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t != NULL)
        t->trying = false;
}

void pin_policy_refused(struct pin_policy *p, const char *label, enum pin_standing standing)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t == NULL)
        return;
    t->standing = standing;
    t->ever_right = t->trying = false;
}

void pin_policy_token_gone(struct pin_policy *p, const char *label, bool gone)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t != NULL)
        t->gone = gone;
}

void pin_policy_agent_died(struct pin_policy *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct pin_policy_token *t = &p->tokens[i];

        if (t->trying) {
            t->deaths++;
            if (!t->ever_right)
                t->standing = PIN_STANDING_UNKNOWN;
        }
        t->trying = t->given = t->turned_away = false;
    }
}

static void begin_anew(struct pin_policy_token *t)
{
    t->standing = PIN_STANDING_UNTRIED;
    t->ever_right = t->turned_away = false;
    t->deaths = 0;
}

unsigned pin_policy_renew(struct pin_policy *p)
{
    unsigned renewed = 0;

    for (size_t i = 0; i < p->count; i++) {
        struct pin_policy_token *t = &p->tokens[i];

        t->renewed = t->given || t->turned_away || t->standing != PIN_STANDING_UNTRIED;
        renewed += t->renewed;
        begin_anew(t);
        t->given |= t->renewed;
    }
    return renewed;
}

void pin_policy_taken(struct pin_policy *p, const char *label)
{
    struct pin_policy_token *t = find_or_add(p, label);

    if (t == NULL)
        return;
    begin_anew(t);
    t->given = true;
}

void pin_policy_logout(struct pin_policy *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct pin_policy_token *t = &p->tokens[i];

        t->turned_away |= t->given || t->standing == PIN_STANDING_RIGHT;
        t->given = false;
    }
}

enum pin_standing pin_policy_worst(const struct pin_policy *p)
{
    enum pin_standing worst = PIN_STANDING_UNTRIED;

    for (size_t i = 0; i < p->count; i++)
        if (p->tokens[i].standing > worst)
            worst = p->tokens[i].standing;
    return worst;
}

bool pin_policy_is_spent(const struct pin_policy *p)
{
    return pin_policy_worst(p) > PIN_STANDING_RIGHT;
}
