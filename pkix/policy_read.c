/* see pkix/policy_read.h
 *
 * What is read here restricts an authority, and is written by its issuer; or it is a claim, written by itself. Either
 * way a malformed one is an error of the certificate and never "nothing said" (CVE-2023-0465): the restriction would be
 * gone, or the claim would be whatever the next reader makes of it. */
#include "pkix/policy_read.h"
#include "pkix/oid.h"
#include "pkix/oid_text.h"

#include <stdlib.h>

enum { TAG_REQUIRE_EXPLICIT_POLICY = ASN1_CONTEXT | 0, TAG_INHIBIT_POLICY_MAPPING = ASN1_CONTEXT | 1 };

/* Any order that is one will do; by length first is the cheapest. By bytes: that one policy has one encoding is seen to
 * where it is read. */
int pkix_policy_compare(struct span a, struct span b)
{
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size == 0 ? 0 : memcmp(a.data, b.data, a.size);
}

/* For qsort() and bsearch(): lists are sorted as they are read, and looked into by halving from then on. */
static int compare_items(const void *a, const void *b)
{
    return pkix_policy_compare(*(const struct span *)a, *(const struct span *)b);
}

/* By the issuer's policy and then the subject's, so that a mapping that is there twice stands beside itself. */
static int compare_mappings(const void *a, const void *b)
{
    const struct pkix_policy_mapping *x = a, *y = b;
    int difference = pkix_policy_compare(x->issuer, y->issuer);

    return difference != 0 ? difference : pkix_policy_compare(x->subject, y->subject);
}

/* anyPolicy is not among the items, and stands for nothing here. */
bool pkix_policies_have(const struct pkix_policies *policies, struct span policy)
{
    return bsearch(&policy, policies->items, policies->count, sizeof(policy), compare_items) != NULL;
}

/* Well formed, since policies are compared as bytes: with padding in its arcs one policy would have many spellings. */
static bool read_policy_oid(struct der *d, struct span *oid)
{
    return der_read(d, ASN1_OID, oid) == PKIX_OK && pkix_oid_is_well_formed(*oid);
}

/* RFC 5280 section 4.2.1.4 has two kinds; whatever else stands there could narrow what the policy promises. */
bool pkix_policy_qualifiers_known(struct span qualifiers)
{
    struct der list = der_over(qualifiers, DER_SMALL), qualifier;
    struct span id;

    while (!der_at_end(&list)) {
        if (der_enter(&list, ASN1_SEQUENCE, &qualifier) != PKIX_OK || der_read(&qualifier, ASN1_OID, &id) != PKIX_OK ||
            der_read_any(&qualifier, NULL, NULL, NULL) != PKIX_OK || der_end(&qualifier) != PKIX_OK)
            return false;
        if (!pkix_oid_is(id, OID_QUALIFIER_CPS) && !pkix_oid_is(id, OID_QUALIFIER_USER_NOTICE))
            return false;
    }
    return true;
}

/* PolicyInformation ::= SEQUENCE { OBJECT IDENTIFIER, SEQUENCE OPTIONAL }. In *qualifiers the contents of the second.
 */
static bool read_information(struct der *list, struct span *oid, struct span *qualifiers)
{
    struct der information;
    bool present;

    return der_enter(list, ASN1_SEQUENCE, &information) == PKIX_OK && read_policy_oid(&information, oid) &&
           der_read_optional(&information, ASN1_SEQUENCE, qualifiers, &present) == PKIX_OK &&
           der_end(&information) == PKIX_OK;
}

/* CertificatePolicies ::= SEQUENCE SIZE (1..MAX) OF PolicyInformation
 *
 * Qualifiers are for people and change nothing that is computed (RFC 5280 section 6.1.3 (d) carries them along). */
enum pkix_error pkix_policies_read(const struct pkix_cert *cert, struct pkix_policies *policies, const char **what)
{
    static const char malformed[] = "its certificatePolicies are malformed",
                      twice[] = "its certificatePolicies have one policy twice";
    struct span value, oid, qualifiers;
    struct der list;

    policies->count = 0;
    policies->any = false;
    policies->present = pkix_cert_extension(cert, PKIX_EXT_CERTIFICATE_POLICIES, &value);
    if (!policies->present)
        return PKIX_OK;
    *what = malformed;
    /* RFC 5280 section 4.2.1.4: at least one. An empty list read as "absent" would pass where no policy is required
     * and mean another thing where one is. */
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return PKIX_BAD_POLICY;
    while (!der_at_end(&list)) {
        if (!read_information(&list, &oid, &qualifiers))
            return PKIX_BAD_POLICY;
        /* RFC 5280 section 4.2.1.4: a critical extension is interpreted, its qualifiers included, or the certificate is
         * refused. They could restrict what the policy means. */
        if (cert->extensions[PKIX_EXT_CERTIFICATE_POLICIES].critical && !pkix_policy_qualifiers_known(qualifiers)) {
            *what =
                "its certificatePolicies are critical, and a qualifier is neither a CPS pointer nor a user notice (RFC "
                "5280 section 4.2.1.4)";
            return PKIX_BAD_POLICY;
        }
        if (pkix_oid_is(oid, OID_ANY_POLICY)) {
            if (policies->any) {
                *what = twice;
                return PKIX_BAD_POLICY;
            }
            policies->any = true;
            continue;
        }
        /* A limit, and an error that says so: an authority's list of a thousand would otherwise be sorted and
         * searched for each path. */
        if (policies->count == PKIX_POLICIES_PER_CERT_MAX) {
            *what = "policies of one certificate";
            return PKIX_LIMIT_EXCEEDED;
        }
        policies->items[policies->count++] = oid;
    }
    qsort(policies->items, policies->count, sizeof(*policies->items), compare_items);
    /* RFC 5280 section 4.2.1.4: not more than once. Two entries may have other qualifiers, and which counts would be
     * a matter of opinion. */
    *what = twice;
    for (unsigned i = 1; i < policies->count; i++)
        if (compare_items(&policies->items[i - 1], &policies->items[i]) == 0)
            return PKIX_BAD_POLICY;
    *what = NULL;
    return PKIX_OK;
}

/* PolicyMappings ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE { issuerDomainPolicy, subjectDomainPolicy }
 *
 * RFC 5280 section 4.2.1.5. Sorted by the issuer's, so that all that one policy is mapped to stands together. */
enum pkix_error pkix_policy_mappings_read(const struct pkix_cert *cert, struct pkix_policy_mappings *mappings,
                                          const char **what)
{
    struct span value;
    struct der list;

    mappings->count = 0;
    if (!pkix_cert_extension(cert, PKIX_EXT_POLICY_MAPPINGS, &value))
        return PKIX_OK;
    *what = "its policyMappings are malformed";
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return PKIX_BAD_POLICY;
    while (!der_at_end(&list)) {
        struct pkix_policy_mapping mapping;
        struct der pair;

        /* A mapping may be there twice, or one policy be mapped to several: all of them are expected. */
        if (der_enter(&list, ASN1_SEQUENCE, &pair) != PKIX_OK || !read_policy_oid(&pair, &mapping.issuer) ||
            !read_policy_oid(&pair, &mapping.subject) || der_end(&pair) != PKIX_OK)
            return PKIX_BAD_POLICY;
        /* RFC 5280 section 4.2.1.5 forbids it: with one mapping from or to anyPolicy an authority would claim every
         * policy there is. */
        if (pkix_oid_is(mapping.issuer, OID_ANY_POLICY) || pkix_oid_is(mapping.subject, OID_ANY_POLICY)) {
            *what = "its policyMappings map from or to anyPolicy";
            return PKIX_BAD_POLICY;
        }
        /* Mappings are what makes the graph grow: this many of one certificate, or none. */
        if (mappings->count == PKIX_POLICY_MAPPINGS_PER_CERT_MAX) {
            *what = "policy mappings of one certificate";
            return PKIX_LIMIT_EXCEEDED;
        }
        mappings->items[mappings->count++] = mapping;
    }
    qsort(mappings->items, mappings->count, sizeof(*mappings->items), compare_mappings);
    *what = NULL;
    return PKIX_OK;
}

/* SkipCerts ::= INTEGER (0..MAX), in minimal form. A negative one read as large would undo the constraint; one too
 * large for our numbers is capped, which means the same. */
static bool skip_certs_of(struct span integer, unsigned *skip_certs)
{
    /* However many bytes there are, the shift stops where the cap is met, and nothing wraps round to a small number. */
    unsigned value = 0;

    if (integer.size == 0 || (integer.data[0] & 0x80) != 0 ||
        (integer.size > 1 && integer.data[0] == 0 && (integer.data[1] & 0x80) == 0))
        return false;
    for (size_t i = 0; i < integer.size && value < PKIX_SKIP_CERTS_MAX; i++)
        value = value << 8 | integer.data[i];
    *skip_certs = value < PKIX_SKIP_CERTS_MAX ? value : PKIX_SKIP_CERTS_MAX;
    return true;
}

/* What is absent stays at its "never". Each of the two may be absent, both may not: see below. */
static bool read_optional_skip_certs(struct der *d, unsigned tag, unsigned *skip_certs)
{
    struct span integer;
    bool present;

    return der_read_optional(d, tag, &integer, &present) == PKIX_OK && (!present || skip_certs_of(integer, skip_certs));
}

/* RFC 5280 section 4.2.1.11: an empty sequence is forbidden, and is not taken for "no constraint".
 *
 * PolicyConstraints ::= SEQUENCE { requireExplicitPolicy [0] SkipCerts OPTIONAL,
 *     inhibitPolicyMapping [1] SkipCerts OPTIONAL } */
enum pkix_error pkix_policy_constraints_read(const struct pkix_cert *cert, struct pkix_policy_constraints *constraints,
                                             const char **what)
{
    struct span value;
    struct der sequence;

    /* Never, until something is read: so what is absent restricts nothing, and what is malformed is an error before
     * anybody could take it for that. */
    *constraints = (struct pkix_policy_constraints){PKIX_SKIP_CERTS_MAX, PKIX_SKIP_CERTS_MAX};
    if (!pkix_cert_extension(cert, PKIX_EXT_POLICY_CONSTRAINTS, &value))
        return PKIX_OK;
    *what = "its policyConstraints are malformed";
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK || der_at_end(&sequence) ||
        !read_optional_skip_certs(&sequence, TAG_REQUIRE_EXPLICIT_POLICY, &constraints->require_explicit_policy) ||
        !read_optional_skip_certs(&sequence, TAG_INHIBIT_POLICY_MAPPING, &constraints->inhibit_policy_mapping) ||
        der_end(&sequence) != PKIX_OK)
        return PKIX_BAD_POLICY;
    *what = NULL;
    return PKIX_OK;
}

/* RFC 5280 section 4.2.1.14. Absent, anyPolicy goes on to count, which is what an issuer that forgot it allows. */
enum pkix_error pkix_inhibit_any_policy_read(const struct pkix_cert *cert, unsigned *skip_certs, const char **what)
{
    struct span value, integer;
    struct der d;

    *skip_certs = PKIX_SKIP_CERTS_MAX;
    if (!pkix_cert_extension(cert, PKIX_EXT_INHIBIT_ANY_POLICY, &value))
        return PKIX_OK;
    *what = "its inhibitAnyPolicy is malformed";
    /* An INTEGER by itself, read by the same rule as those of policyConstraints: 4.2.1.14 has the same SkipCerts, and
     * two readers would soon differ in what is negative. */
    d = der_over(value, DER_SMALL);
    if (der_read(&d, ASN1_INTEGER, &integer) != PKIX_OK || !skip_certs_of(integer, skip_certs) ||
        der_end(&d) != PKIX_OK)
        return PKIX_BAD_POLICY;
    *what = NULL;
    return PKIX_OK;
}
