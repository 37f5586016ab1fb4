/* C_CreateObject(): keys that come from outside. */
#include "tokens/accelerator/key.h"
#include "tokens/accelerator/secret.h"
#include "tokens/accelerator/session.h"

static CK_RV create_secret(const struct accel_template *template, struct accel_object **made)
{
    const CK_ATTRIBUTE *value = accel_template_find(template, CKA_VALUE);
    bool is_data = accel_template_number(template, CKA_CLASS, 0) == CKO_DATA;
    CK_RV rv;

    if (value == NULL || value->ulValueLen == 0 || (!is_data && accel_template_find(template, CKA_KEY_TYPE) == NULL))
        return CKR_TEMPLATE_INCOMPLETE;
    if (accel_template_number(template, CKA_VALUE_LEN, value->ulValueLen) != value->ulValueLen)
        return CKR_TEMPLATE_INCONSISTENT;
    rv = is_data ? accel_secret_create_data(template, value->ulValueLen, made)
                 : accel_secret_create(template, value->ulValueLen, made);
    if (rv == CKR_OK && (*made)->value_size != value->ulValueLen) {
        accel_object_put(made);
        return CKR_KEY_SIZE_RANGE;
    }
    if (rv == CKR_OK)
        memcpy((*made)->value, value->pValue, value->ulValueLen);
    return rv;
}

static CK_RV create_rsa(const struct accel_template *template, CK_OBJECT_CLASS class, EVP_PKEY **key)
{
    static const CK_ATTRIBUTE_TYPE types[] = {
        [ACCEL_RSA_MODULUS] = CKA_MODULUS,
        [ACCEL_RSA_PUBLIC_EXPONENT] = CKA_PUBLIC_EXPONENT,
        [ACCEL_RSA_PRIVATE_EXPONENT] = CKA_PRIVATE_EXPONENT,
        [ACCEL_RSA_PRIME_1] = CKA_PRIME_1,
        [ACCEL_RSA_PRIME_2] = CKA_PRIME_2,
        [ACCEL_RSA_EXPONENT_1] = CKA_EXPONENT_1,
        [ACCEL_RSA_EXPONENT_2] = CKA_EXPONENT_2,
        [ACCEL_RSA_COEFFICIENT] = CKA_COEFFICIENT,
    };
    struct accel_number numbers[ACCEL_RSA_NUMBER_COUNT];
    size_t count = class == CKO_PUBLIC_KEY ? (size_t)ACCEL_RSA_PUBLIC_COUNT : (size_t)ACCEL_RSA_NUMBER_COUNT;

    static_assert(ARRAY_LEN(types) == ACCEL_RSA_NUMBER_COUNT, "one attribute for each number");
    for (size_t i = 0; i < count; i++) {
        const CK_ATTRIBUTE *found = accel_template_find(template, types[i]);

        if (found == NULL)
            return CKR_TEMPLATE_INCOMPLETE;
        numbers[i] = (struct accel_number){found->pValue, found->ulValueLen};
    }
    *key = accel_key_rsa(numbers, count);
    return *key == NULL ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static CK_RV create_ec(const struct accel_template *template, CK_OBJECT_CLASS class, const struct accel_curve **curve,
                       EVP_PKEY **key)
{
    const CK_ATTRIBUTE *params = accel_template_find(template, CKA_EC_PARAMS);
    const CK_ATTRIBUTE *value = accel_template_find(template, class == CKO_PUBLIC_KEY ? CKA_EC_POINT : CKA_VALUE);
    const uint8_t *point;

    if (params == NULL || value == NULL)
        return CKR_TEMPLATE_INCOMPLETE;
    *curve = accel_curve_find(params->pValue, params->ulValueLen);
    if (*curve == NULL)
        return CKR_CURVE_NOT_SUPPORTED;
    if (class == CKO_PRIVATE_KEY) {
        *key = accel_key_private(*curve, value->pValue, value->ulValueLen);
    } else {
        point = accel_curve_point(*curve, value->pValue, value->ulValueLen);
        *key = point == NULL ? NULL : accel_key_public(*curve, point);
    }
    return *key == NULL ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

static CK_RV create_key(const struct accel_template *template, CK_OBJECT_CLASS class, struct accel_object **made)
{
    CK_KEY_TYPE type = accel_template_number(template, CKA_KEY_TYPE, CK_UNAVAILABLE_INFORMATION);
    const struct accel_curve *curve = NULL;
    EVP_PKEY *key = NULL;
    CK_RV rv;

    if (type == CK_UNAVAILABLE_INFORMATION)
        return CKR_TEMPLATE_INCOMPLETE;
    if (type == CKK_RSA)
        rv = create_rsa(template, class, &key);
    else if (type == CKK_EC)
        rv = create_ec(template, class, &curve, &key);
    else
        rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (rv != CKR_OK)
        return rv;
    *made = accel_object_create(class, type, 0);
    (*made)->key = key;
    (*made)->curve = curve;
    rv = accel_object_apply(*made, template);
    if (rv != CKR_OK)
        accel_object_put(made);
    return rv;
}

static CK_RV create(const struct accel_template *template, struct accel_object **made)
{
    CK_OBJECT_CLASS class = accel_template_number(template, CKA_CLASS, CK_UNAVAILABLE_INFORMATION);

    switch (class) {
    case CKO_SECRET_KEY:
    case CKO_DATA:
        return create_secret(template, made);
    case CKO_PUBLIC_KEY:
    case CKO_PRIVATE_KEY:
        return create_key(template, class, made);
    case CK_UNAVAILABLE_INFORMATION:
        return CKR_TEMPLATE_INCOMPLETE;
    }
    return CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV C_CreateObject(CK_SESSION_HANDLE session_handle, CK_ATTRIBUTE *attributes, CK_ULONG count,
                     CK_OBJECT_HANDLE *handle)
{
    struct accel_template template;
    struct accel_session *session;
    struct accel_object *made = NULL;
    CK_RV rv;

    if (handle == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    if (rv == CKR_OK)
        rv = create(&template, &made);
    if (rv == CKR_OK)
        accel_object_publish(session, made, handle);
    accel_session_put(&session);
    return rv;
}
