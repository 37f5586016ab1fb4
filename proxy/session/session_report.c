/* see proxy/session/session.h: what the log, the counters and "yett connections" are told of a session.
 *
 * The log has one line for a session, whatever happened to it. Sessions that came to nothing cost a peer little, so
 * that the flood guard of log.h has their lines; one that was served cost two handshakes or a target's connection, and
 * is an administrator's record of who came: its line is never left out. */
#include "proxy/session/session_internal.h"

#include "pkix/error.h"
#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "proxy/service/memory_ceiling.h"
#include "starttls/http/http_proxy.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* What does not decide about this connection, and is wrong all the same: with soft revocation nobody would ever hear of
 * a list that cannot be used. */
static void say_warning(const struct session *s, const char *warning)
{
    const struct log_field fields[] = {log_text("conn", s->id),
                                       log_text("service", s->service->config->name),
                                       log_text("client", s->peer_text),
                                       log_text("reason", warning),
                                       {.key = NULL}};

    if (warning[0] != '\0')
        log_write_of(LOG_LEVEL_WARNING, span_of(&s->means.peer, sizeof(s->means.peer)), "verification_warning", fields);
}

static void count_verification(struct session *s, struct tls_verification verification)
{
    counter_add(s->counters, COUNTER_signature_checks_total, verification.signature_checks);
    counter_add(s->counters, COUNTER_verification_seconds_total, verification.time_us);
    say_warning(s, verification.warning);
}

void session_report_started(const struct session *s)
{
    if (log_wants(LOG_LEVEL_DEBUG))
        log_line(LOG_LEVEL_DEBUG, "session_started", log_text("conn", s->id),
                 log_text("service", s->service->config->name), log_text("client", s->peer_text));
}

/* By what keys were agreed on; a session that was resumed may be without. */
static void count_group(struct session *s, const char *group, bool server)
{
    static const struct {
        const char *group;
        enum counter server, client;
    } rows[] = {
#define GROUP_ROW(id, word, number, curve)                                                                             \
    {#word, COUNTER_handshakes_server_##word##_total, COUNTER_handshakes_client_##word##_total},
        KEY_GROUPS(GROUP_ROW)
#undef GROUP_ROW
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].group, group) == 0)
            counter_add(s->counters, server ? rows[i].server : rows[i].client, 1);
}

void session_report_tls(struct session *s, struct leg *leg)
{
    struct tls_session_info tls = tls_engine_session(leg_engine(leg));
    bool server = leg == &s->client;

    counter_add(s->counters, server ? COUNTER_handshakes_server_total : COUNTER_handshakes_client_total, 1);
    count_group(s, tls.group, server);
    count_verification(s, tls_engine_verification(leg_engine(leg)));
    if (tls.resumed)
        counter_add(s->counters,
                    server ? COUNTER_handshakes_server_resumed_total : COUNTER_handshakes_client_resumed_total, 1);
}

/* An error of certificate verification has its name from pkix/error.h. */
static bool is_verification_error(const char *name)
{
    for (int error = PKIX_OK + 1; error < PKIX_ERROR_COUNT; error++)
        if (strcmp(pkix_error_name((enum pkix_error)error), name) == 0)
            return true;
    return false;
}

static struct tls_verification verification_of(const struct leg *leg)
{
    if (leg == NULL || leg_engine(leg) == NULL)
        return (struct tls_verification){.stopped_path = "", .warning = ""};
    return tls_engine_verification(leg_engine(leg));
}

void session_report_tls_failed(struct session *s, const struct leg *leg, enum session_ended ended)
{
    bool server = leg == &s->client;
    bool refused = leg_refusal(leg) != LEG_REFUSAL_NONE;
    const char *instead =
        refused ? NULL : spoken_instead_of_tls(leg_first_bytes(leg), server ? SPOKEN_BY_CLIENT : SPOKEN_BY_TARGET);

    counter_add(s->counters, server ? COUNTER_handshakes_server_failed_total : COUNTER_handshakes_client_failed_total,
                1);
    if (refused)
        counter_add(s->counters, COUNTER_handshake_queue_refused_total, 1);
    count_verification(s, verification_of(leg));
    if (is_verification_error(leg_error_name(leg)))
        counter_add(s->counters, COUNTER_verifications_failed_total, 1);
    if (!server)
        counter_add(s->counters, COUNTER_targets_failed_total, 1);
    if (instead != NULL)
        session_blame(s, SESSION_FAULT_NOBODY, spoken_advice(instead));
    session_note_broken(s, ended, leg, base_strdup(instead != NULL ? instead : leg_error(leg)));
}

/* "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519 resumed ev=2.23.140.1.1", or "none". */
enum { DESCRIPTION_SIZE = 256 };

static const char *describe_tls(const struct leg *leg, char out[static DESCRIPTION_SIZE])
{
    const struct tls_engine *engine = leg_engine(leg);
    struct tls_session_info tls;

    if (engine == NULL || !tls_engine_handshake_done(engine)) {
        snprintf(out, DESCRIPTION_SIZE, "none");
        return out;
    }
    tls = tls_engine_session(engine);
    snprintf(out, DESCRIPTION_SIZE, "%s %s %s%s%s%s", tls.version, tls.cipher, tls.group, tls.resumed ? " resumed" : "",
             tls.peer_ev_policy[0] == '\0' ? "" : " ev=", tls.peer_ev_policy);
    return out;
}

/* Which certificate of ours the target was shown, or why none; "" when it asked for none. */
static const char *shown_identity(const struct leg *leg)
{
    return leg_engine(leg) == NULL ? "" : tls_engine_session(leg_engine(leg)).identity_choice;
}

/* Of what the client was given: the target's answer, or ours; 0: no answer. */
static unsigned http_status_of(const struct session *s)
{
    unsigned status = starttls_exchange_status(s->filter);

    return status != 0 ? status : s->http.status;
}

enum { FIELDS_MAX = 32 };

static bool is_key_failure(enum session_ended ended)
{
    return ended == SESSION_ENDED_identity_unavailable || ended == SESSION_ENDED_target_identity_unavailable;
}

/* Whether the key that could not sign is one of a file, which the agent of these keys has. */
static bool key_is_of_file(const struct session *s)
{
    const struct config_service *c = s->service->config;
    bool client = s->ended == SESSION_ENDED_identity_unavailable;
    bool own = client || c->connect_identity_count == 0; /* config/config.h: `identity` may be of either side */
    size_t count = own ? c->identity_count : c->connect_identity_count;
    const struct config_identity *identities = own ? c->identity : c->connect_identity;

    return is_key_failure(s->ended) && count != 0 && identities[0].type == CONFIG_IDENTITY_FILE &&
           s->plane->config->file_keys == CONFIG_FILE_KEYS_AGENT;
}

/* Who has to do something, and what. */
static struct session_remedy remedy_of(const struct session *s, const char *error)
{
    struct session_remedy remedy = session_remedy(&(struct session_cause){
        .ended = s->ended,
        .error = error,
        .fault = s->fault,
        .is_proxy = s->service->protocol == STARTTLS_HTTP_CONNECT,
        .http_status = s->http.status,
        .key_is_of_file = key_is_of_file(s),
    });

    if (s->advice != NULL)
        remedy.advice = s->advice;
    return remedy;
}

/* What there is to say of a balancer's header besides the client that it names. */
static const char *header_subject(const struct session_proxied *proxied)
{
    if (proxied == NULL || proxied->awaited)
        return "";
    switch (proxied->subject) {
    case STARTTLS_PROXY_CLIENT:
        break;
    case STARTTLS_PROXY_UNKNOWN:
        return "unknown";
    case STARTTLS_PROXY_LOCAL:
        return "local";
    }
    return "";
}

/* Fields that have nothing to say are left out. The text that a peer may have made long comes last: a line that is full
 * loses its end. */
static void write_line(const struct session *s)
{
    const struct session_end *end = session_end_of(s->ended);
    char client_tls[DESCRIPTION_SIZE], target_tls[DESCRIPTION_SIZE];
    /* Whose side ended first is no error of a good end: a peer may close on our close_notify without an own one. */
    const char *error = s->ended_by == NULL || s->ended == SESSION_ENDED_closed ? "" : leg_error_name(s->ended_by);
    struct session_remedy remedy = remedy_of(s, error);
    const char *shown = shown_identity(&s->target), *subject = header_subject(s->proxied);
    char tlvs[STARTTLS_PROXY_TLVS_TEXT_SIZE] = "";
    struct tls_verification verification = verification_of(s->ended_by);
    struct log_field fields[FIELDS_MAX];
    size_t count = 0;

    if (s->proxied != NULL)
        starttls_proxy_tlvs_text(s->proxied->tlvs, tlvs);
    fields[count++] = log_text("conn", s->id);
    fields[count++] = log_text("service", s->service->config->name);
    fields[count++] = log_text("client", s->peer_text);
    if (s->proxied != NULL)
        fields[count++] = log_text("proxy", s->proxied->by);
    if (subject[0] != '\0')
        fields[count++] = log_text("proxy_header", subject);
    if (s->target_text != NULL)
        fields[count++] = log_text("target", s->target_text);
    if (s->http.method != NULL)
        fields[count++] = log_text("method", s->http.method);
    if (s->http.host != NULL)
        fields[count++] = log_text("host", s->http.host);
    if (http_status_of(s) != 0)
        fields[count++] = log_number("status", http_status_of(s));
    fields[count++] = log_text("end", end->name);
    if (error[0] != '\0')
        fields[count++] = log_text("error", error);
    if (s->ended_reason != NULL || end->level == LOG_LEVEL_WARNING)
        fields[count++] = log_text("reason", s->ended_reason != NULL ? s->ended_reason : end->sentence);
    if (end->level == LOG_LEVEL_WARNING) {
        fields[count++] = log_text("fault", session_fault_name(remedy.fault));
        fields[count++] = log_text("advice", remedy.advice);
    }
    if (verification.stopped_path[0] != '\0') {
        fields[count++] = log_text("path", verification.stopped_path);
        fields[count++] = log_number("signature_checks", verification.signature_checks);
        fields[count++] = log_number("verification_us", (int64_t)verification.time_us);
    }
    fields[count++] = log_text("client_tls", describe_tls(&s->client, client_tls));
    fields[count++] = log_text("target_tls", describe_tls(&s->target, target_tls));
    fields[count++] = log_number("received_bytes", (int64_t)s->from_client.bytes);
    fields[count++] = log_number("sent_bytes", (int64_t)s->from_target.bytes);
    fields[count++] = log_number("duration_ms", (int64_t)(uv_now(s->plane->loop) - s->started_ms));
    if (shown[0] != '\0')
        fields[count++] = log_text("shown", shown);
    if (tlvs[0] != '\0')
        fields[count++] = log_text("proxy_tlvs", tlvs);
    if (s->client_subject != NULL)
        fields[count++] = log_text("subject", s->client_subject);
    fields[count] = (struct log_field){.key = NULL};
    assert(count < FIELDS_MAX);
    if (s->relayed)
        log_write(end->level, LOG_OWN, end->event, fields);
    else
        log_write_of(end->level, span_of(&s->means.peer, sizeof(s->means.peer)), end->event, fields);
}

static void count_end(const struct session *s)
{
    if (is_key_failure(s->ended))
        counter_add(s->counters, COUNTER_key_failures_total, 1);
    if (session_end_of(s->ended)->level == LOG_LEVEL_WARNING)
        counter_add(s->counters, COUNTER_sessions_failed_total, 1);
    if (s->ended == SESSION_ENDED_client_left || s->ended == SESSION_ENDED_client_silent)
        counter_add(s->counters, COUNTER_clients_left_total, 1);
    if (s->ended == SESSION_ENDED_reset)
        counter_add(s->counters, COUNTER_resets_total, 1);
    if (s->ended == SESSION_ENDED_timeout_half_close)
        counter_add(s->counters, COUNTER_timeouts_half_close_total, 1);
}

void session_report_ended(struct session *s)
{
    if (s->reported)
        return;
    s->reported = true;
    if (!s->relayed && session_end_of(s->ended)->fault == SESSION_FAULT_TARGET)
        session_note_reached_failed(s);
    s->kind->note_failure(s);
    count_end(s);
    write_line(s);
}

size_t session_memory(const struct session *s)
{
    size_t proxied = s->proxied == NULL ? 0 : sizeof(*s->proxied) + s->proxied->tlvs.size;

    return sizeof(*s) + proxied + leg_memory(&s->client) + leg_memory(&s->target) +
           starttls_machine_memory(s->client_machine) + starttls_machine_memory(s->target_machine) +
           starttls_exchange_memory(s->filter);
}

static json_t *leg_to_json(const struct leg *leg)
{
    const struct tls_engine *engine = leg_engine(leg);
    struct tls_session_info tls;

    if (engine == NULL || !tls_engine_handshake_done(engine))
        return json_null();
    tls = tls_engine_session(engine);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "version", tls.version, "cipher", tls.cipher, "group",
                     tls.group, "alpn", tls.alpn, "server_name", tls.server_name, "resumed", (int)tls.resumed,
                     "socket_released", (int)tls.socket_released, "ev", tls.peer_ev_policy[0] != '\0');
}

char *session_to_json(const struct session *s)
{
    uint64_t now_ms = uv_now(s->plane->loop);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "id", s->id, "service",
        s->service->config->name, "state", session_state_name(s->state), "client", s->peer_text, "proxy",
        s->proxied == NULL ? NULL : s->proxied->by, "target", s->target_text, "method", s->http.method, "subject",
        s->client_subject, "client_tls", leg_to_json(&s->client), "target_tls", leg_to_json(&s->target),
        "received_bytes", (json_int_t)s->from_client.bytes, "sent_bytes", (json_int_t)s->from_target.bytes, "age_ms",
        (json_int_t)(now_ms - s->started_ms), "idle_ms", (json_int_t)(now_ms - s->last_activity_ms), "memory_bytes",
        (json_int_t)session_memory(s), "memory_bytes_max", (json_int_t)memory_ceiling(s->service->config));
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

    json_decref(object);
    /* A name that is not UTF-8 cannot be packed; the connection is shown without names then. */
    return text != NULL ? text : base_printf("{\"id\":\"%s\",\"state\":\"%s\"}", s->id, session_state_name(s->state));
}
