/* tls/context_internal.h: the inside of contexts: what is the same for all connections of a service. Private to tls/.
 *
 *   context.c        the options, made into model sockets once
 *   sites.c          which identities serve a name
 *   models.h         the model sockets, as far as they are used
 *   ca_names.c       the names of the anchors, for a CertificateRequest */
#ifndef YETT_TLS_CONTEXT_INTERNAL_H
#define YETT_TLS_CONTEXT_INTERNAL_H

#include "tls/engine.h"
#include "tls/identity_internal.h"
#include "tls/limits.h"

#include <ssl.h>

enum tls_role { TLS_ROLE_CLIENT, TLS_ROLE_SERVER };

enum { TLS_TOKEN_SIZE = 32 };

/* The identities served together for one name, at most one of each slot, in a model socket of their own. */
struct tls_site {
    const struct tls_identity *slots[TLS_SLOT_COUNT];
    struct tls_model *model; /* see tls/models.h */
};

/* What models are made of beside identities and the rest of a context. */
enum tls_alpn_rule { TLS_ALPN_MATCH, TLS_ALPN_IGNORE };
struct tls_site_settings {
    enum tls_ciphers ciphers;
    unsigned version_min;
    enum tls_alpn_rule alpn_rule;
    uint8_t *staple; /* of the first identity */
    size_t staple_size;
};

struct tls_site_name {
    char *name; /* lower case; "*.example.org" stands for one label */
    size_t site;
};

struct tls_sessions;

/* What client and server do differently within the steps that they share. */
struct tls_role_calls {
    const char *peer;                                                    /* what the other one is, for sentences */
    PRFileDesc *(*make_socket)(struct tls_engine *e, PRFileDesc *layer); /* a copy of a model; NULL: NSS's error */
    void (*prepare)(struct tls_engine *e);
    /* NSS has gone as far as it can: `done`, or `code` says why not. True: another socket was made, which is to go on
     * from the same ClientHello. *status is TLS_FAILED where the engine has failed. */
    bool (*look_again)(struct tls_engine *e, bool done, PRErrorCode code, enum tls_status *status);
    void (*finished)(struct tls_engine *e);
    bool (*can_be_judged)(const struct tls_engine *e); /* the peer's certificate may be in the next step */
    enum tls_status (*give_up)(struct tls_engine *e);
};
extern const struct tls_role_calls tls_client_calls, tls_server_calls;

struct tls_context {
    enum tls_role role;
    const struct tls_role_calls *calls;
    PRFileDesc *model; /* clients */
    const struct pkix_store *trust;
    struct tls_revocation revocation;
    const struct pkix_issuer_source *issuers; /* NULL: none */
    enum pkix_client_usage peer_usage;        /* server */
    const struct pkix_pin *pins;
    size_t pin_count;
    struct pkix_policy_inputs policy;
    const struct tls_identity **identities;
    size_t identity_count;
    bool may_block; /* some identity's key is on a token */
    const struct tls_clock *clock;
    char **alpn;
    size_t alpn_count;
    enum key_group groups[KEY_GROUP_COUNT]; /* in order of preference */
    size_t group_count;

    /* servers */
    struct tls_site *sites; /* [0] is for clients that name nobody, or somebody unknown */
    size_t site_count;
    struct tls_site_settings settings;
    struct tls_site_name *names; /* sorted */
    size_t name_count;
    enum tls_sni sni;
    enum tls_peer peer;
    bool resumes;
    bool falls_back;                      /* an identity can do TLS 1.2 only, and others more: see sites.c */
    uint8_t ticket_token[TLS_TOKEN_SIZE]; /* what every ticket of this context has in it */
    PRIPv6Addr cache_address;             /* under what its sessions are in the shared cache */

    /* clients */
    bool insecure_no_verify;
    enum tls_no_suitable no_suitable_identity;
    struct tls_sessions *sessions;
};

/* sites.c */
void tls_sites_build(struct tls_context *context);
void tls_sites_clear(struct tls_context *context);
/* The site for a name (lower case), or NULL. */
const struct tls_site *tls_sites_find(const struct tls_context *context, const char *name);
/* Whether the client, by its hello (tls/client_hello.h), can be shown a certificate of the site in TLS 1.2 only. */
bool tls_site_caps(const struct tls_site *site, struct span hello_records);

/* ca_names.c: the names of the anchors, for the server's CertificateRequest. */
MUST_CHECK bool tls_ca_names_set(PRFileDesc *model, const struct pkix_store *trust, char **error);

/* context.c: a model socket for a site of a server (tls/models.h keeps them). NULL with a sentence. */
PRFileDesc *tls_site_socket_create(struct tls_context *context, const struct tls_site *site, char **error);

/* What NSS is to ask of engines that are copies of a model: server_hooks.c, client_hooks.c, peer_verify.c. */
void tls_server_hooks_install(struct tls_context *context, PRFileDesc *model, enum tls_alpn_rule alpn);
void tls_client_hooks_install(PRFileDesc *model);
void tls_peer_verify_install(PRFileDesc *model);

#endif
