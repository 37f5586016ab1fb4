#include "proxy/process/worker_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int ends[2];

static int setup(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int teardown(void **state)
{
    (void)state;
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return 0;
}

static void receive_gives_what_was_sent(void **state)
{
    struct worker_message sent = {.event = WORKER_LISTENER, .service = 7, .address = 2, .slot = 3, .generation = 9};
    struct worker_message got;
    int fd;

    (void)state;
    memset(sent.text, 'x', sizeof(sent.text) - 1);
    assert_true(worker_send(ends[0], &sent, -1));
    assert_int_equal(worker_receive(ends[1], &got, &fd), 1);
    assert_int_equal(fd, -1);
    assert_int_equal(got.event, WORKER_LISTENER);
    assert_int_equal(got.service, 7);
    assert_int_equal(got.address, 2);
    assert_int_equal(got.slot, 3);
    assert_int_equal(got.generation, 9);
    assert_string_equal(got.text, sent.text);
}

static void receive_gives_a_descriptor_that_closes_on_exec(void **state)
{
    struct worker_message sent = {.event = WORKER_CONFIG}, got;
    int pipe_ends[2], fd;
    char byte = 0;

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    assert_true(worker_send(ends[0], &sent, pipe_ends[1]));
    assert_int_equal(worker_receive(ends[1], &got, &fd), 1);
    assert_true(fd >= 0 && fd != pipe_ends[1]);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(write(fd, "y", 1), 1);
    assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    close(fd);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void receive_tells_the_end(void **state)
{
    struct worker_message got;
    int fd;

    (void)state;
    close(ends[0]);
    ends[0] = dup(ends[1]);
    assert_int_equal(worker_receive(ends[1], &got, &fd), 0);
}

static void receive_refuses_what_is_no_message(void **state)
{
    static const struct worker_message unknown_event = {.event = WORKER_EVENT_COUNT};
    struct worker_message unterminated = {.event = WORKER_READY}, got;
    const struct {
        const void *data;
        size_t size;
    } table[] = {
        {"x", 1},
        {&unknown_event, offsetof(struct worker_message, text) + 1},
        {&unterminated, offsetof(struct worker_message, text) + 3},
        {&unterminated, offsetof(struct worker_message, text)},
    };
    int fd;

    (void)state;
    memcpy(unterminated.text, "abc", 3);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        assert_int_equal(send(ends[0], table[i].data, table[i].size, 0), table[i].size);
        assert_int_equal(worker_receive(ends[1], &got, &fd), -1);
        assert_int_equal(errno, EBADMSG);
        assert_int_equal(fd, -1);
    }
}

static void receive_closes_the_descriptor_of_what_is_no_message(void **state)
{
    struct worker_message bad = {.event = WORKER_EVENT_COUNT}, good = {.event = WORKER_READY}, got;
    struct iovec part = {&bad, offsetof(struct worker_message, text) + 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct msghdr datagram = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    int pipe_ends[2], fd;
    char byte;

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    memcpy(CMSG_DATA(&control.header), &pipe_ends[1], sizeof(int));
    assert_true(sendmsg(ends[0], &datagram, 0) > 0);
    close(pipe_ends[1]);
    assert_int_equal(worker_receive(ends[1], &got, &fd), -1);
    assert_int_equal(read(pipe_ends[0], &byte, 1), 0); /* no writer is left */
    assert_true(worker_send(ends[0], &good, -1));
    assert_int_equal(worker_receive(ends[1], &got, &fd), 1);
    close(pipe_ends[0]);
}

static void receive_gives_last_words_of_who_did_not_listen(void **state)
{
    struct worker_message unread = {.event = WORKER_STOP}, words = {.event = WORKER_FAILED, .text = "why"}, got;
    int fd;

    (void)state;
    assert_true(worker_send(ends[0], &unread, -1));
    assert_true(worker_send(ends[1], &words, -1));
    close(ends[1]);
    ends[1] = -1;
    assert_int_equal(worker_receive(ends[0], &got, &fd), 1);
    assert_int_equal(got.event, WORKER_FAILED);
    assert_string_equal(got.text, "why");
    assert_int_equal(worker_receive(ends[0], &got, &fd), 0);
}

/* The list once more, as who reads the protocol expects it: what a phase permits, and nothing else. */
static void each_phase_permits_its_messages_only(void **state)
{
    static const char *const permitted[] = {
        [WORKER_STARTING] = " WARNING READY FAILED INTERMEDIATE ",
        [WORKER_ACCEPTING] = " CONNECTIONS_ITEM CONNECTIONS_END INTERMEDIATE ",
        [WORKER_DRAINING] = " DRAINED CONNECTIONS_ITEM CONNECTIONS_END INTERMEDIATE ",
        [WORKER_STOPPING] = " WARNING READY FAILED DRAINED CONNECTIONS_ITEM CONNECTIONS_END INTERMEDIATE ",
        [WORKER_UNTOLD] = " CONFIG COUNTERS TICKET_KEY LISTENER INTERMEDIATES IDENTITIES START DRAIN STOP ",
        [WORKER_AT_WORK] = " DRAIN RETIRE CONNECTIONS STOP INTERMEDIATE ",
    };
    static const char files[] = " CONFIG COUNTERS TICKET_KEY LISTENER INTERMEDIATES IDENTITIES ";

    (void)state;
    static_assert(ARRAY_LEN(permitted) == WORKER_PHASE_COUNT, "all phases");
    for (enum worker_phase phase = 0; phase < WORKER_PHASE_COUNT; phase++)
        for (enum worker_event event = 0; event < WORKER_EVENT_COUNT; event++) {
            char *word = base_printf(" %s ", worker_event_name(event));
            bool may = strstr(permitted[phase], word) != NULL, has_file = strstr(files, word) != NULL;

            if ((worker_message_fault(event, has_file, phase) == NULL) != may)
                fail_msg("%s in phase %d", word, (int)phase);
            assert_non_null(worker_message_fault(event, !has_file, phase));
            free(word);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(receive_gives_what_was_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(receive_gives_a_descriptor_that_closes_on_exec, setup, teardown),
        cmocka_unit_test_setup_teardown(receive_tells_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(receive_refuses_what_is_no_message, setup, teardown),
        cmocka_unit_test_setup_teardown(receive_closes_the_descriptor_of_what_is_no_message, setup, teardown),
        cmocka_unit_test_setup_teardown(receive_gives_last_words_of_who_did_not_listen, setup, teardown),
        cmocka_unit_test(each_phase_permits_its_messages_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
