/* see pkix/explain.h */
#include "pkix/explain.h"
#include "pkix/explain_name.h"
#include "pkix/explain_value.h"
#include "pkix/oid_text.h"

#include <stdlib.h>

char *pkix_explain(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_cert *cert = t->path.steps[t->failure.culprit].cert;
    char *subject = pkix_explain_cert(&s->notes, cert), *value = pkix_explain_value(s, t), *text;

    text = base_printf("%s: %s%s%s%s", pkix_error_sentence(t->error), subject, value == NULL ? "" : value,
                       t->failure.what == NULL ? "" : ": ", t->failure.what == NULL ? "" : t->failure.what);
    free(value);
    free(subject);
    return text;
}

char *pkix_explain_unread(const struct pkix_cert *cert, enum pkix_error error)
{
    char *oid = cert->bad_extension.size == 0 ? NULL : pkix_oid_text(cert->bad_extension);
    char *subject = cert->subject.size == 0 ? NULL : pkix_explain_name(cert->subject);
    char *text = base_printf("the peer's certificate: %s%s%s%s%s%s", pkix_error_sentence(error),
                             subject == NULL ? "" : ": ", subject == NULL ? "" : subject, oid == NULL ? "" : " (",
                             oid == NULL ? "" : oid, oid == NULL ? "" : ")");

    free(subject);
    free(oid);
    return text;
}

char *pkix_explain_path(const struct pkix_search *s, const struct pkix_tried *t)
{
    char *text = base_strdup("");
    bool cut = t->path.count > PKIX_EXPLAIN_PATH_NAMES;

    for (unsigned i = 0; i < t->path.count; i++) {
        char *name, *longer;

        if (cut && i >= PKIX_EXPLAIN_PATH_NAMES / 2 && i < t->path.count - PKIX_EXPLAIN_PATH_NAMES / 2 &&
            i != t->failure.culprit)
            continue;
        name = pkix_explain_cert(&s->notes, t->path.steps[i].cert);
        longer =
            base_printf("%s%s%s%s%s%s", text, i == 0 ? "" : " <- ", name, i == t->failure.culprit ? " [" : "",
                        i == t->failure.culprit ? pkix_error_name(t->error) : "", i == t->failure.culprit ? "]" : "");
        free(name);
        free(text);
        text = longer;
    }
    return text;
}

char *pkix_explain_issuers(const struct pkix_search *s)
{
    char *text = base_strdup("");

    for (unsigned i = 0; i < s->notes.issuer_count; i++) {
        const struct pkix_issuer_note *note = &s->notes.issuers[i];
        char quoted[BASE_QUOTE_SIZE];
        char *child = pkix_explain_name(note->child->subject), *longer;

        base_quote(note->url.data, note->url.size, quoted, sizeof(quoted));
        longer = note->why == NULL
                     ? base_printf("%s; the issuer of %s was fetched from %s", text, child, quoted)
                     : base_printf("%s; the issuer of %s could not be had from %s: %s", text, child, quoted, note->why);
        free(child);
        free(text);
        text = longer;
    }
    return text;
}
