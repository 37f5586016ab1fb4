/* see proxy/session.h
 *
 * The life of a session. Transitions go forward only; there is none back to plain text.
 *
 *   listen_tls = starttls          implicit              none, http-proxy      none
 *        |                            |                        |                 |
 *   CLIENT_NEGOTIATE <---- http-proxy | -----------> CLIENT_NEGOTIATE            |
 *        | UPGRADE                    |                        |                 |
 *   CLIENT_GO_AHEAD                   |                        |                 |
 *        | flushed                    |                        |                 |
 *        `-------> CLIENT_TLS <-------'                        |                 |
 *                      | access rules                          | target rules    |
 *                      `-----------------> CONNECT <-----------'-----------------'
 *                                             | (via = ...)
 *                                         TARGET_VIA
 *                                             | PROXY header
 *                                         TARGET_NEGOTIATE     (connect_tls = starttls)
 *                                             |
 *                                         TARGET_TLS           (starttls, implicit)
 *                                             |
 *                                         TARGET_GREETING      (the client has a greeting from us)
 *                                             |
 *                                           RELAY
 *
 * From every state before RELAY a failure leads to LAST_WORDS, where the client is told in its protocol's words, if it can
 * be told: not between the go-ahead and the end of its TLS handshake, where only a TLS alert may come (RFC 3207
 * section 4: what follows the go-ahead is TLS). Then CLOSED.
 *
 * Lazy target: nothing is connected before the client has shown what it must show, and no byte it said before TLS ever
 * reaches the target. Silent greeting: where we ask the target for STARTTLS, the client hears nothing until the
 * target's TLS is up and verified; what the client says meanwhile is held, up to LIMIT_HELD_MAX.
 *
 * Time: every state but RELAY has an absolute deadline. RELAY has the idle and the half-close timeout, measured from the last
 * byte that moved. One wheel holds all of them (proxy/wheel.h). */
#include "proxy/session.h"

#include "proxy/access.h"
#include "proxy/limits.h"
#include "proxy/log.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    "client_negotiate", "client_go_ahead", "client_tls",      "connect", "target_via", "target_negotiate",
    "target_tls",       "target_greeting", "relay",           "last_words", "closed",
};
static_assert(ARRAY_LEN(state_names) == SESSION_STATE_COUNT, "one name for each state");

#define SESSION_END_NAME(name) #name,
static const char *const ended_names[] = {SESSION_ENDS(SESSION_END_NAME)};
#undef SESSION_END_NAME
static_assert(ARRAY_LEN(ended_names) == SESSION_ENDED_COUNT, "one name for each end");

const char *session_state_name(enum session_state state)
{
    return state_names[state];
}

const char *session_ended_name(enum session_ended ended)
{
    return ended_names[ended];
}

/* ---- entering states ---- */

/* The absolute deadline of a state, from now; 0: it keeps the one it has. */
static uint64_t state_time_ms(const struct session *s, enum session_state state)
{
    switch (state) {
    case SESSION_CLIENT_NEGOTIATE:
    case SESSION_CLIENT_GO_AHEAD:
    case SESSION_CLIENT_TLS:
        return 0; /* one for the whole of the client's part, plain phase included: set at the start */
    case SESSION_CONNECT:
        return s->service->config->connect_timeout_ms;
    case SESSION_TARGET_VIA:
        return s->service->config->handshake_timeout_ms;
    case SESSION_TARGET_NEGOTIATE:
    case SESSION_TARGET_TLS:
    case SESSION_TARGET_GREETING:
        return s->state == SESSION_CONNECT ? s->service->config->handshake_timeout_ms : 0;
    case SESSION_RELAY:
        return LIMIT_IDLE_TRIM_MS;
    case SESSION_LAST_WORDS:
        return LIMIT_LINGER_MS;
    case SESSION_CLOSED:
    case SESSION_STATE_COUNT:
        break;
    }
    return 0;
}

static void enter(struct session *s, enum session_state state)
{
    uint64_t now_ms = uv_now(s->plane->loop);
    uint64_t time_ms = state_time_ms(s, state);

    assert(state > s->state || (state == SESSION_CLIENT_NEGOTIATE && s->state == SESSION_CLIENT_TLS));
    if (log_wants(LOG_LEVEL_DEBUG))
        log_line(LOG_LEVEL_DEBUG, "session_state", log_text("conn", s->id), log_text("from", state_names[s->state]),
                 log_text("to", state_names[state]));
    s->state = state;
    if (time_ms != 0)
        s->deadline_ms = now_ms + time_ms;
    s->last_activity_ms = now_ms;
    if (state != SESSION_CLOSED)
        wheel_set(&s->plane->wheel, &s->wheel, s->deadline_ms);
}

void session_note_activity(struct session *s)
{
    s->last_activity_ms = uv_now(s->plane->loop);
    if (!s->trimmed)
        return;
    s->trimmed = false;
    wheel_set(&s->plane->wheel, &s->wheel, s->last_activity_ms + LIMIT_IDLE_TRIM_MS);
}

void session_note_end(struct session *s, enum session_ended ended, char *reason)
{
    if (s->ended == SESSION_ENDED_none) {
        s->ended = ended;
        s->ended_reason = reason;
    } else {
        free(reason);
    }
}

/* ---- the end ---- */

static void unlink_session(struct session *s)
{
    struct plane *p = s->plane;

    wheel_remove(&p->wheel, &s->wheel);
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        p->sessions = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    p->session_count--;
    plane_note_trimmed(p);
    p->service_session_count[s->service_index]--;
    peer_count_subtract(p->peers, s->service_index, s->peer_key);
    counter_subtract(s->counters, COUNTER_connections_open, 1);
}

void session_end_now(struct session *s, enum transport_close client, enum transport_close target)
{
    if (s->state == SESSION_CLOSED)
        return;
    session_report_ended(s);
    enter(s, SESSION_CLOSED);
    connector_destroy(&s->connector);
    leg_close(&s->client, client);
    leg_close(&s->target, target);
    unlink_session(s);
}

/* The memory goes when no engine is on the pool any more; until then its step, when it comes back, ends here again. */
static void free_when_possible(struct session *s)
{
    struct plane *p = s->plane;

    if (leg_is_on_pool(&s->client) || leg_is_on_pool(&s->target) || s->in_turn)
        return;
    leg_clear(&s->client);
    leg_clear(&s->target);
    starttls_filter_destroy(&s->filter);
    config_address_clear(&s->asked);
    free(s->target_host);
    free(s->target_text);
    free(s->client_subject);
    free(s->client_common_name);
    free(s->connect_error);
    free(s->ended_reason);
    free(s);
    p->sessions_not_freed--;
    p->on_session_ended(p);
}

/* Whether plain words can reach the client now. */
static bool client_can_hear(const struct session *s)
{
    const struct leg *client = &s->client;

    if (client->transport == NULL || client->write_error != 0 || s->state == SESSION_CLIENT_GO_AHEAD ||
        leg_is_on_pool(client) || client->engine_status == TLS_FAILED)
        return false;
    return client->engine == NULL || tls_engine_handshake_done(client->engine);
}

/* The client is turned away before the relay began; takes `reason`. */
static void refuse(struct session *s, enum starttls_failure failure, enum session_ended ended, char *reason)
{
    struct buffer words;

    session_note_end(s, ended, reason);
    connector_destroy(&s->connector);
    leg_close(&s->target, TRANSPORT_CLOSE_ORDERLY);
    buffer_init(&words, STARTTLS_OUTPUT_BYTES_MAX);
    if (client_can_hear(s))
        starttls_failure_text(s->service->protocol, failure, s->greeted, s->service->greeting_name, &words);
    leg_say(&s->client, buffer_span(&words));
    buffer_release(&words);
    if (leg_is_on_pool(&s->client) || s->client.pool_refused) {
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    } else if (s->client.engine == NULL && s->client.to_send.size == 0 && leg_is_flushed(&s->client)) {
        /* Nothing to say in this protocol: RST, as a closed port would answer. A FIN would look like an empty, good end. */
        session_end_now(s, TRANSPORT_CLOSE_RESET, TRANSPORT_CLOSE_ORDERLY);
    } else {
        enter(s, SESSION_LAST_WORDS);
    }
}

static void step_last_words(struct session *s)
{
    leg_end(&s->client);
    if (leg_is_on_pool(&s->client) || s->client.write_error != 0 || s->client.read_error != 0 ||
        (s->client.end == LEG_END_DONE && (s->client.read_ended || s->linger_bytes > LIMIT_LINGER_BYTES)))
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    else if (s->client.end == LEG_END_DONE)
        leg_discard_input(&s->client);
}

/* ---- the client's side ---- */

/* Whether a machine broke off because of plain text at the hinge: it says so in these words and no others. */
static bool was_injected(const struct starttls_machine *m)
{
    return strstr(starttls_error(m), "together with the switch to TLS") != NULL;
}

/* Let the leg's machine have what has come, and say what it says. *ended: the peer is gone and the machine still waits. */
static enum starttls_status run_machine(struct leg *leg, bool *ended)
{
    enum starttls_status status = STARTTLS_NEED_MORE;

    *ended = false;
    while (status == STARTTLS_NEED_MORE) {
        size_t consumed = 0;
        struct span bytes;

        if (leg_peek(leg, &bytes) != LEG_TAKE_OK)
            *ended = true;
        if (bytes.size == 0)
            break;
        status = starttls_put(leg->machine, bytes, &consumed);
        leg_consume(leg, consumed);
        if (consumed == 0)
            break;
    }
    leg_say_machine(leg);
    leg_advance(leg);
    return status;
}

enum machine_end { MACHINE_ENDS_PLAIN, MACHINE_ENDS_WITH_TLS };

static void start_client_machine(struct session *s, enum machine_end end)
{
    const struct starttls_options options = {.name = s->service->greeting_name,
                                             .upgrade = end == MACHINE_ENDS_WITH_TLS};

    s->client.machine = starttls_accept_create(s->service->protocol, &options);
    s->greeted = starttls_output(s->client.machine).size > 0;
    leg_say_machine(&s->client);
    leg_advance(&s->client);
}

static void client_broke_protocol(struct session *s)
{
    const char *error = starttls_error(s->client.machine);

    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    if (was_injected(s->client.machine))
        counter_add(s->counters, COUNTER_injections_refused_total, 1);
    log_peer_line(LOG_LEVEL_WARNING, "client_protocol_error", log_text("conn", s->id),
                  log_text("service", s->service->config->name), log_text("client", s->peer_text),
                  log_text("state", starttls_state_name(s->client.machine)), log_text("reason", error));
    session_note_end(s, SESSION_ENDED_protocol_error, base_strdup(error));
    enter(s, SESSION_LAST_WORDS);
}

static void step_client_negotiate(struct session *s)
{
    bool ended;

    switch (run_machine(&s->client, &ended)) {
    case STARTTLS_NEED_MORE:
        if (ended || s->client.write_error != 0) {
            session_note_end(s, SESSION_ENDED_client_left, base_strdup(leg_error(&s->client)));
            session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
        }
        break;
    case STARTTLS_UPGRADE:
        enter(s, SESSION_CLIENT_GO_AHEAD);
        break;
    case STARTTLS_TARGET:
        if (session_take_asked_target(s))
            enter(s, SESSION_CONNECT);
        else
            refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_denied, NULL);
        break;
    case STARTTLS_CLOSE:
        session_note_end(s, SESSION_ENDED_quit, NULL);
        enter(s, SESSION_LAST_WORDS);
        break;
    case STARTTLS_READY:
    case STARTTLS_REFUSED:
    case STARTTLS_BROKEN:
        client_broke_protocol(s);
        break;
    }
}

static void step_client_go_ahead(struct session *s)
{
    if (s->client.write_error != 0) {
        session_note_end(s, SESSION_ENDED_client_left, base_strdup(leg_error(&s->client)));
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
        return;
    }
    leg_say_machine(&s->client);
    leg_advance(&s->client);
    if (starttls_output(s->client.machine).size > 0 || !leg_is_flushed(&s->client))
        return;
    leg_start_tls(&s->client, s->service->server_context, NULL, NULL);
    enter(s, SESSION_CLIENT_TLS);
}

/* The access rules, on the certificate that has just been verified. */
static bool client_is_allowed(struct session *s)
{
    struct tls_session_info tls = tls_engine_session(s->client.engine);
    struct pkix_identity identity;
    bool allowed;

    if (tls.peer_cert.size == 0)
        return access_client_allowed(s->service->config, NULL);
    if (!pkix_identity_read(tls.peer_cert, &identity))
        return false;
    s->client_subject = base_strdup(identity.subject);
    for (size_t i = 0; i < identity.count && s->client_common_name == NULL; i++)
        if (identity.ids[i].type == PKIX_ID_CN)
            s->client_common_name = base_strdup(identity.ids[i].value);
    allowed = access_client_allowed(s->service->config, &identity);
    pkix_identity_clear(&identity);
    return allowed;
}

static void step_client_tls(struct session *s)
{
    if (s->client.engine_status == TLS_FAILED || s->client.pool_refused) {
        session_report_tls_failed(s, &s->client);
        refuse(s, STARTTLS_FAILURE_TLS_UNAVAILABLE,
               s->client.pool_refused ? SESSION_ENDED_overload : SESSION_ENDED_tls_failed,
               base_strdup(leg_error(&s->client)));
        return;
    }
    if (leg_is_on_pool(&s->client) || !tls_engine_handshake_done(s->client.engine))
        return;
    session_report_tls(s, &s->client);
    if (!client_is_allowed(s)) {
        counter_add(s->counters, COUNTER_access_denied_total, 1);
        log_peer_line(LOG_LEVEL_WARNING, "access_denied", log_text("conn", s->id),
                      log_text("service", s->service->config->name), log_text("client", s->peer_text),
                      log_text("subject", s->client_subject == NULL ? "(no certificate)" : s->client_subject),
                      log_text("reason", "no allow rule matches"));
        refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_denied, base_strdup("no allow rule matches"));
    } else if (s->service->protocol == STARTTLS_HTTP_CONNECT) {
        start_client_machine(s, MACHINE_ENDS_PLAIN);
        enter(s, SESSION_CLIENT_NEGOTIATE);
    } else {
        enter(s, SESSION_CONNECT);
    }
}

/* ---- the target's side ---- */

static void fail_target(struct session *s, enum starttls_failure failure, enum session_ended ended, char *reason)
{
    log_peer_line(LOG_LEVEL_WARNING, ended == SESSION_ENDED_denied ? "target_denied" : "target_failed",
                  log_text("conn", s->id), log_text("service", s->service->config->name),
                  log_text("target", s->target_text), log_text("reason", reason));
    refuse(s, failure, ended, reason);
}

static void start_target_machine(struct session *s, enum starttls_protocol protocol, enum machine_end end)
{
    const struct starttls_options options = {.name = s->service->greeting_name,
                                             .upgrade = end == MACHINE_ENDS_WITH_TLS,
                                             .target_host = s->target_host,
                                             .target_port = s->target_port};

    s->target.machine = starttls_connect_create(protocol, &options);
}

/* What comes after each part of the target's side; parts that are not configured are passed over. */
static void after_target_tls(struct session *s)
{
    if (s->greeted && s->service->config->connect_tls != CONFIG_TLS_STARTTLS) {
        start_target_machine(s, s->service->protocol, MACHINE_ENDS_PLAIN);
        enter(s, SESSION_TARGET_GREETING);
    } else {
        enter(s, SESSION_RELAY);
        session_begin_relay(s);
    }
}

static void after_target_negotiate(struct session *s)
{
    if (s->service->config->connect_tls == CONFIG_TLS_NONE) {
        after_target_tls(s);
        return;
    }
    session_start_target_tls(s);
    enter(s, SESSION_TARGET_TLS);
}

static void after_target_via(struct session *s)
{
    if (!session_send_proxy_header(s)) {
        fail_target(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_target_failed,
                    base_strdup("the PROXY header is too large for the client's certificate"));
        return;
    }
    if (s->service->config->connect_tls == CONFIG_TLS_STARTTLS) {
        start_target_machine(s, s->service->protocol, MACHINE_ENDS_WITH_TLS);
        enter(s, SESSION_TARGET_NEGOTIATE);
    } else {
        after_target_negotiate(s);
    }
}

static void step_connect(struct session *s)
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
        if (s->service->config->via != NULL) {
            start_target_machine(s, STARTTLS_HTTP_CONNECT,
                                 s->service->config->connect_tls == CONFIG_TLS_IMPLICIT ? MACHINE_ENDS_WITH_TLS
                                                                                        : MACHINE_ENDS_PLAIN);
            enter(s, SESSION_TARGET_VIA);
        } else {
            after_target_via(s);
        }
        break;
    case CONNECT_FAILED:
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        fail_target(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_target_failed, base_strdup(s->connect_error));
        break;
    case CONNECT_DENIED:
        counter_add(s->counters, COUNTER_access_denied_total, 1);
        fail_target(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_denied, base_strdup(s->connect_error));
        break;
    }
}

/* A plain-text conversation with the target. true: it is over and all is well. */
static bool target_machine_is_done(struct session *s)
{
    struct leg *target = &s->target;
    bool ended;

    switch (run_machine(target, &ended)) {
    case STARTTLS_NEED_MORE:
        if (!ended && target->write_error == 0)
            return false;
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        fail_target(s, STARTTLS_FAILURE_TARGET_DOWN, SESSION_ENDED_target_failed,
                    base_printf("the target closed the connection (%s)", starttls_state_name(target->machine)));
        return false;
    case STARTTLS_UPGRADE:
    case STARTTLS_READY:
        if (leg_is_flushed(target)) {
            starttls_machine_destroy(&target->machine);
            return true;
        }
        break; /* it answered what we have not finished saying */
    case STARTTLS_TARGET:
    case STARTTLS_CLOSE:
    case STARTTLS_REFUSED:
    case STARTTLS_BROKEN:
        break;
    }
    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    if (was_injected(target->machine))
        counter_add(s->counters, COUNTER_injections_refused_total, 1);
    fail_target(s, s->service->config->connect_tls == CONFIG_TLS_STARTTLS ? STARTTLS_FAILURE_TARGET_TLS
                                                                          : STARTTLS_FAILURE_TARGET_DOWN,
                SESSION_ENDED_target_failed,
                base_printf("%s (%s)", starttls_error(target->machine), starttls_state_name(target->machine)));
    return false;
}

static void step_target_tls(struct session *s)
{
    if (s->target.engine_status == TLS_FAILED || s->target.pool_refused) {
        session_report_tls_failed(s, &s->target);
        refuse(s, STARTTLS_FAILURE_TARGET_TLS,
               s->target.pool_refused ? SESSION_ENDED_overload : SESSION_ENDED_target_tls_failed,
               base_strdup(leg_error(&s->target)));
        return;
    }
    if (leg_is_on_pool(&s->target) || !tls_engine_handshake_done(s->target.engine))
        return;
    session_report_tls(s, &s->target);
    after_target_tls(s);
}

/* ---- the step ---- */

/* While the target is being reached, a client that goes away ends the session. */
static bool client_is_waiting(struct session *s)
{
    struct span said;
    /* With TLS only decrypting tells whether what came before the end of the connection is data or close_notify. */
    bool ended = s->client.engine != NULL && s->client.read_ended && leg_peek(&s->client, &said) != LEG_TAKE_OK;

    if (!ended && !leg_has_left(&s->client))
        return true;
    session_note_end(s, SESSION_ENDED_client_left, base_strdup(leg_error(&s->client)));
    session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    return false;
}

static void run_state(struct session *s)
{
    switch (s->state) {
    case SESSION_CLIENT_NEGOTIATE:
        step_client_negotiate(s);
        break;
    case SESSION_CLIENT_GO_AHEAD:
        step_client_go_ahead(s);
        break;
    case SESSION_CLIENT_TLS:
        step_client_tls(s);
        break;
    case SESSION_CONNECT:
        if (client_is_waiting(s))
            step_connect(s);
        break;
    case SESSION_TARGET_VIA:
        if (client_is_waiting(s) && target_machine_is_done(s))
            after_target_via(s);
        break;
    case SESSION_TARGET_NEGOTIATE:
        if (client_is_waiting(s) && target_machine_is_done(s))
            after_target_negotiate(s);
        break;
    case SESSION_TARGET_TLS:
        if (client_is_waiting(s))
            step_target_tls(s);
        break;
    case SESSION_TARGET_GREETING:
        if (client_is_waiting(s) && target_machine_is_done(s)) {
            enter(s, SESSION_RELAY);
            session_begin_relay(s);
        }
        break;
    case SESSION_RELAY:
        session_step_relay(s);
        break;
    case SESSION_LAST_WORDS:
        step_last_words(s);
        break;
    case SESSION_CLOSED:
    case SESSION_STATE_COUNT:
        break;
    }
}

/* Who reads now. In the relay a leg is read only while the other can take what comes (back pressure). */
static void update_reading(struct session *s)
{
    bool client = false, target = false;

    switch (s->state) {
    case SESSION_CLIENT_NEGOTIATE:
    case SESSION_CLIENT_TLS:
        client = s->client.received.size < LIMIT_HELD_MAX;
        break;
    case SESSION_CLIENT_GO_AHEAD:
        break; /* what comes now is for TLS: it stays in the kernel until there is an engine */
    case SESSION_CONNECT:
    case SESSION_TARGET_VIA:
    case SESSION_TARGET_NEGOTIATE:
    case SESSION_TARGET_TLS:
    case SESSION_TARGET_GREETING:
        client = s->client.received.size < LIMIT_HELD_MAX;
        target = s->target.received.size < LIMIT_HELD_MAX;
        break;
    case SESSION_RELAY:
        client = s->from_client.state == FLOW_OPEN && s->client.received.size == 0 && leg_can_take(&s->target);
        target = s->from_target.state == FLOW_OPEN && s->target.received.size == 0 && leg_can_take(&s->client);
        break;
    case SESSION_LAST_WORDS:
        return; /* leg_discard_input() reads */
    case SESSION_CLOSED:
    case SESSION_STATE_COUNT:
        return;
    }
    leg_set_reading(&s->client, client);
    leg_set_reading(&s->target, target);
}

void session_step(struct session *s)
{
    enum session_state before;

    do {
        before = s->state;
        if (before != SESSION_CLOSED) {
            leg_advance(&s->client);
            leg_advance(&s->target);
        }
        run_state(s);
    } while (s->state != before);
    if (s->state == SESSION_CLOSED) {
        free_when_possible(s);
        return;
    }
    leg_keep_fresh(&s->client);
    leg_keep_fresh(&s->target);
    update_reading(s);
}

/* ---- time ---- */

/* An orderly end from the relay, on our own account. */
static void end_relay(struct session *s, enum session_ended ended, const char *reason)
{
    session_note_end(s, ended, base_strdup(reason));
    leg_end(&s->client);
    leg_end(&s->target);
    session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
}

static void on_relay_due(struct session *s, uint64_t now_ms)
{
    const struct config_service *config = s->service->config;
    bool half_closed = s->from_client.state != FLOW_OPEN || s->from_target.state != FLOW_OPEN;
    uint64_t limit_ms = half_closed ? config->half_close_timeout_ms : config->idle_timeout_ms;
    uint64_t idle_ms = now_ms - s->last_activity_ms;

    if (idle_ms >= limit_ms && half_closed) {
        /* One side has ended long ago and the other never does: what it did not end is not complete. */
        session_note_end(s, SESSION_ENDED_timeout_half_close, base_strdup("the other side did not end in time"));
        session_end_now(s, s->from_target.state == FLOW_OPEN ? TRANSPORT_CLOSE_RESET : TRANSPORT_CLOSE_ORDERLY,
                      s->from_client.state == FLOW_OPEN ? TRANSPORT_CLOSE_RESET : TRANSPORT_CLOSE_ORDERLY);
        return;
    }
    if (idle_ms >= limit_ms) {
        counter_add(s->counters, COUNTER_timeouts_idle_total, 1);
        end_relay(s, SESSION_ENDED_timeout_idle, "nothing was sent either way for idle_timeout");
        return;
    }
    if (!s->trimmed && idle_ms >= LIMIT_IDLE_TRIM_MS) {
        leg_trim(&s->client);
        leg_trim(&s->target);
        plane_note_trimmed(s->plane);
        s->trimmed = true;
    }
    wheel_set(&s->plane->wheel, &s->wheel,
              s->last_activity_ms + (s->trimmed || limit_ms < LIMIT_IDLE_TRIM_MS ? limit_ms : LIMIT_IDLE_TRIM_MS));
}

static void on_deadline(struct session *s)
{
    switch (s->state) {
    case SESSION_CLIENT_NEGOTIATE:
    case SESSION_CLIENT_GO_AHEAD:
    case SESSION_CLIENT_TLS:
        counter_add(s->counters, COUNTER_timeouts_handshake_total, 1);
        refuse(s, STARTTLS_FAILURE_TIMEOUT, SESSION_ENDED_timeout_handshake,
               base_printf("the client was not ready in time (%s)", state_names[s->state]));
        break;
    case SESSION_CONNECT:
        counter_add(s->counters, COUNTER_timeouts_connect_total, 1);
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        fail_target(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_connect,
                    base_strdup("no target answered within connect_timeout"));
        break;
    case SESSION_TARGET_VIA:
    case SESSION_TARGET_NEGOTIATE:
    case SESSION_TARGET_TLS:
    case SESSION_TARGET_GREETING:
        counter_add(s->counters, COUNTER_timeouts_handshake_total, 1);
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        fail_target(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_handshake,
                    base_printf("the target was not ready in time (%s)", state_names[s->state]));
        break;
    case SESSION_LAST_WORDS:
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
        break;
    case SESSION_RELAY:
    case SESSION_CLOSED:
    case SESSION_STATE_COUNT:
        break;
    }
}

void session_on_due(struct wheel_entry *e, void *context)
{
    struct session *s = CONTAINER_OF(e, struct session, wheel);
    uint64_t now_ms = uv_now(s->plane->loop);

    (void)context;
    if (s->state == SESSION_RELAY)
        on_relay_due(s, now_ms);
    else if (now_ms >= s->deadline_ms)
        on_deadline(s);
    else
        wheel_set(&s->plane->wheel, &s->wheel, s->deadline_ms);
    session_step(s);
}

void session_shut_down(struct session *s)
{
    if (s->state == SESSION_RELAY)
        end_relay(s, SESSION_ENDED_shutdown, "yett is stopping");
    else if (s->state == SESSION_LAST_WORDS)
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    else if (s->state != SESSION_CLOSED)
        refuse(s, STARTTLS_FAILURE_SHUTDOWN, SESSION_ENDED_shutdown, base_strdup("yett is stopping"));
    session_step(s);
}

/* ---- the beginning ---- */

static void link_session(struct session *s)
{
    struct plane *p = s->plane;

    plane_session_begins(p);
    s->next = p->sessions;
    if (s->next != NULL)
        s->next->previous = s;
    p->sessions = s;
    p->session_count++;
    p->sessions_not_freed++;
    counter_add(s->counters, COUNTER_connections_open, 1);
    counter_add(s->counters, COUNTER_connections_total, 1);
}

static struct session *create(struct plane *p, const struct session_accepted *accepted)
{
    struct session *s = base_alloc(sizeof(*s));

    s->plane = p;
    s->service_index = accepted->service_index;
    s->service = &p->services->items[accepted->service_index];
    s->counters = counters_service(p->counters, accepted->service_index);
    s->peer = accepted->peer;
    s->peer_key = peer_key_of((const struct sockaddr *)&s->peer);
    resolve_address_text((const struct sockaddr *)&s->peer, s->peer_text, sizeof(s->peer_text));
    snprintf(s->id, sizeof(s->id), "%" PRIu32 ".%" PRIu32 ".%" PRIu64, p->slot, p->generation, ++p->next_session);
    s->started_ms = s->last_activity_ms = uv_now(p->loop);
    leg_init(&s->client, s, LEG_CLIENT);
    leg_init(&s->target, s, LEG_TARGET);
    link_session(s);
    return s;
}

void session_start(struct plane *p, const struct session_accepted *accepted)
{
    struct session *s = create(p, accepted);
    const struct config_service *config = s->service->config;
    struct transport *transport = transport_create(p->loop, accepted->type);
    socklen_t local_size = sizeof(s->local);

    s->local.ss_family = AF_UNSPEC;
    if (config->send_proxy != CONFIG_SEND_PROXY_NONE &&
        getsockname(accepted->fd, (struct sockaddr *)&s->local, &local_size) != 0)
        s->local.ss_family = AF_UNSPEC;
    if (transport_open(transport, accepted->fd) != 0)
        base_abort("the loop does not take an accepted descriptor");
    leg_attach(&s->client, transport);
    s->deadline_ms = s->started_ms + config->handshake_timeout_ms;
    wheel_set(&p->wheel, &s->wheel, s->deadline_ms);
    session_report_started(s);
    if (config->listen_tls == CONFIG_TLS_IMPLICIT) {
        leg_start_tls(&s->client, s->service->server_context, NULL, NULL);
        enter(s, SESSION_CLIENT_TLS);
    } else if (config->listen_tls == CONFIG_TLS_STARTTLS || s->service->protocol == STARTTLS_HTTP_CONNECT) {
        start_client_machine(s, config->listen_tls == CONFIG_TLS_STARTTLS ? MACHINE_ENDS_WITH_TLS : MACHINE_ENDS_PLAIN);
    } else {
        enter(s, SESSION_CONNECT);
    }
    session_step(s);
}
