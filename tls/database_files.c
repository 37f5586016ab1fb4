/* see tls/database_files.h
 *
 * NSS says SEC_ERROR_BAD_DATABASE of whatever it cannot open, so who may not open it is found out here. */
#include "tls/database_files.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char scheme[] = "sql:";

/* NULL with a sentence when it is not written as it must be. */
static const char *folder_of(const char *database, char **error)
{
    if (strncmp(database, scheme, strlen(scheme)) == 0 && database[strlen(scheme)] != '\0')
        return database + strlen(scheme);
    *error = base_printf("the database %s is not written as sql:DIRECTORY", database);
    return NULL;
}

/* Who can write to the folder can add an authority, or a key in the place of another. */
static bool folder_is_safe(const char *folder, const struct stat *info, char **error)
{
    char *owner;

    if (!S_ISDIR(info->st_mode)) {
        *error = base_printf("%s: not a directory", folder);
        return false;
    }
    if ((info->st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return true;
    owner = base_file_owner(info);
    *error = base_printf("%s: others may write to it (mode %04o, belongs to %s), and so could add an authority or take "
                         "a key; chmod go-w it",
                         folder, (unsigned)(info->st_mode & 07777), owner);
    free(owner);
    return false;
}

static bool failed(const char *path, char **error)
{
    char *why = base_file_why(path, errno);

    *error = base_printf("%s: %s", path, why);
    free(why);
    return false;
}

/* One file of the database; it need not be there. */
static bool file_may_be_opened(const char *folder, const char *name, enum base_file_access access, bool writable,
                               char **error)
{
    char *path = base_printf("%s/%s", folder, name);
    struct stat info;
    bool good = true;

    if (stat(path, &info) == 0)
        good = base_file_check(path, &info, access, error) &&
               (faccessat(AT_FDCWD, path, writable ? R_OK | W_OK : R_OK, AT_EACCESS) == 0 || failed(path, error));
    else if (errno != ENOENT)
        good = failed(path, error);
    free(path);
    return good;
}

bool tls_database_may_be_opened(const char *database, bool writable, char **error)
{
    const char *folder = folder_of(database, error);
    struct stat info;

    if (folder == NULL)
        return false;
    if (stat(folder, &info) != 0) {
        bool is_missing = errno == ENOENT;
        char *why = base_file_why(folder, errno);

        *error =
            base_printf("%s: %s%s", folder, why, is_missing ? " (yett cert create or import makes a database)" : "");
        free(why);
        return false;
    }
    return folder_is_safe(folder, &info, error) &&
           (faccessat(AT_FDCWD, folder, writable ? R_OK | W_OK | X_OK : R_OK | X_OK, AT_EACCESS) == 0 ||
            failed(folder, error)) &&
           file_may_be_opened(folder, "cert9.db", BASE_FILE_TRUSTED, writable, error) &&
           file_may_be_opened(folder, "key4.db", BASE_FILE_KEY, writable, error);
}

bool tls_database_prepare(const char *database, enum tls_database_mode mode, bool *made, char **error)
{
    const char *folder = folder_of(database, error);

    *made = false;
    return folder != NULL && (mode == TLS_DATABASE_EXISTING || base_folder_make(folder, 0700, made, error)) &&
           tls_database_may_be_opened(database, false, error);
}
