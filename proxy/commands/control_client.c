/* see proxy/commands/control_client.h */
#include "proxy/commands/control_client.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/text.h"
#include "config/config.h"
#include "proxy/control/control_file.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONTROL_REPLY_MAX = 256 * 1024 * 1024 };

static const char default_control[] = "/run/yett/control.sock";

/* --- where --- */

/* `line` without white space around it, and without a comment behind it. In place. */
static char *trim(char *line)
{
    char *comment = strstr(line, " ;");
    size_t size;

    if (comment != NULL)
        *comment = '\0';
    while (isspace((unsigned char)*line))
        line++;
    size = strlen(line);
    while (size > 0 && isspace((unsigned char)line[size - 1]))
        line[--size] = '\0';
    return line;
}

/* The value of `line` when it is "control = value". */
static char *control_value(char *line)
{
    char *equals = strchr(line, '=');

    if (equals == NULL)
        return NULL;
    *equals = '\0';
    return strcmp(trim(line), "control") == 0 ? trim(equals + 1) : NULL;
}

/* What a configuration that does not parse says about its control socket, or the default. It is no second parser: it is
 * how a running yett is asked and stopped while somebody mends the file. */
static char *path_from_broken(const char *file)
{
    char *found = NULL, *error = NULL;
    bool in_yett = false;
    struct base_text lines;
    struct span line;
    uint8_t *data;
    size_t size;

    if (!base_file_read(file, BASE_FILE_TRUSTED, CONFIG_FILE_BYTES_MAX, &data, &size, NULL, &error)) {
        free(error); /* it has been told, or will be when the file is read as a whole */
        return base_strdup(default_control);
    }
    lines = base_text_of(span_of(data, size));
    while (found == NULL && base_text_next(&lines, &line)) {
        char *copy = base_strndup((const char *)line.data, line.size), *text = trim(copy);
        char *value;

        if (text[0] == '[')
            in_yett = strcmp(text, "[yett]") == 0;
        else if (in_yett && (value = control_value(text)) != NULL)
            found = base_strdup(value);
        free(copy);
    }
    free(data);
    return found == NULL ? base_strdup(default_control) : found;
}

char *control_client_path(const struct command_line *c)
{
    struct config_findings findings = {0};
    struct config_snapshot *snapshot;
    struct config *config = NULL;
    char *path;

    if (c->control != NULL)
        return base_strdup(c->control);
    snapshot = config_snapshot_read(c->config_path, &findings);
    if (snapshot != NULL)
        config = config_parse(snapshot, &findings);
    path = config != NULL ? base_strdup(config->control) : path_from_broken(c->config_path);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);
    config_findings_clear(&findings);
    return path;
}

/* --- what --- */

static void tell_denied(const char *path)
{
    char *why = base_file_why_for(path, EACCES, BASE_FILE_CONNECT);

    fprintf(stderr,
            "yett: cannot connect to %s: %s: root and the user that yett runs as may, and who is named in [control]\n",
            path, why);
    free(why);
}

/* -1 after having said why. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && strlen(path) < sizeof(address.sun_path)) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return fd;
        if (errno == ENOENT || errno == ECONNREFUSED)
            fprintf(stderr, "yett: no yett is running at %s\n", path);
        else if (errno == EACCES)
            tell_denied(path);
        else
            fprintf(stderr, "yett: cannot connect to %s: %s\n", path, strerror(errno));
    } else {
        fprintf(stderr, "yett: cannot connect to %s\n", path);
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A secret goes only to who cannot be somebody that has put a socket in yett's place. */
static bool may_have_secret(const char *path, int fd)
{
    struct ucred server;
    socklen_t size = sizeof(server);
    char *error = NULL;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) == 0 &&
        control_folder_is_safe(path, server.uid, &error))
        return true;
    fprintf(stderr, "yett: nothing secret is sent to %s: %s\n", path,
            error == NULL ? "it cannot be seen who answers there" : error);
    free(error);
    return false;
}

static bool send_line(int fd, const char *text)
{
    char *line = base_printf("%s\n", text);
    size_t size = strlen(line), sent = 0;
    ssize_t wrote = 0;

    while (sent < size && (wrote = send(fd, line + sent, size - sent, MSG_NOSIGNAL)) > 0)
        sent += (size_t)wrote;
    base_wipe_string(&line);
    return sent == size;
}

/* `secret` may be NULL. */
static void send_request(int fd, const json_t *request, const char *secret)
{
    char *text = json_dumps(request, JSON_COMPACT);

    if (text != NULL && send_line(fd, text) && secret != NULL)
        (void)send_line(fd, secret);
    free(text);
}

/* All up to the newline, or to the end. */
static json_t *receive_line(int fd)
{
    struct buffer in;
    json_t *reply;
    json_error_t error;

    buffer_init(&in, CONTROL_REPLY_MAX);
    for (;;) {
        size_t room;
        uint8_t *space = buffer_reserve(&in, 65536, &room);
        ssize_t got = room == 0 ? 0 : recv(fd, space, room, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        buffer_commit(&in, (size_t)got);
        if (space[got - 1] == '\n')
            break;
    }
    reply = json_loadb((const char *)buffer_span(&in).data, buffer_span(&in).size, 0, &error);
    buffer_release(&in);
    return reply;
}

/* A descriptor of the process at the other end. -1 when it cannot be had. */
static int peer_process(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? pidfd_open(peer.pid, 0) : -1;
}

/* Until the process is gone; where that cannot be seen, until it has closed the connection, which is shortly before. */
static void wait_for_end(int fd, int process)
{
    struct pollfd end = {.fd = process >= 0 ? process : fd, .events = POLLIN};

    while (poll(&end, 1, -1) < 0 && errno == EINTR)
        ;
}

static json_t *ask(const struct command_line *c, json_t *request, const char *secret, enum control_wait wait)
{
    char *path = control_client_path(c);
    json_t *reply = NULL;
    int fd = connect_to(path);

    if (fd >= 0 && secret != NULL && !may_have_secret(path, fd)) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) {
        int process = wait == CONTROL_THE_END ? peer_process(fd) : -1;

        /* Who may nothing is told so before having asked: then the request is not taken, but the answer is there. */
        send_request(fd, request, secret);
        reply = receive_line(fd);
        if (reply == NULL) {
            fprintf(stderr, "yett: the yett at %s did not answer; it may be stopping, or run as another user\n", path);
        } else if (!json_is_true(json_object_get(reply, "ok"))) {
            const char *error = json_string_value(json_object_get(reply, "error"));

            fprintf(stderr, "%s\n", error == NULL ? "yett: refused" : error);
            json_decref(reply);
            reply = NULL;
        } else if (wait == CONTROL_THE_END) {
            wait_for_end(fd, process);
        }
        if (process >= 0)
            close(process);
        close(fd);
    }
    json_decref(request);
    free(path);
    return reply;
}

json_t *control_client_ask(const struct command_line *c, json_t *request, enum control_wait wait)
{
    return ask(c, request, NULL, wait);
}

json_t *control_client_ask_with_secret(const struct command_line *c, json_t *request, const char *secret)
{
    return ask(c, request, secret, CONTROL_ANSWER);
}
