/* sandbox_probe.h: what the parts of sandbox-probe.so share. */
#ifndef YETT_TESTS_MODULES_SANDBOX_PROBE_H
#define YETT_TESTS_MODULES_SANDBOX_PROBE_H

#include <stddef.h>

struct probe_try {
    const char *name;
    int (*try)(void); /* 0: it was done; else -1 with errno */
};

struct probe_list {
    const struct probe_try *items;
    size_t count;
};
#define PROBE_LIST(array)                                                                                              \
    {                                                                                                                  \
        (array), sizeof(array) / sizeof((array)[0])                                                                    \
    }

struct probe_list probe_files(void);
struct probe_list probe_sockets(void);
struct probe_list probe_agent(void); /* where PROBE_AGENT is set */

const char *probe_text(const char *name); /* of the environment; "" when it is not there */
int probe_closed(int fd);                 /* 0, or -1 when `fd` is none */

#endif
