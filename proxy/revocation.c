/* see proxy/revocation.h */
#include "proxy/revocation.h"

#include "pkix/crl.h"
#include <stdlib.h>

struct crl_list {
    const struct config_crl *crl; /* lives with the config */
    size_t count;
    struct pkix_crl_set *set;
};

struct revocation {
    const struct config *config;
    struct crl_list *lists;
    size_t list_count;
};

struct revocation *revocation_create(const struct config *config)
{
    struct revocation *r = base_alloc(sizeof(*r));

    r->config = config;
    return r;
}

void revocation_destroy(struct revocation **revocation)
{
    struct revocation *r = *revocation;

    if (r == NULL)
        return;
    for (size_t i = 0; i < r->list_count; i++)
        pkix_crl_set_destroy(&r->lists[i].set);
    free(r->lists);
    free(r);
    *revocation = NULL;
}

static const char *path_of(const struct revocation *r, const struct config_crl *crl)
{
    return crl->type == CONFIG_CRL_STORED ? r->config->crl_directory : crl->path;
}

static bool same_crls(const struct revocation *r, const struct crl_list *list, const struct config_service *service)
{
    if (list->count != service->crl_count)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(path_of(r, &list->crl[i]), path_of(r, &service->crl[i])) != 0)
            return false;
    return true;
}

/* NULL: the service has none. */
static const struct pkix_crl_set *open_crls(struct revocation *r, const struct config_service *service,
                                            struct config_findings *findings)
{
    struct pkix_crl_set *set;

    if (service->crl_count == 0)
        return NULL;
    for (size_t i = 0; i < r->list_count; i++)
        if (same_crls(r, &r->lists[i], service))
            return r->lists[i].set;
    set = pkix_crl_set_create();
    for (size_t i = 0; i < service->crl_count; i++) {
        char *error = NULL;

        if (pkix_crl_set_add_path(set, path_of(r, &service->crl[i]), &error))
            continue;
        config_finding_add(findings, service->crl[i].place, "crl: %s", error);
        free(error);
    }
    r->lists = base_realloc_array(r->lists, r->list_count + 1, sizeof(*r->lists));
    r->lists[r->list_count++] = (struct crl_list){.crl = service->crl, .count = service->crl_count, .set = set};
    return set;
}

static enum pkix_revocation mode_of(enum config_revocation mode)
{
    switch (mode) {
    case CONFIG_REVOCATION_OFF:
        return PKIX_REVOCATION_OFF;
    case CONFIG_REVOCATION_SOFT:
        return PKIX_REVOCATION_SOFT;
    case CONFIG_REVOCATION_HARD:
        return PKIX_REVOCATION_HARD;
    }
    base_abort("revocation of no known kind");
}

struct tls_revocation revocation_open(struct revocation *r, const struct config_service *service,
                                      const struct config_trust *trust, size_t trust_count,
                                      struct config_findings *findings)
{
    (void)trust;
    (void)trust_count;
    return (struct tls_revocation){
        .mode = mode_of(service->revocation),
        .crls = open_crls(r, service, findings),
    };
}
