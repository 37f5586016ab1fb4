/* What every protocol of base/protocols.h must have, whichever it is. */
#include "base/protocols.h"
#include "starttls/starttls.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
    enum starttls_protocol id;
    enum protocol_starttls starttls;
} protocols[] = {
#define PROTOCOL_ROW(id, object, word, starttls, idle_ms) {STARTTLS_##id, starttls},
    PROTOCOLS(PROTOCOL_ROW)
#undef PROTOCOL_ROW
};

static const struct starttls_options upgrade = {.name = "proxy.test", .upgrade = true};

/* STARTTLS with clients: a conversation that waits for them, and words for everything that can go wrong. */
static void each_that_listens_with_starttls_can(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        struct starttls_machine *m;

        if ((protocols[i].starttls & PROTOCOL_LISTEN_STARTTLS) == 0)
            continue;
        m = starttls_accept_create(protocols[i].id, &upgrade);
        assert_string_equal(starttls_error(m), "");
        starttls_machine_destroy(&m);
        for (int failure = 0; failure < STARTTLS_FAILURE_COUNT; failure++) {
            struct buffer words;

            buffer_init(&words, 512);
            starttls_failure_text(protocols[i].id, (enum starttls_failure)failure, true, "proxy.test", &words);
            assert_true(words.size != 0);
            buffer_release(&words);
        }
    }
}

/* STARTTLS with servers: a conversation, a look at what they offer inside TLS, and a filter that keeps a second offer
 * of it from the client. */
static void each_that_connects_with_starttls_can(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        struct starttls_machine *m;
        struct starttls_filter *f;

        if ((protocols[i].starttls & PROTOCOL_CONNECT_STARTTLS) == 0)
            continue;
        m = starttls_connect_create(protocols[i].id, &upgrade);
        assert_string_equal(starttls_error(m), "");
        starttls_machine_destroy(&m);
        m = starttls_probe_create(protocols[i].id, &upgrade);
        assert_non_null(m);
        assert_true(starttls_output(m).size != 0 || starttls_greets_in_tls(protocols[i].id)); /* who speaks first */
        starttls_machine_destroy(&m);
        f = starttls_filter_create(protocols[i].id, STARTTLS_GREETED);
        assert_non_null(f);
        starttls_filter_destroy(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_that_listens_with_starttls_can),
        cmocka_unit_test(each_that_connects_with_starttls_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
