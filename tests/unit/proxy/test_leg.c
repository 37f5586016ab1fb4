/* A leg (proxy/session/leg.h) over nothing but buffers: what comes in pieces of 1 to 10 bytes comes out whole, what
 * goes out goes in order, and an end or an error at any byte is told as what it is. */
#include "proxy/session/leg.h"
#include "proxy/process/limits.h"
#include "fake_tls.h"
#include "fake_transport.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- a leg and what it is made of ---- */

static uint8_t read_block[LIMIT_READ_BLOCK], relay_block[LIMIT_RELAY_BLOCK];
static const struct leg_blocks blocks = {read_block, sizeof(read_block), relay_block, sizeof(relay_block)};
static struct counters_block counters;
static struct handshake_turns *turns;
static uint64_t now_ms, now_us;
static struct leg_means means;
static struct leg leg;
static struct fake_transport *peer; /* the leg's transport, from the other side */
static unsigned news, moved;

/* What the leg's owner does with news: take all that comes. */
static struct buffer heard;
static enum leg_take last;
static bool takes;

static uint64_t tell_ms(void)
{
    return now_ms;
}

static uint64_t tell_us(void)
{
    return now_us;
}

static void take_all(void)
{
    struct span bytes;

    while ((last = leg_take(&leg, &bytes)) == LEG_TAKE_OK && bytes.size > 0) {
        assert_true(buffer_append(&heard, bytes));
        leg_return(&leg, span_skip(bytes, bytes.size));
    }
}

static void on_news(void *context)
{
    assert_ptr_equal(context, &means);
    news++;
    leg_advance(&leg);
    if (takes && leg_tls_state(&leg) != LEG_TLS_HANDSHAKE && leg_tls_state(&leg) != LEG_TLS_WAITS)
        take_all();
    leg_keep_fresh(&leg);
    if (leg.transport != NULL)
        leg_set_reading(&leg, true);
}

static void on_moved(void *context)
{
    assert_ptr_equal(context, &means);
    moved++;
}

static const struct fake_context server = {.server = true}, blocking = {.server = true, .blocks = true},
                                 verifying = {.server = true, .blocks = true, .verifies = true},
                                 client = {.server = false};

static void begin(const struct fake_context *context)
{
    struct transport *t = transport_create(NULL, TRANSPORT_TCP);

    peer = fake_of(t);
    news = moved = 0;
    takes = true;
    last = LEG_TAKE_OK;
    leg_init(&leg, &means, context == &client ? LEG_TARGET : LEG_CLIENT, LIMIT_TO_SEND_MAX);
    leg_attach(&leg, t);
    if (context != NULL)
        leg_start_tls(&leg, fake_context(context), context->server ? NULL : "name", context->server ? NULL : "key");
    leg_advance(&leg);
    leg_set_reading(&leg, true);
}

static void finish(void)
{
    leg_close(&leg, TRANSPORT_CLOSE_ORDERLY);
    leg_clear(&leg);
    assert_int_equal(fake_engines, 0);
    fake_transport_free(peer);
    assert_null(fake_transports);
    buffer_release(&heard);
}

static int start(void **state)
{
    (void)state;
    turns = handshake_turns_create(&(struct handshake_turns_options){.waiting_max = 4,
                                                                     .now_ms = tell_ms,
                                                                     .now_us = tell_us,
                                                                     .on_turn = leg_tls_take_turn,
                                                                     .on_refused = leg_tls_lose_turn});
    memset(&counters, 0, sizeof(counters));
    means = (struct leg_means){.blocks = &blocks,
                               .turns = turns,
                               .pool_group = 1,
                               .verify_group = 2,
                               .peer = {{7, 7}},
                               .counters = &counters,
                               .events = {.news = on_news, .moved = on_moved, .context = &means}};
    buffer_init(&heard, 1024 * 1024);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    handshake_turns_destroy(&turns);
    fake_pool_waiting_max = FAKE_POOL_WAITING_MAX;
    return 0;
}

static void let_read(void)
{
    while (fake_read(peer))
        ;
}

static void expect_heard(const char *want)
{
    assert_int_equal(heard.size, strlen(want));
    assert_memory_equal(buffer_span(&heard).data, want, heard.size);
}

static void expect_said(const char *want)
{
    assert_int_equal(peer->outgoing.size, strlen(want));
    if (want[0] != '\0')
        assert_memory_equal(buffer_span(&peer->outgoing).data, want, peer->outgoing.size);
}

/* ---- receiving ---- */

static const char words[] = "what is said, from one end to the other";

static void leg_take_plain_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 10; piece++) {
        begin(NULL);
        peer->read_max = piece;
        fake_send(peer, span_of_string(words));
        peer->peer_ended = true;
        let_read();
        expect_heard(words);
        assert_int_equal(last, LEG_TAKE_ENDED);
        assert_int_equal(moved, (strlen(words) + piece - 1) / piece);
        assert_true(leg_has_left(&leg));
        finish();
    }
}

/* The records of a whole conversation of a client: hello, three times data, close_notify. */
static void client_records(struct buffer *out)
{
    buffer_init(out, 4096);
    fake_record(out, FAKE_HELLO, span_of(NULL, 0));
    fake_record(out, FAKE_DATA, span_of_string("one "));
    fake_record(out, FAKE_DATA, span_of_string("two "));
    fake_record(out, FAKE_DATA, span_of_string("three"));
    fake_record(out, FAKE_NOTIFY, span_of(NULL, 0));
}

static void leg_take_tls_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 10; piece++) {
        struct buffer records;

        begin(&server);
        client_records(&records);
        peer->read_max = piece;
        fake_send(peer, buffer_span(&records));
        let_read();
        expect_heard("one two three");
        assert_int_equal(last, LEG_TAKE_ENDED); /* its close_notify is enough */
        assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
        buffer_release(&records);
        finish();
    }
}

/* FIN, or a reset, after each byte: only behind close_notify it is an end, and what came before it is not lost. */
static void end_at_each_byte(int error)
{
    struct buffer records;
    size_t size;

    client_records(&records);
    size = records.size;
    for (size_t at = 0; at <= size; at++) {
        static const size_t data_ends[] = {3 + 7, 3 + 7 + 7, 3 + 7 + 7 + 8};
        static const char *const heard_then[] = {"one ", "one two ", "one two three"};
        const char *want = "";

        begin(&server);
        peer->read_max = 1 + at % 10;
        if (at > 0)
            fake_send(peer, span_of(buffer_span(&records).data, at));
        peer->peer_ended = error == 0;
        peer->read_error = error;
        let_read();
        for (size_t i = 0; i < ARRAY_LEN(data_ends); i++)
            if (at >= data_ends[i])
                want = heard_then[i];
        expect_heard(want);
        if (at == size) {
            assert_int_equal(last, LEG_TAKE_ENDED);
            assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
        } else {
            assert_int_equal(leg_tls_state(&leg), LEG_TLS_FAILED);
            assert_int_equal(last, error == 0 ? LEG_TAKE_TRUNCATED : LEG_TAKE_FAILED);
            assert_true(leg_has_left(&leg));
            assert_string_equal(leg_error_name(&leg), error != 0 ? "ECONNRESET"
                                                      : at < 3   ? "closed_in_handshake"
                                                                 : "truncated");
        }
        assert_int_equal(leg_state(&leg).heard, at > 0);
        assert_int_equal(leg_state(&leg).input_ended,
                         error == 0 && at < size); /* behind close_notify nothing is read */
        finish();
    }
    buffer_release(&records);
}

static void leg_take_end_at_each_byte(void **state)
{
    (void)state;
    end_at_each_byte(0);
}

static void leg_take_reset_at_each_byte(void **state)
{
    (void)state;
    end_at_each_byte(UV_ECONNRESET);
}

static void leg_take_bytes_behind_close_notify(void **state)
{
    struct buffer records;

    (void)state;
    begin(&server);
    client_records(&records);
    fake_record(&records, FAKE_DATA, span_of_string("and more"));
    fake_send(peer, buffer_span(&records));
    let_read();
    expect_heard("one two three");
    assert_int_equal(last, LEG_TAKE_ENDED);
    buffer_release(&records);
    finish();
}

/* Who takes nothing is not read from beyond what may be held. */
static void leg_holds_up_to_its_ceiling(void **state)
{
    static uint8_t flood[2 * LIMIT_RECEIVED_MAX];

    (void)state;
    begin(NULL);
    takes = false;
    fake_send(peer, span_of(flood, sizeof(flood)));
    for (int i = 0; i < 100; i++)
        (void)fake_read(peer);
    assert_int_equal(leg_holds(&leg).received, LIMIT_HELD_MAX);
    leg_set_held_max(&leg, LIMIT_RECEIVED_MAX);
    leg_set_reading(&leg, true);
    for (int i = 0; i < 100; i++)
        (void)fake_read(peer);
    assert_int_equal(leg_holds(&leg).received, LIMIT_RECEIVED_MAX);
    assert_true(leg_memory(&leg) <= sizeof(peer->base) + LIMIT_RECEIVED_MAX);
    finish();
}

/* leg_peek() gathers; what is not consumed is there again. */
static void leg_peek_gathers(void **state)
{
    struct buffer records;
    struct span bytes;

    (void)state;
    begin(&server);
    takes = false;
    client_records(&records);
    fake_send(peer, buffer_span(&records));
    let_read();
    assert_int_equal(leg_peek(&leg, &bytes), LEG_TAKE_OK);
    assert_int_equal(bytes.size, 13);
    assert_false(leg_has_left(&leg));
    leg_consume(&leg, 4);
    assert_int_equal(leg_peek(&leg, &bytes), LEG_TAKE_OK);
    assert_memory_equal(bytes.data, "two three", 9);
    leg_consume(&leg, 9);
    assert_int_equal(leg_peek(&leg, &bytes), LEG_TAKE_ENDED);
    buffer_release(&records);
    finish();
}

/* ---- sending ---- */

static void leg_send_short_writes(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 10; piece++) {
        begin(NULL);
        peer->room = 0;
        assert_true(leg_can_take(&leg));
        leg_send(&leg, span_of_string(words));
        assert_false(leg_can_take(&leg));
        leg_end(&leg);
        assert_int_equal(leg_state(&leg).end, LEG_END_WANTED);
        while (!leg_is_drained(&leg)) {
            assert_false(peer->fin); /* never before what goes first */
            assert_true(fake_take(peer, piece));
        }
        expect_said(words);
        assert_true(peer->fin);
        assert_int_equal(leg_state(&leg).end, LEG_END_DONE);
        finish();
    }
}

/* More than the wire takes at a time: to_send keeps the rest, in order. */
static void leg_send_more_than_the_wire(void **state)
{
    static uint8_t block[LIMIT_RELAY_BLOCK];

    (void)state;
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (uint8_t)(i * 7 + i / 251);
    begin(NULL);
    peer->room = 100;
    leg_send(&leg, span_of(block, sizeof(block)));
    assert_int_equal(leg_holds(&leg).to_send, sizeof(block) - 100 - LIMIT_WIRE_BLOCK);
    while (!leg_is_drained(&leg))
        assert_true(fake_take(peer, 1000));
    assert_int_equal(peer->outgoing.size, sizeof(block));
    assert_memory_equal(buffer_span(&peer->outgoing).data, block, sizeof(block));
    finish();
}

static void say_hello(void)
{
    struct buffer hello;

    buffer_init(&hello, 64);
    fake_record(&hello, FAKE_HELLO, span_of(NULL, 0));
    fake_send(peer, buffer_span(&hello));
    buffer_release(&hello);
    let_read();
}

/* With TLS: data, then close_notify, then FIN, whatever the kernel takes at a time. */
static void leg_end_says_close_notify_first(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 10; piece++) {
        struct buffer want;

        buffer_init(&want, 4096);
        fake_record(&want, FAKE_HELLO, span_of(NULL, 0));
        fake_record(&want, FAKE_TICKET, span_of(NULL, 0));
        fake_record(&want, FAKE_DATA, span_of_string(words));
        fake_record(&want, FAKE_NOTIFY, span_of(NULL, 0));
        begin(&server);
        say_hello();
        peer->room = 0;
        leg_send(&leg, span_of_string(words));
        leg_end(&leg);
        while (!leg_is_drained(&leg) || leg_state(&leg).end != LEG_END_DONE) {
            assert_false(peer->fin);
            assert_true(fake_take(peer, piece));
        }
        assert_true(peer->fin);
        assert_int_equal(peer->outgoing.size, want.size);
        assert_memory_equal(buffer_span(&peer->outgoing).data, buffer_span(&want).data, want.size);
        buffer_release(&want);
        finish();
    }
}

static void leg_send_to_a_broken_connection(void **state)
{
    (void)state;
    begin(NULL);
    peer->write_error = UV_EPIPE;
    leg_send(&leg, span_of_string(words));
    assert_int_equal(leg_state(&leg).output_error, UV_EPIPE);
    assert_false(leg_can_take(&leg));
    assert_true(leg_is_drained(&leg)); /* nothing that waits will ever go */
    assert_string_equal(leg_error_name(&leg), "EPIPE");
    leg_end(&leg);
    assert_false(peer->fin);
    finish();
}

static void leg_say_drops_beyond_its_ceiling(void **state)
{
    static uint8_t block[LIMIT_TO_SEND_MAX];

    (void)state;
    begin(NULL);
    peer->room = 0;
    assert_int_equal(leg_say(&leg, span_of(block, LIMIT_TO_SEND_MAX - 1)), LIMIT_TO_SEND_MAX - 1);
    assert_int_equal(leg_say(&leg, span_of_string("two")), 1);
    finish();
}

/* After our FIN: some is thrown away, not all that anybody sends. */
static void leg_discard_input_has_an_end(void **state)
{
    static uint8_t block[LIMIT_READ_BLOCK];

    (void)state;
    begin(NULL);
    leg_end(&leg);
    assert_false(leg_discard_input(&leg));
    for (size_t sent = 0; sent <= LIMIT_LINGER_BYTES; sent += sizeof(block)) {
        assert_false(leg_discard_input(&leg));
        fake_send(peer, span_of(block, sizeof(block)));
        assert_true(fake_read(peer));
    }
    assert_true(leg_discard_input(&leg));
    assert_int_equal(leg_holds(&leg).received, 0);
    finish();
    begin(NULL);
    leg_end(&leg);
    assert_false(leg_discard_input(&leg));
    peer->peer_ended = true;
    let_read();
    assert_true(leg_discard_input(&leg));
    finish();
}

/* ---- the pool and the turns ---- */

static void leg_on_pool_is_not_touched(void **state)
{
    (void)state;
    begin(&verifying);
    say_hello();
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_ON_POOL);
    assert_int_equal(fake_pool_size(), 1);
    assert_int_equal(leg.tls.job.group, means.verify_group);
    assert_int_equal(counters.values[COUNTER_handshake_queue_waiting], 1);
    assert_null(leg_engine(&leg));
    assert_false(peer->base.reading);
    assert_false(leg_can_take(&leg) || leg_is_drained(&leg) || leg_has_left(&leg));
    leg_advance(&leg);
    leg_set_reading(&leg, true);
    leg_trim(&leg);
    (void)leg_memory(&leg);
    assert_string_equal(leg_error(&leg), "");
    assert_false(peer->base.reading); /* there is no room for records */
    fake_pool_run(0);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
    assert_int_equal(counters.values[COUNTER_handshake_queue_waiting], 0);
    finish();
}

static void leg_close_while_on_pool(void **state)
{
    (void)state;
    begin(&blocking);
    say_hello();
    assert_int_equal(leg.tls.job.group, means.pool_group);
    leg_alert(&leg); /* it has heard nothing yet */
    leg_close(&leg, TRANSPORT_CLOSE_ORDERLY);
    assert_int_equal(peer->outgoing.size, FAKE_RECORD_HEAD);
    assert_int_equal(fake_engines, 1);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_ON_POOL);
    fake_pool_run(0);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_FAILED);
    finish();
}

static void expect_refused(enum leg_refusal refusal)
{
    assert_int_equal(leg_refusal(&leg), refusal);
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_FAILED);
    assert_string_equal(leg_error_name(&leg), "handshake_queue_full");
    leg_advance(&leg);
    assert_int_equal(peer->outgoing.size, FAKE_RECORD_HEAD); /* the alert */
    assert_int_equal(buffer_span(&peer->outgoing).data[0], FAKE_ALERT);
}

static void leg_refused_by_the_pool(void **state)
{
    (void)state;
    fake_pool_waiting_max = 0;
    begin(&blocking);
    say_hello();
    expect_refused(LEG_REFUSAL_QUEUE);
    finish();
    fake_pool_waiting_max = 1;
    begin(&blocking);
    say_hello();
    fake_pool_refuse(0); /* another has got its place */
    expect_refused(LEG_REFUSAL_QUEUE);
    assert_int_equal(counters.values[COUNTER_handshake_queue_waiting], 0);
    finish();
}

/* The peer has cost so much that it waits; the loop's round is used up. */
static void make_dear(void)
{
    for (int i = 0; i < 1000; i++)
        handshake_turns_charge(turns, means.peer, LIMIT_TURN_COST_US);
}

static void leg_waits_for_its_turn(void **state)
{
    (void)state;
    make_dear();
    begin(&server);
    say_hello();
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_WAITS);
    assert_int_equal(counters.values[COUNTER_handshake_queue_behind_total], 1);
    assert_non_null(leg_engine(&leg));
    leg_advance(&leg); /* it waits once */
    assert_int_equal(handshake_turns_waiting(turns), 1);
    assert_false(handshake_turns_give(turns));
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
    finish();
}

static void leg_closed_before_its_turn(void **state)
{
    (void)state;
    make_dear();
    begin(&server);
    say_hello();
    assert_int_equal(leg_tls_state(&leg), LEG_TLS_WAITS);
    finish();
    assert_int_equal(handshake_turns_waiting(turns), 0);
}

static void leg_loses_its_turn(void **state)
{
    struct handshake_turn others[4] = {{.waits = false}};

    (void)state;
    make_dear();
    begin(&server);
    say_hello();
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(handshake_turns_ask(turns, &others[i], means.peer, HANDSHAKE_TURN_BEGUN));
    expect_refused(LEG_REFUSAL_TURN);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        handshake_turns_leave(turns, &others[i]);
    finish();
}

/* A client may hold back its first words until its Finished is acknowledged; a target is not kept waiting so. */
static void leg_acknowledges_the_last_word_of_a_handshake(void **state)
{
    static const struct fake_context quiet = {.server = true, .quiet = true};
    static const struct {
        const struct fake_context *context;
        unsigned want;
    } rows[] = {{&quiet, 1}, {&server, 0}, {&client, 0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(rows[i].context);
        say_hello();
        assert_int_equal(leg_tls_state(&leg), LEG_TLS_UP);
        leg_advance(&leg);
        assert_int_equal(peer->acknowledged, rows[i].want);
        finish();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(leg_take_plain_pieces),
        TEST(leg_take_tls_pieces),
        TEST(leg_take_end_at_each_byte),
        TEST(leg_take_reset_at_each_byte),
        TEST(leg_take_bytes_behind_close_notify),
        TEST(leg_holds_up_to_its_ceiling),
        TEST(leg_peek_gathers),
        TEST(leg_send_short_writes),
        TEST(leg_send_more_than_the_wire),
        TEST(leg_end_says_close_notify_first),
        TEST(leg_send_to_a_broken_connection),
        TEST(leg_say_drops_beyond_its_ceiling),
        TEST(leg_discard_input_has_an_end),
        TEST(leg_on_pool_is_not_touched),
        TEST(leg_close_while_on_pool),
        TEST(leg_refused_by_the_pool),
        TEST(leg_waits_for_its_turn),
        TEST(leg_closed_before_its_turn),
        TEST(leg_loses_its_turn),
        TEST(leg_acknowledges_the_last_word_of_a_handshake),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
