#include "support.h"
#include "tokens/der.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { WAIT_S = 20 };

void test_store_create(struct test_store *store)
{
    char *conf, *tokens;
    FILE *file;

    snprintf(store->directory, sizeof(store->directory), "/tmp/tokens-test-XXXXXX");
    assert_non_null(mkdtemp(store->directory));
    tokens = test_store_path(store, "tokens");
    conf = test_store_path(store, "softhsm2.conf");
    assert_int_equal(mkdir(tokens, 0700), 0);
    file = fopen(conf, "we");
    assert_non_null(file);
    fprintf(file, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens);
    fclose(file);
    setenv("SOFTHSM2_CONF", conf, 1);
    free(conf);
    free(tokens);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void test_store_destroy(struct test_store *store)
{
    nftw(store->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

char *test_store_path(const struct test_store *store, const char *name)
{
    return base_printf("%s/%s", store->directory, name);
}

struct tokens_pin *test_pin(const char *text)
{
    char *error = NULL;
    struct tokens_pin *pin = tokens_pin_copy(text, strlen(text), &error);

    if (pin == NULL)
        fail_msg("%s", error);
    return pin;
}

struct tokens_module *test_module_load(void)
{
    char *error = NULL;
    struct tokens_module *module = tokens_module_load("/usr/lib/softhsm/libsofthsm2.so", &error);

    if (module == NULL)
        fail_msg("%s", error);
    return module;
}

void test_token_create(struct tokens_module *module, const char *label)
{
    struct tokens_pin *pin = test_pin(TEST_PIN), *so_pin = test_pin(TEST_SO_PIN);
    char *error = NULL;

    if (!tokens_init(module, label, so_pin, pin, &error))
        fail_msg("%s", error);
    tokens_pin_destroy(&pin);
    tokens_pin_destroy(&so_pin);
}

static void write_name(struct buffer *out, const char *common_name)
{
    static const uint8_t oid[] = {0x55, 0x04, 0x03};
    size_t name = der_write_begin(out), set = der_write_begin(out), pair = der_write_begin(out);

    der_write(out, ASN1_OID, span_of(oid, sizeof(oid)));
    der_write(out, 0x0c, span_of_string(common_name));
    der_write_end(out, pair, ASN1_SEQUENCE);
    der_write_end(out, set, ASN1_SET);
    der_write_end(out, name, ASN1_SEQUENCE);
}

void test_cert_write(struct buffer *out, struct span spki, const char *subject, const char *issuer, uint8_t serial,
                     const char *not_after)
{
    static const uint8_t sha256_rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
    static const uint8_t signature[32] = {1};
    size_t cert = der_write_begin(out), tbs = der_write_begin(out), version = der_write_begin(out), validity;

    der_write(out, ASN1_INTEGER, span_of("\x02", 1));
    der_write_end(out, version, ASN1_CONTEXT_CONSTRUCTED);
    der_write(out, ASN1_INTEGER, span_of(&serial, 1));
    der_write_raw(out, span_of(sha256_rsa, sizeof(sha256_rsa)));
    write_name(out, issuer);
    validity = der_write_begin(out);
    der_write(out, ASN1_UTC_TIME, span_of_string("250101000000Z"));
    der_write(out, ASN1_UTC_TIME, span_of_string(not_after));
    der_write_end(out, validity, ASN1_SEQUENCE);
    write_name(out, subject);
    der_write_raw(out, spki);
    der_write_end(out, tbs, ASN1_SEQUENCE);
    der_write_raw(out, span_of(sha256_rsa, sizeof(sha256_rsa)));
    der_write_bit_string(out, span_of(signature, sizeof(signature)));
    der_write_end(out, cert, ASN1_SEQUENCE);
}

/* The SubjectPublicKeyInfo out of a request: version, subject, spki. RFC 2986 section 4.1 */
struct span test_request_spki(struct span der)
{
    struct span request, info, content, spki;
    uint8_t tag;

    assert_true(tokens_der_read(&der, &tag, &request, NULL));
    assert_true(tokens_der_read(&request, &tag, &info, NULL));
    assert_true(tokens_der_read(&info, &tag, &content, NULL));
    assert_true(tokens_der_read(&info, &tag, &content, NULL));
    assert_true(tokens_der_read(&info, &tag, &content, &spki));
    return spki;
}

void test_key_create(struct tokens_module *module, const char *token, const char *label, enum tokens_key_type type,
                     bool cert)
{
    static uint8_t serial = 1;
    struct tokens_pin *pin = test_pin(TEST_PIN);
    char *uri = base_printf("pkcs11:token=%s;object=%s", token, label), *key_uri = NULL, *cert_uri = NULL;
    char *error = NULL;
    uint8_t *request = NULL;
    size_t size = 0;
    struct buffer out;

    buffer_init(&out, 8192);
    if (!tokens_keygen(module, uri, type, TOKENS_LABEL_ONCE, pin, &key_uri, &error))
        fail_msg("%s", error);
    if (cert) {
        if (!tokens_request(module, key_uri, "CN=unused", NULL, 0, pin, &request, &size, &error))
            fail_msg("%s", error);
        test_cert_write(&out, test_request_spki(span_of(request, size)), label, "TestCA", serial++, "450101000000Z");
        if (!tokens_import_certificate(module, uri, buffer_span(&out), pin, &cert_uri, &error))
            fail_msg("%s", error);
    }
    buffer_release(&out);
    tokens_pin_destroy(&pin);
    free(request);
    free(cert_uri);
    free(key_uri);
    free(uri);
}

/* The supervisor: remembers what the agent says and answers PIN_WANTED. */
static void *supervise(void *data)
{
    struct test_agent *agent = data;
    struct tokens_agent_message message, answer = {.event = TOKENS_AGENT_PIN};

    while (tokens_agent_receive(agent->control_fd, &message) == 1) {
        pthread_mutex_lock(&agent->mutex);
        assert_true(agent->event_count < EVENTS_MAX);
        agent->events[agent->event_count++] = message;
        if (message.event == TOKENS_AGENT_PIN_WANTED) {
            snprintf(answer.token, sizeof(answer.token), "%s", message.token);
            answer.knowing = agent->knowing;
            answer.event = agent->pin != NULL ? TOKENS_AGENT_PIN : TOKENS_AGENT_PIN_REFUSED;
            snprintf(answer.text, sizeof(answer.text), "%s", agent->pin != NULL ? agent->pin : "none in this test");
            (void)!tokens_agent_send(agent->control_fd, &answer);
        }
        pthread_cond_broadcast(&agent->changed);
        pthread_mutex_unlock(&agent->mutex);
    }
    pthread_mutex_lock(&agent->mutex);
    agent->ended = true;
    pthread_cond_broadcast(&agent->changed);
    pthread_mutex_unlock(&agent->mutex);
    return NULL;
}

static void spawn(struct test_agent *agent, const struct test_agent_options *options)
{
    char listen_fd[16], control_fd[16], sessions[16], queue[16], timeout[16];
    const char *module = options->module != NULL ? options->module : TEST_SLOW_TOKEN;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    agent->control_fd = pair[0];
    agent->pin = options->pin;
    agent->knowing = options->knowing;
    agent->event_count = 0;
    agent->ended = false;
    snprintf(listen_fd, sizeof(listen_fd), "%d", agent->listen_fd);
    snprintf(control_fd, sizeof(control_fd), "%d", pair[1]);
    snprintf(sessions, sizeof(sessions), "%u", options->sessions);
    snprintf(queue, sizeof(queue), "%u", options->queue);
    snprintf(timeout, sizeof(timeout), "%u", options->timeout_ms);
    agent->pid = fork();
    assert_true(agent->pid >= 0);
    if (agent->pid == 0) {
        fcntl(agent->listen_fd, F_SETFD, 0);
        fcntl(pair[1], F_SETFD, 0);
        execl(TEST_AGENT_PROCESS, TEST_AGENT_PROCESS, module, listen_fd, control_fd, sessions, queue, timeout, NULL);
        _exit(127);
    }
    close(pair[1]);
    assert_int_equal(pthread_create(&agent->thread, NULL, supervise, agent), 0);
    test_agent_wait(agent, TOKENS_AGENT_READY, 1);
}

void test_agent_start(struct test_agent *agent, const struct test_store *store,
                      const struct test_agent_options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *agent = (struct test_agent){0};
    pthread_mutex_init(&agent->mutex, NULL);
    pthread_cond_init(&agent->changed, NULL);
    agent->socket_path = test_store_path(store, "agent.sock");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", agent->socket_path);
    unlink(agent->socket_path);
    agent->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(agent->listen_fd >= 0);
    assert_int_equal(bind(agent->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(agent->listen_fd, 64), 0);
    spawn(agent, options);
}

void test_agent_restart(struct test_agent *agent, const struct test_agent_options *options)
{
    spawn(agent, options);
}

static int reap(struct test_agent *agent)
{
    int status = -1;

    while (waitpid(agent->pid, &status, 0) < 0 && errno == EINTR)
        ;
    agent->pid = 0;
    pthread_join(agent->thread, NULL);
    close(agent->control_fd);
    return status;
}

void test_agent_kill(struct test_agent *agent, int signal)
{
    kill(agent->pid, signal);
    reap(agent);
}

void test_agent_stop(struct test_agent *agent, int status)
{
    int got;

    shutdown(agent->control_fd, SHUT_WR);
    got = reap(agent);
    if (!WIFEXITED(got) || WEXITSTATUS(got) != status)
        fail_msg("the agent ended with %x, want exit status %d", (unsigned)got, status);
}

void test_agent_clear(struct test_agent *agent)
{
    close(agent->listen_fd);
    unlink(agent->socket_path);
    free(agent->socket_path);
    pthread_mutex_destroy(&agent->mutex);
    pthread_cond_destroy(&agent->changed);
}

void test_agent_send_pin(struct test_agent *agent, const char *pin)
{
    test_agent_send_pin_for(agent, "", pin);
}

void test_agent_send_pin_for(struct test_agent *agent, const char *token, const char *pin)
{
    struct tokens_agent_message message = {.event = TOKENS_AGENT_PIN};

    snprintf(message.token, sizeof(message.token), "%s", token);
    snprintf(message.text, sizeof(message.text), "%s", pin);
    assert_true(tokens_agent_send(agent->control_fd, &message));
}

void test_agent_send_logout(struct test_agent *agent)
{
    struct tokens_agent_message message = {.event = TOKENS_AGENT_LOGOUT};

    assert_true(tokens_agent_send(agent->control_fd, &message));
}

static size_t count_events(const struct test_agent *agent, enum tokens_agent_event event)
{
    size_t count = 0;

    for (size_t i = 0; i < agent->event_count; i++)
        count += agent->events[i].event == event;
    return count;
}

size_t test_agent_events(struct test_agent *agent, enum tokens_agent_event event)
{
    size_t count;

    pthread_mutex_lock(&agent->mutex);
    count = count_events(agent, event);
    pthread_mutex_unlock(&agent->mutex);
    return count;
}

void test_agent_wait(struct test_agent *agent, enum tokens_agent_event event, size_t count)
{
    struct timespec until;
    size_t got;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&agent->mutex);
    while ((got = count_events(agent, event)) < count && !agent->ended &&
           pthread_cond_timedwait(&agent->changed, &agent->mutex, &until) == 0)
        ;
    pthread_mutex_unlock(&agent->mutex);
    if (got < count) {
        const char *why = test_agent_text(agent, TOKENS_AGENT_FAILED);

        fail_msg("event %d came %zu times, want %zu (%s)", (int)event, got, count, why);
    }
}

void test_agent_expect(struct test_agent *agent, enum tokens_agent_event event, size_t count)
{
    test_agent_wait(agent, event, count);
    assert_int_equal(test_agent_events(agent, event), count);
}

void test_agent_wait_refused(struct test_agent *agent, uint64_t refused)
{
    pthread_mutex_lock(&agent->mutex);
    for (size_t seen = 0; !agent->ended;) {
        while (seen < agent->event_count && agent->events[seen].refused < refused)
            seen++;
        if (seen < agent->event_count)
            break;
        pthread_cond_wait(&agent->changed, &agent->mutex);
    }
    pthread_mutex_unlock(&agent->mutex);
}

const char *test_agent_text(struct test_agent *agent, enum tokens_agent_event event)
{
    const char *text = "";

    pthread_mutex_lock(&agent->mutex);
    for (size_t i = 0; i < agent->event_count; i++)
        if (agent->events[i].event == event)
            text = agent->events[i].text;
    pthread_mutex_unlock(&agent->mutex);
    return text;
}

size_t test_count(const char *path, const char *function)
{
    FILE *file = fopen(path, "re");
    char line[80];
    size_t count = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        count += strcmp(line, function) == 0;
    }
    fclose(file);
    return count;
}

void test_file_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

void test_faults(const struct test_store *store, const char *rules)
{
    char *path = test_store_path(store, "faults"), *fresh = test_store_path(store, "faults.new");
    FILE *file = fopen(fresh, "we");
    static unsigned times;

    assert_non_null(file);
    assert_true(fprintf(file, "# %u\n%s", times++, rules) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
    setenv("YETT_FAULTS", path, 1);
    free(fresh);
    free(path);
}

size_t test_calls(const char *path, const char *function, const char *label)
{
    FILE *file = fopen(path, "re");
    char line[160], name[64], token[64];
    size_t count = 0;

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        count += sscanf(line, "%*s %63s %*s %63[^\n]", name, token) == 2 && strcmp(name, function) == 0 &&
                 (label == NULL || strcmp(token, label) == 0);
    fclose(file);
    return count;
}
