/* see proxy/commands/commands.h */
#include "proxy/commands/commands.h"

#include "proxy/commands/command_line.h"
#include "proxy/supervisor/supervisor.h"

static const char help[] =
    "Usage: yett run [-c FILE]\n"
    "\n"
    "Runs the proxy in the foreground until it is told to stop.\n"
    "\n"
    "  -c, --config FILE   the configuration; default /etc/yett/yett.conf\n"
    "\n"
    "Signals:\n"
    "  SIGHUP            read the configuration again (or: yett reload). One with errors changes nothing.\n"
    "  SIGTERM, SIGINT   stop accepting, let sessions end for drain_timeout, then end. A second one: at once.\n"
    "\n"
    "yett runs as the user it was started as; where that is root, let [yett] user say whom its workers become. To\n"
    "listen on ports below 1024 as an ordinary user, give it CAP_NET_BIND_SERVICE or have systemd open the sockets\n"
    "(listen = systemd:NAME).\n"
    "\n"
    "Exit status: 0 after a clean stop, 1 when it cannot start, 2 for wrong usage.\n"
    "\n"
    "Example:\n"
    "  yett check -c yett.conf && yett run -c yett.conf\n";

int cmd_run(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, 0, 0, help, &status))
        return status;
    return supervisor_run(line.config_path);
}
