/* PKCS#10 requests (RFC 2986), signed on the token. See tokens/manage/manage.h */
#include "tokens/manage/manage.h"
#include "tokens/der.h"
#include "tokens/manage/manage_crypto.h"
#include "tokens/manage/manage_session.h"

#include <stdlib.h>

enum { REQUEST_MAX = 65536, HASH_MAX = 64 };

static const uint8_t oid_extension_request[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e};
static const uint8_t oid_subject_alt_name[] = {0x55, 0x1d, 0x11};

/* What goes with the size of a key: RFC 5758 section 3.2, RFC 4055 section 5. */
static const struct scheme {
    enum tokens_wire_hash hash;
    struct span algorithm;   /* AlgorithmIdentifier, DER */
    struct span digest_info; /* RSA: what comes before the digest, DER */
} schemes[] = {
    /* ecdsa-with-SHA256, -SHA384, -SHA512 */
    {TOKENS_WIRE_HASH_SHA256, {(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 12}, {NULL, 0}},
    {TOKENS_WIRE_HASH_SHA384, {(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12}, {NULL, 0}},
    {TOKENS_WIRE_HASH_SHA512, {(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04", 12}, {NULL, 0}},
    /* sha256WithRSAEncryption; DigestInfo of SHA-256 */
    {TOKENS_WIRE_HASH_SHA256,
     {(const uint8_t *)"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15},
     {(const uint8_t *)"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19}},
};

enum { SCHEME_P256, SCHEME_P384, SCHEME_P521, SCHEME_RSA };

static const struct scheme *scheme_for(const struct tokens_key *key)
{
    switch (key->type) {
    case TOKENS_WIRE_KEY_RSA:
        return &schemes[SCHEME_RSA];
    case TOKENS_WIRE_KEY_EC:
        return &schemes[key->ec_point.size <= 67 ? SCHEME_P256 : key->ec_point.size <= 99 ? SCHEME_P384 : SCHEME_P521];
    }
    return NULL;
}

/* [0] { extensionRequest { subjectAltName } }, or an empty [0]. */
static bool write_attributes(struct buffer *out, const char *const *sans, size_t san_count, char **error)
{
    size_t attributes = der_write_begin(out), attribute, values, extensions, extension, octets, names;

    if (san_count != 0) {
        attribute = der_write_begin(out);
        der_write(out, ASN1_OID, span_of(oid_extension_request, sizeof(oid_extension_request)));
        values = der_write_begin(out);
        extensions = der_write_begin(out);
        extension = der_write_begin(out);
        der_write(out, ASN1_OID, span_of(oid_subject_alt_name, sizeof(oid_subject_alt_name)));
        octets = der_write_begin(out);
        names = der_write_begin(out);
        for (size_t i = 0; i < san_count; i++) {
            if (strlen(sans[i]) + out->size > REQUEST_MAX / 2) {
                *error = base_strdup("the names are too long for a request");
                return false;
            }
            if (!manage_general_name(sans[i], out, error))
                return false;
        }
        der_write_end(out, names, ASN1_SEQUENCE);
        der_write_end(out, octets, ASN1_OCTET_STRING);
        der_write_end(out, extension, ASN1_SEQUENCE);
        der_write_end(out, extensions, ASN1_SEQUENCE);
        der_write_end(out, values, ASN1_SET);
        der_write_end(out, attribute, ASN1_SEQUENCE);
    }
    der_write_end(out, attributes, ASN1_CONTEXT_CONSTRUCTED);
    return true;
}

/* CertificationRequestInfo. RFC 2986 section 4.1 */
static bool write_info(struct buffer *out, const struct tokens_key *key, const char *subject, const char *const *sans,
                       size_t san_count, char **error)
{
    static const uint8_t version[1] = {0};
    size_t info = der_write_begin(out);

    der_write(out, ASN1_INTEGER, span_of(version, sizeof(version)));
    if (strlen(subject) > REQUEST_MAX / 8) {
        *error = base_strdup("the subject is too long for a request");
        return false;
    }
    if (!manage_name(subject, out, error))
        return false;
    der_write_raw(out, tokens_bytes_span(&key->spki));
    if (!write_attributes(out, sans, san_count, error))
        return false;
    der_write_end(out, info, ASN1_SEQUENCE);
    return true;
}

static CK_RV sign_digest(struct manage_session *session, const struct tokens_key *key, const struct scheme *scheme,
                         struct span info, const struct tokens_pin *pin, uint8_t *signature, CK_ULONG *size)
{
    CK_FUNCTION_LIST *p11 = session->module->p11;
    CK_MECHANISM mechanism = {.mechanism = key->type == TOKENS_WIRE_KEY_RSA ? CKM_RSA_PKCS : CKM_ECDSA};
    uint8_t data[HASH_MAX * 2];
    size_t used = scheme->digest_info.size;
    CK_RV rv;

    if (used != 0)
        memcpy(data, scheme->digest_info.data, used);
    if (!manage_hash(scheme->hash, info, data + used))
        return CKR_GENERAL_ERROR;
    used += tokens_wire_hash_size(scheme->hash);
    rv = p11->C_SignInit(session->handle, &mechanism, key->handle);
    if (rv == CKR_OK && key->always_authenticate && pin != NULL)
        rv = p11->C_Login(session->handle, CKU_CONTEXT_SPECIFIC, (unsigned char *)(uintptr_t)tokens_pin_text(pin),
                          strlen(tokens_pin_text(pin)));
    return rv == CKR_OK ? p11->C_Sign(session->handle, data, used, signature, size) : rv;
}

/* CertificationRequest. RFC 2986 section 4.2 */
static bool write_request(struct buffer *out, struct manage_session *session, const struct tokens_key *key,
                          struct span info, const struct tokens_pin *pin, char **error)
{
    const struct scheme *scheme = scheme_for(key);
    uint8_t signature[TOKENS_WIRE_SIGNATURE_MAX];
    CK_ULONG size = sizeof(signature);
    struct buffer wrapped;
    size_t request;
    CK_RV rv = sign_digest(session, key, scheme, info, pin, signature, &size);

    if (rv != CKR_OK) {
        *error = manage_ckr_error("the token does not sign the request", rv);
        return false;
    }
    buffer_init(&wrapped, REQUEST_MAX);
    if (key->type == TOKENS_WIRE_KEY_EC)
        tokens_der_ecdsa_signature(&wrapped, span_of(signature, size));
    else
        der_write_raw(&wrapped, span_of(signature, size));
    request = der_write_begin(out);
    der_write_raw(out, info);
    der_write_raw(out, scheme->algorithm);
    der_write_bit_string(out, buffer_span(&wrapped));
    der_write_end(out, request, ASN1_SEQUENCE);
    buffer_release(&wrapped);
    return true;
}

/* see tokens/manage/manage.h */
bool tokens_request(struct tokens_module *module, const char *key_uri, const char *subject, const char *const *sans,
                    size_t san_count, const struct tokens_pin *pin, uint8_t **der, size_t *size, char **error)
{
    struct manage_session session = {.handle = CK_INVALID_HANDLE};
    struct tokens_key key = {0};
    struct buffer info, out;
    struct manage_crypto *crypto = manage_crypto_start(error);
    bool good;

    buffer_init(&info, 2 * REQUEST_MAX);
    buffer_init(&out, 4 * REQUEST_MAX);
    good = crypto != NULL && manage_session_open(&session, module, key_uri, MANAGE_READ_ONLY, pin, error) &&
           manage_session_key(&session, &key, error) && write_info(&info, &key, subject, sans, san_count, error) &&
           write_request(&out, &session, &key, buffer_span(&info), pin, error);
    if (good) {
        *size = out.size;
        *der = base_memdup(buffer_span(&out).data, out.size);
    }
    buffer_release(&info);
    buffer_release(&out);
    tokens_key_clear(&key);
    manage_session_clear(&session);
    manage_crypto_stop(&crypto);
    return good;
}
