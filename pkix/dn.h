/* pkix/dn.h: distinguished names as text. */
#ifndef YETT_PKIX_DN_H
#define YETT_PKIX_DN_H

#include "pkix/der.h"

/* A Name (whole element) as RFC 4514 text, most specific first; control bytes and bytes that are not UTF-8 are
 * escaped as \HH. Always gives something printable, for a malformed name too. Clipped at PKIX_DN_TEXT_MAX. Owned by
 * the caller. */
enum { PKIX_DN_TEXT_MAX = 1024 };
char *pkix_dn_text(struct span name);

/* The value of an attribute (its string tag and contents) as UTF-8, or NULL when the type is not a string we know, or
 * the contents are not valid in it, or hold a control character. Owned by the caller. */
char *pkix_dn_value_utf8(unsigned tag, struct span contents);

/* Calls visit for every attribute, in the order encoded, until it returns false. False when the name is malformed. */
bool pkix_dn_visit(struct span name, bool (*visit)(void *ctx, struct span oid, unsigned tag, struct span value),
                   void *ctx);

#endif
