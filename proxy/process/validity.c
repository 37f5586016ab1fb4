/* see proxy/process/validity.h */
#include "proxy/process/validity.h"

#include "pkix/cert.h"
#include "pkix/describe.h"
#include "pkix/dn.h"
#include <stdlib.h>

void validity_warn_identity(const struct config_identity *named, const struct tls_identity *identity, int64_t now,
                            struct config_findings *findings)
{
    struct pkix_cert cert;
    char *subject, *date;
    bool expired;

    if (pkix_cert_read(tls_identity_leaf(identity), &cert) != PKIX_OK || cert.validity_error != PKIX_OK)
        return;
    expired = now > cert.not_after;
    if (!expired && now >= cert.not_before)
        return;
    subject = pkix_dn_text(cert.subject);
    date = pkix_time_text(expired ? cert.not_after : cert.not_before);
    config_note_add(findings, CONFIG_NOTE_WARNING, expired ? "identity_expired" : "identity_not_yet_valid",
                    named->place,
                    expired ? "identity %s: the certificate %s has expired, at %s: peers refuse it; renew it"
                            : "identity %s: the certificate %s is not valid before %s: until then peers "
                              "refuse it; see whether this machine's clock is right",
                    named->text, subject, date);
    free(date);
    free(subject);
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
