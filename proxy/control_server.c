/* see proxy/control_server.h */
#include "proxy/control_server.h"

#include "proxy/listen_sockets.h"
#include "proxy/log.h"
#include "proxy/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct control_client {
    struct control_server *server;
    uv_pipe_t pipe;
    uv_write_t write;
    char *reply;        /* being written */
    char *login_module; /* the next line is its PIN; NULL: it is a request */
    bool busy;          /* a request is under way: no more is read */
    size_t size;
    char line[CONTROL_REQUEST_MAX];
};

struct control_server {
    struct supervisor *supervisor;
    char *path;
    int fd; /* the listening socket; the pipe's, for as long as that is open */
    uv_pipe_t pipe;
    struct control_client *clients[CONTROL_CLIENTS_MAX];
};

static void take_requests(struct control_client *c);

/* --- clients --- */

static void on_client_closed(uv_handle_t *handle)
{
    struct control_client *c = handle->data;

    free(c->reply);
    free(c->login_module);
    base_wipe(c->line, sizeof(c->line));
    free(c);
}

static void client_close(struct control_client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->server->clients[i] == c)
            c->server->clients[i] = NULL;
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_client *c = handle->data;

    (void)suggested;
    *buf = uv_buf_init(c->line + c->size, (unsigned)(sizeof(c->line) - c->size));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct control_client *c = stream->data;

    (void)buf;
    if (size < 0) {
        client_close(c);
        return;
    }
    c->size += (size_t)size;
    take_requests(c);
}

static void on_written(uv_write_t *write, int status)
{
    struct control_client *c = write->data;

    free(c->reply);
    c->reply = NULL;
    c->busy = false;
    if (status != 0)
        client_close(c);
    if (!uv_is_closing((uv_handle_t *)&c->pipe))
        take_requests(c);
}

/* Takes `reply`. */
static void answer(struct control_client *c, json_t *reply)
{
    char *text = json_dumps(reply, JSON_COMPACT);
    uv_buf_t buf;

    json_decref(reply);
    if (text == NULL)
        base_abort("out of memory (a reply on the control socket)");
    c->reply = base_printf("%s\n", text);
    free(text);
    buf = uv_buf_init(c->reply, (unsigned)strlen(c->reply));
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) != 0)
        client_close(c);
}

static void answer_error(struct control_client *c, const char *error)
{
    answer(c, json_pack("{s:b, s:s}", "ok", false, "error", error));
}

static void on_reloaded(void *data, bool good, const char *report)
{
    if (good)
        answer(data, json_pack("{s:b}", "ok", true));
    else
        answer_error(data, report);
}

static void on_gathered(void *data, const json_t *result)
{
    json_t *reply = json_copy((json_t *)(uintptr_t)result);

    json_object_set_new(reply, "ok", json_true());
    answer(data, reply);
}

static void do_command(struct control_client *c, const char *command, const json_t *request)
{
    struct supervisor *s = c->server->supervisor;

    if (strcmp(command, "status") == 0) {
        answer(c, json_pack("{s:b, s:o}", "ok", true, "status", supervisor_status(s)));
    } else if (strcmp(command, "connections") == 0) {
        supervisor_connections(s, on_gathered, c);
    } else if (strcmp(command, "reload") == 0) {
        supervisor_reload(s, on_reloaded, c);
    } else if (strcmp(command, "drain") == 0) {
        supervisor_drain(s);
        answer(c, json_pack("{s:b}", "ok", true));
    } else if (strcmp(command, "login") == 0) {
        const char *module = json_string_value(json_object_get(request, "module"));

        c->login_module = base_strdup(module == NULL ? "" : module);
        c->busy = false;
        take_requests(c);
    } else if (strcmp(command, "logout") == 0) {
        const char *module = json_string_value(json_object_get(request, "module"));
        char *error = NULL;

        if (supervisor_logout(s, module == NULL ? "" : module, &error))
            answer(c, json_pack("{s:b}", "ok", true));
        else
            answer_error(c, error);
        free(error);
    } else if (strcmp(command, "stop") == 0) {
        bool now = json_is_true(json_object_get(request, "now"));

        answer(c, json_pack("{s:b}", "ok", true));
        supervisor_stop(s, now ? SUPERVISOR_STOP_NOW : SUPERVISOR_STOP_GRACEFULLY);
    } else {
        answer_error(c, "unknown command");
    }
}

static void do_login(struct control_client *c, const char *pin, size_t size)
{
    char *error = NULL;

    c->busy = true;
    if (supervisor_login(c->server->supervisor, c->login_module, span_of(pin, size), &error))
        answer(c, json_pack("{s:b}", "ok", true));
    else
        answer_error(c, error);
    free(error);
    free(c->login_module);
    c->login_module = NULL;
}

static void do_request(struct control_client *c, const char *line, size_t size)
{
    json_error_t error;
    json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    const char *command = json_string_value(json_object_get(request, "command"));

    c->busy = true;
    if (command == NULL)
        answer_error(c, "a request is one JSON object with a \"command\"");
    else
        do_command(c, command, request);
    json_decref(request);
}

/* The next whole line that waits, if none is being answered; else read on. */
static void take_requests(struct control_client *c)
{
    char line[CONTROL_REQUEST_MAX];
    const char *end = memchr(c->line, '\n', c->size);
    size_t size;

    if (c->busy)
        return;
    if (end == NULL) {
        if (c->size == sizeof(c->line) || uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) < 0)
            client_close(c);
        return;
    }
    uv_read_stop((uv_stream_t *)&c->pipe);
    size = (size_t)(end - c->line);
    memcpy(line, c->line, size);
    c->size -= size + 1;
    memmove(c->line, end + 1, c->size);
    base_wipe(c->line + c->size, size + 1);
    if (c->login_module != NULL)
        do_login(c, line, size);
    else
        do_request(c, line, size);
    base_wipe(line, size);
}

/* --- the server --- */

static bool is_allowed(const uv_pipe_t *pipe)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    uv_os_fd_t fd;

    return uv_fileno((const uv_handle_t *)pipe, &fd) == 0 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct control_server *server = stream->data;
    struct control_client *c;
    size_t free_place = 0;

    if (status != 0)
        return;
    while (free_place < CONTROL_CLIENTS_MAX && server->clients[free_place] != NULL)
        free_place++;
    c = base_alloc(sizeof(*c));
    c->server = server;
    uv_pipe_init(stream->loop, &c->pipe, 0);
    c->pipe.data = c;
    if (uv_accept(stream, (uv_stream_t *)&c->pipe) != 0 || free_place == CONTROL_CLIENTS_MAX || !is_allowed(&c->pipe)) {
        uv_close((uv_handle_t *)&c->pipe, on_client_closed);
        return;
    }
    server->clients[free_place] = c;
    take_requests(c);
}

static void make_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;

    if (slash == NULL || slash == path)
        return;
    folder = base_strndup(path, (size_t)(slash - path));
    (void)mkdir(folder, 0755); /* what is wrong with it, listen_unix() says */
    free(folder);
}

struct control_server *control_server_start(uv_loop_t *loop, const char *path, struct supervisor *s, char **error)
{
    struct control_server *server;
    int fd, result;

    make_folder(path);
    fd = listen_unix(path, 0600, error);
    if (fd < 0) {
        char *longer = base_printf("the control socket: %s", *error);

        free(*error);
        *error = longer;
        return NULL;
    }
    server = base_alloc(sizeof(*server));
    server->supervisor = s;
    server->path = base_strdup(path);
    server->fd = fd;
    uv_pipe_init(loop, &server->pipe, 0);
    server->pipe.data = server;
    result = uv_pipe_open(&server->pipe, fd);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&server->pipe, CONTROL_CLIENTS_MAX, on_connection);
    if (result != 0)
        base_abort("cannot watch the control socket: %s", uv_strerror(result));
    return server;
}

static void on_server_closed(uv_handle_t *handle)
{
    struct control_server *server = handle->data;

    free(server->path);
    free(server);
}

void control_server_stop(struct control_server **server)
{
    struct control_server *s = *server;

    if (s == NULL)
        return;
    *server = NULL;
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (s->clients[i] != NULL)
            client_close(s->clients[i]);
    listen_unix_remove(s->fd, s->path);
    uv_close((uv_handle_t *)&s->pipe, on_server_closed);
}

const char *control_server_path(const struct control_server *server)
{
    return server->path;
}
