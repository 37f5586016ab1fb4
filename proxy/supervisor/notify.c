/* see proxy/supervisor/notify.h */
#include "proxy/supervisor/notify.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    sd_notify(0, "WATCHDOG=1");
}

void notify_start(struct notify *n, uv_loop_t *loop)
{
    uint64_t interval_us = 0;

    uv_timer_init(loop, &n->watchdog);
    n->watchdog_open = true;
    if (sd_watchdog_enabled(0, &interval_us) <= 0)
        return;
    /* Twice as often as asked for, as sd_watchdog_enabled(3) recommends; from the loop, so that a loop that stands
     * still says nothing. */
    interval_us /= 2 * 1000;
    uv_timer_start(&n->watchdog, on_watchdog, 0, interval_us == 0 ? 1 : interval_us);
}

void notify_stop(struct notify *n)
{
    if (n->watchdog_open)
        uv_close((uv_handle_t *)&n->watchdog, NULL);
    n->watchdog_open = false;
}

void notify_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=Stopping.");
}
