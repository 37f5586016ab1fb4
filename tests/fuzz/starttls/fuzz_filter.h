/* One fuzzer for every filter. The first byte says how to cut, and whether a
 * greeting comes; then come pieces of the two sides: a byte with the side
 * in its highest bit and the size in the others, and as many bytes; a size of 127 is followed by a byte that says how
 * often the piece is said over, so that long lines and pipelines need no long input. The relay is run with the pieces
 * whole and cut, and both sides must get the same bytes each time. What a filter writes is held to what it declares: no
 * line may come out longer than it went in by more than its side's growth, nor pass the room there is. */
#ifndef YETT_TESTS_FUZZ_STARTTLS_FILTER_H
#define YETT_TESTS_FUZZ_STARTTLS_FILTER_H

#include "starttls/limits.h"
#include "starttls/starttls.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

struct fuzz_relay {
    struct starttls_filter *filter;
    enum starttls_status status;
    struct buffer got[2];  /* what came out, by the direction it went */
    struct buffer waiting; /* of the client, which the filter has not taken yet */
    size_t taken, taken_from[2], lines_from[2];
    uint32_t seed; /* 0: pieces whole */
};

enum { FUZZ_SAID_MAX = 64 * 1024 };

/* What came out of one side's bytes against what was declared of it. */
static inline void fuzz_check_growth(const struct fuzz_relay *r, enum starttls_direction direction)
{
    size_t growth =
        direction == STARTTLS_FROM_CLIENT ? STARTTLS_CLIENT_LINE_GROWTH_MAX : STARTTLS_SERVER_LINE_GROWTH_MAX;

    FUZZ_CHECK(r->got[direction].size <= r->taken_from[direction] + growth * r->lines_from[direction]);
}

/* Returns how many bytes were taken: all, but for those of a client whose commands wait for replies. */
static inline size_t fuzz_put(struct fuzz_relay *r, enum starttls_direction direction, struct span bytes)
{
    const size_t size = bytes.size;
    struct buffer out;

    buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
    while (r->status == STARTTLS_NEED_MORE && bytes.size != 0) {
        size_t piece = bytes.size;
        size_t consumed;

        if (r->seed != 0) {
            r->seed = r->seed * 1664525u + 1013904223u;
            piece = (r->seed >> 16) % 5 + 1;
        }
        if (piece > bytes.size)
            piece = bytes.size;
        r->status = starttls_filter_put(r->filter, direction, span_of(bytes.data, piece), &consumed, &out);
        FUZZ_CHECK(consumed <= piece);
        FUZZ_CHECK(out.size <= STARTTLS_FILTER_LINE_BYTES_MAX);
        FUZZ_CHECK(!fuzz_is_own_fault(starttls_filter_error(r->filter)));
        for (size_t i = 0; i < consumed; i++)
            r->lines_from[direction] += bytes.data[i] == '\n';
        r->taken_from[direction] += consumed;
        FUZZ_CHECK(buffer_append(&r->got[direction], buffer_span(&out)));
        fuzz_check_growth(r, direction);
        bytes = span_skip(bytes, consumed);
        r->taken += consumed;
        if (consumed == 0 && out.size == 0)
            break;
        buffer_consume(&out, out.size);
    }
    FUZZ_CHECK(bytes.size == 0 || r->status != STARTTLS_NEED_MORE || direction == STARTTLS_FROM_CLIENT);
    buffer_release(&out);
    return size - bytes.size;
}

/* One piece of either side. What the client says behind commands that wait for replies waits, too. */
static inline void fuzz_say(struct fuzz_relay *r, enum starttls_direction direction, struct span bytes)
{
    if (direction == STARTTLS_FROM_SERVER)
        fuzz_put(r, direction, bytes);
    else
        FUZZ_CHECK(buffer_append(&r->waiting, bytes));
    buffer_consume(&r->waiting, fuzz_put(r, STARTTLS_FROM_CLIENT, buffer_span(&r->waiting)));
}

static inline struct fuzz_relay fuzz_run(enum starttls_protocol protocol, enum starttls_greeting greeting,
                                         struct span input, uint32_t seed)
{
    struct fuzz_relay r = {
        .filter = starttls_filter_create(protocol, greeting), .status = STARTTLS_NEED_MORE, .seed = seed};
    size_t said = 0;

    buffer_init(&r.waiting, FUZZ_SAID_MAX);
    buffer_init(&r.got[0], 20 * FUZZ_SAID_MAX);
    buffer_init(&r.got[1], 20 * FUZZ_SAID_MAX);
    while (input.size != 0 && r.status == STARTTLS_NEED_MORE) {
        enum starttls_direction direction = (input.data[0] & 0x80) != 0 ? STARTTLS_FROM_SERVER : STARTTLS_FROM_CLIENT;
        size_t size = input.data[0] & 0x7f, times = 1;

        input = span_skip(input, 1);
        if (size == 0x7f && input.size != 0) {
            times = (size_t)input.data[0] + 1;
            input = span_skip(input, 1);
        }
        if (size > input.size)
            size = input.size;
        for (; times != 0 && r.status == STARTTLS_NEED_MORE && said + size <= FUZZ_SAID_MAX; times--, said += size)
            fuzz_say(&r, direction, span_of(input.data, size));
        input = span_skip(input, size);
    }
    FUZZ_CHECK((starttls_filter_error(r.filter)[0] != '\0') == (r.status == STARTTLS_BROKEN));
    FUZZ_CHECK(starttls_filter_rest(r.filter, STARTTLS_FROM_CLIENT, &r.got[STARTTLS_FROM_CLIENT]));
    FUZZ_CHECK(starttls_filter_rest(r.filter, STARTTLS_FROM_SERVER, &r.got[STARTTLS_FROM_SERVER]));
    fuzz_check_growth(&r, STARTTLS_FROM_CLIENT);
    fuzz_check_growth(&r, STARTTLS_FROM_SERVER);
    starttls_filter_destroy(&r.filter);
    buffer_release(&r.waiting);
    return r;
}

/* What the caller checks of the bytes that came out. */
typedef void fuzz_oracle(struct span to_client, struct span to_server);

static inline int fuzz_filter(enum starttls_protocol protocol, fuzz_oracle *oracle, const uint8_t *data, size_t size)
{
    struct fuzz_relay whole, cut;
    enum starttls_greeting greeting;

    if (size < 1)
        return 0;
    greeting = (data[0] & 1) != 0 ? STARTTLS_GREETING_FOLLOWS : STARTTLS_GREETED;
    whole = fuzz_run(protocol, greeting, span_of(data + 1, size - 1), 0);
    cut = fuzz_run(protocol, greeting, span_of(data + 1, size - 1), data[0] + 1u);
    FUZZ_CHECK(whole.status == cut.status);
    FUZZ_CHECK(whole.status == STARTTLS_BROKEN || whole.taken == cut.taken);
    for (unsigned i = 0; i < 2; i++) {
        FUZZ_CHECK(span_equal(buffer_span(&whole.got[i]), buffer_span(&cut.got[i])));
        buffer_release(&cut.got[i]);
    }
    if (whole.status == STARTTLS_NEED_MORE)
        oracle(buffer_span(&whole.got[STARTTLS_FROM_SERVER]), buffer_span(&whole.got[STARTTLS_FROM_CLIENT]));
    buffer_release(&whole.got[0]);
    buffer_release(&whole.got[1]);
    return 0;
}

#endif
