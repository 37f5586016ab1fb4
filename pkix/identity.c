/* see pkix/identity.h
 *
 * What becomes of a verified client's certificate for an access rule, a header or a log. An authority may have let
 * anything into a name; a rule compares text. So each name is one kind, in the syntax of that kind, without a byte that
 * could end it or hide in it, or it is refused and counted: never cut, never repaired. */
#include "pkix/identity.h"
#include "pkix/cert.h"
#include "pkix/dn.h"
#include "pkix/names.h"
#include "pkix/nss_crypto.h"
#include "pkix/oid.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHA256_SIZE = 32, TAG_OTHER_NAME_VALUE = ASN1_CONTEXT_CONSTRUCTED | 0 };

/* `value` is taken; NULL counts as refused. */
static void add(struct pkix_identity *identity, enum pkix_id_type type, char *value)
{
    if (value == NULL || value[0] == '\0' || identity->count == PKIX_IDS_MAX) {
        /* Counted, so that an administrator whose rule does not match sees that there was a name and that it was
         * refused. The ceiling is for a certificate with ten thousand names, each of which every rule would be held
         * against. */
        free(value);
        identity->refused++;
        return;
    }
    identity->ids[identity->count++] = (struct pkix_id){type, value};
}

/* Printable ASCII only: DNS names, mail addresses and URIs are IA5Strings without spaces. A line's end would begin
 * another header, or another line of a log, and a NUL would end the name for whoever compares it as a string of C
 * (CVE-2009-2408). */
static char *printable(struct span value)
{
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] <= 0x20 || value.data[i] >= 0x7f)
            return NULL;
    return base_strndup(value.size == 0 ? "" : (const char *)value.data, value.size);
}

/* As name checks have it, wildcards among them: a rule may ask for one by its text. RFC 5280 section 4.2.1.6 has a
 * dNSName in the preferred name syntax; what is not is refused, so that no reader of what we pass on can take it for
 * two names. */
static char *dns_text(struct span value)
{
    return pkix_dns_id_valid(value, PKIX_DNS_PRESENTED) ? printable(value) : NULL;
}

/* A Mailbox as section 4.2.1.6 has it, without a display name or a comment; and here without a quoted local part as
 * well, in which one address can be written within another. */
static char *email_text(struct span value)
{
    struct span local, domain;

    return pkix_email_split(value, &local, &domain) ? printable(value) : NULL;
}

/* Made by us from the octets, so there is one spelling of each. */
static char *ip_text(struct span value)
{
    char text[PKIX_IP_TEXT_SIZE];

    /* A constraint has 8 and 32 bytes; what is neither of the two is no address. */
    if (value.size != 4 && value.size != 16)
        return NULL;
    pkix_ip_format(value, text);
    return base_strdup(text);
}

/* OtherName ::= SEQUENCE { type-id OBJECT IDENTIFIER, value [0] EXPLICIT }, of which the tag took the SEQUENCE's place.
 * A user principal name is a UTF8String; a NUL or a control byte in it is refused, so that what a rule sees is what
 * there is (CVE-2009-2408's kind). */
static void read_other_name(struct span value, struct pkix_identity *identity)
{
    struct der d = der_over(value, DER_SMALL), wrapper;
    struct span oid, text;

    if (der_read(&d, ASN1_OID, &oid) != PKIX_OK || !pkix_oid_is(oid, OID_MS_UPN))
        return;
    if (der_enter(&d, TAG_OTHER_NAME_VALUE, &wrapper) != PKIX_OK || !der_at_end(&d) ||
        der_read(&wrapper, ASN1_UTF8_STRING, &text) != PKIX_OK || !der_at_end(&wrapper)) {
        identity->refused++;
        return;
    }
    add(identity, PKIX_ID_UPN, pkix_dn_value_utf8(ASN1_UTF8_STRING, text));
}

/* Names of other kinds say nothing that an access rule could ask for, and are neither taken nor counted. By type, each
 * under a prefix of its own: names that were joined into one text and taken apart again were split where the
 * certificate's author wanted it (CVE-2021-44532). */
static void read_alternative_names(const struct pkix_cert *cert, struct pkix_identity *identity)
{
    struct der names;
    bool present;

    if (pkix_san_enter(cert, &names, &present) != PKIX_OK) {
        identity->refused++;
        return;
    }
    while (!der_at_end(&names)) {
        enum pkix_general_name type;
        struct span value;

        /* What stood before it is kept: those were read as they are. That there was more, and that it could not be
         * read, is counted. */
        if (pkix_general_name_read(&names, &type, &value) != PKIX_OK) {
            identity->refused++;
            return;
        }
        switch (type) {
        case PKIX_GN_DNS:
            add(identity, PKIX_ID_DNS, dns_text(value));
            break;
        case PKIX_GN_EMAIL:
            add(identity, PKIX_ID_EMAIL, email_text(value));
            break;
        case PKIX_GN_URI:
            /* As it stands, with nothing decoded: "%2e%2e" and ".." are two names, whatever they are to a server. */
            add(identity, PKIX_ID_URI, printable(value));
            break;
        case PKIX_GN_IP:
            add(identity, PKIX_ID_IP, ip_text(value));
            break;
        case PKIX_GN_OTHER:
            read_other_name(value, identity);
            break;
        case PKIX_GN_X400:
        case PKIX_GN_DIRECTORY:
        case PKIX_GN_EDI:
        case PKIX_GN_RID:
            break;
        }
    }
}

/* Counted in a first walk: that there is a second one is known only at the end of the name. */
struct subject_counts {
    struct pkix_identity *identity;
    unsigned common_names, serial_numbers;
};

/* Of several common names, or serial numbers, nobody knows which one is meant: none is taken. Whoever may put one
 * attribute into a certificate (a name in a form) could otherwise put a second one there, in front of the one that the
 * authority has checked. */
static bool count_attribute(void *ctx, struct span oid, unsigned tag, struct span value)
{
    struct subject_counts *counts = ctx;

    (void)tag;
    (void)value;
    counts->common_names += pkix_oid_is(oid, OID_COMMON_NAME) ? 1 : 0;
    counts->serial_numbers += pkix_oid_is(oid, OID_SERIAL_NUMBER) ? 1 : 0;
    return true;
}

/* Organisations and units may be several, as an organisation within another is; a rule that asks for one asks whether
 * it is among them. Text by its string type and nothing else: what is not valid in that type, or has a control
 * character, is refused by pkix_dn_value_utf8(). */
static bool read_attribute(void *ctx, struct span oid, unsigned tag, struct span value)
{
    struct subject_counts *counts = ctx;

    if (pkix_oid_is(oid, OID_COMMON_NAME))
        add(counts->identity, PKIX_ID_CN, counts->common_names == 1 ? pkix_dn_value_utf8(tag, value) : NULL);
    else if (pkix_oid_is(oid, OID_SERIAL_NUMBER))
        add(counts->identity, PKIX_ID_SERIAL_NUMBER,
            counts->serial_numbers == 1 ? pkix_dn_value_utf8(tag, value) : NULL);
    else if (pkix_oid_is(oid, OID_ORGANIZATION))
        add(counts->identity, PKIX_ID_O, pkix_dn_value_utf8(tag, value));
    else if (pkix_oid_is(oid, OID_ORGANIZATIONAL_UNIT))
        add(counts->identity, PKIX_ID_OU, pkix_dn_value_utf8(tag, value));
    return true;
}

static void read_subject(const struct pkix_cert *cert, struct pkix_identity *identity)
{
    struct subject_counts counts = {.identity = identity};

    /* A malformed name is no name at all: nothing is taken from its readable beginning. */
    if (!pkix_dn_visit(cert->subject, count_attribute, &counts) ||
        !pkix_dn_visit(cert->subject, read_attribute, &counts))
        identity->refused++;
}

/* Of the whole certificate, and of the key alone, which a renewal keeps. SHA-256, since a rule that asks for a
 * fingerprint rests on nothing else: of a hash that can be collided its holder could have a second certificate made. */
static bool hex_digest(struct span data, char out[2 * SHA256_SIZE + 1])
{
    uint8_t digest[SHA256_SIZE];

    if (!pkix_nss_digest(PKIX_SHA256, data, digest))
        return false;
    for (unsigned i = 0; i < SHA256_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return true;
}

/* Of a certificate that was verified (pkix/identity.h). It is read once more nevertheless, by the reader that verified
 * it, so that both have the same names. Without its digests there is none of it: a rule that asks for a fingerprint
 * must not be held against an empty one. */
bool pkix_identity_read(struct span der, struct pkix_identity *identity)
{
    struct pkix_cert cert;

    *identity = (struct pkix_identity){0};
    if (pkix_cert_read(der, &cert) != PKIX_OK)
        return false;
    if (!hex_digest(der, identity->sha256) || !hex_digest(cert.spki, identity->spki_sha256))
        return false;
    identity->ids = base_alloc(PKIX_IDS_MAX * sizeof(*identity->ids));
    read_alternative_names(&cert, identity);
    read_subject(&cert, identity);
    identity->subject = pkix_dn_text(cert.subject);
    return true;
}

/* The prefix under which a rule of `allow` asks for it (yett.conf(5)). There is none for addresses: who is behind one
 * changes. */
const char *pkix_id_rule(enum pkix_id_type type)
{
    static const char *const rules[] = {
        [PKIX_ID_DNS] = "san_dns:", [PKIX_ID_EMAIL] = "san_email:", [PKIX_ID_URI] = "san_uri:",
        [PKIX_ID_IP] = NULL,        [PKIX_ID_UPN] = "san_upn:",     [PKIX_ID_CN] = "cn:",
        [PKIX_ID_O] = "dn:O=",      [PKIX_ID_OU] = "dn:OU=",        [PKIX_ID_SERIAL_NUMBER] = "serial_number:",
    };

    static_assert(ARRAY_LEN(rules) == PKIX_ID_TYPE_COUNT, "one rule for each kind");
    return rules[type];
}

void pkix_identity_clear(struct pkix_identity *identity)
{
    for (size_t i = 0; i < identity->count; i++)
        free(identity->ids[i].value);
    free(identity->ids);
    free(identity->subject);
    *identity = (struct pkix_identity){0};
}
