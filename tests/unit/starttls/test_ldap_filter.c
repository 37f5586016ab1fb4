#include "ldap_messages.h"
#include "relay.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define C STARTTLS_FROM_CLIENT
#define S STARTTLS_FROM_SERVER
#define SAME(direction, literal)                                                                                       \
    {                                                                                                                  \
        direction, BYTES(literal), BYTES(literal)                                                                      \
    }
#define LDAP .protocol = STARTTLS_LDAP

static void check(const struct relay *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        relay_check(&rows[i]);
}

/* I6. */
static void client_starttls_reaches_no_server(void **state)
{
    static const struct step plain[] = {{C, BYTES(STARTTLS), BYTES(STARTTLS_KEPT_OUT)}};
    static const struct step forms[] = {
        {C, BYTES(LONG_FORM WITH_VALUE BIND), BYTES(LONG_FORM_KEPT_OUT WITH_VALUE_KEPT_OUT BIND)}};
    static const struct step others[] = {SAME(C, WHOAMI SEARCH MODIFY UNBIND)};
    static const struct relay rows[] = {
        {"StartTLS", LDAP, STEPS(plain)},
        {"in any form, between others", LDAP, STEPS(forms)},
        {"others pass", LDAP, STEPS(others)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

/* R13. */
static void root_dse_offers_no_second_tls(void **state)
{
    static const struct step root[] = {SAME(C, SEARCH), {S, BYTES(ROOT DONE), BYTES(ROOT_KEPT_OUT DONE)}};
    static const struct step other[] = {SAME(S, OTHER_ENTRY)};
    static const struct relay rows[] = {
        {"left out", LDAP, STEPS(root)},
        {"only there", LDAP, STEPS(other)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void login_by_sasl_ends_the_filter(void **state)
{
    static const struct step sasl[] = {SAME(C, SASL_BIND), {S, BYTES(SASL_GO "\0\0\0\4wrap"), BYTES(SASL_GO)}};
    static const struct step steps[] = {SAME(C, SASL_BIND), SAME(S, SASL_MORE), SAME(C, SASL_BIND), SAME(S, SASL_GO)};
    static const struct step refused[] = {
        SAME(C, SASL_BIND), SAME(S, SASL_NO), SAME(S, SASL_GO), {C, BYTES(STARTTLS), BYTES(STARTTLS_KEPT_OUT)}};
    static const struct step password[] = {
        SAME(C, BIND), SAME(S, BIND_GO), {C, BYTES(STARTTLS), BYTES(STARTTLS_KEPT_OUT)}};
    static const struct step another[] = {SAME(C, SASL_BIND), SAME(S, BIND_GO)};
    static const struct relay rows[] = {
        {"success", LDAP, STEPS(sasl), .want = STARTTLS_READY, .want_left = 8},
        {"in steps", LDAP, STEPS(steps), .want = STARTTLS_READY},
        {"a refusal does not", LDAP, STEPS(refused)},
        {"a password does not", LDAP, STEPS(password)},
        {"nor the answer to another", LDAP, STEPS(another)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void what_is_no_message_ends_the_session(void **state)
{
    static const struct step http[] = {{C, BYTES("GET / HTTP/1.1\r\n"), BYTES("")}};
    static const struct step indefinite[] = {{C, BYTES("\x30\x80\x02\x01\x01"), BYTES("")}};
    static const struct step empty[] = {{C, BYTES("\x30\x00"), BYTES("")}};
    static const struct step unnamed[] = {{C, BYTES(NO_NAME), BYTES("")}};
    static const struct step cut[] = {{C, BYTES("\x30\x08\x02\x01\x01\x77\x18\x80\x16\x31"), BYTES("")}};
    static const struct step server[] = {{S, BYTES("* OK imap\r\n"), BYTES("")}};
    static const struct step result[] = {SAME(C, SASL_BIND), SAME(S, BIND_EMPTY)};
    static const struct relay rows[] = {
        {"HTTP", LDAP, STEPS(http), .want = STARTTLS_BROKEN, .want_error = "client sent something"},
        {"an indefinite length", LDAP, STEPS(indefinite), .want = STARTTLS_BROKEN,
         .want_error = "client sent something"},
        {"nothing in it", LDAP, STEPS(empty), .want = STARTTLS_BROKEN, .want_error = "client sent something"},
        {"a request without a name", LDAP, STEPS(unnamed), .want = STARTTLS_BROKEN, .want_error = "without a name"},
        {"a name that is cut off", LDAP, STEPS(cut), .want = STARTTLS_BROKEN, .want_error = "without a name"},
        {"a server", LDAP, STEPS(server), .want = STARTTLS_BROKEN, .want_error = "server sent something"},
        {"no result", LDAP, STEPS(result), .want = STARTTLS_BROKEN, .want_error = "without a result"},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

/* A message of `size` bytes behind its header, of an operation with a long content; owned by the caller. */
static struct span long_message(uint8_t op, const char *start, size_t start_size, size_t size)
{
    const uint8_t head[] = {
        0x30, 0x84, 0, (uint8_t)(size >> 16),       (uint8_t)(size >> 8),       (uint8_t)size,      0x02, 0x01, 0x09,
        op,   0x84, 0, (uint8_t)((size - 9) >> 16), (uint8_t)((size - 9) >> 8), (uint8_t)(size - 9)};
    uint8_t *message = base_alloc(6 + size);

    memset(message, 'a', 6 + size);
    memcpy(message, head, sizeof(head));
    memcpy(message + sizeof(head), start, start_size);
    return span_of(message, 6 + size);
}

static void free_message(struct span message)
{
    free((void *)(uintptr_t)message.data);
}

static void messages_of_any_size_pass(void **state)
{
    const struct span modify = long_message(0x66, "", 0, 100000), entry = long_message(0x64, "\x04\x01x", 3, 100000);
    const struct span root = long_message(0x64, "\x04\x00", 2, 20000);
    const struct span bind = long_message(0x60, "\x02\x01\x03\x04\x82\x07\xd0", 7, 5000); /* its name hides how */
    const struct step steps[] = {
        {C, modify, modify}, {S, entry, entry}, {S, root, root}, {C, bind, bind}, SAME(S, SASL_GO)};
    const struct relay relay = {"long", LDAP, STEPS(steps), .want = STARTTLS_READY};

    (void)state;
    relay_check(&relay);
    free_message(modify);
    free_message(entry);
    free_message(root);
    free_message(bind);
}

/* What is held back goes out at the end. */
static void halves_are_kept(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_LDAP, STARTTLS_GREETED);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
    assert_int_equal(starttls_filter_put(f, C, span_of(BIND, 5), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, S, span_of(GO, 3), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(out.size, 0);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_int_equal(out.size, 5);
    assert_true(starttls_filter_rest(f, S, &out));
    assert_int_equal(out.size, 8);
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_starttls_reaches_no_server), cmocka_unit_test(root_dse_offers_no_second_tls),
        cmocka_unit_test(login_by_sasl_ends_the_filter),     cmocka_unit_test(what_is_no_message_ends_the_session),
        cmocka_unit_test(messages_of_any_size_pass),         cmocka_unit_test(halves_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
