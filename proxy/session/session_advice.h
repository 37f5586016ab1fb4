/* proxy/session/session_advice.h: what to do about a connection whose TLS failed, where the error says more than its
 * end does.
 *
 * For the line in the log and for "yett check --live", which say the same of the same fault. */
#ifndef YETT_PROXY_SESSION_SESSION_ADVICE_H
#define YETT_PROXY_SESSION_SESSION_ADVICE_H

#include "proxy/session/session_ends.h"

/* `error`: the name of the error, as in the log. NULL: no more than what session_end_of() has is known, also for every
 * end but tls_failed and target_tls_failed. Static. */
const char *session_advice(enum session_ended ended, const char *error);

#endif
