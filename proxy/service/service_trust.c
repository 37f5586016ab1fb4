/* see proxy/service/service_internal.h */
#include "proxy/service/service_internal.h"

#include "pkix/blocklist.h"
#include "pkix/distrust.h"
#include "pkix/roots.h"
#include "pkix/store.h"
#include "proxy/process/validity.h"
#include "proxy/service/token_trust.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool same_trust(const struct shared_store *s, const struct config_trust *trust, size_t count)
{
    if (s->trust_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (s->trust[i].type != trust[i].type ||
            (trust[i].value != NULL && strcmp(s->trust[i].value, trust[i].value) != 0))
            return false;
    return true;
}

/* What an authority's certificate that cannot be used is told as. */
struct left_out {
    struct config_place place;
    struct config_findings *findings;
};

static void on_left_out(void *ctx, const char *sentence)
{
    const struct left_out *l = ctx;

    config_note_add(l->findings, CONFIG_NOTE_WARNING, "authority_left_out", l->place, "trust: left out: %s", sentence);
}

/* An administrator's file; Mozilla's list and Debian's are looked after by others. */
static bool add_trust_path(struct pkix_store *store, const struct config_trust *trust, struct left_out *left_out,
                           char **error)
{
    size_t before = pkix_store_anchor_count(store);
    bool good = pkix_store_add_anchors_path(store, trust->value, on_left_out, left_out, error);

    for (size_t i = before; good && i < pkix_store_anchor_count(store); i++)
        validity_warn_authority(pkix_store_anchor_der(store, i), trust->place, time(NULL), left_out->findings);
    return good;
}

static bool add_trust(const struct config *config, struct pkix_store *store, const struct config_trust *trust,
                      struct config_findings *findings, char **error)
{
    struct left_out left_out = {trust->place, findings};

    switch (trust->type) {
    case CONFIG_TRUST_MOZILLA:
        return pkix_store_add_mozilla(store, config->roots, error);
    case CONFIG_TRUST_SYSTEM:
        return pkix_store_add_system(store, on_left_out, &left_out, error);
    case CONFIG_TRUST_DATABASE:
        return pkix_store_add_database(store, error);
    case CONFIG_TRUST_PATH:
        return add_trust_path(store, trust, &left_out, error);
    case CONFIG_TRUST_PKCS11:
        return token_trust_add(config, trust->value, store, error);
    }
    base_abort("a trust of no known type");
}

/* Where the problems of a file with rules are told: those of a line there, those of the whole file, which may not even
 * be there, where the option is that names it. */
struct file_findings {
    const char *option, *path;
    struct config_place place; /* of the option */
    struct config_findings *findings;
};

static void on_file_problem(void *ctx, unsigned line, const char *sentence)
{
    struct file_findings *to = ctx;
    struct config_place place = {.file = to->path, .line = line};

    if (to->findings == NULL)
        return;
    if (line == 0)
        config_finding_add(to->findings, to->place, "%s: %s: %s", to->option, to->path, sentence);
    else
        config_finding_add(to->findings, place, "%s", sentence);
}

/* `findings` NULL: they have been told. */
static bool add_blocklist(struct pkix_store *store, const struct config *config, struct config_findings *findings)
{
    const char *path = config->blocklist;
    struct file_findings to = {"blocklist", path, config->blocklist_place, findings};

    return path == NULL || pkix_store_add_blocklist_path(store, path, on_file_problem, &to);
}

/* Told once, however many stores there are, and also where there is none. */
static void check_blocklist(const struct config *config, struct config_findings *findings)
{
    struct pkix_store *store = pkix_store_create();

    (void)!add_blocklist(store, config, findings); /* the findings say so */

    pkix_store_destroy(&store);
}

void service_ev_read(const struct config *config, struct pkix_ev_list *list, struct config_findings *findings)
{
    const char *path = config->ev;
    struct file_findings to = {"ev", path, config->ev_place, findings};

    if (path != NULL)
        (void)!pkix_ev_list_add_path(list, path, on_file_problem, &to); /* the findings say so */
}

/* The file's rules, held against every anchor that is there. */
static bool add_distrust(struct pkix_store *store, const struct config *config, struct config_findings *findings)
{
    char *error = NULL;

    if (config->distrust == NULL || pkix_store_add_distrust_path(store, config->distrust, &error))
        return true;
    if (findings != NULL)
        config_finding_add(findings, config->distrust_place, "distrust: %s", error);
    free(error);
    return false;
}

/* Once, and not for each trust. */
static void check_distrust(const struct config *config, struct config_findings *findings)
{
    struct pkix_store *store = pkix_store_create();

    (void)!add_distrust(store, config, findings); /* the finding says so */
    pkix_store_destroy(&store);
}

void service_rules_check(const struct config *config, struct config_findings *findings)
{
    check_blocklist(config, findings);
    check_distrust(config, findings);
}

struct pkix_store *service_store_open(struct services_shared *shared, const struct config_trust *trust, size_t count,
                                      struct config_findings *findings)
{
    struct pkix_store *store;

    for (size_t i = 0; i < shared->store_count; i++)
        if (same_trust(&shared->stores[i], trust, count))
            return shared->stores[i].store;
    store = pkix_store_create();
    for (size_t i = 0; i < count; i++) {
        char *error = NULL;

        if (!add_trust(shared->config, store, &trust[i], findings, &error)) {
            config_finding_add(findings, trust[i].place, "trust: %s", error);
            free(error);
        }
    }
    (void)!add_distrust(store, shared->config, NULL); /* check_distrust() has told */
    pkix_store_remember(store);
    (void)!add_blocklist(store, shared->config, NULL); /* check_blocklist() has told what is wrong with it */
    shared->stores = base_realloc_array(shared->stores, shared->store_count + 1, sizeof(*shared->stores));
    shared->stores[shared->store_count++] = (struct shared_store){.trust = trust, .trust_count = count, .store = store};
    return store;
}
