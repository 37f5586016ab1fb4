/* Every row of the table of options with every kind of mistake that any option can have, and with a value of its own
 * that is refused: an option that is added without one fails here. */
#include "testing.h"

#include "config/options.h"

#include <ctype.h>
#include <stdio.h>

#define LONG_PATH                                                                                                      \
    "/run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/s"

/* A text takes anything but what no value may be. */
#define QUOTED "\"text\""

static const char *const bad_values[OPTION_COUNT] = {
    [OPTION_INCLUDE] = QUOTED,
    [OPTION_WORKERS] = "257",
    [OPTION_CONTROL] = LONG_PATH,
    [OPTION_ADMIN] = "192.0.2.1:80",
    [OPTION_DATABASE] = "dbm:/x",
    [OPTION_ACCELERATOR] = "yett-accelerator.so",
    [OPTION_FILE_KEYS] = "token",
    [OPTION_CRL_DIRECTORY] = QUOTED,
    [OPTION_INTERMEDIATES] = QUOTED,
    [OPTION_LOG] = "file",
    [OPTION_LOG_FORMAT] = "xml",
    [OPTION_LOG_LEVEL] = "trace",
    [OPTION_DRAIN_TIMEOUT] = "1ms",
    [OPTION_EXPIRY_WARNING] = "46d",
    [OPTION_HANDSHAKE_QUEUE_MAX] = "0",
    [OPTION_BLOCKLIST] = "/x",
    [OPTION_ROOTS] = QUOTED,
    [OPTION_DISTRUST] = "/x",
    [OPTION_USER] = "/home/yett",
    [OPTION_EV] = "/x",
    [OPTION_INSECURE_NO_SECCOMP] = "maybe",
    [OPTION_LOOK] = "alice bob",
    [OPTION_OPERATE] = "@",
    [OPTION_ADMINISTER] = "@wheel, al/ice",
    [OPTION_INSECURE_PROGRAMS] = "sh",
    [OPTION_PATH] = QUOTED,
    [OPTION_PIN] = "1234",
    [OPTION_ENVIRONMENT] = "NAME",
    [OPTION_SESSIONS_MAX] = "257",
    [OPTION_QUEUE_MAX] = "0",
    [OPTION_SIGN_TIMEOUT] = "2h",
    [OPTION_PARAMETERS] = QUOTED,
    [OPTION_SERIALISE] = "sometimes",
    [OPTION_PROTOCOL] = "gopher",
    [OPTION_LISTEN] = "127.0.0.1",
    [OPTION_LISTEN_TLS] = "on",
    [OPTION_SERVER_NAME] = "a.*",
    [OPTION_ACCEPT_PROXY] = "v3",
    [OPTION_ACCEPT_PROXY_FROM] = "10.0.0.1/8",
    [OPTION_ALLOW_CLIENT] = "[::1]",
    [OPTION_IDENTITY] = "x.pem",
    [OPTION_SNI] = "all",
    [OPTION_ALPN] = "a,,b",
    [OPTION_OCSP_STAPLE] = QUOTED,
    [OPTION_PEER] = "yes",
    [OPTION_PEER_PURPOSE] = "both",
    [OPTION_PEER_TRUST] = "/ca.pem",
    [OPTION_ALLOW] = "alice",
    [OPTION_CONNECT] = "127.0.0.1:65536",
    [OPTION_BALANCE] = "random",
    [OPTION_CONNECT_TLS] = "on",
    [OPTION_CONNECT_IDENTITY] = "nss:name",
    [OPTION_NO_SUITABLE_IDENTITY] = "any",
    [OPTION_VERIFY_NAME] = "*.example.org",
    [OPTION_TRUST] = "all",
    [OPTION_REVOCATION] = "on",
    [OPTION_CRL] = "/x.crl",
    [OPTION_OCSP_FETCH] = "true",
    [OPTION_OCSP_TIMEOUT] = "61s",
    [OPTION_CRL_FETCH] = "always",
    [OPTION_CRL_TIMEOUT] = "11m",
    [OPTION_ISSUER_FETCH] = "http://pki.example.org/",
    [OPTION_VIA] = "proxy",
    [OPTION_SEND_PROXY] = "v3",
    [OPTION_ALLOW_TARGET] = "*",
    [OPTION_PIN_SPKI_SHA256] = "00",
    [OPTION_POLICY] = "1.2.x",
    [OPTION_CIPHERS] = "HIGH",
    [OPTION_TLS_MIN] = "1.1",
    [OPTION_GROUPS] = "x25519, auto",
    [OPTION_GREETING_NAME] = "mail exchanger",
    [OPTION_CONNECT_TIMEOUT] = "10 s",
    [OPTION_HANDSHAKE_TIMEOUT] = "never",
    [OPTION_IDLE_TIMEOUT] = "169h",
    [OPTION_HALF_CLOSE_TIMEOUT] = "-1s",
    [OPTION_HTTP_REQUEST_HEAD_MAX] = "64k",
    [OPTION_HTTP_RESPONSE_HEAD_MAX] = "2M",
    [OPTION_HTTP_FIELD_MAX] = "1",
    [OPTION_HTTP_FIELDS_MAX] = "1K",
    [OPTION_CONNECTIONS_MAX] = "1e3",
    [OPTION_CONNECTIONS_PER_ADDRESS_MAX] = "-1",
    [OPTION_INSECURE_PLAINTEXT_LISTEN] = "1",
    [OPTION_INSECURE_PLAINTEXT_CONNECT] = "on",
    [OPTION_INSECURE_NO_VERIFY] = "true",
    [OPTION_INSECURE_SMTP_LOOPBACK_RELAY] = "YES",
};

static const char *const headers[OPTION_SECTION_COUNT] = {[OPTION_YETT] = "[yett]",
                                                          [OPTION_CONTROL_ROLES] = "[control]",
                                                          [OPTION_MODULE] = "[module m]",
                                                          [OPTION_SERVICE] = "[service s]"};

/* A text of which one finding must begin with `want`, place included; what else is missing does not matter. */
static void expect_finding(const char *text, const char *want)
{
    struct config_findings findings = {.items = NULL};
    struct config *config = testing_parse(text, &findings);
    char *all = testing_findings_text(&findings);
    char *with_newline = base_printf("\n%s", all), *wanted = base_printf("\n%s", want);
    const char *at = strstr(with_newline, wanted);

    if (config != NULL || at == NULL)
        fail_msg("for\n%sthere is no finding \"%s\" but\n%s", text, want, all);
    /* And it says something. */
    assert_true(strcspn(at + 1, "\n") >= 20);
    free(wanted);
    free(with_newline);
    free(all);
}

static void option_has_a_value_that_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        char *text, *want;

        if (bad_values[i] == NULL)
            fail_msg("%s has no value in this test that is refused", o->name);
        text = base_printf("# first\n%s\n%s = %s\n", headers[o->section], o->name, bad_values[i]);
        want = base_printf("f:3: %s: ", o->name);
        expect_finding(text, want);
        free(want);
        free(text);
    }
}

static void option_needs_a_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        char *text = base_printf("%s\n%s = ; nothing\n%s\n", headers[o->section], o->name, o->name);
        char *want = base_printf("f:2: %s: a value is missing", o->name);

        expect_finding(text, want);
        expect_finding(text, "f:3: the line must be KEY = VALUE");
        free(want);
        free(text);
    }
}

static void option_is_given_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        char *text, *want;

        if (i == OPTION_INCLUDE) /* the one that may be given again */
            continue;
        text = base_printf("%s\n%s = x\n%s = x\n", headers[o->section], o->name, o->name);
        want = base_printf("f:3: %s is already given in line 2", o->name);
        expect_finding(text, want);
        free(want);
        free(text);
    }
}

static void option_belongs_in_its_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];

        for (enum option_section section = 0; section < OPTION_SECTION_COUNT; section++) {
            char *text, *want;

            if (option_find(section, o->name) != NULL)
                continue;
            text = base_printf("%s\n%s = x\n", headers[section], o->name);
            want = base_printf("f:2: %s does not belong in %s but in %s", o->name, option_section_text(section),
                               option_section_text(o->section));
            expect_finding(text, want);
            free(want);
            free(text);
        }
    }
}

static void option_misspelt_is_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        char *text =
            base_printf("%s\n%sx = 1\n%c%s = 1\n", headers[o->section], o->name, toupper(o->name[0]), o->name + 1);
        char *want = base_printf("f:2: %s has no key \"%sx\"", option_section_text(o->section), o->name);

        expect_finding(text, want);
        free(want);
        want = base_printf("f:3: %s has no key \"%c%s\"", option_section_text(o->section), toupper(o->name[0]),
                           o->name + 1);
        expect_finding(text, want);
        free(want);
        free(text);
    }
}

/* What would follow from the value there is instead of a bad one is not said: it may be the mistake's. */
static void bad_option_is_one_finding(void **state)
{
    static const char text[] = "[service s]\nlisten = 127.0.0.1:1\nprotocol = http-prox\nallow_target = *:443\n"
                               "connect_identity = file:/i.pem\ntrust = mozilla\nrevocation = hard\n"
                               "crl_fetch = yes\nissuer_fetch = pki.example.org\npolicy = 2.23.140.1.2.2\n"
                               "idle_timeout = 1m\n";
    struct config_findings findings = {.items = NULL};

    (void)state;
    assert_null(testing_parse(text, &findings));
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.items[0].line, 3);
    config_findings_clear(&findings);
}

/* Numbers and times: one below, and one above. */
static void option_keeps_its_range(void **state)
{
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        bool is_time = o->kind->form != NULL && strcmp(o->kind->form, "TIME") == 0;
        char *text, *want;

        if (o->max == 0)
            continue;
        seen++;
        want = base_printf("f:2: %s: must be ", o->name);
        text = base_printf("%s\n%s = %llu%s\n", headers[o->section], o->name, (unsigned long long)o->max + 1,
                           is_time ? "ms" : "");
        expect_finding(text, want);
        free(text);
        if (o->min > 0) {
            text = base_printf("%s\n%s = %llu%s\n", headers[o->section], o->name, (unsigned long long)o->min - 1,
                               is_time ? "ms" : "");
            expect_finding(text, want);
            free(text);
        }
        text = base_printf("%s\n%s = 99999999999999999999999999%s\n", headers[o->section], o->name, is_time ? "h" : "");
        expect_finding(text, want);
        free(text);
        free(want);
    }
    assert_true(seen >= 12);
}

static void whole_files_that_are_none(void **state)
{
    static const char good[] = "[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n";
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot;
    struct config *config;
    char *text, *line;

    (void)state;
    /* NUL: what is behind it would not be seen by whoever reads the file as text. */
    snapshot =
        config_snapshot_from_memory("f", span_of("[service s]\nlisten = 127.0.0.1:1\0x\nconnect = 127.0.0.1:2\n", 57));
    assert_null(config_parse(snapshot, &findings));
    config_snapshot_destroy(&snapshot);
    text = testing_findings_text(&findings);
    assert_non_null(strstr(text, "f:2: "));
    free(text);

    /* Who serves nobody needs no service: a command makes the first key on a token. */
    snapshot = config_snapshot_from_memory("f", span_of_string("[module m]\npath = /usr/lib/m.so\n"));
    assert_null(config_parse(snapshot, &findings));
    text = testing_findings_text(&findings);
    assert_non_null(strstr(text, "there is no section [service NAME]"));
    free(text);
    config = config_parse_for_commands(snapshot, &findings);
    assert_non_null(config);
    assert_int_equal(config->module_count, 1);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);

    line = base_printf("%sgreeting_name = %0100000d\n", good, 1);
    expect_finding(line, "f:4: ");
    free(line);

    /* What an editor of another system makes of a good file: either it is read for what it says, or the line is named.
     */
    config = testing_parse_good("[service s]\r\nlisten = 127.0.0.1:1\r\nconnect = 127.0.0.1:2\r\n");
    config_destroy(&config);
    config = testing_parse_good("\xef\xbb\xbf[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n");
    config_destroy(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(option_has_a_value_that_is_refused),
        cmocka_unit_test(option_needs_a_value),
        cmocka_unit_test(option_is_given_once),
        cmocka_unit_test(option_belongs_in_its_section),
        cmocka_unit_test(option_misspelt_is_unknown),
        cmocka_unit_test(bad_option_is_one_finding),
        cmocka_unit_test(option_keeps_its_range),
        cmocka_unit_test(whole_files_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
