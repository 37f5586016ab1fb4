/* proxy/session/session_advice.h: who has to do something about a connection that failed, and what, where more is known
 * than its end.
 *
 * For the line in the log and for "yett check --live", which say the same of the same fault. */
#ifndef YETT_PROXY_SESSION_SESSION_ADVICE_H
#define YETT_PROXY_SESSION_SESSION_ADVICE_H

#include "proxy/session/session_ends.h"

struct session_cause {
    enum session_ended ended;
    const char *error;        /* the name of the error, as in the log; "": none */
    enum session_fault fault; /* of whoever is known to have broken the rules; NOBODY: as the end says */
    bool is_proxy;            /* the client names the target: no setting of ours does */
    unsigned http_status;     /* is_proxy: of our answer; 0: none */
    bool key_is_of_file;      /* of ours that could not sign: the agent of file keys has it, and no token */
};

struct session_remedy {
    enum session_fault fault;
    const char *advice; /* static */
};

/* What the end says (session_end_of()), unless the cause says more: no advice contradicts the reason. */
struct session_remedy session_remedy(const struct session_cause *cause);

/* Where something proper was more than a setting lets pass, which the reason names. */
extern const char session_advice_limit[];

/* Where plain text came together with a STARTTLS, which is how text is slipped into a conversation (CVE-2011-0411 and
 * its many successors). */
extern const char session_advice_injected[];

#endif
