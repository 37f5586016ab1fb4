/* pkix/explain_value.h: the value that decided: what is there, what is needed, and where. */
#ifndef YETT_PKIX_EXPLAIN_VALUE_H
#define YETT_PKIX_EXPLAIN_VALUE_H

#include "pkix/search.h"

/* " (VALUE)" of a stopped path, or NULL where the error and the certificate's name say it all. Owned by the caller. */
char *pkix_explain_value(const struct pkix_search *search, const struct pkix_tried *tried);

#endif
