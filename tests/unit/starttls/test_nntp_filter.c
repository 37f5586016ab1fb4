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
#define NNTP    .protocol = STARTTLS_NNTP
#define GREETED .protocol = STARTTLS_NNTP, .greeting = STARTTLS_GREETING_FOLLOWS

static void check(const struct relay *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        relay_check(&rows[i]);
}

/* R13. */
static void capabilities_offer_no_second_tls(void **state)
{
    static const struct step plain[] = {
        SAME(C, "CAPABILITIES\r\n"),
        {S, BYTES("101 list\r\nVERSION 2\r\nSTARTTLS\r\nstarttls x\r\n STARTTLS\r\nREADER\r\n.\r\n"),
         BYTES("101 list\r\nVERSION 2\r\nREADER\r\n.\r\n")},
        SAME(S, "STARTTLS\r\n"), /* of no list: it is no offer */
    };
    static const struct step alike[] = {
        SAME(C, "capabilities\n"),
        SAME(S, "101\nXSTARTTLS\nSTARTTLSX\nIMPLEMENTATION STARTTLS\n..\n. \n.\n"),
    };
    static const struct step pipelined[] = {
        SAME(C, "LISTGROUP a\r\nGROUP a\r\nCAPABILITIES\r\nHEAD 1\r\nCAPABILITIES\r\n"),
        SAME(S, "211 list\r\nSTARTTLS\r\n.\r\n211 1 1 1 a\r\n"),
        {S, BYTES("101\r\nSTARTTLS\r\n.\r\n221 head\r\nSTARTTLS\r\n.\r\n500 no\r\n"),
         BYTES("101\r\n.\r\n221 head\r\nSTARTTLS\r\n.\r\n500 no\r\n")},
    };
    static const struct relay rows[] = {
        {"left out", NNTP, STEPS(plain)},
        {"only the whole word; LF alone stays LF", NNTP, STEPS(alike)},
        {"of the command it answers", NNTP, STEPS(pipelined)},
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
        {"LF alone", {C, BYTES("DATE\nSTARTTLS\n"), BYTES("DATE\nREFUSED-STARTTLS\r\n")}},
        {"behind others", {C, BYTES("POST\r\nSTARTTLS\r\n"), BYTES("POST\r\nREFUSED-STARTTLS\r\n")}},
        {"not as an argument", SAME(C, "GROUP STARTTLS\r\nSTARTTLSX\r\nXSTARTTLS\r\n")},
        {"HEAD is no HTTP", SAME(C, "HEAD 1\r\n")},
        {"bytes of any kind", SAME(C, "GROUP \xff\x00\r\n\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, NNTP, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

static void articles_hold_any_line(void **state)
{
    static const struct step post[] = {
        SAME(C, "POST\r\n"),
        SAME(S, "340 go\r\n"),
        SAME(C, "Subject: x\r\n\r\nSTARTTLS\r\n..\r\n.x\r\n\r.\r\n lone\nlf\r\n.\r\n"),
        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")},
        SAME(S, "240 posted\r\n500 what\r\n"),
        SAME(C, "CAPABILITIES\r\n"),
        {S, BYTES("101\r\nSTARTTLS\r\n.\r\n"), BYTES("101\r\n.\r\n")},
    };
    static const struct step refused[] = {
        SAME(C, "POST\r\n"), SAME(S, "440 no\r\n"), {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}};
    static const struct step ihave[] = {SAME(C, "IHAVE <a@b>\r\n"),
                                        SAME(S, "335 go\r\n"),
                                        SAME(C, "STARTTLS\r\n.\r\n"),
                                        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}};
    static const struct step takethis[] = {
        {C, BYTES("CHECK <a@b>\r\nTAKETHIS <a@b>\r\nSTARTTLS\r\n.\r\nSTARTTLS\r\n"),
         BYTES("CHECK <a@b>\r\nTAKETHIS <a@b>\r\nSTARTTLS\r\n.\r\nREFUSED-STARTTLS\r\n")},
        SAME(S, "238\r\n239\r\n500\r\n")};
    static const struct step empty[] = {SAME(C, "POST\r\n"),
                                        SAME(S, "340\r\n"),
                                        SAME(C, ".\r\n"),
                                        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}};
    static const struct relay rows[] = {
        {"POST", NNTP, STEPS(post)},          {"POST refused", NNTP, STEPS(refused)},
        {"IHAVE", NNTP, STEPS(ihave)},        {"TAKETHIS waits for nothing", NNTP, STEPS(takethis)},
        {"an empty one", NNTP, STEPS(empty)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void login_ends_the_filter(void **state)
{
    static const struct step user[] = {SAME(C, "AUTHINFO USER x\r\n"),
                                       SAME(S, "381 more\r\n"),
                                       SAME(C, "AUTHINFO PASS y\r\nDATE\r\n"),
                                       {S, BYTES("281 in\r\n101\r\nSTARTTLS\r\n"), BYTES("281 in\r\n")}};
    static const struct step wrong[] = {SAME(C, "AUTHINFO USER x\r\n"),
                                        SAME(S, "381 more\r\n"),
                                        SAME(C, "AUTHINFO PASS y\r\n"),
                                        SAME(S, "481 no\r\n"),
                                        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}};
    static const struct step sasl[] = {SAME(C, "AUTHINFO SASL LOGIN\r\n"), SAME(S, "383 VXNlcg==\r\n"),
                                       SAME(C, "STARTTLS\r\n"), SAME(S, "283 dg==\r\n")};
    static const struct step compress[] = {SAME(C, "COMPRESS DEFLATE\r\n"),
                                           {S, BYTES("206 go\r\n\x01\x02"), BYTES("206 go\r\n")}};
    static const struct step before[] = {SAME(C, "AUTHINFO USER x\r\nDATE\r\n"),
                                         SAME(S, "200 hello\r\n381 more\r\n111 1\r\n"),
                                         {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}};
    static const struct step other[] = {SAME(C, "DATE\r\n"), SAME(S, "281 what\r\n"), SAME(S, "206 what\r\n")};
    static const struct relay rows[] = {
        {"AUTHINFO PASS", NNTP, STEPS(user), .want = STARTTLS_READY, .want_left = 15},
        {"a refusal does not", NNTP, STEPS(wrong)},
        {"an answer is no command", NNTP, STEPS(sasl), .want = STARTTLS_READY},
        {"compression", NNTP, STEPS(compress), .want = STARTTLS_READY, .want_left = 2},
        {"the greeting answers no command", GREETED, STEPS(before)},
        {"nor do codes that answer others", NNTP, STEPS(other)},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void what_nobody_can_tell_ends_the_session(void **state)
{
    static const struct step early[] = {SAME(C, "POST\r\nDATE\r\n"), SAME(S, "340 go\r\n")};
    static const struct step half[] = {{C, BYTES("POST\r\nDA"), BYTES("POST\r\n")}, SAME(S, "340 go\r\n")};
    static const struct step sasl[] = {SAME(C, "AUTHINFO SASL X\r\nDATE\r\n"), SAME(S, "383 go\r\n")};
    static const struct step dot[] = {
        SAME(C, "POST\r\n"), SAME(S, "340\r\n"), {C, BYTES("a\r\n.\nSTARTTLS\r\n"), BYTES("a\r\n.")}};
    static const struct step bare[] = {
        SAME(C, "POST\r\n"), SAME(S, "340\r\n"), {C, BYTES("a\n.\r\nSTARTTLS\r\n"), BYTES("a\n.\r")}};
    static const struct step http[] = {{C, BYTES("POST / HTTP/1.1\r\n"), BYTES("")}};
    static const struct relay rows[] = {
        {"a command behind POST", NNTP, STEPS(early), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"the half of one", NNTP, STEPS(half), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"a command behind AUTHINFO SASL", NNTP, STEPS(sasl), .want = STARTTLS_BROKEN, .want_error = "did not wait"},
        {"a lone dot before LF", NNTP, STEPS(dot), .want = STARTTLS_BROKEN, .want_error = "lone dot"},
        {"a lone dot behind LF", NNTP, STEPS(bare), .want = STARTTLS_BROKEN, .want_error = "lone dot"},
        {"HTTP", NNTP, STEPS(http), .want = STARTTLS_BROKEN, .want_error = "HTTP"},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
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
    const struct span listed = long_line("1\t", 'a', 5000), ticket = long_line("AUTHINFO SASL GSSAPI ", 'a', 12000);
    const struct span reply = long_line("281 ", 'a', 3000), offer = long_line("STARTTLS ", 'a', 3000);
    const struct span command = long_line("GROUP ", 'a', 3000);
    const struct step good[] = {SAME(C, "OVER 1\r\n"), SAME(S, "224\r\n"),  {S, listed, listed},
                                SAME(S, ".\r\n"),      {C, ticket, ticket}, {S, reply, reply}};
    const struct step bad_offer[] = {SAME(C, "CAPABILITIES\r\n"), SAME(S, "101\r\n"), {S, offer, BYTES("")}};
    const struct step bad_command[] = {{C, command, BYTES("")}};
    const struct relay rows[] = {
        {"long", NNTP, STEPS(good), .want = STARTTLS_READY},
        {"an offer", NNTP, STEPS(bad_offer), .want = STARTTLS_BROKEN, .want_error = "capability that is too long"},
        {"a command", NNTP, STEPS(bad_command), .want = STARTTLS_BROKEN, .want_error = "command line that is too long"},
    };

    (void)state;
    check(rows, ARRAY_LEN(rows));
    free_line(listed);
    free_line(ticket);
    free_line(reply);
    free_line(offer);
    free_line(command);
}

/* As many as can be remembered are on their way; more wait for a reply, and none is lost. */
static void a_pipeline_of_any_length_waits_for_replies(void **state)
{
    static const char command[] = "DATE\r\n";
    struct starttls_filter *f = starttls_filter_create(STARTTLS_NNTP, STARTTLS_GREETED);
    struct buffer out, many;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    buffer_init(&many, 64 * 1024);
    for (unsigned i = 0; i < STARTTLS_NNTP_COMMANDS_PENDING_MAX + 3; i++)
        assert_true(buffer_append(&many, span_of_string(command)));
    assert_int_equal(starttls_filter_put(f, C, buffer_span(&many), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, STARTTLS_NNTP_COMMANDS_PENDING_MAX * strlen(command));
    buffer_consume(&many, consumed);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("111\r\n500\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capabilities_offer_no_second_tls),
        cmocka_unit_test(client_starttls_reaches_no_server),
        cmocka_unit_test(articles_hold_any_line),
        cmocka_unit_test(login_ends_the_filter),
        cmocka_unit_test(what_nobody_can_tell_ends_the_session),
        cmocka_unit_test(lines_of_any_length_pass_that_need_no_change),
        cmocka_unit_test(a_pipeline_of_any_length_waits_for_replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
