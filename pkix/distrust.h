/* pkix/distrust.h: roots that are trusted no longer, or only for what they signed before a date.
 *
 * A rule is a line of text:
 *
 *     # SHA-256 of the root       what of it
 *     db3517d1f6732a2d5ab97c53...  2024-11-30            trusted for leaves issued until the end of that day (UTC)
 *     db3517d1f6732a2d5ab97c53...  2024-11-30T23:59:59Z  the same, to the second
 *     db3517d1f6732a2d5ab97c53...  removed               no anchor; a path through it to another one is as good as any
 *     db3517d1f6732a2d5ab97c53...  never                 on no path
 *
 * An administrator has them in a file of his own (setting distrust); what Mozilla changed since distributions took its
 * list is in mozilla_roots.list (pkix/roots.h). Of two dates the earlier one counts, a module's own included. */
#ifndef YETT_PKIX_DISTRUST_H
#define YETT_PKIX_DISTRUST_H

#include "pkix/store.h"

enum { PKIX_DISTRUST_SHA256_SIZE = 32 };

enum pkix_distrust_verb {
    PKIX_DISTRUST_NOTHING, /* the line was blank, or a comment */
    PKIX_DISTRUST_UNTIL,
    PKIX_DISTRUST_REMOVED,
    PKIX_DISTRUST_NEVER,
    PKIX_DISTRUST_ADDED, /* in mozilla_roots.list alone */
};

struct pkix_distrust_rule {
    enum pkix_distrust_verb verb;
    uint8_t sha256[PKIX_DISTRUST_SHA256_SIZE];
    int64_t until;    /* PKIX_DISTRUST_UNTIL: the last second of a leaf's notBefore */
    struct span note; /* the comment behind it, lent from the line */
};

/* One line, without its end. NULL, or what is wrong with it, as a static sentence. */
const char *pkix_distrust_rule_read(struct span line, struct pkix_distrust_rule *rule);

/* "YYYY-MM-DD", for which the last second of the day is given, or "YYYY-MM-DDTHH:MM:SSZ". */
MUST_CHECK bool pkix_distrust_time_read(struct span text, int64_t *seconds);

/* Which anchors a rule is held against. */
enum pkix_distrust_scope {
    PKIX_DISTRUST_LISTED, /* those of lists that others keep (mozilla, system). What an administrator trusts by name
                           * stays trusted until he says otherwise */
    PKIX_DISTRUST_ALL,
};

/* Hold the anchors added so far against a rule. True when one of them was removed or restricted by it. */
bool pkix_store_distrust(struct pkix_store *store, enum pkix_distrust_scope scope,
                         const struct pkix_distrust_rule *rule);

/* Apply a file's rules to all anchors added so far; call after the other pkix_store_add_ functions. False with a
 * sentence naming file and line in *error (the caller's). Lines about roots that are not there are no mistake. */
MUST_CHECK bool pkix_store_add_distrust_path(struct pkix_store *store, const char *path, char **error);

#endif
