/* see proxy/commands/cmd_agent.h */
#include "proxy/commands/cmd_agent.h"

#include "proxy/process/agent_arguments.h"

#include "proxy/commands/command_line.h"
#include "proxy/worker/sandbox.h"
#include "proxy/process/spawn.h"
#include "proxy/process/thread_priority.h"
#include "tokens/agent/agent.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* false, and the supervisor knows why, when the kernel cannot and the configuration does not take that. */
static bool enter_sandbox(const char *kind)
{
    bool programs = strncmp(kind, AGENT_SANDBOX_PROGRAMS, strlen(AGENT_SANDBOX_PROGRAMS)) == 0;
    bool may_fail =
        strcmp(kind, AGENT_SANDBOX_STRICT_MAY_FAIL) == 0 || strcmp(kind, AGENT_SANDBOX_PROGRAMS_MAY_FAIL) == 0;
    struct sandbox_state state = sandbox_agent(programs ? SANDBOX_PROGRAMS_ALLOWED : SANDBOX_PROGRAMS_NONE);
    struct tokens_agent_message message = {.event = TOKENS_AGENT_FAILED};

    if (state.seccomp || may_fail)
        return true;
    snprintf(message.text, sizeof(message.text),
             "this kernel takes no seccomp filter, so the module could do all that its user may: run on one that does, "
             "or accept it with \"insecure_no_seccomp = yes\" in [yett]");
    (void)!tokens_agent_send(CHILD_CONTROL_FD, &message);
    return false;
}

/* As NSS_NoDB_Init() has it. */
static const char nss_without_database[] =
    "configdir='' certPrefix='' keyPrefix='' secmod='' flags=readOnly,noCertDB,noModDB,forceOpen,optimizeSpace";

int cmd_agent(int argc, char **argv)
{
    struct tokens_agent_options options = {.listen_fd = AGENT_LISTEN_FD, .control_fd = CHILD_CONTROL_FD};

    if (argc != AGENT_ARGUMENTS + 1) {
        fputs("yett agent: this command is internal; \"yett run\" starts it\n", stderr);
        return COMMAND_USAGE;
    }
    options.module_name = argv[1];
    options.module_path = argv[2];
    options.sessions_max = (unsigned)strtoul(argv[3], NULL, 10);
    options.queue_max = (unsigned)strtoul(argv[4], NULL, 10);
    options.sign_timeout_ms = (uint32_t)strtoul(argv[5], NULL, 10);
    options.pin_source_spent = strcmp(argv[6], AGENT_PIN_SOURCE_SPENT) == 0;
    options.file_keys = strcmp(argv[8], AGENT_KIND_TOKENS) != 0;
    options.serialise = strcmp(argv[9], AGENT_CALLS_ONE_BY_ONE) == 0;
    if (argv[10][0] != '\0')
        options.module_parameters = argv[10];
    if (strcmp(argv[8], AGENT_KIND_FILE_KEYS_NSS) == 0)
        options.module_parameters = nss_without_database;
    signal(SIGPIPE, SIG_IGN);
    if (!enter_sandbox(argv[7]))
        return COMMAND_FAILED;
    (void)thread_priority_patient(); /* what it computes may wait for the workers' loops; its threads inherit it */
    return tokens_agent_main(&options);
}
