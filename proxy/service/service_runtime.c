/* see proxy/service/service.h: NSS in this process, and the shim that shows it the tokens' identities. */
#include "proxy/service/service_internal.h"

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

/* An identity whose key is with an agent. */
struct wanted {
    const char *uri;
    const char *name; /* for messages */
    const char *text; /* of a file: as configured; else NULL */
    struct config_place place;
};

struct wanted_list {
    struct wanted *items;
    size_t count;
};

static void want(struct wanted_list *list, struct wanted wanted)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].uri, wanted.uri) == 0)
            return;
    list->items = base_realloc_array(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = wanted;
}

static void want_all(struct wanted_list *list, const struct config_identity *identities, size_t count,
                     const struct file_identities *files)
{
    for (size_t i = 0; i < count; i++) {
        const struct config_identity *identity = &identities[i];
        const struct file_identity *file =
            identity->type == CONFIG_IDENTITY_FILE ? file_identities_find(files, identity->value) : NULL;

        if (file != NULL)
            want(list, (struct wanted){file->uri, file->path, identity->text, identity->place});
        else if (identity->type == CONFIG_IDENTITY_PKCS11)
            want(list, (struct wanted){identity->value, identity->value, NULL, identity->place});
    }
}

static struct wanted_list wanted_by(const struct config *config, const struct file_identities *files)
{
    struct wanted_list list = {.items = NULL};

    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];

        want_all(&list, s->identity, s->identity_count, files);
        want_all(&list, s->connect_identity, s->connect_identity_count, files);
    }
    return list;
}

static struct tokens_shim_module shim_module(const struct config *config, const struct config_module *module)
{
    return (struct tokens_shim_module){.name = module->name,
                                       .socket_path = service_agent_socket_path(config, module),
                                       .sign_timeout_ms = module->sign_timeout_ms};
}

static bool start_shim(const struct config *config, const struct wanted_list *wanted, bool with_files, bool may_be_away,
                       struct config_findings *findings)
{
    struct tokens_shim_module *modules = base_alloc((config->module_count + 1) * sizeof(*modules));
    const char **uris = base_alloc(wanted->count * sizeof(*uris));
    const char **names = base_alloc(wanted->count * sizeof(*names));
    size_t failed = 0;
    struct tokens_shim_options options = {.modules = modules,
                                          .uris = uris,
                                          .names = names,
                                          .uri_count = wanted->count,
                                          .failed = &failed,
                                          .may_be_away = may_be_away};
    struct config_module file_keys;
    char *error = NULL;
    bool started;

    services_file_keys_module(config, &file_keys);
    for (size_t i = 0; i < config->module_count; i++)
        modules[options.module_count++] = shim_module(config, &config->modules[i]);
    if (with_files) {
        modules[options.module_count] = shim_module(config, &file_keys);
        modules[options.module_count++].file_keys = true;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        uris[i] = wanted->items[i].uri;
        names[i] = wanted->items[i].name;
    }
    started = tokens_shim_start(&options, &error);
    if (!started) {
        const struct wanted *item = &wanted->items[failed];

        if (item->text != NULL)
            config_finding_add(findings, item->place, "identity %s: %s", item->text, error);
        else
            config_finding_add(findings, item->place, "%s", error);
        free(error);
    }
    for (size_t i = 0; i < options.module_count; i++)
        free((char *)(uintptr_t)modules[i].socket_path);
    services_file_keys_module_clear(&file_keys);
    free(modules);
    free(uris);
    free(names);
    return started;
}

static const struct file_identities *file_identities;

const struct file_identities *service_file_identities(void)
{
    return file_identities;
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

static bool start_nss(const struct config *config, const struct services_runtime_options *given,
                      struct config_findings *findings)
{
    char *accelerator = services_accelerator(config);
    const struct tls_runtime_options options = {.database = config->database,
                                                .accelerator = accelerator,
                                                .ticket_key = given->ticket_key,
                                                .session_cache = given->session_cache};
    char *error = NULL;
    bool started = tls_runtime_start(&options, &error);
    bool missed = !started && accelerator != NULL && strstr(error, accelerator) != NULL;

    free(accelerator);
    if (started)
        return true;
    if (missed)
        config_finding_add(findings, config->accelerator_place, "accelerator: %s", error);
    else if (config->database != NULL)
        config_finding_add(findings, config->database_place, "database: %s", error);
    else
        config_finding_add(findings, (struct config_place){.file = config->files[0]}, "%s", error);
    free(error);
    return false;
}

bool services_runtime_start(const struct config *config, const struct services_runtime_options *options,
                            struct config_findings *findings)
{
    struct wanted_list wanted = wanted_by(config, options->identities);
    bool good = start_nss(config, options, findings);
    char *error = NULL;

    if (good && wanted.count > 0) {
        good = shim_is_started =
            start_shim(config, &wanted, file_identities_count(options->identities) > 0, options->may_be_away, findings);
        if (!good && !tls_runtime_stop(&error)) {
            config_finding_add(findings, wanted.items[0].place, "%s", error);
            free(error);
        }
    }
    if (good)
        file_identities = options->identities;
    free(wanted.items);
    return good;
}

bool services_runtime_stop(char **error)
{
    if (shim_is_started)
        tokens_shim_stop();
    shim_is_started = false;
    file_identities = NULL;
    return tls_runtime_stop(error);
}
