/* see tokens/accelerator/key.h */
#include "tokens/accelerator/key.h"
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/spare.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/params.h>
#include <stdlib.h>

/* For each curve: a context that makes pairs, and a public key that waits for another point. */
static struct {
    struct accel_spare generator, peer;
} spares[ACCEL_CURVE_COUNT];

/* libcrypto wants numbers in the order of the machine. */
static void copy_native(uint8_t *out, const uint8_t *big_endian, size_t size)
{
    for (size_t i = 0; i < size; i++)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        out[i] = big_endian[size - 1 - i];
#else
        out[i] = big_endian[i];
#endif
}

static EVP_PKEY *from_params(const char *algorithm, int selection, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(accel_crypto_library(), algorithm, NULL);
    EVP_PKEY *key = NULL;

    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, selection, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

static OSSL_PARAM group_param(const struct accel_curve *curve)
{
    return OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve->name, 0);
}

static OSSL_PARAM point_param(const struct accel_curve *curve, const uint8_t *point)
{
    return OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, curve->point);
}

EVP_PKEY *accel_key_public(const struct accel_curve *curve, const uint8_t *point)
{
    OSSL_PARAM params[] = {group_param(curve), point_param(curve, point), OSSL_PARAM_construct_end()};

    if (curve->montgomery)
        return EVP_PKEY_new_raw_public_key_ex(accel_crypto_library(), curve->name, NULL, point, curve->point);
    return from_params("EC", EVP_PKEY_PUBLIC_KEY, params);
}

EVP_PKEY *accel_key_peer_take(const struct accel_curve *curve, const uint8_t *point)
{
    EVP_PKEY *key = accel_spare_take(&spares[curve->id].peer);

    if (key == NULL)
        return accel_key_public(curve, point);
    /* This, too, refuses a point that is not on the curve. */
    if (EVP_PKEY_set1_encoded_public_key(key, point, curve->point) == 1)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

void accel_key_peer_give(const struct accel_curve *curve, EVP_PKEY *key)
{
    EVP_PKEY_free(accel_spare_give(&spares[curve->id].peer, key));
}

/* The point that belongs to a private key; false when it is out of range. */
static bool compute_point(const struct accel_curve *curve, const uint8_t *value, size_t size,
                          uint8_t out[static ACCEL_POINT_MAX])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(accel_crypto_library(), NULL, EC_curve_nist2nid(curve->name));
    EC_POINT *point = group == NULL ? NULL : EC_POINT_new(group);
    BIGNUM *scalar = BN_bin2bn(value, (int)size, NULL);
    bool ok = point != NULL && scalar != NULL && !BN_is_zero(scalar) && BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0;

    if (ok) {
        BN_set_flags(scalar, BN_FLG_CONSTTIME);
        ok =
            EC_POINT_mul(group, point, scalar, NULL, NULL, NULL) == 1 &&
            EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, ACCEL_POINT_MAX, NULL) == curve->point;
    }
    BN_clear_free(scalar);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return ok;
}

EVP_PKEY *accel_key_private(const struct accel_curve *curve, const uint8_t *value, size_t size)
{
    uint8_t native[ACCEL_COORDINATE_MAX], point[ACCEL_POINT_MAX];
    EVP_PKEY *key = NULL;

    if (size == 0 || size > curve->coordinate)
        return NULL;
    if (curve->montgomery)
        return size != curve->coordinate
                   ? NULL
                   : EVP_PKEY_new_raw_private_key_ex(accel_crypto_library(), curve->name, NULL, value, size);
    if (compute_point(curve, value, size, point)) {
        OSSL_PARAM params[] = {group_param(curve), point_param(curve, point),
                               OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, size),
                               OSSL_PARAM_construct_end()};

        copy_native(native, value, size);
        key = from_params("EC", EVP_PKEY_KEYPAIR, params);
        base_wipe(native, sizeof(native));
    }
    return key;
}

static EVP_PKEY_CTX *make_generator(const struct accel_curve *curve)
{
    EVP_PKEY_CTX *context =
        EVP_PKEY_CTX_new_from_name(accel_crypto_library(), curve->montgomery ? curve->name : "EC", NULL);

    if (context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
        (curve->montgomery || EVP_PKEY_CTX_set_group_name(context, curve->name) == 1))
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

EVP_PKEY *accel_key_generate(const struct accel_curve *curve)
{
    struct accel_spare *spare = &spares[curve->id].generator;
    EVP_PKEY_CTX *context = accel_spare_take(spare);
    EVP_PKEY *key = NULL;

    if (context == NULL)
        context = make_generator(curve);
    if (context == NULL || EVP_PKEY_generate(context, &key) != 1) {
        EVP_PKEY_CTX_free(context);
        return NULL;
    }
    EVP_PKEY_CTX_free(accel_spare_give(spare, context));
    return key;
}

void accel_keys_stop(void)
{
    for (size_t i = 0; i < ACCEL_CURVE_COUNT; i++) {
        EVP_PKEY_CTX_free(accel_spare_take(&spares[i].generator));
        EVP_PKEY_free(accel_spare_take(&spares[i].peer));
    }
}

static const char *const rsa_names[] = {
    [ACCEL_RSA_MODULUS] = OSSL_PKEY_PARAM_RSA_N,
    [ACCEL_RSA_PUBLIC_EXPONENT] = OSSL_PKEY_PARAM_RSA_E,
    [ACCEL_RSA_PRIVATE_EXPONENT] = OSSL_PKEY_PARAM_RSA_D,
    [ACCEL_RSA_PRIME_1] = OSSL_PKEY_PARAM_RSA_FACTOR1,
    [ACCEL_RSA_PRIME_2] = OSSL_PKEY_PARAM_RSA_FACTOR2,
    [ACCEL_RSA_EXPONENT_1] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
    [ACCEL_RSA_EXPONENT_2] = OSSL_PKEY_PARAM_RSA_EXPONENT2,
    [ACCEL_RSA_COEFFICIENT] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};
static_assert(ARRAY_LEN(rsa_names) == ACCEL_RSA_NUMBER_COUNT, "one name for each number");

static bool has_good_size(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    return bits >= ACCEL_RSA_BITS_MIN && bits <= ACCEL_RSA_BITS_MAX;
}

EVP_PKEY *accel_key_rsa(const struct accel_number *numbers, size_t count)
{
    OSSL_PARAM params[ACCEL_RSA_NUMBER_COUNT + 1];
    size_t total = 0, used = 0;
    uint8_t *native;
    EVP_PKEY *key;

    assert(count == ACCEL_RSA_PUBLIC_COUNT || count == ACCEL_RSA_NUMBER_COUNT);
    for (size_t i = 0; i < count; i++) {
        if (numbers[i].size == 0 || numbers[i].size > ACCEL_RSA_BYTES_MAX + 1)
            return NULL;
        total += numbers[i].size;
    }
    native = base_alloc(total);
    for (size_t i = 0; i < count; i++) {
        copy_native(native + used, numbers[i].data, numbers[i].size);
        params[i] = OSSL_PARAM_construct_BN(rsa_names[i], native + used, numbers[i].size);
        used += numbers[i].size;
    }
    params[count] = OSSL_PARAM_construct_end();
    key = from_params("RSA", count == ACCEL_RSA_PUBLIC_COUNT ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params);
    base_wipe(native, total);
    free(native);
    if (key != NULL && !has_good_size(key)) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}
