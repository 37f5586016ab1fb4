/* see proxy/session/session_internal.h: who the client is, and whether it may come in at all.
 *
 * A balancer in front of us has an address of its own, and says in a PROXY header whose connection it hands on. It is
 * believed because of where it comes from (accept_proxy_from): whoever else sends a header is turned away, or anybody
 * could be anybody. Such a balancer must send one, too: a client that has got past it would be taken for the balancer.
 * What is known of the client's address from then on, limits, the fair queues, rules, the log and the header that
 * send_proxy writes, is what was said. */
#include "proxy/session/session_internal.h"

#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "proxy/session/access.h"
#include <stdlib.h>
#include <string.h>

bool session_awaits_header(const struct config_service *config, const struct sockaddr *peer)
{
    return config->accept_proxy != CONFIG_ACCEPT_PROXY_NONE &&
           access_networks_have(config->accept_proxy_from, config->accept_proxy_from_count, peer);
}

/* ---- who is known may come in, or not ---- */

/* What was counted before the session began is not counted again. */
static bool count_client(struct session *s)
{
    if (!s->counted)
        s->counted = peer_count_add(s->plane->peers, s->counted_as, s->means.peer,
                                    s->door != NULL ? 0 : s->service->config->connections_per_address_max);
    if (s->counted)
        return true;
    counter_add(s->counters, COUNTER_connections_refused_limit_total, 1);
    session_refuse(s, STARTTLS_FAILURE_OVERLOAD, SESSION_ENDED_too_many, NULL);
    return false;
}

bool session_client_may_come_in(struct session *s)
{
    const struct config_service *config = s->service->config;

    if (config->allow_client_count == 0 ||
        access_networks_have(config->allow_client, config->allow_client_count, &s->peer.header))
        return true;
    counter_add(s->counters, COUNTER_access_denied_total, 1);
    session_blame(s, SESSION_FAULT_CLIENT, "add its network to allow_client if it is to pass");
    session_refuse(s, STARTTLS_FAILURE_TARGET_REFUSED, SESSION_ENDED_denied,
                   base_strdup("allow_client does not have the client's address"));
    return false;
}

/* What the client has said already, behind its balancer's header, is held. */
static void begin(struct session *s)
{
    const struct config_service *config = s->service->config;

    s->deadline_ms = s->started_ms + config->handshake_timeout_ms;
    if (!count_client(s) || (s->door == NULL && !session_client_may_come_in(s)))
        return;
    if (config->listen_tls == CONFIG_TLS_IMPLICIT) {
        session_start_client_tls(s);
    } else if (config->listen_tls == CONFIG_TLS_STARTTLS || starttls_client_opens(s->service->protocol)) {
        session_start_client_machine(s, config->listen_tls == CONFIG_TLS_STARTTLS ? MACHINE_ENDS_WITH_TLS
                                                                                  : MACHINE_ENDS_PLAIN);
        session_enter(s, SESSION_CLIENT_NEGOTIATE);
    } else {
        session_enter(s, SESSION_CONNECT);
    }
}

void session_meet_client(struct session *s)
{
    uint32_t header_ms = s->service->config->handshake_timeout_ms;

    if (!session_awaits_header(s->service->config, &s->peer.header)) {
        s->counted = true;
        begin(s);
        return;
    }
    s->proxied = base_alloc(sizeof(*s->proxied));
    s->proxied->awaited = true;
    memcpy(s->proxied->by, s->peer_text, sizeof(s->proxied->by));
    if (header_ms > LIMIT_PROXY_HEADER_IN_MS)
        header_ms = LIMIT_PROXY_HEADER_IN_MS;
    s->deadline_ms = s->started_ms + header_ms;
    plane_set_deadline(s->plane, &s->wheel, s->deadline_ms);
}

/* ---- the header ---- */

static void set_address(union session_address *to, const struct address *a, uint16_t port)
{
    *to = (union session_address){.header = {.sa_family = AF_UNSPEC}};
    if (a->size == 4) {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(port);
        memcpy(&to->v4.sin_addr, a->bytes, a->size);
    } else if (a->size == 16) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(port);
        memcpy(&to->v6.sin6_addr, a->bytes, a->size);
    }
}

/* Where no address is said, the balancer's own stands for the client's: by the specification (section 2), and so rules
 * and limits hold for the balancer. */
static void take_word(struct session *s, const struct starttls_proxy_said *said)
{
    s->proxied->awaited = false;
    s->proxied->subject = said->subject;
    s->proxied->tlvs =
        span_of(said->tlvs.size == 0 ? NULL : base_memdup(said->tlvs.data, said->tlvs.size), said->tlvs.size);
    if (said->subject != STARTTLS_PROXY_CLIENT)
        return;
    set_address(&s->peer, &said->source, said->source_port);
    set_address(&s->local, &said->destination, said->destination_port);
    resolve_address_text(&s->peer.header, s->peer_text, sizeof(s->peer_text));
    s->means.peer = peer_key_of(&s->peer.header);
}

static enum starttls_proxy_accept versions(const struct config_service *config)
{
    switch (config->accept_proxy) {
    case CONFIG_ACCEPT_PROXY_V1:
        return STARTTLS_PROXY_ACCEPT_V1;
    case CONFIG_ACCEPT_PROXY_V2:
        return STARTTLS_PROXY_ACCEPT_V2;
    case CONFIG_ACCEPT_PROXY_NONE:
    case CONFIG_ACCEPT_PROXY_ANY:
        break;
    }
    return STARTTLS_PROXY_ACCEPT_ANY;
}

static void refuse_header(struct session *s, enum session_ended ended, char *reason)
{
    counter_add(s->counters, COUNTER_proxy_headers_refused_total, 1);
    session_refuse(s, STARTTLS_FAILURE_BAD_REQUEST, ended, reason);
}

void session_step_proxy_header(struct session *s)
{
    struct starttls_proxy_said said;
    struct span bytes;
    const char *why;
    size_t size;

    (void)leg_peek(&s->client, &bytes); /* how it has ended is asked below */
    switch (starttls_proxy_read(bytes, versions(s->service->config), &said, &size, &why)) {
    case STARTTLS_PROXY_NEED_MORE:
        if (leg_state(&s->client).input_ended || leg_state(&s->client).input_error != 0)
            session_client_left(s);
        break;
    case STARTTLS_PROXY_WHOLE:
        take_word(s, &said);
        leg_consume(&s->client, size);
        leg_peer_begins(&s->client);
        begin(s);
        break;
    case STARTTLS_PROXY_MISSING:
        refuse_header(
            s, SESSION_ENDED_proxy_missing,
            base_printf("no PROXY header came from %s, which accept_proxy_from names: %s", s->proxied->by, why));
        break;
    case STARTTLS_PROXY_BROKEN:
        refuse_header(s, SESSION_ENDED_proxy_malformed,
                      base_printf("the PROXY header of %s is not taken: %s", s->proxied->by, why));
        break;
    }
}

void session_on_header_due(struct session *s)
{
    struct span bytes;

    (void)leg_peek(&s->client, &bytes);
    counter_add(s->counters, COUNTER_timeouts_handshake_total, 1);
    refuse_header(s, SESSION_ENDED_proxy_missing,
                  base_printf("%s PROXY header came from %s, which accept_proxy_from names, in time",
                              bytes.size == 0 ? "no" : "no whole", s->proxied->by));
}

/* ---- where none is expected ---- */

/* Where there is more to say of it than its end says. */
struct unexpected {
    const char *reason, *advice;
};

static const struct unexpected not_named = {
    "the client sends a PROXY header, and accept_proxy_from does not have its address",
    "if it is a balancer of yours, add it to accept_proxy_from; otherwise it pretends to be somebody else"};
static const struct unexpected second = {
    "the client sends a PROXY header behind the one of its balancer",
    "have one of two balancers in a row send none; or it is a client that pretends"};

bool session_note_unexpected_header(struct session *s)
{
    const struct unexpected *more = s->proxied != NULL                                             ? &second
                                    : s->service->config->accept_proxy != CONFIG_ACCEPT_PROXY_NONE ? &not_named
                                                                                                   : NULL;

    if (!starttls_proxy_is_header(leg_first_bytes(&s->client)))
        return false;
    if (more != NULL)
        session_blame(s, SESSION_FAULT_CLIENT, more->advice);
    counter_add(s->counters, COUNTER_proxy_headers_refused_total, 1);
    session_note_broken(
        s, SESSION_ENDED_proxy_unexpected, leg_engine(&s->client) == NULL ? NULL : &s->client,
        base_strdup(more != NULL ? more->reason : session_end_of(SESSION_ENDED_proxy_unexpected)->sentence));
    return true;
}
