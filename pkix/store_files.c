/* see pkix/store.h: certificates from files */
#include "pkix/pem.h"
#include "pkix/store_internal.h"

static bool add_anchor(void *ctx, struct span der, const char *origin, char **error)
{
    struct pkix_store *store = ctx;

    return pkix_store_trust(store, der, origin, error);
}

static bool add_intermediate(void *ctx, struct span der, const char *origin, char **error)
{
    struct pkix_store *store = ctx;
    bool is_new;

    return pkix_store_list_add(&store->intermediates, der, PKIX_TRUST_INHERITED, origin, &is_new, error) != NULL;
}

bool pkix_store_add_anchors_path(struct pkix_store *store, const char *path, char **error)
{
    return pkix_pem_each_path(path, &pkix_pem_certificates, add_anchor, store, error);
}

bool pkix_store_add_intermediates_path(struct pkix_store *store, const char *path, char **error)
{
    return pkix_pem_each_path(path, &pkix_pem_certificates, add_intermediate, store, error);
}
