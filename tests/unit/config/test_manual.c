/* The manual pages and the code say the same: each option has its entry in yett.conf(5), in the section it belongs to,
 * with its default and every word it takes, and no entry is without an option; yett(8) has every name of an error. */
#include "config/options.h"
#include "pkix/error.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;

    assert_non_null(file);
    assert_true(getdelim(&text, &capacity, '\0', file) > 0);
    fclose(file);
    return text;
}

/* The text of an option's entry: from its ".It Ic NAME " to the next option's, section or subsection; owned by the
 * caller. NULL when there is none. */
static char *entry_text(const char *section, const char *name)
{
    char *start = base_printf("\n.It Ic %s ", name);
    const char *at = strstr(section, start), *end = NULL;
    static const char *const ends[] = {"\n.It Ic ", "\n.Sh ", "\n.Ss "};

    free(start);
    if (at == NULL)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        const char *found = strstr(at + 1, ends[i]);

        if (found != NULL && (end == NULL || found < end))
            end = found;
    }
    return end == NULL ? base_strdup(at) : base_strndup(at, (size_t)(end - at));
}

/* The part of the page under the heading of `section`; owned by the caller. */
static char *section_text(const char *page, enum option_section section)
{
    char *heading = base_printf("\n.Sh \"%s", option_section_text(section));
    const char *at = strstr(page, heading), *end;

    if (at == NULL)
        fail_msg("no heading %s", heading + 1);
    free(heading);
    end = strstr(at + 1, "\n.Sh ");
    assert_non_null(end);
    return base_strndup(at, (size_t)(end - at) + 1);
}

static bool has_word(const char *entry, const char *word)
{
    static const char *const forms[] = {" Cm %s\n", " Cm %s ", " | %s\n", " | %s ", " Li %s "};
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(forms) && !found; i++) {
        char form[64];
        const char *gap = strstr(forms[i], "%s");

        snprintf(form, sizeof(form), "%.*s%s%s", (int)(gap - forms[i]), forms[i], word, gap + 2);
        found = strstr(entry, form) != NULL;
    }
    return found;
}

static void options_are_in_the_manual(void **state)
{
    char *page = file_text(YETT_MANUAL_FOLDER "/yett.conf.5");

    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        const char *fallback = o->default_text != NULL ? o->default_text : o->default_value;
        char *section = section_text(page, o->section);
        char *entry = entry_text(section, o->name);
        char *want = o->need == OPTION_REQUIRED ? base_strdup("\nRequired.") : base_printf("\nDefault: %s.", fallback);

        if (entry == NULL)
            fail_msg("%s %s is not in yett.conf(5)", option_section_text(o->section), o->name);
        if (strstr(entry, want) == NULL)
            fail_msg("%s: not in its entry: %s", o->name, want + 1);
        for (const struct value_word *word = o->words; word != NULL && word->name != NULL; word++)
            if (word->state == VALUE_WORD_READY && !has_word(entry, word->name))
                fail_msg("%s: %s is not in its entry", o->name, word->name);
        for (const struct value_word *word = o->words; word != NULL && word->name != NULL; word++)
            if (word->state == VALUE_WORD_NOT_YET && has_word(entry, word->name))
                fail_msg("%s: %s is in its entry, and not in this version", o->name, word->name);
        free(want);
        free(entry);
        free(section);
    }
    free(page);
}

static void entries_of_the_manual_are_options(void **state)
{
    static const char start[] = "\n.It Ic ";
    char *page = file_text(YETT_MANUAL_FOLDER "/yett.conf.5");
    size_t count = 0;

    (void)state;
    for (const char *at = strstr(page, start); at != NULL; at = strstr(at + 1, start)) {
        const char *name = at + strlen(start);
        char *text = base_strndup(name, strcspn(name, " \n"));
        bool found = false;

        for (int section = 0; section < OPTION_SECTION_COUNT; section++)
            found |= option_find((enum option_section)section, text) != NULL;
        if (!found)
            fail_msg("%s is in yett.conf(5), and no option", text);
        free(text);
        count++;
    }
    assert_int_equal(count, OPTION_COUNT);
    free(page);
}

static void describe_has_a_line_for_each_option(void **state)
{
    size_t size, lines = 0;
    char *text;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    config_describe(out);
    fclose(out);
    for (const char *p = text; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(lines, OPTION_COUNT);
    assert_non_null(
        strstr(text, "[yett] workers | NUMBER|auto | auto | Worker processes; auto is one for each core.\n"));
    assert_non_null(strstr(text, "[service NAME] listen | ADDRESS, ... | required | Where clients connect.\n"));
    assert_non_null(strstr(text, "[service NAME] listen_tls | none|implicit|starttls | none | TLS with clients.\n"));
    free(text);
}

/* The default of idle_timeout depends on the protocol: it names those that differ. */
static void idle_timeout_names_the_protocols_that_differ(void **state)
{
#define PROTOCOL_IDLE(id, object, word, starttls, idle_ms) {word, idle_ms},
    static const struct {
        const char *word;
        unsigned idle_ms;
    } protocols[] = {PROTOCOLS(PROTOCOL_IDLE)};
#undef PROTOCOL_IDLE
    char *want = base_printf("%um", PROTOCOL_IDLE_MS / 60000);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        char *shorter = want;

        if (protocols[i].idle_ms == PROTOCOL_IDLE_MS)
            continue;
        want = protocols[i].idle_ms % 3600000 == 0
                   ? base_printf("%s, with %s %uh", shorter, protocols[i].word, protocols[i].idle_ms / 3600000)
                   : base_printf("%s, with %s %um", shorter, protocols[i].word, protocols[i].idle_ms / 60000);
        free(shorter);
    }
    assert_string_equal(config_options[OPTION_IDLE_TIMEOUT].default_text, want);
    free(want);
}

static void errors_of_verify_are_in_the_manual(void **state)
{
#define ERROR_NAME(enumerator, name, code, sentence) name,
    static const char *const names[] = {PKIX_ERROR_LIST(ERROR_NAME)};
    char *page = file_text(YETT_MANUAL_FOLDER "/yett.8");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *want = base_printf("\n.It Li %s\n", names[i]);

        if (strcmp(names[i], "ok") != 0 && strstr(page, want) == NULL)
            fail_msg("the error %s is not in yett(8)", names[i]);
        free(want);
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_in_the_manual),
        cmocka_unit_test(entries_of_the_manual_are_options),
        cmocka_unit_test(describe_has_a_line_for_each_option),
        cmocka_unit_test(idle_timeout_names_the_protocols_that_differ),
        cmocka_unit_test(errors_of_verify_are_in_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
