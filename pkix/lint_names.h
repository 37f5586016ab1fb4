/* pkix/lint_names.h: the strict profile's rules about names (pkix/lint.h). */
#ifndef YETT_PKIX_LINT_NAMES_H
#define YETT_PKIX_LINT_NAMES_H

#include "pkix/cert.h"
#include "pkix/names.h"

/* The rule that is broken, in words (static), or NULL. */

/* Any certificate: issuer, subject and alternative names are well formed, and its alternative names are not none. */
const char *pkix_lint_names(const struct pkix_cert *cert);

/* One name, wherever it stands. */
const char *pkix_lint_general_name(enum pkix_general_name type, struct span value);

/* A server's certificate: it has alternative names, and its common name is one of them. */
const char *pkix_lint_server_names(const struct pkix_cert *cert);

/* An authority's name constraints, whether or not a name of the kind is there to be judged by them. */
const char *pkix_lint_constraints(const struct pkix_cert *cert);

#endif
