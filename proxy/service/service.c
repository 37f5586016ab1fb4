/* see proxy/service/service.h */
#include "proxy/service/service.h"

#include "base/file.h"
#include "pkix/blocklist.h"
#include "pkix/ev.h"
#include "pkix/ocsp.h"
#include "pkix/roots.h"
#include "proxy/fetch/issuer_fetch.h"
#include "proxy/process/limits.h"
#include "proxy/fetch/revocation.h"
#include "proxy/service/token_trust.h"
#include "proxy/process/validity.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { OCSP_STAPLE_BYTES_MAX = 64 * 1024, POOL_GROUP_NAME_MAX = 128 };

struct shared_identity {
    enum config_identity_type type;
    const char *value; /* lives with the config */
    struct tls_identity *identity;
};

struct shared_store {
    const struct config_trust *trust; /* lives with the config */
    size_t trust_count;
    struct pkix_store *store;
};

struct services_shared {
    const struct config *config;
    struct pkix_ev_list ev;
    struct shared_identity *identities;
    size_t identity_count;
    struct shared_store *stores;
    size_t store_count;
    struct revocation *revocation;
    struct issuer_fetch *issuers;
    char **pool_groups; /* their names: a token, a service, or a service that verifies */
    size_t pool_group_count;
};

/* ---- identities and trust, each opened once ---- */

static enum tls_identity_source source_of(enum config_identity_type type)
{
    switch (type) {
    case CONFIG_IDENTITY_FILE:
        return TLS_IDENTITY_FILE;
    case CONFIG_IDENTITY_NSS:
        return TLS_IDENTITY_DATABASE;
    case CONFIG_IDENTITY_PKCS11:
        return TLS_IDENTITY_PKCS11;
    }
    base_abort("an identity of no known type");
}

/* NULL with a finding. */
static struct tls_identity *open_identity(struct services_shared *shared, const struct config_identity *wanted,
                                          struct config_findings *findings)
{
    struct tls_identity *identity;
    char *error = NULL;

    for (size_t i = 0; i < shared->identity_count; i++)
        if (shared->identities[i].type == wanted->type && strcmp(shared->identities[i].value, wanted->value) == 0)
            return shared->identities[i].identity;
    if (!tls_identity_open(source_of(wanted->type), wanted->value, &identity, &error)) {
        config_finding_add(findings, wanted->place, "identity %s: %s", wanted->text, error);
        free(error);
        return NULL;
    }
    validity_warn_identity(wanted, identity, time(NULL), findings);
    shared->identities =
        base_realloc_array(shared->identities, shared->identity_count + 1, sizeof(*shared->identities));
    shared->identities[shared->identity_count++] =
        (struct shared_identity){.type = wanted->type, .value = wanted->value, .identity = identity};
    return identity;
}

static struct tls_identity **open_identities(struct services_shared *shared, const struct config_identity *wanted,
                                             size_t count, struct config_findings *findings)
{
    struct tls_identity **identities = base_alloc(count * sizeof(struct tls_identity *));

    for (size_t i = 0; i < count; i++)
        identities[i] = open_identity(shared, &wanted[i], findings);
    return identities;
}

static bool same_trust(const struct shared_store *s, const struct config_trust *trust, size_t count)
{
    if (s->trust_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (s->trust[i].type != trust[i].type ||
            (trust[i].value != NULL && strcmp(s->trust[i].value, trust[i].value) != 0))
            return false;
    return true;
}

/* What an authority's certificate that cannot be used is told as. */
struct left_out {
    struct config_place place;
    struct config_findings *findings;
};

static void on_left_out(void *ctx, const char *sentence)
{
    const struct left_out *l = ctx;

    config_note_add(l->findings, CONFIG_NOTE_WARNING, "authority_left_out", l->place, "trust: left out: %s", sentence);
}

static bool add_trust(const struct config *config, struct pkix_store *store, const struct config_trust *trust,
                      struct config_findings *findings, char **error)
{
    struct left_out left_out = {trust->place, findings};

    switch (trust->type) {
    case CONFIG_TRUST_MOZILLA:
        return pkix_store_add_mozilla(store, config->roots, error);
    case CONFIG_TRUST_SYSTEM:
        return pkix_store_add_system(store, on_left_out, &left_out, error);
    case CONFIG_TRUST_DATABASE:
        return pkix_store_add_database(store, error);
    case CONFIG_TRUST_PATH:
        return pkix_store_add_anchors_path(store, trust->value, on_left_out, &left_out, error);
    case CONFIG_TRUST_PKCS11:
        return token_trust_add(config, trust->value, store, error);
    }
    base_abort("a trust of no known type");
}

/* Where the problems of a file with rules are told: those of a line there, those of the whole file, which may not even
 * be there, where the option is that names it. */
struct file_findings {
    const char *option, *path;
    struct config_place place; /* of the option */
    struct config_findings *findings;
};

static void on_file_problem(void *ctx, unsigned line, const char *sentence)
{
    struct file_findings *to = ctx;
    struct config_place place = {.file = to->path, .line = line};

    if (to->findings == NULL)
        return;
    if (line == 0)
        config_finding_add(to->findings, to->place, "%s: %s: %s", to->option, to->path, sentence);
    else
        config_finding_add(to->findings, place, "%s", sentence);
}

/* `findings` NULL: they have been told. */
static bool add_blocklist(struct pkix_store *store, const struct config *config, struct config_findings *findings)
{
    const char *path = config->blocklist;
    struct file_findings to = {"blocklist", path, config->blocklist_place, findings};

    return path == NULL || pkix_store_add_blocklist_path(store, path, on_file_problem, &to);
}

/* Told once, however many stores there are, and also where there is none. */
static void check_blocklist(const struct config *config, struct config_findings *findings)
{
    struct pkix_store *store = pkix_store_create();

    (void)!add_blocklist(store, config, findings); /* the findings say so */

    pkix_store_destroy(&store);
}

static void read_ev_list(const struct config *config, struct pkix_ev_list *list, struct config_findings *findings)
{
    const char *path = config->ev;
    struct file_findings to = {"ev", path, config->ev_place, findings};

    if (path != NULL)
        (void)!pkix_ev_list_add_path(list, path, on_file_problem, &to); /* the findings say so */
}

/* The file's rules, held against every anchor that is there. */
static bool add_distrust(struct pkix_store *store, const struct config *config, struct config_findings *findings)
{
    char *error = NULL;

    if (config->distrust == NULL || pkix_store_add_distrust_path(store, config->distrust, &error))
        return true;
    if (findings != NULL)
        config_finding_add(findings, config->distrust_place, "distrust: %s", error);
    free(error);
    return false;
}

/* Once, and not for each trust. */
static void check_distrust(const struct config *config, struct config_findings *findings)
{
    struct pkix_store *store = pkix_store_create();

    (void)!add_distrust(store, config, findings); /* the finding says so */
    pkix_store_destroy(&store);
}

static struct pkix_store *open_store(struct services_shared *shared, const struct config_trust *trust, size_t count,
                                     struct config_findings *findings)
{
    struct pkix_store *store;

    for (size_t i = 0; i < shared->store_count; i++)
        if (same_trust(&shared->stores[i], trust, count))
            return shared->stores[i].store;
    store = pkix_store_create();
    for (size_t i = 0; i < count; i++) {
        char *error = NULL;

        if (!add_trust(shared->config, store, &trust[i], findings, &error)) {
            config_finding_add(findings, trust[i].place, "trust: %s", error);
            free(error);
        }
    }
    (void)!add_distrust(store, shared->config, NULL); /* check_distrust() has told */
    pkix_store_remember(store);
    (void)!add_blocklist(store, shared->config, NULL); /* check_blocklist() has told what is wrong with it */
    shared->stores = base_realloc_array(shared->stores, shared->store_count + 1, sizeof(*shared->stores));
    shared->stores[shared->store_count++] = (struct shared_store){.trust = trust, .trust_count = count, .store = store};
    return store;
}

/* ---- pool groups ---- */

/* What `key` has for a value in a PKCS#11 URI (RFC 7512), as written; false when it has none. */
static bool uri_attribute(const char *uri, const char *key, char *out, size_t out_size)
{
    size_t key_len = strlen(key);
    const char *at = strchr(uri, ':');

    while (at != NULL) {
        at++;
        if (strncmp(at, key, key_len) == 0 && at[key_len] == '=') {
            snprintf(out, out_size, "%.*s", (int)strcspn(at + key_len + 1, ";?"), at + key_len + 1);
            return true;
        }
        at = strchr(at, ';');
    }
    return false;
}

/* Keys on one token wait for each other and for nobody else. A service without a token has a group of its own. */
static void name_pool_group(const struct config_service *service, char *out, size_t out_size)
{
    const struct {
        const struct config_identity *items;
        size_t count;
    } lists[] = {{service->identity, service->identity_count},
                 {service->connect_identity, service->connect_identity_count}};
    char value[POOL_GROUP_NAME_MAX];

    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (size_t i = 0; i < lists[l].count; i++) {
            const struct config_identity *identity = &lists[l].items[i];

            if (identity->type != CONFIG_IDENTITY_PKCS11)
                continue;
            if (uri_attribute(identity->value, "serial", value, sizeof(value)) ||
                uri_attribute(identity->value, "token", value, sizeof(value)))
                snprintf(out, out_size, "token %s", value);
            else
                snprintf(out, out_size, "uri %s", identity->value);
            return;
        }
    snprintf(out, out_size, "service %s", service->name);
}

static size_t pool_group_named(struct services_shared *shared, const char *name)
{
    for (size_t i = 0; i < shared->pool_group_count; i++)
        if (strcmp(shared->pool_groups[i], name) == 0)
            return i;
    shared->pool_groups =
        base_realloc_array(shared->pool_groups, shared->pool_group_count + 1, sizeof(*shared->pool_groups));
    shared->pool_groups[shared->pool_group_count] = base_strdup(name);
    return shared->pool_group_count++;
}

static size_t pool_group_of(struct services_shared *shared, const struct config_service *service)
{
    char name[2 * POOL_GROUP_NAME_MAX];

    name_pool_group(service, name, sizeof(name));
    return pool_group_named(shared, name);
}

/* Steps that may verify a certificate, and so ask a responder or fetch an issuer, wait among themselves: a token is
 * nobody's to hold up, nor another service. */
static size_t verify_group_of(struct services_shared *shared, const struct config_service *service)
{
    char name[2 * POOL_GROUP_NAME_MAX];

    snprintf(name, sizeof(name), "certificates %s", service->name);
    return pool_group_named(shared, name);
}

/* ---- TLS contexts ---- */

static enum starttls_protocol protocol_of(enum config_protocol protocol)
{
#define PROTOCOL_PAIR(id, object, word, starttls, idle_ms) [CONFIG_PROTOCOL_##id] = STARTTLS_##id,
    static const enum starttls_protocol protocols[] = {PROTOCOLS(PROTOCOL_PAIR)};
#undef PROTOCOL_PAIR

    return protocols[protocol];
}

static enum tls_ciphers ciphers_of(enum config_ciphers ciphers)
{
    return ciphers == CONFIG_CIPHERS_MODERN ? TLS_CIPHERS_MODERN : TLS_CIPHERS_INTERMEDIATE;
}

static enum tls_sni sni_of(enum config_sni sni)
{
    switch (sni) {
    case CONFIG_SNI_ANY:
        return TLS_SNI_ANY;
    case CONFIG_SNI_KNOWN:
        return TLS_SNI_KNOWN;
    case CONFIG_SNI_REQUIRED:
        return TLS_SNI_REQUIRED;
    }
    base_abort("an SNI policy of no known kind");
}

static enum pkix_client_usage peer_usage_of(enum config_peer_purpose purpose)
{
    switch (purpose) {
    case CONFIG_PEER_PURPOSE_CLIENT:
        return PKIX_CLIENT_USAGE_CLIENT;
    case CONFIG_PEER_PURPOSE_SERVER:
        return PKIX_CLIENT_USAGE_SERVER;
    case CONFIG_PEER_PURPOSE_ANY:
        return PKIX_CLIENT_USAGE_ANY;
    }
    base_abort("a purpose of no known kind");
}

static enum tls_peer peer_of(enum config_peer peer)
{
    switch (peer) {
    case CONFIG_PEER_NONE:
        return TLS_PEER_NONE;
    case CONFIG_PEER_REQUEST:
        return TLS_PEER_REQUEST;
    case CONFIG_PEER_REQUIRE:
        return TLS_PEER_REQUIRE;
    }
    base_abort("a peer policy of no known kind");
}

/* The OCSP response to serve; size 0 with a finding when it cannot be read. The caller frees *data. */
static size_t read_staple(const struct config_service *service, uint8_t **data, struct config_findings *findings)
{
    char *error = NULL;
    size_t size;

    if (!base_file_read(service->ocsp_staple, BASE_FILE_TRUSTED, OCSP_STAPLE_BYTES_MAX, data, &size, NULL, &error))
        config_finding_add(findings, service->place, "ocsp_staple: %s", error);
    else if (size == 0)
        config_finding_add(findings, service->place, "ocsp_staple: %s: is empty", service->ocsp_staple);
    else if (!pkix_ocsp_has_form(span_of(*data, size)))
        config_finding_add(findings, service->place, "ocsp_staple: %s: is not an OCSP response in DER",
                           service->ocsp_staple);
    free(error);
    return size;
}

/* NULL: nothing is fetched. */
static const struct pkix_issuer_source *issuer_source_of(struct services_shared *shared,
                                                         const struct config_service *config)
{
    return issuer_fetch_open(shared->issuers, config->issuer_fetch, config->issuer_fetch_count,
                             LIMIT_ISSUER_TIMEOUT_MS);
}

static void open_server_context(struct services_shared *shared, struct service *s, struct config_findings *findings)
{
    const struct config_service *config = s->config;
    const char *protocol_alpn = starttls_protocol_alpn(s->protocol);
    const char **alpn = base_alloc((config->alpn_count + 1) * sizeof(*alpn));
    uint8_t *staple = NULL;
    char *error = NULL;
    struct tls_server_options options = {
        .identities = s->identities,
        .identity_count = s->identity_count,
        .ciphers = ciphers_of(config->ciphers),
        .version_min = config->tls_min,
        .alpn = alpn,
        .sni = sni_of(config->sni),
        .peer = peer_of(config->peer),
        .trust = s->peer_trust,
        .peer_usage = peer_usage_of(config->peer_purpose),
        .pins = s->pins,
        .pin_count = config->pin_spki_sha256_count,
        .policy = s->policy,
        .session_id_context = config->name,
    };

    if (protocol_alpn != NULL)
        alpn[options.alpn_count++] = protocol_alpn;
    for (size_t i = 0; i < config->alpn_count; i++)
        alpn[options.alpn_count++] = config->alpn[i];
    options.alpn_ignore = s->protocol == STARTTLS_TCP && options.alpn_count == 0;
    if (config->peer != CONFIG_PEER_NONE)
        options.revocation =
            revocation_open(shared->revocation, config, config->peer_trust, config->peer_trust_count, findings);
    if (config->peer != CONFIG_PEER_NONE)
        options.issuers = issuer_source_of(shared, config);
    if (config->ocsp_staple != NULL) {
        size_t size = read_staple(config, &staple, findings);
        options.ocsp_staple = span_of(staple, size);
    }
    if (!tls_server_context_create(&options, &s->server_context, &error)) {
        config_finding_add(findings, config->place, "service %s: %s", config->name, error);
        free(error);
    }
    free(staple);
    free(alpn);
}

static void open_client_context(struct services_shared *shared, struct service *s, struct config_findings *findings)
{
    const struct config_service *config = s->config;
    const char *alpn = starttls_protocol_alpn(s->protocol);
    char *error = NULL;
    struct tls_client_options options = {
        .ciphers = ciphers_of(config->ciphers),
        .version_min = config->tls_min,
        .alpn = &alpn,
        .alpn_count = alpn != NULL ? 1 : 0,
        .trust = s->trust,
        .pins = s->pins,
        .pin_count = config->pin_spki_sha256_count,
        .policy = s->policy,
        .insecure_no_verify = config->insecure_no_verify,
        .identities = s->connect_identities,
        .identity_count = s->connect_identity_count,
        .no_suitable_identity =
            config->no_suitable_identity == CONFIG_NO_SUITABLE_ONLY ? TLS_NO_SUITABLE_ONLY : TLS_NO_SUITABLE_NONE,
    };

    if (!config->insecure_no_verify) {
        options.revocation = revocation_open(shared->revocation, config, config->trust, config->trust_count, findings);
        options.issuers = issuer_source_of(shared, config);
    }
    if (!tls_client_context_create(&options, &s->client_context, &error)) {
        config_finding_add(findings, config->place, "service %s: %s", config->name, error);
        free(error);
    }
}

static char *choose_greeting_name(const struct config_service *config)
{
    char name[256] = "localhost";

    if (config->greeting_name != NULL)
        return base_strdup(config->greeting_name);
    if (gethostname(name, sizeof(name)) != 0)
        return base_strdup("localhost");
    name[sizeof(name) - 1] = '\0'; /* gethostname() need not end what it cut */
    return base_strdup(name);
}

/* Of 64 digits each, lower case. */
static struct pkix_pin *read_pins(const struct config_service *config)
{
    static const char digits[] = "0123456789abcdef";
    struct pkix_pin *pins = base_alloc(config->pin_spki_sha256_count * sizeof(*pins));

    for (size_t i = 0; i < config->pin_spki_sha256_count; i++) {
        const char *hex = config->pin_spki_sha256[i];

        for (size_t n = 0; n < sizeof(pins[i].sha256); n++)
            pins[i].sha256[n] =
                (uint8_t)((strchr(digits, hex[2 * n]) - digits) << 4 | (strchr(digits, hex[2 * n + 1]) - digits));
    }
    return pins;
}

/* Which policies a peer must have. config/ knows how an object identifier is written; that one is too long shows here.
 */
static void read_policies(const struct services_shared *shared, struct service *s, struct config_findings *findings)
{
    const struct config_service *config = s->config;
    struct pkix_policy_inputs *inputs = &s->policy;

    s->policies = base_alloc(config->policy_count * sizeof(*s->policies));
    s->policy_spans = base_alloc(config->policy_count * sizeof(*s->policy_spans));
    inputs->policies = s->policy_spans;
    inputs->ev_roots = shared->ev.roots;
    inputs->ev_root_count = shared->ev.count;
    for (size_t i = 0; i < config->policy_count; i++) {
        const struct config_policy *wanted = &config->policy[i];
        uint8_t *oid = s->policies[inputs->policy_count].oid;
        size_t size;

        if (wanted->type == CONFIG_POLICY_EV) {
            inputs->require_ev = true;
        } else if (pkix_oid_parse(wanted->oid, oid, &size)) {
            s->policy_spans[inputs->policy_count++] = span_of(oid, size);
            inputs->explicit_policy = true;
        } else {
            config_finding_add(findings, wanted->place, "policy: %s is longer than %d bytes", wanted->oid,
                               PKIX_OID_SIZE_MAX);
        }
    }
}

static_assert((unsigned)CONFIG_HTTP_HEAD_BYTES_MIN == (unsigned)STARTTLS_HTTP_HEAD_BYTES_MIN &&
                  (unsigned)CONFIG_HTTP_HEAD_BYTES_MAX == (unsigned)STARTTLS_HTTP_HEAD_BYTES_MAX &&
                  (unsigned)CONFIG_HTTP_HEAD_BYTES_MAX == (unsigned)STARTTLS_HTTP_LINE_BYTES_MAX &&
                  (unsigned)CONFIG_HTTP_FIELD_BYTES_MIN == (unsigned)STARTTLS_HTTP_LINE_BYTES_MIN &&
                  (unsigned)CONFIG_HTTP_FIELDS_MIN == (unsigned)STARTTLS_HTTP_FIELDS_MIN &&
                  (unsigned)CONFIG_HTTP_FIELDS_MAX == (unsigned)STARTTLS_HTTP_FIELDS_MAX,
              "what may be configured is what can be read");

void service_http_limits(const struct config_service *config, struct starttls_http_limits *limits)
{
    for (unsigned kind = 0; kind < STARTTLS_HTTP_KIND_COUNT; kind++)
        limits[kind] = (struct starttls_http_limits){.head_bytes_max = kind == STARTTLS_HTTP_REQUEST
                                                                           ? config->http_request_head_max_bytes
                                                                           : config->http_response_head_max_bytes,
                                                     .line_bytes_max = config->http_field_max_bytes,
                                                     .fields_max = config->http_fields_max};
}

static void open_service(struct services_shared *shared, struct service *s, struct config_findings *findings)
{
    const struct config_service *config = s->config;
    size_t findings_before = findings->count;

    s->protocol = protocol_of(config->protocol);
    s->greeting_name = choose_greeting_name(config);
    service_http_limits(config, s->http_limits);
    s->pool_group = pool_group_of(shared, config);
    s->verify_group = verify_group_of(shared, config);
    s->pins = read_pins(config);
    read_policies(shared, s, findings);
    if (config->listen_tls != CONFIG_TLS_NONE) {
        s->identity_count = config->identity_count;
        s->identities = open_identities(shared, config->identity, config->identity_count, findings);
        if (config->peer != CONFIG_PEER_NONE)
            s->peer_trust = open_store(shared, config->peer_trust, config->peer_trust_count, findings);
        if (findings->count == findings_before)
            open_server_context(shared, s, findings);
    }
    if (config_service_originates_tls(config)) {
        static const struct config_trust mozilla = {.type = CONFIG_TRUST_MOZILLA};

        s->connect_identity_count = config->connect_identity_count;
        s->connect_identities =
            open_identities(shared, config->connect_identity, config->connect_identity_count, findings);
        if (!config->insecure_no_verify)
            s->trust = open_store(shared, config->trust_count > 0 ? config->trust : &mozilla,
                                  config->trust_count > 0 ? config->trust_count : 1, findings);
        if (findings->count == findings_before)
            open_client_context(shared, s, findings);
    }
}

struct services *services_open(const struct config *config, struct config_findings *findings)
{
    struct services *services = base_alloc(sizeof(*services));
    size_t findings_before = findings->count;

    services->items = base_alloc(config->service_count * sizeof(*services->items));
    services->count = config->service_count;
    services->shared = base_alloc(sizeof(*services->shared));
    services->shared->config = config;
    services->shared->revocation = revocation_create(config);
    read_ev_list(config, &services->shared->ev, findings);
    services->shared->issuers = issuer_fetch_create();
    check_blocklist(config, findings);
    check_distrust(config, findings);
    for (size_t i = 0; i < config->service_count; i++) {
        services->items[i].config = &config->services[i];
        open_service(services->shared, &services->items[i], findings);
    }
    services->pool_group_count = services->shared->pool_group_count;
    if (findings->count > findings_before)
        services_destroy(&services);
    return services;
}

void services_count(struct services *services, struct counters *counters)
{
    revocation_count(services->shared->revocation, counters);
}

struct pkix_intermediates *services_intermediates(const struct services *services, size_t index)
{
    const struct services_shared *shared = services->shared;

    return index < shared->store_count ? pkix_store_remembered(shared->stores[index].store) : NULL;
}

static void destroy_shared(struct services_shared *shared)
{
    for (size_t i = 0; i < shared->identity_count; i++)
        tls_identity_destroy(&shared->identities[i].identity);
    for (size_t i = 0; i < shared->store_count; i++)
        pkix_store_destroy(&shared->stores[i].store);
    revocation_destroy(&shared->revocation);
    pkix_ev_list_clear(&shared->ev);
    issuer_fetch_destroy(&shared->issuers);
    for (size_t i = 0; i < shared->pool_group_count; i++)
        free(shared->pool_groups[i]);
    free(shared->identities);
    free(shared->stores);
    free(shared->pool_groups);
    free(shared);
}

void services_destroy(struct services **services)
{
    if (*services == NULL)
        return;
    for (size_t i = 0; i < (*services)->count; i++) {
        struct service *s = &(*services)->items[i];

        tls_context_destroy(&s->server_context);
        tls_context_destroy(&s->client_context);
        free(s->greeting_name);
        free(s->pins);
        free(s->policies);
        free(s->policy_spans);
        free(s->identities);
        free(s->connect_identities);
    }
    destroy_shared((*services)->shared);
    free((*services)->items);
    free(*services);
    *services = NULL;
}
