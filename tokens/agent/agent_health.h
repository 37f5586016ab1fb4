/* tokens/agent/agent_health.h: whether a token is well, judged by what comes of it, and what is to be done.
 *
 * A card stack that has lost its daemon goes on listing slots and tokens, and answers everything else with some error;
 * so whether a slot has something in it proves nothing. What counts are results: signatures, look-ups and logins that
 * the token failed at (tokens/ckr.h: not those that a PIN or the request was to blame for).
 *
 * A token *fails* after AGENT_HEALTH_FAILURES of them in a row, or when AGENT_HEALTH_MS have passed since the first
 * without a success; after a login at once. An *outage* lasts from there to the next success. What is tried in it, in
 * this order, each only when it still fails after the one before:
 *
 *   LOOK      at all slots: the token may have moved
 *   RESTART   C_Finalize and C_Initialize, soon again while not even a login is reached
 *   PROCESS   another agent. Once: one that has never had a success from the token does not give way to another one;
 *             and not while other tokens of the module are well
 *
 * A login costs one of the PIN's tries if the token should see it so. Hence an outage has one before its first RESTART
 * and one after it, or in the next process, and no more until it has lasted long: then one each AGENT_HEALTH_LONG_MS,
 * doubled up to AGENT_HEALTH_LONG_MS_MAX. Pure; moments are those of base_now_ms(). */
#ifndef YETT_TOKENS_AGENT_AGENT_HEALTH_H
#define YETT_TOKENS_AGENT_AGENT_HEALTH_H

#include "base/base.h"

enum {
    AGENT_HEALTH_FAILURES = 3,
    AGENT_HEALTH_MS = 2000,
    AGENT_HEALTH_RESTART_MS = 400, /* between LOOK and RESTART; doubled with each RESTART */
    AGENT_HEALTH_RESTART_MS_MAX = 4000,
    AGENT_HEALTH_RESTARTS = 6, /* without reaching a login: then PROCESS */
    AGENT_HEALTH_LONG_MS = 15000,
    AGENT_HEALTH_LONG_MS_MAX = 240000
};

/* What came to something, or to nothing; one that succeeds says nothing about those after it in this list. */
enum agent_operation { AGENT_LOGIN, AGENT_FIND, AGENT_SIGN };

enum agent_repair { AGENT_REPAIR_NONE, AGENT_REPAIR_LOOK, AGENT_REPAIR_RESTART, AGENT_REPAIR_PROCESS };

struct agent_health {
    unsigned failures;            /* in a row */
    uint64_t since_ms;            /* of the first of them */
    enum agent_operation highest; /* that failed since the last success */
    enum agent_repair last;       /* what was tried in this outage */
    bool failed_since;            /* and did not help */
    unsigned restarts;            /* in this outage */
    bool login_spent;             /* the one of this part of the outage */
    bool login_failed;            /* the last one, and the PIN was not to blame */
    unsigned waits;               /* long ones */
    uint64_t tried_ms;            /* when `last` was, or the last login */
    bool ever_good;               /* in this process */
};

void agent_health_good(struct agent_health *h, enum agent_operation operation);
void agent_health_bad(struct agent_health *h, enum agent_operation operation, uint64_t now_ms);
void agent_health_reset(struct agent_health *h); /* the token was away: what was known is no longer so */
bool agent_health_fails(const struct agent_health *h, uint64_t now_ms);

/* Whether the PIN may be tried now. If so it is about to be. */
MUST_CHECK bool agent_health_may_login(struct agent_health *h, uint64_t now_ms);
/* How long until it may; 0: now. */
uint64_t agent_health_login_wait_ms(const struct agent_health *h, uint64_t now_ms);

/* What is to be tried now. others_are_well: tokens of the same module, which a RESTART would disturb. */
enum agent_repair agent_health_due(const struct agent_health *h, bool others_are_well, uint64_t now_ms);
void agent_health_tried(struct agent_health *h, enum agent_repair repair, uint64_t now_ms);

#endif
