/* see pkix/key.h
 *
 * Judged before anything is computed with it: what NSS is given has a size that we have a price for (pkix/signature.c),
 * and a form of which there is one. Whoever sends a chain sends the keys in it. */
#include "pkix/key.h"
#include "pkix/oid.h"

#include <stdio.h>

enum {
    EC_POINT_UNCOMPRESSED = 0x04,
    RSA_EXPONENT_BYTES_MAX = 5,
    RSA_EXPONENT_BITS_MAX = 33,
    PSS_SALT_SIZE_DEFAULT = 20,
    PSS_SALT_NUMBER_BYTES_MAX = 2,
    TAG_PSS_HASH = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_PSS_MASK = ASN1_CONTEXT_CONSTRUCTED | 1,
    TAG_PSS_SALT = ASN1_CONTEXT_CONSTRUCTED | 2,
};

struct curve_row {
    enum pkix_oid oid;
    unsigned bits;
    const char *text;
};

/* The three that the CA/Browser Forum's requirements have (section 6.1.5), and NSS verifies with. */
static const struct curve_row curves[] = {
    [PKIX_CURVE_P256] = {OID_P256, 256, "EC P-256"},
    [PKIX_CURVE_P384] = {OID_P384, 384, "EC P-384"},
    [PKIX_CURVE_P521] = {OID_P521, 521, "EC P-521"},
};

/* What an OID means, in one row: key, hash and padding together, so that no combination can be put together from parts
 * that an attacker chose one by one. */
struct algorithm_row {
    enum pkix_oid oid;
    struct pkix_algorithm algorithm;
};

/* Found most often first. Those with SHA-1 are here to be named in an explanation, and are refused by
 * pkix_algorithm_check(): two documents of one SHA-1 have been made since 2017, with a beginning of one's choice since
 * 2020. MD5, of whose collisions a rogue authority was made in 2008, is not even named. */
static const struct algorithm_row algorithms[] = {
    {OID_ECDSA_SHA256, {PKIX_KEY_EC, PKIX_SHA256, PKIX_PADDING_NONE, 0}},
    {OID_RSA_SHA256, {PKIX_KEY_RSA, PKIX_SHA256, PKIX_PADDING_PKCS1, 0}},
    {OID_ECDSA_SHA384, {PKIX_KEY_EC, PKIX_SHA384, PKIX_PADDING_NONE, 0}},
    {OID_RSA_SHA384, {PKIX_KEY_RSA, PKIX_SHA384, PKIX_PADDING_PKCS1, 0}},
    {OID_ECDSA_SHA512, {PKIX_KEY_EC, PKIX_SHA512, PKIX_PADDING_NONE, 0}},
    {OID_RSA_SHA512, {PKIX_KEY_RSA, PKIX_SHA512, PKIX_PADDING_PKCS1, 0}},
    {OID_ECDSA_SHA1, {PKIX_KEY_EC, PKIX_SHA1, PKIX_PADDING_NONE, 0}},
    {OID_RSA_SHA1, {PKIX_KEY_RSA, PKIX_SHA1, PKIX_PADDING_PKCS1, 0}},
    {OID_RSA_SHA1_OIW, {PKIX_KEY_RSA, PKIX_SHA1, PKIX_PADDING_PKCS1, 0}},
};

/* Bytes. */
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

/* id-ecPublicKey, RFC 5480 section 2.1.1: the parameters are the name of a curve. The RFC forbids the other two choices
 * (implicitCurve and specifiedCurve), and CVE-2020-0601 is why: with a base point of his own choosing anybody can make
 * a private key for the public key of a root, and a verifier that compared the point alone took it for the root. */
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
        /* RFC 5480 section 2.2: support of compressed points is optional. To expand one takes a square root
         * (CVE-2022-0778 was a loop in it), and one key would have two encodings where pins and caches compare bytes.
         * That the point is on the curve NSS sees when it imports it. */
        if (key->bit_string.size == 0 || key->bit_string.data[0] != EC_POINT_UNCOMPRESSED)
            return PKIX_UNSUPPORTED_POINT;
        return key->bit_string.size == 1 + 2 * ((key->bits + 7) / 8) ? PKIX_OK : PKIX_BAD_DER;
    }
    return PKIX_UNSUPPORTED_CURVE;
}

/* Of a number without leading zero bytes. Bits, not bytes times eight: a modulus of 2,041 bits has as many bytes as one
 * of 2,048, and is refused. */
static unsigned bits_of(struct span number)
{
    unsigned bits = (unsigned)number.size * 8;

    for (unsigned mask = 0x80; mask != 0 && (number.data[0] & mask) == 0; mask >>= 1)
        bits--;
    return bits;
}

/* 1 signs nothing, and an even one has no inverse. 3 is taken: what was forged with it (Bleichenbacher in 2006,
 * CVE-2014-1568) was forged against readers that did not look at all of the padding. A long one only costs: with as
 * many bits as the modulus a check takes as long as a signature, which the peer has bought for a few bytes. */
static enum pkix_error check_rsa_exponent(struct span exponent)
{
    bool odd = (exponent.data[exponent.size - 1] & 1) != 0;

    if (exponent.size > RSA_EXPONENT_BYTES_MAX || bits_of(exponent) > RSA_EXPONENT_BITS_MAX || !odd ||
        (exponent.size == 1 && exponent.data[0] < 3))
        return PKIX_WEAK_KEY;
    return PKIX_OK;
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }, RFC 8017 appendix A.1.1. Positive, both: a
 * negative modulus is nobody's, and how a library reads it is anybody's guess. Whether the modulus is one, a product of
 * two primes, cannot be told; what can is its size. */
static enum pkix_error read_rsa(struct der *algorithm, struct pkix_key *key)
{
    struct der sequence;
    struct span null, modulus, exponent;
    enum pkix_error error;

    /* RFC 3279 section 2.3.1: NULL, and it is there. So one key has one encoding, of which pins are digests. */
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
    /* Bits of whole bytes, as the CA/Browser Forum asks: 2,047 is neither 2,048 nor anything anybody meant to make. The
     * upper end is ours: NSS takes twice as much, and a check costs the square of it. */
    if (key->bits < PKIX_RSA_BITS_MIN || key->bits > PKIX_RSA_BITS_MAX || key->bits % 8 != 0)
        return PKIX_WEAK_KEY;
    return check_rsa_exponent(exponent);
}

/* SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }. A key that is for RSA-PSS alone (RFC
 * 4055 section 1.2), Ed25519 and DSA are told apart from bad ones: they may be good, and are not ours to judge. All of
 * the outer form is read before the algorithm is looked at, so that "unsupported" is said of a key that is one. */
enum pkix_error pkix_key_read(struct span spki, struct pkix_key *key)
{
    struct der sequence, algorithm;
    struct span oid;

    /* Whoever reads on in spite of the error finds no key of an earlier call. */
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

/* The hash of an AlgorithmIdentifier, whose parameters are NULL or absent (RFC 4055 section 2.1). SHA-1, the default of
 * every field, is none of them. */
static bool read_pss_hash(struct der *d, enum pkix_digest *digest)
{
    static const struct {
        enum pkix_oid oid;
        enum pkix_digest digest;
    } hashes[] = {{OID_SHA256, PKIX_SHA256}, {OID_SHA384, PKIX_SHA384}, {OID_SHA512, PKIX_SHA512}};
    struct der algorithm;
    struct span oid, null;
    bool present;

    if (der_enter(d, ASN1_SEQUENCE, &algorithm) != PKIX_OK || der_read(&algorithm, ASN1_OID, &oid) != PKIX_OK ||
        der_read_optional(&algorithm, ASN1_NULL, &null, &present) != PKIX_OK || null.size != 0 ||
        !der_at_end(&algorithm) || !der_at_end(d))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        if (pkix_oid_is(oid, hashes[i].oid)) {
            *digest = hashes[i].digest;
            return true;
        }
    }
    return false;
}

/* MGF1 with a hash. The mask's own hash is a parameter of its own (RFC 8017 appendix A.2.3). No other generator is one
 * that RFC 8017 knows (appendix B.2). */
static bool read_pss_mask(struct der *d, enum pkix_digest *digest)
{
    struct der algorithm;
    struct span oid;

    return der_enter(d, ASN1_SEQUENCE, &algorithm) == PKIX_OK && der_at_end(d) &&
           der_read(&algorithm, ASN1_OID, &oid) == PKIX_OK && pkix_oid_is(oid, OID_MGF1) &&
           read_pss_hash(&algorithm, digest);
}

/* INTEGER: no salt is longer than a modulus. Whether it has room is for those who know the key (pkix/signature.c). */
static bool read_pss_salt(struct der *d, unsigned *size)
{
    struct span number;

    *size = 0;
    if (der_read_integer(d, &number) != PKIX_OK || !der_at_end(d) || (number.data[0] & 0x80) != 0 ||
        number.size > PSS_SALT_NUMBER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < number.size; i++)
        *size = *size << 8 | number.data[i];
    return *size != PSS_SALT_SIZE_DEFAULT; /* DER does not write a default */
}

/* RSASSA-PSS-params (RFC 4055 section 3.1): hash [0], mask [1], salt length [2] DEFAULT 20, trailer [3] DEFAULT 1. One
 * hash for both uses: a mask of a weaker hash than the signature's would be what is attacked. The salt may have any
 * length, as OpenSSL makes it as long as the modulus allows: its verification depends on no secret. Hash and mask have
 * to be there, though the syntax has both optional: what is
 * absent is SHA-1 (section 3.1). */
static enum pkix_error read_pss(struct der *params, struct pkix_algorithm *algorithm)
{
    struct der fields, field;
    enum pkix_digest hash, mask;
    unsigned salt_size = PSS_SALT_SIZE_DEFAULT;

    if (der_enter(params, ASN1_SEQUENCE, &fields) != PKIX_OK || der_end(params) != PKIX_OK ||
        der_enter(&fields, TAG_PSS_HASH, &field) != PKIX_OK || !read_pss_hash(&field, &hash) ||
        der_enter(&fields, TAG_PSS_MASK, &field) != PKIX_OK || !read_pss_mask(&field, &mask) || mask != hash)
        return PKIX_WEAK_SIGNATURE_ALGORITHM;
    if (der_next_is(&fields, TAG_PSS_SALT) &&
        (der_enter(&fields, TAG_PSS_SALT, &field) != PKIX_OK || !read_pss_salt(&field, &salt_size)))
        return PKIX_WEAK_SIGNATURE_ALGORITHM;
    /* Section 3.1: the trailer is 1, which is the default and so is not written. Another one is another padding. */
    if (!der_at_end(&fields))
        return PKIX_WEAK_SIGNATURE_ALGORITHM;
    *algorithm = (struct pkix_algorithm){PKIX_KEY_RSA, hash, PKIX_PADDING_PSS, salt_size};
    return PKIX_OK;
}

/* An identifier that has parameters of another form than its algorithm's is refused, and not passed over: what stands
 * there could be meant to change what is verified (RFC 4055 section 5 has NULL for RSA, RFC 5758 section 3.2 nothing
 * for ECDSA; both are found with both). What is not in the table, MD5 and Ed25519 alike, is no algorithm here and has
 * none for a default: a statement that nobody can check is worth as much as one that is unsigned. */
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

/* Weakness is a judgement of its own, so that an explanation can say which algorithm it is that was too weak. What is
 * judged is the signature on the statement, and not those that a key in it may make. */
enum pkix_error pkix_algorithm_check(const struct pkix_algorithm *algorithm, struct span signature)
{
    /* Whatever the date of the certificate: a date is as easily forged as the rest where the hash can be collided. */
    if (algorithm->digest == PKIX_SHA1)
        return PKIX_WEAK_SIGNATURE_ALGORITHM;
    /* An RSA signature is as long as its modulus: a short one is refused before any issuer is looked for. So is a long
     * one, whose key would be too dear to ask. */
    if (algorithm->key_type == PKIX_KEY_RSA &&
        (signature.size * 8 < PKIX_RSA_BITS_MIN || signature.size * 8 > PKIX_RSA_BITS_MAX))
        return PKIX_WEAK_KEY;
    return PKIX_OK;
}

/* What people call it. */
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
