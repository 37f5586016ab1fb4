/* see pkix/revocation.h */
#include "pkix/revocation.h"
#include "pkix/crl.h"
#include "pkix/ocsp.h"

enum { SECONDS_PER_DAY = 86400 };

/* What one kind of source said. */
struct statement {
    enum pkix_error error; /* PKIX_OK good, PKIX_REVOKED, else why nothing is known */
    bool present;
};

static enum pkix_error verify_statement(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    return pkix_search_verify(ctx, statement, spki);
}

/* The response the peer stapled to this certificate: its first certificate is the leaf, then its extras in order. */
static struct span stapled_for(const struct pkix_search *s, const struct pkix_cert *cert)
{
    const struct pkix_request *r = s->request;

    if (cert == &s->leaf)
        return r->stapled_count > 0 ? r->stapled[0] : span_of(NULL, 0);
    for (size_t i = 0; i < r->extras_count && i + 1 < r->stapled_count; i++)
        if (r->stapled[i + 1].size != 0 && span_equal(r->extras[i], cert->der))
            return r->stapled[i + 1];
    return span_of(NULL, 0);
}

static struct statement ask_staple(struct pkix_search *s, const struct pkix_cert *cert, const struct pkix_cert *issuer)
{
    struct span response = stapled_for(s, cert);
    int64_t valid_until;

    if (response.size == 0)
        return (struct statement){.error = PKIX_REVOCATION_UNKNOWN};
    return (struct statement){.error = pkix_ocsp_check(response, cert, issuer, s->request->time, verify_statement, s,
                                                       &valid_until),
                              .present = true};
}

/* Responses from files or fetched: in no order, some about other certificates. */
static struct statement ask_responses(struct pkix_search *s, const struct pkix_cert *cert,
                                      const struct pkix_cert *issuer)
{
    struct statement result = {.error = PKIX_REVOCATION_UNKNOWN};
    int64_t valid_until;

    for (size_t i = 0; i < s->request->ocsp_count; i++) {
        enum pkix_error error =
            pkix_ocsp_check(s->request->ocsp[i], cert, issuer, s->request->time, verify_statement, s, &valid_until);

        if (error == PKIX_REVOKED || error == PKIX_LIMIT_EXCEEDED)
            return (struct statement){.error = error, .present = true};
        if (error == PKIX_OK || (!result.present && error != PKIX_OCSP_OTHER_CERT && error != PKIX_OCSP_BAD_SIGNER))
            result = (struct statement){.error = error, .present = true};
    }
    return result;
}

/* Which kind of CRL would list the certificate: what it says of itself counts, not what it is used for. */
static bool is_authority(const struct pkix_cert *cert)
{
    struct span value;
    bool is_ca = false;
    int path_length;

    return pkix_cert_extension(cert, PKIX_EXT_BASIC_CONSTRAINTS, &value) &&
           pkix_read_basic_constraints(value, &is_ca, &path_length) == PKIX_OK && is_ca;
}

/* The path is complete now: authorities of the issuer's name on it have been verified, whatever their keys. */
static struct statement ask_crls(struct pkix_search *s, const struct pkix_cert *cert, const struct pkix_cert *issuer)
{
    const struct pkix_cert *signers[PKIX_PATH_MAX + 1] = {issuer};
    size_t count = 1;

    if (s->request->crls == NULL)
        return (struct statement){.error = PKIX_REVOCATION_UNKNOWN};
    for (unsigned i = 1; i < s->path.count; i++) {
        const struct pkix_cert *other = s->path.steps[i].cert;

        if (other != issuer && other != cert && span_equal(other->subject, cert->issuer))
            signers[count++] = other;
    }
    return (struct statement){.error = pkix_crl_set_check(s->request->crls, cert, is_authority(cert), signers, count,
                                                          s->request->time, verify_statement, s),
                              .present = true};
}

/* Stapled errors that an honest, slow server can cause; others mean that somebody meddled, or cannot do it. */
static bool may_pass_over(enum pkix_error error)
{
    return error == PKIX_OCSP_OLD || error == PKIX_OCSP_TRY_LATER || error == PKIX_OCSP_BAD_SIGNER ||
           error == PKIX_OCSP_OTHER_CERT || error == PKIX_OCSP_SERVER_ERROR;
}

static bool is_short_lived(const struct pkix_cert *cert)
{
    return cert->not_after - cert->not_before < (int64_t)PKIX_SHORT_LIFE_DAYS * SECONDS_PER_DAY;
}

static void note_leaf(struct pkix_search *s, enum pkix_role role, enum pkix_revocation_status status)
{
    if (role == PKIX_ROLE_LEAF)
        s->revocation = status;
}

enum pkix_error pkix_revocation_check(struct pkix_search *s, const struct pkix_cert *cert,
                                      const struct pkix_cert *issuer, enum pkix_role role, const char **what)
{
    struct statement staple, response, crl;

    if (s->request->revocation == PKIX_REVOCATION_OFF)
        return PKIX_OK;
    staple = ask_staple(s, cert, issuer);
    response = ask_responses(s, cert, issuer);
    crl = ask_crls(s, cert, issuer);
    if (staple.error == PKIX_LIMIT_EXCEEDED || response.error == PKIX_LIMIT_EXCEEDED ||
        crl.error == PKIX_LIMIT_EXCEEDED)
        return PKIX_LIMIT_EXCEEDED;
    /* One source that says revoked is enough. */
    if (staple.error == PKIX_REVOKED || response.error == PKIX_REVOKED || crl.error == PKIX_REVOKED) {
        *what = crl.error == PKIX_REVOKED ? "says its CRL" : "says its OCSP response";
        note_leaf(s, role, PKIX_REVOCATION_IS_REVOKED);
        return PKIX_REVOKED;
    }
    if (staple.present && staple.error != PKIX_OK && !may_pass_over(staple.error)) {
        *what = "the stapled response";
        return staple.error;
    }
    if (staple.error == PKIX_OK || response.error == PKIX_OK) {
        note_leaf(s, role, PKIX_REVOCATION_GOOD_OCSP);
        return PKIX_OK;
    }
    if (crl.error == PKIX_OK) {
        note_leaf(s, role, PKIX_REVOCATION_GOOD_CRL);
        return PKIX_OK;
    }
    note_leaf(s, role, PKIX_REVOCATION_NOTHING_FOUND);
    if (s->request->revocation == PKIX_REVOCATION_SOFT || (role == PKIX_ROLE_LEAF && is_short_lived(cert)))
        return PKIX_OK;
    *what = staple.present      ? pkix_error_sentence(staple.error)
            : response.present ? pkix_error_sentence(response.error)
            : crl.present && crl.error != PKIX_REVOCATION_UNKNOWN ? pkix_error_sentence(crl.error)
                                                                  : NULL;
    return PKIX_REVOCATION_UNKNOWN;
}
