/* tokens/agent/agent_find.h: URI to identity, which is a key and its certificate on a token. */
#ifndef YETT_TOKENS_AGENT_AGENT_FIND_H
#define YETT_TOKENS_AGENT_AGENT_FIND_H

#include "tokens/agent/agent_login.h"

/* agent->mutex held. key_tag 0: any key. NULL: not found yet */
struct identity *agent_identity_get(struct agent *agent, const char *uri, uint64_t key_tag);
/* *identity is given with a use of it: agent_identity_done(). */
MUST_CHECK enum outcome agent_identity_find(struct agent *agent, struct job *job, struct identity **identity,
                                            struct failure *failure);
/* Module entered: the key again, after the token came back. */
MUST_CHECK enum outcome agent_identity_refind(struct identity *identity, const struct session *session,
                                              struct failure *failure);
void agent_identity_destroy(struct identity *identity);
/* What is told of an identity whose key, URI and token are known: tag, mechanisms, and all of it encoded, without
 * certificates. Module entered. False: the slot cannot sign with such a key. */
MUST_CHECK bool agent_identity_complete(struct identity *identity, CK_SLOT_ID slot);
/* A job that agent_identity_find() or agent_files_find() has given it to is done with it. agent->mutex held. */
void agent_identity_done(struct identity *identity);

/* Tokens that are there and match the URI's token part: at most AGENT_TOKENS_MAX, and how many. None does: *candidates
 * gets the URIs of those that are there (owned by the caller), or stays NULL. Module entered. */
size_t agent_tokens_matching(struct agent *agent, P11KitUri *uri, struct token **tokens, char **candidates);
void agent_candidate_add(char **candidates, char *uri); /* takes; what would make the sentence too long is left out */

#endif
