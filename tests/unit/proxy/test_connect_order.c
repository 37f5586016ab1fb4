/* Happy Eyeballs (RFC 8305) with a resolver, connections and a clock of the test's own: which address is tried when,
 * and what is waited for. No time passes here: a timer that was set says for how long, and goes off when the test says
 * so. */
#include "proxy/session/connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- the clock: the one timer of the one connector ---- */

static struct {
    uv_timer_t *timer;
    uv_timer_cb call;
    uint64_t timeout_ms;
    bool active;
} clock_of_test;

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    (void)loop;
    clock_of_test.timer = timer;
    clock_of_test.active = false;
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb call, uint64_t timeout_ms, uint64_t repeat_ms)
{
    assert_ptr_equal(timer, clock_of_test.timer);
    assert_int_equal(repeat_ms, 0);
    clock_of_test.call = call;
    clock_of_test.timeout_ms = timeout_ms;
    clock_of_test.active = true;
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    assert_ptr_equal(timer, clock_of_test.timer);
    clock_of_test.active = false;
    return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    assert_ptr_equal(handle, clock_of_test.timer);
    return clock_of_test.active;
}

void uv_close(uv_handle_t *handle, uv_close_cb call)
{
    clock_of_test.active = false;
    call(handle);
}

char *uv_strerror_r(int error, char *text, size_t size)
{
    snprintf(text, size, "%s", error == UV_ECONNREFUSED ? "connection refused" : "another error");
    return text;
}

/* It goes off, and was set for so long. */
static void expect_wait(uint64_t timeout_ms)
{
    assert_true(clock_of_test.active);
    assert_int_equal(clock_of_test.timeout_ms, timeout_ms);
    clock_of_test.active = false;
    clock_of_test.call(clock_of_test.timer);
}

/* ---- the resolver ---- */

struct resolve_lookup {
    bool running;
    void (*on_done)(void *context, const struct resolve_result *result);
    void *context;
};

static struct resolve_lookup lookups[2]; /* IPv6, IPv4 */

static struct resolve_lookup *lookup_of(int family)
{
    return &lookups[family == AF_INET6 ? 0 : 1];
}

struct resolve_lookup *resolve_start(struct resolver *r, struct resolve_asker asker, const char *host, uint16_t port,
                                     int family, void (*on_done)(void *context, const struct resolve_result *result),
                                     void *context)
{
    struct resolve_lookup *l = lookup_of(family);

    (void)r;
    (void)asker;
    assert_string_equal(host, "name.test");
    assert_int_equal(port, 443);
    assert_false(l->running);
    *l = (struct resolve_lookup){.running = true, .on_done = on_done, .context = context};
    return l;
}

void resolve_cancel(struct resolve_lookup **lookup)
{
    if (*lookup != NULL)
        (*lookup)->running = false;
    *lookup = NULL;
}

bool resolve_literal(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    (void)host;
    (void)port;
    (void)address;
    return false;
}

/* Addresses are told by their last byte: "v6.1", "v4.2". */
const char *resolve_address_text(const struct sockaddr *address, char *out, size_t out_size)
{
    if (address->sa_family == AF_INET6)
        snprintf(out, out_size, "v6.%u", ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr[15]);
    else
        snprintf(out, out_size, "v4.%u",
                 ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) & 255);
    return out;
}

/* So many addresses of a family, or none and an error. */
static void answer(int family, size_t count)
{
    struct resolve_lookup *l = lookup_of(family);
    struct resolve_result result = {.error = count == 0 ? UV_EAI_NONAME : 0, .count = count};

    for (size_t i = 0; i < count; i++) {
        if (family == AF_INET6) {
            struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&result.addresses[i];

            in6->sin6_family = AF_INET6;
            in6->sin6_addr.s6_addr[15] = (uint8_t)(i + 1);
        } else {
            struct sockaddr_in *in = (struct sockaddr_in *)&result.addresses[i];

            in->sin_family = AF_INET;
            in->sin_addr.s_addr = htonl(0xc0000200u + (uint32_t)i + 1);
        }
    }
    assert_true(l->running);
    l->running = false;
    l->on_done(l->context, &result);
}

/* ---- connections ---- */

enum { PLACES = 64 };

static struct transport places[PLACES];
static char tried[PLACES][16]; /* in order */
static bool open_now[PLACES];
static size_t tried_count;

struct transport *transport_create(uv_loop_t *loop, enum transport_type type)
{
    (void)loop;
    assert_int_equal(type, TRANSPORT_TCP);
    assert_true(tried_count < PLACES);
    return &places[tried_count];
}

int transport_connect(struct transport *t, const struct sockaddr *address, const char *path,
                      void (*on_connected)(void *owner, int error), void *owner)
{
    (void)path;
    resolve_address_text(address, tried[tried_count], sizeof(tried[0]));
    open_now[tried_count++] = true;
    t->on_connected = on_connected;
    t->owner = owner;
    return 0;
}

void transport_close(struct transport **t, enum transport_close how)
{
    (void)how;
    if (*t != NULL)
        open_now[*t - places] = false;
    *t = NULL;
}

static void expect_tried(const char *want)
{
    char all[PLACES * 16 + 1] = "";

    for (size_t i = 0; i < tried_count; i++) {
        size_t size = strlen(all);

        snprintf(all + size, sizeof(all) - size, "%s%.15s", i == 0 ? "" : " ", tried[i]);
    }
    assert_string_equal(all, want);
}

static void attempt_ends(size_t index, int error)
{
    assert_true(open_now[index]);
    places[index].on_connected(places[index].owner, error);
}

/* ---- the connector ---- */

static struct {
    struct connector *connector;
    unsigned told;
    enum connect_status status;
    struct transport *transport;
    char error[128];
} outcome;

static void on_done(void *context, const struct connect_result *result)
{
    (void)context;
    outcome.told++;
    outcome.status = result->status;
    outcome.transport = result->transport;
    snprintf(outcome.error, sizeof(outcome.error), "%s", result->error == NULL ? "" : result->error);
}

static const char *allow_ipv6(void *context, const struct sockaddr *address)
{
    (void)context;
    return address->sa_family == AF_INET6 ? NULL : "only IPv6 is";
}

static void begin(const char *(*denied)(void *context, const struct sockaddr *address))
{
    static char name[] = "name.test";
    static const struct config_address target = {.type = CONFIG_ADDRESS_INET, .host = name, .port = 443, .text = name};

    memset(lookups, 0, sizeof(lookups));
    memset(open_now, 0, sizeof(open_now));
    memset(&outcome, 0, sizeof(outcome));
    tried_count = 0;
    outcome.connector = connector_create(
        &(struct connect_options){.targets = &target, .target_count = 1, .denied = denied, .on_done = on_done});
    assert_false(lookups[0].running); /* nothing happens inside connector_create() */
    expect_wait(0);
    assert_true(lookups[0].running && lookups[1].running);
}

static void finish(void)
{
    connector_destroy(&outcome.connector);
    if (outcome.transport != NULL)
        transport_close(&outcome.transport, TRANSPORT_CLOSE_ORDERLY);
    for (size_t i = 0; i < PLACES; i++)
        assert_false(open_now[i]);
    assert_false(lookups[0].running || lookups[1].running || clock_of_test.active);
}

static void expect_connected(size_t index)
{
    assert_int_equal(outcome.told, 1);
    assert_int_equal(outcome.status, CONNECT_OK);
    assert_ptr_equal(outcome.transport, &places[index]);
}

/* RFC 8305 section 3: AAAA first: connect at once. */
static void ipv6_answer_is_tried_at_once(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET6, 1);
    expect_tried("v6.1");
    attempt_ends(0, 0);
    expect_connected(0); /* and the IPv4 lookup is forgotten: finish() looks */
    finish();
}

/* A first: AAAA has the Resolution Delay to come. */
static void ipv4_answer_waits_for_ipv6(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET, 2);
    expect_tried("");
    assert_int_equal(clock_of_test.timeout_ms, LIMIT_RESOLUTION_DELAY_MS);
    answer(AF_INET6, 1); /* within it */
    expect_tried("v6.1");
    expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_tried("v6.1 v4.1");
    attempt_ends(1, 0);
    expect_connected(1);
    finish();
}

static void ipv4_answer_does_not_wait_for_ever(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET, 2);
    expect_wait(LIMIT_RESOLUTION_DELAY_MS);
    expect_tried("v4.1");
    answer(AF_INET6, 1); /* late: it has its turn next */
    expect_tried("v4.1");
    expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_tried("v4.1 v6.1");
    attempt_ends(0, 0);
    expect_connected(0);
    finish();
}

static void ipv4_answer_is_tried_at_once_when_there_is_no_ipv6(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET6, 0);
    expect_tried("");
    answer(AF_INET, 1);
    expect_tried("v4.1");
    attempt_ends(0, 0);
    expect_connected(0);
    finish();
}

/* Section 4: families take turns; section 5: a new attempt after each delay while the earlier ones go on, up to a
 * limit. */
static void families_take_turns_up_to_the_limit(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET, 3);
    answer(AF_INET6, 3);
    expect_tried("v6.1");
    expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_tried("v6.1 v4.1 v6.2 v4.2");
    static_assert(LIMIT_ATTEMPTS == 4, "as many as were begun");
    if (clock_of_test.active)
        expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_tried("v6.1 v4.1 v6.2 v4.2");
    attempt_ends(1, UV_ECONNREFUSED); /* makes room */
    expect_tried("v6.1 v4.1 v6.2 v4.2 v6.3");
    attempt_ends(2, 0);
    expect_connected(2);
    finish();
}

/* Section 5: a failure starts the next attempt without a delay. */
static void failure_starts_the_next_at_once(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET6, 2);
    answer(AF_INET, 1);
    attempt_ends(0, UV_ECONNREFUSED);
    expect_tried("v6.1 v4.1");
    attempt_ends(1, UV_ECONNREFUSED);
    expect_tried("v6.1 v4.1 v6.2");
    assert_int_equal(outcome.told, 0);
    attempt_ends(2, UV_ECONNREFUSED);
    assert_int_equal(outcome.told, 1);
    assert_int_equal(outcome.status, CONNECT_FAILED);
    assert_string_equal(outcome.error, "cannot connect to v6.2: connection refused");
    finish();
}

/* All that is known has failed, but a lookup still runs: what it brings is tried. */
static void late_answer_is_tried_when_the_rest_has_failed(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET6, 1);
    attempt_ends(0, UV_ECONNREFUSED);
    assert_int_equal(outcome.told, 0);
    answer(AF_INET, 1);
    expect_tried("v6.1 v4.1");
    attempt_ends(1, 0);
    expect_connected(1);
    finish();
}

static void no_address_at_all_is_a_failure(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET6, 0);
    answer(AF_INET, 0);
    assert_int_equal(outcome.told, 1);
    assert_int_equal(outcome.status, CONNECT_FAILED);
    assert_non_null(strstr(outcome.error, "\"name.test\" cannot be resolved"));
    finish();
}

/* With a check nothing is tried before both families are known, and one bad address refuses the name. */
static void check_waits_for_both_families(void **state)
{
    (void)state;
    begin(allow_ipv6);
    answer(AF_INET6, 1);
    assert_false(clock_of_test.active);
    expect_tried("");
    answer(AF_INET, 1);
    expect_tried("");
    assert_int_equal(outcome.status, CONNECT_DENIED);
    assert_non_null(strstr(outcome.error, "the address v4.1 of the target is not allowed: only IPv6 is"));
    finish();

    begin(allow_ipv6);
    answer(AF_INET6, 1);
    answer(AF_INET, 0);
    expect_tried("v6.1");
    attempt_ends(0, 0);
    expect_connected(0);
    finish();
}

static void destroy_forgets_what_is_under_way(void **state)
{
    (void)state;
    begin(NULL);
    answer(AF_INET6, 2);
    expect_wait(LIMIT_ATTEMPT_DELAY_MS);
    expect_tried("v6.1 v6.2");
    finish();
    assert_int_equal(outcome.told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_answer_is_tried_at_once),
        cmocka_unit_test(ipv4_answer_waits_for_ipv6),
        cmocka_unit_test(ipv4_answer_does_not_wait_for_ever),
        cmocka_unit_test(ipv4_answer_is_tried_at_once_when_there_is_no_ipv6),
        cmocka_unit_test(families_take_turns_up_to_the_limit),
        cmocka_unit_test(failure_starts_the_next_at_once),
        cmocka_unit_test(late_answer_is_tried_when_the_rest_has_failed),
        cmocka_unit_test(no_address_at_all_is_a_failure),
        cmocka_unit_test(check_waits_for_both_families),
        cmocka_unit_test(destroy_forgets_what_is_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
