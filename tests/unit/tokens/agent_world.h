/* tests/unit/tokens/agent_world.h: an agent whose module is slow-token.so in front of SoftHSM, which misbehaves as the
 * environment says, and a client of it. No NSS: requests go over the wire. */
#ifndef YETT_TESTS_UNIT_TOKENS_AGENT_WORLD_H
#define YETT_TESTS_UNIT_TOKENS_AGENT_WORLD_H

#include "agent_call.h"
#include "support.h"
#include "tokens/agent_client.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { THREADS = 8 };

#define EC_URI "pkcs11:token=one;object=ec"

/* Files of the token's: how often it was called; there, it is gone; there, it hangs; what it knows of its PIN. */
extern struct test_store store;
extern char *count_file, *gone_file, *hang_file, *pin_state;

/* For cmocka. Every test starts from the same environment, and sets what it needs. */
int group_setup(void **state);
int group_teardown(void **state);
int setup(void **state);

extern const struct test_agent_options plain;

/* An agent, a client, and the EC key's tag. */
struct world {
    struct test_agent agent;
    struct agent_client *client;
    uint64_t tag;
};

void world_start(struct world *world, const struct test_agent_options *options);
void world_stop(struct world *world, int status);

struct signer {
    pthread_t thread;
    struct world *world;
    struct test_call call;
};

void *signer_main(void *data);
void sign_at_once(struct world *world, struct signer *signers, size_t count);

#endif
