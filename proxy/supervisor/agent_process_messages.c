/* see proxy/supervisor/agent_process.h: what an agent and the supervisor say to each other. */
#include "proxy/supervisor/agent_process_internal.h"

#include "proxy/process/log.h"
#include "tokens/agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { USER_NUMBER_SIZE = 24 };

static void say(struct agent_process *a, enum tokens_agent_event event, bool knowing, const char *token,
                const char *text)
{
    struct tokens_agent_message message = {.event = event, .knowing = knowing};
    bool sent, dying;

    if (a->child == NULL || child_control_fd(a->child) < 0)
        return;
    snprintf(message.token, sizeof(message.token), "%s", token);
    snprintf(message.text, sizeof(message.text), "%s", text);
    sent = tokens_agent_send(child_control_fd(a->child), &message);
    /* One that is dead or dying may still have something to say. */
    dying = !sent && (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED);
    base_wipe(&message, sizeof(message));
    if (!sent && !dying)
        child_give_up(a->child);
}

void agent_process_say(struct agent_process *a, enum tokens_agent_event event, const char *token, const char *text)
{
    say(a, event, false, token, text);
}

/* --- PINs --- */

static struct agent_login *login_of(const struct agent_process *a, const char *token)
{
    for (size_t i = 0; i < a->login_count; i++)
        if (strcmp(a->logins[i].token, token) == 0)
            return &a->logins[i];
    return NULL;
}

/* Lent; NULL: none. */
static const struct tokens_pin *pin_of(const struct agent_process *a, const char *token)
{
    const struct agent_login *login = login_of(a, token);

    return login != NULL ? login->pin : a->pin;
}

void agent_process_keep_login(struct agent_process *a, const char *token, struct tokens_pin *pin)
{
    struct agent_login *login = login_of(a, token);

    if (login == NULL) {
        a->logins = base_realloc_array(a->logins, a->login_count + 1, sizeof(*a->logins));
        login = &a->logins[a->login_count++];
        *login = (struct agent_login){.pin = NULL};
        snprintf(login->token, sizeof(login->token), "%s", token);
    }
    tokens_pin_destroy(&login->pin);
    login->pin = pin;
}

void agent_process_forget_logins(struct agent_process *a)
{
    for (size_t i = 0; i < a->login_count; i++)
        tokens_pin_destroy(&a->logins[i].pin);
    free(a->logins);
    a->logins = NULL;
    a->login_count = 0;
}

void agent_process_end_login(struct agent_process *a, bool good, const char *text)
{
    const struct agent_login_wait waiting = a->waiting;

    tokens_pin_destroy(&a->waiting.pin);
    a->waiting = (struct agent_login_wait){.pin = NULL};
    if (waiting.done != NULL)
        waiting.done(waiting.data, good, text);
}

/* Something came of a PIN for this token: is that what an administrator waits for? */
static void end_login_of(struct agent_process *a, const char *token, bool good, const char *text)
{
    assert(token != NULL);
    if (a->waiting.done != NULL && a->waiting.pin == NULL && strcmp(a->waiting.token, token) == 0)
        agent_process_end_login(a, good, text);
}

/* The agent has told whose a PIN is that was given unasked, or that it is nobody's. Was it the one that somebody waits
 * for? */
static bool told_of_waiting(struct agent_process *a)
{
    if (a->untold > 0)
        a->untold--;
    if (a->waiting.pin == NULL)
        return false;
    if (a->waiting.before == 0)
        return true;
    a->waiting.before--;
    return false;
}

/* The label of "LABEL\nSERIAL". */
static struct log_field log_label(const struct tokens_agent_message *m, char label[TOKENS_AGENT_TOKEN_SIZE])
{
    snprintf(label, TOKENS_AGENT_TOKEN_SIZE, "%.*s", (int)strcspn(m->token, "\n"), m->token);
    return log_text("token", label);
}

static const char *serial_of(const char *token)
{
    const char *end;

    assert(token != NULL);
    end = strrchr(token, '\n');
    return end == NULL ? "" : end + 1;
}

/* For the owner: where the administrator finds what is to be changed. One that is named elsewhere (pin-source in a
 * URI), or was typed in, is not said to be in the configuration. */
static void tell_refused(struct agent_process *a, const char *token, const char *why)
{
    bool configured = a->pin != NULL && login_of(a, token) == NULL;
    char *report =
        base_printf("%s: module %s: the PIN is not taken: %s", configured ? a->pin_where : a->where, a->name, why);

    a->events->on_pin_refused(a->owner, a, report);
    free(report);
}

static void hear_pin_wanted(struct agent_process *a, const struct tokens_agent_message *m)
{
    const struct tokens_pin *pin = pin_of(a, m->token);
    const char *why = "none is configured (pin = ...)";
    char label[TOKENS_AGENT_TOKEN_SIZE];

    if (a->logged_out)
        why = "an administrator has logged out; \"yett token login\" puts it back in service";
    if (pin == NULL) {
        pin_policy_missing(&a->policy, m->token);
    } else if (pin_policy_give(&a->policy, m->token, &why)) {
        say(a, TOKENS_AGENT_PIN, a->pin_asked_for || pin_policy_was_right(&a->policy, m->token), m->token,
            tokens_pin_text(pin));
        return;
    }
    log_line(LOG_LEVEL_WARNING, "pin_not_given", log_text("module", a->name), log_label(m, label),
             log_text("serial", serial_of(m->token)), log_text("reason", why));
    agent_process_say(a, TOKENS_AGENT_PIN_REFUSED, m->token, why);
    if (a->pin_known_bad && pin != NULL)
        tell_refused(a, m->token, why);
}

static void hear_pin_taken(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_taken(&a->policy, m->token);
    if (!told_of_waiting(a))
        return;
    agent_process_keep_login(a, m->token, a->waiting.pin);
    a->waiting.pin = NULL;
    snprintf(a->waiting.token, sizeof(a->waiting.token), "%s", m->token);
}

static void hear_pin_not_taken(struct agent_process *a, const struct tokens_agent_message *m)
{
    log_line(LOG_LEVEL_WARNING, "pin_not_given", log_text("module", a->name), log_text("reason", m->text));
    if (told_of_waiting(a) || a->waiting.token[0] != '\0')
        agent_process_end_login(a, false, m->text);
}

static void hear_pin_kept(struct agent_process *a, const struct tokens_agent_message *m)
{
    char *text = base_printf("the PIN is kept, and was not tried: %s", m->text);

    end_login_of(a, m->token, true, text);
    free(text);
}

static void hear_pin_trying(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_trying(&a->policy, m->token);
}

static void hear_pin_unused(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_unused(&a->policy, m->token);
    log_line(LOG_LEVEL_WARNING, "login_failed", log_text("module", a->name), log_text("reason", m->text));
    end_login_of(a, m->token, false, m->text);
}

static void hear_pin_ok(struct agent_process *a, const struct tokens_agent_message *m)
{
    char *text = base_printf("token \"%s\" is logged in", m->text);

    pin_policy_right(&a->policy, m->token);
    end_login_of(a, m->token, true, text);
    free(text);
    a->events->on_token(a->owner, a);
}

static void pin_refused(struct agent_process *a, const struct tokens_agent_message *m, enum pin_standing standing)
{
    struct agent_login *login = login_of(a, m->token);
    bool configured = login == NULL && a->pin != NULL && pin_policy_was_given(&a->policy, m->token);
    char *reason = configured ? base_printf("%s; the PIN is that of %s", m->text, a->pin_where) : base_strdup(m->text);
    char label[TOKENS_AGENT_TOKEN_SIZE];

    pin_policy_refused(&a->policy, m->token, standing);
    log_line(LOG_LEVEL_ERROR, "pin_refused", log_text("module", a->name), log_label(m, label),
             log_text("serial", serial_of(m->token)), log_text("standing", pin_standing_name(standing)),
             log_text("reason", reason),
             log_text("advice",
                      configured ? "put the right one there and reload, or: yett token login" : "yett token login"));
    free(reason);
    end_login_of(a, m->token, false, m->text);
    tell_refused(a, m->token, m->text);
    if (login != NULL)
        tokens_pin_destroy(&login->pin); /* of no use to anybody */
}

static void on_ready(struct agent_process *a, const char *description)
{
    if (a->state != AGENT_STARTING)
        return;
    a->state = AGENT_READY;
    uv_timer_stop(&a->timer);
    a->deaths = 0;
    free(a->reason);
    a->reason = NULL;
    log_line(LOG_LEVEL_INFO, "agent_ready", log_text("module", a->name), log_number("pid", child_pid(a->child)),
             log_text("description", description));
    a->events->on_ready(a->owner, a);
}

void agent_process_fail(struct agent_process *a, int pid, const char *why)
{
    char *report;

    free(a->reason);
    a->reason = base_strdup(why);
    log_line(LOG_LEVEL_ERROR, "agent_failed", log_text("module", a->name), log_number("pid", pid),
             log_text("reason", why));
    if (a->state == AGENT_STOPPING)
        return;
    a->state = AGENT_FAILED;
    report = base_printf("%s: module %s: %s", a->where, a->name, why);
    a->events->on_failed(a->owner, a, report);
    free(report);
}

static void on_token(struct agent_process *a, const struct tokens_agent_message *m, bool gone)
{
    pin_policy_token_gone(&a->policy, m->token, gone);
    log_line(gone ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, gone ? "token_gone" : "token_back", log_text("module", a->name),
             log_text("token", m->text), log_text("serial", serial_of(m->token)));
    if (!gone)
        a->events->on_token(a->owner, a);
}

static void hear_ready(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_ready(a, m->text);
}

static void hear_failed(struct agent_process *a, const struct tokens_agent_message *m)
{
    agent_process_fail(a, child_pid(a->child), m->text);
}

static void hear_pin_incorrect(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_refused(a, m, PIN_STANDING_INCORRECT);
}

static void hear_pin_held(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_refused(a, m, PIN_STANDING_HELD);
}

static void hear_pin_locked(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_refused(a, m, PIN_STANDING_LOCKED);
}

static void hear_token_gone(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_token(a, m, true);
}

static void hear_token_back(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_token(a, m, false);
}

static void hear_logged_out(struct agent_process *a, const struct tokens_agent_message *m)
{
    log_line(LOG_LEVEL_WARNING, "token_logged_out", log_text("module", a->name), log_text("token", m->text));
}

static void hear_log(struct agent_process *a, const struct tokens_agent_message *m)
{
    log_line(LOG_LEVEL_INFO, "agent", log_text("module", a->name), log_text("says", m->text));
}

static void hear_counters(struct agent_process *a, const struct tokens_agent_message *m)
{
    a->now = (struct agent_counts){.signatures = m->signatures,
                                   .failures = m->failures,
                                   .timeouts = m->timeouts,
                                   .refused = m->refused,
                                   .logins = m->logins};
}

static void hear_figures(struct agent_process *a, const struct tokens_agent_message *m)
{
    token_figures_hear(&a->figures, m->token, &m->figures);
    pin_policy_token_gone(&a->policy, m->token, m->figures.present == 0);
}

static void (*const handlers[TOKENS_AGENT_EVENT_COUNT])(struct agent_process *a,
                                                        const struct tokens_agent_message *m) = {
    [TOKENS_AGENT_READY] = hear_ready,
    [TOKENS_AGENT_FAILED] = hear_failed,
    [TOKENS_AGENT_PIN_WANTED] = hear_pin_wanted,
    [TOKENS_AGENT_PIN_TRYING] = hear_pin_trying,
    [TOKENS_AGENT_PIN_TAKEN] = hear_pin_taken,
    [TOKENS_AGENT_PIN_KEPT] = hear_pin_kept,
    [TOKENS_AGENT_PIN_NOT_TAKEN] = hear_pin_not_taken,
    [TOKENS_AGENT_PIN_UNUSED] = hear_pin_unused,
    [TOKENS_AGENT_PIN_OK] = hear_pin_ok,
    [TOKENS_AGENT_PIN_INCORRECT] = hear_pin_incorrect,
    [TOKENS_AGENT_PIN_LOCKED] = hear_pin_locked,
    [TOKENS_AGENT_PIN_HELD] = hear_pin_held,
    [TOKENS_AGENT_TOKEN_GONE] = hear_token_gone,
    [TOKENS_AGENT_TOKEN_BACK] = hear_token_back,
    [TOKENS_AGENT_LOGGED_OUT] = hear_logged_out,
    [TOKENS_AGENT_LOG] = hear_log,
    [TOKENS_AGENT_COUNTERS] = hear_counters,
    [TOKENS_AGENT_FIGURES] = hear_figures,
};

static void hear(struct agent_process *a, const struct tokens_agent_message *message, bool has_file)
{
    const char *fault = tokens_agent_message_fault(message->event, has_file, TOKENS_AGENT_TO_SUPERVISOR);

    if (fault == NULL) {
        assert(handlers[message->event] != NULL);
        handlers[message->event](a, message);
        return;
    }
    log_line(LOG_LEVEL_ERROR, "agent_failed", log_text("module", a->name), log_number("pid", child_pid(a->child)),
             log_text("reason", fault), log_text("message", tokens_agent_event_name(message->event)));
    child_give_up(a->child);
}

static int hear_one(void *owner, struct child *child)
{
    struct tokens_agent_message message;
    int file, got = tokens_agent_receive_file(child_control_fd(child), &message, &file);

    if (file >= 0)
        close(file);
    if (got == 1)
        hear(owner, &message, file >= 0);
    return got;
}

void agent_process_hear(void *owner, struct child *child)
{
    child_hear(child, hear_one, owner);
}

void agent_process_hear_now(struct agent_process *a)
{
    if (a->child != NULL)
        child_hear(a->child, hear_one, a);
}

/* All else that an agent is told is little, and never waits; of these only the last counts. Whether it is to be said
 * again, when the socket takes it. */
static bool say_file(struct agent_process *a, enum tokens_agent_event event, int file)
{
    const struct tokens_agent_message message = {.event = event};

    if (a->child == NULL || child_control_fd(a->child) < 0 || file < 0 ||
        tokens_agent_send_file(child_control_fd(a->child), &message, file) || errno != EAGAIN)
        return false;
    child_want_writable(a->child);
    return true;
}

void agent_process_say_grants(struct agent_process *a)
{
    a->grants_wait = say_file(a, TOKENS_AGENT_GRANTS, a->grants_fd);
}

void agent_process_say_keys(struct agent_process *a)
{
    a->keys_wait = a->file_keys && say_file(a, TOKENS_AGENT_KEYS, a->keys_fd);
}

void agent_process_say_again(void *owner, struct child *child)
{
    struct agent_process *a = owner;

    (void)child;
    if (a->keys_wait)
        agent_process_say_keys(a);
    if (a->grants_wait)
        agent_process_say_grants(a);
}

void agent_process_say_client(struct agent_process *a)
{
    char text[USER_NUMBER_SIZE];

    snprintf(text, sizeof(text), "%ju", (uintmax_t)a->client);
    agent_process_say(a, TOKENS_AGENT_CLIENT, "", text);
}

/* --- what it may do, and its PIN --- */

void agent_process_grant(struct agent_process *a, int grants_fd)
{
    a->grants_fd = grants_fd;
    agent_process_say_grants(a);
}

void agent_process_give_keys(struct agent_process *a, int keys_fd)
{
    a->keys_fd = keys_fd;
    agent_process_say_keys(a);
}

static void give_unasked(struct agent_process *a, const char *token, const struct tokens_pin *pin)
{
    if (a->child == NULL)
        return; /* the next one asks */
    a->untold++;
    agent_process_say(a, TOKENS_AGENT_PIN, token, tokens_pin_text(pin));
}

void agent_process_renew_pin(struct agent_process *a, struct tokens_pin *pin)
{
    bool was_logged_out = a->logged_out;
    unsigned renewed = pin_policy_renew(&a->policy);

    agent_process_forget_logins(a);
    tokens_pin_destroy(&a->pin);
    a->pin = pin;
    a->logged_out = false;
    log_line(LOG_LEVEL_INFO, "pin_renewed", log_text("module", a->name), log_number("tokens", renewed));
    if (pin == NULL)
        return;
    for (size_t i = 0; i < a->policy.count; i++)
        if (a->policy.tokens[i].renewed)
            give_unasked(a, a->policy.tokens[i].label, pin);
    if (was_logged_out && renewed == 0)
        give_unasked(a, "\n", pin); /* that there is a PIN again has to be said */
}

void agent_process_login(struct agent_process *a, const char *token, struct tokens_pin *pin,
                         agent_process_logged_in done, void *data)
{
    const char *problem = NULL;

    if (a->waiting.done != NULL)
        problem = "another login to this module is under way";
    else if (a->child == NULL || a->state != AGENT_READY)
        problem = "the agent of this module is not ready; \"yett status\" says why";
    if (problem != NULL) {
        tokens_pin_destroy(&pin);
        done(data, false, problem);
        return;
    }
    a->logged_out = false;
    log_line(LOG_LEVEL_INFO, "pin_renewed", log_text("module", a->name), log_number("tokens", 1));
    a->waiting = (struct agent_login_wait){.pin = pin, .before = a->untold, .done = done, .data = data};
    give_unasked(a, token, pin);
}

void agent_process_logout(struct agent_process *a)
{
    agent_process_forget_logins(a);
    tokens_pin_destroy(&a->pin);
    pin_policy_logout(&a->policy);
    a->logged_out = true;
    log_line(LOG_LEVEL_WARNING, "pin_withdrawn", log_text("module", a->name));
    agent_process_say(a, TOKENS_AGENT_LOGOUT, "", "");
}
