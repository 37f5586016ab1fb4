/* see tokens/accelerator/template.h */
#include "tokens/accelerator/template.h"

static bool is_number(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_CLASS || type == CKA_KEY_TYPE || type == CKA_VALUE_LEN || type == CKA_MODULUS_BITS;
}

static bool is_flag(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_TOKEN:
    case CKA_PRIVATE:
    case CKA_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_MODIFIABLE:
    case CKA_ENCRYPT:
    case CKA_DECRYPT:
    case CKA_WRAP:
    case CKA_UNWRAP:
    case CKA_SIGN:
    case CKA_SIGN_RECOVER:
    case CKA_VERIFY:
    case CKA_VERIFY_RECOVER:
    case CKA_DERIVE:
        return true;
    }
    return false;
}

static bool is_sound(const CK_ATTRIBUTE *attribute)
{
    if (!accel_readable(attribute->pValue, attribute->ulValueLen))
        return false;
    if (is_number(attribute->type))
        return attribute->ulValueLen == sizeof(CK_ULONG);
    if (is_flag(attribute->type))
        return attribute->ulValueLen == sizeof(CK_BBOOL);
    return true;
}

CK_RV accel_template_init(struct accel_template *template, const CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    if (count > ACCEL_ATTRIBUTES_MAX || !accel_readable(attributes, count))
        return CKR_ARGUMENTS_BAD;
    *template = (struct accel_template){.attributes = attributes, .count = count};
    for (CK_ULONG i = 0; i < count; i++) {
        if (!is_sound(&attributes[i]))
            return CKR_ATTRIBUTE_VALUE_INVALID;
        if (accel_template_find(template, attributes[i].type) != &attributes[i])
            return CKR_TEMPLATE_INCONSISTENT;
    }
    return CKR_OK;
}

const CK_ATTRIBUTE *accel_template_find(const struct accel_template *template, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < template->count; i++)
        if (template->attributes[i].type == type)
            return &template->attributes[i];
    return NULL;
}

CK_ULONG accel_template_number(const struct accel_template *template, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise)
{
    const CK_ATTRIBUTE *found = accel_template_find(template, type);
    CK_ULONG value = otherwise;

    if (found != NULL)
        memcpy(&value, found->pValue, sizeof(value));
    return value;
}

bool accel_template_flag(const struct accel_template *template, CK_ATTRIBUTE_TYPE type, bool otherwise)
{
    const CK_ATTRIBUTE *found = accel_template_find(template, type);

    return found == NULL ? otherwise : *(const CK_BBOOL *)found->pValue != CK_FALSE;
}
