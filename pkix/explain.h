/* pkix/explain.h: why a path stopped, in words an administrator can act on. */
#ifndef YETT_PKIX_EXPLAIN_H
#define YETT_PKIX_EXPLAIN_H

#include "pkix/crl.h"
#include "pkix/search.h"

enum {
    PKIX_EXPLAIN_NAME_MAX = 80,  /* bytes of a subject in a sentence; a longer one is cut */
    PKIX_EXPLAIN_PATH_NAMES = 8, /* certificates of a path that are named; of longer ones the middle is left out */
};

/* A name as text, cut between characters when it is long: peers choose their names, and other things must be said, too.
 * Owned by the caller. */
char *pkix_explain_name(struct span name);

/* The same of a certificate; where another one of that name was tried, with what tells the two apart. */
char *pkix_explain_cert(const struct pkix_search *s, const struct pkix_cert *cert);

/* " number 0x07", or nothing where there is none or it is longer than it may be. Owned by the caller. */
char *pkix_explain_crl_number(struct span number);

/* A CRL that is about a certificate and cannot be used: whose, which, and why. Owned by the caller. */
char *pkix_explain_unused_crl(const struct pkix_crl_info *list, enum pkix_error error, const struct pkix_cert *cert,
                              enum pkix_profile profile);

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
