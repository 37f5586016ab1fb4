/* pkix/blocklist.h: certificates that an administrator distrusts, in a file.
 *
 * What Mozilla's OneCRL is for Firefox (CA/Browser incidents are met by blocking an authority long before its CRL is
 * read by anybody): a certificate named here is on no path, as leaf, intermediate or anchor, and no other error hides
 * that. One rule a line; '#' begins a comment, blank lines are nothing:
 *
 *     issuer-serial:BASE64:HEX    issuer name (DER, base64) and serial number
 *     subject-spki:BASE64:HEX     subject name (DER, base64) and the SHA-256 of the SubjectPublicKeyInfo
 *     sha256:HEX                  the SHA-256 of the certificate
 *
 * A serial number is taken as openssl(1) prints it: leading zeros do not matter, and neither does the zero byte that
 * keeps an INTEGER positive (RFC 5280 section 4.1.2.2 asks for positive ones; what is not is blocked alike). */
#ifndef YETT_PKIX_BLOCKLIST_H
#define YETT_PKIX_BLOCKLIST_H

#include "pkix/rules.h"
#include "pkix/store.h"

enum { PKIX_BLOCKLIST_RULES_MAX = 100000 };

/* Add a file's rules to the store. False when there was a problem; the rules of the good lines are added. */
MUST_CHECK bool pkix_store_add_blocklist_path(struct pkix_store *store, const char *path, pkix_rules_problem *problem,
                                              void *ctx);

#endif
