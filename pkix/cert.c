/* see pkix/cert.h */
#include "pkix/cert.h"
#include "pkix/oid.h"

enum {
    TAG_VERSION = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_ISSUER_UNIQUE_ID = ASN1_CONTEXT | 1,
    TAG_SUBJECT_UNIQUE_ID = ASN1_CONTEXT | 2,
    TAG_EXTENSIONS = ASN1_CONTEXT_CONSTRUCTED | 3,
    TAG_AKI_KEY_ID = ASN1_CONTEXT | 0,
};

static const enum pkix_oid extension_oids[] = {
    [PKIX_EXT_KEY_USAGE] = OID_KEY_USAGE,
    [PKIX_EXT_SUBJECT_ALT_NAME] = OID_SUBJECT_ALT_NAME,
    [PKIX_EXT_BASIC_CONSTRAINTS] = OID_BASIC_CONSTRAINTS,
    [PKIX_EXT_NAME_CONSTRAINTS] = OID_NAME_CONSTRAINTS,
    [PKIX_EXT_CERTIFICATE_POLICIES] = OID_CERTIFICATE_POLICIES,
    [PKIX_EXT_POLICY_CONSTRAINTS] = OID_POLICY_CONSTRAINTS,
    [PKIX_EXT_POLICY_MAPPINGS] = OID_POLICY_MAPPINGS,
    [PKIX_EXT_EXTENDED_KEY_USAGE] = OID_EXTENDED_KEY_USAGE,
    [PKIX_EXT_INHIBIT_ANY_POLICY] = OID_INHIBIT_ANY_POLICY,
    [PKIX_EXT_AUTHORITY_INFO_ACCESS] = OID_AUTHORITY_INFO_ACCESS,
    [PKIX_EXT_TLS_FEATURE] = OID_TLS_FEATURE,
    [PKIX_EXT_SCT_LIST] = OID_SCT_LIST,
    [PKIX_EXT_QC_STATEMENTS] = OID_QC_STATEMENTS,
    [PKIX_EXT_AUTHORITY_KEY_ID] = OID_AUTHORITY_KEY_ID,
    [PKIX_EXT_SUBJECT_KEY_ID] = OID_SUBJECT_KEY_ID,
    [PKIX_EXT_CRL_DISTRIBUTION_POINTS] = OID_CRL_DISTRIBUTION_POINTS,
    [PKIX_EXT_OCSP_NOCHECK] = OID_OCSP_NOCHECK,
    [PKIX_EXT_NETSCAPE_CERT_TYPE] = OID_NETSCAPE_CERT_TYPE,
};

static_assert(ARRAY_LEN(extension_oids) == PKIX_EXT_COUNT, "one object identifier for each extension");

enum pkix_error pkix_signed_read(struct span der, enum der_size size, struct pkix_signed *out, struct der *data)
{
    struct der outer, peek;

    if (der_enter_only(der, ASN1_SEQUENCE, size, &outer) != PKIX_OK)
        return PKIX_BAD_DER;
    peek = outer;
    if (der_read_whole(&outer, ASN1_SEQUENCE, &out->data) != PKIX_OK ||
        der_enter(&peek, ASN1_SEQUENCE, data) != PKIX_OK || der_read(&outer, ASN1_SEQUENCE, &out->algorithm) != PKIX_OK)
        return PKIX_BAD_DER;
    if (der_read_bit_string(&outer, &out->signature) != PKIX_OK)
        return PKIX_BAD_SIGNATURE;
    return der_end(&outer);
}

static enum pkix_error read_version(struct der *tbs, enum pkix_version *version)
{
    struct der inner;
    unsigned number;

    *version = PKIX_V1;
    if (!der_next_is(tbs, TAG_VERSION))
        return PKIX_OK;
    if (der_enter(tbs, TAG_VERSION, &inner) != PKIX_OK || der_read_small(&inner, ASN1_INTEGER, &number) != PKIX_OK ||
        der_end(&inner) != PKIX_OK || number >= PKIX_VERSION_COUNT)
        return PKIX_BAD_DER;
    *version = (enum pkix_version)number;
    return PKIX_OK;
}

static enum pkix_error read_validity(struct span contents, int64_t *not_before, int64_t *not_after)
{
    struct der d = der_over(contents, DER_SMALL);

    if (der_read_time(&d, not_before) != PKIX_OK || der_read_time(&d, not_after) != PKIX_OK || !der_at_end(&d) ||
        *not_before > *not_after)
        return PKIX_BAD_TIME;
    return PKIX_OK;
}

/* Extensions that are hints unless they are critical. The OCSP no-check extension means what we do anyway; the Netscape
 * type is superseded by two extensions that must then be there (checked at the end); CRL distribution points are where
 * we fetch, and are checked with the rest (pkix/check.c). */
static bool is_known_when_critical(enum pkix_extension id)
{
    return id == PKIX_EXT_OCSP_NOCHECK || id == PKIX_EXT_NETSCAPE_CERT_TYPE || id == PKIX_EXT_CRL_DISTRIBUTION_POINTS;
}

/* RFC 5280 section 4.2: what is critical and not understood refuses the certificate. It could say that the certificate
 * is for nothing we know, as the poison of a precertificate does (RFC 6962 section 3.1). */
static enum pkix_error unknown_critical(struct pkix_cert *cert, struct span oid)
{
    cert->bad_extension = oid;
    return PKIX_UNKNOWN_CRITICAL_EXTENSION;
}

static enum pkix_error remember_extension(struct pkix_cert *cert, struct span oid, bool critical, struct span value)
{
    for (unsigned i = 0; i < PKIX_EXT_COUNT; i++) {
        struct pkix_extension_value *known = &cert->extensions[i];
        bool understood = i < PKIX_EXT_UNDERSTOOD_COUNT || (critical && is_known_when_critical((enum pkix_extension)i));

        if (!pkix_oid_is(oid, extension_oids[i]))
            continue;
        if (critical && !understood)
            return unknown_critical(cert, oid);
        /* A second one could say otherwise (RFC 5280 section 4.2): who reads the first and who reads the last differ.
         */
        if (understood && ((value.size == 0 && i != PKIX_EXT_OCSP_NOCHECK) || known->present)) {
            cert->bad_extension = oid;
            return PKIX_BAD_EXTENSION;
        }
        if (!known->present)
            *known = (struct pkix_extension_value){.value = value, .present = true, .critical = critical};
        return PKIX_OK;
    }
    return critical ? unknown_critical(cert, oid) : PKIX_OK;
}

static enum pkix_error read_extensions(struct der *tbs, struct pkix_cert *cert)
{
    struct der wrapper, list;

    if (!der_next_is(tbs, TAG_EXTENSIONS))
        return PKIX_OK;
    if (der_enter(tbs, TAG_EXTENSIONS, &wrapper) != PKIX_OK || der_enter(&wrapper, ASN1_SEQUENCE, &list) != PKIX_OK ||
        der_end(&wrapper) != PKIX_OK)
        return PKIX_BAD_DER;
    cert->has_empty_extensions = der_at_end(&list);
    cert->extension_list = span_of(list.next, (size_t)(list.end - list.next));
    while (!der_at_end(&list)) {
        struct der extension;
        struct span oid, value;
        bool critical;
        enum pkix_error error;

        if (der_enter(&list, ASN1_SEQUENCE, &extension) != PKIX_OK || der_read(&extension, ASN1_OID, &oid) != PKIX_OK ||
            der_read_optional_boolean(&extension, &critical) != PKIX_OK ||
            der_read(&extension, ASN1_OCTET_STRING, &value) != PKIX_OK || der_end(&extension) != PKIX_OK)
            return PKIX_BAD_DER;
        error = remember_extension(cert, oid, critical, value);
        if (error != PKIX_OK)
            return error;
    }
    if (cert->extensions[PKIX_EXT_NETSCAPE_CERT_TYPE].critical &&
        !(cert->extensions[PKIX_EXT_BASIC_CONSTRAINTS].present &&
          cert->extensions[PKIX_EXT_EXTENDED_KEY_USAGE].present))
        return unknown_critical(cert, pkix_oid(OID_NETSCAPE_CERT_TYPE));
    return PKIX_OK;
}

static enum pkix_error read_unique_id(struct der *tbs, unsigned tag, struct pkix_cert *cert)
{
    struct span ignored;
    bool present;
    enum pkix_error error = der_read_optional(tbs, tag, &ignored, &present);

    cert->has_unique_id = cert->has_unique_id || present;
    return error;
}

/* The order of fields is that of TBSCertificate, RFC 5280 section 4.1. */
enum pkix_error pkix_cert_read(struct span der, struct pkix_cert *cert)
{
    struct der tbs;
    enum pkix_error error;

    *cert = (struct pkix_cert){.der = der};
    if (der.size > DER_SMALL_SIZE_MAX)
        return PKIX_TOO_LARGE;
    if (der.size == 0)
        return PKIX_BAD_DER;
    if ((error = pkix_signed_read(der, DER_SMALL, &cert->outer, &tbs)) != PKIX_OK ||
        (error = read_version(&tbs, &cert->version)) != PKIX_OK ||
        (error = der_read_integer(&tbs, &cert->serial)) != PKIX_OK ||
        (error = der_read(&tbs, ASN1_SEQUENCE, &cert->inner_algorithm)) != PKIX_OK ||
        (error = der_read_whole(&tbs, ASN1_SEQUENCE, &cert->issuer)) != PKIX_OK ||
        (error = der_read(&tbs, ASN1_SEQUENCE, &cert->validity)) != PKIX_OK ||
        (error = der_read_whole(&tbs, ASN1_SEQUENCE, &cert->subject)) != PKIX_OK ||
        (error = der_read_whole(&tbs, ASN1_SEQUENCE, &cert->spki)) != PKIX_OK ||
        (error = read_unique_id(&tbs, TAG_ISSUER_UNIQUE_ID, cert)) != PKIX_OK ||
        (error = read_unique_id(&tbs, TAG_SUBJECT_UNIQUE_ID, cert)) != PKIX_OK)
        return error;
    cert->validity_error = read_validity(cert->validity, &cert->not_before, &cert->not_after);
    error = read_extensions(&tbs, cert);
    /* Nothing behind what was understood: RFC 5280 knows no further field. */
    return error != PKIX_OK ? error : der_end(&tbs);
}

struct span pkix_cert_subject_key_id(const struct pkix_cert *cert)
{
    struct der d = der_over(cert->extensions[PKIX_EXT_SUBJECT_KEY_ID].value, DER_SMALL);
    struct span id;

    return der_read(&d, ASN1_OCTET_STRING, &id) == PKIX_OK && der_at_end(&d) ? id : span_of(NULL, 0);
}

struct span pkix_cert_authority_key_id(const struct pkix_cert *cert)
{
    struct der sequence;
    struct span id;

    if (der_enter_only(cert->extensions[PKIX_EXT_AUTHORITY_KEY_ID].value, ASN1_SEQUENCE, DER_SMALL, &sequence) !=
            PKIX_OK ||
        der_read(&sequence, TAG_AKI_KEY_ID, &id) != PKIX_OK)
        return span_of(NULL, 0);
    return id;
}
