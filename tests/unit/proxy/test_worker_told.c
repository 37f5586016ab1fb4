/* A worker and a supervisor that says what it may not: this program starts itself as "worker", which is a real one. */
#include "config/config.h"
#include "proxy/process/counters.h"
#include "proxy/process/worker_protocol.h"
#include "proxy/worker/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct one {
    int control;
    pid_t pid;
};

static struct one start(void)
{
    int ends[2];
    struct one w;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    w.pid = fork();
    assert_true(w.pid >= 0);
    if (w.pid == 0) {
        if (ends[1] == WORKER_CONTROL_FD ? fcntl(ends[1], F_SETFD, 0) != 0 : dup2(ends[1], WORKER_CONTROL_FD) < 0)
            _exit(20);
        execl("/proc/self/exe", "test", "worker", (char *)NULL);
        _exit(21);
    }
    close(ends[1]);
    w.control = ends[0];
    return w;
}

static void tell(const struct one *w, enum worker_event event, int fd)
{
    const struct worker_message message = {.event = event};

    assert_true(worker_send(w->control, &message, fd));
}

static int file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

/* What it says next; it says nothing else until then. */
static void expect(const struct one *w, enum worker_event event, const char *part)
{
    struct worker_message message;
    int fd, received = worker_receive(w->control, &message, &fd);

    assert_int_equal(received, 1);
    assert_int_equal(fd, -1);
    assert_int_equal(message.event, event);
    if (strstr(message.text, part) == NULL)
        fail_msg("%s, want %s", message.text, part);
}

static void expect_exit(const struct one *w, int want)
{
    int status;

    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want);
    close(w->control);
}

static struct one start_working(void)
{
    static const char text[] = "[yett]\nworkers = 1\ninsecure_no_seccomp = yes\n[service a]\nprotocol = tcp\n"
                               "listen = 127.0.0.1:2\nlisten_tls = none\nconnect = 127.0.0.1:1\nconnect_tls = none\n";
    struct config_findings findings = {0};
    struct config_snapshot *snapshot = config_snapshot_from_memory("t.conf", span_of_string(text));
    struct one w = start();
    struct counters *counters;
    int config_fd = file(), counters_fd;

    assert_non_null(snapshot);
    assert_true(config_snapshot_write(snapshot, config_fd));
    config_snapshot_destroy(&snapshot);
    config_findings_clear(&findings);
    counters = counters_create(1, &counters_fd);
    assert_non_null(counters);
    assert_int_equal(lseek(config_fd, 0, SEEK_SET), 0);
    tell(&w, WORKER_CONFIG, config_fd);
    tell(&w, WORKER_COUNTERS, counters_fd);
    tell(&w, WORKER_START, -1);
    expect(&w, WORKER_READY, "");
    close(config_fd);
    close(counters_fd);
    counters_destroy(&counters);
    return w;
}

static void before_start_what_is_not_for_then_ends_it(void **state)
{
    (void)state;
    for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
        struct one w;

        if (worker_message_fault(event, false, WORKER_UNTOLD) == NULL)
            continue;
        w = start();
        tell(&w, event, -1);
        expect(&w, WORKER_FAILED, worker_event_name(event));
        expect_exit(&w, 1);
    }
}

static void before_start_each_thing_comes_once(void **state)
{
    static const enum worker_event things[] = {WORKER_CONFIG, WORKER_COUNTERS, WORKER_INTERMEDIATES, WORKER_IDENTITIES};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(things); i++) {
        struct one w = start();
        int fd = file();

        tell(&w, things[i], fd);
        tell(&w, things[i], fd);
        expect(&w, WORKER_FAILED, "came twice");
        expect_exit(&w, 1);
        close(fd);
    }
}

static void before_start_a_stop_ends_it_in_peace(void **state)
{
    struct one w = start();

    (void)state;
    tell(&w, WORKER_STOP, -1);
    expect_exit(&w, 0);
}

/* It accepts nothing new and ends with its last session, as when the supervisor is gone. */
static void at_work_what_is_not_for_then_is_a_lost_supervisor(void **state)
{
    (void)state;
    for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
        struct one w;

        if (worker_message_fault(event, false, WORKER_AT_WORK) == NULL)
            continue;
        w = start_working();
        tell(&w, event, -1);
        expect(&w, WORKER_DRAINED, "");
        expect_exit(&w, 0);
    }
}

static void at_work_a_list_is_told_and_ended(void **state)
{
    struct one w = start_working();

    (void)state;
    tell(&w, WORKER_CONNECTIONS, -1);
    expect(&w, WORKER_CONNECTIONS_END, "");
    tell(&w, WORKER_DRAIN, -1);
    expect(&w, WORKER_DRAINED, "");
    expect_exit(&w, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_start_what_is_not_for_then_ends_it),
        cmocka_unit_test(before_start_each_thing_comes_once),
        cmocka_unit_test(before_start_a_stop_ends_it_in_peace),
        cmocka_unit_test(at_work_what_is_not_for_then_is_a_lost_supervisor),
        cmocka_unit_test(at_work_a_list_is_told_and_ended),
    };

    if (argc > 1 && strcmp(argv[1], "worker") == 0)
        return worker_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
