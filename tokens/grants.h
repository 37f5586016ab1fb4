/* tokens/grants.h: which worker may ask an agent for what.
 *
 * The agents' sockets are open to all workers, since they have one user, and URIs are no secret: a worker that an
 * attacker has taken over could otherwise have signatures made with every key there is, also those of configurations
 * that are not in force any more, or not yet. So the supervisor tells each agent which processes are workers, of which
 * generation each is, and what that generation's configuration names; the agent knows who asks from the kernel
 * (base/kin.h), and a process that descends from the supervisor and is not such a worker gets nothing.
 *
 * What it tells is always all of it, as a text, one fact a line (generations are numbers that only compare):
 *
 *   worker PID GENERATION
 *   sign GENERATION URI     its keys: FIND and SIGN
 *   list GENERATION URI     its certificates: LIST
 *
 * Pure. A struct never changes once it is made. */
#ifndef YETT_TOKENS_GRANTS_H
#define YETT_TOKENS_GRANTS_H

#include "base/buffer.h"
#include "tokens/wire.h"
#include <sys/types.h>

enum { TOKENS_GRANTS_BYTES_MAX = 16 * 1024 * 1024 };

/* Append a line. false: no room. */
enum tokens_grant_kind { TOKENS_GRANT_SIGN, TOKENS_GRANT_LIST };
MUST_CHECK bool tokens_grants_write_worker(struct buffer *out, pid_t pid, uint32_t generation);
MUST_CHECK bool tokens_grants_write_uri(struct buffer *out, enum tokens_grant_kind kind, uint32_t generation,
                                        const char *uri);

struct tokens_grants;

/* NULL: a line is none of these. Copies. */
struct tokens_grants *tokens_grants_parse(struct span text);
void tokens_grants_destroy(struct tokens_grants **grants); /* NULL-safe */

/* Whether `pid` may make this request. `grants` NULL: nothing was told yet, so no. */
bool tokens_grants_allow(const struct tokens_grants *grants, pid_t pid, enum tokens_wire_type type, struct span uri);

#endif
