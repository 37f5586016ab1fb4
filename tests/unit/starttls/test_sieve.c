#include "conversation.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define GREETING                                                                                                       \
    "\"IMPLEMENTATION\" \"proxy.test\"\r\n\"SASL\" \"\"\r\n\"SIEVE\" \"\"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\n"  \
    "OK \"Ready\"\r\n"
#define NO_OFFER                                                                                                       \
    "\"IMPLEMENTATION\" \"proxy.test\"\r\n\"SASL\" \"\"\r\n\"SIEVE\" \"\"\r\n\"VERSION\" \"1.0\"\r\nOK \"Ready\"\r\n"
#define PRIVACY     "NO (ENCRYPT-NEEDED) \"Say STARTTLS first\"\r\n"
#define UNKNOWN     "NO \"Unknown command, or not before STARTTLS\"\r\n"
#define NO_ARGUMENT "NO \"No argument is taken\"\r\n"
#define ONE_STRING  "NO \"NOOP takes one short string\"\r\n"
#define GO_AHEAD    "OK \"Begin TLS negotiation now\"\r\n"
#define NO_LITERAL  "BYE \"No literal is taken before TLS\"\r\n"

#define SIEVE_ACCEPT  .protocol = STARTTLS_SIEVE, .side = ACCEPTED, .upgrade = UPGRADE
#define SIEVE_CONNECT .protocol = STARTTLS_SIEVE, .side = CONNECTED, .upgrade = UPGRADE
#define SIEVE_PLAIN   .protocol = STARTTLS_SIEVE, .side = CONNECTED, .upgrade = PLAIN
#define SIEVE_PROBE   .protocol = STARTTLS_SIEVE, .side = PROBED

static void accept_answers_the_plain_phase_itself(void **state)
{
    static const struct conversation rows[] = {
        {"nothing said", SIEVE_ACCEPT, .input = BYTES(""), .want = STARTTLS_NEED_MORE, .want_output = GREETING},
        {"CAPABILITY", SIEVE_ACCEPT, .input = BYTES("capability\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING GREETING},
        {"LOGOUT", SIEVE_ACCEPT, .input = BYTES("LOGOUT\r\nNOOP\r\n"), .want = STARTTLS_CLOSE,
         .want_output = GREETING "OK \"Bye\"\r\n", .want_left = 6},
        {"NOOP", SIEVE_ACCEPT, .input = BYTES("NOOP\r\nnoop \"42\"\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = GREETING "OK \"Done\"\r\nOK (TAG \"42\") \"Done\"\r\n"},
        {"no credentials", SIEVE_ACCEPT, .input = BYTES("AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING PRIVACY},
        {"everything else is unknown", SIEVE_ACCEPT,
         .input = BYTES("LISTSCRIPTS\r\n\r\n STARTTLS\r\nXCLIENT ADDR=192.0.2.1\r\nLOGOUT now\r\nCAPABILITY x\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING UNKNOWN UNKNOWN UNKNOWN UNKNOWN NO_ARGUMENT NO_ARGUMENT},
        {"no identity: not offered, and unavailable", .protocol = STARTTLS_SIEVE, .side = ACCEPTED, .upgrade = PLAIN,
         .input = BYTES("STARTTLS\r\nAUTHENTICATE \"PLAIN\"\r\n"), .want = STARTTLS_NEED_MORE,
         .want_output = NO_OFFER "NO (TRYLATER) \"TLS is not available now\"\r\n" PRIVACY},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_starts_tls(void **state)
{
    static const struct conversation rows[] = {
        {"STARTTLS", SIEVE_ACCEPT, .input = BYTES("STARTTLS\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING GO_AHEAD},
        {"any case, after a refusal", SIEVE_ACCEPT, .input = BYTES("X\r\nStartTls\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = GREETING UNKNOWN GO_AHEAD},
        {"arguments, even an empty one", SIEVE_ACCEPT, .input = BYTES("STARTTLS x\r\nSTARTTLS \r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING NO_ARGUMENT NO_ARGUMENT},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* CVE-2011-0411 (I1, I2): at every split but the one behind STARTTLS itself, which is TLS's to choke on. */
static void accept_refuses_plain_text_after_starttls(void **state)
{
    static const struct conversation row = {"a command",
                                            SIEVE_ACCEPT,
                                            .input = BYTES("STARTTLS\r\nNOOP\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output =
                                                GREETING "BYE \"Nothing may follow STARTTLS before TLS\"\r\n",
                                            .want_error = "plain text",
                                            .want_left = 6};

    (void)state;
    conversation_check_early(&row, 10);
}

/* I8: one side's literal is another side's commands. I9: what is said again says nothing else. */
static void accept_takes_no_literal_and_echoes_no_syntax(void **state)
{
    static const struct conversation rows[] = {
        {"a literal", SIEVE_ACCEPT, .input = BYTES("AUTHENTICATE \"PLAIN\" {12+}\r\nSTARTTLS\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING NO_LITERAL, .want_error = "literal", .want_left = 10},
        {"one that is waited for", SIEVE_ACCEPT, .input = BYTES("NOOP {3}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING NO_LITERAL, .want_error = "literal"},
        {"of any number", SIEVE_ACCEPT, .input = BYTES("NOOP {99999999999999999999+}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING NO_LITERAL, .want_error = "literal"},
        {"quotes, escapes, controls", SIEVE_ACCEPT,
         .input = BYTES("NOOP \"a\") \"b\"\r\nNOOP \"\\\"\r\nNOOP \"\x01\"\r\nNOOP \"\r\nNOOP x\r\n"),
         .want = STARTTLS_NEED_MORE, .want_output = GREETING ONE_STRING ONE_STRING ONE_STRING ONE_STRING ONE_STRING},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* I5, X3. */
static void accept_refuses_lines_that_two_parsers_could_read_differently(void **state)
{
    static const struct conversation rows[] = {
        {"bare LF", SIEVE_ACCEPT, .input = BYTES("STARTTLS\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "BYE \"A line ends with LF instead of CRLF\"\r\n", .want_error = "LF"},
        {"bare CR", SIEVE_ACCEPT, .input = BYTES("NOOP\rSTARTTLS\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "BYE \"A line has a CR without LF\"\r\n", .want_error = "CR", .want_left = 9},
        {"NUL", SIEVE_ACCEPT, .input = BYTES("STARTTLS\0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "BYE \"A line has a NUL byte\"\r\n", .want_error = "NUL", .want_left = 2},
        {"not ASCII", SIEVE_ACCEPT, .input = BYTES("NOOP \xc3\xa4\r\n"), .want = STARTTLS_BROKEN,
         .want_output = GREETING "BYE \"A line has a byte that is not ASCII\"\r\n", .want_error = "ASCII",
         .want_left = 3},
        {"HTTP, which is not repeated", SIEVE_ACCEPT, .input = BYTES("GET /<script> HTTP/1.1\r\n"),
         .want = STARTTLS_BROKEN, .want_output = GREETING "BYE \"This is not an HTTP server\"\r\n",
         .want_error = "HTTP"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void accept_has_limits(void **state)
{
    uint8_t *line = base_alloc(STARTTLS_SIEVE_LINE_BYTES_MAX + 1);
    const struct conversation rows[] = {
        {"a line", SIEVE_ACCEPT, .input = span_of(line, STARTTLS_SIEVE_LINE_BYTES_MAX + 1), .want = STARTTLS_BROKEN,
         .want_output = GREETING "BYE \"A line is too long\"\r\n", .want_error = "too long"},
        {"refused commands", SIEVE_ACCEPT, .input = BYTES("A\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nA\r\nNOOP\r\n"),
         .want = STARTTLS_BROKEN,
         .want_output = GREETING UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
         "BYE \"Too many refused commands\"\r\n",
         .want_error = "10 commands", .want_left = 6},
    };

    (void)state;
    memset(line, 'a', STARTTLS_SIEVE_LINE_BYTES_MAX + 1);
    conversation_check_table(rows, ARRAY_LEN(rows));
    free(line);
}

#define OFFER "\"IMPLEMENTATION\" \"x \xc3\xa4\"\r\n\"starttls\"\r\nOK \"ready\"\r\n"
#define ASK   "STARTTLS\r\n"

static void connect_upgrades(void **state)
{
    static const struct conversation rows[] = {
        {"offered and taken", SIEVE_CONNECT, .input = BYTES(OFFER "OK\r\n"), .want = STARTTLS_UPGRADE,
         .want_output = ASK},
        {"a code and a text", SIEVE_CONNECT, .input = BYTES("\"STARTTLS\"\r\nok (X \"y\") \"z\"\r\nOK \"go\"\r\n"),
         .want = STARTTLS_UPGRADE, .want_output = ASK},
        {"nothing to upgrade", SIEVE_PLAIN, .input = BYTES("\"SASL\" \"PLAIN\"\r\nOK\r\nearly"), .want = STARTTLS_READY,
         .want_output = "", .want_left = 5},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R3, R4, R6, R8. */
static void connect_never_goes_on_in_clear(void **state)
{
    static const struct conversation rows[] = {
        {"it does not serve", SIEVE_CONNECT, .input = BYTES("BYE (TRYLATER) \"later\"\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "does not want to serve"},
        {"not offered, or stripped", SIEVE_CONNECT, .input = BYTES("\"SASL\" \"STARTTLS\"\r\nOK\r\n"),
         .want = STARTTLS_REFUSED, .want_output = "", .want_error = "does not offer"},
        {"alike", SIEVE_CONNECT, .input = BYTES("\"XSTARTTLS\"\r\n\"STARTTLSX\"\r\n\"STARTTLS\r\n"),
         .want = STARTTLS_BROKEN, .want_output = "", .want_error = "not a capability"},
        {"refused", SIEVE_CONNECT, .input = BYTES(OFFER "NO \"no\"\r\n"), .want = STARTTLS_REFUSED, .want_output = ASK,
         .want_error = "refuses STARTTLS"},
        {"goodbye", SIEVE_CONNECT, .input = BYTES(OFFER "BYE\r\n"), .want = STARTTLS_REFUSED, .want_output = ASK,
         .want_error = "goodbye"},
        {"a challenge, a list", SIEVE_CONNECT, .input = BYTES(OFFER "\"SASL\" \"PLAIN\"\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "not a reply"},
        {"a literal", SIEVE_CONNECT, .input = BYTES("\"IMPLEMENTATION\" {5}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "literal"},
        {"garbage", SIEVE_CONNECT, .input = BYTES("* OK imap\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"behind a space", SIEVE_CONNECT, .input = BYTES(OFFER " OK\r\n"), .want = STARTTLS_BROKEN, .want_output = ASK,
         .want_error = "not a reply"},
        {"no more than alike", SIEVE_CONNECT, .input = BYTES(OFFER "OKAY\r\n"), .want = STARTTLS_BROKEN,
         .want_output = ASK, .want_error = "not a reply"},
        {"an empty line", SIEVE_CONNECT, .input = BYTES("\r\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "not a reply"},
        {"bare LF", SIEVE_CONNECT, .input = BYTES("OK\n"), .want = STARTTLS_BROKEN, .want_output = "",
         .want_error = "LF"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* R1: what came with the go-ahead would be read as if it had been said inside TLS. */
static void connect_refuses_bytes_after_the_go_ahead(void **state)
{
    static const struct conversation row = {"a greeting",
                                            SIEVE_CONNECT,
                                            .input = BYTES("\"STARTTLS\"\r\nOK\r\nOK\r\n\"SASL\" \"PLAIN\"\r\nOK\r\n"),
                                            .want = STARTTLS_BROKEN,
                                            .want_output = ASK,
                                            .want_error = "plain text",
                                            .want_left = 20};

    (void)state;
    conversation_check_early(&row, row.input.size - 20);
}

/* Byte for byte, but for the offer. R13, R15. */
static void connect_keeps_the_greeting_of_inside_tls(void **state)
{
    static const struct starttls_options inside = {.name = "proxy.test", .upgrade = false};
    static const struct starttls_options outside = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_connect_create(STARTTLS_SIEVE, &inside);
    size_t consumed;

    (void)state;
    assert_int_equal(starttls_put(m,
                                  span_of_string("\"SASL\" \"PLAIN\"\r\n\"STARTTLS\"\r\n\"XCLIENT\" \"ADDR\"\r\n"
                                                 "\"SIEVE\" \"\xc3\xa4\"\r\nOK \"Dovecot\"\r\n"),
                                  &consumed),
                     STARTTLS_READY);
    assert_true(span_equal(starttls_greeting(m),
                           span_of_string("\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"\xc3\xa4\"\r\nOK \"Dovecot\"\r\n")));
    starttls_machine_destroy(&m);
    m = starttls_connect_create(STARTTLS_SIEVE, &outside);
    assert_int_equal(starttls_put(m, span_of_string(OFFER "OK\r\n"), &consumed), STARTTLS_UPGRADE);
    assert_int_equal(starttls_greeting(m).size, 0); /* nothing that was said in clear */
    starttls_machine_destroy(&m);
}

/* R9. */
static void connect_has_limits(void **state)
{
    struct buffer many;
    uint8_t *line = base_alloc(STARTTLS_SIEVE_LINE_BYTES_MAX + 10);
    const struct conversation row = {"a line",
                                     SIEVE_CONNECT,
                                     .input = span_of(line, STARTTLS_SIEVE_LINE_BYTES_MAX + 10),
                                     .want = STARTTLS_BROKEN,
                                     .want_output = "",
                                     .want_error = "too long",
                                     .want_left = 9};

    (void)state;
    memset(line, 'a', STARTTLS_SIEVE_LINE_BYTES_MAX + 10);
    conversation_check(&row);
    free(line);
    buffer_init(&many, STARTTLS_GREETING_BYTES_MAX + 100);
    while (many.size <= STARTTLS_GREETING_BYTES_MAX)
        assert_true(buffer_append(&many, span_of_string("\"X\" \"\"\r\n")));
    const struct conversation endless = {"a greeting without an end", SIEVE_PLAIN,
                                         .input = buffer_span(&many), .want = STARTTLS_BROKEN,
                                         .want_output = "",           .want_error = "longer than 8192"};
    conversation_check(&endless);
    buffer_release(&many);
}

static void probe_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"greeted, left", SIEVE_PROBE, .upgrade = PLAIN, .input = BYTES("\"SASL\" \"PLAIN\"\r\nOK\r\nOK\r\n"),
         .want = STARTTLS_READY, .want_output = "LOGOUT\r\n"},
        {"after STARTTLS it greets again", SIEVE_PROBE, .upgrade = UPGRADE, .input = BYTES("OK\r\nBYE\r\nx"),
         .want = STARTTLS_READY, .want_output = "LOGOUT\r\n", .want_left = 1},
        {"it does not serve", SIEVE_PROBE, .upgrade = PLAIN, .input = BYTES("BYE\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "does not want to serve"},
        {"no reply", SIEVE_PROBE, .upgrade = PLAIN, .input = BYTES("SSH-2.0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "not a reply"},
        {"a literal", SIEVE_PROBE, .upgrade = PLAIN, .input = BYTES("{3}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "literal"},
    };
    static const struct starttls_options options = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_probe_create(STARTTLS_SIEVE, &options);
    size_t consumed;

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
    assert_int_equal(
        starttls_put(m, span_of_string("\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"x\"\r\nOK\r\nOK\r\n"), &consumed),
        STARTTLS_READY);
    assert_true(span_equal(starttls_capabilities(m), span_of_string("SASL SIEVE")));
    starttls_machine_destroy(&m);
}

static void failure_text_is_bye_for_each(void **state)
{
    static const char *const want[] = {"BYE (TRYLATER) ", "BYE (TRYLATER) ", "BYE \"Not ",      "BYE (TRYLATER) ",
                                       "BYE (TRYLATER) ", "BYE (TRYLATER) ", "BYE (TRYLATER) ", "BYE \"The ",
                                       "BYE \"The ",      "BYE (TRYLATER) ", "BYE (TRYLATER) ", "BYE \"Timeout",
                                       "BYE \"Not "};

    (void)state;
    static_assert(ARRAY_LEN(want) == STARTTLS_FAILURE_COUNT, "one for each");
    for (unsigned i = 0; i < STARTTLS_FAILURE_COUNT; i++) {
        struct buffer out;

        buffer_init(&out, 500);
        starttls_failure_text(STARTTLS_SIEVE, (enum starttls_failure)i, true, "proxy.test", &out);
        assert_true(span_starts_with_nocase(buffer_span(&out), want[i]));
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_answers_the_plain_phase_itself),
        cmocka_unit_test(accept_starts_tls),
        cmocka_unit_test(accept_refuses_plain_text_after_starttls),
        cmocka_unit_test(accept_takes_no_literal_and_echoes_no_syntax),
        cmocka_unit_test(accept_refuses_lines_that_two_parsers_could_read_differently),
        cmocka_unit_test(accept_has_limits),
        cmocka_unit_test(connect_upgrades),
        cmocka_unit_test(connect_never_goes_on_in_clear),
        cmocka_unit_test(connect_refuses_bytes_after_the_go_ahead),
        cmocka_unit_test(connect_keeps_the_greeting_of_inside_tls),
        cmocka_unit_test(connect_has_limits),
        cmocka_unit_test(probe_asks_and_leaves),
        cmocka_unit_test(failure_text_is_bye_for_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
