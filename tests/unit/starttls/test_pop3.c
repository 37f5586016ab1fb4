#include "conversation.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define GREETING     "+OK proxy.test\r\n"
#define CAPABILITIES "+OK Capabilities follow\r\nSTLS\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n.\r\n"
#define PRIVACY      "-ERR [AUTH] Say STLS first: no name or password is taken without TLS\r\n"
#define UNKNOWN      "-ERR Unknown command, or not before STLS\r\n"
#define GO_AHEAD     "+OK Begin TLS negotiation now\r\n"

#define POP3_ACCEPT  .protocol = STARTTLS_POP3, .side = ACCEPTED, .upgrade = UPGRADE
#define POP3_CONNECT .protocol = STARTTLS_POP3, .side = CONNECTED, .upgrade = UPGRADE
#define POP3_PROBE   .protocol = STARTTLS_POP3, .side = PROBED

static void accept_answers_the_plain_phase_itself(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said, and no APOP timestamp", POP3_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING},
        {"CAPA: neither USER nor SASL", POP3_ACCEPT, .input = BYTES("capa\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING CAPABILITIES},
        {"QUIT", POP3_ACCEPT, .input = BYTES("QUIT\r\nNOOP\r\n"), .want = STARTTLS_CLOSE,
         .want_output = GREETING "+OK Bye\r\n", .want_left = 6},
        {"a name is refused", POP3_ACCEPT, .input = BYTES("USER alice\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING PRIVACY},
        {"a password is one time too many", POP3_ACCEPT, .input = BYTES("user alice\r\nPASS secret\r\nSTLS\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING PRIVACY PRIVACY, .want_error = "2 commands with credentials",
         .want_left = 6},
        {"APOP, AUTH: no challenge comes", POP3_ACCEPT, .input = BYTES("AUTH PLAIN\r\nAPOP alice 00\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING PRIVACY PRIVACY, .want_error = "credentials"},
        {"AUTH alone asks for mechanisms: there is none", POP3_ACCEPT, .input = BYTES("AUTH\r\nAUTH\r\nAUTH\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING UNKNOWN UNKNOWN UNKNOWN},
        {"everything else is unknown", POP3_ACCEPT,
         .input = BYTES("STAT\r\nNOOP\r\nLIST\r\nUTF8\r\n\r\n STLS\r\nQUIT now\r\nCAPA x\r\n"),
         .want = STARTTLS_NEED_MORE,
         .want_output =
             GREETING UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN "-ERR No argument is taken\r\n"},
        {"no identity: not offered, and unavailable", .protocol = STARTTLS_POP3, .side = ACCEPTED, .upgrade = PLAIN,
         .input = BYTES("CAPA\r\nSTLS\r\nUSER x\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "+OK Capabilities follow\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n.\r\n"
                                 "-ERR [SYS/TEMP] TLS is not available now\r\n" PRIVACY},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"STLS", POP3_ACCEPT, .input = BYTES("STLS\r\n"), .want = STARTTLS_UPGRADE, .want_output = GREETING GO_AHEAD},
        {"after CAPA, any case", POP3_ACCEPT, .input = BYTES("CAPA\r\nStls\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING CAPABILITIES GO_AHEAD},
        {"arguments, even an empty one", POP3_ACCEPT, .input = BYTES("STLS x\r\nSTLS \r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "-ERR No argument is taken\r\n-ERR No argument is taken\r\n"},
        {"after a refused command", POP3_ACCEPT, .input = BYTES("USER x\r\nSTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING PRIVACY GO_AHEAD},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* CVE-2011-0411: at every split but the one behind STLS itself, which is TLS's to choke on. */
static void accept_refuses_plain_text_after_stls(void **state)
{
    static const struct conversation row = {"a command",
                                            POP3_ACCEPT,
                                            .input = BYTES("STLS\r\nUSER x\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = GREETING "-ERR Nothing may follow STLS before TLS\r\n",
                                            .want_error = "plain text",
                                            .want_left = 8};

    (void)state;
    conversation_check_early(&row, 6);
}

static void accept_refuses_lines_that_two_parsers_could_read_differently(void **state)
{
    static const struct conversation rows[] = {
        {"bare LF", POP3_ACCEPT, .input = BYTES("STLS\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "-ERR A line ends with LF instead of CRLF\r\n", .want_error = "LF"},
        {"bare CR", POP3_ACCEPT, .input = BYTES("CAPA\rSTLS\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "-ERR A line has a CR without LF\r\n", .want_error = "CR", .want_left = 5},
        {"NUL", POP3_ACCEPT, .input = BYTES("STLS\0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "-ERR A line has a NUL byte\r\n", .want_error = "NUL", .want_left = 2},
        {"not ASCII", POP3_ACCEPT, .input = BYTES("USER \xc3\xa4\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "-ERR A line has a byte that is not ASCII\r\n", .want_error = "ASCII", .want_left = 3},
        {"HTTP, which is not repeated", POP3_ACCEPT, .input = BYTES("GET /<script> HTTP/1.1\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING "-ERR This is not an HTTP server\r\n", .want_error = "HTTP"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_has_limits(void **state)
{
    uint8_t *line = base_alloc(STARTTLS_POP3_COMMAND_BYTES_MAX + 1);
    const struct conversation rows[] = {
        {"a line", POP3_ACCEPT, .input = span_of(line, STARTTLS_POP3_COMMAND_BYTES_MAX + 1), .want = STARTTLS_BROKEN,
         .want_output = GREETING "-ERR A line is too long\r\n", .want_error = "too long"},
        {"refused commands", POP3_ACCEPT, .input = BYTES("A\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nSTLS\r\n"),
         .want = STARTTLS_BROKEN,
         .want_output = GREETING UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
         "-ERR Too many refused commands\r\n",
         .want_error = "10 commands", .want_left = 6},
    };

    (void)state;
    memset(line, 'a', STARTTLS_POP3_COMMAND_BYTES_MAX + 1);
    conversation_check_table(rows, ARRAY_LEN(rows));
    free(line);
}

#define ASK "STLS\r\n"

static void connect_upgrades(void **state)
{
    static const struct conversation rows[] = {
        {"short", POP3_CONNECT, .input = BYTES("+OK hello\r\n+OK\r\n"), .want = STARTTLS_UPGRADE, .want_output = ASK},
        {"nothing to upgrade", .protocol = STARTTLS_POP3, .side = CONNECTED, .upgrade = PLAIN,
         .input = BYTES("+ok \xc3\xa4 <1.2@x>\r\nearly"), .want = STARTTLS_READY, .want_output = "", .want_left = 5},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void connect_never_goes_on_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"it does not serve", POP3_CONNECT, .input = BYTES("-ERR [SYS/TEMP] later\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "\"-ERR [SYS/TEMP] later\""},
        {"STLS refused, or stripped", POP3_CONNECT, .input = BYTES("+OK x\r\n-ERR what\r\n"), .want = STARTTLS_REFUSED,
         .want_output = ASK, .want_error = "refuses STLS"},
        {"a challenge instead", POP3_CONNECT, .input = BYTES("+OK x\r\n+ go\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "not a reply"},
        {"garbage", POP3_CONNECT, .input = BYTES("* OK imap\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"no more than alike", POP3_CONNECT, .input = BYTES("+OKAY\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"behind a space", POP3_CONNECT, .input = BYTES("+OK x\r\n +OK\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "not a reply"},
        {"an empty line", POP3_CONNECT, .input = BYTES("\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"bare LF", POP3_CONNECT, .input = BYTES("+OK x\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "LF"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* Response injection: what came with the go-ahead would be read as if it had been said inside TLS. */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {
        "a second reply",        POP3_CONNECT,       .input = BYTES("+OK x\r\n+OK go\r\n+OK logged in\r\n"),
        .want = STARTTLS_BROKEN, .want_output = ASK, .want_error = "plain text",
        .want_left = 15};

    (void)state;
    conversation_check_early(&row, row.input.size - 15);
}

static void connect_has_limits(void **state)
{
    uint8_t *line = base_alloc(STARTTLS_POP3_REPLY_BYTES_MAX + 10);
    const struct conversation row = {"a greeting",
                                     POP3_CONNECT,
                                     .input = span_of(line, STARTTLS_POP3_REPLY_BYTES_MAX + 10),
                                     .want = STARTTLS_BROKEN,
                                     .want_output = "",
                                     .want_error = "too long",
                                     .want_left = 9};

    (void)state;
    memset(line, 'a', STARTTLS_POP3_REPLY_BYTES_MAX + 10);
    conversation_check(&row);
    free(line);
}

static void probe_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"greeted, asked, left", POP3_PROBE, .upgrade = PLAIN,
         .input = BYTES("+OK hello\r\n+OK list\r\nTOP\r\nSASL PLAIN\r\n.\r\n+OK bye\r\n"), .want = STARTTLS_READY,
         .want_output = "CAPA\r\nQUIT\r\n"},
        {"after STLS nobody greets", POP3_PROBE, .upgrade = UPGRADE, .input = BYTES("+OK\r\n+OK\r\n.\r\n-ERR\r\nx"),
         .want = STARTTLS_READY, .want_output = "CAPA\r\nQUIT\r\n", .want_left = 1},
        {"it has no CAPA", POP3_PROBE, .upgrade = UPGRADE, .input = BYTES("-ERR what\r\n+OK bye\r\n"),
         .want = STARTTLS_READY, .want_output = "CAPA\r\nQUIT\r\n"},
        {"it does not serve", POP3_PROBE, .upgrade = PLAIN, .input = BYTES("-ERR no\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "does not want to serve"},
        {"no reply", POP3_PROBE, .upgrade = UPGRADE, .input = BYTES("SSH-2.0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "CAPA\r\n", .want_error = "not a reply"},
    };
    struct buffer many;

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    buffer_init(&many, 1000);
    assert_true(buffer_append(&many, span_of_string("+OK\r\n")));
    for (unsigned i = 0; i < STARTTLS_POP3_CAPABILITIES_MAX + 2; i++)
        assert_true(buffer_append(&many, span_of_string("A\r\n")));
    const struct conversation endless = {"a list without an end",
                                         POP3_PROBE,
                                         .upgrade = UPGRADE,
                                         .input = buffer_span(&many),
                                         .want = STARTTLS_BROKEN,
                                         .want_output = "CAPA\r\n",
                                         .want_error = "more than 100",
                                         .want_left = 3};
    conversation_check(&endless);
    buffer_release(&many);
}

static void probe_tells_what_the_server_can_do(void **state)
{
    static const struct starttls_options options = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_probe_create(STARTTLS_POP3, &options);
    size_t consumed;

    (void)state;
    assert_int_equal(
        starttls_put(m, span_of_string("+OK x\r\nTOP\r\nSASL PLAIN LOGIN\r\nUIDL\r\n.\r\n+OK\r\n"), &consumed),
        STARTTLS_READY);
    assert_true(span_equal(starttls_capabilities(m), span_of_string("TOP SASL UIDL")));
    starttls_machine_destroy(&m);
}

static void failure_text_is_an_error_for_each(void **state)
{
    static const char *const want[] = {"-ERR [SYS/TEMP] ",   "-ERR [SYS/TEMP] ", "-ERR [SYS/PERM] ", "-ERR [SYS/TEMP] ",
                                       "-ERR [SYS/TEMP] ",   "-ERR [SYS/TEMP] ", "-ERR [SYS/TEMP] ", "-ERR [SYS/PERM] ",
                                       "-ERR [SYS/PERM] ",   "-ERR [SYS/TEMP] ", "-ERR [SYS/TEMP] ", "-ERR Timeout",
                                       "-ERR Not understood"};

    (void)state;
    static_assert(ARRAY_LEN(want) == STARTTLS_FAILURE_COUNT, "one for each");
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        struct buffer out;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_POP3, (enum starttls_failure)i, true, "proxy.test", &out);
        assert_true(span_starts_with_nocase(buffer_span(&out), want[i]));
        buffer_release(&out);
    }
}

static void greeting_text_has_no_timestamp(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 500);
    starttls_greeting_text(STARTTLS_POP3, "proxy.test", &out);
    assert_true(span_equal(buffer_span(&out), span_of_string(GREETING)));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_answers_the_plain_phase_itself),
        cmocka_unit_test(accept_starts_tls),
        cmocka_unit_test(accept_refuses_plain_text_after_stls),
        cmocka_unit_test(accept_refuses_lines_that_two_parsers_could_read_differently),
        cmocka_unit_test(accept_has_limits),
        cmocka_unit_test(connect_upgrades),
        cmocka_unit_test(connect_never_goes_on_in_clear),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(connect_has_limits),
        cmocka_unit_test(probe_asks_and_leaves),
        cmocka_unit_test(probe_tells_what_the_server_can_do),
        cmocka_unit_test(failure_text_is_an_error_for_each),
        cmocka_unit_test(greeting_text_has_no_timestamp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
