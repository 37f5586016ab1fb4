/* CKM_ECDSA over a digest: see tokens/accelerator/signer.h. PKCS #11's signatures are r and s, each as long as the
 * order of the curve (section 6.3.1); libcrypto's are DER. */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/signer.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

enum { DER_MAX = 160 };

static CK_RV ecdsa_start(struct accel_signing *s, const CK_MECHANISM *mechanism)
{
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    return s->key->curve == NULL || s->key->curve->montgomery ? CKR_KEY_TYPE_INCONSISTENT : CKR_OK;
}

static size_t ecdsa_size(const struct accel_signing *s)
{
    return 2 * s->key->curve->coordinate;
}

static bool to_raw(const uint8_t *der, size_t der_size, uint8_t *out, size_t half)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_size);
    bool ok = signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, (int)half) == (int)half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + half, (int)half) == (int)half;

    ECDSA_SIG_free(signature);
    return ok;
}

/* 0 when it cannot be written. */
static size_t to_der(const uint8_t *raw, size_t half, uint8_t out[static DER_MAX])
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)half, NULL), *s = BN_bin2bn(raw + half, (int)half, NULL);
    uint8_t *end = out;
    int size = 0;

    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        if (i2d_ECDSA_SIG(signature, NULL) <= DER_MAX)
            size = i2d_ECDSA_SIG(signature, &end);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return size < 0 ? 0 : (size_t)size;
}

static EVP_PKEY_CTX *make_signing_context(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(accel_crypto_library(), key, NULL);

    if (context != NULL && EVP_PKEY_sign_init(context) == 1)
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

static CK_RV ecdsa_sign(struct accel_signing *s, const uint8_t *data, size_t size, uint8_t *out)
{
    EVP_PKEY_CTX *context = accel_spare_take(&s->key->signing);
    uint8_t der[DER_MAX];
    size_t der_size = sizeof(der);

    if (context == NULL)
        context = make_signing_context(s->key->key);
    if (context == NULL || EVP_PKEY_sign(context, der, &der_size, data, size) != 1 ||
        !to_raw(der, der_size, out, s->key->curve->coordinate)) {
        EVP_PKEY_CTX_free(context);
        return CKR_FUNCTION_FAILED;
    }
    EVP_PKEY_CTX_free(accel_spare_give(&s->key->signing, context));
    return CKR_OK;
}

static CK_RV ecdsa_verify(struct accel_signing *s, const uint8_t *data, size_t size, const uint8_t *signature,
                          size_t signature_size)
{
    EVP_PKEY_CTX *context;
    uint8_t der[DER_MAX];
    size_t der_size;
    bool ok;

    if (signature_size != ecdsa_size(s))
        return CKR_SIGNATURE_LEN_RANGE;
    der_size = to_der(signature, s->key->curve->coordinate, der);
    context = EVP_PKEY_CTX_new_from_pkey(accel_crypto_library(), s->key->key, NULL);
    ok = der_size != 0 && context != NULL && EVP_PKEY_verify_init(context) == 1 &&
         EVP_PKEY_verify(context, der, der_size, data, size) == 1;
    EVP_PKEY_CTX_free(context);
    return ok ? CKR_OK : CKR_SIGNATURE_INVALID;
}

const struct accel_signer accel_signer_ecdsa = {
    .sign_class = CKO_PRIVATE_KEY,
    .verify_class = CKO_PUBLIC_KEY,
    .start = ecdsa_start,
    .size = ecdsa_size,
    .sign = ecdsa_sign,
    .verify = ecdsa_verify,
};
