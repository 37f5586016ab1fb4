/* see proxy/process/validity.h */
#include "proxy/process/validity.h"

#include "pkix/cert.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include "pkix/ocsp.h"
#include <stdlib.h>

enum { SECONDS_PER_HOUR = 3600, SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR };

/* "in 13 days", or in hours when there are fewer than two days left. */
static char *time_left(int64_t seconds)
{
    return seconds >= 2 * SECONDS_PER_DAY ? base_printf("in %lld days", (long long)(seconds / SECONDS_PER_DAY))
                                          : base_printf("in %lld hours", (long long)(seconds / SECONDS_PER_HOUR));
}

void validity_warn_identity(const struct config_identity *named, const struct tls_identity *identity, int64_t now,
                            int64_t soon, struct config_findings *findings)
{
    struct pkix_cert cert;
    char *subject, *date, *left;
    bool early;

    if (pkix_cert_read(tls_identity_leaf(identity), &cert) != PKIX_OK || cert.validity_error != PKIX_OK)
        return;
    early = now < cert.not_before;
    if (!early && cert.not_after - now >= soon)
        return;
    subject = pkix_dn_text(cert.subject);
    date = pkix_time_text(early ? cert.not_before : cert.not_after);
    left = time_left(cert.not_after - now);
    if (early)
        config_note_add(findings, CONFIG_NOTE_WARNING, "identity_not_yet_valid", named->place,
                        "identity %s: the certificate %s is not valid before %s: until then peers "
                        "refuse it; see whether this machine's clock is right",
                        named->text, subject, date);
    else if (now > cert.not_after)
        config_note_add(findings, CONFIG_NOTE_WARNING, "identity_expired", named->place,
                        "identity %s: the certificate %s has expired, at %s: peers refuse it; renew it", named->text,
                        subject, date);
    else
        config_note_add(findings, CONFIG_NOTE_WARNING, "identity_expires", named->place,
                        "identity %s: the certificate %s ends at %s, %s: renew it, and reload", named->text, subject,
                        date, left);
    free(left);
    free(date);
    free(subject);
}

void validity_warn_chain(const struct config_identity *named, const struct tls_identity *identity,
                         struct config_findings *findings)
{
    struct pkix_cert cert;
    char *issuer;

    if (tls_identity_issuer_count(identity) != 0 || pkix_cert_read(tls_identity_leaf(identity), &cert) != PKIX_OK ||
        pkix_cert_is_self_issued(&cert) || pkix_cert_access_url(&cert, OID_AD_CA_ISSUERS, "http://").size == 0)
        return;
    issuer = pkix_dn_text(cert.issuer);
    config_note_add(
        findings, CONFIG_NOTE_WARNING, "chain_incomplete", named->place,
        "identity %s: nothing is sent with the certificate, which %s has issued: unless peers trust that one itself, "
        "they refuse it, or have to fetch it; put its certificate behind (a \"full chain\")",
        named->text, issuer);
    free(issuer);
}

void validity_warn_authority(struct span authority, struct config_place place, int64_t now,
                             struct config_findings *findings)
{
    struct pkix_cert cert;
    char *subject, *date;

    if (pkix_cert_read(authority, &cert) != PKIX_OK || cert.validity_error != PKIX_OK || now <= cert.not_after)
        return;
    subject = pkix_dn_text(cert.subject);
    date = pkix_time_text(cert.not_after);
    config_note_add(findings, CONFIG_NOTE_WARNING, "authority_expired", place,
                    "trust: the authority %s has expired, at %s: what it has issued is refused; a newer one is needed",
                    subject, date);
    free(date);
    free(subject);
}

void validity_warn_staple(struct span file, const char *path, struct config_place place, int64_t now,
                          struct config_findings *findings)
{
    int64_t ends;
    char *date;

    if (!pkix_ocsp_ends_at(file, &ends) || now <= ends)
        return;
    date = pkix_time_text(ends);
    config_note_add(findings, CONFIG_NOTE_WARNING, "staple_expired", place,
                    "ocsp_staple: %s: should have been replaced by now, at %s: clients may refuse it", path, date);
    free(date);
}

void validity_warn_crls(const struct pkix_crl_set *set, size_t first, struct config_place place, int64_t now,
                        struct config_findings *findings)
{
    for (size_t i = first; i < pkix_crl_set_count(set); i++) {
        struct pkix_crl_info list = pkix_crl_set_info(set, i);
        bool expired = now > list.next_update;
        char *issuer, *date;

        if (!expired && now >= list.this_update)
            continue;
        issuer = pkix_dn_text(list.issuer);
        date = pkix_time_text(expired ? list.next_update : list.this_update);
        config_note_add(findings, CONFIG_NOTE_WARNING, expired ? "crl_expired" : "crl_not_yet_valid", place,
                        expired ? "crl: the list of %s has expired, at %s: it does not count; a newer one is needed"
                                : "crl: the list of %s is from the future, of %s: until then it does not count; see "
                                  "whether this machine's clock is right",
                        issuer, date);
        free(date);
        free(issuer);
    }
}
