/* A SoftHSM token with keys, and an agent process with a supervisor, for the tests of tokens/. */
#ifndef YETT_TESTS_TOKENS_SUPPORT_H
#define YETT_TESTS_TOKENS_SUPPORT_H

#include "tokens/agent/agent.h"
#include "tokens/manage/manage.h"
#include "tokens/wire.h"

#include <pthread.h>
#include <sys/types.h>

#define TEST_PIN    "1234"
#define TEST_SO_PIN "87654321"

enum { EVENTS_MAX = 512 };

/* A directory of its own, with a SoftHSM configuration that SOFTHSM2_CONF names. */
struct test_store {
    char directory[64];
};

void test_store_create(struct test_store *store);
void test_store_destroy(struct test_store *store);
char *test_store_path(const struct test_store *store, const char *name); /* owned by the caller */

struct tokens_pin *test_pin(const char *text);

/* Through the module itself, in this process. */
struct tokens_module *test_module_load(void);
void test_token_create(struct tokens_module *module, const char *label);
/* Key and, unless cert is false, a certificate for it with the subject CN=label. Its signature means nothing. */
void test_key_create(struct tokens_module *module, const char *token, const char *label, enum tokens_key_type type,
                     bool cert);

/* A certificate in DER for a SubjectPublicKeyInfo; not_after: "YYMMDDHHMMSSZ". Appends. */
void test_cert_write(struct buffer *out, struct span spki, const char *subject, const char *issuer, uint8_t serial,
                     const char *not_after);

/* The SubjectPublicKeyInfo in a PKCS#10 request. */
struct span test_request_spki(struct span der);

/* An agent process, the socket it listens on, and a thread that plays the supervisor. */
struct test_agent {
    char *socket_path;
    int listen_fd;
    int control_fd;
    pid_t pid;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const char *pin;
    bool knowing; /* answer to PIN_WANTED; NULL: refuse */
    struct tokens_agent_message events[EVENTS_MAX];
    size_t event_count;
    bool ended; /* the control socket was closed by the agent */
};

struct test_agent_options {
    const char *module; /* NULL: slow-token.so */
    unsigned sessions, queue;
    unsigned timeout_ms;
    const char *pin;
    bool knowing; /* see struct tokens_agent_message */
};

/* Makes the listening socket and starts an agent on it; waits for READY. */
void test_agent_start(struct test_agent *agent, const struct test_store *store,
                      const struct test_agent_options *options);
/* Another agent on the same socket, after the first has ended or was killed. */
void test_agent_restart(struct test_agent *agent, const struct test_agent_options *options);
void test_agent_kill(struct test_agent *agent, int signal); /* and waits for it */
/* Ends it by closing the control socket; fails unless it exits with `status`. */
void test_agent_stop(struct test_agent *agent, int status);
void test_agent_clear(struct test_agent *agent); /* the socket */
void test_agent_send_pin(struct test_agent *agent, const char *pin);
void test_agent_send_pin_for(struct test_agent *agent, const char *token, const char *pin); /* "LABEL\nSERIAL" */
void test_agent_send_logout(struct test_agent *agent);

/* How often an event came; wait until it came `count` times (gives up after 20 s and fails). */
size_t test_agent_events(struct test_agent *agent, enum tokens_agent_event event);
void test_agent_wait(struct test_agent *agent, enum tokens_agent_event event, size_t count);
void test_agent_wait_refused(struct test_agent *agent, uint64_t refused); /* TOKENS_AGENT_COUNTERS */
void test_agent_expect(struct test_agent *agent, enum tokens_agent_event event, size_t count); /* no more, either */
const char *test_agent_text(struct test_agent *agent, enum tokens_agent_event event);          /* of the last one */

/* Lines of slow-token's count file that are `function`. */
size_t test_count(const char *path, const char *function);
void test_file_create(const char *path);

/* The rules of faulty-token.so from now on, and YETT_FAULTS; calls that it has written down. label NULL: of any token.
 */
void test_faults(const struct test_store *store, const char *rules);
size_t test_calls(const char *path, const char *function, const char *label);

#endif
