#include "support.h"
#include "tokens/pin.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct test_store store;

static int setup(void **state)
{
    (void)state;
    test_store_create(&store);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_store_destroy(&store);
    return 0;
}

static char *file_with(const char *name, const char *text, mode_t mode)
{
    char *path = test_store_path(&store, name);
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void expect_pin(enum tokens_pin_source source, const char *value, const char *want)
{
    char *error = NULL;
    struct tokens_pin *pin = tokens_pin_read(source, value, NULL, &error);

    if (pin == NULL)
        fail_msg("%s", error);
    assert_string_equal(tokens_pin_text(pin), want);
    tokens_pin_destroy(&pin);
    assert_null(pin);
}

static void expect_error(enum tokens_pin_source source, const char *value, const char *want)
{
    char *error = NULL;
    struct tokens_pin *pin = tokens_pin_read(source, value, NULL, &error);

    assert_null(pin);
    assert_non_null(error);
    if (strstr(error, want) == NULL || strstr(error, "5678") != NULL)
        fail_msg("got \"%s\", want \"%s\" in it and no PIN", error, want);
    free(error);
}

static void read_file_takes_private_files_only(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        const char *want, *error;
    } table[] = {
        {"5678\n", 0600, "5678", NULL},
        {"5678", 0400, "5678", NULL},
        {"5678\r\n", 0600, "5678", NULL},
        {" 56 78 \n", 0600, " 56 78 ", NULL},
        {"\xef\xbb\xbf"
         "5678\r",
         0600, "5678", NULL},
        {"5678\r5678", 0600, NULL, "more than one line"},
        {"5678\n", 0640, NULL, "mode 0640"},
        {"5678\n", 0604, NULL, "mode 0604"},
        {"\n", 0600, NULL, "empty"},
        {"5678\n5678\n", 0600, NULL, "more than one line"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *path = file_with("pin", table[i].text, table[i].mode);

        if (table[i].want != NULL)
            expect_pin(TOKENS_PIN_FILE, path, table[i].want);
        else
            expect_error(TOKENS_PIN_FILE, path, table[i].error);
        unlink(path);
        free(path);
    }
    expect_error(TOKENS_PIN_FILE, "/nonexistent/pin", "cannot be opened");
    expect_error(TOKENS_PIN_FILE, store.directory, "not a file");
}

static void read_file_refuses_another_owner(void **state)
{
    char *path = file_with("foreign", "5678\n", 0600);

    (void)state;
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
        expect_error(TOKENS_PIN_FILE, path, "belongs to 12345");
    } else {
        expect_error(TOKENS_PIN_FILE, "/etc/passwd", "may be read");
    }
    free(path);
}

static void read_file_limits_the_length(void **state)
{
    char text[TOKENS_PIN_MAX + 3];
    char *path;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[TOKENS_PIN_MAX] = '\n';
    text[TOKENS_PIN_MAX + 1] = '\0';
    path = file_with("long", text, 0600);
    text[TOKENS_PIN_MAX] = '\0';
    expect_pin(TOKENS_PIN_FILE, path, text);
    free(path);
    text[TOKENS_PIN_MAX] = 'x';
    text[TOKENS_PIN_MAX + 1] = '\0';
    path = file_with("longer", text, 0600);
    expect_error(TOKENS_PIN_FILE, path, "longer than 255");
    free(path);
}

static void read_credential_stays_in_its_directory(void **state)
{
    char *path = file_with("hsm-pin", "5678\n", 0440);

    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    expect_error(TOKENS_PIN_CREDENTIAL, "hsm-pin", "LoadCredential");
    setenv("CREDENTIALS_DIRECTORY", store.directory, 1);
    expect_pin(TOKENS_PIN_CREDENTIAL, "hsm-pin", "5678");
    expect_error(TOKENS_PIN_CREDENTIAL, "../hsm-pin", "not the name");
    expect_error(TOKENS_PIN_CREDENTIAL, "..", "not the name");
    expect_error(TOKENS_PIN_CREDENTIAL, "", "not the name");
    expect_error(TOKENS_PIN_CREDENTIAL, "other", "cannot be opened");
    unsetenv("CREDENTIALS_DIRECTORY");
    free(path);
}

static void read_environment_takes_the_variable_away(void **state)
{
    static char variable[] = "YETT_TEST_PIN=5678";

    (void)state;
    putenv(variable);
    expect_pin(TOKENS_PIN_ENV, "YETT_TEST_PIN", "5678");
    assert_null(getenv("YETT_TEST_PIN"));
    assert_null(strstr(variable, "5678")); /* the very memory that /proc/PID/environ shows */
    expect_error(TOKENS_PIN_ENV, "YETT_TEST_PIN", "not set");
}

/* Last of what reads the environment: there is no way back in a process. */
static void what_is_taken_out_of_the_environment_is_read_once_and_nothing_else(void **state)
{
    static char first[] = "YETT_TEST_PIN_A=5678", late[] = "YETT_TEST_PIN_B=8765", endless[512] = "YETT_TEST_PIN_C=";
    static const char *const names[] = {"YETT_TEST_PIN_A", "YETT_TEST_PIN_C", "YETT_TEST_NOT_SET"};

    (void)state;
    memset(endless + strlen(endless), '9', TOKENS_PIN_MAX + 1);
    putenv(first);
    putenv(endless);
    tokens_pin_take_environment(names, ARRAY_LEN(names));
    assert_null(strstr(first, "5678"));
    assert_null(strchr(endless, '9'));
    assert_null(getenv("YETT_TEST_PIN_A"));
    expect_pin(TOKENS_PIN_ENV, "YETT_TEST_PIN_A", "5678");
    expect_error(TOKENS_PIN_ENV, "YETT_TEST_PIN_A", "not set");
    expect_error(TOKENS_PIN_ENV, "YETT_TEST_PIN_C", "longer than 255");
    expect_error(TOKENS_PIN_ENV, "YETT_TEST_NOT_SET", "not set");
    /* One that was not named in time is in NSS's memory by now: it is not taken for a secret any more. */
    putenv(late);
    expect_error(TOKENS_PIN_ENV, "YETT_TEST_PIN_B", "only at the start");
    assert_null(strstr(late, "8765"));
}

static void read_prompt_needs_a_terminal(void **state)
{
    (void)state;
    setsid(); /* fails when there is a session of its own already, which has no terminal either */
    expect_error(TOKENS_PIN_PROMPT, NULL, "no terminal");
    expect_error(TOKENS_PIN_NONE, NULL, "no PIN is configured");
}

/* Whether the mapping at an address has a flag of /proc/PID/smaps: "lo" locked, "dd" not dumped, "dc" not forked. */
static bool has_flag(const void *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    char line[512];
    unsigned long start, end;
    bool inside = false, found = false;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (unsigned long)address >= start && (unsigned long)address < end;
        else if (inside && strncmp(line, "VmFlags:", strlen("VmFlags:")) == 0)
            found = strstr(line, flag) != NULL;
    }
    fclose(file);
    return found;
}

static void copy_keeps_the_pin_in_memory_of_its_own(void **state)
{
    char *error = NULL;
    struct tokens_pin *pin = tokens_pin_copy("5678", 4, &error);

    (void)state;
    assert_non_null(pin);
    assert_true(has_flag(tokens_pin_text(pin), " dd"));
    assert_true(has_flag(tokens_pin_text(pin), " dc"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(has_flag(tokens_pin_text(pin), " lo")); /* the sanitizers make mlock() do nothing */
#endif
    tokens_pin_destroy(&pin);
    tokens_pin_destroy(&pin);
    assert_null(tokens_pin_copy("56\00078", 5, &error));
    free(error);
    assert_null(tokens_pin_copy("", 0, &error));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_file_takes_private_files_only),
        cmocka_unit_test(read_file_refuses_another_owner),
        cmocka_unit_test(read_file_limits_the_length),
        cmocka_unit_test(read_credential_stays_in_its_directory),
        cmocka_unit_test(read_environment_takes_the_variable_away),
        cmocka_unit_test(what_is_taken_out_of_the_environment_is_read_once_and_nothing_else),
        cmocka_unit_test(read_prompt_needs_a_terminal),
        cmocka_unit_test(copy_keeps_the_pin_in_memory_of_its_own),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
