/* see tokens/shim/shim_objects.h */
#include "tokens/shim/shim_objects.h"
#include "tokens/der.h"
#include "tokens/shim/shim_internal.h"

#include <stdlib.h>

static void add(struct shim_object *object, CK_ATTRIBUTE_TYPE type, struct span value)
{
    assert(object->count < SHIM_ATTRIBUTES_MAX);
    object->attributes[object->count++] =
        (CK_ATTRIBUTE){.type = type, .pValue = base_memdup(value.data, value.size), .ulValueLen = (CK_ULONG)value.size};
}

static void add_bool(struct shim_object *object, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    add(object, type, span_of(&value, sizeof(value)));
}

static void add_ulong(struct shim_object *object, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    add(object, type, span_of(&value, sizeof(value)));
}

/* What every object has. Nothing is private: there is no login here, and nothing secret. */
static struct shim_object *begin(struct shim_objects *objects, CK_OBJECT_CLASS class, struct span label)
{
    struct shim_object *object;

    assert(objects->count < SHIM_OBJECTS_MAX);
    object = &objects->objects[objects->count++];
    add_ulong(object, CKA_CLASS, class);
    add_bool(object, CKA_TOKEN, CK_TRUE);
    add_bool(object, CKA_PRIVATE, CK_FALSE);
    add_bool(object, CKA_MODIFIABLE, CK_FALSE);
    add(object, CKA_LABEL, label);
    return object;
}

static void add_public_half(struct shim_object *object, const struct tokens_wire_identity *identity)
{
    switch (identity->key_type) {
    case TOKENS_WIRE_KEY_RSA:
        add_ulong(object, CKA_KEY_TYPE, CKK_RSA);
        add(object, CKA_MODULUS, identity->modulus);
        add(object, CKA_PUBLIC_EXPONENT, identity->exponent);
        break;
    case TOKENS_WIRE_KEY_EC:
        add_ulong(object, CKA_KEY_TYPE, CKK_EC);
        add(object, CKA_EC_PARAMS, identity->ec_params);
        add(object, CKA_EC_POINT, identity->ec_point);
        break;
    }
}

static void build_private_key(struct shim_objects *objects, const struct tokens_wire_identity *identity, struct span id,
                              struct span subject)
{
    struct shim_object *key = begin(objects, CKO_PRIVATE_KEY, identity->label);

    add(key, CKA_ID, id);
    add(key, CKA_SUBJECT, subject);
    add_public_half(key, identity);
    add_bool(key, CKA_SIGN, CK_TRUE);
    add_bool(key, CKA_SIGN_RECOVER, CK_FALSE);
    add_bool(key, CKA_DECRYPT, CK_FALSE);
    add_bool(key, CKA_UNWRAP, CK_FALSE);
    add_bool(key, CKA_DERIVE, CK_FALSE);
    add_bool(key, CKA_SENSITIVE, CK_TRUE);
    add_bool(key, CKA_ALWAYS_SENSITIVE, CK_TRUE);
    add_bool(key, CKA_EXTRACTABLE, CK_FALSE);
    add_bool(key, CKA_NEVER_EXTRACTABLE, CK_TRUE);
    add_bool(key, CKA_ALWAYS_AUTHENTICATE, CK_FALSE); /* the agent sees to it */
}

static void build_public_key(struct shim_objects *objects, const struct tokens_wire_identity *identity, struct span id,
                             struct span subject)
{
    struct shim_object *key = begin(objects, CKO_PUBLIC_KEY, identity->label);

    add(key, CKA_ID, id);
    add(key, CKA_SUBJECT, subject);
    add_public_half(key, identity);
    add_bool(key, CKA_VERIFY, CK_TRUE);
    add_bool(key, CKA_ENCRYPT, CK_FALSE);
    add_bool(key, CKA_WRAP, CK_FALSE);
    add_bool(key, CKA_DERIVE, CK_FALSE);
}

static void build_cert(struct shim_objects *objects, struct span der, struct span label, struct span id)
{
    struct tokens_der_cert fields;
    struct shim_object *cert;

    if (!tokens_der_cert_read(der, &fields))
        return;
    cert = begin(objects, CKO_CERTIFICATE, label);
    add_ulong(cert, CKA_CERTIFICATE_TYPE, CKC_X_509);
    add_bool(cert, CKA_TRUSTED, CK_FALSE);
    add(cert, CKA_ID, id);
    add(cert, CKA_VALUE, der);
    add(cert, CKA_SUBJECT, fields.subject);
    add(cert, CKA_ISSUER, fields.issuer);
    add(cert, CKA_SERIAL_NUMBER, fields.serial);
}

/* see tokens/shim/shim_objects.h */
void shim_objects_build(struct shim_objects *objects, const struct tokens_wire_identity *identity)
{
    uint8_t id_bytes[SHIM_ID_MAX];
    struct span id = span_of(id_bytes, shim_object_id(identity, id_bytes));
    struct tokens_der_cert fields;
    struct span subject = span_of(NULL, 0);

    *objects = (struct shim_objects){0};
    if (identity->cert.size != 0 && tokens_der_cert_read(identity->cert, &fields))
        subject = fields.subject;
    build_private_key(objects, identity, id, subject);
    build_public_key(objects, identity, id, subject);
    if (identity->cert.size != 0)
        build_cert(objects, identity->cert, identity->label, id);
    for (size_t i = 0; i < identity->chain_count; i++)
        build_cert(objects, identity->chain[i], span_of(NULL, 0), span_of(NULL, 0));
}

/* see tokens/shim/shim_objects.h */
void shim_objects_clear(struct shim_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        for (size_t k = 0; k < objects->objects[i].count; k++)
            free(objects->objects[i].attributes[k].pValue);
    *objects = (struct shim_objects){0};
}

/* see tokens/shim/shim_objects.h */
const CK_ATTRIBUTE *shim_object_attribute(const struct shim_object *object, CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < object->count; i++)
        if (object->attributes[i].type == type)
            return &object->attributes[i];
    return NULL;
}

/* see tokens/shim/shim_objects.h */
bool shim_object_matches(const struct shim_object *object, const CK_ATTRIBUTE *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const CK_ATTRIBUTE *have = shim_object_attribute(object, wanted[i].type);

        if (have == NULL ||
            !span_equal(span_of(have->pValue, have->ulValueLen), span_of(wanted[i].pValue, wanted[i].ulValueLen)))
            return false;
    }
    return true;
}

static bool is_secret(const struct shim_object *object, CK_ATTRIBUTE_TYPE type)
{
    const CK_ATTRIBUTE *class = shim_object_attribute(object, CKA_CLASS);

    return *(const CK_OBJECT_CLASS *)class->pValue == CKO_PRIVATE_KEY &&
           (type == CKA_VALUE || type == CKA_PRIVATE_EXPONENT || type == CKA_PRIME_1 || type == CKA_PRIME_2 ||
            type == CKA_EXPONENT_1 || type == CKA_EXPONENT_2 || type == CKA_COEFFICIENT);
}

/* PKCS#11 2.40 section 5.7: every attribute is looked at, whatever happens to the others.
 * see tokens/shim/shim_objects.h */
CK_RV shim_object_read(const struct shim_object *object, CK_ATTRIBUTE *wanted, size_t count)
{
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < count; i++) {
        const CK_ATTRIBUTE *have = shim_object_attribute(object, wanted[i].type);
        CK_ULONG room = wanted[i].ulValueLen;

        wanted[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        if (have == NULL) {
            rv = is_secret(object, wanted[i].type) ? CKR_ATTRIBUTE_SENSITIVE : CKR_ATTRIBUTE_TYPE_INVALID;
        } else if (wanted[i].pValue == NULL) {
            wanted[i].ulValueLen = have->ulValueLen;
        } else if (room < have->ulValueLen) {
            rv = CKR_BUFFER_TOO_SMALL;
        } else {
            if (have->ulValueLen != 0)
                memcpy(wanted[i].pValue, have->pValue, have->ulValueLen);
            wanted[i].ulValueLen = have->ulValueLen;
        }
    }
    return rv;
}
