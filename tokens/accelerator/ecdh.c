/* CKM_ECDH1_DERIVE: see tokens/accelerator/derive.h */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/derive.h"
#include "tokens/accelerator/key.h"
#include "tokens/accelerator/secret.h"

/* False also when the result of X25519 is zero (RFC 7748 section 6.1), which a peer with a point of low order wants. */
static bool agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t *out, size_t size)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(accel_crypto_library(), own, NULL);
    size_t written = size;
    /* The point was proved to be on its curve when the key was made, and the curves have no cofactor to speak of. */
    bool ok = context != NULL && EVP_PKEY_derive_init(context) == 1 &&
              EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1 && EVP_PKEY_derive(context, out, &written) == 1 &&
              written == size;

    EVP_PKEY_CTX_free(context);
    return ok;
}

CK_RV accel_derive_ecdh(const struct accel_derivation *d, struct accel_object **made)
{
    const CK_ECDH1_DERIVE_PARAMS *params = ACCEL_PARAMETER(d->mechanism, CK_ECDH1_DERIVE_PARAMS);
    const struct accel_curve *curve = d->base->curve;
    uint8_t shared[ACCEL_COORDINATE_MAX];
    const uint8_t *point;
    EVP_PKEY *peer;
    CK_RV rv;

    if (curve == NULL)
        return CKR_KEY_TYPE_INCONSISTENT;
    if (params == NULL || params->kdf != CKD_NULL || params->ulSharedDataLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    point = accel_curve_point(curve, params->pPublicData, params->ulPublicDataLen);
    peer = point == NULL ? NULL : accel_key_peer_take(curve, point);
    if (peer == NULL)
        return CKR_MECHANISM_PARAM_INVALID;
    rv = accel_secret_create(d->template, curve->coordinate, made);
    if (rv == CKR_OK && (*made)->value_size > curve->coordinate)
        rv = CKR_KEY_SIZE_RANGE;
    if (rv == CKR_OK && !agree(d->base->key, peer, shared, curve->coordinate))
        rv = CKR_MECHANISM_PARAM_INVALID;
    if (rv == CKR_OK) /* a shorter key is the end of the secret, PKCS #11 section 6.3.16 */
        memcpy((*made)->value, shared + curve->coordinate - (*made)->value_size, (*made)->value_size);
    else
        accel_object_put(made);
    base_wipe(shared, sizeof(shared));
    accel_key_peer_give(curve, peer);
    return rv;
}
