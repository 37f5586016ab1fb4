/* see pkix/signature.h
 *
 * What can be said of a signature without computing: whether it could be one at all, and what it would cost to see. So
 * nothing of the wrong size or range ever reaches NSS, and the price is known before it is paid. */
#include "pkix/signature.h"

enum {
    RSA_EXPONENT_BITS_USUAL = 17, /* 65537 */
    RSA_LONG_EXPONENT_FACTOR = 3, /* the longest we take has 33 bits; half of them or all of them set */
    BYTES_HASHED_PER_US = 512,    /* SHA-512, and SHA-256 for the cache's key */
};

/* Measured with benchmark-verify in November 2026: NSS 3.87.1 of Debian 12 on an x86-64 server core, good and bad
 * signatures alike, and rounded up: with the import of the key, which for curves is 40 percent of it (that the point is
 * on the curve, and of its order) and is saved where the key is kept (pkix/nss_keys.h). P-384 is dear because it is the
 * only one of the curves without code of its own. */
static const unsigned ec_cost_us[] = {[PKIX_CURVE_P256] = 600, [PKIX_CURVE_P384] = 1300, [PKIX_CURVE_P521] = 800};

static const struct {
    unsigned bits_max;
    unsigned cost_us;
} rsa_cost[] = {{2048, 30}, {3072, 60}, {4096, 90}, {PKIX_RSA_BITS_MAX, 600}};

/* The orders of the base points, SP 800-186 section 3.2.1. */
static const uint8_t order_p256[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                     0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t order_p384[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
                                     0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};
static const uint8_t order_p521[] = {0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b,
                                     0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c,
                                     0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09};

static struct span order_of(enum pkix_curve curve)
{
    switch (curve) {
    case PKIX_CURVE_P256:
        return span_of(order_p256, sizeof(order_p256));
    case PKIX_CURVE_P384:
        return span_of(order_p384, sizeof(order_p384));
    case PKIX_CURVE_P521:
        return span_of(order_p521, sizeof(order_p521));
    }
    base_abort("curve %d", (int)curve);
}

/* Numbers without leading zero bytes, most significant byte first. In no constant time: signatures and moduli are
 * public. */
static bool is_below(struct span a, struct span b)
{
    return a.size != b.size ? a.size < b.size : memcmp(a.data, b.data, a.size) < 0;
}

/* An RSA signature has the modulus's length and may begin with zero bytes, which say nothing of how large it is. */
static struct span without_leading_zeros(struct span number)
{
    while (number.size != 0 && number.data[0] == 0)
        number = span_skip(number, 1);
    return number;
}

/* Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }, RFC 5480 appendix A. */
bool pkix_ecdsa_read(struct span signature, struct span *r, struct span *s)
{
    struct der sequence;

    return der_enter_only(signature, ASN1_SEQUENCE, DER_SMALL, &sequence) == PKIX_OK &&
           der_read_positive_integer(&sequence, r) == PKIX_OK && der_read_positive_integer(&sequence, s) == PKIX_OK &&
           der_at_end(&sequence);
}

/* One signature, one encoding, and never r = s = 0, which verifies for everything where nobody looks
 * (CVE-2022-21449). Numbers of the order or above would be the same signature in other bytes, under another key of
 * the caches. */
static bool ecdsa_possible(struct span signature, const struct pkix_key *key)
{
    struct span r, s, order = order_of(key->curve);

    return pkix_ecdsa_read(signature, &r, &s) && is_below(r, order) && is_below(s, order);
}

/* RFC 8017 section 9.1.2: hash, salt and two bytes fit into one bit less than the modulus has. */
static bool salt_fits(const struct pkix_algorithm *algorithm, const struct pkix_key *key)
{
    return algorithm->padding != PKIX_PADDING_PSS ||
           (key->bits - 1 + 7) / 8 >= pkix_digest_size(algorithm->digest) + algorithm->salt_size + 2;
}

/* RFC 8017 sections 8.1.2 and 8.2.2: as long as the modulus, and a number below it. A longer one ran over NSS's own
 * buffer (CVE-2021-43527). */
static bool rsa_possible(struct span signature, const struct pkix_algorithm *algorithm, const struct pkix_key *key)
{
    return salt_fits(algorithm, key) && signature.size == (key->bits + 7) / 8 &&
           is_below(without_leading_zeros(signature), key->modulus);
}

/* By what the peer chose, its key; of the dearest RSA key what is measured is the upper end of its row. */
static unsigned cost_of_key(const struct pkix_key *key)
{
    unsigned row = 0;

    if (key->type == PKIX_KEY_EC)
        return ec_cost_us[key->curve];
    while (row + 1 < ARRAY_LEN(rsa_cost) && key->bits > rsa_cost[row].bits_max)
        row++;
    return rsa_cost[row].cost_us * (key->exponent_bits > RSA_EXPONENT_BITS_USUAL ? RSA_LONG_EXPONENT_FACTOR : 1);
}

/* In the order of what it costs to see: form first, then the pair of key and algorithm, then the numbers. */
enum pkix_error pkix_signature_look(const struct pkix_signed *statement, struct span spki, unsigned *cost_us)
{
    struct pkix_algorithm algorithm;
    struct pkix_key key;
    enum pkix_error error;

    *cost_us = 0;
    if ((error = pkix_algorithm_read(statement->algorithm, &algorithm)) != PKIX_OK ||
        (error = pkix_algorithm_check(&algorithm, statement->signature)) != PKIX_OK ||
        (error = pkix_key_read(spki, &key)) != PKIX_OK)
        return error;
    /* The key decides which algorithm there can be, not the statement: else the one who writes it would choose how
     * it is checked. */
    if (key.type != algorithm.key_type ||
        !(key.type == PKIX_KEY_EC ? ecdsa_possible(statement->signature, &key)
                                  : rsa_possible(statement->signature, &algorithm, &key)))
        return PKIX_BAD_SIGNATURE;
    /* What is hashed counts as well: a certificate may have 64 kB, and a CRL megabytes. */
    *cost_us = cost_of_key(&key) + (unsigned)(statement->data.size / BYTES_HASHED_PER_US);
    return PKIX_OK;
}
