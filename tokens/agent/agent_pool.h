/* tokens/agent/agent_pool.h: jobs, their queues, and the threads that do them.
 *
 * All with agent->mutex held, but for the thread itself. */
#ifndef YETT_TOKENS_AGENT_AGENT_POOL_H
#define YETT_TOKENS_AGENT_AGENT_POOL_H

#include "tokens/agent/agent_token.h"

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

#endif
