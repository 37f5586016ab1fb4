/* tokens/agent/agent_token.h: tokens that are there or gone, well or not, and their sessions. */
#ifndef YETT_TOKENS_AGENT_AGENT_TOKEN_H
#define YETT_TOKENS_AGENT_AGENT_TOKEN_H

#include "tokens/agent/agent_state.h"

void agent_module_enter(struct agent *agent); /* around every use of the module */
void agent_module_leave(struct agent *agent);
/* Module entered: look at all slots, learn and miss tokens. By a watch, which leaves out what hangs and stops when it
 * has lost its place: false; or NULL, for who may wait for ever. *rv: of the list. */
MUST_CHECK bool agent_tokens_refresh(struct agent *agent, struct watch *watch, CK_RV *rv);
/* Module entered, and left meanwhile: no session may be held. Have it done by a thread that may hang. Returns when it
 * is done, or does not get done in time: then what hangs is as it was. */
void agent_tokens_look(struct agent *agent);
/* Around each question of a watch's. false: it took so long that another watch has its place. */
void agent_watch_ask(struct watch *watch, enum agent_question question, CK_SLOT_ID slot);
MUST_CHECK bool agent_watch_answered(struct watch *watch);
/* Whether a watch hangs with this question. agent->mutex held. */
bool agent_question_hangs(const struct agent *agent, enum agent_question question, CK_SLOT_ID slot);
MUST_CHECK enum outcome agent_session_take(struct token *token, uint64_t deadline_ms, struct session *session,
                                           bool *fresh, struct failure *failure);
void agent_session_give(struct token *token, const struct session *session);
void agent_session_close(struct token *token, const struct session *session); /* it is in some state of its own */
void agent_session_lost(struct token *token, const struct session *session);  /* the others are no better: close all */
bool agent_session_is_gone(CK_RV rv); /* the token forgot the session, the login or the key */
/* What came of an operation (tokens/agent/agent_health.h); of a token that is gone, and what a PIN or the request was
 * to blame for, does not count. */
void agent_token_well(struct token *token, enum agent_operation operation);
void agent_token_unwell(struct token *token, enum agent_operation operation, CK_RV rv);
/* Agent->mutex held, or before there are threads. */
struct token *agent_token_create(struct agent *agent, CK_SLOT_ID slot, const CK_TOKEN_INFO *info);
void agent_token_destroy(struct token *token);
/* Forget all sessions. The idle ones are handed out, the caller's to close without the lock and free. */
MUST_CHECK struct session *agent_sessions_forget(struct token *token, size_t *count);
void agent_sessions_grow(struct token *token, uint64_t now_ms); /* a pool that shrank, when it is time */

#endif
