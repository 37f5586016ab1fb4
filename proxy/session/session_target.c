/* see proxy/session/session.h: which target, and how it is reached. */
#include "proxy/session/session_internal.h"

#include "proxy/session/access.h"
#include "proxy/process/limits.h"
#include "proxy/process/log.h"
#include "starttls/proxy_header.h"
#include "base/slab.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void set_target(struct session *s, const char *host, uint16_t port, const char *text)
{
    slab_strfree(s->target_host);
    slab_strfree(s->target_text);
    s->target_host = host == NULL ? NULL : slab_strdup(host);
    s->target_port = port;
    s->target_text = slab_strdup(text);
}

bool session_take_asked_target(struct session *s)
{
    const char *host = starttls_target_host(s->client_machine);
    uint16_t port = starttls_target_port(s->client_machine);

    session_note_request(s);
    config_address_clear(&s->asked);
    s->http.request = starttls_target_request(s->client_machine);
    s->kind = s->http.request == STARTTLS_REQUEST_TUNNEL ? &session_kind_relay : &session_kind_exchange;
    s->asked = (struct config_address){.type = CONFIG_ADDRESS_INET, .host = base_strdup(host), .port = port};
    s->asked.text = strchr(host, ':') != NULL ? base_printf("[%s]:%u", host, port) : base_printf("%s:%u", host, port);
    s->reach.targets = &s->asked;
    s->reach.target_count = 1;
    set_target(s, host, port, s->asked.text);
    if (access_target_allowed(s->service->config, host, port))
        return true;
    counter_add(s->counters, COUNTER_access_denied_total, 1);
    return false;
}

/* Whatever the rules say, nobody is taken to where this yett listens: its services have rules of their own, and its
 * admin endpoint none at all, since it trusts whoever is on this machine. */
static const char *address_is_denied(void *context, const struct sockaddr *address)
{
    struct session *s = context;

    if (access_is_own_address(s->plane->own_addresses, s->plane->own_address_count, s->plane->local_addresses,
                              address)) {
        session_blame(
            s, SESSION_FAULT_NOBODY,
            "no rule leads there; a service with this address in connect, and rules of its own, lets clients in");
        return "this yett listens there itself (a service, or its admin endpoint)";
    }
    if (!access_address_allowed(s->service->config, s->asked.host, address))
        return "one that is not public has to be in allow_target itself, a name is not enough";
    return NULL;
}

/* ---- which of several ---- */

/* Those of the configuration, in the order of now: not what a client has asked for, nor what is looked at. */
static void order_targets(struct session *s)
{
    const struct config_service *config = s->service->config;

    if (s->probe != NULL || s->reach.targets != config->connect || !targets_has(s->plane->targets, s->service_index))
        return;
    s->reach.order = base_alloc(config->connect_count * sizeof(*s->reach.order));
    s->reach.ordered = base_alloc(config->connect_count * sizeof(*s->reach.ordered));
    targets_order(s->plane->targets, s->service_index, uv_now(s->plane->loop), s->reach.order);
    for (size_t i = 0; i < config->connect_count; i++)
        s->reach.ordered[i] = config->connect[s->reach.order[i]];
    s->reach.targets = s->reach.ordered;
}

void session_note_target_failed(struct session *s, size_t at)
{
    size_t target;

    if (s->reach.order == NULL)
        return;
    target = s->reach.order[at];
    if (!targets_note_failed(s->plane->targets, s->service_index, target, uv_now(s->plane->loop)))
        return;
    counter_add(s->counters, COUNTER_targets_left_alone, 1);
    log_line(LOG_LEVEL_WARNING, "target_left_alone", log_text("service", s->service->config->name),
             log_text("target", s->reach.targets[at].text),
             log_number("for_ms", targets_alone_ms(s->plane->targets, s->service_index, target)),
             log_text("reason", "it could not be reached, or did not serve"));
}

void session_note_reached_failed(struct session *s)
{
    if (s->reach.reached)
        session_note_target_failed(s, s->reach.reached_target);
}

void session_note_connecting_failed(struct session *s)
{
    if (s->reach.connector == NULL || s->service->config->via != NULL || s->reach.order == NULL)
        return;
    for (size_t i = 0; i <= connector_target(s->reach.connector) && i < s->reach.target_count; i++)
        session_note_target_failed(s, i);
}

void session_note_reached_serves(struct session *s)
{
    size_t target;

    if (s->reach.order == NULL || !s->reach.reached)
        return;
    target = s->reach.order[s->reach.reached_target];
    targets_hold(s->plane->targets, s->service_index, target);
    s->reach.held = true;
    if (!targets_note_good(s->plane->targets, s->service_index, target))
        return;
    counter_subtract(s->counters, COUNTER_targets_left_alone, 1);
    log_line(LOG_LEVEL_INFO, "target_back", log_text("service", s->service->config->name),
             log_text("target", s->reach.targets[s->reach.reached_target].text));
}

void session_release_target(struct session *s)
{
    if (s->reach.held)
        targets_release(s->plane->targets, s->service_index, s->reach.order[s->reach.reached_target]);
    s->reach.held = false;
}

/* The connector tries one behind the other: those before the one that answered, or all, have failed. Of an upstream
 * proxy's targets nothing is known by it. */
static void note_reached(struct session *s, const struct connect_result *result)
{
    bool via = s->service->config->via != NULL;
    size_t failed = result->status == CONNECT_OK ? result->target : s->reach.target_count;

    for (size_t i = 0; !via && result->status != CONNECT_DENIED && i < failed; i++)
        session_note_target_failed(s, i);
    s->reach.reached = result->status == CONNECT_OK;
    s->reach.reached_target = via ? s->reach.via_target : result->target;
}

/* The target that answered, for its certificate's name and for logs. */
static void note_target(struct session *s, const struct connect_result *result)
{
    /* Of an upstream proxy it is the proxy that answered, for this one. */
    const struct config_address *target =
        &s->reach.targets[s->service->config->via == NULL ? result->target : s->reach.via_target];
    char address[RESOLVE_TEXT_SIZE] = "", *both;
    const char *name;

    name = target->type == CONFIG_ADDRESS_INET ? target->host : NULL;
    if (result->address != NULL)
        resolve_address_text(result->address, address, sizeof(address));
    if (address[0] == '\0' || strcmp(address, target->text) == 0) {
        set_target(s, name, target->port, target->text);
        return;
    }
    both = base_printf("%s (%s)", target->text, address);
    set_target(s, name, target->port, both);
    free(both);
}

static void on_connected(void *context, const struct connect_result *result)
{
    struct session *s = context;

    s->reach.done = true;
    s->reach.status = result->status;
    note_reached(s, result);
    if (result->status == CONNECT_OK) {
        note_target(s, result);
        leg_attach(&s->target, result->transport);
    } else {
        s->reach.error = base_strdup(result->error);
    }
    session_step(s);
}

void session_start_connecting(struct session *s)
{
    const struct config_service *config = s->service->config;
    struct connect_options options;

    if (s->reach.order == NULL)
        order_targets(s);
    options = (struct connect_options){
        .loop = s->plane->loop,
        .resolver = s->plane->resolver,
        .asker = {s->service_index, s->means.peer.words[0] ^ s->means.peer.words[1]},
        .targets = s->reach.targets,
        .target_count = s->reach.target_count,
        .on_done = on_connected,
        .context = s,
    };

    if (config->via != NULL) {
        options.targets = config->via;
        options.target_count = 1;
    } else if (s->service->protocol == STARTTLS_HTTP_CONNECT) {
        options.denied = address_is_denied;
    }
    if (s->target_text == NULL && options.target_count > 0)
        set_target(s, NULL, 0, options.targets[0].text);
    s->reach.connector = connector_create(&options);
}

bool session_try_next_target(struct session *s, const char *why)
{
    assert(s->state == SESSION_TARGET_VIA);
    if (s->reach.via_target + 1 >= s->reach.target_count)
        return false;
    if (log_wants(LOG_LEVEL_DEBUG))
        log_line(LOG_LEVEL_DEBUG, "target_passed_over", log_text("conn", s->id), log_text("target", s->target_text),
                 log_text("reason", why));
    session_note_target_failed(s, s->reach.via_target);
    s->reach.via_target++;
    session_close_target(s, TRANSPORT_CLOSE_ORDERLY);
    leg_clear(&s->target);
    session_init_target(s);
    set_target(s, NULL, 0, s->reach.targets[s->reach.via_target].text);
    s->reach.done = false;
    session_start_connecting(s);
    return true;
}

void session_start_target_tls(struct session *s)
{
    const struct config_service *config = s->service->config;
    const char *name = config->verify_name != NULL ? config->verify_name : s->target_host;
    char *cache_key =
        base_printf("%s|%s|%u", config->name, s->target_host != NULL ? s->target_host : s->target_text, s->target_port);

    /* A Unix socket has no name of its own; the configuration demands verify_name there, or to verify nothing. */
    starttls_machine_destroy(&s->target_machine);
    leg_start_tls(&s->target, s->service->client_context, name != NULL ? name : "localhost", cache_key);
    free(cache_key);
}

/* ---- the PROXY header ---- */

static void fill_address(const union session_address *address, const uint8_t **bytes, size_t *size, uint16_t *port)
{
    *bytes = NULL;
    *size = 0;
    *port = 0;
    if (address->header.sa_family == AF_INET) {
        *bytes = (const uint8_t *)&address->v4.sin_addr;
        *size = 4;
        *port = ntohs(address->v4.sin_port);
    } else if (address->header.sa_family == AF_INET6) {
        *bytes = address->v6.sin6_addr.s6_addr;
        *size = 16;
        *port = ntohs(address->v6.sin6_port);
    }
}

static struct span span_of_text(const char *text)
{
    return text == NULL ? span_of(NULL, 0) : span_of_string(text);
}

static struct starttls_proxy_tls proxy_tls(const struct session *s)
{
    const struct tls_engine *engine = leg_engine(&s->client);
    struct tls_session_info tls;

    if (engine == NULL)
        return (struct starttls_proxy_tls){.is_tls = false};
    tls = tls_engine_session(engine);
    return (struct starttls_proxy_tls){
        .alpn = span_of_text(tls.alpn),
        .authority = span_of_text(tls.server_name),
        .is_tls = true,
        .version = span_of_text(tls.version),
        .cipher = span_of_text(tls.cipher),
        .client_cert_on_connection = tls.peer_cert.size > 0 && !tls.resumed,
        .client_cert_in_session = tls.peer_cert.size > 0,
        .client_cert_is_verified = tls.peer_cert.size > 0,
        .client_common_name = span_of_text(s->client_common_name),
        .client_cert = tls.peer_cert,
    };
}

/* Of a header that came to us: with TLS of the client's ended here, what was said of another TLS is not passed on. */
static struct starttls_proxy_passed proxy_passed(const struct session *s)
{
    return (struct starttls_proxy_passed){.tlvs = s->proxied == NULL ? span_of(NULL, 0) : s->proxied->tlvs,
                                          .about_tls = leg_tls_state(&s->client) == LEG_TLS_NONE};
}

bool session_make_proxy_header(const struct session *s, struct buffer *header)
{
    struct starttls_proxy_addresses addresses;
    struct starttls_proxy_passed passed = proxy_passed(s);
    struct starttls_proxy_tls tls;
    size_t destination_size;

    fill_address(&s->peer, &addresses.source, &addresses.size, &addresses.source_port);
    fill_address(&s->local, &addresses.destination, &destination_size, &addresses.destination_port);
    if (destination_size != addresses.size)
        addresses = (struct starttls_proxy_addresses){.size = 0};
    switch (s->service->config->send_proxy) {
    case CONFIG_SEND_PROXY_NONE:
        break;
    case CONFIG_SEND_PROXY_V1:
        return starttls_proxy_header_v1(&addresses, header);
    case CONFIG_SEND_PROXY_V2:
        return starttls_proxy_header_v2(&addresses, NULL, &passed, header);
    case CONFIG_SEND_PROXY_V2_TLS:
        tls = proxy_tls(s);
        return starttls_proxy_header_v2(&addresses, &tls, &passed, header);
    }
    return true;
}
