/* Tokens of the agent: which are there, their sessions, and the module's recovery. See tokens/agent/agent_token.h */
#include "tokens/agent/agent_token.h"

#include <stdlib.h>

/* see tokens/agent/agent_token.h */
void agent_module_enter(struct agent *agent)
{
    if (agent->module.loaded->serialise)
        pthread_rwlock_wrlock(&agent->module.lock);
    else
        pthread_rwlock_rdlock(&agent->module.lock);
}

/* see tokens/agent/agent_token.h */
void agent_module_leave(struct agent *agent)
{
    pthread_rwlock_unlock(&agent->module.lock);
}

/* see tokens/agent/agent_token.h */
bool agent_session_is_gone(CK_RV rv)
{
    return tokens_ckr_about(rv) == TOKENS_CKR_SESSION;
}

/* see tokens/agent/agent_token.h */
void agent_token_well(struct token *token, enum agent_operation operation)
{
    struct agent *agent = token->agent;

    pthread_mutex_lock(&agent->mutex);
    if (agent_health_fails(&token->health, base_now_ms()) && operation == AGENT_SIGN)
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token \"%s\" signs again", token->label);
    agent_health_good(&token->health, operation);
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_token.h */
void agent_token_unwell(struct token *token, enum agent_operation operation, CK_RV rv)
{
    struct agent *agent = token->agent;
    uint64_t now_ms = base_now_ms();
    char code[TOKENS_CKR_TEXT_SIZE];
    bool failed_before;

    if (!tokens_ckr_may_pass(rv))
        return;
    pthread_mutex_lock(&agent->mutex);
    if (!token->gone) {
        failed_before = agent_health_fails(&token->health, now_ms);
        agent_health_bad(&token->health, operation, now_ms);
        token->failed_with = rv;
        if (!failed_before && agent_health_fails(&token->health, now_ms)) {
            (void)!agent_tell(agent, TOKENS_AGENT_LOG, "token \"%s\" fails again and again, last with %s", token->label,
                              tokens_ckr_text(rv, code));
            pthread_cond_broadcast(&agent->watcher.wake);
        }
    }
    pthread_mutex_unlock(&agent->mutex);
}

/* A token is known by what is written on it, never by its slot. */
static bool same_token(const CK_TOKEN_INFO *a, const CK_TOKEN_INFO *b)
{
    return memcmp(a->label, b->label, sizeof(a->label)) == 0 &&
           memcmp(a->serialNumber, b->serialNumber, sizeof(a->serialNumber)) == 0 &&
           memcmp(a->manufacturerID, b->manufacturerID, sizeof(a->manufacturerID)) == 0 &&
           memcmp(a->model, b->model, sizeof(a->model)) == 0;
}

/* see tokens/agent/agent_token.h */
struct token *agent_token_create(struct agent *agent, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    struct token *token = base_alloc(sizeof(*token));

    token->agent = agent;
    token->info = *info;
    token->label = tokens_token_label(info);
    token->name =
        base_printf("%s\n%.*s", token->label, (int)p11_kit_space_strlen(info->serialNumber, sizeof(info->serialNumber)),
                    (const char *)info->serialNumber);
    token->slot = slot;
    token->generation = 1;
    token->sessions_limit = agent->options.sessions_max;
    pthread_mutex_init(&token->login_lock, NULL);
    token->next = agent->tokens;
    agent->tokens = token;
    return token;
}

/* see tokens/agent/agent_token.h */
void agent_token_destroy(struct token *token)
{
    tokens_pin_destroy(&token->pin);
    tokens_pin_destroy(&token->pin_offered);
    pthread_mutex_destroy(&token->login_lock);
    free(token->idle);
    free(token->pin_text);
    free(token->label);
    free(token->name);
    free(token);
}

/* see tokens/agent/agent_token.h */
struct session *agent_sessions_forget(struct token *token, size_t *count)
{
    struct session *idle = token->idle;

    *count = token->idle_count;
    token->sessions_open -= (unsigned)token->idle_count;
    token->idle = NULL;
    token->idle_count = token->idle_capacity = 0;
    token->generation++;
    return idle;
}

static void sessions_close(struct agent *agent, struct session *sessions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        agent->module.loaded->p11->C_CloseSession(sessions[i].handle);
    free(sessions);
}

/* agent->mutex held. */
static void sessions_allow_all(struct token *token)
{
    token->sessions_limit = token->agent->options.sessions_max;
    token->grow_ms = 0;
    token->grow_wait_ms = 0;
}

/* The token opens no more than there are, for now. agent->mutex held. */
static void sessions_shrink(struct token *token)
{
    token->sessions_limit = token->sessions_open;
    token->grow_wait_ms = token->grow_wait_ms == 0                       ? AGENT_GROW_MS
                          : token->grow_wait_ms >= AGENT_GROW_MS_MAX / 2 ? AGENT_GROW_MS_MAX
                                                                         : token->grow_wait_ms * 2;
    token->grow_ms = base_now_ms() + token->grow_wait_ms;
}

/* see tokens/agent/agent_token.h */
void agent_sessions_grow(struct token *token, uint64_t now_ms)
{
    if (token->grow_ms == 0 || now_ms < token->grow_ms)
        return;
    if (token->sessions_limit < token->agent->options.sessions_max)
        token->sessions_limit++;
    token->grow_ms = token->sessions_limit < token->agent->options.sessions_max ? now_ms + token->grow_wait_ms : 0;
}

/* One slot with a token in it was seen. agent->mutex held. */
static void token_seen(struct agent *agent, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    struct token *token = agent->tokens;
    size_t known = 0, unused;

    for (; token != NULL && !same_token(&token->info, info); token = token->next)
        known++;
    if (token == NULL) {
        if (known == AGENT_TOKENS_MAX)
            return;
        token = agent_token_create(agent, slot, info);
        if (agent->watcher.started) /* it came since */
            (void)!agent_tell_of(token, TOKENS_AGENT_TOKEN_BACK, "%s", token->label);
    }
    token->seen_round = agent->round;
    if (token->slot != slot && !token->gone)
        free(agent_sessions_forget(token, &unused)); /* handles of the old slot: the module closed them itself */
    token->slot = slot;
    if (!token->gone)
        return;
    token->gone = false;
    agent_health_reset(&token->health);
    sessions_allow_all(token);
    (void)!agent_tell_of(token, TOKENS_AGENT_TOKEN_BACK, "%s", token->label);
    /* Ready before the first handshake needs it: with the PIN that is at hand. */
    if (token->pin_state == PIN_GOOD || token->pin_state == PIN_AT_HAND)
        agent->events->login_wanted(agent, token);
}

/* A slot that has something in it, as it was found. */
struct slot_seen {
    CK_SLOT_ID slot;
    CK_RV rv; /* of C_GetTokenInfo() */
    CK_TOKEN_INFO info;
};

/* Asked without the lock. */
static CK_RV slots_read(struct agent *agent, struct slot_seen **seen, size_t *count)
{
    CK_SLOT_ID *slots;
    CK_RV rv = tokens_slots(agent->module.loaded, &slots, count);

    *seen = base_alloc(*count * sizeof(**seen));
    for (size_t i = 0; i < *count; i++) {
        (*seen)[i].slot = slots[i];
        (*seen)[i].rv = agent->module.loaded->p11->C_GetTokenInfo(slots[i], &(*seen)[i].info);
    }
    free(slots);
    return rv;
}

/* A token that is there but does not answer just now (busy, say) is not gone. agent->mutex held. */
static void slot_unreadable(struct agent *agent, const struct slot_seen *seen)
{
    if (agent_session_is_gone(seen->rv))
        return;
    for (struct token *t = agent->tokens; t != NULL; t = t->next)
        if (!t->gone && t->slot == seen->slot)
            t->seen_round = agent->round;
}

/* see tokens/agent/agent_token.h */
CK_RV agent_tokens_refresh(struct agent *agent)
{
    struct slot_seen *seen;
    size_t count, lost_count = 0;
    struct session *lost[AGENT_TOKENS_MAX];
    size_t lost_sizes[AGENT_TOKENS_MAX];
    CK_RV rv;

    if (agent->options.file_keys)
        return CKR_OK; /* nobody can pull it out */
    rv = slots_read(agent, &seen, &count);
    pthread_mutex_lock(&agent->mutex);
    agent->round++;
    for (size_t i = 0; i < count; i++) {
        if (seen[i].rv != CKR_OK)
            slot_unreadable(agent, &seen[i]);
        else if ((seen[i].info.flags & CKF_TOKEN_INITIALIZED) != 0)
            token_seen(agent, seen[i].slot, &seen[i].info);
    }
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        if (t->gone || t->seen_round == agent->round)
            continue;
        t->gone = true;
        lost[lost_count] = agent_sessions_forget(t, &lost_sizes[lost_count]);
        lost_count++;
        (void)!agent_tell_of(t, TOKENS_AGENT_TOKEN_GONE, "%s", t->label);
    }
    agent->module.broken = rv != CKR_OK;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
    for (size_t i = 0; i < lost_count; i++)
        sessions_close(agent, lost[i], lost_sizes[i]);
    free(seen);
    return rv;
}

/* see tokens/agent/agent_token.h */
enum outcome agent_session_take(struct token *token, uint64_t deadline_ms, struct session *session, bool *fresh,
                                struct failure *failure)
{
    struct agent *agent = token->agent;
    struct timespec until = agent_when(deadline_ms);
    enum outcome outcome = OUTCOME_FAILED;
    char code[TOKENS_CKR_TEXT_SIZE];

    pthread_mutex_lock(&agent->mutex);
    for (;;) {
        CK_SLOT_ID slot = token->slot;
        CK_RV rv;

        if (token->gone) {
            outcome =
                agent_fail(failure, TOKENS_WIRE_GONE, CKR_TOKEN_NOT_PRESENT, "token \"%s\" is not there", token->label);
            break;
        }
        if (token->idle_count != 0) {
            *session = token->idle[--token->idle_count];
            *fresh = false;
            outcome = OUTCOME_OK;
            break;
        }
        if (token->sessions_open < token->sessions_limit) {
            session->generation = token->generation;
            token->sessions_open++;
            pthread_mutex_unlock(&agent->mutex);
            rv = agent->module.loaded->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session->handle);
            pthread_mutex_lock(&agent->mutex);
            if (rv == CKR_OK) {
                *fresh = true;
                outcome = OUTCOME_OK;
                break;
            }
            token->sessions_open--;
            if (agent_session_is_gone(rv) || token->sessions_open == 0) {
                outcome = agent_fail(failure, agent_session_is_gone(rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, rv,
                                     "token \"%s\" opens no session: %s", token->label, tokens_ckr_text(rv, code));
                break;
            }
            sessions_shrink(token);
            continue;
        }
        if (pthread_cond_timedwait(&agent->threads.settled, &agent->mutex, &until) != 0) {
            outcome = agent_fail(failure, TOKENS_WIRE_TIMEOUT, CKR_FUNCTION_FAILED, "token \"%s\" has no session free",
                                 token->label);
            break;
        }
    }
    pthread_mutex_unlock(&agent->mutex);
    return outcome;
}

/* see tokens/agent/agent_token.h */
void agent_session_give(struct token *token, const struct session *session)
{
    struct agent *agent = token->agent;
    bool stale;

    pthread_mutex_lock(&agent->mutex);
    stale = session->generation != token->generation;
    if (!stale) {
        if (token->idle_count == token->idle_capacity) {
            token->idle_capacity = token->idle_capacity * 2 + 4;
            token->idle = base_realloc_array(token->idle, token->idle_capacity, sizeof(*token->idle));
        }
        token->idle[token->idle_count++] = *session;
        pthread_cond_broadcast(&agent->threads.settled);
    }
    pthread_mutex_unlock(&agent->mutex);
    if (stale)
        agent_session_close(token, session);
}

/* see tokens/agent/agent_token.h */
void agent_session_close(struct token *token, const struct session *session)
{
    struct agent *agent = token->agent;

    agent->module.loaded->p11->C_CloseSession(session->handle);
    pthread_mutex_lock(&agent->mutex);
    token->sessions_open--;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_token.h */
void agent_session_lost(struct token *token, const struct session *session)
{
    struct agent *agent = token->agent;
    struct session *idle = NULL;
    size_t count = 0;

    pthread_mutex_lock(&agent->mutex);
    if (session->generation == token->generation)
        idle = agent_sessions_forget(token, &count);
    pthread_mutex_unlock(&agent->mutex);
    sessions_close(agent, idle, count);
    agent_session_close(token, session);
}
