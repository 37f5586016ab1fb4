/* tokens/certs.h: certificates on tokens, read through the tokens' agents, for whoever is to be told to trust them.
 *
 * The URI (RFC 7512) has to say which token is meant (token= or serial=), and may name certificates on it (object=,
 * id=); it names every certificate that matches. They are read without login. What it does not do: judge them, or trust
 * any. Needs neither NSS nor the shim. Threads: any; each call has a connection of its own. */
#ifndef YETT_TOKENS_CERTS_H
#define YETT_TOKENS_CERTS_H

#include "base/span.h"

enum { TOKENS_CERTS_TIMEOUT_MS = 30000 /* for an agent to answer one request */ };

struct tokens_certs_agent {
    const char *name;        /* [module NAME] */
    const char *socket_path; /* its agent's Unix socket */
};

/* Read all certificates that `uri` names, at least 1 and at most TOKENS_WIRE_CERTS_MAX (tokens/wire.h), and call `take`
 * for each until it returns false (with a sentence in *error, owned by the caller of this). `der` is lent for the call.
 * Exactly one token of all agents has to match: an agent that does not answer does not stand in the way of another's.
 * false with a sentence in *error that names the URI and, where no token or several match, the candidates. When that
 * comes only after some have been taken, they are not to be used. */
MUST_CHECK bool tokens_certs_read(const struct tokens_certs_agent *agents, size_t agent_count, const char *uri,
                                  bool (*take)(void *ctx, struct span der, char **error), void *ctx, char **error);

#endif
