/* see base/file.h */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/yett-test-file-XXXXXX";

static char *path_of(const char *name)
{
    return base_printf("%s/%s", folder, name);
}

static void put(const char *path, const char *text, mode_t mode)
{
    char *error = NULL;

    (void)unlink(path);
    assert_true(base_file_write_secret(path, span_of_string(text), &error));
    assert_int_equal(chmod(path, mode), 0);
}

static void expect_refused(const char *path, enum base_file_access access, size_t max, const char *want)
{
    uint8_t *data;
    size_t size;
    char *error = NULL;

    assert_false(base_file_read(path, access, max, &data, &size, NULL, &error));
    assert_null(data);
    assert_int_equal(size, 0);
    if (strncmp(error, path, strlen(path)) != 0 || strstr(error, want) == NULL)
        fail_msg("want \"%s\" in: %s", want, error);
    free(error);
}

static void read_takes_the_whole_file(void **state)
{
    static const size_t sizes[] = {0, 1, 16382, 16383, 16384, 16385, 100000};
    char *path = path_of("file");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *text = base_alloc(sizes[i] + 1), *error = NULL;
        struct stat info;
        uint8_t *data;
        size_t size;

        memset(text, 'x', sizes[i]);
        put(path, text, 0600);
        if (!base_file_read(path, BASE_FILE_PRIVATE, sizes[i], &data, &size, &info, &error))
            fail_msg("%s", error);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(data, text, size + 1);
        assert_int_equal(info.st_size, size);
        free(data);
        if (size > 0)
            expect_refused(path, BASE_FILE_ANY, size - 1, "is larger than");
        free(text);
    }
    unlink(path);
    free(path);
}

static void read_takes_a_pipe(void **state)
{
    char *path = path_of("pipe"), *error = NULL;
    uint8_t *data;
    size_t size;
    pid_t child;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(path, BASE_FILE_PRIVATE, 100, "is not a file"); /* and does not wait for a writer */
    expect_refused(path, BASE_FILE_KEY, 100,
                   "is a pipe into which nobody has written for 5 s"); /* and does not for ever */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(path, O_WRONLY);

        _exit(fd >= 0 && write(fd, "hello", 5) == 5 ? 0 : 1);
    }
    assert_true(base_file_read(path, BASE_FILE_KEY, 100, &data, &size, NULL, &error));
    assert_string_equal((char *)data, "hello");
    free(data);
    assert_int_equal(waitpid(child, NULL, 0), child);
    unlink(path);
    free(path);
}

static void programs_are_not_everybodys(void **state)
{
    char *place = path_of("programs"), *path = base_printf("%s/module.so", place), *error = NULL;
    static const struct {
        mode_t folder, file;
        const char *want; /* NULL: good */
    } table[] = {
        {0755, 0644, NULL},
        {0755, 0664, NULL},
        {01777, 0644, NULL}, /* nobody may replace another's file there */
        {0755, 0666, "everybody may write to it"},
        {0777, 0644, "everybody may write to it"},
    };

    (void)state;
    assert_int_equal(mkdir(place, 0755), 0);
    assert_false(base_file_check_program(path, &error));
    assert_non_null(strstr(error, "cannot be loaded: No such file"));
    free(error);
    assert_true(base_file_write_secret(path, span_of_string("x"), &error));
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        error = NULL;
        assert_int_equal(chmod(place, table[i].folder), 0);
        assert_int_equal(chmod(path, table[i].file), 0);
        assert_int_equal(base_file_check_program(path, &error), table[i].want == NULL);
        assert_true(table[i].want == NULL || strstr(error, table[i].want) != NULL);
        free(error);
    }
    error = NULL;
    assert_false(base_file_check_program(place, &error));
    assert_non_null(strstr(error, "is not a file"));
    free(error);
    unlink(path);
    rmdir(place);
    free(path);
    free(place);
}

/* The loader would map what is not there, and the process end by SIGBUS at its first look. */
static void a_library_that_is_cut_short_is_told(void **state)
{
    char *path = path_of("cut.so"), *error = NULL;
    uint8_t *whole;
    size_t size, cut[5];

    (void)state;
    assert_true(base_file_read("/proc/self/exe", BASE_FILE_ANY, SIZE_MAX / 2, &whole, &size, NULL, &error));
    cut[0] = 0;
    cut[1] = 10; /* in its first header */
    cut[2] = 64 + 56;
    cut[3] = 4096;
    cut[4] = size; /* nothing is missing */
    for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
        bool want = cut[i] == size;

        error = NULL;
        assert_true(base_file_write_secret(path, span_of(whole, cut[i]), &error));
        assert_int_equal(base_file_check_program(path, &error), want);
        if (!want && strstr(error, "is cut short") == NULL)
            fail_msg("%zu of %zu bytes: %s", cut[i], size, error);
        free(error);
        unlink(path);
    }
    free(whole);
    free(path);
}

static void read_tells_who_may_do_too_much(void **state)
{
    static const struct {
        enum base_file_access access;
        mode_t mode;
        const char *want; /* NULL: good */
    } table[] = {
        {BASE_FILE_ANY, 0666, NULL},
        {BASE_FILE_TRUSTED, 0664, NULL},
        {BASE_FILE_TRUSTED, 0666, "everybody may write to it (mode 0666, belongs to "},
        {BASE_FILE_TRUSTED, 0602, "everybody may write to it"},
        {BASE_FILE_KEY, 0640, NULL},
        {BASE_FILE_KEY, 0644, "everybody may read it (mode 0644, belongs to "},
        {BASE_FILE_KEY, 0660, "others may write to it (mode 0660"},
        {BASE_FILE_KEY, 0606, "others may write to it"},
        {BASE_FILE_PRIVATE, 0400, NULL},
        {BASE_FILE_PRIVATE, 0640, "may be read or written by others (mode 0640"},
        {BASE_FILE_PRIVATE, 0602, "may be read or written by others"},
    };
    char *path = path_of("file");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *error = NULL;
        uint8_t *data;
        size_t size;

        put(path, "x", table[i].mode);
        if (table[i].want != NULL) {
            expect_refused(path, table[i].access, 10, table[i].want);
            continue;
        }
        if (!base_file_read(path, table[i].access, 10, &data, &size, NULL, &error))
            fail_msg("row %zu: %s", i, error);
        free(data);
    }
    unlink(path);
    expect_refused(folder, BASE_FILE_ANY, 10, "is a directory");
    expect_refused("/nonexistent/folder/file", BASE_FILE_ANY, 10,
                   "cannot be opened: No such file or directory: there is no folder /nonexistent");
    free(path);
}

/* As another user, in a child: the words name the folder or file that stops us, its owner, its mode, and us. */
static void read_tells_who_stops_whom(void **state)
{
    char *inside = path_of("closed"), *path = base_printf("%s/file", inside), *plain = path_of("file");
    int status;
    pid_t child;

    (void)state;
    if (geteuid() != 0) { /* root sees everything, and nobody else can become another */
        free(inside);
        free(path);
        free(plain);
        return;
    }
    assert_int_equal(mkdir(inside, 0700), 0);
    put(path, "x", 0644);
    put(plain, "x", 0600);
    assert_int_equal(chmod(folder, 0755), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *file_why, *folder_why, *make_why, *connect_why, *want, *parent;

        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        file_why = base_file_why(plain, EACCES);
        folder_why = base_file_why(path, EACCES);
        make_why = base_file_why_for(plain, EACCES, BASE_FILE_MAKE);
        connect_why = base_file_why_for(plain, EACCES, BASE_FILE_CONNECT);
        parent =
            base_printf("the folder %s belongs to root:root (mode 0755), and this process runs as nobody; ", folder);
        want = base_printf("the folder %s belongs to root:root (mode 0700), and this process runs as nobody; ", inside);
        _exit(strstr(file_why, "it belongs to root:root (mode 0600), and this process runs as nobody; ") != NULL &&
                      strstr(folder_why, want) != NULL && strstr(make_why, parent) != NULL &&
                      strstr(connect_why, "must be allowed to write to it") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    unlink(path);
    unlink(plain);
    rmdir(inside);
    free(inside);
    free(path);
    free(plain);
}

static void write_keeps_keys_to_the_owner(void **state)
{
    char *path = path_of("key"), *error = NULL;
    struct stat info;

    (void)state;
    umask(0);
    assert_true(base_file_write_secret(path, span_of_string("secret\n"), &error));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);

    /* Never over a file that is there. */
    assert_false(base_file_write_secret(path, span_of_string("other\n"), &error));
    assert_non_null(strstr(error, "never written over"));
    free(error);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 7);
    unlink(path);
    free(path);
}

static void write_replaces_public_files(void **state)
{
    char *path = path_of("cert"), *error = NULL;
    uint8_t *data;
    size_t size;

    (void)state;
    assert_true(base_file_write_public(path, span_of_string("first, longer\n"), &error));
    assert_true(base_file_write_public(path, span_of_string("second\n"), &error));
    assert_true(base_file_read(path, BASE_FILE_TRUSTED, 100, &data, &size, NULL, &error));
    assert_string_equal((char *)data, "second\n");
    free(data);
    unlink(path);
    free(path);

    assert_true(base_file_write_public("/dev/null", span_of_string("x"), &error));
    assert_false(base_file_write_public("/nonexistent/x", span_of_string("x"), &error));
    assert_non_null(strstr(error, "/nonexistent/x: cannot be created"));
    free(error);
}

static void folder_is_made_with_those_above_it(void **state)
{
    char *inner = path_of("a/b/c"), *error = NULL;
    struct stat info;
    bool made;

    (void)state;
    umask(022);
    assert_true(base_folder_make(inner, 0700, &made, &error));
    assert_true(made);
    assert_int_equal(stat(inner, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(chmod(inner, 0711), 0);
    assert_true(base_folder_make(inner, 0700, &made, &error));
    assert_false(made);
    assert_int_equal(stat(inner, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0711); /* as it was */
    assert_false(base_folder_make("/proc/no/folder", 0700, &made, &error));
    assert_non_null(strstr(error, "/proc/no: cannot be made: "));
    free(error);
    for (char *slash; strlen(inner) > strlen(folder); *slash = '\0') {
        assert_int_equal(rmdir(inner), 0);
        slash = strrchr(inner, '/');
    }
    free(inner);
}

static void staged_file_is_there_when_it_is_committed(void **state)
{
    char *path = path_of("staged"), *beside, *error = NULL;

    (void)state;
    assert_true(base_file_stage(path, span_of_string("x"), &beside, &error));
    assert_int_equal(access(beside, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    base_file_discard(&beside);
    assert_null(beside);
    base_file_discard(&beside);
    assert_true(base_file_stage(path, span_of_string("x"), &beside, &error));
    assert_true(base_file_commit(path, &beside, &error));
    assert_null(beside);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    free(path);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_takes_the_whole_file),
        cmocka_unit_test(read_takes_a_pipe),
        cmocka_unit_test(programs_are_not_everybodys),
        cmocka_unit_test(a_library_that_is_cut_short_is_told),
        cmocka_unit_test(read_tells_who_may_do_too_much),
        cmocka_unit_test(read_tells_who_stops_whom),
        cmocka_unit_test(write_keeps_keys_to_the_owner),
        cmocka_unit_test(write_replaces_public_files),
        cmocka_unit_test(folder_is_made_with_those_above_it),
        cmocka_unit_test(staged_file_is_there_when_it_is_committed),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
