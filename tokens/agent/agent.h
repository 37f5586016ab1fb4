/* tokens/agent/agent.h: the process that loads one PKCS#11 module and signs for the workers.
 *
 * "yett agent" (internal command) runs tokens_agent_main(): it loads the module with p11-kit, logs in, keeps a pool of
 * sessions, and answers the shim's requests from a listening Unix socket that the supervisor made and keeps. It lives
 * across reloads; when it dies, the supervisor starts another on the same socket.
 *
 * PINs: the supervisor reads the PIN from its source and hands it over the control socket; the agent says
 * TOKENS_AGENT_PIN_TRYING before each C_Login and the outcome after it, so that the supervisor knows, whatever happens
 * to the agent, whether a try was spent. A PIN that was refused, or whose try ended in a dead agent without ever having
 * been right, is not tried again until an administrator gives one. A C_Login that failed with an error that is not
 * about the PIN (tokens/ckr.h) is made again, when tokens/agent/agent_health.h says so. What a token remembers counts
 * as well, since we may have been started anew: one that says CKF_USER_PIN_COUNT_LOW has had a wrong PIN since the last
 * right one, and a service manager that starts us three times must not lock it.
 *
 * An agent of `file_keys` has no vendor's module, but one that computes, and the private keys of files, which the
 * supervisor brings (tokens/agent/agent_files.h). All else is the same to those who ask.
 *
 * Who may ask: a process that the supervisor has started only what TOKENS_AGENT_GRANTS says of it; others (yett check)
 * by their user; of an agent of file keys, nobody else. */
#ifndef YETT_TOKENS_AGENT_AGENT_H
#define YETT_TOKENS_AGENT_AGENT_H

#include "base/base.h"

struct tokens_agent_options {
    const char *module_name;
    const char *module_path;
    int listen_fd;  /* Unix stream socket, listening */
    int control_fd; /* SOCK_SEQPACKET to the supervisor */
    unsigned sessions_max;
    unsigned queue_max;
    uint32_t sign_timeout_ms;
    bool file_keys; /* no vendor's tokens: the module computes with the keys that TOKENS_AGENT_KEYS brings */
    const char *module_parameters; /* for C_Initialize(); NULL: none */
    bool serialise;                /* the module is never called by two threads at a time */
    bool pin_source_spent; /* an agent of this module had TOKENS_AGENT_PIN_INCORRECT or _LOCKED before, or died while
                              TRYING: PINs in files that URIs name (pin-source) are not tried. Else such a PIN is
                              tried once in this agent's life, told by the same events */
};

/* Runs until the control socket closes or says stop, or SIGTERM comes. Returns the exit status; calls _exit() instead
 * when a thread hangs inside the module, whose destructors must not run then. Call it from a process that has done
 * nothing with NSS or PKCS#11 before; it blocks SIGTERM, SIGINT and SIGHUP and forbids core dumps.
 *
 * A token that has kept all its places busy for twice sign_timeout_ms makes the agent say TOKENS_AGENT_FAILED and exit:
 * only a new process helps. */
int tokens_agent_main(const struct tokens_agent_options *options);

/* One message of the control socket, each way: one datagram. X(event, who is to hear it, descriptors that it carries).
 * What is another's to say, or comes with a descriptor that it does not carry, ends the peer: the supervisor kills such
 * an agent, in which a vendor's module runs, and an agent takes its supervisor for lost and ends. */
#define TOKENS_AGENT_MESSAGES(X)                                                                                       \
    X(READY, SUPERVISOR, 0)         /* module loaded and listening. text: module description */                        \
    X(FAILED, SUPERVISOR, 0)        /* cannot go on. text: why; it exits next */                                       \
    X(PIN_WANTED, SUPERVISOR, 0)    /* a token needs login. text: token label */                                       \
    X(PIN, AGENT, 0)                /* for `token`; its text is the PIN (wipe!); see also `knowing` */                 \
    X(PIN_REFUSED, AGENT, 0)        /* none will be given. text: why */                                                \
    X(PIN_TRYING, SUPERVISOR, 0)    /* about to C_Login */                                                             \
    X(PIN_OK, SUPERVISOR, 0)        /* logged in */                                                                    \
    X(PIN_INCORRECT, SUPERVISOR, 0) /* CKR_PIN_INCORRECT */                                                            \
    X(PIN_LOCKED, SUPERVISOR, 0)    /* CKR_PIN_LOCKED or CKF_USER_PIN_FINAL_TRY; text: which */                        \
    X(PIN_HELD, SUPERVISOR, 0)      /* not tried: CKF_USER_PIN_COUNT_LOW. text: why */                                 \
    X(PIN_UNUSED, SUPERVISOR, 0)    /* C_Login failed, and not for the PIN: it is made again. text: how */             \
    X(PIN_TAKEN, SUPERVISOR, 0)     /* a PIN that came unasked is for this token. One outcome follows, or: */          \
    X(PIN_KEPT, SUPERVISOR, 0)      /* not tried now, but at the next login. text: why */                              \
    X(PIN_NOT_TAKEN, SUPERVISOR, 0) /* wiped: it is for no token, or for several. text: why */                         \
    X(TOKEN_GONE, SUPERVISOR, 0)    /* text: token label */                                                            \
    X(TOKEN_BACK, SUPERVISOR, 0)    /* text: token label */                                                            \
    X(LOG, SUPERVISOR, 0)           /* text: a sentence for the log */                                                 \
    X(COUNTERS, SUPERVISOR, 0)      /* counters of struct tokens_agent_message; about once a second when changed */    \
    X(FIGURES, SUPERVISOR, 0)       /* of `token`: `figures`; about once a second when changed */                      \
    X(LOGOUT, AGENT, 0)             /* log out of all tokens, wipe their PINs, log in to none before a PIN comes */    \
    X(LOGGED_OUT, SUPERVISOR, 0)    /* done for one. text: token label */                                              \
    X(CLIENT, AGENT, 0)             /* text: the number of the user who may connect besides root and our own */        \
    X(GRANTS, AGENT, 1)             /* a file that says who may ask for what (tokens/grants.h) */                      \
    X(KEYS, AGENT, 1)               /* file_keys: a memory file with all keys (tokens/file_keys.h) */                  \
    X(STOP, AGENT, 0)               /* finish and exit */

enum tokens_agent_event {
#define TOKENS_AGENT_EVENT(event, receiver, files) TOKENS_AGENT_##event,
    TOKENS_AGENT_MESSAGES(TOKENS_AGENT_EVENT)
#undef TOKENS_AGENT_EVENT
        TOKENS_AGENT_EVENT_COUNT
};

enum tokens_agent_receiver { TOKENS_AGENT_TO_SUPERVISOR, TOKENS_AGENT_TO_AGENT };

/* Why the receiver may not be told this, with a descriptor or without: static, a sentence's end after the message's
 * name; NULL: it may. */
MUST_CHECK const char *tokens_agent_message_fault(enum tokens_agent_event event, bool has_file,
                                                  enum tokens_agent_receiver receiver);
const char *tokens_agent_event_name(enum tokens_agent_event event); /* as in the list */

/* A token is known by its label and its serial number together: "LABEL\nSERIAL", both without padding, the label as
 * tokens_token_label() has it. In a PIN that comes unasked either may be empty: any. */
enum { TOKENS_AGENT_TEXT_MAX = 512, TOKENS_AGENT_TOKEN_SIZE = 160 };

/* What a token has done in this agent's life, and is doing. */
enum { TOKENS_AGENT_BUCKETS = 11, TOKENS_AGENT_CODES = 12 };
extern const unsigned tokens_agent_bucket_ms[TOKENS_AGENT_BUCKETS]; /* upper bounds, growing */

const char *tokens_agent_code_name(uint64_t ckr); /* tokens_ckr_name() */
struct tokens_agent_code {
    uint64_t ckr, count; /* count 0: not in use */
};

struct tokens_agent_figures {
    uint32_t present;                        /* 0: it is not there */
    uint32_t sessions_open, sessions_limit;  /* the limit as the token has it now: it may have shrunk */
    uint32_t busy, queued;                   /* signatures and logins under way, and waiting */
    uint32_t unused;                         /* 0 */
    uint64_t took[TOKENS_AGENT_BUCKETS + 1]; /* signatures made, each counted once, by how long it took; last: longer */
    uint64_t took_us;                        /* all of them together */
    uint64_t timeouts;                       /* given up at their deadline while the token had them */
    struct tokens_agent_code codes[TOKENS_AGENT_CODES]; /* failures at signatures, look-ups and logins, by CKR_ */
    uint64_t other_codes;                               /* failures with a code that found no place there */
};

struct tokens_agent_message {
    enum tokens_agent_event event;
    uint64_t signatures, failures, timeouts, refused, logins; /* COUNTERS */
    struct tokens_agent_figures figures;                      /* FIGURES */
    bool knowing; /* PIN, one that was wanted: it has been right, or somebody has just said that it is; so it is tried
                     though the token says that a wrong one came last (CKF_USER_PIN_COUNT_LOW) */
    char token[TOKENS_AGENT_TOKEN_SIZE]; /* NUL-terminated; "": it is about none */
    char text[TOKENS_AGENT_TEXT_MAX];    /* NUL-terminated */
};

/* One datagram out or in. receive: 1 got one, 0 the other end closed, -1 error (errno; EAGAIN when non-blocking). */
MUST_CHECK bool tokens_agent_send(int fd, const struct tokens_agent_message *message);
MUST_CHECK int tokens_agent_receive(int fd, struct tokens_agent_message *message);
/* The same with a descriptor: `file`, or *file, which is the caller's to close, or -1. One that comes to
 * tokens_agent_receive() is closed. */
MUST_CHECK bool tokens_agent_send_file(int fd, const struct tokens_agent_message *message, int file);
MUST_CHECK int tokens_agent_receive_file(int fd, struct tokens_agent_message *message, int *file);

#endif
