/* What the configuration takes for a host, the upstream proxy (via) can be asked for: config/ and starttls/ know
 * nothing of each other, and the machine asserts it. */
#include "config/config.h"
#include "starttls/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 6 };

static unsigned accepted;

static void try_address(const char *text)
{
    struct config_address address;
    char *error = NULL;

    if (!config_address_parse(text, &address, &error)) {
        free(error);
        return;
    }
    if (starttls_host_kind(span_of_string(address.host)) == STARTTLS_HOST_INVALID)
        fail_msg("%s is a host to the configuration, and none to CONNECT", text);
    accepted++;
    config_address_clear(&address);
}

static void try_host(const char *host)
{
    char text[300];

    snprintf(text, sizeof(text), "%s:25", host);
    try_address(text);
    snprintf(text, sizeof(text), "[%s]:25", host);
    try_address(text);
}

/* Every string of these, from one to LENGTH_MAX bytes. */
static void short_hosts(void **state)
{
    static const char alphabet[] = "01xa-_.:";
    char host[LENGTH_MAX + 1];

    (void)state;
    for (size_t length = 1; length <= LENGTH_MAX; length++) {
        size_t count = 1;

        for (size_t i = 0; i < length; i++)
            count *= sizeof(alphabet) - 1;
        for (size_t n = 0; n < count; n++) {
            size_t rest = n;

            for (size_t i = 0; i < length; i++, rest /= sizeof(alphabet) - 1)
                host[i] = alphabet[rest % (sizeof(alphabet) - 1)];
            host[length] = '\0';
            try_host(host);
        }
    }
    assert_true(accepted > 1000);
}

static void other_hosts(void **state)
{
    static const char *const hosts[] = {
        "255.255.255.255",
        "127.0.0.1",
        "::ffff:1.2.3.4",
        "64:ff9b::1.2.3.4",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "fe80::1%lo",
        "A.EXAMPLE.",
        "xn--bcher-kva.example",
        "0X1.0Xf",
        "1.0x",
        "a.1",
    };
    char label[64], name[260];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        try_host(hosts[i]);
    memset(label, 'a', sizeof(label) - 1);
    label[63] = '\0';
    snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label, label); /* 253 bytes: the most */
    try_host(name);
    snprintf(name, sizeof(name), "%s.%s.%s.%.61s.", label, label, label, label);
    try_host(name);
    snprintf(name, sizeof(name), "%s.%s.%s.%.62s", label, label, label, label);
    try_host(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_hosts),
        cmocka_unit_test(other_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
