/* proxy/process/thread_priority.h: which thread of a worker goes first on a core that they share.
 *
 * The loop has established connections to serve, each of which wants microseconds; a handshake on the pool computes for
 * the better part of a millisecond, as does an agent for a software token, and whoever waits for them has waited for a
 * token already. So those are nicer, and of the policy SCHED_BATCH, which never interrupts a loop when it has something
 * to do; and the loop's thread asks for short slices: a kernel that knows them (Linux 6.12 and later) lets it interrupt
 * a handshake as soon as something arrives. None of it needs a privilege. */
#ifndef YETT_PROXY_PROCESS_THREAD_PRIORITY_H
#define YETT_PROXY_PROCESS_THREAD_PRIORITY_H

#include "base/base.h"

/* Of the calling thread. False: the kernel refused, errno says why; everything works all the same. */
bool thread_priority_prompt(void);  /* an event loop */
bool thread_priority_patient(void); /* a thread that computes while a loop goes on; its nice value rises by 10, and
                                        threads that it starts inherit it */

#endif
