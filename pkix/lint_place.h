/* pkix/lint_place.h: where on its path a certificate stands, for the strict profile's rules (pkix/lint.h). */
#ifndef YETT_PKIX_LINT_PLACE_H
#define YETT_PKIX_LINT_PLACE_H

enum pkix_lint_place { PKIX_LINT_LEAF, PKIX_LINT_INTERMEDIATE, PKIX_LINT_ANCHOR };

#endif
