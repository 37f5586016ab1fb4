#include "config/values.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* Take the sentence, which must be there or not, and compare. */
static void expect_error(char *error, const char *want)
{
    if (want == NULL) {
        assert_null(error);
        return;
    }
    assert_non_null(error);
    assert_string_equal(error, want);
    free(error);
}

static void number_takes_digits_within_range(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
        const char *error;
    } cases[] = {
        {"1", 1, NULL},
        {"256", 256, NULL},
        {"007", 7, NULL},
        {"0", 0, "must be a number from 1 to 256, not \"0\""},
        {"257", 0, "must be a number from 1 to 256, not \"257\""},
        {"", 0, "must be a number from 1 to 256, not \"\""},
        {"-1", 0, "must be a number from 1 to 256, not \"-1\""},
        {"+1", 0, "must be a number from 1 to 256, not \"+1\""},
        {"0x10", 0, "must be a number from 1 to 256, not \"0x10\""},
        {"1.5", 0, "must be a number from 1 to 256, not \"1.5\""},
        {"18446744073709551617", 0, "must be a number from 1 to 256, not \"18446744073709551617\""},
        {"99999999999999999999999999", 0, "must be a number from 1 to 256, not \"99999999999999999999999999\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t got = 0;
        char *error = NULL;

        assert_int_equal(value_number(cases[i].text, 1, 256, &got, &error), cases[i].error == NULL);
        expect_error(error, cases[i].error);
        if (cases[i].error == NULL)
            assert_int_equal(got, cases[i].want);
    }
}

static void duration_takes_units_within_range(void **state)
{
    static const struct {
        const char *text;
        uint64_t want_ms;
        const char *error;
    } cases[] = {
        {"500ms", 500, NULL},
        {"30s", 30000, NULL},
        {"30", 30000, NULL},
        {"5m", 300000, NULL},
        {"1h", 3600000, NULL},
        {"3600", 3600000, NULL},
        {"9ms", 0, "must be from 10ms to 1h, not \"9ms\""},
        {"0", 0, "must be from 10ms to 1h, not \"0\""},
        {"2h", 0, "must be from 10ms to 1h, not \"2h\""},
        {"3601", 0, "must be from 10ms to 1h, not \"3601\""},
        {"18446744073709551615h", 0, "must be from 10ms to 1h, not \"18446744073709551615h\""},
        {"5124095576030432h", 0, "must be from 10ms to 1h, not \"5124095576030432h\""}, /* 2^64 ms and a bit */
        {"", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"\""},
        {"s", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"s\""},
        {"30 s", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"30 s\""},
        {"30S", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"30S\""},
        {"1w", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"1w\""},
        {"1h30m", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"1h30m\""},
        {"-1s", 0, "must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"-1s\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t got = 0;
        char *error = NULL;

        assert_int_equal(value_duration(cases[i].text, 10, 3600000, &got, &error), cases[i].error == NULL);
        expect_error(error, cases[i].error);
        if (cases[i].error == NULL)
            assert_int_equal(got, cases[i].want_ms);
    }
}

static void size_takes_units_within_range(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
        const char *error;
    } cases[] = {
        {"8192", 8192, NULL},
        {"8K", 8192, NULL},
        {"1M", 1024 * 1024, NULL},
        {"1048576", 1024 * 1024, NULL},
        {"8191", 0, "must be from 8K to 1M, not \"8191\""},
        {"7K", 0, "must be from 8K to 1M, not \"7K\""},
        {"2M", 0, "must be from 8K to 1M, not \"2M\""},
        {"99999999999999999999999999K", 0, "must be from 8K to 1M, not \"99999999999999999999999999K\""},
        {"64k", 0, "must be a size such as 8192, 64K or 1M, not \"64k\""},
        {"64 K", 0, "must be a size such as 8192, 64K or 1M, not \"64 K\""},
        {"K", 0, "must be a size such as 8192, 64K or 1M, not \"K\""},
        {"-1K", 0, "must be a size such as 8192, 64K or 1M, not \"-1K\""},
        {"", 0, "must be a size such as 8192, 64K or 1M, not \"\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *error = NULL;
        uint64_t got;

        assert_int_equal(value_size(cases[i].text, 8192, 1024 * 1024, &got, &error), cases[i].error == NULL);
        expect_error(error, cases[i].error);
        if (cases[i].error == NULL)
            assert_int_equal(got, cases[i].want);
    }
}

static const struct value_word words[] = {
    {"red", 3, VALUE_WORD_READY}, {"blue", 0, VALUE_WORD_NOT_YET}, {"green", 5, VALUE_WORD_READY}, {.name = NULL}};

static void word_takes_what_is_ready(void **state)
{
    unsigned got = 0;
    char *error = NULL;

    (void)state;
    assert_true(value_word("green", words, &got, &error));
    assert_int_equal(got, 5);
    assert_false(value_word("blue", words, &got, &error));
    expect_error(error, "blue is not in this version, which has red, green");
    error = NULL;
    assert_false(value_word("Red", words, &got, &error));
    expect_error(error, "must be one of red, green, not \"Red\"");
}

#define HEX_64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void sha256_takes_digits_and_colons(void **state)
{
    static const char *const bad[] = {"",
                                      ":",
                                      "00",
                                      HEX_64 "0",
                                      HEX_64 "00",
                                      HEX_64 ":",
                                      ":" HEX_64,
                                      "0" HEX_64,
                                      "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                                      "00::112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                                      "0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
                                      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef "};
    char *hex, *error = NULL;

    (void)state;
    assert_true(value_sha256(HEX_64, &hex, &error));
    assert_string_equal(hex, HEX_64);
    free(hex);
    assert_true(value_sha256("00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
                             "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
                             &hex, &error));
    assert_string_equal(hex, HEX_64);
    free(hex);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(value_sha256(bad[i], &hex, &error));
        expect_error(error, "must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons");
        error = NULL;
    }
}

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void host_name_takes_names_only(void **state)
{
    static const struct {
        const char *text, *want;
    } good[] = {
        {"localhost", "localhost"},
        {"Mail.Example.ORG", "mail.example.org"},
        {"mail.example.org.", "mail.example.org"},
        {"_dmarc.example.org", "_dmarc.example.org"},
        {"3com.com", "3com.com"},
        {"127.example", "127.example"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {LABEL_63 ".org", LABEL_63 ".org"},
    };
    /* Among them everything inet_aton() takes for an address. */
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "a..b",
                                      ".a",
                                      "-a.org",
                                      "a-.org",
                                      "a b",
                                      "a/b",
                                      "127.1",
                                      "0x7f.1",
                                      "2130706433",
                                      "0x7f000001",
                                      "1.2.3.256",
                                      "host.1",
                                      "host.0xa",
                                      "*.org",
                                      "b\xc3\xbc",
                                      LABEL_63 "l.org",
                                      "[::1]",
                                      "a:b",
                                      LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char *name, *error = NULL;

        assert_true(value_host_name(good[i].text, &name, &error));
        assert_string_equal(name, good[i].want);
        free(name);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *name = NULL, *error = NULL;

        if (value_host_name(bad[i], &name, &error))
            fail_msg("took %s", bad[i]);
        assert_non_null(error);
        free(error);
    }
}

static void address_literal_is_canonical(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"::1", "::1"},
        {"0:0::0:1", "::1"},
        {"2001:DB8::A", "2001:db8::a"},
        {"127.1", NULL},
        {"1.2.3.256", NULL},
        {"", NULL},
        {"fe80::1%lo", NULL},
        {"01.2.3.4", NULL},
        {"1.2.3.4 ", NULL},
        {"[::1]", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *canonical = NULL;

        assert_int_equal(value_address_literal(cases[i].text, &canonical), cases[i].want != NULL);
        if (cases[i].want != NULL)
            assert_string_equal(canonical, cases[i].want);
        free(canonical);
    }
}

static void list_next_splits_at_commas(void **state)
{
    static const struct {
        const char *text;
        const char *want[4];
    } cases[] = {
        {"a", {"a"}},
        {"a,b", {"a", "b"}},
        {"  a b ,\tc ", {"a b", "c"}},
        {"a,,b", {"a", "", "b"}},
        {"a,", {"a", ""}},
        {"", {""}},
        {"dn:O=Example\\, Inc,x\\y", {"dn:O=Example, Inc", "x\\y"}},
        {"a\\", {"a\\"}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *cursor = cases[i].text;
        size_t at = 0;
        char *item;

        while (value_list_next(&cursor, &item)) {
            assert_non_null(cases[i].want[at]);
            assert_string_equal(item, cases[i].want[at++]);
            free(item);
        }
        assert_null(cases[i].want[at]);
    }
}

static void nearest_is_near(void **state)
{
    static const char *const names[] = {"listen", "listen_tls", "connect", "connect_tls",
                                        "pin",    "send_proxy", "ev",      "path"};
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"lisen", "listen"},
        {"listen-tls", "listen_tls"},
        {"Connect", "connect"},
        {"conect_tls", "connect_tls"},
        {"pn", "pin"},
        {"", NULL},
        {"x", NULL},
        {"certificate", NULL},
        {"connecttls", "connect_tls"},
        {"accept_proxy", NULL}, /* five letters of it are others: another thing */
        {"recv_proxy", "send_proxy"},
        {"identity", NULL},
        {"server_name", NULL},
        {"ip", NULL},
        {"paht", "path"},
        {"pxxx", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = value_nearest(cases[i].text, names, ARRAY_LEN(names));

        if (cases[i].want == NULL)
            assert_null(got);
        else
            assert_string_equal(got == NULL ? "(none)" : got, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_takes_digits_within_range), cmocka_unit_test(duration_takes_units_within_range),
        cmocka_unit_test(word_takes_what_is_ready),         cmocka_unit_test(sha256_takes_digits_and_colons),
        cmocka_unit_test(host_name_takes_names_only),       cmocka_unit_test(address_literal_is_canonical),
        cmocka_unit_test(list_next_splits_at_commas),       cmocka_unit_test(nearest_is_near),
        cmocka_unit_test(size_takes_units_within_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
