/* see pkix/revocation.h */
#include "pkix/revocation.h"
#include "pkix/crl.h"
#include "pkix/nss_crypto.h"
#include "pkix/ocsp.h"

#include <stdlib.h>

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

/* ---- evidence from outside ---- */

/* Whether the source is to be asked. Soft: about the leaf only, as Gecko does; what passes when nothing is known is not
 * worth a wait for each intermediate. */
static bool is_worth_asking(const struct pkix_search *s, const struct pkix_cert *cert, enum pkix_role role)
{
    return s->request->evidence != NULL && s->evidence_asked < PKIX_EVIDENCE_ASKED_MAX &&
           (role == PKIX_ROLE_LEAF ? !is_short_lived(cert) : s->request->revocation == PKIX_REVOCATION_HARD);
}

/* The issuer's whole certificate, and so its key, and the number: DER says where the one ends. */
static bool hash_question(struct pkix_evidence_question *question)
{
    size_t size = question->issuer.size + question->serial.size;
    uint8_t digest[PKIX_DIGEST_SIZE_MAX], *both = base_alloc(size);
    bool hashed;

    memcpy(both, question->issuer.data, question->issuer.size);
    memcpy(both + question->issuer.size, question->serial.data, question->serial.size);
    hashed = pkix_nss_digest(PKIX_SHA256, span_of(both, size), digest);
    if (hashed)
        memcpy(question->key, digest, sizeof(question->key));
    free(both);
    return hashed;
}

/* The statement, or why there is none. The wait is the source's, and does not count for the search. */
static struct statement ask_source(struct pkix_search *s, const struct pkix_cert *cert, const struct pkix_cert *issuer,
                                   const char **why)
{
    const struct pkix_evidence_source *source = s->request->evidence;
    uint8_t request[PKIX_OCSP_REQUEST_SIZE_MAX];
    size_t request_size = 0;
    uint64_t start_ms = s->domain->now_ms();
    struct pkix_evidence evidence = {.kind = PKIX_EVIDENCE_NONE};
    struct pkix_evidence_question question = {
        .issuer = issuer->der,
        .serial = cert->serial,
        .ocsp_url = pkix_cert_ocsp_url(cert),
        .crl_url = pkix_cert_crl_url(cert),
        .time = s->request->time,
        .revocation = s->request->revocation,
        .waiting = s->request->evidence_waiting,
    };
    enum pkix_error error;

    if (pkix_ocsp_request_write(cert, issuer, request, &request_size))
        question.ocsp_request = span_of(request, request_size);
    if (!hash_question(&question))
        return (struct statement){.error = PKIX_INTERNAL, .present = true};
    s->evidence_asked++;
    source->ask(source->ctx, &question, &evidence);
    if (s->deadline_ms != 0)
        s->deadline_ms += s->domain->now_ms() - start_ms;
    *why = evidence.why;
    switch (evidence.kind) {
    case PKIX_EVIDENCE_NONE:
        break;
    case PKIX_EVIDENCE_NOT_NOW:
        return (struct statement){.error = PKIX_REVOCATION_UNKNOWN, .present = true};
    case PKIX_EVIDENCE_STATEMENT:
        return (struct statement){.error = evidence.statement.error, .present = true};
    case PKIX_EVIDENCE_RESPONSE:
        error = pkix_ocsp_judge(span_of(evidence.response, evidence.response_size), cert, issuer, s->request->time,
                                verify_statement, s, &evidence.statement);
        free(evidence.response);
        source->settle(source->ctx, &question, &evidence.statement);
        return (struct statement){.error = error, .present = true};
    }
    return (struct statement){.error = PKIX_REVOCATION_UNKNOWN};
}

static void note_leaf(struct pkix_search *s, enum pkix_role role, enum pkix_revocation_status status)
{
    if (role == PKIX_ROLE_LEAF)
        s->revocation = status;
}

/* What the stapled response, the other responses and the CRLs say together. PKIX_REVOCATION_UNKNOWN: nothing; then *what
 * is why, or NULL. */
static enum pkix_error check_at_hand(struct pkix_search *s, const struct pkix_cert *cert,
                                     const struct pkix_cert *issuer, enum pkix_role role, const char **what)
{
    struct statement staple = ask_staple(s, cert, issuer);
    struct statement response = ask_responses(s, cert, issuer);
    struct statement crl = ask_crls(s, cert, issuer);

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
    *what = staple.present      ? pkix_error_sentence(staple.error)
            : response.present ? pkix_error_sentence(response.error)
            : crl.present && crl.error != PKIX_REVOCATION_UNKNOWN ? pkix_error_sentence(crl.error)
                                                                  : NULL;
    return PKIX_REVOCATION_UNKNOWN;
}

/* Nothing at hand said anything: what the source of evidence says, and when that is nothing too, what the mode makes of
 * it. *what is why nothing was known until now, or NULL. */
static enum pkix_error check_elsewhere(struct pkix_search *s, const struct pkix_cert *cert,
                                       const struct pkix_cert *issuer, enum pkix_role role, const char **what)
{
    struct statement fetched = {.error = PKIX_REVOCATION_UNKNOWN};
    const char *why = NULL;

    if (is_worth_asking(s, cert, role))
        fetched = ask_source(s, cert, issuer, &why);
    if (fetched.error == PKIX_OK) {
        note_leaf(s, role, PKIX_REVOCATION_GOOD_OCSP);
        s->leaf_was_asked_about = s->leaf_was_asked_about || role == PKIX_ROLE_LEAF;
        return PKIX_OK;
    }
    if (fetched.error == PKIX_REVOKED) {
        *what = "says its OCSP responder";
        note_leaf(s, role, PKIX_REVOCATION_IS_REVOKED);
        return PKIX_REVOKED;
    }
    if (fetched.error == PKIX_LIMIT_EXCEEDED || fetched.error == PKIX_OCSP_UNKNOWN_CERT)
        return fetched.error;
    if (fetched.present && fetched.error == PKIX_REVOCATION_UNKNOWN)
        return PKIX_REVOCATION_UNKNOWN; /* to be asked again by somebody who may wait */
    if (s->request->revocation == PKIX_REVOCATION_SOFT || (role == PKIX_ROLE_LEAF && is_short_lived(cert)))
        return PKIX_OK;
    if (fetched.present)
        *what = pkix_error_sentence(fetched.error);
    else if (*what == NULL)
        *what = why;
    return PKIX_REVOCATION_UNKNOWN;
}

enum pkix_error pkix_revocation_check(struct pkix_search *s, const struct pkix_cert *cert,
                                      const struct pkix_cert *issuer, enum pkix_role role, const char **what)
{
    enum pkix_error error;

    if (s->request->revocation == PKIX_REVOCATION_OFF)
        return PKIX_OK;
    error = check_at_hand(s, cert, issuer, role, what);
    return error == PKIX_REVOCATION_UNKNOWN ? check_elsewhere(s, cert, issuer, role, what) : error;
}
