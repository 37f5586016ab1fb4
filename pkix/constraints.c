/* see pkix/constraints.h */
#include "pkix/constraints.h"
#include "pkix/names.h"
#include "pkix/oid.h"

enum { TAG_PERMITTED = ASN1_CONTEXT_CONSTRUCTED | 0, TAG_EXCLUDED = ASN1_CONTEXT_CONSTRUCTED | 1 };
enum subtree { SUBTREE_PERMITTED, SUBTREE_EXCLUDED };

/* What is asked of one name at a time. */
struct constraint_check {
    struct span permitted; /* contents of the tagged element; empty when absent */
    struct span excluded;
    unsigned *comparisons_left;
};

/* Whether `name` ends in `suffix` and, if it is longer, has a label boundary there. */
static bool is_within(struct span name, struct span domain)
{
    if (name.size < domain.size || !span_equal_nocase(span_skip(name, name.size - domain.size), domain))
        return false;
    return name.size == domain.size || name.data[name.size - domain.size - 1] == '.';
}

/* ".example.com" has only sub-domains, "example.com" also itself, "" has everything. */
static bool host_is_under(struct span host, struct span constraint)
{
    if (constraint.size == 0)
        return true;
    if (constraint.data[0] == '.')
        return host.size > constraint.size &&
               span_equal_nocase(span_skip(host, host.size - constraint.size), constraint);
    return is_within(host, constraint);
}

/* "*.example.com" stands for names one label longer than "example.com". A permission must have all of them; a
 * prohibition must have none, so one possible name is enough (CVE-2025-61727, NSS bug 2023209). */
static bool wildcard_matches(struct span presented, struct span constraint, enum subtree subtree)
{
    struct span parent = span_skip(presented, 2);
    const uint8_t *dot;

    if (constraint.size == 0)
        return true;
    if (constraint.data[0] == '.') {
        /* Every name under the parent is a proper sub-domain of the parent. */
        return is_within(parent, span_skip(constraint, 1));
    }
    if (is_within(parent, constraint))
        return true;
    if (subtree == SUBTREE_PERMITTED)
        return false;
    dot = memchr(constraint.data, '.', constraint.size);
    return dot != NULL && span_equal_nocase(span_skip(constraint, (size_t)(dot - constraint.data) + 1), parent);
}

static enum pkix_error match_dns(struct span name, struct span constraint, enum subtree subtree, bool *matches)
{
    if (!pkix_dns_id_valid(name, PKIX_DNS_PRESENTED) || !pkix_dns_id_valid(constraint, PKIX_DNS_CONSTRAINT))
        return PKIX_BAD_DER;
    *matches = name.data[0] == '*' ? wildcard_matches(name, constraint, subtree) : host_is_under(name, constraint);
    return PKIX_OK;
}

static enum pkix_error match_ip(struct span name, struct span constraint, bool *matches)
{
    if ((name.size != 4 && name.size != 16) || (constraint.size != 8 && constraint.size != 32))
        return PKIX_BAD_DER;
    *matches = constraint.size == 2 * name.size;
    for (size_t i = 0; *matches && i < name.size; i++)
        *matches = ((name.data[i] ^ constraint.data[i]) & constraint.data[name.size + i]) == 0;
    return PKIX_OK;
}

/* The safest reading of a local part, whose case may or may not matter: permitted only when exactly equal, excluded
 * in any case. */
static bool local_part_equal(struct span a, struct span b, enum subtree subtree)
{
    return subtree == SUBTREE_PERMITTED ? span_equal(a, b) : span_equal_nocase(a, b);
}

static enum pkix_error match_email(struct span name, struct span constraint, enum subtree subtree, bool *matches)
{
    struct span local, domain, constraint_local, constraint_domain;

    if (!pkix_email_split(name, &local, &domain))
        return PKIX_BAD_DER;
    if (constraint.size != 0 && memchr(constraint.data, '@', constraint.size) != NULL) {
        if (!pkix_email_split(constraint, &constraint_local, &constraint_domain))
            return PKIX_BAD_DER;
        *matches = local_part_equal(local, constraint_local, subtree) && span_equal_nocase(domain, constraint_domain);
        return PKIX_OK;
    }
    if (!pkix_dns_id_valid(constraint, PKIX_DNS_CONSTRAINT))
        return PKIX_BAD_DER;
    *matches = constraint.size == 0 || (constraint.data[0] == '.' ? host_is_under(domain, constraint)
                                                                  : span_equal_nocase(domain, constraint));
    return PKIX_OK;
}

/* RFC 5280: a URI constraint is a host ("host.example") or, with a leading dot, a domain without its own name. A URI
 * without a host name cannot be judged and is refused. */
static enum pkix_error match_uri(struct span name, struct span constraint, bool *matches)
{
    struct span host;
    uint8_t address[16];
    size_t address_size;

    if (!pkix_uri_host(name, &host) || host.data[0] == '[' || pkix_ip_parse(host, address, &address_size) ||
        !pkix_dns_id_valid(host, PKIX_DNS_PRESENTED) || host.data[0] == '*')
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    if (!pkix_dns_id_valid(constraint, PKIX_DNS_CONSTRAINT))
        return PKIX_BAD_DER;
    *matches = constraint.size == 0 || (constraint.data[0] == '.' ? host_is_under(host, constraint)
                                                                  : span_equal_nocase(host, constraint));
    return PKIX_OK;
}

/* AttributeTypeAndValue of equal type and equal value bytes; UTF8String and PrintableString of the same bytes are the
 * same text. No case or space folding. */
static bool attributes_equal(struct der *a, struct der *b)
{
    struct der in_a, in_b;
    struct span oid_a, oid_b, value_a, value_b;
    unsigned tag_a, tag_b;

    if (der_enter(a, ASN1_SEQUENCE, &in_a) != PKIX_OK || der_enter(b, ASN1_SEQUENCE, &in_b) != PKIX_OK ||
        der_read(&in_a, ASN1_OID, &oid_a) != PKIX_OK || der_read(&in_b, ASN1_OID, &oid_b) != PKIX_OK ||
        der_read_any(&in_a, &tag_a, &value_a, NULL) != PKIX_OK || der_read_any(&in_b, &tag_b, &value_b, NULL) != PKIX_OK)
        return false;
    return der_at_end(&in_a) && der_at_end(&in_b) && span_equal(oid_a, oid_b) && span_equal(value_a, value_b) &&
           (tag_a == tag_b || (tag_a == ASN1_UTF8_STRING && tag_b == ASN1_PRINTABLE_STRING) ||
            (tag_a == ASN1_PRINTABLE_STRING && tag_b == ASN1_UTF8_STRING));
}

/* Whether the constraint's relative names are the first ones of `name`. Both are contents of a Name. */
static enum pkix_error match_directory_prefix(struct der name, struct der constraint, bool *matches)
{
    *matches = false;
    while (!der_at_end(&constraint)) {
        struct der rdn, constraint_rdn;

        if (der_enter(&constraint, ASN1_SET, &constraint_rdn) != PKIX_OK)
            return PKIX_BAD_DER;
        if (der_at_end(&name))
            return PKIX_OK;
        if (der_enter(&name, ASN1_SET, &rdn) != PKIX_OK)
            return PKIX_BAD_DER;
        do {
            if (!attributes_equal(&rdn, &constraint_rdn))
                return PKIX_OK;
        } while (!der_at_end(&rdn) && !der_at_end(&constraint_rdn));
        if (!der_at_end(&rdn) || !der_at_end(&constraint_rdn))
            return PKIX_OK;
    }
    *matches = true;
    return PKIX_OK;
}

/* `name` and `constraint` are contents of the explicit tag: a whole Name. */
static enum pkix_error match_directory(struct span name, struct span constraint, enum subtree subtree, bool *matches)
{
    struct der name_rdns, constraint_rdns;

    if (der_enter_only(name, ASN1_SEQUENCE, DER_SMALL, &name_rdns) != PKIX_OK ||
        der_enter_only(constraint, ASN1_SEQUENCE, DER_SMALL, &constraint_rdns) != PKIX_OK)
        return PKIX_BAD_DER;
    if (subtree == SUBTREE_PERMITTED)
        return match_directory_prefix(name_rdns, constraint_rdns, matches);
    /* Excluding needs a comparison that knows all spellings of a name. We have none: only "no name at all" is exact. */
    if (!der_at_end(&constraint_rdns))
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    *matches = !der_at_end(&name_rdns);
    return PKIX_OK;
}

static enum pkix_error match_name(enum pkix_general_name type, struct span name, struct span constraint,
                                  enum subtree subtree, bool *matches)
{
    switch (type) {
    case PKIX_GN_DNS:
        return match_dns(name, constraint, subtree, matches);
    case PKIX_GN_IP:
        return match_ip(name, constraint, matches);
    case PKIX_GN_EMAIL:
        return match_email(name, constraint, subtree, matches);
    case PKIX_GN_DIRECTORY:
        return match_directory(name, constraint, subtree, matches);
    case PKIX_GN_URI:
        return match_uri(name, constraint, matches);
    case PKIX_GN_OTHER:
    case PKIX_GN_X400:
    case PKIX_GN_EDI:
    case PKIX_GN_RID:
        break;
    }
    return PKIX_NAME_CONSTRAINT_VIOLATION;
}

/* GeneralSubtree ::= SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] OPTIONAL }: RFC 5280 wants
 * neither of the last two. */
static enum pkix_error read_subtree(struct der *subtrees, enum pkix_general_name *type, struct span *base)
{
    struct der subtree;

    if (der_enter(subtrees, ASN1_SEQUENCE, &subtree) != PKIX_OK ||
        pkix_general_name_read(&subtree, type, base) != PKIX_OK)
        return PKIX_BAD_DER;
    return der_end(&subtree);
}

static enum pkix_error check_subtrees(const struct constraint_check *check, enum subtree subtree,
                                      enum pkix_general_name name_type, struct span name)
{
    struct der subtrees = der_over(subtree == SUBTREE_PERMITTED ? check->permitted : check->excluded, DER_SMALL);
    bool any_of_type = false, any_match = false;

    while (!der_at_end(&subtrees)) {
        enum pkix_general_name type;
        struct span base;
        bool matches = false;
        enum pkix_error error;

        if ((error = read_subtree(&subtrees, &type, &base)) != PKIX_OK)
            return error;
        if (*check->comparisons_left == 0)
            return PKIX_LIMIT_EXCEEDED;
        --*check->comparisons_left;
        if (type != name_type)
            continue;
        any_of_type = true;
        if ((error = match_name(type, name, base, subtree, &matches)) != PKIX_OK)
            return error;
        any_match = any_match || matches;
        if (matches && subtree == SUBTREE_EXCLUDED)
            return PKIX_NAME_CONSTRAINT_VIOLATION;
    }
    if (subtree == SUBTREE_PERMITTED && any_of_type && !any_match)
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    return PKIX_OK;
}

static enum pkix_error check_name(const struct constraint_check *check, enum pkix_general_name type, struct span name)
{
    enum pkix_error error = check_subtrees(check, SUBTREE_PERMITTED, type, name);

    return error != PKIX_OK ? error : check_subtrees(check, SUBTREE_EXCLUDED, type, name);
}

static enum pkix_error check_alternative_names(const struct constraint_check *check, const struct pkix_cert *cert,
                                               bool *has_san, bool *has_server_name)
{
    struct der names;
    enum pkix_error error = pkix_san_enter(cert, &names, has_san);

    *has_server_name = false;
    while (error == PKIX_OK && !der_at_end(&names)) {
        enum pkix_general_name type;
        struct span name;

        if ((error = pkix_general_name_read(&names, &type, &name)) != PKIX_OK)
            return error;
        *has_server_name = *has_server_name || type == PKIX_GN_DNS || type == PKIX_GN_IP;
        error = check_name(check, type, name);
    }
    return error;
}

static enum pkix_error check_common_name(const struct constraint_check *check, unsigned tag, struct span value)
{
    uint8_t address[16];
    size_t address_size;

    if (tag != ASN1_PRINTABLE_STRING && tag != ASN1_UTF8_STRING && tag != ASN1_TELETEX_STRING)
        return PKIX_OK;
    if (pkix_dns_id_valid(value, PKIX_DNS_PRESENTED))
        return check_name(check, PKIX_GN_DNS, value);
    if (pkix_ip_parse(value, address, &address_size) && address_size == 4)
        return check_name(check, PKIX_GN_IP, span_of(address, address_size));
    return PKIX_OK;
}

/* Mail addresses and host names in the subject, for certificates that have no alternative names of the kind. */
static enum pkix_error check_subject_attributes(const struct constraint_check *check, const struct pkix_cert *cert,
                                                bool emails, bool common_names)
{
    struct der rdns, rdn, attribute;
    enum pkix_error common_name_error = PKIX_OK;

    if (der_enter_only(cert->subject, ASN1_SEQUENCE, DER_SMALL, &rdns) != PKIX_OK)
        return PKIX_BAD_DER;
    while (!der_at_end(&rdns)) {
        if (der_enter(&rdns, ASN1_SET, &rdn) != PKIX_OK || der_at_end(&rdn))
            return PKIX_BAD_DER;
        while (!der_at_end(&rdn)) {
            struct span oid, value;
            unsigned tag;
            enum pkix_error error;

            if (der_enter(&rdn, ASN1_SEQUENCE, &attribute) != PKIX_OK || der_read(&attribute, ASN1_OID, &oid) != PKIX_OK ||
                der_read_any(&attribute, &tag, &value, NULL) != PKIX_OK || der_end(&attribute) != PKIX_OK)
                return PKIX_BAD_DER;
            if (emails && pkix_oid_is(oid, OID_EMAIL_ADDRESS)) {
                if (tag != ASN1_IA5_STRING)
                    return PKIX_BAD_DER;
                if ((error = check_name(check, PKIX_GN_EMAIL, value)) != PKIX_OK)
                    return error;
            }
            /* The most specific, last common name is the one that those who look there see. */
            if (common_names && pkix_oid_is(oid, OID_COMMON_NAME))
                common_name_error = check_common_name(check, tag, value);
        }
    }
    return common_name_error;
}

/* NameConstraints ::= SEQUENCE { permittedSubtrees [0] OPTIONAL, excludedSubtrees [1] OPTIONAL }, each with at least
 * one subtree, and at least one of them there. All subtrees are read even when no name is of their type, so that a
 * malformed extension never passes. */
static enum pkix_error read_constraints(struct span constraints, struct constraint_check *check)
{
    struct der sequence;
    bool has_permitted, has_excluded;

    if (der_enter_only(constraints, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK ||
        der_read_optional(&sequence, TAG_PERMITTED, &check->permitted, &has_permitted) != PKIX_OK ||
        der_read_optional(&sequence, TAG_EXCLUDED, &check->excluded, &has_excluded) != PKIX_OK ||
        der_end(&sequence) != PKIX_OK)
        return PKIX_BAD_DER;
    if ((!has_permitted && !has_excluded) || (has_permitted && check->permitted.size == 0) ||
        (has_excluded && check->excluded.size == 0))
        return PKIX_BAD_DER;
    return PKIX_OK;
}

enum pkix_error pkix_constraints_check(struct span constraints, const struct pkix_cert *cert,
                                       enum pkix_common_name common_name, unsigned *comparisons_left)
{
    struct constraint_check check = {.comparisons_left = comparisons_left};
    bool has_san, has_server_name;
    enum pkix_error error;

    if ((error = read_constraints(constraints, &check)) != PKIX_OK ||
        (error = check_alternative_names(&check, cert, &has_san, &has_server_name)) != PKIX_OK ||
        (error = check_name(&check, PKIX_GN_DIRECTORY, cert->subject)) != PKIX_OK)
        return error;
    return check_subject_attributes(&check, cert, !has_san,
                                    common_name == PKIX_COMMON_NAME_CONSTRAINED && !has_server_name);
}
