/* The keys of files on their way to the agent: records, and URIs. */
#include "tokens/file_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t ids[2][TOKENS_FILE_KEY_ID_SIZE] = {{0x01, 0xab}, {0xff}};

static int written(void)
{
    const struct tokens_file_key keys[] = {
        {span_of(ids[0], sizeof(ids[0])), span_of_string("leaf"), span_of_string("key")},
        {span_of(ids[1], sizeof(ids[1])), span_of_string("l"), span_of_string("longer key")},
    };
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_true(tokens_file_key_write(fd, &keys[i]));
    return fd;
}

static struct span contents(int fd, uint8_t *room, size_t size)
{
    ssize_t got = pread(fd, room, size, 0);

    assert_true(got > 0);
    close(fd);
    return span_of(room, (size_t)got);
}

static void next_gives_what_was_written(void **state)
{
    uint8_t room[256];
    struct span rest = contents(written(), room, sizeof(room));
    struct tokens_file_key key;

    (void)state;
    assert_true(tokens_file_key_next(&rest, &key));
    assert_true(span_equal(key.id, span_of(ids[0], sizeof(ids[0]))));
    assert_true(span_equal(key.leaf, span_of_string("leaf")) && span_equal(key.pkcs8, span_of_string("key")));
    assert_true(tokens_file_key_next(&rest, &key));
    assert_true(span_equal(key.id, span_of(ids[1], sizeof(ids[1]))));
    assert_true(span_equal(key.leaf, span_of_string("l")) && span_equal(key.pkcs8, span_of_string("longer key")));
    assert_int_equal(rest.size, 0);
    assert_false(tokens_file_key_next(&rest, &key));
}

static void next_stays_within_what_is_there(void **state)
{
    uint8_t room[256];
    struct span all = contents(written(), room, sizeof(room));
    struct tokens_file_key key;

    (void)state;
    for (size_t size = 0; size < all.size; size++) {
        struct span rest = span_of(all.data, size);
        unsigned whole = 0;

        while (tokens_file_key_next(&rest, &key))
            whole++;
        assert_int_equal(whole, size >= 8 + TOKENS_FILE_KEY_ID_SIZE + strlen("leafkey"));
        assert_true(whole == 1 || rest.size == size);
    }
    memset(room, 0xff, 8); /* sizes beyond all bounds */
    assert_false(tokens_file_key_next(&all, &key));
}

static void uri_is_the_id(void **state)
{
    char uri[TOKENS_FILE_KEY_URI_SIZE];

    (void)state;
    tokens_file_key_uri(span_of(ids[0], sizeof(ids[0])), uri);
    assert_string_equal(uri, "file-key:01ab000000000000000000000000000000000000000000000000000000000000");
    assert_true(tokens_file_key_is(uri));
    assert_false(tokens_file_key_is("pkcs11:object=file-key:01"));
    assert_false(tokens_file_key_is("file-key"));
    assert_false(tokens_file_key_is(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_gives_what_was_written),
        cmocka_unit_test(next_stays_within_what_is_there),
        cmocka_unit_test(uri_is_the_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
