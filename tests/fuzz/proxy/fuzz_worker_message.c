/* proxy/process/worker_protocol.c: a datagram as a compromised worker could send it to the supervisor. The first byte:
 * how many descriptors go with it. */
#include "proxy/process/worker_protocol.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 5 };

static bool send_datagram(int socket, struct span bytes, int fd, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } ancillary = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.size};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count != 0) {
        datagram.msg_control = ancillary.bytes;
        datagram.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(&ancillary.header) + i * sizeof(int), &fd, sizeof(int));
    }
    return sendmsg(socket, &datagram, MSG_NOSIGNAL) >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct worker_message message;
    struct span input = span_of(data, size);
    size_t fd_count = fuzz_byte(&input) % (FDS_MAX + 1);
    int pair[2], passed = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

    FUZZ_CHECK(null >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    memset(&message, 0xff, sizeof(message));
    if (send_datagram(pair[0], input, null, fd_count)) {
        int got;

        shutdown(pair[0], SHUT_WR);
        got = worker_receive(pair[1], &message, &passed);
        FUZZ_CHECK(got == 1 || passed == -1);
        if (got == 1) {
            FUZZ_CHECK(message.event < WORKER_EVENT_COUNT);
            FUZZ_CHECK(memchr(message.text, '\0', sizeof(message.text)) != NULL);
        }
    }
    if (passed >= 0)
        close(passed);
    close(pair[0]);
    close(pair[1]);
    close(null);
    after = open("/dev/null", O_RDONLY | O_CLOEXEC); /* none of the descriptors is left open */
    FUZZ_CHECK(after == null || after <= pair[1]);
    close(after);
    return 0;
}
