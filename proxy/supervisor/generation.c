/* see proxy/supervisor/generation.h */
#include "proxy/supervisor/generation.h"
#include "base/buffer.h"

#include "proxy/supervisor/backoff.h"
#include "proxy/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct slot {
    struct generation *generation;
    struct worker_process *worker; /* NULL: none now */
    uv_timer_t restart;
    unsigned deaths; /* in a row, without having been ready */
    bool giving;     /* the worker has not been given all of its listening sockets; the next one: */
    size_t service_index, listen_index, cursor;
};

struct generation {
    uv_loop_t *loop;
    uint32_t number;
    enum generation_state state;
    struct generation_settings settings;
    const struct generation_shared *shared;
    const struct generation_events *events;
    void *owner;
    uv_timer_t deadline; /* STARTING: to be ready; DRAINING and STOPPING: to be gone */
    unsigned handles_open;
    bool ending;
    bool retired;           /* DRAINING, without an end to its time */
    struct buffer warnings; /* STARTING: of the configuration, a line each; what is more is left out */
    unsigned slot_count;
    struct slot slots[];
};

static const char *const state_names[] = {"starting", "current", "draining", "stopping"};
static_assert(ARRAY_LEN(state_names) == GENERATION_STOPPING + 1, "one name for each state");

static const struct worker_events worker_events;

/* --- the end --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct generation *g = handle->data;

    if (--g->handles_open > 0)
        return;
    g->events->on_ended(g->owner, g);
    close(g->settings.snapshot_fd);
    config_destroy(&g->settings.config);
    file_keys_destroy(&g->settings.file_keys);
    buffer_release(&g->warnings);
    free(g);
}

static bool has_workers(const struct generation *g)
{
    for (unsigned i = 0; i < g->slot_count; i++)
        if (g->slots[i].worker != NULL)
            return true;
    return false;
}

/* Once nothing is left to wait for, close the handles; the last one closed ends the generation. */
static void end_if_empty(struct generation *g)
{
    if (g->ending || has_workers(g) || g->state == GENERATION_STARTING || g->state == GENERATION_CURRENT)
        return;
    g->ending = true;
    uv_close((uv_handle_t *)&g->deadline, on_handle_closed);
    for (unsigned i = 0; i < g->slot_count; i++) {
        g->slots[i].restart.data = g;
        uv_close((uv_handle_t *)&g->slots[i].restart, on_handle_closed);
    }
}

/* --- workers --- */

/* A descriptor of its own on the same memory file: a shared one would share its reading position as well. */
static void give_file(struct worker_process *w, enum worker_event event, int memfd)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    worker_process_give(w, event, 0, 0, fd < 0 ? memfd : fd);
    if (fd >= 0)
        close(fd);
}

/* The next socket of the slot's worker; false: it has them all. */
static bool give_listener(struct slot *slot)
{
    const struct generation *g = slot->generation;
    const struct config *config = g->settings.config;

    for (; slot->service_index < config->service_count; slot->service_index++, slot->listen_index = 0) {
        const struct config_service *service = &config->services[slot->service_index];

        for (; slot->listen_index < service->listen_count; slot->listen_index++, slot->cursor = 0) {
            const struct config_address *address = &service->listen[slot->listen_index];
            int fd = -1;

            /* A door has its sockets once. */
            if (address->door == 0 || config->doors[address->door - 1].services[0] == slot->service_index)
                fd = listen_sockets_next(g->shared->sockets, address, worker_process_slot(slot->worker), g->slot_count,
                                         &slot->cursor);

            if (fd < 0)
                continue;
            worker_process_give(slot->worker, WORKER_LISTENER, (uint32_t)slot->service_index,
                                (uint32_t)slot->listen_index, fd);
            return true;
        }
    }
    return false;
}

/* As many as the worker takes now, since what waits for it is duplicated; when it has them all it begins. */
static void give_listeners(struct slot *slot)
{
    while (slot->giving && !worker_process_is_behind(slot->worker)) {
        if (give_listener(slot))
            continue;
        slot->giving = false;
        worker_process_begin(slot->worker);
    }
}

static bool start_worker(struct slot *slot, char **error)
{
    struct generation *g = slot->generation;
    struct worker_options options = {.slot = (uint32_t)(slot - g->slots),
                                     .generation = g->number,
                                     .service_count = g->settings.config->service_count,
                                     .session_cache = g->shared->session_cache,
                                     .cache_fds = g->shared->cache_fds,
                                     .cache_fd_count = g->shared->cache_fd_count};

    slot->worker = worker_process_spawn(g->loop, &options, &worker_events, slot, error);
    if (slot->worker == NULL)
        return false;
    give_file(slot->worker, WORKER_CONFIG, g->settings.snapshot_fd);
    give_file(slot->worker, WORKER_TICKET_KEY, g->shared->ticket_key_fd);
    if (g->settings.file_keys != NULL)
        give_file(slot->worker, WORKER_IDENTITIES, file_keys_identities_fd(g->settings.file_keys));
    if (intermediates_fd(g->shared->intermediates) >= 0)
        give_file(slot->worker, WORKER_INTERMEDIATES, intermediates_fd(g->shared->intermediates));
    g->events->on_worker_started(g->owner, g, slot->worker);
    slot->giving = true;
    slot->service_index = slot->listen_index = slot->cursor = 0;
    give_listeners(slot);
    return true;
}

static void schedule_restart(struct slot *slot);

static void on_restart(uv_timer_t *timer)
{
    struct slot *slot = timer->data;
    char *error = NULL;

    if (slot->generation->state != GENERATION_CURRENT || slot->worker != NULL)
        return;
    if (start_worker(slot, &error))
        return;
    log_line(LOG_LEVEL_ERROR, "worker_start_failed", log_number("slot", slot - slot->generation->slots),
             log_text("reason", error));
    free(error);
    schedule_restart(slot);
}

static void schedule_restart(struct slot *slot)
{
    slot->deaths++;
    uv_timer_start(&slot->restart, on_restart, backoff_ms(slot->deaths), 0);
}

static void fail(struct generation *g, const char *why)
{
    generation_stop(g);
    g->events->on_failed(g->owner, g, why);
}

static void on_ready(void *owner, struct worker_process *w)
{
    struct slot *slot = owner;
    struct generation *g = slot->generation;

    slot->deaths = 0;
    /* While the generation starts, its own line is said once for all; later a worker takes a dead one's place. */
    log_line(g->state == GENERATION_STARTING ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "worker_ready",
             log_number("slot", worker_process_slot(w)), log_number("pid", worker_process_pid(w)),
             log_number("generation", g->number));
    if (g->state != GENERATION_STARTING)
        return;
    for (unsigned i = 0; i < g->slot_count; i++)
        if (g->slots[i].worker == NULL || worker_process_state(g->slots[i].worker) != WORKER_ACCEPTING)
            return;
    uv_timer_stop(&g->deadline);
    g->state = GENERATION_CURRENT;
    g->events->on_ready(g->owner, g);
}

static void on_warning(void *owner, struct worker_process *w, const char *line)
{
    struct slot *slot = owner;
    struct generation *g = slot->generation;

    (void)w;
    if (g->state == GENERATION_STARTING)
        (void)!buffer_printf(&g->warnings, "%s%s", g->warnings.size == 0 ? "" : "\n", line);
}

char *generation_warnings(const struct generation *g)
{
    struct span text = buffer_span(&g->warnings);

    return base_strndup((const char *)text.data, text.size);
}

static void on_failed(void *owner, struct worker_process *w, const char *why)
{
    struct slot *slot = owner;

    if (slot->generation->state == GENERATION_STARTING)
        fail(slot->generation, why);
    else if (slot->generation->state == GENERATION_CURRENT)
        log_line(LOG_LEVEL_ERROR, "worker_failed", log_number("slot", worker_process_slot(w)),
                 log_number("pid", worker_process_pid(w)), log_text("reason", why));
}

/* One that has been told to end needs no more. */
static void on_caught_up(void *owner, struct worker_process *w)
{
    struct slot *slot = owner;

    if (worker_process_state(w) == WORKER_STARTING)
        give_listeners(slot);
}

static void on_connection(void *owner, struct worker_process *w, const char *json)
{
    struct slot *slot = owner;

    slot->generation->events->on_connection(slot->generation->owner, slot->generation, w, json);
}

static void on_intermediate(void *owner, struct worker_process *w, const char *pem)
{
    struct slot *slot = owner;

    slot->generation->events->on_intermediate(slot->generation->owner, w, pem);
}

static void on_connections_end(void *owner, struct worker_process *w)
{
    struct slot *slot = owner;

    slot->generation->events->on_connections_end(slot->generation->owner, w);
}

/* A worker ended that nobody told to: the one place where that is said. */
static void died(struct slot *slot, const struct worker_process *w, const char *how)
{
    struct generation *g = slot->generation;

    log_line(LOG_LEVEL_ERROR, "worker_died", log_number("slot", worker_process_slot(w)),
             log_number("pid", worker_process_pid(w)), log_number("generation", g->number), log_text("how", how));
    g->events->on_worker_died(g->owner, g);
}

static void on_gone(void *owner, struct worker_process *w, const char *how, enum worker_farewell farewell)
{
    struct slot *slot = owner;
    struct generation *g = slot->generation;
    char *why;

    slot->worker = NULL;
    g->events->on_connections_end(g->owner, w);
    g->events->on_worker_gone(g->owner, g, w);
    if (farewell == WORKER_DIED)
        died(slot, w, how);
    switch (g->state) {
    case GENERATION_STARTING:
        why = base_printf("a worker %s while it was starting", how);
        fail(g, why);
        free(why);
        break;
    case GENERATION_CURRENT:
        schedule_restart(slot);
        break;
    case GENERATION_DRAINING:
    case GENERATION_STOPPING:
        end_if_empty(g);
        break;
    }
}

static const struct worker_events worker_events = {.on_ready = on_ready,
                                                   .on_warning = on_warning,
                                                   .on_failed = on_failed,
                                                   .on_caught_up = on_caught_up,
                                                   .on_connection = on_connection,
                                                   .on_intermediate = on_intermediate,
                                                   .on_connections_end = on_connections_end,
                                                   .on_gone = on_gone};

/* --- the whole --- */

static void on_deadline(uv_timer_t *timer)
{
    struct generation *g = timer->data;

    switch (g->state) {
    case GENERATION_STARTING:
        fail(g, "the new workers were not ready in time");
        break;
    case GENERATION_CURRENT:
        break;
    case GENERATION_DRAINING:
        generation_stop(g);
        break;
    case GENERATION_STOPPING:
        for (unsigned i = 0; i < g->slot_count; i++)
            if (g->slots[i].worker != NULL)
                worker_process_kill(g->slots[i].worker);
        break;
    }
}

struct generation *generation_start(uv_loop_t *loop, uint32_t number, const struct generation_settings *settings,
                                    const struct generation_shared *shared, const struct generation_events *events,
                                    void *owner, char **error)
{
    unsigned count = generation_workers_wanted(settings->config);
    struct generation *g = base_alloc(sizeof(*g) + count * sizeof(g->slots[0]));

    *g = (struct generation){.loop = loop, .number = number, .settings = *settings};
    g->shared = shared;
    g->events = events;
    g->owner = owner;
    g->slot_count = count;
    buffer_init(&g->warnings, GENERATION_WARNINGS_BYTES_MAX);
    g->handles_open = count + 1;
    uv_timer_init(loop, &g->deadline);
    g->deadline.data = g;
    for (unsigned i = 0; i < count; i++) {
        g->slots[i].generation = g;
        uv_timer_init(loop, &g->slots[i].restart);
        g->slots[i].restart.data = &g->slots[i];
    }
    for (unsigned i = 0; i < count; i++) {
        if (!start_worker(&g->slots[i], error)) {
            generation_stop(g);
            return g;
        }
    }
    uv_timer_start(&g->deadline, on_deadline, GENERATION_START_MS_MAX, 0);
    return g;
}

/* Each worker that is there is told by `tell`; one that has not begun has nothing to bring to an end. */
static void send_away(struct generation *g, void (*tell)(struct worker_process *w))
{
    g->state = GENERATION_DRAINING;
    for (unsigned i = 0; i < g->slot_count; i++) {
        struct worker_process *w = g->slots[i].worker;

        uv_timer_stop(&g->slots[i].restart);
        if (w != NULL && (worker_process_state(w) == WORKER_ACCEPTING || worker_process_state(w) == WORKER_DRAINING))
            tell(w);
        else if (w != NULL)
            worker_process_stop(w);
    }
}

void generation_retire(struct generation *g)
{
    if (g->state != GENERATION_CURRENT)
        return;
    g->retired = true;
    send_away(g, worker_process_retire);
    end_if_empty(g);
}

bool generation_is_retired(const struct generation *g)
{
    return g->retired;
}

void generation_drain(struct generation *g)
{
    if (g->state == GENERATION_STARTING)
        generation_stop(g);
    if (g->state != GENERATION_CURRENT && !g->retired)
        return;
    g->retired = false;
    send_away(g, worker_process_drain);
    /* A worker keeps drain_timeout itself; this is for one that does not. */
    uv_timer_start(&g->deadline, on_deadline, (uint64_t)g->settings.config->drain_timeout_ms + GENERATION_STOP_GRACE_MS,
                   0);
    end_if_empty(g);
}

void generation_stop(struct generation *g)
{
    if (g->state == GENERATION_STOPPING)
        return;
    g->state = GENERATION_STOPPING;
    g->retired = false;
    for (unsigned i = 0; i < g->slot_count; i++) {
        uv_timer_stop(&g->slots[i].restart);
        if (g->slots[i].worker != NULL)
            worker_process_stop(g->slots[i].worker);
    }
    uv_timer_start(&g->deadline, on_deadline, GENERATION_STOP_GRACE_MS, 0);
    end_if_empty(g);
}

enum generation_state generation_state(const struct generation *g)
{
    return g->state;
}

const char *generation_state_name(enum generation_state state)
{
    return state_names[state];
}

uint32_t generation_number(const struct generation *g)
{
    return g->number;
}

const struct config *generation_config(const struct generation *g)
{
    return g->settings.config;
}

int generation_snapshot_fd(const struct generation *g)
{
    return g->settings.snapshot_fd;
}

struct file_keys *generation_file_keys(const struct generation *g)
{
    return g->settings.file_keys;
}

unsigned generation_worker_count(const struct generation *g)
{
    return g->slot_count;
}

struct worker_process *generation_worker(const struct generation *g, unsigned index)
{
    assert(index < g->slot_count);
    return g->slots[index].worker;
}

bool generation_waits_for_tokens(const struct generation *g)
{
    for (unsigned i = 0; i < generation_worker_count(g); i++)
        if (generation_worker(g, i) != NULL && worker_process_waits_for_tokens(generation_worker(g, i)))
            return true;
    return false;
}

unsigned generation_workers_wanted(const struct config *config)
{
    unsigned wanted = config->workers == 0 ? uv_available_parallelism() : config->workers;

    if (wanted == 0)
        return 1;
    return wanted > GENERATION_WORKERS_MAX ? GENERATION_WORKERS_MAX : wanted;
}
