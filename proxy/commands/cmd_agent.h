/* proxy/commands/cmd_agent.h: "yett agent", internal: the token agent process. Arguments:
 * proxy/process/agent_arguments.h. */
#ifndef YETT_PROXY_COMMANDS_CMD_AGENT_H
#define YETT_PROXY_COMMANDS_CMD_AGENT_H

int cmd_agent(int argc, char **argv);

#endif
