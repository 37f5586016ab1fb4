/* see pkix/key.h */
#include "pkix/key.h"
#include "pkix/oid.h"

#include <stdio.h>

enum { EC_POINT_UNCOMPRESSED = 0x04, RSA_EXPONENT_BYTES_MAX = 5, RSA_EXPONENT_BITS_MAX = 33 };

struct curve_row {
    enum pkix_oid oid;
    unsigned bits;
    const char *text;
};

static const struct curve_row curves[] = {
    [PKIX_CURVE_P256] = {OID_P256, 256, "EC P-256"},
    [PKIX_CURVE_P384] = {OID_P384, 384, "EC P-384"},
    [PKIX_CURVE_P521] = {OID_P521, 521, "EC P-521"},
};

struct algorithm_row {
    enum pkix_oid oid;
    struct pkix_algorithm algorithm;
};

static const struct algorithm_row algorithms[] = {
    {OID_ECDSA_SHA256, {PKIX_KEY_EC, PKIX_SHA256, PKIX_PADDING_NONE}},
    {OID_RSA_SHA256, {PKIX_KEY_RSA, PKIX_SHA256, PKIX_PADDING_PKCS1}},
    {OID_ECDSA_SHA384, {PKIX_KEY_EC, PKIX_SHA384, PKIX_PADDING_NONE}},
    {OID_RSA_SHA384, {PKIX_KEY_RSA, PKIX_SHA384, PKIX_PADDING_PKCS1}},
    {OID_ECDSA_SHA512, {PKIX_KEY_EC, PKIX_SHA512, PKIX_PADDING_NONE}},
    {OID_RSA_SHA512, {PKIX_KEY_RSA, PKIX_SHA512, PKIX_PADDING_PKCS1}},
    {OID_ECDSA_SHA1, {PKIX_KEY_EC, PKIX_SHA1, PKIX_PADDING_NONE}},
    {OID_RSA_SHA1, {PKIX_KEY_RSA, PKIX_SHA1, PKIX_PADDING_PKCS1}},
    {OID_RSA_SHA1_OIW, {PKIX_KEY_RSA, PKIX_SHA1, PKIX_PADDING_PKCS1}},
};

/* RSASSA-PSS-params (RFC 4055 section 3.1): digest H, MGF1 with H, salt as long as H's output, trailer by default;
 * with the NULL in both hash identifiers. Any other spelling is refused, so that no parameter is ever interpreted. */
#define PSS_PARAMS(digest_byte, salt_byte)                                                                             \
    "\x30\x34\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02" digest_byte "\x05\x00"                          \
    "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02"     \
    digest_byte "\x05\x00\xa2\x03\x02\x01" salt_byte
enum { PSS_PARAMS_SIZE = 54 };

static const struct {
    const char *params;
    enum pkix_digest digest;
} pss_params[] = {
    {PSS_PARAMS("\x01", "\x20"), PKIX_SHA256},
    {PSS_PARAMS("\x02", "\x30"), PKIX_SHA384},
    {PSS_PARAMS("\x03", "\x40"), PKIX_SHA512},
};

static_assert(sizeof(PSS_PARAMS("\x01", "\x20")) - 1 == PSS_PARAMS_SIZE, "RFC 4055 gives 54 bytes");

size_t pkix_digest_size(enum pkix_digest digest)
{
    switch (digest) {
    case PKIX_SHA1:
        return 20;
    case PKIX_SHA256:
        return 32;
    case PKIX_SHA384:
        return 48;
    case PKIX_SHA512:
        return 64;
    }
    base_abort("digest %d", (int)digest);
}

static enum pkix_error read_ec(struct der *algorithm, struct pkix_key *key)
{
    struct span oid;

    /* Explicit parameters are a SEQUENCE: another tag, so BAD_DER, and never looked into. */
    if (der_read(algorithm, ASN1_OID, &oid) != PKIX_OK || der_end(algorithm) != PKIX_OK)
        return PKIX_BAD_DER;
    for (unsigned i = 0; i < ARRAY_LEN(curves); i++) {
        if (!pkix_oid_is(oid, curves[i].oid))
            continue;
        key->type = PKIX_KEY_EC;
        key->curve = (enum pkix_curve)i;
        key->bits = curves[i].bits;
        if (key->bit_string.size == 0 || key->bit_string.data[0] != EC_POINT_UNCOMPRESSED)
            return PKIX_UNSUPPORTED_POINT;
        return key->bit_string.size == 1 + 2 * ((key->bits + 7) / 8) ? PKIX_OK : PKIX_BAD_DER;
    }
    return PKIX_UNSUPPORTED_CURVE;
}

static unsigned bits_of(struct span number)
{
    unsigned bits = (unsigned)number.size * 8;

    for (unsigned mask = 0x80; mask != 0 && (number.data[0] & mask) == 0; mask >>= 1)
        bits--;
    return bits;
}

static enum pkix_error check_rsa_exponent(struct span exponent)
{
    bool odd = (exponent.data[exponent.size - 1] & 1) != 0;

    if (exponent.size > RSA_EXPONENT_BYTES_MAX || bits_of(exponent) > RSA_EXPONENT_BITS_MAX || !odd ||
        (exponent.size == 1 && exponent.data[0] < 3))
        return PKIX_WEAK_KEY;
    return PKIX_OK;
}

static enum pkix_error read_rsa(struct der *algorithm, struct pkix_key *key)
{
    struct der sequence;
    struct span null, modulus, exponent;
    enum pkix_error error;

    if (der_read(algorithm, ASN1_NULL, &null) != PKIX_OK || null.size != 0 || der_end(algorithm) != PKIX_OK)
        return PKIX_BAD_DER;
    if ((error = der_enter_only(key->bit_string, ASN1_SEQUENCE, DER_SMALL, &sequence)) != PKIX_OK ||
        (error = der_read_positive_integer(&sequence, &modulus)) != PKIX_OK ||
        (error = der_read_positive_integer(&sequence, &exponent)) != PKIX_OK || (error = der_end(&sequence)) != PKIX_OK)
        return error;
    key->type = PKIX_KEY_RSA;
    key->bits = bits_of(modulus);
    key->exponent_bits = bits_of(exponent);
    key->modulus = modulus;
    /* Bits of whole bytes, as the CA/Browser Forum asks: 2,047 is neither 2,048 nor anything anybody meant to make. */
    if (key->bits < PKIX_RSA_BITS_MIN || key->bits > PKIX_RSA_BITS_MAX || key->bits % 8 != 0)
        return PKIX_WEAK_KEY;
    return check_rsa_exponent(exponent);
}

enum pkix_error pkix_key_read(struct span spki, struct pkix_key *key)
{
    struct der sequence, algorithm;
    struct span oid;

    *key = (struct pkix_key){0};
    if (der_enter_only(spki, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK ||
        der_enter(&sequence, ASN1_SEQUENCE, &algorithm) != PKIX_OK || der_read(&algorithm, ASN1_OID, &oid) != PKIX_OK ||
        der_read_bit_string(&sequence, &key->bit_string) != PKIX_OK || der_end(&sequence) != PKIX_OK)
        return PKIX_BAD_DER;
    if (pkix_oid_is(oid, OID_EC_PUBLIC_KEY))
        return read_ec(&algorithm, key);
    if (pkix_oid_is(oid, OID_RSA_ENCRYPTION))
        return read_rsa(&algorithm, key);
    return PKIX_UNSUPPORTED_KEY;
}

static enum pkix_error read_pss(const struct der *params, struct pkix_algorithm *algorithm)
{
    struct span all = span_of(params->next, (size_t)(params->end - params->next));

    for (unsigned i = 0; i < ARRAY_LEN(pss_params); i++) {
        if (span_equal(all, span_of(pss_params[i].params, PSS_PARAMS_SIZE))) {
            *algorithm = (struct pkix_algorithm){PKIX_KEY_RSA, pss_params[i].digest, PKIX_PADDING_PSS};
            return PKIX_OK;
        }
    }
    return PKIX_WEAK_SIGNATURE_ALGORITHM;
}

enum pkix_error pkix_algorithm_read(struct span contents, struct pkix_algorithm *algorithm)
{
    struct der d = der_over(contents, DER_SMALL);
    struct span oid, null;
    bool present;

    if (der_read(&d, ASN1_OID, &oid) != PKIX_OK)
        return PKIX_BAD_DER;
    if (pkix_oid_is(oid, OID_RSA_PSS))
        return read_pss(&d, algorithm);
    for (unsigned i = 0; i < ARRAY_LEN(algorithms); i++) {
        if (!pkix_oid_is(oid, algorithms[i].oid))
            continue;
        *algorithm = algorithms[i].algorithm;
        /* Absent or NULL: both are found with every algorithm. */
        if (der_read_optional(&d, ASN1_NULL, &null, &present) != PKIX_OK || null.size != 0)
            return PKIX_BAD_DER;
        return der_end(&d);
    }
    return PKIX_WEAK_SIGNATURE_ALGORITHM;
}

enum pkix_error pkix_algorithm_check(const struct pkix_algorithm *algorithm, struct span signature)
{
    if (algorithm->digest == PKIX_SHA1)
        return PKIX_WEAK_SIGNATURE_ALGORITHM;
    /* An RSA signature is as long as its modulus: a short one is refused before any issuer is looked for. */
    if (algorithm->key_type == PKIX_KEY_RSA &&
        (signature.size * 8 < PKIX_RSA_BITS_MIN || signature.size * 8 > PKIX_RSA_BITS_MAX))
        return PKIX_WEAK_KEY;
    return PKIX_OK;
}

const char *pkix_key_text(const struct pkix_key *key, char *out, size_t out_size)
{
    if (key->type == PKIX_KEY_EC)
        return curves[key->curve].text;
    snprintf(out, out_size, "RSA %u", key->bits);
    return out;
}

const char *pkix_algorithm_text(const struct pkix_algorithm *algorithm)
{
    static const char *const texts[][4] = {
        [PKIX_PADDING_NONE] = {"ecdsa-sha1", "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"},
        [PKIX_PADDING_PKCS1] = {"rsa-sha1", "rsa-sha256", "rsa-sha384", "rsa-sha512"},
        [PKIX_PADDING_PSS] = {"rsa-pss-sha1", "rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512"},
    };

    return texts[algorithm->padding][algorithm->digest];
}
