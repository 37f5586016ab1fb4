/* One fuzzer for every machine. The first byte picks whether to upgrade, the second how to cut; the rest is what the
 * peer says. The conversation is run whole and cut, and must end alike both times: no split may change what is
 * understood. What cannot hold for any input is checked as well. */
#ifndef YETT_TESTS_FUZZ_STARTTLS_MACHINE_H
#define YETT_TESTS_FUZZ_STARTTLS_MACHINE_H

#include "starttls/limits.h"
#include "starttls/starttls.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum fuzz_side { FUZZ_ACCEPTED, FUZZ_CONNECTED, FUZZ_PROBED };

struct fuzz_result {
    enum starttls_status status;
    size_t consumed;
    struct buffer output;
    char *error;
};

/* Small, so that short inputs reach them. */
static const struct starttls_http_limits fuzz_http_limits[STARTTLS_HTTP_KIND_COUNT] = {
    {.head_bytes_max = 600, .line_bytes_max = 300, .fields_max = 6},
    {.head_bytes_max = 500, .line_bytes_max = 200, .fields_max = 5},
};

/* What is no text: its messages are shorter than they say, and may have any byte in them. */
static inline bool fuzz_is_binary(enum starttls_protocol protocol)
{
    return protocol == STARTTLS_POSTGRES || protocol == STARTTLS_LDAP;
}

enum { FUZZ_MESSAGE_BYTES_MIN = 7 }; /* of a binary one that is answered */

/* What was said since `before`, because of these bytes: no more for each line, or message, than is declared, and never
 * past the room. */
static inline void fuzz_check_output(const struct starttls_machine *m, enum starttls_protocol protocol, size_t before,
                                     struct span bytes)
{
    size_t said = starttls_output(m).size - before, lines = 1;

    if (fuzz_is_binary(protocol))
        lines += bytes.size / FUZZ_MESSAGE_BYTES_MIN;

    for (size_t i = 0; i < bytes.size; i++)
        lines += bytes.data[i] == '\n';
    FUZZ_CHECK(said <= lines * STARTTLS_REPLY_BYTES_MAX && before + said <= STARTTLS_OUTPUT_BYTES_MAX);
}

static inline struct fuzz_result fuzz_run(enum starttls_protocol protocol, enum fuzz_side side, bool upgrade,
                                          struct span input, uint32_t seed)
{
    const struct starttls_options options = {.name = "proxy.test",
                                             .upgrade = upgrade,
                                             .opens_here = !upgrade,
                                             .cancels_in_clear = upgrade,
                                             .target_host = "host.test",
                                             .target_port = 443,
                                             .http_limits = upgrade ? NULL : fuzz_http_limits,
                                             .connection = "1.2.3"};
    struct starttls_machine *m = side == FUZZ_ACCEPTED    ? starttls_accept_create(protocol, &options)
                                 : side == FUZZ_CONNECTED ? starttls_connect_create(protocol, &options)
                                                          : starttls_probe_create(protocol, &options);
    struct fuzz_result r = {.status = STARTTLS_NEED_MORE};

    /* Nothing is taken out before there is need: how the caller sends must not matter either. */
    buffer_init(&r.output, 64 * STARTTLS_OUTPUT_BYTES_MAX);
    while (r.consumed < input.size && (r.status == STARTTLS_NEED_MORE || r.status == STARTTLS_TARGET)) {
        size_t piece = input.size - r.consumed;
        size_t consumed, before = starttls_output(m).size;

        if (seed != 0) {
            seed = seed * 1664525u + 1013904223u;
            piece = (seed >> 16) % 17 + 1;
        }
        if (piece > input.size - r.consumed)
            piece = input.size - r.consumed;
        r.status = starttls_put(m, span_of(input.data + r.consumed, piece), &consumed);
        FUZZ_CHECK(consumed <= piece);
        fuzz_check_output(m, protocol, before, span_of(input.data + r.consumed, consumed));
        r.consumed += consumed;
        if (consumed == piece || r.status != STARTTLS_NEED_MORE) {
            if (consumed == 0)
                break;
            continue;
        }
        /* It waits for its output to be read, and for nothing else. */
        FUZZ_CHECK(starttls_output(m).size > STARTTLS_OUTPUT_BYTES_MAX - STARTTLS_REPLY_BYTES_MAX);
        FUZZ_CHECK(buffer_append(&r.output, starttls_output(m)));
        starttls_output_consume(m, starttls_output(m).size);
    }
    FUZZ_CHECK(buffer_append(&r.output, starttls_output(m)));
    r.error = base_strdup(starttls_error(m));
    FUZZ_CHECK(!fuzz_is_own_fault(r.error)); /* more was written than was declared */
    FUZZ_CHECK(starttls_state_name(m)[0] != '\0');
    FUZZ_CHECK((r.error[0] != '\0') == (r.status == STARTTLS_BROKEN || r.status == STARTTLS_REFUSED));
    if (r.status == STARTTLS_TARGET) {
        FUZZ_CHECK(starttls_target_host(m)[0] != '\0' && starttls_target_port(m) != 0);
        if (starttls_target_request(m) == STARTTLS_REQUEST_TUNNEL)
            starttls_target_connected(m);
    }
    starttls_machine_destroy(&m);
    return r;
}

static inline void fuzz_result_clear(struct fuzz_result *r)
{
    buffer_release(&r->output);
    free(r->error);
}

static inline int fuzz_machine(enum starttls_protocol protocol, enum fuzz_side side, const uint8_t *data, size_t size)
{
    struct fuzz_result whole, cut;
    struct span input, said;

    if (size < 2)
        return 0;
    input = span_of(data + 2, size - 2);
    whole = fuzz_run(protocol, side, (data[0] & 1) != 0, input, 0);
    cut = fuzz_run(protocol, side, (data[0] & 1) != 0, input, data[1] + 1u);
    said = buffer_span(&whole.output);
    /* Lines only, and nothing that a terminal or a second parser could trip over: what a peer says is not echoed. */
    FUZZ_CHECK(fuzz_is_binary(protocol) || said.size == 0 || said.data[said.size - 1] == '\n');
    for (size_t i = 0; i < said.size && !fuzz_is_binary(protocol); i++)
        FUZZ_CHECK(said.data[i] == '\r' || said.data[i] == '\n' || (said.data[i] >= ' ' && said.data[i] <= '~'));
    /* Only the hinge sees cuts: what follows it in the same piece is an attack, in the next one it is TLS's. */
    if (cut.status == STARTTLS_UPGRADE && cut.consumed < input.size) {
        FUZZ_CHECK(whole.status == STARTTLS_BROKEN);
        FUZZ_CHECK(whole.consumed == cut.consumed);
    } else {
        FUZZ_CHECK(whole.status == cut.status);
        FUZZ_CHECK(span_equal(said, buffer_span(&cut.output)));
        FUZZ_CHECK(whole.consumed == cut.consumed);
        /* The number of bytes that came with the hinge is told, and depends on the cut. */
        FUZZ_CHECK(strcmp(whole.error, cut.error) == 0 || strstr(whole.error, "plain text") != NULL);
    }
    fuzz_result_clear(&whole);
    fuzz_result_clear(&cut);
    return 0;
}

#endif
