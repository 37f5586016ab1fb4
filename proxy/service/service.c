/* see proxy/service/service.h */
#include "proxy/service/service_internal.h"

#include "proxy/fetch/issuer_fetch.h"
#include "proxy/fetch/revocation.h"
#include "proxy/process/validity.h"
#include "starttls/limits.h"
#include "tokens/shim/shim.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- identities, each opened once ---- */

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

static bool open_wanted(const struct config_identity *wanted, struct tls_identity **identity, char **error)
{
    const struct file_identity *file =
        wanted->type == CONFIG_IDENTITY_FILE ? file_identities_find(service_file_identities(), wanted->value) : NULL;
    struct tls_identity_parts parts;

    if (file == NULL)
        return tls_identity_open(source_of(wanted->type), wanted->value, identity, error);
    parts = (struct tls_identity_parts){
        .path = file->path, .certs = file->certs, .cert_count = file->cert_count, .key_uri = file->uri};
    return tls_identity_open_parts(&parts, identity, error);
}

/* NULL with a finding, or with a note: its token is away. */
static struct tls_identity *open_identity(struct services_shared *shared, const struct config_identity *wanted,
                                          struct config_findings *findings)
{
    struct text_index *index = &shared->identity_index[wanted->type];
    ptrdiff_t known = text_index_find(index, wanted->value);
    struct tls_identity *identity;
    char *error = NULL;
    const char *away;

    if (known != TEXT_INDEX_NONE)
        return shared->identities[known];
    away = wanted->type == CONFIG_IDENTITY_PKCS11 ? tokens_shim_away(wanted->value) : NULL;
    if (away != NULL) {
        config_note_add(findings, CONFIG_NOTE_WARNING, "identity_away", wanted->place,
                        "identity %s: %s; the service refuses its clients until the token is there", wanted->text,
                        away);
        return NULL;
    }
    if (!open_wanted(wanted, &identity, &error)) {
        config_finding_add(findings, wanted->place, "identity %s: %s", wanted->text, error);
        free(error);
        return NULL;
    }
    validity_warn_identity(wanted, identity, time(NULL), shared->config->expiry_warning_ms / 1000, findings);
    validity_warn_chain(wanted, identity, findings);
    shared->identities =
        base_realloc_array(shared->identities, shared->identity_count + 1, sizeof(struct tls_identity *));
    shared->identities[shared->identity_count] = identity;
    text_index_add(index, wanted->value, shared->identity_count++); /* the value lives with the config */
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

static bool some_are_away(struct tls_identity *const *identities, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (identities[i] == NULL)
            return true;
    return false;
}

/* ---- a service ---- */

static enum starttls_protocol protocol_of(enum config_protocol protocol)
{
#define PROTOCOL_PAIR(id, object, word, starttls, idle_ms) [CONFIG_PROTOCOL_##id] = STARTTLS_##id,
    static const enum starttls_protocol protocols[] = {PROTOCOLS(PROTOCOL_PAIR)};
#undef PROTOCOL_PAIR

    return protocols[protocol];
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
    s->pool_group = service_pool_group(shared, config);
    s->verify_group = service_verify_group(shared, config);
    s->pins = read_pins(config);
    read_policies(shared, s, findings);
    service_key_groups_check(config, findings);
    if (config->listen_tls != CONFIG_TLS_NONE) {
        s->identity_count = config->identity_count;
        s->identities = open_identities(shared, config->identity, config->identity_count, findings);
        if (config->peer != CONFIG_PEER_NONE)
            s->peer_trust = service_store_open(shared, config->peer_trust, config->peer_trust_count, findings);
        if (findings->count == findings_before && !some_are_away(s->identities, s->identity_count))
            service_open_server_context(shared, s, findings);
    }
    if (config_service_originates_tls(config)) {
        static const struct config_trust mozilla = {.type = CONFIG_TRUST_MOZILLA};

        s->connect_identity_count = config->connect_identity_count;
        s->connect_identities =
            open_identities(shared, config->connect_identity, config->connect_identity_count, findings);
        if (!config->insecure_no_verify)
            s->trust = service_store_open(shared, config->trust_count > 0 ? config->trust : &mozilla,
                                          config->trust_count > 0 ? config->trust_count : 1, findings);
        if (findings->count == findings_before && !some_are_away(s->connect_identities, s->connect_identity_count))
            service_open_client_context(shared, s, findings);
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
    service_ev_read(config, &services->shared->ev, findings);
    services->shared->issuers = issuer_fetch_create();
    service_rules_check(config, findings);
    for (size_t i = 0; i < config->service_count; i++) {
        services->items[i].config = &config->services[i];
        open_service(services->shared, &services->items[i], findings);
    }
    services->pool_group_count = services->shared->pool_group_count;
    if (findings->count > findings_before)
        services_destroy(&services);
    return services;
}

bool services_wait_for_tokens(const struct services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        const struct service *s = &services->items[i];

        if (some_are_away(s->identities, s->identity_count) ||
            some_are_away(s->connect_identities, s->connect_identity_count))
            return true;
    }
    return false;
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
        tls_identity_destroy(&shared->identities[i]);
    for (size_t i = 0; i < ARRAY_LEN(shared->identity_index); i++)
        text_index_clear(&shared->identity_index[i]);
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
    text_index_clear(&shared->pool_group_index);
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
