/* base/base.c and base/sink.c: what a peer said, in a log line, and what is rewritten into a buffer, in any room there
 * is. */
#include "base/sink.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

/* One printable token of bounded size that nothing can break out of. */
static void check_quote(struct span text, size_t out_size)
{
    char *out = base_alloc(out_size);
    size_t length;

    FUZZ_CHECK(base_quote(text.data, text.size, out, out_size) == out);
    length = strlen(out);
    FUZZ_CHECK(length < out_size && length <= BASE_QUOTE_SIZE - 1 && length >= 2 && out[0] == '"');
    for (size_t i = 0; i < length; i++) {
        FUZZ_CHECK(out[i] >= ' ' && out[i] <= '~');
        if (out[i] == '\\')
            FUZZ_CHECK(out[i + 1] == 'x' && length - i > 4);
    }
    free(out);
}

/* As many parts as there are, into a sink: all of them, or nothing. */
static void check_sink(struct span input, size_t held, size_t room, size_t ceiling)
{
    struct buffer b;
    struct sink s;
    size_t written = 0;
    bool fits;
    char filler[256] = {0};

    buffer_init(&b, ceiling);
    if (held > ceiling)
        held = ceiling;
    FUZZ_CHECK(buffer_append(&b, span_of(filler, held)));
    sink_open(&s, &b, room);
    while (input.size != 0) {
        struct span part = fuzz_part(&input);

        sink_put(&s, part);
        written += part.size;
    }
    fits = written <= room && room <= ceiling - held;
    FUZZ_CHECK(sink_close(&s) == fits);
    FUZZ_CHECK(b.size == held + (fits ? written : 0) && b.capacity <= ceiling);
    FUZZ_CHECK(buffer_append_some(&b, span_of(filler, sizeof(filler))) <= ceiling - held);
    FUZZ_CHECK(b.size <= ceiling);
    buffer_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    size_t out_size = 8 + fuzz_byte(&input) * 4u, held = fuzz_byte(&input), room = fuzz_byte(&input) * 4u,
           ceiling = fuzz_byte(&input) * 5u;

    check_quote(input, out_size);
    check_quote(input, BASE_QUOTE_SIZE);
    check_sink(input, held, room, ceiling);
    (void)span_is_clean_utf8(input);
    return 0;
}
