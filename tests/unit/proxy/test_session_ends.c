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

static struct session_remedy of_tls(enum session_ended ended, const char *error)
{
    return session_remedy(&(struct session_cause){.ended = ended, .error = error});
}

/* The same error is another's to mend on the other side, and only where TLS failed. */
static void errors_of_tls_have_advice(void **state)
{
    (void)state;
    assert_non_null(strstr(of_tls(SESSION_ENDED_tls_failed, "unknown_issuer").advice, "peer_trust must name"));
    assert_int_equal(strncmp(of_tls(SESSION_ENDED_target_tls_failed, "unknown_issuer").advice, "trust must", 10), 0);
    assert_non_null(strstr(of_tls(SESSION_ENDED_tls_failed, "SSL_ERROR_NO_CERTIFICATE").advice, "peer_trust"));
    assert_non_null(strstr(of_tls(SESSION_ENDED_tls_failed, "not_tls").advice, "port, protocol"));
    assert_ptr_equal(of_tls(SESSION_ENDED_tls_failed, "name_mismatch").advice,
                     session_end_of(SESSION_ENDED_tls_failed)->advice);
    assert_ptr_equal(of_tls(SESSION_ENDED_tls_failed, "").advice, session_end_of(SESSION_ENDED_tls_failed)->advice);
    assert_ptr_equal(of_tls(SESSION_ENDED_reset, "ECONNRESET").advice, session_end_of(SESSION_ENDED_reset)->advice);
}

/* yett(8) has the names of ours; nobody is sent there for one of NSS's. */
static void names_of_others_are_not_looked_up(void **state)
{
    static const enum session_ended ends[] = {SESSION_ENDED_tls_failed, SESSION_ENDED_target_tls_failed,
                                              SESSION_ENDED_relay_tls_failed};
    static const char *const names[] = {"SSL_ERROR_BAD_MAC_READ", "SSL_ERROR_RX_MALFORMED_CLIENT_HELLO", "ECONNRESET",
                                        "SSL_ERROR_RENEGOTIATION_NOT_ALLOWED"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        for (size_t n = 0; n < ARRAY_LEN(names); n++)
            assert_null(strstr(of_tls(ends[i], names[n]).advice, "yett(8)"));
}

/* A fault of PEER is one of the two; whose it is, is known where it happened. */
static void whoever_broke_it_is_blamed(void **state)
{
    static const enum session_ended ends[] = {SESSION_ENDED_relay_protocol_error, SESSION_ENDED_relay_tls_failed};
    static const enum session_fault faults[] = {SESSION_FAULT_CLIENT, SESSION_FAULT_TARGET, SESSION_FAULT_HERE};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        for (size_t n = 0; n < ARRAY_LEN(faults); n++)
            assert_int_equal(
                session_remedy(&(struct session_cause){.ended = ends[i], .error = "", .fault = faults[n]}).fault,
                faults[n]);
    /* Our own certificate is ours to mend, whatever the server says of it. */
    assert_int_equal(of_tls(SESSION_ENDED_target_tls_failed, "alert_received_certificate_expired").fault,
                     SESSION_FAULT_HERE);
    assert_int_equal(of_tls(SESSION_ENDED_target_tls_failed, "expired").fault, SESSION_FAULT_TARGET);
}

/* Who has no token is not sent to look at it. */
static void a_key_of_a_file_is_no_tokens(void **state)
{
    struct session_cause cause = {.ended = SESSION_ENDED_identity_unavailable,
                                  .error = "SSL_ERROR_SIGN_HASHES_FAILURE"};

    (void)state;
    assert_non_null(strstr(session_remedy(&cause).advice, "token"));
    cause.key_is_of_file = true;
    assert_null(strstr(session_remedy(&cause).advice, "token"));
    assert_non_null(strstr(session_remedy(&cause).advice, "keys of files"));
}

/* A client that names the target itself is not sent to settings that an http-proxy does not have. */
static void a_proxy_has_advice_of_its_own(void **state)
{
    struct session_cause cause = {.ended = SESSION_ENDED_target_tls_failed, .error = "name_mismatch", .is_proxy = true};

    (void)state;
    assert_null(strstr(session_remedy(&cause).advice, "verify_name"));
    cause = (struct session_cause){.ended = SESSION_ENDED_protocol_error, .error = "", .is_proxy = true};
    cause.http_status = 403;
    assert_non_null(strstr(session_remedy(&cause).advice, "https URI"));
    assert_null(strstr(session_remedy(&cause).advice, "is set to use TLS"));
    cause.http_status = 400;
    assert_null(strstr(session_remedy(&cause).advice, "is set to use TLS"));
    cause.is_proxy = false;
    assert_non_null(strstr(session_remedy(&cause).advice, "is set to use TLS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_in_the_manual),       cmocka_unit_test(names_are_one_for_each),
        cmocka_unit_test(errors_of_tls_have_advice),    cmocka_unit_test(names_of_others_are_not_looked_up),
        cmocka_unit_test(whoever_broke_it_is_blamed),   cmocka_unit_test(a_proxy_has_advice_of_its_own),
        cmocka_unit_test(a_key_of_a_file_is_no_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
