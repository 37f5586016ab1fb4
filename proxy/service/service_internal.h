/* proxy/service/service_internal.h: the parts of opening services, between themselves.
 *
 *   service_runtime.c  NSS and the shim
 *   service.c          all services, and each from its settings
 *   service_trust.c    anchors, and the files that take from them
 *   service_context.c  TLS contexts
 *   service_key_groups.c  whom the groups of key exchange exclude
 *   service_groups.c   who waits for whom on the handshake pool */
#ifndef YETT_PROXY_SERVICE_SERVICE_INTERNAL_H
#define YETT_PROXY_SERVICE_SERVICE_INTERNAL_H

#include "pkix/ev.h"
#include "proxy/service/service.h"

struct shared_store {
    const struct config_trust *trust; /* lives with the config */
    size_t trust_count;
    struct pkix_store *store;
};

struct services_shared {
    const struct config *config;
    struct pkix_ev_list ev;
    struct tls_identity **identities;
    size_t identity_count;
    struct text_index identity_index[CONFIG_IDENTITY_PKCS11 + 1]; /* of identities, by type and value */
    struct shared_store *stores;
    size_t store_count;
    struct revocation *revocation;
    struct issuer_fetch *issuers;
    char **pool_groups; /* their names: a token, a service, or a service that verifies */
    size_t pool_group_count;
    struct text_index pool_group_index;
};

/* service_runtime.c: what services_runtime_start() was given; NULL: none */
const struct file_identities *service_file_identities(void);

/* service_trust.c */
/* One for all that trust the same; what cannot be opened is a finding. */
struct pkix_store *service_store_open(struct services_shared *shared, const struct config_trust *trust, size_t count,
                                      struct config_findings *findings);
/* The files of rules that hold for all stores: what is wrong with them is told here, once. */
void service_rules_check(const struct config *config, struct config_findings *findings);
void service_ev_read(const struct config *config, struct pkix_ev_list *list, struct config_findings *findings);

/* service_context.c: with what the service has been given so far */
void service_open_server_context(struct services_shared *shared, struct service *s, struct config_findings *findings);
void service_open_client_context(struct services_shared *shared, struct service *s, struct config_findings *findings);

/* service_key_groups.c: none that NSS has is a finding, who is left without any a note */
void service_key_groups_check(const struct config_service *config, struct config_findings *findings);

/* service_groups.c */
size_t service_pool_group(struct services_shared *shared, const struct config_service *service);
size_t service_verify_group(struct services_shared *shared, const struct config_service *service);

#endif
