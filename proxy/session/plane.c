/* see proxy/session/plane.h */
#include "proxy/session/plane.h"

#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "proxy/session/leg_tls.h"
#include "proxy/session/local_addresses.h"
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

/* What idle connections gave back lies in holes between what NSS keeps for them; glibc returns such pages only when
 * asked. That walks the heap, so it is asked now and then, and only after a fair number. */
static void return_pages(struct plane *p)
{
    uint64_t now_ms = uv_now(p->loop);

    if (p->trimmed_count < LIMIT_TRIMMED_BATCH || now_ms - p->pages_returned_ms < LIMIT_RETURN_PAGES_MS)
        return;
    malloc_trim(0);
    p->trimmed_count = 0;
    p->pages_returned_ms = now_ms;
}

static void on_tick(uv_timer_t *timer);

/* No later than at `due_ms`; UINT64_MAX: whenever. Something is due in the wheel no earlier than the timer says. */
static void wake_by(struct plane *p, uint64_t due_ms)
{
    uint64_t now_ms = uv_now(p->loop);

    if (due_ms >= p->tick_due_ms)
        return;
    p->tick_due_ms = due_ms;
    uv_timer_start(&p->wheel_timer, on_tick, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct plane *p = timer->data;
    uint64_t now_ms = uv_now(p->loop), pages_ms;
    bool unsaid;

    p->tick_due_ms = 0; /* what is set meanwhile is looked at below */
    wheel_advance(&p->wheel, now_ms, p->calls->on_due, p);
    unsaid = log_flush_suppressed();
    return_pages(p);
    p->tick_due_ms = UINT64_MAX;
    if (unsaid)
        wake_by(p, now_ms + WHEEL_TICK_MS);
    pages_ms = p->pages_returned_ms + LIMIT_RETURN_PAGES_MS;
    if (p->trimmed_count >= LIMIT_TRIMMED_BATCH)
        wake_by(p, pages_ms > now_ms + WHEEL_TICK_MS ? pages_ms : now_ms + WHEEL_TICK_MS);
    wake_by(p, wheel_next_ms(&p->wheel)); /* a worker whose connections are idle sleeps */
}

void plane_set_deadline(struct plane *p, struct wheel_entry *e, uint64_t due_ms)
{
    uint64_t now_ms = uv_now(p->loop);

    if (now_ms < p->tick_due_ms)
        wheel_skip(&p->wheel, now_ms);
    wake_by(p, wheel_set(&p->wheel, e, due_ms));
}

/* What was left out of the log meanwhile is told soon. */
void plane_session_begins(struct plane *p)
{
    wake_by(p, uv_now(p->loop) + LIMIT_TICK_MS);
}

static void on_turn(uv_idle_t *idle)
{
    struct plane *p = idle->data;
    struct plane_turn *turn = p->turn_first;

    p->turn_first = NULL;
    p->turn_last = &p->turn_first;
    while (turn != NULL) {
        struct plane_turn *next = turn->next;

        *turn = (struct plane_turn){.waits = false};
        p->calls->on_turn(turn);
        turn = next;
    }
    if (p->turn_first == NULL)
        uv_idle_stop(idle);
}

void plane_continue_later(struct plane *p, struct plane_turn *turn)
{
    if (turn->waits)
        return;
    *turn = (struct plane_turn){.waits = true};
    *p->turn_last = turn;
    p->turn_last = &turn->next;
    uv_idle_start(&p->turn_idle, on_turn);
}

static void on_turns(uv_idle_t *idle)
{
    struct plane *p = idle->data;

    if (!handshake_turns_give(p->turns))
        uv_idle_stop(idle);
}

static void on_round(uv_prepare_t *prepare)
{
    struct plane *p = prepare->data;

    p->round++;
    handshake_turns_begin_round(p->turns);
}

/* Cheap. */
static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

/* While it is active the loop does not sleep: it looks for what has come, does that, and comes back here. */
static void give_turns(void *context)
{
    struct plane *p = context;

    uv_idle_start(&p->turns_idle, on_turns);
}

void plane_note_trimmed(struct plane *p)
{
    p->trimmed_count++;
    wake_by(p, uv_now(p->loop) + LIMIT_TICK_MS);
}

/* A session takes two descriptors. */
static size_t turns_waiting_max(void)
{
    struct rlimit limit;
    size_t share = LIMIT_TURNS_WAITING;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 / LIMIT_TURNS_SHARE < share)
        share = limit.rlim_cur / 2 / LIMIT_TURNS_SHARE;
    return share == 0 ? 1 : share;
}

void plane_start(struct plane *p)
{
    unsigned threads_max = 8;

    /* A group's threads wait for one token: as many as that may sign at a time, the one that is kept from peers who
     * have cost much, and the one for who has begun. */
    for (size_t i = 0; i < p->config->module_count; i++)
        if (p->config->modules[i].sessions_max > threads_max)
            threads_max = p->config->modules[i].sessions_max;
    p->pool = handshake_pool_create(
        p->loop, &(struct handshake_pool_options){.group_count = p->services->pool_group_count,
                                                  .threads_per_group_max = threads_max + 2,
                                                  .threads_for_begun = 1,
                                                  .waiting_per_group_max = p->config->handshake_queue_max,
                                                  .now_ms = base_now_ms,
                                                  .thread_us = base_thread_us});
    p->turns = handshake_turns_create(&(struct handshake_turns_options){.waiting_max = turns_waiting_max(),
                                                                        .now_ms = base_now_ms,
                                                                        .now_us = now_us,
                                                                        .on_turn = leg_tls_take_turn,
                                                                        .on_refused = leg_tls_lose_turn,
                                                                        .on_waiting = give_turns,
                                                                        .context = p});
    uv_idle_init(p->loop, &p->turns_idle);
    p->turns_idle.data = p;
    uv_prepare_init(p->loop, &p->turns_round);
    p->turns_round.data = p;
    uv_prepare_start(&p->turns_round, on_round);
    uv_unref((uv_handle_t *)&p->turns_round);
    p->resolver = resolver_create(p->loop, p->services->count);
    p->peers = peer_count_create();
    p->targets = targets_create(p->services);
    p->local_addresses = local_addresses_open();
    wheel_init(&p->wheel, uv_now(p->loop));
    p->tick_due_ms = UINT64_MAX;
    uv_timer_init(p->loop, &p->wheel_timer);
    p->wheel_timer.data = p;
    uv_idle_init(p->loop, &p->turn_idle);
    p->turn_idle.data = p;
    p->turn_last = &p->turn_first;
    p->service_session_count =
        base_alloc((p->services->count + p->config->door_count) * sizeof(*p->service_session_count));
    p->keys_failed_ms = base_alloc(p->services->count * sizeof(*p->keys_failed_ms));
    p->blocks = (struct leg_blocks){.read = base_alloc(LIMIT_READ_BLOCK),
                                    .read_size = LIMIT_READ_BLOCK,
                                    .relay = base_alloc(LIMIT_RELAY_BLOCK),
                                    .relay_size = LIMIT_RELAY_BLOCK};
}

void plane_stop(struct plane *p)
{
    assert(p->sessions_not_freed == 0);
    handshake_pool_destroy(&p->pool);
    handshake_turns_destroy(&p->turns);
    uv_close((uv_handle_t *)&p->turns_idle, NULL);
    uv_close((uv_handle_t *)&p->turns_round, NULL);
    resolver_destroy(&p->resolver);
    peer_count_destroy(&p->peers);
    targets_destroy(&p->targets);
    local_addresses_close(&p->local_addresses);
    uv_close((uv_handle_t *)&p->wheel_timer, NULL);
    uv_close((uv_handle_t *)&p->turn_idle, NULL);
    base_wipe(p->blocks.read, LIMIT_READ_BLOCK);
    base_wipe(p->blocks.relay, LIMIT_RELAY_BLOCK);
    free(p->blocks.read);
    free(p->blocks.relay);
    free(p->service_session_count);
    free(p->keys_failed_ms);
}
