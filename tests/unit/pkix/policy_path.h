/* policy_path.h: paths of which only the policies matter, written down in a line for each certificate, and RFC 5280's
 * own way to judge them.
 *
 * The test's policies are 1.2.3.N, N from 0 to 9, written N; '*' is anyPolicy. */
#ifndef YETT_TESTS_POLICY_PATH_H
#define YETT_TESTS_POLICY_PATH_H

#include "pkix/policy.h"

enum { POLICY_PATH_MAX = 15, POLICY_EXTENSION_MAX = 8192 };

struct policy_spec {
    const char *policies;                               /* "12*"; NULL: no extension */
    const char *mappings;                               /* "12 13": 1 to 2, 1 to 3; NULL: no extension */
    int require_explicit, inhibit_mapping, inhibit_any; /* SkipCerts; 0: no extension, n: n - 1 */
    bool self_issued;
};

/* Certificates with nothing but what policy_path_put() gave them. Large: keep it static. */
struct policy_path {
    struct pkix_cert certs[POLICY_PATH_MAX];
    uint8_t extensions[POLICY_PATH_MAX][4][POLICY_EXTENSION_MAX];
    const struct pkix_cert *path[POLICY_PATH_MAX]; /* leaf first */
    unsigned count;
};

/* A certificate without any of the extensions; 100 certificates until mappings are inhibited are none. */
/* clang-format off */
#define POLICY_NONE {.inhibit_mapping = 100}
/* clang-format on */

struct span policy_oid(char policy); /* static */

/* The anchor's side first; `specs` ends with the leaf. */
void policy_path_put(struct policy_path *p, const struct policy_spec *specs, unsigned count);

/* Replaces the contents of an extension of the certificate `at`, counted from the leaf. Borrows. */
void policy_path_set(struct policy_path *p, unsigned at, enum pkix_extension id, struct span value, bool critical);

/* What is asked of a path. */
struct policy_asked {
    const char *users; /* "12*"; NULL: any */
    bool explicit_policy, inhibit_mapping, inhibit_any;
};
enum pkix_error policy_path_check(const struct policy_path *p, const struct policy_asked *asked, unsigned *steps_left,
                                  struct pkix_policy_outcome *outcome);

/* "12*" of a set, sorted. */
const char *policy_set_text(const struct pkix_policy_set *set, char text[static 12]);

/* The valid_policy_tree of RFC 5280 section 6.1, letter by letter, for paths that are small and well formed: whether
 * the path is valid, and the policies that hold for the user as policy_set_text() has them. Exponential, as it is. */
bool policy_tree_valid(const struct policy_spec *specs, unsigned count, const char *users, bool explicit_policy,
                       bool inhibit_mapping, bool inhibit_any, char valid[static 12]);

#endif
