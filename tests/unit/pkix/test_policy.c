/* What policy extensions must not be, and how much of them there may be: pkix/policy_read.h, the limits of
 * pkix/policy.h. */
#include "cert_builder.h"
#include "policy_path.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { STEPS_MAX = 20000 };

static struct policy_path path;
static struct pkix_policy_outcome outcome;

static enum pkix_error check(const struct policy_asked *asked, unsigned *steps_left)
{
    return policy_path_check(&path, asked, steps_left, &outcome);
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
    const struct policy_asked nothing = {0};
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
    const struct policy_asked nothing = {0};
    unsigned steps_left = STEPS_MAX;

    (void)state;
    policy_path_put(&path, specs, 2);
    policy_path_set(&path, 0, PKIX_EXT_POLICY_MAPPINGS, sequence_of(builder_end), false);
    policy_path_set(&path, 0, PKIX_EXT_INHIBIT_ANY_POLICY, sequence_of(builder_end), false);
    assert_int_equal(check(&nothing, &steps_left), PKIX_OK);
}

static void numbers_of_certificates_may_be_large(void **state)
{
    static const struct policy_spec specs[] = {POLICY_NONE, POLICY_NONE};
    const struct policy_asked nothing = {0};
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

/* Nobody looks into qualifiers: RFC 9618 section 3.3. */
static void qualifiers_are_only_there(void **state)
{
    static const struct policy_spec specs[] = {POLICY_NONE};
    const struct policy_asked asked = {"1", .explicit_policy = true};
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
    const struct policy_asked asked = {"2", .explicit_policy = true};
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
    const struct policy_asked nothing = {0};

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
    const struct policy_asked nothing = {0};
    unsigned steps_left = STEPS_MAX;

    (void)state;
    for (unsigned i = 0; i < POLICY_PATH_MAX; i++)
        specs[i] = (struct policy_spec)POLICY_NONE;
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
    const struct policy_asked nothing = {0};
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
