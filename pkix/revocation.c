/* see pkix/revocation.h */
#include "pkix/revocation.h"
#include "pkix/crl.h"
#include "pkix/crl_signers.h"
#include "pkix/explain.h"
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

/* One response, which may be about another certificate. */
static enum pkix_error judge_response(struct pkix_search *s, struct span response, const struct pkix_cert *cert,
                                      const struct pkix_cert *issuer)
{
    struct pkix_statement statement;
    enum pkix_error error = pkix_ocsp_judge(response, cert, issuer, s->request->time, verify_statement, s, &statement);

    if (error == PKIX_REVOKED)
        s->revoked = (struct pkix_revoked_note){.when = statement.revoked};
    return error;
}

static struct statement ask_staple(struct pkix_search *s, const struct pkix_cert *cert, const struct pkix_cert *issuer)
{
    struct span response = stapled_for(s, cert);

    if (response.size == 0)
        return (struct statement){.error = PKIX_REVOCATION_UNKNOWN};
    return (struct statement){.error = judge_response(s, response, cert, issuer), .present = true};
}

/* Responses from files or fetched: in no order, some about other certificates. */
static struct statement ask_responses(struct pkix_search *s, const struct pkix_cert *cert,
                                      const struct pkix_cert *issuer)
{
    struct statement result = {.error = PKIX_REVOCATION_UNKNOWN};

    for (size_t i = 0; i < s->request->ocsp_count; i++) {
        enum pkix_error error = judge_response(s, s->request->ocsp[i], cert, issuer);

        if (error == PKIX_REVOKED || error == PKIX_LIMIT_EXCEEDED)
            return (struct statement){.error = error, .present = true};
        if (error == PKIX_OK || (!result.present && error != PKIX_OCSP_OTHER_CERT && error != PKIX_OCSP_BAD_SIGNER))
            result = (struct statement){.error = error, .present = true};
    }
    return result;
}

/* ---- CRLs ---- */

/* A list that is about the certificate and cannot be used may be the one that revokes it. With soft revocation the
 * certificate passes, so it must be said: in silence, whoever can spoil a list (or merely changes an authority's key)
 * switches revocation off. */
static void warn_of_unused(struct pkix_search *s, const struct pkix_crl_answer *answer, const struct pkix_cert *cert)
{
    if (answer->unused != NULL && (answer->list == NULL || answer->unused_error != PKIX_CRL_EXPIRED))
        pkix_search_warn(s, pkix_explain_unused_crl(answer->unused, answer->unused_error, cert, s->request->profile));
}

static void note_revoked(struct pkix_search *s, const struct pkix_crl_answer *answer)
{
    struct span number = answer->list->number;

    s->revoked = (struct pkix_revoked_note){.when = answer->revoked};
    if (number.size != 0 && number.size <= sizeof(s->revoked.number)) {
        memcpy(s->revoked.number, number.data, number.size);
        s->revoked.number_size = number.size;
    }
}

static struct pkix_crl_answer query_set(struct pkix_search *s, const struct pkix_crl_set *set,
                                        const struct pkix_cert *cert, const struct pkix_crl_signers *signers)
{
    return pkix_crl_set_check(set, &(struct pkix_crl_query){.cert = cert,
                                                            .signers = signers->certs,
                                                            .signer_count = signers->count,
                                                            .time = s->request->time,
                                                            .numbers = s->request->profile == PKIX_PROFILE_STRICT
                                                                           ? PKIX_CRL_NUMBER_DEMANDED
                                                                           : PKIX_CRL_NUMBER_OPTIONAL,
                                                            .verify = verify_statement,
                                                            .ctx = s});
}

/* The issuer's other keys are looked for only when one of them may have signed a list. */
static struct statement check_set(struct pkix_search *s, const struct pkix_crl_set *set, const struct pkix_cert *cert,
                                  struct pkix_crl_signers *signers)
{
    struct pkix_crl_answer answer = query_set(s, set, cert, signers);
    bool may_be_by_another = answer.unused != NULL && (answer.unused_error == PKIX_CRL_BAD_SIGNATURE ||
                                                       answer.unused_error == PKIX_CRL_UNUSABLE);

    if (answer.error != PKIX_REVOKED && may_be_by_another && pkix_crl_signers_find_more(s, cert, signers))
        answer = query_set(s, set, cert, signers);
    if (answer.error == PKIX_REVOKED)
        note_revoked(s, &answer);
    else
        warn_of_unused(s, &answer, cert);
    return (struct statement){.error = answer.error, .present = true};
}

/* What a CRL of the source says. It is judged before it comes here, by the keys it is asked for with: so all of them
 * are named. */
static struct statement ask_crl_source(struct pkix_search *s, const struct pkix_cert *cert,
                                       struct pkix_crl_signers *signers, enum pkix_crl_effort effort, const char **why)
{
    const struct pkix_crl_source *source = s->request->crl_source;
    struct pkix_crl_question question = {
        .cert = cert->der,
        .time = s->request->time,
        .revocation = s->request->revocation,
        .waiting = s->request->evidence_waiting,
    };
    struct statement result = {.error = PKIX_REVOCATION_UNKNOWN};
    struct pkix_crl_set *set;

    question.url_count = source == NULL ? 0 : pkix_cert_crl_urls(cert, question.urls);
    if (question.url_count == 0)
        return result;
    (void)!pkix_crl_signers_find_more(s, cert, signers);
    for (size_t i = 0; i < signers->count && i < ARRAY_LEN(question.signers); i++)
        question.signers[question.signer_count++] = signers->certs[i]->der;
    set = source->find(source->ctx, &question, effort, why);
    if (set == NULL)
        return result;
    result = check_set(s, set, cert, signers);
    pkix_crl_set_destroy(&set);
    return result;
}

/* Two statements as one: the worse of two that say something, and the better of two that do not. */
static struct statement join(struct statement a, struct statement b)
{
    if (a.error == PKIX_LIMIT_EXCEEDED || a.error == PKIX_REVOKED || !b.present)
        return a;
    if (b.error == PKIX_LIMIT_EXCEEDED || b.error == PKIX_REVOKED || !a.present)
        return b;
    return a.error == PKIX_OK || b.error == PKIX_REVOCATION_UNKNOWN ? a : b;
}

static struct statement ask_crls(struct pkix_search *s, const struct pkix_cert *cert, const struct pkix_cert *issuer)
{
    struct pkix_crl_signers signers;
    struct statement configured = {.error = PKIX_REVOCATION_UNKNOWN};
    const char *why = NULL;

    pkix_crl_signers_find(s, cert, issuer, &signers);
    if (s->request->crls != NULL)
        configured = check_set(s, s->request->crls, cert, &signers);
    return join(configured, ask_crl_source(s, cert, &signers, PKIX_CRL_AT_HAND, &why));
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

/* Whether a source is to be asked. Soft: about the leaf only, as Gecko does; what passes when nothing is known is not
 * worth a wait for each intermediate. */
static bool is_worth_asking(const struct pkix_search *s, const struct pkix_cert *cert, enum pkix_role role)
{
    return role == PKIX_ROLE_LEAF ? !is_short_lived(cert) : s->request->revocation == PKIX_REVOCATION_HARD;
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
        if (evidence.statement.error == PKIX_REVOKED)
            s->revoked = (struct pkix_revoked_note){.when = evidence.statement.revoked};
        return (struct statement){.error = evidence.statement.error, .present = true};
    case PKIX_EVIDENCE_RESPONSE:
        error = pkix_ocsp_judge(span_of(evidence.response, evidence.response_size), cert, issuer, s->request->time,
                                verify_statement, s, &evidence.statement);
        free(evidence.response);
        source->settle(source->ctx, &question, &evidence.statement);
        if (error == PKIX_REVOKED)
            s->revoked = (struct pkix_revoked_note){.when = evidence.statement.revoked};
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

/* A CRL that is fetched now. The wait is the source's, and does not count for the search. */
static struct statement fetch_crl(struct pkix_search *s, const struct pkix_cert *cert, const struct pkix_cert *issuer,
                                  const char **why)
{
    uint64_t start_ms = s->domain->now_ms();
    struct pkix_crl_signers signers;
    struct statement result;

    s->crls_asked++;
    pkix_crl_signers_find(s, cert, issuer, &signers);
    result = ask_crl_source(s, cert, &signers, PKIX_CRL_FETCH, why);
    if (s->deadline_ms != 0)
        s->deadline_ms += s->domain->now_ms() - start_ms;
    return result;
}

/* Whether what a source says decides. What it says is good, bad, or that a limit was met; all else is nothing. */
static bool decides(enum pkix_error error)
{
    return error == PKIX_OK || error == PKIX_REVOKED || error == PKIX_LIMIT_EXCEEDED || error == PKIX_OCSP_UNKNOWN_CERT;
}

/* `error` decides. */
static enum pkix_error take(struct pkix_search *s, enum pkix_role role, enum pkix_error error,
                            enum pkix_revocation_status good, const char *words, const char **what)
{
    if (error == PKIX_OK) {
        note_leaf(s, role, good);
    } else if (error == PKIX_REVOKED) {
        *what = words;
        note_leaf(s, role, PKIX_REVOCATION_IS_REVOKED);
    }
    return error;
}

/* Nothing at hand said anything: what the source of evidence says, then a CRL that is fetched, and when that is nothing
 * too, what the mode makes of it. *what is why nothing was known until now, or NULL. */
static enum pkix_error check_elsewhere(struct pkix_search *s, const struct pkix_cert *cert,
                                       const struct pkix_cert *issuer, enum pkix_role role, const char **what)
{
    struct statement fetched = {.error = PKIX_REVOCATION_UNKNOWN}, crl = fetched;
    const char *why = NULL, *crl_why = NULL;
    bool worth_asking = is_worth_asking(s, cert, role);

    if (worth_asking && s->request->evidence != NULL && s->evidence_asked < PKIX_EVIDENCE_ASKED_MAX)
        fetched = ask_source(s, cert, issuer, &why);
    if (decides(fetched.error)) {
        s->leaf_was_asked_about = s->leaf_was_asked_about || (role == PKIX_ROLE_LEAF && fetched.error == PKIX_OK);
        return take(s, role, fetched.error, PKIX_REVOCATION_GOOD_OCSP, "says its OCSP responder", what);
    }
    if (fetched.present && fetched.error == PKIX_REVOCATION_UNKNOWN)
        return PKIX_REVOCATION_UNKNOWN; /* to be asked again by somebody who may wait */
    if (worth_asking && s->request->crl_source != NULL && s->crls_asked < PKIX_EVIDENCE_ASKED_MAX)
        crl = fetch_crl(s, cert, issuer, &crl_why);
    if (decides(crl.error))
        return take(s, role, crl.error, PKIX_REVOCATION_GOOD_CRL, "says its CRL", what);
    if (s->request->revocation == PKIX_REVOCATION_SOFT || (role == PKIX_ROLE_LEAF && is_short_lived(cert)))
        return PKIX_OK;
    if (fetched.present)
        *what = pkix_error_sentence(fetched.error);
    else if (*what == NULL)
        *what = crl_why != NULL ? crl_why : why;
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
