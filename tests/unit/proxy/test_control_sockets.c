/* Listening sockets: how they are dealt to workers, kept, opened and closed; socket files that were left behind. */
#include "proxy/supervisor/listen_sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/yett-sockets-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left something behind */
}

/* A port nobody listens on now. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool tcp_connects(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool connected;

    address.sin_port = htons(port);
    connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

static bool unix_connects(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool connected;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

/* A configuration with one service; free with config_clear(). */
static struct config config_of(const char *const *listen, size_t count)
{
    struct config config = {.service_count = 1};

    config.services = base_alloc(sizeof(*config.services));
    config.services[0].listen = base_alloc(count * sizeof(*config.services[0].listen));
    config.services[0].listen_count = count;
    config.services[0].listen_tls = CONFIG_TLS_IMPLICIT;
    for (size_t i = 0; i < count; i++) {
        char *error = NULL;

        assert_true(config_address_parse(listen[i], &config.services[0].listen[i], &error));
        config.services[0].listen[i].place = (struct config_place){.file = "t.conf", .line = (unsigned)i + 1};
    }
    return config;
}

static void config_clear(struct config *config)
{
    for (size_t i = 0; i < config->services[0].listen_count; i++)
        config_address_clear(&config->services[0].listen[i]);
    free(config->services[0].listen);
    free(config->services);
}

static void prepare(struct listen_sockets *ls, const struct config *config, unsigned workers)
{
    struct config_findings findings = {0};

    if (!listen_sockets_prepare(ls, config, workers, &findings))
        fail_msg("%s", findings.items[0].message);
    config_findings_clear(&findings);
}

static size_t sockets_for(const struct listen_sockets *ls, const struct config *config, unsigned slot, unsigned workers)
{
    size_t cursor = 0, count = 0;

    while (listen_sockets_next(ls, &config->services[0].listen[0], slot, workers, &cursor) >= 0)
        count++;
    return count;
}

static void deal_leaves_no_socket_and_no_worker_alone(void **state)
{
    (void)state;
    for (size_t sockets = 1; sockets <= 9; sockets++) {
        for (unsigned workers = 1; workers <= 9; workers++) {
            size_t of_worker[9] = {0}, of_socket[9] = {0};

            for (size_t i = 0; i < sockets; i++)
                for (unsigned slot = 0; slot < workers; slot++)
                    if (listen_socket_is_for(i, sockets, slot, workers)) {
                        of_worker[slot]++;
                        of_socket[i]++;
                    }
            for (unsigned slot = 0; slot < workers; slot++)
                assert_true(of_worker[slot] >= 1);
            for (size_t i = 0; i < sockets; i++)
                assert_true(of_socket[i] >= 1);
            if (sockets >= workers)
                for (size_t i = 0; i < sockets; i++)
                    assert_int_equal(of_socket[i], 1); /* shared only when it must be */
        }
    }
}

static void inet_one_socket_per_worker(void **state)
{
    struct listen_sockets *ls = listen_sockets_create();
    char *listen = base_printf("127.0.0.1:%u", free_port());
    struct config config = config_of((const char *const *)&listen, 1);

    (void)state;
    prepare(ls, &config, 3);
    listen_sockets_commit(ls, &config);
    for (unsigned slot = 0; slot < 3; slot++)
        assert_int_equal(sockets_for(ls, &config, slot, 3), 1);
    prepare(ls, &config, 1); /* fewer workers: none is closed */
    listen_sockets_commit(ls, &config);
    assert_int_equal(sockets_for(ls, &config, 0, 1), 3);
    prepare(ls, &config, 5); /* more: they share */
    listen_sockets_commit(ls, &config);
    assert_int_equal(sockets_for(ls, &config, 0, 5), 1);
    assert_int_equal(sockets_for(ls, &config, 4, 5), 1);
    listen_sockets_destroy(&ls);
    assert_false(tcp_connects(config.services[0].listen[0].port));
    config_clear(&config);
    free(listen);
}

static void commit_closes_what_is_no_longer_named(void **state)
{
    struct listen_sockets *ls = listen_sockets_create();
    char *listen[] = {base_printf("127.0.0.1:%u", free_port()), base_printf("unix:%s/a.sock", folder)};
    struct config both = config_of((const char *const *)listen, 2), one = config_of((const char *const *)listen, 1);
    uint16_t port = both.services[0].listen[0].port;
    const char *path = both.services[0].listen[1].host;

    (void)state;
    prepare(ls, &both, 2);
    listen_sockets_commit(ls, &both);
    assert_true(tcp_connects(port) && unix_connects(path));
    prepare(ls, &one, 2);
    assert_true(unix_connects(path)); /* undecided: still there */
    listen_sockets_commit(ls, &one);
    assert_true(tcp_connects(port));
    assert_int_equal(access(path, F_OK), -1);
    listen_sockets_destroy(&ls);
    config_clear(&both);
    config_clear(&one);
    free(listen[0]);
    free(listen[1]);
}

static void abandon_closes_what_was_new(void **state)
{
    struct listen_sockets *ls = listen_sockets_create();
    char *listen[] = {base_printf("127.0.0.1:%u", free_port()), base_printf("unix:%s/a.sock", folder)};
    struct config both = config_of((const char *const *)listen, 2), one = config_of((const char *const *)listen, 1);
    uint16_t port = both.services[0].listen[0].port;
    const char *path = both.services[0].listen[1].host;

    (void)state;
    prepare(ls, &one, 2);
    listen_sockets_commit(ls, &one);
    prepare(ls, &both, 2);
    assert_true(unix_connects(path));
    listen_sockets_abandon(ls);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(tcp_connects(port));
    listen_sockets_destroy(&ls);
    config_clear(&both);
    config_clear(&one);
    free(listen[0]);
    free(listen[1]);
}

/* Two yetts of one user could share a port with SO_REUSEPORT, and each would get half of the connections. */
static void prepare_refuses_a_port_in_use(void **state)
{
    struct listen_sockets *first = listen_sockets_create(), *second = listen_sockets_create();
    struct config_findings findings = {0};
    char *listen[] = {base_printf("127.0.0.1:%u", free_port()), base_printf("127.0.0.1:%u", free_port())};
    struct config one = config_of((const char *const *)listen + 1, 1), both = config_of((const char *const *)listen, 2);

    (void)state;
    prepare(first, &one, 2);
    assert_false(listen_sockets_prepare(second, &both, 2, &findings));
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.items[0].line, 2);
    assert_string_equal(findings.items[0].file, "t.conf");
    assert_non_null(strstr(findings.items[0].message, "Address already in use"));
    assert_false(tcp_connects(both.services[0].listen[0].port)); /* nothing of it was kept */
    config_findings_clear(&findings);
    listen_sockets_destroy(&first);
    listen_sockets_destroy(&second);
    config_clear(&one);
    config_clear(&both);
    free(listen[0]);
    free(listen[1]);
}

static void prepare_refuses_a_systemd_name_nobody_passed(void **state)
{
    struct listen_sockets *ls = listen_sockets_create();
    struct config_findings findings = {0};
    const char *listen = "systemd:imaps";
    struct config config = config_of(&listen, 1);

    (void)state;
    assert_false(listen_sockets_prepare(ls, &config, 2, &findings));
    assert_non_null(strstr(findings.items[0].message, "FileDescriptorName="));
    config_findings_clear(&findings);
    listen_sockets_destroy(&ls);
    config_clear(&config);
}

static void unix_replaces_only_what_nobody_answers_at(void **state)
{
    char *path = base_printf("%s/s.sock", folder);
    char *error = NULL;
    struct stat info;
    int fd = listen_unix(path, 0600, &error), other;
    FILE *file;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(listen_unix(path, 0600, &error), -1); /* somebody answers */
    assert_non_null(strstr(error, "another program listens"));
    free(error);
    close(fd); /* left behind */
    error = NULL;
    fd = listen_unix(path, 0660, &error);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
    /* Taken over by another meanwhile: not ours to remove. */
    assert_int_equal(unlink(path), 0);
    other = listen_unix(path, 0600, &error);
    assert_true(other >= 0);
    listen_unix_remove(fd, path);
    close(fd);
    assert_true(unix_connects(path));
    listen_unix_remove(other, path);
    close(other);
    assert_int_equal(access(path, F_OK), -1);
    /* A file that is no socket is somebody's file. */
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(listen_unix(path, 0600, &error), -1);
    assert_non_null(strstr(error, "not a socket"));
    free(error);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void unix_path_has_a_limit(void **state)
{
    char path[200];
    char *error = NULL;

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listen_unix(path, 0600, &error), -1);
    assert_non_null(strstr(error, "at most 107 bytes"));
    free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deal_leaves_no_socket_and_no_worker_alone),
        cmocka_unit_test(inet_one_socket_per_worker),
        cmocka_unit_test(commit_closes_what_is_no_longer_named),
        cmocka_unit_test(abandon_closes_what_was_new),
        cmocka_unit_test(prepare_refuses_a_port_in_use),
        cmocka_unit_test(prepare_refuses_a_systemd_name_nobody_passed),
        cmocka_unit_test(unix_replaces_only_what_nobody_answers_at),
        cmocka_unit_test(unix_path_has_a_limit),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
