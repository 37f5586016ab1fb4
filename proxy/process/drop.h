/* proxy/process/drop.h: the user that workers become, [yett] user.
 *
 * A worker that was started as root opens keys, sockets and databases as root and then, before its first connection,
 * is somebody else for good: real, effective and saved ids, supplementary groups, and with them every capability.
 * The supervisor and the agents stay who they are: they start what replaces the dead, bind what a reload adds, and
 * reach devices, but no byte from the network, save the authorities' certificates that workers have verified
 * (proxy/supervisor/intermediates.h).
 * Threads: any for drop_find(); drop_for_good() changes the ids of all threads of the process. */
#ifndef YETT_PROXY_PROCESS_DROP_H
#define YETT_PROXY_PROCESS_DROP_H

#include "config/config.h"
#include <sys/types.h>

struct drop {
    bool wanted; /* false: nobody is to be become */
    uid_t uid;
    gid_t gid;
    const char *name; /* lives with the config */
};

/* Look the configured user up. False, with a finding at its line, when there is none of that name, and when it is root.
 */
MUST_CHECK bool drop_find(const struct config *config, struct drop *drop, struct config_findings *findings);

/* Whether this process, and what it starts, may become that user. False with a finding. */
MUST_CHECK bool drop_is_possible(const struct config *config, const struct drop *drop,
                                 struct config_findings *findings);

/* False with a sentence in *error (owned by the caller): then the process must not go on. */
MUST_CHECK bool drop_for_good(const struct drop *drop, char **error);

/* The owner that a socket needs for workers to reach it. */
uid_t drop_owner(const struct drop *drop);

#endif
