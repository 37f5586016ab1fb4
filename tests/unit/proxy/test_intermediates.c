/* Remembered intermediates as a file (proxy/process/intermediates_file.h), and the supervisor's keeping of it. */
#include "cert_builder.h"
#include "proxy/supervisor/intermediates.h"
#include "proxy/process/intermediates_file.h"
#include "tls/pem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CERTS = 3 };

static struct span certs[CERTS];
static char folder[] = "/tmp/yett-intermediates-XXXXXX";
static char *path; /* in the folder; not there at the beginning of a test */

static int start(void **state)
{
    static const char *const names[CERTS] = {"one", "two", "three"};

    if (builder_start(state) != 0 || mkdtemp(folder) == NULL)
        return -1;
    for (unsigned i = 0; i < CERTS; i++) {
        struct cert_spec spec = builder_authority(names[i], 1 + i, "root", 0);

        certs[i] = builder_cert(&spec);
    }
    path = base_printf("%s/i.pem", folder);
    return 0;
}

static int stop(void **state)
{
    free(path);
    return rmdir(folder) == 0 ? builder_stop(state) : -1;
}

static int remove_file(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)rmdir(path);
    return 0;
}

static void add(struct pkix_intermediates *known, size_t index)
{
    (void)pkix_intermediates_add(known, certs[index], PKIX_INTERMEDIATE_TOLD);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fchmod(fileno(file), mode), 0);
    fclose(file);
}

/* What is known, in order, is these (by index), and no more. */
static void assert_known(struct pkix_intermediates *known, const char *indexes)
{
    struct pkix_intermediate *all[PKIX_INTERMEDIATES_MAX];
    size_t count = pkix_intermediates_lend_all(known, all);

    assert_int_equal(count, strlen(indexes));
    for (size_t i = 0; i < count; i++) {
        assert_true(span_equal(all[i]->cert.der, certs[indexes[i] - '0']));
        pkix_intermediates_return(known, all[i]);
    }
}

static void file_has_all_in_the_order_of_use(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create(), *again = pkix_intermediates_create();
    char *text, *error = NULL;
    struct stat info;

    (void)state;
    for (size_t i = 0; i < CERTS; i++)
        add(known, i);
    add(known, 0);
    text = intermediates_text(known);
    write_file("something older and longer than that", 0644);
    assert_true(intermediates_file_write(path, text, &error));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_size, strlen(text));
    assert_int_equal(intermediates_file_read(path, again, &error), INTERMEDIATES_FILE_READ);
    assert_known(again, "120");
    free(text);
    pkix_intermediates_destroy(&known);
    pkix_intermediates_destroy(&again);
}

static void file_that_is_not_there_or_empty_is_good(void **state)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    char *error = NULL, *text = intermediates_text(known);

    (void)state;
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(intermediates_file_read(path, known, &error), INTERMEDIATES_FILE_READ);
    write_file("", 0600);
    assert_int_equal(intermediates_file_read(path, known, &error), INTERMEDIATES_FILE_READ);
    assert_int_equal(pkix_intermediates_count(known), 0);
    pkix_intermediates_destroy(&known);
}

static char *good_text(void)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    char *text;

    for (size_t i = 0; i < CERTS; i++)
        add(known, i);
    text = intermediates_text(known);
    pkix_intermediates_destroy(&known);
    return text;
}

/* Wants nothing to be known after reading, and the word in the sentence. */
static void assert_ignored(enum intermediates_file want, const char *word)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    char *error = NULL;

    assert_int_equal(intermediates_file_read(path, known, &error), want);
    assert_int_equal(pkix_intermediates_count(known), 0);
    assert_non_null(strstr(error, path));
    if (strstr(error, word) == NULL)
        fail_msg("no %s in: %s", word, error);
    free(error);
    pkix_intermediates_destroy(&known);
}

static void damaged_file_is_ignored_as_a_whole(void **state)
{
    char *text = good_text(), *last = strstr(strstr(strstr(text, "BEGIN") + 1, "BEGIN") + 1, "-----BEGIN"), *other;

    (void)state;
    last[40] = last[40] == 'A' ? 'B' : 'A'; /* of the certificate's beginning */
    write_file(text, 0600);
    assert_ignored(INTERMEDIATES_FILE_DAMAGED, "certificate 3");
    last[40] = '\0'; /* cut off */
    write_file(text, 0600);
    assert_ignored(INTERMEDIATES_FILE_DAMAGED, "has no END line");
    strchr(text, '-')[0] = '\0'; /* nothing but our first lines */
    write_file(text, 0600);
    assert_ignored(INTERMEDIATES_FILE_DAMAGED, "no PEM block");
    other = base_printf("%s-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", text);
    write_file(other, 0600);
    assert_ignored(INTERMEDIATES_FILE_DAMAGED, "has no place here");
    free(other);
    free(text);
}

static void file_with_too_much_is_ignored(void **state)
{
    char *text = good_text(), *pem = base_pem_encode("CERTIFICATE", certs[0]);
    FILE *file;

    (void)state;
    write_file(text, 0600);
    file = fopen(path, "a");
    for (size_t i = CERTS; i < PKIX_INTERMEDIATES_MAX + 1; i++)
        fputs(pem, file);
    fclose(file);
    assert_ignored(INTERMEDIATES_FILE_DAMAGED, "holds more than 256");
    assert_int_equal(truncate(path, INTERMEDIATES_FILE_BYTES_MAX + 1), 0);
    assert_ignored(INTERMEDIATES_FILE_DAMAGED, "is larger than");
    free(pem);
    free(text);
}

/* What is not ours, and must not be replaced. */
static void foreign_file_is_left_alone(void **state)
{
    char *text = good_text(), *pem = base_pem_encode("CERTIFICATE", certs[0]);

    (void)state;
    write_file(pem, 0600);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "was not written by yett");
    write_file("x", 0600);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "was not written by yett");
    write_file(text, 0620);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "others may write to it");
    write_file(text, 0602);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "others may write to it");
    (void)unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "is a symbolic link");
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "is not a regular file");
    (void)unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_ignored(INTERMEDIATES_FILE_FOREIGN, "is not a regular file");
    (void)rmdir(path);
    if (geteuid() == 0) { /* only root can give a file away */
        write_file(text, 0600);
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(seteuid(65533), 0);
        assert_ignored(INTERMEDIATES_FILE_FOREIGN, "Permission denied");
        assert_int_equal(seteuid(0), 0);
        assert_ignored(INTERMEDIATES_FILE_FOREIGN, "belongs to another user");
    }
    free(pem);
    free(text);
}

static void write_leaves_the_old_file_when_it_fails(void **state)
{
    char *error = NULL, *beside = base_printf("%s.new", path), *nowhere = base_printf("%s/no/i.pem", folder);

    (void)state;
    write_file("old", 0600);
    assert_int_equal(mkdir(beside, 0700), 0);
    assert_false(intermediates_file_write(path, "new", &error));
    assert_non_null(strstr(error, beside));
    free(error);
    assert_int_equal(rmdir(beside), 0);
    error = NULL;
    assert_false(intermediates_file_write(nowhere, "new", &error));
    assert_non_null(strstr(error, "No such file or directory"));
    free(error);
    write_file("old", 0600);
    free(beside);
    free(nowhere);
}

/* ---- the supervisor's ---- */

struct keeper {
    uv_loop_t loop;
    struct intermediates *i;
    struct config config;
};

static void keeper_start(struct keeper *k, char *file, uint64_t write_ms)
{
    *k = (struct keeper){.config = {.intermediates = file, .intermediates_place = {.file = "f", .line = 1}}};
    assert_int_equal(uv_loop_init(&k->loop), 0);
    k->i = intermediates_create(&k->loop, write_ms);
    intermediates_prepare(k->i, &k->config);
    intermediates_commit(k->i);
}

static void keeper_stop(struct keeper *k)
{
    intermediates_stop(k->i);
    assert_int_equal(uv_run(&k->loop, UV_RUN_DEFAULT), 0);
    intermediates_destroy(&k->i);
    assert_int_equal(uv_loop_close(&k->loop), 0);
}

static bool learn(struct keeper *k, size_t index)
{
    char *pem = base_pem_encode("CERTIFICATE", certs[index]);
    bool is_new = intermediates_learn(k->i, pem);

    free(pem);
    return is_new;
}

static void assert_file(const char *indexes)
{
    struct pkix_intermediates *known = pkix_intermediates_create();
    char *error = NULL;

    assert_int_equal(intermediates_file_read(path, known, &error), INTERMEDIATES_FILE_READ);
    assert_known(known, indexes);
    pkix_intermediates_destroy(&known);
}

static void keeper_outlives_itself(void **state)
{
    struct keeper k;
    struct stat before, after;

    (void)state;
    keeper_start(&k, path, INTERMEDIATES_WRITE_MS);
    assert_true(learn(&k, 0));
    assert_true(learn(&k, 1));
    assert_false(learn(&k, 0)); /* used again */
    assert_false(intermediates_learn(k.i, "no certificate"));
    assert_int_equal(intermediates_count(k.i), 2);
    assert_int_not_equal(access(path, F_OK), 0); /* not yet */
    keeper_stop(&k);
    assert_file("10");

    keeper_start(&k, path, INTERMEDIATES_WRITE_MS);
    assert_int_equal(intermediates_count(k.i), 2);
    assert_false(learn(&k, 1)); /* the order alone: kept at the end */
    keeper_stop(&k);
    assert_file("01");

    assert_int_equal(stat(path, &before), 0);
    keeper_start(&k, path, 1);
    keeper_stop(&k); /* nothing has changed: the very same file */
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);

    (void)unlink(path);
    keeper_start(&k, path, INTERMEDIATES_WRITE_MS);
    keeper_stop(&k); /* nothing to keep: no file */
    assert_int_not_equal(access(path, F_OK), 0);
}

static void keeper_writes_while_it_runs(void **state)
{
    struct keeper k;

    (void)state;
    keeper_start(&k, path, 1);
    assert_true(learn(&k, 2));
    while (access(path, F_OK) != 0)
        uv_run(&k.loop, UV_RUN_ONCE);
    assert_file("2");
    keeper_stop(&k);
    assert_file("2");
}

static void keeper_without_a_file_remembers_too(void **state)
{
    struct keeper k;
    char *error = NULL;
    struct pkix_intermediates *known = pkix_intermediates_create();
    char text[2 * INTERMEDIATES_PEM_BYTES_MAX + 1024];
    ssize_t size;
    size_t added = 0;

    (void)state;
    keeper_start(&k, NULL, 1);
    assert_int_equal(intermediates_fd(k.i), -1);
    assert_true(learn(&k, 0));
    assert_true(intermediates_fd(k.i) >= 0);
    assert_true(learn(&k, 1));
    size = pread(intermediates_fd(k.i), text, sizeof(text), 0);
    assert_true(intermediates_text_read(span_of(text, (size_t)size), "t", known, &added, &error));
    assert_int_equal(added, 2);
    assert_known(known, "01");
    pkix_intermediates_destroy(&known);
    keeper_stop(&k);
}

static void keeper_moves_to_another_file(void **state)
{
    struct keeper k;

    (void)state;
    keeper_start(&k, NULL, INTERMEDIATES_WRITE_MS);
    assert_true(learn(&k, 0));
    k.config.intermediates = path;
    intermediates_prepare(k.i, &k.config); /* of a reload that fails */
    k.config.intermediates = NULL;
    intermediates_prepare(k.i, &k.config);
    k.config.intermediates = path;
    intermediates_prepare(k.i, &k.config);
    intermediates_commit(k.i);
    keeper_stop(&k);
    assert_file("0");
}

static void keeper_leaves_a_foreign_file_alone(void **state)
{
    struct keeper k;
    char *pem = base_pem_encode("CERTIFICATE", certs[0]);
    struct stat before, after;

    (void)state;
    write_file(pem, 0600);
    assert_int_equal(stat(path, &before), 0);
    keeper_start(&k, path, 1);
    assert_int_equal(intermediates_count(k.i), 0);
    assert_true(learn(&k, 1));
    intermediates_prepare(k.i, &k.config); /* a reload with the same file */
    intermediates_commit(k.i);
    assert_true(learn(&k, 2));
    keeper_stop(&k);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, before.st_size);
    free(pem);
}

static void check_wants_the_folder(void **state)
{
    struct config config = {.intermediates = path, .intermediates_place = {.file = "f", .line = 3}};
    struct config_findings findings = {0};
    char *nowhere = base_printf("%s/no/i.pem", folder), *text, *want;

    (void)state;
    assert_true(intermediates_check(&config, &findings));
    config.intermediates = NULL;
    assert_true(intermediates_check(&config, &findings));
    config.intermediates = nowhere;
    assert_false(intermediates_check(&config, &findings));
    text = config_finding_text(&findings.items[0]);
    want = base_printf("f:3: intermediates: the folder %s/no is not there; make it, name another file, or set none",
                       folder);
    assert_string_equal(text, want);
    free(text);
    free(want);
    config_findings_clear(&findings);
    config.intermediates_place.line = 0; /* the default: then nothing is kept */
    assert_true(intermediates_check(&config, &findings));
    free(nowhere);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(file_has_all_in_the_order_of_use),
        TEST(file_that_is_not_there_or_empty_is_good),
        TEST(damaged_file_is_ignored_as_a_whole),
        TEST(file_with_too_much_is_ignored),
        TEST(foreign_file_is_left_alone),
        TEST(write_leaves_the_old_file_when_it_fails),
        TEST(keeper_outlives_itself),
        TEST(keeper_writes_while_it_runs),
        TEST(keeper_without_a_file_remembers_too),
        TEST(keeper_moves_to_another_file),
        TEST(keeper_leaves_a_foreign_file_alone),
        TEST(check_wants_the_folder),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
