/* see tests/unit/proxy/fake_world.h */
#include "fake_world.h"

#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "tls/identity.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the clock ---- */

enum { START_MS = 1000000 };

uint64_t fake_now_ms = START_MS;
static uint64_t looked_us;
bool fake_traces;

void fake_world_restart(void)
{
    fake_now_ms = START_MS;
    looked_us = 0;
}

void fake_trace(const char *fmt, ...)
{
    va_list args;

    if (!fake_traces)
        return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

uint64_t uv_now(const uv_loop_t *loop)
{
    (void)loop;
    return fake_now_ms;
}

static uint64_t now_ms(void)
{
    return fake_now_ms;
}

/* Each look at it costs something: a step of a handshake is two. */
static uint64_t now_us(void)
{
    looked_us += 6000;
    return fake_now_ms * 1000 + looked_us;
}

/* ---- the plane ---- */

static uint8_t read_block[LIMIT_READ_BLOCK], relay_block[LIMIT_RELAY_BLOCK];

static void on_session_ended(struct plane *p)
{
    (void)p;
}

size_t fake_turns_max = FAKE_TURNS_MAX;
void (*fake_on_turn_lost)(struct session *s);

struct session *fake_session_of(const struct leg_tls *t)
{
    return t->means->events.context;
}

static void on_turn_lost(struct handshake_turn *turn)
{
    if (fake_on_turn_lost != NULL)
        fake_on_turn_lost(fake_session_of(CONTAINER_OF(turn, struct leg_tls, turn)));
    leg_tls_lose_turn(turn);
}

void fake_plane_start(struct plane *p, struct services *services)
{
    int fd;
    struct counters *read_only = counters_create(services->count, &fd);

    *p = (struct plane){.calls = &session_calls,
                        .services = services,
                        .counters = counters_map(fd, services->count),
                        .peers = peer_count_create(),
                        .on_session_ended = on_session_ended,
                        .blocks = {read_block, sizeof(read_block), relay_block, sizeof(relay_block)}};
    counters_destroy(&read_only);
    close(fd);
    p->turns = handshake_turns_create(&(struct handshake_turns_options){.waiting_max = fake_turns_max,
                                                                        .now_ms = now_ms,
                                                                        .now_us = now_us,
                                                                        .on_turn = leg_tls_take_turn,
                                                                        .on_refused = on_turn_lost});
    wheel_init(&p->wheel, fake_now_ms);
    p->turn_last = &p->turn_first;
    p->service_session_count = base_alloc(services->count * sizeof(*p->service_session_count));
    p->keys_failed_ms = base_alloc(services->count * sizeof(*p->keys_failed_ms));
}

void fake_plane_stop(struct plane *p)
{
    handshake_turns_destroy(&p->turns);
    peer_count_destroy(&p->peers);
    counters_destroy(&p->counters);
    free(p->service_session_count);
    free(p->keys_failed_ms);
}

void plane_set_deadline(struct plane *p, struct wheel_entry *e, uint64_t due_ms)
{
    (void)wheel_set(&p->wheel, e, due_ms);
}

void plane_session_begins(struct plane *p)
{
    (void)p;
}

void plane_note_trimmed(struct plane *p)
{
    p->trimmed_count++;
}

void plane_continue_later(struct plane *p, struct plane_turn *turn)
{
    if (turn->waits)
        return;
    *turn = (struct plane_turn){.waits = true};
    *p->turn_last = turn;
    p->turn_last = &turn->next;
}

bool fake_plane_take_turns(struct plane *p)
{
    struct plane_turn *turn = p->turn_first;

    if (turn == NULL)
        return false;
    p->turn_first = NULL;
    p->turn_last = &p->turn_first;
    while (turn != NULL) {
        struct plane_turn *next = turn->next;

        *turn = (struct plane_turn){.waits = false};
        p->calls->on_turn(turn);
        turn = next;
    }
    return true;
}

/* ---- connecting ---- */

struct connector {
    struct connect_options options;
    bool told;
};

enum { CONNECTORS_MAX = 1024 };

static struct connector *connectors[CONNECTORS_MAX];
static size_t connector_count;

struct connector *connector_create(const struct connect_options *options)
{
    struct connector *c = base_alloc(sizeof(*c));

    assert(options->target_count > 0 && connector_count < CONNECTORS_MAX);
    c->options = *options;
    connectors[connector_count++] = c;
    return c;
}

static void forget(struct connector *c)
{
    for (size_t i = 0; i < connector_count; i++)
        if (connectors[i] == c) {
            connectors[i] = connectors[--connector_count];
            return;
        }
}

size_t connector_target(const struct connector *c)
{
    (void)c;
    return 0;
}

const char *connector_looks_up(const struct connector *c)
{
    (void)c;
    return NULL;
}

void connector_destroy(struct connector **c)
{
    if (*c == NULL)
        return;
    forget(*c);
    free(*c);
    *c = NULL;
}

size_t fake_connectors(void)
{
    return connector_count;
}

struct session *fake_connector_session(size_t index)
{
    return connectors[index]->options.context;
}

static void tell(size_t index, const struct connect_result *result)
{
    struct connector *c = connectors[index];

    forget(c); /* it tells once; who asked destroys it */
    c->options.on_done(c->options.context, result);
}

struct transport *fake_connect(size_t index)
{
    struct transport *t = transport_create(NULL, TRANSPORT_TCP);

    tell(index, &(struct connect_result){.status = CONNECT_OK, .transport = t});
    return t;
}

void fake_connect_failed(size_t index, enum connect_status status)
{
    tell(index, &(struct connect_result){.status = status, .error = "cannot connect"});
}

/* ---- the log ---- */

void (*fake_on_end)(const char *conn, const char *end, uint64_t received_bytes, uint64_t sent_bytes);

bool log_wants(enum log_level level)
{
    return level != LOG_LEVEL_DEBUG || fake_traces;
}

static void trace_line(const char *event, const struct log_field *fields)
{
    if (!fake_traces)
        return;
    printf("        %s", event);
    for (; fields->key != NULL; fields++)
        if (fields->is_number)
            printf(" %s=%lld", fields->key, (long long)fields->number);
        else
            printf(" %s=\"%.*s\"", fields->key, (int)fields->text.size, (const char *)fields->text.data);
    putchar('\n');
}

static const struct log_field *field(const struct log_field *fields, const char *key)
{
    while (fields->key != NULL && strcmp(fields->key, key) != 0)
        fields++;
    return fields->key == NULL ? NULL : fields;
}

void log_write_of(enum log_level level, struct span source, const char *event, const struct log_field *fields)
{
    (void)source;
    log_write(level, LOG_PEER, event, fields);
}

void log_write(enum log_level level, enum log_cause cause, const char *event, const struct log_field *fields)
{
    const struct log_field *end = field(fields, "end");

    (void)level;
    (void)cause;
    trace_line(event, fields);
    if (end != NULL) /* texts of log_text() end with a NUL */
        fake_on_end((const char *)field(fields, "conn")->text.data, (const char *)end->text.data,
                    (uint64_t)field(fields, "received_bytes")->number, (uint64_t)field(fields, "sent_bytes")->number);
}

/* ---- of tls/: no service here has a key ---- */

bool tls_identity_may_block(const struct tls_identity *identity)
{
    (void)identity;
    return false;
}

struct span tls_identity_leaf(const struct tls_identity *identity)
{
    (void)identity;
    return span_of(NULL, 0);
}

/* ---- of proxy/service: a configuration has them ---- */

void service_http_limits(const struct config_service *config, struct starttls_http_limits *limits)
{
    for (int kind = 0; kind < STARTTLS_HTTP_KIND_COUNT; kind++)
        limits[kind] = (struct starttls_http_limits){
            .head_bytes_max = kind == STARTTLS_HTTP_REQUEST ? config->http_request_head_max_bytes
                                                            : config->http_response_head_max_bytes,
            .line_bytes_max = config->http_field_max_bytes,
            .fields_max = config->http_fields_max,
        };
}
