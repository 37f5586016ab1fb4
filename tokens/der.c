/* see tokens/der.h */
#include "tokens/der.h"

static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_rsa_encryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};

/* see tokens/der.h */
bool tokens_der_read(struct span *rest, uint8_t *tag, struct span *content, struct span *whole)
{
    struct der d = der_over(*rest, DER_LOOSE);
    unsigned number;

    if (!der_take(&d, &number, content, whole))
        return false;
    *tag = (uint8_t)number;
    *rest = span_of(d.next, (size_t)(d.end - d.next));
    return true;
}

static bool read_tagged(struct span *rest, uint8_t want, struct span *content, struct span *whole)
{
    struct span after = *rest;
    uint8_t tag;

    if (!tokens_der_read(&after, &tag, content, whole) || tag != want)
        return false;
    *rest = after;
    return true;
}

/* RFC 5280 section 4.1.2.5: two-digit years from 50 on are of the last century. */
static bool read_time(struct span *rest, char out[16])
{
    struct span content;
    uint8_t tag;
    size_t used = 0;

    if (!tokens_der_read(rest, &tag, &content, NULL))
        return false;
    if (tag == ASN1_UTC_TIME && content.size == 13) {
        memcpy(out, content.data[0] >= '5' ? "19" : "20", 2);
        used = 2;
    } else if (tag != ASN1_GENERALIZED_TIME || content.size != 15) {
        return false;
    }
    memcpy(out + used, content.data, content.size);
    out[15] = '\0';
    return true;
}

/* see tokens/der.h */
bool tokens_der_cert_read(struct span der, struct tokens_der_cert *cert)
{
    struct span rest = der, certificate, tbs, content, validity;
    char not_before[16];

    *cert = (struct tokens_der_cert){0};
    if (!read_tagged(&rest, ASN1_SEQUENCE, &certificate, NULL) || rest.size != 0 ||
        !read_tagged(&certificate, ASN1_SEQUENCE, &tbs, NULL))
        return false;
    (void)!read_tagged(&tbs, ASN1_CONTEXT_CONSTRUCTED, &content, NULL); /* version: absent in version 1 */
    return read_tagged(&tbs, ASN1_INTEGER, &content, &cert->serial) &&
           read_tagged(&tbs, ASN1_SEQUENCE, &content, NULL) &&
           read_tagged(&tbs, ASN1_SEQUENCE, &content, &cert->issuer) &&
           read_tagged(&tbs, ASN1_SEQUENCE, &validity, NULL) &&
           read_tagged(&tbs, ASN1_SEQUENCE, &content, &cert->subject) &&
           read_tagged(&tbs, ASN1_SEQUENCE, &content, &cert->spki) && read_time(&validity, not_before) &&
           read_time(&validity, cert->not_after);
}

/* see tokens/der.h */
bool tokens_der_spki_read(struct span spki, struct span *parameters, struct span *key_bits)
{
    struct span rest = spki, outer, algorithm, oid, bits;

    if (!read_tagged(&rest, ASN1_SEQUENCE, &outer, NULL) || !read_tagged(&outer, ASN1_SEQUENCE, &algorithm, NULL) ||
        !read_tagged(&algorithm, ASN1_OID, &oid, NULL) || !read_tagged(&outer, ASN1_BIT_STRING, &bits, NULL) ||
        bits.size < 1 || bits.data[0] != 0)
        return false;
    *parameters = algorithm;
    *key_bits = span_skip(bits, 1);
    return true;
}

static struct span without_leading_zeros(struct span number)
{
    while (number.size > 1 && number.data[0] == 0)
        number = span_skip(number, 1);
    return number;
}

/* see tokens/der.h */
bool tokens_der_rsa_read(struct span key_bits, struct span *modulus, struct span *exponent)
{
    struct span rest = key_bits, numbers;

    if (!read_tagged(&rest, ASN1_SEQUENCE, &numbers, NULL) || !read_tagged(&numbers, ASN1_INTEGER, modulus, NULL) ||
        !read_tagged(&numbers, ASN1_INTEGER, exponent, NULL))
        return false;
    *modulus = without_leading_zeros(*modulus);
    *exponent = without_leading_zeros(*exponent);
    return true;
}

/* see tokens/der.h */
bool tokens_der_spki_ec(struct buffer *out, struct span ec_params, struct span point)
{
    struct span rest = point, bits;
    size_t spki = der_write_begin(out), algorithm;

    if (!read_tagged(&rest, ASN1_OCTET_STRING, &bits, NULL) || rest.size != 0)
        return false;
    algorithm = der_write_begin(out);
    der_write(out, ASN1_OID, span_of(oid_ec_public_key, sizeof(oid_ec_public_key)));
    der_write_raw(out, ec_params);
    der_write_end(out, algorithm, ASN1_SEQUENCE);
    der_write_bit_string(out, bits);
    der_write_end(out, spki, ASN1_SEQUENCE);
    return true;
}

/* see tokens/der.h */
void tokens_der_spki_rsa(struct buffer *out, struct span modulus, struct span exponent)
{
    size_t spki = der_write_begin(out), algorithm = der_write_begin(out), bits, numbers;
    static const uint8_t no_unused_bits[1] = {0};

    der_write(out, ASN1_OID, span_of(oid_rsa_encryption, sizeof(oid_rsa_encryption)));
    der_write(out, ASN1_NULL, span_of(NULL, 0));
    der_write_end(out, algorithm, ASN1_SEQUENCE);
    bits = der_write_begin(out);
    der_write_raw(out, span_of(no_unused_bits, 1));
    numbers = der_write_begin(out);
    der_write_unsigned(out, modulus);
    der_write_unsigned(out, exponent);
    der_write_end(out, numbers, ASN1_SEQUENCE);
    der_write_end(out, bits, ASN1_BIT_STRING);
    der_write_end(out, spki, ASN1_SEQUENCE);
}

/* see tokens/der.h */
void tokens_der_ecdsa_signature(struct buffer *out, struct span raw)
{
    size_t sequence = der_write_begin(out);

    der_write_unsigned(out, span_of(raw.data, raw.size / 2));
    der_write_unsigned(out, span_skip(raw, raw.size / 2));
    der_write_end(out, sequence, ASN1_SEQUENCE);
}
