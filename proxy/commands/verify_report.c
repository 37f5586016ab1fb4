/* see proxy/commands/cmd_verify_internal.h */
#include "proxy/commands/cmd_verify_internal.h"

#include "pkix/describe.h"
#include "pkix/identity.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *revocation_text(const struct pkix_verdict *v)
{
    switch (pkix_verdict_revocation(v)) {
    case PKIX_REVOCATION_NOT_CHECKED:
        return "not_checked";
    case PKIX_REVOCATION_NOTHING_FOUND:
        return "nothing_found";
    case PKIX_REVOCATION_GOOD_OCSP:
        return "good_ocsp";
    case PKIX_REVOCATION_GOOD_CRL:
        return "good_crl";
    case PKIX_REVOCATION_IS_REVOKED:
        return "revoked";
    }
    base_abort("revocation status");
}

static json_t *chain_json(const struct pkix_verdict *v)
{
    json_t *chain = json_array();

    for (size_t i = 0; i < pkix_verdict_path_length(v); i++) {
        struct pkix_description d;

        if (pkix_describe(pkix_verdict_path_cert(v, i), &d))
            json_array_append_new(chain,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "subject", d.subject, "issuer",
                                            d.issuer, "serial", d.serial, "not_before", d.not_before, "not_after",
                                            d.not_after, "sha256", d.sha256, "key", d.key, "signature", d.signature));
        pkix_description_clear(&d);
    }
    return chain;
}

static json_t *tried_json(const struct pkix_verdict *v)
{
    json_t *tried = json_array();

    for (size_t i = 0; i < pkix_verdict_tried_count(v); i++) {
        json_t *path = json_array();

        for (size_t k = 0; k < pkix_verdict_tried_length(v, i); k++)
            json_array_append_new(path, json_string(pkix_verdict_tried_subject(v, i, k)));
        json_array_append_new(tried, json_pack("{s:o, s:s, s:s, s:s}", "path", path, "error",
                                               pkix_error_name(pkix_verdict_tried_error(v, i)), "at",
                                               pkix_verdict_tried_subject(v, i, pkix_verdict_tried_at(v, i)), "detail",
                                               pkix_verdict_tried_detail(v, i)));
    }
    return tried;
}

static json_t *policies_json(const struct pkix_verdict *v)
{
    json_t *policies = json_array();

    for (size_t i = 0; i < pkix_verdict_policy_count(v); i++)
        json_array_append_new(policies, json_string(pkix_verdict_policy(v, i)));
    return policies;
}

static json_t *warnings_json(const struct pkix_verdict *v)
{
    json_t *warnings = json_array();

    for (size_t i = 0; i < pkix_verdict_warning_count(v); i++)
        json_array_append_new(warnings, json_string(pkix_verdict_warning(v, i)));
    return warnings;
}

/* The allow rules that fit the peer's certificate, each by itself: they can be copied into a configuration. */
struct rule_visitor {
    void (*visit)(void *ctx, const char *rule);
    void *ctx;
};

static void tell_rule(const struct rule_visitor *v, const char *prefix, const char *value)
{
    char *rule = base_printf("%s%s", prefix, value);

    v->visit(v->ctx, rule);
    free(rule);
}

static void each_allow_rule(const struct pkix_verdict *v, const struct rule_visitor *visitor)
{
    struct pkix_identity identity;

    if (pkix_verdict_path_length(v) == 0 || !pkix_identity_read(pkix_verdict_path_cert(v, 0), &identity))
        return;
    for (size_t i = 0; i < identity.count; i++)
        if (pkix_id_rule(identity.ids[i].type) != NULL)
            tell_rule(visitor, pkix_id_rule(identity.ids[i].type), identity.ids[i].value);
    tell_rule(visitor, "sha256:", identity.sha256);
    tell_rule(visitor, "spki_sha256:", identity.spki_sha256);
    for (size_t i = 1; i < pkix_verdict_path_length(v); i++) {
        struct pkix_description d;

        if (pkix_describe(pkix_verdict_path_cert(v, i), &d))
            tell_rule(visitor, "issuer:sha256=", d.sha256);
        pkix_description_clear(&d);
    }
    for (size_t i = 0; i < pkix_verdict_policy_count(v); i++)
        tell_rule(visitor, "policy:", pkix_verdict_policy(v, i));
    pkix_identity_clear(&identity);
}

static void append_rule(void *ctx, const char *rule)
{
    json_array_append_new(ctx, json_string(rule));
}

static void print_rule(void *ctx, const char *rule)
{
    (void)ctx;
    printf("allow: %s\n", rule);
}

static json_t *identities_json(const struct pkix_verdict *v)
{
    json_t *rules = json_array();

    each_allow_rule(v, &(struct rule_visitor){append_rule, rules});
    return rules;
}

void verify_print_json(const struct pkix_verdict *v)
{
    enum pkix_error error = pkix_verdict_error(v);
    const char *ev_policy = pkix_verdict_ev_policy(v);
    bool valid = error == PKIX_OK;
    json_t *object =
        json_pack("{s:b, s:o, s:s, s:o, s:b, s:s?, s:o, s:s, s:o, s:o, s:o, s:i}", "valid", valid, "error",
                  valid ? json_null() : json_string(pkix_error_name(error)), "detail", pkix_verdict_detail(v), "chain",
                  chain_json(v), "ev", ev_policy != NULL, "ev_policy", ev_policy, "policies", policies_json(v),
                  "revocation", revocation_text(v), "identities", identities_json(v), "warnings", warnings_json(v),
                  "tried", tried_json(v), "signature_checks", (int)pkix_verdict_signature_checks(v));

    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

void verify_print_text(const struct verify_options *o, const struct pkix_verdict *v)
{
    const char *ev_policy = pkix_verdict_ev_policy(v);

    if (pkix_verdict_error(v) == PKIX_OK)
        printf("valid; revocation: %s\n", revocation_text(v));
    else
        printf("not valid: %s: %s\n", pkix_error_name(pkix_verdict_error(v)), pkix_verdict_detail(v));
    for (size_t i = 0; i < pkix_verdict_warning_count(v); i++)
        printf("warning: %s\n", pkix_verdict_warning(v, i));
    for (size_t i = 0; i < pkix_verdict_policy_count(v); i++)
        printf("%s%s", i == 0 ? "policies: " : ", ", pkix_verdict_policy(v, i));
    if (pkix_verdict_policy_count(v) != 0)
        printf("\n");
    if (ev_policy != NULL)
        printf("extended validation: %s\n", ev_policy);
    for (size_t i = 0; i < pkix_verdict_path_length(v); i++) {
        struct pkix_description d;

        if (pkix_describe(pkix_verdict_path_cert(v, i), &d))
            printf("%3zu  %s\n     %s to %s, %s, %s, sha256 %s\n", i, d.subject, d.not_before, d.not_after, d.key,
                   d.signature, d.sha256);
        pkix_description_clear(&d);
    }
    if (o->request.purpose == PKIX_PURPOSE_CLIENT)
        each_allow_rule(v, &(struct rule_visitor){print_rule, NULL});
    for (size_t i = 0; i < pkix_verdict_tried_count(v); i++) {
        printf("tried:");
        for (size_t k = 0; k < pkix_verdict_tried_length(v, i); k++)
            printf("%s %s", k == 0 ? "" : " <-", pkix_verdict_tried_name(v, i, k));
        printf("\n");
        /* One that stopped for the reason above has been explained. */
        if (pkix_verdict_tried_error(v, i) != pkix_verdict_error(v) ||
            strcmp(pkix_verdict_tried_detail(v, i), pkix_verdict_detail(v)) != 0)
            printf("       %s: %s\n", pkix_error_name(pkix_verdict_tried_error(v, i)), pkix_verdict_tried_detail(v, i));
    }
    printf("signature checks: %u\n", pkix_verdict_signature_checks(v));
}
