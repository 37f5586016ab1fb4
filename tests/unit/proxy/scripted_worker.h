/* tests/unit/proxy/scripted_worker.h: a worker that does what the variable YETT_TEST_WORKER says. */
#ifndef YETT_TESTS_UNIT_PROXY_SCRIPTED_WORKER_H
#define YETT_TESTS_UNIT_PROXY_SCRIPTED_WORKER_H

#include "proxy/supervisor/generation.h"
#include "proxy/supervisor/totals.h"

enum { SCRIPTED_WORKER_FLOOD = 4 * CHILD_MESSAGES_PER_TURN }; /* of the script "flood" */

/* All of such a process; what it returns is its exit status. */
int scripted_worker(void);

#endif
