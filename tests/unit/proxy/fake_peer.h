/* tests/unit/proxy/fake_peer.h: one who speaks with us over a fake transport, by a script: client or target.
 *
 * A script is a list of steps; "%u" in a text is the number of the session, so that what belongs to another session is
 * found. Payload is a function of session, side and place: each byte that comes is compared at once, so that nothing
 * can be lost, said twice, or come from elsewhere without being seen. */
#ifndef YETT_TESTS_UNIT_PROXY_FAKE_PEER_H
#define YETT_TESTS_UNIT_PROXY_FAKE_PEER_H

#include "fake_tls.h"
#include "fake_transport.h"

enum fake_step {
    FAKE_SAY,    /* this text */
    FAKE_SEE,    /* this text comes, and nothing else */
    FAKE_SKIP,   /* whatever comes, up to and with this text */
    FAKE_HELLOS, /* TLS, as a client */
    FAKE_ACCEPT, /* TLS, as a server */
    FAKE_STREAM, /* payload both ways: `send` and `receive` bytes of it */
    FAKE_END,    /* an end in good order. Always the last */
};

struct fake_script_step {
    enum fake_step step;
    const char *text;
};

enum fake_side { FAKE_CLIENT, FAKE_TARGET };

struct fake_peer {
    struct fake_transport *t;
    enum fake_side side;
    unsigned session;
    const struct fake_script_step *script;
    size_t send, receive; /* payload, bytes */
    size_t sent, received;
    size_t step;
    char text[512]; /* of a step of text, as it is for this session ... */
    size_t seen;    /* ... and how much of it has come */
    bool begun;     /* this step has */
    bool tls;       /* ours is up */
    bool notified;  /* we have said close_notify */
    bool seen_end;  /* close_notify has come (TLS) */
    bool hello_sent;
    bool bad_hello;       /* says one that is not accepted */
    const char *surprise; /* what came that should not have, in words; NULL: all is well */
    struct buffer raw, in, out;
};

void fake_peer_start(struct fake_peer *p, struct fake_transport *t, enum fake_side side, unsigned session,
                     const struct fake_script_step *script, size_t send, size_t receive);
void fake_peer_stop(struct fake_peer *p);

/* Hear what has come, go on with the script as far as that goes, and send at most `size` bytes. */
void fake_peer_go_on(struct fake_peer *p, size_t size);

/* Whether it has reached the end of its script and has said all. */
bool fake_peer_is_done(const struct fake_peer *p);

/* Whether our end has reached it in good order. */
bool fake_peer_saw_end(const struct fake_peer *p);

#endif
