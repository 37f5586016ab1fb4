/* tokens/agent/agent_sign.h: identity and digest to signature. */
#ifndef YETT_TOKENS_AGENT_AGENT_SIGN_H
#define YETT_TOKENS_AGENT_AGENT_SIGN_H

#include "tokens/agent/agent_find.h"

MUST_CHECK enum outcome agent_identity_sign(struct identity *identity, struct job *job, uint8_t *signature,
                                            size_t *signature_size, struct failure *failure);

#endif
