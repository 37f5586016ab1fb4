/* see tokens/accelerator/object.h */
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

#include <stdlib.h>

enum { NAME_LOCKS = 16, USES_ALL = 0x7f };

static struct accel_handles objects;
static pthread_mutex_t name_locks[NAME_LOCKS];

void accel_objects_start(void)
{
    accel_handles_init(&objects);
    for (size_t i = 0; i < NAME_LOCKS; i++)
        pthread_mutex_init(&name_locks[i], NULL);
}

void accel_objects_stop(void)
{
    struct accel_handle *entry;

    while ((entry = accel_handles_take_any(&objects)) != NULL) {
        struct accel_object *object = CONTAINER_OF(entry, struct accel_object, handle);

        accel_object_put(&object);
    }
    accel_handles_clear(&objects);
    for (size_t i = 0; i < NAME_LOCKS; i++)
        pthread_mutex_destroy(&name_locks[i]);
}

struct accel_object *accel_object_create(CK_OBJECT_CLASS class, CK_KEY_TYPE type, size_t size)
{
    struct accel_object *object = base_alloc(sizeof(*object) + size);

    assert(size <= ACCEL_SECRET_MAX);
    object->class = class;
    object->type = type;
    object->uses = USES_ALL;
    object->extractable = class != CKO_PRIVATE_KEY;
    object->sensitive = class == CKO_PRIVATE_KEY;
    object->value_size = size;
    atomic_init(&object->handle.references, 1);
    return object;
}

static void destroy(struct accel_object *object)
{
    EVP_PKEY_CTX_free(accel_spare_take(&object->signing));
    EVP_PKEY_free(object->key);
    free(object->id.data);
    free(object->label.data);
    base_wipe(object, sizeof(*object) + object->value_size);
    free(object);
}

void accel_object_put(struct accel_object **object)
{
    if (*object != NULL && accel_handle_release(&(*object)->handle))
        destroy(*object);
    *object = NULL;
}

/* A use that the template does not speak of is allowed: mechanisms and classes of keys limit it anyway, and NSS names
 * but the one that it has in mind at the time. */
static void apply_uses(struct accel_object *object, const struct accel_template *template)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        enum accel_use use;
    } uses[] = {
        {CKA_ENCRYPT, ACCEL_USE_ENCRYPT}, {CKA_DECRYPT, ACCEL_USE_DECRYPT}, {CKA_SIGN, ACCEL_USE_SIGN},
        {CKA_VERIFY, ACCEL_USE_VERIFY},   {CKA_WRAP, ACCEL_USE_WRAP},       {CKA_UNWRAP, ACCEL_USE_UNWRAP},
        {CKA_DERIVE, ACCEL_USE_DERIVE},
    };

    for (size_t i = 0; i < ARRAY_LEN(uses); i++)
        if (!accel_template_flag(template, uses[i].type, (object->uses & uses[i].use) != 0))
            object->uses &= ~(unsigned)uses[i].use;
        else
            object->uses |= uses[i].use;
}

static CK_RV apply_name(struct accel_name *name, const CK_ATTRIBUTE *attribute)
{
    if (attribute == NULL)
        return CKR_OK;
    if (attribute->ulValueLen > ACCEL_NAME_MAX)
        return CKR_ATTRIBUTE_VALUE_INVALID;
    free(name->data);
    *name = (struct accel_name){NULL, 0};
    if (attribute->ulValueLen != 0)
        *name = (struct accel_name){base_memdup(attribute->pValue, attribute->ulValueLen), attribute->ulValueLen};
    return CKR_OK;
}

CK_RV accel_object_apply(struct accel_object *object, const struct accel_template *template)
{
    CK_RV rv;

    if (accel_template_flag(template, CKA_TOKEN, false) ||
        accel_template_number(template, CKA_CLASS, object->class) != object->class ||
        accel_template_number(template, CKA_KEY_TYPE, object->type) != object->type)
        return CKR_TEMPLATE_INCONSISTENT;
    apply_uses(object, template);
    if (object->class != CKO_PRIVATE_KEY) {
        /* Never less than it was: a copy cannot open what its original keeps. */
        object->sensitive = object->sensitive || accel_template_flag(template, CKA_SENSITIVE, false);
        object->extractable = object->extractable && accel_template_flag(template, CKA_EXTRACTABLE, true);
    }
    rv = apply_name(&object->id, accel_template_find(template, CKA_ID));
    return rv != CKR_OK ? rv : apply_name(&object->label, accel_template_find(template, CKA_LABEL));
}

void accel_object_publish(struct accel_session *session, struct accel_object *object, CK_OBJECT_HANDLE *handle)
{
    object->owner = session->handle.number;
    accel_handles_add(&objects, &object->handle);
    *handle = object->handle.number;
    accel_session_adopt(session, object);
}

struct accel_object *accel_object_get(CK_OBJECT_HANDLE handle)
{
    struct accel_handle *entry = accel_handles_get(&objects, handle);

    return entry == NULL ? NULL : CONTAINER_OF(entry, struct accel_object, handle);
}

CK_RV accel_object_get_key(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS class, enum accel_use use,
                           struct accel_object **key)
{
    CK_RV rv = CKR_OK;

    *key = accel_object_get(handle);
    if (*key == NULL)
        return CKR_KEY_HANDLE_INVALID;
    if ((*key)->class != class)
        rv = CKR_KEY_TYPE_INCONSISTENT;
    else if (((*key)->uses & (unsigned)use) == 0)
        rv = CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (rv != CKR_OK)
        accel_object_put(key);
    return rv;
}

struct accel_object *accel_object_withdraw(CK_OBJECT_HANDLE handle)
{
    struct accel_handle *entry = accel_handles_remove(&objects, handle);

    return entry == NULL ? NULL : CONTAINER_OF(entry, struct accel_object, handle);
}

void accel_objects_walk(bool (*visit)(struct accel_handle *entry, void *context), void *context)
{
    accel_handles_walk(&objects, visit, context);
}

/* An object's address does not change, and its lowest bits say nothing. */
static pthread_mutex_t *name_lock(const struct accel_object *object)
{
    return &name_locks[((uintptr_t)object >> 6) % NAME_LOCKS];
}

void accel_object_lock(const struct accel_object *object)
{
    pthread_mutex_lock(name_lock(object));
}

void accel_object_unlock(const struct accel_object *object)
{
    pthread_mutex_unlock(name_lock(object));
}

/* PKCS #11: create, copy, destroy, and set what can be set */

static void copy_name(struct accel_name *to, const struct accel_name *from)
{
    if (from->size != 0)
        *to = (struct accel_name){base_memdup(from->data, from->size), from->size};
}

static CK_RV copy(const struct accel_object *from, const struct accel_template *template, struct accel_object **made)
{
    struct accel_object *object = accel_object_create(from->class, from->type, from->value_size);
    CK_RV rv;

    object->uses = from->uses;
    object->sensitive = from->sensitive;
    object->extractable = from->extractable;
    object->local = from->local;
    object->curve = from->curve;
    memcpy(object->value, from->value, from->value_size);
    if (from->key != NULL && EVP_PKEY_up_ref(from->key) == 1)
        object->key = from->key;
    accel_object_lock(from);
    copy_name(&object->id, &from->id);
    copy_name(&object->label, &from->label);
    accel_object_unlock(from);
    rv = accel_object_apply(object, template);
    if (rv != CKR_OK)
        accel_object_put(&object);
    *made = object;
    return rv;
}

CK_RV C_CopyObject(CK_SESSION_HANDLE session_handle, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *attributes, CK_ULONG count,
                   CK_OBJECT_HANDLE *new_handle)
{
    struct accel_session *session = NULL;
    struct accel_object *from = NULL, *made = NULL;
    struct accel_template template;
    CK_RV rv;

    if (new_handle == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &session);
    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    if (rv == CKR_OK && (from = accel_object_get(handle)) == NULL)
        rv = CKR_OBJECT_HANDLE_INVALID;
    if (rv == CKR_OK)
        rv = copy(from, &template, &made);
    if (rv == CKR_OK)
        accel_object_publish(session, made, new_handle);
    accel_object_put(&from);
    accel_session_put(&session);
    return rv;
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE session_handle, CK_OBJECT_HANDLE handle)
{
    struct accel_session *session = NULL;
    struct accel_object *object;
    CK_RV rv = accel_session_get(session_handle, &session);

    if (rv != CKR_OK)
        return rv;
    object = accel_object_withdraw(handle);
    if (object == NULL)
        rv = CKR_OBJECT_HANDLE_INVALID;
    else
        accel_session_disown(session, object);
    accel_object_put(&object);
    accel_session_put(&session);
    return rv;
}

/* Only names can be set: whatever else of a key could be set would make it weaker, or change it under its users. */
CK_RV C_SetAttributeValue(CK_SESSION_HANDLE session_handle, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE *attributes,
                          CK_ULONG count)
{
    struct accel_session *session = NULL;
    struct accel_object *object = NULL;
    struct accel_template template;
    CK_RV rv = accel_session_get(session_handle, &session);

    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        if (attributes[i].type != CKA_ID && attributes[i].type != CKA_LABEL)
            rv = CKR_ATTRIBUTE_READ_ONLY;
    if (rv == CKR_OK && (object = accel_object_get(handle)) == NULL)
        rv = CKR_OBJECT_HANDLE_INVALID;
    if (rv == CKR_OK) {
        accel_object_lock(object);
        rv = apply_name(&object->id, accel_template_find(&template, CKA_ID));
        if (rv == CKR_OK)
            rv = apply_name(&object->label, accel_template_find(&template, CKA_LABEL));
        accel_object_unlock(object);
    }
    accel_object_put(&object);
    accel_session_put(&session);
    return rv;
}
