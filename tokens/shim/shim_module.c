/* yett-shim.so: the PKCS#11 module that NSS loads. See tokens/shim/shim.h, tokens/shim/shim_internal.h and
 * tokens/shim/shim_module.h
 *
 * One slot for each identity, with fixed numbers; no login, no slot events, nothing that ever changes while it is
 * loaded. Everything is answered from memory, but for C_Sign(), which asks the agent. What is not listed in the table
 * at the end answers CKR_FUNCTION_NOT_SUPPORTED. */
#include "tokens/shim/shim_module.h"
#include "tokens/shim/shim_internal.h"

#include <stdlib.h>

struct shim_state shim_state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void forget_all(void)
{
    for (size_t i = 0; i < shim_state.slot_count; i++) {
        shim_objects_clear(&shim_state.slots[i].objects);
        free(shim_state.slots[i].encoded);
        free(shim_state.slots[i].uri);
    }
    for (size_t i = 0; i < shim_state.client_count; i++)
        agent_client_destroy(&shim_state.clients[i]);
    free(shim_state.slots);
    free(shim_state.clients);
    shim_state.slots = NULL;
    shim_state.clients = NULL;
    shim_state.slot_count = shim_state.client_count = 0;
}

static bool slot_fill(struct shim_slot *slot, const struct shim_identity *from, const struct shim_config *config)
{
    slot->uri = base_strdup(from->uri);
    slot->client = shim_state.clients[from->agent];
    slot->timeout_ms = config->agents[from->agent].sign_timeout_ms;
    slot->encoded = base_memdup(from->encoded.data, from->encoded.size);
    if (tokens_wire_identity_decode(span_of(slot->encoded, from->encoded.size), &slot->identity) != TOKENS_WIRE_OK)
        return false;
    slot->key_tag = tokens_wire_key_tag(slot->identity.spki);
    shim_objects_build(&slot->objects, &slot->identity);
    return true;
}

/* see tokens/shim/shim_internal.h */
SHIM_EXPORT bool yett_shim_configure(const struct shim_config *config);
bool yett_shim_configure(const struct shim_config *config)
{
    forget_all();
    if (config == NULL)
        return true;
    if (config->identity_count > SHIM_IDENTITIES_MAX)
        return false;
    shim_state.clients = base_alloc(config->agent_count * sizeof(struct agent_client *));
    for (size_t i = 0; i < config->agent_count; i++)
        shim_state.clients[i] = agent_client_create(config->agents[i].socket_path);
    shim_state.client_count = config->agent_count;
    shim_state.slots = base_alloc(config->identity_count * sizeof(*shim_state.slots));
    for (size_t i = 0; i < config->identity_count; i++) {
        shim_state.slot_count++;
        if (!slot_fill(&shim_state.slots[i], &config->identities[i], config)) {
            forget_all();
            return false;
        }
    }
    return true;
}

/* see tokens/shim/shim_module.h */
void shim_pad(unsigned char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    memset(out, ' ', size);
    memcpy(out, text, len < size ? len : size);
}

static CK_RV shim_initialize(void *args)
{
    CK_RV rv = CKR_OK;

    (void)args; /* whatever the locking asked for, ours is the system's */
    pthread_mutex_lock(&shim_state.lock);
    if (shim_state.initialized)
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    shim_state.initialized = true;
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}

static CK_RV shim_finalize(void *reserved)
{
    CK_RV rv = CKR_OK;

    (void)reserved;
    pthread_mutex_lock(&shim_state.lock);
    if (!shim_state.initialized)
        rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    shim_sessions_close_all();
    shim_state.initialized = false;
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}

static CK_RV shim_get_info(CK_INFO *info)
{
    *info = (CK_INFO){.cryptokiVersion = {2, 40}, .libraryVersion = {1, 0}};
    shim_pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    shim_pad(info->libraryDescription, sizeof(info->libraryDescription), "yett token shim");
    return CKR_OK;
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

SHIM_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

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
