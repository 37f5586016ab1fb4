/* tokens/accelerator/session.h: sessions, and the operation that one has under way.
 *
 * NSS opens a session for each context and many keys, and closes it with them, so an open one is a few bytes. What an
 * operation needs (a hash's state, a cipher's context) is on the heap while it lasts; one at a time in a session. Calls
 * that leave no state, such as C_DeriveKey() and C_GetAttributeValue(), may be made in one session from several threads
 * at once, as NSS does; those of an operation wait for one another. */
#ifndef YETT_TOKENS_ACCELERATOR_SESSION_H
#define YETT_TOKENS_ACCELERATOR_SESSION_H

#include "tokens/accelerator/handles.h"

struct accel_object;

enum accel_operation_kind {
    ACCEL_OPERATION_DIGEST,
    ACCEL_OPERATION_SIGN,
    ACCEL_OPERATION_VERIFY,
    ACCEL_OPERATION_ENCRYPT_MESSAGES,
    ACCEL_OPERATION_DECRYPT_MESSAGES,
    ACCEL_OPERATION_FIND,
};

/* To be the first member of what an operation needs. */
struct accel_operation {
    enum accel_operation_kind kind;
    void (*destroy)(struct accel_operation *operation); /* wipes and frees it */
};

struct accel_session {
    struct accel_handle handle;
    CK_FLAGS flags;
    pthread_mutex_t lock; /* of `operation` */
    struct accel_operation *operation;
    pthread_mutex_t objects_lock; /* of the list; taken before any shard's lock */
    struct accel_object *objects; /* made in this session; a reference to each */
    bool closed;                  /* likewise: nothing is adopted any more */
};

/* A reference to the session: CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID. Sets *session when CKR_OK. */
CK_RV accel_session_get(CK_SESSION_HANDLE handle, struct accel_session **session);

/* Give it back; NULL-safe, sets NULL. */
void accel_session_put(struct accel_session **session);

/* The same with the session's lock held, for calls of an operation. */
CK_RV accel_session_enter(CK_SESSION_HANDLE handle, struct accel_session **session);
void accel_session_leave(struct accel_session **session);

/* In an entered session: begin `operation`, which is taken; CKR_OPERATION_ACTIVE, and it is destroyed, when there is
 * one already. */
CK_RV accel_session_begin(struct accel_session *session, struct accel_operation *operation);

/* In an entered session: the operation of the kind, or NULL. */
struct accel_operation *accel_session_operation(const struct accel_session *session, enum accel_operation_kind kind);

/* In an entered session: end the operation, if there is one. */
void accel_session_end(struct accel_session *session);

/* Make the session the owner of an object that has its handle, and take the caller's reference; an object of a session
 * that was closed meanwhile goes at once. */
void accel_session_adopt(struct accel_session *session, struct accel_object *object);

/* Take an object, which was withdrawn, from its owner's list. `session` is any, likely the owner. */
void accel_session_disown(struct accel_session *session, struct accel_object *object);

void accel_sessions_start(void);
/* Closes all sessions. */
void accel_sessions_stop(void);

#endif
