/* proxy/session/target_steps.h: what comes between a connection and a target that serves, as a list.
 *
 * Computed once, when all is known that it depends on: what is configured, and what the client was told. What a step
 * does is in session_target_steps.c. Pure functions: any thread. */
#ifndef YETT_PROXY_SESSION_TARGET_STEPS_H
#define YETT_PROXY_SESSION_TARGET_STEPS_H

#include "config/config.h"

enum target_step {
    TARGET_STEP_VIA,       /* CONNECT through the upstream proxy */
    TARGET_STEP_HEADER,    /* the PROXY header, if there is to be one */
    TARGET_STEP_NEGOTIATE, /* STARTTLS */
    TARGET_STEP_DRAIN,     /* all that was said in clear goes out first: TLS begins behind it */
    TARGET_STEP_TLS,
    TARGET_STEP_GREETING, /* the target's own greeting is eaten, the client having one; or it is kept for it */
    TARGET_STEP_SERVE,    /* the target is ready. Always the last */
    TARGET_STEP_COUNT
};

struct target_steps {
    enum target_step items[TARGET_STEP_COUNT];
    size_t count;
};

struct target_steps_options {
    bool via;
    enum config_tls_mode tls; /* connect_tls; what is asked of the target decides where that is IMPLICIT all the same */
    bool greeted;             /* the client has a greeting from us */
    bool greets_in_tls;       /* the target greets again behind STARTTLS, and the client shall hear that */
};

struct target_steps target_steps_make(const struct target_steps_options *options);

#endif
