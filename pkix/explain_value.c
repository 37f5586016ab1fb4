/* see pkix/explain_value.h */
#include "pkix/explain_value.h"
#include "pkix/check.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include "pkix/explain_crl.h"
#include "pkix/explain_name.h"
#include "pkix/key.h"
#include "pkix/names.h"
#include "pkix/oid.h"
#include "pkix/oid_text.h"
#include "pkix/policy_read.h"
#include "pkix/store_internal.h"

#include <stdlib.h>

enum { USAGES_NAMED_MAX = 8, POLICIES_NAMED_MAX = 6 };

/* Adds a word to a list; *list is the caller's, and empty to begin with. */
static void add_word(char **list, const char *word)
{
    char *longer = base_printf("%s%s%s", *list, (*list)[0] == '\0' ? "" : ", ", word);

    free(*list);
    *list = longer;
}

static char *date_value(const char *what, int64_t seconds, int64_t now)
{
    char *date = pkix_time_text(seconds), *now_text = pkix_time_text(now);
    char *text = base_printf(" (%s %s; now is %s)", what, date, now_text);

    free(date);
    free(now_text);
    return text;
}

/* ---- what it is for ---- */

/* By its name where it has one that people use, else its number. Owned by the caller. */
static char *usage_name(struct span oid)
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
            return base_strdup(known[i].name);
    return pkix_oid_text(oid);
}

static const char *needed_usage(const struct pkix_request *r)
{
    static const char *const of_clients[] = {[PKIX_CLIENT_USAGE_CLIENT] = "clientAuth",
                                             [PKIX_CLIENT_USAGE_SERVER] = "serverAuth",
                                             [PKIX_CLIENT_USAGE_ANY] = "clientAuth or serverAuth"};
    static const char *const or_any[] = {[PKIX_CLIENT_USAGE_CLIENT] = "clientAuth or anyExtendedKeyUsage",
                                         [PKIX_CLIENT_USAGE_SERVER] = "serverAuth or anyExtendedKeyUsage",
                                         [PKIX_CLIENT_USAGE_ANY] = "clientAuth, serverAuth or anyExtendedKeyUsage"};

    if (r->purpose == PKIX_PURPOSE_SERVER)
        return "serverAuth";
    return (r->any_extended_key_usage ? or_any : of_clients)[r->client_usage];
}

static char *usage_value(const struct pkix_search *s, const struct pkix_tried *t, const struct pkix_cert *cert)
{
    struct span value, oid;
    struct der usages;
    char *list = base_strdup(""), *text;

    if (pkix_cert_extension(cert, PKIX_EXT_EXTENDED_KEY_USAGE, &value) &&
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &usages) == PKIX_OK) {
        for (unsigned i = 0; i < USAGES_NAMED_MAX && der_read(&usages, ASN1_OID, &oid) == PKIX_OK; i++) {
            char *name = usage_name(oid);

            add_word(&list, name);
            free(name);
        }
    }
    text = t->failure.what != NULL ? base_printf(" (its extended key usage is %s)", list)
                                   : base_printf(" (its extended key usage is %s; %s is needed)",
                                                 list[0] == '\0' ? "not readable" : list, needed_usage(s->request));
    free(list);
    return text;
}

/* RFC 5280 section 4.2.1.3, in the order of the bits. */
static char *key_usage_list(const struct pkix_cert *cert)
{
    static const char *const names[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                        "dataEncipherment", "keyAgreement",   "keyCertSign",
                                        "cRLSign",          "encipherOnly",   "decipherOnly"};
    char *list = base_strdup("");
    struct span value, bits;
    struct der d;

    if (!pkix_cert_extension(cert, PKIX_EXT_KEY_USAGE, &value))
        return list;
    d = der_over(value, DER_SMALL);
    if (der_read(&d, ASN1_BIT_STRING, &bits) != PKIX_OK || bits.size < 2)
        return list;
    for (unsigned i = 0; i < ARRAY_LEN(names) && 1 + i / 8 < bits.size; i++)
        if ((bits.data[1 + i / 8] & (0x80u >> i % 8)) != 0)
            add_word(&list, names[i]);
    return list;
}

static char *key_usage_value(const struct pkix_search *s, const struct pkix_tried *t, const struct pkix_cert *cert)
{
    const char *needed = t->failure.culprit > 0 ? "keyCertSign"
                         : s->request->purpose == PKIX_PURPOSE_SERVER
                             ? "digitalSignature, keyEncipherment or keyAgreement"
                             : "digitalSignature";
    char *list = key_usage_list(cert), *text;

    text = t->failure.what != NULL ? base_printf(" (its key usage is %s)", list)
                                   : base_printf(" (its key usage is %s; %s is needed)",
                                                 list[0] == '\0' ? "not readable or none" : list, needed);
    free(list);
    return text;
}

/* Whose limit it is: a certificate's, which counts what is below it, or ours. */
static char *path_length_value(const struct pkix_search *s, const struct pkix_tried *t, const struct pkix_cert *cert)
{
    struct span value;
    bool is_ca;
    int path_length = -1;

    if (t->failure.culprit > 0 && pkix_cert_extension(cert, PKIX_EXT_BASIC_CONSTRAINTS, &value) &&
        pkix_read_basic_constraints(value, &is_ca, &path_length) == PKIX_OK && path_length >= 0 &&
        t->failure.culprit - 1 > (unsigned)path_length)
        return base_printf(
            " (its path length constraint is %d: it may have so many intermediates below it, and has %u)", path_length,
            t->failure.culprit - 1);
    return base_printf(" (%u intermediates are the most that yett looks at; no certificate forbids it)",
                       s->budget.limits.intermediates_max);
}

/* ---- names ---- */

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

static const char *type_name(enum pkix_general_name type)
{
    switch (type) {
    case PKIX_GN_OTHER:
        return "otherName";
    case PKIX_GN_EMAIL:
        return "rfc822Name";
    case PKIX_GN_DNS:
        return "dNSName";
    case PKIX_GN_X400:
        return "x400Address";
    case PKIX_GN_DIRECTORY:
        return "directoryName";
    case PKIX_GN_EDI:
        return "ediPartyName";
    case PKIX_GN_URI:
        return "uniformResourceIdentifier";
    case PKIX_GN_IP:
        return "iPAddress";
    case PKIX_GN_RID:
        return "registeredID";
    }
    return "name";
}

/* A name, or the base of a subtree: of an address twice as long, with its mask. Owned by the caller. */
static char *general_name_text(enum pkix_general_name type, struct span value)
{
    char quoted[BASE_QUOTE_SIZE], address[PKIX_IP_TEXT_SIZE], mask[PKIX_IP_TEXT_SIZE];

    if (type == PKIX_GN_DIRECTORY)
        return pkix_explain_name(value);
    if (type == PKIX_GN_IP && (value.size == 8 || value.size == 32)) {
        pkix_ip_format(span_of(value.data, value.size / 2), address);
        pkix_ip_format(span_skip(value, value.size / 2), mask);
        return base_printf("%s/%s", address, mask);
    }
    if (type == PKIX_GN_IP) {
        pkix_ip_format(value, address);
        return base_strdup(address);
    }
    if (type != PKIX_GN_DNS && type != PKIX_GN_EMAIL && type != PKIX_GN_URI)
        return base_printf("of %zu bytes", value.size);
    return base_strdup(base_quote(value.data, value.size, quoted, sizeof(quoted)));
}

/* Constraints may come from outside the certificate: with a root in Mozilla's list. */
static bool is_imposed(const struct pkix_path_step *issuer, struct span base)
{
    const uint8_t *imposed = issuer->entry == NULL ? NULL : issuer->entry->imposed_constraints;

    return imposed != NULL && base.data >= imposed && base.data < imposed + issuer->entry->imposed_constraints_size;
}

/* Whose constraints: the issuer's that was tried last. */
static char *constraints_value(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_path_step *issuer = &t->path.steps[t->path.count - 1];
    const struct pkix_constraint_breach *breach = &t->breach;
    char *authority = pkix_explain_cert(&s->notes, issuer->cert), *name = general_name_text(breach->type, breach->name),
         *base = general_name_text(breach->type, breach->base), *text = NULL;
    const char *imposed = is_imposed(issuer, breach->base) ? "the list of roots, for " : "";

    switch (breach->rule) {
    case PKIX_CONSTRAINT_EXCLUDED:
        text = base_printf(" (its %s %s falls under %s, which the name constraints of %s%s exclude)",
                           type_name(breach->type), name, base, imposed, authority);
        break;
    case PKIX_CONSTRAINT_NOT_PERMITTED:
        text = base_printf(" (its %s %s is none that the name constraints of %s%s permit, such as %s)",
                           type_name(breach->type), name, imposed, authority, base);
        break;
    case PKIX_CONSTRAINT_UNKNOWN:
        text = base_printf(" (its common name %s; the name constraints are those of %s)", name, authority);
        break;
    }
    free(base);
    free(name);
    free(authority);
    return text;
}

/* What the administrator does next depends on it: have the peer send an intermediate, or trust an authority. */
static char *issuer_value(const struct pkix_tried *t, const struct pkix_cert *cert)
{
    char *issuer, *text;

    if (t->path.count - 1 != t->failure.culprit) /* a loop, or issuers that failed differently */
        return NULL;
    issuer = pkix_explain_name(cert->issuer);
    if (pkix_cert_is_self_issued(cert))
        text = base_strdup(" (it is self-issued, and not among the trusted certificates)");
    else
        text = base_printf(" (its issuer is %s, which the peer did not send and which is not trusted)", issuer);
    free(issuer);
    return text;
}

/* ---- policies ---- */

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

    if (t->failure.required_by != PKIX_POLICY_REQUESTED) {
        char *authority = pkix_explain_name(t->path.steps[t->failure.required_by].cert->subject);

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

/* ---- keys and signatures ---- */

/* Of an AlgorithmIdentifier (contents), by its name where we know it, else its number. Owned by the caller. */
static char *algorithm_name(struct span contents)
{
    struct pkix_algorithm algorithm;
    struct der d = der_over(contents, DER_SMALL);
    struct span oid;

    if (pkix_algorithm_read(contents, &algorithm) == PKIX_OK)
        return base_strdup(pkix_algorithm_text(&algorithm));
    return der_read(&d, ASN1_OID, &oid) == PKIX_OK ? pkix_oid_text(oid) : base_strdup("not readable");
}

static char *algorithm_value(const struct pkix_cert *cert)
{
    char *name = algorithm_name(cert->outer.algorithm), *text = base_printf(" (it is signed with %s)", name);

    free(name);
    return text;
}

static char *mismatch_value(const struct pkix_cert *cert)
{
    char *outer = algorithm_name(cert->outer.algorithm), *inner = algorithm_name(cert->inner_algorithm),
         *text = base_printf(" (%s outside, %s inside)", outer, inner);

    free(inner);
    free(outer);
    return text;
}

/* The algorithm of a key that is not taken, and of an elliptic curve. */
static char *key_algorithm_value(const struct pkix_cert *cert)
{
    struct der spki, algorithm;
    struct span oid, curve;
    char *name, *text;

    if (der_enter_only(cert->spki, ASN1_SEQUENCE, DER_SMALL, &spki) != PKIX_OK ||
        der_enter(&spki, ASN1_SEQUENCE, &algorithm) != PKIX_OK || der_read(&algorithm, ASN1_OID, &oid) != PKIX_OK)
        return NULL;
    if (pkix_oid_is(oid, OID_EC_PUBLIC_KEY) && der_read(&algorithm, ASN1_OID, &curve) == PKIX_OK)
        oid = curve;
    name = pkix_oid_text(oid);
    text = base_printf(" (%s)", name);
    free(name);
    return text;
}

/* The key, or the signature, which tells of the key that made it. */
static char *weak_key_value(const struct pkix_cert *cert)
{
    struct pkix_key key;
    char text[32];

    if (pkix_key_read(cert->spki, &key) == PKIX_WEAK_KEY)
        return base_printf(" (%s)", pkix_key_text(&key, text, sizeof(text)));
    return base_printf(" (it has a signature of %zu bits: it is its issuer's key that is meant)",
                       cert->outer.signature.size * 8);
}

/* Whose key it was tried with. */
static char *signature_value(const struct pkix_search *s, const struct pkix_tried *t)
{
    char *issuer, *text;

    if (t->failure.culprit + 1 >= t->path.count)
        return NULL;
    issuer = pkix_explain_cert(&s->notes, t->path.steps[t->failure.culprit + 1].cert);
    text = base_printf(" (it was not signed with the key of %s)", issuer);
    free(issuer);
    return text;
}

/* ---- extensions, distrust, revocation ---- */

static char *extension_value(const struct pkix_cert *cert)
{
    char *oid, *text;

    if (cert->bad_extension.size == 0)
        return NULL;
    oid = pkix_oid_text(cert->bad_extension);
    text = base_printf(" (%s)", oid);
    free(oid);
    return text;
}

static char *distrust_value(const struct pkix_search *s, const struct pkix_cert *cert)
{
    const char *who = pkix_store_distrusted_by(s->store, cert);

    return who == NULL ? NULL : base_printf(" (by %s)", who);
}

static char *distrusted_after_value(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_path_step *anchor = &t->path.steps[t->path.count - 1];
    char *from = pkix_time_text(s->leaf.not_before), *root = pkix_explain_cert(&s->notes, anchor->cert),
         *until = anchor->entry == NULL ? base_strdup("a date") : pkix_time_text(anchor->entry->distrust_after),
         *text = base_printf(" (leaf not before %s; of %s the list of roots trusts those until %s)", from, root, until);

    free(until);
    free(root);
    free(from);
    return text;
}

static char *revoked_value(const struct pkix_revoked_note *revoked)
{
    const char *reason = pkix_reason_name(revoked->when.reason);
    char *number = pkix_explain_crl_number(span_of(revoked->number, revoked->number_size)), *since, *text;

    if (revoked->when.time == 0) {
        free(number);
        return NULL;
    }
    since = pkix_time_text(revoked->when.time);
    text = base_printf(" (since %s%s%s%s%s)", since, reason == NULL ? "" : ", reason ", reason == NULL ? "" : reason,
                       number[0] == '\0' ? "" : "; CRL", number);
    free(since);
    free(number);
    return text;
}

/* Both dates are well encoded, and the wrong way round: NULL where that is not it. */
static char *validity_value(const struct pkix_cert *cert)
{
    struct der d = der_over(cert->validity, DER_SMALL);
    int64_t from, until;
    char *from_text, *until_text, *text;

    if (der_read_time(&d, &from) != PKIX_OK || der_read_time(&d, &until) != PKIX_OK || from <= until)
        return NULL;
    from_text = pkix_time_text(from);
    until_text = pkix_time_text(until);
    text = base_printf(" (it ends before it begins: not before %s, not after %s)", from_text, until_text);
    free(from_text);
    free(until_text);
    return text;
}

char *pkix_explain_value(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_cert *cert = t->path.steps[t->failure.culprit].cert;

    /* An error that has nothing to show has no case: its sentence and the certificate say it. */
    if (t->error == PKIX_EXPIRED || t->error == PKIX_EXPIRED_ISSUER)
        return date_value("not after", cert->not_after, s->request->time);
    if (t->error == PKIX_NOT_YET_VALID || t->error == PKIX_NOT_YET_VALID_ISSUER)
        return date_value("not before", cert->not_before, s->request->time);
    if (t->error == PKIX_BAD_TIME)
        return validity_value(cert);
    if (t->error == PKIX_DISTRUSTED || t->error == PKIX_DISTRUSTED_ISSUER)
        return distrust_value(s, cert);
    if (t->error == PKIX_DISTRUSTED_AFTER)
        return distrusted_after_value(s, t);
    if (t->error == PKIX_UNKNOWN_ISSUER)
        return issuer_value(t, cert);
    if (t->error == PKIX_NAME_MISMATCH)
        return names_value(s, cert);
    if (t->error == PKIX_NAME_CONSTRAINT_VIOLATION)
        return constraints_value(s, t);
    if (t->error == PKIX_BAD_KEY_USAGE)
        return key_usage_value(s, t, cert);
    if (t->error == PKIX_BAD_EXTENDED_KEY_USAGE)
        return usage_value(s, t, cert);
    if (t->error == PKIX_WEAK_KEY)
        return weak_key_value(cert);
    if (t->error == PKIX_UNSUPPORTED_KEY || t->error == PKIX_UNSUPPORTED_CURVE)
        return key_algorithm_value(cert);
    if (t->error == PKIX_WEAK_SIGNATURE_ALGORITHM)
        return algorithm_value(cert);
    if (t->error == PKIX_SIGNATURE_ALGORITHM_MISMATCH)
        return mismatch_value(cert);
    if (t->error == PKIX_BAD_SIGNATURE)
        return signature_value(s, t);
    if (t->error == PKIX_UNKNOWN_CRITICAL_EXTENSION || t->error == PKIX_BAD_EXTENSION)
        return extension_value(cert);
    if (t->error == PKIX_PATH_TOO_LONG)
        return path_length_value(s, t, cert);
    if (t->error == PKIX_REVOKED)
        return revoked_value(&t->revoked);
    if (t->error == PKIX_POLICY_MISSING)
        return policy_value(s, t, cert);
    if (t->error == PKIX_LIMIT_EXCEEDED)
        return base_printf(" (%u signature checks, %u issuers tried; the limit met is that on %s)",
                           s->budget.signature_checks, s->budget.steps, s->budget.limit_met);
    return NULL;
}
