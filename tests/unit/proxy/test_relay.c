/* The relay and the exchange (proxy/session/session_relay.c, session_exchange.c) over two legs on buffers: everything
 * in pieces of 1 to 10 bytes, and the end of a peer, in good order or broken, before, within and after each byte it
 * says. */
#include "fake_peer.h"
#include "fake_world.h"

#include "proxy/process/limits.h"
#include <netinet/in.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { UP = 150, DOWN = 120, FOREVER = 1 << 20, ROUNDS_MAX = 20000, HEAD_MAX = 16 * 1024 };

/* ---- services ---- */

static const struct fake_script_step plain[] = {STREAM, END}, tls_client[] = {HELLOS, STREAM, END},
                                     tls_server[] = {ACCEPT, STREAM, END};
static const struct fake_script_step exchange_client[] = {
    SAY("GET https://t%u.test/ HTTP/1.1\r\nHost: t%u.test\r\n\r\n"), SEE("HTTP/1.1 200 OK\r\n"), SKIP("\r\n\r\n"),
    STREAM, END};
static const struct fake_script_step exchange_server[] = {
    ACCEPT, SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\nContent-Length: 120\r\n\r\n"), STREAM, END};

enum { PLAIN, TERMINATE, WRAP, BOTH, EXCHANGE, SERVICES };
static const struct {
    enum config_tls_mode listen, connect;
    const struct fake_script_step *client, *target;
} kinds[SERVICES] = {
    [PLAIN] = {CONFIG_TLS_NONE, CONFIG_TLS_NONE, plain, plain},
    [TERMINATE] = {CONFIG_TLS_IMPLICIT, CONFIG_TLS_NONE, tls_client, plain},
    [WRAP] = {CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, plain, tls_server},
    [BOTH] = {CONFIG_TLS_IMPLICIT, CONFIG_TLS_IMPLICIT, tls_client, tls_server},
    [EXCHANGE] = {CONFIG_TLS_NONE, CONFIG_TLS_NONE, exchange_client, exchange_server},
};

static struct config_service configs[SERVICES];
static struct service items[SERVICES];
static struct services services = {.items = items, .count = SERVICES};
static struct plane plane;
static unsigned number;
static char ended[32];

static void on_end(const char *conn, const char *end, uint64_t received_bytes, uint64_t sent_bytes)
{
    (void)conn;
    (void)received_bytes;
    (void)sent_bytes;
    assert_string_equal(ended, ""); /* one line */
    snprintf(ended, sizeof(ended), "%s", end);
}

static int open_services(void **state)
{
    static const struct fake_context server = {.server = true}, client = {.server = false};
    static char name[] = "service", host[] = "t.test", text[] = "t.test:1", any[] = "*";
    static struct config_address target = {.host = host, .port = 1, .text = text};
    static struct config_allow_target anywhere = {.host = any, .port_first = 1, .port_last = 65535};

    (void)state;
    for (size_t i = 0; i < SERVICES; i++) {
        configs[i] = (struct config_service){
            .name = name,
            .protocol = i == EXCHANGE ? CONFIG_PROTOCOL_HTTP_CONNECT : CONFIG_PROTOCOL_TCP,
            .listen_tls = kinds[i].listen,
            .connect_tls = kinds[i].connect,
            .connect = &target,
            .connect_count = 1,
            .allow_target = &anywhere,
            .allow_target_count = 1,
            .connect_timeout_ms = FOREVER,
            .handshake_timeout_ms = FOREVER,
            .idle_timeout_ms = FOREVER,
            .half_close_timeout_ms = FOREVER,
            .http_request_head_max_bytes = HEAD_MAX,
            .http_response_head_max_bytes = HEAD_MAX,
            .http_field_max_bytes = HEAD_MAX,
            .http_fields_max = 50,
        };
        items[i] = (struct service){.config = &configs[i],
                                    .protocol = i == EXCHANGE ? STARTTLS_HTTP_CONNECT : STARTTLS_TCP,
                                    .server_context = (struct tls_context *)(uintptr_t)fake_context(&server),
                                    .client_context = (struct tls_context *)(uintptr_t)fake_context(&client),
                                    .greeting_name = name};
        service_http_limits(&configs[i], items[i].http_limits);
    }
    fake_on_end = on_end;
    fake_plane_start(&plane, &services);
    return 0;
}

static int close_services(void **state)
{
    (void)state;
    assert_int_equal(plane.sessions_not_freed, 0);
    assert_int_equal(fake_engines, 0);
    fake_plane_stop(&plane);
    return 0;
}

/* ---- one session ---- */

/* A peer that goes after so many bytes. */
struct cut {
    enum fake_side side;
    size_t bytes; /* FOREVER: it does not */
    int error;    /* 0: FIN */
};

static struct fake_peer client, target;
static size_t said[2]; /* by client and target */

static void feed(struct fake_peer *p, size_t piece, const struct cut *cut)
{
    size_t room = p->side == cut->side ? cut->bytes - said[p->side] : FOREVER, before;

    if (p->t == NULL)
        return;
    before = p->t->incoming.size;
    fake_peer_go_on(p, piece < room ? piece : room);
    said[p->side] += p->t->incoming.size - before;
    if (p->side == cut->side && said[p->side] == cut->bytes && p->t->close == FAKE_OPEN) {
        p->t->peer_ended = p->t->peer_ended || cut->error == 0;
        p->t->read_error = cut->error;
    }
    p->t->read_max = piece;
    (void)fake_read(p->t);
    (void)fake_take(p->t, piece);
}

static void run(size_t service, size_t piece, struct cut cut)
{
    struct session_accepted accepted = {.service_index = service, .fd = -1, .type = TRANSPORT_TCP};

    accepted.peer.ss_family = AF_UNSPEC;
    ended[0] = '\0';
    said[0] = said[1] = 0;
    plane.service_session_count[service]++;
    assert_true(peer_count_add(plane.peers, service, peer_key_of((struct sockaddr *)&accepted.peer), 0));
    session_start(&plane, &accepted);
    fake_peer_start(&client, fake_transports, FAKE_CLIENT, ++number, kinds[service].client,
                    service == EXCHANGE ? 0 : UP, DOWN);
    target = (struct fake_peer){.t = NULL, .side = FAKE_TARGET};
    client.t->room = piece;
    for (int round = 0; plane.sessions != NULL; round++) {
        assert_true(round < ROUNDS_MAX); /* every session ends */
        if (fake_connectors() > 0) {
            fake_peer_start(&target, fake_of(fake_connect(0)), FAKE_TARGET, number, kinds[service].target, DOWN,
                            service == EXCHANGE ? 0 : UP);
            target.t->room = piece;
        }
        feed(&client, piece, &cut);
        feed(&target, piece, &cut);
        wheel_advance(&plane.wheel, ++fake_now_ms, session_calls.on_due, &plane);
    }
    fake_peer_go_on(&client, 0);
    if (target.t != NULL)
        fake_peer_go_on(&target, 0);
    assert_string_not_equal(ended, "");
}

static void clear(void)
{
    fake_peer_stop(&client);
    if (target.t != NULL)
        fake_peer_stop(&target);
    while (fake_transports != NULL)
        fake_transport_free(fake_transports);
}

static void expect_all(void)
{
    assert_string_equal(ended, "closed");
    assert_null(client.surprise);
    assert_null(target.surprise);
    assert_true(fake_peer_is_done(&client) && fake_peer_is_done(&target));
    assert_true(fake_peer_saw_end(&client) && fake_peer_saw_end(&target));
}

static void relay_pieces(void **state)
{
    (void)state;
    for (size_t service = 0; service < SERVICES; service++)
        for (size_t piece = 1; piece <= 10; piece++) {
            run(service, piece, (struct cut){.bytes = FOREVER});
            expect_all();
            clear();
        }
}

/* close_notify, or FIN where there is no TLS. */
static bool told_good_end(const struct fake_peer *p)
{
    return p->t != NULL && (p->tls ? p->seen_end : p->t->fin);
}

/* A side goes after each byte it says, with FIN or a reset. The other is told a good end just where it was one; no byte
 * is lost that came before a good end, and none comes that was not said (fake_peer.c compares them). */
static void cut_relay(enum fake_side side, int error)
{
    for (size_t service = 0; service < EXCHANGE; service++) {
        bool tls = (side == FAKE_CLIENT ? kinds[service].listen : kinds[service].connect) != CONFIG_TLS_NONE;
        struct fake_peer *gone = side == FAKE_CLIENT ? &client : &target,
                         *other = side == FAKE_CLIENT ? &target : &client;
        size_t all;

        run(service, 10, (struct cut){.bytes = FOREVER});
        all = said[side];
        clear();
        for (size_t bytes = 0; bytes <= all; bytes++) {
            bool good =
                (error == 0 && !tls) || (bytes == all && tls); /* who has said close_notify may go as it likes */

            run(service, 1 + bytes % 10, (struct cut){side, bytes, error});
            assert_int_equal(said[side], bytes);
            assert_true(other->surprise == NULL || strcmp(other->surprise, "an alert") == 0);
            if (side == FAKE_CLIENT && bytes == 0) {
                assert_false(told_good_end(other) && other->received > 0); /* it left before it was connected */
            } else if (good) {
                assert_true(told_good_end(other));
                if (!tls)
                    assert_int_equal(other->received, bytes);
            } else if (other->received > 0) {
                assert_false(told_good_end(other));
            }
            if (tls && bytes == all)
                assert_int_equal(other->received, gone->send);
            clear();
        }
    }
}

static void relay_client_ends_at_each_byte(void **state)
{
    (void)state;
    cut_relay(FAKE_CLIENT, 0);
}

static void relay_target_ends_at_each_byte(void **state)
{
    (void)state;
    cut_relay(FAKE_TARGET, 0);
}

static void relay_client_is_reset_at_each_byte(void **state)
{
    (void)state;
    cut_relay(FAKE_CLIENT, UV_ECONNRESET);
}

static void relay_target_is_reset_at_each_byte(void **state)
{
    (void)state;
    cut_relay(FAKE_TARGET, UV_ECONNRESET);
}

/* A response is whole by its framing: behind its last byte the target may go as it likes; before it the client gets an
 * error of ours, or, where a part is out, no good end. */
static void exchange_target_goes_at_each_byte(void **state)
{
    static const int errors[] = {0, UV_ECONNRESET};
    /* Three records: hello, head, body. */
    size_t all = 3 * FAKE_RECORD_HEAD + strlen(exchange_server[2].text) + DOWN;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        for (size_t bytes = 0; bytes <= all; bytes++) {
            run(EXCHANGE, 1 + bytes % 10, (struct cut){FAKE_TARGET, bytes, errors[i]});
            if (bytes == all) {
                assert_string_equal(ended, "closed");
                assert_true(fake_peer_is_done(&client) && fake_peer_saw_end(&client));
            } else {
                assert_string_not_equal(ended, "closed");
                /* A page of ours in the place of the response, never behind a part of it. */
                assert_true(client.surprise == NULL || strcmp(client.surprise, "another text") == 0);
                assert_true(client.surprise != NULL || !told_good_end(&client));
                assert_true(client.received < DOWN);
            }
            clear();
        }
}

static void exchange_client_goes_at_each_byte(void **state)
{
    size_t all;

    (void)state;
    run(EXCHANGE, 10, (struct cut){.bytes = FOREVER});
    all = said[FAKE_CLIENT];
    clear();
    for (size_t bytes = 0; bytes <= all; bytes++) {
        run(EXCHANGE, 1 + bytes % 10, (struct cut){FAKE_CLIENT, bytes, 0});
        if (bytes == all) /* it waits for its response */
            expect_all();
        else
            assert_null(target.t); /* nobody is connected to for a part of a request */
        clear();
    }
}

/* A client that always has more to say gives way to others, however its bytes come, and then goes on. */
static void relay_gives_way(void **state)
{
    struct session_accepted accepted = {.service_index = PLAIN, .fd = -1, .type = TRANSPORT_TCP};
    size_t all = 2 * LIMIT_RELAY_BUDGET + LIMIT_READ_BLOCK, turns = 1;

    (void)state;
    accepted.peer.ss_family = AF_UNSPEC;
    ended[0] = '\0';
    plane.service_session_count[PLAIN]++;
    assert_true(peer_count_add(plane.peers, PLAIN, peer_key_of((struct sockaddr *)&accepted.peer), 0));
    session_start(&plane, &accepted);
    fake_peer_start(&client, fake_transports, FAKE_CLIENT, ++number, plain, all, 0);
    fake_peer_start(&target, fake_of(fake_connect(0)), FAKE_TARGET, number, plain, 0, all);
    for (;; turns++) {
        for (int i = 0; i < 1000; i++) { /* far more than there is */
            fake_peer_go_on(&client, LIMIT_READ_BLOCK);
            (void)fake_read(client.t);
            fake_peer_go_on(&target, 0);
            (void)fake_take(target.t, LIMIT_READ_BLOCK);
        }
        assert_in_range(target.received, 1, turns * (LIMIT_RELAY_BUDGET + LIMIT_READ_BLOCK));
        if (target.received == all)
            break;
        assert_true(fake_plane_take_turns(&plane));
    }
    assert_in_range(turns, 2, 5);
    for (int i = 0; plane.sessions != NULL && i < 1000; i++) {
        (void)fake_plane_take_turns(&plane);
        fake_peer_go_on(&client, LIMIT_READ_BLOCK);
        (void)fake_read(client.t);
        fake_peer_go_on(&target, LIMIT_READ_BLOCK);
        (void)fake_read(target.t);
    }
    expect_all();
    while (fake_plane_take_turns(&plane))
        ;
    clear();
}

/* A client whose words wait, since the target takes nothing, is not read from; it leaves, and that is noticed as soon
 * as the end of one that is read from would be: not only at idle_timeout. */
static void who_leaves_unread_is_noticed(void **state)
{
    static const struct {
        int error;
        const char *want;
    } rows[] = {{0, "timeout_half_close"}, {UV_ECONNRESET, "reset"}};
    const uint64_t half_close_ms = 2 * LIMIT_IDLE_TRIM_MS;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct session_accepted accepted = {.service_index = PLAIN, .fd = -1, .type = TRANSPORT_TCP};
        size_t all = 4 * LIMIT_RECEIVED_MAX;

        configs[PLAIN].half_close_timeout_ms = half_close_ms;
        accepted.peer.ss_family = AF_UNSPEC;
        ended[0] = '\0';
        plane.service_session_count[PLAIN]++;
        assert_true(peer_count_add(plane.peers, PLAIN, peer_key_of((struct sockaddr *)&accepted.peer), 0));
        session_start(&plane, &accepted);
        fake_peer_start(&client, fake_transports, FAKE_CLIENT, ++number, plain, all, 0);
        fake_peer_start(&target, fake_of(fake_connect(0)), FAKE_TARGET, number, plain, 0, all);
        target.t->room = 0; /* it reads nothing */
        for (int n = 0; n < 100; n++) {
            fake_peer_go_on(&client, LIMIT_READ_BLOCK);
            (void)fake_read(client.t);
            (void)fake_plane_take_turns(&plane);
        }
        assert_false(client.t->base.reading); /* so its end is unread */
        client.t->peer_ended = rows[i].error == 0;
        client.t->read_error = rows[i].error;
        for (uint64_t waited = 0; plane.sessions != NULL && waited < 2 * half_close_ms; waited += WHEEL_TICK_MS) {
            fake_now_ms += WHEEL_TICK_MS;
            wheel_advance(&plane.wheel, fake_now_ms, session_calls.on_due, &plane);
        }
        assert_string_equal(ended, rows[i].want);
        clear();
        configs[PLAIN].half_close_timeout_ms = FOREVER;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relay_pieces),
        cmocka_unit_test(relay_client_ends_at_each_byte),
        cmocka_unit_test(relay_target_ends_at_each_byte),
        cmocka_unit_test(relay_client_is_reset_at_each_byte),
        cmocka_unit_test(relay_target_is_reset_at_each_byte),
        cmocka_unit_test(exchange_target_goes_at_each_byte),
        cmocka_unit_test(exchange_client_goes_at_each_byte),
        cmocka_unit_test(relay_gives_way),
        cmocka_unit_test(who_leaves_unread_is_noticed),
    };

    return cmocka_run_group_tests(tests, open_services, close_services);
}
