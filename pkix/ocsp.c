/* see pkix/ocsp.h
 *
 * RFC 6960 section 3.2 lists what makes a response acceptable: about this certificate (1), signed (2) by who may (3,
 * 4), and recent (5, 6). A revoked certificate's thief can get good responses signed at will, those of other
 * certificates and, from before the revocation, of his own; he can show any of them, in a staple. What he cannot do is
 * change one, or date it.
 *
 * Errors (tryLater and its like) are not signed (section 2.3): anybody can say them, so they are never more than
 * silence. */
#include "pkix/ocsp.h"
#include "pkix/check.h"
#include "pkix/key.h"
#include "pkix/nss_crypto.h"
#include "pkix/oid.h"

enum {
    TAG_EXPLICIT_0 = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_EXPLICIT_1 = ASN1_CONTEXT_CONSTRUCTED | 1,
    TAG_EXPLICIT_2 = ASN1_CONTEXT_CONSTRUCTED | 2,
    TAG_GOOD = ASN1_CONTEXT | 0,
    TAG_REVOKED = ASN1_CONTEXT_CONSTRUCTED | 1,
    TAG_UNKNOWN = ASN1_CONTEXT | 2,
    SECONDS_PER_DAY = 86400,
    SLOP_SECONDS = SECONDS_PER_DAY, /* clocks differ */
    KEY_HASH_SIZE = 20,
};

enum response_status {
    RESPONSE_SUCCESSFUL = 0,
    RESPONSE_TRY_LATER = 3,
};

/* OCSP's statuses, the stronger the later. */
enum cert_status { STATUS_NONE, STATUS_UNKNOWN, STATUS_GOOD, STATUS_REVOKED };

struct ocsp {
    const struct pkix_cert *cert, *issuer;
    int64_t time;
    pkix_verify_statement *verify;
    void *ctx;
    struct pkix_signed outer;
    struct der certs; /* contents of the certs field */
    bool has_certs;

    enum cert_status status;
    bool current; /* of the statement that counts */
    int64_t this_update, valid_until;
    struct pkix_revoked_when revoked;
};

/* OCSPResponse up to the signed part.
 *
 * OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, responseBytes [0] EXPLICIT SEQUENCE {
 *     responseType OBJECT IDENTIFIER, response OCTET STRING } OPTIONAL }
 * BasicOCSPResponse ::= SEQUENCE { tbsResponseData, signatureAlgorithm, signature BIT STRING,
 *     certs [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
 *
 * RFC 6960 section 4.2.1. */
static enum pkix_error read_response(struct ocsp *o, struct span response, struct der *data)
{
    struct der outer, wrapper, bytes, basic, peek;
    struct span type, contents;
    unsigned status;

    /* Before anything is verified: what is read until then is bounded by its size, and refused where it is not DER. */
    if (response.size > DER_SMALL_SIZE_MAX || der_enter_only(response, ASN1_SEQUENCE, DER_SMALL, &outer) != PKIX_OK ||
        der_read_small(&outer, ASN1_ENUMERATED, &status) != PKIX_OK)
        return PKIX_OCSP_MALFORMED;
    /* Anybody can say so, see above; a responder that is overloaded does. It is told apart for people, and is no
     * statement. */
    if (status == RESPONSE_TRY_LATER)
        return PKIX_OCSP_TRY_LATER;
    if (status != RESPONSE_SUCCESSFUL)
        return PKIX_OCSP_SERVER_ERROR;
    if (der_enter(&outer, TAG_EXPLICIT_0, &wrapper) != PKIX_OK || !der_at_end(&outer) ||
        der_enter(&wrapper, ASN1_SEQUENCE, &bytes) != PKIX_OK || !der_at_end(&wrapper) ||
        der_read(&bytes, ASN1_OID, &type) != PKIX_OK || !pkix_oid_is(type, OID_OCSP_BASIC) ||
        der_read(&bytes, ASN1_OCTET_STRING, &contents) != PKIX_OK || !der_at_end(&bytes))
        return PKIX_OCSP_MALFORMED;
    if (der_enter_only(contents, ASN1_SEQUENCE, DER_SMALL, &basic) != PKIX_OK)
        return PKIX_OCSP_MALFORMED;
    peek = basic;
    if (der_read_whole(&basic, ASN1_SEQUENCE, &o->outer.data) != PKIX_OK ||
        der_enter(&peek, ASN1_SEQUENCE, data) != PKIX_OK ||
        der_read(&basic, ASN1_SEQUENCE, &o->outer.algorithm) != PKIX_OK ||
        der_read_bit_string(&basic, &o->outer.signature) != PKIX_OK)
        return PKIX_OCSP_MALFORMED;
    o->has_certs = der_next_is(&basic, TAG_EXPLICIT_0);
    if (o->has_certs && (der_enter(&basic, TAG_EXPLICIT_0, &wrapper) != PKIX_OK ||
                         der_enter(&wrapper, ASN1_SEQUENCE, &o->certs) != PKIX_OK || !der_at_end(&wrapper)))
        return PKIX_OCSP_MALFORMED;
    return der_at_end(&basic) ? PKIX_OK : PKIX_OCSP_MALFORMED;
}

/* KeyHash: SHA-1 of the key's bits. SHA-1 is only a name here, no signature rests on it. */
static bool key_hash_is(const struct pkix_cert *cert, enum pkix_digest digest, struct span hash)
{
    uint8_t got[PKIX_DIGEST_SIZE_MAX];
    struct pkix_key key;

    return pkix_key_read(cert->spki, &key) == PKIX_OK && pkix_nss_digest(digest, key.bit_string, got) &&
           span_equal(span_of(got, pkix_digest_size(digest)), hash);
}

struct responder_id {
    struct span name; /* whole Name, or empty */
    struct span key_hash;
};

/* ResponderID ::= CHOICE { byName [1] EXPLICIT Name, byKey [2] EXPLICIT KeyHash }. */
static enum pkix_error read_responder_id(struct der *data, struct responder_id *id)
{
    struct der wrapper;

    *id = (struct responder_id){0};
    /* By name or by key, never by both: a responder of the issuer's name with another key is not taken for the
     * issuer, its signature would not verify. */
    if (der_next_is(data, TAG_EXPLICIT_1)) {
        if (der_enter(data, TAG_EXPLICIT_1, &wrapper) != PKIX_OK ||
            der_read_whole(&wrapper, ASN1_SEQUENCE, &id->name) != PKIX_OK || !der_at_end(&wrapper))
            return PKIX_OCSP_MALFORMED;
        return PKIX_OK;
    }
    if (der_enter(data, TAG_EXPLICIT_2, &wrapper) != PKIX_OK ||
        der_read(&wrapper, ASN1_OCTET_STRING, &id->key_hash) != PKIX_OK || !der_at_end(&wrapper) ||
        id->key_hash.size != KEY_HASH_SIZE)
        return PKIX_OCSP_MALFORMED;
    return PKIX_OK;
}

/* Who claims to have signed it. It only says which key to try; the signature decides. The KeyHash is of the key's bits
 * alone, without tag and length (RFC 6960 section 4.2.1), as in a CertID. */
static bool is_responder(const struct pkix_cert *cert, const struct responder_id *id)
{
    return id->name.size != 0 ? span_equal(cert->subject, id->name) : key_hash_is(cert, PKIX_SHA1, id->key_hash);
}

/* A limit that is met is ours, and says nothing of the response. */
static enum pkix_error as_ocsp_signature_error(enum pkix_error error)
{
    return error == PKIX_OK || error == PKIX_LIMIT_EXCEEDED ? error : PKIX_OCSP_BAD_SIGNATURE;
}

/* RFC 6960 section 4.2.2.2: a delegate's certificate is issued directly by the CA, with id-kp-OCSPSigning, and is
 * not a CA's itself. Without the usage every certificate of the authority, the thief's own among them, could sign
 * that nothing is revoked; with a delegate of another authority, or one further down, somebody else would. Whether
 * the delegate is revoked is not asked (section 4.2.2.2.1 leaves it to the client): it would take a response of the
 * same responder. */
static enum pkix_error check_delegate(struct ocsp *o, const struct pkix_cert *delegate)
{
    const struct pkix_check check = {
        .role = PKIX_ROLE_LEAF, .trust = PKIX_TRUST_INHERITED, .usage = PKIX_USAGE_OCSP_SIGNER, .time = o->time};
    enum pkix_error error;

    if (pkix_check_certificate(delegate, &check) != PKIX_OK || !span_equal(delegate->issuer, o->issuer->subject))
        return PKIX_OCSP_BAD_SIGNER;
    /* With the very key that has signed the certificate in question; the name alone anybody can have. */
    error = o->verify(o->ctx, &delegate->outer, o->issuer->spki);
    return error == PKIX_OK || error == PKIX_LIMIT_EXCEEDED ? error : PKIX_OCSP_BAD_SIGNER;
}

/* The signer's certificate is one that came with the response (section 4.2.2.2): nobody goes looking for it, and the
 * first that is the responder and may be it decides. */
static enum pkix_error verify_by_delegate(struct ocsp *o, const struct responder_id *id)
{
    enum pkix_error result = PKIX_OCSP_BAD_SIGNER;

    if (!o->has_certs)
        return result;
    for (unsigned count = 0; !der_at_end(&o->certs); count++) {
        struct pkix_cert delegate;
        struct span whole;
        enum pkix_error error;

        /* The responder chooses how many; each may cost two signatures. */
        if (count == PKIX_OCSP_CERTS_MAX || der_read_whole(&o->certs, ASN1_SEQUENCE, &whole) != PKIX_OK)
            return PKIX_OCSP_MALFORMED;
        /* One that cannot be read could be the one that signed; it is not stepped over. */
        if (pkix_cert_read(whole, &delegate) != PKIX_OK)
            return PKIX_OCSP_BAD_SIGNER;
        if (!is_responder(&delegate, id))
            continue;
        error = check_delegate(o, &delegate);
        if (error == PKIX_OK)
            return as_ocsp_signature_error(o->verify(o->ctx, &o->outer, delegate.spki));
        /* Out of budget is not "no such signer": that one may be passed over. */
        if (error == PKIX_LIMIT_EXCEEDED)
            return error;
        result = error;
    }
    return result;
}

/* The first fields of ResponseData, and the signature over all of it, before any statement is read: until it holds
 * these are the words of whoever sent them. */
static enum pkix_error verify_response(struct ocsp *o, struct der *data)
{
    struct responder_id id;
    struct der wrapper;
    unsigned version = 0;

    if (der_next_is(data, TAG_EXPLICIT_0) &&
        (der_enter(data, TAG_EXPLICIT_0, &wrapper) != PKIX_OK ||
         der_read_small(&wrapper, ASN1_INTEGER, &version) != PKIX_OK || !der_at_end(&wrapper) || version != 0))
        return PKIX_OCSP_MALFORMED;
    if (read_responder_id(data, &id) != PKIX_OK)
        return PKIX_OCSP_MALFORMED;
    /* The issuer itself, with the key that signed the certificate (3 of section 3.2). */
    if (is_responder(o->issuer, &id))
        return as_ocsp_signature_error(o->verify(o->ctx, &o->outer, o->issuer->spki));
    return verify_by_delegate(o, &id);
}

/* AlgorithmIdentifier of a CertID. False: malformed; *known false: a hash that is none of ours. */
static bool read_digest_algorithm(struct der *d, enum pkix_digest *digest, bool *known)
{
    static const enum pkix_oid oids[] = {OID_SHA1, OID_SHA256, OID_SHA384, OID_SHA512};
    struct der algorithm;
    struct span oid, null;
    bool present;

    if (der_enter(d, ASN1_SEQUENCE, &algorithm) != PKIX_OK || der_read(&algorithm, ASN1_OID, &oid) != PKIX_OK)
        return false;
    *known = false;
    for (unsigned i = 0; i < ARRAY_LEN(oids); i++) {
        if (pkix_oid_is(oid, oids[i])) {
            *digest = (enum pkix_digest)i;
            *known = true;
        }
    }
    if (!*known)
        return true;
    return der_read_optional(&algorithm, ASN1_NULL, &null, &present) == PKIX_OK && null.size == 0 &&
           der_at_end(&algorithm);
}

/* CertID: is this statement about our certificate? Serial number, name and key of the issuer, all three: serial numbers
 * are one authority's, and a name may have had several keys. Otherwise a good response about another certificate, which
 * everybody can get, would do (RFC 6960 section 3.2, 1). The hash is the responder's choice; SHA-1 is enough for a name
 * that is bound by the signature.
 *
 * CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash OCTET STRING, issuerKeyHash OCTET STRING, serialNumber INTEGER }
 */
static enum pkix_error match_cert_id(const struct ocsp *o, struct der *single, bool *matches)
{
    struct der id;
    struct span name_hash, issuer_key_hash, serial;
    uint8_t digest_of_name[PKIX_DIGEST_SIZE_MAX];
    enum pkix_digest digest = PKIX_SHA1;
    bool known;

    *matches = false;
    if (der_enter(single, ASN1_SEQUENCE, &id) != PKIX_OK || !read_digest_algorithm(&id, &digest, &known) ||
        der_read(&id, ASN1_OCTET_STRING, &name_hash) != PKIX_OK ||
        der_read(&id, ASN1_OCTET_STRING, &issuer_key_hash) != PKIX_OK || der_read_integer(&id, &serial) != PKIX_OK ||
        !der_at_end(&id))
        return PKIX_OCSP_MALFORMED;
    /* Also of a hash that we do not know: it cannot be about our certificate as far as we can tell, and the one
     * behind it may be. */
    if (!known || !span_equal(serial, o->cert->serial))
        return PKIX_OK;
    if (name_hash.size != pkix_digest_size(digest) || issuer_key_hash.size != pkix_digest_size(digest))
        return PKIX_OCSP_MALFORMED;
    *matches = pkix_nss_digest(digest, o->cert->issuer, digest_of_name) &&
               span_equal(span_of(digest_of_name, name_hash.size), name_hash) &&
               key_hash_is(o->issuer, digest, issuer_key_hash);
    return PKIX_OK;
}

/* RFC 6960 section 4.4: what is critical and not understood could say that the statement is about something else, or
 * only in part. */
static enum pkix_error refuse_critical_extensions(struct der *d, unsigned tag)
{
    struct der wrapper, list;

    if (!der_next_is(d, tag))
        return PKIX_OK;
    if (der_enter(d, tag, &wrapper) != PKIX_OK || der_enter(&wrapper, ASN1_SEQUENCE, &list) != PKIX_OK ||
        !der_at_end(&wrapper))
        return PKIX_OCSP_MALFORMED;
    while (!der_at_end(&list)) {
        struct span oid, value;
        bool critical;

        if (pkix_extension_read(&list, &oid, &critical, &value) != PKIX_OK)
            return PKIX_OCSP_MALFORMED;
        if (critical)
            return PKIX_UNKNOWN_CRITICAL_EXTENSION;
    }
    return PKIX_OK;
}

/* RevokedInfo ::= SEQUENCE { revocationTime GeneralizedTime, revocationReason [0] EXPLICIT CRLReason OPTIONAL }. It is
 * for people: whatever stands there, the certificate is revoked. */
static struct pkix_revoked_when read_revoked_info(struct span value)
{
    struct der d = der_over(value, DER_SMALL), wrapper;
    struct pkix_revoked_when when = {.reason = PKIX_REASON_NOT_GIVEN};
    unsigned reason;

    if (der_read_generalized_time(&d, &when.time) != PKIX_OK)
        return (struct pkix_revoked_when){.time = 0};
    if (der_enter(&d, TAG_EXPLICIT_0, &wrapper) == PKIX_OK &&
        der_read_small(&wrapper, ASN1_ENUMERATED, &reason) == PKIX_OK)
        when.reason = (int)reason;
    return when;
}

/* CertStatus ::= CHOICE { good [0] NULL, revoked [1] RevokedInfo, unknown [2] NULL }, all implicit. There is no fourth
 * that could be passed over (section 2.2). */
static enum pkix_error read_cert_status(struct der *single, enum cert_status *status, struct pkix_revoked_when *revoked)
{
    struct span value;
    unsigned tag;

    if (der_read_any(single, &tag, &value, NULL) != PKIX_OK)
        return PKIX_OCSP_MALFORMED;
    switch (tag) {
    case TAG_GOOD:
        *status = STATUS_GOOD;
        return value.size == 0 ? PKIX_OK : PKIX_OCSP_MALFORMED;
    /* What stands in it is not looked at strictly: a malformed reason must not
     * turn "revoked" into "malformed", of which a fetched response decides nothing. */
    case TAG_REVOKED:
        *status = STATUS_REVOKED;
        *revoked = read_revoked_info(value);
        return PKIX_OK;
    case TAG_UNKNOWN:
        *status = STATUS_UNKNOWN;
        return value.size == 0 ? PKIX_OK : PKIX_OCSP_MALFORMED;
    }
    return PKIX_OCSP_MALFORMED;
}

/* thisUpdate and nextUpdate: until when the statement may be believed (RFC 6960 sections 3.2, 5 and 6, and 4.2.2.1).
 * Nonces would stop a replay (section 4.4.1), but responses are made in advance; so their age is all there is, and
 * it is capped, whatever the responder grants: for as long the thief of a key can staple the last good one. */
static enum pkix_error read_updates(const struct ocsp *o, struct der *single, int64_t *from, int64_t *until)
{
    struct der wrapper;
    int64_t this_update, next_update;

    if (der_read_generalized_time(single, &this_update) != PKIX_OK)
        return PKIX_OCSP_MALFORMED;
    /* From the future: a clock is wrong, or somebody keeps responses for later. */
    if (this_update > o->time + SLOP_SECONDS)
        return PKIX_OCSP_FUTURE;
    *from = this_update;
    /* Without nextUpdate newer information is always available (section 4.2.2.1): a day, no more. */
    *until = this_update + SECONDS_PER_DAY;
    if (der_next_is(single, TAG_EXPLICIT_0)) {
        if (der_enter(single, TAG_EXPLICIT_0, &wrapper) != PKIX_OK ||
            der_read_generalized_time(&wrapper, &next_update) != PKIX_OK || !der_at_end(&wrapper) ||
            next_update < this_update)
            return PKIX_OCSP_MALFORMED;
        *until = this_update + (int64_t)PKIX_OCSP_AGE_DAYS_MAX * SECONDS_PER_DAY;
        if (next_update < *until)
            *until = next_update;
    }
    /* As mozilla::pkix has it: a clock that is a day wrong is a commoner fault than a response that is replayed on its
     * last day. */
    *until += SLOP_SECONDS;
    return PKIX_OK;
}

/* SingleResponse ::= SEQUENCE { certID, certStatus, thisUpdate GeneralizedTime,
 *     nextUpdate [0] EXPLICIT GeneralizedTime OPTIONAL, singleExtensions [1] EXPLICIT Extensions OPTIONAL }
 *
 * A statement about another certificate is passed over unread: a responder may send several, and a fault in one that is
 * not about us must not hide the one that is. */
static enum pkix_error read_single(struct ocsp *o, struct der single)
{
    enum cert_status status = STATUS_NONE;
    struct pkix_revoked_when revoked = {.time = 0};
    int64_t from, until;
    bool matches;
    enum pkix_error error;

    if ((error = match_cert_id(o, &single, &matches)) != PKIX_OK || !matches)
        return error;
    if ((error = read_cert_status(&single, &status, &revoked)) != PKIX_OK ||
        (error = read_updates(o, &single, &from, &until)) != PKIX_OK ||
        (error = refuse_critical_extensions(&single, TAG_EXPLICIT_1)) != PKIX_OK)
        return error;
    /* Nothing behind what was read: bytes that we pass over are bytes that another reader takes for something. */
    if (!der_at_end(&single))
        return PKIX_OCSP_MALFORMED;
    /* Of several statements about one certificate the worst counts, good only when nothing else is said
     * (CVE-2026-3832): a responder that answers for two keys, or in two hashes, may know of the revocation in one of
     * them only. */
    if (status > o->status || (status == o->status && until > o->valid_until)) {
        o->status = status;
        o->this_update = from;
        o->valid_until = until;
        o->revoked = revoked;
        o->current = o->time <= until;
    }
    return PKIX_OK;
}

/* ResponseData ::= SEQUENCE { version [0] EXPLICIT DEFAULT v1, responderID, producedAt GeneralizedTime,
 *     responses SEQUENCE OF SingleResponse, responseExtensions [1] EXPLICIT Extensions OPTIONAL }
 *
 * The first two fields are behind us. */
static enum pkix_error read_statements(struct ocsp *o, struct der *data)
{
    struct der responses, single;
    int64_t produced_at;
    enum pkix_error error;

    /* producedAt is when it was signed, not when it was true: it is read and decides nothing (section 2.4). */
    if (der_read_generalized_time(data, &produced_at) != PKIX_OK ||
        der_enter(data, ASN1_SEQUENCE, &responses) != PKIX_OK || der_at_end(&responses))
        return PKIX_OCSP_MALFORMED;
    while (!der_at_end(&responses)) {
        if (der_enter(&responses, ASN1_SEQUENCE, &single) != PKIX_OK)
            return PKIX_OCSP_MALFORMED;
        if ((error = read_single(o, single)) != PKIX_OK)
            return error;
    }
    if ((error = refuse_critical_extensions(data, TAG_EXPLICIT_1)) != PKIX_OK)
        return error;
    return der_at_end(data) ? PKIX_OK : PKIX_OCSP_MALFORMED;
}

/* Revoked and unknown also hold when they are old: what was revoked is not good again by waiting. Good holds while it
 * is current. In this order, that of section 3.2: what is not signed is not read, and what is not about the certificate
 * is not dated. */
static enum pkix_error judge(struct ocsp *o, struct span response)
{
    struct der data;
    enum pkix_error error;

    if ((error = read_response(o, response, &data)) != PKIX_OK || (error = verify_response(o, &data)) != PKIX_OK ||
        (error = read_statements(o, &data)) != PKIX_OK)
        return error;
    switch (o->status) {
    /* A response that is signed and recent, and about others: it is nothing to us, and no error of the responder's. */
    case STATUS_NONE:
        return PKIX_OCSP_OTHER_CERT;
    case STATUS_UNKNOWN:
        return PKIX_OCSP_UNKNOWN_CERT;
    case STATUS_REVOKED:
        return PKIX_REVOKED;
    case STATUS_GOOD:
        break;
    }
    /* Section 3.2, 6: by our clock, not by the responder's word on when it answered. */
    return o->current ? PKIX_OK : PKIX_OCSP_OLD;
}

/* Pure: the same response at the same time is judged the same wherever it came from, stapled, fetched or from a file.
 */
enum pkix_error pkix_ocsp_judge(struct span response, const struct pkix_cert *cert, const struct pkix_cert *issuer,
                                int64_t time, pkix_verify_statement *verify, void *ctx,
                                struct pkix_statement *statement)
{
    struct ocsp o = {.cert = cert, .issuer = issuer, .time = time, .verify = verify, .ctx = ctx};

    *statement = (struct pkix_statement){.error = judge(&o, response)};
    /* Dates are told of statements that were found and read to their end; of any other there are none, or not the
     * responder's. */
    if (statement->error == PKIX_OK || statement->error == PKIX_REVOKED || statement->error == PKIX_OCSP_OLD ||
        statement->error == PKIX_OCSP_UNKNOWN_CERT) {
        statement->this_update = o.this_update;
        statement->valid_until = o.valid_until;
        statement->revoked = o.revoked;
    }
    return statement->error;
}

/* By its first field, to tell a file of it from one of a certificate or a list; nothing is believed for it. Those begin
 * with a SEQUENCE, so a file put in the wrong place is told at the start. */
bool pkix_ocsp_has_form(struct span file)
{
    struct der response;

    return der_enter_only(file, ASN1_SEQUENCE, DER_SMALL, &response) == PKIX_OK &&
           der_next_is(&response, ASN1_ENUMERATED);
}

/* A SingleResponse: what is before nextUpdate is passed over. One without it has no end that could be told. */
static bool single_ends_at(struct der single, int64_t *ends)
{
    struct der wrapper, id;
    struct span value;
    unsigned tag;
    int64_t this_update;

    return der_enter(&single, ASN1_SEQUENCE, &id) == PKIX_OK && der_read_any(&single, &tag, &value, NULL) == PKIX_OK &&
           der_read_generalized_time(&single, &this_update) == PKIX_OK && der_next_is(&single, TAG_EXPLICIT_0) &&
           der_enter(&single, TAG_EXPLICIT_0, &wrapper) == PKIX_OK &&
           der_read_generalized_time(&wrapper, ends) == PKIX_OK;
}

/* When a file's response wants to be renewed: the first end of all that is in it, whomever it is about. Not verified,
 * since nothing is decided by it but when a person is reminded. */
bool pkix_ocsp_ends_at(struct span file, int64_t *ends)
{
    struct ocsp o = {.cert = NULL};
    struct der data, responses, single, version;
    struct span responder;
    int64_t produced_at, ends_one;
    unsigned tag;
    bool found = false;

    if (read_response(&o, file, &data) != PKIX_OK ||
        (der_next_is(&data, TAG_EXPLICIT_0) && der_enter(&data, TAG_EXPLICIT_0, &version) != PKIX_OK) ||
        der_read_any(&data, &tag, &responder, NULL) != PKIX_OK ||
        der_read_generalized_time(&data, &produced_at) != PKIX_OK ||
        der_enter(&data, ASN1_SEQUENCE, &responses) != PKIX_OK)
        return false;
    while (!der_at_end(&responses) && der_enter(&responses, ASN1_SEQUENCE, &single) == PKIX_OK) {
        if (!single_ends_at(single, &ends_one))
            continue;
        if (!found || ends_one < *ends)
            *ends = ends_one;
        found = true;
    }
    return found;
}
