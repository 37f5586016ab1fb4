/* tokens/accelerator/curve.h: the curves that the module knows, and points on them as PKCS #11 writes them. */
#ifndef YETT_TOKENS_ACCELERATOR_CURVE_H
#define YETT_TOKENS_ACCELERATOR_CURVE_H

#include "tokens/accelerator/cryptoki.h"

enum { ACCEL_POINT_MAX = 133, ACCEL_COORDINATE_MAX = 66, ACCEL_CURVE_PARAMS_MAX = 12 };

enum accel_curve_id { ACCEL_P256, ACCEL_P384, ACCEL_P521, ACCEL_X25519, ACCEL_CURVE_COUNT };

struct accel_curve {
    enum accel_curve_id id;
    const char *name;   /* for libcrypto: the group, or the algorithm */
    bool montgomery;    /* X25519: for derivation only */
    size_t coordinate;  /* bytes of a coordinate, of a private key, and of what ECDH gives */
    size_t point;       /* bytes of a public key, uncompressed */
    size_t params_size; /* CKA_EC_PARAMS: an OBJECT IDENTIFIER in DER */
    uint8_t params[ACCEL_CURVE_PARAMS_MAX];
};

/* The curve of CKA_EC_PARAMS, or NULL. X25519 goes by NSS's identifier and by that of RFC 8410. */
const struct accel_curve *accel_curve_find(const void *params, size_t size);

/* The public key in what is either a point itself or a DER OCTET STRING with it: PKCS #11 2.20 was unclear, and NSS
 * tries both. NULL when it is neither, by its size and first byte; whether it is on the curve is libcrypto's to say. */
const uint8_t *accel_curve_point(const struct accel_curve *curve, const void *data, size_t size);

#endif
