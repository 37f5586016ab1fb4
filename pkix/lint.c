/* see pkix/lint.h */
#include "pkix/lint.h"
#include "pkix/check.h"
#include "pkix/key.h"
#include "pkix/lint_form.h"
#include "pkix/lint_names.h"
#include "pkix/names.h"
#include "pkix/nss_crypto.h"
#include "pkix/oid.h"

enum {
    SERIAL_SIZE_MAX = 20,
    TAG_AKI_KEY_ID = ASN1_CONTEXT | 0,
    TAG_AKI_ISSUER = ASN1_CONTEXT_CONSTRUCTED | 1,
    TAG_AKI_SERIAL = ASN1_CONTEXT | 2,
};

static bool has(const struct pkix_cert *cert, enum pkix_extension id)
{
    return cert->extensions[id].present;
}

static bool is_critical(const struct pkix_cert *cert, enum pkix_extension id)
{
    return has(cert, id) && cert->extensions[id].critical;
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets. An anchor was configured, whatever number it gave itself: real
 * roots have 0. */
static const char *lint_serial(const struct pkix_cert *cert, enum pkix_lint_place place)
{
    if (place == PKIX_LINT_ANCHOR)
        return NULL;
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
    return NULL;
}

/* AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0], authorityCertIssuer [1], authorityCertSerialNumber [2] } */
struct authority_key_id {
    struct span key_id, issuer, serial; /* contents */
    bool has_key_id, has_issuer, has_serial;
};

static bool authority_key_id_read(const struct pkix_cert *cert, struct authority_key_id *id)
{
    struct der fields;

    return der_enter_only(cert->extensions[PKIX_EXT_AUTHORITY_KEY_ID].value, ASN1_SEQUENCE, DER_SMALL, &fields) ==
               PKIX_OK &&
           der_read_optional(&fields, TAG_AKI_KEY_ID, &id->key_id, &id->has_key_id) == PKIX_OK &&
           der_read_optional(&fields, TAG_AKI_ISSUER, &id->issuer, &id->has_issuer) == PKIX_OK &&
           der_read_optional(&fields, TAG_AKI_SERIAL, &id->serial, &id->has_serial) == PKIX_OK && der_at_end(&fields);
}

/* RFC 5280 sections 4.2.1.1 and 4.2.1.2. A root may leave its authority's identifier out; if it has one it is its own.
 * An authority's has the key alone (CA/Browser Forum BR section 7.1.2.11.1). */
static const char *lint_key_ids(const struct pkix_cert *cert, enum pkix_lint_place place, enum pkix_lint_signer signer)
{
    struct span subject = pkix_cert_subject_key_id(cert);
    struct authority_key_id id;

    if (place != PKIX_LINT_LEAF && subject.size == 0)
        return "an authority has no subject key identifier";
    if (has(cert, PKIX_EXT_SUBJECT_KEY_ID) && subject.size == 0)
        return "the subject key identifier is malformed";
    if (!has(cert, PKIX_EXT_AUTHORITY_KEY_ID))
        return place == PKIX_LINT_ANCHOR && signer == PKIX_LINT_SIGNED_BY_ITSELF
                   ? NULL
                   : "there is no authority key identifier";
    if (!authority_key_id_read(cert, &id))
        return "the authority key identifier is malformed";
    if (!id.has_key_id || id.key_id.size == 0)
        return "the authority key identifier names no key";
    if (id.has_issuer != id.has_serial)
        return "the authority key identifier has one of issuer and serial number without the other";
    if (place != PKIX_LINT_LEAF && id.has_issuer)
        return "an authority's authority key identifier names issuer and serial number";
    return place == PKIX_LINT_ANCHOR && pkix_cert_is_self_issued(cert) && !span_equal(id.key_id, subject)
               ? "a root's two key identifiers differ"
               : NULL;
}

static const char *lint_criticality(const struct pkix_cert *cert, enum pkix_lint_place place)
{
    struct der subject;
    bool empty_subject =
        der_enter_only(cert->subject, ASN1_SEQUENCE, DER_SMALL, &subject) != PKIX_OK || der_at_end(&subject);

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
    if (is_critical(cert, PKIX_EXT_CERTIFICATE_POLICIES)) /* BR sections 7.1.2.7.6 and 7.1.2.10.2 */
        return "the certificate policies are critical";
    if (empty_subject && !has(cert, PKIX_EXT_SUBJECT_ALT_NAME)) /* RFC 5280 section 4.1.2.6 */
        return "there is neither a subject nor an alternative name";
    if (has(cert, PKIX_EXT_SUBJECT_ALT_NAME) && empty_subject != is_critical(cert, PKIX_EXT_SUBJECT_ALT_NAME))
        return empty_subject ? "the subject is empty and its alternative names are not critical"
                             : "the subject is not empty and its alternative names are critical";
    if (empty_subject && place != PKIX_LINT_LEAF)
        return "an authority's subject is empty";
    return NULL;
}

/* Locations that are URIs are such as can be fetched; the structure has been checked with the rest (pkix/check.h). An
 * anchor's and an expired leaf's too: lint comes last. */
static const char *lint_access_info(const struct pkix_cert *cert)
{
    static const char *const malformed = "the authority information access is malformed";
    struct span value;
    struct der list;

    if (!pkix_cert_extension(cert, PKIX_EXT_AUTHORITY_INFO_ACCESS, &value))
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK)
        return malformed;
    while (!der_at_end(&list)) {
        struct pkix_access access;

        if (pkix_access_read(&list, &access) != PKIX_OK || pkix_lint_general_name(access.type, access.location) != NULL)
            return malformed;
        if (access.type == PKIX_GN_URI && !span_starts_with_nocase(access.location, "http://") &&
            !span_starts_with_nocase(access.location, "https://") &&
            !span_starts_with_nocase(access.location, "ldap://"))
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

/* CA/Browser Forum BR section 7.1.2.7.10: a server's certificate lists what it is for. */
static bool lists_any_usage(const struct pkix_cert *cert)
{
    struct span value, oid;
    struct der oids;

    if (!pkix_cert_extension(cert, PKIX_EXT_EXTENDED_KEY_USAGE, &value) ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &oids) != PKIX_OK)
        return false;
    while (der_read(&oids, ASN1_OID, &oid) == PKIX_OK)
        if (pkix_oid_is(oid, OID_ANY_EXTENDED_KEY_USAGE))
            return true;
    return false;
}

static const char *lint_leaf(const struct pkix_cert *cert, enum pkix_purpose purpose)
{
    /* The only key of a path by which nothing is verified on the way to it: of the others the signatures tell. */
    if (!pkix_nss_takes_key(cert->spki))
        return "the leaf's public key is no key: its point is not on its curve";
    /* Of every profile, but not of a leaf that is an anchor (pkix/check.c). */
    if (has(cert, PKIX_EXT_KEY_USAGE) && pkix_check_key_usage(cert, PKIX_KU_KEY_CERT_SIGN) == PKIX_OK)
        return "a leaf's key may sign certificates";
    switch (purpose) {
    case PKIX_PURPOSE_SERVER:
        return lists_any_usage(cert) ? "a server's extended key usage lists any usage" : pkix_lint_server_names(cert);
    case PKIX_PURPOSE_CLIENT:
        break;
    }
    return NULL;
}

static const char *lint_authority(const struct pkix_cert *cert, enum pkix_lint_place place)
{
    if (!has(cert, PKIX_EXT_KEY_USAGE))
        return "an authority has no key usage";
    if (place == PKIX_LINT_ANCHOR && pkix_cert_is_self_issued(cert) && has(cert, PKIX_EXT_EXTENDED_KEY_USAGE))
        return "a root has an extended key usage";
    return pkix_lint_constraints(cert);
}

const char *pkix_lint(const struct pkix_cert *cert, enum pkix_lint_place place, enum pkix_lint_signer signer,
                      enum pkix_purpose purpose)
{
    const char *broken;

    if ((broken = lint_structure(cert)) != NULL || (broken = lint_serial(cert, place)) != NULL ||
        (broken = lint_key_ids(cert, place, signer)) != NULL || (broken = lint_criticality(cert, place)) != NULL ||
        (broken = lint_access_info(cert)) != NULL || (broken = lint_key(cert)) != NULL ||
        (broken = pkix_lint_form(cert, place)) != NULL || (broken = pkix_lint_names(cert)) != NULL)
        return broken;
    return place == PKIX_LINT_LEAF ? lint_leaf(cert, purpose) : lint_authority(cert, place);
}

/* GeneralNames that are one directoryName, this one. */
static bool names_only(struct span names, struct span wanted)
{
    struct der d = der_over(names, DER_SMALL);
    enum pkix_general_name type;
    struct span name;

    return pkix_general_name_read(&d, &type, &name) == PKIX_OK && der_at_end(&d) && type == PKIX_GN_DIRECTORY &&
           span_equal(name, wanted);
}

const char *pkix_lint_issued(const struct pkix_cert *child, const struct pkix_cert *issuer)
{
    struct authority_key_id id;
    struct span key_id = pkix_cert_subject_key_id(issuer);

    if (!has(child, PKIX_EXT_AUTHORITY_KEY_ID) || !authority_key_id_read(child, &id))
        return NULL;
    if (id.has_key_id && key_id.size != 0 && !span_equal(id.key_id, key_id))
        return "the authority key identifier is not its issuer's subject key identifier";
    if (id.has_serial && !span_equal(id.serial, issuer->serial))
        return "the authority key identifier names a serial number that is not its issuer's";
    return !id.has_issuer || names_only(id.issuer, issuer->issuer)
               ? NULL
               : "the authority key identifier names an issuer that is not its issuer's";
}
