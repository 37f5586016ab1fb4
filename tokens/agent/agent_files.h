/* tokens/agent/agent_files.h: the keys of files, for an agent that has those in the place of a vendor's tokens.
 *
 * Its module is one that computes (NSS's own token, or the accelerator), and the keys are session objects in its first
 * slot that signs, which live as long as the one session that they were made in. The main thread makes and destroys
 * them: the module is ours and waits for nothing. There is nothing to log in to, no slot is watched, and nothing is
 * searched: a URI is one that the supervisor has told, or there is no such key. */
#ifndef YETT_TOKENS_AGENT_AGENT_FILES_H
#define YETT_TOKENS_AGENT_AGENT_FILES_H

#include "tokens/agent/agent_find.h"

/* After the module was loaded: the slot, and the session. False with a sentence: the module has none that will do. */
MUST_CHECK bool agent_files_start(struct agent *agent, char **error);

/* The supervisor's file (tokens/file_keys.h): keys that are new are made, and those that are not in it any more are
 * destroyed, which wipes them. What cannot be read changes nothing. Main thread. */
void agent_files_take(struct agent *agent, int file);

/* What agent_identity_find() is for tokens; also why a key cannot be used that was told. */
MUST_CHECK enum outcome agent_files_find(struct agent *agent, const struct job *job, struct identity **identity,
                                         struct failure *failure);

#endif
