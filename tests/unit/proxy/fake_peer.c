/* see tests/unit/proxy/fake_peer.h */
#include "fake_peer.h"

#include <stdio.h>
#include <string.h>

enum { BUFFER_MAX = 4 * 1024 * 1024, PIECE_MAX = 4000 };

static uint8_t payload(unsigned session, enum fake_side side, size_t at)
{
    return (uint8_t)(session * 131 + (unsigned)side * 89 + at * 7 + (at >> 8) * 13 + (at >> 16));
}

static void keep(struct buffer *b, struct span bytes)
{
    bool kept = buffer_append(b, bytes);

    assert(kept);
}

void fake_peer_start(struct fake_peer *p, struct fake_transport *t, enum fake_side side, unsigned session,
                     const struct fake_script_step *script, size_t send, size_t receive)
{
    *p = (struct fake_peer){
        .t = t, .side = side, .session = session, .script = script, .send = send, .receive = receive};
    buffer_init(&p->raw, BUFFER_MAX);
    buffer_init(&p->in, BUFFER_MAX);
    buffer_init(&p->out, BUFFER_MAX);
}

void fake_peer_stop(struct fake_peer *p)
{
    buffer_release(&p->raw);
    buffer_release(&p->in);
    buffer_release(&p->out);
}

/* ---- hearing ---- */

static void surprise(struct fake_peer *p, const char *words)
{
    if (p->surprise == NULL)
        p->surprise = words;
}

static void hear_record(struct fake_peer *p, enum fake_record type, const struct buffer *payload_of)
{
    switch (type) {
    case FAKE_HELLO:
        if (p->tls)
            surprise(p, "a second handshake");
        p->tls = true;
        break;
    case FAKE_DATA:
        if (p->seen_end)
            surprise(p, "data behind close_notify");
        keep(&p->in, buffer_span(payload_of));
        break;
    case FAKE_NOTIFY:
        p->seen_end = true;
        break;
    case FAKE_TICKET:
        break;
    case FAKE_BAD:
    case FAKE_ALERT:
        surprise(p, "an alert");
        break;
    }
}

static bool speaks_records(const struct fake_peer *p)
{
    enum fake_step step = p->script[p->step].step;

    return p->tls || step == FAKE_HELLOS || step == FAKE_ACCEPT;
}

/* Plain text up to where TLS begins; then records. */
static void hear(struct fake_peer *p)
{
    struct buffer one;
    enum fake_record type;

    keep(&p->raw, buffer_span(&p->t->outgoing));
    buffer_consume(&p->t->outgoing, p->t->outgoing.size);
    if (!speaks_records(p)) {
        keep(&p->in, buffer_span(&p->raw));
        buffer_consume(&p->raw, p->raw.size);
        return;
    }
    buffer_init(&one, 65536);
    while (fake_record_take(&p->raw, &type, &one)) {
        hear_record(p, type, &one);
        buffer_consume(&one, one.size);
    }
    buffer_release(&one);
}

/* ---- saying ---- */

static void say(struct fake_peer *p, struct span bytes)
{
    if (!p->tls) {
        keep(&p->out, bytes);
        return;
    }
    while (bytes.size > 0) {
        struct span piece = span_of(bytes.data, bytes.size < PIECE_MAX ? bytes.size : PIECE_MAX);

        fake_record(&p->out, FAKE_DATA, piece);
        bytes = span_skip(bytes, piece.size);
    }
}

static void say_payload(struct fake_peer *p)
{
    uint8_t bytes[PIECE_MAX];
    size_t size = p->send - p->sent < sizeof(bytes) ? p->send - p->sent : sizeof(bytes);

    if (size == 0 || p->out.size > 0)
        return;
    for (size_t i = 0; i < size; i++)
        bytes[i] = payload(p->session, p->side, p->sent + i);
    say(p, span_of(bytes, size));
    p->sent += size;
}

/* ---- the steps: true when one is over ---- */

static bool see(struct fake_peer *p)
{
    struct span in = buffer_span(&p->in);
    size_t size = strlen(p->text) - p->seen;

    if (size > in.size)
        size = in.size;
    if (size > 0 && memcmp(in.data, p->text + p->seen, size) != 0)
        surprise(p, "another text");
    buffer_consume(&p->in, size);
    p->seen += size;
    return p->text[p->seen] == '\0';
}

static bool skip(struct fake_peer *p)
{
    struct span in = buffer_span(&p->in);
    size_t size = strlen(p->text);

    for (size_t i = 0; i + size <= in.size; i++)
        if (memcmp(in.data + i, p->text, size) == 0) {
            buffer_consume(&p->in, i + size);
            return true;
        }
    return false;
}

static bool stream(struct fake_peer *p)
{
    struct span in = buffer_span(&p->in);
    enum fake_side other = p->side == FAKE_CLIENT ? FAKE_TARGET : FAKE_CLIENT;

    for (size_t i = 0; i < in.size; i++)
        if (p->received + i >= p->receive || in.data[i] != payload(p->session, other, p->received + i)) {
            surprise(p, "bytes that the other side has not said there");
            break;
        }
    p->received += in.size;
    buffer_consume(&p->in, in.size);
    say_payload(p);
    return p->sent == p->send && p->out.size == 0;
}

/* Each "%u" is the number of the session. */
static void expand(const char *text, unsigned number, char *out, size_t size)
{
    size_t used = 0;

    while (*text != '\0') {
        bool is_number = strncmp(text, "%u", 2) == 0;

        used += (size_t)(is_number ? snprintf(out + used, size - used, "%u", number)
                                   : snprintf(out + used, size - used, "%c", *text));
        assert(used < size);
        text += is_number ? 2 : 1;
    }
}

static void begin_step(struct fake_peer *p, const struct fake_script_step *step)
{
    p->begun = true;
    p->seen = 0;
    if (step->text != NULL)
        expand(step->text, p->session, p->text, sizeof(p->text));
    if (step->step == FAKE_SAY)
        say(p, span_of_string(p->text));
    if (step->step == FAKE_HELLOS)
        fake_record(&p->out, p->bad_hello ? FAKE_BAD : FAKE_HELLO, span_of(NULL, 0));
}

static bool take_step(struct fake_peer *p)
{
    const struct fake_script_step *step = &p->script[p->step];

    if (!p->begun)
        begin_step(p, step);
    switch (step->step) {
    case FAKE_SAY:
        return true;
    case FAKE_SEE:
        return see(p);
    case FAKE_SKIP:
        return skip(p);
    case FAKE_HELLOS:
        return p->tls;
    case FAKE_ACCEPT:
        if (p->tls)
            fake_record(&p->out, p->bad_hello ? FAKE_BAD : FAKE_HELLO, span_of(NULL, 0));
        return p->tls;
    case FAKE_STREAM:
        return stream(p);
    case FAKE_END:
        (void)stream(p); /* the other side may go on */
        if (p->tls && !p->notified)
            fake_record(&p->out, FAKE_NOTIFY, span_of(NULL, 0));
        p->notified = true;
        return false;
    }
    return false;
}

void fake_peer_go_on(struct fake_peer *p, size_t size)
{
    hear(p);
    while (p->surprise == NULL && take_step(p)) {
        p->step++;
        p->begun = false;
        hear(p); /* what is left may be records now */
    }
    if (p->t->close != FAKE_OPEN || p->t->peer_ended || p->t->read_error != 0)
        return;
    if (size > p->out.size)
        size = p->out.size;
    if (size > 0)
        fake_send(p->t, span_of(buffer_span(&p->out).data, size));
    buffer_consume(&p->out, size);
    if (p->notified && p->out.size == 0)
        p->t->peer_ended = true;
}

bool fake_peer_is_done(const struct fake_peer *p)
{
    return p->script[p->step].step == FAKE_END && p->sent == p->send && p->received == p->receive;
}

bool fake_peer_saw_end(const struct fake_peer *p)
{
    return p->tls ? p->seen_end : p->t->fin || p->t->close == FAKE_CLOSED;
}
