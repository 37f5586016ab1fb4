/* see proxy/session/session_internal.h
 *
 * One HTTP request and its response, where TLS with the target is ours: the relay with starttls_exchange_create() for
 * its filter. How it ends is for the filter to say, not for whoever closes first:
 *
 *   the response is whole                  it goes out, then our end, then LAST_WORDS; the target is told to go
 *   the target ends or breaks before that  502 where nothing of the response has gone out, else a reset: nobody
 *                                          must take a part for the whole (RFC 9112 section 8)
 *   the client ends after its request      nothing: it waits for the response
 *   the client ends within it, or is gone  the target sees its connection end within the request */
#include "proxy/session/session_internal.h"

#include "starttls/http/http_proxy.h"
#include <stdlib.h>

static void serve(struct session *s)
{
    session_enter(s, SESSION_RELAY);
    s->relayed = true;
    s->filter = starttls_exchange_create(s->client_machine, leg_outgoing(&s->target));
    starttls_machine_destroy(&s->client_machine);
    leg_advance(&s->target);
}

/* It cannot be finished: an error of ours where nothing else has been said, a reset otherwise; takes `reason`. */
static void fail(struct session *s, enum starttls_failure failure, enum session_ended ended, char *reason)
{
    if (starttls_exchange_status(s->filter) == 0) {
        session_refuse(s, failure, ended, reason);
        return;
    }
    session_note_end(s, ended, reason);
    session_end_now(s, TRANSPORT_CLOSE_RESET, TRANSPORT_CLOSE_RESET);
}

void session_complete_exchange(struct session *s)
{
    s->from_client.state = FLOW_ENDED; /* what it still says is nobody's */
    s->from_target.state = FLOW_ENDING;
    leg_end(&s->target);
    leg_set_reading(&s->target, false);
}

static void on_broken(struct session *s, enum starttls_direction direction)
{
    bool client = starttls_filter_fault(s->filter) == STARTTLS_FAULT_CLIENT;

    (void)direction;
    session_blame_filter(s);
    if (!client && s->http.page_words == NULL)
        s->http.page_words = base_strdup(starttls_filter_public_error(s->filter));
    fail(s, client ? STARTTLS_FAILURE_BAD_REQUEST : STARTTLS_FAILURE_TARGET_SPEECH,
         client ? SESSION_ENDED_protocol_error : SESSION_ENDED_relay_protocol_error,
         base_strdup(starttls_filter_error(s->filter)));
}

static void on_client_end(struct session *s, enum leg_take how)
{
    if (how == LEG_TAKE_FAILED) {
        session_note_broken(s, SESSION_ENDED_client_left, &s->client, base_strdup(leg_error(&s->client)));
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_RESET);
    } else if (starttls_filter_end(s->filter, STARTTLS_FROM_CLIENT) == STARTTLS_READY) {
        s->from_client.state = FLOW_ENDED; /* a request that is whole needs no close_notify */
    } else {
        session_note_end(s, SESSION_ENDED_client_left, base_strdup(starttls_filter_error(s->filter)));
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_RESET);
    }
}

static void on_target_end(struct session *s, enum leg_take how)
{
    if (how == LEG_TAKE_ENDED && starttls_filter_end(s->filter, STARTTLS_FROM_SERVER) == STARTTLS_CLOSE) {
        session_complete_exchange(s);
        return;
    }
    if (how == LEG_TAKE_TRUNCATED)
        counter_add(s->counters, COUNTER_truncations_total, 1);
    counter_add(s->counters, COUNTER_targets_failed_total, 1);
    session_blame(s, SESSION_FAULT_TARGET, NULL);
    fail(s, STARTTLS_FAILURE_TARGET_DOWN,
         how == LEG_TAKE_ENDED       ? SESSION_ENDED_relay_protocol_error
         : how == LEG_TAKE_TRUNCATED ? SESSION_ENDED_truncated
                                     : SESSION_ENDED_reset,
         base_strdup(how == LEG_TAKE_ENDED       ? starttls_filter_error(s->filter)
                     : how == LEG_TAKE_TRUNCATED ? "the target closed its connection without close_notify"
                                                 : leg_error(&s->target)));
}

static void on_source_end(struct session *s, enum starttls_direction direction, enum leg_take how)
{
    if (how == LEG_TAKE_OK)
        return;
    if (direction == STARTTLS_FROM_CLIENT)
        on_client_end(s, how);
    else
        on_target_end(s, how);
    if (s->state == SESSION_RELAY)
        session_advance_ending(s, direction);
}

/* The response has gone out: the client gets a moment to read it. */
static void on_moved(struct session *s)
{
    if (s->from_target.lost) { /* the client does not take its response */
        session_end_now(s, TRANSPORT_CLOSE_RESET, TRANSPORT_CLOSE_RESET);
    } else if (s->from_target.state == FLOW_ENDED) {
        session_note_end(s, SESSION_ENDED_closed, NULL);
        session_enter(s, SESSION_LAST_WORDS);
    }
}

static void on_idle(struct session *s, bool half_closed)
{
    (void)half_closed;
    counter_add(s->counters, COUNTER_timeouts_idle_total, 1);
    fail(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_idle,
         base_strdup("nothing was sent either way for idle_timeout"));
}

static void shut_down(struct session *s)
{
    fail(s, STARTTLS_FAILURE_SHUTDOWN, SESSION_ENDED_shutdown, base_strdup("yett is stopping"));
}

/* A client that has said its whole request may end its side and wait; what was not whole is found out in the relay. */
static bool client_is_there(struct session *s)
{
    struct leg_state client = leg_state(&s->client);

    if (client.input_error == 0 && client.output_error == 0)
        return true;
    session_client_left(s);
    return false;
}

const struct session_kind session_kind_exchange = {
    .always_tls = true,
    .client_may_end = true,
    .client_is_there = client_is_there,
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
