/* see proxy/process/drop.h */
#include "proxy/process/drop.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PASSWD_BYTES_MAX = 64 * 1024 };

/* 0, ENOENT when there is no such user, or why it cannot be said. */
static int look_up(const char *name, struct drop *drop)
{
    char *bytes = base_alloc(PASSWD_BYTES_MAX);
    struct passwd entry, *found = NULL;
    int error = getpwnam_r(name, &entry, bytes, PASSWD_BYTES_MAX, &found);

    if (found != NULL)
        *drop = (struct drop){.wanted = true, .uid = entry.pw_uid, .gid = entry.pw_gid, .name = name};
    free(bytes);
    return found != NULL ? 0 : error != 0 ? error : ENOENT;
}

bool drop_find(const struct config *config, struct drop *drop, struct config_findings *findings)
{
    const struct config_user *user = config->user;
    int error;

    *drop = (struct drop){.wanted = false};
    if (user == NULL)
        return true;
    error = look_up(user->name, drop);
    if (error == ENOENT)
        config_finding_add(findings, user->place, "user: there is no user %s", user->name);
    else if (error != 0)
        config_finding_add(findings, user->place, "user: %s cannot be looked up: %s", user->name, strerror(error));
    else if (drop->uid == 0)
        config_finding_add(findings, user->place, "user: %s is root: name one who may do nothing else", user->name);
    else
        return true;
    return false;
}

bool drop_is_possible(const struct config *config, const struct drop *drop, struct config_findings *findings)
{
    if (!drop->wanted || geteuid() == 0 || geteuid() == drop->uid)
        return true;
    config_finding_add(findings, config->user->place, "user: only root can become %s: start yett as root, or as %s",
                       drop->name, drop->name);
    return false;
}

uid_t drop_owner(const struct drop *drop)
{
    return drop->wanted ? drop->uid : geteuid();
}

static bool fail(const struct drop *drop, const char *what, char **error)
{
    *error = base_printf("cannot become user %s: %s: %s", drop->name, what, strerror(errno));
    return false;
}

bool drop_for_good(const struct drop *drop, char **error)
{
    if (!drop->wanted || geteuid() != 0)
        return true;
    /* Groups first: without root they cannot be changed any more. */
    if (initgroups(drop->name, drop->gid) != 0)
        return fail(drop, "initgroups", error);
    if (setresgid(drop->gid, drop->gid, drop->gid) != 0)
        return fail(drop, "setresgid", error);
    if (setresuid(drop->uid, drop->uid, drop->uid) != 0)
        return fail(drop, "setresuid", error);
    if (setuid(0) == 0 || geteuid() != drop->uid || getegid() != drop->gid)
        base_abort("root comes back after it was given up");
    return true;
}
