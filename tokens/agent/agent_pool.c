/* Jobs, their queues, and the threads that do them. See tokens/agent/agent_pool.h */
#include "tokens/agent/agent_pool.h"
#include "tokens/agent/agent_certs.h"
#include "tokens/agent/agent_figures.h"
#include "tokens/agent/agent_files.h"
#include "tokens/agent/agent_find.h"
#include "tokens/agent/agent_login.h"
#include "tokens/agent/agent_sign.h"

#include <stdlib.h>

static void list_add(struct agent *agent, struct job *job)
{
    job->prev = NULL;
    job->next = agent->jobs;
    if (agent->jobs != NULL)
        agent->jobs->prev = job;
    agent->jobs = job;
}

static void list_remove(struct agent *agent, struct job *job)
{
    if (job->prev != NULL)
        job->prev->next = job->next;
    else
        agent->jobs = job->next;
    if (job->next != NULL)
        job->next->prev = job->prev;
    job->next = job->prev = NULL;
}

/* see tokens/agent/agent_pool.h */
void agent_job_destroy(struct agent *agent, struct job *job)
{
    if (job->conn != NULL) {
        job->conn->jobs--;
        agent->events->conn_unref(agent, job->conn);
    }
    free(job->uri);
    free(job);
}

/* see tokens/agent/agent_pool.h */
void agent_pool_answer_failed(struct agent *agent, const struct job *job, enum tokens_wire_failure kind, CK_RV ckr,
                              const char *text)
{
    struct tokens_wire_reply reply = {
        .type = TOKENS_WIRE_FAILED, .id = job->id, .failure = kind, .ckr = ckr, .text = span_of_string(text)};

    if (job->conn != NULL)
        agent->events->reply(agent, job->conn, &reply);
}

/* The threads that all places together can keep busy. */
static unsigned threads_wanted(const struct agent *agent)
{
    unsigned wanted = AGENT_FINDS_MAX;

    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        wanted += t->sessions_limit;
    return wanted < AGENT_THREADS_MAX ? wanted : AGENT_THREADS_MAX;
}

static void wake_a_thread(struct agent *agent)
{
    if (agent->threads.jobs_ready > agent->threads.idle && agent->threads.count < threads_wanted(agent) &&
        pthread_create(&agent->threads.ids[agent->threads.count], NULL, agent_pool_thread_main, agent) == 0)
        agent->threads.count++;
    pthread_cond_signal(&agent->threads.work);
}

static void enqueue(struct agent *agent, struct job *job)
{
    struct job **first = job->token != NULL ? &job->token->queue_first : &agent->finds.first;
    struct job **last = job->token != NULL ? &job->token->queue_last : &agent->finds.last;

    job->state = JOB_QUEUED;
    job->queue_next = NULL;
    if (*first == NULL)
        *first = job;
    else
        (*last)->queue_next = job;
    *last = job;
    agent->threads.jobs_ready++;
    wake_a_thread(agent);
}

/* The counts that queue_max is about: what waits, in a queue or for a PIN. */
static size_t *waiting_count(struct agent *agent, struct job *job)
{
    return job->token != NULL ? &job->token->queued : &agent->finds.queued;
}

/* see tokens/agent/agent_pool.h */
bool agent_pool_has_room(const struct agent *agent, const struct token *token)
{
    return (token != NULL ? token->queued : agent->finds.queued) < agent->options.queue_max;
}

/* see tokens/agent/agent_pool.h */
void agent_pool_submit(struct agent *agent, struct job *job)
{
    list_add(agent, job);
    ++*waiting_count(agent, job);
    enqueue(agent, job);
}

/* see tokens/agent/agent_pool.h */
void agent_pool_login(struct agent *agent, struct token *token)
{
    struct job *job = base_alloc(sizeof(*job));

    job->type = JOB_LOGIN;
    job->token = token;
    job->uri = base_strdup("");
    job->deadline_ms = base_now_ms() + agent->options.sign_timeout_ms;
    agent_pool_submit(agent, job);
}

/* see tokens/agent/agent_pool.h */
void agent_pool_logout(struct agent *agent, struct token *token)
{
    struct job *job = base_alloc(sizeof(*job));

    job->type = JOB_LOGOUT;
    job->token = token;
    job->uri = base_strdup("");
    job->deadline_ms = base_now_ms() + agent->options.sign_timeout_ms;
    agent_pool_submit(agent, job);
}

/* see tokens/agent/agent_pool.h */
void agent_pool_requeue(struct agent *agent, struct token *token)
{
    for (struct job *job = agent->jobs; job != NULL; job = job->next)
        if (job->state == JOB_PARKED && job->parked_for == token)
            enqueue(agent, job);
}

/* Take a waiting job away for good; the caller has answered it. */
static void drop_waiting(struct agent *agent, struct job *job)
{
    struct job **first = job->token != NULL ? &job->token->queue_first : &agent->finds.first;
    struct job **last = job->token != NULL ? &job->token->queue_last : &agent->finds.last;
    struct job *before = NULL;

    if (job->state == JOB_QUEUED) {
        for (struct job *j = *first; j != job; j = j->queue_next)
            before = j;
        if (before == NULL)
            *first = job->queue_next;
        else
            before->queue_next = job->queue_next;
        if (*last == job)
            *last = before;
        agent->threads.jobs_ready--;
    }
    --*waiting_count(agent, job);
    list_remove(agent, job);
    agent_job_destroy(agent, job);
}

/* see tokens/agent/agent_pool.h */
void agent_pool_fail_parked(struct agent *agent, struct token *token, CK_RV ckr, const char *text)
{
    struct job *next;

    for (struct job *job = agent->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->state != JOB_PARKED || job->parked_for != token)
            continue;
        agent_pool_answer_failed(agent, job, TOKENS_WIRE_LOGIN, ckr, text);
        agent->counters.failures++;
        agent->counters.changed = true;
        drop_waiting(agent, job);
    }
}

/* see tokens/agent/agent_pool.h */
void agent_pool_cancel(struct agent *agent, struct conn *conn)
{
    struct job *next;

    for (struct job *job = agent->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->conn == conn && job->state != JOB_RUNNING)
            drop_waiting(agent, job);
    }
}

/* see tokens/agent/agent_pool.h */
bool agent_token_hangs(const struct token *token)
{
    return token->abandoned != 0 && token->abandoned >= token->sessions_limit;
}

static void abandon(struct agent *agent, struct job *job, uint64_t now_ms)
{
    char *text =
        base_printf("no answer from %s%s%s within its deadline", job->token != NULL ? "token \"" : "the module",
                    job->token != NULL ? job->token->label : "", job->token != NULL ? "\"" : "");

    job->abandoned = true;
    agent_pool_answer_failed(agent, job, TOKENS_WIRE_TIMEOUT, CKR_FUNCTION_FAILED, text);
    (void)!agent_tell(agent, TOKENS_AGENT_LOG, "%s", text);
    free(text);
    if (job->token == NULL) {
        agent->finds.abandoned++;
        if (agent->finds.abandoned == AGENT_FINDS_MAX)
            agent->finds.hanging_since = now_ms;
        return;
    }
    job->token->abandoned++;
    if (job->type == JOB_SIGN)
        agent_figures_timed_out(job->token);
    if (agent_token_hangs(job->token) && job->token->hanging_since == 0)
        job->token->hanging_since = now_ms;
}

static void answer_parked(struct agent *agent, struct job *job)
{
    const struct token *token = job->parked_for;
    char code[TOKENS_CKR_TEXT_SIZE], *text;

    if (!token->health.login_failed) {
        agent_pool_answer_failed(agent, job, TOKENS_WIRE_LOGIN, CKR_USER_NOT_LOGGED_IN, "the token waits for its PIN");
        return;
    }
    text = base_printf("token \"%s\" does not log in: %s", token->label, tokens_ckr_text(token->failed_with, code));
    agent_pool_answer_failed(agent, job, TOKENS_WIRE_GONE, token->failed_with, text);
    free(text);
}

/* see tokens/agent/agent_pool.h */
uint64_t agent_pool_expire(struct agent *agent, uint64_t now_ms)
{
    uint64_t deadline_ms = 0;
    struct job *next;

    for (struct job *job = agent->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->abandoned)
            continue;
        if (now_ms < job->deadline_ms) {
            if (deadline_ms == 0 || job->deadline_ms < deadline_ms)
                deadline_ms = job->deadline_ms;
            continue;
        }
        agent->counters.timeouts++;
        agent->counters.changed = true;
        if (job->type == JOB_LOGIN)
            agent_login_late(job->token, "the token is busy; it is tried when there is time");
        switch (job->state) {
        case JOB_RUNNING:
            abandon(agent, job, now_ms);
            break;
        case JOB_QUEUED:
            agent_pool_answer_failed(agent, job, TOKENS_WIRE_TIMEOUT, CKR_FUNCTION_FAILED,
                                     "the deadline passed while the request was waiting its turn");
            drop_waiting(agent, job);
            break;
        case JOB_PARKED:
            answer_parked(agent, job);
            drop_waiting(agent, job);
            break;
        }
    }
    return deadline_ms;
}

/* see tokens/agent/agent_pool.h */
const char *agent_pool_hanging(const struct agent *agent, uint64_t now_ms)
{
    if (agent->finds.hanging_since != 0 && agent->finds.abandoned >= AGENT_FINDS_MAX &&
        now_ms - agent->finds.hanging_since >= agent->options.sign_timeout_ms)
        return "";
    for (const struct token *t = agent->tokens; t != NULL; t = t->next)
        if (t->hanging_since != 0 && agent_token_hangs(t) &&
            now_ms - t->hanging_since >= agent->options.sign_timeout_ms)
            return t->label;
    return NULL;
}

static struct job *dequeue(struct agent *agent, struct job **first, struct job **last)
{
    struct job *job = *first;

    *first = job->queue_next;
    if (*first == NULL)
        *last = NULL;
    job->queue_next = NULL;
    job->state = JOB_RUNNING;
    --*waiting_count(agent, job);
    agent->threads.jobs_ready--;
    return job;
}

static struct job *take_from_token(struct agent *agent, struct token *token)
{
    if (token->queue_first == NULL || token->running >= token->sessions_limit)
        return NULL;
    token->running++;
    return dequeue(agent, &token->queue_first, &token->queue_last);
}

/* A look-up, or the next token's turn: none can starve another. */
static struct job *take_job(struct agent *agent)
{
    struct token *start = agent->next_served != NULL ? agent->next_served : agent->tokens;
    struct token *token = start;
    struct job *job = NULL;

    if (agent->finds.first != NULL && agent->finds.running < AGENT_FINDS_MAX) {
        agent->finds.running++;
        return dequeue(agent, &agent->finds.first, &agent->finds.last);
    }
    while (token != NULL && job == NULL) {
        job = take_from_token(agent, token);
        token = token->next != NULL ? token->next : agent->tokens;
        if (job != NULL)
            agent->next_served = token;
        if (token == start)
            break;
    }
    return job;
}

/* What a job came to, as long as it lasts. */
struct result {
    enum outcome outcome;
    struct failure failure;
    struct identity *identity;
    struct buffer page; /* JOB_LIST */
    uint8_t signature[TOKENS_WIRE_SIGNATURE_MAX];
    size_t signature_size;
};

static enum outcome run_login(struct agent *agent, struct job *job, struct failure *failure)
{
    struct session session;
    bool fresh;
    enum outcome outcome;

    outcome = agent_session_take(job->token, job->deadline_ms, &session, &fresh, failure);
    if (outcome != OUTCOME_OK) {
        agent_login_keep(job->token, failure->text);
        return outcome;
    }
    outcome = agent_login_ensure(job->token, session.handle, failure);
    agent_login_keep(job->token, failure->text != NULL ? failure->text : "the token needs no login");
    if (outcome == OUTCOME_OK) {
        pthread_mutex_lock(&agent->mutex);
        agent_pool_requeue(agent, job->token);
        pthread_mutex_unlock(&agent->mutex);
    }
    if (outcome == OUTCOME_FAILED && agent_session_is_gone(failure->ckr) && failure->kind != TOKENS_WIRE_LOGIN)
        agent_session_lost(job->token, &session);
    else
        agent_session_give(job->token, &session);
    return outcome;
}

static enum outcome run_logout(struct job *job, struct failure *failure)
{
    struct session session;
    bool fresh;
    enum outcome outcome = agent_session_take(job->token, job->deadline_ms, &session, &fresh, failure);

    agent_login_end(job->token, outcome == OUTCOME_OK ? session.handle : CK_INVALID_HANDLE);
    if (outcome == OUTCOME_OK)
        agent_session_lost(job->token, &session); /* with all others: what they know of keys is no longer so */
    return outcome;
}

/* The key of a file may have been dropped while the job waited. */
static enum outcome run_sign(struct agent *agent, struct job *job, struct result *result)
{
    uint64_t begun_us = agent_figures_now_us();
    enum outcome outcome;

    pthread_mutex_lock(&agent->mutex);
    result->identity = agent_identity_get(agent, job->uri, job->key_tag);
    if (result->identity != NULL)
        result->identity->users++;
    pthread_mutex_unlock(&agent->mutex);
    if (result->identity == NULL || result->identity->problem != NULL)
        return agent_fail(&result->failure, TOKENS_WIRE_KEY_CHANGED, CKR_KEY_CHANGED,
                          "%s is not in use any more: it belongs to another configuration", job->uri);
    outcome = agent_identity_sign(result->identity, job, result->signature, &result->signature_size, &result->failure);
    job->took_us = agent_figures_now_us() - begun_us;
    return outcome;
}

static void run(struct agent *agent, struct job *job, struct result *result)
{
    agent_module_enter(agent);
    if (job->type == JOB_LIST) {
        result->outcome = agent_certs_list(agent, job, &result->page, &result->failure);
    } else if (job->token == NULL) {
        result->outcome = agent->options.file_keys
                              ? agent_files_find(agent, job, &result->identity, &result->failure)
                              : agent_identity_find(agent, job, &result->identity, &result->failure);
    } else if (job->type == JOB_LOGIN) {
        result->outcome = run_login(agent, job, &result->failure);
    } else if (job->type == JOB_LOGOUT) {
        result->outcome = run_logout(job, &result->failure);
    } else {
        result->outcome = run_sign(agent, job, result);
    }
    agent_module_leave(agent);
    /* Whoever starts has time until the token has pulled itself together. */
    if (result->outcome == OUTCOME_FAILED && job->type == JOB_FIND && result->failure.waits_for != NULL) {
        free(result->failure.text);
        result->failure.text = NULL;
        result->outcome = OUTCOME_WAIT_FOR_PIN;
    }
    if (job->token == NULL && job->type == JOB_SIGN && result->outcome == OUTCOME_OK &&
        result->identity->key_tag != job->key_tag)
        result->outcome = agent_fail(&result->failure, TOKENS_WIRE_KEY_CHANGED, CKR_KEY_CHANGED,
                                     "%s names another key than when it was opened: reload", job->uri);
}

static void answer(struct agent *agent, const struct job *job, const struct result *result)
{
    struct tokens_wire_reply reply = {.id = job->id};

    if (job->conn == NULL)
        return;
    if (result->outcome != OUTCOME_OK) {
        agent_pool_answer_failed(agent, job, result->failure.kind, result->failure.ckr, result->failure.text);
        return;
    }
    if (job->type == JOB_FIND) {
        reply.type = TOKENS_WIRE_FOUND;
        reply.identity = buffer_span(&result->identity->encoded);
    } else if (job->type == JOB_LIST) {
        reply.type = TOKENS_WIRE_LISTED;
        reply.certs = buffer_span(&result->page);
    } else {
        reply.type = TOKENS_WIRE_SIGNED;
        reply.signature = span_of(result->signature, result->signature_size);
    }
    agent->events->reply(agent, job->conn, &reply);
}

/* The place is free again, or for a look-up its share. */
static void leave_place(struct agent *agent, struct job *job)
{
    if (job->token == NULL) {
        agent->finds.running--;
        if (job->abandoned && agent->finds.abandoned-- == AGENT_FINDS_MAX)
            agent->finds.hanging_since = 0;
    } else {
        job->token->running--;
        if (job->abandoned) {
            job->token->abandoned--;
            job->token->hanging_since = 0;
        }
    }
}

/* The job has to go on elsewhere: wait for a PIN, or sign now that the identity is known. */
static bool goes_on(struct agent *agent, struct job *job, const struct result *result)
{
    if (result->outcome == OUTCOME_WAIT_FOR_PIN && job->conn != NULL) {
        enum pin_state pin = result->failure.waits_for->pin_state;
        bool failed = result->failure.waits_for->health.login_failed;

        ++*waiting_count(agent, job);
        job->parked_for = result->failure.waits_for;
        job->state = JOB_PARKED;
        if (pin != PIN_ASKED && pin != PIN_TO_ASK && !failed)
            enqueue(agent, job); /* the answer came meanwhile */
        return true;
    }
    if (result->outcome == OUTCOME_OK && job->type == JOB_SIGN && job->token == NULL) {
        job->token = result->identity->token;
        ++*waiting_count(agent, job);
        enqueue(agent, job);
        return true;
    }
    return false;
}

/* What the token is to be charged with: not that it was asked for something that it has not got. agent->mutex held. */
static void count(const struct job *job, const struct result *result)
{
    if (job->type != JOB_SIGN || job->token == NULL)
        return;
    if (result->outcome == OUTCOME_OK)
        agent_figures_signed(job->token, job->took_us);
    else if (result->failure.kind != TOKENS_WIRE_TIMEOUT && result->failure.kind != TOKENS_WIRE_LOGIN)
        agent_figures_failed(job->token, result->failure.ckr);
}

static void finish(struct agent *agent, struct job *job, struct result *result)
{
    bool wanted;

    pthread_mutex_lock(&agent->mutex);
    leave_place(agent, job);
    wanted = !job->abandoned;
    if (wanted && goes_on(agent, job, result)) {
        pthread_mutex_unlock(&agent->mutex);
        return;
    }
    list_remove(agent, job); /* from here on no deadline finds it */
    if (wanted && job->conn != NULL) {
        if (result->outcome != OUTCOME_OK)
            agent->counters.failures++;
        else if (job->type == JOB_SIGN)
            agent->counters.signatures++;
        agent->counters.changed = true;
        count(job, result);
    }
    pthread_mutex_unlock(&agent->mutex);
    if (wanted)
        answer(agent, job, result);
    pthread_mutex_lock(&agent->mutex);
    agent_job_destroy(agent, job);
    pthread_mutex_unlock(&agent->mutex);
}

/* see tokens/agent/agent_pool.h */
void *agent_pool_thread_main(void *data)
{
    struct agent *agent = data;
    struct result *result = base_alloc(sizeof(*result));

    pthread_mutex_lock(&agent->mutex);
    while (!agent->stopping) {
        struct job *job = take_job(agent);

        if (job == NULL) {
            agent->threads.idle++;
            pthread_cond_wait(&agent->threads.work, &agent->mutex);
            agent->threads.idle--;
            continue;
        }
        pthread_mutex_unlock(&agent->mutex);
        *result = (struct result){0};
        run(agent, job, result);
        finish(agent, job, result);
        free(result->failure.text);
        buffer_release(&result->page);
        pthread_mutex_lock(&agent->mutex);
        if (result->identity != NULL)
            agent_identity_done(result->identity);
    }
    agent->threads.ended++;
    pthread_cond_broadcast(&agent->threads.settled);
    pthread_mutex_unlock(&agent->mutex);
    free(result);
    return NULL;
}
