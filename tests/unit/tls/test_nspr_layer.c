/* tls/nspr_layer.c, tls/error.c: a socket that is two buffers, and the names of alerts. */
#include "tls/alert.h"
#include "tls/engine_internal.h"
#include "tls/runtime.h"

#include <prerror.h>
#include <prio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void layer_reads_and_writes(void **state)
{
    struct tls_transport t = {0};
    PRFileDesc *fd = tls_nspr_layer_create(&t);
    char data[8] = "";

    (void)state;
    buffer_init(&t.in, 64);
    buffer_init(&t.out, 4);
    buffer_init(&t.kept, 2);
    t.keeping = true;
    assert_ptr_equal(tls_nspr_layer_transport(fd), &t);
    assert_int_equal(PR_Read(fd, data, 8), -1);
    assert_int_equal(PR_GetError(), PR_WOULD_BLOCK_ERROR);
    assert_true(buffer_append(&t.in, span_of_string("abc")));
    assert_int_equal(PR_Available(fd), 3);
    assert_int_equal(PR_Recv(fd, data, 2, 0, PR_INTERVAL_NO_WAIT), 2);
    assert_memory_equal(data, "ab", 2);
    assert_true(t.keeping);
    assert_int_equal(t.kept.size, 2);
    assert_int_equal(PR_Read(fd, data, 8), 1);
    assert_false(t.keeping); /* what was kept would not be whole any more */
    t.ended = true;
    assert_int_equal(PR_Read(fd, data, 8), 0);
    assert_int_equal(PR_Write(fd, "12345", 5), 4);
    assert_int_equal(PR_Send(fd, "5", 1, 0, PR_INTERVAL_NO_WAIT), -1);
    assert_int_equal(PR_GetError(), PR_WOULD_BLOCK_ERROR);
    assert_true(span_equal(buffer_span(&t.out), span_of_string("1234")));
    assert_int_equal(PR_Shutdown(fd, PR_SHUTDOWN_BOTH), PR_SUCCESS);
    assert_int_equal(PR_Close(fd), PR_SUCCESS);
    buffer_release(&t.in);
    buffer_release(&t.out);
    buffer_release(&t.kept);
}

static void layer_is_a_socket(void **state)
{
    struct tls_transport t = {.peer_address = {.pr_s6_addr = {1, 2, 3}}};
    PRFileDesc *fd = tls_nspr_layer_create(&t), *model = tls_nspr_layer_create(NULL);
    PRSocketOptionData option = {.option = PR_SockOpt_Nonblocking};
    PRNetAddr address;
    char byte;

    (void)state;
    assert_int_equal(PR_GetSocketOption(fd, &option), PR_SUCCESS);
    assert_true(option.value.non_blocking);
    assert_int_equal(PR_SetSocketOption(fd, &option), PR_SUCCESS);
    assert_int_equal(PR_GetPeerName(fd, &address), PR_SUCCESS);
    assert_int_equal(address.ipv6.family, PR_AF_INET6);
    assert_memory_equal(&address.ipv6.ip, &t.peer_address, sizeof(t.peer_address));
    assert_int_equal(PR_GetPeerName(model, &address), PR_FAILURE);
    assert_int_equal(PR_Read(model, &byte, 1), -1);
    assert_int_equal(PR_GetError(), PR_INVALID_ARGUMENT_ERROR);
    assert_int_equal(PR_Close(fd), PR_SUCCESS);
    assert_int_equal(PR_Close(model), PR_SUCCESS);
}

/* What is not supported fails, and says so; it never answers with a friendly zero. */
static void layer_refuses(void **state)
{
    struct tls_transport t = {0};
    PRFileDesc *fd = tls_nspr_layer_create(&t);
    PRSocketOptionData option = {.option = PR_SockOpt_NoDelay};
    PRNetAddr address = {0};
    PRFileInfo info;
    PRFileInfo64 info64;
    PRIOVec vec = {0};
    PRSendFileData file = {0};
    char data[1];
    const PRIOMethods *m = fd->methods;

    (void)state;
#define REFUSED(call)                                                                                                  \
    do {                                                                                                               \
        PR_SetError(0, 0);                                                                                             \
        assert_true((call) == -1);                                                                                     \
        assert_int_equal(PR_GetError(), PR_NOT_IMPLEMENTED_ERROR);                                                     \
    } while (0)
    REFUSED(m->fsync(fd));
    REFUSED(m->seek(fd, 0, PR_SEEK_SET));
    REFUSED(m->seek64(fd, 0, PR_SEEK_SET));
    REFUSED(m->fileInfo(fd, &info));
    REFUSED(m->fileInfo64(fd, &info64));
    REFUSED(m->writev(fd, &vec, 1, 0));
    REFUSED(m->connect(fd, &address, 0));
    REFUSED(m->bind(fd, &address));
    REFUSED(m->listen(fd, 1));
    REFUSED(m->recvfrom(fd, data, 1, 0, &address, 0));
    REFUSED(m->sendto(fd, data, 1, 0, &address, 0));
    REFUSED(m->acceptread(fd, NULL, NULL, data, 1, 0));
    REFUSED(m->transmitfile(fd, NULL, NULL, 0, PR_TRANSMITFILE_KEEP_OPEN, 0));
    REFUSED(m->getsockname(fd, &address));
    REFUSED(m->getsocketoption(fd, &option));
    REFUSED(m->setsocketoption(fd, &option));
    REFUSED(m->sendfile(fd, &file, PR_TRANSMITFILE_KEEP_OPEN, 0));
    REFUSED(m->connectcontinue(fd, 0));
    REFUSED(m->reserved_fn_0(fd));
#undef REFUSED
    assert_null(m->accept(fd, &address, 0));
    assert_int_equal(PR_GetError(), PR_NOT_IMPLEMENTED_ERROR);
    assert_int_equal(PR_Close(fd), PR_SUCCESS);
}

static void alerts_have_names(void **state)
{
    (void)state;
    assert_string_equal(tls_alert_name(0), "close_notify");
    assert_string_equal(tls_alert_name(48), "unknown_ca");
    assert_string_equal(tls_alert_name(120), "no_application_protocol");
    assert_string_equal(tls_alert_name(255), "unknown");
}

static void runtime_needs_its_database(void **state)
{
    struct tls_runtime_options options = {.database = "sql:/nonexistent/nss"};
    char *error = NULL;

    (void)state;
    assert_false(tls_runtime_start(&options, &error));
    assert_non_null(strstr(error, "sql:/nonexistent/nss"));
    assert_non_null(strstr(error, "No such file or directory")); /* and no code of NSS's, which says less */
    free(error);
}

static void runtime_refuses_bad_ticket_key(void **state)
{
    static const uint8_t junk[] = {0x30, 1, 0};
    struct tls_runtime_options options = {.ticket_key = span_of(junk, sizeof(junk))};
    char *error = NULL;

    (void)state;
    assert_false(tls_runtime_start(&options, &error));
    assert_non_null(strstr(error, "ticket key is malformed"));
    free(error);
    options = (struct tls_runtime_options){.session_cache = "junk"};
    assert_false(tls_runtime_start(&options, &error));
    assert_non_null(strstr(error, "session cache"));
    free(error);
}

static void runtime_has_versions(void **state)
{
    (void)state;
    assert_int_equal(strncmp(tls_nss_version(), "3.", 2), 0);
    assert_int_equal(strncmp(tls_nspr_version(), "4.", 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_reads_and_writes),
        cmocka_unit_test(layer_is_a_socket),
        cmocka_unit_test(layer_refuses),
        cmocka_unit_test(alerts_have_names),
        cmocka_unit_test(runtime_needs_its_database),
        cmocka_unit_test(runtime_refuses_bad_ticket_key),
        cmocka_unit_test(runtime_has_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
