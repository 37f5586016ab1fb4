/* tokens/agent/agent_find.h: URI to identity, which is a key and its certificate on a token. */
#ifndef YETT_TOKENS_AGENT_AGENT_FIND_H
#define YETT_TOKENS_AGENT_AGENT_FIND_H

#include "tokens/agent/agent_identity.h"

/* *identity is given with a use of it: agent_identity_done(). */
MUST_CHECK enum outcome agent_identity_find(struct agent *agent, struct job *job, struct identity **identity,
                                            struct failure *failure);

/* Tokens that are there and match the URI's token part: at most AGENT_TOKENS_MAX, and how many. None does: *candidates
 * gets the URIs of those that are there (owned by the caller), or stays NULL. Module entered. */
size_t agent_tokens_matching(struct agent *agent, P11KitUri *uri, struct token **tokens, char **candidates);
void agent_candidate_add(char **candidates, char *uri); /* takes; what would make the sentence too long is left out */

#endif
