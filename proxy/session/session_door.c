/* see proxy/session/session_internal.h: which of the services at an address the client goes to.
 *
 * Services that share an address are one until the client has said a server name, in its ClientHello, at once or after
 * STARTTLS; config/doors.h has what they must have in common for that. Then the session is the chosen service's in
 * everything: its context (identities, sessions, who is asked for a certificate), its rules, limits, targets, counters
 * and line in the log. A session of TLS is resumed only where it began, since each context has tickets and cached
 * sessions of its own.
 * The hello is read here before any engine has it, and NSS reads it again by its own rules: a client that makes the two
 * see different names, or says another in a second hello, has chosen a service for somebody else's name, and is turned
 * away after its handshake. */
#include "proxy/session/session_internal.h"

#include "proxy/process/limits.h"
#include "proxy/service/memory_ceiling.h"
#include "base/slab.h"
#include "tls/hello_name.h"
#include <stdlib.h>
#include <string.h>

static void begin_tls(struct session *s)
{
    if (session_is_without_token(s))
        return;
    leg_start_direct_tls(&s->client, s->service->server_context);
    session_enter(s, SESSION_CLIENT_TLS);
}

void session_start_client_tls(struct session *s)
{
    if (s->door != NULL)
        session_enter(s, SESSION_CLIENT_HELLO);
    else
        begin_tls(s);
}

/* ---- moving in ---- */

/* Its limits: what was counted at the door is counted there now. */
static const char *count_at(struct session *s, size_t index)
{
    struct plane *p = s->plane;
    const struct config_service *config = p->services->items[index].config;

    if (p->service_session_count[index] >= config->connections_max)
        return "connections_max of the service is reached";
    if (!peer_count_add(p->peers, index, s->means.peer, config->connections_per_address_max))
        return "connections_per_address_max is reached";
    peer_count_subtract(p->peers, s->counted_as, s->means.peer);
    p->service_session_count[s->counted_as]--;
    p->service_session_count[index]++;
    s->counted_as = index;
    return NULL;
}

static void become(struct session *s, size_t index)
{
    const struct service *service = &s->plane->services->items[index];

    counter_subtract(s->counters, COUNTER_connections_open, 1);
    s->service_index = index;
    s->service = service;
    s->counters = counters_service(s->plane->counters, index);
    counter_add(s->counters, COUNTER_connections_open, 1);
    s->reach.targets = service->config->connect;
    s->reach.target_count = service->config->connect_count;
    session_give_means(s);
    leg_set_to_send_max(&s->client, memory_ceiling_to_send(service->config, MEMORY_CEILING_CLIENT));
    session_init_target(s);
    s->deadline_ms = s->started_ms + service->config->handshake_timeout_ms;
}

static void move_in(struct session *s, size_t index)
{
    const char *full;

    become(s, index); /* first, so that it is the service's line that says it is full */
    full = count_at(s, index);
    if (full != NULL) {
        counter_add(s->counters, COUNTER_connections_refused_limit_total, 1);
        session_refuse(s, STARTTLS_FAILURE_OVERLOAD, SESSION_ENDED_too_many, base_strdup(full));
        return;
    }
    counter_add(s->counters, COUNTER_connections_total, 1);
    if (session_client_may_come_in(s))
        begin_tls(s);
}

/* ---- nobody's ---- */

/* There is no engine to say it: fatal, in clear, as all alerts before a ServerHello are (RFC 8446 section 6.2). */
static void refuse_hello(struct session *s, uint8_t alert, enum session_ended ended, char *reason)
{
    const uint8_t record[] = {0x15, 0x03, 0x03, 0, 2, 2, alert};

    counter_add(s->counters, COUNTER_handshakes_server_failed_total, 1);
    (void)leg_say(&s->client, span_of(record, sizeof(record)));
    session_refuse(s, STARTTLS_FAILURE_TLS_UNAVAILABLE, ended, reason);
}

static void refuse_name(struct session *s, const char *name)
{
    enum { UNRECOGNIZED_NAME = 112 }; /* RFC 6066 section 3 */

    refuse_hello(s, UNRECOGNIZED_NAME, SESSION_ENDED_name_unknown,
                 name == NULL ? base_strdup("the client asks for no server name, and no service at this address takes "
                                            "who asks for none")
                              : base_printf("no service at this address has the server name %s", name));
}

static void choose(struct session *s, const char *name)
{
    size_t index = config_door_find(s->door, name);

    if (index == CONFIG_NO_SERVICE)
        refuse_name(s, name);
    else
        move_in(s, index);
}

/* ---- the hello ---- */

static void wait_for_more(struct session *s)
{
    enum { HANDSHAKE_FAILURE = 40 };
    struct leg_state client = leg_state(&s->client);

    if (client.input_ended || client.input_error != 0 || client.output_error != 0)
        session_client_left(s);
    else if (leg_holds(&s->client).received >= LIMIT_HELD_MAX)
        refuse_hello(s, HANDSHAKE_FAILURE, SESSION_ENDED_tls_failed,
                     base_printf("the client's first message is longer than %d bytes, in which its server name is "
                                 "looked for",
                                 LIMIT_HELD_MAX));
}

void session_step_client_hello(struct session *s)
{
    struct span records;
    char *name = NULL;

    (void)leg_peek(&s->client, &records); /* how it has ended is asked in wait_for_more() */
    switch (tls_hello_name_read(records, &name)) {
    case TLS_HELLO_NEEDS_MORE:
        wait_for_more(s);
        break;
    case TLS_HELLO_HAS_NAME:
    case TLS_HELLO_HAS_NO_NAME:
        choose(s, name);
        break;
    case TLS_HELLO_IS_NONE:
        move_in(s, s->service_index); /* the engine tells what it is instead, and its alert */
        break;
    }
    slab_strfree(name);
}

bool session_kept_its_name(struct session *s)
{
    const char *name;

    if (s->door == NULL)
        return true;
    name = tls_engine_session(leg_engine(&s->client)).server_name;
    if (config_door_find(s->door, name[0] == '\0' ? NULL : name) == s->service_index)
        return true;
    counter_add(s->counters, COUNTER_access_denied_total, 1);
    session_refuse(s, STARTTLS_FAILURE_BAD_REQUEST, SESSION_ENDED_name_unknown,
                   base_printf("the client asked for %s in the end, which is not this service's",
                               name[0] == '\0' ? "no server name" : name));
    return false;
}
