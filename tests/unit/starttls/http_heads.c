/* see tests/unit/starttls/http_heads.h */
#include "http_heads.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct starttls_machine *ask(struct span request, enum starttls_status *status, size_t *consumed)
{
    const struct starttls_options options = {.name = "proxy.test"};
    struct starttls_machine *m = starttls_accept_create(STARTTLS_HTTP_CONNECT, &options);
    size_t taken = 0;

    /* A byte at a time: the machine must not depend on how it was cut. test_http_connect.c tries all cuts. */
    *status = STARTTLS_NEED_MORE;
    *consumed = 0;
    while (*status == STARTTLS_NEED_MORE && *consumed < request.size) {
        *status = starttls_put(m, span_of(request.data + *consumed, 1), &taken);
        *consumed += taken;
    }
    return m;
}

size_t room(void)
{
    const struct starttls_http_limits limits = starttls_http_limits_default(STARTTLS_HTTP_RESPONSE);

    return starttls_http_forwarded_max(&limits);
}

struct buffer head_buffer(void)
{
    struct buffer out;

    buffer_init(&out, room());
    return out;
}

void check_text(const char *name, struct span got, const char *want)
{
    if (span_equal(got, span_of_string(want)))
        return;
    print_error("%s: got\n%.*s\nwant\n%s\n", name, (int)got.size, got.size == 0 ? "" : (const char *)got.data, want);
    fail();
}
