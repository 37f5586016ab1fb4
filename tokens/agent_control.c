/* The datagrams between an agent and its supervisor: see tokens/agent.h */
#include "tokens/agent.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* What goes over the socket is the struct itself up to the end of the text: both ends are the same binary. */
static size_t message_size(const struct tokens_agent_message *message)
{
    return offsetof(struct tokens_agent_message, text) + strnlen(message->text, sizeof(message->text) - 1) + 1;
}

/* see tokens/agent.h */
bool tokens_agent_send(int fd, const struct tokens_agent_message *message)
{
    size_t size = message_size(message);
    ssize_t sent;

    do
        sent = send(fd, message, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

/* see tokens/agent.h */
int tokens_agent_receive(int fd, struct tokens_agent_message *message)
{
    ssize_t got;

    memset(message, 0, sizeof(*message));
    /* ECONNRESET: the other end has closed with something of ours unread. It comes once, before what it said last. */
    do
        got = recv(fd, message, sizeof(*message), MSG_TRUNC);
    while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got <= 0)
        return (int)got;
    message->text[sizeof(message->text) - 1] = '\0';
    if ((size_t)got < offsetof(struct tokens_agent_message, text) || (size_t)got > sizeof(*message) ||
        (unsigned)message->event >= TOKENS_AGENT_EVENT_COUNT) {
        base_wipe(message, sizeof(*message));
        errno = EBADMSG;
        return -1;
    }
    return 1;
}
