/* Keys of files. See tokens/agent/agent_files.h */
#include "tokens/agent/agent_files.h"
#include "tokens/der.h"
#include "tokens/file_keys.h"
#include "tokens/private_key.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { TEMPLATE_MAX = 16 };

static bool signs(const struct tokens_module *module, CK_SLOT_ID slot)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_ECDSA, CKM_RSA_PKCS};
    CK_MECHANISM_INFO info;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (module->p11->C_GetMechanismInfo(slot, types[i], &info) != CKR_OK || (info.flags & CKF_SIGN) == 0)
            return false;
    return true;
}

/* see tokens/agent/agent_files.h */
bool agent_files_start(struct agent *agent, char **error)
{
    const struct tokens_module *module = agent->module.loaded;
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_TOKEN_INFO info;
    CK_SLOT_ID *slots;
    size_t count;
    CK_RV rv = tokens_slots(module, &slots, &count);

    for (size_t i = 0; i < count && rv == CKR_OK && agent->files.token == NULL; i++)
        if (signs(module, slots[i]) && (rv = module->p11->C_GetTokenInfo(slots[i], &info)) == CKR_OK)
            agent->files.token = agent_token_create(agent, slots[i], &info);
    free(slots);
    if (rv == CKR_OK && agent->files.token != NULL)
        rv =
            module->p11->C_OpenSession(agent->files.token->slot, CKF_SERIAL_SESSION, NULL, NULL, &agent->files.session);
    if (rv != CKR_OK)
        *error = base_printf("module %s does not take keys: %s", module->path, tokens_ckr_text(rv, code));
    else if (agent->files.token == NULL)
        *error = base_printf("module %s has no slot that signs with RSA and ECDSA", module->path);
    return *error == NULL;
}

/* --- a key --- */

struct template
{
    CK_ATTRIBUTE attributes[TEMPLATE_MAX];
    CK_ULONG count;
};

static void add(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t size)
{
    assert(template->count < TEMPLATE_MAX);
    template->attributes[template->count++] =
        (CK_ATTRIBUTE){.type = type, .pValue = (void *)(uintptr_t)value, .ulValueLen = size};
}

/* It signs, and does nothing else: there is no padding to ask about, and nothing is unwrapped with it. */
static CK_RV create_object(struct agent *agent, const struct tokens_private_key *key, struct span id,
                           CK_OBJECT_HANDLE *handle)
{
    static const CK_ATTRIBUTE_TYPE rsa_types[TOKENS_RSA_NUMBER_COUNT] = {
        [TOKENS_RSA_MODULUS] = CKA_MODULUS,
        [TOKENS_RSA_PUBLIC_EXPONENT] = CKA_PUBLIC_EXPONENT,
        [TOKENS_RSA_PRIVATE_EXPONENT] = CKA_PRIVATE_EXPONENT,
        [TOKENS_RSA_PRIME_1] = CKA_PRIME_1,
        [TOKENS_RSA_PRIME_2] = CKA_PRIME_2,
        [TOKENS_RSA_EXPONENT_1] = CKA_EXPONENT_1,
        [TOKENS_RSA_EXPONENT_2] = CKA_EXPONENT_2,
        [TOKENS_RSA_COEFFICIENT] = CKA_COEFFICIENT,
    };
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    const CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    const CK_KEY_TYPE type = key->type == TOKENS_WIRE_KEY_RSA ? CKK_RSA : CKK_EC;
    struct template template = {.count = 0};

    add(&template, CKA_CLASS, &class, sizeof(class));
    add(&template, CKA_KEY_TYPE, &type, sizeof(type));
    add(&template, CKA_TOKEN, &no, sizeof(no));
    add(&template, CKA_SENSITIVE, &yes, sizeof(yes));
    add(&template, CKA_EXTRACTABLE, &no, sizeof(no));
    add(&template, CKA_SIGN, &yes, sizeof(yes));
    add(&template, CKA_ID, id.data, id.size);
    switch (key->type) {
    case TOKENS_WIRE_KEY_RSA:
        for (size_t i = 0; i < TOKENS_RSA_NUMBER_COUNT; i++)
            add(&template, rsa_types[i], key->rsa[i].data, key->rsa[i].size);
        break;
    case TOKENS_WIRE_KEY_EC:
        add(&template, CKA_EC_PARAMS, key->ec_params.data, key->ec_params.size);
        add(&template, CKA_VALUE, key->ec_value.data, key->ec_value.size);
        break;
    }
    return agent->module.loaded->p11->C_CreateObject(agent->files.session, template.attributes, template.count, handle);
}

/* Of an EC key only a signature could tell, and the worker has one made. */
static bool belong_together(const struct tokens_key *public_half, const struct tokens_private_key *key)
{
    return key->type == TOKENS_WIRE_KEY_EC ||
           span_equal(key->rsa[TOKENS_RSA_MODULUS], tokens_bytes_span(&public_half->modulus));
}

/* NULL, or why not; owned by the caller. */
static char *make_key(struct agent *agent, const struct tokens_file_key *from, struct identity *identity)
{
    struct tokens_private_key key;
    struct tokens_der_cert leaf;
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_RV rv;

    if (!tokens_private_key_read(from->pkcs8, &key))
        return base_strdup("the private key is neither RSA nor EC, or it is malformed");
    if (!tokens_der_cert_read(from->leaf, &leaf))
        return base_strdup("the certificate cannot be decoded");
    if (!tokens_key_take_spki(&identity->key, key.type, leaf.spki) || !belong_together(&identity->key, &key))
        return base_strdup("the first certificate and the private key do not belong together");
    tokens_bytes_set(&identity->key.id, from->id);
    rv = create_object(agent, &key, from->id, &identity->key.handle);
    if (rv != CKR_OK)
        return base_printf("%s does not take the private key: %s", agent->module.loaded->path,
                           tokens_ckr_text(rv, code));
    return agent_identity_complete(identity, agent->files.token->slot)
               ? NULL
               : base_strdup("there is no mechanism to sign with the private key");
}

static void take_key(struct agent *agent, const struct tokens_file_key *from)
{
    char uri[TOKENS_FILE_KEY_URI_SIZE];
    struct identity *identity;

    tokens_file_key_uri(from->id, uri);
    pthread_mutex_lock(&agent->mutex);
    identity = agent_identity_get(agent, uri, 0);
    if (identity != NULL)
        identity->round = agent->files.round;
    pthread_mutex_unlock(&agent->mutex);
    if (identity != NULL)
        return;
    identity = base_alloc(sizeof(*identity));
    identity->uri = base_strdup(uri);
    identity->token = agent->files.token;
    identity->of_file = true;
    identity->key.handle = CK_INVALID_HANDLE;
    identity->round = agent->files.round;
    identity->problem = make_key(agent, from, identity);
    pthread_mutex_lock(&agent->mutex);
    identity->next = agent->identities;
    agent->identities = identity;
    pthread_mutex_unlock(&agent->mutex);
}

/* Those that this round has not told of are off the list at once; their last signature may be under way, and the module
 * keeps what it works with for as long. */
static void drop_others(struct agent *agent)
{
    struct identity **link = &agent->identities;

    pthread_mutex_lock(&agent->mutex);
    while (*link != NULL) {
        struct identity *identity = *link;

        if (identity->round == agent->files.round) {
            link = &identity->next;
            continue;
        }
        *link = identity->next;
        pthread_mutex_unlock(&agent->mutex);
        if (identity->key.handle != CK_INVALID_HANDLE)
            (void)agent->module.loaded->p11->C_DestroyObject(agent->files.session, identity->key.handle);
        pthread_mutex_lock(&agent->mutex);
        identity->dropped = true;
        if (identity->users == 0)
            agent_identity_destroy(identity);
    }
    pthread_mutex_unlock(&agent->mutex);
}

static bool take_keys(struct agent *agent, struct span rest)
{
    struct tokens_file_key key;

    agent->files.round++;
    while (rest.size != 0) {
        if (!tokens_file_key_next(&rest, &key))
            return false;
        take_key(agent, &key);
    }
    drop_others(agent);
    return true;
}

/* The pages are those of the file: nothing is copied that would have to be wiped.
 * see tokens/agent/agent_files.h */
void agent_files_take(struct agent *agent, int file)
{
    struct stat info;
    void *bytes = MAP_FAILED;
    bool good = fstat(file, &info) == 0 && info.st_size >= 0 && info.st_size <= TOKENS_FILE_KEYS_BYTES_MAX;
    size_t size = good ? (size_t)info.st_size : 0;

    if (size != 0) {
        bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
        good = bytes != MAP_FAILED;
    }
    if (good) {
        agent_module_enter(agent);
        good = take_keys(agent, size == 0 ? span_of(NULL, 0) : span_of(bytes, size));
        agent_module_leave(agent);
    }
    if (bytes != MAP_FAILED)
        munmap(bytes, size);
    if (!good)
        (void)!agent_tell(agent, TOKENS_AGENT_LOG,
                          "the keys of files cannot be read from the supervisor's memory file");
}

/* see tokens/agent/agent_files.h */
enum outcome agent_files_find(struct agent *agent, const struct job *job, struct identity **identity,
                              struct failure *failure)
{
    struct identity *known;
    enum outcome outcome = OUTCOME_OK;

    pthread_mutex_lock(&agent->mutex);
    known = agent_identity_get(agent, job->uri, 0);
    if (known == NULL) {
        outcome = agent_fail(failure, TOKENS_WIRE_NOT_FOUND, CKR_KEY_HANDLE_INVALID,
                             "there is no such key (any more): it belongs to another configuration");
    } else if (known->problem != NULL) {
        outcome = agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_KEY_HANDLE_INVALID, "%s", known->problem);
    } else {
        known->users++;
        *identity = known;
    }
    pthread_mutex_unlock(&agent->mutex);
    return outcome;
}
