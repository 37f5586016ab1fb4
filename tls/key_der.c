/* see tls/key_der.h */
#include "tls/key_der.h"

#include "base/der_write.h"
#include "pkix/der.h"
#include "tls/limits.h"

#include <stdlib.h>

static const uint8_t oid_rsa_encryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

enum {
    SAN_DNS_NAME = 2,
    TAG_PUBLIC_KEY = 0xa1,
    EC_KEY_SIZE_MAX = 492 /* private and public; P-521 has 66 and 133 bytes */
};

bool tls_key_der_split(struct span der, struct span *first, struct span *second)
{
    struct der reader = der_over(der, DER_SMALL);

    return der_read_whole(&reader, ASN1_SEQUENCE, first) == PKIX_OK &&
           der_read_whole(&reader, ASN1_SEQUENCE, second) == PKIX_OK && der_end(&reader) == PKIX_OK;
}

size_t tls_key_der_element_size(struct span bytes)
{
    struct der reader = der_over(bytes, DER_SMALL);
    struct span whole;

    return der_read_whole(&reader, ASN1_SEQUENCE, &whole) == PKIX_OK ? whole.size : 0;
}

/* All the room at once: what is written is a secret, and growing would leave parts of it behind. */
static void begin_secret(struct buffer *out, size_t size_max)
{
    size_t size;

    buffer_init(out, size_max);
    (void)buffer_reserve(out, size_max, &size);
    assert(size >= size_max);
}

/* PrivateKeyInfo ::= SEQUENCE { version 0, AlgorithmIdentifier { algorithm, parameters }, OCTET STRING key } */
static void wrap(struct span algorithm, struct span parameters, struct span key, uint8_t **pkcs8, size_t *size)
{
    static const uint8_t version[] = {ASN1_INTEGER, 1, 0};
    struct buffer out;
    size_t inner;

    begin_secret(&out, key.size + algorithm.size + parameters.size + sizeof(version) + 4 * DER_HEAD_SIZE_MAX);
    der_write_raw(&out, span_of(version, sizeof(version)));
    inner = der_write_begin(&out);
    der_write(&out, ASN1_OID, algorithm);
    der_write_raw(&out, parameters);
    der_write_end(&out, inner, ASN1_SEQUENCE);
    der_write(&out, ASN1_OCTET_STRING, key);
    der_write_end(&out, 0, ASN1_SEQUENCE);
    *size = out.size;
    *pkcs8 = base_memdup(buffer_span(&out).data, out.size);
    buffer_wipe(&out);
}

/* ECPrivateKey ::= SEQUENCE { version, privateKey, [0] parameters OPTIONAL, [1] publicKey OPTIONAL }. The parameters
 * are optional there, but a key file without them says nothing of its curve. */
static bool sec1_parameters(struct span der, struct span *parameters)
{
    struct der key;
    struct span ignored;
    bool present;

    return der_enter_only(der, ASN1_SEQUENCE, DER_SMALL, &key) == PKIX_OK &&
           der_read(&key, ASN1_INTEGER, &ignored) == PKIX_OK &&
           der_read(&key, ASN1_OCTET_STRING, &ignored) == PKIX_OK &&
           der_read_optional(&key, ASN1_CONTEXT_CONSTRUCTED, parameters, &present) == PKIX_OK && present &&
           parameters->size >= 2 && parameters->data[0] == ASN1_OID;
}

/* Whether these bytes are one SEQUENCE that begins with a small version number. */
static bool looks_like_key(struct span der)
{
    struct der key;
    struct span version;

    return der_enter_only(der, ASN1_SEQUENCE, DER_SMALL, &key) == PKIX_OK &&
           der_read(&key, ASN1_INTEGER, &version) == PKIX_OK && version.size == 1;
}

const char *tls_key_der_foreign(struct span algorithm)
{
    /* RFC 8410 section 3, RFC 3279 sections 2.3.2 and 2.3.3 */
    static const struct {
        const char *name;
        uint8_t size, oid[9];
    } known[] = {
        {"X25519", 3, {0x2b, 0x65, 0x6e}},
        {"X448", 3, {0x2b, 0x65, 0x6f}},
        {"Ed25519", 3, {0x2b, 0x65, 0x70}},
        {"Ed448", 3, {0x2b, 0x65, 0x71}},
        {"DSA", 7, {0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01}},
        {"Diffie-Hellman", 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01}},
        {"Diffie-Hellman", 7, {0x2a, 0x86, 0x48, 0xce, 0x3e, 0x02, 0x01}},
    };
    struct der d = der_over(algorithm, DER_SMALL);
    struct span oid;

    if (der_read(&d, ASN1_OID, &oid) != PKIX_OK)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (span_equal(oid, span_of(known[i].oid, known[i].size)))
            return known[i].name;
    return NULL;
}

/* PKCS#8 as NSS takes it: the key of an RSA-PSS identity (RFC 4055 section 3.1) is an RSA key; that it is for RSA-PSS
 * alone is in the certificate, which peers go by. */
static bool take_pkcs8(struct span der, uint8_t **pkcs8, size_t *size, char **error)
{
    static const uint8_t oid_rsa_pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
    static const uint8_t null[] = {ASN1_NULL, 0};
    struct der info, algorithm;
    struct span version, contents, oid, key;
    const char *foreign;

    if (der_enter_only(der, ASN1_SEQUENCE, DER_SMALL, &info) != PKIX_OK ||
        der_read(&info, ASN1_INTEGER, &version) != PKIX_OK || der_read(&info, ASN1_SEQUENCE, &contents) != PKIX_OK ||
        der_read(&info, ASN1_OCTET_STRING, &key) != PKIX_OK) {
        *error = base_strdup("the private key is not valid DER");
        return false;
    }
    foreign = tls_key_der_foreign(contents);
    if (foreign != NULL) {
        *error =
            base_printf("the private key is for %s, with which NSS does no TLS: it must be RSA, or on P-256, P-384 or "
                        "P-521",
                        foreign);
        return false;
    }
    algorithm = der_over(contents, DER_SMALL);
    if (der_read(&algorithm, ASN1_OID, &oid) == PKIX_OK && span_equal(oid, span_of(oid_rsa_pss, sizeof(oid_rsa_pss)))) {
        wrap(span_of(oid_rsa_encryption, sizeof(oid_rsa_encryption)), span_of(null, sizeof(null)), key, pkcs8, size);
        return true;
    }
    *pkcs8 = base_memdup(der.data, der.size);
    *size = der.size;
    return true;
}

bool tls_key_der_to_pkcs8(const char *label, struct span der, uint8_t **pkcs8, size_t *size, char **error)
{
    static const uint8_t null[] = {ASN1_NULL, 0};
    struct span parameters;

    if (der.size > DER_SMALL_SIZE_MAX) {
        *error = base_printf("the private key has %zu bytes; a key may have %d", der.size, DER_SMALL_SIZE_MAX);
        return false;
    }
    if (!looks_like_key(der)) {
        *error = base_strdup("the private key is not valid DER");
        return false;
    }
    if (strcmp(label, "PRIVATE KEY") == 0)
        return take_pkcs8(der, pkcs8, size, error);
    if (strcmp(label, "RSA PRIVATE KEY") == 0) {
        wrap(span_of(oid_rsa_encryption, sizeof(oid_rsa_encryption)), span_of(null, sizeof(null)), der, pkcs8, size);
        return true;
    }
    if (strcmp(label, "EC PRIVATE KEY") != 0) {
        *error = base_strdup("the private key is of an unknown form");
        return false;
    }
    if (!sec1_parameters(der, &parameters)) {
        *error = base_strdup("the EC private key does not name its curve");
        return false;
    }
    wrap(span_of(oid_ec_public_key, sizeof(oid_ec_public_key)), parameters, der, pkcs8, size);
    return true;
}

/* ECPrivateKey { 1, key, [1] point }; the curve is in the AlgorithmIdentifier. */
static void put_ec_key(struct span key, struct span point, struct buffer *out)
{
    static const uint8_t version[] = {ASN1_INTEGER, 1, 1};
    size_t public_key;

    begin_secret(out, key.size + point.size + sizeof(version) + 1 + 4 * DER_HEAD_SIZE_MAX);
    der_write_raw(out, span_of(version, sizeof(version)));
    der_write(out, ASN1_OCTET_STRING, key);
    public_key = der_write_begin(out);
    der_write_bit_string(out, point);
    der_write_end(out, public_key, TAG_PUBLIC_KEY);
    der_write_end(out, 0, ASN1_SEQUENCE);
}

bool tls_key_der_put_public(struct span pkcs8, struct span point, uint8_t **whole, size_t *size)
{
    struct der info, algorithm, key;
    struct span ignored, contents, oid, bytes, private_value;
    struct buffer inner;
    bool present;

    if (der_enter_only(pkcs8, ASN1_SEQUENCE, DER_SMALL, &info) != PKIX_OK ||
        der_read(&info, ASN1_INTEGER, &ignored) != PKIX_OK || der_read(&info, ASN1_SEQUENCE, &contents) != PKIX_OK ||
        der_read(&info, ASN1_OCTET_STRING, &bytes) != PKIX_OK)
        return false;
    algorithm = der_over(contents, DER_SMALL);
    if (der_read(&algorithm, ASN1_OID, &oid) != PKIX_OK ||
        !span_equal(oid, span_of(oid_ec_public_key, sizeof(oid_ec_public_key))) ||
        der_enter_only(bytes, ASN1_SEQUENCE, DER_SMALL, &key) != PKIX_OK ||
        der_read(&key, ASN1_INTEGER, &ignored) != PKIX_OK ||
        der_read(&key, ASN1_OCTET_STRING, &private_value) != PKIX_OK ||
        der_read_optional(&key, ASN1_CONTEXT_CONSTRUCTED, &ignored, &present) != PKIX_OK ||
        der_read_optional(&key, TAG_PUBLIC_KEY, &ignored, &present) != PKIX_OK || !der_at_end(&key))
        return false;
    if (private_value.size + point.size > EC_KEY_SIZE_MAX)
        return false;
    put_ec_key(private_value, point, &inner);
    wrap(oid, span_of(algorithm.next, (size_t)(algorithm.end - algorithm.next)), buffer_span(&inner), whole, size);
    buffer_wipe(&inner);
    return true;
}

static bool is_host_text(struct span name)
{
    if (name.size == 0 || name.size > TLS_HOST_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7f)
            return false;
    return true;
}

bool tls_key_der_dns_names(struct span san, void (*add)(void *arg, struct span name), void *arg)
{
    struct der names;

    if (der_enter_only(san, ASN1_SEQUENCE, DER_SMALL, &names) != PKIX_OK)
        return false;
    while (!der_at_end(&names)) {
        unsigned tag;
        struct span value;

        if (der_read_any(&names, &tag, &value, NULL) != PKIX_OK)
            return false;
        if (tag == (ASN1_CONTEXT | SAN_DNS_NAME) && is_host_text(value))
            add(arg, value);
    }
    return true;
}
