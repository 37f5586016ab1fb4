/* see proxy/service/token_trust.h */
#include "proxy/service/token_trust.h"

#include "proxy/service/service.h"
#include "tokens/certs.h"
#include "tokens/manage/manage.h"

#include <stdlib.h>

struct taker {
    struct pkix_store *store;
    const char *uri;
    size_t seen, trusted;
};

static bool take(void *ctx, struct span der, char **error)
{
    struct taker *taker = ctx;
    bool is_authority;

    taker->seen++;
    if (!pkix_store_add_authority(taker->store, der, taker->uri, &is_authority, error))
        return false;
    taker->trusted += is_authority;
    return true;
}

static bool has_trusted(const struct taker *taker, char **error)
{
    if (taker->trusted != 0)
        return true;
    *error = base_printf("none of the %zu certificates that %s names is an authority's (basic constraints: CA)",
                         taker->seen, taker->uri);
    return false;
}

bool token_trust_add(const struct config *config, const char *uri, struct pkix_store *store, char **error)
{
    struct tokens_certs_agent *agents = base_alloc(config->module_count * sizeof(*agents));
    struct taker taker = {.store = store, .uri = uri};
    bool good;

    for (size_t i = 0; i < config->module_count; i++)
        agents[i] = (struct tokens_certs_agent){.name = config->modules[i].name,
                                                .socket_path = service_agent_socket_path(config, &config->modules[i])};
    good = tokens_certs_read(agents, config->module_count, uri, take, &taker, error);
    for (size_t i = 0; i < config->module_count; i++)
        free((char *)(uintptr_t)agents[i].socket_path);
    free(agents);
    return good && has_trusted(&taker, error);
}

bool token_trust_add_from_module(const char *module_path, const char *uri, struct pkix_store *store, char **error)
{
    struct taker taker = {.store = store, .uri = uri};
    struct tokens_module *module = tokens_module_load(module_path, error);
    bool good = module != NULL && tokens_certs_of(module, uri, take, &taker, error);

    tokens_module_unload(&module);
    return good && has_trusted(&taker, error);
}
