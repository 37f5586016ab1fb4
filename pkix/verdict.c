/* see pkix/verdict.h and pkix/verify.h */
#include "pkix/verdict.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include "pkix/key.h"
#include "pkix/names.h"

#include <stdlib.h>

struct tried_text {
    char *subjects[PKIX_PATH_MAX];
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
    char *detail;
    struct owned_der path[PKIX_PATH_MAX];
    size_t path_length;
    struct tried_text tried[PKIX_TRIED_MAX];
    size_t tried_count;
    unsigned signature_checks;
    enum pkix_revocation_status revocation;
};

static char *name_text(const struct pkix_name *name)
{
    char quoted[BASE_QUOTE_SIZE], ip[PKIX_IP_TEXT_SIZE];

    if (name->type == PKIX_NAME_IP) {
        pkix_ip_format(name->value, ip);
        return base_strdup(ip);
    }
    return base_strdup(base_quote(name->value.data, name->value.size, quoted, sizeof(quoted)));
}

/* "SENTENCE: SUBJECT" with the value that decides. `what` names a rule or a limit, or is NULL. */
static char *explain(const struct pkix_search *s, enum pkix_error error, const struct pkix_cert *cert, const char *what)
{
    char *subject = pkix_dn_text(cert->subject), *value = NULL, *text;
    struct pkix_key key;
    char key_text[32];

    if (error == PKIX_EXPIRED || error == PKIX_EXPIRED_ISSUER) {
        char *date = pkix_time_text(cert->not_after);

        value = base_printf(" (not after %s)", date);
        free(date);
    } else if (error == PKIX_NOT_YET_VALID || error == PKIX_NOT_YET_VALID_ISSUER || error == PKIX_DISTRUSTED_AFTER) {
        char *date = pkix_time_text(error == PKIX_DISTRUSTED_AFTER ? s->leaf.not_before : cert->not_before);

        value = base_printf(" (%s %s)", error == PKIX_DISTRUSTED_AFTER ? "leaf not before" : "not before", date);
        free(date);
    } else if (error == PKIX_UNKNOWN_ISSUER) {
        char *issuer = pkix_dn_text(cert->issuer);

        value = base_printf(" (its issuer is %s)", issuer);
        free(issuer);
    } else if (error == PKIX_NAME_MISMATCH) {
        char *names = pkix_names_text(cert);
        char *wanted = name_text(&s->request->name);

        value = base_printf(" (it is for %s; asked for %s)", names[0] == '\0' ? "no name" : names, wanted);
        free(wanted);
        free(names);
    } else if (error == PKIX_WEAK_KEY && pkix_key_read(cert->spki, &key) == PKIX_WEAK_KEY) {
        value = base_printf(" (%s)", pkix_key_text(&key, key_text, sizeof(key_text)));
    } else if (error == PKIX_PATH_TOO_LONG) {
        value = base_printf(" (at most %u intermediates by configuration)", s->limits.intermediates_max);
    }
    text = base_printf("%s: %s%s%s%s", pkix_error_sentence(error), subject, value == NULL ? "" : value,
                       what == NULL ? "" : ": ", what == NULL ? "" : what);
    free(value);
    free(subject);
    return text;
}

static const struct pkix_cert *culprit_of(const struct pkix_tried *t)
{
    return t->path.steps[t->culprit].cert;
}

/* The stopped path that explains the error best: one that stopped for the same reason, as deep as possible. */
static const struct pkix_tried *best_tried(const struct pkix_search *s, enum pkix_error error)
{
    const struct pkix_tried *best = NULL;

    for (unsigned i = 0; i < s->tried_count; i++)
        if (s->tried[i].error == error && (best == NULL || s->tried[i].path.count > best->path.count))
            best = &s->tried[i];
    return best;
}

static char *detail_of(const struct pkix_search *s, enum pkix_error error)
{
    const struct pkix_tried *best = best_tried(s, error);
    char *text;

    if (error == PKIX_OK)
        return base_printf("%s", pkix_error_sentence(error));
    if (best != NULL)
        text = explain(s, error, culprit_of(best), best->what);
    else
        text = explain(s, error, &s->leaf, NULL);
    /* Several issuers failed differently: the most advanced one's reason helps most. */
    if (error == PKIX_UNKNOWN_ISSUER && s->tried_count > 0 && best == NULL) {
        const struct pkix_tried *t = &s->tried[0];
        char *first = explain(s, t->error, culprit_of(t), t->what);
        char *both = base_printf("%s; first tried: %s", text, first);

        free(first);
        free(text);
        text = both;
    }
    if (error != PKIX_OK && s->extras_ignored > 0) {
        char *longer = base_printf("%s; %u certificates of the peer were ignored", text, s->extras_ignored);

        free(text);
        text = longer;
    }
    return text;
}

struct pkix_verdict *pkix_verdict_create(const struct pkix_search *s, enum pkix_error error)
{
    struct pkix_verdict *v = base_alloc(sizeof(*v));

    v->error = error;
    v->detail = detail_of(s, error);
    v->signature_checks = s->signature_checks;
    v->revocation = s->revocation;
    if (error == PKIX_OK) {
        v->path_length = s->path.count;
        for (unsigned i = 0; i < s->path.count; i++) {
            struct span der = s->path.steps[i].cert->der;

            v->path[i] = (struct owned_der){base_memdup(der.data, der.size), der.size};
        }
    }
    v->tried_count = s->tried_count;
    for (unsigned i = 0; i < s->tried_count; i++) {
        const struct pkix_tried *t = &s->tried[i];

        v->tried[i].count = t->path.count;
        v->tried[i].at = t->culprit;
        v->tried[i].error = t->error;
        v->tried[i].detail = explain(s, t->error, culprit_of(t), t->what);
        for (unsigned k = 0; k < t->path.count; k++)
            v->tried[i].subjects[k] = pkix_dn_text(t->path.steps[k].cert->subject);
    }
    return v;
}

struct pkix_verdict *pkix_verdict_create_unread(enum pkix_error error)
{
    struct pkix_verdict *v = base_alloc(sizeof(*v));

    v->error = error;
    v->detail = base_printf("the peer's certificate: %s", pkix_error_sentence(error));
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
        for (size_t k = 0; k < v->tried[i].count; k++)
            free(v->tried[i].subjects[k]);
        free(v->tried[i].detail);
    }
    free(v->detail);
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
