/* see pkix/revocation.h
 *
 * Who attacks here has a certificate that was revoked, its key, and the network: he cannot forge a statement, but he
 * can leave one out, show one that is old, of another certificate, or signed by somebody else, and keep us from asking.
 * So what is at hand counts together and the worst statement wins; what is unusable is told; and whether nothing is
 * enough is the mode's to say (soft or hard), never the peer's. */
#include "pkix/revocation.h"
#include "pkix/crl.h"
#include "pkix/explain_crl.h"
#include "pkix/nss_crypto.h"
#include "pkix/ocsp.h"

#include <stdlib.h>

enum { SECONDS_PER_DAY = 86400 };

/* What one kind of source said. `present`: there was something, whatever it was worth; only then is `error` a reason
 * worth telling. */
struct statement {
    enum pkix_error error; /* PKIX_OK good, PKIX_REVOKED, else why nothing is known */
    bool present;
};

/* Not a statement at all: no source, or one that has nothing about the certificate. */
static const struct statement nothing = {.error = PKIX_REVOCATION_UNKNOWN};

/* ---- OCSP responses ---- */

/* The response the peer stapled to this certificate: its first certificate is the leaf, then its extras in order
 * (RFC 8446 section 4.4.2.1). For the others the place is only a hint, so the certificate's bytes are compared; what a
 * response is about, it says itself, and that is what is judged. */
static struct span stapled_for(const struct pkix_revocation_question *q)
{
    const struct pkix_request *r = q->request;

    if (q->role == PKIX_ROLE_LEAF)
        return r->stapled_count > 0 ? r->stapled[0] : span_of(NULL, 0);
    for (size_t i = 0; i < r->extras_count && i + 1 < r->stapled_count; i++)
        if (r->stapled[i + 1].size != 0 && span_equal(r->extras[i], q->cert->der))
            return r->stapled[i + 1];
    return span_of(NULL, 0);
}

static void note_revoked(struct pkix_revocation_answer *a, const struct pkix_statement *statement)
{
    if (statement->error == PKIX_REVOKED)
        a->revoked = (struct pkix_revoked_note){.when = statement->revoked};
}

/* One response, which may be about another certificate. */
static enum pkix_error judge_response(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                                      struct span response)
{
    struct pkix_statement statement;
    enum pkix_error error =
        pkix_ocsp_judge(response, q->cert, q->issuer, q->request->time, q->verify, q->ctx, &statement);

    note_revoked(a, &statement);
    return error;
}

/* RFC 6066 section 8, RFC 8446 section 4.4.2.1. Who chooses it is the peer: so a good one counts no more than any other
 * source's, and a bad one is held against it (check_at_hand()). */
static struct statement ask_staple(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a)
{
    struct span response = stapled_for(q);

    if (response.size == 0)
        return nothing;
    return (struct statement){.error = judge_response(q, a, response), .present = true};
}

/* Responses from files or fetched: in no order, some about other certificates. All are read, as one that says good may
 * be older than one that says revoked. */
static struct statement ask_responses(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a)
{
    struct statement result = nothing;

    for (size_t i = 0; i < q->request->ocsp_count; i++) {
        enum pkix_error error = judge_response(q, a, q->request->ocsp[i]);

        if (error == PKIX_REVOKED || error == PKIX_LIMIT_EXCEEDED)
            return (struct statement){.error = error, .present = true};
        /* A folder of responses has those of other certificates and other authorities; that they are not about this one
         * is no news. */
        if (error == PKIX_OK || (!result.present && error != PKIX_OCSP_OTHER_CERT && error != PKIX_OCSP_BAD_SIGNER))
            result = (struct statement){.error = error, .present = true};
    }
    return result;
}

/* ---- CRLs ---- */

/* A list that is about the certificate and cannot be used may be the one that revokes it. With soft revocation the
 * certificate passes, so it must be said: in silence, whoever can spoil a list (or merely changes an authority's key)
 * switches revocation off. An expired one beside one that can be used is a file that nobody took away. */
static void warn_of_unused(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                           const struct pkix_crl_answer *answer)
{
    if (answer->unused != NULL && (answer->list == NULL || answer->unused_error != PKIX_CRL_EXPIRED))
        pkix_warnings_add(&a->warnings,
                          pkix_explain_unused_crl(answer->unused, answer->unused_error, q->cert, q->request->profile));
}

/* When, why and by which list, for whoever has to find it again. */
static void note_listed(struct pkix_revocation_answer *a, const struct pkix_crl_answer *answer)
{
    struct span number = answer->list->number;

    a->revoked = (struct pkix_revoked_note){.when = answer->revoked};
    if (number.size != 0 && number.size <= sizeof(a->revoked.number)) {
        memcpy(a->revoked.number, number.data, number.size);
        a->revoked.number_size = number.size;
    }
}

static struct pkix_crl_answer query_set(const struct pkix_revocation_question *q, const struct pkix_crl_set *set,
                                        const struct pkix_crl_signers *signers)
{
    return pkix_crl_set_check(set, &(struct pkix_crl_query){.cert = q->cert,
                                                            .signers = signers->certs,
                                                            .signer_count = signers->count,
                                                            .time = q->request->time,
                                                            .numbers = q->request->profile == PKIX_PROFILE_STRICT
                                                                           ? PKIX_CRL_NUMBER_DEMANDED
                                                                           : PKIX_CRL_NUMBER_OPTIONAL,
                                                            .verify = q->verify,
                                                            .ctx = q->ctx});
}

/* The issuer's other keys are looked for only when one of them may have signed a list: it costs a search, which a peer
 * could otherwise have us make for each of its certificates. */
static struct statement check_set(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                                  const struct pkix_crl_set *set, struct pkix_crl_signers *signers)
{
    struct pkix_crl_answer answer = query_set(q, set, signers);
    bool may_be_by_another = answer.unused != NULL && (answer.unused_error == PKIX_CRL_BAD_SIGNATURE ||
                                                       answer.unused_error == PKIX_CRL_UNUSABLE);

    if (answer.error != PKIX_REVOKED && may_be_by_another && q->find_more_signers(q->ctx, q->cert, signers))
        answer = query_set(q, set, signers);
    if (answer.error == PKIX_REVOKED)
        note_listed(a, &answer);
    else
        warn_of_unused(q, a, &answer);
    return (struct statement){.error = answer.error, .present = true};
}

/* What a CRL of the source says. It is judged before it comes here, by the keys it is asked for with: so all of them
 * are named. */
static struct statement ask_crl_source(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                                       struct pkix_crl_signers *signers, enum pkix_crl_effort effort, const char **why)
{
    const struct pkix_crl_source *source = q->request->crl_source;
    struct pkix_crl_question question = {
        .cert = q->cert->der,
        .time = q->request->time,
        .revocation = q->request->revocation,
        .waiting = q->request->evidence_waiting,
    };
    struct statement result;
    struct pkix_crl_set *set;

    /* A certificate that names no place has no list that could be fetched; those configured have been asked. */
    question.url_count = source == NULL ? 0 : pkix_cert_crl_urls(q->cert, question.urls);
    if (question.url_count == 0)
        return nothing;
    (void)!q->find_more_signers(q->ctx, q->cert, signers);
    for (size_t i = 0; i < signers->count && i < ARRAY_LEN(question.signers); i++)
        question.signers[question.signer_count++] = signers->certs[i]->der;
    set = source->find(source->ctx, &question, effort, why);
    if (set == NULL)
        return nothing;
    /* Judged once more, by this question's certificate and time: the source's word is that it believes the list, not
     * about whom. */
    result = check_set(q, a, set, signers);
    pkix_crl_set_destroy(&set);
    return result;
}

/* Two statements as one: the worse of two that say something, and the better of two that do not. An authority that has
 * revoked the certificate in one list and not yet in the other has revoked it. */
static struct statement join(struct statement a, struct statement b)
{
    if (a.error == PKIX_LIMIT_EXCEEDED || a.error == PKIX_REVOKED || !b.present)
        return a;
    if (b.error == PKIX_LIMIT_EXCEEDED || b.error == PKIX_REVOKED || !a.present)
        return b;
    return a.error == PKIX_OK || b.error == PKIX_REVOCATION_UNKNOWN ? a : b;
}

/* What an administrator has configured, and what was fetched before, together: neither hides the other. */
static struct statement ask_crls(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a)
{
    struct pkix_crl_signers signers = q->signers;
    struct statement configured = nothing;
    const char *why = NULL;

    if (q->request->crls != NULL)
        configured = check_set(q, a, q->request->crls, &signers);
    return join(configured, ask_crl_source(q, a, &signers, PKIX_CRL_AT_HAND, &why));
}

/* ---- what is at hand, together ---- */

/* Stapled errors that an honest, slow server can cause; others mean that somebody meddled, or cannot do it. Passed over
 * means only that the staple is nothing: who may not pass without a statement needs another one. */
static bool may_pass_over(enum pkix_error error)
{
    return error == PKIX_OCSP_OLD || error == PKIX_OCSP_TRY_LATER || error == PKIX_OCSP_BAD_SIGNER ||
           error == PKIX_OCSP_OTHER_CERT || error == PKIX_OCSP_SERVER_ERROR;
}

/* Whether one of three says so. */
static bool is_any(enum pkix_error error, struct statement a, struct statement b, struct statement c)
{
    return a.error == error || b.error == error || c.error == error;
}

/* Why nothing is known, of those that were there; NULL: none was. */
static const char *why_nothing(struct statement staple, struct statement response, struct statement crl)
{
    if (staple.present)
        return pkix_error_sentence(staple.error);
    if (response.present)
        return pkix_error_sentence(response.error);
    return crl.present && crl.error != PKIX_REVOCATION_UNKNOWN ? pkix_error_sentence(crl.error) : NULL;
}

/* What the stapled response, the other responses and the CRLs say together. PKIX_REVOCATION_UNKNOWN: nothing; then
 * a->what is why, or NULL. */
static enum pkix_error check_at_hand(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a)
{
    struct statement staple = ask_staple(q, a), response = ask_responses(q, a), crl = ask_crls(q, a);

    if (is_any(PKIX_LIMIT_EXCEEDED, staple, response, crl))
        return PKIX_LIMIT_EXCEEDED;
    /* One source that says revoked is enough: a thief staples the last good response for as long as it is valid. */
    if (is_any(PKIX_REVOKED, staple, response, crl)) {
        a->what = crl.error == PKIX_REVOKED ? "says its CRL" : "says its OCSP response";
        a->status = PKIX_REVOCATION_IS_REVOKED;
        return PKIX_REVOKED;
    }
    /* A response that is malformed or badly signed came with the handshake from the peer itself: no honest server
     * staples one. */
    if (staple.present && staple.error != PKIX_OK && !may_pass_over(staple.error)) {
        a->what = "the stapled response";
        return staple.error;
    }
    /* A good response counts before a good list, since it is the younger as a rule; which of the two it was is told
     * (must-staple asks for the response). */
    if (staple.error == PKIX_OK || response.error == PKIX_OK) {
        a->status = PKIX_REVOCATION_GOOD_OCSP;
        return PKIX_OK;
    }
    /* Also beside a staple that was passed over: the list is the authority's word all the same. */
    if (crl.error == PKIX_OK) {
        a->status = PKIX_REVOCATION_GOOD_CRL;
        return PKIX_OK;
    }
    a->status = PKIX_REVOCATION_NOTHING_FOUND;
    a->what = why_nothing(staple, response, crl);
    return PKIX_REVOCATION_UNKNOWN;
}

/* ---- evidence from outside ---- */

/* By the dates, which the authority has signed: a thief cannot shorten them (CABF has such certificates need no
 * statement). */
static bool is_short_lived(const struct pkix_cert *cert)
{
    return cert->not_after - cert->not_before < (int64_t)PKIX_SHORT_LIFE_DAYS * SECONDS_PER_DAY;
}

/* Whether a source is to be asked. Soft: about the leaf only, as Gecko does; what passes when nothing is known is not
 * worth a wait for each intermediate. */
static bool is_worth_asking(const struct pkix_revocation_question *q)
{
    return q->role == PKIX_ROLE_LEAF ? !is_short_lived(q->cert) : q->request->revocation == PKIX_REVOCATION_HARD;
}

/* Under what the statement is remembered. The issuer's whole certificate, and so its key, and the number (DER says
 * where the one ends): by the name alone, who runs an authority of another's name would put statements there for it. */
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

/* What came of a question. A response is judged like any other, wherever it came from: the network is not trusted,
 * which is why OCSP goes over plain http (RFC 6960 section 5). */
static struct statement settle(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                               const struct pkix_evidence_question *question, struct pkix_evidence *evidence)
{
    const struct pkix_evidence_source *source = q->request->evidence;

    switch (evidence->kind) {
    case PKIX_EVIDENCE_NONE:
        return nothing;
    /* Somebody would have to wait, and this thread may not: the same check is made again on one that may, and until
     * then nothing is decided. */
    case PKIX_EVIDENCE_NOT_NOW:
        return (struct statement){.error = PKIX_REVOCATION_UNKNOWN, .present = true};
    case PKIX_EVIDENCE_STATEMENT:
        break;
    case PKIX_EVIDENCE_RESPONSE:
        evidence->statement.error =
            pkix_ocsp_judge(span_of(evidence->response, evidence->response_size), q->cert, q->issuer, q->request->time,
                            q->verify, q->ctx, &evidence->statement);
        free(evidence->response);
        /* Told what it is worth, so that nothing is remembered that was not verified. */
        source->settle(source->ctx, question, &evidence->statement);
        break;
    }
    note_revoked(a, &evidence->statement);
    return (struct statement){.error = evidence->statement.error, .present = true};
}

/* The statement, or why there is none. The wait is the source's, and does not count for the search. A response that was
 * made for us alone proves no more than any other: no nonce is sent (RFC 6960 section 4.4.1), as public responders sign
 * in advance. */
static struct statement ask_source(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                                   const char **why)
{
    const struct pkix_evidence_source *source = q->request->evidence;
    uint8_t request[PKIX_OCSP_REQUEST_SIZE_MAX];
    size_t request_size = 0;
    uint64_t start_ms = q->budget->now_ms();
    struct pkix_evidence evidence = {.kind = PKIX_EVIDENCE_NONE};
    struct pkix_evidence_question question = {
        .issuer = q->issuer->der,
        .serial = q->cert->serial,
        .ocsp_url = pkix_cert_ocsp_url(q->cert),
        .time = q->request->time,
        .revocation = q->request->revocation,
        .waiting = q->request->evidence_waiting,
    };

    if (pkix_ocsp_request_write(q->cert, q->issuer, request, &request_size))
        question.ocsp_request = span_of(request, request_size);
    if (!hash_question(&question))
        return (struct statement){.error = PKIX_INTERNAL, .present = true};
    /* Before it is asked: a source that fails has been asked as well. */
    q->budget->evidence_asked++;
    source->ask(source->ctx, &question, &evidence);
    pkix_budget_waited(q->budget, start_ms);
    *why = evidence.why;
    return settle(q, a, &question, &evidence);
}

/* A CRL that is fetched now. The wait is the source's, and does not count for the search. */
static struct statement fetch_crl(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a,
                                  const char **why)
{
    uint64_t start_ms = q->budget->now_ms();
    struct pkix_crl_signers signers = q->signers;
    struct statement result;

    q->budget->crls_asked++;
    result = ask_crl_source(q, a, &signers, PKIX_CRL_FETCH, why);
    pkix_budget_waited(q->budget, start_ms);
    return result;
}

/* Whether what a source says decides. What it says is good, bad, or that a limit was met; all else is nothing.
 * "unknown" decides: RFC 6960 section 2.2 has a responder say so of certificates that it was never told of, and a
 * certificate that its authority knows nothing of may be one that was made with a stolen key. */
static bool decides(enum pkix_error error)
{
    return error == PKIX_OK || error == PKIX_REVOKED || error == PKIX_LIMIT_EXCEEDED || error == PKIX_OCSP_UNKNOWN_CERT;
}

/* `error` decides. The answer's words and status, for an error that is an answer. */
static enum pkix_error take(struct pkix_revocation_answer *a, enum pkix_error error, enum pkix_revocation_status good,
                            const char *words)
{
    if (error == PKIX_OK) {
        a->status = good;
    } else if (error == PKIX_REVOKED) {
        a->what = words;
        a->status = PKIX_REVOCATION_IS_REVOKED;
    }
    return error;
}

/* What the mode makes of it when nobody says anything. Soft passes, and so does nothing against who can keep us from
 * asking; that is what it is called soft for. */
static bool passes_without(const struct pkix_revocation_question *q)
{
    return q->request->revocation == PKIX_REVOCATION_SOFT || (q->role == PKIX_ROLE_LEAF && is_short_lived(q->cert));
}

/* Nothing at hand said anything: what the source of evidence says, then a CRL that is fetched, and when that is nothing
 * too, what the mode makes of it. a->what is why nothing was known until now, or NULL. How often is limited: each
 * question is a wait, and a path of a peer's choice has as many certificates as it has. */
static enum pkix_error check_elsewhere(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a)
{
    struct statement fetched = nothing, crl = nothing;
    const char *why = NULL, *crl_why = NULL;
    bool worth_asking = is_worth_asking(q);

    if (worth_asking && q->request->evidence != NULL && q->budget->evidence_asked < PKIX_EVIDENCE_ASKED_MAX)
        fetched = ask_source(q, a, &why);
    if (decides(fetched.error)) {
        a->was_asked_about = fetched.error == PKIX_OK;
        return take(a, fetched.error, PKIX_REVOCATION_GOOD_OCSP, "says its OCSP responder");
    }
    /* Neither yes nor no: who may not wait here must not let the certificate pass for that. */
    if (fetched.present && fetched.error == PKIX_REVOCATION_UNKNOWN)
        return PKIX_REVOCATION_UNKNOWN; /* to be asked again by somebody who may wait */
    if (worth_asking && q->request->crl_source != NULL && q->budget->crls_asked < PKIX_EVIDENCE_ASKED_MAX)
        crl = fetch_crl(q, a, &crl_why);
    if (decides(crl.error))
        return take(a, crl.error, PKIX_REVOCATION_GOOD_CRL, "says its CRL");
    /* Hard fails closed, and with it whoever can keep us from asking can keep us from connecting; that is the bargain.
     */
    if (passes_without(q))
        return PKIX_OK;
    if (fetched.present)
        a->what = pkix_error_sentence(fetched.error);
    else if (a->what == NULL)
        a->what = crl_why != NULL ? crl_why : why;
    return PKIX_REVOCATION_UNKNOWN;
}

/* What is at hand, and only where that says nothing, what can be fetched: a question to an authority costs time and
 * tells it who is talking to whom (a staple spares both, RFC 8446 section 4.4.2.1). */
enum pkix_error pkix_revocation_check(const struct pkix_revocation_question *q, struct pkix_revocation_answer *a)
{
    enum pkix_error error;

    *a = (struct pkix_revocation_answer){.what = NULL};
    /* Switched off, not even a staple is looked at: half a check would be taken for a whole one. */
    if (q->request->revocation == PKIX_REVOCATION_OFF)
        return PKIX_OK;
    error = check_at_hand(q, a);
    return error == PKIX_REVOCATION_UNKNOWN ? check_elsewhere(q, a) : error;
}
