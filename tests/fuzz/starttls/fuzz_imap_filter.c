#include "fuzz_filter.h"

/* The server's first line cannot be inside a literal: it must not offer STARTTLS, nor be a PREAUTH. */
static void check(struct span to_client, struct span to_server)
{
    static const char word[] = "STARTTLS";
    const uint8_t *end = to_client.size == 0 ? NULL : memchr(to_client.data, '\n', to_client.size);
    struct span line = span_of(to_client.data, end == NULL ? 0 : (size_t)(end - to_client.data));

    (void)to_server;
    FUZZ_CHECK(!span_starts_with_nocase(line, "* PREAUTH "));
    if (!span_starts_with_nocase(line, "* CAPABILITY "))
        return;
    for (size_t i = 12; i + sizeof(word) - 1 < line.size; i++) {
        struct span here = span_skip(line, i);
        bool ends = here.size == sizeof(word) || here.data[sizeof(word)] == ' ' || here.data[sizeof(word)] == '\r';

        FUZZ_CHECK(!(span_starts_with_nocase(here, " STARTTLS") && ends));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_IMAP, check, data, size);
}
