/* see pkix/verdict.h and pkix/verdict_create.h */
#include "pkix/verdict.h"
#include "pkix/dn.h"
#include "pkix/explain.h"
#include "pkix/explain_name.h"
#include "pkix/oid.h"
#include "pkix/verdict_create.h"

#include <stdlib.h>

struct tried_text {
    char *subjects[PKIX_PATH_MAX], *names[PKIX_PATH_MAX];
    size_t count, at;
    enum pkix_error error;
    char *detail;
};

struct owned_der {
    uint8_t *data;
    size_t size;
};

struct pkix_verdict {
    enum pkix_error error;
    char *detail, *path_text;
    struct owned_der path[PKIX_PATH_MAX];
    size_t path_length;
    struct tried_text tried[PKIX_TRIED_MAX];
    size_t tried_count;
    unsigned signature_checks;
    enum pkix_revocation_status revocation;
    char **policies;
    size_t policy_count;
    char *ev_policy;
    char *warnings[PKIX_WARNINGS_MAX];
    size_t warning_count;
};

/* The stopped path that explains the error best: one that stopped for the same reason, as deep as possible; where
 * issuers failed differently, the one that came furthest. What is only about the leaf has the whole path. */
static struct pkix_tried best_tried(const struct pkix_search *s, enum pkix_error error)
{
    const struct pkix_tried *same = NULL, *longest = NULL;
    struct pkix_tried leaf = {.path = s->path, .error = error};

    for (unsigned i = 0; i < s->notes.tried_count; i++) {
        const struct pkix_tried *t = &s->notes.tried[i];

        if (t->error == error && (same == NULL || t->path.count > same->path.count))
            same = t;
        if (longest == NULL || t->path.count > longest->path.count)
            longest = t;
    }
    if (same != NULL)
        return *same;
    return error == PKIX_UNKNOWN_ISSUER && longest != NULL ? *longest : leaf;
}

static char *detail_of(const struct pkix_search *s, enum pkix_error error, const struct pkix_tried *best)
{
    char *issuers = pkix_explain_issuers(s);
    char *text = error == PKIX_OK ? base_strdup(pkix_error_sentence(error)) : pkix_explain(s, best);

    if (error != PKIX_OK && best->error != error) {
        char *both =
            base_printf("%s; of those tried, the path that came furthest: %s", pkix_error_sentence(error), text);

        free(text);
        text = both;
    }
    if (issuers[0] != '\0') {
        char *longer = base_printf("%s%s", text, issuers);

        free(text);
        text = longer;
    }
    free(issuers);
    if (error != PKIX_OK && s->extras_ignored > 0) {
        char *longer = base_printf("%s; %u certificates of the peer were ignored", text, s->extras_ignored);

        free(text);
        text = longer;
    }
    return text;
}

/* What holds for the path found. */
static void copy_policies(const struct pkix_search *s, struct pkix_verdict *v)
{
    const struct pkix_policy_set *set = &s->policies.user;

    v->policies = base_alloc((set->count + 1) * sizeof(*v->policies));
    for (unsigned i = 0; i < set->count; i++)
        v->policies[v->policy_count++] = pkix_oid_text(set->items[i]);
    if (set->any)
        v->policies[v->policy_count++] = pkix_oid_text(pkix_oid(OID_ANY_POLICY));
    if (s->ev != NULL)
        v->ev_policy = pkix_oid_text(span_of(s->ev->policy, s->ev->policy_size));
}

static void name_step(const struct pkix_search *s, const struct pkix_cert *cert, struct tried_text *tried,
                      unsigned index)
{
    tried->subjects[index] = pkix_dn_text(cert->subject);
    tried->names[index] = pkix_explain_cert(&s->notes, cert);
}

struct pkix_verdict *pkix_verdict_create(const struct pkix_search *s, enum pkix_error error)
{
    struct pkix_verdict *v = base_alloc(sizeof(*v));
    struct pkix_tried best = best_tried(s, error);

    v->error = error;
    v->detail = detail_of(s, error, &best);
    v->path_text = error == PKIX_OK ? base_strdup("") : pkix_explain_path(s, &best);
    v->signature_checks = s->budget.signature_checks;
    v->revocation = s->notes.revocation;
    for (unsigned i = 0; i < s->notes.warnings.count; i++)
        v->warnings[v->warning_count++] = base_strdup(s->notes.warnings.list[i]);
    if (error == PKIX_OK) {
        copy_policies(s, v);
        v->path_length = s->path.count;
        for (unsigned i = 0; i < s->path.count; i++) {
            struct span der = s->path.steps[i].cert->der;

            v->path[i] = (struct owned_der){base_memdup(der.data, der.size), der.size};
        }
    }
    v->tried_count = s->notes.tried_count;
    for (unsigned i = 0; i < s->notes.tried_count; i++) {
        const struct pkix_tried *t = &s->notes.tried[i];

        v->tried[i].count = t->path.count;
        v->tried[i].at = t->failure.culprit;
        v->tried[i].error = t->error;
        v->tried[i].detail = pkix_explain(s, t);
        for (unsigned k = 0; k < t->path.count; k++)
            name_step(s, t->path.steps[k].cert, &v->tried[i], k);
    }
    return v;
}

struct pkix_verdict *pkix_verdict_create_unread(const struct pkix_cert *leaf, enum pkix_error error)
{
    struct pkix_verdict *v = base_alloc(sizeof(*v));

    v->error = error;
    v->detail = pkix_explain_unread(leaf, error);
    v->path_text = base_strdup("");
    return v;
}

void pkix_verdict_destroy(struct pkix_verdict **verdict)
{
    struct pkix_verdict *v = *verdict;

    if (v == NULL)
        return;
    for (size_t i = 0; i < v->path_length; i++)
        free(v->path[i].data);
    for (size_t i = 0; i < v->tried_count; i++) {
        for (size_t k = 0; k < v->tried[i].count; k++) {
            free(v->tried[i].subjects[k]);
            free(v->tried[i].names[k]);
        }
        free(v->tried[i].detail);
    }
    for (size_t i = 0; i < v->policy_count; i++)
        free(v->policies[i]);
    for (size_t i = 0; i < v->warning_count; i++)
        free(v->warnings[i]);
    free(v->policies);
    free(v->ev_policy);
    free(v->detail);
    free(v->path_text);
    free(v);
    *verdict = NULL;
}

enum pkix_error pkix_verdict_error(const struct pkix_verdict *v)
{
    return v->error;
}

const char *pkix_verdict_detail(const struct pkix_verdict *v)
{
    return v->detail;
}

const char *pkix_verdict_stopped_path(const struct pkix_verdict *v)
{
    return v->path_text;
}

size_t pkix_verdict_path_length(const struct pkix_verdict *v)
{
    return v->path_length;
}

struct span pkix_verdict_path_cert(const struct pkix_verdict *v, size_t index)
{
    assert(index < v->path_length);
    return span_of(v->path[index].data, v->path[index].size);
}

size_t pkix_verdict_tried_count(const struct pkix_verdict *v)
{
    return v->tried_count;
}

size_t pkix_verdict_tried_length(const struct pkix_verdict *v, size_t tried)
{
    assert(tried < v->tried_count);
    return v->tried[tried].count;
}

const char *pkix_verdict_tried_subject(const struct pkix_verdict *v, size_t tried, size_t index)
{
    assert(tried < v->tried_count && index < v->tried[tried].count);
    return v->tried[tried].subjects[index];
}

const char *pkix_verdict_tried_name(const struct pkix_verdict *v, size_t tried, size_t index)
{
    assert(tried < v->tried_count && index < v->tried[tried].count);
    return v->tried[tried].names[index];
}

enum pkix_error pkix_verdict_tried_error(const struct pkix_verdict *v, size_t tried)
{
    assert(tried < v->tried_count);
    return v->tried[tried].error;
}

size_t pkix_verdict_tried_at(const struct pkix_verdict *v, size_t tried)
{
    assert(tried < v->tried_count);
    return v->tried[tried].at;
}

const char *pkix_verdict_tried_detail(const struct pkix_verdict *v, size_t tried)
{
    assert(tried < v->tried_count);
    return v->tried[tried].detail;
}

unsigned pkix_verdict_signature_checks(const struct pkix_verdict *v)
{
    return v->signature_checks;
}

enum pkix_revocation_status pkix_verdict_revocation(const struct pkix_verdict *v)
{
    return v->revocation;
}

size_t pkix_verdict_warning_count(const struct pkix_verdict *v)
{
    return v->warning_count;
}

const char *pkix_verdict_warning(const struct pkix_verdict *v, size_t index)
{
    assert(index < v->warning_count);
    return v->warnings[index];
}

size_t pkix_verdict_policy_count(const struct pkix_verdict *v)
{
    return v->policy_count;
}

const char *pkix_verdict_policy(const struct pkix_verdict *v, size_t index)
{
    assert(index < v->policy_count);
    return v->policies[index];
}

const char *pkix_verdict_ev_policy(const struct pkix_verdict *v)
{
    return v->ev_policy;
}
