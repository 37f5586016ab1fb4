/* see tests/unit/proxy/simulation.h: what is asserted.
 *
 * Of bytes, all the time: none comes twice, is lost, changed, or from another session (fake_peer.c compares each).
 * Nobody touches an engine that is on the pool, writes behind an end, or ends what has not gone (fake_tls.c,
 * fake_transport.c). The rest is here. */
#include "simulation.h"

#include "proxy/process/limits.h"
#include "proxy/service/memory_ceiling.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STILL_MAX = 4000, NUDGES_MAX = 400000 };

static void tell_peer(const struct fake_peer *p)
{
    if (p->t != NULL)
        fprintf(stderr, "  %s: step %zu (%s), sent %zu of %zu, received %zu of %zu%s%s%s%s%s%s\n",
                p->side == FAKE_CLIENT ? "client" : "target", p->step, fake_peer_step_name(p), p->sent, p->send,
                p->received, p->receive, p->tls ? ", tls" : "", p->notified ? ", has ended" : "",
                p->seen_end ? ", saw close_notify" : "", p->t->fin ? ", saw FIN" : "",
                p->t->close == FAKE_CLOSED  ? ", closed"
                : p->t->close == FAKE_RESET ? ", reset"
                                            : "",
                p->surprise != NULL ? ", surprised" : "");
}

void simulation_fail(const struct run *r, const char *what)
{
    fflush(stdout);
    if (r != NULL) {
        fprintf(stderr, "session %u (%s%s), fault %s%s, nudge %zu, end \"%s\"\n", r->number, r->kind->name,
                r->service % 2 != 0 ? ", on the pool" : "", fault_names[r->fault], r->met ? ", met" : "", r->nudges,
                r->end);
        tell_peer(&r->client);
        tell_peer(&r->target);
    }
    fprintf(stderr, "simulation: %s\n", what);
    abort(); /* which tells the seed */
}

/* ---- the log ---- */

static struct run *run_by_id(const char *conn)
{
    for (size_t i = 0; i < simulation.open_count; i++)
        if (strcmp(simulation.runs[simulation.open[i]].id, conn) == 0)
            return &simulation.runs[simulation.open[i]];
    return NULL;
}

static void count_end(struct generation *g, const char *end)
{
    for (int e = SESSION_ENDED_none; e < SESSION_ENDED_COUNT; e++)
        if (strcmp(session_end_of((enum session_ended)e)->name, end) == 0)
            g->failed += session_end_of((enum session_ended)e)->level == LOG_LEVEL_WARNING;
    g->left += strcmp(end, "client_left") == 0 || strcmp(end, "client_silent") == 0;
    g->reset += strcmp(end, "reset") == 0;
    g->half_closed += strcmp(end, "timeout_half_close") == 0;
    g->truncated += strcmp(end, "truncated") == 0;
}

void simulation_note_end(const char *conn, const char *end, uint64_t received_bytes, uint64_t sent_bytes)
{
    struct run *r = run_by_id(conn);
    struct generation *g;

    if (r == NULL)
        simulation_fail(NULL, "there is a line in the log of no session that is open");
    if (r->lines++ > 0)
        simulation_fail(r, "there is a second line in the log");
    snprintf(r->end, sizeof(r->end), "%s", end);
    r->told_received = received_bytes;
    r->told_sent = sent_bytes;
    g = &simulation.generations[r->generation];
    g->received_told += received_bytes;
    g->sent_told += sent_bytes;
    count_end(g, end);
}

/* ---- while it is open ---- */

/* From whom is read: never while the engine is away, never without room, and in the relay only where what comes can go
 * on to the other side: that is back pressure. And then it is: nobody is forgotten. */
static void check_flow(const struct run *r, const struct flow *flow, struct leg *source, struct leg *sink)
{
    const struct fake_transport *t = fake_of(source->transport);
    bool can_go_on = flow->state == FLOW_OPEN && leg_holds(source).received == 0 && leg_can_take(sink);
    bool can_come = !t->end_read && leg_tls_state(source) != LEG_TLS_ON_POOL &&
                    leg_tls_state(source) != LEG_TLS_FAILED &&
                    (source->tls.engine == NULL || (tls_engine_wants(source->tls.engine) & TLS_WANTS_RECORDS) != 0);

    if (t->base.reading && !can_go_on)
        simulation_fail(r, "more is read although it cannot go on to the other side");
    if (can_go_on && can_come && !t->base.reading && !r->session->turn.waits)
        simulation_fail(r, "what comes could go on, and is not read");
}

static void check_reading(const struct run *r, struct leg *leg)
{
    const struct fake_transport *t;

    if (!leg_is_attached(leg))
        return;
    t = fake_of(leg->transport);
    if (!t->base.reading)
        return;
    if (leg_tls_state(leg) == LEG_TLS_ON_POOL)
        simulation_fail(r, "it is read from while the engine is on the pool");
    if (t->base.events->lend(t->base.owner).len == 0)
        simulation_fail(r, "it is read from without room for what comes");
    if (!leg->discarding && leg_holds(leg).received >= LIMIT_HELD_MAX)
        simulation_fail(r, "more is read although as much is held as may be");
}

/* The client's are thrown away, as soon as all is said; the target is none of it. */
static void check_last_words(const struct run *r)
{
    struct leg *target = &r->session->target;

    if (!leg_is_attached(target))
        return;
    if (!r->relayed)
        simulation_fail(r, "its client is turned away, and it keeps the target");
    if (fake_of(target->transport)->base.reading)
        simulation_fail(r, "its response is whole, and the target is read from");
}

void simulation_check_run(struct run *r)
{
    struct session *s = r->session;

    if (simulation_is_closed(r))
        return;
    if (r->nudges > NUDGES_MAX)
        simulation_fail(r, "it never ends");
    if (r->still > STILL_MAX && simulation_is_let_alone(r))
        simulation_fail(r, "it was let alone, and nothing moves any more");
    if (s->state == SESSION_LAST_WORDS) {
        check_last_words(r);
    } else {
        check_reading(r, &s->client);
        check_reading(r, &s->target);
    }
    if (s->kind == &session_kind_relay && s->state >= SESSION_CONNECT && s->state < SESSION_RELAY &&
        leg_has_left(&s->client) && !(s->client_machine != NULL && starttls_client_may_leave(s->client_machine)))
        simulation_fail(r, "its client has left, and it goes on to the target");
    if (s->state == SESSION_RELAY) {
        r->relayed = true;
        check_flow(r, &s->from_client, &s->client, &s->target);
        check_flow(r, &s->from_target, &s->target, &s->client);
    }
    simulation_totals.checks.reading++;
    if (session_memory(s) > sizeof(*s) + memory_ceiling(s->service->config))
        simulation_fail(r, "it is above its ceiling of memory");
    simulation_totals.checks.ceilings++;
}

/* ---- counters ---- */

static uint64_t sum_of(const struct generation *g, enum counter counter)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < simulation_services()->count; i++)
        sum += counters_read(g->plane.counters, i, counter);
    return sum;
}

void simulation_check_all(void)
{
    uint64_t waiting = 0;

    for (size_t i = 0; i < GENERATIONS; i++) {
        const struct generation *g = &simulation.generations[i];

        if (!g->is_up)
            continue;
        if (sum_of(g, COUNTER_connections_open) != g->plane.session_count ||
            sum_of(g, COUNTER_connections_total) != g->started)
            simulation_fail(NULL, "the connections counted are not those that are open");
        waiting += sum_of(g, COUNTER_handshake_queue_waiting);
    }
    if (waiting != fake_pool_size())
        simulation_fail(NULL, "the steps counted on the pool are not those that are there");
    simulation_totals.checks.counters++;
}

void simulation_check_generation(const struct generation *g)
{
    const struct plane *p = &g->plane;

    if (p->session_count != 0 || p->sessions != NULL || p->wheel.count != 0 || p->turn_first != NULL ||
        handshake_turns_waiting(p->turns) != 0 || peer_count_addresses(p->peers) != 0)
        simulation_fail(NULL, "something of a session is left in its worker");
    for (size_t i = 0; i < simulation_services()->count; i++)
        if (p->service_session_count[i] != 0)
            simulation_fail(NULL, "a service counts sessions that are gone");
    if (g->received_told != sum_of(g, COUNTER_client_received_bytes_total) ||
        g->sent_told != sum_of(g, COUNTER_client_sent_bytes_total))
        simulation_fail(NULL, "the bytes counted are not those that the log has");
    if (g->failed != sum_of(g, COUNTER_sessions_failed_total) || g->left != sum_of(g, COUNTER_clients_left_total) ||
        g->reset != sum_of(g, COUNTER_resets_total) || g->half_closed != sum_of(g, COUNTER_timeouts_half_close_total) ||
        g->truncated > sum_of(g, COUNTER_truncations_total))
        simulation_fail(NULL, "the ends counted are not those that the log has");
    simulation_totals.checks.planes++;
}

/* ---- the end of a session ---- */

/* Whether `end` is one of `ends`. */
static bool is_one_of(const char *end, const char *ends)
{
    size_t size = strlen(end);

    for (const char *at = strstr(ends, end); at != NULL; at = strstr(at + 1, end))
        if ((at == ends || at[-1] == '|') && (at[size] == '\0' || at[size] == '|'))
            return true;
    return false;
}

static void check_let_alone(const struct run *r)
{
    const char *surprise = r->client.surprise != NULL ? r->client.surprise : r->target.surprise;
    bool probe = r->kind->look == LOOK_PROBE;

    if (surprise != NULL)
        simulation_fail(r, surprise);
    if (strcmp(r->end, "closed") != 0)
        simulation_fail(r, "it was let alone, and did not end well");
    if ((!probe && !fake_peer_is_done(&r->client)) || !fake_peer_is_done(&r->target))
        simulation_fail(r, "it was let alone, and somebody has not heard or said all");
    if (probe && !r->probe.good)
        simulation_fail(r, "the target serves, and the probe says otherwise");
    if (!probe && !fake_peer_saw_end(&r->client))
        simulation_fail(r, "it was let alone, and the client has not heard the target's end");
    if (!probe && !r->kind->is_exchange && !fake_peer_saw_end(&r->target))
        simulation_fail(r, "it was let alone, and the target has not heard the client's end");
    simulation_totals.checks.good_ends++;
}

/* Nothing of its own has broken its connection: it may judge how ours ended. */
static bool is_whole(const struct fake_peer *p)
{
    return p->t != NULL && p->t->read_error == 0 && p->t->write_error == 0 && (!p->t->peer_ended || p->notified);
}

/* What says that all was said: close_notify, or FIN without TLS, which close(2) sends as well. */
static bool took_end_for_good(const struct run *r, const struct fake_peer *p)
{
    if (!is_whole(p))
        return false;
    return p->tls ? p->seen_end : p->t->fin || (r->relayed && p->t->close == FAKE_CLOSED);
}

/* Who is turned away is told so in his protocol's words, before the end. */
static void check_words(const struct run *r)
{
    bool turned_away = strcmp(r->end, "target_failed") == 0 || strcmp(r->end, "target_denied") == 0 ||
                       strcmp(r->end, "target_tls_failed") == 0;
    bool heard = r->client.surprise != NULL || r->client.in.size > 0 || r->client.received > 0;

    if (turned_away && r->kind->look == LOOK_CLIENT && r->kind->protocol != CONFIG_PROTOCOL_TCP &&
        took_end_for_good(r, &r->client) && !heard)
        simulation_fail(r, "the client is turned away without a word");
}

static void check_fault(const struct run *r)
{
    const char *ends = fault_ends[r->fault];

    if ((r->fault == FAULT_CLIENT_INJECTS || r->fault == FAULT_TARGET_INJECTS) &&
        (r->relayed || r->target.received > 0))
        simulation_fail(r, "somebody hid text behind STARTTLS, and was served");
    if (!r->relayed && strncmp(r->end, "timeout", 7) == 0 &&
        (r->fault == FAULT_CLIENT_END || r->fault == FAULT_TARGET_END))
        simulation_fail(r, "one of its peers has left before the relay, and it waited for the other");
    if (r->target.t != NULL && !r->aged && strcmp(r->end, "reset") == 0 &&
        ((r->fault == FAULT_TARGET_WRITE && r->client.t->close != FAKE_RESET) ||
         (r->fault == FAULT_CLIENT_WRITE && r->target.t->close != FAKE_RESET)))
        simulation_fail(r, "what somebody said was lost, and he was not told by a reset");
    check_words(r);
    if (ends == NULL)
        return;
    if (strcmp(r->end, "closed") != 0 && !is_one_of(r->end, ends))
        simulation_fail(r, "it did not end as this fault does");
    simulation_totals.checks.fault_ends++;
}

static bool has_ended_well(const struct fake_peer *p)
{
    return p->t != NULL && (p->tls ? p->notified && p->out.size == 0 : p->t->peer_ended);
}

/* Who takes an end for good has heard all that the log counts. */
static void check_told(const struct run *r, const struct fake_peer *p, uint64_t told)
{
    enum fake_step step = p->script[p->step].step;
    bool hears = step == FAKE_STREAM || step == FAKE_HEAR || step == FAKE_AWAIT_END || step == FAKE_END;

    /* Before the relay the client may be given a page of ours. */
    if ((r->kind->payload & PAYLOAD_COUNTED) == 0 || p->t == NULL || !r->relayed || !hears || p->surprise != NULL)
        return;
    if (p->received > told)
        simulation_fail(r, "somebody has heard more than the log counts");
    if (took_end_for_good(r, p) && p->received != told)
        simulation_fail(r, "somebody was told a good end before all that the log counts");
}

/* A part of a response is never followed by an end that looks good, or by words of our own. */
static void check_exchange(const struct run *r)
{
    if (r->client.received > 0 && r->client.received < r->client.receive && took_end_for_good(r, &r->client))
        simulation_fail(r, "the client was told a good end behind a part of its response");
}

/* Whatever happened: what was taken for payload was payload, and a good end comes only behind all of it. */
static void check_peers(const struct run *r)
{
    static const char mixed[] = "bytes that the other side has not said there";
    bool tcp = r->kind->protocol == CONFIG_PROTOCOL_TCP;
    bool own_end = r->stopped || (strncmp(r->end, "timeout", 7) == 0 && strcmp(r->end, "timeout_half_close") != 0);
    bool client = took_end_for_good(r, &r->client), target = took_end_for_good(r, &r->target);

    simulation_totals.checks.payload_bytes += r->client.received + r->target.received;
    if (r->kind->look == LOOK_PROBE || r->fault == FAULT_CLIENT_NONSENSE || r->fault == FAULT_TARGET_NONSENSE ||
        r->fault == FAULT_TARGET_HASTY)
        return; /* nonsense may well be passed on */
    if (tcp && (r->client.surprise == mixed || r->target.surprise == mixed))
        simulation_fail(r, "somebody has got bytes that were not for him");
    simulation_totals.checks.told_ends += client + target;
    check_told(r, &r->target, r->told_received);
    check_told(r, &r->client, r->told_sent);
    if (r->kind->is_exchange)
        check_exchange(r);
    if (own_end || r->kind->is_exchange)
        return;
    if (target && !has_ended_well(&r->client))
        simulation_fail(r, "the target was told a good end, and the client has not ended so");
    if (tcp && client && r->client.received > 0 && !has_ended_well(&r->target))
        simulation_fail(r, "the client was told a good end, and the target has not ended so");
    if (target && r->client.notified && r->client.out.size == 0 && r->target.received < r->client.sent)
        simulation_fail(r, "the target was told a good end before all was told");
}

void simulation_check_end(const struct run *r)
{
    if (r->lines != 1)
        simulation_fail(r, "it is gone and has left no line in the log");
    for (size_t i = 0; i < r->transport_count; i++)
        if (r->transports[i]->close == FAKE_OPEN)
            simulation_fail(r, "it is gone, and a connection of it is open");
    if (simulation_is_let_alone(r))
        check_let_alone(r);
    else if (r->met && !r->shaken)
        check_fault(r);
    check_peers(r);
}
