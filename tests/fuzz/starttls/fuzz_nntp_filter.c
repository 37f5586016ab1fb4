#include "fuzz_filter.h"

/* Where nobody was told to go ahead, and no article comes without that, every line of the client's is a command: none
 * may ask for TLS. */
static bool may_be_article(struct span to_client, struct span to_server)
{
    for (; to_server.size != 0; to_server = span_skip(to_server, 1))
        if (span_starts_with_nocase(to_server, "TAKETHIS"))
            return true;
    return to_client.size != 0 && memchr(to_client.data, '3', to_client.size) != NULL;
}

static void check(struct span to_client, struct span to_server)
{
    bool article = may_be_article(to_client, to_server);

    while (!article && to_server.size != 0) {
        const uint8_t *end = memchr(to_server.data, '\n', to_server.size);
        size_t size = end == NULL ? to_server.size : (size_t)(end - to_server.data) + 1;
        struct span line = span_of(to_server.data, size);

        while (line.size != 0 && line.data[0] <= ' ') /* by which some server may not be kept from a word */
            line = span_skip(line, 1);
        FUZZ_CHECK(end == NULL || !span_starts_with_nocase(line, "STARTTLS") || line.data[8] > ' ');
        to_server = span_skip(to_server, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_NNTP, check, data, size);
}
