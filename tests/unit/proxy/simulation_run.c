/* see tests/unit/proxy/simulation.h: what happens to a run. */
#include "simulation.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UP_HUGE_MAX = 3000000,
    UP_MAX = 300000,
    UP_OFTEN_MAX = 6000,
    UP_FINE_MAX = 300,
    ROOM = 128 * 1024,
    ADDRESSES = 3,
    STILL = 1000,
    STILL_EVEN = 300
};

#define FAULT_NAME(name, ends) #name,
const char *const fault_names[FAULT_COUNT] = {FAULTS(FAULT_NAME)};
#define FAULT_ENDS(name, ends) ends,
const char *const fault_ends[FAULT_COUNT] = {FAULTS(FAULT_ENDS)};

struct simulation simulation;
struct simulation_totals simulation_totals;

/* splitmix64. */
uint64_t simulation_random(void)
{
    uint64_t z = simulation.random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t simulation_below(size_t n)
{
    return (size_t)(simulation_random() % n);
}

static size_t piece(const struct run *r)
{
    return r->is_fine || simulation_below(3) != 0 ? 1 + simulation_below(10) : 64 * 1024;
}

/* ---- a run and its session ---- */

/* A transport that its session has closed has no owner. */
bool simulation_is_closed(const struct run *r)
{
    if (r->kind->look == LOOK_PROBE)
        return r->probe.session == NULL;
    return r->transport_count > 0 && r->transports[0]->base.owner == NULL;
}

struct run *simulation_run_of(const struct session *s)
{
    for (size_t i = 0; i < simulation.open_count; i++) {
        struct run *r = &simulation.runs[simulation.open[i]];

        if (r->session == s && !simulation_is_closed(r))
            return r;
    }
    return NULL;
}

static void hit(struct run *r)
{
    fake_trace("  session %u meets %s", r->number, fault_names[r->fault]);
    r->met = true;
    simulation_totals.faults[r->fault]++;
}

static void adopt(struct run *r, struct fake_transport *t)
{
    if (r->transport_count == TRANSPORTS_MAX)
        simulation_fail(r, "it has too many targets");
    r->transports[r->transport_count++] = t;
}

static size_t payload_size(const struct run *r, unsigned which)
{
    if ((r->kind->payload & which) == 0)
        return 0;
    if (r->is_fine)
        return simulation_below(UP_FINE_MAX);
    if (simulation_below(300) == 0)
        return simulation_below(UP_HUGE_MAX); /* so that it must give way to others */
    return simulation_below(simulation_below(12) == 0 ? UP_MAX : UP_OFTEN_MAX);
}

static void start_peers(struct run *r)
{
    /* A client that goes without a word before its target is there is not let alone: it has left. */
    size_t up = payload_size(r, PAYLOAD_UP) + ((r->kind->payload & PAYLOAD_UP) != 0),
           down = payload_size(r, PAYLOAD_DOWN);
    enum fake_payload payload = r->kind->payload & PAYLOAD_LINES ? FAKE_PAYLOAD_LINES : FAKE_PAYLOAD_BYTES;
    struct fake_transport *t = r->kind->look == LOOK_PROBE ? NULL : r->transports[0];

    fake_peer_start(&r->client, t, FAKE_CLIENT, r->number, r->kind->client, up, down);
    fake_peer_start(&r->target, NULL, FAKE_TARGET, r->number, r->kind->target, down, up);
    r->client.payload = r->target.payload = payload;
}

static void on_probed(struct session_probe *probe)
{
    (void)probe; /* its session is NULL now */
}

static void start_session(struct run *r)
{
    struct plane *plane = &simulation.generations[r->generation].plane;
    struct session_accepted accepted = {.service_index = r->service, .fd = -1, .type = TRANSPORT_TCP};
    struct sockaddr_in *peer = (struct sockaddr_in *)(void *)&accepted.peer;

    if (r->kind->look == LOOK_PROBE) {
        r->probe = (struct session_probe){.service_index = r->service, .on_done = on_probed};
        session_start_probe(plane, &r->probe);
        r->session = r->probe.session;
        return;
    }
    peer->sin_family = AF_INET;
    peer->sin_addr.s_addr = htonl((uint32_t)(0x0a000000 + simulation_below(simulation.is_crowded ? 1 : ADDRESSES)));
    plane->service_session_count[r->service]++;
    if (!session_awaits_header(plane->services->items[r->service].config, (struct sockaddr *)peer) &&
        !peer_count_add(plane->peers, r->service, peer_key_of((struct sockaddr *)peer), 0))
        simulation_fail(r, "the peer was not counted");
    session_start(plane, &accepted);
    r->session = plane->sessions;
    adopt(r, fake_transports);
    fake_transports->room = simulation_below(4) == 0 ? simulation_below(100) : ROOM;
}

/* What is there from the first word on. */
static void prepare_fault(struct run *r)
{
    if ((r->fault == FAULT_CLIENT_INJECTS && fake_script_can_inject(r->kind->client)) ||
        (r->fault == FAULT_TARGET_INJECTS && fake_script_can_inject(r->kind->target))) {
        r->client.injects = r->fault == FAULT_CLIENT_INJECTS; /* the target's is told when it is there */
        hit(r);
    }
}

/* Of each protocol as many, whatever number of kinds it has. */
static size_t choose_service(void)
{
    size_t speech = simulation_below(simulation_speeches());
    size_t first = simulation_first_service(speech);

    return first + simulation_below(simulation_first_service(speech + 1) - first);
}

struct run *simulation_start_run(void)
{
    size_t index = 0;
    struct run *r;
    struct generation *g = &simulation.generations[simulation.generation];

    while (simulation.runs[index].used)
        index++;
    r = &simulation.runs[index];
    *r = (struct run){.used = true,
                      .number = ++simulation.started,
                      .service = choose_service(),
                      .generation = simulation.generation,
                      .pace = (enum pace)simulation_below(3)};
    simulation.open[simulation.open_count++] = index;
    if (simulation.is_crowded && simulation_below(4) != 0)
        r->service -= r->service % 2; /* steps are the loop's own */
    r->kind = simulation_kind_of(r->service);
    r->is_fine = r->pace == PACE_EVEN && (r->kind->payload & PAYLOAD_MANY) == 0 && simulation_below(2) == 0;
    r->fault = simulation_below(2) == 0 ? FAULT_NONE : (enum fault)simulation_below(FAULT_COUNT);
    r->fault_at = simulation_below(4) == 0 ? simulation_below(400) : simulation_below(60);
    if (r->fault == FAULT_POOL_FULL || r->fault == FAULT_POOL_PLACE || r->fault == FAULT_CLIENT_HELLO)
        r->fault_at = simulation_below(20);
    else if (r->fault != FAULT_NONE && simulation_below(2) == 0)
        r->is_late = true;
    snprintf(r->id, sizeof(r->id), "0.%u.%u", g->number, ++g->started);
    fake_trace("  session %u is %s: %s%s%s, fault %s at nudge %zu", r->number, r->id, r->kind->name,
               r->service % 2 != 0 ? ", on the pool" : "", r->is_fine ? ", fine" : "", fault_names[r->fault],
               r->fault_at);
    start_session(r);
    if (g->plane.sessions == NULL || strcmp(g->plane.sessions->id, r->id) != 0)
        simulation_fail(r, "it did not begin");
    start_peers(r);
    prepare_fault(r);
    return r;
}

/* ---- connecting ---- */

static bool connecting_fails(struct run *r, size_t index)
{
    bool denied = r->fault == FAULT_CONNECT_DENIED;

    /* As proxy/session/connect.c tells them; a socket that cannot be had is an attempt that has failed. */
    if (r->met || (!denied && r->fault != FAULT_CONNECT_FAILED && r->fault != FAULT_NO_SOCKET))
        return false;
    hit(r);
    fake_connect_failed(index, denied ? CONNECT_DENIED : CONNECT_FAILED);
    return true;
}

void simulation_connect_one(void)
{
    size_t index, send, receive;
    struct run *r;
    struct fake_transport *t;
    enum fake_payload payload;

    if (fake_connectors() == 0)
        return;
    index = simulation_below(fake_connectors());
    r = simulation_run_of(fake_connector_session(index));
    if (r == NULL)
        simulation_fail(NULL, "somebody connects whose session is closed");
    r->still = 0;
    if (r->fault == FAULT_CONNECT_SILENT) {
        if (!r->met)
            hit(r);
        return;
    }
    if (connecting_fails(r, index))
        return;
    fake_trace("  session %u is connected", r->number);
    if (r->target.t != NULL && r->target.t->close == FAKE_OPEN)
        simulation_fail(r, "it has a second target while the first is open");
    t = fake_of(fake_connect(index));
    adopt(r, t);
    if (simulation_below(4) == 0)
        t->room = simulation_below(100);
    send = r->target.send;
    receive = r->target.receive;
    payload = r->target.payload;
    fake_peer_stop(&r->target);
    fake_peer_start(&r->target, t, FAKE_TARGET, r->number,
                    r->kind->via == VIA_REFUSES_FIRST && r->targets == 0 ? simulation_via_refusal : r->kind->target,
                    send, receive);
    r->target.payload = payload;
    r->targets++;
    r->target.injects = r->fault == FAULT_TARGET_INJECTS;
    if (r->fault == FAULT_TARGET_HELLO && !r->met) {
        r->target.bad_hello = true;
        hit(r);
    }
    if (r->fault == FAULT_TARGET_HASTY && !r->met) {
        r->target.is_hasty = true;
        if (!simulation_is_closed(r))
            t->room = simulation_below(20);
        hit(r);
    }
    simulation_check_run(r);
}

/* ---- the pool and turns ---- */

static bool on_submit(struct handshake_job *job)
{
    struct run *r = simulation_run_of(fake_session_of(CONTAINER_OF(job, struct leg_tls, job)));
    bool all = simulation.step < simulation.pool_full_until;

    if (r == NULL)
        simulation_fail(NULL, "a step of a session that is closed was given to the pool");
    if (!all && (r->fault != FAULT_POOL_FULL || r->met || r->nudges < r->fault_at))
        return true;
    if (all)
        r->shaken = true;
    else
        hit(r);
    return false;
}

static void on_turn_lost(struct session *s)
{
    struct run *r = simulation_run_of(s);

    if (r == NULL)
        simulation_fail(NULL, "a session that is closed had a turn to lose");
    if (simulation_is_let_alone(r)) {
        r->fault = FAULT_TURN_LOST;
        hit(r);
    } else {
        r->shaken = true;
    }
    r->still = 0;
}

void simulation_open(void)
{
    simulation_kinds_open();
    fake_on_end = simulation_note_end;
    fake_on_turn_lost = on_turn_lost;
    fake_pool_takes = on_submit;
}

static struct run *run_of_job(size_t index)
{
    struct handshake_job *job = fake_pool_job(index);

    return job->abandoned ? NULL : simulation_run_of(fake_session_of(CONTAINER_OF(job, struct leg_tls, job)));
}

void simulation_run_pool(void)
{
    size_t index;
    struct run *r;

    if (fake_pool_size() == 0)
        return;
    index = simulation_below(fake_pool_size());
    r = run_of_job(index);
    if (r == NULL && !fake_pool_job(index)->abandoned)
        simulation_fail(NULL, "a session is closed, and the pool does not know that nobody waits for its step");
    if (r == NULL) { /* its session waits for nothing else */
        fake_pool_run(index);
        return;
    }
    fake_trace("  the pool takes a step of session %u", r->number);
    r->still = 0;
    fake_pool_run(index);
    simulation_check_run(r);
}

/* Another has got its place. */
static bool refuse_on_pool(const struct run *r)
{
    for (size_t i = 0; i < fake_pool_size(); i++)
        if (run_of_job(i) == r && !fake_pool_job(i)->begun) {
            fake_pool_refuse(i);
            return true;
        }
    return false;
}

/* ---- faults ---- */

static bool is_broken(const struct fake_peer *p)
{
    return p->t == NULL || p->t->close != FAKE_OPEN || p->t->peer_ended || p->t->read_error != 0;
}

enum breaking { BREAK_END, BREAK_RESET, BREAK_WRITE, BREAK_NONSENSE };

static bool break_peer(struct fake_peer *p, enum breaking how)
{
    static const uint8_t nonsense[] = "\xff\xff\xffnonsense\r\n\r\n";

    if (is_broken(p))
        return false;
    switch (how) {
    case BREAK_END:
        p->t->peer_ended = true;
        break;
    case BREAK_RESET:
        p->t->read_error = UV_ECONNRESET;
        break;
    case BREAK_WRITE:
        p->t->write_error = UV_EPIPE;
        break;
    case BREAK_NONSENSE:
        fake_send(p->t, span_of(nonsense, sizeof(nonsense) - 1));
        break;
    }
    return true;
}

static bool inject(struct run *r)
{
    switch (r->fault) {
    case FAULT_CLIENT_END:
        return break_peer(&r->client, BREAK_END);
    case FAULT_CLIENT_RESET:
        return break_peer(&r->client, BREAK_RESET);
    case FAULT_CLIENT_WRITE:
        return break_peer(&r->client, BREAK_WRITE);
    case FAULT_CLIENT_NONSENSE:
        return break_peer(&r->client, BREAK_NONSENSE);
    case FAULT_TARGET_END:
        return break_peer(&r->target, BREAK_END);
    case FAULT_TARGET_RESET:
        return break_peer(&r->target, BREAK_RESET);
    case FAULT_TARGET_WRITE:
        return break_peer(&r->target, BREAK_WRITE);
    case FAULT_TARGET_NONSENSE:
        return break_peer(&r->target, BREAK_NONSENSE);
    case FAULT_CLIENT_HELLO:
        r->client.bad_hello = true;
        return r->client.t != NULL;
    case FAULT_CLIENT_SILENT:
        return r->client.t != NULL;
    case FAULT_TARGET_SILENT:
        return r->target.t != NULL;
    case FAULT_POOL_PLACE:
        return refuse_on_pool(r);
    case FAULT_SHUT_DOWN:
        r->stopped = true;
        session_shut_down(r->session);
        return true;
    case FAULT_NONE: /* the others come when they can */
    case FAULT_TARGET_HELLO:
    case FAULT_TARGET_HASTY:
    case FAULT_CLIENT_INJECTS:
    case FAULT_TARGET_INJECTS:
    case FAULT_CONNECT_SILENT:
    case FAULT_CONNECT_FAILED:
    case FAULT_CONNECT_DENIED:
    case FAULT_NO_SOCKET:
    case FAULT_POOL_FULL:
    case FAULT_TURN_LOST:
    case FAULT_COUNT:
        break;
    }
    return false;
}

/* ---- a nudge: one thing that a peer, or the kernel, does ---- */

static const char *side_name(const struct fake_peer *p)
{
    return p->side == FAKE_CLIENT ? "client" : "target";
}

static void nudge_peer(struct run *r, struct fake_peer *p)
{
    size_t size = piece(r), before;

    if (p->t == NULL)
        return;
    switch (simulation_below(3)) {
    case 0:
        before = p->t->incoming.size;
        fake_peer_go_on(p, size);
        if (p->t->incoming.size != before)
            fake_trace("  session %u: the %s (%s) sends %zu", r->number, side_name(p), fake_peer_step_name(p),
                       p->t->incoming.size - before);
        break;
    case 1:
        p->t->read_max = size;
        before = p->t->incoming.size;
        if (!fake_read(p->t))
            break;
        r->moves++;
        fake_trace("  session %u: read %zu from the %s%s", r->number, before - p->t->incoming.size, side_name(p),
                   before == 0 ? ", its end" : "");
        break;
    default:
        before = p->t->wire.size;
        if (!p->t->base.blocked && p->t->room >= ROOM)
            break;
        if (!fake_take(p->t, size))
            break;
        r->moves++;
        fake_trace("  session %u: the kernel has room for %zu to the %s", r->number, size, side_name(p));
        break;
    }
}

static bool side_is_silent(const struct run *r, enum fake_side side)
{
    return r->met && r->fault == (side == FAKE_CLIENT ? FAULT_CLIENT_SILENT : FAULT_TARGET_SILENT);
}

bool simulation_is_silent(const struct run *r)
{
    if (simulation_is_let_alone(r) || simulation_is_closed(r))
        return false;
    return r->still > (r->pace == PACE_EVEN ? STILL_EVEN : STILL) || r->fault == FAULT_CONNECT_SILENT ||
           r->fault == FAULT_CLIENT_SILENT || r->fault == FAULT_TARGET_SILENT;
}

static struct fake_peer *choose_peer(struct run *r)
{
    size_t chance = simulation_below(16);
    size_t client_has = r->pace == PACE_EVEN ? 8 : r->pace == PACE_FAST_CLIENT ? 15 : 1;

    return chance < client_has ? &r->client : &r->target;
}

void simulation_nudge(struct run *r)
{
    uint64_t moves = r->moves + r->client.moves + r->target.moves;
    struct fake_peer *p;

    r->nudges++;
    if (r->is_late && r->relayed) { /* from now on it counts */
        r->is_late = false;
        r->fault_at += r->nudges;
    }
    if (r->nudges >= r->fault_at && !r->is_late && !r->met && inject(r))
        hit(r);
    if (simulation_is_closed(r))
        return;
    p = choose_peer(r);
    if (!side_is_silent(r, p->side))
        nudge_peer(r, p);
    r->still = r->moves + r->client.moves + r->target.moves == moves ? r->still + 1 : 0;
}

/* ---- the end ---- */

static void forget(const struct run *r)
{
    size_t index = (size_t)(r - simulation.runs);

    for (size_t i = 0; i < simulation.open_count; i++)
        if (simulation.open[i] == index) {
            simulation.open[i] = simulation.open[--simulation.open_count];
            return;
        }
}

void simulation_finish(struct run *r)
{
    if (r->client.t != NULL)
        fake_peer_go_on(&r->client, 0); /* what was on its way */
    if (r->target.t != NULL)
        fake_peer_go_on(&r->target, 0);
    fake_trace("  session %u is over: %s", r->number, r->end);
    simulation_check_end(r);
    fake_peer_stop(&r->client);
    fake_peer_stop(&r->target);
    for (size_t i = 0; i < r->transport_count; i++)
        fake_transport_free(r->transports[i]);
    free(r->probe.text);
    forget(r);
    r->used = false;
    simulation.ended++;
}

void simulation_start_generation(void)
{
    struct generation *g;

    simulation.generation = simulation.generation_count % GENERATIONS;
    g = &simulation.generations[simulation.generation];
    *g = (struct generation){.is_up = true, .number = simulation.generation_count++};
    fake_plane_start(&g->plane, simulation_services());
    g->plane.generation = g->number;
}
