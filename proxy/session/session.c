/* see proxy/session/session.h
 *
 * The life of a session. Transitions go forward only; there is none back to plain text.
 *
 *                  PROXY_HEADER   (only of a balancer that accept_proxy_from names)
 *                       |
 *   listen_tls = starttls          implicit              none, http-proxy      none
 *        |                            |                        |                 |
 *   CLIENT_NEGOTIATE <---- http-proxy | -----------> CLIENT_NEGOTIATE            |
 *        | UPGRADE                    |                        |                 |
 *   CLIENT_GO_AHEAD                   |                        |                 |
 *        | flushed                    |                        |                 |
 *        `----> CLIENT_HELLO <--------+    (where services share the address: which of them)
 *                     |               |                        |                 |
 *                  CLIENT_TLS <-------'                        |                 |
 *                      | access rules                          | target rules    |
 *                      `-----------------> CONNECT <-----------'-----------------'
 *                                             | (via = ...)
 *                                         TARGET_VIA           (one connection to the proxy for each target in turn)
 *                                             | PROXY header
 *                                         TARGET_NEGOTIATE     (connect_tls = starttls; or the header goes out slowly)
 *                                             |
 *                                         TARGET_TLS           (starttls, implicit)
 *                                             |
 *                                         TARGET_GREETING      (the client has a greeting from us; or gets another)
 *                                             |
 *                                           RELAY
 *
 * From every state before RELAY a failure leads to LAST_WORDS, where the client is told in its protocol's words, if it
 * can be told: not between the go-ahead and the end of its TLS handshake, where only a TLS alert may come (RFC 3207
 * section 4: what follows the go-ahead is TLS). Then CLOSED.
 *
 * Lazy target: nothing is connected before the client has shown what it must show, and no byte it said before TLS ever
 * reaches the target. Silent greeting: where we ask the target for STARTTLS, the client hears nothing until the
 * target's TLS is up and verified; what the client says meanwhile is held, up to LIMIT_HELD_MAX.
 *
 * A session may have no client at all (session_start_probe()): it begins at CONNECT and ends with TARGET_PROBE, in the
 * place of TARGET_GREETING and RELAY.
 *
 * A request to http-proxy with an https URI goes the way of connect_tls = implicit. Its RELAY passes on one request and
 * one response (session_exchange.c), and ends with LAST_WORDS, since the client's next request may be in the kernel
 * already.
 *
 * What is to be known of each state is in one list (proxy/session/session_states.h), what a session is in a table of
 * functions (struct session_kind), and what comes between CONNECT and RELAY in a list of steps that is made once
 * (proxy/session/target_steps.h).
 *
 * Time: every state but RELAY has an absolute deadline. RELAY has the idle and the half-close timeout, measured from
 * the last byte that moved. One wheel holds all of them (proxy/session/wheel.h). */
#include "proxy/session/session_internal.h"

#include "proxy/session/access.h"
#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "proxy/service/memory_ceiling.h"
#include "starttls/http/http_proxy.h"
#include "base/slab.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct slab sessions = SLAB_OF(struct session);

enum state_time {
    TIME_HEADER,
    TIME_CLIENT,
    TIME_CONNECT,
    TIME_VIA,
    TIME_TARGET,
    TIME_PROBE,
    TIME_RELAY,
    TIME_LINGER,
    TIME_NEVER
};
enum state_reads { READS_NOBODY, READS_CLIENT, READS_BOTH, READS_MACHINE, READS_FLOWS, READS_AS_IS };
enum state_client { CLIENT_ACTS, CLIENT_WAITS };

static void session_step_last_words(struct session *s);
static void session_step_closed(struct session *s);

static const struct {
    const char *name, *title;
    void (*step)(struct session *s);
    enum state_time time;
    enum state_reads reads;
    enum state_client client;
} states[] = {
#define STATE_ROW(state, name, title, time, reads, client)                                                             \
    {#name, title, session_step_##name, TIME_##time, READS_##reads, CLIENT_##client},
    SESSION_STATES(STATE_ROW)
#undef STATE_ROW
};
static_assert(ARRAY_LEN(states) == SESSION_STATE_COUNT, "one row for each state");

const char *session_state_name(enum session_state state)
{
    return states[state].name;
}

const char *session_state_title(enum session_state state)
{
    return states[state].title;
}

/* ---- entering states ---- */

/* The absolute deadline of a state, from now; 0: it keeps the one it has. */
static uint64_t state_time_ms(const struct session *s, enum session_state state)
{
    switch (states[state].time) {
    case TIME_HEADER:
    case TIME_CLIENT:
    case TIME_NEVER:
        return 0;
    case TIME_CONNECT:
        return s->service->config->connect_timeout_ms;
    case TIME_VIA:
        return s->service->config->handshake_timeout_ms;
    case TIME_TARGET:
    case TIME_PROBE:
        return s->state == SESSION_CONNECT ? s->service->config->handshake_timeout_ms : 0;
    case TIME_RELAY:
        return LIMIT_IDLE_TRIM_MS;
    case TIME_LINGER:
        return LIMIT_LINGER_MS;
    }
    return 0;
}

void session_enter(struct session *s, enum session_state state)
{
    uint64_t now_ms = uv_now(s->plane->loop);
    uint64_t time_ms = state_time_ms(s, state);

    assert(state > s->state || (state == SESSION_CLIENT_NEGOTIATE && s->state == SESSION_CLIENT_TLS));
    if (log_wants(LOG_LEVEL_DEBUG))
        log_line(LOG_LEVEL_DEBUG, "session_state", log_text("conn", s->id), log_text("from", states[s->state].name),
                 log_text("to", states[state].name));
    s->state = state;
    leg_set_held_max(&s->client, state == SESSION_RELAY ? LIMIT_RECEIVED_MAX : LIMIT_HELD_MAX);
    leg_set_held_max(&s->target, state == SESSION_RELAY ? LIMIT_RECEIVED_MAX : LIMIT_HELD_MAX);
    if (time_ms != 0)
        s->deadline_ms = now_ms + time_ms;
    s->last_activity_ms = now_ms;
    if (state != SESSION_CLOSED)
        plane_set_deadline(s->plane, &s->wheel, s->deadline_ms);
}

void session_note_end(struct session *s, enum session_ended ended, char *reason)
{
    session_note_broken(s, ended, NULL, reason);
}

void session_note_broken(struct session *s, enum session_ended ended, const struct leg *leg, char *reason)
{
    if (s->ended == SESSION_ENDED_none) {
        s->ended = ended;
        s->ended_by = leg;
        s->ended_reason = reason;
    } else {
        free(reason);
    }
}

void session_blame(struct session *s, enum session_fault fault, const char *advice)
{
    if (s->ended != SESSION_ENDED_none)
        return;
    s->fault = fault;
    s->advice = advice;
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
    p->service_session_count[s->counted_as]--;
    counter_subtract(s->counters, COUNTER_connections_open, 1);
    if (s->door != NULL && s->counted_as != s->service_index) /* it never became known where it goes */
        counter_add(s->counters, COUNTER_connections_total, 1);
}

void session_close_target(struct session *s, enum transport_close how)
{
    leg_close(&s->target, how);
    starttls_machine_destroy(&s->target_machine);
}

void session_end_now(struct session *s, enum transport_close client, enum transport_close target)
{
    if (s->state == SESSION_CLOSED)
        return;
    session_report_ended(s);
    session_release_target(s);
    s->kind->on_end(s);
    session_enter(s, SESSION_CLOSED);
    connector_destroy(&s->reach.connector);
    leg_close(&s->client, client);
    starttls_machine_destroy(&s->client_machine);
    session_close_target(s, target);
    unlink_session(s);
}

/* The memory goes when no engine is on the pool any more; until then its step, when it comes back, ends here again. */
static void free_when_possible(struct session *s)
{
    struct plane *p = s->plane;

    if (leg_tls_state(&s->client) == LEG_TLS_ON_POOL || leg_tls_state(&s->target) == LEG_TLS_ON_POOL || s->turn.waits)
        return;
    leg_clear(&s->client);
    leg_clear(&s->target);
    starttls_filter_destroy(&s->filter);
    config_address_clear(&s->asked);
    slab_strfree(s->target_host);
    free(s->target_greeting);
    slab_strfree(s->target_text);
    if (s->proxied != NULL)
        free((void *)(uintptr_t)s->proxied->tlvs.data);
    free(s->proxied);
    free(s->http.host);
    free(s->http.page_words);
    free(s->client_subject);
    free(s->client_common_name);
    free(s->reach.error);
    free(s->reach.order);
    free(s->reach.ordered);
    free(s->ended_reason);
    slab_free(&sessions, s);
    p->sessions_not_freed--;
    p->on_session_ended(p);
}

void session_client_left(struct session *s)
{
    const char *error = leg_error(&s->client);

    session_note_broken(s, leg_state(&s->client).heard ? SESSION_ENDED_client_left : SESSION_ENDED_client_silent,
                        &s->client,
                        error[0] == '\0' ? base_printf("the client closed its connection (%s)", states[s->state].name)
                                         : base_printf("the client is gone (%s): %s", states[s->state].name, error));
    session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
}

/* Whether plain words can reach the client now. */
static bool client_can_hear(const struct session *s)
{
    const struct leg *client = &s->client;

    /* Before a balancer has said its word, and before TLS that comes first, nobody waits for words in clear. */
    if ((s->proxied != NULL && s->proxied->awaited) ||
        (s->state == SESSION_PROXY_HEADER && s->service->config->listen_tls == CONFIG_TLS_IMPLICIT) ||
        s->state == SESSION_CLIENT_HELLO)
        return false;
    if (!leg_is_attached(client) || leg_state(client).output_error != 0 || s->state == SESSION_CLIENT_GO_AHEAD)
        return false;
    return leg_tls_state(client) == LEG_TLS_NONE || leg_tls_state(client) == LEG_TLS_UP;
}

/* What it is told in its protocol's words. */
static void put_words(struct session *s, enum starttls_failure failure, struct buffer *words)
{
    const struct starttls_http_page page = {
        .failure = failure, .greeted = s->greeted, .why = s->http.page_words, .connection = s->id};

    if (s->service->protocol == STARTTLS_HTTP_CONNECT)
        s->http.status = starttls_http_page(&page, words);
    else
        starttls_failure_text(s->service->protocol, failure, s->greeted, s->service->greeting_name, words);
}

void session_refuse(struct session *s, enum starttls_failure failure, enum session_ended ended, char *reason)
{
    struct buffer words;

    session_note_end(s, ended, reason);
    session_note_request(s);
    buffer_init(&words, STARTTLS_OUTPUT_BYTES_MAX);
    if (client_can_hear(s))
        put_words(s, failure, &words);
    session_report_ended(s);
    connector_destroy(&s->reach.connector);
    session_close_target(s, TRANSPORT_CLOSE_ORDERLY);
    leg_say(&s->client, s->http.request == STARTTLS_REQUEST_EXCHANGE_HEAD ? starttls_without_body(buffer_span(&words))
                                                                          : buffer_span(&words));
    buffer_release(&words);
    if (leg_tls_state(&s->client) == LEG_TLS_ON_POOL) {
        leg_alert(&s->client);
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    } else if (leg_tls_state(&s->client) == LEG_TLS_NONE && leg_holds(&s->client).to_send == 0 &&
               leg_is_drained(&s->client)) {
        /* Nothing to say in this protocol: RST, as a closed port would answer. A FIN would look like an empty, good
         * end. */
        session_end_now(s, TRANSPORT_CLOSE_RESET, TRANSPORT_CLOSE_ORDERLY);
    } else {
        session_enter(s, SESSION_LAST_WORDS);
    }
}

static void session_step_last_words(struct session *s)
{
    struct leg_state client;

    leg_end(&s->client);
    client = leg_state(&s->client);
    if (leg_tls_state(&s->client) == LEG_TLS_ON_POOL || client.output_error != 0 || client.input_error != 0 ||
        (client.end == LEG_END_DONE && leg_discard_input(&s->client)))
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
}

/* ---- the step ---- */

static void session_step_closed(struct session *s)
{
    (void)s; /* session_step() frees it when it can */
}

static void run_state(struct session *s)
{
    if (states[s->state].client == CLIENT_ACTS || s->kind->client_is_there(s))
        states[s->state].step(s);
}

static void update_reading(struct session *s)
{
    bool client = leg_holds(&s->client).received < LIMIT_HELD_MAX,
         target = leg_holds(&s->target).received < LIMIT_HELD_MAX;

    switch (states[s->state].reads) {
    case READS_NOBODY:
        client = target = false;
        break;
    case READS_CLIENT:
        target = false;
        break;
    case READS_BOTH:
        break;
    case READS_MACHINE:
        target = target && s->target_machine != NULL;
        break;
    case READS_FLOWS:
        client = s->from_client.state == FLOW_OPEN && (leg_holds(&s->client).received == 0 || s->words_undecided) &&
                 leg_can_take(&s->target);
        target = s->from_target.state == FLOW_OPEN && leg_holds(&s->target).received == 0 && leg_can_take(&s->client);
        break;
    case READS_AS_IS:
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

/* Whether a side has ended, behind something that waits to be passed on: nothing is read from it then, and nobody would
 * hear of its end before idle_timeout (a client that has pipelined more than its server answers, and left). */
static bool has_ended_unread(const struct flow *flow, struct leg *source, const struct leg *sink)
{
    bool is_read = leg_holds(source).received == 0 && leg_can_take(sink);

    return flow->state == FLOW_OPEN && !is_read && leg_look_for_end(source);
}

/* One side has ended, and the other has so long for what it still has to say. */
static bool is_half_closed(struct session *s)
{
    bool client_ended = s->from_client.state != FLOW_OPEN || has_ended_unread(&s->from_client, &s->client, &s->target),
         target_ended = s->from_target.state != FLOW_OPEN || has_ended_unread(&s->from_target, &s->target, &s->client);

    return target_ended || (client_ended && !s->kind->client_may_end);
}

/* The connection of a side that is not read from has broken: no end of it would be found out by reading. */
static bool break_unread(struct session *s)
{
    bool client = s->from_client.state == FLOW_OPEN && leg_state(&s->client).input_error != 0,
         target = s->from_target.state == FLOW_OPEN && leg_state(&s->target).input_error != 0;

    if (client || target)
        s->kind->on_source_end(s, client ? STARTTLS_FROM_CLIENT : STARTTLS_FROM_SERVER, LEG_TAKE_FAILED);
    return client || target;
}

static void on_relay_due(struct session *s, uint64_t now_ms)
{
    const struct config_service *config = s->service->config;
    bool half_closed = is_half_closed(s);
    uint64_t limit_ms = half_closed ? config->half_close_timeout_ms : config->idle_timeout_ms;
    uint64_t idle_ms = now_ms - s->last_activity_ms;

    if (break_unread(s))
        return;
    if (idle_ms >= limit_ms) {
        s->kind->on_idle(s, half_closed);
        return;
    }
    leg_send_ticket(&s->client); /* at the latest now, LIMIT_IDLE_TRIM_MS after the relay began */
    if (!s->trimmed && idle_ms >= LIMIT_IDLE_TRIM_MS) {
        leg_trim(&s->client);
        leg_trim(&s->target);
        plane_note_trimmed(s->plane);
        s->trimmed = true;
    }
    plane_set_deadline(s->plane, &s->wheel,
                       s->last_activity_ms +
                           (s->trimmed || limit_ms < LIMIT_IDLE_TRIM_MS ? limit_ms : LIMIT_IDLE_TRIM_MS));
}

/* A name that has not been found has had no target asked for anything. */
static void refuse_late_connect(struct session *s)
{
    const char *name = s->reach.connector == NULL ? NULL : connector_looks_up(s->reach.connector);
    char quoted[BASE_QUOTE_SIZE];

    if (name == NULL) {
        session_refuse(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_connect,
                       base_strdup("no target answered within connect_timeout"));
        return;
    }
    session_blame(s, SESSION_FAULT_HERE,
                  "see whether this machine's name server answers, and whether the client asks for many names that no "
                  "server answers for: no more than a few of one client are looked up at a time");
    session_refuse(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_connect,
                   base_printf("the name %s was not looked up within connect_timeout",
                               base_quote(name, strlen(name), quoted, sizeof(quoted))));
}

static void on_deadline(struct session *s)
{
    switch (states[s->state].time) {
    case TIME_HEADER:
        session_on_header_due(s);
        break;
    case TIME_CLIENT:
        counter_add(s->counters, COUNTER_timeouts_handshake_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TIMEOUT, SESSION_ENDED_timeout_client,
                       base_printf("the client was not ready in time (%s)", states[s->state].name));
        break;
    case TIME_CONNECT:
        counter_add(s->counters, COUNTER_timeouts_connect_total, 1);
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        session_note_connecting_failed(s);
        refuse_late_connect(s);
        break;
    case TIME_VIA:
    case TIME_TARGET:
        counter_add(s->counters, COUNTER_timeouts_handshake_total, 1);
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_target,
                       base_printf("the target was not ready in time (%s)", states[s->state].name));
        break;
    case TIME_PROBE:
        session_on_probe_due(s);
        break;
    case TIME_LINGER:
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
        break;
    case TIME_RELAY:
    case TIME_NEVER:
        break;
    }
}

static void on_due(struct wheel_entry *e, void *context)
{
    struct session *s = CONTAINER_OF(e, struct session, wheel);
    uint64_t now_ms = uv_now(s->plane->loop);

    (void)context;
    if (s->state == SESSION_RELAY)
        on_relay_due(s, now_ms);
    else if (now_ms >= s->deadline_ms)
        on_deadline(s);
    else
        plane_set_deadline(s->plane, &s->wheel, s->deadline_ms);
    session_step(s);
}

static void on_turn(struct plane_turn *turn)
{
    struct session *s = CONTAINER_OF(turn, struct session, turn);

    s->from_client.bytes_at_turn = s->from_client.bytes;
    s->from_target.bytes_at_turn = s->from_target.bytes;
    session_step(s);
}

const struct plane_calls session_calls = {.on_turn = on_turn, .on_due = on_due};

void session_shut_down(struct session *s)
{
    if (s->state == SESSION_RELAY)
        s->kind->shut_down(s);
    else if (s->state == SESSION_LAST_WORDS)
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    else if (s->state != SESSION_CLOSED)
        session_refuse(s, STARTTLS_FAILURE_SHUTDOWN, SESSION_ENDED_shutdown, base_strdup("yett is stopping"));
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
    if (s->counted_as == s->service_index)
        counter_add(s->counters, COUNTER_connections_total, 1);
}

void session_init_target(struct session *s)
{
    leg_init(&s->target, &s->means, LEG_TARGET, memory_ceiling_to_send(s->service->config, MEMORY_CEILING_TARGET));
}

static void on_news(void *context)
{
    session_step(context);
}

static void on_moved(void *context)
{
    struct session *s = context;

    s->last_activity_ms = uv_now(s->plane->loop);
    if (!s->trimmed)
        return;
    s->trimmed = false;
    plane_set_deadline(s->plane, &s->wheel, s->last_activity_ms + LIMIT_IDLE_TRIM_MS);
}

void session_give_means(struct session *s)
{
    const struct plane *p = s->plane;

    s->means = (struct leg_means){.blocks = &p->blocks,
                                  .pool = p->pool,
                                  .turns = p->turns,
                                  .pool_group = s->service->pool_group,
                                  .verify_group = s->service->verify_group,
                                  .service = (unsigned)s->service_index,
                                  .peer = peer_key_of(&s->peer.header),
                                  .counters = s->counters,
                                  .events = {.news = on_news, .moved = on_moved, .context = s}};
}

struct session *session_create(struct plane *p, const struct session_accepted *accepted,
                               const struct session_kind *kind)
{
    struct session *s = slab_alloc(&sessions);
    const struct sockaddr_storage *peer = &accepted->peer;
    size_t service_index = accepted->service_index;

    s->plane = p;
    s->service_index = service_index;
    s->door = accepted->door == 0 ? NULL : &p->config->doors[accepted->door - 1];
    s->counted_as = accepted->door == 0 ? service_index : plane_count_of_door(p, accepted->door);
    s->service = &p->services->items[service_index];
    s->kind = kind;
    s->reach.targets = s->service->config->connect;
    s->reach.target_count = s->service->config->connect_count;
    s->counters = counters_service(p->counters, service_index);
    memcpy(&s->peer, peer, sizeof(s->peer)); /* of a path the beginning, which nobody asks for */
    resolve_address_text(&s->peer.header, s->peer_text, sizeof(s->peer_text));
    snprintf(s->id, sizeof(s->id), "%" PRIu32 ".%" PRIu32 ".%" PRIu64, p->slot, p->generation, ++p->next_session);
    s->started_ms = s->last_activity_ms = uv_now(p->loop);
    session_give_means(s);
    leg_init(&s->client, &s->means, LEG_CLIENT, memory_ceiling_to_send(s->service->config, MEMORY_CEILING_CLIENT));
    session_init_target(s);
    link_session(s);
    return s;
}

void session_start(struct plane *p, const struct session_accepted *accepted)
{
    struct session *s = session_create(p, accepted, &session_kind_relay);
    const struct config_service *config = s->service->config;
    struct transport *transport = transport_create(p->loop, accepted->type);
    socklen_t local_size = sizeof(s->local);

    s->local.header.sa_family = AF_UNSPEC;
    if ((config->send_proxy != CONFIG_SEND_PROXY_NONE || s->door != NULL) &&
        getsockname(accepted->fd, &s->local.header, &local_size) != 0)
        s->local.header.sa_family = AF_UNSPEC;
    if (transport_open(transport, accepted->fd) != 0)
        base_abort("the loop does not take an accepted descriptor");
    leg_attach(&s->client, transport);
    session_report_started(s);
    session_meet_client(s);
    session_step(s);
}
