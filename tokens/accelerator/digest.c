/* C_Digest...() and the operation state: see tokens/accelerator/hash.h */
#include "tokens/accelerator/hash.h"
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

#include <stdlib.h>

struct digest {
    struct accel_operation operation;
    struct accel_hash_state state;
};

static void digest_destroy(struct accel_operation *operation)
{
    struct digest *digest = CONTAINER_OF(operation, struct digest, operation);

    base_wipe(digest, sizeof(*digest));
    free(digest);
}

static struct digest *digest_create(void)
{
    struct digest *digest = base_alloc(sizeof(*digest));

    digest->operation = (struct accel_operation){ACCEL_OPERATION_DIGEST, digest_destroy};
    return digest;
}

/* Enter the session, and give the digest that it has under way. */
static CK_RV enter(CK_SESSION_HANDLE handle, struct accel_session **session, struct digest **digest)
{
    CK_RV rv = accel_session_enter(handle, session);
    struct accel_operation *operation;

    if (rv != CKR_OK)
        return rv;
    operation = accel_session_operation(*session, ACCEL_OPERATION_DIGEST);
    if (operation == NULL)
        return CKR_OPERATION_NOT_INITIALIZED;
    *digest = CONTAINER_OF(operation, struct digest, operation);
    return CKR_OK;
}

CK_RV C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism)
{
    const struct accel_hash *hash;
    struct accel_session *session;
    struct digest *digest;
    CK_RV rv;

    if (mechanism == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv != CKR_OK)
        return rv;
    hash = accel_hash_find(mechanism->mechanism);
    if (hash == NULL) {
        rv = CKR_MECHANISM_INVALID;
    } else {
        digest = digest_create();
        accel_hash_init(&digest->state, hash);
        rv = accel_session_begin(session, &digest->operation);
    }
    accel_session_leave(&session);
    return rv;
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size)
{
    struct accel_session *session;
    struct digest *digest;
    CK_RV rv = enter(handle, &session, &digest);

    if (rv == CKR_OK && !accel_readable(data, size)) {
        accel_session_end(session);
        rv = CKR_ARGUMENTS_BAD;
    }
    if (rv == CKR_OK)
        accel_hash_update(&digest->state, data, size);
    accel_session_leave(&session);
    return rv;
}

CK_RV C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key_handle)
{
    struct accel_session *session;
    struct accel_object *key = NULL;
    struct digest *digest;
    CK_RV rv = enter(handle, &session, &digest);

    if (rv == CKR_OK) {
        key = accel_object_get(key_handle);
        if (key == NULL)
            rv = CKR_KEY_HANDLE_INVALID;
        else if (key->class != CKO_SECRET_KEY)
            rv = CKR_KEY_INDIGESTIBLE;
        if (rv == CKR_OK)
            accel_hash_update(&digest->state, key->value, key->value_size);
        else
            accel_session_end(session);
    }
    accel_object_put(&key);
    accel_session_leave(&session);
    return rv;
}

/* A question for the size, and a buffer that is too short, leave the operation as it is. */
static CK_RV finish(struct accel_session *session, struct digest *digest, CK_BYTE *out, CK_ULONG *out_size)
{
    uint8_t result[ACCEL_HASH_MAX];
    size_t size = digest->state.hash->size;

    if (out == NULL || *out_size < size)
        return accel_give(NULL, size, out, out_size);
    accel_hash_final(&digest->state, result);
    accel_session_end(session);
    return accel_give(result, size, out, out_size);
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG *out_size)
{
    struct accel_session *session;
    struct digest *digest;
    CK_RV rv;

    if (out_size == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = enter(handle, &session, &digest);
    if (rv == CKR_OK)
        rv = finish(session, digest, out, out_size);
    accel_session_leave(&session);
    return rv;
}

CK_RV C_Digest(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG size, CK_BYTE *out, CK_ULONG *out_size)
{
    struct accel_session *session;
    struct digest *digest;
    CK_RV rv;

    if (out_size == NULL || !accel_readable(data, size))
        return CKR_ARGUMENTS_BAD;
    rv = enter(handle, &session, &digest);
    if (rv == CKR_OK) {
        if (out != NULL && *out_size >= digest->state.hash->size)
            accel_hash_update(&digest->state, data, size);
        rv = finish(session, digest, out, out_size);
    }
    accel_session_leave(&session);
    return rv;
}

/* NSS hashes the transcript of a handshake up to each message by copying the state. */
CK_RV C_GetOperationState(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG *out_size)
{
    uint8_t saved[ACCEL_HASH_SAVED_MAX];
    struct accel_session *session;
    struct digest *digest;
    CK_RV rv;

    if (out_size == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv != CKR_OK)
        return rv;
    if (session->operation == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else if (accel_session_operation(session, ACCEL_OPERATION_DIGEST) == NULL) {
        rv = CKR_STATE_UNSAVEABLE;
    } else {
        digest = CONTAINER_OF(session->operation, struct digest, operation);
        rv = accel_give(saved, accel_hash_save(&digest->state, saved), out, out_size);
        base_wipe(saved, sizeof(saved));
    }
    accel_session_leave(&session);
    return rv;
}

/* Takes the place of whatever operation there is (PKCS #11 section 5.6.6). */
CK_RV C_SetOperationState(CK_SESSION_HANDLE handle, CK_BYTE *saved, CK_ULONG size, CK_OBJECT_HANDLE encryption_key,
                          CK_OBJECT_HANDLE authentication_key)
{
    struct accel_session *session;
    struct digest *digest;
    CK_RV rv;

    if (!accel_readable(saved, size))
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv != CKR_OK)
        return rv;
    if (encryption_key != CK_INVALID_HANDLE || authentication_key != CK_INVALID_HANDLE) {
        rv = CKR_KEY_NOT_NEEDED;
    } else {
        digest = digest_create();
        if (accel_hash_restore(&digest->state, saved, size)) {
            accel_session_end(session);
            rv = accel_session_begin(session, &digest->operation);
        } else {
            digest_destroy(&digest->operation);
            rv = CKR_SAVED_STATE_INVALID;
        }
    }
    accel_session_leave(&session);
    return rv;
}
