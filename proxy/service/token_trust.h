/* proxy/service/token_trust.h: trust anchors that are certificates on tokens (trust = pkcs11:...).
 *
 * Asks the agents of the configured modules (tokens/certs.h), as at services_runtime_start() for identities; may wait
 * for them. */
#ifndef YETT_PROXY_SERVICE_TOKEN_TRUST_H
#define YETT_PROXY_SERVICE_TOKEN_TRUST_H

#include "config/config.h"
#include "pkix/store.h"

/* Trust every authority's certificate that `uri` names. Others on the token are left out: that a card holds somebody's
 * own certificate does not make it an anchor. false with a sentence in *error (owned by the caller): no token or
 * several match, no certificate is an authority's, or one is not usable. */
MUST_CHECK bool token_trust_add(const struct config *config, const char *uri, struct pkix_store *store, char **error);

/* The same of the module at `module_path`, loaded in this process for as long as it takes: for commands. */
MUST_CHECK bool token_trust_add_from_module(const char *module_path, const char *uri, struct pkix_store *store,
                                            char **error);

#endif
