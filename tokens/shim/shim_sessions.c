/* see tokens/shim/shim_module.h */
#include "tokens/shim/shim_module.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 4096 };

static struct shim_session *sessions[SESSIONS_MAX]; /* handle - 1 */
static size_t sessions_hint;                        /* where to look for a free one */

/* see tokens/shim/shim_module.h */
struct shim_session *shim_session_get(CK_SESSION_HANDLE handle)
{
    return handle == 0 || handle > SESSIONS_MAX ? NULL : sessions[handle - 1];
}

/* see tokens/shim/shim_module.h */
void shim_sessions_close_all(void)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        free(sessions[i]);
        sessions[i] = NULL;
    }
}

CK_RV shim_open_session(CK_SLOT_ID id, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *handle)
{
    CK_RV rv = CKR_SESSION_COUNT;

    (void)application;
    (void)notify;
    if (id >= shim_state.slot_count)
        return CKR_SLOT_ID_INVALID;
    if ((flags & CKF_SERIAL_SESSION) == 0)
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    if ((flags & CKF_RW_SESSION) != 0)
        return CKR_TOKEN_WRITE_PROTECTED;
    pthread_mutex_lock(&shim_state.lock);
    for (size_t n = 0; n < SESSIONS_MAX && rv != CKR_OK; n++) {
        size_t i = (sessions_hint + n) % SESSIONS_MAX;

        if (sessions[i] != NULL)
            continue;
        sessions[i] = base_alloc(sizeof(*sessions[i]));
        sessions[i]->slot = id;
        sessions[i]->flags = flags;
        sessions_hint = i + 1;
        *handle = i + 1;
        rv = CKR_OK;
    }
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}

CK_RV shim_close_session(CK_SESSION_HANDLE handle)
{
    struct shim_session *session;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session != NULL) {
        sessions[handle - 1] = NULL;
        sessions_hint = handle - 1;
    }
    pthread_mutex_unlock(&shim_state.lock);
    free(session);
    return session == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
}

CK_RV shim_close_all_sessions(CK_SLOT_ID id)
{
    if (id >= shim_state.slot_count)
        return CKR_SLOT_ID_INVALID;
    pthread_mutex_lock(&shim_state.lock);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (sessions[i] != NULL && sessions[i]->slot == id) {
            free(sessions[i]);
            sessions[i] = NULL;
        }
    }
    pthread_mutex_unlock(&shim_state.lock);
    return CKR_OK;
}

CK_RV shim_get_session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
    struct shim_session *session;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session != NULL)
        *info = (CK_SESSION_INFO){.slotID = session->slot, .state = CKS_RO_PUBLIC_SESSION, .flags = session->flags};
    pthread_mutex_unlock(&shim_state.lock);
    return session == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
}

/* see tokens/shim/shim_module.h */
const struct shim_object *shim_object_get(const struct shim_session *session, CK_OBJECT_HANDLE handle)
{
    const struct shim_objects *objects = &shim_state.slots[session->slot].objects;

    return handle == 0 || handle > objects->count ? NULL : &objects->objects[handle - 1];
}

CK_RV shim_get_attribute_value(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ATTRIBUTE *wanted,
                               CK_ULONG count)
{
    const struct shim_object *object = NULL;
    struct shim_session *session;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session != NULL)
        object = shim_object_get(session, object_handle);
    pthread_mutex_unlock(&shim_state.lock);
    if (session == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    return object == NULL ? CKR_OBJECT_HANDLE_INVALID : shim_object_read(object, wanted, count);
}

CK_RV shim_find_objects_init(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *wanted, CK_ULONG count)
{
    const struct shim_objects *objects;
    struct shim_session *session;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session == NULL) {
        rv = CKR_SESSION_HANDLE_INVALID;
    } else if (session->finding) {
        rv = CKR_OPERATION_ACTIVE;
    } else {
        session->finding = true;
        session->found_count = session->found_next = 0;
        objects = &shim_state.slots[session->slot].objects;
        for (size_t i = 0; i < objects->count; i++)
            if (shim_object_matches(&objects->objects[i], wanted, count))
                session->found[session->found_count++] = i;
    }
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}

CK_RV shim_find_objects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *count)
{
    struct shim_session *session;
    CK_RV rv = CKR_OK;

    *count = 0;
    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (!session->finding)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        while (*count < max && session->found_next < session->found_count)
            found[(*count)++] = session->found[session->found_next++] + 1;
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}

CK_RV shim_find_objects_final(CK_SESSION_HANDLE handle)
{
    struct shim_session *session;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (!session->finding)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        session->finding = false;
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}
