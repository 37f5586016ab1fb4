/* see pkix/explain.h */
#include "pkix/explain.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include "pkix/key.h"
#include "pkix/names.h"
#include "pkix/oid.h"
#include "pkix/oid_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { USAGES_NAMED_MAX = 8, POLICIES_NAMED_MAX = 6 };

char *pkix_explain_name(struct span name)
{
    char *text = pkix_dn_text(name), *cut;
    size_t size = PKIX_EXPLAIN_NAME_MAX;

    if (strlen(text) <= PKIX_EXPLAIN_NAME_MAX)
        return text;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    cut = base_printf("%.*s...", (int)size, text);
    free(text);
    return cut;
}

static char *date_value(const char *what, int64_t seconds, int64_t now)
{
    char *date = pkix_time_text(seconds), *now_text = pkix_time_text(now);
    char *text = base_printf(" (%s %s; now is %s)", what, date, now_text);

    free(date);
    free(now_text);
    return text;
}

static const char *usage_name(struct span oid)
{
    static const struct {
        enum pkix_oid oid;
        const char *name;
    } known[] = {{OID_SERVER_AUTH, "serverAuth"},
                 {OID_CLIENT_AUTH, "clientAuth"},
                 {OID_OCSP_SIGNING, "OCSPSigning"},
                 {OID_ANY_EXTENDED_KEY_USAGE, "anyExtendedKeyUsage"}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (pkix_oid_is(oid, known[i].oid))
            return known[i].name;
    return "another";
}

static char *usage_value(const struct pkix_search *s, const struct pkix_cert *cert)
{
    struct span value, oid;
    struct der usages;
    char *text = base_strdup("");

    if (pkix_cert_extension(cert, PKIX_EXT_EXTENDED_KEY_USAGE, &value) &&
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &usages) == PKIX_OK) {
        for (unsigned i = 0; i < USAGES_NAMED_MAX && der_read(&usages, ASN1_OID, &oid) == PKIX_OK; i++) {
            char *longer = base_printf("%s%s%s", text, i == 0 ? "" : ", ", usage_name(oid));

            free(text);
            text = longer;
        }
    }
    value = span_of(text, 0);
    text = base_printf(" (its extended key usage is %s; %s is needed)", text[0] == '\0' ? "not readable" : text,
                       s->request->purpose == PKIX_PURPOSE_SERVER ? "serverAuth" : "clientAuth");
    free((void *)(uintptr_t)value.data);
    return text;
}

static char *wanted_name(const struct pkix_name *name)
{
    char quoted[BASE_QUOTE_SIZE], ip[PKIX_IP_TEXT_SIZE];

    if (name->type == PKIX_NAME_IP) {
        pkix_ip_format(name->value, ip);
        return base_strdup(ip);
    }
    return base_strdup(base_quote(name->value.data, name->value.size, quoted, sizeof(quoted)));
}

static char *names_value(const struct pkix_search *s, const struct pkix_cert *cert)
{
    char *names = pkix_names_text(cert), *wanted = wanted_name(&s->request->name);
    char *text = base_printf(" (it is for %s; asked for %s)", names[0] == '\0' ? "no name" : names, wanted);

    free(wanted);
    free(names);
    return text;
}

/* Whose constraints: the issuer's that was tried last. */
static char *constraints_value(const struct pkix_tried *t, const struct pkix_cert *cert)
{
    char *names = pkix_names_text(cert);
    char *issuer = pkix_explain_name(t->path.steps[t->path.count - 1].cert->subject);
    char *text = base_printf(" (it is for %s; the name constraints are those of %s)",
                             names[0] == '\0' ? "its subject only" : names, issuer);

    free(issuer);
    free(names);
    return text;
}

/* What the administrator does next depends on it: have the peer send an intermediate, or trust an authority. */
static char *issuer_value(const struct pkix_tried *t, const struct pkix_cert *cert)
{
    char *issuer, *text;

    if (t->path.count - 1 != t->culprit) /* a loop, or issuers that failed differently */
        return NULL;
    issuer = pkix_explain_name(cert->issuer);
    if (pkix_cert_is_self_issued(cert))
        text = base_strdup(" (it is self-issued, and not among the trusted certificates)");
    else
        text = base_printf(" (its issuer is %s, which the peer did not send and which is not trusted)", issuer);
    free(issuer);
    return text;
}

/* "1.2.3, 1.2.4 and 3 more"; "none". Of what a peer lists a few are enough. */
static char *policies_text(const struct span *policies, size_t count)
{
    char *text = base_strdup(count == 0 ? "none" : "");

    for (size_t i = 0; i < count && i < POLICIES_NAMED_MAX; i++) {
        char *oid = pkix_oid_text(policies[i]), *longer = base_printf("%s%s%s", text, i == 0 ? "" : ", ", oid);

        free(oid);
        free(text);
        text = longer;
    }
    if (count > POLICIES_NAMED_MAX) {
        char *longer = base_printf("%s and %zu more", text, count - POLICIES_NAMED_MAX);

        free(text);
        text = longer;
    }
    return text;
}

/* Who wants it: the configuration, a policy or extended validation, or an authority. */
static char *policy_demand(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_policy_inputs *inputs = &s->request->policy;
    char *asked = inputs->policy_count > 0 ? policies_text(inputs->policies, inputs->policy_count)
                                           : base_strdup(inputs->require_ev ? "extended validation" : "any policy");
    char *demand;

    if (t->required_by != PKIX_POLICY_REQUESTED) {
        char *authority = pkix_explain_name(t->path.steps[t->required_by].cert->subject);

        demand = base_printf("%s requires a policy to hold; asked for: %s", authority, asked);
        free(authority);
    } else {
        demand = base_printf("required: %s%s", inputs->policy_count > 1 ? "one of " : "", asked);
    }
    free(asked);
    return demand;
}

static char *policy_value(const struct pkix_search *s, const struct pkix_tried *t, const struct pkix_cert *cert)
{
    struct pkix_policies *policies = base_alloc(sizeof(*policies));
    const char *ignored;
    char *own, *demand = policy_demand(s, t), *text;

    if (pkix_policies_read(cert, policies, &ignored) == PKIX_OK && policies->any &&
        policies->count < PKIX_POLICIES_PER_CERT_MAX)
        policies->items[policies->count++] = pkix_oid(OID_ANY_POLICY);
    own = policies_text(policies->items, policies->count);
    text = base_printf(" (its policies: %s; %s)", own, demand);
    free(own);
    free(demand);
    free(policies);
    return text;
}

/* The value that decides, or NULL where the error says it all. */
static char *value_of(const struct pkix_search *s, const struct pkix_tried *t, const struct pkix_cert *cert)
{
    struct pkix_key key;
    char key_text[32];

    if (t->error == PKIX_EXPIRED || t->error == PKIX_EXPIRED_ISSUER)
        return date_value("not after", cert->not_after, s->request->time);
    if (t->error == PKIX_NOT_YET_VALID || t->error == PKIX_NOT_YET_VALID_ISSUER)
        return date_value("not before", cert->not_before, s->request->time);
    if (t->error == PKIX_DISTRUSTED_AFTER)
        return date_value("leaf not before", s->leaf.not_before, s->request->time);
    if (t->error == PKIX_UNKNOWN_ISSUER)
        return issuer_value(t, cert);
    if (t->error == PKIX_NAME_MISMATCH)
        return names_value(s, cert);
    if (t->error == PKIX_NAME_CONSTRAINT_VIOLATION)
        return constraints_value(t, cert);
    if (t->error == PKIX_BAD_EXTENDED_KEY_USAGE)
        return usage_value(s, cert);
    if (t->error == PKIX_WEAK_KEY && pkix_key_read(cert->spki, &key) == PKIX_WEAK_KEY)
        return base_printf(" (%s)", pkix_key_text(&key, key_text, sizeof(key_text)));
    if (t->error == PKIX_PATH_TOO_LONG)
        return base_printf(" (at most %u intermediates by configuration)", s->limits.intermediates_max);
    if (t->error == PKIX_POLICY_MISSING)
        return policy_value(s, t, cert);
    if (t->error == PKIX_LIMIT_EXCEEDED)
        return base_printf(" (%u signature checks, %u issuers tried; the limit met is that on %s)", s->signature_checks,
                           s->steps, s->limit_met);
    return NULL;
}

/* " number 0x07", or nothing. Owned by the caller. */
static char *number_text(struct span number)
{
    char *text = base_alloc(sizeof(" number 0x") + 2 * number.size);
    size_t size = 0;

    if (number.size != 0)
        size = (size_t)sprintf(text, " number 0x");
    for (size_t i = 0; i < number.size; i++)
        size += (size_t)sprintf(text + size, "%02x", number.data[i]);
    text[size] = '\0';
    return text;
}

/* The errors of pkix_crl_set_check(), as what is wrong with one list. */
static const char *why_unused(const struct pkix_crl_info *list, enum pkix_error error, enum pkix_profile profile)
{
    if (error == PKIX_CRL_BAD_SIGNATURE)
        return "its signature verifies with no key of its issuer that is known and leads to the same anchor";
    if (error == PKIX_CRL_UNUSABLE)
        return profile == PKIX_PROFILE_STRICT && list->number.size == 0
                   ? "it has no CRL number, which the strict profile demands (RFC 5280 section 5.2.3)"
                   : "the key usage of its signer lacks cRLSign (RFC 5280 section 4.2.1.3)";
    return pkix_error_sentence(error);
}

char *pkix_explain_unused_crl(const struct pkix_crl_info *list, enum pkix_error error, const struct pkix_cert *cert,
                              enum pkix_profile profile)
{
    struct span shown = list->number.size > PKIX_CRL_NUMBER_SHOWN_MAX ? span_of(NULL, 0) : list->number;
    char *issuer = pkix_explain_name(list->issuer), *subject = pkix_explain_name(cert->subject),
         *number = number_text(shown), *from = pkix_time_text(list->this_update),
         *until = pkix_time_text(list->next_update);
    char *text =
        base_printf("whether %s is revoked is not known from the CRL%s of %s (from %s until %s), which cannot be "
                    "used: %s",
                    subject, number, issuer, from, until, why_unused(list, error, profile));

    free(until);
    free(from);
    free(number);
    free(subject);
    free(issuer);
    return text;
}

char *pkix_explain(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_cert *cert = t->path.steps[t->culprit].cert;
    char *subject = pkix_explain_name(cert->subject), *value = value_of(s, t, cert), *text;

    text = base_printf("%s: %s%s%s%s", pkix_error_sentence(t->error), subject, value == NULL ? "" : value,
                       t->what == NULL ? "" : ": ", t->what == NULL ? "" : t->what);
    free(value);
    free(subject);
    return text;
}

char *pkix_explain_path(const struct pkix_tried *t)
{
    char *text = base_strdup("");
    bool cut = t->path.count > PKIX_EXPLAIN_PATH_NAMES;

    for (unsigned i = 0; i < t->path.count; i++) {
        char *name, *longer;

        if (cut && i >= PKIX_EXPLAIN_PATH_NAMES / 2 && i < t->path.count - PKIX_EXPLAIN_PATH_NAMES / 2 &&
            i != t->culprit)
            continue;
        name = pkix_explain_name(t->path.steps[i].cert->subject);
        longer = base_printf("%s%s%s%s%s%s", text, i == 0 ? "" : " <- ", name, i == t->culprit ? " [" : "",
                             i == t->culprit ? pkix_error_name(t->error) : "", i == t->culprit ? "]" : "");
        free(name);
        free(text);
        text = longer;
    }
    return text;
}

char *pkix_explain_issuers(const struct pkix_search *s)
{
    char *text = base_strdup("");

    for (unsigned i = 0; i < s->issuers_asked; i++) {
        const struct pkix_issuer_note *note = &s->issuer_notes[i];
        char quoted[BASE_QUOTE_SIZE];
        char *child = pkix_explain_name(note->child->subject), *longer;

        base_quote(note->url.data, note->url.size, quoted, sizeof(quoted));
        longer = note->why == NULL
                     ? base_printf("%s; the issuer of %s was fetched from %s", text, child, quoted)
                     : base_printf("%s; the issuer of %s could not be had from %s: %s", text, child, quoted, note->why);
        free(child);
        free(text);
        text = longer;
    }
    return text;
}
