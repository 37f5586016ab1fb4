/* pkix/distrust.h: roots that are no longer trusted for new certificates, where the installed list does not know yet.
 *
 * A distribution's libnssckbi is as old as the distribution. Mozilla's later decisions are dated here, and an
 * administrator can add more from a file:
 *
 *     # SHA-256 of the root       trusted for leaves issued until (UTC), or "never"
 *     db3517d1f6732a2d5ab97c53...  2024-11-30
 *
 * A date in the list of the module that is earlier stays. */
#ifndef YETT_PKIX_DISTRUST_H
#define YETT_PKIX_DISTRUST_H

#include "pkix/store.h"

/* Apply the dates known to this version to the anchors there are. Called by pkix_store_add_mozilla(). */
void pkix_distrust_known(struct pkix_store *store);

/* Apply a file's dates to the anchors added so far; call after the other pkix_store_add_ functions. False with a
 * sentence naming file and line in *error (the caller's). Lines about roots that are not there are no mistake. */
MUST_CHECK bool pkix_store_add_distrust_path(struct pkix_store *store, const char *path, char **error);

#endif
