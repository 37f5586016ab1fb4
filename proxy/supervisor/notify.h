/* proxy/supervisor/notify.h: what the service manager is told (sd_notify(3), Type=notify-reload) and wants to hear (its
 * watchdog).
 *
 * Without a service manager all of this does nothing. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_NOTIFY_H
#define YETT_PROXY_SUPERVISOR_NOTIFY_H

#include "base/base.h"
#include <uv.h>

struct notify {
    uv_timer_t watchdog;
    bool watchdog_open;
};

/* Starts answering the watchdog where one is wanted. */
void notify_start(struct notify *n, uv_loop_t *loop);
void notify_stop(struct notify *n);

void notify_ready(const char *status);
void notify_reloading(void); /* with MONOTONIC_USEC, as notify-reload wants it */
void notify_stopping(void);

#endif
