/* What workers get of files whose keys are with the agent. */
#include "proxy/service/file_identities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

static int file(struct span bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int written(void)
{
    const struct span one[] = {span_of_string("leaf"), span_of_string("issuer")}, two[] = {span_of_string("other")};
    const struct file_identity identities[] = {{"/a.pem", "file-key:01", one, 2}, {"/b.pem", "file-key:02", two, 1}};
    int fd = memfd_create("test", MFD_CLOEXEC);

    for (size_t i = 0; i < ARRAY_LEN(identities); i++)
        assert_true(file_identity_write(fd, &identities[i]));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void read_gives_what_was_written(void **state)
{
    int fd = written();
    struct file_identities *list = file_identities_read(fd);
    const struct file_identity *found;

    (void)state;
    assert_int_equal(file_identities_count(list), 2);
    found = file_identities_find(list, "/a.pem");
    assert_ptr_equal(found, file_identities_at(list, 0));
    assert_string_equal(found->uri, "file-key:01");
    assert_int_equal(found->cert_count, 2);
    assert_true(span_equal(found->certs[0], span_of_string("leaf")));
    assert_true(span_equal(found->certs[1], span_of_string("issuer")));
    found = file_identities_find(list, "/b.pem");
    assert_string_equal(found->uri, "file-key:02");
    assert_null(file_identities_find(list, "/b.pe"));
    file_identities_destroy(&list);
    file_identities_destroy(&list);
    assert_int_equal(file_identities_count(NULL), 0);
    assert_null(file_identities_find(NULL, "/a.pem"));
    close(fd);
}

static void read_refuses_what_is_cut_off(void **state)
{
    uint8_t room[256];
    int fd = written();
    ssize_t size = read(fd, room, sizeof(room));

    (void)state;
    close(fd);
    for (ssize_t cut = 1; cut < size; cut++) {
        int part = file(span_of(room, (size_t)cut));
        struct file_identities *list = file_identities_read(part);

        /* Between the two it is a file with one. */
        assert_true(list == NULL || file_identities_count(list) == 1);
        file_identities_destroy(&list);
        close(part);
    }
    memset(room, 0xff, 4);
    fd = file(span_of(room, (size_t)size));
    assert_null(file_identities_read(fd));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_gives_what_was_written),
        cmocka_unit_test(read_refuses_what_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
