/* pkix/explain.h: why a path stopped, in words an administrator can act on. */
#ifndef YETT_PKIX_EXPLAIN_H
#define YETT_PKIX_EXPLAIN_H

#include "pkix/search.h"

/* Certificates of a path that are named; of longer ones the middle is left out. */
enum { PKIX_EXPLAIN_PATH_NAMES = 8 };

/* "SENTENCE: SUBJECT (the value that decides)" of a stopped path. Owned by the caller. */
char *pkix_explain(const struct pkix_search *s, const struct pkix_tried *tried);

/* "CN=leaf <- CN=issuer [expired_issuer] <- CN=root": the path, leaf first, with the error's name behind the
 * certificate to blame. Owned by the caller. */
char *pkix_explain_path(const struct pkix_search *s, const struct pkix_tried *tried);

/* A certificate that could not be read, with what was read of it: which error, and of which extension. */
char *pkix_explain_unread(const struct pkix_cert *cert, enum pkix_error error);

/* What was fetched for want of an issuer, and what was not and why, as "; SENTENCE" each; "" when nothing was asked.
 * Owned by the caller. */
char *pkix_explain_issuers(const struct pkix_search *s);

#endif
