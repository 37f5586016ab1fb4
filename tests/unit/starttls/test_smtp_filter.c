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

/* R13. */
static void server_replies_offer_no_second_tls(void **state)
{
    static const struct {
        const char *name;
        struct step step;
    } rows[] = {
        {"in the middle", {S, BYTES("250-mx\r\n250-STARTTLS\r\n250 SIZE\r\n"), BYTES("250-mx\r\n250 SIZE\r\n")}},
        {"last", {S, BYTES("250-mx\r\n250-SIZE\r\n250 STARTTLS\r\n"), BYTES("250-mx\r\n250 SIZE\r\n")}},
        {"the only one", {S, BYTES("250-mx\r\n250 STARTTLS\r\n"), BYTES("250 mx\r\n")}},
        {"several, the last ones too",
         {S, BYTES("250-mx\r\n250-XCLIENT NAME ADDR\r\n250-A\r\n250-starttls\r\n250-XFORWARD NAME\r\n250 StartTLS\r\n"),
          BYTES("250-mx\r\n250 A\r\n")}},
        {"all of them", {S, BYTES("250-mx\r\n250-XCLIENT\r\n250-XFORWARD\r\n250 STARTTLS\r\n"), BYTES("250 mx\r\n")}},
        {"whatever ends or precedes the word",
         {S, BYTES("250-mx\r\n250-XCLIENT\0?\r\n250- \tXFORWARD\tx\r\n250 STARTTLS\r \r\n"), BYTES("250 mx\r\n")}},
        {"never the first line", SAME(S, "250-STARTTLS\r\n250 SIZE\r\n")},
        {"never a single line", SAME(S, "250 STARTTLS\r\n250 XCLIENT\r\n")},
        {"only the whole word", SAME(S, "250-mx\r\n250-STARTTLSX\r\n250-X STARTTLS\r\n250 XCLIENTS\r\n")},
        {"only in a 250", SAME(S, "214-help\r\n214-STARTTLS\r\n214 XCLIENT\r\n")},
        {"a line without text", SAME(S, "250-mx\r\n250-\r\n250\r\n")},
        {"LF alone stays LF", {S, BYTES("250-mx\n250-SIZE\n250 STARTTLS\n"), BYTES("250-mx\n250 SIZE\n")}},
        {"what is no reply", SAME(S, "hello-there\r\n\r\n25\r\n2500 x\r\n")},
        {"reply after reply",
         {S, BYTES("250-a\r\n250 STARTTLS\r\n250-STARTTLS\r\n250 B\r\n"), BYTES("250 a\r\n250-STARTTLS\r\n250 B\r\n")}},
        {"bytes of any kind", SAME(S, "250-\xff\x00\x01\r\n250 \xc3\xa4\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, STARTTLS_SMTP, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

/* R14, I6, H7. */
static void client_commands_for_tls_or_another_address_reach_no_server(void **state)
{
    static const struct {
        const char *name;
        struct step step;
    } rows[] = {
        {"STARTTLS", {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}},
        {"any case, with arguments", {C, BYTES("startTls now please\r\n"), BYTES("REFUSED-startTls\r\n")}},
        {"spaces before it", {C, BYTES(" \tSTARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")}},
        {"tab or NUL after it",
         {C, BYTES("XCLIENT\tADDR=1\r\nXFORWARD\0x\r\n"), BYTES("REFUSED-XCLIENT\r\nREFUSED-XFORWARD\r\n")}},
        {"LF alone", {C, BYTES("NOOP\nSTARTTLS\n"), BYTES("NOOP\nREFUSED-STARTTLS\r\n")}},
        {"among others",
         {C, BYTES("EHLO a\r\nXCLIENT ADDR=192.0.2.1\r\nMAIL FROM:<>\r\n"),
          BYTES("EHLO a\r\nREFUSED-XCLIENT\r\nMAIL FROM:<>\r\n")}},
        {"only the whole word", SAME(C, "STARTTLSX\r\nXSTARTTLS\r\nNOOP STARTTLS\r\n")},
        {"empty lines and odd bytes", SAME(C, "\r\n\r\n\xff\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, STARTTLS_SMTP, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

static void messages_pass_unchanged(void **state)
{
    static const struct step data[] = {
        SAME(S, "220 mx\r\n"),
        SAME(C, "EHLO a\r\n"),
        {S, BYTES("250-mx\r\n250-STARTTLS\r\n250 PIPELINING\r\n"), BYTES("250-mx\r\n250 PIPELINING\r\n")},
        SAME(C, "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"),
        SAME(S, "250 ok\r\n250 ok\r\n354 go\r\n"),
        SAME(C, "STARTTLS\r\n\r\nXCLIENT x\r\n..\r\n.x\r\n\n.\nSTARTTLS\n\r.\r\nSTARTTLS\r\n.\r"),
        {C, BYTES("\nSTARTTLS\r\n"), BYTES("\nREFUSED-STARTTLS\r\n")},
        SAME(S, "250 queued\r\n502 what\r\n"),
        {C, BYTES("STARTTLS\r\nMAIL FROM:<a>\r\n"), BYTES("REFUSED-STARTTLS\r\nMAIL FROM:<a>\r\n")},
    };
    static const struct step bdat[] = {
        SAME(C, "EHLO a\r\n"),
        SAME(S, "250-mx\r\n250 CHUNKING\r\n"),
        SAME(C, "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nBDAT 10\r\nSTARTTLS\r\nBDAT 0\r\nbdat 10 last\r\nXCLIENT \r\n"),
        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")},
    };
    static const struct step no_chunking[] = {
        SAME(C, "EHLO a\r\n"),
        SAME(S, "250 mx\r\n"),
        {C, BYTES("BDAT 10\r\nSTARTTLS\r\n"), BYTES("BDAT 10\r\nREFUSED-STARTTLS\r\n")},
    };
    static const struct step auth[] = {
        SAME(C, "AUTH LOGIN\r\n"),
        SAME(S, "334 VXNlcg==\r\n"),
        SAME(C, "STARTTLS\r\n"),
        SAME(S, "334 UGFzcw==\r\n"),
        SAME(C, "XCLIENT\r\n"),
        SAME(S, "235 ok\r\n"),
        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")},
    };
    static const struct step refused_data[] = {
        SAME(C, "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"),
        SAME(S, "250 ok\r\n550 no\r\n503 no\r\n"),
        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")},
        SAME(S, "502 what\r\n"),
        SAME(C, "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"),
        SAME(S, "250 ok\r\n250 ok\r\n354 go\r\n"),
        SAME(C, "STARTTLS\r\n.\r\n"),
    };
    /* A server that ends the message where we do not: what follows are commands, to it and so to us. */
    static const struct step other_end[] = {
        SAME(C, "DATA\r\n"),
        SAME(S, "354 go\r\n"),
        SAME(C, "a\n.\n"),
        SAME(S, "250 queued\r\n"),
        {C, BYTES("XCLIENT x\r\n"), BYTES("REFUSED-XCLIENT\r\n")},
    };
    static const struct step early_client[] = {
        SAME(C, "EHLO a\r\n"), SAME(S, "220 mx\r\n"), SAME(C, "DATA\r\n"),
        SAME(S, "250 mx\r\n"), SAME(S, "354 go\r\n"), SAME(C, "STARTTLS\r\n.\r\n"),
    };
    static const struct relay relays[] = {
        {"DATA", STARTTLS_SMTP, STEPS(data)},
        {"BDAT", STARTTLS_SMTP, STEPS(bdat)},
        {"BDAT to a server that does not offer it", STARTTLS_SMTP, STEPS(no_chunking)},
        {"AUTH", STARTTLS_SMTP, STEPS(auth)},
        {"DATA refused", STARTTLS_SMTP, STEPS(refused_data)},
        {"final reply in the middle of the message", STARTTLS_SMTP, STEPS(other_end)},
        {"client before the greeting", STARTTLS_SMTP, STEPS(early_client)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
}

/* RFC 2033 section 4.2: one reply for each accepted recipient, after one dot. */
static void lmtp_replies_are_counted_by_recipient(void **state)
{
    static const struct step steps[] = {
        SAME(C, "LHLO a\r\n"),
        SAME(S, "250 mx\r\n"),
        SAME(C, "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nRCPT TO:<d>\r\nDATA\r\n"),
        SAME(S, "250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n"),
        SAME(C, "x\r\n.\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n"),
        SAME(S, "250 b\r\n250 d\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        SAME(C, "STARTTLS\r\n.\r\n"),
        SAME(S, "250 b\r\n"),
        {C, BYTES("STARTTLS\r\nDATA\r\n"), BYTES("REFUSED-STARTTLS\r\nDATA\r\n")},
        SAME(S, "502 what\r\n354 go\r\n"),
        SAME(C, "STARTTLS\r\n.\r\n"),
    };
    static const struct relay relay = {"LMTP", STARTTLS_LMTP, STEPS(steps)};

    (void)state;
    relay_check(&relay);
}

static void what_could_be_data_or_commands_ends_the_session(void **state)
{
    static const struct step data[] = {
        SAME(C, "DATA\r\n.\r\nNOOP\r\n"),
        {S, BYTES("354 go\r\n"), BYTES("354 go\r\n")},
    };
    static const struct step data_partial[] = {SAME(C, "DATA\r\n"), {C, BYTES("."), BYTES("")}, SAME(S, "354 go\r\n")};
    static const struct step twice[] = {SAME(C, "DATA\r\nDATA\r\n"), SAME(S, "354 go\r\n")};
    static const struct step auth[] = {SAME(C, "AUTH PLAIN\r\nNOOP\r\n"), SAME(S, "334 \r\n")};
    static const struct step unasked[] = {SAME(S, "250 x\r\n"), SAME(S, "354 go\r\n")};
    static const struct step unknown[] = {SAME(C, "XEXCH50 1 2\r\n"), SAME(S, "355 go\r\n")};
    static const struct relay relays[] = {
        {"DATA", STARTTLS_SMTP, STEPS(data), .want = STARTTLS_BROKEN, .want_error = "354"},
        {"a part of a line", STARTTLS_SMTP, STEPS(data_partial), .want = STARTTLS_BROKEN, .want_error = "354"},
        {"DATA twice", STARTTLS_SMTP, STEPS(twice), .want = STARTTLS_BROKEN, .want_error = "354"},
        {"AUTH", STARTTLS_SMTP, STEPS(auth), .want = STARTTLS_BROKEN, .want_error = "334"},
        {"nobody asked", STARTTLS_SMTP, STEPS(unasked), .want = STARTTLS_BROKEN, .want_error = "354"},
        {"an unknown 3xx", STARTTLS_SMTP, STEPS(unknown), .want = STARTTLS_BROKEN, .want_error = "355"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
}

/* X1. */
static void http_ends_the_session(void **state)
{
    static const struct {
        const char *name;
        struct step step;
        enum starttls_status want;
    } rows[] = {
        {"GET", {C, BYTES("GET / HTTP/1.1\r\nHost: x\r\n"), BYTES("")}, STARTTLS_BROKEN},
        {"POST", {C, BYTES("POST /x HTTP/1.0\r\n"), BYTES("")}, STARTTLS_BROKEN},
        {"HTTP/2", {C, BYTES("PRI * HTTP/2.0\r\n"), BYTES("")}, STARTTLS_BROKEN},
        {"HTTP/0.9", {C, BYTES("get /\r\n"), BYTES("")}, STARTTLS_BROKEN},
        {"only the first line",
         {C, BYTES("NOOP\r\nGET / HTTP/1.1\r\n"), BYTES("NOOP\r\nGET / HTTP/1.1\r\n")},
         STARTTLS_NEED_MORE},
        {"a verb that begins so", {C, BYTES("GETTER x\r\n"), BYTES("GETTER x\r\n")}, STARTTLS_NEED_MORE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {
            rows[i].name,    STARTTLS_SMTP,        .steps = &rows[i].step,
            .step_count = 1, .want = rows[i].want, .want_error = rows[i].want == STARTTLS_BROKEN ? "HTTP" : NULL};

        relay_check(&relay);
    }
}

static char *filled(const char *before, char byte, size_t count, const char *after)
{
    char *middle = base_alloc(count + 1);
    char *text;

    memset(middle, byte, count);
    text = base_printf("%s%s%s", before, middle, after);
    free(middle);
    return text;
}

static void lines_have_limits(void **state)
{
    char *long_reply = filled("250-", 'a', STARTTLS_SMTP_REPLY_BYTES_MAX, "");
    char *most_reply = filled("250 ", 'a', STARTTLS_SMTP_REPLY_BYTES_MAX - 6, "\r\n");
    char *long_get = filled("GET /", 'a', STARTTLS_SMTP_COMMAND_BYTES_MAX, " HTTP/1.1\r\n");
    char *long_verb = filled("", 'a', STARTTLS_SMTP_COMMAND_BYTES_MAX, "");
    char *long_starttls = filled("STARTTLS ", 'a', STARTTLS_SMTP_COMMAND_BYTES_MAX, "\r\n");
    char *long_auth = filled("AUTH PLAIN ", 'a', 3 * STARTTLS_SMTP_COMMAND_BYTES_MAX, "\r\nNOOP\r\n");
    struct {
        const char *name;
        char *input;
        enum starttls_direction direction;
        enum starttls_status want;
        const char *want_error;
    } rows[] = {
        {"long reply", long_reply, S, STARTTLS_BROKEN, "too long"},
        {"longest reply", most_reply, S, STARTTLS_NEED_MORE, NULL},
        {"long GET", long_get, C, STARTTLS_BROKEN, "HTTP"},
        {"long verb", long_verb, C, STARTTLS_BROKEN, "too long"},
        {"long STARTTLS", long_starttls, C, STARTTLS_BROKEN, "too long"},
        {"long AUTH", long_auth, C, STARTTLS_NEED_MORE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool passes = rows[i].want == STARTTLS_NEED_MORE;
        const struct step step = {rows[i].direction, span_of_string(rows[i].input),
                                  passes ? span_of_string(rows[i].input) : span_of("", 0)};
        const struct relay relay = {rows[i].name,    STARTTLS_SMTP,        .steps = &step,
                                    .step_count = 1, .want = rows[i].want, .want_error = rows[i].want_error};

        relay_check(&relay);
        free(rows[i].input);
    }
}

static void commands_without_a_reply_have_a_limit(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_SMTP);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    for (unsigned i = 0; i < STARTTLS_SMTP_COMMANDS_PENDING_MAX; i++)
        assert_int_equal(starttls_filter_put(f, C, span_of_string("NOOP\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("250 ok\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("NOOP\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("NOOP\r\n"), &consumed, &out), STARTTLS_BROKEN);
    assert_non_null(strstr(starttls_filter_error(f), "512 commands"));
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

static void rest_gives_what_was_held_back(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_SMTP);
    struct buffer out, small;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    buffer_init(&small, 5);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("250-mx\r\n250 ST"), &consumed, &out),
                     STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("QU"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(out.size, 0);
    assert_false(starttls_filter_rest(f, S, &small));
    assert_true(starttls_filter_rest(f, S, &out));
    assert_true(span_equal(buffer_span(&out), span_of_string("x\r\n250 ST")));
    buffer_consume(&out, out.size);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_true(span_equal(buffer_span(&out), span_of_string("QU")));
    buffer_release(&out);
    buffer_release(&small);
    starttls_filter_destroy(&f);
}

static void create_gives_none_where_nothing_needs_filtering(void **state)
{
    (void)state;
    assert_null(starttls_filter_create(STARTTLS_TCP));
    assert_null(starttls_filter_create(STARTTLS_HTTP_CONNECT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_replies_offer_no_second_tls),
        cmocka_unit_test(client_commands_for_tls_or_another_address_reach_no_server),
        cmocka_unit_test(messages_pass_unchanged),
        cmocka_unit_test(lmtp_replies_are_counted_by_recipient),
        cmocka_unit_test(what_could_be_data_or_commands_ends_the_session),
        cmocka_unit_test(http_ends_the_session),
        cmocka_unit_test(lines_have_limits),
        cmocka_unit_test(commands_without_a_reply_have_a_limit),
        cmocka_unit_test(rest_gives_what_was_held_back),
        cmocka_unit_test(create_gives_none_where_nothing_needs_filtering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
