/* see proxy/process/worker_protocol.h */
#include "proxy/process/worker_protocol.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned phases; /* a bit for each */
    unsigned files;
} messages[] = {
#define ON(phase)                                 (1U << WORKER_##phase)
#define WORKER_MESSAGE_RULE(event, phases, files) [WORKER_##event] = {#event, phases, files},
    WORKER_MESSAGES(WORKER_MESSAGE_RULE)
#undef WORKER_MESSAGE_RULE
#undef ON
};
static_assert(ARRAY_LEN(messages) == WORKER_EVENT_COUNT, "a rule for each message");

const char *worker_message_fault(enum worker_event event, bool has_file, enum worker_phase phase)
{
    assert(event < WORKER_EVENT_COUNT && phase < WORKER_PHASE_COUNT);
    if ((messages[event].phases & (1U << phase)) == 0)
        return "is not for now";
    if (has_file && messages[event].files == 0)
        return "carries no descriptor, and came with one";
    if (!has_file && messages[event].files > 0)
        return "came without its descriptor";
    return NULL;
}

const char *worker_event_name(enum worker_event event)
{
    assert(event < WORKER_EVENT_COUNT);
    return messages[event].name;
}

/* Room for one descriptor, aligned as a control message must be. */
union ancillary {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool worker_send(int socket, const struct worker_message *message, int fd)
{
    size_t text_size = strnlen(message->text, WORKER_TEXT_MAX - 1);
    struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)message, .iov_len = offsetof(struct worker_message, text) + text_size},
        {.iov_base = (void *)(uintptr_t) "", .iov_len = 1},
    };
    struct msghdr datagram = {.msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts)};
    union ancillary ancillary;
    ssize_t sent;

    assert(message->event < WORKER_EVENT_COUNT);
    if (fd >= 0) {
        memset(&ancillary, 0, sizeof(ancillary));
        datagram.msg_control = ancillary.bytes;
        datagram.msg_controllen = sizeof(ancillary.bytes);
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(int));
    }
    do
        sent = sendmsg(socket, &datagram, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

/* The passed descriptor, or -1. More than one is never sent; what a broken peer sends beyond is closed. */
static int take_descriptor(struct msghdr *datagram)
{
    int taken = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(datagram); c != NULL; c = CMSG_NXTHDR(datagram, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (taken < 0)
                taken = fd;
            else
                close(fd);
        }
    }
    return taken;
}

int worker_receive(int socket, struct worker_message *message, int *fd)
{
    struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
    union ancillary ancillary;
    struct msghdr datagram = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof(ancillary.bytes)};
    ssize_t size;

    *fd = -1;
    /* ECONNRESET: the other end has closed with something of ours unread. It comes once, before what it said last. */
    do
        size = recvmsg(socket, &datagram, MSG_CMSG_CLOEXEC);
    while (size < 0 && (errno == EINTR || errno == ECONNRESET));
    if (size < 0)
        return -1;
    if (size == 0)
        return 0; /* no message of ours is empty */
    *fd = take_descriptor(&datagram);
    if ((size_t)size <= offsetof(struct worker_message, text) || (datagram.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        ((const char *)message)[size - 1] != '\0' || message->event >= WORKER_EVENT_COUNT) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        errno = EBADMSG;
        return -1;
    }
    return 1;
}
