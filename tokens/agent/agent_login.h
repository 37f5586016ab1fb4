/* tokens/agent/agent_login.h: tokens' PINs, each tried once. Module entered, but for the main thread's. */
#ifndef YETT_TOKENS_AGENT_AGENT_LOGIN_H
#define YETT_TOKENS_AGENT_AGENT_LOGIN_H

#include "tokens/agent/agent_token.h"

MUST_CHECK enum outcome agent_login_ensure(struct token *token, CK_SESSION_HANDLE session, struct failure *failure);
MUST_CHECK enum outcome agent_login_context(struct token *token, CK_SESSION_HANDLE session, struct failure *failure);
/* Whether an administrator has logged out: then nothing is signed on a token that needs a login. */
MUST_CHECK enum outcome agent_login_allowed(struct token *token, struct failure *failure);
/* Log out and wipe the PIN, unless an administrator has logged in since. */
void agent_login_end(struct token *token, CK_SESSION_HANDLE session);
/* Main thread. `name`: whose, as in struct tokens_agent_message, like `knowing`; "": of who was asked about, or is in
 * need. */
void agent_login_take_pin(struct agent *agent, const char *name, const char *pin, bool knowing);
/* A PIN that came is not tried now, since the token is not there, say: it is kept for later, and that is told. */
void agent_login_keep(struct token *token, const char *why);
void agent_login_late(struct token *token, const char *why);         /* only told; agent->mutex held */
void agent_login_logout(struct agent *agent);                        /* main thread */
void agent_login_refused(struct agent *agent, const char *why);      /* main thread */
void agent_login_offer(struct token *token, struct tokens_pin *pin); /* takes; from a pin-source; agent->mutex held */

#endif
