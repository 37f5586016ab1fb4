/* A simulation: many sessions of all kinds at a time, with scripted peers, a clock, a transport, an engine and a pool
 * of the test's own, in an order that a seed decides, down to pieces of a byte. Half of the sessions are let alone:
 * what happens to them is only slow. The others meet a fault somewhere: an end, a reset, a write that fails, a target
 * that is not there, nonsense, a full pool, time, a stop.
 *
 * Asserted after each step:
 *   no byte comes twice, is lost, changed, or from another session       (fake_peer.c compares each)
 *   nobody touches an engine that is on the pool, writes behind an end    (fake_tls.c, fake_transport.c)
 *   each session keeps below its ceiling of memory
 *   the counters of what is open and of what waits are what is open and what waits
 * and of each session at its end:
 *   it leaves one line; a session that was let alone ends well, both sides having heard all and each other's end
 *   who is not told all is not told a good end
 *
 *     test_simulation [SESSIONS [SEED]]
 *
 * A seed that found something belongs into the list of seeds below. */
#include "fake_peer.h"
#include "fake_world.h"

#include "proxy/process/limits.h"
#include "proxy/service/memory_ceiling.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX = 24, PEERS_MAX = 4, TIMEOUT_MS = 3600 * 1000, STEPS_MAX = 400000, HTTP_HEAD_MAX = 64 * 1024 };

static uint64_t seed_of_run, random_state;

static uint64_t random_number(void)
{
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t z = random_state;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(random_number() % n);
}

static size_t piece(void)
{
    return below(3) == 0 ? 64 * 1024 : 1 + below(10);
}

/* ---- what services there are, and who speaks with them ---- */

#define END                                                                                                            \
    {                                                                                                                  \
        FAKE_END, NULL                                                                                                 \
    }
#define STREAM                                                                                                         \
    {                                                                                                                  \
        FAKE_STREAM, NULL                                                                                              \
    }
static const struct fake_script_step plain[] = {STREAM, END};
static const struct fake_script_step tls_client[] = {{FAKE_HELLOS, NULL}, STREAM, END};
static const struct fake_script_step tls_server[] = {{FAKE_ACCEPT, NULL}, STREAM, END};
static const struct fake_script_step header_tls_server[] = {
    {FAKE_SEE, "PROXY UNKNOWN\r\n"}, {FAKE_ACCEPT, NULL}, STREAM, END};
static const struct fake_script_step via_server[] = {{FAKE_SKIP, "\r\n\r\n"},
                                                     {FAKE_SAY, "HTTP/1.1 200 OK\r\n\r\n"},
                                                     {FAKE_SEE, "PROXY UNKNOWN\r\n"},
                                                     {FAKE_ACCEPT, NULL},
                                                     STREAM,
                                                     END};

#define MAIL_CLIENT                                                                                                    \
    {FAKE_SAY, "EHLO c%u.test\r\n"}, {FAKE_SKIP, "250 "}, {FAKE_SKIP, "\r\n"}, {FAKE_SAY, "NOOP %u-1\r\n"},            \
        {FAKE_SEE, "250 %u-1\r\n"}, {FAKE_SAY, "NOOP %u-2\r\nNOOP %u-3\r\n"}, {FAKE_SEE, "250 %u-2\r\n250 %u-3\r\n"},  \
        {FAKE_SAY, "QUIT\r\n"}, {FAKE_SEE, "221 %u bye\r\n"}, END
#define MAIL_SERVER                                                                                                    \
    {FAKE_SEE, "EHLO c%u.test\r\n"}, {FAKE_SAY, "250-t%u.test\r\n250 SIZE\r\n"}, {FAKE_SEE, "NOOP %u-1\r\n"},          \
        {FAKE_SAY, "250 %u-1\r\n"}, {FAKE_SEE, "NOOP %u-2\r\nNOOP %u-3\r\n"}, {FAKE_SAY, "250 %u-2\r\n250 %u-3\r\n"},  \
        {FAKE_SEE, "QUIT\r\n"}, {FAKE_SAY, "221 %u bye\r\n"}, END
static const struct fake_script_step mail_starttls_client[] = {
    {FAKE_SKIP, "220 "},         {FAKE_SKIP, "\r\n"},        {FAKE_SAY, "EHLO before.test\r\n"},
    {FAKE_SKIP, "STARTTLS\r\n"}, {FAKE_SAY, "STARTTLS\r\n"}, {FAKE_SKIP, "220 "},
    {FAKE_SKIP, "\r\n"},         {FAKE_HELLOS, NULL},        MAIL_CLIENT};
static const struct fake_script_step mail_tls_client[] = {
    {FAKE_HELLOS, NULL}, {FAKE_SKIP, "220 "}, {FAKE_SKIP, "\r\n"}, MAIL_CLIENT};
static const struct fake_script_step mail_server[] = {{FAKE_SAY, "220 t%u.test\r\n"}, MAIL_SERVER};
static const struct fake_script_step mail_starttls_server[] = {{FAKE_SAY, "220 t%u.test\r\n"},
                                                               {FAKE_SKIP, "EHLO"},
                                                               {FAKE_SKIP, "\r\n"},
                                                               {FAKE_SAY, "250-t%u.test\r\n250 STARTTLS\r\n"},
                                                               {FAKE_SEE, "STARTTLS\r\n"},
                                                               {FAKE_SAY, "220 go\r\n"},
                                                               {FAKE_ACCEPT, NULL},
                                                               MAIL_SERVER};
static const struct fake_script_step tunnel_client[] = {
    {FAKE_SAY, "CONNECT t%u.test:443 HTTP/1.1\r\nHost: t%u.test:443\r\n\r\n"}, {FAKE_SKIP, "\r\n\r\n"}, STREAM, END};
static const struct fake_script_step exchange_client[] = {
    {FAKE_SAY, "GET https://t%u.test/ HTTP/1.1\r\nHost: t%u.test\r\n\r\n"}, {FAKE_SKIP, "\r\n\r\n"}, STREAM, END};
static const struct fake_script_step exchange_server[] = {{FAKE_ACCEPT, NULL},
                                                          {FAKE_SKIP, "\r\n\r\n"},
                                                          {FAKE_SAY, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"},
                                                          STREAM,
                                                          END};

enum { EXCHANGE_BYTES = 3000 };

static const struct kind {
    const char *name;
    enum config_protocol protocol;
    enum config_tls_mode listen_tls, connect_tls;
    bool header, via, has_payload, exchange;
    const struct fake_script_step *client, *target;
} kinds[] = {
    {"plain", CONFIG_PROTOCOL_TCP, CONFIG_TLS_NONE, CONFIG_TLS_NONE, false, false, true, false, plain, plain},
    {"terminate", CONFIG_PROTOCOL_TCP, CONFIG_TLS_IMPLICIT, CONFIG_TLS_NONE, false, false, true, false, tls_client,
     plain},
    {"wrap", CONFIG_PROTOCOL_TCP, CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, false, false, true, false, plain, tls_server},
    {"both", CONFIG_PROTOCOL_TCP, CONFIG_TLS_IMPLICIT, CONFIG_TLS_IMPLICIT, true, false, true, false, tls_client,
     header_tls_server},
    {"via", CONFIG_PROTOCOL_TCP, CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, true, true, true, false, plain, via_server},
    {"mail", CONFIG_PROTOCOL_SMTP, CONFIG_TLS_STARTTLS, CONFIG_TLS_STARTTLS, false, false, false, false,
     mail_starttls_client, mail_starttls_server},
    {"mail_in", CONFIG_PROTOCOL_SMTP, CONFIG_TLS_STARTTLS, CONFIG_TLS_NONE, false, false, false, false,
     mail_starttls_client, mail_server},
    {"mail_out", CONFIG_PROTOCOL_SMTP, CONFIG_TLS_IMPLICIT, CONFIG_TLS_STARTTLS, false, false, false, false,
     mail_tls_client, mail_starttls_server},
    {"tunnel", CONFIG_PROTOCOL_HTTP_CONNECT, CONFIG_TLS_NONE, CONFIG_TLS_NONE, false, false, true, false, tunnel_client,
     plain},
    {"exchange", CONFIG_PROTOCOL_HTTP_CONNECT, CONFIG_TLS_NONE, CONFIG_TLS_NONE, false, false, true, true,
     exchange_client, exchange_server},
};
enum { KINDS = ARRAY_LEN(kinds) };

static const enum starttls_protocol protocols[] = {[CONFIG_PROTOCOL_TCP] = STARTTLS_TCP,
                                                   [CONFIG_PROTOCOL_SMTP] = STARTTLS_SMTP,
                                                   [CONFIG_PROTOCOL_HTTP_CONNECT] = STARTTLS_HTTP_CONNECT};

/* Every second service has its steps on the pool. */
enum { SERVICES = 2 * KINDS };
static struct config_service configs[SERVICES];
static struct service items[SERVICES];
static struct services services = {.items = items, .count = SERVICES};
static struct plane plane;

static void open_services(void)
{
    static struct fake_context servers[SERVICES], clients[SERVICES];
    static char target_host[] = "t.test", target_text[] = "t.test:1", via_host[] = "p.test", via_text[] = "p.test:2",
                any[] = "*", name[] = "service", greeting[] = "yett.test";
    static struct config_address target = {.host = target_host, .port = 1, .text = target_text};
    static struct config_address via = {.host = via_host, .port = 2, .text = via_text};
    static struct config_allow_target anywhere = {.host = any, .port_first = 1, .port_last = 65535};

    for (size_t i = 0; i < SERVICES; i++) {
        const struct kind *k = &kinds[i / 2];

        servers[i] = (struct fake_context){.server = true, .blocks = i % 2 != 0, .verifies = i % 4 == 3};
        clients[i] = (struct fake_context){.server = false, .blocks = i % 2 != 0, .verifies = true};
        configs[i] = (struct config_service){.name = name,
                                             .protocol = k->protocol,
                                             .listen_tls = k->listen_tls,
                                             .connect_tls = k->connect_tls,
                                             .connect = &target,
                                             .connect_count = 1,
                                             .via = k->via ? &via : NULL,
                                             .allow_target = &anywhere,
                                             .allow_target_count = 1,
                                             .send_proxy = k->header ? CONFIG_SEND_PROXY_V1 : CONFIG_SEND_PROXY_NONE,
                                             .connect_timeout_ms = TIMEOUT_MS,
                                             .handshake_timeout_ms = TIMEOUT_MS,
                                             .idle_timeout_ms = TIMEOUT_MS,
                                             .half_close_timeout_ms = TIMEOUT_MS,
                                             .http_request_head_max_bytes = HTTP_HEAD_MAX,
                                             .http_response_head_max_bytes = HTTP_HEAD_MAX,
                                             .http_field_max_bytes = HTTP_HEAD_MAX,
                                             .http_fields_max = 100};
        items[i] = (struct service){.config = &configs[i],
                                    .protocol = protocols[k->protocol],
                                    .server_context = (struct tls_context *)(uintptr_t)fake_context(&servers[i]),
                                    .client_context = (struct tls_context *)(uintptr_t)fake_context(&clients[i]),
                                    .greeting_name = greeting,
                                    .pool_group = 0,
                                    .verify_group = 1};
        service_http_limits(&configs[i], items[i].http_limits);
    }
}

/* ---- sessions ---- */

enum fault {
    FAULT_NONE,
    FAULT_CLIENT_END,
    FAULT_TARGET_END,
    FAULT_CLIENT_RESET,
    FAULT_TARGET_RESET,
    FAULT_CLIENT_WRITE,
    FAULT_TARGET_WRITE,
    FAULT_CLIENT_NONSENSE,
    FAULT_TARGET_NONSENSE,
    FAULT_CLIENT_HELLO,
    FAULT_TARGET_HELLO,
    FAULT_CONNECT_FAILED,
    FAULT_CONNECT_DENIED,
    FAULT_SHUT_DOWN,
    FAULT_COUNT
};

struct run {
    bool used;
    unsigned number;
    size_t service;
    const struct kind *kind;
    char id[SESSION_ID_SIZE];
    struct session *session; /* while it is open */
    struct fake_peer client, target;
    struct fake_transport *transports[PEERS_MAX];
    size_t transport_count;
    enum fault fault;
    size_t fault_at; /* the nudge at which it comes */
    bool disturbed;  /* it has come, or something has that concerns all */
    size_t nudges;
    bool stopped;   /* we have said that we stop: an end of our own, in good order */
    unsigned lines; /* in the log */
    char end[64];
};

static struct run runs[OPEN_MAX];
static unsigned started, ended, faults_seen[FAULT_COUNT], ends_good;
static uint64_t steps, waited, received_told, sent_told;
static bool disturbed; /* the pool is full now */

static void fail(const struct run *r, const char *what)
{
    if (r != NULL)
        for (int i = 0; i < 2; i++) {
            const struct fake_peer *p = i == 0 ? &r->client : &r->target;

            fprintf(stderr, "%s: step %zu, sent %zu of %zu, received %zu of %zu, %s%s%s\n",
                    i == 0 ? "client" : "target", p->step, p->sent, p->send, p->received, p->receive,
                    p->tls ? "tls " : "", p->notified ? "has ended " : "", p->seen_end ? "saw close_notify" : "");
        }
    fprintf(stderr, "seed %llu, session %u (%s), fault %d at %zu of %zu nudges, end %s: %s\n",
            (unsigned long long)seed_of_run, r == NULL ? 0 : r->number, r == NULL ? "" : r->kind->name,
            r == NULL ? 0 : (int)r->fault, r == NULL ? 0 : r->fault_at, r == NULL ? 0 : r->nudges,
            r == NULL ? "" : r->end, what);
    abort();
}

static void on_end(const char *conn, const char *end, uint64_t received_bytes, uint64_t sent_bytes)
{
    received_told += received_bytes;
    sent_told += sent_bytes;
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (runs[i].used && strcmp(runs[i].id, conn) == 0) {
            if (runs[i].lines++ > 0)
                fail(&runs[i], "a second line in the log");
            snprintf(runs[i].end, sizeof(runs[i].end), "%s", end);
            return;
        }
    fail(NULL, "a line of no session that is open");
}

static void adopt(struct run *r, struct fake_transport *t)
{
    if (r->transport_count == PEERS_MAX)
        fail(r, "too many targets");
    r->transports[r->transport_count++] = t;
    t->room = below(4) == 0 ? below(100) : 1000000;
}

/* A session that is closed may be another's memory by now. */
static bool is_open(const struct run *r)
{
    return r->client.t->base.owner != NULL;
}

static struct run *run_of(const struct session *s)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (runs[i].used && is_open(&runs[i]) && runs[i].session == s)
            return &runs[i];
    fail(NULL, "a session that nobody started");
    return NULL;
}

static void start(struct run *r)
{
    struct session_accepted accepted = {.fd = -1, .type = TRANSPORT_TCP};
    struct sockaddr_in *peer = (struct sockaddr_in *)(void *)&accepted.peer;
    size_t up, down;

    *r = (struct run){.used = true, .number = ++started, .service = below(SERVICES), .disturbed = disturbed};
    r->kind = &kinds[r->service / 2];
    r->fault = below(2) == 0 ? FAULT_NONE : (enum fault)below(FAULT_COUNT);
    r->fault_at = below(4) == 0 ? below(400) : below(60);
    snprintf(r->id, sizeof(r->id), "0.0.%u", r->number);
    accepted.service_index = r->service;
    peer->sin_family = AF_INET;
    peer->sin_addr.s_addr = htonl((uint32_t)(0x0a000000 + below(2)));
    plane.service_session_count[r->service]++;
    if (!peer_count_add(plane.peers, r->service, peer_key_of((struct sockaddr *)peer), 0))
        fail(r, "the peer was not counted");
    session_start(&plane, &accepted);
    if (fake_transports == NULL || plane.sessions == NULL || strcmp(plane.sessions->id, r->id) != 0)
        fail(r, "it did not begin");
    r->session = plane.sessions;
    adopt(r, fake_transports);
    /* A client that goes without a word before its target is there is not let alone: it has left. */
    up = r->kind->has_payload ? 1 + (below(8) == 0 ? below(400000) : below(9000)) : 0;
    down = r->kind->has_payload ? (below(8) == 0 ? below(400000) : below(9000)) : 0;
    if (r->kind->exchange) {
        up = 0;
        down = EXCHANGE_BYTES;
    }
    fake_peer_start(&r->client, fake_transports, FAKE_CLIENT, r->number, r->kind->client, up, down);
    fake_peer_start(&r->target, NULL, FAKE_TARGET, r->number, r->kind->target, down, up);
}

static void check_target(struct run *r)
{
    if (r->target.t != NULL && r->target.t->close == FAKE_OPEN && r->lines == 0)
        fail(r, "a second target while the first is open");
}

static void connect_one(void)
{
    size_t index = below(fake_connectors());
    struct run *r = run_of(fake_connector_session(index));
    struct transport *t;
    size_t send = r->target.send, receive = r->target.receive;

    if ((r->fault == FAULT_CONNECT_FAILED || r->fault == FAULT_CONNECT_DENIED) && !r->disturbed) {
        r->disturbed = true;
        faults_seen[r->fault]++;
        fake_connect_failed(index, r->fault == FAULT_CONNECT_FAILED ? CONNECT_FAILED : CONNECT_DENIED);
        return;
    }
    check_target(r);
    t = fake_connect(index);
    adopt(r, fake_of(t));
    fake_peer_stop(&r->target);
    fake_peer_start(&r->target, fake_of(t), FAKE_TARGET, r->number, r->kind->target, send, receive);
    if (r->fault == FAULT_TARGET_HELLO && !r->disturbed) {
        r->target.bad_hello = r->disturbed = true;
        faults_seen[r->fault]++;
    }
}

/* ---- faults ---- */

static bool break_peer(struct fake_peer *p, int kind)
{
    static const uint8_t nonsense[] = "\xff\xff\xffnonsense\r\n\r\n";

    if (p->t == NULL || p->t->close != FAKE_OPEN || p->t->peer_ended || p->t->read_error != 0)
        return false;
    if (kind == 0)
        p->t->peer_ended = true;
    else if (kind == 1)
        p->t->read_error = UV_ECONNRESET;
    else if (kind == 2)
        p->t->write_error = UV_EPIPE;
    else
        fake_send(p->t, span_of(nonsense, sizeof(nonsense) - 1));
    return true;
}

static bool inject(struct run *r)
{
    switch (r->fault) {
    case FAULT_CLIENT_END:
        return break_peer(&r->client, 0);
    case FAULT_TARGET_END:
        return break_peer(&r->target, 0);
    case FAULT_CLIENT_RESET:
        return break_peer(&r->client, 1);
    case FAULT_TARGET_RESET:
        return break_peer(&r->target, 1);
    case FAULT_CLIENT_WRITE:
        return break_peer(&r->client, 2);
    case FAULT_TARGET_WRITE:
        return break_peer(&r->target, 2);
    case FAULT_CLIENT_NONSENSE:
        return break_peer(&r->client, 3);
    case FAULT_TARGET_NONSENSE:
        return break_peer(&r->target, 3);
    case FAULT_CLIENT_HELLO:
        r->client.bad_hello = true;
        return true;
    case FAULT_SHUT_DOWN:
        r->stopped = true;
        session_shut_down(r->session);
        return true;
    case FAULT_NONE:
    case FAULT_TARGET_HELLO: /* these come when it is connected to */
    case FAULT_CONNECT_FAILED:
    case FAULT_CONNECT_DENIED:
    case FAULT_COUNT:
        break;
    }
    return false;
}

static void disturb_all(void)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        runs[i].disturbed = true;
}

/* ---- the end of a session ---- */

static void check_end(const struct run *r)
{
    const char *surprise = r->client.surprise != NULL ? r->client.surprise : r->target.surprise;
    bool told_all = fake_peer_is_done(&r->client) && fake_peer_is_done(&r->target);

    if (r->lines != 1)
        fail(r, "it is gone and has left no line");
    if (r->disturbed)
        return;
    if (surprise != NULL)
        fail(r, surprise);
    if (strcmp(r->end, "closed") != 0)
        fail(r, "it was let alone, and did not end well");
    if (!told_all)
        fail(r, "it was let alone, and somebody has not heard or said all");
    if (!fake_peer_saw_end(&r->client) || !fake_peer_saw_end(&r->target))
        fail(r, "it was let alone, and somebody has not heard the other's end");
    ends_good++;
}

/* Nothing of its own has broken its connection: it may judge how ours ended. */
static bool is_whole(const struct fake_peer *p)
{
    return p->t != NULL && p->t->read_error == 0 && p->t->write_error == 0 && (!p->t->peer_ended || p->notified);
}

/* What says that all was said: close_notify, or FIN without TLS; a connection that was closed without them says
 * nothing. */
static bool saw_good_end(const struct fake_peer *p)
{
    return p->tls ? p->seen_end : p->t->fin;
}

static bool has_ended_well(const struct fake_peer *p)
{
    return p->t != NULL && (p->tls ? p->notified && p->out.size == 0 : p->t->peer_ended);
}

/* Whatever happened: what was taken for payload was payload, and a good end only behind all of it. */
static void check_peers(const struct run *r)
{
    static const char mixed[] = "bytes that the other side has not said there";
    bool own_end = r->stopped || strncmp(r->end, "timeout", 7) == 0;

    if (r->fault == FAULT_CLIENT_NONSENSE || r->fault == FAULT_TARGET_NONSENSE)
        return; /* it may well be passed on */
    if ((r->client.surprise == mixed || r->target.surprise == mixed) && r->kind->protocol == CONFIG_PROTOCOL_TCP)
        fail(r, "somebody has got bytes that were not for him");
    if (own_end || r->kind->exchange)
        return;
    if (is_whole(&r->target) && saw_good_end(&r->target) && !has_ended_well(&r->client))
        fail(r, "the target was told a good end, and the client has not ended so");
    if (r->kind->protocol == CONFIG_PROTOCOL_TCP && is_whole(&r->client) && r->client.received > 0 &&
        saw_good_end(&r->client) && !has_ended_well(&r->target))
        fail(r, "the client was told a good end, and the target has not ended so");
    if (r->client.notified && is_whole(&r->target) && saw_good_end(&r->target) && r->target.received < r->client.sent)
        fail(r, "the target was told a good end before all was told");
}

static void finish(struct run *r)
{
    fake_peer_go_on(&r->client, 0); /* what was on its way */
    if (r->target.t != NULL)
        fake_peer_go_on(&r->target, 0);
    check_end(r);
    check_peers(r);
    fake_peer_stop(&r->client);
    fake_peer_stop(&r->target);
    for (size_t i = 0; i < r->transport_count; i++)
        fake_transport_free(r->transports[i]);
    r->used = false;
    ended++;
}

/* ---- steps ---- */

static void nudge_peer(struct fake_peer *p)
{
    if (p->t == NULL)
        return;
    switch (below(3)) {
    case 0:
        fake_peer_go_on(p, piece());
        break;
    case 1:
        p->t->read_max = piece();
        (void)fake_read(p->t);
        break;
    default:
        (void)fake_take(p->t, piece());
        break;
    }
}

static void nudge(struct run *r)
{
    if (++r->nudges > STEPS_MAX)
        fail(r, "it never ends");
    if (r->fault != FAULT_NONE && r->nudges >= r->fault_at && !r->disturbed && inject(r)) {
        r->disturbed = true;
        faults_seen[r->fault]++;
    }
    if (below(2) == 0)
        nudge_peer(&r->client);
    else
        nudge_peer(&r->target);
}

static void run_pool(void)
{
    size_t index;

    if (fake_pool_size() == 0)
        return;
    index = below(fake_pool_size());
    if (disturbed && below(2) == 0)
        fake_pool_refuse(index);
    else
        fake_pool_run(index);
}

static void pass_time(uint64_t ms)
{
    fake_now_ms += ms;
    wheel_advance(&plane.wheel, fake_now_ms, session_calls.on_due, &plane);
}

/* What concerns everybody, now and then. */
static void trouble(void)
{
    static uint64_t disturbed_until;

    if (disturbed && steps > disturbed_until) {
        disturbed = false;
        fake_pool_waiting_max = FAKE_POOL_WAITING_MAX;
    }
    if (below(60000) == 0) {
        disturbed = true;
        disturbed_until = steps + 1500;
        fake_pool_waiting_max = below(3);
        disturb_all();
    }
    if (below(200000) == 0) {
        disturb_all();
        pass_time(TIMEOUT_MS / 2);
        pass_time(TIMEOUT_MS);
    }
    if (below(60000) == 0) {
        disturb_all();
        for (struct session *s = plane.sessions, *next; s != NULL; s = next) {
            next = s->next;
            run_of(s)->stopped = true;
            session_shut_down(s);
        }
    }
}

static uint64_t count_all(enum counter counter)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SERVICES; i++)
        sum += counters_read(plane.counters, i, counter);
    return sum;
}

static void check_all(void)
{
    if (count_all(COUNTER_connections_open) != plane.session_count || count_all(COUNTER_connections_total) != started)
        fail(NULL, "the connections counted are not those that are open");
    if (count_all(COUNTER_handshake_queue_waiting) != fake_pool_size())
        fail(NULL, "the steps counted on the pool are not those that are there");
    for (const struct session *s = plane.sessions; s != NULL; s = s->next)
        if (session_memory(s) > sizeof(*s) + memory_ceiling(s->service->config))
            fail(run_of(s), "it is above its ceiling");
}

static void step(void)
{
    struct run *r = &runs[below(OPEN_MAX)];

    steps++;
    trouble();
    if (r->used && !is_open(r)) {
        finish(r);
        return;
    }
    if (r->used)
        nudge(r);
    if (below(4) == 0 && fake_connectors() > 0)
        connect_one();
    if (below(3) == 0)
        run_pool();
    if (below(8) == 0)
        (void)fake_plane_take_turns(&plane);
    if (below(100) == 0) {
        waited += handshake_turns_waiting(plane.turns);
        handshake_turns_begin_round(plane.turns);
        if (handshake_turns_give(plane.turns))
            handshake_turns_begin_round(plane.turns);
    }
    if (below(16) == 0)
        pass_time(below(20));
    if (steps % 16 == 0)
        check_all();
}

static void simulate(unsigned sessions, uint64_t seed)
{
    seed_of_run = random_state = seed;
    started = ended = 0;
    fake_plane_start(&plane, &services);
    received_told = sent_told = 0;
    while (ended < sessions) {
        struct run *r = &runs[below(OPEN_MAX)];

        if (!r->used && started < sessions && below(4) == 0)
            start(r);
        step();
    }
    while (fake_pool_size() > 0)
        fake_pool_run(0);
    while (fake_plane_take_turns(&plane))
        ;
    check_all();
    if (plane.session_count != 0 || plane.sessions_not_freed != 0)
        fail(NULL, "a session is left");
    if (fake_engines != 0 || fake_transports != NULL || fake_connectors() != 0 || plane.wheel.count != 0 ||
        handshake_turns_waiting(plane.turns) != 0 || peer_count_addresses(plane.peers) != 0)
        fail(NULL, "something of a session is left");
    if (received_told != count_all(COUNTER_client_received_bytes_total) ||
        sent_told != count_all(COUNTER_client_sent_bytes_total))
        fail(NULL, "the bytes counted are not those that the log has");
    fake_plane_stop(&plane);
}

int main(int argc, char **argv)
{
    static const uint64_t seeds[] = {1, 2, 3, 4};
    unsigned sessions = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5000;
    unsigned faults = 0, total = 0;

    open_services();
    fake_on_end = on_end;
    for (size_t i = 0; i < (argc > 2 ? 1 : ARRAY_LEN(seeds)); i++) {
        simulate(sessions, argc > 2 ? strtoull(argv[2], NULL, 10) : seeds[i]);
        total += ended;
    }
    for (size_t i = 0; i < FAULT_COUNT; i++)
        faults += faults_seen[i];
    printf("%u sessions, %u of them let alone to their good end, %u faults, %llu steps, %llu waits for a turn\n", total,
           ends_good, faults, (unsigned long long)steps, (unsigned long long)waited);
    if (waited == 0)
        fail(NULL, "nobody ever waited for a turn");
    for (size_t i = 1; i < FAULT_COUNT; i++)
        if (faults_seen[i] == 0 && total >= 2000)
            fail(NULL, "a fault was never met");
    return 0;
}
