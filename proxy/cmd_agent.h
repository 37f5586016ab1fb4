/* proxy/cmd_agent.h: "yett agent", internal: the token agent process, with what the supervisor passes in arguments. */
#ifndef YETT_PROXY_CMD_AGENT_H
#define YETT_PROXY_CMD_AGENT_H

/* The arguments, all of them: NAME PATH SESSIONS_MAX QUEUE_MAX SIGN_TIMEOUT_MS PIN_SOURCE SANDBOX. The listening
 * socket is CMD_AGENT_LISTEN_FD. */
enum { CMD_AGENT_LISTEN_FD = 4, CMD_AGENT_ARGUMENTS = 7 };
#define CMD_AGENT_PIN_SOURCE_MAY_BE_TRIED "pin-source-untried"
#define CMD_AGENT_PIN_SOURCE_SPENT        "pin-source-spent"
/* No programs; programs; and either without a kernel that can hold it to that. */
#define CMD_AGENT_SANDBOX_STRICT            "strict"
#define CMD_AGENT_SANDBOX_PROGRAMS          "programs"
#define CMD_AGENT_SANDBOX_STRICT_MAY_FAIL   "strict-may-fail"
#define CMD_AGENT_SANDBOX_PROGRAMS_MAY_FAIL "programs-may-fail"

int cmd_agent(int argc, char **argv);

#endif
