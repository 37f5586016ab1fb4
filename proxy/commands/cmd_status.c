/* see proxy/commands/commands.h: the commands that show the running yett. */
#include "proxy/commands/commands.h"

#include "proxy/commands/control_client.h"
#include "proxy/commands/status_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMON_OPTIONS                                                                                                 \
    "  -c, --config FILE   the configuration the running yett was started with; default /etc/yett/yett.conf\n"         \
    "  --control PATH      its control socket, when it is another than the configuration says\n"                       \
    "  --json              print JSON\n"

static const char status_help[] =
    "Usage: yett status [-c FILE] [--json]\n"
    "\n"
    "Shows the running yett: its workers, what each service has counted, and the token agent of each module with its\n"
    "signatures and how its PIN stands:\n"
    "  none       no PIN is configured\n"
    "  untried    it has not been needed yet\n"
    "  right      the token took it\n"
    "  incorrect  the token refused it; it is not tried again until it is changed where it is kept, and reloaded\n"
    "  locked     the token is locked, or the next wrong PIN would lock it\n"
    "  unknown    the agent died while trying it; like incorrect, since a try may have been spent\n"
    "\n" COMMON_OPTIONS "\n"
    "Exit status: 0 / 1 / 2; 1 also when no yett is running.\n";

static const char connections_help[] = "Usage: yett connections [-c FILE] [--json]\n"
                                       "\n"
                                       "Lists the sessions of the running yett, those of draining workers included.\n"
                                       "\n" COMMON_OPTIONS "\n"
                                       "Exit status: 0 / 1 / 2.\n";

static const char show_help[] =
    "Usage: yett show [-c FILE] CONNECTION\n"
    "\n"
    "Prints all that is known about one session as JSON. CONNECTION is its id, as in the log "
    "and in\n\"yett connections\".\n"
    "\n" COMMON_OPTIONS "\n"
    "Exit status: 0 / 1 / 2; 1 also when there is no such session.\n";

static void print_json(const json_t *object)
{
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
}

int cmd_status(int argc, char **argv)
{
    struct command_line line;
    json_t *reply;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL | COMMAND_JSON, 0, status_help, &status))
        return status;
    reply = control_client_ask(&line, json_pack("{s:s}", "command", "status"), CONTROL_ANSWER);
    if (reply == NULL)
        return COMMAND_FAILED;
    if ((line.options & COMMAND_JSON) != 0)
        print_json(json_object_get(reply, "status"));
    else
        status_text_print(json_object_get(reply, "status"), stdout);
    json_decref(reply);
    return COMMAND_DONE;
}

static json_t *ask_connections(const struct command_line *line)
{
    return control_client_ask(line, json_pack("{s:s}", "command", "connections"), CONTROL_ANSWER);
}

int cmd_connections(int argc, char **argv)
{
    struct command_line line;
    json_t *reply;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL | COMMAND_JSON, 0, connections_help, &status))
        return status;
    reply = ask_connections(&line);
    if (reply == NULL)
        return COMMAND_FAILED;
    json_object_del(reply, "ok");
    if ((line.options & COMMAND_JSON) != 0)
        print_json(reply);
    else
        status_text_print_connections(reply, stdout);
    json_decref(reply);
    return COMMAND_DONE;
}

int cmd_show(int argc, char **argv)
{
    struct command_line line;
    json_t *reply, *connection;
    size_t i;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL | COMMAND_JSON, 1, show_help, &status))
        return status;
    reply = ask_connections(&line);
    if (reply == NULL)
        return COMMAND_FAILED;
    status = COMMAND_FAILED;
    json_array_foreach(json_object_get(reply, "connections"), i, connection)
    {
        const char *id = json_string_value(json_object_get(connection, "id"));

        if (id == NULL || strcmp(id, line.arguments[0]) != 0)
            continue;
        print_json(connection);
        status = COMMAND_DONE;
    }
    if (status != COMMAND_DONE)
        fprintf(stderr, "yett show: there is no connection %s now\n", line.arguments[0]);
    json_decref(reply);
    return status;
}
