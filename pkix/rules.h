/* pkix/rules.h: a text file of an administrator's with a rule on each line.
 *
 * Lines are base/text.h's. '#' begins a comment, blanks around a rule do not matter, and blank lines are nothing. What
 * a rule is, the *kind* of file knows. Not for bytes of peers. */
#ifndef YETT_PKIX_RULES_H
#define YETT_PKIX_RULES_H

#include "base/span.h"

enum { PKIX_RULES_PROBLEMS_MAX = 20 }; /* told of one file; then once that there are more */

/* Told of each line that is no rule, line 0 for the file as a whole. The sentence is lent. */
typedef void pkix_rules_problem(void *ctx, unsigned line, const char *sentence);

struct pkix_rules_kind {
    const char *(*take)(void *target, char *rule); /* NULL, or what is wrong, static; may write on the rule */
    size_t max;                                    /* rules in one file */
    const char *one_too_many;                      /* said of the first above it; the rest is not read */
};

/* Hand each rule of the file to take(). False when there was a problem; the good lines are taken all the same. *count:
 * the rules that were there, good or not. */
MUST_CHECK bool pkix_rules_read(const char *path, const struct pkix_rules_kind *kind, void *target, size_t *count,
                                pkix_rules_problem *problem, void *ctx);

/* Blanks around it taken off, in place. */
char *pkix_rules_trim(char *text);

#endif
