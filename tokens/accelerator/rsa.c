/* CKM_RSA_PKCS, over a DigestInfo that NSS has made, and CKM_RSA_PKCS_PSS, over a digest: RFC 8017 sections 8.1
 * and 8.2. See tokens/accelerator/signer.h. */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/signer.h"

#include <openssl/rsa.h>

static CK_MECHANISM_TYPE hash_of_mgf(CK_RSA_PKCS_MGF_TYPE mgf)
{
    switch (mgf) {
    case CKG_MGF1_SHA256:
        return CKM_SHA256;
    case CKG_MGF1_SHA384:
        return CKM_SHA384;
    case CKG_MGF1_SHA512:
        return CKM_SHA512;
    }
    return CKM_INVALID_MECHANISM;
}

static CK_RV rsa_start(struct accel_signing *s, const CK_MECHANISM *mechanism)
{
    const CK_RSA_PKCS_PSS_PARAMS *params;

    if (s->key->type != CKK_RSA)
        return CKR_KEY_TYPE_INCONSISTENT;
    s->u.rsa.pss = mechanism->mechanism == CKM_RSA_PKCS_PSS;
    if (!s->u.rsa.pss)
        return mechanism->ulParameterLen == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
    params = ACCEL_PARAMETER(mechanism, CK_RSA_PKCS_PSS_PARAMS);
    if (params == NULL || accel_hash_find(params->hashAlg) == NULL ||
        accel_hash_find(hash_of_mgf(params->mgf)) == NULL || params->sLen > ACCEL_RSA_BYTES_MAX)
        return CKR_MECHANISM_PARAM_INVALID;
    s->u.rsa.params = *params;
    return CKR_OK;
}

static size_t rsa_size(const struct accel_signing *s)
{
    return (size_t)EVP_PKEY_get_size(s->key->key);
}

static bool set_padding(const struct accel_signing *s, EVP_PKEY_CTX *context)
{
    const CK_RSA_PKCS_PSS_PARAMS *params = &s->u.rsa.params;

    if (!s->u.rsa.pss)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_ctrl_str(context, "digest", accel_crypto_hash_name(params->hashAlg)) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(context, accel_crypto_hash_name(hash_of_mgf(params->mgf)), NULL) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, (int)params->sLen) == 1;
}

static bool fits(const struct accel_signing *s, size_t size)
{
    return s->u.rsa.pss ? size == accel_hash_find(s->u.rsa.params.hashAlg)->size
                        : size + RSA_PKCS1_PADDING_SIZE <= rsa_size(s);
}

static CK_RV rsa_sign(struct accel_signing *s, const uint8_t *data, size_t size, uint8_t *out)
{
    EVP_PKEY_CTX *context;
    size_t written = rsa_size(s);
    bool ok;

    if (!fits(s, size))
        return CKR_DATA_LEN_RANGE;
    context = EVP_PKEY_CTX_new_from_pkey(accel_crypto_library(), s->key->key, NULL);
    ok = context != NULL && EVP_PKEY_sign_init(context) == 1 && set_padding(s, context) &&
         EVP_PKEY_sign(context, out, &written, data, size) == 1 && written == rsa_size(s);
    EVP_PKEY_CTX_free(context);
    return ok ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV rsa_verify(struct accel_signing *s, const uint8_t *data, size_t size, const uint8_t *signature,
                        size_t signature_size)
{
    EVP_PKEY_CTX *context;
    bool ok;

    if (!fits(s, size))
        return CKR_DATA_LEN_RANGE;
    if (signature_size != rsa_size(s))
        return CKR_SIGNATURE_LEN_RANGE;
    context = EVP_PKEY_CTX_new_from_pkey(accel_crypto_library(), s->key->key, NULL);
    ok = context != NULL && EVP_PKEY_verify_init(context) == 1 && set_padding(s, context) &&
         EVP_PKEY_verify(context, signature, signature_size, data, size) == 1;
    EVP_PKEY_CTX_free(context);
    return ok ? CKR_OK : CKR_SIGNATURE_INVALID;
}

const struct accel_signer accel_signer_rsa = {
    .sign_class = CKO_PRIVATE_KEY,
    .verify_class = CKO_PUBLIC_KEY,
    .start = rsa_start,
    .size = rsa_size,
    .sign = rsa_sign,
    .verify = rsa_verify,
};
