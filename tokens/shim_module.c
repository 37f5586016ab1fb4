/* yett-shim.so: the PKCS#11 module that NSS loads. See tokens/shim.h and tokens/shim_internal.h
 *
 * One slot for each identity, with fixed numbers; no login, no slot events, nothing that ever changes while it is
 * loaded. Everything is answered from memory, but for C_Sign(), which asks the agent. What is not listed in the table
 * at the end answers CKR_FUNCTION_NOT_SUPPORTED. One lock around the session table, never held while an agent is asked.
 */
#include "tokens/agent_client.h"
#include "tokens/shim_internal.h"
#include "tokens/shim_objects.h"

#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

enum { SESSIONS_MAX = 4096, ERROR_SIZE = 320 };

struct slot {
    char *uri;
    struct agent_client *client;
    uint32_t timeout_ms;
    uint8_t *encoded;
    struct tokens_wire_identity identity; /* points into encoded */
    uint64_t key_tag;
    struct shim_objects objects;
};

/* One operation of each kind may be active in a session. */
struct session {
    CK_SLOT_ID slot;
    CK_FLAGS flags;
    bool finding;
    size_t found[SHIM_OBJECTS_MAX], found_count, found_next;
    bool signing;
    struct tokens_wire_request request; /* mechanism, hash and salt are set by C_SignInit() */
};

static struct slot *slots;
static size_t slot_count;
static struct agent_client **clients;
static size_t client_count;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialized;
static struct session *sessions[SESSIONS_MAX]; /* handle - 1 */
static size_t sessions_hint;                   /* where to look for a free one */

static _Thread_local char last_error[ERROR_SIZE];

static void forget_all(void)
{
    for (size_t i = 0; i < slot_count; i++) {
        shim_objects_clear(&slots[i].objects);
        free(slots[i].encoded);
        free(slots[i].uri);
    }
    for (size_t i = 0; i < client_count; i++)
        agent_client_destroy(&clients[i]);
    free(slots);
    free(clients);
    slots = NULL;
    clients = NULL;
    slot_count = client_count = 0;
}

static bool slot_fill(struct slot *slot, const struct shim_identity *from, const struct shim_config *config)
{
    slot->uri = base_strdup(from->uri);
    slot->client = clients[from->agent];
    slot->timeout_ms = config->agents[from->agent].sign_timeout_ms;
    slot->encoded = base_memdup(from->encoded.data, from->encoded.size);
    if (tokens_wire_identity_decode(span_of(slot->encoded, from->encoded.size), &slot->identity) != TOKENS_WIRE_OK)
        return false;
    slot->key_tag = tokens_wire_key_tag(slot->identity.spki);
    shim_objects_build(&slot->objects, &slot->identity);
    return true;
}

/* see tokens/shim_internal.h */
EXPORT bool yett_shim_configure(const struct shim_config *config);
bool yett_shim_configure(const struct shim_config *config)
{
    forget_all();
    if (config == NULL)
        return true;
    if (config->identity_count > SHIM_IDENTITIES_MAX)
        return false;
    clients = base_alloc(config->agent_count * sizeof(struct agent_client *));
    for (; client_count < config->agent_count; client_count++)
        clients[client_count] = agent_client_create(config->agents[client_count].socket_path);
    slots = base_alloc(config->identity_count * sizeof(*slots));
    while (slot_count < config->identity_count) {
        slot_count++;
        if (!slot_fill(&slots[slot_count - 1], &config->identities[slot_count - 1], config)) {
            forget_all();
            return false;
        }
    }
    return true;
}

/* see tokens/shim_internal.h */
EXPORT const char *yett_shim_error(void);
const char *yett_shim_error(void)
{
    return last_error;
}

/* PKCS#11 strings are padded with blanks, and have no end. */
static void pad(unsigned char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    memset(out, ' ', size);
    memcpy(out, text, len < size ? len : size);
}

/* lock held. */
static struct session *session_get(CK_SESSION_HANDLE handle)
{
    return handle == 0 || handle > SESSIONS_MAX ? NULL : sessions[handle - 1];
}

static void sessions_close_all(void)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        free(sessions[i]);
        sessions[i] = NULL;
    }
}

static CK_RV shim_initialize(void *args)
{
    CK_RV rv = CKR_OK;

    (void)args; /* whatever the locking asked for, ours is the system's */
    pthread_mutex_lock(&lock);
    if (initialized)
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    initialized = true;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV shim_finalize(void *reserved)
{
    CK_RV rv = CKR_OK;

    (void)reserved;
    pthread_mutex_lock(&lock);
    if (!initialized)
        rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    sessions_close_all();
    initialized = false;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV shim_get_info(CK_INFO *info)
{
    *info = (CK_INFO){.cryptokiVersion = {2, 40}, .libraryVersion = {1, 0}};
    pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    pad(info->libraryDescription, sizeof(info->libraryDescription), "yett token shim");
    return CKR_OK;
}

static CK_RV shim_get_slot_list(CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count)
{
    CK_ULONG room = *count;

    (void)token_present; /* there is a token in each, always */
    *count = slot_count;
    if (list == NULL)
        return CKR_OK;
    if (room < slot_count)
        return CKR_BUFFER_TOO_SMALL;
    for (size_t i = 0; i < slot_count; i++)
        list[i] = i;
    return CKR_OK;
}

static CK_RV shim_get_slot_info(CK_SLOT_ID id, CK_SLOT_INFO *info)
{
    if (id >= slot_count)
        return CKR_SLOT_ID_INVALID;
    *info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT};
    pad(info->slotDescription, sizeof(info->slotDescription), slots[id].uri);
    pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    return CKR_OK;
}

static CK_RV shim_get_token_info(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
    char label[sizeof(info->label) + 1], serial[sizeof(info->serialNumber) + 1];
    struct span name;

    if (id >= slot_count)
        return CKR_SLOT_ID_INVALID;
    *info = (CK_TOKEN_INFO){
        .flags = CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED,
        .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
    };
    /* Labels must differ, or NSS takes one for the other; the number comes first because the rest may be cut off. */
    name = slots[id].identity.token_label;
    snprintf(label, sizeof(label), "%zu %.*s", (size_t)id, (int)name.size, (const char *)name.data);
    snprintf(serial, sizeof(serial), "%016llx", (unsigned long long)slots[id].key_tag);
    pad(info->label, sizeof(info->label), label);
    pad(info->serialNumber, sizeof(info->serialNumber), serial);
    pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    pad(info->model, sizeof(info->model), "token shim");
    return CKR_OK;
}

/* The mechanism's number for a bit of tokens_wire_identity.mechanisms. */
static const struct mechanism {
    enum tokens_wire_mechanism wire;
    CK_MECHANISM_TYPE type;
} mechanisms[] = {
    {TOKENS_WIRE_ECDSA, CKM_ECDSA},
    {TOKENS_WIRE_RSA_PKCS1, CKM_RSA_PKCS},
    {TOKENS_WIRE_RSA_PSS, CKM_RSA_PKCS_PSS},
};

static bool slot_can(const struct slot *slot, const struct mechanism *mechanism)
{
    return (slot->identity.mechanisms & 1U << mechanism->wire) != 0;
}

static CK_RV shim_get_mechanism_list(CK_SLOT_ID id, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    CK_ULONG room = *count, have = 0;

    if (id >= slot_count)
        return CKR_SLOT_ID_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        if (!slot_can(&slots[id], &mechanisms[i]))
            continue;
        if (list != NULL && have < room)
            list[have] = mechanisms[i].type;
        have++;
    }
    *count = have;
    return list != NULL && have > room ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

/* In bits: of the modulus, or of the curve's order. */
static size_t key_bits(const struct tokens_wire_identity *identity)
{
    size_t point;

    switch (identity->key_type) {
    case TOKENS_WIRE_KEY_RSA:
        return identity->modulus.size * 8;
    case TOKENS_WIRE_KEY_EC:
        /* A DER OCTET STRING around 0x04, X and Y: 67, 99 or 136 bytes in all. */
        point = identity->ec_point.size;
        return point <= 67 ? 256 : point <= 99 ? 384 : 521;
    }
    return 0;
}

static size_t signature_size(const struct tokens_wire_identity *identity)
{
    size_t bytes = (key_bits(identity) + 7) / 8;

    return identity->key_type == TOKENS_WIRE_KEY_EC ? 2 * bytes : bytes;
}

static CK_RV shim_get_mechanism_info(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    if (id >= slot_count)
        return CKR_SLOT_ID_INVALID;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        if (mechanisms[i].type != type || !slot_can(&slots[id], &mechanisms[i]))
            continue;
        *info = (CK_MECHANISM_INFO){.ulMinKeySize = key_bits(&slots[id].identity),
                                    .ulMaxKeySize = key_bits(&slots[id].identity),
                                    .flags = CKF_SIGN};
        return CKR_OK;
    }
    return CKR_MECHANISM_INVALID;
}

static CK_RV shim_open_session(CK_SLOT_ID id, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                               CK_SESSION_HANDLE *handle)
{
    CK_RV rv = CKR_SESSION_COUNT;

    (void)application;
    (void)notify;
    if (id >= slot_count)
        return CKR_SLOT_ID_INVALID;
    if ((flags & CKF_SERIAL_SESSION) == 0)
        return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    if ((flags & CKF_RW_SESSION) != 0)
        return CKR_TOKEN_WRITE_PROTECTED;
    pthread_mutex_lock(&lock);
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
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV shim_close_session(CK_SESSION_HANDLE handle)
{
    struct session *session;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session != NULL) {
        sessions[handle - 1] = NULL;
        sessions_hint = handle - 1;
    }
    pthread_mutex_unlock(&lock);
    free(session);
    return session == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
}

static CK_RV shim_close_all_sessions(CK_SLOT_ID id)
{
    if (id >= slot_count)
        return CKR_SLOT_ID_INVALID;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (sessions[i] != NULL && sessions[i]->slot == id) {
            free(sessions[i]);
            sessions[i] = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return CKR_OK;
}

static CK_RV shim_get_session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
    struct session *session;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session != NULL)
        *info = (CK_SESSION_INFO){.slotID = session->slot, .state = CKS_RO_PUBLIC_SESSION, .flags = session->flags};
    pthread_mutex_unlock(&lock);
    return session == NULL ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
}

/* Handles are one more than the index in the slot's objects. */
static const struct shim_object *object_get(const struct session *session, CK_OBJECT_HANDLE handle)
{
    const struct shim_objects *objects = &slots[session->slot].objects;

    return handle == 0 || handle > objects->count ? NULL : &objects->objects[handle - 1];
}

static CK_RV shim_get_attribute_value(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object_handle, CK_ATTRIBUTE *wanted,
                                      CK_ULONG count)
{
    const struct shim_object *object = NULL;
    struct session *session;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session != NULL)
        object = object_get(session, object_handle);
    pthread_mutex_unlock(&lock);
    if (session == NULL)
        return CKR_SESSION_HANDLE_INVALID;
    return object == NULL ? CKR_OBJECT_HANDLE_INVALID : shim_object_read(object, wanted, count);
}

static CK_RV shim_find_objects_init(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *wanted, CK_ULONG count)
{
    const struct shim_objects *objects;
    struct session *session;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session == NULL) {
        rv = CKR_SESSION_HANDLE_INVALID;
    } else if (session->finding) {
        rv = CKR_OPERATION_ACTIVE;
    } else {
        session->finding = true;
        session->found_count = session->found_next = 0;
        objects = &slots[session->slot].objects;
        for (size_t i = 0; i < objects->count; i++)
            if (shim_object_matches(&objects->objects[i], wanted, count))
                session->found[session->found_count++] = i;
    }
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV shim_find_objects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *count)
{
    struct session *session;
    CK_RV rv = CKR_OK;

    *count = 0;
    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (!session->finding)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        while (*count < max && session->found_next < session->found_count)
            found[(*count)++] = session->found[session->found_next++] + 1;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV shim_find_objects_final(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (!session->finding)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        session->finding = false;
    pthread_mutex_unlock(&lock);
    return rv;
}

static enum tokens_wire_hash hash_of(CK_MECHANISM_TYPE type)
{
    switch (type) {
    case CKM_SHA_1:
        return TOKENS_WIRE_HASH_SHA1;
    case CKM_SHA256:
        return TOKENS_WIRE_HASH_SHA256;
    case CKM_SHA384:
        return TOKENS_WIRE_HASH_SHA384;
    case CKM_SHA512:
        return TOKENS_WIRE_HASH_SHA512;
    default:
        return TOKENS_WIRE_HASH_NONE; /* CK_MECHANISM_TYPE is a number, not an enum */
    }
}

static enum tokens_wire_hash mgf_hash_of(CK_RSA_PKCS_MGF_TYPE mgf)
{
    switch (mgf) {
    case CKG_MGF1_SHA1:
        return TOKENS_WIRE_HASH_SHA1;
    case CKG_MGF1_SHA256:
        return TOKENS_WIRE_HASH_SHA256;
    case CKG_MGF1_SHA384:
        return TOKENS_WIRE_HASH_SHA384;
    case CKG_MGF1_SHA512:
        return TOKENS_WIRE_HASH_SHA512;
    default:
        return TOKENS_WIRE_HASH_NONE;
    }
}

static CK_RV read_mechanism(const struct slot *slot, const CK_MECHANISM *mechanism, struct tokens_wire_request *request)
{
    const CK_RSA_PKCS_PSS_PARAMS *pss = mechanism->pParameter;

    *request = (struct tokens_wire_request){
        .type = TOKENS_WIRE_SIGN, .uri = span_of_string(slot->uri), .key_tag = slot->key_tag};
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
        if (mechanisms[i].type == mechanism->mechanism && slot_can(slot, &mechanisms[i]))
            request->mechanism = mechanisms[i].wire;
    if (request->mechanism == 0)
        return CKR_MECHANISM_INVALID;
    if (request->mechanism != TOKENS_WIRE_RSA_PSS)
        return CKR_OK;
    if (pss == NULL || mechanism->ulParameterLen != sizeof(*pss))
        return CKR_MECHANISM_PARAM_INVALID;
    request->hash = hash_of(pss->hashAlg);
    request->salt_size = (uint16_t)pss->sLen;
    if (request->hash == TOKENS_WIRE_HASH_NONE || mgf_hash_of(pss->mgf) != request->hash || pss->sLen > 64)
        return CKR_MECHANISM_PARAM_INVALID;
    return CKR_OK;
}

static CK_RV shim_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    struct session *session;
    CK_RV rv;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (session->signing)
        rv = CKR_OPERATION_ACTIVE;
    else if (key != SHIM_PRIVATE_KEY_INDEX + 1)
        rv = object_get(session, key) == NULL ? CKR_KEY_HANDLE_INVALID : CKR_KEY_FUNCTION_NOT_PERMITTED;
    else
        rv = read_mechanism(&slots[session->slot], mechanism, &session->request);
    if (rv == CKR_OK)
        session->signing = true;
    pthread_mutex_unlock(&lock);
    return rv;
}

static CK_RV failed(CK_RV rv, const char *uri, struct span why)
{
    snprintf(last_error, sizeof(last_error), "%s: %.*s", uri, (int)why.size, (const char *)why.data);
    return rv;
}

/* Ask the agent. No lock is held: this is where threads spend their time. */
static CK_RV ask_agent(const struct slot *slot, const struct tokens_wire_request *request, unsigned char *out,
                       CK_ULONG *size)
{
    struct tokens_wire_reply reply;
    uint8_t *frame;
    enum agent_client_status status = agent_client_call(slot->client, request, slot->timeout_ms, &reply, &frame);
    CK_RV rv = CKR_OK;

    last_error[0] = '\0';
    switch (status) {
    case AGENT_CLIENT_OK:
        break;
    case AGENT_CLIENT_TIMEOUT:
        return failed(CKR_FUNCTION_FAILED, slot->uri, span_of_string(agent_client_status_text(status)));
    case AGENT_CLIENT_UNREACHABLE:
    case AGENT_CLIENT_BAD_REPLY:
        return failed(CKR_DEVICE_ERROR, slot->uri, span_of_string(agent_client_status_text(status)));
    }
    if (reply.type == TOKENS_WIRE_FAILED)
        rv = failed(reply.ckr == CKR_OK ? CKR_GENERAL_ERROR : (CK_RV)reply.ckr, slot->uri, reply.text);
    else if (reply.type != TOKENS_WIRE_SIGNED || reply.signature.size > *size || reply.signature.size == 0)
        rv = failed(CKR_DEVICE_ERROR, slot->uri, span_of_string("the signature has not the size it should have"));
    if (rv == CKR_OK) {
        memcpy(out, reply.signature.data, reply.signature.size);
        *size = reply.signature.size;
    }
    free(frame);
    return rv;
}

static CK_RV shim_sign(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                       CK_ULONG *size)
{
    const struct slot *slot = NULL;
    struct tokens_wire_request request;
    struct session *session;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&lock);
    session = session_get(handle);
    if (session == NULL) {
        rv = CKR_SESSION_HANDLE_INVALID;
    } else if (!session->signing) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        slot = &slots[session->slot];
        request = session->request;
        if (signature != NULL && *size < signature_size(&slot->identity))
            rv = CKR_BUFFER_TOO_SMALL;
        else if (signature != NULL)
            session->signing = false;
        /* PKCS#11 2.40 section 5.2: asking for the size, or with too little room, does not end the operation. */
    }
    pthread_mutex_unlock(&lock);
    if (slot != NULL && (signature == NULL || rv == CKR_BUFFER_TOO_SMALL)) {
        *size = signature_size(&slot->identity);
        return rv;
    }
    if (rv != CKR_OK)
        return rv;
    if (data_size == 0 || data_size > TOKENS_WIRE_DATA_MAX ||
        (request.mechanism == TOKENS_WIRE_RSA_PSS && data_size != tokens_wire_hash_size(request.hash)))
        return CKR_DATA_LEN_RANGE;
    assert(slot != NULL);
    request.data = span_of(data, data_size);
    return ask_agent(slot, &request, signature, size);
}

/* One stub for each shape of function: calling through another type would be undefined. */
#define UNSUPPORTED(name, ...)                                                                                         \
    static CK_RV name(__VA_ARGS__)                                                                                     \
    {                                                                                                                  \
        return CKR_FUNCTION_NOT_SUPPORTED;                                                                             \
    }

/* Parameters with their types. NOLINTBEGIN(bugprone-macro-parentheses) */
#define SESSION       CK_SESSION_HANDLE s __attribute__((unused))
#define IN_BYTES(n)   unsigned char *in##n __attribute__((unused)), CK_ULONG in_size##n __attribute__((unused))
#define OUT_BYTES     unsigned char *out __attribute__((unused)), CK_ULONG *out_size __attribute__((unused))
#define MECHANISM     CK_MECHANISM *m __attribute__((unused))
#define OBJECT(n)     CK_OBJECT_HANDLE o##n __attribute__((unused))
#define ATTRIBUTES(n) CK_ATTRIBUTE *a##n __attribute__((unused)), CK_ULONG a_count##n __attribute__((unused))
#define NEW_OBJECT(n) CK_OBJECT_HANDLE *new##n __attribute__((unused))
/* NOLINTEND(bugprone-macro-parentheses) */

UNSUPPORTED(no_init_token, CK_SLOT_ID id __attribute__((unused)), IN_BYTES(1),
            unsigned char *label __attribute__((unused)))
UNSUPPORTED(no_session, SESSION)
UNSUPPORTED(no_session_bytes, SESSION, IN_BYTES(1))
UNSUPPORTED(no_session_two_bytes, SESSION, IN_BYTES(1), IN_BYTES(2))
UNSUPPORTED(no_session_out, SESSION, OUT_BYTES)
UNSUPPORTED(no_session_in_out, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(no_set_operation_state, SESSION, IN_BYTES(1), OBJECT(1), OBJECT(2))
UNSUPPORTED(no_login, SESSION, CK_USER_TYPE user __attribute__((unused)), IN_BYTES(1))
UNSUPPORTED(no_create_object, SESSION, ATTRIBUTES(1), NEW_OBJECT(1))
UNSUPPORTED(no_copy_object, SESSION, OBJECT(1), ATTRIBUTES(1), NEW_OBJECT(1))
UNSUPPORTED(no_session_object, SESSION, OBJECT(1))
UNSUPPORTED(no_get_object_size, SESSION, OBJECT(1), CK_ULONG *size __attribute__((unused)))
UNSUPPORTED(no_set_attribute_value, SESSION, OBJECT(1), ATTRIBUTES(1))
UNSUPPORTED(no_mechanism_object, SESSION, MECHANISM, OBJECT(1))
UNSUPPORTED(no_mechanism, SESSION, MECHANISM)
UNSUPPORTED(no_generate_key, SESSION, MECHANISM, ATTRIBUTES(1), NEW_OBJECT(1))
UNSUPPORTED(no_generate_key_pair, SESSION, MECHANISM, ATTRIBUTES(1), ATTRIBUTES(2), NEW_OBJECT(1), NEW_OBJECT(2))
UNSUPPORTED(no_wrap_key, SESSION, MECHANISM, OBJECT(1), OBJECT(2), OUT_BYTES)
UNSUPPORTED(no_unwrap_key, SESSION, MECHANISM, OBJECT(1), IN_BYTES(1), ATTRIBUTES(1), NEW_OBJECT(1))
UNSUPPORTED(no_derive_key, SESSION, MECHANISM, OBJECT(1), ATTRIBUTES(1), NEW_OBJECT(1))
UNSUPPORTED(no_wait_for_slot_event, CK_FLAGS flags __attribute__((unused)), CK_SLOT_ID *id __attribute__((unused)),
            void *reserved __attribute__((unused)))

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = shim_initialize,
    .C_Finalize = shim_finalize,
    .C_GetInfo = shim_get_info,
    .C_GetFunctionList = C_GetFunctionList,
    .C_GetSlotList = shim_get_slot_list,
    .C_GetSlotInfo = shim_get_slot_info,
    .C_GetTokenInfo = shim_get_token_info,
    .C_GetMechanismList = shim_get_mechanism_list,
    .C_GetMechanismInfo = shim_get_mechanism_info,
    .C_InitToken = no_init_token,
    .C_InitPIN = no_session_bytes,
    .C_SetPIN = no_session_two_bytes,
    .C_OpenSession = shim_open_session,
    .C_CloseSession = shim_close_session,
    .C_CloseAllSessions = shim_close_all_sessions,
    .C_GetSessionInfo = shim_get_session_info,
    .C_GetOperationState = no_session_out,
    .C_SetOperationState = no_set_operation_state,
    .C_Login = no_login,
    .C_Logout = no_session,
    .C_CreateObject = no_create_object,
    .C_CopyObject = no_copy_object,
    .C_DestroyObject = no_session_object,
    .C_GetObjectSize = no_get_object_size,
    .C_GetAttributeValue = shim_get_attribute_value,
    .C_SetAttributeValue = no_set_attribute_value,
    .C_FindObjectsInit = shim_find_objects_init,
    .C_FindObjects = shim_find_objects,
    .C_FindObjectsFinal = shim_find_objects_final,
    .C_EncryptInit = no_mechanism_object,
    .C_Encrypt = no_session_in_out,
    .C_EncryptUpdate = no_session_in_out,
    .C_EncryptFinal = no_session_out,
    .C_DecryptInit = no_mechanism_object,
    .C_Decrypt = no_session_in_out,
    .C_DecryptUpdate = no_session_in_out,
    .C_DecryptFinal = no_session_out,
    .C_DigestInit = no_mechanism,
    .C_Digest = no_session_in_out,
    .C_DigestUpdate = no_session_bytes,
    .C_DigestKey = no_session_object,
    .C_DigestFinal = no_session_out,
    .C_SignInit = shim_sign_init,
    .C_Sign = shim_sign,
    .C_SignUpdate = no_session_bytes,
    .C_SignFinal = no_session_out,
    .C_SignRecoverInit = no_mechanism_object,
    .C_SignRecover = no_session_in_out,
    .C_VerifyInit = no_mechanism_object,
    .C_Verify = no_session_two_bytes,
    .C_VerifyUpdate = no_session_bytes,
    .C_VerifyFinal = no_session_bytes,
    .C_VerifyRecoverInit = no_mechanism_object,
    .C_VerifyRecover = no_session_in_out,
    .C_DigestEncryptUpdate = no_session_in_out,
    .C_DecryptDigestUpdate = no_session_in_out,
    .C_SignEncryptUpdate = no_session_in_out,
    .C_DecryptVerifyUpdate = no_session_in_out,
    .C_GenerateKey = no_generate_key,
    .C_GenerateKeyPair = no_generate_key_pair,
    .C_WrapKey = no_wrap_key,
    .C_UnwrapKey = no_unwrap_key,
    .C_DeriveKey = no_derive_key,
    .C_SeedRandom = no_session_bytes,
    .C_GenerateRandom = no_session_bytes,
    .C_GetFunctionStatus = no_session,
    .C_CancelFunction = no_session,
    .C_WaitForSlotEvent = no_wait_for_slot_event,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    *list = &functions;
    return CKR_OK;
}
