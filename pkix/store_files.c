/* see pkix/store.h: certificates from files */
#include "pkix/pem.h"
#include "pkix/store.h"
#include "pkix/store_internal.h"

#include <stdlib.h>

/* One bad authority of a bundle is left out: it can only be missed, where a connection is refused that it would have
 * vouched for. (A list of revoked certificates that is left out would let somebody in: pkix/crl.c does no such thing.)
 */
struct adding {
    struct pkix_store *store;
    bool (*add)(struct pkix_store *store, struct span der, const char *origin, char **error);
    pkix_store_left_out *told;
    void *ctx;
    size_t good, bad;
    char *first; /* sentence of those left out */
};

static bool add_anchor(struct pkix_store *store, struct span der, const char *origin, char **error)
{
    return pkix_store_trust(store, der, origin, error);
}

static bool add_intermediate(struct pkix_store *store, struct span der, const char *origin, char **error)
{
    bool is_new;

    return pkix_store_list_add(&store->intermediates, der, PKIX_TRUST_INHERITED, origin, &is_new, error) != NULL;
}

static bool visit(void *ctx, struct span der, const char *origin, char **error)
{
    struct adding *a = ctx;
    char *why = NULL;

    if (a->add(a->store, der, origin, &why)) {
        a->good++;
        return true;
    }
    if (a->told == NULL) {
        *error = why;
        return false;
    }
    a->bad++;
    if (a->first == NULL)
        a->first = base_strdup(why);
    if (a->bad <= PKIX_STORE_LEFT_OUT_MAX)
        a->told(a->ctx, why);
    free(why);
    return true;
}

static bool add_path(struct adding *a, const char *path, char **error)
{
    bool good = pkix_pem_each_path(path, &pkix_pem_certificates, visit, a, error);

    if (good && a->bad > PKIX_STORE_LEFT_OUT_MAX) {
        char *more = base_printf("%s: %zu more", path, a->bad - PKIX_STORE_LEFT_OUT_MAX);

        a->told(a->ctx, more);
        free(more);
    }
    if (good && a->good == 0) {
        *error = a->bad == 1 ? base_strdup(a->first)
                             : base_printf("%s: none of its %zu certificates can be used; the first: %s", path, a->bad,
                                           a->first);
        good = false;
    }
    free(a->first);
    return good;
}

bool pkix_store_add_anchors_path(struct pkix_store *store, const char *path, pkix_store_left_out *told, void *ctx,
                                 char **error)
{
    return add_path(&(struct adding){store, add_anchor, told, ctx, 0, 0, NULL}, path, error);
}

bool pkix_store_add_intermediates_path(struct pkix_store *store, const char *path, pkix_store_left_out *told, void *ctx,
                                       char **error)
{
    return add_path(&(struct adding){store, add_intermediate, told, ctx, 0, 0, NULL}, path, error);
}
