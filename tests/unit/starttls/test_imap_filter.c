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
        {"ID",
         {C, BYTES("a ID NIL\r\nb id (\"x-originating-ip\" \"192.0.2.1\")\r\nc ID\n"),
          BYTES("a ID NIL\r\nb ID NIL\r\nc ID NIL\r\n")}},
        {"ID with a literal", {C, BYTES("a ID (\"x-originating-ip\" {9}\r\n"), BYTES("a REFUSED-ID\r\n")}},
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
    static const struct step http[] = {{C, BYTES("GET /a HTTP/1.1\r\n"), BYTES("")}};
    static const struct relay relays[] = {
        {"literal", STARTTLS_IMAP, STEPS(literal), .want = STARTTLS_BROKEN, .want_error = "for commands or for"},
        {"a part of a line", STARTTLS_IMAP, STEPS(partial), .want = STARTTLS_BROKEN,
         .want_error = "for commands or for"},
        {"AUTHENTICATE", STARTTLS_IMAP, STEPS(auth), .want = STARTTLS_BROKEN, .want_error = "for commands or for"},
        {"after a refusal", STARTTLS_IMAP, STEPS(after_refusal), .want = STARTTLS_BROKEN,
         .want_error = "for commands or for"},
        {"nobody asked", STARTTLS_IMAP, STEPS(unasked), .want = STARTTLS_BROKEN, .want_error = "for commands or for"},
        {"PREAUTH", STARTTLS_IMAP, STEPS(preauth), .want = STARTTLS_BROKEN, .want_error = "PREAUTH"},
        {"client's literal without a size", STARTTLS_IMAP, STEPS(sizeless), .want = STARTTLS_BROKEN,
         .want_error = "literal"},
        {"server's literal without a size", STARTTLS_IMAP, STEPS(server_sizeless), .want = STARTTLS_BROKEN,
         .want_error = "literal"},
        {"X1 HTTP", STARTTLS_IMAP, STEPS(http), .want = STARTTLS_BROKEN, .want_error = "HTTP"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(relays); i++)
        relay_check(&relays[i]);
}

/* `before`, as many "x" as make the line so long, and `after`. */
static uint8_t *filled(const char *before, char fill, const char *after, size_t size)
{
    size_t b = strlen(before), a = strlen(after);
    uint8_t *line = base_alloc(size);

    assert_true(size >= b + a);
    memset(line, fill, size);
    memcpy(line, before, b);
    memcpy(line + size - a, after, a);
    return line;
}

static void lines_have_limits(void **state)
{
    enum { LINE = STARTTLS_IMAP_LINE_BYTES_MAX };
    static const struct {
        const char *name, *start;
        char fill;
        const char *end;
        enum starttls_direction direction;
        size_t size;
        enum starttls_status want;
        const char *want_error;
    } rows[] = {
        {"server", "* OK ", 'x', "\r\n", S, LINE, STARTTLS_NEED_MORE, NULL},
        {"server, longer", "* OK ", 'x', "\r\n", S, LINE + 1, STARTTLS_NEED_MORE, NULL},
        {"server, much longer", "* 1 FETCH (X ", 'x', ")\n", S, 20 * LINE, STARTTLS_NEED_MORE, NULL},
        {"two words", "* ", 'x', "\r\n", S, 2 * LINE, STARTTLS_NEED_MORE, NULL},
        {"one word", "", 'x', "\r\n", S, 2 * LINE, STARTTLS_NEED_MORE, NULL},
        {"server, first words behind blanks", "* ", ' ', "OK x\r\n", S, 2 * LINE, STARTTLS_BROKEN, "too long"},
        {"capabilities that end", "* OK [CAPABILITY A] ", 'x', "\r\n", S, 2 * LINE, STARTTLS_NEED_MORE, NULL},
        {"capabilities", "* CAPABILITY A", 'x', "\r\n", S, LINE, STARTTLS_NEED_MORE, NULL},
        {"capabilities, longer", "* CAPABILITY A", 'x', "\r\n", S, LINE + 1, STARTTLS_BROKEN, "rewritten"},
        {"capability code, longer", "a OK [CAPABILITY A", 'x', "] hi\r\n", S, LINE + 6, STARTTLS_BROKEN, "rewritten"},
        {"PREAUTH", "* PREAUTH ", 'x', "\r\n", S, 2 * LINE, STARTTLS_BROKEN, "PREAUTH"},
        {"literal of no size", "* X ", '0', "}\r\n", S, 2 * LINE, STARTTLS_NEED_MORE, NULL},
        {"literal of a long size", "* X {", '1', "}\r\n", S, LINE, STARTTLS_BROKEN, "literal"},
        {"client", "a NOOP ", 'x', "\r\n", C, LINE, STARTTLS_NEED_MORE, NULL},
        {"client, longer", "a NOOP ", 'x', "\r\n", C, LINE + 1, STARTTLS_BROKEN, "too long"},
        {"initial response", "a AUTHENTICATE GSSAPI ", 'x', "\r\n", C, 4 * LINE, STARTTLS_NEED_MORE, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *bytes = filled(rows[i].start, rows[i].fill, rows[i].end, rows[i].size);
        struct span line = span_of(bytes, rows[i].size);
        bool passes = rows[i].want == STARTTLS_NEED_MORE;
        const struct step step = {rows[i].direction, line, passes ? line : span_of("", 0)};
        struct relay relay = {rows[i].name,    STARTTLS_IMAP,        .steps = &step,
                              .step_count = 1, .want = rows[i].want, .want_error = rows[i].want_error};

        if (strcmp(rows[i].name, "literal of no size") == 0) { /* too long to see where its number begins */
            relay.want = STARTTLS_BROKEN;
            relay.want_error = "literal";
        }
        relay_check(&relay);
        free(bytes);
    }
}

/* A long line is followed as a short one is: its literal is none of our business, what comes behind it is. */
static void long_lines_keep_their_meaning(void **state)
{
    static const struct {
        const char *name, *start, *end, *then, *want_then;
        enum starttls_status want;
    } rows[] = {
        {"literal", "* 1 FETCH (X ", " {17}\r\n", "* CAP STARTTLS \r\n)\r\n* CAPABILITY STARTTLS\r\n",
         "* CAP STARTTLS \r\n)\r\n* CAPABILITY\r\n", STARTTLS_NEED_MORE},
        {"no literal", "* 1 FETCH (X ", " {17})\r\n", "* CAPABILITY STARTTLS\r\n", "* CAPABILITY\r\n",
         STARTTLS_NEED_MORE},
        {"code", "* OK [CAPABILITY A STARTTLS B] ", "\r\n", "* CAPABILITY\tSTARTTLS x\n", "* CAPABILITY\t x\n",
         STARTTLS_NEED_MORE},
        {"continuation", "+ ", "\r\n", "* CAPABILITY STARTTLS\r\n", "* CAPABILITY\r\n", STARTTLS_NEED_MORE},
        {"login", "a OK ", "", "\r\n", "", STARTTLS_READY},
    };
    const size_t size = 2 * STARTTLS_IMAP_LINE_BYTES_MAX + 4321;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *bytes = filled(rows[i].start, 'x', rows[i].end, size);
        struct span line = span_of(bytes, size);
        struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP, STARTTLS_GREETED);
        struct buffer out;
        enum starttls_status status = STARTTLS_NEED_MORE;
        size_t consumed, taken = 0;

        buffer_init(&out, 8 * STARTTLS_IMAP_LINE_BYTES_MAX);
        assert_int_equal(starttls_filter_put(f, C, span_of_string("a AUTHENTICATE X\r\n"), &consumed, &out), status);
        buffer_consume(&out, out.size);
        while (taken < size && status == STARTTLS_NEED_MORE) {
            size_t piece = size - taken < 100 ? size - taken : 100;

            status = starttls_filter_put(f, S, span_of(line.data + taken, piece), &consumed, &out);
            taken += consumed;
        }
        if (strcmp(rows[i].name, "code") == 0) {
            assert_int_equal(out.size, size - strlen(" STARTTLS"));
            assert_memory_equal(buffer_span(&out).data, "* OK [CAPABILITY A B] xxx", 25);
        } else {
            assert_true(span_equal(buffer_span(&out), span_of(line.data, taken)));
        }
        assert_int_equal(status, rows[i].want);
        buffer_consume(&out, out.size);
        assert_int_equal(starttls_filter_put(f, S, span_of_string(rows[i].then), &consumed, &out), rows[i].want);
        assert_true(span_equal(buffer_span(&out), span_of_string(rows[i].want_then)));
        buffer_release(&out);
        starttls_filter_destroy(&f);
        free(bytes);
    }
}

/* Whatever stands between the words, taking STARTTLS out of them adds not a byte; the longest line fits as the
 * shortest. */
static void server_lines_do_not_grow(void **state)
{
    static const char *const separators[] = {"\t", " ", "  ", "\t ", "\x01", "\t\t"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(separators); i++) {
        for (unsigned is_code = 0; is_code < 2; is_code++) {
            char *line = base_alloc(STARTTLS_IMAP_LINE_BYTES_MAX + 64), *want;
            const char *start = is_code ? "* OK [CAPABILITY" : "* CAPABILITY";
            const char *end = is_code ? "] hi\r\n" : "\r\n";

            strcpy(line, start);
            strcat(line, " STARTTLS");
            while (strlen(line) + strlen(separators[i]) + 1 + strlen(end) <= STARTTLS_IMAP_LINE_BYTES_MAX) {
                strcat(line, separators[i]);
                strcat(line, "a");
            }
            strcat(line, end);
            want = base_printf("%s%s", start, line + strlen(start) + strlen(" STARTTLS"));
            {
                const struct step step = {S, span_of_string(line), span_of_string(want)};
                const struct relay relay = {separators[i], STARTTLS_IMAP, .steps = &step, .step_count = 1};

                relay_check(&relay);
            }
            free(line);
            free(want);
        }
    }
}

/* The longest line with STARTTLS grows by as much as is declared, and there is just that room. */
static void client_lines_grow_as_declared(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP, STARTTLS_GREETED);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
    assert_int_equal(starttls_filter_put(f, C, span_of_string("a STARTTLS\n"), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(consumed, strlen("a STARTTLS\n"));
    assert_true(span_equal(buffer_span(&out), span_of_string("a REFUSED-STARTTLS\r\n")));
    assert_int_equal(out.size, consumed + STARTTLS_CLIENT_LINE_GROWTH_MAX);
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

/* More logins than are remembered wait with the caller for an answer, and are no error. */
static void logins_without_an_answer_wait(void **state)
{
    enum { ROUNDS = 100 };
    struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP, STARTTLS_GREETED);
    struct buffer out, said;
    size_t consumed;
    unsigned answered = 0;

    (void)state;
    buffer_init(&out, 64 * 1024);
    buffer_init(&said, ROUNDS * 32);
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_true(buffer_printf(&said, "a%u LOGIN x {1+}\r\ny\r\n", i));
    while (said.size != 0) {
        char *answer = base_printf("a%u NO\r\n", answered++);

        assert_int_equal(starttls_filter_put(f, C, buffer_span(&said), &consumed, &out), STARTTLS_NEED_MORE);
        buffer_consume(&said, consumed);
        assert_true(said.size == 0 || answered + STARTTLS_IMAP_LOGINS_PENDING_MAX <= ROUNDS);
        buffer_consume(&out, out.size);
        assert_int_equal(starttls_filter_put(f, C, buffer_span(&said), &consumed, &out), STARTTLS_NEED_MORE);
        assert_int_equal(consumed, 0); /* not before an answer */
        assert_int_equal(starttls_filter_put(f, S, span_of_string(answer), &consumed, &out), STARTTLS_NEED_MORE);
        buffer_consume(&out, out.size);
        free(answer);
    }
    assert_int_equal(answered, ROUNDS - STARTTLS_IMAP_LOGINS_PENDING_MAX + 1);
    buffer_release(&out);
    buffer_release(&said);
    starttls_filter_destroy(&f);
}

static void rest_gives_what_was_held_back(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP, STARTTLS_GREETED);
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
    struct starttls_filter *f = starttls_filter_create(STARTTLS_IMAP, STARTTLS_GREETED);
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

/* What is a literal to us and commands to the server would pass unseen. */
static void literals_that_nobody_asked_for_are_of_a_login(void **state)
{
    static const char *const bad[] = {
        "a NOOP {30+}\r\nb STARTTLS\r\n",      "a ID (\"x\" {30+}\r\nb STARTTLS\r\n",
        "a LOGIN ) {30+}\r\nb STARTTLS\r\n",   "a LOGIN x y {30+}\r\nb STARTTLS\r\n",
        " a LOGIN {30+}\r\nb STARTTLS\r\n",    "a  LOGIN {30+}\r\nb STARTTLS\r\n",
        "a LOGIN  {30+}\r\nb STARTTLS\r\n",    "a LOGIN {1}{30+}\r\nb STARTTLS\r\n",
        "a LOGIN \"x {30+}\r\nb STARTTLS\r\n", "a LOGIN \"x\\y\" {30+}\r\nb STARTTLS\r\n",
        "a LOGIN x{30+}\r\nb STARTTLS\r\n",    "a LOGIN {30+}\n\r\nb STARTTLS\r\n",
        "( LOGIN {30+}\r\nb STARTTLS\r\n",     "a AUTHENTICATE PLAIN {30+}\r\nb STARTTLS\r\n",
        "a LOGIN\t{30+}\r\nb STARTTLS\r\n",    "a XLOGIN {30+}\r\nb STARTTLS\r\n",
    };
    static const char *const good[] = {
        "a LOGIN {1+}\r\nx {1+}\r\ny\r\n",
        "a login \"x \\\\ \\\" y\" {1+}\r\ny\r\n",
        "a LOGIN x@example.org {1+}\r\ny\r\n",
        "a LOGIN {1+}\r\nx \"y\"\r\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct step step = {C, span_of_string(bad[i]), BYTES("")};
        const struct relay relay = {bad[i],          STARTTLS_IMAP,           .steps = &step,
                                    .step_count = 1, .want = STARTTLS_BROKEN, .want_error = "nobody asked for"};

        relay_check(&relay);
    }
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        const struct step step = {C, span_of_string(good[i]), span_of_string(good[i])};
        const struct relay relay = {good[i], STARTTLS_IMAP, .steps = &step, .step_count = 1};

        relay_check(&relay);
    }
}

static void a_third_literal_is_none_of_a_login(void **state)
{
    static const struct step step = {C, BYTES("a LOGIN {1+}\r\nx {1+}\r\ny {20+}\r\nb STARTTLS\r\n"),
                                     BYTES("a LOGIN {1+}\r\nx {1+}\r\ny")};
    static const struct relay relay = {"third",         STARTTLS_IMAP,           .steps = &step,
                                       .step_count = 1, .want = STARTTLS_BROKEN, .want_error = "nobody asked for"};

    (void)state;
    relay_check(&relay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_that_nobody_asked_for_are_of_a_login),
        cmocka_unit_test(a_third_literal_is_none_of_a_login),
        cmocka_unit_test(server_capabilities_offer_no_second_tls),
        cmocka_unit_test(client_starttls_reaches_no_server),
        cmocka_unit_test(login_ends_the_filter),
        cmocka_unit_test(what_could_be_data_or_commands_ends_the_session),
        cmocka_unit_test(lines_have_limits),
        cmocka_unit_test(long_lines_keep_their_meaning),
        cmocka_unit_test(server_lines_do_not_grow),
        cmocka_unit_test(client_lines_grow_as_declared),
        cmocka_unit_test(logins_without_an_answer_wait),
        cmocka_unit_test(rest_gives_what_was_held_back),
        cmocka_unit_test(rest_gives_nothing_of_a_broken_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
