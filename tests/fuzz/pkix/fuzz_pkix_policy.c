/* Certificate policies of a path, whose extensions are the input.
 *
 * First byte: what is asked, in bits, and how many of three policies are the user's. Then for each certificate, from
 * the leaf on, a byte of bits (self-issued, which extensions are critical) and four parts: certificatePolicies,
 * policyMappings, policyConstraints, inhibitAnyPolicy; an empty one is absent. What must hold: the limits, that what is
 * required is there, and that asking for less never refuses more. */
#include "fuzz_support.h"
#include "pkix/oid.h"
#include "pkix/search.h"

#include <stdlib.h>

enum { EXPLICIT = 1, INHIBIT_MAPPING = 2, INHIBIT_ANY = 4, USERS_SHIFT = 3, USERS_MAX = 3, STEPS_MAX = 20000 };

static const enum pkix_extension parts[] = {PKIX_EXT_CERTIFICATE_POLICIES, PKIX_EXT_POLICY_MAPPINGS,
                                            PKIX_EXT_POLICY_CONSTRAINTS, PKIX_EXT_INHIBIT_ANY_POLICY};

static unsigned read_path(struct span input, struct pkix_cert *certs, const struct pkix_cert **path)
{
    unsigned count = 0;

    while (input.size != 0 && count < PKIX_PATH_MAX - 1) {
        uint8_t bits = input.data[0];
        struct pkix_cert *cert = &certs[count];

        input = span_skip(input, 1);
        cert->subject = span_of_string("s");
        cert->issuer = span_of_string((bits & 0x80) != 0 ? "s" : "i");
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            struct span part = fuzz_take_part(&input);

            cert->extensions[parts[i]] = (struct pkix_extension_value){
                .value = part, .present = part.size != 0, .critical = (bits >> i & 1) != 0};
        }
        path[count++] = cert;
    }
    return count;
}

static void check_sets(const struct pkix_policy_inputs *inputs, const struct pkix_policy_outcome *outcome)
{
    const struct pkix_policy_set *user = &outcome->user;

    assert(user->count <= PKIX_POLICIES_VALID_MAX && outcome->authorities.count <= PKIX_POLICIES_VALID_MAX);
    assert(!inputs->explicit_policy || user->any || user->count > 0);
    for (unsigned i = 0; i < user->count; i++) {
        free(pkix_oid_text(user->items[i]));
        assert(outcome->authorities.any || pkix_policy_set_has(&outcome->authorities, user->items[i]));
        assert(!pkix_oid_is(user->items[i], OID_ANY_POLICY));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t oids[USERS_MAX][3] = {{0x2a, 3, 1}, {0x2a, 3, 2}, {0x2a, 3, 3}};
    const struct span users[USERS_MAX] = {{oids[0], 3}, {oids[1], 3}, {oids[2], 3}};
    struct pkix_cert *certs;
    const struct pkix_cert *path[PKIX_PATH_MAX];
    struct pkix_policy_outcome *outcome, *lenient;
    struct pkix_policy_inputs inputs = {.policies = users}, nothing = {.policies = NULL};
    unsigned count, steps_left = STEPS_MAX, more_steps_left = STEPS_MAX;
    enum pkix_error error, lenient_error;

    if (size == 0)
        return 0;
    certs = base_alloc(PKIX_PATH_MAX * sizeof(*certs));
    outcome = base_alloc(sizeof(*outcome));
    lenient = base_alloc(sizeof(*lenient));
    inputs.explicit_policy = (data[0] & EXPLICIT) != 0;
    inputs.inhibit_policy_mapping = (data[0] & INHIBIT_MAPPING) != 0;
    inputs.inhibit_any_policy = (data[0] & INHIBIT_ANY) != 0;
    inputs.policy_count = (data[0] >> USERS_SHIFT) % (USERS_MAX + 1);
    count = read_path(span_of(data + 1, size - 1), certs, path);
    error = pkix_policy_check(path, count, &inputs, &steps_left, outcome);
    lenient_error = pkix_policy_check(path, count, &nothing, &more_steps_left, lenient);
    assert(steps_left <= STEPS_MAX);
    if (error == PKIX_OK) {
        check_sets(&inputs, outcome);
        assert(lenient_error == PKIX_OK || lenient_error == PKIX_LIMIT_EXCEEDED);
    } else {
        assert(error == PKIX_POLICY_MISSING || error == PKIX_BAD_POLICY || error == PKIX_LIMIT_EXCEEDED);
        assert(outcome->what != NULL && outcome->culprit < count);
        assert(outcome->required_by == PKIX_POLICY_REQUESTED || outcome->required_by < count);
    }
    free(lenient);
    free(outcome);
    free(certs);
    return 0;
}
