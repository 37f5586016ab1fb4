/* see proxy/service/memory_ceiling.h */
#include "proxy/service/memory_ceiling.h"

#include "proxy/process/limits.h"
#include "proxy/service/service.h"
#include "starttls/http/http_proxy.h"
#include "starttls/proxy_reader.h"

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t memory_ceiling_to_send(const struct config_service *service, enum memory_ceiling_side to)
{
    struct starttls_http_limits limits[STARTTLS_HTTP_KIND_COUNT];

    if (service->protocol != CONFIG_PROTOCOL_HTTP_CONNECT)
        return LIMIT_TO_SEND_MAX;
    service_http_limits(service, limits);
    return LIMIT_TO_SEND_MAX +
           starttls_http_forwarded_max(
               &limits[to == MEMORY_CEILING_CLIENT ? STARTTLS_HTTP_RESPONSE : STARTTLS_HTTP_REQUEST]);
}

/* The client's machine holds a request as it was read and as it goes on; what reads a response, an exchange's filter or
 * an upstream proxy's machine, holds that. They may be there at the same time: the request is kept until its target is
 * connected. */
static size_t heads(const struct config_service *service)
{
    struct starttls_http_limits limits[STARTTLS_HTTP_KIND_COUNT];
    size_t size = 0;

    service_http_limits(service, limits);
    if (service->protocol == CONFIG_PROTOCOL_HTTP_CONNECT)
        size += starttls_http_memory_max(&limits[STARTTLS_HTTP_REQUEST]) +
                starttls_http_forwarded_max(&limits[STARTTLS_HTTP_REQUEST]);
    if (service->protocol == CONFIG_PROTOCOL_HTTP_CONNECT || service->via != NULL)
        size += starttls_http_memory_max(&limits[STARTTLS_HTTP_RESPONSE]);
    return size;
}

size_t memory_ceiling(const struct config_service *service)
{
    size_t header = service->accept_proxy == CONFIG_ACCEPT_PROXY_NONE ? 0 : (size_t)STARTTLS_PROXY_V2_BYTES_MAX;

    return LIMIT_CONNECTION_FIXED + header + heads(service) + memory_ceiling_to_send(service, MEMORY_CEILING_CLIENT) +
           memory_ceiling_to_send(service, MEMORY_CEILING_TARGET);
}

size_t memory_ceiling_of_all(const struct config *config)
{
    size_t size = 0;

    for (size_t i = 0; i < config->service_count; i++)
        size = larger(size, memory_ceiling(&config->services[i]));
    return size;
}
