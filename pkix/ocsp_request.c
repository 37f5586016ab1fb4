/* see pkix/ocsp.h: what is needed to ask */
#include "pkix/key.h"
#include "pkix/names.h"
#include "pkix/nss_crypto.h"
#include "pkix/ocsp.h"
#include "pkix/oid.h"

enum {
    SHA1_SIZE = 20,
    SERIAL_SIZE_MAX = 64, /* longer ones would need long lengths */
    TAG_POINT_NAME = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_FULL_NAME = ASN1_CONTEXT_CONSTRUCTED | 0,
};

bool pkix_ocsp_request_write(const struct pkix_cert *cert, const struct pkix_cert *issuer,
                             uint8_t out[PKIX_OCSP_REQUEST_SIZE_MAX], size_t *size)
{
    /* AlgorithmIdentifier of SHA-1 with NULL: what every responder knows. */
    static const uint8_t sha1[] = {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00};
    size_t serial_size = cert->serial.size, id_size = sizeof(sha1) + 2 * (2 + SHA1_SIZE) + 2 + serial_size;
    struct pkix_key key;
    uint8_t *at = out;

    if (serial_size > SERIAL_SIZE_MAX || id_size + 8 > 127 || pkix_key_read(issuer->spki, &key) != PKIX_OK)
        return false;
    /* OCSPRequest { TBSRequest { requestList { Request { CertID ... } } } } */
    for (unsigned level = 0; level < 5; level++) {
        *at++ = ASN1_SEQUENCE;
        *at++ = (uint8_t)(id_size + 2 * (4 - level));
    }
    memcpy(at, sha1, sizeof(sha1));
    at += sizeof(sha1);
    *at++ = ASN1_OCTET_STRING;
    *at++ = SHA1_SIZE;
    if (!pkix_nss_digest(PKIX_SHA1, cert->issuer, at))
        return false;
    at += SHA1_SIZE;
    *at++ = ASN1_OCTET_STRING;
    *at++ = SHA1_SIZE;
    if (!pkix_nss_digest(PKIX_SHA1, key.bit_string, at))
        return false;
    at += SHA1_SIZE;
    *at++ = ASN1_INTEGER;
    *at++ = (uint8_t)serial_size;
    memcpy(at, cert->serial.data, serial_size);
    *size = (size_t)(at - out) + serial_size;
    return true;
}

static bool is_fetchable(enum pkix_general_name type, struct span url)
{
    if (type != PKIX_GN_URI || url.size > PKIX_URL_SIZE_MAX ||
        !(span_starts_with_nocase(url, "http://") || span_starts_with_nocase(url, "https://")))
        return false;
    for (size_t i = 0; i < url.size; i++)
        if (url.data[i] <= 0x20 || url.data[i] >= 0x7f)
            return false;
    return true;
}

struct span pkix_cert_access_url(const struct pkix_cert *cert, enum pkix_oid method, const char *scheme)
{
    struct span value, none = span_of(NULL, 0);
    struct der list;

    if (!pkix_cert_extension(cert, PKIX_EXT_AUTHORITY_INFO_ACCESS, &value) ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK)
        return none;
    while (!der_at_end(&list)) {
        struct pkix_access access;

        if (pkix_access_read(&list, &access) != PKIX_OK)
            return none;
        if (pkix_oid_is(access.method, method) && is_fetchable(access.type, access.location) &&
            span_starts_with_nocase(access.location, scheme))
            return access.location;
    }
    return none;
}

struct span pkix_cert_ocsp_url(const struct pkix_cert *cert)
{
    return pkix_cert_access_url(cert, OID_AD_OCSP, "http");
}

/* DistributionPoint, RFC 5280 section 4.2.1.13. Its names are ways to the same CRL, and each point without reasons
 * leads to a CRL that is about all of them: any one will do. */
static bool read_point(struct der *points, struct span urls[static PKIX_CRL_URLS_MAX], size_t *count)
{
    struct der point, name, names;

    if (der_enter(points, ASN1_SEQUENCE, &point) != PKIX_OK)
        return false;
    if (!der_next_is(&point, TAG_POINT_NAME))
        return true;
    if (der_enter(&point, TAG_POINT_NAME, &name) != PKIX_OK)
        return false;
    if (!der_at_end(&point) || !der_next_is(&name, TAG_FULL_NAME))
        return true; /* with reasons or cRLIssuer; or relative to the issuer's name, which is no address */
    if (der_enter(&name, TAG_FULL_NAME, &names) != PKIX_OK)
        return false;
    while (!der_at_end(&names)) {
        enum pkix_general_name type;
        struct span location;

        if (pkix_general_name_read(&names, &type, &location) != PKIX_OK)
            return false;
        if (is_fetchable(type, location) && *count < PKIX_CRL_URLS_MAX)
            urls[(*count)++] = location;
    }
    return true;
}

size_t pkix_cert_crl_urls(const struct pkix_cert *cert, struct span urls[static PKIX_CRL_URLS_MAX])
{
    struct span value;
    struct der points;
    size_t count = 0;

    if (!pkix_cert_extension(cert, PKIX_EXT_CRL_DISTRIBUTION_POINTS, &value) ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &points) != PKIX_OK)
        return 0;
    while (!der_at_end(&points))
        if (!read_point(&points, urls, &count))
            return 0;
    return count;
}
