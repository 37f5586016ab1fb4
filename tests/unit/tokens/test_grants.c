/* What a worker may ask an agent for: the text, and what comes of it. */
#include "tokens/grants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

static void worker_may_ask_for_what_its_generation_names(void **state)
{
    static const struct {
        pid_t pid;
        enum tokens_wire_type type;
        const char *uri;
        bool want;
    } table[] = {
        {101, TOKENS_WIRE_FIND, "pkcs11:token=a", true},
        {101, TOKENS_WIRE_SIGN, "pkcs11:token=a", true},
        {101, TOKENS_WIRE_SIGN, "pkcs11:token=b c", false /* another generation's */},
        {102, TOKENS_WIRE_SIGN, "pkcs11:token=b c", true},
        {102, TOKENS_WIRE_SIGN, "pkcs11:token=a", false},
        {102, TOKENS_WIRE_SIGN, "pkcs11:token=b", false /* begins alike */},
        {102, TOKENS_WIRE_SIGN, "pkcs11:token=b c d", false},
        {102, TOKENS_WIRE_SIGN, "", false},
        {101, TOKENS_WIRE_LIST, "pkcs11:token=roots", true},
        {101, TOKENS_WIRE_SIGN, "pkcs11:token=roots", false /* to be listed, not to sign with */},
        {101, TOKENS_WIRE_LIST, "pkcs11:token=a", false},
        {103, TOKENS_WIRE_SIGN, "pkcs11:token=a", false /* nobody's worker */},
        {1, TOKENS_WIRE_SIGN, "pkcs11:token=a", false},
        {-101, TOKENS_WIRE_SIGN, "pkcs11:token=a", false},
    };
    struct tokens_grants *grants;
    struct buffer text;

    (void)state;
    buffer_init(&text, 4096);
    assert_true(tokens_grants_write_worker(&text, 101, 7));
    assert_true(tokens_grants_write_uri(&text, TOKENS_GRANT_SIGN, 7, "pkcs11:token=a"));
    assert_true(tokens_grants_write_uri(&text, TOKENS_GRANT_LIST, 7, "pkcs11:token=roots"));
    assert_true(tokens_grants_write_worker(&text, 102, 4294967295u));
    assert_true(tokens_grants_write_uri(&text, TOKENS_GRANT_SIGN, 4294967295u, "pkcs11:token=b c"));
    grants = tokens_grants_parse(buffer_span(&text));
    assert_non_null(grants);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (tokens_grants_allow(grants, table[i].pid, table[i].type, span_of_string(table[i].uri)) != table[i].want)
            fail_msg("process %d, request %d, %s", (int)table[i].pid, (int)table[i].type, table[i].uri);
        assert_false(tokens_grants_allow(NULL, table[i].pid, table[i].type, span_of_string(table[i].uri)));
    }
    tokens_grants_destroy(&grants);
    assert_null(grants);
    tokens_grants_destroy(&grants);
    buffer_release(&text);
}

static void text_that_is_not_understood_grants_nothing(void **state)
{
    static const char *const bad[] = {
        "worker",
        "worker 1",
        "worker 1 2",
        "worker 1 2\nsign",
        "worker x 2\n",
        "worker 1 2 3\n",
        "worker -1 2\n",
        "sign 1\n",
        "sign 1 \n",
        "sign 1 pkcs11:a",
        "keys 1 a\n",
        "\n",
        " worker 1 2\n",
        "worker 1  2\n",
        "worker 99999999999 1\n",
        "sign 99999999999 pkcs11:a\n",
    };
    struct tokens_grants *empty = tokens_grants_parse(span_of("", 0));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (tokens_grants_parse(span_of_string(bad[i])) != NULL)
            fail_msg("\"%s\" was understood", bad[i]);
    assert_null(tokens_grants_parse(span_of("worker 1 2\n\0worker 3 4\n", 23)));
    assert_non_null(empty);
    assert_false(tokens_grants_allow(empty, 1, TOKENS_WIRE_SIGN, span_of_string("pkcs11:a")));
    tokens_grants_destroy(&empty);
}

static void text_without_room_is_refused(void **state)
{
    struct buffer text;

    (void)state;
    buffer_init(&text, 16);
    assert_true(tokens_grants_write_worker(&text, 1, 2));
    assert_false(tokens_grants_write_uri(&text, TOKENS_GRANT_SIGN, 1, "pkcs11:token=too long for it"));
    buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worker_may_ask_for_what_its_generation_names),
        cmocka_unit_test(text_that_is_not_understood_grants_nothing),
        cmocka_unit_test(text_without_room_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
