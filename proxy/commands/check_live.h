/* proxy/commands/check_live.h: what "yett check" finds out beyond the configuration: whether modules load, and with
 * --live all of tokens and targets.
 *
 * Each part prints a line on standard output for what is good, adds a finding at the place in the configuration for
 * what is not, and says on standard error what it waits for when it takes longer than LIMIT_PROBE_TELL_MS. All of it
 * takes a bounded time: LIMIT_MODULE_LOAD_MS for a module, the service's own connect_timeout and handshake_timeout for
 * a target, LIMIT_PROBES of them at a time. */
#ifndef YETT_PROXY_COMMANDS_CHECK_LIVE_H
#define YETT_PROXY_COMMANDS_CHECK_LIVE_H

#include "config/config.h"
#include "proxy/service/service.h"

enum check_depth { CHECK_CONFIGURED, CHECK_LIVE };

/* Each module in a process of its own: that its PIN file can be read, that it loads, and with CHECK_LIVE which tokens
 * it has, and how their PINs stand. No PIN is given to any; a token that has had a wrong one is a finding where a PIN
 * is configured, since the one at hand may be that one: it is not tried again for a look. `is_served` tells whether a
 * running yett has the module: then it is left alone. Before the first thread, and before NSS. */
void check_modules(const struct config *config, enum check_depth depth,
                   bool (*is_served)(const struct config *config, const struct config_module *module),
                   struct config_findings *findings);

/* The identities on tokens that have been opened: what they are, and what they cannot do. */
void check_token_identities(const struct services *services);

enum check_targets_end {
    CHECK_TARGETS_DONE,
    CHECK_TARGETS_LOOKUP_HANGS, /* a name is still being looked up: libuv would wait for it at exit(), so use _exit() */
};

/* Each target of each service: as session_start_probe() says. */
MUST_CHECK enum check_targets_end check_targets(const struct config *config, struct services *services,
                                                struct config_findings *findings);

#endif
