/* pkix/search_budget.h: what one verification may cost, and what of it is spent.
 *
 * A peer chooses how many certificates it sends, how they are linked, what keys they have and what names: so all that
 * grows with them is counted here, over all paths of a verification, and when one limit is met nothing more is tried.
 * Without it a message of 16 kB costs mozilla::pkix 166 s, and a mesh of authorities that certify each other
 * (RFC 4158) has more paths than anybody can try. */
#ifndef YETT_PKIX_SEARCH_BUDGET_H
#define YETT_PKIX_SEARCH_BUDGET_H

#include "pkix/request.h"

struct pkix_budget {
    struct pkix_limits limits;
    unsigned signature_checks, signature_cost_us, steps; /* spent */
    unsigned comparisons_left, policy_steps_left;        /* counted down by those who compare */
    unsigned evidence_asked, crls_asked;                 /* how often a source was asked */
    uint64_t deadline_ms;                                /* of now_ms(); 0: none */
    uint64_t (*now_ms)(void);
    const char *limit_met; /* the first, in words (static): nothing more is tried. NULL: none */
};

/* `limits` are capped at what search_state.h has room for. The time begins now. */
void pkix_budget_init(struct pkix_budget *budget, const struct pkix_limits *limits, uint64_t (*now_ms)(void));

/* A limit is met; `what` (static) says which, and the first is kept. Returns PKIX_LIMIT_EXCEEDED. */
enum pkix_error pkix_budget_met(struct pkix_budget *budget, const char *what);

/* One more issuer is tried: PKIX_OK, or PKIX_LIMIT_EXCEEDED for their number or for the time. */
MUST_CHECK enum pkix_error pkix_budget_take_step(struct pkix_budget *budget);

/* One more signature is verified, of that cost (pkix/signature.h). */
MUST_CHECK enum pkix_error pkix_budget_take_signature(struct pkix_budget *budget, unsigned cost_us);

/* Time that a source took since `start_ms` (of now_ms()) is the source's: it has a deadline of its own. */
void pkix_budget_waited(struct pkix_budget *budget, uint64_t start_ms);

/* What is left, as the limits of a search within this one; and what that one has spent. */
struct pkix_limits pkix_budget_left(const struct pkix_budget *budget);
void pkix_budget_spend(struct pkix_budget *budget, const struct pkix_budget *inner);

#endif
