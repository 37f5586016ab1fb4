/* see pkix/lint.h */
#include "pkix/lint.h"
#include "pkix/check.h"
#include "pkix/dn.h"
#include "pkix/key.h"
#include "pkix/names.h"
#include "pkix/oid.h"

enum { SERIAL_SIZE_MAX = 20, TAG_AKI_ISSUER = ASN1_CONTEXT_CONSTRUCTED | 1, TAG_AKI_SERIAL = ASN1_CONTEXT | 2 };

static bool has(const struct pkix_cert *cert, enum pkix_extension id)
{
    return cert->extensions[id].present;
}

static bool is_critical(const struct pkix_cert *cert, enum pkix_extension id)
{
    return has(cert, id) && cert->extensions[id].critical;
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets. */
static const char *lint_serial(const struct pkix_cert *cert)
{
    if ((cert->serial.data[0] & 0x80) != 0)
        return "the serial number is negative";
    if (cert->serial.size == 1 && cert->serial.data[0] == 0)
        return "the serial number is zero";
    if (cert->serial.size > SERIAL_SIZE_MAX)
        return "the serial number is longer than 20 octets";
    return NULL;
}

static const char *lint_structure(const struct pkix_cert *cert)
{
    if (cert->version != PKIX_V3)
        return "the certificate is not of version 3";
    if (cert->has_unique_id)
        return "the certificate has a unique identifier";
    for (unsigned i = PKIX_EXT_UNDERSTOOD_COUNT; i < PKIX_EXT_COUNT; i++)
        if (cert->extensions[i].doubled)
            return "an extension is there twice";
    return NULL;
}

/* RFC 5280 sections 4.2.1.1 and 4.2.1.2. A root may leave its authority's identifier out; if it has one it is its own,
 * and the key alone (CA/Browser Forum BR section 7.1.2.1.3). */
static const char *lint_key_ids(const struct pkix_cert *cert, enum pkix_lint_place place,
                                enum pkix_lint_signer signer)
{
    struct span authority = pkix_cert_authority_key_id(cert), subject = pkix_cert_subject_key_id(cert);
    struct der fields;
    bool self_issued = pkix_cert_is_self_issued(cert);

    if (place != PKIX_LINT_LEAF && subject.size == 0)
        return "an authority has no subject key identifier";
    if (has(cert, PKIX_EXT_SUBJECT_KEY_ID) && subject.size == 0)
        return "the subject key identifier is malformed";
    if (!has(cert, PKIX_EXT_AUTHORITY_KEY_ID))
        return place == PKIX_LINT_ANCHOR && signer == PKIX_LINT_SIGNED_BY_ITSELF ? NULL : "there is no authority key identifier";
    if (authority.size == 0)
        return "the authority key identifier names no key";
    if (place != PKIX_LINT_ANCHOR || !self_issued)
        return NULL;
    if (!span_equal(authority, subject))
        return "a root's two key identifiers differ";
    if (der_enter_only(cert->extensions[PKIX_EXT_AUTHORITY_KEY_ID].value, ASN1_SEQUENCE, DER_SMALL, &fields) != PKIX_OK)
        return "the authority key identifier is malformed";
    while (!der_at_end(&fields)) {
        unsigned tag;

        if (der_read_any(&fields, &tag, NULL, NULL) != PKIX_OK || tag == TAG_AKI_ISSUER || tag == TAG_AKI_SERIAL)
            return "a root's authority key identifier names issuer or serial number";
    }
    return NULL;
}

static const char *lint_criticality(const struct pkix_cert *cert, enum pkix_lint_place place)
{
    struct der subject;
    bool empty_subject = der_enter_only(cert->subject, ASN1_SEQUENCE, DER_SMALL, &subject) != PKIX_OK ||
                         der_at_end(&subject);

    if (place != PKIX_LINT_LEAF && !is_critical(cert, PKIX_EXT_BASIC_CONSTRAINTS))
        return "an authority's basic constraints are missing or not critical";
    if (has(cert, PKIX_EXT_NAME_CONSTRAINTS) && !is_critical(cert, PKIX_EXT_NAME_CONSTRAINTS))
        return "name constraints are not critical";
    if (has(cert, PKIX_EXT_POLICY_CONSTRAINTS) && !is_critical(cert, PKIX_EXT_POLICY_CONSTRAINTS))
        return "policy constraints are not critical";
    if (has(cert, PKIX_EXT_INHIBIT_ANY_POLICY) && !is_critical(cert, PKIX_EXT_INHIBIT_ANY_POLICY))
        return "inhibitAnyPolicy is not critical";
    if (is_critical(cert, PKIX_EXT_EXTENDED_KEY_USAGE))
        return "the extended key usage is critical";
    if (has(cert, PKIX_EXT_SUBJECT_ALT_NAME) && empty_subject != is_critical(cert, PKIX_EXT_SUBJECT_ALT_NAME))
        return empty_subject ? "the subject is empty and its alternative names are not critical"
                             : "the subject is not empty and its alternative names are critical";
    if (empty_subject && place != PKIX_LINT_LEAF)
        return "an authority's subject is empty";
    return NULL;
}

/* Locations that are URIs are such as can be fetched (their structure has been checked with the rest). */
static const char *lint_access_info(const struct pkix_cert *cert)
{
    static const char *const malformed = "the authority information access is malformed";
    struct span value;
    struct der list;

    if (!pkix_cert_extension(cert, PKIX_EXT_AUTHORITY_INFO_ACCESS, &value))
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return malformed;
    while (!der_at_end(&list)) {
        struct der description;
        struct span oid, location;
        enum pkix_general_name type;

        if (der_enter(&list, ASN1_SEQUENCE, &description) != PKIX_OK ||
            der_read(&description, ASN1_OID, &oid) != PKIX_OK ||
            pkix_general_name_read(&description, &type, &location) != PKIX_OK || der_end(&description) != PKIX_OK)
            return malformed;
        if (type == PKIX_GN_URI && !span_starts_with_nocase(location, "http://") &&
            !span_starts_with_nocase(location, "https://") && !span_starts_with_nocase(location, "ldap://"))
            return malformed;
    }
    return NULL;
}

static const char *lint_key(const struct pkix_cert *cert)
{
    struct pkix_key key;

    if (pkix_key_read(cert->spki, &key) != PKIX_OK)
        return "the public key is not usable";
    if (key.type == PKIX_KEY_RSA && (key.bits < PKIX_RSA_BITS_MIN || key.bits % 8 != 0))
        return "the RSA modulus is not a multiple of eight bits";
    return NULL;
}

/* A dNSName as RFC 1034 section 3.5 has it: no underscores. */
static bool has_underscore(struct span name)
{
    return name.size != 0 && memchr(name.data, '_', name.size) != NULL;
}

static const char *lint_leaf_names(const struct pkix_cert *cert, enum pkix_purpose purpose)
{
    struct der names;
    bool present;

    if (pkix_san_enter(cert, &names, &present) != PKIX_OK)
        return "the alternative names are malformed";
    if (!present || der_at_end(&names))
        return purpose == PKIX_PURPOSE_SERVER ? "there are no alternative names" : NULL;
    while (!der_at_end(&names)) {
        enum pkix_general_name type;
        struct span value;

        if (pkix_general_name_read(&names, &type, &value) != PKIX_OK)
            return "an alternative name is malformed";
        if (type == PKIX_GN_DNS && (!pkix_dns_id_valid(value, PKIX_DNS_PRESENTED) || has_underscore(value)))
            return "a host name is not a host name";
        if (type == PKIX_GN_IP && value.size != 4 && value.size != 16)
            return "an address is neither IPv4 nor IPv6";
    }
    return NULL;
}

struct common_name_search {
    const struct pkix_cert *cert;
    bool mismatch;
};

/* Whether somebody could take the text for an address: digits, hexadecimal letters, 'x', dots and colons. */
static bool looks_like_an_address(struct span text)
{
    bool digit = false;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\0' || strchr("0123456789abcdefABCDEF.:xX", text.data[i]) == NULL)
            return false;
        digit = digit || (text.data[i] >= '0' && text.data[i] <= '9');
    }
    return digit;
}

/* Whether `name`, perhaps a wildcard, is a sub-domain of `domain`. */
static bool is_below(struct span name, struct span domain)
{
    return name.size > domain.size + 1 && name.data[name.size - domain.size - 1] == '.' &&
           span_equal(span_skip(name, name.size - domain.size), domain);
}

/* CA/Browser Forum BR section 7.1.4.3: a common name that looks like a server's name is one of the alternative names, in
 * the same spelling (an address: in RFC 5952's). The domain all of whose host names are below it passes too, and a
 * host name beside mere addresses. */
static bool common_name_fits(const struct pkix_cert *cert, struct span common_name)
{
    struct der names;
    bool present, has_dns = false, has_below = false;

    if (pkix_san_enter(cert, &names, &present) != PKIX_OK)
        return false;
    while (!der_at_end(&names)) {
        enum pkix_general_name type;
        struct span name;
        char text[PKIX_IP_TEXT_SIZE];

        if (pkix_general_name_read(&names, &type, &name) != PKIX_OK)
            return false;
        if (type == PKIX_GN_DNS) {
            has_dns = true;
            has_below = has_below || is_below(name, common_name);
        } else if (type == PKIX_GN_IP) {
            pkix_ip_format(name, text);
            name = span_of_string(text);
        } else {
            continue;
        }
        if (span_equal(name, common_name))
            return true;
    }
    if (looks_like_an_address(common_name))
        return false;
    return !has_dns || has_below || common_name.size == 0 || memchr(common_name.data, '.', common_name.size) == NULL;
}

static bool visit_attribute(void *ctx, struct span oid, unsigned tag, struct span value)
{
    struct common_name_search *search = ctx;

    (void)tag;
    if (pkix_oid_is(oid, OID_COMMON_NAME))
        search->mismatch = search->mismatch || !common_name_fits(search->cert, value);
    return !search->mismatch;
}

static const char *lint_leaf(const struct pkix_cert *cert, enum pkix_purpose purpose)
{
    struct common_name_search search = {.cert = cert};
    const char *broken = lint_leaf_names(cert, purpose);

    if (broken != NULL)
        return broken;
    if (purpose == PKIX_PURPOSE_SERVER) {
        if (!pkix_dn_visit(cert->subject, visit_attribute, &search))
            return "the subject is malformed";
        if (search.mismatch)
            return "the common name is not one of the alternative names";
    }
    if (has(cert, PKIX_EXT_KEY_USAGE) && pkix_check_key_usage(cert, PKIX_KU_KEY_CERT_SIGN) == PKIX_OK)
        return "a leaf's key may sign certificates";
    return NULL;
}

/* RFC 5280 section 4.2.1.10: a dNSName constraint is a domain, without a leading period. */
static const char *lint_constraints(const struct pkix_cert *cert)
{
    static const char *const malformed = "name constraints are malformed";
    struct der sequence, subtrees, subtree;

    if (der_enter_only(cert->extensions[PKIX_EXT_NAME_CONSTRAINTS].value, ASN1_SEQUENCE, DER_SMALL, &sequence) !=
        PKIX_OK)
        return malformed;
    while (!der_at_end(&sequence)) {
        struct span contents;

        if (der_read_any(&sequence, NULL, &contents, NULL) != PKIX_OK)
            return malformed;
        subtrees = der_over(contents, DER_SMALL);
        while (!der_at_end(&subtrees)) {
            enum pkix_general_name type;
            struct span base;

            if (der_enter(&subtrees, ASN1_SEQUENCE, &subtree) != PKIX_OK ||
                pkix_general_name_read(&subtree, &type, &base) != PKIX_OK)
                return malformed;
            if (type == PKIX_GN_DNS && base.size != 0 && base.data[0] == '.')
                return "a name constraint begins with a period";
        }
    }
    return NULL;
}

static const char *lint_authority(const struct pkix_cert *cert, enum pkix_lint_place place)
{
    if (!has(cert, PKIX_EXT_KEY_USAGE))
        return "an authority has no key usage";
    if (place == PKIX_LINT_ANCHOR && pkix_cert_is_self_issued(cert) && has(cert, PKIX_EXT_EXTENDED_KEY_USAGE))
        return "a root has an extended key usage";
    return has(cert, PKIX_EXT_NAME_CONSTRAINTS) ? lint_constraints(cert) : NULL;
}

const char *pkix_lint(const struct pkix_cert *cert, enum pkix_lint_place place, enum pkix_lint_signer signer,
                      enum pkix_purpose purpose)
{
    const char *broken;

    if ((broken = lint_structure(cert)) != NULL || (broken = lint_serial(cert)) != NULL ||
        (broken = lint_key_ids(cert, place, signer)) != NULL || (broken = lint_criticality(cert, place)) != NULL ||
        (broken = lint_access_info(cert)) != NULL || (broken = lint_key(cert)) != NULL)
        return broken;
    return place == PKIX_LINT_LEAF ? lint_leaf(cert, purpose) : lint_authority(cert, place);
}
