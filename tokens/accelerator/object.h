/* tokens/accelerator/object.h: keys and data. All of them are session objects: they go with the session that made them.
 *
 * A *secret* (a secret key, or the data that HKDF gives) has its bytes in the object, which is wiped when it goes. A
 * *private* or *public* key has a key of libcrypto's. What an object is does not change after it was made, so that
 * users who hold a reference need no lock; only its id and label can be set, and have a lock.
 *
 * What can be read: public keys, and secrets unless they are sensitive or not extractable (NSS moves secrets between
 * its slots by reading them). Of a private key nothing that is secret, whatever its template said, and nothing wraps
 * it. */
#ifndef YETT_TOKENS_ACCELERATOR_OBJECT_H
#define YETT_TOKENS_ACCELERATOR_OBJECT_H

#include "tokens/accelerator/curve.h"
#include "tokens/accelerator/handles.h"
#include "tokens/accelerator/spare.h"
#include "tokens/accelerator/template.h"

#include <openssl/evp.h>

enum {
    ACCEL_SECRET_MAX = 16320, /* bytes of a secret: the most that HKDF gives, with SHA-512 */
    ACCEL_NAME_MAX = 1024,    /* bytes of an id or a label */
};

/* What a key may be used for. */
enum accel_use {
    ACCEL_USE_ENCRYPT = 1 << 0,
    ACCEL_USE_DECRYPT = 1 << 1,
    ACCEL_USE_SIGN = 1 << 2,
    ACCEL_USE_VERIFY = 1 << 3,
    ACCEL_USE_WRAP = 1 << 4,
    ACCEL_USE_UNWRAP = 1 << 5,
    ACCEL_USE_DERIVE = 1 << 6,
};

struct accel_name {
    uint8_t *data;
    size_t size;
};

struct accel_session;

struct accel_object {
    struct accel_handle handle;
    CK_SESSION_HANDLE owner;              /* the session that made it */
    struct accel_object *previous, *next; /* on the owner's list; its lock */
    bool listed;                          /* likewise */
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type; /* of keys */
    unsigned uses;    /* a set of enum accel_use */
    bool sensitive, extractable, local;
    const struct accel_curve *curve; /* of EC keys */
    EVP_PKEY *key;                   /* of private and public keys; a reference of the object's own */
    struct accel_spare signing;      /* an EVP_PKEY_CTX that signs with `key` (ecdsa.c) */
    struct accel_name id, label;     /* accel_object_lock() */
    size_t value_size;
    uint8_t value[]; /* of secrets */
};

/* A new object with one reference, the caller's, and no handle yet. `size` bytes of value, zero. */
struct accel_object *accel_object_create(CK_OBJECT_CLASS class, CK_KEY_TYPE type, size_t size);

/* Take from a template what every object has: uses, whether it can be read, id, label. CKR_TEMPLATE_INCONSISTENT when
 * it is to be a token object: this token keeps nothing. CKA_CLASS and CKA_KEY_TYPE must be the object's if they are
 * there. */
CK_RV accel_object_apply(struct accel_object *object, const struct accel_template *template);

/* Put the object into the table, with the session as its owner; sets *handle. Takes the caller's reference. */
void accel_object_publish(struct accel_session *session, struct accel_object *object, CK_OBJECT_HANDLE *handle);

/* A reference to the object with this handle, or NULL. */
struct accel_object *accel_object_get(CK_OBJECT_HANDLE handle);

/* The key with this handle, for a use: CKR_KEY_HANDLE_INVALID where there is none, CKR_KEY_TYPE_INCONSISTENT where it
 * is none of `class`, CKR_KEY_FUNCTION_NOT_PERMITTED. Sets *key, with a reference, when CKR_OK. */
CK_RV accel_object_get_key(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS class, enum accel_use use,
                           struct accel_object **key);

/* Give back a reference; NULL-safe, sets NULL. With the last the object is wiped and freed. */
void accel_object_put(struct accel_object **object);

void accel_object_lock(const struct accel_object *object);
void accel_object_unlock(const struct accel_object *object);

/* For C_Initialize() and C_Finalize(). */
void accel_objects_start(void);
void accel_objects_stop(void);

/* Take the object with this handle out of the table; the table's reference is the caller's. NULL where there is none.
 */
struct accel_object *accel_object_withdraw(CK_OBJECT_HANDLE handle);

/* See accel_handles_walk(). */
void accel_objects_walk(bool (*visit)(struct accel_handle *entry, void *context), void *context);

/* One attribute, as C_GetAttributeValue() gives it (attributes.c). */
CK_RV accel_object_read(const struct accel_object *object, CK_ATTRIBUTE *attribute);

/* Whether the object has the attribute with this value. Nothing that cannot be read matches. */
bool accel_object_matches(const struct accel_object *object, const CK_ATTRIBUTE *attribute);

#endif
