/* proxy/service/service.h: a configured service with everything opened that it needs: identities, trust, TLS contexts.
 *
 * Used by a worker at its start and by "yett check". Opening never resolves names or connects. What cannot be opened is
 * a finding at the place where it was configured. */
#ifndef YETT_PROXY_SERVICE_SERVICE_H
#define YETT_PROXY_SERVICE_SERVICE_H

#include "config/config.h"
#include "proxy/service/file_identities.h"
#include "proxy/process/counters.h"
#include "starttls/starttls.h"
#include "tls/engine.h"

struct service {
    const struct config_service *config;
    enum starttls_protocol protocol;
    struct tls_context *server_context; /* NULL when the listening side has no TLS, or its token is away */
    struct tls_context *client_context; /* NULL when the connecting side has no TLS, or its token is away */
    struct tls_identity **identities;
    size_t identity_count;
    struct tls_identity **connect_identities;
    size_t connect_identity_count;
    struct pkix_store *trust;         /* for servers */
    struct pkix_store *peer_trust;    /* for client certificates */
    struct pkix_pin *pins;            /* of servers and of clients */
    struct pkix_policy_inputs policy; /* likewise; borrows these, and the shared roots of extended validation: */
    struct service_policy {
        uint8_t oid[PKIX_OID_SIZE_MAX];
    } * policies;
    struct span *policy_spans;
    struct starttls_http_limits http_limits[STARTTLS_HTTP_KIND_COUNT];
    char *greeting_name; /* as configured, or this machine's host name */
    size_t pool_group;   /* handshake pool: services whose keys are on the same token share one */
    size_t verify_group; /* the same, for steps that may verify a certificate: a service has its own */
};

struct services {
    struct service *items; /* same order as config.services */
    size_t count;
    size_t pool_group_count;
    struct services_shared *shared; /* what the items borrow: each identity and each store once */
};

/* NSS (tls_runtime_start) and, where token identities are named, the shim must have been started. NULL with findings.
 * Stores that trust the same sources are shared, and so are identities. */
struct services *services_open(const struct config *config, struct config_findings *findings);
void services_destroy(struct services **services);

/* What services fetch is counted from now on; before they are used. `counters` must outlive them. */
void services_count(struct services *services, struct counters *counters);

/* What is remembered for services with the same trust: each index from 0 has one until NULL comes. */
struct pkix_intermediates *services_intermediates(const struct services *services, size_t index);

/* Where the accelerator is that was installed with yett; NULL when it was not. Owned by the caller. */
char *services_accelerator_installed(void);

/* The path of the module that NSS is to compute with, by the configuration (NSS's FIPS mode leaves it out); NULL: none.
 * Owned by the caller. */
char *services_accelerator(const struct config *config);

/* What every process that opens services does first: NSS, shim (agents at the socket paths derived from
 * config->control: <dirname>/agent-<module>.sock). */
struct services_runtime_options {
    struct span ticket_key;
    const char *session_cache;                /* see tls/runtime.h; NULL: none */
    bool may_be_away;                         /* tokens that are not there keep nothing from starting; the services that
                                               * use them refuse in their protocols' words */
    const struct file_identities *identities; /* files whose keys the agent of file keys has: those are opened from
                                               * here, and all other files from where they are. NULL: none. Lent until
                                               * services_runtime_stop() */
};
MUST_CHECK bool services_runtime_start(const struct config *config, const struct services_runtime_options *options,
                                       struct config_findings *findings);

/* Whether some service waits for a token that was away when it was opened: opened anew, it may be there. */
bool services_wait_for_tokens(const struct services *services);

/* Everything opened must have been destroyed. false: something is still held; *error is a sentence, the caller's. */
MUST_CHECK bool services_runtime_stop(char **error);

/* How much of HTTP heads it takes: one for each kind. */
void service_http_limits(const struct config_service *config, struct starttls_http_limits *limits);

/* Whether the configuration has keys in files that are for an agent of their own (file_keys = agent). */
bool services_have_file_keys_agent(const struct config *config);
/* That agent, as if it had a section [module]: clear it after use. NSS need not be started. */
void services_file_keys_module(const struct config *config, struct config_module *module);
void services_file_keys_module_clear(struct config_module *module);

/* The agent socket of a module; owned by the caller. */
char *service_agent_socket_path(const struct config *config, const struct config_module *module);

#endif
