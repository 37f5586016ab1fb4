/* see tests/unit/proxy/fake_transport.h */
#include "fake_transport.h"

#include "proxy/process/limits.h"
#include <stdlib.h>
#include <string.h>

enum { BUFFER_MAX = 64 * 1024 * 1024 };

struct fake_transport *fake_transports;

struct fake_transport *fake_of(struct transport *t)
{
    return CONTAINER_OF(t, struct fake_transport, base);
}

struct transport *transport_create(uv_loop_t *loop, enum transport_type type)
{
    struct fake_transport *t = base_alloc(sizeof(*t));

    (void)loop;
    t->base.type = type;
    buffer_init(&t->incoming, BUFFER_MAX);
    buffer_init(&t->outgoing, BUFFER_MAX);
    buffer_init(&t->wire, LIMIT_WIRE_BLOCK);
    t->room = BUFFER_MAX;
    t->next = fake_transports;
    fake_transports = t;
    return &t->base;
}

int transport_open(struct transport *t, int fd)
{
    (void)t;
    (void)fd;
    return 0;
}

int transport_fd(const struct transport *t)
{
    (void)t;
    return -1;
}

void transport_set_owner(struct transport *t, const struct transport_events *events, void *owner)
{
    t->events = events;
    t->owner = owner;
}

void transport_read_start(struct transport *t)
{
    assert(fake_of(t)->close == FAKE_OPEN);
    t->reading = true;
}

void transport_read_stop(struct transport *t)
{
    t->reading = false;
}

enum transport_peer transport_look(const struct transport *transport)
{
    const struct fake_transport *t = (const struct fake_transport *)(const void *)transport; /* its first member */

    if (t->read_error != 0)
        return TRANSPORT_PEER_GONE;
    return t->peer_ended ? TRANSPORT_PEER_ENDED : TRANSPORT_PEER_THERE;
}

static void keep(struct buffer *b, struct span bytes)
{
    bool kept = buffer_append(b, bytes);

    assert(kept);
}

ssize_t transport_write(struct transport *transport, struct span bytes, enum transport_next next)
{
    struct fake_transport *t = fake_of(transport);
    size_t taken = bytes.size < t->room ? bytes.size : t->room, rest = bytes.size - taken;

    (void)next;
    assert(t->close == FAKE_OPEN && !t->fin); /* nothing is said behind our own end */
    if (t->base.blocked)
        return 0;
    if (t->write_error != 0)
        return t->write_error;
    keep(&t->outgoing, span_of(bytes.data, taken));
    t->room -= taken;
    if (rest == 0)
        return (ssize_t)taken;
    if (rest > LIMIT_WIRE_BLOCK)
        rest = LIMIT_WIRE_BLOCK;
    keep(&t->wire, span_of(bytes.data + taken, rest));
    t->base.blocked = true;
    return (ssize_t)(taken + rest);
}

bool transport_is_blocked(const struct transport *t)
{
    return t->blocked;
}

size_t transport_memory(const struct transport *t)
{
    return sizeof(*t) + (t->blocked ? LIMIT_WIRE_BLOCK : 0);
}

void transport_trim(struct transport *t)
{
    (void)t;
}

void transport_acknowledge(struct transport *t)
{
    fake_of(t)->acknowledged++;
}

void transport_shutdown(struct transport *t)
{
    assert(!t->blocked && fake_of(t)->close == FAKE_OPEN);
    fake_of(t)->fin = true;
}

void transport_close(struct transport **transport, enum transport_close how)
{
    struct transport *t = *transport;

    if (t == NULL)
        return;
    *transport = NULL;
    t->owner = NULL;
    t->reading = false;
    if (how == TRANSPORT_CLOSE_RESET) {
        fake_of(t)->close = FAKE_RESET;
        return;
    }
    /* close(2): the kernel still sends what it has, then FIN. */
    keep(&fake_of(t)->outgoing, buffer_span(&fake_of(t)->wire));
    buffer_consume(&fake_of(t)->wire, fake_of(t)->wire.size);
    fake_of(t)->close = FAKE_CLOSED;
}

void fake_send(struct fake_transport *t, struct span bytes)
{
    assert(!t->peer_ended && t->read_error == 0);
    keep(&t->incoming, bytes);
}

bool fake_read(struct fake_transport *t)
{
    uv_buf_t space;
    size_t size = t->incoming.size;

    if (!t->base.reading || t->end_read)
        return false;
    if (size == 0 && t->read_error == 0 && !t->peer_ended)
        return false;
    if (size == 0) {
        t->end_read = true;
        t->base.reading = false;
        t->base.events->on_read(t->base.owner, t->read_error != 0 ? t->read_error : UV_EOF);
        return true;
    }
    space = t->base.events->lend(t->base.owner);
    if (space.len == 0) {
        t->base.reading = false;
        return true;
    }
    if (size > space.len)
        size = space.len;
    if (t->read_max != 0 && size > t->read_max)
        size = t->read_max;
    memcpy(space.base, buffer_span(&t->incoming).data, size);
    buffer_consume(&t->incoming, size);
    t->base.events->on_read(t->base.owner, (ssize_t)size);
    return true;
}

bool fake_take(struct fake_transport *t, size_t room)
{
    size_t taken = t->wire.size < room ? t->wire.size : room;

    if (!t->base.blocked) {
        t->room += room < BUFFER_MAX - t->room ? room : 0;
        return false;
    }
    if (t->base.owner == NULL)
        return false;
    if (t->write_error == 0) {
        keep(&t->outgoing, span_of(buffer_span(&t->wire).data, taken));
        buffer_consume(&t->wire, taken);
        t->room = room - taken;
        if (t->wire.size > 0)
            return true;
    }
    t->base.blocked = false;
    t->base.events->on_writable(t->base.owner, t->write_error);
    return true;
}

void fake_transport_free(struct fake_transport *t)
{
    struct fake_transport **link = &fake_transports;

    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    buffer_release(&t->incoming);
    buffer_release(&t->outgoing);
    buffer_release(&t->wire);
    free(t);
}
