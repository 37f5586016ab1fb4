/* pkix/oid_text.h: object identifiers in dotted decimal ("2.23.140.1.1"), as people write them. */
#ifndef YETT_PKIX_OID_TEXT_H
#define YETT_PKIX_OID_TEXT_H

#include "base/span.h"

/* Bytes of contents. What certificate services make of their own runs to some 35. */
enum { PKIX_OID_SIZE_MAX = 64 };

/* Dotted decimal to DER contents; false when it is none, has an arc above 2^32 - 1, or is too long. */
MUST_CHECK bool pkix_oid_parse(const char *text, uint8_t out[PKIX_OID_SIZE_MAX], size_t *size);

/* Whether these are the contents of an object identifier (X.690 section 8.19): whole arcs, none padded. */
bool pkix_oid_is_well_formed(struct span contents);

/* DER contents to dotted decimal, owned by the caller. Bounded: what is not well formed, is longer than
 * PKIX_OID_SIZE_MAX or has an arc above 2^64 - 1 gives "(unusual identifier of N bytes)". */
char *pkix_oid_text(struct span contents);

#endif
