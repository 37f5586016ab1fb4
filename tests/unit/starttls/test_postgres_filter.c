#include "relay.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <cmocka.h>

#define C STARTTLS_FROM_CLIENT
#define S STARTTLS_FROM_SERVER
#define SAME(direction, literal)                                                                                       \
    {                                                                                                                  \
        direction, BYTES(literal), BYTES(literal)                                                                      \
    }
#define PG     .protocol = STARTTLS_POSTGRES
#define CANCEL "\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x34key!"

#define STARTUP "\0\0\0\x11\0\3\0\0user\0me\0\0"

static void a_session_passes_from_its_login_on(void **state)
{
    static const struct step trust[] = {SAME(C, STARTUP),
                                        {S, BYTES("R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"), BYTES("R\0\0\0\x08\0\0\0\0")}};
    static const struct step refused[] = {SAME(C, STARTUP), {S, BYTES("E\0\0\0\x0cMnobody\0\0"), BYTES("E\0\0\0\x0c")}};
    static const struct step notices[] = {
        SAME(C, STARTUP), SAME(S, "N\0\0\0\x08Mx\0\0v\0\0\0\x0c\0\3\0\0\0\0\0\0N\0\0\0\4R\0\0\0\x08\0\0\0\3")};
    static const struct step empty[] = {SAME(C, STARTUP), SAME(S, "R\0\0\0\4")};
    static const struct step before[] = {SAME(S, "E\0\0\0\x0cMnobody\0\0"),
                                         {C, BYTES(STARTUP), BYTES("\0\0\0\x11\0\3\0\0")}};
    static const struct relay rows[] = {
        {"no password", PG, STEPS(trust), .want = STARTTLS_READY, .want_left = 6},
        {"an error", PG, STEPS(refused), .want = STARTTLS_READY, .want_left = 9},
        {"notices come first", PG, STEPS(notices), .want = STARTTLS_READY},
        {"a request of nothing", PG, STEPS(empty), .want = STARTTLS_READY},
        {"a server that does not wait", PG, STEPS(before), .want = STARTTLS_READY, .want_left = 9},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

/* What libpq refuses of a server that it has no TLS with, and what cannot be true of one it has. */
static void no_login_binds_to_a_certificate_that_is_not_the_server_s(void **state)
{
    static const struct step both[] = {SAME(C, STARTUP),
                                       {S, BYTES("R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
                                        BYTES("R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0")}};
    static const struct step one[] = {SAME(C, STARTUP), SAME(S, "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0")};
    static const struct step only[] = {SAME(C, STARTUP),
                                       {S, BYTES("R\0\0\0\x0f\0\0\0\x0aX-PLUS\0"), BYTES("R\0\0\0\x08\0\0\0\x0a")}};
    static const struct step cut[] = {SAME(C, STARTUP), SAME(S, "R\0\0\0\x0d\0\0\0\x0a-PLUS")};
    static const struct step large[] = {SAME(C, STARTUP), {S, BYTES("R\0\0\x08\0"), BYTES("")}};
    static const struct step small[] = {SAME(C, STARTUP), {S, BYTES("R\0\0\0\3"), BYTES("")}};
    static const struct relay rows[] = {
        {"left out", PG, STEPS(both), .want = STARTTLS_READY},
        {"others stay", PG, STEPS(one), .want = STARTTLS_READY},
        {"no other", PG, STEPS(only), .want = STARTTLS_READY},
        {"no name", PG, STEPS(cut), .want = STARTTLS_READY},
        {"more than fits", PG, STEPS(large), .want = STARTTLS_BROKEN, .want_error = "more than 2048"},
        {"less than a length", PG, STEPS(small), .want = STARTTLS_BROKEN, .want_error = "no size"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

/* I6, and what a client may hide behind a CancelRequest in clear. */
static void nothing_asks_for_encryption_or_follows_a_cancel(void **state)
{
    static const struct step ssl[] = {{C, BYTES("\0\0\0\x08\x04\xd2\x16\x2f"), BYTES("")}};
    static const struct step gss[] = {{C, BYTES("\0\0\0\x08\x04\xd2\x16\x30"), BYTES("")}};
    static const struct step other[] = {{C, BYTES("GET / HT"), BYTES("")}};
    static const struct step cancel[] = {SAME(C, CANCEL), SAME(S, "E\0\0\0\4")};
    static const struct step more[] = {{C, BYTES(CANCEL "\0\0\0\x11\0\3\0\0"), BYTES(CANCEL)}};
    static const struct step later[] = {SAME(C, CANCEL), {C, BYTES("Q"), BYTES("")}};
    static const struct step longer[] = {SAME(C, "\0\0\0\x14\x04\xd2\x16\x2e\0\0\0\1longkey!")};
    static const struct relay rows[] = {
        {"SSLRequest", PG, STEPS(ssl), .want = STARTTLS_BROKEN, .want_error = "encryption inside TLS"},
        {"GSSENCRequest", PG, STEPS(gss), .want = STARTTLS_BROKEN, .want_error = "encryption inside TLS"},
        {"HTTP", PG, STEPS(other), .want = STARTTLS_BROKEN, .want_error = "does not open"},
        {"a cancel", PG, STEPS(cancel)},
        {"a session behind it", PG, STEPS(more), .want = STARTTLS_BROKEN, .want_error = "behind its CancelRequest"},
        {"and later", PG, STEPS(later), .want = STARTTLS_BROKEN, .want_error = "behind its CancelRequest"},
        {"one with a longer key", PG, STEPS(longer)},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        relay_check(&rows[i]);
}

/* What is held back goes out at the end. */
static void halves_are_kept(void **state)
{
    struct starttls_filter *f = starttls_filter_create(STARTTLS_POSTGRES, STARTTLS_GREETED);
    struct buffer out;
    size_t consumed;

    (void)state;
    buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
    assert_int_equal(starttls_filter_put(f, C, span_of("\0\0\0", 3), &consumed, &out), STARTTLS_NEED_MORE);
    assert_int_equal(out.size, 0);
    assert_true(starttls_filter_rest(f, C, &out));
    assert_true(span_equal(buffer_span(&out), span_of("\0\0\0", 3)));
    buffer_release(&out);
    starttls_filter_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_passes_from_its_login_on),
        cmocka_unit_test(no_login_binds_to_a_certificate_that_is_not_the_server_s),
        cmocka_unit_test(nothing_asks_for_encryption_or_follows_a_cancel),
        cmocka_unit_test(halves_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
