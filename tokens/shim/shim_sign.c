/* see tokens/shim/shim_module.h */
#include "tokens/shim/shim_module.h"
#include "tokens/shim/shim_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { ERROR_SIZE = 320 };

static _Thread_local char last_error[ERROR_SIZE];

/* see tokens/shim/shim_internal.h */
SHIM_EXPORT const char *yett_shim_error(void);
const char *yett_shim_error(void)
{
    return last_error;
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

static CK_RV read_mechanism(const struct shim_slot *slot, const CK_MECHANISM *mechanism,
                            struct tokens_wire_request *request)
{
    const CK_RSA_PKCS_PSS_PARAMS *pss = mechanism->pParameter;

    *request = (struct tokens_wire_request){
        .type = TOKENS_WIRE_SIGN, .uri = span_of_string(slot->uri), .key_tag = slot->key_tag};
    for (size_t i = 0; i < SHIM_MECHANISM_COUNT; i++)
        if (shim_mechanisms[i].type == mechanism->mechanism && shim_slot_can(slot, &shim_mechanisms[i]))
            request->mechanism = shim_mechanisms[i].wire;
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

CK_RV shim_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    struct shim_session *session;
    CK_RV rv;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session == NULL)
        rv = CKR_SESSION_HANDLE_INVALID;
    else if (session->signing)
        rv = CKR_OPERATION_ACTIVE;
    else if (key != SHIM_PRIVATE_KEY_INDEX + 1)
        rv = shim_object_get(session, key) == NULL ? CKR_KEY_HANDLE_INVALID : CKR_KEY_FUNCTION_NOT_PERMITTED;
    else
        rv = read_mechanism(&shim_state.slots[session->slot], mechanism, &session->request);
    if (rv == CKR_OK)
        session->signing = true;
    pthread_mutex_unlock(&shim_state.lock);
    return rv;
}

static CK_RV failed(CK_RV rv, const char *uri, struct span why)
{
    snprintf(last_error, sizeof(last_error), "%s: %.*s", uri, (int)why.size, (const char *)why.data);
    return rv;
}

/* Ask the agent. No lock is held: this is where threads spend their time. */
static CK_RV ask_agent(const struct shim_slot *slot, const struct tokens_wire_request *request, unsigned char *out,
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

CK_RV shim_sign(CK_SESSION_HANDLE handle, unsigned char *data, CK_ULONG data_size, unsigned char *signature,
                CK_ULONG *size)
{
    const struct shim_slot *slot = NULL;
    struct tokens_wire_request request;
    struct shim_session *session;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&shim_state.lock);
    session = shim_session_get(handle);
    if (session == NULL) {
        rv = CKR_SESSION_HANDLE_INVALID;
    } else if (!session->signing) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        slot = &shim_state.slots[session->slot];
        request = session->request;
        if (signature != NULL && *size < shim_signature_size(&slot->identity))
            rv = CKR_BUFFER_TOO_SMALL;
        else if (signature != NULL)
            session->signing = false;
        /* PKCS#11 2.40 section 5.2: asking for the size, or with too little room, does not end the operation. */
    }
    pthread_mutex_unlock(&shim_state.lock);
    if (slot != NULL && (signature == NULL || rv == CKR_BUFFER_TOO_SMALL)) {
        *size = shim_signature_size(&slot->identity);
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
