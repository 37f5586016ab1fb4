/* see proxy/supervisor/supervisor_internal.h: what the supervisor shows. */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/service/memory_ceiling.h"
#include "proxy/service/service.h"
#include "proxy/process/version.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const state_names[] = {"starting", "running", "drained", "stopping"};
static_assert(ARRAY_LEN(state_names) == SUPERVISOR_STOPPING + 1, "one name for each state");

/* --- status --- */

static json_t *integer(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static uint64_t seconds_since(uint64_t then_ms)
{
    return (base_now_ms() - then_ms) / 1000;
}

static const char *state_word(const struct supervisor *s)
{
    if (reload_is_under_way(&s->reload))
        return s->state == SUPERVISOR_STARTING ? "starting" : "reloading";
    if (s->state == SUPERVISOR_DRAINED && s->generation_count > 0)
        return "draining";
    return state_names[s->state];
}

/* The configuration to show: that in force, or else the youngest. */
static const struct config *config_shown(const struct supervisor *s)
{
    if (s->current != NULL)
        return generation_config(s->current);
    return s->generation_count == 0 ? NULL : generation_config(s->generations[s->generation_count - 1]);
}

static json_t *workers_status(const struct supervisor *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->generation_count; i++) {
        const struct generation *g = s->generations[i];

        for (unsigned k = 0; k < generation_worker_count(g); k++) {
            const struct worker_process *w = generation_worker(g, k);
            json_t *item;

            if (w == NULL)
                continue;
            item = json_pack("{s:i, s:i, s:i, s:s}", "slot", (int)k, "pid", worker_process_pid(w), "generation",
                             (int)generation_number(g), "state", worker_state_name(worker_process_state(w)));
            json_object_set_new(item, "uptime_seconds", integer(seconds_since(worker_process_started_ms(w))));
            if (worker_process_sandbox(w) != NULL)
                json_object_set_new(item, "sandbox", json_string(worker_process_sandbox(w)));
            if (worker_process_accelerator(w) != NULL)
                json_object_set_new(item, "accelerator", json_string(worker_process_accelerator(w)));
            json_array_append_new(list, item);
        }
    }
    return list;
}

static void add_counts(const struct counters *counters, size_t service_index, uint64_t *sums)
{
    for (enum counter which = 0; which < COUNTER_COUNT; which++)
        sums[which] += counters_read(counters, service_index, which);
}

/* What all workers have ever counted for the service called `name`, the dead ones included. */
static void count_all(const struct supervisor *s, const char *name, uint64_t *sums)
{
    const struct totals_service *ended = totals_find(&s->totals, name);

    for (enum counter which = 0; which < COUNTER_COUNT; which++)
        sums[which] = ended == NULL ? 0 : ended->values[which];
    for (size_t i = 0; i < s->generation_count; i++) {
        const struct generation *g = s->generations[i];
        size_t index = config_service_find(generation_config(g), name);

        for (unsigned k = 0; index < generation_config(g)->service_count && k < generation_worker_count(g); k++)
            if (generation_worker(g, k) != NULL)
                add_counts(worker_process_counters(generation_worker(g, k)), index, sums);
    }
}

static json_t *addresses(const struct config_address *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(items[i].text));
    return list;
}

static json_t *shown(uint64_t counted, enum counter which)
{
    unsigned scale = counter_scale(which);

    return scale == 1 ? integer(counted) : json_real((double)counted / scale);
}

static json_t *service_status(const struct supervisor *s, const struct config_service *service)
{
    static const char *const tls_modes[] = {"none", "implicit", "starttls"};
    uint64_t sums[COUNTER_COUNT];
    json_t *counters = json_object();
    json_t *status =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", service->name, "protocol",
                  config_protocol_name(service->protocol), "listen_tls", tls_modes[service->listen_tls], "connect_tls",
                  tls_modes[service->connect_tls], "listen", addresses(service->listen, service->listen_count),
                  "connect", addresses(service->connect, service->connect_count));

    count_all(s, service->name, sums);
    for (enum counter which = 0; which < COUNTER_COUNT; which++)
        json_object_set_new(counters, counter_name(which), shown(sums[which], which));
    json_object_set_new(status, "counters", counters);
    return status;
}

/* A path, or "none": what the workers that serve have said, since the configuration does not know whether NSS is in
 * FIPS mode, nor what was installed when they started. */
static json_t *accelerator_status(const struct generation *g)
{
    const char *said = NULL;

    for (unsigned k = 0; g != NULL && said == NULL && k < generation_worker_count(g); k++)
        if (generation_worker(g, k) != NULL)
            said = worker_process_accelerator(generation_worker(g, k));
    return json_string(said == NULL ? "none" : said);
}

json_t *supervisor_status(const struct supervisor *s)
{
    const struct config *config = config_shown(s);
    json_t *services = json_array(), *roots;
    json_t *status = json_pack("{s:s, s:i, s:s, s:s}", "version", yett_version(), "pid", (int)getpid(), "state",
                               state_word(s), "config", s->config_path);

    json_object_set_new(status, "generation", integer(s->current == NULL ? 0 : generation_number(s->current)));
    json_object_set_new(status, "uptime_seconds", integer(seconds_since(s->started_ms)));
    json_object_set_new(status, "worker_deaths", integer(s->worker_deaths));
    json_object_set_new(status, "reloads", integer(s->reloads));
    json_object_set_new(status, "reloads_failed", integer(s->reloads_failed));
    json_object_set_new(status, "intermediates", integer(intermediates_count(s->intermediates)));
    json_object_set_new(status, "accelerator", accelerator_status(s->current));
    json_object_set_new(status, "connection_memory_max_bytes",
                        integer(config == NULL ? 0 : memory_ceiling_of_all(config)));
    json_object_set_new(status, "workers", workers_status(s));
    if (config != NULL)
        for (size_t i = 0; i < config->service_count; i++)
            json_array_append_new(services, service_status(s, &config->services[i]));
    json_object_set_new(status, "services", services);
    roots = config == NULL ? NULL : roots_age_status(&s->roots_age);
    if (roots != NULL)
        json_object_set_new(status, "roots", roots);
    json_object_set_new(status, "modules", agents_status(s->agents));
    json_object_set_new(status, "waits_for_tokens",
                        json_boolean(s->current != NULL && generation_waits_for_tokens(s->current)));
    return status;
}

/* --- connections --- */

static void gather_finish(struct supervisor *s)
{
    struct gather_waiter *waiters = s->gather_waiters;
    json_t *result;

    uv_timer_stop(&s->gather_timer);
    result = json_pack("{s:o, s:b}", "connections", s->gathered, "complete", s->gather_from_count == 0);
    json_object_set_new(result, "left_out", integer(s->gather_left_out));
    s->gathered = NULL;
    s->gather_from_count = 0;
    s->gather_waiters = NULL;
    while (waiters != NULL) {
        struct gather_waiter *next = waiters->next;

        waiters->done(waiters->data, result);
        free(waiters);
        waiters = next;
    }
    json_decref(result);
}

static void on_gather_timeout(uv_timer_t *timer)
{
    gather_finish(timer->data);
}

static bool is_asked(const struct supervisor *s, const struct worker_process *w)
{
    for (size_t i = 0; i < s->gather_from_count; i++)
        if (s->gather_from[i] == w)
            return true;
    return false;
}

void supervisor_gather_item(struct supervisor *s, struct generation *g, struct worker_process *w, const char *json)
{
    json_error_t error;
    json_t *item;

    if (s->gathered == NULL || !is_asked(s, w))
        return;
    if (json_array_size(s->gathered) >= SUPERVISOR_CONNECTIONS_MAX) {
        s->gather_left_out++;
        return;
    }
    item = json_loads(json, 0, &error);
    if (!json_is_object(item)) {
        json_decref(item);
        s->gather_left_out++;
        return;
    }
    json_object_set_new(item, "worker", integer(worker_process_slot(w)));
    json_object_set_new(item, "generation", integer(generation_number(g)));
    json_array_append_new(s->gathered, item);
}

void supervisor_gather_end(struct supervisor *s, struct worker_process *w)
{
    size_t kept = 0;

    if (s->gathered == NULL)
        return;
    for (size_t i = 0; i < s->gather_from_count; i++)
        if (s->gather_from[i] != w)
            s->gather_from[kept++] = s->gather_from[i];
    s->gather_from_count = kept;
    if (kept == 0)
        gather_finish(s);
}

/* Ask every worker that has sessions to show. */
static void ask_all(struct supervisor *s)
{
    for (size_t i = 0; i < s->generation_count; i++) {
        for (unsigned k = 0; k < generation_worker_count(s->generations[i]); k++) {
            struct worker_process *w = generation_worker(s->generations[i], k);

            if (w == NULL ||
                (worker_process_state(w) != WORKER_ACCEPTING && worker_process_state(w) != WORKER_DRAINING))
                continue;
            s->gather_from =
                base_realloc_array(s->gather_from, s->gather_from_count + 1, sizeof(struct worker_process *));
            s->gather_from[s->gather_from_count++] = w;
            worker_process_list_connections(w);
        }
    }
}

void supervisor_connections(struct supervisor *s, control_gathered done, void *data)
{
    struct gather_waiter *waiter = base_alloc(sizeof(*waiter));

    *waiter = (struct gather_waiter){.next = s->gather_waiters, .done = done, .data = data};
    s->gather_waiters = waiter;
    if (s->gathered != NULL)
        return; /* joins the round under way */
    s->gathered = json_array();
    s->gather_left_out = 0;
    ask_all(s);
    if (s->gather_from_count == 0)
        gather_finish(s);
    else
        uv_timer_start(&s->gather_timer, on_gather_timeout, SUPERVISOR_GATHER_MS, 0);
}
