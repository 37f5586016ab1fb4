/* proxy/supervisor/pin_policy.h: when a PIN may be given to an agent.
 *
 * The rules of tokens/agent/agent.h, for each token of a module by its name, which is its label and its serial number
 * (struct tokens_agent_message): two tokens with one label are two accounts.
 *   - a PIN is given to an agent at most once for a token;
 *   - one that was refused (incorrect, locked, final try) is not given again until an administrator gives one;
 *   - so is one whose try ended in a dead agent without ever having been right: whether a try was spent nobody knows;
 *   - one whose try the token failed, for reasons of its own, is neither right nor wrong: the agent has it and goes on;
 *   - one that was right is given once to each restarted agent, unless two agents in a row died while trying it.
 * Never sees a PIN. Pure; threads: one at a time. */
#ifndef YETT_PROXY_SUPERVISOR_PIN_POLICY_H
#define YETT_PROXY_SUPERVISOR_PIN_POLICY_H

#include "base/base.h"

enum {
    PIN_POLICY_TOKENS_MAX = 64,
    PIN_POLICY_LABEL_SIZE = 160,  /* with its NUL: TOKENS_AGENT_TOKEN_SIZE */
    PIN_POLICY_TRY_DEATHS_MAX = 2 /* of agents in a row while they tried a PIN that had been right */
};

enum pin_standing {
    PIN_STANDING_UNTRIED,
    PIN_STANDING_RIGHT,
    PIN_STANDING_UNKNOWN, /* an agent died while trying it */
    PIN_STANDING_HELD,    /* not tried: the token had a wrong one before */
    PIN_STANDING_INCORRECT,
    PIN_STANDING_LOCKED
};

struct pin_policy_token {
    char label[PIN_POLICY_LABEL_SIZE];
    enum pin_standing standing;
    bool ever_right;
    bool given; /* to the agent that lives now */
    bool trying;
    bool turned_away; /* the agent that lives now asked for it in vain */
    bool renewed;     /* by the last pin_policy_renew() */
    bool gone;        /* the token is not there now */
    unsigned deaths;  /* of agents in a row while trying */
};

struct pin_policy {
    struct pin_policy_token tokens[PIN_POLICY_TOKENS_MAX];
    size_t count;
};

/* May the PIN be given for this token? If not, *why is a sentence (a constant). If so, it counts as given. */
MUST_CHECK bool pin_policy_give(struct pin_policy *p, const char *label, const char **why);

/* No PIN is there to be given for this token. */
void pin_policy_missing(struct pin_policy *p, const char *label);

/* What the agent says. */
void pin_policy_trying(struct pin_policy *p, const char *label);
void pin_policy_right(struct pin_policy *p, const char *label);
void pin_policy_unused(struct pin_policy *p, const char *label); /* the try failed, and not for the PIN */
void pin_policy_refused(struct pin_policy *p, const char *label, enum pin_standing standing);
void pin_policy_token_gone(struct pin_policy *p, const char *label, bool gone);
void pin_policy_agent_died(struct pin_policy *p);

/* Another PIN has been read from where the configuration says: it may be tried once for each token that had the last
 * one, or asked in vain. Those are `renewed`, and it counts as given to them; says how many they are. A token that has
 * never asked is somebody else's, perhaps, and gets nothing. */
unsigned pin_policy_renew(struct pin_policy *p);
/* The agent has a PIN for this token that came unasked: it is as if it had never been tried. */
void pin_policy_taken(struct pin_policy *p, const char *label);

/* An administrator took the PIN back: the next one is as if the agent had been turned down for every token it had the
 * last one for, or was logged in to by itself (a key pad). */
void pin_policy_logout(struct pin_policy *p);

/* Whether a PIN of this module was refused, or lost with an agent: then those that the agent finds by itself
 * (pin-source in a URI) are not tried either. */
bool pin_policy_is_spent(const struct pin_policy *p);
/* Whether it has been right for this token, and nothing has been said against it since. */
bool pin_policy_was_right(const struct pin_policy *p, const char *label);
/* Whether the agent that lives now has one for this token from us. */
bool pin_policy_was_given(const struct pin_policy *p, const char *label);

/* The worst standing of all tokens: what an administrator has to know. */
enum pin_standing pin_policy_worst(const struct pin_policy *p);
const char *pin_standing_name(enum pin_standing standing);

#endif
