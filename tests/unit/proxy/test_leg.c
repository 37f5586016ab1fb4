/* A leg (proxy/session/leg.h) over nothing but buffers: what comes in pieces of 1 to 10 bytes comes out whole, what
 * goes out goes in order, and an end or an error at any byte is told as what it is. Its handshakes, on the pool and in
 * turns, are in test_leg_tls.c. */
#include "leg_scene.h"

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
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
