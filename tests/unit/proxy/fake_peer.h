/* tests/unit/proxy/fake_peer.h: one who speaks with us over a fake transport, by a script: client or target.
 *
 * A script is a list of steps, the last of which is FAKE_END. In a text "%u" is the number of the session, so that what
 * belongs to another session is found; "%n" how often the step was taken before; "%t" how many bytes of payload this
 * side sends; "%0" is a NUL. Payload is a function of session, side and place: each byte that comes is compared at
 * once, so that nothing can be lost, said twice, or come from elsewhere without being seen. */
#ifndef YETT_TESTS_UNIT_PROXY_FAKE_PEER_H
#define YETT_TESTS_UNIT_PROXY_FAKE_PEER_H

#include "fake_tls.h"
#include "fake_transport.h"

enum fake_step {
    FAKE_END,       /* an end in good order; what comes is still heard */
    FAKE_SAY,       /* this text */
    FAKE_SEE,       /* this text comes, and nothing else */
    FAKE_SKIP,      /* whatever comes, up to and with this text */
    FAKE_ANSWER,    /* "command|reply": the command comes, the reply is said */
    FAKE_HELLOS,    /* TLS, as a client */
    FAKE_ACCEPT,    /* TLS, as a server */
    FAKE_STREAM,    /* payload both ways: `send` and `receive` bytes of it; over when ours is said */
    FAKE_TELL,      /* our payload alone */
    FAKE_HEAR,      /* the other side's alone */
    FAKE_LEAVE,     /* an end in good order; the script goes on, with what is heard */
    FAKE_AWAIT_END, /* the other side's end */
};

struct fake_script_step {
    enum fake_step step;
    const char *text;
    unsigned times; /* of SAY, SEE and ANSWER */
};

/* clang-format off */
#define SAY(text)              {FAKE_SAY, text, 1}
#define SAY_EACH(times, text)  {FAKE_SAY, text, times}
#define SEE(text)              {FAKE_SEE, text, 1}
#define SEE_EACH(times, text)  {FAKE_SEE, text, times}
#define SKIP(text)             {FAKE_SKIP, text, 1}
#define ANSWER_EACH(times, command, reply) {FAKE_ANSWER, command "|" reply, times}
#define HELLOS                 {FAKE_HELLOS, NULL, 1}
#define ACCEPT                 {FAKE_ACCEPT, NULL, 1}
#define STREAM                 {FAKE_STREAM, NULL, 1}
#define TELL                   {FAKE_TELL, NULL, 1}
#define HEAR                   {FAKE_HEAR, NULL, 1}
#define LEAVE                  {FAKE_LEAVE, NULL, 1}
#define AWAIT_END              {FAKE_AWAIT_END, NULL, 1}
#define END                    {FAKE_END, NULL, 1}
/* clang-format on */

/* Whether something in clear may be hidden in it, behind what is said last before TLS. */
bool fake_script_can_inject(const struct fake_script_step *script);

enum fake_side { FAKE_CLIENT, FAKE_TARGET };
enum fake_payload { FAKE_PAYLOAD_BYTES, FAKE_PAYLOAD_LINES /* of letters: text in every protocol */ };

struct fake_peer {
    struct fake_transport *t;
    enum fake_side side;
    unsigned session;
    const struct fake_script_step *script;
    enum fake_payload payload;
    size_t send, receive; /* payload, bytes */
    size_t sent, received;
    size_t step;
    unsigned taken;   /* how often this step was */
    char text[512];   /* of a step of text, as it is for this session ... */
    size_t text_size; /* ... its size, bytes ... */
    size_t seen;      /* ... and how much of it has come */
    char reply[512];  /* of FAKE_ANSWER */
    size_t reply_size;
    bool begun;           /* this step has */
    bool tls;             /* ours is up */
    bool notified;        /* we have said that we end */
    bool seen_end;        /* close_notify has come (TLS) */
    bool bad_hello;       /* says one that is not accepted */
    bool injects;         /* says something in clear behind its last words before TLS */
    bool is_hasty;        /* answers before TLS what it has not heard */
    uint64_t moves;       /* bytes that have come or gone, and steps */
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

/* For people: what it does now. */
const char *fake_peer_step_name(const struct fake_peer *p);

#endif
