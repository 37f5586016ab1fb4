/* see proxy/fetch/http_fetch.h */
#include "proxy/fetch/http_fetch.h"

#include "proxy/process/limits.h"
#include "proxy/process/resolve.h"
#include "starttls/http/http.h"
#include "starttls/limits.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_PORT = 80, READ_BLOCK = 16 * 1024, REQUEST_BYTES_MAX = 8 * 1024, STATUS_OK = 200 };

/* ---- URLs ---- */

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return true;
}

static size_t size_until(struct span text, const char *ends)
{
    size_t size = 0;

    while (size < text.size && strchr(ends, text.data[size]) == NULL)
        size++;
    return size;
}

bool http_url_parse(struct span text, struct http_url *url)
{
    static const char scheme[] = "http://";
    char *host = NULL;
    bool good;

    if (text.size > HTTP_FETCH_URL_BYTES_MAX || !span_starts_with_nocase(text, scheme) || !is_printable(text) ||
        memchr(text.data, '#', text.size) != NULL)
        return false;
    text = span_skip(text, strlen(scheme));
    *url = (struct http_url){.authority = span_of(text.data, size_until(text, "/?"))};
    url->target = span_skip(text, url->authority.size);
    good =
        starttls_authority_parse_optional_port(url->authority, &host, &url->port) && strlen(host) < sizeof(url->host);
    if (good)
        memcpy(url->host, host, strlen(host) + 1);
    if (url->port == 0)
        url->port = HTTP_PORT;
    free(host);
    return good;
}

/* ---- waiting, until the deadline or the stop ---- */

struct http_fetch_stop {
    int fd; /* an eventfd, readable once it is set */
};

struct http_fetch_stop *http_fetch_stop_create(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct http_fetch_stop *stop;

    if (fd < 0)
        return NULL;
    stop = base_alloc(sizeof(*stop));
    stop->fd = fd;
    return stop;
}

void http_fetch_stop_set(struct http_fetch_stop *stop)
{
    (void)eventfd_write(stop->fd, 1);
}

void http_fetch_stop_destroy(struct http_fetch_stop **stop)
{
    if (*stop == NULL)
        return;
    close((*stop)->fd);
    free(*stop);
    *stop = NULL;
}

static uint64_t left_ms(uint64_t deadline_ms)
{
    uint64_t now = base_now_ms();

    return now >= deadline_ms ? 0 : deadline_ms - now;
}

/* The deadline of what is begun now. */
static uint64_t step_deadline_ms(const struct http_fetch_request *r)
{
    uint64_t silent_ms = base_now_ms() + r->silence_ms;

    return r->silence_ms == 0 || r->deadline_ms < silent_ms ? r->deadline_ms : silent_ms;
}

/* Wait for the descriptor: 0, or an errno; ETIMEDOUT when the deadline has passed, ECANCELED when the stop is set. */
static int wait_for(int fd, short events, uint64_t deadline_ms, const struct http_fetch_stop *stop)
{
    for (;;) {
        /* poll() passes over descriptors below 0. */
        struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = stop == NULL ? -1 : stop->fd, .events = POLLIN}};
        uint64_t wait_ms = left_ms(deadline_ms);
        int ready = wait_ms == 0 ? 0 : poll(fds, ARRAY_LEN(fds), wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);

        if (ready > 0)
            return fds[1].revents != 0 ? ECANCELED : 0;
        if (ready == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

static bool is_late(int code)
{
    return code == ETIMEDOUT || code == ECANCELED;
}

/* ---- finding addresses, with a deadline ---- */

struct addresses {
    size_t count;
    struct sockaddr_storage items[LIMIT_FETCH_ADDRESSES];
};

/* Shared by the thread that asks and the one that waits; the last of the two frees it. */
struct lookup {
    pthread_mutex_t lock;
    unsigned users;
    bool done;
    int done_fd; /* an eventfd, readable once it is done */
    char host[STARTTLS_HOST_BYTES_MAX + 1];
    uint16_t port;
    enum http_fetch_word word;
    int error; /* of getaddrinfo() */
    struct addresses found;
};

static struct {
    pthread_mutex_t lock;
    unsigned running, strangers; /* the latter among the former */
} lookups = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool lookup_may_begin(enum http_fetch_word word)
{
    bool is_strangers = word == HTTP_FETCH_WORD_STRANGERS, may;

    pthread_mutex_lock(&lookups.lock);
    may = lookups.running < LIMIT_FETCH_LOOKUPS && (!is_strangers || lookups.strangers < LIMIT_FETCH_LOOKUPS_STRANGERS);
    if (may) {
        lookups.running++;
        lookups.strangers += is_strangers;
    }
    pthread_mutex_unlock(&lookups.lock);
    return may;
}

static void lookup_ended(enum http_fetch_word word)
{
    pthread_mutex_lock(&lookups.lock);
    lookups.running--;
    lookups.strangers -= word == HTTP_FETCH_WORD_STRANGERS;
    pthread_mutex_unlock(&lookups.lock);
}

static void leave_lookup(struct lookup *l)
{
    bool is_last = --l->users == 0;

    pthread_mutex_unlock(&l->lock);
    if (!is_last)
        return;
    close(l->done_fd);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
}

static void *run_lookup(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    struct addresses found = {.count = 0};
    int error = getaddrinfo(l->host, NULL, &hints, &list);

    for (const struct addrinfo *a = list; a != NULL && found.count < ARRAY_LEN(found.items); a = a->ai_next) {
        if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) || a->ai_addrlen > sizeof(found.items[0]))
            continue;
        memcpy(&found.items[found.count], a->ai_addr, a->ai_addrlen);
        set_port(&found.items[found.count++], l->port);
    }
    if (list != NULL)
        freeaddrinfo(list);
    lookup_ended(l->word);
    pthread_mutex_lock(&l->lock);
    l->found = found;
    l->error = error;
    l->done = true;
    (void)eventfd_write(l->done_fd, 1);
    leave_lookup(l);
    return NULL;
}

static struct lookup *lookup_start(const struct http_url *url, enum http_fetch_word word)
{
    int done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct lookup *l;
    pthread_attr_t attributes;
    pthread_t thread;
    bool started;

    if (done_fd < 0) {
        lookup_ended(word);
        return NULL;
    }
    l = base_alloc(sizeof(*l));
    l->users = 2;
    l->done_fd = done_fd;
    l->port = url->port;
    l->word = word;
    memcpy(l->host, url->host, sizeof(l->host));
    pthread_mutex_init(&l->lock, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    started = pthread_create(&thread, &attributes, run_lookup, l) == 0;
    pthread_attr_destroy(&attributes);
    if (started)
        return l;
    lookup_ended(word);
    l->users = 1;
    pthread_mutex_lock(&l->lock);
    leave_lookup(l);
    return NULL;
}

static enum http_fetch_status find_addresses(const struct http_fetch_request *r, struct addresses *found, char **error)
{
    struct lookup *l;
    enum http_fetch_status status = HTTP_FETCH_OK;

    if (resolve_literal(r->url.host, r->url.port, &found->items[0])) {
        found->count = 1;
        return HTTP_FETCH_OK;
    }
    if (!lookup_may_begin(r->word) || (l = lookup_start(&r->url, r->word)) == NULL) {
        *error = base_strdup("too many names are being looked up");
        return HTTP_FETCH_OVERLOAD;
    }
    (void)wait_for(l->done_fd, POLLIN, step_deadline_ms(r), r->stop); /* whatever ended it: `done` tells */
    pthread_mutex_lock(&l->lock);
    *found = l->found;
    if (!l->done) {
        status = HTTP_FETCH_LATE;
        *error = base_printf("%s could not be looked up in time", r->url.host);
    } else if (found->count == 0) {
        status = HTTP_FETCH_UNREACHABLE;
        *error = base_printf("%s: %s", r->url.host, l->error != 0 ? gai_strerror(l->error) : "has no address");
    }
    leave_lookup(l);
    return status;
}

/* ---- the connection ---- */

static bool is_denied(const struct sockaddr_storage *address)
{
    struct address a = address_of_socket((const struct sockaddr *)address);

    return starttls_address_denied_by_default(a.bytes, a.size);
}

/* A connected socket, or -1 with errno. */
static int connect_to(const struct sockaddr_storage *address, uint64_t deadline_ms, const struct http_fetch_stop *stop)
{
    socklen_t size = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t error_size = sizeof(error);

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)address, size) != 0) {
        error = errno == EINPROGRESS ? wait_for(fd, POLLOUT, deadline_ms, stop) : errno;
        if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) != 0)
            error = errno;
    }
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

/* Whoever can make us run out of descriptors must not have every server called dead for minutes. */
static bool is_want_of_ours(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* The addresses in turn. Each but the last gets its share of the time, so that one that swallows packets leaves some to
 * the next. */
static enum http_fetch_status connect_any(const struct http_fetch_request *r, const struct addresses *found, int *fd,
                                          char **error)
{
    int last_error = 0;

    *fd = -1;
    for (size_t i = 0; i < found->count && *fd < 0; i++) {
        uint64_t share_ms = left_ms(step_deadline_ms(r)) / (found->count - i);

        if (r->reach == HTTP_FETCH_PUBLIC_ONLY && is_denied(&found->items[i]))
            continue;
        *fd = connect_to(&found->items[i], base_now_ms() + share_ms, r->stop);
        last_error = errno;
    }
    if (*fd >= 0)
        return HTTP_FETCH_OK;
    *error = last_error == 0 ? base_printf("%s has no public address", r->url.host)
                             : base_printf("%s port %u: %s", r->url.host, r->url.port, strerror(last_error));
    if (last_error == 0)
        return HTTP_FETCH_DENIED;
    if (is_want_of_ours(last_error))
        return HTTP_FETCH_OVERLOAD;
    return is_late(last_error) ? HTTP_FETCH_LATE : HTTP_FETCH_UNREACHABLE;
}

static enum http_fetch_status fail_errno(int code, const char *what, char **error)
{
    *error = base_printf("%s: %s", what, strerror(code));
    return is_late(code) ? HTTP_FETCH_LATE : HTTP_FETCH_UNREACHABLE;
}

static enum http_fetch_status send_all(const struct http_fetch_request *r, int fd, struct span bytes, char **error)
{
    while (bytes.size > 0) {
        int code = wait_for(fd, POLLOUT, step_deadline_ms(r), r->stop);
        ssize_t sent = code == 0 ? send(fd, bytes.data, bytes.size, MSG_NOSIGNAL) : -1;

        if (code == 0 && sent < 0 && errno != EAGAIN && errno != EINTR)
            code = errno;
        if (code != 0)
            return fail_errno(code, "cannot send the request", error);
        if (sent > 0)
            bytes = span_skip(bytes, (size_t)sent);
    }
    return HTTP_FETCH_OK;
}

static enum http_fetch_status send_request(const struct http_fetch_request *r, int fd, char **error)
{
    struct buffer out;
    enum http_fetch_status status;
    bool fits;

    buffer_init(&out, REQUEST_BYTES_MAX);
    fits = buffer_printf(&out, "%s %s%.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\nUser-Agent: yett\r\n",
                         r->content_type == NULL ? "GET" : "POST",
                         r->url.target.size == 0 || r->url.target.data[0] != '/' ? "/" : "", (int)r->url.target.size,
                         r->url.target.size == 0 ? "" : (const char *)r->url.target.data, (int)r->url.authority.size,
                         (const char *)r->url.authority.data) &&
           (r->content_type == NULL ||
            buffer_printf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->content_type, r->body.size)) &&
           buffer_append(&out, span_of("\r\n", 2)) && (r->body.size == 0 || buffer_append(&out, r->body));
    if (fits) {
        status = send_all(r, fd, buffer_span(&out), error);
    } else { /* the URL comes out of a certificate, and its authority chose how long it is */
        *error = base_printf("the request is longer than %d bytes", REQUEST_BYTES_MAX);
        status = HTTP_FETCH_DENIED;
    }
    buffer_release(&out);
    return status;
}

/* ---- the answer ---- */

static enum http_fetch_status fail_answer(const char *what, char **error)
{
    *error = base_printf("the answer is not usable: %s", what);
    return HTTP_FETCH_BAD_ANSWER;
}

/* Some bytes; *size 0: the connection has ended. */
static enum http_fetch_status receive(const struct http_fetch_request *r, int fd, uint8_t *block, size_t *size,
                                      char **error)
{
    for (;;) {
        int code = wait_for(fd, POLLIN, step_deadline_ms(r), r->stop);
        ssize_t got = code == 0 ? recv(fd, block, READ_BLOCK, 0) : -1;

        if (got >= 0) {
            *size = (size_t)got;
            return HTTP_FETCH_OK;
        }
        if (code == 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        return fail_errno(code != 0 ? code : errno, "no answer", error);
    }
}

/* `block` has the first bytes after the head. */
static enum http_fetch_status receive_body(const struct http_fetch_request *r, int fd, struct starttls_http *head,
                                           uint8_t *block, struct span first, uint8_t **answer, size_t *answer_size,
                                           char **error)
{
    struct starttls_http_body *body = starttls_http_body_create(head, r->answer_max);
    enum starttls_status parsed = starttls_http_body_put(body, first);
    enum http_fetch_status status = HTTP_FETCH_OK;
    size_t size;

    while (parsed == STARTTLS_NEED_MORE && status == HTTP_FETCH_OK) {
        status = receive(r, fd, block, &size, error);
        if (status == HTTP_FETCH_OK)
            parsed = size == 0 ? starttls_http_body_end(body) : starttls_http_body_put(body, span_of(block, size));
    }
    if (status == HTTP_FETCH_OK && parsed != STARTTLS_READY)
        status = fail_answer(starttls_http_body_error(body), error);
    if (status == HTTP_FETCH_OK && starttls_http_body_bytes(body).size == 0)
        status = fail_answer("it is empty", error);
    if (status == HTTP_FETCH_OK)
        *answer = starttls_http_body_take(body, answer_size);
    starttls_http_body_destroy(&body);
    return status;
}

/* One head. *rest is what came in `block` and has not been looked at, before and after. */
static enum http_fetch_status receive_head(const struct http_fetch_request *r, int fd, struct starttls_http *head,
                                           uint8_t *block, struct span *rest, char **error)
{
    enum starttls_status parsed = STARTTLS_NEED_MORE;

    for (;;) {
        size_t size = 0, consumed = 0;
        enum http_fetch_status status;

        if (rest->size > 0)
            parsed = starttls_http_put(head, *rest, &consumed);
        *rest = span_skip(*rest, consumed);
        if (parsed == STARTTLS_BROKEN)
            return fail_answer(starttls_http_error(head), error);
        if (parsed != STARTTLS_NEED_MORE)
            return HTTP_FETCH_OK;
        status = receive(r, fd, block, &size, error);
        if (status == HTTP_FETCH_OK && size == 0)
            status = fail_answer("the connection ended early", error);
        if (status != HTTP_FETCH_OK)
            return status;
        *rest = span_of(block, size);
    }
}

static bool is_interim(const struct starttls_http *head)
{
    unsigned code = starttls_http_status_code(head);

    return code / 100 == 1 && code != 101; /* nobody asked for another protocol */
}

/* The head of the answer that counts. A client MUST be able to read interim ones before it (RFC 9110 section 15.2). */
static enum http_fetch_status receive_final_head(const struct http_fetch_request *r, int fd,
                                                 struct starttls_http **head, uint8_t *block, struct span *rest,
                                                 char **error)
{
    for (unsigned interim = 0;; interim++) {
        enum http_fetch_status status = receive_head(r, fd, *head, block, rest, error);

        if (status != HTTP_FETCH_OK || !is_interim(*head))
            return status;
        if (interim == STARTTLS_HTTP_INTERIM_MAX)
            return fail_answer("there are too many interim responses before it", error);
        starttls_http_destroy(head);
        *head = starttls_http_create(STARTTLS_HTTP_RESPONSE, NULL);
    }
}

static enum http_fetch_status receive_answer(const struct http_fetch_request *r, int fd, uint8_t **answer,
                                             size_t *answer_size, char **error)
{
    struct starttls_http *head = starttls_http_create(STARTTLS_HTTP_RESPONSE, NULL);
    uint8_t block[READ_BLOCK];
    struct span rest = {0};
    enum http_fetch_status status = receive_final_head(r, fd, &head, block, &rest, error);

    if (status == HTTP_FETCH_OK && starttls_http_status_code(head) != STATUS_OK) {
        *error = base_printf("the answer has the status %u", starttls_http_status_code(head));
        status = HTTP_FETCH_BAD_ANSWER;
    }
    if (status == HTTP_FETCH_OK)
        status = receive_body(r, fd, head, block, rest, answer, answer_size, error);
    starttls_http_destroy(&head);
    return status;
}

enum http_fetch_status http_fetch(const struct http_fetch_request *request, uint8_t **answer, size_t *size,
                                  char **error)
{
    struct addresses found = {.count = 0};
    enum http_fetch_status status;
    int fd = -1;

    *answer = NULL;
    *size = 0;
    *error = NULL;
    if ((status = find_addresses(request, &found, error)) != HTTP_FETCH_OK ||
        (status = connect_any(request, &found, &fd, error)) != HTTP_FETCH_OK)
        return status;
    if ((status = send_request(request, fd, error)) == HTTP_FETCH_OK)
        status = receive_answer(request, fd, answer, size, error);
    close(fd);
    return status;
}
