/* pkix/verdict_create.h: turning the end of a search into a verdict (pkix/verdict.h). */
#ifndef YETT_PKIX_VERDICT_CREATE_H
#define YETT_PKIX_VERDICT_CREATE_H

#include "pkix/search_state.h"

struct pkix_verdict;

/* A verdict that owns all it says; nothing of the search or the request is kept. */
struct pkix_verdict *pkix_verdict_create(const struct pkix_search *search, enum pkix_error error);

/* For a leaf that could not be read: what was read of it, and why no more. */
struct pkix_verdict *pkix_verdict_create_unread(const struct pkix_cert *leaf, enum pkix_error error);

#endif
