/* pkix/warnings.h: what an administrator ought to know whatever the verdict is, a sentence each. At most a few. */
#ifndef YETT_PKIX_WARNINGS_H
#define YETT_PKIX_WARNINGS_H

#include "base/base.h"

enum { PKIX_WARNINGS_MAX = 4 /* told of one verification */ };

struct pkix_warnings {
    char *list[PKIX_WARNINGS_MAX]; /* owned */
    unsigned count;
};

/* Takes the sentence. The same thing is said once, and what has no room is not said. */
void pkix_warnings_add(struct pkix_warnings *warnings, char *sentence);

/* Take all of `from`, which has none afterwards. */
void pkix_warnings_take(struct pkix_warnings *warnings, struct pkix_warnings *from);

void pkix_warnings_clear(struct pkix_warnings *warnings);

#endif
