/* see proxy/commands/check_live.h: the targets.
 *
 * A worker without listeners: the same plane, the same sessions, for as long as the probes take. */
#include "proxy/commands/check_live.h"

#include "proxy/process/limits.h"
#include "proxy/session/plane.h"
#include "proxy/session/session.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct target {
    struct session_probe probe; /* the first member: see on_done() */
    bool done;
    uint64_t started_ms;
};

struct targets {
    uv_loop_t loop;
    struct plane plane;
    uv_timer_t teller;
    struct target *items;
    size_t count, next;
};

static const struct config_address *address_of(const struct config *config, const struct session_probe *probe)
{
    return &config->services[probe->service_index].connect[probe->target_index];
}

static void on_done(struct session_probe *probe)
{
    struct target *target = CONTAINER_OF(probe, struct target, probe);

    target->done = true;
}

static void start_some(struct targets *t)
{
    while (t->next < t->count && t->plane.session_count < LIMIT_PROBES) {
        struct target *target = &t->items[t->next++];

        target->started_ms = uv_now(&t->loop);
        session_start_probe(&t->plane, &target->probe);
    }
}

static void on_session_ended(struct plane *p)
{
    struct targets *t = CONTAINER_OF(p, struct targets, plane);

    if (t->next < t->count || p->sessions_not_freed > 0)
        start_some(t);
    else
        uv_stop(&t->loop);
}

static void on_tell(uv_timer_t *timer)
{
    struct targets *t = timer->data;

    for (size_t i = 0; i < t->next; i++) {
        const struct target *target = &t->items[i];
        uint64_t age_ms = uv_now(&t->loop) - target->started_ms;

        if (!target->done && age_ms >= LIMIT_PROBE_TELL_MS)
            fprintf(stderr, "yett check: service %s: %s: still at %s after %llu s\n",
                    t->plane.config->services[target->probe.service_index].name,
                    address_of(t->plane.config, &target->probe)->text, session_state_name(target->probe.session->state),
                    (unsigned long long)(age_ms / 1000));
    }
}

static void list(struct targets *t, const struct config *config)
{
    size_t count = 0;

    for (size_t i = 0; i < config->service_count; i++)
        count += config->services[i].connect_count;
    t->items = base_alloc(count * sizeof(*t->items));
    for (size_t i = 0; i < config->service_count; i++)
        for (size_t k = 0; k < config->services[i].connect_count; k++)
            t->items[t->count++].probe =
                (struct session_probe){.service_index = i, .target_index = k, .on_done = on_done};
}

static void report(struct targets *t, const struct config *config, struct config_findings *findings)
{
    size_t next = 0;

    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];

        if (service->protocol == CONFIG_PROTOCOL_HTTP_CONNECT)
            printf("service %s: its clients name the targets: nothing to look at\n", service->name);
        for (size_t k = 0; k < service->connect_count; k++) {
            struct session_probe *probe = &t->items[next++].probe;

            if (probe->good)
                printf("service %s: %s\n", service->name, probe->text);
            else
                config_finding_add(findings, service->connect[k].place, "service %s: %s", service->name, probe->text);
            free(probe->text);
        }
    }
    (void)fflush(stdout);
}

/* false: there is no memory to count in. */
static bool counters_open(struct targets *t, const struct config *config, struct config_findings *findings)
{
    struct counters *reading;
    int fd = -1;

    reading = counters_create(config->service_count, &fd);
    if (reading != NULL)
        t->plane.counters = counters_map(fd, config->service_count);
    if (t->plane.counters == NULL)
        config_finding_add(findings, (struct config_place){.file = config->files[0]},
                           "cannot make the memory for counters");
    counters_destroy(&reading);
    if (fd >= 0)
        close(fd);
    return t->plane.counters != NULL;
}

static enum check_targets_end run(struct targets *t)
{
    uv_timer_init(&t->loop, &t->teller);
    t->teller.data = t;
    uv_timer_start(&t->teller, on_tell, LIMIT_PROBE_TELL_MS, LIMIT_PROBE_TELL_MS);
    start_some(t);
    if (t->plane.sessions_not_freed > 0)
        uv_run(&t->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&t->teller, NULL);
    plane_stop(&t->plane);
    while (uv_run(&t->loop, UV_RUN_NOWAIT) != 0) {
        /* Handles close within a turn or two; a lookup ends when the system's resolver gives up. */
        if (uv_loop_alive(&t->loop) && t->loop.active_handles == 0)
            break;
    }
    return uv_loop_close(&t->loop) == 0 ? CHECK_TARGETS_DONE : CHECK_TARGETS_LOOKUP_HANGS;
}

enum check_targets_end check_targets(const struct config *config, struct services *services,
                                     struct config_findings *findings)
{
    struct targets *t = base_alloc(sizeof(*t));
    enum check_targets_end end = CHECK_TARGETS_DONE;

    t->plane.config = config;
    t->plane.services = services;
    t->plane.on_session_ended = on_session_ended;
    if (counters_open(t, config, findings)) {
        list(t, config);
        if (uv_loop_init(&t->loop) != 0)
            base_abort("cannot make a loop");
        t->plane.loop = &t->loop;
        t->plane.calls = &session_calls;
        plane_start(&t->plane);
        end = run(t);
        report(t, config, findings);
        counters_destroy(&t->plane.counters);
    }
    free(t->items);
    if (end == CHECK_TARGETS_DONE)
        free(t); /* else the loop still is in use */
    return end;
}
