/* see config/checks_across.h */
#include "config/checks_across.h"
#include "config/doors.h"
#include "config/kinds.h"
#include "config/values.h"

#include <stdlib.h>
#include <string.h>

/* An address something listens on. */
struct listener {
    char *key; /* canonical text */
    struct config_place place;
    size_t order;
    size_t service; /* CONFIG_NO_SERVICE: the control socket, or the admin endpoint */
};

static void listener_add(struct listener *listeners, size_t *count, const struct config_address *a, size_t service)
{
    struct listener *l = &listeners[*count];

    l->key = doors_address_text(a);
    l->service = service;
    l->place = a->place;
    l->order = (*count)++;
}

static int by_key_and_order(const void *a, const void *b)
{
    const struct listener *x = a, *y = b;
    int difference = strcmp(x->key, y->key);

    return difference != 0 ? difference : (x->order > y->order) - (x->order < y->order);
}

static void listeners_check(const struct config *config, struct config_place control_place,
                            struct config_findings *findings)
{
    struct config_address control = {.type = CONFIG_ADDRESS_UNIX, .host = config->control, .place = control_place};
    struct listener *listeners;
    size_t count = 0, count_max = 2;

    for (size_t i = 0; i < config->service_count; i++)
        count_max += config->services[i].listen_count;
    listeners = base_alloc(count_max * sizeof(*listeners));
    if (control.host != NULL)
        listener_add(listeners, &count, &control, CONFIG_NO_SERVICE);
    if (config->admin != NULL)
        listener_add(listeners, &count, config->admin, CONFIG_NO_SERVICE);
    for (size_t i = 0; i < config->service_count; i++)
        for (size_t j = 0; j < config->services[i].listen_count; j++)
            listener_add(listeners, &count, &config->services[i].listen[j], i);
    qsort(listeners, count, sizeof(*listeners), by_key_and_order);
    for (size_t i = 1; i < count; i++) {
        const struct config_place *before = &listeners[i - 1].place;

        if (strcmp(listeners[i].key, listeners[i - 1].key) != 0)
            continue;
        if (listeners[i].service != CONFIG_NO_SERVICE && listeners[i - 1].service != CONFIG_NO_SERVICE &&
            listeners[i].service != listeners[i - 1].service)
            continue; /* whether they can share it is told by config/doors.h */
        if (before->line == 0)
            config_finding_add(findings, listeners[i].place, "%s is already the control socket", listeners[i].key);
        else
            config_finding_add(findings, listeners[i].place, "%s is already listened on by %s:%u", listeners[i].key,
                               before->file, before->line);
    }
    for (size_t i = 0; i < count; i++)
        free(listeners[i].key);
    free(listeners);
}

static void admin_check(const struct config *config, struct config_findings *findings)
{
    const struct config_address *admin = config->admin;
    char *canonical;

    if (admin == NULL)
        return;
    if (!config_address_is_loopback(admin)) {
        config_finding_add(findings, admin->place,
                           "admin: must be a loopback address such as 127.0.0.1:9180, or unix:PATH");
    } else if (admin->type == CONFIG_ADDRESS_INET && !value_address_literal(admin->host, &canonical)) {
        config_finding_add(findings, admin->place, "admin: %s is a name; it must be an address, such as 127.0.0.1:%u",
                           admin->text, admin->port);
    } else if (admin->type == CONFIG_ADDRESS_INET) {
        free(canonical);
    }
}

/* The agent of file keys stands among those of modules: in status, in the log, and in the name of its socket. */
static void module_names_check(const struct config *config, struct config_findings *findings)
{
    for (size_t i = 0; i < config->module_count && config->file_keys == CONFIG_FILE_KEYS_AGENT; i++)
        if (strcmp(config->modules[i].name, CONFIG_FILE_KEYS_MODULE) == 0)
            config_finding_add(findings, config->modules[i].place,
                               "[module %s]: with file_keys = agent this name is taken: choose another",
                               CONFIG_FILE_KEYS_MODULE);
}

void checks_run_across(struct config *config, struct config_place control_place, struct config_findings *findings)
{
    admin_check(config, findings);
    module_names_check(config, findings);
    listeners_check(config, control_place, findings);
    doors_make(config, findings);
}
