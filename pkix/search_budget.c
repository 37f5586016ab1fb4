/* see pkix/search_budget.h */
#include "pkix/search_budget.h"

/* The numbers are pkix/request.h's, or an administrator's; Go and rustls have 100 signatures as well. The latter have
 * them since a chain could keep a processor busy at will (RUSTSEC-2023-0052). They are of the whole verification: what
 * a path that was given up has cost is not given back, or turning back would be free, and how often we do a peer
 * decides. */
void pkix_budget_init(struct pkix_budget *b, const struct pkix_limits *limits, uint64_t (*now_ms)(void))
{
    *b = (struct pkix_budget){.limits = *limits, .now_ms = now_ms};
    /* These two are spent by those who compare, who know no budget but a number. */
    b->comparisons_left = limits->name_comparisons_max;
    b->policy_steps_left = limits->policy_steps_max;
    if (limits->wall_ms_max != 0)
        b->deadline_ms = now_ms() + limits->wall_ms_max;
}

/* The first one that is met is told: the others follow from it. */
enum pkix_error pkix_budget_met(struct pkix_budget *b, const char *what)
{
    if (b->limit_met == NULL)
        b->limit_met = what;
    return PKIX_LIMIT_EXCEEDED;
}

enum pkix_error pkix_budget_take_step(struct pkix_budget *b)
{
    /* mozilla::pkix's one limit is 200,000 of these, which is no limit where each may cost a signature. */
    if (b->steps == b->limits.path_steps_max)
        return pkix_budget_met(b, "path steps");
    b->steps++;
    /* The clock is the last resort: it makes the answer depend on the load, so that the counts are meant to end first.
     */
    if (b->deadline_ms != 0 && b->now_ms() > b->deadline_ms)
        return pkix_budget_met(b, "time");
    return PKIX_OK;
}

/* Before it is computed, so that the last one is not one too many. */
enum pkix_error pkix_budget_take_signature(struct pkix_budget *b, unsigned cost_us)
{
    if (b->signature_checks == b->limits.signature_checks_max)
        return pkix_budget_met(b, "signature checks");
    /* Between the cheapest and the dearest key lies a factor of a hundred: a number alone is no limit. The
     * subtraction cannot wrap, since no more than the maximum is ever spent. */
    if (cost_us > b->limits.signature_cost_us_max - b->signature_cost_us)
        return pkix_budget_met(b, "cost of signature checks");
    b->signature_checks++;
    b->signature_cost_us += cost_us;
    return PKIX_OK;
}

/* Otherwise a slow responder would use up the time of the search, and its silence would decide for another error. */
void pkix_budget_waited(struct pkix_budget *b, uint64_t start_ms)
{
    if (b->deadline_ms != 0)
        b->deadline_ms += b->now_ms() - start_ms;
}

/* A search within a search is no way to get another budget. */
struct pkix_limits pkix_budget_left(const struct pkix_budget *b)
{
    struct pkix_limits limits = b->limits;

    limits.signature_checks_max -= b->signature_checks;
    limits.signature_cost_us_max -= b->signature_cost_us;
    limits.path_steps_max -= b->steps;
    limits.name_comparisons_max = b->comparisons_left;
    limits.policy_steps_max = b->policy_steps_left;
    return limits;
}

/* What was spent is spent, whatever it came to. */
void pkix_budget_spend(struct pkix_budget *b, const struct pkix_budget *inner)
{
    b->signature_checks += inner->signature_checks;
    b->signature_cost_us += inner->signature_cost_us;
    b->steps += inner->steps;
    b->comparisons_left = inner->comparisons_left;
    b->policy_steps_left = inner->policy_steps_left;
}
