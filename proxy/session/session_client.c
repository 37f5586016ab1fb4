/* see proxy/session/session_internal.h: the client's side, from the first byte to the access rules. */
#include "proxy/session/session_internal.h"

#include "proxy/session/access.h"
#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "starttls/http/http_proxy.h"
#include <stdlib.h>

void session_say_machine(struct starttls_machine *machine, struct leg *leg)
{
    starttls_output_consume(machine, leg_say(leg, starttls_output(machine)));
}

enum starttls_status session_run_machine(struct starttls_machine *machine, struct leg *leg, bool *ended)
{
    enum starttls_status status = STARTTLS_NEED_MORE;

    *ended = false;
    while (status == STARTTLS_NEED_MORE) {
        size_t consumed = 0, unsaid;
        struct span bytes;

        if (leg_peek(leg, &bytes) != LEG_TAKE_OK)
            *ended = true;
        if (bytes.size == 0)
            break;
        status = starttls_put(machine, bytes, &consumed);
        leg_consume(leg, consumed);
        /* What is said makes room for more to be taken; a peer that does not read what we say is not heard on. */
        unsaid = starttls_output(machine).size;
        session_say_machine(machine, leg);
        leg_advance(leg);
        if (consumed == 0 && starttls_output(machine).size == unsaid)
            break;
    }
    session_say_machine(machine, leg);
    leg_advance(leg);
    return status;
}

const char *session_spoke_tls(const struct session *s, const struct leg *leg)
{
    if (leg_tls_state(leg) != LEG_TLS_NONE || !spoken_is_tls(leg_first_bytes(leg)))
        return NULL;
    if (leg == &s->client && s->service->protocol == STARTTLS_HTTP_CONNECT)
        return "the client begins with TLS at once: it should name this proxy by http://, or the service have listen_tls "
               "= implicit";
    return leg == &s->client
               ? "the client begins with TLS at once: it should use STARTTLS, or a port with listen_tls = implicit"
               : "the target begins with TLS at once: connect_tls should be implicit";
}

/* Whether a client would be led into a handshake that fails: every key of the service is on a token, and the last that
 * was asked for a signature could not give it. Now and then somebody is let try again, or it would never be found out
 * that the token is back. RFC 3207 section 4: 454 is for this. */
static bool keys_of_service_cannot_sign(const struct session *s, size_t index)
{
    const struct service *service = &s->plane->services->items[index];
    uint64_t failed_ms = s->plane->keys_failed_ms[index];

    if (service->server_context == NULL)
        return true; /* its token was not there when the worker started */
    if (failed_ms == 0)
        return false;
    for (size_t i = 0; i < service->identity_count; i++)
        if (!tls_identity_may_block(service->identities[i]))
            return false;
    return uv_now(s->plane->loop) - failed_ms < LIMIT_KEYS_FAILED_MS;
}

/* At a door, of every service: it is not known yet which one the client wants. */
static bool keys_cannot_sign(const struct session *s)
{
    for (size_t i = 0; s->door != NULL && i < s->door->service_count; i++)
        if (!keys_of_service_cannot_sign(s, s->door->services[i]))
            return false;
    return keys_of_service_cannot_sign(s, s->service_index);
}

/* With TLS from the first byte there is nothing that the client could be told. */
bool session_is_without_token(struct session *s)
{
    if (s->service->server_context != NULL)
        return false;
    session_note_end(
        s, SESSION_ENDED_identity_unavailable,
        base_strdup("the key of our certificate cannot be used: its token is not there, or not logged in"));
    session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    return true;
}

void session_start_client_machine(struct session *s, enum machine_end end)
{
    const struct starttls_options options = {.name = s->service->greeting_name,
                                             .upgrade = end == MACHINE_ENDS_WITH_TLS && !keys_cannot_sign(s),
                                             .opens_here = end == MACHINE_ENDS_PLAIN,
                                             .cancels_in_clear =
                                                 s->service->config->peer != CONFIG_PEER_REQUIRE && s->door == NULL,
                                             .http_limits = s->service->http_limits,
                                             .connection = s->id};

    s->starttls_refused = end == MACHINE_ENDS_WITH_TLS && !options.upgrade;

    s->client_machine = starttls_accept_create(s->service->protocol, &options);
    s->greeted = starttls_output(s->client_machine).size > 0;
    session_say_machine(s->client_machine, &s->client);
    leg_advance(&s->client);
}

/* However a client leaves that was not offered STARTTLS: it left for that. */
static void note_refused_starttls(struct session *s)
{
    if (s->starttls_refused && leg_state(&s->client).heard)
        session_note_end(s, SESSION_ENDED_identity_unavailable,
                         base_strdup("STARTTLS was not offered, since the key of our certificate cannot sign now"));
}

/* A program that is not set to use TLS, of which nothing else would tell: NULL where that is not why it left. */
static char *left_without_tls(const struct session *s)
{
    unsigned refused = starttls_refused_commands(s->client_machine);

    return refused == 0 || leg_tls_state(&s->client) != LEG_TLS_NONE
               ? NULL
               : base_printf(
                     "the client left without TLS, and %u of its commands had been refused: is it set to use STARTTLS?",
                     refused);
}

void session_note_request(struct session *s)
{
    struct starttls_request_facts facts = starttls_request_facts(s->client_machine);

    if (facts.method != NULL)
        s->http.method = facts.method;
    if (facts.host != NULL && s->http.host == NULL)
        s->http.host = base_strdup(facts.host);
    if (facts.status != 0)
        s->http.status = facts.status;
}

static void client_broke_protocol(struct session *s)
{
    const char *error = starttls_error(s->client_machine);
    bool injected = starttls_was_injected(s->client_machine);
    const char *spoken = injected ? NULL : session_spoke_tls(s, &s->client);

    note_refused_starttls(s);
    session_note_request(s);
    if (injected)
        session_blame(s, SESSION_FAULT_NOBODY, session_advice_injected);
    else if (spoken != NULL)
        session_blame(s, SESSION_FAULT_NOBODY, spoken_advice(spoken));
    else if (starttls_is_over_limit(s->client_machine))
        session_blame(s, SESSION_FAULT_HERE, session_advice_limit);
    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    if (injected)
        counter_add(s->counters, COUNTER_injections_refused_total, 1);
    session_note_end(s, SESSION_ENDED_protocol_error,
                     base_printf("%s (%s)", spoken != NULL ? spoken : error, starttls_state_name(s->client_machine)));
    session_report_ended(s);
    session_enter(s, SESSION_LAST_WORDS);
}

void session_step_client_negotiate(struct session *s)
{
    bool ended;

    /* A line of it would be one more unknown command to some machines, and its client served as if nothing were. */
    if (leg_tls_state(&s->client) == LEG_TLS_NONE && session_note_unexpected_header(s)) {
        session_refuse(s, STARTTLS_FAILURE_BAD_REQUEST, SESSION_ENDED_proxy_unexpected, NULL);
        return;
    }
    switch (session_run_machine(s->client_machine, &s->client, &ended)) {
    case STARTTLS_NEED_MORE:
        if (ended || leg_state(&s->client).output_error != 0) {
            note_refused_starttls(s);
            if (starttls_refused_commands(s->client_machine) != 0)
                session_note_end(s, SESSION_ENDED_client_left, left_without_tls(s));
            session_client_left(s);
        }
        break;
    case STARTTLS_UPGRADE:
        session_enter(s, SESSION_CLIENT_GO_AHEAD);
        break;
    case STARTTLS_DIRECT:
        starttls_machine_destroy(&s->client_machine);
        s->direct_tls = true;
        session_start_client_tls(s);
        break;
    case STARTTLS_READY:
        session_enter(s, SESSION_CONNECT);
        break;
    case STARTTLS_TARGET:
        if (session_take_asked_target(s))
            session_enter(s, SESSION_CONNECT);
        else
            session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_target_denied,
                           base_strdup("no allow_target rule matches"));
        break;
    case STARTTLS_CLOSE:
        note_refused_starttls(s);
        session_note_end(s, SESSION_ENDED_quit, left_without_tls(s));
        session_enter(s, SESSION_LAST_WORDS);
        break;
    case STARTTLS_REFUSED:
    case STARTTLS_BROKEN:
        client_broke_protocol(s);
        break;
    }
}

void session_step_client_go_ahead(struct session *s)
{
    if (leg_state(&s->client).output_error != 0) {
        session_client_left(s);
        return;
    }
    session_say_machine(s->client_machine, &s->client);
    leg_advance(&s->client);
    if (starttls_output(s->client_machine).size > 0 || !leg_is_drained(&s->client))
        return;
    starttls_machine_destroy(&s->client_machine);
    assert(leg_holds(&s->client).received == 0); /* the hinge */
    session_start_client_tls(s);
}

/* The access rules, on the certificate that has just been verified. *denied: why not, where it is not. */
static bool client_is_allowed(struct session *s, char **denied)
{
    struct tls_session_info tls = tls_engine_session(leg_engine(&s->client));
    struct pkix_identity identity;
    bool allowed;

    *denied = NULL;
    if (tls.peer_cert.size == 0) {
        allowed = access_client_allowed(s->service->config, NULL);
        if (!allowed)
            *denied = base_strdup("the client has no certificate, and allow asks for one");
        return allowed;
    }
    if (!pkix_identity_read(tls.peer_cert, &identity)) {
        *denied = base_strdup("the client's certificate cannot be read");
        return false;
    }
    s->client_subject = base_strdup(identity.subject);
    for (size_t i = 0; i < identity.count && s->client_common_name == NULL; i++)
        if (identity.ids[i].type == PKIX_ID_CN)
            s->client_common_name = base_strdup(identity.ids[i].value);
    allowed = access_client_allowed(
        s->service->config,
        &(struct access_client){.identity = &identity, .issuers = tls.peer_issuers, .policies = tls.peer_policies});
    if (!allowed) {
        char *rules = access_rules_text(&identity);

        *denied = base_printf("no allow rule matches the client's certificate, which has %s", rules);
        free(rules);
    }
    pkix_identity_clear(&identity);
    return allowed;
}

static void fail_client_tls(struct session *s)
{
    enum session_ended ended = SESSION_ENDED_tls_failed;
    struct leg_state client = leg_state(&s->client);

    if (!client.heard && (client.input_ended || client.input_error != 0)) {
        session_client_left(s);
        return;
    }
    if (leg_refusal(&s->client) != LEG_REFUSAL_NONE) {
        ended = SESSION_ENDED_overload;
    } else if (tls_engine_key_failed(leg_engine(&s->client))) {
        ended = SESSION_ENDED_identity_unavailable;
        s->plane->keys_failed_ms[s->service_index] = uv_now(s->plane->loop);
    }
    if (session_note_unexpected_header(s))
        ended = SESSION_ENDED_proxy_unexpected;
    session_report_tls_failed(s, &s->client, ended);
    /* The alert has gone; there are too many of them to wait until each has read it. */
    if (leg_refusal(&s->client) == LEG_REFUSAL_TURN) {
        leg_advance(&s->client);
        session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
        return;
    }
    session_refuse(s, STARTTLS_FAILURE_TLS_UNAVAILABLE, ended, NULL);
}

/* A ClientHello is sent for nothing, and answering it is not: for who has gone before its turn it is not done. */
static bool left_before_its_turn(struct session *s)
{
    struct leg_state client = leg_state(&s->client);

    if (leg_tls_state(&s->client) != LEG_TLS_WAITS || (!client.input_ended && client.input_error == 0))
        return false;
    session_note_broken(s, SESSION_ENDED_client_left, &s->client,
                        base_strdup("the client closed its connection before its handshake had its turn: it is behind "
                                    "others, since it has cost much lately"));
    session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
    return true;
}

/* TLS that nobody asked for in the protocol's own words: whoever made the client begin it here, it says what it will
 * speak, or is not heard (ALPACA). */
static void refuse_unnamed_tls(struct session *s)
{
    counter_add(s->counters, COUNTER_negotiations_failed_total, 1);
    session_refuse(
        s, STARTTLS_FAILURE_BAD_REQUEST, SESSION_ENDED_protocol_error,
        base_printf("the client began with TLS at once and did not name %s in it, by ALPN, as it must: it should "
                    "be newer, or ask for TLS first",
                    starttls_protocol_alpn(s->service->protocol)));
}

void session_step_client_tls(struct session *s)
{
    char *denied;

    if (left_before_its_turn(s))
        return;
    if (leg_tls_state(&s->client) == LEG_TLS_FAILED) {
        fail_client_tls(s);
        return;
    }
    if (leg_tls_state(&s->client) != LEG_TLS_UP)
        return;
    s->plane->keys_failed_ms[s->service_index] = 0;
    session_report_tls(s, &s->client);
    if (!session_kept_its_name(s))
        return;
    if (s->direct_tls && tls_engine_session(leg_engine(&s->client)).alpn[0] == '\0') {
        refuse_unnamed_tls(s);
        return;
    }
    if (!client_is_allowed(s, &denied)) {
        counter_add(s->counters, COUNTER_access_denied_total, 1);
        session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_denied, denied);
    } else if (starttls_client_opens(s->service->protocol)) {
        session_start_client_machine(s, MACHINE_ENDS_PLAIN);
        session_enter(s, SESSION_CLIENT_NEGOTIATE);
    } else {
        session_enter(s, SESSION_CONNECT);
    }
}
