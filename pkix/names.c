/* see pkix/names.h
 *
 * Names are where what an authority has checked becomes what a user is told, and where most was lost: a NUL that ends
 * the name for one reader (CVE-2009-2408), a wildcard that reaches further than was meant (RFC 9525 section 7.1), a
 * name of one type taken for another (CVE-2021-44531). So a name is bytes with a length, of one type, in one syntax,
 * or it is nothing; no name is decoded, folded or completed on the way, but for ASCII case. */
#include "pkix/names.h"
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* Sizes in bytes, of names as text; addresses as in an iPAddress. */
enum { DNS_NAME_SIZE_MAX = 253, DNS_LABEL_SIZE_MAX = 63, IPV4_SIZE = 4, IPV6_SIZE = 16, NAMES_TEXT_MAX = 6 };

enum pkix_error pkix_general_name_read(struct der *d, enum pkix_general_name *type, struct span *value)
{
    unsigned tag;
    enum pkix_error error = der_read_any(d, &tag, value, NULL);

    if (error != PKIX_OK)
        return error;
    /* All nine are known, so that the next one is found: a reader that stops at a name it does not know would not
     * see the dNSName behind it, which a constraint may exclude. */
    *type = (enum pkix_general_name)tag;
    switch (*type) {
    case PKIX_GN_OTHER:
    case PKIX_GN_EMAIL:
    case PKIX_GN_DNS:
    case PKIX_GN_X400:
    case PKIX_GN_DIRECTORY:
    case PKIX_GN_EDI:
    case PKIX_GN_URI:
    case PKIX_GN_IP:
    case PKIX_GN_RID:
        return PKIX_OK;
    }
    return PKIX_BAD_DER;
}

/* Whether it is empty is not asked: a list without names matches nothing. */
enum pkix_error pkix_san_enter(const struct pkix_cert *cert, struct der *names, bool *present)
{
    struct span value;

    *present = pkix_cert_extension(cert, PKIX_EXT_SUBJECT_ALT_NAME, &value);
    *names = der_over(span_of(NULL, 0), DER_SMALL);
    return *present ? der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, names) : PKIX_OK;
}

enum pkix_error pkix_access_read(struct der *list, struct pkix_access *access)
{
    struct der description;

    if (der_enter(list, ASN1_SEQUENCE, &description) != PKIX_OK ||
        der_read(&description, ASN1_OID, &access->method) != PKIX_OK ||
        pkix_general_name_read(&description, &access->type, &access->location) != PKIX_OK)
        return PKIX_BAD_DER;
    return der_end(&description);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* ASCII and by hand: isalpha() and tolower() ask the locale, which is not to decide what a host name is. */
static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The labels after any wildcard or leading dot: RFC 1034 section 3.5, with underscores, which RFC 2181 section 11
 * leaves to the user of names, and which are there. Everything else is refused, NUL, blanks, a second "*" and the
 * bytes of UTF-8 among it (RFC 5280 section 7.2 has A-labels in certificates). A name whose last label is a number
 * could be read as an address, by people and by resolvers. */
static bool labels_valid(struct span name, enum pkix_dns_id kind, unsigned *label_count)
{
    size_t label_start = 0;
    bool all_digits = true;

    *label_count = 0;
    for (size_t i = 0; i <= name.size; i++) {
        uint8_t c = i < name.size ? name.data[i] : '.';

        if (c == '.') {
            size_t size = i - label_start;

            /* RFC 1034 section 3.1. Only where it was asked for: in a certificate "example.com." would be a second
             * spelling that constraints do not know. */
            if (size == 0 && i == name.size && kind == PKIX_DNS_REFERENCE && *label_count > 0)
                break; /* the root's dot */
            if (size == 0 || size > DNS_LABEL_SIZE_MAX)
                return false;
            /* RFC 5890 section 2.3.1: no label begins or ends with a hyphen. People type such references all the
             * same, and they can only match nothing. */
            if (kind != PKIX_DNS_REFERENCE && (name.data[label_start] == '-' || name.data[i - 1] == '-'))
                return false;
            (*label_count)++;
            if (i < name.size) {
                label_start = i + 1;
                all_digits = label_start == name.size ? all_digits : true;
            }
        } else if (is_digit(c)) {
            continue;
        } else if (is_alpha(c) || c == '-' || c == '_') {
            all_digits = false;
        } else {
            return false;
        }
    }
    return !all_digits;
}

/* Three syntaxes, since three kinds of people write names: users what they ask for (with a root dot, with any hyphen),
 * authorities what they certify (with a wildcard), and authorities what they forbid (with a leading dot, or nothing).
 * One that took all three would take a wildcard for a question. */
bool pkix_dns_id_valid(struct span name, enum pkix_dns_id kind)
{
    unsigned labels;

    /* 255 octets with lengths and root (RFC 1035 section 2.3.4) are 253 of text. What is longer is in no DNS, and work
     * for whoever compares it. */
    if (name.size > DNS_NAME_SIZE_MAX)
        return false;
    switch (kind) {
    case PKIX_DNS_REFERENCE:
        return name.size != 0 && labels_valid(name, kind, &labels);
    case PKIX_DNS_PRESENTED:
        /* RFC 9525 section 6.3: the "*" is the whole of the left-most label; "w*.example.com" is no name here
         * (CVE-2014-1492 was a "*" within an A-label). At least two labels follow: "*.com" would be all of a
         * registry. */
        if (name.size > 2 && name.data[0] == '*' && name.data[1] == '.')
            return labels_valid(span_skip(name, 2), kind, &labels) && labels >= 2;
        return name.size != 0 && labels_valid(name, kind, &labels);
    /* RFC 5280 section 4.2.1.10: the empty one stands for all names, with which an authority is forbidden any of
     * that type. */
    case PKIX_DNS_CONSTRAINT:
        if (name.size == 0)
            return true;
        if (name.data[0] == '.')
            name = span_skip(name, 1);
        return name.size != 0 && labels_valid(name, kind, &labels);
    }
    return false;
}

/* RFC 9525 section 6.3: "*" stands for exactly one label, never for none or two. Otherwise who has "*.example.com" for
 * the hosts of customers would have their sub-domains and the domain itself. Both are valid names
 * (pkix_dns_id_valid()). ASCII case only (RFC 4343); internationalised names are A-labels on both sides, and never
 * decoded: two that look alike are two. */
bool pkix_dns_id_matches(struct span presented, struct span reference)
{
    const uint8_t *dot;

    /* "example.com." and "example.com" are one name to a resolver (RFC 1034 section 3.1). */
    if (reference.size != 0 && reference.data[reference.size - 1] == '.')
        reference.size--;
    if (presented.size < 2 || presented.data[0] != '*')
        return span_equal_nocase(presented, reference);
    /* What the "*" stands for ends at the first dot of the reference; the rest, its dot included, must be equal. A
     * reference of one label ("localhost") matches no wildcard. */
    dot = reference.size == 0 ? NULL : memchr(reference.data, '.', reference.size);
    if (dot == NULL || dot == reference.data)
        return false;
    return span_equal_nocase(span_skip(presented, 1), span_skip(reference, (size_t)(dot - reference.data)));
}

/* The strict forms only: "127.1", "0177.0.0.1" and "2130706433" are one address to inet_aton(), and others to its
 * readers (CVE-2021-29921's kind). */
bool pkix_ip_parse(struct span text, uint8_t address[16], size_t *size)
{
    struct address a;

    if (!address_parse(text, &a))
        return false;
    memcpy(address, a.bytes, a.size);
    *size = a.size;
    return true;
}

/* For people. Of another size than an address has, which a certificate may well show, it says how many bytes there are
 * and not what is in them. */
void pkix_ip_format(struct span address, char *out)
{
    const char *text = NULL;

    if (address.size == IPV4_SIZE || address.size == IPV6_SIZE)
        text = inet_ntop(address.size == IPV4_SIZE ? AF_INET : AF_INET6, address.data, out, PKIX_IP_TEXT_SIZE);
    if (text == NULL)
        snprintf(out, PKIX_IP_TEXT_SIZE, "(%zu bytes)", address.size);
}

/* RFC 5322 section 3.2.3: atext. */
static bool is_atext(uint8_t c)
{
    return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

bool pkix_email_split(struct span address, struct span *local, struct span *domain)
{
    bool atom_begins = true;

    /* RFC 5321 section 4.1.2 has quoted strings, in which "@" and blanks may stand; which "@" ends the
     * local part is then a matter of opinion, and so they are no addresses here. */
    for (size_t i = 0; i < address.size; i++) {
        uint8_t c = address.data[i];

        if (c == '.' || c == '@') {
            if (atom_begins)
                return false;
            atom_begins = true;
            if (c == '.')
                continue;
            *local = span_of(address.data, i);
            *domain = span_skip(address, i + 1);
            return pkix_dns_id_valid(*domain, PKIX_DNS_PRESENTED) && domain->data[0] != '*';
        }
        if (!is_atext(c))
            return false;
        atom_begins = false;
    }
    return false;
}

/* RFC 3986 section 3.2. The user part ends at the last "@" of the authority, and the authority at the first "/", "?"
 * or "#": "http://good.example@evil.example/" is of evil.example. */
bool pkix_uri_host(struct span uri, struct span *host)
{
    const uint8_t *colon = uri.size == 0 ? NULL : memchr(uri.data, ':', uri.size);
    struct span rest;
    size_t size = 0, user_end = 0;

    if (colon == NULL || colon == uri.data)
        return false;
    rest = span_skip(uri, (size_t)(colon - uri.data) + 1);
    if (rest.size < 3 || rest.data[0] != '/' || rest.data[1] != '/')
        return false;
    rest = span_skip(rest, 2);
    /* Not by a general parser: what is asked here is whom a reader would talk to, and where readers disagree
     * (backslashes, blanks) the host's own check refuses. */
    while (size < rest.size && strchr("/?#", rest.data[size]) == NULL) {
        /* A NUL ends strchr()'s set too, so it ends the authority here; the host check then refuses what is left. */
        if (rest.data[size] == '@')
            user_end = size + 1;
        size++;
    }
    rest = span_skip(span_of(rest.data, size), user_end);
    if (rest.size != 0 && rest.data[0] == '[') {
        const uint8_t *end = memchr(rest.data, ']', rest.size);

        if (end == NULL)
            return false;
        /* With its brackets: whoever asks for a host has to see that it is an address. */
        *host = span_of(rest.data, (size_t)(end - rest.data) + 1);
        return true;
    }
    colon = rest.size == 0 ? NULL : memchr(rest.data, ':', rest.size);
    *host = colon == NULL ? rest : span_of(rest.data, (size_t)(colon - rest.data));
    return host->size != 0;
}

/* A mailbox is the same when its domain is, in any case, and its local part is, in that case. */
static bool email_matches(struct span presented, struct span wanted)
{
    struct span presented_local, presented_domain, wanted_local, wanted_domain;

    /* RFC 5321 section 2.4: the local part is the domain's to interpret, case included; only its own exact spelling
     * is sure to be the same mailbox. */
    return pkix_email_split(presented, &presented_local, &presented_domain) &&
           pkix_email_split(wanted, &wanted_local, &wanted_domain) && span_equal(presented_local, wanted_local) &&
           span_equal_nocase(presented_domain, wanted_domain);
}

/* What is asked for comes from the configuration or from a client (http-proxy): a reference that is no name must not
 * match whatever a certificate has of that kind. */
static bool name_valid(const struct pkix_name *name)
{
    struct span local, domain;

    switch (name->type) {
    case PKIX_NAME_NONE:
        return false;
    case PKIX_NAME_DNS:
        return pkix_dns_id_valid(name->value, PKIX_DNS_REFERENCE);
    case PKIX_NAME_IP:
        return name->value.size == IPV4_SIZE || name->value.size == IPV6_SIZE;
    case PKIX_NAME_EMAIL:
        return pkix_email_split(name->value, &local, &domain);
    case PKIX_NAME_URI:
        return name->value.size != 0;
    }
    return false;
}

/* Whether one alternative name is the name wanted. A malformed name matches nothing; names of another type never
 * match, whatever their bytes (CVE-2021-44531). */
static bool presented_matches(enum pkix_general_name type, struct span value, const struct pkix_name *name)
{
    switch (name->type) {
    case PKIX_NAME_NONE:
        return false;
    case PKIX_NAME_DNS:
        return type == PKIX_GN_DNS && pkix_dns_id_valid(value, PKIX_DNS_PRESENTED) &&
               pkix_dns_id_matches(value, name->value);
    case PKIX_NAME_IP:
        /* RFC 9525 section 6.4: the octets, never a text of them in a dNSName, which an authority may have let
         * through as a host name. */
        return type == PKIX_GN_IP && span_equal(value, name->value);
    case PKIX_NAME_EMAIL:
        return type == PKIX_GN_EMAIL && email_matches(value, name->value);
    case PKIX_NAME_URI:
        /* Byte for byte. RFC 3986 section 6.2 has a ladder of readings (case of the scheme, percent-encodings, default
         * ports), and no two readers stand on the same rung; an administrator copies what the certificate has. */
        return type == PKIX_GN_URI && span_equal(value, name->value);
    }
    return false;
}

/* As mozilla::pkix with its halting policy: the first match wins, and a malformed dNSName or iPAddress before it ends
 * the search. An authority that signed one malformed name did not look; what it says next to it is worth no more. Of
 * the type asked for alone: a bad mail address beside a good dNSName is no reason to refuse a server. */
static bool presented_malformed(enum pkix_general_name type, struct span value, const struct pkix_name *name)
{
    if (name->type == PKIX_NAME_DNS && type == PKIX_GN_DNS)
        return !pkix_dns_id_valid(value, PKIX_DNS_PRESENTED);
    if (name->type == PKIX_NAME_IP && type == PKIX_GN_IP)
        return value.size != IPV4_SIZE && value.size != IPV6_SIZE;
    return false;
}

/* RFC 9525: only alternative names, and only those of the type asked for. The common name is free text that
 * authorities did not check as a host name, and that name constraints do not reach; a certificate without the
 * extension is for nobody. */
enum pkix_error pkix_name_check(const struct pkix_cert *cert, const struct pkix_name *name)
{
    struct der names;
    bool present;

    /* A list that cannot be read to its end is still read up to the fault: a match before it stands, as the search
     * above would have ended there; behind it nothing is believed. */
    if (!name_valid(name) || pkix_san_enter(cert, &names, &present) != PKIX_OK || !present)
        return PKIX_NAME_MISMATCH;
    while (!der_at_end(&names)) {
        enum pkix_general_name type;
        struct span value;

        if (pkix_general_name_read(&names, &type, &value) != PKIX_OK || presented_malformed(type, value, name))
            return PKIX_NAME_MISMATCH;
        if (presented_matches(type, value, name))
            return PKIX_OK;
    }
    return PKIX_NAME_MISMATCH;
}

/* Beside PKIX_NAME_MISMATCH, so the peer chose them: quoted, and only a few (NAMES_TEXT_MAX), or one handshake could
 * fill a log. Types that no server is asked for by are left out. */
char *pkix_names_text(const struct pkix_cert *cert)
{
    struct der names;
    bool present;
    char *text = base_strdup("");
    unsigned count = 0;

    if (pkix_san_enter(cert, &names, &present) != PKIX_OK || !present)
        return text;
    while (!der_at_end(&names) && count <= NAMES_TEXT_MAX) {
        enum pkix_general_name type;
        struct span value;
        char quoted[BASE_QUOTE_SIZE], *longer;

        if (pkix_general_name_read(&names, &type, &value) != PKIX_OK)
            break;
        if (type == PKIX_GN_IP) {
            char ip[PKIX_IP_TEXT_SIZE];

            pkix_ip_format(value, ip);
            base_quote(ip, strlen(ip), quoted, sizeof(quoted));
        } else if (type == PKIX_GN_DNS || type == PKIX_GN_EMAIL || type == PKIX_GN_URI) {
            base_quote(value.data, value.size, quoted, sizeof(quoted));
        } else {
            continue;
        }
        longer = base_printf("%s%s%s", text, count == 0 ? "" : ", ", count == NAMES_TEXT_MAX ? "..." : quoted);
        free(text);
        text = longer;
        count++;
    }
    return text;
}
