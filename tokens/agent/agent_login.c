/* Logging in to tokens, with each PIN tried once. See tokens/agent/agent_login.h and the head of
 * tokens/agent/agent.h
 *
 *   UNKNOWN --PIN_WANTED--> ASKED --PIN--> AT_HAND --C_Login ok--> GOOD --(token was away)--> C_Login again
 *                             |               |                      |
 *                             |               +---- wrong, locked ---+--> SPENT --PIN from an administrator--> AT_HAND
 *                             +-- PIN_REFUSED --> NOT_GIVEN ------------------PIN from an administrator--> AT_HAND */
#include "tokens/agent/agent_login.h"
#include "tokens/agent/agent_figures.h"

#include <stdlib.h>

/* agent->mutex held. */
static void set_pin_state(struct token *token, enum pin_state state, const char *text)
{
    token->pin_state = state;
    if (text != token->pin_text) {
        free(token->pin_text);
        token->pin_text = text == NULL ? NULL : base_strdup(text);
    }
}

/* One question at a time: the answer does not say which token it is for. agent->mutex held. */
static void ask(struct agent *agent, struct token *token)
{
    if (token->pin_state == PIN_ASKED)
        return;
    if (agent->asking != NULL) {
        set_pin_state(token, PIN_TO_ASK, NULL);
        return;
    }
    if (!agent_tell_of(token, TOKENS_AGENT_PIN_WANTED, "%s", token->label)) {
        set_pin_state(token, PIN_NOT_GIVEN, "the supervisor cannot be asked for the PIN");
        return;
    }
    agent->asking = agent->last_asked = token;
    set_pin_state(token, PIN_ASKED, NULL);
}

static void ask_next(struct agent *agent)
{
    agent->asking = NULL;
    for (struct token *t = agent->tokens; t != NULL && agent->asking == NULL; t = t->next)
        if (t->pin_state == PIN_TO_ASK)
            ask(agent, t);
}

/* The PIN is not to be used any more. login_lock held. */
static void spend(struct token *token, enum tokens_agent_event event, const char *text)
{
    struct agent *agent = token->agent;

    pthread_mutex_lock(&agent->mutex);
    tokens_pin_destroy(&token->pin);
    set_pin_state(token, PIN_SPENT, text);
    token->final_try_allowed = token->low_allowed = false;
    token->pin_right = token->pin_told = false;
    (void)!agent_tell_of(token, event, "%s", text);
    pthread_mutex_unlock(&agent->mutex);
}

static enum outcome not_logged_in(struct token *token, CK_RV rv, const char *why, struct failure *failure)
{
    return agent_fail(failure, TOKENS_WIRE_LOGIN, rv, "token \"%s\" is not logged in: %s", token->label, why);
}

/* Whether the token may be logged in to now, after what has failed. */
static enum outcome may_try(struct token *token, struct failure *failure)
{
    struct agent *agent = token->agent;
    char code[TOKENS_CKR_TEXT_SIZE];
    enum outcome outcome = OUTCOME_OK;
    uint64_t now_ms = base_now_ms();

    pthread_mutex_lock(&agent->mutex);
    if (!agent_health_may_login(&token->health, now_ms)) {
        pthread_cond_broadcast(&agent->watcher.wake);
        failure->waits_for = token;
        outcome = agent_fail(failure, TOKENS_WIRE_LOGIN, token->failed_with,
                             "token \"%s\" fails with %s, and is logged in to again in %u s at the latest",
                             token->label, tokens_ckr_text(token->failed_with, code),
                             (unsigned)(agent_health_login_wait_ms(&token->health, now_ms) / 1000 + 1));
    }
    pthread_mutex_unlock(&agent->mutex);
    return outcome;
}

/* One C_Login, told before and after. pin NULL: the token asks for it itself. login_lock held. */
static enum outcome try_login(struct token *token, CK_SESSION_HANDLE session, CK_USER_TYPE user,
                              struct failure *failure)
{
    struct agent *agent = token->agent;
    const char *pin = token->pin == NULL ? NULL : tokens_pin_text(token->pin);
    char code[TOKENS_CKR_TEXT_SIZE];
    bool pad = pin == NULL;
    char *text;
    CK_RV rv;

    pthread_mutex_lock(&agent->mutex);
    agent->counters.logins++;
    agent->counters.changed = true;
    pthread_mutex_unlock(&agent->mutex);
    /* Without the supervisor knowing, a crash could make it spend another try. */
    if (!agent_tell_of(token, TOKENS_AGENT_PIN_TRYING, "%s", token->label))
        return not_logged_in(token, CKR_USER_NOT_LOGGED_IN, "the supervisor cannot be told", failure);
    rv = agent->module.loaded->p11->C_Login(session, user, (unsigned char *)(uintptr_t)pin,
                                            pin == NULL ? 0 : strlen(pin));
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        pthread_mutex_lock(&agent->mutex);
        set_pin_state(token, PIN_GOOD, NULL);
        token->pin_right = true;
        token->final_try_allowed = token->low_allowed = token->pin_told = false;
        (void)!agent_tell_of(token, TOKENS_AGENT_PIN_OK, "%s", token->label);
        pthread_mutex_unlock(&agent->mutex);
        agent_token_well(token, AGENT_LOGIN);
        return OUTCOME_OK;
    }
    pthread_mutex_lock(&agent->mutex);
    agent_figures_failed(token, rv);
    pthread_mutex_unlock(&agent->mutex);
    text = base_printf("token \"%s\" answers %s", token->label, tokens_ckr_text(rv, code));
    if (rv == CKR_PIN_LOCKED) {
        spend(token, TOKENS_AGENT_PIN_LOCKED, text);
    } else if (tokens_ckr_about(rv) == TOKENS_CKR_PIN) {
        spend(token, TOKENS_AGENT_PIN_INCORRECT, text);
    } else if (pad && (rv == CKR_CANCEL || rv == CKR_FUNCTION_CANCELED)) {
        /* Somebody at the reader does not want to: not asked again and again. */
        spend(token, TOKENS_AGENT_PIN_INCORRECT, text);
    } else {
        pthread_mutex_lock(&agent->mutex);
        token->pin_told = false;
        (void)!agent_tell_of(token, TOKENS_AGENT_PIN_UNUSED, "%s, which says nothing about the PIN: it is tried again",
                             text);
        pthread_mutex_unlock(&agent->mutex);
        free(text);
        agent_token_unwell(token, AGENT_LOGIN, rv);
        failure->waits_for = token;
        return agent_fail(failure, TOKENS_WIRE_GONE, rv, "token \"%s\" does not log in: %s", token->label, code);
    }
    free(text);
    return not_logged_in(token, rv, code, failure);
}

static bool same_pin(const struct tokens_pin *a, const struct tokens_pin *b)
{
    size_t size = strlen(tokens_pin_text(a));

    return size == strlen(tokens_pin_text(b)) && base_equal_constant_time(tokens_pin_text(a), tokens_pin_text(b), size);
}

/* Take over a PIN that came since the last time. login_lock and agent->mutex held. */
static void adopt_offer(struct token *token)
{
    if (token->pin_offered == NULL)
        return;
    if (token->pin == NULL || !same_pin(token->pin, token->pin_offered))
        token->pin_right = false;
    tokens_pin_destroy(&token->pin);
    token->pin = token->pin_offered;
    token->pin_offered = NULL;
}

/* A PIN that came is not tried now: it takes the place of the one that is kept, until the next login. login_lock held.
 */
static void keep_offer(struct token *token, const char *why)
{
    struct agent *agent = token->agent;

    pthread_mutex_lock(&agent->mutex);
    if (token->pin_offered != NULL) {
        adopt_offer(token);
        set_pin_state(token, token->pin_right ? PIN_GOOD : PIN_AT_HAND, NULL);
    }
    agent_login_late(token, why);
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_login.h */
void agent_login_keep(struct token *token, const char *why)
{
    pthread_mutex_lock(&token->login_lock);
    keep_offer(token, why);
    pthread_mutex_unlock(&token->login_lock);
}

/* see tokens/agent/agent_login.h */
void agent_login_late(struct token *token, const char *why)
{
    if (!token->pin_told)
        return;
    token->pin_told = false;
    if (token->pin_state == PIN_GOOD)
        (void)!agent_tell_of(token, TOKENS_AGENT_PIN_OK, "%s", token->label); /* the same as before */
    else
        (void)!agent_tell_of(token, TOKENS_AGENT_PIN_KEPT, "%s", why);
}

/* What the PIN's state allows. OK: token->pin may be tried. login_lock held. */
static enum outcome pin_ready(struct token *token, CK_FLAGS flags, struct failure *failure)
{
    struct agent *agent = token->agent;
    enum outcome outcome = OUTCOME_OK;
    bool last_try = (flags & CKF_USER_PIN_FINAL_TRY) != 0, low = (flags & CKF_USER_PIN_COUNT_LOW) != 0;
    bool spend_it = false, hold_it = false;

    pthread_mutex_lock(&agent->mutex);
    adopt_offer(token);
    switch (token->pin_state) {
    case PIN_UNKNOWN:
    case PIN_TO_ASK:
        if (last_try) {
            spend_it = true;
            break;
        }
        ask(agent, token);
        if (token->pin_state == PIN_NOT_GIVEN) {
            outcome = not_logged_in(token, CKR_USER_NOT_LOGGED_IN, token->pin_text, failure);
            break;
        }
        failure->waits_for = token;
        outcome = OUTCOME_WAIT_FOR_PIN;
        break;
    case PIN_ASKED:
        failure->waits_for = token;
        outcome = OUTCOME_WAIT_FOR_PIN;
        break;
    case PIN_AT_HAND:
    case PIN_GOOD:
        spend_it = last_try && !token->final_try_allowed;
        hold_it = low && !token->pin_right && !token->low_allowed;
        break;
    case PIN_NOT_GIVEN:
    case PIN_SPENT:
        outcome =
            not_logged_in(token, CKR_USER_NOT_LOGGED_IN, token->pin_text == NULL ? "no PIN" : token->pin_text, failure);
        break;
    }
    pthread_mutex_unlock(&agent->mutex);
    if (spend_it) {
        spend(
            token, TOKENS_AGENT_PIN_LOCKED,
            "CKF_USER_PIN_FINAL_TRY: one wrong PIN more locks the token, so none is tried until an administrator logs in");
        return not_logged_in(token, CKR_USER_NOT_LOGGED_IN, "CKF_USER_PIN_FINAL_TRY", failure);
    }
    if (hold_it) {
        spend(token, TOKENS_AGENT_PIN_HELD,
              "CKF_USER_PIN_COUNT_LOW: the token had a wrong PIN since the last right one, so none is tried until an "
              "administrator logs in");
        return not_logged_in(token, CKR_USER_NOT_LOGGED_IN, "CKF_USER_PIN_COUNT_LOW", failure);
    }
    return outcome;
}

/* Without a PIN of ours: the reader's key pad. Refused once, it is left alone too. login_lock held. */
static enum outcome pin_pad_ready(struct token *token, struct failure *failure)
{
    struct agent *agent = token->agent;
    enum outcome outcome = OUTCOME_OK;

    pthread_mutex_lock(&agent->mutex);
    tokens_pin_destroy(&token->pin_offered);
    if (token->pin_state == PIN_SPENT)
        outcome = not_logged_in(token, CKR_USER_NOT_LOGGED_IN, token->pin_text, failure);
    pthread_mutex_unlock(&agent->mutex);
    return outcome;
}

static bool session_is_logged_in(struct token *token, CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;

    return token->agent->module.loaded->p11->C_GetSessionInfo(session, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

/* see tokens/agent/agent_login.h */
enum outcome agent_login_allowed(struct token *token, struct failure *failure)
{
    struct agent *agent = token->agent;
    bool logged_out;

    pthread_mutex_lock(&agent->mutex);
    logged_out = agent->logged_out && (token->info.flags & CKF_LOGIN_REQUIRED) != 0;
    pthread_mutex_unlock(&agent->mutex);
    if (!logged_out)
        return OUTCOME_OK;
    return not_logged_in(token, CKR_USER_NOT_LOGGED_IN,
                         "an administrator has logged out; \"yett token login\" puts it back in service", failure);
}

static enum outcome ensure(struct token *token, CK_SESSION_HANDLE session, struct failure *failure)
{
    struct agent *agent = token->agent;
    char code[TOKENS_CKR_TEXT_SIZE];
    CK_TOKEN_INFO info;
    CK_SLOT_ID slot;
    enum outcome outcome;
    CK_RV rv;

    pthread_mutex_lock(&agent->mutex);
    slot = token->slot;
    pthread_mutex_unlock(&agent->mutex);
    rv = agent->module.loaded->p11->C_GetTokenInfo(slot, &info);
    if (rv != CKR_OK)
        return agent_fail(failure, agent_session_is_gone(rv) ? TOKENS_WIRE_GONE : TOKENS_WIRE_REFUSED, rv,
                          "token \"%s\" does not answer: %s", token->label, tokens_ckr_text(rv, code));
    if ((info.flags & CKF_LOGIN_REQUIRED) == 0)
        return OUTCOME_OK;
    outcome = agent_login_allowed(token, failure);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (session_is_logged_in(token, session)) {
        keep_offer(token, "the token is logged in; it is tried when it has to be logged in to again");
        return OUTCOME_OK;
    }
    if ((info.flags & CKF_USER_PIN_LOCKED) != 0) {
        bool known;

        pthread_mutex_lock(&agent->mutex);
        known = token->pin_state == PIN_SPENT && token->pin_offered == NULL;
        tokens_pin_destroy(&token->pin_offered);
        pthread_mutex_unlock(&agent->mutex);
        if (!known)
            spend(token, TOKENS_AGENT_PIN_LOCKED, "CKF_USER_PIN_LOCKED: the token's PIN is locked");
        return not_logged_in(token, CKR_PIN_LOCKED, "its PIN is locked", failure);
    }
    if ((info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        outcome = pin_pad_ready(token, failure);
    else
        outcome = pin_ready(token, info.flags, failure);
    if (outcome == OUTCOME_OK)
        outcome = may_try(token, failure);
    return outcome == OUTCOME_OK ? try_login(token, session, CKU_USER, failure) : outcome;
}

/* see tokens/agent/agent_login.h */
enum outcome agent_login_ensure(struct token *token, CK_SESSION_HANDLE session, struct failure *failure)
{
    enum outcome outcome;

    pthread_mutex_lock(&token->login_lock);
    outcome = ensure(token, session, failure);
    pthread_mutex_unlock(&token->login_lock);
    return outcome;
}

/* CKA_ALWAYS_AUTHENTICATE: once more for this very signature. see tokens/agent/agent_login.h */
enum outcome agent_login_context(struct token *token, CK_SESSION_HANDLE session, struct failure *failure)
{
    struct agent *agent = token->agent;
    char code[TOKENS_CKR_TEXT_SIZE];
    enum outcome outcome;
    CK_TOKEN_INFO info;
    CK_SLOT_ID slot;
    CK_RV rv;

    pthread_mutex_lock(&agent->mutex);
    slot = token->slot;
    pthread_mutex_unlock(&agent->mutex);
    pthread_mutex_lock(&token->login_lock);
    rv = agent->module.loaded->p11->C_GetTokenInfo(slot, &info);
    if (rv != CKR_OK)
        outcome = agent_fail(failure, TOKENS_WIRE_GONE, rv, "token \"%s\" does not answer: %s", token->label,
                             tokens_ckr_text(rv, code));
    else if ((info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        outcome = pin_pad_ready(token, failure);
    else
        outcome = pin_ready(token, info.flags, failure);
    if (outcome == OUTCOME_OK)
        outcome = try_login(token, session, CKU_CONTEXT_SPECIFIC, failure);
    pthread_mutex_unlock(&token->login_lock);
    return outcome;
}

/* The token an unasked-for PIN is for: the one that failed last for want of one. agent->mutex held. */
static struct token *token_in_need(struct agent *agent)
{
    struct token *last = agent->last_asked;

    if (last != NULL && (last->pin_state == PIN_SPENT || last->pin_state == PIN_NOT_GIVEN))
        return last;
    for (struct token *t = agent->tokens; t != NULL; t = t->next)
        if (t->pin_state == PIN_SPENT || t->pin_state == PIN_NOT_GIVEN)
            return t;
    for (struct token *t = agent->tokens; t != NULL; t = t->next)
        if (!t->gone && t->pin_state == PIN_UNKNOWN && (t->info.flags & CKF_LOGIN_REQUIRED) != 0)
            return t;
    return last;
}

/* Whether a token is meant by "LABEL\nSERIAL", of which either may be empty. */
static bool is_meant(const struct token *token, const char *name)
{
    size_t label = strcspn(name, "\n");
    const char *serial = name[label] == '\0' ? "" : name + label + 1;
    const char *its_serial = strrchr(token->name, '\n') + 1;

    return (label == 0 || (strlen(token->label) == label && strncmp(token->label, name, label) == 0)) &&
           (serial[0] == '\0' || strcmp(serial, its_serial) == 0);
}

/* The token a PIN is for. NULL after having said why there is none. agent->mutex held. */
static struct token *token_for(struct agent *agent, const char *name)
{
    struct token *found = NULL;
    bool several = false;

    if (name[0] == '\0' || strcmp(name, "\n") == 0) {
        found = agent->asking != NULL && name[0] == '\0' ? agent->asking : token_in_need(agent);
        if (found == NULL && agent->tokens != NULL && agent->tokens->next == NULL)
            found = agent->tokens;
    } else {
        for (struct token *t = agent->tokens; t != NULL; t = t->next) {
            if (!is_meant(t, name))
                continue;
            several = found != NULL;
            found = t;
        }
    }
    if (found != NULL && !several)
        return found;
    (void)!agent_tell(agent, TOKENS_AGENT_PIN_NOT_TAKEN, "%s; it was not tried",
                      several ? "several tokens are called so: name one by its serial number too"
                      : name[0] == '\0' || name[0] == '\n' ? "a PIN came that no token needs"
                                                           : "this module has no such token");
    return NULL;
}

/* see tokens/agent/agent_login.h */
void agent_login_take_pin(struct agent *agent, const char *name, const char *pin, bool knowing)
{
    struct tokens_pin *copy;
    struct token *token;
    char *error = NULL;
    bool asked;

    pthread_mutex_lock(&agent->mutex);
    token = token_for(agent, name);
    if (token == NULL) {
        pthread_mutex_unlock(&agent->mutex);
        return;
    }
    asked = agent->asking == token;
    agent->logged_out = false;
    if (!asked)
        (void)!agent_tell_of(token, TOKENS_AGENT_PIN_TAKEN, "%s", token->label);
    copy = tokens_pin_copy(pin, strlen(pin), &error);
    /* One that was not asked for comes from an administrator, who was told about the final try. */
    token->final_try_allowed = !asked;
    token->low_allowed = !asked || knowing;
    token->pin_told = !asked;
    if (copy != NULL) {
        tokens_pin_destroy(&token->pin_offered);
        token->pin_offered = copy;
        set_pin_state(token, PIN_AT_HAND, NULL);
        agent->last_asked = token;
        if (asked)
            ask_next(agent);
        agent->events->login_wanted(agent, token);
        agent->events->pin_came(agent, token);
    } else {
        set_pin_state(token, PIN_NOT_GIVEN, error);
        if (asked)
            ask_next(agent);
        agent->events->no_pin(agent, token, error);
        token->pin_told = false;
        (void)!agent_tell(agent, TOKENS_AGENT_PIN_NOT_TAKEN, "%s", error);
        free(error);
    }
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_login.h */
void agent_login_end(struct token *token, CK_SESSION_HANDLE session)
{
    struct agent *agent = token->agent;
    bool wanted;

    pthread_mutex_lock(&token->login_lock);
    pthread_mutex_lock(&agent->mutex);
    wanted = agent->logged_out;
    if (wanted) {
        tokens_pin_destroy(&token->pin);
        tokens_pin_destroy(&token->pin_offered);
        token->final_try_allowed = token->low_allowed = false;
        /* What is known of a PIN that was wrong stays known. */
        if (token->pin_state != PIN_SPENT && token->pin_state != PIN_ASKED)
            set_pin_state(token, PIN_UNKNOWN, NULL);
    }
    pthread_mutex_unlock(&agent->mutex);
    if (wanted && session != CK_INVALID_HANDLE)
        (void)agent->module.loaded->p11->C_Logout(session);
    pthread_mutex_unlock(&token->login_lock);
    if (wanted)
        (void)!agent_tell_of(token, TOKENS_AGENT_LOGGED_OUT, "%s", token->label);
}

/* From here on nothing is signed; logging out waits for its turn with each token. see tokens/agent/agent_login.h */
void agent_login_logout(struct agent *agent)
{
    pthread_mutex_lock(&agent->mutex);
    agent->logged_out = true;
    /* PINs that URIs name are no more welcome than others. */
    agent->options.pin_source_spent = true;
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        if ((t->info.flags & CKF_LOGIN_REQUIRED) == 0)
            continue;
        tokens_pin_destroy(&t->pin_offered);
        if (t->pin_state == PIN_AT_HAND)
            set_pin_state(t, t->pin == NULL ? PIN_UNKNOWN : PIN_GOOD, NULL);
        if (t->pin_told)
            (void)!agent_tell(agent, TOKENS_AGENT_PIN_NOT_TAKEN, "an administrator has logged out");
        t->pin_told = false;
        agent->events->no_pin(agent, t, "an administrator has logged out");
        agent->events->logout_wanted(agent, t);
    }
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_login.h */
void agent_login_refused(struct agent *agent, const char *why)
{
    struct token *token;

    pthread_mutex_lock(&agent->mutex);
    token = agent->asking;
    if (token != NULL) {
        char *text = base_printf("no PIN for token \"%s\": %s", token->label, why);

        set_pin_state(token, PIN_NOT_GIVEN, why);
        ask_next(agent);
        agent->events->no_pin(agent, token, text);
        free(text);
    }
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_login.h */
void agent_login_offer(struct token *token, struct tokens_pin *pin)
{
    if (token->pin_state != PIN_UNKNOWN) {
        tokens_pin_destroy(&pin);
        return;
    }
    token->pin_offered = pin;
    set_pin_state(token, PIN_AT_HAND, NULL);
}
