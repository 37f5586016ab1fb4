/* Targets are on loopback; a refused port is one that was bound and closed again. */
#include "proxy/session/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct outcome {
    bool told;
    enum connect_status status;
    struct transport *transport;
    size_t target;
    char *error;
};

static uv_loop_t loop;
static struct resolver *resolver;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    resolver = resolver_create(&loop, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_destroy(&resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

/* A listening socket on loopback; its port is free again once it is closed. */
static int listen_on(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(fd, 8), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static struct config_address target_of(const char *host, uint16_t port)
{
    return (struct config_address){
        .type = CONFIG_ADDRESS_INET, .host = (char *)(uintptr_t)host, .port = port, .text = (char *)(uintptr_t)host};
}

static void on_done(void *context, const struct connect_result *result)
{
    struct outcome *o = context;

    assert_false(o->told);
    o->told = true;
    o->status = result->status;
    o->transport = result->transport;
    o->target = result->target;
    o->error = base_strdup(result->error);
}

static struct outcome connect_to(const struct config_address *targets, size_t count,
                                 const char *(*denied)(void *context, const struct sockaddr *address))
{
    struct outcome o = {.told = false};
    struct connector *c = connector_create(&(struct connect_options){.loop = &loop,
                                                                     .resolver = resolver,
                                                                     .targets = targets,
                                                                     .target_count = count,
                                                                     .denied = denied,
                                                                     .on_done = on_done,
                                                                     .context = &o});

    assert_false(o.told);
    while (!o.told)
        uv_run(&loop, UV_RUN_ONCE);
    connector_destroy(&c);
    transport_close(&o.transport, TRANSPORT_CLOSE_ORDERLY);
    return o;
}

static void connects_to_a_literal(void **state)
{
    uint16_t port;
    int fd = listen_on(&port);
    struct config_address target = target_of("127.0.0.1", port);
    struct outcome o = connect_to(&target, 1, NULL);

    (void)state;
    assert_int_equal(o.status, CONNECT_OK);
    free(o.error);
    close(fd);
}

static void takes_the_next_target_when_one_refuses(void **state)
{
    uint16_t open_port, closed_port;
    int fd = listen_on(&open_port);
    struct config_address targets[2];
    struct outcome o;

    (void)state;
    close(listen_on(&closed_port));
    targets[0] = target_of("127.0.0.1", closed_port);
    targets[1] = target_of("127.0.0.1", open_port);
    o = connect_to(targets, 2, NULL);
    assert_int_equal(o.status, CONNECT_OK);
    assert_int_equal(o.target, 1);
    free(o.error);
    close(fd);
}

/* "localhost" has addresses of both families; only the IPv4 one listens. */
static void takes_the_other_family_of_a_name(void **state)
{
    uint16_t port;
    int fd = listen_on(&port);
    struct config_address target = target_of("localhost", port);
    struct outcome o = connect_to(&target, 1, NULL);

    (void)state;
    assert_int_equal(o.status, CONNECT_OK);
    free(o.error);
    close(fd);
}

static void says_why_when_all_fail(void **state)
{
    uint16_t port;
    struct config_address target;
    struct outcome o;

    (void)state;
    close(listen_on(&port));
    target = target_of("127.0.0.1", port);
    o = connect_to(&target, 1, NULL);
    assert_int_equal(o.status, CONNECT_FAILED);
    assert_non_null(strstr(o.error, "connection refused"));
    free(o.error);
}

static void says_that_a_name_does_not_resolve(void **state)
{
    struct config_address target = target_of("no-such-name.invalid", 1);
    struct outcome o = connect_to(&target, 1, NULL);

    (void)state;
    assert_int_equal(o.status, CONNECT_FAILED);
    assert_non_null(strstr(o.error, "no-such-name.invalid"));
    free(o.error);
}

static void refuses_a_unix_path_that_does_not_fit(void **state)
{
    char path[200];
    struct config_address target = {.type = CONFIG_ADDRESS_UNIX, .host = path, .text = path};
    struct outcome o;

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    o = connect_to(&target, 1, NULL);
    assert_int_equal(o.status, CONNECT_FAILED);
    assert_non_null(strstr(o.error, "name too long"));
    free(o.error);
}

static unsigned checked;

static const char *deny_all(void *context, const struct sockaddr *address)
{
    (void)context;
    (void)address;
    checked++;
    return "nobody is";
}

static const char *only_ipv6(void *context, const struct sockaddr *address)
{
    (void)context;
    checked++;
    return address->sa_family == AF_INET6 ? NULL : "only IPv6 is";
}

static void check_denies_before_connecting(void **state)
{
    uint16_t port;
    int fd = listen_on(&port);
    struct config_address target = target_of("127.0.0.1", port);
    struct outcome o;

    (void)state;
    checked = 0;
    o = connect_to(&target, 1, deny_all);
    assert_int_equal(o.status, CONNECT_DENIED);
    assert_int_equal(checked, 1);
    free(o.error);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(accept(fd, NULL, NULL), -1); /* nobody knocked */
    close(fd);
}

/* Every address of the name is asked for before the first is tried: one bad one is enough. */
static void check_sees_the_addresses_of_both_families(void **state)
{
    uint16_t port;
    int fd = listen_on(&port);
    struct config_address target = target_of("localhost", port);
    struct outcome o;

    (void)state;
    checked = 0;
    o = connect_to(&target, 1, only_ipv6);
    assert_int_equal(o.status, CONNECT_DENIED);
    assert_true(checked >= 1);
    free(o.error);
    close(fd);
}

static void destroy_while_under_way_tells_nothing(void **state)
{
    struct config_address target = target_of("localhost", 9);
    struct outcome o = {.told = false};
    struct connector *c = connector_create(&(struct connect_options){
        .loop = &loop, .resolver = resolver, .targets = &target, .target_count = 1, .on_done = on_done, .context = &o});

    (void)state;
    uv_run(&loop, UV_RUN_NOWAIT);
    connector_destroy(&c);
    assert_null(c);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_false(o.told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(connects_to_a_literal, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_the_next_target_when_one_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_the_other_family_of_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(says_why_when_all_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(says_that_a_name_does_not_resolve, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_unix_path_that_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(check_denies_before_connecting, setup, teardown),
        cmocka_unit_test_setup_teardown(check_sees_the_addresses_of_both_families, setup, teardown),
        cmocka_unit_test_setup_teardown(destroy_while_under_way_tells_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
