/* see proxy/session/session_internal.h: the target's side, from the first connect to the relay. */
#include "proxy/session/session_internal.h"

#include "proxy/process/limits.h"
#include "starttls/http/http_proxy.h"
#include <stdlib.h>

static void start_target_machine(struct session *s, enum starttls_protocol protocol, enum machine_end end)
{
    const struct starttls_options options = {.name = s->service->greeting_name,
                                             .upgrade = end == MACHINE_ENDS_WITH_TLS,
                                             .target_host = s->target_host,
                                             .target_port = s->target_port,
                                             .http_limits = s->service->http_limits};

    s->target_machine = starttls_connect_create(protocol, &options);
}

/* ---- the steps, in the order of the list ---- */

static enum config_tls_mode tls_of(const struct session *s)
{
    enum config_tls_mode tls = s->service->config->connect_tls;

    return tls == CONFIG_TLS_NONE && s->kind->always_tls ? CONFIG_TLS_IMPLICIT : tls;
}

/* What a step came to at once. */
enum came_to { CAME_TO_WAIT, CAME_TO_NEXT, CAME_TO_END };

static enum came_to begin_via(struct session *s)
{
    start_target_machine(s, STARTTLS_HTTP_CONNECT,
                         tls_of(s) == CONFIG_TLS_IMPLICIT ? MACHINE_ENDS_WITH_TLS : MACHINE_ENDS_PLAIN);
    if (s->state == SESSION_CONNECT)
        session_enter(s, SESSION_TARGET_VIA);
    return CAME_TO_WAIT;
}

static enum came_to begin_header(struct session *s)
{
    struct buffer header;
    bool made;

    buffer_init(&header, LIMIT_PROXY_HEADER_MAX);
    made = s->kind->make_proxy_header(s, &header);
    leg_say(&s->target, buffer_span(&header));
    buffer_release(&header);
    leg_advance(&s->target);
    if (made)
        return CAME_TO_NEXT;
    session_refuse(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_header_too_large, NULL);
    return CAME_TO_END;
}

static enum came_to begin_negotiate(struct session *s)
{
    start_target_machine(s, s->service->protocol, MACHINE_ENDS_WITH_TLS);
    session_enter(s, SESSION_TARGET_NEGOTIATE);
    return CAME_TO_WAIT;
}

/* A long PROXY header may not go out at once. */
static enum came_to begin_drain(struct session *s)
{
    if (leg_is_drained(&s->target))
        return CAME_TO_NEXT;
    session_enter(s, SESSION_TARGET_NEGOTIATE);
    return CAME_TO_WAIT;
}

static enum came_to begin_tls(struct session *s)
{
    if (s->service->client_context == NULL) {
        session_refuse(
            s, STARTTLS_FAILURE_IDENTITY, SESSION_ENDED_target_identity_unavailable,
            base_strdup(
                "the key of our certificate for the target cannot be used: its token is not there, or not logged in"));
        return CAME_TO_WAIT;
    }
    session_start_target_tls(s);
    session_enter(s, SESSION_TARGET_TLS);
    return CAME_TO_WAIT;
}

static enum came_to begin_greeting(struct session *s)
{
    start_target_machine(s, s->service->protocol, MACHINE_ENDS_PLAIN);
    session_enter(s, SESSION_TARGET_GREETING);
    return CAME_TO_WAIT;
}

static enum came_to begin_serving(struct session *s)
{
    session_note_reached_serves(s);
    s->kind->serve(s);
    return CAME_TO_END;
}

static enum came_to (*const begin_step[])(struct session *s) = {
    [TARGET_STEP_VIA] = begin_via,       [TARGET_STEP_HEADER] = begin_header, [TARGET_STEP_NEGOTIATE] = begin_negotiate,
    [TARGET_STEP_DRAIN] = begin_drain,   [TARGET_STEP_TLS] = begin_tls,       [TARGET_STEP_GREETING] = begin_greeting,
    [TARGET_STEP_SERVE] = begin_serving,
};
static_assert(ARRAY_LEN(begin_step) == TARGET_STEP_COUNT, "one for each step");

static void take_next_steps(struct session *s)
{
    enum came_to came_to = CAME_TO_NEXT;

    while (came_to == CAME_TO_NEXT) {
        assert(s->reach.step < s->reach.steps.count);
        came_to = begin_step[s->reach.steps.items[s->reach.step++]](s);
    }
}

/* From the first step on: again, where the upstream proxy is asked for another target. */
static void after_connect(struct session *s)
{
    s->reach.steps = target_steps_make(&(struct target_steps_options){
        .via = s->service->config->via != NULL,
        .tls = tls_of(s),
        .greeted = s->greeted,
        .greets_in_tls = s->probe == NULL && starttls_greets_in_tls(s->service->protocol)});
    s->reach.step = 0;
    take_next_steps(s);
}

void session_step_connect(struct session *s)
{
    if (s->reach.connector == NULL && !s->reach.done) {
        session_start_connecting(s);
        return;
    }
    if (!s->reach.done)
        return;
    connector_destroy(&s->reach.connector);
    switch (s->reach.status) {
    case CONNECT_OK:
        after_connect(s);
        break;
    case CONNECT_FAILED:
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_target_failed, base_strdup(s->reach.error));
        break;
    case CONNECT_DENIED:
        counter_add(s->counters, COUNTER_access_denied_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_target_denied, base_strdup(s->reach.error));
        break;
    }
}

/* Why the target, or the upstream proxy in its place, is gone; owned by the caller. */
static char *why_gone(const struct session *s)
{
    const struct leg *target = &s->target;
    const char *state = starttls_state_name(s->target_machine);

    return leg_error(target)[0] == '\0'
               ? base_printf("the target closed the connection (%s)", state)
               : base_printf("the target's connection broke (%s): %s", state, leg_error(target));
}

/* An upstream proxy that has answered for a target that it cannot reach it, or has gone over it. What is not an answer
 * is no matter of the target. */
static bool passes_over(struct session *s, const char *why)
{
    return s->state == SESSION_TARGET_VIA && session_try_next_target(s, why);
}

/* What the target, or the upstream proxy, said is no use: whose fault that is. */
static void refuse_for_target_machine(struct session *s)
{
    static const struct {
        enum session_ended ended;
        enum starttls_failure failure;
    } rows[] = {
        [STARTTLS_REFUSAL_NONE] = {SESSION_ENDED_target_protocol_error, STARTTLS_FAILURE_TARGET_SPEECH},
        [STARTTLS_REFUSAL_SERVICE] = {SESSION_ENDED_target_unwilling, STARTTLS_FAILURE_TARGET_UNWILLING},
        [STARTTLS_REFUSAL_GOODBYE] = {SESSION_ENDED_target_goodbye, STARTTLS_FAILURE_TARGET_UNWILLING},
        [STARTTLS_REFUSAL_NO_TLS] = {SESSION_ENDED_target_no_starttls, STARTTLS_FAILURE_TARGET_NO_TLS},
        [STARTTLS_REFUSAL_TLS] = {SESSION_ENDED_target_refused_starttls, STARTTLS_FAILURE_TARGET_NO_TLS},
        [STARTTLS_REFUSAL_COMMAND] = {SESSION_ENDED_target_refused_command, STARTTLS_FAILURE_TARGET_SPEECH},
        [STARTTLS_REFUSAL_TARGET] = {SESSION_ENDED_via_refused, STARTTLS_FAILURE_TARGET_DOWN},
    };
    const struct leg *target = &s->target;
    enum starttls_refusal refusal = starttls_refusal(s->target_machine);
    bool injected = starttls_was_injected(s->target_machine);
    const char *spoken = refusal != STARTTLS_REFUSAL_NONE || injected ? NULL : session_spoke_tls(s, target);

    if (injected)
        session_blame(s, SESSION_FAULT_NOBODY, session_advice_injected);
    else if (spoken != NULL)
        session_blame(s, SESSION_FAULT_NOBODY, spoken_advice(spoken));
    else if (starttls_is_over_limit(s->target_machine))
        session_blame(s, SESSION_FAULT_HERE, session_advice_limit);
    session_refuse(s, rows[refusal].failure, rows[refusal].ended,
                   base_printf("%s (%s)", spoken != NULL ? spoken : starttls_error(s->target_machine),
                               starttls_state_name(s->target_machine)));
}

/* The last one is the client's: what came before TLS is forgotten with it. */
static void keep_greeting(struct session *s)
{
    struct span greeting = starttls_greeting(s->target_machine);

    free(s->target_greeting);
    s->target_greeting =
        greeting.size == 0 ? NULL : base_printf("%.*s", (int)greeting.size, (const char *)greeting.data);
}

bool session_target_machine_is_done(struct session *s)
{
    struct leg *target = &s->target;
    /* A probe's last word is a farewell, to which nothing is answered: only what was asked must have been said. */
    bool asked =
        s->state == SESSION_TARGET_PROBE && starttls_output(s->target_machine).size == 0 && leg_is_drained(target);
    char *why;
    bool ended;

    switch (session_run_machine(s->target_machine, target, &ended)) {
    case STARTTLS_NEED_MORE:
        if (!ended && leg_state(target).output_error == 0)
            return false;
        why = why_gone(s);
        if (passes_over(s, why)) {
            free(why);
            return false;
        }
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        session_note_broken(s, SESSION_ENDED_target_left, target, why);
        session_refuse(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_target_left, NULL);
        return false;
    case STARTTLS_UPGRADE:
    case STARTTLS_READY:
        if (leg_is_drained(target) || asked) {
            s->kind->note_conversation(s);
            keep_greeting(s);
            starttls_machine_destroy(&s->target_machine);
            return true;
        }
        break; /* it answered what we have not finished saying */
    case STARTTLS_REFUSED:
        if (passes_over(s, starttls_error(s->target_machine)))
            return false;
        break;
    case STARTTLS_DIRECT:
    case STARTTLS_TARGET:
    case STARTTLS_CLOSE:
    case STARTTLS_BROKEN:
        break;
    }
    s->http.page_words = base_strdup(starttls_public_error(s->target_machine));
    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    if (starttls_was_injected(s->target_machine))
        counter_add(s->counters, COUNTER_injections_refused_total, 1);
    refuse_for_target_machine(s);
    return false;
}

static void refuse_for_target_tls(struct session *s)
{
    enum session_ended ended = SESSION_ENDED_target_tls_failed;
    enum starttls_failure failure = STARTTLS_FAILURE_TARGET_TLS;

    if (leg_refusal(&s->target) != LEG_REFUSAL_NONE) {
        ended = SESSION_ENDED_target_overload;
        failure = STARTTLS_FAILURE_OVERLOAD;
    } else if (tls_engine_key_failed(leg_engine(&s->target))) {
        ended = SESSION_ENDED_target_identity_unavailable;
        failure = STARTTLS_FAILURE_IDENTITY;
    }
    session_report_tls_failed(s, &s->target, ended);
    session_refuse(s, failure, ended, NULL);
}

void session_step_target_tls(struct session *s)
{
    if (leg_tls_state(&s->target) == LEG_TLS_FAILED) {
        refuse_for_target_tls(s);
        return;
    }
    if (leg_tls_state(&s->target) != LEG_TLS_UP)
        return;
    session_report_tls(s, &s->target);
    take_next_steps(s);
}

void session_step_target_via(struct session *s)
{
    if (s->target_machine == NULL)
        session_step_connect(s); /* for another target than the first */
    if (s->state == SESSION_TARGET_VIA && s->target_machine != NULL && session_target_machine_is_done(s))
        take_next_steps(s);
}

void session_step_target_negotiate(struct session *s)
{
    if (s->target_machine != NULL ? session_target_machine_is_done(s) : leg_is_drained(&s->target))
        take_next_steps(s);
}

void session_step_target_greeting(struct session *s)
{
    if (session_target_machine_is_done(s))
        take_next_steps(s);
}
