/* see proxy/control/control_file.h */
#include "proxy/control/control_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_OF_FD_SIZE = 32, PERMISSIONS = 07777 };

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return base_strdup(".");
    return slash == path ? base_strdup("/") : base_strndup(path, (size_t)(slash - path));
}

/* `other`: whose folder it may be besides root's and our own. */
static bool folder_is_safe(const char *folder, uid_t other, char **error)
{
    struct stat info;

    if (stat(folder, &info) != 0)
        return true; /* whoever opens the socket has the better message */
    if ((info.st_mode & S_IWOTH) != 0)
        *error = base_printf("everybody may write to its folder %s (mode %04o), so anybody could put a socket of their "
                             "own there and be given PINs: chmod o-w %s, or put control into a folder of its own",
                             folder, (unsigned)(info.st_mode & PERMISSIONS), folder);
    else if (info.st_uid != 0 && info.st_uid != geteuid() && info.st_uid != other)
        *error = base_printf("its folder %s belongs to user %ju, who could put another socket there and be given PINs: "
                             "it must be root's, or the user's that yett runs as",
                             folder, (uintmax_t)info.st_uid);
    return *error == NULL;
}

bool control_folder_prepare(const char *path, char **error)
{
    char *folder = folder_of(path);
    bool good;

    (void)mkdir(folder, 0755); /* what is wrong with it, opening the socket says */
    good = folder_is_safe(folder, geteuid(), error);
    free(folder);
    return good;
}

bool control_folder_check(const char *path, char **error)
{
    char *folder = folder_of(path);
    struct stat info;
    bool good = stat(folder, &info) != 0 || folder_is_safe(folder, info.st_uid, error); /* of whom, only run knows */

    free(folder);
    return good;
}

bool control_folder_is_safe(const char *path, uid_t server, char **error)
{
    char *folder = folder_of(path);
    bool good = folder_is_safe(folder, server, error);

    free(folder);
    return good;
}

/* By a descriptor, and only if it is a socket: in a group's folder its name may be another's by now. */
static bool change(const char *path, mode_t mode, bool with_group, gid_t group)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    char by_fd[PATH_OF_FD_SIZE];
    struct stat info;
    bool changed = false;

    if (fd < 0)
        return false;
    snprintf(by_fd, sizeof(by_fd), "/proc/self/fd/%d", fd);
    if (fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode))
        errno = EINVAL;
    else
        changed = (!with_group || fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH) == 0) && chmod(by_fd, mode) == 0;
    close(fd);
    return changed;
}

bool control_file_open_to(const char *path, const struct control_roles *roles, char **error)
{
    gid_t group = 0;
    bool changed = false;

    switch (control_roles_reach(roles, &group)) {
    case CONTROL_REACH_OWNER:
        changed = change(path, 0600, false, 0);
        break;
    case CONTROL_REACH_GROUP:
        /* Only root, and members of the group, can give a file to it. */
        changed = change(path, 0660, true, group) || change(path, 0666, false, 0);
        break;
    case CONTROL_REACH_ALL:
        changed = change(path, 0666, false, 0);
        break;
    }
    if (!changed)
        *error =
            base_printf("the mode of %s cannot be changed for those whom [control] names: %s", path, strerror(errno));
    return changed;
}
