#include "testing.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/yett-config-XXXXXX";

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : chdir(folder);
}

static int folder_remove(void **state)
{
    char *command = base_printf("rm -rf %s", folder);
    int status = system(command);

    (void)state;
    free(command);
    return status;
}

static void file_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

#define SERVICE(name, n) "[service " name "]\nlisten = 127.0.0.1:" n "\nconnect = unix:/c\n"

/* The names of the files a snapshot has, or what was found, with spaces between; owned by the caller. */
static char *read_names(const char *path)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *s = config_snapshot_read(path, &findings);
    char *names;

    assert_int_equal(s == NULL, findings.count != 0);
    if (s == NULL)
        return testing_findings_text(&findings);
    names = base_strdup("");
    for (size_t i = 0; i < config_snapshot_file_count(s); i++) {
        char *longer = base_printf("%s%s ", names, config_snapshot_file_name(s, i));

        free(names);
        names = longer;
    }
    config_snapshot_destroy(&s);
    return names;
}

static void expect_names(const char *path, const char *want)
{
    char *got = read_names(path);

    assert_string_equal(got, want);
    free(got);
}

static void read_follows_conf_d_in_name_order(void **state)
{
    (void)state;
    assert_int_equal(mkdir("a", 0700), 0);
    file_write("a/yett.conf", "[yett]\nworkers = 1\n");
    expect_names("a/yett.conf", "a/yett.conf ");
    assert_int_equal(mkdir("a/conf.d", 0700), 0);
    expect_names("a/yett.conf", "a/yett.conf ");
    file_write("a/conf.d/B.conf", "");
    file_write("a/conf.d/20.conf", "");
    file_write("a/conf.d/3.conf", "");
    file_write("a/conf.d/a.conf", "");
    file_write("a/conf.d/.hidden.conf", "[");
    file_write("a/conf.d/a.conf.dpkg-old", "[");
    expect_names("a/yett.conf", "a/yett.conf a/conf.d/20.conf a/conf.d/3.conf a/conf.d/B.conf a/conf.d/a.conf ");
}

static void read_follows_include(void **state)
{
    (void)state;
    assert_int_equal(mkdir("b[1]", 0700), 0);
    assert_int_equal(mkdir("b[1]/conf.d", 0700), 0);
    file_write("b[1]/conf.d/never.conf", "");
    file_write("b[1]/one.conf", "");
    file_write("b[1]/two.conf", "");
    file_write("three.conf", "");
    file_write("b[1]/y.conf",
               "[service s]\ninclude = four.conf\n[yett]\ninclude = t*.conf, one.conf, ../three.conf, none/*.conf\n");
    expect_names("b[1]/y.conf", "b[1]/y.conf b[1]/two.conf b[1]/one.conf b[1]/../three.conf ");
    /* It replaces the default, from wherever it starts. */
    assert_int_equal(chdir("b[1]"), 0);
    expect_names("y.conf", "y.conf two.conf one.conf ../three.conf ");
    assert_int_equal(chdir(".."), 0);
}

static void read_tells_what_cannot_be_read(void **state)
{
    (void)state;
    expect_names("absent.conf", "absent.conf: cannot be opened: No such file or directory\n");
    assert_int_equal(mkdir("c", 0700), 0);
    assert_int_equal(mkdir("c/d.conf", 0700), 0);
    assert_int_equal(mkfifo("c/pipe", 0600), 0);
    assert_int_equal(symlink("nowhere", "c/dangling.conf"), 0);
    expect_names("c", "c: is not a file\n");
    file_write("c/one.conf", "");
    file_write("c/y.conf", "[yett]\n\ninclude = absent.conf, d.conf, one.conf, one*, y.conf, pipe, dangling.*\n");
    expect_names("c/y.conf", "c/y.conf:3: include: there is no absent.conf\n"
                             "c/y.conf:3: c/d.conf: is not a file\n"
                             "c/y.conf:3: c/one.conf: is read a second time: a file must be included once\n"
                             "c/y.conf:3: c/y.conf: is read a second time: a file must be included once\n"
                             "c/y.conf:3: c/pipe: is not a file\n"
                             "c/y.conf:3: c/dangling.conf: cannot be opened: No such file or directory\n");
}

static void read_keeps_its_ceilings(void **state)
{
    char *text = base_alloc(CONFIG_FILE_BYTES_MAX + 2);

    (void)state;
    assert_int_equal(mkdir("e", 0700), 0);
    memset(text, ';', CONFIG_FILE_BYTES_MAX);
    file_write("e/big.conf", text);
    expect_names("e/big.conf", "e/big.conf ");
    text[CONFIG_FILE_BYTES_MAX] = ';';
    file_write("e/big.conf", text);
    free(text);
    expect_names("e/big.conf", "e/big.conf: is larger than 16777216 bytes\n");

    assert_int_equal(mkdir("f", 0700), 0);
    assert_int_equal(mkdir("f/conf.d", 0700), 0);
    file_write("f/yett.conf", "");
    for (int i = 1; i <= CONFIG_FILES_MAX; i++) {
        char *name = base_printf("f/conf.d/%05d.conf", i);

        file_write(name, "");
        free(name);
    }
    expect_names("f/yett.conf", "f/yett.conf: f/conf.d/16384.conf: is one file too many: they may be 16384\n");
}

static void parse_knows_the_file_of_each_line(void **state)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *s;
    struct config *c;
    char *got;

    (void)state;
    assert_int_equal(mkdir("g", 0700), 0);
    assert_int_equal(mkdir("g/conf.d", 0700), 0);
    file_write("g/yett.conf", "[yett]\nworkers = 2\n");
    file_write("g/conf.d/a.conf", "\n" SERVICE("a", "1"));
    file_write("g/conf.d/b.conf", "\n\n" SERVICE("b", "2"));
    s = config_snapshot_read("g/yett.conf", &findings);
    assert_non_null(s);
    c = config_parse(s, &findings);
    assert_non_null(c);
    assert_int_equal(c->file_count, 3);
    assert_string_equal(c->services[0].place.file, "g/conf.d/a.conf");
    assert_int_equal(c->services[0].place.line, 2);
    assert_string_equal(c->services[1].listen[0].place.file, "g/conf.d/b.conf");
    assert_int_equal(c->services[1].listen[0].place.line, 4);
    config_snapshot_destroy(&s);
    /* What it points to is its own. */
    assert_string_equal(c->services[1].listen[0].place.file, "g/conf.d/b.conf");
    config_destroy(&c);

    file_write("g/yett.conf", "[yett]\nworkers = 0\n");
    file_write("g/conf.d/b.conf", SERVICE("a", "1") "[yett]\n[service c]\nlisten = 127.0.0.1:1\nconnect = unix:/c\n");
    file_write("g/conf.d/c.conf", "x = 1\n");
    s = config_snapshot_read("g/yett.conf", &findings);
    assert_non_null(s);
    assert_null(config_parse(s, &findings));
    got = testing_findings_text(&findings);
    assert_string_equal(
        got,
        "g/yett.conf:2: workers: must be a number from 1 to 256, not \"0\"\n"
        "g/conf.d/b.conf:1: the section [service a] is already at g/conf.d/a.conf:2\n"
        "g/conf.d/b.conf:4: the section [yett] is already at g/yett.conf:1\n"
        "g/conf.d/b.conf:6: 127.0.0.1:1 is already listened on by g/conf.d/a.conf:3; services that share an address are told "
        "apart by server_name, and one of them at most has none\n"
        "g/conf.d/c.conf:1: the first line must be a section: [yett], [control], [module NAME] or [service NAME]\n");
    free(got);
    config_snapshot_destroy(&s);

    file_write("g/yett.conf", "");
    file_write("g/conf.d/b.conf", "[yett]\ninclude = x\n");
    file_write("g/conf.d/c.conf", "");
    s = config_snapshot_read("g/yett.conf", &findings);
    assert_null(config_parse(s, &findings));
    got = testing_findings_text(&findings);
    assert_string_equal(got, "g/conf.d/b.conf:2: include: only g/yett.conf itself may include files\n");
    free(got);
    config_snapshot_destroy(&s);
}

static void snapshot_travels_through_a_descriptor(void **state)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *s, *copy;
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    struct config *c;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(mkdir("h", 0700), 0);
    assert_int_equal(mkdir("h/conf.d", 0700), 0);
    file_write("h/yett.conf", "");
    file_write("h/conf.d/a.conf", SERVICE("a", "1"));
    s = config_snapshot_read("h/yett.conf", &findings);
    assert_non_null(s);
    /* What was in the descriptor before does not matter. */
    assert_int_equal(ftruncate(fd, 100000), 0);
    assert_true(config_snapshot_write(s, fd));
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    /* Edited meanwhile: no worker sees it. */
    file_write("h/conf.d/a.conf", "[nonsense\n");
    for (int i = 0; i < 2; i++) {
        copy = config_snapshot_from_fd(fd, &findings);
        assert_non_null(copy);
        assert_int_equal(config_snapshot_file_count(copy), 2);
        assert_string_equal(config_snapshot_file_name(copy, 1), "h/conf.d/a.conf");
        c = config_parse(copy, &findings);
        assert_non_null(c);
        assert_string_equal(c->services[0].name, "a");
        config_destroy(&c);
        config_snapshot_destroy(&copy);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);

    /* Cut anywhere, it is refused. */
    for (off_t size = lseek(fd, 0, SEEK_END) - 1; size >= 0; size--) {
        assert_int_equal(ftruncate(fd, size), 0);
        copy = config_snapshot_from_fd(fd, &findings);
        assert_null(copy);
        assert_int_equal(findings.count, 1);
        config_findings_clear(&findings);
    }
    config_snapshot_destroy(&s);
    close(fd);
}

static void from_fd_refuses_sizes_over_the_ceilings(void **state)
{
    static const uint32_t counts[][3] = {{0, 1, 1},
                                         {CONFIG_FILES_MAX + 1, 1, 1},
                                         {1, CONFIG_FILE_NAME_BYTES_MAX + 1, 1},
                                         {1, 1, CONFIG_FILE_BYTES_MAX + 1},
                                         {1, UINT32_MAX, 1},
                                         {1, 1, UINT32_MAX}};
    static const char magic[] = "yett configuration snapshot 1\n";
    struct config_findings findings = {.items = NULL};
    char *got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        int fd = memfd_create("snapshot", MFD_CLOEXEC);

        /* Everything that could be asked for is there, so that only the ceiling can refuse it. */
        assert_int_equal(ftruncate(fd, 8L * 1024 * 1024), 0);
        assert_int_equal(pwrite(fd, magic, sizeof(magic), 0), sizeof(magic));
        assert_int_equal(pwrite(fd, counts[i], sizeof(counts[i]), sizeof(magic)), sizeof(counts[i]));
        assert_null(config_snapshot_from_fd(fd, &findings));
        got = testing_findings_text(&findings);
        assert_string_equal(got,
                            "configuration snapshot: the descriptor has no snapshot of this version of yett, or not "
                            "all of it\n");
        free(got);
        close(fd);
    }
    assert_null(config_snapshot_from_fd(-1, &findings));
    config_findings_clear(&findings);
}

static void write_tells_when_it_cannot(void **state)
{
    struct config_snapshot *s = config_snapshot_from_memory("f", span_of_string(SERVICE("a", "1")));

    (void)state;
    assert_false(config_snapshot_write(s, -1));
    config_snapshot_destroy(&s);
    config_snapshot_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_follows_conf_d_in_name_order),
        cmocka_unit_test(read_follows_include),
        cmocka_unit_test(read_tells_what_cannot_be_read),
        cmocka_unit_test(read_keeps_its_ceilings),
        cmocka_unit_test(parse_knows_the_file_of_each_line),
        cmocka_unit_test(snapshot_travels_through_a_descriptor),
        cmocka_unit_test(from_fd_refuses_sizes_over_the_ceilings),
        cmocka_unit_test(write_tells_when_it_cannot),
    };

    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
