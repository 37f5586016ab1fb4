/* see proxy/session/session_internal.h: the target's side, from the first connect to the relay. */
#include "proxy/session/session_internal.h"

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

/* Whether TLS comes next where there is nothing to negotiate first. */
static bool is_tls_next(const struct session *s)
{
    return s->service->config->connect_tls == CONFIG_TLS_IMPLICIT || session_is_exchange(s);
}

/* What comes after each part of the target's side; parts that are not configured are passed over. */
static void after_target_tls(struct session *s)
{
    if (s->probe != NULL) {
        session_begin_probe(s);
    } else if (s->greeted && s->service->config->connect_tls != CONFIG_TLS_STARTTLS) {
        start_target_machine(s, s->service->protocol, MACHINE_ENDS_PLAIN);
        session_enter(s, SESSION_TARGET_GREETING);
    } else {
        session_enter(s, SESSION_RELAY);
        session_begin_relay(s);
    }
}

/* TLS begins behind all that was said in clear; a long PROXY header may not go out at once. */
static void after_target_negotiate(struct session *s)
{
    if (s->service->config->connect_tls != CONFIG_TLS_STARTTLS && !is_tls_next(s)) {
        after_target_tls(s);
        return;
    }
    if (!leg_is_drained(&s->target)) {
        if (s->state != SESSION_TARGET_NEGOTIATE)
            session_enter(s, SESSION_TARGET_NEGOTIATE);
        return;
    }
    session_start_target_tls(s);
    session_enter(s, SESSION_TARGET_TLS);
}

static void after_target_via(struct session *s)
{
    if (!session_send_proxy_header(s)) {
        session_refuse(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_header_too_large, NULL);
        return;
    }
    if (s->service->config->connect_tls == CONFIG_TLS_STARTTLS) {
        start_target_machine(s, s->service->protocol, MACHINE_ENDS_WITH_TLS);
        session_enter(s, SESSION_TARGET_NEGOTIATE);
    } else {
        after_target_negotiate(s);
    }
}

static void after_connect(struct session *s)
{
    if (s->service->config->via == NULL) {
        after_target_via(s);
        return;
    }
    start_target_machine(s, STARTTLS_HTTP_CONNECT, is_tls_next(s) ? MACHINE_ENDS_WITH_TLS : MACHINE_ENDS_PLAIN);
    if (s->state == SESSION_CONNECT)
        session_enter(s, SESSION_TARGET_VIA);
}

void session_step_connect(struct session *s)
{
    if (s->connector == NULL && !s->connect_done) {
        session_start_connecting(s);
        return;
    }
    if (!s->connect_done)
        return;
    connector_destroy(&s->connector);
    switch (s->connect_status) {
    case CONNECT_OK:
        after_connect(s);
        break;
    case CONNECT_FAILED:
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_target_failed, base_strdup(s->connect_error));
        break;
    case CONNECT_DENIED:
        counter_add(s->counters, COUNTER_access_denied_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_target_denied, base_strdup(s->connect_error));
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
    const char *spoken = refusal != STARTTLS_REFUSAL_NONE || starttls_was_injected(s->target_machine)
                             ? NULL
                             : session_spoke_tls(s, target);

    session_refuse(s, rows[refusal].failure, rows[refusal].ended,
                   base_printf("%s (%s)", spoken != NULL ? spoken : starttls_error(s->target_machine),
                               starttls_state_name(s->target_machine)));
}

bool session_target_machine_is_done(struct session *s)
{
    struct leg *target = &s->target;
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
        if (leg_is_drained(target)) {
            if (s->probe != NULL)
                session_note_probe_machine(s);
            starttls_machine_destroy(&s->target_machine);
            return true;
        }
        break; /* it answered what we have not finished saying */
    case STARTTLS_REFUSED:
        if (passes_over(s, starttls_error(s->target_machine)))
            return false;
        break;
    case STARTTLS_TARGET:
    case STARTTLS_CLOSE:
    case STARTTLS_BROKEN:
        break;
    }
    s->page_words = base_strdup(starttls_public_error(s->target_machine));
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
    after_target_tls(s);
}

void session_step_target_via(struct session *s)
{
    if (s->target_machine == NULL)
        session_step_connect(s); /* for another target than the first */
    if (s->state == SESSION_TARGET_VIA && s->target_machine != NULL && session_target_machine_is_done(s))
        after_target_via(s);
}

void session_step_target_negotiate(struct session *s)
{
    if (s->target_machine == NULL || session_target_machine_is_done(s))
        after_target_negotiate(s);
}

void session_step_target_greeting(struct session *s)
{
    if (!session_target_machine_is_done(s))
        return;
    session_enter(s, SESSION_RELAY);
    session_begin_relay(s);
}
