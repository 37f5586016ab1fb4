/* see pkix/policy.h
 *
 * One certificate after the other, the anchor's side first. Of the graph only the last level, the *frontier*, is looked
 * at while it grows: what it expects of the next certificate is the sorted list `expected`, whose anyPolicy is apart.
 * Nodes of which nothing came are not taken out one by one, but found at the end by going the edges backwards once: a
 * child always comes after its parents, so does its edge.
 *
 * An example. The anchor's domain has Gold and Silver. The first authority below it lists Gold and anyPolicy and maps
 * Gold to the subject's Or; the next one lists Or and Silver; the leaf lists Or.
 *
 *     frontier        expected             after
 *     anyPolicy       -                    the anchor
 *     Gold, any       Or (by Gold)         the first authority: Gold is mapped, so nobody may say Gold any more
 *     Or, Silver      Or, Silver           the second: Or hangs below Gold, Silver below anyPolicy
 *     Or              Or                   the leaf
 *
 * Backwards from the last frontier: Or holds, so its parent Or, so Gold. Silver does not. What the authorities vouch
 * for, in the anchor's terms, are those that hang below an anyPolicy and hold: Gold.
 *
 * Who attacks here has an authority whose issuer vouches for less than he claims, and writes what he likes into all
 * that is below: lists, mappings, constraints. Claims that are in nobody's frontier come to nothing, counters only
 * fall, and the size of what he writes is paid from a budget (CVE-2023-0464). */
#include "pkix/policy.h"
#include "pkix/oid.h"

#include <stdlib.h>

enum { NONE = -1 };

/* A policy that is valid at one depth. What it expects of the next is not kept here but in the graph's one list. */
struct node {
    struct span policy;
    bool below_any; /* its parent is anyPolicy: the policy is in the anchor's terms */
    bool mapped;    /* it expects what it was mapped to */
    bool deleted;
    bool holds; /* something of it is left at the end of the path */
};

/* Edges lie in the order they were made in, each behind all edges of its parent's: so one walk from the end visits
 * children before parents. */
struct edge {
    uint16_t child, parent;
};
static_assert(PKIX_POLICY_NODES_MAX <= UINT16_MAX, "the number of a node has 16 bits");

/* A policy that satisfies a node of the frontier. */
struct expected {
    struct span policy;
    unsigned node;
};

struct graph {
    struct node nodes[PKIX_POLICY_NODES_MAX];
    struct edge edges[PKIX_POLICY_EDGES_MAX];
    struct expected expected[PKIX_POLICY_EXPECTED_MAX]; /* sorted by policy, then by node */
    unsigned node_count, edge_count, expected_count;
    unsigned frontier; /* its first node */
    int any;           /* its anyPolicy, or NONE */
    unsigned *steps_left;
    const char *exhausted;   /* which limit was met */
    const char *emptied_why; /* which rule left the frontier empty, and at which certificate */
    unsigned emptied_at;

    struct pkix_policies policies; /* of the certificate at hand */
    struct pkix_policy_mappings mappings;
};

/* The state variables of RFC 5280 section 6.1.2 (d) to (f). 0: from now on. The RFC counts down from n + 1, which no
 * path comes to the end of. */
struct counters {
    unsigned explicit_policy, policy_mapping, inhibit_any_policy;
    unsigned required_by; /* what set explicit_policy */
};

/* Counted where the work is, over all paths: a peer that shows many short paths pays as one that shows a long one. */
static bool spend(struct graph *g, unsigned steps)
{
    if (*g->steps_left < steps) {
        *g->steps_left = 0;
        g->exhausted = "steps of policy processing";
        return false;
    }
    *g->steps_left -= steps;
    return true;
}

/* A new node of the frontier, or NONE when a limit was met. */
static int add_node(struct graph *g, struct span policy)
{
    if (!spend(g, 1))
        return NONE;
    if (g->node_count == PKIX_POLICY_NODES_MAX) {
        g->exhausted = "nodes of the policy graph";
        return NONE;
    }
    g->nodes[g->node_count] = (struct node){.policy = policy};
    return (int)g->node_count++;
}

/* Nodes and edges are limited of their own, beside the steps: they are memory, and one path of 16 certificates with
 * 256 policies each would have 65,536 edges at every level. */
static bool add_edge(struct graph *g, int child, int parent)
{
    if (child == NONE || !spend(g, 1))
        return false;
    if (g->edge_count == PKIX_POLICY_EDGES_MAX) {
        g->exhausted = "edges of the policy graph";
        return false;
    }
    g->edges[g->edge_count++] = (struct edge){(uint16_t)child, (uint16_t)parent};
    return true;
}

/* An expected policy is what the next certificate has to match. One mapping makes one, so that this, too, is what a
 * peer multiplies. */
static bool add_expected(struct graph *g, struct span policy, unsigned node)
{
    if (!spend(g, 1))
        return false;
    if (g->expected_count == PKIX_POLICY_EXPECTED_MAX) {
        g->exhausted = "expected policies";
        return false;
    }
    g->expected[g->expected_count++] = (struct expected){policy, node};
    return true;
}

/* Of one policy by node, so that a child's edges lie in the order of its parents and two runs over one path give one
 * graph. */
static int compare_expected(const void *a, const void *b)
{
    const struct expected *x = a, *y = b;
    int difference = pkix_policy_compare(x->policy, y->policy);

    return difference != 0 ? difference : (x->node > y->node) - (x->node < y->node);
}

/* By policy first, so that all nodes that expect one stand together and are the parents of one child. */
static void sort_expected(struct graph *g)
{
    qsort(g->expected, g->expected_count, sizeof(*g->expected), compare_expected);
}

/* The first entry of `policy` among the first `count`, or where it would be. By halving: a certificate may list as many
 * policies as its issuers expect, and each with each is the square that CVE-2023-0464 lived on. */
static unsigned find_expected(const struct graph *g, unsigned count, struct span policy)
{
    unsigned low = 0, high = count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (pkix_policy_compare(g->expected[middle].policy, policy) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the entry is there, and of that policy. */
static bool is_expected_at(const struct graph *g, unsigned at, struct span policy)
{
    return at < g->expected_count && span_equal(g->expected[at].policy, policy);
}

/* One child of all nodes that expect the policy of the entry at *at, which goes on to the next policy. That is RFC
 * 9618's whole idea: RFC 5280 makes a node for each parent, and with n policies mapped to each other on each of d
 * levels that is n to the power of d. */
static bool add_child(struct graph *g, unsigned *at)
{
    struct span policy = g->expected[*at].policy;
    int child = add_node(g, policy);

    for (; is_expected_at(g, *at, policy); (*at)++)
        if (!add_edge(g, child, (int)g->expected[*at].node))
            return false;
    return true;
}

/* There is no edge to anyPolicy: whether something of it is left matters at the end of the path only. */
static bool add_child_of_any(struct graph *g, struct span policy)
{
    int child = add_node(g, policy);

    if (child != NONE)
        g->nodes[child].below_any = true;
    return child != NONE;
}

/* Section 6.1.3 (d) (1): the policies that the certificate lists. Expected by issuers, a policy hangs below all that
 * expect it (i); by none, below their anyPolicy if they have one (ii); and with neither it is a claim that nobody made
 * possible, and has no node. */
static bool add_listed(struct graph *g)
{
    for (unsigned i = 0; i < g->policies.count; i++) {
        struct span policy = g->policies.items[i];
        unsigned at = find_expected(g, g->expected_count, policy);
        bool good = spend(g, 1);

        if (good && is_expected_at(g, at, policy))
            good = add_child(g, &at);
        else if (good && g->any != NONE)
            good = add_child_of_any(g, policy);
        if (!good)
            return false;
    }
    return true;
}

/* Section 6.1.3 (d) (2): anyPolicy stands for what else is expected, and for itself. What the certificate lists itself
 * has its node already. */
static bool add_for_any(struct graph *g, int *any)
{
    unsigned at = 0;

    while (at < g->expected_count) {
        struct span policy = g->expected[at].policy;

        if (!pkix_policies_have(&g->policies, policy)) {
            if (!add_child(g, &at))
                return false;
            continue;
        }
        while (is_expected_at(g, at, policy))
            at++;
    }
    if (g->any == NONE)
        return true;
    *any = add_node(g, pkix_oid(OID_ANY_POLICY));
    return *any != NONE;
}

/* Each node expects itself until it is mapped. A new level begins with each policy standing for itself (section 6.1.3
 * (d) (1) (i): expected_policy_set is the policy itself). */
static bool expect_frontier(struct graph *g)
{
    g->expected_count = 0;
    for (unsigned i = g->frontier; i < g->node_count; i++)
        if ((int)i != g->any && !add_expected(g, g->nodes[i].policy, i))
            return false;
    sort_expected(g);
    return true;
}

/* Named, since a bare true at a call would not tell which of the two it is. */
enum any_policy { ANY_POLICY_INHIBITED, ANY_POLICY_COUNTS };

/* Section 6.1.3 (d) and (e). */
static bool add_level(struct graph *g, enum any_policy any_policy)
{
    unsigned frontier = g->node_count;
    int any = NONE;

    /* Section 6.1.3 (e): absent, nothing is added, and so the graph ends here. */
    if (g->policies.present) {
        if (!add_listed(g) || (g->policies.any && any_policy == ANY_POLICY_COUNTS && !add_for_any(g, &any)))
            return false;
    }
    g->frontier = frontier;
    g->any = any;
    return expect_frontier(g);
}

/* valid_policy_tree is NULL, in the RFC's words. From then on nothing can be added: a node needs one above it, so no
 * certificate further down gets a policy back. */
static bool is_empty(const struct graph *g)
{
    return g->expected_count == 0 && g->any == NONE;
}

/* What the nodes expect that were neither mapped nor deleted. The rest was added behind `own`. A deleted node keeps its
 * number, which edges refer to; as nobody expects anything of it any more, nothing hangs below it. */
static void drop_replaced(struct graph *g, unsigned own)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < g->expected_count; i++) {
        const struct node *node = &g->nodes[g->expected[i].node];

        if (!node->deleted && (i >= own || !node->mapped))
            g->expected[kept++] = g->expected[i];
    }
    g->expected_count = kept;
    sort_expected(g);
}

enum policy_mapping { POLICY_MAPPING_INHIBITED, POLICY_MAPPING_COUNTS };

/* The node of the frontier that is to be mapped; with anyPolicy in the frontier one is made. *node is NONE when there
 * is nothing to map.
 * Section 6.1.4 (b) (1): where anyPolicy holds, a mapping is of one policy of it. Inhibited, it takes the policy
 * away instead ((b) (2)): an issuer that forbids mapping must not find its policy claimed under another name further
 * down. */
static bool find_mapped(struct graph *g, unsigned own, struct span policy, enum policy_mapping mapping, int *node)
{
    unsigned at = find_expected(g, own, policy);

    *node = NONE;
    if (at < own && span_equal(g->expected[at].policy, policy)) {
        *node = (int)g->expected[at].node;
    } else if (g->any != NONE && mapping == POLICY_MAPPING_COUNTS) {
        if (!add_child_of_any(g, policy))
            return false;
        *node = (int)g->node_count - 1;
    }
    return true;
}

/* Section 6.1.4 (b): what the certificates below call by other names. */
static bool map_policies(struct graph *g, enum policy_mapping mapping)
{
    unsigned own = g->expected_count, i = 0;

    while (i < g->mappings.count) {
        struct span policy = g->mappings.items[i].issuer;
        int node;

        if (!find_mapped(g, own, policy, mapping, &node))
            return false;
        /* Mapped, the policy itself is expected no more: who is below has to use the other name. An authority that
         * maps "high" to a subject's "ours" has not said that the subject may write "high". */
        if (node != NONE) {
            g->nodes[node].mapped = mapping == POLICY_MAPPING_COUNTS;
            g->nodes[node].deleted = mapping == POLICY_MAPPING_INHIBITED;
        }
        for (; i < g->mappings.count && span_equal(g->mappings.items[i].issuer, policy); i++)
            if (!spend(g, 1) || (node != NONE && mapping == POLICY_MAPPING_COUNTS &&
                                 !add_expected(g, g->mappings.items[i].subject, (unsigned)node)))
                return false;
    }
    drop_replaced(g, own);
    return true;
}

/* By its bytes: one policy has one encoding (pkix/oid_text.h). */
bool pkix_policy_set_has(const struct pkix_policy_set *set, struct span policy)
{
    for (unsigned i = 0; i < set->count; i++)
        if (span_equal(set->items[i], policy))
            return true;
    return false;
}

/* A few hundred at most, and compared one by one: the number is limited, so that nobody has to hash them. Once each,
 * however many nodes of several levels have it. */
static bool add_to_set(struct graph *g, struct pkix_policy_set *set, struct span policy)
{
    if (pkix_policy_set_has(set, policy))
        return true;
    if (set->count == PKIX_POLICIES_VALID_MAX) {
        g->exhausted = "policies that hold for a path";
        return false;
    }
    set->items[set->count++] = policy;
    return true;
}

/* Section 6.1.5 (g) (1) to (4).
 * From the bottom up, along the edges: a node holds only if a certificate at the end of the path is reached from it.
 * What an issuer listed and its subject did not is nobody's policy. */
static bool find_authorities_policies(struct graph *g, struct pkix_policy_set *set)
{
    for (unsigned i = g->frontier; i < g->node_count; i++)
        g->nodes[i].holds = true;
    for (unsigned i = g->edge_count; i-- > 0;)
        if (g->nodes[g->edges[i].child].holds)
            g->nodes[g->edges[i].parent].holds = true;
    set->any = g->any != NONE;
    for (unsigned i = 0; i < g->node_count; i++)
        if (g->nodes[i].below_any && g->nodes[i].holds && !add_to_set(g, set, g->nodes[i].policy))
            return false;
    return true;
}

/* user-initial-policy-set is anyPolicy, in the RFC's words; nothing given means the same (section 6.1.1 (c)). */
static bool wants_any_policy(const struct pkix_policy_inputs *inputs)
{
    for (size_t i = 0; i < inputs->policy_count; i++)
        if (pkix_oid_is(inputs->policies[i], OID_ANY_POLICY))
            return true;
    return inputs->policy_count == 0;
}

/* Section 6.1.5 (g) (4) and (5): those of the authorities' that were asked for. */
static bool find_users_policies(struct graph *g, const struct pkix_policy_inputs *inputs,
                                const struct pkix_policy_set *authorities, struct pkix_policy_set *set)
{
    if (wants_any_policy(inputs)) {
        *set = *authorities;
        return true;
    }
    for (size_t i = 0; i < inputs->policy_count; i++)
        if (!spend(g, 1) || ((authorities->any || pkix_policy_set_has(authorities, inputs->policies[i])) &&
                             !add_to_set(g, set, inputs->policies[i])))
            return false;
    return true;
}

/* A limit is no verdict on the policies: the path fails with an error of its own, so that work that a peer makes is
 * never taken for an authority's word. */
static enum pkix_error limit_exceeded(const struct graph *g, struct pkix_policy_outcome *outcome)
{
    outcome->what = g->exhausted;
    return PKIX_LIMIT_EXCEEDED;
}

/* What leaves no policy is to blame: what follows cannot bring one back. */
static void note_emptied(struct graph *g, unsigned at, const char *why)
{
    g->emptied_at = at;
    g->emptied_why = why;
}

/* Section 6.1.3 (e): without the extension no policy holds from here on. An issuer below cannot claim one again that
 * its own issuer does not have. */
static const char *why_empty(const struct pkix_policies *policies)
{
    if (!policies->present)
        return "it has no certificate policies";
    if (policies->any && policies->count == 0)
        return "its only certificate policy is anyPolicy, which an issuer inhibits";
    return "none of its certificate policies is one that its issuers have";
}

/* Extensions that only count in issuers. A leaf's matter when they are critical: then what they say must be understood.
 */
static enum pkix_error read_unused(const struct pkix_cert *leaf, struct graph *g, const char **what)
{
    unsigned ignored;
    enum pkix_error error = PKIX_OK;

    if (leaf->extensions[PKIX_EXT_POLICY_MAPPINGS].critical)
        error = pkix_policy_mappings_read(leaf, &g->mappings, what);
    if (error == PKIX_OK && leaf->extensions[PKIX_EXT_INHIBIT_ANY_POLICY].critical)
        error = pkix_inhibit_any_policy_read(leaf, &ignored, what);
    return error;
}

/* Section 6.1.4 (h): the counters only fall. Who stands below must not give himself back what an issuer has taken
 * away; cap() is the other half of it (sections 6.1.4 (i) and (j)). */
static void count_down(unsigned *counter)
{
    if (*counter > 0)
        --*counter;
}

static void cap(unsigned *counter, unsigned max)
{
    if (*counter > max)
        *counter = max;
}

/* Section 6.1.4 (a), (b) and (h) to (j): an issuer's word on the certificates below it. Mappings first and counters
 * then, as the RFC has it: what an issuer maps is judged by what stands above it, and not by what it says of those
 * below. */
static enum pkix_error prepare_next(struct graph *g, const struct pkix_cert *cert, unsigned at, struct counters *c,
                                    struct pkix_policy_outcome *outcome)
{
    struct pkix_policy_constraints constraints;
    unsigned inhibit_any_policy;
    bool was_empty = is_empty(g);
    enum pkix_error error;

    if ((error = pkix_policy_mappings_read(cert, &g->mappings, &outcome->what)) != PKIX_OK ||
        (error = pkix_policy_constraints_read(cert, &constraints, &outcome->what)) != PKIX_OK ||
        (error = pkix_inhibit_any_policy_read(cert, &inhibit_any_policy, &outcome->what)) != PKIX_OK)
        return error;
    if (!map_policies(g, c->policy_mapping > 0 ? POLICY_MAPPING_COUNTS : POLICY_MAPPING_INHIBITED))
        return limit_exceeded(g, outcome);
    if (!was_empty && is_empty(g))
        note_emptied(g, at, "it maps all its certificate policies, which an issuer inhibits");
    /* Section 6.1.4 (h): a certificate that an authority has issued to itself, for another key, is no further step away
     * from who set the counter. */
    if (!pkix_cert_is_self_issued(cert)) {
        count_down(&c->explicit_policy);
        count_down(&c->policy_mapping);
        count_down(&c->inhibit_any_policy);
    }
    /* Section 6.1.4 (i): the smaller one counts. Who asked for it is remembered, for the administrator to know whom
     * to ask. */
    if (constraints.require_explicit_policy < c->explicit_policy)
        c->required_by = at;
    cap(&c->explicit_policy, constraints.require_explicit_policy);
    cap(&c->policy_mapping, constraints.inhibit_policy_mapping);
    cap(&c->inhibit_any_policy, inhibit_any_policy);
    return PKIX_OK;
}

/* Section 6.1.5 (a) and (b). The leaf counts, self-issued or not. */
static enum pkix_error wrap_up(struct graph *g, const struct pkix_cert *leaf, struct counters *c,
                               struct pkix_policy_outcome *outcome)
{
    struct pkix_policy_constraints constraints;
    enum pkix_error error = pkix_policy_constraints_read(leaf, &constraints, &outcome->what);

    if (error == PKIX_OK)
        error = read_unused(leaf, g, &outcome->what);
    count_down(&c->explicit_policy);
    /* Section 6.1.5 (b): the leaf may ask it of itself. */
    if (error == PKIX_OK && constraints.require_explicit_policy == 0 && c->explicit_policy > 0) {
        c->explicit_policy = 0;
        c->required_by = 0;
    }
    return error;
}

/* Which certificate, which rule, and who requires a policy at all: three people may have to be asked. */
static enum pkix_error policy_missing(unsigned culprit, const char *what, const struct counters *c,
                                      struct pkix_policy_outcome *outcome)
{
    outcome->culprit = culprit;
    outcome->what = what;
    outcome->required_by = c->required_by;
    return PKIX_POLICY_MISSING;
}

/* Section 6.1.3 (d) to (f), and what follows from the certificate for the next. */
static enum pkix_error check_certificate(struct graph *g, const struct pkix_cert *cert, unsigned at, struct counters *c,
                                         struct pkix_policy_outcome *outcome)
{
    /* Section 6.1.3 (d) (2): past the limit anyPolicy is a policy like no other, it stands for nothing. Self-issued
     * issuers are let through, as the RFC has it: a key rollover changes no policy. Never the leaf (at 0), which
     * issues nothing. */
    bool any_counts = c->inhibit_any_policy > 0 || (at > 0 && pkix_cert_is_self_issued(cert));
    bool was_empty = is_empty(g);
    enum pkix_error error;

    outcome->culprit = at;
    /* Malformed ones end the path, the leaf's as well, whether or not anybody asked (CVE-2023-0465): see
     * pkix/policy.h. */
    if ((error = pkix_policies_read(cert, &g->policies, &outcome->what)) != PKIX_OK)
        return error;
    if (!add_level(g, any_counts ? ANY_POLICY_COUNTS : ANY_POLICY_INHIBITED))
        return limit_exceeded(g, outcome);
    if (!was_empty && is_empty(g))
        note_emptied(g, at, why_empty(&g->policies));
    /* Section 6.1.3 (f). Once required, no certificate further down can lift it. */
    if (c->explicit_policy == 0 && is_empty(g))
        return policy_missing(g->emptied_at, g->emptied_why, c, outcome);
    return at > 0 ? prepare_next(g, cert, at, c, outcome) : wrap_up(g, cert, c, outcome);
}

static enum pkix_error check_path(struct graph *g, const struct pkix_cert *const *path, unsigned count,
                                  const struct pkix_policy_inputs *inputs, struct pkix_policy_outcome *outcome)
{
    struct counters c = {
        /* Section 6.1.2 (d) to (f): "n + 1" is never reached, 0 holds from the first certificate. */
        .explicit_policy = inputs->explicit_policy ? 0 : count + 1,
        .policy_mapping = inputs->inhibit_policy_mapping ? 0 : count + 1,
        .inhibit_any_policy = inputs->inhibit_any_policy ? 0 : count + 1,
        .required_by = PKIX_POLICY_REQUESTED,
    };

    /* Section 6.1.2 (a): the anchor has anyPolicy. What the anchor's own certificate says of policies is not looked at:
     * it is trusted by configuration, and is not on the path (section 6.1). */
    g->any = add_node(g, pkix_oid(OID_ANY_POLICY));
    if (g->any == NONE)
        return limit_exceeded(g, outcome);
    for (unsigned at = count; at-- > 0;) {
        enum pkix_error error = check_certificate(g, path[at], at, &c, outcome);

        if (error != PKIX_OK)
            return error;
    }
    if (!find_authorities_policies(g, &outcome->authorities) ||
        !find_users_policies(g, inputs, &outcome->authorities, &outcome->user))
        return limit_exceeded(g, outcome);
    /* Section 6.1.5 (g), the end: the intersection with what the user asked for counts, not that some policy holds.
     * An authority's own policy, whatever it is, must not pass for the one that the administrator named. */
    if (c.explicit_policy > 0 || outcome->user.any || outcome->user.count > 0)
        return PKIX_OK;
    if (is_empty(g))
        return policy_missing(g->emptied_at, g->emptied_why, &c, outcome);
    return policy_missing(0, "none of the certificate policies that hold for the path is required", &c, outcome);
}

enum pkix_error pkix_policy_check(const struct pkix_cert *const *path, unsigned count,
                                  const struct pkix_policy_inputs *inputs, unsigned *steps_left,
                                  struct pkix_policy_outcome *outcome)
{
    struct graph *g = base_realloc_array(NULL, 1, sizeof(*g)); /* not zeroed: that would cost more than all the rest */
    enum pkix_error error;

    /* That number stands for "the request" where a certificate's is told, so no certificate may have it. */
    assert(count < PKIX_POLICY_REQUESTED);
    *outcome = (struct pkix_policy_outcome){.required_by = PKIX_POLICY_REQUESTED};
    g->node_count = g->edge_count = g->expected_count = g->frontier = g->emptied_at = 0;
    g->any = NONE;
    g->exhausted = g->emptied_why = NULL;
    g->steps_left = steps_left;
    /* From the anchor downwards, as the RFC goes: what an issuer says counts before what is below it is read. */
    error = check_path(g, path, count, inputs, outcome);
    free(g);
    return error;
}
