/* see config/config.h: the files of a configuration, read once
 *
 * In a descriptor a snapshot is, in the byte order of the machine it never leaves: a magic line, the number of files,
 * and for each the size of its name, the size of its text, the name and the text. It is read back with the suspicion
 * any descriptor deserves: every size is checked against its ceiling and against what is there. */
#include "base/file.h"
#include "config/kinds.h"
#include "config/reader.h"
#include "config/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[] = "yett configuration snapshot 1\n";

static struct config_snapshot *snapshot_create(void)
{
    return base_alloc(sizeof(struct config_snapshot));
}

static struct snapshot_file *file_add(struct config_snapshot *s, const char *name)
{
    struct snapshot_file *file;

    assert(s->count < CONFIG_FILES_MAX);
    s->files = base_realloc_array(s->files, s->count + 1, sizeof(*s->files));
    file = &s->files[s->count++];
    *file = (struct snapshot_file){.name = base_strdup(name)};
    return file;
}

void config_snapshot_destroy(struct config_snapshot **s)
{
    if (*s == NULL)
        return;
    for (size_t i = 0; i < (*s)->count; i++) {
        free((*s)->files[i].name);
        free((*s)->files[i].text);
    }
    free((*s)->files);
    free(*s);
    *s = NULL;
}

size_t config_snapshot_file_count(const struct config_snapshot *s)
{
    return s->count;
}

const char *config_snapshot_file_name(const struct config_snapshot *s, size_t index)
{
    assert(index < s->count);
    return s->files[index].name;
}

struct config_snapshot *config_snapshot_from_memory(const char *name, struct span text)
{
    struct config_snapshot *s = snapshot_create();
    struct snapshot_file *file = file_add(s, name);

    file->text = base_memdup(text.data, text.size);
    file->size = text.size;
    return s;
}

/* The file named first may be a pipe (yett check -c <(...)); what it includes are files. */
enum file_role { FILE_MAIN, FILE_INCLUDED };

static bool file_is_known(const struct config_snapshot *s, const struct stat *info)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->files[i].device == info->st_dev && s->files[i].inode == info->st_ino)
            return true;
    return false;
}

/* Whoever may write to a file that is read says what yett does; whoever may write to the folder of an included one may
 * add another. */
static bool folder_is_trusted(const char *name, char **error)
{
    const char *slash = strrchr(name, '/');
    char *folder = slash == NULL ? base_strdup(".") : base_strndup(name, (size_t)(slash - name) + 1);
    struct stat info;
    bool good = stat(folder, &info) != 0 || base_file_check(folder, &info, BASE_FILE_TRUSTED, error);

    free(folder);
    return good;
}

static void open_file_read(struct config_snapshot *s, int fd, const char *name, enum file_role role, char **error)
{
    struct snapshot_file *file;
    struct stat info;

    if (fstat(fd, &info) != 0)
        *error = base_printf("%s: cannot be examined: %s", name, strerror(errno));
    else if (S_ISDIR(info.st_mode) || (role == FILE_INCLUDED && !S_ISREG(info.st_mode)))
        *error = base_printf("%s: is not a file", name);
    else if (file_is_known(s, &info))
        *error = base_printf("%s: is read a second time: a file must be included once", name);
    else if (s->count == CONFIG_FILES_MAX)
        *error = base_printf("%s: is one file too many: they may be %d", name, CONFIG_FILES_MAX);
    if (*error != NULL || (role == FILE_INCLUDED && !folder_is_trusted(name, error)))
        return;
    file = file_add(s, name);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    if (!base_file_read_fd(fd, name, BASE_FILE_TRUSTED, CONFIG_FILE_BYTES_MAX, &file->text, &file->size, NULL, error))
        file->size = 0;
}

static void file_read(struct config_snapshot *s, const char *name, enum file_role role, struct config_place place,
                      struct config_findings *findings)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *error = NULL;

    if (fd < 0) {
        char *why = base_file_why(name, errno);

        error = base_printf("%s: cannot be opened: %s", name, why);
        free(why);
    } else {
        open_file_read(s, fd, name, role, &error);
        close(fd);
    }
    if (error != NULL) /* of the first file the finding's place is the name */
        config_finding_add(findings, place, "%s", error + (role == FILE_MAIN ? strlen(name) + 2 : 0));
    free(error);
}

/* What the first file says about including. */
struct inclusion {
    struct config_snapshot *snapshot;
    struct config_findings *findings;
    const char *main_name;
    enum { ELSEWHERE, IN_YETT } section;
    enum { INCLUDE_DEFAULT, INCLUDE_GIVEN } given;
};

/* `entry`, from the folder of `main_name` on; what is special to glob() in that folder's name is escaped. */
static char *pattern_text(const char *main_name, const char *entry)
{
    const char *slash = strrchr(main_name, '/');
    char *pattern, *out;

    if (entry[0] == '/' || slash == NULL)
        return base_strdup(entry);
    pattern = base_alloc((size_t)(slash - main_name) * 2 + 3 + strlen(entry));
    out = pattern;
    for (const char *p = main_name; p <= slash; p++) {
        if (strchr("*?[\\", *p) != NULL)
            *out++ = '\\';
        *out++ = *p;
    }
    memcpy(out, entry, strlen(entry) + 1);
    return pattern;
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

/* Whether glob() gives up at a folder: one that is not there has no files, one that cannot be read is a mistake. */
static int folder_failed(const char *folder, int error)
{
    (void)folder;
    return error != ENOENT && error != ENOTDIR;
}

static void entry_include(struct inclusion *in, const char *entry, struct config_place place)
{
    char *pattern = pattern_text(in->main_name, entry);
    glob_t found = {.gl_pathc = 0};
    int status = glob(pattern, GLOB_NOSORT, folder_failed, &found);

    if (status == 0) {
        qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), by_name);
        for (size_t i = 0; i < found.gl_pathc; i++)
            file_read(in->snapshot, found.gl_pathv[i], FILE_INCLUDED, place, in->findings);
    } else if (status != GLOB_NOMATCH) {
        config_finding_add(in->findings, place, "include: %s cannot be looked through: a folder of it may not be read",
                           entry);
    } else if (strpbrk(entry, "*?[") == NULL) {
        config_finding_add(in->findings, place, "include: there is no %s", entry);
    }
    globfree(&found);
    free(pattern);
}

static void value_include(struct inclusion *in, const char *value, struct config_place place)
{
    const char *cursor = value;
    char *entry;

    while (value_list_next(&cursor, &entry)) {
        if (*entry != '\0') /* config_parse() says what an empty one is */
            entry_include(in, entry, place);
        free(entry);
    }
}

static void on_section(void *ctx, unsigned line, const char *kind, const char *name)
{
    struct inclusion *in = ctx;

    (void)line;
    in->section = strcmp(kind, "yett") == 0 && *name == '\0' ? IN_YETT : ELSEWHERE;
}

static void on_option(void *ctx, unsigned line, const char *key, const char *value)
{
    struct inclusion *in = ctx;

    if (in->section != IN_YETT || strcmp(key, config_options[OPTION_INCLUDE].name) != 0)
        return;
    in->given = INCLUDE_GIVEN;
    value_include(in, value, (struct config_place){.file = in->main_name, .line = line});
}

/* What is wrong with the lines is for config_parse() to say. */
static void on_problem(void *ctx, unsigned line, enum reader_problem problem, const char *message)
{
    (void)ctx;
    (void)line;
    (void)problem;
    (void)message;
}

struct config_snapshot *config_snapshot_read(const char *path, struct config_findings *findings)
{
    static const struct reader_events events = {on_section, on_option, on_problem};
    size_t findings_before = findings->count;
    struct config_snapshot *s = snapshot_create();
    struct inclusion in = {.snapshot = s, .findings = findings, .main_name = path};

    file_read(s, path, FILE_MAIN, (struct config_place){.file = path}, findings);
    if (findings->count == findings_before) {
        reader_run(span_of(s->files[0].text, s->files[0].size), &events, &in);
        if (in.given == INCLUDE_DEFAULT)
            value_include(&in, config_options[OPTION_INCLUDE].default_value, (struct config_place){.file = path});
    }
    if (findings->count != findings_before)
        config_snapshot_destroy(&s);
    return s;
}

/* Through a descriptor. */

struct file_header {
    uint32_t name_size;
    uint32_t text_size;
};

static bool bytes_write(int fd, off_t *offset, const void *data, size_t size)
{
    const char *bytes = data;

    while (size != 0) {
        ssize_t put = pwrite(fd, bytes, size, *offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes += put;
        size -= (size_t)put;
        *offset += put;
    }
    return true;
}

bool config_snapshot_write(const struct config_snapshot *s, int fd)
{
    uint32_t count = (uint32_t)s->count;
    off_t offset = 0;

    if (!bytes_write(fd, &offset, magic, sizeof(magic)) || !bytes_write(fd, &offset, &count, sizeof(count)))
        return false;
    for (size_t i = 0; i < s->count; i++) {
        const struct snapshot_file *file = &s->files[i];
        struct file_header header = {(uint32_t)strlen(file->name), (uint32_t)file->size};

        if (!bytes_write(fd, &offset, &header, sizeof(header)) ||
            !bytes_write(fd, &offset, file->name, header.name_size) ||
            !bytes_write(fd, &offset, file->text, header.text_size))
            return false;
    }
    return ftruncate(fd, offset) == 0;
}

static bool bytes_read(int fd, off_t *offset, void *data, size_t size)
{
    char *bytes = data;

    while (size != 0) {
        ssize_t got = pread(fd, bytes, size, *offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        size -= (size_t)got;
        *offset += got;
    }
    return true;
}

static bool file_from_fd(struct config_snapshot *s, int fd, off_t *offset)
{
    struct snapshot_file *file;
    struct file_header header;
    char *name;
    bool good;

    if (!bytes_read(fd, offset, &header, sizeof(header)) || header.name_size > CONFIG_FILE_NAME_BYTES_MAX ||
        header.text_size > CONFIG_FILE_BYTES_MAX)
        return false;
    name = base_alloc(header.name_size + 1);
    good = bytes_read(fd, offset, name, header.name_size);
    file = file_add(s, name);
    free(name);
    if (!good)
        return false;
    file->text = base_alloc(header.text_size);
    file->size = header.text_size;
    return bytes_read(fd, offset, file->text, file->size);
}

struct config_snapshot *config_snapshot_from_fd(int fd, struct config_findings *findings)
{
    struct config_snapshot *s = snapshot_create();
    char found[sizeof(magic)];
    uint32_t count;
    off_t offset = 0;
    bool good = bytes_read(fd, &offset, found, sizeof(found)) && memcmp(found, magic, sizeof(magic)) == 0 &&
                bytes_read(fd, &offset, &count, sizeof(count)) && count != 0 && count <= CONFIG_FILES_MAX;

    for (uint32_t i = 0; good && i < count; i++)
        good = file_from_fd(s, fd, &offset);
    if (good)
        return s;
    config_finding_add(findings, (struct config_place){.file = "configuration snapshot"},
                       "the descriptor has no snapshot of this version of yett, or not all of it");
    config_snapshot_destroy(&s);
    return NULL;
}
