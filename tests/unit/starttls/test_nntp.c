#include "conversation.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define GREETING     "200 proxy.test\r\n"
#define CAPABILITIES "101 Capabilities follow\r\nVERSION 2\r\nREADER\r\nSTARTTLS\r\n.\r\n"
#define PRIVACY      "483 Say STARTTLS first\r\n"
#define NO_ARGUMENT  "501 STARTTLS takes no argument\r\n"
#define GO_AHEAD     "382 Begin TLS negotiation now\r\n"
#define ASK          "STARTTLS\r\n"

#define NNTP_ACCEPT  .protocol = STARTTLS_NNTP, .side = ACCEPTED, .upgrade = UPGRADE
#define NNTP_CONNECT .protocol = STARTTLS_NNTP, .side = CONNECTED, .upgrade = UPGRADE
#define NNTP_PROBE   .protocol = STARTTLS_NNTP, .side = PROBED

static void accept_answers_the_plain_phase_itself(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said", NNTP_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE, .want_output = GREETING},
        {"CAPABILITIES, and with a keyword", NNTP_ACCEPT, .input = BYTES("capabilities\r\nCAPABILITIES x\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING CAPABILITIES CAPABILITIES},
        {"QUIT", NNTP_ACCEPT, .input = BYTES("QUIT\r\nDATE\r\n"), .want = STARTTLS_CLOSE,
         .want_output = GREETING "205 Bye\r\n", .want_left = 6},
        {"everything else needs TLS", NNTP_ACCEPT,
         .input = BYTES("AUTHINFO USER alice\r\nMODE READER\r\nPOST\r\nHEAD 1\r\n STARTTLS\r\n\r\nQUIT now\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY},
        {"no identity: not offered, and unavailable", .protocol = STARTTLS_NNTP, .side = ACCEPTED, .upgrade = PLAIN,
         .input = BYTES("CAPABILITIES\r\nSTARTTLS\r\nDATE\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "101 Capabilities follow\r\nVERSION 2\r\nREADER\r\n.\r\n"
                                 "580 TLS is not available now\r\n" PRIVACY},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"STARTTLS", NNTP_ACCEPT, .input = BYTES("STARTTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING GO_AHEAD},
        {"any case, after a refusal", NNTP_ACCEPT, .input = BYTES("DATE\r\nStartTls\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING PRIVACY GO_AHEAD},
        {"arguments, even an empty one", NNTP_ACCEPT, .input = BYTES("STARTTLS x\r\nSTARTTLS \r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING NO_ARGUMENT NO_ARGUMENT},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* CVE-2011-0411 (I1, I2): at every split but the one behind STARTTLS itself, which is TLS's to choke on. */
static void accept_refuses_plain_text_after_starttls(void **state)
{
    static const struct conversation row = {"a command",
                                            NNTP_ACCEPT,
                                            .input = BYTES("STARTTLS\r\nDATE\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = GREETING "501 Nothing may follow STARTTLS before TLS\r\n",
                                            .want_error = "plain text",
                                            .want_left = 6};

    (void)state;
    conversation_check_early(&row, 10);
}

/* I5, X3. */
static void accept_refuses_lines_that_two_parsers_could_read_differently(void **state)
{
    static const struct conversation rows[] = {
        {"bare LF", NNTP_ACCEPT, .input = BYTES("STARTTLS\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "501 A line ends with LF instead of CRLF\r\n", .want_error = "LF"},
        {"bare CR", NNTP_ACCEPT, .input = BYTES("DATE\rSTARTTLS\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "501 A line has a CR without LF\r\n", .want_error = "CR", .want_left = 9},
        {"NUL", NNTP_ACCEPT, .input = BYTES("STARTTLS\0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "501 A line has a NUL byte\r\n", .want_error = "NUL", .want_left = 2},
        {"HTTP, which is not repeated", NNTP_ACCEPT, .input = BYTES("POST /<script> HTTP/1.1\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING "400 This is not an HTTP server\r\n", .want_error = "HTTP"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_has_limits(void **state)
{
    uint8_t *line = base_alloc(STARTTLS_NNTP_COMMAND_BYTES_MAX + 1);
    const struct conversation rows[] = {
        {"a line", NNTP_ACCEPT, .input = span_of(line, STARTTLS_NNTP_COMMAND_BYTES_MAX + 1), .want = STARTTLS_BROKEN,
         .want_output = GREETING "501 A line is too long\r\n", .want_error = "too long"},
        {"refused commands", NNTP_ACCEPT, .input = BYTES("A\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nDATE\r\n"),
         .want = STARTTLS_BROKEN,
         .want_output = GREETING PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY PRIVACY
         "400 Too many refused commands\r\n",
         .want_error = "10 commands", .want_left = 6},
    };

    (void)state;
    memset(line, 'a', STARTTLS_NNTP_COMMAND_BYTES_MAX + 1);
    conversation_check_table(rows, ARRAY_LEN(rows));
    free(line);
}

static void connect_upgrades(void **state)
{
    static const struct conversation rows[] = {
        {"posting allowed", NNTP_CONNECT, .input = BYTES("200 hello\r\n382 go\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = ASK},
        {"prohibited", NNTP_CONNECT, .input = BYTES("201\r\n382\r\n"), .want = STARTTLS_UPGRADE, .want_output = ASK},
        {"nothing to upgrade", .protocol = STARTTLS_NNTP, .side = CONNECTED, .upgrade = PLAIN,
         .input = BYTES("200 \xc3\xa4\r\nearly"), .want = STARTTLS_READY, .want_output = "", .want_left = 5},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R3, R4, R8. */
static void connect_never_goes_on_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"it does not serve", NNTP_CONNECT, .input = BYTES("502 no\r\n"), .want = STARTTLS_REFUSED, .want_output = "",
         .want_error = "\"502 no\""},
        {"STARTTLS refused, or stripped", NNTP_CONNECT, .input = BYTES("200 x\r\n500 what\r\n"),
         .want = STARTTLS_REFUSED, .want_output = ASK, .want_error = "refuses STARTTLS"},
        {"not now", NNTP_CONNECT, .input = BYTES("200 x\r\n580 no\r\n"), .want = STARTTLS_REFUSED, .want_output = ASK,
         .want_error = "refuses STARTTLS"},
        {"goodbye", NNTP_CONNECT, .input = BYTES("200 x\r\n400 no\r\n"), .want = STARTTLS_REFUSED, .want_output = ASK,
         .want_error = "goodbye"},
        {"another 3xx", NNTP_CONNECT, .input = BYTES("200 x\r\n381 go\r\n"), .want = STARTTLS_REFUSED,
         .want_output = ASK, .want_error = "refuses STARTTLS"},
        {"garbage", NNTP_CONNECT, .input = BYTES("* OK imap\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"no more than alike", NNTP_CONNECT, .input = BYTES("200-x\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"bare LF", NNTP_CONNECT, .input = BYTES("200 x\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "LF"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R1. */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {
        "a second reply",        NNTP_CONNECT,       .input = BYTES("200 x\r\n382 go\r\n281 in\r\n"),
        .want = STARTTLS_BROKEN, .want_output = ASK, .want_error = "plain text",
        .want_left = 8};

    (void)state;
    conversation_check_early(&row, row.input.size - 8);
}

/* R6: of what was said in clear, the one bit. */
static void connect_keeps_whether_one_may_post(void **state)
{
    static const struct starttls_options options = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_connect_create(STARTTLS_NNTP, &options);
    size_t consumed;

    (void)state;
    assert_int_equal(starttls_put(m, span_of_string("201 call +1 555\r\n382\r\n"), &consumed), STARTTLS_UPGRADE);
    assert_true(span_equal(starttls_greeting(m), span_of_string("201 proxy.test\r\n")));
    starttls_machine_destroy(&m);
}

static void probe_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"greeted, asked, left", NNTP_PROBE, .upgrade = PLAIN,
         .input = BYTES("200 x\r\n101 list\r\nVERSION 2\r\nREADER\r\n.\r\n205 bye\r\n"), .want = STARTTLS_READY,
         .want_output = "CAPABILITIES\r\nQUIT\r\n"},
        {"after STARTTLS nobody greets", NNTP_PROBE, .upgrade = UPGRADE, .input = BYTES("101\r\n.\r\n205\r\nx"),
         .want = STARTTLS_READY, .want_output = "CAPABILITIES\r\nQUIT\r\n", .want_left = 1},
        {"it is older", NNTP_PROBE, .upgrade = UPGRADE, .input = BYTES("500 what\r\n205\r\n"), .want = STARTTLS_READY,
         .want_output = "CAPABILITIES\r\nQUIT\r\n"},
        {"it does not serve", NNTP_PROBE, .upgrade = PLAIN, .input = BYTES("400 no\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "does not want to serve"},
        {"no reply", NNTP_PROBE, .upgrade = UPGRADE, .input = BYTES("SSH-2.0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "CAPABILITIES\r\n", .want_error = "not a reply"},
    };
    static const struct starttls_options options = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_probe_create(STARTTLS_NNTP, &options);
    size_t consumed;

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    assert_int_equal(starttls_put(m, span_of_string("101\r\nVERSION 2\r\nOVER MSGID\r\n.\r\n205\r\n"), &consumed),
                     STARTTLS_READY);
    assert_true(span_equal(starttls_capabilities(m), span_of_string("VERSION OVER")));
    starttls_machine_destroy(&m);
}

static void failure_text_closes_for_each(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        struct buffer out;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_NNTP, (enum starttls_failure)i, true, "proxy.test", &out);
        assert_true(span_starts_with_nocase(buffer_span(&out), i == STARTTLS_FAILURE_TARGET_REFUSED ? "502 " : "400 "));
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_answers_the_plain_phase_itself),
        cmocka_unit_test(accept_starts_tls),
        cmocka_unit_test(accept_refuses_plain_text_after_starttls),
        cmocka_unit_test(accept_refuses_lines_that_two_parsers_could_read_differently),
        cmocka_unit_test(accept_has_limits),
        cmocka_unit_test(connect_upgrades),
        cmocka_unit_test(connect_never_goes_on_in_clear),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(connect_keeps_whether_one_may_post),
        cmocka_unit_test(probe_asks_and_leaves),
        cmocka_unit_test(failure_text_closes_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
