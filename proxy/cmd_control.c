/* see proxy/commands.h: the commands that change something about the running yett. */
#include "proxy/commands.h"

#include "proxy/control_client.h"

#define COMMON_OPTIONS                                                                                                 \
    "  -c, --config FILE   the configuration the running yett was started with; default /etc/yett/yett.conf\n"         \
    "  --control PATH      its control socket, when it is another than the configuration says\n"

static const char reload_help[] =
    "Usage: yett reload [-c FILE]\n"
    "\n"
    "Has the running yett read its configuration again, and waits for the outcome.\n"
    "\n" COMMON_OPTIONS "\n"
    "New workers are started on the same sockets; when all of them are ready, the old ones stop accepting and go on\n"
    "with their sessions for at most drain_timeout. No connection is refused or cut. A configuration with errors\n"
    "changes nothing, and each error is printed as FILE:LINE: message.\n"
    "\n"
    "Exit status: 0 the new configuration is in force, 1 it is not, 2 wrong usage.\n";

static const char drain_help[] =
    "Usage: yett drain [-c FILE]\n"
    "\n"
    "Takes the running yett out of service: it stops listening, /healthz says 503, and sessions go on until they end\n"
    "or drain_timeout is over. yett itself stays: watch it with \"yett status\", bring it back with \"yett reload\", or\n"
    "end it with \"yett stop\".\n"
    "\n" COMMON_OPTIONS "\n"
    "Exit status: 0 / 1 / 2.\n";

static const char stop_help[] =
    "Usage: yett stop [-c FILE] [--now]\n"
    "\n"
    "Ends the running yett and waits until it has ended. It stops accepting at once, and lets sessions go on for at\n"
    "most drain_timeout.\n"
    "\n" COMMON_OPTIONS "  --now               do not wait for sessions: close them\n"
    "\n"
    "Exit status: 0 / 1 / 2.\n";

static int ask(const struct command_line *line, json_t *request, enum control_wait wait)
{
    json_t *reply = control_client_ask(line, request, wait);

    if (reply == NULL)
        return COMMAND_FAILED;
    json_decref(reply);
    return COMMAND_DONE;
}

int cmd_reload(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL, 0, reload_help, &status))
        return status;
    return ask(&line, json_pack("{s:s}", "command", "reload"), CONTROL_ANSWER);
}

int cmd_drain(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL, 0, drain_help, &status))
        return status;
    return ask(&line, json_pack("{s:s}", "command", "drain"), CONTROL_ANSWER);
}

int cmd_stop(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL | COMMAND_NOW, 0, stop_help, &status))
        return status;
    return ask(&line, json_pack("{s:s, s:b}", "command", "stop", "now", (line.options & COMMAND_NOW) != 0),
               CONTROL_THE_END);
}
