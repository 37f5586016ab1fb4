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
#define SIEVE   .protocol = STARTTLS_SIEVE
#define GREETED .protocol = STARTTLS_SIEVE, .greeting = STARTTLS_GREETING_FOLLOWS

static void check(const struct relay *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        relay_check(&rows[i]);
}

/* R13. */
static void no_list_offers_a_second_tls(void **state)
{
    static const struct step list[] = {
        SAME(C, "CAPABILITY\r\n"),
        {S, BYTES("\"SASL\" \"PLAIN\"\r\n\"STARTTLS\"\r\n\"starttls\" x\r\n\"XCLIENT\" \"ADDR\"\r\nOK\r\n"),
         BYTES("\"SASL\" \"PLAIN\"\r\nOK\r\n")},
    };
    static const struct step alike[] = {
        SAME(C, "capability\n"),
        SAME(S, "\"XSTARTTLS\"\n\"STARTTLSX\"\n\"X\" \"STARTTLS\"\nSTARTTLS\nNO \"STARTTLS\"\n"),
    };
    static const struct step greeting[] = {
        {S, BYTES("\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK \"hello\"\r\n"),
         BYTES("\"IMPLEMENTATION\" \"x\"\r\nOK \"hello\"\r\n")},
    };
    static const struct step literals[] = {
        SAME(C, "NOOP\r\n"),
        SAME(S, "\"IMPLEMENTATION\" {12}\r\n\"STARTTLS\"\r\n\r\nOK {4}\r\nfine\r\n"),
    };
    static const struct relay rows[] = {
        {"left out", SIEVE, STEPS(list)},
        {"only the whole word; LF alone stays LF", SIEVE, STEPS(alike)},
        {"of a greeting", GREETED, STEPS(greeting)},
        {"not in a literal", SIEVE, STEPS(literals)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

/* I6. */
static void client_starttls_reaches_no_server(void **state)
{
    static const struct {
        const char *name;
        struct step step;
    } rows[] = {
        {"STARTTLS", {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}},
        {"any case, spaces, arguments", {C, BYTES("  starttls now\r\n"), BYTES("REFUSED-starttls\r\n")}},
        {"LF alone", {C, BYTES("NOOP\nSTARTTLS\n"), BYTES("NOOP\nREFUSED-STARTTLS\r\n")}},
        {"another address", {C, BYTES("XCLIENT ADDR=192.0.2.1\r\n"), BYTES("REFUSED-XCLIENT\r\n")}},
        {"not as an argument", SAME(C, "NOOP \"STARTTLS\"\r\nSTARTTLSX\r\nXSTARTTLS\r\n")},
        {"bytes of any kind", SAME(C, "X \xff\x00\r\n\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, SIEVE, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

static void login_ends_the_filter(void **state)
{
    static const struct step initial[] = {
        SAME(C, "AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\nLISTSCRIPTS\r\n"),
        {S, BYTES("OK\r\n\"STARTTLS\"\r\n"), BYTES("OK\r\n")},
    };
    static const struct step literal[] = {
        SAME(C, "Authenticate \"PLAIN\" {8+}\r\nAGEAYg==\r\n"),
        SAME(S, "OK (SASL \"x\") {3}\r\nyes\r\n"),
    };
    static const struct step challenges[] = {
        SAME(C, "AUTHENTICATE \"LOGIN\"\r\n"), SAME(S, "\"VXNlcg==\"\r\n"), SAME(C, "\"YQ==\"\r\n"),
        SAME(S, "{8}\r\nUGFzcw==\r\n"),        SAME(C, "{4+}\r\nYg==\r\n"), SAME(S, "OK\r\n"),
    };
    static const struct step refused[] = {
        SAME(C, "AUTHENTICATE \"LOGIN\"\r\n"),
        SAME(S, "\"VXNlcg==\"\r\n"),
        SAME(C, "\"*\"\r\n"),
        SAME(S, "NO \"cancelled\"\r\n"),
        {C, BYTES("STARTTLS\r\nCAPABILITY\r\n"), BYTES("REFUSED-STARTTLS\r\nCAPABILITY\r\n")},
        {S, BYTES("NO\r\n\"STARTTLS\"\r\nOK\r\n"), BYTES("NO\r\nOK\r\n")},
    };
    static const struct step before[] = {
        SAME(C, "NOOP\r\nAUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\n"),
        SAME(S, "\"SASL\" \"\"\r\nOK \"hello\"\r\nOK\r\nNO\r\n"),
        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")},
    };
    static const struct relay rows[] = {
        {"with an initial response", SIEVE, STEPS(initial), .want = STARTTLS_READY, .want_left = 12},
        {"in a literal", SIEVE, STEPS(literal), .want = STARTTLS_READY},
        {"an answer is no command", SIEVE, STEPS(challenges), .want = STARTTLS_READY},
        {"a refusal ends nothing", SIEVE, STEPS(refused)},
        {"the greeting answers no command", GREETED, STEPS(before)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void what_nobody_can_tell_ends_the_session(void **state)
{
    static const struct step early[] = {SAME(C, "AUTHENTICATE \"LOGIN\"\r\nNOOP\r\n"), SAME(S, "\"VXNlcg==\"\r\n")};
    static const struct step half[] = {{C, BYTES("AUTHENTICATE \"LOGIN\"\r\nNO"), BYTES("AUTHENTICATE \"LOGIN\"\r\n")},
                                       SAME(S, "\"VXNlcg==\"\r\n")};
    static const struct step answer[] = {SAME(C, "AUTHENTICATE \"LOGIN\"\r\n"),
                                         SAME(S, "\"VXNlcg==\"\r\n"),
                                         {C, BYTES("XCLIENT ADDR=192.0.2.1\r\n"), BYTES("")}};
    static const struct step http[] = {{C, BYTES("POST / HTTP/1.1\r\n"), BYTES("")}};
    static const struct step literal[] = {SAME(C, "NOOP {10+}\r\n")};
    static const struct step waited[] = {SAME(C, "AUTHENTICATE \"PLAIN\" {8}\r\n")};
    static const struct step endless[] = {SAME(C, "AUTHENTICATE \"PLAIN\" {99999999999999999999+}\r\n")};
    static const struct step command[] = {{C, BYTES("AUTHENTICATE \"X\" {26+}\r\nXCLIENT ADDR=192.0.2.1\r\n\r\n"),
                                           BYTES("AUTHENTICATE \"X\" {26+}\r\nXCLIENT")}};
    static const struct step named[] = {
        {C, BYTES("AUTHENTICATE \"X\" {8+}\r\nStartTLS\r\n"), BYTES("AUTHENTICATE \"X\" {8+}\r\n")}};
    static const struct step behind[] = {
        {C, BYTES("AUTHENTICATE \"X\" {0+}\r\n STARTTLS\r\n"), BYTES("AUTHENTICATE \"X\" {0+}\r\n")}};
    static const struct step hidden[] = {SAME(S, "{8}\r\n")};
    static const struct step offer[] = {{S, BYTES("\"STARTTLS\" {8}\r\n"), BYTES("")}};
    static const struct relay rows[] = {
        {"a command behind AUTHENTICATE", SIEVE, STEPS(early), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"the half of one", SIEVE, STEPS(half), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"an answer that is none", SIEVE, STEPS(answer), .want = STARTTLS_BROKEN, .want_error = "not a string"},
        {"HTTP", SIEVE, STEPS(http), .want = STARTTLS_BROKEN, .want_error = "HTTP"},
        {"a literal of another command", SIEVE, STEPS(literal), .want = STARTTLS_BROKEN, .want_error = "literal"},
        {"one that is waited for", SIEVE, STEPS(waited), .want = STARTTLS_BROKEN, .want_error = "literal"},
        {"one of no size", SIEVE, STEPS(endless), .want = STARTTLS_BROKEN, .want_error = "literal"},
        {"a command in one", SIEVE, STEPS(command), .want = STARTTLS_BROKEN, .want_error = "not base64"},
        {"STARTTLS, which is base64", SIEVE, STEPS(named), .want = STARTTLS_BROKEN, .want_error = "for a command"},
        {"a command behind one", SIEVE, STEPS(behind), .want = STARTTLS_BROKEN, .want_error = "not a string"},
        {"a capability in one", SIEVE, STEPS(hidden), .want = STARTTLS_BROKEN, .want_error = "cannot be left out"},
        {"an offer with one", SIEVE, STEPS(offer), .want = STARTTLS_BROKEN, .want_error = "cannot be left out"},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void lines_have_a_limit(void **state)
{
    const size_t size = STARTTLS_SIEVE_RELAYED_BYTES_MAX;
    uint8_t *line = base_alloc(size);
    const struct step client[] = {{C, span_of(line, size), BYTES("")}},
                      server[] = {{S, span_of(line, size), BYTES("")}};
    const struct relay rows[] = {
        {"a client's", SIEVE, STEPS(client), .want = STARTTLS_BROKEN, .want_error = "command line that is too long"},
        {"a server's", SIEVE, STEPS(server), .want = STARTTLS_BROKEN, .want_error = "line that is too long"},
    };

    (void)state;
    memset(line, 'a', size);
    check(rows, ARRAY_LEN(rows));
    free(line);
}

/* As many as can be remembered are on their way; more wait for a reply, and none is lost. */
static void a_pipeline_of_any_length_waits_for_replies(void **state)
{
    static const char command[] = "NOOP\r\n";
    struct starttls_filter *f = starttls_filter_create(STARTTLS_SIEVE, STARTTLS_GREETED);
    struct buffer out, many;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    buffer_init(&many, 64 * 1024);
    for (unsigned i = 0; i < STARTTLS_SIEVE_COMMANDS_PENDING_MAX + 3; i++)
        assert_true(buffer_append(&many, span_of_string(command)));
    assert_int_equal(starttls_filter_put(f, C, buffer_span(&many), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, STARTTLS_SIEVE_COMMANDS_PENDING_MAX * strlen(command));
    buffer_consume(&many, consumed);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("OK\r\nNO\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, C, buffer_span(&many), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, 2 * strlen(command));
    buffer_consume(&many, consumed);
    assert_int_equal(starttls_filter_end(f, S), STARTTLS_NEED_MORE); /* no reply comes: nothing to wait for */
    assert_int_equal(starttls_filter_put(f, C, buffer_span(&many), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, strlen(command));
    buffer_release(&many);
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

/* What is held back goes out at the end. */
static void halves_of_lines_are_kept(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_SIEVE, STARTTLS_GREETED);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("NOO"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("O"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(out.size, 0);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_true(starttls_filter_rest(f, S, &out));
    assert_true(span_equal(buffer_span(&out), span_of_string("NOOO")));
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_list_offers_a_second_tls), cmocka_unit_test(client_starttls_reaches_no_server),
        cmocka_unit_test(login_ends_the_filter),       cmocka_unit_test(what_nobody_can_tell_ends_the_session),
        cmocka_unit_test(lines_have_a_limit),          cmocka_unit_test(a_pipeline_of_any_length_waits_for_replies),
        cmocka_unit_test(halves_of_lines_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
