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
        SAME(C, "STARTTLS\r\n\r\nXCLIENT x\r\n..\r\n.x\r\n\n.x\nSTARTTLS\n..\n\r.x\r\nSTARTTLS\r\n.\r"),
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
        {C, BYTES("BDAT 10\r\nSTARTTLS\r\n"), BYTES("REFUSED-BDAT\r\nREFUSED-STARTTLS\r\n")},
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
        SAME(C, "a\n"),
        SAME(S, "451 no more\r\n"),
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

/* RFC 3030: only what every server takes for a chunk of the same size is one; any other BDAT is refused by the server,
 * and what follows it are commands to it and to us. */
static void chunks_of_which_servers_may_think_otherwise_are_none(void **state)
{
    static const char *const lines[] = {
        "BDAT\0010 \r\n",
        "BDAT\v21\r\n",
        "BDAT\f21\r\n",
        "BDAT\t21\r\n",
        " BDAT 21\r\n",
        "BDAT 21\n",
        "BDAT 21\t\r\n",
        "BDAT 21\r\r\n",
        "BDAT 21 LASTX\r\n",
        "BDAT 21LAST\r\n",
        "BDAT 21 LAST x\r\n",
        "BDAT 021\r\n",
        "BDAT +21\r\n",
        "BDAT -1\r\n",
        "BDAT 0x15\r\n",
        "BDAT 21.5\r\n",
        "BDAT\r\n",
        "BDAT \r\n",
        "BDAT LAST\r\n",
        "BDAT 2147483648\r\n",
        "BDAT 4294967317\r\n",
        "BDAT 18446744073709551637\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char *said = base_printf("%sXCLIENT ADDR=192.0.2.1\r\n", lines[i]);
        const struct step steps[] = {
            SAME(C, "EHLO a\r\n"),
            SAME(S, "250-mx\r\n250 CHUNKING\r\n"),
            {C, span_of_string(said), BYTES("REFUSED-BDAT\r\nREFUSED-XCLIENT\r\n")},
        };
        const struct relay relay = {lines[i], STARTTLS_SMTP, STEPS(steps)};

        relay_check(&relay);
        free(said);
    }
}

static void chunks_need_the_offer_of_the_last_hello(void **state)
{
    static const struct step early[] = {
        SAME(S, "220 mx\r\n"),
        {C, BYTES("EHLO a\r\nBDAT 5\r\nNOOP XCLIENT ADDR=192.0.2.1\r\n"),
         BYTES("EHLO a\r\nREFUSED-BDAT\r\nNOOP XCLIENT ADDR=192.0.2.1\r\n")},
        SAME(S, "250-mx\r\n250 CHUNKING\r\n500 what\r\n250 ok\r\n"),
        SAME(C, "BDAT 5\r\nNOOP \r\n"),
    };
    static const struct step again[] = {
        SAME(C, "EHLO a\r\n"),
        SAME(S, "250-mx\r\n250 CHUNKING\r\n"),
        SAME(C, "HELO a\r\n"),
        {C, BYTES("BDAT 10\r\nSTARTTLS\r\n"), BYTES("REFUSED-BDAT\r\nREFUSED-STARTTLS\r\n")},
        SAME(S, "250 mx\r\n500 what\r\n500 what\r\n"),
        {C, BYTES("BDAT 10\r\nSTARTTLS\r\n"), BYTES("REFUSED-BDAT\r\nREFUSED-STARTTLS\r\n")},
        SAME(S, "500 what\r\n500 what\r\n"),
        SAME(C, "EHLO a\r\n"),
        SAME(S, "250-mx\r\n250 CHUNKING\r\n"),
        SAME(C, "EHLO a b\r\n"),
        SAME(S, "501 what\r\n"),
        SAME(C, "BDAT 10  last \r\nSTARTTLS\r\n"),
    };
    static const struct step elsewhere[] = {
        SAME(C, "HELO a\r\n"),
        SAME(S, "250 mx\r\n"),
        SAME(C, "NOOP\r\n"),
        SAME(S, "250-mx\r\n250 CHUNKING\r\n"),
        {C, BYTES("BDAT 10\r\nSTARTTLS\r\n"), BYTES("REFUSED-BDAT\r\nREFUSED-STARTTLS\r\n")},
    };
    static const struct relay relays[] = {
        {"before the offer is known", STARTTLS_SMTP, STEPS(early)},
        {"taken back by another hello", STARTTLS_SMTP, STEPS(again)},
        {"not in a reply to EHLO", STARTTLS_SMTP, STEPS(elsewhere)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
}

/* CVE-2023-51764 and its like: the server would take XCLIENT for a command, and we for a line of the message. */
static void no_message_ends_for_the_server_alone(void **state)
{
    static const struct {
        const char *name, *said, *passed;
    } rows[] = {
        {"LF . LF", "x\n.\nXCLIENT x\r\n", "x\n."},
        {"LF . CRLF", "x\n.\r\nXCLIENT x\r\n", "x\n."},
        {"CRLF . LF", "x\r\n.\nXCLIENT x\r\n", "x\r\n."},
        {"CR . CR", "x\r.\rXCLIENT x\r\n", "x\r."},
        {"CR . CRLF", "x\r.\r\nXCLIENT x\r\n", "x\r."},
        {"CR . LF", "x\r.\nXCLIENT x\r\n", "x\r."},
        {"CRLF . CR", "x\r\n.\rXCLIENT x\r\n", "x\r\n.\r"},
        {"LF . CR", "x\n.\rXCLIENT x\r\n", "x\n."},
        {"at once, with LF", ".\nXCLIENT x\r\n", "."},
        {"CRLF . CR CR", "x\r\n.\r\r\n.\r\n", "x\r\n.\r"},
        {"LF CR . CRLF", "x\n\r.\r\nXCLIENT x\r\n", "x\n\r."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct step steps[] = {
            SAME(C, "DATA\r\n"),
            SAME(S, "354 go\r\n"),
            {C, span_of_string(rows[i].said), span_of_string(rows[i].passed)},
        };
        const struct relay relay = {rows[i].name, STARTTLS_SMTP, STEPS(steps), .want = STARTTLS_BROKEN,
                                    .want_error = "lone dot"};

        relay_check(&relay);
    }
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
    enum { REPLY = STARTTLS_SMTP_REPLY_BYTES_MAX, COMMAND = STARTTLS_SMTP_COMMAND_BYTES_MAX };
    const struct {
        const char *name;
        char *input;
        enum starttls_direction direction;
        enum starttls_status want;
        const char *want_error;
        char *want_output; /* NULL: the input */
    } rows[] = {
        {"longest reply", filled("250 ", 'a', REPLY - 6, "\r\n"), S, STARTTLS_NEED_MORE, NULL, NULL},
        {"long reply", filled("250 ", 'a', REPLY - 5, "\r\n220 x\r\n"), S, STARTTLS_NEED_MORE, NULL, NULL},
        {"long lines", filled("250-", 'a', 9 * REPLY, "\r\n250-b\r\n250 c\r\n250-d\r\n"), S, STARTTLS_NEED_MORE, NULL,
         filled("250-", 'a', 9 * REPLY, "\r\n250-b\r\n250 c\r\n")},
        {"long line in the middle", filled("250-mx\r\n250-X ", 'a', 9 * REPLY, "\r\n250-STARTTLS\r\n250 c\r\n"), S,
         STARTTLS_NEED_MORE, NULL, filled("250-mx\r\n250-X ", 'a', 9 * REPLY, "\r\n250 c\r\n")},
        {"long keyword", filled("250-mx\r\n250-", 'a', REPLY, "\r\n250 STARTTLSX\r\n"), S, STARTTLS_NEED_MORE, NULL,
         NULL},
        {"long line that is no reply", filled("x", 'a', REPLY, "\r\n"), S, STARTTLS_NEED_MORE, NULL, NULL},
        {"long line in another reply", filled("214-x\r\n214-STARTTLS ", 'a', REPLY, "\r\n214 x\r\n"), S,
         STARTTLS_NEED_MORE, NULL, NULL},
        {"long offer", filled("250-mx\r\n250 STARTTLS ", 'a', REPLY, "\r\n"), S, STARTTLS_BROKEN, "rewritten",
         base_strdup("")},
        {"offer behind blanks", filled("250-mx\r\n250-", ' ', REPLY, "STARTTLS\r\n"), S, STARTTLS_BROKEN, "rewritten",
         base_strdup("")},
        {"offer that is cut", filled("250-mx\r\n250-", ' ', REPLY - 7, "STARTTLS\r\n"), S, STARTTLS_BROKEN, "rewritten",
         base_strdup("")},
        {"last offer behind a long line", filled("250-mx\r\n250-X ", 'a', REPLY, "\r\n250 STARTTLS\r\n"), S,
         STARTTLS_BROKEN, "too long to become the last", filled("250-mx\r\n250-X ", 'a', REPLY, "\r\n")},
        {"long GET", filled("GET /", 'a', COMMAND, " HTTP/1.1\r\n"), C, STARTTLS_BROKEN, "HTTP", base_strdup("")},
        {"long verb", filled("", 'a', COMMAND, ""), C, STARTTLS_BROKEN, "too long", base_strdup("")},
        {"long STARTTLS", filled("STARTTLS ", 'a', COMMAND, "\r\n"), C, STARTTLS_BROKEN, "too long", base_strdup("")},
        {"longest STARTTLS", filled("STARTTLS ", 'a', COMMAND - 11, "\r\n"), C, STARTTLS_NEED_MORE, NULL,
         base_strdup("REFUSED-STARTTLS\r\n")},
        {"long AUTH", filled("AUTH PLAIN ", 'a', 3 * COMMAND, "\r\nNOOP\r\n"), C, STARTTLS_NEED_MORE, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct step step = {rows[i].direction, span_of_string(rows[i].input),
                                  span_of_string(rows[i].want_output == NULL ? rows[i].input : rows[i].want_output)};
        const struct relay relay = {rows[i].name,    STARTTLS_SMTP,        .steps = &step,
                                    .step_count = 1, .want = rows[i].want, .want_error = rows[i].want_error};

        relay_check(&relay);
        free(rows[i].input);
        free(rows[i].want_output);
    }
}

/* A reply that goes on over a long line ends where it ends: its code counts then, and not before. */
static void long_replies_keep_their_meaning(void **state)
{
    char *long_354 = filled("354 ", 'a', 2 * STARTTLS_SMTP_REPLY_BYTES_MAX, "\r\n");
    char *long_250 = filled("250-mx\r\n250-X\r\n250 CHUNKING ", 'a', 2 * STARTTLS_SMTP_REPLY_BYTES_MAX, "\r\n");
    const struct step data[] = {
        SAME(C, "DATA\r\n"),
        {S, span_of_string(long_354), span_of_string(long_354)},
        SAME(C, "STARTTLS\r\n.\r\n"),
        {C, BYTES("STARTTLS\r\n"), BYTES("REFUSED-STARTTLS\r\n")},
    };
    const struct step bdat[] = {
        SAME(C, "EHLO a\r\n"),
        {S, span_of_string(long_250), span_of_string(long_250)},
        SAME(C, "BDAT 10\r\nSTARTTLS\r\n"),
    };
    const struct relay relays[] = {{"354", STARTTLS_SMTP, STEPS(data)}, {"CHUNKING", STARTTLS_SMTP, STEPS(bdat)}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
    free(long_354);
    free(long_250);
}

/* Each refused command at its shortest: it grows by what is declared at most, and one of them by just that. */
static void commands_grow_as_declared(void **state)
{
    static const char *const commands[] = {"STARTTLS\n", "XCLIENT\n", "XFORWARD\n", "STARTTLS\r\n", " STARTTLS\n"};
    size_t most = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct starttls_filter *f = starttls_filter_create(STARTTLS_SMTP, STARTTLS_GREETED);
        struct buffer out;
        size_t consumed;

        buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
        assert_int_equal(starttls_filter_put(f, C, span_of_string(commands[i]), &consumed, &out), STARTTLS_NEED_MORE);
        assert_int_equal(consumed, strlen(commands[i]));
        assert_true(out.size <= consumed + STARTTLS_CLIENT_LINE_GROWTH_MAX);
        most = out.size - consumed > most ? out.size - consumed : most;
        buffer_release(&out);
        starttls_filter_destroy(&f);
    }
    assert_int_equal(most, STARTTLS_CLIENT_LINE_GROWTH_MAX);
}

/* What a client pipelines in one piece goes on as fast as it is answered, in any split (RFC 2920 section 3.1). */
static void pipeline_check(enum starttls_protocol protocol, unsigned seed, bool server_ends)
{
    enum { RECIPIENTS = 2000 };
    struct starttls_filter *f = starttls_filter_create(protocol, STARTTLS_GREETED);
    struct buffer out, said, passed;
    size_t consumed;
    unsigned answered = 0, commands = RECIPIENTS + 2;
    char *wanted;

    srandom(seed);
    buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
    buffer_init(&said, (RECIPIENTS + 2) * 32);
    buffer_init(&passed, (RECIPIENTS + 2) * 32);
    assert_true(buffer_append(&said, span_of_string("MAIL FROM:<a>\r\n")));
    for (unsigned i = 0; i < RECIPIENTS; i++)
        assert_true(buffer_printf(&said, "RCPT TO:<b%u>\r\n", i));
    assert_true(buffer_append(&said, span_of_string("DATA\r\n")));
    wanted = base_strndup((const char *)buffer_span(&said).data, said.size);
    while (passed.size < strlen(wanted)) {
        size_t piece = 1 + (size_t)random() % said.size, lines = 0;
        size_t replies = 1 + (size_t)random() % STARTTLS_SMTP_COMMANDS_PENDING_MAX;

        assert_int_equal(starttls_filter_put(f, C, span_of(buffer_span(&said).data, piece), &consumed, &out),
                         STARTTLS_NEED_MORE);
        buffer_consume(&said, consumed);
        assert_true(buffer_append(&passed, buffer_span(&out)));
        buffer_consume(&out, out.size);
        for (size_t i = 0; i < passed.size; i++)
            lines += buffer_span(&passed).data[i] == '\n';
        assert_true(server_ends || lines - answered <= STARTTLS_SMTP_COMMANDS_PENDING_MAX);
        if (server_ends) {
            assert_int_equal(starttls_filter_end(f, S), STARTTLS_NEED_MORE);
            continue;
        }
        for (; replies != 0 && answered < lines && answered < commands - 1; replies--, answered++) {
            assert_int_equal(starttls_filter_put(f, S, span_of_string("250 ok\r\n"), &consumed, &out),
                             STARTTLS_NEED_MORE);
            buffer_consume(&out, out.size);
        }
    }
    assert_true(span_equal(buffer_span(&passed), span_of_string(wanted)));
    for (; !server_ends && answered < commands - 1; answered++) {
        assert_int_equal(starttls_filter_put(f, S, span_of_string("250 ok\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
        buffer_consume(&out, out.size);
    }
    if (!server_ends)
        assert_int_equal(starttls_filter_put(f, S, span_of_string("354 go\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    free(wanted);
    buffer_release(&out);
    buffer_release(&said);
    buffer_release(&passed);
    starttls_filter_destroy(&f);
}

static void pipelines_of_any_length_pass(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++)
        pipeline_check(seed % 2 == 0 ? STARTTLS_SMTP : STARTTLS_LMTP, seed, false);
}

static void a_pipeline_goes_on_when_the_server_has_ended(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++)
        pipeline_check(STARTTLS_SMTP, seed, true);
}

static void commands_without_a_reply_wait(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_SMTP, STARTTLS_GREETED);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    for (unsigned i = 0; i < STARTTLS_SMTP_COMMANDS_PENDING_MAX; i++) {
        assert_int_equal(starttls_filter_put(f, C, span_of_string("NOOP\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
        assert_int_equal(consumed, 6);
    }
    assert_int_equal(starttls_filter_put(f, C, span_of_string("NOOP\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, 0);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("250 ok\r\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("NOOP\r\nNOOP\r\n"), &consumed, &out),
                     STARTTLS_NEED_MORE);
    assert_int_equal(consumed, 6);
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

static void rest_gives_what_was_held_back(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_SMTP, STARTTLS_GREETED);
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
    assert_null(starttls_filter_create(STARTTLS_TCP, STARTTLS_GREETED));
    assert_null(starttls_filter_create(STARTTLS_HTTP_CONNECT, STARTTLS_GREETED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_replies_offer_no_second_tls),
        cmocka_unit_test(client_commands_for_tls_or_another_address_reach_no_server),
        cmocka_unit_test(messages_pass_unchanged),
        cmocka_unit_test(chunks_of_which_servers_may_think_otherwise_are_none),
        cmocka_unit_test(chunks_need_the_offer_of_the_last_hello),
        cmocka_unit_test(no_message_ends_for_the_server_alone),
        cmocka_unit_test(lmtp_replies_are_counted_by_recipient),
        cmocka_unit_test(what_could_be_data_or_commands_ends_the_session),
        cmocka_unit_test(http_ends_the_session),
        cmocka_unit_test(lines_have_limits),
        cmocka_unit_test(long_replies_keep_their_meaning),
        cmocka_unit_test(commands_grow_as_declared),
        cmocka_unit_test(pipelines_of_any_length_pass),
        cmocka_unit_test(a_pipeline_goes_on_when_the_server_has_ended),
        cmocka_unit_test(commands_without_a_reply_wait),
        cmocka_unit_test(rest_gives_what_was_held_back),
        cmocka_unit_test(create_gives_none_where_nothing_needs_filtering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
