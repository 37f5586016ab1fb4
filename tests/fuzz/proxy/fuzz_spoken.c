/* proxy/session/spoken.c: the first bytes of a peer that should have spoken TLS. Both ways of asking agree. */
#include "proxy/session/spoken.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span first = span_of(data, size);

    for (unsigned side = SPOKEN_BY_CLIENT; side <= SPOKEN_BY_TARGET; side++) {
        const char *sentence = spoken_instead_of_tls(first, (enum spoken_side)side);

        FUZZ_CHECK(sentence == NULL || (sentence[0] != '\0' && size != 0));
        FUZZ_CHECK(sentence == NULL || !spoken_is_tls(first));
    }
    return 0;
}
