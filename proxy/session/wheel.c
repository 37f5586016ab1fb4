/* see proxy/session/wheel.h */
#include "proxy/session/wheel.h"

void wheel_init(struct wheel *w, uint64_t now_ms)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        w->slots[i].previous = w->slots[i].next = &w->slots[i];
    w->tick = now_ms / WHEEL_TICK_MS;
    w->count = 0;
}

void wheel_remove(struct wheel *w, struct wheel_entry *e)
{
    if (e->next == NULL)
        return;
    e->previous->next = e->next;
    e->next->previous = e->previous;
    e->previous = e->next = NULL;
    w->count--;
}

uint64_t wheel_set(struct wheel *w, struct wheel_entry *e, uint64_t due_ms)
{
    uint64_t tick = due_ms / WHEEL_TICK_MS + 1; /* the first tick that is not before the due time */
    struct wheel_entry *head;

    wheel_remove(w, e);
    if (tick <= w->tick)
        tick = w->tick + 1;
    if (tick > w->tick + WHEEL_SLOTS - 1) {
        tick = w->tick + WHEEL_SLOTS - 1;
        tick -= tick % WHEEL_TOGETHER;
    }
    head = &w->slots[tick % WHEEL_SLOTS];
    e->previous = head->previous;
    e->next = head;
    head->previous->next = e;
    head->previous = e;
    w->count++;
    return tick * WHEEL_TICK_MS;
}

void wheel_advance(struct wheel *w, uint64_t now_ms, void (*on_due)(struct wheel_entry *e, void *context),
                   void *context)
{
    uint64_t last = now_ms / WHEEL_TICK_MS;

    /* After a long sleep one turn is enough: every slot is then called once. */
    if (last > w->tick + WHEEL_SLOTS)
        w->tick = last - WHEEL_SLOTS;
    while (w->tick < last) {
        struct wheel_entry *head = &w->slots[++w->tick % WHEEL_SLOTS];

        /* What on_due sets again lands in a later slot, so this ends. */
        while (head->next != head) {
            struct wheel_entry *e = head->next;

            wheel_remove(w, e);
            on_due(e, context);
        }
    }
}

uint64_t wheel_next_ms(const struct wheel *w)
{
    if (w->count == 0)
        return UINT64_MAX;
    for (uint64_t tick = w->tick + 1;; tick++) {
        const struct wheel_entry *head = &w->slots[tick % WHEEL_SLOTS];

        if (head->next != head)
            return tick * WHEEL_TICK_MS;
    }
}

void wheel_skip(struct wheel *w, uint64_t now_ms)
{
    uint64_t tick = now_ms / WHEEL_TICK_MS;

    if (tick > w->tick)
        w->tick = tick;
}
