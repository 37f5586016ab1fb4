/* tokens/shim/shim_module.h: the parts of yett-shim.so between themselves. See tokens/shim/shim_internal.h
 *
 *   shim_module.c    what NSS is given: the table of functions; configuration
 *   shim_slots.c     slots, tokens and mechanisms
 *   shim_sessions.c  sessions, and looking for objects in them
 *   shim_sign.c      signatures: the line to the agent
 *   shim_objects.c   the objects of a slot
 *
 * The functions that have the names of PKCS#11's are those. `lock` is around the session table, and never held while an
 * agent is asked; all else of the state changes only while nothing else runs. */
#ifndef YETT_TOKENS_SHIM_SHIM_MODULE_H
#define YETT_TOKENS_SHIM_SHIM_MODULE_H

#include "tokens/agent_client.h"
#include "tokens/shim/shim_objects.h"

#include <p11-kit/pkcs11.h>
#include <pthread.h>

#define SHIM_EXPORT __attribute__((visibility("default")))

struct shim_slot {
    char *uri;
    struct agent_client *client;
    uint32_t timeout_ms;
    uint8_t *encoded;
    struct tokens_wire_identity identity; /* points into encoded */
    uint64_t key_tag;
    struct shim_objects objects;
};

/* One operation of each kind may be active in a session. */
struct shim_session {
    CK_SLOT_ID slot;
    CK_FLAGS flags;
    bool finding;
    size_t found[SHIM_OBJECTS_MAX], found_count, found_next;
    bool signing;
    struct tokens_wire_request request; /* mechanism, hash and salt are set by C_SignInit() */
};

struct shim_state {
    struct shim_slot *slots;
    size_t slot_count;
    struct agent_client **clients;
    size_t client_count;
    pthread_mutex_t lock;
    bool initialized;
};
extern struct shim_state shim_state;

/* The mechanism's number for a bit of tokens_wire_identity.mechanisms. */
enum { SHIM_MECHANISM_COUNT = 3 };
struct shim_mechanism {
    enum tokens_wire_mechanism wire;
    CK_MECHANISM_TYPE type;
};
extern const struct shim_mechanism shim_mechanisms[SHIM_MECHANISM_COUNT];

bool shim_slot_can(const struct shim_slot *slot, const struct shim_mechanism *mechanism);
size_t shim_signature_size(const struct tokens_wire_identity *identity); /* bytes */

/* PKCS#11 strings are padded with blanks, and have no end. */
void shim_pad(unsigned char *out, size_t size, const char *text);

struct shim_session *shim_session_get(CK_SESSION_HANDLE handle); /* lock held. NULL: there is none */
void shim_sessions_close_all(void);                              /* lock held */
/* Handles are one more than the index in the slot's objects. NULL: there is none */
const struct shim_object *shim_object_get(const struct shim_session *session, CK_OBJECT_HANDLE handle);

CK_RV shim_get_slot_list(CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count);
CK_RV shim_get_slot_info(CK_SLOT_ID id, CK_SLOT_INFO *info);
CK_RV shim_get_token_info(CK_SLOT_ID id, CK_TOKEN_INFO *info);
CK_RV shim_get_mechanism_list(CK_SLOT_ID id, CK_MECHANISM_TYPE *list, CK_ULONG *count);
CK_RV shim_get_mechanism_info(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info);
CK_RV shim_open_session(CK_SLOT_ID id, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *handle);
CK_RV shim_close_session(CK_SESSION_HANDLE handle);
CK_RV shim_close_all_sessions(CK_SLOT_ID id);
CK_RV shim_get_session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info);
CK_RV shim_get_attribute_value(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ATTRIBUTE *wanted,
                               CK_ULONG count);
CK_RV shim_find_objects_init(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *wanted, CK_ULONG count);
CK_RV shim_find_objects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *count);
CK_RV shim_find_objects_final(CK_SESSION_HANDLE handle);
CK_RV shim_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV shim_sign(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                CK_ULONG *size);

#endif
