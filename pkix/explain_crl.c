/* see pkix/explain_crl.h */
#include "pkix/explain_crl.h"
#include "pkix/describe.h"
#include "pkix/explain_name.h"

#include <stdlib.h>

char *pkix_explain_crl_number(struct span number)
{
    char *hex, *text;

    if (number.size == 0 || number.size > PKIX_CRL_NUMBER_SIZE_MAX)
        return base_strdup("");
    hex = pkix_explain_hex(number);
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
