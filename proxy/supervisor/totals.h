/* proxy/supervisor/totals.h: what the workers that have ended had counted, by service name.
 *
 * Added to what the living ones count now, it makes sums that never go back: neither with a crash nor with a reload
 * that gives a service another place in the file. Gauges end with their worker. Threads: one. */
#ifndef YETT_PROXY_SUPERVISOR_TOTALS_H
#define YETT_PROXY_SUPERVISOR_TOTALS_H

#include "config/config.h"
#include "proxy/process/counters.h"

struct totals_service {
    char *name;
    uint64_t values[COUNTER_COUNT];
};

struct totals {
    struct totals_service *items;
    size_t count;
    struct text_index index; /* of items, by name */
};

/* Add the counters of a worker of `config` that has ended. */
void totals_fold(struct totals *t, const struct config *config, const struct counters *counters);
/* NULL: nothing is known of it. Lent until the totals change. */
const struct totals_service *totals_find(const struct totals *t, const char *service_name);
/* Forget services that are no longer configured. */
void totals_keep(struct totals *t, const struct config *config);
void totals_clear(struct totals *t);

#endif
