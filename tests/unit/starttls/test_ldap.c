#include "conversation.h"
#include "ldap_messages.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define LDAP_ACCEPT   .protocol = STARTTLS_LDAP, .side = ACCEPTED, .upgrade = UPGRADE
#define LDAP_CONNECT  .protocol = STARTTLS_LDAP, .side = CONNECTED, .upgrade = UPGRADE
#define LDAP_PROBE    .protocol = STARTTLS_LDAP, .side = PROBED
#define SAYS(literal) .want_bytes = BYTES(literal)

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said: the client speaks first", LDAP_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE,
         SAYS("")},
        {"StartTLS", LDAP_ACCEPT, .input = BYTES(STARTTLS), .want = STARTTLS_UPGRADE, SAYS(GO)},
        {"its number is answered", LDAP_ACCEPT, .input = BYTES(STARTTLS_7), .want = STARTTLS_UPGRADE, SAYS(GO_7)},
        {"the largest", LDAP_ACCEPT, .input = BYTES(BIG_ID), .want = STARTTLS_UPGRADE, SAYS(GO_BIG)},
        {"lengths as Windows writes them", LDAP_ACCEPT, .input = BYTES(LONG_FORM), .want = STARTTLS_UPGRADE, SAYS(GO)},
        {"after refused requests", LDAP_ACCEPT, .input = BYTES(BIND ABANDON STARTTLS), .want = STARTTLS_UPGRADE,
         SAYS(BIND_NO GO)},
        {"no identity: unavailable", .protocol = STARTTLS_LDAP, .side = ACCEPTED, .upgrade = PLAIN,
         .input = BYTES(STARTTLS BIND), .want = STARTTLS_NEED_MORE, SAYS(UNAVAILABLE BIND_NO)},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_answers_every_request(void **state)
{
    static const struct conversation rows[] = {
        {"confidentialityRequired", LDAP_ACCEPT,
         .input = BYTES(BIND SEARCH MODIFY ADD DELETE MODIFY_DN COMPARE WHOAMI ABANDON), .want = STARTTLS_NEED_MORE,
         SAYS(BIND_NO SEARCH_NO MODIFY_NO ADD_NO DELETE_NO MODIFY_DN_NO COMPARE_NO EXTENDED_NO)},
        {"Unbind", LDAP_ACCEPT, .input = BYTES(UNBIND BIND), .want = STARTTLS_CLOSE, SAYS(""),
         .want_left = sizeof(BIND) - 1},
        {"StartTLS with a value, with controls", LDAP_ACCEPT, .input = BYTES(WITH_VALUE WITH_CONTROLS),
         .want = STARTTLS_NEED_MORE, SAYS(VALUE_NO CONTROLS_NO)},
        {"too many", LDAP_ACCEPT,
         .input = BYTES(ABANDON ABANDON ABANDON ABANDON ABANDON ABANDON ABANDON ABANDON ABANDON BIND STARTTLS),
         .want = STARTTLS_BROKEN, SAYS(BIND_NO TOO_MANY), .want_error = "10 requests",
         .want_left = sizeof(STARTTLS) - 1},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* CVE-2011-0411 (I1, I2): at every split but the one behind StartTLS itself, which is TLS's to choke on. */
static void accept_refuses_what_follows_starttls(void **state)
{
    static const struct conversation row = {"a Bind",
                                            LDAP_ACCEPT,
                                            .input = BYTES(STARTTLS BIND),
                                            .want = STARTTLS_BROKEN,
                                            SAYS(INJECTED),
                                            .want_error = "plain text",
                                            .want_left = sizeof(BIND) - 1};

    (void)state;
    conversation_check_early(&row, sizeof(STARTTLS) - 1);
}

static void accept_takes_no_message_that_is_none(void **state)
{
    static const struct conversation rows[] = {
        {"HTTP, which is not repeated", LDAP_ACCEPT, .input = BYTES("GET / HTTP/1.1\r\n\r\n"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "not an LDAP message", .want_left = 17},
        {"an indefinite length", LDAP_ACCEPT, .input = BYTES("\x30\x80\x02\x01\x01"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "not an LDAP message", .want_left = 3},
        {"a length of five bytes", LDAP_ACCEPT, .input = BYTES("\x30\x85"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "not an LDAP message"},
        {"more than 4 KiB", LDAP_ACCEPT, .input = BYTES("\x30\x82\x10\x00"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "too long"},
        {"4 GiB", LDAP_ACCEPT, .input = BYTES("\x30\x84\xff\xff\xff\xff"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "too long"},
        {"number 0", LDAP_ACCEPT, .input = BYTES(ID_0), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not an LDAP message"},
        {"a negative number", LDAP_ACCEPT, .input = BYTES(NEGATIVE), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not an LDAP message"},
        {"a number of five bytes", LDAP_ACCEPT, .input = BYTES(LARGE_ID), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not an LDAP message"},
        {"something behind the operation", LDAP_ACCEPT, .input = BYTES(TRAILING), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "not an LDAP message"},
        {"too deep", LDAP_ACCEPT, .input = BYTES(DEEP), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not an LDAP message"},
        {"nothing in it", LDAP_ACCEPT, .input = BYTES("\x30\x00"), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not an LDAP message"},
        {"an extended request without a name", LDAP_ACCEPT, .input = BYTES(NO_NAME), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "without a name"},
        {"a response", LDAP_ACCEPT, .input = BYTES(RESPONSE), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not a request"},
        {"TLS at once", LDAP_ACCEPT, .input = BYTES("\x16\x03\x01"), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "not an LDAP message", .want_left = 2},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void connect_upgrades(void **state)
{
    static const struct conversation rows[] = {
        {"success", LDAP_CONNECT, .input = BYTES(GO), .want = STARTTLS_UPGRADE, SAYS(STARTTLS)},
        {"without a name", LDAP_CONNECT, .input = BYTES(SHORT_NAME_GO), .want = STARTTLS_UPGRADE, SAYS(STARTTLS)},
        {"with a referral that means nothing", LDAP_CONNECT, .input = BYTES(REFERRED_GO), .want = STARTTLS_UPGRADE,
         SAYS(STARTTLS)},
        {"nothing to upgrade", .protocol = STARTTLS_LDAP, .side = CONNECTED, .upgrade = PLAIN, .input = BYTES("x"),
         .want = STARTTLS_READY, SAYS(""), .want_left = 1},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R3, R7, R8, R15. */
static void connect_never_goes_on_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"it knows none, or it is stripped", LDAP_CONNECT, .input = BYTES(UNKNOWN), .want = STARTTLS_REFUSED,
         SAYS(STARTTLS), .want_error = "knows no StartTLS: \"unsupported\""},
        {"not now", LDAP_CONNECT, .input = BYTES(REFUSED_NOW), .want = STARTTLS_REFUSED, SAYS(STARTTLS),
         .want_error = "refuses StartTLS: \"no certificate\""},
        {"somewhere else", LDAP_CONNECT, .input = BYTES(REFERRED), .want = STARTTLS_REFUSED, SAYS(STARTTLS),
         .want_error = "refuses StartTLS"},
        {"number 0", LDAP_CONNECT, .input = BYTES(NOTICE), .want = STARTTLS_REFUSED, SAYS(STARTTLS),
         .want_error = "goodbye"},
        {"another number", LDAP_CONNECT, .input = BYTES(WRONG_ID), .want = STARTTLS_BROKEN, SAYS(STARTTLS),
         .want_error = "not asked"},
        {"another answer", LDAP_CONNECT, .input = BYTES(WRONG_OP), .want = STARTTLS_BROKEN, SAYS(STARTTLS),
         .want_error = "not asked"},
        {"another name", LDAP_CONNECT, .input = BYTES(WRONG_NAME), .want = STARTTLS_BROKEN, SAYS(STARTTLS),
         .want_error = "no answer to StartTLS"},
        {"no result", LDAP_CONNECT, .input = BYTES(NO_RESULT), .want = STARTTLS_BROKEN, SAYS(STARTTLS),
         .want_error = "no answer to StartTLS"},
        {"a greeting", LDAP_CONNECT, .input = BYTES("220 x\r\n"), .want = STARTTLS_BROKEN, SAYS(STARTTLS),
         .want_error = "not an LDAP message", .want_left = 6},
        {"without an end", LDAP_CONNECT, .input = BYTES("\x30\x83\x01\x00\x00"), .want = STARTTLS_BROKEN,
         SAYS(STARTTLS), .want_error = "too long"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R1. */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {"a second answer",
                                            LDAP_CONNECT,
                                            .input = BYTES(GO RESPONSE),
                                            .want = STARTTLS_BROKEN,
                                            SAYS(STARTTLS),
                                            .want_error = "plain text",
                                            .want_left = sizeof(RESPONSE) - 1};

    (void)state;
    conversation_check_early(&row, sizeof(GO) - 1);
}

static void probe_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"asked, left", LDAP_PROBE, .upgrade = PLAIN, .input = BYTES(ENTRY DONE), .want = STARTTLS_READY,
         SAYS(ASK_ROOT LEAVE)},
        {"it tells nobody", LDAP_PROBE, .upgrade = UPGRADE, .input = BYTES(DENIED "x"), .want = STARTTLS_READY,
         SAYS(ASK_ROOT LEAVE), .want_left = 1},
        {"it does not serve", LDAP_PROBE, .upgrade = UPGRADE, .input = BYTES(BUSY), .want = STARTTLS_REFUSED,
         SAYS(ASK_ROOT), .want_error = "\"later\""},
        {"goodbye", LDAP_PROBE, .upgrade = UPGRADE, .input = BYTES(NOTICE), .want = STARTTLS_REFUSED, SAYS(ASK_ROOT),
         .want_error = "goodbye"},
        {"what was not asked", LDAP_PROBE, .upgrade = UPGRADE, .input = BYTES(WRONG_OP), .want = STARTTLS_BROKEN,
         SAYS(ASK_ROOT), .want_error = "not asked"},
        {"nothing of LDAP", LDAP_PROBE, .upgrade = UPGRADE, .input = BYTES("SSH"), .want = STARTTLS_BROKEN,
         SAYS(ASK_ROOT), .want_error = "not an LDAP message", .want_left = 2},
    };
    static const struct starttls_options options = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_probe_create(STARTTLS_LDAP, &options);
    size_t consumed;

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    assert_int_equal(starttls_put(m, span_of(ENTRY DONE, sizeof(ENTRY DONE) - 1), &consumed), STARTTLS_READY);
    assert_true(span_equal(starttls_capabilities(m), span_of_string("PLAIN EXTERNAL")));
    starttls_machine_destroy(&m);
}

/* A Notice of Disconnection (RFC 4511 section 4.4.1), which is right at any time. */
static void failure_text_is_a_notice_for_each(void **state)
{
    static const uint8_t want[] = {51, 52, 50, 52, 52, 52, 52, 52, 52, 52, 52, 52, 2};

    (void)state;
    static_assert(ARRAY_LEN(want) == STARTTLS_FAILURE_COUNT, "one for each");
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        static const char oid[] = "\x8a\x16"
                                  "1.3.6.1.4.1.1466.20036";
        struct buffer out;
        const uint8_t *said;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_LDAP, (enum starttls_failure)i, true, "proxy.test", &out);
        said = buffer_span(&out).data;
        assert_int_equal(said[1], out.size - 2);
        assert_memory_equal(said + 2, "\x02\x01\x00\x78", 4);
        assert_int_equal(said[6], out.size - 7);
        assert_int_equal(said[9], want[i]);
        assert_memory_equal(said + out.size - 24, oid, 24);
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_starts_tls),
        cmocka_unit_test(accept_answers_every_request),
        cmocka_unit_test(accept_refuses_what_follows_starttls),
        cmocka_unit_test(accept_takes_no_message_that_is_none),
        cmocka_unit_test(connect_upgrades),
        cmocka_unit_test(connect_never_goes_on_in_clear),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(probe_asks_and_leaves),
        cmocka_unit_test(failure_text_is_a_notice_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
