/* The server name of a ClientHello, before an engine has it: in pieces of every size, and in records of every size. */
#include "base/slab.h"
#include "tls/hello_name.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { ROOM = 2048 };

struct bytes {
    uint8_t data[ROOM];
    size_t size;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    assert_true(b->size + size <= ROOM);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_u16(struct bytes *b, size_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};

    put(b, bytes, sizeof(bytes));
}

/* A ClientHello with an extension that is not known, and server_name with this name; NULL: without it. */
static struct bytes hello(const char *name)
{
    static const uint8_t before[] = {3, 3, [34] = 0 /* session id */, 0, 2, 0x13, 1 /* suites */,
                                     1, 0 /* compression */},
                         other[] = {0xfa, 0xfa, 0, 1, 0};
    size_t name_size = name == NULL ? 0 : strlen(name), extensions = sizeof(other) + (name == NULL ? 0 : 9 + name_size);
    struct bytes b = {.size = 0};
    uint8_t type[] = {1, 0, 0, 0};
    size_t body = sizeof(before) + 2 + extensions;

    type[2] = (uint8_t)(body >> 8);
    type[3] = (uint8_t)body;
    put(&b, type, sizeof(type));
    put(&b, before, sizeof(before));
    put_u16(&b, extensions);
    put(&b, other, sizeof(other));
    if (name == NULL)
        return b;
    put_u16(&b, 0);
    put_u16(&b, 5 + name_size);
    put_u16(&b, 3 + name_size);
    put(&b, "", 1);
    put_u16(&b, name_size);
    put(&b, name, name_size);
    return b;
}

static struct bytes records(const struct bytes *message, size_t each)
{
    struct bytes b = {.size = 0};

    for (size_t at = 0; at < message->size; at += each) {
        size_t size = message->size - at < each ? message->size - at : each;

        put(&b, "\x16\3\1", 3);
        put_u16(&b, size);
        put(&b, message->data + at, size);
    }
    return b;
}

static void names_are_found(void **state)
{
    static const struct {
        const char *said, *want; /* NULL: none */
    } rows[] = {
        {"a.test", "a.test"},
        {"A.Test.", "a.test"},
        {"a_b-c.test", "a_b-c.test"},
        {NULL, NULL},
        {"a b", NULL},
        {"a..b", NULL},
        {".", NULL},
        {"[::1]", NULL},
        {"a.test:443", NULL},
        {"192.0.2.1", "192.0.2.1"},
        {"\xff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bytes message = hello(rows[i].said);

        for (size_t each = 1; each <= message.size; each += each < 12 ? 1 : 50) {
            struct bytes all = records(&message, each);

            for (size_t have = 0; have <= all.size; have++) {
                uint8_t *copy = base_memdup(all.data, have == 0 ? 1 : have); /* a look behind the end is found */
                char *name;
                enum tls_hello_name answer = tls_hello_name_read(span_of(copy, have), &name);

                free(copy);
                if (have < all.size) {
                    assert_int_equal(answer, TLS_HELLO_NEEDS_MORE);
                } else if (rows[i].want == NULL) {
                    assert_int_equal(answer, TLS_HELLO_HAS_NO_NAME);
                } else {
                    assert_int_equal(answer, TLS_HELLO_HAS_NAME);
                    assert_string_equal(name, rows[i].want);
                }
                slab_strfree(name);
            }
        }
    }
}

static void what_is_no_hello_is_told(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum tls_hello_name want;
    } rows[] = {
        {"", 0, TLS_HELLO_NEEDS_MORE},
        {"\x16", 1, TLS_HELLO_NEEDS_MORE},
        {"\x16\3\1\0\0\x16\3\1\0\0", 10, TLS_HELLO_NEEDS_MORE},
        {"E", 1, TLS_HELLO_IS_NONE},
        {"\x15\3\1\0\2\2\x28", 7, TLS_HELLO_IS_NONE},
        {"\x16\2", 2, TLS_HELLO_IS_NONE},
        {"\x16\3\1\0\4\2\0\0\0", 9, TLS_HELLO_IS_NONE},
        {"\x16\3\1\0\1\1\x17\3\3\0\1x", 12, TLS_HELLO_IS_NONE},
        {"\x16\3\1\0\4\1\0\0\0", 9, TLS_HELLO_HAS_NO_NAME},
        {"\x16\3\1\0\5\1\0\0\1\3", 10, TLS_HELLO_HAS_NO_NAME},
        /* What comes behind the hello is not looked at. */
        {"\x16\3\1\0\4\1\0\0\0\x17\3\3", 12, TLS_HELLO_HAS_NO_NAME},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *name;

        if (tls_hello_name_read(span_of(rows[i].bytes, rows[i].size), &name) != rows[i].want)
            fail_msg("row %zu", i);
        assert_null(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(what_is_no_hello_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
