#include "fuzz_filter.h"

static bool begins_with(struct span line, const char *word)
{
    size_t size = strlen(word);

    while (line.size != 0 && line.data[0] <= ' ') /* by which some server may not be kept from a word */
        line = span_skip(line, 1);
    return span_starts_with_nocase(line, word) && (line.size == size || line.data[size] <= ' ');
}

/* The first whole line of `bytes`, which are cut; empty: there is none. */
static struct span take_line(struct span *bytes)
{
    const uint8_t *end = bytes->size == 0 ? NULL : memchr(bytes->data, '\n', bytes->size);
    struct span line = span_of(bytes->data, end == NULL ? 0 : (size_t)(end - bytes->data) + 1);

    *bytes = end == NULL ? span_of(NULL, 0) : span_skip(*bytes, line.size);
    return line;
}

/* No line of the client's asks for TLS, or for another's address, be it in a literal. And no line of the server's
 * offers it, where none can be a literal's, nor a challenge, which may be any string: the client has said nothing. */
static void check(struct span to_client, struct span to_server)
{
    bool may_hide = to_server.size != 0 || (to_client.size != 0 && memchr(to_client.data, '{', to_client.size) != NULL);
    struct span line;

    while ((line = take_line(&to_server)).size != 0) {
        FUZZ_CHECK(!begins_with(line, "STARTTLS"));
        FUZZ_CHECK(!begins_with(line, "XCLIENT"));
    }
    while (!may_hide && (line = take_line(&to_client)).size != 0) {
        FUZZ_CHECK(!span_starts_with_nocase(line, "\"STARTTLS\""));
        FUZZ_CHECK(!span_starts_with_nocase(line, "\"XCLIENT\""));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_SIEVE, check, data, size);
}
