/* proxy/session/access.h: who may pass, and where to.
 *
 * `allow` rules judge the identity in a verified certificate: typed subject alternative names and single subject
 * attributes (pkix/identity.h), never the text of a whole subject. `allow_target` rules judge the name and port asked
 * for through http-proxy, and then every address that name resolves to: addresses that are not public (loopback,
 * link-local, private, and what wraps them) are denied unless a rule names the literal or a network they are in.
 * Pure functions of their arguments, except access_is_own_address(), which asks the kernel about local addresses. */
#ifndef YETT_PROXY_SESSION_ACCESS_H
#define YETT_PROXY_SESSION_ACCESS_H

#include "config/config.h"
#include "pkix/identity.h"
#include "proxy/session/local_addresses.h"
#include <sys/socket.h>

/* Who a client is, by its verified certificate and the path that verified it. */
struct access_client {
    const struct pkix_identity *identity;
    const char *issuers, *policies; /* tls_session_info's peer_issuers and peer_policies */
};

/* `client` NULL: it showed no certificate. */
bool access_client_allowed(const struct config_service *service, const struct access_client *client);

/* Whether one of the networks has the address; "unix" has what has none. */
bool access_networks_have(const struct config_network *networks, size_t count, const struct sockaddr *address);

/* What an `allow` rule could name of it, as rules: "san_email:a@example.org, cn:alice"; its fingerprint where there is
 * nothing else. At most ACCESS_RULES_TOLD of them, none that is longer than ACCESS_RULE_TOLD_BYTES; of the others, how
 * many. Owned by the caller. */
enum { ACCESS_RULES_TOLD = 8, ACCESS_RULE_TOLD_BYTES = 128 };
char *access_rules_text(const struct pkix_identity *identity);

/* A certificate pattern: '*' stands for any run of characters; everything else for itself, ASCII case aside where
 * `fold` says so. */
enum access_fold { ACCESS_CASE_MATTERS, ACCESS_CASE_FOLDED };
bool access_pattern_matches(const char *pattern, const char *value, enum access_fold fold);

/* First: may `host` (validated: a literal or a name) and `port` be asked for at all? A name passes also where only a
 * network rule has its port: its addresses will then decide. */
bool access_target_allowed(const struct config_service *service, const char *host, uint16_t port);

/* Then, for each address (with port) of `host`. */
bool access_address_allowed(const struct config_service *service, const char *host, const struct sockaddr *address);

/* Whether connecting to `address` would come back to one of `listeners`, where we listen ourselves. */
bool access_is_own_address(const struct sockaddr_storage *listeners, size_t listener_count,
                           struct local_addresses *local, const struct sockaddr *address);

#endif
