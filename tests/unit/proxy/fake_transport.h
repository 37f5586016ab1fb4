/* tests/unit/proxy/fake_transport.h: proxy/session/transport.h over buffers: no loop, no socket.
 *
 * Linked in the place of transport.c. The test is the kernel and the peer: it says how much the kernel takes, what has
 * come, and when. It behaves as the real one does (proxy/session/transport.h): at most a block of what the kernel does
 * not take is kept, and then it is blocked until the test has the kernel take it. */
#ifndef YETT_TESTS_UNIT_PROXY_FAKE_TRANSPORT_H
#define YETT_TESTS_UNIT_PROXY_FAKE_TRANSPORT_H

#include "proxy/session/transport.h"
#include "base/buffer.h"

enum fake_close { FAKE_OPEN, FAKE_CLOSED, FAKE_RESET };

struct fake_transport {
    struct transport base;  /* the first member; blocked and reading are used */
    struct buffer incoming; /* sent by the peer, not read yet */
    struct buffer wire;     /* of ours, waiting for the kernel */
    struct buffer outgoing; /* with the peer */
    size_t room;            /* what the kernel takes now */
    size_t read_max;        /* bytes that one read gives; 0: as many as there are */
    int write_error;        /* of every write from now on; negative */
    int read_error;         /* after what is in `incoming`; negative */
    bool peer_ended;        /* FIN, likewise */
    bool end_read;          /* the end or the error was told */
    bool fin;               /* ours */
    enum fake_close close;
    unsigned acknowledged;
    struct fake_transport *next; /* all of them */
};

extern struct fake_transport *fake_transports; /* all that were made and not freed */

struct fake_transport *fake_of(struct transport *t);

/* The peer sends. */
void fake_send(struct fake_transport *t, struct span bytes);

/* What may happen now; each calls the owner at most once, which may close the transport (it stays readable here).
 * false: nothing was to be done. */
bool fake_read(struct fake_transport *t);              /* a read, if its owner reads */
bool fake_take(struct fake_transport *t, size_t room); /* the kernel has room for so much more; then it tells */

void fake_transport_free(struct fake_transport *t);

#endif
