/* C_GenerateKeyPair(): pairs on the curves of curve.h, for a handshake each. */
#include "tokens/accelerator/key.h"
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

static struct accel_object *key_object(CK_OBJECT_CLASS class, const struct accel_curve *curve, EVP_PKEY *key)
{
    struct accel_object *object = accel_object_create(class, CKK_EC, 0);

    if (EVP_PKEY_up_ref(key) == 1)
        object->key = key;
    object->curve = curve;
    object->local = true;
    return object;
}

static CK_RV generate(const struct accel_template *public_template, const struct accel_template *private_template,
                      struct accel_object **public_key, struct accel_object **private_key)
{
    const CK_ATTRIBUTE *params = accel_template_find(public_template, CKA_EC_PARAMS);
    const struct accel_curve *curve;
    EVP_PKEY *key;
    CK_RV rv;

    if (params == NULL)
        return CKR_TEMPLATE_INCOMPLETE;
    curve = accel_curve_find(params->pValue, params->ulValueLen);
    if (curve == NULL)
        return CKR_CURVE_NOT_SUPPORTED;
    key = accel_key_generate(curve);
    if (key == NULL)
        return CKR_FUNCTION_FAILED;
    *public_key = key_object(CKO_PUBLIC_KEY, curve, key);
    *private_key = key_object(CKO_PRIVATE_KEY, curve, key);
    EVP_PKEY_free(key);
    rv = accel_object_apply(*public_key, public_template);
    return rv != CKR_OK ? rv : accel_object_apply(*private_key, private_template);
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE session_handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_attributes,
                        CK_ULONG public_count, CK_ATTRIBUTE *private_attributes, CK_ULONG private_count,
                        CK_OBJECT_HANDLE *public_handle, CK_OBJECT_HANDLE *private_handle)
{
    struct accel_template public_template, private_template;
    struct accel_object *public_key = NULL, *private_key = NULL;
    struct accel_session *session;
    CK_RV rv;

    if (mechanism == NULL || public_handle == NULL || private_handle == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv == CKR_OK)
        rv = accel_template_init(&public_template, public_attributes, public_count);
    if (rv == CKR_OK)
        rv = accel_template_init(&private_template, private_attributes, private_count);
    if (rv == CKR_OK && mechanism->mechanism != CKM_EC_KEY_PAIR_GEN)
        rv = CKR_MECHANISM_INVALID;
    if (rv == CKR_OK)
        rv = generate(&public_template, &private_template, &public_key, &private_key);
    if (rv == CKR_OK) {
        accel_object_publish(session, public_key, public_handle);
        accel_object_publish(session, private_key, private_handle);
    } else {
        accel_object_put(&public_key);
        accel_object_put(&private_key);
    }
    accel_session_put(&session);
    return rv;
}
