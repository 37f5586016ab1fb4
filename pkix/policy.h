/* pkix/policy.h: which certificate policies hold for a whole path? RFC 5280 section 6.1, as RFC 9618 updates it.
 *
 * The words: the *user's* policies are those asked for (user-initial-policy-set); the *authorities'* policies are those
 * for which every certificate of the path speaks, in the terms of the anchor's domain; an *explicit policy* is required
 * when the request, or a certificate of the path, says that some policy has to hold.
 *
 * A graph, not RFC 5280's tree: one node for each policy at each depth, with an edge to every parent. The tree has one
 * node for each way to get there, which is exponential in the depth of the path (CVE-2023-0464). Here the work is
 * linear (but for sorting) in the policies and mappings that the certificates have, and all of it is counted against
 * pkix_limits.policy_steps_max: a peer may have many paths to show.
 *
 *     depth 0    anyPolicy
 *                 /     \
 *     depth 1   Gold    anyPolicy      what the first certificate below the anchor lists
 *                |         |
 *     depth 2   Gold     Silver        Silver hangs below anyPolicy: it is in the anchor's terms, as Gold at depth 1 is
 *
 * Self-issued certificates do not count down explicit_policy, policy_mapping and inhibit_anyPolicy, as the RFC has it;
 * elsewhere pkix/ knows no such exemption. An anchor's own extensions are not part of the path.
 *
 * What is wrong with a policy extension is an error for every certificate whose extension is processed, the leaf's not
 * least, and also when nobody asked for a policy: OpenSSL passed over a leaf's malformed policies, and with them over
 * the check (CVE-2023-0465). RFC 9618 section 4.4 leaves no other way: what is critical and not processed has to be
 * refused. BoringSSL, and with it Chromium, processes policies unconditionally since March 2023 and refuses the same:
 * a certificate for the public web cannot afford it. */
#ifndef YETT_PKIX_POLICY_H
#define YETT_PKIX_POLICY_H

#include "pkix/policy_read.h"
#include "pkix/request.h"

enum {
    PKIX_POLICY_NODES_MAX = 1024,    /* of one path's graph */
    PKIX_POLICY_EDGES_MAX = 4096,    /* likewise */
    PKIX_POLICY_EXPECTED_MAX = 1024, /* policies that one certificate's issuers vouch for */
    PKIX_POLICIES_VALID_MAX = 256,   /* that hold for a path */
};

/* Policies that hold for a path: contents of object identifiers, borrowed from its certificates and the request. */
struct pkix_policy_set {
    struct span items[PKIX_POLICIES_VALID_MAX];
    unsigned count;
    bool any; /* any policy holds: all the certificates say anyPolicy */
};

struct pkix_policy_outcome {
    struct pkix_policy_set authorities, user; /* the user's: those of the authorities' that were asked for */

    /* After a failure: which rule (static), which certificate is to blame, and which one requires an explicit policy.
     * The indexes are those of the path; `required_by` is PKIX_POLICY_REQUESTED when it is the request. */
    const char *what;
    unsigned culprit;
    unsigned required_by;
};

enum { PKIX_POLICY_REQUESTED = 0xffff };

/* `path`: leaf first, without the anchor; `count` 0 to PKIX_PATH_MAX - 1 (0: nothing is asked of it, everything holds).
 * `steps_left` is counted down, over all paths of a verification.
 *
 * PKIX_OK, PKIX_POLICY_MISSING, PKIX_BAD_POLICY, or PKIX_LIMIT_EXCEEDED: of this path alone while *steps_left > 0. */
MUST_CHECK enum pkix_error pkix_policy_check(const struct pkix_cert *const *path, unsigned count,
                                             const struct pkix_policy_inputs *inputs, unsigned *steps_left,
                                             struct pkix_policy_outcome *outcome);

bool pkix_policy_set_has(const struct pkix_policy_set *set, struct span policy);

#endif
