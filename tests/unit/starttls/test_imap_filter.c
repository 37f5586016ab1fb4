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
static void server_capabilities_offer_no_second_tls(void **state)
{
    static const struct {
        const char *name;
        struct step step;
    } rows[] = {
        {"untagged",
         {S, BYTES("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"),
          BYTES("* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n")}},
        {"last, any case", {S, BYTES("* capability IMAP4rev1 starttls\r\n"), BYTES("* capability IMAP4rev1\r\n")}},
        {"twice", {S, BYTES("* CAPABILITY STARTTLS A STARTTLS\r\n"), BYTES("* CAPABILITY A\r\n")}},
        {"greeting",
         {S, BYTES("* OK [CAPABILITY IMAP4rev1 STARTTLS ID] hello STARTTLS\r\n"),
          BYTES("* OK [CAPABILITY IMAP4rev1 ID] hello STARTTLS\r\n")}},
        {"last in a code", {S, BYTES("* OK [CAPABILITY ID STARTTLS] x\r\n"), BYTES("* OK [CAPABILITY ID] x\r\n")}},
        {"tagged", {S, BYTES("a OK [CAPABILITY ID STARTTLS] x\r\n"), BYTES("a OK [CAPABILITY ID] x\r\n")}},
        {"tagged NO", {S, BYTES("a NO [CAPABILITY STARTTLS ID] x\r\n"), BYTES("a NO [CAPABILITY ID] x\r\n")}},
        {"code without an end", {S, BYTES("* OK [CAPABILITY STARTTLS\r\n"), BYTES("* OK [CAPABILITY\r\n")}},
        {"LF alone stays LF", {S, BYTES("* CAPABILITY STARTTLS A\n"), BYTES("* CAPABILITY A\n")}},
        {"only the whole word", SAME(S, "* CAPABILITY XSTARTTLS STARTTLSX  A\r\n")},
        {"only in capabilities", SAME(S, "* OK STARTTLS\r\n* NO [ALERT] STARTTLS\r\n* X CAPABILITY STARTTLS\r\n")},
        {"not in a literal", SAME(S, "* X {27}\r\n* CAPABILITY STARTTLS x\r\n\r\n* CAPABILITYX STARTTLS\r\n")},
        {"not in what follows a literal", SAME(S, "* X {0}\r\n* CAPABILITY STARTTLS\r\n")},
        {"bytes of any kind", SAME(S, "* X \xff\x00\r\n\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, STARTTLS_IMAP, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

/* R14, I6, H7. */
static void client_starttls_reaches_no_server(void **state)
{
    static const struct {
        const char *name;
        struct step step;
    } rows[] = {
        {"STARTTLS", {C, BYTES("a STARTTLS\r\n"), BYTES("a REFUSED-STARTTLS\r\n")}},
        {"any case, spaces, arguments", {C, BYTES(" a  starttls x\r\n"), BYTES("a REFUSED-STARTTLS\r\n")}},
        {"LF alone", {C, BYTES("a NOOP\na STARTTLS\n"), BYTES("a NOOP\na REFUSED-STARTTLS\r\n")}},
        {"behind others",
         {C, BYTES("a NOOP\r\nb STARTTLS\r\nc NOOP\r\n"), BYTES("a NOOP\r\nb REFUSED-STARTTLS\r\nc NOOP\r\n")}},
        {"behind a login", {C, BYTES("a LOGIN x y\r\nb STARTTLS\r\n"), BYTES("a LOGIN x y\r\nb REFUSED-STARTTLS\r\n")}},
        {"not in a literal",
         {C, BYTES("a LOGIN {14+}\r\nb STARTTLS\r\nxy {14+}\r\nc STARTTLS\r\nxy\r\nd STARTTLS\r\n"),
          BYTES("a LOGIN {14+}\r\nb STARTTLS\r\nxy {14+}\r\nc STARTTLS\r\nxy\r\nd REFUSED-STARTTLS\r\n")}},
        {"not in what follows an empty literal", SAME(C, "a LOGIN {0+}\r\nb STARTTLS\r\n")},
        {"a literal nobody waited for",
         {C, BYTES("a LOGIN {12}\r\nb STARTTLS\r\n"), BYTES("a LOGIN {12}\r\nb REFUSED-STARTTLS\r\n")}},
        {"not as an argument", SAME(C, "a STARTTLSX\r\na NOOP STARTTLS\r\nSTARTTLS NOOP\r\n")},
        {"X1 a tag may be GET, later", SAME(C, "a NOOP\r\nGET / HTTP/1.1\r\n")},
        {"bad tags are the server's to refuse", SAME(C, "+ STARTTLS\r\n* STARTTLS\r\n\"\r\n\r\n")},
        {"bytes of any kind", SAME(C, "a \xff\x00\r\n")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct relay relay = {rows[i].name, STARTTLS_IMAP, .steps = &rows[i].step, .step_count = 1};

        relay_check(&relay);
    }
}

static void login_ends_the_filter(void **state)
{
    static const struct step login[] = {
        SAME(C, "a CAPABILITY\r\n"),
        {S, BYTES("* CAPABILITY A STARTTLS\r\na OK x\r\n"), BYTES("* CAPABILITY A\r\na OK x\r\n")},
        SAME(C, "b LOGIN x wrong\r\n"),
        SAME(S, "b NO wrong\r\n"),
        SAME(C, "c LOGIN x y\r\nd SELECT z\r\n"),
        {S, BYTES("c OK [CAPABILITY B STARTTLS] in\r\n* CAPABILITY STARTTLS\r\n"), BYTES("c OK [CAPABILITY B] in\r\n")},
    };
    static const struct step literals[] = {
        SAME(C, "a LOGIN {12}\r\n"),
        SAME(S, "+ go\r\n"),
        SAME(C, "b STARTTLS\r\n {12}\r\n"),
        SAME(S, "+\r\n"),
        SAME(C, "c STARTTLS\r\n d STARTTLS\r\n"),
        SAME(S, "* OK x\r\na OK in\r\n"),
    };
    static const struct step refused_literal[] = {
        SAME(C, "a LOGIN {999999}\r\n"),
        SAME(S, "a BAD too long\r\n"),
        {C, BYTES("b STARTTLS\r\n"), BYTES("b REFUSED-STARTTLS\r\n")},
    };
    static const struct step bad_tag[] = {
        SAME(C, "a NOOP\r\n+ X {12}\r\n"),
        SAME(S, "a OK x\r\n+ go\r\n"),
        SAME(C, "b STARTTLS\r\n\r\n"),
    };
    static const struct step authenticate[] = {
        SAME(C, "a AUTHENTICATE LOGIN\r\n"),
        SAME(S, "+ VXNlcg==\r\n"),
        SAME(C, "b STARTTLS\r\n"),
        SAME(S, "+ UGFzcw==\r\n"),
        SAME(C, "c STARTTLS\r\n"),
        SAME(S, "a NO wrong\r\n"),
        {C, BYTES("d STARTTLS\r\n"), BYTES("d REFUSED-STARTTLS\r\n")},
        SAME(S, "d BAD unknown\r\n"),
        SAME(C, "e authenticate PLAIN AGEAYg==\r\n"),
        SAME(S, "e ok in\r\n"),
    };
    static const struct step other_tags[] = {
        SAME(C, "a LOGIN x y\r\nb NOOP\r\n"),
        SAME(S, "b OK x\r\nA OK x\r\n* OK x\r\naa OK x\r\na NO x\r\na OK x\r\n"),
    };
    static const struct relay relays[] = {
        {"LOGIN", STARTTLS_IMAP, STEPS(login), .want = STARTTLS_READY, .want_left = 23},
        {"LOGIN with literals", STARTTLS_IMAP, STEPS(literals), .want = STARTTLS_READY},
        {"a refused literal", STARTTLS_IMAP, STEPS(refused_literal)},
        {"a literal of a command without a tag", STARTTLS_IMAP, STEPS(bad_tag)},
        {"AUTHENTICATE", STARTTLS_IMAP, STEPS(authenticate), .want = STARTTLS_READY},
        {"other tags", STARTTLS_IMAP, STEPS(other_tags)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
}

static void what_could_be_data_or_commands_ends_the_session(void **state)
{
    static const struct step literal[] = {SAME(C, "a LOGIN {3}\r\nb NOOP\r\n"), {S, BYTES("+ go\r\n"), BYTES("")}};
    static const struct step partial[] = {
        SAME(C, "a LOGIN {3}\r\n"), {C, BYTES("b"), BYTES("")}, {S, BYTES("+ go\r\n"), BYTES("")}};
    static const struct step auth[] = {SAME(C, "a AUTHENTICATE X\r\nb NOOP\r\n"), {S, BYTES("+\r\n"), BYTES("")}};
    static const struct step after_refusal[] = {SAME(C, "a LOGIN {3}\r\n"),
                                                {S, BYTES("a BAD no\r\n+ go\r\n"), BYTES("a BAD no\r\n")}};
    static const struct step unasked[] = {SAME(C, "a LOGIN x y\r\n"), {S, BYTES("+\r\n"), BYTES("")}};
    static const struct step preauth[] = {{S, BYTES("* PREAUTH [CAPABILITY STARTTLS] in\r\n"), BYTES("")}};
    static const struct step sizeless[] = {{C, BYTES("a LOGIN {}\r\n"), BYTES("")}};
    static const struct step server_sizeless[] = {{S, BYTES("* X {99999999999}\r\n"), BYTES("")}};
    static const struct step logins[] = {
        {C,
         BYTES("a LOGIN x y\r\nb LOGIN x y\r\nc LOGIN x y\r\nd LOGIN x y\r\ne LOGIN x y\r\nf LOGIN x y\r\n"
               "g LOGIN x y\r\nh LOGIN x y\r\ni LOGIN x y\r\n"),
         BYTES("a LOGIN x y\r\nb LOGIN x y\r\nc LOGIN x y\r\nd LOGIN x y\r\ne LOGIN x y\r\nf LOGIN x y\r\n"
               "g LOGIN x y\r\nh LOGIN x y\r\n")}};
    static const struct step http[] = {{C, BYTES("GET /a HTTP/1.1\r\n"), BYTES("")}};
    static const struct relay relays[] = {
        {"literal", STARTTLS_IMAP, STEPS(literal), .want = STARTTLS_BROKEN, .want_error = "nobody who waits"},
        {"a part of a line", STARTTLS_IMAP, STEPS(partial), .want = STARTTLS_BROKEN, .want_error = "nobody who waits"},
        {"AUTHENTICATE", STARTTLS_IMAP, STEPS(auth), .want = STARTTLS_BROKEN, .want_error = "nobody who waits"},
        {"after a refusal", STARTTLS_IMAP, STEPS(after_refusal), .want = STARTTLS_BROKEN,
         .want_error = "nobody who waits"},
        {"nobody asked", STARTTLS_IMAP, STEPS(unasked), .want = STARTTLS_BROKEN, .want_error = "nobody who waits"},
        {"PREAUTH", STARTTLS_IMAP, STEPS(preauth), .want = STARTTLS_BROKEN, .want_error = "PREAUTH"},
        {"client's literal without a size", STARTTLS_IMAP, STEPS(sizeless), .want = STARTTLS_BROKEN,
         .want_error = "literal"},
        {"server's literal without a size", STARTTLS_IMAP, STEPS(server_sizeless), .want = STARTTLS_BROKEN,
         .want_error = "literal"},
        {"too many logins", STARTTLS_IMAP, STEPS(logins), .want = STARTTLS_BROKEN, .want_error = "more than 8 logins"},
        {"X1 HTTP", STARTTLS_IMAP, STEPS(http), .want = STARTTLS_BROKEN, .want_error = "HTTP"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
}

static void lines_have_limits(void **state)
{
    static const struct {
        const char *name, *start;
        enum starttls_direction direction;
        size_t size; /* of the line, filled up with "x" and ended with CRLF */
        enum starttls_status want;
    } rows[] = {
        {"server", "* OK ", S, STARTTLS_IMAP_LINE_BYTES_MAX, STARTTLS_NEED_MORE},
        {"server, longer", "* OK ", S, STARTTLS_IMAP_LINE_BYTES_MAX + 1, STARTTLS_BROKEN},
        {"client", "a NOOP ", C, STARTTLS_IMAP_LINE_BYTES_MAX, STARTTLS_NEED_MORE},
        {"client, longer", "a NOOP ", C, STARTTLS_IMAP_LINE_BYTES_MAX + 1, STARTTLS_BROKEN},
        {"initial response", "a AUTHENTICATE GSSAPI ", C, 4 * STARTTLS_IMAP_LINE_BYTES_MAX, STARTTLS_NEED_MORE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *line = base_alloc(rows[i].size);
        bool passes = rows[i].want == STARTTLS_NEED_MORE;
        const struct step step = {rows[i].direction, span_of(line, rows[i].size),
                                  passes ? span_of(line, rows[i].size) : span_of("", 0)};
        const struct relay relay = {rows[i].name,    STARTTLS_IMAP,        .steps = &step,
                                    .step_count = 1, .want = rows[i].want, .want_error = passes ? NULL : "too long"};

        memset(line, 'x', rows[i].size);
        memcpy(line, rows[i].start, strlen(rows[i].start));
        memcpy(line + rows[i].size - 2, "\r\n", 2);
        relay_check(&relay);
        free(line);
    }
}

static void rest_gives_what_was_held_back(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("a LOGIN x y\r\nb SEL"), &consumed, &out),
                     STARTTLS_NEED_MORE);
    buffer_consume(&out, out.size);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("a OK in\r\n* CAP"), &consumed, &out), STARTTLS_READY);
    assert_int_equal(consumed, 9);
    buffer_consume(&out, out.size);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_true(span_equal(buffer_span(&out), span_of_string("b SEL")));
    buffer_consume(&out, out.size);
    assert_true(starttls_filter_rest(f, S, &out));
    assert_int_equal(out.size, 0);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("x"), &consumed, &out), STARTTLS_READY);
    assert_int_equal(consumed, 0);
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

static void rest_gives_nothing_of_a_broken_session(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, 64 * 1024);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("a STAR"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(starttls_filter_put(f, S, span_of_string("* PREAUTH x\r\n"), &consumed, &out), STARTTLS_BROKEN);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_true(starttls_filter_rest(f, S, &out));
    assert_int_equal(out.size, 0);
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_capabilities_offer_no_second_tls),
        cmocka_unit_test(client_starttls_reaches_no_server),
        cmocka_unit_test(login_ends_the_filter),
        cmocka_unit_test(what_could_be_data_or_commands_ends_the_session),
        cmocka_unit_test(lines_have_limits),
        cmocka_unit_test(rest_gives_what_was_held_back),
        cmocka_unit_test(rest_gives_nothing_of_a_broken_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
