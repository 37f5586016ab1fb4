/* see pkix/explain.h */
#include "pkix/explain.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include "pkix/explain_value.h"
#include "pkix/nss_crypto.h"
#include "pkix/oid_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { FINGERPRINT_BYTES_SHOWN = 8 };

char *pkix_explain_name(struct span name)
{
    char *text = pkix_dn_text(name), *cut;
    size_t size = PKIX_EXPLAIN_NAME_MAX;

    if (strlen(text) <= PKIX_EXPLAIN_NAME_MAX)
        return text;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    cut = base_printf("%.*s...", (int)size, text);
    free(text);
    return cut;
}

/* The bytes in hexadecimal. Owned by the caller. */
static char *hex_text(struct span bytes)
{
    char *text = base_alloc(2 * bytes.size + 1);

    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    return text;
}

/* How a certificate differs from another one with its name: by the serial number, or else by its digest. */
static char *distinction(const struct pkix_cert *cert, const struct pkix_cert *other)
{
    uint8_t digest[PKIX_DIGEST_SIZE_MAX];
    bool same_serial = span_equal(cert->serial, other->serial);
    struct span bytes = cert->serial;
    char *hex, *text;

    if (same_serial && pkix_nss_digest(PKIX_SHA256, cert->der, digest))
        bytes = span_of(digest, FINGERPRINT_BYTES_SHOWN);
    hex = hex_text(bytes);
    text = base_printf(" [%s %s%s]", same_serial ? "sha256" : "serial", hex, same_serial ? "..." : "");
    free(hex);
    return text;
}

/* Another certificate of that name among those tried, or NULL. */
static const struct pkix_cert *find_namesake(const struct pkix_search *s, const struct pkix_cert *cert)
{
    for (unsigned i = 0; i < s->tried_count; i++) {
        const struct pkix_path *path = &s->tried[i].path;

        for (unsigned k = 0; k < path->count; k++) {
            const struct pkix_cert *other = path->steps[k].cert;

            if (other != cert && span_equal(other->subject, cert->subject) && !span_equal(other->der, cert->der))
                return other;
        }
    }
    return NULL;
}

char *pkix_explain_cert(const struct pkix_search *s, const struct pkix_cert *cert)
{
    char *name = pkix_explain_name(cert->subject), *what, *text;
    const struct pkix_cert *namesake = find_namesake(s, cert);

    if (namesake == NULL)
        return name;
    what = distinction(cert, namesake);
    text = base_printf("%s%s", name, what);
    free(what);
    free(name);
    return text;
}

char *pkix_explain_crl_number(struct span number)
{
    char *hex, *text;

    if (number.size == 0 || number.size > PKIX_CRL_NUMBER_SHOWN_MAX)
        return base_strdup("");
    hex = hex_text(number);
    text = base_printf(" number 0x%s", hex);
    free(hex);
    return text;
}

/* The errors of pkix_crl_set_check(), as what is wrong with one list. */
static const char *why_unused(const struct pkix_crl_info *list, enum pkix_error error, enum pkix_profile profile)
{
    if (error == PKIX_CRL_BAD_SIGNATURE)
        return "its signature verifies with no key of its issuer that is known and leads to the same anchor";
    if (error == PKIX_CRL_UNUSABLE)
        return profile == PKIX_PROFILE_STRICT && list->number.size == 0
                   ? "it has no CRL number, which the strict profile demands (RFC 5280 section 5.2.3)"
                   : "the key usage of its signer lacks cRLSign (RFC 5280 section 4.2.1.3)";
    return pkix_error_sentence(error);
}

char *pkix_explain_unused_crl(const struct pkix_crl_info *list, enum pkix_error error, const struct pkix_cert *cert,
                              enum pkix_profile profile)
{
    char *issuer = pkix_explain_name(list->issuer), *subject = pkix_explain_name(cert->subject),
         *number = pkix_explain_crl_number(list->number), *from = pkix_time_text(list->this_update),
         *until = pkix_time_text(list->next_update);
    char *text =
        base_printf("whether %s is revoked is not known from the CRL%s of %s (from %s until %s), which cannot be "
                    "used: %s",
                    subject, number, issuer, from, until, why_unused(list, error, profile));

    free(until);
    free(from);
    free(number);
    free(subject);
    free(issuer);
    return text;
}

char *pkix_explain(const struct pkix_search *s, const struct pkix_tried *t)
{
    const struct pkix_cert *cert = t->path.steps[t->culprit].cert;
    char *subject = pkix_explain_cert(s, cert), *value = pkix_explain_value(s, t), *text;

    text = base_printf("%s: %s%s%s%s", pkix_error_sentence(t->error), subject, value == NULL ? "" : value,
                       t->what == NULL ? "" : ": ", t->what == NULL ? "" : t->what);
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
            i != t->culprit)
            continue;
        name = pkix_explain_cert(s, t->path.steps[i].cert);
        longer = base_printf("%s%s%s%s%s%s", text, i == 0 ? "" : " <- ", name, i == t->culprit ? " [" : "",
                             i == t->culprit ? pkix_error_name(t->error) : "", i == t->culprit ? "]" : "");
        free(name);
        free(text);
        text = longer;
    }
    return text;
}

char *pkix_explain_issuers(const struct pkix_search *s)
{
    char *text = base_strdup("");

    for (unsigned i = 0; i < s->issuers_asked; i++) {
        const struct pkix_issuer_note *note = &s->issuer_notes[i];
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
