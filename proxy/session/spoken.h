/* proxy/session/spoken.h: what a peer speaks that does not speak what is expected of it, told by the first bytes it
 * sent.
 *
 * For one sentence in the log, so that a port, a protocol or a setting that is wrong is found at once: nothing is
 * decided by it, and what a peer pretends to speak does it no good. */
#ifndef YETT_PROXY_SESSION_SPOKEN_H
#define YETT_PROXY_SESSION_SPOKEN_H

#include "base/span.h"

/* As many bytes of the beginning as tell all that is known here apart. */
enum { SPOKEN_BYTES = 16 };

enum spoken_side { SPOKEN_BY_CLIENT, SPOKEN_BY_TARGET };

/* Where TLS was expected: a sentence with what the peer speaks and what would be right. Static. NULL: it is TLS, as far
 * as it can be told, or nothing has come. */
const char *spoken_instead_of_tls(struct span first, enum spoken_side side);

/* Of such a sentence, what would be right: it goes to its end, and so is as static as it is. */
const char *spoken_advice(const char *sentence);

/* Where a plain-text protocol was expected: whether this is TLS. */
bool spoken_is_tls(struct span first);

#endif
