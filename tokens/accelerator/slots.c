/* One slot with one token in it, which is always there: and the list of what it can do.
 *
 * The token has no PIN and keeps nothing. It does not say that it has random bytes (CKF_RNG), or NSS would mix its own
 * with them at each start; who asks gets some. What is not listed here NSS does itself, by moving the key; so only what
 * is faster here is listed. */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/session.h"

static const struct {
    CK_MECHANISM_TYPE type;
    CK_MECHANISM_INFO info;
} mechanisms[] = {
    {CKM_EC_KEY_PAIR_GEN, {256, 521, CKF_GENERATE_KEY_PAIR | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS}},
    {CKM_ECDH1_DERIVE, {256, 521, CKF_DERIVE | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS}},
    {CKM_ECDSA, {256, 521, CKF_SIGN | CKF_VERIFY | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS}},
    {CKM_RSA_PKCS, {1024, 16384, CKF_SIGN | CKF_VERIFY | CKF_WRAP}},
    {CKM_RSA_PKCS_PSS, {1024, 16384, CKF_SIGN | CKF_VERIFY}},
    {CKM_HKDF_DERIVE, {0, 0, CKF_DERIVE}},
    {CKM_HKDF_DATA, {0, 0, CKF_DERIVE}},
    {CKM_SHA256, {0, 0, CKF_DIGEST}},
    {CKM_SHA384, {0, 0, CKF_DIGEST}},
    {CKM_SHA512, {0, 0, CKF_DIGEST}},
    {CKM_SHA256_HMAC, {1, 4096, CKF_SIGN | CKF_VERIFY}},
    {CKM_SHA384_HMAC, {1, 4096, CKF_SIGN | CKF_VERIFY}},
    {CKM_SHA512_HMAC, {1, 4096, CKF_SIGN | CKF_VERIFY}},
    {CKM_AES_KEY_GEN, {16, 32, CKF_GENERATE}},
    {CKM_AES_ECB, {16, 32, CKF_WRAP | CKF_UNWRAP}},
    {CKM_AES_GCM, {16, 32, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE}},
    {CKM_CHACHA20_POLY1305, {32, 32, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE}},
    {CKM_TLS12_MASTER_KEY_DERIVE, {48, 48, CKF_DERIVE}},
    {CKM_TLS12_MASTER_KEY_DERIVE_DH, {1, 512, CKF_DERIVE}},
    {CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE, {48, 48, CKF_DERIVE}},
    {CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH, {1, 512, CKF_DERIVE}},
    {CKM_TLS12_KEY_AND_MAC_DERIVE, {48, 48, CKF_DERIVE}},
    {CKM_TLS_MAC, {48, 48, CKF_SIGN | CKF_VERIFY}},
};

/* Fields of a fixed size, padded with blanks and without a NUL. */
static void pad(unsigned char *out, size_t size, const char *text)
{
    size_t length = strlen(text);

    assert(length <= size);
    memset(out, ' ', size);
    memcpy(out, text, length);
}

CK_RV C_GetInfo(CK_INFO *info)
{
    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (info == NULL)
        return CKR_ARGUMENTS_BAD;
    *info = (CK_INFO){.cryptokiVersion = {3, 0}, .libraryVersion = {1, 0}};
    pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    pad(info->libraryDescription, sizeof(info->libraryDescription), "yett accelerator");
    return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count)
{
    CK_ULONG room;

    (void)token_present; /* it always is */
    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = 1;
    if (list == NULL)
        return CKR_OK;
    if (room < 1)
        return CKR_BUFFER_TOO_SMALL;
    list[0] = ACCEL_SLOT;
    return CKR_OK;
}

static CK_RV check_slot(CK_SLOT_ID slot, const void *out)
{
    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != ACCEL_SLOT)
        return CKR_SLOT_ID_INVALID;
    return out == NULL ? CKR_ARGUMENTS_BAD : CKR_OK;
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    CK_RV rv = check_slot(slot, info);

    if (rv != CKR_OK)
        return rv;
    *info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT, .hardwareVersion = {1, 0}, .firmwareVersion = {1, 0}};
    pad(info->slotDescription, sizeof(info->slotDescription), "yett accelerator");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    return CKR_OK;
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv = check_slot(slot, info);

    if (rv != CKR_OK)
        return rv;
    *info = (CK_TOKEN_INFO){
        .flags = CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED,
        .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .hardwareVersion = {1, 0},
        .firmwareVersion = {1, 0},
    };
    pad(info->label, sizeof(info->label), "yett accelerator");
    pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    pad(info->model, sizeof(info->model), "libcrypto");
    pad(info->serialNumber, sizeof(info->serialNumber), "1");
    pad(info->utcTime, sizeof(info->utcTime), "");
    return CKR_OK;
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    CK_RV rv = check_slot(slot, count);
    CK_ULONG room;

    if (rv != CKR_OK)
        return rv;
    room = *count;
    *count = ARRAY_LEN(mechanisms);
    if (list == NULL)
        return CKR_OK;
    if (room < ARRAY_LEN(mechanisms))
        return CKR_BUFFER_TOO_SMALL;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        list[i] = mechanisms[i].type;
    return CKR_OK;
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    CK_RV rv = check_slot(slot, info);

    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (mechanisms[i].type == type) {
            *info = mechanisms[i].info;
            return CKR_OK;
        }
    return CKR_MECHANISM_INVALID;
}

CK_RV C_SeedRandom(CK_SESSION_HANDLE handle, CK_BYTE *seed, CK_ULONG size)
{
    (void)handle;
    (void)seed; /* libcrypto seeds itself, from the system */
    (void)size;
    return CKR_RANDOM_SEED_NOT_SUPPORTED;
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG size)
{
    struct accel_session *session;
    CK_RV rv = accel_session_get(handle, &session);

    if (rv == CKR_OK && !accel_readable(out, size))
        rv = CKR_ARGUMENTS_BAD;
    if (rv == CKR_OK && !accel_crypto_random(out, size))
        rv = CKR_FUNCTION_FAILED;
    accel_session_put(&session);
    return rv;
}
