/* see tls/key_der.h */
#include "tls/key_der.h"

#include "pkix/der.h"
#include "tls/limits.h"

#include <stdlib.h>

static const uint8_t oid_rsa_encryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

enum {
    SAN_DNS_NAME = 2,
    LENGTH_BYTES_MAX = 3,
    TAG_PUBLIC_KEY = 0xa1,
    EC_KEY_SIZE_MAX = 512 /* P-521 has 66 and 133 bytes */
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

/* A writer of nested elements, filled from the back to the front, so that lengths are known when they are written. */
struct writer {
    uint8_t *data;
    size_t start; /* of what has been written, which reaches to the end */
    size_t size;
};

static void prepend(struct writer *w, const void *data, size_t size)
{
    assert(size <= w->start);
    w->start -= size;
    memcpy(w->data + w->start, data, size);
}

/* Tag and length for everything written since `end`. */
static void prepend_header(struct writer *w, unsigned tag, size_t end)
{
    size_t size = end - w->start;
    uint8_t header[1 + LENGTH_BYTES_MAX];
    size_t header_size = 0;

    assert(size <= DER_SMALL_SIZE_MAX);
    header[header_size++] = (uint8_t)tag;
    if (size >= 0x100) {
        header[header_size++] = 0x82;
        header[header_size++] = (uint8_t)(size >> 8);
    } else if (size >= 0x80) {
        header[header_size++] = 0x81;
    }
    header[header_size++] = (uint8_t)size;
    prepend(w, header, header_size);
}

/* PrivateKeyInfo ::= SEQUENCE { version 0, AlgorithmIdentifier { algorithm, parameters }, OCTET STRING key } */
static void wrap(struct span algorithm, struct span parameters, struct span key, uint8_t **pkcs8, size_t *size)
{
    static const uint8_t version[] = {ASN1_INTEGER, 1, 0};
    struct writer w = {.size = key.size + algorithm.size + parameters.size + 32};
    size_t end;

    w.data = base_alloc(w.size);
    w.start = w.size;
    prepend(&w, key.data, key.size);
    prepend_header(&w, ASN1_OCTET_STRING, w.size);
    end = w.start;
    if (parameters.size != 0)
        prepend(&w, parameters.data, parameters.size);
    prepend(&w, algorithm.data, algorithm.size);
    prepend_header(&w, ASN1_OID, w.start + algorithm.size);
    prepend_header(&w, ASN1_SEQUENCE, end);
    prepend(&w, version, sizeof(version));
    prepend_header(&w, ASN1_SEQUENCE, w.size);
    *size = w.size - w.start;
    *pkcs8 = base_memdup(w.data + w.start, *size);
    base_wipe(w.data, w.size);
    free(w.data);
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

/* ECPrivateKey { 1, key, [1] point }; the curve is in the AlgorithmIdentifier. Its size; 0 when it does not fit. */
static size_t put_ec_key(struct span key, struct span point, uint8_t *out, size_t capacity)
{
    static const uint8_t version[] = {ASN1_INTEGER, 1, 1}, no_unused_bits[] = {0};
    enum { HEADERS_MAX = 4 * (1 + LENGTH_BYTES_MAX) };
    struct writer w = {.data = out, .start = capacity, .size = capacity};
    size_t end;

    if (key.size + point.size + sizeof(version) + sizeof(no_unused_bits) + HEADERS_MAX > capacity)
        return 0;
    prepend(&w, point.data, point.size);
    prepend(&w, no_unused_bits, sizeof(no_unused_bits));
    prepend_header(&w, ASN1_BIT_STRING, w.size);
    prepend_header(&w, TAG_PUBLIC_KEY, w.size);
    end = w.start;
    prepend(&w, key.data, key.size);
    prepend_header(&w, ASN1_OCTET_STRING, end);
    prepend(&w, version, sizeof(version));
    prepend_header(&w, ASN1_SEQUENCE, w.size);
    memmove(out, out + w.start, w.size - w.start);
    return w.size - w.start;
}

bool tls_key_der_add_public(struct span pkcs8, struct span point, uint8_t **whole, size_t *size)
{
    struct der info, algorithm, key;
    struct span ignored, contents, oid, bytes, private_value;
    uint8_t inner[EC_KEY_SIZE_MAX];
    size_t inner_size;
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
        der_read_optional(&key, ASN1_CONTEXT_CONSTRUCTED, &ignored, &present) != PKIX_OK || !der_at_end(&key))
        return false;
    inner_size = put_ec_key(private_value, point, inner, sizeof(inner));
    if (inner_size == 0)
        return false;
    wrap(oid, span_of(algorithm.next, (size_t)(algorithm.end - algorithm.next)), span_of(inner, inner_size), whole,
         size);
    base_wipe(inner, sizeof(inner));
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
