/* tls/sessions.c: what a client keeps of its sessions, how many, and which go first. */
#include "tls/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct tls_session make_session(size_t size)
{
    return (struct tls_session){.token = base_alloc(size), .token_size = size, .chain = base_alloc(1), .chain_size = 1};
}

static void sessions_are_bounded(void **state)
{
    struct tls_sessions *sessions = tls_sessions_create();
    struct tls_session session;
    size_t count = 0;
    char key[32];

    (void)state;
    for (int i = 0; i < TLS_CLIENT_SESSIONS_MAX * 2; i++) {
        (void)snprintf(key, sizeof(key), "%d", i);
        session = make_session(10);
        tls_sessions_put(sessions, key, &session);
        assert_null(session.token);
    }
    assert_false(tls_sessions_take(sessions, "0", &session));
    for (int i = 0; i < TLS_CLIENT_SESSIONS_MAX * 2; i++) {
        (void)snprintf(key, sizeof(key), "%d", i);
        if (tls_sessions_take(sessions, key, &session)) {
            count++;
            tls_session_clear(&session);
        }
    }
    assert_int_equal(count, TLS_CLIENT_SESSIONS_MAX);
    tls_sessions_destroy(&sessions);
}

static void sessions_of_a_key_are_bounded(void **state)
{
    struct tls_sessions *sessions = tls_sessions_create();
    struct tls_session session = make_session(TLS_CLIENT_SESSION_BYTES_MAX + 1);
    int count = 0;

    (void)state;
    tls_sessions_put(sessions, "key", &session); /* too large: not kept */
    assert_null(session.token);
    assert_false(tls_sessions_take(sessions, "key", &session));
    for (int i = 0; i < TLS_CLIENT_SESSIONS_PER_KEY_MAX * 2; i++) {
        session = make_session((size_t)i + 1);
        tls_sessions_put(sessions, "key", &session);
    }
    while (tls_sessions_take(sessions, "key", &session)) {
        /* newest first; the older half made way */
        assert_int_equal(session.token_size, TLS_CLIENT_SESSIONS_PER_KEY_MAX * 2 - count++);
        tls_session_clear(&session);
    }
    assert_int_equal(count, TLS_CLIENT_SESSIONS_PER_KEY_MAX);
    tls_sessions_destroy(&sessions);
}

static void older_sessions_are_dropped(void **state)
{
    struct tls_sessions *sessions = tls_sessions_create();
    struct tls_session session;
    uint64_t third = 0;

    (void)state;
    for (size_t i = 1; i <= 5; i++) {
        session = make_session(i);
        tls_sessions_put(sessions, i == 2 ? "other" : "key", &session);
    }
    assert_true(tls_sessions_take(sessions, "key", &session)); /* the fifth */
    tls_session_clear(&session);
    assert_true(tls_sessions_take(sessions, "key", &session));
    third = session.number - 1;
    tls_sessions_put(sessions, "key", &session); /* is the newest then */
    tls_sessions_drop_older(sessions, "key", third);
    assert_true(tls_sessions_take(sessions, "key", &session));
    assert_int_equal(session.token_size, 4);
    tls_session_clear(&session);
    assert_true(tls_sessions_take(sessions, "key", &session));
    assert_int_equal(session.token_size, 3);
    tls_session_clear(&session);
    assert_false(tls_sessions_take(sessions, "key", &session));
    assert_true(tls_sessions_take(sessions, "other", &session));
    tls_session_clear(&session);
    tls_sessions_destroy(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_bounded),
        cmocka_unit_test(sessions_of_a_key_are_bounded),
        cmocka_unit_test(older_sessions_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
