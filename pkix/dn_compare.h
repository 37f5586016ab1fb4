/* pkix/dn_compare.h: whether two distinguished names are the same, as RFC 5280 section 7.1 has it.
 *
 * Authorities encode one name in several ways: PrintableString or UTF8String, another case, other blanks. Attributes
 * are compared as caseIgnoreMatch does (RFC 4517 section 4.2.11) after RFC 4518's preparation: all string types as
 * Unicode, case folded and normalised (NFKC), blanks at the ends left out, several within as one. Values of another
 * type, and those that RFC 4518 does not take (control characters, bytes that are no text), are the same when tag and
 * bytes are. The RDNs count in their order, the attributes of one RDN in any.
 *
 * For names that are told: verification itself links a certificate to its issuer by the bytes (pkix/search.h). */
#ifndef YETT_PKIX_DN_COMPARE_H
#define YETT_PKIX_DN_COMPARE_H

#include "pkix/der.h"

/* Names (whole elements). Malformed ones are the same only byte for byte. */
MUST_CHECK bool pkix_dn_equal(struct span a, struct span b);

/* Whether `name` is `base`, or has further RDNs behind those of `base` (RFC 5280 section 4.2.1.10). False when one of
 * them is malformed. */
MUST_CHECK bool pkix_dn_within(struct span base, struct span name);

/* For comparing one name with many: a form that is the same bytes for the same name, and of which that of a base is the
 * beginning. Owned by the caller; NULL when the name is malformed, has more than PKIX_DN_RDN_MAX attributes in an RDN,
 * or the form would be longer than PKIX_DN_FORM_MAX. */
enum { PKIX_DN_RDN_MAX = 16, PKIX_DN_FORM_MAX = 256 * 1024 };
uint8_t *pkix_dn_form(struct span name, size_t *size);

#endif
