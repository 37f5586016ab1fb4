/* see pkix/cert.h
 *
 * The first code that sees the bytes of a certificate, and they are the peer's. One pass, nothing copied and nothing
 * allocated: each field is cut out where it stands, tag by tag in the order of RFC 5280 section 4.1, and what does not
 * fit ends it. What was verified and what is read are therefore the same bytes; nothing is ever encoded again.
 *
 * Names and the key are kept as whole elements, since that is how they are compared: an issuer is found by the bytes of
 * its name, a pin is a digest over those of the key. */
#include "pkix/cert.h"
#include "pkix/oid.h"

enum {
    TAG_VERSION = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_ISSUER_UNIQUE_ID = ASN1_CONTEXT | 1,
    TAG_SUBJECT_UNIQUE_ID = ASN1_CONTEXT | 2,
    TAG_EXTENSIONS = ASN1_CONTEXT_CONSTRUCTED | 3,
    TAG_AKI_KEY_ID = ASN1_CONTEXT | 0,
};

/* What is not here is nothing to us, unless it is critical. */
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

/* SIGNED ::= SEQUENCE { toBeSigned, algorithmIdentifier, encrypted BIT STRING }
 *
 * What certificates (RFC 5280 section 4.1), lists (section 5.1) and, further in, OCSP's responses have in common. */
enum pkix_error pkix_signed_read(struct span der, enum der_size size, struct pkix_signed *out, struct der *data)
{
    struct der outer, peek;

    if (der_enter_only(der, ASN1_SEQUENCE, size, &outer) != PKIX_OK)
        return PKIX_BAD_DER;
    peek = outer;
    if (der_read_whole(&outer, ASN1_SEQUENCE, &out->data) != PKIX_OK ||
        der_enter(&peek, ASN1_SEQUENCE, data) != PKIX_OK || der_read(&outer, ASN1_SEQUENCE, &out->algorithm) != PKIX_OK)
        return PKIX_BAD_DER;
    /* Whole bytes, and nothing behind: this part is not signed, so that whoever passes a certificate on could vary it
     * and have many fingerprints for one certificate, of which a list of distrusted ones knows one (CVE-2014-8275). */
    if (der_read_bit_string(&outer, &out->signature) != PKIX_OK)
        return PKIX_BAD_SIGNATURE;
    return der_end(&outer);
}

/* Version ::= INTEGER { v1(0), v2(1), v3(2) }, [0] EXPLICIT DEFAULT v1. A version 1 that is written out, and a version
 * 4, are taken, as mozilla::pkix takes them: they exist. What hangs on the number is that an anchor of version 1 is an
 * authority without saying so (pkix/check.c). */
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

/* A period that ends before it begins is malformed, not over: "expired" would have people renew it as it is. The error
 * is kept (validity_error) and told in its turn, since distrust counts before it. */
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

/* The first one of its kind is kept, and what a second one means is decided here, for all readers behind. */
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
        /* Of a hint that is there twice the first is kept; it decides nothing. */
        if (!known->present)
            *known = (struct pkix_extension_value){.value = value, .present = true, .critical = critical};
        return PKIX_OK;
    }
    return critical ? unknown_critical(cert, oid) : PKIX_OK;
}

/* Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }. What is
 * in the OCTET STRING is not looked at: there is no extension that all who need this one know. */
enum pkix_error pkix_extension_read(struct der *list, struct span *oid, bool *critical, struct span *value)
{
    struct der extension;

    if (der_enter(list, ASN1_SEQUENCE, &extension) != PKIX_OK || der_read(&extension, ASN1_OID, oid) != PKIX_OK ||
        der_read_optional_boolean(&extension, critical) != PKIX_OK ||
        der_read(&extension, ASN1_OCTET_STRING, value) != PKIX_OK)
        return PKIX_BAD_DER;
    return der_end(&extension);
}

/* Extensions ::= SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }. Read in every
 * version: RFC 5280 section 4.1.2.9 has them in version 3 only, but who skips them in others skips an issuer's
 * constraints with them. An empty list is for the strict profile to object to. */
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
        struct span oid, value;
        bool critical;
        enum pkix_error error;

        if ((error = pkix_extension_read(&list, &oid, &critical, &value)) != PKIX_OK ||
            (error = remember_extension(cert, oid, critical, value)) != PKIX_OK)
            return error;
    }
    /* It said what basic constraints and extended key usage say now; critical, it may only be passed over where those
     * two speak in its place. */
    if (cert->extensions[PKIX_EXT_NETSCAPE_CERT_TYPE].critical &&
        !(cert->extensions[PKIX_EXT_BASIC_CONSTRAINTS].present &&
          cert->extensions[PKIX_EXT_EXTENDED_KEY_USAGE].present))
        return unknown_critical(cert, pkix_oid(OID_NETSCAPE_CERT_TYPE));
    return PKIX_OK;
}

/* RFC 5280 section 4.1.2.8: not to be issued, and to be parsed all the same. They were for names that are used again,
 * and would be a second notion of who an issuer is. */
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
    /* No real one is as large as that; and TLS has 16 MB for a chain. A limit here is one that nothing behind has to
     * repeat. */
    if (der.size > DER_SMALL_SIZE_MAX)
        return PKIX_TOO_LARGE;
    if (der.size == 0)
        return PKIX_BAD_DER;
    /* The serial number may be zero, negative or longer than 20 bytes, against section 4.1.2.2: roots and devices have
     * such, and it is only ever compared. But minimal it must be: one number with two spellings would not be found on a
     * list of revoked or distrusted ones. */
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

/* Both identifiers are taken from wherever the peer had them, and a malformed one is as good as none: they sort
 * candidates (search_candidates.c) and exclude nobody. */
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
