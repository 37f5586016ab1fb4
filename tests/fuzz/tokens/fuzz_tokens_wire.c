/* What either end of an agent's socket may get: frames, requests, replies, identities, lists of certificates. What
 * decodes must encode to the same bytes again. */
#include "tokens/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(const struct buffer *out, struct span payload)
{
    struct span again;

    if (tokens_wire_frame(buffer_span(out), TOKENS_WIRE_REPLY_MAX, &again) != TOKENS_WIRE_OK ||
        !span_equal(again, payload))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tokens_wire_request request;
    struct tokens_wire_reply reply;
    struct tokens_wire_identity identity;
    struct tokens_wire_certs certs;
    struct span rest = span_of(data, size), payload;
    struct buffer out;

    buffer_init(&out, 2 * TOKENS_WIRE_REPLY_MAX);
    while (tokens_wire_frame(rest, TOKENS_WIRE_REPLY_MAX, &payload) == TOKENS_WIRE_OK) {
        if (tokens_wire_request_decode(payload, &request) == TOKENS_WIRE_OK) {
            if (!tokens_wire_request_encode(&request, &out))
                abort();
            same_again(&out, payload);
            buffer_release(&out);
        }
        if (tokens_wire_reply_decode(payload, &reply) == TOKENS_WIRE_OK) {
            if (!tokens_wire_reply_encode(&reply, &out))
                abort();
            same_again(&out, payload);
            buffer_release(&out);
            if (reply.type == TOKENS_WIRE_FOUND &&
                tokens_wire_identity_decode(reply.identity, &identity) == TOKENS_WIRE_OK) {
                if (!tokens_wire_identity_encode(&identity, &out) || !span_equal(buffer_span(&out), reply.identity))
                    abort();
                buffer_release(&out);
            }
            if (reply.type == TOKENS_WIRE_LISTED && tokens_wire_certs_decode(reply.certs, &certs) == TOKENS_WIRE_OK) {
                if (!tokens_wire_certs_encode(&certs, &out) || !span_equal(buffer_span(&out), reply.certs))
                    abort();
                buffer_release(&out);
            }
        }
        rest = span_skip(rest, TOKENS_WIRE_HEADER_SIZE + payload.size);
    }
    return 0;
}
