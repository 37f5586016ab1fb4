/* see proxy/control/control_roles.h */
#include "proxy/control/control_roles.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ENTRY_BYTES_MAX = 1024 * 1024 /* a group may have many members */ };

/* As many groups as Linux lets a process have (NGROUPS_MAX), and its first one. */
enum { GROUPS_MAX = 65536 + 1 };

struct holder {
    enum control_role role;
    bool is_group;
    id_t id;
};

struct control_roles {
    struct holder *holders;
    size_t count;
};

static const char *const names[] = {"none", "look", "operate", "administer"};
static_assert(ARRAY_LEN(names) == CONTROL_ROLE_COUNT, "one name for each role");

/* 0, ENOENT when there is no such user or group, or why it cannot be said. */
static int look_up(const struct config_principal *principal, id_t *id)
{
    char *bytes = base_alloc(ENTRY_BYTES_MAX);
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    int error;

    if (principal->is_group)
        error = getgrnam_r(principal->name, &group, bytes, ENTRY_BYTES_MAX, &found_group);
    else
        error = getpwnam_r(principal->name, &user, bytes, ENTRY_BYTES_MAX, &found_user);
    if (found_group != NULL)
        *id = found_group->gr_gid;
    if (found_user != NULL)
        *id = found_user->pw_uid;
    free(bytes);
    return found_user != NULL || found_group != NULL ? 0 : error != 0 ? error : ENOENT;
}

static bool add(struct control_roles *roles, enum control_role role, const struct config_principal *principal,
                struct config_findings *findings)
{
    const char *kind = principal->is_group ? "group" : "user";
    struct holder holder = {.role = role, .is_group = principal->is_group};
    int error = look_up(principal, &holder.id);

    if (error == ENOENT)
        config_finding_add(findings, principal->place, "%s: there is no %s %s", names[role], kind, principal->name);
    else if (error != 0)
        config_finding_add(findings, principal->place, "%s: the %s %s cannot be looked up: %s", names[role], kind,
                           principal->name, strerror(error));
    if (error != 0)
        return false;
    roles->holders[roles->count++] = holder;
    return true;
}

struct control_roles *control_roles_create(const struct config *config, struct config_findings *findings)
{
    const struct {
        enum control_role role;
        const struct config_principal *items;
        size_t count;
    } lists[] = {
        {CONTROL_ROLE_LOOK, config->look, config->look_count},
        {CONTROL_ROLE_OPERATE, config->operate, config->operate_count},
        {CONTROL_ROLE_ADMINISTER, config->administer, config->administer_count},
    };
    struct control_roles *roles = base_alloc(sizeof(*roles));
    bool good = true;

    roles->holders = base_alloc((config->look_count + config->operate_count + config->administer_count + 1) *
                                sizeof(*roles->holders));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t n = 0; n < lists[i].count; n++)
            good = add(roles, lists[i].role, &lists[i].items[n], findings) && good;
    if (!good)
        control_roles_destroy(&roles);
    return roles;
}

void control_roles_destroy(struct control_roles **roles)
{
    if (*roles == NULL)
        return;
    free((*roles)->holders);
    free(*roles);
    *roles = NULL;
}

enum control_reach control_roles_reach(const struct control_roles *roles, gid_t *group)
{
    enum control_reach reach = CONTROL_REACH_OWNER;

    for (size_t i = 0; roles != NULL && i < roles->count; i++) {
        const struct holder *h = &roles->holders[i];

        if (!h->is_group && (h->id == 0 || h->id == geteuid()))
            continue; /* may already */
        if (!h->is_group || (reach == CONTROL_REACH_GROUP && *group != h->id))
            return CONTROL_REACH_ALL;
        reach = CONTROL_REACH_GROUP;
        *group = h->id;
    }
    return reach;
}

static bool is_held_by(const struct holder *h, uid_t uid, const gid_t *groups, size_t group_count)
{
    if (!h->is_group)
        return h->id == uid;
    for (size_t i = 0; i < group_count; i++)
        if (groups[i] == h->id)
            return true;
    return false;
}

enum control_role control_roles_of(const struct control_roles *roles, uid_t uid, const gid_t *groups,
                                   size_t group_count)
{
    enum control_role role = CONTROL_ROLE_NONE;

    if (uid == 0 || uid == geteuid())
        return CONTROL_ROLE_ADMINISTER;
    for (size_t i = 0; roles != NULL && i < roles->count; i++)
        if (roles->holders[i].role > role && is_held_by(&roles->holders[i], uid, groups, group_count))
            role = roles->holders[i].role;
    return role;
}

struct control_peer control_peer_of(const struct control_roles *roles, int socket)
{
    struct control_peer peer = {.kin = KIN_UNKNOWN, .role = CONTROL_ROLE_NONE};
    gid_t *groups;
    socklen_t size = (GROUPS_MAX - 1) * sizeof(*groups);

    if (!kin_peer(socket, &peer.process))
        return peer;
    peer.kin = kin_of_peer(socket, &peer.process, getpid());
    if (peer.kin != KIN_STRANGER)
        return peer;
    groups = base_alloc(GROUPS_MAX * sizeof(*groups));
    groups[0] = peer.process.gid;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &size) != 0)
        size = 0;
    peer.role = control_roles_of(roles, peer.process.uid, groups, 1 + size / sizeof(*groups));
    free(groups);
    return peer;
}

const char *control_role_name(enum control_role role)
{
    return names[role];
}
