/* proxy/service/memory_ceiling.h: how much memory one connection of a service takes at most, whatever its two peers do.
 *
 * proxy/process/limits.h has the parts. All but the heads of HTTP messages are constants; those are the administrator's
 * to set (http_request_head_max and its like), and are counted for services that read them. Pure functions: any thread.
 */
#ifndef YETT_PROXY_SERVICE_MEMORY_CEILING_H
#define YETT_PROXY_SERVICE_MEMORY_CEILING_H

#include "config/config.h"

/* Bytes. What NSS itself keeps for a TLS connection comes on top. */
size_t memory_ceiling(const struct config_service *service);

/* The largest of all services. */
size_t memory_ceiling_of_all(const struct config *config);

/* Bytes that wait to be sent to one leg, at most: a head that was written anew goes in at once. `to`: whom it is for.
 */
enum memory_ceiling_side { MEMORY_CEILING_CLIENT, MEMORY_CEILING_TARGET };
size_t memory_ceiling_to_send(const struct config_service *service, enum memory_ceiling_side to);

#endif
