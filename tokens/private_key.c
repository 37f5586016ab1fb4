/* see tokens/private_key.h */
#include "tokens/private_key.h"

#include "base/der_read.h"

static const uint8_t oid_rsa_encryption[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

static bool take(struct der *d, unsigned tag, struct span *value, struct span *whole)
{
    unsigned found;

    return der_next_is(d, tag) && der_take(d, &found, value, whole);
}

/* Into a SEQUENCE, which begins with a version number. */
static bool enter(struct span bytes, struct der *inside)
{
    struct der outside = der_over(bytes, DER_SMALL);
    struct span contents, version;

    if (!take(&outside, ASN1_SEQUENCE, &contents, NULL) || !der_at_end(&outside))
        return false;
    *inside = der_over(contents, DER_SMALL);
    return take(inside, ASN1_INTEGER, &version, NULL) && version.size == 1;
}

static bool read_rsa(struct span bytes, struct tokens_private_key *key)
{
    struct der d;

    key->type = TOKENS_WIRE_KEY_RSA;
    if (!enter(bytes, &d))
        return false;
    for (size_t i = 0; i < TOKENS_RSA_NUMBER_COUNT; i++) {
        struct span *number = &key->rsa[i];

        if (!take(&d, ASN1_INTEGER, number, NULL) || number->size == 0)
            return false;
        while (number->size > 1 && number->data[0] == 0)
            *number = span_skip(*number, 1);
    }
    return der_at_end(&d); /* what follows would be further primes */
}

static bool read_ec(struct span bytes, struct tokens_private_key *key)
{
    struct der d;

    key->type = TOKENS_WIRE_KEY_EC;
    return enter(bytes, &d) && take(&d, ASN1_OCTET_STRING, &key->ec_value, NULL) && key->ec_value.size != 0;
}

/* see tokens/private_key.h */
bool tokens_private_key_read(struct span pkcs8, struct tokens_private_key *key)
{
    struct span contents, oid, bytes;
    struct der d, algorithm;

    *key = (struct tokens_private_key){.type = TOKENS_WIRE_KEY_RSA};
    if (!enter(pkcs8, &d) || !take(&d, ASN1_SEQUENCE, &contents, NULL) || !take(&d, ASN1_OCTET_STRING, &bytes, NULL))
        return false;
    algorithm = der_over(contents, DER_SMALL);
    if (!take(&algorithm, ASN1_OID, &oid, NULL))
        return false;
    if (span_equal(oid, span_of(oid_rsa_encryption, sizeof(oid_rsa_encryption))))
        return read_rsa(bytes, key);
    return span_equal(oid, span_of(oid_ec_public_key, sizeof(oid_ec_public_key))) &&
           take(&algorithm, ASN1_OID, &oid, &key->ec_params) && read_ec(bytes, key);
}
