/* Certificate policies of a path, rule by rule: pkix/policy.h, pkix/policy_read.h. */
#include "policy_path.h"
#include "cert_builder.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { STEPS_MAX = 20000 };

static struct policy_path path;
static struct pkix_policy_outcome outcome;

struct asked {
    const char *users; /* "12*" */
    bool explicit_policy, inhibit_mapping, inhibit_any;
};

static enum pkix_error check(const struct asked *asked, unsigned *steps_left)
{
    struct span users[12];
    struct pkix_policy_inputs inputs = {.policies = users,
                                        .explicit_policy = asked->explicit_policy,
                                        .inhibit_policy_mapping = asked->inhibit_mapping,
                                        .inhibit_any_policy = asked->inhibit_any};

    for (const char *u = asked->users; u != NULL && *u != '\0'; u++)
        users[inputs.policy_count++] = policy_oid(*u);
    return pkix_policy_check(path.path, path.count, &inputs, steps_left, &outcome);
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

/* The anchor's side first. A certificate without any of the extensions has `inhibit_mapping = 100`, which says nothing.
 */
#define PLAIN                                                                                                          \
    {                                                                                                                  \
        .inhibit_mapping = 100                                                                                         \
    }

struct row {
    const char *name;
    struct policy_spec specs[6];
    struct asked asked;
    enum pkix_error want;
    const char *valid; /* for the user */
    const char *what;  /* part of the reason, when it fails */
    unsigned culprit, required_by;
};

static const struct row rows[] = {
    {"nobody asks, nobody says", {PLAIN, PLAIN}, {0}, PKIX_OK, "", NULL, 0, 0},
    {"an explicit policy is asked for and there is none",
     {PLAIN, PLAIN},
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
     {{.policies = "1"}, PLAIN, {.policies = "1"}},
     {.explicit_policy = true},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     PKIX_POLICY_REQUESTED},
    {"a gap that does not matter",
     {{.policies = "1"}, PLAIN, {.policies = "1"}},
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
     {{.policies = "1", .require_explicit = 1}, PLAIN},
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
     {{.policies = "1", .require_explicit = 4}, PLAIN, PLAIN},
     {0},
     PKIX_OK,
     "",
     NULL,
     0,
     0},
    {"an authority requires a policy at the end",
     {{.policies = "1", .require_explicit = 3}, PLAIN, PLAIN},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     2},
    {"a self-issued authority is not counted before a policy is required",
     {{.policies = "1", .require_explicit = 3}, {.policies = NULL, .self_issued = true}, PLAIN},
     {0},
     PKIX_OK,
     "",
     NULL,
     0,
     0},
    {"the nearest demand counts",
     {{.policies = "1", .require_explicit = 5}, {.require_explicit = 1}, PLAIN},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     1},
    {"a weaker demand does not lift a stronger one",
     {{.policies = "1", .require_explicit = 1}, {.policies = "1", .require_explicit = 9}, PLAIN},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     0,
     2},
    {"a leaf requires a policy of itself",
     {PLAIN, {.require_explicit = 1}},
     {0},
     PKIX_POLICY_MISSING,
     "",
     "it has no certificate policies",
     1,
     0},
    {"a leaf's demand of those below it is nobody's", {PLAIN, {.require_explicit = 2}}, {0}, PKIX_OK, "", NULL, 0, 0},

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
    const struct asked asked = {"1", .explicit_policy = true};
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

    for (char c = '1'; c <= '3'; c++)
        if (below(2) == 0)
            policies[size++] = c;
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
        struct asked asked = {users[below(ARRAY_LEN(users))], below(2) == 0, below(6) == 0, below(6) == 0};
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

/* ---- what is malformed or forbidden ---- */

static struct span oid_of(char policy)
{
    return builder_tlv(ASN1_OID, policy_oid(policy), builder_end);
}

static struct span information(char policy)
{
    return builder_tlv(ASN1_SEQUENCE, oid_of(policy), builder_end);
}

static struct span pair(char issuer, char subject)
{
    return builder_tlv(ASN1_SEQUENCE, oid_of(issuer), oid_of(subject), builder_end);
}

static struct span sequence_of(struct span contents)
{
    return builder_tlv(ASN1_SEQUENCE, contents, builder_end);
}

static void assert_bad(unsigned at, enum pkix_extension id, struct span value, const char *what)
{
    static const struct policy_spec specs[] = {{.policies = "1"}, {.policies = "1"}};
    const struct asked nothing = {0};
    unsigned steps_left = STEPS_MAX;

    policy_path_put(&path, specs, 2);
    policy_path_set(&path, at, id, value, true);
    assert_int_equal(check(&nothing, &steps_left), PKIX_BAD_POLICY);
    assert_non_null(strstr(outcome.what, what));
    assert_int_equal(outcome.culprit, at);
}

static void bad_policies_are_refused_in_every_certificate(void **state)
{
    const struct span empty = sequence_of(builder_end), twice = builder_join(information('1'), information('1')),
                      twice_any = builder_join(information('*'), information('*')),
                      padded = builder_tlv(ASN1_OID, span_of("\x2a\x80\x01", 3), builder_end),
                      half = builder_tlv(ASN1_OID, span_of("\x2a\x81", 2), builder_end),
                      no_oid = sequence_of(builder_tlv(ASN1_INTEGER, span_of("\x01", 1), builder_end));

    (void)state;
    for (unsigned at = 0; at < 2; at++) {
        static const enum pkix_extension id = PKIX_EXT_CERTIFICATE_POLICIES;

        assert_bad(at, id, empty, "certificatePolicies are malformed");
        assert_bad(at, id, information('1'), "certificatePolicies are malformed"); /* a SEQUENCE is missing */
        assert_bad(at, id, builder_join(sequence_of(information('1')), span_of("\x05\x00", 2)), "are malformed");
        assert_bad(at, id, sequence_of(sequence_of(builder_end)), "are malformed");
        assert_bad(at, id, sequence_of(no_oid), "are malformed");
        assert_bad(at, id, sequence_of(sequence_of(padded)), "are malformed");
        assert_bad(at, id, sequence_of(sequence_of(half)), "are malformed");
        assert_bad(at, id, sequence_of(sequence_of(builder_tlv(ASN1_OID, builder_end))), "are malformed");
        assert_bad(at, id, sequence_of(sequence_of(builder_join(oid_of('1'), oid_of('2')))), "are malformed");
        assert_bad(at, id, sequence_of(twice), "one policy twice"); /* RFC 5280 section 4.2.1.4 */
        assert_bad(at, id, sequence_of(twice_any), "one policy twice");
    }
}

static void bad_mappings_are_refused(void **state)
{
    static const enum pkix_extension id = PKIX_EXT_POLICY_MAPPINGS;

    (void)state;
    for (unsigned at = 0; at < 2; at++) {
        assert_bad(at, id, sequence_of(builder_end), "policyMappings are malformed");
        assert_bad(at, id, sequence_of(information('1')), "policyMappings are malformed");
        assert_bad(at, id, sequence_of(sequence_of(builder_join(pair('1', '2'), oid_of('3')))), "are malformed");
        assert_bad(at, id, sequence_of(pair('1', '*')), "map from or to anyPolicy"); /* section 4.2.1.5 */
        assert_bad(at, id, sequence_of(pair('*', '1')), "map from or to anyPolicy");
        assert_bad(at, id, sequence_of(builder_join(pair('1', '2'), pair('*', '*'))), "map from or to anyPolicy");
    }
}

static struct span skip_certs(unsigned tag, const char *contents, size_t size)
{
    return builder_tlv(tag, span_of(contents, size), builder_end);
}

static void bad_constraints_are_refused(void **state)
{
    static const enum pkix_extension id = PKIX_EXT_POLICY_CONSTRAINTS;

    (void)state;
    for (unsigned at = 0; at < 2; at++) {
        assert_bad(at, id, sequence_of(builder_end), "policyConstraints are malformed");
        assert_bad(at, id, sequence_of(skip_certs(0x80, "", 0)), "policyConstraints are malformed");
        assert_bad(at, id, sequence_of(skip_certs(0x80, "\xff", 1)), "policyConstraints are malformed");
        assert_bad(at, id, sequence_of(skip_certs(0x80, "\x00\x01", 2)), "policyConstraints are malformed");
        assert_bad(at, id, sequence_of(skip_certs(0x82, "\x00", 1)), "policyConstraints are malformed");
        assert_bad(at, id, sequence_of(builder_join(skip_certs(0x81, "\x00", 1), skip_certs(0x80, "\x00", 1))),
                   "are malformed");
        assert_bad(at, PKIX_EXT_INHIBIT_ANY_POLICY, skip_certs(ASN1_INTEGER, "\xff", 1),
                   "inhibitAnyPolicy is malformed");
        assert_bad(at, PKIX_EXT_INHIBIT_ANY_POLICY, skip_certs(ASN1_OCTET_STRING, "\x01", 1),
                   "inhibitAnyPolicy is malformed");
        assert_bad(at, PKIX_EXT_INHIBIT_ANY_POLICY,
                   builder_join(skip_certs(ASN1_INTEGER, "\x01", 1), skip_certs(ASN1_INTEGER, "\x01", 1)),
                   "is malformed");
    }
}

/* What RFC 5280 does not process in a leaf is not looked at, unless it is critical (assert_bad() makes it so). */
static void bad_extensions_that_do_not_matter_are_passed_over(void **state)
{
    static const struct policy_spec specs[] = {{.policies = "1"}, {.policies = "1"}};
    const struct asked nothing = {0};
    unsigned steps_left = STEPS_MAX;

    (void)state;
    policy_path_put(&path, specs, 2);
    policy_path_set(&path, 0, PKIX_EXT_POLICY_MAPPINGS, sequence_of(builder_end), false);
    policy_path_set(&path, 0, PKIX_EXT_INHIBIT_ANY_POLICY, sequence_of(builder_end), false);
    assert_int_equal(check(&nothing, &steps_left), PKIX_OK);
}

static void numbers_of_certificates_may_be_large(void **state)
{
    static const struct policy_spec specs[] = {PLAIN, PLAIN};
    const struct asked nothing = {0};
    unsigned steps_left = STEPS_MAX;

    (void)state;
    policy_path_put(&path, specs, 2);
    policy_path_set(&path, 1, PKIX_EXT_POLICY_CONSTRAINTS,
                    sequence_of(builder_join(skip_certs(0x80, "\x00\xff", 2),
                                             skip_certs(0x81, "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10))),
                    true);
    policy_path_set(&path, 1, PKIX_EXT_INHIBIT_ANY_POLICY, skip_certs(ASN1_INTEGER, "\x01\x00\x00\x00\x00", 5), true);
    assert_int_equal(check(&nothing, &steps_left), PKIX_OK);
}

/* Nobody looks into qualifiers: RFC 9618 section 4.2. */
static void qualifiers_are_only_there(void **state)
{
    static const struct policy_spec specs[] = {PLAIN};
    const struct asked asked = {"1", .explicit_policy = true};
    unsigned steps_left = STEPS_MAX;

    (void)state;
    policy_path_put(&path, specs, 1);
    policy_path_set(&path, 0, PKIX_EXT_CERTIFICATE_POLICIES,
                    sequence_of(sequence_of(builder_join(oid_of('1'), sequence_of(span_of("garbage", 7))))), false);
    assert_int_equal(check(&asked, &steps_left), PKIX_OK);
}

/* ---- limits ---- */

/* Each certificate has two policies and maps each to both: RFC 5280's tree has 2^15 nodes at the end of this path, and
 * with more policies any number that one likes. */
static void cve_2023_0464_work_does_not_grow_exponentially(void **state)
{
    static const struct policy_spec doubling = {.policies = "12", .mappings = "11 12 21 22"},
                                    wide = {.policies = "0123456789",
                                            .mappings = "00 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 "
                                                        "20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 "
                                                        "40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 "
                                                        "60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 "
                                                        "80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99"};
    const struct asked asked = {"2", .explicit_policy = true};
    struct policy_spec specs[POLICY_PATH_MAX];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        unsigned used[POLICY_PATH_MAX + 1] = {0};

        for (unsigned i = 0; i < POLICY_PATH_MAX; i++)
            specs[i] = round == 0 ? doubling : wide;
        for (unsigned count = 1; count <= POLICY_PATH_MAX; count++) {
            unsigned steps_left = STEPS_MAX;

            policy_path_put(&path, specs, count);
            assert_int_equal(check(&asked, &steps_left), PKIX_OK);
            used[count] = STEPS_MAX - steps_left;
        }
        /* Each certificate more costs what the one before has cost. */
        for (unsigned count = 4; count <= POLICY_PATH_MAX; count++)
            assert_int_equal(used[count] - used[count - 1], used[3] - used[2]);
        assert_true(used[POLICY_PATH_MAX] < STEPS_MAX / 2);
    }
}

/* `count` policies, 1.2.3.128 and on. */
static struct span many_policies(unsigned first, unsigned count)
{
    uint8_t *bytes = base_alloc(10 * (size_t)count);
    struct span all;

    for (unsigned i = 0; i < count; i++) {
        const uint8_t one[] = {
            0x30, 0x06, 0x06, 0x04, 0x2a, 0x03, (uint8_t)(0x81 + (first + i) / 128), (uint8_t)((first + i) % 128)};

        memcpy(bytes + i * sizeof(one), one, sizeof(one));
    }
    all = sequence_of(span_of(bytes, count * 8));
    free(bytes);
    return all;
}

static struct span many_mappings(unsigned count)
{
    uint8_t *bytes = base_alloc(14 * (size_t)count);
    struct span all;

    for (unsigned i = 0; i < count; i++) {
        const uint8_t one[] = {0x30,
                               0x0b,
                               0x06,
                               0x03,
                               0x2a,
                               0x03,
                               0x01,
                               0x06,
                               0x04,
                               0x2a,
                               0x03,
                               (uint8_t)(0x81 + i / 128),
                               (uint8_t)(i % 128)};

        memcpy(bytes + i * sizeof(one), one, sizeof(one));
    }
    all = sequence_of(span_of(bytes, count * 13));
    free(bytes);
    return all;
}

static void more_than_is_looked_at_is_an_error(void **state)
{
    static const struct policy_spec specs[] = {{.policies = "1"}, {.policies = "1"}};
    static const struct {
        unsigned policies, mappings;
        const char *what;
    } table[] = {{PKIX_POLICIES_PER_CERT_MAX, PKIX_POLICY_MAPPINGS_PER_CERT_MAX, NULL},
                 {PKIX_POLICIES_PER_CERT_MAX + 1, 1, "policies of one certificate"},
                 {1, PKIX_POLICY_MAPPINGS_PER_CERT_MAX + 1, "policy mappings of one certificate"}};
    const struct asked nothing = {0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        unsigned steps_left = STEPS_MAX;
        enum pkix_error got;

        policy_path_put(&path, specs, 2);
        policy_path_set(&path, 1, PKIX_EXT_CERTIFICATE_POLICIES, many_policies(0, table[i].policies), false);
        policy_path_set(&path, 1, PKIX_EXT_POLICY_MAPPINGS, many_mappings(table[i].mappings), false);
        got = check(&nothing, &steps_left);
        assert_int_equal(got, table[i].what == NULL ? PKIX_OK : PKIX_LIMIT_EXCEEDED);
        if (table[i].what != NULL)
            assert_string_equal(outcome.what, table[i].what);
        assert_true(steps_left > 0); /* this path alone */
    }
}

/* Each certificate adds policies below anyPolicy. */
static void a_graph_has_a_ceiling(void **state)
{
    struct policy_spec specs[POLICY_PATH_MAX];
    const struct asked nothing = {0};
    unsigned steps_left = STEPS_MAX;

    (void)state;
    for (unsigned i = 0; i < POLICY_PATH_MAX; i++)
        specs[i] = (struct policy_spec)PLAIN;
    policy_path_put(&path, specs, POLICY_PATH_MAX);
    for (unsigned at = 0; at < POLICY_PATH_MAX; at++) {
        struct span value = many_policies(200 * (POLICY_PATH_MAX - at), 200), any = information('*');
        struct der list;

        assert_int_equal(der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list), PKIX_OK);
        value = sequence_of(builder_join(span_of(list.next, (size_t)(list.end - list.next)), any));
        policy_path_set(&path, at, PKIX_EXT_CERTIFICATE_POLICIES, value, false);
    }
    assert_int_equal(check(&nothing, &steps_left), PKIX_LIMIT_EXCEEDED);
    assert_true(steps_left > 0);
    assert_string_equal(outcome.what, "nodes of the policy graph");
}

static void steps_are_counted_over_all_paths(void **state)
{
    static const struct policy_spec specs[] = {{.policies = "123"}, {.policies = "123"}};
    const struct asked nothing = {0};
    unsigned steps_left = STEPS_MAX, cost;

    (void)state;
    policy_path_put(&path, specs, 2);
    assert_int_equal(check(&nothing, &steps_left), PKIX_OK);
    cost = STEPS_MAX - steps_left;
    assert_true(cost > 6);
    steps_left = 2 * cost;
    assert_int_equal(check(&nothing, &steps_left), PKIX_OK);
    assert_int_equal(steps_left, cost);
    assert_int_equal(check(&nothing, &steps_left), PKIX_OK);
    assert_int_equal(steps_left, 0);
    assert_int_equal(check(&nothing, &steps_left), PKIX_LIMIT_EXCEEDED);
    assert_string_equal(outcome.what, "steps of policy processing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_follows_each_rule),
        cmocka_unit_test(check_of_no_certificate_holds_everything),
        cmocka_unit_test(check_agrees_with_the_tree_of_rfc_5280),
        cmocka_unit_test(bad_policies_are_refused_in_every_certificate),
        cmocka_unit_test(bad_mappings_are_refused),
        cmocka_unit_test(bad_constraints_are_refused),
        cmocka_unit_test(bad_extensions_that_do_not_matter_are_passed_over),
        cmocka_unit_test(numbers_of_certificates_may_be_large),
        cmocka_unit_test(qualifiers_are_only_there),
        cmocka_unit_test(cve_2023_0464_work_does_not_grow_exponentially),
        cmocka_unit_test(more_than_is_looked_at_is_an_error),
        cmocka_unit_test(a_graph_has_a_ceiling),
        cmocka_unit_test(steps_are_counted_over_all_paths),
    };

    return cmocka_run_group_tests_name("policy", tests, builder_start, builder_stop);
}
