/* see tokens/accelerator/secret.h */
#include "tokens/accelerator/secret.h"
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/session.h"

static bool is_secret_type(CK_KEY_TYPE type)
{
    switch (type) {
    case CKK_RSA:
    case CKK_DSA:
    case CKK_DH:
    case CKK_EC:
    case CKK_X9_42_DH:
        return false;
    }
    return true;
}

/* 0 for a type of any size. */
static size_t fixed_size(CK_KEY_TYPE type)
{
    switch (type) {
    case CKK_DES:
        return 8;
    case CKK_DES2:
        return 16;
    case CKK_DES3:
        return 24;
    case CKK_CHACHA20:
    case CKK_NSS_CHACHA20:
        return 32;
    }
    return 0;
}

bool accel_secret_fits(CK_KEY_TYPE type, size_t size)
{
    if (type == CKK_AES)
        return size == 16 || size == 24 || size == 32;
    return size != 0 && size <= ACCEL_SECRET_MAX && (fixed_size(type) == 0 || fixed_size(type) == size);
}

static CK_RV finish(struct accel_object *object, const struct accel_template *template, struct accel_object **out)
{
    CK_RV rv = accel_object_apply(object, template);

    if (rv != CKR_OK)
        accel_object_put(&object);
    *out = object;
    return rv;
}

/* NSS writes CKA_VALUE_LEN as 0 when it leaves the size to the token. */
static size_t wanted_size(const struct accel_template *template, size_t natural)
{
    CK_ULONG size = accel_template_number(template, CKA_VALUE_LEN, 0);

    return size != 0 ? size : natural;
}

CK_RV accel_secret_create(const struct accel_template *template, size_t natural, struct accel_object **secret)
{
    CK_KEY_TYPE type = accel_template_number(template, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    size_t size = wanted_size(template, fixed_size(type) != 0 ? fixed_size(type) : natural);

    *secret = NULL;
    if (!is_secret_type(type))
        return CKR_ATTRIBUTE_VALUE_INVALID;
    if (size == 0)
        return CKR_TEMPLATE_INCOMPLETE;
    if (!accel_secret_fits(type, size))
        return CKR_KEY_SIZE_RANGE;
    return finish(accel_object_create(CKO_SECRET_KEY, type, size), template, secret);
}

CK_RV accel_secret_create_data(const struct accel_template *template, size_t natural, struct accel_object **data)
{
    static const CK_ATTRIBUTE none;
    struct accel_template rest = *template;
    size_t size = wanted_size(template, natural);

    *data = NULL;
    if (size == 0)
        return CKR_TEMPLATE_INCOMPLETE;
    if (size > ACCEL_SECRET_MAX)
        return CKR_KEY_SIZE_RANGE;
    /* NSS asks for a secret key here too, and expects data. */
    if (accel_template_number(template, CKA_CLASS, CKO_DATA) == CKO_SECRET_KEY)
        rest = (struct accel_template){.attributes = &none, .count = 0};
    return finish(accel_object_create(CKO_DATA, CKK_GENERIC_SECRET, size), &rest, data);
}

CK_RV accel_secret_get_base(CK_OBJECT_HANDLE handle, struct accel_object **base)
{
    CK_RV rv = accel_object_get_key(handle, CKO_SECRET_KEY, ACCEL_USE_DERIVE, base);

    return rv == CKR_KEY_TYPE_INCONSISTENT ? accel_object_get_key(handle, CKO_DATA, ACCEL_USE_DERIVE, base) : rv;
}

/* PKCS #11: a random secret, for AES only */
static CK_RV generate(const CK_MECHANISM *mechanism, const struct accel_template *template, struct accel_object **made)
{
    CK_RV rv;

    if (mechanism->mechanism != CKM_AES_KEY_GEN)
        return CKR_MECHANISM_INVALID;
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    if (accel_template_number(template, CKA_KEY_TYPE, CKK_AES) != CKK_AES)
        return CKR_TEMPLATE_INCONSISTENT;
    if (!accel_secret_fits(CKK_AES, accel_template_number(template, CKA_VALUE_LEN, 0)))
        return accel_template_find(template, CKA_VALUE_LEN) == NULL ? CKR_TEMPLATE_INCOMPLETE : CKR_KEY_SIZE_RANGE;
    rv = finish(accel_object_create(CKO_SECRET_KEY, CKK_AES, accel_template_number(template, CKA_VALUE_LEN, 0)),
                template, made);
    if (rv == CKR_OK && !accel_crypto_random((*made)->value, (*made)->value_size)) {
        accel_object_put(made);
        return CKR_FUNCTION_FAILED;
    }
    if (rv == CKR_OK)
        (*made)->local = true;
    return rv;
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE session_handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attributes, CK_ULONG count,
                    CK_OBJECT_HANDLE *handle)
{
    struct accel_session *session;
    struct accel_template template;
    struct accel_object *made = NULL;
    CK_RV rv;

    if (mechanism == NULL || handle == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    if (rv == CKR_OK)
        rv = generate(mechanism, &template, &made);
    if (rv == CKR_OK)
        accel_object_publish(session, made, handle);
    accel_session_put(&session);
    return rv;
}
