/* C_Sign...() and C_Verify...(): see tokens/accelerator/signer.h */
#include "tokens/accelerator/session.h"
#include "tokens/accelerator/signer.h"

#include <openssl/err.h>
#include <stdlib.h>

struct signing {
    struct accel_operation operation;
    struct accel_signing s;
    bool updated; /* has data in pieces: only Final may follow */
};

static const struct {
    CK_MECHANISM_TYPE mechanism;
    const struct accel_signer *signer;
} signers[] = {
    {CKM_SHA256_HMAC, &accel_signer_hmac}, {CKM_SHA384_HMAC, &accel_signer_hmac}, {CKM_SHA512_HMAC, &accel_signer_hmac},
    {CKM_TLS_MAC, &accel_signer_finished}, {CKM_ECDSA, &accel_signer_ecdsa},      {CKM_RSA_PKCS, &accel_signer_rsa},
    {CKM_RSA_PKCS_PSS, &accel_signer_rsa},
};

const struct accel_signer *accel_signer_find(CK_MECHANISM_TYPE mechanism)
{
    for (size_t i = 0; i < ARRAY_LEN(signers); i++)
        if (signers[i].mechanism == mechanism)
            return signers[i].signer;
    return NULL;
}

static void signing_destroy(struct accel_operation *operation)
{
    struct signing *signing = CONTAINER_OF(operation, struct signing, operation);

    accel_object_put(&signing->s.key);
    base_wipe(signing, sizeof(*signing));
    free(signing);
}

static CK_RV start(const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, enum accel_operation_kind kind,
                   struct signing **started)
{
    const struct accel_signer *signer = accel_signer_find(mechanism->mechanism);
    bool sign = kind == ACCEL_OPERATION_SIGN;
    struct signing *signing;
    CK_RV rv;

    if (signer == NULL)
        return CKR_MECHANISM_INVALID;
    signing = base_alloc(sizeof(*signing));
    signing->operation = (struct accel_operation){kind, signing_destroy};
    signing->s.signer = signer;
    rv = accel_object_get_key(key, sign ? signer->sign_class : signer->verify_class,
                              sign ? ACCEL_USE_SIGN : ACCEL_USE_VERIFY, &signing->s.key);
    if (rv == CKR_OK)
        rv = signer->start(&signing->s, mechanism);
    if (rv != CKR_OK) {
        signing_destroy(&signing->operation);
        return rv;
    }
    *started = signing;
    return CKR_OK;
}

static CK_RV init(CK_SESSION_HANDLE handle, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                  enum accel_operation_kind kind)
{
    struct accel_session *session;
    struct signing *signing;
    CK_RV rv;

    if (mechanism == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv == CKR_OK && session->operation != NULL)
        rv = CKR_OPERATION_ACTIVE;
    if (rv == CKR_OK)
        rv = start(mechanism, key, kind, &signing);
    if (rv == CKR_OK)
        rv = accel_session_begin(session, &signing->operation);
    accel_session_leave(&session);
    return rv;
}

static CK_RV enter(CK_SESSION_HANDLE handle, enum accel_operation_kind kind, struct accel_session **session,
                   struct signing **signing)
{
    CK_RV rv = accel_session_enter(handle, session);
    struct accel_operation *operation;

    if (rv != CKR_OK)
        return rv;
    operation = accel_session_operation(*session, kind);
    if (operation == NULL)
        return CKR_OPERATION_NOT_INITIALIZED;
    *signing = CONTAINER_OF(operation, struct signing, operation);
    return CKR_OK;
}

/* What went wrong in libcrypto is the caller's return value; nothing is left on the thread's queue for others to find.
 */
static CK_RV leave(struct accel_session **session, CK_RV rv)
{
    if (rv != CKR_OK)
        ERR_clear_error();
    accel_session_leave(session);
    return rv;
}

static CK_RV update(CK_SESSION_HANDLE handle, enum accel_operation_kind kind, const uint8_t *data, size_t size)
{
    struct accel_session *session;
    struct signing *signing;
    CK_RV rv = enter(handle, kind, &session, &signing);

    if (rv == CKR_OK) {
        if (!accel_readable(data, size))
            rv = CKR_ARGUMENTS_BAD;
        else if (signing->s.signer->update == NULL)
            rv = CKR_FUNCTION_NOT_SUPPORTED;
        else
            rv = signing->s.signer->update(&signing->s, data, size);
        signing->updated = true;
        if (rv != CKR_OK)
            accel_session_end(session);
    }
    return leave(&session, rv);
}

/* All of the data at once, for either kind of signer. */
static CK_RV sign_whole(struct accel_signing *s, const uint8_t *data, size_t size, uint8_t *out)
{
    CK_RV rv;

    if (s->signer->sign != NULL)
        return s->signer->sign(s, data, size, out);
    rv = s->signer->update(s, data, size);
    if (rv == CKR_OK)
        s->signer->finish(s, out);
    return rv;
}

/* A question for the size, and a buffer that is too short, leave the operation as it is. */
static CK_RV sign(struct signing *signing, const uint8_t *data, size_t size, CK_BYTE *out, CK_ULONG *out_size,
                  bool *goes_on)
{
    uint8_t result[ACCEL_SIGNATURE_MAX];
    size_t result_size = signing->s.signer->size(&signing->s);
    CK_RV rv;

    assert(result_size <= sizeof(result));
    *goes_on = out == NULL || *out_size < result_size;
    if (*goes_on)
        return accel_give(NULL, result_size, out, out_size);
    rv = sign_whole(&signing->s, data, size, result);
    return rv == CKR_OK ? accel_give(result, result_size, out, out_size) : rv;
}

CK_RV C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return init(handle, mechanism, key, ACCEL_OPERATION_SIGN);
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    return update(handle, ACCEL_OPERATION_SIGN, data, size);
}

CK_RV C_Sign(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *out, CK_ULONG *out_size)
{
    struct accel_session *session;
    struct signing *signing;
    bool goes_on = false;
    CK_RV rv;

    if (out_size == NULL || !accel_readable(data, size))
        return CKR_ARGUMENTS_BAD;
    rv = enter(handle, ACCEL_OPERATION_SIGN, &session, &signing);
    if (rv == CKR_OK) {
        rv = signing->updated ? CKR_OPERATION_ACTIVE : sign(signing, data, size, out, out_size, &goes_on);
        if (!goes_on)
            accel_session_end(session);
    }
    return leave(&session, rv);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG *out_size)
{
    struct accel_session *session;
    struct signing *signing;
    bool goes_on = false;
    CK_RV rv;

    if (out_size == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = enter(handle, ACCEL_OPERATION_SIGN, &session, &signing);
    if (rv == CKR_OK) {
        rv = signing->s.signer->update == NULL ? CKR_FUNCTION_NOT_SUPPORTED
                                               : sign(signing, NULL, 0, out, out_size, &goes_on);
        if (!goes_on)
            accel_session_end(session);
    }
    return leave(&session, rv);
}

static CK_RV verify_mac(struct accel_signing *s, const uint8_t *data, size_t size, const uint8_t *mac, size_t mac_size)
{
    uint8_t mine[ACCEL_SIGNATURE_MAX];
    CK_RV rv = s->signer->update(s, data, size);

    if (rv != CKR_OK)
        return rv;
    if (mac_size != s->signer->size(s))
        return CKR_SIGNATURE_LEN_RANGE;
    s->signer->finish(s, mine);
    rv = base_equal_constant_time(mine, mac, mac_size) ? CKR_OK : CKR_SIGNATURE_INVALID;
    base_wipe(mine, mac_size);
    return rv;
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return init(handle, mechanism, key, ACCEL_OPERATION_VERIFY);
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    return update(handle, ACCEL_OPERATION_VERIFY, data, size);
}

CK_RV C_Verify(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *signature, CK_ULONG signature_size)
{
    struct accel_session *session;
    struct signing *signing;
    CK_RV rv;

    if (!accel_readable(data, size) || !accel_readable(signature, signature_size))
        return CKR_ARGUMENTS_BAD;
    rv = enter(handle, ACCEL_OPERATION_VERIFY, &session, &signing);
    if (rv == CKR_OK) {
        const struct accel_signer *signer = signing->s.signer;

        if (signing->updated)
            rv = CKR_OPERATION_ACTIVE;
        else if (signer->verify != NULL)
            rv = signer->verify(&signing->s, data, size, signature, signature_size);
        else
            rv = verify_mac(&signing->s, data, size, signature, signature_size);
        accel_session_end(session);
    }
    return leave(&session, rv);
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE handle, CK_BYTE *signature, CK_ULONG signature_size)
{
    struct accel_session *session;
    struct signing *signing;
    CK_RV rv;

    if (!accel_readable(signature, signature_size))
        return CKR_ARGUMENTS_BAD;
    rv = enter(handle, ACCEL_OPERATION_VERIFY, &session, &signing);
    if (rv == CKR_OK) {
        rv = signing->s.signer->update == NULL ? CKR_FUNCTION_NOT_SUPPORTED
                                               : verify_mac(&signing->s, NULL, 0, signature, signature_size);
        accel_session_end(session);
    }
    return leave(&session, rv);
}
