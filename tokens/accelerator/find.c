/* C_FindObjects(): what is there when the search begins, by handle.
 *
 * NSS asks every token for the trust in each certificate that it meets, so a search for a class that the module has no
 * objects of must cost nothing. */
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

#include <stdlib.h>

struct find {
    struct accel_operation operation;
    const struct accel_template *template; /* while the search begins */
    CK_OBJECT_HANDLE *found;
    size_t count, capacity, given;
};

static void find_destroy(struct accel_operation *operation)
{
    struct find *find = CONTAINER_OF(operation, struct find, operation);

    free(find->found);
    free(find);
}

static bool visit(struct accel_handle *entry, void *context)
{
    const struct accel_object *object = CONTAINER_OF(entry, struct accel_object, handle);
    struct find *find = context;

    for (CK_ULONG i = 0; i < find->template->count; i++)
        if (!accel_object_matches(object, &find->template->attributes[i]))
            return true;
    if (find->count == find->capacity) {
        find->capacity = find->capacity == 0 ? 16 : find->capacity * 2;
        find->found = base_realloc_array(find->found, find->capacity, sizeof(*find->found));
    }
    find->found[find->count++] = entry->number;
    return true;
}

static bool may_be_there(const struct accel_template *template)
{
    switch (accel_template_number(template, CKA_CLASS, CKO_SECRET_KEY)) {
    case CKO_SECRET_KEY:
    case CKO_PRIVATE_KEY:
    case CKO_PUBLIC_KEY:
    case CKO_DATA:
        return !accel_template_flag(template, CKA_TOKEN, false);
    }
    return false;
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
    struct accel_template template;
    struct accel_session *session;
    struct find *find;
    CK_RV rv = accel_session_enter(handle, &session);

    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    if (rv == CKR_OK && session->operation != NULL)
        rv = CKR_OPERATION_ACTIVE;
    if (rv == CKR_OK) {
        find = base_alloc(sizeof(*find));
        find->operation = (struct accel_operation){ACCEL_OPERATION_FIND, find_destroy};
        find->template = &template;
        if (may_be_there(&template))
            accel_objects_walk(visit, find);
        find->template = NULL;
        rv = accel_session_begin(session, &find->operation);
    }
    accel_session_leave(&session);
    return rv;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *out, CK_ULONG most, CK_ULONG *count)
{
    struct accel_operation *operation;
    struct accel_session *session;
    CK_RV rv;

    if (!accel_readable(out, most) || count == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv != CKR_OK)
        return rv;
    operation = accel_session_operation(session, ACCEL_OPERATION_FIND);
    if (operation == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        struct find *find = CONTAINER_OF(operation, struct find, operation);

        *count = find->count - find->given < most ? find->count - find->given : most;
        if (*count != 0)
            memcpy(out, find->found + find->given, *count * sizeof(*out));
        find->given += *count;
    }
    accel_session_leave(&session);
    return rv;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
    struct accel_session *session;
    CK_RV rv = accel_session_enter(handle, &session);

    if (rv != CKR_OK)
        return rv;
    if (accel_session_operation(session, ACCEL_OPERATION_FIND) == NULL)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        accel_session_end(session);
    accel_session_leave(&session);
    return rv;
}
