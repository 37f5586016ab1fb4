/* tests/fuzz/fuzz.h: what fuzzers share: checks that hold for every input, and an input in parts. */
#ifndef YETT_TESTS_FUZZ_H
#define YETT_TESTS_FUZZ_H

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            base_abort("%s:%d: " #condition, __FILE__, __LINE__);                                                      \
    } while (0)

/* Whether an error says that it is yett's own fault: more was written than was declared. It ends so; what a peer said
 * and is quoted in it ends with a quote. */
static inline bool fuzz_is_own_fault(const char *error)
{
    static const char fault[] = "this is a fault of yett's own";
    size_t size = strlen(error);

    return size >= sizeof(fault) - 1 && strcmp(error + size - (sizeof(fault) - 1), fault) == 0;
}

/* The next byte of the input; 0 behind its end. */
static inline unsigned fuzz_byte(struct span *input)
{
    unsigned byte = input->size == 0 ? 0 : input->data[0];

    *input = span_skip(*input, input->size == 0 ? 0 : 1);
    return byte;
}

/* The next part: a byte with its size, and as many bytes, or what is left. */
static inline struct span fuzz_part(struct span *input)
{
    size_t size = fuzz_byte(input);
    struct span part = span_of(input->data, size < input->size ? size : input->size);

    *input = span_skip(*input, part.size);
    return part;
}

#endif
