/* see proxy/session/session.h
 *
 * The relay: two flows, one for each direction. A flow moves plain text from its source leg to its sink leg as long as
 * the sink takes it; when it does not, nothing is taken from the source, the source's buffers fill, and its peer's
 * sending window closes: back pressure from end to end, with no buffer of ours growing.
 *
 * How a flow ends, and what the other side is told:
 *   the source ended in order (FIN, close_notify)   the rest goes out, then close_notify (TLS), then FIN
 *   TLS without close_notify                        the sink gets RST: nobody must take a part for the whole (RFC
 * 8446 6.1) connection reset, TLS failure                   likewise the sink cannot be written to any more the source
 * is no longer read; the other flow goes on, since a server that stops reading may have said why */
#include "proxy/session/session_internal.h"

#include "proxy/process/limits.h"
#include <stdlib.h>

/* The legs of a flow. */
struct flow_legs {
    struct flow *flow;
    struct leg *source, *sink;
    enum starttls_direction direction;
    enum counter bytes_counter;
};

static struct flow_legs flow_of(struct session *s, enum starttls_direction direction)
{
    if (direction == STARTTLS_FROM_CLIENT)
        return (struct flow_legs){&s->from_client, &s->client, &s->target, direction,
                                  COUNTER_client_received_bytes_total};
    return (struct flow_legs){&s->from_target, &s->target, &s->client, direction, COUNTER_client_sent_bytes_total};
}

/* A conversation is watched where TLS is on either side: STARTTLS must not be offered or asked for inside it. And where
 * TLS had to come first, and has not: what may pass all the same must end there. */
static bool needs_filter(const struct session *s)
{
    return s->service->config->listen_tls == CONFIG_TLS_STARTTLS || leg_tls_state(&s->client) != LEG_TLS_NONE ||
           leg_tls_state(&s->target) != LEG_TLS_NONE;
}

static void count_bytes(struct session *s, const struct flow_legs *f, size_t size)
{
    f->flow->bytes += size;
    counter_add(s->counters, f->bytes_counter, size);
}

/* The target's greeting was eaten, or taken by STARTTLS; or it is still to come, and is the client's. */
static enum starttls_greeting greeting_of(const struct session *s)
{
    bool taken = s->greeted || s->service->config->connect_tls == CONFIG_TLS_STARTTLS;

    return taken ? STARTTLS_GREETED : STARTTLS_GREETING_FOLLOWS;
}

/* Who hears the target's greeting through us: a client that has none from us, or whom the protocol gives another. */
static void greet(struct session *s)
{
    struct buffer greeting;

    buffer_init(&greeting, STARTTLS_OUTPUT_BYTES_MAX);
    if (s->target_greeting == NULL)
        starttls_greeting_text(s->service->protocol, s->service->greeting_name, &greeting);
    else if (!buffer_append(&greeting, span_of_string(s->target_greeting)))
        buffer_trim(&greeting);
    leg_say(&s->client, buffer_span(&greeting));
    buffer_release(&greeting);
    free(s->target_greeting);
    s->target_greeting = NULL;
}

static bool must_greet(const struct session *s)
{
    if (s->greeted)
        return starttls_greets_in_tls(s->service->protocol) && s->target_greeting != NULL;
    return s->service->config->connect_tls == CONFIG_TLS_STARTTLS;
}

/* What the client has said behind its request, or opened with, is the target's. */
static void pass_early(struct session *s, struct span early)
{
    size_t consumed = early.size;
    struct flow_legs f = flow_of(s, STARTTLS_FROM_CLIENT);

    if (s->filter == NULL)
        leg_say(&s->target, early);
    else if (starttls_filter_put(s->filter, STARTTLS_FROM_CLIENT, early, &consumed, leg_outgoing(&s->target)) ==
             STARTTLS_READY)
        s->filter_ready = true;
    assert(consumed == early.size); /* its machine has read it already */
    count_bytes(s, &f, early.size);
}

/* HTTP CONNECT: the go-ahead, too. */
static void pass_opening(struct session *s)
{
    starttls_target_connected(s->client_machine);
    session_note_request(s); /* its 200 */
    session_say_machine(s->client_machine, &s->client);
    pass_early(s, starttls_early_data(s->client_machine));
    starttls_machine_destroy(&s->client_machine);
}

static void serve(struct session *s)
{
    session_enter(s, SESSION_RELAY);
    s->relayed = true;
    if (needs_filter(s))
        s->filter = starttls_filter_create(s->service->protocol, greeting_of(s));
    if (s->client_machine != NULL)
        pass_opening(s);
    else if (must_greet(s))
        greet(s);
    leg_advance(&s->client);
    leg_advance(&s->target);
}

/* ---- ends ---- */

static void blame_side(struct session *s, const struct leg *leg)
{
    session_blame(s, leg == &s->client ? SESSION_FAULT_CLIENT : SESSION_FAULT_TARGET, NULL);
}

static void break_relay(struct session *s, enum session_ended ended, char *reason, struct flow_legs f,
                        enum transport_close source)
{
    blame_side(s, f.source);
    session_note_broken(s, ended, f.source, reason);
    if (f.source == &s->client)
        session_end_now(s, source, TRANSPORT_CLOSE_RESET);
    else
        session_end_now(s, TRANSPORT_CLOSE_RESET, source);
}

static const char *side_name(const struct session *s, const struct leg *leg)
{
    return leg == &s->client ? "client" : "target";
}

/* Not every program sends an alert when it looks at our certificate itself, after the handshake, and does not like it.
 */
#define WENT_WITHOUT_A_BYTE ", right after its handshake and without a byte: it may not have liked our certificate"

static bool went_without_a_byte(struct flow_legs f)
{
    return f.direction == STARTTLS_FROM_CLIENT && f.flow->bytes == 0 && leg_engine(f.source) != NULL;
}

static void on_truncated(struct session *s, struct flow_legs f)
{
    /* A peer that closes after our close_notify owes nobody an answer to it. */
    if (leg_state(f.source).end == LEG_END_DONE) {
        break_relay(s, SESSION_ENDED_closed, NULL, f, TRANSPORT_CLOSE_ORDERLY);
        return;
    }
    counter_add(s->counters, COUNTER_truncations_total, 1);
    break_relay(s, SESSION_ENDED_truncated,
                base_printf("the %s closed its connection without close_notify%s", side_name(s, f.source),
                            went_without_a_byte(f) ? WENT_WITHOUT_A_BYTE : ""),
                f, TRANSPORT_CLOSE_ORDERLY);
}

static void on_failed(struct session *s, struct flow_legs f)
{
    struct leg_state source = leg_state(f.source);

    /* Likewise one that has everything from us and closes without reading our close_notify: the kernel sends RST then.
     */
    if (source.end == LEG_END_DONE && source.input_error == UV_ECONNRESET) {
        break_relay(s, SESSION_ENDED_closed, NULL, f, TRANSPORT_CLOSE_ORDERLY);
        return;
    }
    if (leg_tls_state(f.source) == LEG_TLS_FAILED && source.input_error == 0) {
        leg_advance(f.source); /* its alert goes first */
        break_relay(s, SESSION_ENDED_relay_tls_failed,
                    base_printf("the %s: %s", side_name(s, f.source), leg_error(f.source)), f, TRANSPORT_CLOSE_ORDERLY);
        return;
    }
    break_relay(s, SESSION_ENDED_reset,
                base_printf("the %s's connection broke%s: %s", side_name(s, f.source),
                            went_without_a_byte(f) ? WENT_WITHOUT_A_BYTE : "", leg_error(f.source)),
                f, TRANSPORT_CLOSE_RESET);
}

/* What a filter held back goes first, as far as there is room; then the end. */
void session_advance_ending(struct session *s, enum starttls_direction direction)
{
    struct flow_legs f = flow_of(s, direction);
    struct leg_state sink;

    if (f.flow->state != FLOW_ENDING)
        return;
    sink = leg_state(f.sink);
    if (s->filter != NULL && sink.end == LEG_END_OPEN && sink.output_error == 0) {
        bool all = starttls_filter_rest(s->filter, f.direction, leg_outgoing(f.sink));

        leg_advance(f.sink);
        if (!all)
            return; /* the sink tells when it has room */
    }
    leg_end(f.sink);
    sink = leg_state(f.sink);
    if (sink.end == LEG_END_DONE || sink.output_error != 0)
        f.flow->state = FLOW_ENDED;
}

static void on_source_end(struct session *s, enum starttls_direction direction, enum leg_take how)
{
    struct flow_legs f = flow_of(s, direction);

    switch (how) {
    case LEG_TAKE_OK:
        break;
    case LEG_TAKE_ENDED:
        /* A client whose commands wait for replies need wait no longer once the server has ended. */
        if (s->filter != NULL && starttls_filter_end(s->filter, f.direction) == STARTTLS_READY)
            s->filter_ready = true;
        f.flow->state = FLOW_ENDING;
        session_advance_ending(s, f.direction);
        break;
    case LEG_TAKE_TRUNCATED:
        on_truncated(s, f);
        break;
    case LEG_TAKE_FAILED:
        on_failed(s, f);
        break;
    }
}

/* ---- moving bytes ---- */

/* After STARTTLS_READY the bytes of both directions pass as they are; what was held back goes before them. */
static void end_filter(struct session *s)
{
    bool all = starttls_filter_rest(s->filter, STARTTLS_FROM_SERVER, leg_outgoing(&s->client));

    all = starttls_filter_rest(s->filter, STARTTLS_FROM_CLIENT, leg_outgoing(&s->target)) && all;
    leg_advance(&s->client);
    leg_advance(&s->target);
    if (all)
        starttls_filter_destroy(&s->filter);
    else
        s->filter_ready = true; /* asked again when a leg has room */
}

/* Through the filter. false: nothing more can be moved now. */
static bool move_filtered(struct session *s, struct flow_legs f, struct span bytes)
{
    size_t consumed = 0;
    enum starttls_status status = starttls_filter_put(s->filter, f.direction, bytes, &consumed, leg_outgoing(f.sink));

    leg_return(f.source, span_skip(bytes, consumed));
    count_bytes(s, &f, consumed);
    leg_advance(f.sink);
    switch (status) {
    case STARTTLS_NEED_MORE:
        return consumed > 0;
    case STARTTLS_READY:
        end_filter(s);
        return s->filter == NULL;
    case STARTTLS_CLOSE:
        session_complete_exchange(s);
        session_advance_ending(s, f.direction);
        return false;
    case STARTTLS_UPGRADE:
    case STARTTLS_DIRECT:
    case STARTTLS_TARGET:
    case STARTTLS_REFUSED:
    case STARTTLS_BROKEN:
        break;
    }
    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    s->kind->on_broken(s, f.direction);
    return false;
}

/* A socket that always has more to read has its callback again and again, up to 32 times before libuv looks at another
 * one, and each time a block comes. So what counts is what was moved since the session's last turn, not within a step,
 * which moves a block at most. */
static void pump(struct session *s, struct flow_legs f)
{
    int error = leg_state(f.sink).output_error;

    if (error != 0 && f.flow->state != FLOW_ENDED) {
        session_note_end(s, SESSION_ENDED_reset,
                         base_printf("the %s no longer takes data: %s", side_name(s, f.sink), uv_strerror(error)));
        f.flow->state = FLOW_ENDED;
        f.flow->lost = true;
    }
    while (f.flow->state == FLOW_OPEN && leg_can_take(f.sink)) {
        struct span bytes;
        enum leg_take got;

        if (f.flow->bytes - f.flow->bytes_at_turn >= LIMIT_RELAY_BUDGET) {
            plane_continue_later(s->plane, &s->turn);
            return;
        }
        got = leg_take(f.source, &bytes);
        if (got != LEG_TAKE_OK) {
            s->kind->on_source_end(s, f.direction, got);
            return;
        }
        if (bytes.size == 0)
            return;
        if (s->filter != NULL) {
            if (!move_filtered(s, f, bytes))
                return;
            continue;
        }
        leg_send(f.sink, bytes);
        leg_return(f.source, span_skip(bytes, bytes.size));
        count_bytes(s, &f, bytes.size);
    }
    session_advance_ending(s, f.direction);
}

/* Where balancers are named, the first words of a client in plain text are not the server's before it is known that
 * they are no PROXY header: behind a server that takes one from us anybody could be anybody. False: not known yet, or
 * turned away. */
static bool client_may_begin(struct session *s)
{
    struct span bytes;

    if (s->from_client.bytes != 0 || s->service->config->accept_proxy == CONFIG_ACCEPT_PROXY_NONE ||
        leg_tls_state(&s->client) != LEG_TLS_NONE)
        return true;
    (void)leg_peek(&s->client, &bytes); /* how it has ended is asked when it is taken */
    if (starttls_proxy_is_header(bytes)) {
        (void)session_note_unexpected_header(s);
        session_end_now(s, TRANSPORT_CLOSE_RESET, TRANSPORT_CLOSE_RESET);
        return false;
    }
    s->words_undecided =
        bytes.size != 0 && starttls_proxy_likeness(bytes) == bytes.size && !leg_state(&s->client).input_ended;
    return !s->words_undecided;
}

/* The server's words first: the filter must have seen what the client answers to. */
void session_step_relay(struct session *s)
{
    if (s->filter_ready && s->filter != NULL) {
        end_filter(s);
        if (s->filter != NULL)
            return;
    }
    pump(s, flow_of(s, STARTTLS_FROM_SERVER));
    if (s->state == SESSION_RELAY && client_may_begin(s))
        pump(s, flow_of(s, STARTTLS_FROM_CLIENT));
    if (s->state == SESSION_RELAY)
        s->kind->on_moved(s);
}

/* ---- what a relay is ---- */

static void on_moved(struct session *s)
{
    if (s->from_client.state != FLOW_ENDED || s->from_target.state != FLOW_ENDED)
        return;
    session_note_end(s, SESSION_ENDED_closed, NULL);
    session_end_now(s, s->from_client.lost ? TRANSPORT_CLOSE_RESET : TRANSPORT_CLOSE_ORDERLY,
                    s->from_target.lost ? TRANSPORT_CLOSE_RESET : TRANSPORT_CLOSE_ORDERLY);
}

void session_blame_filter(struct session *s)
{
    static const enum session_fault faults[] = {
        [STARTTLS_FAULT_NONE] = SESSION_FAULT_NOBODY,   [STARTTLS_FAULT_CLIENT] = SESSION_FAULT_CLIENT,
        [STARTTLS_FAULT_SERVER] = SESSION_FAULT_TARGET, [STARTTLS_FAULT_LIMIT] = SESSION_FAULT_HERE,
        [STARTTLS_FAULT_YETT] = SESSION_FAULT_HERE,
    };
    enum starttls_fault fault = starttls_filter_fault(s->filter);

    session_blame(s, faults[fault], fault == STARTTLS_FAULT_LIMIT ? session_advice_limit : NULL);
}

static void on_broken(struct session *s, enum starttls_direction direction)
{
    struct flow_legs f = flow_of(s, direction);

    session_blame_filter(s);
    session_note_end(s, SESSION_ENDED_relay_protocol_error, base_strdup(starttls_filter_error(s->filter)));
    break_relay(s, SESSION_ENDED_relay_protocol_error, NULL, f, TRANSPORT_CLOSE_RESET);
}

/* Where something has not gone out, a FIN in its place would make a part look like the whole. */
static enum transport_close close_after_end(const struct leg *leg)
{
    return leg_state(leg).end == LEG_END_DONE ? TRANSPORT_CLOSE_ORDERLY : TRANSPORT_CLOSE_RESET;
}

/* An end from the relay, on our own account. */
static void end_relay(struct session *s, enum session_ended ended, const char *reason)
{
    session_note_end(s, ended, base_strdup(reason));
    leg_end(&s->client);
    leg_end(&s->target);
    session_end_now(s, close_after_end(&s->client), close_after_end(&s->target));
}

static void on_idle(struct session *s, bool half_closed)
{
    if (half_closed) {
        /* One side has ended long ago and the other never does: what it did not end is not complete. */
        session_note_end(s, SESSION_ENDED_timeout_half_close, base_strdup("the other side did not end in time"));
        session_end_now(s, s->from_target.state == FLOW_ENDED ? TRANSPORT_CLOSE_ORDERLY : TRANSPORT_CLOSE_RESET,
                        s->from_client.state == FLOW_ENDED ? TRANSPORT_CLOSE_ORDERLY : TRANSPORT_CLOSE_RESET);
        return;
    }
    counter_add(s->counters, COUNTER_timeouts_idle_total, 1);
    end_relay(s, SESSION_ENDED_timeout_idle, "nothing was sent either way for idle_timeout");
}

static void shut_down(struct session *s)
{
    end_relay(s, SESSION_ENDED_shutdown, "yett is stopping");
}

bool session_client_is_there(struct session *s)
{
    struct span said;
    bool ended;

    if (s->client_machine != NULL && starttls_client_may_leave(s->client_machine) &&
        leg_state(&s->client).input_error == 0)
        return true;
    /* With TLS only decrypting tells whether what came before the end of the connection is data or close_notify. */
    ended = leg_tls_state(&s->client) != LEG_TLS_NONE && leg_state(&s->client).input_ended &&
            leg_peek(&s->client, &said) != LEG_TAKE_OK;

    if (!ended && !leg_has_left(&s->client))
        return true;
    session_client_left(s);
    return false;
}

void session_note_nothing(struct session *s)
{
    (void)s;
}

void session_uncount_client(struct session *s)
{
    if (s->counted)
        peer_count_subtract(s->plane->peers, s->counted_as, s->means.peer);
}

const struct session_kind session_kind_relay = {
    .client_is_there = session_client_is_there,
    .make_proxy_header = session_make_proxy_header,
    .note_conversation = session_note_nothing,
    .serve = serve,
    .on_source_end = on_source_end,
    .on_broken = on_broken,
    .on_moved = on_moved,
    .on_idle = on_idle,
    .shut_down = shut_down,
    .note_failure = session_note_nothing,
    .on_end = session_uncount_client,
};
