/* see proxy/service/service.h: NSS in this process, and the shim that shows it the tokens' identities. */
#include "proxy/service/service.h"

#include "tls/runtime.h"
#include "tokens/library.h"
#include "tokens/shim/shim.h"
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

char *service_agent_socket_path(const struct config *config, const struct config_module *module)
{
    char *control = base_strdup(config->control);
    char *path = base_printf("%s/agent-%s.sock", dirname(control), module->name);

    free(control);
    return path;
}

/* A token identity of the configuration, for messages about the shim; NULL when there is none. */
static const struct config_identity *first_token_identity(const struct config *config)
{
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];

        for (size_t n = 0; n < s->identity_count; n++)
            if (s->identity[n].type == CONFIG_IDENTITY_PKCS11)
                return &s->identity[n];
        for (size_t n = 0; n < s->connect_identity_count; n++)
            if (s->connect_identity[n].type == CONFIG_IDENTITY_PKCS11)
                return &s->connect_identity[n];
    }
    return NULL;
}

static size_t collect_uris(const struct config_identity *identities, size_t count, const char **uris, size_t uri_count)
{
    for (size_t i = 0; i < count; i++) {
        bool known = identities[i].type != CONFIG_IDENTITY_PKCS11;

        for (size_t n = 0; n < uri_count && !known; n++)
            known = strcmp(uris[n], identities[i].value) == 0;
        if (!known)
            uris[uri_count++] = identities[i].value;
    }
    return uri_count;
}

static bool start_shim(const struct config *config, const struct config_identity *first,
                       struct config_findings *findings)
{
    struct tokens_shim_module *modules = base_alloc(config->module_count * sizeof(*modules));
    struct tokens_shim_options options = {.modules = modules, .module_count = config->module_count};
    const char **uris;
    size_t uri_max = 0;
    char *error = NULL;
    bool started;

    for (size_t i = 0; i < config->module_count; i++)
        modules[i] = (struct tokens_shim_module){.name = config->modules[i].name,
                                                 .socket_path = service_agent_socket_path(config, &config->modules[i]),
                                                 .sign_timeout_ms = config->modules[i].sign_timeout_ms};
    for (size_t i = 0; i < config->service_count; i++)
        uri_max += config->services[i].identity_count + config->services[i].connect_identity_count;
    uris = base_alloc(uri_max * sizeof(*uris));
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];

        options.uri_count = collect_uris(s->identity, s->identity_count, uris, options.uri_count);
        options.uri_count = collect_uris(s->connect_identity, s->connect_identity_count, uris, options.uri_count);
    }
    options.uris = uris;
    started = tokens_shim_start(&options, &error);
    if (!started) {
        config_finding_add(findings, first->place, "%s", error);
        free(error);
    }
    for (size_t i = 0; i < config->module_count; i++)
        free((char *)(uintptr_t)modules[i].socket_path);
    free(modules);
    free(uris);
    return started;
}

static bool shim_is_started;

/* see proxy/service/service.h */
char *services_accelerator_installed(void)
{
    return tokens_library_find("yett-accelerator.so");
}

/* see proxy/service/service.h */
char *services_accelerator(const struct config *config)
{
    if (config->accelerator == NULL)
        return NULL;
    return strcmp(config->accelerator, "auto") == 0 ? services_accelerator_installed()
                                                    : base_strdup(config->accelerator);
}

bool services_runtime_start(const struct config *config, struct span ticket_key, const char *session_cache,
                            struct config_findings *findings)
{
    const struct config_identity *token_identity = first_token_identity(config);
    char *accelerator = services_accelerator(config);
    const struct tls_runtime_options options = {.database = config->database,
                                                .accelerator = accelerator,
                                                .ticket_key = ticket_key,
                                                .session_cache = session_cache};
    char *error = NULL;
    bool started = tls_runtime_start(&options, &error);
    bool missed = !started && accelerator != NULL && strstr(error, accelerator) != NULL;

    free(accelerator);
    if (!started) {
        if (missed)
            config_finding_add(findings, config->accelerator_place, "accelerator: %s", error);
        else if (config->database != NULL)
            config_finding_add(findings, config->database_place, "database: %s", error);
        else
            config_finding_add(findings, (struct config_place){.file = config->files[0]}, "%s", error);
        free(error);
        return false;
    }
    if (token_identity == NULL)
        return true;
    shim_is_started = start_shim(config, token_identity, findings);
    if (shim_is_started)
        return true;
    if (!tls_runtime_stop(&error)) {
        config_finding_add(findings, token_identity->place, "%s", error);
        free(error);
    }
    return false;
}

bool services_runtime_stop(char **error)
{
    if (shim_is_started)
        tokens_shim_stop();
    shim_is_started = false;
    return tls_runtime_stop(error);
}
