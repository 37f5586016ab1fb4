/* proxy/session/transport.h: one stream socket, TCP or Unix, on the loop.
 *
 * Writing never queues more than LIMIT_WIRE_BLOCK: transport_write() gives the kernel what it takes at once, keeps a
 * block of the rest on its way, and says how much it took; transport_is_blocked() until that has gone. So there is one
 * write under way at most, memory has a ceiling, and the bytes stay with their owner until they can go. Ownership:
 * transport_close() takes the transport from its owner; what libuv still has to finish happens behind it and never
 * calls the owner. */
#ifndef YETT_PROXY_SESSION_TRANSPORT_H
#define YETT_PROXY_SESSION_TRANSPORT_H

#include "base/span.h"
#include <uv.h>

enum { TRANSPORT_KEEPALIVE_SECONDS = 60 };
enum transport_type { TRANSPORT_TCP, TRANSPORT_UNIX };
enum transport_next { TRANSPORT_NEXT_ANY, TRANSPORT_NEXT_FIN /* transport_shutdown(), as soon as all is taken */ };
enum transport_close { TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_RESET /* TCP: RST, what is unsent is lost */ };

/* What the owner is told. None of these may be NULL once the owner is set. */
struct transport_events {
    /* Space for bytes about to be read; size 0 when there is none now (reading must be stopped soon). */
    uv_buf_t (*lend)(void *owner);
    void (*on_read)(void *owner, ssize_t size);  /* bytes in the space lent, UV_EOF, or a negative error */
    void (*on_writable)(void *owner, int error); /* no longer blocked; error: 0 or a negative errno */
};

struct transport {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    enum transport_type type;
    const struct transport_events *events;
    void *owner;
    uv_connect_t *connect; /* while it connects */
    void (*on_connected)(void *owner, int error);
    struct transport_wire *wire; /* a block of what is on its way; kept until transport_trim() */
    bool blocked;                /* a write is on its way */
    bool reading;
    bool keepalive_owed; /* connected by us, and never idle yet: see transport_trim() */
};

struct transport *transport_create(uv_loop_t *loop, enum transport_type type);

/* Take a connected descriptor (made non-blocking). Negative errno on failure; the descriptor then stays the caller's.
 */
MUST_CHECK int transport_open(struct transport *t, int fd);

/* Connect; on_connected is called once, later, with 0 or a negative errno. `path` is for Unix sockets, else `address`.
 * TRANSPORT_CONNECTED when that has been done already, as happens within a machine, or a negative errno at once; then
 * on_connected is not called. */
enum { TRANSPORT_CONNECTED = 1 };
MUST_CHECK int transport_connect(struct transport *t, const struct sockaddr *address, const char *path,
                                 void (*on_connected)(void *owner, int error), void *owner);

/* Its descriptor, to look at; -1: it has none any more. */
int transport_fd(const struct transport *t);

void transport_set_owner(struct transport *t, const struct transport_events *events, void *owner);

void transport_read_start(struct transport *t);
void transport_read_stop(struct transport *t);

/* What the kernel knows of the peer while nothing is read: whether it has ended its side (behind what it has sent), or
 * its connection is broken. A system call: for now and then. */
enum transport_peer { TRANSPORT_PEER_THERE, TRANSPORT_PEER_ENDED, TRANSPORT_PEER_GONE };
enum transport_peer transport_look(const struct transport *t);

/* Bytes taken (all, some or none; fewer than offered means blocked), or a negative errno. What FIN follows may wait for
 * it in the kernel, so that both are one segment: then transport_shutdown() must come next. */
MUST_CHECK ssize_t transport_write(struct transport *t, struct span bytes, enum transport_next next);
bool transport_is_blocked(const struct transport *t);

/* It is idle: give the block back, if nothing is on its way. From the first time on the kernel looks for the peer after
 * TRANSPORT_KEEPALIVE_SECONDS of silence (accepted sockets: always, proxy/worker/listener.h); most connections never
 * get here, and need not pay for that. */
void transport_trim(struct transport *t);

size_t transport_memory(const struct transport *t); /* bytes; libuv's own queue apart */

/* Acknowledge what was read, now: for a peer that may hold back what it says next until then (Nagle's algorithm,
 * RFC 1122 section 4.2.3.4), when we have nothing to say that would carry the acknowledgment. */
void transport_acknowledge(struct transport *t);

/* Send FIN. Call when not blocked. */
void transport_shutdown(struct transport *t);

/* NULL-safe; sets *t to NULL. */
void transport_close(struct transport **t, enum transport_close how);

#endif
