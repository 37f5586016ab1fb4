/* see pkix/roots.h */
#include "pkix/roots.h"
#include "base/text.h"
#include "pkix/der.h"
#include "pkix/pem.h"
#include "pkix/roots_file.h"
#include "pkix/store_internal.h"

#include <stdlib.h>
#include <unistd.h>

const char pkix_roots_system_path[] = "/etc/ssl/certs/ca-certificates.crt";
const char pkix_roots_kept_path[] = "/var/lib/yett/roots.list";

/* mozilla_roots.list, byte by byte (cmake/EmbedFile.cmake). */
static const uint8_t known_list[] = {
#include "pkix/mozilla_roots.inc"
};

static const char date_word[] = "date ";

/* The list is part of the program: a mistake in it is found by the first test that trusts anybody. */
static void read_known(int64_t *date, pkix_roots_visit *visit, void *ctx)
{
    struct base_text text = base_text_of(span_of(known_list, sizeof(known_list)));
    struct pkix_distrust_rule rule;
    struct span line;
    const char *problem;

    while (base_text_next(&text, &line)) {
        if (line.size > sizeof(date_word) - 1 && memcmp(line.data, date_word, sizeof(date_word) - 1) == 0) {
            if (!pkix_distrust_time_read(span_skip(line, sizeof(date_word) - 1), date))
                base_abort("mozilla_roots.list:%u: the date", text.line);
            continue;
        }
        problem = pkix_distrust_rule_read(line, &rule);
        if (problem != NULL)
            base_abort("mozilla_roots.list:%u: %s", text.line, problem);
        if (visit != NULL && rule.verb != PKIX_DISTRUST_NOTHING)
            visit(ctx, &rule);
    }
}

int64_t pkix_roots_known_date(void)
{
    int64_t date = 0;

    read_known(&date, NULL, NULL);
    return date;
}

void pkix_roots_each_known(pkix_roots_visit *visit, void *ctx)
{
    int64_t date;

    read_known(&date, visit, ctx);
}

struct applied {
    struct pkix_store *store;
    size_t removed, restricted;
};

static void apply_rule(void *ctx, const struct pkix_distrust_rule *rule)
{
    struct applied *applied = ctx;

    if (rule->verb == PKIX_DISTRUST_ADDED || !pkix_store_distrust(applied->store, PKIX_DISTRUST_LISTED, rule))
        return;
    if (rule->verb == PKIX_DISTRUST_REMOVED)
        applied->removed++;
    else
        applied->restricted++;
}

void pkix_roots_apply_known(struct pkix_store *store, size_t *removed, size_t *restricted)
{
    struct applied applied = {.store = store};

    pkix_roots_each_known(apply_rule, &applied);
    if (removed != NULL)
        *removed = applied.removed;
    if (restricted != NULL)
        *restricted = applied.restricted;
}

static bool is_there(const char *kept)
{
    return kept != NULL && access(kept, F_OK) == 0;
}

/* The kept list's roots; NSS's module is asked only for what it distrusts. */
static bool add_kept(struct pkix_store *store, const char *kept, char **error)
{
    struct pkix_roots *roots = pkix_roots_file_read(kept, error);
    bool added;

    if (roots == NULL)
        return false;
    pkix_store_add_roots(store, roots);
    added = store->anchors.count != 0;
    if (!added)
        *error = base_printf("%s: has no roots that can be used", kept);
    pkix_roots_destroy(&roots);
    return added && pkix_store_add_module_distrust(store, error);
}

bool pkix_store_add_mozilla(struct pkix_store *store, const char *kept, char **error)
{
    if (is_there(kept) ? !add_kept(store, kept, error) : !pkix_store_add_module_roots(store, error))
        return false;
    pkix_roots_apply_known(store, NULL, NULL);
    return true;
}

struct system_roots {
    struct pkix_store *store;
    pkix_store_left_out *told;
    void *ctx;
};

static bool add_system_root(void *ctx, struct span der, const char *origin, char **error)
{
    const struct system_roots *roots = ctx;
    struct pkix_store *store = roots->store;
    struct pkix_store_entry *entry;
    bool is_new;

    entry = pkix_store_list_add(&store->anchors, der, PKIX_TRUST_ANCHOR, origin, &is_new, error);
    if (entry == NULL) {
        if (roots->told != NULL)
            roots->told(roots->ctx, *error);
        free(*error);
        *error = NULL;
    } else if (is_new) {
        entry->purposes = PKIX_FOR_SERVER | PKIX_FOR_CLIENT;
        entry->listed = true;
        pkix_store_impose_constraints(entry);
    }
    return true;
}

bool pkix_store_add_system(struct pkix_store *store, pkix_store_left_out *told, void *ctx, char **error)
{
    struct system_roots roots = {store, told, ctx};
    size_t before = store->anchors.count;

    if (!pkix_pem_each_path(pkix_roots_system_path, &pkix_pem_certificates, add_system_root, &roots, error)) {
        char *why = *error;

        *error = base_printf("%s; the package ca-certificates makes it", why);
        free(why);
        return false;
    }
    pkix_roots_apply_known(store, NULL, NULL);
    if (store->anchors.count > before)
        return true;
    *error = base_printf("%s: has no roots that can be used", pkix_roots_system_path);
    return false;
}

bool pkix_roots_state_read(const char *kept, struct pkix_roots_state *state, char **error)
{
    *state = (struct pkix_roots_state){.date = pkix_roots_known_date()};
    if (!is_there(kept))
        return true;
    state->kept = true;
    return pkix_roots_file_read_date(kept, &state->date, error);
}
