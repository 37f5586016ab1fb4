/* C_WrapKey() and C_UnwrapKey(): the secrets of sessions in tickets and in the session cache.
 *
 * libssl wraps a session's secret with AES-ECB, since that is the best that a token without CBC has, and puts it into a
 * ticket that is encrypted and authenticated; and the wrapping key with a server's RSA key, once, for other processes.
 *
 * There is no unwrapping with RSA: a private key in this module signs and agrees, so that nobody has to ask whether its
 * padding errors can be told apart (Bleichenbacher). */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/secret.h"
#include "tokens/accelerator/session.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

enum { AES_BLOCK = 16 };

static size_t round_up(size_t size)
{
    return (size + AES_BLOCK - 1) / AES_BLOCK * AES_BLOCK;
}

/* `size` is a multiple of the block's. */
static bool run_ecb(const struct accel_object *key, bool encrypts, const uint8_t *in, size_t size, uint8_t *out)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    enum accel_cipher cipher = key->value_size == 16   ? ACCEL_AES_128_ECB
                               : key->value_size == 24 ? ACCEL_AES_192_ECB
                                                       : ACCEL_AES_256_ECB;
    int written = 0;
    bool ok = context != NULL &&
              EVP_CipherInit_ex2(context, accel_crypto_cipher(cipher), key->value, NULL, encrypts ? 1 : 0, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
              EVP_CipherUpdate(context, out, &written, in, (int)size) == 1 && (size_t)written == size;

    EVP_CIPHER_CTX_free(context);
    return ok;
}

static bool run_rsa(EVP_PKEY *key, const struct accel_object *secret, uint8_t *out, size_t size)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(accel_crypto_library(), key, NULL);
    size_t written = size;
    bool ok = context != NULL && EVP_PKEY_encrypt_init(context) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_encrypt(context, out, &written, secret->value, secret->value_size) == 1 && written == size;

    EVP_PKEY_CTX_free(context);
    return ok;
}

/* Blocks are filled up with zeros (PKCS #11 section 6.13.4, CKM_AES_ECB). */
static CK_RV wrap_aes(const struct accel_object *key, const struct accel_object *secret, CK_BYTE *out,
                      CK_ULONG *out_size)
{
    size_t size = round_up(secret->value_size);
    uint8_t *padded;
    bool ok;

    if (out == NULL || *out_size < size)
        return accel_give(NULL, size, out, out_size);
    padded = base_alloc(size);
    memcpy(padded, secret->value, secret->value_size);
    ok = run_ecb(key, true, padded, size, out);
    base_wipe(padded, size);
    free(padded);
    *out_size = size;
    return ok ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV wrap_rsa(const struct accel_object *key, const struct accel_object *secret, CK_BYTE *out,
                      CK_ULONG *out_size)
{
    size_t size = (size_t)EVP_PKEY_get_size(key->key);

    if (secret->value_size + RSA_PKCS1_PADDING_SIZE > size)
        return CKR_KEY_SIZE_RANGE;
    if (out == NULL || *out_size < size)
        return accel_give(NULL, size, out, out_size);
    *out_size = size;
    return run_rsa(key->key, secret, out, size) ? CKR_OK : CKR_FUNCTION_FAILED;
}

/* The key that wraps, by what the mechanism wants. */
static CK_RV get_wrapping_key(const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle, enum accel_use use,
                              struct accel_object **key)
{
    bool aes = mechanism->mechanism == CKM_AES_ECB;
    CK_RV rv;

    if (!aes && !(mechanism->mechanism == CKM_RSA_PKCS && use == ACCEL_USE_WRAP))
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    rv = accel_object_get_key(handle, aes ? CKO_SECRET_KEY : CKO_PUBLIC_KEY, use, key);
    if (rv == CKR_KEY_HANDLE_INVALID)
        return use == ACCEL_USE_WRAP ? CKR_WRAPPING_KEY_HANDLE_INVALID : CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    if (rv == CKR_OK && (*key)->type != (aes ? CKK_AES : CKK_RSA)) {
        accel_object_put(key);
        rv = CKR_KEY_TYPE_INCONSISTENT;
    }
    if (rv == CKR_KEY_TYPE_INCONSISTENT)
        return use == ACCEL_USE_WRAP ? CKR_WRAPPING_KEY_TYPE_INCONSISTENT : CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    return rv;
}

static CK_RV wrap(const CK_MECHANISM *mechanism, const struct accel_object *key, CK_OBJECT_HANDLE handle, CK_BYTE *out,
                  CK_ULONG *out_size)
{
    struct accel_object *secret = accel_object_get(handle);
    CK_RV rv;

    if (secret == NULL)
        return CKR_KEY_HANDLE_INVALID;
    if (secret->class != CKO_SECRET_KEY)
        rv = CKR_KEY_NOT_WRAPPABLE;
    else if (!secret->extractable)
        rv = CKR_KEY_UNEXTRACTABLE;
    else
        rv = mechanism->mechanism == CKM_AES_ECB ? wrap_aes(key, secret, out, out_size)
                                                 : wrap_rsa(key, secret, out, out_size);
    accel_object_put(&secret);
    return rv;
}

CK_RV C_WrapKey(CK_SESSION_HANDLE session_handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key_handle,
                CK_OBJECT_HANDLE secret_handle, CK_BYTE *out, CK_ULONG *out_size)
{
    struct accel_session *session;
    struct accel_object *key = NULL;
    CK_RV rv;

    if (mechanism == NULL || out_size == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv == CKR_OK)
        rv = get_wrapping_key(mechanism, key_handle, ACCEL_USE_WRAP, &key);
    if (rv == CKR_OK)
        rv = wrap(mechanism, key, secret_handle, out, out_size);
    if (rv != CKR_OK)
        ERR_clear_error();
    accel_object_put(&key);
    accel_session_put(&session);
    return rv;
}

static CK_RV unwrap(const struct accel_object *key, const uint8_t *in, size_t size,
                    const struct accel_template *template, struct accel_object **made)
{
    uint8_t *plain;
    CK_RV rv;

    if (size == 0 || size % AES_BLOCK != 0 || size > ACCEL_SECRET_MAX)
        return CKR_WRAPPED_KEY_LEN_RANGE;
    rv = accel_secret_create(template, size, made);
    if (rv == CKR_OK && round_up((*made)->value_size) != size)
        rv = CKR_WRAPPED_KEY_LEN_RANGE;
    plain = base_alloc(size);
    if (rv == CKR_OK && !run_ecb(key, false, in, size, plain))
        rv = CKR_WRAPPED_KEY_INVALID;
    if (rv == CKR_OK)
        memcpy((*made)->value, plain, (*made)->value_size);
    else
        accel_object_put(made);
    base_wipe(plain, size);
    free(plain);
    return rv;
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE session_handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key_handle, CK_BYTE *in,
                  CK_ULONG size, CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *handle)
{
    struct accel_session *session;
    struct accel_template template;
    struct accel_object *key = NULL, *made = NULL;
    CK_RV rv;

    if (mechanism == NULL || handle == NULL || !accel_readable(in, size))
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    if (rv == CKR_OK)
        rv = get_wrapping_key(mechanism, key_handle, ACCEL_USE_UNWRAP, &key);
    if (rv == CKR_OK)
        rv = unwrap(key, in, size, &template, &made);
    if (rv == CKR_OK)
        accel_object_publish(session, made, handle);
    else
        ERR_clear_error();
    accel_object_put(&key);
    accel_session_put(&session);
    return rv;
}
