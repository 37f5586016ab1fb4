/* The datagrams between an agent and its supervisor: see tokens/agent/agent.h */
#include "tokens/agent/agent.h"

#include "tokens/ckr.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *tokens_agent_code_name(uint64_t ckr)
{
    return tokens_ckr_name((CK_RV)ckr);
}

const unsigned tokens_agent_bucket_ms[TOKENS_AGENT_BUCKETS] = {1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000};

static const struct {
    const char *name;
    enum tokens_agent_receiver receiver;
    bool has_file;
} messages[] = {
#define TOKENS_AGENT_RULE(event, to, files) [TOKENS_AGENT_##event] = {#event, TOKENS_AGENT_TO_##to, (files) != 0},
    TOKENS_AGENT_MESSAGES(TOKENS_AGENT_RULE)
#undef TOKENS_AGENT_RULE
};

/* see tokens/agent/agent.h */
const char *tokens_agent_message_fault(enum tokens_agent_event event, bool has_file,
                                       enum tokens_agent_receiver receiver)
{
    assert(event < TOKENS_AGENT_EVENT_COUNT);
    if (messages[event].receiver != receiver)
        return "is not its to say";
    if (messages[event].has_file != has_file)
        return has_file ? "carries no descriptor, and came with one" : "came without its descriptor";
    return NULL;
}

/* see tokens/agent/agent.h */
const char *tokens_agent_event_name(enum tokens_agent_event event)
{
    assert(event < TOKENS_AGENT_EVENT_COUNT);
    return messages[event].name;
}

/* What goes over the socket is the struct itself up to the end of the text: both ends are the same binary. */
static size_t message_size(const struct tokens_agent_message *message)
{
    return offsetof(struct tokens_agent_message, text) + strnlen(message->text, sizeof(message->text) - 1) + 1;
}

/* Room for one descriptor, aligned as a control message must be. */
union ancillary {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* see tokens/agent/agent.h */
bool tokens_agent_send_file(int fd, const struct tokens_agent_message *message, int file)
{
    size_t size = message_size(message);
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
    union ancillary ancillary = {.bytes = {0}};
    struct msghdr datagram = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (file >= 0) {
        datagram.msg_control = ancillary.bytes;
        datagram.msg_controllen = sizeof(ancillary.bytes);
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), &file, sizeof(int));
    }
    do
        sent = sendmsg(fd, &datagram, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

/* see tokens/agent/agent.h */
bool tokens_agent_send(int fd, const struct tokens_agent_message *message)
{
    return tokens_agent_send_file(fd, message, -1);
}

static int take_descriptor(struct msghdr *datagram)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(datagram);
    int taken = -1;

    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&taken, CMSG_DATA(header), sizeof(int));
    return taken;
}

/* see tokens/agent/agent.h */
int tokens_agent_receive_file(int fd, struct tokens_agent_message *message, int *file)
{
    struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
    union ancillary ancillary;
    struct msghdr datagram;
    ssize_t got;

    memset(message, 0, sizeof(*message));
    /* ECONNRESET: the other end has closed with something of ours unread. It comes once, before what it said last. */
    do {
        datagram = (struct msghdr){.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = ancillary.bytes,
                                   .msg_controllen = sizeof(ancillary.bytes)};
        got = recvmsg(fd, &datagram, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    *file = got > 0 ? take_descriptor(&datagram) : -1;
    if (got <= 0)
        return (int)got;
    message->token[sizeof(message->token) - 1] = '\0';
    message->text[sizeof(message->text) - 1] = '\0';
    if ((size_t)got < offsetof(struct tokens_agent_message, text) || (size_t)got > sizeof(*message) ||
        (unsigned)message->event >= TOKENS_AGENT_EVENT_COUNT) {
        if (*file >= 0)
            close(*file);
        *file = -1;
        base_wipe(message, sizeof(*message));
        errno = EBADMSG;
        return -1;
    }
    return 1;
}

/* see tokens/agent/agent.h */
int tokens_agent_receive(int fd, struct tokens_agent_message *message)
{
    int file, got = tokens_agent_receive_file(fd, message, &file);

    if (file >= 0)
        close(file);
    return got;
}
