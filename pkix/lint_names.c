/* see pkix/lint_names.h */
#include "pkix/lint_names.h"
#include "pkix/dn.h"
#include "pkix/oid.h"

#include <stdlib.h>

enum { ASN1_NUMERIC_STRING = 0x12, ASN1_UNIVERSAL_TAG_END = 0x40 };

/* ITU-T X.680 section 41.4. */
static bool is_printable_string(struct span text)
{
    static const char others[] = " '()+,-./:=?";

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr(others, c) != NULL)))
            return false;
    }
    return true;
}

/* Those of RFC 5280 appendix A.1 and RFC 4519 that are text. */
static bool is_text_attribute(struct span oid)
{
    static const enum pkix_oid text[] = {
        OID_COMMON_NAME,      OID_COUNTRY,      OID_LOCALITY,      OID_STATE,
        OID_STREET,           OID_ORGANIZATION, OID_SERIAL_NUMBER, OID_ORGANIZATIONAL_UNIT,
        OID_DOMAIN_COMPONENT, OID_USER_ID,      OID_EMAIL_ADDRESS};

    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        if (pkix_oid_is(oid, text[i]))
            return true;
    return false;
}

/* What its string type allows, at least one character (RFC 5280 appendix A.1), no control characters. An attribute that
 * is not known may be of another type. */
static bool attribute_value_valid(struct span oid, unsigned tag, struct span value)
{
    char *text;

    switch (tag) {
    case ASN1_NUMERIC_STRING:
    case ASN1_PRINTABLE_STRING:
        return value.size != 0 && is_printable_string(value);
    case ASN1_UTF8_STRING:
    case ASN1_IA5_STRING:
    case ASN1_TELETEX_STRING:
    case ASN1_BMP_STRING:
    case ASN1_UNIVERSAL_STRING:
        text = pkix_dn_value_utf8(tag, value);
        free(text);
        return value.size != 0 && text != NULL;
    }
    return tag < ASN1_UNIVERSAL_TAG_END && !is_text_attribute(oid);
}

/* X.690 section 11.6: a SET OF in ascending order of its elements' encodings, the shorter one padded with zeros. */
static bool is_ascending(struct span before, struct span after)
{
    size_t common = before.size < after.size ? before.size : after.size;
    int order = common == 0 ? 0 : memcmp(before.data, after.data, common);

    return order < 0 || (order == 0 && before.size < after.size);
}

/* Contents of one RelativeDistinguishedName. */
static const char *lint_rdn(struct der *rdn)
{
    struct span before = span_of(NULL, 0);

    if (der_at_end(rdn))
        return "a relative distinguished name is empty";
    while (!der_at_end(rdn)) {
        struct span whole, oid, value;
        struct der attribute;
        unsigned tag;

        if (der_read_whole(rdn, ASN1_SEQUENCE, &whole) != PKIX_OK ||
            der_enter_only(whole, ASN1_SEQUENCE, DER_SMALL, &attribute) != PKIX_OK ||
            der_read(&attribute, ASN1_OID, &oid) != PKIX_OK ||
            der_read_any(&attribute, &tag, &value, NULL) != PKIX_OK || der_end(&attribute) != PKIX_OK)
            return "a distinguished name is malformed";
        if (!attribute_value_valid(oid, tag, value))
            return "a distinguished name has a value that its string type does not allow";
        if (before.size != 0 && !is_ascending(before, whole))
            return "a relative distinguished name is not sorted as DER asks";
        before = whole;
    }
    return NULL;
}

static const char *lint_dn(struct span name)
{
    struct der rdns, rdn;
    const char *broken = NULL;

    if (der_enter_only(name, ASN1_SEQUENCE, DER_SMALL, &rdns) != PKIX_OK)
        return "a distinguished name is malformed";
    while (!der_at_end(&rdns) && broken == NULL) {
        if (der_enter(&rdns, ASN1_SET, &rdn) != PKIX_OK)
            return "a distinguished name is malformed";
        broken = lint_rdn(&rdn);
    }
    return broken;
}

static bool is_visible_ascii(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.size != 0;
}

/* Mailbox: something at a host (RFC 5280 section 4.2.1.6). What may stand before the last @ is the mail system's
 * business. */
static bool is_mailbox(struct span text)
{
    const uint8_t *at = NULL;
    struct span domain;

    for (size_t i = 0; i < text.size; i++)
        at = text.data[i] == '@' ? text.data + i : at;
    if (at == NULL || at == text.data || !is_visible_ascii(text))
        return false;
    domain = span_skip(text, (size_t)(at - text.data) + 1);
    return pkix_dns_id_valid(domain, PKIX_DNS_PRESENTED) && domain.data[0] != '*';
}

static bool is_scheme(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (i != 0 && ((c >= '0' && c <= '9') || (c != '\0' && strchr("+-.", c) != NULL)))))
            return false;
    }
    return text.size != 0;
}

/* Schemes whose URIs have an authority; without one they are relative to whatever is read (RFC 3986 section 5.4.2). */
static bool wants_authority(struct span scheme)
{
    static const char *const schemes[] = {"http", "https", "ftp", "ldap", "ldaps"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (span_equal_nocase(scheme, span_of_string(schemes[i])))
            return true;
    return false;
}

/* RFC 5280 section 4.2.1.6: not relative; a scheme and something behind it, and an authority that is there names a
 * host. LDAP's may be empty, which means a directory that the reader knows (RFC 4516 section 2). */
static bool is_absolute_uri(struct span text)
{
    const uint8_t *colon = is_visible_ascii(text) ? memchr(text.data, ':', text.size) : NULL;
    struct span scheme, rest, host;

    if (colon == NULL)
        return false;
    scheme = span_of(text.data, (size_t)(colon - text.data));
    rest = span_skip(text, scheme.size + 1);
    if (!is_scheme(scheme) || rest.size == 0)
        return false;
    if (rest.size < 2 || rest.data[0] != '/' || rest.data[1] != '/')
        return !wants_authority(scheme);
    return pkix_uri_host(text, &host) || span_starts_with_nocase(scheme, "ldap");
}

/* A dNSName as RFC 1034 section 3.5 has it: no underscores. */
static bool has_underscore(struct span name)
{
    return name.size != 0 && memchr(name.data, '_', name.size) != NULL;
}

const char *pkix_lint_general_name(enum pkix_general_name type, struct span value)
{
    switch (type) {
    case PKIX_GN_DNS:
        return pkix_dns_id_valid(value, PKIX_DNS_PRESENTED) && !has_underscore(value)
                   ? NULL
                   : "a host name is not a host name";
    case PKIX_GN_IP:
        return value.size == 4 || value.size == 16 ? NULL : "an address is neither IPv4 nor IPv6";
    case PKIX_GN_EMAIL:
        return is_mailbox(value) ? NULL : "a mail address is not a mail address";
    case PKIX_GN_URI:
        return is_absolute_uri(value) ? NULL : "a URI is not an absolute URI";
    case PKIX_GN_DIRECTORY:
        return lint_dn(value);
    case PKIX_GN_OTHER:
    case PKIX_GN_X400:
    case PKIX_GN_EDI:
    case PKIX_GN_RID:
        break;
    }
    return value.size != 0 ? NULL : "an alternative name is empty";
}

static const char *lint_alternative_names(const struct pkix_cert *cert)
{
    struct der names;
    bool present;
    const char *broken = NULL;

    if (pkix_san_enter(cert, &names, &present) != PKIX_OK)
        return "the alternative names are malformed";
    if (present && der_at_end(&names))
        return "there are no alternative names in the extension for them";
    while (!der_at_end(&names) && broken == NULL) {
        enum pkix_general_name type;
        struct span value;

        if (pkix_general_name_read(&names, &type, &value) != PKIX_OK)
            return "an alternative name is malformed";
        broken = pkix_lint_general_name(type, value);
    }
    return broken;
}

const char *pkix_lint_names(const struct pkix_cert *cert)
{
    const char *broken;

    if ((broken = lint_dn(cert->issuer)) != NULL || (broken = lint_dn(cert->subject)) != NULL)
        return broken;
    return lint_alternative_names(cert);
}

struct common_name_search {
    const struct pkix_cert *cert;
    bool mismatch;
};

/* Whether somebody could take the text for an address: digits, hexadecimal letters, 'x', dots and colons. */
static bool looks_like_an_address(struct span text)
{
    bool digit = false;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\0' || strchr("0123456789abcdefABCDEF.:xX", text.data[i]) == NULL)
            return false;
        digit = digit || (text.data[i] >= '0' && text.data[i] <= '9');
    }
    return digit;
}

/* Whether `name`, perhaps a wildcard, is a sub-domain of `domain`. */
static bool is_below(struct span name, struct span domain)
{
    return name.size > domain.size + 1 && name.data[name.size - domain.size - 1] == '.' &&
           span_equal(span_skip(name, name.size - domain.size), domain);
}

/* CA/Browser Forum BR section 7.1.4.3: a common name that looks like a server's name is one of the alternative names,
 * in the same spelling (an address: in RFC 5952's). The domain all of whose host names are below it passes too, and a
 * host name beside mere addresses. */
static bool common_name_fits(const struct pkix_cert *cert, struct span common_name)
{
    struct der names;
    bool present, has_dns = false, has_below = false;

    if (pkix_san_enter(cert, &names, &present) != PKIX_OK)
        return false;
    while (!der_at_end(&names)) {
        enum pkix_general_name type;
        struct span name;
        char text[PKIX_IP_TEXT_SIZE];

        if (pkix_general_name_read(&names, &type, &name) != PKIX_OK)
            return false;
        if (type == PKIX_GN_DNS) {
            has_dns = true;
            has_below = has_below || is_below(name, common_name);
        } else if (type == PKIX_GN_IP) {
            pkix_ip_format(name, text);
            name = span_of_string(text);
        } else {
            continue;
        }
        if (span_equal(name, common_name))
            return true;
    }
    if (looks_like_an_address(common_name))
        return false;
    return !has_dns || has_below || common_name.size == 0 || memchr(common_name.data, '.', common_name.size) == NULL;
}

static bool visit_attribute(void *ctx, struct span oid, unsigned tag, struct span value)
{
    struct common_name_search *search = ctx;

    (void)tag;
    if (pkix_oid_is(oid, OID_COMMON_NAME))
        search->mismatch = search->mismatch || !common_name_fits(search->cert, value);
    return !search->mismatch;
}

const char *pkix_lint_server_names(const struct pkix_cert *cert)
{
    struct common_name_search search = {.cert = cert};

    if (!cert->extensions[PKIX_EXT_SUBJECT_ALT_NAME].present)
        return "there are no alternative names";
    if (!pkix_dn_visit(cert->subject, visit_attribute, &search))
        return "the subject is malformed";
    return search.mismatch ? "the common name is not one of the alternative names" : NULL;
}

/* Contents as long as the address, then a mask of ones followed by zeros (RFC 5280 section 4.2.1.10, as RFC 4632 has
 * it). */
static bool is_network(struct span base)
{
    bool ended = false;

    if (base.size != 8 && base.size != 32)
        return false;
    for (size_t bit = 0; bit < base.size * 4; bit++) {
        bool one = (base.data[base.size / 2 + bit / 8] & (0x80u >> bit % 8)) != 0;

        if (one && ended)
            return false;
        ended = ended || !one;
    }
    return true;
}

/* A mailbox, a host, or, with a leading period, what is below a domain. */
static bool is_mail_constraint(struct span base)
{
    if (base.size != 0 && memchr(base.data, '@', base.size) != NULL)
        return is_mailbox(base);
    return base.size != 0 && pkix_dns_id_valid(base, PKIX_DNS_CONSTRAINT);
}

/* RFC 5280 section 4.2.1.10. A dNSName constraint is a domain, without a leading period. */
static const char *lint_constraint(enum pkix_general_name type, struct span base)
{
    switch (type) {
    case PKIX_GN_DNS:
        if (base.size != 0 && base.data[0] == '.')
            return "a name constraint begins with a period";
        return base.size != 0 && pkix_dns_id_valid(base, PKIX_DNS_CONSTRAINT) ? NULL
                                                                              : "a name constraint is not a domain";
    case PKIX_GN_IP:
        return is_network(base) ? NULL : "a name constraint is not an address and a mask";
    case PKIX_GN_EMAIL:
        return is_mail_constraint(base) ? NULL : "a name constraint is neither mailbox, host nor domain";
    case PKIX_GN_URI:
        return base.size != 0 && pkix_dns_id_valid(base, PKIX_DNS_CONSTRAINT)
                   ? NULL
                   : "a name constraint is neither host nor domain";
    case PKIX_GN_DIRECTORY:
        return lint_dn(base);
    case PKIX_GN_OTHER:
    case PKIX_GN_X400:
    case PKIX_GN_EDI:
    case PKIX_GN_RID:
        break;
    }
    return NULL;
}

const char *pkix_lint_constraints(const struct pkix_cert *cert)
{
    static const char *const malformed = "name constraints are malformed";
    struct der sequence, subtrees, subtree;
    struct span value;
    const char *broken;

    if (!pkix_cert_extension(cert, PKIX_EXT_NAME_CONSTRAINTS, &value))
        return NULL;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK)
        return malformed;
    while (!der_at_end(&sequence)) {
        struct span contents;

        if (der_read_any(&sequence, NULL, &contents, NULL) != PKIX_OK)
            return malformed;
        subtrees = der_over(contents, DER_SMALL);
        while (!der_at_end(&subtrees)) {
            enum pkix_general_name type;
            struct span base;

            if (der_enter(&subtrees, ASN1_SEQUENCE, &subtree) != PKIX_OK ||
                pkix_general_name_read(&subtree, &type, &base) != PKIX_OK)
                return malformed;
            if ((broken = lint_constraint(type, base)) != NULL)
                return broken;
        }
    }
    return NULL;
}
