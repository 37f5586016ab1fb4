#include "conversation.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define GREETING "220 proxy.test ESMTP\r\n"
#define HELLO    "250-proxy.test\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n"
#define MUST     "530 5.7.0 Must issue a STARTTLS command first\r\n"
#define GO_AHEAD "220 2.0.0 Ready to start TLS\r\n"
#define EARLY    "501 5.5.2 Nothing may follow STARTTLS before TLS\r\n"
#define TOO_MANY "421 4.7.0 Too many refused commands\r\n"

#define SMTP_ACCEPT  .protocol = STARTTLS_SMTP, .side = ACCEPTED, .upgrade = UPGRADE
#define SMTP_CONNECT .protocol = STARTTLS_SMTP, .side = CONNECTED, .upgrade = UPGRADE

static void accept_answers_the_plain_phase_itself(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said", SMTP_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE, .want_output = GREETING},
        {"EHLO", SMTP_ACCEPT, .input = BYTES("EHLO a.test\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING HELLO},
        {"EHLO twice and an address literal", SMTP_ACCEPT, .input = BYTES("EHLO [192.0.2.1]\r\nehlo x \r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING HELLO HELLO},
        {"EHLO without a name", SMTP_ACCEPT, .input = BYTES("EHLO\r\nEHLO \r\nEHLO a b\r\n"),
         .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "501 5.5.4 A host name is needed\r\n501 5.5.4 A host name is needed\r\n"
                                 "501 5.5.4 A host name is needed\r\n"},
        {"HELO has no extensions, and no STARTTLS", SMTP_ACCEPT, .input = BYTES("HELO a\r\nSTARTTLS\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING "250 proxy.test\r\n503 5.5.1 Say EHLO first\r\n"},
        {"NOOP and RSET keep the session", SMTP_ACCEPT, .input = BYTES("NOOP\r\nNOOP x\r\nRSET\r\nRSET x\r\n"),
         .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "250 2.0.0 OK\r\n250 2.0.0 OK\r\n250 2.0.0 OK\r\n501 5.5.4 No argument is taken\r\n"},
        {"QUIT", SMTP_ACCEPT, .input = BYTES("quit\r\nNOOP\r\n"), .want = STARTTLS_CLOSE,
         .want_output = GREETING "221 2.0.0 Bye\r\n", .want_left = 6},
        {"everything else waits for TLS", SMTP_ACCEPT,
         .input = BYTES("EHLO a\r\nMAIL FROM:<a@b>\r\nAUTH PLAIN AGEAYg==\r\nVRFY x\r\nXCLIENT ADDR=1.2.3.4\r\n\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING HELLO MUST MUST MUST MUST MUST},
        {"LHLO is not SMTP", SMTP_ACCEPT, .input = BYTES("LHLO a\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "500 5.5.1 This is not LMTP\r\n"},
        {"no identity: not offered, and 454", .protocol = STARTTLS_SMTP, .side = ACCEPTED, .upgrade = PLAIN,
         .input = BYTES("EHLO a\r\nSTARTTLS\r\nMAIL FROM:<>\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output =
             GREETING "250-proxy.test\r\n250 ENHANCEDSTATUSCODES\r\n454 4.7.0 TLS is not available now\r\n" MUST},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"STARTTLS", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING HELLO GO_AHEAD},
        {"I5 any case", SMTP_ACCEPT, .input = BYTES("ehlo a\r\nstartTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING HELLO GO_AHEAD},
        {"I5 trailing space", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS \r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING HELLO GO_AHEAD},
        {"I5 argument", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS x\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING HELLO "501 5.5.4 STARTTLS takes no argument\r\n"},
        {"STARTTLS before EHLO", SMTP_ACCEPT, .input = BYTES("STARTTLS\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "503 5.5.1 Say EHLO first\r\n"},
        {"I7 what was said before it is answered and forgotten", SMTP_ACCEPT,
         .input = BYTES("EHLO a\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING HELLO MUST GO_AHEAD},
        {"LMTP", .protocol = STARTTLS_LMTP, .side = ACCEPTED, .upgrade = UPGRADE,
         .input = BYTES("EHLO a\r\nHELO a\r\nSTARTTLS\r\nLHLO a\r\nSTARTTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output =
             "220 proxy.test LMTP\r\n500 5.5.1 This is LMTP: say LHLO\r\n500 5.5.1 This is LMTP: say LHLO\r\n"
             "503 5.5.1 Say LHLO first\r\n250-proxy.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
             "250 STARTTLS\r\n" GO_AHEAD},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* I1, I2, I4: CVE-2011-0411. */
static void accept_refuses_plain_text_after_starttls(void **state)
{
    static const struct {
        struct conversation row;
        size_t hinge;
    } rows[] = {
        {{"I1 a command", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS\r\nRSET\r\n"), .want = STARTTLS_BROKEN,
          .want_output = GREETING HELLO EARLY, .want_error = "plain text", .want_left = 6},
         18},
        {{"one byte", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS\r\nR"), .want = STARTTLS_BROKEN,
          .want_output = GREETING HELLO EARLY, .want_error = "1 bytes of plain text", .want_left = 1},
         18},
        {{"I4 a ClientHello", SMTP_ACCEPT,
          .input = BYTES("EHLO a\r\nSTARTTLS\r\n\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), .want = STARTTLS_BROKEN,
          .want_output = GREETING HELLO EARLY, .want_error = "plain text", .want_left = 10},
         18},
        {{"LMTP", .protocol = STARTTLS_LMTP, .side = ACCEPTED, .upgrade = UPGRADE,
          .input = BYTES("LHLO a\r\nSTARTTLS\r\nLHLO b\r\n"), .want = STARTTLS_BROKEN,
          .want_output = "220 proxy.test LMTP\r\n250-proxy.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
                         "250 STARTTLS\r\n" EARLY,
          .want_error = "plain text", .want_left = 8},
         18},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        conversation_check_early(&rows[i].row, rows[i].hinge);
}

static void accept_refuses_lines_that_two_parsers_could_read_differently(void **state)
{
    static const struct conversation rows[] = {
        {"I5 bare LF", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING HELLO "500 5.5.2 A line ends with LF instead of CRLF\r\n", .want_error = "LF"},
        {"bare CR", SMTP_ACCEPT, .input = BYTES("EHLO a\rSTARTTLS\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "500 5.5.2 A line has a CR without LF\r\n", .want_error = "CR", .want_left = 9},
        {"two CR", SMTP_ACCEPT, .input = BYTES("NOOP\r\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "500 5.5.2 A line has a CR without LF\r\n", .want_error = "CR", .want_left = 1},
        {"I5 NUL", SMTP_ACCEPT, .input = BYTES("EHLO a\r\nSTARTTLS\0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING HELLO "500 5.5.2 A line has a NUL byte\r\n", .want_error = "NUL", .want_left = 2},
        {"not ASCII", SMTP_ACCEPT, .input = BYTES("EHLO \xc3\xa4\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "500 5.5.2 A line has a byte that is not ASCII\r\n", .want_error = "ASCII",
         .want_left = 3},
        {"X3 HTTP", SMTP_ACCEPT, .input = BYTES("POST / HTTP/1.1\r\nHost: x\r\n\r\nSTARTTLS\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING "500 5.5.1 This is not an HTTP server\r\n",
         .want_error = "HTTP", .want_left = 21},
        {"X1 TLS to the plain port", SMTP_ACCEPT, .input = BYTES("\x16\x03\x01\x02\x00"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "500 5.5.2 A line has a NUL byte\r\n", .want_error = "NUL"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static struct span repeated(const char *piece, size_t times)
{
    size_t len = strlen(piece);
    uint8_t *bytes = base_alloc(len * times + 1);

    for (size_t i = 0; i < times; i++)
        memcpy(bytes + i * len, piece, len);
    return span_of(bytes, len * times);
}

static void accept_has_limits(void **state)
{
    struct span junk = repeated("FOO\r\n", STARTTLS_BAD_COMMANDS_MAX + 1);
    struct span line = repeated("A", STARTTLS_SMTP_COMMAND_BYTES_MAX);
    struct span noops = repeated("NOOP 9\r\n", STARTTLS_ACCEPTED_BYTES_MAX / 8 + 1);
    struct span answers = repeated("250 2.0.0 OK\r\n", STARTTLS_ACCEPTED_BYTES_MAX / 8);
    char *noops_output = base_printf(GREETING "%.*s500 5.5.2 A line goes past what may be said before TLS\r\n",
                                     (int)answers.size, (const char *)answers.data);
    const struct conversation rows[] = {
        {"refused commands", SMTP_ACCEPT, .input = junk, .want = STARTTLS_BROKEN,
         .want_output = GREETING MUST MUST MUST MUST MUST MUST MUST MUST MUST MUST TOO_MANY,
         .want_error = "10 commands", .want_left = 5},
        {"line", SMTP_ACCEPT, .input = line, .want = STARTTLS_NEED_MORE, .want_output = GREETING},
        {"all", SMTP_ACCEPT, .input = noops, .want = STARTTLS_BROKEN, .want_output = noops_output,
         .want_error = "before TLS", .want_left = 8},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    free(noops_output);
    free((void *)(uintptr_t)junk.data);
    free((void *)(uintptr_t)line.data);
    free((void *)(uintptr_t)noops.data);
    free((void *)(uintptr_t)answers.data);
}

static void accept_refuses_a_line_one_byte_too_long(void **state)
{
    struct span line = repeated("A", STARTTLS_SMTP_COMMAND_BYTES_MAX + 1);
    const struct conversation row = {"line",
                                     SMTP_ACCEPT,
                                     .input = line,
                                     .want = STARTTLS_BROKEN,
                                     .want_output = GREETING "500 5.5.2 A line is too long\r\n",
                                     .want_error = "too long"};

    (void)state;
    conversation_check(&row);
    free((void *)(uintptr_t)line.data);
}

/* Replies longer than their commands, which nobody reads: no more is taken than there is room to answer, and it goes on
 * when they have been read. */
static void accept_waits_until_its_output_is_read(void **state)
{
    static char name[254];
    struct starttls_options options = {.name = name, .upgrade = true};
    struct starttls_machine *m;
    struct span hellos = repeated("EHLO a\r\n", STARTTLS_ACCEPTED_BYTES_MAX / 8);
    size_t taken = 0, rounds = 0, said = 0;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    m = starttls_accept_create(STARTTLS_SMTP, &options);
    while (taken < hellos.size) {
        size_t consumed;

        assert_int_equal(starttls_put(m, span_skip(hellos, taken), &consumed), STARTTLS_NEED_MORE);
        assert_true(consumed != 0 && starttls_output(m).size <= STARTTLS_OUTPUT_BYTES_MAX);
        taken += consumed;
        assert_true(taken == hellos.size ||
                    starttls_output(m).size > STARTTLS_OUTPUT_BYTES_MAX - STARTTLS_REPLY_BYTES_MAX);
        if (taken != hellos.size)
            assert_int_equal(starttls_put(m, span_skip(hellos, taken), &consumed), STARTTLS_NEED_MORE);
        assert_true(taken == hellos.size || consumed == 0);
        said += starttls_output(m).size;
        starttls_output_consume(m, starttls_output(m).size);
        rounds++;
    }
    assert_true(rounds > 3 && said > rounds * (STARTTLS_OUTPUT_BYTES_MAX - STARTTLS_REPLY_BYTES_MAX) / 2);
    starttls_machine_destroy(&m);
    free((void *)(uintptr_t)hellos.data);
}

#define EHLO     "EHLO proxy.test\r\n"
#define STARTTLS "STARTTLS\r\n"

static void connect_upgrades(void **state)
{
    static const struct conversation rows[] = {
        {"short", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n"),
         .want = STARTTLS_UPGRADE, .want_output = EHLO STARTTLS},
        {"greeting of several lines, any case, parameters", SMTP_CONNECT,
         .input = BYTES("220-mx\r\n220-\r\n220 hello\r\n250-mx\r\n250-starttls now\r\n250 SIZE\r\n220\r\n"),
         .want = STARTTLS_UPGRADE, .want_output = EHLO STARTTLS},
        {"go-ahead of several lines", SMTP_CONNECT,
         .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220-go\r\n220 now\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = EHLO STARTTLS},
        {"LMTP", .protocol = STARTTLS_LMTP, .side = CONNECTED, .upgrade = UPGRADE,
         .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = "LHLO proxy.test\r\n" STARTTLS},
        {"nothing to upgrade", .protocol = STARTTLS_SMTP, .side = CONNECTED, .upgrade = PLAIN,
         .input = BYTES("220-mx\r\n220 hello\r\n250 early"), .want = STARTTLS_READY, .want_output = "", .want_left = 9},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void connect_never_goes_on_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"greeting 554", SMTP_CONNECT, .input = BYTES("554 no\r\n"), .want = STARTTLS_REFUSED, .want_output = "",
         .want_error = "\"554 no\""},
        {"greeting 421 without upgrade", .protocol = STARTTLS_SMTP, .side = CONNECTED, .upgrade = PLAIN,
         .input = BYTES("421-a\r\n421 no\r\n"), .want = STARTTLS_REFUSED, .want_output = "", .want_error = "421 no"},
        {"greeting 250", SMTP_CONNECT, .input = BYTES("250 x\r\n"), .want = STARTTLS_REFUSED, .want_output = "",
         .want_error = "250 x"},
        {"R3 not offered", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250 SIZE\r\n"), .want = STARTTLS_REFUSED,
         .want_output = EHLO, .want_error = "does not offer"},
        {"R3 a word like it", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250-XSTARTTLS\r\n250 STARTTLSX\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO, .want_error = "does not offer"},
        {"R3 in the name's line", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-STARTTLS\r\n250 SIZE\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO, .want_error = "does not offer"},
        {"R3 502", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n502 no\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO STARTTLS, .want_error = "502 no"},
        {"R3 454", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 no\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO STARTTLS, .want_error = "454 no"},
        {"R3 354", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n354 go\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO STARTTLS, .want_error = "354 go"},
        {"R3 another 2xx", SMTP_CONNECT, .input = BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n250 go\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO STARTTLS, .want_error = "250 go"},
        {"R4 no EHLO, and no HELO after it", SMTP_CONNECT, .input = BYTES("220 mx\r\n502 what\r\n"),
         .want = STARTTLS_REFUSED, .want_output = EHLO, .want_error = "refuses our EHLO"},
        {"R8 garbage", SMTP_CONNECT, .input = BYTES("* OK imap\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"R8 codes that differ", SMTP_CONNECT, .input = BYTES("220-mx\r\n250 mx\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "not a reply"},
        {"R8 empty line", SMTP_CONNECT, .input = BYTES("\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"R8 code of four digits", SMTP_CONNECT, .input = BYTES("2200 x\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "not a reply"},
        {"R8 two greetings", SMTP_CONNECT, .input = BYTES("220 mx\r\n220 mx\r\n"), .want = STARTTLS_REFUSED,
         .want_output = EHLO, .want_error = "refuses our EHLO"},
        {"bare LF", SMTP_CONNECT, .input = BYTES("220 mx\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "LF"},
        {"terminal bytes in the reply are quoted", SMTP_CONNECT, .input = BYTES("554 \x1b[2J\"\r\n"),
         .want = STARTTLS_REFUSED, .want_output = "", .want_error = "\"554 \\x1b[2J\\x22\""},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R1: a TLS server never speaks first, so these bytes are not TLS. */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {"R1",
                                            SMTP_CONNECT,
                                            .input =
                                                BYTES("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = EHLO STARTTLS,
                                            .want_error = "plain text",
                                            .want_left = 14};

    (void)state;
    conversation_check_early(&row, row.input.size - 14);
}

static void connect_has_limits(void **state)
{
    struct span long_line = repeated("220 aaaa", 25 * 1024); /* R9: 200 KiB */
    struct span many = repeated("220-\r\n", STARTTLS_SMTP_REPLY_LINES_MAX + 1);
    struct span much =
        repeated("220-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
                 STARTTLS_SMTP_REPLY_LINES_MAX);
    const struct conversation rows[] = {
        {"R9 line", SMTP_CONNECT, .input = long_line, .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "too long", .want_left = long_line.size - STARTTLS_SMTP_REPLY_BYTES_MAX - 1},
        {"R9 lines", SMTP_CONNECT, .input = many, .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "more than 100 lines"},
        {"R9 bytes", SMTP_CONNECT, .input = much, .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "before TLS", .want_left = much.size - STARTTLS_CONNECTED_BYTES_MAX},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    free((void *)(uintptr_t)long_line.data);
    free((void *)(uintptr_t)many.data);
    free((void *)(uintptr_t)much.data);
}

static void failure_text_has_a_reply_for_each(void **state)
{
    static const char *const want[] = {"421 4.3.2 ", "421 4.7.0 ", "554 5.7.1 ", "421 4.3.2 ", "421 4.3.2 ",
                                       "421 4.3.2 ", "421 4.3.0 ", "421 4.7.0 ", "421 4.7.0 ", "421 4.3.0 ",
                                       "421 4.3.2 ", "421 4.4.2 ", "421 5.5.2 "};

    (void)state;
    static_assert(ARRAY_LEN(want) == STARTTLS_FAILURE_COUNT, "one for each");
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        struct buffer out;
        struct span said;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_SMTP, (enum starttls_failure)i, false, "proxy.test", &out);
        said = buffer_span(&out);
        assert_true(span_starts_with_nocase(said, want[i]));
        assert_memory_equal(said.data + said.size - 2, "\r\n", 2);
        buffer_release(&out);
    }
}

static void greeting_text_is_the_greeting_of_an_accepting_machine(void **state)
{
    static const enum starttls_protocol protocols[] = {STARTTLS_SMTP, STARTTLS_LMTP};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        struct starttls_options options = {.name = "proxy.test", .upgrade = true};
        struct starttls_machine *m = starttls_accept_create(protocols[i], &options);
        struct buffer out;

        buffer_init(&out, 500);
        starttls_greeting_text(protocols[i], "proxy.test", &out);
        assert_true(span_equal(buffer_span(&out), starttls_output(m)));
        buffer_release(&out);
        starttls_machine_destroy(&m);
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
        cmocka_unit_test(accept_refuses_a_line_one_byte_too_long),
        cmocka_unit_test(accept_waits_until_its_output_is_read),
        cmocka_unit_test(connect_upgrades),
        cmocka_unit_test(connect_never_goes_on_in_clear),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(connect_has_limits),
        cmocka_unit_test(failure_text_has_a_reply_for_each),
        cmocka_unit_test(greeting_text_is_the_greeting_of_an_accepting_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
