/* see tests/unit/proxy/fake_peer.h */
#include "fake_peer.h"

#include <stdio.h>
#include <string.h>

enum { BUFFER_MAX = 4 * 1024 * 1024, PIECE_MAX = 4000, AHEAD_MAX = 16000 };

/* Lines of 72 bytes with their ends; no dot, no blank, nothing that a protocol would take for more than a word. */
enum { LINE_SIZE = 72 };

static uint8_t payload(const struct fake_peer *p, enum fake_side side, size_t at)
{
    size_t column = at % LINE_SIZE;

    if (p->payload == FAKE_PAYLOAD_BYTES)
        return (uint8_t)(p->session * 131 + (unsigned)side * 89 + at * 7 + (at >> 8) * 13 + (at >> 16));
    if (column >= LINE_SIZE - 2)
        return column == LINE_SIZE - 2 ? '\r' : '\n';
    return (uint8_t)('a' + (p->session * 7 + (unsigned)side * 5 + at / LINE_SIZE * 3 + column) % 26);
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

    p->moves += p->t->outgoing.size;
    keep(&p->raw, buffer_span(&p->t->outgoing));
    buffer_consume(&p->t->outgoing, p->t->outgoing.size);
    if (p->raw.size == 0)
        return;
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

/* True: all of it is said. */
static bool say_payload(struct fake_peer *p)
{
    uint8_t bytes[PIECE_MAX];

    while (p->sent < p->send && p->out.size < AHEAD_MAX) {
        size_t size = p->send - p->sent < sizeof(bytes) ? p->send - p->sent : sizeof(bytes);

        for (size_t i = 0; i < size; i++)
            bytes[i] = payload(p, p->side, p->sent + i);
        say(p, span_of(bytes, size));
        p->sent += size;
    }
    return p->sent == p->send;
}

static void say_end(struct fake_peer *p)
{
    if (p->tls && !p->notified)
        fake_record(&p->out, FAKE_NOTIFY, span_of(NULL, 0));
    p->notified = true;
}

/* ---- the steps: true when one is over ---- */

static bool see(struct fake_peer *p)
{
    struct span in = buffer_span(&p->in);
    size_t size = p->text_size - p->seen;

    if (size > in.size)
        size = in.size;
    if (size > 0 && memcmp(in.data, p->text + p->seen, size) != 0)
        surprise(p, "another text");
    buffer_consume(&p->in, size);
    p->seen += size;
    return p->seen == p->text_size;
}

static bool skip(struct fake_peer *p)
{
    struct span in = buffer_span(&p->in);
    size_t size = p->text_size;

    for (size_t i = 0; i + size <= in.size; i++)
        if (memcmp(in.data + i, p->text, size) == 0) {
            buffer_consume(&p->in, i + size);
            return true;
        }
    return false;
}

/* Of payload, at most so many bytes. */
static void hear_payload(struct fake_peer *p, size_t size)
{
    struct span in = buffer_span(&p->in);
    enum fake_side other = p->side == FAKE_CLIENT ? FAKE_TARGET : FAKE_CLIENT;

    if (in.size > size)
        in.size = size;
    for (size_t i = 0; i < in.size; i++)
        if (p->received + i >= p->receive || in.data[i] != payload(p, other, p->received + i)) {
            surprise(p, "bytes that the other side has not said there");
            break;
        }
    p->received += in.size;
    buffer_consume(&p->in, in.size);
}

static size_t expand(const struct fake_peer *p, const char *text, const char *text_end, char *out, size_t size)
{
    size_t used = 0;

    while (text != text_end) {
        if (text[0] != '%') {
            out[used++] = *text++;
        } else if (text[1] == '0') {
            out[used++] = '\0';
            text += 2;
        } else {
            size_t number = text[1] == 't' ? p->send : text[1] == 'u' ? p->session : p->taken;

            used += (size_t)snprintf(out + used, size - used, "%zu", number);
            text += 2;
        }
        assert(used < size);
    }
    out[used] = '\0';
    return used;
}

/* Whether TLS is next, but for the answer that is the go-ahead. */
static bool is_last_words(const struct fake_script_step *step)
{
    while (step[1].step == FAKE_SKIP)
        step++;
    return step[1].step == FAKE_HELLOS || step[1].step == FAKE_ACCEPT;
}

bool fake_script_can_inject(const struct fake_script_step *script)
{
    for (; script->step != FAKE_END; script++)
        if (script->step == FAKE_SAY && is_last_words(script))
            return true;
    return false;
}

static void begin_text(struct fake_peer *p, const struct fake_script_step *step)
{
    const char *end = step->text + strcspn(step->text, step->step == FAKE_ANSWER ? "|" : "");

    p->seen = 0;
    p->text_size = expand(p, step->text, end, p->text, sizeof(p->text));
    if (step->step == FAKE_ANSWER)
        p->reply_size = expand(p, end + 1, end + strlen(end), p->reply, sizeof(p->reply));
}

static void begin_step(struct fake_peer *p, const struct fake_script_step *step)
{
    p->begun = true;
    if (step->text != NULL)
        begin_text(p, step);
    if (step->step == FAKE_SAY)
        say(p, span_of(p->text, p->text_size));
    if (step->step == FAKE_SAY && p->injects && is_last_words(step))
        say(p, span_of_string("NOOP\r\n"));
    if (step->step == FAKE_HELLOS)
        fake_record(&p->out, p->bad_hello ? FAKE_BAD : FAKE_HELLO, span_of(NULL, 0));
    if (speaks_records(p) && !p->tls) { /* what came right behind the last plain words */
        keep(&p->raw, buffer_span(&p->in));
        buffer_consume(&p->in, p->in.size);
        hear(p);
    }
}

static bool take_step(struct fake_peer *p)
{
    const struct fake_script_step *step = &p->script[p->step];

    if (!p->begun)
        begin_step(p, step);
    if (p->is_hasty && !p->tls && (step->step == FAKE_SEE || step->step == FAKE_SKIP))
        return true;
    switch (step->step) {
    case FAKE_SAY:
        return true;
    case FAKE_SEE:
        return see(p);
    case FAKE_SKIP:
        return skip(p);
    case FAKE_ANSWER:
        if (!see(p))
            return false;
        say(p, span_of(p->reply, p->reply_size));
        return true;
    case FAKE_HELLOS:
        return p->tls;
    case FAKE_ACCEPT:
        if (p->tls)
            fake_record(&p->out, p->bad_hello ? FAKE_BAD : FAKE_HELLO, span_of(NULL, 0));
        return p->tls;
    case FAKE_STREAM:
        hear_payload(p, SIZE_MAX);
        return say_payload(p) && p->out.size == 0;
    case FAKE_TELL:
        return say_payload(p);
    case FAKE_HEAR:
        hear_payload(p, p->receive - p->received);
        return p->received == p->receive;
    case FAKE_LEAVE:
        say_end(p);
        return true;
    case FAKE_AWAIT_END:
        return fake_peer_saw_end(p);
    case FAKE_END:
        hear_payload(p, SIZE_MAX); /* the other side may go on */
        say_end(p);
        return false;
    }
    return false;
}

void fake_peer_go_on(struct fake_peer *p, size_t size)
{
    hear(p);
    while (p->surprise == NULL && take_step(p)) {
        p->begun = false;
        p->moves++;
        if (++p->taken < p->script[p->step].times)
            continue;
        p->taken = 0;
        p->step++;
        hear(p); /* what is left may be records now */
    }
    if (p->t->close != FAKE_OPEN || p->t->peer_ended || p->t->read_error != 0)
        return;
    if (size > p->out.size)
        size = p->out.size;
    if (size > 0)
        fake_send(p->t, span_of(buffer_span(&p->out).data, size));
    buffer_consume(&p->out, size);
    p->moves += size;
    if (p->notified && p->out.size == 0) {
        p->t->peer_ended = true;
        p->moves++;
    }
}

bool fake_peer_is_done(const struct fake_peer *p)
{
    return p->script[p->step].step == FAKE_END && p->sent == p->send && p->received == p->receive;
}

bool fake_peer_saw_end(const struct fake_peer *p)
{
    return p->tls ? p->seen_end : p->t->fin || p->t->close == FAKE_CLOSED;
}

const char *fake_peer_step_name(const struct fake_peer *p)
{
    static const char *const names[] = {"end",    "say",    "see",  "skip", "answer", "hellos",
                                        "accept", "stream", "tell", "hear", "leave",  "await_end"};

    return names[p->script[p->step].step];
}
