/* see tokens/accelerator/session.h */
#include "tokens/accelerator/session.h"
#include "tokens/accelerator/object.h"

#include <stdlib.h>

static struct accel_handles sessions;

void accel_sessions_start(void)
{
    accel_handles_init(&sessions);
}

static void destroy(struct accel_session *session)
{
    assert(session->objects == NULL);
    accel_session_end(session);
    pthread_mutex_destroy(&session->lock);
    pthread_mutex_destroy(&session->objects_lock);
    free(session);
}

void accel_session_put(struct accel_session **session)
{
    if (*session != NULL && accel_handle_release(&(*session)->handle))
        destroy(*session);
    *session = NULL;
}

static struct accel_session *look_up(CK_SESSION_HANDLE handle)
{
    struct accel_handle *entry = accel_handles_get(&sessions, handle);

    return entry == NULL ? NULL : CONTAINER_OF(entry, struct accel_session, handle);
}

CK_RV accel_session_get(CK_SESSION_HANDLE handle, struct accel_session **session)
{
    *session = NULL;
    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    *session = look_up(handle);
    return *session == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
}

CK_RV accel_session_enter(CK_SESSION_HANDLE handle, struct accel_session **session)
{
    CK_RV rv = accel_session_get(handle, session);

    if (rv == CKR_OK)
        pthread_mutex_lock(&(*session)->lock);
    return rv;
}

void accel_session_leave(struct accel_session **session)
{
    if (*session == NULL)
        return;
    pthread_mutex_unlock(&(*session)->lock);
    accel_session_put(session);
}

CK_RV accel_session_begin(struct accel_session *session, struct accel_operation *operation)
{
    if (session->operation != NULL) {
        operation->destroy(operation);
        return CKR_OPERATION_ACTIVE;
    }
    session->operation = operation;
    return CKR_OK;
}

struct accel_operation *accel_session_operation(const struct accel_session *session, enum accel_operation_kind kind)
{
    return session->operation != NULL && session->operation->kind == kind ? session->operation : NULL;
}

void accel_session_end(struct accel_session *session)
{
    if (session->operation != NULL)
        session->operation->destroy(session->operation);
    session->operation = NULL;
}

/* The list of objects. The lock of a session orders adopting, disowning and closing. */

void accel_session_adopt(struct accel_session *session, struct accel_object *object)
{
    bool closed;

    pthread_mutex_lock(&session->objects_lock);
    closed = session->closed;
    if (!closed) {
        object->listed = true;
        object->next = session->objects;
        if (object->next != NULL)
            object->next->previous = object;
        session->objects = object;
    }
    pthread_mutex_unlock(&session->objects_lock);
    if (closed) {
        struct accel_object *withdrawn = accel_object_withdraw(object->handle.number);

        accel_object_put(&withdrawn);
        accel_object_put(&object);
    }
}

/* With the owner's lock held. */
static void take_off(struct accel_session *owner, struct accel_object *object)
{
    if (object->previous != NULL)
        object->previous->next = object->next;
    else
        owner->objects = object->next;
    if (object->next != NULL)
        object->next->previous = object->previous;
    object->previous = object->next = NULL;
    object->listed = false;
}

static void disown(struct accel_session *owner, struct accel_object *object)
{
    bool listed;

    pthread_mutex_lock(&owner->objects_lock);
    listed = object->listed;
    if (listed)
        take_off(owner, object);
    pthread_mutex_unlock(&owner->objects_lock);
    if (listed)
        accel_object_put(&object); /* the list's */
}

void accel_session_disown(struct accel_session *session, struct accel_object *object)
{
    struct accel_session *owner;

    if (object->owner == session->handle.number) {
        disown(session, object);
        return;
    }
    owner = look_up(object->owner);
    if (owner != NULL) /* else its closing does it */
        disown(owner, object);
    accel_session_put(&owner);
}

/* The objects of the session go with it. */
static void close_objects(struct accel_session *session)
{
    struct accel_object *object, *withdrawn;

    for (;;) {
        pthread_mutex_lock(&session->objects_lock);
        session->closed = true;
        object = session->objects;
        if (object != NULL)
            take_off(session, object);
        pthread_mutex_unlock(&session->objects_lock);
        if (object == NULL)
            return;
        withdrawn = accel_object_withdraw(object->handle.number);
        accel_object_put(&withdrawn);
        accel_object_put(&object);
    }
}

/* Takes the reference of the table. */
static void close_session(struct accel_handle *entry)
{
    struct accel_session *session = CONTAINER_OF(entry, struct accel_session, handle);

    pthread_mutex_lock(&session->lock);
    accel_session_end(session);
    pthread_mutex_unlock(&session->lock);
    close_objects(session);
    accel_session_put(&session);
}

static void close_all(void)
{
    struct accel_handle *entry;

    while ((entry = accel_handles_take_any(&sessions)) != NULL)
        close_session(entry);
}

void accel_sessions_stop(void)
{
    close_all();
    accel_handles_clear(&sessions);
}

/* PKCS #11 */

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *handle)
{
    struct accel_session *session;

    (void)application; /* nothing is ever notified */
    (void)notify;
    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != ACCEL_SLOT)
        return CKR_SLOT_ID_INVALID;
    if (handle == NULL)
        return CKR_ARGUMENTS_BAD;
    if ((flags & CKF_SERIAL_SESSION) == 0)
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    session = base_alloc(sizeof(*session));
    session->flags = flags & (CKF_SERIAL_SESSION | CKF_RW_SESSION);
    pthread_mutex_init(&session->lock, NULL);
    pthread_mutex_init(&session->objects_lock, NULL);
    atomic_init(&session->handle.references, 1);
    accel_handles_add(&sessions, &session->handle);
    *handle = session->handle.number;
    accel_session_put(&session);
    return CKR_OK;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE handle)
{
    struct accel_handle *entry;

    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    entry = accel_handles_remove(&sessions, handle);
    if (entry == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    close_session(entry);
    return CKR_OK;
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
    if (!accel_is_initialized())
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (slot != ACCEL_SLOT)
        return CKR_SLOT_ID_INVALID;
    close_all();
    return CKR_OK;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
    struct accel_session *session;
    CK_RV rv;

    if (info == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(handle, &session);
    if (rv != CKR_OK)
        return rv;
    *info = (CK_SESSION_INFO){
        .slotID = ACCEL_SLOT,
        .state = (session->flags & CKF_RW_SESSION) != 0 ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION,
        .flags = session->flags,
    };
    accel_session_put(&session);
    return CKR_OK;
}

/* Also the way out of an operation that is not to be finished (PKCS #11 3.0 section 5.6.10). */
CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
    static const struct {
        enum accel_operation_kind kind;
        CK_FLAGS flag;
    } flags_of[] = {
        {ACCEL_OPERATION_DIGEST, CKF_DIGEST},
        {ACCEL_OPERATION_SIGN, CKF_SIGN},
        {ACCEL_OPERATION_VERIFY, CKF_VERIFY},
        {ACCEL_OPERATION_ENCRYPT_MESSAGES, CKF_MESSAGE_ENCRYPT},
        {ACCEL_OPERATION_DECRYPT_MESSAGES, CKF_MESSAGE_DECRYPT},
        {ACCEL_OPERATION_FIND, CKF_FIND_OBJECTS},
    };
    struct accel_session *session;
    CK_RV rv = accel_session_enter(handle, &session);

    if (rv != CKR_OK)
        return rv;
    for (size_t i = 0; i < ARRAY_LEN(flags_of); i++)
        if ((flags & flags_of[i].flag) != 0 && accel_session_operation(session, flags_of[i].kind) != NULL)
            accel_session_end(session);
    accel_session_leave(&session);
    return CKR_OK;
}
