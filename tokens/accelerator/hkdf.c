/* CKM_HKDF_DERIVE and CKM_HKDF_DATA, RFC 5869: see tokens/accelerator/derive.h */
#include "tokens/accelerator/derive.h"
#include "tokens/accelerator/hash.h"
#include "tokens/accelerator/secret.h"

enum { BLOCKS_MAX = 255 };

/* The salt: none (a hash's size of zeros), bytes, or another secret of this token. */
static CK_RV extract(const struct accel_hash *hash, const CK_HKDF_PARAMS *params, const struct accel_object *input,
                     uint8_t out[static ACCEL_HASH_MAX])
{
    static const uint8_t zeros[ACCEL_HASH_MAX];
    struct accel_object *salt_key = NULL;
    const uint8_t *salt = zeros;
    size_t salt_size = hash->size;
    struct accel_hmac hmac;
    CK_RV rv;

    switch (params->ulSaltType) {
    case CKF_HKDF_SALT_NULL:
        break;
    case CKF_HKDF_SALT_DATA:
        if (!accel_readable(params->pSalt, params->ulSaltLen))
            return CKR_MECHANISM_PARAM_INVALID;
        salt = params->pSalt;
        salt_size = params->ulSaltLen;
        break;
    case CKF_HKDF_SALT_KEY:
        rv = accel_secret_get_base(params->hSaltKey, &salt_key);
        if (rv != CKR_OK)
            return rv;
        salt = salt_key->value;
        salt_size = salt_key->value_size;
        break;
    default:
        return CKR_MECHANISM_PARAM_INVALID;
    }
    accel_hmac_init(&hmac, hash, salt, salt_size);
    accel_hmac_update(&hmac, input->value, input->value_size);
    accel_hmac_final(&hmac, out);
    accel_object_put(&salt_key);
    return CKR_OK;
}

static void expand(const struct accel_hash *hash, const void *key, size_t key_size, const CK_HKDF_PARAMS *params,
                   uint8_t *out, size_t out_size)
{
    struct accel_hmac keyed, hmac;
    uint8_t block[ACCEL_HASH_MAX];

    accel_hmac_init(&keyed, hash, key, key_size);
    for (size_t done = 0, number = 1; done < out_size; number++) {
        size_t size = out_size - done < hash->size ? out_size - done : hash->size;
        uint8_t counter = (uint8_t)number;

        hmac = keyed;
        if (number > 1)
            accel_hmac_update(&hmac, block, hash->size);
        accel_hmac_update(&hmac, params->pInfo, params->ulInfoLen);
        accel_hmac_update(&hmac, &counter, sizeof(counter));
        accel_hmac_final(&hmac, block);
        memcpy(out + done, block, size);
        done += size;
    }
    base_wipe(&keyed, sizeof(keyed));
    base_wipe(block, sizeof(block));
}

static CK_RV fill(const struct accel_derivation *d, const struct accel_hash *hash, const CK_HKDF_PARAMS *params,
                  struct accel_object *made)
{
    uint8_t extracted[ACCEL_HASH_MAX];
    const uint8_t *key = d->base->value;
    size_t key_size = d->base->value_size;
    CK_RV rv = CKR_OK;

    if (made->value_size > (params->bExpand ? BLOCKS_MAX * hash->size : hash->size))
        return CKR_KEY_SIZE_RANGE;
    if (params->bExtract) {
        rv = extract(hash, params, d->base, extracted);
        key = extracted;
        key_size = hash->size;
    }
    if (rv == CKR_OK && params->bExpand)
        expand(hash, key, key_size, params, made->value, made->value_size);
    else if (rv == CKR_OK)
        memcpy(made->value, extracted, made->value_size);
    base_wipe(extracted, sizeof(extracted));
    return rv;
}

CK_RV accel_derive_hkdf(const struct accel_derivation *d, struct accel_object **made)
{
    const CK_HKDF_PARAMS *params = ACCEL_PARAMETER(d->mechanism, CK_HKDF_PARAMS);
    const struct accel_hash *hash = params == NULL ? NULL : accel_hash_find(params->prfHashMechanism);
    size_t natural;
    CK_RV rv;

    if (hash == NULL || (!params->bExtract && !params->bExpand) ||
        (params->bExpand && !accel_readable(params->pInfo, params->ulInfoLen)))
        return CKR_MECHANISM_PARAM_INVALID;
    natural = params->bExpand ? 0 : hash->size; /* only what is extracted has a size by itself */
    rv = d->mechanism->mechanism == CKM_HKDF_DATA ? accel_secret_create_data(d->template, natural, made)
                                                  : accel_secret_create(d->template, natural, made);
    if (rv == CKR_OK)
        rv = fill(d, hash, params, *made);
    if (rv != CKR_OK)
        accel_object_put(made);
    return rv;
}
