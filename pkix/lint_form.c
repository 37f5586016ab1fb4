/* see pkix/lint_form.h */
#include "pkix/lint_form.h"
#include "pkix/check.h"
#include "pkix/key.h"
#include "pkix/lint_names.h"
#include "pkix/names.h"
#include "pkix/oid.h"
#include "pkix/oid_text.h"
#include "pkix/policy_read.h"

enum {
    UTC_TIME_LAST_YEAR = 2049,
    ASN1_CONSTRUCTED = 0x20,
    UNIVERSAL_TAG_END = 0x40, /* from here on: the application, context and private classes */
    TAG_DP_NAME = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_DP_REASONS = ASN1_CONTEXT | 1,
    TAG_DP_CRL_ISSUER = ASN1_CONTEXT_CONSTRUCTED | 2,
    TAG_FULL_NAME = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_RELATIVE_NAME = ASN1_CONTEXT_CONSTRUCTED | 1,
};

/* X.690 section 11.2: unused bits are zero. */
static bool is_bit_string(struct span contents)
{
    if (contents.size == 0 || contents.data[0] > 7 || (contents.size == 1 && contents.data[0] != 0))
        return false;
    return (contents.data[contents.size - 1] & ((1u << contents.data[0]) - 1)) == 0 || contents.size == 1;
}

static bool is_integer(struct span contents)
{
    return contents.size == 1 || (contents.size > 1 && !(contents.data[0] == 0x00 && (contents.data[1] & 0x80) == 0) &&
                                  !(contents.data[0] == 0xff && (contents.data[1] & 0x80) != 0));
}

/* The contents of a primitive element of the universal class. */
static bool is_primitive(unsigned tag, struct span contents)
{
    switch (tag) {
    case ASN1_BOOLEAN:
        return contents.size == 1 && (contents.data[0] == 0x00 || contents.data[0] == 0xff);
    case ASN1_INTEGER:
    case ASN1_ENUMERATED:
        return is_integer(contents);
    case ASN1_BIT_STRING:
        return is_bit_string(contents);
    case ASN1_NULL:
        return contents.size == 0;
    case ASN1_OID:
        return pkix_oid_is_well_formed(contents);
    }
    /* The rest is strings, whose bytes are judged where they are read; SEQUENCE and SET are never primitive. */
    return tag != (ASN1_SEQUENCE & ~ASN1_CONSTRUCTED) && tag != (ASN1_SET & ~ASN1_CONSTRUCTED) && tag != 0;
}

/* Elements as DER writes them, all the way down: what nobody has to read is read here. */
static bool is_der(struct span bytes, unsigned depth)
{
    struct der d = der_over(bytes, DER_SMALL);

    while (!der_at_end(&d)) {
        struct span contents;
        unsigned tag;

        if (der_read_any(&d, &tag, &contents, NULL) != PKIX_OK)
            return false;
        if ((tag & ASN1_CONSTRUCTED) != 0) {
            bool universal = tag < UNIVERSAL_TAG_END;

            if (depth == 0 || (universal && tag != ASN1_SEQUENCE && tag != ASN1_SET) || !is_der(contents, depth - 1))
                return false;
        } else if (tag < UNIVERSAL_TAG_END && !is_primitive(tag, contents)) {
            return false;
        }
    }
    return true;
}

/* The certificate, and within it the extensions that are known: what others hold is their owners' business. */
static const char *lint_der(const struct pkix_cert *cert)
{
    if (!is_der(cert->der, PKIX_LINT_DEPTH_MAX))
        return "the encoding is not DER";
    for (unsigned i = 0; i < PKIX_EXT_COUNT; i++)
        if (cert->extensions[i].present && !is_der(cert->extensions[i].value, PKIX_LINT_DEPTH_MAX))
            return "an extension's encoding is not DER";
    return NULL;
}

/* Object identifiers seen in a list that must not have one twice. */
struct seen {
    struct span *oids;
    size_t count, max;
};

static bool is_first(struct seen *seen, struct span oid)
{
    for (size_t i = 0; i < seen->count; i++)
        if (span_equal(seen->oids[i], oid))
            return false;
    if (seen->count == seen->max)
        return false;
    seen->oids[seen->count++] = oid;
    return true;
}

/* RFC 5280 section 4.2: at least one, none twice. X.690 section 11.5: DEFAULT FALSE is not written. */
static const char *lint_extension_list(const struct pkix_cert *cert)
{
    struct span oids[PKIX_LINT_EXTENSIONS_MAX];
    struct seen seen = {.oids = oids, .max = ARRAY_LEN(oids)};
    struct der list = der_over(cert->extension_list, DER_SMALL);

    if (cert->has_empty_extensions)
        return "the list of extensions is empty";
    while (!der_at_end(&list)) {
        struct der extension;
        struct span oid;
        bool critical;

        if (der_enter(&list, ASN1_SEQUENCE, &extension) != PKIX_OK || der_read(&extension, ASN1_OID, &oid) != PKIX_OK)
            return "an extension is malformed";
        if (!is_first(&seen, oid))
            return seen.count == seen.max ? "there are more extensions than are looked at"
                                          : "an extension is there twice";
        if (der_next_is(&extension, ASN1_BOOLEAN) &&
            (der_read_optional_boolean(&extension, &critical) != PKIX_OK || !critical))
            return "an extension says that it is not critical, which is the default and is not written";
    }
    return NULL;
}

/* RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
static const char *lint_dates(const struct pkix_cert *cert)
{
    struct der dates = der_over(cert->validity, DER_SMALL);

    while (!der_at_end(&dates)) {
        bool generalized = der_next_is(&dates, ASN1_GENERALIZED_TIME);
        struct der_date date;
        int64_t seconds;

        if (der_read_time(&dates, &seconds) != PKIX_OK)
            return "a date is malformed";
        der_date_of_seconds(seconds, &date);
        if (generalized && date.year <= UTC_TIME_LAST_YEAR)
            return "a date before 2050 is not a UTCTime";
    }
    return NULL;
}

/* RFC 5280 section 4.1.1.2: the same identifier twice. RFC 4055 section 5: NULL for PKCS #1; RFC 5758 section 3.2:
 * nothing for ECDSA. */
static const char *lint_algorithm(const struct pkix_cert *cert)
{
    struct der d = der_over(cert->inner_algorithm, DER_SMALL);
    struct pkix_algorithm algorithm;
    struct span oid, null;
    bool present;

    if (!span_equal(cert->inner_algorithm, cert->outer.algorithm))
        return "the two signature algorithm identifiers are not the same bytes";
    /* What is not known was refused before, or is an anchor's own signature, which nobody relies on. */
    if (pkix_algorithm_read(cert->inner_algorithm, &algorithm) != PKIX_OK)
        return NULL;
    if (algorithm.padding == PKIX_PADDING_PSS) /* CA/Browser Forum BR section 7.1.3.2.1 */
        return algorithm.salt_size == pkix_digest_size(algorithm.digest)
                   ? NULL
                   : "the salt of the RSA-PSS signature is not as long as its hash";
    if (der_read(&d, ASN1_OID, &oid) != PKIX_OK || der_read_optional(&d, ASN1_NULL, &null, &present) != PKIX_OK)
        return "the signature algorithm identifier is malformed";
    return present == (algorithm.padding == PKIX_PADDING_PKCS1)
               ? NULL
               : "the parameters of the signature algorithm are not NULL for RSA and absent for ECDSA";
}

/* X.690 section 11.2.2: no zero bits at the end of a list of named bits. */
static const char *lint_key_usage(const struct pkix_cert *cert)
{
    struct span value, bits;
    struct der d;

    if (!pkix_cert_extension(cert, PKIX_EXT_KEY_USAGE, &value))
        return NULL;
    d = der_over(value, DER_SMALL);
    if (der_read(&d, ASN1_BIT_STRING, &bits) != PKIX_OK || der_end(&d) != PKIX_OK || bits.size < 2 || bits.data[0] > 7)
        return "the key usage is malformed";
    return (bits.data[bits.size - 1] >> bits.data[0] & 1) != 0 ? NULL : "the key usage has zero bits at its end";
}

/* RFC 5280 section 4.2.1.9: a path length only where there is a path. */
static const char *lint_basic_constraints(const struct pkix_cert *cert)
{
    struct span value;
    struct der sequence;
    bool is_ca;
    int path_length;

    if (!pkix_cert_extension(cert, PKIX_EXT_BASIC_CONSTRAINTS, &value))
        return NULL;
    if (pkix_read_basic_constraints(value, &is_ca, &path_length) != PKIX_OK ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK)
        return "the basic constraints are malformed";
    if (!is_ca && der_next_is(&sequence, ASN1_BOOLEAN))
        return "the basic constraints say cA FALSE, which is the default and is not written";
    return !is_ca && path_length >= 0 ? "there is a path length without cA" : NULL;
}

/* PolicyInformation ::= SEQUENCE { policyIdentifier, policyQualifiers SEQUENCE SIZE (1..MAX) OPTIONAL }. RFC 5280
 * section 4.2.1.4 defines two kinds of qualifiers, and with anyPolicy allows no other. */
static const char *lint_policy_information(struct der *list)
{
    static const char *const malformed = "the qualifiers of a certificate policy are malformed or none";
    struct der information;
    struct span oid, qualifiers;

    if (der_enter(list, ASN1_SEQUENCE, &information) != PKIX_OK || der_read(&information, ASN1_OID, &oid) != PKIX_OK)
        return malformed;
    if (der_at_end(&information))
        return NULL;
    if (der_read(&information, ASN1_SEQUENCE, &qualifiers) != PKIX_OK || !der_at_end(&information) ||
        qualifiers.size == 0)
        return malformed;
    return pkix_policy_qualifiers_known(qualifiers)
               ? NULL
               : "a qualifier of a certificate policy is malformed, or neither a CPS pointer nor a user notice";
}

static const char *lint_policy_qualifiers(const struct pkix_cert *cert)
{
    struct span value;
    struct der list;
    const char *broken = NULL;

    if (!pkix_cert_extension(cert, PKIX_EXT_CERTIFICATE_POLICIES, &value))
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK)
        return "the certificate policies are malformed";
    while (broken == NULL && !der_at_end(&list))
        broken = lint_policy_information(&list);
    return broken;
}

/* The path's certificates have passed this; its anchor has not, whose policies do not matter otherwise. */
static const char *lint_policy_extensions(const struct pkix_cert *cert)
{
    struct pkix_policies policies;
    struct pkix_policy_mappings mappings;
    struct pkix_policy_constraints constraints;
    unsigned skip_certs;
    const char *what = NULL;

    if (pkix_policies_read(cert, &policies, &what) != PKIX_OK ||
        pkix_policy_mappings_read(cert, &mappings, &what) != PKIX_OK ||
        pkix_policy_constraints_read(cert, &constraints, &what) != PKIX_OK ||
        pkix_inhibit_any_policy_read(cert, &skip_certs, &what) != PKIX_OK)
        return what;
    return lint_policy_qualifiers(cert);
}

static bool general_names_valid(struct der *names)
{
    if (der_at_end(names))
        return false;
    while (!der_at_end(names)) {
        enum pkix_general_name type;
        struct span value;

        if (pkix_general_name_read(names, &type, &value) != PKIX_OK || pkix_lint_general_name(type, value) != NULL)
            return false;
    }
    return true;
}

/* DistributionPointName ::= CHOICE { fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] RelativeDistinguishedName }
 */
static bool distribution_point_name_valid(struct der *point)
{
    struct der name, inner;

    if (der_enter(point, TAG_DP_NAME, &name) != PKIX_OK)
        return false;
    if (der_next_is(&name, TAG_FULL_NAME))
        return der_enter(&name, TAG_FULL_NAME, &inner) == PKIX_OK && der_at_end(&name) && general_names_valid(&inner);
    return der_enter(&name, TAG_RELATIVE_NAME, &inner) == PKIX_OK && der_at_end(&name) && !der_at_end(&inner);
}

/* RFC 5280 section 4.2.1.13: each has a name or an issuer; reasons alone are not enough. */
static const char *lint_distribution_points(const struct pkix_cert *cert)
{
    static const char *const malformed = "the CRL distribution points are malformed";
    struct span value;
    struct der list;

    if (!pkix_cert_extension(cert, PKIX_EXT_CRL_DISTRIBUTION_POINTS, &value))
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return malformed;
    while (!der_at_end(&list)) {
        struct der point, issuer;
        struct span reasons;
        bool has_name, has_reasons;

        if (der_enter(&list, ASN1_SEQUENCE, &point) != PKIX_OK)
            return malformed;
        has_name = der_next_is(&point, TAG_DP_NAME);
        if ((has_name && !distribution_point_name_valid(&point)) ||
            der_read_optional(&point, TAG_DP_REASONS, &reasons, &has_reasons) != PKIX_OK)
            return malformed;
        if (der_at_end(&point) && has_name)
            continue;
        if (der_enter(&point, TAG_DP_CRL_ISSUER, &issuer) != PKIX_OK || !general_names_valid(&issuer) ||
            der_end(&point) != PKIX_OK)
            return malformed;
    }
    return NULL;
}

/* RFC 6962 section 3.3: an OCTET STRING in the extension's own. */
static const char *lint_sct_list(const struct pkix_cert *cert)
{
    struct span value, list;
    struct der d;

    if (!pkix_cert_extension(cert, PKIX_EXT_SCT_LIST, &value))
        return NULL;
    d = der_over(value, DER_SMALL);
    return der_read(&d, ASN1_OCTET_STRING, &list) == PKIX_OK && der_at_end(&d) && list.size != 0
               ? NULL
               : "the list of certificate timestamps is malformed";
}

/* The value of an extension that is not remembered; size 0: it is not there, or empty. */
static struct span find_extension(const struct pkix_cert *cert, enum pkix_oid wanted)
{
    struct der list = der_over(cert->extension_list, DER_SMALL);

    while (!der_at_end(&list)) {
        struct span oid, value;
        bool critical;

        if (pkix_extension_read(&list, &oid, &critical, &value) != PKIX_OK)
            break;
        if (pkix_oid_is(oid, wanted))
            return value;
    }
    return span_of(NULL, 0);
}

/* RFC 5280 section 4.2.1.8: Attribute ::= SEQUENCE { type, values SET }, at least one. */
static const char *lint_directory_attributes(const struct pkix_cert *cert)
{
    static const char *const malformed = "the subject directory attributes are malformed or none";
    struct span value = find_extension(cert, OID_SUBJECT_DIRECTORY_ATTRIBUTES), oid, values;
    struct der list, attribute;

    if (value.data == NULL)
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return malformed;
    while (!der_at_end(&list))
        if (der_enter(&list, ASN1_SEQUENCE, &attribute) != PKIX_OK || der_read(&attribute, ASN1_OID, &oid) != PKIX_OK ||
            der_read(&attribute, ASN1_SET, &values) != PKIX_OK || values.size == 0 || !der_at_end(&attribute))
            return malformed;
    return NULL;
}

/* RFC 5280 section 4.2.2.2: AccessDescription ::= SEQUENCE { method, location GeneralName }, at least one. */
static const char *lint_subject_info_access(const struct pkix_cert *cert)
{
    static const char *const malformed = "the subject information access is malformed or none";
    struct span value = find_extension(cert, OID_SUBJECT_INFO_ACCESS), oid, location;
    struct der list, description;
    enum pkix_general_name type;

    if (value.data == NULL)
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return malformed;
    while (!der_at_end(&list))
        if (der_enter(&list, ASN1_SEQUENCE, &description) != PKIX_OK ||
            der_read(&description, ASN1_OID, &oid) != PKIX_OK ||
            pkix_general_name_read(&description, &type, &location) != PKIX_OK || !der_at_end(&description) ||
            pkix_lint_general_name(type, location) != NULL)
            return malformed;
    return NULL;
}

/* RFC 5280 section 4.2.1.7. */
static const char *lint_issuer_alternative_names(const struct pkix_cert *cert)
{
    struct span value = find_extension(cert, OID_ISSUER_ALT_NAME);
    struct der names;

    if (value.data == NULL)
        return NULL;
    return der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &names) == PKIX_OK && general_names_valid(&names)
               ? NULL
               : "the issuer's alternative names are malformed or none";
}

/* RFC 5280 sections 4.2.1.5, 4.2.1.10, 4.2.1.11 and 4.2.1.14: these speak of the certificates that a CA issues. */
static const char *lint_authority_extensions(const struct pkix_cert *cert)
{
    static const enum pkix_extension of_authorities[] = {PKIX_EXT_NAME_CONSTRAINTS, PKIX_EXT_POLICY_MAPPINGS,
                                                         PKIX_EXT_POLICY_CONSTRAINTS, PKIX_EXT_INHIBIT_ANY_POLICY};

    for (size_t i = 0; i < ARRAY_LEN(of_authorities); i++)
        if (cert->extensions[of_authorities[i]].present)
            return "a leaf has an extension that is for authorities";
    return NULL;
}

const char *pkix_lint_form(const struct pkix_cert *cert, enum pkix_lint_place place)
{
    const char *(*const rules[])(const struct pkix_cert *) = {lint_der,
                                                              lint_extension_list,
                                                              lint_dates,
                                                              lint_algorithm,
                                                              lint_key_usage,
                                                              lint_basic_constraints,
                                                              lint_policy_extensions,
                                                              lint_sct_list,
                                                              lint_directory_attributes,
                                                              lint_subject_info_access,
                                                              lint_issuer_alternative_names,
                                                              lint_distribution_points};
    const char *broken = NULL;

    for (size_t i = 0; i < ARRAY_LEN(rules) && broken == NULL; i++)
        broken = rules[i](cert);
    return broken == NULL && place == PKIX_LINT_LEAF ? lint_authority_extensions(cert) : broken;
}
