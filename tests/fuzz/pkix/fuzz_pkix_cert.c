/* One certificate: parsed, checked in every place, linted, described, asked for its names. */
#include "fuzz_support.h"
#include "pkix/check.h"
#include "pkix/describe.h"
#include "pkix/identity.h"
#include "pkix/lint.h"
#include "pkix/names.h"
#include "pkix/ocsp.h"
#include "pkix/signature.h"

#include <stdlib.h>

/* What could be a signature costs something, and what could not costs nothing. */
static void look_at_own_signature(const struct pkix_cert *cert)
{
    unsigned cost_us;
    enum pkix_error error = pkix_signature_look(&cert->outer, cert->spki, &cost_us);

    assert((error == PKIX_OK) == (cost_us != 0));
}

static void check_everywhere(const struct pkix_cert *cert)
{
    for (int role = PKIX_ROLE_LEAF; role <= PKIX_ROLE_ISSUER; role++) {
        for (int usage = PKIX_USAGE_SERVER; usage <= PKIX_USAGE_CRL_SIGNER; usage++) {
            struct pkix_check check = {.role = (enum pkix_role)role,
                                       .trust = role == PKIX_ROLE_LEAF ? PKIX_TRUST_INHERITED : PKIX_TRUST_ANCHOR,
                                       .usage = (enum pkix_usage)usage,
                                       .time = 1767225600};

            (void)!pkix_check_certificate(cert, &check);
        }
    }
    (void)pkix_lint(cert, PKIX_LINT_LEAF, PKIX_LINT_SIGNED_BY_ANOTHER, PKIX_PURPOSE_SERVER);
    (void)pkix_lint(cert, PKIX_LINT_INTERMEDIATE, PKIX_LINT_SIGNED_BY_ANOTHER, PKIX_PURPOSE_SERVER);
    (void)pkix_lint(cert, PKIX_LINT_ANCHOR, PKIX_LINT_SIGNED_BY_ITSELF, PKIX_PURPOSE_CLIENT);
    (void)pkix_lint_issued(cert, cert);
    look_at_own_signature(cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pkix_name name = {PKIX_NAME_DNS, span_of_string("www.example.com")};
    struct pkix_identity identity;
    struct pkix_description description;
    struct pkix_cert cert;
    struct span urls[PKIX_CRL_URLS_MAX];
    size_t url_count;
    bool must_staple;

    fuzz_start_nss();
    if (pkix_cert_read(span_of(data, size), &cert) == PKIX_OK) {
        check_everywhere(&cert);
        (void)!pkix_name_check(&cert, &name);
        (void)!pkix_check_tls_feature_of_leaf(&cert, &must_staple);
        (void)pkix_cert_ocsp_url(&cert);
        url_count = pkix_cert_crl_urls(&cert, urls);
        assert(url_count <= PKIX_CRL_URLS_MAX);
        for (size_t i = 0; i < url_count; i++)
            assert(urls[i].size <= PKIX_URL_SIZE_MAX && span_starts_with_nocase(urls[i], "http"));
        free(pkix_names_text(&cert));
    }
    if (!pkix_identity_read(span_of(data, size), &identity))
        assert(identity.count == 0);
    for (size_t i = 0; i < identity.count; i++)
        for (const char *c = identity.ids[i].value; *c != '\0'; c++)
            assert((unsigned char)*c >= 0x20 && *c != 0x7f);
    pkix_identity_clear(&identity);
    if (!pkix_describe(span_of(data, size), &description))
        assert(description.subject == NULL);
    pkix_description_clear(&description);
    return 0;
}
