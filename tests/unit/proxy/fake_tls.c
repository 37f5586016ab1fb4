/* see tests/unit/proxy/fake_tls.h */
#include "fake_tls.h"

#include "tls/engine.h"
#include <stdlib.h>
#include <string.h>

enum { RECORDS_IN_MAX = 3 * (FAKE_RECORD_HEAD + FAKE_RECORD_PAYLOAD_MAX), RECORDS_OUT_MAX = 16 * 1024 };

enum phase { PHASE_HELLO, PHASE_UP, PHASE_FAILED };

struct tls_engine {
    struct fake_context context;
    enum phase phase;
    struct buffer in, out, plaintext;
    uint8_t reserved[RECORDS_IN_MAX];
    bool begun;         /* a client has said hello */
    bool up;            /* the handshake is over, whatever came after it */
    bool notified;      /* we have */
    bool peer_notified; /* the peer has */
    bool ended;         /* the transport has */
    bool ticket_owed;
    bool given_up;
    bool lent; /* to the pool */
    const char *name, *sentence;
};

size_t fake_engines;

/* ---- records ---- */

void fake_record(struct buffer *out, enum fake_record type, struct span payload)
{
    const uint8_t head[FAKE_RECORD_HEAD] = {(uint8_t)type, (uint8_t)(payload.size >> 8), (uint8_t)payload.size};
    bool kept = buffer_append(out, span_of(head, sizeof(head))) && buffer_append(out, payload);

    assert(kept);
}

static size_t record_size(const struct buffer *in)
{
    struct span bytes = buffer_span(in);
    size_t size;

    if (bytes.size < FAKE_RECORD_HEAD)
        return 0;
    size = FAKE_RECORD_HEAD + ((size_t)bytes.data[1] << 8) + bytes.data[2];
    if (size > FAKE_RECORD_HEAD + FAKE_RECORD_PAYLOAD_MAX)
        size = FAKE_RECORD_HEAD; /* nonsense: its type is nobody's either */
    return bytes.size < size ? 0 : size;
}

bool fake_record_take(struct buffer *in, enum fake_record *type, struct buffer *payload)
{
    size_t size = record_size(in);
    bool kept;

    if (size == 0)
        return false;
    *type = (enum fake_record)buffer_span(in).data[0];
    kept = buffer_append(payload, span_of(buffer_span(in).data + FAKE_RECORD_HEAD, size - FAKE_RECORD_HEAD));
    assert(kept);
    buffer_consume(in, size);
    return true;
}

/* ---- the engine ---- */

const struct tls_context *fake_context(const struct fake_context *c)
{
    return (const struct tls_context *)(const void *)c;
}

struct tls_engine *tls_engine_create(const struct tls_context *context, const char *name, const char *cache_key)
{
    struct tls_engine *e = base_alloc(sizeof(*e));

    e->context = *(const struct fake_context *)(const void *)context;
    assert(e->context.server == (name == NULL) && e->context.server == (cache_key == NULL));
    buffer_init(&e->in, RECORDS_IN_MAX);
    buffer_init(&e->out, RECORDS_OUT_MAX + 2 * (FAKE_RECORD_HEAD + FAKE_RECORD_PAYLOAD_MAX));
    buffer_init(&e->plaintext, FAKE_RECORD_PAYLOAD_MAX);
    e->name = e->sentence = "";
    e->ticket_owed = e->context.server;
    fake_engines++;
    return e;
}

void tls_engine_destroy(struct tls_engine **engine)
{
    struct tls_engine *e = *engine;

    if (e == NULL)
        return;
    assert(!e->lent);
    buffer_release(&e->in);
    buffer_release(&e->out);
    buffer_release(&e->plaintext);
    free(e);
    *engine = NULL;
    fake_engines--;
}

static enum tls_status fail(struct tls_engine *e, const char *name, const char *sentence)
{
    if (e->phase == PHASE_FAILED)
        return TLS_FAILED;
    e->phase = PHASE_FAILED;
    e->name = name;
    e->sentence = sentence;
    return TLS_FAILED;
}

static enum tls_status fail_with_alert(struct tls_engine *e, const char *name, const char *sentence)
{
    fake_record(&e->out, FAKE_ALERT, span_of(NULL, 0));
    return fail(e, name, sentence);
}

static bool needs_step(const struct tls_engine *e)
{
    return e->phase == PHASE_HELLO && ((!e->context.server && !e->begun) || record_size(&e->in) > 0);
}

/* What was established is decrypted on demand: until that is done nobody knows what it is. */
static bool has_plaintext(const struct tls_engine *e)
{
    return e->phase == PHASE_UP && (e->plaintext.size > 0 || (!e->peer_notified && record_size(&e->in) > 0));
}

unsigned tls_engine_wants(const struct tls_engine *e)
{
    unsigned wants = 0;

    assert(!e->lent);
    if (e->in.size < RECORDS_IN_MAX && e->phase != PHASE_FAILED && !e->peer_notified)
        wants |= TLS_WANTS_RECORDS;
    if (e->out.size > 0)
        wants |= TLS_HAS_RECORDS;
    if (e->phase == PHASE_UP && !e->notified && e->out.size < RECORDS_OUT_MAX)
        wants |= TLS_WANTS_PLAINTEXT;
    if (has_plaintext(e))
        wants |= TLS_HAS_PLAINTEXT;
    if (needs_step(e))
        wants |= TLS_NEEDS_STEP;
    return wants;
}

bool tls_engine_may_block(const struct tls_engine *e)
{
    assert(!e->lent);
    return e->phase == PHASE_HELLO && e->context.blocks && !e->given_up && (!e->context.server || e->in.size > 0);
}

bool tls_engine_may_verify(const struct tls_engine *e)
{
    return e->context.verifies;
}

static enum tls_status take_record(struct tls_engine *e)
{
    enum fake_record type;

    if (!fake_record_take(&e->in, &type, &e->plaintext))
        return TLS_OK;
    if (e->phase == PHASE_HELLO && type == FAKE_HELLO) {
        if (e->given_up)
            return fail_with_alert(e, e->name, e->sentence);
        if (e->context.server && !e->context.quiet)
            fake_record(&e->out, FAKE_HELLO, span_of(NULL, 0));
        e->phase = PHASE_UP;
        e->up = true;
        return TLS_OK;
    }
    if (type == FAKE_ALERT)
        return fail(e, "alert_received", "the peer sent an alert");
    if (type == FAKE_TICKET)
        return TLS_OK;
    if (e->phase == PHASE_UP && type == FAKE_DATA)
        return TLS_OK;
    if (e->phase == PHASE_UP && type == FAKE_NOTIFY) {
        e->peer_notified = true;
        return TLS_CLOSED;
    }
    buffer_consume(&e->plaintext, e->plaintext.size);
    return fail_with_alert(e, "unexpected_message", "the peer sent what is no record for now");
}

static enum tls_status step(struct tls_engine *e)
{
    enum tls_status status = TLS_OK;

    if (e->phase == PHASE_FAILED)
        return TLS_FAILED;
    if (!e->context.server && !e->begun) {
        e->begun = true;
        fake_record(&e->out, FAKE_HELLO, span_of(NULL, 0));
    }
    while (status == TLS_OK && needs_step(e))
        status = take_record(e);
    return status;
}

enum tls_status tls_engine_step(struct tls_engine *e)
{
    assert(!e->lent && !tls_engine_may_block(e));
    return step(e);
}

enum tls_status tls_engine_give_up(struct tls_engine *e, const char *name, const char *sentence)
{
    assert(!e->lent && e->phase == PHASE_HELLO);
    e->given_up = true;
    e->name = name;
    e->sentence = sentence;
    if (e->context.server)
        return fail_with_alert(e, name, sentence);
    return TLS_OK; /* fails in a later step */
}

struct span tls_clear_alert(void)
{
    static const uint8_t alert[] = {FAKE_ALERT, 0, 0};

    return span_of(alert, sizeof(alert));
}

uint8_t *tls_engine_records_reserve(struct tls_engine *e, size_t *size)
{
    assert(!e->lent);
    *size = e->phase == PHASE_FAILED || e->peer_notified ? 0 : RECORDS_IN_MAX - e->in.size;
    return e->reserved;
}

void tls_engine_records_commit(struct tls_engine *e, size_t size)
{
    bool kept = buffer_append(&e->in, span_of(e->reserved, size));

    assert(!e->lent && kept);
}

enum tls_status tls_engine_records_end(struct tls_engine *e)
{
    assert(!e->lent && !e->ended);
    e->ended = true;
    if (e->peer_notified)
        return TLS_CLOSED;
    if (e->phase == PHASE_HELLO)
        return fail(e, "closed_in_handshake", "the peer closed its connection within the handshake");
    if (has_plaintext(e))
        return TLS_OK; /* the reader will see */
    return fail(e, "truncated", "the peer closed its connection without close_notify");
}

struct span tls_engine_records(const struct tls_engine *e)
{
    assert(!e->lent);
    return buffer_span(&e->out);
}

void tls_engine_records_consume(struct tls_engine *e, size_t size)
{
    assert(!e->lent);
    buffer_consume(&e->out, size);
}

void tls_engine_send_ticket(struct tls_engine *e)
{
    assert(!e->lent);
    if (!e->ticket_owed || e->phase != PHASE_UP || e->notified)
        return;
    e->ticket_owed = false;
    fake_record(&e->out, FAKE_TICKET, span_of(NULL, 0));
}

enum tls_status tls_engine_put_plaintext(struct tls_engine *e, struct span plaintext, size_t *consumed)
{
    assert(!e->lent);
    *consumed = 0;
    if (e->phase == PHASE_FAILED)
        return TLS_FAILED;
    if (e->phase != PHASE_UP || e->notified || plaintext.size == 0)
        return TLS_OK;
    tls_engine_send_ticket(e);
    while (*consumed < plaintext.size && e->out.size < RECORDS_OUT_MAX) {
        struct span rest = span_skip(plaintext, *consumed);

        if (rest.size > FAKE_RECORD_PAYLOAD_MAX)
            rest.size = FAKE_RECORD_PAYLOAD_MAX;
        fake_record(&e->out, FAKE_DATA, rest);
        *consumed += rest.size;
    }
    return TLS_OK;
}

enum tls_status tls_engine_take_plaintext(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    assert(!e->lent);
    *taken = 0;
    while (*taken < size && has_plaintext(e)) {
        size_t n = e->plaintext.size < size - *taken ? e->plaintext.size : size - *taken;

        if (n == 0) {
            if (take_record(e) != TLS_OK)
                break;
            continue;
        }
        memcpy(out + *taken, buffer_span(&e->plaintext).data, n);
        buffer_consume(&e->plaintext, n);
        *taken += n;
    }
    if (e->phase == PHASE_FAILED)
        return TLS_FAILED;
    if (e->peer_notified && e->plaintext.size == 0)
        return TLS_CLOSED;
    if (e->phase == PHASE_UP && e->ended && *taken == 0)
        return fail(e, "truncated", "the peer closed its connection without close_notify");
    return TLS_OK;
}

void tls_engine_close(struct tls_engine *e)
{
    assert(!e->lent);
    if (e->notified || e->phase == PHASE_FAILED)
        return;
    tls_engine_send_ticket(e);
    e->notified = true;
    fake_record(&e->out, FAKE_NOTIFY, span_of(NULL, 0));
}

void tls_engine_trim(struct tls_engine *e)
{
    assert(!e->lent);
    buffer_trim(&e->in);
    buffer_trim(&e->out);
}

/* ---- what is known of it ---- */

bool tls_engine_handshake_done(const struct tls_engine *e)
{
    assert(!e->lent);
    return e->up;
}

const char *tls_engine_error_name(const struct tls_engine *e)
{
    assert(!e->lent);
    return e->phase == PHASE_FAILED ? e->name : "";
}

const char *tls_engine_error(const struct tls_engine *e)
{
    return e->phase == PHASE_FAILED ? e->sentence : "";
}

int tls_engine_alert_sent(const struct tls_engine *e)
{
    (void)e;
    return -1;
}

int tls_engine_alert_received(const struct tls_engine *e)
{
    if (e->peer_notified)
        return 0;
    return e->phase == PHASE_FAILED && strcmp(e->name, "alert_received") == 0 ? 40 : -1;
}

bool tls_engine_key_failed(const struct tls_engine *e)
{
    (void)e;
    return false;
}

struct tls_verification tls_engine_verification(const struct tls_engine *e)
{
    assert(!e->lent);
    return (struct tls_verification){.stopped_path = "", .warning = ""};
}

struct tls_session_info tls_engine_session(const struct tls_engine *e)
{
    assert(!e->lent);
    return (struct tls_session_info){.version = "TLSv1.3",
                                     .cipher = "FAKE",
                                     .group = "none",
                                     .alpn = "",
                                     .server_name = "",
                                     .peer_issuers = "",
                                     .peer_policies = "",
                                     .peer_ev_policy = "",
                                     .identity_choice = ""};
}

size_t tls_engine_memory(const struct tls_engine *e)
{
    assert(!e->lent);
    return e->in.capacity + e->out.capacity + e->plaintext.capacity;
}

/* ---- the pool ---- */

static struct handshake_job *jobs[2 * FAKE_POOL_WAITING_MAX];
static size_t job_count;
size_t fake_pool_waiting_max = FAKE_POOL_WAITING_MAX;
bool (*fake_pool_takes)(struct handshake_job *job);

bool handshake_pool_submit(struct handshake_pool *p, struct handshake_job *job)
{
    (void)p;
    assert(tls_engine_may_block(job->engine));
    if (!job->begun && (job_count >= fake_pool_waiting_max || (fake_pool_takes != NULL && !fake_pool_takes(job))))
        return false;
    assert(job_count < 2 * FAKE_POOL_WAITING_MAX);
    job->refused = job->abandoned = false;
    job->engine->lent = true;
    jobs[job_count++] = job;
    return true;
}

void handshake_pool_abandon(struct handshake_pool *p, struct handshake_job *job)
{
    (void)p;
    assert(job->engine->lent);
    job->abandoned = true;
}

size_t fake_pool_size(void)
{
    return job_count;
}

struct handshake_job *fake_pool_job(size_t index)
{
    return jobs[index];
}

static struct handshake_job *take_job(size_t index)
{
    struct handshake_job *job = jobs[index];

    memmove(&jobs[index], &jobs[index + 1], (job_count - index - 1) * sizeof(struct handshake_job *));
    job_count--;
    job->engine->lent = false;
    return job;
}

void fake_pool_run(size_t index)
{
    struct handshake_job *job = take_job(index);

    job->status = job->abandoned ? TLS_FAILED : step(job->engine);
    job->on_done(job);
}

void fake_pool_refuse(size_t index)
{
    struct handshake_job *job = take_job(index);

    job->refused = true;
    job->status = TLS_FAILED;
    job->on_done(job);
}
