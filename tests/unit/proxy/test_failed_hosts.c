/* The table of proxy/fetch/failed_hosts.h. */
#include "proxy/fetch/failed_hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { T0 = 5000, MEMORY_MS = 100 };

static void failure_is_remembered_and_forgotten(void **state)
{
    struct failed_hosts f = {.count = 0};
    struct http_url url;
    char name[FAILED_HOST_NAME_SIZE];

    (void)state;
    assert_true(http_url_parse(span_of_string("http://A.example:81/x"), &url));
    failed_host_name(&url, name);
    assert_string_equal(name, "a.example:81");
    assert_false(failed_hosts_has(&f, name, T0, MEMORY_MS));
    failed_hosts_note(&f, name, HTTP_FETCH_LATE, T0);
    assert_true(failed_hosts_has(&f, name, T0 + MEMORY_MS - 1, MEMORY_MS));
    assert_false(failed_hosts_has(&f, name, T0 + MEMORY_MS, MEMORY_MS));
    assert_false(failed_hosts_has(&f, "a.example:80", T0, MEMORY_MS));
    failed_hosts_note(&f, name, HTTP_FETCH_BAD_ANSWER, T0); /* it did answer */
    assert_false(failed_hosts_has(&f, name, T0, MEMORY_MS));
    failed_hosts_note(&f, name, HTTP_FETCH_OVERLOAD, T0); /* it was not asked */
    assert_false(failed_hosts_has(&f, name, T0, MEMORY_MS));
    failed_hosts_note(&f, name, HTTP_FETCH_UNREACHABLE, T0);
    assert_true(failed_hosts_has(&f, name, T0, MEMORY_MS));
    failed_hosts_note(&f, name, HTTP_FETCH_OVERLOAD, T0);
    assert_true(failed_hosts_has(&f, name, T0, MEMORY_MS));
    failed_hosts_note(&f, name, HTTP_FETCH_OK, T0);
    failed_hosts_note(&f, name, HTTP_FETCH_OK, T0);
    assert_int_equal(f.count, 0);
}

static void oldest_failure_makes_room(void **state)
{
    struct failed_hosts f = {.count = 0};
    char name[FAILED_HOST_NAME_SIZE];

    (void)state;
    for (unsigned i = 0; i < LIMIT_FAILED_HOSTS; i++) {
        snprintf(name, sizeof(name), "h%u:80", i);
        failed_hosts_note(&f, name, HTTP_FETCH_LATE, T0 + (i == 5 ? 0 : 1));
    }
    failed_hosts_note(&f, "new:80", HTTP_FETCH_LATE, T0 + 2);
    assert_int_equal(f.count, LIMIT_FAILED_HOSTS);
    assert_false(failed_hosts_has(&f, "h5:80", T0 + 2, MEMORY_MS));
    assert_true(failed_hosts_has(&f, "h4:80", T0 + 2, MEMORY_MS));
    assert_true(failed_hosts_has(&f, "new:80", T0 + 2, MEMORY_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_is_remembered_and_forgotten),
        cmocka_unit_test(oldest_failure_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
