/* tests/unit/proxy/simulation_kinds.h: what services the simulation has, and what is said there.
 *
 * A *kind* is a protocol with its TLS on both sides, what is between us and the target, and one *conversation*: a
 * script for the client and one for the target. The kinds are made once, from the tables of simulation_speeches.h: a
 * protocol says how its TLS begins and what its conversations are, and gets a kind for each of them with each TLS. Each
 * kind has two services: its handshakes' steps are taken on the loop, or on the pool. */
#ifndef YETT_TESTS_UNIT_PROXY_SIMULATION_KINDS_H
#define YETT_TESTS_UNIT_PROXY_SIMULATION_KINDS_H

#include "fake_peer.h"
#include "proxy/service/service.h"

enum { SIMULATION_TIMEOUT_MS = 3600 * 1000, SIMULATION_SCRIPT_MAX = 40 };

/* Which payload a conversation has; the client's goes up. */
enum {
    PAYLOAD_UP = 1 << 0,
    PAYLOAD_DOWN = 1 << 1,
    PAYLOAD_BOTH = PAYLOAD_UP | PAYLOAD_DOWN,
    PAYLOAD_LINES = 1 << 2,
    PAYLOAD_COUNTED = 1 << 3, /* what the log counts is this payload and nothing else */
    PAYLOAD_MANY = 1 << 4,    /* there are many lines besides */
};

enum simulation_via { VIA_NONE, VIA_PROXY, VIA_REFUSES_FIRST /* of two targets; the proxy takes us to the second */ };
enum simulation_look { LOOK_CLIENT, LOOK_PROBE /* no client: a look whether the target serves */ };

struct simulation_kind {
    char name[96];
    enum config_protocol protocol;
    enum config_tls_mode listen, connect;
    bool header;   /* PROXY, version 1 */
    bool balanced; /* another one comes from the client's side first */
    enum simulation_via via;
    enum simulation_look look;
    bool is_exchange; /* one HTTP request with an https URI */
    unsigned payload;
    struct fake_script_step client[SIMULATION_SCRIPT_MAX], target[SIMULATION_SCRIPT_MAX];
};

/* Of each kind two services, side by side. */
void simulation_kinds_open(void);
struct services *simulation_services(void);
const struct simulation_kind *simulation_kind_of(size_t service);

/* Protocols, as far as they are spoken in ways of their own; the services of one begin there, and those of the next one
 * follow. The last one's end with all of them. */
size_t simulation_speeches(void);
size_t simulation_first_service(size_t speech);

/* What an upstream proxy says that does not take us there. */
extern const struct fake_script_step simulation_via_refusal[];

#endif
