/* see tls/context_internal.h
 *
 * libssl takes the names for a CertificateRequest from certificates only, and of a trust store we have the names. So
 * each is put into a certificate that has nothing else to say: libssl copies its subject and looks at nothing more.
 * They must not live on: NSS would find them when it looks for the issuers of a client certificate of ours. */
#include "tls/context_internal.h"
#include "tls/runtime_internal.h"

#include "base/buffer.h"
#include "base/nss_scope.h"

#include <secasn1.h>
#include <stdlib.h>

enum { NAMES_BYTES_MAX = 60 * 1024 /* RFC 8446 allows 2^16-1 for all of them */, CERT_BYTES_MAX = 64 * 1024 };

/* Fixed parts, each a whole element. */
static const uint8_t version_and_serial[] = {0xa0, 0x03, 0x02, 0x01, 0x02, 0x02};
static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t validity[] = "\x30\x1e\x17\x0d"
                                  "700101000000Z"
                                  "\x17\x0d"
                                  "700101000000Z";
static const uint8_t public_key[] = {0x30, 0x1c, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
                                     0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                     0x03, 0x01, 0x07, 0x03, 0x05, 0x00, 0x04, 0x00, 0x00, 0x00};
static const uint8_t signature[] = {0x03, 0x02, 0x00, 0x00};

static bool append_header(struct buffer *out, unsigned tag, size_t size)
{
    uint8_t header[] = {(uint8_t)tag, 0x82, (uint8_t)(size >> 8), (uint8_t)size};

    if (size >= 0x100)
        return buffer_append(out, span_of(header, sizeof(header)));
    header[1] = 0x81;
    header[2] = (uint8_t)size;
    if (size >= 0x80)
        return buffer_append(out, span_of(header, 3));
    header[1] = (uint8_t)size;
    return buffer_append(out, span_of(header, 2));
}

/* The serial number tells the certificates apart: NSS keeps one of each issuer and serial number. */
static bool append_body(struct buffer *out, struct span name, uint32_t serial)
{
    uint8_t number[] = {
        5, 1, (uint8_t)(serial >> 24), (uint8_t)(serial >> 16), (uint8_t)(serial >> 8), (uint8_t)serial};

    return buffer_append(out, span_of(version_and_serial, sizeof(version_and_serial))) &&
           buffer_append(out, span_of(number, sizeof(number))) &&
           buffer_append(out, span_of(algorithm, sizeof(algorithm))) && buffer_append(out, name) &&
           buffer_append(out, span_of(validity, sizeof(validity) - 1)) && buffer_append(out, name) &&
           buffer_append(out, span_of(public_key, sizeof(public_key)));
}

static CERTCertificate *make_certificate(struct span name, uint32_t serial)
{
    struct buffer body, inner, whole;
    CERTCertificate *cert = NULL;

    buffer_init(&body, CERT_BYTES_MAX);
    buffer_init(&inner, CERT_BYTES_MAX);
    buffer_init(&whole, CERT_BYTES_MAX);
    if (append_body(&body, name, serial) && append_header(&inner, 0x30, body.size) &&
        buffer_append(&inner, buffer_span(&body)) && buffer_append(&inner, span_of(algorithm, sizeof(algorithm))) &&
        buffer_append(&inner, span_of(signature, sizeof(signature))) && append_header(&whole, 0x30, inner.size) &&
        buffer_append(&whole, buffer_span(&inner))) {
        SECItem item = {.type = siDERCertBuffer, .data = whole.data + whole.start, .len = (unsigned)whole.size};

        cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, NULL, PR_FALSE, PR_TRUE);
    }
    buffer_release(&body);
    buffer_release(&inner);
    buffer_release(&whole);
    return cert;
}

bool tls_ca_names_set(PRFileDesc *model, const struct pkix_store *trust, char **error)
{
    SCOPED_CERT_LIST list = CERT_NewCertList();
    size_t bytes = 0;
    size_t count = pkix_store_anchor_count(trust);

    if (list == NULL)
        return tls_nss_fail(error, "cannot list the certificate authorities");
    for (size_t i = 0; i < count; i++) {
        struct span name = pkix_store_anchor_subject(trust, i);
        CERTCertificate *cert;

        /* A list that is too long for the message is left out whole: half of one would turn away good clients. */
        bytes += name.size + 2;
        if (bytes > NAMES_BYTES_MAX)
            return true;
        cert = make_certificate(name, (uint32_t)i);
        if (cert == NULL || CERT_AddCertToListTail(list, cert) != SECSuccess) {
            if (cert != NULL)
                CERT_DestroyCertificate(cert);
            return tls_nss_fail(error, "cannot list the certificate authorities");
        }
    }
    return SSL_SetTrustAnchors(model, list) == SECSuccess
               ? true
               : tls_nss_fail(error, "cannot list the certificate authorities");
}
