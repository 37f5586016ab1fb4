/* Policies and extended validation where a path is looked for: pkix/verify.h, pkix/search.h, pkix/ev.h. */
#include "scene.h"
#include "pkix/ev.h"
#include "pkix/nss_crypto.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

/* 2.23.140.1.1, the CA/Browser Forum's for extended validation, and 2.23.140.1.2.1, which says only who owns the
 * domain. */
static const uint8_t ev_oid[] = {0x67, 0x81, 0x0c, 0x01, 0x01}, dv_oid[] = {0x67, 0x81, 0x0c, 0x01, 0x02, 0x01};

static const struct span ev_policy[] = {{ev_oid, sizeof(ev_oid)}};

static struct span oid(const void *contents, size_t size)
{
    return builder_tlv(ASN1_OID, span_of(contents, size), builder_end);
}

enum said { NOTHING = 0, EV = 1, DV = 2, ANY = 4 };

static struct span policies(unsigned said)
{
    const struct {
        enum said bit;
        struct span policy;
    } all[] = {
        {EV, oid(ev_oid, sizeof(ev_oid))}, {DV, oid(dv_oid, sizeof(dv_oid))}, {ANY, builder_oid(OID_ANY_POLICY)}};
    struct span list = span_of(NULL, 0);

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if ((said & all[i].bit) != 0)
            list = builder_join(list, builder_tlv(ASN1_SEQUENCE, all[i].policy, builder_end));
    return builder_tlv(ASN1_SEQUENCE, list, builder_end);
}

static struct span with_policies(struct cert_spec spec, unsigned said)
{
    if (said != NOTHING)
        builder_add_extension(&spec, OID_CERTIFICATE_POLICIES, false, policies(said));
    return builder_cert(&spec);
}

static struct span require_explicit_policy(unsigned skip_certs)
{
    const uint8_t contents = (uint8_t)skip_certs;

    return builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_CONTEXT | 0, span_of(&contents, 1), builder_end), builder_end);
}

/* One and the same: two made alike differ in their signatures. */
static struct span root(void)
{
    static struct span made;

    if (made.size == 0)
        made = with_policies(builder_authority("root", 0, "root", 0), NOTHING);
    return made;
}

static struct scene scene_of(unsigned ca_said, unsigned leaf_said)
{
    struct scene scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), leaf_said), host, root());

    scene_add_extra(&scene, with_policies(builder_authority("ca", 1, "root", 0), ca_said));
    return scene;
}

static void ask_for_ev_policy(struct scene *scene)
{
    scene->request.policy.policies = ev_policy;
    scene->request.policy.policy_count = ARRAY_LEN(ev_policy);
    scene->request.policy.explicit_policy = true;
}

static void policy_is_required_all_the_way(void **state)
{
    static const struct {
        unsigned ca, leaf;
        enum pkix_error want;
        const char *detail;
    } table[] = {
        {EV, EV, PKIX_OK, ""},
        {ANY, EV | DV, PKIX_OK, ""},
        {EV | DV, ANY, PKIX_OK, ""},
        {ANY, NOTHING, PKIX_POLICY_MISSING,
         "CN=www.example.com (its policies: none; required: 2.23.140.1.1): it has no certificate policies"},
        {NOTHING, EV, PKIX_POLICY_MISSING,
         "CN=ca (its policies: none; required: 2.23.140.1.1): it has no certificate policies"},
        {DV, EV, PKIX_POLICY_MISSING,
         "CN=www.example.com (its policies: 2.23.140.1.1; required: 2.23.140.1.1): none of its certificate policies is "
         "one that its issuers have"},
        {ANY, DV, PKIX_POLICY_MISSING,
         "CN=www.example.com (its policies: 2.23.140.1.2.1; required: 2.23.140.1.1): none of the certificate policies "
         "that hold for the path is required"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct scene scene = scene_of(table[i].ca, table[i].leaf);

        ask_for_ev_policy(&scene);
        assert_verdict(&scene, table[i].want);
        if (table[i].want == PKIX_OK)
            assert_string_equal(scene.policies, "2.23.140.1.1");
        else if (strstr(scene.detail, table[i].detail) == NULL)
            fail_msg("row %zu: %s", i, scene.detail);
    }
}

static void policies_that_hold_are_told(void **state)
{
    struct scene scene = scene_of(EV | DV, EV | DV);

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(scene.policies, "2.23.140.1.1 2.23.140.1.2.1");
    scene = scene_of(ANY, ANY);
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(scene.policies, "2.5.29.32.0");
    scene = scene_of(NOTHING, EV);
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(scene.policies, "");
}

/* The same authority, with the same key, under two roots: the first path has not the policy. */
static void policy_is_looked_for_on_other_paths(void **state)
{
    struct scene scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), EV), host, root());
    struct cert_spec newer = builder_authority("ca", 1, "root", 0);

    (void)state;
    newer.not_before += BUILDER_DAY;
    scene_add_anchor(&scene, with_policies(builder_authority("other", 5, "other", 5), NOTHING));
    scene_add_extra(&scene, with_policies(newer, DV));
    scene_add_extra(&scene, with_policies(builder_authority("ca", 1, "other", 5), EV));
    ask_for_ev_policy(&scene);
    assert_verdict(&scene, PKIX_OK);
    assert_int_equal(scene.tried_count, 1);
}

/* A path that only lacks a policy is told of, whatever else was tried. */
static void policy_missing_is_not_hidden_by_other_errors(void **state)
{
    struct scene scene = scene_of(DV, DV);

    (void)state;
    scene_add_extra(&scene, with_policies(builder_authority("ca", 1, "nobody", 9), EV));
    ask_for_ev_policy(&scene);
    assert_verdict(&scene, PKIX_POLICY_MISSING);
    assert_int_equal(scene.tried_count, 2);
}

static void an_authority_may_require_a_policy_without_being_asked(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), NOTHING), host, root());

    (void)state;
    builder_add_extension(&ca, OID_POLICY_CONSTRAINTS, true, require_explicit_policy(0));
    scene_add_extra(&scene, with_policies(ca, DV));
    assert_verdict(&scene, PKIX_POLICY_MISSING);
    assert_non_null(strstr(scene.detail,
                           "CN=www.example.com (its policies: none; CN=ca requires a policy to hold; asked "
                           "for: any policy): it has no certificate policies"));
    scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), DV), host, root());
    scene_add_extra(&scene, with_policies(ca, DV));
    assert_verdict(&scene, PKIX_OK);
}

/* RFC 5280 section 6.1: an anchor is a name and a key. */
static void an_anchors_own_policies_are_not_looked_at(void **state)
{
    struct cert_spec anchor = builder_authority("root", 0, "root", 0);
    struct scene scene;

    (void)state;
    builder_add_extension(&anchor, OID_POLICY_CONSTRAINTS, true, require_explicit_policy(0));
    builder_add_extension(&anchor, OID_INHIBIT_ANY_POLICY, true, builder_integer(0));
    scene = scene_server(with_policies(builder_server(host, 2, "root", 0), NOTHING), host, with_policies(anchor, DV));
    assert_verdict(&scene, PKIX_OK);
    scene = scene_server(with_policies(builder_server(host, 2, "root", 0), EV), host, with_policies(anchor, DV));
    ask_for_ev_policy(&scene);
    assert_verdict(&scene, PKIX_OK);
}

static void a_leaf_that_is_an_anchor_has_its_own_policies(void **state)
{
    struct span leaf = with_policies(builder_server(host, 2, "ca", 1), DV);
    struct scene scene = scene_server(leaf, host, leaf);

    (void)state;
    assert_verdict(&scene, PKIX_OK);
    ask_for_ev_policy(&scene);
    assert_verdict(&scene, PKIX_POLICY_MISSING);
    leaf = with_policies(builder_server(host, 2, "ca", 1), EV);
    scene = scene_server(leaf, host, leaf);
    ask_for_ev_policy(&scene);
    assert_verdict(&scene, PKIX_OK);
}

/* CVE-2023-0465: OpenSSL passed over a leaf's malformed policies, and over the check with them. */
static void cve_2023_0465_a_leafs_bad_policies_are_not_passed_over(void **state)
{
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);
    struct scene scene;

    (void)state;
    builder_add_extension(
        &leaf, OID_CERTIFICATE_POLICIES, false,
        builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_SEQUENCE, ev_policy[0], builder_end), builder_end));
    for (unsigned asked = 0; asked < 2; asked++) {
        scene = scene_server(builder_cert(&leaf), host, root());
        scene_add_extra(&scene, with_policies(builder_authority("ca", 1, "root", 0), ANY));
        if (asked)
            ask_for_ev_policy(&scene);
        assert_verdict(&scene, PKIX_BAD_POLICY);
        assert_non_null(strstr(scene.detail, "CN=www.example.com: its certificatePolicies are malformed"));
    }
}

/* RFC 5280 section 4.2.1.5 wants it critical. */
static void critical_policy_mappings_are_understood(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct scene scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), DV), host, root());
    struct span mappings = builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE, oid(ev_oid, sizeof(ev_oid)), oid(dv_oid, sizeof(dv_oid)), builder_end), builder_end);

    (void)state;
    builder_add_extension(&ca, OID_POLICY_MAPPINGS, true, mappings);
    scene_add_extra(&scene, with_policies(ca, EV));
    ask_for_ev_policy(&scene);
    assert_verdict(&scene, PKIX_OK);
    scene.request.policy.inhibit_policy_mapping = true;
    assert_verdict(&scene, PKIX_POLICY_MISSING);
    builder_add_extension(&ca, OID_POLICY_MAPPINGS, true, mappings);
    scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), DV), host, root());
    scene_add_extra(&scene, with_policies(ca, EV));
    assert_verdict(&scene, PKIX_BAD_EXTENSION); /* twice */
}

static void work_on_policies_has_a_limit(void **state)
{
    struct scene scene = scene_of(EV | DV, EV | DV);
    struct pkix_limits limits = pkix_limits_default;
    size_t tried;

    (void)state;
    limits.policy_steps_max = 5;
    scene.request.limits = &limits;
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
    assert_non_null(strstr(scene.detail, "steps of policy processing"));
    tried = scene.tried_count;
    scene_add_extra(&scene, with_policies(builder_authority("ca", 1, "root", 0), EV));
    assert_verdict(&scene, PKIX_LIMIT_EXCEEDED);
    assert_int_equal(scene.tried_count, tried); /* that was the end of it */
    limits.policy_steps_max = 50;
    assert_verdict(&scene, PKIX_OK);
}

/* ---- extended validation ---- */

static struct pkix_ev_root pair_of(struct span anchor, const void *contents, size_t size)
{
    struct pkix_ev_root pair = {.policy_size = size};

    memcpy(pair.policy, contents, size);
    assert_true(pkix_nss_digest(PKIX_SHA256, anchor, pair.root_sha256));
    return pair;
}

static void ev_needs_policy_and_root(void **state)
{
    struct span anchor = root(), other = with_policies(builder_authority("other", 5, "other", 5), NOTHING);
    const struct pkix_ev_root good = pair_of(anchor, ev_oid, sizeof(ev_oid)),
                              other_root = pair_of(other, ev_oid, sizeof(ev_oid)),
                              other_policy = pair_of(anchor, dv_oid, sizeof(dv_oid)), both[] = {other_root, good};
    const struct {
        const struct pkix_ev_root *pairs;
        size_t count;
        unsigned ca, leaf;
        const char *want;
    } table[] = {
        {&good, 1, ANY, EV, "2.23.140.1.1"},
        {&good, 1, EV, EV | DV, "2.23.140.1.1"},
        {both, 2, ANY, EV, "2.23.140.1.1"},
        {NULL, 0, ANY, EV, ""},
        {&good, 1, DV, EV, ""},
        {&good, 1, NOTHING, EV, ""},
        {&good, 1, ANY, DV, ""},
        {&good, 1, EV, ANY, ""}, /* the leaf has to say so itself */
        {&good, 1, ANY, NOTHING, ""},
        {&other_root, 1, ANY, EV, ""},
        {&other_policy, 1, ANY, EV, ""},
        {&other_policy, 1, ANY, DV, "2.23.140.1.2.1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        for (int required = 0; required < 2; required++) {
            struct scene scene = scene_of(table[i].ca, table[i].leaf);

            scene.request.policy.ev_roots = table[i].pairs;
            scene.request.policy.ev_root_count = table[i].count;
            scene.request.policy.require_ev = required;
            assert_verdict(&scene, required && *table[i].want == '\0' ? PKIX_POLICY_MISSING : PKIX_OK);
            assert_string_equal(scene.ev, table[i].want);
        }
    }
}

/* What is mapped to it is not it. */
static void ev_is_not_mapped(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct span anchor = root();
    struct scene scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), DV), host, anchor);
    const struct pkix_ev_root pair = pair_of(anchor, ev_oid, sizeof(ev_oid));

    (void)state;
    builder_add_extension(
        &ca, OID_POLICY_MAPPINGS, true,
        builder_tlv(ASN1_SEQUENCE,
                    builder_tlv(ASN1_SEQUENCE, oid(ev_oid, sizeof(ev_oid)), oid(dv_oid, sizeof(dv_oid)), builder_end),
                    builder_end));
    scene_add_extra(&scene, with_policies(ca, EV));
    scene.request.policy.ev_roots = &pair;
    scene.request.policy.ev_root_count = 1;
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(scene.policies, "2.23.140.1.1");
    assert_string_equal(scene.ev, "");
}

/* It is the root of the path found that counts; where it is required, another is looked for. */
static void ev_is_looked_for_on_other_paths_where_it_is_required(void **state)
{
    struct span other = with_policies(builder_authority("other", 5, "other", 5), NOTHING);
    struct scene scene = scene_server(with_policies(builder_server(host, 2, "ca", 1), EV), host, root());
    const struct pkix_ev_root pair = pair_of(other, ev_oid, sizeof(ev_oid));
    struct cert_spec newer = builder_authority("ca", 1, "root", 0);

    (void)state;
    newer.not_before += BUILDER_DAY;
    scene_add_anchor(&scene, other);
    scene_add_extra(&scene, with_policies(newer, ANY));
    scene_add_extra(&scene, with_policies(builder_authority("ca", 1, "other", 5), ANY));
    scene.request.policy.ev_roots = &pair;
    scene.request.policy.ev_root_count = 1;
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(scene.ev, "");
    scene.request.policy.require_ev = true;
    assert_verdict(&scene, PKIX_OK);
    assert_string_equal(scene.ev, "2.23.140.1.1");
}

static void ev_that_is_missing_is_explained(void **state)
{
    struct scene scene = scene_of(ANY, DV);
    const struct pkix_ev_root pair = pair_of(root(), ev_oid, sizeof(ev_oid));

    (void)state;
    scene.request.policy.ev_roots = &pair;
    scene.request.policy.ev_root_count = 1;
    scene.request.policy.require_ev = true;
    assert_verdict(&scene, PKIX_POLICY_MISSING);
    assert_non_null(strstr(scene.detail, "CN=www.example.com (its policies: 2.23.140.1.2.1; required: extended "
                                         "validation): none of its certificate policies means extended validation"));
}

/* ---- the list ---- */

#define HEX "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void ev_list_takes_pairs(void **state)
{
    static const char colons[] = "1.2.3=00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
                                 "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
    struct pkix_ev_list list = {.count = 0};

    (void)state;
    assert_null(pkix_ev_list_add(&list, "2.23.140.1.1=" HEX));
    assert_null(pkix_ev_list_add(&list, colons));
    assert_int_equal(list.count, 2);
    assert_memory_equal(list.roots[0].policy, ev_oid, sizeof(ev_oid));
    assert_int_equal(list.roots[0].policy_size, sizeof(ev_oid));
    assert_int_equal(list.roots[0].root_sha256[1], 0x11);
    assert_int_equal(list.roots[0].root_sha256[31], 0xff);
    assert_memory_equal(list.roots[0].root_sha256, list.roots[1].root_sha256, 32);
    pkix_ev_list_clear(&list);
    assert_int_equal(list.count, 0);
}

static void ev_list_refuses_what_is_no_pair(void **state)
{
    static const struct {
        const char *pair, *why;
    } table[] = {
        {"", "must be OID=SHA256"},
        {"2.23.140.1.1", "must be OID=SHA256"},
        {"=" HEX, "before the '='"},
        {"ev=" HEX, "before the '='"},
        {"2.23.140.1.1=", "after the '='"},
        {"2.23.140.1.1=0011", "after the '='"},
        {"2.23.140.1.1=" HEX "00", "after the '='"},
        {"2.23.140.1.1=:" HEX, "after the '='"},
        {"2.23.140.1.1=g" HEX, "after the '='"},
        {"2.5.29.32.0=" HEX, "anyPolicy"},
        {"1.2.3=" HEX, "there already"},
        {"1.2.3 = " HEX, "there already"},
    };
    struct pkix_ev_list list = {.count = 0};

    (void)state;
    assert_null(pkix_ev_list_add(&list, "1.2.3=" HEX));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *why = pkix_ev_list_add(&list, table[i].pair);

        if (why == NULL || strstr(why, table[i].why) == NULL)
            fail_msg("%s: %s", table[i].pair, why);
    }
    assert_int_equal(list.count, 1);
    pkix_ev_list_clear(&list);
}

struct problems {
    unsigned lines[64], count;
    char last[256];
};

static void note_problem(void *ctx, unsigned line, const char *sentence)
{
    struct problems *p = ctx;

    assert_true(p->count < ARRAY_LEN(p->lines));
    p->lines[p->count++] = line;
    snprintf(p->last, sizeof(p->last), "%s", sentence);
}

static bool read_list(const char *text, size_t size, struct pkix_ev_list *list, struct problems *problems)
{
    char path[] = "/tmp/yett-test-ev-XXXXXX";
    int fd = mkstemp(path);
    bool good;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    *problems = (struct problems){.count = 0};
    good = pkix_ev_list_add_path(list, path, note_problem, problems);
    unlink(path);
    return good;
}

static void ev_list_reads_a_file(void **state)
{
    static const char good[] = "# roots\n\n  2.23.140.1.1 = " HEX "   # one\r\n1.2.3=" HEX "\n1.2.4=" HEX,
                      bad[] = "1.2.3=" HEX "\nnonsense\n\n1.2.3=" HEX "\n1.2.5=" HEX "\n", empty[] = "# none\n",
                      nul[] = "1.2.3=" HEX "\n\0\n";
    struct pkix_ev_list list = {.count = 0};
    struct problems problems;
    char many[1000];
    size_t size = 0;

    (void)state;
    assert_true(read_list(good, sizeof(good) - 1, &list, &problems));
    assert_int_equal(list.count, 3);
    pkix_ev_list_clear(&list);

    assert_false(read_list(bad, sizeof(bad) - 1, &list, &problems));
    assert_int_equal(problems.count, 2);
    assert_int_equal(problems.lines[0], 2);
    assert_int_equal(problems.lines[1], 4);
    assert_int_equal(list.count, 2);
    pkix_ev_list_clear(&list);

    assert_false(read_list(empty, sizeof(empty) - 1, &list, &problems));
    assert_int_equal(problems.lines[0], 0);
    assert_non_null(strstr(problems.last, "no pair"));
    assert_false(read_list(nul, sizeof(nul) - 1, &list, &problems));
    assert_non_null(strstr(problems.last, "NUL"));
    pkix_ev_list_clear(&list);

    for (unsigned i = 0; i < 100; i++)
        size += (size_t)snprintf(many + size, sizeof(many) - size, "bad\n");
    assert_false(read_list(many, size, &list, &problems));
    assert_int_equal(problems.count, PKIX_RULES_PROBLEMS_MAX + 1);
    assert_non_null(strstr(problems.last, "more bad lines"));

    problems.count = 0;
    assert_false(pkix_ev_list_add_path(&list, "/nonexistent/list", note_problem, &problems));
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.lines[0], 0);
    assert_null(strstr(problems.last, "/nonexistent/list")); /* for who tells it to say */
    pkix_ev_list_clear(&list);
}

static void ev_list_has_a_ceiling(void **state)
{
    struct pkix_ev_list list = {.count = 0};
    char pair[128];

    (void)state;
    for (unsigned i = 0; i <= PKIX_EV_ROOTS_MAX; i++) {
        const char *why;

        snprintf(pair, sizeof(pair), "1.2.%u=" HEX, i);
        why = pkix_ev_list_add(&list, pair);
        if (i < PKIX_EV_ROOTS_MAX)
            assert_null(why);
        else
            assert_non_null(strstr(why, "one pair too many"));
    }
    pkix_ev_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_is_required_all_the_way),
        cmocka_unit_test(policies_that_hold_are_told),
        cmocka_unit_test(policy_is_looked_for_on_other_paths),
        cmocka_unit_test(policy_missing_is_not_hidden_by_other_errors),
        cmocka_unit_test(an_authority_may_require_a_policy_without_being_asked),
        cmocka_unit_test(an_anchors_own_policies_are_not_looked_at),
        cmocka_unit_test(a_leaf_that_is_an_anchor_has_its_own_policies),
        cmocka_unit_test(cve_2023_0465_a_leafs_bad_policies_are_not_passed_over),
        cmocka_unit_test(critical_policy_mappings_are_understood),
        cmocka_unit_test(work_on_policies_has_a_limit),
        cmocka_unit_test(ev_needs_policy_and_root),
        cmocka_unit_test(ev_is_not_mapped),
        cmocka_unit_test(ev_is_looked_for_on_other_paths_where_it_is_required),
        cmocka_unit_test(ev_that_is_missing_is_explained),
        cmocka_unit_test(ev_list_takes_pairs),
        cmocka_unit_test(ev_list_refuses_what_is_no_pair),
        cmocka_unit_test(ev_list_reads_a_file),
        cmocka_unit_test(ev_list_has_a_ceiling),
    };

    return cmocka_run_group_tests_name("policy_search", tests, builder_start, builder_stop);
}
