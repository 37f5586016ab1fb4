/* tokens/private_key.h: a private key in PKCS#8 (RFC 5958), as the numbers that PKCS#11 wants of it.
 *
 * RSA (RFC 8017 appendix A.1.2) with two primes, and EC (RFC 5915) on a named curve; nothing else. Looks, and checks no
 * number: the module that takes them does. Spans point into what was read. Pure. */
#ifndef YETT_TOKENS_PRIVATE_KEY_H
#define YETT_TOKENS_PRIVATE_KEY_H

#include "tokens/wire.h"

enum tokens_rsa_number {
    TOKENS_RSA_MODULUS,
    TOKENS_RSA_PUBLIC_EXPONENT,
    TOKENS_RSA_PRIVATE_EXPONENT,
    TOKENS_RSA_PRIME_1,
    TOKENS_RSA_PRIME_2,
    TOKENS_RSA_EXPONENT_1,
    TOKENS_RSA_EXPONENT_2,
    TOKENS_RSA_COEFFICIENT,
    TOKENS_RSA_NUMBER_COUNT
};

struct tokens_private_key {
    enum tokens_wire_key type;
    struct span rsa[TOKENS_RSA_NUMBER_COUNT]; /* big-endian, without leading zeros */
    struct span ec_params;                    /* the curve's OID, a whole element: CKA_EC_PARAMS */
    struct span ec_value;                     /* the secret number, as written: CKA_VALUE */
};

/* False: it is none of these, or malformed. */
MUST_CHECK bool tokens_private_key_read(struct span pkcs8, struct tokens_private_key *key);

#endif
