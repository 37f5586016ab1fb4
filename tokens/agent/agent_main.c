/* The agent's main thread: the supervisor, deadlines, start and stop. See tokens/agent/agent.h and
 * tokens/agent/agent_state.h
 *
 * It never calls a vendor's module once it is initialised, so nothing a token does can keep it from answering. */
#include "tokens/agent/agent_access.h"
#include "tokens/agent/agent_certs.h"
#include "tokens/agent/agent_conn.h"
#include "tokens/agent/agent_figures.h"
#include "tokens/agent/agent_files.h"
#include "tokens/agent/agent_find.h"
#include "tokens/agent/agent_login.h"
#include "tokens/agent/agent_pool.h"
#include "tokens/agent/agent_token.h"
#include "tokens/agent/agent_watch.h"
#include "tokens/pss.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COUNTERS_MS = 1000 };

static bool tell(struct agent *agent, enum tokens_agent_event event, const char *token, const char *text)
{
    struct tokens_agent_message message = {.event = event};

    snprintf(message.token, sizeof(message.token), "%s", token);
    snprintf(message.text, sizeof(message.text), "%s", text);
    return tokens_agent_send(agent->options.control_fd, &message);
}

enum control_turn { CONTROL_MORE, CONTROL_NOTHING, CONTROL_END };

/* One message of the supervisor's. */
static enum control_turn on_control(struct agent *agent)
{
    struct tokens_agent_message message;
    bool go_on = true;
    int file, got = tokens_agent_receive_file(agent->options.control_fd, &message, &file);

    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? CONTROL_NOTHING
               : errno == EBADMSG                      ? CONTROL_MORE
                                                       : CONTROL_END;
    if (got == 0)
        return CONTROL_END;
    if (tokens_agent_message_fault(message.event, file >= 0, TOKENS_AGENT_TO_AGENT) != NULL) {
        go_on = false; /* who holds this socket is not the supervisor that it was */
    } else if (message.event == TOKENS_AGENT_PIN) {
        agent_login_take_pin(agent, message.token, message.text, message.knowing);
    } else if (message.event == TOKENS_AGENT_PIN_REFUSED) {
        agent_login_refused(agent, message.text);
    } else if (message.event == TOKENS_AGENT_LOGOUT) {
        agent_login_logout(agent);
    } else if (message.event == TOKENS_AGENT_CLIENT) {
        agent_access_take_client(agent, message.text);
    } else if (message.event == TOKENS_AGENT_GRANTS) {
        agent_access_take_grants(agent, file);
    } else if (message.event == TOKENS_AGENT_KEYS) {
        go_on = agent->options.file_keys; /* one that has a vendor's module must not get them */
        if (go_on)
            agent_files_take(agent, file);
    } else {
        assert(message.event == TOKENS_AGENT_STOP);
        go_on = false;
    }
    if (file >= 0)
        close(file);
    base_wipe(&message, sizeof(message));
    return go_on ? CONTROL_MORE : CONTROL_END;
}

/* All that the supervisor has said until now. Looked for before any request is served, whatever poll() has seen: what a
 * worker may ask for is said before that worker is started. Returns whether to go on. */
static bool hear_supervisor(struct agent *agent)
{
    enum control_turn turn;

    do
        turn = on_control(agent);
    while (turn == CONTROL_MORE);
    return turn == CONTROL_NOTHING;
}

static void tell_counters(struct agent *agent)
{
    struct tokens_agent_message message = {.event = TOKENS_AGENT_COUNTERS};

    pthread_mutex_lock(&agent->mutex);
    message.signatures = agent->counters.signatures;
    message.failures = agent->counters.failures;
    message.timeouts = agent->counters.timeouts;
    message.refused = agent->counters.refused;
    message.logins = agent->counters.logins;
    if (agent->counters.changed)
        agent->counters.changed = !tokens_agent_send(agent->options.control_fd, &message);
    agent_figures_tell(agent);
    pthread_mutex_unlock(&agent->mutex);
}

/* Wakes at the next deadline, and once a second for the counters. */
static int poll_timeout(uint64_t deadline_ms, uint64_t now_ms)
{
    uint64_t wait = COUNTERS_MS;

    if (deadline_ms != 0)
        wait = deadline_ms <= now_ms ? 0 : deadline_ms - now_ms;
    return (int)(wait < COUNTERS_MS ? wait : COUNTERS_MS);
}

enum { POLL_CONTROL, POLL_SIGNAL, POLL_WAKE, POLL_LISTEN, POLL_CONNS };

static nfds_t poll_set(struct agent *agent, struct pollfd *set)
{
    set[POLL_CONTROL] = (struct pollfd){.fd = agent->options.control_fd, .events = POLLIN};
    set[POLL_SIGNAL] = (struct pollfd){.fd = agent->front.signal_fd, .events = POLLIN};
    set[POLL_WAKE] = (struct pollfd){.fd = agent->front.wake_fd, .events = POLLIN};
    set[POLL_LISTEN] = (struct pollfd){.fd = agent->front.conn_count < AGENT_CONNS_MAX ? agent->options.listen_fd : -1,
                                       .events = POLLIN};
    for (size_t i = 0; i < agent->front.conn_count; i++) {
        struct conn *conn = agent->front.conns[i];

        set[POLL_CONNS + i] = (struct pollfd){.fd = conn->fd, .events = POLLIN};
        pthread_mutex_lock(&conn->mutex);
        if (conn->out.size != 0)
            set[POLL_CONNS + i].events |= POLLOUT;
        pthread_mutex_unlock(&conn->mutex);
    }
    return (nfds_t)(POLL_CONNS + agent->front.conn_count);
}

/* What only another process mends: a sentence, owned by the caller; NULL: nothing. agent->mutex held. */
static char *reason_to_end(struct agent *agent, uint64_t now_ms)
{
    const char *hanging = agent_pool_hanging(agent, now_ms);
    char code[TOKENS_CKR_TEXT_SIZE];

    if (hanging != NULL)
        return base_printf("%s%s hangs inside the module: starting over", hanging[0] == '\0' ? "a look-up" : "token ",
                           hanging);
    if (agent_watch_is_hopeless(agent, now_ms))
        return base_strdup("a question about slots hangs inside the module, and no token is served: starting over");
    if (agent->worn_out != NULL)
        return base_printf("token %s fails (%s), whatever was tried: starting over", agent->worn_out->label,
                           tokens_ckr_text(agent->worn_out->failed_with, code));
    return NULL;
}

/* Runs until told to stop. Returns why another process has to go on (owned by the caller), or NULL after an ordinary
 * stop. */
static char *serve(struct agent *agent)
{
    struct pollfd set[POLL_CONNS + AGENT_CONNS_MAX];
    uint64_t counters_ms = base_now_ms(), deadline_ms = 0;

    for (;;) {
        nfds_t count = poll_set(agent, set);
        uint64_t now_ms = base_now_ms(), drained;
        char *reason;

        if (poll(set, count, poll_timeout(deadline_ms, now_ms)) < 0)
            continue; /* EINTR is all it can be */
        if ((set[POLL_SIGNAL].revents & POLLIN) != 0)
            return NULL;
        if (!hear_supervisor(agent))
            return NULL;
        if ((set[POLL_WAKE].revents & POLLIN) != 0)
            (void)!read(agent->front.wake_fd, &drained, sizeof(drained));
        /* From the end: closing one moves the last, already served, into its place. */
        for (size_t i = count - POLL_CONNS; i > 0; i--)
            if (set[POLL_CONNS + i - 1].revents != 0 &&
                !agent_conn_serve(agent, agent->front.conns[i - 1], set[POLL_CONNS + i - 1].revents))
                agent_conn_close(agent, i - 1);
        if ((set[POLL_LISTEN].revents & POLLIN) != 0)
            agent_conns_accept(agent);
        now_ms = base_now_ms();
        pthread_mutex_lock(&agent->mutex);
        deadline_ms = agent_pool_expire(agent, now_ms);
        agent_watch_check(agent, now_ms);
        reason = reason_to_end(agent, now_ms);
        pthread_mutex_unlock(&agent->mutex);
        if (reason != NULL)
            return reason;
        if (now_ms - counters_ms >= COUNTERS_MS) {
            counters_ms = now_ms;
            tell_counters(agent);
        }
    }
}

/* Some are inside the module for good: nobody will ever join them. */
static void detach_threads(struct agent *agent)
{
    for (unsigned i = 0; i < agent->threads.count; i++)
        pthread_detach(agent->threads.ids[i]);
    agent_watch_detach(agent);
}

/* Signatures under way may finish; what waits is dropped. false: a thread does not come back. */
static bool stop_threads(struct agent *agent)
{
    struct timespec until = agent_when(base_now_ms() + AGENT_STOP_MS);
    bool ended;

    pthread_mutex_lock(&agent->mutex);
    agent->stopping = true;
    pthread_cond_broadcast(&agent->threads.work);
    pthread_cond_broadcast(&agent->watcher.wake);
    do
        ended = agent->threads.ended == agent->threads.count && agent_watch_has_ended(agent);
    while (!ended && pthread_cond_timedwait(&agent->threads.settled, &agent->mutex, &until) == 0);
    pthread_mutex_unlock(&agent->mutex);
    if (!ended)
        return false;
    for (unsigned i = 0; i < agent->threads.count; i++)
        pthread_join(agent->threads.ids[i], NULL);
    agent_watch_join(agent);
    return true;
}

/* The PINs of all tokens; also while threads hang. */
static void wipe_pins(struct agent *agent)
{
    pthread_mutex_lock(&agent->mutex);
    for (struct token *t = agent->tokens; t != NULL; t = t->next) {
        if (pthread_mutex_trylock(&t->login_lock) == 0) {
            tokens_pin_destroy(&t->pin);
            pthread_mutex_unlock(&t->login_lock);
        }
        tokens_pin_destroy(&t->pin_offered);
    }
    pthread_mutex_unlock(&agent->mutex);
}

static void agent_destroy(struct agent *agent)
{
    pthread_mutex_lock(&agent->mutex);
    while (agent->jobs != NULL) {
        struct job *job = agent->jobs;

        agent->jobs = job->next;
        agent_job_destroy(agent, job);
    }
    pthread_mutex_unlock(&agent->mutex);
    while (agent->front.conn_count != 0)
        agent_conn_close(agent, agent->front.conn_count - 1);
    while (agent->identities != NULL) {
        struct identity *identity = agent->identities;

        agent->identities = identity->next;
        agent_identity_destroy(identity);
    }
    while (agent->lists != NULL) {
        struct cert_list *list = agent->lists;

        agent->lists = list->next;
        agent_cert_list_destroy(list);
    }
    while (agent->tokens != NULL) {
        struct token *token = agent->tokens;

        agent->tokens = token->next;
        agent_token_destroy(token);
    }
    tokens_grants_destroy(&agent->front.grants);
    tokens_module_unload(&agent->module.loaded);
    tokens_pss_stop();
    close(agent->front.wake_fd);
    close(agent->front.signal_fd);
    pthread_cond_destroy(&agent->threads.work);
    pthread_cond_destroy(&agent->threads.settled);
    pthread_cond_destroy(&agent->watcher.wake);
    pthread_mutex_destroy(&agent->mutex);
    pthread_rwlock_destroy(&agent->module.lock);
    free(agent);
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void no_pin(struct agent *agent, struct token *token, const char *why)
{
    agent_pool_fail_parked(agent, token, CKR_USER_NOT_LOGGED_IN, why);
}

static const struct agent_events events = {.tell = tell,
                                           .reply = agent_conn_reply,
                                           .conn_unref = agent_conn_unref,
                                           .login_wanted = agent_pool_login,
                                           .logout_wanted = agent_pool_logout,
                                           .worn_out = agent_conn_wake,
                                           .pin_came = agent_pool_requeue,
                                           .no_pin = no_pin};

static struct agent *agent_create(const struct tokens_agent_options *options)
{
    struct agent *agent = base_alloc(sizeof(*agent));
    pthread_rwlockattr_t module_lock;
    sigset_t signals;

    agent->options = *options;
    agent->events = &events;
    agent->front.client_uid = geteuid();
    agent->supervisor = getppid();
    if (agent->options.sessions_max == 0)
        agent->options.sessions_max = 1;
    if (agent->options.sessions_max > AGENT_THREADS_MAX - AGENT_FINDS_MAX)
        agent->options.sessions_max = AGENT_THREADS_MAX - AGENT_FINDS_MAX;
    /* Else who wants to have the module alone would wait for as long as there is something to sign. */
    pthread_rwlockattr_init(&module_lock);
    pthread_rwlockattr_setkind_np(&module_lock, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&agent->module.lock, &module_lock);
    pthread_rwlockattr_destroy(&module_lock);
    pthread_mutex_init(&agent->mutex, NULL);
    cond_init(&agent->threads.work);
    cond_init(&agent->threads.settled);
    cond_init(&agent->watcher.wake);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT); /* Ctrl-C goes to all of the terminal: the supervisor decides */
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    agent->front.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    agent->front.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (agent->front.signal_fd < 0 || agent->front.wake_fd < 0)
        base_abort("cannot start the agent of module %s: %s", options->module_name, strerror(errno));
    return agent;
}

static void set_flags(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static bool agent_start(struct agent *agent)
{
    const struct tokens_module_settings settings = {.parameters = agent->options.module_parameters,
                                                    .serialise = agent->options.serialise};
    char *error = NULL;
    CK_INFO info;

    agent->module.loaded = tokens_module_load_with(agent->options.module_path, &settings, &error);
    if (agent->module.loaded == NULL) {
        (void)!agent_tell(agent, TOKENS_AGENT_FAILED, "%s", error);
        free(error);
        return false;
    }
    if (agent->module.loaded->serialise && !settings.serialise)
        (void)!agent_tell(agent, TOKENS_AGENT_LOG, "module %s cannot lock: its tokens sign one after the other",
                          agent->options.module_name);
    if (agent->module.loaded->p11->C_GetInfo(&info) != CKR_OK)
        memset(info.libraryDescription, ' ', sizeof(info.libraryDescription));
    if (agent->options.file_keys && !agent_files_start(agent, &error)) {
        (void)!agent_tell(agent, TOKENS_AGENT_FAILED, "%s", error);
        free(error);
        return false;
    }
    if (!agent->options.file_keys && !agent_watch_start(agent)) {
        (void)!agent_tell(agent, TOKENS_AGENT_FAILED, "cannot start a thread");
        return false;
    }
    /* Who asks for a token at once finds it known. */
    agent_module_enter(agent);
    agent_tokens_look(agent);
    agent_module_leave(agent);
    return agent_tell(agent, TOKENS_AGENT_READY, "%.*s",
                      (int)p11_kit_space_strlen(info.libraryDescription, sizeof(info.libraryDescription)),
                      (const char *)info.libraryDescription);
}

/* see tokens/agent/agent.h */
int tokens_agent_main(const struct tokens_agent_options *options)
{
    struct rlimit no_core = {0, 0};
    struct agent *agent;
    char *reason = NULL;
    bool started;
    int dumpable = prctl(PR_GET_DUMPABLE);

    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    set_flags(options->listen_fd);
    set_flags(options->control_fd);
    agent = agent_create(options);
    started = agent_start(agent);
    if (started)
        reason = serve(agent);
    if (reason != NULL)
        (void)!agent_tell(agent, TOKENS_AGENT_FAILED, "%s", reason);
    tell_counters(agent);
    if ((reason != NULL && agent->worn_out == NULL) || !stop_threads(agent)) {
        detach_threads(agent);
        wipe_pins(agent);
        _exit(reason != NULL ? 1 : 0);
    }
    agent_destroy(agent);
    if (dumpable > 0)
        prctl(PR_SET_DUMPABLE, dumpable); /* no PIN is left */
    started = started && reason == NULL;
    free(reason);
    return started ? 0 : 1;
}
