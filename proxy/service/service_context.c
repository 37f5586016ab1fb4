/* see proxy/service/service_internal.h */
#include "proxy/service/service_internal.h"

#include "base/file.h"
#include "pkix/ocsp.h"
#include "proxy/fetch/issuer_fetch.h"
#include "proxy/fetch/revocation.h"
#include "proxy/process/limits.h"
#include "proxy/process/validity.h"

#include <stdlib.h>
#include <time.h>

enum { OCSP_STAPLE_BYTES_MAX = 64 * 1024 };

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
    else
        validity_warn_staple(span_of(*data, size), service->ocsp_staple, service->place, time(NULL), findings);
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

void service_open_server_context(struct services_shared *shared, struct service *s, struct config_findings *findings)
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
        .groups = config->groups,
        .group_count = config->group_count,
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

void service_open_client_context(struct services_shared *shared, struct service *s, struct config_findings *findings)
{
    const struct config_service *config = s->config;
    const char *alpn = starttls_protocol_alpn(s->protocol);
    char *error = NULL;
    struct tls_client_options options = {
        .ciphers = ciphers_of(config->ciphers),
        .version_min = config->tls_min,
        .groups = config->groups,
        .group_count = config->group_count,
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
