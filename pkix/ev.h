/* pkix/ev.h: which roots may issue certificates for extended validation (EV), and by which policy.
 *
 * A policy's object identifier is a claim that anybody may make; it becomes extended validation by the root that is
 * trusted with it. So there is no list of such policies, but one of *pairs*, as browsers have: OID=HEX, HEX being the
 * SHA-256 of the root's certificate. In a file there is one pair a line; '#' begins a comment, blank lines are nothing:
 *
 *     2.23.140.1.1=cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f   # DigiCert Global Root G3
 *
 * What it does not do: know any pair by itself. */
#ifndef YETT_PKIX_EV_H
#define YETT_PKIX_EV_H

#include "pkix/policy.h"
#include "pkix/rules.h"

enum { PKIX_EV_ROOTS_MAX = 1000 };

/* Immutable once verification begins; then any thread may look at it. */
struct pkix_ev_list {
    struct pkix_ev_root *roots; /* no pair is there twice */
    size_t count;
};

/* NULL, or what is wrong with the pair: a static sentence. */
MUST_CHECK const char *pkix_ev_list_add(struct pkix_ev_list *list, const char *pair);

/* Add a file's pairs. False when there was a problem; the pairs of the good lines are added. */
MUST_CHECK bool pkix_ev_list_add_path(struct pkix_ev_list *list, const char *path, pkix_rules_problem *problem,
                                      void *ctx);

void pkix_ev_list_clear(struct pkix_ev_list *list);

/* The pair by which a path is extended validation, or NULL. `authorities` are the policies that hold for it. The leaf
 * has to list the policy by itself: what an issuer maps to it, or anyPolicy, does not count (nor does it for browsers).
 */
const struct pkix_ev_root *pkix_ev_find(const struct pkix_policy_inputs *inputs, const struct pkix_cert *leaf,
                                        const struct pkix_cert *root, const struct pkix_policy_set *authorities);

#endif
