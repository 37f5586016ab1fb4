/* Identity and digest to signature, with one more try after a lost session. See tokens/agent/agent_sign.h */
#include "tokens/agent/agent_sign.h"
#include "tokens/pss.h"

#include <stdlib.h>

static CK_MECHANISM_TYPE hash_mechanism(enum tokens_wire_hash hash)
{
    switch (hash) {
    case TOKENS_WIRE_HASH_SHA1:
        return CKM_SHA_1;
    case TOKENS_WIRE_HASH_SHA256:
        return CKM_SHA256;
    case TOKENS_WIRE_HASH_SHA384:
        return CKM_SHA384;
    case TOKENS_WIRE_HASH_SHA512:
        return CKM_SHA512;
    case TOKENS_WIRE_HASH_NONE:
        break;
    }
    return 0;
}

static CK_RSA_PKCS_MGF_TYPE hash_mgf(enum tokens_wire_hash hash)
{
    switch (hash) {
    case TOKENS_WIRE_HASH_SHA1:
        return CKG_MGF1_SHA1;
    case TOKENS_WIRE_HASH_SHA256:
        return CKG_MGF1_SHA256;
    case TOKENS_WIRE_HASH_SHA384:
        return CKG_MGF1_SHA384;
    case TOKENS_WIRE_HASH_SHA512:
        return CKG_MGF1_SHA512;
    case TOKENS_WIRE_HASH_NONE:
        break;
    }
    return 0;
}

static size_t modulus_bits(const struct tokens_key *key)
{
    size_t bits = key->modulus.size * 8;

    for (unsigned top = key->modulus.data[0]; top < 0x80 && bits > 0; top <<= 1)
        bits--;
    return bits;
}

/* The CK_MECHANISM for a job, with what it points to and what is to be signed. */
struct operation {
    CK_MECHANISM mechanism;
    CK_RSA_PKCS_PSS_PARAMS pss;
    uint8_t padded[TOKENS_WIRE_SIGNATURE_MAX];
    struct span data;
};

static bool operation_prepare(struct operation *operation, const struct identity *identity, const struct job *job)
{
    size_t bits;

    operation->data = span_of(job->data, job->data_size);
    switch (job->mechanism) {
    case TOKENS_WIRE_ECDSA:
        operation->mechanism = (CK_MECHANISM){.mechanism = CKM_ECDSA};
        return identity->key.type == TOKENS_WIRE_KEY_EC;
    case TOKENS_WIRE_RSA_PKCS1:
        operation->mechanism = (CK_MECHANISM){.mechanism = CKM_RSA_PKCS};
        return identity->key.type == TOKENS_WIRE_KEY_RSA;
    case TOKENS_WIRE_RSA_PSS:
        if (identity->key.type != TOKENS_WIRE_KEY_RSA)
            return false;
        if (identity->pss_raw) {
            bits = modulus_bits(&identity->key);
            operation->mechanism = (CK_MECHANISM){.mechanism = CKM_RSA_X_509};
            if ((bits + 7) / 8 > sizeof(operation->padded) || bits < 512 ||
                !tokens_pss_encode(job->hash, job->salt_size, operation->data, bits, operation->padded))
                return false;
            operation->data = span_of(operation->padded, (bits + 7) / 8);
            return true;
        }
        operation->pss = (CK_RSA_PKCS_PSS_PARAMS){
            .hashAlg = hash_mechanism(job->hash), .mgf = hash_mgf(job->hash), .sLen = job->salt_size};
        operation->mechanism = (CK_MECHANISM){
            .mechanism = CKM_RSA_PKCS_PSS, .pParameter = &operation->pss, .ulParameterLen = sizeof(operation->pss)};
        return true;
    }
    return false;
}

/* The key's handle if it is still good in this session's generation; else it is looked for. */
static enum outcome key_handle(struct identity *identity, const struct session *session, CK_OBJECT_HANDLE *handle,
                               struct failure *failure)
{
    struct agent *agent = identity->token->agent;
    enum outcome outcome = OUTCOME_OK;
    bool good;

    pthread_mutex_lock(&agent->mutex);
    good = identity->of_file || identity->generation == session->generation;
    *handle = identity->key.handle;
    pthread_mutex_unlock(&agent->mutex);
    if (good)
        return OUTCOME_OK;
    outcome = agent_identity_refind(identity, session, failure);
    pthread_mutex_lock(&agent->mutex);
    *handle = identity->key.handle;
    pthread_mutex_unlock(&agent->mutex);
    return outcome;
}

static bool key_is_known(const struct identity *identity, const struct session *session)
{
    struct agent *agent = identity->token->agent;
    bool known;

    pthread_mutex_lock(&agent->mutex);
    known = identity->of_file || identity->generation == session->generation;
    pthread_mutex_unlock(&agent->mutex);
    return known;
}

/* One try in one session. *rv tells whether another may help. */
static enum outcome sign_in_session(struct identity *identity, struct operation *operation,
                                    const struct session *session, uint8_t *signature, size_t *signature_size,
                                    CK_RV *rv, struct failure *failure)
{
    CK_FUNCTION_LIST *p11 = identity->token->agent->module.loaded->p11;
    CK_OBJECT_HANDLE handle;
    CK_ULONG size = TOKENS_WIRE_SIGNATURE_MAX;
    char code[TOKENS_CKR_TEXT_SIZE];
    enum outcome outcome = key_handle(identity, session, &handle, failure);

    if (outcome != OUTCOME_OK) {
        *rv = failure->ckr;
        return outcome;
    }
    *rv = p11->C_SignInit(session->handle, &operation->mechanism, handle);
    if (*rv == CKR_OK && identity->key.always_authenticate) {
        outcome = agent_login_context(identity->token, session->handle, failure);
        if (outcome != OUTCOME_OK) {
            *rv = CKR_OPERATION_ACTIVE; /* the session is in the middle of a signature */
            return outcome;
        }
    }
    if (*rv == CKR_OK)
        *rv = p11->C_Sign(session->handle, (unsigned char *)(uintptr_t)operation->data.data, operation->data.size,
                          signature, &size);
    if (*rv != CKR_OK)
        return agent_fail(failure, agent_session_is_gone(*rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, *rv,
                          "token \"%s\" did not sign: %s", identity->token->label, tokens_ckr_text(*rv, code));
    *signature_size = size;
    return OUTCOME_OK;
}

/* A failure ends the signature (PKCS #11 2.40 section 5.11), so the session is as good as before; it may be what fails,
 * but the last one of a token has the login. */
static bool is_last_session(const struct token *token)
{
    struct agent *agent = token->agent;
    bool last;

    pthread_mutex_lock(&agent->mutex);
    last = token->sessions_open <= 1;
    pthread_mutex_unlock(&agent->mutex);
    return last;
}

/* Whether another try may come to more. */
enum again { AGAIN_NO, AGAIN_IN_NEW_SESSION, AGAIN_ANYHOW };

static enum again put_session_away(struct token *token, const struct session *session, enum outcome outcome, CK_RV rv,
                                   const struct failure *failure)
{
    /* Not logged in although one tried to: another session would change nothing. */
    bool login = failure->kind == TOKENS_WIRE_LOGIN;

    if (outcome == OUTCOME_FAILED && agent_session_is_gone(rv) && !login) {
        agent_session_lost(token, session);
        return AGAIN_IN_NEW_SESSION;
    }
    if (outcome == OUTCOME_OK || (rv != CKR_OPERATION_ACTIVE && is_last_session(token)))
        agent_session_give(token, session);
    else if (is_last_session(token))
        agent_session_lost(token, session); /* the login goes with it, and what is known of keys */
    else
        agent_session_close(token, session);
    if (outcome != OUTCOME_FAILED || login || !tokens_ckr_may_pass(rv))
        return AGAIN_NO;
    return rv == CKR_OPERATION_ACTIVE ? AGAIN_IN_NEW_SESSION : AGAIN_ANYHOW;
}

static enum outcome sign_once(struct identity *identity, const struct job *job, struct operation *operation,
                              uint8_t *signature, size_t *signature_size, enum again *again, struct failure *failure)
{
    struct token *token = identity->token;
    struct session session;
    bool fresh = false;
    CK_RV rv = CKR_OK;
    enum outcome outcome = agent_session_take(token, job->deadline_ms, &session, &fresh, failure);

    *again = AGAIN_NO;
    if (outcome != OUTCOME_OK) {
        if (failure->kind != TOKENS_WIRE_TIMEOUT)
            *again = agent_session_is_gone(failure->ckr) ? AGAIN_IN_NEW_SESSION
                     : tokens_ckr_may_pass(failure->ckr) ? AGAIN_ANYHOW
                                                         : AGAIN_NO;
        return outcome;
    }
    outcome = agent_login_allowed(token, failure);
    if (outcome != OUTCOME_OK) {
        agent_session_give(token, &session);
        return outcome;
    }
    /* Before the key is looked for again, too: one who is not logged in does not see it. Whoever only read certificates
     * may have left the session without. */
    if (fresh || !key_is_known(identity, &session)) {
        outcome = agent_login_ensure(token, session.handle, failure);
        rv = outcome == OUTCOME_FAILED ? failure->ckr : CKR_OK;
    }
    if (outcome == OUTCOME_OK)
        outcome = sign_in_session(identity, operation, &session, signature, signature_size, &rv, failure);
    *again = put_session_away(token, &session, outcome, rv, failure);
    return outcome;
}

/* see tokens/agent/agent_sign.h */
enum outcome agent_identity_sign(struct identity *identity, struct job *job, uint8_t *signature, size_t *signature_size,
                                 struct failure *failure)
{
    bool tried_anyhow = false, tried_new = false;
    struct operation operation;
    enum outcome outcome;

    if (!operation_prepare(&operation, identity, job))
        return agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_MECHANISM_INVALID,
                          "the key of %s cannot make this signature", job->uri);
    for (;;) {
        enum again again;
        bool *tried;

        outcome = sign_once(identity, job, &operation, signature, signature_size, &again, failure);
        if (outcome == OUTCOME_OK)
            agent_token_well(identity->token, AGENT_SIGN);
        else if (again != AGAIN_NO)
            agent_token_unwell(identity->token, AGENT_SIGN, failure->ckr);
        tried = again == AGAIN_IN_NEW_SESSION ? &tried_new : &tried_anyhow;
        if (again == AGAIN_NO || *tried || base_now_ms() >= job->deadline_ms)
            break;
        *tried = true;
        free(failure->text);
        *failure = (struct failure){0};
        if (again == AGAIN_IN_NEW_SESSION)
            agent_tokens_look(identity->token->agent);
    }
    base_wipe(operation.padded, sizeof(operation.padded));
    return outcome;
}
