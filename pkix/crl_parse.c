/* see pkix/crl_parse.h
 *
 * RFC 5280 section 5. All of a list is read before any of it is used: the entry that is malformed may be the one that
 * matters, and a reader that stopped there would find nothing behind it. Serial numbers are compared as numbers: with
 * leading zeros one is another string of bytes, and would not be found.
 *
 * What is refused is refused here, once, when the list comes, and with the reason in words (pkix_crl.why): malformed,
 * of a kind that is not used, or with something in it that could mean that it is not what it seems to be. In the
 * handshake there is then one question left, whether a number is on it. */
#include "pkix/crl_parse.h"
#include "pkix/names.h"
#include "pkix/oid.h"

#include <stdlib.h>

enum {
    TAG_CRL_EXTENSIONS = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_POINT = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_POINT_FULL_NAME = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_POINT_RELATIVE = ASN1_CONTEXT_CONSTRUCTED | 1,
    TAG_ONLY_USER = ASN1_CONTEXT | 1,
    TAG_ONLY_CA = ASN1_CONTEXT | 2,
    TAG_ONLY_SOME_REASONS = ASN1_CONTEXT | 3,
    TAG_INDIRECT = ASN1_CONTEXT | 4,
    TAG_ONLY_ATTRIBUTE = ASN1_CONTEXT | 5,
    CRL_VERSION_2 = 1,
    NAME_SIZE_MAX = 4096,
};

/* The number without octets that only repeat its sign. DER has it as short as can be (X.690 section 8.3.2); a list that
 * has it longer means the same number. */
static struct span normalised(struct span serial)
{
    while (serial.size > 1 && ((serial.data[0] == 0x00 && (serial.data[1] & 0x80) == 0) ||
                               (serial.data[0] == 0xff && (serial.data[1] & 0x80) != 0)))
        serial = span_skip(serial, 1);
    return serial;
}

/* By length first: the numbers are normalised, so the longer one is another one. Any order that is one will do for
 * looking them up; that equal numbers are equal bytes is what matters, of negative ones too. */
static int compare_entries(const void *a, const void *b)
{
    const struct pkix_crl_entry *x = a, *y = b;

    if (x->serial_size != y->serial_size)
        return x->serial_size < y->serial_size ? -1 : 1;
    return memcmp(x->serial, y->serial, x->serial_size);
}

void pkix_crl_clear(struct pkix_crl *crl)
{
    free(crl->entries);
    *crl = (struct pkix_crl){0};
}

/* [n] IMPLICIT BOOLEAN DEFAULT FALSE DER leaves a default out; written out it means the same (pkix/der.h). */
static enum pkix_error read_flag(struct der *d, unsigned tag, bool *flag)
{
    struct span value;
    bool present;

    *flag = false;
    if (der_read_optional(d, tag, &value, &present) != PKIX_OK)
        return PKIX_CRL_MALFORMED;
    if (!present)
        return PKIX_OK;
    /* X.690 section 11.1: TRUE is 0xff. What is neither could be read as either, and it says which half of the
     * authority's certificates the list is about. */
    if (value.size != 1 || (value.data[0] != 0x00 && value.data[0] != 0xff))
        return PKIX_CRL_MALFORMED;
    *flag = value.data[0] == 0xff;
    return PKIX_OK;
}

/* IssuingDistributionPoint, RFC 5280 section 5.2.5.
 *
 * IssuingDistributionPoint ::= SEQUENCE { distributionPoint [0] DistributionPointName OPTIONAL,
 *     onlyContainsUserCerts [1] BOOLEAN DEFAULT FALSE, onlyContainsCACerts [2] BOOLEAN DEFAULT FALSE,
 *     onlySomeReasons [3] ReasonFlags OPTIONAL, indirectCRL [4] BOOLEAN DEFAULT FALSE,
 *     onlyContainsAttributeCerts [5] BOOLEAN DEFAULT FALSE } */
static enum pkix_error read_scope(struct span value, struct pkix_crl_scope *scope, const char **why)
{
    struct der d;
    struct span reasons;
    bool has_point, has_reasons, indirect;
    enum pkix_error error;

    /* Critical or not, it restricts: section 5.2.5 has it critical, and a list that forgot to say so is no wider for
     * it. */
    scope->present = true;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_LARGE, &d) != PKIX_OK ||
        der_read_optional(&d, TAG_POINT, &scope->point, &has_point) != PKIX_OK)
        return PKIX_CRL_MALFORMED;
    /* An empty name would be none, and the list would be taken to be of the whole scope. */
    if (has_point && scope->point.size == 0)
        return PKIX_CRL_MALFORMED;
    if ((error = read_flag(&d, TAG_ONLY_USER, &scope->only_user)) != PKIX_OK ||
        (error = read_flag(&d, TAG_ONLY_CA, &scope->only_ca)) != PKIX_OK)
        return error;
    if (der_read_optional(&d, TAG_ONLY_SOME_REASONS, &reasons, &has_reasons) != PKIX_OK)
        return PKIX_CRL_MALFORMED;
    if ((error = read_flag(&d, TAG_INDIRECT, &indirect)) != PKIX_OK ||
        (error = read_flag(&d, TAG_ONLY_ATTRIBUTE, &scope->only_attribute)) != PKIX_OK)
        return error;
    if (!der_at_end(&d))
        return PKIX_CRL_MALFORMED;
    /* Section 5.2.5. One for some reasons only says "not revoked" of what is revoked for another; an indirect one
     * has entries of other issuers, whose serial numbers would be taken for ours. */
    *why = has_reasons             ? "it is for some reasons only"
           : indirect              ? "it is indirect: it lists certificates of other issuers"
           : scope->only_attribute ? "it is for attribute certificates"
                                   : NULL;
    return *why != NULL ? PKIX_CRL_UNUSABLE : PKIX_OK;
}

/* Read, understood, and not to be used: the reason is for whoever put the list there. */
static enum pkix_error unusable(struct pkix_crl *crl, const char *why)
{
    crl->why = why;
    return PKIX_CRL_UNUSABLE;
}

/* A number is for issuers to put in (RFC 5280 section 5.2.3); validation does without (section 6.3), and private
 * authorities' tools (Easy-RSA, OpenSSL's ca) leave it out: what revokes must not be lost over that. A critical one is
 * forbidden there. What is critical and not known could restrict what the list is about (section 5.2): a list that is
 * not understood is no statement. */
static enum pkix_error read_list_extensions(struct der *list, struct pkix_crl *crl)
{
    while (!der_at_end(list)) {
        struct span oid, value;
        bool critical;
        enum pkix_error error;

        if (pkix_extension_read(list, &oid, &critical, &value) != PKIX_OK)
            return PKIX_CRL_MALFORMED;
        if (pkix_oid_is(oid, OID_CRL_NUMBER)) {
            struct der d = der_over(value, DER_LARGE);

            /* Twice, or critical against the RFC: which list is newer could be read in two ways. */
            if (critical || crl->info.number.size != 0)
                return unusable(crl, "its CRL number is critical or there twice");
            if (der_read_integer(&d, &crl->info.number) != PKIX_OK || !der_at_end(&d) ||
                (crl->info.number.data[0] & 0x80) != 0)
                return PKIX_CRL_MALFORMED;
        } else if (pkix_oid_is(oid, OID_ISSUING_DISTRIBUTION_POINT)) {
            if (crl->scope.present)
                return PKIX_CRL_MALFORMED;
            if ((error = read_scope(value, &crl->scope, &crl->why)) != PKIX_OK)
                return error;
        } else if (pkix_oid_is(oid, OID_DELTA_CRL_INDICATOR)) {
            return unusable(crl, "it is a delta CRL");
        } else if (critical) {
            return unusable(crl, "it has an unknown critical extension");
        }
    }
    return PKIX_OK;
}

/* Whatever the reason, an entry revokes. A critical extension that is not understood could say otherwise (section
 * 5.3), for instance whose certificate is meant: then the whole list is not used. */
static enum pkix_error check_entry_extensions(struct pkix_crl *crl, struct der *entry)
{
    struct der list;

    if (der_at_end(entry))
        return PKIX_OK;
    if (der_enter(entry, ASN1_SEQUENCE, &list) != PKIX_OK || !der_at_end(entry))
        return PKIX_CRL_MALFORMED;
    while (!der_at_end(&list)) {
        struct span oid, value;
        bool critical;

        if (pkix_extension_read(&list, &oid, &critical, &value) != PKIX_OK)
            return PKIX_CRL_MALFORMED;
        /* Also when it is not marked critical: it changes whose certificate is meant (section 5.3.3). */
        if (pkix_oid_is(oid, OID_CERTIFICATE_ISSUER) ||
            (critical && !pkix_oid_is(oid, OID_REASON_CODE) && !pkix_oid_is(oid, OID_INVALIDITY_DATE)))
            return unusable(crl, "an entry has an extension that is not understood");
    }
    return PKIX_OK;
}

/* revokedCertificates is a SEQUENCE OF SEQUENCE { userCertificate INTEGER, revocationDate Time, crlEntryExtensions
 * Extensions OPTIONAL }. The number is taken in any encoding, and compared as a number: a list may have what the
 * certificate's reader would not (pkix/cert.c), and must be found in all the same. */
static enum pkix_error read_entry(struct der *list, struct pkix_crl *crl, struct pkix_crl_entry *out)
{
    struct der entry;
    struct span serial;
    int64_t when;
    enum pkix_error error;

    if (der_enter(list, ASN1_SEQUENCE, &entry) != PKIX_OK || der_read(&entry, ASN1_INTEGER, &serial) != PKIX_OK ||
        serial.size == 0)
        return PKIX_CRL_MALFORMED;
    serial = normalised(serial);
    *out = (struct pkix_crl_entry){serial.data, (uint32_t)serial.size, (uint32_t)(entry.end - entry.next)};
    /* The date revokes nothing by itself: one in the future is in force, too, since the list says "revoked" today. */
    if (der_read_time(&entry, &when) != PKIX_OK)
        return PKIX_CRL_MALFORMED;
    /* RFC 5280 section 5.1: with extensions the version is 2. */
    if (crl->info.version == PKIX_CRL_V1 && !der_at_end(&entry))
        return PKIX_CRL_MALFORMED;
    error = check_entry_extensions(crl, &entry);
    return error;
}

/* Sorted once, so that looking one up takes the logarithm of their number: a handshake must not walk through a list
 * of 300,000. */
static enum pkix_error read_entries(struct der list, struct pkix_crl *crl)
{
    size_t capacity = 0;

    while (!der_at_end(&list)) {
        enum pkix_error error;

        if (crl->entry_count == capacity) {
            capacity = capacity == 0 ? 64 : 2 * capacity;
            crl->entries = base_realloc_array(crl->entries, capacity, sizeof(*crl->entries));
        }
        if ((error = read_entry(&list, crl, &crl->entries[crl->entry_count])) != PKIX_OK)
            return error;
        crl->entry_count++;
    }
    if (crl->entry_count != 0) {
        /* It may stay long. */
        crl->entries = base_realloc_array(crl->entries, crl->entry_count, sizeof(*crl->entries));
        qsort(crl->entries, crl->entry_count, sizeof(*crl->entries), compare_entries);
    }
    crl->info.revoked_count = crl->entry_count;
    return PKIX_OK;
}

/* Version ::= INTEGER OPTIONAL, and when there it is v2 (RFC 5280 section 5.1.2.1). */
static enum pkix_error read_crl_version(struct der *tbs, enum pkix_crl_version *version)
{
    unsigned number;

    /* Section 5.1.2.1 asks for version 2; lists of version 1 are taken, as they have nothing that could narrow what
     * they say. */
    *version = PKIX_CRL_V1;
    if (!der_next_is(tbs, ASN1_INTEGER))
        return PKIX_OK;
    *version = PKIX_CRL_V2;
    return der_read_small(tbs, ASN1_INTEGER, &number) == PKIX_OK && number == CRL_VERSION_2 ? PKIX_OK
                                                                                            : PKIX_CRL_MALFORMED;
}

/* crlExtensions [0] EXPLICIT Extensions OPTIONAL, the last field; only of version 2. */
static enum pkix_error read_crl_extensions(struct der *tbs, struct pkix_crl *crl)
{
    struct der wrapper, extensions;

    if (der_at_end(tbs))
        return PKIX_OK;
    /* Extensions in a version 1 list are of a form that nobody defined; passed over, they could have said "delta" or
     * "some reasons". */
    if (crl->info.version == PKIX_CRL_V1 || der_enter(tbs, TAG_CRL_EXTENSIONS, &wrapper) != PKIX_OK ||
        !der_at_end(tbs) || der_enter(&wrapper, ASN1_SEQUENCE, &extensions) != PKIX_OK || !der_at_end(&wrapper))
        return PKIX_CRL_MALFORMED;
    return read_list_extensions(&extensions, crl);
}

/* TBSCertList, RFC 5280 section 5.1.
 *
 * TBSCertList ::= SEQUENCE { version OPTIONAL, signature, issuer, thisUpdate Time, nextUpdate Time OPTIONAL,
 *     revokedCertificates SEQUENCE OF ... OPTIONAL, crlExtensions [0] EXPLICIT OPTIONAL }
 *
 * The extensions are read before the entries: a list that is not used is not worth sorting. */
enum pkix_error pkix_crl_read(struct span der, struct pkix_crl *crl)
{
    struct der tbs, entries = {0};
    struct span inner_algorithm;
    enum pkix_error error;

    *crl = (struct pkix_crl){.info = {.der = der}};
    if (pkix_signed_read(der, DER_LARGE, &crl->outer, &tbs) != PKIX_OK ||
        read_crl_version(&tbs, &crl->info.version) != PKIX_OK ||
        der_read(&tbs, ASN1_SEQUENCE, &inner_algorithm) != PKIX_OK ||
        der_read_whole(&tbs, ASN1_SEQUENCE, &crl->info.issuer) != PKIX_OK ||
        der_read_time(&tbs, &crl->info.this_update) != PKIX_OK)
        return PKIX_CRL_MALFORMED;
    /* RFC 5280 section 5.1.1.2: the same identifier twice. Only the inner one is signed; see check_algorithm() of
     * pkix/check.c. */
    if (!span_equal(inner_algorithm, crl->outer.algorithm))
        return PKIX_CRL_MALFORMED;
    /* A list that never ends could be replayed for ever: whoever was revoked since would show it (section 5.1.2.5). */
    if (!der_next_is(&tbs, ASN1_UTC_TIME) && !der_next_is(&tbs, ASN1_GENERALIZED_TIME))
        return unusable(crl, "it does not say when the next one comes (RFC 5280 section 5.1.2.5)");
    if (der_read_time(&tbs, &crl->info.next_update) != PKIX_OK || crl->info.next_update < crl->info.this_update)
        return PKIX_CRL_MALFORMED;
    if (der_next_is(&tbs, ASN1_SEQUENCE) && der_enter(&tbs, ASN1_SEQUENCE, &entries) != PKIX_OK)
        return PKIX_CRL_MALFORMED;
    error = read_crl_extensions(&tbs, crl);
    return error != PKIX_OK ? error : read_entries(entries, crl);
}

/* By halving. Several entries of one number may be there, and one is as good as the other. The certificate's number is
 * normalised as well: its authority may have written it otherwise there than here, and a revoked one that is not found
 * is good. */
const struct pkix_crl_entry *pkix_crl_find(const struct pkix_crl *crl, struct span serial)
{
    struct span number = normalised(serial);
    struct pkix_crl_entry wanted = {number.data, (uint32_t)number.size, 0};

    return crl->entry_count == 0
               ? NULL
               : bsearch(&wanted, crl->entries, crl->entry_count, sizeof(*crl->entries), compare_entries);
}

/* CRLReason ::= ENUMERATED, RFC 5280 section 5.3.1. What cannot be read is not told; it revokes all the same. */
static int reason_of(struct der *extensions)
{
    while (!der_at_end(extensions)) {
        struct span oid, value;
        struct der d;
        unsigned reason;
        bool critical;

        if (pkix_extension_read(extensions, &oid, &critical, &value) != PKIX_OK)
            break;
        if (!pkix_oid_is(oid, OID_REASON_CODE))
            continue;
        d = der_over(value, DER_SMALL);
        return der_read_small(&d, ASN1_ENUMERATED, &reason) == PKIX_OK && der_at_end(&d) ? (int)reason
                                                                                         : PKIX_REASON_NOT_GIVEN;
    }
    return PKIX_REASON_NOT_GIVEN;
}

/* For people, and read when somebody asks: of 300,000 entries one is told. That it can be read was seen when the list
 * was. */
struct pkix_revoked_when pkix_crl_entry_when(const struct pkix_crl_entry *entry)
{
    struct der rest = der_over(span_of(entry->serial + entry->serial_size, entry->rest_size), DER_LARGE), extensions;
    struct pkix_revoked_when when = {.reason = PKIX_REASON_NOT_GIVEN};

    if (der_read_time(&rest, &when.time) != PKIX_OK)
        base_abort("an entry of a list that was read before");
    if (der_enter(&rest, ASN1_SEQUENCE, &extensions) == PKIX_OK)
        when.reason = reason_of(&extensions);
    return when;
}

/* A DistributionPointName that is relative to the CRL's issuer, spelt out: the issuer's relative names and this one. */
static bool expand_relative(struct span rdn, struct span issuer, uint8_t *out, size_t *out_size)
{
    struct der name;
    struct span rdns;
    size_t size = 0;

    if (der_enter_only(issuer, ASN1_SEQUENCE, DER_SMALL, &name) != PKIX_OK)
        return false;
    rdns = span_of(name.next, (size_t)(name.end - name.next));
    /* Bounded, so that the name can be built in place; longer ones are no names that anybody has. */
    if (rdn.size > 255 || rdns.size + rdn.size + 4 > NAME_SIZE_MAX)
        return false;
    memcpy(out, rdns.data, rdns.size);
    size = rdns.size;
    out[size++] = ASN1_SET;
    if (rdn.size >= 0x80)
        out[size++] = 0x81;
    out[size++] = (uint8_t)rdn.size;
    memcpy(out + size, rdn.data, rdn.size);
    *out_size = size + rdn.size;
    return true;
}

/* The names of a point, one after the other, as type and comparable contents; a relative name becomes a directory
 * name. */
struct point_names {
    struct der names;
    bool relative;
    struct span issuer;
    uint8_t expanded[NAME_SIZE_MAX];
};

/* DistributionPointName ::= CHOICE { fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] RelativeDistinguishedName
 * }. The same name may stand in either form, so the second is made into the first; by bytes alone the list of such a
 * point would be taken to be about somebody else. */
static bool enter_point(struct point_names *p, struct span point, struct span issuer)
{
    struct der d = der_over(point, DER_LARGE);

    p->issuer = issuer;
    p->relative = der_next_is(&d, TAG_POINT_RELATIVE);
    return der_enter(&d, p->relative ? TAG_POINT_RELATIVE : TAG_POINT_FULL_NAME, &p->names) == PKIX_OK &&
           der_at_end(&d) && !der_at_end(&p->names);
}

/* False at the end, and where a name cannot be read: what is behind it then names no point. The list then covers less,
 * and is "not about this certificate": nothing is known, which a strict setting refuses, where a wrong match would be
 * "good". */
static bool next_point_name(struct point_names *p, enum pkix_general_name *type, struct span *value)
{
    if (der_at_end(&p->names))
        return false;
    if (p->relative) {
        struct span rdn = span_of(p->names.next, (size_t)(p->names.end - p->names.next));

        p->names.next = p->names.end;
        *type = PKIX_GN_DIRECTORY;
        *value = span_of(p->expanded, 0);
        return expand_relative(rdn, p->issuer, p->expanded, &value->size);
    }
    if (pkix_general_name_read(&p->names, type, value) != PKIX_OK)
        return false;
    if (*type == PKIX_GN_DIRECTORY) {
        struct der name;

        if (der_enter_only(*value, ASN1_SEQUENCE, DER_SMALL, &name) != PKIX_OK)
            return false;
        *value = span_of(name.next, (size_t)(name.end - name.next));
    }
    return true;
}

/* Not one name of each is compared, and not the first point only: a CRL of the second was taken for none, and its
 * entries with it (GHSA-pwjx-qhcg-rvj4). */
static bool point_has_name(struct point_names *names, struct span point, struct span issuer,
                           enum pkix_general_name wanted_type, struct span wanted)
{
    enum pkix_general_name type;
    struct span name;

    if (!enter_point(names, point, issuer))
        return false;
    while (next_point_name(names, &type, &name))
        if (type == wanted_type && span_equal(name, wanted))
            return true;
    return false;
}

/* Types and bytes, nothing is interpreted: EDIPartyName, x400Address and the like match only themselves. */
static bool points_share_a_name(struct span a, struct span b, struct span issuer)
{
    struct point_names *in_a = base_alloc(2 * sizeof(*in_a)), *in_b = in_a + 1;
    enum pkix_general_name type;
    struct span name;
    bool found = false;

    if (enter_point(in_a, a, issuer))
        while (!found && next_point_name(in_a, &type, &name))
            found = point_has_name(in_b, b, issuer, type, name);
    free(in_a);
    return found;
}

/* Any of the certificate's points; CRLs made by others (cRLIssuer) are not used. Names of a point are where its list
 * is, and by being the same in the certificate and in the list they tie the two together (section 6.3.3 (b) (2) (i)):
 * without that a part of an authority's list would do for any of its certificates. */
static bool certificate_names_point(const struct pkix_crl *crl, const struct pkix_cert *cert)
{
    struct span value;
    struct der points;

    /* Without points the certificate names no part; then a list that is one is not about it (section 6.3.3 (b) (2)
     * (i)). */
    if (!pkix_cert_extension(cert, PKIX_EXT_CRL_DISTRIBUTION_POINTS, &value) ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &points) != PKIX_OK)
        return false;
    while (!der_at_end(&points)) {
        struct der point;
        struct span name;
        bool has_name;

        if (der_enter(&points, ASN1_SEQUENCE, &point) != PKIX_OK ||
            der_read_optional(&point, TAG_POINT, &name, &has_name) != PKIX_OK)
            return false;
        /* Any point will do: one certificate's several points are the same list at several places, or parts for several
         * reasons, and these are not used. */
        if (has_name && points_share_a_name(name, crl->scope.point, crl->info.issuer))
            return true;
    }
    return false;
}

/* RFC 5280 section 6.3.3 (b) (2): an authority may split its list by kind and by point. A part in which the
 * certificate could not be is a good statement about nobody: who may choose the part that is looked at chooses one
 * without his certificate. */
bool pkix_crl_covers(const struct pkix_crl *crl, const struct pkix_cert *cert, bool is_ca)
{
    if ((crl->scope.only_user && is_ca) || (crl->scope.only_ca && !is_ca))
        return false;
    return crl->scope.point.size == 0 || certificate_names_point(crl, cert);
}
