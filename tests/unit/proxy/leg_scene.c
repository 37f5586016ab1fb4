/* see tests/unit/proxy/leg_scene.h */
#include "leg_scene.h"

static uint8_t read_block[LIMIT_READ_BLOCK], relay_block[LIMIT_RELAY_BLOCK];
static const struct leg_blocks blocks = {read_block, sizeof(read_block), relay_block, sizeof(relay_block)};
struct counters_block counters;
struct handshake_turns *turns;
uint64_t now_ms, now_us;
struct leg_means means;
struct leg leg;
struct fake_transport *peer;
unsigned news, moved;

struct buffer heard;
enum leg_take last;
bool takes;

static uint64_t tell_ms(void)
{
    return now_ms;
}

static uint64_t tell_us(void)
{
    return now_us;
}

void take_all(void)
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

const struct fake_context server = {.server = true}, blocking = {.server = true, .blocks = true},
                          verifying = {.server = true, .blocks = true, .verifies = true}, client = {.server = false};

void begin(const struct fake_context *context)
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

void finish(void)
{
    leg_close(&leg, TRANSPORT_CLOSE_ORDERLY);
    leg_clear(&leg);
    assert_int_equal(fake_engines, 0);
    fake_transport_free(peer);
    assert_null(fake_transports);
    buffer_release(&heard);
}

int start(void **state)
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

int stop(void **state)
{
    (void)state;
    handshake_turns_destroy(&turns);
    fake_pool_waiting_max = FAKE_POOL_WAITING_MAX;
    return 0;
}

void let_read(void)
{
    while (fake_read(peer))
        ;
}

void expect_heard(const char *want)
{
    assert_int_equal(heard.size, strlen(want));
    assert_memory_equal(buffer_span(&heard).data, want, heard.size);
}

void expect_said(const char *want)
{
    assert_int_equal(peer->outgoing.size, strlen(want));
    if (want[0] != '\0')
        assert_memory_equal(buffer_span(&peer->outgoing).data, want, peer->outgoing.size);
}

void say_hello(void)
{
    struct buffer hello;

    buffer_init(&hello, 64);
    fake_record(&hello, FAKE_HELLO, span_of(NULL, 0));
    fake_send(peer, buffer_span(&hello));
    buffer_release(&hello);
    let_read();
}
