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
#define POP3    .protocol = STARTTLS_POP3
#define GREETED .protocol = STARTTLS_POP3, .greeting = STARTTLS_GREETING_FOLLOWS

static void capa_offers_no_second_tls(void **state)
{
    static const struct step plain[] = {
        SAME(C, "CAPA\r\n"),
        {S, BYTES("+OK list\r\nTOP\r\nSTLS\r\nSASL PLAIN\r\nstls x\r\n STLS\r\nXCLIENT ADDR PORT\r\n.\r\n"),
         BYTES("+OK list\r\nTOP\r\nSASL PLAIN\r\n.\r\n")},
        SAME(S, "STLS\r\n"), /* of no list: it is no offer */
    };
    static const struct step alike[] = {
        SAME(C, "capa\n"),
        SAME(S, "+OK\nXSTLS\nSTLSX\nIMPLEMENTATION STLS\n..\n. \n.\n"),
    };
    static const struct step pipelined[] = {
        SAME(C, "NOOP\r\nCAPA\r\nUSER x\r\nCAPA\r\n"),
        SAME(S, "-ERR STLS\r\n"),
        {S, BYTES("+OK\r\nSTLS\r\nA\r\n.\r\n+OK STLS\r\n"), BYTES("+OK\r\nA\r\n.\r\n+OK STLS\r\n")},
        SAME(S, "-ERR no\r\n+OK what\r\nSTLS\r\n"),
    };
    static const struct step listings[] = {
        SAME(C, "AUTH\r\nLANG\r\nAUTH \r\nLANG en\r\nCAPA\r\n"),
        SAME(S, "+OK\r\nPLAIN\r\nSTLS\r\n.\r\n+OK\r\nen\r\n.\r\n-ERR\r\n+OK\r\n"),
        {S, BYTES("+OK\r\nSTLS\r\n.\r\n"), BYTES("+OK\r\n.\r\n")},
    };
    static const struct relay rows[] = {
        {"left out", POP3, STEPS(plain)},
        {"only the whole word; LF alone stays LF", POP3, STEPS(alike)},
        {"of the command it answers", POP3, STEPS(pipelined)},
        {"other lists end where they end", POP3, STEPS(listings)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

static void client_stls_reaches_no_server(void **state)
{
    static const struct {
        const char *name;
        struct step step;
    } rows[] = {
        {"STLS", {C, BYTES("STLS\r\n"), BYTES("REFUSED-STLS\r\n")}},
        {"any case, spaces, arguments", {C, BYTES("  stls now\r\n"), BYTES("REFUSED-stls\r\n")}},
        {"LF alone", {C, BYTES("NOOP\nSTLS\n"), BYTES("NOOP\nREFUSED-STLS\r\n")}},
        {"behind others, and a login",
         {C, BYTES("USER x\r\nPASS y\r\nSTLS\r\n"), BYTES("USER x\r\nPASS y\r\nREFUSED-STLS\r\n")}},
        {"another address", {C, BYTES("XCLIENT ADDR=192.0.2.1\r\n"), BYTES("REFUSED-XCLIENT\r\n")}},
        {"not as an argument", SAME(C, "PASS STLS\r\nSTLSX\r\nXSTLS\r\n")},
        {"bytes of any kind", SAME(C, "USER \xff\x00\r\n\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, POP3, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

static void login_ends_the_filter(void **state)
{
    static const struct step pass[] = {
        SAME(C, "USER x\r\nPASS wrong\r\n"),
        SAME(S, "+OK\r\n-ERR [AUTH] no\r\n"),
        SAME(C, "USER x\r\nPASS y\r\nLIST\r\nRETR 1\r\n"),
        {S, BYTES("+OK\r\n+OK in\r\nSTLS\r\n"), BYTES("+OK\r\n+OK in\r\n")},
    };
    static const struct step apop[] = {
        SAME(C, "APOP x 00\r\n"),
        SAME(S, "+OK\r\n"),
    };
    static const struct step initial[] = {
        SAME(C, "AUTH PLAIN AHgAeQ==\r\nCAPA\r\n"),
        SAME(S, "+OK\r\n"),
    };
    static const struct step challenges[] = {
        SAME(C, "AUTH LOGIN\r\n"), SAME(S, "+ VXNlcg==\r\n"), SAME(C, "STLS\r\n"),
        SAME(S, "+\r\n"),          SAME(C, "STLS\r\n"),       SAME(S, "+OK\r\n"),
    };
    static const struct step cancelled[] = {
        SAME(C, "AUTH LOGIN\r\n"),
        SAME(S, "+ VXNlcg==\r\n"),
        SAME(C, "*\r\n"),
        SAME(S, "-ERR cancelled\r\n"),
        {C, BYTES("STLS\r\n"), BYTES("REFUSED-STLS\r\n")},
        SAME(S, "-ERR what\r\n"),
    };
    static const struct relay rows[] = {
        {"PASS", POP3, STEPS(pass), .want = STARTTLS_READY, .want_left = 6},
        {"APOP", POP3, STEPS(apop), .want = STARTTLS_READY},
        {"AUTH", POP3, STEPS(initial), .want = STARTTLS_READY},
        {"an answer is no command", POP3, STEPS(challenges), .want = STARTTLS_READY},
        {"cancelled", POP3, STEPS(cancelled)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

/* Taken for the reply to USER, the greeting would have the reply to USER taken for the one to PASS. */
static void greeting_answers_no_command(void **state)
{
    static const struct step before[] = {
        SAME(C, "USER x\r\nPASS wrong\r\n"),
        SAME(S, "+OK hello\r\n+OK\r\n-ERR no\r\n"),
        {C, BYTES("STLS\r\n"), BYTES("REFUSED-STLS\r\n")},
    };
    static const struct step offer[] = {
        {S, BYTES("+OK [XCLIENT] Dovecot ready.\r\n"), BYTES("+OK Dovecot ready.\r\n")},
        SAME(C, "NOOP\r\n"),
        SAME(S, "+OK [XCLIENT] no greeting\r\n"),
    };
    static const struct step refusal[] = {
        SAME(S, "-ERR [SYS/TEMP] later\r\n"),
    };
    static const struct relay rows[] = {
        {"said before it was heard", GREETED, STEPS(before)},
        {"Dovecot to those whom it trusts", GREETED, STEPS(offer)},
        {"a refusal", GREETED, STEPS(refusal)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

static void what_nobody_can_tell_ends_the_session(void **state)
{
    static const struct step early[] = {
        SAME(C, "AUTH LOGIN\r\nNOOP\r\n"),
        SAME(S, "+ VXNlcg==\r\n"),
    };
    static const struct step half[] = {
        {C, BYTES("AUTH LOGIN\r\nNO"), BYTES("AUTH LOGIN\r\n")},
        SAME(S, "+ VXNlcg==\r\n"),
    };
    static const struct step unasked[] = {
        SAME(S, "+ go\r\n"),
    };
    static const struct step http[] = {
        {C, BYTES("POST / HTTP/1.1\r\n"), BYTES("")},
    };
    static const struct relay rows[] = {
        {"a command behind AUTH", POP3, STEPS(early), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"the half of one", POP3, STEPS(half), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"a challenge that answers nothing", POP3, STEPS(unasked), .want = STARTTLS_BROKEN,
         .want_error = "did not wait"},
        {"HTTP", POP3, STEPS(http), .want = STARTTLS_BROKEN, .want_error = "HTTP"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

/* `prefix`, then `fill` up to `size` bytes, then CRLF; owned by the caller. */
static struct span long_line(const char *prefix, char fill, size_t size)
{
    size_t start = strlen(prefix);
    uint8_t *line = base_alloc(size + 2);

    memcpy(line, prefix, start);
    memset(line + start, fill, size - start);
    memcpy(line + size, "\r\n", 2);
    return span_of(line, size + 2);
}

static void free_line(struct span line)
{
    free((void *)(uintptr_t)line.data);
}

static void lines_of_any_length_pass_that_need_no_change(void **state)
{
    const struct span capability = long_line("SASL ", 'a', 3000), ticket = long_line("AUTH GSSAPI ", 'a', 12000);
    const struct span reply = long_line("+OK ", 'a', 3000);
    const struct step steps[] = {
        SAME(C, "CAPA\r\n"), SAME(S, "+OK\r\n"),    {S, capability, capability}, SAME(S, ".\r\n"),
        {C, ticket, ticket}, SAME(S, "+ YQ==\r\n"), {C, ticket, ticket},         {S, reply, reply},
    };
    const struct relay relay = {"long", POP3, STEPS(steps), .want = STARTTLS_READY};

    (void)state;
    relay_check(&relay);
    free_line(capability);
    free_line(ticket);
    free_line(reply);
}

static void lines_too_long_to_be_changed_end_the_session(void **state)
{
    const struct span offer = long_line("STLS ", 'a', 3000), spaces = long_line("", ' ', 3000);
    const struct span command = long_line("STLS ", 'a', 3000), blank = long_line("PASS", ' ', 3000);
    const struct step offered[] = {SAME(C, "CAPA\r\n"), SAME(S, "+OK\r\n"), {S, offer, BYTES("")}},
                      hidden[] = {SAME(C, "CAPA\r\n"), SAME(S, "+OK\r\n"), {S, spaces, BYTES("")}};
    const struct step asked[] = {{C, command, BYTES("")}}, unclear[] = {{C, blank, BYTES("")}};
    const struct relay rows[] = {
        {"an offer", POP3, STEPS(offered), .want = STARTTLS_BROKEN, .want_error = "capability that is too long"},
        {"what may become one", POP3, STEPS(hidden), .want = STARTTLS_BROKEN,
         .want_error = "capability that is too long"},
        {"a command", POP3, STEPS(asked), .want = STARTTLS_BROKEN, .want_error = "command line that is too long"},
        {"an argument that may come", POP3, STEPS(unclear), .want = STARTTLS_BROKEN,
         .want_error = "command line that is too long"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
    free_line(offer);
    free_line(spaces);
    free_line(command);
    free_line(blank);
}

/* As many as can be remembered are on their way; more wait for a reply, and none is lost. */
static void a_pipeline_of_any_length_waits_for_replies(void **state)
{
    static const char command[] = "NOOP\r\n";
    struct starttls_filter *f = starttls_filter_create(STARTTLS_POP3, STARTTLS_GREETED);
    struct buffer out, many;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    buffer_init(&many, 64 * 1024);
    for (unsigned i = 0; i < STARTTLS_POP3_COMMANDS_PENDING_MAX + 3; i++)
        assert_true(buffer_append(&many, span_of_string(command)));
    assert_int_equal(starttls_filter_put(f, C, buffer_span(&many), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, STARTTLS_POP3_COMMANDS_PENDING_MAX * strlen(command));
    buffer_consume(&many, consumed);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("-ERR\r\n-ERR\r\n"), &consumed, &out),
                     STARTTLS_NEED_MORE);
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
    struct starttls_filter *f = starttls_filter_create(STARTTLS_POP3, STARTTLS_GREETED);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("NOO"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("+O"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(out.size, 0);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_true(starttls_filter_rest(f, S, &out));
    assert_true(span_equal(buffer_span(&out), span_of_string("NOO+O")));
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capa_offers_no_second_tls),
        cmocka_unit_test(client_stls_reaches_no_server),
        cmocka_unit_test(login_ends_the_filter),
        cmocka_unit_test(greeting_answers_no_command),
        cmocka_unit_test(what_nobody_can_tell_ends_the_session),
        cmocka_unit_test(lines_of_any_length_pass_that_need_no_change),
        cmocka_unit_test(lines_too_long_to_be_changed_end_the_session),
        cmocka_unit_test(a_pipeline_of_any_length_waits_for_replies),
        cmocka_unit_test(halves_of_lines_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
