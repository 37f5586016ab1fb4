/* proxy/worker/worker.h: the process that has the connections: one loop, NSS, the sessions.
 *
 * Its life is in proxy/process/worker_protocol.h. It drains by itself when the supervisor is gone. */
#ifndef YETT_PROXY_WORKER_WORKER_H
#define YETT_PROXY_WORKER_WORKER_H

/* "yett worker": descriptor 3 is the supervisor. The process's exit status. */
int worker_main(void);

#endif
