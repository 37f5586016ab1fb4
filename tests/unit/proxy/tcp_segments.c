/* see tests/unit/proxy/tcp_segments.h. In a file of its own, since the kernel's header, which alone has the whole of
 * struct tcp_info, does not go together with the C library's. */
#include "tcp_segments.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct tcp_info info_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        info = (struct tcp_info){0};
    return info;
}

unsigned tcp_segments_received(int fd)
{
    return info_of(fd).tcpi_segs_in;
}

unsigned tcp_segments_unacknowledged(int fd)
{
    return info_of(fd).tcpi_unacked;
}
