/* tokens/agent/agent_internal.h: the parts of the agent process, between themselves.
 *
 *   agent.c          main thread: poll(), connections, control socket, deadlines, start and stop
 *   agent_access.c   who may connect, and ask for what
 *   agent_pool.c     jobs, queues and the threads that do them
 *   agent_token.c    tokens: present or gone, their sessions, the module's recovery
 *   agent_login.c    PINs
 *   agent_find.c     URI to identity
 *   agent_certs.c    URI to certificates
 *   agent_sign.c     identity and digest to signature
 *
 * The words: a *job* is one request; a *place* is the right to be working on a token (token->running of them are
 * taken); a job whose deadline passes while it is worked on is *abandoned*: its client is told, and its thread, place
 * and session stay taken until the module comes back from the call.
 * Locks, in this order: agent->module_lock (read side around every use of the module; write side to re-initialise it,
 * or always when the module cannot lock), token->login_lock, agent->mutex (all that is not said to be constant; never
 * held across a call of the module), conn->mutex. A session is taken and given back inside one stay in the module. */
#ifndef YETT_TOKENS_AGENT_AGENT_INTERNAL_H
#define YETT_TOKENS_AGENT_AGENT_INTERNAL_H

#include "base/buffer.h"
#include "base/kin.h"
#include "tokens/agent/agent.h"
#include "tokens/grants.h"
#include "tokens/key.h"
#include "tokens/module_load.h"
#include "tokens/module.h"
#include "tokens/pin.h"
#include "tokens/wire.h"

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

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
    AGENT_STOP_MS = 2000,        /* how long a stop waits for signatures */
    AGENT_REINIT_MS_MAX = 5000,  /* C_Finalize and C_Initialize at least this often while no token answers */
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
    CK_SLOT_ID slot;
    bool gone;
    unsigned seen_round; /* agent->round when it was last seen */
    unsigned generation; /* goes up when all sessions and handles are lost */

    struct session *idle; /* sessions nobody uses: idle_count of them */
    size_t idle_count, idle_capacity;
    unsigned sessions_open;  /* of this generation, idle or not */
    unsigned sessions_limit; /* shrinks when the token says CKR_SESSION_COUNT */

    pthread_mutex_t login_lock; /* one login at a time */
    enum pin_state pin_state;
    struct tokens_pin *pin;         /* the one in use; under login_lock */
    struct tokens_pin *pin_offered; /* came since; under agent->mutex */
    bool final_try_allowed;         /* an administrator gave the PIN, knowing */
    char *pin_text;                 /* why not */

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

struct agent {
    struct tokens_agent_options options;
    struct tokens_module *module;
    pthread_rwlock_t module_lock;
    int wake_fd; /* eventfd: wakes the main thread */
    int signal_fd;
    uid_t client_uid;             /* who may connect besides root and us; of the main thread */
    pid_t supervisor;             /* constant */
    struct tokens_grants *grants; /* of the main thread; NULL: none yet */
    uint64_t refusal_told_ms;     /* of the main thread */

    pthread_mutex_t mutex;
    pthread_cond_t work; /* a job is ready, or stopping; CLOCK_MONOTONIC as all */
    pthread_cond_t idle; /* a session came back, or a thread ended */
    struct token *tokens;
    unsigned round;            /* of looks at all slots */
    struct token *next_served; /* where the round over the tokens goes on */
    struct identity *identities;
    size_t identity_count;
    struct cert_list *lists; /* the one used last is first */
    struct job *jobs;
    struct job *finds_first, *finds_last;
    size_t finds_queued;
    unsigned finds_running, finds_abandoned;
    uint64_t finds_hanging_since;
    struct token *asking; /* the token PIN_WANTED was sent for */
    struct token *last_asked;
    pthread_t threads[AGENT_THREADS_MAX];
    unsigned thread_count, threads_idle, threads_ended;
    size_t jobs_ready; /* in queues */
    bool stopping;
    bool logged_out; /* by an administrator: no token is logged in to before the next PIN comes */

    uint64_t signatures, failures, timeouts, refused, logins;
    bool counters_changed;

    pthread_t watcher;
    pthread_cond_t watch; /* stopping */
    bool watcher_started, watcher_ended;
    uint64_t module_tried_ms; /* last re-initialisation */
    uint64_t module_retry_ms;
    bool module_broken;

    struct conn *conns[AGENT_CONNS_MAX]; /* main thread only */
    size_t conn_count;
};

/* What a piece of work came to. Everything but OK and WAIT has a sentence. */
enum outcome { OUTCOME_OK = 0, OUTCOME_WAIT_FOR_PIN, OUTCOME_FAILED };

struct failure {
    enum tokens_wire_failure kind;
    CK_RV ckr;
    char *text;              /* owned */
    struct token *waits_for; /* WAIT_FOR_PIN: whose */
};

/* Always OUTCOME_FAILED. */
enum outcome agent_fail(struct failure *failure, enum tokens_wire_failure kind, CK_RV ckr, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* agent.c */
MUST_CHECK bool agent_tell(struct agent *agent, enum tokens_agent_event event, const char *fmt, ...) PRINTF_LIKE(3, 4);
void agent_wake(struct agent *agent);
void agent_reply(struct agent *agent, struct conn *conn, const struct tokens_wire_reply *reply);
void agent_conn_unref(struct agent *agent, struct conn *conn); /* agent->mutex held */

/* agent_access.c: main thread */
MUST_CHECK bool agent_access_connect(struct agent *agent, int fd, struct conn *conn);
MUST_CHECK bool agent_access_request(struct agent *agent, const struct conn *conn,
                                     const struct tokens_wire_request *request);
void agent_access_take_client(struct agent *agent, const char *text);
void agent_access_take_grants(struct agent *agent, int file); /* file stays the caller's */

/* agent_pool.c. All with agent->mutex held, but for the thread itself. */
void agent_pool_submit(struct agent *agent, struct job *job);      /* takes; to job->token's queue, or the look-ups' */
void agent_pool_login(struct agent *agent, struct token *token);   /* submits a job that just logs in */
void agent_pool_logout(struct agent *agent, struct token *token);  /* submits a job that logs out and wipes the PIN */
void agent_pool_requeue(struct agent *agent, struct token *token); /* its parked jobs */
void agent_pool_cancel(struct agent *agent, struct conn *conn);    /* its jobs that wait */
void agent_pool_fail_parked(struct agent *agent, struct token *token, CK_RV ckr, const char *text);
bool agent_pool_has_room(const struct agent *agent, const struct token *token);
uint64_t agent_pool_expire(struct agent *agent,
                           uint64_t now_ms);       /* answers the late ones; gives the next deadline, or 0 */
bool agent_token_hangs(const struct token *token); /* no place is left that would come free */
/* What hung for longer than a whole sign_timeout_ms: "" for the look-ups; NULL: nothing. */
const char *agent_pool_hanging(const struct agent *agent, uint64_t now_ms);
void *agent_pool_thread_main(void *agent);
void agent_pool_answer_failed(struct agent *agent, const struct job *job, enum tokens_wire_failure kind, CK_RV ckr,
                              const char *text);
void agent_job_destroy(struct agent *agent, struct job *job);

/* agent_token.c */
void agent_module_enter(struct agent *agent); /* around every use of the module */
void agent_module_leave(struct agent *agent);
CK_RV agent_tokens_refresh(struct agent *agent); /* module entered: look at all slots, learn and miss tokens */
MUST_CHECK enum outcome agent_session_take(struct token *token, uint64_t deadline_ms, struct session *session,
                                           bool *fresh, struct failure *failure);
void agent_session_give(struct token *token, const struct session *session);
void agent_session_close(struct token *token, const struct session *session); /* it is in some state of its own */
void agent_session_lost(struct token *token, const struct session *session);  /* the others are no better: close all */
bool agent_session_is_gone(CK_RV rv); /* the token forgot the session, the login or the key */
void agent_token_destroy(struct token *token);
MUST_CHECK struct timespec agent_when(uint64_t ms); /* a moment of base_now_ms() for pthread_cond_timedwait() */
void *agent_watcher_main(void *agent);

/* agent_login.c. Module entered. */
MUST_CHECK enum outcome agent_login_ensure(struct token *token, CK_SESSION_HANDLE session, struct failure *failure);
MUST_CHECK enum outcome agent_login_context(struct token *token, CK_SESSION_HANDLE session, struct failure *failure);
/* Whether an administrator has logged out: then nothing is signed on a token that needs a login. */
MUST_CHECK enum outcome agent_login_allowed(struct token *token, struct failure *failure);
/* Log out and wipe the PIN, unless an administrator has logged in since. */
void agent_login_end(struct token *token, CK_SESSION_HANDLE session);
void agent_login_take_pin(struct agent *agent, const char *pin);     /* main thread */
void agent_login_logout(struct agent *agent);                        /* main thread */
void agent_login_refused(struct agent *agent, const char *why);      /* main thread */
void agent_login_offer(struct token *token, struct tokens_pin *pin); /* takes; from a pin-source; agent->mutex held */

/* agent_find.c */
/* agent->mutex held. key_tag 0: any key. NULL: not found yet */
struct identity *agent_identity_get(struct agent *agent, const char *uri, uint64_t key_tag);
MUST_CHECK enum outcome agent_identity_find(struct agent *agent, struct job *job, struct identity **identity,
                                            struct failure *failure);
/* Module entered: the key again, after the token came back. */
MUST_CHECK enum outcome agent_identity_refind(struct identity *identity, const struct session *session,
                                              struct failure *failure);
void agent_identity_destroy(struct identity *identity);

/* Tokens that are there and match the URI's token part: at most AGENT_TOKENS_MAX, and how many. None does: *candidates
 * gets the URIs of those that are there (owned by the caller), or stays NULL. Module entered. */
size_t agent_tokens_matching(struct agent *agent, P11KitUri *uri, struct token **tokens, char **candidates);
void agent_candidate_add(char **candidates, char *uri); /* takes; what would make the sentence too long is left out */

/* agent_certs.c. Module entered. The certificates of job->uri from job->first on, as tokens_wire_certs_encode() has
 * them: as many as fit. */
MUST_CHECK enum outcome agent_certs_list(struct agent *agent, const struct job *job, struct buffer *page,
                                         struct failure *failure);
void agent_cert_list_destroy(struct cert_list *list);

/* agent_sign.c */
MUST_CHECK enum outcome agent_identity_sign(struct identity *identity, struct job *job, uint8_t *signature,
                                            size_t *signature_size, struct failure *failure);

#endif
