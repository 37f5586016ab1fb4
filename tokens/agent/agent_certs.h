/* tokens/agent/agent_certs.h: URI to certificates. */
#ifndef YETT_TOKENS_AGENT_AGENT_CERTS_H
#define YETT_TOKENS_AGENT_AGENT_CERTS_H

#include "tokens/agent/agent_find.h"

/* Module entered. The certificates of job->uri from job->first on, as tokens_wire_certs_encode() has
 * them: as many as fit. */
MUST_CHECK enum outcome agent_certs_list(struct agent *agent, const struct job *job, struct buffer *page,
                                         struct failure *failure);
void agent_cert_list_destroy(struct cert_list *list);

#endif
