/* see proxy/cmd_agent.h */
#include "proxy/cmd_agent.h"

#include "proxy/command_line.h"
#include "proxy/spawn.h"
#include "proxy/thread_priority.h"
#include "tokens/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_agent(int argc, char **argv)
{
    struct tokens_agent_options options = {.listen_fd = CMD_AGENT_LISTEN_FD, .control_fd = CHILD_CONTROL_FD};

    if (argc != CMD_AGENT_ARGUMENTS + 1) {
        fputs("yett agent: this command is internal; \"yett run\" starts it\n", stderr);
        return COMMAND_USAGE;
    }
    options.module_name = argv[1];
    options.module_path = argv[2];
    options.sessions_max = (unsigned)strtoul(argv[3], NULL, 10);
    options.queue_max = (unsigned)strtoul(argv[4], NULL, 10);
    options.sign_timeout_ms = (uint32_t)strtoul(argv[5], NULL, 10);
    options.pin_source_spent = strcmp(argv[6], CMD_AGENT_PIN_SOURCE_SPENT) == 0;
    signal(SIGPIPE, SIG_IGN);
    (void)thread_priority_patient(); /* what it computes may wait for the workers' loops; its threads inherit it */
    return tokens_agent_main(&options);
}
