/* URI to certificates: all that it names on one token. See tokens/agent/agent_certs.h
 *
 * What a worker asks for is to be trusted, so the URI has to say which token is meant, and only one token may be meant.
 * Certificates are read without login. A list is remembered, for the pages after the first, and for workers that are
 * started while the token is away. */
#include "tokens/agent/agent_certs.h"

#include <stdlib.h>

enum { ATTEMPTS_MAX = 2, PAGE_HEAD_SIZE = 64, CERT_HEAD_SIZE = 2 };

/* see tokens/agent/agent_certs.h */
void agent_cert_list_destroy(struct cert_list *list)
{
    if (list == NULL)
        return;
    tokens_cert_list_clear(&list->certs);
    free(list->uri);
    free(list);
}

/* NULL with a failure. */
static P11KitUri *read_uri(const char *text, struct failure *failure)
{
    char *error = NULL;
    P11KitUri *uri = tokens_uri_parse(text, &error);

    if (uri == NULL) {
        agent_fail(failure, TOKENS_WIRE_BAD_URI, CKR_ARGUMENTS_BAD, "%s", error);
        free(error);
        return NULL;
    }
    error = tokens_cert_uri_problem(uri, text);
    if (error == NULL)
        return uri;
    agent_fail(failure, TOKENS_WIRE_BAD_URI, CKR_ARGUMENTS_BAD, "%s", error);
    free(error);
    p11_kit_uri_free(uri);
    return NULL;
}

static enum outcome read_certs(const struct token *token, const struct session *session, const char *text,
                               P11KitUri *uri, struct tokens_cert_list *list, struct failure *failure)
{
    struct agent *agent = token->agent;
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_RV rv = tokens_cert_list_read(agent->module.loaded, session->handle, list);
    size_t bytes = 0;

    if (rv != CKR_OK)
        return agent_fail(failure, agent_session_is_gone(rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, rv,
                          "token \"%s\" does not list its certificates: %s", token->label, tokens_ckr_text(rv, code));
    if (list->cut)
        return agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_DATA_LEN_RANGE, "token \"%s\" has %d certificates or more",
                          token->label, TOKENS_OBJECTS_MAX);
    if (list->unreadable != 0)
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token %s: %zu certificates cannot be read, and are not used",
                          token->label, list->unreadable);
    tokens_cert_list_select(agent->module.loaded, session->handle, uri, list);
    for (size_t i = 0; i < list->count; i++)
        bytes += list->certs[i].der.size;
    if (bytes > AGENT_LIST_BYTES)
        return agent_fail(failure, TOKENS_WIRE_REFUSED, CKR_DATA_LEN_RANGE,
                          "the certificates of %s have more than %d bytes together", text, AGENT_LIST_BYTES);
    if (list->count == 0)
        return agent_fail(failure, TOKENS_WIRE_NOT_FOUND, CKR_OBJECT_HANDLE_INVALID,
                          "no certificate on token \"%s\" that can be read without login matches %s", token->label,
                          text);
    return OUTCOME_OK;
}

/* In a session of its own; once more when the session turns out to be dead. */
static enum outcome read_token(struct token *token, const struct job *job, uint64_t deadline_ms, P11KitUri *uri,
                               struct tokens_cert_list *list, struct failure *failure)
{
    enum outcome outcome = OUTCOME_OK;

    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        struct session session;
        bool fresh;

        tokens_cert_list_clear(list);
        free(failure->text);
        *failure = (struct failure){0};
        outcome = agent_session_take(token, deadline_ms, &session, &fresh, failure);
        if (outcome != OUTCOME_OK)
            return outcome;
        outcome = read_certs(token, &session, job->uri, uri, list, failure);
        if (outcome == OUTCOME_OK || failure->kind != TOKENS_WIRE_GONE) {
            agent_session_give(token, &session);
            return outcome;
        }
        agent_session_lost(token, &session);
    }
    return outcome;
}

static enum outcome look(struct agent *agent, const struct job *job, P11KitUri *uri, struct tokens_cert_list *list,
                         struct failure *failure)
{
    struct token *tokens[AGENT_TOKENS_MAX];
    uint64_t now_ms = base_now_ms(), deadline_ms = job->deadline_ms;
    enum outcome outcome;
    char *candidates = NULL;
    size_t count;

    /* Half of the time for a session, as with identities: to answer with what is known of a token that hangs. */
    if (deadline_ms > now_ms)
        deadline_ms -= (deadline_ms - now_ms) / 2;
    agent_tokens_look(agent);
    count = agent_tokens_matching(agent, uri, tokens, &candidates);
    for (size_t i = 0; count > 1 && i < count; i++)
        agent_candidate_add(&candidates,
                            tokens_uri_format(agent->module.loaded, &tokens[i]->info, CK_INVALID_HANDLE, 0));
    if (count == 0)
        outcome = agent_fail(failure, TOKENS_WIRE_GONE, CKR_TOKEN_NOT_PRESENT, "no token matches %s; there is %s",
                             job->uri, candidates == NULL ? "none" : candidates);
    else if (count > 1)
        outcome = agent_fail(failure, TOKENS_WIRE_AMBIGUOUS, CKR_ARGUMENTS_BAD, "%zu tokens match %s: %s", count,
                             job->uri, candidates);
    else
        outcome = read_token(tokens[0], job, deadline_ms, uri, list, failure);
    free(candidates);
    return outcome;
}

/* Move the URI's list to the front. NULL: none is remembered. agent->mutex held. */
static struct cert_list *list_get(struct agent *agent, const char *uri)
{
    for (struct cert_list **link = &agent->lists; *link != NULL; link = &(*link)->next) {
        struct cert_list *list = *link;

        if (strcmp(list->uri, uri) != 0)
            continue;
        *link = list->next;
        list->next = agent->lists;
        agent->lists = list;
        return list;
    }
    return NULL;
}

static uint64_t tag_of(const struct tokens_cert_list *certs)
{
    uint64_t tag = 0;

    for (size_t i = 0; i < certs->count; i++)
        tag = tag * 31 + tokens_wire_key_tag(tokens_bytes_span(&certs->certs[i].der));
    return tag;
}

/* Takes the certificates. agent->mutex held. */
static struct cert_list *list_remember(struct agent *agent, const char *uri, struct tokens_cert_list *certs)
{
    struct cert_list *list = list_get(agent, uri), **last;

    if (list == NULL) {
        list = base_alloc(sizeof(*list));
        list->uri = base_strdup(uri);
        list->next = agent->lists;
        agent->lists = list;
    }
    tokens_cert_list_clear(&list->certs);
    list->certs = *certs;
    *certs = (struct tokens_cert_list){0};
    list->tag = tag_of(&list->certs);
    last = &list->next;
    for (size_t count = 1; *last != NULL && count < AGENT_LISTS_MAX; count++)
        last = &(*last)->next;
    agent_cert_list_destroy(*last);
    *last = NULL;
    return list;
}

/* agent->mutex held. */
static enum outcome write_page(const struct cert_list *list, uint16_t first, struct buffer *page,
                               struct failure *failure)
{
    struct tokens_wire_certs wire = {
        .list_tag = list->tag, .total = (uint16_t)list->certs.count, .first = first, .count = 0};
    size_t bytes = PAGE_HEAD_SIZE;

    for (size_t i = first; i < list->certs.count && wire.count < TOKENS_WIRE_PAGE_MAX; i++) {
        struct span der = tokens_bytes_span(&list->certs.certs[i].der);

        bytes += CERT_HEAD_SIZE + der.size;
        if (bytes > TOKENS_WIRE_REPLY_MAX)
            break;
        wire.certs[wire.count++] = der;
    }
    buffer_init(page, TOKENS_WIRE_REPLY_MAX);
    if (wire.count != 0 && tokens_wire_certs_encode(&wire, page))
        return OUTCOME_OK;
    return agent_fail(failure, TOKENS_WIRE_BAD_URI, CKR_ARGUMENTS_BAD, "%s names no more than %zu certificates",
                      list->uri, list->certs.count);
}

/* see tokens/agent/agent_certs.h */
enum outcome agent_certs_list(struct agent *agent, const struct job *job, struct buffer *page, struct failure *failure)
{
    P11KitUri *uri = read_uri(job->uri, failure);
    struct tokens_cert_list certs = {0};
    enum outcome outcome = OUTCOME_OK;
    struct cert_list *list;

    if (uri == NULL)
        return OUTCOME_FAILED;
    if (job->first == 0)
        outcome = look(agent, job, uri, &certs, failure);
    p11_kit_uri_free(uri);
    pthread_mutex_lock(&agent->mutex);
    list =
        job->first == 0 && outcome == OUTCOME_OK ? list_remember(agent, job->uri, &certs) : list_get(agent, job->uri);
    if (job->first != 0 && (list == NULL || list->tag != job->list_tag)) {
        outcome = OUTCOME_FAILED;
        (void)agent_fail(failure, TOKENS_WIRE_KEY_CHANGED, CKR_KEY_CHANGED,
                         "the certificates of %s changed while they were read", job->uri);
    } else if (outcome != OUTCOME_OK && list != NULL &&
               (failure->kind == TOKENS_WIRE_GONE || failure->kind == TOKENS_WIRE_TIMEOUT)) {
        /* The token is out: what is known of it lets a worker start, as with identities. */
        free(failure->text);
        *failure = (struct failure){0};
        outcome = OUTCOME_OK;
    }
    if (outcome == OUTCOME_OK)
        outcome = write_page(list, job->first, page, failure);
    pthread_mutex_unlock(&agent->mutex);
    tokens_cert_list_clear(&certs);
    return outcome;
}
