/* see proxy/fetch/revocation.h */
#include "proxy/fetch/revocation.h"

#include "pkix/crl.h"
#include "proxy/fetch/crl_fetch.h"
#include "proxy/fetch/ocsp_fetch.h"
#include "proxy/process/validity.h"
#include <stdlib.h>
#include <time.h>

struct crl_list {
    const struct config_crl *crl; /* lives with the config */
    size_t count;
    struct pkix_crl_set *set;
};

/* One side of a service; tls/ keeps pointers to the sources, so it does not move. */
struct asker {
    struct asker *next;
    const struct config_service *service;
    struct ocsp_asker ocsp;
    struct crl_asker crl;
    struct pkix_evidence_source evidence;
    struct pkix_crl_source crl_source;
};

struct revocation {
    const struct config *config;
    struct ocsp_fetch *ocsp_fetch;
    struct crl_fetch *crl_fetch;
    struct asker *askers;
    struct crl_list *lists;
    size_t list_count;
};

struct revocation *revocation_create(const struct config *config)
{
    struct revocation *r = base_alloc(sizeof(*r));

    r->config = config;
    r->ocsp_fetch = ocsp_fetch_create();
    r->crl_fetch = crl_fetch_create();
    return r;
}

void revocation_destroy(struct revocation **revocation)
{
    struct revocation *r = *revocation;

    if (r == NULL)
        return;
    crl_fetch_destroy(&r->crl_fetch); /* its threads use askers */
    for (size_t i = 0; i < r->list_count; i++)
        pkix_crl_set_destroy(&r->lists[i].set);
    free(r->lists);
    while (r->askers != NULL) {
        struct asker *next = r->askers->next;

        free(r->askers);
        r->askers = next;
    }
    ocsp_fetch_destroy(&r->ocsp_fetch);
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
        const char *path = path_of(r, &service->crl[i]);
        size_t before = pkix_crl_set_count(set), count;
        char *error = NULL;

        if (pkix_crl_set_add_path(set, path, &error)) {
            count = pkix_crl_set_count(set) - before;
            config_note_add(findings, CONFIG_NOTE_INFORMATION, "crls_read", service->crl[i].place,
                            "crl: %s has %zu list%s", path, count, count == 1 ? "" : "s");
            validity_warn_crls(set, before, service->crl[i].place, time(NULL), findings);
            continue;
        }
        config_finding_add(findings, service->crl[i].place, "crl: %s", error);
        free(error);
    }
    r->lists = base_realloc_array(r->lists, r->list_count + 1, sizeof(*r->lists));
    r->lists[r->list_count++] = (struct crl_list){.crl = service->crl, .count = service->crl_count, .set = set};
    return set;
}

/* The world's authorities have no business with addresses that are not public; one's own may have its responder
 * there. */
static enum http_fetch_reach reach_of(const struct config_trust *trust, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (trust[i].type == CONFIG_TRUST_MOZILLA || trust[i].type == CONFIG_TRUST_SYSTEM)
            return HTTP_FETCH_PUBLIC_ONLY;
    return count == 0 ? HTTP_FETCH_PUBLIC_ONLY : HTTP_FETCH_ANYWHERE;
}

static const struct asker *open_asker(struct revocation *r, const struct config_service *service,
                                      enum http_fetch_reach reach)
{
    struct asker *asker = base_alloc(sizeof(*asker));

    asker->service = service;
    asker->ocsp = (struct ocsp_asker){.fetch = r->ocsp_fetch, .timeout_ms = service->ocsp_timeout_ms, .reach = reach};
    asker->crl = (struct crl_asker){.fetch = r->crl_fetch, .timeout_ms = service->crl_timeout_ms, .reach = reach};
    asker->evidence = ocsp_fetch_source(&asker->ocsp);
    asker->crl_source = crl_fetch_source(&asker->crl);
    asker->next = r->askers;
    r->askers = asker;
    return asker;
}

void revocation_count(struct revocation *r, struct counters *counters)
{
    for (struct asker *a = r->askers; a != NULL; a = a->next)
        a->crl.counters = counters_service(counters, (size_t)(a->service - r->config->services));
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
    const struct asker *asker = open_asker(r, service, reach_of(trust, trust_count));

    return (struct tls_revocation){
        .mode = mode_of(service->revocation),
        .crls = open_crls(r, service, findings),
        .evidence = service->ocsp_fetch ? &asker->evidence : NULL,
        .crl_source = service->crl_fetch ? &asker->crl_source : NULL,
    };
}
