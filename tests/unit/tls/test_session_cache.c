/* tls/session_cache.c, tls/ticket_key.c, tls/wrapping.c: sessions resume in whichever worker they come to. The workers
 * are this program again, spawned with the cache's descriptors and a socket each. */
#include "tls_pair.h"
#include "tls_raw.h"

#include "tls/identity_internal.h"
#include "tls/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORKER_SOCKET = 3, WORKER_TICKET_KEY = 4, WORKERS = 2, BUFFER = 16384, CONNECTIONS = 4, ENTRIES = 100 };

extern char **environ;

/* --- the worker: serves its socket, connection after connection, until it ends --- */

static bool write_all(int fd, struct span bytes)
{
    while (bytes.size != 0) {
        ssize_t n = write(fd, bytes.data, bytes.size);

        if (n <= 0)
            return false;
        bytes = span_skip(bytes, (size_t)n);
    }
    return true;
}

static bool flush(int fd, struct tls_engine *e)
{
    struct span records = tls_engine_records(e);
    bool ok = write_all(fd, records);

    tls_engine_records_consume(e, records.size);
    return ok;
}

static bool receive(int fd, struct tls_engine *e)
{
    size_t room;
    uint8_t *space = tls_engine_records_reserve(e, &room);
    ssize_t n = read(fd, space, room);

    if (n <= 0)
        return false;
    tls_engine_records_commit(e, (size_t)n);
    return true;
}

/* One connection: handshake, then one byte back to say whether it was resumed, then to the client's close, and ours:
 * the next connection comes over the same socket. */
static bool serve(int fd, const struct tls_context *context)
{
    struct tls_engine *e = tls_engine_create(context, NULL, NULL);
    enum tls_status status = TLS_OK;
    bool answered = false, more = true;

    while (more && status == TLS_OK) {
        uint8_t byte;
        size_t n;

        more = receive(fd, e);
        if (more)
            status = tls_engine_step(e);
        if (status == TLS_OK && tls_engine_handshake_done(e) && !answered) {
            status = tls_engine_put_plaintext(e, span_of(tls_engine_session(e).resumed ? "R" : "F", 1), &n);
            answered = true;
        }
        if (status == TLS_OK && answered)
            status = tls_engine_take_plaintext(e, &byte, 1, &n);
        (void)flush(fd, e);
    }
    tls_engine_close(e);
    (void)flush(fd, e);
    if (status == TLS_FAILED)
        (void)fprintf(stderr, "worker: %s (%s)\n", tls_engine_error(e), tls_engine_error_name(e));
    tls_engine_destroy(&e);
    return more && status == TLS_CLOSED;
}

static bool read_key(uint8_t *key, size_t *size)
{
    ssize_t n = pread(WORKER_TICKET_KEY, key, BUFFER, 0);

    *size = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static int worker_main(const char *identity_path, const char *inherit, unsigned version)
{
    static uint8_t key[BUFFER];
    struct tls_runtime_options options = {.session_cache = inherit};
    struct tls_identity *identity = NULL;
    struct tls_context *context = NULL;
    char *error = NULL;
    size_t size;

    if (!read_key(key, &size))
        return 2;
    options.ticket_key = span_of(key, size);
    if (!tls_runtime_start(&options, &error) || !tls_identity_open(TLS_IDENTITY_FILE, identity_path, &identity, &error))
        goto fail;
    identity->version_max = version;
    if (!tls_server_context_create(
            &(struct tls_server_options){
                .identities = &identity, .identity_count = 1, .version_min = 0x0303, .session_id_context = "service"},
            &context, &error))
        goto fail;
    while (serve(WORKER_SOCKET, context))
        continue;
    tls_context_destroy(&context);
    tls_identity_destroy(&identity);
    if (tls_runtime_stop(&error))
        return 0;
fail:
    (void)fprintf(stderr, "worker: %s\n", error);
    free(error);
    return 1;
}

/* --- the test: clients that go to one worker after the other --- */

struct worker {
    pid_t pid;
    int socket;
};

/* Out of the way of the numbers that a worker has them under. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_TICKET_KEY + 1);

    assert_true(moved > WORKER_TICKET_KEY);
    close(fd);
    return moved;
}

static void spawn(struct worker *w, const char *identity, const char *inherit, int key_fd, unsigned version)
{
    char number[8];
    char *argv[] = {
        (char[]){"test_session_cache"}, (char[]){"worker"}, base_strdup(identity), base_strdup(inherit), number, NULL};
    posix_spawn_file_actions_t actions;
    int pair[2];

    (void)snprintf(number, sizeof(number), "%u", version);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pair[1] = move_up(pair[1]);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pair[1], WORKER_SOCKET), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, key_fd, WORKER_TICKET_KEY), 0);
    assert_int_equal(posix_spawn(&w->pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
    w->socket = pair[0];
    free(argv[2]);
    free(argv[3]);
}

static void join(struct worker *w)
{
    int status;

    close(w->socket);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* TLS 1.3 with an engine, which takes tickets. The answer is what the worker says. */
static char connect_engine(const struct tls_context *client, const struct worker *w)
{
    struct tls_engine *e = tls_engine_create(client, "a.example.org", "key");
    uint8_t answer = 0, ignored;
    size_t n = 0;

    assert_int_equal(tls_engine_step(e), TLS_OK);
    while (n == 0) {
        assert_true(flush(w->socket, e));
        assert_true(receive(w->socket, e));
        if (tls_engine_step(e) != TLS_OK || tls_engine_take_plaintext(e, &answer, 1, &n) != TLS_OK)
            fail_msg("%s", tls_engine_error(e));
    }
    assert_int_equal(tls_engine_session(e).resumed, answer == 'R');
    tls_engine_close(e);
    assert_true(flush(w->socket, e));
    while (tls_engine_take_plaintext(e, &ignored, 1, &n) != TLS_CLOSED)
        assert_true(receive(w->socket, e));
    tls_engine_destroy(&e);
    return (char)answer;
}

static void exchange_raw(struct test_raw *raw, const struct worker *w)
{
    static uint8_t data[BUFFER];
    ssize_t n;

    assert_true(write_all(w->socket, buffer_span(&raw->transport.out)));
    buffer_consume(&raw->transport.out, raw->transport.out.size);
    n = read(w->socket, data, sizeof(data));
    assert_true(n > 0);
    assert_true(buffer_append(&raw->transport.in, span_of(data, (size_t)n)));
}

/* TLS 1.2 with a plain NSS socket, which keeps session ids. */
static char connect_raw(const struct worker *w)
{
    struct test_raw raw;
    char answer = 0, ignored;

    test_raw_init(&raw, TEST_RAW_CLIENT, NULL, 0x0303);
    assert_int_equal(SSL_SetURL(raw.fd, "a.example.org"), SECSuccess);
    assert_int_equal(SSL_SetSockPeerID(raw.fd, "peer"), SECSuccess);
    while (test_raw_read(&raw, &answer, 1) != 1)
        exchange_raw(&raw, w);
    assert_int_equal(PR_Shutdown(raw.fd, PR_SHUTDOWN_SEND), PR_SUCCESS);
    while (test_raw_read(&raw, &ignored, 1) != 0)
        exchange_raw(&raw, w);
    test_raw_clear(&raw);
    return answer;
}

struct fixture {
    struct test_certs *certs;
    struct pkix_store *store;
    char *inherit;
    int key_fd;
};

static int setup(void **state)
{
    struct fixture *f = base_alloc(sizeof(*f));
    struct tls_runtime_options options = {0};
    char path[] = "/tmp/yett-test-key-XXXXXX", *error = NULL;
    uint8_t *key = NULL;
    size_t size = 0;
    int first = -1, last = -1, stray = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 251); /* as shells have them */

    assert_int_equal(setenv("NSS_SSL_SERVER_CACHE_MUTEX_TIMEOUT", "0", 1), 0); /* see tls_pair.c */
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    if (!tls_runtime_start(&options, &error) || !tls_ticket_key_generate(&key, &size, &error) ||
        !tls_session_cache_create(ENTRIES, &f->inherit, &first, &last, &error))
        fail_msg("%s", error);
    assert_true(first >= TLS_SESSION_CACHE_FD_MIN && last > first);
    assert_true(last < stray); /* what is open up there costs nothing */
    close(stray);
    assert_null(getenv("SSL_INHERITANCE"));
    f->key_fd = mkstemp(path);
    assert_true(f->key_fd >= 0);
    f->key_fd = move_up(f->key_fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(f->key_fd, key, size), (ssize_t)size);
    base_wipe(key, size);
    free(key);
    f->certs = test_certs_create();
    f->store = test_certs_store(f->certs);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close(f->key_fd);
    free(f->inherit);
    pkix_store_destroy(&f->store);
    test_certs_destroy(&f->certs);
    free(f);
    test_tls_stop();
    return 0;
}

static void resume_in_any_worker(void **state)
{
    static const struct {
        enum test_key key;
        unsigned version;
    } cases[] = {{TEST_KEY_P256, 0x0304}, {TEST_KEY_RSA, 0x0304}, {TEST_KEY_P256, 0x0303}, {TEST_KEY_RSA, 0x0303}};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_context *client =
            test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = f->store});
        const char *identity =
            test_certs_leaf(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = cases[i].key});
        struct worker workers[WORKERS];

        for (size_t n = 0; n < WORKERS; n++)
            spawn(&workers[n], identity, f->inherit, f->key_fd, cases[i].version);
        for (size_t n = 0; n < CONNECTIONS; n++) {
            const struct worker *w = &workers[n % WORKERS];
            char answer = cases[i].version == 0x0304 ? connect_engine(client, w) : connect_raw(w);

            if (answer != (n == 0 ? 'F' : 'R'))
                fail_msg("case %zu, connection %zu: %c", i, n, answer);
        }
        for (size_t n = 0; n < WORKERS; n++)
            join(&workers[n]);
        SSL_ClearSessionCache();
        tls_context_destroy(&client);
    }
}

/* NSS cannot share the wrapping key of RSA-PSS certificates: a full handshake in each worker, not a failed one. */
static void rsa_pss_does_not_resume(void **state)
{
    struct fixture *f = *state;
    struct tls_context *client =
        test_client(&(struct tls_client_options){.version_min = 0x0303, .insecure_no_verify = true});
    const char *identity =
        test_certs_leaf(f->certs, &(struct test_leaf){.names = {"a.example.org"}, .key = TEST_KEY_RSA_PSS});
    struct worker workers[WORKERS];

    for (size_t n = 0; n < WORKERS; n++)
        spawn(&workers[n], identity, f->inherit, f->key_fd, 0x0304);
    for (size_t n = 0; n < CONNECTIONS; n++)
        assert_int_equal(connect_engine(client, &workers[n % WORKERS]), 'F');
    for (size_t n = 0; n < WORKERS; n++)
        join(&workers[n]);
    tls_context_destroy(&client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume_in_any_worker),
        cmocka_unit_test(rsa_pss_does_not_resume),
    };

    if (argc == 5 && strcmp(argv[1], "worker") == 0)
        return worker_main(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 10));
    return cmocka_run_group_tests(tests, setup, teardown);
}
