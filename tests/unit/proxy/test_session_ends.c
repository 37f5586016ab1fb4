/* The ends of a session are in yett(8), ENDS OF A CONNECTION, each with its event, level, fault, sentence and advice,
 * in the order of the list, and no other is there. */
#include "proxy/session/session_advice.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static char *manual_section(void)
{
    FILE *file = fopen(YETT_MANUAL_FOLDER "/yett.8", "r");
    char *text = NULL, *start, *end, *section;
    size_t capacity = 0;

    assert_non_null(file);
    assert_true(getdelim(&text, &capacity, '\0', file) > 0);
    fclose(file);
    start = strstr(text, "\n.Sh ENDS OF A CONNECTION\n");
    assert_non_null(start);
    end = strstr(start + 1, "\n.Sh ");
    assert_non_null(end);
    section = base_strndup(start, (size_t)(end - start) + 1);
    free(text);
    return section;
}

/* Words as the page has them: line breaks are blanks, and macros that mark up a word are lines of their own. */
static char *flatten(const char *text)
{
    char *out = base_alloc(strlen(text) + 1), *o = out;

    for (const char *at = text; *at != '\0'; at++) {
        bool line_start = at == text || at[-1] == '\n';

        if (line_start && (strncmp(at, ".Ic ", 4) == 0 || strncmp(at, ".Cm ", 4) == 0 || strncmp(at, ".Li ", 4) == 0))
            at += 4;
        if (*at == '\n' || *at == ' ') {
            if (o != out && o[-1] != ' ')
                *o++ = ' ';
        } else if (!(*at == '\\' && at[1] == '&')) {
            *o++ = *at;
        } else {
            at++;
        }
    }
    return out;
}

/* " ," and " ;" as mdoc writes them behind a macro. */
static void close_up(char *text)
{
    char *o = text;

    for (const char *at = text; *at != '\0'; at++)
        if (!(*at == ' ' && (at[1] == ',' || at[1] == ';' || at[1] == ':' || at[1] == '.')))
            *o++ = *at;
    *o = '\0';
}

static void ends_are_in_the_manual(void **state)
{
    char *section = manual_section();
    const char *at = section;

    (void)state;
    for (int ended = SESSION_ENDED_none + 1; ended < SESSION_ENDED_COUNT; ended++) {
        const struct session_end *end = session_end_of((enum session_ended)ended);
        const char *level = end->level == LOG_LEVEL_WARNING ? "warning"
                            : end->level == LOG_LEVEL_INFO  ? "info"
                                                            : "debug";
        char *head = base_printf("\n.It Li %s\n", end->name), *entry, *flat, *want;
        const char *next;

        at = strstr(at, head);
        if (at == NULL)
            fail_msg("yett(8) has no entry for %s, or not in its place", end->name);
        next = strstr(at + 1, "\n.It Li ");
        if (next == NULL)
            next = strstr(at + 1, "\n.El");
        assert_non_null(next);
        entry = base_strndup(at + strlen(head), (size_t)(next - at) + 1 - strlen(head));
        flat = flatten(entry);
        close_up(flat);
        want = base_printf("(%s, %s, fault %s) %s%s%s. ", end->event, level, session_fault_name(end->fault),
                           end->sentence, end->advice[0] == '\0' ? "" : ": ", end->advice);
        if (strcmp(flat, want) != 0)
            fail_msg("%s: yett(8) has\n\"%s\", the list\n\"%s\"", end->name, flat, want);
        free(want);
        free(flat);
        free(entry);
        free(head);
        at = next;
    }
    assert_null(strstr(at, "\n.It Li "));
    free(section);
}

/* Names are looked for by monitors: one for each, of letters that need no quotes. */
static void names_are_one_for_each(void **state)
{
    (void)state;
    for (int i = 0; i < SESSION_ENDED_COUNT; i++) {
        const struct session_end *end = session_end_of((enum session_ended)i);

        assert_int_equal(strspn(end->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(end->name));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(end->name, session_end_of((enum session_ended)j)->name);
        /* Who has to do something is told what. */
        assert_true(end->level != LOG_LEVEL_WARNING || (end->advice[0] != '\0' && end->fault != SESSION_FAULT_NOBODY));
    }
}

/* The same error is another's to mend on the other side, and only where TLS failed. */
static void errors_of_tls_have_advice(void **state)
{
    (void)state;
    assert_non_null(strstr(session_advice(SESSION_ENDED_tls_failed, "unknown_issuer"), "peer_trust must name"));
    assert_ptr_equal(strstr(session_advice(SESSION_ENDED_target_tls_failed, "unknown_issuer"), "trust must"),
                     session_advice(SESSION_ENDED_target_tls_failed, "unknown_issuer"));
    assert_non_null(session_advice(SESSION_ENDED_tls_failed, "SSL_ERROR_NO_CERTIFICATE"));
    assert_null(session_advice(SESSION_ENDED_target_tls_failed, "SSL_ERROR_NO_CERTIFICATE"));
    assert_null(session_advice(SESSION_ENDED_tls_failed, "name_mismatch"));
    assert_null(session_advice(SESSION_ENDED_tls_failed, "not_tls"));
    assert_null(session_advice(SESSION_ENDED_tls_failed, ""));
    assert_null(session_advice(SESSION_ENDED_reset, "ECONNRESET"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_in_the_manual),
        cmocka_unit_test(names_are_one_for_each),
        cmocka_unit_test(errors_of_tls_have_advice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
