/* Requests to an agent, as the shim makes them, for the tests of tokens/. */
#ifndef YETT_TESTS_TOKENS_AGENT_CALL_H
#define YETT_TESTS_TOKENS_AGENT_CALL_H

#include "tokens/agent_client.h"
#include "tokens/wire.h"

/* A request and what came of it. */
struct test_call {
    enum agent_client_status status;
    struct tokens_wire_reply reply;
    uint8_t *frame;
};

struct test_call test_find(struct agent_client *client, const char *uri);
uint64_t test_find_tag(struct agent_client *client, const char *uri); /* of what must be found */
/* A fixed digest, with ECDSA. */
struct test_call test_sign(struct agent_client *client, const char *uri, uint64_t tag);

/* What came of it; both free the frame. The second: that failure, with `text` in its sentence. */
void test_expect_signed(struct test_call call);
void test_expect_failed(struct test_call call, enum tokens_wire_failure want, const char *text);

#endif
