/* pkix/cert.h: the fields of one certificate.
 *
 * Parsing cuts a certificate into its fields and finds its extensions; what an extension says is read by those who
 * need it. Every span borrows the certificate's DER, which must outlive the struct. RFC 5280 section 4.1.
 *
 * What it does not do: judge. Names, keys and dates are only cut out here. */
#ifndef YETT_PKIX_CERT_H
#define YETT_PKIX_CERT_H

#include "pkix/der.h"

enum pkix_version { PKIX_V1, PKIX_V2, PKIX_V3, PKIX_V4, PKIX_VERSION_COUNT };

/* Extensions the parser remembers. Up to PKIX_EXT_UNDERSTOOD_COUNT they are understood: they may be critical and
 * must not be empty or doubled. The later ones are only hints or lint; when critical they are refused. */
enum pkix_extension {
    PKIX_EXT_KEY_USAGE,
    PKIX_EXT_SUBJECT_ALT_NAME,
    PKIX_EXT_BASIC_CONSTRAINTS,
    PKIX_EXT_NAME_CONSTRAINTS,
    PKIX_EXT_CERTIFICATE_POLICIES,
    PKIX_EXT_POLICY_CONSTRAINTS,
    PKIX_EXT_POLICY_MAPPINGS,
    PKIX_EXT_EXTENDED_KEY_USAGE,
    PKIX_EXT_INHIBIT_ANY_POLICY,
    PKIX_EXT_AUTHORITY_INFO_ACCESS,
    PKIX_EXT_TLS_FEATURE,
    PKIX_EXT_SCT_LIST,
    PKIX_EXT_QC_STATEMENTS,
    PKIX_EXT_UNDERSTOOD_COUNT,
    PKIX_EXT_AUTHORITY_KEY_ID = PKIX_EXT_UNDERSTOOD_COUNT,
    PKIX_EXT_SUBJECT_KEY_ID,
    PKIX_EXT_CRL_DISTRIBUTION_POINTS,
    PKIX_EXT_OCSP_NOCHECK,
    PKIX_EXT_NETSCAPE_CERT_TYPE,
    PKIX_EXT_COUNT
};

struct pkix_extension_value {
    struct span value; /* contents of the OCTET STRING */
    bool present;
    bool critical;
};

/* A signed structure: certificate, CRL or OCSP response. */
struct pkix_signed {
    struct span data;      /* the signed bytes */
    struct span algorithm; /* contents of the AlgorithmIdentifier */
    struct span signature; /* contents of the BIT STRING */
};

struct pkix_cert {
    struct span der;
    struct pkix_signed outer;
    enum pkix_version version;
    struct span serial;          /* contents of the INTEGER, minimal */
    struct span inner_algorithm; /* contents of the AlgorithmIdentifier inside */
    struct span issuer;          /* whole element */
    struct span subject;         /* whole element */
    struct span spki;            /* whole element */
    int64_t not_before;          /* seconds since 1970; see validity_error */
    int64_t not_after;
    enum pkix_error validity_error; /* PKIX_BAD_TIME when the two dates could not be read */
    struct span validity;           /* contents */
    struct span extension_list;     /* contents of the SEQUENCE OF Extension; empty when there is none */
    struct span bad_extension;      /* after PKIX_BAD_EXTENSION and PKIX_UNKNOWN_CRITICAL_EXTENSION of pkix_cert_read():
                                       which;      contents of its object identifier */
    bool has_unique_id;
    bool has_empty_extensions;
    struct pkix_extension_value extensions[PKIX_EXT_COUNT];
};

/* PKIX_OK, or why `der` is not a certificate that can be judged: PKIX_TOO_LARGE, PKIX_BAD_DER, PKIX_BAD_INTEGER,
 * PKIX_BAD_EXTENSION, PKIX_UNKNOWN_CRITICAL_EXTENSION. On failure *cert holds what was read until then. */
MUST_CHECK enum pkix_error pkix_cert_read(struct span der, struct pkix_cert *cert);

/* A SEQUENCE { data, AlgorithmIdentifier, BIT STRING } with nothing after it: the data's whole element, and a cursor
 * over its contents. PKIX_BAD_SIGNATURE when only the BIT STRING is bad. */
MUST_CHECK enum pkix_error pkix_signed_read(struct span der, enum der_size size, struct pkix_signed *out,
                                            struct der *data);

/* One Extension of a list of them, a certificate's, a CRL's or a response's: its object identifier, whether it is
 * critical, and the contents of its OCTET STRING. PKIX_BAD_DER. */
MUST_CHECK enum pkix_error pkix_extension_read(struct der *list, struct span *oid, bool *critical, struct span *value);

/* Whether the extension is there; then *value is its contents. */
static inline bool pkix_cert_extension(const struct pkix_cert *cert, enum pkix_extension id, struct span *value)
{
    *value = cert->extensions[id].value;
    return cert->extensions[id].present;
}

/* The key identifier extensions, empty when absent or malformed. Hints only: they come from the peer. */
struct span pkix_cert_subject_key_id(const struct pkix_cert *cert);
struct span pkix_cert_authority_key_id(const struct pkix_cert *cert);

/* Whether issuer and subject are the same bytes. */
static inline bool pkix_cert_is_self_issued(const struct pkix_cert *cert)
{
    return span_equal(cert->issuer, cert->subject);
}

#endif
