/* The steps to a target (proxy/session/target_steps.h): each configuration, the whole list. */
#include "proxy/session/target_steps.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static const char letters[] = {
    [TARGET_STEP_VIA] = 'v', [TARGET_STEP_HEADER] = 'h',   [TARGET_STEP_NEGOTIATE] = 'n', [TARGET_STEP_DRAIN] = 'd',
    [TARGET_STEP_TLS] = 't', [TARGET_STEP_GREETING] = 'g', [TARGET_STEP_SERVE] = 's'};

static void target_steps_make_each(void **state)
{
    static const struct {
        struct target_steps_options options;
        const char *want;
    } rows[] = {
        {{false, CONFIG_TLS_NONE, false, false}, "hs"},        {{false, CONFIG_TLS_NONE, false, true}, "hs"},
        {{false, CONFIG_TLS_NONE, true, false}, "hgs"},        {{false, CONFIG_TLS_NONE, true, true}, "hgs"},
        {{false, CONFIG_TLS_IMPLICIT, false, false}, "hdts"},  {{false, CONFIG_TLS_IMPLICIT, false, true}, "hdts"},
        {{false, CONFIG_TLS_IMPLICIT, true, false}, "hdtgs"},  {{false, CONFIG_TLS_IMPLICIT, true, true}, "hdtgs"},
        {{false, CONFIG_TLS_STARTTLS, false, false}, "hndts"}, {{false, CONFIG_TLS_STARTTLS, false, true}, "hndtgs"},
        {{false, CONFIG_TLS_STARTTLS, true, false}, "hndts"},  {{false, CONFIG_TLS_STARTTLS, true, true}, "hndtgs"},
        {{true, CONFIG_TLS_NONE, false, false}, "vhs"},        {{true, CONFIG_TLS_NONE, false, true}, "vhs"},
        {{true, CONFIG_TLS_NONE, true, false}, "vhgs"},        {{true, CONFIG_TLS_NONE, true, true}, "vhgs"},
        {{true, CONFIG_TLS_IMPLICIT, false, false}, "vhdts"},  {{true, CONFIG_TLS_IMPLICIT, false, true}, "vhdts"},
        {{true, CONFIG_TLS_IMPLICIT, true, false}, "vhdtgs"},  {{true, CONFIG_TLS_IMPLICIT, true, true}, "vhdtgs"},
        {{true, CONFIG_TLS_STARTTLS, false, false}, "vhndts"}, {{true, CONFIG_TLS_STARTTLS, false, true}, "vhndtgs"},
        {{true, CONFIG_TLS_STARTTLS, true, false}, "vhndts"},  {{true, CONFIG_TLS_STARTTLS, true, true}, "vhndtgs"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct target_steps got = target_steps_make(&rows[i].options);
        char text[TARGET_STEP_COUNT + 1] = "";

        for (size_t k = 0; k < got.count; k++)
            text[k] = letters[got.items[k]];
        assert_string_equal(text, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(target_steps_make_each)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
