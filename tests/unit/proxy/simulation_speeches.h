/* tests/unit/proxy/simulation_speeches.h: what is said in the simulation: a speech for each protocol.
 *
 * Private to simulation_kinds.c, which makes a kind of each conversation with each TLS, and to the sources that each
 * have the protocols of one sort: simulation_lines.c, simulation_messages.c and simulation_streams.c. */
#ifndef YETT_TESTS_UNIT_PROXY_SIMULATION_SPEECHES_H
#define YETT_TESTS_UNIT_PROXY_SIMULATION_SPEECHES_H

#include "simulation_kinds.h"

typedef struct fake_script_step steps[];

struct conversation {
    const char *name; /* NULL: behind the last one */
    const struct fake_script_step *client, *server;
    unsigned payload;
};

/* A protocol. Where it has no STARTTLS, nobody opens. */
struct speech {
    const char *name;
    enum config_protocol protocol;
    const struct fake_script_step *client_opens, *server_opens;
    const char *greeting,
        *our_greeting;  /* the server's first words; ours in their place where it was asked for TLS, or, */
    bool greets_in_tls; /* what every client hears: the server greets again behind STARTTLS */
    const struct conversation *conversations;
    const struct fake_script_step *probed;
    bool is_exchange;
};

extern const struct speech simulation_tcp, simulation_smtp, simulation_lmtp, simulation_imap, simulation_pop3,
    simulation_sieve, simulation_nntp, simulation_ldap, simulation_postgres, simulation_tunnel, simulation_exchange;

#endif
