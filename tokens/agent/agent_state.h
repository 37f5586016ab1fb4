/* tokens/agent/agent_state.h: what the parts of the agent process share, and how they lie above each other.
 *
 *   agent_main.c     main thread: poll(), control socket, deadlines, start and stop
 *   agent_conn.h     connections, and the requests that come by them
 *   agent_access.h   who may connect, and ask for what
 *   agent_pool.h     jobs, queues and the threads that do them
 *   agent_sign.h     identity and digest to signature
 *   agent_certs.h    URI to certificates
 *   agent_files.h    keys of files, in the place of a vendor's tokens
 *   agent_find.h     URI to identity
 *   agent_identity.h identities that were found
 *   agent_login.h    PINs
 *   agent_watch.h    the thread that looks after tokens: slots, the module's recovery
 *   agent_figures.h  what tokens have done, for who watches
 *   agent_token.h    tokens: present or gone, well or not, their sessions
 *   agent_state.h    what all of them work on
 *
 * Each knows those below it. What those above are to hear goes through struct agent_events.
 *
 * The words: a *job* is one request; a *place* is the right to be working on a token (token->running of them are
 * taken); a job whose deadline passes while it is worked on is *abandoned*: its client is told, and its thread, place
 * and session stay taken until the module comes back from the call.
 * Locks, in this order: agent->module.lock (read side around every use of the module; write side to re-initialise it,
 * or always when the module cannot lock), token->login_lock, agent->mutex (all that is not said to be constant; never
 * held across a call of the module), conn->mutex. A session is taken and given back inside one stay in the module. */
#ifndef YETT_TOKENS_AGENT_AGENT_STATE_H
#define YETT_TOKENS_AGENT_AGENT_STATE_H

#include "base/buffer.h"
#include "base/kin.h"
#include "tokens/agent/agent.h"
#include "tokens/agent/agent_health.h"
#include "tokens/grants.h"
#include "tokens/key.h"
#include "tokens/module_load.h"
#include "tokens/module.h"
#include "tokens/pin.h"
#include "tokens/wire.h"

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

struct agent;
struct job;
struct token;

enum {
    AGENT_CONNS_MAX = 256,       /* connections at once */
    AGENT_CONN_JOBS_MAX = 1024,  /* requests in flight on one */
    AGENT_TOKENS_MAX = 64,       /* tokens known at once */
    AGENT_IDENTITIES_MAX = 1024, /* URIs remembered */
    AGENT_LISTS_MAX = 32,        /* lists of certificates remembered; the one unused for longest makes room */
    AGENT_LIST_BYTES = 1048576,  /* certificates of one list */
    AGENT_THREADS_MAX = 256,     /* worker threads, hung ones included */
    AGENT_FINDS_MAX = 2,         /* look-ups at once */
    AGENT_OUT_MAX = 1048576,     /* bytes waiting for a client that does not read */
    AGENT_POLL_MS = 500,         /* how often tokens are looked for */
    AGENT_SLOT_MS = 2000,        /* a question about slots that takes longer hangs */
    AGENT_LOOK_MS = 4000,        /* who needs to know what is in the slots waits no longer for that */
    AGENT_WATCHERS_MAX = 8,      /* threads that ask about slots, all but one of them hanging */
    AGENT_STOP_MS = 2000,        /* how long a stop waits for signatures */
    AGENT_REINIT_MS_MAX = 3000,  /* C_Finalize and C_Initialize at least this often while no token answers */
    AGENT_REINIT_WAIT_MS = 1500, /* for who is inside the module, before that */
    AGENT_GROW_MS = 1000,        /* a pool of sessions that shrank grows after this, doubled each time in vain */
    AGENT_GROW_MS_MAX = 60000,
};

struct conn {
    int fd;
    bool by_grants;   /* what the supervisor has started: asks only what it was granted */
    pid_t pid;        /* who connected */
    unsigned refs;    /* main thread's, and one for each job; under agent->mutex */
    unsigned jobs;    /* in flight; under agent->mutex */
    bool closed;      /* under mutex */
    struct buffer in; /* main thread only */
    pthread_mutex_t mutex;
    struct buffer out; /* under mutex */
};

struct session {
    CK_SESSION_HANDLE handle;
    unsigned generation; /* of the token when it was opened */
};

/* How far a token's PIN is. See spec: tried once. */
enum pin_state {
    PIN_UNKNOWN,   /* nobody was asked yet */
    PIN_TO_ASK,    /* needed, while another token is being asked about */
    PIN_ASKED,     /* PIN_WANTED was sent */
    PIN_AT_HAND,   /* token->pin may be tried */
    PIN_GOOD,      /* token->pin was right */
    PIN_NOT_GIVEN, /* the supervisor has none */
    PIN_SPENT      /* tried and wrong, or may not be tried: only an administrator can go on */
};

struct token {
    struct token *next;
    struct agent *agent;
    CK_TOKEN_INFO info; /* label, manufacturer, model and serial number are its name; constant */
    char *label;        /* constant */
    char *name;         /* constant: as struct tokens_agent_message has it */
    CK_SLOT_ID slot;
    bool gone;
    unsigned seen_round; /* agent->round when it was last seen */
    unsigned generation; /* goes up when all sessions and handles are lost */

    struct session *idle; /* sessions nobody uses: idle_count of them */
    size_t idle_count, idle_capacity;
    unsigned sessions_open;  /* of this generation, idle or not */
    unsigned sessions_limit; /* shrinks when the token opens no more, and grows again */
    uint64_t grow_ms;        /* when it grows by one; 0: it has not shrunk */
    uint32_t grow_wait_ms;   /* how long it waited for that last */

    pthread_mutex_t login_lock; /* one login at a time */
    enum pin_state pin_state;
    struct tokens_pin *pin;         /* the one in use; under login_lock */
    struct tokens_pin *pin_offered; /* came since; under agent->mutex */
    bool final_try_allowed;         /* an administrator gave the PIN, knowing */
    bool low_allowed;               /* CKF_USER_PIN_COUNT_LOW is no reason against it */
    bool pin_right;                 /* token->pin has been right */
    bool pin_told;                  /* who gave pin_offered unasked waits for what comes of it */
    char *pin_text;                 /* why not */

    struct agent_health health;
    CK_RV failed_with; /* of the last failure that counted for it */

    struct tokens_agent_figures figures, told; /* those of now; those that the supervisor knows of */
    bool figures_told;

    struct job *queue_first, *queue_last;
    size_t queued; /* in the queue or parked */
    unsigned running;
    unsigned abandoned;     /* of those running */
    uint64_t hanging_since; /* when the last place was lost; 0: there are places */
};

/* A URI that was found once. Constant but for key.handle and generation; one that was found different gets a new struct
 * in front of the old, which stays for those who use it. */
struct identity {
    struct identity *next;
    char *uri;
    struct token *token;
    struct tokens_key key;
    unsigned generation; /* of the token when key.handle was found */
    uint64_t key_tag;
    bool pss_raw;          /* RSA-PSS only by padding it here */
    struct buffer encoded; /* tokens_wire_identity */
    unsigned users;        /* jobs that work with it; under agent->mutex */
    /* Of a file: */
    bool of_file;
    bool dropped;   /* not on the list any more: its last user frees it; under agent->mutex */
    unsigned round; /* of agent_files_take() that last told of it; likewise */
    char *problem;  /* why there is no key; NULL: there is one */
};

/* The certificates that a URI named when it was last looked at. */
struct cert_list {
    struct cert_list *next;
    char *uri;
    uint64_t tag;
    struct tokens_cert_list certs;
};

enum job_type { JOB_FIND, JOB_SIGN, JOB_LIST, JOB_LOGIN, JOB_LOGOUT };
enum job_state { JOB_QUEUED, JOB_PARKED, JOB_RUNNING };

struct job {
    struct job *next, *prev; /* all jobs, for their deadlines */
    struct job *queue_next;
    enum job_type type;
    enum job_state state;
    struct conn *conn; /* NULL: JOB_LOGIN or JOB_LOGOUT, nobody to answer */
    uint32_t id;
    uint64_t deadline_ms;
    uint64_t took_us;         /* SIGN: what it took to make */
    struct token *token;      /* whose place it has, or waits for; NULL: a look-up comes first */
    struct token *parked_for; /* PARKED: whose PIN it waits for */
    bool abandoned;           /* the deadline passed while running */
    char *uri;
    uint64_t key_tag;
    enum tokens_wire_mechanism mechanism;
    enum tokens_wire_hash hash;
    uint16_t salt_size;
    uint8_t data[TOKENS_WIRE_DATA_MAX];
    size_t data_size;
    uint16_t first; /* JOB_LIST */
    uint64_t list_tag;
};

/* What those below tell those above. With agent->mutex held, but for `tell` and `reply`, which any thread calls. */
struct agent_events {
    /* Says it to the supervisor, which may be gone. */
    bool (*tell)(struct agent *agent, enum tokens_agent_event event, const char *token, const char *text);
    void (*reply)(struct agent *agent, struct conn *conn, const struct tokens_wire_reply *reply);
    void (*conn_unref)(struct agent *agent, struct conn *conn); /* a job is done with it */
    void (*login_wanted)(struct agent *agent, struct token *token);
    void (*logout_wanted)(struct agent *agent, struct token *token);
    void (*worn_out)(struct agent *agent);                      /* agent->worn_out is set: end */
    void (*pin_came)(struct agent *agent, struct token *token); /* what waited for it can go on */
    void (*no_pin)(struct agent *agent, struct token *token,
                   const char *why); /* what waited for it has waited in vain */
};

/* The module; under its own lock. */
struct agent_module {
    struct tokens_module *loaded;
    pthread_rwlock_t lock;
    uint64_t tried_ms; /* last re-initialisation */
    uint64_t retry_ms;
    bool broken;
};

/* The main thread's: no lock. */
struct agent_front {
    int wake_fd; /* eventfd: wakes it; constant */
    int signal_fd;
    uid_t client_uid;             /* who may connect besides root and us */
    struct tokens_grants *grants; /* NULL: none yet */
    uint64_t refusal_told_ms;
    struct conn *conns[AGENT_CONNS_MAX];
    size_t conn_count;
};

/* The rest: under agent->mutex. */
struct agent_finds {
    struct job *first, *last;
    size_t queued;
    unsigned running, abandoned;
    uint64_t hanging_since;
};

struct agent_threads {
    pthread_cond_t work;    /* a job is ready, or stopping; CLOCK_MONOTONIC as all */
    pthread_cond_t settled; /* a session came back, or a thread ended */
    pthread_t ids[AGENT_THREADS_MAX];
    unsigned count, idle, ended;
    size_t jobs_ready; /* in queues */
};

/* What is asked about slots. A reader that hangs holds the thread that asked: it is left alone then, and another thread
 * goes on without that question. */
enum agent_question { AGENT_ASKS_NOTHING, AGENT_ASKS_EVENT, AGENT_ASKS_LIST, AGENT_ASKS_TOKEN };

struct watch {
    struct agent *agent;
    pthread_t thread;
    bool started, ended;
    enum agent_question question; /* that it has asked the module, */
    CK_SLOT_ID slot;              /* about this, */
    uint64_t since_ms;            /* since then */
    bool hangs;                   /* another one has its place */
};

struct agent_watcher {
    struct watch watches[AGENT_WATCHERS_MAX];
    unsigned turn;       /* whose place it is */
    pthread_cond_t wake; /* stopping, a token fails, or somebody wants to know what is in the slots */
    bool started;
    bool look_wanted;
    uint64_t looks_begun, looks_done; /* the number of the last one */
    bool looked;                      /* at all slots, once: what is new since then has come */
};

/* The keys of files: the main thread's, after the start. */
struct agent_files {
    struct token *token; /* whose slot they are in */
    CK_SESSION_HANDLE session;
    unsigned round;
};

struct agent_counters {
    uint64_t signatures, failures, timeouts, refused, logins;
    bool changed;
};

struct agent {
    struct tokens_agent_options options;
    const struct agent_events *events; /* static */
    pid_t supervisor;                  /* constant, like these two */
    struct agent_module module;
    struct agent_front front;

    pthread_mutex_t mutex;
    struct token *tokens;
    unsigned round;            /* of looks at all slots */
    struct token *next_served; /* where the round over the tokens goes on */
    struct identity *identities;
    size_t identity_count;
    struct cert_list *lists; /* the one used last is first */
    struct job *jobs;
    struct agent_finds finds;
    struct token *asking; /* the token PIN_WANTED was sent for */
    struct token *last_asked;
    struct agent_threads threads;
    struct agent_watcher watcher;
    struct agent_files files;
    struct agent_counters counters;
    bool stopping;
    const struct token *worn_out; /* only another process may have it again; NULL: none */
    bool logged_out;              /* by an administrator: no token is logged in to before the next PIN comes */
};

/* What a piece of work came to. Everything but OK and WAIT has a sentence. */
enum outcome { OUTCOME_OK = 0, OUTCOME_WAIT_FOR_PIN, OUTCOME_FAILED };

struct failure {
    enum tokens_wire_failure kind;
    CK_RV ckr;
    char *text;              /* owned */
    struct token *waits_for; /* WAIT_FOR_PIN: whose. FAILED: one that did not log in, and may yet; NULL: nobody */
};

/* Always OUTCOME_FAILED. */
enum outcome agent_fail(struct failure *failure, enum tokens_wire_failure kind, CK_RV ckr, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

MUST_CHECK bool agent_tell(struct agent *agent, enum tokens_agent_event event, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same, about a token. */
MUST_CHECK bool agent_tell_of(const struct token *token, enum tokens_agent_event event, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
MUST_CHECK struct timespec agent_when(uint64_t ms); /* a moment of base_now_ms() for pthread_cond_timedwait() */

#endif
