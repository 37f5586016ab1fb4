/* proxy/control/control_roles.h: who may ask for what over the control socket.
 *
 * Root and our own user may do everything. Others have a role when [control] names them or a group they are in; who
 * they are is what the kernel says of the process that connected (SO_PEERCRED, SO_PEERGROUPS), not what anybody claims.
 * A process that we have started, or that one of those has started, has none, whatever its user: a worker that an
 * attacker has taken over is otherwise an administrator where all run as one user. Threads: one. */
#ifndef YETT_PROXY_CONTROL_CONTROL_ROLES_H
#define YETT_PROXY_CONTROL_CONTROL_ROLES_H

#include "base/kin.h"
#include "config/config.h"

/* Each includes those before it. */
enum control_role {
    CONTROL_ROLE_NONE,
    CONTROL_ROLE_LOOK,
    CONTROL_ROLE_OPERATE,
    CONTROL_ROLE_ADMINISTER,
    CONTROL_ROLE_COUNT
};

struct control_roles;

/* Looks up all names. NULL with a finding for each that does not exist. */
struct control_roles *control_roles_create(const struct config *config, struct config_findings *findings);
void control_roles_destroy(struct control_roles **roles); /* NULL-safe */

/* What the socket's file must let in: nobody else, one group, or everybody (who is then asked here). */
enum control_reach { CONTROL_REACH_OWNER, CONTROL_REACH_GROUP, CONTROL_REACH_ALL };
enum control_reach control_roles_reach(const struct control_roles *roles, gid_t *group);

struct control_peer {
    struct kin_peer process;
    enum kin kin; /* to this process */
    enum control_role role;
};

/* Who is at the other end of a connected socket; role NONE when that cannot be said. `roles` NULL: nobody is named. */
struct control_peer control_peer_of(const struct control_roles *roles, int socket);

/* The role of a user with these groups who is no kin of ours. */
enum control_role control_roles_of(const struct control_roles *roles, uid_t uid, const gid_t *groups,
                                   size_t group_count);

const char *control_role_name(enum control_role role); /* "operate", as in [control] */

#endif
