/* see base/pem.h. What is in files, and what is said of it, is in tests/unit/tls/test_pem.c and tests/unit/pkix. */
#include "base/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void next_finds_blocks_and_what_is_wrong_with_them(void **state)
{
    static const struct {
        const char *text;
        enum base_pem_status want[4];
        const char *label; /* of the first */
        const char *body;
    } table[] = {
        {"", {BASE_PEM_END}, "", ""},
        {"text\n-----END A-----\n", {BASE_PEM_END}, "", ""},
        {"-----BEGIN A-----\nAQID\n-----END A-----", {BASE_PEM_BLOCK, BASE_PEM_END}, "A", "AQID\n"},
        {"x\r\n-----BEGIN A B----- \t\r\nAQ\r\n\r\nID\r\n-----END A B-----\r\n",
         {BASE_PEM_BLOCK, BASE_PEM_END},
         "A B",
         "AQ\r\n\r\nID\r\n"},
        {"-----BEGIN A-----\n-----END A-----\n-----BEGIN B-----\nAQID\n-----END B-----\n",
         {BASE_PEM_BLOCK, BASE_PEM_BLOCK, BASE_PEM_END},
         "A",
         ""},
        {"-----BEGIN A-----\nAQID\n", {BASE_PEM_NO_END, BASE_PEM_END}, "A", "AQID\n"},
        {"-----BEGIN A-----\nAQID\n-----END B-----\n-----BEGIN C-----\n-----END C-----\n",
         {BASE_PEM_OTHER_END, BASE_PEM_BLOCK, BASE_PEM_END},
         "A",
         "AQID\n"},
        {"-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END A-----\n-----BEGIN B-----\n-----END B-----\n",
         {BASE_PEM_HAS_HEADERS, BASE_PEM_BLOCK, BASE_PEM_END},
         "A",
         ""},
        {"-----BEGIN A----\nAQID\n-----END A----\n", {BASE_PEM_END}, "", ""},
        {" -----BEGIN A-----\nAQID\n-----END A-----\n", {BASE_PEM_END}, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct span text = span_of_string(table[i].text), label, body;

        for (size_t k = 0; k < ARRAY_LEN(table[i].want); k++) {
            enum base_pem_status got = base_pem_next(&text, &label, &body);

            if (got != table[i].want[k])
                fail_msg("row %zu, block %zu: %d", i, k, (int)got);
            if (k == 0 && !span_equal(label, span_of_string(table[i].label)))
                fail_msg("row %zu: label %.*s", i, (int)label.size, (const char *)label.data);
            if (k == 0 && !span_equal(body, span_of_string(table[i].body)))
                fail_msg("row %zu: body %.*s", i, (int)body.size, (const char *)body.data);
            if (got == BASE_PEM_END)
                break;
        }
        assert_int_equal(text.size, 0);
    }
}

static void label_that_is_too_long_is_text(void **state)
{
    (void)state;
    for (size_t size = BASE_PEM_LABEL_MAX; size <= BASE_PEM_LABEL_MAX + 1; size++) {
        char name[BASE_PEM_LABEL_MAX + 2] = "";
        struct span text, label, body;
        char *block;

        memset(name, 'x', size);
        block = base_pem_encode(name, span_of("\1", 1));
        text = span_of_string(block);
        assert_int_equal(base_pem_next(&text, &label, &body),
                         size == BASE_PEM_LABEL_MAX ? BASE_PEM_BLOCK : BASE_PEM_END);
        free(block);
    }
}

static void decode_takes_base64_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } table[] = {
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"}, /* RFC 4648 section 10 */
        {"Zm9vYmE=", "fooba"},
        {" Z\tm\r\n9v\n", "foo"},
        {"Zm9v\nYmFy\n", "foobar"},
        {"", NULL},
        {"\n", NULL},
        {"Zg=", NULL},
        {"Zg", NULL},
        {"Zm9", NULL},
        {"=", NULL},
        {"Z===", NULL},
        {"====", NULL},
        {"Zg==Zg==", NULL},
        {"Zg==\nZm9v", NULL},
        {"Zg=v", NULL},
        {"Zm9v!", NULL},
        {"Zm9v\\", NULL},
        {"Zm-_", NULL},
        {"Zm9vZg===", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        uint8_t *data;
        size_t size;
        bool good = base_pem_decode(span_of_string(table[i].text), &data, &size);

        if (good != (table[i].want != NULL) ||
            (good && !span_equal(span_of(data, size), span_of_string(table[i].want))))
            fail_msg("row %zu: %s", i, good ? "taken" : "refused");
        assert_true(good || data == NULL);
        free(data);
    }
    assert_false(base_pem_decode(span_of("Zm\0v", 4), &(uint8_t *){NULL}, &(size_t){0}));
}

static void encode_and_decode_agree(void **state)
{
    uint8_t bytes[300];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 41);
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        char *block = base_pem_encode("X", span_of(bytes, size));
        struct span text = span_of_string(block), label, body;
        uint8_t *data;
        size_t got;

        for (char *line = block, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
            assert_true(end - line <= 64 && end != line);
        assert_int_equal(base_pem_next(&text, &label, &body), BASE_PEM_BLOCK);
        assert_true(base_pem_decode(body, &data, &got));
        assert_true(span_equal(span_of(data, got), span_of(bytes, size)));
        free(data);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_finds_blocks_and_what_is_wrong_with_them),
        cmocka_unit_test(label_that_is_too_long_is_text),
        cmocka_unit_test(decode_takes_base64_and_nothing_else),
        cmocka_unit_test(encode_and_decode_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
