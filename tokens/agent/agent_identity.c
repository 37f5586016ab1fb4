/* Identities that were found. See tokens/agent/agent_identity.h */
#include "tokens/agent/agent_identity.h"
#include "tokens/pss.h"

#include <stdlib.h>

/* see tokens/agent/agent_identity.h */
struct identity *agent_identity_get(struct agent *agent, const char *uri, uint64_t key_tag)
{
    for (struct identity *i = agent->identities; i != NULL; i = i->next)
        if ((key_tag == 0 || i->key_tag == key_tag) && strcmp(i->uri, uri) == 0)
            return i;
    return NULL;
}

/* see tokens/agent/agent_identity.h */
void agent_identity_destroy(struct identity *identity)
{
    if (identity == NULL)
        return;
    tokens_key_clear(&identity->key);
    buffer_release(&identity->encoded);
    free(identity->problem);
    free(identity->uri);
    free(identity);
}

/* see tokens/agent/agent_identity.h */
void agent_identity_done(struct identity *identity)
{
    assert(identity->users > 0);
    if (--identity->users == 0 && identity->dropped)
        agent_identity_destroy(identity);
}

static bool can_sign(const struct tokens_module *module, CK_SLOT_ID slot, CK_MECHANISM_TYPE mechanism)
{
    CK_MECHANISM_INFO info;

    return module->p11->C_GetMechanismInfo(slot, mechanism, &info) == CKR_OK && (info.flags & CKF_SIGN) != 0;
}

/* see tokens/agent/agent_identity.h */
unsigned agent_identity_mechanisms(struct identity *identity, CK_SLOT_ID slot)
{
    const struct tokens_module *module = identity->token->agent->module.loaded;
    unsigned mechanisms = 0;

    switch (identity->key.type) {
    case TOKENS_WIRE_KEY_EC:
        if (can_sign(module, slot, CKM_ECDSA))
            mechanisms |= 1U << TOKENS_WIRE_ECDSA;
        break;
    case TOKENS_WIRE_KEY_RSA:
        if (can_sign(module, slot, CKM_RSA_PKCS))
            mechanisms |= 1U << TOKENS_WIRE_RSA_PKCS1;
        identity->pss_raw = !can_sign(module, slot, CKM_RSA_PKCS_PSS);
        if (!identity->pss_raw || (can_sign(module, slot, CKM_RSA_X_509) && tokens_pss_start()))
            mechanisms |= 1U << TOKENS_WIRE_RSA_PSS;
        break;
    }
    return mechanisms;
}

/* see tokens/agent/agent_identity.h */
bool agent_identity_encode(struct identity *identity, unsigned mechanisms, const struct tokens_cert *cert,
                           const struct tokens_cert_list *certs)
{
    const struct tokens_key *key = &identity->key;
    struct tokens_wire_identity wire = {
        .key_type = key->type,
        .mechanisms = mechanisms,
        .id = tokens_bytes_span(&key->id),
        .label = tokens_bytes_span(&key->label),
        .token_label = span_of_string(identity->token->label),
        .spki = tokens_bytes_span(&key->spki),
        .modulus = tokens_bytes_span(&key->modulus),
        .exponent = tokens_bytes_span(&key->exponent),
        .ec_params = tokens_bytes_span(&key->ec_params),
        .ec_point = tokens_bytes_span(&key->ec_point),
    };

    if (cert != NULL) {
        wire.cert = tokens_bytes_span(&cert->der);
        wire.chain_count = tokens_cert_chain(certs, wire.cert, wire.chain);
    }
    buffer_init(&identity->encoded, TOKENS_WIRE_REPLY_MAX - 64);
    return tokens_wire_identity_encode(&wire, &identity->encoded);
}

/* see tokens/agent/agent_identity.h */
bool agent_identity_complete(struct identity *identity, CK_SLOT_ID slot)
{
    unsigned mechanisms = agent_identity_mechanisms(identity, slot);

    identity->key_tag = tokens_wire_key_tag(tokens_bytes_span(&identity->key.spki));
    return mechanisms != 0 && agent_identity_encode(identity, mechanisms, NULL, NULL);
}

/* see tokens/agent/agent_identity.h */
enum outcome agent_identity_refind(struct identity *identity, const struct session *session, struct failure *failure)
{
    struct token *token = identity->token;
    struct agent *agent = token->agent;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {
        {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)},
        {.type = CKA_ID, .pValue = identity->key.id.data, .ulValueLen = identity->key.id.size},
    };
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_OBJECT_HANDLE *keys;
    size_t count;
    bool found = false;
    CK_RV rv = tokens_objects(agent->module.loaded, session->handle, wanted, identity->key.id.size == 0 ? 1 : 2, &keys,
                              &count);

    if (rv != CKR_OK)
        return agent_fail(failure, agent_session_is_gone(rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, rv,
                          "token \"%s\" does not list its keys: %s", token->label, tokens_ckr_text(rv, code));
    for (size_t i = 0; i < count && !found; i++) {
        struct tokens_key key = {0};
        char *error = NULL;

        found = tokens_key_read(agent->module.loaded, session->handle, keys[i], &key, &error) &&
                tokens_wire_key_tag(tokens_bytes_span(&key.spki)) == identity->key_tag;
        tokens_key_clear(&key);
        free(error);
        if (found) {
            pthread_mutex_lock(&agent->mutex);
            identity->key.handle = keys[i];
            identity->generation = session->generation;
            pthread_mutex_unlock(&agent->mutex);
        }
    }
    free(keys);
    if (found)
        return OUTCOME_OK;
    return agent_fail(failure, TOKENS_WIRE_KEY_CHANGED, CKR_KEY_CHANGED,
                      "token \"%s\" has not got the key of %s any more", token->label, identity->uri);
}
