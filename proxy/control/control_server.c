/* see proxy/control/control_server.h */
#include "proxy/control/control_server.h"

#include "proxy/control/control_file.h"
#include "proxy/process/listen.h"
#include "proxy/process/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct control_client {
    struct control_server *server;
    struct control_peer peer;
    uv_pipe_t pipe;
    uv_write_t write;
    char *reply;        /* being written */
    char *login_module; /* the next line is a PIN for it; NULL: it is a request */
    char *login_token;  /* likewise: which of its tokens */
    bool busy;          /* a request is under way: no more is read */
    size_t size;
    char line[CONTROL_REQUEST_MAX];
};

struct control_server {
    struct control_desk desk;
    struct control_roles *roles; /* NULL: root and ourselves alone */
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
    free(c->login_token);
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
        answer(data, json_pack("{s:b, s:s}", "ok", true, "warnings", report));
    else
        answer_error(data, report);
}

static void on_gathered(void *data, const json_t *result)
{
    json_t *reply = json_copy((json_t *)(uintptr_t)result);

    json_object_set_new(reply, "ok", json_true());
    answer(data, reply);
}

/* --- commands --- */

static void do_status(struct control_client *c, const json_t *request)
{
    (void)request;
    answer(c, json_pack("{s:b, s:o}", "ok", true, "status", c->server->desk.can->status(c->server->desk.data)));
}

static void do_connections(struct control_client *c, const json_t *request)
{
    (void)request;
    c->server->desk.can->connections(c->server->desk.data, on_gathered, c);
}

static void do_reload(struct control_client *c, const json_t *request)
{
    (void)request;
    c->server->desk.can->reload(c->server->desk.data, on_reloaded, c);
}

static void do_drain(struct control_client *c, const json_t *request)
{
    (void)request;
    c->server->desk.can->drain(c->server->desk.data);
    answer(c, json_pack("{s:b}", "ok", true));
}

static const char *module_of(const json_t *request)
{
    const char *module = json_string_value(json_object_get(request, "module"));

    return module == NULL ? "" : module;
}

static void do_login(struct control_client *c, const json_t *request)
{
    const char *label = json_string_value(json_object_get(request, "token"));
    const char *serial = json_string_value(json_object_get(request, "serial"));

    c->login_module = base_strdup(module_of(request));
    c->login_token = base_printf("%s\n%s", label == NULL ? "" : label, serial == NULL ? "" : serial);
    c->busy = false;
    take_requests(c);
}

static void do_logout(struct control_client *c, const json_t *request)
{
    char *error = NULL;

    if (c->server->desk.can->logout(c->server->desk.data, module_of(request), &error))
        answer(c, json_pack("{s:b}", "ok", true));
    else
        answer_error(c, error);
    free(error);
}

static void do_stop(struct control_client *c, const json_t *request)
{
    bool now = json_is_true(json_object_get(request, "now"));

    answer(c, json_pack("{s:b}", "ok", true));
    c->server->desk.can->stop(c->server->desk.data, now);
}

static const struct command {
    const char *name;
    enum control_role role; /* that it takes */
    void (*run)(struct control_client *c, const json_t *request);
} commands[] = {
    {"status", CONTROL_ROLE_LOOK, do_status},    {"connections", CONTROL_ROLE_LOOK, do_connections},
    {"reload", CONTROL_ROLE_OPERATE, do_reload}, {"drain", CONTROL_ROLE_OPERATE, do_drain},
    {"login", CONTROL_ROLE_OPERATE, do_login},   {"logout", CONTROL_ROLE_OPERATE, do_logout},
    {"stop", CONTROL_ROLE_ADMINISTER, do_stop},
};

/* What to say to a peer who may not; owned by the caller. */
static char *refusal_text(const struct control_peer *peer, const char *command, enum control_role role)
{
    const char *name = control_role_name(role);

    if (peer->kin == KIN_DESCENDANT)
        return base_printf("yett: process %d was started by yett itself, and such a process may not ask for anything",
                           (int)peer->process.pid);
    if (peer->kin == KIN_UNKNOWN)
        return base_printf(
            "yett: it cannot be seen that process %d was not started by yett itself, so it may not ask for "
            "anything: ask as root, or from a process that does not hide",
            (int)peer->process.pid);
    return base_printf("yett: user %ju may not %s: that takes the role %s, which root, the user that yett runs as, and "
                       "those named by \"%s = ...\" in [control] have",
                       (uintmax_t)peer->process.uid, command, name, name);
}

/* Peers cause these lines: they are bounded for each user. */
static void log_refusal(const struct control_peer *peer, const char *command, const char *reason)
{
    const struct log_field fields[] = {log_number("uid", (int64_t)peer->process.uid),
                                       log_number("pid", (int64_t)peer->process.pid),
                                       log_text("command", command),
                                       log_text("reason", reason),
                                       {.key = NULL}};

    log_write_of(LOG_LEVEL_WARNING, span_of(&peer->process.uid, sizeof(peer->process.uid)), "control_refused", fields);
}

static void do_command(struct control_client *c, const char *name, const json_t *request)
{
    char *refusal;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (c->peer.role >= commands[i].role) {
            commands[i].run(c, request);
            return;
        }
        refusal = refusal_text(&c->peer, name, commands[i].role);
        log_refusal(&c->peer, name, refusal);
        answer_error(c, refusal);
        free(refusal);
        return;
    }
    answer_error(c, "unknown command");
}

static void on_logged_in(void *data, bool good, const char *text)
{
    if (good)
        answer(data, json_pack("{s:b, s:s}", "ok", true, "text", text));
    else
        answer_error(data, text);
}

static void do_pin(struct control_client *c, const char *pin, size_t size)
{
    char *module = c->login_module, *token = c->login_token;

    c->busy = true;
    c->login_module = c->login_token = NULL;
    c->server->desk.can->login(c->server->desk.data, module, token, span_of(pin, size), on_logged_in, c);
    free(module);
    free(token);
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
        do_pin(c, line, size);
    else
        do_request(c, line, size);
    base_wipe(line, size);
}

/* --- the server --- */

/* How many places are taken by those who are not administrators. */
static size_t guest_count(const struct control_server *server)
{
    size_t count = 0;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        count += server->clients[i] != NULL && server->clients[i]->peer.role != CONTROL_ROLE_ADMINISTER;
    return count;
}

/* A place for the peer, or CONTROL_CLIENTS_MAX. Some are kept for administrators. */
static size_t free_place(const struct control_server *server, const struct control_peer *peer)
{
    size_t place = 0;

    if (peer->role != CONTROL_ROLE_ADMINISTER && guest_count(server) >= CONTROL_GUESTS_MAX)
        return CONTROL_CLIENTS_MAX;
    while (place < CONTROL_CLIENTS_MAX && server->clients[place] != NULL)
        place++;
    return place;
}

/* Who may nothing is told so at once, whatever they would ask, and holds no place. */
static void turn_away(const struct control_peer *peer, int fd)
{
    char *refusal = refusal_text(peer, "ask for anything here", CONTROL_ROLE_LOOK);
    json_t *reply = json_pack("{s:b, s:s}", "ok", false, "error", refusal);
    char *text = json_dumps(reply, JSON_COMPACT);
    char *line = text == NULL ? NULL : base_printf("%s\n", text);

    if (line != NULL)
        (void)!send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
    log_refusal(peer, "", refusal);
    free(line);
    free(text);
    json_decref(reply);
    free(refusal);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct control_server *server = stream->data;
    struct control_client *c;
    uv_os_fd_t fd;
    size_t place;

    if (status != 0)
        return;
    c = base_alloc(sizeof(*c));
    c->server = server;
    uv_pipe_init(stream->loop, &c->pipe, 0);
    c->pipe.data = c;
    if (uv_accept(stream, (uv_stream_t *)&c->pipe) != 0 || uv_fileno((const uv_handle_t *)&c->pipe, &fd) != 0) {
        uv_close((uv_handle_t *)&c->pipe, on_client_closed);
        return;
    }
    c->peer = control_peer_of(server->roles, fd);
    place = free_place(server, &c->peer);
    if (c->peer.role == CONTROL_ROLE_NONE)
        turn_away(&c->peer, fd);
    if (c->peer.role == CONTROL_ROLE_NONE || place == CONTROL_CLIENTS_MAX) {
        uv_close((uv_handle_t *)&c->pipe, on_client_closed);
        return;
    }
    server->clients[place] = c;
    take_requests(c);
}

struct control_server *control_server_start(uv_loop_t *loop, const char *path, struct control_desk desk, char **error)
{
    struct control_server *server;
    int fd, result;

    fd = control_folder_prepare(path, error) ? listen_unix(path, 0600, error) : -1;
    if (fd < 0) {
        char *longer = base_printf("the control socket: %s", *error);

        free(*error);
        *error = longer;
        return NULL;
    }
    server = base_alloc(sizeof(*server));
    server->desk = desk;
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

void control_server_set_roles(struct control_server *server, struct control_roles *roles)
{
    char *error = NULL;

    control_roles_destroy(&server->roles);
    server->roles = roles;
    if (!control_file_open_to(server->path, roles, &error))
        log_line(LOG_LEVEL_ERROR, "control_mode_failed", log_text("reason", error));
    free(error);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *c = server->clients[i];
        uv_os_fd_t fd;

        if (c != NULL && uv_fileno((const uv_handle_t *)&c->pipe, &fd) == 0)
            c->peer = control_peer_of(roles, fd);
    }
}

static void on_server_closed(uv_handle_t *handle)
{
    struct control_server *server = handle->data;

    control_roles_destroy(&server->roles);
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
