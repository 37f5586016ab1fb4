/* An agent as a program of its own, for tests: agent_process MODULE LISTEN_FD CONTROL_FD SESSIONS QUEUE TIMEOUT_MS */
#include "tokens/agent/agent.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct tokens_agent_options options = {.module_name = "test"};

    if (argc != 7) {
        fprintf(stderr, "usage: %s MODULE LISTEN_FD CONTROL_FD SESSIONS QUEUE TIMEOUT_MS\n", argv[0]);
        return 2;
    }
    options.module_path = argv[1];
    options.listen_fd = atoi(argv[2]);
    options.control_fd = atoi(argv[3]);
    options.sessions_max = (unsigned)atoi(argv[4]);
    options.queue_max = (unsigned)atoi(argv[5]);
    options.sign_timeout_ms = (uint32_t)atoi(argv[6]);
    return tokens_agent_main(&options);
}
