/* URI to identity: exactly one private key, with its certificate. See tokens/agent/agent_find.h
 *
 * Matching is exact. A URI may name the private key or its certificate or public key; all lead to the key by CKA_ID.
 * Where several tokens match the URI's token part, the ones that show a matching public object are asked first, so that
 * no PIN is wanted for the others. */
#include "tokens/agent/agent_find.h"
#include "tokens/agent/agent_figures.h"

#include <stdlib.h>

/* One search: what was asked, and what was found so far. */
struct search {
    struct agent *agent;
    P11KitUri *uri;
    const char *text;
    uint64_t deadline_ms;
    struct span id, label; /* of the URI; size 0: any */
    CK_OBJECT_CLASS class; /* of the URI */
    bool any_class;
    size_t matches;
    char *candidates;       /* for the error sentence */
    struct identity *found; /* the first match */
};

/* see tokens/agent/agent_find.h */
void agent_candidate_add(char **candidates, char *uri)
{
    char *longer;

    if (*candidates == NULL) {
        *candidates = uri;
        return;
    }
    if (strlen(*candidates) + strlen(uri) < TOKENS_WIRE_TEXT_MAX) {
        longer = base_printf("%s, %s", *candidates, uri);
        free(*candidates);
        *candidates = longer;
    }
    free(uri);
}

static bool attribute_is(struct span wanted, const struct tokens_bytes *have)
{
    return wanted.size == 0 || span_equal(wanted, tokens_bytes_span(have));
}

/* Whether an object is named by the URI's object and id. */
static bool object_matches(const struct search *search, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    const struct tokens_module *module = search->agent->module.loaded;
    struct tokens_bytes id = {0}, label = {0};
    bool matches;

    if (search->id.size != 0)
        (void)!tokens_attribute(module, session, object, CKA_ID, &id);
    if (search->label.size != 0)
        (void)!tokens_attribute(module, session, object, CKA_LABEL, &label);
    matches = attribute_is(search->id, &id) && attribute_is(search->label, &label);
    tokens_bytes_clear(&id);
    tokens_bytes_clear(&label);
    return matches;
}

static CK_RV objects_of_class(const struct search *search, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class,
                              CK_OBJECT_HANDLE **objects, size_t *count)
{
    CK_ATTRIBUTE wanted = {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)};

    return tokens_objects(search->agent->module.loaded, session, &wanted, 1, objects, count);
}

static bool class_wanted(const struct search *search, CK_OBJECT_CLASS class)
{
    return search->any_class || search->class == class;
}

/* Whether a certificate or public key that the URI names has this CKA_ID: NULL id asks for any at all. */
static bool public_object_leads(const struct search *search, CK_SESSION_HANDLE session, const struct tokens_bytes *id)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_CERTIFICATE, CKO_PUBLIC_KEY};
    bool leads = false;

    for (size_t i = 0; i < ARRAY_LEN(classes) && !leads; i++) {
        CK_OBJECT_HANDLE *objects;
        size_t count;

        if ((id != NULL && !class_wanted(search, classes[i])) ||
            objects_of_class(search, session, classes[i], &objects, &count) != CKR_OK)
            continue;
        for (size_t k = 0; k < count && !leads; k++) {
            struct tokens_bytes have = {0};

            leads =
                object_matches(search, session, objects[k]) &&
                (id == NULL || (tokens_attribute(search->agent->module.loaded, session, objects[k], CKA_ID, &have) &&
                                have.size != 0 && span_equal(tokens_bytes_span(&have), tokens_bytes_span(id))));
            tokens_bytes_clear(&have);
        }
        free(objects);
    }
    return leads;
}

static bool private_key_matches(const struct search *search, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    const struct tokens_module *module = search->agent->module.loaded;
    struct tokens_bytes id = {0}, sign = {0};
    bool matches;

    /* A key that says it does not sign (the encryption key of a card) is nobody's identity. */
    if (tokens_attribute(module, session, key, CKA_SIGN, &sign) && sign.size == 1 && sign.data[0] == CK_FALSE) {
        tokens_bytes_clear(&sign);
        return false;
    }
    tokens_bytes_clear(&sign);
    if (class_wanted(search, CKO_PRIVATE_KEY) && object_matches(search, session, key))
        return true;
    if (search->class == CKO_PRIVATE_KEY && !search->any_class)
        return false;
    matches = tokens_attribute(module, session, key, CKA_ID, &id) && id.size != 0 &&
              public_object_leads(search, session, &id);
    tokens_bytes_clear(&id);
    return matches;
}

/* Everything about one matching key. NULL with a failure. */
static struct identity *identity_read(struct search *search, struct token *token, const struct session *session,
                                      CK_SLOT_ID slot, CK_OBJECT_HANDLE handle, struct failure *failure)
{
    const struct tokens_module *module = search->agent->module.loaded;
    struct identity *identity = base_alloc(sizeof(*identity));
    struct tokens_cert_list certs = {0};
    const struct tokens_cert *cert;
    char *error = NULL;
    unsigned mechanisms;
    bool by_cert = !search->any_class && search->class == CKO_CERTIFICATE;

    identity->token = token;
    identity->uri = base_strdup(search->text);
    identity->generation = session->generation;
    if (!tokens_key_read(module, session->handle, handle, &identity->key, &error)) {
        CK_SESSION_INFO info;
        CK_RV rv = module->p11->C_GetSessionInfo(session->handle, &info);

        /* Is it the key, or does the token not answer any more? */
        agent_fail(failure, TOKENS_WIRE_REFUSED, rv == CKR_OK ? CKR_KEY_TYPE_INCONSISTENT : rv,
                   "%s on token \"%s\": %s", search->text, token->label, error);
        goto out;
    }
    identity->key_tag = tokens_wire_key_tag(tokens_bytes_span(&identity->key.spki));
    mechanisms = agent_identity_mechanisms(identity, slot);
    if (mechanisms == 0) {
        agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_MECHANISM_INVALID,
                   "%s on token \"%s\": the token has no mechanism to sign with this key", search->text, token->label);
        goto out;
    }
    (void)tokens_cert_list_read(module, session->handle, &certs);
    cert = tokens_cert_for_key(module, session->handle, &certs, &identity->key, by_cert ? search->uri : NULL);
    if (!agent_identity_encode(identity, mechanisms, cert, &certs))
        agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_DATA_LEN_RANGE, "%s on token \"%s\": key or label is too large",
                   search->text, token->label);
out:
    tokens_cert_list_clear(&certs);
    free(error);
    if (failure->text != NULL) {
        agent_identity_destroy(identity);
        return NULL;
    }
    return identity;
}

/* All matching private keys of one token; logged in. */
static enum outcome search_keys(struct search *search, struct token *token, const struct session *session,
                                CK_SLOT_ID slot, struct failure *failure)
{
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_OBJECT_HANDLE *keys;
    size_t count;
    CK_RV rv = objects_of_class(search, session->handle, CKO_PRIVATE_KEY, &keys, &count);

    if (rv != CKR_OK)
        return agent_fail(failure, agent_session_is_gone(rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, rv,
                          "token \"%s\" does not list its keys: %s", token->label, tokens_ckr_text(rv, code));
    for (size_t i = 0; i < count && failure->text == NULL; i++) {
        if (!private_key_matches(search, session->handle, keys[i]))
            continue;
        search->matches++;
        agent_candidate_add(&search->candidates,
                            tokens_uri_format(search->agent->module.loaded, &token->info, session->handle, keys[i]));
        if (search->found == NULL)
            search->found = identity_read(search, token, session, slot, keys[i], failure);
    }
    free(keys);
    return failure->text == NULL ? OUTCOME_OK : OUTCOME_FAILED;
}

enum search_step { SEARCH_PUBLIC, SEARCH_KEYS };

/* What was found until now, to go back to when a session dies in the middle of a search. */
struct search_mark {
    size_t matches;
    char *candidates;
    bool found;
};

static struct search_mark mark(const struct search *search)
{
    return (struct search_mark){.matches = search->matches,
                                .candidates = search->candidates == NULL ? NULL : base_strdup(search->candidates),
                                .found = search->found != NULL};
}

/* Takes the mark's text. */
static void go_back(struct search *search, struct search_mark *to)
{
    search->matches = to->matches;
    free(search->candidates);
    search->candidates = to->candidates;
    to->candidates = NULL;
    if (to->found)
        return;
    agent_identity_destroy(search->found);
    search->found = NULL;
}

static enum outcome search_step(struct search *search, struct token *token, enum search_step step,
                                const struct session *session, bool *shows, struct failure *failure)
{
    struct agent *agent = search->agent;
    enum outcome outcome = OUTCOME_OK;
    CK_SLOT_ID slot;

    pthread_mutex_lock(&agent->mutex);
    slot = token->slot;
    pthread_mutex_unlock(&agent->mutex);
    switch (step) {
    case SEARCH_PUBLIC:
        *shows = public_object_leads(search, session->handle, NULL);
        break;
    case SEARCH_KEYS:
        outcome = agent_login_ensure(token, session->handle, failure);
        if (outcome == OUTCOME_OK)
            outcome = search_keys(search, token, session, slot, failure);
        if (outcome == OUTCOME_OK)
            agent_token_well(token, AGENT_FIND);
        break;
    }
    return outcome;
}

/* One step on one token, in a session of its own; once more when the session turns out to be dead, or the token fails.
 */
static enum outcome search_token(struct search *search, struct token *token, enum search_step step, bool *shows,
                                 struct failure *failure)
{
    struct search_mark before = mark(search);
    enum outcome outcome = OUTCOME_OK;
    struct session session;
    bool fresh, again = true;

    for (unsigned attempt = 0; again && attempt < 2; attempt++) {
        if (attempt > 0)
            go_back(search, &before);
        free(failure->text);
        *failure = (struct failure){0};
        outcome = agent_session_take(token, search->deadline_ms, &session, &fresh, failure);
        if (outcome != OUTCOME_OK) {
            if (failure->kind != TOKENS_WIRE_TIMEOUT)
                agent_token_unwell(token, AGENT_FIND, failure->ckr);
            break;
        }
        outcome = search_step(search, token, step, &session, shows, failure);
        again = outcome == OUTCOME_FAILED && failure->kind != TOKENS_WIRE_LOGIN && tokens_ckr_may_pass(failure->ckr);
        if (again)
            agent_token_unwell(token, AGENT_FIND, failure->ckr);
        if (again && agent_session_is_gone(failure->ckr))
            agent_session_lost(token, &session);
        else
            agent_session_give(token, &session);
    }
    free(before.candidates);
    if (outcome == OUTCOME_FAILED && failure->kind != TOKENS_WIRE_LOGIN && failure->kind != TOKENS_WIRE_TIMEOUT &&
        failure->waits_for == NULL) {
        pthread_mutex_lock(&search->agent->mutex);
        agent_figures_failed(token, failure->ckr);
        pthread_mutex_unlock(&search->agent->mutex);
    }
    return outcome;
}

static bool read_uri(struct search *search, struct failure *failure)
{
    CK_ATTRIBUTE *attribute;
    char *error = NULL;

    search->uri = tokens_uri_parse(search->text, &error);
    if (search->uri == NULL) {
        agent_fail(failure, TOKENS_WIRE_BAD_URI, CKR_ARGUMENTS_BAD, "%s", error);
        free(error);
        return false;
    }
    attribute = p11_kit_uri_get_attribute(search->uri, CKA_ID);
    if (attribute != NULL)
        search->id = span_of(attribute->pValue, attribute->ulValueLen);
    attribute = p11_kit_uri_get_attribute(search->uri, CKA_LABEL);
    if (attribute != NULL)
        search->label = span_of(attribute->pValue, attribute->ulValueLen);
    attribute = p11_kit_uri_get_attribute(search->uri, CKA_CLASS);
    search->any_class = attribute == NULL;
    if (attribute != NULL)
        memcpy(&search->class, attribute->pValue, sizeof(search->class));
    if (!search->any_class && search->class != CKO_PRIVATE_KEY && search->class != CKO_CERTIFICATE &&
        search->class != CKO_PUBLIC_KEY) {
        agent_fail(failure, TOKENS_WIRE_BAD_URI, CKR_ARGUMENTS_BAD, "%s: the type of an identity is private or cert",
                   search->text);
        return false;
    }
    return true;
}

/* see tokens/agent/agent_find.h */
size_t agent_tokens_matching(struct agent *agent, P11KitUri *uri, struct token **tokens, char **candidates)
{
    struct token *present[AGENT_TOKENS_MAX];
    CK_SLOT_ID slots[AGENT_TOKENS_MAX];
    size_t count = 0, matching = 0;

    pthread_mutex_lock(&agent->mutex);
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        if (t->gone)
            continue;
        slots[count] = t->slot;
        present[count++] = t;
    }
    pthread_mutex_unlock(&agent->mutex);
    for (size_t i = 0; i < count; i++)
        if (tokens_uri_matches_token(agent->module.loaded, uri, slots[i], &present[i]->info))
            tokens[matching++] = present[i];
    if (matching == 0)
        for (size_t i = 0; i < count; i++)
            agent_candidate_add(candidates,
                                tokens_uri_format(agent->module.loaded, &present[i]->info, CK_INVALID_HANDLE, 0));
    return matching;
}

/* Leave only tokens with a public object that the URI names, if there are any. */
static size_t narrow(struct search *search, struct token **tokens, size_t count)
{
    struct token *showing[AGENT_TOKENS_MAX];
    size_t kept = 0;

    for (size_t i = 0; count > 1 && i < count; i++) {
        struct failure failure = {0};
        bool shows = false;

        if (search_token(search, tokens[i], SEARCH_PUBLIC, &shows, &failure) == OUTCOME_OK && shows)
            showing[kept++] = tokens[i];
        free(failure.text);
    }
    if (kept == 0)
        return count;
    memcpy(tokens, showing, kept * sizeof(struct token *));
    return kept;
}

/* pin-source=file:PATH in the URI, for tokens whose PIN nobody has given. */
static void offer_pin_source(struct search *search, struct token **tokens, size_t count)
{
    struct agent *agent = search->agent;
    const char *source = p11_kit_uri_get_pin_source(search->uri);
    struct tokens_pin *pin;
    char *error = NULL;
    bool wanted = false;

    if (source == NULL || count != 1)
        return;
    pthread_mutex_lock(&agent->mutex);
    wanted = tokens[0]->pin_state == PIN_UNKNOWN && !agent->options.pin_source_spent;
    pthread_mutex_unlock(&agent->mutex);
    if (!wanted)
        return;
    pin = tokens_pin_read(TOKENS_PIN_FILE, source + strlen("file:"), NULL, &error);
    pthread_mutex_lock(&agent->mutex);
    if (pin != NULL)
        agent_login_offer(tokens[0], pin);
    else
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "pin-source: %s", error);
    pthread_mutex_unlock(&agent->mutex);
    free(error);
}

/* The identity is known under this URI from now on; the same one as before keeps its struct. Takes it.
 * agent->mutex held. */
static struct identity *identity_remember(struct agent *agent, struct identity *identity)
{
    struct identity *before = agent_identity_get(agent, identity->uri, 0);

    if (before != NULL && before->token == identity->token && before->pss_raw == identity->pss_raw &&
        before->key.always_authenticate == identity->key.always_authenticate &&
        span_equal(buffer_span(&before->encoded), buffer_span(&identity->encoded))) {
        before->key.handle = identity->key.handle;
        before->generation = identity->generation;
        agent_identity_destroy(identity);
        return before;
    }
    if (agent->identity_count == AGENT_IDENTITIES_MAX) {
        agent_identity_destroy(identity);
        return NULL;
    }
    agent->identity_count++;
    identity->next = agent->identities;
    agent->identities = identity;
    return identity;
}

/* The private keys of the tokens that match, for "no key matches". */
static void list_keys(struct search *search)
{
    struct search all = *search;
    struct token *tokens[AGENT_TOKENS_MAX];
    size_t count;

    all.id = all.label = span_of(NULL, 0);
    all.class = CKO_PRIVATE_KEY;
    all.any_class = false;
    all.found = NULL;
    all.candidates = NULL;
    count = agent_tokens_matching(all.agent, all.uri, tokens, &all.candidates);
    for (size_t i = 0; i < count; i++) {
        struct failure failure = {0};

        (void)!search_token(&all, tokens[i], SEARCH_KEYS, NULL, &failure);
        free(failure.text);
    }
    agent_identity_destroy(all.found);
    search->candidates = all.candidates;
}

static enum outcome search_all(struct search *search, struct failure *failure)
{
    struct token *tokens[AGENT_TOKENS_MAX];
    struct failure first = {0};
    enum outcome outcome;
    size_t count;

    if (!read_uri(search, failure))
        return OUTCOME_FAILED;
    agent_tokens_look(search->agent);
    count = agent_tokens_matching(search->agent, search->uri, tokens, &search->candidates);
    if (count == 0)
        return agent_fail(failure, TOKENS_WIRE_GONE, CKR_TOKEN_NOT_PRESENT, "no token matches %s; there is %s",
                          search->text, search->candidates == NULL ? "none" : search->candidates);
    count = narrow(search, tokens, count);
    offer_pin_source(search, tokens, count);
    for (size_t i = 0; i < count; i++) {
        struct failure here = {0};

        outcome = search_token(search, tokens[i], SEARCH_KEYS, NULL, &here);
        if (outcome == OUTCOME_WAIT_FOR_PIN) {
            *failure = here;
            free(first.text);
            return outcome;
        }
        if (first.text == NULL)
            first = here;
        else
            free(here.text);
    }
    if (search->matches == 1 && search->found != NULL) {
        free(first.text);
        return OUTCOME_OK;
    }
    if (search->matches <= 1 && first.text != NULL) {
        *failure = first;
        return OUTCOME_FAILED;
    }
    free(first.text);
    if (search->matches > 1)
        return agent_fail(failure, TOKENS_WIRE_AMBIGUOUS, CKR_ARGUMENTS_BAD, "%zu keys match %s: %s", search->matches,
                          search->text, search->candidates);
    list_keys(search);
    return agent_fail(failure, TOKENS_WIRE_NOT_FOUND, CKR_KEY_HANDLE_INVALID, "no key matches %s; there is %s",
                      search->text, search->candidates == NULL ? "none" : search->candidates);
}

/* see tokens/agent/agent_find.h */
enum outcome agent_identity_find(struct agent *agent, struct job *job, struct identity **identity,
                                 struct failure *failure)
{
    uint64_t now_ms = base_now_ms();
    struct search search = {.agent = agent, .text = job->uri, .deadline_ms = job->deadline_ms};
    enum outcome outcome;

    /* Half of the time for a session, so that there is some left to answer with what is known of a token that hangs. */
    if (search.deadline_ms > now_ms)
        search.deadline_ms -= (search.deadline_ms - now_ms) / 2;
    outcome = search_all(&search, failure);

    pthread_mutex_lock(&agent->mutex);
    if (outcome == OUTCOME_OK) {
        assert(search.found != NULL);
        *identity = identity_remember(agent, search.found);
        search.found = NULL;
        if (*identity != NULL)
            (*identity)->users++;
        else
            outcome = agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_HOST_MEMORY, "more than %d identities are in use",
                                 AGENT_IDENTITIES_MAX);
    } else if (job->type == JOB_FIND && job->conn->by_grants && failure->kind != TOKENS_WIRE_NOT_FOUND &&
               failure->kind != TOKENS_WIRE_AMBIGUOUS && agent_identity_get(agent, job->uri, 0) != NULL) {
        /* The card is out: what is known of it lets a worker start. Signing will say what is the matter. Others want to
         * know how things are now. */
        *identity = agent_identity_get(agent, job->uri, 0);
        (*identity)->users++;
        free(failure->text);
        *failure = (struct failure){0};
        outcome = OUTCOME_OK;
    }
    pthread_mutex_unlock(&agent->mutex);
    agent_identity_destroy(search.found);
    free(search.candidates);
    p11_kit_uri_free(search.uri);
    return outcome;
}
