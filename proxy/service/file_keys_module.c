/* see proxy/service/service.h: the agent of file keys, as if a section [module] asked for it. */
#include "proxy/service/service.h"

#include "tls/runtime.h"

#include <stdlib.h>

enum {
    SESSIONS = 16, /* threads that sign; what they do is arithmetic, so more than there are cores is no gain */
    QUEUE = 65536, /* each worker's handshake pool has a limit of its own, which is met first */
    SIGN_TIMEOUT_MS = 10000
};

static bool any_file(const struct config_identity *identities, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (identities[i].type == CONFIG_IDENTITY_FILE)
            return true;
    return false;
}

/* see proxy/service/service.h */
bool services_have_file_keys_agent(const struct config *config)
{
    for (size_t i = 0; i < config->service_count && config->file_keys == CONFIG_FILE_KEYS_AGENT; i++)
        if (any_file(config->services[i].identity, config->services[i].identity_count) ||
            any_file(config->services[i].connect_identity, config->services[i].connect_identity_count))
            return true;
    return false;
}

/* see proxy/service/service.h */
void services_file_keys_module(const struct config *config, struct config_module *module)
{
    *module = (struct config_module){
        .name = base_strdup(CONFIG_FILE_KEYS_MODULE),
        .path = services_accelerator(config),
        .pin_type = CONFIG_PIN_NONE,
        .sessions_max = SESSIONS,
        .queue_max = QUEUE,
        .sign_timeout_ms = SIGN_TIMEOUT_MS,
        .place = config->file_keys_place,
    };
    if (module->path == NULL)
        module->path = tls_nss_token_path();
    if (module->path == NULL)
        module->path = base_strdup("libsoftokn3.so"); /* what says best that it is not found */
}

/* see proxy/service/service.h */
void services_file_keys_module_clear(struct config_module *module)
{
    free(module->name);
    free(module->path);
}
