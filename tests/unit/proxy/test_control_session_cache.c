/* The session cache's locks: found, inherited, and mended when their owner has died. */
#include "proxy/supervisor/session_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    uv_loop_t loop;
    struct session_cache *cache;
};

static int set_up(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));
    char *error = NULL;

    spawn_reserve_low_fds();
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->cache = session_cache_create(&f->loop, &error);
    if (f->cache == NULL)
        fail_msg("%s", error);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    session_cache_destroy(&f->cache);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static bool is_lock(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

/* The read end of lock number `index`, or -1. */
static int lock_fd(const struct fixture *f, size_t index)
{
    size_t count;
    const struct spawn_fd *fds = session_cache_fds(f->cache, &count);

    for (size_t i = 0; i < count; i++)
        if (is_lock(fds[i].source) && index-- == 0)
            return fds[i].source;
    return -1;
}

static int bytes_in(int fd)
{
    int bytes = -1;

    assert_int_equal(ioctl(fd, FIONREAD, &bytes), 0);
    return bytes;
}

static void create_keeps_its_descriptors_from_children(void **state)
{
    const struct fixture *f = *state;
    size_t count, locks = 0;
    const struct spawn_fd *fds = session_cache_fds(f->cache, &count);

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fds[i].source, fds[i].target);
        assert_true(fds[i].target > CHILD_CONTROL_FD);
        assert_int_equal(fcntl(fds[i].source, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    }
    while (lock_fd(f, locks) >= 0)
        assert_int_equal(bytes_in(lock_fd(f, locks++)), 1); /* all free */
    assert_true(locks > 1);
    assert_non_null(session_cache_inheritance(f->cache));
}

/* NSS makes room for a certificate beside each session, and writes zeros into all of it. */
static void create_gives_back_what_is_zero(void **state)
{
    enum { ROOM_BYTES_MIN = 20000 * 4096, MEMORY_BYTES_MAX = 512 * 1024 };
    const struct fixture *f = *state;
    size_t count, files = 0;
    const struct spawn_fd *fds = session_cache_fds(f->cache, &count);

    for (size_t i = 0; i < count; i++) {
        struct stat info;

        assert_int_equal(fstat(fds[i].source, &info), 0);
        if (!S_ISREG(info.st_mode))
            continue;
        files++;
        assert_true(info.st_size > ROOM_BYTES_MIN);
        assert_true(info.st_blocks > 0 && info.st_blocks * 512 < MEMORY_BYTES_MAX);
    }
    assert_int_equal(files, 1);
}

static void repair_gives_a_lost_byte_back(void **state)
{
    struct fixture *f = *state;
    int lost = lock_fd(f, 1), other = lock_fd(f, 0);
    char byte;

    assert_int_equal(read(lost, &byte, 1), 1);
    session_cache_repair(f->cache);
    uv_run(&f->loop, UV_RUN_DEFAULT); /* until it has looked often enough */
    assert_int_equal(bytes_in(lost), 1);
    assert_int_equal(bytes_in(other), 1);
}

struct busy_lock {
    uv_timer_t timer;
    int read_fd, write_fd;
    bool taken;
    unsigned turns;
};

/* Takes and gives back the lock in turn, as a living owner does. */
static void on_turn(uv_timer_t *timer)
{
    struct busy_lock *b = timer->data;
    char byte = 1;

    if (b->taken)
        assert_int_equal(write(b->write_fd, &byte, 1), 1);
    else
        assert_int_equal(read(b->read_fd, &byte, 1), 1);
    b->taken = !b->taken;
    if (++b->turns == 60)
        uv_close((uv_handle_t *)timer, NULL);
}

static void repair_leaves_a_busy_lock_alone(void **state)
{
    struct fixture *f = *state;
    struct busy_lock b = {.read_fd = lock_fd(f, 0)};
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", b.read_fd);
    b.write_fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(b.write_fd >= 0);
    uv_timer_init(&f->loop, &b.timer);
    b.timer.data = &b;
    uv_timer_start(&b.timer, on_turn, 1, 13);
    session_cache_repair(f->cache);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_false(b.taken);
    assert_int_equal(bytes_in(b.read_fd), 1);
    close(b.write_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_keeps_its_descriptors_from_children),
        cmocka_unit_test(create_gives_back_what_is_zero),
        cmocka_unit_test(repair_gives_a_lost_byte_back),
        cmocka_unit_test(repair_leaves_a_busy_lock_alone),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
