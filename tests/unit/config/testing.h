/* tests/unit/config/testing.h: a configuration from a string, and its findings as text. */
#ifndef YETT_TESTS_CONFIG_TESTING_H
#define YETT_TESTS_CONFIG_TESTING_H

#include "config/config.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* All findings, each with a newline; owned by the caller. Clears them. */
static inline char *testing_findings_text(struct config_findings *findings)
{
    char *all = base_strdup("");

    for (size_t i = 0; i < findings->count; i++) {
        char *text = config_finding_text(&findings->items[i]);
        char *longer = base_printf("%s%s\n", all, text);

        free(all);
        free(text);
        all = longer;
    }
    config_findings_clear(findings);
    return all;
}

/* Parse `text` as the file "f". */
static inline struct config *testing_parse(const char *text, struct config_findings *findings)
{
    struct config_snapshot *snapshot = config_snapshot_from_memory("f", span_of_string(text));
    struct config *config = config_parse(snapshot, findings);

    config_snapshot_destroy(&snapshot);
    return config;
}

/* Parse what must be good. */
static inline struct config *testing_parse_good(const char *text)
{
    struct config_findings findings = {.items = NULL};
    struct config *config = testing_parse(text, &findings);
    char *found = testing_findings_text(&findings);

    assert_string_equal(found, "");
    assert_non_null(config);
    free(found);
    return config;
}

/* Parse what must have exactly these findings. */
static inline void testing_expect_findings(const char *text, const char *want)
{
    struct config_findings findings = {.items = NULL};
    struct config *config = testing_parse(text, &findings);
    char *got = testing_findings_text(&findings);

    if (strcmp(got, want) != 0)
        print_error("for\n%s\n", text);
    assert_string_equal(got, want);
    assert_null(config);
    free(got);
}

#endif
