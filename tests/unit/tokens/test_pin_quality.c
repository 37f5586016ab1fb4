/* How good a new PIN is: tokens/pin_quality.h */
#include "tokens/pin_quality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void patterns_do_not_count(void **state)
{
    static const struct {
        const char *pin;
        enum tokens_pin_quality want;
        const char *reason;
    } table[] = {
        {"", TOKENS_PIN_WEAK, ""},
        {"7", TOKENS_PIN_WEAK, "short"},
        {"1111", TOKENS_PIN_WEAK, "repeats"},
        {"00000000000000000000", TOKENS_PIN_WEAK, "repeats"},
        {"1234", TOKENS_PIN_WEAK, "sequence"},
        {"98765432", TOKENS_PIN_WEAK, "sequence"},
        {"12345678901234567890", TOKENS_PIN_WEAK, "repeats"},
        {"121212", TOKENS_PIN_WEAK, "repeats"},
        {"112233", TOKENS_PIN_WEAK, "sequence"},
        {"abcdef", TOKENS_PIN_WEAK, "sequence"},
        {"xyxyxyxyxy", TOKENS_PIN_WEAK, "repeats"},
        {"583", TOKENS_PIN_WEAK, "short"},
        {"5839", TOKENS_PIN_FAIR, "digits only"},
        {"583907", TOKENS_PIN_FAIR, "digits only"},
        {"58395839", TOKENS_PIN_FAIR, "repeats"},
        {"pelican", TOKENS_PIN_FAIR, "short"},
        {"5839274058136", TOKENS_PIN_GOOD, ""},
        {"7hR!x0qPw", TOKENS_PIN_GOOD, ""},
        {"\xc3\xa4\xc3\xb6 wet\xc3\xbc", TOKENS_PIN_GOOD, ""}, /* bytes above 0x7f are others */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct tokens_pin_meter meter = tokens_pin_measure(table[i].pin, NULL);

        if (meter.quality != table[i].want || strstr(meter.reason, table[i].reason) == NULL)
            fail_msg("%s: %s (%u bits), \"%s\"", table[i].pin, tokens_pin_quality_name(meter.quality), meter.bits,
                     meter.reason);
        assert_true((meter.quality == TOKENS_PIN_GOOD) == (meter.reason[0] == '\0'));
    }
}

static void longer_is_never_worse_without_a_pattern(void **state)
{
    static const char pin[] = "a7Kd!2mZq8?Rf5Wx";
    unsigned before = 0;

    (void)state;
    for (size_t size = 1; size < sizeof(pin); size++) {
        char part[sizeof(pin)] = "";
        struct tokens_pin_meter meter;

        memcpy(part, pin, size);
        meter = tokens_pin_measure(part, NULL);
        assert_true(meter.bits > before);
        before = meter.bits;
    }
}

static void the_old_one_again_is_weak(void **state)
{
    (void)state;
    assert_int_equal(tokens_pin_measure("7hR!x0qPw", "7hR!x0qP").quality, TOKENS_PIN_GOOD);
    assert_int_equal(tokens_pin_measure("7hR!x0qPw", "7hR!x0qPw").quality, TOKENS_PIN_WEAK);
    assert_non_null(strstr(tokens_pin_measure("7hR!x0qPw", "7hR!x0qPw").reason, "replaces"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_do_not_count),
        cmocka_unit_test(longer_is_never_worse_without_a_pattern),
        cmocka_unit_test(the_old_one_again_is_weak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
