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

void agent_process_say(struct agent_process *a, enum tokens_agent_event event, const char *text)
{
    struct tokens_agent_message message = {.event = event};
    bool sent, dying;

    if (a->child == NULL || child_control_fd(a->child) < 0)
        return;
    snprintf(message.text, sizeof(message.text), "%s", text);
    sent = tokens_agent_send(child_control_fd(a->child), &message);
    /* One that is dead or dying may still have something to say. */
    dying = !sent && (errno == EPIPE || errno == ECONNRESET || errno == ECONNREFUSED);
    base_wipe(&message, sizeof(message));
    if (!sent && !dying)
        child_give_up(a->child);
}

const struct tokens_pin *agent_process_pin_in_use(const struct agent_process *a)
{
    return a->login != NULL ? a->login : a->pin;
}

static void on_pin_wanted(struct agent_process *a, const char *label)
{
    const char *why = "none is configured (pin = ...)";

    if (a->logged_out)
        why = "an administrator has logged out; \"yett token login\" puts it back in service";
    if (agent_process_pin_in_use(a) == NULL) {
        pin_policy_missing(&a->policy, label);
    } else if (pin_policy_give(&a->policy, label, &why)) {
        agent_process_say(a, TOKENS_AGENT_PIN, tokens_pin_text(agent_process_pin_in_use(a)));
        return;
    }
    log_line(LOG_LEVEL_WARNING, "pin_not_given", log_text("module", a->name), log_text("token", label),
             log_text("reason", why));
    agent_process_say(a, TOKENS_AGENT_PIN_REFUSED, why);
}

static void on_pin_refused(struct agent_process *a, const char *text, enum pin_standing standing)
{
    pin_policy_refused(&a->policy, text, standing);
    log_line(LOG_LEVEL_ERROR, "pin_refused", log_text("module", a->name),
             log_text("standing", pin_standing_name(standing)), log_text("reason", text));
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

static void on_token(struct agent_process *a, const char *label, bool gone)
{
    pin_policy_token_gone(&a->policy, label, gone);
    log_line(gone ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, gone ? "token_gone" : "token_back", log_text("module", a->name),
             log_text("token", label));
}

static void hear_ready(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_ready(a, m->text);
}

static void hear_failed(struct agent_process *a, const struct tokens_agent_message *m)
{
    agent_process_fail(a, child_pid(a->child), m->text);
}

static void hear_pin_wanted(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_pin_wanted(a, m->text);
}

static void hear_pin_trying(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_trying(&a->policy, m->text);
}

static void hear_pin_unused(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_unused(&a->policy, m->text);
}

static void hear_pin_ok(struct agent_process *a, const struct tokens_agent_message *m)
{
    pin_policy_right(&a->policy, m->text);
}

static void hear_pin_incorrect(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_pin_refused(a, m->text, PIN_STANDING_INCORRECT);
}

static void hear_pin_locked(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_pin_refused(a, m->text, PIN_STANDING_LOCKED);
}

static void hear_token_gone(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_token(a, m->text, true);
}

static void hear_token_back(struct agent_process *a, const struct tokens_agent_message *m)
{
    on_token(a, m->text, false);
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

static void (*const handlers[TOKENS_AGENT_EVENT_COUNT])(struct agent_process *a,
                                                        const struct tokens_agent_message *m) = {
    [TOKENS_AGENT_READY] = hear_ready,
    [TOKENS_AGENT_FAILED] = hear_failed,
    [TOKENS_AGENT_PIN_WANTED] = hear_pin_wanted,
    [TOKENS_AGENT_PIN_TRYING] = hear_pin_trying,
    [TOKENS_AGENT_PIN_UNUSED] = hear_pin_unused,
    [TOKENS_AGENT_PIN_OK] = hear_pin_ok,
    [TOKENS_AGENT_PIN_INCORRECT] = hear_pin_incorrect,
    [TOKENS_AGENT_PIN_LOCKED] = hear_pin_locked,
    [TOKENS_AGENT_TOKEN_GONE] = hear_token_gone,
    [TOKENS_AGENT_TOKEN_BACK] = hear_token_back,
    [TOKENS_AGENT_LOGGED_OUT] = hear_logged_out,
    [TOKENS_AGENT_LOG] = hear_log,
    [TOKENS_AGENT_COUNTERS] = hear_counters,
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
    agent_process_say(a, TOKENS_AGENT_CLIENT, text);
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

static void renew(struct agent_process *a)
{
    unsigned turned_down = pin_policy_renew(&a->policy);

    if (a->logged_out && turned_down == 0)
        turned_down = 1; /* that there is a PIN again has to be said */
    a->logged_out = false;
    log_line(LOG_LEVEL_INFO, "pin_renewed", log_text("module", a->name), log_number("tokens", turned_down));
    while (agent_process_pin_in_use(a) != NULL && turned_down-- > 0)
        agent_process_say(a, TOKENS_AGENT_PIN, tokens_pin_text(agent_process_pin_in_use(a)));
}

void agent_process_renew_pin(struct agent_process *a, struct tokens_pin *pin)
{
    tokens_pin_destroy(&a->login);
    tokens_pin_destroy(&a->pin);
    a->pin = pin;
    renew(a);
}

void agent_process_login(struct agent_process *a, struct tokens_pin *pin)
{
    tokens_pin_destroy(&a->login);
    a->login = pin;
    renew(a);
}

void agent_process_logout(struct agent_process *a)
{
    tokens_pin_destroy(&a->login);
    tokens_pin_destroy(&a->pin);
    pin_policy_logout(&a->policy);
    a->logged_out = true;
    log_line(LOG_LEVEL_WARNING, "pin_withdrawn", log_text("module", a->name));
    agent_process_say(a, TOKENS_AGENT_LOGOUT, "");
}
