/* see agent_call.h */
#include "agent_call.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { CALL_MS = 30000 };

struct test_call test_find(struct agent_client *client, const char *uri)
{
    struct tokens_wire_request request = {.type = TOKENS_WIRE_FIND, .uri = span_of_string(uri)};
    struct test_call call;

    call.status = agent_client_call(client, &request, CALL_MS, &call.reply, &call.frame);
    return call;
}

uint64_t test_find_tag(struct agent_client *client, const char *uri)
{
    struct tokens_wire_identity identity;
    struct test_call call = test_find(client, uri);
    uint64_t tag;

    assert_int_equal(call.status, AGENT_CLIENT_OK);
    if (call.reply.type != TOKENS_WIRE_FOUND)
        fail_msg("%.*s", (int)call.reply.text.size, (const char *)call.reply.text.data);
    assert_int_equal(tokens_wire_identity_decode(call.reply.identity, &identity), TOKENS_WIRE_OK);
    tag = tokens_wire_key_tag(identity.spki);
    free(call.frame);
    return tag;
}

struct test_call test_sign(struct agent_client *client, const char *uri, uint64_t tag)
{
    static const uint8_t digest[32] = {7};
    struct tokens_wire_request request = {.type = TOKENS_WIRE_SIGN,
                                          .uri = span_of_string(uri),
                                          .key_tag = tag,
                                          .mechanism = TOKENS_WIRE_ECDSA,
                                          .data = span_of(digest, sizeof(digest))};
    struct test_call call;

    call.status = agent_client_call(client, &request, CALL_MS, &call.reply, &call.frame);
    return call;
}

void test_expect_signed(struct test_call call)
{
    assert_int_equal(call.status, AGENT_CLIENT_OK);
    if (call.reply.type != TOKENS_WIRE_SIGNED)
        fail_msg("%.*s", (int)call.reply.text.size, (const char *)call.reply.text.data);
    assert_int_equal(call.reply.signature.size, 64);
    free(call.frame);
}

void test_expect_failed(struct test_call call, enum tokens_wire_failure want, const char *text)
{
    assert_int_equal(call.status, AGENT_CLIENT_OK);
    assert_int_equal(call.reply.type, TOKENS_WIRE_FAILED);
    if (call.reply.failure != want || memmem(call.reply.text.data, call.reply.text.size, text, strlen(text)) == NULL)
        fail_msg("got %d \"%.*s\", want %d with \"%s\"", (int)call.reply.failure, (int)call.reply.text.size,
                 (const char *)call.reply.text.data, (int)want, text);
    free(call.frame);
}
