/* proxy/session/transport.c, between two sockets on loopback. What goes over the wire is read off the kernel's count of
 * segments. */
#include "proxy/session/transport.h"

#include "tcp_segments.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    uv_loop_t loop;
    struct transport *transport;
    int peer;
    size_t writable_count;
    int error;
};

static uv_buf_t lend(void *owner)
{
    (void)owner;
    return uv_buf_init(NULL, 0);
}

static void on_read(void *owner, ssize_t size)
{
    (void)owner;
    (void)size;
}

static void on_writable(void *owner, int error)
{
    struct fixture *f = owner;

    f->writable_count++;
    f->error = error;
}

static const struct transport_events events = {.lend = lend, .on_read = on_read, .on_writable = on_writable};

/* A connection of TCP on loopback; the kernel's own end of it is accepted. */
static void connect_tcp(int *accepted, int *connected)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    *connected = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(connect(*connected, (const struct sockaddr *)&address, sizeof(address)), 0);
    *accepted = accept(listening, NULL, NULL);
    assert_true(*accepted >= 0);
    close(listening);
}

static void start(struct fixture *f, enum transport_type type)
{
    int fds[2];

    *f = (struct fixture){.error = 0};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    if (type == TRANSPORT_TCP)
        connect_tcp(&fds[0], &fds[1]);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    f->transport = transport_create(&f->loop, type);
    assert_int_equal(transport_open(f->transport, fds[0]), 0);
    transport_set_owner(f->transport, &events, f);
    f->peer = fds[1];
}

static void stop(struct fixture *f)
{
    transport_close(&f->transport, TRANSPORT_CLOSE_ORDERLY);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    close(f->peer);
}

/* Bytes until the end. */
static size_t read_all(int fd)
{
    static uint8_t block[64 * 1024];
    size_t total = 0;
    ssize_t size;

    while ((size = read(fd, block, sizeof(block))) > 0)
        total += (size_t)size;
    assert_int_equal(size, 0);
    return total;
}

static unsigned segments_of_last_words(enum transport_next next)
{
    struct fixture f;
    unsigned before, after;

    start(&f, TRANSPORT_TCP);
    before = tcp_segments_received(f.peer);
    assert_int_equal(transport_write(f.transport, span_of_string("last"), next), 4);
    transport_shutdown(f.transport);
    assert_int_equal(read_all(f.peer), 4);
    after = tcp_segments_received(f.peer);
    stop(&f);
    return after - before;
}

/* The kernel waits a fifth of a second for what follows; a machine that takes longer over the next line tries again. */
static void last_words_and_fin_are_one_segment(void **state)
{
    enum { TRIES_MAX = 50 };
    unsigned segments = 0;

    (void)state;
    assert_int_equal(segments_of_last_words(TRANSPORT_NEXT_ANY), 2);
    for (int i = 0; i < TRIES_MAX && segments != 1; i++)
        segments = segments_of_last_words(TRANSPORT_NEXT_FIN);
    assert_int_equal(segments, 1);
}

/* An answer for each byte, so that the kernel takes the connection for one where answers carry the acknowledgments;
 * then a byte without an answer. */
static void say_and_wait(struct fixture *f)
{
    char byte = 'x';
    uv_os_fd_t fd;

    assert_int_equal(uv_fileno(&f->transport->io.handle, &fd), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(send(f->peer, &byte, 1, 0), 1);
        assert_int_equal(recv(fd, &byte, 1, 0), 1);
        assert_int_equal(transport_write(f->transport, span_of_string("y"), TRANSPORT_NEXT_ANY), 1);
        assert_int_equal(recv(f->peer, &byte, 1, 0), 1);
    }
    assert_int_equal(send(f->peer, &byte, 1, 0), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
}

/* The kernel waits 40 ms for an answer that carries it; a machine that takes longer over the next lines tries again. */
static void what_was_read_is_acknowledged_at_once(void **state)
{
    enum { TRIES_MAX = 50 };
    unsigned before = 0, after = 0;

    (void)state;
    for (int i = 0; i < TRIES_MAX && !(before == 1 && after == 0); i++) {
        struct fixture f;

        start(&f, TRANSPORT_TCP);
        say_and_wait(&f);
        before = tcp_segments_unacknowledged(f.peer);
        transport_acknowledge(f.transport);
        after = tcp_segments_unacknowledged(f.peer);
        stop(&f);
    }
    assert_int_equal(before, 1);
    assert_int_equal(after, 0);
}

/* A Unix socket has no acknowledgments. */
static void nothing_is_acknowledged_on_a_unix_socket(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, TRANSPORT_UNIX);
    transport_acknowledge(f.transport);
    stop(&f);
}

/* More than the kernel takes: every byte arrives, and then the end. */
static void last_words_that_block_arrive(void **state)
{
    static const enum transport_type types[] = {TRANSPORT_TCP, TRANSPORT_UNIX};
    enum { SIZE = 16 * 1024 * 1024 };
    uint8_t *data = base_alloc(SIZE);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct fixture f;
        uint8_t block[4096];
        ssize_t taken, size;
        size_t held = 0;

        start(&f, types[i]);
        taken = transport_write(f.transport, span_of(data, SIZE), TRANSPORT_NEXT_FIN);
        assert_true(taken > 0 && taken < SIZE);
        assert_true(transport_is_blocked(f.transport));
        assert_int_equal(transport_write(f.transport, span_of(data, 1), TRANSPORT_NEXT_FIN), 0);
        while (f.writable_count == 0) {
            size = read(f.peer, block, sizeof(block));
            assert_true(size > 0);
            held += (size_t)size;
            uv_run(&f.loop, UV_RUN_NOWAIT);
        }
        assert_int_equal(f.error, 0);
        assert_int_equal(transport_write(f.transport, span_of(data, 1), TRANSPORT_NEXT_FIN), 1);
        transport_shutdown(f.transport);
        assert_int_equal(held + read_all(f.peer), taken + 1);
        stop(&f);
    }
    free(data);
}

static void last_words_to_nobody_fail(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, TRANSPORT_UNIX);
    close(f.peer);
    assert_int_equal(transport_write(f.transport, span_of_string("last"), TRANSPORT_NEXT_FIN), UV_EPIPE);
    f.peer = dup(STDERR_FILENO);
    stop(&f);
}

static void on_connected(void *owner, int error)
{
    *(int *)owner = error;
}

static int option_of(const struct transport *t, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    uv_os_fd_t fd;

    assert_int_equal(uv_fileno(&t->io.handle, &fd), 0);
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void connected_sockets_are_kept_alive_once_idle(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM, 0), told = 1;
    struct transport *t;
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(bind(listening, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listening, 1), 0);
    t = transport_create(&loop, TRANSPORT_TCP);
    assert_int_equal(transport_connect(t, (const struct sockaddr *)&address, NULL, on_connected, &told),
                     TRANSPORT_CONNECTED); /* within the machine: at once, and not told again */
    assert_int_not_equal(option_of(t, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option_of(t, SOL_SOCKET, SO_KEEPALIVE), 0);
    transport_trim(t);
    assert_int_not_equal(option_of(t, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(t, IPPROTO_TCP, TCP_KEEPIDLE), TRANSPORT_KEEPALIVE_SECONDS);
    transport_close(&t, TRANSPORT_CLOSE_ORDERLY);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, 1);
    close(listening);

    t = transport_create(&loop, TRANSPORT_TCP); /* nobody listens now */
    assert_int_equal(transport_connect(t, (const struct sockaddr *)&address, NULL, on_connected, &told),
                     UV_ECONNREFUSED);
    transport_close(&t, TRANSPORT_CLOSE_ORDERLY);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static enum transport_peer look_until(const struct transport *t, enum transport_peer want)
{
    enum transport_peer seen;

    do
        seen = transport_look(t);
    while (seen != want && seen == TRANSPORT_PEER_THERE);
    return seen;
}

/* With bytes before it that nobody reads. */
static void the_end_is_seen_without_reading(void **state)
{
    static const enum transport_type types[] = {TRANSPORT_TCP, TRANSPORT_UNIX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct linger reset = {.l_onoff = 1};
        struct fixture f;

        start(&f, types[i]);
        assert_int_equal(transport_look(f.transport), TRANSPORT_PEER_THERE);
        assert_int_equal(write(f.peer, "last", 4), 4);
        assert_int_equal(transport_look(f.transport), TRANSPORT_PEER_THERE);
        assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
        assert_int_equal(look_until(f.transport, TRANSPORT_PEER_ENDED), TRANSPORT_PEER_ENDED);
        if (types[i] == TRANSPORT_TCP) {
            assert_int_equal(setsockopt(f.peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
            close(f.peer);
            while (transport_look(f.transport) == TRANSPORT_PEER_ENDED)
                ;
            assert_int_equal(transport_look(f.transport), TRANSPORT_PEER_GONE);
            f.peer = open("/dev/null", O_RDONLY);
        }
        stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_words_and_fin_are_one_segment),
        cmocka_unit_test(what_was_read_is_acknowledged_at_once),
        cmocka_unit_test(nothing_is_acknowledged_on_a_unix_socket),
        cmocka_unit_test(last_words_that_block_arrive),
        cmocka_unit_test(last_words_to_nobody_fail),
        cmocka_unit_test(connected_sockets_are_kept_alive_once_idle),
        cmocka_unit_test(the_end_is_seen_without_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
