/* see proxy/worker/worker_news.h */
#include "proxy/worker/worker_news.h"

#include "proxy/process/intermediates_file.h"
#include "proxy/process/worker_protocol.h"
#include "tls/pem.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((int)INTERMEDIATES_PEM_BYTES_MAX < (int)WORKER_TEXT_MAX, "one certificate in PEM is one message");

/* The next thing to tell; NULL when there is none. */
static char *take_one(const struct worker_news *n, enum pkix_intermediate_news what)
{
    uint8_t der[PKIX_INTERMEDIATE_BYTES_MAX];
    struct pkix_intermediates *known;

    for (size_t i = 0; (known = services_intermediates(n->services, i)) != NULL; i++) {
        size_t size = pkix_intermediates_take_news(known, what, der);

        if (size != 0)
            return base_pem_encode("CERTIFICATE", span_of(der, size));
    }
    return NULL;
}

/* True when `unsent` is gone, sent or for good. */
static bool send_unsent(struct worker_news *n)
{
    struct worker_message message = {.event = WORKER_INTERMEDIATE};

    snprintf(message.text, sizeof(message.text), "%s", n->unsent);
    if (!worker_send(n->socket, &message, -1)) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return false;
        n->is_lost = true;
    }
    free(n->unsent);
    n->unsent = NULL;
    return true;
}

/* Send one. False: there is none, or it does not go now (then `unsent` is there). */
static bool tell_one(struct worker_news *n, enum pkix_intermediate_news what)
{
    if (n->is_lost)
        return false;
    if (n->unsent == NULL)
        n->unsent = take_one(n, what);
    return n->unsent != NULL && send_unsent(n);
}

static void on_check(uv_check_t *check)
{
    struct worker_news *n = check->data;
    uint64_t now_ms = uv_now(check->loop);

    if (now_ms - n->used_told_ms >= WORKER_NEWS_USED_MS) {
        n->used_told_ms = now_ms;
        n->tells_uses = true;
    }
    for (unsigned i = 0; i < WORKER_NEWS_BATCH; i++)
        if (!tell_one(n, n->tells_uses ? PKIX_INTERMEDIATES_USED : PKIX_INTERMEDIATES_NEW)) {
            n->tells_uses = n->tells_uses && n->unsent != NULL;
            return;
        }
}

void worker_news_start(struct worker_news *n, uv_loop_t *loop, const struct services *services, int socket)
{
    *n = (struct worker_news){.services = services, .socket = socket};
    uv_check_init(loop, &n->check);
    n->check.data = n;
    n->used_told_ms = uv_now(loop);
    uv_check_start(&n->check, on_check);
}

void worker_news_stop(struct worker_news *n)
{
    uv_close((uv_handle_t *)&n->check, NULL);
}

void worker_news_flush(struct worker_news *n)
{
    uint64_t deadline_ms = base_now_ms() + WORKER_NEWS_FLUSH_MS;
    uint64_t now_ms;

    for (;;) {
        struct pollfd room = {.fd = n->socket, .events = POLLOUT};

        if (tell_one(n, PKIX_INTERMEDIATES_USED))
            continue;
        now_ms = base_now_ms();
        if (n->unsent == NULL || now_ms >= deadline_ms || poll(&room, 1, (int)(deadline_ms - now_ms)) <= 0)
            break;
    }
    free(n->unsent);
    n->unsent = NULL;
}

bool worker_news_read(const struct services *services, int fd, char **error)
{
    struct pkix_intermediates *known;
    struct stat info;
    uint8_t *data;
    bool good;

    if (fstat(fd, &info) != 0 || info.st_size <= 0 || info.st_size > INTERMEDIATES_FILE_BYTES_MAX) {
        *error = base_strdup("the remembered intermediates cannot be read");
        return false;
    }
    data = base_alloc((size_t)info.st_size);
    good = pread(fd, data, (size_t)info.st_size, 0) == (ssize_t)info.st_size;
    if (!good)
        *error = base_printf("the remembered intermediates cannot be read: %s", strerror(errno));
    for (size_t i = 0; good && (known = services_intermediates(services, i)) != NULL; i++)
        good = intermediates_text_read(span_of(data, (size_t)info.st_size), "the supervisor", known, NULL, error);
    free(data);
    return good;
}

void worker_news_hear(const struct services *services, const char *pem)
{
    struct pkix_intermediates *known;

    for (size_t i = 0; (known = services_intermediates(services, i)) != NULL; i++) {
        char *error = NULL;

        /* The supervisor has read it: it can be read. */
        (void)!intermediates_text_read(span_of_string(pem), "the supervisor", known, NULL, &error);
        free(error);
    }
}
