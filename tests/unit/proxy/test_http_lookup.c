/* Names for which no server answers: http_fetch() forgets the lookup at its deadline, but so many may be under way at a
 * time, and those that strangers have caused leave some to authorities. This program has a getaddrinfo() of its own,
 * which keeps "slow.example" until it is told to let go. */
#include "http_server.h"
#include "proxy/fetch/http_fetch.h"
#include "proxy/process/limits.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PATIENT_MS = 20000, SHORT_MS = 20 };

static atomic_bool held;
static atomic_uint kept; /* lookups of slow.example under way */

struct answer {
    struct addrinfo info;
    struct sockaddr_in address;
};

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    struct answer *a;

    (void)service;
    (void)hints;
    if (strcmp(name, "slow.example") == 0) {
        atomic_fetch_add(&kept, 1);
        while (atomic_load(&held))
            (void)poll(NULL, 0, 1);
        atomic_fetch_sub(&kept, 1);
        return EAI_AGAIN;
    }
    a = base_alloc(sizeof(*a));
    a->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a->info = (struct addrinfo){.ai_family = AF_INET, .ai_addrlen = sizeof(a->address)};
    a->info.ai_addr = (struct sockaddr *)&a->address;
    *list = &a->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(CONTAINER_OF(list, struct answer, info));
}

static enum http_fetch_status fetch(const char *host, uint16_t port, enum http_fetch_word word, uint32_t timeout_ms)
{
    char *text = base_printf("http://%s:%u/", host, port), *error;
    struct http_fetch_request request = {
        .deadline_ms = base_now_ms() + timeout_ms, .answer_max = 100, .reach = HTTP_FETCH_ANYWHERE, .word = word};
    enum http_fetch_status status;
    uint8_t *answer;
    size_t size;

    assert_true(http_url_parse(span_of_string(text), &request.url));
    status = http_fetch(&request, &answer, &size, &error);
    free(answer);
    free(error);
    free(text);
    return status;
}

static void strangers_leave_lookups_to_authorities(void **state)
{
    struct http_server server;

    (void)state;
    http_server_start(&server, span_of_string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"));
    atomic_store(&held, true);
    for (unsigned i = 0; i < LIMIT_FETCH_LOOKUPS_STRANGERS; i++)
        assert_int_equal(fetch("slow.example", 1, HTTP_FETCH_WORD_STRANGERS, SHORT_MS), HTTP_FETCH_LATE);
    assert_int_equal(fetch("good.example", server.port, HTTP_FETCH_WORD_STRANGERS, PATIENT_MS), HTTP_FETCH_OVERLOAD);
    for (unsigned i = LIMIT_FETCH_LOOKUPS_STRANGERS; i < LIMIT_FETCH_LOOKUPS; i++) {
        assert_int_equal(fetch("good.example", server.port, HTTP_FETCH_WORD_AUTHORITYS, PATIENT_MS), HTTP_FETCH_OK);
        assert_int_equal(fetch("slow.example", 1, HTTP_FETCH_WORD_AUTHORITYS, SHORT_MS), HTTP_FETCH_LATE);
    }
    assert_int_equal(fetch("good.example", server.port, HTTP_FETCH_WORD_AUTHORITYS, PATIENT_MS), HTTP_FETCH_OVERLOAD);
    while (atomic_load(&kept) < LIMIT_FETCH_LOOKUPS) /* each has its thread, however late it began */
        (void)poll(NULL, 0, 1);
    atomic_store(&held, false);
    /* Once they have ended, all is as before. */
    while (fetch("good.example", server.port, HTTP_FETCH_WORD_STRANGERS, PATIENT_MS) != HTTP_FETCH_OK)
        (void)poll(NULL, 0, 1);
    http_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_leave_lookups_to_authorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
