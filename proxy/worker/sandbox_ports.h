/* proxy/worker/sandbox_ports.h: the TCP ports that a worker with this configuration has a reason to connect to.
 *
 * Its targets', its upstream proxies', those that http-proxy may be asked for, and 53 for name servers. Where URLs in
 * certificates are followed (OCSP, CRLs, issuers) they may name any port: then there is no list. Pure. */
#ifndef YETT_PROXY_WORKER_SANDBOX_PORTS_H
#define YETT_PROXY_WORKER_SANDBOX_PORTS_H

#include "config/config.h"

/* More than so many are no limit worth its price: each is a rule that the kernel searches. */
enum { SANDBOX_PORTS_MAX = 1024 };

struct sandbox_ports {
    bool any;
    uint16_t *items; /* may repeat; none with `any` */
    size_t count;
};

struct sandbox_ports sandbox_ports_of(const struct config *config);
void sandbox_ports_clear(struct sandbox_ports *ports);

#endif
