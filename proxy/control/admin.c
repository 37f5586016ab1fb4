/* see proxy/control/admin.h */
#include "proxy/control/admin.h"

#include "proxy/process/listen.h"
#include "proxy/control/health.h"
#include "proxy/control/metrics.h"
#include "starttls/http/http.h"
#include "starttls/target.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADMIN_READ_SIZE = 4096, ADMIN_REPLY_MAX = 16 * 1024 * 1024, ADMIN_SOCKET_MODE = 0660 };

struct admin_client {
    struct admin *admin;
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    uv_timer_t timer; /* the whole request and its answer */
    unsigned handles_open;
    uint64_t number;  /* in the order they came */
    bool is_answered; /* its request is whole: what it gets is on its way */
    struct starttls_http *http;
    struct buffer reply;
    uv_write_t write;
    char block[ADMIN_READ_SIZE];
};

struct admin {
    struct control_desk desk;
    struct config_address address;
    int fd;
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    struct admin_client *clients[ADMIN_CLIENTS_MAX];
    uint64_t accepted;
};

/* --- clients --- */

static void on_client_closed(uv_handle_t *handle)
{
    struct admin_client *c = handle->data;

    if (--c->handles_open > 0)
        return;
    starttls_http_destroy(&c->http);
    buffer_release(&c->reply);
    free(c);
}

static void client_close(struct admin_client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->timer))
        return;
    for (size_t i = 0; c->admin != NULL && i < ADMIN_CLIENTS_MAX; i++)
        if (c->admin->clients[i] == c)
            c->admin->clients[i] = NULL;
    uv_close((uv_handle_t *)&c->handle.stream, on_client_closed);
    uv_close((uv_handle_t *)&c->timer, on_client_closed);
}

static void on_client_timeout(uv_timer_t *timer)
{
    client_close(timer->data);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    client_close(request->data);
    free(request);
}

static void on_written(uv_write_t *write, int status)
{
    struct admin_client *c = write->data;
    uv_shutdown_t *request;

    if (status != 0 || uv_is_closing((uv_handle_t *)&c->timer)) {
        client_close(c);
        return;
    }
    request = base_alloc(sizeof(*request));
    request->data = c;
    if (uv_shutdown(request, &c->handle.stream, on_shutdown) != 0) {
        free(request);
        client_close(c);
    }
}

static void send_reply(struct admin_client *c)
{
    struct span reply = buffer_span(&c->reply);
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)reply.data, (unsigned)reply.size);

    uv_read_stop(&c->handle.stream);
    c->is_answered = true;
    c->write.data = c;
    if (uv_write(&c->write, &c->handle.stream, &buf, 1, on_written) != 0)
        client_close(c);
}

/* --- requests --- */

/* `body` is taken; NULL when it does not fit into a reply. */
static void reply_with(struct admin_client *c, const char *type, char *body)
{
    if (body == NULL || !buffer_printf(&c->reply,
                                       "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                                       "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                                       "Connection: close\r\n\r\n%s",
                                       type, strlen(body), body))
        starttls_http_respond(500, "", "the reply is too large\n", &c->reply);
    free(body);
}

static void reply_metrics(struct admin_client *c)
{
    json_t *status = c->admin->desk.can->status(c->admin->desk.data);

    reply_with(c, "text/plain; version=0.0.4; charset=utf-8", metrics_text(status));
    json_decref(status);
}

static void reply_status(struct admin_client *c)
{
    json_t *status = c->admin->desk.can->status(c->admin->desk.data);

    reply_with(c, "application/json", json_dumps(status, JSON_INDENT(2)));
    json_decref(status);
}

/* "ok" for as long as it serves, with what is missing behind it; who wants no client sent to where something is missing
 * asks for readiness. */
static void reply_health(struct admin_client *c, bool of_readiness)
{
    json_t *status;
    char *missing, *text;

    if (!c->admin->desk.can->is_in_service(c->admin->desk.data)) {
        starttls_http_respond(503, "Cache-Control: no-store\r\n", "out of service\n", &c->reply);
        return;
    }
    status = c->admin->desk.can->status(c->admin->desk.data);
    missing = health_missing(status);
    json_decref(status);
    text = base_printf("ok\n%s", missing);
    if (of_readiness && missing[0] != '\0') {
        starttls_http_respond(503, "Cache-Control: no-store\r\n", missing, &c->reply);
        free(text);
    } else {
        reply_with(c, "text/plain; charset=utf-8", text);
    }
    free(missing);
}

bool admin_host_is_local(struct span host)
{
    struct address address;
    uint16_t port;
    char *name;
    bool is_local;

    if (!starttls_authority_parse_optional_port(host, &name, &port))
        return false;
    is_local = strcmp(name, "localhost") == 0 || address_parse(span_of_string(name), &address);
    free(name);
    return is_local;
}

static bool is_path(const struct admin_client *c, const char *path)
{
    return span_equal(starttls_http_path(c->http), span_of_string(path));
}

static void do_request(struct admin_client *c)
{
    if (c->admin->address.type == CONFIG_ADDRESS_INET &&
        !admin_host_is_local(starttls_http_field(c->http, "Host", NULL)))
        starttls_http_respond(421, "", "the Host field must be an IP address or localhost\n", &c->reply);
    else if (strcmp(starttls_http_method(c->http), "GET") != 0)
        starttls_http_respond(405, "Allow: GET\r\n", "only GET is answered here\n", &c->reply);
    else if (is_path(c, "/metrics"))
        reply_metrics(c);
    else if (is_path(c, "/healthz"))
        reply_health(c, false);
    else if (is_path(c, "/readyz"))
        reply_health(c, true);
    else if (is_path(c, "/status"))
        reply_status(c);
    else
        starttls_http_respond(404, "", "there are /metrics, /healthz, /readyz and /status\n", &c->reply);
    send_reply(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct admin_client *c = handle->data;

    (void)suggested;
    *buf = uv_buf_init(c->block, sizeof(c->block));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct admin_client *c = stream->data;
    enum starttls_status status;
    size_t consumed;

    if (size < 0) {
        client_close(c);
        return;
    }
    if (size == 0)
        return;
    status = starttls_http_put(c->http, span_of(buf->base, (size_t)size), &consumed);
    if (status == STARTTLS_READY) {
        do_request(c);
    } else if (status != STARTTLS_NEED_MORE) {
        starttls_http_respond(starttls_http_fault(c->http), "", "this is not a request yett understands\n", &c->reply);
        send_reply(c);
    }
}

/* --- the server --- */

static void stream_init(uv_loop_t *loop, enum config_address_type type, uv_tcp_t *tcp, uv_pipe_t *pipe)
{
    if (type == CONFIG_ADDRESS_UNIX)
        uv_pipe_init(loop, pipe, 0);
    else
        uv_tcp_init(loop, tcp);
}

/* Whether it has said something that the loop has not got round to read. */
static bool has_input(const struct admin_client *c)
{
    uv_os_fd_t fd;
    char byte;

    return uv_fileno((const uv_handle_t *)&c->handle.stream, &fd) == 0 &&
           recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Whom to end first, 0: what has not asked and says nothing; 1: what is in the middle of asking; 2: what is answered.
 */
static unsigned rank(const struct admin_client *c)
{
    if (c->is_answered)
        return 2;
    return has_input(c) ? 1 : 0;
}

/* A place for one more. Who holds connections and says nothing must not keep monitoring out: where all places are
 * taken, the oldest of those that wait for nothing but their own request goes. */
static size_t find_place(struct admin *a)
{
    size_t worst = 0;
    unsigned worst_rank = 0;

    for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++)
        if (a->clients[i] == NULL)
            return i;
    for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++) {
        unsigned r = rank(a->clients[i]);

        if (i == 0 || r < worst_rank || (r == worst_rank && a->clients[i]->number < a->clients[worst]->number)) {
            worst = i;
            worst_rank = r;
        }
    }
    client_close(a->clients[worst]);
    return worst;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct admin *a = stream->data;
    struct admin_client *c;
    size_t place;

    if (status != 0)
        return;
    c = base_alloc(sizeof(*c));
    c->http = starttls_http_create(STARTTLS_HTTP_REQUEST, NULL);
    buffer_init(&c->reply, ADMIN_REPLY_MAX);
    stream_init(stream->loop, a->address.type, &c->handle.tcp, &c->handle.pipe);
    uv_timer_init(stream->loop, &c->timer);
    c->handles_open = 2;
    c->handle.stream.data = c->timer.data = c;
    if (uv_accept(stream, &c->handle.stream) != 0 || uv_read_start(&c->handle.stream, on_alloc, on_read) != 0) {
        client_close(c);
        return;
    }
    place = find_place(a);
    c->admin = a;
    c->number = a->accepted++;
    a->clients[place] = c;
    uv_timer_start(&c->timer, on_client_timeout, ADMIN_REQUEST_MS_MAX, 0);
}

struct admin *admin_start(uv_loop_t *loop, const struct config_address *address, struct control_desk desk, char **error)
{
    bool is_unix = address->type == CONFIG_ADDRESS_UNIX;
    int fd = is_unix ? listen_unix(address->host, ADMIN_SOCKET_MODE, error) : listen_inet(address, error);
    struct admin *a;
    int result;

    if (fd < 0)
        return NULL;
    a = base_alloc(sizeof(*a));
    a->desk = desk;
    a->fd = fd;
    a->address = (struct config_address){.type = address->type, .host = base_strdup(address->host)};
    a->address.port = address->port;
    stream_init(loop, address->type, &a->handle.tcp, &a->handle.pipe);
    a->handle.stream.data = a;
    result = is_unix ? uv_pipe_open(&a->handle.pipe, fd) : uv_tcp_open(&a->handle.tcp, fd);
    if (result == 0)
        result = uv_listen(&a->handle.stream, ADMIN_CLIENTS_MAX, on_connection);
    if (result != 0)
        base_abort("cannot watch the admin socket: %s", uv_strerror(result));
    return a;
}

static void on_admin_closed(uv_handle_t *handle)
{
    struct admin *a = handle->data;

    free(a->address.host);
    free(a);
}

void admin_stop(struct admin **admin)
{
    struct admin *a = *admin;

    if (a == NULL)
        return;
    *admin = NULL;
    for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++)
        if (a->clients[i] != NULL)
            client_close(a->clients[i]);
    if (a->address.type == CONFIG_ADDRESS_UNIX)
        listen_unix_remove(a->fd, a->address.host);
    uv_close((uv_handle_t *)&a->handle.stream, on_admin_closed);
}

const struct config_address *admin_address(const struct admin *admin)
{
    return &admin->address;
}
