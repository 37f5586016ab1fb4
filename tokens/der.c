/* see tokens/der.h */
#include "tokens/der.h"

static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_rsa_encryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};

/* see tokens/der.h */
bool tokens_der_read(struct span *rest, uint8_t *tag, struct span *content, struct span *whole)
{
    struct span s = *rest;
    size_t head = 2;
    size_t size;

    if (s.size < 2 || (s.data[0] & 0x1f) == 0x1f)
        return false;
    size = s.data[1];
    if (size >= 0x80) {
        size_t count = size - 0x80;

        if (count == 0 || count > 4 || s.size < 2 + count)
            return false;
        size = 0;
        for (size_t i = 0; i < count; i++)
            size = size << 8 | s.data[2 + i];
        head += count;
    }
    if (s.size - head < size)
        return false;
    *tag = s.data[0];
    *content = span_of(s.data + head, size);
    if (whole != NULL)
        *whole = span_of(s.data, head + size);
    *rest = span_skip(s, head + size);
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
    if (tag == TOKENS_DER_UTC_TIME && content.size == 13) {
        memcpy(out, content.data[0] >= '5' ? "19" : "20", 2);
        used = 2;
    } else if (tag != TOKENS_DER_GENERALIZED_TIME || content.size != 15) {
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
    if (!read_tagged(&rest, TOKENS_DER_SEQUENCE, &certificate, NULL) || rest.size != 0 ||
        !read_tagged(&certificate, TOKENS_DER_SEQUENCE, &tbs, NULL))
        return false;
    (void)!read_tagged(&tbs, TOKENS_DER_CONTEXT_0, &content, NULL); /* version: absent in version 1 */
    return read_tagged(&tbs, TOKENS_DER_INTEGER, &content, &cert->serial) &&
           read_tagged(&tbs, TOKENS_DER_SEQUENCE, &content, NULL) &&
           read_tagged(&tbs, TOKENS_DER_SEQUENCE, &content, &cert->issuer) &&
           read_tagged(&tbs, TOKENS_DER_SEQUENCE, &validity, NULL) &&
           read_tagged(&tbs, TOKENS_DER_SEQUENCE, &content, &cert->subject) &&
           read_tagged(&tbs, TOKENS_DER_SEQUENCE, &content, &cert->spki) && read_time(&validity, not_before) &&
           read_time(&validity, cert->not_after);
}

/* see tokens/der.h */
bool tokens_der_spki_read(struct span spki, struct span *parameters, struct span *key_bits)
{
    struct span rest = spki, outer, algorithm, oid, bits;

    if (!read_tagged(&rest, TOKENS_DER_SEQUENCE, &outer, NULL) ||
        !read_tagged(&outer, TOKENS_DER_SEQUENCE, &algorithm, NULL) ||
        !read_tagged(&algorithm, TOKENS_DER_OID, &oid, NULL) ||
        !read_tagged(&outer, TOKENS_DER_BIT_STRING, &bits, NULL) || bits.size < 1 || bits.data[0] != 0)
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

    if (!read_tagged(&rest, TOKENS_DER_SEQUENCE, &numbers, NULL) ||
        !read_tagged(&numbers, TOKENS_DER_INTEGER, modulus, NULL) ||
        !read_tagged(&numbers, TOKENS_DER_INTEGER, exponent, NULL))
        return false;
    *modulus = without_leading_zeros(*modulus);
    *exponent = without_leading_zeros(*exponent);
    return true;
}

/* see tokens/der.h */
void tokens_der_raw(struct buffer *out, struct span bytes)
{
    bool fits = buffer_append(out, bytes);

    assert(fits);
}

/* see tokens/der.h */
size_t tokens_der_begin(struct buffer *out)
{
    return out->size;
}

/* The head goes in before the content, once its size is known. see tokens/der.h */
void tokens_der_end(struct buffer *out, size_t mark, uint8_t tag)
{
    size_t size = out->size - mark;
    uint8_t head[6] = {tag};
    size_t head_size = 1;
    uint8_t *start;

    if (size < 0x80) {
        head[head_size++] = (uint8_t)size;
    } else {
        unsigned count = size > 0xffffff ? 4 : size > 0xffff ? 3 : size > 0xff ? 2 : 1;

        head[head_size++] = (uint8_t)(0x80 + count);
        while (count-- > 0)
            head[head_size++] = (uint8_t)(size >> (8 * count));
    }
    tokens_der_raw(out, span_of(head, head_size)); /* makes the room */
    start = out->data + out->start + mark;
    memmove(start + head_size, start, size);
    memcpy(start, head, head_size);
}

/* see tokens/der.h */
void tokens_der_element(struct buffer *out, uint8_t tag, struct span content)
{
    size_t mark = tokens_der_begin(out);

    tokens_der_raw(out, content);
    tokens_der_end(out, mark, tag);
}

/* see tokens/der.h */
void tokens_der_unsigned(struct buffer *out, struct span number)
{
    static const uint8_t zero[1] = {0};
    size_t mark = tokens_der_begin(out);

    number = without_leading_zeros(number);
    if (number.size == 0 || (number.data[0] & 0x80) != 0)
        tokens_der_raw(out, span_of(zero, 1));
    tokens_der_raw(out, number);
    tokens_der_end(out, mark, TOKENS_DER_INTEGER);
}

/* see tokens/der.h */
void tokens_der_bit_string(struct buffer *out, struct span bits)
{
    static const uint8_t no_unused_bits[1] = {0};
    size_t mark = tokens_der_begin(out);

    tokens_der_raw(out, span_of(no_unused_bits, 1));
    tokens_der_raw(out, bits);
    tokens_der_end(out, mark, TOKENS_DER_BIT_STRING);
}

/* see tokens/der.h */
bool tokens_der_spki_ec(struct buffer *out, struct span ec_params, struct span point)
{
    struct span rest = point, bits;
    size_t spki = tokens_der_begin(out), algorithm;

    if (!read_tagged(&rest, TOKENS_DER_OCTET_STRING, &bits, NULL) || rest.size != 0)
        return false;
    algorithm = tokens_der_begin(out);
    tokens_der_element(out, TOKENS_DER_OID, span_of(oid_ec_public_key, sizeof(oid_ec_public_key)));
    tokens_der_raw(out, ec_params);
    tokens_der_end(out, algorithm, TOKENS_DER_SEQUENCE);
    tokens_der_bit_string(out, bits);
    tokens_der_end(out, spki, TOKENS_DER_SEQUENCE);
    return true;
}

/* see tokens/der.h */
void tokens_der_spki_rsa(struct buffer *out, struct span modulus, struct span exponent)
{
    size_t spki = tokens_der_begin(out), algorithm = tokens_der_begin(out), bits, numbers;
    static const uint8_t no_unused_bits[1] = {0};

    tokens_der_element(out, TOKENS_DER_OID, span_of(oid_rsa_encryption, sizeof(oid_rsa_encryption)));
    tokens_der_element(out, TOKENS_DER_NULL, span_of(NULL, 0));
    tokens_der_end(out, algorithm, TOKENS_DER_SEQUENCE);
    bits = tokens_der_begin(out);
    tokens_der_raw(out, span_of(no_unused_bits, 1));
    numbers = tokens_der_begin(out);
    tokens_der_unsigned(out, modulus);
    tokens_der_unsigned(out, exponent);
    tokens_der_end(out, numbers, TOKENS_DER_SEQUENCE);
    tokens_der_end(out, bits, TOKENS_DER_BIT_STRING);
    tokens_der_end(out, spki, TOKENS_DER_SEQUENCE);
}

/* see tokens/der.h */
void tokens_der_ecdsa_signature(struct buffer *out, struct span raw)
{
    size_t sequence = tokens_der_begin(out);

    tokens_der_unsigned(out, span_of(raw.data, raw.size / 2));
    tokens_der_unsigned(out, span_skip(raw, raw.size / 2));
    tokens_der_end(out, sequence, TOKENS_DER_SEQUENCE);
}
