/* see proxy/service/service_internal.h */
#include "proxy/service/service_internal.h"

#include <stdio.h>
#include <string.h>

enum { POOL_GROUP_NAME_MAX = 128 };

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
    ptrdiff_t known = text_index_find(&shared->pool_group_index, name);

    if (known != TEXT_INDEX_NONE)
        return (size_t)known;
    shared->pool_groups =
        base_realloc_array(shared->pool_groups, shared->pool_group_count + 1, sizeof(*shared->pool_groups));
    shared->pool_groups[shared->pool_group_count] = base_strdup(name);
    text_index_add(&shared->pool_group_index, shared->pool_groups[shared->pool_group_count], shared->pool_group_count);
    return shared->pool_group_count++;
}

size_t service_pool_group(struct services_shared *shared, const struct config_service *service)
{
    char name[2 * POOL_GROUP_NAME_MAX];

    name_pool_group(service, name, sizeof(name));
    return pool_group_named(shared, name);
}

/* Steps that may verify a certificate, and so ask a responder or fetch an issuer, wait among themselves: a token is
 * nobody's to hold up, nor another service. */
size_t service_verify_group(struct services_shared *shared, const struct config_service *service)
{
    char name[2 * POOL_GROUP_NAME_MAX];

    snprintf(name, sizeof(name), "certificates %s", service->name);
    return pool_group_named(shared, name);
}
