/* see pkix/issuers.h
 *
 * What is read here was sent by a server that an unverified certificate named, so it is anybody's. It is cut into
 * certificates and nothing of it is believed: neither that they belong together, nor their order, nor who sent them.
 * Each becomes a candidate like those of the peer, and counts if its signature does. */
#include "pkix/issuers.h"
#include "pkix/ocsp.h"
#include "pkix/oid.h"
#include "pkix/pem.h"

#include <stdlib.h>

enum {
    TAG_CONTENT = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_CERTIFICATES = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_CRLS = ASN1_CONTEXT_CONSTRUCTED | 1,
    /* RFC 5652 section 5.1 has 1 to 5; which it is follows from what is in it, and says nothing to us. */
    CMS_VERSION_MAX = 5,
};

struct found {
    struct span certs[PKIX_ISSUERS_MAX];
    uint8_t *owned[PKIX_ISSUERS_MAX]; /* NULL where the answer's own bytes do */
    size_t count;
};

/* More than this is refused as a whole, and not cut: of an answer that is larger than any authority's the beginning is
 * no better than the rest. */
static bool find(struct found *f, struct span der)
{
    if (f->count == PKIX_ISSUERS_MAX)
        return false;
    f->certs[f->count++] = der;
    return true;
}

/* CertificateSet ::= SET OF CertificateChoices; of these, certificates only. RFC 5652 section 10.2.2: the other
 * choices, attribute certificates and formats of others, have context tags and so are errors here. Not one of them is
 * passed over: a message that has them was not made for us. */
static enum pkix_error read_certificates(struct span contents, struct found *f)
{
    struct der list = der_over(contents, DER_SMALL);

    while (!der_at_end(&list)) {
        struct span der;

        if (der_read_whole(&list, ASN1_SEQUENCE, &der) != PKIX_OK || !find(f, der))
            return PKIX_BAD_DER;
    }
    return PKIX_OK;
}

/* SignedData ::= SEQUENCE {
 *   version CMSVersion, digestAlgorithms SET OF DigestAlgorithmIdentifier, encapContentInfo EncapsulatedContentInfo,
 *   certificates [0] IMPLICIT CertificateSet OPTIONAL, crls [1] IMPLICIT RevocationInfoChoices OPTIONAL,
 *   signerInfos SET OF SignerInfo }
 *
 * RFC 5652 section 5.2: without signers the content is id-data and left out, which is why nothing may follow its type.
 * Signers are refused: nobody would look at their signatures, and somebody might take them for a reason to believe.
 * CRLs are passed over; they come by a way of their own (pkix/crl.h). */
static enum pkix_error read_signed_data(struct der *d, struct found *f)
{
    struct der content;
    struct span algorithms, type, certificates, crls, signers;
    unsigned version;
    bool present;

    if (der_read_small(d, ASN1_INTEGER, &version) != PKIX_OK || version == 0 || version > CMS_VERSION_MAX ||
        der_read(d, ASN1_SET, &algorithms) != PKIX_OK || der_enter(d, ASN1_SEQUENCE, &content) != PKIX_OK ||
        der_read(&content, ASN1_OID, &type) != PKIX_OK || !pkix_oid_is(type, OID_PKCS7_DATA) ||
        der_end(&content) != PKIX_OK || der_read_optional(d, TAG_CERTIFICATES, &certificates, &present) != PKIX_OK ||
        der_read_optional(d, TAG_CRLS, &crls, &present) != PKIX_OK || der_read(d, ASN1_SET, &signers) != PKIX_OK ||
        signers.size != 0 || der_end(d) != PKIX_OK)
        return PKIX_BAD_DER;
    return read_certificates(certificates, f);
}

/* ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT ANY }; `d` is within. */
static enum pkix_error read_content_info(struct der *d, struct found *f)
{
    struct der wrapper, data;
    struct span type;

    if (der_read(d, ASN1_OID, &type) != PKIX_OK || !pkix_oid_is(type, OID_PKCS7_SIGNED_DATA) ||
        der_enter(d, TAG_CONTENT, &wrapper) != PKIX_OK || der_end(d) != PKIX_OK ||
        der_enter(&wrapper, ASN1_SEQUENCE, &data) != PKIX_OK || der_end(&wrapper) != PKIX_OK)
        return PKIX_BAD_DER;
    return read_signed_data(&data, f);
}

/* By what stands first: a ContentInfo begins with an OID, a certificate with its signed part. Not by the media type,
 * which servers have wrong, and which whoever is on the way can choose. */
static enum pkix_error read_der(struct span answer, struct found *f)
{
    struct der inner;

    if (der_enter_only(answer, ASN1_SEQUENCE, DER_SMALL, &inner) != PKIX_OK)
        return PKIX_BAD_DER;
    if (der_next_is(&inner, ASN1_OID))
        return read_content_info(&inner, f);
    return find(f, answer) ? PKIX_OK : PKIX_BAD_DER;
}

static bool visit_pem(void *ctx, struct span der, const char *origin, char **error)
{
    struct found *f = ctx;

    if (f->count == PKIX_ISSUERS_MAX) {
        *error = base_printf("%s: is one too many", origin);
        return false;
    }
    f->owned[f->count] = base_memdup(der.data, der.size);
    return find(f, span_of(f->owned[f->count], der.size));
}

/* PEM has no place in RFC 5280 section 4.2.2.1 and is served all the same. The limit comes before a block is copied. */
static enum pkix_error read_pem(struct span answer, struct found *f)
{
    size_t count;
    char *error = NULL;
    bool good = pkix_pem_each(answer, &pkix_pem_certificates, "the answer", visit_pem, f, &count, &error);

    free(error);
    return good ? PKIX_OK : PKIX_BAD_DER;
}

/* The visitor is called when all of it was read: of a message that breaks off in the middle no half is left among the
 * candidates. */
enum pkix_error pkix_issuers_read(struct span answer, pkix_issuers_visit *visit, void *ctx)
{
    struct found f = {.count = 0};
    bool is_der = answer.size != 0 && answer.data[0] == ASN1_SEQUENCE;
    enum pkix_error error = is_der ? read_der(answer, &f) : read_pem(answer, &f);

    if (error == PKIX_OK && f.count == 0)
        error = PKIX_BAD_DER;
    for (size_t i = 0; i < f.count; i++) {
        if (error == PKIX_OK)
            visit(ctx, f.certs[i]);
        free(f.owned[i]);
    }
    return error;
}

/* Over http alone: with https the server's certificate would have to be verified first, whose issuer may be the very
 * one that is looked for; and what comes is protected by its signature anyway. */
struct span pkix_cert_issuer_url(const struct pkix_cert *cert)
{
    return pkix_cert_access_url(cert, OID_AD_CA_ISSUERS, "http://");
}
