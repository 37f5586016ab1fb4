/* pkix/lint_form.h: the strict profile's rules about how fields and extensions are written (pkix/lint.h).
 *
 * RFC 5280 and X.690 (DER) leave one spelling where the default profile takes several: defaults that are written out,
 * two spellings of one algorithm, dates, bit strings, lists that must not be empty, extensions that are there twice. */
#ifndef YETT_PKIX_LINT_FORM_H
#define YETT_PKIX_LINT_FORM_H

#include "pkix/cert.h"
#include "pkix/lint_place.h"

/* As many extensions are looked at for doubles; a certificate with more breaks a rule for that. Real ones have a dozen.
 */
enum { PKIX_LINT_EXTENSIONS_MAX = 64 };

/* Deeper nesting is no certificate's: theirs ends at a dozen. */
enum { PKIX_LINT_DEPTH_MAX = 32 };

/* The rule that is broken, in words (static), or NULL. */
const char *pkix_lint_form(const struct pkix_cert *cert, enum pkix_lint_place place);

#endif
