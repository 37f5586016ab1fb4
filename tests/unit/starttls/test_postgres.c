#include "conversation.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define SSL                        "\0\0\0\x08\x04\xd2\x16\x2f"
#define GSS                        "\0\0\0\x08\x04\xd2\x16\x30"
#define CANCEL                     "\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x34key!"
#define STARTUP                    "\0\0\0\x11\0\3\0\0user\0me\0\0"
#define HEAD                       "\0\0\0\x11\0\3\0\0"
#define ERROR(size, code, message) "E\0\0\0" size "SFATAL\0VFATAL\0C" code "\0M" message "\0\0"
#define NOT_UNDERSTOOD             ERROR("\x2a", "08P01", "Not understood")
#define TLS_REQUIRED               ERROR("\x53", "28000", "TLS is required: connect with sslmode=require or better")

#define PG_ACCEPT     .protocol = STARTTLS_POSTGRES, .side = ACCEPTED, .upgrade = UPGRADE
#define PG_CLEAR      .protocol = STARTTLS_POSTGRES, .side = ACCEPTED, .upgrade = UPGRADE, .cancels_in_clear = true
#define PG_INSIDE     .protocol = STARTTLS_POSTGRES, .side = ACCEPTED, .upgrade = PLAIN, .opens_here = true
#define PG_CONNECT    .protocol = STARTTLS_POSTGRES, .side = CONNECTED, .upgrade = UPGRADE
#define PG_PROBE      .protocol = STARTTLS_POSTGRES, .side = PROBED
#define SAYS(literal) .want_bytes = BYTES(literal)

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said: the client speaks first", PG_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE, SAYS("")},
        {"SSLRequest", PG_ACCEPT, .input = BYTES(SSL), .want = STARTTLS_UPGRADE, SAYS("S")},
        {"GSSENCRequest is answered, and SSLRequest may follow", PG_ACCEPT, .input = BYTES(GSS SSL),
         .want = STARTTLS_UPGRADE, SAYS("NS")},
        {"TLS at once", PG_ACCEPT, .input = BYTES("\x16\3\1\2\0\1"), .want = STARTTLS_DIRECT, SAYS(""), .want_left = 6},
        {"no identity: refused, and nothing else is allowed", .protocol = STARTTLS_POSTGRES, .side = ACCEPTED,
         .upgrade = PLAIN, .input = BYTES(SSL STARTUP), .want = STARTTLS_BROKEN,
         SAYS("N" ERROR("\x34", "28000", "TLS is not available now")), .want_error = "without TLS", .want_left = 9},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_takes_no_session_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"StartupMessage", PG_CLEAR, .input = BYTES(STARTUP), .want = STARTTLS_BROKEN, SAYS(TLS_REQUIRED),
         .want_error = "without TLS", .want_left = 9},
        {"after a refused GSSENCRequest", PG_ACCEPT, .input = BYTES(GSS STARTUP), .want = STARTTLS_BROKEN,
         SAYS("N" TLS_REQUIRED), .want_error = "without TLS", .want_left = 9},
        {"GSSENCRequest twice", PG_ACCEPT, .input = BYTES(GSS GSS), .want = STARTTLS_BROKEN,
         SAYS("N" ERROR("\x3d", "08P01", "TLS and GSSAPI are asked for once")), .want_error = "twice"},
        {"TLS behind a refused GSSENCRequest", PG_ACCEPT, .input = BYTES(GSS "\x16\3\1\2\0\1\0\0"),
         .want = STARTTLS_BROKEN, SAYS("N" NOT_UNDERSTOOD), .want_error = "does not open"},
        {"a request with a body", PG_ACCEPT, .input = BYTES("\0\0\0\x09\x04\xd2\x16\x2f"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "does not open"},
        {"shorter than itself", PG_ACCEPT, .input = BYTES("\0\0\0\x07\x04\xd2\x16\x2f"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "does not open"},
        {"longer than any", PG_ACCEPT, .input = BYTES("\0\0\x27\x11\0\3\0\0"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "does not open"},
        {"version 2", PG_ACCEPT, .input = BYTES("\0\0\0\x12\0\2\0\0"), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "does not open"},
        {"HTTP, which is not repeated", PG_ACCEPT, .input = BYTES("GET / HTTP/1.1\r\n\r\n"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "does not open", .want_left = 10},
        {"lines", PG_ACCEPT, .input = BYTES("STARTTLS\r\n"), .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD),
         .want_error = "does not open", .want_left = 2},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* CVE-2021-23214 (I1, I2): at every split but the one behind SSLRequest itself, which is TLS's to choke on. I4: a
 * ClientHello that does not wait is refused alike. */
static void accept_refuses_what_follows_the_request(void **state)
{
    static const struct conversation startup = {
        "a StartupMessage",
        PG_ACCEPT,
        .input = BYTES(SSL STARTUP),
        .want = STARTTLS_BROKEN,
        SAYS(ERROR("\x4c", "08P01", "Nothing may follow the request for TLS before it")),
        .want_error = "plain text",
        .want_left = 17};
    static const struct conversation hello = {
        "a ClientHello",
        PG_ACCEPT,
        .input = BYTES(SSL "\x16\3\1\0\5hello"),
        .want = STARTTLS_BROKEN,
        SAYS(ERROR("\x4c", "08P01", "Nothing may follow the request for TLS before it")),
        .want_error = "plain text",
        .want_left = 10};

    (void)state;
    conversation_check_early(&startup, 8);
    conversation_check_early(&hello, 8);
}

static void cancels_pass_in_clear_where_no_certificate_is_wanted(void **state)
{
    static const struct conversation rows[] = {
        {"16 bytes", PG_CLEAR, .input = BYTES(CANCEL), .want = STARTTLS_READY, SAYS(""), .want_early = BYTES(CANCEL)},
        {"and what follows is the filter's to refuse", PG_CLEAR, .input = BYTES(CANCEL STARTUP), .want = STARTTLS_READY,
         SAYS(""), .want_early = BYTES(CANCEL), .want_left = 17},
        {"a longer key", PG_CLEAR, .input = BYTES("\0\0\0\x14\x04\xd2\x16\x2e\0\0\0\1longkey!"),
         .want = STARTTLS_BROKEN, SAYS(NOT_UNDERSTOOD), .want_error = "16 bytes", .want_left = 12},
        {"a shorter one", PG_CLEAR, .input = BYTES("\0\0\0\x0c\x04\xd2\x16\x2e\0\0\0\1"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "does not open", .want_left = 4},
        {"where clients need a certificate", PG_ACCEPT, .input = BYTES(CANCEL), .want = STARTTLS_BROKEN,
         SAYS(ERROR("\x42", "28000", "TLS is required to cancel a query here")), .want_error = "need a certificate",
         .want_left = 8},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void inside_tls_or_without_it_the_opening_is_kept_for_the_server(void **state)
{
    static const struct conversation rows[] = {
        {"a StartupMessage", PG_INSIDE, .input = BYTES(STARTUP), .want = STARTTLS_READY, SAYS(""),
         .want_early = BYTES(HEAD), .want_left = 9},
        {"what asks for encryption is told no", PG_INSIDE, .input = BYTES(GSS SSL STARTUP), .want = STARTTLS_READY,
         SAYS("NN"), .want_early = BYTES(HEAD), .want_left = 9},
        {"but not for ever", PG_INSIDE, .input = BYTES(SSL SSL), .want = STARTTLS_BROKEN,
         SAYS("N" ERROR("\x3d", "08P01", "TLS and GSSAPI are asked for once")), .want_error = "twice"},
        {"a CancelRequest", PG_INSIDE, .input = BYTES(CANCEL), .want = STARTTLS_READY, SAYS(""),
         .want_early = BYTES(CANCEL)},
        {"with a longer key", PG_INSIDE, .input = BYTES("\0\0\0\x14\x04\xd2\x16\x2e\0\0\0\1longkey!"),
         .want = STARTTLS_READY, SAYS(""), .want_early = BYTES("\0\0\0\x14\x04\xd2\x16\x2e\0\0\0\1longkey!")},
        {"TLS inside TLS", PG_INSIDE, .input = BYTES("\x16\3\1\2\0\1\0\0"), .want = STARTTLS_BROKEN,
         SAYS(NOT_UNDERSTOOD), .want_error = "does not open"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* Who has said all, and may be gone before it is passed on. */
static void only_a_cancel_is_said_and_left(void **state)
{
    static const struct starttls_options options = {.name = "proxy.test", .opens_here = true};
    struct starttls_machine *m = starttls_accept_create(STARTTLS_POSTGRES, &options);
    size_t consumed;

    (void)state;
    assert_false(starttls_client_may_leave(m));
    assert_int_equal(starttls_put(m, span_of(CANCEL, 16), &consumed), STARTTLS_READY);
    assert_true(starttls_client_may_leave(m));
    starttls_machine_destroy(&m);
    m = starttls_accept_create(STARTTLS_POSTGRES, &options);
    assert_int_equal(starttls_put(m, span_of(STARTUP, 17), &consumed), STARTTLS_READY);
    assert_false(starttls_client_may_leave(m));
    starttls_machine_destroy(&m);
}

static void connect_takes_one_byte(void **state)
{
    static const struct conversation rows[] = {
        {"S", PG_CONNECT, .input = BYTES("S"), .want = STARTTLS_UPGRADE, SAYS(SSL)},
        {"N, or stripped", PG_CONNECT, .input = BYTES("N"), .want = STARTTLS_REFUSED, SAYS(SSL),
         .want_error = "does not offer"},
        {"an error, of which nobody hears (CVE-2024-10977)", PG_CONNECT,
         .input = BYTES("E\0\0\0\x20SFATAL\0Msecret words\0\0"), .want = STARTTLS_REFUSED, SAYS(SSL),
         .want_error = "with an error", .want_left = 26},
        {"G", PG_CONNECT, .input = BYTES("G"), .want = STARTTLS_BROKEN, SAYS(SSL), .want_error = "no answer"},
        {"a greeting", PG_CONNECT, .input = BYTES("220 x\r\n"), .want = STARTTLS_BROKEN, SAYS(SSL),
         .want_error = "no answer", .want_left = 6},
        {"TLS at once", PG_CONNECT, .input = BYTES("\x16\3\3"), .want = STARTTLS_BROKEN, SAYS(SSL),
         .want_error = "no answer", .want_left = 2},
        {"nothing to upgrade", .protocol = STARTTLS_POSTGRES, .side = CONNECTED, .upgrade = PLAIN, .input = BYTES("R"),
         .want = STARTTLS_READY, SAYS(""), .want_left = 1},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* CVE-2021-23222 (R1, R15). */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {"an AuthenticationOk",   PG_CONNECT, .input = BYTES("SR\0\0\0\x08\0\0\0\0"),
                                            .want = STARTTLS_BROKEN, SAYS(SSL),  .want_error = "plain text",
                                            .want_left = 9};

    (void)state;
    conversation_check_early(&row, 1);
}

#define ASKED "\0\0\0\x21\0\3\0\0user\0yett\0database\0yett\0\0"

static void probe_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"SCRAM", PG_PROBE, .upgrade = UPGRADE, .input = BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
         .want = STARTTLS_READY, SAYS(ASKED "X\0\0\0\4")},
        {"who?", PG_PROBE, .upgrade = PLAIN, .input = BYTES("E\0\0\0\x13SFATAL\0C28000\0\0x"), .want = STARTTLS_READY,
         SAYS(ASKED "X\0\0\0\4"), .want_left = 1},
        {"it does not serve", PG_PROBE, .upgrade = UPGRADE,
         .input = BYTES("E\0\0\0\x13"
                        "C57P03\0Mlater\0\0"),
         .want = STARTTLS_REFUSED, SAYS(ASKED), .want_error = "\"later\""},
        {"fields without an end", PG_PROBE, .upgrade = UPGRADE,
         .input = BYTES("E\0\0\0\x08"
                        "C280"),
         .want = STARTTLS_REFUSED, SAYS(ASKED), .want_error = "does not want"},
        {"another message", PG_PROBE, .upgrade = UPGRADE, .input = BYTES("Z\0\0\0\x05I"), .want = STARTTLS_BROKEN,
         SAYS(ASKED), .want_error = "no answer"},
        {"of no size", PG_PROBE, .upgrade = UPGRADE, .input = BYTES("R\0\0\0\3x"), .want = STARTTLS_BROKEN, SAYS(ASKED),
         .want_error = "no size", .want_left = 1},
        {"of any size", PG_PROBE, .upgrade = UPGRADE, .input = BYTES("R\xff\xff\xff\xffx"), .want = STARTTLS_BROKEN,
         SAYS(ASKED), .want_error = "no size", .want_left = 1},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* The words of section 2.8 of what is specified, as libpq reads them. */
static void failure_text_is_an_error_for_each(void **state)
{
    static const char *const want[] = {"53300", "08006", "28000", "08006", "08006", "08006", "08006",
                                       "08001", "08001", "08006", "57P01", "08006", "08P01"};

    (void)state;
    static_assert(ARRAY_LEN(want) == STARTTLS_FAILURE_COUNT, "one for each");
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        struct buffer out;
        const uint8_t *said;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_POSTGRES, (enum starttls_failure)i, true, "proxy.test", &out);
        said = buffer_span(&out).data;
        assert_int_equal(said[0], 'E');
        assert_int_equal(said[3] * 256 + said[4], out.size - 1);
        assert_memory_equal(said + 5, "SFATAL\0VFATAL\0C", 15);
        assert_memory_equal(said + 20, want[i], 6);
        assert_int_equal(said[out.size - 1], 0);
        assert_int_equal(said[out.size - 2], 0);
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_starts_tls),
        cmocka_unit_test(accept_takes_no_session_in_clear),
        cmocka_unit_test(accept_refuses_what_follows_the_request),
        cmocka_unit_test(cancels_pass_in_clear_where_no_certificate_is_wanted),
        cmocka_unit_test(inside_tls_or_without_it_the_opening_is_kept_for_the_server),
        cmocka_unit_test(only_a_cancel_is_said_and_left),
        cmocka_unit_test(connect_takes_one_byte),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(probe_asks_and_leaves),
        cmocka_unit_test(failure_text_is_an_error_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
