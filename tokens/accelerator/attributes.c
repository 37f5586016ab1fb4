/* C_GetAttributeValue(): see tokens/accelerator/object.h */
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <stdlib.h>

enum { POINT_DER_MAX = ACCEL_POINT_MAX + 3, RSA_BYTES_MAX = 2048 };

static CK_RV unavailable(CK_ATTRIBUTE *attribute, CK_RV rv)
{
    attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return rv;
}

static CK_RV give(CK_ATTRIBUTE *attribute, const void *data, size_t size)
{
    if (attribute->pValue != NULL) {
        if (attribute->ulValueLen < size)
            return unavailable(attribute, CKR_BUFFER_TOO_SMALL);
        if (size != 0)
            memcpy(attribute->pValue, data, size);
    }
    attribute->ulValueLen = size;
    return CKR_OK;
}

static CK_RV give_number(CK_ATTRIBUTE *attribute, CK_ULONG number)
{
    return give(attribute, &number, sizeof(number));
}

static CK_RV give_flag(CK_ATTRIBUTE *attribute, bool flag)
{
    CK_BBOOL value = flag ? CK_TRUE : CK_FALSE;

    return give(attribute, &value, sizeof(value));
}

static CK_RV give_value(const struct accel_object *object, CK_ATTRIBUTE *attribute)
{
    if (object->class == CKO_PRIVATE_KEY)
        return unavailable(attribute, CKR_ATTRIBUTE_SENSITIVE);
    if (object->class != CKO_SECRET_KEY && object->class != CKO_DATA)
        return unavailable(attribute, CKR_ATTRIBUTE_TYPE_INVALID);
    if (object->sensitive || !object->extractable)
        return unavailable(attribute, CKR_ATTRIBUTE_SENSITIVE);
    return give(attribute, object->value, object->value_size);
}

/* A DER OCTET STRING, as PKCS #11 2.40 has it. */
static CK_RV give_point(const struct accel_object *object, CK_ATTRIBUTE *attribute)
{
    uint8_t der[POINT_DER_MAX];
    size_t size = 0, head = object->curve->point < 0x80 ? 2 : 3;
    const char *name = object->curve->montgomery ? OSSL_PKEY_PARAM_PUB_KEY : OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY;

    der[0] = 0x04;
    der[1] = 0x81;
    der[head - 1] = (uint8_t)object->curve->point;
    if (EVP_PKEY_get_octet_string_param(object->key, name, der + head, sizeof(der) - head, &size) != 1 ||
        size != object->curve->point)
        return unavailable(attribute, CKR_FUNCTION_FAILED);
    return give(attribute, der, head + size);
}

static CK_RV give_integer(const struct accel_object *object, const char *name, CK_ATTRIBUTE *attribute)
{
    uint8_t bytes[RSA_BYTES_MAX];
    BIGNUM *number = NULL;
    CK_RV rv;

    if (EVP_PKEY_get_bn_param(object->key, name, &number) != 1 || BN_num_bytes(number) > RSA_BYTES_MAX)
        rv = unavailable(attribute, CKR_FUNCTION_FAILED);
    else
        rv = give(attribute, bytes, (size_t)BN_bn2bin(number, bytes));
    BN_free(number);
    return rv;
}

static CK_RV give_name(const struct accel_object *object, const struct accel_name *name, CK_ATTRIBUTE *attribute)
{
    CK_RV rv;

    accel_object_lock(object);
    rv = give(attribute, name->data, name->size);
    accel_object_unlock(object);
    return rv;
}

/* What only keys with a key of libcrypto's have. */
static CK_RV read_public(const struct accel_object *object, CK_ATTRIBUTE *attribute)
{
    if (object->curve != NULL) {
        if (attribute->type == CKA_EC_PARAMS)
            return give(attribute, object->curve->params, object->curve->params_size);
        if (attribute->type == CKA_EC_POINT)
            return give_point(object, attribute);
    } else if (object->key != NULL) {
        if (attribute->type == CKA_MODULUS)
            return give_integer(object, OSSL_PKEY_PARAM_RSA_N, attribute);
        if (attribute->type == CKA_PUBLIC_EXPONENT)
            return give_integer(object, OSSL_PKEY_PARAM_RSA_E, attribute);
        if (attribute->type == CKA_MODULUS_BITS)
            return give_number(attribute, (CK_ULONG)EVP_PKEY_get_bits(object->key));
    }
    return unavailable(attribute, CKR_ATTRIBUTE_TYPE_INVALID);
}

static CK_RV read_key(const struct accel_object *object, CK_ATTRIBUTE *attribute)
{
    switch (attribute->type) {
    case CKA_KEY_TYPE:
        return give_number(attribute, object->type);
    case CKA_LOCAL:
        return give_flag(attribute, object->local);
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
        return give_flag(attribute, object->sensitive);
    case CKA_EXTRACTABLE:
        return give_flag(attribute, object->extractable);
    case CKA_NEVER_EXTRACTABLE:
        return give_flag(attribute, !object->extractable);
    case CKA_ALWAYS_AUTHENTICATE:
    case CKA_WRAP_WITH_TRUSTED:
    case CKA_SIGN_RECOVER:
    case CKA_VERIFY_RECOVER:
        return give_flag(attribute, false);
    case CKA_ENCRYPT:
        return give_flag(attribute, (object->uses & ACCEL_USE_ENCRYPT) != 0);
    case CKA_DECRYPT:
        return give_flag(attribute, (object->uses & ACCEL_USE_DECRYPT) != 0);
    case CKA_SIGN:
        return give_flag(attribute, (object->uses & ACCEL_USE_SIGN) != 0);
    case CKA_VERIFY:
        return give_flag(attribute, (object->uses & ACCEL_USE_VERIFY) != 0);
    case CKA_WRAP:
        return give_flag(attribute, (object->uses & ACCEL_USE_WRAP) != 0);
    case CKA_UNWRAP:
        return give_flag(attribute, (object->uses & ACCEL_USE_UNWRAP) != 0);
    case CKA_DERIVE:
        return give_flag(attribute, (object->uses & ACCEL_USE_DERIVE) != 0);
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
        return unavailable(attribute, object->class == CKO_PRIVATE_KEY && object->curve == NULL
                                          ? CKR_ATTRIBUTE_SENSITIVE
                                          : CKR_ATTRIBUTE_TYPE_INVALID);
    }
    return read_public(object, attribute);
}

CK_RV accel_object_read(const struct accel_object *object, CK_ATTRIBUTE *attribute)
{
    switch (attribute->type) {
    case CKA_CLASS:
        return give_number(attribute, object->class);
    case CKA_TOKEN:
    case CKA_PRIVATE:
        return give_flag(attribute, false);
    case CKA_MODIFIABLE:
    case CKA_COPYABLE:
    case CKA_DESTROYABLE:
        return give_flag(attribute, true);
    case CKA_ID:
        return give_name(object, &object->id, attribute);
    case CKA_LABEL:
        return give_name(object, &object->label, attribute);
    case CKA_VALUE:
        return give_value(object, attribute);
    case CKA_VALUE_LEN:
        if (object->class == CKO_SECRET_KEY || object->class == CKO_DATA)
            return give_number(attribute, object->value_size);
        return unavailable(attribute, CKR_ATTRIBUTE_TYPE_INVALID);
    }
    if (object->class == CKO_DATA)
        return unavailable(attribute, CKR_ATTRIBUTE_TYPE_INVALID);
    return read_key(object, attribute);
}

bool accel_object_matches(const struct accel_object *object, const CK_ATTRIBUTE *attribute)
{
    uint8_t value[RSA_BYTES_MAX];
    CK_ATTRIBUTE mine = {.type = attribute->type, .pValue = value, .ulValueLen = sizeof(value)};

    return attribute->type != CKA_VALUE && accel_object_read(object, &mine) == CKR_OK &&
           mine.ulValueLen == attribute->ulValueLen &&
           (mine.ulValueLen == 0 || memcmp(value, attribute->pValue, mine.ulValueLen) == 0);
}

/* PKCS #11 section 5.7.5: each attribute is answered, and the worst of the answers is the function's. */
CK_RV C_GetAttributeValue(CK_SESSION_HANDLE session_handle, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *attributes,
                          CK_ULONG count)
{
    struct accel_session *session;
    struct accel_object *object;
    CK_RV rv = accel_session_get(session_handle, &session);

    if (rv != CKR_OK)
        return rv;
    accel_session_put(&session);
    if (count > ACCEL_ATTRIBUTES_MAX || !accel_readable(attributes, count))
        return CKR_ARGUMENTS_BAD;
    object = accel_object_get(handle);
    if (object == NULL)
        return CKR_OBJECT_HANDLE_INVALID;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV one = accel_object_read(object, &attributes[i]);

        rv = rv == CKR_OK ? one : rv;
    }
    accel_object_put(&object);
    return rv;
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE session_handle, CK_OBJECT_HANDLE handle, CK_ULONG *size)
{
    struct accel_session *session;
    struct accel_object *object;
    CK_RV rv;

    if (size == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv != CKR_OK)
        return rv;
    accel_session_put(&session);
    object = accel_object_get(handle);
    if (object == NULL)
        return CKR_OBJECT_HANDLE_INVALID;
    *size = sizeof(*object) + object->value_size;
    accel_object_put(&object);
    return CKR_OK;
}
