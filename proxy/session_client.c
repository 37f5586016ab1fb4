/* see proxy/session_internal.h: the client's side, from the first byte to the access rules. */
#include "proxy/session_internal.h"

#include "proxy/access.h"
#include "proxy/log.h"
#include <stdlib.h>

/* Let the leg's machine have what has come, and say what it says. *ended: the peer is gone and the machine still waits. */
enum starttls_status session_run_machine(struct leg *leg, bool *ended)
{
    enum starttls_status status = STARTTLS_NEED_MORE;

    *ended = false;
    while (status == STARTTLS_NEED_MORE) {
        size_t consumed = 0;
        struct span bytes;

        if (leg_peek(leg, &bytes) != LEG_TAKE_OK)
            *ended = true;
        if (bytes.size == 0)
            break;
        status = starttls_put(leg->machine, bytes, &consumed);
        leg_consume(leg, consumed);
        if (consumed == 0)
            break;
    }
    leg_say_machine(leg);
    leg_advance(leg);
    return status;
}

void session_start_client_machine(struct session *s, enum machine_end end)
{
    const struct starttls_options options = {.name = s->service->greeting_name,
                                             .upgrade = end == MACHINE_ENDS_WITH_TLS};

    s->client.machine = starttls_accept_create(s->service->protocol, &options);
    s->greeted = starttls_output(s->client.machine).size > 0;
    leg_say_machine(&s->client);
    leg_advance(&s->client);
}

static void client_broke_protocol(struct session *s)
{
    const char *error = starttls_error(s->client.machine);

    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    if (starttls_was_injected(s->client.machine))
        counter_add(s->counters, COUNTER_injections_refused_total, 1);
    session_note_end(s, SESSION_ENDED_protocol_error,
                     base_printf("%s (%s)", error, starttls_state_name(s->client.machine)));
    session_report_ended(s);
    session_enter(s, SESSION_LAST_WORDS);
}

void session_step_client_negotiate(struct session *s)
{
    bool ended;

    switch (session_run_machine(&s->client, &ended)) {
    case STARTTLS_NEED_MORE:
        if (ended || s->client.write_error != 0)
            session_client_left(s);
        break;
    case STARTTLS_UPGRADE:
        session_enter(s, SESSION_CLIENT_GO_AHEAD);
        break;
    case STARTTLS_TARGET:
        if (session_take_asked_target(s))
            session_enter(s, SESSION_CONNECT);
        else
            session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_target_denied,
                           base_strdup("no allow_target rule matches"));
        break;
    case STARTTLS_CLOSE:
        session_note_end(s, SESSION_ENDED_quit, NULL);
        session_enter(s, SESSION_LAST_WORDS);
        break;
    case STARTTLS_READY:
    case STARTTLS_REFUSED:
    case STARTTLS_BROKEN:
        client_broke_protocol(s);
        break;
    }
}

void session_step_client_go_ahead(struct session *s)
{
    if (s->client.write_error != 0) {
        session_client_left(s);
        return;
    }
    leg_say_machine(&s->client);
    leg_advance(&s->client);
    if (starttls_output(s->client.machine).size > 0 || !leg_is_flushed(&s->client))
        return;
    leg_start_tls(&s->client, s->service->server_context, NULL, NULL);
    session_enter(s, SESSION_CLIENT_TLS);
}

/* The access rules, on the certificate that has just been verified. */
static bool client_is_allowed(struct session *s)
{
    struct tls_session_info tls = tls_engine_session(s->client.engine);
    struct pkix_identity identity;
    bool allowed;

    if (tls.peer_cert.size == 0)
        return access_client_allowed(s->service->config, NULL);
    if (!pkix_identity_read(tls.peer_cert, &identity))
        return false;
    s->client_subject = base_strdup(identity.subject);
    for (size_t i = 0; i < identity.count && s->client_common_name == NULL; i++)
        if (identity.ids[i].type == PKIX_ID_CN)
            s->client_common_name = base_strdup(identity.ids[i].value);
    allowed = access_client_allowed(s->service->config, &identity);
    pkix_identity_clear(&identity);
    return allowed;
}

void session_step_client_tls(struct session *s)
{
    if (s->client.engine_status == TLS_FAILED) {
        enum session_ended ended = s->client.pool_refused ? SESSION_ENDED_overload : SESSION_ENDED_tls_failed;

        session_report_tls_failed(s, &s->client, ended);
        session_refuse(s, STARTTLS_FAILURE_TLS_UNAVAILABLE, ended, NULL);
        return;
    }
    if (leg_is_on_pool(&s->client) || !tls_engine_handshake_done(s->client.engine))
        return;
    session_report_tls(s, &s->client);
    if (!client_is_allowed(s)) {
        counter_add(s->counters, COUNTER_access_denied_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_denied,
                       base_strdup(s->client_subject == NULL ? "the client has no certificate, and allow asks for one"
                                                             : "no allow rule matches the client's certificate"));
    } else if (s->service->protocol == STARTTLS_HTTP_CONNECT) {
        session_start_client_machine(s, MACHINE_ENDS_PLAIN);
        session_enter(s, SESSION_CLIENT_NEGOTIATE);
    } else {
        session_enter(s, SESSION_CONNECT);
    }
}
