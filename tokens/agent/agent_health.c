/* see tokens/agent/agent_health.h */
#include "tokens/agent/agent_health.h"

/* see tokens/agent/agent_health.h */
void agent_health_reset(struct agent_health *h)
{
    *h = (struct agent_health){.ever_good = h->ever_good};
}

/* see tokens/agent/agent_health.h */
void agent_health_good(struct agent_health *h, enum agent_operation operation)
{
    if (operation == AGENT_LOGIN)
        h->login_failed = false;
    if (operation == AGENT_SIGN || operation == AGENT_FIND)
        h->ever_good = true;
    if (operation >= h->highest && operation != AGENT_LOGIN)
        agent_health_reset(h);
}

/* see tokens/agent/agent_health.h */
void agent_health_bad(struct agent_health *h, enum agent_operation operation, uint64_t now_ms)
{
    if (h->failures++ == 0)
        h->since_ms = now_ms;
    if (operation == AGENT_LOGIN) {
        h->login_failed = h->login_spent = true;
        h->failures += AGENT_HEALTH_FAILURES;
    }
    if (operation > h->highest)
        h->highest = operation;
    h->failed_since = true;
}

/* see tokens/agent/agent_health.h */
bool agent_health_fails(const struct agent_health *h, uint64_t now_ms)
{
    return h->failures >= AGENT_HEALTH_FAILURES || (h->failures > 1 && now_ms - h->since_ms >= AGENT_HEALTH_MS);
}

static uint64_t doubled(uint64_t ms, unsigned times, uint64_t ms_max)
{
    while (times-- > 0 && ms < ms_max)
        ms *= 2;
    return ms < ms_max ? ms : ms_max;
}

static uint64_t left(uint64_t since_ms, uint64_t wait_ms, uint64_t now_ms)
{
    return now_ms - since_ms >= wait_ms ? 0 : wait_ms - (now_ms - since_ms);
}

static uint64_t long_wait_ms(const struct agent_health *h, uint64_t now_ms)
{
    return left(h->tried_ms, doubled(AGENT_HEALTH_LONG_MS, h->waits, AGENT_HEALTH_LONG_MS_MAX), now_ms);
}

/* see tokens/agent/agent_health.h */
uint64_t agent_health_login_wait_ms(const struct agent_health *h, uint64_t now_ms)
{
    return h->failures == 0 || !h->login_spent ? 0 : long_wait_ms(h, now_ms);
}

/* see tokens/agent/agent_health.h */
bool agent_health_may_login(struct agent_health *h, uint64_t now_ms)
{
    if (agent_health_login_wait_ms(h, now_ms) != 0) {
        /* Nothing is signed before one is allowed, so this is no time to wait for more failures. */
        if (h->failures < AGENT_HEALTH_FAILURES)
            h->failures = AGENT_HEALTH_FAILURES;
        h->failed_since = true;
        return false;
    }
    if (h->failures == 0) {
        h->login_spent = !h->ever_good; /* of what it comes to nothing is known yet */
        return true;
    }
    if (h->login_spent)
        h->waits++;
    h->login_spent = true;
    h->tried_ms = now_ms;
    return true;
}

static bool gives_way(const struct agent_health *h, bool others_are_well)
{
    bool reached_login = h->restarts > 0 && h->login_spent && !h->login_failed;

    return h->ever_good && !others_are_well && (reached_login || h->restarts >= AGENT_HEALTH_RESTARTS);
}

/* Soon where nobody is disturbed and no login was spent in vain, by this process or by the one that gave way to it. */
static uint64_t repair_wait_ms(const struct agent_health *h, bool others_are_well, uint64_t now_ms)
{
    bool again = h->restarts > 0 || (!h->ever_good && !h->login_failed);

    if (again && !gives_way(h, others_are_well) && (others_are_well || h->login_spent))
        return long_wait_ms(h, now_ms);
    return left(h->tried_ms, doubled(AGENT_HEALTH_RESTART_MS, h->restarts, AGENT_HEALTH_RESTART_MS_MAX), now_ms);
}

/* see tokens/agent/agent_health.h */
enum agent_repair agent_health_due(const struct agent_health *h, bool others_are_well, uint64_t now_ms)
{
    if (!agent_health_fails(h, now_ms))
        return AGENT_REPAIR_NONE;
    if (h->last == AGENT_REPAIR_NONE)
        return AGENT_REPAIR_LOOK;
    if (!h->failed_since || repair_wait_ms(h, others_are_well, now_ms) != 0)
        return AGENT_REPAIR_NONE;
    return gives_way(h, others_are_well) ? AGENT_REPAIR_PROCESS : AGENT_REPAIR_RESTART;
}

/* see tokens/agent/agent_health.h */
void agent_health_tried(struct agent_health *h, enum agent_repair repair, uint64_t now_ms)
{
    /* A mere look mends little: what failed before it goes on failing, and nobody has to lose a handshake to prove it.
     */
    h->failed_since = repair == AGENT_REPAIR_LOOK;
    h->last = repair;
    if (repair == AGENT_REPAIR_RESTART) {
        if (h->restarts++ > 0 && now_ms - h->tried_ms >= AGENT_HEALTH_LONG_MS)
            h->waits++;
        h->login_spent = false;
    }
    h->tried_ms = now_ms;
}
