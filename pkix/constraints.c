/* see pkix/constraints.h
 *
 * RFC 5280 sections 4.2.1.10 and 6.1.4 (g). Who attacks here is an authority, or whoever has its key, that may issue
 * for its own names only and wants to for others. It chooses every name, and how it is spelt; the constraint is its
 * issuer's. So the question is always whether a name could be read as one that is forbidden, and doubt counts against
 * it: a permission is taken in its narrowest sense and a prohibition in its widest, and what cannot be compared is
 * within no permission and within every prohibition. */
#include "pkix/constraints.h"
#include "pkix/dn.h"
#include "pkix/dn_compare.h"
#include "pkix/oid.h"

#include <stdlib.h>

enum { COMPARISONS_PER_DN_BYTE = 4 }; /* a byte folded and normalised takes as long as so many short names compared */
enum {
    TAG_PERMITTED = ASN1_CONTEXT_CONSTRUCTED | 0,
    TAG_EXCLUDED = ASN1_CONTEXT_CONSTRUCTED | 1,
    TAG_OTHER_NAME_VALUE = ASN1_CONTEXT_CONSTRUCTED | 0,
};
/* Which of the two lists a name is held against. Every rule below has to know: what is narrow for a permission is wide
 * for a prohibition. */
enum subtree { SUBTREE_PERMITTED, SUBTREE_EXCLUDED };

/* What is asked of one name at a time. Both lists are read anew for each name, without a copy: what a certificate may
 * make us keep would be its own to choose. */
struct constraint_check {
    struct span permitted; /* contents of the tagged element; empty when absent */
    struct span excluded;
    unsigned *comparisons_left;
    bool is_utf8_mailbox; /* the mail address is an SmtpUTF8Mailbox's */
    struct pkix_constraint_breach *breach;
};

/* Whether `name` is `domain` or, with a label boundary before it, ends in it: "evilexample.com" is not within
 * "example.com". */
static bool is_within(struct span name, struct span domain)
{
    if (name.size < domain.size || !span_equal_nocase(span_skip(name, name.size - domain.size), domain))
        return false;
    return name.size == domain.size || name.data[name.size - domain.size - 1] == '.';
}

/* ".example.com" has only sub-domains, "example.com" also itself, "" has everything. The leading dot is not in the RFC
 * for DNS names; authorities write it, and to refuse it would refuse their chains. */
static bool host_is_under(struct span host, struct span constraint)
{
    if (constraint.size == 0)
        return true;
    if (constraint.data[0] == '.')
        return host.size > constraint.size &&
               span_equal_nocase(span_skip(host, host.size - constraint.size), constraint);
    return is_within(host, constraint);
}

/* "*.example.com" stands for names one label longer than "example.com". A permission must have all of them; a
 * prohibition must have none, so one possible name is enough (CVE-2025-61727, NSS bug 2023209). */
static bool wildcard_matches(struct span presented, struct span constraint, enum subtree subtree)
{
    struct span parent = span_skip(presented, 2);
    const uint8_t *dot;

    if (constraint.size == 0)
        return true;
    if (constraint.data[0] == '.') {
        /* Every name under the parent is a proper sub-domain of the parent. */
        return is_within(parent, span_skip(constraint, 1));
    }
    /* "*.a.example.com" under "example.com": all that it stands for is there. */
    if (is_within(parent, constraint))
        return true;
    /* "*.example.com" and "a.example.com": one of its names is there, and the others are not. That is too little for a
     * permission, and enough for a prohibition. */
    if (subtree == SUBTREE_PERMITTED)
        return false;
    dot = memchr(constraint.data, '.', constraint.size);
    return dot != NULL && span_equal_nocase(span_skip(constraint, (size_t)(dot - constraint.data) + 1), parent);
}

static enum pkix_error match_dns(struct span name, struct span constraint, enum subtree subtree, bool *matches)
{
    /* A name that is none is an error, not a name that no constraint reaches: with a NUL or a blank in it, it would be
     * outside of all that is excluded here and a host elsewhere. */
    if (!pkix_dns_id_valid(name, PKIX_DNS_PRESENTED) || !pkix_dns_id_valid(constraint, PKIX_DNS_CONSTRAINT))
        return PKIX_BAD_DER;
    *matches = name.data[0] == '*' ? wildcard_matches(name, constraint, subtree) : host_is_under(name, constraint);
    return PKIX_OK;
}

/* RFC 5280 section 4.2.1.10: address and mask. An IPv4 address is never compared with an IPv6 constraint: a name of
 * the other family matches no subtree, and so is not permitted where any iPAddress is. The mask need not be
 * contiguous; its bits are what is compared. */
static enum pkix_error match_ip(struct span name, struct span constraint, bool *matches)
{
    /* Another size is no address (section 4.2.1.6) and no constraint of any family; what it was to keep out, nobody can
     * tell. */
    if ((name.size != 4 && name.size != 16) || (constraint.size != 8 && constraint.size != 32))
        return PKIX_BAD_DER;
    *matches = constraint.size == 2 * name.size;
    for (size_t i = 0; *matches && i < name.size; i++)
        *matches = ((name.data[i] ^ constraint.data[i]) & constraint.data[name.size + i]) == 0;
    return PKIX_OK;
}

/* The safest reading of a local part, whose case may or may not matter: permitted only when exactly equal, excluded
 * in any case. */
static bool local_part_equal(struct span a, struct span b, enum subtree subtree)
{
    return subtree == SUBTREE_PERMITTED ? span_equal(a, b) : span_equal_nocase(a, b);
}

/* A constraint without '@': a host, with a leading dot the domain without its own name, empty everything. "example.com"
 * is that host alone here, while as a dNSName constraint it has its sub-domains, too: RFC 5280 section 4.2.1.10 has
 * given the two types different rules. One function for both would permit mailboxes that nobody meant. */
static enum pkix_error match_mail_domain(struct span domain, struct span constraint, bool *matches)
{
    if (!pkix_dns_id_valid(constraint, PKIX_DNS_CONSTRAINT))
        return PKIX_BAD_DER;
    *matches = constraint.size == 0 ||
               (constraint.data[0] == '.' ? host_is_under(domain, constraint) : span_equal_nocase(domain, constraint));
    return PKIX_OK;
}

/* RFC 5280 section 4.2.1.10: a mailbox, all mailboxes of one host ("example.com", not those below it), or those of a
 * domain (".example.com"). */
static enum pkix_error match_email(struct span name, struct span constraint, enum subtree subtree, bool *matches)
{
    struct span local, domain, constraint_local, constraint_domain;

    if (!pkix_email_split(name, &local, &domain))
        return PKIX_BAD_DER;
    if (constraint.size != 0 && memchr(constraint.data, '@', constraint.size) != NULL) {
        if (!pkix_email_split(constraint, &constraint_local, &constraint_domain))
            return PKIX_BAD_DER;
        *matches = local_part_equal(local, constraint_local, subtree) && span_equal_nocase(domain, constraint_domain);
        return PKIX_OK;
    }
    return match_mail_domain(domain, constraint, matches);
}

/* SmtpUTF8Mailbox ::= [0] EXPLICIT UTF8String, an otherName (RFC 9598). Section 6: it is held to the rfc822Name
 * constraints. Otherwise whoever is kept from "@victim.example" writes the same mailbox in the other type. The domain
 * is of A-labels there, too; one that is not cannot be compared. */
static enum pkix_error match_utf8_mailbox(struct span mailbox, struct span constraint, enum subtree subtree,
                                          bool *matches)
{
    struct span local, domain, constraint_local, constraint_domain;
    const uint8_t *at = NULL;

    /* The last "@": before it stands what the domain's owner makes of it (RFC 6531 section 3.3), behind it a domain,
     * which has none. */
    for (size_t i = 0; i < mailbox.size; i++)
        at = mailbox.data[i] == '@' ? mailbox.data + i : at;
    /* No mailbox, in a type that has nothing else. It comes here only where a constraint is about mail, and what cannot
     * be compared then is a violation. */
    if (at == NULL || at == mailbox.data)
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    local = span_of(mailbox.data, (size_t)(at - mailbox.data));
    domain = span_skip(mailbox, local.size + 1);
    if (!pkix_dns_id_valid(domain, PKIX_DNS_PRESENTED) || domain.data[0] == '*')
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    if (constraint.size != 0 && memchr(constraint.data, '@', constraint.size) != NULL) {
        if (!pkix_email_split(constraint, &constraint_local, &constraint_domain))
            return PKIX_BAD_DER;
        *matches = local_part_equal(local, constraint_local, subtree) && span_equal_nocase(domain, constraint_domain);
        return PKIX_OK;
    }
    return match_mail_domain(domain, constraint, matches);
}

/* RFC 5280: a URI constraint is a host ("host.example") or, with a leading dot, a domain without its own name. A URI
 * without a host name cannot be judged and is refused. */
static enum pkix_error match_uri(struct span name, struct span constraint, bool *matches)
{
    struct span host;
    uint8_t address[16];
    size_t address_size;

    /* RFC 5280 section 4.2.1.10: a URI without a host name, or with an address for it, is a reason to reject the
     * certificate. */
    if (!pkix_uri_host(name, &host) || host.data[0] == '[' || pkix_ip_parse(host, address, &address_size) ||
        !pkix_dns_id_valid(host, PKIX_DNS_PRESENTED) || host.data[0] == '*')
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    if (!pkix_dns_id_valid(constraint, PKIX_DNS_CONSTRAINT))
        return PKIX_BAD_DER;
    *matches = constraint.size == 0 ||
               (constraint.data[0] == '.' ? host_is_under(host, constraint) : span_equal_nocase(host, constraint));
    return PKIX_OK;
}

/* A value of a string type that is no text of it has no spelling to be compared by. */
static bool note_text(void *ctx, struct span oid, unsigned tag, struct span value)
{
    bool *is_text = ctx;
    char *text;

    (void)oid;
    if (tag != ASN1_UTF8_STRING && tag != ASN1_PRINTABLE_STRING && tag != ASN1_IA5_STRING &&
        tag != ASN1_TELETEX_STRING && tag != ASN1_BMP_STRING && tag != ASN1_UNIVERSAL_STRING)
        return true;
    text = pkix_dn_value_utf8(tag, value);
    *is_text = *is_text && text != NULL;
    free(text);
    return true;
}

/* Names times subtrees is the work, and both are the peer's: a few kilobytes of each are millions of comparisons. What
 * is charged is what is compared, whether or not it fits, so that a name that matches nothing is no cheaper way to make
 * us work (limbo's nc-dos cases, CVE-2024-34702, CVE-2025-14831). */
static bool charge(unsigned *comparisons_left, size_t count)
{
    if (count > *comparisons_left) {
        *comparisons_left = 0;
        return false;
    }
    *comparisons_left -= (unsigned)count;
    return true;
}

/* Whole Names. The constraint's relative names are the first ones of the name, compared as RFC 5280 section 7.1 has it:
 * a prohibition that another case, string type or blank evades is none. What cannot be compared is not permitted, and
 * is excluded. */
static enum pkix_error match_directory(const struct constraint_check *check, struct span name, struct span constraint,
                                       enum subtree subtree, bool *matches)
{
    struct der name_rdns, constraint_rdns;
    struct span name_contents, constraint_contents;
    bool is_text = true;
    size_t size;
    uint8_t *form;

    if (der_enter_only(name, ASN1_SEQUENCE, DER_SMALL, &name_rdns) != PKIX_OK ||
        der_enter_only(constraint, ASN1_SEQUENCE, DER_SMALL, &constraint_rdns) != PKIX_OK)
        return PKIX_BAD_DER;
    name_contents = span_of(name_rdns.next, (size_t)(name_rdns.end - name_rdns.next));
    constraint_contents = span_of(constraint_rdns.next, (size_t)(constraint_rdns.end - constraint_rdns.next));
    /* The usual case, in the bytes: elements that are well formed end where those of the beginning do. */
    *matches = constraint_contents.size <= name_contents.size &&
               span_equal(span_of(name_contents.data, constraint_contents.size), constraint_contents);
    if (*matches)
        return PKIX_OK;
    if (!charge(check->comparisons_left, COMPARISONS_PER_DN_BYTE * (name.size + constraint.size)))
        return PKIX_LIMIT_EXCEEDED;
    if (!pkix_dn_visit(name, note_text, &is_text) || !pkix_dn_visit(constraint, note_text, &is_text))
        return PKIX_BAD_DER;
    /* Only to learn whether the name has a form at all: without one it is equal to nothing, and so within no
     * prohibition, however it is written. */
    form = is_text ? pkix_dn_form(name, &size) : NULL;
    if (form == NULL)
        return subtree == SUBTREE_EXCLUDED ? PKIX_NAME_CONSTRAINT_VIOLATION : PKIX_OK;
    free(form);
    *matches = pkix_dn_within(constraint, name);
    return PKIX_OK;
}

/* A type that we cannot compare, and that a constraint is about, is refused: section 4.2.1.10 has it processed or
 * the certificate rejected. */
static enum pkix_error match_name(const struct constraint_check *check, enum pkix_general_name type, struct span name,
                                  struct span constraint, enum subtree subtree, bool *matches)
{
    switch (type) {
    case PKIX_GN_DNS:
        return match_dns(name, constraint, subtree, matches);
    case PKIX_GN_IP:
        return match_ip(name, constraint, matches);
    case PKIX_GN_EMAIL:
        return check->is_utf8_mailbox ? match_utf8_mailbox(name, constraint, subtree, matches)
                                      : match_email(name, constraint, subtree, matches);
    case PKIX_GN_DIRECTORY:
        return match_directory(check, name, constraint, subtree, matches);
    case PKIX_GN_URI:
        return match_uri(name, constraint, matches);
    /* No rule says what "within" means for these; a mailbox among the otherNames is looked at by check_other_name(). */
    case PKIX_GN_OTHER:
    case PKIX_GN_X400:
    case PKIX_GN_EDI:
    case PKIX_GN_RID:
        break;
    }
    return PKIX_NAME_CONSTRAINT_VIOLATION;
}

/* GeneralSubtree ::= SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] OPTIONAL }: RFC 5280 wants
 * neither of the last two. They would narrow the subtree; to read past them would widen it. */
static enum pkix_error read_subtree(struct der *subtrees, enum pkix_general_name *type, struct span *base)
{
    struct der subtree;

    if (der_enter(subtrees, ASN1_SEQUENCE, &subtree) != PKIX_OK ||
        pkix_general_name_read(&subtree, type, base) != PKIX_OK)
        return PKIX_BAD_DER;
    return der_end(&subtree);
}

static enum pkix_error broken(const struct constraint_check *check, enum pkix_constraint_rule rule,
                              enum pkix_general_name type, struct span name, struct span base)
{
    *check->breach = (struct pkix_constraint_breach){.type = type, .name = name, .rule = rule, .base = base};
    return PKIX_NAME_CONSTRAINT_VIOLATION;
}

/* RFC 5280 section 6.1.4 (g): within one of the permitted subtrees of its type, if there is any, and within none of the
 * excluded ones. Which order they are looked at in does not matter: both must hold. */
static enum pkix_error check_subtrees(const struct constraint_check *check, enum subtree subtree,
                                      enum pkix_general_name name_type, struct span name)
{
    const bool excluding = subtree == SUBTREE_EXCLUDED;
    struct der subtrees = der_over(excluding ? check->excluded : check->permitted, DER_SMALL);
    struct span base_of_type = span_of(NULL, 0);
    bool any_of_type = false, any_match = false;

    while (!der_at_end(&subtrees)) {
        enum pkix_general_name type;
        struct span base;
        bool matches = false;
        enum pkix_error error;

        if ((error = read_subtree(&subtrees, &type, &base)) != PKIX_OK)
            return error;
        if (!charge(check->comparisons_left, 1))
            return PKIX_LIMIT_EXCEEDED;
        /* Section 4.2.1.10: a type that no subtree is about is not restricted. So an authority held to DNS names
         * alone may still issue for any address, which is its issuer's mistake to make; CABF has both listed. */
        if (type != name_type)
            continue;
        any_of_type = true;
        base_of_type = base;
        error = match_name(check, type, name, base, subtree, &matches);
        if (error == PKIX_NAME_CONSTRAINT_VIOLATION) /* it cannot be compared */
            return broken(check, excluding ? PKIX_CONSTRAINT_EXCLUDED : PKIX_CONSTRAINT_NOT_PERMITTED, type, name,
                          base);
        if (error != PKIX_OK)
            return error;
        /* A permission that fits does not end it: behind it may stand a subtree that is malformed, and whether the
         * certificate is refused must not depend on the order in which its issuer wrote them. */
        any_match = any_match || matches;
        if (matches && excluding)
            return broken(check, PKIX_CONSTRAINT_EXCLUDED, type, name, base);
    }
    return !excluding && any_of_type && !any_match
               ? broken(check, PKIX_CONSTRAINT_NOT_PERMITTED, name_type, name, base_of_type)
               : PKIX_OK;
}

/* Both lists, whichever comes first: a permission of "example.com" does not undo the prohibition of
 * "secret.example.com" (section 6.1.3 (b) and (c)). */
static enum pkix_error check_name(const struct constraint_check *check, enum pkix_general_name type, struct span name)
{
    enum pkix_error error = check_subtrees(check, SUBTREE_PERMITTED, type, name);

    return error != PKIX_OK ? error : check_subtrees(check, SUBTREE_EXCLUDED, type, name);
}

/* An otherName that is a mailbox: its UTF-8. One that is not well formed is an otherName like any other: refused where
 * a constraint is about these, and else no mailbox to anybody. */
static bool read_utf8_mailbox(struct span other_name, struct span *mailbox)
{
    struct der d = der_over(other_name, DER_SMALL), wrapper;
    struct span oid;

    return der_read(&d, ASN1_OID, &oid) == PKIX_OK && pkix_oid_is(oid, OID_SMTP_UTF8_MAILBOX) &&
           der_enter(&d, TAG_OTHER_NAME_VALUE, &wrapper) == PKIX_OK && der_at_end(&d) &&
           der_read(&wrapper, ASN1_UTF8_STRING, mailbox) == PKIX_OK && der_at_end(&wrapper);
}

/* By its own type, and a mailbox by that of mail addresses (RFC 9598 section 6). */
static enum pkix_error check_other_name(const struct constraint_check *check, struct span other_name)
{
    struct constraint_check as_mail = *check;
    enum pkix_error error = check_name(check, PKIX_GN_OTHER, other_name);
    struct span mailbox;

    if (error != PKIX_OK || !read_utf8_mailbox(other_name, &mailbox))
        return error;
    as_mail.is_utf8_mailbox = true;
    return check_name(&as_mail, PKIX_GN_EMAIL, mailbox);
}

/* *has_san: the extension is there; *has_server_name: with a name that servers are asked for by. */
static enum pkix_error check_alternative_names(const struct constraint_check *check, const struct pkix_cert *cert,
                                               bool *has_san, bool *has_server_name)
{
    struct der names;
    enum pkix_error error = pkix_san_enter(cert, &names, has_san);

    *has_server_name = false;
    while (error == PKIX_OK && !der_at_end(&names)) {
        enum pkix_general_name type;
        struct span name;

        if ((error = pkix_general_name_read(&names, &type, &name)) != PKIX_OK)
            return error;
        *has_server_name = *has_server_name || type == PKIX_GN_DNS || type == PKIX_GN_IP;
        /* Every name, also those that nobody asks for here: the certificate is the authority's, and one name out of
         * bounds shows what it does. */
        error = type == PKIX_GN_OTHER ? check_other_name(check, name) : check_name(check, type, name);
    }
    return error;
}

/* Some verifiers still take a host from the common name. So where a server's certificate has no alternative name of the
 * kind, what looks like a host there is held to the constraints like one: else an authority kept to its own domain
 * would write another in the subject. Text types that a host is ever written in; a BMPString's bytes are never a valid
 * host name, whatever they spell. */
static enum pkix_error check_common_name(const struct constraint_check *check, unsigned tag, struct span value)
{
    uint8_t address[16];
    size_t address_size;
    enum pkix_error error;

    if (tag != ASN1_PRINTABLE_STRING && tag != ASN1_UTF8_STRING && tag != ASN1_TELETEX_STRING)
        return PKIX_OK;
    if (pkix_dns_id_valid(value, PKIX_DNS_PRESENTED))
        return check_name(check, PKIX_GN_DNS, value);
    if (!pkix_ip_parse(value, address, &address_size) || address_size != 4)
        return PKIX_OK;
    error = check_name(check, PKIX_GN_IP, span_of(address, address_size));
    if (error == PKIX_NAME_CONSTRAINT_VIOLATION) /* the address ends with this function */
        *check->breach = (struct pkix_constraint_breach){.type = PKIX_GN_DNS, .name = value};
    return error;
}

/* Mail addresses and host names in the subject, for certificates that have no alternative names of the kind. */
static enum pkix_error check_subject_attributes(const struct constraint_check *check, const struct pkix_cert *cert,
                                                bool emails, bool common_names)
{
    struct der rdns, rdn, attribute;
    enum pkix_error common_name_error = PKIX_OK;

    if (der_enter_only(cert->subject, ASN1_SEQUENCE, DER_SMALL, &rdns) != PKIX_OK)
        return PKIX_BAD_DER;
    while (!der_at_end(&rdns)) {
        /* RelativeDistinguishedName ::= SET SIZE (1..MAX) OF SEQUENCE { type, value }. Read to its end even when
         * nothing in it counts: a name that cannot be read cannot be said to be within bounds. */
        if (der_enter(&rdns, ASN1_SET, &rdn) != PKIX_OK || der_at_end(&rdn))
            return PKIX_BAD_DER;
        while (!der_at_end(&rdn)) {
            struct span oid, value;
            unsigned tag;
            enum pkix_error error;

            if (der_enter(&rdn, ASN1_SEQUENCE, &attribute) != PKIX_OK ||
                der_read(&attribute, ASN1_OID, &oid) != PKIX_OK ||
                der_read_any(&attribute, &tag, &value, NULL) != PKIX_OK || der_end(&attribute) != PKIX_OK)
                return PKIX_BAD_DER;
            /* Section 4.2.1.10: rfc822Name constraints are for emailAddress in the subject, too, where there is no
             * alternative name of the kind. */
            if (emails && pkix_oid_is(oid, OID_EMAIL_ADDRESS)) {
                /* PKCS #9 has it as an IA5String and nothing else (RFC 5280 appendix A.1). In another type it would be
                 * no address to us and one to a mail program. */
                if (tag != ASN1_IA5_STRING)
                    return PKIX_BAD_DER;
                if ((error = check_name(check, PKIX_GN_EMAIL, value)) != PKIX_OK)
                    return error;
            }
            /* The most specific, last common name is the one that those who look there see. */
            if (common_names && pkix_oid_is(oid, OID_COMMON_NAME))
                common_name_error = check_common_name(check, tag, value);
        }
    }
    return common_name_error;
}

/* NameConstraints ::= SEQUENCE { permittedSubtrees [0] OPTIONAL, excludedSubtrees [1] OPTIONAL }, each with at least
 * one subtree, and at least one of them there. All subtrees are read even when no name is of their type, so that a
 * malformed extension never passes. */
static enum pkix_error read_constraints(struct span constraints, struct constraint_check *check)
{
    struct der sequence;
    bool has_permitted, has_excluded;

    if (der_enter_only(constraints, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK ||
        der_read_optional(&sequence, TAG_PERMITTED, &check->permitted, &has_permitted) != PKIX_OK ||
        der_read_optional(&sequence, TAG_EXCLUDED, &check->excluded, &has_excluded) != PKIX_OK ||
        der_end(&sequence) != PKIX_OK)
        return PKIX_BAD_DER;
    if ((!has_permitted && !has_excluded) || (has_permitted && check->permitted.size == 0) ||
        (has_excluded && check->excluded.size == 0))
        return PKIX_BAD_DER;
    return PKIX_OK;
}

/* RFC 5280 section 4.2.1.10: the subject counts when there is one. An empty one is no name. */
static enum pkix_error check_subject(const struct constraint_check *check, const struct pkix_cert *cert)
{
    struct der rdns;

    if (der_enter_only(cert->subject, ASN1_SEQUENCE, DER_SMALL, &rdns) != PKIX_OK)
        return PKIX_BAD_DER;
    return der_at_end(&rdns) ? PKIX_OK : check_name(check, PKIX_GN_DIRECTORY, cert->subject);
}

/* The first breach is the one that is told. None of a limit: where it is met nothing has been found out. */
enum pkix_error pkix_constraints_check(struct span constraints, const struct pkix_cert *cert,
                                       enum pkix_common_name common_name, unsigned *comparisons_left,
                                       struct pkix_constraint_breach *breach)
{
    struct constraint_check check = {.comparisons_left = comparisons_left, .breach = breach};
    bool has_san, has_server_name;
    enum pkix_error error;

    *breach = (struct pkix_constraint_breach){.rule = PKIX_CONSTRAINT_UNKNOWN};
    if ((error = read_constraints(constraints, &check)) != PKIX_OK ||
        (error = check_alternative_names(&check, cert, &has_san, &has_server_name)) != PKIX_OK ||
        (error = check_subject(&check, cert)) != PKIX_OK)
        return error;
    /* Section 4.2.1.10: mail addresses in the subject count where there is no alternative name at all; a host in the
     * common name where none is a server's, since that is when somebody would still look there. */
    return check_subject_attributes(&check, cert, !has_san,
                                    common_name == PKIX_COMMON_NAME_CONSTRAINED && !has_server_name);
}
