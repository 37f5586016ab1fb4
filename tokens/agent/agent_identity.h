/* tokens/agent/agent_identity.h: identities that were found: a key, and what is told of it. */
#ifndef YETT_TOKENS_AGENT_AGENT_IDENTITY_H
#define YETT_TOKENS_AGENT_AGENT_IDENTITY_H

#include "tokens/agent/agent_login.h"

/* agent->mutex held. key_tag 0: any key. NULL: not found yet */
struct identity *agent_identity_get(struct agent *agent, const char *uri, uint64_t key_tag);
void agent_identity_destroy(struct identity *identity);
/* A job that agent_identity_find() or agent_files_find() has given it to is done with it. agent->mutex held. */
void agent_identity_done(struct identity *identity);

/* Module entered, these: */
/* Bits as in struct tokens_wire_identity; 0: the slot cannot sign with such a key. Sets identity->pss_raw. */
unsigned agent_identity_mechanisms(struct identity *identity, CK_SLOT_ID slot);
/* All there is to tell, into identity->encoded; cert NULL: none. False: it is more than fits a reply. */
MUST_CHECK bool agent_identity_encode(struct identity *identity, unsigned mechanisms, const struct tokens_cert *cert,
                                      const struct tokens_cert_list *certs);
/* What is told of an identity whose key, URI and token are known: tag, mechanisms, and all of it encoded, without
 * certificates. False: the slot cannot sign with such a key. */
MUST_CHECK bool agent_identity_complete(struct identity *identity, CK_SLOT_ID slot);
/* The key again, after the token came back. */
MUST_CHECK enum outcome agent_identity_refind(struct identity *identity, const struct session *session,
                                              struct failure *failure);

#endif
