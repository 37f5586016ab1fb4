/* see proxy/session/local_addresses.h, and rtnetlink(7) */
#include "proxy/session/local_addresses.h"
#include "base/address.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 8192, STALE_ANSWERS_MAX = 16 };

struct local_addresses {
    int fd; /* -1: none */
    uint32_t sequence;
};

/* "By which route would this go?" */
struct question {
    struct nlmsghdr header;
    struct rtmsg route;
    struct rtattr attribute;
    uint8_t address[sizeof(struct in6_addr)];
};

struct local_addresses *local_addresses_open(void)
{
    struct local_addresses *l = base_alloc(sizeof(*l));

    l->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    return l;
}

void local_addresses_close(struct local_addresses **l)
{
    if (*l == NULL)
        return;
    if ((*l)->fd >= 0)
        close((*l)->fd);
    free(*l);
    *l = NULL;
}

static size_t question_write(struct question *q, uint32_t sequence, const uint8_t *bytes, size_t size)
{
    unsigned char family = size == sizeof(struct in_addr) ? AF_INET : AF_INET6;

    *q = (struct question){.header = {.nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = sequence},
                           .route = {.rtm_family = family, .rtm_dst_len = (unsigned char)(8 * size)},
                           .attribute = {.rta_len = (unsigned short)RTA_LENGTH(size), .rta_type = RTA_DST}};
    memcpy(q->address, bytes, size);
    q->header.nlmsg_len = (uint32_t)(offsetof(struct question, address) + size);
    return q->header.nlmsg_len;
}

/* Of one message that came. An error (no route) means that it goes nowhere, so not to us. */
static bool says_local(const struct nlmsghdr *header, const void *payload, size_t size)
{
    struct rtmsg route;

    if (header->nlmsg_type != RTM_NEWROUTE || size < sizeof(route))
        return false;
    memcpy(&route, payload, sizeof(route));
    return route.rtm_type == RTN_LOCAL;
}

bool local_addresses_has(struct local_addresses *l, const struct sockaddr *address)
{
    struct question question;
    uint8_t answer[ANSWER_MAX];
    struct address a = address_of_socket(address);
    size_t size;

    if (l->fd < 0 || a.size == 0)
        return true;
    size = question_write(&question, ++l->sequence, a.bytes, a.size);
    if (send(l->fd, &question, size, 0) != (ssize_t)size)
        return true;
    for (unsigned i = 0; i < STALE_ANSWERS_MAX; i++) {
        ssize_t got = recv(l->fd, answer, sizeof(answer), 0);
        struct nlmsghdr header;

        if (got < (ssize_t)sizeof(header))
            return true; /* the kernel puts its answer there before send() returns */
        memcpy(&header, answer, sizeof(header));
        if (header.nlmsg_seq == l->sequence)
            return says_local(&header, answer + NLMSG_HDRLEN, (size_t)got - NLMSG_HDRLEN);
    }
    return true;
}
