/* pkix/roots.h: whose roots "mozilla" and "system" are, and of when.
 *
 * A distribution's libnssckbi is as old as the distribution. So Mozilla's list comes from one of two places, and is
 * held against a third:
 *
 *   libnssckbi         what NSS came with
 *   a kept list        what `yett trust update` took from a newer certdata.txt or PEM bundle (pkix/roots_file.h); used
 *                      in place of the module's where it is there
 *   mozilla_roots.list what this version of yett knows to have changed (facts, no certificates): removes and restricts.
 *                      Applied to a younger kept list, too: Mozilla takes no removal back, and a bundle of unknown
 * making that says it is of today shall not bring back what was removed for cause
 *
 * What was added to Mozilla's list since the module was built is in none of these but the kept list, and in Debian's
 * ca-certificates ("system"), which is updated within a release. */
#ifndef YETT_PKIX_ROOTS_H
#define YETT_PKIX_ROOTS_H

#include "pkix/distrust.h"

/* Debian's bundle, which update-ca-certificates(8) puts together. */
extern const char pkix_roots_system_path[];

/* Where a kept list is, unless the setting roots says otherwise. */
extern const char pkix_roots_kept_path[];

/* An older list is warned about: Mozilla's changes every two months or so. */
enum { PKIX_ROOTS_AGE_DAYS_MAX = 90, PKIX_ROOTS_SECONDS_PER_DAY = 86400 };

/* Mozilla's list (server purpose), with its server-distrust-after dates and imposed name constraints: from `kept`, a
 * path, where such a file is there, or else from libnssckbi. `kept` may be NULL. */
MUST_CHECK bool pkix_store_add_mozilla(struct pkix_store *store, const char *kept, char **error);

/* The roots of the system, for servers and clients, each held against mozilla_roots.list. One that cannot be used is
 * left out and told (`told` may be NULL); that none is left is an error. */
MUST_CHECK bool pkix_store_add_system(struct pkix_store *store, pkix_store_left_out *told, void *ctx, char **error);

/* When the list compiled in was right, seconds since 1970. */
int64_t pkix_roots_known_date(void);

/* What libnssckbi has as roots for servers, held against nothing. */
MUST_CHECK bool pkix_store_add_module_roots(struct pkix_store *store, char **error);

/* Hold listed anchors against the list compiled in. How many were removed and restricted; either may be NULL. */
void pkix_roots_apply_known(struct pkix_store *store, size_t *removed, size_t *restricted);

/* Walk the rules of the list compiled in. */
typedef void pkix_roots_visit(void *ctx, const struct pkix_distrust_rule *rule);
void pkix_roots_each_known(pkix_roots_visit *visit, void *ctx);

/* What is trusted under the name "mozilla", without opening it: for status and warnings. */
struct pkix_roots_state {
    bool kept;    /* from the kept list; else NSS's, held against the list compiled in */
    int64_t date; /* the day the list is of, seconds since 1970 */
};

/* False with *error when there is a kept list that cannot be read. */
MUST_CHECK bool pkix_roots_state_read(const char *kept, struct pkix_roots_state *state, char **error);

#endif
