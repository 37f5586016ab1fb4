/* see base/file.h */
#include "base/file.h"
#include "base/elf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 16384, NAMES_SIZE = 16384 };

/* ---- who ---- */

static char *user_name(uid_t uid)
{
    char *memory = base_alloc(NAMES_SIZE), *name;
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, memory, NAMES_SIZE, &found) == 0 && found != NULL)
        name = base_strdup(found->pw_name);
    else
        name = base_printf("%u", (unsigned)uid);
    free(memory);
    return name;
}

static char *group_name(gid_t gid)
{
    char *memory = base_alloc(NAMES_SIZE), *name;
    struct group entry, *found = NULL;

    if (getgrgid_r(gid, &entry, memory, NAMES_SIZE, &found) == 0 && found != NULL)
        name = base_strdup(found->gr_name);
    else
        name = base_printf("%u", (unsigned)gid);
    free(memory);
    return name;
}

char *base_file_owner(const struct stat *info)
{
    char *user = user_name(info->st_uid), *group = group_name(info->st_gid);
    char *text = base_printf("%s:%s", user, group);

    free(user);
    free(group);
    return text;
}

static bool refuse(const char *path, const struct stat *info, const char *what, const char *remedy, char **error)
{
    char *owner = base_file_owner(info);

    *error = base_printf("%s: %s (mode %04o, belongs to %s); %s", path, what, (unsigned)(info->st_mode & 07777), owner,
                         remedy);
    free(owner);
    return false;
}

static bool check_private(const char *path, const struct stat *info, char **error)
{
    if (!S_ISREG(info->st_mode)) {
        *error = base_printf("%s: is not a file", path);
        return false;
    }
    if (info->st_uid != geteuid() && info->st_uid != 0) {
        char *user = user_name(geteuid());
        char *remedy = base_printf("it must belong to %s%s", user, geteuid() == 0 ? "" : " or to root");

        refuse(path, info, "is somebody else's", remedy, error);
        free(user);
        free(remedy);
        return false;
    }
    return (info->st_mode & 077) == 0 ||
           refuse(path, info, "may be read or written by others", "it must have mode 0600 or 0400", error);
}

bool base_file_check(const char *path, const struct stat *info, enum base_file_access access, char **error)
{
    bool has_mode = S_ISREG(info->st_mode) || S_ISDIR(info->st_mode);
    mode_t mode = has_mode ? info->st_mode : 0;

    switch (access) {
    case BASE_FILE_ANY:
        return true;
    case BASE_FILE_TRUSTED:
        /* Whoever may write to it decides what we believe. */
        return (mode & S_IWOTH) == 0 || refuse(path, info, "everybody may write to it", "chmod o-w it", error);
    case BASE_FILE_KEY:
        if ((mode & (S_IWGRP | S_IWOTH)) != 0)
            return refuse(path, info, "holds a private key, and others may write to it",
                          "it must have mode 0600, or 0640 for a group that may use the key", error);
        return (mode & S_IROTH) == 0 ||
               refuse(path, info, "holds a private key, and everybody may read it",
                      "it must have mode 0600, or 0640 for a group that may use the key", error);
    case BASE_FILE_PRIVATE:
        return check_private(path, info, error);
    }
    base_abort("unknown file access");
}

/* ---- why not ---- */

/* "it" or "the folder PATH", whose it is, and who we are. */
static char *denied(const char *name, const struct stat *info, const char *remedy)
{
    char *owner = base_file_owner(info), *us = user_name(geteuid());
    char *text = base_printf("%s belongs to %s (mode %04o), and this process runs as %s; %s", name, owner,
                             (unsigned)(info->st_mode & 07777), us, remedy);

    free(owner);
    free(us);
    return text;
}

/* The first folder on the way to `path` that fails `test`; NULL: none does. Owned by the caller. */
static char *first_folder(const char *path, bool test(const char *folder))
{
    char *copy = base_strdup(path);

    for (char *slash = strchr(copy + 1, '/'); *copy != '\0' && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (test(copy))
            return copy;
        *slash = '/';
    }
    free(copy);
    return NULL;
}

static bool is_closed(const char *folder)
{
    return faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) != 0 && errno == EACCES;
}

static bool is_missing(const char *folder)
{
    struct stat info;

    return stat(folder, &info) != 0 && errno == ENOENT;
}

/* The folder that a name is in. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return base_strdup(".");
    return slash == path ? base_strdup("/") : base_strndup(path, (size_t)(slash - path));
}

static char *why_denied(const char *path, enum base_file_use use)
{
    char *folder = first_folder(path, is_closed), *text = NULL;
    struct stat info;

    if (folder != NULL) {
        char *name = base_printf("the folder %s", folder);

        if (stat(folder, &info) == 0)
            text = denied(name, &info, "chown or chgrp it, and chmod g+x it for a group");
        free(name);
    } else if (use == BASE_FILE_MAKE) {
        char *parent = parent_of(path), *name = base_printf("the folder %s", parent);

        if (stat(parent, &info) == 0)
            text = denied(name, &info, "chown it, or chgrp it and chmod g+w it for a group");
        free(name);
        free(parent);
    } else if (stat(path, &info) == 0) {
        text = denied("it", &info,
                      use == BASE_FILE_READ ? "chown or chgrp it, and chmod g+r it for a group"
                                            : "who connects must be allowed to write to it");
    }
    free(folder);
    return text;
}

char *base_file_why(const char *path, int error_number)
{
    return base_file_why_for(path, error_number, BASE_FILE_READ);
}

char *base_file_why_for(const char *path, int error_number, enum base_file_use use)
{
    char *more = NULL, *text;

    if (error_number == EACCES)
        more = why_denied(path, use);
    if (error_number == ENOENT) {
        char *folder = first_folder(path, is_missing);

        more = folder == NULL ? NULL : base_printf("there is no folder %s", folder);
        free(folder);
    }
    text = base_printf("%s%s%s", strerror(error_number), more == NULL ? "" : ": ", more == NULL ? "" : more);
    free(more);
    return text;
}

static bool failed(const char *path, const char *what, int error_number, char **error)
{
    char *why = base_file_why(path, error_number);

    *error = base_printf("%s: cannot be %s: %s", path, what, why);
    free(why);
    return false;
}

/* ---- reading ---- */

bool base_fd_read(int fd, void *data, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        ssize_t got = read(fd, (char *)data + *size, capacity - *size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        *size += (size_t)got;
    }
    return true;
}

size_t base_fd_count(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    size_t count = 0;

    if (folder == NULL)
        return 0;
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.' ? 1 : 0;
    closedir(folder);
    return count == 0 ? 0 : count - 1; /* the folder's own */
}

bool base_file_check_program(const char *path, char **error)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? base_strdup(".") : base_strndup(path, (size_t)(slash - path) + 1);
    struct stat info;
    bool good = false;

    if (stat(path, &info) != 0)
        good = failed(path, "loaded", errno, error);
    else if (!S_ISREG(info.st_mode))
        *error = base_printf("%s: is not a file", path);
    else
        good = base_file_check(path, &info, BASE_FILE_TRUSTED, error) &&
               (stat(folder, &info) != 0 || (info.st_mode & S_ISVTX) != 0 ||
                base_file_check(folder, &info, BASE_FILE_TRUSTED, error)) &&
               base_elf_is_whole(path, error);
    free(folder);
    return good;
}

/* Not realloc(): what it leaves behind may be a key. */
static uint8_t *moved(uint8_t *data, size_t size, size_t capacity)
{
    uint8_t *larger = base_alloc(capacity);

    if (size != 0)
        memcpy(larger, data, size);
    base_wipe(data, size);
    free(data);
    return larger;
}

/* What is no regular file may have nobody at its other end, and opens all the same: it is waited for, but not for ever.
 * A reload's supervisor may be who waits. */
static bool wait_for_writer(int fd, const char *path, char **error)
{
    struct pollfd news = {.fd = fd, .events = POLLIN};
    int count;

    do
        count = poll(&news, 1, BASE_FILE_PIPE_WAIT_MS);
    while (count < 0 && errno == EINTR);
    if (count > 0)
        return true;
    *error = base_printf("%s: is a pipe into which nobody has written for %d s; put the file itself there", path,
                         BASE_FILE_PIPE_WAIT_MS / 1000);
    return false;
}

static bool pipe_read(int fd, const char *path, void *data, size_t capacity, size_t *size, char **error)
{
    ssize_t got;

    do {
        if (!wait_for_writer(fd, path, error))
            return false;
        got = read(fd, data, capacity);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0)
        return failed(path, "read", errno, error);
    *size = (size_t)got;
    return true;
}

/* Not by st_size alone: a pipe is a file too, and a file may grow. */
static bool read_all(int fd, const char *path, bool is_pipe, size_t first, size_t size_max, uint8_t **data,
                     size_t *size, char **error)
{
    size_t capacity = 0, got = 1;

    while (got > 0) {
        if (capacity - *size < 2) {
            capacity = capacity == 0 ? first : capacity * 2;
            *data = moved(*data, *size, capacity);
        }
        if (is_pipe && !pipe_read(fd, path, *data + *size, capacity - *size - 1, &got, error))
            return false;
        if (!is_pipe && !base_fd_read(fd, *data + *size, capacity - *size - 1, &got))
            return failed(path, "read", errno, error);
        *size += got;
        if (*size > size_max) {
            *error = base_printf("%s: is larger than %zu bytes", path, size_max);
            return false;
        }
    }
    (*data)[*size] = '\0';
    return true;
}

static bool read_checked(int fd, const char *path, const struct stat *info, enum base_file_access access,
                         size_t size_max, uint8_t **data, size_t *size, char **error)
{
    size_t first = FIRST_CAPACITY;

    if (S_ISDIR(info->st_mode)) {
        *error = base_printf("%s: is a directory", path);
        return false;
    }
    if (!base_file_check(path, info, access, error))
        return false;
    if (S_ISREG(info->st_mode) && info->st_size > (off_t)size_max) {
        *error = base_printf("%s: is larger than %zu bytes", path, size_max);
        return false;
    }
    if (S_ISREG(info->st_mode) && info->st_size >= FIRST_CAPACITY)
        first = (size_t)info->st_size + 2;
    return read_all(fd, path, !S_ISREG(info->st_mode), first, size_max, data, size, error);
}

bool base_file_read_fd(int fd, const char *path, enum base_file_access access, size_t size_max, uint8_t **data,
                       size_t *size, struct stat *info, char **error)
{
    struct stat own;
    bool good;

    info = info == NULL ? &own : info;
    *data = NULL;
    *size = 0;
    good = fstat(fd, info) == 0 ? read_checked(fd, path, info, access, size_max, data, size, error)
                                : failed(path, "examined", errno, error);
    if (!good) {
        base_wipe(*data, *size);
        free(*data);
        *data = NULL;
        *size = 0;
    }
    return good;
}

bool base_file_read(const char *path, enum base_file_access access, size_t size_max, uint8_t **data, size_t *size,
                    struct stat *info, char **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a pipe opens with nobody at its other end */
    bool good;

    *data = NULL;
    *size = 0;
    if (fd < 0)
        return failed(path, "opened", errno, error);
    good = base_file_read_fd(fd, path, access, size_max, data, size, info, error);
    close(fd);
    return good;
}

/* ---- writing ---- */

bool base_fd_write(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(fd, bytes.data, bytes.size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes = span_skip(bytes, (size_t)put);
    }
    return true;
}

bool base_file_write_secret(const char *path, struct span bytes, char **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool written;

    if (fd < 0 && errno == EEXIST) {
        *error = base_printf("%s: exists already, and a key is never written over; move it away first", path);
        return false;
    }
    if (fd < 0)
        return failed(path, "created", errno, error);
    written = base_fd_write(fd, bytes) && fsync(fd) == 0;
    if (!written) {
        failed(path, "written", errno, error);
        unlink(path);
    }
    close(fd);
    return written;
}

/* A terminal, a pipe or /dev/null cannot be replaced by renaming. */
static bool write_in_place(const char *path, struct span bytes, char **error)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    bool written = fd >= 0 && base_fd_write(fd, bytes);

    if (!written)
        failed(path, "written", errno, error);
    if (fd >= 0)
        close(fd);
    return written;
}

bool base_file_stage(const char *path, struct span bytes, char **beside, char **error)
{
    int fd;
    bool written;

    *beside = base_printf("%s.XXXXXX", path);
    fd = mkostemp(*beside, O_CLOEXEC);
    if (fd < 0) {
        failed(path, "created", errno, error);
        free(*beside);
        *beside = NULL;
        return false;
    }
    written = base_fd_write(fd, bytes) && fchmod(fd, 0644) == 0 && fsync(fd) == 0;
    if (!written) {
        failed(path, "written", errno, error);
        base_file_discard(beside);
    }
    close(fd);
    return written;
}

bool base_file_commit(const char *path, char **beside, char **error)
{
    bool renamed = rename(*beside, path) == 0;

    if (!renamed) {
        failed(path, "written", errno, error);
        base_file_discard(beside);
    }
    free(*beside);
    *beside = NULL;
    return renamed;
}

void base_file_discard(char **beside)
{
    if (*beside != NULL)
        (void)unlink(*beside);
    free(*beside);
    *beside = NULL;
}

bool base_file_write_public(const char *path, struct span bytes, char **error)
{
    struct stat info;
    char *beside;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return write_in_place(path, bytes, error);
    return base_file_stage(path, bytes, &beside, error) && base_file_commit(path, &beside, error);
}

bool base_folder_make(const char *path, mode_t mode, bool *made, char **error)
{
    char *copy = base_strdup(path);
    bool good = true;

    if (made != NULL)
        *made = false;
    for (char *slash = copy[0] == '\0' ? NULL : strchr(copy + 1, '/'); good && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        good = mkdir(copy, 0755) == 0 || errno == EEXIST || failed(copy, "made", errno, error);
        *slash = '/';
    }
    if (good && mkdir(path, mode) == 0) {
        if (made != NULL)
            *made = true;
    } else if (good && errno != EEXIST) {
        good = failed(path, "made", errno, error);
    }
    free(copy);
    return good;
}
