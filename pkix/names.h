/* pkix/names.h: host names, addresses and mail addresses in certificates.
 *
 * The words: a *reference* name is what the caller wants, a *presented* name is what a certificate says, a
 * *constraint* is what an issuer allows or forbids. Only subject alternative names of the right type are matched; the
 * common name is not used (RFC 9525). Comparison is ASCII and case-insensitive; nothing depends on a locale. */
#ifndef YETT_PKIX_NAMES_H
#define YETT_PKIX_NAMES_H

#include "pkix/cert.h"
#include "pkix/request.h"

/* GeneralName tags, RFC 5280 section 4.2.1.6. */
enum pkix_general_name {
    PKIX_GN_OTHER = 0xa0,
    PKIX_GN_EMAIL = 0x81,
    PKIX_GN_DNS = 0x82,
    PKIX_GN_X400 = 0xa3,
    PKIX_GN_DIRECTORY = 0xa4,
    PKIX_GN_EDI = 0xa5,
    PKIX_GN_URI = 0x86,
    PKIX_GN_IP = 0x87,
    PKIX_GN_RID = 0x88,
};

/* One GeneralName. PKIX_BAD_DER for a tag that is not one of the nine. */
MUST_CHECK enum pkix_error pkix_general_name_read(struct der *d, enum pkix_general_name *type, struct span *value);

/* A cursor over the subject alternative names; *present says whether there is the extension at all. */
MUST_CHECK enum pkix_error pkix_san_enter(const struct pkix_cert *cert, struct der *names, bool *present);

enum pkix_dns_id { PKIX_DNS_REFERENCE, PKIX_DNS_PRESENTED, PKIX_DNS_CONSTRAINT };

/* Labels of 1..63 letters, digits, hyphens and underscores; at most 253 bytes; the last label not all digits.
 * References may end in one dot and have hyphens anywhere; presented names may begin with "*." and two more labels;
 * constraints may begin with a dot or be empty. */
bool pkix_dns_id_valid(struct span name, enum pkix_dns_id kind);

/* Whether a valid presented name covers a valid reference. */
bool pkix_dns_id_matches(struct span presented, struct span reference);

/* "192.0.2.1" or "2001:db8::1" to bytes; size is 4 or 16 (base/address.h). No zone, no brackets, no leading zeros in
 * IPv4. An IPv4-mapped address is IPv4, for which certificates have 4 bytes (RFC 5280 section 4.2.1.6). What a
 * certificate has in 16 bytes is not folded so: the IPv4 constraints of its issuers do not reach it. */
bool pkix_ip_parse(struct span text, uint8_t address[16], size_t *size);

/* 4 or 16 bytes to text (RFC 5952); `out` has room for PKIX_IP_TEXT_SIZE bytes. */
enum { PKIX_IP_TEXT_SIZE = 46 };
void pkix_ip_format(struct span address, char *out);

/* One AccessDescription of an authority information access (RFC 5280 section 4.2.2.1). PKIX_BAD_DER. */
struct pkix_access {
    struct span method; /* contents of its object identifier */
    enum pkix_general_name type;
    struct span location;
};
MUST_CHECK enum pkix_error pkix_access_read(struct der *list, struct pkix_access *access);

/* local@domain: an address of atoms, without quoted strings or address literals. Splits it. */
bool pkix_email_split(struct span address, struct span *local, struct span *domain);

/* The authority's host of an absolute URI, without user, port and brackets; false when there is none. */
bool pkix_uri_host(struct span uri, struct span *host);

/* PKIX_OK when the certificate is good for the name, PKIX_NAME_MISMATCH otherwise, also when names in it are malformed.
 */
MUST_CHECK enum pkix_error pkix_name_check(const struct pkix_cert *cert, const struct pkix_name *name);

/* For messages: the first few presented names of the types a server has, quoted. Owned by the caller. */
char *pkix_names_text(const struct pkix_cert *cert);

#endif
