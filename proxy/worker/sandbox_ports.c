/* see proxy/worker/sandbox_ports.h */
#include "proxy/worker/sandbox_ports.h"

#include <stdlib.h>

enum { DNS_PORT = 53 };

static void add(struct sandbox_ports *ports, uint16_t port)
{
    if (ports->any)
        return;
    for (size_t i = 0; i < ports->count; i++)
        if (ports->items[i] == port)
            return;
    if (ports->count == SANDBOX_PORTS_MAX) {
        ports->any = true;
        return;
    }
    ports->items = base_realloc_array(ports->items, ports->count + 1, sizeof(*ports->items));
    ports->items[ports->count++] = port;
}

static bool follows_urls(const struct config_service *s)
{
    bool verifies = (config_service_originates_tls(s) && !s->insecure_no_verify) || s->peer != CONFIG_PEER_NONE;

    return verifies &&
           ((s->revocation != CONFIG_REVOCATION_OFF && (s->ocsp_fetch || s->crl_fetch)) || s->issuer_fetch_count > 0);
}

static void add_service(struct sandbox_ports *ports, const struct config_service *s)
{
    ports->any = ports->any || follows_urls(s);
    for (size_t i = 0; i < s->connect_count; i++)
        if (s->connect[i].type == CONFIG_ADDRESS_INET)
            add(ports, s->connect[i].port);
    if (s->via != NULL && s->via->type == CONFIG_ADDRESS_INET)
        add(ports, s->via->port);
    for (size_t i = 0; i < s->allow_target_count; i++)
        for (uint32_t port = s->allow_target[i].port_first; port <= s->allow_target[i].port_last && !ports->any; port++)
            add(ports, (uint16_t)port);
}

struct sandbox_ports sandbox_ports_of(const struct config *config)
{
    struct sandbox_ports ports = {.any = false};

    add(&ports, DNS_PORT);
    for (size_t i = 0; i < config->service_count; i++)
        add_service(&ports, &config->services[i]);
    if (ports.any)
        sandbox_ports_clear(&ports);
    return ports;
}

void sandbox_ports_clear(struct sandbox_ports *ports)
{
    free(ports->items);
    ports->items = NULL;
    ports->count = 0;
}
