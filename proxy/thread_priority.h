/* proxy/thread_priority.h: which thread of a worker goes first on a core that they share.
 *
 * The loop has established connections to serve, each of which wants microseconds; a handshake on the pool computes for
 * the better part of a millisecond, and whoever waits for it has waited for a token already. So the pool's threads are
 * nicer, and the loop's thread asks for short slices: a kernel that knows them (Linux 6.12 and later) lets it interrupt
 * a handshake as soon as something arrives. Both need no privilege. */
#ifndef YETT_PROXY_THREAD_PRIORITY_H
#define YETT_PROXY_THREAD_PRIORITY_H

#include "base/base.h"

/* Of the calling thread. False: the kernel refused, errno says why; everything works all the same. */
bool thread_priority_prompt(void);  /* an event loop */
bool thread_priority_patient(void); /* a thread that computes while a loop goes on; its nice value rises by 5 */

#endif
