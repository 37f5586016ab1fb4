#include "conversation.h"
#include "starttls/imap_syntax.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define CAPABILITIES "IMAP4rev1 STARTTLS LOGINDISABLED ID"
#define GREETING     "* OK [CAPABILITY " CAPABILITIES "] proxy.test\r\n"
#define PRIVACY      "NO [PRIVACYREQUIRED] Say STARTTLS first\r\n"
#define UNKNOWN      "BAD Unknown command, or not before STARTTLS\r\n"
#define GO_AHEAD     "OK Begin TLS negotiation now\r\n"
#define NO_LITERAL   "BAD No literal is taken before STARTTLS\r\n* BYE Closing\r\n"

#define IMAP_ACCEPT  .protocol = STARTTLS_IMAP, .side = ACCEPTED, .upgrade = UPGRADE
#define IMAP_CONNECT .protocol = STARTTLS_IMAP, .side = CONNECTED, .upgrade = UPGRADE

static void accept_answers_the_plain_phase_itself(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said", IMAP_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE, .want_output = GREETING},
        {"CAPABILITY", IMAP_ACCEPT, .input = BYTES("a capability\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "* CAPABILITY " CAPABILITIES "\r\na OK CAPABILITY completed\r\n"},
        {"NOOP", IMAP_ACCEPT, .input = BYTES("x].9 NOOP\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "x].9 OK NOOP completed\r\n"},
        {"ID", IMAP_ACCEPT, .input = BYTES("a ID NIL\r\nb ID (\"name\" \"x\")\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "* ID NIL\r\na OK ID completed\r\n* ID NIL\r\nb OK ID completed\r\n"},
        {"ID with 8-bit", IMAP_ACCEPT, .input = BYTES("a ID (\"name\" \"\xc3\xa4\")\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "* ID NIL\r\na OK ID completed\r\n"},
        {"LOGOUT", IMAP_ACCEPT, .input = BYTES("a LOGOUT\r\nb NOOP\r\n"), .want = STARTTLS_CLOSE,
         .want_output = GREETING "* BYE Logging out\r\na OK Logged out\r\n", .want_left = 8},
        {"credentials are refused and never asked for", IMAP_ACCEPT,
         .input = BYTES("a LOGIN user pass\r\nb AUTHENTICATE PLAIN\r\nc authenticate PLAIN AGEAYg==\r\nd LOGIN\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING "a " PRIVACY "b " PRIVACY "c " PRIVACY "d " PRIVACY},
        {"everything else is unknown", IMAP_ACCEPT,
         .input = BYTES("a SELECT x\r\nb NOOP x\r\nc CAPABILITY \r\nd ID\r\ne  NOOP\r\nf\r\n"),
         .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "a " UNKNOWN "b " UNKNOWN "c " UNKNOWN "d " UNKNOWN "e " UNKNOWN
                                 "f BAD A command is missing\r\n"},
        {"I9 bad tags are not repeated", IMAP_ACCEPT,
         .input = BYTES("\"a NOOP\r\n+ NOOP\r\na+b NOOP\r\n* NOOP\r\n NOOP\r\na{ NOOP\r\n\x01 NOOP\r\n"),
         .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "* BAD Invalid tag\r\n* BAD Invalid tag\r\n* BAD Invalid tag\r\n* BAD Invalid tag\r\n"
                                 "* BAD Invalid tag\r\n* BAD Invalid tag\r\n* BAD Invalid tag\r\n"},
        {"no identity: not offered, and unavailable", .protocol = STARTTLS_IMAP, .side = ACCEPTED, .upgrade = PLAIN,
         .input = BYTES("a STARTTLS\r\nb LOGIN x y\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED ID] proxy.test\r\n"
                        "a NO [UNAVAILABLE] TLS is not available now\r\nb " PRIVACY},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"STARTTLS", IMAP_ACCEPT, .input = BYTES("a1 STARTTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING "a1 " GO_AHEAD},
        {"I5 any case", IMAP_ACCEPT, .input = BYTES("a1 StartTls\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING "a1 " GO_AHEAD},
        {"I5 arguments, even an empty one", IMAP_ACCEPT, .input = BYTES("a STARTTLS x\r\nb STARTTLS \r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING "a " UNKNOWN "b " UNKNOWN},
        {"I7 after refused commands", IMAP_ACCEPT, .input = BYTES("a LOGIN x y\r\nb STARTTLS\r\n"),
         .want = STARTTLS_UPGRADE, .want_output = GREETING "a " PRIVACY "b " GO_AHEAD},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* I1, I2, I4: CVE-2011-0411. */
static void accept_refuses_plain_text_after_starttls(void **state)
{
    static const struct conversation row = {"I1 a command",
                                            IMAP_ACCEPT,
                                            .input = BYTES("a STARTTLS\r\nb LOGIN x y\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = GREETING
                                            "a BAD Nothing may follow STARTTLS before TLS\r\n* BYE Closing\r\n",
                                            .want_error = "plain text",
                                            .want_left = 13};

    (void)state;
    conversation_check_early(&row, 12);
}

/* I8: to whom the marker says nothing, the literal is commands. */
static void accept_refuses_literals(void **state)
{
    static const struct conversation rows[] = {
        {"I8 non-synchronising", IMAP_ACCEPT, .input = BYTES("a LOGIN {30+}\r\nx\r\nb STARTTLS\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING "a " NO_LITERAL, .want_error = "literal", .want_left = 15},
        {"I8 synchronising: no + comes", IMAP_ACCEPT, .input = BYTES("a LOGIN {3}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "a " NO_LITERAL, .want_error = "literal"},
        {"I8 binary", IMAP_ACCEPT, .input = BYTES("a X ~{3+}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "a " NO_LITERAL, .want_error = "literal"},
        {"I8 without a number", IMAP_ACCEPT, .input = BYTES("a X {+}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "a " NO_LITERAL, .want_error = "literal"},
        {"I8 a number of any length", IMAP_ACCEPT, .input = BYTES("a X {99999999999999999999999}\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING "a " NO_LITERAL, .want_error = "literal"},
        {"I8 with a bad tag", IMAP_ACCEPT, .input = BYTES("{3}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "* " NO_LITERAL, .want_error = "literal"},
        {"braces elsewhere are no literal", IMAP_ACCEPT, .input = BYTES("a ID {3} \r\nb ID ({3x})\r\n"),
         .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "* ID NIL\r\na OK ID completed\r\n* ID NIL\r\nb OK ID completed\r\n"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_refuses_lines_that_two_parsers_could_read_differently(void **state)
{
    static const struct conversation rows[] = {
        {"I5 bare LF", IMAP_ACCEPT, .input = BYTES("a STARTTLS\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "* BAD A line ends with LF instead of CRLF\r\n* BYE Closing\r\n", .want_error = "LF"},
        {"bare CR", IMAP_ACCEPT, .input = BYTES("a NOOP\rb STARTTLS\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "* BAD A line has a CR without LF\r\n* BYE Closing\r\n", .want_error = "CR",
         .want_left = 11},
        {"I5 NUL", IMAP_ACCEPT, .input = BYTES("a STARTTLS\0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "* BAD A line has a NUL byte\r\n* BYE Closing\r\n", .want_error = "NUL",
         .want_left = 2},
        {"X3 HTTP", IMAP_ACCEPT, .input = BYTES("POST /a HTTP/1.1\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "* BYE This is not an HTTP server\r\n", .want_error = "HTTP"},
        {"a tag may be GET", IMAP_ACCEPT, .input = BYTES("GET NOOP\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "GET OK NOOP completed\r\n"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_has_limits(void **state)
{
    static const char tag_64[] = "0123456789012345678901234567890123456789012345678901234567890123";
    char *longest_tag = base_printf("%s NOOP\r\n", tag_64);
    char *longer_tag = base_printf("%s4 NOOP\r\n", tag_64);
    char *longest_answer = base_printf(GREETING "%s OK NOOP completed\r\n", tag_64);
    uint8_t *line = base_alloc(STARTTLS_IMAP_LINE_BYTES_MAX + 1);
    const struct conversation rows[] = {
        {"tag of 64", IMAP_ACCEPT, .input = span_of_string(longest_tag), .want = STARTTLS_NEED_MORE,
         .want_output = longest_answer},
        {"tag of 65", IMAP_ACCEPT, .input = span_of_string(longer_tag), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "* BAD Invalid tag\r\n"},
        {"refused commands", IMAP_ACCEPT,
         .input = BYTES("a X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\na X\r\n"),
         .want = STARTTLS_BROKEN,
         .want_output =
             GREETING "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN
                      "a " UNKNOWN "a " UNKNOWN "a " UNKNOWN "* BYE Too many refused commands\r\n",
         .want_error = "10 commands", .want_left = 5},
        {"all", IMAP_ACCEPT, .input = span_of(line, STARTTLS_ACCEPTED_BYTES_MAX + 1), .want = STARTTLS_BROKEN,
         .want_output = GREETING "* BAD A line goes past what may be said before TLS\r\n* BYE Closing\r\n",
         .want_error = "before TLS", .want_left = 1},
    };

    (void)state;
    memset(line, 'a', STARTTLS_IMAP_LINE_BYTES_MAX + 1);
    conversation_check_table(rows, ARRAY_LEN(rows));
    free(longest_tag);
    free(longer_tag);
    free(longest_answer);
    free(line);
}

#define ASK "S1 STARTTLS\r\n"

static void connect_upgrades(void **state)
{
    static const struct conversation rows[] = {
        {"short", IMAP_CONNECT, .input = BYTES("* OK hello\r\nS1 OK go\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = ASK},
        {"a list without STARTTLS is no refusal", IMAP_CONNECT,
         .input = BYTES("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\nS1 OK go\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = ASK},
        {"R6 what is said before TLS is dropped", IMAP_CONNECT,
         .input =
             BYTES("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hello\r\n* OK [ALERT] call me\r\n* 3 EXISTS\r\n"
                   "* CAPABILITY IMAP4rev1\r\n* LIST () \"/\" x\r\n* NO [REFERRAL imap://evil/] x\r\nS1 OK go\r\n"),
         .want = STARTTLS_UPGRADE, .want_output = ASK},
        {"nothing to upgrade", .protocol = STARTTLS_IMAP, .side = CONNECTED, .upgrade = PLAIN,
         .input = BYTES("* ok hello\r\n* early"), .want = STARTTLS_READY, .want_output = "", .want_left = 7},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void connect_never_goes_on_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"R5 PREAUTH", IMAP_CONNECT, .input = BYTES("* PREAUTH hello\r\n"), .want = STARTTLS_REFUSED, .want_output = "",
         .want_error = "PREAUTH"},
        {"R5 PREAUTH with STARTTLS", IMAP_CONNECT, .input = BYTES("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] x\r\n"),
         .want = STARTTLS_REFUSED, .want_output = "", .want_error = "PREAUTH"},
        {"R5 PREAUTH without a text, in lower case", IMAP_CONNECT, .input = BYTES("* preauth\r\n"),
         .want = STARTTLS_REFUSED, .want_output = "", .want_error = "PREAUTH"},
        {"R5 PREAUTH inside TLS", .protocol = STARTTLS_IMAP, .side = CONNECTED, .upgrade = PLAIN,
         .input = BYTES("* PREAUTH hello\r\n"), .want = STARTTLS_REFUSED, .want_output = "", .want_error = "PREAUTH"},
        {"R5 PREAUTH after OK", IMAP_CONNECT, .input = BYTES("* OK hello\r\n* PREAUTH x\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "twice"},
        {"BYE", IMAP_CONNECT, .input = BYTES("* BYE later\r\n"), .want = STARTTLS_REFUSED, .want_output = "",
         .want_error = "\"* BYE later\""},
        {"BYE after STARTTLS", IMAP_CONNECT, .input = BYTES("* OK x\r\n* BYE no\r\n"), .want = STARTTLS_REFUSED,
         .want_output = ASK, .want_error = "goodbye"},
        {"R3 NO", IMAP_CONNECT, .input = BYTES("* OK x\r\nS1 NO no\r\n"), .want = STARTTLS_REFUSED, .want_output = ASK,
         .want_error = "S1 NO no"},
        {"R3 BAD", IMAP_CONNECT, .input = BYTES("* OK x\r\nS1 BAD what\r\n"), .want = STARTTLS_REFUSED,
         .want_output = ASK, .want_error = "S1 BAD what"},
        {"R3 +", IMAP_CONNECT, .input = BYTES("* OK x\r\n+ go\r\n"), .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "did not ask"},
        {"R7 a foreign tag", IMAP_CONNECT, .input = BYTES("* OK x\r\nA1 OK x\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "did not ask"},
        {"R7 our tag in lower case", IMAP_CONNECT, .input = BYTES("* OK x\r\ns1 OK x\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "did not ask"},
        {"R8 our tag before we asked", IMAP_CONNECT, .input = BYTES("S1 OK x\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "greeting"},
        {"R8 garbage", IMAP_CONNECT, .input = BYTES("220 smtp\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "greeting"},
        {"R8 another untagged greeting", IMAP_CONNECT, .input = BYTES("* NO x\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "greeting"},
        {"R8 empty line", IMAP_CONNECT, .input = BYTES("\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "greeting"},
        {"R8 neither OK nor NO", IMAP_CONNECT, .input = BYTES("* OK x\r\nS1\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "not a reply"},
        {"a literal that hides a reply", IMAP_CONNECT, .input = BYTES("* OK x\r\n* X {10}\r\nS1 OK x\r\n"),
         .want = STARTTLS_BROKEN, .want_output = ASK, .want_error = "literal", .want_left = 9},
        {"bare LF", IMAP_CONNECT, .input = BYTES("* OK x\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "LF"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R1. */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {"R1",
                                            IMAP_CONNECT,
                                            .input = BYTES("* OK x\r\nS1 OK go\r\n* OK [ALERT] x\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = ASK,
                                            .want_error = "plain text",
                                            .want_left = 16};

    (void)state;
    conversation_check_early(&row, row.input.size - 16);
}

static void connect_has_limits(void **state)
{
    static const char untagged[] = "* 1 EXISTS\r\n";
    struct buffer many;
    uint8_t *line = base_alloc(200 * 1024);
    size_t greeting = strlen("* OK x\r\n");

    (void)state;
    memset(line, 'a', 200 * 1024);
    buffer_init(&many, 2000);
    assert_true(buffer_printf(&many, "* OK x\r\n"));
    for (unsigned i = 0; i < STARTTLS_IMAP_UNTAGGED_LINES_MAX + 2; i++)
        assert_true(buffer_append(&many, span_of_string(untagged)));
    const struct conversation rows[] = {
        {"R9 untagged lines", IMAP_CONNECT, .input = buffer_span(&many), .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "more than 20", .want_left = strlen(untagged)},
        {"as many as may be", IMAP_CONNECT,
         .input = span_of(buffer_span(&many).data, greeting + STARTTLS_IMAP_UNTAGGED_LINES_MAX * strlen(untagged)),
         .want = STARTTLS_NEED_MORE, .want_output = ASK},
        {"R9 line", IMAP_CONNECT, .input = span_of(line, 200 * 1024), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "too long", .want_left = 200 * 1024 - STARTTLS_IMAP_LINE_BYTES_MAX - 1},
    };
    conversation_check_table(rows, ARRAY_LEN(rows));
    buffer_release(&many);
    free(line);
}

static void failure_text_is_a_bye_for_each(void **state)
{
    static const char *const want[] = {"* BYE [UNAVAILABLE] ", "* BYE [UNAVAILABLE] ",     "* BYE [NOPERM] ",
                                       "* BYE [UNAVAILABLE] ", "* BYE [UNAVAILABLE] ",     "* BYE [UNAVAILABLE] ",
                                       "* BYE [UNAVAILABLE] ", "* BYE [PRIVACYREQUIRED] ", "* BYE [PRIVACYREQUIRED] ",
                                       "* BYE [UNAVAILABLE] ", "* BYE [UNAVAILABLE] ",     "* BYE Timeout",
                                       "* BYE Not understood"};

    (void)state;
    static_assert(ARRAY_LEN(want) == STARTTLS_FAILURE_COUNT, "one for each");
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        struct buffer out;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_IMAP, (enum starttls_failure)i, true, "proxy.test", &out);
        assert_true(span_starts_with_nocase(buffer_span(&out), want[i]));
        buffer_release(&out);
    }
}

static void greeting_text_promises_nothing(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 500);
    starttls_greeting_text(STARTTLS_IMAP, "proxy.test", &out);
    assert_true(span_equal(buffer_span(&out), span_of_string("* OK proxy.test\r\n")));
    buffer_release(&out);
}

static void imap_ends_with_literal_reads_the_size(void **state)
{
    static const struct {
        const char *line;
        bool want;
        uint64_t want_size;
        bool want_synchronizing;
    } rows[] = {
        {"", false, 0, false},
        {"}", false, 0, false},
        {"{}", true, UINT64_MAX, true},
        {"{0}", true, 0, true},
        {"a {12}", true, 12, true},
        {"a {12+}", true, 12, false},
        {"a ~{12}", true, 12, true},
        {"{+}", true, UINT64_MAX, false},
        {"{9999999999}", true, 9999999999, true},
        {"{99999999999}", true, UINT64_MAX, true},
        {"12}", false, 0, false},
        {"{1 2}", false, 0, false},
        {"{12-}", false, 0, false},
        {"{12} ", false, 0, false},
        {"+}", false, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct imap_literal got = {0};

        assert_int_equal(imap_ends_with_literal(span_of_string(rows[i].line), &got), rows[i].want);
        if (!rows[i].want)
            continue;
        assert_int_equal(got.size, rows[i].want_size);
        assert_int_equal(got.is_synchronizing, rows[i].want_synchronizing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_answers_the_plain_phase_itself),
        cmocka_unit_test(accept_starts_tls),
        cmocka_unit_test(accept_refuses_plain_text_after_starttls),
        cmocka_unit_test(accept_refuses_literals),
        cmocka_unit_test(accept_refuses_lines_that_two_parsers_could_read_differently),
        cmocka_unit_test(accept_has_limits),
        cmocka_unit_test(connect_upgrades),
        cmocka_unit_test(connect_never_goes_on_in_clear),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(connect_has_limits),
        cmocka_unit_test(failure_text_is_a_bye_for_each),
        cmocka_unit_test(greeting_text_promises_nothing),
        cmocka_unit_test(imap_ends_with_literal_reads_the_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
