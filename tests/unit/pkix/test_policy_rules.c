/* Certificate policies of a path, rule by rule: pkix/policy.h. */
#include "policy_path.h"

#include <setjmp.h>
#include <cmocka.h>

enum { STEPS_MAX = 20000 };

static struct policy_path path;
static struct pkix_policy_outcome outcome;

static enum pkix_error check(const struct policy_asked *asked, unsigned *steps_left)
{
    return policy_path_check(&path, asked, steps_left, &outcome);
}

static unsigned length(const struct policy_spec *specs)
{
    unsigned count = 0;

    while (count < 6 &&
           (specs[count].policies != NULL || specs[count].mappings != NULL || specs[count].require_explicit != 0 ||
            specs[count].inhibit_any != 0 || specs[count].inhibit_mapping != 0 || specs[count].self_issued))
        count++;
    return count;
}

struct row {
    const char *name;
    struct policy_spec specs[6];
    struct policy_asked asked;
    enum pkix_error want;
    const char *valid; /* for the user */
    const char *what;  /* part of the reason, when it fails */
    unsigned culprit, required_by;
};

static const struct row rows[] = {
    {"nobody asks, nobody says", {POLICY_NONE, POLICY_NONE}, {0}, PKIX_OK, "", NULL, 0, 0},
    {"an explicit policy is asked for and there is none",
     {POLICY_NONE, POLICY_NONE},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     PKIX_POLICY_REQUESTED},
    {"one policy all the way",
     {{.policies = "1"}, {.policies = "1"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"an issuer has more",
     {{.policies = "123"}, {.policies = "2"}},
     {"2", .explicit_policy = true},
     PKIX_OK,
     "2",
     NULL,
     0,
     0},
    {"a policy that the issuer has not",
     {{.policies = "12"}, {.policies = "3"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "none of its certificate policies is one that its issuers have",
     0,
     PKIX_POLICY_REQUESTED},
    {"another than the one asked for",
     {{.policies = "12"}, {.policies = "1"}},
     {"2", .explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "that hold for the path is required",
     0,
     PKIX_POLICY_REQUESTED},
    {"any of several",
     {{.policies = "12"}, {.policies = "1"}},
     {"371", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"asked for, but not explicitly", {{.policies = "12"}, {.policies = "1"}}, {.users = "2"}, PKIX_OK, "", NULL, 0, 0},
    {"anyPolicy asked for is no requirement of a certain one",
     {{.policies = "1"}, {.policies = "1"}},
     {"2*", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a gap in the middle is never closed again",
     {{.policies = "1"}, POLICY_NONE, {.policies = "1"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     PKIX_POLICY_REQUESTED},
    {"a gap that does not matter",
     {{.policies = "1"}, POLICY_NONE, {.policies = "1"}},
     {.users = "1"},
     PKIX_OK,
     "",
     NULL,
     0,
     0},

    {"an issuer of any policy",
     {{.policies = "*"}, {.policies = "1"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a leaf of any policy",
     {{.policies = "12"}, {.policies = "*"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"all of any policy", {{.policies = "*"}, {.policies = "*"}}, {.explicit_policy = true}, PKIX_OK, "*", NULL, 0, 0},
    {"all of any policy, some asked for",
     {{.policies = "*"}, {.policies = "*"}},
     {"12", .explicit_policy = true},
     PKIX_OK,
     "12",
     NULL,
     0,
     0},
    {"anyPolicy beside another",
     {{.policies = "1*"}, {.policies = "2"}, {.policies = "2"}},
     {"2", .explicit_policy = true},
     PKIX_OK,
     "2",
     NULL,
     0,
     0},
    {"anyPolicy inhibited from the start",
     {{.policies = "*"}, {.policies = "1"}},
     {.explicit_policy = true, .inhibit_any = true},
     PKIX_POLICY_MISSING,
     "",
     "anyPolicy, which an issuer inhibits",
     1,
     PKIX_POLICY_REQUESTED},
    {"anyPolicy inhibited by an issuer",
     {{.policies = "*", .inhibit_any = 1}, {.policies = "*"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "anyPolicy, which an issuer inhibits",
     0,
     PKIX_POLICY_REQUESTED},
    {"anyPolicy inhibited, and not needed",
     {{.policies = "*", .inhibit_any = 1}, {.policies = "1"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"anyPolicy inhibited after one more",
     {{.policies = "*", .inhibit_any = 2}, {.policies = "*"}, {.policies = "*"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "anyPolicy",
     0,
     PKIX_POLICY_REQUESTED},
    {"anyPolicy inhibited after one more, and only one comes",
     {{.policies = "*", .inhibit_any = 2}, {.policies = "*"}, {.policies = "5"}},
     {.explicit_policy = true},
     PKIX_OK,
     "5",
     NULL,
     0,
     0},
    {"a mapping does not bring back anyPolicy that is inhibited", /* OpenSSL 3.0 takes it as if 3 were listed */
     {{.policies = "3", .inhibit_any = 1}, {.policies = "1*", .mappings = "33"}, {.policies = "3"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "none of its certificate policies is one that its issuers have",
     1,
     PKIX_POLICY_REQUESTED},
    {"a self-issued authority may say anyPolicy where it is inhibited",
     {{.policies = "1", .inhibit_any = 1}, {.policies = "*", .self_issued = true}, {.policies = "1"}},
     {.explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a self-issued leaf may not",
     {{.policies = "1", .inhibit_any = 1}, {.policies = "*", .self_issued = true}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "anyPolicy",
     0,
     PKIX_POLICY_REQUESTED},
    {"a self-issued authority is not counted",
     {{.policies = "*", .inhibit_any = 2}, {.policies = "*", .self_issued = true}, {.policies = "*"}},
     {.explicit_policy = true},
     PKIX_OK,
     "*",
     NULL,
     0,
     0},
    {"the strictest word on anyPolicy counts",
     {{.policies = "*", .inhibit_any = 1}, {.policies = "1", .inhibit_any = 9}, {.policies = "*"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "anyPolicy",
     0,
     PKIX_POLICY_REQUESTED},
    {"a leaf's inhibitAnyPolicy says nothing of itself",
     {{.policies = "1"}, {.policies = "*", .inhibit_any = 1}},
     {.explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},

    {"an authority requires a policy at once",
     {{.policies = "1", .require_explicit = 1}, POLICY_NONE},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     0,
     1},
    {"an authority requires a policy and there is one",
     {{.policies = "1", .require_explicit = 1}, {.policies = "1"}},
     {0},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"an authority requires a policy of the user's",
     {{.policies = "1", .require_explicit = 1}, {.policies = "1"}},
     {.users = "2"},
     PKIX_POLICY_MISSING,
     "",
     "is required",
     0,
     1},
    {"an authority that has none itself",
     {{.require_explicit = 1}, {.policies = "1"}},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     1},
    {"an authority requires a policy later than there are certificates",
     {{.policies = "1", .require_explicit = 4}, POLICY_NONE, POLICY_NONE},
     {0},
     PKIX_OK,
     "",
     NULL,
     0,
     0},
    {"an authority requires a policy at the end",
     {{.policies = "1", .require_explicit = 3}, POLICY_NONE, POLICY_NONE},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     2},
    {"a self-issued authority is not counted before a policy is required",
     {{.policies = "1", .require_explicit = 3}, {.policies = NULL, .self_issued = true}, POLICY_NONE},
     {0},
     PKIX_OK,
     "",
     NULL,
     0,
     0},
    {"the nearest demand counts",
     {{.policies = "1", .require_explicit = 5}, {.require_explicit = 1}, POLICY_NONE},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     1},
    {"a weaker demand does not lift a stronger one",
     {{.policies = "1", .require_explicit = 1}, {.policies = "1", .require_explicit = 9}, POLICY_NONE},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     0,
     2},
    {"a leaf requires a policy of itself",
     {POLICY_NONE, {.require_explicit = 1}},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     0},
    {"a leaf's demand of those below it is nobody's",
     {POLICY_NONE, {.require_explicit = 2}},
     {0},
     PKIX_OK,
     "",
     NULL,
     0,
     0},

    {"a mapping",
     {{.policies = "1", .mappings = "12"}, {.policies = "2"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a mapped policy is not the user's",
     {{.policies = "1", .mappings = "12"}, {.policies = "2"}},
     {"2", .explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "is required",
     0,
     PKIX_POLICY_REQUESTED},
    {"the name before the mapping no longer counts",
     {{.policies = "1", .mappings = "12"}, {.policies = "1"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "one that its issuers have",
     0,
     PKIX_POLICY_REQUESTED},
    {"a mapping to several",
     {{.policies = "1", .mappings = "12 13 14"}, {.policies = "3"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"two policies mapped to one",
     {{.policies = "12", .mappings = "13 23"}, {.policies = "3"}},
     {.explicit_policy = true},
     PKIX_OK,
     "12",
     NULL,
     0,
     0},
    {"two policies that change places",
     {{.policies = "12", .mappings = "12 21"}, {.policies = "2"}},
     {.explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a mapping of a mapping",
     {{.policies = "1", .mappings = "12"}, {.policies = "2", .mappings = "23"}, {.policies = "3"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a mapping to itself keeps the name",
     {{.policies = "1", .mappings = "11 12"}, {.policies = "1"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a mapping of what the authority has not",
     {{.policies = "1", .mappings = "32"}, {.policies = "2"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "one that its issuers have",
     0,
     PKIX_POLICY_REQUESTED},
    {"a mapping of what anyPolicy stands for",
     {{.policies = "*", .mappings = "12"}, {.policies = "2"}},
     {.explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a mapping twice is one",
     {{.policies = "1", .mappings = "12 12"}, {.policies = "2"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a leaf that says anyPolicy after a mapping",
     {{.policies = "1", .mappings = "12"}, {.policies = "*"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"mappings inhibited from the start",
     {{.policies = "1", .mappings = "12"}, {.policies = "12"}},
     {.explicit_policy = true, .inhibit_mapping = true},
     PKIX_POLICY_MISSING,
     "",
     "maps all its certificate policies",
     1,
     PKIX_POLICY_REQUESTED},
    {"mappings inhibited: what is not mapped stays",
     {{.policies = "13", .mappings = "12"}, {.policies = "123"}},
     {.explicit_policy = true, .inhibit_mapping = true},
     PKIX_OK,
     "3",
     NULL,
     0,
     0},
    {"mappings inhibited by an issuer",
     {{.policies = "1", .inhibit_mapping = 1}, {.policies = "1", .mappings = "12"}, {.policies = "2"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "maps all its certificate policies",
     1,
     PKIX_POLICY_REQUESTED},
    {"mappings inhibited after one more",
     {{.policies = "1", .inhibit_mapping = 2}, {.policies = "1", .mappings = "12"}, {.policies = "2"}},
     {.explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a self-issued authority is not counted for mappings",
     {{.policies = "1", .inhibit_mapping = 2},
      {.policies = "1", .self_issued = true},
      {.policies = "1", .mappings = "12"},
      {.policies = "2"}},
     {.explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
    {"a leaf's mappings are nobody's",
     {{.policies = "1"}, {.policies = "1", .mappings = "12"}},
     {"1", .explicit_policy = true},
     PKIX_OK,
     "1",
     NULL,
     0,
     0},
};

static void check_follows_each_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        unsigned steps_left = STEPS_MAX;
        char text[12], tree[12];
        enum pkix_error got;

        policy_path_put(&path, row->specs, length(row->specs));
        got = check(&row->asked, &steps_left);
        if (got != row->want)
            fail_msg("%s: want %s, got %s", row->name, pkix_error_name(row->want), pkix_error_name(got));
        if (policy_tree_valid(row->specs, path.count, row->asked.users == NULL ? "" : row->asked.users,
                              row->asked.explicit_policy, row->asked.inhibit_mapping, row->asked.inhibit_any,
                              tree) != (row->want == PKIX_OK))
            fail_msg("%s: the tree of RFC 5280 does not agree", row->name);
        if (got == PKIX_OK && strcmp(policy_set_text(&outcome.user, text), row->valid) != 0)
            fail_msg("%s: want policies %s, got %s", row->name, row->valid, text);
        if (got != PKIX_OK && strstr(outcome.what, row->what) == NULL)
            fail_msg("%s: %s", row->name, outcome.what);
        if (got != PKIX_OK && (outcome.culprit != row->culprit || outcome.required_by != row->required_by))
            fail_msg("%s: blames %u, required by %u", row->name, outcome.culprit, outcome.required_by);
    }
}

static void check_of_no_certificate_holds_everything(void **state)
{
    const struct policy_asked asked = {"1", .explicit_policy = true};
    unsigned steps_left = STEPS_MAX;
    char text[12];

    (void)state;
    path.count = 0;
    assert_int_equal(check(&asked, &steps_left), PKIX_OK);
    assert_true(outcome.authorities.any);
    assert_string_equal(policy_set_text(&outcome.user, text), "1");
}

/* ---- the same as RFC 5280's tree, on paths made at random ---- */

static uint64_t random_state;

static unsigned below(unsigned limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % limit;
}

/* Three policies, so that they meet often. */
static void random_spec(struct policy_spec *spec, char policies[8], char mappings[16])
{
    size_t size = 0;

    for (int c = '1'; c <= '3'; c++)
        if (below(2) == 0)
            policies[size++] = (char)c;
    if (below(3) == 0 || size == 0)
        policies[size++] = '*';
    policies[size] = '\0';
    size = 0;
    for (unsigned i = below(4); i > 0; i--) {
        mappings[size++] = (char)('1' + below(3));
        mappings[size++] = (char)('1' + below(3));
        mappings[size++] = ' ';
    }
    mappings[size == 0 ? 0 : size - 1] = '\0';
    *spec = (struct policy_spec){.policies = below(12) == 0 ? NULL : policies,
                                 .mappings = size == 0 || below(2) == 0 ? NULL : mappings,
                                 .require_explicit = below(6) == 0 ? (int)below(4) : 0,
                                 .inhibit_mapping = below(6) == 0 ? (int)below(4) : 0,
                                 .inhibit_any = below(6) == 0 ? (int)below(4) : 0,
                                 .self_issued = below(4) == 0};
}

static void check_agrees_with_the_tree_of_rfc_5280(void **state)
{
    enum { PATHS = 30000 };
    static const char *const users[] = {"", "1", "12", "3*"};
    unsigned valid = 0, with_policies = 0;

    (void)state;
    random_state = 9618;
    for (unsigned round = 0; round < PATHS; round++) {
        struct policy_spec specs[5];
        char policies[5][8], mappings[5][16], want_text[12], got_text[12];
        unsigned count = 1 + below(5), steps_left = STEPS_MAX;
        struct policy_asked asked = {users[below(ARRAY_LEN(users))], below(2) == 0, below(6) == 0, below(6) == 0};
        enum pkix_error got;
        bool want;

        for (unsigned i = 0; i < count; i++)
            random_spec(&specs[i], policies[i], mappings[i]);
        want = policy_tree_valid(specs, count, asked.users, asked.explicit_policy, asked.inhibit_mapping,
                                 asked.inhibit_any, want_text);
        policy_path_put(&path, specs, count);
        got = check(&asked, &steps_left);
        if (got != (want ? PKIX_OK : PKIX_POLICY_MISSING))
            fail_msg("path %u: want %s, got %s", round, want ? "ok" : "policy_missing", pkix_error_name(got));
        if (want && strcmp(policy_set_text(&outcome.user, got_text), want_text) != 0)
            fail_msg("path %u: want policies %s, got %s", round, want_text, got_text);
        valid += want;
        with_policies += want && *want_text != '\0';
    }
    /* The comparison is worth something only while both happen often. */
    assert_true(valid > PATHS / 10 && valid < PATHS * 9 / 10 && with_policies > PATHS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_follows_each_rule),
        cmocka_unit_test(check_of_no_certificate_holds_everything),
        cmocka_unit_test(check_agrees_with_the_tree_of_rfc_5280),
    };

    return cmocka_run_group_tests_name("policy_rules", tests, NULL, NULL);
}
