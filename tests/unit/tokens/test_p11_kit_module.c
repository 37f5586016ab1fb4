/* What of p11-kit's configuration is read: see tokens/p11_kit_module.h */
#include "tokens/p11_kit_module.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text, *path, *parameters; /* path NULL: it is refused */
} table[] = {
    {"module: /usr/lib/a.so\n", "/usr/lib/a.so", NULL},
    {"# a comment\n\n  module :  a.so  \r\ncritical: yes\nx-init-reserved: configdir='sql:/x' flags=readOnly", "a.so",
     "configdir='sql:/x' flags=readOnly"},
    {"module: first\nmodule: second\n", "first", NULL},
    {"module:\nmodule: second", "second", NULL},
    {"#module: none\nx-init-reserved: x\n", NULL, NULL},
    {"modules: a\nmodule a\n", NULL, NULL},
    {"", NULL, NULL},
};

static void what_a_file_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct tokens_p11_kit_module module;
        bool good = tokens_p11_kit_module_read(table[i].text, strlen(table[i].text), &module);

        assert_int_equal(good, table[i].path != NULL);
        if (!good) {
            assert_null(module.path);
            assert_null(module.parameters);
            continue;
        }
        assert_string_equal(module.path, table[i].path);
        if (table[i].parameters == NULL)
            assert_null(module.parameters);
        else
            assert_string_equal(module.parameters, table[i].parameters);
        free(module.path);
        free(module.parameters);
    }
}

static void a_nul_is_no_text(void **state)
{
    static const char text[] = "module: a\0b\n";
    struct tokens_p11_kit_module module;

    (void)state;
    assert_false(tokens_p11_kit_module_read(text, sizeof(text) - 1, &module));
    assert_null(module.path);
}

static void a_name_that_nobody_has_configured(void **state)
{
    struct tokens_p11_kit_module module;
    char *error = NULL;

    (void)state;
    assert_true(tokens_p11_kit_module_find("yett-test-nobody-has-this", &module, &error));
    assert_null(module.path);
    assert_null(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_file_says),
        cmocka_unit_test(a_nul_is_no_text),
        cmocka_unit_test(a_name_that_nobody_has_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
