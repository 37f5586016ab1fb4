#include "conversation.h"

#include <setjmp.h>
#include <cmocka.h>

#define SMTP_PROBE .protocol = STARTTLS_SMTP, .side = PROBED
#define IMAP_PROBE .protocol = STARTTLS_IMAP, .side = PROBED

static void smtp_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"greeted, asked, left", SMTP_PROBE, .upgrade = PLAIN,
         .input = BYTES("220-a\r\n220 b\r\n250-a\r\n250-SIZE 100\r\n250 8BITMIME\r\n221 bye\r\n"),
         .want = STARTTLS_READY, .want_output = "EHLO proxy.test\r\nQUIT\r\n"},
        {"after STARTTLS nobody greets", SMTP_PROBE, .upgrade = UPGRADE, .input = BYTES("250 a\r\n221 bye\r\n"),
         .want = STARTTLS_READY, .want_output = "EHLO proxy.test\r\nQUIT\r\n"},
        {"LMTP says LHLO", .protocol = STARTTLS_LMTP, .side = PROBED, .upgrade = PLAIN,
         .input = BYTES("220 a\r\n250 a\r\n221 bye\r\n"), .want = STARTTLS_READY,
         .want_output = "LHLO proxy.test\r\nQUIT\r\n"},
        {"nothing is read behind the goodbye", SMTP_PROBE, .upgrade = UPGRADE,
         .input = BYTES("250 a\r\n421 bye\r\nmore"), .want = STARTTLS_READY,
         .want_output = "EHLO proxy.test\r\nQUIT\r\n", .want_left = 4},
        {"it does not serve", SMTP_PROBE, .upgrade = PLAIN, .input = BYTES("554 no\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "does not want to serve"},
        {"it refuses EHLO", SMTP_PROBE, .upgrade = PLAIN, .input = BYTES("220 a\r\n502 what\r\n"),
         .want = STARTTLS_REFUSED, .want_output = "EHLO proxy.test\r\n", .want_error = "refuses our EHLO"},
        {"no reply", SMTP_PROBE, .upgrade = PLAIN, .input = BYTES("SSH-2.0\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "", .want_error = "not a reply"},
        {"two codes in one reply", SMTP_PROBE, .upgrade = UPGRADE, .input = BYTES("250-a\r\n251 b\r\n"),
         .want = STARTTLS_BROKEN, .want_output = "EHLO proxy.test\r\n", .want_error = "not a reply"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

static void imap_asks_and_leaves(void **state)
{
    static const struct conversation rows[] = {
        {"greeted, asked, left", IMAP_PROBE, .upgrade = PLAIN,
         .input = BYTES("* OK hello\r\n* CAPABILITY IMAP4rev1 IDLE\r\nP1 OK done\r\n* BYE\r\nP2 OK\r\n"),
         .want = STARTTLS_READY, .want_output = "P1 CAPABILITY\r\nP2 LOGOUT\r\n"},
        {"after STARTTLS nobody greets", IMAP_PROBE, .upgrade = UPGRADE,
         .input = BYTES("* CAPABILITY IMAP4rev1\r\nP1 OK\r\nP2 OK\r\n"), .want = STARTTLS_READY,
         .want_output = "P1 CAPABILITY\r\nP2 LOGOUT\r\n"},
        {"PREAUTH", IMAP_PROBE, .upgrade = PLAIN, .input = BYTES("* PREAUTH x\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "PREAUTH"},
        {"BYE", IMAP_PROBE, .upgrade = PLAIN, .input = BYTES("* BYE full\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "", .want_error = "does not want to serve"},
        {"it refuses", IMAP_PROBE, .upgrade = UPGRADE, .input = BYTES("P1 BAD what\r\n"), .want = STARTTLS_REFUSED,
         .want_output = "P1 CAPABILITY\r\n", .want_error = "refuses CAPABILITY"},
        {"somebody else's tag", IMAP_PROBE, .upgrade = UPGRADE, .input = BYTES("P2 OK\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "P1 CAPABILITY\r\n", .want_error = "did not ask"},
        {"a literal", IMAP_PROBE, .upgrade = UPGRADE, .input = BYTES("* X {3}\r\n"), .want = STARTTLS_BROKEN,
         .want_output = "P1 CAPABILITY\r\n", .want_error = "literal"},
    };

    (void)state;
    conversation_check_table(rows, ARRAY_LEN(rows));
}

/* What the server can do is kept for a person to read, cut at a word. */
static void capabilities_are_kept_within_bounds(void **state)
{
    const struct starttls_options options = {.name = "proxy.test", .upgrade = true};
    struct starttls_machine *m = starttls_probe_create(STARTTLS_SMTP, &options);
    struct span kept, first = span_of_string("250-server\r\n250-SIZE 100\r\n250-AUTH PLAIN\r\n");
    size_t consumed;

    (void)state;
    assert_int_equal(starttls_put(m, first, &consumed), STARTTLS_NEED_MORE);
    kept = starttls_capabilities(m);
    assert_true(span_equal(kept, span_of_string("SIZE AUTH")));
    for (int i = 0; i < 90; i++) {
        struct span line = span_of_string("250-XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\r\n");

        assert_int_equal(starttls_put(m, line, &consumed), STARTTLS_NEED_MORE);
    }
    kept = starttls_capabilities(m);
    assert_in_range(kept.size, 400, 512);
    assert_int_equal(kept.data[kept.size - 1], 'X');
    starttls_machine_destroy(&m);
    assert_null(starttls_probe_create(STARTTLS_TCP, &options));
    assert_null(starttls_probe_create(STARTTLS_HTTP_CONNECT, &options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smtp_asks_and_leaves),
        cmocka_unit_test(imap_asks_and_leaves),
        cmocka_unit_test(capabilities_are_kept_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
