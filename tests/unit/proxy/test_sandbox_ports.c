/* The ports that a worker may connect to, by its configuration. */
#include "proxy/worker/sandbox_ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "53 443", or "any". */
static char *ports_of(const char *text)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot = config_snapshot_from_memory("f", span_of_string(text));
    struct config *config = config_parse(snapshot, &findings);
    struct sandbox_ports ports;
    char *list = base_strdup("");

    if (config == NULL)
        fail_msg("%s%s", text, findings.items[0].message);
    ports = sandbox_ports_of(config);
    for (size_t i = 0; i < ports.count; i++) {
        char *longer = base_printf("%s%s%u", list, i == 0 ? "" : " ", ports.items[i]);

        free(list);
        list = longer;
    }
    if (ports.any) {
        assert_string_equal(list, "");
        free(list);
        list = base_strdup("any");
    }
    sandbox_ports_clear(&ports);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);
    config_findings_clear(&findings);
    return list;
}

#define PLAIN "[service s]\nlisten = 127.0.0.1:1\nlisten_tls = none\n"
#define PROXY PLAIN "protocol = http-proxy\nrevocation = off\n"

static void ports_are_those_of_the_configuration(void **state)
{
    static const struct {
        const char *text, *want;
    } table[] = {
        {PLAIN "connect = 127.0.0.1:2525, 127.0.0.1:26\nconnect_tls = none\n", "53 2525 26"},
        {PLAIN "connect = unix:/x\nconnect_tls = none\n", "53"},
        {PLAIN "connect = a.example:443\nconnect_tls = implicit\nrevocation = off\n", "53 443"},
        {PLAIN "connect = a.example:443\nconnect_tls = implicit\n", "any" /* responders are where certificates say */},
        {PLAIN "connect = a.example:443\nconnect_tls = implicit\nocsp_fetch = no\n", "53 443"},
        {PLAIN "connect = a.example:443\nconnect_tls = implicit\nocsp_fetch = no\ncrl_fetch = yes\n", "any"},
        {PLAIN "connect = a.example:443\nconnect_tls = implicit\nrevocation = off\nissuer_fetch = *\n", "any"},
        {PROXY "allow_target = *:443, x.example:8000-8002\n", "53 443 8000 8001 8002"},
        {PROXY "allow_target = *:*\n", "any"},
        {PROXY "allow_target = *:65535\n", "53 65535"},
        {PLAIN "connect = a.example:443\nconnect_tls = none\ninsecure_plaintext_connect = yes\nvia = 127.0.0.1:3129\n",
         "53 443 3129"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *got = ports_of(table[i].text);

        if (strcmp(got, table[i].want) != 0)
            fail_msg("for\n%sthey are %s, not %s", table[i].text, got, table[i].want);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ports_are_those_of_the_configuration)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
